use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use bytes::Bytes;

use super::DynamicMessage;
use crate::decode::Context;
use crate::message::{Fields, Reflect};
use crate::slot::{
    EntrySlots, Fill, MapRef, MapSlot, MessageList, MessageListRef, MessageSlot, Part, Slot, SlotRef, Visit,
};
use crate::table::{FieldTable, Kind, Shape, TableRef};
use crate::{DecodeError, SharedString};

/// The value of one field of a dynamic message.
///
/// Enums are kept as their numbers: closed ones are checked before they are stored.
#[derive(Clone, Debug)]
pub(crate) enum Storage {
    Bool(Option<bool>),
    I32(Option<i32>),
    I64(Option<i64>),
    U32(Option<u32>),
    U64(Option<u64>),
    F32(Option<f32>),
    F64(Option<f64>),
    String(Option<SharedString>),
    /// Text that need not be UTF-8, in a field where something came that is not.
    Raw(Option<Bytes>),
    Bytes(Option<Bytes>),
    Enum(Option<i32>),
    Message(Box<Place>),
    Bools(Vec<bool>),
    I32s(Vec<i32>),
    I64s(Vec<i64>),
    U32s(Vec<u32>),
    U64s(Vec<u64>),
    F32s(Vec<f32>),
    F64s(Vec<f64>),
    Strings(Vec<SharedString>),
    BytesList(Vec<Bytes>),
    Enums(Vec<i32>),
    Messages(Box<List>),
    Map(Box<DynamicMap>),
}

impl Storage {
    /// The empty storage of a field of the table `of`, or of an extension that was declared beside it.
    pub(crate) fn of(field: &FieldTable, of: &TableRef) -> Self {
        match field.shape {
            Shape::Map => {
                let entry = field.message_table(of).expect("the pool gives every map field its entry");
                Self::Map(Box::new(DynamicMap { entry, entries: BTreeMap::new() }))
            }
            Shape::Repeated | Shape::Packed => Self::list(field, of),
            _ => Self::single(field, of),
        }
    }

    pub(crate) fn single(field: &FieldTable, of: &TableRef) -> Self {
        match field.kind {
            Kind::Bool => Self::Bool(None),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Self::I32(None),
            Kind::Enum => Self::Enum(None),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Self::I64(None),
            Kind::Uint32 | Kind::Fixed32 => Self::U32(None),
            Kind::Uint64 | Kind::Fixed64 => Self::U64(None),
            Kind::Float => Self::F32(None),
            Kind::Double => Self::F64(None),
            Kind::String => Self::String(None),
            Kind::Bytes => Self::Bytes(None),
            Kind::Message | Kind::Group => {
                let table = field.message_table(of).expect("the pool gives every message field its type");
                Self::Message(Box::new(Place { message: DynamicMessage::new(table), is_set: false }))
            }
        }
    }

    fn list(field: &FieldTable, of: &TableRef) -> Self {
        match field.kind {
            Kind::Bool => Self::Bools(Vec::new()),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Self::I32s(Vec::new()),
            Kind::Enum => Self::Enums(Vec::new()),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Self::I64s(Vec::new()),
            Kind::Uint32 | Kind::Fixed32 => Self::U32s(Vec::new()),
            Kind::Uint64 | Kind::Fixed64 => Self::U64s(Vec::new()),
            Kind::Float => Self::F32s(Vec::new()),
            Kind::Double => Self::F64s(Vec::new()),
            Kind::String => Self::Strings(Vec::new()),
            Kind::Bytes => Self::BytesList(Vec::new()),
            Kind::Message | Kind::Group => {
                let table = field.message_table(of).expect("the pool gives every message field its type");
                Self::Messages(Box::new(List { table, messages: Vec::new() }))
            }
        }
    }

    /// What a field gives that was never set.
    pub(crate) fn absent(table: &TableRef, index: usize) -> SlotRef<'static> {
        let Some(field) = table.fields().get(index) else { return SlotRef::Absent };
        match field.shape {
            Shape::Implicit if !field.kind.is_message() => match field.kind {
                Kind::Bool => SlotRef::Bool(false),
                Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => SlotRef::I32(0),
                Kind::Enum => SlotRef::Enum(0),
                Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => SlotRef::I64(0),
                Kind::Uint32 | Kind::Fixed32 => SlotRef::U32(0),
                Kind::Uint64 | Kind::Fixed64 => SlotRef::U64(0),
                Kind::Float => SlotRef::F32(0.0),
                Kind::Double => SlotRef::F64(0.0),
                Kind::String => SlotRef::String(""),
                Kind::Bytes | Kind::Message | Kind::Group => SlotRef::Bytes(&[]),
            },
            Shape::Repeated | Shape::Packed => match field.kind {
                Kind::Bool => SlotRef::Bools(&[]),
                Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 | Kind::Enum => SlotRef::I32s(&[]),
                Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => SlotRef::I64s(&[]),
                Kind::Uint32 | Kind::Fixed32 => SlotRef::U32s(&[]),
                Kind::Uint64 | Kind::Fixed64 => SlotRef::U64s(&[]),
                Kind::Float => SlotRef::F32s(&[]),
                Kind::Double => SlotRef::F64s(&[]),
                Kind::String => SlotRef::SharedList(&[]),
                Kind::Bytes => SlotRef::BytesList(&[]),
                Kind::Message | Kind::Group => SlotRef::Messages(&NoMessages),
            },
            Shape::Map => SlotRef::Map(&NoEntries),
            _ => SlotRef::Absent,
        }
    }
}

impl<'a> Part<'a> for Storage {
    fn slot(&mut self) -> Slot<'_, 'a> {
        match self {
            Self::Bool(value) => Slot::OptBool(value),
            Self::I32(value) | Self::Enum(value) => Slot::OptI32(value),
            Self::I64(value) => Slot::OptI64(value),
            Self::U32(value) => Slot::OptU32(value),
            Self::U64(value) => Slot::OptU64(value),
            Self::F32(value) => Slot::OptF32(value),
            Self::F64(value) => Slot::OptF64(value),
            Self::String(value) => Slot::OptShared(value),
            Self::Bytes(value) | Self::Raw(value) => Slot::OptBytes(value),
            Self::Message(place) => Slot::Message(&mut **place),
            Self::Bools(values) => Slot::Bools(values),
            Self::I32s(values) | Self::Enums(values) => Slot::I32s(values),
            Self::I64s(values) => Slot::I64s(values),
            Self::U32s(values) => Slot::U32s(values),
            Self::U64s(values) => Slot::U64s(values),
            Self::F32s(values) => Slot::F32s(values),
            Self::F64s(values) => Slot::F64s(values),
            Self::Strings(values) => Slot::SharedList(values),
            Self::BytesList(values) => Slot::BytesList(values),
            Self::Messages(list) => Slot::Messages(&mut **list),
            Self::Map(map) => Slot::Map(&mut **map),
        }
    }

    fn raw_slot(&mut self) -> Slot<'_, 'a> {
        match self {
            Self::String(text) => *self = Self::Raw(text.as_deref().map(raw)),
            Self::Strings(texts) => *self = Self::BytesList(texts.iter().map(|text| raw(text)).collect()),
            _ => {}
        }
        self.slot()
    }

    #[inline(always)]
    fn slot_ref(&self) -> SlotRef<'_> {
        match self {
            Self::Bool(value) => (*value).into(),
            Self::I32(value) => (*value).into(),
            Self::Enum(value) => value.map_or(SlotRef::Absent, SlotRef::Enum),
            Self::I64(value) => (*value).into(),
            Self::U32(value) => (*value).into(),
            Self::U64(value) => (*value).into(),
            Self::F32(value) => (*value).into(),
            Self::F64(value) => (*value).into(),
            Self::String(value) => value.as_deref().into(),
            Self::Bytes(value) => value.as_deref().into(),
            Self::Raw(value) => value.as_deref().map_or(SlotRef::Absent, text_or_bytes),
            Self::Message(place) => SlotRef::opt_message(place.get()),
            Self::Bools(values) => SlotRef::Bools(values),
            Self::I32s(values) | Self::Enums(values) => SlotRef::I32s(values),
            Self::I64s(values) => SlotRef::I64s(values),
            Self::U32s(values) => SlotRef::U32s(values),
            Self::U64s(values) => SlotRef::U64s(values),
            Self::F32s(values) => SlotRef::F32s(values),
            Self::F64s(values) => SlotRef::F64s(values),
            Self::Strings(values) => SlotRef::SharedList(values),
            Self::BytesList(values) => SlotRef::BytesList(values),
            Self::Messages(list) => SlotRef::Messages(&**list),
            Self::Map(map) => SlotRef::Map(&**map),
        }
    }
}

fn raw(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn text_or_bytes(raw: &[u8]) -> SlotRef<'_> {
    crate::raw::text(raw).map_or(SlotRef::Bytes(raw), SlotRef::String)
}

/// The place of a message, which knows what may be put there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Empty if it is not set.
    message: DynamicMessage,
    is_set: bool,
}

impl Place {
    #[inline]
    pub(super) fn get(&self) -> Option<&DynamicMessage> {
        self.is_set.then_some(&self.message)
    }
}

impl<'a> MessageSlot<'a> for Place {
    fn get_mut(&mut self) -> Option<&mut dyn Fields<'a>> {
        if self.is_set { Some(&mut self.message) } else { None }
    }

    fn get_or_insert(&mut self) -> &mut dyn Fields<'a> {
        self.is_set = true;
        &mut self.message
    }

    fn clear(&mut self) {
        *self = Self { message: DynamicMessage::new(self.message.table()), is_set: false };
    }

    fn size(&self) -> usize {
        size_of::<Self>() + FIELD_SIZE
    }
}

/// Messages have at least one field, or are as good as.
const FIELD_SIZE: usize = super::FIRST_FIELDS * size_of::<(u32, Storage)>();

#[derive(Clone, Debug)]
pub(crate) struct List {
    table: TableRef,
    pub(super) messages: Vec<DynamicMessage>,
}

impl<'a> MessageList<'a> for List {
    fn push(&mut self) -> &mut dyn Fields<'a> {
        self.messages.push(DynamicMessage::new(self.table.clone()));
        self.messages.last_mut().expect("a message was just pushed")
    }

    fn len(&self) -> usize {
        self.messages.len()
    }

    fn reserve(&mut self, additional: usize) {
        self.messages.reserve_exact(additional);
    }

    fn spare(&self) -> usize {
        self.messages.capacity() - self.messages.len()
    }

    fn get_mut(&mut self, index: usize) -> Option<&mut dyn Fields<'a>> {
        self.messages.get_mut(index).map(|message| message as _)
    }

    fn truncate(&mut self, len: usize) {
        self.messages.truncate(len);
    }

    fn size(&self) -> usize {
        size_of::<DynamicMessage>() + FIELD_SIZE
    }
}

impl MessageListRef for List {
    fn len(&self) -> usize {
        self.messages.len()
    }

    fn get(&self, index: usize) -> Option<&dyn Reflect> {
        self.messages.get(index).map(|message| message as _)
    }
}

struct NoMessages;

impl MessageListRef for NoMessages {
    fn len(&self) -> usize {
        0
    }

    fn get(&self, _: usize) -> Option<&dyn Reflect> {
        None
    }
}

struct NoEntries;

impl MapRef for NoEntries {
    fn len(&self) -> usize {
        0
    }

    fn for_each<'s>(&'s self, _: bool, _: Visit<'_, 's>) {}
}

/// The key of a dynamic map.
#[derive(Clone, Debug)]
pub(crate) enum MapKey {
    Bool(bool),
    I32(i32),
    I64(i64),
    U32(u32),
    U64(u64),
    String(SharedString),
    /// As [`Storage::Raw`].
    Bytes(Bytes),
}

/// Keys of one map, which are of one type. Text has the order of its bytes, however it is held.
impl Ord for MapKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::String(a), Self::String(b)) => a.cmp(b),
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::I32(a), Self::I32(b)) => a.cmp(b),
            (Self::I64(a), Self::I64(b)) => a.cmp(b),
            (Self::U32(a), Self::U32(b)) => a.cmp(b),
            (Self::U64(a), Self::U64(b)) => a.cmp(b),
            _ => self.as_bytes().cmp(other.as_bytes()),
        }
    }
}

impl PartialOrd for MapKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for MapKey {}

impl PartialEq for MapKey {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl MapKey {
    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::String(text) => text.as_bytes(),
            Self::Bytes(text) => text,
            _ => &[],
        }
    }

    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Bool => Self::Bool(false),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Self::I32(0),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Self::I64(0),
            Kind::Uint32 | Kind::Fixed32 => Self::U32(0),
            Kind::Uint64 | Kind::Fixed64 => Self::U64(0),
            _ => Self::String(SharedString::default()),
        }
    }

    fn slot<'a>(&mut self) -> Slot<'_, 'a> {
        match self {
            Self::Bool(value) => Slot::Bool(value),
            Self::I32(value) => Slot::I32(value),
            Self::I64(value) => Slot::I64(value),
            Self::U32(value) => Slot::U32(value),
            Self::U64(value) => Slot::U64(value),
            Self::String(value) => Slot::Shared(value),
            Self::Bytes(value) => Slot::Bytes(value),
        }
    }

    fn raw_slot<'a>(&mut self) -> Slot<'_, 'a> {
        if let Self::String(text) = self {
            *self = Self::Bytes(raw(text));
        }
        self.slot()
    }

    #[inline(always)]
    fn slot_ref(&self) -> SlotRef<'_> {
        match self {
            Self::Bool(value) => SlotRef::Bool(*value),
            Self::I32(value) => SlotRef::I32(*value),
            Self::I64(value) => SlotRef::I64(*value),
            Self::U32(value) => SlotRef::U32(*value),
            Self::U64(value) => SlotRef::U64(*value),
            Self::String(value) => SlotRef::String(value),
            Self::Bytes(value) => text_or_bytes(value),
        }
    }
}

/// The map of a dynamic message.
#[derive(Clone, Debug)]
pub(crate) struct DynamicMap {
    pub(super) entry: TableRef,
    pub(super) entries: BTreeMap<MapKey, Storage>,
}

struct Entry {
    key: MapKey,
    value: Storage,
}

impl<'a> EntrySlots<'a> for Entry {
    fn key(&mut self) -> Slot<'_, 'a> {
        self.key.slot()
    }

    fn value(&mut self) -> Slot<'_, 'a> {
        self.value.slot()
    }

    fn has_raw_slots(&self) -> bool {
        true
    }

    fn raw_key(&mut self) -> Slot<'_, 'a> {
        self.key.raw_slot()
    }

    fn raw_value(&mut self) -> Slot<'_, 'a> {
        self.value.raw_slot()
    }

    fn checks_enums(&self) -> bool {
        false
    }
}

impl DynamicMap {
    fn empty(&self) -> Option<Entry> {
        let [key, value] = self.entry.fields() else { return None };
        let mut entry = Entry { key: MapKey::new(key.kind), value: Storage::single(value, &self.entry) };
        entry.value.set_default(value, &self.entry);
        Some(entry)
    }

    fn filled(&self, fill: Fill<'_, '_>) -> Option<Entry> {
        let mut entry = self.empty()?;
        fill(&mut entry).then_some(entry)
    }
}

impl Storage {
    /// The values of maps are there even if no entry says so.
    fn set_default(&mut self, field: &FieldTable, of: &TableRef) {
        match self {
            Self::Bool(value) => *value = Some(false),
            Self::I32(value) => *value = Some(0),
            Self::I64(value) => *value = Some(0),
            Self::U32(value) => *value = Some(0),
            Self::U64(value) => *value = Some(0),
            Self::F32(value) => *value = Some(0.0),
            Self::F64(value) => *value = Some(0.0),
            Self::String(value) => *value = Some(SharedString::default()),
            Self::Bytes(value) => *value = Some(Bytes::new()),
            Self::Enum(value) => *value = Some(field.enum_table(of).map_or(0, |e| e.default_number())),
            Self::Message(place) => {
                MessageSlot::get_or_insert(&mut **place);
            }
            _ => {}
        }
    }
}

impl<'a> MapSlot<'a> for DynamicMap {
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        if let Some(entry) = self.filled(fill) {
            self.entries.insert(entry.key, entry.value);
        }
    }

    fn merge_entry(
        &mut self,
        entry: &TableRef,
        buf: &'a [u8],
        pos: usize,
        cx: &mut Context<'_>,
    ) -> Result<bool, DecodeError> {
        let Some(mut slots) = self.empty() else { return Ok(false) };
        let known = crate::decode::merge_entry(&mut slots, entry, buf, pos, cx)?;
        if known {
            self.entries.insert(slots.key, slots.value);
        }
        Ok(known)
    }

    fn clear(&mut self) {
        self.entries.clear();
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        self.filled(fill).is_some_and(|entry| self.entries.remove(&entry.key).is_some())
    }

    fn size(&self) -> usize {
        2 * size_of::<(MapKey, Storage)>()
    }
}

impl MapRef for DynamicMap {
    fn len(&self) -> usize {
        self.entries.len()
    }

    fn for_each<'s>(&'s self, _: bool, visit: Visit<'_, 's>) {
        for (key, value) in &self.entries {
            if !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}
