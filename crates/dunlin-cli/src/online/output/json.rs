//! Messages as JSON, to the letter as grpcurl writes it. ProtoJSON leaves much open: the order of members in an
//! `Any`, what stands for defaults, escapes, exponents.

use std::fmt::Write as _;

use dunlin_protobuf::Reflect;
use dunlin_protobuf::json::EncodeOptions;
use dunlin_protobuf::reflect::is_written;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{DefaultValue, EnumTable, FieldTable, Kind, Shape, TableRef};

use super::number::float;
use super::{MAX_DEPTH, any_parts, held, too_deep};
use crate::online::schema::Types;
use crate::payload::to_base64;

/// What has a form of its own in JSON, other than `Any`.
const OWN_FORM: [&str; 15] = [
    "Timestamp",
    "Duration",
    "FieldMask",
    "Struct",
    "Value",
    "ListValue",
    "DoubleValue",
    "FloatValue",
    "Int64Value",
    "UInt64Value",
    "Int32Value",
    "UInt32Value",
    "BoolValue",
    "StringValue",
    "BytesValue",
];

/// A message on one line.
pub(crate) fn write(message: &dyn Reflect, types: &Types, emit_defaults: bool) -> Result<String, String> {
    let mut writer = Writer { types, emit_defaults, depth: 0 };
    writer.message(message)
}

struct Writer<'t> {
    types: &'t Types,
    emit_defaults: bool,
    depth: usize,
}

impl Writer<'_> {
    fn message(&mut self, message: &dyn Reflect) -> Result<String, String> {
        if self.depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.depth += 1;
        let written = self.message_within(message);
        self.depth -= 1;
        written
    }

    fn message_within(&mut self, message: &dyn Reflect) -> Result<String, String> {
        let table = message.table();
        if let Some((url, bytes)) = any_parts(message) {
            return self.any(url, bytes);
        }
        if has_own_form(table.full_name()) {
            let options = EncodeOptions::new().registry(&self.types.registry);
            return options.to_string(message).map_err(|error| error.to_string());
        }
        Ok(object(self.members(message, &table)?))
    }

    /// Names and values, in the order of field numbers.
    fn members(&mut self, message: &dyn Reflect, table: &TableRef) -> Result<Vec<(String, String)>, String> {
        let mut members: Vec<(u32, String, String)> = Vec::new();
        for (index, field) in table.fields().iter().enumerate() {
            let value = message.slot_ref(index);
            let text = if is_written(value, field) {
                self.value(value, field, table)?
            } else if self.emit_defaults && !in_oneof(field, table) {
                self.default(field, table)
            } else {
                continue;
            };
            members.push((field.number(), string(field.json_name()), text));
        }
        for (number, name, text) in self.extensions(message, table)? {
            members.push((number, string(&format!("[{name}]")), text));
        }
        members.sort_by_key(|(number, ..)| *number);
        Ok(members.into_iter().map(|(_, name, text)| (name, text)).collect())
    }

    fn extensions(
        &mut self,
        message: &dyn Reflect,
        table: &TableRef,
    ) -> Result<Vec<(u32, String, String)>, String> {
        let mut found = Vec::new();
        for extension in self.types.extensions_of(message, table.full_name()) {
            let Ok(Some(value)) = self.types.registry.extension_value(message, extension.field.number())
            else {
                continue;
            };
            let name = extension.field.name();
            // The last part has its JSON name.
            let name = match name.rsplit_once('.') {
                Some((scope, _)) => format!("{scope}.{}", json_last(extension.field)),
                None => name.to_owned(),
            };
            let text = self.value(value.slot_ref(), extension.field, &extension.of)?;
            found.push((extension.field.number(), name, text));
        }
        Ok(found)
    }

    fn any(&mut self, url: &str, bytes: &[u8]) -> Result<String, String> {
        if url.is_empty() && bytes.is_empty() {
            return Ok("{}".to_owned());
        }
        let name = url.rsplit('/').next().unwrap_or(url);
        let mut members = vec![("\"@type\"".to_owned(), string(url))];
        match held(self.types, name, bytes) {
            None => {
                let why = format!("{name} is not recognized; see @value for raw binary message data");
                members.push(("\"@error\"".to_owned(), string(&why)));
                members.push(("\"@value\"".to_owned(), string(&to_base64(bytes))));
            }
            Some(held) if has_own_form(name) => members.push(("\"value\"".to_owned(), self.message(&held)?)),
            Some(held) if any_parts(&held).is_some() || name == "google.protobuf.Empty" => {
                members.push(("\"value\"".to_owned(), self.message(&held)?));
            }
            Some(held) => {
                let table = held.table();
                members.extend(self.members(&held, &table)?);
            }
        }
        members.sort();
        Ok(object(members))
    }

    fn value(&mut self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef) -> Result<String, String> {
        let enums = field.enum_table(of);
        let list = |parts: Vec<String>| format!("[{}]", parts.join(","));
        Ok(match value {
            SlotRef::Absent => "null".to_owned(),
            SlotRef::Message(message) => self.message(message)?,
            SlotRef::Messages(messages) => {
                let parts = (0..messages.len()).filter_map(|at| messages.get(at));
                list(parts.map(|message| self.message(message)).collect::<Result<_, _>>()?)
            }
            SlotRef::Map(map) => {
                let mut parts = Vec::new();
                let entry = field.message_table(of);
                let mut failed = None;
                map.for_each(true, &mut |key, value| {
                    let Some(entry) = &entry else { return false };
                    let Some(value_field) = entry.index_of(2).map(|at| &entry.fields()[at]) else {
                        return false;
                    };
                    match self.value(value, value_field, entry) {
                        Ok(text) => parts.push((key_text(key), text)),
                        Err(error) => failed = Some(error),
                    }
                    failed.is_none()
                });
                if let Some(error) = failed {
                    return Err(error);
                }
                object(parts)
            }
            SlotRef::Bools(values) => list(values.iter().map(bool::to_string).collect()),
            SlotRef::I32s(values) if field.kind() == Kind::Enum => {
                list(values.iter().map(|number| enumeration(*number, enums)).collect())
            }
            SlotRef::Enums(values) => {
                let numbers = (0..values.len()).filter_map(|at| values.get(at));
                list(numbers.map(|number| enumeration(number, enums)).collect())
            }
            SlotRef::I32s(values) => list(values.iter().map(i32::to_string).collect()),
            SlotRef::U32s(values) => list(values.iter().map(u32::to_string).collect()),
            SlotRef::I64s(values) => list(values.iter().map(|v| format!("\"{v}\"")).collect()),
            SlotRef::U64s(values) => list(values.iter().map(|v| format!("\"{v}\"")).collect()),
            SlotRef::F32s(values) => list(values.iter().map(|v| single(*v)).collect()),
            SlotRef::F64s(values) => list(values.iter().map(|v| double(*v)).collect()),
            value => match (value.texts(), value.byte_slices()) {
                (Some(texts), _) => list(texts.into_iter().map(string).collect()),
                (_, Some(slices)) => list(slices.into_iter().map(|bytes| bytes_text(bytes, field)).collect()),
                _ => scalar(value, field, enums),
            },
        })
    }

    fn default(&self, field: &FieldTable, of: &TableRef) -> String {
        let text = match field.cardinality() {
            Shape::Repeated | Shape::Packed => "[]",
            Shape::Map => "{}",
            _ if field.kind().is_message() => "null",
            _ => return default_scalar(field, of),
        };
        text.to_owned()
    }
}

fn default_scalar(field: &FieldTable, of: &TableRef) -> String {
    let enums = field.enum_table(of);
    match (field.default_value(), field.kind()) {
        (DefaultValue::Bool(value), _) => value.to_string(),
        (DefaultValue::Enum(value), _) => enumeration(*value, enums),
        (DefaultValue::I32(value), _) => value.to_string(),
        (DefaultValue::U32(value), _) => value.to_string(),
        (DefaultValue::I64(value), _) => format!("\"{value}\""),
        (DefaultValue::U64(value), _) => format!("\"{value}\""),
        (DefaultValue::F32(value), _) => single(*value),
        (DefaultValue::F64(value), _) => double(*value),
        (DefaultValue::String(value), _) => string(value),
        (DefaultValue::Bytes(value), _) => bytes_text(value, field),
        (_, Kind::Bool) => "false".to_owned(),
        (_, Kind::String | Kind::Bytes) => "\"\"".to_owned(),
        (_, Kind::Int64 | Kind::Uint64 | Kind::Sint64 | Kind::Fixed64 | Kind::Sfixed64) => "\"0\"".to_owned(),
        (_, Kind::Enum) => {
            let first = enums.and_then(|table| table.values().first()).map_or(0, |value| value.number());
            let number = if enums.is_some_and(EnumTable::is_closed) { first } else { 0 };
            enumeration(number, enums)
        }
        _ => "0".to_owned(),
    }
}

/// Whether a field is one of a oneof, also of one that only stands for presence.
fn in_oneof(field: &FieldTable, table: &TableRef) -> bool {
    if matches!(field.cardinality(), Shape::Oneof(_)) {
        return true;
    }
    let TableRef::Pool(pool, _) = table else { return false };
    let message = pool.descriptors().message(table.full_name());
    let field = message.and_then(|message| message.field(field.name()));
    field.and_then(|field| field.proto()).is_some_and(|proto| proto.proto3_optional == Some(true))
}

fn has_own_form(full_name: &str) -> bool {
    full_name.strip_prefix("google.protobuf.").is_some_and(|name| OWN_FORM.contains(&name))
}

fn scalar(value: SlotRef<'_>, field: &FieldTable, enums: Option<&EnumTable>) -> String {
    match value {
        SlotRef::Bool(value) => value.to_string(),
        SlotRef::Enum(number) => enumeration(number, enums),
        SlotRef::I32(number) if field.kind() == Kind::Enum => enumeration(number, enums),
        SlotRef::I32(value) => value.to_string(),
        SlotRef::U32(value) => value.to_string(),
        SlotRef::I64(value) => format!("\"{value}\""),
        SlotRef::U64(value) => format!("\"{value}\""),
        SlotRef::F32(value) => single(value),
        SlotRef::F64(value) => double(value),
        SlotRef::String(value) => string(value),
        SlotRef::Bytes(value) => bytes_text(value, field),
        _ => "null".to_owned(),
    }
}

fn bytes_text(value: &[u8], field: &FieldTable) -> String {
    match field.kind() {
        // A string whose schema does not ask for UTF-8.
        Kind::String => string(&String::from_utf8_lossy(value)),
        _ => string(&to_base64(value)),
    }
}

/// A name, or the number of what has none. Also the value that stands for null has a name, as in grpcurl.
fn enumeration(number: i32, table: Option<&EnumTable>) -> String {
    match table.and_then(|table| table.by_number(number)) {
        Some(value) => string(value.name()),
        None => number.to_string(),
    }
}

fn single(value: f32) -> String {
    not_finite(f64::from(value)).unwrap_or_else(|| float(&format!("{value:e}")))
}

fn double(value: f64) -> String {
    not_finite(value).unwrap_or_else(|| float(&format!("{value:e}")))
}

fn not_finite(value: f64) -> Option<String> {
    let text = match value {
        value if value.is_nan() => "\"NaN\"",
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        _ => return None,
    };
    Some(text.to_owned())
}

fn key_text(key: SlotRef<'_>) -> String {
    match key {
        SlotRef::String(key) => string(key),
        SlotRef::Bytes(key) => string(&String::from_utf8_lossy(key)),
        SlotRef::Bool(key) => format!("\"{key}\""),
        SlotRef::I32(key) => format!("\"{key}\""),
        SlotRef::I64(key) => format!("\"{key}\""),
        SlotRef::U32(key) => format!("\"{key}\""),
        SlotRef::U64(key) => format!("\"{key}\""),
        _ => "\"\"".to_owned(),
    }
}

fn json_last(field: &FieldTable) -> String {
    let name = field.name();
    dunlin_protobuf::names::json_name(name.rsplit('.').next().unwrap_or(name))
}

fn object(members: Vec<(String, String)>) -> String {
    let parts: Vec<String> = members.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
    format!("{{{}}}", parts.join(","))
}

/// A string with quotes, with the escapes of Go's encoder: nothing in it can end a script in a web page.
pub(crate) fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\u{1f}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// JSON on one line to JSON on many, two spaces for each level; what is empty stays on its line.
pub(crate) fn indent(compact: &str) -> String {
    let mut out = String::with_capacity(compact.len() * 2);
    let mut depth = 0usize;
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    let mut chars = compact.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                out.push(c);
                while let Some(c) = chars.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(chars.next()),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '{' | '[' => {
                out.push(c);
                if let Some(end @ ('}' | ']')) = chars.peek().copied() {
                    chars.next();
                    out.push(end);
                } else {
                    depth += 1;
                    line(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped_as_for_web_pages() {
        assert_eq!(string("a\"b\\<&>\n\u{1}\u{2028}é"), r#""a\"b\\\u003c\u0026\u003e\n\u0001\u2028é""#);
    }

    #[test]
    fn lines_are_made_where_something_is_inside() {
        let compact = r#"{"a":[],"b":{},"c":[1,{"d":"x:{,"}]}"#;
        let want =
            "{\n  \"a\": [],\n  \"b\": {},\n  \"c\": [\n    1,\n    {\n      \"d\": \"x:{,\"\n    }\n  ]\n}";
        assert_eq!(indent(compact), want);
    }
}
