//! `Timestamp` and `Duration`: ranges, text, and the time types of other crates.

#[cfg(feature = "chrono")]
mod chrono;
#[cfg(feature = "jiff")]
mod jiff;

use alloc::string::String;
use core::fmt;
use core::str::FromStr;
use core::time::Duration as StdDuration;

use super::{Duration, Timestamp};
use crate::json::time as text;

const NANOS: i32 = 1_000_000_000;

/// Why a time or a span of time is none, or does not fit another type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimeError {
    /// Seconds or nanoseconds beyond what a [`Timestamp`] may hold.
    #[error(
        "{seconds} s and {nanos} ns since 1970 are no timestamp: it takes -62135596800 to 253402300799 s and 0 to 999999999 ns"
    )]
    Timestamp {
        /// Whole seconds since 1970.
        seconds: i64,
        /// Nanoseconds on top.
        nanos: i32,
    },
    /// Seconds or nanoseconds beyond what a [`Duration`] may hold, or of different signs.
    #[error(
        "{seconds} s and {nanos} ns are no duration: it takes up to 315576000000 s and 999999999 ns of one sign"
    )]
    Duration {
        /// Whole seconds.
        seconds: i64,
        /// Nanoseconds on top.
        nanos: i32,
    },
    /// A valid value that the type asked for cannot hold.
    #[error("{seconds} s and {nanos} ns do not fit {target}")]
    DoesNotFit {
        /// Whole seconds.
        seconds: i64,
        /// Nanoseconds on top.
        nanos: i32,
        /// The type.
        target: &'static str,
    },
    /// Text that is no [`Timestamp`].
    #[error("the text is not a time of RFC 3339 in the years 1 to 9999")]
    TimestampText,
    /// Text that is no [`Duration`].
    #[error("the text is not a duration like \"1.5s\" of at most 315576000000 seconds")]
    DurationText,
}

/// A point in time: `seconds` since 1970-01-01T00:00:00Z, which may be negative, and `nanos` on
/// top, 0 to 999,999,999, which always count forward. Valid are the years 1 to 9999.
///
/// ```
/// use dunlin_protobuf::wkt::Timestamp;
///
/// let time: Timestamp = "1969-12-31T23:59:59.500Z".parse()?;
/// assert_eq!((time.seconds, time.nanos), (-1, 500_000_000));
/// assert_eq!(time.to_string(), "1969-12-31T23:59:59.500Z");
/// # Ok::<(), dunlin_protobuf::wkt::TimeError>(())
/// ```
impl Timestamp {
    /// The start of the year 1, which is the earliest valid time.
    pub const MIN: Self =
        Self { seconds: -62_135_596_800, nanos: 0, unknown_fields: crate::UnknownFields::EMPTY };

    /// The last nanosecond of the year 9999, which is the latest valid time.
    pub const MAX: Self =
        Self { seconds: 253_402_300_799, nanos: NANOS - 1, unknown_fields: crate::UnknownFields::EMPTY };

    /// A time from seconds since 1970 and nanoseconds on top.
    ///
    /// # Errors
    /// When it is not [valid](Self::validate).
    pub fn new(seconds: i64, nanos: i32) -> Result<Self, TimeError> {
        let time = Self { seconds, nanos, ..Self::default() };
        time.validate()?;
        Ok(time)
    }

    /// The system's time; one outside of the years 1 to 9999 becomes the nearest in them.
    #[cfg(feature = "std")]
    pub fn now() -> Self {
        let now = std::time::SystemTime::now();
        let nearest = if now < std::time::UNIX_EPOCH { Self::MIN } else { Self::MAX };
        Self::try_from(now).unwrap_or(nearest)
    }

    /// Checks that the time is in the years 1 to 9999, with `nanos` from 0 to 999,999,999.
    ///
    /// # Errors
    /// [`TimeError::Timestamp`] if it is not.
    pub fn validate(&self) -> Result<(), TimeError> {
        let Self { seconds, nanos, .. } = *self;
        let is_valid =
            (Self::MIN.seconds..=Self::MAX.seconds).contains(&seconds) && (0..NANOS).contains(&nanos);
        if is_valid { Ok(()) } else { Err(TimeError::Timestamp { seconds, nanos }) }
    }

    /// The same time with `nanos` from 0 to 999,999,999: the rest is carried into `seconds`.
    ///
    /// ```
    /// use dunlin_protobuf::wkt::Timestamp;
    ///
    /// let time = Timestamp { seconds: 5, nanos: -1, ..Default::default() }.normalize()?;
    /// assert_eq!((time.seconds, time.nanos), (4, 999_999_999));
    /// # Ok::<(), dunlin_protobuf::wkt::TimeError>(())
    /// ```
    ///
    /// # Errors
    /// [`TimeError::Timestamp`] if that is outside of the years 1 to 9999.
    pub fn normalize(mut self) -> Result<Self, TimeError> {
        let invalid = TimeError::Timestamp { seconds: self.seconds, nanos: self.nanos };
        let carry = i64::from(self.nanos.div_euclid(NANOS));
        self.seconds = self.seconds.checked_add(carry).ok_or(invalid)?;
        self.nanos = self.nanos.rem_euclid(NANOS);
        self.validate().map_err(|_| invalid)?;
        Ok(self)
    }
}

/// A signed span of time: whole `seconds`, up to 315,576,000,000 (about 10,000 years) either way,
/// and `nanos`, up to 999,999,999, of the same sign.
///
/// ```
/// use dunlin_protobuf::wkt::Duration;
///
/// let timeout: Duration = "1.5s".parse()?;
/// assert_eq!(std::time::Duration::try_from(timeout)?, std::time::Duration::from_millis(1500));
/// # Ok::<(), dunlin_protobuf::wkt::TimeError>(())
/// ```
impl Duration {
    /// The most seconds either way.
    pub const MAX_SECONDS: i64 = 315_576_000_000;

    /// A span of time from seconds and nanoseconds.
    ///
    /// # Errors
    /// When it is not [valid](Self::validate).
    pub fn new(seconds: i64, nanos: i32) -> Result<Self, TimeError> {
        let span = Self { seconds, nanos, ..Self::default() };
        span.validate()?;
        Ok(span)
    }

    /// Checks the ranges of `seconds` and `nanos`, and that they do not differ in sign.
    ///
    /// # Errors
    /// [`TimeError::Duration`] if that is not so.
    pub fn validate(&self) -> Result<(), TimeError> {
        let Self { seconds, nanos, .. } = *self;
        let is_valid = (-Self::MAX_SECONDS..=Self::MAX_SECONDS).contains(&seconds)
            && (1 - NANOS..NANOS).contains(&nanos)
            && seconds.signum() * i64::from(nanos.signum()) >= 0;
        if is_valid { Ok(()) } else { Err(TimeError::Duration { seconds, nanos }) }
    }

    /// The same span with `nanos` below a second and of the sign of `seconds`.
    ///
    /// ```
    /// use dunlin_protobuf::wkt::Duration;
    ///
    /// let span = Duration { seconds: 2, nanos: -500_000_000, ..Default::default() }.normalize()?;
    /// assert_eq!(span.to_string(), "1.500s");
    /// # Ok::<(), dunlin_protobuf::wkt::TimeError>(())
    /// ```
    ///
    /// # Errors
    /// [`TimeError::Duration`] if that is beyond the range of seconds.
    pub fn normalize(mut self) -> Result<Self, TimeError> {
        let invalid = TimeError::Duration { seconds: self.seconds, nanos: self.nanos };
        self.seconds = self.seconds.checked_add(i64::from(self.nanos / NANOS)).ok_or(invalid)?;
        self.nanos %= NANOS;
        // Towards zero, so that this cannot overflow.
        if self.seconds > 0 && self.nanos < 0 {
            self.seconds -= 1;
            self.nanos += NANOS;
        } else if self.seconds < 0 && self.nanos > 0 {
            self.seconds += 1;
            self.nanos -= NANOS;
        }
        self.validate().map_err(|_| invalid)?;
        Ok(self)
    }
}

/// What stands between the quotes of the JSON form.
fn unquoted(quoted: &str) -> &str {
    quoted.trim_matches('"')
}

/// The form that JSON has: RFC 3339 in UTC with 0, 3, 6 or 9 digits of a second. A time that is not
/// valid has none and is shown as its numbers.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if text::write_timestamp(self.seconds, self.nanos, &mut out) {
            return f.pad(unquoted(&out));
        }
        write!(f, "<no valid time: {} s, {} ns>", self.seconds, self.nanos)
    }
}

/// Reads RFC 3339, with any offset and up to nine digits of a second.
impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (seconds, nanos) = text::parse_timestamp(text).ok_or(TimeError::TimestampText)?;
        Ok(Self { seconds, nanos, ..Self::default() })
    }
}

/// The form that JSON has: seconds with 0, 3, 6 or 9 digits, then `s`. A span that is not valid has
/// none and is shown as its numbers.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if text::write_duration(self.seconds, self.nanos, &mut out) {
            return f.pad(unquoted(&out));
        }
        write!(f, "<no valid duration: {} s, {} ns>", self.seconds, self.nanos)
    }
}

/// Reads seconds with up to nine digits behind the point, then `s`.
impl FromStr for Duration {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let (seconds, nanos) = text::parse_duration(text).ok_or(TimeError::DurationText)?;
        Ok(Self { seconds, nanos, ..Self::default() })
    }
}

/// Fails for a time outside of the years 1 to 9999.
#[cfg(feature = "std")]
impl TryFrom<std::time::SystemTime> for Timestamp {
    type Error = TimeError;

    fn try_from(time: std::time::SystemTime) -> Result<Self, TimeError> {
        let (is_negative, span) = match time.duration_since(std::time::UNIX_EPOCH) {
            Ok(span) => (false, span),
            Err(before) => (true, before.duration()),
        };
        let nanos = span.subsec_nanos() as i32;
        // Beyond 63 bits is as invalid as their most.
        let seconds = i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        let (seconds, nanos) = if is_negative { (-seconds, -nanos) } else { (seconds, nanos) };
        Self { seconds, nanos, ..Self::default() }.normalize()
    }
}

/// Fails for a time that is not valid, or that the system's clock cannot tell.
#[cfg(feature = "std")]
impl TryFrom<Timestamp> for std::time::SystemTime {
    type Error = TimeError;

    fn try_from(time: Timestamp) -> Result<Self, TimeError> {
        time.validate()?;
        let Timestamp { seconds, nanos, .. } = time;
        let whole = StdDuration::from_secs(seconds.unsigned_abs());
        let epoch = std::time::UNIX_EPOCH;
        let at = if seconds < 0 { epoch.checked_sub(whole) } else { epoch.checked_add(whole) };
        at.and_then(|at| at.checked_add(StdDuration::from_nanos(u64::from(nanos.unsigned_abs()))))
            .ok_or(TimeError::DoesNotFit { seconds, nanos, target: "std::time::SystemTime" })
    }
}

/// Fails for more than 315,576,000,000 seconds.
impl TryFrom<StdDuration> for Duration {
    type Error = TimeError;

    fn try_from(span: StdDuration) -> Result<Self, TimeError> {
        Self::new(i64::try_from(span.as_secs()).unwrap_or(i64::MAX), span.subsec_nanos() as i32)
    }
}

/// Fails for a span that is not valid, or negative.
impl TryFrom<Duration> for StdDuration {
    type Error = TimeError;

    fn try_from(span: Duration) -> Result<Self, TimeError> {
        span.validate()?;
        let Duration { seconds, nanos, .. } = span;
        match (u64::try_from(seconds), u32::try_from(nanos)) {
            (Ok(seconds), Ok(nanos)) => Ok(Self::new(seconds, nanos)),
            _ => Err(TimeError::DoesNotFit { seconds, nanos, target: "std::time::Duration" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn timestamp(seconds: i64, nanos: i32) -> Timestamp {
        Timestamp { seconds, nanos, ..Default::default() }
    }

    fn duration(seconds: i64, nanos: i32) -> Duration {
        Duration { seconds, nanos, ..Default::default() }
    }

    #[test]
    fn nanoseconds_of_a_timestamp_count_forward() {
        for (given, want) in [
            ((0, 0), Some((0, 0))),
            ((0, -1), Some((-1, 999_999_999))),
            ((-1, 1_500_000_000), Some((0, 500_000_000))),
            ((0, i32::MIN), Some((-3, 852_516_352))),
            ((0, i32::MAX), Some((2, 147_483_647))),
            ((253_402_300_800, -1), Some((253_402_300_799, 999_999_999))),
            ((253_402_300_799, 1_000_000_000), None),
            ((-62_135_596_800, -1), None),
            ((i64::MAX, i32::MAX), None),
            ((i64::MIN, i32::MIN), None),
        ] {
            let got = timestamp(given.0, given.1).normalize().ok().map(|time| (time.seconds, time.nanos));
            assert_eq!(got, want, "{given:?}");
        }
    }

    #[test]
    fn parts_of_a_duration_have_one_sign() {
        for (given, want) in [
            ((0, -1), Some((0, -1))),
            ((1, -1), Some((0, 999_999_999))),
            ((-1, 1), Some((0, -999_999_999))),
            ((0, i32::MIN), Some((-2, -147_483_648))),
            ((-1, 1_000_000_000), Some((0, 0))),
            ((315_576_000_001, -1), Some((315_576_000_000, 999_999_999))),
            ((315_576_000_000, 1_000_000_000), None),
            ((i64::MAX, i32::MAX), None),
            ((i64::MIN, i32::MIN), None),
        ] {
            let got = duration(given.0, given.1).normalize().ok().map(|span| (span.seconds, span.nanos));
            assert_eq!(got, want, "{given:?}");
        }
    }

    #[test]
    fn text_is_that_of_json() {
        assert_eq!(timestamp(0, 1_000).to_string(), "1970-01-01T00:00:00.000001Z");
        assert_eq!(timestamp(0, -1).to_string(), "<no valid time: 0 s, -1 ns>");
        assert_eq!(duration(0, -1).to_string(), "-0.000000001s");
        assert_eq!(duration(1, -1).to_string(), "<no valid duration: 1 s, -1 ns>");
        assert_eq!("1970-01-01T01:00:00+01:00".parse(), Ok(timestamp(0, 0)));
        assert_eq!("now".parse::<Timestamp>(), Err(TimeError::TimestampText));
        assert_eq!("-1.25s".parse(), Ok(duration(-1, -250_000_000)));
        assert_eq!("1.25".parse::<Duration>(), Err(TimeError::DurationText));
    }

    #[test]
    #[cfg(feature = "std")]
    fn system_times_survive_and_their_ranges_are_checked() {
        use std::time::{SystemTime, UNIX_EPOCH};

        for time in
            [timestamp(0, 0), timestamp(-1, 999_999_999), timestamp(-2, 1), Timestamp::MIN, Timestamp::MAX]
        {
            let system = SystemTime::try_from(time.clone()).unwrap();
            assert_eq!(Timestamp::try_from(system), Ok(time));
        }
        let before = UNIX_EPOCH - StdDuration::from_millis(250);
        assert_eq!(Timestamp::try_from(before), Ok(timestamp(-1, 750_000_000)));
        assert!(Timestamp::try_from(UNIX_EPOCH + StdDuration::from_secs(253_402_300_800)).is_err());
        assert!(SystemTime::try_from(timestamp(0, 1_000_000_000)).is_err());
        assert!(Timestamp::now().seconds > 1_600_000_000);
    }

    #[test]
    fn durations_of_the_language_survive_unless_negative_or_too_long() {
        let longest = duration(315_576_000_000, 999_999_999);
        for span in [duration(0, 0), duration(0, 1), longest] {
            assert_eq!(Duration::try_from(StdDuration::try_from(span.clone()).unwrap()), Ok(span));
        }
        assert!(Duration::try_from(StdDuration::MAX).is_err());
        assert_eq!(
            StdDuration::try_from(duration(0, -1)),
            Err(TimeError::DoesNotFit { seconds: 0, nanos: -1, target: "std::time::Duration" })
        );
    }
}
