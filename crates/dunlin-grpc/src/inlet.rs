//! Content of a stream on its way to its reader.

use bytes::Bytes;

use crate::framing::{self, Deframer, Frame, PREFIX_LEN, Piece};
use crate::halves::{End, Halves};
use crate::{Metadata, Status};

/// Takes content apart into messages, and keeps account of what may be released.
///
/// Messages count against the windows until they are read. One that is larger than a window would never
/// become whole that way: if its reader waits for nothing else, it is released as it comes.
#[derive(Debug, Default)]
pub struct Inlet {
    deframer: Deframer,
    /// What has come of the unfinished message is released.
    is_prepaid: bool,
    /// Bytes of a whole message that were released before it was read.
    unread: usize,
}

/// What became of a piece of content.
#[derive(Debug)]
pub struct Fed {
    /// Bytes to be released now.
    pub released: usize,
    /// Whole messages that were handed on.
    pub messages: usize,
    /// INTERNAL or RESOURCE_EXHAUSTED, if it is not made of messages.
    pub result: Result<(), Status>,
}

impl Inlet {
    /// Hands the messages of `data` on.
    pub fn feed(&mut self, data: &[u8], halves: &Halves, limit: usize) -> Fed {
        let mut rest = data;
        let mut copy: Option<Bytes> = None;
        let mut fed = Fed { released: 0, messages: 0, result: Ok(()) };
        loop {
            let start = rest.len();
            let piece = match self.deframer.next(&mut rest, limit) {
                Ok(Some(piece)) => piece,
                Ok(None) => {
                    if self.is_prepaid {
                        fed.released += start;
                    }
                    break;
                }
                Err(status) => {
                    fed.result = Err(status);
                    return fed;
                }
            };
            let mut frame = match piece {
                // Several messages of one piece share a copy.
                Piece::Whole { payload, is_compressed } if rest.len() >= PREFIX_LEN || copy.is_some() => {
                    let end = data.len() - rest.len();
                    let copy = copy.get_or_insert_with(|| Bytes::copy_from_slice(data));
                    Frame::new(copy.slice(end - payload.len()..end), is_compressed)
                }
                piece => piece.into_frame(),
            };
            if std::mem::take(&mut self.is_prepaid) {
                frame.credit = start - rest.len();
                self.unread = frame.payload.len();
            }
            fed.messages += 1;
            if let Some(unwanted) = halves.receive(frame) {
                fed.released += unwanted.credit;
            }
        }
        fed.released += self.prepay(halves);
        fed
    }

    /// The reader has read: bytes to be released of a large message that waits for that.
    pub fn prepay(&mut self, halves: &Halves) -> usize {
        if self.is_prepaid || self.deframer.missing() == 0 || !halves.expect_large() {
            return 0;
        }
        self.is_prepaid = true;
        self.deframer.held()
    }

    /// The reader has read: what was released before is not held any longer. Gives bytes to be released now.
    pub fn read(&mut self, halves: &Halves) -> usize {
        self.unread = 0;
        self.prepay(halves)
    }

    /// Bytes that are held without counting against a window: of a message that is not whole, and of one that
    /// was larger than the window and is not read.
    pub fn held(&self) -> usize {
        self.deframer.held() + self.unread
    }

    /// The content is over: INTERNAL if that is within a message.
    ///
    /// # Errors
    /// As said.
    pub fn check_end(&self) -> Result<(), Status> {
        if self.deframer.is_at_boundary() { Ok(()) } else { Err(framing::truncated()) }
    }

    /// The content is over, and that is the end.
    pub fn end(&self, halves: &Halves) {
        halves.end(End { result: self.check_end(), trailers: Metadata::new() });
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;
    use crate::halves::Incomings;

    fn message(len: usize) -> Vec<u8> {
        [&[0][..], &(len as u32).to_be_bytes(), &vec![7; len]].concat()
    }

    /// Reads what is there, and gives what is due.
    fn read(halves: &Halves) -> Vec<(usize, Option<usize>)> {
        let mut cx = Context::from_waker(Waker::noop());
        let mut out = Vec::new();
        while let std::task::Poll::Ready((Incomings::Message(frame, _), due)) = halves.poll_incoming(&mut cx)
        {
            out.push((frame.payload.len(), due));
        }
        out
    }

    #[test]
    fn all_content_is_released_once_in_whatever_pieces_it_comes() {
        let wire: Vec<u8> = [10, 0, 5000, 1, 300_000, 7].into_iter().flat_map(message).collect();
        for step in [1, 4, 999, 16_384, wire.len()] {
            let (mut inlet, halves) = (Inlet::default(), Halves::default());
            let (mut released, mut seen) = (0, Vec::new());
            for piece in wire.chunks(step) {
                let fed = inlet.feed(piece, &halves, 1 << 20);
                fed.result.unwrap();
                released += fed.released;
                for (len, due) in read(&halves) {
                    seen.push(len);
                    released += due.unwrap_or(0);
                    released += inlet.prepay(&halves);
                }
            }
            released += halves.discard();
            assert_eq!(seen, [10, 0, 5000, 1, 300_000, 7], "in pieces of {step}");
            assert_eq!(released, wire.len(), "in pieces of {step}");
        }
    }

    #[test]
    fn a_reader_that_does_not_read_holds_the_window() {
        let (mut inlet, halves) = (Inlet::default(), Halves::default());
        let wire: Vec<u8> = [100, 100, 300_000].into_iter().flat_map(message).collect();
        let fed = inlet.feed(&wire[..1000], &halves, 1 << 20);
        assert_eq!((fed.released, fed.messages), (0, 2));
        // Reading the last of what was before asks for the rest.
        assert_eq!(read(&halves), [(100, None), (100, Some(210))]);
        assert_eq!(inlet.prepay(&halves), 790);
        assert_eq!(inlet.feed(&wire[1000..2000], &halves, 1 << 20).released, 1000);
    }
}
