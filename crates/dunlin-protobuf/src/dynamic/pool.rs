use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::sync::Arc;
use alloc::vec::Vec;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::descriptor::{FieldPresence, FileDescriptorSet, Type, Utf8Validation};
use crate::pool::{
    DescriptorPool, EnumId, EnumView, FieldKind, FieldView, MessageId, MessageView, PoolErrors,
};
use crate::table::{
    Child, DefaultValue, EnumTable, EnumValue, FieldTable, Kind, MessageTable, NameIndex, Shape, TableRef,
    WellKnown, is_plain, wire_entry,
};

/// The types of a [`DescriptorPool`], ready for dynamic messages.
#[derive(Debug)]
pub struct DynamicPool {
    pool: DescriptorPool,
    messages: Vec<MessageTable>,
    enums: Vec<EnumTable>,
    by_name: HashMap<String, u32, RandomState>,
    /// By extended message and number.
    extensions: HashMap<(u32, u32), FieldTable, RandomState>,
    extension_names: HashMap<String, (u32, u32), RandomState>,
}

/// Fields are found by a hash table from this many on.
const INDEXED: usize = 8;

impl DynamicPool {
    /// Links the files of a descriptor set.
    ///
    /// # Errors
    /// All faults of all files, if any file breaks a rule of the language.
    pub fn from_file_descriptor_set(set: FileDescriptorSet) -> Result<Arc<Self>, PoolErrors> {
        Ok(Self::new(DescriptorPool::from_file_descriptor_set(set)?))
    }

    /// Makes the tables of a pool whose files were checked.
    pub fn new(pool: DescriptorPool) -> Arc<Self> {
        let mut maker = Maker::new(&pool);
        let messages: Vec<_> = maker.message_views.iter().map(|view| maker.message(*view)).collect();
        let enums = maker.enum_views.iter().map(|view| enum_table(*view)).collect();
        let mut extensions = HashMap::with_hasher(RandomState::default());
        let mut extension_names = HashMap::with_hasher(RandomState::default());
        for field in pool.files().flat_map(|file| file.fields()).filter(FieldView::is_extension) {
            let Some(of) = field.containing_message().and_then(|m| maker.messages.get(&m.id()).copied())
            else {
                continue;
            };
            let table = maker.field(field);
            extension_names.insert(field.full_name(), (of, table.number));
            extensions.insert((of, table.number), table);
        }
        let by_name = messages
            .iter()
            .enumerate()
            .map(|(index, table)| (table.full_name.to_string(), index as u32))
            .collect();
        let required = maker.required(&messages);
        drop(core::mem::take(&mut maker.messages));
        let mut made =
            Self { messages, enums, by_name, extensions, extension_names, pool: DescriptorPool::default() };
        for (table, required) in made.messages.iter_mut().zip(required) {
            table.has_required = required;
        }
        drop(maker);
        made.pool = pool;
        Arc::new(made)
    }

    /// The pool that the types come from.
    pub fn descriptors(&self) -> &DescriptorPool {
        &self.pool
    }

    /// The type with this full name, without a leading dot.
    pub fn message(self: &Arc<Self>, full_name: &str) -> Option<TableRef> {
        let &index = self.by_name.get(full_name)?;
        Some(TableRef::Pool(self.clone(), index))
    }

    /// All message types, those of map entries included.
    pub fn messages(self: &Arc<Self>) -> impl Iterator<Item = TableRef> + '_ {
        (0..self.messages.len() as u32).map(|index| TableRef::Pool(self.clone(), index))
    }

    /// What describes the extension of a message with this number.
    pub fn extension_table(&self, message: &str, number: u32) -> Option<&FieldTable> {
        self.extension(message, number)
    }

    /// The extension of a message with this number.
    pub(crate) fn extension(&self, message: &str, number: u32) -> Option<&FieldTable> {
        self.extensions.get(&(*self.by_name.get(message)?, number))
    }

    /// The extension with this full name, and the name of the message that it extends.
    pub(crate) fn extension_by_name(&self, full_name: &str) -> Option<(&str, &FieldTable)> {
        let key = self.extension_names.get(full_name)?;
        Some((self.messages[key.0 as usize].full_name(), self.extensions.get(key)?))
    }

    /// The numbers of the extensions of `message` that are declared inside `scope`.
    pub(crate) fn extensions_within<'p>(
        &'p self,
        message: &'p str,
        scope: &'p str,
    ) -> impl Iterator<Item = u32> + 'p {
        let extended = self.by_name.get(message).copied();
        let of_message = self.extension_names.iter().filter(move |(_, (of, _))| Some(*of) == extended);
        of_message.filter(move |(name, _)| is_within(name, scope)).map(|(_, (_, number))| *number)
    }

    /// Whether a table is one of this pool's.
    pub(crate) fn has(&self, table: &MessageTable) -> bool {
        self.messages.as_ptr_range().contains(&core::ptr::from_ref(table))
    }

    pub(crate) fn message_table(&self, index: u32) -> &MessageTable {
        &self.messages[index as usize]
    }

    pub(crate) fn enum_table(&self, index: u32) -> Option<&EnumTable> {
        self.enums.get(index as usize)
    }
}

/// True if `name` is declared right inside `scope`.
pub(crate) fn is_within(name: &str, scope: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(parent, _)| parent == scope)
}

struct Maker<'p> {
    message_views: Vec<MessageView<'p>>,
    enum_views: Vec<EnumView<'p>>,
    messages: HashMap<MessageId, u32, RandomState>,
    enums: HashMap<EnumId, u32, RandomState>,
}

impl<'p> Maker<'p> {
    fn new(pool: &'p DescriptorPool) -> Self {
        let message_views: Vec<_> = pool.files().flat_map(|file| file.messages()).collect();
        let enum_views: Vec<_> = pool.files().flat_map(|file| file.enums()).collect();
        let messages =
            message_views.iter().enumerate().map(|(index, view)| (view.id(), index as u32)).collect();
        let enums = enum_views.iter().enumerate().map(|(index, view)| (view.id(), index as u32)).collect();
        Self { message_views, enum_views, messages, enums }
    }

    fn message(&self, view: MessageView<'p>) -> MessageTable {
        let mut views: Vec<_> = view.fields().collect();
        views.sort_by_key(FieldView::number);
        let mut oneofs: Vec<(u32, Cow<'static, str>)> = Vec::new();
        let mut fields = Vec::with_capacity(views.len());
        for field in views {
            let mut table = self.field(field);
            if let Some((oneof, name)) = field.oneof() {
                let position = oneofs.iter().position(|(id, _)| *id == oneof).unwrap_or_else(|| {
                    oneofs.push((oneof, Cow::Owned(name.to_string())));
                    oneofs.len() - 1
                });
                table.shape = Shape::Oneof(position as u16);
            }
            if view.is_map_entry() {
                table.shape = Shape::Explicit;
            }
            fields.push(table);
        }
        let mut by_name = HashMap::with_hasher(RandomState::default());
        if fields.len() >= INDEXED {
            // JSON names win over names.
            for (index, field) in fields.iter().enumerate() {
                by_name.insert(field.name.to_string(), index as u32);
            }
            for (index, field) in fields.iter().enumerate() {
                by_name.insert(field.json_name.to_string(), index as u32);
            }
        }
        let full_name = view.full_name();
        MessageTable {
            well_known: WellKnown::of(&full_name),
            full_name: Cow::Owned(full_name),
            wire: fields.iter().map(wire_entry).collect(),
            requires: crate::table::requires(&fields),
            by_name: NameIndex((fields.len() >= INDEXED).then(|| Arc::new(by_name))),
            fields: Cow::Owned(fields),
            oneofs: oneofs.into_iter().map(|(_, name)| name).collect(),
            extension_ranges: view.extension_ranges().collect(),
            reserved_names: view.reserved_names().map(|name| Cow::Owned(name.to_string())).collect(),
            message_set: view.is_message_set(),
            map_entry: view.is_map_entry(),
            has_required: false,
        }
    }

    /// Which messages have required fields, here or below: carried upwards until nothing changes.
    fn required(&self, tables: &[MessageTable]) -> Vec<bool> {
        let mut users: Vec<Vec<u32>> = alloc::vec![Vec::new(); tables.len()];
        let mut required = alloc::vec![false; tables.len()];
        let mut queue = Vec::new();
        for (index, table) in tables.iter().enumerate() {
            for field in table.fields() {
                if let Child::PoolMessage(child) = field.child {
                    users[child as usize].push(index as u32);
                }
                if field.shape == Shape::Required && !required[index] {
                    required[index] = true;
                    queue.push(index as u32);
                }
            }
        }
        while let Some(index) = queue.pop() {
            for &user in &users[index as usize] {
                if !required[user as usize] {
                    required[user as usize] = true;
                    queue.push(user);
                }
            }
        }
        required
    }

    fn field(&self, view: FieldView<'p>) -> FieldTable {
        let (kind, child) = match view.kind() {
            FieldKind::Message(message) => (
                if view.is_delimited() { Kind::Group } else { Kind::Message },
                self.messages.get(&message.id()).map_or(Child::None, |&index| Child::PoolMessage(index)),
            ),
            FieldKind::Enum(e) => {
                (Kind::Enum, self.enums.get(&e.id()).map_or(Child::None, |&index| Child::PoolEnum(index)))
            }
            FieldKind::Scalar(ty) => (scalar_kind(ty), Child::None),
            FieldKind::Unresolved => (Kind::Bytes, Child::None),
        };
        let shape = if view.is_map() {
            Shape::Map
        } else if view.is_packed() {
            Shape::Packed
        } else if view.is_repeated() {
            Shape::Repeated
        } else if view.features().field_presence == FieldPresence::LEGACY_REQUIRED {
            Shape::Required
        } else if view.has_presence() {
            Shape::Explicit
        } else {
            Shape::Implicit
        };
        let name = if view.is_extension() { view.full_name() } else { view.name().to_string() };
        FieldTable {
            number: view.number(),
            kind,
            shape,
            unchecked: kind == Kind::String && view.features().utf8_validation == Utf8Validation::NONE,
            group_like: view.is_group_like(),
            redacted: view.is_debug_redact(),
            extension: view.is_extension(),
            plain_json_name: !view.is_extension() && is_plain(&view.json_name()),
            child,
            json_name: Cow::Owned(if view.is_extension() {
                name.clone()
            } else {
                view.json_name().to_string()
            }),
            name: Cow::Owned(name),
            default: view.default_value(),
        }
    }
}

pub(crate) fn scalar_kind(ty: Type) -> Kind {
    match ty {
        Type::TYPE_DOUBLE => Kind::Double,
        Type::TYPE_FLOAT => Kind::Float,
        Type::TYPE_INT64 => Kind::Int64,
        Type::TYPE_UINT64 => Kind::Uint64,
        Type::TYPE_INT32 => Kind::Int32,
        Type::TYPE_FIXED64 => Kind::Fixed64,
        Type::TYPE_FIXED32 => Kind::Fixed32,
        Type::TYPE_BOOL => Kind::Bool,
        Type::TYPE_STRING => Kind::String,
        Type::TYPE_GROUP => Kind::Group,
        Type::TYPE_MESSAGE => Kind::Message,
        Type::TYPE_UINT32 => Kind::Uint32,
        Type::TYPE_ENUM => Kind::Enum,
        Type::TYPE_SFIXED32 => Kind::Sfixed32,
        Type::TYPE_SFIXED64 => Kind::Sfixed64,
        Type::TYPE_SINT32 => Kind::Sint32,
        Type::TYPE_SINT64 => Kind::Sint64,
        _ => Kind::Bytes,
    }
}

fn enum_table(view: EnumView<'_>) -> EnumTable {
    let values: Vec<_> = view
        .values()
        .map(|value| EnumValue {
            number: value.number(),
            name: Cow::Owned(value.name().to_string()),
            json_name: value.json_name().map(Cow::Owned),
        })
        .collect();
    let (ascending, consecutive) = crate::table::order(&values);
    let mut by_number: Vec<u32> = (0..values.len() as u32).collect();
    by_number.sort_by_key(|&index| values[index as usize].number);
    by_number.dedup_by_key(|index| values[*index as usize].number);
    let by_name =
        values.iter().enumerate().map(|(index, value)| (value.name.to_string(), index as u32)).collect();
    EnumTable {
        full_name: Cow::Owned(view.full_name()),
        closed: view.is_closed(),
        values: Cow::Owned(values),
        ascending,
        consecutive,
        by_number,
        by_name: NameIndex(Some(Arc::new(by_name))),
    }
}

impl DefaultValue {
    /// Reads a default as descriptors have it.
    pub(crate) fn parse(kind: &FieldKind<'_>, text: &[u8]) -> Option<Self> {
        let words = core::str::from_utf8(text).ok();
        Some(match kind {
            FieldKind::Enum(e) => Self::Enum(e.value(words?)?.number()),
            FieldKind::Scalar(ty) => match *ty {
                Type::TYPE_BOOL => Self::Bool(words? == "true"),
                Type::TYPE_INT32 | Type::TYPE_SINT32 | Type::TYPE_SFIXED32 => Self::I32(words?.parse().ok()?),
                Type::TYPE_INT64 | Type::TYPE_SINT64 | Type::TYPE_SFIXED64 => Self::I64(words?.parse().ok()?),
                Type::TYPE_UINT32 | Type::TYPE_FIXED32 => Self::U32(words?.parse().ok()?),
                Type::TYPE_UINT64 | Type::TYPE_FIXED64 => Self::U64(words?.parse().ok()?),
                Type::TYPE_FLOAT => Self::F32(words?.parse().ok()?),
                Type::TYPE_DOUBLE => Self::F64(words?.parse().ok()?),
                Type::TYPE_STRING => match words {
                    Some(text) => Self::String(Cow::Owned(text.to_string())),
                    None => Self::Bytes(Cow::Owned(text.to_vec())),
                },
                Type::TYPE_BYTES => Self::Bytes(Cow::Owned(unescape(text))),
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// The default of a `bytes` field is C-escaped in descriptors.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let (b'\\', Some((&escape, after))) = (byte, rest.split_first()) else {
            out.push(byte);
            continue;
        };
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'0'..=b'7' => {
                let mut value = u32::from(escape - b'0');
                for _ in 0..2 {
                    if let Some((&digit @ b'0'..=b'7', after)) = rest.split_first() {
                        value = value * 8 + u32::from(digit - b'0');
                        rest = after;
                    }
                }
                out.push(value as u8);
            }
            other => out.push(other),
        }
    }
    out
}
