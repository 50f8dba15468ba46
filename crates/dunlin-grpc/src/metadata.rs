//! Metadata: what travels beside messages.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD_NO_PAD};
use dunlin_http2::{Field, HeaderList};

/// Names and values, in the order they were added. A name may stand there several times.
///
/// A value is text of printable ASCII; behind a name that ends in `-bin` it is any bytes, which are
/// sent as base64. Everything lies in one buffer in the form of the wire, and binary values are
/// decoded when they are asked for.
///
/// ```
/// use dunlin_grpc::Metadata;
///
/// let mut metadata = Metadata::new();
/// metadata.insert("x-request-id", "42")?;
/// metadata.insert_bin("x-trace-bin", [0xab, 0xcd])?;
/// assert_eq!(metadata.get("x-request-id"), Some("42"));
/// assert_eq!(metadata.get_bin("x-trace-bin"), Some(vec![0xab, 0xcd]));
/// # Ok::<(), dunlin_grpc::InvalidMetadata>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    name: u32,
    value: u32,
    end: u32,
    is_sensitive: bool,
}

/// Why a name or value can not be metadata.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// A name has other octets than `0-9`, `a-z`, `_`, `-` and `.`, or none.
    #[error("the metadata name {name:?} has other characters than 0-9, a-z, `_`, `-` and `.`")]
    Name {
        /// As it was given.
        name: String,
    },
    /// The name is one that gRPC or HTTP uses itself.
    #[error("the metadata name {name:?} is reserved")]
    Reserved {
        /// As it was given.
        name: String,
    },
    /// A text value has octets outside 0x20 to 0x7e.
    #[error("the value of {name:?} is not printable ASCII; a name that ends in `-bin` may have any bytes")]
    Value {
        /// The name.
        name: String,
    },
    /// Text behind a binary name, or bytes behind another one.
    #[error("{name:?}: binary values need a name that ends in `-bin`, and text one that does not")]
    Form {
        /// The name.
        name: String,
    },
}

/// Padded or not: both have to be taken.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Names that are never an application's.
fn is_reserved(name: &str) -> bool {
    name.starts_with("grpc-")
        || matches!(
            name,
            "content-type"
                | "te"
                | "user-agent"
                | "connection"
                | "keep-alive"
                | "proxy-connection"
                | "transfer-encoding"
                | "upgrade"
                | "host"
                | "content-length"
        )
}

/// Names of received fields that are not shown as metadata.
fn is_hidden(name: &str) -> bool {
    match name.as_bytes() {
        [b':', ..] => true,
        [b'g', b'r', b'p', b'c', b'-', rest @ ..] => matches!(
            rest,
            b"status"
                | b"message"
                | b"timeout"
                | b"encoding"
                | b"accept-encoding"
                | b"message-type"
                | b"status-details-bin"
        ),
        b"content-type" | b"te" => true,
        _ => false,
    }
}

/// Hidden names whose values a tool may show.
fn is_telling(name: &str) -> bool {
    matches!(name, "content-type" | "grpc-accept-encoding" | "grpc-status-details-bin")
}

fn is_binary(name: &str) -> bool {
    name.ends_with("-bin")
}

/// The name in lower case, if applications may use it.
fn checked_name(name: &str) -> Result<String, InvalidMetadata> {
    let lower = name.to_ascii_lowercase();
    let is_legal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'z' | b'_' | b'-' | b'.');
    if lower.is_empty() || !lower.bytes().all(is_legal) {
        return Err(InvalidMetadata::Name { name: name.to_owned() });
    }
    if is_reserved(&lower) {
        return Err(InvalidMetadata::Reserved { name: name.to_owned() });
    }
    Ok(lower)
}

/// A name of text, and its value.
fn checked_text(name: &str, value: &str) -> Result<String, InvalidMetadata> {
    let lower = checked_name(name)?;
    if is_binary(&lower) {
        return Err(InvalidMetadata::Form { name: name.to_owned() });
    }
    if !value.bytes().all(|byte| matches!(byte, 0x20..=0x7e)) {
        return Err(InvalidMetadata::Value { name: name.to_owned() });
    }
    Ok(lower)
}

fn checked_binary(name: &str) -> Result<String, InvalidMetadata> {
    let lower = checked_name(name)?;
    if is_binary(&lower) { Ok(lower) } else { Err(InvalidMetadata::Form { name: name.to_owned() }) }
}

impl Metadata {
    /// None yet.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), entries: Vec::new() }
    }

    /// Sets the value of a name; others that it had are gone. Upper case becomes lower case.
    ///
    /// # Errors
    /// When the name or the value can not be metadata.
    pub fn insert(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), InvalidMetadata> {
        let lower = checked_text(name, value.as_ref())?;
        self.remove(&lower);
        self.push(&lower, value.as_ref().trim_matches(' ').as_bytes(), false);
        Ok(())
    }

    /// Adds a value behind those that the name has.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn append(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), InvalidMetadata> {
        let lower = checked_text(name, value.as_ref())?;
        self.push(&lower, value.as_ref().trim_matches(' ').as_bytes(), false);
        Ok(())
    }

    /// As [`insert`](Self::insert), for a value that must not enter a compression table, such as a
    /// token (RFC 7541 §7.1.3). `authorization` and cookies never do.
    ///
    /// # Errors
    /// As [`insert`](Self::insert).
    pub fn insert_sensitive(&mut self, name: &str, value: impl AsRef<str>) -> Result<(), InvalidMetadata> {
        let lower = checked_text(name, value.as_ref())?;
        self.remove(&lower);
        self.push(&lower, value.as_ref().trim_matches(' ').as_bytes(), true);
        Ok(())
    }

    /// Sets the bytes of a name that ends in `-bin`; others that it had are gone.
    ///
    /// # Errors
    /// When the name can not have bytes.
    pub fn insert_bin(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidMetadata> {
        let lower = checked_binary(name)?;
        self.remove(&lower);
        self.push(&lower, STANDARD_NO_PAD.encode(value).as_bytes(), false);
        Ok(())
    }

    /// Adds bytes behind those that the name has.
    ///
    /// # Errors
    /// As [`insert_bin`](Self::insert_bin).
    pub fn append_bin(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), InvalidMetadata> {
        let lower = checked_binary(name)?;
        self.push(&lower, STANDARD_NO_PAD.encode(value).as_bytes(), false);
        Ok(())
    }

    /// The first value of a name, if it is text.
    pub fn get(&self, name: &str) -> Option<&str> {
        let is_named = |entry: &&Entry| self.name(entry) == name;
        self.entries.iter().filter(is_named).find_map(|entry| std::str::from_utf8(self.value(entry)).ok())
    }

    /// The values of a name that are text.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        self.raw(name).filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The first bytes of a name that ends in `-bin`.
    pub fn get_bin(&self, name: &str) -> Option<Vec<u8>> {
        self.get_all_bin(name).next()
    }

    /// All bytes of a name that ends in `-bin`. Values that are not base64 are left out.
    pub fn get_all_bin<'a>(&'a self, name: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
        let values = self.raw(name).filter(|_| is_binary(name));
        values.flat_map(|value| value.split(|byte| *byte == b',')).filter_map(decode_binary)
    }

    /// Whether there is a value of this name.
    pub fn contains(&self, name: &str) -> bool {
        self.raw(name).next().is_some()
    }

    /// Takes all values of a name away.
    pub fn remove(&mut self, name: &str) {
        if self.contains(name) {
            let old = std::mem::take(self);
            for (other, value, is_sensitive) in old.all() {
                if other != name {
                    self.push(other, value, is_sensitive);
                }
            }
        }
    }

    /// Adds all values of another one behind these.
    pub fn extend(&mut self, other: &Self) {
        for (name, value, is_sensitive) in other.all() {
            self.push(name, value, is_sensitive);
        }
    }

    /// Names and values as they are on the wire: binary ones as base64.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &[u8])> + '_ {
        self.entries.iter().map(|entry| (self.name(entry), self.value(entry)))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What it counts against the limit of a header list: octets of names and values, and 32 for each.
    pub fn size(&self) -> usize {
        self.bytes.len() + 32 * self.entries.len()
    }

    /// What of a received header list is the application's.
    pub fn from_headers(headers: &HeaderList) -> Self {
        Self::received(headers, |name| !is_hidden(name))
    }

    /// The same, with what the protocol's fields tell beyond the status and the coding: for tools that show
    /// all that came.
    pub fn from_all_headers(headers: &HeaderList) -> Self {
        Self::received(headers, |name| !is_hidden(name) || is_telling(name))
    }

    fn received(headers: &HeaderList, is_wanted: impl Fn(&str) -> bool) -> Self {
        let mut metadata = Self::new();
        for field in headers.iter().filter(|field| is_wanted(field.name)) {
            metadata.push(field.name, field.value, field.is_sensitive);
        }
        metadata
    }

    /// Fields to send.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> + '_ {
        self.all().map(|(name, value, is_sensitive)| Field { name, value, is_sensitive })
    }

    /// Adds what the protocol itself needs, under a name that applications may not use.
    pub fn push_reserved(&mut self, name: &str, value: &[u8]) {
        self.push(name, value, false);
    }

    /// The same, for bytes under a name that ends in `-bin`.
    pub fn push_reserved_bin(&mut self, name: &str, value: &[u8]) {
        self.push(name, STANDARD_NO_PAD.encode(value).as_bytes(), false);
    }

    fn all(&self) -> impl Iterator<Item = (&str, &[u8], bool)> + '_ {
        self.entries.iter().map(|entry| (self.name(entry), self.value(entry), entry.is_sensitive))
    }

    fn raw<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> + 'a {
        let is_named = move |entry: &&'a Entry| self.name(entry) == name;
        self.entries.iter().filter(is_named).map(|entry| self.value(entry))
    }

    /// A call has at most some hundred kilobytes of it, so the numbers are small.
    fn push(&mut self, name: &str, value: &[u8], is_sensitive: bool) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
        self.entries.push(Entry {
            name: start as u32,
            value: (start + name.len()) as u32,
            end: self.bytes.len() as u32,
            is_sensitive,
        });
    }

    fn name(&self, entry: &Entry) -> &str {
        std::str::from_utf8(&self.bytes[entry.name as usize..entry.value as usize]).unwrap_or_default()
    }

    fn value(&self, entry: &Entry) -> &[u8] {
        &self.bytes[entry.value as usize..entry.end as usize]
    }
}

/// The name of a received field with a binary value that is not base64, if there is one.
pub(crate) fn broken_binary(headers: &HeaderList) -> Option<&str> {
    let is_broken =
        |value: &[u8]| value.split(|byte| *byte == b',').any(|part| decode_binary(part).is_none());
    // `name` borrows from the iterator's item, which borrows from the list.
    headers.iter().find(|field| is_binary(field.name) && is_broken(field.value)).map(|field| field.name)
}

pub(crate) fn decode_binary(value: &[u8]) -> Option<Vec<u8>> {
    LENIENT.decode(value.trim_ascii()).ok()
}

pub(crate) fn encode_binary(value: &[u8]) -> String {
    STANDARD_NO_PAD.encode(value)
}

// Values of sensitive fields stay out of logs.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &[u8], is_sensitive| match is_sensitive {
            true => "(sensitive)".to_owned(),
            false => value.escape_ascii().to_string(),
        };
        f.debug_map().entries(self.all().map(|(name, bytes, secret)| (name, value(bytes, secret)))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_a_name_keep_their_order() {
        let mut metadata = Metadata::new();
        metadata.append("a", "1").unwrap();
        metadata.append("b", "2").unwrap();
        metadata.append("A", " 3, 4 ").unwrap();
        assert_eq!(metadata.get_all("a").collect::<Vec<_>>(), ["1", "3, 4"]);
        metadata.insert("a", "5").unwrap();
        assert_eq!(metadata.iter().collect::<Vec<_>>(), [("b", &b"2"[..]), ("a", b"5")]);
        assert_eq!(metadata.size(), 4 + 64);
    }

    #[test]
    fn binary_values_are_split_at_commas_and_may_be_padded() {
        let mut metadata = Metadata::new();
        metadata.push("x-bin", b"q6s=, q6ur,", false);
        assert_eq!(
            metadata.get_all_bin("x-bin").collect::<Vec<_>>(),
            [vec![0xab, 0xab], vec![0xab; 3], vec![]]
        );
        metadata.insert_bin("x-bin", [0xab]).unwrap();
        assert_eq!(metadata.iter().next(), Some(("x-bin", &b"qw"[..])));
    }

    #[test]
    fn names_and_values_that_cannot_be_sent_are_refused() {
        let mut metadata = Metadata::new();
        let text = |name: &str, value: &str| Metadata::new().insert(name, value).unwrap_err();
        assert!(matches!(text("", "1"), InvalidMetadata::Name { .. }));
        assert!(matches!(text("a b", "1"), InvalidMetadata::Name { .. }));
        assert!(matches!(text(":path", "1"), InvalidMetadata::Name { .. }));
        assert!(matches!(text("grpc-status", "1"), InvalidMetadata::Reserved { .. }));
        assert!(matches!(text("Content-Type", "1"), InvalidMetadata::Reserved { .. }));
        assert!(matches!(text("a", "\n"), InvalidMetadata::Value { .. }));
        assert!(matches!(text("a", "ä"), InvalidMetadata::Value { .. }));
        assert!(matches!(text("a-bin", "1"), InvalidMetadata::Form { .. }));
        assert!(matches!(metadata.insert_bin("a", []).unwrap_err(), InvalidMetadata::Form { .. }));
    }
}
