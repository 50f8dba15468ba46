use alloc::vec::Vec;

use crate::wire::{Reader, WireError};

/// A Protocol Buffers message: encode, decode, merge.
pub trait DescriptorMessage: Default {
    /// The number of bytes of the encoded message. Lengths of nested messages are left in
    /// `lengths`, in the order in which [`DescriptorMessage::write`] takes them.
    #[doc(hidden)]
    fn measure(&self, lengths: &mut Lengths) -> usize;

    /// Appends the encoded message; `lengths` comes from [`DescriptorMessage::measure`] of the same value.
    #[doc(hidden)]
    fn write(&self, lengths: &mut Lengths, out: &mut Vec<u8>);

    /// Merges the fields of `reader` into the message.
    #[doc(hidden)]
    fn merge_from(&mut self, reader: &mut Reader<'_>) -> Result<(), WireError>;

    /// Appends the encoded message to `out`.
    fn encode_into(&self, out: &mut Vec<u8>) {
        let mut lengths = Lengths::default();
        let len = self.measure(&mut lengths);
        out.reserve(len);
        self.write(&mut lengths, out);
    }

    /// The encoded message.
    fn encode_to_vec(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// When the bytes are not a message: truncated, badly tagged, nested too deep, or not UTF-8
    /// where text is declared.
    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let mut message = Self::default();
        message.merge(bytes)?;
        Ok(message)
    }

    /// Merges the encoded message in `bytes` into this one: scalars are replaced, repeated fields
    /// appended, sub-messages merged.
    ///
    /// # Errors
    /// As [`DescriptorMessage::decode`]; the message then holds what was read before the fault.
    fn merge(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        self.merge_from(&mut Reader::new(bytes))
    }
}

/// The lengths of nested messages, remembered between measuring and writing.
#[derive(Clone, Debug, Default)]
pub struct Lengths {
    lengths: Vec<u32>,
    next: usize,
}

impl Lengths {
    /// Measures one nested message and remembers its length.
    pub(crate) fn measure<M: DescriptorMessage>(&mut self, message: &M) -> usize {
        let slot = self.lengths.len();
        self.lengths.push(0);
        let len = message.measure(self);
        self.lengths[slot] = len as u32;
        len
    }

    /// The length of the next nested message, in the order of measuring.
    pub(crate) fn take(&mut self) -> u32 {
        self.next += 1;
        self.lengths[self.next - 1]
    }
}
