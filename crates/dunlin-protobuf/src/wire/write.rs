//! Appending fields to a buffer.

use alloc::vec::Vec;

use super::WireType;

/// Appends a varint.
#[inline]
pub fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes a varint to the start of `out`, which must have room; gives its length.
#[inline]
pub(crate) fn varint_to(out: &mut [u8], mut value: u64) -> usize {
    let mut len = 0;
    while value >= 0x80 {
        out[len] = value as u8 | 0x80;
        value >>= 7;
        len += 1;
    }
    out[len] = value as u8;
    len + 1
}

/// Appends a tag.
#[inline]
pub fn tag(number: u32, wire_type: WireType, out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | wire_type as u64, out);
}

/// Appends a whole length-delimited field.
pub fn len_field(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    tag(number, WireType::Len, out);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// Appends a whole varint field.
pub fn varint_field(number: u32, value: u64, out: &mut Vec<u8>) {
    tag(number, WireType::Varint, out);
    varint(value, out);
}

/// Appends a whole four-byte field.
pub fn fixed32_field(number: u32, value: u32, out: &mut Vec<u8>) {
    tag(number, WireType::I32, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// Appends a whole eight-byte field.
pub fn fixed64_field(number: u32, value: u64, out: &mut Vec<u8>) {
    tag(number, WireType::I64, out);
    out.extend_from_slice(&value.to_le_bytes());
}

/// The number of bytes that [`varint`] appends.
#[inline]
pub const fn varint_len(value: u64) -> usize {
    // One byte for each seven bits, and one for zero: 9/64 is near enough to 1/7 up to 64 bits.
    let bits = 64 - (value | 1).leading_zeros() as usize;
    (bits * 9 + 64) / 64
}

/// The number of bytes that [`tag`] appends.
#[inline]
pub const fn tag_len(number: u32) -> usize {
    varint_len((number as u64) << 3)
}

/// ZigZag for `sint32`: 0, -1, 1, -2 become 0, 1, 2, 3.
pub const fn zigzag32(value: i32) -> u32 {
    ((value << 1) ^ (value >> 31)) as u32
}

/// ZigZag for `sint64`.
pub const fn zigzag64(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varint_len_says_what_varint_writes() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
            let mut out = Vec::new();
            varint(value, &mut out);
            assert_eq!(varint_len(value), out.len(), "{value}");
        }
    }

    #[test]
    fn zigzag_maps_small_magnitudes_to_small_numbers() {
        assert_eq!([0, -1, 1, -2, i32::MIN].map(zigzag32), [0, 1, 2, 3, u32::MAX]);
        assert_eq!([0, -1, 1, -2, i64::MIN].map(zigzag64), [0, 1, 2, 3, u64::MAX]);
    }
}
