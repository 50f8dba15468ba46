//! What is written to, before it is known how long it becomes.

use alloc::string::String;
use alloc::vec::Vec;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

use bytes::BytesMut;

use crate::wire::write::{varint_len, varint_to};

/// What is longer lies in the buffer that it is for; what is shorter is copied there, so that the buffer grows once
/// and to what is needed.
const ASIDE: usize = 1024;

/// Below this number of bytes the memory grows eightfold, else twofold.
const SMALL: usize = 1 << 14;

/// From this number of bytes on, it is asked how long all becomes rather than making room for it again and again.
const LARGE: usize = 4096;

/// Something that bytes are appended to.
pub(crate) trait Buffer {
    /// Appends bytes.
    fn extend(&mut self, bytes: &[u8]);

    /// The memory behind the bytes.
    fn spare(&mut self) -> &mut [MaybeUninit<u8>];

    /// Makes room for `more` bytes behind the `filled` ones that are not its own yet.
    ///
    /// # Safety
    /// So many bytes of the spare memory are initialised.
    unsafe fn grow(&mut self, filled: usize, more: usize);

    /// Owns bytes that were written behind its end.
    ///
    /// # Safety
    /// So many bytes of the spare memory are initialised.
    unsafe fn advance(&mut self, filled: usize);
}

macro_rules! buffers {
    ($($type:ty)*) => {$(
        impl Buffer for $type {
            fn extend(&mut self, bytes: &[u8]) {
                self.extend_from_slice(bytes);
            }

            fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
                self.spare_capacity_mut()
            }

            unsafe fn grow(&mut self, filled: usize, more: usize) {
                let start = self.len();
                // SAFETY: the caller says that they are initialised.
                unsafe { self.set_len(start + filled) };
                self.reserve(more);
                // Not its own yet: nobody shall see a part of a message.
                self.truncate(start);
            }

            unsafe fn advance(&mut self, filled: usize) {
                let len = self.len() + filled;
                // SAFETY: the caller says that they are initialised.
                unsafe { self.set_len(len) };
            }
        }
    )*};
}

buffers! { Vec<u8> BytesMut }

/// Memory that is filled from its start, without gaps, and grows when it is full.
pub(crate) struct Output<'o> {
    /// The first byte, the next one to write, and the one behind the last. Everything before `next` is initialised.
    start: *mut u8,
    next: *mut u8,
    end: *mut u8,
    buffer: &'o mut dyn Buffer,
    measure: &'o dyn Fn() -> usize,
    is_aside: bool,
    aside: PhantomData<&'o mut [MaybeUninit<u8>]>,
}

impl core::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Output").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Appends what `write` writes; `measure` says how much that is. Nothing is appended if they panic.
#[inline]
pub(crate) fn append<B: Buffer>(
    buffer: &mut B,
    measure: impl Fn() -> usize,
    write: impl FnOnce(Output<'_>) -> Written,
) {
    let mut aside = [MaybeUninit::uninit(); ASIDE];
    let spare = buffer.spare();
    let is_aside = spare.len() < ASIDE;
    let memory = if is_aside { &mut aside[..] } else { spare };
    let range = memory.as_mut_ptr_range();
    let (start, end) = (range.start.cast(), range.end.cast());
    write(Output { start, next: start, end, buffer, measure: &measure, is_aside, aside: PhantomData });
}

/// Shows that an output was finished.
pub(crate) struct Written(());

impl Output<'_> {
    /// The number of bytes written.
    #[inline(always)]
    pub(crate) fn len(&self) -> usize {
        self.next as usize - self.start as usize
    }

    /// The bytes written.
    #[inline(always)]
    pub(crate) fn written(&mut self) -> &mut [u8] {
        // SAFETY: everything before `next` is initialised, and nothing else refers to the memory.
        unsafe { core::slice::from_raw_parts_mut(self.start, self.len()) }
    }

    /// Takes back the last bytes.
    ///
    /// # Panics
    /// When there are fewer.
    pub(crate) fn shorten(&mut self, by: usize) {
        let len = self.len() - by;
        assert!(len <= self.len());
        // SAFETY: so many bytes are initialised.
        self.next = unsafe { self.start.add(len) };
    }

    /// Appends the bytes to the buffer.
    #[inline]
    pub(crate) fn finish(self) -> Written {
        let len = self.len();
        if self.is_aside {
            // SAFETY: everything before `next` is initialised.
            self.buffer.extend(unsafe { core::slice::from_raw_parts(self.start, len) });
        } else {
            // SAFETY: the memory is the buffer's spare, and everything before `next` is initialised.
            unsafe { self.buffer.advance(len) };
        }
        Written(())
    }

    #[inline(always)]
    fn room(&self) -> usize {
        self.end as usize - self.next as usize
    }

    /// Makes room for `len` bytes.
    #[inline(always)]
    pub(crate) fn ensure(&mut self, len: usize) {
        if self.room() < len {
            self.grow(len);
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, needed: usize) {
        let len = self.len();
        let more = match len {
            _ if needed >= LARGE => (self.measure)().saturating_sub(len),
            0..SMALL => len * 7,
            _ => len,
        };
        let more = more.max(needed);
        if self.is_aside {
            // SAFETY: nothing is filled yet.
            unsafe { self.buffer.grow(0, len + more) };
            // SAFETY: everything before `next` is initialised; as bytes that may not be, they may be copied.
            let bytes: &[MaybeUninit<u8>] = unsafe { core::slice::from_raw_parts(self.start.cast(), len) };
            self.buffer.spare()[..len].copy_from_slice(bytes);
            self.is_aside = false;
        } else {
            // SAFETY: the memory is the buffer's spare, and everything before `next` is initialised.
            unsafe { self.buffer.grow(len, more) };
        }
        let spare = self.buffer.spare();
        assert!(spare.len() >= len + needed);
        let range = spare.as_mut_ptr_range();
        (self.start, self.end) = (range.start.cast(), range.end.cast());
        // SAFETY: the memory is longer, as was just checked.
        self.next = unsafe { self.start.add(len) };
    }

    /// Writes bytes.
    ///
    /// # Safety
    /// There is room.
    #[inline(always)]
    unsafe fn push<const N: usize>(&mut self, bytes: [u8; N]) {
        // SAFETY: the caller made room.
        unsafe {
            self.next.cast::<[u8; N]>().write(bytes);
            self.next = self.next.add(N);
        }
    }

    /// Writes one byte.
    #[inline(always)]
    pub(crate) fn byte(&mut self, byte: u8) {
        self.ensure(1);
        // SAFETY: there is room.
        unsafe { self.push([byte]) };
    }

    /// Writes two bytes.
    #[inline(always)]
    pub(crate) fn two(&mut self, first: u8, second: u8) {
        self.ensure(2);
        // SAFETY: there is room.
        unsafe { self.push([first, second]) };
    }

    /// Writes a byte and more of them.
    #[inline(always)]
    pub(crate) fn one_and_array<const N: usize>(&mut self, first: u8, bytes: [u8; N]) {
        self.ensure(1 + N);
        // SAFETY: there is room.
        unsafe {
            self.push([first]);
            self.push(bytes);
        }
    }

    /// Writes a varint.
    #[inline(always)]
    pub(crate) fn varint(&mut self, value: u64) {
        if self.room() < 10 {
            return self.varint_at_end(value);
        }
        // SAFETY: there is room for the longest.
        self.next = unsafe { put_varint(self.next, value) };
    }

    /// Writes a varint where there may be no room for more than that, if at all.
    #[cold]
    #[inline(never)]
    fn varint_at_end(&mut self, value: u64) {
        let mut bytes = [0; 10];
        let len = varint_to(&mut bytes, value);
        self.slice(&bytes[..len]);
    }

    /// Writes varints.
    #[inline(always)]
    pub(crate) fn varints<T>(&mut self, values: &[T], raw: impl Fn(&T) -> u64) {
        for values in values.chunks(16) {
            if self.room() < 160 {
                values.iter().for_each(|value| self.varint(raw(value)));
                continue;
            }
            let mut next = self.next;
            for value in values {
                let value = raw(value);
                // SAFETY: there is room for the longest of each.
                unsafe {
                    if value >> 56 == 0 {
                        let (bytes, len) = spread(value);
                        next.cast::<[u8; 8]>().write(bytes);
                        next = next.add(len);
                    } else {
                        next = put_varint(next, value);
                    }
                }
            }
            self.next = next;
        }
    }

    /// Writes values of the same number of bytes.
    #[inline(always)]
    pub(crate) fn arrays<T, const N: usize>(&mut self, values: &[T], raw: impl Fn(&T) -> [u8; N]) {
        self.ensure(size_of::<[u8; N]>() * values.len());
        let next = self.next.cast::<[u8; N]>();
        for (at, value) in values.iter().enumerate() {
            // SAFETY: there is room for all.
            unsafe { next.add(at).write(raw(value)) };
        }
        // SAFETY: so many were written.
        self.next = unsafe { next.add(values.len()).cast() };
    }

    /// Writes a slice.
    #[inline(always)]
    pub(crate) fn slice(&mut self, bytes: &[u8]) {
        self.ensure(bytes.len());
        // SAFETY: there is room.
        unsafe { self.push_all(self.next, bytes) };
    }

    /// Writes a slice, and that it ends what was written.
    ///
    /// # Safety
    /// There is room at `next`, and everything before it is written.
    #[inline(always)]
    unsafe fn push_all(&mut self, next: *mut u8, bytes: &[u8]) {
        // SAFETY: the caller made room; who has a shared slice has none of this memory.
        unsafe {
            fill(core::slice::from_raw_parts_mut(next.cast(), bytes.len()), bytes);
            self.next = next.add(bytes.len());
        }
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
        if self.room() < 2 + N {
            return false;
        }
        let next = self.next;
        // SAFETY: there is room for all of it. A fixed number of bytes is cheaper than a number that varies; what is
        // too much is overwritten.
        unsafe {
            next.cast::<[u8; 2]>().write([first, second]);
            next.add(2).cast::<[u8; N]>().write(*chunk);
            self.next = next.add(2 + len);
        }
        true
    }

    /// Writes two bytes and a slice of at most 32; false if it is longer, or there is no room.
    #[inline(always)]
    pub(crate) fn two_and_short(&mut self, first: u8, second: u8, bytes: &[u8]) -> bool {
        if bytes.len() > 32 || self.room() < 2 + bytes.len() {
            return false;
        }
        let next = self.next;
        // SAFETY: there is room.
        unsafe {
            next.cast::<[u8; 2]>().write([first, second]);
            self.push_all(next.add(2), bytes);
        }
        true
    }
}

/// Appends texts, most of which are short.
#[inline(always)]
pub(crate) fn push_texts<const N: usize>(out: &mut String, texts: [&str; N]) {
    let len = texts.iter().map(|text| text.len()).sum();
    // SAFETY: what is appended is text.
    let bytes = unsafe { out.as_mut_vec() };
    if bytes.capacity() - bytes.len() < len {
        make_room(bytes, len);
    }
    let mut place = &mut bytes.spare_capacity_mut()[..len];
    for text in texts {
        let (now, rest) = place.split_at_mut(text.len());
        fill(now, text.as_bytes());
        place = rest;
    }
    let len = bytes.len() + len;
    // SAFETY: the texts fill what they are long.
    unsafe { bytes.set_len(len) };
}

#[cold]
#[inline(never)]
fn make_room(bytes: &mut Vec<u8>, len: usize) {
    bytes.reserve(len);
}

/// Writes a varint to where there is room for it, and returns what is behind it.
///
/// # Safety
/// There is room.
#[inline(always)]
unsafe fn put_varint(mut next: *mut u8, mut value: u64) -> *mut u8 {
    // SAFETY: the caller made room.
    unsafe {
        while value >= 0x80 {
            next.write(value as u8 | 0x80);
            next = next.add(1);
            value >>= 7;
        }
        next.write(value as u8);
        next.add(1)
    }
}

/// A varint of at most eight bytes, and how many they are. Without a jump, which is hard to predict.
#[inline(always)]
fn spread(value: u64) -> ([u8; 8], usize) {
    let len = varint_len(value);
    let quads = value & 0x0fff_ffff | (value & 0x00ff_ffff_f000_0000) << 4;
    let pairs = quads & 0x0000_3fff_0000_3fff | (quads & 0x0fff_c000_0fff_c000) << 2;
    let bytes = pairs & 0x007f_007f_007f_007f | (pairs & 0x3f80_3f80_3f80_3f80) << 1;
    let more = 0x0080_8080_8080_8080 & !(u64::MAX << (8 * (len - 1)));
    ((bytes | more).to_le_bytes(), len)
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
pub(super) fn fill_short(place: &mut [MaybeUninit<u8>], bytes: &[u8]) -> bool {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Appends what `write` writes, without a measure.
    fn appended(buffer: &mut impl Buffer, write: impl FnOnce(&mut Output<'_>)) {
        append(
            buffer,
            || 0,
            |mut out| {
                write(&mut out);
                out.finish()
            },
        );
    }

    #[test]
    fn what_is_written_is_appended() {
        let mut vec = alloc::vec![1];
        appended(&mut vec, |out| {
            out.byte(2);
            out.slice(&[3, 4]);
            out.two(5, 6);
            assert!(out.two_and_short(7, 8, &[9]));
            assert!(out.two_and_part_of(10, 11, &[12, 13, 14], 2));
            out.written()[2] = 0;
        });
        assert_eq!(vec, [1, 2, 3, 0, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        let mut bytes = BytesMut::from(&[1][..]);
        appended(&mut bytes, |out| {
            out.byte(2);
        });
        assert_eq!(&bytes[..], [1, 2]);
    }

    #[test]
    fn slices_of_every_length_are_written_wherever_the_memory_ends() {
        for len in 0..100 {
            for before in [0, ASIDE - 100, ASIDE - 50, ASIDE - 3] {
                let bytes: Vec<u8> = (0..len).map(|i| i as u8 + 1).collect();
                let wanted = [&alloc::vec![7; before][..], &bytes[..], &[0, 0], &bytes].concat();
                let write = |out: &mut Output<'_>| {
                    (0..before).for_each(|_| out.byte(7));
                    out.slice(&bytes);
                    if !out.two_and_short(0, 0, &bytes) {
                        out.two(0, 0);
                        out.slice(&bytes);
                    }
                };
                let mut vec = Vec::new();
                appended(&mut vec, write);
                assert_eq!(vec, wanted);
                let mut bytes = BytesMut::new();
                appended(&mut bytes, write);
                assert_eq!(bytes, wanted);
            }
        }
    }

    #[test]
    fn varints_of_every_length_are_written() {
        let values: Vec<u64> = (0..64).flat_map(|bit| [(1 << bit) - 1, 1 << bit, u64::MAX >> bit]).collect();
        let mut vec = Vec::new();
        appended(&mut vec, |out| {
            out.varints(&values, |value| *value);
        });
        let mut wanted = Vec::new();
        values.iter().for_each(|value| crate::wire::write::varint(*value, &mut wanted));
        assert_eq!(vec, wanted);
    }

    #[test]
    fn texts_of_every_length_are_appended() {
        let text = "ä".repeat(40);
        let mut out = String::new();
        let mut wanted = String::new();
        for len in (0..=text.len()).step_by(2) {
            push_texts(&mut out, ["<", &text[..len], ">>", ""]);
            wanted = wanted + "<" + &text[..len] + ">>";
        }
        assert_eq!(out, wanted);
    }

    #[test]
    fn memory_grows_as_often_as_it_must() {
        for room in [0, ASIDE, 5000] {
            let mut vec = Vec::with_capacity(room + 1);
            vec.push(1);
            appended(&mut vec, |out| {
                for i in 0..100_000 {
                    out.varint(i);
                }
            });
            let mut wanted = alloc::vec![1];
            (0..100_000).for_each(|i| crate::wire::write::varint(i, &mut wanted));
            assert_eq!(vec, wanted);
        }
    }

    #[test]
    fn short_messages_take_the_memory_that_they_need() {
        let mut vec = Vec::new();
        appended(&mut vec, |out| {
            out.slice(&[1; 100]);
        });
        assert_eq!(vec.capacity(), 100);
    }

    #[test]
    fn large_messages_take_the_memory_that_they_need() {
        let mut vec = Vec::new();
        append(
            &mut vec,
            || 50_100,
            |mut out| {
                out.slice(&[1; 100]);
                for _ in 0..5 {
                    out.slice(&[2; 10_000]);
                }
                out.finish()
            },
        );
        assert_eq!((vec.len(), vec.capacity()), (50_100, 50_100));
    }

    #[cfg(feature = "std")]
    #[test]
    fn nothing_is_appended_by_what_panics() {
        for room in [0, 10_000] {
            let mut vec = Vec::with_capacity(room);
            vec.push(1);
            let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                appended(&mut vec, |out| {
                    out.slice(&[2; 20_000]);
                    panic!("in between");
                });
            }));
            assert!(panicked.is_err());
            assert_eq!(vec, [1]);
        }
    }
}
