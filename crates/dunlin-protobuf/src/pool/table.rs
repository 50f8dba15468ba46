//! The tables of one file: every element in a flat array, siblings next to each other.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::fault::Path;
use super::features::Features;
use super::symbols::SymbolId;
use super::{EnumId, FieldId, FileId, MessageId};
use crate::descriptor::{
    DescriptorProto, Edition, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto, Label,
    SymbolVisibility, Type,
};

/// A stretch of a file's name arena.
pub(crate) type Name = (u32, u32);
/// A stretch of one of a file's tables.
pub(crate) type Span = Range<u32>;

#[derive(Clone, Debug, Default)]
pub(crate) struct File {
    pub(crate) path: String,
    /// All names of the file, one after the other.
    names: String,
    pub(crate) package: Name,
    /// The scopes of the package, outermost first, ending with the package itself.
    pub(crate) package_scopes: Vec<SymbolId>,
    pub(crate) edition: Edition,
    pub(crate) dependencies: Vec<Dependency>,
    /// Files whose symbols may be named here: this one, its imports, and what those import
    /// publicly. Sorted.
    pub(crate) visible: Vec<FileId>,
    /// Files that are visible for option names only. Sorted.
    pub(crate) option_visible: Vec<FileId>,
    /// Packages that some visible file is in. Sorted.
    pub(crate) visible_packages: Vec<SymbolId>,

    pub(crate) messages: Vec<Message>,
    /// Fields of messages and extensions.
    pub(crate) fields: Vec<Field>,
    pub(crate) oneofs: Vec<Oneof>,
    pub(crate) enums: Vec<Enum>,
    pub(crate) values: Vec<EnumValue>,
    pub(crate) services: Vec<Service>,
    pub(crate) methods: Vec<Method>,
    pub(crate) top: Members,
    pub(crate) options: FileTraits,
    pub(crate) features: Features,
}

#[derive(Clone, Debug)]
pub(crate) struct Dependency {
    pub(crate) file: Option<FileId>,
    pub(crate) public: bool,
    /// `import option`
    pub(crate) option: bool,
}

/// What a file or a message contains.
#[derive(Clone, Debug, Default)]
pub(crate) struct Members {
    pub(crate) messages: Span,
    pub(crate) enums: Span,
    pub(crate) extensions: Span,
}

/// What the rest of the pool has to know of a file's options.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileTraits {
    pub(crate) lite: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    pub(crate) parent: Option<u32>,
    /// Position among its siblings.
    pub(crate) index: u32,
    pub(crate) depth: u32,
    pub(crate) fields: Span,
    /// The fields by number, where that is not the order of declaration.
    pub(crate) by_number: Vec<u32>,
    pub(crate) oneofs: Span,
    pub(crate) members: Members,
    pub(crate) extension_ranges: Vec<ExtensionRange>,
    pub(crate) reserved_ranges: Vec<(i32, i32)>,
    pub(crate) reserved_names: Vec<Name>,
    pub(crate) visibility: SymbolVisibility,
    pub(crate) map_entry: bool,
    /// Of a map's entry, the map field.
    pub(crate) map_field: Option<u32>,
    pub(crate) message_set: bool,
    pub(crate) features: Features,
}

#[derive(Clone, Debug)]
pub(crate) struct ExtensionRange {
    pub(crate) start: i32,
    /// Exclusive.
    pub(crate) end: i32,
    pub(crate) rules: Option<Arc<crate::descriptor::ExtensionRangeOptions>>,
}

/// The type of a field once names are resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A scalar, or nothing that could be resolved.
    None,
    Message(MessageId),
    Enum(EnumId),
}

#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    /// The message that contains the declaration; `None` is the file.
    pub(crate) parent: Option<u32>,
    pub(crate) is_extension: bool,
    pub(crate) index: u32,
    pub(crate) number: i32,
    pub(crate) label: Label,
    /// Declared, or found by resolving the type's name. 0 while unknown.
    pub(crate) ty: Type,
    pub(crate) target: Target,
    /// Of an extension, the extended message.
    pub(crate) extendee: Option<MessageId>,
    /// The oneof's index in the file's table.
    pub(crate) oneof: Option<u32>,
    pub(crate) proto3_optional: bool,
    /// The field's own `packed`, where it is set.
    pub(crate) packed: Option<bool>,
    pub(crate) traits: FieldTraits,
    /// Features set on the field itself.
    pub(crate) own_features: Features,
    pub(crate) features: Features,
}

/// Options of a field that matter where it is used as an option itself, or shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldTraits {
    /// Bits by number of `OptionTargetType`; 0 allows all.
    pub(crate) targets: u16,
    /// Logs must not show it.
    pub(crate) debug_redact: bool,
    /// `retention = RETENTION_SOURCE`
    pub(crate) source_only: bool,
    pub(crate) support: Option<Arc<crate::descriptor::FeatureSupport>>,
}

#[derive(Clone, Debug)]
pub(crate) struct Oneof {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    pub(crate) parent: u32,
    pub(crate) index: u32,
    pub(crate) field_count: u32,
    pub(crate) first_field: Option<u32>,
    /// Stands for the presence of one proto3 `optional` field.
    pub(crate) synthetic: bool,
    pub(crate) features: Features,
}

#[derive(Clone, Debug)]
pub(crate) struct Enum {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    pub(crate) parent: Option<u32>,
    pub(crate) index: u32,
    pub(crate) values: Span,
    pub(crate) visibility: SymbolVisibility,
    pub(crate) features: Features,
}

#[derive(Clone, Debug)]
pub(crate) struct EnumValue {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    pub(crate) parent: u32,
    pub(crate) index: u32,
    pub(crate) number: i32,
    pub(crate) debug_redact: bool,
    pub(crate) support: Option<Arc<crate::descriptor::FeatureSupport>>,
    pub(crate) features: Features,
}

#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    pub(crate) methods: Span,
    pub(crate) features: Features,
}

#[derive(Clone, Debug)]
pub(crate) struct Method {
    pub(crate) name: Name,
    pub(crate) symbol: SymbolId,
    pub(crate) parent: u32,
    pub(crate) index: u32,
    pub(crate) input: Option<MessageId>,
    pub(crate) output: Option<MessageId>,
    pub(crate) features: Features,
}

impl File {
    pub(crate) fn new(proto: &FileDescriptorProto) -> Self {
        let mut file = Self {
            path: proto.name.clone().unwrap_or_default(),
            edition: edition_of(proto),
            ..Self::default()
        };
        file.package = file.intern(proto.package.as_deref());
        file.top.messages = file.add_messages(&proto.message_type, None, 0);
        file.top.enums = file.add_enums(&proto.enum_type, None);
        file.top.extensions = file.add_fields(&proto.extension, None, true);
        // Breadth first, so that siblings stand together and parents before their children.
        let mut queue: VecDeque<(u32, &DescriptorProto)> =
            file.top.messages.clone().zip(&proto.message_type).collect();
        while let Some((index, message)) = queue.pop_front() {
            let depth = file.messages[index as usize].depth;
            let oneofs = file.add_oneofs(message, index);
            let fields = file.add_fields(&message.field, Some(index), false);
            let members = Members {
                messages: file.add_messages(&message.nested_type, Some(index), depth + 1),
                enums: file.add_enums(&message.enum_type, Some(index)),
                extensions: file.add_fields(&message.extension, Some(index), true),
            };
            queue.extend(members.messages.clone().zip(&message.nested_type));
            for (offset, field) in message.field.iter().enumerate() {
                file.join_oneof(&oneofs, fields.start as usize + offset, field);
            }
            file.pair_maps(message, &fields, &members.messages);
            let by_number = file.by_number(&fields);
            let entry = &mut file.messages[index as usize];
            entry.by_number = by_number;
            entry.fields = fields;
            entry.oneofs = oneofs;
            entry.members = members;
        }
        for (index, service) in proto.service.iter().enumerate() {
            let start = file.methods.len() as u32;
            for (method_index, method) in service.method.iter().enumerate() {
                let name = file.intern(method.name.as_deref());
                file.methods.push(Method {
                    name,
                    symbol: SymbolId::ROOT,
                    parent: index as u32,
                    index: method_index as u32,
                    input: None,
                    output: None,
                    features: Features::default(),
                });
            }
            let name = file.intern(service.name.as_deref());
            let methods = start..file.methods.len() as u32;
            file.services.push(Service {
                name,
                symbol: SymbolId::ROOT,
                methods,
                features: Features::default(),
            });
        }
        file
    }

    pub(crate) fn text(&self, name: Name) -> &str {
        &self.names[name.0 as usize..(name.0 + name.1) as usize]
    }

    pub(crate) fn package(&self) -> &str {
        self.text(self.package)
    }

    /// The parts of the package, as stretches of the name arena.
    pub(crate) fn package_parts(&self) -> Vec<Name> {
        let mut start = self.package.0;
        let package = self.package();
        if package.is_empty() {
            return Vec::new();
        }
        package
            .split('.')
            .map(|part| {
                let name = (start, part.len() as u32);
                start += part.len() as u32 + 1;
                name
            })
            .collect()
    }

    fn intern(&mut self, name: Option<&str>) -> Name {
        let name = name.unwrap_or_default();
        let start = self.names.len() as u32;
        self.names.push_str(name);
        (start, name.len() as u32)
    }

    fn add_messages(&mut self, protos: &[DescriptorProto], parent: Option<u32>, depth: u32) -> Span {
        let start = self.messages.len() as u32;
        for (index, proto) in protos.iter().enumerate() {
            let name = self.intern(proto.name.as_deref());
            let reserved_names = proto.reserved_name.iter().map(|name| self.intern(Some(name))).collect();
            self.messages.push(Message {
                name,
                symbol: SymbolId::ROOT,
                parent,
                index: index as u32,
                depth,
                fields: 0..0,
                by_number: Vec::new(),
                oneofs: 0..0,
                members: Members::default(),
                extension_ranges: proto
                    .extension_range
                    .iter()
                    .map(|range| ExtensionRange {
                        start: range.start.unwrap_or_default(),
                        end: range.end.unwrap_or_default(),
                        rules: None,
                    })
                    .collect(),
                reserved_ranges: proto
                    .reserved_range
                    .iter()
                    .map(|range| (range.start.unwrap_or_default(), range.end.unwrap_or_default()))
                    .collect(),
                reserved_names,
                visibility: proto.visibility.unwrap_or_default(),
                map_entry: proto.options.as_ref().is_some_and(|o| o.map_entry == Some(true)),
                map_field: None,
                message_set: proto.options.as_ref().is_some_and(|o| o.message_set_wire_format == Some(true)),
                features: Features::default(),
            });
        }
        start..self.messages.len() as u32
    }

    fn add_enums(&mut self, protos: &[EnumDescriptorProto], parent: Option<u32>) -> Span {
        let start = self.enums.len() as u32;
        for (index, proto) in protos.iter().enumerate() {
            let first = self.values.len() as u32;
            for (value_index, value) in proto.value.iter().enumerate() {
                let name = self.intern(value.name.as_deref());
                self.values.push(EnumValue {
                    name,
                    symbol: SymbolId::ROOT,
                    parent: start + index as u32,
                    index: value_index as u32,
                    number: value.number.unwrap_or_default(),
                    debug_redact: false,
                    support: None,
                    features: Features::default(),
                });
            }
            let name = self.intern(proto.name.as_deref());
            self.enums.push(Enum {
                name,
                symbol: SymbolId::ROOT,
                parent,
                index: index as u32,
                values: first..self.values.len() as u32,
                visibility: proto.visibility.unwrap_or_default(),
                features: Features::default(),
            });
        }
        start..self.enums.len() as u32
    }

    fn add_oneofs(&mut self, message: &DescriptorProto, parent: u32) -> Span {
        let start = self.oneofs.len() as u32;
        for (index, proto) in message.oneof_decl.iter().enumerate() {
            let name = self.intern(proto.name.as_deref());
            self.oneofs.push(Oneof {
                name,
                symbol: SymbolId::ROOT,
                parent,
                index: index as u32,
                field_count: 0,
                first_field: None,
                synthetic: false,
                features: Features::default(),
            });
        }
        start..self.oneofs.len() as u32
    }

    fn add_fields(
        &mut self,
        protos: &[FieldDescriptorProto],
        parent: Option<u32>,
        is_extension: bool,
    ) -> Span {
        let start = self.fields.len() as u32;
        for (index, proto) in protos.iter().enumerate() {
            let name = self.intern(proto.name.as_deref());
            self.fields.push(Field {
                name,
                symbol: SymbolId::ROOT,
                parent,
                is_extension,
                index: index as u32,
                number: proto.number.unwrap_or_default(),
                label: proto.label.unwrap_or(Label::LABEL_OPTIONAL),
                ty: proto.r#type.unwrap_or_default(),
                target: Target::None,
                extendee: None,
                oneof: None,
                proto3_optional: proto.proto3_optional.unwrap_or_default(),
                packed: None,
                traits: FieldTraits::default(),
                own_features: Features::default(),
                features: Features::default(),
            });
        }
        start..self.fields.len() as u32
    }

    fn join_oneof(&mut self, oneofs: &Span, field: usize, proto: &FieldDescriptorProto) {
        let Some(index) = proto.oneof_index.and_then(|index| u32::try_from(index).ok()) else { return };
        let Some(oneof) = oneofs.clone().nth(index as usize) else { return };
        self.fields[field].oneof = Some(oneof);
        let entry = &mut self.oneofs[oneof as usize];
        entry.field_count += 1;
        entry.first_field.get_or_insert(field as u32);
        entry.synthetic = entry.field_count == 1 && self.fields[field].proto3_optional;
    }

    fn by_number(&self, fields: &Span) -> Vec<u32> {
        let entries = &self.fields[fields.start as usize..fields.end as usize];
        if entries.is_sorted_by_key(|field| field.number) {
            return Vec::new();
        }
        let mut order: Vec<u32> = fields.clone().collect();
        order.sort_by_key(|&index| self.fields[index as usize].number);
        order
    }

    // Map fields and their entries stand in the same order.
    fn pair_maps(&mut self, message: &DescriptorProto, fields: &Span, nested: &Span) {
        let mut entries = nested.clone().filter(|&m| self.messages[m as usize].map_entry).peekable();
        let mut pairs = Vec::new();
        for (field, proto) in fields.clone().zip(&message.field) {
            let Some(&entry) = entries.peek() else { break };
            let name = self.text(self.messages[entry as usize].name);
            if proto.type_name.as_deref().is_some_and(|t| t.rsplit('.').next() == Some(name)) {
                pairs.push((entry, field));
                entries.next();
            }
        }
        drop(entries);
        for (entry, field) in pairs {
            self.messages[entry as usize].map_field = Some(field);
        }
    }

    // Paths, built only when there is something to say.

    pub(crate) fn message_path(&self, message: u32) -> Path {
        let entry = &self.messages[message as usize];
        self.member_path(entry.parent, 4, 3, entry.index)
    }

    pub(crate) fn enum_path(&self, index: u32) -> Path {
        let entry = &self.enums[index as usize];
        self.member_path(entry.parent, 5, 4, entry.index)
    }

    pub(crate) fn field_path(&self, field: u32) -> Path {
        let entry = &self.fields[field as usize];
        if entry.is_extension {
            self.member_path(entry.parent, 7, 6, entry.index)
        } else {
            self.member_path(entry.parent, 0, 2, entry.index)
        }
    }

    pub(crate) fn oneof_path(&self, oneof: u32) -> Path {
        let entry = &self.oneofs[oneof as usize];
        self.member_path(Some(entry.parent), 0, 8, entry.index)
    }

    pub(crate) fn value_path(&self, value: u32) -> Path {
        let entry = &self.values[value as usize];
        join(self.enum_path(entry.parent), &[2, entry.index as i32])
    }

    pub(crate) fn method_path(&self, method: u32) -> Path {
        let entry = &self.methods[method as usize];
        vec![6, entry.parent as i32, 2, entry.index as i32]
    }

    fn member_path(&self, parent: Option<u32>, in_file: i32, in_message: i32, index: u32) -> Path {
        match parent {
            None => vec![in_file, index as i32],
            Some(parent) => join(self.message_path(parent), &[in_message, index as i32]),
        }
    }

    pub(crate) fn message_id(&self, file: FileId, index: u32) -> MessageId {
        debug_assert!((index as usize) < self.messages.len());
        MessageId { file, index }
    }
}

/// `path` with further steps.
pub(crate) fn join(mut path: Path, steps: &[i32]) -> Path {
    path.extend_from_slice(steps);
    path
}

/// The messages of a file in the order of its table.
pub(crate) fn messages_in_order(proto: &FileDescriptorProto) -> Vec<&DescriptorProto> {
    let mut order: Vec<&DescriptorProto> = proto.message_type.iter().collect();
    let mut next = 0;
    while next < order.len() {
        order.extend(&order[next].nested_type);
        next += 1;
    }
    order
}

/// The enums of a file in the order of its table; `messages` as from [`messages_in_order`].
pub(crate) fn enums_in_order<'p>(
    proto: &'p FileDescriptorProto,
    messages: &[&'p DescriptorProto],
) -> Vec<&'p EnumDescriptorProto> {
    proto.enum_type.iter().chain(messages.iter().flat_map(|m| &m.enum_type)).collect()
}

/// The fields and extensions of a file in the order of its table.
pub(crate) fn fields_in_order<'p>(
    proto: &'p FileDescriptorProto,
    messages: &[&'p DescriptorProto],
) -> Vec<&'p FieldDescriptorProto> {
    proto.extension.iter().chain(messages.iter().flat_map(|m| m.field.iter().chain(&m.extension))).collect()
}

fn edition_of(proto: &FileDescriptorProto) -> Edition {
    match (proto.edition, proto.syntax.as_deref()) {
        (Some(edition), _) => edition,
        (None, None | Some("" | "proto2")) => Edition::EDITION_PROTO2,
        (None, Some("proto3")) => Edition::EDITION_PROTO3,
        (None, Some(_)) => Edition::EDITION_UNKNOWN,
    }
}

impl FieldId {
    pub(crate) fn new(file: FileId, index: u32) -> Self {
        Self { file, index }
    }
}
