//! Reaching into a descriptor by path.

use std::collections::HashSet;

use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, Type};
use dunlin_protobuf::names::json_name;
use dunlin_protobuf::pool::{FieldKind, FieldView, FileView, MessageId};
use dunlin_protobuf::wire::WireError;

use crate::lower::{ElementKind, NamePart};

/// Sets the options of the element at `path`.
pub(crate) fn options_slot(
    proto: &mut FileDescriptorProto,
    path: &[i32],
    kind: ElementKind,
    encoded: &[u8],
) -> Result<(), WireError> {
    fn decode<M: DescriptorMessage>(
        slot: &mut Option<Box<M>>,
        encoded: &[u8],
        is_present: bool,
    ) -> Result<(), WireError> {
        *slot = if is_present { Some(Box::new(M::decode(encoded)?)) } else { None };
        Ok(())
    }
    // An element that lost all its options has none.
    let is_present = !encoded.is_empty();
    let Some(()) = (match kind {
        ElementKind::File => Some(decode(&mut proto.options, encoded, is_present)?),
        ElementKind::Service => match path {
            [6, s] => index(&mut proto.service, *s)
                .map(|s| decode(&mut s.options, encoded, is_present))
                .transpose()?,
            _ => None,
        },
        ElementKind::Method => match path {
            [6, s, 2, m] => index(&mut proto.service, *s)
                .and_then(|s| index(&mut s.method, *m))
                .map(|m| decode(&mut m.options, encoded, is_present))
                .transpose()?,
            _ => None,
        },
        ElementKind::Enum => {
            enum_at(proto, path).map(|e| decode(&mut e.options, encoded, is_present)).transpose()?
        }
        ElementKind::EnumValue => {
            let (at, steps) = path.split_at(path.len().saturating_sub(2));
            match steps {
                [2, v] => enum_at(proto, at)
                    .and_then(|e| index(&mut e.value, *v))
                    .map(|v| decode(&mut v.options, encoded, is_present))
                    .transpose()?,
                _ => None,
            }
        }
        ElementKind::Message => {
            message_at(proto, path).map(|m| decode(&mut m.options, encoded, is_present)).transpose()?
        }
        ElementKind::Field => {
            field_at(proto, path).map(|f| decode(&mut f.options, encoded, is_present)).transpose()?
        }
        ElementKind::Oneof => {
            let (at, steps) = path.split_at(path.len().saturating_sub(2));
            match steps {
                [8, o] => message_at(proto, at)
                    .and_then(|m| index(&mut m.oneof_decl, *o))
                    .map(|o| decode(&mut o.options, encoded, is_present))
                    .transpose()?,
                _ => None,
            }
        }
        ElementKind::ExtensionRange => {
            let (at, steps) = path.split_at(path.len().saturating_sub(2));
            match steps {
                [5, r] => message_at(proto, at)
                    .and_then(|m| index(&mut m.extension_range, *r))
                    .map(|r| decode(&mut r.options, encoded, is_present))
                    .transpose()?,
                _ => None,
            }
        }
    }) else {
        debug_assert!(false, "options belong to an element that was lowered");
        return Ok(());
    };
    Ok(())
}

fn index<T>(items: &mut [T], at: i32) -> Option<&mut T> {
    items.get_mut(usize::try_from(at).ok()?)
}

fn message_at<'p>(proto: &'p mut FileDescriptorProto, path: &[i32]) -> Option<&'p mut DescriptorProto> {
    let mut steps = path.chunks_exact(2);
    let mut message = match steps.next()? {
        [4, at] => index(&mut proto.message_type, *at)?,
        _ => return None,
    };
    for step in steps {
        message = match step {
            [3, at] => index(&mut message.nested_type, *at)?,
            _ => return None,
        };
    }
    Some(message)
}

fn enum_at<'p>(
    proto: &'p mut FileDescriptorProto,
    path: &[i32],
) -> Option<&'p mut dunlin_protobuf::descriptor::EnumDescriptorProto> {
    let (at, steps) = path.split_at(path.len().saturating_sub(2));
    match (at, steps) {
        ([], [5, e]) => index(&mut proto.enum_type, *e),
        (at, [4, e]) => index(&mut message_at(proto, at)?.enum_type, *e),
        _ => None,
    }
}

fn field_at<'p>(proto: &'p mut FileDescriptorProto, path: &[i32]) -> Option<&'p mut FieldDescriptorProto> {
    let (at, steps) = path.split_at(path.len().saturating_sub(2));
    match (at, steps) {
        ([], [7, f]) => index(&mut proto.extension, *f),
        (at, [2, f]) => index(&mut message_at(proto, at)?.field, *f),
        (at, [6, f]) => index(&mut message_at(proto, at)?.extension, *f),
        _ => None,
    }
}

/// Writes what linking found into the descriptor: types, full names, JSON names.
pub(crate) fn finish_names(file: FileView<'_>, proto: &mut FileDescriptorProto) {
    let mut fields = file.fields();
    for field in &mut proto.extension {
        finish_field(field, fields.next());
    }
    // The pool lists messages breadth first.
    let mut level: Vec<&mut DescriptorProto> = proto.message_type.iter_mut().collect();
    while !level.is_empty() {
        let mut next = Vec::new();
        for message in level {
            for field in message.field.iter_mut().chain(&mut message.extension) {
                finish_field(field, fields.next());
            }
            next.extend(message.nested_type.iter_mut());
        }
        level = next;
    }
    let methods = proto.service.iter_mut().flat_map(|service| &mut service.method);
    for (method, (input, output)) in methods.zip(file.methods()) {
        if let (Some(input), Some(output)) = (input, output) {
            method.input_type = Some(format!(".{}", input.full_name()));
            method.output_type = Some(format!(".{}", output.full_name()));
        }
    }
    if proto.package.as_deref() == Some("") {
        proto.package = None;
    }
    if proto.syntax.as_deref() == Some("proto2") {
        proto.syntax = None;
    }
}

fn finish_field(proto: &mut FieldDescriptorProto, view: Option<FieldView<'_>>) {
    let Some(view) = view else { return };
    debug_assert_eq!(proto.name.as_deref(), Some(view.name()));
    proto.r#type = Some(view.declared_type()).filter(|ty| *ty != Type::default());
    if let Some(name) = view.type_name() {
        proto.type_name = Some(format!(".{name}"));
    }
    if view.is_extension()
        && let Some(extendee) = view.containing_message()
    {
        proto.extendee = Some(format!(".{}", extendee.full_name()));
    }
    if proto.json_name.is_none() {
        proto.json_name = Some(json_name(view.name()));
    }
}

/// The steps from an element's options to a well-known option, as faults name it.
pub(crate) fn option_steps(kind: ElementKind, name: &[NamePart], last: &str) -> Option<Vec<i32>> {
    let first = name.first().filter(|part| !part.is_extension)?;
    let features = match kind {
        ElementKind::File | ElementKind::ExtensionRange => 50,
        ElementKind::Message => 12,
        ElementKind::Field => 21,
        ElementKind::Oneof => 1,
        ElementKind::Enum => 7,
        ElementKind::EnumValue => 2,
        ElementKind::Service => 34,
        ElementKind::Method => 35,
    };
    if first.text == "features" {
        let feature = match last {
            "field_presence" => 1,
            "enum_type" => 2,
            "repeated_field_encoding" => 3,
            "utf8_validation" => 4,
            "message_encoding" => 5,
            "json_format" => 6,
            _ => return Some(vec![features]),
        };
        return Some(vec![features, feature]);
    }
    let number = match (kind, first.text.as_str()) {
        (ElementKind::File, "java_string_check_utf8") => 27,
        (ElementKind::File, "cc_generic_services") => 16,
        (ElementKind::File, "java_generic_services") => 17,
        (ElementKind::File, "py_generic_services") => 18,
        (ElementKind::Field, "ctype") => 1,
        (ElementKind::Field, "packed") => 2,
        (ElementKind::Field, "lazy") => 5,
        (ElementKind::Field, "jstype") => 6,
        (ElementKind::Field, "unverified_lazy") => 15,
        (ElementKind::Field, "feature_support") => 22,
        _ => return None,
    };
    Some(vec![number])
}

/// True if an enum somewhere in the type of `field` has a value that marks fields to be redacted.
pub(crate) fn redacts(field: FieldView<'_>) -> bool {
    let mut seen: HashSet<MessageId> = HashSet::new();
    let mut queue = vec![field];
    while let Some(field) = queue.pop() {
        match field.kind() {
            FieldKind::Enum(enumeration) if enumeration.values().any(|value| value.is_debug_redact()) => {
                return true;
            }
            FieldKind::Message(message) if seen.insert(message.id()) => queue.extend(message.fields()),
            _ => {}
        }
    }
    false
}
