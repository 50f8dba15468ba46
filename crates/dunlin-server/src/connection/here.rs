//! A connection that has one call only, whose method is polled by whoever polls the connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use dunlin_grpc::Status;
use dunlin_http2::{Event, StreamKey};

use super::{Operation, ServerConnection, Work};
use crate::running::poll_caught;
use crate::wire::Wire;

impl ServerConnection {
    /// What happened to the stream, in the events of HTTP/2.
    pub(crate) fn event_here(&mut self, wire: &mut impl Wire, event: Event<'_>, now: Instant) {
        self.of_stream(wire, event, now);
    }

    pub(crate) fn operation_here(&mut self, wire: &mut impl Wire, operation: Operation) {
        self.of_call(wire, operation);
    }

    /// Ends the call by our own decision.
    pub(crate) fn fail_here(&mut self, wire: &mut impl Wire, key: StreamKey, status: Status) {
        self.fail(wire, key, status);
    }

    /// Polls the method, if there is one that has begun.
    pub(crate) fn poll_here(&mut self, wire: &mut impl Wire, key: StreamKey, cx: &mut Context<'_>) {
        let Some(call) = self.call(key) else { return };
        let Work::Ready(running) = std::mem::replace(&mut call.work, Work::Waiting) else { return };
        let shared = Arc::clone(&call.shared);
        let mut running = Some(running);
        let mut out = std::mem::take(&mut self.out);
        match poll_caught(&mut running, &shared, cx, &mut out) {
            Poll::Ready(answer) => {
                drop(shared);
                self.answer(wire, key, answer, out);
            }
            Poll::Pending => {
                self.out = out;
                if let (Some(call), Some(running)) = (self.call(key), running) {
                    call.work = Work::Ready(running);
                }
            }
        }
    }

    /// When the call has to be over.
    pub(crate) fn deadline_here(&self) -> Option<Instant> {
        self.next_deadline
    }

    pub(crate) fn expire_here(&mut self, wire: &mut impl Wire, now: Instant) {
        self.expire(wire, now);
    }

    /// Does something, and counts what is then held of requests that are not whole together with what other
    /// connections of this kind hold.
    pub(crate) fn count_in<R>(&mut self, all: &AtomicUsize, work: impl FnOnce(&mut Self) -> R) -> R {
        let before = all.load(Ordering::Relaxed);
        self.assembling = before;
        let result = work(self);
        // Wraps around where less is held than before.
        let change = self.assembling.wrapping_sub(before);
        if change != 0 {
            all.fetch_add(change, Ordering::Relaxed);
        }
        result
    }
}
