//! Messages that are as they should be.

#[cfg(feature = "protovalidate")]
mod schema;

use std::any::Any;
use std::fmt;

use dunlin_grpc::intercept::{CallView, Direction, Interceptor, Interest, MessageRef, Side};
use dunlin_grpc::{ErrorDetails, Method, Status};

use crate::operators::is_for_operators;

/// What is wrong with a message: fields, by paths as `items[2].price`, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Violations(Vec<(String, String)>);

impl Violations {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A field that is not as it should be.
    pub fn field(mut self, path: impl Into<String>, why: impl Into<String>) -> Self {
        self.0.push((path.into(), why.into()));
        self
    }

    /// The same, if something is not so.
    pub fn require(self, is_fine: bool, path: impl Into<String>, why: impl Into<String>) -> Self {
        if is_fine { self } else { self.field(path, why) }
    }

    /// Together with what is wrong elsewhere in the message.
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// INVALID_ARGUMENT with a `google.rpc.BadRequest`.
    ///
    /// # Errors
    /// If there are any.
    pub fn into_result(self) -> Result<(), Status> {
        let Some((path, why)) = self.0.first() else { return Ok(()) };
        let message = match (self.0.len(), path.is_empty()) {
            (1, true) => why.clone(),
            (1, false) => format!("{path}: {why}"),
            (count, _) => format!("{path}: {why}, and {} more", count - 1),
        };
        Err(Status::invalid_argument(message).with_details(ErrorDetails::new().bad_request(self.0)))
    }
}

/// A message that knows what it should be like.
pub trait Validate: Any {
    /// What is wrong with it.
    fn validate(&self) -> Violations;
}

type Check = Box<dyn Fn(MessageRef<'_>) -> Result<(), Status> + Send + Sync>;

/// Refuses messages that are not as they should be, those of streams too: INVALID_ARGUMENT with the fields in
/// a `google.rpc.BadRequest`. The services of operators are left alone.
///
/// ```
/// use dunlin_interceptors::{Validation, Violations};
/// use dunlin_protobuf::wkt::Api;
///
/// let validation = Validation::new()
///     .check(|api: &Api| Violations::new().require(!api.name.is_empty(), "name", "must not be empty"));
/// ```
#[derive(Default)]
#[must_use]
pub struct Validation {
    checks: Vec<Check>,
    includes_sent: bool,
}

impl fmt::Debug for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validation").field("checks", &self.checks.len()).finish_non_exhaustive()
    }
}

impl Validation {
    /// Refuses nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// What messages of this type should be like.
    pub fn check<M: Any>(self, check: impl Fn(&M) -> Violations + Send + Sync + 'static) -> Self {
        self.check_any(move |message| match message.downcast_ref::<M>() {
            Some(message) => check(message).into_result(),
            None => Ok(()),
        })
    }

    /// Messages of this type say themselves what they should be like.
    pub fn message<M: Validate>(self) -> Self {
        self.check(M::validate)
    }

    /// What all messages should be like, by their fields: for rules that are in the schema.
    pub fn check_any(
        mut self,
        check: impl Fn(MessageRef<'_>) -> Result<(), Status> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// The rules that stand in the schemas of messages, those of protovalidate. The details have the
    /// `buf.validate.Violations` too. A schema whose rules can not be used makes calls end with INTERNAL.
    #[cfg(feature = "protovalidate")]
    pub fn schema(self, validator: dunlin_validate::Validator) -> Self {
        self.check_any(move |message| schema::check(&validator, message))
    }

    /// Messages that are sent too. One that is not as it should be is the fault of this side, and is not sent;
    /// a server answers INTERNAL then.
    pub fn sent_too(mut self) -> Self {
        self.includes_sent = true;
        self
    }
}

impl Interceptor for Validation {
    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        if direction == Direction::Sent && !self.includes_sent {
            return Ok(());
        }
        let result = self.checks.iter().try_for_each(|check| check(message));
        match (call.side(), direction) {
            (Side::Server, Direction::Sent) => result.map_err(|status| {
                Status::internal("the response is not as it should be").with_source(status)
            }),
            _ => result,
        }
    }

    fn interest(&self) -> Interest {
        Interest::MESSAGES
    }

    fn applies_to(&self, _: Side, method: &Method) -> bool {
        !is_for_operators(method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_of_parts_are_told_together() {
        let address = Violations::new().require(false, "address.city", "is missing");
        let order = Violations::new().field("id", "is missing").and(Violations::new()).and(address);
        let status = order.into_result().unwrap_err();
        assert_eq!(status.message(), "id: is missing, and 1 more");
        let details = status.error_details().unwrap();
        let fields: Vec<_> = details.field_violations().map(|violation| violation.field).collect();
        assert_eq!(fields, ["id", "address.city"]);
    }
}
