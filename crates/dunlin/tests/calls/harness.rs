//! A service with a method of each kind, and ways to reach it.

use std::sync::Arc;
use std::time::Duration;

use dunlin::client::Client;
use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Methods, ServerContext};
use dunlin::{CallKind, Channel, Code, Encoding, Metadata, Method, Receiver, Sender, Server, Status};
use tokio::sync::Notify;

pub(crate) const UNARY: Method = Method::new("test.Echo", "Unary", "/test.Echo/Unary", CallKind::Unary);
pub(crate) const UPLOAD: Method =
    Method::new("test.Echo", "Upload", "/test.Echo/Upload", CallKind::ClientStreaming);
pub(crate) const LIST: Method =
    Method::new("test.Echo", "List", "/test.Echo/List", CallKind::ServerStreaming);
pub(crate) const CHAT: Method = Method::new("test.Echo", "Chat", "/test.Echo/Chat", CallKind::BidiStreaming);

/// Headers of responses by what stands around the service: nothing here.
pub(crate) const ADDED: &[&str] = &[];

pub(crate) fn text(value: impl Into<String>) -> StringValue {
    StringValue { value: value.into(), ..Default::default() }
}

/// What tests learn of the server.
#[derive(Default, Debug)]
pub(crate) struct Seen {
    /// A method that was told to wait is waiting.
    pub(crate) waits: Notify,
    /// A method that waited was dropped.
    pub(crate) dropped: Notify,
}

struct OnDrop(Arc<Seen>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

/// Does what the text of the request asks for.
async fn unary(
    seen: Arc<Seen>,
    mut cx: ServerContext,
    request: StringValue,
) -> (ServerContext, Result<StringValue, Status>) {
    let result = match request.value.split_once(' ').unwrap_or((&request.value, "")) {
        ("fail", message) => {
            let mut status = Status::not_found(message.to_owned()).with_details_bytes(&b"\x08\x05"[..]);
            status.metadata_mut().insert("x-why", "because").unwrap();
            Err(status)
        }
        ("panic", message) => panic!("{message}"),
        ("yield", message) => {
            tokio::task::yield_now().await;
            Ok(text(message))
        }
        ("wait", _) => {
            let _guard = OnDrop(Arc::clone(&seen));
            seen.waits.notify_one();
            std::future::pending::<()>().await;
            Ok(text(""))
        }
        ("metadata", name) => {
            let value = cx.metadata().get(name).unwrap_or_default().to_owned();
            cx.insert_header("x-header", &value).unwrap();
            cx.trailers_mut().insert_bin("x-trailer-bin", &value).unwrap();
            Ok(text(value))
        }
        ("remaining", _) => Ok(text(format!("{}", cx.remaining().unwrap_or_default().as_millis()))),
        ("large", size) => Ok(text("x".repeat(size.parse().unwrap()))),
        ("gzip", size) => {
            cx.set_encoding(Encoding::Gzip).unwrap();
            Ok(text("x".repeat(size.parse().unwrap())))
        }
        ("compressed", _) => Ok(text(cx.request_info().is_compressed.to_string())),
        _ => Ok(text(format!("echo {}", request.value))),
    };
    (cx, result)
}

async fn upload(
    cx: ServerContext,
    mut messages: Receiver<StringValue>,
) -> (ServerContext, Result<StringValue, Status>) {
    let result = async {
        let (mut count, mut bytes) = (0, 0);
        while let Some(message) = messages.next().await? {
            if message.value == "enough" {
                return Err(Status::out_of_range("that is enough"));
            }
            count += 1;
            bytes += message.value.len();
        }
        Ok(text(format!("{count} {bytes}")))
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
        let (count, size) = request.value.split_once(' ').unwrap_or((&request.value, "1"));
        let (count, size): (usize, usize) = (count.parse().unwrap(), size.parse().unwrap());
        for number in 0..count {
            let digits = number.to_string();
            out.send(text("0".repeat(size.saturating_sub(digits.len())) + &digits)).await?;
        }
        if size == 13 { Err(Status::data_loss("thirteen")) } else { Ok(()) }
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
        out.send(text("hello")).await?;
        while let Some(message) = messages.next().await? {
            if message.value == "panic" {
                panic!("in a stream");
            }
            out.send(message).await?;
        }
        Ok(())
    };
    let result = result.await;
    (cx, result)
}

pub(crate) fn add(methods: &mut Methods, seen: Arc<Seen>) {
    methods.unary(UNARY, move |cx, request| unary(Arc::clone(&seen), cx, request));
    methods.client_streaming(UPLOAD, upload);
    methods.server_streaming(LIST, list);
    methods.bidi_streaming(CHAT, chat);
}

/// A client of the service over TCP, which lives as long as the runtime.
pub(crate) async fn over_tcp() -> (Client, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server = Server::builder().methods(|methods| add(methods, Arc::clone(&seen)));
    let bound = server.bind("127.0.0.1:0").await.expect("a free port");
    let target = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    (Client::new(Channel::builder(target).connect_lazy().expect("a channel")), seen)
}

/// The same within the process.
pub(crate) fn in_process() -> (Client, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server =
        Server::builder().methods(|methods| add(methods, Arc::clone(&seen))).build().expect("a server");
    (Client::new(Channel::in_process(server.in_process().connector())), seen)
}

pub(crate) async fn ask(client: &Client, request: &str) -> Result<String, Status> {
    let response: StringValue = client.unary(UNARY, text(request)).await?;
    Ok(response.value)
}

pub(crate) fn code<T: std::fmt::Debug>(result: Result<T, Status>) -> (Code, String) {
    let status = result.expect_err("a status");
    (status.code(), status.message().to_owned())
}

/// More than any test takes that does not hang.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("not within 20 s")
}

pub(crate) fn metadata(pairs: &[(&str, &str)]) -> Metadata {
    let mut metadata = Metadata::new();
    pairs.iter().for_each(|(name, value)| metadata.append(name, value).expect("metadata"));
    metadata
}
