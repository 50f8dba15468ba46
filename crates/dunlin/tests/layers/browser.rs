//! What is HTTP and no gRPC, asked by hyper.

use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Collected, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tower::{Layer, Service};
use tower_http::compression::CompressionLayer;
use tower_http::cors::CorsLayer;

use dunlin::Server;
use dunlin::server::{HttpFuture, HttpService, RequestBody, ResponseBody};
use futures_util::future::{Either, Ready, ready};

use crate::harness::{ask, serve, soon};

/// One request over HTTP/2, and all of its response.
pub(crate) async fn fetch(
    address: &str,
    request: Request<&'static [u8]>,
) -> (http::response::Parts, Collected<bytes::Bytes>) {
    let io = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    let request = request.map(|content| Full::new(bytes::Bytes::from_static(content)));
    let response = soon(sender.send_request(request)).await.unwrap();
    let (head, body) = response.into_parts();
    (head, soon(body.collect()).await.unwrap())
}

/// A unary call of the echo with the text `hi`.
pub(crate) fn call(address: &str) -> http::request::Builder {
    Request::post(format!("http://{address}/test.Echo/Unary"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
}

pub(crate) const HI: &[u8] = b"\0\0\0\0\x04\x0a\x02hi";

#[tokio::test]
async fn a_preflight_is_answered_by_cors_and_calls_get_its_headers() {
    let cors = CorsLayer::new()
        .allow_origin(["https://shop.test".parse().unwrap()])
        .allow_headers(["x-tag".parse().unwrap()]);
    let (_, address, _) = serve(Server::builder().layer(cors)).await;
    let preflight = Request::options(format!("http://{address}/test.Echo/Unary"))
        .header("origin", "https://shop.test")
        .header("access-control-request-method", "POST");
    let (head, body) = fetch(&address, preflight.body(&b""[..]).unwrap()).await;
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers["access-control-allow-origin"], "https://shop.test");
    assert_eq!(head.headers["access-control-allow-headers"], "x-tag");
    assert!(body.to_bytes().is_empty());

    let (head, body) =
        fetch(&address, call(&address).header("origin", "https://shop.test").body(HI).unwrap()).await;
    assert_eq!(head.headers["access-control-allow-origin"], "https://shop.test");
    assert_eq!(body.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(&body.to_bytes()[5..], b"\x0a\x07echo hi");
}

/// Answers `/page` itself.
#[derive(Clone)]
struct Page;

#[derive(Clone)]
struct WithPage(HttpService);

impl Layer<HttpService> for Page {
    type Service = WithPage;

    fn layer(&self, inner: HttpService) -> WithPage {
        WithPage(inner)
    }
}

impl Service<Request<RequestBody>> for WithPage {
    type Response = Response<ResponseBody>;
    type Error = std::convert::Infallible;
    type Future = Either<Ready<Result<Self::Response, Self::Error>>, HttpFuture>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Self::Error>> {
        Service::<Request<RequestBody>>::poll_ready(&mut self.0, cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        match request.uri().path() {
            "/page" => {
                let page = Response::builder().header("content-type", "text/html");
                let text = bytes::Bytes::from("<p>a page</p>".repeat(1000));
                Either::Left(ready(Ok(page.body(text.into()).unwrap())))
            }
            _ => Either::Right(self.0.call(request)),
        }
    }
}

#[tokio::test]
async fn pages_are_compressed_and_calls_are_not() {
    let builder = Server::builder().layer(CompressionLayer::new()).layer(Page);
    let (client, address, _) = serve(builder).await;
    let page = Request::get(format!("http://{address}/page")).header("accept-encoding", "gzip");
    let (head, body) = fetch(&address, page.body(&b""[..]).unwrap()).await;
    assert_eq!(head.headers[header::CONTENT_ENCODING], "gzip");
    let body = body.to_bytes();
    assert_eq!(body[..2], [0x1f, 0x8b]);
    assert!(body.len() < 1000, "{}", body.len());

    let call = call(&address).header("accept-encoding", "gzip").body(HI).unwrap();
    let (head, body) = fetch(&address, call).await;
    assert_eq!(head.headers.get(header::CONTENT_ENCODING), None);
    assert_eq!(&body.to_bytes()[5..], b"\x0a\x07echo hi");
    // Both are there beside each other.
    assert_eq!(soon(ask(&client, "hi")).await.unwrap(), "echo hi");
}

#[tokio::test]
async fn what_nobody_serves_is_answered_as_without_layers() {
    let (_, address, _) = serve(Server::builder().layer(CorsLayer::permissive())).await;
    let get = Request::get(format!("http://{address}/test.Echo/Unary")).body(&b""[..]).unwrap();
    let (head, _) = fetch(&address, get).await;
    assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(head.headers["allow"], "POST");
    let text =
        Request::post(format!("http://{address}/test.Echo/Unary")).header("content-type", "text/plain");
    let (head, _) = fetch(&address, text.body(&b"hi"[..]).unwrap()).await;
    assert_eq!(head.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}
