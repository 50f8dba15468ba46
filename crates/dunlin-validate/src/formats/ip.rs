//! IP addresses and prefixes as text: IPv4 in four decimals, IPv6 of RFC 4291 with the zone of
//! RFC 4007.

/// True for an address of IP version 4 or 6; version 0 allows both.
pub(crate) fn is_ip(text: &str, version: i64) -> bool {
    match version {
        0 => v4(text).is_some() || v6(text, Zone::Allowed).is_some(),
        4 => v4(text).is_some(),
        6 => v6(text, Zone::Allowed).is_some(),
        _ => false,
    }
}

/// True for an address with a prefix length behind a slash. A `strict` one has no bits set beyond
/// its prefix.
pub(crate) fn is_ip_prefix(text: &str, version: i64, strict: bool) -> bool {
    let Some((address, length)) = text.rsplit_once('/') else { return false };
    let holds = |bits: Option<u128>, width: u32| {
        let (Some(bits), Some(length)) = (bits, prefix_length(length, width)) else { return false };
        let host_bits = width - length;
        let beyond = if host_bits == 128 { u128::MAX } else { (1 << host_bits) - 1 };
        !strict || bits & beyond == 0
    };
    let is_v4 = || holds(v4(address).map(u128::from), 32);
    let is_v6 = || holds(v6(address, Zone::Forbidden), 128);
    match version {
        0 => is_v4() || is_v6(),
        4 => is_v4(),
        6 => is_v6(),
        _ => false,
    }
}

/// A decimal without leading zeros, up to `max`.
fn decimal(text: &str, max: u32) -> Option<u32> {
    let plain = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = text.parse().ok().filter(|value| plain && *value <= max)?;
    (text.len() == 1 || !text.starts_with('0')).then_some(value)
}

fn prefix_length(text: &str, width: u32) -> Option<u32> {
    decimal(text, width)
}

fn v4(text: &str) -> Option<u32> {
    let mut bits = 0;
    let mut octets = 0;
    for octet in text.split('.') {
        bits = bits << 8 | u64::from(decimal(octet, 255)?);
        octets += 1;
        if octets > 4 {
            return None;
        }
    }
    (octets == 4).then_some(bits as u32)
}

#[derive(PartialEq)]
enum Zone {
    Allowed,
    Forbidden,
}

fn v6(text: &str, zone: Zone) -> Option<u128> {
    let address = match text.split_once('%') {
        // Any text that is not empty names a zone.
        Some((address, name)) if zone == Zone::Allowed && !name.is_empty() => address,
        Some(_) => return None,
        None => text,
    };
    let (head, tail) = match address.split_once("::") {
        Some((head, tail)) => (head, Some(tail)),
        None => (address, None),
    };
    // The dotted form is the last 32 bits, wherever that is.
    let head = pieces(head, tail.is_none())?;
    let Some(tail) = tail else { return (head.1 == 8).then_some(head.0) };
    let tail = pieces(tail, true)?;
    // The gap stands for one piece at least.
    if head.1 + tail.1 > 7 {
        return None;
    }
    let high = if head.1 == 0 { 0 } else { head.0 << (16 * (8 - head.1)) };
    Some(high | tail.0)
}

/// Pieces of 16 bits with colons between them: their bits, and how many there are.
fn pieces(text: &str, dotted_end: bool) -> Option<(u128, u32)> {
    if text.is_empty() {
        return Some((0, 0));
    }
    let (mut bits, mut count) = (0u128, 0);
    let mut parts = text.split(':').peekable();
    while let Some(part) = parts.next() {
        if part.contains('.') {
            if !dotted_end || parts.peek().is_some() {
                return None;
            }
            bits = bits << 32 | u128::from(v4(part)?);
            count += 2;
        } else {
            let hex = (1..=4).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_hexdigit());
            let piece = u16::from_str_radix(part, 16).ok().filter(|_| hex)?;
            bits = bits << 16 | u128::from(piece);
            count += 1;
        }
        if count > 8 {
            return None;
        }
    }
    Some((bits, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_both_versions() {
        for (text, version, want) in [
            ("127.0.0.1", 4, true),
            ("127.0.0.01", 4, false), // octal elsewhere
            ("256.0.0.1", 4, false),
            ("1.2.3", 4, false),
            ("::", 6, true),
            ("1::", 6, true),
            ("1:2:3:4:5:6:7:8", 6, true),
            ("1:2:3:4:5:6:7::", 6, true),
            ("1:2:3:4:5:6:7:8::", 6, false),
            ("::ffff:1.2.3.4", 6, true),
            ("1.2.3.4::", 6, false),
            ("1:::2", 6, false),
            (":1", 6, false),
            ("1::2::3", 6, false),
            ("fe80::a%en 1", 6, true),
            ("fe80::a%", 6, false),
            ("12345::", 6, false),
            ("::1", 4, false),
            ("::1", 0, true),
            ("::1", 5, false),
        ] {
            assert_eq!(is_ip(text, version), want, "{text:?} as version {version}");
        }
    }

    #[test]
    fn a_strict_prefix_has_no_bits_beyond_its_length() {
        for (text, strict, want) in [
            ("127.0.0.0/8", true, true),
            ("127.0.0.1/8", true, false),
            ("127.0.0.1/8", false, true),
            ("0.0.0.0/0", true, true),
            ("127.0.0.1/32", true, true),
            ("127.0.0.1/33", false, false),
            ("127.0.0.1/08", false, false),
            ("::/0", true, true),
            ("::1/0", true, false),
            ("2001:db8::/32", true, true),
            ("2001:db8::/129", true, false),
            ("fe80::%a/64", false, false), // a zone names no network
            ("::1", false, false),
        ] {
            assert_eq!(is_ip_prefix(text, 0, strict), want, "{text:?} {strict}");
        }
    }
}
