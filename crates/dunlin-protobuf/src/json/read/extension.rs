//! Extensions: values of their own until the message is read.

use alloc::collections::BTreeMap;

use super::{Reader, Result};
use crate::UnknownFields;
use crate::dynamic::Storage;
use crate::json::error::JsonErrorKind;
use crate::message::Fields;
use crate::registry::Found;
use crate::slot::{Part, Slot};
use crate::table::TableRef;

/// Those of one message, by their numbers.
pub(super) type Extensions<'o> = BTreeMap<u32, (Found<'o>, Storage)>;

impl<'o> Reader<'_, 'o> {
    pub(super) fn extension(&self, key: &str, table: &TableRef) -> Option<Found<'o>> {
        let name = key.strip_prefix('[')?.strip_suffix(']')?;
        self.options.registry?.extension_by_name(table.full_name(), name)
    }

    pub(super) fn extension_value(
        &mut self,
        found: Found<'o>,
        extensions: &mut Extensions<'o>,
    ) -> Result<()> {
        let number = found.field.number();
        if self.is_null(found.field, &found.of)? {
            extensions.remove(&number);
            return Ok(());
        }
        let mut storage = Storage::of(found.field, &found.of);
        if extensions.contains_key(&number) {
            return Err(self.error(JsonErrorKind::InvalidValue("the field is there twice")));
        }
        if self.value(storage.slot(), found.field, &found.of)? {
            if let Slot::Message(place) = storage.slot()
                && let Some(value) = place.get_mut()
            {
                self.check_required(value)?;
            }
            extensions.insert(number, (found, storage));
        }
        Ok(())
    }
}

pub(super) fn store(message: &mut dyn Fields<'_>, table: &TableRef, extensions: Extensions<'_>) {
    if extensions.is_empty() {
        return;
    }
    let unknown = message.unknown_fields_mut();
    let was_empty = unknown.is_empty();
    for (found, storage) in extensions.into_values() {
        if was_empty {
            // There is nothing to replace, so that what came before need not be searched.
            let mut one = UnknownFields::default();
            crate::extension::store(&mut one, found.field, &found.of, table, storage.slot_ref());
            unknown.extend_from_wire(one.as_bytes());
        } else {
            crate::extension::store(unknown, found.field, &found.of, table, storage.slot_ref());
        }
    }
}
