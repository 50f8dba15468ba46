//! Scalars in the place of the messages that wrap them: `Option<String>` for a field of
//! `google.protobuf.StringValue`.
//!
//! Everything that works on messages sees the message, which has no place for unknown fields.

use alloc::string::String;
use core::marker::PhantomData;
use core::mem;

use bytes::Bytes;

use super::{MessageSlot, Part, Slot, SlotRef};
use crate::decode::{Context, DecodeError};
use crate::encode::{self, Measure, Value, Writer};
use crate::message::{Fields, Message, Reflect};
use crate::raw::Wrapper;
use crate::table::{MessageTable, TableRef};
use crate::wire::WireType;
use crate::{UnknownFields, wkt};

/// A scalar that some well-known message wraps.
pub trait Scalar {
    /// The type of the message.
    fn table() -> &'static MessageTable;

    /// The value, for reading.
    fn lend(&self) -> SlotRef<'_>;
}

impl<T: Scalar> Reflect for Wrapper<T> {
    fn table(&self) -> TableRef {
        TableRef::Static(T::table())
    }

    fn slot_ref(&self, index: usize) -> SlotRef<'_> {
        if index == 0 { self.0.lend() } else { SlotRef::Absent }
    }

    fn unknown_fields(&self) -> &UnknownFields {
        static NONE: UnknownFields = UnknownFields::EMPTY;
        &NONE
    }
}

impl<'s> SlotRef<'s> {
    /// A scalar as the message that wraps it.
    #[inline]
    pub fn wrapped<T: Scalar>(scalar: &'s T) -> Self {
        Self::Message(Wrapper::of(scalar))
    }

    /// A scalar that may be there, as the message that wraps it.
    #[inline]
    pub fn opt_wrapped<T: Scalar>(scalar: Option<&'s T>) -> Self {
        scalar.map_or(Self::Absent, Self::wrapped)
    }
}

impl<'s, 'a> Slot<'s, 'a> {
    /// A scalar as the message that wraps it.
    #[inline]
    pub fn wrapped<T>(scalar: &'s mut T) -> Self
    where
        Wrapper<T>: Fields<'a>,
    {
        Self::Present(Wrapper::of_mut(scalar))
    }
}

macro_rules! scalars {
    ($($of:ident: $scalar:ty, $message:ty $(, $life:lifetime)?;)*) => {$(
        impl $(<$life>)? Scalar for $scalar {
            fn table() -> &'static MessageTable {
                wkt::$of::message_table()
            }

            fn lend(&self) -> SlotRef<'_> {
                self.slot_ref()
            }
        }

        impl<'a> Fields<'a> for Wrapper<$scalar> {
            fn slot<'s>(&'s mut self, _: usize) -> Slot<'s, 'a>
            where
                'a: 's,
            {
                self.0.slot()
            }

            fn clear_oneof(&mut self, _: usize) {}

            fn unknown_fields_mut(&mut self) -> &mut UnknownFields {
                unreachable!("a scalar in the place of its wrapper keeps no unknown fields")
            }

            fn try_unknown_fields_mut(&mut self) -> Option<&mut UnknownFields> {
                None
            }

            fn merge_fields(
                &mut self,
                buf: &'a [u8],
                pos: usize,
                group: u32,
                cx: &mut Context<'_>,
            ) -> Result<usize, DecodeError> {
                // The message itself knows what to do with unknown fields.
                let mut message = <$message>::default();
                mem::swap(&mut message.value, &mut self.0);
                let end = message.merge_fields(buf, pos, group, cx);
                mem::swap(&mut message.value, &mut self.0);
                end
            }

            fn as_reflect(&self) -> &dyn Reflect {
                self
            }
        }

        impl<'a> MessageSlot<'a> for Option<$scalar> {
            fn get_mut(&mut self) -> Option<&mut dyn Fields<'a>> {
                self.as_mut().map(|scalar| Wrapper::of_mut(scalar) as _)
            }

            fn get_or_insert(&mut self) -> &mut dyn Fields<'a> {
                Wrapper::of_mut(self.get_or_insert_default())
            }

            fn clear(&mut self) {
                *self = None;
            }

            fn size(&self) -> usize {
                0
            }
        }
    )*};
}

scalars! {
    BoolValue: bool, wkt::BoolValue;
    DoubleValue: f64, wkt::DoubleValue;
    FloatValue: f32, wkt::FloatValue;
    Int32Value: i32, wkt::Int32Value;
    Int64Value: i64, wkt::Int64Value;
    UInt32Value: u32, wkt::UInt32Value;
    UInt64Value: u64, wkt::UInt64Value;
    StringValue: String, wkt::StringValue;
    BytesValue: Bytes, wkt::BytesValue;
    StringValue: &'a str, wkt::StringValueView<'a>, 'a;
    BytesValue: &'a [u8], wkt::BytesValueView<'a>, 'a;
}

/// The type of a field whose message wraps a value of type `K`.
#[derive(Debug)]
pub struct Wrapped<K>(PhantomData<K>);

impl<K, T: Value<K>> Value<Wrapped<K>> for T {
    const WIRE_TYPE: WireType = WireType::Len;

    #[inline]
    fn is_default(&self) -> bool {
        false
    }

    #[inline]
    fn measure(&self, _: u32, out: &mut Measure) {
        out.nested(|out| encode::Walk::implicit::<K>(out, 1, self));
    }

    #[inline]
    fn write(&self, number: u32, out: &mut Writer<'_>) {
        out.sized(number, |out| encode::Walk::implicit::<K>(out, 1, self));
    }
}
