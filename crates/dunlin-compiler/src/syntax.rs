//! From text to a lossless syntax tree.
//!
//! [`Tree::parse`] never fails: it returns a tree over everything that the text holds, and the
//! faults that it found. Each token is in the tree, each comment lies in a gap between tokens, and
//! [`Tree::text`] gives the source back byte for byte.

pub mod comments;
mod lexer;
pub mod literal;
mod parser;
mod token;
mod tree;

pub use token::{Keyword, Token, TokenKind};
pub use tree::{Node, NodeId, NodeKind, Tree};

/// A stretch of a source, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// The stretch as a range of indexes.
    pub const fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }
}

/// More faults of one source than this are not listed; it is wrong either way, and showing a fault
/// takes time that grows with the line it is on.
const MAX_FAULTS: usize = 1_000;

/// Something that the grammar does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxFault {
    /// A stable name of the rule that was broken.
    pub code: &'static str,
    /// Where.
    pub span: Span,
    /// What is wrong, in one sentence.
    pub message: String,
    /// How to mend it.
    pub help: Option<String>,
    /// What to write at `span` instead.
    pub replacement: Option<String>,
    /// True for what the grammar allows but nobody should write.
    pub is_warning: bool,
}

impl SyntaxFault {
    fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { code, span, message: message.into(), help: None, replacement: None, is_warning: false }
    }
}
