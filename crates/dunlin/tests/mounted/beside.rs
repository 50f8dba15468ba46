//! Routes of other kinds, many calls, and the end.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dunlin::protobuf::wkt::StringValue;
use dunlin::server::{Address, HttpService, Methods, Peer};
use dunlin::{CallKind, Code, Method, Server, ServerContext, Status};
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::harness::{UNARY, add, ask, client, in_axum, in_hyper, service, soon, text};

/// A whole response over HTTP/1.1.
async fn http1(address: &str, request: &str) -> String {
    let mut io = TcpStream::connect(address).await.unwrap();
    io.write_all(request.replace('\n', "\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    soon(io.read_to_string(&mut response)).await.unwrap();
    response
}

#[tokio::test]
async fn pages_over_http_1_and_calls_share_a_port() {
    let (service, _) = service();
    let address = in_axum(service).await;
    let client = client(address.clone());
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
    let page = http1(&address, "GET /health HTTP/1.1\nhost: shop\nconnection: close\n\n").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\nfine"), "{page}");
    // A browser that comes to a call is told what it needs.
    let get = http1(&address, "GET /test.Echo/Unary HTTP/1.1\nhost: shop\nconnection: close\n\n").await;
    assert!(get.starts_with("HTTP/1.1 405 "), "{get}");
    assert!(get.contains("\r\nallow: POST\r\n"), "{get}");
    assert_eq!(soon(ask(&client, "again")).await.unwrap(), "echo again");
}

const WAIT: Method = Method::new("test.Wait", "Wait", "/test.Wait/Wait", CallKind::Unary);

/// How many are at work.
#[derive(Default)]
struct Work {
    begun: Notify,
    count: AtomicUsize,
}

struct One(Arc<Work>);

impl Drop for One {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.begun.notify_one();
    }
}

fn waiting(methods: &mut Methods, work: &Arc<Work>) {
    let work = Arc::clone(work);
    methods.unary(WAIT, move |cx: ServerContext, _: StringValue| {
        let work = Arc::clone(&work);
        async move {
            work.count.fetch_add(1, Ordering::Relaxed);
            let _one = One(Arc::clone(&work));
            work.begun.notify_one();
            pending::<()>().await;
            (cx, Ok(text("")))
        }
    });
}

impl Work {
    async fn until(&self, count: usize) {
        while self.count.load(Ordering::Relaxed) != count {
            soon(self.begun.notified()).await;
        }
    }
}

/// More than one connection's calls, so that none of them could be a limit within the process.
#[tokio::test]
async fn calls_at_work_are_limited_by_the_http_around_only() {
    let work = Arc::new(Work::default());
    let server = Server::builder().max_concurrent_streams(4).methods(|methods| {
        waiting(methods, &work);
        add(methods, Arc::default());
    });
    let address = in_hyper(HttpService::from(server.build().unwrap()));
    let clients: Vec<_> = (0..4).map(|_| client(address.clone())).collect();
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..400 {
        calls.spawn(clients[number % 4].unary::<_, StringValue>(WAIT, text("")).into_future());
    }
    work.until(400).await;
    assert_eq!(soon(ask(&clients[0], "hi")).await.unwrap(), "echo hi");
    calls.shutdown().await;
    work.until(0).await;
}

#[tokio::test]
async fn a_response_that_is_dropped_ends_its_call() {
    let work = Arc::new(Work::default());
    let server = Server::builder().methods(|methods| waiting(methods, &work)).build().unwrap();
    let mut service = HttpService::from(server);
    let request = Request::post("/test.Wait/Wait").header("content-type", "application/grpc");
    let request = request.body(Full::new(bytes::Bytes::from_static(b"\0\0\0\0\0"))).unwrap();
    let response = tokio::spawn(service.call(request));
    work.until(1).await;
    // There is no task that the service would keep.
    drop(service);
    response.abort();
    work.until(0).await;
}

const WHO: Method = Method::new("test.Who", "Who", "/test.Who/Who", CallKind::Unary);

#[tokio::test]
async fn the_peer_is_who_an_extension_says() {
    let who = |cx: ServerContext, _: StringValue| async move {
        let peer = text(cx.peer().peer.to_string());
        (cx, Ok::<_, Status>(peer))
    };
    let server = Server::builder().methods(|methods: &mut Methods| methods.unary(WHO, who)).build().unwrap();
    let service = HttpService::from(server);
    let client_address: std::net::SocketAddr = "192.0.2.7:80".parse().unwrap();
    for (peer, wanted) in [
        (None, "in-process"),
        (Some(Peer::new(Address::InProcess, Address::from(client_address))), "192.0.2.7:80"),
    ] {
        let mut request = Request::post("/test.Who/Who")
            .header("content-type", "application/grpc")
            .body(Full::new(bytes::Bytes::from_static(b"\0\0\0\0\0")))
            .unwrap();
        request.extensions_mut().extend(
            peer.map(|peer| {
                let mut extensions = http::Extensions::new();
                extensions.insert(Arc::new(peer));
                extensions
            })
            .unwrap_or_default(),
        );
        let response = soon(service.clone().oneshot(request)).await.unwrap();
        let body = soon(response.into_body().collect()).await.unwrap();
        assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(&body.to_bytes()[7..], wanted.as_bytes());
    }
}

#[tokio::test]
async fn layers_of_the_server_are_mounted_with_it() {
    let header = SetResponseHeaderLayer::overriding(
        http::HeaderName::from_static("x-layer"),
        http::HeaderValue::from_static("1"),
    );
    let server = Server::builder().layer(header).methods(|methods| add(methods, Arc::default()));
    let service = HttpService::from(server.build().unwrap());
    // And others around the service as a whole.
    let client = client(in_axum(service).await);
    let response = soon(client.unary::<_, StringValue>(UNARY, text("hi")).response()).await.unwrap();
    assert_eq!(response.headers().get("x-layer"), Some("1"));
}

#[tokio::test]
async fn a_request_that_breaks_off_cancels_its_call() {
    let (service, _) = service();
    let body = futures_util::stream::iter([Err::<http_body::Frame<bytes::Bytes>, _>("the line is dead")]);
    let request = Request::post("/test.Echo/Upload").header("content-type", "application/grpc");
    let request = request.body(http_body_util::StreamBody::new(body)).unwrap();
    let stack = ServiceBuilder::new().service(service);
    let response = soon(stack.oneshot(request)).await.unwrap();
    let status = response.headers().get("grpc-status").cloned();
    assert_eq!(status.unwrap(), Code::Cancelled.as_wire());
}
