//! Text into any message, over slots.

use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::DecodeOptions;
use super::error::{TextError, TextErrorKind};
use super::lexer::{Lexer, Token};
use crate::decode::{missing, raw_text};
use crate::dynamic::Storage;
use crate::limits::{Budget, LimitError};
use crate::message::{Fields, Reflect};
use crate::reflect::{self, Value};
use crate::registry::Found;
use crate::slot::{EntrySlots, Part, Slot, SlotRef};
use crate::table::{FieldTable, Kind, MessageTable, Shape, TableRef};

mod extension;
mod scalar;
mod skip;

pub(super) use extension::ANY;

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

    fn raw_slot(&mut self) -> Slot<'_, 'static> {
        self.message.raw_slot(self.index)
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
            crate::extension::store(message.unknown_fields_mut(), found.field, &found.of, &table, value);
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

    /// What stands behind the name of a field. `of` is where the types of `field` are looked up.
    fn field(&mut self, part: &mut dyn Part<'static>, field: &FieldTable, of: &TableRef) -> Result<()> {
        self.colon(field)?;
        if self.lexer.token() != Token::Symbol(b'[') {
            return self.value(part, field, of);
        }
        if !field.shape.is_list() && field.shape != Shape::Map {
            return Err(self.lexer.error(TextErrorKind::NotRepeated, self.lexer.start()));
        }
        self.lexer.advance()?;
        if self.lexer.eat(b']')? {
            return Ok(());
        }
        loop {
            self.value(part, field, of)?;
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
    fn value(&mut self, part: &mut dyn Part<'static>, field: &FieldTable, of: &TableRef) -> Result<()> {
        if field.kind.is_message() {
            return self.message_value(part.slot(), Some((field, of)));
        }
        let is_element = field.shape.is_list();
        if is_element {
            self.elements(1)?;
            self.memory(element_size(field.kind))?;
        }
        let value = self.scalar(field, of)?;
        if is_raw(&value, field) {
            raw_text::charge(part.slot_ref(), &mut self.budget).map_err(|error| self.limit(error))?;
            return self.store(part.raw_slot(), value);
        }
        self.store(part.slot(), value)
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
            self.entry_part(entry, index == 0, field, table).map_err(in_field)?;
            self.separator()?;
        }
    }

    fn entry_part(
        &mut self,
        entry: &mut dyn EntrySlots<'static>,
        is_key: bool,
        field: &FieldTable,
        table: &TableRef,
    ) -> Result<()> {
        if field.kind.is_message() {
            return self.message_value(entry.value(), Some((field, table)));
        }
        let value = self.scalar(field, table)?;
        let slot = match (is_key, is_raw(&value, field)) {
            (true, false) => entry.key(),
            (true, true) => entry.raw_key(),
            (false, false) => entry.value(),
            (false, true) => entry.raw_value(),
        };
        self.store(slot, value)
    }

    fn store(&self, slot: Slot<'_, 'static>, value: Value) -> Result<()> {
        reflect::store(slot, value).map_err(|_| self.read_only())
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

/// The position of a field by its name; that of a group is the name of its type, or its own.
fn index_of(table: &TableRef, name: &str) -> Option<usize> {
    let is_group = |field: &FieldTable| {
        field.group_like && field.message_table(table).is_some_and(|group| short_name(&group) == name)
    };
    table.index_of_name(name).or_else(|| table.fields().iter().position(is_group))
}

/// Whether the value of a string field is text that is not UTF-8.
fn is_raw(value: &Value, field: &FieldTable) -> bool {
    field.kind == Kind::String && matches!(value, Value::Bytes(_))
}

/// The name of a type without its package and the types around it.
pub(super) fn short_name(table: &MessageTable) -> &str {
    let name = table.full_name();
    name.rsplit_once('.').map_or(name, |(_, short)| short)
}

/// The memory of one element of a list, without what it points to.
const fn element_size(kind: Kind) -> usize {
    match kind {
        Kind::Bool => 1,
        // Text may be held as bytes.
        Kind::String | Kind::Bytes => size_of::<bytes::Bytes>(),
        Kind::Double | Kind::Int64 | Kind::Uint64 | Kind::Fixed64 | Kind::Sfixed64 | Kind::Sint64 => 8,
        _ => 4,
    }
}
