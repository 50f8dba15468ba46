//! What the application sends, and who may send next.

use std::time::Instant;

use bytes::Bytes;

use super::{Connection, Phase, Role};
use crate::abuse::Limit;
use crate::error::{ConnectionError, ErrorCode, HeaderListTooLarge, OpenError, SendError};
use crate::event::Event;
use crate::flow::SendWindow;
use crate::frame::{self, HEADER_LEN, StreamId, flag, kind};
use crate::header::{Field, HeaderBlock, check_sent};
use crate::hpack::Encoder;
use crate::output::{BY_REFERENCE, OutputQueue};
use crate::stream::{OwnedFields, QueuedEnd, Receiving, SendQueue, Sending, Stream, StreamKey};

/// The fields of a header list to send: a prepared block, more fields behind it, or both.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    block: Option<&'a HeaderBlock>,
    more: &'a [Field<'a>],
}

impl<'a> From<&'a HeaderBlock> for Fields<'a> {
    fn from(block: &'a HeaderBlock) -> Self {
        Self { block: Some(block), more: &[] }
    }
}

impl<'a> From<&'a [Field<'a>]> for Fields<'a> {
    fn from(more: &'a [Field<'a>]) -> Self {
        Self { block: None, more }
    }
}

impl<'a> From<(&'a HeaderBlock, &'a [Field<'a>])> for Fields<'a> {
    fn from((block, more): (&'a HeaderBlock, &'a [Field<'a>])) -> Self {
        Self { block: Some(block), more }
    }
}

impl<'a> Fields<'a> {
    /// All of them, in the order they are sent.
    pub fn all(self) -> impl Iterator<Item = Field<'a>> {
        let block = self.block.into_iter().flat_map(HeaderBlock::fields);
        block.chain(self.more.iter().copied())
    }

    fn size(self) -> usize {
        self.all().map(|field| field.name.len() + field.value.len() + 32).sum()
    }

    fn to_owned(self) -> OwnedFields {
        let own = |field: &Field<'_>| (field.name.into(), field.value.into(), field.is_sensitive);
        let fields = self.more.iter().map(own).collect();
        OwnedFields { block: self.block.cloned(), size: self.size(), fields }
    }
}

/// Streams take turns in the output until it has so many bytes. A turn of the driver writes them in
/// one call, and what is queued behind it can not be overtaken anymore.
const OUTPUT_TARGET: usize = 128 << 10;
/// A stream with more queued than this is congested, until it is down to half.
const CONGESTED: usize = 64 << 10;
/// A DATA frame below this size counts as tiny, if only the window made it so.
const TINY: usize = 256;

impl Connection {
    /// Opens a stream with a request.
    ///
    /// # Errors
    /// Nothing is sent then; see [`OpenError`].
    pub fn open<'a>(
        &mut self,
        fields: impl Into<Fields<'a>>,
        end_stream: bool,
    ) -> Result<StreamKey, OpenError> {
        let fields = fields.into();
        if self.role == Role::Server {
            return Err(OpenError::Role);
        }
        if self.phase == Phase::Closed || !self.shutdown.is_open() || self.next_stream > StreamId::MAX.get() {
            return Err(OpenError::GoingAway);
        }
        let limit = self.peer.max_concurrent_streams;
        if self.concurrent >= limit {
            self.is_capacity_wanted = true;
            return Err(OpenError::Full { limit });
        }
        fields.more.iter().try_for_each(check_sent)?;
        self.check_size(fields)?;
        let id = StreamId::from_wire(self.next_stream);
        self.next_stream += 2;
        let sending = if end_stream { Sending::Ended } else { Sending::Data };
        let windows = (self.initial_window, self.peer.initial_window_size);
        let mut stream = Stream::new(id, Receiving::Headers, sending, windows);
        let is_head = |field: Field<'_>| field.name == ":method" && field.value == b"HEAD";
        stream.has_no_content = fields.all().take(4).any(is_head);
        let key = self.streams.insert(stream);
        self.concurrent += 1;
        self.abuse.earn(Limit::WindowUpdates, 8);
        self.write_headers(id, fields, end_stream);
        Ok(key)
    }

    /// How many more streams the peer takes now.
    pub fn available_streams(&self) -> u32 {
        match self.shutdown.is_open() && self.phase != Phase::Closed {
            true => self.peer.max_concurrent_streams.saturating_sub(self.concurrent),
            false => 0,
        }
    }

    /// Sends a response with a status from 100 to 199; others follow.
    ///
    /// # Errors
    /// Nothing is sent then; see [`SendError`].
    pub fn send_informational<'a>(
        &mut self,
        key: StreamKey,
        fields: impl Into<Fields<'a>>,
    ) -> Result<(), SendError> {
        let fields = fields.into();
        self.sending(key, Sending::Headers)?;
        self.check_fields(fields)?;
        self.write_headers(key.id, fields, false);
        Ok(())
    }

    /// Sends the headers of the response.
    ///
    /// # Errors
    /// Nothing is sent then; see [`SendError`].
    pub fn send_headers<'a>(
        &mut self,
        key: StreamKey,
        fields: impl Into<Fields<'a>>,
        end_stream: bool,
    ) -> Result<(), SendError> {
        let fields = fields.into();
        self.sending(key, Sending::Headers)?;
        self.check_fields(fields)?;
        self.write_headers(key.id, fields, end_stream);
        let next = if end_stream { Sending::Ended } else { Sending::Data };
        self.set_sending(key, next);
        Ok(())
    }

    /// Sends content, as soon as the windows allow it. Nothing limits what may be queued, so ask
    /// [`is_congested`](Self::is_congested).
    ///
    /// # Errors
    /// Nothing is sent then; see [`SendError`].
    pub fn send_data(&mut self, key: StreamKey, data: Bytes, end_stream: bool) -> Result<(), SendError> {
        let len = data.len();
        if !self.spend_to_send(key, len)? {
            self.enqueue(key, data, end_stream);
            return Ok(());
        }
        if len == 0 && !end_stream {
            // A frame that says nothing costs the peer, and peers count them (CVE-2019-9518).
            return Ok(());
        }
        if len < BY_REFERENCE {
            self.output.data(key.id, len, end_stream, |out| out.extend_from_slice(&data));
        } else {
            self.output.write(|out| frame::write_header(out, kind::DATA, end_flag(end_stream), key.id, len));
            self.output.payload(data);
        }
        if end_stream {
            self.set_sending(key, Sending::Ended);
        }
        Ok(())
    }

    /// Sends content of `len` bytes, which `write` appends to the buffer it is given: into what is
    /// written next, if the windows allow it, without a copy in between. Pieces that leave together go into one
    /// frame.
    ///
    /// # Errors
    /// Nothing is sent then, and `write` is not called; see [`SendError`].
    ///
    /// # Panics
    /// If `write` appends another number of bytes.
    #[inline]
    pub fn send_data_with(
        &mut self,
        key: StreamKey,
        len: usize,
        end_stream: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), SendError> {
        if !self.spend_to_send(key, len)? {
            let mut data = Vec::with_capacity(len);
            write(&mut data);
            assert_eq!(data.len(), len, "content is not as long as announced");
            self.enqueue(key, data.into(), end_stream);
            return Ok(());
        }
        if len == 0 && !end_stream {
            write(&mut Vec::new());
            return Ok(());
        }
        let written = self.output.data(key.id, len, end_stream, write);
        assert_eq!(written, len, "content is not as long as announced");
        if end_stream {
            self.set_sending(key, Sending::Ended);
        }
        Ok(())
    }

    /// Sends the fields behind the content, and ends the stream.
    ///
    /// # Errors
    /// Nothing is sent then; see [`SendError`].
    pub fn send_trailers<'a>(
        &mut self,
        key: StreamKey,
        fields: impl Into<Fields<'a>>,
    ) -> Result<(), SendError> {
        let fields = fields.into();
        self.sending(key, Sending::Data)?;
        self.check_fields(fields)?;
        let Some(stream) = self.streams.get_mut(key) else { return Err(SendError::Closed) };
        if let Some(queue) = &mut stream.queue {
            let fields = fields.to_owned();
            self.held.queued += fields.size;
            queue.end = QueuedEnd::Trailers(fields);
            stream.sending = Sending::Draining;
            return Ok(());
        }
        self.write_headers(key.id, fields, true);
        self.set_sending(key, Sending::Ended);
        Ok(())
    }

    /// Resets a stream. What is queued for it is dropped.
    pub fn reset(&mut self, key: StreamKey, code: ErrorCode) {
        // Behind the GOAWAY that closes the connection nothing more is said. The end of the last stream of a
        // shutdown is.
        let was_closed = self.phase == Phase::Closed;
        if !self.end_by_reset(key) || was_closed {
            return;
        }
        self.remember_reset(key.id);
        // What the window lets the peer have on its way is not held against it, in frames of a few octets.
        self.abuse.earn(Limit::IgnoredFrames, 8 + self.initial_window as u32 / 16);
        // Our own decision, so it is no answer that a peer could cause at will.
        self.output.write(|out| frame::write_rst_stream(out, key.id, code));
    }

    /// The application is done with a stream: resets it if it is not closed, and releases all that
    /// was received on it.
    pub fn forget(&mut self, key: StreamKey, code: ErrorCode) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        stream.is_held = false;
        let unreleased = stream.unreleased as usize;
        self.reset(key, code);
        self.release(key, unreleased);
        self.settle(key);
    }

    /// The application has sent the end of its side, and does not want what the peer still sends. What is
    /// queued goes out; then, if the peer has not ended its side, the stream is reset with NO_ERROR
    /// (RFC 9113 §8.1). If the end was not sent, this is [`forget`](Self::forget) with CANCEL.
    pub fn dismiss(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        match stream.sending {
            Sending::Draining if !stream.is_reset => {
                stream.is_held = false;
                stream.is_dismissed = true;
                let unreleased = stream.unreleased as usize;
                self.release(key, unreleased);
            }
            Sending::Ended => self.forget(key, ErrorCode::NO_ERROR),
            _ => self.forget(key, ErrorCode::CANCEL),
        }
    }

    /// The application goes on with its work for a stream though it may be reset. The stream counts
    /// against `max_concurrent_streams` until it is [forgotten](Self::forget), so that resets do not
    /// buy work (CVE-2023-44487).
    pub fn hold(&mut self, key: StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.is_held = true;
        }
    }

    /// Whether so much waits to be sent that more should wait for [`Event::Drained`]: above 64 KiB of
    /// the stream, until it is below 32 KiB; or as much of the connection as is written at once.
    #[inline]
    pub fn is_congested(&mut self, key: StreamKey) -> bool {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_reset) else { return false };
        if !stream.is_congested {
            if let Some(queue) = &stream.queue {
                stream.is_congested = queue.len > CONGESTED;
            } else if self.output.len() >= OUTPUT_TARGET {
                stream.is_congested = true;
                self.waiting.push_back(key);
            }
        }
        stream.is_congested
    }

    /// Bytes that wait to be sent on a stream.
    pub fn queued(&self, key: StreamKey) -> usize {
        self.streams.get(key).map_or(0, Stream::queued)
    }

    /// Gives streams their turns to send what is queued, as far as the windows and the output allow.
    /// To be called after events were handled and before the output is written, as long as
    /// [`has_more`](Self::has_more) afterwards.
    ///
    /// # Errors
    /// The peer gives its windows in crumbs, or a server holds more than `max_connection_memory` for it.
    /// GOAWAY waits to be written.
    pub fn transmit(&mut self, now: Instant) -> Result<(), ConnectionError> {
        let done = self.check_memory().and_then(|()| self.take_turns(now));
        done.inspect_err(|error| self.fail(error))
    }

    fn take_turns(&mut self, now: Instant) -> Result<(), ConnectionError> {
        while self.output.len() < OUTPUT_TARGET
            && let Some(key) = self.ready.pop_front()
        {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            stream.is_scheduled = false;
            self.turn(key, now)?;
            if self.send_window.available() == 0 && self.ready.front().is_some() {
                break;
            }
        }
        // One at a time: the next one gets what it leaves.
        while self.output.len() < OUTPUT_TARGET
            && let Some(key) = self.waiting.pop_front()
        {
            if let Some(stream) = self.streams.get_mut(key).filter(|stream| stream.queue.is_none()) {
                stream.is_congested = false;
                self.events.push_back(Event::Drained { stream: key });
                break;
            }
        }
        Ok(())
    }

    /// Whether [`transmit`](Self::transmit) has more once the output is written.
    pub fn has_more(&self) -> bool {
        !self.waiting.is_empty() || (!self.ready.is_empty() && self.send_window.available() > 0)
    }

    /// One frame of a stream, and its end if that is due.
    fn turn(&mut self, key: StreamKey, now: Instant) -> Result<(), ConnectionError> {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_reset) else { return Ok(()) };
        let Some(queue) = &mut stream.queue else { return Ok(()) };
        let window = stream.send_window.available().min(self.send_window.available());
        let len = queue.len.min(window).min(self.peer.max_frame_size as usize);
        if len == 0 && queue.len > 0 {
            // Waits for a window: the stream's brings it back, the connection's finds it here.
            if stream.send_window.available() > 0 {
                stream.is_scheduled = true;
                self.ready.push_back(key);
            }
            return Ok(());
        }
        if len < TINY && len < queue.len && len == window {
            self.abuse.spend(Limit::TinyWindows, now)?;
        }
        let is_last = len == queue.len;
        let end_stream = is_last && matches!(queue.end, QueuedEnd::EndStream);
        if len > 0 || end_stream {
            stream.send_window.spend(len);
            self.send_window.spend(len);
            stream.stalls = 0;
            self.output.write(|out| frame::write_header(out, kind::DATA, end_flag(end_stream), key.id, len));
            take(queue, len, &mut self.output);
            self.held.queued -= len;
            self.abuse.sent(len);
        }
        if stream.is_congested && queue.len <= CONGESTED / 2 {
            stream.is_congested = false;
            self.events.push_back(Event::Drained { stream: key });
        }
        if !is_last {
            if stream.send_window.available() > 0 {
                stream.is_scheduled = true;
                self.ready.push_back(key);
            }
            return Ok(());
        }
        let Some(queue) = stream.queue.take() else { return Ok(()) };
        self.held.queued -= queue.memory();
        match queue.end {
            QueuedEnd::None => {}
            QueuedEnd::EndStream => self.set_sending(key, Sending::Ended),
            QueuedEnd::Trailers(trailers) => {
                let fields: Vec<Field<'_>> = trailers.fields().collect();
                self.write_headers(key.id, Fields { block: trailers.block.as_ref(), more: &fields }, true);
                self.set_sending(key, Sending::Ended);
            }
        }
        Ok(())
    }

    /// Puts a stream that has something to send into the queue of turns.
    pub(super) fn schedule(&mut self, key: StreamKey) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        if stream.queue.is_some() && !stream.is_scheduled {
            stream.is_scheduled = true;
            self.ready.push_back(key);
        }
    }

    /// Whether content can go out at once, as one frame; its windows are spent then.
    #[inline]
    fn spend_to_send(&mut self, key: StreamKey, len: usize) -> Result<bool, SendError> {
        let stream = match self.streams.get_mut(key) {
            Some(stream)
                if stream.sending == Sending::Data && !stream.is_reset && self.phase != Phase::Closed =>
            {
                stream
            }
            _ => return Err(self.sending(key, Sending::Data).err().unwrap_or(SendError::Closed)),
        };
        if stream.queue.is_some() {
            return Ok(false);
        }
        // RFC 9113 §6.9.1: an empty frame needs no window.
        let window = stream.send_window.available().min(self.send_window.available());
        let fits = len <= window.min(self.peer.max_frame_size as usize)
            && self.ready.is_empty()
            && self.output.len() < OUTPUT_TARGET;
        if !fits && len > 0 {
            return Ok(false);
        }
        stream.send_window.spend(len);
        self.send_window.spend(len);
        self.abuse.sent(len);
        Ok(true)
    }

    fn enqueue(&mut self, key: StreamKey, data: Bytes, end_stream: bool) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let before = stream.queue_memory();
        let queue = stream.queue.get_or_insert_with(|| Box::new(SendQueue::default()));
        queue.len += data.len();
        if !data.is_empty() {
            queue.chunks.push_back(data);
        }
        if end_stream {
            queue.end = QueuedEnd::EndStream;
            stream.sending = Sending::Draining;
        }
        self.held.queued += queue.memory() - before;
        let has_window = stream.send_window.available() > 0 || queue.len == 0;
        if has_window {
            self.schedule(key);
        }
        self.timeouts.watch_stalls();
    }

    /// Whether the stream is at the state where this is to be sent.
    fn sending(&self, key: StreamKey, wanted: Sending) -> Result<(), SendError> {
        let stream = self.streams.get(key).ok_or(SendError::Closed)?;
        match stream.sending {
            _ if stream.is_reset || self.phase == Phase::Closed => Err(SendError::Closed),
            state if state == wanted => Ok(()),
            Sending::Ended | Sending::Draining => Err(SendError::Closed),
            _ => Err(SendError::Order),
        }
    }

    fn set_sending(&mut self, key: StreamKey, state: Sending) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.sending = state;
            let is_dismissed = stream.is_dismissed;
            if state == Sending::Ended {
                self.settle(key);
            }
            if is_dismissed {
                self.forget(key, ErrorCode::NO_ERROR);
            }
        }
    }

    fn check_fields(&self, fields: Fields<'_>) -> Result<(), SendError> {
        fields.more.iter().try_for_each(check_sent)?;
        Ok(self.check_size(fields)?)
    }

    fn check_size(&self, fields: Fields<'_>) -> Result<(), HeaderListTooLarge> {
        let limit = self.peer.max_header_list_size;
        if limit == u32::MAX {
            return Ok(());
        }
        let size = fields.size();
        if size > limit as usize { Err(HeaderListTooLarge { size, limit }) } else { Ok(()) }
    }

    fn write_headers(&mut self, id: StreamId, fields: Fields<'_>, end_stream: bool) {
        let most = self.peer.max_frame_size as usize;
        self.abuse.allow_pings(1);
        let encoder = &mut self.encoder;
        self.output.write(|out| write_header_block(encoder, id, fields, end_stream, most, out));
    }

    /// The peer's initial window has changed by so much.
    pub(super) fn shift_send_windows(&mut self, by: i32) -> Result<(), ConnectionError> {
        let mut woken = Vec::new();
        for (key, stream) in self.streams.iter_mut() {
            let window: Option<SendWindow> = stream.send_window.add(by);
            stream.send_window = window.ok_or_else(|| {
                ConnectionError::flow_control("SETTINGS take a window above 2^31-1 (RFC 9113 6.9.2)")
            })?;
            if stream.queue.is_some() && stream.send_window.available() > 0 {
                woken.push(key);
            }
        }
        woken.into_iter().for_each(|key| self.schedule(key));
        Ok(())
    }
}

fn end_flag(end_stream: bool) -> u8 {
    if end_stream { flag::END_STREAM } else { 0 }
}

/// Moves the first `len` bytes of a queue into the output.
fn take(queue: &mut SendQueue, len: usize, output: &mut OutputQueue) {
    queue.len -= len;
    let mut left = len;
    while left > 0 {
        let Some(chunk) = queue.chunks.front_mut() else { return };
        let part = if chunk.len() > left { Some(chunk.split_to(left)) } else { queue.chunks.pop_front() };
        let Some(part) = part else { return };
        left -= part.len();
        output.payload(part);
    }
}

/// HEADERS, and CONTINUATION for what does not fit into it.
fn write_header_block(
    encoder: &mut Encoder,
    id: StreamId,
    fields: Fields<'_>,
    end_stream: bool,
    most: usize,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER_LEN]);
    let more = fields.more.iter().copied();
    match fields.block {
        Some(block) => encoder.encode_block(block, more, out),
        None => encoder.encode(more, out),
    }
    let end_stream = end_flag(end_stream);
    let header =
        |kind, flags, len: usize| frame::FrameHeader { len: len as u32, kind, flags, stream: id }.to_wire();
    let body = start + HEADER_LEN;
    let len = out.len() - body;
    if len <= most {
        let flags = end_stream | flag::END_HEADERS;
        out[start..body].copy_from_slice(&header(kind::HEADERS, flags, len));
        return;
    }
    let block = out.split_off(body);
    out.truncate(start);
    let pieces = block.len().div_ceil(most);
    for (index, piece) in block.chunks(most).enumerate() {
        let end_headers = if index + 1 == pieces { flag::END_HEADERS } else { 0 };
        let head = match index {
            0 => header(kind::HEADERS, end_stream | end_headers, piece.len()),
            _ => header(kind::CONTINUATION, end_headers, piece.len()),
        };
        out.extend_from_slice(&head);
        out.extend_from_slice(piece);
    }
}
