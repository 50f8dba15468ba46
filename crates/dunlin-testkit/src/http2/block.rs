//! Header blocks (RFC 7541 §6), without Huffman codes and without a table of their own.

/// A header block, or a part of one. What has no method here is written with [`raw`](Self::raw).
///
/// ```
/// use dunlin_testkit::http2::Block;
///
/// let block = Block::new().indexed(2).literal("a", "b");
/// assert_eq!(block.octets(), [0x82, 0x00, 1, b'a', 1, b'b']);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Block(Vec<u8>);

impl Block {
    /// Without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Literals, one for each name and value.
    pub fn of(fields: &[(&str, &str)]) -> Self {
        fields.iter().fold(Self::new(), |block, (name, value)| block.literal(name, value))
    }

    /// A field that stands at this index of the tables (§6.1).
    pub fn indexed(self, index: usize) -> Self {
        self.integer(0x80, 7, index)
    }

    /// A literal that enters no table (§6.2.2).
    pub fn literal(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.integer(0x00, 4, 0).string(name).string(value)
    }

    /// A literal that enters the table (§6.2.1).
    pub fn incremental(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.integer(0x40, 6, 0).string(name).string(value)
    }

    /// A literal that must enter no table anywhere (§6.2.3).
    pub fn never(self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        self.integer(0x10, 4, 0).string(name).string(value)
    }

    /// A dynamic table size update (§6.3).
    pub fn size_update(self, size: usize) -> Self {
        self.integer(0x20, 5, size)
    }

    /// An integer with a prefix of `bits` bits, below what is set in `first` (§5.1).
    pub fn integer(mut self, first: u8, bits: u32, value: usize) -> Self {
        let mask = (1usize << bits) - 1;
        if value < mask {
            self.0.push(first | value as u8);
            return self;
        }
        self.0.push(first | mask as u8);
        let mut rest = value - mask;
        while rest >= 0x80 {
            self.0.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.0.push(rest as u8);
        self
    }

    /// A string as it is (§5.2).
    pub fn string(self, text: impl AsRef<[u8]>) -> Self {
        let text = text.as_ref();
        self.integer(0x00, 7, text.len()).raw(text)
    }

    /// A string that is said to be Huffman-coded, whatever `code` is (§5.2).
    pub fn huffman(self, code: impl AsRef<[u8]>) -> Self {
        let code = code.as_ref();
        self.integer(0x80, 7, code.len()).raw(code)
    }

    /// Any octets.
    pub fn raw(mut self, octets: impl AsRef<[u8]>) -> Self {
        self.0.extend_from_slice(octets.as_ref());
        self
    }

    /// Another block behind this one.
    pub fn then(self, more: &Self) -> Self {
        self.raw(&more.0)
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_those_of_the_specification() {
        for (bits, value, want) in [
            (5, 10, &[0x0a][..]),             // within the prefix
            (5, 1337, &[0x1f, 0x9a, 0x0a]),   // RFC 7541 C.1.2
            (8, 42, &[0x2a]),                 // the prefix is the whole octet
            (7, 127, &[0x7f, 0x00]),          // the first that the prefix does not hold
            (7, 127 + 128, &[0x7f, 0x80, 1]), // the first with a second octet behind it
        ] {
            assert_eq!(Block::new().integer(0, bits, value).octets(), want, "{value} with {bits} bits");
        }
    }

    #[test]
    fn representations_begin_with_their_own_bits() {
        for (block, want) in [
            (Block::new().indexed(62), &[0xbe][..]),
            (Block::new().incremental("n", "v"), &[0x40, 1, b'n', 1, b'v']),
            (Block::new().never("n", "v"), &[0x10, 1, b'n', 1, b'v']),
            (Block::new().size_update(31), &[0x3f, 0]),
            (Block::new().huffman([0xff]), &[0x81, 0xff]),
            (Block::of(&[("a", ""), ("b", "c")]), &[0, 1, b'a', 0, 0, 1, b'b', 1, b'c']),
        ] {
            assert_eq!(block.octets(), want);
        }
    }
}
