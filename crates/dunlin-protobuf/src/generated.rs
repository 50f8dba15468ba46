//! What generated code uses, under short names.

#[cfg(feature = "serde")]
pub mod serde;

pub use alloc::borrow::Cow;
pub use alloc::vec::Vec;
pub use core::default::Default;
pub use core::option::Option::{self, None, Some};
pub use core::result::Result::{self, Err, Ok};

pub use crate::decode::{Context, DecodeError, merge, merge_many};
pub use crate::encode::*;
pub use crate::extension::Extension;
pub use crate::message::{Fields, Message, Reflect, View};
pub use crate::registry::Registry;
pub use crate::slot::{Enumeration, Slot, SlotRef, Wrapped};
pub use crate::table::{
    DefaultValue, EnumTable, EnumValue, FieldTable, Kind, MessageTable, Shape, TableRef, WireEntry,
    wire_entries,
};
pub use crate::{UnknownFields, enumeration, select};

/// The member of a oneof, selected if another one is.
#[macro_export]
#[doc(hidden)]
macro_rules! select {
    ($place:expr, $member:path) => {{
        if !matches!($place, ::core::option::Option::Some($member(_))) {
            $place = ::core::option::Option::Some($member(::core::default::Default::default()));
        }
        match &mut $place {
            ::core::option::Option::Some($member(value)) => value,
            _ => unreachable!("the member was just selected"),
        }
    }};
}

/// Tells what is missing.
#[cfg(not(feature = "serde"))]
#[macro_export]
#[doc(hidden)]
macro_rules! serde_message {
    ($name:ty) => {
        compile_error!("the generator's option `serde` needs the feature `serde` of the runtime crate");
    };
}

/// Tells what is missing.
#[cfg(not(feature = "serde"))]
#[macro_export]
#[doc(hidden)]
macro_rules! serde_enumeration {
    ($name:ty) => {
        $crate::serde_message!($name);
    };
}
