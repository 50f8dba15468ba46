//! What is logged by the layer that is used most.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::protobuf::wkt::StringValue;
use dunlin::{CallKind, Method, Sender, Server, ServerContext, Status};
use http::HeaderMap;
use tower_http::classify::GrpcFailureClass;
use tower_http::trace::TraceLayer;
use tracing::Span;
use tracing::instrument::WithSubscriber;

use crate::harness::{ask, serve, soon, text};

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

const COUNT: Method = Method::new("test.Log", "Count", "/test.Log/Count", CallKind::ServerStreaming);

async fn count(
    cx: ServerContext,
    _: StringValue,
    mut out: Sender<StringValue>,
) -> (ServerContext, Result<(), Status>) {
    tracing::info!("before the headers");
    let sent = out.send(text("one")).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    tracing::info!("behind the headers");
    (cx, sent)
}

#[tokio::test]
async fn all_that_a_method_logs_is_within_the_span_of_its_request() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let work = async {
        let layer = TraceLayer::new_for_grpc();
        let builder =
            Server::builder().layer(layer).methods(|methods| methods.server_streaming(COUNT, count));
        let (client, address, _) = serve(builder).await;
        let mut list = soon(client.server_streaming::<_, StringValue>(COUNT, text(""))).await.unwrap();
        while soon(list.next()).await.unwrap().is_some() {}
        address
    };
    // The runtime has one thread, and its tasks are polled while this one waits.
    let _guard = tracing::subscriber::set_default(subscriber);
    let address = work.with_current_subscriber().await;
    let text = log.text();
    let span = format!(
        "request{{method=POST uri=http://{address}/test.Log/Count version=HTTP/2.0}}: layers::trace: "
    );
    for wanted in ["before the headers", "behind the headers"] {
        assert!(text.contains(&format!("{span}{wanted}")), "{wanted} is not in\n{text}");
    }
}

#[tokio::test]
async fn how_a_call_ends_is_told_from_headers_and_trailers() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let [ends, failures] = [Arc::clone(&seen), Arc::clone(&seen)];
    let layer = TraceLayer::new_for_grpc()
        .on_eos(move |trailers: Option<&HeaderMap>, _: Duration, _: &Span| {
            let status = trailers.and_then(|trailers| trailers.get("grpc-status")).cloned();
            ends.lock().unwrap().push(format!("{status:?}"));
        })
        .on_failure(move |failure: GrpcFailureClass, _: Duration, _: &Span| {
            failures.lock().unwrap().push(failure.to_string());
        });
    let (client, _, _) = serve(Server::builder().layer(layer)).await;
    soon(ask(&client, "hi")).await.unwrap();
    soon(ask(&client, "panic now")).await.unwrap_err();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen, [r#"Some("0")"#, "Code: 13"]);
}
