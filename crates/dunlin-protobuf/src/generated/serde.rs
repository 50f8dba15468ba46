//! Messages and enums of generated code as values of serde (feature `serde`), by the rules of
//! ProtoJSON.

use core::fmt;
use core::marker::PhantomData;

use ::serde::de::{self, Unexpected, Visitor};
pub use ::serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::slot::Enumeration;

/// Writes the name of an enum value, or its number if it has none.
pub fn serialize_enum<E: Enumeration, S: Serializer>(value: E, serializer: S) -> Result<S::Ok, S::Error> {
    match E::TABLE.json_name(value.number()) {
        Some(name) if serializer.is_human_readable() => serializer.serialize_str(name),
        _ => serializer.serialize_i32(value.number()),
    }
}

/// Reads the name or number of an enum value.
pub fn deserialize_enum<'de, E: Enumeration, D: Deserializer<'de>>(deserializer: D) -> Result<E, D::Error> {
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(Number(PhantomData))
    } else {
        deserializer.deserialize_i32(Number(PhantomData))
    }
}

struct Number<E>(PhantomData<E>);

impl<E: Enumeration> Visitor<'_> for Number<E> {
    type Value = E;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name or number of a value of {}", E::TABLE.full_name())
    }

    fn visit_str<R: de::Error>(self, name: &str) -> Result<E, R> {
        let number = E::TABLE.by_json_name(name).map(|value| value.number());
        number.and_then(E::from_number).ok_or_else(|| R::invalid_value(Unexpected::Str(name), &self))
    }

    fn visit_i64<R: de::Error>(self, number: i64) -> Result<E, R> {
        let value = i32::try_from(number).ok().and_then(E::from_number);
        value.ok_or_else(|| R::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<R: de::Error>(self, number: u64) -> Result<E, R> {
        let value = i32::try_from(number).ok().and_then(E::from_number);
        value.ok_or_else(|| R::invalid_value(Unexpected::Unsigned(number), &self))
    }
}

/// `Serialize` and `Deserialize` for a generated type, by two functions.
#[macro_export]
#[doc(hidden)]
macro_rules! serde_by {
    ($name:ty, |$value:ident| $shown:expr, $serialize:path, $deserialize:path) => {
        impl $crate::generated::serde::Serialize for $name {
            fn serialize<S: $crate::generated::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::core::result::Result<S::Ok, S::Error> {
                let $value = self;
                $serialize($shown, serializer)
            }
        }

        impl<'de> $crate::generated::serde::Deserialize<'de> for $name {
            fn deserialize<D: $crate::generated::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::core::result::Result<Self, D::Error> {
                $deserialize(deserializer)
            }
        }
    };
}

/// `Serialize` and `Deserialize` for a generated message.
#[macro_export]
#[doc(hidden)]
macro_rules! serde_message {
    ($name:ty) => {
        $crate::serde_by!(
            $name,
            |message| message,
            $crate::json::serde::serialize,
            $crate::json::serde::deserialize
        );
    };
}

/// `Serialize` and `Deserialize` for a generated enum.
#[macro_export]
#[doc(hidden)]
macro_rules! serde_enumeration {
    ($name:ty) => {
        $crate::serde_by!(
            $name,
            |value| *value,
            $crate::generated::serde::serialize_enum,
            $crate::generated::serde::deserialize_enum
        );
    };
}
