//! One request of a connection of ours, on its way through the layers.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use dunlin_grpc::Status;
use dunlin_http2::StreamKey;
use dunlin_transport::Handle;
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body, Frame};
use tower_service::Service;

use super::body::status_of;
use super::connection::Operation;
use super::layer::incident;
use super::{BoxError, HttpService, RequestBody, ResponseBody, convert};

/// What a connection and the task of a request share.
#[derive(Default)]
pub(super) struct Exchange(Mutex<State>);

#[derive(Default)]
struct State {
    /// Of the request, until they are read.
    frames: VecDeque<Frame<Bytes>>,
    /// Of the request.
    end: Option<Result<(), Status>>,
    reader: Option<Waker>,
    /// Bytes of the response that the connection has not taken.
    queued: usize,
    writer: Option<Waker>,
}

/// Bytes of a response that may be on their way to the connection.
const QUEUED: usize = 64 << 10;

impl Exchange {
    /// A poisoned lock is harmless: nothing that can panic leaves the state in between.
    fn state(&self) -> MutexGuard<'_, State> {
        match self.0.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// More of the request has come, or its end.
    pub(super) fn receive(&self, frame: Option<Frame<Bytes>>, end: Option<Result<(), Status>>) {
        let reader = {
            let mut state = self.state();
            state.frames.extend(frame);
            if state.end.is_none() {
                state.end = end;
            }
            state.reader.take()
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Drops what has come of the request and was not read: so many bytes.
    pub(super) fn discard(&self) -> usize {
        let frames = std::mem::take(&mut self.state().frames);
        frames.iter().filter_map(Frame::data_ref).map(Bytes::len).sum()
    }

    /// The stream has room for more of the response.
    pub(super) fn set_room(&self) {
        let writer = {
            let mut state = self.state();
            state.queued = 0;
            state.writer.take()
        };
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Waits until more of the response may be queued.
    async fn room(&self) {
        poll_fn(|cx| {
            let mut state = self.state();
            if state.queued < QUEUED {
                return Poll::Ready(());
            }
            state.writer = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// The content of a request of our own connections. Dropping it discards what is still to come.
pub(super) struct Incoming {
    pub(super) exchange: Arc<Exchange>,
    pub(super) link: Handle<Operation>,
    pub(super) key: StreamKey,
}

impl Incoming {
    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut state = self.exchange.state();
        if let Some(frame) = state.frames.pop_front() {
            drop(state);
            let read = frame.data_ref().map_or(0, Bytes::len);
            if read > 0 {
                // A connection that is closed needs no windows.
                let _ = self.link.submit(Operation::Consumed(self.key, read));
            }
            return Poll::Ready(Some(Ok(frame)));
        }
        match &state.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(status)) => {
                let status = status.clone();
                state.end = Some(Ok(()));
                Poll::Ready(Some(Err(status.into())))
            }
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        let state = self.exchange.state();
        state.frames.is_empty() && matches!(state.end, Some(Ok(())))
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if !self.is_at_end() {
            let _ = self.link.submit(Operation::Discard(self.key));
        }
    }
}

/// Tells the connection that the task is over, in whatever way.
struct Gone(Handle<Operation>, StreamKey);

impl Drop for Gone {
    fn drop(&mut self) {
        let _ = self.0.submit(Operation::Gone(self.1));
    }
}

/// The task of a request: asks the service, and sends what it answers.
pub(super) async fn run(
    mut service: HttpService,
    request: Request<RequestBody>,
    exchange: Arc<Exchange>,
    link: Handle<Operation>,
    key: StreamKey,
) {
    let gone = Gone(link.clone(), key);
    let uri = request.uri().clone();
    let (mut head, mut body) = match service.call(request).await {
        Ok(response) => response.into_parts(),
        Err(never) => match never {},
    };
    if head.status.is_informational() {
        // The answer is still to come then, and a service has one only.
        head.status = StatusCode::INTERNAL_SERVER_ERROR;
    }
    let is_grpc = convert::is_grpc(&head.headers);
    let mut has_ended = body.is_end_stream();
    let _ = link.submit(Operation::Head(key, head.status, Box::new(head.headers), has_ended));
    while !has_ended {
        exchange.room().await;
        let operation = match next(&mut body, uri.path()).await {
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => {
                    has_ended = body.is_end_stream();
                    exchange.state().queued += data.len();
                    Operation::Data(key, data, has_ended)
                }
                Err(frame) => {
                    let Ok(trailers) = frame.into_trailers() else { continue };
                    has_ended = true;
                    Operation::Trailers(key, Box::new(trailers))
                }
            },
            None => {
                has_ended = true;
                Operation::Data(key, Bytes::new(), true)
            }
            Some(Err(error)) => {
                has_ended = true;
                broken(key, is_grpc, &*error)
            }
        };
        if link.submit(operation).is_err() {
            break;
        }
    }
    drop(body);
    drop(gone);
}

async fn next(body: &mut ResponseBody, path: &str) -> Option<Result<Frame<Bytes>, BoxError>> {
    poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| Pin::new(&mut *body).poll_frame(cx))) {
        Ok(poll) => poll,
        Err(panic) => Poll::Ready(Some(Err(incident(path, &*panic).into()))),
    })
    .await
}

/// What the client is told where a body has failed.
fn broken(key: StreamKey, is_grpc: bool, error: &(dyn std::error::Error + 'static)) -> Operation {
    let status = status_of(error).cloned();
    if status.is_none() {
        tracing::warn!(error, "the content of a response failed");
    }
    if !is_grpc {
        return Operation::Break(key);
    }
    let status = status.unwrap_or_else(|| Status::internal("the content of the response broke off"));
    let none = dunlin_grpc::Metadata::new();
    let end = dunlin_grpc::head::EndFields::new(Some(&status), &none);
    let fields = end.fields();
    match convert::map_of_fields(fields[..].into()) {
        Ok((_, trailers)) => Operation::Trailers(key, Box::new(trailers)),
        Err(_) => Operation::Break(key),
    }
}

/// What a connection sends of a head.
pub(super) fn send(
    connection: &mut dunlin_http2::Connection,
    key: StreamKey,
    status: StatusCode,
    headers: &HeaderMap,
    end_stream: bool,
) -> Result<(), dunlin_http2::SendError> {
    let mut fields = Vec::with_capacity(headers.len() + 1);
    fields.push(dunlin_http2::Field::new(":status", status.as_str()));
    fields.extend(convert::fields_of_map(headers));
    connection.send_headers(key, &fields[..], end_stream)
}
