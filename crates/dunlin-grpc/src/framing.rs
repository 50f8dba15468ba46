//! Messages in a stream of bytes: a flag, a length, and so many bytes.

use bytes::Bytes;

use crate::{Encoding, Status};

/// Octets before each message.
pub const PREFIX_LEN: usize = 5;

/// A message as it came: maybe compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The bytes behind the prefix.
    pub payload: Bytes,
    /// What the flag says.
    pub is_compressed: bool,
    /// Octets that count against the windows until the message is read.
    pub credit: usize,
}

impl Frame {
    /// A message whose octets all count against the windows.
    pub fn new(payload: Bytes, is_compressed: bool) -> Self {
        let credit = PREFIX_LEN + payload.len();
        Self { payload, is_compressed, credit }
    }
}

/// What is known of the message that is being received.
#[derive(Debug, Default)]
pub struct Deframer {
    prefix: [u8; PREFIX_LEN],
    /// Octets of the prefix that are there.
    have: usize,
    /// What has come of a message whose prefix is whole.
    partial: Vec<u8>,
}

/// One message out of a piece of content.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'d> {
    /// All of it lies in the piece.
    Whole {
        /// The bytes behind the prefix.
        payload: &'d [u8],
        /// What the flag says.
        is_compressed: bool,
    },
    /// It came in several pieces.
    Assembled(Frame),
}

impl Piece<'_> {
    /// The message on its own.
    pub fn into_frame(self) -> Frame {
        match self {
            Self::Whole { payload, is_compressed } => {
                Frame::new(Bytes::copy_from_slice(payload), is_compressed)
            }
            Self::Assembled(frame) => frame,
        }
    }
}

fn announced(prefix: [u8; PREFIX_LEN], limit: usize) -> Result<(bool, usize), Status> {
    let is_compressed = match prefix[0] {
        0 => false,
        1 => true,
        flag => {
            return Err(Status::internal(format!("message with the flag {flag}, which is neither 0 nor 1")));
        }
    };
    let len = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if len > limit {
        return Err(Status::resource_exhausted(format!(
            "message of {len} bytes is larger than `max_receive_message_size`, which is {limit}"
        )));
    }
    Ok((is_compressed, len))
}

impl Deframer {
    /// The next message out of `data`, which is moved on; `None` once all of it is taken in.
    ///
    /// # Errors
    /// INTERNAL for a flag that is none, RESOURCE_EXHAUSTED for a length above `limit`. Nothing is
    /// reserved before that is known.
    #[inline]
    pub fn next<'d>(&mut self, data: &mut &'d [u8], limit: usize) -> Result<Option<Piece<'d>>, Status> {
        if self.have == 0
            && let Some((prefix, rest)) = data.split_first_chunk::<PREFIX_LEN>()
        {
            let (is_compressed, len) = announced(*prefix, limit)?;
            if let Some((payload, rest)) = rest.split_at_checked(len) {
                *data = rest;
                return Ok(Some(Piece::Whole { payload, is_compressed }));
            }
        }
        self.assemble(data, limit)
    }

    fn assemble<'d>(&mut self, data: &mut &'d [u8], limit: usize) -> Result<Option<Piece<'d>>, Status> {
        if self.have < PREFIX_LEN {
            let (taken, rest) = data.split_at((PREFIX_LEN - self.have).min(data.len()));
            self.prefix[self.have..self.have + taken.len()].copy_from_slice(taken);
            self.have += taken.len();
            *data = rest;
            if self.have < PREFIX_LEN {
                return Ok(None);
            }
        }
        let (is_compressed, len) = announced(self.prefix, limit)?;
        let (taken, rest) = data.split_at((len - self.partial.len()).min(data.len()));
        if self.partial.len() + taken.len() > self.partial.capacity() {
            // Not what is announced, which costs the peer nothing, but twice what is there.
            let wanted = (self.partial.len() + taken.len()) * 2;
            self.partial.reserve_exact(wanted.clamp(taken.len(), len.max(64)) - self.partial.len().min(len));
        }
        self.partial.extend_from_slice(taken);
        *data = rest;
        if self.partial.len() < len {
            return Ok(None);
        }
        self.have = 0;
        let payload = std::mem::take(&mut self.partial).into();
        Ok(Some(Piece::Assembled(Frame::new(payload, is_compressed))))
    }

    /// Bytes that are still missing of a message that has begun; 0 if none has, or its length is not
    /// known yet.
    pub fn missing(&self) -> usize {
        match self.have {
            PREFIX_LEN => {
                let [_, length @ ..] = self.prefix;
                (u32::from_be_bytes(length) as usize).saturating_sub(self.partial.len())
            }
            _ => 0,
        }
    }

    /// Bytes that are held of a message that is not whole.
    pub fn held(&self) -> usize {
        if self.have == 0 { 0 } else { self.have + self.partial.len() }
    }

    /// Whether the content may end here.
    pub fn is_at_boundary(&self) -> bool {
        self.have == 0
    }
}

/// The status of content that ended within a message.
pub fn truncated() -> Status {
    Status::internal("the stream ended within a message")
}

/// Bytes to send, made of messages: small ones lie in one buffer, large payloads are kept as they are.
#[derive(Debug, Default)]
pub struct Outgoing {
    /// Encoded messages, and the prefix of `large`.
    pub small: Vec<u8>,
    /// The rest of the last message.
    pub large: Bytes,
}

impl Outgoing {
    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.small.len() + self.large.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes everything away, and keeps the memory.
    pub fn clear(&mut self) {
        self.small.clear();
        self.large = Bytes::new();
    }

    /// Appends a message: `encode` appends its bytes to the buffer, and may return more that stand
    /// behind them.
    ///
    /// # Errors
    /// RESOURCE_EXHAUSTED if the message is larger than `limit`; what `encode` says, or the coding.
    /// Nothing is appended then.
    pub fn push(
        &mut self,
        encoding: Encoding,
        limit: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<Bytes, Status>,
    ) -> Result<(), Status> {
        debug_assert!(self.large.is_empty(), "a large payload is the last of its buffer");
        let start = self.small.len();
        self.small.extend_from_slice(&[0; PREFIX_LEN]);
        let result = self.push_body(start, encoding, limit, encode);
        if result.is_err() {
            self.small.truncate(start);
        }
        result
    }

    fn push_body(
        &mut self,
        start: usize,
        encoding: Encoding,
        limit: usize,
        encode: impl FnOnce(&mut Vec<u8>) -> Result<Bytes, Status>,
    ) -> Result<(), Status> {
        let body = start + PREFIX_LEN;
        let large = encode(&mut self.small)?;
        let mut len = self.small.len() - body + large.len();
        if len > limit.min(u32::MAX as usize) {
            return Err(too_large(len, limit.min(u32::MAX as usize)));
        }
        if encoding.is_identity() || len == 0 {
            self.large = large;
        } else {
            self.small.extend_from_slice(&large);
            let plain = self.small.split_off(body);
            encoding.compress(&plain, &mut self.small)?;
            self.small[start] = 1;
            len = self.small.len() - body;
        }
        let announced = u32::try_from(len).map_err(|_| too_large(len, u32::MAX as usize))?;
        self.small[start + 1..body].copy_from_slice(&announced.to_be_bytes());
        Ok(())
    }
}

fn too_large(len: usize, limit: usize) -> Status {
    Status::resource_exhausted(format!(
        "message of {len} bytes is larger than `max_send_message_size`, which is {limit}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn message(byte: u8, len: usize) -> Vec<u8> {
        let mut out = Outgoing::default();
        out.push(Encoding::Identity, usize::MAX, |out| {
            out.resize(out.len() + len, byte);
            Ok(Bytes::new())
        })
        .unwrap();
        out.small
    }

    #[test]
    fn messages_do_not_depend_on_how_content_is_cut() {
        let wire: Vec<u8> = [(1, 3), (2, 0), (3, 300), (4, 1)]
            .into_iter()
            .flat_map(|(byte, len)| message(byte, len))
            .collect();
        for step in [1, 2, 5, 7, 100, wire.len()] {
            let mut deframer = Deframer::default();
            let mut messages = Vec::new();
            for mut piece in wire.chunks(step) {
                while let Some(piece) = deframer.next(&mut piece, 300).unwrap() {
                    messages.push(piece.into_frame().payload);
                }
            }
            assert!(deframer.is_at_boundary());
            let lens: Vec<_> = messages.iter().map(Bytes::len).collect();
            assert_eq!(lens, [3, 0, 300, 1], "in pieces of {step}");
            assert!(messages[2].iter().all(|byte| *byte == 3));
        }
    }

    #[test]
    fn a_length_is_judged_before_anything_is_reserved() {
        let mut deframer = Deframer::default();
        let mut data = &[0, 0xff, 0xff, 0xff, 0xff][..];
        assert_eq!(deframer.next(&mut data, 4 << 20).unwrap_err().code(), Code::ResourceExhausted);
        let mut deframer = Deframer::default();
        let mut data = &[0, 0, 0x3f, 0xff, 0xff, 1][..];
        assert!(deframer.next(&mut data, 4 << 20).unwrap().is_none());
        assert!(deframer.partial.capacity() <= 64);
        assert_eq!(deframer.missing(), 0x3f_fffe);
        let mut data = &[2, 0, 0, 0, 0][..];
        assert_eq!(Deframer::default().next(&mut data, 1).unwrap_err().code(), Code::Internal);
    }

    #[test]
    fn a_message_that_cannot_be_sent_leaves_nothing_behind() {
        let mut out = Outgoing { small: message(1, 3), large: Bytes::new() };
        let wanted = out.small.clone();
        let push = |out: &mut Vec<u8>| {
            out.extend_from_slice(&[2; 10]);
            Ok(Bytes::new())
        };
        assert_eq!(out.push(Encoding::Identity, 9, push).unwrap_err().code(), Code::ResourceExhausted);
        assert_eq!(out.small, wanted);
        out.push(Encoding::Identity, 10, push).unwrap();
        assert_eq!(out.small.len(), wanted.len() + 15);
    }

    #[cfg(feature = "gzip")]
    #[test]
    fn an_empty_message_is_never_compressed() {
        let mut out = Outgoing::default();
        out.push(Encoding::Gzip, 10, |_| Ok(Bytes::new())).unwrap();
        assert_eq!(out.small, [0; 5]);
        out.push(Encoding::Gzip, 10, |_| Ok(Bytes::from_static(b"large"))).unwrap();
        assert_eq!(out.small[5], 1);
        assert!(out.large.is_empty());
    }
}
