//! Contents that pass layers: what these may change, and who waits for whom.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Methods, RequestBody, ResponseBody};
use dunlin::{Code, Receiver, Sender, Server, ServerContext, Status};
use futures_util::{StreamExt, stream};
use http::HeaderValue;
use http_body_util::{BodyExt, StreamBody};
use tokio::sync::Notify;
use tower_http::map_request_body::MapRequestBodyLayer;
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::set_header::{SetRequestHeaderLayer, SetResponseHeaderLayer};

use crate::harness::{LIST, UNARY, UPLOAD, ask, code, layered, serve, soon, text};

#[tokio::test]
async fn headers_and_trailers_can_be_changed() {
    let trailers = MapResponseBodyLayer::new(|body: ResponseBody| {
        body.map_frame(|frame| match frame.into_trailers() {
            Ok(mut trailers) => {
                trailers.insert("x-behind", HeaderValue::from_static("2"));
                http_body::Frame::trailers(trailers)
            }
            Err(frame) => frame,
        })
    });
    let builder = Server::builder()
        .layer(SetRequestHeaderLayer::overriding("x-a".parse().unwrap(), HeaderValue::from_static("0")))
        .layer(SetResponseHeaderLayer::overriding("x-before".parse().unwrap(), HeaderValue::from_static("1")))
        .layer(trailers);
    let (client, _, _) = serve(builder).await;
    let call = client.unary::<_, StringValue>(UNARY, text("metadata x-a")).metadata("x-a", "mine");
    let response = soon(call.response()).await.unwrap();
    assert_eq!(response.message().value, "0");
    assert_eq!(response.headers().get("x-before"), Some("1"));
    assert_eq!(response.headers().get("x-header"), Some("0"));
    assert_eq!(response.trailers().get("x-behind"), Some("2"));
    assert_eq!(response.trailers().get_bin("x-trailer-bin"), Some(b"0".to_vec()));
}

#[tokio::test]
async fn a_response_that_breaks_off_in_a_layer_does_not_look_complete() {
    for (error, wanted) in [
        (Status::data_loss("lost it").into(), (Code::DataLoss, "lost it")),
        (tower::BoxError::from("a secret"), (Code::Internal, "the content of the response broke off")),
    ] {
        let error = Arc::new(Mutex::new(Some(error)));
        // The first response has one frame, and then the error.
        let layer = MapResponseBodyLayer::new(move |body: ResponseBody| {
            let error = error.lock().unwrap().take();
            let frames = stream::unfold((Box::pin(body), error, 0), |(mut body, error, count)| async move {
                match error {
                    Some(error) if count == 1 => Some((Err(error), (body, None, 2))),
                    error => Some((body.frame().await?, (body, error, count + 1))),
                }
            });
            StreamBody::new(frames.boxed())
        });
        let (client, _, _) = serve(Server::builder().layer(layer)).await;
        let mut list: Receiver<StringValue> =
            soon(client.server_streaming(LIST, text("1000 1000"))).await.unwrap();
        let status = soon(async {
            loop {
                match list.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("it looks complete"),
                    Err(status) => return status,
                }
            }
        });
        let status = status.await;
        assert_eq!((status.code(), status.message()), wanted);
        // Only that one response had it.
        assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
    }
}

#[tokio::test]
async fn a_request_that_a_layer_ends_with_a_status_ends_with_it() {
    let layer = MapRequestBodyLayer::new(|body: RequestBody| {
        let frames = stream::unfold((Box::pin(body), 50_000_usize), |(mut body, left)| async move {
            let frame = body.frame().await?;
            let len = frame.as_ref().ok().and_then(|frame| frame.data_ref()).map_or(0, bytes::Bytes::len);
            Some(match left.checked_sub(len) {
                Some(left) => (frame, (body, left)),
                None => (Err(Status::resource_exhausted("more than the layer takes").into()), (body, left)),
            })
        });
        StreamBody::new(frames.boxed())
    });
    let (client, _, _) = serve(Server::builder().layer(layer)).await;
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
    let mut upload = soon(client.client_streaming::<StringValue, StringValue>(UPLOAD)).await.unwrap();
    while soon(upload.send(text("x".repeat(1000)))).await.is_ok() {}
    let found = code(soon(upload.finish()).await);
    assert_eq!(found, (Code::ResourceExhausted, "more than the layer takes".to_owned()));
}

/// Methods that tell how far they are, and read nothing before they are told to.
fn slow(methods: &mut Methods, sent: &Arc<AtomicUsize>, go: &Arc<Notify>) {
    let sent = Arc::clone(sent);
    methods.server_streaming(
        dunlin::Method::new("test.Slow", "List", "/test.Slow/List", dunlin::CallKind::ServerStreaming),
        move |cx: ServerContext, _: StringValue, mut out: Sender<StringValue>| {
            let sent = Arc::clone(&sent);
            async move {
                let mut result = Ok(());
                while result.is_ok() && sent.load(Ordering::Relaxed) < TOTAL {
                    result = out.send(text("x".repeat(SIZE))).await;
                    sent.fetch_add(1, Ordering::Relaxed);
                }
                (cx, result)
            }
        },
    );
    let go = Arc::clone(go);
    methods.client_streaming(
        dunlin::Method::new("test.Slow", "Upload", "/test.Slow/Upload", dunlin::CallKind::ClientStreaming),
        move |cx: ServerContext, mut messages: Receiver<StringValue>| {
            let go = Arc::clone(&go);
            async move {
                go.notified().await;
                let mut count = 0;
                let result = loop {
                    match messages.next().await {
                        Ok(Some(_)) => count += 1,
                        Ok(None) => break Ok(text(format!("{count}"))),
                        Err(status) => break Err(status),
                    }
                };
                (cx, result)
            }
        },
    );
}

const TOTAL: usize = 4000;
const SIZE: usize = 10_000;

#[tokio::test]
async fn a_method_waits_for_a_client_that_does_not_read() {
    let sent = Arc::new(AtomicUsize::new(0));
    let go = Arc::new(Notify::new());
    let (client, _, _) = serve(layered().methods(|methods| slow(methods, &sent, &go))).await;
    let method =
        dunlin::Method::new("test.Slow", "List", "/test.Slow/List", dunlin::CallKind::ServerStreaming);
    let mut list: Receiver<StringValue> = soon(client.server_streaming(method, text(""))).await.unwrap();
    soon(list.next()).await.unwrap().unwrap();
    // Until nothing moves any longer.
    let mut before = 0;
    while before != sent.load(Ordering::Relaxed) || before == 0 {
        before = sent.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(before < TOTAL / 2, "{before} messages of {SIZE} bytes were sent, and one was read");
    let mut count = 1;
    while soon(list.next()).await.unwrap().is_some() {
        count += 1;
    }
    assert_eq!(count, TOTAL);
}

#[tokio::test]
async fn a_client_waits_for_a_method_that_does_not_read() {
    let sent = Arc::new(AtomicUsize::new(0));
    let go = Arc::new(Notify::new());
    let (client, _, _) = serve(layered().methods(|methods| slow(methods, &sent, &go))).await;
    let method =
        dunlin::Method::new("test.Slow", "Upload", "/test.Slow/Upload", dunlin::CallKind::ClientStreaming);
    let mut upload = soon(client.client_streaming::<StringValue, StringValue>(method)).await.unwrap();
    let mut count = 0;
    while let Ok(sent) =
        tokio::time::timeout(Duration::from_millis(200), upload.send(text("x".repeat(SIZE)))).await
    {
        sent.unwrap();
        count += 1;
        assert!(count < TOTAL, "nobody reads them");
    }
    go.notify_one();
    soon(upload.send(text("one more"))).await.unwrap();
    let answer = soon(upload.finish()).await.unwrap();
    assert_eq!(answer.value, format!("{}", count + 1));
}
