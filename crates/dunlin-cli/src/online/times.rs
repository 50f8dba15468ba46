//! Times on the command line: seconds as grpcurl takes them, or Go's durations.

use std::time::Duration;

/// More than anyone waits for.
const MOST: f64 = 1e9;

/// Reads `5`, `0.5`, `500ms` or `1m30s`.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is no time; write 5, 0.5, 500ms or 1m30s");
    if text.starts_with('-') {
        return Err("a time must not be negative".to_owned());
    }
    let mut rest = text;
    let mut seconds = 0.0;
    loop {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..end].parse().map_err(|_| wrong())?;
        rest = &rest[end..];
        if rest.is_empty() && end == text.len() {
            seconds = number;
            break;
        }
        let end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        seconds += number
            * match &rest[..end] {
                "ns" => 1e-9,
                "us" | "\u{b5}s" | "\u{3bc}s" => 1e-6,
                "ms" => 1e-3,
                "s" => 1.0,
                "m" => 60.0,
                "h" => 3600.0,
                _ => return Err(wrong()),
            };
        rest = &rest[end..];
        if rest.is_empty() {
            break;
        }
    }
    Ok(Duration::from_secs_f64(seconds.min(MOST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_have_units() {
        for (text, want) in [
            ("5", Some(5_000)),
            ("0.5", Some(500)),
            (".25", Some(250)),
            ("500ms", Some(500)),
            ("1m30s", Some(90_000)),
            ("1h", Some(3_600_000)),
            ("1.5s", Some(1_500)),
            ("0", Some(0)),
            ("99999999999999999999", Some(1_000_000_000_000)), // more than anyone waits for
            ("", None),
            ("-1", None),
            ("1x", None),
            ("s", None),
            ("1s5", None), // a number without a unit behind one with it
            ("1.2.3", None),
        ] {
            assert_eq!(parse(text).ok(), want.map(Duration::from_millis), "{text}");
        }
    }
}
