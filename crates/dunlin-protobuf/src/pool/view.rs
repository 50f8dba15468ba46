//! Reading a pool.

use alloc::borrow::Cow;
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::symbols::SymbolId;
use super::table::{Enum, EnumValue, Field, File, Message, Target};
use super::{DescriptorPool, EnumId, FieldId, FileId, MessageId};
use crate::descriptor::{
    DescriptorProto, Edition, EnumDescriptorProto, EnumType, EnumValueDescriptorProto, FeatureSupport,
    FieldDescriptorProto, FieldPresence, FileDescriptorProto, Label, Location, MessageEncoding,
    RepeatedFieldEncoding, Type,
};
use crate::names::json_name;
use crate::pool::Features;
use crate::table::DefaultValue;
use crate::wire::WireType;

/// The extension `pb.enumvalue.json` of `EnumValueOptions`.
const ENUM_VALUE_JSON: u32 = 998;

/// A file of a pool.
#[derive(Clone, Copy, Debug)]
pub struct FileView<'p> {
    pub(crate) pool: &'p DescriptorPool,
    pub(crate) id: FileId,
}

/// A message type of a pool.
#[derive(Clone, Copy, Debug)]
pub struct MessageView<'p> {
    pool: &'p DescriptorPool,
    id: MessageId,
}

/// An enum type of a pool.
#[derive(Clone, Copy, Debug)]
pub struct EnumView<'p> {
    pool: &'p DescriptorPool,
    id: EnumId,
}

/// A value of an enum.
#[derive(Clone, Copy, Debug)]
pub struct ValueView<'p> {
    pool: &'p DescriptorPool,
    file: FileId,
    index: u32,
}

/// A field or an extension of a pool.
#[derive(Clone, Copy, Debug)]
pub struct FieldView<'p> {
    pool: &'p DescriptorPool,
    id: FieldId,
}

/// The type of a field.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind<'p> {
    /// A number, a boolean, a string or bytes.
    Scalar(Type),
    /// An enum.
    Enum(EnumView<'p>),
    /// A message or a group.
    Message(MessageView<'p>),
    /// Nothing: the type's name could not be resolved.
    Unresolved,
}

impl DescriptorPool {
    /// All files, in the order in which they were added.
    pub fn files(&self) -> impl Iterator<Item = FileView<'_>> {
        (0..self.files.len() as u32).map(|index| self.file(FileId(index)))
    }

    /// A file of this pool.
    pub fn file(&self, id: FileId) -> FileView<'_> {
        FileView { pool: self, id }
    }

    /// The message type with this full name, without a leading dot.
    pub fn message(&self, full_name: &str) -> Option<MessageView<'_>> {
        let symbol = self.symbol(full_name)?;
        match self.symbol_ref(symbol) {
            super::SymbolRef::Message(id) => Some(self.message_by_id(id)),
            _ => None,
        }
    }

    /// The enum type with this full name, without a leading dot.
    pub fn enumeration(&self, full_name: &str) -> Option<EnumView<'_>> {
        let symbol = self.symbol(full_name)?;
        match self.symbol_ref(symbol) {
            super::SymbolRef::Enum(id) => Some(EnumView { pool: self, id }),
            _ => None,
        }
    }

    /// The message of `file` at a descriptor path such as `[4, 0, 3, 1]`.
    pub fn message_at(&self, file: FileId, path: &[i32]) -> Option<MessageId> {
        let tables = self.tables(file);
        let mut steps = path.chunks_exact(2);
        let step = |span: &super::table::Span, pair: &[i32], field: i32| {
            let index = u32::try_from(pair[1]).ok()?;
            (pair[0] == field && index < span.end - span.start).then_some(span.start + index)
        };
        let mut at = step(&tables.top.messages, steps.next()?, 4)?;
        for pair in steps {
            at = step(&tables.messages[at as usize].members.messages, pair, 3)?;
        }
        Some(MessageId { file, index: at })
    }

    /// The message type of an id of this pool.
    pub fn message_by_id(&self, id: MessageId) -> MessageView<'_> {
        MessageView { pool: self, id }
    }

    /// The field of an id of this pool.
    pub fn field_by_id(&self, id: FieldId) -> FieldView<'_> {
        FieldView { pool: self, id }
    }

    fn symbol(&self, full_name: &str) -> Option<SymbolId> {
        full_name
            .split('.')
            .try_fold(SymbolId::ROOT, |scope, part| self.symbols.find(&self.files, scope, part))
    }

    pub(crate) fn message_name(&self, id: MessageId) -> String {
        self.symbols.full_name(&self.files, self.files[id.file.index()].messages[id.index as usize].symbol)
    }

    pub(crate) fn enum_name(&self, id: EnumId) -> String {
        self.symbols.full_name(&self.files, self.files[id.file.index()].enums[id.index as usize].symbol)
    }

    pub(crate) fn field_name(&self, id: FieldId) -> String {
        self.symbols.full_name(&self.files, self.files[id.file.index()].fields[id.index as usize].symbol)
    }
}

impl<'p> FileView<'p> {
    fn tables(&self) -> &'p File {
        self.pool.tables(self.id)
    }

    /// The id within the pool.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The path under which the file is imported.
    pub fn path(&self) -> &'p str {
        &self.tables().path
    }

    /// The package, empty if there is none.
    pub fn package(&self) -> &'p str {
        self.tables().package()
    }

    /// The edition; proto2 and proto3 have numbers of their own.
    pub fn edition(&self) -> Edition {
        self.tables().edition
    }

    /// The features that hold at the top of the file.
    pub fn features(&self) -> Features {
        self.tables().features
    }

    /// The imported files that were found: path, and whether it is an `import option`.
    pub fn imports(&self) -> impl Iterator<Item = (FileId, bool)> + use<'p> {
        self.tables().dependencies.iter().filter_map(|d| d.file.map(|file| (file, d.option)))
    }

    /// True if the file imports others publicly.
    pub fn has_public_imports(&self) -> bool {
        self.tables().dependencies.iter().any(|d| d.public)
    }

    /// All messages of the file, parents before children.
    pub fn messages(&self) -> impl Iterator<Item = MessageView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id);
        (0..self.tables().messages.len() as u32)
            .map(move |index| pool.message_by_id(pool.files[file.index()].message_id(file, index)))
    }

    /// All fields and extensions of the file: the file's extensions, then per message its fields
    /// and its extensions.
    pub fn fields(&self) -> impl Iterator<Item = FieldView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id);
        (0..self.tables().fields.len() as u32).map(move |index| pool.field_by_id(FieldId { file, index }))
    }

    /// All enums of the file.
    pub fn enums(&self) -> impl Iterator<Item = EnumView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id);
        (0..self.tables().enums.len() as u32).map(move |index| EnumView { pool, id: EnumId { file, index } })
    }

    /// The descriptor, with options and comments; kept only by pools that were made by
    /// [`DescriptorPool::from_file_descriptor_set`].
    pub fn proto(&self) -> Option<&'p FileDescriptorProto> {
        self.pool.protos.get(self.id.index()).map(|proto| &**proto)
    }

    /// The comments and the place of the element at a descriptor path, if the descriptor has
    /// source info.
    pub fn location(&self, path: &[i32]) -> Option<&'p Location> {
        let info = self.proto()?.source_code_info.as_deref()?;
        info.location.iter().find(|location| location.path == path)
    }

    /// Input and output of every method, in the order of declaration.
    pub fn methods(
        &self,
    ) -> impl Iterator<Item = (Option<MessageView<'p>>, Option<MessageView<'p>>)> + use<'p> {
        let pool = self.pool;
        self.tables().methods.iter().map(move |m| {
            (m.input.map(|id| pool.message_by_id(id)), m.output.map(|id| pool.message_by_id(id)))
        })
    }
}

/// Equal is what is the same message of the same pool.
impl PartialEq for MessageView<'_> {
    fn eq(&self, other: &Self) -> bool {
        core::ptr::eq(self.pool, other.pool) && self.id == other.id
    }
}

impl Eq for MessageView<'_> {}

impl<'p> MessageView<'p> {
    fn entry(&self) -> &'p Message {
        &self.pool.tables(self.id.file).messages[self.id.index as usize]
    }

    /// The pool that the message is in.
    pub fn pool(&self) -> &'p DescriptorPool {
        self.pool
    }

    /// The id within the pool; messages of different pools may have the same, and are told apart
    /// by comparing the views.
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// The file that declares it.
    pub fn file(&self) -> FileView<'p> {
        self.pool.file(self.id.file)
    }

    /// The name, without package and enclosing messages.
    pub fn name(&self) -> &'p str {
        self.pool.tables(self.id.file).text(self.entry().name)
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> String {
        self.pool.message_name(self.id)
    }

    /// The enclosing message.
    pub fn parent(&self) -> Option<Self> {
        let index = self.entry().parent?;
        Some(Self { pool: self.pool, id: MessageId { file: self.id.file, index } })
    }

    /// The descriptor; see [`FileView::proto`].
    pub fn proto(&self) -> Option<&'p DescriptorProto> {
        let entry = self.entry();
        match self.parent() {
            Some(parent) => parent.proto()?.nested_type.get(entry.index as usize),
            None => self.file().proto()?.message_type.get(entry.index as usize),
        }
    }

    /// The path of the descriptor in its file, as source info has it.
    pub fn path(&self) -> Vec<i32> {
        let (mut path, step) = match self.parent() {
            Some(parent) => (parent.path(), 3),
            None => (Vec::new(), 4),
        };
        path.extend([step, self.entry().index as i32]);
        path
    }

    /// The ranges of extension numbers, first and last.
    pub fn extension_ranges(&self) -> impl Iterator<Item = (u32, u32)> + use<'p> {
        self.entry().extension_ranges.iter().map(|range| (range.start as u32, range.end as u32 - 1))
    }

    /// The reserved field names.
    pub fn reserved_names(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        let tables = self.pool.tables(self.id.file);
        self.entry().reserved_names.iter().map(|&name| tables.text(name))
    }

    /// The enums that are declared inside this message.
    pub fn declared_enums(&self) -> impl Iterator<Item = EnumView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id.file);
        self.entry().members.enums.clone().map(move |index| EnumView { pool, id: EnumId { file, index } })
    }

    /// The messages that are declared inside this message.
    pub fn declared_messages(&self) -> impl Iterator<Item = MessageView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id.file);
        self.entry().members.messages.clone().map(move |index| pool.message_by_id(MessageId { file, index }))
    }

    /// True for the entry of a map field.
    pub fn is_map_entry(&self) -> bool {
        self.entry().map_entry
    }

    /// True for a `message_set_wire_format` message.
    pub fn is_message_set(&self) -> bool {
        self.entry().message_set
    }

    /// The fields, in the order of declaration.
    pub fn fields(&self) -> impl Iterator<Item = FieldView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id.file);
        self.entry().fields.clone().map(move |index| pool.field_by_id(FieldId { file, index }))
    }

    /// The field with this name.
    pub fn field(&self, name: &str) -> Option<FieldView<'p>> {
        let pool = self.pool;
        let symbol = pool.symbols.find(&pool.files, self.entry().symbol, name)?;
        match pool.symbol_ref(symbol) {
            super::SymbolRef::Field(id) if !pool.field_by_id(id).entry().is_extension => {
                Some(pool.field_by_id(id))
            }
            _ => None,
        }
    }

    /// The field or the known extension with this number.
    pub fn field_or_extension(&self, number: u32) -> Option<FieldView<'p>> {
        let number = i32::try_from(number).ok()?;
        let tables = self.pool.tables(self.id.file);
        let Message { fields, by_number, .. } = self.entry();
        let found = if by_number.is_empty() {
            let entries = &tables.fields[fields.start as usize..fields.end as usize];
            entries.binary_search_by_key(&number, |f| f.number).ok().map(|i| fields.start + i as u32)
        } else {
            let key = |&index: &u32| tables.fields[index as usize].number;
            by_number.binary_search_by_key(&number, key).ok().map(|i| by_number[i])
        };
        match found {
            Some(index) => Some(self.pool.field_by_id(FieldId { file: self.id.file, index })),
            None => self.pool.extensions.get(&(self.id, number)).map(|&id| self.pool.field_by_id(id)),
        }
    }

    /// The extensions that are declared inside this message.
    pub fn declared_extensions(&self) -> impl Iterator<Item = FieldView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id.file);
        self.entry().members.extensions.clone().map(move |index| pool.field_by_id(FieldId { file, index }))
    }

    /// True if `name` is reserved.
    pub fn is_reserved_name(&self, name: &str) -> bool {
        let tables = self.pool.tables(self.id.file);
        self.entry().reserved_names.iter().any(|&reserved| tables.text(reserved) == name)
    }
}

impl<'p> EnumView<'p> {
    /// The id within the pool.
    pub fn id(&self) -> EnumId {
        self.id
    }

    /// The enclosing message.
    pub fn parent(&self) -> Option<MessageView<'p>> {
        let index = self.entry().parent?;
        Some(self.pool.message_by_id(MessageId { file: self.id.file, index }))
    }

    /// The descriptor; see [`FileView::proto`].
    pub fn proto(&self) -> Option<&'p EnumDescriptorProto> {
        let entry = self.entry();
        match self.parent() {
            Some(parent) => parent.proto()?.enum_type.get(entry.index as usize),
            None => self.file().proto()?.enum_type.get(entry.index as usize),
        }
    }

    /// The path of the descriptor in its file, as source info has it.
    pub fn path(&self) -> Vec<i32> {
        let (mut path, step) = match self.parent() {
            Some(parent) => (parent.path(), 4),
            None => (Vec::new(), 5),
        };
        path.extend([step, self.entry().index as i32]);
        path
    }

    fn entry(&self) -> &'p Enum {
        &self.pool.tables(self.id.file).enums[self.id.index as usize]
    }

    /// The name, without package and enclosing messages.
    pub fn name(&self) -> &'p str {
        self.pool.tables(self.id.file).text(self.entry().name)
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> String {
        self.pool.enum_name(self.id)
    }

    /// The file that declares it.
    pub fn file(&self) -> FileView<'p> {
        self.pool.file(self.id.file)
    }

    /// True if numbers without a name are no values of the enum.
    pub fn is_closed(&self) -> bool {
        self.entry().features.enum_type == EnumType::CLOSED
    }

    /// The values, in the order of declaration.
    pub fn values(&self) -> impl Iterator<Item = ValueView<'p>> + use<'p> {
        let (pool, file) = (self.pool, self.id.file);
        self.entry().values.clone().map(move |index| ValueView { pool, file, index })
    }

    /// The value with this name.
    pub fn value(&self, name: &str) -> Option<ValueView<'p>> {
        let pool = self.pool;
        let scope = pool.symbols.get(self.entry().symbol).parent;
        let symbol = pool.symbols.get(pool.symbols.find(&pool.files, scope, name)?);
        let is_ours = symbol.kind == super::symbols::SymbolKind::EnumValue
            && symbol.file == self.id.file
            && self.entry().values.contains(&symbol.index);
        is_ours.then_some(ValueView { pool, file: symbol.file, index: symbol.index })
    }

    /// The first value with this number.
    pub fn value_by_number(&self, number: i32) -> Option<ValueView<'p>> {
        self.values().find(|value| value.number() == number)
    }
}

impl<'p> ValueView<'p> {
    fn entry(&self) -> &'p EnumValue {
        &self.pool.tables(self.file).values[self.index as usize]
    }

    /// The name.
    pub fn name(&self) -> &'p str {
        self.pool.tables(self.file).text(self.entry().name)
    }

    /// The full name: enum values are siblings of their enum.
    pub fn full_name(&self) -> String {
        self.pool.symbols.full_name(&self.pool.files, self.entry().symbol)
    }

    /// The number.
    pub fn number(&self) -> i32 {
        self.entry().number
    }

    /// The descriptor; see [`FileView::proto`].
    pub fn proto(&self) -> Option<&'p EnumValueDescriptorProto> {
        let entry = self.entry();
        let id = EnumId { file: self.file, index: entry.parent };
        EnumView { pool: self.pool, id }.proto()?.value.get(entry.index as usize)
    }

    /// The string that JSON has for the value by `(pb.enumvalue.json).string`, if it has one.
    pub fn json_name(&self) -> Option<String> {
        let options = self.proto()?.options.as_deref()?;
        let mut reader = options.unknown_fields.reader();
        let mut found = None;
        while let Ok(Some(tag)) = reader.tag() {
            if (tag.number, tag.wire_type) != (ENUM_VALUE_JSON, WireType::Len) {
                reader.skip(tag).ok()?;
                continue;
            }
            let mut json = reader.message().ok()?;
            while let Ok(Some(tag)) = json.tag() {
                if (tag.number, tag.wire_type) == (1, WireType::Len) {
                    found = Some(json.string(1).ok()?.to_owned());
                } else {
                    json.skip(tag).ok()?;
                }
            }
        }
        found
    }

    /// True if fields with an option of this value are to be redacted.
    pub fn is_debug_redact(&self) -> bool {
        self.entry().debug_redact
    }

    /// The editions in which the value may be used.
    pub fn feature_support(&self) -> Option<&'p FeatureSupport> {
        self.entry().support.as_deref()
    }
}

impl<'p> FieldView<'p> {
    /// The pool that the field is in.
    pub fn pool(&self) -> &'p DescriptorPool {
        self.pool
    }

    pub(crate) fn entry(&self) -> &'p Field {
        &self.pool.tables(self.id.file).fields[self.id.index as usize]
    }

    /// The id within the pool.
    pub fn id(&self) -> FieldId {
        self.id
    }

    /// The file that declares it.
    pub fn file(&self) -> FileView<'p> {
        self.pool.file(self.id.file)
    }

    /// The name.
    pub fn name(&self) -> &'p str {
        self.pool.tables(self.id.file).text(self.entry().name)
    }

    /// The full name, without a leading dot.
    pub fn full_name(&self) -> String {
        self.pool.field_name(self.id)
    }

    /// The field number.
    pub fn number(&self) -> u32 {
        self.entry().number.max(0) as u32
    }

    /// True for an extension.
    pub fn is_extension(&self) -> bool {
        self.entry().is_extension
    }

    /// The message that has the field; of an extension, the extended one.
    pub fn containing_message(&self) -> Option<MessageView<'p>> {
        let entry = self.entry();
        if entry.is_extension {
            return entry.extendee.map(|id| self.pool.message_by_id(id));
        }
        let index = entry.parent?;
        Some(self.pool.message_by_id(MessageId { file: self.id.file, index }))
    }

    /// The message around the declaration of an extension.
    pub fn extension_scope(&self) -> Option<MessageView<'p>> {
        let index = self.entry().parent?;
        Some(self.pool.message_by_id(MessageId { file: self.id.file, index }))
    }

    /// The oneof that the field belongs to, as an index that is unique within the file, unless it
    /// only stands for presence.
    pub fn oneof(&self) -> Option<(u32, &'p str)> {
        let index = self.entry().oneof?;
        let tables = self.pool.tables(self.id.file);
        let oneof = &tables.oneofs[index as usize];
        (!oneof.synthetic).then(|| (index, tables.text(oneof.name)))
    }

    /// The type.
    pub fn kind(&self) -> FieldKind<'p> {
        let pool = self.pool;
        match (self.entry().target, self.entry().ty) {
            (Target::Message(id), _) => FieldKind::Message(pool.message_by_id(id)),
            (Target::Enum(id), _) => FieldKind::Enum(EnumView { pool, id }),
            (Target::None, Type(0) | Type::TYPE_MESSAGE | Type::TYPE_GROUP | Type::TYPE_ENUM) => {
                FieldKind::Unresolved
            }
            (Target::None, ty) => FieldKind::Scalar(ty),
        }
    }

    /// The type as the descriptor names it; messages of any encoding are `TYPE_MESSAGE` except for
    /// proto2 groups.
    pub fn declared_type(&self) -> Type {
        self.entry().ty
    }

    /// The full name of the message or enum type, without a leading dot.
    pub fn type_name(&self) -> Option<String> {
        match self.entry().target {
            Target::Message(id) => Some(self.pool.message_name(id)),
            Target::Enum(id) => Some(self.pool.enum_name(id)),
            Target::None => None,
        }
    }

    /// True for a repeated or map field.
    pub fn is_repeated(&self) -> bool {
        self.entry().label == Label::LABEL_REPEATED
    }

    /// True for a map field, which an extension cannot be.
    pub fn is_map(&self) -> bool {
        self.is_repeated()
            && !self.is_extension()
            && matches!(self.kind(), FieldKind::Message(m) if m.is_map_entry())
    }

    /// True if a message without the field is not valid.
    pub fn is_required(&self) -> bool {
        !self.is_repeated() && self.entry().features.field_presence == FieldPresence::LEGACY_REQUIRED
    }

    /// True if being set is told apart from having the default value.
    pub fn has_presence(&self) -> bool {
        let entry = self.entry();
        !self.is_repeated()
            && (matches!(entry.target, Target::Message(_))
                || entry.is_extension
                || entry.oneof.is_some()
                || entry.features.field_presence != FieldPresence::IMPLICIT)
    }

    /// True for a repeated field of numbers, booleans or enum values.
    pub fn is_packable(&self) -> bool {
        self.is_repeated()
            && match self.kind() {
                FieldKind::Scalar(ty) => !matches!(ty, Type::TYPE_STRING | Type::TYPE_BYTES),
                FieldKind::Enum(_) => true,
                FieldKind::Message(_) | FieldKind::Unresolved => false,
            }
    }

    /// True if the values are written in one run.
    pub fn is_packed(&self) -> bool {
        self.is_packable() && self.entry().features.repeated_field_encoding == RepeatedFieldEncoding::PACKED
    }

    /// True if logs must not show the field.
    pub fn is_debug_redact(&self) -> bool {
        self.entry().traits.debug_redact
    }

    /// True if a message is written between group tags instead of with its length.
    pub fn is_delimited(&self) -> bool {
        let FieldKind::Message(message) = self.kind() else { return false };
        if message.is_map_entry() || self.containing_message().is_some_and(|m| m.is_map_entry()) {
            return false;
        }
        self.entry().features.message_encoding == MessageEncoding::DELIMITED
    }

    /// The wire type of one value.
    pub fn wire_type(&self) -> Option<WireType> {
        Some(match self.kind() {
            FieldKind::Unresolved => return None,
            FieldKind::Enum(_) => WireType::Varint,
            FieldKind::Message(_) if self.is_delimited() => WireType::StartGroup,
            FieldKind::Message(_) => WireType::Len,
            FieldKind::Scalar(ty) => match ty {
                Type::TYPE_DOUBLE | Type::TYPE_FIXED64 | Type::TYPE_SFIXED64 => WireType::I64,
                Type::TYPE_FLOAT | Type::TYPE_FIXED32 | Type::TYPE_SFIXED32 => WireType::I32,
                Type::TYPE_STRING | Type::TYPE_BYTES => WireType::Len,
                _ => WireType::Varint,
            },
        })
    }

    /// True if text and JSON name the field by its type: it is delimited, and named like a type
    /// that is declared right beside it.
    pub fn is_group_like(&self) -> bool {
        let FieldKind::Message(message) = self.kind() else { return false };
        self.is_delimited()
            && self.name() == message.name().to_ascii_lowercase()
            && message.id().file == self.id.file
            && message.parent().map(|m| m.id()) == self.extension_scope().map(|m| m.id())
    }

    /// The descriptor; see [`FileView::proto`].
    pub fn proto(&self) -> Option<&'p FieldDescriptorProto> {
        let entry = self.entry();
        let index = entry.index as usize;
        match (self.extension_scope(), entry.is_extension) {
            (Some(parent), false) => parent.proto()?.field.get(index),
            (Some(parent), true) => parent.proto()?.extension.get(index),
            (None, _) => self.file().proto()?.extension.get(index),
        }
    }

    /// The path of the descriptor in its file, as source info has it.
    pub fn path(&self) -> Vec<i32> {
        let entry = self.entry();
        let (mut path, step) = match (self.extension_scope(), entry.is_extension) {
            (Some(parent), false) => (parent.path(), 2),
            (Some(parent), true) => (parent.path(), 6),
            (None, _) => (Vec::new(), 7),
        };
        path.extend([step, entry.index as i32]);
        path
    }

    /// The name in ProtoJSON.
    pub fn json_name(&self) -> Cow<'p, str> {
        match self.proto().and_then(|proto| proto.json_name.as_deref()) {
            Some(name) => name.into(),
            None => json_name(self.name()).into(),
        }
    }

    /// The default that the schema gives.
    pub fn default_value(&self) -> DefaultValue {
        let text = self.proto().and_then(|proto| proto.default_value.as_deref());
        text.and_then(|text| DefaultValue::parse(&self.kind(), text)).unwrap_or(DefaultValue::None)
    }

    /// The features of the field.
    pub fn features(&self) -> Features {
        self.entry().features
    }

    /// Which kinds of elements the field may be set on when it is an option, as bits by the
    /// numbers of `FieldOptions.OptionTargetType`; 0 allows all.
    pub fn option_targets(&self) -> u16 {
        self.entry().traits.targets
    }

    /// True if the field, as an option, is not kept in what runs.
    pub fn is_source_only(&self) -> bool {
        self.entry().traits.source_only
    }

    /// The editions in which the field may be used as an option.
    pub fn feature_support(&self) -> Option<&'p FeatureSupport> {
        self.entry().traits.support.as_deref()
    }
}
