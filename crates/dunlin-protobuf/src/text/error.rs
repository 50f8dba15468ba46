use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::limits::LimitError;

/// Why text is not a message of the type it should be: what is wrong, in which field, where.
///
/// Its message reads like `4:17: lines.product.name: expected a string, found 42`.
#[derive(Clone, PartialEq, Eq)]
pub struct TextError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: TextErrorKind,
    line: usize,
    column: usize,
    /// Innermost first.
    path: Vec<String>,
}

/// What kind of fault a [`TextError`] tells of.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// Something else than the grammar, or the type of the field, allows here.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// What may stand here.
        expected: &'static str,
        /// What does stand here.
        found: String,
    },
    /// A number, string or name that is not well-formed.
    #[error("{0}")]
    Malformed(&'static str),
    /// A number that the field's type cannot hold.
    #[error("{value} is out of the range of {kind}")]
    OutOfRange {
        /// The number.
        value: String,
        /// The type.
        kind: &'static str,
    },
    /// A string that is not UTF-8 once its escapes are resolved, though it is to be, or is held as a `String`.
    #[error("the string is not valid UTF-8; bytes fields hold arbitrary bytes")]
    InvalidUtf8,
    /// A name that is no field of the message.
    #[error("{message} has no field `{name}`")]
    UnknownField {
        /// The name.
        name: String,
        /// The message type.
        message: String,
    },
    /// An extension that the registry does not have for the message.
    #[error("the registry has no extension [{name}] of {message}")]
    UnknownExtension {
        /// What stands between the brackets.
        name: String,
        /// The message type.
        message: String,
    },
    /// The type in an `Any` that the registry does not have.
    #[error("the registry has no message type {name}, which is in an Any")]
    UnknownType {
        /// The full name of the type.
        name: String,
    },
    /// A name that is no value of the enum, or a number that is none of a closed enum.
    #[error("enum {enumeration} has no value {value}")]
    UnknownEnumValue {
        /// The name or number.
        value: String,
        /// The enum type.
        enumeration: String,
    },
    /// A field with one value is given a second time.
    #[error("the field has one value and is set already")]
    AlreadySet,
    /// Another field of the same oneof is set already.
    #[error("oneof {oneof} holds one field, and {member} is set already")]
    OneofAlreadySet {
        /// The oneof.
        oneof: String,
        /// Its field that is set.
        member: String,
    },
    /// A list for a field with one value.
    #[error("the field has one value, not a list")]
    NotRepeated,
    /// A message lacks these required fields.
    #[error("required fields are missing: {}", .0.join(", "))]
    MissingRequired(Vec<String>),
    /// A message that borrows its strings cannot be read from text.
    #[error("the message cannot hold the value: is it a view?")]
    ReadOnly,
    /// One of the [`Limits`](crate::Limits) was exceeded.
    #[error(transparent)]
    Limit(#[from] LimitError),
}

impl TextError {
    #[cold]
    pub(super) fn new(kind: TextErrorKind, text: &[u8], offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        // Bytes that continue a character take no column of their own.
        let column = before[line_start..].iter().filter(|&&byte| byte & 0xc0 != 0x80).count() + 1;
        Self(Box::new(Inner { kind, line, column, path: Vec::new() }))
    }

    #[cold]
    pub(super) fn within(mut self, field: &str) -> Self {
        self.0.path.push(field.to_string());
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &TextErrorKind {
        &self.0.kind
    }

    /// The line, counted from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The character in the line, counted from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// The names of the fields down to the fault, joined by dots; empty in the outermost message.
    pub fn path(&self) -> String {
        self.0.path.iter().rev().map(String::as_str).collect::<Vec<_>>().join(".")
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.0.line, self.0.column)?;
        if !self.0.path.is_empty() {
            write!(f, "{}: ", self.path())?;
        }
        self.0.kind.fmt(f)
    }
}

impl fmt::Debug for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TextError({self})")
    }
}

impl core::error::Error for TextError {}
