//! `Any`: a message together with the name of its type.

use alloc::string::String;

use super::Any;
use crate::dynamic::DynamicMessage;
use crate::message::{Message, Reflect};
use crate::{DecodeError, Registry};

/// What stands before the type's name if nothing else is asked for.
const PREFIX: &str = "type.googleapis.com/";

/// `type_url` is a prefix, a slash and the full name of the message type; `value` is the encoded
/// message.
///
/// ```
/// use dunlin_protobuf::wkt::{Any, Duration, Timestamp};
///
/// let any = Any::pack(&Timestamp { seconds: 42, ..Default::default() });
/// assert_eq!(any.type_url, "type.googleapis.com/google.protobuf.Timestamp");
/// assert!(any.is::<Timestamp>());
/// assert_eq!(any.unpack::<Timestamp>()?.unwrap().seconds, 42);
/// assert_eq!(any.unpack::<Duration>()?, None); // another type
/// # Ok::<(), dunlin_protobuf::DecodeError>(())
/// ```
impl Any {
    /// Encodes a message; the prefix of its type is `type.googleapis.com/`.
    pub fn pack<M: Message>(message: &M) -> Self {
        Self::of(M::FULL_NAME, message.encode_to_bytes())
    }

    /// Encodes a message whose type is known only at run time.
    pub fn pack_dynamic(message: &dyn Reflect) -> Self {
        let value = crate::encode::encode_to_vec(message, false);
        Self::of(message.table().full_name(), value.into())
    }

    fn of(full_name: &str, value: bytes::Bytes) -> Self {
        let mut type_url = String::with_capacity(PREFIX.len() + full_name.len());
        type_url.push_str(PREFIX);
        type_url.push_str(full_name);
        Self { type_url, value, ..Self::default() }
    }

    /// The full name of the message's type: what stands behind the last slash. Empty if there is no
    /// slash, which is how an `Any` without a message looks too.
    pub fn type_name(&self) -> &str {
        self.type_url.rsplit_once('/').map_or("", |(_, name)| name)
    }

    /// True if the message is of this type, whatever the prefix.
    pub fn is<M: Message>(&self) -> bool {
        self.type_name() == M::FULL_NAME
    }

    /// Decodes the message; `None` if it is of another type.
    ///
    /// # Errors
    /// When the bytes are no message of the type that they are said to be.
    pub fn unpack<M: Message>(&self) -> Result<Option<M>, DecodeError> {
        if !self.is::<M>() {
            return Ok(None);
        }
        M::decode_bytes(&self.value).map(Some)
    }

    /// Decodes the message by what `registry` knows of its type; `None` if it knows nothing.
    ///
    /// ```
    /// use dunlin_protobuf::wkt::{self, Any, Timestamp};
    /// use dunlin_protobuf::{Reflect, Registry};
    ///
    /// let mut registry = Registry::new();
    /// wkt::register(&mut registry);
    /// let any = Any::pack(&Timestamp { seconds: 42, ..Default::default() });
    /// let message = any.unpack_dynamic(&registry)?.unwrap();
    /// assert_eq!(message.table().full_name(), "google.protobuf.Timestamp");
    /// assert_eq!(Any::pack_dynamic(&message), any);
    /// # Ok::<(), dunlin_protobuf::DecodeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Any::unpack`].
    pub fn unpack_dynamic(&self, registry: &Registry) -> Result<Option<DynamicMessage>, DecodeError> {
        let Some(table) = registry.table(self.type_name()) else { return Ok(None) };
        let options = crate::DecodeOptions::new().registry(registry);
        DynamicMessage::decode_with(table, &self.value, &options).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wkt::{Empty, Timestamp};

    #[test]
    fn the_type_is_named_behind_the_last_slash() {
        for (url, want) in [
            ("type.googleapis.com/google.protobuf.Empty", "google.protobuf.Empty"),
            ("https://example.com/types/google.protobuf.Empty", "google.protobuf.Empty"),
            ("/google.protobuf.Empty", "google.protobuf.Empty"),
            ("google.protobuf.Empty", ""),
            ("example.com/", ""),
            ("", ""),
        ] {
            let any = Any { type_url: url.into(), ..Default::default() };
            assert_eq!(any.type_name(), want, "{url}");
            assert_eq!(any.is::<Empty>(), !want.is_empty(), "{url}");
        }
    }

    #[test]
    fn bytes_that_are_no_message_of_the_type_are_an_error() {
        let any = Any { value: vec![0x08].into(), ..Any::pack(&Timestamp::default()) };
        assert!(any.unpack::<Timestamp>().is_err());
        assert_eq!(any.unpack::<Empty>(), Ok(None));
        let mut registry = Registry::new();
        assert!(any.unpack_dynamic(&registry).unwrap().is_none());
        registry.add_message::<Timestamp>();
        assert!(any.unpack_dynamic(&registry).is_err());
    }
}
