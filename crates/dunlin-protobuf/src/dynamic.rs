//! Messages whose type is known only at run time.
//!
//! A [`DynamicPool`] turns the types of a [`DescriptorPool`](crate::pool::DescriptorPool) into tables; a [`DynamicMessage`] is
//! a message of one of them.

mod pool;
mod storage;
mod walk;

use alloc::vec::Vec;

use bytes::Bytes;

pub use pool::DynamicPool;
pub(crate) use pool::{is_within, scalar_kind};
pub(crate) use storage::Storage;

use crate::decode::{Context, merge};
use crate::encode::{Measure, Walk, Writer};
use crate::message::{Fields, Reflect};
use crate::slot::{Part, Slot, SlotRef};
use crate::table::{Shape, TableRef};
use crate::{DecodeError, DecodeOptions, UnknownFields};

/// A message whose type is known only at run time.
///
/// ```
/// use dunlin_protobuf::descriptor::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
/// use dunlin_protobuf::descriptor::{FileDescriptorSet, Label, Type};
/// use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
///
/// let field = FieldDescriptorProto {
///     name: Some("id".into()),
///     number: Some(1),
///     label: Some(Label::LABEL_OPTIONAL),
///     r#type: Some(Type::TYPE_INT32),
///     ..Default::default()
/// };
/// let order = DescriptorProto { name: Some("Order".into()), field: vec![field], ..Default::default() };
/// let file = FileDescriptorProto {
///     name: Some("shop.proto".into()),
///     message_type: vec![order],
///     ..Default::default()
/// };
/// let pool = DynamicPool::from_file_descriptor_set(FileDescriptorSet {
///     file: vec![file],
///     ..Default::default()
/// })?;
///
/// let message = DynamicMessage::decode(pool.message("Order").unwrap(), &[0x08, 0x2a])?;
/// assert_eq!(message.encode_to_vec(), [0x08, 0x2a]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct DynamicMessage {
    table: TableRef,
    /// The fields that are set, by position in the table.
    fields: Vec<(u32, Storage)>,
    unknown: UnknownFields,
}

/// How many fields a message first has room for.
const FIRST_FIELDS: usize = 8;

impl DynamicMessage {
    /// An empty message.
    pub fn new(table: TableRef) -> Self {
        Self { table, fields: Vec::new(), unknown: UnknownFields::default() }
    }

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// As [`Message::decode`](crate::Message::decode).
    pub fn decode(table: TableRef, bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(table, bytes, &DecodeOptions::new())
    }

    /// Reads a message that fills `bytes`.
    ///
    /// # Errors
    /// As [`Message::decode`](crate::Message::decode).
    pub fn decode_with(
        table: TableRef,
        bytes: &[u8],
        options: &DecodeOptions<'_>,
    ) -> Result<Self, DecodeError> {
        let mut message = Self::new(table);
        options.merge_into(&mut message, bytes)?;
        Ok(message)
    }

    /// The encoded message.
    pub fn encode_to_vec(&self) -> Vec<u8> {
        crate::encode::encode_to_vec(self, false)
    }

    /// Appends the encoded message to `out`.
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        crate::encode::encode_into(self, out);
    }

    /// The encoded message, ready to be shared.
    pub fn encode_to_bytes(&self) -> Bytes {
        self.encode_to_vec().into()
    }

    fn find(&self, index: u32) -> Result<usize, usize> {
        match self.fields.last() {
            None => Err(0),
            Some(&(last, _)) if last == index => Ok(self.fields.len() - 1),
            // In the order of numbers, which is how messages arrive.
            Some(&(last, _)) if last < index => Err(self.fields.len()),
            Some(_) => self.fields.binary_search_by_key(&index, |(at, _)| *at),
        }
    }
}

/// The name of the type, and the fields in text format.
impl core::fmt::Debug for DynamicMessage {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let options = crate::text::EncodeOptions::new().single_line(true).print_unknown_fields(true);
        write!(f, "{} {{ {} }}", self.table.full_name(), options.to_string(self))
    }
}

/// Equal type, equal fields, equal unknown fields.
impl PartialEq for DynamicMessage {
    fn eq(&self, other: &Self) -> bool {
        self.table == other.table && crate::reflect::equal(self, other)
    }
}

impl Reflect for DynamicMessage {
    fn table(&self) -> TableRef {
        self.table.clone()
    }

    fn slot_ref(&self, index: usize) -> SlotRef<'_> {
        match self.find(index as u32) {
            Ok(at) => self.fields[at].1.slot_ref(),
            Err(_) => Storage::absent(&self.table, index),
        }
    }

    fn unknown_fields(&self) -> &UnknownFields {
        &self.unknown
    }

    fn measure(&self, out: &mut Measure) {
        self.walk(out);
    }

    fn write(&self, out: &mut Writer<'_>) {
        self.walk(out);
    }
}

impl DynamicMessage {
    /// As walking over slots does, past the fields that are not set.
    fn walk(&self, out: &mut impl Walk) {
        let wire = &*self.table.wire;
        for (index, storage) in &self.fields {
            if let Some(entry) = wire.get(*index as usize) {
                storage.walk(*entry, out);
            }
        }
        out.unknown(&self.unknown);
    }
}

impl<'a> Fields<'a> for DynamicMessage {
    fn slot<'s>(&'s mut self, index: usize) -> Slot<'s, 'a>
    where
        'a: 's,
    {
        self.storage(index).slot()
    }

    fn has_raw_slots(&self) -> bool {
        true
    }

    fn raw_slot<'s>(&'s mut self, index: usize) -> Slot<'s, 'a>
    where
        'a: 's,
    {
        self.storage(index).raw_slot()
    }

    /// It lends enums as their numbers.
    fn checks_enums(&self) -> bool {
        false
    }

    fn clear_oneof(&mut self, oneof: usize) {
        self.clear_members(oneof as u16);
    }

    fn unknown_fields_mut(&mut self) -> &mut UnknownFields {
        &mut self.unknown
    }

    fn merge_fields(
        &mut self,
        buf: &'a [u8],
        pos: usize,
        group: u32,
        cx: &mut Context<'_>,
    ) -> Result<usize, DecodeError> {
        let held;
        let table = match (&self.table, cx.pool_of(&self.table)) {
            (TableRef::Pool(_, index), Some(pool)) => pool.message_table(*index),
            (table, _) => {
                held = table.clone();
                &*held
            }
        };
        merge(self, table, buf, pos, group, cx)
    }

    fn as_reflect(&self) -> &dyn Reflect {
        self
    }
}

impl DynamicMessage {
    #[inline(always)]
    fn storage(&mut self, index: usize) -> &mut Storage {
        let at = match self.find(index as u32) {
            Ok(at) => at,
            Err(at) => self.insert(index, at),
        };
        &mut self.fields[at].1
    }

    /// Makes an empty field, which belongs at `at`; gives where it is if members of a oneof went.
    fn insert(&mut self, index: usize, mut at: usize) -> usize {
        let table = &*self.table;
        let field = &table.fields()[index];
        let storage = Storage::of(field, &self.table);
        if self.fields.capacity() == 0 {
            self.fields.reserve_exact(table.fields().len().min(FIRST_FIELDS));
        }
        if let Shape::Oneof(oneof) = field.shape {
            self.clear_members(oneof);
            at = self.find(index as u32).unwrap_or_else(|at| at);
        }
        if at == self.fields.len() {
            self.fields.push((index as u32, storage));
        } else {
            self.fields.insert(at, (index as u32, storage));
        }
        at
    }

    fn clear_members(&mut self, oneof: u16) {
        let table = self.table.clone();
        self.fields.retain(|(at, _)| table.fields()[*at as usize].shape != Shape::Oneof(oneof));
    }
}
