//! One connection on a bench: frames go in, frames and events come out.

// The time has to begin somewhere. Nothing here waits for it.
#![allow(clippy::disallowed_methods)]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use dunlin_http2::{
    Config, Connection, ConnectionError, Event, Field, HeadersKind, ResetReason, Role, StreamKey,
};
use dunlin_testkit::http2::{Block, Frame, PREFACE, bytes, kind, read};

/// What the application does with what it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum App {
    /// Nothing: streams stay as the peer leaves them.
    Silent,
    /// It releases all content at once, and answers a request at its end: status 200 and [`BODY`].
    Answers,
}

/// What the engine sends now and then to measure how much a window should hold.
pub(crate) const PROBE: [u8; 8] = *b"bandwdth";

/// The content of answers.
pub(crate) const BODY: &[u8] = b"0123456789";

/// An event, in a form that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Headers { stream: u32, kind: HeadersKind, end_stream: bool },
    Data { stream: u32, data: Vec<u8>, end_stream: bool },
    Reset { stream: u32, reason: ResetReason },
    Drained { stream: u32 },
    Settings,
    Capacity,
    Pong([u8; 8]),
    GoAway { last: u32, code: u32 },
}

pub(crate) struct Bench {
    pub(crate) engine: Connection,
    pub(crate) now: Instant,
    pub(crate) seen: Vec<Seen>,
    app: App,
    keys: HashMap<u32, StreamKey>,
    /// The beginning of a frame.
    rest: Vec<u8>,
    wire: Vec<u8>,
}

impl Bench {
    /// A new connection.
    pub(crate) fn new(role: Role, config: Config, app: App) -> Self {
        let now = Instant::now();
        let engine = match role {
            Role::Client => Connection::client(config, now),
            Role::Server => Connection::server(config, now),
        };
        let (seen, keys, rest, wire) = Default::default();
        Self { engine, now, seen, app, keys, rest, wire }
    }

    /// A server behind its handshake, whose output so far and events are gone.
    pub(crate) fn server(config: Config, app: App) -> Self {
        let mut bench = Self::new(Role::Server, config, app);
        bench.feed(PREFACE).expect("the preface");
        bench.handshake()
    }

    /// A client behind its handshake, whose output so far and events are gone.
    pub(crate) fn client(config: Config) -> Self {
        Self::new(Role::Client, config, App::Silent).handshake()
    }

    fn handshake(mut self) -> Self {
        self.send(&[Frame::settings(&[]), Frame::settings_ack()]);
        self.seen.clear();
        self
    }

    /// Takes octets as they were read.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Result<(), ConnectionError> {
        self.rest.extend_from_slice(octets);
        let buffer = std::mem::take(&mut self.rest);
        let mut input = &buffer[..];
        let result = loop {
            match self.engine.poll_event(self.now, &mut input) {
                Ok(Some(event)) => self.see(event),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.rest = input.to_vec();
        self.transmit()?;
        result
    }

    /// Moves all that can be written to the wire.
    pub(crate) fn transmit(&mut self) -> Result<(), ConnectionError> {
        loop {
            let result = self.engine.transmit(self.now);
            self.engine.output_mut().take_into(&mut self.wire);
            if result.is_err() || !self.engine.has_more() {
                return result;
            }
        }
    }

    /// The frames that were written since the last time. The text of GOAWAY is left out, as no
    /// program reads it.
    pub(crate) fn output(&mut self) -> Vec<Frame> {
        let wire = std::mem::take(&mut self.wire);
        let (mut frames, rest) = read(wire.strip_prefix(PREFACE).unwrap_or(&wire));
        assert_eq!(rest, 0, "the last frame is not whole");
        for frame in frames.iter_mut().filter(|frame| frame.kind == kind::GOAWAY) {
            frame.payload.truncate(8);
        }
        frames
    }

    /// Sends frames, and gives those that come back.
    pub(crate) fn send(&mut self, frames: &[Frame]) -> Vec<Frame> {
        // Whether it is an error is seen by what comes back.
        let _ = self.feed(&bytes(frames));
        let _ = self.transmit();
        self.output()
    }

    /// The same in pieces of `step` octets.
    pub(crate) fn send_in_steps(&mut self, frames: &[Frame], step: usize) -> Vec<Frame> {
        for piece in bytes(frames).chunks(step) {
            let _ = self.feed(piece);
        }
        self.output()
    }

    /// The events since the last time.
    pub(crate) fn events(&mut self) -> Vec<Seen> {
        // Those that came of something else than input.
        self.feed(&[]).expect("no error without input");
        std::mem::take(&mut self.seen)
    }

    /// Opens a stream with a GET request.
    pub(crate) fn get(&mut self) -> StreamKey {
        self.open("GET", true)
    }

    /// Opens a stream with a request of any method.
    pub(crate) fn open(&mut self, method: &str, end_stream: bool) -> StreamKey {
        let fields = request_fields(method);
        let key = self.engine.open(&fields[..], end_stream).expect("a stream can be opened");
        self.keys.insert(key.id.get(), key);
        let _ = self.transmit();
        key
    }

    /// The key of a stream that has begun.
    pub(crate) fn key(&self, stream: u32) -> StreamKey {
        self.keys[&stream]
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn see(&mut self, event: Event<'_>) {
        let (ended, seen) = match event {
            Event::Headers { stream, kind, end_stream, .. } => {
                self.keys.insert(stream.id.get(), stream);
                (end_stream.then_some(stream), Seen::Headers { stream: stream.id.get(), kind, end_stream })
            }
            Event::Data { stream, data, end_stream } => {
                let id = stream.id.get();
                if self.app == App::Answers {
                    self.engine.release(stream, data.len());
                }
                let data = match self.seen.last() {
                    // However it was cut, it is the same content.
                    Some(Seen::Data { stream, data: before, .. }) if *stream == id => {
                        let whole = [before, data].concat();
                        self.seen.pop();
                        whole
                    }
                    _ => data.to_vec(),
                };
                (end_stream.then_some(stream), Seen::Data { stream: id, data, end_stream })
            }
            Event::Reset { stream, reason } => (None, Seen::Reset { stream: stream.id.get(), reason }),
            Event::Drained { stream } => (None, Seen::Drained { stream: stream.id.get() }),
            Event::Settings => (None, Seen::Settings),
            Event::Capacity => (None, Seen::Capacity),
            Event::Pong { opaque } => (None, Seen::Pong(opaque)),
            Event::GoAway { last_stream, code, .. } => {
                (None, Seen::GoAway { last: last_stream.get(), code: code.0 })
            }
            other => panic!("an event that this bench does not know: {other:?}"),
        };
        self.seen.push(seen);
        if let Some(stream) = ended.filter(|_| self.app == App::Answers) {
            answer(&mut self.engine, stream);
        }
    }
}

/// Sends a whole response, if the request was not reset.
pub(crate) fn answer(engine: &mut Connection, stream: StreamKey) {
    let _ = engine.send_headers(stream, &[Field::new(":status", "200")][..], false);
    let _ = engine.send_data(stream, BODY.into(), true);
}

/// What [`App::Answers`] sends.
pub(crate) fn response(stream: u32) -> Vec<Frame> {
    vec![Frame::headers(stream, [0x88]), Frame::data(stream, BODY).end_stream()]
}

/// The fields of a request.
pub(crate) fn request_fields(method: &str) -> [Field<'_>; 4] {
    [
        Field::new(":method", method),
        Field::new(":scheme", "http"),
        Field::new(":path", "/"),
        Field::new(":authority", "localhost"),
    ]
}

/// The header block of a GET request, by the static table.
pub(crate) fn get_block() -> Block {
    Block::new().indexed(2).indexed(6).indexed(4).literal(":authority", "localhost")
}

/// A whole request.
pub(crate) fn get(stream: u32) -> Frame {
    Frame::headers(stream, get_block()).end_stream()
}

/// The beginning of a request with content.
pub(crate) fn post(stream: u32) -> Frame {
    Frame::headers(stream, Block::new().indexed(3).indexed(6).indexed(4).literal(":authority", "localhost"))
}

/// The beginning of a response.
pub(crate) fn ok(stream: u32) -> Frame {
    Frame::headers(stream, [0x88])
}

/// How many octets the DATA frames of a stream carry.
pub(crate) fn content_len(frames: &[Frame], stream: u32) -> usize {
    let is_content = |frame: &&Frame| frame.kind == kind::DATA && frame.stream == stream;
    frames.iter().filter(is_content).map(|frame| frame.payload.len()).sum()
}
