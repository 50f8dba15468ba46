//! A connection of ours whose requests go through layers.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Instant;

use bytes::Bytes;
use dunlin_grpc::{Status, head};
use dunlin_http2::{
    Connection, ErrorCode, Event, Field, HeaderList, HeadersKind, ResetReason, SendError, StreamKey,
};
use dunlin_transport::{CloseReason, ConnectionHandler, Handle};
use http::{HeaderMap, Request, StatusCode};
use http_body::Frame;
use tokio::task::AbortHandle;

use super::exchange::{self, Exchange, Incoming};
use super::local::Origin;
use super::{HttpService, RequestBody, convert};
use crate::call::Peer;
use crate::lifetime::Lifetime;

/// What others ask of a connection.
pub(crate) enum Operation {
    /// The head of a response, and whether that is all of it.
    Head(StreamKey, StatusCode, Box<HeaderMap>, bool),
    /// Content of a response, and whether it is the end.
    Data(StreamKey, Bytes, bool),
    Trailers(StreamKey, Box<HeaderMap>),
    /// There is no end that could be sent.
    Break(StreamKey),
    /// So much of a request was read.
    Consumed(StreamKey, usize),
    /// Nobody reads the rest of a request.
    Discard(StreamKey),
    /// The task of a request is over.
    Gone(StreamKey),
    /// No more requests; those that are there may end.
    ShutDown,
    /// The end, now. Requests that it cuts off are counted.
    Close(Arc<AtomicUsize>),
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Head(..) => "Head",
            Self::Data(..) => "Data",
            Self::Trailers(..) => "Trailers",
            Self::Break(_) => "Break",
            Self::Consumed(..) => "Consumed",
            Self::Discard(_) => "Discard",
            Self::Gone(_) => "Gone",
            Self::ShutDown => "ShutDown",
            Self::Close(_) => "Close",
        })
    }
}

/// One connection of a server with layers.
pub(crate) struct LayeredConnection {
    service: HttpService,
    peer: Arc<Peer>,
    origin: Arc<Origin>,
    link: Handle<Operation>,
    /// By the slot of the stream.
    requests: Vec<Option<InFlight>>,
    count: usize,
    lifetime: Lifetime,
    /// The last header list and what became of it: most requests have the same.
    last: Option<(Arc<HeaderList>, Request<()>)>,
}

struct InFlight {
    key: StreamKey,
    exchange: Arc<Exchange>,
    task: AbortHandle,
    is_discarded: bool,
    /// The end of the response is sent, or there is none that could be.
    has_ended: bool,
}

impl LayeredConnection {
    pub(crate) fn new(
        service: HttpService,
        peer: Arc<Peer>,
        link: Handle<Operation>,
        lifetime: Lifetime,
    ) -> Self {
        let (origin, requests) = (Arc::default(), Vec::new());
        Self { service, peer, origin, link, requests, count: 0, lifetime, last: None }
    }

    fn request(&mut self, key: StreamKey) -> Option<&mut InFlight> {
        self.requests.get_mut(key.slot as usize)?.as_mut().filter(|request| request.key == key)
    }

    fn take(&mut self, key: StreamKey) -> Option<InFlight> {
        let slot = self.requests.get_mut(key.slot as usize)?;
        let request = slot.take_if(|request| request.key == key)?;
        self.count -= 1;
        Some(request)
    }

    fn begin(
        &mut self,
        connection: &mut Connection,
        key: StreamKey,
        headers: Arc<HeaderList>,
        end_stream: bool,
    ) {
        self.lifetime.begin();
        let Some(mut request) = self.head(headers) else {
            // As HTTP says it; nothing here can tell whether that is gRPC.
            let _ = connection.send_headers(key, &[Field::new(":status", "400")][..], true);
            return connection.dismiss(key);
        };
        request.extensions_mut().insert(Arc::clone(&self.peer));
        request.extensions_mut().insert(Arc::clone(&self.origin));
        let exchange = Arc::new(Exchange::default());
        let body = match end_stream {
            true => RequestBody::default(),
            false => {
                let (exchange, link) = (Arc::clone(&exchange), self.link.clone());
                RequestBody::incoming(Incoming { exchange, link, key })
            }
        };
        // A client that resets must not get more work done than its streams allow.
        connection.hold(key);
        let request = request.map(|()| body);
        let service = self.service.clone();
        let run = exchange::run(service, request, Arc::clone(&exchange), self.link.clone(), key);
        let task = tokio::spawn(run).abort_handle();
        let slot = key.slot as usize;
        if self.requests.len() <= slot {
            self.requests.resize_with(slot + 1, || None);
        }
        let new = InFlight { key, exchange, task, is_discarded: end_stream, has_ended: false };
        match self.requests[slot].replace(new) {
            Some(old) => old.task.abort(),
            None => self.count += 1,
        }
    }

    /// The head of a request; `None` if it can not be expressed.
    fn head(&mut self, headers: Arc<HeaderList>) -> Option<Request<()>> {
        if let Some((last, request)) = &self.last
            && Arc::ptr_eq(last, &headers)
        {
            return Some(request.clone());
        }
        let request = convert::request_of_list(&headers)?;
        self.last = Some((headers, request.clone()));
        Some(request)
    }

    /// The client does not want it any longer. The stream counts for as long as its task is there
    /// (CVE-2023-44487).
    fn cancelled(&mut self, connection: &mut Connection, key: StreamKey, reason: &ResetReason) {
        match self.take(key) {
            Some(request) => {
                let status = match reason {
                    ResetReason::Remote(_) => Status::cancelled("the client has cancelled the call"),
                    reason => head::status_of_reset(reason),
                };
                request.exchange.receive(None, Some(Err(status)));
                request.task.abort();
                connection.reset(key, ErrorCode::CANCEL);
            }
            None => connection.forget(key, ErrorCode::CANCEL),
        }
    }

    fn gone(&mut self, connection: &mut Connection, key: StreamKey) {
        // A task that was dropped or has panicked has sent no end, and a stream does not end in silence.
        if self.take(key).is_some_and(|request| !request.has_ended) {
            connection.reset(key, ErrorCode::INTERNAL_ERROR);
        }
        connection.dismiss(key);
    }

    /// Notes whether the response is at its end. Whether anybody waits for it.
    fn note(&mut self, key: StreamKey, has_ended: bool) -> bool {
        let request = self.request(key);
        request.is_some_and(|request| {
            request.has_ended |= has_ended;
            true
        })
    }

    /// Ends all requests, as there is no connection any longer.
    fn cut_off(&mut self) {
        for request in std::mem::take(&mut self.requests).into_iter().flatten() {
            request.exchange.receive(None, Some(Err(Status::cancelled("the connection is lost"))));
            request.task.abort();
        }
        self.count = 0;
    }
}

/// Looks at how something was sent. What can not be sent breaks the stream.
fn sent(connection: &mut Connection, key: StreamKey, result: Result<(), SendError>) {
    match result {
        Ok(()) | Err(SendError::Closed) => {}
        Err(error) => {
            tracing::warn!(%error, "can not send the response of a layer");
            connection.reset(key, ErrorCode::INTERNAL_ERROR);
        }
    }
}

impl ConnectionHandler for LayeredConnection {
    type Operation = Operation;

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Headers { stream, kind: HeadersKind::Request, headers, end_stream } => {
                self.begin(connection, stream, headers, end_stream);
            }
            Event::Headers { stream, headers, end_stream, .. } => {
                if let Some(request) = self.request(stream) {
                    let trailers = (!request.is_discarded).then(|| convert::map_of_list(&headers));
                    let end = end_stream.then_some(Ok(()));
                    request.exchange.receive(trailers.map(Frame::trailers), end);
                }
            }
            Event::Data { stream, data, end_stream } => {
                let is_wanted = self.request(stream).is_some_and(|request| !request.is_discarded);
                if !is_wanted {
                    connection.release(stream, data.len());
                } else if let Some(request) = self.request(stream) {
                    let frame = (!data.is_empty()).then(|| Frame::data(Bytes::copy_from_slice(data)));
                    request.exchange.receive(frame, end_stream.then_some(Ok(())));
                }
            }
            Event::Drained { stream } => {
                if let Some(request) = self.request(stream) {
                    request.exchange.set_room();
                }
            }
            Event::Reset { stream, reason } => self.cancelled(connection, stream, &reason),
            _ => {}
        }
    }

    fn operation(&mut self, connection: &mut Connection, operation: Operation, now: Instant) {
        match operation {
            Operation::Head(key, status, headers, end_stream) if self.note(key, end_stream) => {
                let result = exchange::send(connection, key, status, &headers, end_stream);
                sent(connection, key, result);
            }
            Operation::Data(key, data, end_stream) if self.note(key, end_stream) => {
                let result = connection.send_data(key, data, end_stream);
                sent(connection, key, result);
                // Otherwise `Drained` tells it.
                if !connection.is_congested(key)
                    && let Some(request) = self.request(key)
                {
                    request.exchange.set_room();
                }
            }
            Operation::Trailers(key, trailers) if self.note(key, true) => {
                let fields: Vec<Field<'_>> = convert::fields_of_map(&trailers).collect();
                let result = connection.send_trailers(key, &fields[..]);
                sent(connection, key, result);
            }
            Operation::Break(key) if self.note(key, true) => {
                connection.reset(key, ErrorCode::INTERNAL_ERROR);
            }
            // The client has cancelled it.
            Operation::Head(..) | Operation::Data(..) | Operation::Trailers(..) | Operation::Break(_) => {}
            Operation::Consumed(key, bytes) => connection.release(key, bytes),
            Operation::Discard(key) => {
                if let Some(request) = self.request(key) {
                    request.is_discarded = true;
                    connection.release(key, request.exchange.discard());
                }
            }
            Operation::Gone(key) => self.gone(connection, key),
            Operation::ShutDown => connection.shut_down(now),
            Operation::Close(cut_off) => {
                cut_off.fetch_add(self.count, Ordering::Relaxed);
                connection.close(ErrorCode::NO_ERROR, "shutdown");
            }
        }
    }

    fn poll(&mut self, connection: &mut Connection, _: &mut Context<'_>, now: Instant) {
        self.lifetime.look(connection, self.count, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.lifetime.poll_timeout(self.count)
    }

    fn timeout(&mut self, connection: &mut Connection, now: Instant) {
        self.lifetime.timeout(connection, self.count, now);
    }

    fn memory(&self) -> usize {
        self.origin.assembling.load(Ordering::Relaxed)
    }

    fn closed(&mut self, _: &Connection, _: &CloseReason) {
        self.cut_off();
    }
}

impl Drop for LayeredConnection {
    /// The task has ended without a word: it panicked, or the runtime is gone.
    fn drop(&mut self) {
        self.cut_off();
    }
}
