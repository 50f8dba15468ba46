//! Calls, as spans of a trace.

use dunlin_grpc::intercept::{CallContext, CallSpan, CallView, Interceptor, Interest, Next, Side};
use dunlin_grpc::{Code, Status};
use dunlin_transport::{Address, ConnectionInfo};
use tracing::field::Empty;
use tracing::{Instrument, Span, info_span};

use crate::context::TraceContext;
use crate::labels::{authority, full_name, is_error, server};
use crate::naming::{Conventions, OTEL_OTHER, STATUS_CODE};

/// Traces of calls, for servers and clients: an [`Interceptor`], to be added outermost.
///
/// Each call is a span of the crate `tracing`, at level INFO, in which a server polls its method. A server
/// goes on with the trace that the client names by `traceparent` and `tracestate` of W3C, or by
/// `grpc-trace-bin`, and a client tells its server in the same way; calls within a method are children of its
/// span. Headers that are malformed are ignored.
///
/// Spans have the attributes of OpenTelemetry's conventions (`rpc.system.name`, `rpc.method`,
/// [`rpc.response.status_code`](STATUS_CODE), `error.type`, `server.address`, `network.peer.address`), those
/// by which `tracing-opentelemetry` knows what to do (`otel.name`, `otel.kind`, `otel.status_code`), and
/// `trace_id` and `span_id`, so that logs of the program have them too. With the feature `opentelemetry`,
/// and a layer of `tracing-opentelemetry` in the program's subscriber, the trace is the one that is exported.
/// Without that, traces are still passed on.
///
/// Methods find the [`TraceContext`] of their call among the extensions of the call.
///
/// ```
/// use dunlin_telemetry::Tracing;
///
/// let tracing = Tracing::new();
/// // Server::builder().interceptor(tracing.clone()), Channel::builder(target).interceptor(tracing)
/// # drop(tracing);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Tracing {
    conventions: Conventions,
    accepts_incoming: bool,
    samples_roots: bool,
    sends_bin: bool,
}

impl Default for Tracing {
    fn default() -> Self {
        Self {
            conventions: Conventions::from_env(),
            accepts_incoming: true,
            samples_roots: true,
            sends_bin: false,
        }
    }
}

/// Bytes of a name that comes from the peer; this much of it is written down.
const MAX_NAME: usize = 256;

fn cut(name: &str) -> &str {
    let most = MAX_NAME.min(name.len());
    let end = (0..=most).rev().find(|end| name.is_char_boundary(*end)).unwrap_or(0);
    &name[..end]
}

impl Tracing {
    /// With the defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which edition of OpenTelemetry's conventions is followed. What
    /// [the environment](Conventions::from_env) says. By [`Conventions::Both`], spans have `rpc.system`,
    /// `rpc.service` and `rpc.grpc.status_code` too.
    pub fn conventions(mut self, conventions: Conventions) -> Self {
        self.conventions = conventions;
        self
    }

    /// Whether servers go on with the traces of their clients. Yes; a server that strangers can reach may
    /// rather begin its own.
    pub fn accept_incoming(mut self, accepts: bool) -> Self {
        self.accepts_incoming = accepts;
        self
    }

    /// Whether traces that begin here are marked as sampled, where no layer of `tracing-opentelemetry` decides
    /// on it. Yes, so that those who are called keep them.
    pub fn sample_roots(mut self, samples: bool) -> Self {
        self.samples_roots = samples;
        self
    }

    /// Whether clients send `grpc-trace-bin` too, for servers that know nothing else. No.
    pub fn send_trace_bin(mut self, sends: bool) -> Self {
        self.sends_bin = sends;
        self
    }

    fn begin_on_server(&self, call: &dyn CallView) -> (Span, TraceContext) {
        let parent = match self.accepts_incoming {
            true => TraceContext::from_metadata(call.incoming()),
            false => None,
        };
        let original = full_name(call.method());
        let is_known = call.is_registered();
        let span = info_span!(
            parent: None,
            "rpc",
            otel.name = if is_known { original } else { "grpc" },
            otel.kind = "server",
            otel.status_code = Empty,
            otel.status_description = Empty,
            rpc.system.name = "grpc",
            rpc.method = if is_known { original } else { OTEL_OTHER },
            rpc.method_original = Empty,
            { STATUS_CODE } = Empty,
            error.type = Empty,
            server.address = Empty,
            server.port = Empty,
            network.peer.address = Empty,
            network.peer.port = Empty,
            rpc.system = Empty,
            rpc.service = Empty,
            rpc.grpc.status_code = Empty,
            trace_id = Empty,
            span_id = Empty,
        );
        if !is_known {
            span.record("rpc.method_original", cut(original));
        }
        let (address, port) = authority(call.authority());
        if !address.is_empty() {
            span.record("server.address", cut(address));
            if let Some(port) = port {
                span.record("server.port", port);
            }
        }
        let context = self.place(call, &span, parent);
        (span, context)
    }

    fn begin_on_client(&self, call: &dyn CallView) -> (Span, TraceContext) {
        let name = full_name(call.method());
        let (address, port) = server(call.target());
        let span = info_span!(
            "rpc",
            otel.name = name,
            otel.kind = "client",
            otel.status_code = Empty,
            otel.status_description = Empty,
            rpc.system.name = "grpc",
            rpc.method = name,
            { STATUS_CODE } = Empty,
            error.type = Empty,
            server.address = address,
            server.port = port,
            network.peer.address = Empty,
            network.peer.port = Empty,
            rpc.system = Empty,
            rpc.service = Empty,
            rpc.grpc.status_code = Empty,
            trace_id = Empty,
            span_id = Empty,
        );
        let context = self.place(call, &span, TraceContext::current());
        let write = call.change_outgoing(&mut |headers| {
            let written = context.write_to(headers);
            if self.sends_bin {
                context.write_bin_to(headers);
            }
            if let Err(error) = written {
                tracing::warn!(%error, "can not tell the server of the trace");
            }
        });
        if let Err(error) = write {
            tracing::warn!(%error, "can not tell the server of the trace");
        }
        (span, context)
    }

    /// Finds the place of a span in its trace, and writes it down.
    fn place(&self, call: &dyn CallView, span: &Span, parent: Option<TraceContext>) -> TraceContext {
        let linked = linked(call.side(), span, parent.as_ref());
        let context = linked.unwrap_or_else(|| match parent {
            Some(parent) => parent.child(),
            None => TraceContext::root(self.samples_roots),
        });
        if !span.is_disabled() {
            span.record("trace_id", context.trace_id());
            span.record("span_id", context.span_id());
            if self.conventions.has_older() && call.is_registered() {
                span.record("rpc.system", "grpc");
                span.record("rpc.service", call.method().service());
            }
        }
        context
    }

    fn end(&self, call: &dyn CallView, span: &Span, result: Result<(), &Status>) {
        let code = result.err().map_or(Code::Ok, Status::code);
        span.record(STATUS_CODE, code.name());
        if self.conventions.has_older() {
            span.record("rpc.grpc.status_code", code.number());
        }
        if let Err(status) = result
            && is_error(call.side(), code)
        {
            span.record("error.type", code.name());
            span.record("otel.status_code", "ERROR");
            span.record("otel.status_description", status.message());
        }
        let connection = call.connection().and_then(|info| info.downcast::<ConnectionInfo>().ok());
        let Some(connection) = connection else { return };
        // Behind a balancer, the client is who it says.
        let peer = match call.side() {
            Side::Server => connection.client_address(),
            Side::Client => &connection.peer,
        };
        match peer {
            Address::Ip(address) => {
                span.record("network.peer.address", tracing::field::display(address.ip()));
                span.record("network.peer.port", address.port());
            }
            Address::UnixPath(path) => {
                span.record("network.peer.address", tracing::field::display(path.display()));
            }
            _ => {}
        }
    }
}

/// What a layer of `tracing-opentelemetry` makes of the span, if there is one.
#[cfg(feature = "opentelemetry")]
fn linked(side: Side, span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext> {
    // A client's span has its parent already if it was made within another one.
    let has_parent = side == Side::Client && !Span::current().is_none();
    crate::bridge::link(span, parent.filter(|_| !has_parent))
}

#[cfg(not(feature = "opentelemetry"))]
fn linked(_: Side, _: &Span, _: Option<&TraceContext>) -> Option<TraceContext> {
    None
}

impl Interceptor for Tracing {
    async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
        let (span, context) = (CallSpan::of(&**cx), cx.extension::<TraceContext>());
        let (Some(span), Some(context)) = (span, context) else { return next.run(cx).await };
        let mut rest = std::pin::pin!(next.run(cx));
        let within = std::future::poll_fn(|task| context.enter(|| rest.as_mut().poll(task)));
        within.instrument(span).await
    }

    fn on_start(&self, call: &dyn CallView) {
        let (span, context) = match call.side() {
            Side::Server => self.begin_on_server(call),
            Side::Client => self.begin_on_client(call),
        };
        call.insert_extension(CallSpan::new(span));
        call.insert_extension(context);
    }

    fn on_end(&self, call: &dyn CallView, result: Result<(), &Status>) {
        if let Some(span) = CallSpan::close(call) {
            self.end(call, &span, result);
        }
    }

    fn interest(&self) -> Interest {
        Interest::CALLS.and(Interest::ENDS)
    }
}
