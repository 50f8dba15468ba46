//! A line for each call.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dunlin_grpc::intercept::{CallSpan, CallView, Direction, Interceptor, Interest, MessageRef, Side};
use dunlin_grpc::{CallKind, Code, Status, with_causes};
use dunlin_protobuf::json::EncodeOptions;
use tokio::time::Instant;
use tracing::{Level, Span};

use crate::request_id::CurrentRequestId;

type Levels = Arc<dyn Fn(Side, Code) -> Level + Send + Sync>;
type Filter = Arc<dyn Fn(&dyn CallView, Code) -> bool + Send + Sync>;

/// Writes an event of `tracing` when a call is over, also if it was cancelled: what was called, who called,
/// the code, how long it took, messages and bytes both ways. The target is `dunlin::calls`.
///
/// | field | |
/// |---|---|
/// | `protocol` | `grpc` |
/// | `grpc.component` | `server` or `client` |
/// | `grpc.service`, `grpc.method` | what was called |
/// | `grpc.method_type` | `unary`, `client_stream`, `server_stream`, `bidi_stream` |
/// | `grpc.code` | `OK`, `NOT_FOUND`, ... |
/// | `grpc.error` | the message of the status, and its causes; on servers callers see only the first |
/// | `grpc.time_ms` | how long it took, with fractions |
/// | `grpc.request.deadline_ms` | how much time it was given, -1 without a deadline |
/// | `peer.address` | the other end |
/// | `grpc.sent`, `grpc.sent_bytes`, `grpc.received`, `grpc.received_bytes` | messages, and their bytes on the wire |
/// | `request_id` | of [`RequestId`](crate::RequestId), if that stands around |
///
/// The events stand in the span of the call, if an interceptor that traces calls stands outside of this one; so
/// they have its trace.
///
/// Metadata are never written. [`payloads`](Self::payloads) are, if asked for, without the fields that the
/// schema marks with `debug_redact`.
#[derive(Clone)]
#[must_use]
pub struct Logging {
    levels: Levels,
    filter: Option<Filter>,
    starts: bool,
    payloads: Option<usize>,
}

impl fmt::Debug for Logging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logging").field("payloads", &self.payloads).finish_non_exhaustive()
    }
}

impl Default for Logging {
    fn default() -> Self {
        Self::new()
    }
}

/// On a server: what is the caller's business is no trouble of ours. On a client all is quiet but what the
/// server could not do.
fn default_level(side: Side, code: Code) -> Level {
    match (side, code) {
        (Side::Client, Code::Unknown | Code::Internal | Code::Unavailable | Code::DataLoss) => Level::WARN,
        (Side::Client, _) => Level::DEBUG,
        (Side::Server, code) => match code {
            Code::Ok
            | Code::NotFound
            | Code::Cancelled
            | Code::AlreadyExists
            | Code::InvalidArgument
            | Code::Unauthenticated => Level::INFO,
            Code::DeadlineExceeded
            | Code::PermissionDenied
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unavailable => Level::WARN,
            _ => Level::ERROR,
        },
    }
}

impl Logging {
    /// The end of each call.
    pub fn new() -> Self {
        Self { levels: Arc::new(default_level), filter: None, starts: false, payloads: None }
    }

    /// The begin of each call too, at the level DEBUG.
    pub fn starts(mut self) -> Self {
        self.starts = true;
        self
    }

    /// The level of a code. By default what is the caller's own business is INFO on servers, what may become
    /// trouble WARN, what is a fault here (UNKNOWN, UNIMPLEMENTED, INTERNAL, DATA_LOSS) ERROR; on clients
    /// WARN for what the server could not do, else DEBUG.
    pub fn level(mut self, level: impl Fn(Side, Code) -> Level + Send + Sync + 'static) -> Self {
        self.levels = Arc::new(level);
        self
    }

    /// Only calls for which this is `true`: to leave out what is quick and well, or to take a sample.
    pub fn filter(mut self, wanted: impl Fn(&dyn CallView, Code) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Some(Arc::new(wanted));
        self
    }

    /// Each message too, as JSON of at most so many bytes, at the level DEBUG.
    pub fn payloads(mut self, max_bytes: usize) -> Self {
        self.payloads = Some(max_bytes);
        self
    }
}

/// An event at a level that is only known when it is written.
macro_rules! event_at {
    ($level:expr, $($field:tt)*) => {
        match $level {
            Level::ERROR => tracing::event!(target: "dunlin::calls", Level::ERROR, $($field)*),
            Level::WARN => tracing::event!(target: "dunlin::calls", Level::WARN, $($field)*),
            Level::INFO => tracing::event!(target: "dunlin::calls", Level::INFO, $($field)*),
            Level::DEBUG => tracing::event!(target: "dunlin::calls", Level::DEBUG, $($field)*),
            Level::TRACE => tracing::event!(target: "dunlin::calls", Level::TRACE, $($field)*),
        }
    };
}

fn component(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
    }
}

fn kind(call: &dyn CallView) -> &'static str {
    match call.method().kind() {
        CallKind::Unary => "unary",
        CallKind::ClientStreaming => "client_stream",
        CallKind::ServerStreaming => "server_stream",
        CallKind::BidiStreaming => "bidi_stream",
    }
}

/// As much of a text as fits, up to the end of a character.
fn shortened(text: &str, max_bytes: usize) -> &str {
    if text.len() <= max_bytes {
        return text;
    }
    let end = (0..=max_bytes).rev().find(|end| text.is_char_boundary(*end)).unwrap_or_default();
    &text[..end]
}

/// Names of methods that are not known here are texts of the peer.
const MAX_NAME: usize = 200;

impl Interceptor for Logging {
    fn on_start(&self, call: &dyn CallView) {
        if self.starts {
            let span = CallSpan::of(call);
            let _within = span.as_ref().map(Span::enter);
            tracing::event!(
                target: "dunlin::calls",
                Level::DEBUG,
                protocol = "grpc",
                grpc.component = component(call.side()),
                grpc.service = shortened(call.method().service(), MAX_NAME),
                grpc.method = shortened(call.method().name(), MAX_NAME),
                grpc.method_type = kind(call),
                peer.address = call.peer().unwrap_or_default(),
                "call started"
            );
        }
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        let code = result.err().map_or(Code::Ok, Status::code);
        if self.filter.as_ref().is_some_and(|wanted| !wanted(call, code)) {
            return;
        }
        let counts = call.counts();
        let took = Instant::now().into_std().saturating_duration_since(call.began());
        let given = call.deadline().map(|deadline| deadline.saturating_duration_since(call.began()));
        let id = call.extension::<CurrentRequestId>();
        let span = CallSpan::of(call);
        let _within = span.as_ref().map(Span::enter);
        event_at!(
            (self.levels)(call.side(), code),
            protocol = "grpc",
            grpc.component = component(call.side()),
            grpc.service = shortened(call.method().service(), MAX_NAME),
            grpc.method = shortened(call.method().name(), MAX_NAME),
            grpc.method_type = kind(call),
            grpc.code = %code,
            grpc.error = result.err().map(|status| with_causes(status.message().to_owned(), status.source())),
            grpc.time_ms = milliseconds(took),
            grpc.request.deadline_ms = given.map_or(-1.0, milliseconds),
            grpc.sent = counts.sent,
            grpc.sent_bytes = counts.sent_bytes,
            grpc.received = counts.received,
            grpc.received_bytes = counts.received_bytes,
            peer.address = call.peer().unwrap_or_default(),
            request_id = id.as_ref().map(|id| id.as_str()),
            "call finished"
        );
    }

    fn on_message(
        &self,
        call: &dyn CallView,
        direction: Direction,
        message: MessageRef<'_>,
    ) -> Result<(), Status> {
        let Some(max_bytes) = self.payloads else { return Ok(()) };
        if !tracing::enabled!(target: "dunlin::calls", Level::DEBUG) {
            return Ok(());
        }
        let json = EncodeOptions::new().redact().to_string(message.as_reflect());
        let json = json.unwrap_or_else(|error| format!("(no JSON: {error})"));
        let span = CallSpan::of(call);
        let _within = span.as_ref().map(Span::enter);
        tracing::event!(
            target: "dunlin::calls",
            Level::DEBUG,
            grpc.component = component(call.side()),
            grpc.service = call.method().service(),
            grpc.method = call.method().name(),
            payload = shortened(&json, max_bytes),
            "{}",
            match direction {
                Direction::Sent => "message sent",
                Direction::Received => "message received",
            }
        );
        Ok(())
    }

    fn interest(&self) -> Interest {
        match self.payloads {
            Some(_) => Interest::ENDS.and(Interest::MESSAGES),
            None => Interest::ENDS,
        }
    }
}
/// Nanoseconds are as fine as clocks are: one division has no digits beyond them.
fn milliseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e6
}
