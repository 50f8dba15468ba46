//! Mutations that know a little of what they change.
//!
//! A mutation is a pure function of the input and a seed, so that the engine can repeat it. Half of
//! the time there is none, and the engine's own mutations, which follow comparisons, are used.

mod text;
mod wire;

pub use text::text;
pub use wire::wire;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn new(seed: u32) -> Self {
        Self(u64::from(seed) ^ 0x9e37_79b9_7f4a_7c15)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Below `bound`, which is at least 1.
    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// One in `times`.
    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// How many copies to make, where `room` fit: mostly few, and now and then thousands.
    fn copies(&mut self, room: usize) -> usize {
        let most = if self.one_in(50) { 4_000 } else { 16 };
        1 + self.below(room.clamp(1, most))
    }

    /// A stretch of `0..len`, mostly a short one.
    fn stretch(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len);
        let most = if self.one_in(4) { len - start } else { (len - start).min(12) };
        start..start + 1 + self.below(most)
    }
}
