//! JSON text into any message, over slots.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use bytes::Bytes;

use super::error::{JsonError, JsonErrorKind};
use super::lexer::Lexer;
use super::number::{self, NotInteger, Number};
use super::write::is_null_value;
use super::{DecodeOptions, base64, time};
use crate::UnknownFields;
use crate::dynamic::{DynamicMessage, Storage};
use crate::limits::{Budget, LimitError};
use crate::message::Fields;
use crate::reflect::{self, Value};
use crate::registry::Found;
use crate::slot::{EntrySlots, MapSlot, MessageList, Part, Slot};
use crate::table::{FieldTable, Kind, Shape, TableRef, WellKnown};

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
        let mut extensions: BTreeMap<u32, (Found<'o>, Storage)> = BTreeMap::new();
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
        store_extensions(message, table, extensions);
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

    fn extension(&self, key: &str, table: &TableRef) -> Option<Found<'o>> {
        let name = key.strip_prefix('[')?.strip_suffix(']')?;
        self.options.registry?.extension_by_name(table.full_name(), name)
    }

    fn extension_value(
        &mut self,
        found: Found<'o>,
        extensions: &mut BTreeMap<u32, (Found<'o>, Storage)>,
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

    /// Reads a value that is in no message of its own; false if it is to be dropped.
    fn value(&mut self, slot: Slot<'_, '_>, field: &FieldTable, of: &TableRef) -> Result<bool> {
        if field.kind == Kind::Enum && !matches!(field.shape, Shape::Repeated | Shape::Packed) {
            let Some(number) = self.enumeration(field, of)? else { return Ok(false) };
            self.stored(reflect::store(slot, Value::Enum(number)))?;
        } else {
            self.slot(slot, field, of)?;
        }
        Ok(true)
    }

    fn slot(&mut self, slot: Slot<'_, '_>, field: &FieldTable, of: &TableRef) -> Result<()> {
        match slot {
            Slot::Bool(place) => *place = self.lex.boolean()?,
            Slot::I32(place) => *place = self.i32()?,
            Slot::I64(place) => *place = self.i64()?,
            Slot::U32(place) => *place = self.u32()?,
            Slot::U64(place) => *place = self.u64()?,
            Slot::F32(place) => *place = self.f32()?,
            Slot::F64(place) => *place = self.f64()?,
            Slot::String(place) => *place = self.text()?,
            Slot::Bytes(place) => *place = self.bytes(field)?,

            Slot::OptBool(place) => *place = Some(self.lex.boolean()?),
            Slot::OptI32(place) => *place = Some(self.i32()?),
            Slot::OptI64(place) => *place = Some(self.i64()?),
            Slot::OptU32(place) => *place = Some(self.u32()?),
            Slot::OptU64(place) => *place = Some(self.u64()?),
            Slot::OptF32(place) => *place = Some(self.f32()?),
            Slot::OptF64(place) => *place = Some(self.f64()?),
            Slot::OptString(place) => *place = Some(self.text()?),
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
        let mut len = 0;
        self.elements(|reader| {
            if list.spare() == 0 {
                let more = len.max(4);
                reader.memory(more * list.size())?;
                list.reserve(more);
            }
            len += 1;
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

    /// A number, bare or in quotes, as an integer type.
    #[inline]
    fn integer<T>(
        &mut self,
        ty: &'static str,
        convert: impl FnOnce(&Number<'_>) -> core::result::Result<T, NotInteger>,
    ) -> Result<T> {
        let (at, number) = match self.lex.peek() {
            Some(b'-' | b'0'..=b'9') => (self.lex.pos, self.lex.number()?),
            Some(b'"') => {
                let at = self.lex.pos;
                let text = self.lex.string()?;
                let Some(number) = number::whole(&text) else {
                    return Err(not_integer(NotInteger::Fraction, ty, at));
                };
                return convert(&number).map_err(|fault| not_integer(fault, ty, at));
            }
            _ => return Err(self.lex.wrong("a number")),
        };
        convert(&number).map_err(|fault| not_integer(fault, ty, at))
    }

    #[inline]
    fn i32(&mut self) -> Result<i32> {
        self.integer("int32", |number| narrow(number.signed()))
    }

    #[inline]
    fn i64(&mut self) -> Result<i64> {
        self.integer("int64", |number| number.signed())
    }

    #[inline]
    fn u32(&mut self) -> Result<u32> {
        self.integer("uint32", |number| narrow(number.unsigned()))
    }

    #[inline]
    fn u64(&mut self) -> Result<u64> {
        self.integer("uint64", |number| number.unsigned())
    }

    #[inline]
    fn f64(&mut self) -> Result<f64> {
        self.real("double", [f64::NAN, f64::INFINITY, f64::NEG_INFINITY], |number| number.double())
    }

    #[inline]
    fn f32(&mut self) -> Result<f32> {
        self.real("float", [f32::NAN, f32::INFINITY, f32::NEG_INFINITY], |number| number.float())
    }

    #[inline]
    fn real<T: Copy>(
        &mut self,
        ty: &'static str,
        [nan, infinity, minus_infinity]: [T; 3],
        convert: impl FnOnce(&Number<'_>) -> Option<T>,
    ) -> Result<T> {
        let out_of_range = |at| JsonError::new(JsonErrorKind::OutOfRange { ty }, at);
        match self.lex.peek() {
            Some(b'-' | b'0'..=b'9') => {
                let at = self.lex.pos;
                convert(&self.lex.number()?).ok_or_else(|| out_of_range(at))
            }
            Some(b'"') => {
                let at = self.lex.pos;
                let text = self.lex.string()?;
                match &*text {
                    "NaN" => Ok(nan),
                    "Infinity" => Ok(infinity),
                    "-Infinity" => Ok(minus_infinity),
                    text => match number::whole(text) {
                        Some(number) => convert(&number).ok_or_else(|| out_of_range(at)),
                        None => {
                            Err(JsonError::new(JsonErrorKind::InvalidValue("the string is not a number"), at))
                        }
                    },
                }
            }
            _ => Err(self.lex.wrong("a number")),
        }
    }

    #[inline]
    fn text(&mut self) -> Result<String> {
        let text = self.lex.string()?;
        self.memory(text.len())?;
        Ok(text.into_owned())
    }

    fn bytes(&mut self, field: &FieldTable) -> Result<Bytes> {
        self.lex.peek();
        let at = self.lex.pos;
        if field.kind == Kind::String {
            return self.text().map(|text| text.into_bytes().into());
        }
        let text = self.lex.string()?;
        self.memory(text.len())?;
        match base64::decode(&text) {
            Some(bytes) => Ok(bytes.into()),
            None => Err(JsonError::new(JsonErrorKind::InvalidValue("the string is not base64"), at)),
        }
    }

    /// The number of an enum value; none for a name that is to be ignored.
    fn enumeration(&mut self, field: &FieldTable, of: &TableRef) -> Result<Option<i32>> {
        let Some(table) = field.enum_table(of) else { return Err(self.odd_type()) };
        let unknown = |value: String, at| {
            JsonError::new(JsonErrorKind::UnknownEnumValue { value, of: table.full_name().to_string() }, at)
        };
        match self.lex.peek() {
            Some(b'"') => {
                let at = self.lex.pos;
                let name = self.lex.string()?;
                match table.by_json_name(&name) {
                    Some(value) => Ok(Some(value.number())),
                    None if self.options.ignore_unknown => Ok(None),
                    None => Err(unknown(name.into_owned(), at)),
                }
            }
            Some(b'-' | b'0'..=b'9') => {
                let at = self.lex.pos;
                let number = self.i32()?;
                if !table.is_closed() || table.by_number(number).is_some() {
                    return Ok(Some(number));
                }
                if self.options.ignore_unknown { Ok(None) } else { Err(unknown(number.to_string(), at)) }
            }
            Some(b'n') if is_null_value(table) => {
                self.lex.null()?;
                Ok(Some(0))
            }
            _ => Err(self.lex.wrong("the name or number of an enum value")),
        }
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

/// The well-known types.
impl<'j, 'o> Reader<'j, 'o> {
    fn well_known(&mut self, message: &mut dyn Fields<'_>, table: &TableRef) -> Result<()> {
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
    fn set(&self, message: &mut dyn Fields<'_>, table: &TableRef, number: u32, value: Value) -> Result<()> {
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

    fn any(&mut self, message: &mut dyn Fields<'_>, table: &TableRef) -> Result<()> {
        self.lex.open_object()?;
        let start = self.lex.pos;
        let Some((url, at)) = self.find_type()? else { return Ok(()) };
        self.lex.pos = start;

        let unknown = || JsonError::new(JsonErrorKind::UnknownType(url.to_string()), at);
        let (_, name) = url.rsplit_once('/').ok_or_else(unknown)?;
        let held_table =
            self.options.registry.and_then(|registry| registry.table(name)).ok_or_else(unknown)?;
        let mut held = DynamicMessage::new(held_table.clone());
        if held_table.well_known == WellKnown::None {
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
        if values == 0 {
            return Err(self.error(JsonErrorKind::InvalidValue("an Any of this type has its `value`")));
        }
        Ok(())
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

fn narrow<W, N: TryFrom<W>>(
    value: core::result::Result<W, NotInteger>,
) -> core::result::Result<N, NotInteger> {
    N::try_from(value?).map_err(|_| NotInteger::OutOfRange)
}

#[cold]
fn not_integer(fault: NotInteger, ty: &'static str, at: usize) -> JsonError {
    let kind = match fault {
        NotInteger::Fraction => JsonErrorKind::InvalidValue("the value is not an integer"),
        NotInteger::OutOfRange => JsonErrorKind::OutOfRange { ty },
    };
    JsonError::new(kind, at)
}

fn store_extensions(
    message: &mut dyn Fields<'_>,
    table: &TableRef,
    extensions: BTreeMap<u32, (Found<'_>, Storage)>,
) {
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
