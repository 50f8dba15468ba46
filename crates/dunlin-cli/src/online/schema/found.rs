//! Names in a pool, and what they stand for.

use std::sync::Arc;

use dunlin_protobuf::descriptor::{DescriptorProto, FileDescriptorProto, Type};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_protobuf::pool::{FieldKind, FileId, FileView};

/// Something that a schema declares.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) pool: Arc<DynamicPool>,
    pub(crate) full_name: String,
    pub(crate) file: FileId,
    pub(crate) element: Element,
}

/// What it is, as the path of its descriptor in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    Message(Vec<i32>),
    Field(Vec<i32>),
    Extension(Vec<i32>),
    Oneof(Vec<i32>),
    Enum(Vec<i32>),
    EnumValue(Vec<i32>),
    Service(Vec<i32>),
    Method(Vec<i32>),
}

impl Element {
    pub(crate) fn path(&self) -> &[i32] {
        match self {
            Self::Message(path)
            | Self::Field(path)
            | Self::Extension(path)
            | Self::Oneof(path)
            | Self::Enum(path)
            | Self::EnumValue(path)
            | Self::Service(path)
            | Self::Method(path) => path,
        }
    }
}

impl Found {
    /// What this full name stands for in a pool.
    pub(crate) fn in_pool(pool: &Arc<DynamicPool>, name: &str) -> Option<Self> {
        pool.descriptors().files().find_map(|file| {
            let inside = match file.package() {
                "" => name,
                package => name.strip_prefix(package)?.strip_prefix('.')?,
            };
            let parts: Vec<&str> = inside.split('.').collect();
            let element = in_file(file.proto()?, &parts)?;
            let full_name = match &element {
                Element::EnumValue(path) => under_its_enum(file, path).unwrap_or_else(|| name.to_owned()),
                _ => name.to_owned(),
            };
            Some(Self { pool: pool.clone(), full_name, file: file.id(), element })
        })
    }
}

impl Found {
    /// What it is, with an article; of messages and fields also why they are there.
    pub(crate) fn described_kind(&self) -> &'static str {
        let descriptors = self.pool.descriptors();
        match &self.element {
            Element::Message(_) => {
                let Some(message) = descriptors.message(&self.full_name) else { return self.kind() };
                let Some(parent) = message.parent() else { return self.kind() };
                let is_group = parent.fields().any(|field| {
                    field.declared_type() == Type::TYPE_GROUP
                        && matches!(field.kind(), FieldKind::Message(inner) if inner == message)
                });
                match (message.is_map_entry(), is_group) {
                    (true, _) => "the entry type for a map field",
                    (_, true) => "the type of a group field",
                    _ => self.kind(),
                }
            }
            Element::Field(path) | Element::Extension(path) => {
                let file = descriptors.file(self.file);
                let field = file.fields().find(|field| field.path() == *path);
                match field {
                    Some(field) if field.declared_type() == Type::TYPE_GROUP => "a group field",
                    _ => self.kind(),
                }
            }
            _ => self.kind(),
        }
    }

    /// What it is, with an article.
    pub(crate) fn kind(&self) -> &'static str {
        match self.element {
            Element::Message(_) => "a message",
            Element::Field(_) => "a field",
            Element::Extension(_) => "an extension",
            Element::Oneof(_) => "a one-of",
            Element::Enum(_) => "an enum",
            Element::EnumValue(_) => "an enum value",
            Element::Service(_) => "a service",
            Element::Method(_) => "a method",
        }
    }
}

/// A value's name as users of most languages know it: within its enum, though it is declared beside it.
fn under_its_enum(file: FileView<'_>, path: &[i32]) -> Option<String> {
    let (of, value) = path.split_at(path.len().checked_sub(2)?);
    let view = file.enums().find(|view| view.path() == of)?;
    let value = view.values().nth(*value.get(1)? as usize)?;
    Some(format!("{}.{}", view.full_name(), value.name()))
}

fn position<T>(items: &[T], name: &str, of: impl Fn(&T) -> Option<&str>) -> Option<i32> {
    items.iter().position(|item| of(item) == Some(name)).map(|at| at as i32)
}

fn in_file(file: &FileDescriptorProto, parts: &[&str]) -> Option<Element> {
    let (first, rest) = parts.split_first()?;
    if let Some(at) = position(&file.message_type, first, |m| m.name.as_deref()) {
        return in_message(&file.message_type[at as usize], vec![4, at], rest);
    }
    match rest {
        [] => {
            if let Some(at) = position(&file.enum_type, first, |e| e.name.as_deref()) {
                return Some(Element::Enum(vec![5, at]));
            }
            if let Some(at) = position(&file.service, first, |s| s.name.as_deref()) {
                return Some(Element::Service(vec![6, at]));
            }
            if let Some(at) = position(&file.extension, first, |f| f.name.as_deref()) {
                return Some(Element::Extension(vec![7, at]));
            }
            // Values are siblings of their enum.
            file.enum_type.iter().enumerate().find_map(|(at, declared)| {
                let value = position(&declared.value, first, |v| v.name.as_deref())?;
                Some(Element::EnumValue(vec![5, at as i32, 2, value]))
            })
        }
        [inner] => {
            if let Some(at) = position(&file.enum_type, first, |e| e.name.as_deref()) {
                let value = position(&file.enum_type[at as usize].value, inner, |v| v.name.as_deref())?;
                return Some(Element::EnumValue(vec![5, at, 2, value]));
            }
            let at = position(&file.service, first, |s| s.name.as_deref())?;
            let method = position(&file.service[at as usize].method, inner, |m| m.name.as_deref())?;
            Some(Element::Method(vec![6, at, 2, method]))
        }
        _ => None,
    }
}

fn in_message(message: &DescriptorProto, mut path: Vec<i32>, parts: &[&str]) -> Option<Element> {
    let (first, rest) = match parts.split_first() {
        None => return Some(Element::Message(path)),
        Some(split) => split,
    };
    if let [value] = rest
        && let Some(index) = position(&message.enum_type, first, |e| e.name.as_deref())
    {
        let value = position(&message.enum_type[index as usize].value, value, |v| v.name.as_deref())?;
        path.extend([4, index, 2, value]);
        return Some(Element::EnumValue(path));
    }
    let mut at = |step: i32, index: i32| {
        path.extend([step, index]);
        path.clone()
    };
    if let Some(index) = position(&message.nested_type, first, |m| m.name.as_deref()) {
        return in_message(&message.nested_type[index as usize], at(3, index), rest);
    }
    if !rest.is_empty() {
        return None;
    }
    if let Some(index) = position(&message.field, first, |f| f.name.as_deref()) {
        return Some(Element::Field(at(2, index)));
    }
    if let Some(index) = position(&message.enum_type, first, |e| e.name.as_deref()) {
        return Some(Element::Enum(at(4, index)));
    }
    if let Some(index) = position(&message.extension, first, |f| f.name.as_deref()) {
        return Some(Element::Extension(at(6, index)));
    }
    if let Some(index) = position(&message.oneof_decl, first, |o| o.name.as_deref()) {
        return Some(Element::Oneof(at(8, index)));
    }
    message.enum_type.iter().enumerate().find_map(|(index, declared)| {
        let value = position(&declared.value, first, |v| v.name.as_deref())?;
        let mut path = at(4, index as i32);
        path.extend([2, value]);
        Some(Element::EnumValue(path))
    })
}

/// The full names of the services of a pool.
pub(crate) fn services(pool: &Arc<DynamicPool>) -> Vec<String> {
    let files = pool.descriptors().files();
    let services = files.flat_map(|file| {
        let names = file.proto().into_iter().flat_map(|proto| &proto.service);
        names.filter_map(move |service| Some(qualified(file.package(), service.name.as_deref()?)))
    });
    services.collect()
}

fn qualified(scope: &str, name: &str) -> String {
    if scope.is_empty() { name.to_owned() } else { format!("{scope}.{name}") }
}

/// The full name of the extension of a message with this number, if the file declares it.
pub(crate) fn extension_in(file: &FileDescriptorProto, message: &str, number: i32) -> Option<String> {
    let is_it = |field: &&dunlin_protobuf::descriptor::FieldDescriptorProto| {
        field.number == Some(number)
            && field.extendee.as_deref().is_some_and(|of| of.trim_start_matches('.') == message)
    };
    let package = file.package.as_deref().unwrap_or_default();
    if let Some(field) = file.extension.iter().find(is_it) {
        return Some(qualified(package, field.name.as_deref()?));
    }
    let mut queue: Vec<(String, &DescriptorProto)> = Vec::new();
    let inside = |scope: &str, list: &'_ [DescriptorProto]| -> Vec<String> {
        list.iter().map(|m| qualified(scope, m.name.as_deref().unwrap_or_default())).collect()
    };
    queue.extend(inside(package, &file.message_type).into_iter().zip(&file.message_type));
    while let Some((name, message)) = queue.pop() {
        if let Some(field) = message.extension.iter().find(is_it) {
            return Some(qualified(&name, field.name.as_deref()?));
        }
        queue.extend(inside(&name, &message.nested_type).into_iter().zip(&message.nested_type));
    }
    None
}
