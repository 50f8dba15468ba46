//! Header blocks of requests, responses and trailers (RFC 9113 §6.2, §6.10, §8).

use std::sync::Arc;
use std::time::Instant;

use super::{Connection, Role};
use crate::abuse::Limit;
use crate::error::{ConnectionError, ErrorCode, StreamFault};
use crate::event::{Event, HeadersKind};
use crate::frame::{FrameHeader, Padding, StreamId, flag, u32_at, unpadded};
use crate::header::{HeaderList, Malformed, MessageKind, check};
use crate::hpack::DecodeError;
use crate::stream::{Receiving, Sending, Stream, StreamKey};

/// A header block whose end has not come yet.
#[derive(Debug)]
pub(super) struct OpenBlock {
    head: BlockHead,
    fragment: Vec<u8>,
    continuations: u32,
    pub(super) since: Instant,
}

/// What HEADERS says besides the fields.
#[derive(Clone, Copy, Debug)]
struct BlockHead {
    stream: StreamId,
    end_stream: bool,
    depends_on_itself: bool,
}

impl OpenBlock {
    pub(super) fn stream(&self) -> StreamId {
        self.head.stream
    }

    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + self.fragment.capacity()
    }
}

/// Ranges of identifiers left out that are remembered.
const SKIPPED: usize = 16;

type Handled = Result<Option<Event<'static>>, ConnectionError>;

impl Connection {
    pub(super) fn headers_frame(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        let (mut fragment, _) = unpadded(header.flags, payload).map_err(|padding| match padding {
            Padding::NoLength => {
                ConnectionError::frame_size("HEADERS without the length of its padding (RFC 9113 6.2)")
            }
            Padding::TooLong => ConnectionError::protocol("padding longer than HEADERS (RFC 9113 6.2)"),
        })?;
        let mut depends_on_itself = false;
        if header.has(flag::PRIORITY) {
            let priority = fragment.split_off(..5).ok_or_else(|| {
                ConnectionError::frame_size("HEADERS without its priority fields (RFC 9113 6.2)")
            })?;
            depends_on_itself = StreamId::from_wire(u32_at(priority, 0)) == header.stream;
        }
        let head =
            BlockHead { stream: header.stream, end_stream: header.has(flag::END_STREAM), depends_on_itself };
        if self.role == Role::Server && !header.stream.is_client_initiated() {
            return Err(ConnectionError::protocol("a client opens a stream of a server (RFC 9113 5.1.1)"));
        }
        if header.has(flag::END_HEADERS) {
            return self.header_block(now, head, fragment);
        }
        self.block =
            Some(Box::new(OpenBlock { head, fragment: fragment.to_vec(), continuations: 0, since: now }));
        Ok(None)
    }

    pub(super) fn continuation(&mut self, now: Instant, header: FrameHeader, payload: &[u8]) -> Handled {
        let Some(block) = &mut self.block else { return Ok(None) };
        block.continuations += 1;
        if block.continuations > self.config.max_continuations {
            return Err(self.abuse.exceeded(Limit::Continuations, self.config.max_continuations.into()));
        }
        // Decoding ends at four times the size of a list, and Huffman code can be longer than its text.
        let allowed = (self.config.list_limits.size * 4).max(self.config.max_frame_size as usize);
        if block.fragment.len() + payload.len() > allowed {
            return Err(self.abuse.exceeded(Limit::HeaderBlock, allowed as u64));
        }
        block.fragment.extend_from_slice(payload);
        if !header.has(flag::END_HEADERS) {
            return Ok(None);
        }
        let Some(block) = self.block.take() else { return Ok(None) };
        self.header_block(now, block.head, &block.fragment)
    }

    /// A whole header block. It is decoded whatever becomes of it, as the tables of both sides have
    /// to stay the same (RFC 9113 §4.3).
    fn header_block(&mut self, now: Instant, head: BlockHead, block: &[u8]) -> Handled {
        let found = self.streams.find(head.stream);
        let kind = match found.and_then(|key| self.streams.get(key)) {
            None => self.request_kind(),
            Some(stream) if stream.receiving == Receiving::Headers => MessageKind::Response,
            Some(_) => MessageKind::Trailers,
        };
        let list =
            self.decoder.decode_as(block, self.config.list_limits, kind).map_err(|error| match error {
                DecodeError::ListTooLarge { limit } => self.abuse.exceeded(Limit::HeaderBlock, limit as u64),
                error => ConnectionError::Compression(error),
            })?;
        if let Some(key) = found {
            return self.more_headers(now, key, head, list);
        }
        if self.is_idle(head.stream) {
            return match self.role {
                Role::Server => self.request(now, head, list),
                Role::Client => Err(ConnectionError::protocol("HEADERS on an idle stream (RFC 9113 5.1)")),
            };
        }
        if self.was_reset(head.stream) {
            self.abuse.spend(Limit::IgnoredFrames, now)?;
            return Ok(None);
        }
        if self.skipped.iter().any(|(first, last)| (*first..=*last).contains(&head.stream)) {
            return Err(ConnectionError::protocol("an identifier below one that was used (RFC 9113 5.1.1)"));
        }
        Err(ConnectionError::stream_closed("HEADERS on a closed stream (RFC 9113 5.1)"))
    }

    fn request_kind(&self) -> MessageKind {
        MessageKind::Request { is_extended_connect_enabled: self.config.is_extended_connect_enabled }
    }

    /// Remembers which identifiers are left out when this one is used.
    fn note_skipped(&mut self, id: StreamId) {
        let next = self.last_peer_stream.get() + if self.last_peer_stream.get() == 0 { 1 } else { 2 };
        if id.get() > next {
            if self.skipped.len() == SKIPPED {
                self.skipped.pop_front();
            }
            self.skipped.push_back((StreamId::from_wire(next), StreamId::from_wire(id.get() - 2)));
        }
    }

    fn request(&mut self, now: Instant, head: BlockHead, list: Arc<HeaderList>) -> Handled {
        self.note_skipped(head.stream);
        self.last_peer_stream = head.stream;
        // A stream above the one that the last GOAWAY named is ours to ignore (RFC 9113 §6.8).
        let is_full = self.concurrent >= self.config.max_concurrent_streams || self.is_out_of_memory();
        if is_full || self.shutdown.is_final() {
            self.abuse.spend(Limit::RefusedStreams, now)?;
            self.write_reset(head.stream, ErrorCode::REFUSED_STREAM)?;
            return Ok(None);
        }
        let kind = self.request_kind();
        let fault = match fault_of(&list, head, kind) {
            None if head.end_stream && list.content_length().is_some_and(|len| len > 0) => {
                Some(StreamFault::Malformed(Malformed::ContentLengthMismatch))
            }
            fault => fault,
        };
        if let Some(fault) = fault {
            self.abuse.spend(Limit::LocalResets, now)?;
            self.write_reset(head.stream, fault.code())?;
            return Ok(None);
        }
        let windows = (self.initial_window, self.peer.initial_window_size);
        let receiving = if head.end_stream { Receiving::Ended } else { Receiving::Data };
        let mut stream = Stream::new(head.stream, receiving, Sending::Headers, windows);
        stream.announced = announced(list.content_length());
        stream.headers = u32::try_from(list.size()).unwrap_or(u32::MAX);
        self.held.requests += stream.headers as usize;
        let key = self.streams.insert(stream);
        self.concurrent += 1;
        self.abuse.earn(Limit::WindowUpdates, 8);
        self.abuse.earn(Limit::Priorities, 8);
        Ok(Some(Event::Headers {
            stream: key,
            kind: HeadersKind::Request,
            headers: list,
            end_stream: head.end_stream,
        }))
    }

    /// Headers on a stream that there is: a response, or trailers.
    fn more_headers(
        &mut self,
        now: Instant,
        key: StreamKey,
        head: BlockHead,
        list: Arc<HeaderList>,
    ) -> Handled {
        let Some(stream) = self.streams.get(key) else { return Ok(None) };
        if stream.is_reset {
            self.abuse.spend(Limit::IgnoredFrames, now)?;
            return Ok(None);
        }
        match stream.receiving {
            Receiving::Ended if stream.sending == Sending::Ended => {
                Err(ConnectionError::stream_closed("HEADERS on a closed stream (RFC 9113 5.1)"))
            }
            Receiving::Ended => {
                let reason = "HEADERS after END_STREAM (RFC 9113 5.1)";
                self.fault(now, key, StreamFault::Protocol { code: ErrorCode::STREAM_CLOSED, reason })?;
                Ok(None)
            }
            Receiving::Data => self.trailers(now, key, head, list),
            Receiving::Headers => self.response(now, key, head, list),
        }
    }

    fn trailers(&mut self, now: Instant, key: StreamKey, head: BlockHead, list: Arc<HeaderList>) -> Handled {
        let announced = self.streams.get(key).map_or(u64::MAX, |stream| stream.announced);
        let fault = match fault_of(&list, head, MessageKind::Trailers) {
            None if !head.end_stream => Some(StreamFault::Malformed(Malformed::Sequence)),
            None if announced != 0 && announced != u64::MAX => {
                Some(StreamFault::Malformed(Malformed::ContentLengthMismatch))
            }
            fault => fault,
        };
        if let Some(fault) = fault {
            self.fault(now, key, fault)?;
            return Ok(None);
        }
        self.end_receiving(key);
        Ok(Some(Event::Headers { stream: key, kind: HeadersKind::Trailers, headers: list, end_stream: true }))
    }

    fn response(&mut self, now: Instant, key: StreamKey, head: BlockHead, list: Arc<HeaderList>) -> Handled {
        let status = list.status().unwrap_or_default();
        let is_informational = (100..200).contains(&status);
        let has_no_content =
            self.streams.get(key).is_some_and(|stream| stream.has_no_content) || matches!(status, 204 | 304);
        let length = list.content_length().filter(|_| !has_no_content);
        let fault = match fault_of(&list, head, MessageKind::Response) {
            None if is_informational && head.end_stream => Some(StreamFault::Malformed(Malformed::Sequence)),
            None if head.end_stream && length.is_some_and(|length| length > 0) => {
                Some(StreamFault::Malformed(Malformed::ContentLengthMismatch))
            }
            fault => fault,
        };
        if let Some(fault) = fault {
            self.fault(now, key, fault)?;
            return Ok(None);
        }
        if is_informational {
            // A server could send them without end.
            self.abuse.spend(Limit::IgnoredFrames, now)?;
            let kind = HeadersKind::Informational;
            return Ok(Some(Event::Headers { stream: key, kind, headers: list, end_stream: false }));
        }
        if let Some(stream) = self.streams.get_mut(key) {
            stream.receiving = Receiving::Data;
            stream.announced = announced(length);
        }
        if head.end_stream {
            self.end_receiving(key);
        }
        let kind = HeadersKind::Response;
        Ok(Some(Event::Headers { stream: key, kind, headers: list, end_stream: head.end_stream }))
    }

    pub(super) fn end_receiving(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.receiving = Receiving::Ended;
            self.settle(key);
        }
    }
}

/// What a stream keeps of `content-length`. No content is as long as the number that stands for none.
fn announced(length: Option<u64>) -> u64 {
    length.map_or(u64::MAX, |length| length.min(u64::MAX - 1))
}

fn fault_of(list: &HeaderList, head: BlockHead, kind: MessageKind) -> Option<StreamFault> {
    if list.is_truncated() {
        return Some(StreamFault::HeaderListTooLarge { size: list.size() });
    }
    if head.depends_on_itself {
        let reason = "a stream depends on itself (RFC 7540 5.3.1)";
        return Some(StreamFault::Protocol { code: ErrorCode::PROTOCOL_ERROR, reason });
    }
    check(list, kind).err().map(StreamFault::Malformed)
}
