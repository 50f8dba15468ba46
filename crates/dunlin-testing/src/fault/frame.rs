//! Frames of HTTP/2, as far as one has to know them to stand in between (RFC 9113 §4, §6).

use dunlin_http2::ErrorCode;

pub(super) const HEADER_LEN: usize = 9;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 0x1;
pub(super) const ACK: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

pub(super) const HEADER_TABLE_SIZE: u16 = 1;

/// A whole frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'b> {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: &'b [u8],
    /// All of it, with its header.
    pub(super) bytes: &'b [u8],
}

impl<'b> Frame<'b> {
    /// The first frame; `None` if it is not whole.
    pub(super) fn read(bytes: &'b [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER_LEN>()?;
        let [a, b, c, kind, flags, stream @ ..] = *header;
        let end = HEADER_LEN + u32::from_be_bytes([0, a, b, c]) as usize;
        let bytes = bytes.get(..end)?;
        let stream = u32::from_be_bytes(stream) & 0x7fff_ffff;
        Some(Self { kind, flags, stream, payload: &bytes[HEADER_LEN..], bytes })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without padding and priority; `None` if those are longer than the frame.
    pub(super) fn content(&self) -> Option<&'b [u8]> {
        let mut content = self.payload;
        if self.has(PADDED) {
            let (&padding, rest) = content.split_first()?;
            content = rest.get(..rest.len().checked_sub(padding.into())?)?;
        }
        if self.kind == HEADERS && self.has(PRIORITY) {
            content = content.get(5..)?;
        }
        Some(content)
    }

    /// The settings of a frame of them.
    pub(super) fn settings(&self) -> impl Iterator<Item = (u16, u32)> + 'b {
        self.payload
            .as_chunks::<6>()
            .0
            .iter()
            .map(|&[a, b, c, d, e, f]| (u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f])))
    }
}

/// Appends a frame. Payloads are no longer than those that came, or a few octets.
fn write(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let [_, a, b, c] = (payload.len() as u32).to_be_bytes();
    out.extend_from_slice(&[a, b, c, kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

pub(super) fn data(out: &mut Vec<u8>, stream: u32, flags: u8, payload: &[u8]) {
    write(out, DATA, flags, stream, payload);
}

pub(super) fn reset(out: &mut Vec<u8>, stream: u32, code: ErrorCode) {
    write(out, RST_STREAM, 0, stream, &code.0.to_be_bytes());
}

pub(super) fn goaway(out: &mut Vec<u8>, last: u32, code: ErrorCode, debug: &[u8]) {
    let payload = [&last.to_be_bytes(), &code.0.to_be_bytes(), debug].concat();
    write(out, GOAWAY, 0, 0, &payload);
}

/// Nothing, if there is nothing to give back.
pub(super) fn window_update(out: &mut Vec<u8>, stream: u32, octets: usize) {
    if octets > 0 {
        write(out, WINDOW_UPDATE, 0, stream, &(octets as u32).to_be_bytes());
    }
}

pub(super) fn settings(out: &mut Vec<u8>, settings: impl IntoIterator<Item = (u16, u32)>) {
    let mut payload = Vec::new();
    for (name, value) in settings {
        payload.extend_from_slice(&name.to_be_bytes());
        payload.extend_from_slice(&value.to_be_bytes());
    }
    write(out, SETTINGS, 0, 0, &payload);
}
