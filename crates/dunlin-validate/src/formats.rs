//! The text formats of string rules, which expressions know as `isEmail`, `isHostname` and so on.

mod ip;
mod uri;

pub(crate) use ip::{is_ip, is_ip_prefix};
pub(crate) use uri::{is_uri, is_uri_reference};

/// The characters of a host name's part, and how long it may be (RFC 1034 §3.5).
const LABEL: usize = 63;
const HOSTNAME: usize = 253;

fn is_label(label: &[u8]) -> bool {
    (1..=LABEL).contains(&label.len())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && label[0] != b'-'
        && label[label.len() - 1] != b'-'
}

/// An address as HTML's `<input type=email>` takes it, which is less than RFC 5322 has.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let atom = |byte: u8| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte);
    !local.is_empty() && local.bytes().all(atom) && domain.split('.').all(|label| is_label(label.as_bytes()))
}

/// Parts of letters, digits and hyphens, of which the last is no number; one dot may follow.
pub(crate) fn is_hostname(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= HOSTNAME
        && text.split('.').all(|label| is_label(label.as_bytes()))
        && !last.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_port(text: &str) -> bool {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits && (text == "0" || !text.starts_with('0')) && text.parse::<u16>().is_ok()
}

/// A host name or an address, with IPv6 in brackets, and a port, which may have to be there.
pub(crate) fn is_host_and_port(text: &str, port_required: bool) -> bool {
    if let Some(rest) = text.strip_prefix('[') {
        let Some((host, after)) = rest.rsplit_once(']') else { return false };
        let port = match after.strip_prefix(':') {
            Some(port) => is_port(port),
            None => after.is_empty() && !port_required,
        };
        return port && is_ip(host, 6);
    }
    let is_host = |host: &str| is_hostname(host) || is_ip(host, 4);
    match text.rsplit_once(':') {
        Some((host, port)) => is_host(host) && is_port(port),
        None => !port_required && is_host(text),
    }
}

fn is_hex(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_hexdigit)
}

/// 32 hexadecimal digits with hyphens behind the 8th, 12th, 16th and 20th.
pub(crate) fn is_uuid(text: &str) -> bool {
    let text = text.as_bytes();
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// 32 hexadecimal digits.
pub(crate) fn is_trimmed_uuid(text: &str) -> bool {
    text.len() == 32 && is_hex(text.as_bytes())
}

/// 26 characters of Crockford's base 32, of which the first is at most 7.
pub(crate) fn is_ulid(text: &str) -> bool {
    let text = text.as_bytes();
    let digit = |byte: &u8| byte.is_ascii_alphanumeric() && !b"ILOU".contains(&byte.to_ascii_uppercase());
    text.len() == 26 && matches!(text[0], b'0'..=b'7') && text.iter().all(digit)
}

/// Identifiers with dots between them.
pub(crate) fn is_protobuf_name(text: &str) -> bool {
    text.split('.').all(|part| {
        let part = part.as_bytes();
        part.first().is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
            && part.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    })
}

/// The name of an HTTP header; one that is not `strict` may be anything on one line.
pub(crate) fn is_header_name(text: &str, strict: bool) -> bool {
    if !strict {
        return !text.is_empty() && !text.bytes().any(|byte| matches!(byte, 0 | b'\n' | b'\r'));
    }
    let name = text.strip_prefix(':').unwrap_or(text).as_bytes();
    // `+-.` is a range in the pattern that the rule is defined by: the comma belongs to it.
    let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+,-.^_|~`".contains(byte);
    !name.is_empty() && name.iter().all(token)
}

/// The value of an HTTP header; one that is not `strict` may be anything on one line.
pub(crate) fn is_header_value(text: &str, strict: bool) -> bool {
    !text.bytes().any(|byte| match byte {
        0 | b'\n' | b'\r' => true,
        0x01..=0x08 | 0x0b | 0x0c | 0x0e..=0x1f | 0x7f => strict,
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    type Format = fn(&str) -> bool;

    #[test]
    fn formats_take_what_their_definitions_take_and_nothing_else() {
        let rows: &[(Format, &str, bool)] = &[
            (is_email, "a@b", true), // one label is a domain
            (is_email, "a.@b.c", true),
            (is_email, "a@b@c", false),
            (is_email, "a@-b", false),
            (is_email, "@b", false),
            (is_email, "ä@b", false),
            (is_hostname, "a.b.", true),
            (is_hostname, "a..b", false),
            (is_hostname, "a.1", false),
            (is_hostname, "1.a", true),
            (is_hostname, "", false),
            (is_uuid, "00000000-0000-0000-0000-00000000000A", true),
            (is_uuid, "00000000-0000-0000-0000-0000000000-A", false),
            (is_ulid, "01ARZ3NDEKTSV4RRFFQ69G5FAV", true),
            (is_ulid, "81ARZ3NDEKTSV4RRFFQ69G5FAV", false), // over 128 bits
            (is_ulid, "01ARZ3NDEKTSV4RRFFQ69G5FAU", false),
            (is_protobuf_name, "a.B_1", true),
            (is_protobuf_name, "a..b", false),
            (is_protobuf_name, ".a", false),
        ];
        for (check, text, want) in rows {
            assert_eq!(check(text), *want, "{text:?}");
        }
    }

    #[test]
    fn a_port_stands_behind_the_last_colon_and_has_no_leading_zero() {
        for (text, required, want) in [
            ("a:1", true, true),
            ("a", false, true),
            ("a", true, false),
            ("a:65536", true, false),
            ("a:01", true, false),
            ("a:0", true, true),
            ("a:", false, false),
            ("[::1]:80", true, true),
            ("[::1]", false, true),
            ("[::1]80", false, false),
            ("::1", false, false), // brackets are missing
            ("", false, false),
        ] {
            assert_eq!(is_host_and_port(text, required), want, "{text:?} {required}");
        }
    }

    #[test]
    fn headers_may_be_loose_but_never_break_the_line() {
        assert!(
            is_header_name(":path", true) && !is_header_name("a b", true) && is_header_name("a b", false)
        );
        assert!(!is_header_name("a\r", false) && !is_header_name("", false) && !is_header_name(":", true));
        assert!(is_header_value("a\tb", true) && !is_header_value("a\x01", true));
        assert!(is_header_value("a\x01", false) && !is_header_value("a\n", false));
    }
}
