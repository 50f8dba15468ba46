use std::collections::HashSet;

use dunlin_protobuf::descriptor::{EnumDescriptorProto, EnumReservedRange, EnumValueDescriptorProto};

use super::{ElementKind, Lowering};
use crate::syntax::{Keyword, Node, NodeId, NodeKind, TokenKind};

impl Lowering<'_> {
    pub(super) fn enumeration(&mut self, id: NodeId, node: &Node) -> EnumDescriptorProto {
        let mut proto = EnumDescriptorProto::default();
        let keyword = self.visibility(node, &mut proto.visibility);
        self.declare(&[], keyword, node.end, keyword + 2);
        self.locate(&[1], keyword + 1, keyword + 2);
        proto.name = Some(self.tree.identifier(keyword + 1).to_owned());
        for (child, item) in self.children(id) {
            match item.kind {
                NodeKind::EnumValue => {
                    let index = proto.value.len() as i32;
                    let value = self.nested(&[2, index], |l| l.enum_value(child, item));
                    proto.value.push(value);
                }
                NodeKind::Reserved => self.enum_reserved(child, item, &mut proto),
                NodeKind::OptionStatement => self.option_statement(child, item, ElementKind::Enum),
                NodeKind::Empty => self.recorder.pass(self.tree, item.end - 1),
                _ => {}
            }
        }
        self.recorder.close(self.tree, node.end - 1);
        self.check_alias(&proto);
        proto
    }

    fn enum_value(&mut self, id: NodeId, node: &Node) -> EnumValueDescriptorProto {
        self.declare(&[], node.first, node.end, node.end - 1);
        self.locate(&[1], node.first, node.first + 1);
        let (number, tokens) = self.signed_32(node.first + 2);
        self.locate(&[2], node.first + 2, node.first + 2 + tokens);
        self.compact_options(id, ElementKind::EnumValue);
        EnumValueDescriptorProto {
            name: Some(self.tree.identifier(node.first).to_owned()),
            number: Some(number),
            ..Default::default()
        }
    }

    fn enum_reserved(&mut self, id: NodeId, node: &Node, proto: &mut EnumDescriptorProto) {
        let kind = self.tree.token(node.first + 1).kind;
        if matches!(kind, TokenKind::String | TokenKind::Identifier) {
            self.reserved_names(node, 5, &mut proto.reserved_name, "enum value");
            return;
        }
        self.declare(&[4], node.first, node.end, node.end - 1);
        for (_, range) in self.children(id) {
            let path = [4, proto.reserved_range.len() as i32];
            self.locate(&path, range.first, range.end);
            let (start, tokens) = self.signed_32(range.first);
            self.locate(&[path[0], path[1], 1], range.first, range.first + tokens);
            let mut end = start;
            if range.end == range.first + tokens {
                // A single number is its own end; of a negative one, only the sign is its place.
                self.locate(&[path[0], path[1], 2], range.first, range.first + 1);
            } else {
                let end_token = range.first + tokens + 1;
                self.locate(&[path[0], path[1], 2], end_token, range.end);
                end = if self.tree.token(end_token).keyword == Keyword::Max {
                    i32::MAX
                } else {
                    self.signed_32(end_token).0
                };
            }
            proto.reserved_range.push(EnumReservedRange {
                start: Some(start),
                end: Some(end),
                ..Default::default()
            });
        }
    }

    // `allow_alias` has to be true, and to be needed.
    fn check_alias(&mut self, proto: &EnumDescriptorProto) {
        let Some(options) = self.options_of(ElementKind::Enum) else { return };
        let Some(alias) = options.statements.iter().find(|s| s.is_plain("allow_alias")) else { return };
        let span = alias.name_span.to(alias.value_span);
        let name = proto.name.as_deref().unwrap_or_default();
        if !alias.is_identifier("true") {
            let fault = self.fault("useless-allow-alias", span, "`allow_alias = false` has no effect");
            fault.help = Some("remove the option".into());
            return;
        }
        let mut numbers = HashSet::new();
        if proto.value.iter().all(|value| numbers.insert(value.number)) {
            let message = format!("enum \"{name}\" allows aliases, but no two of its values share a number");
            self.fault("useless-allow-alias", span, message).help = Some("remove the option".into());
        }
    }
}
