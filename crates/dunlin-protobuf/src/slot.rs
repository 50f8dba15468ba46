//! The seam between messages and everything that works on any message: [`Slot`] lends one field
//! for writing, [`SlotRef`] for reading.
//!
//! Generated code hands out its struct members, a dynamic message its storage. The decoder, JSON,
//! text format and reflection are written once over slots.

mod enums;
mod map;
mod wrapper;

use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::SharedString;
use crate::message::{Fields, Reflect};

pub use enums::{EnumList, EnumListRef, EnumSlot, EnumValues, Enumeration};
#[cfg(feature = "std")]
pub(crate) use map::in_order;
pub use map::{EntrySlots, Fill, MapRef, MapSlot, MapView, Visit};
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
    Shared(&'s mut SharedString),
    Str(&'s mut &'a str),
    Bytes(&'s mut Bytes),
    ByteVec(&'s mut Vec<u8>),
    Slice(&'s mut &'a [u8]),

    OptBool(&'s mut Option<bool>),
    OptI32(&'s mut Option<i32>),
    OptI64(&'s mut Option<i64>),
    OptU32(&'s mut Option<u32>),
    OptU64(&'s mut Option<u64>),
    OptF32(&'s mut Option<f32>),
    OptF64(&'s mut Option<f64>),
    OptString(&'s mut Option<String>),
    OptShared(&'s mut Option<SharedString>),
    OptStr(&'s mut Option<&'a str>),
    OptBytes(&'s mut Option<Bytes>),
    OptByteVec(&'s mut Option<Vec<u8>>),
    OptSlice(&'s mut Option<&'a [u8]>),

    Bools(&'s mut Vec<bool>),
    I32s(&'s mut Vec<i32>),
    I64s(&'s mut Vec<i64>),
    U32s(&'s mut Vec<u32>),
    U64s(&'s mut Vec<u64>),
    F32s(&'s mut Vec<f32>),
    F64s(&'s mut Vec<f64>),
    Strings(&'s mut Vec<String>),
    SharedList(&'s mut Vec<SharedString>),
    Strs(&'s mut Vec<&'a str>),
    BytesList(&'s mut Vec<Bytes>),
    ByteVecs(&'s mut Vec<Vec<u8>>),
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
    /// Bytes; or the text of a string field whose schema does not ask for UTF-8.
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
    SharedList(&'s [SharedString]),
    Strs(&'s [&'s str]),
    BytesList(&'s [Bytes]),
    ByteVecs(&'s [Vec<u8>]),
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

    /// The texts of a repeated string field, however they are held.
    pub fn texts(self) -> Option<Vec<&'s str>> {
        Some(match self {
            Self::Strings(values) => values.iter().map(String::as_str).collect(),
            Self::SharedList(values) => values.iter().map(SharedString::as_str).collect(),
            Self::Strs(values) => values.to_vec(),
            _ => return None,
        })
    }

    /// The values of a repeated bytes field, however they are held; or the bytes of texts.
    pub fn byte_slices(self) -> Option<Vec<&'s [u8]>> {
        Some(match self {
            Self::BytesList(values) => values.iter().map(|bytes| &**bytes).collect(),
            Self::ByteVecs(values) => values.iter().map(Vec::as_slice).collect(),
            Self::Slices(values) => values.to_vec(),
            _ => self.texts()?.into_iter().map(str::as_bytes).collect(),
        })
    }

    /// A message that may be there.
    #[inline]
    pub fn opt_message<M: Reflect>(value: Option<&'s M>) -> Self {
        value.map_or(Self::Absent, |message| Self::Message(message))
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

    /// How many messages there are.
    fn len(&self) -> usize;

    /// True if there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

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

    fn len(&self) -> usize {
        Vec::len(self)
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

/// A value that stands on its own: a key or value of a map, an extension.
pub trait Part<'a> {
    /// Lends the value for writing.
    fn slot(&mut self) -> Slot<'_, 'a>;

    /// Lends the value for reading.
    fn slot_ref(&self) -> SlotRef<'_>;

    /// As [`Fields::raw_slot`].
    #[doc(hidden)]
    fn raw_slot(&mut self) -> Slot<'_, 'a> {
        self.slot()
    }
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
    SharedString => Shared, String, |v| v;
    &'a str => Str, String, |v| v;
    Bytes => Bytes, Bytes, |v| v;
    Vec<u8> => ByteVec, Bytes, |v| v;
    &'a [u8] => Slice, Bytes, |v| v;
    Vec<bool> => Bools, Bools, |v| v;
    Vec<i32> => I32s, I32s, |v| v;
    Vec<i64> => I64s, I64s, |v| v;
    Vec<u32> => U32s, U32s, |v| v;
    Vec<u64> => U64s, U64s, |v| v;
    Vec<f32> => F32s, F32s, |v| v;
    Vec<f64> => F64s, F64s, |v| v;
    Vec<String> => Strings, Strings, |v| v;
    Vec<SharedString> => SharedList, SharedList, |v| v;
    Vec<Bytes> => BytesList, BytesList, |v| v;
    Vec<Vec<u8>> => ByteVecs, ByteVecs, |v| v;
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
