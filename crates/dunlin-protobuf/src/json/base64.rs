//! Bytes as text (RFC 4648).

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const NONE: u8 = 0xff;

const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut i = 0;
    while i < 64 {
        values[ALPHABET[i] as usize] = i as u8;
        i += 1;
    }
    // The alphabet for URLs.
    values[b'-' as usize] = 62;
    values[b'_' as usize] = 63;
    values
};

/// Appends the standard form, with padding.
pub(super) fn encode(bytes: &[u8], out: &mut String) {
    out.reserve(bytes.len().div_ceil(3) * 4);
    // Text is pushed in pieces, of which each is checked to be ASCII.
    let mut piece = [0u8; 256];
    for chunk in bytes.chunks(192) {
        let mut len = 0;
        let mut groups = chunk.chunks_exact(3);
        for (group, text) in (&mut groups).zip(piece.chunks_exact_mut(4)) {
            text.copy_from_slice(&digits([group[0], group[1], group[2]]));
            len += 4;
        }
        if let [first, rest @ ..] = groups.remainder() {
            let mut text = digits([*first, rest.first().copied().unwrap_or(0), 0]);
            text[rest.len() + 2..].fill(b'=');
            piece[len..len + 4].copy_from_slice(&text);
            len += 4;
        }
        out.push_str(core::str::from_utf8(&piece[..len]).expect("base64 is ASCII"));
    }
}

#[inline]
fn digits([a, b, c]: [u8; 3]) -> [u8; 4] {
    let digit = |value: u8| ALPHABET[usize::from(value & 63)];
    [digit(a >> 2), digit(a << 4 | b >> 4), digit(b << 2 | c >> 6), digit(c)]
}

/// Reads either alphabet, with or without padding.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    let padding = bytes.iter().rev().take(2).take_while(|&&byte| byte == b'=').count();
    let digits = &bytes[..bytes.len() - padding];
    if digits.len() % 4 == 1 || (padding > 0 && !bytes.len().is_multiple_of(4)) {
        return None;
    }
    let mut out = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    let mut groups = digits.chunks_exact(4);
    for group in &mut groups {
        let [a, b, c, d] = [group[0], group[1], group[2], group[3]].map(|digit| VALUES[digit as usize]);
        // Values have six bits; only what is no digit has the seventh.
        if (a | b | c | d) & 0x40 != 0 {
            return None;
        }
        let word = u32::from(a) << 18 | u32::from(b) << 12 | u32::from(c) << 6 | u32::from(d);
        out.extend_from_slice(&[(word >> 16) as u8, (word >> 8) as u8, word as u8]);
    }
    let mut word = 0;
    for &digit in groups.remainder() {
        let value = VALUES[digit as usize];
        if value == NONE {
            return None;
        }
        word = word << 6 | u32::from(value);
    }
    match groups.remainder().len() {
        2 => out.push((word >> 4) as u8),
        3 => out.extend_from_slice(&[(word >> 10) as u8, (word >> 2) as u8]),
        _ => {}
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for len in 0..600 {
            let bytes: Vec<u8> = (0..len).map(|i| (i * 37 % 256) as u8).collect();
            let mut text = String::new();
            encode(&bytes, &mut text);
            assert_eq!(text.len() % 4, 0);
            assert_eq!(decode(&text).as_ref(), Some(&bytes));
            assert_eq!(decode(text.trim_end_matches('=')), Some(bytes), "without padding");
        }
    }

    #[test]
    fn both_alphabets_are_read_and_nothing_else() {
        for (text, want) in [
            ("", Some(&b""[..])),
            ("AQ==", Some(&b"\x01"[..])),
            ("AQ", Some(&b"\x01"[..])),
            ("+/+/", Some(&b"\xfb\xff\xbf"[..])),
            ("-_-_", Some(&b"\xfb\xff\xbf"[..])),
            ("AQ=", None),
            ("A", None),
            ("A===", None),
            ("====", None),
            ("AQI=AQ", None),
            ("A Q=", None),
            ("A@==", None),
        ] {
            assert_eq!(decode(text).as_deref(), want, "{text:?}");
        }
    }
}
