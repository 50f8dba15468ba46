//! How one kind of field is measured, written and merged; the message tables name these kinds.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::message::{DescriptorMessage, Lengths};
use crate::wire::{Reader, Tag, WireError, WireType, write};

/// The kinds of fields that descriptor.proto and plugin.proto use. `V` is the type of the struct
/// member.
pub(crate) trait Codec<V> {
    fn measure(number: u32, value: &V, lengths: &mut Lengths) -> usize;
    fn write(number: u32, value: &V, lengths: &mut Lengths, out: &mut Vec<u8>);
    /// Merges the value of `tag`; false means that the wire type does not fit and nothing was
    /// read, so that the field is kept as an unknown one.
    fn merge(tag: Tag, value: &mut V, reader: &mut Reader<'_>) -> Result<bool, WireError>;
}

/// Conversion between a scalar and its varint.
pub(crate) trait Varint: Copy {
    fn to_varint(self) -> u64;
    fn from_varint(raw: u64) -> Self;
}

impl Varint for bool {
    fn to_varint(self) -> u64 {
        u64::from(self)
    }
    fn from_varint(raw: u64) -> Self {
        raw != 0
    }
}

impl Varint for i32 {
    // Negative numbers are sign-extended to 64 bits.
    fn to_varint(self) -> u64 {
        i64::from(self) as u64
    }
    fn from_varint(raw: u64) -> Self {
        raw as i32
    }
}

impl Varint for u64 {
    fn to_varint(self) -> u64 {
        self
    }
    fn from_varint(raw: u64) -> Self {
        raw
    }
}

impl Varint for i64 {
    fn to_varint(self) -> u64 {
        self as u64
    }
    fn from_varint(raw: u64) -> Self {
        raw as i64
    }
}

/// Bytes that may have to be text.
pub(crate) trait Text: AsRef<[u8]> + Sized {
    fn read(number: u32, reader: &mut Reader<'_>) -> Result<Self, WireError>;
}

impl Text for String {
    fn read(number: u32, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.string(number).map(str::to_owned)
    }
}

impl Text for Vec<u8> {
    fn read(_: u32, reader: &mut Reader<'_>) -> Result<Self, WireError> {
        reader.bytes().map(<[u8]>::to_vec)
    }
}

/// `optional string` and `optional bytes`.
#[allow(non_camel_case_types)] // Named as the tables spell them.
pub(crate) enum text {}

impl<T: Text> Codec<Option<T>> for text {
    fn measure(number: u32, value: &Option<T>, _: &mut Lengths) -> usize {
        value.as_ref().map_or(0, |text| len_field_len(number, text.as_ref().len()))
    }
    fn write(number: u32, value: &Option<T>, _: &mut Lengths, out: &mut Vec<u8>) {
        if let Some(text) = value {
            write::len_field(number, text.as_ref(), out);
        }
    }
    fn merge(tag: Tag, value: &mut Option<T>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        if tag.wire_type != WireType::Len {
            return Ok(false);
        }
        *value = Some(T::read(tag.number, reader)?);
        Ok(true)
    }
}

/// `repeated string`.
#[allow(non_camel_case_types)]
pub(crate) enum repeated_text {}

impl Codec<Vec<String>> for repeated_text {
    fn measure(number: u32, value: &Vec<String>, _: &mut Lengths) -> usize {
        value.iter().map(|text| len_field_len(number, text.len())).sum()
    }
    fn write(number: u32, value: &Vec<String>, _: &mut Lengths, out: &mut Vec<u8>) {
        for text in value {
            write::len_field(number, text.as_bytes(), out);
        }
    }
    fn merge(tag: Tag, value: &mut Vec<String>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        if tag.wire_type != WireType::Len {
            return Ok(false);
        }
        value.push(reader.string(tag.number)?.to_owned());
        Ok(true)
    }
}

/// Optional scalars that are varints: integers, booleans, enums.
#[allow(non_camel_case_types)]
pub(crate) enum varint {}

impl<T: Varint> Codec<Option<T>> for varint {
    fn measure(number: u32, value: &Option<T>, _: &mut Lengths) -> usize {
        value.map_or(0, |value| write::tag_len(number) + write::varint_len(value.to_varint()))
    }
    fn write(number: u32, value: &Option<T>, _: &mut Lengths, out: &mut Vec<u8>) {
        if let Some(value) = value {
            write::varint_field(number, value.to_varint(), out);
        }
    }
    fn merge(tag: Tag, value: &mut Option<T>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        if tag.wire_type != WireType::Varint {
            return Ok(false);
        }
        *value = Some(T::from_varint(reader.varint()?));
        Ok(true)
    }
}

/// Repeated varints, one tag each.
#[allow(non_camel_case_types)]
pub(crate) enum repeated_varint {}

impl<T: Varint> Codec<Vec<T>> for repeated_varint {
    fn measure(number: u32, value: &Vec<T>, _: &mut Lengths) -> usize {
        value.iter().map(|value| write::tag_len(number) + write::varint_len(value.to_varint())).sum()
    }
    fn write(number: u32, value: &Vec<T>, _: &mut Lengths, out: &mut Vec<u8>) {
        for value in value {
            write::varint_field(number, value.to_varint(), out);
        }
    }
    fn merge(tag: Tag, value: &mut Vec<T>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        merge_repeated(tag, value, reader)
    }
}

/// Repeated varints in one length-delimited run.
#[allow(non_camel_case_types)]
pub(crate) enum packed_varint {}

impl<T: Varint> Codec<Vec<T>> for packed_varint {
    fn measure(number: u32, value: &Vec<T>, _: &mut Lengths) -> usize {
        if value.is_empty() { 0 } else { len_field_len(number, packed_len(value)) }
    }
    fn write(number: u32, value: &Vec<T>, _: &mut Lengths, out: &mut Vec<u8>) {
        if value.is_empty() {
            return;
        }
        write::tag(number, WireType::Len, out);
        write::varint(packed_len(value) as u64, out);
        for value in value {
            write::varint(value.to_varint(), out);
        }
    }
    fn merge(tag: Tag, value: &mut Vec<T>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        merge_repeated(tag, value, reader)
    }
}

/// `optional double`.
#[allow(non_camel_case_types)]
pub(crate) enum double {}

impl Codec<Option<f64>> for double {
    fn measure(number: u32, value: &Option<f64>, _: &mut Lengths) -> usize {
        value.map_or(0, |_| write::tag_len(number) + 8)
    }
    fn write(number: u32, value: &Option<f64>, _: &mut Lengths, out: &mut Vec<u8>) {
        if let Some(value) = value {
            write::fixed64_field(number, value.to_bits(), out);
        }
    }
    fn merge(tag: Tag, value: &mut Option<f64>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        if tag.wire_type != WireType::I64 {
            return Ok(false);
        }
        *value = Some(f64::from_bits(reader.fixed64()?));
        Ok(true)
    }
}

/// An optional sub-message, boxed.
#[allow(non_camel_case_types)]
pub(crate) enum message {}

impl<M: DescriptorMessage> Codec<Option<Box<M>>> for message {
    fn measure(number: u32, value: &Option<Box<M>>, lengths: &mut Lengths) -> usize {
        value.as_ref().map_or(0, |message| len_field_len(number, lengths.measure(&**message)))
    }
    fn write(number: u32, value: &Option<Box<M>>, lengths: &mut Lengths, out: &mut Vec<u8>) {
        if let Some(message) = value {
            write_message(number, &**message, lengths, out);
        }
    }
    fn merge(tag: Tag, value: &mut Option<Box<M>>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        if tag.wire_type != WireType::Len {
            return Ok(false);
        }
        value.get_or_insert_default().merge_from(&mut reader.message()?)?;
        Ok(true)
    }
}

/// Repeated sub-messages.
#[allow(non_camel_case_types)]
pub(crate) enum repeated_message {}

impl<M: DescriptorMessage> Codec<Vec<M>> for repeated_message {
    fn measure(number: u32, value: &Vec<M>, lengths: &mut Lengths) -> usize {
        value.iter().map(|message| len_field_len(number, lengths.measure(message))).sum()
    }
    fn write(number: u32, value: &Vec<M>, lengths: &mut Lengths, out: &mut Vec<u8>) {
        for message in value {
            write_message(number, message, lengths, out);
        }
    }
    fn merge(tag: Tag, value: &mut Vec<M>, reader: &mut Reader<'_>) -> Result<bool, WireError> {
        if tag.wire_type != WireType::Len {
            return Ok(false);
        }
        let mut message = M::default();
        message.merge_from(&mut reader.message()?)?;
        value.push(message);
        Ok(true)
    }
}

fn len_field_len(number: u32, len: usize) -> usize {
    write::tag_len(number) + write::varint_len(len as u64) + len
}

fn packed_len<T: Varint>(values: &[T]) -> usize {
    values.iter().map(|value| write::varint_len(value.to_varint())).sum()
}

fn write_message<M: DescriptorMessage>(number: u32, message: &M, lengths: &mut Lengths, out: &mut Vec<u8>) {
    write::tag(number, WireType::Len, out);
    write::varint(u64::from(lengths.take()), out);
    message.write(lengths, out);
}

// Parsers accept packed and expanded whatever the schema says.
fn merge_repeated<T: Varint>(
    tag: Tag,
    value: &mut Vec<T>,
    reader: &mut Reader<'_>,
) -> Result<bool, WireError> {
    match tag.wire_type {
        WireType::Varint => value.push(T::from_varint(reader.varint()?)),
        WireType::Len => {
            let mut run = Reader::new(reader.bytes()?);
            while !run.rest().is_empty() {
                value.push(T::from_varint(run.varint()?));
            }
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// Declares messages: per line the field number, the name, the kind of [`Codec`] and the member's
/// type.
macro_rules! messages {
    ($(
        $(#[$doc:meta])*
        $name:ident {
            $( $(#[$field_doc:meta])* $number:literal $field:ident: $kind:ident $type:ty, )*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $( $(#[$field_doc])* pub $field: $type, )*
            /// Fields that this version of the schema does not declare, extensions among them.
            pub unknown_fields: $crate::UnknownFields,
        }

        impl $crate::descriptor::DescriptorMessage for $name {
            #[allow(unused_variables)] // A message without fields uses none of them.
            fn measure(&self, lengths: &mut $crate::descriptor::Lengths) -> usize {
                0 $( + <$crate::descriptor::codec::$kind as $crate::descriptor::codec::Codec<$type>>::measure(
                        $number, &self.$field, lengths) )*
                    + self.unknown_fields.as_bytes().len()
            }

            #[allow(unused_variables)]
            fn write(&self, lengths: &mut $crate::descriptor::Lengths, out: &mut Vec<u8>) {
                $( <$crate::descriptor::codec::$kind as $crate::descriptor::codec::Codec<$type>>::write(
                        $number, &self.$field, lengths, out); )*
                out.extend_from_slice(self.unknown_fields.as_bytes());
            }

            fn merge_from(&mut self, reader: &mut $crate::wire::Reader<'_>) -> Result<(), $crate::wire::WireError> {
                loop {
                    let start = reader.position();
                    let Some(tag) = reader.tag()? else { return Ok(()) };
                    let known = match tag.number {
                        $( $number => <$crate::descriptor::codec::$kind as
                            $crate::descriptor::codec::Codec<$type>>::merge(tag, &mut self.$field, reader)?, )*
                        _ => false,
                    };
                    if !known {
                        self.unknown_fields.keep(tag, start, reader)?;
                    }
                }
            }
        }
    )*};
}

/// Declares open enums: a number with named constants, so that unknown values survive.
macro_rules! enums {
    ($(
        $(#[$doc:meta])*
        $name:ident { $( $(#[$value_doc:meta])* $constant:ident = $number:literal, )* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i32);

        impl $name {
            $( $(#[$value_doc])* pub const $constant: Self = Self($number); )*

            /// The name of the value as the schema spells it, if it has one.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $number => Some(stringify!($constant)), )*
                    _ => None,
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}({})", stringify!($name), self.0),
                }
            }
        }

        impl $crate::descriptor::codec::Varint for $name {
            fn to_varint(self) -> u64 {
                $crate::descriptor::codec::Varint::to_varint(self.0)
            }
            fn from_varint(raw: u64) -> Self {
                Self($crate::descriptor::codec::Varint::from_varint(raw))
            }
        }
    )*};
}

pub(crate) use {enums, messages};
