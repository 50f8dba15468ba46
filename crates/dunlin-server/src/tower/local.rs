//! A call behind other people's HTTP: [`ServerConnection`] with a [`Carrier`] in place of HTTP/2.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll};

use bytes::Bytes;
use dunlin_grpc::Status;
use dunlin_http2::{ErrorCode, Event, HeaderList, HeadersKind, ResetReason};
use dunlin_transport::Operations;
use http_body::Body;
use tokio::time::{Instant, Sleep};

use super::body::{RequestBody, status_of};
use super::carrier::{Carrier, KEY};
use crate::builder::Settings;
use crate::call::Peer;
use crate::connection::{Operation, ServerConnection};
use crate::lifetime::Lifetime;

/// What the calls of one connection share, or those of one mounted service.
#[derive(Debug, Default)]
pub(super) struct Origin {
    /// Bytes held of requests that are not whole.
    pub(super) assembling: AtomicUsize,
}

/// One call. Dropping it cancels it.
pub(super) struct Local {
    pub(super) carrier: Carrier,
    handler: ServerConnection,
    operations: Operations<Operation>,
    batch: Vec<Operation>,
    /// What is still to come of the request.
    body: Option<RequestBody>,
    /// Bytes of the request that may wait to be read.
    window: usize,
    origin: Arc<Origin>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Local {
    pub(super) fn new(
        settings: &Arc<Settings>,
        origin: Arc<Origin>,
        peer: Arc<Peer>,
        carrier: Carrier,
        headers: HeaderList,
        body: RequestBody,
    ) -> Self {
        let (link, operations) = Operations::new();
        let lifetime = Lifetime::unbounded(Instant::now().into_std());
        let mut this = Self {
            carrier,
            handler: ServerConnection::new(Arc::clone(settings), peer, link, lifetime),
            operations,
            batch: Vec::new(),
            body: None,
            window: settings.stream_window,
            origin,
            timer: None,
        };
        let end_stream = body.is_end_stream();
        let headers = Arc::new(headers);
        this.event(Event::Headers { stream: KEY, kind: HeadersKind::Request, headers, end_stream });
        this.body = (!end_stream).then_some(body);
        this
    }

    /// Does all that can be done now: moves the request's content, polls the method, looks at the clock.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) {
        self.take_operations(cx);
        loop {
            self.poll_body(cx);
            self.count_in(|handler, carrier| handler.poll_here(carrier, KEY, cx));
            if self.carrier.has_ended() {
                // Nobody reads what is still to come.
                self.body = None;
                return;
            }
            if !self.take_operations(cx) && self.poll_deadline(cx).is_pending() {
                return;
            }
        }
    }

    /// Does what was asked for. Whether that was anything; if not, the next one wakes the task.
    fn take_operations(&mut self, cx: &mut Context<'_>) -> bool {
        self.operations.take_or_park(cx, &mut self.batch);
        let is_any = !self.batch.is_empty();
        for operation in std::mem::take(&mut self.batch) {
            self.count_in(|handler, carrier| handler.operation_here(carrier, operation));
        }
        is_any
    }

    /// So much of the response waits for its reader.
    pub(super) fn set_queued(&mut self, bytes: usize) {
        if self.carrier.set_queued(bytes) {
            self.event(Event::Drained { stream: KEY });
        }
    }

    fn event(&mut self, event: Event<'_>) {
        let now = Instant::now().into_std();
        self.count_in(|handler, carrier| handler.event_here(carrier, event, now));
    }

    fn count_in<R>(&mut self, work: impl FnOnce(&mut ServerConnection, &mut Carrier) -> R) -> R {
        let carrier = &mut self.carrier;
        self.handler.count_in(&self.origin.assembling, |handler| work(handler, carrier))
    }

    /// Hands on what there is of the request, as far as the method reads it.
    fn poll_body(&mut self, cx: &mut Context<'_>) {
        while let Some(body) = &mut self.body
            && !self.carrier.has_ended()
            && self.carrier.unreleased() < self.window
        {
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(cx) else { return };
            match frame {
                // The trailers of a request say nothing to a server.
                Some(Ok(frame)) => {
                    let end_stream = body.is_end_stream() || frame.is_trailers();
                    let data = frame.into_data().unwrap_or_else(|_| Bytes::new());
                    if end_stream {
                        self.body = None;
                    }
                    self.carrier.receive(data.len());
                    self.event(Event::Data { stream: KEY, data: &data, end_stream });
                }
                Some(Err(error)) => {
                    self.body = None;
                    let status = status_of(&*error).cloned().unwrap_or_else(|| {
                        Status::cancelled("the content of the request broke off").with_source(error)
                    });
                    self.count_in(|handler, carrier| handler.fail_here(carrier, KEY, status));
                }
                None => {
                    self.body = None;
                    self.event(Event::Data { stream: KEY, data: &[], end_stream: true });
                }
            }
        }
    }

    /// Ready if the deadline has passed, and was handled.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.handler.deadline_here().map(Instant::from_std) else {
            return Poll::Pending;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        std::task::ready!(timer.as_mut().poll(cx));
        let now = Instant::now().into_std();
        self.count_in(|handler, carrier| handler.expire_here(carrier, now));
        Poll::Ready(())
    }
}

impl Drop for Local {
    /// Who asks has gone, or a layer has.
    fn drop(&mut self) {
        if !self.carrier.has_ended() {
            let reason = ResetReason::Remote(ErrorCode::CANCEL);
            self.event(Event::Reset { stream: KEY, reason });
        }
    }
}
