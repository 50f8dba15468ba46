//! Points and spans of time.

use dunlin_protobuf::Reflect;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::wkt::{Duration, Timestamp};

const SECOND: i128 = 1_000_000_000;
/// The years 1 to 9999, in seconds.
const INSTANTS: std::ops::RangeInclusive<i128> = -62_135_596_800..=253_402_300_799;
/// About 10,000 years, in seconds.
const SPAN: i128 = 315_576_000_000;

/// A span: whole seconds, and nanoseconds that count forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    seconds: i64,
    nanos: u32,
}

/// A point: seconds since 1970, and nanoseconds that count forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Instant {
    seconds: i64,
    nanos: u32,
}

/// `seconds` and `nanos` of a message that has both.
fn parts(message: &dyn Reflect) -> i128 {
    let table = message.table();
    let field = |number| table.index_of(number).map(|index| message.slot_ref(index));
    let seconds = if let Some(SlotRef::I64(seconds)) = field(1) { seconds } else { 0 };
    let nanos = if let Some(SlotRef::I32(nanos)) = field(2) { nanos } else { 0 };
    i128::from(seconds) * SECOND + i128::from(nanos)
}

fn split(nanos: i128) -> (i64, u32) {
    // Messages have 64 bits of seconds and 32 bits of nanoseconds, which may sum to more.
    let seconds = nanos.div_euclid(SECOND).clamp(i64::MIN.into(), i64::MAX.into());
    (seconds as i64, nanos.rem_euclid(SECOND) as u32)
}

impl Span {
    pub(crate) fn of_message(message: &dyn Reflect) -> Self {
        Self::raw(parts(message))
    }

    pub(crate) fn of(duration: &Duration) -> Self {
        Self::of_message(duration)
    }

    fn raw(nanos: i128) -> Self {
        let (seconds, nanos) = split(nanos);
        Self { seconds, nanos }
    }

    /// `None` beyond 10,000 years.
    pub(crate) fn from_nanos(nanos: i128) -> Option<Self> {
        (nanos.abs() <= SPAN * SECOND).then(|| Self::raw(nanos))
    }

    pub(crate) fn nanos(self) -> i128 {
        i128::from(self.seconds) * SECOND + i128::from(self.nanos)
    }

    /// Text like `1h2m3.5s`: numbers with the units h, m, s, ms, us and ns.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, mut rest) = match text.as_bytes().first()? {
            b'-' => (-1, &text[1..]),
            b'+' => (1, &text[1..]),
            _ => (1, text),
        };
        if rest == "0" {
            return Some(Self::default());
        }
        if rest.is_empty() {
            return None;
        }
        let mut total = 0i128;
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
            let (number, unit) = rest.split_at(end);
            let end = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
            let scale = match &unit[..end] {
                "h" => 3600 * SECOND,
                "m" => 60 * SECOND,
                "s" => SECOND,
                "ms" => 1_000_000,
                "us" | "µs" | "μs" => 1_000,
                "ns" => 1,
                _ => return None,
            };
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            let digits = |text: &str| {
                if text.is_empty() { Some(0) } else { text.get(..text.len().min(18))?.parse::<i128>().ok() }
            };
            if whole.len() > 18 || number == "." || number.is_empty() {
                return None;
            }
            let fraction_scale = 10i128.pow(fraction.len().min(18) as u32);
            total += digits(whole)? * scale + digits(fraction)? * scale / fraction_scale;
            rest = &unit[end..];
        }
        Self::from_nanos(sign * total)
    }

    /// Seconds with as many decimals as there are, and an `s`.
    pub(crate) fn to_text(self) -> String {
        let nanos = self.nanos();
        let sign = if nanos < 0 { "-" } else { "" };
        let (seconds, nanos) = (nanos.abs() / SECOND, nanos.abs() % SECOND);
        format!("{sign}{seconds}{}s", fraction(nanos as u32))
    }
}

impl Instant {
    pub(crate) fn of_message(message: &dyn Reflect) -> Self {
        Self::raw(parts(message))
    }

    pub(crate) fn of(time: &Timestamp) -> Self {
        Self::of_message(time)
    }

    fn raw(nanos: i128) -> Self {
        let (seconds, nanos) = split(nanos);
        Self { seconds, nanos }
    }

    /// `None` outside of the years 1 to 9999.
    pub(crate) fn from_nanos(nanos: i128) -> Option<Self> {
        INSTANTS.contains(&nanos.div_euclid(SECOND)).then(|| Self::raw(nanos))
    }

    pub(crate) fn nanos(self) -> i128 {
        i128::from(self.seconds) * SECOND + i128::from(self.nanos)
    }

    pub(crate) fn seconds(self) -> i64 {
        self.seconds
    }

    pub(crate) fn plus(self, span: Span) -> Option<Self> {
        Self::from_nanos(self.nanos() + span.nanos())
    }

    pub(crate) fn minus(self, span: Span) -> Option<Self> {
        Self::from_nanos(self.nanos() - span.nanos())
    }

    /// RFC 3339.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse::<Timestamp>().ok().map(|time| Self::of(&time))
    }

    /// RFC 3339 in UTC, with as many decimals as there are.
    pub(crate) fn to_text(self) -> String {
        let civil = self.civil(0);
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}Z",
            civil.year,
            civil.month,
            civil.day,
            civil.hour,
            civil.minute,
            civil.second,
            fraction(self.nanos)
        )
    }

    /// What a calendar and a clock show, so many seconds east of UTC.
    pub(crate) fn civil(self, offset: i64) -> Civil {
        let seconds = self.seconds.saturating_add(offset);
        let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        // Years begin in March here, so that the odd month is the last; eras have 400 years.
        let shifted = days.saturating_add(719_468);
        let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * of_year + 2) / 153;
        let day = of_year - (153 * month + 2) / 5 + 1;
        let month = if month < 10 { month + 3 } else { month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        // January and February are the last days of the shifted year.
        let day_of_year = if month <= 2 { of_year - 306 } else { of_year + 59 + i64::from(is_leap) };
        Civil {
            year,
            month,
            day,
            day_of_week: (days + 4).rem_euclid(7),
            day_of_year,
            hour: of_day / 3600,
            minute: of_day / 60 % 60,
            second: of_day % 60,
            millisecond: i64::from(self.nanos / 1_000_000),
        }
    }
}

/// A date and a time of day. Months and days count from 1, all else from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Civil {
    pub(crate) year: i64,
    pub(crate) month: i64,
    pub(crate) day: i64,
    pub(crate) day_of_week: i64,
    pub(crate) day_of_year: i64,
    pub(crate) hour: i64,
    pub(crate) minute: i64,
    pub(crate) second: i64,
    pub(crate) millisecond: i64,
}

/// The seconds east of UTC of `UTC`, `Z`, `+01:00`, `-8:00` and the like.
pub(crate) fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "UTC" | "Z" | "GMT" | "Etc/UTC") {
        return Some(0);
    }
    let (sign, rest) = match zone.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, zone.strip_prefix('+').unwrap_or(zone)),
    };
    let (hours, minutes) = rest.split_once(':')?;
    let number = |text: &str, max: i64| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<i64>().ok().filter(|value| plain && *value <= max)
    };
    Some(sign * (number(hours, 23)? * 3600 + number(minutes, 59)? * 60))
}

fn fraction(nanos: u32) -> String {
    if nanos == 0 {
        return String::new();
    }
    let digits = format!("{nanos:09}");
    format!(".{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units() {
        for (text, want) in [
            ("1h2m3.5s", Some("3723.5s")),
            ("-1ms", Some("-0.001s")),
            ("0", Some("0s")),
            ("1.5us", Some("0.0000015s")),
            ("1", None),
            ("s", None),
            ("", None),
            ("1h-1m", None),
            ("9999999999999h", None),
        ] {
            assert_eq!(Span::parse(text).map(Span::to_text).as_deref(), want, "{text:?}");
        }
    }

    #[test]
    fn calendars_know_leap_years_and_the_days_before_1970() {
        for (text, want) in [
            ("2024-02-29T23:59:59.001Z", (2024, 2, 29, 4, 59, 23, 59, 59, 1)),
            ("2023-12-31T00:00:00Z", (2023, 12, 31, 0, 364, 0, 0, 0, 0)),
            ("2024-12-31T00:00:00Z", (2024, 12, 31, 2, 365, 0, 0, 0, 0)),
            ("1969-12-31T23:59:59Z", (1969, 12, 31, 3, 364, 23, 59, 59, 0)),
            ("2024-03-01T00:00:00Z", (2024, 3, 1, 5, 60, 0, 0, 0, 0)),
            ("0001-01-01T00:00:00Z", (1, 1, 1, 1, 0, 0, 0, 0, 0)),
        ] {
            let time = Instant::parse(text).unwrap();
            let c = time.civil(0);
            let found = (
                c.year,
                c.month,
                c.day,
                c.day_of_week,
                c.day_of_year,
                c.hour,
                c.minute,
                c.second,
                c.millisecond,
            );
            assert_eq!(found, want, "{text}");
            assert_eq!(time.to_text(), text);
        }
    }

    #[test]
    fn zones_are_offsets() {
        for (zone, want) in
            [("UTC", Some(0)), ("+01:30", Some(5400)), ("-8:00", Some(-28800)), ("Mars", None), ("+1", None)]
        {
            assert_eq!(offset(zone), want, "{zone}");
        }
    }
}
