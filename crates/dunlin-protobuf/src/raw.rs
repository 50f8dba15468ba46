//! All unsafe code of this crate: text that is known to be text, writing behind the end of a buffer
//! without clearing it first, and scalars lent as the messages that wrap them.
//!
//! The first two are on the path of every string and every encoded byte. Checking text with the standard
//! library alone makes decoding of strings 1.3 times slower, clearing the buffer makes encoding of
//! large `bytes` fields 1.7 times slower (`bench/codec`, strings and media).
#![allow(unsafe_code)]

mod shared_string;
mod transparent;

use alloc::vec::Vec;
use core::mem::MaybeUninit;

use bytes::BytesMut;

pub use shared_string::SharedString;
pub(crate) use transparent::Wrapper;

/// The text that `bytes` are, if they are UTF-8.
#[inline(always)]
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    if is_ascii(bytes) {
        // SAFETY: every byte is below 0x80, as was just checked, and ASCII is UTF-8.
        return Some(unsafe { core::str::from_utf8_unchecked(bytes) });
    }
    core::str::from_utf8(bytes).ok()
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
    if len < 8 {
        return bytes.iter().fold(0, |all, byte| all | byte) < 0x80;
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

/// A stretch of memory that is filled from its start, without gaps.
#[derive(Debug)]
pub(crate) struct Output<'o> {
    memory: &'o mut [MaybeUninit<u8>],
    /// Everything before is initialised.
    pos: usize,
}

impl Output<'_> {
    /// Writes one byte.
    ///
    /// # Panics
    /// When the memory is full.
    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.memory[self.pos].write(byte);
        self.pos += 1;
    }

    /// Writes a slice.
    ///
    /// # Panics
    /// When it does not fit.
    #[inline(always)]
    pub(crate) fn slice(&mut self, bytes: &[u8]) {
        let end = self.pos + bytes.len();
        fill(&mut self.memory[self.pos..end], bytes);
        self.pos = end;
    }

    /// Writes two bytes.
    ///
    /// # Panics
    /// When they do not fit.
    #[inline(always)]
    pub(crate) fn two(&mut self, first: u8, second: u8) {
        let place = &mut self.memory[self.pos..self.pos + 2];
        place[0].write(first);
        place[1].write(second);
        self.pos += 2;
    }

    /// Writes two bytes and the first `len` of `chunk`; false if there is no room for all of it.
    #[inline(always)]
    pub(crate) fn two_and_part_of<const N: usize>(
        &mut self,
        first: u8,
        second: u8,
        chunk: &[u8; N],
        len: usize,
    ) -> bool {
        assert!(len <= N);
        let Some(place) = self.memory.get_mut(self.pos..self.pos + 2 + N) else { return false };
        place[0].write(first);
        place[1].write(second);
        // A fixed number of bytes is cheaper than a number that varies; what is too much is overwritten.
        place[2..].copy_from_slice(uninit(chunk));
        self.pos += 2 + len;
        true
    }

    /// Writes two bytes and a slice of at most 32 bytes.
    ///
    /// # Panics
    /// When they do not fit, or there are more.
    #[inline(always)]
    pub(crate) fn two_and_short(&mut self, first: u8, second: u8, bytes: &[u8]) {
        let end = self.pos + 2 + bytes.len();
        let place = &mut self.memory[self.pos..end];
        place[0].write(first);
        place[1].write(second);
        assert!(fill_short(&mut place[2..], bytes));
        self.pos = end;
    }
}

/// Copies `bytes` to a place of the same length.
#[inline(always)]
fn fill(place: &mut [MaybeUninit<u8>], bytes: &[u8]) {
    if !fill_short(place, bytes) {
        place.copy_from_slice(uninit(bytes));
    }
}

/// Copies up to 32 bytes to a place of the same length; false if there are more.
///
/// Most strings are short, and a call of the system's copy costs more than copying them.
#[inline(always)]
fn fill_short(place: &mut [MaybeUninit<u8>], bytes: &[u8]) -> bool {
    let len = bytes.len();
    assert_eq!(place.len(), len);
    /// The first bytes and the last; they may overlap.
    macro_rules! both_ends {
        ($len:literal) => {
            if let (Some(first), Some(last)) = (bytes.first_chunk::<$len>(), bytes.last_chunk::<$len>()) {
                place[..$len].copy_from_slice(uninit(first));
                place[len - $len..].copy_from_slice(uninit(last));
            }
        };
    }
    match len {
        0 => {}
        1..4 => {
            place[0].write(bytes[0]);
            place[len / 2].write(bytes[len / 2]);
            place[len - 1].write(bytes[len - 1]);
        }
        4..=16 => {
            // Two or four pieces of four bytes, which overlap; without a jump, which is hard to predict.
            let inner = len / 8 * 4;
            for at in [0, inner, len - 4 - inner, len - 4] {
                // SAFETY: `inner` is 0 below 8, 4 below 16 and 8 at 16, so that `at` is at most
                // `len - 4` in each.
                unsafe {
                    let piece = bytes.as_ptr().add(at).cast::<[u8; 4]>().read();
                    place.as_mut_ptr().add(at).cast::<[u8; 4]>().write(piece);
                }
            }
        }
        17..=32 => both_ends!(16),
        _ => return false,
    }
    true
}

/// Initialised bytes where the others may be uninitialised.
#[inline(always)]
fn uninit(bytes: &[u8]) -> &[MaybeUninit<u8>] {
    // SAFETY: a byte that may be uninitialised has the layout of a byte, and nothing can be written
    // through the shared reference.
    unsafe { &*(core::ptr::from_ref(bytes) as *const [MaybeUninit<u8>]) }
}

/// Appends `len` bytes that `write` writes.
///
/// # Panics
/// When `write` writes another number of bytes.
pub(crate) fn append(out: &mut Vec<u8>, len: usize, write: impl for<'o> FnOnce(Output<'o>) -> Output<'o>) {
    let start = out.len();
    out.reserve(len);
    let output = write(Output { memory: &mut out.spare_capacity_mut()[..len], pos: 0 });
    // Not even another `Output` could come back, because none but this has its lifetime.
    assert_eq!(output.pos, len, "a message changed while it was encoded");
    // SAFETY: an `Output` is only ever filled from its start without gaps, and it is full.
    unsafe { out.set_len(start + len) };
}

/// Appends `len` bytes that `write` writes.
///
/// # Panics
/// When `write` writes another number of bytes.
pub(crate) fn append_bytes(
    out: &mut BytesMut,
    len: usize,
    write: impl for<'o> FnOnce(Output<'o>) -> Output<'o>,
) {
    let start = out.len();
    out.reserve(len);
    let output = write(Output { memory: &mut out.spare_capacity_mut()[..len], pos: 0 });
    // Not even another `Output` could come back, because none but this has its lifetime.
    assert_eq!(output.pos, len, "a message changed while it was encoded");
    // SAFETY: an `Output` is only ever filled from its start without gaps, and it is full.
    unsafe { out.set_len(start + len) };
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn what_is_written_is_appended() {
        let mut vec = alloc::vec![1];
        append(&mut vec, 8, |mut out| {
            out.byte(2);
            out.slice(&[3, 4]);
            out.two(5, 6);
            out.two_and_short(7, 8, &[9]);
            out
        });
        assert_eq!(vec, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut bytes = BytesMut::from(&[1][..]);
        append_bytes(&mut bytes, 1, |mut out| {
            out.byte(2);
            out
        });
        assert_eq!(&bytes[..], [1, 2]);
    }

    #[test]
    fn slices_of_every_length_are_written() {
        for len in 0..100 {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8 + 1).collect();
            let mut vec = Vec::new();
            append(&mut vec, 2 * len + 2, |mut out| {
                out.slice(&bytes);
                if len <= 32 {
                    out.two_and_short(0, 0, &bytes);
                } else {
                    out.two(0, 0);
                    out.slice(&bytes);
                }
                out
            });
            assert_eq!(vec, [&bytes[..], &[0, 0], &bytes].concat());
        }
    }

    #[test]
    #[should_panic(expected = "changed while it was encoded")]
    fn bytes_that_were_not_written_are_not_shown() {
        append(&mut Vec::new(), 2, |mut out| {
            out.byte(1);
            out
        });
    }
}
