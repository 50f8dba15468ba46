//! The values of literal tokens.

/// The value of an integer token, unless it is larger than `max`.
pub fn integer(text: &[u8], max: u64) -> Option<u64> {
    let (digits, radix) = match text {
        [b'0', b'x' | b'X', digits @ ..] => (digits, 16),
        [b'0', digits @ ..] if !digits.is_empty() => (digits, 8),
        digits => (digits, 10),
    };
    let mut value: u64 = 0;
    for &byte in digits {
        let digit = (byte as char).to_digit(radix)?;
        value = value.checked_mul(u64::from(radix))?.checked_add(u64::from(digit))?;
    }
    (value <= max).then_some(value)
}

/// The value of a float token, or of a decimal integer token; too large is infinite.
pub fn float(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    text.parse().ok()
}

/// Appends the bytes that a string token stands for.
pub fn append_string(token: &[u8], out: &mut Vec<u8>) {
    let Some((&quote, mut rest)) = token.split_first() else { return };
    if rest.last() == Some(&quote) {
        rest = &rest[..rest.len() - 1];
    }
    if !rest.contains(&b'\\') {
        out.extend_from_slice(rest);
        return;
    }
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        // The lexer has reported what is not an escape; whatever is left of it is kept.
        let Some((&escape, after)) = rest.split_first() else {
            out.push(b'\\');
            return;
        };
        rest = after;
        match escape {
            b'0'..=b'7' => {
                let mut value = u32::from(escape - b'0');
                for _ in 0..2 {
                    let Some((&digit @ b'0'..=b'7', after)) = rest.split_first() else { break };
                    value = value * 8 + u32::from(digit - b'0');
                    rest = after;
                }
                out.push(value as u8);
            }
            b'x' | b'X' => {
                let mut value = 0;
                for _ in 0..2 {
                    let Some((digit, after)) = rest.split_first() else { break };
                    let Some(digit) = (*digit as char).to_digit(16) else { break };
                    value = value * 16 + digit;
                    rest = after;
                }
                out.push(value as u8);
            }
            b'u' => rest = unicode(rest, 4, out),
            b'U' => rest = unicode(rest, 8, out),
            b'a' => out.push(0x07),
            b'b' => out.push(0x08),
            b'f' => out.push(0x0c),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'v' => out.push(0x0b),
            other => out.push(other),
        }
    }
}

fn unicode<'s>(rest: &'s [u8], digits: usize, out: &mut Vec<u8>) -> &'s [u8] {
    let Some((mut code, mut rest)) = hex(rest, digits) else { return rest };
    // A high surrogate with a low one behind it makes one character.
    if (0xd800..0xdc00).contains(&code)
        && let Some(low) = rest.strip_prefix(b"\\u")
        && let Some((low @ 0xdc00..0xe000, after)) = hex(low, 4)
    {
        code = 0x10000 + ((code - 0xd800) << 10 | (low - 0xdc00));
        rest = after;
    }
    push_code_point(code, out);
    rest
}

fn hex(text: &[u8], digits: usize) -> Option<(u32, &[u8])> {
    let (head, rest) = text.split_at_checked(digits)?;
    let value = head.iter().try_fold(0, |value, &b| Some(value * 16 + (b as char).to_digit(16)?))?;
    Some((value, rest))
}

// Like UTF-8, but also for lone surrogates: a string literal may hold any bytes.
fn push_code_point(code: u32, out: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        None if code < 0x10000 => {
            out.extend([
                0xe0 | (code >> 12) as u8,
                0x80 | (code >> 6 & 0x3f) as u8,
                0x80 | (code & 0x3f) as u8,
            ]);
        }
        None => out.extend_from_slice(format!("\\U{code:08x}").as_bytes()),
    }
}

/// Escapes bytes as C does: printable ASCII stays, the rest becomes `\n`, `\r`, `\t` or octal.
pub fn escape_c(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' => out.push_str("\\\""),
            b'\'' => out.push_str("\\'"),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(byte as char),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out
}

/// The shortest of two decimal forms of `value` that reads back as the same number: with 15 or
/// with 17 significant digits.
pub fn print_double(value: f64) -> String {
    special(value).unwrap_or_else(|| {
        let short = general(value, 15);
        if short.parse() == Ok(value) { short } else { general(value, 17) }
    })
}

/// The same for single precision: 6 or 9 significant digits.
pub fn print_float(value: f32) -> String {
    special(f64::from(value)).unwrap_or_else(|| {
        let short = general(f64::from(value), 6);
        if short.parse() == Ok(value) { short } else { general(f64::from(value), 9) }
    })
}

fn special(value: f64) -> Option<String> {
    if value.is_nan() {
        Some("nan".into())
    } else if value.is_infinite() {
        Some(if value > 0.0 { "inf" } else { "-inf" }.into())
    } else {
        None
    }
}

// What C prints for `%.*g`.
fn general(value: f64, precision: usize) -> String {
    let scientific = format!("{value:.*e}", precision - 1);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let trim = |digits: &str| {
        if digits.contains('.') {
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        } else {
            digits.to_owned()
        }
    };
    if exponent < -4 || exponent >= precision as i32 {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{}e{sign}{:02}", trim(mantissa), exponent.unsigned_abs());
    }
    let decimals = (precision as i32 - 1 - exponent).max(0) as usize;
    trim(&format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_three_radixes_and_a_limit() {
        for (text, want) in [
            ("0", Some(0)),
            ("017", Some(15)),
            ("0x1F", Some(31)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("09", None), // not octal; the lexer says so
        ] {
            assert_eq!(integer(text.as_bytes(), u64::MAX), want, "{text}");
        }
        assert_eq!(integer(b"128", 127), None);
    }

    #[test]
    fn strings_are_unescaped_to_bytes() {
        for (token, want) in [
            (&br#""plain""#[..], &b"plain"[..]),
            (br#"'\x41\102\u00e9\n'"#, "AB\u{e9}\n".as_bytes()),
            (br#""\377\0""#, b"\xff\0"),
            (br#""\ud83d\ude00""#, "\u{1f600}".as_bytes()),
            (br#""\ud83d""#, b"\xed\xa0\xbd"), // a lone surrogate
            (br#""\"""#, b"\""),
        ] {
            let mut out = Vec::new();
            append_string(token, &mut out);
            assert_eq!(out, want, "{}", token.escape_ascii());
        }
    }

    #[test]
    fn floats_print_as_in_c() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (1e15, "1e+15"),
            (123456789012345.0, "123456789012345"),
            (1e-5, "1e-05"),
            (0.0001, "0.0001"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.33333333333333331"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::MAX, "1.7976931348623157e+308"),
        ] {
            assert_eq!(print_double(value), want);
        }
        assert_eq!(print_float(1.1), "1.1");
        assert_eq!(print_float(16_777_216.0), "16777216");
        assert_eq!(print_float(f32::MAX), "3.40282347e+38");
    }
}
