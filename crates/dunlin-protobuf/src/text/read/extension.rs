//! Extensions, and the message in an `Any`: what has its name in brackets.

use alloc::format;
use alloc::string::ToString;

use super::{Reader, Result, Seen};
use crate::dynamic::{DynamicMessage, Storage};
use crate::extension;
use crate::message::Fields;
use crate::reflect::Value;
use crate::slot::{Slot, SlotRef};
use crate::table::TableRef;
use crate::text::error::{TextError, TextErrorKind};

/// The type whose value may be written as the message in it.
pub(in crate::text) const ANY: &str = "google.protobuf.Any";

impl<'r> Reader<'_, 'r> {
    /// An extension, or the message in an `Any`.
    pub(super) fn bracketed(
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

    pub(super) fn check_extension(&self, value: SlotRef<'_>) -> Result<()> {
        let at = self.lexer.start();
        match value {
            SlotRef::Message(message) => self.check_required(message, at),
            SlotRef::Messages(list) => (0..list.len())
                .filter_map(|i| list.get(i))
                .try_for_each(|message| self.check_required(message, at)),
            _ => Ok(()),
        }
    }
}
