//! One HTTP/2 connection.

mod control;
mod data;
mod headers;
mod keepalive;
mod memory;
mod send;
mod shutdown;
mod timeouts;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::abuse::{Abuse, Limit};
use crate::bandwidth::Bandwidth;
use crate::config::Config;
use crate::error::{ConnectionError, ErrorCode, ResetReason, StreamFault};
use crate::event::Event;
use crate::flow::{INITIAL_WINDOW, ReceiveWindow, SendWindow};
use crate::frame::{self, FrameHeader, HEADER_LEN, PREFACE, StreamId, flag, kind};
use crate::hpack::{Decoder, Encoder};
use crate::output::OutputQueue;
use crate::settings::{self, PeerSettings};
use crate::stream::{StreamKey, Streams};
use data::Partial;
use headers::OpenBlock;
pub use keepalive::Keepalive;
use keepalive::Life;
use memory::Held;
pub use memory::Pressure;
pub use send::Fields;
use shutdown::Shutdown;
use timeouts::Timeouts;

/// Which side of a connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It opens streams.
    Client,
    /// It answers them.
    Server,
}

/// An HTTP/2 connection: a value that takes what was read, and the time, and gives events and what
/// is to be written.
///
/// A driver calls [`poll_event`](Self::poll_event) until it gives nothing more, whenever there is
/// input; then [`transmit`](Self::transmit), and writes [`output`](Self::output_mut); and
/// [`handle_timeout`](Self::handle_timeout) at [`poll_timeout`](Self::poll_timeout).
///
/// ```
/// use std::time::Instant;
///
/// use dunlin_http2::{Config, Connection, Event, Field, HeadersKind};
///
/// let now = Instant::now();
/// let mut client = Connection::client(Config::default(), now);
/// let mut server = Connection::server(Config::default(), now);
/// let request = [
///     Field::new(":method", "GET"),
///     Field::new(":scheme", "http"),
///     Field::new(":path", "/"),
///     Field::new(":authority", "example.com"),
/// ];
/// client.open(&request[..], true)?;
///
/// // A driver would write this to a socket, and read it on the other side.
/// client.transmit(now)?;
/// let mut bytes = Vec::new();
/// client.output_mut().take_into(&mut bytes);
/// let mut input = &bytes[..];
/// let mut path = None;
/// while let Some(event) = server.poll_event(now, &mut input)? {
///     if let Event::Headers { headers, kind: HeadersKind::Request, .. } = event {
///         path = headers.path().map(str::to_owned);
///     }
/// }
/// assert_eq!(path.as_deref(), Some("/"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    role: Role,
    config: Arc<Config>,
    phase: Phase,

    partial: Partial,
    block: Option<Box<OpenBlock>>,
    decoder: Decoder,
    encoder: Encoder,
    events: VecDeque<Event<'static>>,

    peer: PeerSettings,
    /// The initial window of streams that the peer goes by: what it has acknowledged.
    initial_window: i32,
    /// Initial windows of SETTINGS that are not acknowledged yet.
    unacknowledged: VecDeque<i32>,

    streams: Streams,
    /// Streams that count against a limit of concurrent streams: the peer's for a server, ours for a
    /// client.
    concurrent: u32,
    /// The last identifier that the peer has opened.
    last_peer_stream: StreamId,
    /// Identifiers below it that the peer has left out; the last few ranges.
    skipped: VecDeque<(StreamId, StreamId)>,
    /// The next identifier that we open.
    next_stream: u32,
    /// Streams that we have reset lately: what was on its way is ignored.
    resets: VecDeque<StreamId>,
    /// The highest of those that were reset too long ago to be among them.
    forgotten_reset: StreamId,
    is_capacity_wanted: bool,
    /// It is told behind the events that made it.
    is_capacity_due: bool,

    receive_window: ReceiveWindow,
    send_window: SendWindow,
    bandwidth: Bandwidth,

    /// Streams with something to send and a window for it, in the order of their turns.
    ready: VecDeque<StreamKey>,
    /// Streams that could send more, and wait until there is room in the output.
    waiting: VecDeque<StreamKey>,
    output: OutputQueue,
    /// Where the control frames end that wait to be written.
    control_frames: VecDeque<u64>,

    shutdown: Shutdown,
    /// Why it is shut down.
    goaway_text: &'static str,
    /// The last stream that the peer's GOAWAY named.
    peer_goaway: Option<StreamId>,
    /// The last stream that our GOAWAY named.
    own_goaway: StreamId,
    timeouts: Timeouts,
    life: Life,
    abuse: Abuse,

    held: Held,
    pressure: Pressure,
    /// It holds more than half of `max_connection_memory`.
    is_heavy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// So many octets of the client's preface have come.
    Preface(usize),
    /// The first frame has to be SETTINGS.
    FirstSettings,
    Open,
    /// Nothing more is read. What waits is to be written, then the transport is closed.
    Closed,
}

/// Streams that a client opens before it knows how many the server allows: the fewest that RFC 9113 §6.5.2
/// recommends. More could be refused, and many refusals look like an attack.
const ASSUMED_STREAMS: u32 = 100;
/// Streams that were reset are remembered up to this number.
const REMEMBERED_RESETS: usize = 1024;

impl Connection {
    /// The client's side, which sends its preface and settings at once.
    pub fn client(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        Self::new(Role::Client, config.into(), now)
    }

    /// The server's side, which sends its settings at once.
    pub fn server(config: impl Into<Arc<Config>>, now: Instant) -> Self {
        Self::new(Role::Server, config.into(), now)
    }

    fn new(role: Role, config: Arc<Config>, now: Instant) -> Self {
        let mut output = OutputQueue::default();
        let is_server = role == Role::Server;
        output.write(|out| {
            if !is_server {
                out.extend_from_slice(PREFACE);
            }
            settings::write(&config, is_server, out);
        });
        let mut receive_window = ReceiveWindow::new(INITIAL_WINDOW);
        if let Some(increment) = receive_window.grow(config.connection_window_size as i32) {
            output.write(|out| frame::write_window_update(out, StreamId::CONNECTION, increment));
        }
        Self {
            role,
            phase: if is_server { Phase::Preface(0) } else { Phase::FirstSettings },
            partial: Partial::None,
            block: None,
            // Ours counts once it is acknowledged.
            decoder: Decoder::new(4096),
            encoder: Encoder::new(config.encoder_table_size as usize, config.never_indexed.iter().cloned()),
            events: VecDeque::new(),
            peer: PeerSettings { max_concurrent_streams: ASSUMED_STREAMS, ..PeerSettings::default() },
            initial_window: INITIAL_WINDOW,
            unacknowledged: VecDeque::from([config.initial_window_size as i32]),
            streams: Streams::default(),
            concurrent: 0,
            last_peer_stream: StreamId::CONNECTION,
            skipped: VecDeque::new(),
            next_stream: 1,
            resets: VecDeque::new(),
            forgotten_reset: StreamId::CONNECTION,
            is_capacity_wanted: false,
            is_capacity_due: false,
            receive_window,
            send_window: SendWindow::new(INITIAL_WINDOW),
            bandwidth: Bandwidth::default(),
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            output,
            control_frames: VecDeque::new(),
            shutdown: Shutdown::Open,
            goaway_text: "",
            peer_goaway: None,
            own_goaway: StreamId::MAX,
            timeouts: Timeouts::new(&config.patience, now),
            life: Life::new(now),
            abuse: Abuse::new(Arc::clone(&config.rates), config.ping_policy, now),
            held: Held::default(),
            pressure: Pressure::None,
            is_heavy: false,
            config,
        }
    }

    /// Which side this is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// What the peer has set.
    pub fn peer_settings(&self) -> &PeerSettings {
        &self.peer
    }

    /// Streams that are not closed, and closed ones that the application has not let go of.
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// How often a budget was drawn on, or exceeded if it is no rate.
    pub fn counter(&self, limit: Limit) -> u64 {
        self.abuse.counter(limit)
    }

    /// What waits to be written. Call [`transmit`](Self::transmit) first.
    pub fn output_mut(&mut self) -> &mut OutputQueue {
        &mut self.output
    }

    /// Whether there is nothing more to read: after an error, or the end of a shutdown. Once the
    /// output is written, the transport is to be closed.
    pub fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    /// Whether both sides have shown that they speak HTTP/2: the peer's first SETTINGS are there.
    fn is_established(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Bytes that the engine itself holds on the heap. [`held`](Self::held) counts payloads too.
    pub fn memory(&self) -> usize {
        self.decoder.memory()
            + self.encoder.memory()
            + self.buffers()
            + self.block.as_ref().map_or(0, |block| block.memory())
            + self.resets.capacity() * 4
            + self.skipped.capacity() * 8
    }

    /// Those bytes of the [memory](Self::memory) that [`shrink`](Self::shrink) can give back.
    #[inline]
    pub fn spare(&self) -> usize {
        self.decoder.spare() + self.encoder.spare() + self.buffers()
    }

    fn buffers(&self) -> usize {
        self.streams.capacity()
            + self.output.capacity()
            + (self.ready.capacity() + self.waiting.capacity()) * size_of::<StreamKey>()
            + self.control_frames.capacity() * 8
            + self.events.capacity() * size_of::<Event<'static>>()
    }

    /// Gives back what an idle connection does not need. Does nothing while there are streams or
    /// output.
    pub fn shrink(&mut self) {
        if self.streams.len() > 0 || !self.output.is_empty() {
            return;
        }
        self.streams.shrink();
        self.output.shrink();
        self.decoder.shrink();
        self.encoder.shrink();
        (self.ready, self.waiting) = (VecDeque::new(), VecDeque::new());
        self.control_frames = VecDeque::new();
        if self.events.is_empty() {
            self.events = VecDeque::new();
        }
    }

    /// The next event out of `input`, which is moved on behind what was taken. `None` if more has to
    /// be read first: what is left in `input` then is the beginning of a frame, shorter than
    /// `max_frame_size` and 9 bytes, and has to stand before what is read next.
    ///
    /// # Errors
    /// The connection is over. GOAWAY waits to be written.
    pub fn poll_event<'b>(
        &mut self,
        now: Instant,
        input: &mut &'b [u8],
    ) -> Result<Option<Event<'b>>, ConnectionError> {
        if let Some(event) = self.events.pop_front() {
            return Ok(Some(event));
        }
        // Whoever opens streams now may get the slot of one whose end was told before this.
        if std::mem::take(&mut self.is_capacity_due) {
            return Ok(Some(Event::Capacity));
        }
        if input.is_empty() {
            return Ok(None);
        }
        match self.receive(now, input) {
            Ok(None) if std::mem::take(&mut self.is_capacity_due) => Ok(Some(Event::Capacity)),
            Ok(event) => Ok(event),
            Err(error) => {
                *input = &[];
                self.fail(&error);
                Err(error)
            }
        }
    }

    /// Whether [`poll_event`](Self::poll_event) has something to tell without any input.
    #[inline]
    pub fn has_events(&self) -> bool {
        self.is_capacity_due || !self.events.is_empty()
    }

    fn receive<'b>(
        &mut self,
        now: Instant,
        input: &mut &'b [u8],
    ) -> Result<Option<Event<'b>>, ConnectionError> {
        if !input.is_empty() {
            self.life.hear(now);
        }
        loop {
            if self.phase == Phase::Closed {
                *input = &[];
                return Ok(None);
            }
            if let Phase::Preface(seen) = self.phase
                && !self.preface(seen, input)?
            {
                return Ok(None);
            }
            while !matches!(self.partial, Partial::None) {
                if let Some(event) = self.partial(now, input) {
                    return Ok(Some(event));
                }
                if input.is_empty() && !matches!(self.partial, Partial::None) {
                    return Ok(None);
                }
            }
            let Some(bytes) = input.first_chunk::<HEADER_LEN>() else { return Ok(self.cut(now, input)) };
            let header = FrameHeader::parse(bytes);
            self.check_frame(header)?;
            if header.kind == kind::DATA {
                // Its payload is taken as it comes; only the length of the padding has to be there.
                let is_padded = header.has(flag::PADDED) && header.len > 0;
                let taken = HEADER_LEN + usize::from(is_padded);
                let Some((head, rest)) = input.split_at_checked(taken) else {
                    return Ok(self.cut(now, input));
                };
                self.timeouts.cut_since = None;
                let padding = is_padded.then(|| head[HEADER_LEN]);
                *input = rest;
                self.data(now, header, padding)?;
                if let Some(event) = self.partial(now, input) {
                    return Ok(Some(event));
                }
            } else {
                let taken = HEADER_LEN + header.len as usize;
                let Some((head, rest)) = input.split_at_checked(taken) else {
                    return Ok(self.cut(now, input));
                };
                *input = rest;
                self.timeouts.cut_since = None;
                if let Some(event) = self.frame(now, header, &head[HEADER_LEN..])? {
                    return Ok(Some(event));
                }
            }
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
        }
    }

    /// There is no whole frame. If there is a part of one, the rest has to come in time.
    fn cut<E>(&mut self, now: Instant, input: &[u8]) -> Option<E> {
        if !input.is_empty() {
            self.timeouts.cut_since.get_or_insert(now);
        }
        None
    }

    /// Whether the whole preface has come (RFC 9113 §3.4).
    #[cold]
    fn preface(&mut self, seen: usize, input: &mut &[u8]) -> Result<bool, ConnectionError> {
        let wanted = &PREFACE[seen..];
        let len = wanted.len().min(input.len());
        if input[..len] != wanted[..len] {
            return Err(ConnectionError::protocol(
                "the connection does not begin with the preface (RFC 9113 3.4)",
            ));
        }
        *input = &input[len..];
        let is_whole = len == wanted.len();
        self.phase = if is_whole { Phase::FirstSettings } else { Phase::Preface(seen + len) };
        Ok(is_whole)
    }

    /// What holds for the header of any frame.
    fn check_frame(&mut self, header: FrameHeader) -> Result<(), ConnectionError> {
        if header.len > self.config.max_frame_size {
            // RFC 9113 §4.2 lets some of these cost the stream only; an endpoint may always go further.
            return Err(ConnectionError::frame_size("a frame above SETTINGS_MAX_FRAME_SIZE (RFC 9113 4.2)"));
        }
        if self.phase == Phase::FirstSettings && (header.kind != kind::SETTINGS || header.has(flag::ACK)) {
            return Err(ConnectionError::protocol("the first frame is not SETTINGS (RFC 9113 3.4)"));
        }
        match &self.block {
            Some(block) if header.kind != kind::CONTINUATION || header.stream != block.stream() => {
                Err(ConnectionError::protocol("a frame between HEADERS and its CONTINUATION (RFC 9113 6.10)"))
            }
            None if header.kind == kind::CONTINUATION => {
                Err(ConnectionError::protocol("CONTINUATION without HEADERS (RFC 9113 6.10)"))
            }
            _ => Ok(()),
        }
    }

    /// A whole frame that is not DATA.
    fn frame(
        &mut self,
        now: Instant,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, ConnectionError> {
        let needs_stream =
            header.has_header_block() || matches!(header.kind, kind::PRIORITY | kind::RST_STREAM);
        let needs_connection = matches!(header.kind, kind::SETTINGS | kind::PING | kind::GOAWAY);
        let is_connection = header.stream == StreamId::CONNECTION;
        if needs_stream && is_connection {
            return Err(ConnectionError::protocol("a frame that needs a stream, on stream 0 (RFC 9113 6)"));
        }
        if needs_connection && !is_connection {
            return Err(ConnectionError::protocol("a frame of the connection, on a stream (RFC 9113 6)"));
        }
        if header.kind == kind::HEADERS {
            return self.headers_frame(now, header, payload);
        }
        self.rare_frame(now, header, payload)
    }

    /// A frame that comes less often than HEADERS and DATA. Apart from those, so that they need not keep ready
    /// what is only needed here.
    #[inline(never)]
    fn rare_frame(
        &mut self,
        now: Instant,
        header: FrameHeader,
        payload: &[u8],
    ) -> Result<Option<Event<'static>>, ConnectionError> {
        match header.kind {
            kind::CONTINUATION => return self.continuation(now, header, payload),
            kind::PRIORITY => self.priority(now, header, payload)?,
            kind::RST_STREAM => self.rst_stream(now, header, payload)?,
            kind::SETTINGS => self.settings(now, header, payload)?,
            kind::PUSH_PROMISE => {
                // A client is told not to before it can send one; a server never gets one.
                return Err(ConnectionError::protocol("PUSH_PROMISE, which is disabled (RFC 9113 8.4)"));
            }
            kind::PING => self.ping_frame(now, header, payload)?,
            kind::GOAWAY => self.goaway(now, payload)?,
            kind::WINDOW_UPDATE => self.window_update(now, header, payload)?,
            _ => self.abuse.spend(Limit::IgnoredFrames, now)?,
        }
        Ok(None)
    }

    /// Ends the connection with a GOAWAY that says why.
    #[cold]
    fn fail(&mut self, error: &ConnectionError) {
        self.close(error.code(), &error.debug_data());
    }

    /// A frame that answers the peer. Too many that are not taken are an attack.
    fn control(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), ConnectionError> {
        let (queued, written) = self.output.totals();
        while self.control_frames.front().is_some_and(|end| *end <= written) {
            self.control_frames.pop_front();
        }
        let allowed = self.config.max_queued_control_frames;
        if self.control_frames.len() >= allowed as usize {
            return Err(self.abuse.exceeded(Limit::QueuedControlFrames, allowed.into()));
        }
        self.output.write(write);
        // A frame behind it is written no earlier than its first octet.
        self.control_frames.push_back(queued + 1);
        Ok(())
    }

    fn tell_capacity(&mut self) {
        if self.is_capacity_wanted && self.available_streams() > 0 {
            self.is_capacity_wanted = false;
            self.is_capacity_due = true;
        }
    }

    /// Whether the stream was never used: then most frames on it are errors of the connection.
    fn is_idle(&self, id: StreamId) -> bool {
        match (self.role, id.is_client_initiated()) {
            (Role::Server, true) => id > self.last_peer_stream,
            (Role::Client, true) => id.get() >= self.next_stream,
            // Nobody pushes.
            (_, false) => true,
        }
    }

    /// The peer broke a rule on a stream: resets it, and tells the application.
    #[cold]
    fn fault(&mut self, now: Instant, key: StreamKey, fault: StreamFault) -> Result<(), ConnectionError> {
        let budget = if fault == StreamFault::Refused { Limit::RefusedStreams } else { Limit::LocalResets };
        self.abuse.spend(budget, now)?;
        self.write_reset(key.id, fault.code())?;
        if self.end_by_reset(key) {
            self.events.push_back(Event::Reset { stream: key, reason: ResetReason::Local(fault) });
        }
        Ok(())
    }

    fn write_reset(&mut self, id: StreamId, code: ErrorCode) -> Result<(), ConnectionError> {
        self.remember_reset(id);
        self.control(|out| frame::write_rst_stream(out, id, code))
    }

    fn remember_reset(&mut self, id: StreamId) {
        if self.resets.len() == REMEMBERED_RESETS
            && let Some(oldest) = self.resets.pop_front()
        {
            self.forgotten_reset = self.forgotten_reset.max(oldest);
        }
        self.resets.push_back(id);
    }

    /// Whether a closed stream may have been reset by us, so that the peer may not have known.
    fn was_reset(&self, id: StreamId) -> bool {
        self.resets.contains(&id) || (self.role == Role::Client && id <= self.forgotten_reset)
    }

    /// Marks a stream as reset. Whether it was there, and not closed yet.
    fn end_by_reset(&mut self, key: StreamKey) -> bool {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_closed()) else {
            return false;
        };
        stream.is_reset = true;
        self.held.queued -= stream.drop_queue();
        self.settle(key);
        true
    }

    /// Lets go of a stream if it is closed and nobody needs it any longer.
    fn settle(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.is_closed()) else { return };
        let is_finished = stream.is_finished();
        let headers = stream.headers as usize;
        if stream.is_counted && !stream.is_held {
            stream.is_counted = false;
            self.concurrent -= 1;
            if !stream.is_reset {
                // Who lets most calls end may reset some.
                self.abuse.earn_back(Limit::PeerResets);
            }
            self.tell_capacity();
        }
        if is_finished {
            self.held.requests -= headers;
            self.streams.remove(key);
            self.finish_drain();
        }
    }
}
