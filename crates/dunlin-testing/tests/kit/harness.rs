//! A service with a method of each kind.

use std::time::Duration;

use dunlin_client::Client;
use dunlin_grpc::{CallKind, Code, Method, Receiver, Sender, Status};
use dunlin_protobuf::wkt::StringValue;
use dunlin_server::{Methods, ServerContext, Service};

pub(crate) const UNARY: Method = Method::new("test.Echo", "Unary", "/test.Echo/Unary", CallKind::Unary);
pub(crate) const UPLOAD: Method =
    Method::new("test.Echo", "Upload", "/test.Echo/Upload", CallKind::ClientStreaming);
pub(crate) const LIST: Method =
    Method::new("test.Echo", "List", "/test.Echo/List", CallKind::ServerStreaming);
pub(crate) const CHAT: Method = Method::new("test.Echo", "Chat", "/test.Echo/Chat", CallKind::BidiStreaming);

pub(crate) fn text(value: impl Into<String>) -> StringValue {
    StringValue { value: value.into(), ..Default::default() }
}

/// Answers with what it was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Echo;

async fn unary(mut cx: ServerContext, request: StringValue) -> (ServerContext, Result<StringValue, Status>) {
    let peer = cx.metadata().get("x-from").unwrap_or("nobody").to_owned();
    let result = match request.value.as_str() {
        "fail" => Err(Status::not_found("no such thing")),
        "wait" => std::future::pending().await,
        value => cx.insert_trailer("x-to", &peer).map(|()| text(format!("echo {value}"))),
    };
    (cx, result)
}

async fn upload(
    cx: ServerContext,
    mut requests: Receiver<StringValue>,
) -> (ServerContext, Result<StringValue, Status>) {
    let mut all = String::new();
    loop {
        match requests.next().await {
            Ok(Some(request)) => all += &request.value,
            Ok(None) => return (cx, Ok(text(all))),
            Err(status) => return (cx, Err(status)),
        }
    }
}

async fn list(
    cx: ServerContext,
    request: StringValue,
    mut responses: Sender<StringValue>,
) -> (ServerContext, Result<(), Status>) {
    for word in request.value.split(' ') {
        if let Err(status) = responses.send(text(word)).await {
            return (cx, Err(status));
        }
    }
    (cx, Ok(()))
}

async fn chat(
    cx: ServerContext,
    mut requests: Receiver<StringValue>,
    mut responses: Sender<StringValue>,
) -> (ServerContext, Result<(), Status>) {
    let result = async {
        while let Some(request) = requests.next().await? {
            responses.send(request).await?;
        }
        Ok(())
    };
    let result = result.await;
    (cx, result)
}

impl Service for Echo {
    fn name(&self) -> &'static str {
        "test.Echo"
    }

    fn register(self, methods: &mut Methods) {
        methods.unary(UNARY, unary);
        methods.client_streaming(UPLOAD, upload);
        methods.server_streaming(LIST, list);
        methods.bidi_streaming(CHAT, chat);
    }
}

pub(crate) async fn ask(client: &Client, request: &str) -> Result<String, Status> {
    soon(client.unary::<_, StringValue>(UNARY, text(request))).await.map(|response| response.value)
}

pub(crate) async fn send(client: &Client, requests: &[&str]) -> Result<String, Status> {
    let work = async {
        let mut upload = client.client_streaming::<StringValue, StringValue>(UPLOAD).await?;
        for request in requests {
            // If the call is over, `finish` says why.
            if upload.send(text(*request)).await.is_err() {
                break;
            }
        }
        upload.finish().await.map(|response| response.value)
    };
    soon(work).await
}

/// What came, and how it ended.
pub(crate) async fn read(mut responses: Receiver<StringValue>) -> (Vec<String>, Result<(), Status>) {
    let mut all = Vec::new();
    loop {
        match soon(responses.next()).await {
            Ok(Some(response)) => all.push(response.value),
            Ok(None) => return (all, Ok(())),
            Err(status) => return (all, Err(status)),
        }
    }
}

pub(crate) async fn list_all(client: &Client, request: &str) -> (Vec<String>, Result<(), Status>) {
    match soon(client.server_streaming::<_, StringValue>(LIST, text(request))).await {
        Ok(responses) => read(responses).await,
        Err(status) => (Vec::new(), Err(status)),
    }
}

pub(crate) async fn chat_all(client: &Client, requests: &[&str]) -> (Vec<String>, Result<(), Status>) {
    let (mut sender, responses) = match soon(client.bidi_streaming::<StringValue, StringValue>(CHAT)).await {
        Ok(halves) => halves,
        Err(status) => return (Vec::new(), Err(status)),
    };
    for request in requests {
        if soon(sender.send(text(*request))).await.is_err() {
            break;
        }
    }
    sender.finish();
    read(responses).await
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.expect_err("a status");
    (status.code(), status.message().to_owned())
}

/// More than any test takes that does not hang; where time is stopped, more than any deadline.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(100_000), future).await.expect("it hangs")
}

/// What a panic of this function says.
pub(crate) fn panic_of(work: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).expect_err("a panic");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
    }
}
