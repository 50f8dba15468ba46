//! Numbers as JSON spells them.

/// A number that keeps to the grammar of JSON.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number<'j> {
    pub(super) text: &'j str,
    is_negative: bool,
    /// Up to nineteen digits and nothing else: this is the value without the sign.
    plain: Option<u64>,
}

/// Why a number is no value of an integer type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotInteger {
    Fraction,
    OutOfRange,
}

/// The number that starts at `start`, and where it ends.
#[inline]
pub(super) fn scan(text: &str, start: usize) -> Option<(Number<'_>, usize)> {
    let bytes = text.as_bytes();
    let mut pos = start;
    let is_negative = bytes.get(pos) == Some(&b'-');
    pos += usize::from(is_negative);

    let first = pos;
    let mut value = 0u64;
    while let Some(digit) = bytes.get(pos).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        pos += 1;
    }
    let digits = pos - first;
    if digits == 0 || (digits > 1 && bytes[first] == b'0') {
        return None;
    }
    let mut is_plain = digits <= 19;
    if bytes.get(pos) == Some(&b'.') {
        is_plain = false;
        pos = some_digits(bytes, pos + 1)?;
    }
    if let Some(b'e' | b'E') = bytes.get(pos) {
        is_plain = false;
        pos += 1;
        if let Some(b'+' | b'-') = bytes.get(pos) {
            pos += 1;
        }
        pos = some_digits(bytes, pos)?;
    }
    Some((Number { text: &text[start..pos], is_negative, plain: is_plain.then_some(value) }, pos))
}

/// The end of the digits at `pos`, of which there must be one.
fn some_digits(bytes: &[u8], pos: usize) -> Option<usize> {
    let count = bytes.get(pos..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (count > 0).then_some(pos + count)
}

/// The number that is all of `text`.
pub(super) fn whole(text: &str) -> Option<Number<'_>> {
    scan(text, 0).filter(|(_, end)| *end == text.len()).map(|(number, _)| number)
}

impl Number<'_> {
    #[inline]
    pub(super) fn signed(&self) -> Result<i64, NotInteger> {
        let value = self.magnitude()?;
        if self.is_negative {
            if value > 1 << 63 {
                return Err(NotInteger::OutOfRange);
            }
            return Ok((value as i64).wrapping_neg());
        }
        i64::try_from(value).map_err(|_| NotInteger::OutOfRange)
    }

    #[inline]
    pub(super) fn unsigned(&self) -> Result<u64, NotInteger> {
        let value = self.magnitude()?;
        if self.is_negative && value != 0 { Err(NotInteger::OutOfRange) } else { Ok(value) }
    }

    #[inline]
    fn magnitude(&self) -> Result<u64, NotInteger> {
        match self.plain {
            Some(value) => Ok(value),
            None => integral(self.text.trim_start_matches('-')),
        }
    }

    /// The nearest value; `None` beyond the range.
    #[inline]
    pub(super) fn double(&self) -> Option<f64> {
        if let Some(value) = self.plain.filter(|value| *value < 1 << 53) {
            let value = value as f64;
            return Some(if self.is_negative { -value } else { value });
        }
        self.text.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// The nearest value; `None` beyond the range.
    #[inline]
    pub(super) fn float(&self) -> Option<f32> {
        if let Some(value) = self.plain.filter(|value| *value < 1 << 24) {
            let value = value as f32;
            return Some(if self.is_negative { -value } else { value });
        }
        self.text.parse().ok().filter(|value: &f32| value.is_finite())
    }
}

/// The value of a number with a point, an exponent or many digits, exactly.
#[cold]
fn integral(text: &str) -> Result<u64, NotInteger> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, saturating(exponent)),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digit = |at: usize| match whole.as_bytes().get(at) {
        Some(digit) => *digit - b'0',
        None => fraction.as_bytes().get(at - whole.len()).map_or(0, |digit| *digit - b'0'),
    };
    let count = whole.len() + fraction.len();
    let Some(first) = (0..count).find(|&at| digit(at) != 0) else { return Ok(0) };
    let last = (first..count).rev().find(|&at| digit(at) != 0).unwrap_or(first);

    // The digits before the decimal point, once the exponent has moved it. No text has more than
    // isize::MAX bytes, so that lengths fit.
    let point = (whole.len() as i64).saturating_add(exponent);
    if point <= last as i64 {
        return Err(NotInteger::Fraction);
    }
    if point - first as i64 > 20 {
        return Err(NotInteger::OutOfRange);
    }
    (first..point as usize)
        .try_fold(0u64, |value, at| value.checked_mul(10)?.checked_add(u64::from(digit(at))))
        .ok_or(NotInteger::OutOfRange)
}

/// A sign and digits, held to a range in which nothing overflows.
fn saturating(text: &str) -> i64 {
    let digits = text.trim_start_matches(['+', '-']);
    let value = digits.bytes().fold(0i64, |value, digit| {
        value.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(i64::MAX / 4)
    });
    if text.starts_with('-') { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_have_many_spellings() {
        for (text, want) in [
            ("0", Some(Ok(0))),
            ("-0", Some(Ok(0))),
            ("42", Some(Ok(42))),
            ("1e5", Some(Ok(100_000))),
            ("1E+5", Some(Ok(100_000))),
            ("1.0", Some(Ok(1))),
            ("1.50e1", Some(Ok(15))),
            ("1200e-2", Some(Ok(12))),
            ("0.00001e5", Some(Ok(1))),
            ("2.147483647e9", Some(Ok(2_147_483_647))),
            ("-9223372036854775808", Some(Ok(i64::MIN))),
            ("9223372036854775807.0", Some(Ok(i64::MAX))),
            ("0e536870000", Some(Ok(0))), // zero, however it is scaled
            ("9223372036854775808", Some(Err(NotInteger::OutOfRange))),
            ("-9223372036854775809", Some(Err(NotInteger::OutOfRange))),
            ("1e536870000", Some(Err(NotInteger::OutOfRange))), // must not take time or memory
            ("1e99999999999999999999999", Some(Err(NotInteger::OutOfRange))),
            ("1e-99999999999999999999999", Some(Err(NotInteger::Fraction))),
            ("100000000000000000000", Some(Err(NotInteger::OutOfRange))),
            ("0.5", Some(Err(NotInteger::Fraction))),
            ("1e-1", Some(Err(NotInteger::Fraction))),
            ("", None),
            ("-", None),
            ("+1", None),
            ("01", None),
            ("-01", None),
            ("1.", None),
            (".5", None),
            ("1e", None),
            ("1e+", None),
            (" 1", None),
            ("1 ", None),
            ("0x1", None),
            ("\u{664}", None), // a digit, but not of ASCII
        ] {
            assert_eq!(whole(text).map(|number| number.signed()), want, "{text:?}");
        }
    }

    #[test]
    fn unsigned_numbers_have_no_sign() {
        for (text, want) in [
            ("18446744073709551615", Ok(u64::MAX)),
            ("18446744073709549568", Ok(18_446_744_073_709_549_568)),
            ("18446744073709551616", Err(NotInteger::OutOfRange)),
            ("-1", Err(NotInteger::OutOfRange)),
            ("-0", Ok(0)),
        ] {
            assert_eq!(whole(text).map(|number| number.unsigned()), Some(want), "{text}");
        }
    }

    #[test]
    fn floats_stay_in_their_range() {
        for (text, want) in [
            ("0.5", Some(0.5)),
            ("3.4028234e38", Some(f32::MAX)),
            ("3.502823e38", None),
            ("-3.502823e38", None),
            ("1e-50", Some(0.0)),
            ("16777217", Some(16_777_216.0)), // the nearest
        ] {
            assert_eq!(whole(text).and_then(|number| number.float()), want, "{text}");
        }
        assert_eq!(whole("1e309").and_then(|number| number.double()), None);
        assert_eq!(
            whole("-0").and_then(|number| number.double()).map(f64::to_bits),
            Some((-0.0f64).to_bits())
        );
    }
}
