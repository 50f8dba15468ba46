//! Text that is not UTF-8 where the schema does not ask for that, in messages that hold it as bytes only then.

use bytes::Bytes;

use super::primitive::{self, take};
use super::{Cause, Context, Fault, read_bytes};
use crate::SharedString;
use crate::limits::{Budget, LimitError};
use crate::message::Fields;
use crate::slot::{EntrySlots, Part, Slot, SlotRef};
use crate::table::{FieldTable, MessageTable, TableRef};

/// Stores the text at the end of `buf` that could not be stored as text, if that is the `cause` and the schema lets it be;
/// from `start` on there are only fields with its tag.
#[cold]
pub(super) fn merge_field<'a>(
    message: &mut dyn Fields<'a>,
    table: &MessageTable,
    index: usize,
    cause: Cause,
    buf: &[u8],
    start: usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    if !is_refused(&cause, &table.fields[index]) {
        return Err(cause);
    }
    charge(message.as_reflect().slot_ref(index), &mut cx.budget)?;
    let value = last(buf, start)?;
    store(message.raw_slot(index), buf, value, cx)
}

/// Whether all that is wrong is that text is not UTF-8, while the schema does not ask for that.
fn is_refused(cause: &Cause, field: &FieldTable) -> bool {
    field.unchecked && matches!(cause, Cause::Fault(Fault::InvalidUtf8))
}

/// Takes the memory that the texts of a list need when they become bytes, with room for as many more.
pub(crate) fn charge(value: SlotRef<'_>, budget: &mut Budget) -> Result<(), LimitError> {
    let SlotRef::SharedList(texts) = value else { return Ok(()) };
    let each = |text: &SharedString| 2 * size_of::<Bytes>() + text.len();
    budget.memory(texts.iter().map(each).sum())
}

/// Where the value is of the last of the length-delimited fields from `start` to the end.
fn last(buf: &[u8], start: usize) -> Result<usize, Fault> {
    let (mut value, mut pos) = (start, start);
    while pos < buf.len() {
        primitive::tag(buf, &mut pos)?;
        value = pos;
        take(buf, &mut pos)?;
    }
    Ok(value)
}

/// Stores the text at `pos` as the bytes that it is, in a slot that was changed for it.
fn store(slot: Slot<'_, '_>, buf: &[u8], mut pos: usize, cx: &mut Context<'_>) -> Result<(), Cause> {
    match slot {
        Slot::Bytes(value) => *value = read_bytes(buf, &mut pos, cx)?,
        Slot::OptBytes(value) => *value = Some(read_bytes(buf, &mut pos, cx)?),
        Slot::BytesList(values) => {
            cx.budget.memory(size_of::<Bytes>())?;
            values.push(read_bytes(buf, &mut pos, cx)?);
        }
        _ => return Err(Fault::InvalidUtf8.into()),
    }
    Ok(())
}

/// As [`merge_field`], of the key or the value of an entry, which is at `pos`.
#[cold]
pub(super) fn merge_part<'a>(
    slots: &mut dyn EntrySlots<'a>,
    entry: &TableRef,
    cause: Cause,
    tag: u32,
    buf: &[u8],
    pos: usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    let is_key = tag == entry.wire[0].tag;
    if !is_refused(&cause, &entry.fields[usize::from(!is_key)]) {
        return Err(cause);
    }
    store(if is_key { slots.raw_key() } else { slots.raw_value() }, buf, pos, cx)
}

/// As [`merge_field`], of a value that stands on its own and is at `pos`.
#[cold]
pub(super) fn merge_value<'a>(
    value: &mut dyn Part<'a>,
    field: &FieldTable,
    cause: Cause,
    buf: &[u8],
    pos: usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    if !is_refused(&cause, field) {
        return Err(cause);
    }
    charge(value.slot_ref(), &mut cx.budget)?;
    store(value.raw_slot(), buf, pos, cx)
}
