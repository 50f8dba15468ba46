//! Varints, fixed-width values and lengths from a slice and a position.

use alloc::vec::Vec;

use super::{DecodeError, Fault};
use crate::wire::MAX_FIELD_NUMBER;

/// Lends a copy of the position to a function that is not inlined, so that the position itself stays in a
/// register: reading waits for it at every step.
#[inline(always)]
pub(crate) fn apart<T>(pos: &mut usize, read: impl FnOnce(&mut usize) -> T) -> T {
    let mut at = *pos;
    let result = read(&mut at);
    *pos = at;
    result
}

/// A tag that may have a wire type or a field number that there is not; no field of a table has such a tag.
#[inline(always)]
pub(crate) fn unchecked_tag(buf: &[u8], pos: &mut usize) -> Result<u32, Fault> {
    match buf.get(*pos) {
        Some(&byte) if byte < 0x80 => {
            *pos += 1;
            Ok(u32::from(byte))
        }
        _ => match buf.get(*pos..).and_then(|rest| rest.first_chunk()) {
            Some(&[low, high]) if high < 0x80 => {
                *pos += 2;
                Ok(u32::from(low & 0x7f) | u32::from(high) << 7)
            }
            _ => apart(pos, |pos| tag_slow(buf, pos)),
        },
    }
}

#[cold]
fn tag_slow(buf: &[u8], pos: &mut usize) -> Result<u32, Fault> {
    let start = *pos;
    let value = varint(buf, pos)?;
    // A tag is a 32-bit varint: five bytes at most, padded or not.
    if *pos - start > 5 || value > u64::from(u32::MAX) {
        return Err(Fault::VarintTooLong);
    }
    if value >> 3 > u64::from(MAX_FIELD_NUMBER) {
        return Err(Fault::InvalidTag);
    }
    Ok(value as u32)
}

/// An error for wire types 6 and 7, and field number 0.
#[inline(always)]
pub(crate) fn check_tag(tag: u32) -> Result<(), Fault> {
    if tag & 7 > 5 || tag < 8 { Err(Fault::InvalidTag) } else { Ok(()) }
}

/// A tag: field number and wire type, both checked.
#[inline(always)]
pub(crate) fn tag(buf: &[u8], pos: &mut usize) -> Result<u32, Fault> {
    let tag = unchecked_tag(buf, pos)?;
    check_tag(tag).map(|()| tag)
}

/// A varint of up to ten bytes.
#[inline(always)]
pub(crate) fn varint(buf: &[u8], pos: &mut usize) -> Result<u64, Fault> {
    let Some(&low) = buf.get(*pos) else { return Err(Fault::Truncated) };
    if low < 0x80 {
        *pos += 1;
        return Ok(u64::from(low));
    }
    if let Some(&high) = buf.get(*pos + 1)
        && high < 0x80
    {
        // Most lengths that are not one byte are two.
        *pos += 2;
        return Ok(u64::from(low & 0x7f) | u64::from(high) << 7);
    }
    let Long { value, after } = varint_long(buf, *pos);
    if after == 0 {
        return apart(pos, |pos| varint_slow(buf, pos));
    }
    *pos = after;
    Ok(value)
}

/// What [`varint_long`] read, in two registers.
struct Long {
    value: u64,
    /// The position behind it; 0 if it was not read.
    after: usize,
}

impl Long {
    const NONE: Self = Self { value: 0, after: 0 };
}

#[inline(never)]
fn varint_long(buf: &[u8], pos: usize) -> Long {
    let Some(rest) = buf.get(pos..) else { return Long::NONE };
    let Some(eight) = rest.first_chunk() else { return varint_at_end(buf, rest.len()) };
    let word = u64::from_le_bytes(*eight);
    let ends = ends(word);
    if ends != 0 {
        let bits = ends.trailing_zeros() + 1;
        let word = word & (u64::MAX >> (64 - bits));
        let value = if bits <= 32 { squeeze_half(word as u32) } else { squeeze(word) };
        return Long { value, after: pos + (bits / 8) as usize };
    }
    if let Some(&[low @ .., ninth, tenth]) = rest.first_chunk::<10>() {
        // Negative numbers have ten bytes.
        let low = squeeze(u64::from_le_bytes(low)) | u64::from(ninth & 0x7f) << 56;
        if ninth < 0x80 {
            return Long { value: low, after: pos + 9 };
        }
        if tenth < 0x80 {
            return Long { value: low | u64::from(tenth) << 63, after: pos + 10 };
        }
    }
    Long::NONE
}

/// A varint among the last `len` bytes, fewer than eight.
#[inline(never)]
fn varint_at_end(buf: &[u8], len: usize) -> Long {
    match buf.last_chunk() {
        Some(eight) if len > 0 => {
            // Behind the end are bytes that seem to end a varint.
            let word = u64::from_le_bytes(*eight) >> (64 - 8 * len);
            let bits = ends(word).trailing_zeros() + 1;
            let value = squeeze(word & (u64::MAX >> (64 - bits)));
            let behind = (bits / 8) as usize;
            if behind <= len { Long { value, after: buf.len() - len + behind } } else { Long::NONE }
        }
        _ => Long::NONE,
    }
}

/// The low seven bits of each of four bytes, put together.
#[inline(always)]
const fn squeeze_half(word: u32) -> u64 {
    let bits = (word & 0x7f) | (word & 0x7f00) >> 1 | (word & 0x007f_0000) >> 2 | (word & 0x7f00_0000) >> 3;
    bits as u64
}

/// The low seven bits of each byte, put together.
#[inline(always)]
const fn squeeze(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
    (word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4
}

#[cold]
fn varint_slow(buf: &[u8], pos: &mut usize) -> Result<u64, Fault> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let Some(&byte) = buf.get(*pos) else { return Err(Fault::Truncated) };
        *pos += 1;
        // Bits above 64 in the tenth byte are dropped, as the other runtimes do.
        value |= u64::from(byte & 0x7f).wrapping_shl(shift);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Fault::VarintTooLong)
}

/// A little-endian value of fixed width.
#[inline(always)]
pub(crate) fn fixed<const N: usize>(buf: &[u8], pos: &mut usize) -> Result<[u8; N], Fault> {
    let Some(rest) = buf.get(*pos..) else { return Err(Fault::Truncated) };
    let Some(value) = rest.first_chunk() else { return Err(Fault::Truncated) };
    *pos += N;
    Ok(*value)
}

/// A length-delimited value.
#[inline(always)]
pub(crate) fn take<'a>(buf: &'a [u8], pos: &mut usize) -> Result<&'a [u8], Fault> {
    let len = varint(buf, pos)?;
    let Some(rest) = buf.get(*pos..) else { return Err(Fault::Truncated) };
    if len > rest.len() as u64 {
        return Err(too_short(len));
    }
    let value = &rest[..len as usize];
    *pos += value.len();
    Ok(value)
}

#[cold]
fn too_short(len: u64) -> Fault {
    if len > i32::MAX as u64 { Fault::LengthTooLarge } else { Fault::Truncated }
}

/// The position behind a length-delimited value, whose length is read.
#[inline(always)]
pub(crate) fn end(buf: &[u8], pos: &mut usize) -> Result<usize, Fault> {
    let mut end = *pos;
    let value = take(buf, &mut end);
    *pos = end - value.map_or(0, <[u8]>::len);
    value.map(|_| end)
}

/// A length-delimited value that is text.
#[inline(always)]
pub(crate) fn string<'a>(buf: &'a [u8], pos: &mut usize) -> Result<&'a str, Fault> {
    crate::raw::text(take(buf, pos)?).ok_or(Fault::InvalidUtf8)
}

/// The position behind `tag`, if that is what comes next.
#[inline(always)]
pub(crate) fn next_is(buf: &[u8], pos: usize, tag: u32) -> Option<usize> {
    if tag < 0x80 {
        return (buf.get(pos) == Some(&(tag as u8))).then_some(pos + 1);
    }
    let mut after = pos;
    (varint(buf, &mut after) == Ok(u64::from(tag)) && after - pos <= 5).then_some(after)
}

/// How many varints end in `run`.
pub(crate) fn count_varints(run: &[u8]) -> usize {
    let (words, rest) = run.as_chunks::<8>();
    let mut count = rest.iter().filter(|&&byte| byte < 0x80).count();
    // Each byte of a word counts the ends in its column, up to 255 of them.
    for words in words.chunks(255) {
        let columns: u64 = words.iter().map(|word| ends(u64::from_le_bytes(*word)) >> 7).sum();
        let pairs = (columns & 0x00ff_00ff_00ff_00ff) + (columns >> 8 & 0x00ff_00ff_00ff_00ff);
        count += (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize;
    }
    count
}

/// The highest bit of each byte that ends a varint.
#[inline(always)]
const fn ends(word: u64) -> u64 {
    !word & 0x8080_8080_8080_8080
}

/// How many bytes of a run are looked at together, one bit for each; and how far a varint that
/// starts among them may reach, rounded up.
const BLOCK: usize = 64;
const WINDOW: usize = BLOCK + 16;

/// Appends the `count` varints of a run.
#[inline]
pub(crate) fn packed_varints<T: Copy + Default>(
    run: &[u8],
    count: usize,
    values: &mut Vec<T>,
    convert: impl Fn(u64) -> T,
) -> Result<(), Fault> {
    let start = values.len();
    values.resize(start + count, T::default());
    let mut places = &mut values[start..];
    let mut pos = 0;
    while let Some(window) = run.get(pos..).and_then(|rest| rest.first_chunk::<WINDOW>()) {
        let ends = ends_of_block(window);
        let Some(now) = places.split_off_mut(..ends.count_ones() as usize) else { break };
        if ends == u64::MAX {
            for (place, byte) in now.iter_mut().zip(window) {
                *place = convert(u64::from(*byte));
            }
            pos += BLOCK;
        } else {
            pos += block(window, ends, now, &convert)?;
        }
    }
    let mut places = places.iter_mut();
    while pos < run.len() {
        let value = convert(varint(run, &mut pos)?);
        if let Some(place) = places.next() {
            *place = value;
        }
    }
    Ok(())
}

/// One bit for each byte of a block: whether a varint ends there.
#[inline(always)]
fn ends_of_block(window: &[u8; WINDOW]) -> u64 {
    let (words, _) = window.as_chunks::<8>();
    words[..BLOCK / 8].iter().rev().fold(0, |bits, word| {
        // The multiplication moves the eight bits beside each other.
        let eight = (ends(u64::from_le_bytes(*word)) >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits << 8 | eight
    })
}

/// Reads the varints that end in a block, one into each place; gives where the next starts.
///
/// Where a varint starts depends on the bits alone, not on the bytes of the one before: the
/// processor reads several at once.
#[inline(always)]
fn block<T>(
    window: &[u8; WINDOW],
    mut ends: u64,
    places: &mut [T],
    convert: impl Fn(u64) -> T,
) -> Result<usize, Fault> {
    let mut start = 0;
    for place in places {
        let end = ends.trailing_zeros() as usize;
        ends &= ends.wrapping_sub(1);
        let len = end + 1 - start;
        // The mask tells the compiler that the window is long enough.
        let at = start % BLOCK;
        let word = window[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let value = if len <= 4 {
            squeeze_half(word as u32 & (u32::MAX >> (32 - 8 * len)))
        } else if len <= 8 {
            squeeze(word & (u64::MAX >> (64 - 8 * len)))
        } else if len <= 10 {
            let tenth = if len == 10 { u64::from(window[at + 9]) << 63 } else { 0 };
            squeeze(word) | u64::from(window[at + 8] & 0x7f) << 56 | tenth
        } else {
            return Err(Fault::VarintTooLong);
        };
        *place = convert(value);
        start = end + 1;
    }
    // Without any end, a varint is longer than the block.
    if start == 0 { Err(Fault::VarintTooLong) } else { Ok(start) }
}

/// Appends the values of a run of fixed width.
#[inline]
pub(crate) fn packed_fixed<T, const N: usize>(
    run: &[u8],
    values: &mut Vec<T>,
    convert: impl Fn([u8; N]) -> T,
) -> Result<(), Fault> {
    let (chunks, rest) = run.as_chunks::<N>();
    values.extend(chunks.iter().map(|chunk| convert(*chunk)));
    if rest.is_empty() { Ok(()) } else { Err(Fault::Truncated) }
}

/// Skips the value of `tag`; `depth` bounds the groups in one another.
pub(crate) fn skip(tag: u32, buf: &[u8], pos: &mut usize, depth: u32) -> Result<(), Fault> {
    match tag & 7 {
        0 => varint(buf, pos).map(drop),
        1 => fixed::<8>(buf, pos).map(drop),
        2 => take(buf, pos).map(drop),
        5 => fixed::<4>(buf, pos).map(drop),
        3 => skip_group(tag >> 3, buf, pos, depth),
        _ => Err(Fault::UnmatchedEndGroup),
    }
}

// Iterative: the open groups are a stack on the heap, so that depth costs no call frames.
fn skip_group(number: u32, buf: &[u8], pos: &mut usize, depth: u32) -> Result<(), Fault> {
    if depth == 0 {
        return Err(Fault::TooDeep);
    }
    let mut open = alloc::vec![number];
    while let Some(&innermost) = open.last() {
        if *pos == buf.len() {
            return Err(Fault::Truncated);
        }
        let tag = tag(buf, pos)?;
        match tag & 7 {
            3 => {
                if open.len() >= depth as usize {
                    return Err(Fault::TooDeep);
                }
                open.push(tag >> 3);
            }
            4 if tag >> 3 == innermost => {
                open.pop();
            }
            _ => skip(tag, buf, pos, depth)?,
        }
    }
    Ok(())
}

/// Start and length of the first item of a delimited stream; `None` if the length is not all there.
pub(crate) fn delimited(bytes: &[u8], limit: usize) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut pos = 0;
    match varint(bytes, &mut pos) {
        Ok(len) => match usize::try_from(len) {
            Ok(len) if len <= limit => Ok(Some((pos, len))),
            _ => Err(super::error::item_too_large(len, limit)),
        },
        Err(Fault::Truncated) => Ok(None),
        Err(fault) => Err(DecodeError::new(fault, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::write;

    #[test]
    fn varints_of_every_length_are_read_whatever_is_before_and_behind_them() {
        for value in (0..64).flat_map(|bit| [1u64 << bit, (1u64 << bit) - 1, !0 >> bit]) {
            for (before, behind, filling) in [0, 1, 7, 8, 20]
                .into_iter()
                .flat_map(|n| [(n, 0, 0x81), (n, 1, 0), (n, 6, 0xff), (n, 9, 0xff)])
            {
                let mut bytes = alloc::vec![filling; before];
                write::varint(value, &mut bytes);
                let end = bytes.len();
                bytes.resize(end + behind, filling);
                let mut pos = before;
                assert_eq!(varint(&bytes, &mut pos), Ok(value), "{value:#x} at {before}, {behind} behind");
                assert_eq!(pos, end);
            }
        }
    }

    #[test]
    fn varints_are_read_as_byte_by_byte() {
        // Of any length, padded ones among them, with anything before and behind.
        for (first, last, behind) in
            [(0x81, 0x01, 0x80), (0xff, 0x7f, 0xff), (0x80, 0x00, 0x00), (0xd5, 0x2a, 0x01)]
        {
            for (before, len, more) in (0..12)
                .flat_map(|before| (0..12).flat_map(move |len| (0..12).map(move |more| (before, len, more))))
            {
                let parts = [alloc::vec![first; before + len], alloc::vec![last], alloc::vec![behind; more]];
                let mut bytes = parts.concat();
                if more == 11 {
                    bytes.truncate(before + len);
                }
                let (mut pos, mut slow) = (before, before);
                let wanted = varint_slow(&bytes, &mut slow);
                assert_eq!((varint(&bytes, &mut pos), pos), (wanted, slow), "{bytes:x?} from {before}");
            }
        }
    }

    #[test]
    fn a_varint_that_is_cut_off_is_an_error_at_the_end() {
        for before in [0, 1, 8, 20] {
            for len in 0..10 {
                let bytes = [alloc::vec![1; before], alloc::vec![0x80; len]].concat();
                let mut pos = before;
                assert_eq!(varint(&bytes, &mut pos), Err(Fault::Truncated), "{len} bytes at {before}");
                assert_eq!(pos, bytes.len());
            }
        }
    }

    #[test]
    fn a_run_is_read_as_one_by_one() {
        // Lengths mixed in several ways, in runs that end anywhere beside a block.
        let mut value = 1u64;
        let mut next = move |bits: u32| {
            value = value.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            value >> (63 - value % u64::from(bits))
        };
        for bits in [1, 7, 8, 14, 30, 56, 64] {
            for len in (0..200).step_by(7) {
                let expected: Vec<u64> = (0..len).map(|_| next(bits)).collect();
                let mut run = Vec::new();
                expected.iter().for_each(|value| write::varint(*value, &mut run));
                assert_eq!(count_varints(&run), len);
                let mut values = alloc::vec![7];
                assert_eq!(packed_varints(&run, len, &mut values, |raw| raw), Ok(()));
                assert_eq!(values[1..], expected, "{len} of up to {bits} bits");
            }
        }
    }

    #[test]
    fn a_run_with_a_varint_of_eleven_bytes_is_an_error() {
        for before in [0, 3, 60, 70, 200] {
            for after in [0, 100] {
                let mut run = alloc::vec![1; before];
                run.extend([0xff; 10]);
                run.push(1);
                run.extend(alloc::vec![1; after]);
                let count = count_varints(&run);
                let read = packed_varints(&run, count, &mut Vec::new(), |raw| raw);
                assert_eq!(read, Err(Fault::VarintTooLong), "{before} before and {after} after");
            }
        }
    }

    #[test]
    fn a_varint_that_does_not_end_is_an_error() {
        assert_eq!(varint(&[0xff; 20], &mut 0), Err(Fault::VarintTooLong));
        assert_eq!(varint(&[0xff; 9], &mut 0), Err(Fault::Truncated));
        assert_eq!(varint(&[], &mut 0), Err(Fault::Truncated));
    }
}
