//! The server among other people's HTTP: as a service of tower, and with layers of tower around it.
//!
//! A call is then served as all others are, with what carries it in place of HTTP/2 (`carrier`), by
//! whoever polls its response (`local`); once its response streams, by a task (`flow`). Around the server's
//! own connections the requests that their engine has read go through the layers first (`connection`,
//! `exchange`).

mod body;
mod carrier;
mod connection;
mod convert;
mod exchange;
mod flow;
mod layer;
mod local;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dunlin_transport::Address;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::Body;

pub use self::body::{RequestBody, ResponseBody};
use self::carrier::Carrier;
pub(crate) use self::connection::{LayeredConnection, Operation};
use self::flow::Flowing;
pub(crate) use self::layer::AnyLayer;
use self::layer::Layered;
use self::local::{Local, Origin};
use crate::builder::Settings;
use crate::call::{CallHandle, Peer};
use crate::serve::Server;

pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A response that is on its way.
pub(crate) type Responding = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>, Infallible>> + Send>>;

/// A [`Server`] as a service of tower, with the [layers](crate::Builder::layer) that it has: to be mounted
/// beside other routes, or within layers. Cheap to clone.
///
/// The HTTP around it has to speak HTTP/2, as gRPC needs trailers; it may speak HTTP/1.1 as well, on the
/// same port, for other routes. It brings its own limits of connections, streams and header lists.
///
/// Methods see a peer `in-process`, unless the request has an extension [`Arc<Peer>`](Peer). What else
/// layers add to the request's extensions they get by [`CallHandle::http_extension`]. A call ends when its
/// response is dropped.
///
/// ```
/// use axum::Router;
/// use axum::routing::get;
/// use dunlin_server::{HttpService, Server};
///
/// # fn router() -> Result<Router, dunlin_server::BuildError> {
/// let server = Server::builder().build()?; // with services
/// let router = Router::new()
///     .route("/health", get(|| async { "fine" }))
///     .route_service("/shop.v1.ShopService/{method}", HttpService::from(server));
/// # Ok(router)
/// # }
/// ```
#[derive(Clone)]
pub struct HttpService {
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Router(Arc<Router>),
    Layered(Arc<dyn Layered>),
}

/// Innermost: the methods.
struct Router {
    settings: Arc<Settings>,
    /// Of requests that come from elsewhere.
    origin: Arc<Origin>,
    peer: Arc<Peer>,
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match &self.kind {
            Kind::Router(_) => "router",
            Kind::Layered(_) => "layers",
        };
        f.debug_struct("HttpService").field("kind", &kind).finish_non_exhaustive()
    }
}

impl From<Server> for HttpService {
    fn from(server: Server) -> Self {
        server.layered().cloned().unwrap_or_else(|| Self::new(server.settings()))
    }
}

impl HttpService {
    pub(crate) fn new(settings: &Arc<Settings>) -> Self {
        let peer = Arc::new(Peer::new(Address::InProcess, Address::InProcess));
        let router = Router { settings: Arc::clone(settings), origin: Arc::default(), peer };
        Self { kind: Kind::Router(Arc::new(router)) }
    }
}

impl<B> tower_service::Service<Request<B>> for HttpService
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = HttpFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> HttpFuture {
        let request = request.map(RequestBody::new);
        HttpFuture(match &self.kind {
            Kind::Router(router) => router.call(request),
            Kind::Layered(layered) => layered.call(request),
        })
    }
}

/// The response of an [`HttpService`], which never fails: errors are responses too.
#[must_use = "futures do nothing unless polled"]
pub struct HttpFuture(Responding);

impl fmt::Debug for HttpFuture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HttpFuture")
    }
}

impl Future for HttpFuture {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(cx)
    }
}

impl Router {
    fn call(&self, request: Request<RequestBody>) -> Responding {
        let (head, body) = request.into_parts();
        let Ok(headers) = convert::list_of_request(&head) else {
            return Box::pin(std::future::ready(Ok(plain(StatusCode::BAD_REQUEST))));
        };
        let peer = head.extensions.get::<Arc<Peer>>().unwrap_or(&self.peer);
        let origin = head.extensions.get::<Arc<Origin>>().unwrap_or(&self.origin);
        let (peer, origin) = (Arc::clone(peer), Arc::clone(origin));
        let carrier = Carrier::new(head.extensions);
        Box::pin(Call(Some(Local::new(&self.settings, origin, peer, carrier, headers, body))))
    }
}

/// A call, until its response begins.
struct Call(Option<Local>);

impl Future for Call {
    type Output = Result<Response<ResponseBody>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(local) = &mut self.0 else { return Poll::Pending };
        local.poll(cx);
        let Some((status, headers)) = local.carrier.head.take() else {
            // Headers that can not be sent are the one reason to end without them.
            let is_over = local.carrier.has_ended();
            return if is_over {
                Poll::Ready(Ok(plain(StatusCode::INTERNAL_SERVER_ERROR)))
            } else {
                Poll::Pending
            };
        };
        let body = match (local.carrier.has_ended(), local.carrier.failure(), self.0.take()) {
            (true, None, Some(mut local)) => ResponseBody::whole(std::mem::take(&mut local.carrier.frames)),
            (_, _, Some(local)) => ResponseBody::flowing(Flowing::spawn(local)),
            (_, _, None) => ResponseBody::default(),
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Poll::Ready(Ok(response))
    }
}

/// A response for whoever knows HTTP only.
pub(crate) fn plain(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::default());
    *response.status_mut() = status;
    response
}

/// A call that ends with a status at once.
pub(crate) fn trailers_only(status: &dunlin_grpc::Status) -> Response<ResponseBody> {
    let none = dunlin_grpc::Metadata::new();
    let end = dunlin_grpc::head::EndFields::new(Some(status), &none);
    let fields = end.fields();
    let mut response = plain(StatusCode::OK);
    // A status whose metadata is no header still has its code and its message.
    let headers = convert::map_of_fields(fields[..].into()).map(|(_, headers)| headers).unwrap_or_default();
    *response.headers_mut() = headers;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

impl CallHandle {
    /// A value that a layer of tower has added to the request's extensions; see
    /// [`Builder::layer`](crate::Builder::layer).
    pub fn http_extension<T: Clone + Send + Sync + 'static>(&self) -> Option<T> {
        self.extension::<http::Extensions>()?.get::<T>().cloned()
    }
}
