//! Text into any message, over slots.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::DecodeOptions;
use super::error::{TextError, TextErrorKind};
use super::lexer::{Lexer, Token};
use crate::decode::missing;
use crate::dynamic::{DynamicMessage, Storage};
use crate::extension;
use crate::limits::{Budget, LimitError};
use crate::message::{Fields, Reflect};
use crate::reflect::{self, Value};
use crate::registry::Found;
use crate::slot::{EntrySlots, Part, Slot, SlotRef};
use crate::table::{FieldTable, Kind, MessageTable, Shape, TableRef};

type Result<T> = core::result::Result<T, TextError>;

pub(super) fn merge(
    message: &mut dyn Fields<'static>,
    text: &[u8],
    options: &DecodeOptions<'_>,
) -> Result<()> {
    let limits = &options.limits;
    if text.len() > limits.size {
        let error = LimitError::Size { size: text.len(), limit: limits.size };
        return Err(TextError::new(error.into(), text, 0));
    }
    let mut reader = Reader { lexer: Lexer::new(text)?, budget: limits.budget(text.len()), options };
    reader.fields(message, Close::End)?;
    reader.check_required(message.as_reflect(), text.len())
}

struct Reader<'t, 'r> {
    lexer: Lexer<'t>,
    budget: Budget,
    options: &'r DecodeOptions<'r>,
}

/// What ends a message.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Close {
    End,
    Symbol(u8),
}

/// What one message has been given so far.
#[derive(Default)]
struct Seen<'r> {
    /// One bit for each singular field.
    fields: Vec<u64>,
    /// Each oneof, and the position of its field.
    oneofs: Vec<(u16, usize)>,
    /// Stored when the message ends, so that a list costs one encoding.
    extensions: Vec<(Found<'r>, Storage)>,
}

impl Seen<'_> {
    /// Marks a field; true if it was marked already.
    fn mark(&mut self, index: usize) -> bool {
        let (word, bit) = (index / 64, 1 << (index % 64));
        if self.fields.len() <= word {
            self.fields.resize(word + 1, 0);
        }
        let was_set = self.fields[word] & bit != 0;
        self.fields[word] |= bit;
        was_set
    }
}

/// A field of a message, lent again for each element.
struct Field<'m> {
    message: &'m mut dyn Fields<'static>,
    index: usize,
}

impl Part<'static> for Field<'_> {
    fn slot(&mut self) -> Slot<'_, 'static> {
        self.message.slot(self.index)
    }

    fn slot_ref(&self) -> SlotRef<'_> {
        self.message.as_reflect().slot_ref(self.index)
    }
}

impl<'r> Reader<'_, 'r> {
    /// The fields of a message up to what closes it, which stays.
    fn fields(&mut self, message: &mut dyn Fields<'static>, close: Close) -> Result<()> {
        let table = message.table();
        let mut seen = Seen::default();
        loop {
            match self.lexer.token() {
                Token::Identifier => self.named(message, &table, &mut seen)?,
                Token::Symbol(b'[') => self.bracketed(message, &table, &mut seen)?,
                Token::End if close == Close::End => break,
                Token::Symbol(symbol) if close == Close::Symbol(symbol) => break,
                _ => return Err(self.no_field(close)),
            }
            self.separator()?;
        }
        for (found, storage) in &seen.extensions {
            let value = Part::<'static>::slot_ref(storage);
            self.check_extension(value)
                .map_err(|error| error.within(&format!("[{}]", found.field.name())))?;
            extension::store(message.unknown_fields_mut(), found.field, &found.of, &table, value);
        }
        Ok(())
    }

    /// At most one may stand behind a field.
    fn separator(&mut self) -> Result<()> {
        if matches!(self.lexer.token(), Token::Symbol(b',' | b';')) {
            self.lexer.advance()?;
        }
        Ok(())
    }

    #[cold]
    fn no_field(&self, close: Close) -> TextError {
        self.lexer.unexpected(match close {
            Close::End => "a field name",
            Close::Symbol(b'>') => "a field name or `>`",
            Close::Symbol(_) => "a field name or `}`",
        })
    }

    fn named(
        &mut self,
        message: &mut dyn Fields<'static>,
        table: &TableRef,
        seen: &mut Seen<'_>,
    ) -> Result<()> {
        let name = self.lexer.text();
        let Some(index) = index_of(table, name) else { return self.unknown_field(table, name) };
        let field = &table.fields()[index];
        let start = self.lexer.start();
        self.lexer.advance()?;
        self.check_once(table, index, start, seen)
            .and_then(|()| self.field(&mut Field { message, index }, field, table))
            .map_err(|error| error.within(field.name()))
    }

    fn unknown_field(&mut self, table: &MessageTable, name: &str) -> Result<()> {
        if self.options.ignore_unknown || table.is_reserved_name(name) {
            self.lexer.advance()?;
            return self.skip_field();
        }
        let kind =
            TextErrorKind::UnknownField { name: name.to_string(), message: table.full_name().to_string() };
        Err(self.lexer.error(kind, self.lexer.start()))
    }

    fn check_once(
        &self,
        table: &MessageTable,
        index: usize,
        start: usize,
        seen: &mut Seen<'_>,
    ) -> Result<()> {
        let shape = table.fields()[index].shape;
        if shape.is_list() || shape == Shape::Map {
            return Ok(());
        }
        if seen.mark(index) {
            return Err(self.lexer.error(TextErrorKind::AlreadySet, start));
        }
        if let Shape::Oneof(oneof) = shape {
            if let Some((_, other)) = seen.oneofs.iter().find(|(set, _)| *set == oneof) {
                let kind = TextErrorKind::OneofAlreadySet {
                    oneof: table.oneof_name(oneof).unwrap_or_default().to_string(),
                    member: table.fields()[*other].name().to_string(),
                };
                return Err(self.lexer.error(kind, start));
            }
            seen.oneofs.push((oneof, index));
        }
        Ok(())
    }

    /// An extension, or the message in an `Any`.
    fn bracketed(
        &mut self,
        message: &mut dyn Fields<'static>,
        table: &TableRef,
        seen: &mut Seen<'r>,
    ) -> Result<()> {
        let start = self.lexer.start();
        let name = self.lexer.bracketed()?;
        let in_name = |error: TextError| error.within(&format!("[{name}]"));
        if let Some((_, type_name)) = name.rsplit_once('/')
            && table.full_name() == ANY
        {
            return self.any(message, table, seen, start, &name, type_name).map_err(in_name);
        }
        let found = self.options.registry.and_then(|registry| {
            let by_name = registry.extension_by_name(table.full_name(), &name);
            let by_type = || registry.message_set_extension(table.full_name(), &name);
            by_name.or_else(|| if table.is_message_set() { by_type() } else { None })
        });
        let Some(found) = found else {
            if self.options.ignore_unknown {
                return self.skip_field();
            }
            let message = table.full_name().to_string();
            return Err(self.lexer.error(TextErrorKind::UnknownExtension { name, message }, start));
        };
        let position = seen.extensions.iter().position(|(set, _)| set.field.number == found.field.number);
        let position = match position {
            Some(_) if !found.field.shape.is_list() => {
                return Err(in_name(self.lexer.error(TextErrorKind::AlreadySet, start)));
            }
            Some(position) => position,
            None => {
                // What is there and cannot be read is replaced.
                let set = extension::read_dynamic(message.as_reflect(), &found).ok().flatten();
                let storage = set.unwrap_or_else(|| Storage::of(found.field, &found.of));
                seen.extensions.push((found, storage));
                seen.extensions.len() - 1
            }
        };
        let (found, storage) = &mut seen.extensions[position];
        self.field(storage, found.field, &found.of).map_err(in_name)
    }

    fn any(
        &mut self,
        message: &mut dyn Fields<'static>,
        table: &TableRef,
        seen: &mut Seen<'_>,
        start: usize,
        url: &str,
        type_name: &str,
    ) -> Result<()> {
        if url.starts_with('/') {
            let kind = TextErrorKind::Malformed("a type URL has something in front of its first `/`");
            return Err(self.lexer.error(kind, start));
        }
        let (Some(url_index), Some(value_index)) = (table.index_of(1), table.index_of(2)) else {
            return Err(self.read_only());
        };
        if seen.mark(url_index) | seen.mark(value_index) {
            return Err(self.lexer.error(TextErrorKind::AlreadySet, start));
        }
        let Some(inner) = self.options.registry.and_then(|registry| registry.table(type_name)) else {
            return Err(self.lexer.error(TextErrorKind::UnknownType { name: type_name.to_string() }, start));
        };
        self.lexer.eat(b':')?;
        let mut inner = DynamicMessage::new(inner);
        self.message_value(Slot::Present(&mut inner), None)?;
        self.check_required(&inner, start)?;
        let value = inner.encode_to_vec();
        self.memory(value.len() + url.len())?;
        self.store(message.slot(url_index), Value::String(url.to_string()))?;
        self.store(message.slot(value_index), Value::Bytes(value.into()))
    }

    /// What stands behind the name of a field. `of` is where the types of `field` are looked up.
    fn field(&mut self, part: &mut dyn Part<'static>, field: &FieldTable, of: &TableRef) -> Result<()> {
        self.colon(field)?;
        if self.lexer.token() != Token::Symbol(b'[') {
            return self.value(part.slot(), field, of);
        }
        if !field.shape.is_list() && field.shape != Shape::Map {
            return Err(self.lexer.error(TextErrorKind::NotRepeated, self.lexer.start()));
        }
        self.lexer.advance()?;
        if self.lexer.eat(b']')? {
            return Ok(());
        }
        loop {
            self.value(part.slot(), field, of)?;
            if self.lexer.eat(b']')? {
                return Ok(());
            }
            if !self.lexer.eat(b',')? {
                return Err(self.lexer.unexpected("`,` or `]`"));
            }
        }
    }

    fn colon(&mut self, field: &FieldTable) -> Result<()> {
        if !self.lexer.eat(b':')? && !field.kind.is_message() {
            return Err(self.lexer.unexpected("`:`"));
        }
        Ok(())
    }

    /// Reads one value: sets a singular field, appends to a list, inserts into a map.
    fn value(&mut self, slot: Slot<'_, 'static>, field: &FieldTable, of: &TableRef) -> Result<()> {
        if field.kind.is_message() {
            return self.message_value(slot, Some((field, of)));
        }
        let is_element = field.shape.is_list();
        if is_element {
            self.elements(1)?;
            self.memory(element_size(field.kind))?;
        }
        let value = self.scalar(field, of)?;
        self.store(slot, value)
    }

    /// A message in braces or angle brackets.
    fn message_value(
        &mut self,
        slot: Slot<'_, 'static>,
        field: Option<(&FieldTable, &TableRef)>,
    ) -> Result<()> {
        let close = self.open()?;
        match slot {
            Slot::Present(message) => self.fields(message, close)?,
            Slot::Message(place) => {
                self.memory(place.size())?;
                self.fields(place.get_or_insert(), close)?;
            }
            Slot::Messages(list) => {
                self.elements(1)?;
                self.memory(list.size())?;
                self.fields(list.push(), close)?;
            }
            Slot::Map(map) => {
                self.elements(1)?;
                self.memory(map.size())?;
                let entry_table = field.and_then(|(field, of)| field.message_table(of));
                let Some(entry_table) = entry_table else { return Err(self.read_only()) };
                let mut result = Err(self.read_only());
                map.insert(&mut |entry| {
                    result = self.entry(entry, &entry_table, close);
                    result.is_ok()
                });
                result?;
            }
            _ => return Err(self.read_only()),
        }
        self.close()
    }

    /// Goes past an opening bracket; gives what closes it.
    fn open(&mut self) -> Result<Close> {
        let close = match self.lexer.token() {
            Token::Symbol(b'{') => b'}',
            Token::Symbol(b'<') => b'>',
            _ => return Err(self.lexer.unexpected("a message in `{}` or `<>`")),
        };
        self.budget.enter().map_err(|error| self.limit(error))?;
        self.lexer.advance()?;
        Ok(Close::Symbol(close))
    }

    fn close(&mut self) -> Result<()> {
        self.budget.leave();
        self.lexer.advance()
    }

    /// Key and value of a map entry; each may be missing.
    fn entry(&mut self, entry: &mut dyn EntrySlots<'static>, table: &TableRef, close: Close) -> Result<()> {
        let mut seen = Seen::default();
        loop {
            match self.lexer.token() {
                Token::Identifier => {}
                Token::Symbol(symbol) if close == Close::Symbol(symbol) => return Ok(()),
                _ => return Err(self.no_field(close)),
            }
            let name = self.lexer.text();
            let Some(index) = index_of(table, name) else {
                self.unknown_field(table, name)?;
                self.separator()?;
                continue;
            };
            let field = &table.fields()[index];
            let in_field = |error: TextError| error.within(name);
            if seen.mark(index) {
                return Err(in_field(self.lexer.error(TextErrorKind::AlreadySet, self.lexer.start())));
            }
            self.lexer.advance()?;
            self.colon(field).map_err(in_field)?;
            if self.lexer.token() == Token::Symbol(b'[') {
                return Err(in_field(self.lexer.error(TextErrorKind::NotRepeated, self.lexer.start())));
            }
            let slot = if index == 0 { entry.key() } else { entry.value() };
            self.value(slot, field, table).map_err(in_field)?;
            self.separator()?;
        }
    }

    fn scalar(&mut self, field: &FieldTable, of: &TableRef) -> Result<Value> {
        Ok(match field.kind {
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                Value::I32(self.integer("a 32-bit integer", |value| i32::try_from(value).ok())?)
            }
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                Value::I64(self.integer("a 64-bit integer", |value| i64::try_from(value).ok())?)
            }
            Kind::Uint32 | Kind::Fixed32 => {
                Value::U32(self.unsigned("an unsigned 32-bit integer", |value| u32::try_from(value).ok())?)
            }
            Kind::Uint64 | Kind::Fixed64 => {
                Value::U64(self.unsigned("an unsigned 64-bit integer", |value| u64::try_from(value).ok())?)
            }
            Kind::Float => {
                let (negative, value) = self.float(f32::INFINITY, f32::NAN)?;
                Value::F32(if negative { -value } else { value })
            }
            Kind::Double => {
                let (negative, value) = self.float(f64::INFINITY, f64::NAN)?;
                Value::F64(if negative { -value } else { value })
            }
            Kind::Bool => Value::Bool(self.boolean()?),
            Kind::Enum => Value::Enum(self.enumeration(field, of)?),
            Kind::Bytes => Value::Bytes(self.string("bytes in quotes")?.into()),
            Kind::String => {
                let start = self.lexer.start();
                let bytes = self.string("a string")?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| self.lexer.error(TextErrorKind::InvalidUtf8, start))?;
                Value::String(text)
            }
            Kind::Message | Kind::Group => return Err(self.read_only()),
        })
    }

    fn integer<T>(&mut self, kind: &'static str, fit: impl Fn(i128) -> Option<T>) -> Result<T> {
        let start = self.lexer.start();
        let negative = self.lexer.eat(b'-')?;
        if self.lexer.token() != Token::Integer {
            return Err(self.lexer.unexpected("an integer"));
        }
        let text = self.lexer.text();
        let value = magnitude(text).map(i128::from);
        let Some(value) = value.and_then(|value| fit(if negative { -value } else { value })) else {
            let sign = if negative { "-" } else { "" };
            let kind = TextErrorKind::OutOfRange { value: format!("{sign}{}", shortened(text)), kind };
            return Err(self.lexer.error(kind, start));
        };
        self.lexer.advance()?;
        Ok(value)
    }

    fn unsigned<T>(&mut self, kind: &'static str, fit: impl Fn(i128) -> Option<T>) -> Result<T> {
        if self.lexer.token() != Token::Integer {
            // Not even a zero may have a sign.
            return Err(self.lexer.unexpected(kind));
        }
        self.integer(kind, fit)
    }

    /// The sign, and the value without it.
    fn float<T: core::str::FromStr>(&mut self, infinity: T, nan: T) -> Result<(bool, T)> {
        let negative = self.lexer.eat(b'-')?;
        let text = self.lexer.text();
        let value = match self.lexer.token() {
            Token::Identifier if text.eq_ignore_ascii_case("inf") => Some(infinity),
            Token::Identifier if text.eq_ignore_ascii_case("infinity") => Some(infinity),
            Token::Identifier if text.eq_ignore_ascii_case("nan") => Some(nan),
            // Only decimal numbers: others have a zero and more in front.
            Token::Integer if text == "0" || !text.starts_with('0') => text.parse().ok(),
            Token::Float => text.trim_end_matches(['f', 'F']).parse().ok(),
            _ => None,
        };
        let Some(value) = value else {
            return Err(self.lexer.unexpected("a decimal number, `inf` or `nan`"));
        };
        self.lexer.advance()?;
        Ok((negative, value))
    }

    fn boolean(&mut self) -> Result<bool> {
        let text = self.lexer.text();
        let value = match (self.lexer.token(), text) {
            (Token::Identifier, "true" | "True" | "t") => Some(true),
            (Token::Identifier, "false" | "False" | "f") => Some(false),
            (Token::Integer, _) => magnitude(text).filter(|&value| value < 2).map(|value| value == 1),
            _ => None,
        };
        let Some(value) = value else { return Err(self.lexer.unexpected("`true` or `false`")) };
        self.lexer.advance()?;
        Ok(value)
    }

    fn enumeration(&mut self, field: &FieldTable, of: &TableRef) -> Result<i32> {
        let Some(table) = field.enum_table(of) else { return Err(self.read_only()) };
        let start = self.lexer.start();
        let unknown =
            |value: String| TextErrorKind::UnknownEnumValue { value, enumeration: table.full_name().into() };
        match self.lexer.token() {
            Token::Identifier => {
                let name = self.lexer.text();
                let Some(value) = table.by_name(name) else {
                    return Err(self.lexer.error(unknown(format!("`{name}`")), start));
                };
                self.lexer.advance()?;
                Ok(value.number())
            }
            Token::Integer | Token::Symbol(b'-') => {
                let number = self.integer("an enum", |value| i32::try_from(value).ok())?;
                if table.is_closed() && table.by_number(number).is_none() {
                    return Err(self.lexer.error(unknown(number.to_string()), start));
                }
                Ok(number)
            }
            _ => Err(self.lexer.unexpected("the name or number of an enum value")),
        }
    }

    /// Strings that follow each other are one.
    fn string(&mut self, expected: &'static str) -> Result<Vec<u8>> {
        if self.lexer.token() != Token::String {
            return Err(self.lexer.unexpected(expected));
        }
        let mut bytes = Vec::new();
        while self.lexer.token() == Token::String {
            self.lexer.unescape(&mut bytes)?;
            self.lexer.advance()?;
        }
        self.memory(bytes.len())?;
        Ok(bytes)
    }

    /// Reads past what stands behind the name of a field that is not known.
    fn skip_field(&mut self) -> Result<()> {
        let colon = self.lexer.eat(b':')?;
        if self.lexer.token() != Token::Symbol(b'[') {
            return self.skip_value(colon);
        }
        self.lexer.advance()?;
        if self.lexer.eat(b']')? {
            return Ok(());
        }
        loop {
            self.skip_value(colon)?;
            if self.lexer.eat(b']')? {
                return Ok(());
            }
            if !self.lexer.eat(b',')? {
                return Err(self.lexer.unexpected("`,` or `]`"));
            }
        }
    }

    fn skip_value(&mut self, colon: bool) -> Result<()> {
        match self.lexer.token() {
            Token::Symbol(b'{' | b'<') => return self.skip_message(),
            _ if !colon => return Err(self.lexer.unexpected("`:` or a message")),
            Token::String => {
                let mut bytes = Vec::new();
                while self.lexer.token() == Token::String {
                    bytes.clear();
                    self.lexer.unescape(&mut bytes)?;
                    self.lexer.advance()?;
                }
                return Ok(());
            }
            Token::Symbol(b'-') => self.lexer.advance()?,
            _ => {}
        }
        match self.lexer.token() {
            Token::Identifier | Token::Integer | Token::Float => self.lexer.advance(),
            _ => Err(self.lexer.unexpected("a value")),
        }
    }

    fn skip_message(&mut self) -> Result<()> {
        let close = self.open()?;
        loop {
            match self.lexer.token() {
                Token::Identifier => self.lexer.advance()?,
                Token::Symbol(b'[') => drop(self.lexer.bracketed()?),
                Token::Symbol(symbol) if close == Close::Symbol(symbol) => return self.close(),
                _ => return Err(self.no_field(close)),
            }
            self.skip_field()?;
            self.separator()?;
        }
    }

    fn store(&self, slot: Slot<'_, 'static>, value: Value) -> Result<()> {
        reflect::store(slot, value).map_err(|_| self.read_only())
    }

    fn check_extension(&self, value: SlotRef<'_>) -> Result<()> {
        let at = self.lexer.start();
        match value {
            SlotRef::Message(message) => self.check_required(message, at),
            SlotRef::Messages(list) => (0..list.len())
                .filter_map(|i| list.get(i))
                .try_for_each(|message| self.check_required(message, at)),
            _ => Ok(()),
        }
    }

    fn check_required(&self, message: &dyn Reflect, at: usize) -> Result<()> {
        if self.options.partial || !message.table().has_required {
            return Ok(());
        }
        let found = missing(message);
        if found.is_empty() {
            Ok(())
        } else {
            Err(self.lexer.error(TextErrorKind::MissingRequired(found), at))
        }
    }

    fn elements(&mut self, count: usize) -> Result<()> {
        self.budget.elements(count).map_err(|error| self.limit(error))
    }

    fn memory(&mut self, bytes: usize) -> Result<()> {
        self.budget.memory(bytes).map_err(|error| self.limit(error))
    }

    #[cold]
    fn limit(&self, error: LimitError) -> TextError {
        self.lexer.error(error.into(), self.lexer.start())
    }

    #[cold]
    fn read_only(&self) -> TextError {
        self.lexer.error(TextErrorKind::ReadOnly, self.lexer.start())
    }
}

/// The type whose value may be written as the message in it.
pub(super) const ANY: &str = "google.protobuf.Any";

/// The position of a field by its name; that of a group is the name of its type, or its own.
fn index_of(table: &TableRef, name: &str) -> Option<usize> {
    let is_group = |field: &FieldTable| {
        field.group_like && field.message_table(table).is_some_and(|group| short_name(&group) == name)
    };
    table.index_of_name(name).or_else(|| table.fields().iter().position(is_group))
}

/// The name of a type without its package and the types around it.
pub(super) fn short_name(table: &MessageTable) -> &str {
    let name = table.full_name();
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

/// The value of an integer token; `None` if 64 bits do not hold it.
fn magnitude(text: &str) -> Option<u64> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    u64::from_str_radix(digits, radix).ok()
}

fn shortened(number: &str) -> String {
    match number.get(..40) {
        Some(start) if number.len() > 40 => format!("{start}..."),
        _ => number.to_string(),
    }
}

/// The memory of one element of a list, without what it points to.
const fn element_size(kind: Kind) -> usize {
    match kind {
        Kind::Bool => 1,
        Kind::String => size_of::<String>(),
        Kind::Bytes => size_of::<bytes::Bytes>(),
        Kind::Double | Kind::Int64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64 | Kind::Sint64 => 8,
        _ => 4,
    }
}
