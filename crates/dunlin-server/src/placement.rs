//! Where a method's work is done: in the task of its connection, or in one of its own.
//!
//! Most methods are done at once, and then nothing is cheaper than to poll them where their request was
//! read. Those that compute would hold up their neighbours, so they get tasks, and use all cores.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Where the first poll of a method happens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// In the connection's task while the method's first poll takes less than about 10 us on average.
    #[default]
    Auto,
    /// In the connection's task, always. For methods that are known to be quick.
    InPlace,
    /// In a task of its own, always. For methods that compute.
    Spawn,
}

/// Methods above this average are spawned at once.
const SLOW: Duration = Duration::from_micros(10);
/// What all methods of a turn may take together; the others are spawned, unless they are to be in place.
pub(crate) const TURN_BUDGET: Duration = Duration::from_micros(100);
/// Every so many calls a method that is thought to be slow is tried again.
const RETRY: u32 = 256;

/// What is known of the cost of a method.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// The average of its first poll, in nanoseconds.
    average: AtomicU32,
    /// Calls that were spawned since it was measured last.
    spawned: AtomicU32,
}

impl Cost {
    /// Whether the next call is to be polled in place.
    pub(crate) fn is_in_place(&self, placement: Placement) -> bool {
        match placement {
            Placement::InPlace => true,
            Placement::Spawn => false,
            Placement::Auto => {
                u128::from(self.average.load(Ordering::Relaxed)) < SLOW.as_nanos()
                    || self.spawned.fetch_add(1, Ordering::Relaxed) % RETRY == RETRY - 1
            }
        }
    }

    /// A first poll took so long. A race between threads loses a sample, which does not matter.
    pub(crate) fn note(&self, took: Duration) {
        let sample = took.as_nanos().min(1_000_000_000) as u32;
        let average = self.average.load(Ordering::Relaxed);
        let next = average - average / 8 + sample / 8;
        self.average.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_method_is_spawned_and_tried_again_now_and_then() {
        let cost = Cost::default();
        assert!(cost.is_in_place(Placement::Auto));
        for _ in 0..20 {
            cost.note(Duration::from_micros(50));
        }
        let tried = (0..1024).filter(|_| cost.is_in_place(Placement::Auto)).count();
        assert_eq!(tried, 4);
        for _ in 0..40 {
            cost.note(Duration::from_micros(1));
        }
        assert!(cost.is_in_place(Placement::Auto));
        assert!(!cost.is_in_place(Placement::Spawn));
    }
}
