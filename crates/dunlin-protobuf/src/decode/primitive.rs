//! Varints, fixed-width values and lengths from a slice and a position.

use alloc::vec::Vec;

use super::{DecodeError, Fault};
use crate::wire::MAX_FIELD_NUMBER;

/// A tag: field number and wire type, both checked.
#[inline(always)]
pub(crate) fn tag(buf: &[u8], pos: &mut usize) -> Result<u32, Fault> {
    let value = match buf.get(*pos) {
        Some(&byte) if byte < 0x80 => {
            *pos += 1;
            u32::from(byte)
        }
        _ => match buf.get(*pos..*pos + 2) {
            Some(&[low, high]) if high < 0x80 => {
                *pos += 2;
                u32::from(low & 0x7f) | u32::from(high) << 7
            }
            _ => tag_slow(buf, pos)?,
        },
    };
    // Wire types 6 and 7, and field number 0.
    if value & 7 > 5 || value < 8 {
        return Err(Fault::InvalidTag);
    }
    Ok(value)
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

/// A varint of up to ten bytes.
#[inline(always)]
pub(crate) fn varint(buf: &[u8], pos: &mut usize) -> Result<u64, Fault> {
    match buf.get(*pos) {
        Some(&byte) if byte < 0x80 => {
            *pos += 1;
            Ok(u64::from(byte))
        }
        _ => varint_long(buf, pos),
    }
}

#[inline]
fn varint_long(buf: &[u8], pos: &mut usize) -> Result<u64, Fault> {
    if let Some(eight) = buf.get(*pos..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends != 0 {
            let bits = ends.trailing_zeros() + 1;
            *pos += (bits / 8) as usize;
            return Ok(squeeze(word & (u64::MAX >> (64 - bits))));
        }
    }
    if let Some(&[low @ .., ninth, tenth]) = buf.get(*pos..).and_then(|rest| rest.first_chunk::<10>()) {
        // Negative numbers have ten bytes.
        let low = squeeze(u64::from_le_bytes(low)) | u64::from(ninth & 0x7f) << 56;
        if ninth < 0x80 {
            *pos += 9;
            return Ok(low);
        }
        if tenth < 0x80 {
            *pos += 10;
            return Ok(low | u64::from(tenth) << 63);
        }
    }
    varint_slow(buf, pos)
}

/// The low seven bits of each byte, put together.
#[inline(always)]
const fn squeeze(word: u64) -> u64 {
    let word = word & 0x7f7f_7f7f_7f7f_7f7f;
    let word = (word & 0x007f_007f_007f_007f) | (word & 0x7f00_7f00_7f00_7f00) >> 1;
    let word = (word & 0x0000_3fff_0000_3fff) | (word & 0x3fff_0000_3fff_0000) >> 2;
    (word & 0x0fff_ffff) | (word & 0x0fff_ffff_0000_0000) >> 4
}

#[inline(never)]
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
    let value = buf.get(*pos..).and_then(|rest| rest.first_chunk::<N>()).ok_or(Fault::Truncated)?;
    *pos += N;
    Ok(*value)
}

/// The position behind a length-delimited value, whose length is read.
#[inline(always)]
pub(crate) fn end(buf: &[u8], pos: &mut usize) -> Result<usize, Fault> {
    let len = varint(buf, pos)?;
    if len > (buf.len() - *pos) as u64 {
        return Err(if len > i32::MAX as u64 { Fault::LengthTooLarge } else { Fault::Truncated });
    }
    Ok(*pos + len as usize)
}

/// A length-delimited value.
#[inline(always)]
pub(crate) fn take<'a>(buf: &'a [u8], pos: &mut usize) -> Result<&'a [u8], Fault> {
    let end = end(buf, pos)?;
    let value = &buf[*pos..end];
    *pos = end;
    Ok(value)
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
    run.iter().filter(|&&byte| byte < 0x80).count()
}

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
    let mut places = values[start..].iter_mut();
    let mut pos = 0;
    while let Some(ten) = run.get(pos..).and_then(|rest| rest.first_chunk::<10>()) {
        let &[low @ .., ninth, tenth] = ten;
        let word = u64::from_le_bytes(low);
        let ends = !word & 0x8080_8080_8080_8080;
        if ends == 0x8080_8080_8080_8080 {
            // The bytes first: a zip takes from its first part before it knows that the second ended.
            for (byte, place) in low.into_iter().zip(places.by_ref()) {
                *place = convert(u64::from(byte));
            }
            pos += 8;
            continue;
        }
        let value = if ends != 0 {
            // However long it is, no branch depends on it.
            let bits = ends.trailing_zeros() + 1;
            pos += (bits / 8) as usize;
            squeeze(word & (u64::MAX >> (64 - bits)))
        } else {
            let low = squeeze(word) | u64::from(ninth & 0x7f) << 56;
            if ninth < 0x80 {
                pos += 9;
                low
            } else if tenth < 0x80 {
                pos += 10;
                low | u64::from(tenth) << 63
            } else {
                return Err(Fault::VarintTooLong);
            }
        };
        if let Some(place) = places.next() {
            *place = convert(value);
        }
    }
    while pos < run.len() {
        let value = convert(varint(run, &mut pos)?);
        if let Some(place) = places.next() {
            *place = value;
        }
    }
    Ok(())
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
    fn varints_of_every_length_are_read_with_and_without_bytes_behind_them() {
        for value in (0..64).flat_map(|bit| [1u64 << bit, (1u64 << bit) - 1, !0 >> bit]) {
            let mut bytes = Vec::new();
            write::varint(value, &mut bytes);
            let len = bytes.len();
            for padding in [0, 9] {
                bytes.resize(len + padding, 0xff);
                let mut pos = 0;
                assert_eq!(varint(&bytes, &mut pos), Ok(value), "{value:#x} and {padding} bytes");
                assert_eq!(pos, len);
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
