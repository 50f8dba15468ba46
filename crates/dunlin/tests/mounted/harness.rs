//! The service of the other tests, mounted in axum and in hyper.

#[path = "../calls/harness.rs"]
#[allow(dead_code, reason = "not all of it is needed here")]
mod plain;

use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use dunlin::client::Client;
use dunlin::server::HttpService;
use dunlin::{Channel, Server};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;

pub(crate) use plain::*;

/// Headers of responses that hyper adds.
pub(crate) const ADDED: &[&str] = &["date"];

/// The service, as one of tower.
pub(crate) fn service() -> (HttpService, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server = Server::builder().methods(|methods| add(methods, Arc::clone(&seen))).build().unwrap();
    (HttpService::from(server), seen)
}

/// Beside a page, in axum.
pub(crate) async fn in_axum(service: HttpService) -> String {
    let router = Router::new()
        .route("/health", get(|| async { "fine" }))
        .route_service("/test.Echo/{method}", service.clone())
        .fallback_service(service);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(axum::serve(listener, router).into_future());
    address
}

/// Alone, in hyper.
pub(crate) fn in_hyper(service: HttpService) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let listener = TcpListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = auto::Builder::new(TokioExecutor::new());
                // A client that goes away is no fault of the server.
                let _ = builder.serve_connection(TokioIo::new(io), service).await;
            });
        }
    });
    address
}

pub(crate) fn client(address: String) -> Client {
    Client::new(Channel::builder(address).connect_lazy().unwrap())
}

pub(crate) async fn over_tcp() -> (Client, Arc<Seen>) {
    let (service, seen) = service();
    (client(in_axum(service).await), seen)
}

/// Not in this process alone, but the tests of all servers call it so.
pub(crate) fn in_process() -> (Client, Arc<Seen>) {
    let (service, seen) = service();
    (client(in_hyper(service)), seen)
}
