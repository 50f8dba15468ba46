//! What values are made of, in whatever style they are written.

use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{FieldTable, Shape};

/// The elements of a list, the value of a field that is none, or nothing.
pub(crate) fn elements(value: SlotRef<'_>) -> Vec<SlotRef<'_>> {
    fn all<'s, T: Copy>(values: &[T], of: impl Fn(T) -> SlotRef<'s>) -> Vec<SlotRef<'s>> {
        values.iter().map(|value| of(*value)).collect()
    }
    match value {
        SlotRef::Absent => Vec::new(),
        SlotRef::Messages(list) => {
            (0..list.len()).filter_map(|at| list.get(at)).map(SlotRef::Message).collect()
        }
        SlotRef::Enums(list) => (0..list.len()).filter_map(|at| list.get(at)).map(SlotRef::Enum).collect(),
        SlotRef::Bools(values) => all(values, SlotRef::Bool),
        SlotRef::I32s(values) => all(values, SlotRef::I32),
        SlotRef::I64s(values) => all(values, SlotRef::I64),
        SlotRef::U32s(values) => all(values, SlotRef::U32),
        SlotRef::U64s(values) => all(values, SlotRef::U64),
        SlotRef::F32s(values) => all(values, SlotRef::F32),
        SlotRef::F64s(values) => all(values, SlotRef::F64),
        value => match (value.texts(), value.byte_slices()) {
            (Some(texts), _) => all(&texts, SlotRef::String),
            (_, Some(slices)) => all(&slices, SlotRef::Bytes),
            _ => vec![value],
        },
    }
}

/// Whether something is there to be shown.
pub(crate) fn is_set(value: SlotRef<'_>, field: &FieldTable) -> bool {
    let is_zero = match value {
        SlotRef::Absent => return false,
        SlotRef::Bools(values) => return !values.is_empty(),
        SlotRef::I32s(values) => return !values.is_empty(),
        SlotRef::I64s(values) => return !values.is_empty(),
        SlotRef::U32s(values) => return !values.is_empty(),
        SlotRef::U64s(values) => return !values.is_empty(),
        SlotRef::F32s(values) => return !values.is_empty(),
        SlotRef::F64s(values) => return !values.is_empty(),
        SlotRef::Enums(values) => return !values.is_empty(),
        SlotRef::Messages(values) => return !values.is_empty(),
        SlotRef::Map(map) => return !map.is_empty(),
        SlotRef::Bool(value) => !value,
        SlotRef::I32(value) | SlotRef::Enum(value) => value == 0,
        SlotRef::I64(value) => value == 0,
        SlotRef::U32(value) => value == 0,
        SlotRef::U64(value) => value == 0,
        // A negative zero is not the default.
        SlotRef::F32(value) => value.to_bits() == 0,
        SlotRef::F64(value) => value.to_bits() == 0,
        SlotRef::String(value) => value.is_empty(),
        SlotRef::Bytes(value) => value.is_empty(),
        SlotRef::Message(_) => false,
        value => match (value.texts(), value.byte_slices()) {
            (Some(texts), _) => return !texts.is_empty(),
            (_, Some(slices)) => return !slices.is_empty(),
            _ => false,
        },
    };
    !(is_zero && field.cardinality() == Shape::Implicit)
}

/// Bytes in quotes, as printable ASCII.
pub(crate) fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("\"");
    for &byte in bytes {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7e => out.push(char::from(byte)),
            byte => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_ascii() {
        assert_eq!(quoted_bytes("a\"é\n\u{1}".as_bytes()), "\"a\\\"\\303\\251\\n\\001\"");
    }
}
