//! Any message into wire bytes, in one pass that writes forward.
//!
//! Generated types describe their fields once, as a walk ([`Walk`]); measuring and writing are two
//! walkers. Other messages are walked over their slots.

mod kinds;
mod slots;
mod writer;

use alloc::vec::Vec;

use bytes::BytesMut;

pub use kinds::{
    Bool, Bytes, Double, Entries, Enum, Fixed32, Fixed64, Float, Grp, Int32, Int64, Msg, Sfixed32, Sfixed64,
    Sint32, Sint64, Str, Uint32, Uint64, Value,
};
pub(crate) use slots::walk_slots;
pub use writer::{Measure, Writer};

use crate::UnknownFields;
use crate::message::Reflect;
use crate::raw;
use crate::slot::SlotRef;
use crate::table::{FieldTable, TableRef};

/// A pass over the fields of a message, in ascending order of numbers.
pub trait Walk {
    /// A field that is always written.
    fn member<K>(&mut self, number: u32, value: &impl Value<K>);

    /// A repeated field of numbers in one run.
    fn packed<K>(&mut self, number: u32, values: &[impl Value<K>]);

    /// A field whose type is only known by its slot, in a message of type `of`. Each walker has its own, not the
    /// trait one for all: that way it is compiled here, not with each type of message.
    fn slot(&mut self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef);

    /// Whether entries of maps go in the order of their keys.
    fn is_sorted(&self) -> bool;

    /// An entry of a map: a message of a key and a value, which `walk` walks.
    fn entry(&mut self, number: u32, walk: impl FnOnce(&mut Self));

    /// What the type does not know, as it came.
    fn unknown(&mut self, fields: &UnknownFields);

    /// A map.
    #[inline]
    fn map<K, V>(&mut self, number: u32, entries: &impl Entries<K, V>) {
        entries.each(self.is_sorted(), |key, value| {
            self.entry(number, |out| {
                out.member(1, key);
                out.member(2, value);
            });
        });
    }

    /// A field without presence: written unless it is zero or empty.
    #[inline(always)]
    fn implicit<K>(&mut self, number: u32, value: &impl Value<K>) {
        if !value.is_default() {
            self.member(number, value);
        }
    }

    /// A field with presence.
    #[inline(always)]
    fn explicit<K>(&mut self, number: u32, value: &Option<impl Value<K>>) {
        if let Some(value) = value {
            self.member(number, value);
        }
    }

    /// A repeated field with a tag for each value.
    #[inline(always)]
    fn repeated<K>(&mut self, number: u32, values: &[impl Value<K>]) {
        for value in values {
            self.member(number, value);
        }
    }
}

pub(crate) fn measured(measure: impl FnOnce(&mut Measure)) -> usize {
    let mut out = Measure::default();
    measure(&mut out);
    out.total()
}

fn append<M: Reflect + ?Sized>(message: &M, deterministic: bool, out: &mut impl raw::Buffer) {
    let measure = || measured(|out| message.measure(out));
    raw::append(out, measure, |out| {
        let mut writer = Writer::new(out, deterministic);
        message.write(&mut writer);
        writer.finish()
    });
}

pub(crate) fn encode_into<M: Reflect + ?Sized>(message: &M, out: &mut Vec<u8>) {
    append(message, false, out);
}

pub(crate) fn encode_into_bytes<M: Reflect + ?Sized>(message: &M, out: &mut BytesMut) {
    append(message, false, out);
}

pub(crate) fn encode_to_vec<M: Reflect + ?Sized>(message: &M, deterministic: bool) -> Vec<u8> {
    let mut out = Vec::new();
    append(message, deterministic, &mut out);
    out.shrink_to_fit();
    out
}

pub(crate) fn encode_delimited<M: Reflect + ?Sized>(message: &M, out: &mut Vec<u8>) {
    let measure = || measured(|out| out.nested(|out| message.measure(out)));
    raw::append(out, measure, |out| {
        let mut writer = Writer::new(out, false);
        writer.sized(0, |writer| message.write(writer));
        writer.finish()
    });
}

/// The bytes of one field that stands alone.
pub(crate) fn encode_field(value: SlotRef<'_>, field: &FieldTable, of: &TableRef) -> Vec<u8> {
    let mut out = Vec::new();
    let measure = || measured(|out| out.slot(value, field, of));
    raw::append(&mut out, measure, |out| {
        let mut writer = Writer::new(out, false);
        writer.slot(value, field, of);
        writer.finish()
    });
    out
}

/// How to encode.
///
/// ```
/// use dunlin_protobuf::EncodeOptions;
/// use dunlin_protobuf::wkt::Timestamp;
///
/// let time = Timestamp { seconds: 42, ..Default::default() };
/// assert_eq!(EncodeOptions::new().deterministic().encode_to_vec(&time), [0x08, 0x2a]);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[must_use]
pub struct EncodeOptions {
    deterministic: bool,
}

impl EncodeOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries of maps in the order of their keys, also where the map has no order: equal messages
    /// give equal bytes, as long as the schema and this library stay as they are.
    pub fn deterministic(mut self) -> Self {
        self.deterministic = true;
        self
    }

    /// The encoded message.
    pub fn encode_to_vec(&self, message: &dyn Reflect) -> Vec<u8> {
        encode_to_vec(message, self.deterministic)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;
    use crate::wire::write;
    use crate::wkt::DescriptorProto;

    /// From the innermost message outwards, as the encoder does not.
    fn expected(message: &DescriptorProto) -> Vec<u8> {
        let mut out = Vec::new();
        if let Some(name) = &message.name {
            write::len_field(1, name.as_bytes(), &mut out);
        }
        message.nested_type.iter().for_each(|nested| write::len_field(3, &expected(nested), &mut out));
        out
    }

    fn leaf(len: usize) -> DescriptorProto {
        DescriptorProto { name: Some("x".repeat(len)), ..Default::default() }
    }

    fn check(message: &DescriptorProto) {
        let wanted = expected(message);
        assert!(message.encode_to_vec() == wanted, "{} bytes", wanted.len());
        assert_eq!(message.encoded_len(), wanted.len());
        let mut appended = alloc::vec![7];
        message.encode_into(&mut appended);
        assert!(appended[1..] == wanted);
        let mut bytes = BytesMut::new();
        message.encode_into_bytes(&mut bytes);
        assert!(bytes == wanted);
        let mut delimited = Vec::new();
        message.encode_delimited(&mut delimited);
        let mut item = Vec::new();
        write::varint(wanted.len() as u64, &mut item);
        assert!(delimited == [item, wanted].concat());
    }

    #[test]
    fn lengths_of_every_width_follow_each_other_in_every_order() {
        // What is around a limit becomes shorter or longer by its own tag and length.
        let lens = [0, 1, 120, 124, 125, 126, 130, 2040, 2044, 2045, 2050, 16_376, 16_379, 16_380, 16_390];
        for first in lens {
            for second in lens {
                let nested = [leaf(first), leaf(second), leaf(first)].to_vec();
                check(&DescriptorProto { nested_type: nested, ..Default::default() });
            }
        }
        check(&DescriptorProto { nested_type: [leaf(3 << 20), leaf(1)].to_vec(), ..Default::default() });
    }

    #[test]
    fn messages_in_messages_are_moved_to_their_places() {
        for len in [0, 60, 127, 1900, 2040, 16_300, 100_000] {
            let mut message = leaf(len);
            for depth in 0..90 {
                let beside = leaf(if depth % 3 == 0 { 1 } else { 40 * depth });
                let nested_type = match depth % 2 {
                    0 => [beside, message].to_vec(),
                    _ => [message, beside].to_vec(),
                };
                message = DescriptorProto { nested_type, ..leaf(depth) };
            }
            check(&message);
        }
    }
}
