//! What the runtime knows of a message type: its fields by number, in tables.
//!
//! Generated types have theirs as statics; a [`DynamicPool`] makes
//! them from descriptors. Decoding, JSON, text format and reflection read the same tables.

mod enums;
mod well_known;

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Deref;

use crate::dynamic::DynamicPool;
use crate::wire::WireType;

pub(crate) use enums::order;
pub use enums::{EnumTable, EnumValue};
pub(crate) use well_known::WellKnown;

/// The type of a field; numbers and names are those of `FieldDescriptorProto.Type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // The names say all there is.
pub enum Kind {
    Double = 1,
    Float = 2,
    Int64 = 3,
    Uint64 = 4,
    Int32 = 5,
    Fixed64 = 6,
    Fixed32 = 7,
    Bool = 8,
    String = 9,
    /// A message between group tags.
    Group = 10,
    /// A message with its length in front.
    Message = 11,
    Bytes = 12,
    Uint32 = 13,
    Enum = 14,
    Sfixed32 = 15,
    Sfixed64 = 16,
    Sint32 = 17,
    Sint64 = 18,
}

impl Kind {
    /// The type that descriptors call so; a group is a message between group tags.
    pub fn from_type(ty: crate::descriptor::Type) -> Self {
        crate::dynamic::scalar_kind(ty)
    }

    /// How one value is laid out.
    pub const fn wire_type(self) -> WireType {
        match self {
            Self::Double | Self::Fixed64 | Self::Sfixed64 => WireType::I64,
            Self::Float | Self::Fixed32 | Self::Sfixed32 => WireType::I32,
            Self::String | Self::Bytes | Self::Message => WireType::Len,
            Self::Group => WireType::StartGroup,
            _ => WireType::Varint,
        }
    }

    /// True for numbers, booleans and enums, whose repeated values may share one field.
    pub const fn is_packable(self) -> bool {
        !matches!(self, Self::String | Self::Bytes | Self::Message | Self::Group)
    }

    /// True for messages and groups.
    pub const fn is_message(self) -> bool {
        matches!(self, Self::Message | Self::Group)
    }
}

/// How many values a field has, and whether absence is told apart from the default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shape {
    /// One value; the default is the same as none.
    Implicit,
    /// One value or none.
    Explicit,
    /// One value; a message without it is not valid.
    Required,
    /// One value or none, at most one in the oneof of this index.
    Oneof(u16),
    /// Any number of values, each with a tag.
    Repeated,
    /// Any number of values, written in one run.
    Packed,
    /// A map; the field's message is the entry.
    Map,
}

impl Shape {
    /// True for lists; not for maps.
    pub const fn is_list(self) -> bool {
        matches!(self, Self::Repeated | Self::Packed)
    }

    /// True where a set default value differs from no value.
    pub const fn has_presence(self) -> bool {
        matches!(self, Self::Explicit | Self::Required | Self::Oneof(_))
    }
}

/// The message or enum type of a field.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Child {
    None,
    /// Called for the table, because tables that hold each other cannot be constants.
    Message(fn() -> &'static MessageTable),
    Enum(&'static EnumTable),
    /// Positions in the same pool.
    PoolMessage(u32),
    PoolEnum(u32),
}

/// The default value that a schema gives a field.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum DefaultValue {
    /// Zero, empty, or the first value of a closed enum.
    None,
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    String(Cow<'static, str>),
    /// Also of a string field, if it is not UTF-8.
    Bytes(Cow<'static, [u8]>),
    /// The number of an enum value.
    Enum(i32),
}

/// One field of a message type.
#[derive(Clone, Debug)]
pub struct FieldTable {
    pub(crate) number: u32,
    pub(crate) kind: Kind,
    pub(crate) shape: Shape,
    /// Strings that need not be UTF-8 by the schema.
    pub(crate) unchecked: bool,
    /// Text format names the field by its type.
    pub(crate) group_like: bool,
    /// Of an extension, the full name; its message type is the extended one.
    pub(crate) extension: bool,
    /// The JSON name stands in JSON text as it is.
    pub(crate) plain_json_name: bool,
    /// The schema says `debug_redact`.
    pub(crate) redacted: bool,
    pub(crate) child: Child,
    pub(crate) name: Cow<'static, str>,
    pub(crate) json_name: Cow<'static, str>,
    pub(crate) default: DefaultValue,
}

impl FieldTable {
    /// A field with implicit presence.
    pub const fn new(number: u32, name: &'static str, json_name: &'static str, kind: Kind) -> Self {
        Self {
            number,
            kind,
            shape: Shape::Implicit,
            unchecked: false,
            group_like: false,
            extension: false,
            plain_json_name: is_plain(json_name),
            redacted: false,
            child: Child::None,
            name: Cow::Borrowed(name),
            json_name: Cow::Borrowed(json_name),
            default: DefaultValue::None,
        }
    }

    /// With another shape than [`Shape::Implicit`].
    pub const fn shape(mut self, shape: Shape) -> Self {
        self.shape = shape;
        self
    }

    /// The message type; of a map, the entry.
    pub const fn message(mut self, table: fn() -> &'static MessageTable) -> Self {
        self.child = Child::Message(table);
        self
    }

    /// The enum type.
    pub const fn enumeration(mut self, table: &'static EnumTable) -> Self {
        self.child = Child::Enum(table);
        self
    }

    /// A string that need not be UTF-8 by the schema.
    pub const fn unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// A delimited field that text format names by its type.
    pub const fn group_like(mut self) -> Self {
        self.group_like = true;
        self
    }

    /// An extension; the name is then the full name.
    pub const fn extension(mut self) -> Self {
        self.extension = true;
        self
    }

    /// A field that logs must not show: `debug_redact`.
    pub const fn redacted(mut self) -> Self {
        self.redacted = true;
        self
    }

    /// A default other than zero or empty.
    pub const fn default(mut self, value: DefaultValue) -> Self {
        // The old value has nothing to drop, which the compiler cannot know.
        core::mem::forget(core::mem::replace(&mut self.default, value));
        self
    }

    /// The field number.
    pub const fn number(&self) -> u32 {
        self.number
    }

    /// The name in the schema; of an extension, its full name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name in ProtoJSON, without the brackets that an extension has there.
    pub fn json_name(&self) -> &str {
        &self.json_name
    }

    /// The type.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// How many values there are.
    pub const fn cardinality(&self) -> Shape {
        self.shape
    }

    /// The schema's default, where it gives one.
    pub const fn default_value(&self) -> &DefaultValue {
        &self.default
    }

    /// True if the field is an extension.
    pub const fn is_extension(&self) -> bool {
        self.extension
    }

    /// True if logs must not show the field: `debug_redact`.
    pub const fn is_redacted(&self) -> bool {
        self.redacted
    }

    /// True if text format names the field by its message type.
    pub const fn is_group_like(&self) -> bool {
        self.group_like
    }

    /// The table of the field's message type; `of` is the table that the field is from.
    pub fn message_table(&self, of: &TableRef) -> Option<TableRef> {
        match self.child {
            Child::Message(table) => Some(TableRef::Static(table())),
            Child::PoolMessage(index) => match of {
                TableRef::Pool(pool, _) => Some(TableRef::Pool(pool.clone(), index)),
                TableRef::Static(_) => None,
            },
            _ => None,
        }
    }

    /// The table of the field's enum type; `of` is the table that the field is from.
    pub fn enum_table<'t>(&self, of: &'t TableRef) -> Option<&'t EnumTable> {
        match (self.child, of) {
            (Child::Enum(table), _) => Some(table),
            (Child::PoolEnum(index), TableRef::Pool(pool, _)) => pool.enum_table(index),
            _ => None,
        }
    }
}

/// True for a name that needs no escapes in JSON: letters, digits and `_`.
pub(crate) const fn is_plain(name: &str) -> bool {
    let name = name.as_bytes();
    let mut i = 0;
    while i < name.len() {
        if !name[i].is_ascii_alphanumeric() && name[i] != b'_' {
            return false;
        }
        i += 1;
    }
    true
}

/// What the wire asks of a field, in a few octets: its expected tag, and what is special about it.
#[derive(Clone, Copy, Debug)]
pub struct WireEntry {
    pub(crate) tag: u32,
    pub(crate) kind: Kind,
    /// Something that the straight path does not do: a closed enum, a map.
    pub(crate) special: bool,
    /// Zero and empty are the same as none.
    pub(crate) implicit: bool,
}

impl WireEntry {
    pub(crate) const fn number(self) -> u32 {
        self.tag >> 3
    }

    /// Whether values of the type lie in one run.
    pub(crate) const fn is_packed(self) -> bool {
        self.kind.is_packable() && self.tag & 7 == WireType::Len as u32
    }
}

/// The entries of `fields`, whose numbers must ascend.
pub const fn wire_entries<const N: usize>(fields: &[FieldTable; N]) -> [WireEntry; N] {
    let mut entries = [WireEntry { tag: 0, kind: Kind::Bool, special: false, implicit: false }; N];
    let mut i = 0;
    while i < N {
        entries[i] = wire_entry(&fields[i]);
        i += 1;
    }
    entries
}

pub(crate) const fn wire_entry(field: &FieldTable) -> WireEntry {
    let wire_type = match field.shape {
        Shape::Packed => WireType::Len,
        _ => field.kind.wire_type(),
    };
    let closed = match field.child {
        // A singular field refuses what it does not have; lending one of a oneof selects it.
        Child::Enum(table) => {
            table.closed && !matches!(field.shape, Shape::Implicit | Shape::Explicit | Shape::Required)
        }
        _ => false,
    };
    WireEntry {
        tag: field.number << 3 | wire_type as u32,
        kind: field.kind,
        special: closed || matches!(field.shape, Shape::Map),
        implicit: matches!(field.shape, Shape::Implicit),
    }
}

/// A message type.
#[derive(Clone, Debug)]
pub struct MessageTable {
    pub(crate) full_name: Cow<'static, str>,
    /// Ascending by number; slots have the same order.
    pub(crate) fields: Cow<'static, [FieldTable]>,
    pub(crate) wire: Cow<'static, [WireEntry]>,
    /// The names of the oneofs.
    pub(crate) oneofs: Cow<'static, [Cow<'static, str>]>,
    /// Field numbers set aside for extensions: first and last.
    pub(crate) extension_ranges: Cow<'static, [(u32, u32)]>,
    pub(crate) reserved_names: Cow<'static, [Cow<'static, str>]>,
    pub(crate) message_set: bool,
    pub(crate) map_entry: bool,
    /// This type or one below it has required fields.
    pub(crate) has_required: bool,
    /// This type has required fields.
    pub(crate) requires: bool,
    /// Whether JSON has a form of its own for the type.
    pub(crate) well_known: WellKnown,
    /// Positions in `fields` by JSON name and by name; empty where there are few.
    pub(crate) by_name: NameIndex,
}

/// Fields by their two names, built where it is worth it.
#[derive(Clone, Debug, Default)]
pub(crate) struct NameIndex(
    pub(crate) Option<Arc<hashbrown::HashMap<String, u32, foldhash::fast::RandomState>>>,
);

/// Whether one of the fields is required.
pub(crate) const fn requires(fields: &[FieldTable]) -> bool {
    let mut i = 0;
    while i < fields.len() {
        if matches!(fields[i].shape, Shape::Required) {
            return true;
        }
        i += 1;
    }
    false
}

impl MessageTable {
    /// A message type; numbers of fields must ascend, and `wire` be [`wire_entries`] of them.
    pub const fn new(
        full_name: &'static str,
        fields: &'static [FieldTable],
        wire: &'static [WireEntry],
    ) -> Self {
        Self {
            full_name: Cow::Borrowed(full_name),
            fields: Cow::Borrowed(fields),
            wire: Cow::Borrowed(wire),
            oneofs: Cow::Borrowed(&[]),
            extension_ranges: Cow::Borrowed(&[]),
            reserved_names: Cow::Borrowed(&[]),
            message_set: false,
            map_entry: false,
            has_required: false,
            requires: requires(fields),
            well_known: WellKnown::of(full_name),
            by_name: NameIndex(None),
        }
    }

    /// With oneofs of these names.
    pub const fn oneofs(mut self, names: &'static [Cow<'static, str>]) -> Self {
        core::mem::forget(core::mem::replace(&mut self.oneofs, Cow::Borrowed(names)));
        self
    }

    /// With ranges of extension numbers, first and last.
    pub const fn extension_ranges(mut self, ranges: &'static [(u32, u32)]) -> Self {
        core::mem::forget(core::mem::replace(&mut self.extension_ranges, Cow::Borrowed(ranges)));
        self
    }

    /// With reserved field names, which text format skips.
    pub const fn reserved_names(mut self, names: &'static [Cow<'static, str>]) -> Self {
        core::mem::forget(core::mem::replace(&mut self.reserved_names, Cow::Borrowed(names)));
        self
    }

    /// In message set wire format.
    pub const fn message_set(mut self) -> Self {
        self.message_set = true;
        self
    }

    /// The entry of a map.
    pub const fn map_entry(mut self) -> Self {
        self.map_entry = true;
        self
    }

    /// With required fields, here or in a message below.
    pub const fn has_required(mut self) -> Self {
        self.has_required = true;
        self
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> &str {
        &self.full_name
    }

    /// The fields in ascending order of numbers; extensions are not among them.
    pub fn fields(&self) -> &[FieldTable] {
        &self.fields
    }

    /// The name of the oneof with this index.
    pub fn oneof_name(&self, index: u16) -> Option<&str> {
        self.oneofs.get(usize::from(index)).map(|name| &**name)
    }

    /// True if a message of this type, or one below it, has required fields.
    pub const fn has_required_fields(&self) -> bool {
        self.has_required
    }

    /// True for a type with `message_set_wire_format`.
    pub const fn is_message_set(&self) -> bool {
        self.message_set
    }

    /// True if `number` is set aside for extensions.
    pub fn is_extension_number(&self, number: u32) -> bool {
        self.extension_ranges.iter().any(|&(first, last)| (first..=last).contains(&number))
    }

    /// True if the name is reserved.
    pub fn is_reserved_name(&self, name: &str) -> bool {
        self.reserved_names.iter().any(|reserved| reserved == name)
    }

    /// The position of the field with this number.
    #[inline]
    pub fn index_of(&self, number: u32) -> Option<usize> {
        // Most schemas number their fields from 1 without gaps.
        let near = (number as usize).wrapping_sub(1);
        match self.wire.get(near) {
            Some(entry) if entry.tag >> 3 == number => Some(near),
            _ => self.wire.binary_search_by_key(&number, |entry| entry.tag >> 3).ok(),
        }
    }

    /// The position of the field with this name in the schema.
    pub fn index_of_name(&self, name: &str) -> Option<usize> {
        if let Some(index) = &self.by_name.0 {
            let &position = index.get(name)?;
            let field = &self.fields[position as usize];
            if field.name == name {
                return Some(position as usize);
            }
        }
        self.fields.iter().position(|field| field.name == name)
    }

    /// The position of the field that JSON means by `key`: its JSON name, or its own name.
    pub fn index_of_json(&self, key: &str) -> Option<usize> {
        if let Some(index) = &self.by_name.0 {
            return index.get(key).map(|&position| position as usize);
        }
        let by_json = self.fields.iter().position(|field| field.json_name == key);
        by_json.or_else(|| self.fields.iter().position(|field| field.name == key))
    }

    /// Like [`MessageTable::index_of_json`], trying `guess` first.
    pub fn index_of_json_near(&self, key: &str, guess: usize) -> Option<usize> {
        match self.fields.get(guess) {
            Some(field) if field.json_name == key => Some(guess),
            _ => self.index_of_json(key),
        }
    }
}

/// A message table, of a generated type or of a pool. Cheap to clone.
#[derive(Clone)]
pub enum TableRef {
    /// Of a generated type.
    Static(&'static MessageTable),
    /// Of a type made from descriptors, by position.
    Pool(Arc<DynamicPool>, u32),
}

impl Deref for TableRef {
    type Target = MessageTable;

    #[inline]
    fn deref(&self) -> &MessageTable {
        match self {
            Self::Static(table) => table,
            Self::Pool(pool, index) => pool.message_table(*index),
        }
    }
}

/// The name of the type: a pool would be long.
impl core::fmt::Debug for TableRef {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_tuple("TableRef").field(&self.full_name()).finish()
    }
}

/// The same type of the same origin.
impl PartialEq for TableRef {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Static(a), Self::Static(b)) => core::ptr::eq(*a, *b),
            (Self::Pool(a, i), Self::Pool(b, j)) => Arc::ptr_eq(a, b) && i == j,
            _ => false,
        }
    }
}
