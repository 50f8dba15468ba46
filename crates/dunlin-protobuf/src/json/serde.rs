//! Messages in whatever serde writes and reads, by the rules of ProtoJSON (feature `serde`).
//!
//! ```
//! use dunlin_protobuf::json::serde::Json;
//! use dunlin_protobuf::wkt::Timestamp;
//!
//! #[derive(serde::Serialize, serde::Deserialize)]
//! struct Visit {
//!     page: String,
//!     at: Json<Timestamp>,
//! }
//!
//! let visit: Visit = serde_json::from_str(r#"{"page": "/", "at": "1970-01-01T00:00:42Z"}"#)?;
//! assert_eq!(visit.at.0.seconds, 42);
//! assert_eq!(serde_json::to_string(&visit)?, r#"{"page":"/","at":"1970-01-01T00:00:42Z"}"#);
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! A field can also say `#[serde(with = "dunlin_protobuf::json::serde")]`. Formats that people do
//! not read get the encoded message as bytes. The values pass through JSON text on their way; where
//! the format is JSON, [`json::to_string`](super::to_string) and
//! [`json::from_str`](super::from_str) are faster, and their errors know line and column.

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use ::serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use ::serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq, Serializer};

use super::lexer::Lexer;
use super::write::Writer;
use super::{DecodeOptions, EncodeOptions, JsonError, base64};
use crate::message::{Fields, Message, Reflect};

/// A message as a value of serde.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Json<M>(pub M);

impl<M: Reflect> Serialize for Json<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

impl<'de, M: Message> Deserialize<'de> for Json<M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

/// Writes a message.
///
/// # Errors
/// When the message has no JSON, as [`to_string`](super::to_string) says, and what the serializer
/// says.
pub fn serialize<S: Serializer>(message: &dyn Reflect, serializer: S) -> Result<S::Ok, S::Error> {
    serialize_with(message, &EncodeOptions::new(), serializer)
}

/// Writes a message in a chosen way; [`EncodeOptions::pretty`] orders maps and is else up to the
/// format.
///
/// # Errors
/// As [`serialize`].
pub fn serialize_with<S: Serializer>(
    message: &dyn Reflect,
    options: &EncodeOptions<'_>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return serializer.serialize_bytes(&crate::encode::encode_to_vec(message, false));
    }
    let mut writer = Writer::new(options);
    writer.message(message).map_err(S::Error::custom)?;
    Text { text: &writer.out, pos: &Cell::new(0) }.serialize(serializer)
}

/// Reads a message.
///
/// # Errors
/// When the value is not the JSON of a message of this type, and what the deserializer says.
pub fn deserialize<'de, M: Message, D: Deserializer<'de>>(deserializer: D) -> Result<M, D::Error> {
    let mut message = M::default();
    deserialize_into(&mut message, &DecodeOptions::new(), deserializer)?;
    Ok(message)
}

/// Reads fields into a message, as [`DecodeOptions::merge`].
///
/// # Errors
/// As [`deserialize`].
pub fn deserialize_into<'de, D: Deserializer<'de>>(
    message: &mut dyn Fields<'static>,
    options: &DecodeOptions<'_>,
    deserializer: D,
) -> Result<(), D::Error> {
    if !deserializer.is_human_readable() {
        let bytes = deserializer.deserialize_byte_buf(Encoded)?;
        let options = crate::DecodeOptions::new().limits(options.limits);
        // The message may outlive the bytes, so that it is read by way of one that borrows nothing.
        let read = crate::dynamic::DynamicMessage::decode_with(message.table(), &bytes, &options);
        crate::reflect::merge(&read.map_err(de::Error::custom)?, message);
        return Ok(());
    }
    let mut text = String::new();
    // One more than the limit, which the reader then reports.
    let depth = options.limits.depth.saturating_add(2).saturating_mul(2);
    Value { out: &mut text, depth }.deserialize(deserializer)?;
    options.merge(message, &text).map_err(|error| custom(&error))
}

/// Line and column would be those of a text that no one has seen.
fn custom<E: de::Error>(error: &JsonError) -> E {
    E::custom(format_args!("{}: {}", error.path(), error.kind()))
}

/// The value at a place of JSON text, which moves on.
struct Text<'t> {
    text: &'t str,
    pos: &'t Cell<usize>,
}

impl<'t> Text<'t> {
    /// Reads on from the place.
    fn read<T, E: ::serde::ser::Error>(
        &self,
        read: impl FnOnce(&mut Lexer<'t>) -> Result<T, JsonError>,
    ) -> Result<T, E> {
        let mut lexer = Lexer::new(self.text);
        lexer.pos = self.pos.get();
        let result = read(&mut lexer).map_err(E::custom);
        self.pos.set(lexer.pos);
        result
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.text.as_bytes().get(self.pos.get()) {
            Some(b'{') => {
                self.read(Lexer::open_object)?;
                let mut map = serializer.serialize_map(None)?;
                let mut is_first = true;
                while self.read(|lexer| lexer.next_member(is_first))? {
                    is_first = false;
                    map.serialize_key(&self.read(Lexer::key)?)?;
                    self.read(|lexer| Ok(lexer.peek()))?;
                    map.serialize_value(self)?;
                }
                map.end()
            }
            Some(b'[') => {
                self.read(Lexer::open_array)?;
                let mut list = serializer.serialize_seq(None)?;
                let mut is_first = true;
                while self.read(|lexer| lexer.next_element(is_first))? {
                    is_first = false;
                    self.read(|lexer| Ok(lexer.peek()))?;
                    list.serialize_element(self)?;
                }
                list.end()
            }
            Some(b'"') => serializer.serialize_str(&self.read(Lexer::string)?),
            Some(b't' | b'f') => serializer.serialize_bool(self.read(Lexer::boolean)?),
            Some(b'n') => {
                self.read(Lexer::null)?;
                serializer.serialize_unit()
            }
            _ => {
                let number = self.read(Lexer::number)?;
                let is_whole = number.text.bytes().all(|byte| matches!(byte, b'-' | b'0'..=b'9'));
                match (number.signed(), number.unsigned(), number.double()) {
                    (Ok(value), ..) if is_whole => serializer.serialize_i64(value),
                    (_, Ok(value), _) if is_whole => serializer.serialize_u64(value),
                    (.., Some(value)) => serializer.serialize_f64(value),
                    _ => Err(S::Error::custom("the number is out of the range of double")),
                }
            }
        }
    }
}

/// Writes what a deserializer has as JSON text.
struct Value<'o> {
    out: &'o mut String,
    /// How many levels may still nest, for formats that do not limit this themselves.
    depth: u32,
}

impl Value<'_> {
    fn deeper<E: de::Error>(&mut self) -> Result<Value<'_>, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Value { out: self.out, depth }),
            None => Err(E::custom("the value is nested too deeply")),
        }
    }

    fn string(&mut self, text: &str) {
        let options = EncodeOptions::new();
        let mut writer = Writer::new(&options);
        core::mem::swap(&mut writer.out, self.out);
        writer.string(text);
        core::mem::swap(&mut writer.out, self.out);
    }
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the JSON of a protobuf message")
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.out.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.out.push_str(itoa::Buffer::new().format(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.out.push_str(itoa::Buffer::new().format(value));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        let mut buffer = zmij::Buffer::new();
        let text = match value {
            _ if value.is_nan() => "\"NaN\"",
            f64::INFINITY => "\"Infinity\"",
            f64::NEG_INFINITY => "\"-Infinity\"",
            _ => buffer.format_finite(value),
        };
        self.out.push_str(text);
        Ok(())
    }

    fn visit_str<E>(mut self, value: &str) -> Result<(), E> {
        self.string(value);
        Ok(())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<(), E> {
        self.out.push('"');
        base64::encode(value, self.out);
        self.out.push('"');
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_none<E>(self) -> Result<(), E> {
        self.out.push_str("null");
        Ok(())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        self.out.push('[');
        let start = self.out.len();
        loop {
            let before = self.out.len();
            if before > start {
                self.out.push(',');
            }
            if list.next_element_seed(self.deeper()?)?.is_none() {
                self.out.truncate(before);
                break;
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        self.out.push('{');
        let mut is_first = true;
        while let Some(key) = map.next_key_seed(Key)? {
            if !is_first {
                self.out.push(',');
            }
            is_first = false;
            self.string(&key);
            self.out.push(':');
            map.next_value_seed(self.deeper()?)?;
        }
        self.out.push('}');
        Ok(())
    }
}

/// The key of a map, which other formats than JSON may have as a number or boolean.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for Key {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field or the key of a map")
    }

    fn visit_str<E>(self, value: &str) -> Result<String, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<String, E> {
        Ok(value)
    }

    fn visit_bool<E>(self, value: bool) -> Result<String, E> {
        Ok(if value { "true" } else { "false" }.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<String, E> {
        Ok(itoa::Buffer::new().format(value).into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<String, E> {
        Ok(itoa::Buffer::new().format(value).into())
    }
}

/// An encoded message.
struct Encoded;

impl<'de> Visitor<'de> for Encoded {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an encoded protobuf message")
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Vec<u8>, E> {
        Ok(value.into())
    }

    fn visit_byte_buf<E>(self, value: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(value)
    }

    // Formats without bytes of their own have lists of numbers.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}
