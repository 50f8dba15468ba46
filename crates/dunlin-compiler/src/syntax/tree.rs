use super::token::{Token, TokenKind};
use super::{Span, SyntaxFault, lexer, parser};

/// The index of a node in its tree.
pub type NodeId = u32;

/// What a node stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[non_exhaustive]
pub enum NodeKind {
    /// The whole source.
    File,
    /// `syntax = "..." ;` or `edition = "..." ;`
    Syntax,
    /// `package a.b ;`
    Package,
    /// `import "..." ;` with its modifiers
    Import,
    /// `option ... ;`
    OptionStatement,
    /// One option of a bracketed list.
    CompactOption,
    /// `[ ... ]` behind a field, an enum value or a range
    CompactOptions,
    /// `default = ...` in a bracketed list
    Default,
    /// `json_name = ...` in a bracketed list
    JsonName,
    /// One part of an option's name, parentheses included
    OptionNamePart,
    /// The value of an option.
    Value,
    /// `{ ... }` as the value of an option, in text format
    Aggregate,
    /// `;` on its own
    Empty,
    /// `message M { ... }`
    Message,
    /// A field that is not a group.
    Field,
    /// `group G = 1 { ... }` with its label
    Group,
    /// `optional`, `required` or `repeated`
    Label,
    /// The type of a field, or a message type of a method.
    Type,
    /// `map<K, V>`
    MapType,
    /// `oneof o { ... }`
    Oneof,
    /// `extend M { ... }`
    Extend,
    /// `extensions 1 to 5, 7 [ ... ] ;`
    Extensions,
    /// `reserved ... ;`
    Reserved,
    /// One range of the two above.
    Range,
    /// `enum E { ... }`
    Enum,
    /// A value of an enum.
    EnumValue,
    /// `service S { ... }`
    Service,
    /// `rpc M(A) returns (B) ;` or with options in braces
    Rpc,
    /// Tokens that make no sense where they stand; a fault says why.
    Error,
}

/// A stretch of tokens that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The first token.
    pub first: u32,
    /// The token after the last.
    pub end: u32,
    /// The node after this one and everything in it.
    pub next: NodeId,
}

/// The syntax tree of one source.
///
/// Nodes lie in one array in the order in which they start, so a node's children follow it.
#[derive(Clone, Debug)]
pub struct Tree<'s> {
    source: &'s [u8],
    tokens: Vec<Token>,
    nodes: Vec<Node>,
}

impl<'s> Tree<'s> {
    /// Parses a source; what cannot be understood becomes [`NodeKind::Error`] nodes and faults.
    pub fn parse(source: &'s [u8]) -> (Self, Vec<SyntaxFault>) {
        let lexed = lexer::lex(source);
        let mut faults = lexed.faults;
        let nodes = parser::parse(source, &lexed.tokens, &mut faults);
        faults.sort_by_key(|fault| fault.span.start);
        (Self { source, tokens: lexed.tokens, nodes }, faults)
    }

    /// The source, byte for byte.
    pub fn text(&self) -> &'s [u8] {
        self.source
    }

    /// The root, a [`NodeKind::File`].
    pub fn root(&self) -> NodeId {
        0
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id as usize]
    }

    /// The direct children of a node, in order.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = (NodeId, &Node)> + '_ {
        let end = self.nodes[id as usize].next;
        let mut next = id + 1;
        std::iter::from_fn(move || {
            (next < end).then(|| {
                let child = next;
                next = self.nodes[child as usize].next;
                (child, &self.nodes[child as usize])
            })
        })
    }

    /// The first direct child of a kind.
    pub fn child(&self, id: NodeId, kind: NodeKind) -> Option<(NodeId, &Node)> {
        self.children(id).find(|(_, node)| node.kind == kind)
    }

    /// All tokens, the last being [`TokenKind::End`].
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// A token.
    pub fn token(&self, index: u32) -> &Token {
        &self.tokens[index as usize]
    }

    /// The bytes of a token.
    pub fn bytes(&self, index: u32) -> &'s [u8] {
        let token = &self.tokens[index as usize];
        &self.source[token.start as usize..token.end as usize]
    }

    /// The text of an identifier token.
    pub fn identifier(&self, index: u32) -> &'s str {
        debug_assert_eq!(self.tokens[index as usize].kind, TokenKind::Identifier);
        // Identifiers are ASCII, so this never falls back.
        std::str::from_utf8(self.bytes(index)).unwrap_or_default()
    }

    /// Where a stretch of tokens stands.
    pub fn span(&self, first: u32, end: u32) -> Span {
        let first_token = &self.tokens[first as usize];
        let last = end.max(first + 1) - 1;
        first_token.span().to(self.tokens[last as usize].span())
    }

    /// The white space and comments before a token.
    pub fn gap_before(&self, index: u32) -> &'s [u8] {
        &self.source[self.gap_span(index).range()]
    }

    /// Where the white space and comments before a token stand.
    pub fn gap_span(&self, index: u32) -> Span {
        let start = match index.checked_sub(1) {
            Some(before) => self.tokens[before as usize].end,
            None => 0,
        };
        Span::new(start, self.tokens[index as usize].start)
    }
}
