//! `Any`: its type may stand behind what needs it.

use alloc::borrow::Cow;
use alloc::string::ToString;

use super::{Members, Reader, Result};
use crate::dynamic::DynamicMessage;
use crate::json::error::{JsonError, JsonErrorKind};
use crate::message::Fields;
use crate::reflect::Value;
use crate::table::{TableRef, WellKnown};

/// Some write it as a message without members, others with a `value`, as what has a form of its own.
const EMPTY: &str = "google.protobuf.Empty";

impl<'j> Reader<'j, '_> {
    pub(super) fn any(&mut self, message: &mut dyn Fields<'_>, table: &TableRef) -> Result<()> {
        self.lex.open_object()?;
        let start = self.lex.pos;
        let Some((url, at)) = self.find_type()? else { return Ok(()) };
        self.lex.pos = start;

        let unknown = || JsonError::new(JsonErrorKind::UnknownType(url.to_string()), at);
        let (_, name) = url.rsplit_once('/').ok_or_else(unknown)?;
        let held_table =
            self.options.registry.and_then(|registry| registry.table(name)).ok_or_else(unknown)?;
        let mut held = DynamicMessage::new(held_table.clone());
        if held_table.well_known == WellKnown::None && held_table.full_name() != EMPTY {
            self.deeper()?;
            self.members(&mut held, &held_table, Members::Any)?;
            self.budget.leave();
        } else {
            self.any_value(&mut held, &held_table)?;
        }
        self.check_required(&mut held)?;

        let bytes = held.encode_to_vec();
        self.memory(url.len() + bytes.len())?;
        self.set(message, table, 1, Value::String(url.into_owned()))?;
        self.set(message, table, 2, Value::Bytes(bytes.into()))
    }

    /// The type's name and place, wherever in the object it stands; none if the object is empty.
    fn find_type(&mut self) -> Result<Option<(Cow<'j, str>, usize)>> {
        let mut is_first = true;
        while self.lex.next_member(is_first)? {
            is_first = false;
            if self.lex.key()? == "@type" {
                self.lex.peek();
                let at = self.lex.pos;
                return self.lex.string().map(|url| Some((url, at)));
            }
            self.skip()?;
        }
        if is_first {
            Ok(None)
        } else {
            Err(self.error(JsonErrorKind::InvalidValue("an Any has no `@type`")))
        }
    }

    /// The object of an `Any` that holds a well-known type: `@type` and `value`.
    fn any_value(&mut self, held: &mut DynamicMessage, table: &TableRef) -> Result<()> {
        let (mut types, mut values) = (0, 0);
        let mut is_first = true;
        while self.lex.next_member(is_first)? {
            is_first = false;
            let at = self.lex.pos;
            let key = self.lex.key()?;
            match &*key {
                "@type" => {
                    types += 1;
                    self.skip()?;
                }
                "value" => {
                    values += 1;
                    if values == 1 {
                        self.message(held).map_err(|error| error.in_field("value"))?;
                    }
                }
                _ => self.unknown(&key, table, at)?,
            }
            if types > 1 || values > 1 {
                return Err(JsonError::new(
                    JsonErrorKind::InvalidValue("`@type` or `value` is there twice"),
                    at,
                ));
            }
        }
        if values == 0 && table.full_name() != EMPTY {
            return Err(self.error(JsonErrorKind::InvalidValue("an Any of this type has its `value`")));
        }
        Ok(())
    }
}
