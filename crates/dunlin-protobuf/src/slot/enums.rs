//! Fields of enum types.

use alloc::vec::Vec;

use super::{Part, Slot, SlotRef};
use crate::table::EnumTable;

/// An enum type of generated code.
pub trait Enumeration: Copy + Default + PartialEq + core::fmt::Debug + Send + Sync + 'static {
    /// The type's values.
    const TABLE: &'static EnumTable;

    /// The value with this number; of an open enum, any number has one.
    fn from_number(number: i32) -> Option<Self>;

    /// The number.
    fn number(self) -> i32;
}

/// An enum field, lent for writing.
pub trait EnumSlot {
    /// Sets the value; false if a closed enum has no value of this number.
    fn set(&mut self, number: i32) -> bool;

    /// Takes the value back: none where there is presence, else the default.
    fn clear(&mut self);
}

impl<E: Enumeration> EnumSlot for E {
    #[inline]
    fn set(&mut self, number: i32) -> bool {
        E::from_number(number).map(|value| *self = value).is_some()
    }

    fn clear(&mut self) {
        *self = E::default();
    }
}

impl<E: Enumeration> EnumSlot for Option<E> {
    #[inline]
    fn set(&mut self, number: i32) -> bool {
        E::from_number(number).map(|value| *self = Some(value)).is_some()
    }

    fn clear(&mut self) {
        *self = None;
    }
}

/// A repeated enum field, lent for writing.
pub trait EnumList {
    /// Appends a value; false if a closed enum has no value of this number.
    fn push(&mut self, number: i32) -> bool;

    /// Makes room for more values.
    fn reserve(&mut self, additional: usize);

    /// Removes all values.
    fn clear(&mut self);

    /// Replaces a value; false if there is none at `index`, or none of this number.
    fn set(&mut self, index: usize, number: i32) -> bool;
}

/// A repeated enum field, lent for reading.
pub trait EnumListRef {
    /// How many values there are.
    fn len(&self) -> usize;

    /// True if there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of a value.
    fn get(&self, index: usize) -> Option<i32>;
}

impl<E: Enumeration> EnumList for Vec<E> {
    fn push(&mut self, number: i32) -> bool {
        E::from_number(number).map(|value| Vec::push(self, value)).is_some()
    }

    fn reserve(&mut self, additional: usize) {
        Vec::reserve(self, additional);
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn set(&mut self, index: usize, number: i32) -> bool {
        match (self.get_mut(index), E::from_number(number)) {
            (Some(place), Some(value)) => {
                *place = value;
                true
            }
            _ => false,
        }
    }
}

impl<E: Enumeration> EnumListRef for Vec<E> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn get(&self, index: usize) -> Option<i32> {
        <[E]>::get(self, index).map(|value| value.number())
    }
}

/// The values of an extension that is a repeated enum.
#[derive(Clone, Debug, PartialEq)]
pub struct EnumValues<E>(pub Vec<E>);

impl<E> Default for EnumValues<E> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'a, E: Enumeration> Part<'a> for EnumValues<E> {
    fn slot(&mut self) -> Slot<'_, 'a> {
        Slot::Enums(&mut self.0)
    }

    fn slot_ref(&self) -> SlotRef<'_> {
        SlotRef::Enums(&self.0)
    }
}

/// Gives an enum newtype over `i32` what the runtime needs; `open` or `closed` as the schema says.
///
/// Only generated code uses this.
#[macro_export]
#[doc(hidden)]
macro_rules! enumeration {
    ($name:ty, $table:expr, open) => {
        $crate::enumeration!(@common $name, $table, |number| ::core::option::Option::Some(Self(number)));

        impl ::core::convert::From<i32> for $name {
            fn from(number: i32) -> Self {
                Self(number)
            }
        }
    };
    ($name:ty, $table:expr, closed) => {
        $crate::enumeration!(@common $name, $table, |number| $table.has_number(number).then_some(Self(number)));
    };
    (@common $name:ty, $table:expr, |$number:ident| $from:expr) => {
        impl $name {
            /// The name of the value as the schema spells it, if it has one.
            pub fn name(self) -> ::core::option::Option<&'static str> {
                $table.by_number(self.0).map($crate::table::EnumValue::name)
            }
        }

        impl $crate::slot::Enumeration for $name {
            const TABLE: &'static $crate::table::EnumTable = &$table;
            #[inline]
            fn from_number($number: i32) -> ::core::option::Option<Self> {
                $from
            }
            #[inline]
            fn number(self) -> i32 {
                self.0
            }
        }

        impl ::core::fmt::Debug for $name {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match self.name() {
                    ::core::option::Option::Some(name) => f.write_str(name),
                    ::core::option::Option::None => write!(f, "{}({})", $table.full_name(), self.0),
                }
            }
        }

        impl<'a> $crate::slot::Part<'a> for $name {
            fn slot(&mut self) -> $crate::slot::Slot<'_, 'a> {
                $crate::slot::Slot::Enum(self)
            }
            fn slot_ref(&self) -> $crate::slot::SlotRef<'_> {
                $crate::slot::SlotRef::Enum(self.0)
            }
        }
    };
}
