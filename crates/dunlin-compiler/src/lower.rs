//! From a syntax tree to a descriptor whose names are not resolved yet.
//!
//! One walk over the tree, in source order, builds the [`FileDescriptorProto`], collects the
//! options to be interpreted, notes where everything stands, and reports what the grammar of the
//! file's own edition does not allow.

mod enums;
mod field;
pub(crate) mod location;
mod message;
mod option;
mod service;

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use dunlin_protobuf::descriptor::{Edition, FileDescriptorProto};

use crate::syntax::{Keyword, Node, NodeId, NodeKind, Span, SyntaxFault, TokenKind, Tree, literal};
pub(crate) use field::to_float;
use location::Recorder;
pub(crate) use option::{ElementKind, NamePart, OptionStatement, OptionValue, PendingOptions, display_name};

/// A file as lowering leaves it.
#[derive(Debug)]
pub(crate) struct Lowered {
    pub(crate) proto: FileDescriptorProto,
    pub(crate) options: Vec<PendingOptions>,
    pub(crate) recorder: Recorder,
    pub(crate) faults: Vec<SyntaxFault>,
}

/// Lowers `tree`, which is the file `path`.
pub(crate) fn lower(tree: &Tree<'_>, path: &str, recorder: Recorder) -> Lowered {
    let mut lowering = Lowering {
        tree,
        recorder,
        faults: Vec::new(),
        options: Vec::new(),
        open_options: HashMap::default(),
        path: Vec::new(),
        edition: Edition::EDITION_PROTO2,
    };
    let mut proto = FileDescriptorProto { name: Some(path.to_owned()), ..Default::default() };
    lowering.file(&mut proto);
    Lowered { proto, options: lowering.options, recorder: lowering.recorder, faults: lowering.faults }
}

struct Lowering<'t> {
    tree: &'t Tree<'t>,
    recorder: Recorder,
    faults: Vec<SyntaxFault>,
    options: Vec<PendingOptions>,
    /// The entries of `options` by element.
    open_options: HashMap<(ElementKind, Vec<i32>), u32, RandomState>,
    /// The path of the element being lowered.
    path: Vec<i32>,
    edition: Edition,
}

impl<'t> Lowering<'t> {
    fn file(&mut self, proto: &mut FileDescriptorProto) {
        let tree = self.tree;
        let root = *tree.node(tree.root());
        self.recorder.begin(tree);
        self.recorder.root(tree, root.first, root.end);
        let first = tree.children(tree.root()).next().map(|(_, node)| node.kind);
        if first != Some(NodeKind::Syntax) && !tree.tokens()[0].keyword.eq(&Keyword::Syntax) {
            let start = tree.token(0).span().start;
            let fault = self.fault(
                "missing-syntax",
                Span::new(start, start),
                "file does not say its edition; proto2 is assumed",
            );
            fault.is_warning = true;
            fault.help = Some("start the file with `edition = \"2024\";` or `syntax = \"proto3\";`".into());
        }
        for (id, node) in tree.children(tree.root()) {
            match node.kind {
                NodeKind::Syntax => self.syntax(node, proto),
                NodeKind::Package => self.package(node, proto),
                NodeKind::Import => self.import(node, proto),
                NodeKind::OptionStatement => {
                    self.option_statement(id, node, ElementKind::File);
                }
                NodeKind::Message => {
                    let index = proto.message_type.len() as i32;
                    let message = self.nested(&[4, index], |l| l.message(id, node));
                    proto.message_type.push(message);
                }
                NodeKind::Enum => {
                    let index = proto.enum_type.len() as i32;
                    let entry = self.nested(&[5, index], |l| l.enumeration(id, node));
                    proto.enum_type.push(entry);
                }
                NodeKind::Service => {
                    let index = proto.service.len() as i32;
                    let service = self.nested(&[6, index], |l| l.service(id, node));
                    proto.service.push(service);
                }
                NodeKind::Extend => {
                    self.extend(id, node, &mut proto.extension, &mut proto.message_type, 7, 4);
                }
                NodeKind::Empty => self.recorder.pass(tree, node.end - 1),
                _ => {}
            }
        }
    }

    /// Runs `lower` with the path extended by `steps`.
    fn nested<T>(&mut self, steps: &[i32], lower: impl FnOnce(&mut Self) -> T) -> T {
        let len = self.path.len();
        self.path.extend_from_slice(steps);
        let value = lower(self);
        self.path.truncate(len);
        value
    }

    /// Notes where tokens `first..end` stand, under the path with `steps` behind it.
    fn locate(&mut self, steps: &[i32], first: u32, end: u32) {
        self.recorder.locate(self.tree, &self.path, steps, first, end);
    }

    /// The same for a declaration that ends, as far as comments go, at token `end_token`.
    fn declare(&mut self, steps: &[i32], first: u32, end: u32, end_token: u32) {
        self.recorder.declare(self.tree, &self.path, steps, first, end, end_token);
    }

    fn fault(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> &mut SyntaxFault {
        self.faults.push(SyntaxFault {
            code,
            span,
            message: message.into(),
            help: None,
            replacement: None,
            is_warning: false,
        });
        self.faults.last_mut().expect("pushed just now")
    }

    fn fault_at_token(
        &mut self,
        code: &'static str,
        token: u32,
        message: impl Into<String>,
    ) -> &mut SyntaxFault {
        self.fault(code, self.tree.token(token).span(), message)
    }

    fn is_editions(&self) -> bool {
        self.edition >= Edition::EDITION_2023
    }

    fn syntax(&mut self, node: &Node, proto: &mut FileDescriptorProto) {
        self.declare(&[12], node.first, node.end, node.end - 1);
        let is_edition = self.tree.token(node.first).keyword == Keyword::Edition;
        let value = self.string(node.first + 2, node.end - 1);
        let span = self.tree.span(node.first + 2, node.end - 1);
        let text = String::from_utf8_lossy(&value).into_owned();
        let known: &[(&str, Edition)] = if is_edition {
            &[
                ("2023", Edition::EDITION_2023),
                ("2024", Edition::EDITION_2024),
                ("2026", Edition::EDITION_2026),
                // For what is being tried out; who may use it is checked with the rest of the file.
                ("UNSTABLE", Edition::EDITION_UNSTABLE),
            ]
        } else {
            &[("proto2", Edition::EDITION_PROTO2), ("proto3", Edition::EDITION_PROTO3)]
        };
        match known.iter().find(|(name, _)| *name == text) {
            Some(&(_, edition)) => self.edition = edition,
            None => {
                let (what, names) = if is_edition {
                    ("edition", "2023, 2024 and 2026")
                } else {
                    ("syntax", "proto2 and proto3")
                };
                let message = format!("unknown {what} \"{text}\"");
                self.fault("unknown-edition", span, message).help = Some(format!("known are {names}"));
            }
        }
        proto.syntax = match self.edition {
            Edition::EDITION_PROTO2 => None,
            Edition::EDITION_PROTO3 => Some("proto3".into()),
            edition => {
                proto.edition = Some(edition);
                Some("editions".into())
            }
        };
    }

    fn package(&mut self, node: &Node, proto: &mut FileDescriptorProto) {
        self.declare(&[2], node.first, node.end, node.end - 1);
        let name = self.dotted_name(node.first + 1, node.end - 1);
        if proto.package.is_some() {
            let span = self.tree.span(node.first, node.end);
            self.fault("duplicate-package", span, "a file can be in one package only");
        }
        proto.package = Some(name);
    }

    fn import(&mut self, node: &Node, proto: &mut FileDescriptorProto) {
        let modifier = self.tree.token(node.first + 1).keyword;
        let has_modifier = self.tree.token(node.first + 1).kind == TokenKind::Identifier;
        let path_token = node.first + 1 + u32::from(has_modifier);
        let path = self.string(path_token, node.end - 1);
        let path = self.utf8(path, path_token, "the path of an import");
        if modifier == Keyword::Option {
            if self.edition < Edition::EDITION_2024 {
                self.fault_at_token(
                    "option-import-too-early",
                    node.first + 1,
                    "`import option` needs edition 2024",
                );
            }
            self.declare(&[15, proto.option_dependency.len() as i32], node.first, node.end, node.end - 1);
            proto.option_dependency.push(path);
            return;
        }
        if !proto.option_dependency.is_empty() {
            let span = self.tree.span(node.first, node.end);
            self.fault("import-order", span, "plain imports have to stand before all option imports");
        }
        let index = proto.dependency.len() as i32;
        self.declare(&[3, index], node.first, node.end, node.end - 1);
        match modifier {
            Keyword::Public => {
                let step = proto.public_dependency.len() as i32;
                self.locate(&[10, step], node.first + 1, node.first + 2);
                proto.public_dependency.push(index);
            }
            Keyword::Weak => {
                if self.edition >= Edition::EDITION_2024 {
                    let fault = self.fault_at_token(
                        "weak-import-removed",
                        node.first + 1,
                        "`import weak` does not exist from edition 2024 on",
                    );
                    fault.help = Some("use `import option` for custom options, or a plain import".into());
                }
                let step = proto.weak_dependency.len() as i32;
                self.locate(&[11, step], node.first + 1, node.first + 2);
                proto.weak_dependency.push(index);
            }
            _ => {}
        }
        proto.dependency.push(path);
    }

    // ---- tokens

    /// The joined value of the string tokens in `first..end`.
    fn string(&self, first: u32, end: u32) -> Vec<u8> {
        let mut value = Vec::new();
        for token in first..end {
            literal::append_string(self.tree.bytes(token), &mut value);
        }
        value
    }

    /// Text that a descriptor holds as a string and that therefore has to be UTF-8.
    fn utf8(&mut self, bytes: Vec<u8>, token: u32, what: &str) -> String {
        String::from_utf8(bytes).unwrap_or_else(|error| {
            self.fault_at_token("not-utf8", token, format!("{what} has to be valid UTF-8"));
            String::from_utf8_lossy(error.as_bytes()).into_owned()
        })
    }

    /// The tokens `first..end` without what stands between them.
    fn dotted_name(&self, first: u32, end: u32) -> String {
        let mut name = String::new();
        for token in first..end {
            name.push_str(&String::from_utf8_lossy(self.tree.bytes(token)));
        }
        name
    }

    /// The value of the integer token `token`, reported and 0 if it is larger than `max`.
    fn integer(&mut self, token: u32, max: u64) -> u64 {
        literal::integer(self.tree.bytes(token), max).unwrap_or_else(|| {
            self.fault_at_token(
                "integer-out-of-range",
                token,
                format!("integer is out of range; the largest is {max}"),
            );
            0
        })
    }

    /// A number with an optional sign, starting at `token`; also how many tokens it takes.
    fn signed_32(&mut self, token: u32) -> (i32, u32) {
        if self.tree.token(token).symbol == b'-' {
            let value = self.integer(token + 1, 1 << 31);
            ((value as i64).wrapping_neg() as i32, 2)
        } else {
            (self.integer(token, i32::MAX as u64) as i32, 1)
        }
    }

    fn children(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &'t Node)> + use<'t> {
        self.tree.children(id)
    }
}
