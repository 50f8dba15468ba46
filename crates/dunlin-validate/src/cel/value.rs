//! Values of expressions. What comes from messages is borrowed from them.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::rc::Rc;

use dunlin_protobuf::Reflect;
use dunlin_protobuf::dynamic::DynamicMessage;
use dunlin_protobuf::reflect::{self, equal};
use dunlin_protobuf::slot::{MapRef, SlotRef};
use dunlin_protobuf::table::{DefaultValue, FieldTable, Kind, Shape};

use super::time::{Instant, Span};

#[derive(Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    Str(&'a str),
    Text(Rc<str>),
    Bytes(&'a [u8]),
    Blob(Rc<[u8]>),
    Duration(Span),
    Timestamp(Instant),
    /// A repeated field.
    Field(SlotRef<'a>),
    List(Rc<Vec<Value<'a>>>),
    Map(Rc<Entries<'a>>),
    Message(&'a dyn Reflect),
    /// A message that was made while evaluating.
    Made(Rc<DynamicMessage>),
    Type(Rc<str>),
}

/// A map's entries in the order of their keys.
pub(crate) struct Entries<'a>(Vec<(Value<'a>, Value<'a>)>);

impl<'a> Entries<'a> {
    /// Sorts entries; `None` if a key comes twice or is of no type that keys have.
    pub(crate) fn new(mut entries: Vec<(Value<'a>, Value<'a>)>) -> Option<Self> {
        if !entries.iter().all(|(key, _)| key.is_key()) {
            return None;
        }
        entries.sort_by(|(a, _), (b, _)| a.key_order(b));
        let repeats = entries.windows(2).any(|pair| pair[0].0.key_order(&pair[1].0) == Ordering::Equal);
        (!repeats).then_some(Self(entries))
    }

    fn of_field(map: &'a dyn MapRef, is_text: bool) -> Self {
        let mut entries = Vec::with_capacity(map.len());
        map.for_each(false, &mut |key, value| {
            entries.push((Value::of_slot(key, || true), Value::of_slot(value, || is_text)));
            true
        });
        entries.sort_by(|(a, _), (b, _)| a.key_order(b));
        Self(entries)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, (Value<'a>, Value<'a>)> {
        self.0.iter()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, key: &Value<'_>) -> Option<&Value<'a>> {
        if !key.is_key() {
            return None;
        }
        let found = self.0.binary_search_by(|(other, _)| other.key_order(key)).ok()?;
        Some(&self.0[found].1)
    }
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: impl Into<Rc<str>>) -> Self {
        Self::Text(text.into())
    }

    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(items))
    }

    /// What a field holds whose schema may say `is_text` of the value, its items or those in its entries: text that
    /// need not be UTF-8 may be held as bytes. What is not UTF-8 is replaced, as in other languages.
    pub(crate) fn of_slot(slot: SlotRef<'a>, is_text: impl Fn() -> bool) -> Self {
        let text = |bytes: &'a [u8]| match String::from_utf8_lossy(bytes) {
            Cow::Borrowed(text) => Self::Str(text),
            Cow::Owned(text) => Self::text(text),
        };
        match slot {
            SlotRef::Bytes(bytes) if is_text() => text(bytes),
            SlotRef::BytesList(_) | SlotRef::ByteVecs(_) | SlotRef::Slices(_) if is_text() => {
                Self::list(slot.byte_slices().unwrap_or_default().into_iter().map(text).collect())
            }
            SlotRef::Map(map) => Self::Map(Rc::new(Entries::of_field(map, is_text()))),
            other => Self::of_item(other),
        }
    }

    /// One value that a field holds, or the whole field if it is a list or a map, where no text is held as bytes.
    pub(crate) fn of_item(slot: SlotRef<'a>) -> Self {
        match slot {
            SlotRef::Absent => Self::Null,
            SlotRef::Bool(value) => Self::Bool(value),
            SlotRef::I32(value) | SlotRef::Enum(value) => Self::Int(value.into()),
            SlotRef::I64(value) => Self::Int(value),
            SlotRef::U32(value) => Self::Uint(value.into()),
            SlotRef::U64(value) => Self::Uint(value),
            SlotRef::F32(value) => Self::Double(value.into()),
            SlotRef::F64(value) => Self::Double(value),
            SlotRef::String(value) => Self::Str(value),
            SlotRef::Bytes(value) => Self::Bytes(value),
            SlotRef::Message(message) => Self::of_message(message),
            SlotRef::Map(map) => Self::Map(Rc::new(Entries::of_field(map, false))),
            list => Self::Field(list),
        }
    }

    /// A message, or what stands for it in expressions.
    pub(crate) fn of_message(message: &'a dyn Reflect) -> Self {
        let table = message.table();
        let Some(name) = table.full_name().strip_prefix("google.protobuf.") else {
            return Self::Message(message);
        };
        let field = |number| table.index_of(number).map(|index| message.slot_ref(index));
        match name {
            "Timestamp" => Self::Timestamp(Instant::of_message(message)),
            "Duration" => Self::Duration(Span::of_message(message)),
            "BoolValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value" | "FloatValue"
            | "DoubleValue" | "StringValue" | "BytesValue" | "Struct" | "ListValue" => {
                field(1).map_or(Self::Null, Self::of_item)
            }
            "Value" => {
                let set = (0..table.fields().len()).find(|index| reflect::is_set(message, *index));
                match set.map(|index| (table.fields()[index].number(), message.slot_ref(index))) {
                    Some((1, _)) | None => Self::Null,
                    Some((_, slot)) => Self::of_item(slot),
                }
            }
            _ => Self::Message(message),
        }
    }

    /// The field of a message: what is set, or what stands for nothing. Messages that are not set
    /// are `None`, unless null stands for them.
    pub(crate) fn of_field(message: &'a dyn Reflect, index: usize, field: &FieldTable) -> Option<Self> {
        match message.slot_ref(index) {
            SlotRef::Absent if field.kind().is_message() => {
                let table = field.message_table(&message.table())?;
                match table.full_name().strip_prefix("google.protobuf.")? {
                    "Timestamp" => Some(Self::Timestamp(Instant::default())),
                    "Duration" => Some(Self::Duration(Span::default())),
                    "BoolValue" | "Int32Value" | "Int64Value" | "UInt32Value" | "UInt64Value"
                    | "FloatValue" | "DoubleValue" | "StringValue" | "BytesValue" | "Value" | "Any" => {
                        Some(Self::Null)
                    }
                    _ => None,
                }
            }
            SlotRef::Absent => Some(Self::default_of(field, message)),
            slot => Some(Self::of_slot(slot, || {
                let item = match field.cardinality() {
                    Shape::Map => field
                        .message_table(&message.table())
                        .and_then(|entry| Some(entry.fields().get(1)?.kind())),
                    _ => Some(field.kind()),
                };
                item == Some(Kind::String)
            })),
        }
    }

    fn default_of(field: &FieldTable, message: &dyn Reflect) -> Self {
        match field.default_value() {
            DefaultValue::Bool(value) => Self::Bool(*value),
            DefaultValue::I32(value) | DefaultValue::Enum(value) => Self::Int((*value).into()),
            DefaultValue::I64(value) => Self::Int(*value),
            DefaultValue::U32(value) => Self::Uint((*value).into()),
            DefaultValue::U64(value) => Self::Uint(*value),
            DefaultValue::F32(value) => Self::Double((*value).into()),
            DefaultValue::F64(value) => Self::Double(*value),
            DefaultValue::String(value) => Self::text(&**value),
            DefaultValue::Bytes(value) if field.kind() == Kind::String => {
                Self::text(String::from_utf8_lossy(value))
            }
            DefaultValue::Bytes(value) => Self::Blob((**value).into()),
            DefaultValue::None => match field.kind() {
                Kind::Bool => Self::Bool(false),
                Kind::Double | Kind::Float => Self::Double(0.0),
                Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64 => Self::Uint(0),
                Kind::String => Self::Str(""),
                Kind::Bytes => Self::Bytes(b""),
                Kind::Enum => {
                    let table = message.table();
                    Self::Int(field.enum_table(&table).map_or(0, |table| table.default_number()).into())
                }
                _ => Self::Int(0),
            },
        }
    }

    /// The same value, borrowing nothing.
    pub(crate) fn to_owned_value(&self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Uint(value) => Value::Uint(*value),
            Self::Double(value) => Value::Double(*value),
            Self::Str(text) => Value::text(*text),
            Self::Text(text) => Value::Text(text.clone()),
            Self::Bytes(bytes) => Value::Blob((*bytes).into()),
            Self::Blob(bytes) => Value::Blob(bytes.clone()),
            Self::Duration(value) => Value::Duration(*value),
            Self::Timestamp(value) => Value::Timestamp(*value),
            Self::Field(_) | Self::List(_) => {
                Value::list(self.items().iter().map(|item| item.to_owned_value()).collect())
            }
            Self::Map(entries) => Value::Map(Rc::new(Entries(
                entries.iter().map(|(key, value)| (key.to_owned_value(), value.to_owned_value())).collect(),
            ))),
            Self::Message(message) => {
                let mut made = DynamicMessage::new(message.table());
                reflect::merge(*message, &mut made);
                Value::Made(Rc::new(made))
            }
            Self::Made(message) => Value::Made(message.clone()),
            Self::Type(name) => Value::Type(name.clone()),
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Str(text) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn as_message(&self) -> Option<&dyn Reflect> {
        match self {
            Self::Message(message) => Some(*message),
            Self::Made(message) => Some(&**message),
            _ => None,
        }
    }

    pub(crate) fn is_list(&self) -> bool {
        matches!(self, Self::Field(_) | Self::List(_))
    }

    /// How many items, entries, characters or bytes there are.
    pub(crate) fn size(&self) -> Option<usize> {
        Some(match self {
            Self::Field(slot) => slot_len(*slot),
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            Self::Bytes(_) | Self::Blob(_) => self.as_bytes()?.len(),
            _ => self.as_str()?.chars().count(),
        })
    }

    /// The item of a list.
    pub(crate) fn item(&self, index: usize) -> Option<Self> {
        match self {
            Self::List(items) => items.get(index).cloned(),
            Self::Field(slot) => slot_item(*slot, index),
            _ => None,
        }
    }

    /// All items of a list.
    pub(crate) fn items(&self) -> Cow<'_, [Self]> {
        match self {
            Self::List(items) => Cow::Borrowed(items),
            Self::Field(slot) => {
                Cow::Owned((0..slot_len(*slot)).filter_map(|at| slot_item(*slot, at)).collect())
            }
            _ => Cow::Borrowed(&[]),
        }
    }

    /// The name of the type.
    pub(crate) fn type_name(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::Str(_) | Self::Text(_) => "string",
            Self::Bytes(_) | Self::Blob(_) => "bytes",
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Field(_) | Self::List(_) => "list",
            Self::Map(_) => "map",
            Self::Type(_) => "type",
            Self::Message(message) => return Cow::Owned(message.table().full_name().to_owned()),
            Self::Made(message) => return Cow::Owned(message.table().full_name().to_owned()),
        })
    }

    fn is_key(&self) -> bool {
        match self {
            Self::Bool(_) | Self::Int(_) | Self::Uint(_) | Self::Str(_) | Self::Text(_) => true,
            Self::Double(value) => value.fract() == 0.0,
            _ => false,
        }
    }

    /// An order of keys in which equal ones are those that `==` calls so.
    fn key_order(&self, other: &Value<'_>) -> Ordering {
        let rank = |value: &Value<'_>| match value {
            Value::Bool(_) => 0,
            Value::Int(_) | Value::Uint(_) | Value::Double(_) => 1,
            _ => 2,
        };
        match (self, other) {
            (Self::Bool(a), Value::Bool(b)) => a.cmp(b),
            _ if rank(self) == 1 && rank(other) == 1 => self.number_order(other).unwrap_or(Ordering::Equal),
            _ => rank(self).cmp(&rank(other)).then_with(|| self.as_str().cmp(&other.as_str())),
        }
    }

    /// The order of numbers, whatever their types; `None` with what is not a number.
    pub(crate) fn number_order(&self, other: &Value<'_>) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(a), Value::Int(b)) => Some(a.cmp(b)),
            (Self::Uint(a), Value::Uint(b)) => Some(a.cmp(b)),
            (Self::Int(a), Value::Uint(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Uint(a), Value::Int(b)) => Some(i128::from(*a).cmp(&i128::from(*b))),
            (Self::Double(a), Value::Double(b)) => a.partial_cmp(b),
            (Self::Double(a), Value::Int(b)) => double_order(*a, i128::from(*b)),
            (Self::Double(a), Value::Uint(b)) => double_order(*a, i128::from(*b)),
            (Self::Int(a), Value::Double(b)) => double_order(*b, i128::from(*a)).map(Ordering::reverse),
            (Self::Uint(a), Value::Double(b)) => double_order(*b, i128::from(*a)).map(Ordering::reverse),
            _ => None,
        }
    }

    /// What `==` says; values of types that have nothing in common are not equal.
    pub(crate) fn equals(&self, other: &Value<'_>) -> bool {
        if let (Some(a), Some(b)) = (self.as_str(), other.as_str()) {
            return a == b;
        }
        if let (Some(a), Some(b)) = (self.as_bytes(), other.as_bytes()) {
            return a == b;
        }
        if let (Some(a), Some(b)) = (self.as_message(), other.as_message()) {
            return a.table().full_name() == b.table().full_name() && equal(a, b);
        }
        match (self, other) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(a), Value::Bool(b)) => a == b,
            (Self::Duration(a), Value::Duration(b)) => a == b,
            (Self::Timestamp(a), Value::Timestamp(b)) => a == b,
            (Self::Type(a), Value::Type(b)) => a == b,
            (Self::Map(a), Value::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| value.equals(other)))
            }
            (a, b) if a.is_list() && b.is_list() => {
                let (a, b) = (a.items(), b.items());
                a.len() == b.len() && a.iter().zip(&*b).all(|(a, b)| a.equals(b))
            }
            (a, b) => a.number_order(b) == Some(Ordering::Equal),
        }
    }

    /// The order of two values of one type; `None` where there is none.
    pub(crate) fn order(&self, other: &Value<'_>) -> Option<Ordering> {
        if let (Some(a), Some(b)) = (self.as_str(), other.as_str()) {
            return Some(a.cmp(b));
        }
        if let (Some(a), Some(b)) = (self.as_bytes(), other.as_bytes()) {
            return Some(a.cmp(b));
        }
        match (self, other) {
            (Self::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Value::Duration(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Value::Timestamp(b)) => Some(a.cmp(b)),
            (a, b) => a.number_order(b),
        }
    }

    /// How much there is to look at, for what it may cost.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Str(text) => text.len() / 16,
            Self::Text(text) => text.len() / 16,
            Self::Bytes(bytes) => bytes.len() / 16,
            Self::Blob(bytes) => bytes.len() / 16,
            Self::Field(slot) => slot_len(*slot),
            Self::List(items) => items.len(),
            Self::Map(entries) => entries.len(),
            Self::Message(_) | Self::Made(_) => 16,
            _ => 0,
        }
    }
}

fn double_order(a: f64, b: i128) -> Option<Ordering> {
    if a.is_nan() {
        return None;
    }
    // All 64-bit integers lie in these bounds, in which a double's whole part is exact.
    if a >= 2f64.powi(65) {
        return Some(Ordering::Greater);
    }
    if a <= -2f64.powi(65) {
        return Some(Ordering::Less);
    }
    let whole = a.trunc() as i128;
    Some(whole.cmp(&b).then_with(|| a.fract().partial_cmp(&0.0).unwrap_or(Ordering::Equal)))
}

pub(crate) fn slot_len(slot: SlotRef<'_>) -> usize {
    match slot {
        SlotRef::Bools(values) => values.len(),
        SlotRef::I32s(values) => values.len(),
        SlotRef::I64s(values) => values.len(),
        SlotRef::U32s(values) => values.len(),
        SlotRef::U64s(values) => values.len(),
        SlotRef::F32s(values) => values.len(),
        SlotRef::F64s(values) => values.len(),
        SlotRef::Strings(values) => values.len(),
        SlotRef::SharedList(values) => values.len(),
        SlotRef::Strs(values) => values.len(),
        SlotRef::BytesList(values) => values.len(),
        SlotRef::ByteVecs(values) => values.len(),
        SlotRef::Slices(values) => values.len(),
        SlotRef::Enums(values) => values.len(),
        SlotRef::Messages(values) => values.len(),
        SlotRef::Map(map) => map.len(),
        _ => 0,
    }
}

/// The item of a repeated field, as a singular field would lend it.
pub(crate) fn item_slot(slot: SlotRef<'_>, index: usize) -> Option<SlotRef<'_>> {
    Some(match slot {
        SlotRef::Bools(values) => SlotRef::Bool(*values.get(index)?),
        SlotRef::I32s(values) => SlotRef::I32(*values.get(index)?),
        SlotRef::I64s(values) => SlotRef::I64(*values.get(index)?),
        SlotRef::U32s(values) => SlotRef::U32(*values.get(index)?),
        SlotRef::U64s(values) => SlotRef::U64(*values.get(index)?),
        SlotRef::F32s(values) => SlotRef::F32(*values.get(index)?),
        SlotRef::F64s(values) => SlotRef::F64(*values.get(index)?),
        SlotRef::Strings(values) => SlotRef::String(values.get(index)?),
        SlotRef::SharedList(values) => SlotRef::String(values.get(index)?.as_str()),
        SlotRef::Strs(values) => SlotRef::String(values.get(index)?),
        SlotRef::BytesList(values) => SlotRef::Bytes(values.get(index)?),
        SlotRef::ByteVecs(values) => SlotRef::Bytes(values.get(index)?),
        SlotRef::Slices(values) => SlotRef::Bytes(values.get(index)?),
        SlotRef::Enums(values) => SlotRef::Enum(values.get(index)?),
        SlotRef::Messages(values) => SlotRef::Message(values.get(index)?),
        _ => return None,
    })
}

fn slot_item(slot: SlotRef<'_>, index: usize) -> Option<Value<'_>> {
    item_slot(slot, index).map(Value::of_item)
}
