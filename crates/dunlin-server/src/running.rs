//! Methods at work.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use dunlin_grpc::codec::{CodecRef, Payload};
use dunlin_grpc::framing::Outgoing;
use dunlin_grpc::halves::Host;
use dunlin_grpc::intercept::{Direction, Panicked};
use dunlin_grpc::stream::decompress;
use dunlin_grpc::{Encoding, MessageInfo, Metadata, Status, ambient};
use dunlin_protobuf::Limits;
use dunlin_transport::Handle;

use crate::call::ServerCall;
use crate::connection::Operation;
use crate::context::ServerContext;

/// The one request of a call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'r> {
    pub(crate) payload: Payload<'r>,
    pub(crate) is_compressed: bool,
}

impl Request<'_> {
    /// Its value, and what is known of it besides.
    pub(crate) fn decode<Q: 'static>(
        self,
        call: &ServerCall,
        codec: &CodecRef<Q>,
    ) -> Result<(Q, MessageInfo), Status> {
        let limits = Limits::default().size(call.reading.limit.max(1));
        let mut info = MessageInfo::default();
        info.is_compressed = self.is_compressed;
        info.wire_len = self.payload.as_slice().len();
        let value = match self.is_compressed {
            false => codec.decode(self.payload, limits)?,
            true => {
                let plain = decompress(self.payload.as_slice(), call.reading)?.into();
                codec.decode(Payload::Shared(&plain), limits)?
            }
        };
        if call.is_observed()
            && let Some(message) = codec.message_ref(&value)
        {
            call.observe(Direction::Received, message)?;
        }
        Ok((value, info))
    }
}

/// How a method ended. Its one response, if it has one, is beside it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) result: Result<(), Status>,
    pub(crate) trailers: Metadata,
}

impl Answer {
    pub(crate) fn of(status: Status) -> Self {
        Self { result: Err(status), trailers: Metadata::new() }
    }
}

/// What serves a method.
pub(crate) trait Handler: Send + Sync {
    /// Begins a call; with the request, if the method has exactly one.
    fn start(&self, call: &Arc<ServerCall>, request: Option<Request<'_>>)
    -> Result<Box<dyn Running>, Status>;
}

/// A method that has begun.
pub(crate) trait Running: Send {
    /// Goes on with it. The one response is appended to `out`.
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<Answer>;

    /// Keeps the memory for another call.
    fn recycle(self: Box<Self>);
}

/// A method as a function that begins it. `R` is its one response, or `()`.
pub(crate) struct Entry<B, F, R: 'static> {
    begin: B,
    pool: Arc<Pool<F, R>>,
}

/// Memory of calls that are over.
struct Pool<F, R: 'static> {
    #[expect(clippy::vec_box, reason = "the boxes are what is kept")]
    free: Mutex<Vec<Box<Run<F, R>>>>,
    response: Option<CodecRef<R>>,
}

/// Calls whose memory is kept, for each method.
const POOL: usize = 64;

struct Run<F, R: 'static> {
    future: Pin<Box<Option<F>>>,
    pool: Arc<Pool<F, R>>,
}

impl<B, F, R> Entry<B, F, R>
where
    B: Fn(&Arc<ServerCall>, Option<Request<'_>>) -> Result<F, Status>,
{
    pub(crate) fn new(begin: B, response: Option<CodecRef<R>>) -> Self {
        Self { begin, pool: Arc::new(Pool { free: Mutex::default(), response }) }
    }
}

impl<B, F, R> Handler for Entry<B, F, R>
where
    B: Fn(&Arc<ServerCall>, Option<Request<'_>>) -> Result<F, Status> + Send + Sync,
    F: Future<Output = (ServerContext, Result<R, Status>)> + Send + 'static,
    R: Send + 'static,
{
    fn start(
        &self,
        call: &Arc<ServerCall>,
        request: Option<Request<'_>>,
    ) -> Result<Box<dyn Running>, Status> {
        let future = (self.begin)(call, request)?;
        let free = self.pool.free.lock().ok().and_then(|mut free| free.pop());
        let mut run =
            free.unwrap_or_else(|| Box::new(Run { future: Box::pin(None), pool: Arc::clone(&self.pool) }));
        run.future.set(Some(future));
        Ok(run)
    }
}

impl<F, R> Running for Run<F, R>
where
    F: Future<Output = (ServerContext, Result<R, Status>)> + Send + 'static,
    R: Send + 'static,
{
    fn poll(&mut self, cx: &mut Context<'_>, out: &mut Outgoing) -> Poll<Answer> {
        let Some(future) = self.future.as_mut().as_pin_mut() else {
            return Poll::Ready(Answer::of(Status::internal("the method was polled after its end")));
        };
        let (context, result) = ready!(future.poll(cx));
        let result = result.and_then(|response| match &self.pool.response {
            None => Ok(()),
            Some(codec) => {
                if context.call.is_observed()
                    && let Some(message) = codec.message_ref(&response)
                {
                    context.call.observe(Direction::Sent, message)?;
                }
                let encoding = match context.is_plain {
                    true => Encoding::Identity,
                    false => context.call.encoding(),
                };
                out.push(encoding, context.call.settings.max_send, |out| codec.encode(response, out))
            }
        });
        Poll::Ready(Answer { result, trailers: context.trailers })
    }

    fn recycle(mut self: Box<Self>) {
        self.future.set(None);
        let pool = Arc::clone(&self.pool);
        if let Ok(mut free) = pool.free.lock()
            && free.len() < POOL
        {
            free.push(self);
        }
    }
}

/// Polls a method once, with everything that has to be around it. A panic is an answer, and the memory
/// is not used again.
pub(crate) fn poll_caught(
    running: &mut Option<Box<dyn Running>>,
    call: &ServerCall,
    cx: &mut Context<'_>,
    out: &mut Outgoing,
) -> Poll<Answer> {
    let Some(work) = running else {
        return Poll::Ready(Answer::of(Status::internal("the method was polled after its end")));
    };
    let poll = || ambient::enter(call.ambient(), || work.poll(cx, out));
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(answer)) => {
            let work = running.take();
            // Dropping what the method held is its own code too.
            let recycle = || work.into_iter().for_each(Running::recycle);
            match catch_unwind(AssertUnwindSafe(recycle)) {
                Ok(()) => Poll::Ready(answer),
                Err(panic) => Poll::Ready(incident(call, &*panic)),
            }
        }
        Err(panic) => {
            out.small.clear();
            out.large = bytes::Bytes::new();
            let work = running.take();
            let _ = catch_unwind(AssertUnwindSafe(|| drop(work)));
            Poll::Ready(incident(call, &*panic))
        }
    }
}

/// How a call ends whose method panicked.
pub(crate) fn incident(call: &ServerCall, panic: &(dyn std::any::Any + Send)) -> Answer {
    Answer::of(Panicked::status(call.method(), panic))
}

/// A method in a task of its own.
pub(crate) struct Elsewhere {
    running: Option<Box<dyn Running>>,
    call: Arc<ServerCall>,
    link: Handle<Operation>,
}

impl Elsewhere {
    pub(crate) fn new(running: Box<dyn Running>, call: Arc<ServerCall>) -> Self {
        let link = call.link.clone();
        Self { running: Some(running), call, link }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            // The stream was held for as long as this is at work.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(running)));
            if let Err(panic) = dropped {
                incident(&self.call, &*panic);
            }
            let _ = self.link.submit(Operation::Gone(self.call.key));
        }
    }
}

impl Future for Elsewhere {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut out = Outgoing::default();
        let answer = ready!(poll_caught(&mut this.running, &this.call, cx, &mut out));
        // If the connection is closed, there is nobody to tell.
        let _ = this.link.submit(Operation::Done(Arc::clone(&this.call), answer, out));
        Poll::Ready(())
    }
}
