//! The seam between messages and everything that works on any message: [`Slot`] lends one field
//! for writing, [`SlotRef`] for reading.
//!
//! Generated code hands out its struct members, a dynamic message its storage. The decoder, JSON,
//! text format and reflection are written once over slots.

mod wrapper;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::DecodeError;
use crate::decode::Context;
use crate::message::{Fields, Reflect};
use crate::table::{EnumTable, TableRef};

pub use wrapper::{Scalar, Wrapped};

/// One field, lent for writing.
///
/// `'s` is how long it is lent, `'a` is what borrowed values may borrow from. A slot of a field in
/// a oneof, or without presence, is the plain value; lending a oneof's field selects it.
#[allow(missing_docs)] // A table: singular, optional, repeated, by type.
pub enum Slot<'s, 'a> {
    Bool(&'s mut bool),
    I32(&'s mut i32),
    I64(&'s mut i64),
    U32(&'s mut u32),
    U64(&'s mut u64),
    F32(&'s mut f32),
    F64(&'s mut f64),
    String(&'s mut String),
    Str(&'s mut &'a str),
    Bytes(&'s mut Bytes),
    Slice(&'s mut &'a [u8]),

    OptBool(&'s mut Option<bool>),
    OptI32(&'s mut Option<i32>),
    OptI64(&'s mut Option<i64>),
    OptU32(&'s mut Option<u32>),
    OptU64(&'s mut Option<u64>),
    OptF32(&'s mut Option<f32>),
    OptF64(&'s mut Option<f64>),
    OptString(&'s mut Option<String>),
    OptStr(&'s mut Option<&'a str>),
    OptBytes(&'s mut Option<Bytes>),
    OptSlice(&'s mut Option<&'a [u8]>),

    Bools(&'s mut Vec<bool>),
    I32s(&'s mut Vec<i32>),
    I64s(&'s mut Vec<i64>),
    U32s(&'s mut Vec<u32>),
    U64s(&'s mut Vec<u64>),
    F32s(&'s mut Vec<f32>),
    F64s(&'s mut Vec<f64>),
    Strings(&'s mut Vec<String>),
    Strs(&'s mut Vec<&'a str>),
    BytesList(&'s mut Vec<Bytes>),
    Slices(&'s mut Vec<&'a [u8]>),

    /// An enum; the number of an open one is an `I32` slot.
    Enum(&'s mut dyn EnumSlot),
    Enums(&'s mut dyn EnumList),
    /// A message that is there.
    Present(&'s mut dyn Fields<'a>),
    /// A message that may be there.
    Message(&'s mut dyn MessageSlot<'a>),
    Messages(&'s mut dyn MessageList<'a>),
    Map(&'s mut dyn MapSlot<'a>),
}

/// One field, lent for reading.
#[allow(missing_docs)]
#[derive(Clone, Copy)]
pub enum SlotRef<'s> {
    /// A field with presence that is not set.
    Absent,
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    String(&'s str),
    Bytes(&'s [u8]),
    /// The number of an enum value.
    Enum(i32),
    Message(&'s dyn Reflect),

    Bools(&'s [bool]),
    I32s(&'s [i32]),
    I64s(&'s [i64]),
    U32s(&'s [u32]),
    U64s(&'s [u64]),
    F32s(&'s [f32]),
    F64s(&'s [f64]),
    Strings(&'s [String]),
    Strs(&'s [&'s str]),
    BytesList(&'s [Bytes]),
    Slices(&'s [&'s [u8]]),
    Enums(&'s dyn EnumListRef),
    Messages(&'s dyn MessageListRef),
    Map(&'s dyn MapRef),
}

/// Tells that there is one; its value is the message's to show.
impl core::fmt::Debug for Slot<'_, '_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

/// Shows scalars and text; of the others, that there is something.
impl core::fmt::Debug for SlotRef<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Bool(value) => value.fmt(f),
            Self::I32(value) | Self::Enum(value) => value.fmt(f),
            Self::I64(value) => value.fmt(f),
            Self::U32(value) => value.fmt(f),
            Self::U64(value) => value.fmt(f),
            Self::F32(value) => value.fmt(f),
            Self::F64(value) => value.fmt(f),
            Self::String(value) => value.fmt(f),
            Self::Bytes(value) => value.fmt(f),
            Self::Message(value) => value.fmt(f),
            _ => f.debug_struct("SlotRef").finish_non_exhaustive(),
        }
    }
}

macro_rules! optional {
    ($($from:ty => $variant:ident,)*) => {$(
        impl<'s> From<Option<$from>> for SlotRef<'s> {
            #[inline]
            fn from(value: Option<$from>) -> Self {
                value.map_or(Self::Absent, Self::$variant)
            }
        }
    )*};
}

optional! {
    bool => Bool, i32 => I32, i64 => I64, u32 => U32, u64 => U64, f32 => F32, f64 => F64,
    &'s str => String, &'s [u8] => Bytes, &'s dyn Reflect => Message,
}

impl<'s> SlotRef<'s> {
    /// An enum with presence.
    #[inline]
    pub fn opt_enum<E: Enumeration>(value: Option<E>) -> Self {
        value.map_or(Self::Absent, |value| Self::Enum(value.number()))
    }

    /// A message that may be there.
    #[inline]
    pub fn opt_message<M: Reflect>(value: Option<&'s M>) -> Self {
        value.map_or(Self::Absent, |message| Self::Message(message))
    }
}

/// An enum type of generated code.
pub trait Enumeration: Copy + Default + PartialEq + core::fmt::Debug + Send + Sync + 'static {
    /// The type's values.
    const TABLE: &'static EnumTable;

    /// The value with this number; of an open enum, any number has one.
    fn from_number(number: i32) -> Option<Self>;

    /// The number.
    fn number(self) -> i32;
}

/// An enum field, lent for writing.
pub trait EnumSlot {
    /// Sets the value; false if a closed enum has no value of this number.
    fn set(&mut self, number: i32) -> bool;

    /// Takes the value back: none where there is presence, else the default.
    fn clear(&mut self);
}

impl<E: Enumeration> EnumSlot for E {
    fn set(&mut self, number: i32) -> bool {
        E::from_number(number).map(|value| *self = value).is_some()
    }

    fn clear(&mut self) {
        *self = E::default();
    }
}

impl<E: Enumeration> EnumSlot for Option<E> {
    fn set(&mut self, number: i32) -> bool {
        E::from_number(number).map(|value| *self = Some(value)).is_some()
    }

    fn clear(&mut self) {
        *self = None;
    }
}

/// A repeated enum field, lent for writing.
pub trait EnumList {
    /// Appends a value; false if a closed enum has no value of this number.
    fn push(&mut self, number: i32) -> bool;

    /// Makes room for more values.
    fn reserve(&mut self, additional: usize);

    /// Removes all values.
    fn clear(&mut self);

    /// Replaces a value; false if there is none at `index`, or none of this number.
    fn set(&mut self, index: usize, number: i32) -> bool;
}

/// A repeated enum field, lent for reading.
pub trait EnumListRef {
    /// How many values there are.
    fn len(&self) -> usize;

    /// True if there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a value.
    fn get(&self, index: usize) -> Option<i32>;
}

impl<E: Enumeration> EnumList for Vec<E> {
    fn push(&mut self, number: i32) -> bool {
        E::from_number(number).map(|value| Vec::push(self, value)).is_some()
    }

    fn reserve(&mut self, additional: usize) {
        Vec::reserve(self, additional);
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn set(&mut self, index: usize, number: i32) -> bool {
        match (self.get_mut(index), E::from_number(number)) {
            (Some(place), Some(value)) => {
                *place = value;
                true
            }
            _ => false,
        }
    }
}

impl<E: Enumeration> EnumListRef for Vec<E> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn get(&self, index: usize) -> Option<i32> {
        <[E]>::get(self, index).map(|value| value.number())
    }
}

/// A message field, lent for writing.
pub trait MessageSlot<'a> {
    /// The message, if it is there.
    fn get_mut(&mut self) -> Option<&mut dyn Fields<'a>>;

    /// The message, made if it is not there.
    fn get_or_insert(&mut self) -> &mut dyn Fields<'a>;

    /// Takes the message away.
    fn clear(&mut self);

    /// The bytes of memory that a new message takes.
    fn size(&self) -> usize;
}

impl<'a, M: Fields<'a> + Default> MessageSlot<'a> for Option<M> {
    #[inline]
    fn get_mut(&mut self) -> Option<&mut dyn Fields<'a>> {
        self.as_mut().map(|message| message as _)
    }

    #[inline]
    fn get_or_insert(&mut self) -> &mut dyn Fields<'a> {
        self.get_or_insert_with(M::default)
    }

    fn clear(&mut self) {
        *self = None;
    }

    fn size(&self) -> usize {
        M::heap_size()
    }
}

/// A repeated message field, lent for writing.
pub trait MessageList<'a> {
    /// Appends an empty message.
    fn push(&mut self) -> &mut dyn Fields<'a>;

    /// Makes room for exactly this many more.
    fn reserve(&mut self, additional: usize);

    /// How many more fit without growing.
    fn spare(&self) -> usize;

    /// The message at `index`.
    fn get_mut(&mut self, index: usize) -> Option<&mut dyn Fields<'a>>;

    /// Keeps the first `len` messages.
    fn truncate(&mut self, len: usize);

    /// The bytes of memory of one message.
    fn size(&self) -> usize;
}

/// A repeated message field, lent for reading.
pub trait MessageListRef {
    /// How many messages there are.
    fn len(&self) -> usize;

    /// True if there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The message at `index`.
    fn get(&self, index: usize) -> Option<&dyn Reflect>;
}

impl<'a, M: Fields<'a> + Default> MessageList<'a> for Vec<M> {
    #[inline]
    fn push(&mut self) -> &mut dyn Fields<'a> {
        Vec::push(self, M::default());
        self.last_mut().expect("a message was just pushed")
    }

    fn reserve(&mut self, additional: usize) {
        self.reserve_exact(additional);
    }

    #[inline]
    fn spare(&self) -> usize {
        self.capacity() - self.len()
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut dyn Fields<'a>> {
        <[M]>::get_mut(self, index).map(|message| message as _)
    }

    fn truncate(&mut self, len: usize) {
        Vec::truncate(self, len);
    }

    fn size(&self) -> usize {
        size_of::<M>()
    }
}

impl<M: Reflect> MessageListRef for Vec<M> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn get(&self, index: usize) -> Option<&dyn Reflect> {
        <[M]>::get(self, index).map(|message| message as _)
    }
}

/// Key and value of a map entry that is being read.
pub trait EntrySlots<'a> {
    /// The key.
    fn key(&mut self) -> Slot<'_, 'a>;

    /// The value.
    fn value(&mut self) -> Slot<'_, 'a>;
}

/// What is done with an entry; false drops it.
pub type Fill<'f, 'a> = &'f mut dyn FnMut(&mut dyn EntrySlots<'a>) -> bool;

/// A map field, lent for writing.
pub trait MapSlot<'a> {
    /// Makes an entry with default key and value, lets `fill` write them, and inserts it if that
    /// says so; an entry with the same key is replaced.
    fn insert(&mut self, fill: Fill<'_, 'a>);

    /// Reads an entry that lies at `pos` of `buf` and fills it, and inserts it; false if its value is
    /// not one of a closed enum.
    #[doc(hidden)]
    fn merge_entry(
        &mut self,
        entry: &TableRef,
        buf: &'a [u8],
        pos: usize,
        cx: &mut Context<'_>,
    ) -> Result<bool, DecodeError>;

    /// Removes all entries.
    fn clear(&mut self);

    /// Makes room for this many more, where that is possible.
    fn reserve(&mut self, additional: usize) {
        let _ = additional;
    }

    /// Removes the entry with the key that `fill` writes.
    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool;

    /// The bytes of memory of one entry.
    fn size(&self) -> usize;
}

/// Visits an entry; false stops.
pub type Visit<'f> = &'f mut dyn FnMut(SlotRef<'_>, SlotRef<'_>) -> bool;

/// A map field, lent for reading.
pub trait MapRef {
    /// How many entries there are.
    fn len(&self) -> usize;

    /// True if there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows every entry; `sorted` asks for the order of keys.
    fn for_each(&self, sorted: bool, visit: Visit<'_>);
}

/// A value that stands on its own: a key or value of a map, an extension.
pub trait Part<'a> {
    /// Lends the value for writing.
    fn slot(&mut self) -> Slot<'_, 'a>;

    /// Lends the value for reading.
    fn slot_ref(&self) -> SlotRef<'_>;
}

macro_rules! parts {
    ($($type:ty => $slot:ident, $ref:ident, |$value:ident| $read:expr;)*) => {$(
        impl<'a> Part<'a> for $type {
            #[inline]
            fn slot(&mut self) -> Slot<'_, 'a> {
                Slot::$slot(self)
            }
            #[inline]
            fn slot_ref(&self) -> SlotRef<'_> {
                let $value = self;
                SlotRef::$ref($read)
            }
        }
    )*};
}

parts! {
    bool => Bool, Bool, |v| *v;
    i32 => I32, I32, |v| *v;
    i64 => I64, I64, |v| *v;
    u32 => U32, U32, |v| *v;
    u64 => U64, U64, |v| *v;
    f32 => F32, F32, |v| *v;
    f64 => F64, F64, |v| *v;
    String => String, String, |v| v;
    &'a str => Str, String, |v| v;
    Bytes => Bytes, Bytes, |v| v;
    &'a [u8] => Slice, Bytes, |v| v;
    Vec<bool> => Bools, Bools, |v| v;
    Vec<i32> => I32s, I32s, |v| v;
    Vec<i64> => I64s, I64s, |v| v;
    Vec<u32> => U32s, U32s, |v| v;
    Vec<u64> => U64s, U64s, |v| v;
    Vec<f32> => F32s, F32s, |v| v;
    Vec<f64> => F64s, F64s, |v| v;
    Vec<String> => Strings, Strings, |v| v;
    Vec<Bytes> => BytesList, BytesList, |v| v;
}

impl<'a, M: Fields<'a>> Part<'a> for M {
    #[inline]
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Present(self)
    }

    #[inline]
    fn slot_ref(&self) -> SlotRef<'_> {
        SlotRef::Message(self)
    }
}

impl<'a, M: Fields<'a> + Default> Part<'a> for Vec<M> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Messages(self)
    }

    fn slot_ref(&self) -> SlotRef<'_> {
        SlotRef::Messages(self)
    }
}

/// The values of an extension that is a repeated enum.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumValues<E>(pub Vec<E>);

impl<E> Default for EnumValues<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, E: Enumeration> Part<'a> for EnumValues<E> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Enums(&mut self.0)
    }

    fn slot_ref(&self) -> SlotRef<'_> {
        SlotRef::Enums(&self.0)
    }
}

/// Gives an enum newtype over `i32` what the runtime needs; `open` or `closed` as the schema says.
///
/// Only generated code uses this.
#[macro_export]
#[doc(hidden)]
macro_rules! enumeration {
    ($name:ty, $table:expr, open) => {
        $crate::enumeration!(@common $name, $table, |number| ::core::option::Option::Some(Self(number)));

        impl ::core::convert::From<i32> for $name {
            fn from(number: i32) -> Self {
                Self(number)
            }
        }
    };
    ($name:ty, $table:expr, closed) => {
        $crate::enumeration!(@common $name, $table, |number| $table.by_number(number).map(|_| Self(number)));
    };
    (@common $name:ty, $table:expr, |$number:ident| $from:expr) => {
        impl $name {
            /// The name of the value as the schema spells it, if it has one.
            pub fn name(self) -> ::core::option::Option<&'static str> {
                $table.by_number(self.0).map($crate::table::EnumValue::name)
            }
        }

        impl $crate::slot::Enumeration for $name {
            const TABLE: &'static $crate::table::EnumTable = &$table;
            #[inline]
            fn from_number($number: i32) -> ::core::option::Option<Self> {
                $from
            }
            #[inline]
            fn number(self) -> i32 {
                self.0
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self.name() {
                    ::core::option::Option::Some(name) => f.write_str(name),
                    ::core::option::Option::None => write!(f, "{}({})", $table.full_name(), self.0),
                }
            }
        }

        impl<'a> $crate::slot::Part<'a> for $name {
            fn slot(&mut self) -> $crate::slot::Slot<'_, 'a> {
                $crate::slot::Slot::Enum(self)
            }
            fn slot_ref(&self) -> $crate::slot::SlotRef<'_> {
                $crate::slot::SlotRef::Enum(self.0)
            }
        }
    };
}

#[derive(Default)]
struct Entry<K, V> {
    key: K,
    value: V,
}

impl<'a, K: Part<'a> + Default, V: Part<'a> + Default> EntrySlots<'a> for Entry<K, V> {
    #[inline(always)]
    fn key(&mut self) -> Slot<'_, 'a> {
        self.key.slot()
    }

    #[inline(always)]
    fn value(&mut self) -> Slot<'_, 'a> {
        self.value.slot()
    }
}

fn filled<'a, K: Part<'a> + Default, V: Part<'a> + Default>(fill: Fill<'_, 'a>) -> Option<Entry<K, V>> {
    let mut entry = Entry { key: K::default(), value: V::default() };
    fill(&mut entry).then_some(entry)
}

/// `MapSlot::merge_entry` with the map's own way to insert.
macro_rules! merge_entry {
    (|$map:ident, $key:ident, $value:ident| $insert:expr) => {
        fn merge_entry(
            &mut self,
            entry: &TableRef,
            buf: &'a [u8],
            pos: usize,
            cx: &mut Context<'_>,
        ) -> Result<bool, DecodeError> {
            let mut slots: Entry<K, V> = Entry::default();
            let known = crate::decode::merge_entry(&mut slots, entry, buf, pos, cx)?;
            if known {
                let ($map, Entry { key: $key, value: $value }) = (self, slots);
                $insert;
            }
            Ok(known)
        }
    };
}

impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapSlot<'a> for BTreeMap<K, V> {
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        if let Some(entry) = filled::<K, V>(fill) {
            BTreeMap::insert(self, entry.key, entry.value);
        }
    }

    merge_entry!(|map, key, value| BTreeMap::insert(map, key, value));

    fn clear(&mut self) {
        BTreeMap::clear(self);
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        filled::<K, V>(fill).is_some_and(|entry| BTreeMap::remove(self, &entry.key).is_some())
    }

    fn size(&self) -> usize {
        // Nodes of eleven entries are at least half full.
        2 * (size_of::<K>() + size_of::<V>())
    }
}

impl<'a, K: Part<'a> + Default, V: Part<'a> + Default> MapRef for BTreeMap<K, V> {
    fn len(&self) -> usize {
        BTreeMap::len(self)
    }

    fn for_each(&self, _: bool, visit: Visit<'_>) {
        for (key, value) in self {
            if !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}

#[cfg(feature = "std")]
impl<'a, K: Part<'a> + Default + Ord + core::hash::Hash, V: Part<'a> + Default> MapSlot<'a>
    for std::collections::HashMap<K, V>
{
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        if let Some(entry) = filled::<K, V>(fill) {
            std::collections::HashMap::insert(self, entry.key, entry.value);
        }
    }

    merge_entry!(|map, key, value| std::collections::HashMap::insert(map, key, value));

    fn clear(&mut self) {
        std::collections::HashMap::clear(self);
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        filled::<K, V>(fill)
            .is_some_and(|entry| std::collections::HashMap::remove(self, &entry.key).is_some())
    }

    fn size(&self) -> usize {
        2 * (size_of::<K>() + size_of::<V>() + 1)
    }
}

#[cfg(feature = "std")]
impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapRef for std::collections::HashMap<K, V> {
    fn len(&self) -> usize {
        std::collections::HashMap::len(self)
    }

    fn for_each(&self, sorted: bool, visit: Visit<'_>) {
        if !sorted {
            for (key, value) in self {
                if !visit(key.slot_ref(), value.slot_ref()) {
                    return;
                }
            }
            return;
        }
        let mut entries: Vec<_> = self.iter().collect();
        entries.sort_by(|a, b| a.0.cmp(b.0));
        for (key, value) in entries {
            if !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}

/// The map of a view: entries as they arrived. Where a key comes twice, the last entry counts.
#[derive(Clone, Debug, PartialEq)]
pub struct MapView<K, V>(Vec<(K, V)>);

impl<K, V> Default for MapView<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V> MapView<K, V> {
    /// The entries as they arrived.
    pub fn entries(&self) -> &[(K, V)] {
        &self.0
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapSlot<'a> for MapView<K, V> {
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        self.0.extend(filled(fill).map(|entry: Entry<K, V>| (entry.key, entry.value)));
    }

    merge_entry!(|map, key, value| map.0.push((key, value)));

    fn reserve(&mut self, additional: usize) {
        self.0.reserve_exact(additional.max(self.0.len()));
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        let Some(entry) = filled::<K, V>(fill) else { return false };
        let len = self.0.len();
        self.0.retain(|(key, _)| *key != entry.key);
        self.0.len() < len
    }

    fn size(&self) -> usize {
        2 * size_of::<(K, V)>()
    }
}

impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapRef for MapView<K, V> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn for_each(&self, _: bool, visit: Visit<'_>) {
        // The last entry of each key, in the order of keys.
        let mut entries: Vec<_> = self.0.iter().collect();
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for (i, (key, value)) in entries.iter().enumerate() {
            let shadowed = entries.get(i + 1).is_some_and(|next| next.0 == *key);
            if !shadowed && !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}
