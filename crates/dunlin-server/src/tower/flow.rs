//! A call that goes on while its response is read.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dunlin_grpc::Status;
use dunlin_http2::ErrorCode;
use http_body::Frame;
use tokio::task::AbortHandle;
use tracing::Instrument;

use super::BoxError;
use super::carrier::is_low;
use super::local::Local;

/// What the task of a call and the reader of its response share.
#[derive(Default)]
struct Shared(Mutex<State>);

#[derive(Default)]
struct State {
    frames: VecDeque<Frame<Bytes>>,
    /// Bytes of them.
    queued: usize,
    end: Option<Result<(), ErrorCode>>,
    reader: Option<Waker>,
    /// Waits until less is queued.
    writer: Option<Waker>,
}

impl Shared {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.0.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }
}

/// The response's side. Dropping it cancels the call.
pub(super) struct Flowing {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Flowing {
    /// Goes on with a call in a task of its own, within the span that it is in, so that its deadline holds
    /// even if nobody reads.
    pub(super) fn spawn(local: Local) -> Self {
        let shared = Arc::new(Shared::default());
        let flow = Flow { local, shared: Arc::clone(&shared) };
        let task = tokio::spawn(flow.instrument(tracing::Span::current())).abort_handle();
        Self { shared, task }
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.shared.state();
        if let Some(frame) = state.frames.pop_front() {
            let was_low = is_low(state.queued);
            state.queued -= frame.data_ref().map_or(0, Bytes::len);
            let writer = if !was_low && is_low(state.queued) { state.writer.take() } else { None };
            drop(state);
            if let Some(writer) = writer {
                writer.wake();
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        match state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(code)) => {
                // Said once.
                state.end = Some(Ok(()));
                Poll::Ready(Some(Err(broken(code).into())))
            }
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a response has instead of its end.
pub(super) fn broken(code: ErrorCode) -> Status {
    match code {
        ErrorCode::CANCEL => Status::cancelled("the call was cancelled"),
        code => Status::internal(format!("the response broke off: {code}")),
    }
}

/// The task.
struct Flow {
    local: Local,
    shared: Arc<Shared>,
}

impl Flow {
    /// Hands on what there is.
    fn hand_on(&mut self, end: Option<Result<(), ErrorCode>>) -> Option<Waker> {
        let mut state = self.shared.state();
        let frames = std::mem::take(&mut self.local.carrier.frames);
        let is_news = !frames.is_empty() || end.is_some();
        state.queued += frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum::<usize>();
        state.frames.extend(frames);
        state.end = end.or(state.end);
        if is_news { state.reader.take() } else { None }
    }

    /// Bytes that were queued before there was a task.
    fn waiting(&self) -> usize {
        self.local.carrier.frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum()
    }
}

impl Future for Flow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let queued = {
            let mut state = this.shared.state();
            state.writer = Some(cx.waker().clone());
            state.queued
        };
        this.local.set_queued(queued + this.waiting());
        this.local.poll(cx);
        let carrier = &this.local.carrier;
        let end = carrier.has_ended().then(|| carrier.failure().map_or(Ok(()), Err));
        let has_ended = end.is_some();
        if let Some(reader) = this.hand_on(end) {
            reader.wake();
        }
        if has_ended { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Flow {
    /// A task that was dropped, or has panicked, leaves no reader waiting.
    fn drop(&mut self) {
        let reader = {
            let mut state = self.shared.state();
            state.end.get_or_insert(Err(ErrorCode::INTERNAL_ERROR));
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }
}
