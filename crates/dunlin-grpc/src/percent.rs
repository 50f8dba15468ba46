//! `grpc-message`: UTF-8, percent-encoded.

use std::borrow::Cow;
use std::fmt::Write;

/// The text as the field has it.
pub fn encode(message: &str) -> Cow<'_, [u8]> {
    let is_literal = |byte: &u8| matches!(byte, 0x20..=0x24 | 0x26..=0x7e);
    // RFC 9113 §8.2.1: a value neither begins nor ends with a space.
    let is_trimmed = !message.starts_with(' ') && !message.ends_with(' ');
    if is_trimmed && message.bytes().all(|byte| is_literal(&byte)) {
        return Cow::Borrowed(message.as_bytes());
    }
    let last = message.len().saturating_sub(1);
    let mut out = String::with_capacity(message.len() + 16);
    for (at, byte) in message.bytes().enumerate() {
        match is_literal(&byte) && !(byte == b' ' && (at == 0 || at == last)) {
            true => out.push(byte.into()),
            false => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    Cow::Owned(out.into_bytes())
}

/// The field as text. Whatever is wrong with it, the rest is not lost: escapes that are none stay as
/// they are, and octets that are not UTF-8 become U+FFFD.
pub fn decode(value: &[u8]) -> String {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = match (first, behind) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &behind[2..];
            }
            None => {
                out.push(first);
                rest = behind;
            }
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back() {
        for (text, wire) in [
            ("plain ~text!", "plain ~text!"),
            ("100%", "100%25"),
            ("\t\r\n", "%09%0D%0A"),
            ("☺", "%E2%98%BA"),
            ("\u{7f}", "%7F"),
            (" at both ends  ", "%20at both ends %20"), // one at each end is enough
            (" ", "%20"),
            ("", ""),
        ] {
            assert_eq!(encode(text), wire.as_bytes());
            assert_eq!(decode(wire.as_bytes()), text);
        }
    }

    #[test]
    fn a_broken_message_is_kept_as_far_as_it_goes() {
        assert_eq!(decode(b"%"), "%");
        assert_eq!(decode(b"%4"), "%4");
        assert_eq!(decode(b"%zz%41"), "%zzA");
        assert_eq!(decode(b"%e2%98"), "\u{fffd}");
        assert_eq!(decode(b"\xff%C3%A4"), "\u{fffd}ä");
    }
}
