//! What a connection has to tell.

use std::sync::Arc;

use bytes::Bytes;

use crate::error::{ErrorCode, ResetReason};
use crate::frame::StreamId;
use crate::header::HeaderList;
use crate::stream::StreamKey;

/// The part of a message that a header list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadersKind {
    /// The beginning of a request. The stream is new.
    Request,
    /// A response with a status from 100 to 199; another one follows.
    Informational,
    /// The beginning of a response.
    Response,
    /// The end of a request or response.
    Trailers,
}

/// What happened on a connection.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event<'b> {
    /// A whole header list.
    Headers {
        /// The stream, which is new if the headers are a request.
        stream: StreamKey,
        /// What it is the header list of.
        kind: HeadersKind,
        /// The fields. To keep them costs no copy.
        headers: Arc<HeaderList>,
        /// Whether the peer sends nothing more on the stream.
        end_stream: bool,
    },
    /// Content, or a part of it. Its bytes count against the windows until they are
    /// [released](crate::Connection::release).
    Data {
        /// The stream.
        stream: StreamKey,
        /// The bytes, in the buffer that was given.
        data: &'b [u8],
        /// Whether the peer sends nothing more on the stream.
        end_stream: bool,
    },
    /// The stream ended before its time. Nothing more can be sent on it.
    Reset {
        /// The stream.
        stream: StreamKey,
        /// Why.
        reason: ResetReason,
    },
    /// What was queued for a congested stream is little enough again to send more.
    Drained {
        /// The stream.
        stream: StreamKey,
    },
    /// The peer's settings were applied.
    Settings,
    /// More streams may be opened, after an attempt that failed as too many were open.
    Capacity,
    /// The peer has answered a [ping](crate::Connection::ping).
    Pong {
        /// What was sent with it.
        opaque: [u8; 8],
    },
    /// The peer goes away: it takes no streams above `last_stream`. Those that it has not processed
    /// follow as [`Event::Reset`].
    GoAway {
        /// The last stream that it may have processed.
        last_stream: StreamId,
        /// Why.
        code: ErrorCode,
        /// What it adds for people.
        debug: Bytes,
    },
}
