//! Values of fields: lists, maps, and what goes into which slot.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::scalar::{narrow, not_integer};
use super::{Reader, Result};
use crate::json::error::{JsonError, JsonErrorKind};
use crate::json::number::{self, NotInteger};
use crate::reflect::{self, Value};
use crate::slot::{EntrySlots, MapSlot, MessageList, Slot};
use crate::table::{FieldTable, Kind, Shape, TableRef};

impl Reader<'_, '_> {
    /// Reads a value that is in no message of its own; false if it is to be dropped.
    pub(super) fn value(&mut self, slot: Slot<'_, '_>, field: &FieldTable, of: &TableRef) -> Result<bool> {
        if field.kind == Kind::Enum && !matches!(field.shape, Shape::Repeated | Shape::Packed) {
            let Some(number) = self.enumeration(field, of)? else { return Ok(false) };
            self.stored(reflect::store(slot, Value::Enum(number)))?;
        } else {
            self.slot(slot, field, of)?;
        }
        Ok(true)
    }

    pub(super) fn slot(&mut self, slot: Slot<'_, '_>, field: &FieldTable, of: &TableRef) -> Result<()> {
        match slot {
            Slot::Bool(place) => *place = self.lex.boolean()?,
            Slot::I32(place) => *place = self.i32()?,
            Slot::I64(place) => *place = self.i64()?,
            Slot::U32(place) => *place = self.u32()?,
            Slot::U64(place) => *place = self.u64()?,
            Slot::F32(place) => *place = self.f32()?,
            Slot::F64(place) => *place = self.f64()?,
            Slot::String(place) => *place = self.text()?,
            Slot::Shared(place) => *place = self.shared()?,
            Slot::ByteVec(place) => *place = self.bytes(field)?.into(),
            Slot::Bytes(place) => *place = self.bytes(field)?,

            Slot::OptBool(place) => *place = Some(self.lex.boolean()?),
            Slot::OptI32(place) => *place = Some(self.i32()?),
            Slot::OptI64(place) => *place = Some(self.i64()?),
            Slot::OptU32(place) => *place = Some(self.u32()?),
            Slot::OptU64(place) => *place = Some(self.u64()?),
            Slot::OptF32(place) => *place = Some(self.f32()?),
            Slot::OptF64(place) => *place = Some(self.f64()?),
            Slot::OptString(place) => *place = Some(self.text()?),
            Slot::OptShared(place) => *place = Some(self.shared()?),
            Slot::OptByteVec(place) => *place = Some(self.bytes(field)?.into()),
            Slot::OptBytes(place) => *place = Some(self.bytes(field)?),

            Slot::Bools(values) => self.list(values, |reader| reader.lex.boolean())?,
            Slot::I32s(values) if field.kind == Kind::Enum => {
                values.clear();
                self.enums(field, of, |number| {
                    values.push(number);
                    true
                })?;
            }
            Slot::I32s(values) => self.list(values, Self::i32)?,
            Slot::I64s(values) => self.list(values, Self::i64)?,
            Slot::U32s(values) => self.list(values, Self::u32)?,
            Slot::U64s(values) => self.list(values, Self::u64)?,
            Slot::F32s(values) => self.list(values, Self::f32)?,
            Slot::F64s(values) => self.list(values, Self::f64)?,
            Slot::Strings(values) => self.list(values, Self::text)?,
            Slot::SharedList(values) => self.list(values, Self::shared)?,
            Slot::ByteVecs(values) => self.list(values, |reader| reader.bytes(field).map(Vec::from))?,
            Slot::BytesList(values) => self.list(values, |reader| reader.bytes(field))?,
            Slot::Enums(values) => {
                values.clear();
                self.enums(field, of, |number| values.push(number))?;
            }

            Slot::Present(message) => self.message(message)?,
            Slot::Message(place) => {
                self.memory(place.size())?;
                place.clear();
                self.message(place.get_or_insert())?;
            }
            Slot::Messages(list) => self.messages(list)?,
            Slot::Map(map) => self.map(map, field, of)?,

            // Enums are read before their slot is lent.
            Slot::Enum(_)
            | Slot::Str(_)
            | Slot::Slice(_)
            | Slot::OptStr(_)
            | Slot::OptSlice(_)
            | Slot::Strs(_)
            | Slot::Slices(_) => {
                return Err(self.error(JsonErrorKind::Unsupported("JSON is not read into views")));
            }
        }
        Ok(())
    }

    #[inline]
    fn elements(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.lex.open_array()?;
        let mut index = 0;
        while self.lex.next_element(index == 0)? {
            let taken = self.budget.elements(1);
            self.limit(taken)?;
            each(self).map_err(|error| error.in_element(index))?;
            index += 1;
        }
        Ok(())
    }

    #[inline]
    fn list<T>(&mut self, values: &mut Vec<T>, read: impl Fn(&mut Self) -> Result<T>) -> Result<()> {
        values.clear();
        self.elements(|reader| {
            reader.memory(size_of::<T>())?;
            values.push(read(reader)?);
            Ok(())
        })
    }

    fn enums(&mut self, field: &FieldTable, of: &TableRef, mut push: impl FnMut(i32) -> bool) -> Result<()> {
        self.elements(|reader| {
            reader.memory(size_of::<i32>())?;
            match reader.enumeration(field, of)? {
                Some(number) if !push(number) => reader.stored(Err(reflect::TypeMismatch)),
                _ => Ok(()),
            }
        })
    }

    fn messages(&mut self, list: &mut dyn MessageList<'_>) -> Result<()> {
        list.truncate(0);
        self.elements(|reader| {
            if list.spare() == 0 {
                let more = list.len().max(4);
                reader.memory(more * list.size())?;
                list.reserve(more);
            }
            reader.message(list.push())
        })
    }

    fn map(&mut self, map: &mut dyn MapSlot<'_>, field: &FieldTable, of: &TableRef) -> Result<()> {
        let entry = field.message_table(of);
        let Some((entry, [key_field, value_field])) = entry.as_ref().map(|entry| (entry, entry.fields()))
        else {
            return Err(self.odd_type());
        };
        map.clear();
        self.lex.open_object()?;
        let mut is_first = true;
        while self.lex.next_member(is_first)? {
            is_first = false;
            let taken = self.budget.elements(1);
            self.limit(taken)?;
            self.memory(map.size())?;
            let at = self.lex.pos;
            let key = self.lex.key()?;
            let mut result = Ok(true);
            map.insert(&mut |slots| {
                result = self.entry(slots, &key, at, key_field, value_field, entry);
                matches!(result, Ok(true))
            });
            result.map_err(|error| error.in_entry(&key))?;
        }
        Ok(())
    }

    fn entry(
        &mut self,
        slots: &mut dyn EntrySlots<'_>,
        key: &str,
        at: usize,
        key_field: &FieldTable,
        value_field: &FieldTable,
        of: &TableRef,
    ) -> Result<bool> {
        let number = || number::whole(key).ok_or(NotInteger::Fraction);
        let key = match key_field.kind {
            Kind::String => {
                self.memory(key.len())?;
                Value::String(key.to_string())
            }
            Kind::Bool if key == "true" => Value::Bool(true),
            Kind::Bool if key == "false" => Value::Bool(false),
            Kind::Bool => {
                return Err(JsonError::new(
                    JsonErrorKind::InvalidValue("a key of this map is \"true\" or \"false\""),
                    at,
                ));
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(
                number().and_then(|n| narrow(n.signed())).map_err(|fault| not_integer(fault, "int32", at))?,
            ),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(
                number()
                    .and_then(|n| narrow(n.unsigned()))
                    .map_err(|fault| not_integer(fault, "uint32", at))?,
            ),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(
                number().and_then(|n| n.signed()).map_err(|fault| not_integer(fault, "int64", at))?,
            ),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(
                number().and_then(|n| n.unsigned()).map_err(|fault| not_integer(fault, "uint64", at))?,
            ),
            _ => return Err(self.odd_type()),
        };
        self.stored(reflect::store(slots.key(), key))?;
        self.value(slots.value(), value_field, of)
    }
}
