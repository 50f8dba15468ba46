//! Messages as JSON, by the rules of ProtoJSON: reading and writing any message, generated,
//! borrowed or dynamic.
//!
//! ```
//! use dunlin_protobuf::json;
//! use dunlin_protobuf::wkt::Api;
//!
//! let api: Api = json::from_str(r#"{"name": "shop.v1.Orders", "version": "v1"}"#)?;
//! assert_eq!(json::to_string(&api)?, r#"{"name":"shop.v1.Orders","version":"v1"}"#);
//! # Ok::<(), json::JsonError>(())
//! ```
//!
//! [`EncodeOptions`] and [`DecodeOptions`] have what can be chosen; `Any` and extensions need a
//! [`Registry`] there. What this does not do: JSON that is no message.

mod base64;
mod error;
mod lexer;
mod number;
mod read;
mod scan;
#[cfg(feature = "serde")]
pub mod serde;
pub(crate) mod time;
mod write;

use alloc::string::String;
use alloc::vec::Vec;

pub use error::{JsonError, JsonErrorKind};

use crate::message::{Fields, Message, Reflect};
use crate::registry::Registry;
use crate::{LimitError, Limits};
use read::Reader;
use write::Writer;

/// The JSON of a message.
///
/// # Errors
/// When the message has none: an `Any` (which needs [`EncodeOptions::registry`]), a timestamp or
/// duration out of range, a field mask that could not be read back, a `Value` without a kind.
pub fn to_string(message: &impl Reflect) -> Result<String, JsonError> {
    EncodeOptions::new().to_string(message)
}

/// The JSON of a message.
///
/// # Errors
/// As [`to_string`].
pub fn to_vec(message: &impl Reflect) -> Result<Vec<u8>, JsonError> {
    EncodeOptions::new().to_vec(message)
}

/// Reads a message from JSON.
///
/// # Errors
/// When the text is not the JSON of a message of this type; the error names place and field.
pub fn from_str<M: Message>(text: &str) -> Result<M, JsonError> {
    DecodeOptions::new().decode(text)
}

/// Reads a message from JSON.
///
/// # Errors
/// As [`from_str`].
pub fn from_slice<M: Message>(text: &[u8]) -> Result<M, JsonError> {
    DecodeOptions::new().decode(text)
}

/// How to write JSON.
///
/// ```
/// use dunlin_protobuf::json::EncodeOptions;
/// use dunlin_protobuf::wkt::Api;
///
/// let api = Api { name: "shop.v1.Orders".into(), ..Default::default() };
/// assert_eq!(EncodeOptions::new().pretty().to_string(&api)?, "{\n  \"name\": \"shop.v1.Orders\"\n}");
/// # Ok::<(), dunlin_protobuf::json::JsonError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct EncodeOptions<'r> {
    preserve_proto_names: bool,
    enums_as_numbers: bool,
    emit_unset: bool,
    pretty: bool,
    redact: bool,
    registry: Option<&'r Registry>,
}

impl<'r> EncodeOptions<'r> {
    /// What other implementations write by default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Fields are named as in the schema instead of in camel case.
    pub fn preserve_proto_names(mut self) -> Self {
        self.preserve_proto_names = true;
        self
    }

    /// Enums are written as numbers instead of names.
    pub fn enums_as_numbers(mut self) -> Self {
        self.enums_as_numbers = true;
        self
    }

    /// Fields without presence, lists and maps are written even if they hold their default.
    pub fn emit_unset(mut self) -> Self {
        self.emit_unset = true;
        self
    }

    /// One member to a line, two spaces for each level, entries of maps in the order of keys.
    pub fn pretty(mut self) -> Self {
        self.pretty = true;
        self
    }

    /// Fields that the schema marks with `debug_redact` are written as `"[REDACTED]"`, and the contents of
    /// an `Any` whose type is not known are left out: for logs, not for reading back.
    pub fn redact(mut self) -> Self {
        self.redact = true;
        self
    }

    /// Where the types in `Any` and extensions are looked up. Without it, an `Any` that holds
    /// something is an error, and extensions are left out.
    pub fn registry(mut self, registry: &'r Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The JSON of a message.
    ///
    /// # Errors
    /// As the function [`to_string()`].
    pub fn to_string(&self, message: &dyn Reflect) -> Result<String, JsonError> {
        let mut writer = Writer::new(self);
        writer.message(message)?;
        Ok(writer.out)
    }

    /// The JSON of a message.
    ///
    /// # Errors
    /// As [`EncodeOptions::to_string`].
    pub fn to_vec(&self, message: &dyn Reflect) -> Result<Vec<u8>, JsonError> {
        self.to_string(message).map(String::into_bytes)
    }

    /// Appends the JSON of a message to `out`; nothing if it fails.
    ///
    /// # Errors
    /// As [`EncodeOptions::to_string`], and what `out` says.
    pub fn write_to(
        &self,
        message: &dyn Reflect,
        out: &mut impl core::fmt::Write,
    ) -> Result<(), WriteError<core::fmt::Error>> {
        out.write_str(&self.to_string(message)?).map_err(WriteError::Output)
    }

    /// Writes the JSON of a message; nothing if it fails.
    ///
    /// # Errors
    /// As [`EncodeOptions::to_string`], and what `out` says.
    #[cfg(feature = "std")]
    pub fn write_to_io(
        &self,
        message: &dyn Reflect,
        out: &mut impl std::io::Write,
    ) -> Result<(), WriteError<std::io::Error>> {
        out.write_all(self.to_string(message)?.as_bytes()).map_err(WriteError::Output)
    }
}

/// Why JSON was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError<E: core::error::Error + 'static> {
    /// The message has no JSON.
    #[error(transparent)]
    Message(#[from] JsonError),
    /// The output did not take it.
    #[error("cannot write JSON")]
    Output(#[source] E),
}

/// How to read JSON.
///
/// ```
/// use dunlin_protobuf::json::DecodeOptions;
/// use dunlin_protobuf::wkt::Api;
///
/// let options = DecodeOptions::new().ignore_unknown();
/// let api: Api = options.decode(r#"{"name": "shop.v1.Orders", "owner": {"id": 7}}"#)?;
/// assert_eq!(api.name, "shop.v1.Orders");
/// # Ok::<(), dunlin_protobuf::json::JsonError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct DecodeOptions<'r> {
    ignore_unknown: bool,
    mask_objects: bool,
    limits: Limits,
    registry: Option<&'r Registry>,
}

impl<'r> DecodeOptions<'r> {
    /// Strict, with default limits, no registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Skips fields that the type does not have, and names that an enum does not have.
    pub fn ignore_unknown(mut self) -> Self {
        self.ignore_unknown = true;
        self
    }

    /// Takes a `FieldMask` as an object too, as it would be written if its JSON were that of its fields:
    /// `{"paths": ["price.units"]}` beside `"price.units"`. There are tools that know it in this way only.
    pub fn mask_objects(mut self) -> Self {
        self.mask_objects = true;
        self
    }

    /// With these limits; every message, `Any` and `Value` is a level of depth.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where the types in `Any` and extensions are looked up. Without it, they are unknown.
    pub fn registry(mut self, registry: &'r Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the text is not the JSON of a message of this type, or beyond the limits.
    pub fn decode<M: Message>(&self, text: impl AsRef<[u8]>) -> Result<M, JsonError> {
        let mut message = M::default();
        self.read(&mut message, text.as_ref())?;
        Ok(message)
    }

    /// Reads fields into a message: what the text names replaces what was there, `null` clears,
    /// other fields stay.
    ///
    /// # Errors
    /// As [`DecodeOptions::decode`]; the message then holds what was read before the fault.
    pub fn merge(&self, message: &mut dyn Fields<'static>, text: impl AsRef<[u8]>) -> Result<(), JsonError> {
        self.read(message, text.as_ref())
    }

    fn read(&self, message: &mut dyn Fields<'static>, bytes: &[u8]) -> Result<(), JsonError> {
        if bytes.len() > self.limits.size {
            let limit = LimitError::Size { size: bytes.len(), limit: self.limits.size };
            return Err(JsonError::new(JsonErrorKind::Limit(limit), 0).locate(bytes));
        }
        let text = core::str::from_utf8(bytes)
            .map_err(|error| JsonError::new(JsonErrorKind::InvalidUtf8, error.valid_up_to()).locate(bytes))?;
        let mut reader = Reader::new(text, self);
        reader.document(message).map_err(|error| error.locate(bytes))
    }
}
