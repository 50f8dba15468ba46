//! One attempt of a call, as its user and its connection share it.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use dunlin_grpc::framing::PREFIX_LEN;
use dunlin_grpc::halves::{End, Halves, Host, Signal, Writing};
use dunlin_grpc::intercept::{Direction, MessageRef};
use dunlin_grpc::{CallKind, Encoding, Metadata, Method, Status};
use dunlin_http2::{HeaderBlock, StreamKey};

use crate::channel::Channel;
use crate::connection::{Operation, Ticket};
use crate::intercept::Interception;
use crate::picker::Link;
use crate::report::CallReport;

/// A call in progress.
pub(crate) struct ClientCall {
    pub(crate) halves: Halves,
    pub(crate) channel: Channel,
    pub(crate) method: Method,
    pub(crate) block: HeaderBlock,
    pub(crate) metadata: Metadata,
    pub(crate) encoding: Encoding,
    pub(crate) deadline: Option<Instant>,
    /// The one request with its prefix, if the method takes one. It is kept, so that the call can be begun
    /// again if the server has not looked at it.
    pub(crate) request: Option<Bytes>,
    pub(crate) max_response: usize,
    pub(crate) max_request: usize,
    pub(crate) waits_for_ready: bool,
    pub(crate) began: Instant,
    pub(crate) interception: Option<Arc<Interception>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    key: Option<StreamKey>,
    picked: Option<Instant>,
    /// It was refused, and begun again.
    was_refused: bool,
    cancelled: Option<Status>,
    /// Of who looks for a connection.
    waker: Option<Waker>,
    is_receiver_gone: bool,
}

/// What a call is made of, besides its state.
pub(crate) struct Parts {
    pub(crate) channel: Channel,
    pub(crate) method: Method,
    pub(crate) block: HeaderBlock,
    pub(crate) metadata: Metadata,
    pub(crate) encoding: Encoding,
    pub(crate) deadline: Option<Instant>,
    pub(crate) request: Option<Bytes>,
    pub(crate) max_response: usize,
    pub(crate) max_request: usize,
    pub(crate) waits_for_ready: bool,
    pub(crate) began: Instant,
    pub(crate) interception: Option<Arc<Interception>>,
}

impl fmt::Debug for ClientCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCall").field("method", &self.method).finish_non_exhaustive()
    }
}

impl ClientCall {
    pub(crate) fn new(parts: Parts) -> Self {
        let halves = Halves::default();
        if parts.method.kind().has_one_response() {
            halves.wake_at_end();
        }
        if parts.interception.is_some()
            && let Some(request) = &parts.request
        {
            halves.count_sent(request.len().saturating_sub(PREFIX_LEN));
        }
        let Parts { channel, method, block, metadata, encoding, deadline, .. } = parts;
        Self {
            halves,
            channel,
            method,
            block,
            metadata,
            encoding,
            deadline,
            request: parts.request,
            max_response: parts.max_response,
            max_request: parts.max_request,
            waits_for_ready: parts.waits_for_ready,
            began: parts.began,
            interception: parts.interception,
            state: Mutex::default(),
        }
    }

    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The call takes a connection. Whether that was still there.
    pub(crate) fn begin_on(self: &Arc<Self>, link: &Arc<Link>) -> Result<(), Status> {
        {
            let mut state = self.state();
            if let Some(status) = &state.cancelled {
                return Err(status.clone());
            }
            state.link = Some(Arc::clone(link));
            state.picked.get_or_insert_with(|| tokio::time::Instant::now().into_std());
        }
        if let Some(interception) = &self.interception {
            interception.set_connection(&link.info);
        }
        link.begin();
        let submitted = link.handle.submit(Operation::Begin(Ticket::new(Arc::clone(self))));
        if let Err(closed) = submitted {
            // The call is not lost: it goes on to look.
            if let Operation::Begin(ticket) = closed.0 {
                let _ = ticket.call();
            }
            link.set_gone();
            self.leave_link();
            return Err(Status::unavailable("the connection has ended"));
        }
        Ok(())
    }

    /// The call does not count among those of its connection any longer.
    pub(crate) fn leave_link(&self) {
        let link = {
            let mut state = self.state();
            state.key = None;
            state.link.take()
        };
        if let Some(link) = link {
            link.end();
        }
    }

    pub(crate) fn key(&self) -> Option<StreamKey> {
        self.state().key
    }

    pub(crate) fn set_key(&self, key: StreamKey) {
        self.state().key = Some(key);
    }

    /// Ready if it is cancelled while someone looks for a connection.
    pub(crate) fn poll_cancelled(&self, cx: &Context<'_>) -> Poll<Status> {
        let mut state = self.state();
        match &state.cancelled {
            Some(status) => Poll::Ready(status.clone()),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Why it was cancelled before it could begin.
    pub(crate) fn cancelled(&self) -> Option<Status> {
        self.state().cancelled.clone()
    }

    /// The server has not looked at it: whether it may be begun again. Once, if the server said so itself.
    pub(crate) fn may_begin_again(&self) -> bool {
        let mut state = self.state();
        self.request.is_some()
            && state.cancelled.is_none()
            && !std::mem::replace(&mut state.was_refused, true)
    }

    /// The user wants no more of it.
    pub(crate) fn cancel(self: &Arc<Self>, status: Status) {
        let (link, waker) = {
            let mut state = self.state();
            state.cancelled.get_or_insert_with(|| status.clone());
            (state.link.clone(), state.waker.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        match link {
            Some(link) => {
                // One that has ended has told the call.
                let _ = link.handle.submit(Operation::Cancel(Arc::clone(self), status));
            }
            None => self.finish(Err(status), Metadata::new()),
        }
    }

    /// It is over. Interceptors that stand around it see the end before its user does.
    pub(crate) fn finish(&self, result: Result<(), Status>, trailers: Metadata) {
        let Some(interception) = &self.interception else { return self.release(result, trailers) };
        let end = End { result, trailers };
        if interception.hold(&end, self.halves.counts()) {
            return;
        }
        // Of one response it is not known yet what it is.
        if self.method.kind() != CallKind::Unary {
            interception.tell_end(end.result.as_ref().copied());
        }
        self.release(end.result, end.trailers);
    }

    /// Its user sees that it is over.
    pub(crate) fn release(&self, result: Result<(), Status>, trailers: Metadata) {
        // Unary calls have nobody who would send.
        if !self.method.kind().has_one_request() {
            let over = || Status::cancelled("the call is over: the server has answered OK");
            self.halves.close(result.clone().err().unwrap_or_else(over));
        }
        self.halves.end(End { result, trailers });
    }

    pub(crate) fn report(&self, connecting: Option<String>) -> CallReport {
        let now = tokio::time::Instant::now().into_std();
        let picked = self.state().picked;
        CallReport {
            target: self.channel.target().to_string(),
            queued: picked.unwrap_or(now).saturating_duration_since(self.began),
            waited: picked.map(|picked| now.saturating_duration_since(picked)).unwrap_or_default(),
            connecting,
        }
    }

    /// The status of a call whose time is up.
    pub(crate) fn deadline_exceeded(&self, connecting: Option<String>) -> Status {
        let report = self.report(connecting);
        Status::deadline_exceeded(format!("deadline exceeded: {report}")).with_source(report)
    }
}

impl Host for ClientCall {
    fn halves(&self) -> &Halves {
        &self.halves
    }

    fn writing(&self) -> Writing {
        Writing { encoding: self.encoding, limit: self.max_request }
    }

    fn is_observed(&self) -> bool {
        self.interception.as_ref().is_some_and(|interception| interception.chain.sees_messages())
    }

    fn observe(&self, direction: Direction, message: MessageRef<'_>) -> Result<(), Status> {
        let Some(interception) = &self.interception else { return Ok(()) };
        interception.chain.message(&**interception, direction, message)
    }

    fn signal(self: Arc<Self>, signal: Signal) {
        match signal {
            Signal::SenderDropped => {
                return self.cancel(Status::cancelled("the sender was dropped without `finish`"));
            }
            Signal::Failed(status) => return self.cancel(status),
            Signal::ReceiverDropped(_) => {
                self.state().is_receiver_gone = true;
                if self.method.kind().has_one_request() || self.halves.is_finished() {
                    return self.cancel(Status::cancelled("the call was dropped"));
                }
            }
            Signal::Flush if self.halves.is_finished() && self.state().is_receiver_gone => {
                return self.cancel(Status::cancelled("the call was dropped"));
            }
            Signal::Flush | Signal::Consumed(_) => {}
        }
        let link = self.state().link.clone();
        // Without a connection everything waits until there is one.
        if let Some(link) = link {
            let _ = link.handle.submit(Operation::Signal(self, signal));
        }
    }
}
