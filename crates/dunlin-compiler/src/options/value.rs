//! Option values as trees: built from statements and literals, encoded canonically.

use std::collections::BTreeMap;

use dunlin_protobuf::descriptor::Type;
use dunlin_protobuf::pool::{FieldKind, FieldView, MessageView};
use dunlin_protobuf::wire::{WireType, write};

/// A message, field by field.
#[derive(Clone, Debug, Default)]
pub(crate) struct MessageValue<'p> {
    pub(crate) fields: BTreeMap<u32, FieldValue<'p>>,
    /// Fields that the type does not know, encoded.
    pub(crate) unknown: Vec<u8>,
}

/// The values of one field; a singular field has one.
#[derive(Clone, Debug)]
pub(crate) struct FieldValue<'p> {
    pub(crate) field: FieldView<'p>,
    pub(crate) values: Vec<Value<'p>>,
}

/// A value as it goes to the wire.
#[derive(Clone, Debug)]
pub(crate) enum Value<'p> {
    Varint(u64),
    I32(u32),
    I64(u64),
    Bytes(Vec<u8>),
    Message(MessageValue<'p>),
}

/// Which fields to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Everything,
    /// Without those that are not kept in what runs.
    Runtime,
}

impl Value<'_> {
    /// The value of an integer field of type `ty`.
    pub(crate) fn integer(ty: Type, value: i64) -> Self {
        match ty {
            Type::TYPE_SFIXED32 | Type::TYPE_FIXED32 => Self::I32(value as u32),
            Type::TYPE_SFIXED64 | Type::TYPE_FIXED64 => Self::I64(value as u64),
            Type::TYPE_SINT32 => Self::Varint(u64::from(write::zigzag32(value as i32))),
            Type::TYPE_SINT64 => Self::Varint(write::zigzag64(value)),
            _ => Self::Varint(value as u64),
        }
    }

    fn is_zero(&self) -> bool {
        match self {
            Self::Varint(value) | Self::I64(value) => *value == 0,
            Self::I32(value) => *value == 0,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Message(_) => false,
        }
    }
}

impl<'p> MessageValue<'p> {
    /// True if `field` has a value.
    pub(crate) fn has(&self, field: FieldView<'p>) -> bool {
        self.fields.contains_key(&field.number())
    }

    /// Another field of the oneof that `field` belongs to, if one is set.
    pub(crate) fn oneof_rival(&self, field: FieldView<'p>) -> Option<FieldView<'p>> {
        let (oneof, _) = field.oneof()?;
        let is_rival = |other: &FieldView<'p>| {
            other.id() != field.id()
                && other.oneof().map(|(index, _)| index) == Some(oneof)
                && other.file().id() == field.file().id()
        };
        self.fields.values().map(|value| value.field).find(is_rival)
    }

    /// Adds a value: appended if the field is repeated, merged if it is a message, else replacing
    /// the one before and, in a oneof, its rival.
    pub(crate) fn add(&mut self, field: FieldView<'p>, value: Value<'p>) {
        if let Some(rival) = self.oneof_rival(field) {
            self.fields.remove(&rival.number());
        }
        let slot =
            self.fields.entry(field.number()).or_insert_with(|| FieldValue { field, values: Vec::new() });
        if field.is_repeated() || slot.values.is_empty() {
            slot.values.push(value);
            return;
        }
        match (&mut slot.values[0], value) {
            (Value::Message(old), Value::Message(new)) => old.merge(new),
            (old, new) => *old = new,
        }
    }

    /// Adds all fields of another message of the same type.
    pub(crate) fn merge(&mut self, other: Self) {
        for FieldValue { field, values } in other.fields.into_values() {
            for value in values {
                self.add(field, value);
            }
        }
        self.unknown.extend_from_slice(&other.unknown);
    }

    /// Removes fields that are not told apart from unset ones, here and in sub-messages.
    pub(crate) fn drop_implicit_defaults(&mut self) {
        self.fields.retain(|_, FieldValue { field, values }| {
            for value in values.iter_mut() {
                if let Value::Message(message) = value {
                    message.drop_implicit_defaults();
                }
            }
            field.is_repeated() || field.has_presence() || !values.iter().all(Value::is_zero)
        });
    }

    /// The names of required fields that are missing, here and in sub-messages.
    pub(crate) fn missing_required(&self, of: MessageView<'p>, out: &mut Vec<String>) {
        for field in of.fields().filter(|f| f.is_required() && !self.has(*f)) {
            out.push(field.full_name());
        }
        for FieldValue { field, values } in self.fields.values() {
            let FieldKind::Message(message) = field.kind() else { continue };
            for value in values {
                if let Value::Message(value) = value {
                    value.missing_required(message, out);
                }
            }
        }
    }

    /// Appends the message, fields in the order of their numbers.
    pub(crate) fn encode(&self, keep: Keep, in_message_set: bool, out: &mut Vec<u8>) {
        for value in self.fields.values() {
            if keep == Keep::Everything || !value.field.is_source_only() {
                value.encode(keep, in_message_set, out);
            }
        }
        out.extend_from_slice(&self.unknown);
    }
}

impl FieldValue<'_> {
    fn encode(&self, keep: Keep, in_message_set: bool, out: &mut Vec<u8>) {
        let field = self.field;
        let number = field.number();
        if !field.is_repeated() && !field.has_presence() && self.values.iter().all(Value::is_zero) {
            return;
        }
        if field.is_packed() {
            let mut run = Vec::new();
            for value in &self.values {
                write_bare(value, &mut run);
            }
            if !run.is_empty() {
                write::len_field(number, &run, out);
            }
            return;
        }
        for value in &self.values {
            match value {
                Value::Message(message) if in_message_set => {
                    write::tag(1, WireType::StartGroup, out);
                    write::varint_field(2, u64::from(number), out);
                    write::len_field(3, &bytes_of(message, field, keep), out);
                    write::tag(1, WireType::EndGroup, out);
                }
                Value::Message(message) if field.is_delimited() => {
                    write::tag(number, WireType::StartGroup, out);
                    message.encode(keep, is_set(field), out);
                    write::tag(number, WireType::EndGroup, out);
                }
                Value::Message(message) => write::len_field(number, &bytes_of(message, field, keep), out),
                Value::Bytes(bytes) => write::len_field(number, bytes, out),
                scalar => {
                    let wire_type = match scalar {
                        Value::I32(_) => WireType::I32,
                        Value::I64(_) => WireType::I64,
                        _ => WireType::Varint,
                    };
                    write::tag(number, wire_type, out);
                    write_bare(scalar, out);
                }
            }
        }
    }
}

fn is_set(field: FieldView<'_>) -> bool {
    matches!(field.kind(), FieldKind::Message(message) if message.is_message_set())
}

/// The bytes of a message that is the value of `field`.
pub(crate) fn bytes_of(message: &MessageValue<'_>, field: FieldView<'_>, keep: Keep) -> Vec<u8> {
    let mut out = Vec::new();
    match field.kind() {
        // The entry of a map always has both its key and its value.
        FieldKind::Message(entry) if entry.is_map_entry() => {
            for part in entry.fields() {
                match message.fields.get(&part.number()) {
                    Some(value) => value.encode_always(keep, &mut out),
                    None => encode_default(part, &mut out),
                }
            }
        }
        _ => message.encode(keep, is_set(field), &mut out),
    }
    out
}

impl FieldValue<'_> {
    // Without regard to presence.
    fn encode_always(&self, keep: Keep, out: &mut Vec<u8>) {
        if self.values.iter().all(Value::is_zero) {
            encode_default(self.field, out);
        } else {
            self.encode(keep, false, out);
        }
    }
}

fn encode_default(field: FieldView<'_>, out: &mut Vec<u8>) {
    let number = field.number();
    match field.wire_type() {
        Some(WireType::Varint) => write::varint_field(number, 0, out),
        Some(WireType::I32) => write::fixed32_field(number, 0, out),
        Some(WireType::I64) => write::fixed64_field(number, 0, out),
        _ => write::len_field(number, &[], out),
    }
}

fn write_bare(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Varint(value) => write::varint(*value, out),
        Value::I32(value) => out.extend_from_slice(&value.to_le_bytes()),
        Value::I64(value) => out.extend_from_slice(&value.to_le_bytes()),
        // Only numbers are packed.
        Value::Bytes(_) | Value::Message(_) => {}
    }
}
