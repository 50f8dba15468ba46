//! What values are made of, in whatever style they are written.

use dunlin_protobuf::slot::SlotRef;

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
