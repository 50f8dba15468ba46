//! What callers are told when something is not done: a code for their program, details to act on, and a
//! sentence for people.

use std::time::Duration;

use dunlin::{Code, ErrorDetails, Status};
use rusqlite::ErrorCode;

use crate::proto::ItemError;
use crate::store::StoreError;
use crate::store::orders::{LineFault, LineFaultKind};

/// Whose reasons those of `google.rpc.ErrorInfo` are.
pub const DOMAIN: &str = "shop.example";

/// Nothing more to say than the reason.
const NO_METADATA: [(&str, &str); 0] = [];

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        let details = ErrorDetails::new();
        match error {
            StoreError::NotFound { kind, id } => not_found(kind, &id),
            StoreError::SkuTaken { sku, id } => Self::already_exists(message).with_details(
                details
                    .error_info("SKU_TAKEN", DOMAIN, [("sku", sku), ("product", id.to_string())])
                    .resource_info("product", id.to_string(), "", "has this SKU"),
            ),
            StoreError::KeyTaken { id } => Self::already_exists(message).with_details(
                details
                    .error_info("IDEMPOTENCY_KEY_TAKEN", DOMAIN, [("order", id.to_string())])
                    .resource_info("order", id.to_string(), "", "was made with this key"),
            ),
            StoreError::InUse { id, .. } => Self::failed_precondition(message.clone()).with_details(
                details.error_info("RESERVED", DOMAIN, NO_METADATA).precondition_failure([(
                    "RESERVED",
                    id.to_string(),
                    message,
                )]),
            ),
            StoreError::Stock { id, .. } => Self::failed_precondition(message.clone()).with_details(
                details.error_info("OUT_OF_STOCK", DOMAIN, NO_METADATA).precondition_failure([(
                    "STOCK",
                    id.to_string(),
                    message,
                )]),
            ),
            StoreError::Step { id, from, .. } => {
                let next: Vec<_> = from.next().iter().map(ToString::to_string).collect();
                let metadata = [("status", from.to_string()), ("next", next.join(","))];
                Self::failed_precondition(message.clone()).with_details(
                    details.error_info("NO_SUCH_STEP", DOMAIN, metadata).precondition_failure([(
                        "STATUS",
                        id.to_string(),
                        message,
                    )]),
                )
            }
            StoreError::Lines(faults) => {
                let reason = match faults[..] {
                    [LineFault { why: LineFaultKind::Short { .. }, .. }, ..] => "OUT_OF_STOCK",
                    _ => "NOT_FOR_SALE",
                };
                let violations = faults.iter().map(|fault| {
                    (violation(fault.why), format!("order.lines[{}]", fault.line), fault.to_string())
                });
                let details =
                    details.error_info(reason, DOMAIN, NO_METADATA).precondition_failure(violations);
                Self::failed_precondition(message).with_details(details)
            }
            StoreError::Money(_) => Self::out_of_range(message),
            StoreError::Closed => unavailable("the shop closes"),
            StoreError::Commit(error) => {
                unavailable("the database can not keep anything now").with_source(error)
            }
            StoreError::Database(ref cause) if is_passing(cause) => {
                unavailable("the database can not be used now").with_source(error)
            }
            StoreError::Database(_) | StoreError::Panicked => {
                Self::internal("the database can not do that").with_source(error)
            }
        }
    }
}

fn violation(why: LineFaultKind) -> &'static str {
    match why {
        LineFaultKind::Unknown => "UNKNOWN_PRODUCT",
        LineFaultKind::NotForSale => "NOT_FOR_SALE",
        LineFaultKind::Short { .. } => "STOCK",
    }
}

/// Whether it may work a moment later: someone else has the file, or the disk is full.
fn is_passing(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure};
    let passing = [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| passing.contains(&code))
}

/// There is nothing of this name.
pub fn not_found(kind: &'static str, id: &str) -> Status {
    Status::not_found(format!("there is no {kind} {id}")).with_details(
        ErrorDetails::new().error_info("NOT_FOUND", DOMAIN, [(kind, id)]).resource_info(
            kind,
            id,
            "",
            "is not there",
        ),
    )
}

/// It may work a second later.
pub fn unavailable(message: &'static str) -> Status {
    let details = ErrorDetails::new().retry_after(Duration::from_secs(1));
    Status::unavailable(message).with_details(details.error_info("UNAVAILABLE", DOMAIN, NO_METADATA))
}

/// Whoever watches reads too slowly.
pub fn missed(events: u64) -> Status {
    let message = format!("{events} events were missed: they were read too slowly");
    let details = ErrorDetails::new().error_info("TOO_SLOW", DOMAIN, [("missed", events.to_string())]);
    Status::resource_exhausted(message).with_details(details)
}

/// A field of the request that is wrong.
pub fn bad_field(field: impl Into<String>, why: impl Into<String>) -> Status {
    let (field, why) = (field.into(), why.into());
    let message = format!("{field}: {why}");
    Status::invalid_argument(message).with_details(ErrorDetails::new().bad_request([(field, why)]))
}

/// What became of one of many.
pub fn item_error(index: u32, status: &Status) -> ItemError {
    let field = status.error_details().ok().and_then(|details| details.field_violations().next());
    ItemError {
        index,
        code: code_number(status.code()),
        message: status.message().to_owned(),
        field: field.map(|violation| violation.field).unwrap_or_default(),
        ..ItemError::default()
    }
}

fn code_number(code: Code) -> i32 {
    // There are 17 codes.
    i32::try_from(code.number()).unwrap_or(i32::MAX)
}
