//! Whether bytes are UTF-8 (RFC 3629), without a branch for each character.
//!
//! A machine of nine states reads the bytes (Unicode 16, table 3-7). A state is the place of six bits in a word, and the
//! word of a byte holds there the state that follows it: one shift per byte, and nothing to predict, which takes half
//! the time of the standard library's check where characters of several lengths are mixed.

/// No sequence goes on from here.
const FAULT: u32 = 0;
/// Between two characters.
const START: u32 = 6;
/// One, two or three bytes of any value from 80 to BF are missing.
const ONE: u32 = 12;
const TWO: u32 = 18;
const THREE: u32 = 24;
/// The byte that follows E0 is A0 or more: no character takes more bytes than it needs.
const AFTER_E0: u32 = 30;
/// The byte that follows ED is less than A0: there are no surrogates.
const AFTER_ED: u32 = 36;
/// The byte that follows F0 is 90 or more.
const AFTER_F0: u32 = 42;
/// The byte that follows F4 is less than 90: nothing lies above U+10FFFF.
const AFTER_F4: u32 = 48;

static STEPS: [u64; 256] = {
    let mut steps = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        steps[byte] = step(byte as u8);
        byte += 1;
    }
    steps
};

/// What follows each state with this byte; `FAULT` is what no bits say.
const fn step(byte: u8) -> u64 {
    let first = match byte {
        0x00..=0x7f => START,
        0xc2..=0xdf => ONE,
        0xe0 => AFTER_E0,
        0xed => AFTER_ED,
        0xe1..=0xef => TWO,
        0xf0 => AFTER_F0,
        0xf1..=0xf3 => THREE,
        0xf4 => AFTER_F4,
        _ => FAULT,
    };
    let mut next = (first as u64) << START;
    if matches!(byte, 0x80..=0xbf) {
        next |= (START as u64) << ONE | (ONE as u64) << TWO | (TWO as u64) << THREE;
        next |= (ONE as u64) << if byte >= 0xa0 { AFTER_E0 } else { AFTER_ED };
        next |= (TWO as u64) << if byte >= 0x90 { AFTER_F0 } else { AFTER_F4 };
    }
    next
}

/// True if `bytes` are UTF-8. What is ASCII alone is passed in large steps.
#[inline(never)]
pub(super) fn is_utf8(bytes: &[u8]) -> bool {
    const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);
    const STATE: u64 = 63;
    let follow = |state: u64, &byte: &u8| STEPS[usize::from(byte)] >> (state & STATE);

    let mut state = u64::from(START);
    let (chunks, rest) = bytes.as_chunks::<16>();
    for chunk in chunks {
        if state & STATE != u64::from(START) || u128::from_ne_bytes(*chunk) & HIGH != 0 {
            state = chunk.iter().fold(state, follow);
        }
    }
    rest.iter().fold(state, follow) & STATE == u64::from(START)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn check(bytes: &[u8]) {
        assert_eq!(is_utf8(bytes), core::str::from_utf8(bytes).is_ok(), "{bytes:02x?}");
    }

    /// The first and the last byte of each kind.
    const EDGES: [u8; 24] = [
        0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee,
        0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    ];

    #[test]
    fn sequences_are_judged_as_by_the_standard_library() {
        for (a, b) in (0..=255).flat_map(|a| (0..=255).map(move |b| (a, b))) {
            check(&[a]);
            check(&[a, b]);
            EDGES.iter().for_each(|&c| check(&[a, b, c]));
        }
        for (a, b) in EDGES.iter().flat_map(|&a| EDGES.map(|b| (a, b))) {
            for (c, d) in EDGES.iter().flat_map(|&c| EDGES.map(|d| (c, d))) {
                check(&[a, b, c, d]);
                check(&[b'x', a, b, c, d, 0x80]);
            }
        }
    }

    #[test]
    fn every_character_is_known_at_every_place_around_the_large_steps() {
        for character in ['\u{7f}', 'ß', '京', '\u{d7ff}', '\u{e000}', '😀', '\u{10ffff}'] {
            let mut bytes = [0; 4];
            let encoded = character.encode_utf8(&mut bytes).as_bytes();
            for (before, after) in (0..40).flat_map(|before| (0..40).map(move |after| (before, after))) {
                let text: Vec<u8> = [&[b'a'; 40][..before], encoded, &[b'z'; 40][..after]].concat();
                assert!(is_utf8(&text));
                for cut in 1..encoded.len() {
                    check(&text[..before + cut]);
                    let mut broken = text.clone();
                    broken.remove(before + cut);
                    check(&broken);
                }
            }
        }
    }
}
