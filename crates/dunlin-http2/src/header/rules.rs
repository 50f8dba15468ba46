//! What makes a message malformed (RFC 9113 §8).

use super::HeaderList;

/// Why a message is malformed (RFC 9113 §8.1.1). It costs the peer the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// A name that is empty, or has octets that names do not have (RFC 9113 §8.2.1).
    #[error("a field name has octets that names do not have, or none (RFC 9113 8.2.1)")]
    Name,
    /// A value with NUL, CR or LF, or with white space around it (RFC 9113 §8.2.1).
    #[error("a field value has NUL, CR, LF, or white space around it (RFC 9113 8.2.1)")]
    Value,
    /// A pseudo-header field after a regular one (RFC 9113 §8.3).
    #[error("a pseudo-header field comes after a regular one (RFC 9113 8.3)")]
    PseudoOrder,
    /// A pseudo-header field given twice (RFC 9113 §8.3).
    #[error("a pseudo-header field is given twice (RFC 9113 8.3)")]
    PseudoRepeated,
    /// A pseudo-header field that is unknown, or does not belong into this message (RFC 9113 §8.3).
    #[error("a pseudo-header field is unknown, or does not belong here (RFC 9113 8.3)")]
    PseudoUnexpected,
    /// A pseudo-header field that must be there is not (RFC 9113 §8.3.1, §8.3.2).
    #[error("a pseudo-header field is missing (RFC 9113 8.3)")]
    PseudoMissing,
    /// An empty or relative `:path` (RFC 9113 §8.3.1).
    #[error("`:path` is empty, or does not begin with a slash (RFC 9113 8.3.1)")]
    Path,
    /// A `:status` that is not three digits, or 101 (RFC 9113 §8.3.2, §8.6).
    #[error("`:status` is not three digits, or is 101 (RFC 9113 8.3.2, 8.6)")]
    Status,
    /// A field about the connection (RFC 9113 §8.2.2).
    #[error("a field about the connection, such as `connection` or `transfer-encoding` (RFC 9113 8.2.2)")]
    ConnectionSpecific,
    /// `te` with something else than `trailers` (RFC 9113 §8.2.2).
    #[error("`te` has a value other than `trailers` (RFC 9113 8.2.2)")]
    Te,
    /// `host` and `:authority` differ (RFC 9113 §8.3.1).
    #[error("`host` and `:authority` differ (RFC 9113 8.3.1)")]
    Host,
    /// `content-length` that is no number, or that differs between two fields (RFC 9110 §8.6).
    #[error("`content-length` is not one number (RFC 9110 8.6)")]
    ContentLength,
    /// More or less content than `content-length` says (RFC 9113 §8.1.1).
    #[error("the content is not as long as `content-length` says (RFC 9113 8.1.1)")]
    ContentLengthMismatch,
    /// Trailers, or an informational response, at a place where they can not be (RFC 9113 §8.1).
    #[error("trailers without END_STREAM, or an informational response with it (RFC 9113 8.1)")]
    Sequence,
}

/// What a field is to the rules; found once, when the field enters the compression table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    Method,
    Scheme,
    Authority,
    Path,
    Status,
    Protocol,
    Regular,
    Host,
    ContentLength,
    /// It breaks a rule by itself.
    Malformed(Malformed),
}

/// The part of a message that a header list is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageKind {
    /// With whether RFC 8441 is agreed on.
    Request {
        is_extended_connect_enabled: bool,
    },
    Response,
    Trailers,
}

const fn name_octets() -> [bool; 256] {
    let mut allowed = [false; 256];
    let mut octet = 0x21;
    while octet < 0x7f {
        let is_upper = octet >= b'A' as usize && octet <= b'Z' as usize;
        allowed[octet] = !is_upper && octet != b':' as usize;
        octet += 1;
    }
    allowed
}

/// RFC 9113 §8.2.1: neither controls, spaces, capitals, nor octets above ASCII; and no colon.
static NAME_OCTETS: [bool; 256] = name_octets();

pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|&octet| NAME_OCTETS[usize::from(octet)])
}

pub(super) fn is_value(value: &[u8]) -> bool {
    let is_blank = |octet: Option<&u8>| matches!(octet, Some(b' ' | b'\t'));
    // Without a branch for each octet.
    let bad = value.iter().fold(false, |bad, &octet| bad | matches!(octet, 0 | b'\r' | b'\n'));
    !bad && !is_blank(value.first()) && !is_blank(value.last())
}

/// The class of a field, with all that can be said of it alone.
pub(crate) fn class_of(name: &[u8], value: &[u8]) -> Class {
    let class = match name {
        b":method" => Class::Method,
        b":scheme" => Class::Scheme,
        b":authority" => Class::Authority,
        b":path" => Class::Path,
        b":status" => Class::Status,
        b":protocol" => Class::Protocol,
        b"host" => Class::Host,
        b"content-length" => Class::ContentLength,
        b"connection" | b"proxy-connection" | b"keep-alive" | b"transfer-encoding" | b"upgrade" => {
            Class::Malformed(Malformed::ConnectionSpecific)
        }
        b"te" if !value.eq_ignore_ascii_case(b"trailers") => Class::Malformed(Malformed::Te),
        [b':', rest @ ..] if is_name(rest) => Class::Malformed(Malformed::PseudoUnexpected),
        _ if is_name(name) => Class::Regular,
        _ => Class::Malformed(Malformed::Name),
    };
    let is_fine = match class {
        // What goes into a request line elsewhere must not end a part of it.
        Class::Method | Class::Scheme | Class::Authority | Class::Path | Class::Protocol => {
            value.iter().all(|&octet| octet > b' ' && octet != 0x7f)
        }
        _ => is_value(value),
    };
    if is_fine { class } else { Class::Malformed(Malformed::Value) }
}

const METHOD: u8 = 1 << Class::METHOD;
const SCHEME: u8 = 1 << Class::SCHEME;
const AUTHORITY: u8 = 1 << Class::AUTHORITY;
const PATH: u8 = 1 << Class::PATH;
const STATUS: u8 = 1 << Class::STATUS;
const PROTOCOL: u8 = 1 << Class::PROTOCOL;

impl Class {
    const METHOD: u8 = 0;
    const SCHEME: u8 = 1;
    const AUTHORITY: u8 = 2;
    const PATH: u8 = 3;
    const STATUS: u8 = 4;
    const PROTOCOL: u8 = 5;

    /// The number of a pseudo-header field, below [`Self::PSEUDO`].
    pub(super) fn pseudo(self) -> Option<u8> {
        Some(match self {
            Self::Method => Self::METHOD,
            Self::Scheme => Self::SCHEME,
            Self::Authority => Self::AUTHORITY,
            Self::Path => Self::PATH,
            Self::Status => Self::STATUS,
            Self::Protocol => Self::PROTOCOL,
            _ => return None,
        })
    }

    /// How many pseudo-header fields there are.
    pub(super) const PSEUDO: usize = 6;
}

/// Whether the list is a well-formed part of a message. This is asked again for each list that is
/// decoded by memory, so the answer is kept with the list.
#[inline]
pub(crate) fn check(list: &HeaderList, kind: MessageKind) -> Result<(), Malformed> {
    match list.verdict() {
        Some((known, verdict)) if known == kind => verdict,
        _ => judge(list, kind),
    }
}

/// The rules for one field, and the order of fields, were checked while they were decoded.
pub(crate) fn judge(list: &HeaderList, kind: MessageKind) -> Result<(), Malformed> {
    if let Some(fault) = list.fault() {
        return Err(fault);
    }
    let seen = list.pseudo_mask();
    match kind {
        MessageKind::Trailers if seen != 0 => Err(Malformed::PseudoUnexpected),
        MessageKind::Trailers => Ok(()),
        MessageKind::Response if seen & !STATUS != 0 => Err(Malformed::PseudoUnexpected),
        MessageKind::Response if seen == 0 => Err(Malformed::PseudoMissing),
        MessageKind::Response => match list.status() {
            Some(100 | 102..) => Ok(()),
            _ => Err(Malformed::Status),
        },
        MessageKind::Request { is_extended_connect_enabled } => {
            check_request(list, seen, is_extended_connect_enabled)
        }
    }
}

fn check_request(list: &HeaderList, seen: u8, is_extended_connect_enabled: bool) -> Result<(), Malformed> {
    if seen & STATUS != 0 {
        return Err(Malformed::PseudoUnexpected);
    }
    let is_connect = list.method() == Some("CONNECT");
    if seen & PROTOCOL != 0 && !(is_connect && is_extended_connect_enabled) {
        // RFC 8441 §4: only with CONNECT, and only where the setting was sent.
        return Err(Malformed::PseudoUnexpected);
    }
    if is_connect && seen & PROTOCOL == 0 {
        // RFC 9113 §8.5: the target is the authority, and there is nothing else.
        return match seen {
            _ if seen == METHOD | AUTHORITY => Ok(()),
            _ if seen & AUTHORITY == 0 => Err(Malformed::PseudoMissing),
            _ => Err(Malformed::PseudoUnexpected),
        };
    }
    if seen & (METHOD | SCHEME | PATH) != METHOD | SCHEME | PATH {
        return Err(Malformed::PseudoMissing);
    }
    let path = list.path().unwrap_or_default();
    // RFC 9113 §8.3.1: the path of `http` and `https` is not empty, and `*` belongs to OPTIONS.
    let is_path = path.starts_with('/') || (path == "*" && list.method() == Some("OPTIONS"));
    if !is_path && matches!(list.scheme(), Some("http" | "https")) || path.is_empty() {
        return Err(Malformed::Path);
    }
    match (list.host(), list.authority()) {
        (Some(host), Some(authority)) if !host.eq_ignore_ascii_case(authority.as_bytes()) => {
            Err(Malformed::Host)
        }
        _ => Ok(()),
    }
}
