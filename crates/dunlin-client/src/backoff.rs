//! How long to wait before trying to connect again.

use std::time::Duration;

/// Exponential backoff with jitter, as gRPC has it: 1 s, 1.6 times as long after each failure up to
/// 120 s, each 20 % longer or shorter by chance.
#[derive(Clone, Copy, Debug, PartialEq)]
#[must_use]
pub struct Backoff {
    initial: Duration,
    multiplier: f64,
    most: Duration,
    jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), multiplier: 1.6, most: Duration::from_secs(120), jitter: 0.2 }
    }
}

impl Backoff {
    /// The wait after the first failure. 1 s.
    pub fn initial(self, initial: Duration) -> Self {
        Self { initial, ..self }
    }

    /// What each failure multiplies it with, at least 1. 1.6.
    pub fn multiplier(self, multiplier: f64) -> Self {
        Self { multiplier: multiplier.max(1.0), ..self }
    }

    /// The longest. 120 s.
    pub fn most(self, most: Duration) -> Self {
        Self { most, ..self }
    }

    /// The part by which it is longer or shorter by chance, from 0 to 1. 0.2.
    pub fn jitter(self, jitter: f64) -> Self {
        Self { jitter: jitter.clamp(0.0, 1.0), ..self }
    }

    pub(crate) fn first(&self) -> Duration {
        self.initial
    }

    /// From the beginning of the attempt that was the `failures`th to fail in a row to the next one.
    pub fn after(&self, failures: u32) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
        let wait = self.initial.as_secs_f64() * self.multiplier.powi(exponent);
        let wait = wait.min(self.most.as_secs_f64());
        let by_chance = (fastrand::f64() * 2.0 - 1.0) * self.jitter * wait;
        Duration::try_from_secs_f64(wait + by_chance).unwrap_or(self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_most() {
        let exact = Backoff::default().jitter(0.0);
        assert_eq!(exact.after(1), Duration::from_secs(1));
        assert_eq!(exact.after(2), Duration::from_millis(1600));
        assert_eq!(exact.after(100), Duration::from_secs(120));
        assert_eq!(exact.after(u32::MAX), Duration::from_secs(120));
        for failures in 1..20 {
            let (wait, wanted) = (Backoff::default().after(failures), exact.after(failures));
            assert!(wait >= wanted.mul_f64(0.799) && wait <= wanted.mul_f64(1.201), "{wait:?} {wanted:?}");
        }
    }
}
