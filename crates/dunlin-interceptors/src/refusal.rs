//! How calls are refused for which there is no room.

use std::time::Duration;

use dunlin_grpc::{ErrorDetails, Status};

/// RESOURCE_EXHAUSTED, with when to come again: for programs in the details, for the library of the client
/// in the trailer that its retries go by.
pub(crate) fn exhausted(message: String, subject: &str, retry_after: Duration) -> Status {
    let details = ErrorDetails::new().quota_failure([(subject, message.as_str())]).retry_after(retry_after);
    let mut status = Status::resource_exhausted(message.clone()).with_details(details);
    let millis = retry_after.as_millis().to_string();
    status.metadata_mut().push_reserved("grpc-retry-pushback-ms", millis.as_bytes());
    status
}
