//! One call, as its handler and its connection share it.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dunlin_grpc::ambient::{Ambient, Scoped};
use dunlin_grpc::halves::{End, Halves, Host, Reading, Signal, Writing};
use dunlin_grpc::head::accepted;
use dunlin_grpc::intercept::{Chain, Direction, MessageRef};
use dunlin_grpc::{Encoding, Metadata, Method, Status};
use dunlin_http2::{HeaderList, StreamKey};
use dunlin_transport::{ConnectionInfo, Handle};

use crate::builder::Settings;
use crate::connection::Operation;
use crate::router::Route;

/// Who calls: the other end of the connection.
pub type Peer = ConnectionInfo;

/// A call in progress.
pub(crate) struct ServerCall {
    pub(crate) halves: Halves,
    pub(crate) key: StreamKey,
    pub(crate) link: Handle<Operation>,
    pub(crate) headers: Arc<HeaderList>,
    pub(crate) route: Arc<Route>,
    /// The method, if the route serves more than one.
    pub(crate) own_method: Option<Method>,
    pub(crate) peer: Arc<Peer>,
    pub(crate) began: Instant,
    /// Nanoseconds after the begin; `NEVER` without one.
    deadline: AtomicU64,
    pub(crate) reading: Reading,
    pub(crate) settings: Arc<Settings>,
    /// Who looks at the call, or stands around it.
    pub(crate) chain: Option<Arc<Chain>>,
    /// They know that it is over.
    has_told_end: AtomicBool,
    metadata: OnceLock<Metadata>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Response metadata; `None` once it is on its way.
    headers: Option<Metadata>,
    has_sent_headers: bool,
    /// What the handler asked for.
    wanted: Option<Encoding>,
    /// What it is.
    encoding: Option<Encoding>,
    cancelled: Option<Status>,
    is_over: bool,
    /// By a number that each who waits has.
    wakers: Vec<(u64, Waker)>,
    next_waker: u64,
    extensions: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl fmt::Debug for ServerCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCall")
            .field("method", self.method())
            .field("key", &self.key)
            .finish_non_exhaustive()
    }
}

/// No deadline. Half a thousand years do as well.
const NEVER: u64 = u64::MAX;

fn nanos(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_nanos()).unwrap_or(NEVER)
}

impl ServerCall {
    #[expect(clippy::too_many_arguments, reason = "each is a field, given once")]
    pub(crate) fn new(
        key: StreamKey,
        link: Handle<Operation>,
        headers: Arc<HeaderList>,
        route: Arc<Route>,
        own_method: Option<Method>,
        peer: Arc<Peer>,
        began: Instant,
        timeout: Option<Duration>,
        reading: Reading,
        settings: Arc<Settings>,
        chain: Option<Arc<Chain>>,
    ) -> Self {
        Self {
            halves: Halves::default(),
            key,
            link,
            headers,
            route,
            own_method,
            peer,
            began,
            deadline: AtomicU64::new(timeout.map_or(NEVER, nanos)),
            reading,
            settings,
            chain,
            has_told_end: AtomicBool::new(false),
            metadata: OnceLock::new(),
            state: Mutex::default(),
        }
    }
}

impl ServerCall {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub(crate) fn method(&self) -> &Method {
        self.own_method.as_ref().unwrap_or(&self.route.method)
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        self.metadata.get_or_init(|| Metadata::from_headers(&self.headers))
    }

    pub(crate) fn ambient(&self) -> Ambient {
        Ambient { deadline: self.deadline() }
    }

    /// When it has to be over.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.deadline.load(Ordering::Relaxed) {
            NEVER => None,
            nanos => self.began.checked_add(Duration::from_nanos(nanos)),
        }
    }

    /// It has to be over then, if not sooner.
    pub(crate) fn limit_deadline(&self, deadline: Instant) {
        let limit = nanos(deadline.saturating_duration_since(self.began));
        if self.deadline.fetch_min(limit, Ordering::Relaxed) > limit {
            // A connection that is closed has ended the call.
            let _ = self.link.submit(Operation::Deadline(deadline));
        }
    }

    /// Tells those who look at the call that it begins.
    pub(crate) fn tell_start(&self) {
        if let Some(chain) = &self.chain {
            chain.started(self);
        }
    }

    /// Tells them that it is over. The first end counts.
    pub(crate) fn tell_end(&self, result: Result<(), &Status>) {
        if let Some(chain) = &self.chain
            && !self.has_told_end.swap(true, Ordering::Relaxed)
        {
            chain.ended(self, result);
        }
    }

    pub(crate) fn insert_extension(&self, of: TypeId, value: Arc<dyn Any + Send + Sync>) {
        self.state().extensions.insert(of, value);
    }

    pub(crate) fn extension(&self, of: TypeId) -> Option<Arc<dyn Any + Send + Sync>> {
        self.state().extensions.get(&of).cloned()
    }

    /// Changes the metadata of the response, if it is not on its way.
    pub(crate) fn with_headers<R>(&self, change: impl FnOnce(&mut Metadata) -> R) -> Result<R, Status> {
        let mut state = self.state();
        if state.has_sent_headers {
            return Err(Status::internal("the headers of the response are sent already"));
        }
        Ok(change(state.headers.get_or_insert_default()))
    }

    /// The metadata of the response; from now on it can not be changed.
    pub(crate) fn freeze_headers(&self) -> Metadata {
        let mut state = self.state();
        state.has_sent_headers = true;
        state.headers.take().unwrap_or_default()
    }

    pub(crate) fn set_encoding(&self, encoding: Encoding) -> Result<(), Status> {
        let mut state = self.state();
        if state.has_sent_headers || state.encoding.is_some() {
            return Err(Status::internal("the coding of the response is settled already"));
        }
        state.wanted = Some(encoding);
        Ok(())
    }

    /// What the messages of the response are compressed with. From the first time on it stays the same.
    pub(crate) fn encoding(&self) -> Encoding {
        let mut state = self.state();
        if let Some(encoding) = state.encoding {
            return encoding;
        }
        let wanted = state.wanted.unwrap_or(self.settings.send_compressed);
        let is_accepted =
            wanted.is_identity() || accepted(&self.headers, &self.settings.encodings).contains(wanted);
        *state.encoding.insert(if is_accepted { wanted } else { Encoding::Identity })
    }

    /// The call has come to an end before its handler. Its halves fail from now on.
    pub(crate) fn cancel(&self, status: &Status) {
        let wakers = {
            let mut state = self.state();
            state.cancelled.get_or_insert_with(|| status.clone());
            state.is_over = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(|(_, waker)| waker.wake());
        self.finish(status.clone());
        self.tell_end(Err(status));
    }

    /// The call is over: what is still held of it fails with this status.
    pub(crate) fn finish(&self, status: Status) {
        self.halves.end(End { result: Err(status.clone()), trailers: Metadata::new() });
        self.halves.close(status);
    }

    /// The handler has returned: nobody waits for a cancellation any longer.
    pub(crate) fn set_over(&self) {
        let wakers = {
            let mut state = self.state();
            state.is_over = true;
            std::mem::take(&mut state.wakers)
        };
        drop(wakers);
    }
}

impl Drop for ServerCall {
    fn drop(&mut self) {
        if self.chain.is_some() && !*self.has_told_end.get_mut() {
            self.tell_end(Err(&Status::cancelled("the call was lost")));
        }
    }
}

impl Host for ServerCall {
    fn halves(&self) -> &Halves {
        &self.halves
    }

    fn writing(&self) -> Writing {
        Writing { encoding: self.encoding(), limit: self.settings.max_send }
    }

    fn signal(self: Arc<Self>, signal: Signal) {
        if matches!(signal, Signal::SenderDropped) {
            return;
        }
        let link = self.link.clone();
        // A connection that is closed has told both halves.
        let _ = link.submit(Operation::Signal(self, signal));
    }

    fn is_observed(&self) -> bool {
        self.chain.as_ref().is_some_and(|chain| chain.sees_messages())
    }

    fn observe(&self, direction: Direction, message: MessageRef<'_>) -> Result<(), Status> {
        self.chain.as_ref().map_or(Ok(()), |chain| chain.message(self, direction, message))
    }
}

/// What is known of a call, to be kept as long as needed. Cheap to clone.
///
/// It does not keep the call alive, and outlives it.
#[derive(Clone)]
pub struct CallHandle(pub(crate) Arc<ServerCall>);

impl fmt::Debug for CallHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallHandle")
            .field("method", self.method())
            .field("peer", &self.0.peer.peer)
            .finish_non_exhaustive()
    }
}

impl CallHandle {
    /// What is called.
    pub fn method(&self) -> &Method {
        self.0.method()
    }

    /// Who calls.
    pub fn peer(&self) -> &Peer {
        &self.0.peer
    }

    /// The metadata of the request.
    pub fn metadata(&self) -> &Metadata {
        self.0.metadata()
    }

    /// `:authority`, the name that the client called this server by.
    pub fn authority(&self) -> &str {
        self.0.headers.authority().unwrap_or_default()
    }

    /// When the call has to be over; `None` if the client gives it all the time.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.deadline()
    }

    /// Whether the client has gone, or the time is up.
    pub fn is_cancelled(&self) -> bool {
        self.0.state().cancelled.is_some()
    }

    /// Waits until the client has gone or the time is up. If the call ends well, that never comes, and
    /// the future stays pending.
    pub fn cancelled(&self) -> Cancelled {
        Cancelled { call: Arc::clone(&self.0), place: None }
    }

    /// A future whose calls have the deadline of this one, wherever it runs.
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped::new(self.0.ambient(), future)
    }

    /// Keeps a value for all who have this handle, one of each type.
    pub fn insert_extension<T: Any + Send + Sync>(&self, value: T) {
        self.0.insert_extension(TypeId::of::<T>(), Arc::new(value));
    }

    /// A value that was kept.
    pub fn extension<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.0.extension(TypeId::of::<T>())?.downcast().ok()
    }
}

/// Ready once a call is cancelled; see [`CallHandle::cancelled`].
#[must_use = "futures do nothing unless polled"]
pub struct Cancelled {
    call: Arc<ServerCall>,
    place: Option<u64>,
}

impl Clone for Cancelled {
    fn clone(&self) -> Self {
        Self { call: Arc::clone(&self.call), place: None }
    }
}

impl Drop for Cancelled {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.call.state().wakers.retain(|(other, _)| *other != place);
        }
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cancelled")
    }
}

impl Future for Cancelled {
    /// Why: CANCELLED or DEADLINE_EXCEEDED.
    type Output = Status;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Status> {
        let this = &mut *self;
        let mut state = this.call.state();
        if let Some(status) = &state.cancelled {
            return Poll::Ready(status.clone());
        }
        if state.is_over {
            return Poll::Pending;
        }
        let place = *this.place.get_or_insert_with(|| {
            state.next_waker += 1;
            state.next_waker
        });
        match state.wakers.iter_mut().find(|(other, _)| *other == place) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => state.wakers.push((place, cx.waker().clone())),
        }
        Poll::Pending
    }
}
