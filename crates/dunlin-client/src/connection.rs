//! The calls of one connection.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use dunlin_grpc::halves::{Reading, Signal};
use dunlin_grpc::head::{self, ResponseHead};
use dunlin_grpc::inlet::Inlet;
use dunlin_grpc::timeout::TimeoutText;
use dunlin_grpc::{Encodings, Metadata, Status};
use dunlin_http2::{
    Connection, ErrorCode, Event, Field, HeaderList, HeadersKind, Keepalive, OpenError, ResetReason,
    SendError, StreamId, StreamKey,
};
use dunlin_transport::{CloseReason, ConnectionHandler};
use tokio::sync::{mpsc, oneshot};

use crate::call::ClientCall;
use crate::channel::ChannelSettings;
use crate::keepalive::is_too_many_pings;
use crate::manager::Command;
use crate::picker::Link;

/// What others ask of a connection.
pub(crate) enum Operation {
    /// A call has chosen this connection.
    Begin(Ticket),
    /// A half of a call has something to tell.
    Signal(Arc<ClientCall>, Signal),
    /// Nobody wants the call any longer.
    Cancel(Arc<ClientCall>, Status),
    /// No more calls; the connection ends with the last one.
    ShutDown,
}

/// A call on its way to a connection. Lost on the way, it ends.
pub(crate) struct Ticket(Option<Arc<ClientCall>>);

impl Ticket {
    pub(crate) fn new(call: Arc<ClientCall>) -> Self {
        Self(Some(call))
    }

    /// The call has arrived.
    pub(crate) fn call(mut self) -> Option<Arc<ClientCall>> {
        self.0.take()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            call.leave_link();
            call.finish(Err(Status::unavailable("the connection has ended")), Metadata::new());
        }
    }
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Begin(_) => "Begin",
            Self::Signal(..) => "Signal",
            Self::Cancel(..) => "Cancel",
            Self::ShutDown => "ShutDown",
        })
    }
}

/// One connection of a channel.
pub(crate) struct ClientConnection {
    link: Arc<Link>,
    settings: Arc<ChannelSettings>,
    /// What this connection keeps to.
    keepalive: Option<Keepalive>,
    has_opened: bool,
    is_useful: bool,
    encodings: Arc<Encodings>,
    /// Bytes that all readers of the connection together may have read without telling it.
    credit: usize,
    /// The server's first SETTINGS make the connection ready.
    ready: Option<oneshot::Sender<Result<(), String>>>,
    manager: mpsc::WeakUnboundedSender<Command>,
    /// By the slot of the stream.
    calls: Vec<Option<Call>>,
    count: usize,
    /// Calls that wait until the server allows more streams.
    waiting: VecDeque<Arc<ClientCall>>,
    /// No deadline is before this.
    next_deadline: Option<Instant>,
    /// What the server has said to go away with.
    going: Option<String>,
}

struct Call {
    key: StreamKey,
    shared: Arc<ClientCall>,
    inlet: Inlet,
    messages: usize,
    has_headers: bool,
    /// There is something to send once the stream is not congested.
    wants_flush: bool,
}

impl ClientConnection {
    pub(crate) fn new(
        link: Arc<Link>,
        settings: Arc<ChannelSettings>,
        keepalive: Option<Keepalive>,
        ready: oneshot::Sender<Result<(), String>>,
        manager: mpsc::WeakUnboundedSender<Command>,
    ) -> Self {
        Self {
            link,
            keepalive,
            has_opened: false,
            is_useful: false,
            encodings: Arc::clone(&settings.encodings),
            credit: settings.connection_window as usize / 16,
            settings,
            ready: Some(ready),
            manager,
            calls: Vec::new(),
            count: 0,
            waiting: VecDeque::new(),
            next_deadline: None,
            going: None,
        }
    }

    fn call(&mut self, key: StreamKey) -> Option<&mut Call> {
        self.calls.get_mut(key.slot as usize)?.as_mut().filter(|call| call.key == key)
    }

    fn take(&mut self, key: StreamKey) -> Option<Call> {
        let call = self.calls.get_mut(key.slot as usize)?.take_if(|call| call.key == key)?;
        self.count -= 1;
        call.shared.leave_link();
        Some(call)
    }

    fn tell(&self, command: Command) {
        if let Some(manager) = self.manager.upgrade() {
            let _ = manager.send(command);
        }
    }

    /// No more calls are to come here.
    fn leave(&mut self) {
        if !self.link.is_gone() {
            self.link.set_gone();
            self.tell(Command::Lost);
        }
    }

    /// The call goes elsewhere, as if it had not been here.
    fn send_elsewhere(&mut self, call: Arc<ClientCall>) {
        call.leave_link();
        if let Some(status) = call.cancelled() {
            call.finish(Err(status), Metadata::new());
            return;
        }
        call.channel.clone().begin_again(call);
    }

    /// The server has taken a call.
    fn set_useful(&mut self) {
        if !std::mem::replace(&mut self.is_useful, true) {
            self.link.set_useful();
        }
    }

    /// The server was asked too often.
    fn slow_down(&self) {
        let asked = self.keepalive.map(|keepalive| keepalive.time());
        let next = asked.and_then(|time| self.settings.http2.slow_down(time));
        tracing::warn!(
            target = %self.settings.target,
            peer = %self.link.info.peer,
            ?asked,
            ?next,
            "the server was sent too many pings: new connections wait longer between them"
        );
    }

    fn send_waiting_elsewhere(&mut self) {
        for call in std::mem::take(&mut self.waiting) {
            self.send_elsewhere(call);
        }
    }

    /// Ends all calls, as there is no connection any longer.
    fn cut_off(&mut self, why: &str) {
        for call in std::mem::take(&mut self.calls).into_iter().flatten() {
            call.shared.leave_link();
            let status = Status::unavailable(format!("connection to {} lost: {why}", self.link.info.peer));
            call.shared.finish(Err(status.with_source(call.shared.report(None))), Metadata::new());
        }
        self.count = 0;
    }

    // ------------------------------------------------------------ requests

    fn begin(&mut self, connection: &mut Connection, call: Arc<ClientCall>, now: Instant) {
        if let Some(deadline) = call.deadline {
            self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
        }
        if let Some(status) = call.cancelled() {
            call.leave_link();
            call.finish(Err(status), Metadata::new());
            return;
        }
        if !self.waiting.is_empty() {
            self.waiting.push_back(call);
            return;
        }
        self.open(connection, call, now);
    }

    /// Whether the next one may be opened too.
    fn open(&mut self, connection: &mut Connection, call: Arc<ClientCall>, now: Instant) -> bool {
        let remaining = call.deadline.map(|deadline| deadline.saturating_duration_since(now));
        if remaining.is_some_and(|remaining| remaining.is_zero()) {
            let status = call.deadline_exceeded(None);
            call.leave_link();
            call.finish(Err(status), Metadata::new());
            return true;
        }
        let timeout = remaining.map(TimeoutText::new);
        let opened = match (&timeout, call.encoding.is_identity(), call.metadata.is_empty()) {
            (None, true, true) => connection.open(&call.block, false),
            _ => {
                let mut fields = Vec::with_capacity(2 + call.metadata.len());
                if let Some(timeout) = &timeout {
                    fields.push(Field::new("grpc-timeout", timeout.as_bytes()));
                }
                if !call.encoding.is_identity() {
                    fields.push(Field::new("grpc-encoding", call.encoding.name()));
                }
                fields.extend(call.metadata.fields());
                connection.open((&call.block, &fields[..]), false)
            }
        };
        let key = match opened {
            Ok(key) => key,
            Err(OpenError::Full { .. }) => {
                self.waiting.push_front(call);
                return false;
            }
            Err(OpenError::GoingAway) => {
                self.leave();
                // If that is because all identifiers are used up, the server does not know.
                connection.shut_down(now);
                self.send_elsewhere(call);
                return true;
            }
            Err(error) => {
                call.leave_link();
                let status = match error {
                    OpenError::HeaderListTooLarge { .. } => Status::resource_exhausted(error.to_string()),
                    _ => Status::internal(error.to_string()),
                };
                call.finish(Err(status.with_source(error)), Metadata::new());
                return true;
            }
        };
        call.set_key(key);
        self.has_opened = true;
        let slot = key.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        if let Some(old) = self.calls[slot].as_ref().map(|call| call.key) {
            self.end(connection, old, Err(Status::unavailable("the stream has ended")), Metadata::new());
        }
        self.count += 1;
        let shared = Arc::clone(&call);
        self.calls[slot] = Some(Call {
            key,
            shared,
            inlet: Inlet::default(),
            messages: 0,
            has_headers: false,
            wants_flush: false,
        });
        match &call.request {
            // The stream has just been opened, so both can not fail.
            Some(request) if request.len() < LARGE => {
                let _ =
                    connection.send_data_with(key, request.len(), true, |out| out.extend_from_slice(request));
            }
            Some(request) => {
                let _ = connection.send_data(key, request.clone(), true);
            }
            None => self.flush(connection, key),
        }
        true
    }

    fn open_waiting(&mut self, connection: &mut Connection, now: Instant) {
        while let Some(call) = self.waiting.pop_front() {
            match call.cancelled() {
                Some(status) => {
                    call.leave_link();
                    call.finish(Err(status), Metadata::new());
                }
                None if !self.open(connection, call, now) => return,
                None => {}
            }
        }
    }

    /// Sends what the user has queued, unless the stream has enough.
    fn flush(&mut self, connection: &mut Connection, key: StreamKey) {
        let is_congested = connection.is_congested(key);
        let Some(call) = self.call(key) else { return };
        call.wants_flush = is_congested;
        if is_congested {
            return;
        }
        let taken = call.shared.halves.take();
        let mut chunks = taken.chunks.into_iter().peekable();
        let mut sent = Ok(());
        while let Some(chunk) = chunks.next() {
            let is_last = taken.is_end && chunks.peek().is_none();
            sent = sent.and_then(|()| connection.send_data(key, chunk, is_last));
            if is_last {
                return;
            }
        }
        if taken.is_end {
            sent = sent.and_then(|()| connection.send_data(key, Bytes::new(), true));
        }
        // Closed: the end of the call is on its way to the user, or it was sent before.
        debug_assert!(matches!(sent, Ok(()) | Err(SendError::Closed)));
    }

    // ------------------------------------------------------------ responses

    fn headers(
        &mut self,
        connection: &mut Connection,
        key: StreamKey,
        headers: &HeaderList,
        has_ended: bool,
    ) {
        self.set_useful();
        let encodings = Arc::clone(&self.encodings);
        // What readers keep to themselves is never more than the window of the connection, all together.
        let credit_step = (self.credit / self.count.max(1)).clamp(1, 2048);
        let metadata = self.metadata(headers);
        let Some(call) = self.call(key) else { return };
        match head::read_response(headers, has_ended, &encodings) {
            ResponseHead::Messages(encoding) => {
                call.has_headers = true;
                let limit = call.shared.max_response;
                call.shared.halves.set_reading(Reading { encoding, limit, credit_step });
                if let Some(interception) = &call.shared.interception {
                    interception.set_incoming(&metadata);
                }
                call.shared.halves.receive_headers(metadata);
            }
            ResponseHead::End(result) => self.end(connection, key, result, metadata),
            ResponseHead::Broken(status) => self.end(connection, key, Err(status), metadata),
        }
    }

    fn data(&mut self, connection: &mut Connection, key: StreamKey, data: &[u8], has_ended: bool) {
        let Some(call) = self.call(key) else {
            connection.release(key, data.len());
            return;
        };
        let limit = call.shared.max_response;
        let fed = call.inlet.feed(data, &call.shared.halves, limit);
        call.messages += fed.messages;
        connection.release(key, fed.released);
        let is_too_many = call.messages > 1 && call.shared.method.kind().has_one_response();
        let failure = match fed.result {
            Err(status) => Some(status),
            Ok(()) if is_too_many => {
                Some(Status::unimplemented("more than one response for a call that has exactly one"))
            }
            Ok(()) if has_ended => Some(match call.inlet.check_end() {
                Ok(()) => Status::internal("the response ended without trailers"),
                Err(status) => status,
            }),
            Ok(()) => None,
        };
        if let Some(status) = failure {
            self.end(connection, key, Err(status), Metadata::new());
        }
    }

    fn trailers(&mut self, connection: &mut Connection, key: StreamKey, headers: &HeaderList) {
        let Some(call) = self.call(key) else { return };
        let is_whole = call.inlet.check_end();
        let result = head::read_status(headers).and(is_whole);
        let metadata = self.metadata(headers);
        self.end(connection, key, result, metadata);
    }

    fn metadata(&self, headers: &HeaderList) -> Metadata {
        match self.settings.shows_protocol {
            true => Metadata::from_all_headers(headers),
            false => Metadata::from_headers(headers),
        }
    }

    fn end(
        &mut self,
        connection: &mut Connection,
        key: StreamKey,
        result: Result<(), Status>,
        trailers: Metadata,
    ) {
        let Some(call) = self.take(key) else { return };
        connection.forget(key, if result.is_ok() { ErrorCode::NO_ERROR } else { ErrorCode::CANCEL });
        call.shared.finish(result, trailers);
    }

    fn reset(&mut self, connection: &mut Connection, key: StreamKey, reason: &ResetReason, now: Instant) {
        connection.forget(key, ErrorCode::CANCEL);
        let Some(call) = self.take(key) else { return };
        let was_not_processed =
            matches!(reason, ResetReason::NotProcessed | ResetReason::Remote(ErrorCode::REFUSED_STREAM));
        if was_not_processed && !call.has_headers && call.shared.may_begin_again() {
            return self.send_elsewhere(call.shared);
        }
        let is_late = call.shared.deadline.is_some_and(|deadline| deadline <= now);
        let status = match reason {
            ResetReason::Remote(ErrorCode::CANCEL) if is_late => call.shared.deadline_exceeded(None),
            // After its trailers a server may ask to stop by NO_ERROR; without them the call is cut off.
            reason => head::status_of_reset(reason),
        };
        call.shared.finish(Err(status), Metadata::new());
    }

    fn expire(&mut self, connection: &mut Connection, now: Instant) {
        self.next_deadline = None;
        let mut late = Vec::new();
        let live = self.calls.iter().flatten().map(|call| (&call.shared, Some(call.key)));
        for (call, key) in live.chain(self.waiting.iter().map(|call| (call, None))) {
            let Some(deadline) = call.deadline else { continue };
            if deadline <= now {
                late.push((Arc::clone(call), key));
            } else {
                self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
            }
        }
        for (call, key) in late {
            let status = call.deadline_exceeded(None);
            match key {
                Some(key) => self.end(connection, key, Err(status), Metadata::new()),
                None => {
                    self.waiting.retain(|other| !Arc::ptr_eq(other, &call));
                    call.leave_link();
                    call.finish(Err(status), Metadata::new());
                }
            }
        }
    }

    fn cancel(&mut self, connection: &mut Connection, call: &Arc<ClientCall>, status: Status) {
        if let Some(key) = call.key() {
            return self.end(connection, key, Err(status), Metadata::new());
        }
        if let Some(place) = self.waiting.iter().position(|other| Arc::ptr_eq(other, call)) {
            self.waiting.remove(place);
            call.leave_link();
            call.finish(Err(status), Metadata::new());
        }
    }
}

/// Requests below this size are copied into the output.
const LARGE: usize = 4096;

impl ConnectionHandler for ClientConnection {
    type Operation = Operation;

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, now: Instant) {
        match event {
            Event::Headers { stream, kind: HeadersKind::Response, headers, end_stream } => {
                self.headers(connection, stream, &headers, end_stream);
            }
            Event::Headers { stream, kind: HeadersKind::Trailers, headers, .. } => {
                self.trailers(connection, stream, &headers);
            }
            Event::Data { stream, data, end_stream } => self.data(connection, stream, data, end_stream),
            Event::Drained { stream } if self.call(stream).is_some_and(|call| call.wants_flush) => {
                self.flush(connection, stream);
            }
            Event::Reset { stream, reason } => self.reset(connection, stream, &reason, now),
            Event::Settings => {
                self.link.set_limit(connection.peer_settings().max_concurrent_streams);
                if let Some(ready) = self.ready.take()
                    && ready.send(Ok(())).is_err()
                {
                    // Nobody waits for it any longer.
                    self.leave();
                    connection.shut_down(now);
                }
                self.open_waiting(connection, now);
            }
            Event::Capacity => self.open_waiting(connection, now),
            Event::GoAway { last_stream, code, debug } => {
                // Whether or not the calls that it took are still there.
                if self.has_opened && last_stream != StreamId::CONNECTION {
                    self.set_useful();
                }
                if is_too_many_pings(code, &debug) {
                    self.slow_down();
                }
                let debug = debug.escape_ascii();
                self.going = Some(format!("the server goes away ({code}, {debug})"));
                self.leave();
                self.send_waiting_elsewhere();
            }
            _ => {}
        }
    }

    fn operation(&mut self, connection: &mut Connection, operation: Operation, now: Instant) {
        match operation {
            Operation::Begin(ticket) => {
                if let Some(call) = ticket.call() {
                    self.begin(connection, call, now);
                }
            }
            Operation::Signal(call, signal) => {
                let Some(key) = call.key() else { return };
                match signal {
                    Signal::Flush => self.flush(connection, key),
                    Signal::Consumed(bytes) | Signal::ReceiverDropped(bytes) => {
                        connection.release(key, bytes);
                        if let Some(call) = self.call(key) {
                            let released = call.inlet.read(&call.shared.halves);
                            connection.release(key, released);
                        }
                    }
                    Signal::SenderDropped | Signal::Failed(_) => {}
                }
            }
            Operation::Cancel(call, status) => self.cancel(connection, &call, status),
            Operation::ShutDown => {
                self.leave();
                self.send_waiting_elsewhere();
                connection.shut_down(now);
            }
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.next_deadline
    }

    fn timeout(&mut self, connection: &mut Connection, now: Instant) {
        self.expire(connection, now);
    }

    fn closed(&mut self, _: &Connection, reason: &CloseReason) {
        let why = match (&self.going, std::error::Error::source(reason)) {
            (Some(going), _) => going.clone(),
            (None, Some(cause)) => format!("{reason}: {cause}"),
            (None, None) => reason.to_string(),
        };
        if let Some(ready) = self.ready.take() {
            let _ = ready.send(Err(why.clone()));
        }
        self.leave();
        // These were never sent.
        self.send_waiting_elsewhere();
        self.cut_off(&why);
    }

    fn refused(&mut self, operation: Operation) {
        match operation {
            Operation::Begin(ticket) => {
                if let Some(call) = ticket.call() {
                    self.send_elsewhere(call);
                }
            }
            // A call that has just gone elsewhere finds its cancellation there.
            Operation::Cancel(..) | Operation::Signal(..) | Operation::ShutDown => {}
        }
    }
}

impl Drop for ClientConnection {
    /// The task has ended without a word: it panicked, or the runtime is gone.
    fn drop(&mut self) {
        self.leave();
        for call in std::mem::take(&mut self.waiting) {
            drop(Ticket::new(call));
        }
        self.cut_off("its task has ended");
    }
}
