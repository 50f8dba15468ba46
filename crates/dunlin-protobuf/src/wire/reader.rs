use alloc::vec;

use super::{MAX_DEPTH, MAX_FIELD_NUMBER, Tag, WireError, WireType};

/// Reads fields from a slice, borrowing what is length-delimited.
///
/// ```
/// use dunlin_protobuf::wire::{Reader, WireType};
///
/// let mut reader = Reader::new(&[0x0a, 0x02, b'h', b'i']);
/// let tag = reader.tag()?.expect("one field");
/// assert_eq!((tag.number, tag.wire_type), (1, WireType::Len));
/// assert_eq!(reader.bytes()?, b"hi");
/// assert!(reader.tag()?.is_none());
/// # Ok::<(), dunlin_protobuf::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    buf: &'a [u8],
    pos: usize,
    /// Where `buf` starts in the outermost message, for error offsets.
    base: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Reads from the start of `buf`, which holds one whole message.
    pub fn new(buf: &'a [u8]) -> Self {
        Self { buf, pos: 0, base: 0, depth: MAX_DEPTH }
    }

    /// The offset of the next byte, counted from the start of the outermost message.
    pub fn offset(&self) -> usize {
        self.base + self.pos
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a [u8] {
        &self.buf[self.pos..]
    }

    /// The bytes between two positions of this reader, as told by [`Reader::position`].
    pub fn slice(&self, from: usize, to: usize) -> &'a [u8] {
        &self.buf[from..to]
    }

    /// The position within this reader's own slice.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// The next tag, or `None` at the end of the message.
    pub fn tag(&mut self) -> Result<Option<Tag>, WireError> {
        if self.pos == self.buf.len() {
            return Ok(None);
        }
        let start = self.pos;
        let value = self.varint()?;
        // A tag is a 32-bit varint: five bytes at most, padded or not.
        if self.pos - start > 5 || value > u64::from(u32::MAX) {
            return Err(WireError::VarintTooLong { offset: self.base + start });
        }
        let invalid = WireError::InvalidTag { value, offset: self.base + start };
        let number = (value >> 3) as u32;
        let Some(wire_type) = WireType::from_bits(value as u32) else { return Err(invalid) };
        if number == 0 || number > MAX_FIELD_NUMBER {
            return Err(invalid);
        }
        Ok(Some(Tag { number, wire_type }))
    }

    /// A varint of up to ten bytes.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        match self.buf.get(self.pos) {
            Some(&byte) if byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(byte))
            }
            _ => self.varint_slow(),
        }
    }

    #[cold]
    fn varint_slow(&mut self) -> Result<u64, WireError> {
        let start = self.pos;
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let Some(&byte) = self.buf.get(self.pos) else { return Err(self.truncated()) };
            self.pos += 1;
            // Bits above 64 in the tenth byte are dropped, as the other runtimes do.
            value |= u64::from(byte & 0x7f).wrapping_shl(shift);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::VarintTooLong { offset: self.base + start })
    }

    /// Four little-endian bytes.
    pub fn fixed32(&mut self) -> Result<u32, WireError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("take(4) gives four bytes")))
    }

    /// Eight little-endian bytes.
    pub fn fixed64(&mut self) -> Result<u64, WireError> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("take(8) gives eight bytes")))
    }

    /// The bytes of a length-delimited field.
    pub fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let start = self.pos;
        let len = self.varint()?;
        if len > i32::MAX as u64 {
            return Err(WireError::VarintTooLong { offset: self.base + start });
        }
        self.take(len as usize)
    }

    /// The text of a length-delimited field `number`.
    pub fn string(&mut self, number: u32) -> Result<&'a str, WireError> {
        crate::raw::text(self.bytes()?).ok_or(WireError::InvalidUtf8 { number })
    }

    /// A reader over the message in a length-delimited field, one level deeper.
    pub fn message(&mut self) -> Result<Reader<'a>, WireError> {
        let depth = self.deeper()?;
        let buf = self.bytes()?;
        Ok(Reader { buf, pos: 0, base: self.offset() - buf.len(), depth })
    }

    /// A reader over the body of group `number`, whose start tag has just been read; the end tag
    /// is consumed.
    pub fn group(&mut self, number: u32) -> Result<Reader<'a>, WireError> {
        let depth = self.deeper()?;
        let start = self.pos;
        loop {
            let end = self.pos;
            let Some(tag) = self.tag()? else { return Err(self.truncated()) };
            if tag.wire_type == WireType::EndGroup {
                if tag.number != number {
                    return Err(WireError::UnmatchedEndGroup { number: tag.number, offset: self.offset() });
                }
                return Ok(Reader { buf: &self.buf[start..end], pos: 0, base: self.base + start, depth });
            }
            self.skip(tag)?;
        }
    }

    /// Skips the value of a field whose tag has just been read.
    pub fn skip(&mut self, tag: Tag) -> Result<(), WireError> {
        match tag.wire_type {
            WireType::Varint => self.varint().map(drop),
            WireType::I64 => self.take(8).map(drop),
            WireType::Len => self.bytes().map(drop),
            WireType::I32 => self.take(4).map(drop),
            WireType::StartGroup => self.skip_group(tag.number),
            WireType::EndGroup => {
                Err(WireError::UnmatchedEndGroup { number: tag.number, offset: self.offset() })
            }
        }
    }

    // Iterative: the open groups are a stack on the heap, so that depth costs no call frames.
    fn skip_group(&mut self, number: u32) -> Result<(), WireError> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let Some(tag) = self.tag()? else { return Err(self.truncated()) };
            match tag.wire_type {
                WireType::StartGroup => {
                    if open.len() as u32 >= self.depth {
                        return Err(WireError::TooDeep { limit: MAX_DEPTH });
                    }
                    open.push(tag.number);
                }
                WireType::EndGroup if tag.number == innermost => {
                    open.pop();
                }
                _ => self.skip(tag)?,
            }
        }
        Ok(())
    }

    fn deeper(&self) -> Result<u32, WireError> {
        self.depth.checked_sub(1).ok_or(WireError::TooDeep { limit: MAX_DEPTH })
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let rest = &self.buf[self.pos..];
        if len > rest.len() {
            return Err(WireError::Truncated { offset: self.base + self.buf.len() });
        }
        self.pos += len;
        Ok(&rest[..len])
    }

    fn truncated(&self) -> WireError {
        WireError::Truncated { offset: self.base + self.buf.len() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_32_bit_varints_with_a_known_wire_type() {
        for (bytes, want) in [
            (&[0x08u8][..], Ok(Some(Tag { number: 1, wire_type: WireType::Varint }))),
            (&[], Ok(None)),
            (&[0x00], Err(WireError::InvalidTag { value: 0, offset: 0 })), // field number 0
            (&[0x0e], Err(WireError::InvalidTag { value: 0x0e, offset: 0 })), // wire type 6
            (
                &[0xfa, 0xff, 0xff, 0xff, 0x0f],
                Ok(Some(Tag { number: MAX_FIELD_NUMBER, wire_type: WireType::Len })),
            ),
            // six bytes, zero padded
            (&[0x88, 0x80, 0x80, 0x80, 0x80, 0x00], Err(WireError::VarintTooLong { offset: 0 })),
            (&[0x80], Err(WireError::Truncated { offset: 1 })),
        ] {
            assert_eq!(Reader::new(bytes).tag(), want, "{bytes:x?}");
        }
    }

    #[test]
    fn a_varint_has_at_most_ten_bytes() {
        let mut long = [0xffu8; 11];
        long[10] = 0;
        assert_eq!(Reader::new(&long).varint(), Err(WireError::VarintTooLong { offset: 0 }));
        long[9] = 1;
        assert_eq!(Reader::new(&long).varint(), Ok(u64::MAX));
    }

    #[test]
    fn groups_nest_no_deeper_than_the_limit() {
        let deep: Vec<u8> = core::iter::repeat_n(0x0b, 5_000).collect();
        let mut reader = Reader::new(&deep);
        let tag = reader.tag().unwrap().unwrap();
        assert_eq!(reader.skip(tag), Err(WireError::TooDeep { limit: MAX_DEPTH }));
    }

    #[test]
    fn a_group_ends_at_its_own_number() {
        // group 1 { varint field 2 = 5 }, then field 3
        let bytes = [0x0b, 0x10, 0x05, 0x0c, 0x18, 0x07];
        let mut reader = Reader::new(&bytes);
        reader.tag().unwrap();
        assert_eq!(reader.group(1).unwrap().rest(), [0x10, 0x05]);
        assert_eq!(reader.tag().unwrap().unwrap().number, 3);
        let mut other = Reader::new(&[0x0b, 0x14]);
        let tag = other.tag().unwrap().unwrap();
        assert_eq!(other.skip(tag), Err(WireError::UnmatchedEndGroup { number: 2, offset: 2 }));
    }
}
