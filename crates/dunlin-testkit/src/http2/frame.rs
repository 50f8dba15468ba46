//! Frames, written and read.

use std::fmt;

use super::{FRAME_HEADER, flag, kind};

/// A frame as it stands on the wire.
///
/// ```
/// use dunlin_testkit::http2::{Frame, bytes, code, read};
///
/// let sent = [Frame::ping(*b"01234567"), Frame::rst_stream(1, code::CANCEL)];
/// let wire = bytes(&sent);
/// assert_eq!(wire.len(), 17 + 13);
/// assert_eq!(read(&wire), (sent.to_vec(), 0));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Frame {
    /// The type.
    pub kind: u8,
    /// All flags, also those that the type does not have.
    pub flags: u8,
    /// The stream identifier, with the bit that is reserved.
    pub stream: u32,
    /// What the header announces, if it is not the length of the payload.
    pub announced: Option<u32>,
    /// Everything behind the header.
    pub payload: Vec<u8>,
}

impl Frame {
    /// Any frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Self {
        Self { kind, flags, stream, announced: None, payload: payload.as_ref().to_vec() }
    }

    /// DATA that does not end the stream.
    pub fn data(stream: u32, content: impl AsRef<[u8]>) -> Self {
        Self::new(kind::DATA, 0, stream, content)
    }

    /// HEADERS with a whole header block, that do not end the stream.
    pub fn headers(stream: u32, block: impl AsRef<[u8]>) -> Self {
        Self::new(kind::HEADERS, flag::END_HEADERS, stream, block)
    }

    /// PRIORITY. The top bit of `dependency` makes it exclusive.
    pub fn priority(stream: u32, dependency: u32, weight: u8) -> Self {
        Self::new(kind::PRIORITY, 0, stream, []).u32(dependency).octets([weight])
    }

    /// RST_STREAM.
    pub fn rst_stream(stream: u32, code: u32) -> Self {
        Self::new(kind::RST_STREAM, 0, stream, []).u32(code)
    }

    /// SETTINGS with these, in this order.
    pub fn settings(settings: &[(u16, u32)]) -> Self {
        let empty = Self::new(kind::SETTINGS, 0, 0, []);
        settings.iter().fold(empty, |frame, (id, value)| frame.octets(id.to_be_bytes()).u32(*value))
    }

    /// The acknowledgement of SETTINGS.
    pub fn settings_ack() -> Self {
        Self::new(kind::SETTINGS, flag::ACK, 0, [])
    }

    /// PUSH_PROMISE with a whole header block.
    pub fn push_promise(stream: u32, promised: u32, block: impl AsRef<[u8]>) -> Self {
        Self::new(kind::PUSH_PROMISE, flag::END_HEADERS, stream, []).u32(promised).octets(block)
    }

    /// PING that asks for an answer.
    pub fn ping(opaque: [u8; 8]) -> Self {
        Self::new(kind::PING, 0, 0, opaque)
    }

    /// The answer to a PING.
    pub fn ping_ack(opaque: [u8; 8]) -> Self {
        Self::new(kind::PING, flag::ACK, 0, opaque)
    }

    /// GOAWAY without text.
    pub fn goaway(last: u32, code: u32) -> Self {
        Self::new(kind::GOAWAY, 0, 0, []).u32(last).u32(code)
    }

    /// WINDOW_UPDATE.
    pub fn window_update(stream: u32, increment: u32) -> Self {
        Self::new(kind::WINDOW_UPDATE, 0, stream, []).u32(increment)
    }

    /// CONTINUATION that ends the header block.
    pub fn continuation(stream: u32, block: impl AsRef<[u8]>) -> Self {
        Self::new(kind::CONTINUATION, flag::END_HEADERS, stream, block)
    }

    /// The same with a flag more.
    pub fn with(self, flag: u8) -> Self {
        Self { flags: self.flags | flag, ..self }
    }

    /// The same with a flag less.
    pub fn without(self, flag: u8) -> Self {
        Self { flags: self.flags & !flag, ..self }
    }

    /// The same with END_STREAM.
    pub fn end_stream(self) -> Self {
        self.with(flag::END_STREAM)
    }

    /// The same without END_HEADERS: CONTINUATION is to follow.
    pub fn unfinished(self) -> Self {
        self.without(flag::END_HEADERS)
    }

    /// The same on another stream.
    pub fn on(self, stream: u32) -> Self {
        Self { stream, ..self }
    }

    /// The same with padding of zeros (§6.1). To be added last, before [`prioritized`](Self::prioritized).
    pub fn padded(self, len: u8) -> Self {
        self.padded_as(len, len)
    }

    /// The same with `len` octets of padding that says it has `announced`.
    pub fn padded_as(mut self, announced: u8, len: u8) -> Self {
        self.payload.insert(0, announced);
        self.payload.resize(self.payload.len() + usize::from(len), 0);
        self.with(flag::PADDED)
    }

    /// HEADERS with the fields of a priority (§6.2). They stand behind the length of the padding.
    pub fn prioritized(mut self, dependency: u32, weight: u8) -> Self {
        let at = usize::from(self.flags & flag::PADDED != 0);
        let [a, b, c, d] = dependency.to_be_bytes();
        self.payload.splice(at..at, [a, b, c, d, weight]);
        self.with(flag::PRIORITY)
    }

    /// The same with more octets behind the payload.
    pub fn octets(mut self, octets: impl AsRef<[u8]>) -> Self {
        self.payload.extend_from_slice(octets.as_ref());
        self
    }

    /// The same with a payload cut or filled up with zeros to this length.
    pub fn resized(mut self, len: usize) -> Self {
        self.payload.resize(len, 0);
        self
    }

    /// The same with a header that announces another length than the payload has.
    pub fn announcing(self, len: u32) -> Self {
        Self { announced: Some(len), ..self }
    }

    fn u32(self, number: u32) -> Self {
        self.octets(number.to_be_bytes())
    }

    /// Header and payload.
    pub fn to_bytes(&self) -> Vec<u8> {
        let len = self.announced.unwrap_or(self.payload.len() as u32);
        let mut out = len.to_be_bytes()[1..].to_vec();
        out.extend_from_slice(&[self.kind, self.flags]);
        out.extend_from_slice(&self.stream.to_be_bytes());
        out.extend_from_slice(&self.payload);
        out
    }

    fn name(&self) -> Option<&'static str> {
        Some(match self.kind {
            kind::DATA => "DATA",
            kind::HEADERS => "HEADERS",
            kind::PRIORITY => "PRIORITY",
            kind::RST_STREAM => "RST_STREAM",
            kind::SETTINGS => "SETTINGS",
            kind::PUSH_PROMISE => "PUSH_PROMISE",
            kind::PING => "PING",
            kind::GOAWAY => "GOAWAY",
            kind::WINDOW_UPDATE => "WINDOW_UPDATE",
            kind::CONTINUATION => "CONTINUATION",
            _ => return None,
        })
    }
}

// A test that fails shows frames on a line each; long payloads only by their beginning.
impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name)?,
            None => write!(f, "type {:#x}", self.kind)?,
        }
        write!(f, " flags {:#x} stream {} len {}", self.flags, self.stream, self.payload.len())?;
        if let Some(announced) = self.announced {
            write!(f, " (announced {announced})")?;
        }
        let shown = &self.payload[..self.payload.len().min(32)];
        write!(f, " {shown:02x?}")?;
        if shown.len() < self.payload.len() { f.write_str("...") } else { Ok(()) }
    }
}

/// Frames one behind the other.
pub fn bytes<'f>(frames: impl IntoIterator<Item = &'f Frame>) -> Vec<u8> {
    frames.into_iter().flat_map(Frame::to_bytes).collect()
}

/// The whole frames at the beginning of `wire`, and how many octets are left behind them.
pub fn read(wire: &[u8]) -> (Vec<Frame>, usize) {
    let mut frames = Vec::new();
    let mut rest = wire;
    while let Some((&[a, b, c, kind, flags, s0, s1, s2, s3], behind)) =
        rest.split_first_chunk::<FRAME_HEADER>()
        && let Some((payload, behind)) = behind.split_at_checked(u32::from_be_bytes([0, a, b, c]) as usize)
    {
        frames.push(Frame::new(kind, flags, u32::from_be_bytes([s0, s1, s2, s3]), payload));
        rest = behind;
    }
    (frames, rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_as_the_specification_draws_them() {
        for (frame, want) in [
            (Frame::data(1, "a").end_stream(), &[0, 0, 1, 0, 1, 0, 0, 0, 1, b'a'][..]),
            (Frame::data(1, "a").padded(2), &[0, 0, 4, 0, 8, 0, 0, 0, 1, 2, b'a', 0, 0]),
            (
                Frame::headers(3, [0x82]).padded(1).prioritized(5, 7),
                &[0, 0, 8, 1, 0x2c, 0, 0, 0, 3, 1, 0, 0, 0, 5, 7, 0x82, 0],
            ),
            (Frame::settings(&[(4, 1)]), &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 1]),
            (Frame::push_promise(1, 2, [0x82]), &[0, 0, 5, 5, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0x82]),
            (Frame::goaway(1, 2), &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2]),
            (Frame::new(0xee, 0xff, 0x8000_0001, []), &[0, 0, 0, 0xee, 0xff, 0x80, 0, 0, 1]),
            (Frame::data(1, "").announcing(0x01_0203), &[1, 2, 3, 0, 0, 0, 0, 0, 1]), // a lie
        ] {
            assert_eq!(frame.to_bytes(), want, "{frame:?}");
        }
    }

    #[test]
    fn what_is_no_whole_frame_is_left() {
        let wire = bytes(&[Frame::settings_ack(), Frame::window_update(1, 2)]);
        assert_eq!(read(&wire[..wire.len() - 1]), (vec![Frame::settings_ack()], 12));
        assert_eq!(read(&wire[..3]), (vec![], 3));
    }
}
