//! Walking a message that is only known by its slots.

use super::Walk;
use super::kinds::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Float, Grp, Int32, Int64, Msg, Sfixed32, Sfixed64, Sint32,
    Sint64, Str, Uint32, Uint64,
};
use crate::message::Reflect;
use crate::slot::{MapRef, SlotRef};
use crate::table::{FieldTable, Kind, Shape, TableRef};

/// Walks a message of any type. There is one for each type, so what a field needs is compiled elsewhere.
pub(crate) fn walk_slots<M: Reflect + ?Sized>(message: &M, out: &mut impl Walk) {
    let table = message.table();
    for (index, field) in table.fields().iter().enumerate() {
        out.slot(message.slot_ref(index), field, &table);
    }
    out.unknown(message.unknown_fields());
}

fn walk_map(map: &dyn MapRef, number: u32, entry: &TableRef, out: &mut impl Walk) {
    let [key_field, value_field] = entry.fields() else { return };
    map.for_each(out.is_sorted(), &mut |key, value| {
        out.entry(number, |out| {
            out.slot(key, key_field, entry);
            out.slot(value, value_field, entry);
        });
        true
    });
}

/// Walks one field.
#[inline(always)]
pub(super) fn walk_slot(value: SlotRef<'_>, field: &FieldTable, of: &TableRef, out: &mut impl Walk) {
    let (number, kind) = (field.number, field.kind);
    let implicit = field.shape == Shape::Implicit;
    let packed = field.shape == Shape::Packed;

    macro_rules! one {
        ($($as:ident)|+, $value:expr) => {
            match kind {
                $(Kind::$as if implicit => out.implicit::<$as>(number, $value),
                Kind::$as => out.member::<$as>(number, $value),)+
                _ => {}
            }
        };
    }
    macro_rules! many {
        ($($as:ident)|+, $values:expr) => {
            match kind {
                $(Kind::$as if packed => out.packed::<$as>(number, $values),
                Kind::$as => out.repeated::<$as>(number, $values),)+
                _ => {}
            }
        };
    }

    macro_rules! message {
        ($value:expr) => {
            if kind == Kind::Group {
                out.member::<Grp>(number, $value)
            } else {
                out.member::<Msg>(number, $value)
            }
        };
    }

    match value {
        SlotRef::Absent => {}
        SlotRef::Bool(value) => one!(Bool, &value),
        SlotRef::I32(value) => one!(Int32 | Sint32 | Sfixed32 | Enum, &value),
        SlotRef::I64(value) => one!(Int64 | Sint64 | Sfixed64, &value),
        SlotRef::U32(value) => one!(Uint32 | Fixed32, &value),
        SlotRef::U64(value) => one!(Uint64 | Fixed64, &value),
        SlotRef::F32(value) => one!(Float, &value),
        SlotRef::F64(value) => one!(Double, &value),
        SlotRef::Enum(value) => one!(Enum, &value),
        SlotRef::String(value) if implicit => out.implicit::<Str>(number, &value),
        SlotRef::String(value) => out.member::<Str>(number, &value),
        SlotRef::Bytes(value) if implicit => out.implicit::<Bytes>(number, &value),
        SlotRef::Bytes(value) => out.member::<Bytes>(number, &value),
        SlotRef::Message(value) => message!(&value),

        SlotRef::Bools(values) => many!(Bool, values),
        SlotRef::I32s(values) => many!(Int32 | Sint32 | Sfixed32 | Enum, values),
        SlotRef::I64s(values) => many!(Int64 | Sint64 | Sfixed64, values),
        SlotRef::U32s(values) => many!(Uint32 | Fixed32, values),
        SlotRef::U64s(values) => many!(Uint64 | Fixed64, values),
        SlotRef::F32s(values) => many!(Float, values),
        SlotRef::F64s(values) => many!(Double, values),
        SlotRef::Strings(values) => out.repeated::<Str>(number, values),
        SlotRef::SharedList(values) => out.repeated::<Str>(number, values),
        SlotRef::Strs(values) => out.repeated::<Str>(number, values),
        SlotRef::BytesList(values) => out.repeated::<Bytes>(number, values),
        SlotRef::ByteVecs(values) => out.repeated::<Bytes>(number, values),
        SlotRef::Slices(values) => out.repeated::<Bytes>(number, values),
        SlotRef::Enums(values) => {
            let numbers: alloc::vec::Vec<i32> = (0..values.len()).filter_map(|i| values.get(i)).collect();
            many!(Enum, &numbers);
        }
        SlotRef::Messages(list) => {
            for message in (0..list.len()).filter_map(|i| list.get(i)) {
                message!(&message);
            }
        }
        SlotRef::Map(map) => {
            if let Some(entry) = field.message_table(of) {
                walk_map(map, number, &entry, out);
            }
        }
    }
}
