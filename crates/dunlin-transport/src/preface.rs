//! Which protocol a connection opens with.

/// The client connection preface (RFC 9113 §3.4).
pub const CLIENT_PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the first bytes of a connection say. Complete by definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// The whole client preface: HTTP/2 with prior knowledge.
    Http2,
    /// Something else, known by its first differing byte: HTTP/1.1, or no HTTP at all.
    Other,
    /// So far the beginning of the preface; ask again with more bytes, at most 24.
    NeedMore,
}

/// Tells HTTP/2 from other protocols on one port by the first bytes that a client sent (RFC 9113
/// §3.4).
///
/// `first` holds everything received so far, from the first byte. A request of HTTP/1.1 differs by
/// its third byte at the latest, as no method starts with `PRI`; a peer that stalls in between is
/// for the caller's timeout.
///
/// ```
/// use dunlin_transport::preface::{Opening, opening};
///
/// assert_eq!(opening(b"PRI * HT"), Opening::NeedMore);
/// assert_eq!(opening(b"POST / HTTP/1.1\r\n"), Opening::Other);
/// ```
pub fn opening(first: &[u8]) -> Opening {
    let seen = first.len().min(CLIENT_PREFACE.len());
    if first[..seen] != CLIENT_PREFACE[..seen] {
        Opening::Other
    } else if seen < CLIENT_PREFACE.len() {
        Opening::NeedMore
    } else {
        Opening::Http2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_proper_beginning_of_the_preface_needs_more() {
        for len in 0..CLIENT_PREFACE.len() {
            assert_eq!(opening(&CLIENT_PREFACE[..len]), Opening::NeedMore, "{len} bytes");
        }
        assert_eq!(opening(&CLIENT_PREFACE), Opening::Http2);
        assert_eq!(opening(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04"), Opening::Http2);
    }

    #[test]
    fn one_wrong_byte_anywhere_is_another_protocol() {
        for at in 0..CLIENT_PREFACE.len() {
            let mut bytes = CLIENT_PREFACE;
            bytes[at] ^= 0x20;
            assert_eq!(opening(&bytes), Opening::Other, "byte {at}");
            assert_eq!(opening(&bytes[..=at]), Opening::Other, "byte {at}, nothing behind it");
        }
        for request in [&b"GET / HTTP/1.1\r\n"[..], b"POST /", b"PUT /", b"PRI /", b"\x16\x03\x01"] {
            assert_eq!(opening(request), Opening::Other);
        }
    }
}
