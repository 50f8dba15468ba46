//! The standard interceptors around real calls, within one process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin_client::{Channel, Client};
use dunlin_grpc::intercept::{CallContext, Interceptor, Next};
use dunlin_grpc::{CallKind, Code, Method, Receiver, Sender, Status};
use dunlin_interceptors::{
    ApiKeys, Auth, ConcurrencyLimit, CurrentRequestId, Deadlines, Logging, RateLimit, Recovery, RequestId,
    Validation, Violations,
};
use dunlin_protobuf::wkt::StringValue;
use dunlin_server::{Builder, InProcess, Methods, Server, ServerContext};
use tracing::field::{Field, Visit};
use tracing_subscriber::layer::{Context, SubscriberExt};

const SAY: Method = Method::new("test.Echo", "Say", "/test.Echo/Say", CallKind::Unary);
const CHAT: Method = Method::new("test.Echo", "Chat", "/test.Echo/Chat", CallKind::BidiStreaming);
const CHECK: Method =
    Method::new("grpc.health.v1.Health", "Check", "/grpc.health.v1.Health/Check", CallKind::Unary);

fn text(value: impl Into<String>) -> StringValue {
    StringValue { value: value.into(), ..Default::default() }
}

struct User(String);

async fn say(cx: ServerContext, request: StringValue) -> (ServerContext, Result<StringValue, Status>) {
    let answer = match &*request.value {
        "panic" => panic!("the secret is 42"),
        "who" => cx.extension::<User>().map(|user| user.0.clone()).unwrap_or_default(),
        "id" => CurrentRequestId::get().map(|id| id.as_str().to_owned()).unwrap_or_default(),
        "remaining" => cx.remaining().map(|left| left.as_millis().to_string()).unwrap_or_default(),
        "sleep" => {
            tokio::time::sleep(Duration::from_secs(10)).await;
            "slept".to_owned()
        }
        other => other.to_owned(),
    };
    (cx, Ok(text(answer)))
}

async fn chat(
    cx: ServerContext,
    mut messages: Receiver<StringValue>,
    mut out: Sender<StringValue>,
) -> (ServerContext, Result<(), Status>) {
    let result = async {
        while let Some(message) = messages.next().await? {
            assert_ne!(message.value, "panic", "the secret is 42");
            out.send(message).await?;
        }
        Ok(())
    };
    let result = result.await;
    (cx, result)
}

fn methods(methods: &mut Methods) {
    methods.unary(SAY, say);
    methods.unary(CHECK, say);
    methods.bidi_streaming(CHAT, chat);
}

fn serve(with: impl FnOnce(Builder) -> Builder) -> (InProcess, Client) {
    let server = with(Server::builder().methods(methods)).build().unwrap().in_process();
    let client = Client::new(Channel::in_process(server.connector()));
    (server, client)
}

async fn ask(client: &Client, request: &str) -> Result<String, Status> {
    client.unary::<_, StringValue>(SAY, text(request)).await.map(|reply| reply.value)
}

async fn ask_as(client: &Client, header: &str, value: &str, request: &str) -> Result<String, Status> {
    let call = client.unary::<_, StringValue>(SAY, text(request)).metadata(header, value);
    call.await.map(|reply| reply.value)
}

fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> Code {
    result.expect_err("a status").code()
}

// ---------------------------------------------------------------- recovery

#[tokio::test]
async fn a_panic_is_told_in_the_words_of_the_application_and_never_in_its_own() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let recovery = Recovery::new().message("that was us").on_panic(move |call, panicked| {
        hears.lock().unwrap().push(format!("{} {}", call.method(), panicked.text));
        None
    });
    let (_server, client) = serve(|server| server.interceptor(recovery));
    let status = ask(&client, "panic").await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert!(status.message().starts_with("that was us, incident "), "{status}");
    let (mut sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await.unwrap();
    sender.send(text("a")).await.unwrap();
    assert_eq!(receiver.next().await.unwrap().unwrap().value, "a");
    sender.send(text("panic")).await.unwrap();
    let status = receiver.next().await.unwrap_err();
    assert!(status.message().starts_with("that was us, incident "), "{status}");
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard[0], "/test.Echo/Say the secret is 42");
    assert!(heard[1].starts_with("/test.Echo/Chat ") && heard[1].contains("the secret is 42"), "{heard:?}");

    let replaced = Recovery::new().on_panic(|_, _| Some(Status::unavailable("later")));
    let (_server, client) = serve(|server| server.interceptor(replaced));
    assert_eq!(code(ask(&client, "panic").await), Code::Unavailable);
    assert_eq!(ask(&client, "fine").await.unwrap(), "fine");
}

// ---------------------------------------------------------------- authentication

#[tokio::test]
async fn bearer_tokens_say_who_calls() {
    let auth = Auth::bearer(async |token: String| match &*token {
        "ann" | "bob" => Ok(User(token)),
        "gone" => Err(Status::not_found("no such user")),
        "down" => Err(Status::unavailable("the directory is down")),
        _ => Err(Status::unauthenticated("unknown token")),
    })
    .allow(|call, user| user.0 == "ann" || call.method().name() != "Say");
    let (_server, client) = serve(|server| server.interceptor(auth));
    assert_eq!(ask_as(&client, "authorization", "Bearer ann", "who").await.unwrap(), "ann");
    assert_eq!(ask_as(&client, "authorization", "bearer ann", "who").await.unwrap(), "ann");
    for (value, want) in [
        ("Bearer bob", Code::PermissionDenied),
        ("Bearer eve", Code::Unauthenticated),
        ("Bearer gone", Code::Unauthenticated), // not NOT_FOUND: that is an answer of methods
        ("Bearer down", Code::Unavailable),
        ("Bearer ", Code::Unauthenticated),
        ("Basic ann", Code::Unauthenticated),
        ("ann", Code::Unauthenticated),
    ] {
        assert_eq!(code(ask_as(&client, "authorization", value, "who").await), want, "{value}");
    }
    assert_eq!(code(ask(&client, "who").await), Code::Unauthenticated);
    let health = client.unary::<_, StringValue>(CHECK, text("up")).await;
    assert_eq!(health.unwrap().value, "up");
    let other = Method::new("test.Echo", "Other", "/test.Echo/Other", CallKind::Unary);
    assert_eq!(code(client.unary::<_, StringValue>(other, text("")).await), Code::Unauthenticated);
    let everywhere = Auth::new(ApiKeys::new("x-api-key").key("k1", "one")).everywhere();
    let (_server, client) = serve(|server| server.interceptor(everywhere));
    assert_eq!(code(client.unary::<_, StringValue>(CHECK, text("up")).await), Code::Unauthenticated);
}

#[tokio::test]
async fn keys_that_are_known_say_who_calls() {
    let keys = ApiKeys::new("x-api-key").key("k1", "one").key("k2", "two");
    let auth = Auth::new(keys).allow(|_, name: &&str| *name == "two");
    let (_server, client) = serve(|server| server.interceptor(auth));
    assert_eq!(ask_as(&client, "x-api-key", "k2", "hi").await.unwrap(), "hi");
    for (key, want) in
        [("k1", Code::PermissionDenied), ("k", Code::Unauthenticated), ("k22", Code::Unauthenticated)]
    {
        assert_eq!(code(ask_as(&client, "x-api-key", key, "hi").await), want, "{key}");
    }
}

// ---------------------------------------------------------------- limits

#[tokio::test(start_paused = true)]
async fn too_many_calls_a_second_are_told_when_to_come_again() {
    let limit = RateLimit::per_second(2.0).burst(2).by_method();
    let (_server, client) = serve(|server| server.interceptor(limit));
    for _ in 0..2 {
        ask(&client, "hi").await.unwrap();
    }
    let status = ask(&client, "hi").await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    let delay = status.error_details().unwrap().retry_delay().unwrap();
    assert!(delay <= Duration::from_millis(500) && !delay.is_zero(), "{delay:?}");
    let pushback: u64 = status.metadata().get("grpc-retry-pushback-ms").unwrap().parse().unwrap();
    assert_eq!(u128::from(pushback), delay.as_millis());
    for _ in 0..10 {
        client.unary::<_, StringValue>(CHECK, text("up")).await.unwrap();
    }
    tokio::time::advance(Duration::from_millis(500)).await;
    ask(&client, "hi").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_limit_wait_and_are_shed() {
    let limit = ConcurrencyLimit::new(2).queue(1, Duration::from_secs(5));
    let (_server, client) = serve(|server| server.interceptor(limit));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let client = client.clone();
        calls.spawn(async move { ask(&client, "sleep").await });
    }
    let mut codes = BTreeMap::<String, u32>::new();
    while let Some(result) = calls.join_next().await {
        let code = result.unwrap().map_or_else(|status| status.message().to_owned(), |_| "OK".to_owned());
        *codes.entry(code).or_default() += 1;
    }
    let want = [
        ("2 calls are at work, as many as may be, and 1 wait already".to_owned(), 1),
        ("2 calls are at work, as many as may be, and none of them ended within 5s".to_owned(), 1),
        ("OK".to_owned(), 2),
    ];
    assert_eq!(codes, BTreeMap::from(want));
    assert_eq!(ask(&client, "hi").await.unwrap(), "hi");
}

#[tokio::test(start_paused = true)]
async fn an_adaptive_limit_shrinks_while_calls_are_slow_and_grows_again() {
    let limit = ConcurrencyLimit::new(10).target_duration(Duration::from_secs(1), 2);
    let watched = limit.clone();
    let (_server, client) = serve(|server| server.interceptor(limit));
    for _ in 0..40 {
        ask(&client, "sleep").await.unwrap();
    }
    assert_eq!(watched.current(), 2);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let client = client.clone();
        calls.spawn(async move { ask(&client, "sleep").await });
    }
    let all = calls.join_all().await;
    assert_eq!(all.iter().filter(|result| result.is_ok()).count(), 2, "{all:?}");
    for _ in 0..200 {
        ask(&client, "quick").await.unwrap();
    }
    assert_eq!(watched.current(), 10);
}

// ---------------------------------------------------------------- deadlines

#[tokio::test(start_paused = true)]
async fn deadlines_are_given_capped_and_reserved() {
    let deadlines = Deadlines::new()
        .default_timeout(Duration::from_secs(5))
        .max_timeout(Duration::from_secs(8))
        .reserve(Duration::from_secs(1));
    let (_server, client) = serve(|server| server.interceptor(deadlines));
    let ask_in = async |seconds: u64| {
        let call = client.unary::<_, StringValue>(SAY, text("remaining"));
        call.timeout(Duration::from_secs(seconds)).await.map(|reply| reply.value)
    };
    assert_eq!(ask(&client, "remaining").await.unwrap(), "5000");
    assert_eq!(ask_in(60).await.unwrap(), "8000");
    assert_eq!(ask_in(3).await.unwrap(), "2000");
    let status = ask_in(1).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(status.message().contains("1s are reserved"), "{status}");
    assert_eq!(code(ask(&client, "sleep").await), Code::DeadlineExceeded);
}

// ---------------------------------------------------------------- requests

#[tokio::test]
async fn a_request_keeps_its_name_over_hops() {
    let (_inner, inner) = serve(|server| server.interceptor(RequestId::new()));
    let next = Client::new(
        Channel::builder("inner")
            .in_process(_inner.connector())
            .interceptor(RequestId::new())
            .connect_lazy()
            .unwrap(),
    );
    drop(inner);
    const HOP: Method = Method::new("test.Hop", "Hop", "/test.Hop/Hop", CallKind::Unary);
    let hop = move |cx: ServerContext, request: StringValue| {
        let next = next.clone();
        async move {
            let result = next.unary::<_, StringValue>(SAY, request).await;
            (cx, result)
        }
    };
    let (_server, client) =
        serve(|server| server.methods(|methods| methods.unary(HOP, hop)).interceptor(RequestId::new()));
    let call = client.unary::<_, StringValue>(HOP, text("id")).metadata("x-request-id", "mine");
    let response = call.response().await.unwrap();
    assert_eq!((&*response.value, response.headers().get("x-request-id")), ("mine", Some("mine")));
    let long = "x".repeat(200);
    for bad in ["a b", &long] {
        let reply = ask_as(&client, "x-request-id", bad, "id").await.unwrap();
        assert_eq!(reply.len(), 32, "{reply}");
    }
    assert_ne!(ask(&client, "id").await.unwrap(), ask(&client, "id").await.unwrap());
}

#[tokio::test]
async fn messages_that_are_not_as_they_should_be_are_refused() {
    let validation = Validation::new().check(|message: &StringValue| {
        Violations::new().require(!message.value.is_empty(), "value", "must not be empty").require(
            message.value != "rude",
            "value",
            "must be polite",
        )
    });
    let (_server, client) = serve(|server| server.interceptor(validation));
    assert_eq!(ask(&client, "hi").await.unwrap(), "hi");
    let status = ask(&client, "").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "value: must not be empty"));
    let details = status.error_details().unwrap();
    let fields: Vec<_> = details.field_violations().map(|found| found.field).collect();
    assert_eq!(fields, ["value"]);
    let (mut sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await.unwrap();
    for message in ["a", "rude"] {
        sender.send(text(message)).await.unwrap();
    }
    assert_eq!(receiver.next().await.unwrap().unwrap().value, "a");
    assert_eq!(code(receiver.next().await), Code::InvalidArgument);
}

// ---------------------------------------------------------------- logging

type Lines = Arc<Mutex<Vec<BTreeMap<String, String>>>>;

/// What a subscriber gets.
struct Capture(Lines);

struct Fields(BTreeMap<String, String>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}").trim_matches('"').to_owned());
    }
}

impl<S: tracing::Subscriber> tracing_subscriber::Layer<S> for Capture {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "dunlin::calls" {
            let mut fields = Fields(BTreeMap::from([("level".into(), event.metadata().level().to_string())]));
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }
    }
}

#[tokio::test]
async fn the_log_has_a_line_for_each_call_with_what_happened() {
    let lines = Lines::default();
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(Capture(Arc::clone(&lines))));
    let (server, _) = serve(|server| {
        server.interceptor(RequestId::new()).interceptor(Logging::new().payloads(8)).interceptor(
            Auth::bearer(async |token: String| match &*token {
                "ann" => Ok(User(token)),
                _ => Err(Status::unauthenticated("unknown token").with_source(Status::aborted("why"))),
            }),
        )
    });
    let client = Client::new(Channel::in_process(server.connector()));
    assert_eq!(
        ask_as(&client, "authorization", "Bearer ann", "a long message").await.unwrap(),
        "a long message"
    );
    assert_eq!(code(ask_as(&client, "authorization", "Bearer eve", "hi").await), Code::Unauthenticated);
    assert_eq!(code(ask_as(&client, "authorization", "Bearer ann", "panic").await), Code::Internal);
    let lines = lines.lock().unwrap().clone();
    let of = |message: &str| -> Vec<_> { lines.iter().filter(|line| line["message"] == message).collect() };
    assert_eq!(of("message received")[0]["payload"], "\\\"a long ");
    let ends = of("call finished");
    let levels: Vec<_> = ends.iter().map(|line| (&*line["level"], &*line["grpc.code"])).collect();
    assert_eq!(levels, [("INFO", "OK"), ("INFO", "UNAUTHENTICATED"), ("ERROR", "INTERNAL")]);
    let first = ends[0];
    for (name, want) in [
        ("protocol", "grpc"),
        ("grpc.component", "server"),
        ("grpc.service", "test.Echo"),
        ("grpc.method", "Say"),
        ("grpc.method_type", "unary"),
        ("grpc.received", "1"),
        ("grpc.received_bytes", "16"),
        ("grpc.sent", "1"),
        ("grpc.sent_bytes", "16"),
        ("grpc.request.deadline_ms", "-1.0"),
    ] {
        assert_eq!(first[name], want, "{name}");
    }
    assert_eq!(first["request_id"].len(), 32);
    assert!(ends[1]["grpc.error"].contains("unknown token: ABORTED: why"), "{}", ends[1]["grpc.error"]);
    // The log has what callers must not see.
    assert!(ends[2]["grpc.error"].contains("the secret is 42"), "{}", ends[2]["grpc.error"]);
    let everything = format!("{lines:?}");
    assert!(!everything.contains("Bearer"), "{everything}");
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_logged() {
    let lines = Lines::default();
    let _guard =
        tracing::subscriber::set_default(tracing_subscriber::registry().with(Capture(Arc::clone(&lines))));
    let (_server, client) = serve(|server| server.interceptor(Logging::new().starts()));
    let (sender, mut receiver) = client.bidi_streaming::<StringValue, StringValue>(CHAT).await.unwrap();
    let mut sender = sender;
    sender.send(text("a")).await.unwrap();
    receiver.next().await.unwrap();
    drop((sender, receiver));
    for _ in 0..1000 {
        if lines.lock().unwrap().len() == 2 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let lines = lines.lock().unwrap();
    assert_eq!(lines[0]["message"], "call started");
    assert_eq!((&*lines[1]["grpc.code"], &*lines[1]["level"]), ("CANCELLED", "INFO"));
    assert_eq!((&*lines[1]["grpc.received"], &*lines[1]["grpc.sent"]), ("1", "1"));
}

// ---------------------------------------------------------------- order

#[tokio::test]
async fn a_panic_is_counted_by_those_outside_of_recovery() {
    struct Codes(Arc<Mutex<Vec<Code>>>);
    impl Interceptor for Codes {
        async fn call(&self, cx: &mut CallContext, next: Next<'_>) -> Result<(), Status> {
            let result = next.run(cx).await;
            self.0.lock().unwrap().push(result.as_ref().err().map_or(Code::Ok, Status::code));
            result
        }
    }
    let codes = Arc::new(Mutex::new(Vec::new()));
    let outside = Codes(Arc::clone(&codes));
    let (_server, client) = serve(|server| server.interceptor(outside).interceptor(Recovery::new()));
    assert_eq!(code(ask(&client, "panic").await), Code::Internal);
    assert_eq!(*codes.lock().unwrap(), [Code::Internal]);
}
