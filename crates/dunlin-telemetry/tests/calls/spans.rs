//! Calls as spans, and what is passed on of their traces.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use dunlin_client::{CallOptions, Client};
use dunlin_grpc::intercept::{CallView, Interceptor, Interest};
use dunlin_grpc::{CallKind, Metadata, Method};
use dunlin_protobuf::wkt::StringValue;
use dunlin_telemetry::{Conventions, TraceContext, Tracing};
use opentelemetry::trace::{SpanId, SpanKind, Status as SpanStatus, TracerProvider};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::harness::{LIST, UNARY, World, ask, call_all, pair, text};

/// A span or an event, as a subscriber has seen it.
#[derive(Clone, Debug, Default)]
struct Seen {
    parent: Option<usize>,
    fields: BTreeMap<&'static str, String>,
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

#[derive(Clone, Debug, Default)]
struct Log {
    spans: Arc<Mutex<Vec<Seen>>>,
    events: Arc<Mutex<Vec<Seen>>>,
}

/// Where a span is in the log.
struct Place(usize);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Log {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        let parent = span.parent().and_then(|parent| parent.extensions().get().map(|Place(at)| *at));
        let mut seen = Seen { parent, ..Seen::default() };
        attributes.record(&mut seen);
        let mut spans = self.spans.lock().unwrap();
        span.extensions_mut().insert(Place(spans.len()));
        spans.push(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, cx: Context<'_, S>) {
        let span = cx.span(id).unwrap();
        let Place(at) = *span.extensions().get::<Place>().unwrap();
        values.record(&mut self.spans.lock().unwrap()[at]);
    }

    fn on_event(&self, event: &Event<'_>, cx: Context<'_, S>) {
        let parent = cx.event_span(event).and_then(|span| span.extensions().get().map(|Place(at)| *at));
        let mut seen = Seen { parent, ..Seen::default() };
        event.record(&mut seen);
        self.events.lock().unwrap().push(seen);
    }
}

impl Log {
    fn new() -> (Self, DefaultGuard) {
        let log = Self::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The spans of calls.
    fn spans(&self) -> Vec<Seen> {
        let all = self.spans.lock().unwrap().clone();
        all.into_iter().filter(|span| span.fields.contains_key("otel.kind")).collect()
    }
}

fn get<'s>(seen: &'s Seen, name: &str) -> &'s str {
    seen.fields.get(name).unwrap_or_else(|| panic!("no {name} in {seen:#?}"))
}

fn traced(tracing: &Tracing, world: &Arc<World>) -> Client {
    pair(world, |server| server.interceptor(tracing.clone()), |client| client.interceptor(tracing.clone()))
}

/// A server that calls another one.
fn chain(tracing: &Tracing) -> Client {
    let last = traced(tracing, &Arc::new(World::default()));
    traced(tracing, &Arc::new(World { next: Some(last), ..World::default() }))
}

#[tokio::test]
async fn a_call_within_a_call_is_of_the_same_trace_on_all_servers() {
    let (log, _guard) = Log::new();
    let received = ask(&chain(&Tracing::new()), "call metadata traceparent").await.unwrap();
    let spans = log.spans();
    let kinds: Vec<&str> = spans.iter().map(|span| get(span, "otel.kind")).collect();
    assert_eq!(kinds, ["client", "server", "client", "server"]);
    // What the last server was told is the span of the call to it.
    let told = TraceContext::from_traceparent(&received).unwrap();
    assert_eq!(told.span_id(), get(&spans[2], "span_id"));
    for span in &spans {
        assert_eq!(get(span, "trace_id"), told.trace_id(), "{span:#?}");
    }
    let parents: Vec<_> = spans.iter().map(|span| span.parent).collect();
    assert_eq!(parents, [None, None, Some(1), None]);
    // A log of the method stands in the span of its call.
    let events = log.events.lock().unwrap();
    let event = events.iter().find(|event| event.fields["message"] == "in the handler").unwrap();
    assert_eq!(event.parent, Some(1));
}

#[tokio::test]
async fn what_is_logged_of_a_call_stands_in_its_span() {
    let (log, _guard) = Log::new();
    let of_server = |server: dunlin_server::Builder| {
        server.interceptor(Tracing::new()).interceptor(dunlin_interceptors::Logging::new().starts())
    };
    let client = pair(&Arc::new(World::default()), of_server, |client| client);
    ask(&client, "hi").await.unwrap();
    ask(&client, "fail it").await.unwrap_err();
    let events = log.events.lock().unwrap();
    let lines: Vec<_> = events
        .iter()
        .filter(|event| event.fields.contains_key("grpc.method"))
        .map(|event| (event.fields["message"].as_str(), event.parent))
        .collect();
    let want = [
        ("call started", Some(0)),
        ("call finished", Some(0)),
        ("call started", Some(1)),
        ("call finished", Some(1)),
    ];
    assert_eq!(lines, want);
}

#[tokio::test]
async fn spans_have_the_attributes_of_the_conventions() {
    let (log, _guard) = Log::new();
    let client = traced(&Tracing::new().conventions(Conventions::Current), &Arc::new(World::default()));
    ask(&client, "hi").await.unwrap();
    ask(&client, "fail nothing here").await.unwrap_err();
    ask(&client, "break all lost").await.unwrap_err();
    let spans = log.spans();
    for (at, code, message, errors) in [
        (0, "OK", "", [false, false]),
        (2, "NOT_FOUND", "nothing here", [true, false]), // not the server's fault
        (4, "DATA_LOSS", "all lost", [true, true]),
    ] {
        for (span, is_error) in spans[at..at + 2].iter().zip(errors) {
            for (name, want) in [
                ("otel.name", "test.Echo/Unary"),
                ("rpc.system.name", "grpc"),
                ("rpc.method", "test.Echo/Unary"),
                ("rpc.response.status_code", code),
            ] {
                assert_eq!(get(span, name), want);
            }
            let field = |name| span.fields.get(name).map(String::as_str);
            assert_eq!(field("error.type"), is_error.then_some(code));
            assert_eq!(field("otel.status_code"), is_error.then_some("ERROR"));
            assert_eq!(field("otel.status_description"), is_error.then_some(message));
            assert!(!span.fields.contains_key("rpc.service"));
        }
        for span in &spans[at..at + 2] {
            assert_eq!((get(span, "server.address"), get(span, "server.port")), ("shop.test", "50051"));
        }
    }
}

#[tokio::test]
async fn the_older_attributes_are_added_if_they_are_wanted() {
    let (log, _guard) = Log::new();
    let client = traced(&Tracing::new().conventions(Conventions::Both), &Arc::new(World::default()));
    ask(&client, "fail it").await.unwrap_err();
    for span in log.spans() {
        assert_eq!((get(&span, "rpc.system"), get(&span, "rpc.service")), ("grpc", "test.Echo"));
        assert_eq!(
            (get(&span, "rpc.grpc.status_code"), get(&span, "rpc.response.status_code")),
            ("5", "NOT_FOUND")
        );
    }
}

#[tokio::test]
async fn methods_that_are_not_known_do_not_name_spans() {
    let (log, _guard) = Log::new();
    let client =
        pair(&Arc::new(World::default()), |server| server.interceptor(Tracing::new()), |client| client);
    let long = "x".repeat(5000);
    let method = Method::dynamic("attack.Service", &long, CallKind::Unary);
    client.unary::<_, StringValue>(method, text("")).await.unwrap_err();
    let [span] = &log.spans()[..] else { panic!("one span") };
    assert_eq!((get(span, "otel.name"), get(span, "rpc.method")), ("grpc", "_OTHER"));
    assert_eq!(get(span, "rpc.method_original"), &format!("attack.Service/{long}")[..256]);
    assert_eq!(get(span, "error.type"), "UNIMPLEMENTED");
}

/// Sends a `grpc-trace-bin` of its own.
struct Bin(Vec<u8>);

impl Interceptor for Bin {
    fn on_start(&self, call: &dyn CallView) {
        let write = &mut |headers: &mut Metadata| headers.push_reserved_bin("grpc-trace-bin", &self.0);
        call.change_outgoing(write).unwrap();
    }

    fn interest(&self) -> Interest {
        Interest::ENDS
    }
}

#[tokio::test]
async fn a_trace_goes_on_by_either_header_and_malformed_ones_begin_another() {
    let (log, _guard) = Log::new();
    let world = Arc::new(World::default());
    let client = pair(&world, |server| server.interceptor(Tracing::new()), |client| client);
    let parent = TraceContext::root(true);
    let text = CallOptions::new().metadata("traceparent", parent.traceparent());
    let malformed = CallOptions::new().metadata("traceparent", "00-0-0-0").metadata("tracestate", "=");
    let bin = |bytes: &[u8]| CallOptions::new().interceptor(Bin(bytes.to_vec()));
    for options in [text, malformed, bin(&parent.trace_bin()), bin(&parent.trace_bin()[..20])] {
        ask(&client.clone().with_options(options), "hi").await.unwrap();
    }
    let spans = log.spans();
    let is_same: Vec<bool> = spans.iter().map(|span| get(span, "trace_id") == parent.trace_id()).collect();
    assert_eq!(is_same, [true, false, true, false]);
    assert!(spans.iter().all(|span| get(span, "span_id") != parent.span_id()));
}

#[tokio::test]
async fn a_server_may_begin_its_own_traces() {
    let (log, _guard) = Log::new();
    let server = Tracing::new().accept_incoming(false);
    let client = pair(
        &Arc::new(World::default()),
        |of_server| of_server.interceptor(server),
        |client| client.interceptor(Tracing::new().send_trace_bin(true)),
    );
    let bin = ask(&client, "binary grpc-trace-bin").await.unwrap();
    let spans = log.spans();
    assert_ne!(get(&spans[0], "trace_id"), get(&spans[1], "trace_id"));
    let told = format!("[0, 0, {}", u8::from_str_radix(&get(&spans[0], "trace_id")[..2], 16).unwrap());
    assert!(bin.starts_with(&told), "{bin}");
}

#[tokio::test]
async fn the_state_of_a_trace_is_passed_on() {
    let last =
        pair(&Arc::new(World::default()), |server| server, |client| client.interceptor(Tracing::new()));
    let world = Arc::new(World { next: Some(last), ..World::default() });
    let client = pair(&world, |server| server.interceptor(Tracing::new()), |client| client);
    let options = CallOptions::new()
        .metadata("traceparent", TraceContext::root(true).traceparent())
        .metadata("tracestate", "a=1,b=2");
    let client = client.with_options(options);
    assert_eq!(ask(&client, "call metadata tracestate").await.unwrap(), "a=1,b=2");
}

#[tokio::test]
async fn streams_of_all_kinds_are_in_one_trace_with_who_opens_them() {
    let (log, _guard) = Log::new();
    let client = traced(&Tracing::new(), &Arc::new(World::default()));
    let root = TraceContext::root(true);
    root.clone().scope(call_all(&client)).await;
    let spans = log.spans();
    assert_eq!(spans.len(), 8);
    for span in &spans {
        assert_eq!(get(span, "trace_id"), root.trace_id());
        assert_eq!(get(span, "rpc.response.status_code"), "OK", "{span:#?}");
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_says_so_in_its_spans() {
    let (log, _guard) = Log::new();
    let world = Arc::new(World::default());
    let client = traced(&Tracing::new(), &world);
    let mut call = Box::pin(ask(&client, "wait"));
    tokio::select! {
        _ = &mut call => panic!("it waits"),
        () = world.waits.notified() => {}
    }
    drop(call);
    world.dropped.notified().await;
    tokio::task::yield_now().await;
    let spans = log.spans();
    let codes: Vec<&str> = spans.iter().map(|span| get(span, "rpc.response.status_code")).collect();
    assert_eq!(codes, ["CANCELLED", "CANCELLED"]);
    assert_eq!(get(&spans[0], "error.type"), "CANCELLED");
    // The client's wish is not the server's error.
    assert!(!spans[1].fields.contains_key("error.type"));
}

// ---------------------------------------------------------------- exported spans

fn exported() -> (InMemorySpanExporter, SdkTracerProvider, DefaultGuard) {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test"));
    let subscriber = tracing_subscriber::registry().with(layer);
    (exporter, provider, tracing::subscriber::set_default(subscriber))
}

/// The one span that begins within another.
fn child<'s>(spans: &'s [SpanData], of: SpanId, kind: &SpanKind) -> &'s SpanData {
    let mut found = spans.iter().filter(|span| span.parent_span_id == of && span.span_kind == *kind);
    match (found.next(), found.next()) {
        (Some(one), None) => one,
        _ => panic!("not one {kind:?} span within {of} in {spans:#?}"),
    }
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name)?;
    Some(found.value.to_string())
}

#[tokio::test]
async fn exported_spans_are_linked_across_servers() {
    let (exporter, provider, _guard) = exported();
    let client = chain(&Tracing::new());
    let told = ask(&client, "call metadata traceparent").await.unwrap();
    ask(&client, "call break it").await.unwrap_err();
    drop(client);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    provider.force_flush().unwrap();
    let all = exporter.get_finished_spans().unwrap();
    assert_eq!(all.len(), 8);
    let roots: Vec<&SpanData> = all.iter().filter(|span| span.parent_span_id == SpanId::INVALID).collect();
    assert_eq!(roots.len(), 2);
    let mut statuses = Vec::new();
    for root in roots {
        let mut span = root;
        for kind in [SpanKind::Server, SpanKind::Client, SpanKind::Server] {
            span = child(&all, span.span_context.span_id(), &kind);
            assert_eq!(span.span_context.trace_id(), root.span_context.trace_id());
            assert_eq!(span.name, "test.Echo/Unary");
            assert_eq!(attribute(span, "rpc.method").as_deref(), Some("test.Echo/Unary"));
            assert_eq!(attribute(span, "trace_id"), Some(span.span_context.trace_id().to_string()));
            assert_eq!(attribute(span, "span_id"), Some(span.span_context.span_id().to_string()));
        }
        assert!(span.parent_span_is_remote);
        statuses.push((span.status.clone(), attribute(span, "rpc.response.status_code").unwrap()));
    }
    statuses.sort_by(|one, other| other.1.cmp(&one.1));
    let broken = SpanStatus::Error { description: "it".into() };
    assert_eq!(statuses, [(SpanStatus::Unset, "OK".to_owned()), (broken, "DATA_LOSS".to_owned())]);
    let told = TraceContext::from_traceparent(&told).unwrap();
    assert!(all.iter().any(|span| span.span_context.span_id().to_string() == told.span_id()));
}

#[tokio::test]
async fn exported_streams_are_linked_too() {
    let (exporter, provider, _guard) = exported();
    let client = traced(&Tracing::new(), &Arc::new(World::default()));
    call_all(&client).await;
    let mut list = client.server_streaming::<_, StringValue>(LIST, text("1")).await.unwrap();
    while list.next().await.unwrap().is_some() {}
    drop((list, client));
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    provider.force_flush().unwrap();
    let all = exporter.get_finished_spans().unwrap();
    assert_eq!(all.len(), 10);
    for client in all.iter().filter(|span| span.span_kind == SpanKind::Client) {
        let server = child(&all, client.span_context.span_id(), &SpanKind::Server);
        assert_eq!(server.name, client.name);
    }
}

#[tokio::test]
async fn what_is_not_sampled_is_passed_on_as_such() {
    let last =
        pair(&Arc::new(World::default()), |server| server, |client| client.interceptor(Tracing::new()));
    let world = Arc::new(World { next: Some(last), ..World::default() });
    let client = pair(&world, |server| server.interceptor(Tracing::new()), |client| client);
    let parent = TraceContext::root(false);
    let options = CallOptions::new().metadata("traceparent", parent.traceparent());
    let told: StringValue =
        client.with_options(options).unary(UNARY, text("call metadata traceparent")).await.unwrap();
    let told = TraceContext::from_traceparent(&told.value).unwrap();
    assert_eq!((told.trace_id(), told.is_sampled()), (parent.trace_id(), false));
}
