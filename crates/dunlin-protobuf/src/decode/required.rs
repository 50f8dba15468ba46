use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::DecodeError;
use super::error::missing_required;
use crate::message::Reflect;
use crate::slot::SlotRef;
use crate::table::Shape;

/// At most this many missing fields are named.
const NAMED: usize = 20;

/// Fails if a required field is missing, at any depth.
pub(crate) fn check(message: &dyn Reflect) -> Result<(), DecodeError> {
    if is_complete(message) { Ok(()) } else { Err(missing_required(&message.table(), missing(message))) }
}

/// True if no required field is missing, at any depth.
fn is_complete(message: &dyn Reflect) -> bool {
    let table = message.table();
    table.fields().iter().enumerate().all(|(index, field)| {
        if field.shape == Shape::Required {
            if !field.kind.is_message() {
                return !matches!(message.slot_ref(index), SlotRef::Absent);
            }
        } else if !field.kind.is_message()
            || !field.message_table(&table).is_some_and(|child| child.has_required)
        {
            return true;
        }
        match message.slot_ref(index) {
            SlotRef::Absent => field.shape != Shape::Required,
            SlotRef::Message(child) => is_complete(child),
            SlotRef::Messages(list) => (0..list.len()).filter_map(|at| list.get(at)).all(is_complete),
            SlotRef::Map(map) => {
                let mut complete = true;
                map.for_each(false, &mut |_, value| {
                    complete = !matches!(value, SlotRef::Message(child) if !is_complete(child));
                    complete
                });
                complete
            }
            _ => true,
        }
    })
}

/// The paths of the required fields that are missing, at any depth.
pub(crate) fn missing(message: &dyn Reflect) -> Vec<String> {
    let mut found = Vec::new();
    collect(message, "", &mut found);
    found
}

// Depth is that of the message, which was bounded when it was read.
fn collect(message: &dyn Reflect, path: &str, found: &mut Vec<String>) {
    let table = message.table();
    if !table.has_required {
        return;
    }
    for (index, field) in table.fields().iter().enumerate() {
        if found.len() >= NAMED {
            return;
        }
        let is_required = field.shape == Shape::Required;
        if !is_required && !field.kind.is_message() {
            continue;
        }
        match message.slot_ref(index) {
            SlotRef::Absent if is_required => found.push(format!("{path}{}", field.name())),
            SlotRef::Message(child) => collect(child, &format!("{path}{}.", field.name()), found),
            SlotRef::Messages(list) => {
                for (at, child) in (0..list.len()).filter_map(|at| Some((at, list.get(at)?))) {
                    collect(child, &format!("{path}{}[{at}].", field.name()), found);
                }
            }
            SlotRef::Map(map) => map.for_each(true, &mut |_, value| {
                if let SlotRef::Message(child) = value {
                    collect(child, &format!("{path}{}[].", field.name()), found);
                }
                true
            }),
            _ => {}
        }
    }
}
