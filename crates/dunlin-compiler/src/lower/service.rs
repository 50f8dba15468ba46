use dunlin_protobuf::descriptor::{MethodDescriptorProto, ServiceDescriptorProto};

use super::{ElementKind, Lowering};
use crate::syntax::{Keyword, Node, NodeId, NodeKind};

impl Lowering<'_> {
    pub(super) fn service(&mut self, id: NodeId, node: &Node) -> ServiceDescriptorProto {
        self.declare(&[], node.first, node.end, node.first + 2);
        self.locate(&[1], node.first + 1, node.first + 2);
        let name = self.tree.identifier(node.first + 1).to_owned();
        let mut proto = ServiceDescriptorProto { name: Some(name), ..Default::default() };
        for (child, item) in self.children(id) {
            match item.kind {
                NodeKind::Rpc => {
                    let index = proto.method.len() as i32;
                    let method = self.nested(&[2, index], |l| l.method(child, item));
                    proto.method.push(method);
                }
                NodeKind::OptionStatement => self.option_statement(child, item, ElementKind::Service),
                NodeKind::Empty => self.recorder.pass(self.tree, item.end - 1),
                _ => {}
            }
        }
        self.recorder.close(self.tree, node.end - 1);
        proto
    }

    fn method(&mut self, id: NodeId, node: &Node) -> MethodDescriptorProto {
        let tree = self.tree;
        let types: Vec<(u32, u32)> = tree
            .children(id)
            .filter(|(_, n)| n.kind == NodeKind::Type)
            .map(|(_, n)| (n.first, n.end))
            .collect();
        let [input, output] = types[..] else { return MethodDescriptorProto::default() };
        // Behind the closing parenthesis: a semicolon, or the block of options.
        let end_token = output.1 + 1;
        self.declare(&[], node.first, node.end, end_token);
        self.locate(&[1], node.first + 1, node.first + 2);
        let client_streaming = self.stream(input.0, 5);
        self.locate(&[2], input.0, input.1);
        let server_streaming = self.stream(output.0, 6);
        self.locate(&[3], output.0, output.1);
        let has_block = tree.token(end_token).symbol == b'{';
        for (child, item) in self.children(id) {
            match item.kind {
                NodeKind::OptionStatement => self.option_statement(child, item, ElementKind::Method),
                NodeKind::Empty => self.recorder.pass(tree, item.end - 1),
                _ => {}
            }
        }
        if has_block {
            self.recorder.close(tree, node.end - 1);
        }
        MethodDescriptorProto {
            name: Some(tree.identifier(node.first + 1).to_owned()),
            input_type: Some(self.dotted_name(input.0, input.1)),
            output_type: Some(self.dotted_name(output.0, output.1)),
            // A block counts as options even if it holds none.
            options: has_block.then(Box::default),
            client_streaming,
            server_streaming,
            ..Default::default()
        }
    }

    /// Whether `stream` stands before the type at token `ty`.
    fn stream(&mut self, ty: u32, step: i32) -> Option<bool> {
        if self.tree.token(ty - 1).keyword != Keyword::Stream {
            return None;
        }
        self.locate(&[step], ty - 1, ty);
        Some(true)
    }
}
