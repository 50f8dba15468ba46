//! How large windows have to be for the connection to stay busy: the bandwidth-delay product.
//!
//! While much is received, a PING now and then measures how much more arrives until it is answered.
//! If that is most of a window, the window is what holds the peer back, and it grows.

use std::time::Instant;

/// What our PING carries.
pub(crate) const PROBE: [u8; 8] = *b"bandwdth";

#[derive(Debug, Default)]
pub(crate) struct Bandwidth {
    received: u64,
    is_probing: bool,
    is_busy: bool,
    probed_at: Option<Instant>,
}

impl Bandwidth {
    pub(crate) fn received(&mut self, len: u32) {
        self.received += u64::from(len);
    }

    /// Half of a window was used up.
    pub(crate) fn is_busy(&mut self) {
        self.is_busy = true;
    }

    pub(crate) fn is_due(&self) -> bool {
        self.is_busy && !self.is_probing
    }

    /// Begins a measurement. Not more than ten in a second, as some peers count our PINGs.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let is_early = self.probed_at.is_some_and(|at| now.saturating_duration_since(at).as_millis() < 100);
        if is_early {
            return false;
        }
        *self = Self { is_probing: true, probed_at: Some(now), ..Self::default() };
        true
    }

    /// The answer. Returns the size that a window of `size` should have instead.
    pub(crate) fn end(&mut self, size: i32, max: i32) -> Option<i32> {
        if !std::mem::take(&mut self.is_probing) {
            return None;
        }
        let is_limited = self.received * 3 >= size as u64 * 2;
        let wanted = i32::try_from(self.received.saturating_mul(2)).unwrap_or(i32::MAX).min(max);
        (is_limited && wanted > size).then_some(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_is_used_up_within_a_round_trip_grows() {
        let now = Instant::now();
        let mut bandwidth = Bandwidth::default();
        assert!(!bandwidth.is_due());
        bandwidth.is_busy();
        assert!(bandwidth.is_due() && bandwidth.begin(now));
        bandwidth.received(90);
        assert_eq!(bandwidth.end(100, 1000), Some(180));
        assert_eq!(bandwidth.end(100, 1000), None);
        bandwidth.is_busy();
        assert!(!bandwidth.begin(now));
        assert!(bandwidth.begin(now + std::time::Duration::from_millis(100)));
        bandwidth.received(50);
        assert_eq!(bandwidth.end(180, 1000), None);
    }
}
