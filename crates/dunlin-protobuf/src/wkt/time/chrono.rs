//! The time types of `chrono`.

use chrono::{DateTime, TimeDelta, Utc};

use super::TimeError;
use crate::wkt::{Duration, Timestamp};

/// Fails for a time outside of the years 1 to 9999. A leap second becomes the start of the next.
impl TryFrom<DateTime<Utc>> for Timestamp {
    type Error = TimeError;

    fn try_from(time: DateTime<Utc>) -> Result<Self, TimeError> {
        // Within a leap second, chrono counts on from a thousand million.
        let nanos = time.timestamp_subsec_nanos() as i32;
        Self { seconds: time.timestamp(), nanos, ..Self::default() }.normalize()
    }
}

/// Fails for a time that is not valid.
impl TryFrom<Timestamp> for DateTime<Utc> {
    type Error = TimeError;

    fn try_from(time: Timestamp) -> Result<Self, TimeError> {
        time.validate()?;
        let Timestamp { seconds, nanos, .. } = time;
        Self::from_timestamp(seconds, nanos.unsigned_abs()).ok_or(TimeError::DoesNotFit {
            seconds,
            nanos,
            target: "chrono::DateTime<Utc>",
        })
    }
}

/// Fails for more than 315,576,000,000 seconds.
impl TryFrom<TimeDelta> for Duration {
    type Error = TimeError;

    fn try_from(span: TimeDelta) -> Result<Self, TimeError> {
        Self::new(span.num_seconds(), span.subsec_nanos())
    }
}

/// Fails for a span that is not valid.
impl TryFrom<Duration> for TimeDelta {
    type Error = TimeError;

    fn try_from(span: Duration) -> Result<Self, TimeError> {
        span.validate()?;
        let Duration { seconds, nanos, .. } = span;
        TimeDelta::try_seconds(seconds)
            .and_then(|whole| whole.checked_add(&TimeDelta::nanoseconds(i64::from(nanos))))
            .ok_or(TimeError::DoesNotFit { seconds, nanos, target: "chrono::TimeDelta" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_survive_and_are_checked() {
        for (seconds, nanos) in
            [(0, 0), (-1, 999_999_999), (-62_135_596_800, 0), (253_402_300_799, 999_999_999)]
        {
            let time = Timestamp::new(seconds, nanos).unwrap();
            assert_eq!(Timestamp::try_from(DateTime::try_from(time.clone()).unwrap()), Ok(time));
        }
        assert!(Timestamp::try_from(DateTime::<Utc>::MAX_UTC).is_err());
        assert!(DateTime::try_from(Timestamp { nanos: -1, ..Default::default() }).is_err());

        for (seconds, nanos) in [(0, 0), (0, -1), (-1, -999_999_999), (315_576_000_000, 999_999_999)] {
            let span = Duration::new(seconds, nanos).unwrap();
            assert_eq!(Duration::try_from(TimeDelta::try_from(span.clone()).unwrap()), Ok(span));
        }
        assert!(Duration::try_from(TimeDelta::MAX).is_err());
        assert!(TimeDelta::try_from(Duration { seconds: 1, nanos: -1, ..Default::default() }).is_err());
    }
}
