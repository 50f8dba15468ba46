//! Errors, and what each becomes on the wire.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use crate::abuse::Limit;
use crate::header::{InvalidField, Malformed};
use crate::hpack::DecodeError;

/// An error code of RST_STREAM and GOAWAY (RFC 9113 §7). Codes that the RFC does not have are legal,
/// and mean what INTERNAL_ERROR means.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ErrorCode(pub u32);

/// Names, numbers and what they are for.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        impl ErrorCode {
            $($(#[$doc])* pub const $name: Self = Self($code);)*

            /// The RFC's name, if the code has one.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($code => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// Nothing went wrong.
    NO_ERROR = 0,
    /// The peer broke a rule that has no code of its own.
    PROTOCOL_ERROR = 1,
    /// The sender has a fault.
    INTERNAL_ERROR = 2,
    /// More was sent than a window allows.
    FLOW_CONTROL_ERROR = 3,
    /// SETTINGS were not acknowledged in time.
    SETTINGS_TIMEOUT = 4,
    /// A frame for a stream that is closed for it.
    STREAM_CLOSED = 5,
    /// A frame of a length it must not have.
    FRAME_SIZE_ERROR = 6,
    /// The stream was not processed at all: it may be tried again.
    REFUSED_STREAM = 7,
    /// The stream is not needed any longer.
    CANCEL = 8,
    /// A header block could not be decoded.
    COMPRESSION_ERROR = 9,
    /// The connection of a CONNECT failed.
    CONNECT_ERROR = 10,
    /// The peer asks for too much.
    ENHANCE_YOUR_CALM = 11,
    /// The TLS below is too weak.
    INADEQUATE_SECURITY = 12,
    /// HTTP/1.1 is needed instead.
    HTTP_1_1_REQUIRED = 13,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a connection can not go on. GOAWAY is queued for the peer already.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The peer broke the protocol.
    #[error("{code}: {reason}")]
    Protocol {
        /// What is sent to the peer.
        code: ErrorCode,
        /// The rule, with its clause.
        reason: &'static str,
    },
    /// The peer's header blocks can not be decoded.
    #[error("header block can not be decoded")]
    Compression(#[source] DecodeError),
    /// The peer asked for more than a budget allows.
    #[error("more than `{limit}` allows ({allowed})")]
    Abuse {
        /// The budget, by the name of its setting.
        limit: Limit,
        /// Its value, in the unit of the setting.
        allowed: u64,
    },
    /// Nothing came from the peer for the time that [`Keepalive`](crate::Keepalive) allows.
    #[error("nothing came within {allowed:?} after a keepalive PING")]
    Keepalive {
        /// How long was waited after the PING.
        allowed: Duration,
    },
    /// The peer did not do in time what it had to.
    #[error("{what} took longer than {allowed:?}")]
    Timeout {
        /// What was waited for.
        what: &'static str,
        /// How long.
        allowed: Duration,
    },
}

impl ConnectionError {
    pub(crate) fn protocol(reason: &'static str) -> Self {
        Self::Protocol { code: ErrorCode::PROTOCOL_ERROR, reason }
    }

    pub(crate) fn frame_size(reason: &'static str) -> Self {
        Self::Protocol { code: ErrorCode::FRAME_SIZE_ERROR, reason }
    }

    pub(crate) fn flow_control(reason: &'static str) -> Self {
        Self::Protocol { code: ErrorCode::FLOW_CONTROL_ERROR, reason }
    }

    pub(crate) fn stream_closed(reason: &'static str) -> Self {
        Self::Protocol { code: ErrorCode::STREAM_CLOSED, reason }
    }

    /// What GOAWAY carries.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Protocol { code, .. } => *code,
            Self::Compression(DecodeError::ListTooLarge { .. }) | Self::Abuse { .. } => {
                ErrorCode::ENHANCE_YOUR_CALM
            }
            Self::Compression(_) => ErrorCode::COMPRESSION_ERROR,
            Self::Timeout { .. } => ErrorCode::SETTINGS_TIMEOUT,
            // The peer broke no rule, if it gets to read this at all.
            Self::Keepalive { .. } => ErrorCode::NO_ERROR,
        }
    }

    /// What GOAWAY adds for people; and for programs where these are known to look at it.
    pub(crate) fn debug_data(&self) -> Cow<'static, str> {
        match self {
            // Clients that read this ask less often from then on.
            Self::Abuse { limit: Limit::PingStrikes, .. } => "too_many_pings".into(),
            error => error.to_string().into(),
        }
    }
}

/// Why a stream ended before its time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// The peer reset it.
    Remote(ErrorCode),
    /// We did, because of what the peer sent on it.
    Local(StreamFault),
    /// The peer goes away and has not processed it: it may be tried again elsewhere.
    NotProcessed,
}

/// What the peer did wrong on one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamFault {
    /// The message is malformed.
    #[error("malformed message")]
    Malformed(#[source] Malformed),
    /// The header list is larger than `max_header_list_size` or `max_header_fields`.
    #[error("header list of {size} bytes is above `max_header_list_size` or `max_header_fields`")]
    HeaderListTooLarge {
        /// In bytes, as RFC 9113 §6.5.2 counts them.
        size: usize,
    },
    /// Another rule.
    #[error("{code}: {reason}")]
    Protocol {
        /// What is sent to the peer.
        code: ErrorCode,
        /// The rule, with its clause.
        reason: &'static str,
    },
    /// More was asked for than `max_concurrent_streams` allows.
    #[error("more streams than `max_concurrent_streams` allows")]
    Refused,
    /// Nothing of what waits to be sent was taken for `send_stall_timeout`.
    #[error("nothing was taken for longer than `send_stall_timeout`")]
    Stalled,
}

impl StreamFault {
    /// What RST_STREAM carries.
    pub fn code(self) -> ErrorCode {
        match self {
            Self::Malformed(_) => ErrorCode::PROTOCOL_ERROR,
            Self::HeaderListTooLarge { .. } | Self::Stalled => ErrorCode::ENHANCE_YOUR_CALM,
            Self::Protocol { code, .. } => code,
            Self::Refused => ErrorCode::REFUSED_STREAM,
        }
    }
}

/// The peer takes no header lists of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header list of {size} bytes; the peer takes {limit}")]
pub struct HeaderListTooLarge {
    /// In bytes, as RFC 9113 §6.5.2 counts them.
    pub size: usize,
    /// The peer's SETTINGS_MAX_HEADER_LIST_SIZE.
    pub limit: u32,
}

/// Why a stream can not be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The peer's SETTINGS_MAX_CONCURRENT_STREAMS are open; [`Event::Capacity`](crate::Event) follows.
    #[error("the peer allows {limit} streams at a time, and all are open")]
    Full {
        /// The peer's setting.
        limit: u32,
    },
    /// The connection ends, or is at its last stream identifier.
    #[error("the connection takes no new streams")]
    GoingAway,
    /// The fields can not be sent.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// The peer takes no header lists of this size.
    #[error(transparent)]
    HeaderListTooLarge(#[from] HeaderListTooLarge),
    /// Only clients open streams.
    #[error("a server opens no streams")]
    Role,
}

/// Why something can not be sent on a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The stream has ended, by END_STREAM or a reset.
    #[error("the stream is closed")]
    Closed,
    /// Headers after the final headers, or data before them.
    #[error("headers and data are out of order")]
    Order,
    /// The fields can not be sent.
    #[error(transparent)]
    Field(#[from] InvalidField),
    /// The peer takes no header lists of this size.
    #[error(transparent)]
    HeaderListTooLarge(#[from] HeaderListTooLarge),
}
