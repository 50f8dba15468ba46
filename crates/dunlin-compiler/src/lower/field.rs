use dunlin_protobuf::descriptor::{
    DescriptorProto, Edition, FieldDescriptorProto, Label, MessageOptions, Type,
};
use dunlin_protobuf::names::map_entry_name;

use super::{ElementKind, Lowering};
use crate::syntax::{Keyword, Node, NodeId, NodeKind, TokenKind, literal};

impl Lowering<'_> {
    /// A field of the current message.
    pub(super) fn field(
        &mut self,
        id: NodeId,
        node: &Node,
        message: &mut DescriptorProto,
        oneof: Option<i32>,
    ) {
        let path = [2, message.field.len() as i32];
        let nested_path = [3, message.nested_type.len() as i32];
        let field = FieldDescriptorProto { oneof_index: oneof, ..Default::default() };
        let (field, nested) = self.any_field(id, node, field, &path, &nested_path, None);
        message.field.push(field);
        message.nested_type.extend(nested);
    }

    /// A field or an extension at `path`, and the message that a group or a map declares with it,
    /// which stands at `nested_path`.
    pub(super) fn any_field(
        &mut self,
        id: NodeId,
        node: &Node,
        mut field: FieldDescriptorProto,
        path: &[i32],
        nested_path: &[i32],
        extendee: Option<(u32, u32)>,
    ) -> (FieldDescriptorProto, Option<DescriptorProto>) {
        let is_group = node.kind == NodeKind::Group;
        let tree = self.tree;
        let at = |steps: &[i32]| [path, steps].concat();
        if is_group {
            self.locate(path, node.first, node.end);
        } else {
            self.declare(path, node.first, node.end, node.end - 1);
        }
        if let Some((first, end)) = extendee {
            self.locate(&at(&[2]), first, end);
        }
        let map = tree.child(id, NodeKind::MapType);
        self.field_label(id, &mut field, map.is_some(), &at(&[4]));
        let Some((type_id, ty)) = map.or_else(|| tree.child(id, NodeKind::Type)) else {
            return (field, None);
        };
        let mut map_types = None;
        if map.is_some() {
            self.locate(&at(&[6]), ty.first, ty.end);
            field.label = Some(Label::LABEL_REPEATED);
            if extendee.is_some() {
                let span = tree.span(ty.first, ty.end);
                self.fault("map-extension", span, "extensions cannot be map fields");
            }
            let parts: Vec<_> = tree.children(type_id).map(|(_, part)| (part.first, part.end)).collect();
            map_types = Some([parts[0], parts[1]].map(|(first, end)| self.type_of(first, end)));
        } else {
            let (scalar, name) = self.type_of(ty.first, ty.end);
            self.locate(&at(&[if scalar.is_some() { 5 } else { 6 }]), ty.first, ty.end);
            (field.r#type, field.type_name) = (scalar, name);
        }

        let name_token = ty.end;
        let name = tree.identifier(name_token).to_owned();
        self.locate(&at(&[1]), name_token, name_token + 1);
        let number_token = name_token + 2;
        self.locate(&at(&[3]), number_token, number_token + 1);
        field.number = Some(self.integer(number_token, i32::MAX as u64) as i32);
        field.name = Some(name.clone());

        let pending = self.field_options(id, &mut field, path);
        if is_group {
            let group = self.group(id, node, &mut field, path, nested_path, name_token);
            return (field, Some(group));
        }
        let entry = map_types.map(|types| {
            let entry_name = map_entry_name(&name);
            field.type_name = Some(entry_name.clone());
            if let Some(pending) = pending {
                for index in 0..2 {
                    let path = [&self.path[..], nested_path, &[2, index]].concat();
                    self.copy_features(pending, path);
                }
            }
            map_entry(entry_name, types)
        });
        (field, entry)
    }

    fn field_label(&mut self, id: NodeId, field: &mut FieldDescriptorProto, is_map: bool, path: &[i32]) {
        let Some((keyword, token)) = self.label(id) else {
            field.label = Some(Label::LABEL_OPTIONAL);
            let needs_label =
                self.edition == Edition::EDITION_PROTO2 && field.oneof_index.is_none() && !is_map;
            if needs_label {
                let node = self.tree.node(id);
                let span = self.tree.token(node.first).span();
                let fault = self.fault("missing-label", span, "fields need a label in proto2");
                fault.help = Some("add `optional`, `required` or `repeated`".into());
            }
            return;
        };
        field.label = Some(match keyword {
            Keyword::Required => Label::LABEL_REQUIRED,
            Keyword::Repeated => Label::LABEL_REPEATED,
            _ => Label::LABEL_OPTIONAL,
        });
        if field.oneof_index.is_some() {
            field.label = Some(Label::LABEL_OPTIONAL); // reported where the oneof is read
            return;
        }
        if is_map {
            self.fault_at_token("label-on-map", token, "map fields have no label");
        }
        if keyword == Keyword::Optional && self.edition == Edition::EDITION_PROTO3 {
            field.proto3_optional = Some(true);
        }
        if self.is_editions() && keyword != Keyword::Repeated {
            let message = format!("the label `{}` does not exist in editions", keyword.text());
            let help = if keyword == Keyword::Optional {
                "drop it: fields have presence unless `features.field_presence` says otherwise"
            } else {
                "set `features.field_presence = LEGACY_REQUIRED`"
            };
            self.fault_at_token("label-in-editions", token, message).help = Some(help.into());
        }
        self.locate(path, token, token + 1);
    }

    fn type_of(&mut self, first: u32, end: u32) -> (Option<Type>, Option<String>) {
        if self.edition == Edition::EDITION_UNSTABLE
            && end == first + 1
            && let Some(ty) = self.unstable_type(first)
        {
            return (Some(ty), None);
        }
        let scalar = match self.tree.token(first).keyword {
            Keyword::Double => Type::TYPE_DOUBLE,
            Keyword::Float => Type::TYPE_FLOAT,
            Keyword::Int64 => Type::TYPE_INT64,
            Keyword::Uint64 => Type::TYPE_UINT64,
            Keyword::Int32 => Type::TYPE_INT32,
            Keyword::Fixed64 => Type::TYPE_FIXED64,
            Keyword::Fixed32 => Type::TYPE_FIXED32,
            Keyword::Bool => Type::TYPE_BOOL,
            Keyword::String => Type::TYPE_STRING,
            Keyword::Bytes => Type::TYPE_BYTES,
            Keyword::Uint32 => Type::TYPE_UINT32,
            Keyword::Sfixed32 => Type::TYPE_SFIXED32,
            Keyword::Sfixed64 => Type::TYPE_SFIXED64,
            Keyword::Sint32 => Type::TYPE_SINT32,
            Keyword::Sint64 => Type::TYPE_SINT64,
            Keyword::Group => {
                if self.is_editions() {
                    let fault =
                        self.fault_at_token("group-in-editions", first, "groups do not exist in editions");
                    fault.help =
                        Some("set `features.message_encoding = DELIMITED` on a message field".into());
                }
                Type::TYPE_GROUP
            }
            _ => return (None, Some(self.dotted_name(first, end))),
        };
        (Some(scalar), None)
    }

    /// What is being tried out: integer types say on their face how they are encoded.
    fn unstable_type(&mut self, token: u32) -> Option<Type> {
        let (ty, instead) = match self.tree.bytes(token) {
            b"int32" => (Type::TYPE_SFIXED32, None),
            b"int64" => (Type::TYPE_SFIXED64, None),
            b"uint32" => (Type::TYPE_FIXED32, None),
            b"uint64" => (Type::TYPE_FIXED64, None),
            b"varint32" => (Type::TYPE_INT32, None),
            b"varint64" => (Type::TYPE_INT64, None),
            b"uvarint32" => (Type::TYPE_UINT32, None),
            b"uvarint64" => (Type::TYPE_UINT64, None),
            b"zigzag32" => (Type::TYPE_SINT32, None),
            b"zigzag64" => (Type::TYPE_SINT64, None),
            b"fixed32" => (Type::TYPE_FIXED32, Some("uint32")),
            b"fixed64" => (Type::TYPE_FIXED64, Some("uint64")),
            b"sfixed32" => (Type::TYPE_SFIXED32, Some("int32")),
            b"sfixed64" => (Type::TYPE_SFIXED64, Some("int64")),
            b"sint32" => (Type::TYPE_SINT32, Some("zigzag32")),
            b"sint64" => (Type::TYPE_SINT64, Some("zigzag64")),
            _ => return None,
        };
        if let Some(instead) = instead {
            let name = self.tree.identifier(token).to_owned();
            let fault = self.fault_at_token(
                "obsolete-type",
                token,
                format!("type `{name}` does not exist in edition UNSTABLE"),
            );
            fault.help = Some(format!("use `{instead}`"));
            fault.replacement = Some(instead.into());
        }
        Some(ty)
    }

    fn field_options(&mut self, id: NodeId, field: &mut FieldDescriptorProto, path: &[i32]) -> Option<u32> {
        let (list, node) = self.tree.child(id, NodeKind::CompactOptions)?;
        let node = *node;
        self.nested(path, |l| {
            l.compact_option_list(list, &node, ElementKind::Field, |l, item, item_node| {
                match item_node.kind {
                    NodeKind::Default => l.default(item, item_node, field),
                    NodeKind::JsonName => l.json_name(item_node, field),
                    _ => {}
                }
            })
        })
    }

    fn json_name(&mut self, node: &Node, field: &mut FieldDescriptorProto) {
        if field.json_name.is_some() {
            let span = self.tree.span(node.first, node.end);
            self.fault("duplicate-option", span, "`json_name` is set twice");
        }
        self.locate(&[10], node.first, node.end);
        self.locate(&[10], node.first + 2, node.end);
        let name = self.string(node.first + 2, node.end);
        let name = self.utf8(name, node.first + 2, "a JSON name");
        if name.contains('\0') {
            self.fault_at_token("json-name-nul", node.first + 2, "a JSON name cannot contain NUL");
        }
        field.json_name = Some(name);
    }

    fn default(&mut self, id: NodeId, node: &Node, field: &mut FieldDescriptorProto) {
        let Some((_, value)) = self.tree.child(id, NodeKind::Value) else { return };
        let (first, end) = (value.first, value.end);
        if field.default_value.is_some() {
            let span = self.tree.span(node.first, node.end);
            self.fault("duplicate-option", span, "`default` is set twice");
        }
        self.locate(&[7], first, end);
        field.default_value = Some(self.default_text(field.r#type, first, end));
    }

    fn default_text(&mut self, ty: Option<Type>, first: u32, end: u32) -> Vec<u8> {
        let negative = self.tree.token(first).symbol == b'-';
        let token = first + u32::from(negative);
        let kind = self.tree.token(token).kind;
        let wrong = |l: &mut Self, what: &str| {
            let span = l.tree.span(first, end);
            l.fault("invalid-default", span, format!("the default of this field has to be {what}"));
            Vec::new()
        };
        let Some(ty) = ty else {
            // A message or an enum; which of them is known after linking.
            if negative || kind != TokenKind::Identifier {
                return wrong(self, "the name of an enum value");
            }
            return self.tree.bytes(token).to_vec();
        };
        match ty {
            Type::TYPE_STRING | Type::TYPE_BYTES if kind == TokenKind::String && !negative => {
                let value = self.string(token, end);
                if ty == Type::TYPE_BYTES { literal::escape_c(&value).into_bytes() } else { value }
            }
            Type::TYPE_STRING | Type::TYPE_BYTES => wrong(self, "a string"),
            Type::TYPE_BOOL => match (negative, self.tree.bytes(token)) {
                (false, text @ (b"true" | b"false")) => text.to_vec(),
                _ => wrong(self, "`true` or `false`"),
            },
            Type::TYPE_FLOAT | Type::TYPE_DOUBLE => {
                let value = match (kind, self.tree.bytes(token)) {
                    (TokenKind::Integer | TokenKind::Float, _) => self.number(token),
                    (TokenKind::Identifier, b"inf") => f64::INFINITY,
                    (TokenKind::Identifier, b"nan") => f64::NAN,
                    _ => return wrong(self, "a number, `inf` or `nan`"),
                };
                let value = if negative { -value } else { value };
                let text = match ty {
                    Type::TYPE_FLOAT => literal::print_float(to_float(value)),
                    _ => literal::print_double(value),
                };
                text.into_bytes()
            }
            Type::TYPE_GROUP | Type::TYPE_MESSAGE => {
                let span = self.tree.span(first, end);
                self.fault("default-on-message", span, "message fields cannot have a default");
                Vec::new()
            }
            _ if kind != TokenKind::Integer => wrong(self, "an integer"),
            _ => {
                let is_unsigned = matches!(
                    ty,
                    Type::TYPE_UINT32 | Type::TYPE_UINT64 | Type::TYPE_FIXED32 | Type::TYPE_FIXED64
                );
                let is_64_bit = matches!(
                    ty,
                    Type::TYPE_INT64
                        | Type::TYPE_UINT64
                        | Type::TYPE_SINT64
                        | Type::TYPE_FIXED64
                        | Type::TYPE_SFIXED64
                );
                let max = match (is_unsigned, is_64_bit) {
                    (true, true) => u64::MAX,
                    (true, false) => u64::from(u32::MAX),
                    (false, true) => i64::MAX as u64,
                    (false, false) => i32::MAX as u64,
                };
                if is_unsigned && negative {
                    return wrong(self, "zero or positive");
                }
                let value = self.integer(token, max + u64::from(negative));
                if negative && value != 0 { format!("-{value}") } else { value.to_string() }.into_bytes()
            }
        }
    }

    /// The message that a group declares; its name is also the field's.
    fn group(
        &mut self,
        id: NodeId,
        node: &Node,
        field: &mut FieldDescriptorProto,
        path: &[i32],
        nested_path: &[i32],
        name_token: u32,
    ) -> DescriptorProto {
        let tree = self.tree;
        let name = tree.identifier(name_token).to_owned();
        // The body opens behind the number, or behind the options.
        let brace = tree.child(id, NodeKind::CompactOptions).map_or(name_token + 3, |(_, list)| list.end);
        let mut group = DescriptorProto { name: Some(name.clone()), ..Default::default() };
        self.nested(nested_path, |l| {
            l.declare(&[], node.first, node.end, brace);
            l.locate(&[1], name_token, name_token + 1);
        });
        self.locate(&[path, &[6]].concat(), name_token, name_token + 1);
        if !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let fault = self.fault_at_token(
                "group-name",
                name_token,
                "group names have to start with a capital letter",
            );
            fault.help = Some("the field gets the same name in lower case".into());
        }
        field.name = Some(name.to_ascii_lowercase());
        field.type_name = Some(name);
        self.nested(nested_path, |l| l.message_body(id, node, &mut group));
        group
    }
}

fn map_entry(name: String, [key, value]: [(Option<Type>, Option<String>); 2]) -> DescriptorProto {
    let field =
        |name: &str, number: i32, (ty, type_name): (Option<Type>, Option<String>)| FieldDescriptorProto {
            name: Some(name.into()),
            number: Some(number),
            label: Some(Label::LABEL_OPTIONAL),
            r#type: ty,
            type_name,
            ..Default::default()
        };
    DescriptorProto {
        name: Some(name),
        field: vec![field("key", 1, key), field("value", 2, value)],
        options: Some(Box::new(MessageOptions { map_entry: Some(true), ..Default::default() })),
        ..Default::default()
    }
}

/// Rounds to single precision; what is only just out of range is the largest finite number.
pub(crate) fn to_float(value: f64) -> f32 {
    let max = f64::from(f32::MAX);
    // Half a unit in the last place above the largest finite float.
    let limit = max + (max - f64::from(f32::from_bits(f32::MAX.to_bits() - 1))) / 2.0;
    if value.abs() > max && value.abs() <= limit { f32::MAX.copysign(value as f32) } else { value as f32 }
}
