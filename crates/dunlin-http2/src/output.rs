//! Bytes that wait to be written.

use std::collections::VecDeque;
use std::io::IoSlice;

use bytes::{Buf, Bytes};

use crate::frame::{FrameHeader, HEADER_LEN, StreamId, flag, kind};

/// What a connection has to write, in order. Small frames lie one behind the other in one buffer;
/// large payloads are held by reference between them, to be written vectored.
#[derive(Debug, Default)]
pub struct OutputQueue {
    small: Vec<u8>,
    /// Octets of `small` that are written already.
    written: usize,
    /// Each with the octets of `small` that stand between it and the one before.
    large: VecDeque<(usize, Bytes)>,
    /// Octets of `small` that wait, and stand before one of `large`.
    between: usize,
    /// Octets of `large`.
    large_len: usize,
    /// All bytes that were ever written.
    total: u64,
    /// The frame at the end of `small`, if more content of its stream may go into it.
    open: Option<OpenFrame>,
}

/// A DATA frame that waits, with nothing behind it.
#[derive(Clone, Copy, Debug)]
struct OpenFrame {
    stream: StreamId,
    /// Where in `small` its header is.
    at: usize,
    len: usize,
}

/// Payloads of at least so many bytes are queued by reference: copying fewer is cheaper than a
/// further slice in the call that writes.
pub(crate) const BY_REFERENCE: usize = 4096;

/// Frames grow up to so many bytes of content, the fewest that a peer has to take (RFC 9113 §4.2).
const FRAME: usize = 16_384;

impl OutputQueue {
    /// Bytes that wait.
    #[inline]
    pub fn len(&self) -> usize {
        self.small.len() - self.written + self.large_len
    }

    /// Whether nothing waits.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All that waits, if it lies in one piece.
    #[inline]
    pub fn as_slice(&self) -> Option<&[u8]> {
        if self.large.is_empty() { Some(&self.small[self.written..]) } else { None }
    }

    /// Fills `slices` from the front with what waits, and returns how many it took.
    pub fn io_slices<'s>(&'s self, slices: &mut [IoSlice<'s>]) -> usize {
        let mut count = 0;
        let mut at = self.written;
        let mut push = |bytes: &'s [u8]| {
            if bytes.is_empty() {
                return true;
            }
            let Some(slice) = slices.get_mut(count) else { return false };
            *slice = IoSlice::new(bytes);
            count += 1;
            true
        };
        for (before, payload) in &self.large {
            if !push(&self.small[at..at + before]) || !push(payload) {
                return count;
            }
            at += before;
        }
        push(&self.small[at..]);
        count
    }

    /// So many bytes were written.
    ///
    /// # Panics
    /// If they are more than wait.
    pub fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len(), "more bytes were written than were queued");
        self.total += count as u64;
        if count == self.len() {
            self.small.clear();
            self.large.clear();
            (self.written, self.between, self.large_len) = (0, 0, 0);
            self.open = None;
            return;
        }
        while let Some((before, payload)) = self.large.front_mut() {
            let from_small = count.min(*before);
            *before -= from_small;
            self.between -= from_small;
            self.written += from_small;
            count -= from_small;
            let from_large = if *before > 0 { 0 } else { count.min(payload.len()) };
            self.large_len -= from_large;
            count -= from_large;
            if *before > 0 || from_large < payload.len() {
                payload.advance(from_large);
                return;
            }
            self.large.pop_front();
        }
        self.written += count;
    }

    /// Moves all that waits into `bytes`, for transports that are no sockets.
    pub fn take_into(&mut self, bytes: &mut Vec<u8>) {
        while !self.is_empty() {
            let mut slices = [IoSlice::new(&[]); 16];
            let count = self.io_slices(&mut slices);
            let before = bytes.len();
            slices[..count].iter().for_each(|slice| bytes.extend_from_slice(slice));
            let moved = bytes.len() - before;
            self.advance(moved);
        }
    }

    /// Gives memory back if nothing waits.
    pub fn shrink(&mut self) {
        if self.is_empty() {
            (self.small, self.large) = (Vec::new(), VecDeque::new());
        }
    }

    /// All bytes that were ever queued, and those of them that were written.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.total + self.len() as u64, self.total)
    }

    /// Bytes of payloads held by reference, which wait.
    pub(crate) fn payload_len(&self) -> usize {
        self.large_len
    }

    /// Bytes held on the heap, without payloads held by reference.
    pub(crate) fn capacity(&self) -> usize {
        self.small.capacity() + self.large.capacity() * size_of::<(usize, Bytes)>()
    }

    /// Appends what `write` appends.
    #[inline]
    pub(crate) fn write<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        self.compact();
        self.open = None;
        write(&mut self.small)
    }

    /// Appends content of a stream, which `write` appends, in a frame of its own; or in the one before, if that
    /// waits too, is of the same stream and has nothing behind it: many small messages cost the peer one frame.
    /// Returns how much was appended.
    ///
    /// `len` is announced on the wire, so `write` has to keep to it, and it is below 2^24.
    #[inline]
    pub(crate) fn data(
        &mut self,
        stream: StreamId,
        len: usize,
        end_stream: bool,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> usize {
        self.compact();
        let start = self.small.len();
        let flags = if end_stream { flag::END_STREAM } else { 0 };
        let before = match &mut self.open {
            Some(open) if open.stream == stream && open.at >= self.written && open.len + len <= FRAME => {
                open.len += len;
                // The length has three octets, and the fourth is the type of DATA.
                self.small[open.at..open.at + 4].copy_from_slice(&((open.len as u32) << 8).to_be_bytes());
                if end_stream {
                    self.small[open.at + 4] = flags;
                }
                start
            }
            open => {
                *open = Some(OpenFrame { stream, at: start, len });
                let header = FrameHeader { len: len as u32, kind: kind::DATA, flags, stream };
                self.small.extend_from_slice(&header.to_wire());
                start + HEADER_LEN
            }
        };
        if end_stream {
            self.open = None;
        }
        write(&mut self.small);
        self.small.len() - before
    }

    #[inline]
    fn compact(&mut self) {
        if self.small.len() > COMPACT && self.written * 2 > self.small.len() {
            self.small.drain(..self.written);
            self.open = self.open.filter(|open| open.at >= self.written);
            if let Some(open) = &mut self.open {
                open.at -= self.written;
            }
            self.written = 0;
        }
    }

    /// Appends a payload, without a copy if it is large.
    pub(crate) fn payload(&mut self, payload: Bytes) {
        if payload.len() < BY_REFERENCE {
            self.write(|out| out.extend_from_slice(&payload));
            return;
        }
        let before = self.small.len() - self.written - self.between;
        self.between += before;
        self.large_len += payload.len();
        self.large.push_back((before, payload));
        self.open = None;
    }
}

/// A buffer that never empties is moved to its front above so many bytes.
const COMPACT: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn rest(queue: &OutputQueue) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = queue.io_slices(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn any_way_to_write_gives_the_same_bytes() {
        for step in [1, 7, 4096, 5000, 100_000] {
            let mut queue = OutputQueue::default();
            let mut wanted = Vec::new();
            for (index, len) in [3, 5000, 4096, 10, 10, 0, 9000, 1].into_iter().enumerate() {
                let payload = vec![index as u8; len];
                wanted.extend_from_slice(&payload);
                if index % 2 == 0 {
                    queue.payload(payload.into());
                } else {
                    queue.write(|out| out.extend_from_slice(&payload));
                }
            }
            let mut written = Vec::new();
            while !queue.is_empty() {
                let bytes = rest(&queue);
                assert_eq!(bytes.len(), queue.len());
                let count = step.min(bytes.len());
                written.extend_from_slice(&bytes[..count]);
                queue.advance(count);
            }
            assert_eq!(written, wanted);
        }
    }

    fn data(queue: &mut OutputQueue, stream: u32, content: &[u8], end_stream: bool) {
        let stream = StreamId::from_wire(stream);
        let written = queue.data(stream, content.len(), end_stream, |out| out.extend_from_slice(content));
        assert_eq!(written, content.len());
    }

    /// The streams of all frames that wait, with their flags and the lengths of their content.
    fn frames(queue: &OutputQueue) -> Vec<(u32, u8, usize)> {
        let bytes = rest(queue);
        let (mut at, mut frames) = (0, Vec::new());
        while let Some(header) = bytes[at..].first_chunk() {
            let header = FrameHeader::parse(header);
            frames.push((header.stream.get(), header.flags, header.len as usize));
            at += HEADER_LEN + header.len as usize;
        }
        assert_eq!(at, bytes.len());
        frames
    }

    #[test]
    fn content_behind_content_of_its_stream_goes_into_one_frame() {
        let mut queue = OutputQueue::default();
        data(&mut queue, 1, b"one", false);
        data(&mut queue, 1, b"two", false);
        data(&mut queue, 3, b"three", false);
        data(&mut queue, 1, b"four", false);
        data(&mut queue, 1, b"", true);
        data(&mut queue, 1, b"after the end", false);
        assert_eq!(frames(&queue), [(1, 0, 6), (3, 0, 5), (1, 1, 4), (1, 0, 13)]);
        queue.write(|out| out.extend_from_slice(&[0, 0, 0, kind::SETTINGS, 1, 0, 0, 0, 0]));
        data(&mut queue, 1, b"behind another frame", false);
        assert_eq!(frames(&queue)[4..], [(0, 1, 0), (1, 0, 20)]);
    }

    #[test]
    fn frames_grow_up_to_what_every_peer_takes() {
        let mut queue = OutputQueue::default();
        (0..3).for_each(|_| data(&mut queue, 1, &[7; 8000], false));
        data(&mut queue, 1, &[7; 383], false);
        data(&mut queue, 1, &[7; 2], false);
        assert_eq!(frames(&queue), [(1, 0, 16_000), (1, 0, 8385)]);
    }

    #[test]
    fn a_frame_that_is_being_written_grows_no_more() {
        let mut queue = OutputQueue::default();
        data(&mut queue, 1, b"first", false);
        queue.advance(1);
        data(&mut queue, 1, b"second", false);
        queue.advance(HEADER_LEN + 5 - 1);
        assert_eq!(frames(&queue), [(1, 0, 6)]);
        data(&mut queue, 1, b"third", false);
        assert_eq!(frames(&queue), [(1, 0, 11)]);
        queue.advance(queue.len());
        data(&mut queue, 1, b"fourth", false);
        assert_eq!(frames(&queue), [(1, 0, 6)]);
    }

    #[test]
    fn an_open_frame_is_found_again_when_the_buffer_has_moved() {
        let mut queue = OutputQueue::default();
        queue.write(|out| out.resize(2 * COMPACT, 0));
        data(&mut queue, 1, b"first", false);
        queue.advance(2 * COMPACT - 1);
        data(&mut queue, 1, b"second", false);
        assert_eq!(queue.written, 0, "the buffer has moved");
        queue.advance(1);
        assert_eq!(frames(&queue), [(1, 0, 11)]);
    }

    #[test]
    fn few_slices_hold_the_beginning() {
        let mut queue = OutputQueue::default();
        queue.write(|out| out.extend_from_slice(b"head"));
        queue.payload(vec![1; 5000].into());
        let mut slices = [IoSlice::new(&[]); 1];
        assert_eq!(queue.io_slices(&mut slices), 1);
        assert_eq!(&*slices[0], b"head");
    }
}
