//! Layers that answer themselves, fail or panic.

use std::time::Duration;

use dunlin::protobuf::wkt::StringValue;
use dunlin::{Code, Server, Status};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::{BoxError, ServiceBuilder};
use tower_http::map_response_body::MapResponseBodyLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use dunlin::server::{RequestBody, ResponseBody};

use crate::harness::{UNARY, ask, code, layered, serve, soon, text};

#[tokio::test]
#[expect(clippy::result_large_err, reason = "a response is what such a layer refuses with")]
async fn an_http_status_is_what_the_client_makes_of_it() {
    for (status, wanted) in [
        (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
        (StatusCode::FORBIDDEN, Code::PermissionDenied),
        (StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
        (StatusCode::TOO_MANY_REQUESTS, Code::Unavailable),
        (StatusCode::PAYLOAD_TOO_LARGE, Code::Unknown), // gRPC has no code for it
    ] {
        let refuse = ValidateRequestHeaderLayer::custom(move |_: &mut Request<RequestBody>| {
            let mut response = Response::new(ResponseBody::from("not today"));
            *response.status_mut() = status;
            Err::<(), _>(response)
        });
        let (client, _, _) = serve(Server::builder().layer(refuse)).await;
        assert_eq!(code(soon(ask(&client, "hi")).await).0, wanted, "{status}");
        let upload = client.client_streaming::<StringValue, StringValue>(crate::harness::UPLOAD);
        let mut upload = soon(upload).await.unwrap();
        while soon(upload.send(text("more"))).await.is_ok() {}
        assert_eq!(code(soon(upload.finish()).await).0, wanted, "{status}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for() {
    #[allow(deprecated, reason = "it is the plainest of its kind")]
    let bearer = ValidateRequestHeaderLayer::bearer("secret");
    let (client, _, _) = serve(layered().layer(bearer)).await;
    assert_eq!(code(soon(ask(&client, "hi")).await).0, Code::Unauthenticated);
    let call = client.unary::<_, StringValue>(UNARY, text("hi")).metadata("authorization", "Bearer secret");
    assert_eq!(soon(call).await.unwrap().value, "echo hi");
}

#[tokio::test]
async fn a_timeout_of_http_drops_the_method() {
    let timeout = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_millis(50));
    let (client, _, seen) = serve(Server::builder().layer(timeout)).await;
    assert_eq!(code(soon(ask(&client, "wait")).await).0, Code::Unavailable);
    soon(seen.dropped.notified()).await;
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
}

#[tokio::test]
async fn an_error_of_a_layer_that_is_a_status_is_how_the_call_ends() {
    let layer = ServiceBuilder::new()
        .map_err(|error: BoxError| match error.is::<tower::timeout::error::Elapsed>() {
            true => BoxError::from(Status::deadline_exceeded("too slow")),
            false => error,
        })
        .timeout(Duration::from_millis(50));
    let (client, _, _) = serve(Server::builder().layer(layer)).await;
    let found = code(soon(ask(&client, "wait")).await);
    assert_eq!(found, (Code::DeadlineExceeded, "too slow".to_owned()));
}

#[tokio::test]
async fn any_other_error_of_a_layer_is_internal_and_says_nothing() {
    let layer = ServiceBuilder::new().timeout(Duration::from_millis(50));
    let (client, _, _) = serve(Server::builder().layer(layer)).await;
    let found = code(soon(ask(&client, "wait")).await);
    assert_eq!(found, (Code::Internal, "a layer of the server failed".to_owned()));
}

#[tokio::test]
async fn a_layer_that_panics_harms_nobody_else() {
    let panics = ServiceBuilder::new().map_request(|request: Request<RequestBody>| {
        assert!(!request.headers().contains_key("x-panic"), "a layer panics, as the test wants");
        request
    });
    let body = MapResponseBodyLayer::new(|body: ResponseBody| {
        body.map_frame(|frame| {
            let is_bad = frame.trailers_ref().is_some_and(|trailers| trailers.contains_key("x-trailer-bin"));
            assert!(!is_bad, "a layer panics in the middle, as the test wants");
            frame
        })
    });
    let (client, _, _) = serve(Server::builder().layer(panics).layer(body)).await;
    let (found, message) = code(soon(ask(&client, "metadata x-a")).await);
    assert_eq!(found, Code::Internal);
    assert!(message.starts_with("internal error, incident "), "{message}");
    let call = client.unary::<_, StringValue>(UNARY, text("hi")).metadata("x-panic", "1");
    let (found, message) = code(soon(call).await);
    assert_eq!(found, Code::Internal);
    assert!(message.starts_with("internal error, incident "), "{message}");
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
}

#[tokio::test]
async fn layers_that_limit_are_shared_by_all_connections() {
    let layer = ServiceBuilder::new()
        .map_err(|error: BoxError| match error.is::<tower::load_shed::error::Overloaded>() {
            true => BoxError::from(Status::unavailable("one at a time")),
            false => error,
        })
        .load_shed()
        .concurrency_limit(1);
    let (client, address, seen) = serve(Server::builder().layer(layer)).await;
    let waits = tokio::spawn(client.unary::<_, StringValue>(UNARY, text("wait")));
    soon(seen.waits.notified()).await;
    let other = dunlin::client::Client::new(dunlin::Channel::builder(address).connect_lazy().unwrap());
    assert_eq!(code(soon(ask(&other, "hi")).await), (Code::Unavailable, "one at a time".to_owned()));
    waits.abort();
    soon(seen.dropped.notified()).await;
    assert_eq!(soon(ask(&other, "hi")).await.unwrap(), "echo hi");
}
