//! Messages to JSON text, over slots.

use alloc::string::String;

use super::error::{JsonError, JsonErrorKind};
use super::{EncodeOptions, base64, scan, time};
use crate::dynamic::DynamicMessage;
use crate::message::Reflect;
use crate::raw::push_texts;
use crate::reflect::{is_default, is_empty};
use crate::slot::{MapRef, SlotRef};
use crate::table::{EnumTable, FieldTable, Kind, MessageTable, Shape, TableRef, WellKnown};
use crate::wire::MAX_DEPTH;
use crate::{DecodeOptions, Limits};

type Result = core::result::Result<(), JsonError>;

#[derive(Debug)]
pub(super) struct Writer<'o> {
    pub(super) out: String,
    options: &'o EncodeOptions<'o>,
    indent: usize,
    /// How deep this is below the first `Any` or extension: what they hold was not bounded when
    /// the message was read. 0 outside of them.
    unbounded: u32,
}

/// Growing from nothing costs more than a small message.
const FIRST_CAPACITY: usize = 1024;

impl<'o> Writer<'o> {
    pub(super) fn new(options: &'o EncodeOptions<'o>) -> Self {
        Self { out: String::with_capacity(FIRST_CAPACITY), options, indent: 0, unbounded: 0 }
    }

    pub(super) fn message(&mut self, message: &dyn Reflect) -> Result {
        let table = message.table();
        self.enter()?;
        match table.well_known {
            WellKnown::None => {
                self.open('{');
                let mut is_first = true;
                self.fields(message, &table, &mut is_first)?;
                self.close('}', is_first);
            }
            WellKnown::Any => self.any(message, &table)?,
            _ => self.well_known(message, &table)?,
        }
        self.leave();
        Ok(())
    }

    #[inline]
    fn enter(&mut self) -> Result {
        if self.unbounded > 0 {
            self.unbounded += 1;
            if self.unbounded > MAX_DEPTH + 1 {
                let limit = crate::LimitError::Depth { limit: MAX_DEPTH };
                return Err(JsonError::writing(JsonErrorKind::Limit(limit)));
            }
        }
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.unbounded = self.unbounded.saturating_sub(1);
    }

    /// Does `write` for a value that was read from bytes only now.
    fn unbounded(&mut self, write: impl FnOnce(&mut Self) -> Result) -> Result {
        let before = self.unbounded;
        self.unbounded = before.max(1);
        write(self)?;
        self.unbounded = before;
        Ok(())
    }

    fn fields(&mut self, message: &dyn Reflect, table: &TableRef, is_first: &mut bool) -> Result {
        for (index, field) in table.fields().iter().enumerate() {
            let value = message.slot_ref(index);
            let skip = is_empty(value) || (field.shape == Shape::Implicit && is_default(value));
            if skip
                && (!self.options.emit_unset
                    || field.shape.has_presence()
                    || matches!(value, SlotRef::Absent))
            {
                continue;
            }
            self.key(field, is_first);
            if field.redacted && self.options.redact {
                self.out.push_str("\"[REDACTED]\"");
                continue;
            }
            self.value(value, field, table).map_err(|error| error.in_field(field.json_name()))?;
        }
        if message.unknown_fields().is_empty() {
            return Ok(());
        }
        self.extensions(message, table, is_first)
    }

    #[cold]
    fn extensions(&mut self, message: &dyn Reflect, table: &TableRef, is_first: &mut bool) -> Result {
        let Some(registry) = self.options.registry else { return Ok(()) };
        for number in crate::extension::numbers(message.unknown_fields(), table) {
            let Some(found) = registry.extension(table.full_name(), number) else { continue };
            let name = found.field.name();
            let read = crate::extension::read_dynamic(message, &found)
                .map_err(|error| JsonError::writing(JsonErrorKind::Decode(error)).in_extension(name))?;
            let Some(storage) = read else { continue };
            let value = crate::slot::Part::slot_ref(&storage);
            if is_empty(value) {
                continue;
            }
            self.member(is_first);
            self.out.push_str("\"[");
            self.escape(name);
            self.out.push_str("]\"");
            self.colon();
            self.unbounded(|writer| writer.value(value, found.field, &found.of))
                .map_err(|error| error.in_extension(name))?;
        }
        Ok(())
    }

    fn value(&mut self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef) -> Result {
        match value {
            SlotRef::Bool(value) => self.out.push_str(if value { "true" } else { "false" }),
            SlotRef::Enum(number) => self.enumeration(number, field.enum_table(of)),
            SlotRef::I32(number) if field.kind == Kind::Enum => {
                self.enumeration(number, field.enum_table(of))
            }
            SlotRef::I32(value) => self.plain(itoa::Buffer::new().format(value)),
            SlotRef::U32(value) => self.plain(itoa::Buffer::new().format(value)),
            SlotRef::I64(value) => self.quoted(itoa::Buffer::new().format(value)),
            SlotRef::U64(value) => self.quoted(itoa::Buffer::new().format(value)),
            SlotRef::F32(value) => self.float(value),
            SlotRef::F64(value) => self.double(value),
            SlotRef::String(value) => self.string(value),
            SlotRef::Bytes(value) => self.bytes(value, field)?,
            SlotRef::Message(message) => self.message(message)?,
            // A message that no one has set, where unset fields are asked for.
            SlotRef::Absent => self.out.push_str("null"),

            SlotRef::Bools(values) => self.list(values, |w, v| {
                let _: () = w.out.push_str(if *v { "true" } else { "false" });
                Ok(())
            })?,
            SlotRef::I32s(values) if field.kind == Kind::Enum => {
                let table = field.enum_table(of);
                self.list(values, |w, v| {
                    let _: () = w.enumeration(*v, table);
                    Ok(())
                })?;
            }
            SlotRef::I32s(values) => self.list(values, |w, v| {
                let _: () = w.plain(itoa::Buffer::new().format(*v));
                Ok(())
            })?,
            SlotRef::U32s(values) => self.list(values, |w, v| {
                let _: () = w.plain(itoa::Buffer::new().format(*v));
                Ok(())
            })?,
            SlotRef::I64s(values) => self.list(values, |w, v| {
                let _: () = w.quoted(itoa::Buffer::new().format(*v));
                Ok(())
            })?,
            SlotRef::U64s(values) => self.list(values, |w, v| {
                let _: () = w.quoted(itoa::Buffer::new().format(*v));
                Ok(())
            })?,
            SlotRef::F32s(values) => self.list(values, |w, v| {
                let _: () = w.float(*v);
                Ok(())
            })?,
            SlotRef::F64s(values) => self.list(values, |w, v| {
                let _: () = w.double(*v);
                Ok(())
            })?,
            SlotRef::Strings(values) => self.list(values, |w, v| {
                let _: () = w.string(v);
                Ok(())
            })?,
            SlotRef::SharedList(values) => self.list(values, |w, v| {
                let _: () = w.string(v);
                Ok(())
            })?,
            SlotRef::Strs(values) => self.list(values, |w, v| {
                let _: () = w.string(v);
                Ok(())
            })?,
            SlotRef::BytesList(values) => self.list(values, |w, v| w.bytes(v, field))?,
            SlotRef::ByteVecs(values) => self.list(values, |w, v| w.bytes(v, field))?,
            SlotRef::Slices(values) => self.list(values, |w, v| w.bytes(v, field))?,
            SlotRef::Enums(values) => {
                let table = field.enum_table(of);
                let numbers = (0..values.len()).filter_map(|index| values.get(index));
                self.list(numbers, |w, number| {
                    let _: () = w.enumeration(number, table);
                    Ok(())
                })?;
            }
            SlotRef::Messages(values) => {
                let messages = (0..values.len()).filter_map(|index| values.get(index));
                self.list(messages, |w, message| w.message(message))?;
            }
            SlotRef::Map(map) => self.map(map, field, of)?,
        }
        Ok(())
    }

    #[inline]
    fn list<T>(
        &mut self,
        values: impl IntoIterator<Item = T>,
        write: impl Fn(&mut Self, T) -> Result,
    ) -> Result {
        self.open('[');
        let mut is_first = true;
        for (index, value) in values.into_iter().enumerate() {
            self.member(&mut is_first);
            write(self, value).map_err(|error| error.in_element(index))?;
        }
        self.close(']', is_first);
        Ok(())
    }

    fn map(&mut self, map: &dyn MapRef, field: &FieldTable, of: &TableRef) -> Result {
        let entry = field.message_table(of);
        let Some((entry, [_, value_field])) = entry.as_ref().map(|entry| (entry, entry.fields())) else {
            return Err(JsonError::writing(JsonErrorKind::Unsupported("a map without key and value")));
        };
        self.open('{');
        let mut is_first = true;
        let mut result = Ok(());
        map.for_each(self.options.pretty, &mut |key, value| {
            self.member(&mut is_first);
            let written = self.map_key(key).and_then(|()| {
                self.colon();
                // An entry whose message is not there has an empty one.
                self.value(value, value_field, entry)
            });
            result = written.map_err(|error| match key {
                SlotRef::String(key) => error.in_entry(key),
                SlotRef::Bytes(key) => error.in_entry(&String::from_utf8_lossy(key)),
                SlotRef::I32(key) => error.in_entry(itoa::Buffer::new().format(key)),
                SlotRef::I64(key) => error.in_entry(itoa::Buffer::new().format(key)),
                SlotRef::U32(key) => error.in_entry(itoa::Buffer::new().format(key)),
                SlotRef::U64(key) => error.in_entry(itoa::Buffer::new().format(key)),
                SlotRef::Bool(key) => error.in_entry(if key { "true" } else { "false" }),
                _ => error,
            });
            result.is_ok()
        });
        result?;
        self.close('}', is_first);
        Ok(())
    }

    fn map_key(&mut self, key: SlotRef<'_>) -> Result {
        match key {
            SlotRef::String(key) => self.string(key),
            SlotRef::Bytes(key) => self.string(utf8(key)?),
            SlotRef::I32(key) => self.quoted(itoa::Buffer::new().format(key)),
            SlotRef::I64(key) => self.quoted(itoa::Buffer::new().format(key)),
            SlotRef::U32(key) => self.quoted(itoa::Buffer::new().format(key)),
            SlotRef::U64(key) => self.quoted(itoa::Buffer::new().format(key)),
            SlotRef::Bool(key) => self.quoted(if key { "true" } else { "false" }),
            // The language has no other keys.
            _ => self.quoted(""),
        }
        Ok(())
    }

    fn enumeration(&mut self, number: i32, table: Option<&EnumTable>) {
        // Of another number, `null` would lose which.
        if number == 0 && table.is_some_and(is_null_value) {
            return self.out.push_str("null");
        }
        match table.filter(|_| !self.options.enums_as_numbers).and_then(|table| table.json_name(number)) {
            Some(name) => self.string(name),
            None => self.out.push_str(itoa::Buffer::new().format(number)),
        }
    }

    fn bytes(&mut self, value: &[u8], field: &FieldTable) -> Result {
        if field.kind == Kind::String {
            self.string(utf8(value)?);
            return Ok(());
        }
        self.out.push('"');
        base64::encode(value, &mut self.out);
        self.out.push('"');
        Ok(())
    }

    fn double(&mut self, value: f64) {
        // Whole numbers that are exact and short have no point.
        if value as i32 as f64 == value && (value != 0.0 || value.is_sign_positive()) {
            return self.out.push_str(itoa::Buffer::new().format(value as i32));
        }
        if !value.is_finite() {
            return self.not_finite(value.is_nan(), value > 0.0);
        }
        self.plain(zmij::Buffer::new().format_finite(value));
    }

    fn float(&mut self, value: f32) {
        if value as i32 as f32 == value
            && value.abs() < 16_777_216.0
            && (value != 0.0 || value.is_sign_positive())
        {
            return self.out.push_str(itoa::Buffer::new().format(value as i32));
        }
        if !value.is_finite() {
            return self.not_finite(value.is_nan(), value > 0.0);
        }
        self.plain(zmij::Buffer::new().format_finite(value));
    }

    #[cold]
    fn not_finite(&mut self, is_nan: bool, is_positive: bool) {
        self.out.push_str(match (is_nan, is_positive) {
            (true, _) => "\"NaN\"",
            (false, true) => "\"Infinity\"",
            (false, false) => "\"-Infinity\"",
        });
    }

    /// Text without quotes.
    #[inline]
    fn plain(&mut self, text: &str) {
        push_texts(&mut self.out, [text]);
    }

    /// Text without anything to escape.
    #[inline]
    fn quoted(&mut self, text: &str) {
        push_texts(&mut self.out, ["\"", text, "\""]);
    }

    #[inline]
    pub(super) fn string(&mut self, text: &str) {
        if scan::is_clean(text.as_bytes()) {
            self.quoted(text);
        } else {
            self.out.push('"');
            self.escape(text);
            self.out.push('"');
        }
    }

    #[cold]
    fn escape(&mut self, text: &str) {
        let mut start = 0;
        let mut end = scan::special(text.as_bytes(), 0);
        while let Some(&byte) = text.as_bytes().get(end) {
            self.out.push_str(&text[start..end]);
            match byte {
                b'"' => self.out.push_str("\\\""),
                b'\\' => self.out.push_str("\\\\"),
                b'\n' => self.out.push_str("\\n"),
                b'\r' => self.out.push_str("\\r"),
                b'\t' => self.out.push_str("\\t"),
                8 => self.out.push_str("\\b"),
                12 => self.out.push_str("\\f"),
                control => {
                    self.out.push_str("\\u00");
                    for digit in [control >> 4, control & 15] {
                        self.out.push(char::from(b"0123456789abcdef"[digit as usize]));
                    }
                }
            }
            start = end + 1;
            end = scan::special(text.as_bytes(), start);
        }
        self.out.push_str(&text[start..]);
    }

    fn open(&mut self, bracket: char) {
        self.out.push(bracket);
        self.indent += 1;
    }

    fn close(&mut self, bracket: char, is_empty: bool) {
        self.indent -= 1;
        if self.options.pretty && !is_empty {
            self.line();
        }
        self.out.push(bracket);
    }

    /// What stands before the value of a field.
    #[inline]
    fn key(&mut self, field: &FieldTable, is_first: &mut bool) {
        if self.options.preserve_proto_names || self.options.pretty || !field.plain_json_name {
            let name = if self.options.preserve_proto_names { field.name() } else { field.json_name() };
            self.member(is_first);
            self.string(name);
            self.colon();
            return;
        }
        let before = if core::mem::take(is_first) { "\"" } else { ",\"" };
        push_texts(&mut self.out, [before, field.json_name(), "\":"]);
    }

    /// Before a member or element.
    #[inline]
    fn member(&mut self, is_first: &mut bool) {
        if !*is_first {
            self.out.push(',');
        }
        *is_first = false;
        if self.options.pretty {
            self.line();
        }
    }

    #[cold]
    fn line(&mut self) {
        self.out.push('\n');
        for _ in 0..self.indent {
            self.out.push_str("  ");
        }
    }

    #[inline]
    fn colon(&mut self) {
        self.out.push_str(if self.options.pretty { ": " } else { ":" });
    }
}

/// The well-known types.
impl Writer<'_> {
    fn well_known(&mut self, message: &dyn Reflect, table: &TableRef) -> Result {
        match table.well_known {
            WellKnown::Timestamp => {
                let (seconds, nanos) = seconds_and_nanos(message, table)?;
                if !time::write_timestamp(seconds, nanos, &mut self.out) {
                    return Err(invalid(
                        "the timestamp is not of the years 1 to 9999 with nanos from 0 to 999999999",
                    ));
                }
            }
            WellKnown::Duration => {
                let (seconds, nanos) = seconds_and_nanos(message, table)?;
                if !time::write_duration(seconds, nanos, &mut self.out) {
                    return Err(invalid(
                        "the duration is out of range, or its seconds and nanos differ in sign",
                    ));
                }
            }
            WellKnown::FieldMask => self.field_mask(message, table)?,
            WellKnown::Wrapper => self.wrapper(message, table)?,
            WellKnown::Value => self.any_json(message, table)?,
            // An object of its entries, an array of its elements: the only field.
            _ => {
                let (field, value) = known_field(message, table, 1)?;
                match (table.well_known, value) {
                    (WellKnown::Struct, SlotRef::Map(_)) | (WellKnown::ListValue, SlotRef::Messages(_)) => {
                        self.value(value, field, table)?;
                    }
                    _ => return Err(odd_type()),
                }
            }
        }
        Ok(())
    }

    fn wrapper(&mut self, message: &dyn Reflect, table: &TableRef) -> Result {
        let (field, value) = known_field(message, table, 1)?;
        match (value, field.kind) {
            // A dynamic one that holds its default.
            (SlotRef::Absent, Kind::Bool) => self.out.push_str("false"),
            (SlotRef::Absent, Kind::String | Kind::Bytes) => self.out.push_str("\"\""),
            (SlotRef::Absent, Kind::Int64 | Kind::Uint64) => self.out.push_str("\"0\""),
            (SlotRef::Absent, _) => self.out.push('0'),
            (value, _) => self.value(value, field, table)?,
        }
        Ok(())
    }

    /// A `Value`: whichever of its fields is set.
    fn any_json(&mut self, message: &dyn Reflect, table: &TableRef) -> Result {
        for (index, field) in table.fields().iter().enumerate() {
            let value = message.slot_ref(index);
            match value {
                SlotRef::Absent => continue,
                SlotRef::F64(number) if !number.is_finite() => {
                    return Err(invalid("a Value holds no NaN and no infinity"));
                }
                _ => return self.value(value, field, table),
            }
        }
        Err(invalid("a Value has none of its kinds set"))
    }

    fn field_mask(&mut self, message: &dyn Reflect, table: &TableRef) -> Result {
        let (_, value) = known_field(message, table, 1)?;
        self.out.push('"');
        let mut is_first = true;
        let mut path = |path: &str| {
            if !is_first {
                self.out.push(',');
            }
            is_first = false;
            time::write_path(path, &mut self.out)
        };
        if !value.texts().ok_or_else(odd_type)?.into_iter().all(&mut path) {
            return Err(invalid(
                "a path of the field mask has no form in camel case that could be read back",
            ));
        }
        self.out.push('"');
        Ok(())
    }

    fn any(&mut self, message: &dyn Reflect, table: &TableRef) -> Result {
        let (url, bytes) = match (known_field(message, table, 1)?.1, known_field(message, table, 2)?.1) {
            (SlotRef::String(url), SlotRef::Bytes(bytes)) => (url, bytes),
            (SlotRef::Absent, SlotRef::Absent) => ("", &[][..]),
            (SlotRef::Absent, SlotRef::Bytes(bytes)) => ("", bytes),
            (SlotRef::String(url), SlotRef::Absent) => (url, &[][..]),
            _ => return Err(odd_type()),
        };
        if url.is_empty() && bytes.is_empty() {
            self.out.push_str("{}");
            return Ok(());
        }
        let held = match self.held(url, bytes) {
            Ok(held) => held,
            Err(_) if self.options.redact => {
                self.open('{');
                let mut is_first = true;
                self.member(&mut is_first);
                self.out.push_str("\"@type\"");
                self.colon();
                self.string(url);
                self.close('}', false);
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let held_table = held.table();
        self.open('{');
        let mut is_first = true;
        self.member(&mut is_first);
        self.out.push_str("\"@type\"");
        self.colon();
        self.string(url);
        self.unbounded(|writer| {
            if held_table.well_known == WellKnown::None {
                writer.enter()?;
                writer.fields(&held, &held_table, &mut is_first)?;
                writer.leave();
                return Ok(());
            }
            writer.member(&mut is_first);
            writer.out.push_str("\"value\"");
            writer.colon();
            writer.message(&held)
        })?;
        self.close('}', false);
        Ok(())
    }

    /// The message that an `Any` holds.
    fn held(&self, url: &str, bytes: &[u8]) -> core::result::Result<DynamicMessage, JsonError> {
        let unknown = || JsonError::writing(JsonErrorKind::UnknownType(url.into()));
        let (_, name) = url.rsplit_once('/').ok_or_else(unknown)?;
        let registry = self.options.registry.ok_or_else(unknown)?;
        let table = registry.table(name).ok_or_else(unknown)?;
        let depth = MAX_DEPTH.saturating_sub(self.unbounded);
        let options = DecodeOptions::new().limits(Limits::default().depth(depth)).partial();
        DynamicMessage::decode_with(table, bytes, &options)
            .map_err(|error| JsonError::writing(JsonErrorKind::Decode(error)))
    }
}

/// The field of a well-known type with this number.
fn known_field<'m>(
    message: &'m dyn Reflect,
    table: &'m MessageTable,
    number: u32,
) -> core::result::Result<(&'m FieldTable, SlotRef<'m>), JsonError> {
    let index = table.index_of(number).ok_or_else(odd_type)?;
    Ok((&table.fields()[index], message.slot_ref(index)))
}

fn seconds_and_nanos(message: &dyn Reflect, table: &TableRef) -> core::result::Result<(i64, i32), JsonError> {
    let seconds = match known_field(message, table, 1)?.1 {
        SlotRef::I64(seconds) => seconds,
        SlotRef::Absent => 0,
        _ => return Err(odd_type()),
    };
    let nanos = match known_field(message, table, 2)?.1 {
        SlotRef::I32(nanos) => nanos,
        SlotRef::Absent => 0,
        _ => return Err(odd_type()),
    };
    Ok((seconds, nanos))
}

/// The text of a string whose schema does not ask for UTF-8; JSON does.
fn utf8(text: &[u8]) -> core::result::Result<&str, JsonError> {
    core::str::from_utf8(text).map_err(|_| JsonError::writing(JsonErrorKind::InvalidUtf8))
}

/// The enum whose only value is written as null.
pub(super) fn is_null_value(table: &EnumTable) -> bool {
    table.full_name() == "google.protobuf.NullValue"
}

#[cold]
fn invalid(what: &'static str) -> JsonError {
    JsonError::writing(JsonErrorKind::InvalidValue(what))
}

#[cold]
fn odd_type() -> JsonError {
    JsonError::writing(JsonErrorKind::Unsupported("a well-known type with other fields than it should have"))
}
