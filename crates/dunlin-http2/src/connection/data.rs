//! DATA that is received, and the windows for it (RFC 9113 §6.1, §5.2).

use std::time::Instant;

use super::Connection;
use crate::abuse::Limit;
use crate::bandwidth::PROBE;
use crate::error::{ConnectionError, ErrorCode, StreamFault};
use crate::event::Event;
use crate::frame::{self, FrameHeader, StreamId, flag};
use crate::header::Malformed;
use crate::stream::{Receiving, StreamKey};

/// A DATA frame whose payload is being taken as it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partial {
    None,
    Content {
        stream: StreamKey,
        content: u32,
        padding: u32,
        end_stream: bool,
    },
    /// Padding, or content for a stream that is gone.
    Skip(u32),
}

impl Connection {
    /// The header of a DATA frame. All checks are made here, before any of the payload is given on.
    pub(super) fn data(
        &mut self,
        now: Instant,
        header: FrameHeader,
        padding: Option<u8>,
    ) -> Result<(), ConnectionError> {
        if header.stream == StreamId::CONNECTION {
            return Err(ConnectionError::protocol("DATA on stream 0 (RFC 9113 6.1)"));
        }
        if header.has(flag::PADDED) && padding.is_none() {
            return Err(ConnectionError::frame_size("DATA without the length of its padding (RFC 9113 6.1)"));
        }
        let rest = header.len - u32::from(padding.is_some());
        let padding = padding.map_or(0, u32::from);
        let content = rest
            .checked_sub(padding)
            .ok_or_else(|| ConnectionError::protocol("padding longer than DATA (RFC 9113 6.1)"))?;
        // RFC 9113 §6.9.1: what is thrown away counts too.
        if !self.receive_window.receive(header.len) {
            return Err(ConnectionError::flow_control(
                "DATA above the window of the connection (RFC 9113 6.9.1)",
            ));
        }
        self.bandwidth.received(header.len);
        let end_stream = header.has(flag::END_STREAM);
        match self.accept_data(now, header, content, end_stream)? {
            Some(stream) => {
                // The application does not get to see padding, so it can not release it.
                let overhead = header.len - content;
                if overhead > 0 {
                    self.credit(Some(stream), overhead);
                }
                self.partial = Partial::Content { stream, content, padding, end_stream };
            }
            None => {
                self.credit(None, header.len);
                self.partial = Partial::Skip(rest);
            }
        }
        Ok(())
    }

    /// The stream that the content is for, or `None` if it is to be thrown away.
    fn accept_data(
        &mut self,
        now: Instant,
        header: FrameHeader,
        content: u32,
        end_stream: bool,
    ) -> Result<Option<StreamKey>, ConnectionError> {
        let Some(key) = self.streams.find(header.stream) else {
            return self.data_without_stream(now, header.stream).map(|()| None);
        };
        let Some(stream) = self.streams.get_mut(key) else { return Ok(None) };
        if stream.is_reset {
            self.abuse.spend(Limit::IgnoredFrames, now)?;
            return Ok(None);
        }
        let fault = |code, reason| Some(StreamFault::Protocol { code, reason });
        let fault = match stream.receiving {
            Receiving::Ended => fault(ErrorCode::STREAM_CLOSED, "DATA after END_STREAM (RFC 9113 5.1)"),
            Receiving::Headers => fault(ErrorCode::PROTOCOL_ERROR, "DATA before the response (RFC 9113 8.1)"),
            Receiving::Data if !stream.receive_window.receive(header.len) => {
                fault(ErrorCode::FLOW_CONTROL_ERROR, "DATA above the window of the stream (RFC 9113 6.9.1)")
            }
            Receiving::Data if stream.announced != u64::MAX => {
                let left = stream.announced.checked_sub(content.into());
                stream.announced = left.unwrap_or(u64::MAX);
                match left {
                    Some(left) if !end_stream || left == 0 => None,
                    _ => Some(StreamFault::Malformed(Malformed::ContentLengthMismatch)),
                }
            }
            Receiving::Data => None,
        };
        if let Some(fault) = fault {
            self.fault(now, key, fault)?;
            return Ok(None);
        }
        let is_dismissed = stream.is_dismissed;
        if content == 0 && !end_stream {
            self.abuse.spend(Limit::EmptyFrames, now)?;
        }
        if is_dismissed {
            // The window of the stream bounds how much.
            if end_stream {
                self.end_receiving(key);
            }
            return Ok(None);
        }
        Ok(Some(key))
    }

    #[cold]
    fn data_without_stream(&mut self, now: Instant, id: StreamId) -> Result<(), ConnectionError> {
        if self.is_idle(id) {
            return Err(ConnectionError::protocol("DATA on an idle stream (RFC 9113 5.1)"));
        }
        if self.was_reset(id) {
            return self.abuse.spend(Limit::IgnoredFrames, now);
        }
        self.abuse.spend(Limit::LocalResets, now)?;
        self.write_reset(id, ErrorCode::STREAM_CLOSED)
    }

    /// More of the payload of the DATA frame that has begun.
    pub(super) fn partial<'b>(&mut self, now: Instant, input: &mut &'b [u8]) -> Option<Event<'b>> {
        match self.partial {
            Partial::None => None,
            Partial::Skip(left) => {
                let taken = (left as usize).min(input.len());
                *input = &input[taken..];
                self.partial = match left - taken as u32 {
                    0 => Partial::None,
                    left => Partial::Skip(left),
                };
                None
            }
            Partial::Content { stream, content, padding, end_stream } => {
                let taken = (content as usize).min(input.len());
                if taken == 0 && content > 0 {
                    return None;
                }
                let (data, rest) = input.split_at(taken);
                *input = rest;
                let left = content - taken as u32;
                self.partial = match (left, padding) {
                    (0, 0) => Partial::None,
                    (0, padding) => Partial::Skip(padding),
                    (content, padding) => Partial::Content { stream, content, padding, end_stream },
                };
                self.deliver(now, stream, data, end_stream && left == 0)
            }
        }
    }

    fn deliver<'b>(
        &mut self,
        now: Instant,
        key: StreamKey,
        data: &'b [u8],
        end_stream: bool,
    ) -> Option<Event<'b>> {
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_reset) else {
            // It was reset while the frame was on its way.
            self.credit(None, data.len() as u32);
            return None;
        };
        stream.unreleased += data.len() as u32;
        self.held.received += data.len();
        if end_stream {
            self.end_receiving(key);
        } else if self.bandwidth.is_due()
            && self.receive_window.size() < self.config.max_window_size as i32
            && self.bandwidth.begin(now)
        {
            // A probe is no answer to the peer, so it is not counted as one.
            self.output.write(|out| frame::write_ping(out, 0, PROBE));
        }
        (end_stream || !data.is_empty()).then_some(Event::Data { stream: key, data, end_stream })
    }

    /// The application has consumed content of a stream: the peer may send as much more. This is to
    /// be called for all content, also after the stream has ended; [`forget`](Self::forget) does the
    /// rest of it.
    pub fn release(&mut self, key: StreamKey, bytes: usize) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let bytes = stream.unreleased.min(u32::try_from(bytes).unwrap_or(u32::MAX));
        stream.unreleased -= bytes;
        self.held.received -= bytes as usize;
        let is_finished = stream.is_finished();
        self.credit(Some(key), bytes);
        if is_finished {
            self.settle(key);
        }
    }

    /// Lets a stream receive `bytes` at once, for the rest of one large message: more than its window
    /// of now, but not more than the window of the connection.
    pub fn expect(&mut self, key: StreamKey, bytes: usize) {
        let most = self.receive_window.size();
        // SETTINGS on their way change the window by so much, and the peer may go by them already.
        let coming = self.unacknowledged.back().map_or(0, |window| window - self.initial_window);
        let Some(stream) = self.streams.get_mut(key).filter(|stream| !stream.is_closed()) else { return };
        if stream.receiving == Receiving::Ended {
            return;
        }
        let size = i32::try_from(bytes).unwrap_or(i32::MAX).min(most).saturating_sub(coming);
        if let Some(increment) = stream.receive_window.grow(size) {
            self.output.write(|out| frame::write_window_update(out, key.id, increment));
        }
    }

    /// Gives credit back, and tells the peer when it is worth a frame.
    fn credit(&mut self, key: Option<StreamKey>, bytes: u32) {
        if let Some(increment) = self.receive_window.release(bytes) {
            self.bandwidth.is_busy();
            self.output.write(|out| frame::write_window_update(out, StreamId::CONNECTION, increment));
        }
        let stream = key.and_then(|key| self.streams.get_mut(key));
        let Some(stream) = stream.filter(|stream| stream.receiving == Receiving::Data && !stream.is_reset)
        else {
            return;
        };
        if let Some(increment) = stream.receive_window.release(bytes) {
            let id = stream.id;
            self.bandwidth.is_busy();
            self.output.write(|out| frame::write_window_update(out, id, increment));
        }
    }
}
