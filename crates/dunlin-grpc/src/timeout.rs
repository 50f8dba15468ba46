//! `grpc-timeout`.

use std::time::Duration;

/// `grpc-timeout` is not one to eight digits and a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("grpc-timeout is not 1 to 8 digits and one of H, M, S, m, u, n")]
pub struct InvalidTimeout;

const MOST: u64 = 99_999_999;

/// The timeout that the field says.
///
/// # Errors
/// When it is not one to eight digits and a unit.
pub fn parse(value: &[u8]) -> Result<Duration, InvalidTimeout> {
    let (&unit, digits) = value.split_last().ok_or(InvalidTimeout)?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return Err(InvalidTimeout);
    }
    let number = digits.iter().fold(0, |number: u64, digit| number * 10 + u64::from(digit - b'0'));
    Ok(match unit {
        b'H' => Duration::from_secs(number * 3600),
        b'M' => Duration::from_secs(number * 60),
        b'S' => Duration::from_secs(number),
        b'm' => Duration::from_millis(number),
        b'u' => Duration::from_micros(number),
        b'n' => Duration::from_nanos(number),
        _ => return Err(InvalidTimeout),
    })
}

/// The field for a timeout, written into a buffer that fits the longest.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutText {
    bytes: [u8; 9],
    start: u8,
}

impl TimeoutText {
    /// In the finest unit that eight digits allow, rounded up: the peer never gives up first.
    pub fn new(timeout: Duration) -> Self {
        let nanos = timeout.as_nanos();
        let units: [(u128, u8); 6] = [
            (1, b'n'),
            (1_000, b'u'),
            (1_000_000, b'm'),
            (1_000_000_000, b'S'),
            (60_000_000_000, b'M'),
            (3_600_000_000_000, b'H'),
        ];
        let fits = |(size, _): &&(u128, u8)| nanos.div_ceil(*size) <= MOST.into();
        let (size, unit) = units.iter().find(fits).unwrap_or(&units[5]);
        let mut number = u64::try_from(nanos.div_ceil(*size)).unwrap_or(MOST).min(MOST);
        let mut bytes = [0; 9];
        bytes[8] = *unit;
        let mut start = 8;
        loop {
            start -= 1;
            bytes[start] = b'0' + (number % 10) as u8;
            number /= 10;
            if number == 0 {
                return Self { bytes, start: start as u8 };
            }
        }
    }

    /// The field.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[usize::from(self.start)..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_timeout_accepts_the_grammar_and_nothing_else() {
        for (field, wanted) in [
            ("250m", Ok(Duration::from_millis(250))),
            ("0n", Ok(Duration::ZERO)),
            ("99999999H", Ok(Duration::from_secs(99_999_999 * 3600))), // the longest the grammar allows
            ("123456789S", Err(InvalidTimeout)),                       // nine digits; it allows eight
            ("10", Err(InvalidTimeout)),                               // no unit
            ("S", Err(InvalidTimeout)),
            ("", Err(InvalidTimeout)),
            ("-1S", Err(InvalidTimeout)),
            ("1 S", Err(InvalidTimeout)),
            ("1s", Err(InvalidTimeout)),
        ] {
            assert_eq!(parse(field.as_bytes()), wanted, "grpc-timeout: {field:?}");
        }
    }

    #[test]
    fn a_timeout_is_rounded_up_to_what_fits() {
        for (timeout, wanted) in [
            (Duration::ZERO, "0n"),
            (Duration::from_nanos(99_999_999), "99999999n"),
            (Duration::from_nanos(100_000_001), "100001u"),
            (Duration::from_secs(1), "1000000u"),
            (Duration::from_secs(100), "100000m"),
            (Duration::MAX, "99999999H"),
        ] {
            let text = TimeoutText::new(timeout);
            assert_eq!(std::str::from_utf8(text.as_bytes()), Ok(wanted));
            assert!(parse(text.as_bytes()).unwrap() >= timeout.min(Duration::from_secs(MOST * 3600)));
        }
    }
}
