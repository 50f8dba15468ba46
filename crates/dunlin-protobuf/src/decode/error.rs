use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use crate::Limits;
use crate::limits::LimitError;
use crate::table::MessageTable;

/// What is wrong with the bytes at a place.
///
/// As wide as what is read, so that a result of both is returned in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Fault {
    Truncated,
    VarintTooLong,
    LengthTooLarge,
    InvalidTag,
    UnmatchedEndGroup,
    InvalidUtf8,
    TooDeep,
}

/// Why the value of a field could not be read. All causes are as wide, for the reason that a [`Fault`] is.
#[derive(Debug)]
pub(crate) enum Cause {
    Fault(Fault),
    Limit(Box<LimitError>),
    /// An error of a nested message.
    Nested(DecodeError),
    /// No fault: a number that is none of the closed enum's, which belongs to the unknown fields.
    UnknownNumber(isize),
}

impl From<Fault> for Cause {
    #[inline]
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LimitError> for Cause {
    #[cold]
    fn from(error: LimitError) -> Self {
        Self::Limit(Box::new(error))
    }
}

impl From<DecodeError> for Cause {
    #[inline]
    fn from(error: DecodeError) -> Self {
        Self::Nested(error)
    }
}

/// Why bytes are not a message of the type they should be: what is wrong, in which field, at
/// which byte.
///
/// ```
/// use dunlin_protobuf::Message;
/// use dunlin_protobuf::wkt::Api;
///
/// let error = Api::decode(&[0x12, 0x03, 0x0a, 0x01, 0xff]).unwrap_err();
/// assert_eq!(error.to_string(), "google.protobuf.Api.methods.name: text is not valid UTF-8, at byte 5");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: DecodeErrorKind,
    offset: usize,
    /// Innermost first.
    path: Vec<String>,
    message: String,
}

/// What kind of fault a [`DecodeError`] tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The input ends inside a tag, a value, a length-delimited field or a group.
    Truncated,
    /// A varint has more than ten bytes, or a tag more than five.
    VarintTooLong,
    /// A length does not fit 31 bits.
    LengthTooLarge,
    /// A tag has field number 0, one above 536,870,911, or wire type 6 or 7.
    InvalidTag,
    /// The end of a group that was not open.
    UnmatchedEndGroup,
    /// Text that is not UTF-8. Where the schema does not ask for it (proto2, `features.utf8_validation = NONE`), dynamic
    /// messages keep such text, and types that are generated with the option `raw_strings`.
    InvalidUtf8,
    /// A message lacks these required fields.
    MissingRequired(Vec<String>),
    /// One of the [`Limits`] was exceeded.
    Limit(LimitError),
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the input ends in the middle of a field"),
            Self::VarintTooLong => f.write_str("a varint is too long"),
            Self::LengthTooLarge => f.write_str("a length is larger than 2 GiB"),
            Self::InvalidTag => f.write_str("a tag has no valid field number and wire type"),
            Self::UnmatchedEndGroup => f.write_str("a group ends that is not open"),
            Self::InvalidUtf8 => f.write_str("text is not valid UTF-8"),
            Self::MissingRequired(fields) => write!(f, "required fields are missing: {}", fields.join(", ")),
            Self::Limit(error) => error.fmt(f),
        }
    }
}

impl DecodeError {
    pub(crate) fn new(fault: Fault, offset: usize) -> Self {
        let kind = match fault {
            Fault::Truncated => DecodeErrorKind::Truncated,
            Fault::VarintTooLong => DecodeErrorKind::VarintTooLong,
            Fault::LengthTooLarge => DecodeErrorKind::LengthTooLarge,
            Fault::InvalidTag => DecodeErrorKind::InvalidTag,
            Fault::UnmatchedEndGroup => DecodeErrorKind::UnmatchedEndGroup,
            Fault::InvalidUtf8 => DecodeErrorKind::InvalidUtf8,
            // The depth that was left is not the limit itself; who calls knows that one.
            Fault::TooDeep => DecodeErrorKind::Limit(LimitError::Depth { limit: crate::wire::MAX_DEPTH }),
        };
        Self::of_kind(kind, offset)
    }

    pub(crate) fn of_kind(kind: DecodeErrorKind, offset: usize) -> Self {
        Self(Box::new(Inner { kind, offset, path: Vec::new(), message: String::new() }))
    }

    fn within(mut self, table: &MessageTable, field: Option<&str>) -> Self {
        self.0.path.extend(field.map(ToString::to_string));
        self.0.message = table.full_name().to_string();
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &DecodeErrorKind {
        &self.0.kind
    }

    /// The byte behind which reading could not go on, counted from the start of the outermost
    /// message.
    pub fn offset(&self) -> usize {
        self.0.offset
    }

    /// The full name of the outermost message, then the names of the fields down to the fault,
    /// joined by dots.
    pub fn path(&self) -> String {
        let mut path = self.0.message.clone();
        for name in self.0.path.iter().rev() {
            path.push('.');
            path.push_str(name);
        }
        path
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{}", self.0.kind)?;
        match self.0.kind {
            DecodeErrorKind::MissingRequired(_) => Ok(()),
            _ => write!(f, ", at byte {}", self.0.offset),
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DecodeError({self})")
    }
}

impl core::error::Error for DecodeError {}

#[cold]
pub(crate) fn in_tag(fault: Fault, pos: usize, table: &MessageTable) -> DecodeError {
    DecodeError::new(fault, pos).within(table, None)
}

#[cold]
pub(crate) fn in_field(cause: Cause, pos: usize, table: &MessageTable, index: usize) -> DecodeError {
    let name = table.fields.get(index).map(|field| field.name());
    in_named(cause, pos, table, name)
}

#[cold]
pub(crate) fn in_named(cause: Cause, pos: usize, table: &MessageTable, name: Option<&str>) -> DecodeError {
    in_entry(cause, pos).within(table, name)
}

/// An error in the entry of a map, whose parts have no names of their own.
#[cold]
pub(crate) fn in_entry(cause: Cause, pos: usize) -> DecodeError {
    match cause {
        Cause::Fault(fault) => DecodeError::new(fault, pos),
        Cause::Limit(error) => DecodeError::of_kind(DecodeErrorKind::Limit(*error), pos),
        Cause::Nested(error) => error,
        Cause::UnknownNumber(_) => unreachable!("who lends an enum keeps the number"),
    }
}

#[cold]
pub(crate) fn too_large(size: usize, limits: &Limits) -> DecodeError {
    DecodeError::of_kind(DecodeErrorKind::Limit(LimitError::Size { size, limit: limits.size }), 0)
}

#[cold]
pub(crate) fn item_too_large(size: u64, limit: usize) -> DecodeError {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    DecodeError::of_kind(DecodeErrorKind::Limit(LimitError::Size { size, limit }), 0)
}

#[cold]
pub(crate) fn missing_required(table: &MessageTable, fields: Vec<String>) -> DecodeError {
    DecodeError::of_kind(DecodeErrorKind::MissingRequired(fields), 0).within(table, None)
}
