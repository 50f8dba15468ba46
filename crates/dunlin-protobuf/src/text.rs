//! The text format: messages as people write them in files and read them in logs.
//!
//! ```
//! use dunlin_protobuf::descriptor::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto};
//! use dunlin_protobuf::descriptor::{FileDescriptorSet, Label, Type};
//! use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
//! use dunlin_protobuf::text;
//! # let field = FieldDescriptorProto {
//! #     name: Some("id".into()),
//! #     number: Some(1),
//! #     label: Some(Label::LABEL_OPTIONAL),
//! #     r#type: Some(Type::TYPE_INT32),
//! #     ..Default::default()
//! # };
//! # let order = DescriptorProto { name: Some("Order".into()), field: vec![field], ..Default::default() };
//! # let file = FileDescriptorProto {
//! #     name: Some("shop.proto".into()),
//! #     message_type: vec![order],
//! #     ..Default::default()
//! # };
//! # let set = FileDescriptorSet { file: vec![file], ..Default::default() };
//!
//! let pool = DynamicPool::from_file_descriptor_set(set)?;
//! let mut order = DynamicMessage::new(pool.message("Order").unwrap());
//! text::DecodeOptions::new().merge(&mut order, "id: 0x2a  # hexadecimal")?;
//! assert_eq!(text::to_string(&order), "id: 42\n");
//!
//! let error = text::DecodeOptions::new().merge(&mut order, "id: 'a'").unwrap_err();
//! assert_eq!(error.to_string(), "1:5: id: expected an integer, found `'a'`");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod lexer;
mod read;
mod write;

use alloc::string::String;

pub use error::{TextError, TextErrorKind};

use crate::limits::Limits;
use crate::message::{Fields, Message, Reflect};
use crate::registry::Registry;

/// A message as text, one field to a line; see [`EncodeOptions`] for other ways.
pub fn to_string(message: &dyn Reflect) -> String {
    EncodeOptions::new().to_string(message)
}

/// Reads a message from text.
///
/// # Errors
/// As [`DecodeOptions::decode`].
pub fn from_str<M: Message>(text: &str) -> Result<M, TextError> {
    DecodeOptions::new().decode(text)
}

/// How to write text.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct EncodeOptions<'r> {
    registry: Option<&'r Registry>,
    print_unknown_fields: bool,
    single_line: bool,
    ascii: bool,
}

impl<'r> EncodeOptions<'r> {
    /// One field to a line; without registry and unknown fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Prints extensions that `registry` knows, and the message in an `Any` whose type it knows.
    pub fn registry(mut self, registry: &'r Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Prints fields that the type does not know by their numbers; off by default. Such text is for
    /// people: it cannot be read back.
    pub fn print_unknown_fields(mut self, print: bool) -> Self {
        self.print_unknown_fields = print;
        self
    }

    /// Prints everything in one line; off by default.
    pub fn single_line(mut self, single_line: bool) -> Self {
        self.single_line = single_line;
        self
    }

    /// Escapes what is not ASCII in strings; off by default. In `bytes` that is always escaped.
    pub fn ascii(mut self, ascii: bool) -> Self {
        self.ascii = ascii;
        self
    }

    /// A message as text.
    pub fn to_string(&self, message: &dyn Reflect) -> String {
        write::to_string(message, *self)
    }
}

/// How to read text.
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct DecodeOptions<'r> {
    registry: Option<&'r Registry>,
    limits: Limits,
    ignore_unknown: bool,
    partial: bool,
}

impl<'r> DecodeOptions<'r> {
    /// Default limits, no registry, every name must be known.
    pub fn new() -> Self {
        Self::default()
    }

    /// Finds extensions, and the types in `Any`, in `registry`.
    pub fn registry(mut self, registry: &'r Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// With these limits; the size is that of the text.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Skips fields and extensions that are not known; off by default, since a misspelt name would
    /// go unnoticed. Names that a message reserves are skipped in any case.
    pub fn ignore_unknown(mut self, ignore: bool) -> Self {
        self.ignore_unknown = ignore;
        self
    }

    /// Accepts messages that lack required fields.
    pub fn partial(mut self) -> Self {
        self.partial = true;
        self
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the text is not well-formed, names what the type does not have, has a value that is not
    /// of its field's type, sets a singular field twice, lacks a required field, or goes beyond
    /// [`Limits`]. The error names the field, the line and the column.
    pub fn decode<M: Message>(&self, text: &str) -> Result<M, TextError> {
        let mut message = M::default();
        self.merge(&mut message, text)?;
        Ok(message)
    }

    /// Merges text into a message: what it sets replaces what was there, lists are appended.
    ///
    /// # Errors
    /// As [`DecodeOptions::decode`]; the message then holds what was read before the fault. A view
    /// can hold no strings from text.
    pub fn merge(&self, message: &mut dyn Fields<'static>, text: &str) -> Result<(), TextError> {
        self.merge_bytes(message, text.as_bytes())
    }

    /// Like [`DecodeOptions::merge`]; the text need not be UTF-8 in comments, in strings for `bytes`, and in those
    /// for strings whose schema does not ask for it.
    ///
    /// # Errors
    /// As there.
    pub fn merge_bytes(&self, message: &mut dyn Fields<'static>, text: &[u8]) -> Result<(), TextError> {
        read::merge(message, text, self)
    }
}
