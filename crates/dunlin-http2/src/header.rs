//! Header fields: lists that were received, blocks that are sent, and the rules for both.

mod block;
mod list;
mod rules;

pub(crate) use block::check_sent;
pub use block::{HeaderBlock, HeaderBlockBuilder, InvalidField};
pub(crate) use list::FieldFlags;
pub use list::{HeaderList, ReceivedField};
pub use rules::Malformed;
pub(crate) use rules::{Class, MessageKind, check, class_of};

/// One header field to send.
///
/// ```
/// use dunlin_http2::Field;
///
/// let field = Field::new("content-type", "text/plain");
/// let secret = Field::new("authorization", "Bearer x").sensitive();
/// assert!(secret.is_sensitive && !field.is_sensitive);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// In lower case; `:` begins the names of pseudo-header fields (RFC 9113 §8.2, §8.3).
    pub name: &'a str,
    /// Octets without NUL, CR and LF, that neither begin nor end with a space.
    pub value: &'a [u8],
    /// Never to be put into a compression table, here or by an intermediary (RFC 7541 §7.1.3).
    pub is_sensitive: bool,
}

impl<'a> Field<'a> {
    /// A field that may be compressed.
    pub fn new(name: &'a str, value: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self { name, value: value.as_ref(), is_sensitive: false }
    }

    /// The same field, never indexed.
    pub fn sensitive(self) -> Self {
        Self { is_sensitive: true, ..self }
    }
}
