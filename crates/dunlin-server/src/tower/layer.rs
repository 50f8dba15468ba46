//! Layers around the router.

use std::any::Any;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use dunlin_grpc::intercept::Panicked;
use dunlin_grpc::{CallKind, Method, Status};
use http::{Request, Response, StatusCode};
use http_body::Body;

use super::body::status_of;
use super::{
    BoxError, HttpService, Kind, RequestBody, Responding, ResponseBody, convert, plain, trailers_only,
};
use crate::builder::Builder;

/// A layer that is not applied yet.
pub(crate) type AnyLayer = Box<dyn FnOnce(HttpService) -> HttpService + Send + Sync>;

/// A service with layers around it, of any type.
pub(super) trait Layered: Send + Sync {
    fn call(&self, request: Request<RequestBody>) -> Responding;
}

/// A service whose errors become responses.
struct Answering<S>(S);

impl<S, B> Layered for Answering<S>
where
    S: tower_service::Service<Request<RequestBody>, Response = Response<B>>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn call(&self, request: Request<RequestBody>) -> Responding {
        let mut service = self.0.clone();
        Box::pin(async move {
            let is_grpc = convert::is_grpc(request.headers());
            let uri = request.uri().clone();
            let asked = caught(async {
                let ready = poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into);
                match ready {
                    Ok(()) => service.call(request).await.map_err(Into::into),
                    Err(error) => Err(error),
                }
            });
            Ok(match asked.await {
                Ok(Ok(response)) => response.map(ResponseBody::new),
                Ok(Err(error)) => answer(&*error, is_grpc),
                Err(panic) => answer(&incident(uri.path(), &*panic), is_grpc),
            })
        })
    }
}

/// A future whose panic is a value.
async fn caught<F: Future>(future: F) -> Result<F::Output, Box<dyn Any + Send>> {
    let mut future = pin!(future);
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
        Ok(poll) => poll.map(Ok),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

/// How a call ends in whose layers something panicked.
pub(super) fn incident(path: &str, panic: &(dyn Any + Send)) -> Status {
    let method = Method::from_path(path, CallKind::BidiStreaming);
    Panicked::status(&method.unwrap_or(Method::new("", "", "", CallKind::BidiStreaming)), panic)
}

/// What an error of a layer is to whoever asks.
fn answer(error: &(dyn Error + 'static), is_grpc: bool) -> Response<ResponseBody> {
    let status = status_of(error).cloned();
    if status.is_none() {
        // What it says may not be for the client.
        tracing::warn!(error, "a layer failed");
    }
    match is_grpc {
        true => trailers_only(&status.unwrap_or_else(|| Status::internal("a layer of the server failed"))),
        false => plain(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

impl Builder {
    /// A layer of tower around all services, within those that were added before: of `tower-http`, `tower`,
    /// or your own. None, which costs nothing.
    ///
    /// Requests of all four kinds of calls go through it as HTTP, whatever transport they came over, and so
    /// does what is no gRPC, such as the preflight of a browser. It may change headers and trailers, wrap
    /// the contents, and answer itself: what it answers with an HTTP status is what gRPC clients make of
    /// that status (401 is UNAUTHENTICATED, 503 UNAVAILABLE). An error of a layer that is a [`Status`], or
    /// has one as its source, ends the call with it; other errors, and panics, are logged and end it with
    /// INTERNAL.
    ///
    /// Requests have an extension [`Arc<Peer>`](crate::Peer); those that layers add are what
    /// [`CallHandle::http_extension`](crate::CallHandle::http_extension) gives. A call that is cancelled
    /// drops the layers' futures and the contents. [Interceptors](Self::interceptor) stand within all
    /// layers; they see calls and messages, and cost far less.
    ///
    /// With layers each request has a task of its own, so [`placement`](Self::placement) does not matter.
    /// Each layer that is added here costs two allocations for a call. Many can be added as one, by
    /// `tower::ServiceBuilder`.
    ///
    /// ```
    /// use dunlin_server::Server;
    /// use tower_http::cors::CorsLayer;
    /// use tower_http::trace::TraceLayer;
    ///
    /// let server = Server::builder()
    ///     .layer(TraceLayer::new_for_grpc())
    ///     .layer(CorsLayer::permissive())
    ///     .build()?;
    /// # Ok::<(), dunlin_server::BuildError>(())
    /// ```
    pub fn layer<L, B>(mut self, layer: L) -> Self
    where
        L: tower_layer::Layer<HttpService> + Send + Sync + 'static,
        L::Service: tower_service::Service<Request<RequestBody>, Response = Response<B>>,
        L::Service: Clone + Send + Sync + 'static,
        <L::Service as tower_service::Service<Request<RequestBody>>>::Future: Send + 'static,
        <L::Service as tower_service::Service<Request<RequestBody>>>::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Error: Into<BoxError>,
    {
        self.layers.push(Box::new(move |inner| {
            let kind = Kind::Layered(std::sync::Arc::new(Answering(layer.layer(inner))));
            HttpService { kind }
        }));
        self
    }
}
