//! Any message into text, over slots.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::EncodeOptions;
use super::lexer::is_url;
use super::read::{ANY, short_name};
use crate::decode::primitive;
use crate::dynamic::DynamicMessage;
use crate::extension;
use crate::message::Reflect;
use crate::reflect::{is_default, is_empty};
use crate::slot::{Part, SlotRef};
use crate::table::{FieldTable, Kind, MessageTable, Shape, TableRef};
use crate::wire::MAX_DEPTH;

pub(super) fn to_string(message: &dyn Reflect, options: EncodeOptions<'_>) -> String {
    let mut writer = Writer { out: String::new(), options, depth: 0 };
    writer.message(message);
    writer.out
}

struct Writer<'r> {
    out: String,
    options: EncodeOptions<'r>,
    /// How many messages are open.
    depth: usize,
}

/// Unknown length-delimited fields in one another are tried as messages to this depth.
const GUESSED_DEPTH: u32 = 10;

impl Writer<'_> {
    fn message(&mut self, message: &dyn Reflect) {
        if self.any(message) {
            return;
        }
        let table = message.table();
        for (index, field) in table.fields().iter().enumerate() {
            let value = message.slot_ref(index);
            let skip = if field.shape == Shape::Implicit { is_default(value) } else { is_empty(value) };
            if skip {
                continue;
            }
            match field.message_table(&table).filter(|_| field.group_like) {
                Some(group) => self.field(short_name(&group), field, &table, value),
                None => self.field(field.name(), field, &table, value),
            }
        }
        self.other_fields(message, &table);
    }

    /// The message in an `Any`, if it can be told; false leaves it to be printed as it is.
    fn any(&mut self, message: &dyn Reflect) -> bool {
        // What is in the value was not bounded when the message was read.
        let Some(registry) = self.options.registry.filter(|_| self.depth < MAX_DEPTH as usize) else {
            return false;
        };
        let table = message.table();
        if table.full_name() != ANY {
            return false;
        }
        let value = |number| table.index_of(number).map(|index| message.slot_ref(index));
        let (Some(SlotRef::String(url)), Some(SlotRef::Bytes(bytes))) = (value(1), value(2)) else {
            return false;
        };
        let Some((_, name)) = url.rsplit_once('/').filter(|_| is_type_url(url)) else { return false };
        let Some(inner) = registry.table(name) else { return false };
        let mut inner = DynamicMessage::new(inner);
        if crate::DecodeOptions::new().partial().merge_into(&mut inner, bytes).is_err() {
            return false;
        }
        self.block(&format!("[{url}]"), |writer| writer.message(&inner));
        true
    }

    /// Extensions by their names, then unknown fields by their numbers.
    fn other_fields(&mut self, message: &dyn Reflect, table: &TableRef) {
        let unknown = message.unknown_fields();
        if unknown.is_empty() {
            return;
        }
        let mut printed = Vec::new();
        if let Some(registry) = self.options.registry.filter(|_| self.depth < MAX_DEPTH as usize) {
            for number in extension::numbers(unknown, table) {
                let Some(found) = registry.extension(table.full_name(), number) else { continue };
                let Ok(Some(storage)) = extension::read_dynamic(message, &found) else { continue };
                let value = Part::<'static>::slot_ref(&storage);
                // In a message set, a type stands for the extension that it declares of itself.
                let by_type = if table.is_message_set() { found.names_its_type() } else { None };
                let name = by_type.as_deref().unwrap_or(found.field.name());
                self.field(&format!("[{name}]"), found.field, &found.of, value);
                printed.push(number);
            }
        }
        if !self.options.print_unknown_fields {
            return;
        }
        let bytes = unknown.as_bytes();
        let mut pos = 0;
        while pos < bytes.len() {
            let start = pos;
            let Ok(tag) = primitive::tag(bytes, &mut pos) else { return };
            let value = pos;
            if primitive::skip(tag, bytes, &mut pos, u32::MAX).is_err() {
                return;
            }
            let number = item_number(table, tag, &bytes[value..pos]).unwrap_or(tag >> 3);
            // Ascending.
            if printed.binary_search(&number).is_err() {
                self.unknown(&bytes[start..pos], GUESSED_DEPTH);
            }
        }
    }

    // Groups are a counter instead of calls: nothing bounds how many lie in one another.
    fn unknown(&mut self, bytes: &[u8], guessed_depth: u32) {
        let mut open = 0;
        let mut pos = 0;
        while let Some((number, value)) = next_unknown(bytes, &mut pos) {
            match value {
                Unknown::Varint(value) => self.line(&number, |out| out.push_str(&value.to_string())),
                Unknown::Fixed32(value) => self.line(&number, |out| out.push_str(&format!("{value:#010x}"))),
                Unknown::Fixed64(value) => self.line(&number, |out| out.push_str(&format!("{value:#018x}"))),
                Unknown::Len(value) if guessed_depth > 0 && is_message(value) => {
                    self.block(&number, |writer| writer.unknown(value, guessed_depth - 1));
                }
                Unknown::Len(value) => self.line(&number, |out| quote_bytes(value, out)),
                Unknown::StartGroup => {
                    self.open(&number);
                    open += 1;
                }
                Unknown::EndGroup if open > 0 => {
                    self.close();
                    open -= 1;
                }
                Unknown::EndGroup => {}
            }
        }
        for _ in 0..open {
            self.close();
        }
    }

    fn field(&mut self, name: &str, field: &FieldTable, of: &TableRef, value: SlotRef<'_>) {
        match value {
            SlotRef::Absent => {}
            SlotRef::Message(message) => self.block(name, |writer| writer.message(message)),
            SlotRef::Messages(list) => {
                for message in (0..list.len()).filter_map(|i| list.get(i)) {
                    self.block(name, |writer| writer.message(message));
                }
            }
            SlotRef::Map(map) => {
                let Some(entry) = field.message_table(of) else { return };
                let [key_field, value_field] = entry.fields() else { return };
                map.for_each(true, &mut |key, value| {
                    self.block(name, |writer| {
                        writer.field(key_field.name(), key_field, &entry, key);
                        writer.field(value_field.name(), value_field, &entry, value);
                    });
                    true
                });
            }
            SlotRef::Bools(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::Bool(v))),
            SlotRef::I32s(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::I32(v))),
            SlotRef::I64s(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::I64(v))),
            SlotRef::U32s(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::U32(v))),
            SlotRef::U64s(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::U64(v))),
            SlotRef::F32s(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::F32(v))),
            SlotRef::F64s(values) => self.each(name, field, of, values.iter().map(|&v| SlotRef::F64(v))),
            SlotRef::Enums(values) => {
                let numbers = (0..values.len()).filter_map(|i| values.get(i));
                self.each(name, field, of, numbers.map(SlotRef::Enum));
            }
            value => {
                if let Some(texts) = value.texts() {
                    self.each(name, field, of, texts.into_iter().map(SlotRef::String));
                } else if let Some(list) = value.byte_slices() {
                    self.each(name, field, of, list.into_iter().map(SlotRef::Bytes));
                } else {
                    self.each(name, field, of, core::iter::once(value));
                }
            }
        }
    }

    fn each<'v>(
        &mut self,
        name: &str,
        field: &FieldTable,
        of: &TableRef,
        values: impl Iterator<Item = SlotRef<'v>>,
    ) {
        let ascii = self.options.ascii;
        for value in values {
            self.line(name, |out| scalar(value, field, of, ascii, out));
        }
    }

    fn line(&mut self, name: &str, value: impl FnOnce(&mut String)) {
        self.start();
        self.out.push_str(name);
        self.out.push_str(": ");
        value(&mut self.out);
        self.end();
    }

    fn block(&mut self, name: &str, fields: impl FnOnce(&mut Self)) {
        self.open(name);
        fields(self);
        self.close();
    }

    fn open(&mut self, name: &str) {
        self.start();
        self.out.push_str(name);
        self.out.push_str(" {");
        self.end();
        self.depth += 1;
    }

    fn close(&mut self) {
        self.depth -= 1;
        self.start();
        self.out.push('}');
        self.end();
    }

    fn start(&mut self) {
        if !self.options.single_line {
            self.out.extend(core::iter::repeat_n("  ", self.depth));
        } else if !self.out.is_empty() {
            self.out.push(' ');
        }
    }

    fn end(&mut self) {
        if !self.options.single_line {
            self.out.push('\n');
        }
    }
}

fn scalar(value: SlotRef<'_>, field: &FieldTable, of: &TableRef, ascii: bool, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = match value {
        SlotRef::Enum(number) | SlotRef::I32(number) if field.kind == Kind::Enum => {
            match field.enum_table(of).and_then(|table| table.by_number(number)) {
                Some(value) => out.write_str(value.name()),
                None => write!(out, "{number}"),
            }
        }
        SlotRef::Bool(value) => write!(out, "{value}"),
        SlotRef::I32(value) | SlotRef::Enum(value) => write!(out, "{value}"),
        SlotRef::I64(value) => write!(out, "{value}"),
        SlotRef::U32(value) => write!(out, "{value}"),
        SlotRef::U64(value) => write!(out, "{value}"),
        SlotRef::F32(value) if value.is_finite() => {
            decimal(&format!("{value:e}"), [6, 9], out);
            Ok(())
        }
        SlotRef::F64(value) if value.is_finite() => {
            decimal(&format!("{value:e}"), [15, 17], out);
            Ok(())
        }
        SlotRef::F32(value) => out.write_str(special(f64::from(value))),
        SlotRef::F64(value) => out.write_str(special(value)),
        SlotRef::String(value) => {
            quote(value, ascii, out);
            Ok(())
        }
        SlotRef::Bytes(value) => {
            match core::str::from_utf8(value) {
                Ok(text) if field.kind == Kind::String => quote(text, ascii, out),
                _ => quote_bytes(value, out),
            }
            Ok(())
        }
        _ => Ok(()),
    };
}

fn special(value: f64) -> &'static str {
    match value {
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => "nan",
    }
}

/// Lays out the shortest digits of a number, given like `-1.5e20`, as C's `%g` would, with the
/// first of the precisions that suffices: what other runtimes print.
fn decimal(shortest: &str, precisions: [i32; 2], out: &mut String) {
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |digits| ("-", digits));
    let digits = mantissa.replace('.', "");
    let precision = if digits.len() as i32 <= precisions[0] { precisions[0] } else { precisions[1] };
    out.push_str(sign);
    if !(-4..precision).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        // Writing to a string cannot fail.
        let _ = write!(out, "{mantissa}e{sign}{:02}", exponent.abs());
    } else if exponent < 0 {
        out.push_str("0.");
        out.extend(core::iter::repeat_n('0', (-exponent - 1) as usize));
        out.push_str(&digits);
    } else {
        let whole = exponent as usize + 1;
        out.push_str(digits.get(..whole).unwrap_or(&digits));
        out.extend(core::iter::repeat_n('0', whole.saturating_sub(digits.len())));
        if let Some(fraction) = digits.get(whole..).filter(|fraction| !fraction.is_empty()) {
            out.push('.');
            out.push_str(fraction);
        }
    }
}

fn quote(text: &str, ascii: bool, out: &mut String) {
    if ascii {
        return quote_bytes(text.as_bytes(), out);
    }
    out.push('"');
    for character in text.chars() {
        match u8::try_from(character) {
            Ok(byte) if byte.is_ascii() => escape(byte, out),
            _ => out.push(character),
        }
    }
    out.push('"');
}

fn quote_bytes(bytes: &[u8], out: &mut String) {
    out.push('"');
    for &byte in bytes {
        escape(byte, out);
    }
    out.push('"');
}

fn escape(byte: u8, out: &mut String) {
    match byte {
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        b'"' => out.push_str("\\\""),
        b'\'' => out.push_str("\\'"),
        b'\\' => out.push_str("\\\\"),
        b' '..=b'~' => out.push(char::from(byte)),
        // Three digits, so that a digit behind it is not taken for one of them.
        _ => out.extend(['\\', octal(byte >> 6), octal(byte >> 3), octal(byte)]),
    }
}

fn octal(bits: u8) -> char {
    char::from(b'0' + (bits & 7))
}

/// True for what can stand in brackets.
fn is_type_url(url: &str) -> bool {
    let bytes = url.as_bytes();
    !url.starts_with('/')
        && bytes.iter().enumerate().all(|(at, &byte)| {
            let is_hex = |at| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
            is_url(byte) && (byte != b'%' || is_hex(at + 1) && is_hex(at + 2))
        })
}

enum Unknown<'b> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Len(&'b [u8]),
    StartGroup,
    EndGroup,
}

/// The field at `pos`: its number as text, and its value; `None` at the end, or if it is none.
fn next_unknown<'b>(bytes: &'b [u8], pos: &mut usize) -> Option<(String, Unknown<'b>)> {
    if *pos >= bytes.len() {
        return None;
    }
    let tag = primitive::tag(bytes, pos).ok()?;
    let value = match tag & 7 {
        0 => Unknown::Varint(primitive::varint(bytes, pos).ok()?),
        1 => Unknown::Fixed64(u64::from_le_bytes(primitive::fixed(bytes, pos).ok()?)),
        2 => Unknown::Len(primitive::take(bytes, pos).ok()?),
        3 => Unknown::StartGroup,
        4 => Unknown::EndGroup,
        _ => Unknown::Fixed32(u32::from_le_bytes(primitive::fixed(bytes, pos).ok()?)),
    };
    Some(((tag >> 3).to_string(), value))
}

/// True for bytes that could be an encoded message with at least one field.
fn is_message(bytes: &[u8]) -> bool {
    let mut pos = 0;
    while pos < bytes.len() {
        let skipped =
            primitive::tag(bytes, &mut pos).and_then(|tag| primitive::skip(tag, bytes, &mut pos, MAX_DEPTH));
        if skipped.is_err() {
            return false;
        }
    }
    pos > 0
}

/// The type of a message set's item, whose group starts behind `tag`.
fn item_number(table: &MessageTable, tag: u32, group: &[u8]) -> Option<u32> {
    if !table.is_message_set() || tag != 1 << 3 | 3 {
        return None;
    }
    let mut pos = 0;
    while pos < group.len() {
        let tag = primitive::tag(group, &mut pos).ok()?;
        if tag == 2 << 3 {
            return primitive::varint(group, &mut pos).ok().map(|id| id as u32);
        }
        primitive::skip(tag, group, &mut pos, u32::MAX).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_as_short_as_they_can_be_and_laid_out_like_g() {
        for (value, want) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (0.1, "0.1"),
            (100.0, "100"),
            (123_456.789, "123456.789"),
            (0.000_1, "0.0001"),
            (0.000_01, "1e-05"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (1.5e300, "1.5e+300"),
            (1_234_567_890_123_456.8, "1234567890123456.8"),
            (f64::MIN_POSITIVE, "2.2250738585072014e-308"),
        ] {
            let mut out = String::new();
            decimal(&format!("{value:e}"), [15, 17], &mut out);
            assert_eq!(out, want);
            assert_eq!(out.parse(), Ok(value), "reads back");
        }
    }

    #[test]
    fn strings_are_escaped_to_read_back_the_same() {
        for (text, ascii, want) in [
            ("a\"b'c\\", false, r#""a\"b\'c\\""#),
            ("\0\x011\n\r\t\x7f", false, r#""\000\0011\n\r\t\177""#),
            ("\u{e9}", false, "\"\u{e9}\""),
            ("\u{e9}", true, r#""\303\251""#),
        ] {
            let mut out = String::new();
            quote(text, ascii, &mut out);
            assert_eq!(out, want);
        }
    }

    #[test]
    fn type_urls_that_cannot_be_read_back_are_not_expanded() {
        for (url, want) in [
            ("type.googleapis.com/a.B", true),
            ("x-.~_!$&()*+,;=%4f/a.B", true),
            ("x%4/a.B", false), // one digit
            ("x y/a.B", false),
            ("/a.B", false), // nothing in front
        ] {
            assert_eq!(is_type_url(url), want, "{url}");
        }
    }
}
