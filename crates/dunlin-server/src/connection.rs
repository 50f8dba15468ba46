//! The calls of one connection.

#[cfg(feature = "tower")]
mod here;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dunlin_grpc::codec::Payload;
use dunlin_grpc::framing::{self, Deframer, Frame, Outgoing, Piece};
use dunlin_grpc::halves::{Reading, Signal};
use dunlin_grpc::head::{self, EndFields, Refusal, RequestHead};
use dunlin_grpc::inlet::Inlet;
use dunlin_grpc::intercept::{Chain, Side};
use dunlin_grpc::{Metadata, Status};
use dunlin_http2::{
    Connection, ErrorCode, Event, Field, HeaderList, HeadersKind, ResetReason, SendError, StreamKey,
};
use dunlin_transport::{CloseReason, ConnectionHandler, Handle};
use tokio::task::AbortHandle;

use crate::builder::Settings;
use crate::call::{Peer, ServerCall};
use crate::lifetime::Lifetime;
use crate::methods::unknown_method;
use crate::placement::{Placement, TURN_BUDGET};
use crate::router::Route;
use crate::running::{Answer, Elsewhere, Request, Running, incident, poll_caught};
use crate::wire::Wire;

/// What others ask of a connection.
pub(crate) enum Operation {
    /// A half of a call has something to tell.
    Signal(Arc<ServerCall>, Signal),
    /// A method wants its headers sent.
    Headers(Arc<ServerCall>),
    /// A method that ran in a task of its own has ended.
    Done(Arc<ServerCall>, Answer, Outgoing),
    /// A method that ran in a task of its own was dropped.
    Gone(StreamKey),
    /// A call gets no more time than until then.
    Deadline(Instant),
    /// No more calls; those that are there may end.
    ShutDown,
    /// The end, now. Calls that it cuts off are counted.
    Close(Arc<AtomicUsize>),
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Signal(..) => "Signal",
            Self::Headers(_) => "Headers",
            Self::Done(..) => "Done",
            Self::Gone(_) => "Gone",
            Self::Deadline(_) => "Deadline",
            Self::ShutDown => "ShutDown",
            Self::Close(_) => "Close",
        })
    }
}

/// One connection of a server.
pub(crate) struct ServerConnection {
    settings: Arc<Settings>,
    peer: Arc<Peer>,
    link: Handle<Operation>,
    /// By the slot of the stream.
    calls: Vec<Option<Call>>,
    count: usize,
    /// Methods that wait for their first poll.
    runnable: VecDeque<StreamKey>,
    /// No deadline is before this.
    next_deadline: Option<Instant>,
    lifetime: Lifetime,
    /// Bytes held of requests that are not whole.
    assembling: usize,
    /// The headers of the last request, and what was found out of them: most calls have the same.
    last: Option<(Arc<HeaderList>, Arc<Route>, RequestHead)>,
    out: Outgoing,
}

struct Call {
    key: StreamKey,
    shared: Arc<ServerCall>,
    /// Of a stream of requests.
    inlet: Inlet,
    /// Of the one request.
    deframer: Deframer,
    /// The one request, until its end has come.
    request: Option<Frame>,
    has_ended: bool,
    has_headers: bool,
    /// There is something to send once the stream is not congested.
    wants_flush: bool,
    work: Work,
}

enum Work {
    /// The request is not there.
    Waiting,
    /// Begun, and not polled.
    Ready(Box<dyn Running>),
    Elsewhere(AbortHandle),
    /// It has answered, or never will.
    Over,
}

impl Drop for Call {
    fn drop(&mut self) {
        match std::mem::replace(&mut self.work, Work::Over) {
            Work::Elsewhere(task) => task.abort(),
            Work::Ready(running) => {
                // What the method holds is dropped by code of the application.
                let drop = AssertUnwindSafe(|| drop(running));
                if let Err(panic) = catch_unwind(drop) {
                    incident(&self.shared, &*panic);
                }
            }
            Work::Waiting | Work::Over => {}
        }
    }
}

impl Call {
    /// Bytes of requests that count against no window.
    fn held(&self) -> usize {
        let request = self.request.as_ref().map_or(0, |frame| frame.payload.len());
        self.deframer.held() + self.inlet.held() + request
    }

    /// It is at work where it can only be asked to stop.
    fn is_elsewhere(&self) -> bool {
        matches!(self.work, Work::Elsewhere(_))
    }
}

impl ServerConnection {
    pub(crate) fn new(
        settings: Arc<Settings>,
        peer: Arc<Peer>,
        link: Handle<Operation>,
        lifetime: Lifetime,
    ) -> Self {
        Self {
            settings,
            peer,
            link,
            calls: Vec::new(),
            count: 0,
            runnable: VecDeque::new(),
            next_deadline: None,
            lifetime,
            assembling: 0,
            last: None,
            out: Outgoing::default(),
        }
    }

    fn call(&mut self, key: StreamKey) -> Option<&mut Call> {
        self.calls.get_mut(key.slot as usize)?.as_mut().filter(|call| call.key == key)
    }

    fn take(&mut self, key: StreamKey) -> Option<Call> {
        let slot = self.calls.get_mut(key.slot as usize)?;
        let call = slot.take_if(|call| call.key == key)?;
        self.count -= 1;
        self.assembling -= call.held();
        Some(call)
    }

    // ------------------------------------------------------------ requests

    fn begin(
        &mut self,
        connection: &mut impl Wire,
        key: StreamKey,
        headers: Arc<HeaderList>,
        has_ended: bool,
        now: Instant,
    ) {
        self.lifetime.begin();
        let (route, head) = match self.resolve(&headers) {
            Ok(found) => found,
            Err(refusal) => return self.refuse(connection, key, &refusal),
        };
        let own_method = match route.method.path().is_empty() {
            false => None,
            true => match unknown_method(headers.path().unwrap_or_default()) {
                Some(method) => Some(method),
                None => {
                    let status = Status::unimplemented("the path is not /SERVICE/METHOD");
                    let refusal = Refusal { http_status: 200, status, lists_encodings: false };
                    return self.refuse(connection, key, &refusal);
                }
            },
        };
        let timeout = [head.timeout, self.settings.max_timeout].into_iter().flatten().min();
        if let Some(deadline) = timeout.and_then(|timeout| now.checked_add(timeout)) {
            self.expire_at(deadline);
        }
        let reading = Reading {
            encoding: head.encoding,
            limit: self.settings.max_receive,
            credit_step: self.settings.credit_step,
        };
        let kind = route.method.kind();
        let (link, peer, settings) = (self.link.clone(), Arc::clone(&self.peer), Arc::clone(&self.settings));
        let chain = match &own_method {
            None => route.chain.clone(),
            Some(method) => Chain::resolve(&settings.interceptors, Side::Server, method).map(Arc::new),
        };
        let shared = Arc::new(ServerCall::new(
            key, link, headers, route, own_method, peer, now, timeout, reading, settings, chain,
        ));
        connection.prepare(&shared);
        shared.tell_start();
        // A client that resets must not get more work done than its streams allow.
        connection.hold(key);
        let slot = key.slot as usize;
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        if let Some(old) = self.calls[slot].as_ref().map(|call| call.key) {
            self.cancelled(connection, old, &Status::cancelled("the stream has ended"));
        }
        self.count += 1;
        self.calls[slot] = Some(Call {
            key,
            shared: Arc::clone(&shared),
            inlet: Inlet::default(),
            deframer: Deframer::default(),
            request: None,
            has_ended: false,
            has_headers: false,
            wants_flush: false,
            work: Work::Waiting,
        });
        if head.timeout.is_some_and(|timeout| timeout.is_zero()) {
            return self.fail(
                connection,
                key,
                Status::deadline_exceeded("the request came after its deadline"),
            );
        }
        if !kind.has_one_request() {
            shared.halves.set_reading(reading);
            // The client's metadata are in the context.
            shared.halves.receive_headers(Metadata::new());
            self.start(connection, key, None);
        }
        if has_ended {
            self.end_request(connection, key);
        }
    }

    /// The calls are to be looked at then, if not sooner.
    fn expire_at(&mut self, deadline: Instant) {
        self.next_deadline = Some(self.next_deadline.map_or(deadline, |next| next.min(deadline)));
    }

    fn resolve(&mut self, headers: &Arc<HeaderList>) -> Result<(Arc<Route>, RequestHead), Refusal> {
        if let Some((last, route, head)) = &self.last
            && Arc::ptr_eq(last, headers)
        {
            return Ok((Arc::clone(route), *head));
        }
        let head = head::read_request(headers, &self.settings.encodings)?;
        let path = headers.path().unwrap_or_default();
        let route = self.settings.router.find(path);
        let route = route.map_err(|status| Refusal { http_status: 200, status, lists_encodings: false })?;
        self.last = Some((Arc::clone(headers), Arc::clone(&route), head));
        Ok((route, head))
    }

    fn refuse(&mut self, connection: &mut impl Wire, key: StreamKey, refusal: &Refusal) {
        let none = Metadata::new();
        let end = EndFields::new(Some(&refusal.status), &none);
        let http_status = refusal.http_status.to_string();
        let mut fields =
            vec![Field::new(":status", &http_status), Field::new("content-type", "application/grpc")];
        if refusal.http_status == 405 {
            fields.push(Field::new("allow", "POST"));
        }
        let names = self.settings.encodings.to_field().unwrap_or_else(|| "identity".to_owned());
        if refusal.lists_encodings {
            fields.push(Field::new("grpc-accept-encoding", &names));
        }
        fields.extend(end.fields());
        // A client that takes no header list of this size is reset below.
        let _ = connection.send_headers(key, &fields[..], true);
        connection.dismiss(key);
    }

    fn data(&mut self, connection: &mut impl Wire, key: StreamKey, data: &[u8], has_ended: bool) {
        let limit = self.settings.max_receive;
        let budget = self.settings.max_assembling - self.assembling.min(self.settings.max_assembling);
        let Some(call) = self.call(key) else {
            connection.release(key, data.len());
            return;
        };
        if call.shared.route.method.kind().has_one_request() {
            return self.one_request(connection, key, data, has_ended);
        }
        let before = call.held();
        let fed = call.inlet.feed(data, &call.shared.halves, limit);
        let held = call.held();
        self.assembling = self.assembling - before + held;
        connection.release(key, fed.released);
        let result = if held > before + budget { Err(self.over_budget()) } else { fed.result };
        if let Err(status) = result {
            return self.fail(connection, key, status);
        }
        if has_ended {
            self.end_request(connection, key);
        }
    }

    fn over_budget(&self) -> Status {
        let limit = self.settings.max_assembling;
        Status::resource_exhausted(format!(
            "unfinished requests of the connection have more than `max_assembling_bytes`, which is {limit}"
        ))
    }

    /// Content of a call with one request, which is handed on as a whole.
    fn one_request(&mut self, connection: &mut impl Wire, key: StreamKey, data: &[u8], has_ended: bool) {
        connection.release(key, data.len());
        let limit = self.settings.max_receive;
        let budget = self.settings.max_assembling - self.assembling.min(self.settings.max_assembling);
        let Some(call) = self.call(key) else { return };
        let before = call.held();
        let mut rest = data;
        let found = call.deframer.next(&mut rest, limit);
        let is_second = call.request.is_some();
        let mut whole = None;
        let result = match found {
            Err(status) => Err(status),
            Ok(Some(_)) if is_second || !rest.is_empty() => Err(one_request_wanted("more than one")),
            Ok(Some(Piece::Whole { payload, is_compressed })) if has_ended => {
                call.has_ended = true;
                whole = Some(Request { payload: Payload::Borrowed(payload), is_compressed });
                Ok(())
            }
            Ok(Some(piece)) => {
                call.request = Some(piece.into_frame());
                Ok(())
            }
            Ok(None) => Ok(()),
        };
        let held = call.held();
        self.assembling = self.assembling - before + held;
        if let Err(status) = result {
            return self.fail(connection, key, status);
        }
        if let Some(request) = whole {
            return self.start(connection, key, Some(request));
        }
        if held > before + budget {
            return self.fail(connection, key, self.over_budget());
        }
        if has_ended {
            self.end_request(connection, key);
        }
    }

    fn end_request(&mut self, connection: &mut impl Wire, key: StreamKey) {
        let Some(call) = self.call(key) else { return };
        if std::mem::replace(&mut call.has_ended, true) {
            return;
        }
        if !call.shared.route.method.kind().has_one_request() {
            return call.inlet.end(&call.shared.halves);
        }
        let is_whole = call.deframer.is_at_boundary();
        let request = call.request.take();
        self.assembling -= request.as_ref().map_or(0, |frame| frame.payload.len());
        match request {
            _ if !is_whole => self.fail(connection, key, framing::truncated()),
            None => self.fail(connection, key, one_request_wanted("no")),
            Some(frame) => {
                let request =
                    Request { payload: Payload::Shared(&frame.payload), is_compressed: frame.is_compressed };
                self.start(connection, key, Some(request));
            }
        }
    }

    fn start(&mut self, connection: &mut impl Wire, key: StreamKey, request: Option<Request<'_>>) {
        let Some(call) = self.call(key) else { return };
        let shared = &call.shared;
        // The code of the application begins here: what it does before its first `await` of a future may
        // be done when the future is made.
        let begin = AssertUnwindSafe(|| shared.route.handler.start(shared, request));
        match catch_unwind(begin) {
            Ok(Ok(running)) => {
                call.work = Work::Ready(running);
                self.runnable.push_back(key);
            }
            Ok(Err(status)) => self.fail(connection, key, status),
            Err(panic) => {
                let answer = incident(&call.shared, &*panic);
                self.answer(connection, key, answer, Outgoing::default());
            }
        }
    }

    // ------------------------------------------------------------ work

    /// First polls of methods, as long as the turn has time for them.
    fn run(&mut self, connection: &mut impl Wire) {
        let mut spent = Duration::ZERO;
        let mut before = None;
        while let Some(key) = self.runnable.pop_front() {
            let Some(call) = self.call(key) else { continue };
            let Work::Ready(running) = std::mem::replace(&mut call.work, Work::Over) else { continue };
            let shared = Arc::clone(&call.shared);
            let route = &shared.route;
            let is_forced = route.placement == Placement::InPlace;
            if !is_forced && (spent >= TURN_BUDGET || !route.cost.is_in_place(route.placement)) {
                let task = tokio::spawn(Elsewhere::new(running, shared));
                call.work = Work::Elsewhere(task.abort_handle());
                continue;
            }
            let started = before.unwrap_or_else(Instant::now);
            let mut running = Some(running);
            let mut out = std::mem::take(&mut self.out);
            // What it waits for will wake the task that it moves to, not this one.
            let mut cx = Context::from_waker(Waker::noop());
            let poll = {
                let once =
                    std::future::poll_fn(|cx| Poll::Ready(poll_caught(&mut running, &shared, cx, &mut out)));
                // The budget of this task is for its own I/O.
                match pin!(tokio::task::unconstrained(once)).poll(&mut cx) {
                    Poll::Ready(poll) => poll,
                    Poll::Pending => Poll::Pending,
                }
            };
            let ended = Instant::now();
            before = Some(ended);
            let took = ended.saturating_duration_since(started);
            spent += took;
            shared.route.cost.note(took);
            match (poll, running) {
                (Poll::Ready(answer), _) => {
                    drop(shared);
                    self.answer(connection, key, answer, out);
                }
                (Poll::Pending, Some(running)) => {
                    self.out = out;
                    if let Some(call) = self.call(key) {
                        let task = tokio::spawn(Elsewhere::new(running, shared));
                        call.work = Work::Elsewhere(task.abort_handle());
                    }
                }
                (Poll::Pending, None) => self.out = out,
            }
        }
    }

    // ------------------------------------------------------------ responses

    fn fail(&mut self, connection: &mut impl Wire, key: StreamKey, status: Status) {
        if let Some(call) = self.call(key) {
            call.shared.cancel(&status);
        }
        self.answer(connection, key, Answer::of(status), Outgoing::default());
    }

    /// The end of a call, with its one response if it has one.
    fn answer(&mut self, connection: &mut impl Wire, key: StreamKey, answer: Answer, mut out: Outgoing) {
        let Some(mut call) = self.take(key) else { return };
        call.shared.set_over();
        call.shared.tell_end(answer.result.as_ref().copied());
        if let Err(error) = self.send_answer(connection, &mut call, &answer, &mut out) {
            give_up(connection, &call, &error);
        }
        // Otherwise the method is still to be stopped, and `Gone` comes.
        if !call.is_elsewhere() {
            connection.dismiss(key);
        }
        out.clear();
        self.out = out;
        if Arc::strong_count(&call.shared) > 1 {
            let over = || Status::cancelled("the call is over: its method has returned");
            call.shared.finish(answer.result.err().unwrap_or_else(over));
        }
    }

    fn send_answer(
        &self,
        connection: &mut impl Wire,
        call: &mut Call,
        answer: &Answer,
        out: &mut Outgoing,
    ) -> Result<(), SendError> {
        let key = call.key;
        let taken = call.shared.halves.take();
        let has_messages = !taken.chunks.is_empty() || !out.is_empty();
        let status = answer.result.as_ref().err();
        if !call.has_headers && !has_messages && status.is_some() {
            let headers = call.shared.freeze_headers();
            let end = EndFields::new(status, &answer.trailers);
            let fields: Vec<Field<'_>> = headers.fields().chain(end.fields()).collect();
            return connection.send_headers(key, (&self.settings.blocks.end, &fields[..]), true);
        }
        self.send_headers(connection, call)?;
        for chunk in taken.chunks {
            connection.send_data(key, chunk, false)?;
        }
        if out.large.is_empty() && out.small.len() < LARGE {
            if !out.small.is_empty() {
                connection.send_data_with(key, out.small.len(), false, |bytes| {
                    bytes.extend_from_slice(&out.small);
                })?;
            }
        } else {
            connection.send_data(key, std::mem::take(&mut out.small).into(), false)?;
            connection.send_data(key, std::mem::take(&mut out.large), false)?;
        }
        if status.is_none() && answer.trailers.is_empty() {
            return connection.send_trailers(key, &self.settings.blocks.ok);
        }
        let end = EndFields::new(status, &answer.trailers);
        connection.send_trailers(key, &end.fields()[..])
    }

    fn send_headers(&self, connection: &mut impl Wire, call: &mut Call) -> Result<(), SendError> {
        if std::mem::replace(&mut call.has_headers, true) {
            return Ok(());
        }
        let headers = call.shared.freeze_headers();
        let block = self.settings.blocks.response(call.shared.encoding());
        if headers.is_empty() {
            return connection.send_headers(call.key, block, false);
        }
        let fields: Vec<Field<'_>> = headers.fields().collect();
        connection.send_headers(call.key, (block, &fields[..]), false)
    }

    /// Sends what the method has queued, unless the stream has enough.
    fn flush(&mut self, connection: &mut impl Wire, key: StreamKey) {
        let Some(mut call) =
            self.calls.get_mut(key.slot as usize).and_then(|call| call.take_if(|call| call.key == key))
        else {
            return;
        };
        let result = if connection.is_congested(key) {
            call.wants_flush = true;
            Ok(())
        } else {
            call.wants_flush = false;
            self.send_headers(connection, &mut call).and_then(|()| {
                let taken = call.shared.halves.take();
                taken.chunks.into_iter().try_for_each(|chunk| connection.send_data(key, chunk, false))
            })
        };
        self.calls[key.slot as usize] = Some(call);
        if let Err(error) = result {
            self.fail(connection, key, unsendable(&error));
        }
    }

    /// The call ends without an answer. The stream counts for as long as the method is at work, so that
    /// clients that reset do not buy work (CVE-2023-44487).
    fn cancelled(&mut self, connection: &mut impl Wire, key: StreamKey, status: &Status) {
        match self.take(key) {
            Some(call) => {
                call.shared.cancel(status);
                match call.is_elsewhere() {
                    true => connection.reset(key, ErrorCode::CANCEL),
                    false => connection.forget(key, ErrorCode::CANCEL),
                }
            }
            None => connection.forget(key, ErrorCode::CANCEL),
        }
    }

    fn signal(&mut self, connection: &mut impl Wire, call: &ServerCall, signal: Signal) {
        let key = call.key;
        match signal {
            Signal::Flush => self.flush(connection, key),
            Signal::Consumed(bytes) | Signal::ReceiverDropped(bytes) => {
                connection.release(key, bytes);
                if let Some(call) = self.call(key) {
                    let before = call.held();
                    let released = call.inlet.read(&call.shared.halves);
                    let held = call.held();
                    self.assembling = self.assembling - before + held;
                    connection.release(key, released);
                }
            }
            // The method learns of it where it reads, and ends the call.
            Signal::Failed(_) | Signal::SenderDropped => {}
        }
    }

    /// What happened to a stream.
    fn of_stream(&mut self, connection: &mut impl Wire, event: Event<'_>, now: Instant) {
        match event {
            Event::Headers { stream, kind: HeadersKind::Request, headers, end_stream } => {
                self.begin(connection, stream, headers, end_stream, now);
            }
            Event::Headers { stream, end_stream: true, .. } => self.end_request(connection, stream),
            Event::Data { stream, data, end_stream } => self.data(connection, stream, data, end_stream),
            Event::Drained { stream } if self.call(stream).is_some_and(|call| call.wants_flush) => {
                self.flush(connection, stream);
            }
            Event::Reset { stream, reason } => {
                let status = match reason {
                    ResetReason::Remote(_) => Status::cancelled("the client has cancelled the call"),
                    reason => head::status_of_reset(&reason),
                };
                self.cancelled(connection, stream, &status);
            }
            _ => {}
        }
    }

    /// An operation that concerns one call.
    fn of_call(&mut self, connection: &mut impl Wire, operation: Operation) {
        match operation {
            Operation::Signal(call, signal) => self.signal(connection, &call, signal),
            Operation::Headers(call) => {
                let key = call.key;
                if let Some(mut call) = self
                    .calls
                    .get_mut(key.slot as usize)
                    .and_then(|call| call.take_if(|call| call.key == key))
                {
                    let result = self.send_headers(connection, &mut call);
                    self.calls[key.slot as usize] = Some(call);
                    if let Err(error) = result {
                        self.fail(connection, key, unsendable(&error));
                    }
                }
            }
            Operation::Done(call, answer, out) => {
                let key = call.key;
                drop(call);
                match self.call(key) {
                    Some(call) => {
                        call.work = Work::Over;
                        self.answer(connection, key, answer, out);
                    }
                    // It was answered for, or reset, before it was done.
                    None => connection.dismiss(key),
                }
            }
            Operation::Gone(key) => connection.dismiss(key),
            Operation::Deadline(deadline) => self.expire_at(deadline),
            // They concern the connection.
            Operation::ShutDown | Operation::Close(_) => {}
        }
    }

    /// Ends all calls, as there is no connection any longer.
    fn cut_off(&mut self, status: &Status) {
        for call in std::mem::take(&mut self.calls).into_iter().flatten() {
            call.shared.cancel(status);
        }
        (self.count, self.assembling) = (0, 0);
    }

    /// Ends the calls whose time is up.
    fn expire(&mut self, connection: &mut impl Wire, now: Instant) {
        self.next_deadline = None;
        for slot in 0..self.calls.len() {
            let Some(call) = &self.calls[slot] else { continue };
            let Some(deadline) = call.shared.deadline() else { continue };
            let key = call.key;
            if deadline > now {
                self.expire_at(deadline);
                continue;
            }
            let status = Status::deadline_exceeded("the deadline passed before the method ended");
            call.shared.cancel(&status);
            if connection.queued(key) > 0 {
                // The client does not take what is there, so it would not take an end either.
                self.cancelled(connection, key, &status);
            } else {
                self.answer(connection, key, Answer::of(status), Outgoing::default());
            }
        }
    }
}

/// Messages below this size are copied into the output.
const LARGE: usize = 4096;

fn one_request_wanted(found: &str) -> Status {
    Status::unimplemented(format!("{found} request message for a method that takes exactly one"))
}

fn unsendable(error: &SendError) -> Status {
    Status::internal(format!("can not send the response: {error}")).with_source(error.clone())
}

/// The answer could not be sent as it is: says so, or resets the stream.
fn give_up(connection: &mut impl Wire, call: &Call, error: &SendError) {
    if *error == SendError::Closed {
        return;
    }
    tracing::warn!(method = call.shared.method().path(), %error, "can not send a response");
    let (status, none) = (unsendable(error), Metadata::new());
    let end = EndFields::new(Some(&status), &none);
    let sent = connection.send_trailers(call.key, &end.fields()[..]).or_else(|_| {
        let mut fields = vec![Field::new(":status", "200"), Field::new("content-type", "application/grpc")];
        fields.extend(end.fields());
        connection.send_headers(call.key, &fields[..], true)
    });
    if sent.is_err() {
        connection.forget(call.key, ErrorCode::INTERNAL_ERROR);
    }
}

impl ConnectionHandler for ServerConnection {
    type Operation = Operation;

    fn event(&mut self, connection: &mut Connection, event: Event<'_>, now: Instant) {
        self.of_stream(connection, event, now);
    }

    fn operation(&mut self, connection: &mut Connection, operation: Operation, now: Instant) {
        match operation {
            Operation::ShutDown => connection.shut_down(now),
            Operation::Close(cut_off) => {
                cut_off.fetch_add(self.count, Ordering::Relaxed);
                connection.close(ErrorCode::NO_ERROR, "shutdown");
            }
            operation => self.of_call(connection, operation),
        }
    }

    fn poll(&mut self, connection: &mut Connection, _: &mut Context<'_>, now: Instant) {
        self.run(connection);
        self.lifetime.look(connection, self.count, now);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_lifetime = self.lifetime.poll_timeout(self.count);
        self.next_deadline.into_iter().chain(of_lifetime).min()
    }

    fn memory(&self) -> usize {
        self.assembling
    }

    fn timeout(&mut self, connection: &mut Connection, now: Instant) {
        if self.next_deadline.is_some_and(|deadline| deadline <= now) {
            self.expire(connection, now);
        }
        self.lifetime.timeout(connection, self.count, now);
    }

    fn closed(&mut self, _: &Connection, reason: &CloseReason) {
        self.cut_off(&Status::cancelled(format!("the connection is lost: {reason}")));
    }
}

impl Drop for ServerConnection {
    /// The task has ended without a word: it panicked, or the runtime is gone.
    fn drop(&mut self) {
        self.cut_off(&Status::cancelled("the connection is lost"));
    }
}
