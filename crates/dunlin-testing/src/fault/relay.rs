//! Stands between a client and a server of HTTP/2, and lets faults happen to streams.
//!
//! Frames pass as they came. Header blocks of responses can be left out without harm, because the server is
//! told that the client's compression table has no room: then no block depends on another.

use std::collections::HashMap;

use dunlin_grpc::{CallKind, Method};
use dunlin_http2::hpack::{Decoder, ListLimits};
use dunlin_http2::{ErrorCode, PREFACE};

use super::Faults;
use super::frame::{self, Frame};
use super::meter::{Meter, Place};
use super::rule::{WireFault, WireKind};

/// What stands in between, without any I/O: octets in, octets out.
#[derive(Debug)]
pub(super) struct Relay {
    faults: Faults,
    /// To be written to the client.
    pub(super) to_client: Vec<u8>,
    /// To be written to the server.
    pub(super) to_server: Vec<u8>,
    /// Once what is to be written is written, both sides are to be closed.
    pub(super) is_cut: bool,
    client: Input,
    /// The client has sent what clients send first.
    has_preface: bool,
    server: Input,
    /// The header block that comes from the server ends its stream.
    is_end: bool,
    /// Of the blocks of requests.
    decoder: Decoder,
    /// Those that something happens to, or has happened to.
    streams: HashMap<u32, Stream>,
    /// The last that was begun.
    last: u32,
    /// The last that is processed, once the server is said to go away.
    going: Option<u32>,
    /// Octets pass as they are: this is not HTTP/2, or not as it should be.
    is_transparent: bool,
}

/// What came from a side and was not looked at.
#[derive(Debug, Default)]
struct Input {
    bytes: Vec<u8>,
    /// Frames of a header block that is not whole, and what of the block there is.
    held: Vec<u8>,
    block: Vec<u8>,
}

#[derive(Debug)]
enum Stream {
    /// Something is to happen.
    Watched { fault: WireFault, meter: Meter, has_headers: bool },
    /// It is over for both sides; what still comes is thrown away.
    Cut,
    /// Its request is over for the server; what still comes of that is thrown away.
    RequestCut,
}

/// What the header blocks of requests may have.
const LIMITS: ListLimits = ListLimits { size: 1 << 20, fields: 1 << 12 };
/// SETTINGS_HEADER_TABLE_SIZE, unless something else is said.
const TABLE_SIZE: u32 = 4096;

impl Relay {
    pub(super) fn new(faults: Faults) -> Self {
        Self {
            faults,
            to_client: Vec::new(),
            to_server: Vec::new(),
            is_cut: false,
            client: Input::default(),
            has_preface: false,
            server: Input::default(),
            is_end: false,
            decoder: Decoder::new(TABLE_SIZE as usize),
            streams: HashMap::new(),
            last: 0,
            going: None,
            is_transparent: false,
        }
    }

    /// Takes what the client has sent.
    pub(super) fn client_sent(&mut self, bytes: &[u8]) {
        self.client.bytes.extend_from_slice(bytes);
        let mut input = std::mem::take(&mut self.client.bytes);
        let mut rest = &input[..];
        if !self.is_transparent && !self.has_preface {
            let length = rest.len().min(PREFACE.len());
            if rest[..length] != PREFACE[..length] {
                self.pass_all();
            } else if length == PREFACE.len() {
                self.has_preface = true;
                self.to_server.extend_from_slice(&rest[..length]);
                rest = &rest[length..];
            }
        }
        while self.has_preface
            && !self.is_transparent
            && !self.is_cut
            && let Some(frame) = Frame::read(rest)
        {
            rest = &rest[frame.bytes.len()..];
            self.client_frame(frame);
        }
        if self.is_transparent {
            self.to_server.extend_from_slice(rest);
            rest = &[];
        }
        let passed = input.len() - rest.len();
        input.drain(..passed);
        self.client.bytes = input;
    }

    /// Takes what the server has sent.
    pub(super) fn server_sent(&mut self, bytes: &[u8]) {
        self.server.bytes.extend_from_slice(bytes);
        let mut input = std::mem::take(&mut self.server.bytes);
        let mut rest = &input[..];
        while !self.is_transparent
            && !self.is_cut
            && let Some(frame) = Frame::read(rest)
        {
            rest = &rest[frame.bytes.len()..];
            self.server_frame(frame);
        }
        if self.is_transparent {
            self.to_client.extend_from_slice(rest);
            rest = &[];
        }
        let passed = input.len() - rest.len();
        input.drain(..passed);
        self.server.bytes = input;
    }

    /// From now on nothing is looked at.
    fn pass_all(&mut self) {
        self.is_transparent = true;
        self.to_server.append(&mut self.client.held);
        self.to_server.append(&mut self.client.bytes);
        self.to_client.append(&mut self.server.held);
        self.to_client.append(&mut self.server.bytes);
    }

    // ------------------------------------------------------------ requests

    fn client_frame(&mut self, frame: Frame<'_>) {
        let stream = self.streams.get_mut(&frame.stream);
        match (frame.kind, stream) {
            (frame::HEADERS | frame::CONTINUATION, _) => self.request_headers(frame),
            (frame::SETTINGS, _) if !frame.has(frame::ACK) => {
                let others = frame.settings().filter(|(name, _)| *name != frame::HEADER_TABLE_SIZE);
                frame::settings(&mut self.to_server, others.chain([(frame::HEADER_TABLE_SIZE, 0)]));
            }
            (frame::DATA, Some(Stream::Cut)) => {
                frame::window_update(&mut self.to_client, 0, frame.payload.len());
            }
            (frame::DATA, Some(Stream::RequestCut)) => {
                frame::window_update(&mut self.to_client, 0, frame.payload.len());
                frame::window_update(&mut self.to_client, frame.stream, frame.payload.len());
            }
            (frame::RST_STREAM | frame::WINDOW_UPDATE, Some(Stream::Cut)) => {}
            (frame::DATA, Some(Stream::Watched { fault, meter, .. }))
                if fault.kind == WireKind::CutRequest =>
            {
                let Some(content) = frame.content() else { return self.pass_from_client(frame) };
                match meter.feed(content) {
                    None => self.to_server.extend_from_slice(frame.bytes),
                    Some(at) => {
                        frame::data(&mut self.to_server, frame.stream, frame::END_STREAM, &content[..at]);
                        frame::window_update(&mut self.to_client, 0, frame.payload.len() - at);
                        self.streams.insert(frame.stream, Stream::RequestCut);
                    }
                }
            }
            (frame::RST_STREAM, Some(_)) => {
                self.streams.remove(&frame.stream);
                self.to_server.extend_from_slice(frame.bytes);
            }
            _ => self.to_server.extend_from_slice(frame.bytes),
        }
    }

    fn pass_from_client(&mut self, frame: Frame<'_>) {
        self.pass_all();
        self.to_server.extend_from_slice(frame.bytes);
    }

    /// A part of a header block passes once all of it is there, so that nothing comes in between.
    fn request_headers(&mut self, frame: Frame<'_>) {
        self.client.held.extend_from_slice(frame.bytes);
        let Some(content) = frame.content() else { return self.pass_all() };
        self.client.block.extend_from_slice(content);
        if !frame.has(frame::END_HEADERS) {
            return;
        }
        self.to_server.append(&mut self.client.held);
        let block = std::mem::take(&mut self.client.block);
        let Ok(headers) = self.decoder.decode(&block, LIMITS) else { return self.pass_all() };
        let path = headers.path().map(str::to_owned);
        if frame.stream <= self.last {
            return;
        }
        self.last = frame.stream;
        if self.going.is_some_and(|going| frame.stream > going) {
            // The client does not know yet that this one is not processed.
            self.forget_at_server(frame.stream);
            return;
        }
        let method = path.and_then(|path| Method::from_path(&path, CallKind::BidiStreaming));
        if let Some(fault) = method.and_then(|method| self.faults.of_stream(&method)) {
            self.begin(frame.stream, fault);
        }
    }

    fn begin(&mut self, id: u32, fault: WireFault) {
        let place = match fault.kind {
            WireKind::CutMessage | WireKind::CutRequest => Place::Within(fault.after),
            _ => Place::Behind(fault.after),
        };
        let meter = Meter::new(place);
        match fault.kind {
            WireKind::Reset(_) | WireKind::GoAway(_) | WireKind::Disconnect if fault.after == 0 => {
                self.happen(id, fault);
            }
            _ => {
                self.streams.insert(id, Stream::Watched { fault, meter, has_headers: false });
            }
        }
    }

    // ------------------------------------------------------------ responses

    fn server_frame(&mut self, frame: Frame<'_>) {
        match (frame.kind, self.streams.get_mut(&frame.stream)) {
            (frame::HEADERS | frame::CONTINUATION, _) => self.response_headers(frame),
            (frame::SETTINGS, _) => {
                let sizes = frame.settings().filter(|(name, _)| *name == frame::HEADER_TABLE_SIZE);
                // A smaller one is announced in a block.
                if let Some((_, size)) = sizes.last().filter(|(_, size)| *size > TABLE_SIZE) {
                    self.decoder.set_allowed_size(size as usize);
                }
                self.to_client.extend_from_slice(frame.bytes);
            }
            (frame::DATA, Some(Stream::Cut)) => {
                frame::window_update(&mut self.to_server, 0, frame.payload.len());
            }
            (frame::RST_STREAM | frame::WINDOW_UPDATE, Some(Stream::Cut)) => {}
            (frame::DATA, Some(Stream::Watched { fault, meter, .. }))
                if fault.kind != WireKind::CutRequest =>
            {
                let fault = *fault;
                let Some(content) = frame.content() else {
                    self.pass_all();
                    return self.to_client.extend_from_slice(frame.bytes);
                };
                match meter.feed(content) {
                    None => self.to_client.extend_from_slice(frame.bytes),
                    Some(_) if matches!(fault.kind, WireKind::GoAway(_)) => {
                        self.to_client.extend_from_slice(frame.bytes);
                        self.happen(frame.stream, fault);
                    }
                    Some(at) => {
                        if at > 0 {
                            frame::data(&mut self.to_client, frame.stream, 0, &content[..at]);
                        }
                        frame::window_update(&mut self.to_server, 0, frame.payload.len() - at);
                        self.happen(frame.stream, fault);
                    }
                }
            }
            (frame::RST_STREAM, Some(_)) => {
                self.streams.remove(&frame.stream);
                self.to_client.extend_from_slice(frame.bytes);
            }
            _ => self.to_client.extend_from_slice(frame.bytes),
        }
    }

    fn response_headers(&mut self, frame: Frame<'_>) {
        self.server.held.extend_from_slice(frame.bytes);
        if frame.kind == frame::HEADERS {
            self.is_end = frame.has(frame::END_STREAM);
        }
        if !frame.has(frame::END_HEADERS) {
            return;
        }
        let is_end = self.is_end;
        let mut held = std::mem::take(&mut self.server.held);
        match self.streams.get_mut(&frame.stream) {
            Some(Stream::Cut) => {}
            Some(Stream::Watched { fault, meter, has_headers }) if fault.kind != WireKind::CutRequest => {
                let fault = *fault;
                let is_cut = match fault.kind {
                    WireKind::Truncate if is_end => *has_headers,
                    WireKind::Truncate => meter.is_there(),
                    WireKind::CutMessage => false,
                    _ => is_end,
                };
                *has_headers = true;
                // Of these the headers pass, but not what would end the response well.
                if !is_cut || !is_end || matches!(fault.kind, WireKind::GoAway(_)) {
                    self.to_client.append(&mut held);
                }
                if is_cut {
                    self.happen(frame.stream, fault);
                } else if is_end {
                    self.streams.remove(&frame.stream);
                }
            }
            _ => {
                self.to_client.append(&mut held);
                if is_end {
                    self.streams.remove(&frame.stream);
                }
            }
        }
    }

    // ------------------------------------------------------------ faults

    /// The server hears that nobody wants the stream any longer; the client has heard what it is to hear.
    fn forget_at_server(&mut self, id: u32) {
        frame::reset(&mut self.to_server, id, ErrorCode::CANCEL);
        self.streams.insert(id, Stream::Cut);
    }

    fn happen(&mut self, id: u32, fault: WireFault) {
        match fault.kind {
            WireKind::Reset(code) => {
                frame::reset(&mut self.to_client, id, code);
                self.forget_at_server(id);
            }
            WireKind::GoAway(code) => {
                // Streams of clients have odd numbers, so the one before this is two less.
                let last = if fault.after == 0 { id.saturating_sub(2) } else { self.last };
                let going = self.going.map_or(last, |going| going.min(last));
                self.going = Some(going);
                frame::goaway(&mut self.to_client, going, code, b"a fault of a test");
                match fault.after {
                    0 => self.forget_at_server(id),
                    _ => drop(self.streams.remove(&id)),
                }
            }
            WireKind::Disconnect => self.is_cut = true,
            WireKind::Truncate | WireKind::CutMessage => {
                frame::data(&mut self.to_client, id, frame::END_STREAM, &[]);
                self.forget_at_server(id);
            }
            // Done where the request is read.
            WireKind::CutRequest => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use dunlin_testkit::http2::{Block, Frame as Wire, bytes, setting};

    use super::*;

    const PATH: &str = "/test.Echo/List";

    fn request(stream: u32) -> Wire {
        let fields = [(":method", "POST"), (":scheme", "http"), (":path", PATH), ("te", "trailers")];
        Wire::headers(stream, Block::of(&fields).octets())
    }

    fn opening(others: &[Wire]) -> Vec<u8> {
        let settings = [(setting::HEADER_TABLE_SIZE, 65_536), (setting::ENABLE_PUSH, 0)];
        [&PREFACE[..], &bytes(&[Wire::settings(&settings)]), &bytes(others)].concat()
    }

    /// The frames of what a side gets.
    fn frames(octets: &[u8]) -> Vec<(u8, u8, u32, Vec<u8>)> {
        let mut rest = octets;
        let mut frames = Vec::new();
        while let Some(frame) = Frame::read(rest) {
            frames.push((frame.kind, frame.flags, frame.stream, frame.payload.to_vec()));
            rest = &rest[frame.bytes.len()..];
        }
        assert!(rest.is_empty(), "a part of a frame");
        frames
    }

    #[test]
    fn frames_pass_however_they_are_cut_up() {
        let [first, second] = [request(1), Wire::data(1, b"octets")].map(|frame| bytes([&frame]));
        // The same block in two frames.
        let block = &first[frame::HEADER_LEN..];
        let mut parts = vec![0, 0, 3, frame::HEADERS, 0, 0, 0, 0, 1, block[0], block[1], block[2]];
        parts.extend([0, 0, block.len() as u8 - 3, frame::CONTINUATION, frame::END_HEADERS, 0, 0, 0, 1]);
        parts.extend(&block[3..]);
        let input = [opening(&[]), parts.clone(), second.clone()].concat();
        for size in 1..input.len() {
            let mut relay = Relay::new(Faults::new());
            input.chunks(size).for_each(|piece| relay.client_sent(piece));
            let told =
                bytes(&[Wire::settings(&[(setting::ENABLE_PUSH, 0), (setting::HEADER_TABLE_SIZE, 0)])]);
            assert_eq!(relay.to_server, [&PREFACE[..], &told, &parts, &second].concat(), "pieces of {size}");
            assert_eq!(relay.last, 1);
        }
    }

    #[test]
    fn what_is_thrown_away_is_given_back_to_who_sent_it() {
        let faults = Faults::new();
        faults.on(PATH).reset(ErrorCode::CANCEL);
        let mut relay = Relay::new(faults);
        relay.client_sent(&opening(&[request(1), Wire::data(1, vec![7; 10])]));
        relay.to_server.clear();
        let credit = |octets: u32| (frame::WINDOW_UPDATE, 0, 0, octets.to_be_bytes().to_vec());
        let reset = (frame::RST_STREAM, 0, 1, 8_u32.to_be_bytes().to_vec());
        assert_eq!(frames(&relay.to_client), [reset, credit(10)]);
        relay.to_client.clear();
        // The server has not read the reset yet.
        let trailers = Block::of(&[("grpc-status", "0")]);
        relay.server_sent(&bytes(&[
            Wire::data(1, vec![7; 20]),
            Wire::headers(1, trailers.octets()).end_stream(),
        ]));
        assert_eq!((frames(&relay.to_server), relay.to_client.len()), (vec![credit(20)], 0));
    }

    #[test]
    fn what_is_no_http2_passes_as_it_is() {
        let mut relay = Relay::new(Faults::new());
        for piece in [&b"P"[..], b"OST / HTTP/1.1\r\n", b"\r\n"] {
            relay.client_sent(piece);
        }
        assert_eq!(relay.to_server, b"POST / HTTP/1.1\r\n\r\n");
        relay.server_sent(b"HTTP/1.1 200 OK");
        assert_eq!(relay.to_client, b"HTTP/1.1 200 OK");
        // A block that can not be read is the server's to refuse.
        let mut relay = Relay::new(Faults::new());
        let input = opening(&[Wire::headers(1, vec![0xff; 20]), Wire::data(1, vec![7; 10])]);
        relay.client_sent(&input);
        assert!(relay.is_transparent && relay.to_server.ends_with(&input[input.len() - 39..]));
    }
}
