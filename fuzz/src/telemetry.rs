//! What peers say of traces.

use dunlin_grpc::Metadata;
use dunlin_telemetry::TraceContext;

/// Reads lines as values of `traceparent` and `tracestate`, and everything as `grpc-trace-bin`. What is taken
/// is bounded, is passed on, and is read again as what it was.
pub fn trace_context(data: &[u8]) {
    let mut metadata = Metadata::new();
    metadata.push_reserved_bin("grpc-trace-bin", data);
    check(&metadata);
    for (at, line) in data.split(|byte| *byte == b'\n').enumerate() {
        // What HTTP/2 does not let through does not come this far.
        if let Ok(line) = std::str::from_utf8(line) {
            let _ = metadata.append(if at == 0 { "traceparent" } else { "tracestate" }, line);
        }
    }
    check(&metadata);
}

fn check(metadata: &Metadata) {
    let Some(context) = TraceContext::from_metadata(metadata) else { return };
    assert!(context.state().is_none_or(|state| !state.is_empty() && state.len() <= 512));
    assert_eq!(
        TraceContext::from_trace_bin(&context.trace_bin()).map(|read| read.traceparent()),
        Some(context.traceparent())
    );
    let mut passed_on = Metadata::new();
    context.write_to(&mut passed_on).expect("what was read can be written");
    assert_eq!(TraceContext::from_metadata(&passed_on), Some(context));
}
