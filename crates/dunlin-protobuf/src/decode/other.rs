//! The less common roads of decoding: unknown fields, other encodings of known ones, maps, closed
//! enums, ends of groups.

use super::error::{in_entry, in_field, in_named, in_tag};
use super::primitive::{self, skip, take, varint};
use super::{Cause, Context, DecodeError, Fault, is_special, merge_slot, raw_text};
use crate::message::Fields;
use crate::slot::{EntrySlots, EnumList, Part, Slot};
use crate::table::{Child, EnumTable, FieldTable, Kind, MessageTable, Shape, TableRef};
use crate::wire::write;

/// Where reading goes on.
pub(crate) enum Next {
    Field(usize),
    EndOfGroup(usize),
}

/// A tag that is not the expected one of any field. `found` is the field with its number; `start`
/// is where the tag starts, `pos` where it ends.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // The state of the loop that it is a part of.
pub(crate) fn merge_other<'a>(
    message: &mut dyn Fields<'a>,
    table: &MessageTable,
    found: Option<usize>,
    tag: u32,
    buf: &'a [u8],
    start: usize,
    mut pos: usize,
    group: u32,
    cx: &mut Context<'_>,
) -> Result<Next, DecodeError> {
    if tag & 7 == 4 {
        if tag >> 3 != group {
            return Err(in_tag(Fault::UnmatchedEndGroup, start, table));
        }
        return Ok(Next::EndOfGroup(pos));
    }
    // Packed and expanded are read whatever the schema says.
    if let Some(index) = found {
        let field = &table.fields[index];
        let packable = field.shape.is_list() && field.kind.is_packable();
        if packable && (tag & 7 == 2 || tag & 7 == field.kind.wire_type() as u32) {
            if is_special(table.wire[index], message) {
                pos = merge_special(message, table, index, tag, buf, start, pos, cx)?;
            } else if let Err(cause) = merge_slot(message.slot(index), field.kind, tag, buf, &mut pos, cx) {
                return Err(in_field(cause, pos, table, index));
            }
            return Ok(Next::Field(pos));
        }
    }
    let name = found.map(|index| table.fields[index].name());
    skip_value(tag, buf, &mut pos, cx).map_err(|cause| in_named(cause, pos, table, name))?;
    if found.is_none()
        && let Some(registry) = cx.registry
    {
        crate::extension::check(registry, table, tag, &buf[..pos], start, cx)
            .map_err(|cause| in_named(cause, pos, table, None))?;
    }
    let field = &buf[start..pos];
    cx.budget.memory(field.len()).map_err(|limit| in_named(limit.into(), pos, table, name))?;
    message.unknown_fields_mut().extend_from_wire(field);
    Ok(Next::Field(pos))
}

/// What could not be stored: a fault, or a number that a closed enum does not have.
#[cold]
pub(crate) fn not_stored<'a>(
    message: &mut dyn Fields<'a>,
    table: &MessageTable,
    index: usize,
    cause: Cause,
    pos: usize,
) -> Result<(), DecodeError> {
    let Cause::UnknownNumber(number) = cause else { return Err(in_field(cause, pos, table, index)) };
    keep_number(message, table.fields[index].number, number as i32);
    Ok(())
}

/// Keeps a number that a closed enum does not have.
fn keep_number(message: &mut dyn Fields<'_>, field: u32, number: i32) {
    let mut unknown = [0; 16];
    let len = write::varint_to(&mut unknown, u64::from(field) << 3);
    let len = len + write::varint_to(&mut unknown[len..], i64::from(number) as u64);
    message.unknown_fields_mut().extend_from_wire(&unknown[..len]);
}

fn skip_value(tag: u32, buf: &[u8], pos: &mut usize, cx: &mut Context<'_>) -> Result<(), Cause> {
    skip(tag, buf, pos, cx.budget.depth).map_err(|fault| match fault {
        Fault::TooDeep => crate::LimitError::Depth { limit: cx.budget.limits.depth }.into(),
        fault => fault.into(),
    })
}

/// Fields whose value must be looked at before it is stored: maps and closed enums.
#[inline(never)]
#[allow(clippy::too_many_arguments)]
pub(crate) fn merge_special<'a>(
    message: &mut dyn Fields<'a>,
    table: &MessageTable,
    index: usize,
    tag: u32,
    buf: &'a [u8],
    start: usize,
    mut pos: usize,
    cx: &mut Context<'_>,
) -> Result<usize, DecodeError> {
    let field = &table.fields[index];
    let result = if field.shape == Shape::Map {
        merge_map(message, table, field, index, tag, buf, start, &mut pos, cx)
    } else {
        let held;
        let e = match (&field.child, cx.pool_of(table)) {
            (Child::PoolEnum(index), Some(pool)) => pool.enum_table(*index),
            _ => {
                held = message.table();
                field.enum_table(&held)
            }
        };
        merge_enum(message, e, field, index, tag, buf, &mut pos, cx)
    };
    match result {
        Ok(()) => Ok(pos),
        Err(cause) => Err(in_field(cause, pos, table, index)),
    }
}

#[allow(clippy::too_many_arguments)]
#[inline]
fn merge_map<'a>(
    message: &mut dyn Fields<'a>,
    of: &MessageTable,
    field: &FieldTable,
    index: usize,
    tag: u32,
    buf: &'a [u8],
    start: usize,
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    let entry = match (&field.child, cx.pool_of(of)) {
        (Child::PoolMessage(index), Some(pool)) => Some(TableRef::Pool(pool.clone(), *index)),
        _ => field.message_table(&message.table()),
    };
    let Some(entry) = entry else { unreachable!("a map field has an entry type") };
    // An entry without a value has an empty one.
    cx.requires |= of.has_required;
    let mut from = start;
    let mut room = 0;
    loop {
        let Slot::Map(map) = message.slot(index) else { unreachable!("a map field lends a map") };
        loop {
            if room == 0 {
                room = if map.reserves() { super::run_length(tag, buf, *pos).max(1) } else { 1 };
                cx.budget.elements(room)?;
                cx.budget.memory(room.saturating_mul(map.size()))?;
                map.reserve(room);
            }
            room -= 1;
            let end = primitive::end(buf, pos)?;
            let known = map.merge_entry(&entry, &buf[..end], *pos, cx)?;
            *pos = end;
            if !known {
                break;
            }
            from = end;
            match primitive::next_is(buf, end, tag) {
                Some(after) => *pos = after,
                None => return Ok(()),
            }
        }
        // The value is not one of a closed enum: the whole entry is unknown.
        message.unknown_fields_mut().extend_from_wire(&buf[from..*pos]);
        from = *pos;
        match primitive::next_is(buf, from, tag) {
            Some(after) => *pos = after,
            None => return Ok(()),
        }
    }
}

/// Reads key and value of an entry; false if the value is not one of its closed enum.
///
/// Compiled into each type of map, where the slots are known.
#[inline]
pub(crate) fn merge_entry<'a>(
    slots: &mut impl EntrySlots<'a>,
    entry: &TableRef,
    buf: &'a [u8],
    mut pos: usize,
    cx: &mut Context<'_>,
) -> Result<bool, DecodeError> {
    let [key, value] = *entry.wire else { unreachable!("an entry has a key and a value") };
    cx.budget.enter().map_err(|limit| in_entry(limit.into(), pos))?;
    let mut known = true;
    while pos < buf.len() {
        let tag = primitive::tag(buf, &mut pos).map_err(|fault| in_entry(fault.into(), pos))?;
        let start = pos;
        let merged = if tag == key.tag {
            merge_slot(slots.key(), key.kind, tag, buf, &mut pos, cx)
        } else if tag == value.tag && (value.kind != Kind::Enum || slots.checks_enums()) {
            known = true;
            merge_slot(slots.value(), value.kind, tag, buf, &mut pos, cx)
        } else {
            merge_entry_other(slots.value(), entry, tag, buf, &mut pos, cx, &mut known)
        };
        let merged = match merged {
            Err(cause) if slots.has_raw_slots() => {
                raw_text::merge_part(slots, entry, cause, tag, buf, start, cx)
            }
            merged => merged,
        };
        match merged {
            Ok(()) => {}
            Err(Cause::UnknownNumber(_)) => known = false,
            Err(cause) => return Err(in_entry(cause, pos)),
        }
    }
    cx.budget.leave();
    Ok(known)
}

/// A value that is an enum of a pool, which may be closed, so that the number may not be `known`; or
/// an unknown field, which is dropped.
#[inline(never)]
fn merge_entry_other(
    slot: Slot<'_, '_>,
    entry: &TableRef,
    tag: u32,
    buf: &[u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
    known: &mut bool,
) -> Result<(), Cause> {
    if entry.wire[1].tag != tag {
        return skip_value(tag, buf, pos, cx);
    }
    let number = varint(buf, pos)? as i32;
    *known = is_known(entry.fields[1].enum_table(entry), number);
    if *known {
        set_enum(slot, number);
    }
    Ok(())
}

fn is_known(e: Option<&EnumTable>, number: i32) -> bool {
    e.is_none_or(|e| !e.closed || e.has_number(number))
}

fn set_enum(slot: Slot<'_, '_>, number: i32) {
    match slot {
        Slot::I32(value) => *value = number,
        Slot::OptI32(value) => *value = Some(number),
        Slot::I32s(values) => values.push(number),
        Slot::Enum(value) => {
            value.set(number);
        }
        Slot::Enums(values) => {
            values.push(number);
        }
        _ => unreachable!("an enum field lends an enum"),
    }
}

/// A closed enum: numbers without a name go to the unknown fields.
#[allow(clippy::too_many_arguments)]
fn merge_enum<'a>(
    message: &mut dyn Fields<'a>,
    e: Option<&EnumTable>,
    field: &FieldTable,
    index: usize,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    let mut one = |raw: u64| {
        if is_known(e, raw as i32) {
            set_enum(message.slot(index), raw as i32);
        } else {
            keep_number(message, field.number, raw as i32);
        }
    };
    if tag & 7 != 2 {
        if field.shape.is_list() {
            cx.budget.elements(1)?;
            cx.budget.memory(4)?;
        }
        one(varint(buf, pos)?);
        return Ok(());
    }
    let run = take(buf, pos)?;
    let count = primitive::count_varints(run);
    cx.budget.elements(count)?;
    // An unknown value is written with its tag.
    cx.budget.memory(count.saturating_mul(16))?;
    let mut at = 0;
    while at < run.len() {
        one(varint(run, &mut at)?);
    }
    Ok(())
}

/// The values of an open enum.
#[inline(never)]
pub(crate) fn read_enums(
    values: &mut dyn EnumList,
    tag: u32,
    buf: &[u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    if tag & 7 != 2 {
        cx.budget.elements(1)?;
        cx.budget.memory(4)?;
        values.push(varint(buf, pos)? as i32);
        return Ok(());
    }
    let run = take(buf, pos)?;
    let count = primitive::count_varints(run);
    cx.budget.elements(count)?;
    cx.budget.memory(count.saturating_mul(4))?;
    values.reserve(count);
    let mut at = 0;
    while at < run.len() {
        values.push(varint(run, &mut at)? as i32);
    }
    Ok(())
}

/// Reads one value behind its tag; for extensions, which are not fields of a table.
pub(crate) fn merge_value<'a>(
    value: &mut dyn Part<'a>,
    field: &FieldTable,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    let start = *pos;
    match merge_slot(value.slot(), field.kind, tag, buf, pos, cx) {
        Err(Cause::UnknownNumber(_)) => Ok(()),
        Err(cause) => raw_text::merge_value(value, field, cause, buf, start, cx),
        merged => merged,
    }
}
