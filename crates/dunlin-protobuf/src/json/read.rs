//! JSON text into any message, over slots.

use alloc::string::ToString;
use alloc::vec::Vec;

use extension::Extensions;

use super::DecodeOptions;
use super::error::{JsonError, JsonErrorKind};
use super::lexer::Lexer;
use super::write::is_null_value;
use crate::limits::{Budget, LimitError};
use crate::message::Fields;
use crate::reflect::{self, Value};
use crate::table::{FieldTable, Kind, Shape, TableRef, WellKnown};

mod any;
mod extension;
mod known;
mod scalar;
mod value;

type Result<T> = core::result::Result<T, JsonError>;

#[derive(Debug)]
pub(super) struct Reader<'j, 'o> {
    lex: Lexer<'j>,
    budget: Budget,
    options: &'o DecodeOptions<'o>,
}

/// Whose members an object has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Members {
    Message,
    /// Those of the message in an `Any`, and the name of its type.
    Any,
}

/// Which fields of a message have had a value, and which oneofs (behind the fields).
#[derive(Default)]
struct Seen {
    first: u128,
    rest: Vec<bool>,
}

impl Seen {
    /// True the first time that it is asked for `index`.
    #[inline]
    fn is_first(&mut self, index: usize) -> bool {
        if index < 128 {
            let bit = 1 << index;
            let is_first = self.first & bit == 0;
            self.first |= bit;
            return is_first;
        }
        let index = index - 128;
        if self.rest.len() <= index {
            self.rest.resize(index + 1, false);
        }
        !core::mem::replace(&mut self.rest[index], true)
    }
}

/// How far beyond the expected field a key is searched before the table is asked.
const NEAR: usize = 8;

impl<'j, 'o> Reader<'j, 'o> {
    pub(super) fn new(text: &'j str, options: &'o DecodeOptions<'o>) -> Self {
        Self { lex: Lexer::new(text), budget: options.limits.budget(text.len()), options }
    }

    /// A message and nothing else.
    pub(super) fn document(&mut self, message: &mut dyn Fields<'_>) -> Result<()> {
        // The outermost message is not below itself.
        self.budget.depth = self.budget.depth.saturating_add(1);
        self.message(message)?;
        self.lex.end()?;
        self.check_required(message)
    }

    fn check_required(&self, message: &mut dyn Fields<'_>) -> Result<()> {
        if !message.table().has_required {
            return Ok(());
        }
        let missing = crate::decode::missing(message.as_reflect());
        if missing.is_empty() { Ok(()) } else { Err(self.error(JsonErrorKind::MissingRequired(missing))) }
    }

    fn message(&mut self, message: &mut dyn Fields<'_>) -> Result<()> {
        let table = message.table();
        let entered = self.budget.enter();
        self.limit(entered)?;
        match table.well_known {
            WellKnown::None => {
                self.lex.open_object()?;
                self.members(message, &table, Members::Message)?;
            }
            WellKnown::Any => self.any(message, &table)?,
            _ => self.well_known(message, &table)?,
        }
        self.budget.leave();
        Ok(())
    }

    /// The members of an object whose brace has been read.
    fn members(&mut self, message: &mut dyn Fields<'_>, table: &TableRef, members: Members) -> Result<()> {
        // Written once they are all known.
        let mut extensions = Extensions::new();
        let mut seen = Seen::default();
        let mut guess = 0;
        let mut is_first = true;
        let mut types = 0;
        while self.lex.next_member(is_first)? {
            is_first = false;
            let at = self.lex.pos;
            if let Some(index) = self.near(table, guess) {
                guess = index + 1;
                self.field(message, table, index, &mut seen)
                    .map_err(|error| error.in_field(table.fields()[index].json_name()))?;
                continue;
            }
            let key = self.lex.key()?;
            if let Some(index) = table.index_of_json(&key) {
                guess = index + 1;
                self.field(message, table, index, &mut seen)
                    .map_err(|error| error.in_field(table.fields()[index].json_name()))?;
            } else if members == Members::Any && key == "@type" {
                types += 1;
                if types > 1 {
                    return Err(JsonError::new(JsonErrorKind::InvalidValue("`@type` is there twice"), at));
                }
                self.skip()?;
            } else if let Some(found) = self.extension(&key, table) {
                self.extension_value(found, &mut extensions)
                    .map_err(|error| error.in_extension(key.trim_matches(['[', ']'])))?;
            } else {
                self.unknown(&key, table, at)?;
            }
        }
        extension::store(message, table, extensions);
        Ok(())
    }

    /// The field at `guess` or a little later, if the next key is its name, which is then read.
    #[inline]
    fn near(&mut self, table: &TableRef, guess: usize) -> Option<usize> {
        let near = table.fields().iter().enumerate().skip(guess).take(NEAR);
        near.into_iter()
            .find(|(_, field)| field.plain_json_name && self.lex.key_is(field.json_name()))
            .map(|(index, _)| index)
    }

    #[cold]
    fn unknown(&mut self, key: &str, table: &TableRef, at: usize) -> Result<()> {
        if self.options.ignore_unknown {
            return self.skip();
        }
        let kind =
            JsonErrorKind::UnknownField { name: key.to_string(), message: table.full_name().to_string() };
        Err(JsonError::new(kind, at))
    }

    fn field(
        &mut self,
        message: &mut dyn Fields<'_>,
        table: &TableRef,
        index: usize,
        seen: &mut Seen,
    ) -> Result<()> {
        let field = &table.fields()[index];
        if self.is_null(field, table)? {
            reflect::clear(message, index);
            return Ok(());
        }
        let is_first = match field.shape {
            // Two members of a oneof say two things as well.
            Shape::Oneof(oneof) => seen.is_first(table.fields().len() + usize::from(oneof)),
            _ => seen.is_first(index),
        };
        if !is_first {
            let rule = match field.shape {
                Shape::Oneof(_) => "its oneof is set already",
                _ => "the field is there twice",
            };
            return Err(self.error(JsonErrorKind::InvalidValue(rule)));
        }
        if field.kind == Kind::Enum && !matches!(field.shape, Shape::Repeated | Shape::Packed | Shape::Map) {
            // Read before the slot is lent, which may select the field.
            let Some(number) = self.enumeration(field, table)? else { return Ok(()) };
            return self.stored(reflect::store(message.slot(index), Value::Enum(number)));
        }
        if let Shape::Oneof(oneof) = field.shape
            && field.kind.is_message()
        {
            // What comes again replaces what was there.
            message.clear_oneof(usize::from(oneof));
        }
        self.slot(message.slot(index), field, table)
    }

    /// Reads past a null that stands for no value.
    #[inline]
    fn is_null(&mut self, field: &FieldTable, of: &TableRef) -> Result<bool> {
        if self.lex.peek() != Some(b'n') || takes_null(field, of) {
            return Ok(false);
        }
        self.lex.null()?;
        Ok(true)
    }

    /// Reads past a value of any kind, which must be JSON all the same.
    fn skip(&mut self) -> Result<()> {
        match self.lex.peek() {
            Some(b'{') => {
                self.deeper()?;
                self.lex.open_object()?;
                let mut is_first = true;
                while self.lex.next_member(is_first)? {
                    is_first = false;
                    self.lex.key()?;
                    self.skip()?;
                }
                self.budget.leave();
            }
            Some(b'[') => {
                self.deeper()?;
                self.lex.open_array()?;
                let mut is_first = true;
                while self.lex.next_element(is_first)? {
                    is_first = false;
                    self.skip()?;
                }
                self.budget.leave();
            }
            Some(b'"') => drop(self.lex.string()?),
            Some(b't' | b'f') => drop(self.lex.boolean()?),
            Some(b'n') => self.lex.null()?,
            Some(b'-' | b'0'..=b'9') => drop(self.lex.number()?),
            _ => return Err(self.lex.wrong("a value")),
        }
        Ok(())
    }

    fn deeper(&mut self) -> Result<()> {
        let entered = self.budget.enter();
        self.limit(entered)
    }

    #[inline]
    fn memory(&mut self, bytes: usize) -> Result<()> {
        let taken = self.budget.memory(bytes);
        self.limit(taken)
    }

    #[inline]
    fn limit(&self, taken: core::result::Result<(), LimitError>) -> Result<()> {
        taken.map_err(|error| self.error(JsonErrorKind::Limit(error)))
    }

    #[cold]
    fn error(&self, kind: JsonErrorKind) -> JsonError {
        JsonError::new(kind, self.lex.pos)
    }

    #[cold]
    fn odd_type(&self) -> JsonError {
        self.error(JsonErrorKind::Unsupported("a type with other fields than it should have"))
    }

    #[inline]
    fn stored(&self, result: core::result::Result<(), reflect::TypeMismatch>) -> Result<()> {
        result.map_err(|_| self.odd_type())
    }
}

/// True for the types that have null among their values.
#[cold]
fn takes_null(field: &FieldTable, of: &TableRef) -> bool {
    if field.shape.is_list() || field.shape == Shape::Map {
        return false;
    }
    match field.kind {
        Kind::Enum => field.enum_table(of).is_some_and(is_null_value),
        Kind::Message | Kind::Group => {
            field.message_table(of).is_some_and(|table| table.well_known == WellKnown::Value)
        }
        _ => false,
    }
}
