//! One side: an engine, and an application that plays its part in the scripts.

use std::collections::BTreeMap;
use std::time::Instant;

use dunlin_http2::{Connection, ErrorCode, Event, Field, HeadersKind, ResetReason, Role, StreamKey};

use crate::harness::request_fields;
use crate::random::Random;
use crate::script::{Message, Script, octet};

/// How a call ended, as this side saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// All was sent and all was received.
    Complete,
    /// We have reset it, as the script wants, or needed no more of the request.
    Ours,
    Reset(ResetReason),
}

/// A stream of ours.
#[derive(Debug)]
struct Flow {
    key: StreamKey,
    call: usize,
    informational: usize,
    is_head_sent: bool,
    sent: usize,
    is_sent: bool,
    has_head: bool,
    received: usize,
    is_received: bool,
    unreleased: usize,
    is_over: bool,
}

pub(crate) struct Peer {
    pub(crate) engine: Connection,
    pub(crate) outcomes: BTreeMap<usize, Outcome>,
    /// Calls that have begun here.
    pub(crate) begun: Vec<usize>,
    pub(crate) is_told_to_go: bool,
    /// Content is released only when all of it has come.
    pub(crate) releases_late: bool,
    flows: Vec<Flow>,
    random: Random,
    rest: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(engine: Connection, random: Random) -> Self {
        Self {
            engine,
            outcomes: BTreeMap::new(),
            begun: Vec::new(),
            is_told_to_go: false,
            releases_late: false,
            flows: Vec::new(),
            random,
            rest: Vec::new(),
        }
    }

    fn is_client(&self) -> bool {
        self.engine.role() == Role::Client
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.flows.is_empty()
    }

    /// Opens the stream of a call, if the server has room for it.
    pub(crate) fn open(&mut self, call: usize, script: &Script) -> bool {
        let number = call.to_string();
        let fields = [&request_fields("POST")[..], &[Field::new("x-call", &number)]].concat();
        let is_empty = script.request.len == 0 && !script.request.has_trailers;
        let Ok(key) = self.engine.open(&fields[..], is_empty) else { return false };
        let mut flow = Flow::new(key, call);
        (flow.is_head_sent, flow.is_sent) = (true, is_empty);
        self.begun.push(call);
        self.flows.push(flow);
        true
    }

    /// What was read.
    pub(crate) fn read(&mut self, now: Instant, octets: &[u8], scripts: &[Script]) {
        self.rest.extend_from_slice(octets);
        let buffer = std::mem::take(&mut self.rest);
        let mut input = &buffer[..];
        loop {
            match self.engine.poll_event(now, &mut input) {
                Ok(Some(event)) => self.see(&event, scripts),
                Ok(None) => break,
                Err(error) => panic!("{:?}: {error}", self.engine.role()),
            }
        }
        self.rest = input.to_vec();
        assert!(self.rest.len() < 16_384 + 9, "more than the beginning of a frame is left");
    }

    fn see(&mut self, event: &Event<'_>, scripts: &[Script]) {
        let is_client = self.is_client();
        match event {
            Event::Headers { stream, kind: HeadersKind::Request, headers, end_stream } => {
                let call = headers.get("x-call").expect("every request has one");
                let call = std::str::from_utf8(call).expect("digits").parse().expect("digits");
                assert!(!self.begun.contains(&call), "call {call} came twice");
                self.begun.push(call);
                let mut flow = Flow::new(*stream, call);
                flow.has_head = true;
                self.flows.push(flow);
                self.received(*stream, *end_stream, false, scripts);
            }
            Event::Headers { stream, kind, end_stream, .. } => {
                let flow = self.flow(*stream);
                match kind {
                    HeadersKind::Informational => {
                        assert!(!flow.has_head, "informational, behind the response");
                        flow.informational += 1;
                    }
                    HeadersKind::Response => {
                        assert!(!std::mem::replace(&mut flow.has_head, true), "a second response");
                        let wanted = scripts[flow.call].informational;
                        assert_eq!(flow.informational, wanted, "informational responses");
                    }
                    _ => assert!(flow.has_head, "trailers in front"),
                }
                self.received(*stream, *end_stream, *kind == HeadersKind::Trailers, scripts);
            }
            Event::Data { stream, data, end_stream } => {
                let flow = self.flow(*stream);
                assert!(flow.has_head && !flow.is_received, "content at the wrong time");
                for (at, found) in data.iter().enumerate() {
                    let wanted = octet(flow.call, !is_client, flow.received + at);
                    assert_eq!(*found, wanted, "octet {} of call {}", flow.received + at, flow.call);
                }
                flow.received += data.len();
                flow.unreleased += data.len();
                self.received(*stream, *end_stream, false, scripts);
            }
            // All was handed over to the engine and all was received, so we are done with it.
            Event::Reset { stream, .. } if self.flows.iter().all(|flow| flow.key != *stream) => {}
            Event::Reset { stream, reason } => {
                let is_done = self.flow(*stream).is_received && self.flow(*stream).is_sent;
                // A server that has answered early needs no more of the request.
                let is_enough = *reason == ResetReason::Remote(ErrorCode::NO_ERROR)
                    && is_client
                    && self.flow(*stream).is_received;
                let outcome = match is_done || is_enough {
                    true => Outcome::Complete,
                    false => Outcome::Reset(reason.clone()),
                };
                self.end(*stream, outcome);
            }
            Event::GoAway { code, .. } => {
                assert_eq!(*code, ErrorCode::NO_ERROR);
                self.is_told_to_go = true;
            }
            _ => {}
        }
    }

    fn flow(&mut self, key: StreamKey) -> &mut Flow {
        self.flows.iter_mut().find(|flow| flow.key == key).expect("a stream that we know")
    }

    fn received(&mut self, key: StreamKey, end_stream: bool, is_trailers: bool, scripts: &[Script]) {
        let is_client = self.is_client();
        let flow = self.flow(key);
        if end_stream {
            let message = scripts[flow.call].message(!is_client);
            assert_eq!(flow.received, message.len, "content of call {}", flow.call);
            assert_eq!(is_trailers, message.has_trailers, "trailers of call {}", flow.call);
            flow.is_received = true;
        }
    }

    fn end(&mut self, key: StreamKey, outcome: Outcome) {
        let flow = self.flow(key);
        flow.is_over = true;
        let call = flow.call;
        self.outcomes.entry(call).or_insert(outcome);
    }

    /// One turn of the application, on every stream.
    pub(crate) fn play(&mut self, scripts: &[Script], is_small: bool) {
        let is_client = self.is_client();
        for at in 0..self.flows.len() {
            let mut flow = std::mem::replace(&mut self.flows[at], Flow::new_empty());
            let script = &scripts[flow.call];
            let resets = if is_client { script.client_resets } else { script.server_resets };
            if !flow.is_over && resets && self.random.once_in(20) {
                self.engine.forget(flow.key, ErrorCode::CANCEL);
                flow.unreleased = 0;
                flow.is_over = true;
                self.outcomes.entry(flow.call).or_insert(Outcome::Ours);
            }
            if !flow.is_over {
                self.send(&mut flow, script, is_small);
            }
            if !flow.is_over && flow.is_sent && flow.is_received {
                flow.is_over = true;
                self.outcomes.entry(flow.call).or_insert(Outcome::Complete);
            }
            if !flow.is_over
                && flow.is_sent
                && script.is_early
                && !is_client
                && self.engine.queued(flow.key) == 0
            {
                self.engine.forget(flow.key, ErrorCode::NO_ERROR);
                (flow.unreleased, flow.is_over) = (0, true);
                self.outcomes.entry(flow.call).or_insert(Outcome::Ours);
            }
            self.release(&mut flow);
            self.flows[at] = flow;
        }
        self.flows.retain(|flow| !flow.is_over || flow.unreleased > 0);
    }

    fn release(&mut self, flow: &mut Flow) {
        if flow.unreleased == 0 || (self.releases_late && !flow.is_received && !flow.is_over) {
            return;
        }
        if flow.is_over && self.random.once_in(2) {
            // A stream that is closed: what is left of it goes at once.
            self.engine.release(flow.key, flow.unreleased);
            flow.unreleased = 0;
            return;
        }
        let bytes = 1 + self.random.below(flow.unreleased);
        self.engine.release(flow.key, bytes);
        flow.unreleased -= bytes;
    }

    fn send(&mut self, flow: &mut Flow, script: &Script, is_small: bool) {
        let is_client = self.is_client();
        if !flow.is_head_sent {
            if !flow.is_received && !script.is_early || self.random.once_in(3) {
                return;
            }
            if flow.informational < script.informational {
                let fields = [Field::new(":status", "103"), Field::new("link", "</a>; rel=preload")];
                self.engine.send_informational(flow.key, &fields[..]).expect("nothing was sent before");
                flow.informational += 1;
                return;
            }
            let message = script.message(is_client);
            let is_all = message.len == 0 && !message.has_trailers;
            let fields = [Field::new(":status", "200"), Field::new("x-more", "of a response")];
            self.engine.send_headers(flow.key, &fields[..], is_all).expect("nothing was sent before");
            (flow.is_head_sent, flow.is_sent) = (true, is_all);
            return;
        }
        let message = script.message(is_client);
        if flow.is_sent || self.engine.is_congested(flow.key) || self.random.once_in(3) {
            return;
        }
        if flow.sent == message.len && message.has_trailers {
            let fields = [Field::new("x-sum", "1"), Field::new("x-secret", "2").sensitive()];
            self.engine.send_trailers(flow.key, &fields[..]).expect("the stream is open");
            flow.is_sent = true;
            return;
        }
        let most = if is_small { 300 } else { 30_000 };
        let len = self.random.below((message.len - flow.sent).min(most) + 1);
        let content = (flow.sent..flow.sent + len).map(|at| octet(flow.call, is_client, at));
        let is_all = flow.sent + len == message.len && !message.has_trailers;
        let sent = match self.random.once_in(2) {
            true => self.engine.send_data(flow.key, content.collect(), is_all),
            false => self.engine.send_data_with(flow.key, len, is_all, |out| out.extend(content)),
        };
        sent.expect("the stream is open");
        flow.sent += len;
        flow.is_sent = is_all;
    }
}

impl Script {
    fn message(&self, is_request: bool) -> Message {
        if is_request { self.request } else { self.response }
    }
}

impl Flow {
    fn new(key: StreamKey, call: usize) -> Self {
        Self {
            key,
            call,
            informational: 0,
            is_head_sent: false,
            sent: 0,
            is_sent: false,
            has_head: false,
            received: 0,
            is_received: false,
            unreleased: 0,
            is_over: false,
        }
    }

    /// Stands in for one that is being played.
    fn new_empty() -> Self {
        Self::new(StreamKey { id: dunlin_http2::StreamId::CONNECTION, slot: 0 }, 0)
    }
}
