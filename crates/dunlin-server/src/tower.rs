//! The server behind other people's HTTP: a service of tower.
//!
//! Requests go to the server over HTTP/2 within the process, so that they are served as all others are.
//! This costs more than a connection of its own.

mod bridge;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use dunlin_http2::Connection;
use dunlin_transport::{Driver, Handle, Operations};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body::{Body, Frame};

use self::bridge::{Bridge, Operation};
use crate::lifetime::Limits;
use crate::serve::{InProcess, Server};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A [`Server`] as a service of tower, to be mounted beside other routes. Cheap to clone.
///
/// The HTTP around it has to speak HTTP/2, as gRPC needs trailers. What calls it is seen by methods as the
/// peer `in-process`.
#[derive(Clone)]
pub struct HttpService {
    shared: Arc<Shared>,
}

struct Shared {
    server: Server,
    /// The connection to the server, once there was a request.
    link: tokio::sync::Mutex<Option<(InProcess, Handle<Operation>)>>,
}

impl fmt::Debug for HttpService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpService").field("server", &self.shared.server).finish_non_exhaustive()
    }
}

impl From<Server> for HttpService {
    fn from(server: Server) -> Self {
        Self { shared: Arc::new(Shared { server, link: tokio::sync::Mutex::default() }) }
    }
}

impl Shared {
    /// The connection, a new one if there is none.
    async fn link(&self) -> Result<Handle<Operation>, BoxError> {
        let mut link = self.link.lock().await;
        if let Some((_, handle)) = &*link
            && !handle.is_closed()
        {
            return Ok(handle.clone());
        }
        let server = self.server.in_process_with(Limits::default());
        let (io, _) = server.connector().connect().await?;
        let engine = Connection::client(bridge::config(), tokio::time::Instant::now().into_std());
        let (handle, operations) = Operations::new();
        tokio::spawn(Driver::with_operations(io, engine, Bridge::default(), operations));
        *link = Some((server, handle.clone()));
        Ok(handle)
    }
}

/// One request and its response, as both sides of the bridge share them.
pub(crate) struct Exchange {
    state: Mutex<State>,
}

struct State {
    head: Option<(StatusCode, HeaderMap)>,
    frames: VecDeque<Frame<Bytes>>,
    /// Why there is nothing more, if not because the response is complete.
    failure: Option<String>,
    has_ended: bool,
    /// Bytes on their way to the server.
    queued: usize,
    waker: Option<Waker>,
}

impl Default for Exchange {
    fn default() -> Self {
        Self {
            state: Mutex::new(State {
                head: None,
                frames: VecDeque::new(),
                failure: None,
                has_ended: false,
                // No content before its stream is open.
                queued: usize::MAX,
                waker: None,
            }),
        }
    }
}

impl Exchange {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Changes the state, and wakes who waits.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state = self.state();
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The request's content on its way.
struct Pump<B> {
    body: Option<Pin<Box<B>>>,
    link: Handle<Operation>,
    exchange: Arc<Exchange>,
}

/// Content that may be on its way at a time.
const QUEUED: usize = 64 << 10;

impl<B> Pump<B>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Moves what can be moved now.
    fn poll(&mut self, cx: &mut Context<'_>) {
        while let Some(body) = &mut self.body {
            if self.exchange.state().queued >= QUEUED {
                return;
            }
            match body.as_mut().poll_frame(cx) {
                Poll::Pending => return,
                Poll::Ready(Some(Ok(frame))) => {
                    let Ok(mut data) = frame.into_data() else { continue };
                    let data = data.copy_to_bytes(data.remaining());
                    self.exchange.state().queued += data.len();
                    let _ = self.link.submit(Operation::Data(Arc::clone(&self.exchange), data));
                }
                Poll::Ready(Some(Err(_))) => {
                    self.body = None;
                    let _ = self.link.submit(Operation::Cancel(Arc::clone(&self.exchange)));
                }
                Poll::Ready(None) => {
                    self.body = None;
                    let _ = self.link.submit(Operation::End(Arc::clone(&self.exchange)));
                }
            }
        }
    }
}

/// Moves what can be moved now.
type PumpMore = Box<dyn FnMut(&mut Context<'_>) + Send>;

/// The content of a response.
pub struct ResponseBody {
    exchange: Arc<Exchange>,
    link: Option<Handle<Operation>>,
    /// The request's content goes on while the response is read.
    pump: Option<PumpMore>,
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").finish_non_exhaustive()
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        if let Some(link) = &self.link
            && !self.exchange.state().has_ended
        {
            let _ = link.submit(Operation::Cancel(Arc::clone(&self.exchange)));
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        {
            let mut state = self.exchange.state();
            if let Some(frame) = state.frames.pop_front() {
                let read = frame.data_ref().map_or(0, Bytes::len);
                drop(state);
                if let Some(link) = &self.link {
                    let _ = link.submit(Operation::Consumed(Arc::clone(&self.exchange), read));
                }
                return Poll::Ready(Some(Ok(frame)));
            }
            if state.has_ended {
                return Poll::Ready(state.failure.take().map(|failure| Err(failure.into())));
            }
            state.waker = Some(cx.waker().clone());
        }
        if let Some(pump) = &mut self.pump {
            pump(cx);
        }
        Poll::Pending
    }
}

impl<B> tower_service::Service<Request<B>> for HttpService
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(exchange(&shared, request).await.unwrap_or_else(|_| unavailable())) })
    }
}

/// The server in this process has ended.
fn unavailable() -> Response<ResponseBody> {
    let exchange = Arc::new(Exchange::default());
    exchange.state().has_ended = true;
    let mut response = Response::new(ResponseBody { exchange, link: None, pump: None });
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

async fn exchange<B>(shared: &Shared, request: Request<B>) -> Result<Response<ResponseBody>, BoxError>
where
    B: Body + Send + 'static,
    B::Error: Into<BoxError>,
{
    let link = shared.link().await?;
    let (head, body) = request.into_parts();
    let exchange = Arc::new(Exchange::default());
    link.submit(Operation::Begin(Arc::clone(&exchange), Box::new(head)))?;
    let mut response = ResponseBody { exchange: Arc::clone(&exchange), link: Some(link.clone()), pump: None };
    let mut pump = Pump { body: Some(Box::pin(body)), link, exchange: Arc::clone(&exchange) };
    let (status, headers) = poll_fn(|cx| {
        {
            let mut state = exchange.state();
            if let Some(head) = state.head.take() {
                return Poll::Ready(Ok(head));
            }
            if state.has_ended {
                let failure = state.failure.take();
                return Poll::Ready(Err(failure.unwrap_or_else(|| "no response".to_owned())));
            }
            state.waker = Some(cx.waker().clone());
        }
        pump.poll(cx);
        Poll::Pending
    })
    .await?;
    response.pump = Some(Box::new(move |cx| pump.poll(cx)));
    let mut response = Response::new(response);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// Fields that only concern the connection that they came on (RFC 9113 §8.2.2), or are made anew.
fn is_of_connection(name: &header::HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION
            | header::TRANSFER_ENCODING
            | header::UPGRADE
            | header::HOST
            | header::CONTENT_LENGTH
    ) || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}
