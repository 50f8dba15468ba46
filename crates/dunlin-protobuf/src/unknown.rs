use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::wire::{Reader, Tag, WireError};

/// Fields that a message carried but its type does not know, in the order of their arrival.
///
/// Kept as wire bytes behind one pointer, so that a message without any pays eight bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct UnknownFields(
    // One word instead of three in every message; nearly all are empty.
    #[expect(clippy::box_collection)] Option<Box<Vec<u8>>>,
);

impl UnknownFields {
    /// None at all, for statics.
    pub(crate) const EMPTY: Self = Self(None);

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// The fields as they are written: tags and values, one after the other.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], Vec::as_slice)
    }

    /// Appends whole encoded fields.
    pub fn extend_from_wire(&mut self, fields: &[u8]) {
        if !fields.is_empty() {
            self.0.get_or_insert_default().extend_from_slice(fields);
        }
    }

    /// Reads past the value of `tag`, which started at `start`, and keeps it.
    pub(crate) fn keep(&mut self, tag: Tag, start: usize, reader: &mut Reader<'_>) -> Result<(), WireError> {
        reader.skip(tag)?;
        self.extend_from_wire(reader.slice(start, reader.position()));
        Ok(())
    }

    /// A reader over the fields.
    pub fn reader(&self) -> Reader<'_> {
        Reader::new(self.as_bytes())
    }
}
