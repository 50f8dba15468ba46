//! What came lately, by hashes: enough to tell what repeats from what does not.

/// The last few hashes.
#[derive(Debug)]
pub(super) struct Seen<const N: usize> {
    hashes: [u32; N],
    next: usize,
}

impl<const N: usize> Default for Seen<N> {
    fn default() -> Self {
        Self { hashes: [0; N], next: 0 }
    }
}

impl<const N: usize> Seen<N> {
    /// Whether this is one of them; else it is from now on.
    pub(super) fn has(&mut self, hash: u32) -> bool {
        if self.hashes.contains(&hash) {
            return true;
        }
        self.hashes[self.next] = hash;
        self.next = (self.next + 1) % N;
        false
    }
}

pub(super) fn hash(seed: u64, text: &[u8]) -> u64 {
    let mix = |state: u64, word: u64| (state ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let mut chunks = text.chunks_exact(8);
    let mut state = mix(seed, text.len() as u64);
    for chunk in &mut chunks {
        state = mix(state, u64::from_le_bytes(chunk.try_into().expect("chunks of eight")));
    }
    chunks.remainder().iter().fold(state, |state, &byte| mix(state, u64::from(byte)))
}

/// Never 0, which stands for nothing in [`Seen`].
pub(super) fn fold(hash: u64) -> u32 {
    ((hash ^ (hash >> 32)) as u32) | 1
}
