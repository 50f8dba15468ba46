//! Which type of a schema bytes could be of.

use std::sync::Arc;

use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::slot::SlotRef;
use dunlin_protobuf::table::Kind;
use dunlin_protobuf::{DecodeOptions, Reflect};

/// How many types are shown.
const SHOWN: usize = 10;

/// A type that the bytes could be of.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Guess {
    /// Bytes in fields that the type does not have.
    unknown: usize,
    /// Fields of the type that are not set.
    unset: usize,
    pub(super) name: String,
}

/// The types that all messages can be decoded as, best first.
pub(super) fn rank(pool: &Arc<DynamicPool>, messages: &[Vec<u8>]) -> Vec<Guess> {
    let options = DecodeOptions::new();
    let mut guesses: Vec<Guess> = pool
        .messages()
        .filter(|table| {
            pool.descriptors().message(table.full_name()).is_some_and(|view| !view.is_map_entry())
        })
        .filter_map(|table| {
            let mut unknown = 0;
            let mut unset = 0;
            for bytes in messages {
                let message = DynamicMessage::decode_with(table.clone(), bytes, &options).ok()?;
                unknown += unknown_bytes(&message, pool);
                unset += (0..table.fields().len()).filter(|&index| !is_set(message.slot_ref(index))).count();
            }
            Some(Guess { unknown, unset, name: table.full_name().to_owned() })
        })
        .collect();
    guesses.sort_unstable();
    guesses.truncate(SHOWN);
    guesses
}

pub(super) fn table(ranking: &[Guess]) -> String {
    ranking.iter().map(|guess| format!("{}: {} unknown bytes\n", guess.name, guess.unknown)).collect()
}

fn is_set(slot: SlotRef<'_>) -> bool {
    match slot {
        SlotRef::Absent => false,
        SlotRef::Messages(list) => !list.is_empty(),
        SlotRef::Map(map) => !map.is_empty(),
        SlotRef::String(text) => !text.is_empty(),
        SlotRef::Bytes(bytes) => !bytes.is_empty(),
        SlotRef::Bool(value) => value,
        SlotRef::I32(value) | SlotRef::Enum(value) => value != 0,
        SlotRef::I64(value) => value != 0,
        SlotRef::U32(value) => value != 0,
        SlotRef::U64(value) => value != 0,
        list => list.texts().is_none_or(|texts| !texts.is_empty()),
    }
}

/// How many bytes are in fields that the types do not have, extensions aside, or in strings that are not UTF-8.
pub(super) fn unknown_bytes(message: &dyn Reflect, pool: &DynamicPool) -> usize {
    let table = message.table();
    let mut count = 0;
    let mut reader = message.unknown_fields().reader();
    let mut start = 0;
    while let Ok(Some(tag)) = reader.tag() {
        if reader.skip(tag).is_err() {
            break;
        }
        if pool.extension_table(table.full_name(), tag.number).is_none() {
            count += reader.position() - start;
        }
        start = reader.position();
    }
    for index in 0..table.fields().len() {
        match message.slot_ref(index) {
            SlotRef::Message(inner) => count += unknown_bytes(inner, pool),
            SlotRef::Messages(list) => {
                count += (0..list.len())
                    .filter_map(|at| list.get(at))
                    .map(|inner| unknown_bytes(inner, pool))
                    .sum::<usize>();
            }
            SlotRef::Map(map) => map.for_each(false, &mut |_, value| {
                if let SlotRef::Message(inner) = value {
                    count += unknown_bytes(inner, pool);
                }
                true
            }),
            // Text that is none was hardly meant to be text.
            SlotRef::Bytes(bytes) if table.fields()[index].kind() == Kind::String => count += bytes.len(),
            list if table.fields()[index].kind() == Kind::String && list.texts().is_none() => {
                count +=
                    list.byte_slices().unwrap_or_default().iter().map(|bytes| bytes.len()).sum::<usize>();
            }
            _ => {}
        }
    }
    count
}
