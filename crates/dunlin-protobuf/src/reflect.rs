//! Reading and writing any message by its fields: generated, borrowed or dynamic.
//!
//! ```
//! use dunlin_protobuf::reflect::{self, Value};
//! use dunlin_protobuf::slot::SlotRef;
//! use dunlin_protobuf::wkt::Timestamp;
//! use dunlin_protobuf::{Fields, Reflect};
//!
//! let mut time = Timestamp::default();
//! let index = time.table().index_of_name("seconds").unwrap();
//! reflect::set(&mut time, index, Value::I64(42))?;
//! assert_eq!(time.seconds, 42);
//! assert!(matches!(time.slot_ref(index), SlotRef::I64(42)));
//! assert_eq!(reflect::set_fields(&time).count(), 1);
//! # Ok::<(), reflect::TypeMismatch>(())
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use bytes::Bytes;

use crate::SharedString;
use crate::message::{Fields, Reflect};
use crate::slot::{EntrySlots, Slot, SlotRef};
use crate::table::{FieldTable, Kind, Shape};

/// A value that can be put into a field or appended to a list.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
#[non_exhaustive]
pub enum Value {
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    F32(f32),
    F64(f64),
    String(String),
    Bytes(Bytes),
    /// The number of an enum value.
    Enum(i32),
}

/// A value of one type for a field of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value is not of the field's type")]
pub struct TypeMismatch;

/// Sets a singular field, or appends to a repeated one.
///
/// A string field whose schema does not ask for UTF-8 takes bytes too, if the message can hold them: a dynamic one
/// can, and one that was generated with `raw_strings`.
///
/// # Errors
/// When the value is not of the field's type, or a number is none of a closed enum.
pub fn set(message: &mut dyn Fields<'_>, index: usize, value: Value) -> Result<(), TypeMismatch> {
    let table = message.table();
    match (value, table.fields().get(index)) {
        (Value::String(_), Some(field)) if field.kind == Kind::Bytes => Err(TypeMismatch),
        (Value::Bytes(_), Some(field)) if field.kind == Kind::String && !field.unchecked => Err(TypeMismatch),
        (Value::Bytes(text), Some(field)) if field.unchecked && !is_text(SlotRef::Bytes(&text)) => {
            store(message.raw_slot(index), Value::Bytes(text))
        }
        (value, _) => store(message.slot(index), value),
    }
}

fn holds_text(slot: &Slot<'_, '_>) -> bool {
    use Slot::{OptShared, OptString, Shared, SharedList, Strings};
    matches!(slot, Slot::String(_) | Shared(_) | OptString(_) | OptShared(_) | Strings(_) | SharedList(_))
}

/// Puts a value into a slot: sets a singular field, appends to a repeated one. Text goes into bytes too, and bytes that
/// are UTF-8 into text, since string fields may be held as either.
///
/// # Errors
/// As [`set`].
#[inline]
pub fn store(slot: Slot<'_, '_>, value: Value) -> Result<(), TypeMismatch> {
    let value = match value {
        Value::String(text) if !holds_text(&slot) => Value::Bytes(text.into_bytes().into()),
        Value::Bytes(bytes) if holds_text(&slot) => {
            Value::String(String::from_utf8(bytes.into()).map_err(|_| TypeMismatch)?)
        }
        value => value,
    };
    match (slot, value) {
        (Slot::Bool(place), Value::Bool(value)) => *place = value,
        (Slot::I32(place), Value::I32(value) | Value::Enum(value)) => *place = value,
        (Slot::I64(place), Value::I64(value)) => *place = value,
        (Slot::U32(place), Value::U32(value)) => *place = value,
        (Slot::U64(place), Value::U64(value)) => *place = value,
        (Slot::F32(place), Value::F32(value)) => *place = value,
        (Slot::F64(place), Value::F64(value)) => *place = value,
        (Slot::String(place), Value::String(value)) => *place = value,
        (Slot::Shared(place), Value::String(value)) => *place = value.into(),
        (Slot::Bytes(place), Value::Bytes(value)) => *place = value,
        (Slot::ByteVec(place), Value::Bytes(value)) => *place = value.into(),

        (Slot::OptBool(place), Value::Bool(value)) => *place = Some(value),
        (Slot::OptI32(place), Value::I32(value) | Value::Enum(value)) => *place = Some(value),
        (Slot::OptI64(place), Value::I64(value)) => *place = Some(value),
        (Slot::OptU32(place), Value::U32(value)) => *place = Some(value),
        (Slot::OptU64(place), Value::U64(value)) => *place = Some(value),
        (Slot::OptF32(place), Value::F32(value)) => *place = Some(value),
        (Slot::OptF64(place), Value::F64(value)) => *place = Some(value),
        (Slot::OptString(place), Value::String(value)) => *place = Some(value),
        (Slot::OptShared(place), Value::String(value)) => *place = Some(value.into()),
        (Slot::OptByteVec(place), Value::Bytes(value)) => *place = Some(value.into()),
        (Slot::OptBytes(place), Value::Bytes(value)) => *place = Some(value),

        (Slot::Bools(values), Value::Bool(value)) => values.push(value),
        (Slot::I32s(values), Value::I32(value) | Value::Enum(value)) => values.push(value),
        (Slot::I64s(values), Value::I64(value)) => values.push(value),
        (Slot::U32s(values), Value::U32(value)) => values.push(value),
        (Slot::U64s(values), Value::U64(value)) => values.push(value),
        (Slot::F32s(values), Value::F32(value)) => values.push(value),
        (Slot::F64s(values), Value::F64(value)) => values.push(value),
        (Slot::Strings(values), Value::String(value)) => values.push(value),
        (Slot::SharedList(values), Value::String(value)) => values.push(value.into()),
        (Slot::ByteVecs(values), Value::Bytes(value)) => values.push(value.into()),
        (Slot::BytesList(values), Value::Bytes(value)) => values.push(value),

        (Slot::Enum(place), Value::Enum(value)) => return place.set(value).then_some(()).ok_or(TypeMismatch),
        (Slot::Enums(values), Value::Enum(value)) => {
            return values.push(value).then_some(()).ok_or(TypeMismatch);
        }
        _ => return Err(TypeMismatch),
    }
    Ok(())
}

/// Takes a field back: no value, no elements, the default.
pub fn clear(message: &mut dyn Fields<'_>, index: usize) {
    let table = message.table();
    let Some(field) = table.fields().get(index) else { return };
    if let Shape::Oneof(oneof) = field.shape {
        // Another member may be the one that is set.
        if is_set(message.as_reflect(), index) {
            message.clear_oneof(usize::from(oneof));
        }
        return;
    }
    match message.slot(index) {
        Slot::Bool(place) => *place = false,
        Slot::I32(place) => *place = 0,
        Slot::I64(place) => *place = 0,
        Slot::U32(place) => *place = 0,
        Slot::U64(place) => *place = 0,
        Slot::F32(place) => *place = 0.0,
        Slot::F64(place) => *place = 0.0,
        Slot::String(place) => place.clear(),
        Slot::Shared(place) => *place = SharedString::default(),
        Slot::Str(place) => *place = "",
        Slot::Bytes(place) => place.clear(),
        Slot::ByteVec(place) => place.clear(),
        Slot::Slice(place) => *place = &[],
        Slot::OptBool(place) => *place = None,
        Slot::OptI32(place) => *place = None,
        Slot::OptI64(place) => *place = None,
        Slot::OptU32(place) => *place = None,
        Slot::OptU64(place) => *place = None,
        Slot::OptF32(place) => *place = None,
        Slot::OptF64(place) => *place = None,
        Slot::OptString(place) => *place = None,
        Slot::OptShared(place) => *place = None,
        Slot::OptStr(place) => *place = None,
        Slot::OptBytes(place) => *place = None,
        Slot::OptByteVec(place) => *place = None,
        Slot::OptSlice(place) => *place = None,
        Slot::Bools(values) => values.clear(),
        Slot::I32s(values) => values.clear(),
        Slot::I64s(values) => values.clear(),
        Slot::U32s(values) => values.clear(),
        Slot::U64s(values) => values.clear(),
        Slot::F32s(values) => values.clear(),
        Slot::F64s(values) => values.clear(),
        Slot::Strings(values) => values.clear(),
        Slot::SharedList(values) => values.clear(),
        Slot::Strs(values) => values.clear(),
        Slot::BytesList(values) => values.clear(),
        Slot::ByteVecs(values) => values.clear(),
        Slot::Slices(values) => values.clear(),
        Slot::Enum(place) => place.clear(),
        Slot::Enums(values) => values.clear(),
        Slot::Present(message) => clear_all(message),
        Slot::Message(place) => place.clear(),
        Slot::Messages(list) => list.truncate(0),
        Slot::Map(map) => map.clear(),
    }
}

/// Takes all fields back, unknown ones and extensions too.
pub fn clear_all(message: &mut dyn Fields<'_>) {
    for index in 0..message.table().fields().len() {
        clear(message, index);
    }
    if let Some(unknown) = message.try_unknown_fields_mut() {
        *unknown = crate::UnknownFields::default();
    }
}

/// True if the field would be written: set where there is presence, else not zero or empty.
pub fn is_set(message: &dyn Reflect, index: usize) -> bool {
    let table = message.table();
    let Some(field) = table.fields().get(index) else { return false };
    is_written(message.slot_ref(index), field)
}

/// The same of a value that is at hand, also of an extension's.
pub fn is_written(value: SlotRef<'_>, field: &FieldTable) -> bool {
    if field.shape == Shape::Implicit { !is_default(value) } else { !is_empty(value) }
}

/// True for what a field without presence holds when nothing set it.
#[inline]
pub(crate) fn is_default(value: SlotRef<'_>) -> bool {
    match value {
        SlotRef::Bool(value) => !value,
        SlotRef::I32(value) | SlotRef::Enum(value) => value == 0,
        SlotRef::I64(value) => value == 0,
        SlotRef::U32(value) => value == 0,
        SlotRef::U64(value) => value == 0,
        SlotRef::F32(value) => value.to_bits() == 0,
        SlotRef::F64(value) => value.to_bits() == 0,
        SlotRef::String(value) => value.is_empty(),
        SlotRef::Bytes(value) => value.is_empty(),
        other => is_empty(other),
    }
}

/// True for no value and no elements.
#[inline]
pub(crate) fn is_empty(value: SlotRef<'_>) -> bool {
    match value {
        SlotRef::Absent => true,
        SlotRef::Bools(values) => values.is_empty(),
        SlotRef::I32s(values) => values.is_empty(),
        SlotRef::I64s(values) => values.is_empty(),
        SlotRef::U32s(values) => values.is_empty(),
        SlotRef::U64s(values) => values.is_empty(),
        SlotRef::F32s(values) => values.is_empty(),
        SlotRef::F64s(values) => values.is_empty(),
        SlotRef::Strings(values) => values.is_empty(),
        SlotRef::SharedList(values) => values.is_empty(),
        SlotRef::Strs(values) => values.is_empty(),
        SlotRef::BytesList(values) => values.is_empty(),
        SlotRef::ByteVecs(values) => values.is_empty(),
        SlotRef::Slices(values) => values.is_empty(),
        SlotRef::Enums(values) => values.is_empty(),
        SlotRef::Messages(values) => values.is_empty(),
        SlotRef::Map(map) => map.is_empty(),
        _ => false,
    }
}

/// The positions of the fields that are set.
pub fn set_fields(message: &dyn Reflect) -> impl Iterator<Item = usize> + '_ {
    let count = message.table().fields().len();
    (0..count).filter(|&index| is_set(message, index))
}

/// Merges what is set in `from` into `to`, a message of the same type: scalars are replaced, lists
/// appended, messages merged, entries of maps replaced.
///
/// Text that is not UTF-8 is left out where `to` holds text as `String`, as a type that was generated without
/// `raw_strings` does: decoding refuses such text instead.
pub fn merge(from: &dyn Reflect, to: &mut dyn Fields<'_>) {
    copy_fields(from, to);
}

pub(crate) fn copy_into<'a>(from: &(impl Reflect + ?Sized), to: &mut (impl Fields<'a> + ?Sized)) {
    copy_fields(from, to);
}

fn copy_fields<'a>(from: &(impl Reflect + ?Sized), to: &mut (impl Fields<'a> + ?Sized)) {
    let table = from.table();
    for (index, field) in table.fields().iter().enumerate() {
        let value = from.slot_ref(index);
        let skip = if field.shape == Shape::Implicit { is_default(value) } else { is_empty(value) };
        if !skip {
            copy_field(value, field, to, index);
        }
    }
    if let Some(unknown) = to.try_unknown_fields_mut() {
        unknown.extend_from_wire(from.unknown_fields().as_bytes());
    }
}

/// Sets a field to the value of the same one in another message; lists are appended to.
pub(crate) fn copy_field<'a>(
    from: SlotRef<'_>,
    field: &FieldTable,
    to: &mut (impl Fields<'a> + ?Sized),
    index: usize,
) {
    if field.kind != Kind::String || is_text(from) {
        return copy_slot(from, to.slot(index));
    }
    let holds_bytes = to.table().fields().get(index).is_some_and(|field| field.unchecked);
    if holds_bytes {
        copy_slot(from, to.raw_slot(index));
    } else if field.shape.is_list() {
        copy_slot(from, to.slot(index));
    }
}

/// False for bytes that are not UTF-8.
fn is_text(value: SlotRef<'_>) -> bool {
    let is_text = |bytes: &[u8]| crate::raw::text(bytes).is_some();
    match value {
        SlotRef::Bytes(bytes) => is_text(bytes),
        SlotRef::BytesList(_) | SlotRef::ByteVecs(_) | SlotRef::Slices(_) => {
            value.byte_slices().unwrap_or_default().into_iter().all(is_text)
        }
        _ => true,
    }
}

/// Sets what is lent to a value that another message lends; lists are appended to.
fn copy_slot(from: SlotRef<'_>, to: Slot<'_, '_>) {
    let value = match (from, to) {
        (SlotRef::Message(from), Slot::Message(to)) => return copy_fields(from, to.get_or_insert()),
        (SlotRef::Message(from), Slot::Present(to)) => return copy_fields(from, to),
        (SlotRef::Messages(from), Slot::Messages(to)) => {
            for message in (0..from.len()).filter_map(|i| from.get(i)) {
                copy_fields(message, to.push());
            }
            return;
        }
        (SlotRef::Map(from), Slot::Map(to)) => {
            from.for_each(false, &mut |key, value| {
                to.insert(&mut |entry| copy_entry(key, value, entry));
                true
            });
            return;
        }
        (SlotRef::Bools(from), Slot::Bools(to)) => return to.extend_from_slice(from),
        (SlotRef::I32s(from), Slot::I32s(to)) => return to.extend_from_slice(from),
        (SlotRef::I64s(from), Slot::I64s(to)) => return to.extend_from_slice(from),
        (SlotRef::U32s(from), Slot::U32s(to)) => return to.extend_from_slice(from),
        (SlotRef::U64s(from), Slot::U64s(to)) => return to.extend_from_slice(from),
        (SlotRef::F32s(from), Slot::F32s(to)) => return to.extend_from_slice(from),
        (SlotRef::F64s(from), Slot::F64s(to)) => return to.extend_from_slice(from),
        (SlotRef::SharedList(from), Slot::SharedList(to)) => return to.extend_from_slice(from),
        (from, Slot::Strings(to)) => return to.extend(texts(from).into_iter().map(str::to_owned)),
        (from, Slot::SharedList(to)) => return to.extend(texts(from).into_iter().map(SharedString::from)),
        (SlotRef::String(from), Slot::Shared(to)) => return *to = from.into(),
        (SlotRef::String(from), Slot::OptShared(to)) => return *to = Some(from.into()),
        (SlotRef::BytesList(from), Slot::BytesList(to)) => return to.extend_from_slice(from),
        (from, Slot::BytesList(to)) => {
            let from = from.byte_slices().unwrap_or_default();
            return to.extend(from.into_iter().map(Bytes::copy_from_slice));
        }
        (from, Slot::ByteVecs(to)) => {
            return to.extend(from.byte_slices().unwrap_or_default().into_iter().map(<[u8]>::to_vec));
        }
        (SlotRef::Enums(from), Slot::Enums(to)) => {
            (0..from.len()).filter_map(|i| from.get(i)).for_each(|number| {
                to.push(number);
            });
            return;
        }
        (SlotRef::Enums(from), Slot::I32s(to)) => {
            return to.extend((0..from.len()).filter_map(|i| from.get(i)));
        }
        (SlotRef::I32s(from), Slot::Enums(to)) => {
            from.iter().for_each(|&number| {
                to.push(number);
            });
            return;
        }
        (from, to) => (from, to),
    };
    let (from, to) = value;
    let value = match from {
        SlotRef::Bool(value) => Value::Bool(value),
        // The number of an open enum is a number.
        SlotRef::I32(value) | SlotRef::Enum(value) => Value::Enum(value),
        SlotRef::I64(value) => Value::I64(value),
        SlotRef::U32(value) => Value::U32(value),
        SlotRef::U64(value) => Value::U64(value),
        SlotRef::F32(value) => Value::F32(value),
        SlotRef::F64(value) => Value::F64(value),
        SlotRef::String(value) => Value::String(value.to_owned()),
        SlotRef::Bytes(value) => Value::Bytes(Bytes::copy_from_slice(value)),
        _ => return,
    };
    // Messages of one type have slots of one type, but for text.
    let _ = store(to, value);
}

/// False if the entry cannot hold them: text that is not UTF-8.
fn copy_entry(key: SlotRef<'_>, value: SlotRef<'_>, entry: &mut dyn EntrySlots<'_>) -> bool {
    let (raw_key, raw_value) = (!is_text(key), !is_text(value));
    if raw_key && holds_text(&entry.raw_key()) || raw_value && holds_text(&entry.raw_value()) {
        return false;
    }
    copy_slot(key, if raw_key { entry.raw_key() } else { entry.key() });
    copy_slot(value, if raw_value { entry.raw_value() } else { entry.value() });
    true
}

/// The texts of a list, without bytes that are none.
fn texts(from: SlotRef<'_>) -> Vec<&str> {
    from.texts().unwrap_or_else(|| {
        from.byte_slices()
            .unwrap_or_default()
            .into_iter()
            .filter_map(|b| core::str::from_utf8(b).ok())
            .collect()
    })
}

/// True if two messages of one type have equal fields, unknown ones included.
///
/// NaN equals nothing, as in generated types.
pub fn equal(a: &dyn Reflect, b: &dyn Reflect) -> bool {
    let table = a.table();
    table.full_name() == b.table().full_name()
        && a.unknown_fields() == b.unknown_fields()
        && table.fields().iter().enumerate().all(|(index, field)| {
            let (x, y) = (a.slot_ref(index), b.slot_ref(index));
            let skip =
                |value| if field.shape == Shape::Implicit { is_default(value) } else { is_empty(value) };
            match (skip(x), skip(y)) {
                (true, true) => true,
                (false, false) => equal_slots(x, y),
                _ => false,
            }
        })
}

fn equal_slots(a: SlotRef<'_>, b: SlotRef<'_>) -> bool {
    match (a, b) {
        (SlotRef::Bool(a), SlotRef::Bool(b)) => a == b,
        (SlotRef::I32(a) | SlotRef::Enum(a), SlotRef::I32(b) | SlotRef::Enum(b)) => a == b,
        (SlotRef::I64(a), SlotRef::I64(b)) => a == b,
        (SlotRef::U32(a), SlotRef::U32(b)) => a == b,
        (SlotRef::U64(a), SlotRef::U64(b)) => a == b,
        (SlotRef::F32(a), SlotRef::F32(b)) => a == b,
        (SlotRef::F64(a), SlotRef::F64(b)) => a == b,
        (SlotRef::String(a), SlotRef::String(b)) => a == b,
        (SlotRef::Bytes(a), SlotRef::Bytes(b)) => a == b,
        (SlotRef::Message(a), SlotRef::Message(b)) => equal(a, b),
        (SlotRef::Bools(a), SlotRef::Bools(b)) => a == b,
        (SlotRef::I64s(a), SlotRef::I64s(b)) => a == b,
        (SlotRef::U32s(a), SlotRef::U32s(b)) => a == b,
        (SlotRef::U64s(a), SlotRef::U64s(b)) => a == b,
        (SlotRef::F32s(a), SlotRef::F32s(b)) => a == b,
        (SlotRef::F64s(a), SlotRef::F64s(b)) => a == b,
        (SlotRef::I32s(_) | SlotRef::Enums(_), SlotRef::I32s(_) | SlotRef::Enums(_)) => {
            numbers(a) == numbers(b)
        }
        (
            SlotRef::Strings(_) | SlotRef::SharedList(_) | SlotRef::Strs(_),
            SlotRef::Strings(_) | SlotRef::SharedList(_) | SlotRef::Strs(_),
        ) => a.texts() == b.texts(),
        (SlotRef::Messages(a), SlotRef::Messages(b)) => {
            a.len() == b.len()
                && (0..a.len()).all(|i| matches!((a.get(i), b.get(i)), (Some(a), Some(b)) if equal(a, b)))
        }
        (SlotRef::Map(a), SlotRef::Map(b)) => equal_maps(a, b),
        // Text may be held as bytes.
        (SlotRef::String(a), SlotRef::Bytes(b)) | (SlotRef::Bytes(b), SlotRef::String(a)) => {
            a.as_bytes() == b
        }
        (a, b) => matches!((a.byte_slices(), b.byte_slices()), (Some(a), Some(b)) if a == b),
    }
}

fn equal_maps(a: &dyn crate::slot::MapRef, b: &dyn crate::slot::MapRef) -> bool {
    // Both in the order of keys.
    let mut entries = Vec::new();
    a.for_each(true, &mut |key, value| {
        entries.push((key, value));
        true
    });
    let mut entries = entries.into_iter();
    let mut equal = true;
    b.for_each(true, &mut |key, value| {
        equal = entries.next().is_some_and(|entry| equal_slots(entry.0, key) && equal_slots(entry.1, value));
        equal
    });
    equal && entries.next().is_none()
}

fn numbers(value: SlotRef<'_>) -> Vec<i32> {
    match value {
        SlotRef::I32s(values) => values.to_vec(),
        SlotRef::Enums(values) => (0..values.len()).filter_map(|i| values.get(i)).collect(),
        _ => Vec::new(),
    }
}
