//! Frames (RFC 9113 §4, §6): their headers, and those with a payload of fixed layout.

use crate::error::ErrorCode;

/// A stream identifier: 31 bits (RFC 9113 §5.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

impl StreamId {
    /// The connection as a whole.
    pub const CONNECTION: Self = Self(0);
    /// The largest identifier.
    pub const MAX: Self = Self(0x7fff_ffff);

    /// Masks the bit that the wire reserves; a receiver ignores it (RFC 9113 §4.1).
    pub const fn from_wire(raw: u32) -> Self {
        Self(raw & 0x7fff_ffff)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Whether a client opens streams with this identifier.
    pub const fn is_client_initiated(self) -> bool {
        self.0 % 2 == 1
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The octets of a frame header.
pub(crate) const HEADER_LEN: usize = 9;

/// What a client sends first (RFC 9113 §3.4).
pub const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

pub(crate) mod flag {
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub(crate) len: u32,
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: StreamId,
}

impl FrameHeader {
    #[inline]
    pub(crate) fn parse(bytes: &[u8; HEADER_LEN]) -> Self {
        let [a, b, c, kind, flags, s0, s1, s2, s3] = *bytes;
        Self {
            len: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: StreamId::from_wire(u32::from_be_bytes([s0, s1, s2, s3])),
        }
    }

    #[inline]
    pub(crate) fn to_wire(self) -> [u8; HEADER_LEN] {
        let [_, a, b, c] = self.len.to_be_bytes();
        let [s0, s1, s2, s3] = self.stream.get().to_be_bytes();
        [a, b, c, self.kind, self.flags, s0, s1, s2, s3]
    }

    pub(crate) fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether the frame carries a part of a header block, so that the connection can not go on
    /// without it.
    pub(crate) fn has_header_block(self) -> bool {
        matches!(self.kind, kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION)
    }
}

#[inline]
pub(crate) fn write_header(out: &mut Vec<u8>, kind: u8, flags: u8, stream: StreamId, len: usize) {
    out.extend_from_slice(&FrameHeader { len: len as u32, kind, flags, stream }.to_wire());
}

pub(crate) fn write_rst_stream(out: &mut Vec<u8>, stream: StreamId, code: ErrorCode) {
    write_header(out, kind::RST_STREAM, 0, stream, 4);
    out.extend_from_slice(&code.0.to_be_bytes());
}

pub(crate) fn write_ping(out: &mut Vec<u8>, flags: u8, opaque: [u8; 8]) {
    write_header(out, kind::PING, flags, StreamId::CONNECTION, 8);
    out.extend_from_slice(&opaque);
}

pub(crate) fn write_goaway(out: &mut Vec<u8>, last: StreamId, code: ErrorCode, debug: &[u8]) {
    // The peer may take no larger frame, and nobody reads more.
    let debug = &debug[..debug.len().min(1024)];
    write_header(out, kind::GOAWAY, 0, StreamId::CONNECTION, 8 + debug.len());
    out.extend_from_slice(&last.get().to_be_bytes());
    out.extend_from_slice(&code.0.to_be_bytes());
    out.extend_from_slice(debug);
}

pub(crate) fn write_window_update(out: &mut Vec<u8>, stream: StreamId, increment: u32) {
    write_header(out, kind::WINDOW_UPDATE, 0, stream, 4);
    out.extend_from_slice(&increment.to_be_bytes());
}

/// The first four octets of a payload that is known to have them, as a number.
pub(crate) fn u32_at(payload: &[u8], at: usize) -> u32 {
    payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Takes the padding off a payload of DATA, HEADERS or PUSH_PROMISE: what is in it, and the octets of
/// padding with their length. `Err` if the padding is longer than the payload (RFC 9113 §6.1).
pub(crate) fn unpadded(flags: u8, payload: &[u8]) -> Result<(&[u8], usize), Padding> {
    if flags & flag::PADDED == 0 {
        return Ok((payload, 0));
    }
    let (&padding, rest) = payload.split_first().ok_or(Padding::NoLength)?;
    let content = rest.len().checked_sub(usize::from(padding)).ok_or(Padding::TooLong)?;
    Ok((&rest[..content], usize::from(padding) + 1))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// The frame has not even the octet that says how long it is.
    NoLength,
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_as_they_are_written() {
        let header = FrameHeader {
            len: 0x0001_0203,
            kind: kind::DATA,
            flags: flag::END_STREAM,
            stream: StreamId::from_wire(0x8000_0007),
        };
        assert_eq!(header.stream.get(), 7);
        assert_eq!(header.to_wire(), [1, 2, 3, 0, 1, 0, 0, 0, 7]);
        assert_eq!(FrameHeader::parse(&header.to_wire()), header);
    }

    #[test]
    fn padding_is_taken_off() {
        for (payload, wanted) in [
            (&[2, 9, 0, 0][..], Ok((&[9][..], 3))),
            (&[0], Ok((&[][..], 1))),
            (&[3, 0, 0], Err(Padding::TooLong)),
            (&[], Err(Padding::NoLength)),
        ] {
            assert_eq!(unpadded(flag::PADDED, payload), wanted, "{payload:?}");
        }
        assert_eq!(unpadded(0, &[2, 9]), Ok((&[2, 9][..], 0)));
    }
}
