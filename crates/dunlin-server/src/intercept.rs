//! Methods within their interceptors.

use std::any::{Any, TypeId};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use dunlin_grpc::codec::Payload;
use dunlin_grpc::framing::{Outgoing, PREFIX_LEN};
use dunlin_grpc::halves::Host;
use dunlin_grpc::intercept::{CallContext, CallView, Core, Counts, Panicked, Side};
use dunlin_grpc::{Metadata, Method, Status};

use crate::call::ServerCall;
use crate::running::{Answer, Handler, Request, Running};

/// A method that interceptors stand around, or look at.
pub(crate) struct Intercepted(pub(crate) Arc<dyn Handler>);

impl Handler for Intercepted {
    fn start(
        &self,
        call: &Arc<ServerCall>,
        request: Option<Request<'_>>,
    ) -> Result<Box<dyn Running>, Status> {
        if let Some(request) = &request {
            call.halves.count_received(request.payload.as_slice().len());
        }
        let Some(chain) = call.chain.clone() else { return self.0.start(call, request) };
        if !chain.is_around() {
            let inner = self.0.start(call, request)?;
            return Ok(Box::new(Counted { inner: Some(inner), call: Arc::clone(call) }));
        }
        let share = Arc::new(Mutex::new(Outgoing::default()));
        let mut core = MethodCore {
            handler: Arc::clone(&self.0),
            call: Arc::clone(call),
            request: request.map(Kept::new),
            running: None,
            has_begun: false,
            out: Arc::clone(&share),
        };
        let mut cx = CallContext::new(Arc::clone(call) as _);
        let future = async move {
            let result = chain.run(&mut cx, &mut core).await;
            let result = result.and_then(|()| core.check());
            Answer { result, trailers: cx.into_trailers() }
        };
        Ok(Box::new(Around { future: Box::pin(future), out: share }))
    }
}

/// The one request, kept until the interceptors let the method begin.
struct Kept {
    payload: Bytes,
    is_compressed: bool,
}

impl Kept {
    fn new(request: Request<'_>) -> Self {
        Self { payload: request.payload.to_bytes(), is_compressed: request.is_compressed }
    }
}

fn lock(out: &Mutex<Outgoing>) -> MutexGuard<'_, Outgoing> {
    match out.lock() {
        Ok(out) => out,
        Err(poisoned) => poisoned.into_inner(),
    }
}

/// The method, innermost.
struct MethodCore {
    handler: Arc<dyn Handler>,
    call: Arc<ServerCall>,
    request: Option<Kept>,
    running: Option<Box<dyn Running>>,
    has_begun: bool,
    /// The one response. Only the task that polls is ever here.
    out: Arc<Mutex<Outgoing>>,
}

impl MethodCore {
    /// A call that ends well has its one response.
    fn check(&self) -> Result<(), Status> {
        if self.call.method().kind().has_one_response() && lock(&self.out).is_empty() {
            let message = "an interceptor has answered OK in place of the method, so there is no response";
            return Err(Status::internal(message));
        }
        Ok(())
    }

    fn poll_method(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        if !std::mem::replace(&mut self.has_begun, true) {
            let request = self.request.take();
            let request = request.as_ref().map(|kept| Request {
                payload: Payload::Shared(&kept.payload),
                is_compressed: kept.is_compressed,
            });
            match self.handler.start(&self.call, request) {
                Ok(running) => self.running = Some(running),
                Err(status) => return Poll::Ready(Answer::of(status)),
            }
        }
        let Some(running) = &mut self.running else {
            return Poll::Ready(Answer::of(Status::internal("the method was polled after its end")));
        };
        let mut out = lock(&self.out);
        let answer = ready!(running.poll(cx, &mut out));
        let len = out.len();
        drop(out);
        if len > 0 {
            self.call.halves.count_sent(len.saturating_sub(PREFIX_LEN));
        }
        if let Some(running) = self.running.take() {
            running.recycle();
        }
        Poll::Ready(answer)
    }
}

impl Core for MethodCore {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Result<(), Status>, Metadata)> {
        let answer = match catch_unwind(AssertUnwindSafe(|| self.poll_method(cx))) {
            Ok(answer) => ready!(answer),
            Err(panic) => {
                // What is left of the method is dropped here, where that may panic too.
                let rest = self.running.take();
                let _ = catch_unwind(AssertUnwindSafe(|| drop(rest)));
                lock(&self.out).clear();
                Answer::of(Panicked::status(self.call.method(), &*panic))
            }
        };
        Poll::Ready((answer.result, answer.trailers))
    }
}

/// A method with interceptors around it.
struct Around {
    future: Pin<Box<dyn Future<Output = Answer> + Send>>,
    out: Arc<Mutex<Outgoing>>,
}

impl Running for Around {
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<Answer> {
        let answer = ready!(self.future.as_mut().poll(cx));
        let mut response = lock(&self.out);
        match answer.result {
            Ok(()) => std::mem::swap(out, &mut response),
            Err(_) => response.clear(),
        }
        drop(response);
        Poll::Ready(answer)
    }

    fn recycle(self: Box<Self>) {}
}

/// A method that interceptors only look at: its one response is counted for them.
struct Counted {
    inner: Option<Box<dyn Running>>,
    call: Arc<ServerCall>,
}

impl Running for Counted {
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<Answer> {
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Answer::of(Status::internal("the method was polled after its end")));
        };
        let answer = ready!(inner.poll(cx, out));
        if !out.is_empty() {
            self.call.halves.count_sent(out.len().saturating_sub(PREFIX_LEN));
        }
        Poll::Ready(answer)
    }

    fn recycle(mut self: Box<Self>) {
        self.inner.take().into_iter().for_each(Running::recycle);
    }
}

/// What answers calls of methods that are not there, so that interceptors see them.
pub(crate) struct Unknown;

impl Handler for Unknown {
    fn start(&self, call: &Arc<ServerCall>, _: Option<Request<'_>>) -> Result<Box<dyn Running>, Status> {
        Err(call.settings.router.missing(call.method().path()))
    }
}

impl CallView for ServerCall {
    fn side(&self) -> Side {
        Side::Server
    }

    fn method(&self) -> &Method {
        Self::method(self)
    }

    fn is_registered(&self) -> bool {
        self.own_method.is_none()
    }

    fn authority(&self) -> &str {
        self.headers.authority().unwrap_or_default()
    }

    fn peer(&self) -> Option<String> {
        Some(self.peer.client_address().to_string())
    }

    fn connection(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        Some(Arc::clone(&self.peer) as _)
    }

    fn began(&self) -> Instant {
        self.began
    }

    fn deadline(&self) -> Option<Instant> {
        Self::deadline(self)
    }

    fn limit_deadline(&self, deadline: Instant) {
        Self::limit_deadline(self, deadline);
    }

    fn incoming(&self) -> &Metadata {
        self.metadata()
    }

    fn change_outgoing(&self, change: &mut dyn FnMut(&mut Metadata)) -> Result<(), Status> {
        self.with_headers(change)
    }

    fn counts(&self) -> Counts {
        Host::halves(self).counts()
    }

    fn insert_any(&self, of: TypeId, value: Arc<dyn Any + Send + Sync>) {
        self.insert_extension(of, value);
    }

    fn any(&self, of: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.extension(of)
    }
}
