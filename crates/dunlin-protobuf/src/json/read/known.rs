//! The well-known types, whose JSON is not that of their fields.

use alloc::string::String;

use super::{Members, Reader, Result, Seen};
use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::time;
use crate::message::Fields;
use crate::reflect::{self, Value};
use crate::table::{TableRef, WellKnown};

impl Reader<'_, '_> {
    pub(super) fn well_known(&mut self, message: &mut dyn Fields<'_>, table: &TableRef) -> Result<()> {
        match table.well_known {
            WellKnown::Timestamp => {
                let (seconds, nanos) =
                    self.parsed(time::parse_timestamp, "the string is not a time of RFC 3339")?;
                self.set(message, table, 1, Value::I64(seconds))?;
                self.set(message, table, 2, Value::I32(nanos))
            }
            WellKnown::Duration => {
                let (seconds, nanos) =
                    self.parsed(time::parse_duration, "the string is not a duration like \"1.5s\"")?;
                self.set(message, table, 1, Value::I64(seconds))?;
                self.set(message, table, 2, Value::I32(nanos))
            }
            WellKnown::FieldMask if self.options.mask_objects && self.lex.peek() == Some(b'{') => {
                self.lex.open_object()?;
                self.members(message, table, Members::Message)
            }
            WellKnown::FieldMask => {
                let paths =
                    self.parsed(time::parse_field_mask, "the string is no list of camel case paths")?;
                for path in paths {
                    self.memory(size_of::<String>() + path.len())?;
                    let taken = self.budget.elements(1);
                    self.limit(taken)?;
                    self.set(message, table, 1, Value::String(path))?;
                }
                Ok(())
            }
            WellKnown::Struct => match self.lex.peek() {
                Some(b'{') => self.known(message, table, 1),
                _ => Err(self.lex.wrong("an object")),
            },
            WellKnown::ListValue => match self.lex.peek() {
                Some(b'[') => self.known(message, table, 1),
                _ => Err(self.lex.wrong("an array")),
            },
            WellKnown::Value => match self.lex.peek() {
                Some(b'n') => {
                    self.lex.null()?;
                    self.set(message, table, 1, Value::Enum(0))
                }
                Some(b'-' | b'0'..=b'9') => self.known(message, table, 2),
                Some(b'"') => self.known(message, table, 3),
                Some(b't' | b'f') => self.known(message, table, 4),
                Some(b'{') => self.known(message, table, 5),
                Some(b'[') => self.known(message, table, 6),
                _ => Err(self.lex.wrong("a value")),
            },
            _ => self.known(message, table, 1),
        }
    }

    /// The text of a string, understood by `parse`.
    fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>, what: &'static str) -> Result<T> {
        self.lex.peek();
        let at = self.lex.pos;
        let text = self.lex.string()?;
        parse(&text).ok_or_else(|| JsonError::new(JsonErrorKind::InvalidValue(what), at))
    }

    /// Sets the field with this number.
    pub(super) fn set(
        &self,
        message: &mut dyn Fields<'_>,
        table: &TableRef,
        number: u32,
        value: Value,
    ) -> Result<()> {
        let index = table.index_of(number).ok_or_else(|| self.odd_type())?;
        self.stored(reflect::store(message.slot(index), value))
    }

    /// Reads the field with this number.
    fn known(&mut self, message: &mut dyn Fields<'_>, table: &TableRef, number: u32) -> Result<()> {
        let index = table.index_of(number).ok_or_else(|| self.odd_type())?;
        if self.lex.peek() == Some(b'n') {
            // A wrapper in a list or map; elsewhere null has been read already.
            return Err(self.lex.wrong("a value"));
        }
        self.field(message, table, index, &mut Seen::default())
    }
}
