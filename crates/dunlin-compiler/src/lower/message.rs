use dunlin_protobuf::descriptor::{
    DescriptorProto, ExtensionRange, FieldDescriptorProto, OneofDescriptorProto, ReservedRange,
    SymbolVisibility,
};
use dunlin_protobuf::wire::MAX_FIELD_NUMBER;

use super::{ElementKind, Lowering};
use crate::syntax::{Keyword, Node, NodeId, NodeKind, TokenKind};

/// The end of a range that reaches to `max`, until it is known what that means.
const TO_MAX: i32 = i32::MIN;

impl Lowering<'_> {
    pub(super) fn message(&mut self, id: NodeId, node: &Node) -> DescriptorProto {
        let mut proto = DescriptorProto::default();
        let keyword = self.visibility(node, &mut proto.visibility);
        // The modifier is not part of the message's span.
        self.declare(&[], keyword, node.end, keyword + 2);
        self.locate(&[1], keyword + 1, keyword + 2);
        proto.name = Some(self.tree.identifier(keyword + 1).to_owned());
        self.message_body(id, node, &mut proto);
        proto
    }

    /// Reads `export` or `local`; returns the token behind it.
    pub(super) fn visibility(&self, node: &Node, visibility: &mut Option<SymbolVisibility>) -> u32 {
        *visibility = match self.tree.token(node.first).keyword {
            Keyword::Export => Some(SymbolVisibility::VISIBILITY_EXPORT),
            Keyword::Local => Some(SymbolVisibility::VISIBILITY_LOCAL),
            _ => return node.first,
        };
        node.first + 1
    }

    /// The statements in a message or group.
    pub(super) fn message_body(&mut self, id: NodeId, node: &Node, proto: &mut DescriptorProto) {
        for (child, item) in self.children(id) {
            match item.kind {
                NodeKind::Field | NodeKind::Group => {
                    self.field(child, item, proto, None);
                }
                NodeKind::Oneof => self.oneof(child, item, proto),
                NodeKind::Message => {
                    let index = proto.nested_type.len() as i32;
                    let nested = self.nested(&[3, index], |l| l.message(child, item));
                    proto.nested_type.push(nested);
                }
                NodeKind::Enum => {
                    let index = proto.enum_type.len() as i32;
                    let entry = self.nested(&[4, index], |l| l.enumeration(child, item));
                    proto.enum_type.push(entry);
                }
                NodeKind::Extend => {
                    self.extend(child, item, &mut proto.extension, &mut proto.nested_type, 6, 3);
                }
                NodeKind::Extensions => self.extensions(child, item, proto),
                NodeKind::Reserved => self.reserved(child, item, proto),
                NodeKind::OptionStatement => {
                    self.option_statement(child, item, ElementKind::Message);
                }
                NodeKind::Empty => self.recorder.pass(self.tree, item.end - 1),
                _ => {}
            }
        }
        self.recorder.close(self.tree, node.end - 1);
        self.set_max(proto);
        self.check_map_entry();
        if self.edition == dunlin_protobuf::descriptor::Edition::EDITION_PROTO3 {
            synthetic_oneofs(proto);
        }
    }

    fn oneof(&mut self, id: NodeId, node: &Node, proto: &mut DescriptorProto) {
        let index = proto.oneof_decl.len() as i32;
        self.nested(&[8, index], |l| {
            l.declare(&[], node.first, node.end, node.first + 2);
            l.locate(&[1], node.first + 1, node.first + 2);
        });
        let name = self.tree.identifier(node.first + 1).to_owned();
        proto.oneof_decl.push(OneofDescriptorProto { name: Some(name), ..Default::default() });
        for (child, item) in self.children(id) {
            match item.kind {
                NodeKind::OptionStatement => {
                    self.nested(&[8, index], |l| l.option_statement(child, item, ElementKind::Oneof));
                }
                NodeKind::Field | NodeKind::Group => {
                    if let Some((_, token)) = self.label(child) {
                        let fault =
                            self.fault_at_token("label-in-oneof", token, "fields of a oneof have no label");
                        fault.help = Some("at most one of them is set at a time".into());
                    }
                    if let Some((_, map)) = self.tree.child(child, NodeKind::MapType) {
                        let span = self.tree.span(map.first, map.end);
                        self.fault("map-in-oneof", span, "map fields are not allowed in a oneof")
                            .help
                            .replace("wrap the map in a message".into());
                    }
                    self.field(child, item, proto, Some(index));
                }
                _ => {}
            }
        }
        self.recorder.close(self.tree, node.end - 1);
    }

    /// `extend M { ... }` in a file or a message.
    pub(super) fn extend(
        &mut self,
        id: NodeId,
        node: &Node,
        extensions: &mut Vec<FieldDescriptorProto>,
        messages: &mut Vec<DescriptorProto>,
        extension_field: i32,
        message_field: i32,
    ) {
        let Some((_, extendee)) = self.tree.child(id, NodeKind::Type) else { return };
        let extendee = (extendee.first, extendee.end);
        self.declare(&[extension_field], node.first, node.end, extendee.1);
        let name = self.dotted_name(extendee.0, extendee.1);
        for (child, item) in self.children(id) {
            if matches!(item.kind, NodeKind::Field | NodeKind::Group) {
                let path = [extension_field, extensions.len() as i32];
                let field = FieldDescriptorProto { extendee: Some(name.clone()), ..Default::default() };
                let group_path = [message_field, messages.len() as i32];
                let (field, nested) = self.any_field(child, item, field, &path, &group_path, Some(extendee));
                extensions.push(field);
                messages.extend(nested);
            }
        }
        self.recorder.close(self.tree, node.end - 1);
    }

    fn extensions(&mut self, id: NodeId, node: &Node, proto: &mut DescriptorProto) {
        self.declare(&[5], node.first, node.end, node.end - 1);
        let start = proto.extension_range.len();
        for (_, range) in self.children(id).filter(|(_, item)| item.kind == NodeKind::Range) {
            let index = proto.extension_range.len() as i32;
            let (first, end) = self.number_range(&[5, index], range);
            proto.extension_range.push(ExtensionRange {
                start: Some(first),
                end: Some(end),
                ..Default::default()
            });
        }
        // Options stand once and count for every range of the statement.
        for index in start..proto.extension_range.len() {
            self.nested(&[5, index as i32], |l| l.compact_options(id, ElementKind::ExtensionRange));
        }
    }

    fn reserved(&mut self, id: NodeId, node: &Node, proto: &mut DescriptorProto) {
        if self.tree.token(node.first + 1).kind != TokenKind::Integer {
            self.reserved_names(node, 10, &mut proto.reserved_name, "field name");
            return;
        }
        self.declare(&[9], node.first, node.end, node.end - 1);
        for (_, range) in self.children(id) {
            let (first, end) = self.number_range(&[9, proto.reserved_range.len() as i32], range);
            proto.reserved_range.push(ReservedRange {
                start: Some(first),
                end: Some(end),
                ..Default::default()
            });
        }
    }

    /// `reserved "a", "b";` or, in editions, `reserved a, b;`
    pub(super) fn reserved_names(&mut self, node: &Node, field: i32, names: &mut Vec<String>, what: &str) {
        let first = node.first + 1;
        let strings = self.tree.token(first).kind == TokenKind::String;
        if strings == self.is_editions() {
            let span = self.tree.span(first, node.end - 1);
            let message = if strings {
                "in editions, reserved names are identifiers, not strings"
            } else {
                "reserved names are quoted before edition 2023"
            };
            self.fault("reserved-name-form", span, message).help =
                Some(if strings { "drop the quotes" } else { "put the names in quotes" }.into());
        }
        self.declare(&[field], node.first, node.end, node.end - 1);
        let mut token = first;
        while token < node.end - 1 {
            let start = token;
            while token < node.end - 1 && self.tree.token(token).symbol != b',' {
                token += 1;
            }
            self.locate(&[field, names.len() as i32], start, token);
            let name = if strings {
                let name = self.string(start, token);
                let name = self.utf8(name, start, "a reserved name");
                if !dunlin_protobuf::names::is_identifier(&name) {
                    let span = self.tree.span(start, token);
                    let fault = self.fault(
                        "odd-reserved-name",
                        span,
                        format!("\"{name}\" is reserved as a {what} but is not an identifier"),
                    );
                    fault.is_warning = true;
                }
                name
            } else {
                self.tree.identifier(start).to_owned()
            };
            names.push(name);
            token += 1; // the comma
        }
    }

    /// A range of field numbers; the end is exclusive.
    fn number_range(&mut self, path: &[i32], node: &Node) -> (i32, i32) {
        self.locate(path, node.first, node.end);
        let at = |step: i32| [path, &[step]].concat();
        self.locate(&at(1), node.first, node.first + 1);
        let start = self.range_number(node.first);
        let is_range = node.end > node.first + 1;
        let end_token = if is_range { node.first + 2 } else { node.first };
        self.locate(&at(2), end_token, end_token + 1);
        let end = if !is_range {
            start.saturating_add(1)
        } else if self.tree.token(end_token).keyword == Keyword::Max {
            TO_MAX
        } else {
            self.range_number(end_token).saturating_add(1)
        };
        (start, end)
    }

    fn range_number(&mut self, token: u32) -> i32 {
        self.integer(token, i32::MAX as u64 - 1) as i32
    }

    // What `max` means is known when all options of the message are.
    fn set_max(&mut self, proto: &mut DescriptorProto) {
        let ends = || [TO_MAX, MAX_FIELD_NUMBER as i32 + 1];
        let any = proto.extension_range.iter().any(|r| r.end == Some(TO_MAX))
            || proto.reserved_range.iter().any(|r| r.end == Some(TO_MAX));
        if !any {
            return;
        }
        let max = if self.is_message_set() { i32::MAX } else { ends()[1] };
        let ranges = proto.extension_range.iter_mut().map(|r| &mut r.end);
        for end in ranges.chain(proto.reserved_range.iter_mut().map(|r| &mut r.end)) {
            if *end == Some(TO_MAX) {
                *end = Some(max);
            }
        }
    }

    fn check_map_entry(&mut self) {
        let Some(options) = self.options_of(ElementKind::Message) else { return };
        let set = options
            .statements
            .iter()
            .find(|s| s.name.first().is_some_and(|p| !p.is_extension && p.text == "map_entry"))
            .map(|s| s.name_span);
        if let Some(span) = set {
            let fault = self.fault("explicit-map-entry", span, "`map_entry` cannot be set by hand");
            fault.help = Some("write a field of type `map<K, V>`".into());
        }
    }
}

/// Gives every proto3 `optional` field a oneof of its own, behind the real ones.
fn synthetic_oneofs(proto: &mut DescriptorProto) {
    if !proto.field.iter().any(|field| field.proto3_optional == Some(true)) {
        return;
    }
    let fields = proto.field.iter().filter_map(|f| f.name.clone());
    let mut taken: std::collections::HashSet<String> =
        fields.chain(proto.oneof_decl.iter().filter_map(|o| o.name.clone())).collect();
    for field in proto.field.iter_mut().filter(|field| field.proto3_optional == Some(true)) {
        let mut name = field.name.clone().unwrap_or_default();
        if !name.starts_with('_') {
            name.insert(0, '_');
        }
        while taken.contains(&name) {
            name.insert(0, 'X');
        }
        taken.insert(name.clone());
        field.oneof_index = Some(proto.oneof_decl.len() as i32);
        proto.oneof_decl.push(OneofDescriptorProto { name: Some(name), ..Default::default() });
    }
}
