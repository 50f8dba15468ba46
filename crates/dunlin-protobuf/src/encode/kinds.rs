//! How a value of each type lies on the wire.

use alloc::collections::BTreeMap;
use alloc::string::String;

use super::{Measure, Writer};
use crate::SharedString;
use crate::message::Reflect;
use crate::slot::Enumeration;
use crate::wire::WireType;
use crate::wire::write::{varint_len, zigzag32, zigzag64};

/// A value that a field of type `K` may have.
pub trait Value<K> {
    /// How it is laid out.
    const WIRE_TYPE: WireType;

    /// True for what a field without presence does not write.
    fn is_default(&self) -> bool;

    /// Adds the length of the value, with its length prefix but without its tag.
    fn measure(&self, number: u32, out: &mut Measure);

    /// Writes the value behind its tag.
    fn write(&self, number: u32, out: &mut Writer<'_>);

    /// Writes tag and value.
    #[inline(always)]
    fn write_field(&self, number: u32, out: &mut Writer<'_>) {
        out.tag(number, Self::WIRE_TYPE);
        self.write(number, out);
    }

    /// Writes values without tags, which take `len` bytes together.
    #[inline(always)]
    fn write_run(values: &[Self], len: usize, out: &mut Writer<'_>)
    where
        Self: Sized,
    {
        let _ = len;
        values.iter().for_each(|value| value.write(0, out));
    }
}

macro_rules! kinds {
    ($($name:ident)*) => {$(
        #[doc = concat!("The type `", stringify!($name), "` of a field.")]
        #[derive(Debug)]
        pub enum $name {}
    )*};
}

kinds! {
    Double Float Int64 Uint64 Int32 Fixed64 Fixed32 Bool Str Grp Msg Bytes Uint32 Enum Sfixed32 Sfixed64
    Sint32 Sint64
}

macro_rules! varints {
    ($($kind:ident $type:ty: |$value:ident| $raw:expr;)*) => {$(
        impl Value<$kind> for $type {
            const WIRE_TYPE: WireType = WireType::Varint;
            #[inline(always)]
            fn is_default(&self) -> bool {
                let $value = *self;
                $raw == 0
            }
            #[inline(always)]
            fn measure(&self, _: u32, out: &mut Measure) {
                let $value = *self;
                out.add(varint_len($raw));
            }
            #[inline(always)]
            fn write(&self, _: u32, out: &mut Writer<'_>) {
                let $value = *self;
                out.varint($raw);
            }
            #[inline(always)]
            fn write_field(&self, number: u32, out: &mut Writer<'_>) {
                let $value = *self;
                out.varint_field(number, $raw);
            }
            #[inline(always)]
            fn write_run(values: &[Self], len: usize, out: &mut Writer<'_>) {
                out.varints(values, len, |&$value| $raw);
            }
        }
    )*};
}

varints! {
    Int32 i32: |v| v as i64 as u64;
    Int64 i64: |v| v as u64;
    Uint32 u32: |v| u64::from(v);
    Uint64 u64: |v| v;
    Sint32 i32: |v| u64::from(zigzag32(v));
    Sint64 i64: |v| zigzag64(v);
    Bool bool: |v| u64::from(v);
    Enum i32: |v| v as i64 as u64;
}

impl<E: Enumeration> Value<Enum> for E {
    const WIRE_TYPE: WireType = WireType::Varint;
    #[inline(always)]
    fn is_default(&self) -> bool {
        self.number() == 0
    }
    #[inline(always)]
    fn measure(&self, _: u32, out: &mut Measure) {
        out.add(varint_len(self.number() as i64 as u64));
    }
    #[inline(always)]
    fn write(&self, _: u32, out: &mut Writer<'_>) {
        out.varint(self.number() as i64 as u64);
    }
    #[inline(always)]
    fn write_field(&self, number: u32, out: &mut Writer<'_>) {
        out.varint_field(number, self.number() as i64 as u64);
    }
    #[inline(always)]
    fn write_run(values: &[Self], len: usize, out: &mut Writer<'_>) {
        out.varints(values, len, |value| value.number() as i64 as u64);
    }
}

macro_rules! fixed {
    ($($kind:ident $type:ty, $wire:ident, $len:literal, |$value:ident| $default:expr;)*) => {$(
        impl Value<$kind> for $type {
            const WIRE_TYPE: WireType = WireType::$wire;
            #[inline(always)]
            fn is_default(&self) -> bool {
                let $value = *self;
                $default
            }
            #[inline(always)]
            fn measure(&self, _: u32, out: &mut Measure) {
                out.add($len);
            }
            #[inline(always)]
            fn write(&self, _: u32, out: &mut Writer<'_>) {
                out.slice(&self.to_le_bytes());
            }
            #[inline(always)]
            fn write_field(&self, number: u32, out: &mut Writer<'_>) {
                out.array_field(number, WireType::$wire, self.to_le_bytes());
            }
            #[inline(always)]
            fn write_run(values: &[Self], _: usize, out: &mut Writer<'_>) {
                out.arrays(values, |value| value.to_le_bytes());
            }
        }
    )*};
}

fixed! {
    Fixed32 u32, I32, 4, |v| v == 0;
    Fixed64 u64, I64, 8, |v| v == 0;
    Sfixed32 i32, I32, 4, |v| v == 0;
    Sfixed64 i64, I64, 8, |v| v == 0;
    // Negative zero is not the default.
    Float f32, I32, 4, |v| v.to_bits() == 0;
    Double f64, I64, 8, |v| v.to_bits() == 0;
}

macro_rules! slices {
    ($($kind:ident $type:ty;)*) => {$(
        impl Value<$kind> for $type {
            const WIRE_TYPE: WireType = WireType::Len;
            #[inline(always)]
            fn is_default(&self) -> bool {
                self.is_empty()
            }
            #[inline(always)]
            fn measure(&self, _: u32, out: &mut Measure) {
                out.add(varint_len(self.len() as u64) + self.len());
            }
            #[inline(always)]
            fn write(&self, _: u32, out: &mut Writer<'_>) {
                out.varint(self.len() as u64);
                out.slice(AsRef::<[u8]>::as_ref(self));
            }
            #[inline(always)]
            fn write_field(&self, number: u32, out: &mut Writer<'_>) {
                out.slice_field(number, AsRef::<[u8]>::as_ref(self));
            }
        }
    )*};
}

slices! {
    Str String;
    Str &str;
    Bytes bytes::Bytes;
    Bytes alloc::vec::Vec<u8>;
    Bytes &[u8];
}

impl Value<Str> for SharedString {
    const WIRE_TYPE: WireType = WireType::Len;
    #[inline(always)]
    fn is_default(&self) -> bool {
        self.is_empty()
    }
    #[inline(always)]
    fn measure(&self, _: u32, out: &mut Measure) {
        out.add(varint_len(self.len() as u64) + self.len());
    }
    #[inline(always)]
    fn write(&self, _: u32, out: &mut Writer<'_>) {
        out.varint(self.len() as u64);
        out.slice(self.as_bytes());
    }
    #[inline(always)]
    fn write_field(&self, number: u32, out: &mut Writer<'_>) {
        out.shared_field(number, self);
    }
}

impl<M: Reflect> Value<Msg> for M {
    const WIRE_TYPE: WireType = WireType::Len;
    #[inline]
    fn is_default(&self) -> bool {
        false
    }
    #[inline]
    fn measure(&self, _: u32, out: &mut Measure) {
        out.nested(|out| M::measure(self, out));
    }
    #[inline]
    fn write(&self, number: u32, out: &mut Writer<'_>) {
        out.sized(number, |out| M::write(self, out));
    }
    #[inline]
    fn write_field(&self, number: u32, out: &mut Writer<'_>) {
        out.nested(number, |out| M::write(self, out));
    }
}

impl<M: Reflect> Value<Grp> for M {
    const WIRE_TYPE: WireType = WireType::StartGroup;
    #[inline]
    fn is_default(&self) -> bool {
        false
    }
    #[inline]
    fn measure(&self, number: u32, out: &mut Measure) {
        M::measure(self, out);
        out.add(crate::wire::write::tag_len(number));
    }
    #[inline]
    fn write(&self, number: u32, out: &mut Writer<'_>) {
        M::write(self, out);
        out.varint(u64::from(number << 3 | WireType::EndGroup as u32));
    }
}

/// A map whose keys are of type `K` and values of type `V`.
pub trait Entries<K, V> {
    /// The type of keys.
    type Key: Value<K>;
    /// The type of values.
    type Value: Value<V>;

    /// Shows every entry; in the order of keys if `sorted`.
    fn each(&self, sorted: bool, visit: impl FnMut(&Self::Key, &Self::Value));
}

impl<K, V, A: Value<K>, B: Value<V>> Entries<K, V> for BTreeMap<A, B> {
    type Key = A;
    type Value = B;

    #[inline]
    fn each(&self, _: bool, mut visit: impl FnMut(&A, &B)) {
        for (key, value) in self {
            visit(key, value);
        }
    }
}

#[cfg(feature = "std")]
impl<K, V, A: Value<K> + Ord, B: Value<V>> Entries<K, V> for std::collections::HashMap<A, B> {
    type Key = A;
    type Value = B;

    fn each(&self, sorted: bool, mut visit: impl FnMut(&A, &B)) {
        if !sorted {
            return self.iter().for_each(|(key, value)| visit(key, value));
        }
        let entries: alloc::vec::Vec<_> = self.iter().collect();
        for index in crate::slot::in_order(entries.len(), &mut |a, b| entries[a].0.cmp(entries[b].0)) {
            let (key, value) = entries[index];
            visit(key, value);
        }
    }
}
