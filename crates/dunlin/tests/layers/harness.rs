//! The service of the other tests, with layers around it.

#[path = "../calls/harness.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod plain;

use std::sync::Arc;

use dunlin::client::Client;
use dunlin::server::Builder;
use dunlin::{Channel, Server};
use http::header::AUTHORIZATION;
use tower::ServiceBuilder;
use tower_http::add_extension::AddExtensionLayer;
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveHeadersLayer;
use tower_http::timeout::TimeoutLayer;
use tower_http::trace::TraceLayer;

pub(crate) use plain::*;

/// Headers of responses that the layers add.
pub(crate) const ADDED: &[&str] =
    &["x-request-id", "vary", "access-control-allow-origin", "access-control-expose-headers"];

/// One that is found, or not, by methods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(pub(crate) &'static str);

/// What people put around their servers, some of it one by one, some of it as one.
pub(crate) fn layered() -> Builder {
    let stack = ServiceBuilder::new()
        .layer(SetSensitiveHeadersLayer::new([AUTHORIZATION]))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(AddExtensionLayer::new(Tag("added")))
        .layer(TimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, LONG));
    Server::builder()
        .layer(TraceLayer::new_for_grpc())
        .layer(CorsLayer::permissive())
        .layer(CompressionLayer::new())
        .layer(stack)
}

/// More than any test takes.
const LONG: std::time::Duration = std::time::Duration::from_secs(300);

/// Serves it on a port of its own, as long as the runtime lives.
pub(crate) async fn serve(builder: Builder) -> (Client, String, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let bound = builder.methods(|methods| add(methods, Arc::clone(&seen))).bind("127.0.0.1:0").await.unwrap();
    let address = bound.local_addr().to_string();
    tokio::spawn(bound.serve());
    (Client::new(Channel::builder(address.clone()).connect_lazy().unwrap()), address, seen)
}

pub(crate) async fn over_tcp() -> (Client, Arc<Seen>) {
    let (client, _, seen) = serve(layered()).await;
    (client, seen)
}

pub(crate) fn in_process() -> (Client, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server = layered().methods(|methods| add(methods, Arc::clone(&seen))).build().unwrap();
    (Client::new(Channel::in_process(server.in_process().connector())), seen)
}
