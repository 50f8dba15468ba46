//! A server with all standard interceptors around a method of each kind: `guarded-server`.
//!
//! Its methods do what the text of a request asks for: `panic`, `sleep`, `who`; others are sent back. Logs go to
//! the standard error.

use std::time::Duration;

use dunlin::interceptors::{
    Auth, ConcurrencyLimit, Deadlines, Logging, RateLimit, Recovery, RequestId, Validation, Violations,
};
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Methods, Server, ServerContext};
use dunlin::{CallKind, Interceptor, Method, Receiver, Sender, Status};

const SAY: Method = Method::new("test.Echo", "Say", "/test.Echo/Say", CallKind::Unary);
const LIMITED: Method = Method::new("test.Echo", "Limited", "/test.Echo/Limited", CallKind::Unary);
const CROWDED: Method = Method::new("test.Echo", "Crowded", "/test.Echo/Crowded", CallKind::Unary);
const UPLOAD: Method = Method::new("test.Echo", "Upload", "/test.Echo/Upload", CallKind::ClientStreaming);
const LIST: Method = Method::new("test.Echo", "List", "/test.Echo/List", CallKind::ServerStreaming);
const CHAT: Method = Method::new("test.Echo", "Chat", "/test.Echo/Chat", CallKind::BidiStreaming);
const CHECK: Method =
    Method::new("grpc.health.v1.Health", "Check", "/grpc.health.v1.Health/Check", CallKind::Unary);

struct User(String);

fn text(value: impl Into<String>) -> StringValue {
    StringValue { value: value.into(), ..Default::default() }
}

async fn answer(cx: &ServerContext, request: &str) -> String {
    match request {
        "panic" => panic!("the secret is 42"),
        "who" => cx.extension::<User>().map(|user| user.0.clone()).unwrap_or_default(),
        "sleep" => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            "slept".to_owned()
        }
        "pause" => {
            tokio::time::sleep(Duration::from_millis(300)).await;
            "paused".to_owned()
        }
        other => other.to_owned(),
    }
}

async fn say(cx: ServerContext, request: StringValue) -> (ServerContext, Result<StringValue, Status>) {
    let answer = answer(&cx, &request.value).await;
    (cx, Ok(text(answer)))
}

async fn upload(
    cx: ServerContext,
    mut messages: Receiver<StringValue>,
) -> (ServerContext, Result<StringValue, Status>) {
    let result = async {
        let mut all = Vec::new();
        while let Some(message) = messages.next().await? {
            all.push(answer(&cx, &message.value).await);
        }
        Ok(text(all.join(",")))
    };
    let result = result.await;
    (cx, result)
}

async fn list(
    cx: ServerContext,
    request: StringValue,
    mut out: Sender<StringValue>,
) -> (ServerContext, Result<(), Status>) {
    let result = async {
        out.send(text("first")).await?;
        out.send(text(answer(&cx, &request.value).await)).await
    };
    let result = result.await;
    (cx, result)
}

async fn chat(
    cx: ServerContext,
    mut messages: Receiver<StringValue>,
    mut out: Sender<StringValue>,
) -> (ServerContext, Result<(), Status>) {
    let result = async {
        while let Some(message) = messages.next().await? {
            out.send(text(answer(&cx, &message.value).await)).await?;
        }
        Ok(())
    };
    let result = result.await;
    (cx, result)
}

fn methods(methods: &mut Methods) {
    for method in [SAY, LIMITED, CROWDED, CHECK] {
        methods.unary(method, say);
    }
    methods.client_streaming(UPLOAD, upload);
    methods.server_streaming(LIST, list);
    methods.bidi_streaming(CHAT, chat);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    let auth = Auth::bearer(async |token: String| match &*token {
        "ann" | "bob" => Ok(User(token)),
        _ => Err(Status::unauthenticated("unknown token")),
    });
    let validation = Validation::new().check(|message: &StringValue| {
        Violations::new().require(message.value != "rude", "value", "must be polite")
    });
    let server = Server::builder()
        .methods(methods)
        .interceptor(RequestId::new())
        .interceptor(Logging::new())
        .interceptor(Recovery::new().message("that was us"))
        .interceptor(auth.allow(|_, user| user.0 != "bob"))
        .interceptor(RateLimit::per_second(0.5).burst(2).by_peer().only("test.Echo/Limited"))
        .interceptor(ConcurrencyLimit::new(2).only("test.Echo/Crowded"))
        .interceptor(Deadlines::new().max_timeout(Duration::from_secs(1)))
        .interceptor(validation);
    let bound = server.bind("127.0.0.1:0").await?;
    println!("listening on {}", bound.local_addr());
    let _ = bound.serve_until(dunlin::server::shutdown_signal()).await?;
    Ok(())
}
