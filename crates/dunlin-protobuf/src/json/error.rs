use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::DecodeError;
use crate::limits::LimitError;

/// Why text is not the JSON of a message, or a message has no JSON: what is wrong, in which field,
/// at which place of the text.
///
/// ```
/// use dunlin_protobuf::json;
/// use dunlin_protobuf::wkt::Api;
///
/// let error = json::from_str::<Api>(r#"{"methods": [{}, {"name": 7}]}"#).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "$.methods[1].name: expected a string, found a number, at line 1, column 27",
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct JsonError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: JsonErrorKind,
    /// The byte in the text; none when writing.
    offset: Option<usize>,
    line: usize,
    column: usize,
    /// Innermost first.
    path: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Field(String),
    Index(usize),
    Key(String),
}

/// What kind of fault a [`JsonError`] tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JsonErrorKind {
    /// The text is not JSON.
    Syntax(&'static str),
    /// The text is not UTF-8.
    InvalidUtf8,
    /// A value of another kind than the field takes.
    WrongType {
        /// What the field takes.
        expected: &'static str,
        /// What is there.
        found: &'static str,
    },
    /// A number that the field's type cannot hold.
    OutOfRange {
        /// The field's type.
        ty: &'static str,
    },
    /// A value of the right kind that the field's type does not allow.
    InvalidValue(&'static str),
    /// A name that is no field of this message type.
    UnknownField {
        /// The name.
        name: String,
        /// The full name of the message type.
        message: String,
    },
    /// A name that is no value of this enum, or a number that is none of a closed one.
    UnknownEnumValue {
        /// The name or number.
        value: String,
        /// The full name of the enum.
        of: String,
    },
    /// The registry does not know the type of an `Any`, or there is no registry.
    UnknownType(String),
    /// A message lacks these required fields.
    MissingRequired(Vec<String>),
    /// One of the [`Limits`](crate::Limits) was exceeded.
    Limit(LimitError),
    /// The bytes of an `Any` or an extension are no message of their type.
    Decode(DecodeError),
    /// The message is a view, which cannot hold what JSON text says, or one whose well-known type
    /// has other fields than it should.
    Unsupported(&'static str),
}

impl fmt::Display for JsonErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(what) | Self::InvalidValue(what) | Self::Unsupported(what) => f.write_str(what),
            Self::InvalidUtf8 => f.write_str("the text is not valid UTF-8"),
            Self::WrongType { expected, found } => write!(f, "expected {expected}, found {found}"),
            Self::OutOfRange { ty } => write!(f, "the number is out of the range of {ty}"),
            Self::UnknownField { name, message } => write!(f, "{message} has no field `{name}`"),
            Self::UnknownEnumValue { value, of } => write!(f, "{of} has no value `{value}`"),
            Self::UnknownType(name) => write!(f, "the type `{name}` is not in the registry"),
            Self::MissingRequired(fields) => write!(f, "required fields are missing: {}", fields.join(", ")),
            Self::Limit(error) => error.fmt(f),
            Self::Decode(error) => error.fmt(f),
        }
    }
}

impl JsonError {
    #[cold]
    pub(super) fn new(kind: JsonErrorKind, offset: usize) -> Self {
        Self(Box::new(Inner { kind, offset: Some(offset), line: 0, column: 0, path: Vec::new() }))
    }

    /// Of a message that cannot be written.
    #[cold]
    pub(super) fn writing(kind: JsonErrorKind) -> Self {
        Self(Box::new(Inner { kind, offset: None, line: 0, column: 0, path: Vec::new() }))
    }

    #[cold]
    pub(super) fn in_field(mut self, name: &str) -> Self {
        self.0.path.push(Segment::Field(name.to_owned()));
        self
    }

    #[cold]
    pub(super) fn in_extension(mut self, name: &str) -> Self {
        self.0.path.push(Segment::Field(alloc::format!("[{name}]")));
        self
    }

    #[cold]
    pub(super) fn in_element(mut self, index: usize) -> Self {
        self.0.path.push(Segment::Index(index));
        self
    }

    #[cold]
    pub(super) fn in_entry(mut self, key: &str) -> Self {
        self.0.path.push(Segment::Key(key.to_owned()));
        self
    }

    /// Finds line and column in the text that was read.
    #[cold]
    pub(super) fn locate(mut self, text: &[u8]) -> Self {
        if let Some(offset) = self.0.offset {
            let before = &text[..offset.min(text.len())];
            self.0.line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
            let line = before.rsplit(|&byte| byte == b'\n').next().unwrap_or(before);
            // Continuation bytes belong to the character before.
            self.0.column = line.iter().filter(|&&byte| byte & 0xc0 != 0x80).count() + 1;
        }
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &JsonErrorKind {
        &self.0.kind
    }

    /// The line of the fault, from 1; `None` if a message could not be written.
    pub fn line(&self) -> Option<usize> {
        self.0.offset.map(|_| self.0.line)
    }

    /// The column of the fault in characters, from 1; `None` if a message could not be written.
    pub fn column(&self) -> Option<usize> {
        self.0.offset.map(|_| self.0.column)
    }

    /// Where the fault is in the message: `$.lines[3].product.name`, `$.prices["EUR"]`.
    pub fn path(&self) -> String {
        let mut path = String::from("$");
        for segment in self.0.path.iter().rev() {
            // Writing to a string does not fail.
            let _ = match segment {
                Segment::Field(name) => write!(path, ".{name}"),
                Segment::Index(index) => write!(path, "[{index}]"),
                Segment::Key(key) => write!(path, "[{key:?}]"),
            };
        }
        path
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path(), self.0.kind)?;
        match (&self.0.kind, self.line(), self.column()) {
            (JsonErrorKind::MissingRequired(_), ..) => Ok(()),
            (_, Some(line), Some(column)) => write!(f, ", at line {line}, column {column}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonError").field(&self.to_string()).finish()
    }
}

impl core::error::Error for JsonError {}
