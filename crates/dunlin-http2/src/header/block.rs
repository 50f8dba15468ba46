//! A header block that is sent often.

use std::sync::Arc;

use super::{Field, rules};

/// A field that must not be sent, as it would make the message malformed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header field {name:?} has octets that names or values do not have (RFC 9113 8.2.1)")]
pub struct InvalidField {
    /// The name as it was given.
    pub name: String,
}

/// Fields that are sent again and again, such as the headers of every response of a method.
///
/// A connection remembers how it wrote the block last and repeats the bytes while its compression
/// table is the same. Blocks are cheap to clone and may be shared by all connections.
///
/// ```
/// use dunlin_http2::{Field, HeaderBlock};
///
/// let ok = HeaderBlock::builder()
///     .field(Field::new(":status", "200"))
///     .field(Field::new("content-type", "text/plain"))
///     .build()?;
/// assert_eq!(ok.fields().count(), 2);
/// # Ok::<(), dunlin_http2::InvalidField>(())
/// ```
#[derive(Clone, Debug)]
pub struct HeaderBlock(Arc<[StoredField]>);

#[derive(Clone, Debug)]
struct StoredField {
    name: Box<str>,
    value: Box<[u8]>,
    is_sensitive: bool,
}

impl HeaderBlock {
    /// A block without fields yet.
    pub fn builder() -> HeaderBlockBuilder {
        HeaderBlockBuilder { fields: Vec::new() }
    }

    /// The fields in the order they are sent.
    pub fn fields(&self) -> impl ExactSizeIterator<Item = Field<'_>> + Clone + '_ {
        self.0.iter().map(|field| Field {
            name: &field.name,
            value: &field.value,
            is_sensitive: field.is_sensitive,
        })
    }

    /// Whether both are one block, not only alike.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Makes a [`HeaderBlock`].
#[derive(Clone, Debug)]
#[must_use]
pub struct HeaderBlockBuilder {
    fields: Vec<StoredField>,
}

impl HeaderBlockBuilder {
    /// Adds a field behind those there are. Pseudo-header fields come first.
    pub fn field(mut self, field: Field<'_>) -> Self {
        self.fields.push(StoredField {
            name: field.name.into(),
            value: field.value.into(),
            is_sensitive: field.is_sensitive,
        });
        self
    }

    /// The block.
    ///
    /// # Errors
    /// Names a field that would make the message malformed.
    pub fn build(self) -> Result<HeaderBlock, InvalidField> {
        let block = HeaderBlock(self.fields.into());
        block.fields().try_for_each(|field| check_sent(&field))?;
        Ok(block)
    }
}

/// Whether a field may be sent: names and values could come from someone else's input.
pub(crate) fn check_sent(field: &Field<'_>) -> Result<(), InvalidField> {
    let name = field.name.as_bytes();
    if rules::is_name(name.strip_prefix(b":").unwrap_or(name)) && rules::is_value(field.value) {
        return Ok(());
    }
    Err(InvalidField { name: field.name.to_owned() })
}
