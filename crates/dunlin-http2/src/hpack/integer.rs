//! Integers with a prefix (RFC 7541 §5.1).

use super::DecodeError;

/// What is left of a header block that is being decoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'b> {
    rest: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(super) fn new(block: &'b [u8]) -> Self {
        Self { rest: block }
    }

    pub(super) fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(super) fn bytes(&mut self, len: usize) -> Result<&'b [u8], DecodeError> {
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// The integer whose prefix is the low `bits` bits of `first`, which is read already.
    #[inline]
    pub(super) fn integer(&mut self, first: u8, bits: u32) -> Result<u32, DecodeError> {
        let mask = (1u8 << (bits - 1)) | ((1u8 << (bits - 1)) - 1);
        let prefix = first & mask;
        if prefix < mask { Ok(u32::from(prefix)) } else { self.continued(mask) }
    }

    #[cold]
    fn continued(&mut self, mask: u8) -> Result<u32, DecodeError> {
        // Five octets hold 35 bits. More can only be padding with zeros, which nobody sends.
        let mut value = u64::from(mask);
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte().ok_or(DecodeError::Truncated)?;
            value += u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return u32::try_from(value).map_err(|_| DecodeError::IntegerTooLarge);
            }
        }
        Err(DecodeError::IntegerTooLarge)
    }
}

/// Writes `value` with a prefix of `bits` bits, below the bits that are set in `first`.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, first: u8, bits: u32, value: usize) {
    let mask = (1usize << bits) - 1;
    if value < mask {
        out.push(first | value as u8);
        return;
    }
    out.push(first | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], bits: u32) -> Result<u32, DecodeError> {
        let mut reader = Reader::new(bytes);
        let first = reader.byte().ok_or(DecodeError::Truncated)?;
        reader.integer(first, bits)
    }

    #[test]
    fn integers_of_the_specification_are_written_and_read() {
        for (value, bits, wire) in [
            (10, 5, &[0x0a][..]),
            (1337, 5, &[0x1f, 0x9a, 0x0a]),
            (42, 8, &[0x2a]),
            (0, 4, &[0]),
            (15, 4, &[0x0f, 0]), // the prefix is full: one more octet, of zero
            (u32::MAX, 7, &[0x7f, 0x80, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut out = Vec::new();
            write(&mut out, 0, bits, value as usize);
            assert_eq!(out, wire, "{value}");
            assert_eq!(read(wire, bits), Ok(value), "{value}");
        }
    }

    #[test]
    fn integers_without_end_or_bound_are_refused() {
        assert_eq!(read(&[0x1f], 5), Err(DecodeError::Truncated));
        assert_eq!(read(&[0x1f, 0x80], 5), Err(DecodeError::Truncated));
        assert_eq!(read(&[0x1f, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 5), Err(DecodeError::IntegerTooLarge));
        assert_eq!(read(&[0x1f, 0xff, 0xff, 0xff, 0xff, 0x7f], 5), Err(DecodeError::IntegerTooLarge));
    }
}
