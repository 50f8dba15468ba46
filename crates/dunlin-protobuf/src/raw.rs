//! All unsafe code of this crate: text that is known to be text, writing behind the end of a buffer
//! without clearing it first, and scalars lent as the messages that wrap them.
//!
//! The first two are on the path of every string and every encoded byte. Checking text with the standard
//! library alone makes decoding of strings 1.3 times slower, clearing the buffer makes encoding of
//! large `bytes` fields 1.7 times slower (`bench/codec`, strings and media).
#![allow(unsafe_code)]

mod output;
mod shared_string;
mod transparent;
mod utf8;

use output::fill_short;
pub(crate) use output::{Buffer, Output, Written, append, push_texts};
pub use shared_string::SharedString;
pub(crate) use transparent::Wrapper;

/// The text that `bytes` are, if they are UTF-8.
#[inline(always)]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) || utf8::is_utf8(bytes) {
        // SAFETY: that these bytes are UTF-8 was just checked; ASCII is.
        return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    None
}

/// True if no byte has its highest bit set. Made for short slices of any alignment.
#[inline(always)]
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let word = |at: usize| match bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        Some(chunk) => u64::from_le_bytes(*chunk),
        None => HIGH,
    };
    let len = bytes.len();
    if len < 4 {
        return bytes.iter().fold(0, |all, byte| all | byte) < 0x80;
    }
    if len < 8 {
        // As below, with halves of a word.
        let half = |at: usize| {
            bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(!0, |chunk| u32::from_le_bytes(*chunk))
        };
        return (half(0) | half(len - 4)) & HIGH as u32 == 0;
    }
    if len <= 16 {
        // The two words overlap.
        return (word(0) | word(len - 8)) & HIGH == 0;
    }
    let (chunks, _) = bytes.as_chunks::<16>();
    let all = chunks.iter().fold(0u128, |all, chunk| all | u128::from_le_bytes(*chunk));
    let high = u128::from(HIGH) << 64 | u128::from(HIGH);
    (all & high) == 0 && (word(len - 16) | word(len - 8)) & HIGH == 0
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn text_is_what_the_standard_library_says_it_is() {
        // Every length around the steps, with a byte that is not ASCII at every place.
        for len in 0..70 {
            let ascii: Vec<u8> = (0..len).map(|i| b'a' + (i % 26) as u8).collect();
            assert_eq!(text(&ascii), core::str::from_utf8(&ascii).ok());
            for at in 0..len {
                let mut bytes = ascii.clone();
                bytes[at] = 0xff;
                assert_eq!(text(&bytes), None, "{at} of {len}");
                if at + 1 < len {
                    bytes[at..at + 2].copy_from_slice("ü".as_bytes());
                    assert_eq!(text(&bytes), core::str::from_utf8(&bytes).ok(), "{at} of {len}");
                }
            }
        }
    }
}
