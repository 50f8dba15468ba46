//! What a call has come to.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{Code, Metadata};

type Cause = Arc<dyn Error + Send + Sync>;

/// Why a call did not succeed: a code, a sentence for people, and more for programs if there is any.
///
/// The cause is for logs: it is never sent.
///
/// ```
/// use dunlin_grpc::{Code, Status};
///
/// let status = Status::not_found("product 42 not found");
/// assert_eq!(status.code(), Code::NotFound);
/// assert_eq!(status.to_string(), "NOT_FOUND: product 42 not found");
/// ```
#[derive(Clone)]
pub struct Status(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: Cow<'static, str>,
    details: Bytes,
    metadata: Metadata,
    cause: Option<Cause>,
}

macro_rules! constructors {
    ($($name:ident: $code:ident;)*) => {
        impl Status {
            $(
                #[doc = concat!("[`Code::", stringify!($code), "`] with this message.")]
                pub fn $name(message: impl Into<Cow<'static, str>>) -> Self {
                    Self::new(Code::$code, message)
                }
            )*
        }
    };
}

constructors! {
    cancelled: Cancelled;
    unknown: Unknown;
    invalid_argument: InvalidArgument;
    deadline_exceeded: DeadlineExceeded;
    not_found: NotFound;
    already_exists: AlreadyExists;
    permission_denied: PermissionDenied;
    resource_exhausted: ResourceExhausted;
    failed_precondition: FailedPrecondition;
    aborted: Aborted;
    out_of_range: OutOfRange;
    unimplemented: Unimplemented;
    internal: Internal;
    unavailable: Unavailable;
    data_loss: DataLoss;
    unauthenticated: Unauthenticated;
}

impl Status {
    /// A status of this code.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        let (message, details, metadata) = (message.into(), Bytes::new(), Metadata::new());
        Self(Box::new(Inner { code, message, details, metadata, cause: None }))
    }

    /// The code.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What people are told.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// More for programs: an encoded `google.rpc.Status`, as `grpc-status-details-bin` has it. Empty
    /// if there is none. [`with_details`](Self::with_details) writes it,
    /// [`error_details`](Self::error_details) reads it.
    pub fn details(&self) -> &Bytes {
        &self.0.details
    }

    /// Metadata that came, or goes, with the status as trailers.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
    }

    /// The same, to be changed.
    pub fn metadata_mut(&mut self) -> &mut Metadata {
        &mut self.0.metadata
    }

    /// With this metadata in place of what it had.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// With an encoded `google.rpc.Status`, whose code and message have to be those of this status;
    /// [`with_details`](Self::with_details) sees to that.
    #[must_use]
    pub fn with_details_bytes(mut self, details: impl Into<Bytes>) -> Self {
        self.0.details = details.into();
        self
    }

    /// With what caused it. It is logged, and found by [`Error::source`]; it is never sent.
    #[must_use]
    pub fn with_source(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(Arc::from(cause.into()));
        self
    }

    /// With another message.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.0.message = message.into();
        match self.error_details() {
            Ok(details) if !details.is_empty() => self.with_details(details),
            _ => self,
        }
    }

    /// What a status of the control plane becomes: codes that only an application's answer can have
    /// would mislead the caller, so they become INTERNAL, and the message says what they were.
    #[must_use]
    pub fn from_control_plane(self) -> Self {
        match self.code() {
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::DataLoss => {
                let message =
                    format!("illegal status {} of the control plane: {}", self.code(), self.message());
                Self::internal(message).with_source(self)
            }
            _ => self,
        }
    }
}

impl fmt::Debug for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Status");
        debug.field("code", &self.code()).field("message", &self.message());
        match self.error_details() {
            Ok(details) if details.is_empty() => {}
            Ok(details) => drop(debug.field("details", &details)),
            Err(_) => drop(debug.field("details", self.details())),
        }
        if !self.metadata().is_empty() {
            debug.field("metadata", self.metadata());
        }
        if let Some(cause) = &self.0.cause {
            debug.field("cause", cause);
        }
        debug.finish()
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            "" => fmt::Display::fmt(&self.code(), f),
            message => write!(f, "{}: {message}", self.code()),
        }
    }
}

impl Error for Status {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.cause.as_ref().map(|cause| &**cause as &(dyn Error + 'static))
    }
}

/// Any error as a [`Status`].
///
/// ```
/// use dunlin_grpc::{Code, ResultExt, Status};
///
/// fn port(text: &str) -> Result<u16, Status> {
///     text.parse::<u16>().status(Code::InvalidArgument)
/// }
/// assert_eq!(port("x").unwrap_err().code(), Code::InvalidArgument);
/// ```
pub trait ResultExt<T> {
    /// The error becomes a status of this code, with the error's text as its message and the error
    /// as its cause.
    ///
    /// # Errors
    /// That status, if this is an error.
    fn status(self, code: Code) -> Result<T, Status>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> ResultExt<T> for Result<T, E> {
    fn status(self, code: Code) -> Result<T, Status> {
        self.map_err(|error| {
            let error: Box<dyn Error + Send + Sync> = error.into();
            Status::new(code, error.to_string()).with_source(error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_one_pointer() {
        assert_eq!(size_of::<Result<(), Status>>(), size_of::<usize>());
    }

    #[test]
    fn codes_of_applications_do_not_come_from_the_control_plane() {
        assert_eq!(Status::not_found("x").from_control_plane().code(), Code::Internal);
        assert_eq!(Status::unavailable("x").from_control_plane().code(), Code::Unavailable);
    }
}
