//! The texts of `Timestamp`, `Duration` and `FieldMask`.

use alloc::string::String;
use alloc::vec::Vec;

const SECOND: u32 = 1_000_000_000;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
const TIMESTAMPS: core::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;
/// About 10,000 years.
const DURATION: i64 = 315_576_000_000;

/// Two digits at `at`.
fn two(bytes: &[u8], at: usize) -> Option<i64> {
    digits(bytes.get(at..at + 2)?)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() || bytes.len() > 18 {
        return None;
    }
    bytes.iter().try_fold(0, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// A point and one to nine digits at the start of `bytes`, if there is a point: nanoseconds, and
/// how many bytes that is.
fn fraction(bytes: &[u8]) -> Option<(i32, usize)> {
    if bytes.first() != Some(&b'.') {
        return Some((0, 0));
    }
    let count = bytes[1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if count == 0 || count > 9 {
        return None;
    }
    let value = digits(&bytes[1..=count])? * 10i64.pow(9 - count as u32);
    Some((value as i32, count + 1))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(month: i64, year: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01; years begin in March here, so that the odd month is the last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day from 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// Seconds and nanoseconds of an RFC 3339 time.
pub(crate) fn parse_timestamp(text: &str) -> Option<(i64, i32)> {
    let bytes = text.as_bytes();
    let at = |index: usize| bytes.get(index).copied();
    if [at(4), at(7), at(10), at(13), at(16)] != [b'-', b'-', b'T', b':', b':'].map(Some) {
        return None;
    }
    let year = digits(bytes.get(..4)?)?;
    let (month, day) = (two(bytes, 5)?, two(bytes, 8)?);
    let (hour, minute, second) = (two(bytes, 11)?, two(bytes, 14)?, two(bytes, 17)?);
    if year == 0 || !(1..=12).contains(&month) || !(1..=days_in(month, year)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, len) = fraction(&bytes[19..])?;
    let offset = match &bytes[19 + len..] {
        b"Z" => 0,
        zone @ [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let (hours, minutes) = (two(zone, 1)?, two(zone, 4)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let offset = hours * 3600 + minutes * 60;
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    TIMESTAMPS.contains(&seconds).then_some((seconds, nanos))
}

/// Appends the time in quotes; false if it is out of range.
pub(crate) fn write_timestamp(seconds: i64, nanos: i32, out: &mut String) -> bool {
    if !TIMESTAMPS.contains(&seconds) || !(0..SECOND as i32).contains(&nanos) {
        return false;
    }
    let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
    let time = seconds.rem_euclid(86_400);
    out.push('"');
    padded(year, 4, out);
    for (before, value) in
        [('-', month), ('-', day), ('T', time / 3600), (':', time / 60 % 60), (':', time % 60)]
    {
        out.push(before);
        padded(value, 2, out);
    }
    write_fraction(nanos as u32, out);
    out.push_str("Z\"");
    true
}

fn padded(value: i64, width: u32, out: &mut String) {
    for place in (0..width).rev() {
        out.push(char::from(b'0' + (value / 10i64.pow(place) % 10) as u8));
    }
}

/// Three, six or nine digits, the fewest that are exact; nothing for zero.
fn write_fraction(nanos: u32, out: &mut String) {
    let (value, width) = match nanos {
        0 => return,
        _ if nanos.is_multiple_of(1_000_000) => (nanos / 1_000_000, 3),
        _ if nanos.is_multiple_of(1_000) => (nanos / 1_000, 6),
        _ => (nanos, 9),
    };
    out.push('.');
    padded(i64::from(value), width, out);
}

/// Seconds and nanoseconds of a text like `-1.5s`.
pub(crate) fn parse_duration(text: &str) -> Option<(i64, i32)> {
    let rest = text.strip_suffix('s')?;
    let (is_negative, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let whole = rest.bytes().take_while(u8::is_ascii_digit).count();
    let seconds = digits(rest.as_bytes().get(..whole)?)?;
    let (nanos, len) = fraction(rest.as_bytes().get(whole..)?)?;
    if whole + len != rest.len() || seconds > DURATION {
        return None;
    }
    Some(if is_negative { (-seconds, -nanos) } else { (seconds, nanos) })
}

/// Appends the duration in quotes; false if it is out of range or its signs differ.
pub(crate) fn write_duration(seconds: i64, nanos: i32, out: &mut String) -> bool {
    let is_valid = (-DURATION..=DURATION).contains(&seconds)
        && nanos.unsigned_abs() < SECOND
        && !(seconds > 0 && nanos < 0)
        && !(seconds < 0 && nanos > 0);
    if !is_valid {
        return false;
    }
    out.push('"');
    if seconds < 0 || nanos < 0 {
        out.push('-');
    }
    out.push_str(itoa::Buffer::new().format(seconds.unsigned_abs()));
    write_fraction(nanos.unsigned_abs(), out);
    out.push_str("s\"");
    true
}

/// The paths of a field mask, in the spelling of the schema.
pub(crate) fn parse_field_mask(text: &str) -> Option<Vec<String>> {
    if text.is_empty() {
        return Some(Vec::new());
    }
    text.split(',').map(parse_path).collect()
}

fn parse_path(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let mut path = String::with_capacity(text.len() + 4);
    for character in text.chars() {
        match character {
            'A'..='Z' => {
                path.push('_');
                path.push(character.to_ascii_lowercase());
            }
            'a'..='z' | '0'..='9' | '.' => path.push(character),
            _ => return None,
        }
    }
    Some(path)
}

/// Appends a path in camel case; false if it would not be read back as it is.
pub(crate) fn write_path(path: &str, out: &mut String) -> bool {
    let mut is_upper = false;
    for character in path.chars() {
        match character {
            '_' if !is_upper => is_upper = true,
            'a'..='z' if is_upper => {
                out.push(character.to_ascii_uppercase());
                is_upper = false;
            }
            'a'..='z' | '0'..='9' | '.' if !is_upper => out.push(character),
            _ => return false,
        }
    }
    !is_upper
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn timestamps_follow_rfc_3339_and_the_calendar() {
        for (text, want) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("0001-01-01T00:00:00Z", Some((-62_135_596_800, 0))),
            ("9999-12-31T23:59:59.999999999Z", Some((253_402_300_799, 999_999_999))),
            ("1970-01-01T00:00:00.1Z", Some((0, 100_000_000))),
            ("1969-12-31T23:59:59.5Z", Some((-1, 500_000_000))),
            ("1970-01-01T08:00:01+08:00", Some((1, 0))),
            ("1969-12-31T16:00:01-08:00", Some((1, 0))),
            ("2000-02-29T00:00:00Z", Some((951_782_400, 0))),
            ("1900-02-29T00:00:00Z", None),      // no leap year
            ("0001-01-01T00:00:00+00:01", None), // out of range once the offset is applied
            ("9999-12-31T23:59:59-00:01", None),
            ("0000-01-01T00:00:00Z", None),
            ("1970-01-01t00:00:00Z", None),
            ("1970-01-01T00:00:00z", None),
            ("1970-01-01 00:00:00Z", None),
            ("1970-01-01T00:00:00", None),
            ("1970-01-01T00:00:60Z", None),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-32T00:00:00Z", None),
            ("1970-13-01T00:00:00Z", None),
            ("1970-1-01T00:00:00Z", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:00.1234567890Z", None), // ten digits
            ("1970-01-01T00:00:00+0800", None),
            ("1970-01-01T00:00:00+24:00", None),
            ("1970-01-01T00:00:00+00:60", None),
            ("1970-01-01T00:00:00Z ", None),
            ("", None),
        ] {
            assert_eq!(parse_timestamp(text), want, "{text:?}");
        }
    }

    #[test]
    fn timestamps_are_written_with_the_fewest_digits() {
        for (seconds, nanos, want) in [
            (0, 0, Some("\"1970-01-01T00:00:00Z\"")),
            (0, 10_000_000, Some("\"1970-01-01T00:00:00.010Z\"")),
            (0, 10_000, Some("\"1970-01-01T00:00:00.000010Z\"")),
            (0, 10, Some("\"1970-01-01T00:00:00.000000010Z\"")),
            (-62_135_596_800, 0, Some("\"0001-01-01T00:00:00Z\"")),
            (253_402_300_799, 999_999_999, Some("\"9999-12-31T23:59:59.999999999Z\"")),
            (951_782_400, 0, Some("\"2000-02-29T00:00:00Z\"")),
            (-62_135_596_801, 0, None),
            (253_402_300_800, 0, None),
            (0, -1, None),
            (0, 1_000_000_000, None),
        ] {
            let mut out = String::new();
            assert_eq!(write_timestamp(seconds, nanos, &mut out), want.is_some());
            assert_eq!(out, want.unwrap_or_default());
        }
    }

    #[test]
    fn every_day_of_the_calendar_survives() {
        for day in -719_162..=2_932_896 {
            let (year, month, date) = civil_from_days(day);
            assert_eq!(days_from_civil(year, month, date), day);
        }
    }

    #[test]
    fn durations_end_in_s_and_stay_in_range() {
        for (text, want) in [
            ("1.5s", Some((1, 500_000_000))),
            ("-0.5s", Some((0, -500_000_000))),
            ("0s", Some((0, 0))),
            ("315576000000s", Some((315_576_000_000, 0))),
            ("-315576000000.000000000s", Some((-315_576_000_000, 0))),
            ("315576000000.1s", Some((315_576_000_000, 100_000_000))),
            ("315576000001s", None),
            ("99999999999999999999s", None),
            ("1", None),
            ("s", None),
            ("-s", None),
            ("+1s", None),
            (".5s", None),
            ("1.s", None),
            ("1.1234567890s", None),
            ("1 s", None),
            ("1e3s", None),
        ] {
            assert_eq!(parse_duration(text), want, "{text:?}");
        }
    }

    #[test]
    fn durations_have_one_sign() {
        for (seconds, nanos, want) in [
            (1, 500_000_000, Some("\"1.500s\"")),
            (0, -1, Some("\"-0.000000001s\"")),
            (-1, -500_000_000, Some("\"-1.500s\"")),
            (0, 0, Some("\"0s\"")),
            (1, -1, None),
            (-1, 1, None),
            (0, 1_000_000_000, None),
            (315_576_000_001, 0, None),
        ] {
            let mut out = String::new();
            assert_eq!(write_duration(seconds, nanos, &mut out), want.is_some());
            assert_eq!(out, want.unwrap_or_default());
        }
    }

    #[test]
    fn field_mask_paths_survive_or_are_refused() {
        assert_eq!(
            parse_field_mask("fooBar,baz.quxQuux"),
            Some(vec!["foo_bar".into(), "baz.qux_quux".into()])
        );
        assert_eq!(parse_field_mask(""), Some(vec![]));
        for text in ["foo_bar", "a,,b", ",", "a b", "\u{e4}"] {
            assert_eq!(parse_field_mask(text), None, "{text:?}");
        }
        for (path, want) in [
            ("foo_bar.baz", Some("fooBar.baz")),
            ("fooBar", None),
            ("foo_3_bar", None), // a digit has no upper case
            ("foo__bar", None),
            ("foo_", None),
        ] {
            let mut out = String::new();
            assert_eq!(write_path(path, &mut out), want.is_some(), "{path}");
            if let Some(want) = want {
                assert_eq!(out, want);
            }
        }
    }
}
