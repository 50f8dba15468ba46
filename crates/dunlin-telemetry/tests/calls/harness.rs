//! A service with a method of each kind, and what is read of its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{Channel, ChannelBuilder, Client};
use dunlin_grpc::{CallKind, Method, Receiver, Sender, Status};
use dunlin_protobuf::wkt::StringValue;
use dunlin_server::{Builder, Methods, Server, ServerContext};
use dunlin_telemetry::{Metrics, Point, Value};
use tokio::sync::Notify;

pub(crate) const UNARY: Method = Method::new("test.Echo", "Unary", "/test.Echo/Unary", CallKind::Unary);
pub(crate) const UPLOAD: Method =
    Method::new("test.Echo", "Upload", "/test.Echo/Upload", CallKind::ClientStreaming);
pub(crate) const LIST: Method =
    Method::new("test.Echo", "List", "/test.Echo/List", CallKind::ServerStreaming);
pub(crate) const CHAT: Method = Method::new("test.Echo", "Chat", "/test.Echo/Chat", CallKind::BidiStreaming);

pub(crate) fn text(value: impl Into<String>) -> StringValue {
    StringValue { value: value.into(), ..Default::default() }
}

/// What the methods do with others, and tell the test.
#[derive(Default)]
pub(crate) struct World {
    /// A method that was told to wait is waiting.
    pub(crate) waits: Notify,
    /// A method that waited was dropped.
    pub(crate) dropped: Notify,
    /// Whom `call` calls.
    pub(crate) next: Option<Client>,
}

struct OnDrop(Arc<World>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        self.0.dropped.notify_one();
    }
}

async fn unary(
    world: Arc<World>,
    cx: ServerContext,
    request: StringValue,
) -> (ServerContext, Result<StringValue, Status>) {
    let result = match request.value.split_once(' ').unwrap_or((&request.value, "")) {
        ("fail", message) => Err(Status::not_found(message.to_owned())),
        ("break", message) => Err(Status::data_loss(message.to_owned())),
        ("panic", message) => panic!("{message}"),
        ("sleep", milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds.parse().unwrap())).await;
            Ok(text(""))
        }
        ("wait", _) => {
            let _guard = OnDrop(Arc::clone(&world));
            world.waits.notify_one();
            std::future::pending::<()>().await;
            Ok(text(""))
        }
        ("call", request) => {
            tracing::info!("in the handler");
            let next = world.next.as_ref().expect("another server");
            next.unary::<_, StringValue>(UNARY, text(request)).await
        }
        ("binary", name) => Ok(text(format!("{:?}", cx.metadata().get_bin(name).unwrap_or_default()))),
        ("metadata", name) => Ok(text(cx.metadata().get(name).unwrap_or_default())),
        _ => Ok(text(format!("echo {}", request.value))),
    };
    (cx, result)
}

async fn upload(
    cx: ServerContext,
    mut messages: Receiver<StringValue>,
) -> (ServerContext, Result<StringValue, Status>) {
    let result = async {
        let mut count = 0;
        while messages.next().await?.is_some() {
            count += 1;
        }
        Ok(text(count.to_string()))
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
        for number in 0..request.value.parse().unwrap() {
            let _: u32 = number;
            out.send(text(number.to_string())).await?;
        }
        Ok(())
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
            out.send(message).await?;
        }
        Ok(())
    };
    let result = result.await;
    (cx, result)
}

pub(crate) fn add(methods: &mut Methods, world: &Arc<World>) {
    let world = Arc::clone(world);
    methods.unary(UNARY, move |cx, request| unary(Arc::clone(&world), cx, request));
    methods.client_streaming(UPLOAD, upload);
    methods.server_streaming(LIST, list);
    methods.bidi_streaming(CHAT, chat);
}

/// A client and a server within this process.
pub(crate) fn pair(
    world: &Arc<World>,
    of_server: impl FnOnce(Builder) -> Builder,
    of_client: impl FnOnce(ChannelBuilder) -> ChannelBuilder,
) -> Client {
    let builder = of_server(Server::builder().methods(|methods| add(methods, world)));
    let server = builder.build().expect("a server").in_process();
    let channel = of_client(Channel::builder("shop.test:50051").in_process(server.connector()));
    Client::new(channel.connect_lazy().expect("a channel"))
}

pub(crate) async fn ask(client: &Client, request: &str) -> Result<String, Status> {
    let response: StringValue = client.unary(UNARY, text(request)).await?;
    Ok(response.value)
}

/// A call of each kind: 2 messages up, 3 down, 2 both ways.
pub(crate) async fn call_all(client: &Client) {
    ask(client, "hi").await.expect("an answer");
    let mut upload = client.client_streaming::<StringValue, StringValue>(UPLOAD).await.expect("a call");
    upload.send(text("a")).await.expect("sent");
    upload.send(text("bc")).await.expect("sent");
    assert_eq!(upload.finish().await.expect("an answer").value, "2");
    let mut list = client.server_streaming::<_, StringValue>(LIST, text("3")).await.expect("a call");
    while list.next().await.expect("no failure").is_some() {}
    let (mut sender, mut receiver) =
        client.bidi_streaming::<StringValue, StringValue>(CHAT).await.expect("a call");
    sender.send(text("a")).await.expect("sent");
    sender.send(text("b")).await.expect("sent");
    sender.finish();
    while receiver.next().await.expect("no failure").is_some() {}
}

/// All series that are not zero, as `name{label=value}`.
pub(crate) fn series(metrics: &Metrics) -> BTreeMap<String, String> {
    let show = |name: &str, point: &Point| {
        let labels = point.labels.iter().map(|label| format!("{}={}", label.name, label.value));
        let value = match &point.value {
            Value::Count(0) | Value::Level(0) | Value::Spread { count: 0, .. } => return None,
            Value::Count(count) => count.to_string(),
            Value::Level(level) => level.to_string(),
            Value::Spread { count, .. } => count.to_string(),
            _ => unreachable!("no other kinds"),
        };
        Some((format!("{name}{{{}}}", labels.collect::<Vec<_>>().join(",")), value))
    };
    let all = metrics.read();
    all.iter().flat_map(|one| one.series.iter().filter_map(|point| show(one.name, point))).collect()
}

/// Waits until the series have what is wanted; gives all.
pub(crate) async fn series_until(metrics: &Metrics, wanted: &str, value: &str) -> BTreeMap<String, String> {
    let look = async {
        loop {
            let all = series(metrics);
            if all.get(wanted).is_some_and(|found| found == value) {
                return all;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look)
        .await
        .unwrap_or_else(|_| panic!("no `{wanted}` with {value} in {:#?}", series(metrics)))
}

/// Pairs as a map.
pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
