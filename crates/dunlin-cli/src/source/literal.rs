//! Values of options, as source has them.

use std::cell::Cell;

use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::reflect::is_written;
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::{FieldTable, Kind, TableRef};
use dunlin_protobuf::{DecodeOptions, EncodeOptions, Reflect};

use super::options::Value;
use crate::online::output::{MAX_DEPTH, any_parts, elements, held, quoted_bytes};
use crate::online::schema::Types;

/// Longer messages stand on several lines, if there is something to break.
const LONGEST_IN_LINE: usize = 50;

/// The values of an option: one for each element of a list and each entry of a map.
pub(super) fn values(value: SlotRef<'_>, field: &FieldTable, of: &TableRef) -> Vec<Value> {
    let owned = |message: &dyn Reflect| {
        let bytes = EncodeOptions::new().deterministic().encode_to_vec(message);
        DynamicMessage::decode_with(message.table(), &bytes, &DecodeOptions::new().partial())
            .ok()
            .map(|message| Value::Message(Box::new(message)))
    };
    match value {
        SlotRef::Message(message) => owned(message).into_iter().collect(),
        SlotRef::Messages(list) => (0..list.len()).filter_map(|at| list.get(at)).filter_map(owned).collect(),
        value => elements(value)
            .into_iter()
            // A number that no name is for can not be written.
            .filter_map(|item| scalar(item, field, of, Unknown::Skip).map(Value::Text))
            .collect(),
    }
}

/// What becomes of enum values without a name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unknown {
    Skip,
    Number,
}

/// How messages are laid out.
pub(super) struct Layout<'t> {
    types: &'t Types,
    package: &'t str,
    with_full_names: bool,
    /// How many messages are around the one being written.
    depth: Cell<usize>,
}

impl<'t> Layout<'t> {
    pub(super) fn new(types: &'t Types, package: &'t str, with_full_names: bool) -> Self {
        Self { types, package, with_full_names, depth: Cell::new(0) }
    }

    /// `{ a: 1, b: { c: 2 } }`; on several lines if it is long and there is an indent.
    pub(super) fn message(&self, message: &dyn Reflect, indent: Option<usize>) -> String {
        let depth = self.depth.get();
        // Each `Any` in an option is bounded, but not how many are within each other.
        if depth == MAX_DEPTH {
            return format!("{{ /* more than {MAX_DEPTH} levels deep */ }}");
        }
        self.depth.set(depth + 1);
        let text = self.short_or(indent, |indent| self.braces(message, indent));
        self.depth.set(depth);
        text
    }

    /// In one line if that is short, or if nothing could be broken.
    fn short_or(&self, indent: Option<usize>, write: impl Fn(Option<usize>) -> String) -> String {
        let line = write(None);
        let can_break = line.matches(',').count() > 1 || line.matches('{').count() > 1;
        match indent {
            Some(indent) if can_break && line.len() > LONGEST_IN_LINE && indent < MAX_DEPTH => {
                write(Some(indent))
            }
            _ => line,
        }
    }

    fn braces(&self, message: &dyn Reflect, indent: Option<usize>) -> String {
        let inner = indent.map(|indent| indent + 1);
        let mut members = Vec::new();
        if let Some((url, bytes)) = any_parts(message)
            && let Some(held) = held(self.types, url.rsplit('/').next().unwrap_or(url), bytes)
        {
            members.push(format!("[{url}]: {}", self.message(&held, inner)));
        } else {
            members = self.members(message, inner);
        }
        enclose('{', '}', &members, indent)
    }

    fn members(&self, message: &dyn Reflect, indent: Option<usize>) -> Vec<String> {
        let table = message.table();
        let mut members: Vec<(u32, String)> = Vec::new();
        for (index, field) in table.fields().iter().enumerate() {
            let value = message.slot_ref(index);
            if is_written(value, field) {
                let text = self.value(value, field, &table, indent);
                members.push((field.number(), format!("{}: {text}", field.name())));
            }
        }
        for extension in self.types.extensions_of(message, table.full_name()) {
            let number = extension.field.number();
            if let Ok(Some(value)) = self.types.registry.extension_value(message, number) {
                let name = extension.field.name();
                let name = match self.with_full_names {
                    true => format!(".{name}"),
                    false => {
                        let rest = name.strip_prefix(self.package).and_then(|rest| rest.strip_prefix('.'));
                        rest.unwrap_or(name).to_owned()
                    }
                };
                let text = self.value(value.slot_ref(), extension.field, &extension.of, indent);
                members.push((number, format!("[{name}]: {text}")));
            }
        }
        members.sort_by_key(|(number, _)| *number);
        members.into_iter().map(|(_, text)| text).collect()
    }

    fn value(&self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef, indent: Option<usize>) -> String {
        match value {
            SlotRef::Message(message) => self.message(message, indent),
            SlotRef::Messages(list) => self.short_or(indent, |indent| {
                let inner = indent.map(|indent| indent + 1);
                let parts: Vec<String> = (0..list.len())
                    .filter_map(|at| list.get(at))
                    .map(|message| self.message(message, inner))
                    .collect();
                enclose('[', ']', &parts, indent)
            }),
            SlotRef::Map(map) => self.short_or(indent, |indent| {
                let inner = indent.map(|indent| indent + 1);
                let mut parts = Vec::new();
                let Some(entry) = field.message_table(of) else { return "[ ]".to_owned() };
                let [key_field, value_field] = entry.fields() else { return "[ ]".to_owned() };
                map.for_each(true, &mut |key, value| {
                    let deeper = inner.map(|indent| indent + 1);
                    let members = [
                        format!("key: {}", self.value(key, key_field, &entry, deeper)),
                        format!("value: {}", self.value(value, value_field, &entry, deeper)),
                    ];
                    parts.push(self.short_or(inner, |indent| enclose('{', '}', &members, indent)));
                    true
                });
                enclose('[', ']', &parts, indent)
            }),
            value if field.cardinality().is_list() => self.short_or(indent, |indent| {
                let parts: Vec<String> = elements(value)
                    .into_iter()
                    .filter_map(|item| scalar(item, field, of, Unknown::Number))
                    .collect();
                enclose('[', ']', &parts, indent)
            }),
            value => scalar(value, field, of, Unknown::Number).unwrap_or_default(),
        }
    }
}

fn enclose(open: char, close: char, parts: &[String], indent: Option<usize>) -> String {
    let line = |depth: usize| match indent {
        Some(indent) => format!("\n{}", "  ".repeat(indent + depth)),
        None => " ".to_owned(),
    };
    let mut out = String::from(open);
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&line(1));
        out.push_str(part);
    }
    out.push_str(&line(0));
    out.push(close);
    out
}

fn scalar(value: SlotRef<'_>, field: &FieldTable, of: &TableRef, unknown: Unknown) -> Option<String> {
    let enumeration = |number: i32| match field.enum_table(of).and_then(|table| table.by_number(number)) {
        Some(value) => Some(value.name().to_owned()),
        None => (unknown == Unknown::Number).then(|| number.to_string()),
    };
    Some(match value {
        SlotRef::Bool(value) => value.to_string(),
        SlotRef::Enum(number) => return enumeration(number),
        SlotRef::I32(number) if field.kind() == Kind::Enum => return enumeration(number),
        SlotRef::I32(value) => value.to_string(),
        SlotRef::I64(value) => value.to_string(),
        SlotRef::U32(value) => value.to_string(),
        SlotRef::U64(value) => value.to_string(),
        SlotRef::F32(value) => decimal(f64::from(value)),
        SlotRef::F64(value) => decimal(value),
        SlotRef::String(text) => quoted(text),
        SlotRef::Bytes(bytes) => quoted_bytes(bytes),
        _ => return None,
    })
}

/// A number with a point, six digits behind it.
pub(super) fn decimal(value: f64) -> String {
    match value {
        value if value.is_nan() => "NaN".to_owned(),
        f64::INFINITY => "+Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        value => format!("{value:.6}"),
    }
}

/// Text in quotes, with what is not printable escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_ascii_control() => out.push_str(&format!("\\{:03o}", c as u32)),
            c if !is_printable(c) => {
                let code = c as u32;
                out.push_str(&if code > 0xffff {
                    format!("\\U{code:08X}")
                } else {
                    format!("\\u{code:04X}")
                });
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Whether a character can be seen. What only changes how others look, such as their direction, can not.
fn is_printable(c: char) -> bool {
    let is_format = matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..);
    !is_format && !c.is_control() && (c == ' ' || !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_enclosed_stands_on_one_line_or_on_many() {
        let parts = ["a: 1".to_owned(), "b: 2".to_owned()];
        assert_eq!(enclose('{', '}', &parts, None), "{ a: 1, b: 2 }");
        assert_eq!(enclose('{', '}', &parts, Some(1)), "{\n    a: 1,\n    b: 2\n  }");
        assert_eq!(enclose('[', ']', &[], None), "[ ]");
    }

    #[test]
    fn strings_escape_what_can_not_be_seen() {
        assert_eq!(quoted("a\"\\\n\u{1}\u{85}é"), "\"a\\\"\\\\\\n\\001\\u0085é\"");
        assert_eq!(quoted("\u{202e}日"), "\"\\u202E日\"");
        assert_eq!(decimal(1.5), "1.500000");
    }
}
