//! URIs and references by the grammar of RFC 3986, with the zones of RFC 6874.

use super::ip::is_ip;

/// A URI with a scheme (RFC 3986 §3).
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
    let is_scheme =
        scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(plain);
    is_scheme && is_rest(rest, Path::Any)
}

/// A URI, or a reference that is relative to one (RFC 3986 §4.1).
pub(crate) fn is_uri_reference(text: &str) -> bool {
    is_uri(text) || is_rest(text, Path::NoScheme)
}

#[derive(Clone, Copy, PartialEq)]
enum Path {
    Any,
    /// No colon before the first slash, as that would end a scheme.
    NoScheme,
}

/// Authority, path, query and fragment.
fn is_rest(text: &str, path_kind: Path) -> bool {
    let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (text, query) = text.split_once('?').unwrap_or((text, ""));
    let is_query = |byte: u8| is_path_character(byte) || matches!(byte, b'/' | b'?');
    if !encoded(fragment, is_query) || !encoded(query, is_query) {
        return false;
    }
    let path = match text.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            if !is_authority(&rest[..end]) {
                return false;
            }
            &rest[end..]
        }
        None => {
            let first = text.split('/').next().unwrap_or_default();
            if path_kind == Path::NoScheme && first.contains(':') {
                return false;
            }
            text
        }
    };
    encoded(path, |byte| is_path_character(byte) || byte == b'/')
}

fn is_authority(text: &str) -> bool {
    let host = match text.split_once('@') {
        Some((user, host)) if encoded(user, |byte| is_name_character(byte) || byte == b':') => host,
        Some(_) => return false,
        None => text,
    };
    let (host, port) = match host.strip_prefix('[') {
        Some(literal) => {
            let Some((literal, after)) = literal.split_once(']') else { return false };
            if !is_ip_literal(literal) {
                return false;
            }
            match after.strip_prefix(':') {
                Some(port) => ("", port),
                None if after.is_empty() => ("", ""),
                None => return false,
            }
        }
        None => host.split_once(':').unwrap_or((host, "")),
    };
    is_host(host) && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// A name, whose percent-encoded bytes have to be UTF-8 (RFC 3986 §3.2.2).
fn is_host(text: &str) -> bool {
    encoded(text, is_name_character) && std::str::from_utf8(&decoded(text)).is_ok()
}

fn is_ip_literal(text: &str) -> bool {
    if let Some(future) = text.strip_prefix('v') {
        let Some((version, address)) = future.split_once('.') else { return false };
        let is_version = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_hexdigit());
        let plain = |byte: u8| (is_name_character(byte) || byte == b':') && byte != b'%';
        return is_version && !address.is_empty() && address.bytes().all(plain);
    }
    let (address, zone) = match text.split_once("%25") {
        Some((address, zone)) => (address, Some(zone)),
        None => (text, None),
    };
    let is_zone = |zone: &str| {
        !zone.is_empty() && encoded(zone, is_unreserved) && std::str::from_utf8(&decoded(zone)).is_ok()
    };
    !address.contains('%') && is_ip(address, 6) && zone.is_none_or(is_zone)
}

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn is_name_character(byte: u8) -> bool {
    is_unreserved(byte) || b"!$&'()*+,;=".contains(&byte)
}

fn is_path_character(byte: u8) -> bool {
    is_name_character(byte) || matches!(byte, b':' | b'@')
}

/// True if all bytes are such, or percent-encoded.
fn encoded(text: &str, plain: impl Fn(u8) -> bool) -> bool {
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [high, low, after @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => after,
            (byte, after) if plain(*byte) => after,
            _ => return false,
        };
    }
    true
}

/// The bytes without percent-encoding, which is known to be right.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, after)) = rest.split_once('%') {
        bytes.extend_from_slice(plain.as_bytes());
        let (digits, after) = after.split_at_checked(2).unwrap_or((after, ""));
        bytes.push(u8::from_str_radix(digits, 16).unwrap_or_default());
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_by_their_grammar() {
        for (text, want) in [
            ("https://example.com", true),
            ("https://user:pass@[::1]:80/a;b?c=d#e", true),
            ("mailto:a@b", true),
            ("a:", true),
            ("A://", true),
            ("1a:b", false),
            ("https://[::1", false),
            ("https://[fe80::a%25en1]", true),
            ("https://[fe80::a%en1]", false),
            ("https://[v1.x]", true),
            ("https://a:b", false),
            ("https://a%c3x", false),  // not UTF-8 when decoded
            ("https://a%c3%b6", true), // ö
            ("https://a/%zz", false),
            ("https://a/ b", false),
            ("https://a#b#c", false),
            ("a", false),
        ] {
            assert_eq!(is_uri(text), want, "{text:?}");
        }
    }

    #[test]
    fn references_may_be_relative_but_not_look_like_a_scheme() {
        for (text, want) in
            [("", true), ("./a:b", true), ("a:b", true), ("1:b", false), ("//host/a", true), ("a b", false)]
        {
            assert_eq!(is_uri_reference(text), want, "{text:?}");
        }
    }
}
