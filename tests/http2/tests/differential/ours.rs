//! Our engine's side of the traits: through the driver, its handle and a handler.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::task::Context;
use std::time::Instant;

use bytes::Bytes;
use dunlin_http2::{
    Config, Connection, ErrorCode, Event, Field, HeaderList, HeadersKind, OpenError, ResetReason, Role,
    SendError, StreamKey,
};
use dunlin_transport::{CloseReason, ConnectionHandler, Driver, Handle};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot, watch};

use crate::follow::{Client, End, Head, Incoming, Receive, Send, normal};
use crate::script::{Exchange, Fields, Settings};

type Opened = Result<(StreamKey, Inbox, watch::Receiver<Option<End>>), End>;
type Inbox = mpsc::UnboundedReceiver<Incoming>;

/// What the followers want of the connection.
pub(crate) enum Operation {
    Open {
        fields: Fields,
        end: bool,
        reply: oneshot::Sender<Opened>,
    },
    Informational(StreamKey, Fields),
    Headers(StreamKey, Fields, bool),
    Data(StreamKey, Bytes, bool),
    Trailers(StreamKey, Fields),
    Room(StreamKey, oneshot::Sender<()>),
    Release(StreamKey, usize),
    Reset(StreamKey, u32),
    /// The follower is done with the stream.
    LetGo(StreamKey),
    ShutDown,
}

fn config(settings: &Settings) -> Config {
    let config = Config::default()
        .initial_window_size(settings.window)
        .connection_window_size(settings.connection_window)
        .max_concurrent_streams(settings.max_concurrent)
        .max_frame_size(settings.max_frame_size)
        .header_table_size(settings.header_table_size)
        .max_header_list_size(settings.max_header_list_size)
        .encoder_table_size(settings.encoder_table_size);
    if settings.is_window_growing { config } else { config.max_window_size(0) }
}

/// A client's handle to its connection. The connection is shut down when it is dropped.
pub(crate) struct OurClient(Handle<Operation>);

impl Drop for OurClient {
    fn drop(&mut self) {
        let _ = self.0.submit(Operation::ShutDown);
    }
}

pub(crate) fn client(
    io: DuplexStream,
    settings: &Settings,
) -> (OurClient, impl Future<Output = Result<(), String>> + use<>) {
    let connection = Connection::client(config(settings), Instant::now());
    let (handle, driver) = Driver::new(io, connection, Handler::new(Role::Client, None));
    (OurClient(handle), async move { result(driver.await) })
}

/// Accepts requests until the connection ends. `shutdown_after` that many it goes away.
pub(crate) async fn server(
    io: DuplexStream,
    settings: &Settings,
    shutdown_after: Option<usize>,
    mut accepted: impl FnMut(Head, OurSend, OurReceive),
) -> Result<(), String> {
    let (accept, mut requests) = mpsc::unbounded_channel();
    let connection = Connection::server(config(settings), Instant::now());
    let (handle, driver) = Driver::new(io, connection, Handler::new(Role::Server, Some(accept)));
    let accepting = async {
        let mut count = 0;
        while let Some((key, head, inbox, stop)) = requests.recv().await {
            count += 1;
            if Some(count) == shutdown_after {
                let _ = handle.submit(Operation::ShutDown);
            }
            let (send, receive) = halves(&handle, key, inbox, stop);
            accepted(head, send, receive);
        }
    };
    let driving = async {
        let reason = driver.await;
        result(reason)
    };
    tokio::join!(accepting, driving).1
}

/// That the transport is gone says nothing of the protocol; what it cost shows in the exchanges.
fn result(reason: CloseReason) -> Result<(), String> {
    match reason {
        CloseReason::Protocol(error) => Err(format!("ours: {error:?}")),
        _ => Ok(()),
    }
}

type Accepted = (StreamKey, Head, Inbox, watch::Receiver<Option<End>>);

struct Stream {
    incoming: mpsc::UnboundedSender<Incoming>,
    stop: watch::Sender<Option<End>>,
    waiting: Vec<oneshot::Sender<()>>,
    has_received_all: bool,
    has_sent_all: bool,
}

struct Handler {
    role: Role,
    accept: Option<mpsc::UnboundedSender<Accepted>>,
    streams: HashMap<StreamKey, Stream>,
    /// Requests that wait for settings, or for room.
    opening: VecDeque<Operation>,
    has_settings: bool,
    /// Let go of once what is queued for them is sent.
    draining: Vec<StreamKey>,
}

impl Handler {
    fn new(role: Role, accept: Option<mpsc::UnboundedSender<Accepted>>) -> Self {
        Self {
            role,
            accept,
            streams: HashMap::new(),
            opening: VecDeque::new(),
            has_settings: false,
            draining: Vec::new(),
        }
    }

    fn insert(&mut self, key: StreamKey, has_sent_all: bool) -> (Inbox, watch::Receiver<Option<End>>) {
        let (incoming, inbox) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(None);
        let stream = Stream { incoming, stop, waiting: Vec::new(), has_received_all: false, has_sent_all };
        self.streams.insert(key, stream);
        (inbox, stopped)
    }

    fn open(&mut self, connection: &mut Connection) {
        while self.has_settings
            && let Some(operation) = self.opening.pop_front()
        {
            let Operation::Open { fields, end, reply } = operation else { continue };
            let opened = connection.open(&borrowed(&fields)[..], end);
            let answer = match opened {
                Ok(key) => {
                    let (inbox, stop) = self.insert(key, end);
                    Ok((key, inbox, stop))
                }
                Err(OpenError::Full { .. }) => {
                    self.opening.push_front(Operation::Open { fields, end, reply });
                    return;
                }
                Err(OpenError::GoingAway) => Err(End::Unprocessed),
                Err(error) => Err(End::Lost(format!("ours: {error:?}"))),
            };
            let _ = reply.send(answer);
        }
    }

    fn deliver(&mut self, key: StreamKey, incoming: Option<Incoming>, end: Option<End>) {
        let Some(stream) = self.streams.get_mut(&key) else { return };
        if let Some(incoming) = incoming {
            let _ = stream.incoming.send(incoming);
        }
        // The first end counts: that of the connection may follow before the follower has its turn.
        let Some(end) = end.filter(|_| stream.stop.borrow().is_none()) else { return };
        let _ = stream.incoming.send(Incoming::End(end.clone()));
        if end == End::Clean {
            stream.has_received_all = true;
        } else {
            stream.stop.send_replace(Some(end));
            stream.waiting.clear();
        }
    }

    /// A stream that has ended takes nothing; all other errors are faults.
    fn check(&mut self, key: StreamKey, result: Result<(), SendError>) {
        if let Err(error) = result
            && error != SendError::Closed
        {
            self.deliver(key, None, Some(End::Lost(format!("ours: {error:?}"))));
        }
    }

    fn let_go(&mut self, connection: &mut Connection, key: StreamKey) {
        let Some(stream) = self.streams.remove(&key) else { return };
        match (stream.has_sent_all, stream.has_received_all) {
            (true, true) => connection.release(key, usize::MAX),
            (true, false) if self.role == Role::Server && stream.stop.borrow().is_none() => {
                self.draining.push(key);
            }
            _ => connection.forget(key, ErrorCode::CANCEL),
        }
    }

    fn sent_all(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(&key) {
            stream.has_sent_all = true;
        }
    }
}

fn borrowed(fields: &Fields) -> Vec<Field<'_>> {
    fields.iter().map(|(name, value)| Field::new(name, value)).collect()
}

fn fields_of(headers: &HeaderList) -> Fields {
    let regular = headers.iter().filter(|field| !field.name.starts_with(':'));
    normal(regular.map(|field| (field.name.to_owned(), field.value.to_vec())).collect())
}

fn head_of(kind: HeadersKind, headers: &HeaderList) -> Head {
    let start = match kind {
        HeadersKind::Request => {
            let parts = [headers.method(), headers.scheme(), headers.authority(), headers.path()];
            parts.map(Option::unwrap_or_default).join(" ")
        }
        _ => headers.status().unwrap_or_default().to_string(),
    };
    Head { start, fields: fields_of(headers) }
}

impl ConnectionHandler for Handler {
    type Operation = Operation;

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, _: Instant) {
        match event {
            Event::Headers { stream, kind, headers, end_stream } => {
                let end = end_stream.then_some(End::Clean);
                match kind {
                    HeadersKind::Request => {
                        let (inbox, stop) = self.insert(stream, false);
                        let head = head_of(kind, &headers);
                        if let Some(accept) = &self.accept {
                            let _ = accept.send((stream, head, inbox, stop));
                        }
                        self.deliver(stream, None, end);
                    }
                    HeadersKind::Informational => {
                        self.deliver(stream, Some(Incoming::Informational(head_of(kind, &headers))), end);
                    }
                    HeadersKind::Response => {
                        self.deliver(stream, Some(Incoming::Head(head_of(kind, &headers))), end);
                    }
                    HeadersKind::Trailers => {
                        self.deliver(stream, Some(Incoming::Trailers(fields_of(&headers))), end);
                    }
                }
            }
            Event::Data { stream, data, end_stream } => {
                let data = Incoming::Data(Bytes::copy_from_slice(data));
                self.deliver(stream, Some(data), end_stream.then_some(End::Clean));
            }
            Event::Reset { stream, reason } => {
                let end = match reason {
                    ResetReason::Remote(code) => End::Reset(code.0),
                    ResetReason::Local(fault) => End::Fault(fault.code().0),
                    ResetReason::NotProcessed => End::Unprocessed,
                    reason => End::Lost(format!("ours: {reason:?}")),
                };
                self.deliver(stream, None, Some(end));
            }
            Event::Drained { stream } => {
                let waiting = self.streams.get_mut(&stream).map(|stream| std::mem::take(&mut stream.waiting));
                for room in waiting.into_iter().flatten() {
                    let _ = room.send(());
                }
            }
            Event::Settings => {
                self.has_settings = true;
                self.open(connection);
            }
            Event::Capacity | Event::GoAway { .. } => self.open(connection),
            _ => {}
        }
    }

    fn operation(&mut self, connection: &mut Connection, operation: Operation, now: Instant) {
        match operation {
            Operation::Open { .. } => {
                self.opening.push_back(operation);
                self.open(connection);
            }
            Operation::Informational(key, fields) => {
                let result = connection.send_informational(key, &borrowed(&fields)[..]);
                self.check(key, result);
            }
            Operation::Headers(key, fields, end) => {
                let result = connection.send_headers(key, &borrowed(&fields)[..], end);
                self.check(key, result);
                if end {
                    self.sent_all(key);
                }
            }
            Operation::Data(key, data, end) => {
                let result = connection.send_data(key, data, end);
                self.check(key, result);
                if end {
                    self.sent_all(key);
                }
            }
            Operation::Trailers(key, fields) => {
                let result = connection.send_trailers(key, &borrowed(&fields)[..]);
                self.check(key, result);
                self.sent_all(key);
            }
            Operation::Room(key, room) => match self.streams.get_mut(&key) {
                Some(stream) if stream.stop.borrow().is_none() => match connection.is_congested(key) {
                    true => stream.waiting.push(room),
                    false => {
                        let _ = room.send(());
                    }
                },
                _ => {}
            },
            Operation::Release(key, bytes) => connection.release(key, bytes),
            Operation::Reset(key, code) => connection.reset(key, ErrorCode(code)),
            Operation::LetGo(key) => self.let_go(connection, key),
            Operation::ShutDown => connection.shut_down(now),
        }
    }

    fn poll(&mut self, connection: &mut Connection, cx: &mut Context<'_>, _: Instant) {
        // RFC 9113 §8.1: after an early response, NO_ERROR says that the rest is not needed. Nothing tells
        // when the response is out, so this asks in each turn.
        self.draining.retain(|&key| {
            let is_waiting = connection.queued(key) > 0;
            if !is_waiting {
                connection.forget(key, ErrorCode::NO_ERROR);
            }
            is_waiting
        });
        if !self.draining.is_empty() {
            cx.waker().wake_by_ref();
        }
    }

    fn closed(&mut self, _: &Connection, reason: &CloseReason) {
        let end = End::Lost(format!("ours: {reason:?}"));
        let keys: Vec<StreamKey> = self.streams.keys().copied().collect();
        keys.into_iter().for_each(|key| self.deliver(key, None, Some(end.clone())));
        self.opening.clear();
        self.accept = None;
    }
}

impl Client for OurClient {
    type Send = OurSend;
    type Receive = OurReceive;

    async fn open(&self, exchange: &Exchange) -> Result<(OurSend, OurReceive), End> {
        let pseudo = [
            (":method", exchange.method),
            (":scheme", "http"),
            (":authority", "example.com"),
            (":path", &exchange.path),
        ];
        let mut fields: Fields =
            pseudo.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).into();
        fields.extend(exchange.request_fields.iter().cloned());
        let (reply, opened) = oneshot::channel();
        let operation = Operation::Open { fields, end: exchange.request.is_none(), reply };
        // A connection that is closed by then has gone away; one that fails says so itself.
        self.0.submit(operation).map_err(|_| End::Unprocessed)?;
        let (key, inbox, stop) = opened.await.unwrap_or(Err(End::Unprocessed))?;
        Ok(halves(&self.0, key, inbox, stop))
    }
}

fn halves(
    handle: &Handle<Operation>,
    key: StreamKey,
    inbox: Inbox,
    stop: watch::Receiver<Option<End>>,
) -> (OurSend, OurReceive) {
    let receive = OurReceive { handle: handle.clone(), key, inbox };
    (OurSend { handle: handle.clone(), key, stop }, receive)
}

pub(crate) struct OurReceive {
    handle: Handle<Operation>,
    key: StreamKey,
    inbox: Inbox,
}

impl Drop for OurReceive {
    fn drop(&mut self) {
        let _ = self.handle.submit(Operation::LetGo(self.key));
    }
}

impl Receive for OurReceive {
    async fn next(&mut self) -> Incoming {
        let incoming = self.inbox.recv().await;
        if let Some(Incoming::Data(data)) = &incoming {
            let _ = self.handle.submit(Operation::Release(self.key, data.len()));
        }
        incoming.unwrap_or_else(|| Incoming::End(End::Lost("ours: the stream is gone".to_owned())))
    }
}

pub(crate) struct OurSend {
    handle: Handle<Operation>,
    key: StreamKey,
    stop: watch::Receiver<Option<End>>,
}

impl OurSend {
    fn submit(&self, operation: Operation) -> bool {
        self.handle.submit(operation).is_ok() && self.stop.borrow().is_none()
    }
}

fn with_status(status: u16, fields: &Fields) -> Fields {
    let status = (":status".to_owned(), status.to_string().into_bytes());
    std::iter::once(status).chain(fields.iter().cloned()).collect()
}

impl Send for OurSend {
    fn informational(&mut self, status: u16, fields: &Fields) {
        self.submit(Operation::Informational(self.key, with_status(status, fields)));
    }

    fn headers(&mut self, status: u16, fields: &Fields, end: bool) {
        self.submit(Operation::Headers(self.key, with_status(status, fields), end));
    }

    async fn room(&mut self, _: usize) -> bool {
        let (room, waiting) = oneshot::channel();
        self.submit(Operation::Room(self.key, room)) && waiting.await.is_ok()
    }

    fn data(&mut self, data: Bytes, end: bool) -> bool {
        self.submit(Operation::Data(self.key, data, end))
    }

    fn trailers(&mut self, fields: &Fields) {
        self.submit(Operation::Trailers(self.key, fields.clone()));
    }

    fn reset(&mut self, code: u32) {
        self.submit(Operation::Reset(self.key, code));
    }

    async fn stopped(&mut self) -> End {
        match self.stop.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or(End::Clean),
            Err(_) => End::Lost("ours: the stream is gone".to_owned()),
        }
    }
}
