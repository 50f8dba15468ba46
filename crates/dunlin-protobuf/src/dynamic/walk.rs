//! Encoding: the values of fields, past their slots.

use super::storage::{DynamicMap, MapKey, Storage};
use crate::encode::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Float, Grp, Int32, Int64, Msg, Sfixed32, Sfixed64, Sint32,
    Sint64, Str, Uint32, Uint64, Value, Walk,
};
use crate::table::{Kind, WireEntry};

#[inline(always)]
fn one<K>(entry: WireEntry, value: &impl Value<K>, out: &mut impl Walk) {
    if !entry.implicit || !value.is_default() {
        out.member(entry.number(), value);
    }
}

#[inline(always)]
fn many<K>(entry: WireEntry, values: &[impl Value<K>], out: &mut impl Walk) {
    if entry.is_packed() {
        out.packed(entry.number(), values);
    } else {
        out.repeated(entry.number(), values);
    }
}

#[inline(always)]
fn one_i32(entry: WireEntry, value: &i32, out: &mut impl Walk) {
    match entry.kind {
        Kind::Sint32 => one::<Sint32>(entry, value, out),
        Kind::Sfixed32 => one::<Sfixed32>(entry, value, out),
        _ => one::<Int32>(entry, value, out),
    }
}

#[inline(always)]
fn one_i64(entry: WireEntry, value: &i64, out: &mut impl Walk) {
    match entry.kind {
        Kind::Sint64 => one::<Sint64>(entry, value, out),
        Kind::Sfixed64 => one::<Sfixed64>(entry, value, out),
        _ => one::<Int64>(entry, value, out),
    }
}

#[inline(always)]
fn one_u32(entry: WireEntry, value: &u32, out: &mut impl Walk) {
    match entry.kind {
        Kind::Fixed32 => one::<Fixed32>(entry, value, out),
        _ => one::<Uint32>(entry, value, out),
    }
}

#[inline(always)]
fn one_u64(entry: WireEntry, value: &u64, out: &mut impl Walk) {
    match entry.kind {
        Kind::Fixed64 => one::<Fixed64>(entry, value, out),
        _ => one::<Uint64>(entry, value, out),
    }
}

impl Storage {
    /// Walks the value of a field.
    #[inline(always)]
    pub(super) fn walk(&self, entry: WireEntry, out: &mut impl Walk) {
        let number = entry.number();
        match self {
            Self::String(Some(text)) => one::<Str>(entry, text, out),
            Self::Bool(Some(value)) => one::<Bool>(entry, value, out),
            Self::I32(Some(value)) => one_i32(entry, value, out),
            Self::I64(Some(value)) => one_i64(entry, value, out),
            Self::U32(Some(value)) => one_u32(entry, value, out),
            Self::U64(Some(value)) => one_u64(entry, value, out),
            Self::F32(Some(value)) => one::<Float>(entry, value, out),
            Self::F64(Some(value)) => one::<Double>(entry, value, out),
            Self::Bytes(Some(value)) | Self::Raw(Some(value)) => one::<Bytes>(entry, value, out),
            Self::Enum(Some(value)) => one::<Enum>(entry, value, out),
            Self::Message(place) => {
                let Some(message) = place.get() else { return };
                match entry.kind {
                    Kind::Group => out.member::<Grp>(number, message),
                    _ => out.member::<Msg>(number, message),
                }
            }
            Self::Strings(texts) => out.repeated::<Str>(number, texts),
            Self::Messages(list) => match entry.kind {
                Kind::Group => out.repeated::<Grp>(number, &list.messages),
                _ => out.repeated::<Msg>(number, &list.messages),
            },
            Self::Map(map) => map.walk(number, out),
            Self::Bools(values) => many::<Bool>(entry, values, out),
            Self::I32s(values) => match entry.kind {
                Kind::Sint32 => many::<Sint32>(entry, values, out),
                Kind::Sfixed32 => many::<Sfixed32>(entry, values, out),
                _ => many::<Int32>(entry, values, out),
            },
            Self::I64s(values) => match entry.kind {
                Kind::Sint64 => many::<Sint64>(entry, values, out),
                Kind::Sfixed64 => many::<Sfixed64>(entry, values, out),
                _ => many::<Int64>(entry, values, out),
            },
            Self::U32s(values) => match entry.kind {
                Kind::Fixed32 => many::<Fixed32>(entry, values, out),
                _ => many::<Uint32>(entry, values, out),
            },
            Self::U64s(values) => match entry.kind {
                Kind::Fixed64 => many::<Fixed64>(entry, values, out),
                _ => many::<Uint64>(entry, values, out),
            },
            Self::F32s(values) => many::<Float>(entry, values, out),
            Self::F64s(values) => many::<Double>(entry, values, out),
            Self::BytesList(values) => out.repeated::<Bytes>(number, values),
            Self::Enums(values) => many::<Enum>(entry, values, out),
            _ => {}
        }
    }
}

impl MapKey {
    #[inline(always)]
    fn walk(&self, entry: WireEntry, out: &mut impl Walk) {
        match self {
            Self::String(text) => one::<Str>(entry, text, out),
            Self::Bool(value) => one::<Bool>(entry, value, out),
            Self::I32(value) => one_i32(entry, value, out),
            Self::I64(value) => one_i64(entry, value, out),
            Self::U32(value) => one_u32(entry, value, out),
            Self::U64(value) => one_u64(entry, value, out),
            Self::Bytes(text) => one::<Bytes>(entry, text, out),
        }
    }
}

impl DynamicMap {
    #[inline(always)]
    fn walk(&self, number: u32, out: &mut impl Walk) {
        let [of_key, of_value] = *self.entry.wire else { return };
        for (key, value) in &self.entries {
            out.entry(number, |out| {
                key.walk(of_key, out);
                value.walk(of_value, out);
            });
        }
    }
}
