//! The time types of `jiff`.

use super::TimeError;
use crate::wkt::{Duration, Timestamp};

/// Fails for a time outside of the years 1 to 9999; those of `jiff` start in -9999.
impl TryFrom<jiff::Timestamp> for Timestamp {
    type Error = TimeError;

    fn try_from(time: jiff::Timestamp) -> Result<Self, TimeError> {
        // Before 1970, jiff counts both parts backward.
        Self { seconds: time.as_second(), nanos: time.subsec_nanosecond(), ..Self::default() }.normalize()
    }
}

/// Fails for a time that is not valid, or in the last 26 hours of the year 9999, which `jiff` keeps for
/// offsets.
impl TryFrom<Timestamp> for jiff::Timestamp {
    type Error = TimeError;

    fn try_from(time: Timestamp) -> Result<Self, TimeError> {
        time.validate()?;
        let Timestamp { seconds, nanos, .. } = time;
        Self::new(seconds, nanos).map_err(|_| TimeError::DoesNotFit {
            seconds,
            nanos,
            target: "jiff::Timestamp",
        })
    }
}

/// Fails for more than 315,576,000,000 seconds.
impl TryFrom<jiff::SignedDuration> for Duration {
    type Error = TimeError;

    fn try_from(span: jiff::SignedDuration) -> Result<Self, TimeError> {
        Self::new(span.as_secs(), span.subsec_nanos())
    }
}

/// Fails for a span that is not valid.
impl TryFrom<Duration> for jiff::SignedDuration {
    type Error = TimeError;

    fn try_from(span: Duration) -> Result<Self, TimeError> {
        span.validate()?;
        Ok(Self::new(span.seconds, span.nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_survive_and_are_checked() {
        for (seconds, nanos) in
            [(0, 0), (-1, 999_999_999), (-62_135_596_800, 1), (253_402_200_000, 999_999_999)]
        {
            let time = Timestamp::new(seconds, nanos).unwrap();
            assert_eq!(Timestamp::try_from(jiff::Timestamp::try_from(time.clone()).unwrap()), Ok(time));
        }
        assert!(Timestamp::try_from(jiff::Timestamp::MIN).is_err());
        assert!(jiff::Timestamp::try_from(Timestamp::MAX).is_err());
        assert!(jiff::Timestamp::try_from(Timestamp { nanos: -1, ..Default::default() }).is_err());

        for (seconds, nanos) in [(0, 0), (0, -1), (-1, -999_999_999), (315_576_000_000, 999_999_999)] {
            let span = Duration::new(seconds, nanos).unwrap();
            assert_eq!(Duration::try_from(jiff::SignedDuration::try_from(span.clone()).unwrap()), Ok(span));
        }
        assert!(Duration::try_from(jiff::SignedDuration::MAX).is_err());
        assert!(
            jiff::SignedDuration::try_from(Duration { seconds: 1, nanos: -1, ..Default::default() }).is_err()
        );
    }
}
