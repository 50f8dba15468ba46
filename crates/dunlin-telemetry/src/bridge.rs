//! Spans of `tracing` and those of OpenTelemetry.

use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::context::TraceContext;

/// Makes a span the child of what a peer says, and gives what peers are to be told of it; `None` if the
/// program has no layer of `tracing-opentelemetry`, or does not want the span.
pub(crate) fn link(span: &Span, parent: Option<&TraceContext>) -> Option<TraceContext> {
    if let Some(parent) = parent {
        let remote = opentelemetry::Context::new().with_remote_span_context(remote(parent));
        // Without a layer there is nothing to link.
        span.set_parent(remote).ok()?;
    }
    let context = span.context();
    let span = context.span();
    let own = span.span_context();
    own.is_valid().then(|| {
        let state = own.trace_state().header();
        TraceContext {
            trace: own.trace_id().to_bytes(),
            span: own.span_id().to_bytes(),
            flags: own.trace_flags().to_u8(),
            state: (!state.is_empty()).then(|| state.into()),
        }
    })
}

fn remote(context: &TraceContext) -> SpanContext {
    // It was read by the same grammar; what does not fit is left out.
    let state = context.state().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    let (trace, span) = (TraceId::from_bytes(context.trace), SpanId::from_bytes(context.span));
    SpanContext::new(trace, span, TraceFlags::new(context.flags), true, state)
}
