//! Calls within their interceptors.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use dunlin_grpc::ambient::{self, Scoped};
use dunlin_grpc::halves::{End, Whole};
use dunlin_grpc::intercept::{CallContext, CallView, Chain, Core, Counts, Side};
use dunlin_grpc::{Metadata, Method, Status};
use dunlin_transport::ConnectionInfo;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tracing::Instrument;

use crate::call::ClientCall;
use crate::channel::Channel;
use crate::dial::BoxFuture;
use crate::start::{Live, Start};

/// The interceptors of one call, and what they see of it.
pub(crate) struct Interception {
    pub(crate) chain: Arc<Chain>,
    channel: Channel,
    method: Method,
    began: Instant,
    /// Nanoseconds after the begin; `NEVER` without one.
    deadline: AtomicU64,
    connection: OnceLock<Arc<ConnectionInfo>>,
    incoming: OnceLock<Metadata>,
    call: OnceLock<Weak<ClientCall>>,
    state: Mutex<State>,
    /// The call itself is at work, and sees to its deadline.
    is_running: AtomicBool,
    has_told_end: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Until it is on its way.
    outgoing: Option<Metadata>,
    /// Once the call is over.
    counts: Option<Counts>,
    extensions: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
    /// The end of the call goes to the interceptors first.
    is_held: bool,
    end: Option<End>,
    waker: Option<Waker>,
}

/// No deadline.
const NEVER: u64 = u64::MAX;

fn nanos(began: Instant, deadline: Instant) -> u64 {
    u64::try_from(deadline.saturating_duration_since(began).as_nanos()).unwrap_or(NEVER)
}

impl fmt::Debug for Interception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interception").field("method", &self.method).finish_non_exhaustive()
    }
}

impl Interception {
    pub(crate) fn new(
        chain: Arc<Chain>,
        channel: Channel,
        method: Method,
        began: Instant,
        deadline: Option<Instant>,
        outgoing: Metadata,
    ) -> Self {
        Self {
            chain,
            channel,
            method,
            began,
            deadline: AtomicU64::new(deadline.map_or(NEVER, |deadline| nanos(began, deadline))),
            connection: OnceLock::new(),
            incoming: OnceLock::new(),
            call: OnceLock::new(),
            state: Mutex::new(State { outgoing: Some(outgoing), ..State::default() }),
            is_running: AtomicBool::new(false),
            has_told_end: AtomicBool::new(false),
        }
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The interceptors let the call begin: its metadata, as they have left it.
    pub(crate) fn send_outgoing(&self) -> Metadata {
        self.is_running.store(true, Ordering::Relaxed);
        self.state().outgoing.take().unwrap_or_default()
    }

    pub(crate) fn set_call(&self, call: &Arc<ClientCall>) {
        let _ = self.call.set(Arc::downgrade(call));
    }

    pub(crate) fn set_connection(&self, info: &ConnectionInfo) {
        self.connection.get_or_init(|| Arc::new(info.clone()));
    }

    pub(crate) fn set_incoming(&self, headers: &Metadata) {
        self.incoming.get_or_init(|| headers.clone());
    }

    /// The call is over. Whether the interceptors are to see its end before its user does.
    pub(crate) fn hold(&self, end: &End, counts: Counts) -> bool {
        let (is_held, waker) = {
            let mut state = self.state();
            state.counts.get_or_insert(counts);
            if state.is_held {
                state.end.get_or_insert_with(|| end.clone());
            }
            (state.is_held, state.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        is_held
    }

    fn poll_end(&self, cx: &Context<'_>) -> Poll<End> {
        let mut state = self.state();
        match state.end.clone() {
            Some(end) => Poll::Ready(end),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Tells those who look at the call that it is over. The first end counts.
    pub(crate) fn tell_end(&self, result: Result<(), &Status>) {
        if !self.has_told_end.swap(true, Ordering::Relaxed) {
            self.chain.ended(self, result);
        }
    }
}

impl Drop for Interception {
    /// The call was dropped.
    fn drop(&mut self) {
        if !*self.has_told_end.get_mut() {
            self.tell_end(Err(&Status::cancelled("the call was dropped")));
        }
    }
}

impl CallView for Interception {
    fn side(&self) -> Side {
        Side::Client
    }

    fn method(&self) -> &Method {
        &self.method
    }

    fn authority(&self) -> &str {
        &self.channel.settings().authority
    }

    fn target(&self) -> &str {
        self.channel.target_text()
    }

    fn peer(&self) -> Option<String> {
        self.connection.get().map(|info| info.peer.to_string())
    }

    fn connection(&self) -> Option<Arc<dyn Any + Send + Sync>> {
        self.connection.get().map(|info| Arc::clone(info) as _)
    }

    fn began(&self) -> Instant {
        self.began
    }

    fn deadline(&self) -> Option<Instant> {
        match self.deadline.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => self.began.checked_add(Duration::from_nanos(nanos)),
        }
    }

    fn limit_deadline(&self, deadline: Instant) {
        self.deadline.fetch_min(nanos(self.began, deadline), Ordering::Relaxed);
    }

    fn incoming(&self) -> &Metadata {
        const NONE: &Metadata = &Metadata::new();
        self.incoming.get().unwrap_or(NONE)
    }

    fn change_outgoing(&self, change: &mut dyn FnMut(&mut Metadata)) -> Result<(), Status> {
        match &mut self.state().outgoing {
            Some(outgoing) => {
                change(outgoing);
                Ok(())
            }
            None => Err(Status::internal("the headers of the request are sent already")),
        }
    }

    fn counts(&self) -> Counts {
        if let Some(counts) = self.state().counts {
            return counts;
        }
        let call = self.call.get().and_then(Weak::upgrade);
        call.map(|call| call.halves.counts()).unwrap_or_default()
    }

    fn insert_any(&self, of: TypeId, value: Arc<dyn Any + Send + Sync>) {
        self.state().extensions.insert(of, value);
    }

    fn any(&self, of: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.state().extensions.get(&of).cloned()
    }
}

/// Runs the interceptors of a call. While they have it in their hands they see to its deadline.
async fn run(
    interception: &Arc<Interception>,
    cx: &mut CallContext,
    core: &mut dyn Core,
) -> Result<(), Status> {
    let mut around = std::pin::pin!(interception.chain.run(cx, core));
    let mut timer: Option<(Instant, Pin<Box<tokio::time::Sleep>>)> = None;
    std::future::poll_fn(|task| {
        if let Poll::Ready(result) = around.as_mut().poll(task) {
            return Poll::Ready(result);
        }
        if interception.is_running.load(Ordering::Relaxed) {
            return Poll::Pending;
        }
        let Some(deadline) = interception.deadline() else { return Poll::Pending };
        let mut sleep = match timer.take() {
            Some((of, sleep)) if of == deadline => sleep,
            _ => Box::pin(tokio::time::sleep_until(deadline.into())),
        };
        let poll = sleep.as_mut().poll(task);
        timer = Some((deadline, sleep));
        ready!(poll);
        Poll::Ready(Err(Status::deadline_exceeded(
            "deadline exceeded while the call was with an interceptor",
        )))
    })
    .await
}

// ---------------------------------------------------------------- one request, one response

/// A unary call within its interceptors.
pub(crate) struct Around {
    future: BoxFuture<'static, Result<Whole, Status>>,
    interception: Arc<Interception>,
}

impl Around {
    pub(crate) fn new(start: Box<Start>, interception: Arc<Interception>) -> Self {
        let future = Box::pin(unary(start, Arc::clone(&interception)));
        Self { future, interception }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Whole, Status>> {
        self.future.as_mut().poll(cx)
    }

    pub(crate) fn interception(&self) -> &Arc<Interception> {
        &self.interception
    }
}

async fn unary(start: Box<Start>, interception: Arc<Interception>) -> Result<Whole, Status> {
    let mut core = UnaryCore { start: Some(start), live: None, whole: None, of: Arc::clone(&interception) };
    let mut cx = CallContext::new(Arc::clone(&interception) as _);
    run(&interception, &mut cx, &mut core).await?;
    match core.whole {
        Some(mut whole) => {
            whole.end = End { result: Ok(()), trailers: cx.into_trailers() };
            Ok(whole)
        }
        None => Err(no_call()),
    }
}

fn no_call() -> Status {
    Status::internal("an interceptor has answered OK in place of the call, so there is no response")
}

struct UnaryCore {
    start: Option<Box<Start>>,
    live: Option<Live>,
    whole: Option<Whole>,
    of: Arc<Interception>,
}

impl Core for UnaryCore {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Result<(), Status>, Metadata)> {
        let (result, trailers) = loop {
            if let Some(live) = &mut self.live {
                match ready!(live.poll_whole(cx)) {
                    Ok(mut whole) => {
                        let end = End { result: whole.end.result.clone(), trailers: Metadata::new() };
                        let end = std::mem::replace(&mut whole.end, end);
                        self.whole = Some(whole);
                        break (end.result, end.trailers);
                    }
                    Err(status) => break (Err(status), Metadata::new()),
                }
            }
            let Some(start) = &mut self.start else {
                break (Err(Status::internal("the call was polled after its end")), Metadata::new());
            };
            let begun = ready!(start.poll(cx));
            self.start = None;
            match begun {
                Ok(call) => self.live = Some(Live::new(call)),
                Err(status) => break (Err(status), Metadata::new()),
            }
        };
        self.live = None;
        self.of.is_running.store(false, Ordering::Relaxed);
        Poll::Ready((result, trailers))
    }
}

// ---------------------------------------------------------------- streams

/// A call with streams within its interceptors, which have a task: they stand around the call until it is
/// over, while its user holds the halves.
pub(crate) struct Gated {
    call: oneshot::Receiver<Result<Arc<ClientCall>, Status>>,
    task: Option<AbortHandle>,
}

impl Gated {
    pub(crate) fn new(start: Box<Start>, interception: Arc<Interception>) -> Self {
        interception.state().is_held = true;
        let (sender, call) = oneshot::channel();
        let work = Scoped::new(ambient::current(), stream(start, interception, sender));
        let task = tokio::spawn(work.in_current_span());
        Self { call, task: Some(task.abort_handle()) }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<ClientCall>, Status>> {
        let found = ready!(Pin::new(&mut self.call).poll(cx));
        self.task = None;
        Poll::Ready(found.unwrap_or_else(|_| Err(Status::internal("the task of the interceptors has ended"))))
    }
}

impl Drop for Gated {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else { return };
        self.call.close();
        match self.call.try_recv() {
            Ok(Ok(call)) => call.cancel(Status::cancelled("the call was dropped")),
            _ => task.abort(),
        }
    }
}

type Handover = oneshot::Sender<Result<Arc<ClientCall>, Status>>;

async fn stream(start: Box<Start>, interception: Arc<Interception>, sender: Handover) {
    let mut core = StreamCore {
        start: Some(start),
        call: None,
        sender: Some(sender),
        is_over: false,
        of: Arc::clone(&interception),
    };
    let mut cx = CallContext::new(Arc::clone(&interception) as _);
    let result = run(&interception, &mut cx, &mut core).await;
    if let Some(call) = core.call.take() {
        if !core.is_over {
            let over = || Status::cancelled("an interceptor has ended the call");
            call.cancel(result.clone().err().unwrap_or_else(over));
        }
        interception.tell_end(result.as_ref().copied());
        call.release(result, cx.into_trailers());
    } else if let Some(sender) = core.sender.take() {
        let status = result.err().unwrap_or_else(no_call);
        interception.tell_end(Err(&status));
        let _ = sender.send(Err(status));
    }
}

struct StreamCore {
    start: Option<Box<Start>>,
    call: Option<Arc<ClientCall>>,
    /// Until the user has the call.
    sender: Option<Handover>,
    is_over: bool,
    of: Arc<Interception>,
}

impl Core for StreamCore {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<(Result<(), Status>, Metadata)> {
        if let Some(start) = &mut self.start {
            let begun = ready!(start.poll(cx));
            self.start = None;
            match begun {
                Ok(call) => {
                    self.call = Some(Arc::clone(&call));
                    if let Some(sender) = self.sender.take()
                        && let Err(Ok(call)) = sender.send(Ok(call))
                    {
                        call.cancel(Status::cancelled("the call was dropped"));
                    }
                }
                Err(status) => {
                    self.of.is_running.store(false, Ordering::Relaxed);
                    return Poll::Ready((Err(status), Metadata::new()));
                }
            }
        }
        let end = ready!(self.of.poll_end(cx));
        self.is_over = true;
        self.of.is_running.store(false, Ordering::Relaxed);
        Poll::Ready((end.result, end.trailers))
    }
}
