//! What programs can read of a failure: the details of `google.rpc.Status`.
//!
//! ```
//! use std::time::Duration;
//!
//! use dunlin_grpc::details::{ErrorDetails, ErrorInfo};
//! use dunlin_grpc::Status;
//!
//! // The server
//! let status = Status::invalid_argument("bad order").with_details(
//!     ErrorDetails::new()
//!         .bad_request([("name", "must not be empty")])
//!         .error_info("NO_NAME", "shop.example", [("order", "42")])
//!         .retry_after(Duration::from_secs(5)),
//! );
//!
//! // The client
//! let details = status.error_details()?;
//! assert_eq!(details.field_violations().next().unwrap().field, "name");
//! assert_eq!(details.get::<ErrorInfo>().unwrap().reason, "NO_NAME");
//! assert_eq!(details.retry_delay(), Some(Duration::from_secs(5)));
//! # Ok::<(), dunlin_grpc::details::InvalidDetails>(())
//! ```
//!
//! They travel in the trailer `grpc-status-details-bin`, where every implementation of gRPC finds them.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use dunlin_proto::google::rpc::Status as RpcStatus;
pub use dunlin_proto::google::rpc::{
    BadRequest, DebugInfo, ErrorInfo, Help, LocalizedMessage, PreconditionFailure, QuotaFailure, RequestInfo,
    ResourceInfo, RetryInfo, bad_request, help, precondition_failure, quota_failure,
};
use dunlin_protobuf::wkt::{self, Any};
use dunlin_protobuf::{DecodeError, Message, UnknownFields};

use crate::Status;

/// Messages that tell programs more about a failure: those of Google's `error_details.proto`, which have
/// methods here, and any others.
///
/// Each method adds one message behind the others. Those with fields that the method does not take are
/// added [`with`](Self::with) all of them:
///
/// ```
/// use dunlin_grpc::details::{ErrorDetails, QuotaFailure, quota_failure::Violation};
///
/// let violation = Violation { quota_metric: "orders".into(), quota_value: 100, ..Default::default() };
/// let details = ErrorDetails::new()
///     .with(&QuotaFailure { violations: vec![violation], ..Default::default() })
///     .help([("how to get a larger quota", "https://shop.example/quota")]);
/// assert_eq!(details.quota_violations().next().unwrap().quota_value, 100);
/// ```
#[derive(Clone, Default, PartialEq)]
#[must_use = "details are seen once a status has them: `Status::with_details`"]
pub struct ErrorDetails {
    messages: Vec<Any>,
    /// Of the `google.rpc.Status`, which may grow.
    unknown_fields: UnknownFields,
}

/// The bytes of [`Status::details`] are no `google.rpc.Status`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the details of the status are not a google.rpc.Status")]
pub struct InvalidDetails {
    source: DecodeError,
}

impl ErrorDetails {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With this message, of any type.
    pub fn with<M: Message>(mut self, message: &M) -> Self {
        self.push(message);
        self
    }

    /// Adds a message, of any type.
    pub fn push<M: Message>(&mut self, message: &M) {
        self.messages.push(Any::pack(message));
    }

    /// Adds a message that is packed already.
    pub fn push_any(&mut self, message: Any) {
        self.messages.push(message);
    }

    /// The client may try again after this time: [`RetryInfo`]. It is advice to the program; retries of the
    /// library follow the trailer `grpc-retry-pushback-ms`. More than 10,000 years become that.
    pub fn retry_after(self, delay: Duration) -> Self {
        let longest = wkt::Duration { seconds: wkt::Duration::MAX_SECONDS, ..Default::default() };
        let delay = wkt::Duration::try_from(delay).unwrap_or(longest);
        self.with(&RetryInfo { retry_delay: Some(delay), ..Default::default() })
    }

    /// For the developers of the server: [`DebugInfo`]. Clients see it, so it is nothing for production.
    pub fn debug_info<S: Into<String>>(
        self,
        stack_entries: impl IntoIterator<Item = S>,
        detail: impl Into<String>,
    ) -> Self {
        let stack_entries = stack_entries.into_iter().map(Into::into).collect();
        self.with(&DebugInfo { stack_entries, detail: detail.into(), ..Default::default() })
    }

    /// Quotas that are used up, each with whose it is and a description: [`QuotaFailure`].
    pub fn quota_failure<S: Into<String>, D: Into<String>>(
        self,
        violations: impl IntoIterator<Item = (S, D)>,
    ) -> Self {
        let violations = violations.into_iter().map(|(subject, description)| quota_failure::Violation {
            subject: subject.into(),
            description: description.into(),
            ..Default::default()
        });
        self.with(&QuotaFailure { violations: violations.collect(), ..Default::default() })
    }

    /// The cause, under a name of a domain that does not change, and what else there is to know by key and
    /// value: [`ErrorInfo`].
    pub fn error_info<K: Into<String>, V: Into<String>>(
        self,
        reason: impl Into<String>,
        domain: impl Into<String>,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let metadata = metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let (reason, domain) = (reason.into(), domain.into());
        self.with(&ErrorInfo { reason, domain, metadata, ..Default::default() })
    }

    /// What has to change before the request can be done, each as a kind, what it is about, and how it can
    /// be mended: [`PreconditionFailure`].
    pub fn precondition_failure<T: Into<String>, S: Into<String>, D: Into<String>>(
        self,
        violations: impl IntoIterator<Item = (T, S, D)>,
    ) -> Self {
        let violations =
            violations.into_iter().map(|(r#type, subject, description)| precondition_failure::Violation {
                r#type: r#type.into(),
                subject: subject.into(),
                description: description.into(),
                ..Default::default()
            });
        self.with(&PreconditionFailure { violations: violations.collect(), ..Default::default() })
    }

    /// Fields of the request that are wrong, each with its path and what is wrong with it: [`BadRequest`].
    pub fn bad_request<F: Into<String>, D: Into<String>>(
        self,
        violations: impl IntoIterator<Item = (F, D)>,
    ) -> Self {
        let violations = violations.into_iter().map(|(field, description)| bad_request::FieldViolation {
            field: field.into(),
            description: description.into(),
            ..Default::default()
        });
        self.with(&BadRequest { field_violations: violations.collect(), ..Default::default() })
    }

    /// What the server knows the request by, and data for its developers: [`RequestInfo`].
    pub fn request_info(self, request_id: impl Into<String>, serving_data: impl Into<String>) -> Self {
        let (request_id, serving_data) = (request_id.into(), serving_data.into());
        self.with(&RequestInfo { request_id, serving_data, ..Default::default() })
    }

    /// The resource that the failure is about: [`ResourceInfo`].
    pub fn resource_info(
        self,
        resource_type: impl Into<String>,
        resource_name: impl Into<String>,
        owner: impl Into<String>,
        description: impl Into<String>,
    ) -> Self {
        self.with(&ResourceInfo {
            resource_type: resource_type.into(),
            resource_name: resource_name.into(),
            owner: owner.into(),
            description: description.into(),
            ..Default::default()
        })
    }

    /// Pages to read, each with what is there and its URL: [`Help`].
    pub fn help<D: Into<String>, U: Into<String>>(self, links: impl IntoIterator<Item = (D, U)>) -> Self {
        let links = links.into_iter().map(|(description, url)| help::Link {
            description: description.into(),
            url: url.into(),
            ..Default::default()
        });
        self.with(&Help { links: links.collect(), ..Default::default() })
    }

    /// What may be shown to users, in the language of a tag such as `de-CH`: [`LocalizedMessage`].
    pub fn localized_message(self, locale: impl Into<String>, message: impl Into<String>) -> Self {
        let (locale, message) = (locale.into(), message.into());
        self.with(&LocalizedMessage { locale, message, ..Default::default() })
    }

    /// The first message of this type. One that can not be read is passed over, since a failure should not
    /// become another one by what was to explain it; [`messages`](Self::messages) has it.
    pub fn get<M: Message>(&self) -> Option<M> {
        self.all().next()
    }

    /// All messages of this type, as [`get`](Self::get) reads them.
    pub fn all<M: Message>(&self) -> impl Iterator<Item = M> {
        self.messages.iter().filter_map(|message| message.unpack().ok().flatten())
    }

    /// All messages, as they travel.
    pub fn messages(&self) -> &[Any] {
        &self.messages
    }

    /// The time to wait before the next try, of the first [`RetryInfo`] that has a valid one.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.all::<RetryInfo>().find_map(|info| info.retry_delay?.try_into().ok())
    }

    /// The fields that are wrong, of every [`BadRequest`].
    pub fn field_violations(&self) -> impl Iterator<Item = bad_request::FieldViolation> {
        self.all::<BadRequest>().flat_map(|message| message.field_violations)
    }

    /// The quotas that are used up, of every [`QuotaFailure`].
    pub fn quota_violations(&self) -> impl Iterator<Item = quota_failure::Violation> {
        self.all::<QuotaFailure>().flat_map(|message| message.violations)
    }

    /// What has to change first, of every [`PreconditionFailure`].
    pub fn precondition_violations(&self) -> impl Iterator<Item = precondition_failure::Violation> {
        self.all::<PreconditionFailure>().flat_map(|message| message.violations)
    }

    /// Pages to read, of every [`Help`].
    pub fn links(&self) -> impl Iterator<Item = help::Link> {
        self.all::<Help>().flat_map(|message| message.links)
    }

    /// There is nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty() && self.unknown_fields.is_empty()
    }
}

impl Status {
    /// With these details in place of what it had. Code and message go with them, and follow when
    /// [`with_message`](Self::with_message) changes them.
    #[must_use]
    pub fn with_details(self, details: ErrorDetails) -> Self {
        if details.is_empty() {
            return self.with_details_bytes(Bytes::new());
        }
        let ErrorDetails { messages, unknown_fields } = details;
        let message = self.message().to_owned();
        let encoded =
            RpcStatus { code: self.code().number() as i32, message, details: messages, unknown_fields };
        self.with_details_bytes(encoded.encode_to_bytes())
    }

    /// What programs can read of the failure; empty if there is nothing. The code and the message beside
    /// them are not looked at: those of the status hold.
    ///
    /// # Errors
    /// When the bytes that came are not such details. The status itself is what it is.
    pub fn error_details(&self) -> Result<ErrorDetails, InvalidDetails> {
        let encoded = RpcStatus::decode_bytes(self.details()).map_err(|source| InvalidDetails { source })?;
        let RpcStatus { details: messages, unknown_fields, .. } = encoded;
        Ok(ErrorDetails { messages, unknown_fields })
    }
}

type Shown = Box<dyn fmt::Debug>;

fn known<M: Message + fmt::Debug>(message: &Any) -> Option<Shown> {
    let message: M = message.unpack().ok()??;
    Some(Box::new(message))
}

/// The types that are shown with their fields.
const KNOWN: [fn(&Any) -> Option<Shown>; 10] = [
    known::<RetryInfo>,
    known::<DebugInfo>,
    known::<QuotaFailure>,
    known::<ErrorInfo>,
    known::<PreconditionFailure>,
    known::<BadRequest>,
    known::<RequestInfo>,
    known::<ResourceInfo>,
    known::<Help>,
    known::<LocalizedMessage>,
];

impl fmt::Debug for ErrorDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for message in &self.messages {
            match KNOWN.iter().find_map(|known| known(message)) {
                Some(known) => list.entry(&known),
                None => list.entry(message),
            };
        }
        list.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    /// Code 3 and the message `bad order`.
    const START: &[u8] = b"\x08\x03\x12\x09bad order";

    fn bad_order(details: ErrorDetails) -> Status {
        Status::invalid_argument("bad order").with_details(details)
    }

    /// Every message, and what the Python packages `protobuf` 7.36 and `googleapis-common-protos` 1.76
    /// write for it.
    fn table() -> [(ErrorDetails, &'static [u8]); 12] {
        let new = ErrorDetails::new;
        let quota = quota_failure::Violation {
            subject: "s".into(),
            description: "d".into(),
            api_service: "a".into(),
            quota_metric: "m".into(),
            quota_id: "i".into(),
            quota_dimensions: [("region".into(), "eu".into())].into(),
            quota_value: 10,
            future_quota_value: Some(0),
            ..Default::default()
        };
        let field = bad_request::FieldViolation {
            field: "f".into(),
            description: "d".into(),
            reason: "R".into(),
            localized_message: Some(Box::new(LocalizedMessage {
                locale: "de-CH".into(),
                message: "Ungültige Bestellung".into(),
                ..Default::default()
            })),
            ..Default::default()
        };
        [
            (
                new().retry_after(Duration::from_millis(1500)),
                b"\x1a6\x0a(type.googleapis.com/google.rpc.RetryInfo\
                  \x12\x0a\x0a\x08\x08\x01\x10\x80\xca\xb5\xee\x01",
            ),
            (
                new().debug_info(["main", "serve"], "boom"),
                b"\x1a?\x0a(type.googleapis.com/google.rpc.DebugInfo\
                  \x12\x13\x0a\x04main\x0a\x05serve\x12\x04boom",
            ),
            (
                new().quota_failure([("project:42", "too many orders")]),
                b"\x1aN\x0a+type.googleapis.com/google.rpc.QuotaFailure\
                  \x12\x1f\x0a\x1d\x0a\x0aproject:42\x12\x0ftoo many orders",
            ),
            (
                new().error_info("STOCK_OUT", "shop.example", [("sku", "7"), ("shelf", "a")]),
                b"\x1a[\x0a(type.googleapis.com/google.rpc.ErrorInfo\
                  \x12/\x0a\x09STOCK_OUT\x12\x0cshop.example\x1a\x0a\x0a\x05shelf\x12\x01a\
                  \x1a\x08\x0a\x03sku\x12\x017",
            ),
            (
                new().precondition_failure([("TOS", "shop.example", "not accepted")]),
                b"\x1aY\x0a2type.googleapis.com/google.rpc.PreconditionFailure\
                  \x12#\x0a!\x0a\x03TOS\x12\x0cshop.example\x1a\x0cnot accepted",
            ),
            (
                new().bad_request([("name", "must not be empty"), ("items[1].count", "must be positive")]),
                b"\x1al\x0a)type.googleapis.com/google.rpc.BadRequest\
                  \x12?\x0a\x19\x0a\x04name\x12\x11must not be empty\
                  \x0a\x22\x0a\x0eitems[1].count\x12\x10must be positive",
            ),
            (
                new().request_info("r-1", "zone-b"),
                b"\x1a;\x0a*type.googleapis.com/google.rpc.RequestInfo\
                  \x12\x0d\x0a\x03r-1\x12\x06zone-b",
            ),
            (
                new().resource_info("shop.v1.Product", "products/42", "ann", "sold out"),
                b"\x1a\x5c\x0a+type.googleapis.com/google.rpc.ResourceInfo\
                  \x12-\x0a\x0fshop.v1.Product\x12\x0bproducts/42\x1a\x03ann\x22\x08sold out",
            ),
            (
                new().help([("limits", "https://shop.example/limits")]),
                b"\x1aN\x0a#type.googleapis.com/google.rpc.Help\
                  \x12'\x0a%\x0a\x06limits\x12\x1bhttps://shop.example/limits",
            ),
            (
                new().localized_message("de-CH", "Ungültige Bestellung"),
                b"\x1aQ\x0a/type.googleapis.com/google.rpc.LocalizedMessage\
                  \x12\x1e\x0a\x05de-CH\x12\x15Ung\xc3\xbcltige Bestellung",
            ),
            // With fields that the methods do not take.
            (
                new().with(&QuotaFailure { violations: vec![quota], ..Default::default() }),
                b"\x1aR\x0a+type.googleapis.com/google.rpc.QuotaFailure\
                  \x12#\x0a!\x0a\x01s\x12\x01d\
                  \x1a\x01a\x22\x01m*\x01i2\x0c\x0a\x06region\x12\x02eu8\x0a@\x00",
            ),
            (
                new().with(&BadRequest { field_violations: vec![field], ..Default::default() }),
                b"\x1aX\x0a)type.googleapis.com/google.rpc.BadRequest\
                  \x12+\x0a)\x0a\x01f\x12\x01d\
                  \x1a\x01R\x22\x1e\x0a\x05de-CH\x12\x15Ung\xc3\xbcltige Bestellung",
            ),
        ]
    }

    #[test]
    fn every_message_is_written_and_read_as_others_do() {
        let mut all = (ErrorDetails::new(), START.to_vec());
        for (details, message) in table() {
            all.0.push_any(details.messages()[0].clone());
            all.1.extend_from_slice(message);
            let status = bad_order(details.clone());
            assert_eq!(status.details(), &[START, message].concat(), "{details:?}");
            assert_eq!(status.error_details(), Ok(details));
        }
        assert_eq!(bad_order(all.0.clone()).details(), &all.1);
        let come = Status::invalid_argument("bad order").with_details_bytes(all.1);
        assert_eq!(come.error_details(), Ok(all.0));
    }

    #[test]
    fn code_and_message_are_those_of_the_status() {
        let details = || ErrorDetails::new().request_info("r-1", "");
        let expected = bad_order(details());
        let renamed = Status::invalid_argument("what?").with_details(details()).with_message("bad order");
        assert_eq!(renamed.details(), expected.details());
        assert_eq!(bad_order(ErrorDetails::new()).details(), &b""[..]);
        assert_eq!(bad_order(details()).with_details(ErrorDetails::new()).details(), &b""[..]);
    }

    #[test]
    fn messages_are_found_by_their_type() {
        let details = ErrorDetails::new()
            .help([("a", "x")])
            .bad_request([("a", "1"), ("b", "2")])
            .help([("b", "y")])
            .bad_request([("c", "3")]);
        let fields: Vec<_> = details.field_violations().map(|violation| violation.field).collect();
        assert_eq!(fields, ["a", "b", "c"]);
        let urls: Vec<_> = details.links().map(|link| link.url).collect();
        assert_eq!(urls, ["x", "y"]);
        assert_eq!(details.all::<Help>().count(), 2);
        assert_eq!(details.get::<BadRequest>().unwrap().field_violations.len(), 2);
        assert_eq!(details.get::<DebugInfo>(), None);
        assert_eq!(details.retry_delay(), None);
    }

    #[test]
    fn what_is_not_known_stays() {
        // A message of another type, a field 4 of the status, and a prefix of another place.
        let bytes = [
            START,
            b"\x1a\x12\x0a\x0ca.b/shop.Foo\x12\x02\x08\x01",
            b"\x1a\x20\x0a\x17x.y/google.rpc.HelpText",
            b"\x12\x05\x0a\x03abc",
            b"\x22\x02hi",
        ]
        .concat();
        let status = Status::invalid_argument("bad order").with_details_bytes(bytes.clone());
        let details = status.error_details().unwrap();
        assert_eq!(details.messages().len(), 2);
        assert_eq!(details.messages()[0].type_name(), "shop.Foo");
        assert_eq!(bad_order(details).details(), &bytes);
    }

    #[test]
    fn broken_bytes_are_an_error_of_their_own() {
        let status = Status::unavailable("gone").with_details_bytes(&b"\x1a\x7f"[..]).with_message("away");
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "away"));
        assert_eq!(status.details(), &b"\x1a\x7f"[..]);
        let error = status.error_details().unwrap_err();
        assert_eq!(error.to_string(), "the details of the status are not a google.rpc.Status");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_message_that_can_not_be_read_hides_no_other() {
        let broken = Any { value: (&b"\x0a\x7f"[..]).into(), ..Any::pack(&RetryInfo::default()) };
        let mut details = ErrorDetails::new();
        details.push_any(broken.clone());
        let details = details.retry_after(Duration::from_secs(2));
        assert_eq!(details.retry_delay(), Some(Duration::from_secs(2)));
        assert_eq!(details.messages()[0], broken);
    }

    #[test]
    fn delays_that_do_not_fit_are_cut_or_passed_over() {
        let longest = wkt::Duration::MAX_SECONDS.unsigned_abs();
        let details = ErrorDetails::new().retry_after(Duration::MAX);
        assert_eq!(details.retry_delay(), Some(Duration::from_secs(longest)));
        let delay = wkt::Duration { seconds: -1, ..Default::default() };
        let negative = RetryInfo { retry_delay: Some(delay), ..Default::default() };
        assert_eq!(ErrorDetails::new().with(&negative).retry_delay(), None);
    }

    #[test]
    fn details_are_shown_with_their_fields() {
        let details = ErrorDetails::new().request_info("r-1", "").with(&wkt::Empty::default());
        let shown = format!("{:?}", bad_order(details));
        assert!(shown.contains("RequestInfo { request_id: \"r-1\""), "{shown}");
        assert!(shown.contains("google.protobuf.Empty"), "{shown}");
    }
}
