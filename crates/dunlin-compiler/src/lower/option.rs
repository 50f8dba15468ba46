use super::Lowering;
use crate::syntax::{Keyword, Node, NodeId, NodeKind, Span, Token, TokenKind, literal};

/// What an option is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ElementKind {
    File,
    Message,
    Field,
    Oneof,
    ExtensionRange,
    Enum,
    EnumValue,
    Service,
    Method,
}

impl ElementKind {
    /// The number of the element's `options` field.
    pub(crate) fn options_field(self) -> i32 {
        match self {
            Self::File | Self::Field => 8,
            Self::Message => 7,
            Self::Oneof => 2,
            Self::ExtensionRange | Self::Enum | Self::EnumValue | Self::Service => 3,
            Self::Method => 4,
        }
    }

    /// The name of the message that holds the options.
    pub(crate) fn options_message(self) -> &'static str {
        match self {
            Self::File => "google.protobuf.FileOptions",
            Self::Message => "google.protobuf.MessageOptions",
            Self::Field => "google.protobuf.FieldOptions",
            Self::Oneof => "google.protobuf.OneofOptions",
            Self::ExtensionRange => "google.protobuf.ExtensionRangeOptions",
            Self::Enum => "google.protobuf.EnumOptions",
            Self::EnumValue => "google.protobuf.EnumValueOptions",
            Self::Service => "google.protobuf.ServiceOptions",
            Self::Method => "google.protobuf.MethodOptions",
        }
    }

    /// How messages call the element.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Message => "message",
            Self::Field => "field",
            Self::Oneof => "oneof",
            Self::ExtensionRange => "extension range",
            Self::Enum => "enum",
            Self::EnumValue => "enum value",
            Self::Service => "service",
            Self::Method => "method",
        }
    }

    /// Its bit in `FieldOptions.targets`: the number of its `OptionTargetType`.
    pub(crate) fn target(self) -> u16 {
        let number = match self {
            Self::File => 1,
            Self::ExtensionRange => 2,
            Self::Message => 3,
            Self::Field => 4,
            Self::Oneof => 5,
            Self::Enum => 6,
            Self::EnumValue => 7,
            Self::Service => 8,
            Self::Method => 9,
        };
        1 << number
    }
}

/// The options of one element, as written.
#[derive(Clone, Debug)]
pub(crate) struct PendingOptions {
    /// The path of the element.
    pub(crate) path: Vec<i32>,
    pub(crate) kind: ElementKind,
    pub(crate) statements: Vec<OptionStatement>,
}

#[derive(Clone, Debug)]
pub(crate) struct OptionStatement {
    pub(crate) name: Vec<NamePart>,
    pub(crate) name_span: Span,
    pub(crate) value: OptionValue,
    pub(crate) value_span: Span,
}

#[derive(Clone, Debug)]
pub(crate) struct NamePart {
    /// Without parentheses.
    pub(crate) text: String,
    pub(crate) is_extension: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum OptionValue {
    Identifier(String),
    Positive(u64),
    Negative(i64),
    Double(f64),
    String(Vec<u8>),
    /// The tokens between the braces.
    Aggregate(Box<[Token]>),
}

impl OptionStatement {
    /// True for a plain name of one part.
    pub(crate) fn is_plain(&self, name: &str) -> bool {
        matches!(&self.name[..], [part] if !part.is_extension && part.text == name)
    }

    pub(crate) fn is_identifier(&self, text: &str) -> bool {
        matches!(&self.value, OptionValue::Identifier(value) if value == text)
    }

    /// The whole name, as written.
    pub(crate) fn display_name(&self) -> String {
        display_name(&self.name)
    }
}

/// An option's name as written.
pub(crate) fn display_name(parts: &[NamePart]) -> String {
    let parts: Vec<String> = parts
        .iter()
        .map(|part| if part.is_extension { format!("({})", part.text) } else { part.text.clone() })
        .collect();
    parts.join(".")
}

impl Lowering<'_> {
    /// `option name = value;`
    pub(super) fn option_statement(&mut self, id: NodeId, node: &Node, kind: ElementKind) {
        let pending = self.pending(kind);
        let statement = self.option(id);
        let index = self.options[pending as usize].statements.len() as u32;
        let mut path = self.path.clone();
        path.push(kind.options_field());
        let tokens = (node.first, node.end);
        self.recorder.option(self.tree, &path, (pending, None), tokens, None);
        self.recorder.option(self.tree, &path, (pending, Some(index)), tokens, Some(node.end - 1));
        self.options[pending as usize].statements.push(statement);
    }

    /// `[name = value, ...]`; returns the index of the pending options, if there are any.
    pub(super) fn compact_options(&mut self, id: NodeId, kind: ElementKind) -> Option<u32> {
        let (list, node) = self.tree.child(id, NodeKind::CompactOptions)?;
        self.compact_option_list(list, node, kind, |_, _, _| {})
    }

    /// The same, with `other` for the items that are not options.
    pub(super) fn compact_option_list(
        &mut self,
        list: NodeId,
        node: &Node,
        kind: ElementKind,
        mut other: impl FnMut(&mut Self, NodeId, &Node),
    ) -> Option<u32> {
        let mut path = self.path.clone();
        path.push(kind.options_field());
        let has_options = self.children(list).any(|(_, item)| item.kind == NodeKind::CompactOption);
        let pending = if has_options {
            let pending = self.pending(kind);
            self.recorder.option(self.tree, &path, (pending, None), (node.first, node.end), None);
            Some(pending)
        } else {
            // The list stands for the element's options even if none of its items is one.
            self.recorder.locate(self.tree, &path, &[], node.first, node.end);
            None
        };
        for (item, item_node) in self.children(list) {
            match (item_node.kind, pending) {
                (NodeKind::CompactOption, Some(pending)) => {
                    let statement = self.option(item);
                    let index = self.options[pending as usize].statements.len() as u32;
                    let tokens = (item_node.first, item_node.end);
                    self.recorder.option(self.tree, &path, (pending, Some(index)), tokens, None);
                    self.options[pending as usize].statements.push(statement);
                }
                _ => other(self, item, item_node),
            }
        }
        pending
    }

    /// The entry for the current element's options, made if need be.
    fn pending(&mut self, kind: ElementKind) -> u32 {
        let last = self.options.last();
        if last.is_some_and(|p| p.kind == kind && p.path == self.path) {
            return self.options.len() as u32 - 1;
        }
        let next = self.options.len() as u32;
        // Only what has a body can have options in several places.
        let index = match kind {
            ElementKind::Field | ElementKind::EnumValue | ElementKind::ExtensionRange => next,
            _ => *self.open_options.entry((kind, self.path.clone())).or_insert(next),
        };
        if index == next {
            self.options.push(PendingOptions { path: self.path.clone(), kind, statements: Vec::new() });
        }
        index
    }

    fn option(&mut self, id: NodeId) -> OptionStatement {
        let tree = self.tree;
        let mut name = Vec::new();
        let mut name_span = Span::default();
        let mut value = (OptionValue::Positive(0), Span::default());
        for (child, node) in tree.children(id) {
            match node.kind {
                NodeKind::OptionNamePart => {
                    let is_extension = tree.token(node.first).symbol == b'(';
                    let inside = u32::from(is_extension);
                    let text = self.dotted_name(node.first + inside, node.end - inside);
                    let span = tree.span(node.first, node.end);
                    name_span = if name.is_empty() { span } else { name_span.to(span) };
                    name.push(NamePart { text, is_extension });
                }
                NodeKind::Value => value = (self.value(child, node), tree.span(node.first, node.end)),
                _ => {}
            }
        }
        OptionStatement { name, name_span, value: value.0, value_span: value.1 }
    }

    fn value(&mut self, id: NodeId, node: &Node) -> OptionValue {
        let tree = self.tree;
        if let Some((_, aggregate)) = tree.child(id, NodeKind::Aggregate) {
            let inner = aggregate.first as usize + 1..aggregate.end as usize - 1;
            return OptionValue::Aggregate(tree.tokens()[inner].into());
        }
        let negative = tree.token(node.first).symbol == b'-';
        let token = node.first + u32::from(negative);
        match tree.token(token).kind {
            TokenKind::String => OptionValue::String(self.string(token, node.end)),
            TokenKind::Identifier if negative => match tree.identifier(token) {
                "inf" => OptionValue::Double(f64::NEG_INFINITY),
                _ => OptionValue::Double(f64::NAN),
            },
            TokenKind::Identifier => OptionValue::Identifier(tree.identifier(token).to_owned()),
            TokenKind::Integer => {
                let text = tree.bytes(token);
                let max = if negative { 1 << 63 } else { u64::MAX };
                match literal::integer(text, max) {
                    Some(value) if negative => OptionValue::Negative((value as i64).wrapping_neg()),
                    Some(value) => OptionValue::Positive(value),
                    None => self.double(token, negative),
                }
            }
            _ => self.double(token, negative),
        }
    }

    // A float, or a decimal integer that is too large to be anything else.
    fn double(&mut self, token: u32, negative: bool) -> OptionValue {
        let value = self.number(token);
        OptionValue::Double(if negative { -value } else { value })
    }

    /// The value of a number token as a double.
    pub(super) fn number(&mut self, token: u32) -> f64 {
        let text = self.tree.bytes(token);
        let is_radix = self.tree.token(token).kind == TokenKind::Integer && text.len() > 1 && text[0] == b'0';
        let value = if is_radix {
            literal::integer(text, u64::MAX).map(|value| value as f64)
        } else if self.tree.token(token).kind == TokenKind::Integer {
            literal::integer(text, u64::MAX).map(|value| value as f64).or_else(|| literal::float(text))
        } else {
            literal::float(text)
        };
        value.unwrap_or_else(|| {
            self.fault_at_token("integer-out-of-range", token, "number is out of range");
            0.0
        })
    }

    /// Options copied from the map field to a field of its entry: features only.
    pub(super) fn copy_features(&mut self, pending: u32, path: Vec<i32>) {
        let is_feature =
            |s: &&OptionStatement| s.name.first().is_some_and(|p| !p.is_extension && p.text == "features");
        let statements: Vec<OptionStatement> =
            self.options[pending as usize].statements.iter().filter(is_feature).cloned().collect();
        if !statements.is_empty() {
            self.options.push(PendingOptions { path, kind: ElementKind::Field, statements });
        }
    }

    /// True if the current message says `option message_set_wire_format = true`.
    pub(super) fn is_message_set(&self) -> bool {
        self.options_of(ElementKind::Message).is_some_and(|options| {
            options
                .statements
                .iter()
                .any(|s| s.is_plain("message_set_wire_format") && s.is_identifier("true"))
        })
    }

    /// The options of the current element so far.
    pub(super) fn options_of(&self, kind: ElementKind) -> Option<&PendingOptions> {
        let index = *self.open_options.get(&(kind, self.path.clone()))?;
        self.options.get(index as usize)
    }

    /// The label of a field, and its token.
    pub(super) fn label(&self, id: NodeId) -> Option<(Keyword, u32)> {
        let (_, node) = self.tree.child(id, NodeKind::Label)?;
        Some((self.tree.token(node.first).keyword, node.first))
    }
}
