//! Extensions: fields that other files add to a message.
//!
//! They are kept with the unknown fields, in wire bytes, and read when they are asked for: a
//! message type need not know who extends it.

use alloc::vec::Vec;
use core::marker::PhantomData;

use crate::decode::{Cause, Context, merge_value, primitive};
use crate::dynamic::Storage;
use crate::encode::encode_field;
use crate::message::{Fields, Reflect};
use crate::registry::{Found, Registry};
use crate::slot::{Part, Slot, SlotRef};
use crate::table::{FieldTable, Kind, MessageTable, Shape, TableRef};
use crate::wire::{WireType, write};
use crate::{DecodeError, Limits, UnknownFields};

/// An extension of the message `M` with values of type `T`: a scalar, a message, or a `Vec`.
///
/// Generated code has a constant for each.
#[derive(Debug)]
pub struct Extension<M, T> {
    field: &'static FieldTable,
    types: PhantomData<fn() -> (M, T)>,
}

impl<M, T> Clone for Extension<M, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M, T> Copy for Extension<M, T> {}

impl<M, T> Extension<M, T> {
    /// The extension that `field` describes.
    pub const fn new(field: &'static FieldTable) -> Self {
        Self { field, types: PhantomData }
    }

    /// The field number.
    pub const fn number(&self) -> u32 {
        self.field.number
    }

    /// What describes it.
    pub const fn field(&self) -> &'static FieldTable {
        self.field
    }
}

/// Typed access to extensions.
pub trait Extend: Fields<'static> + Sized {
    /// The value of an extension; `None` if it is not set. A repeated one that is not set is `None`
    /// too.
    ///
    /// # Errors
    /// When the bytes that are there are no value of the extension's type.
    fn extension<T>(&self, extension: Extension<Self, T>) -> Result<Option<T>, DecodeError>
    where
        T: for<'b> Part<'b> + Default,
    {
        let mut value = T::default();
        let table = self.table();
        let bytes = self.unknown_fields().as_bytes();
        let found = read(bytes, extension.field, &table, &table, &mut value)?;
        Ok(found.then_some(value))
    }

    /// True if the extension is set.
    fn has_extension<T>(&self, extension: Extension<Self, T>) -> bool {
        contains(self.unknown_fields(), extension.number(), &self.table())
    }

    /// Sets an extension, in the place of its former value.
    fn set_extension<T: for<'b> Part<'b>>(&mut self, extension: Extension<Self, T>, value: &T) {
        let table = self.table();
        store(self.unknown_fields_mut(), extension.field, &table, &table, value.slot_ref());
    }

    /// Takes an extension back.
    fn clear_extension<T>(&mut self, extension: Extension<Self, T>) {
        let table = self.table();
        remove(self.unknown_fields_mut(), extension.number(), &table);
    }
}

impl<M: Fields<'static>> Extend for M {}

/// The tag of a message set's items, and of what is in them.
const ITEM: u32 = 1 << 3 | WireType::StartGroup as u32;
const TYPE_ID: u32 = 2 << 3;
const MESSAGE: u32 = 3 << 3 | WireType::Len as u32;

/// One field among unknown ones: its number, and where its tag, its value and its end are.
struct Piece {
    tag: u32,
    start: usize,
    value: usize,
    end: usize,
}

fn pieces(bytes: &[u8]) -> impl Iterator<Item = Piece> {
    let mut pos = 0;
    core::iter::from_fn(move || {
        if pos >= bytes.len() {
            return None;
        }
        let start = pos;
        let tag = primitive::tag(bytes, &mut pos).ok()?;
        let value = pos;
        primitive::skip(tag, bytes, &mut pos, u32::MAX).ok()?;
        Some(Piece { tag, start, value, end: pos })
    })
}

/// Type and bytes of a message set item whose group is `group`; the first of each counts.
fn item(group: &[u8]) -> Option<(u32, usize, usize)> {
    let (mut id, mut message) = (None, None);
    for piece in pieces(group) {
        let mut pos = piece.value;
        match piece.tag {
            TYPE_ID if id.is_none() => id = Some(primitive::varint(group, &mut pos).ok()? as u32),
            MESSAGE if message.is_none() => {
                primitive::end(group, &mut pos).ok()?;
                message = Some((pos, piece.end));
            }
            // The end of the group itself.
            _ => {}
        }
    }
    let (from, to) = message?;
    Some((id?, from, to))
}

/// The numbers of the fields among `unknown`, in their order, each once.
pub(crate) fn numbers(unknown: &UnknownFields, table: &MessageTable) -> Vec<u32> {
    let bytes = unknown.as_bytes();
    let mut found = Vec::new();
    for piece in pieces(bytes) {
        let number = match piece.tag {
            ITEM if table.message_set => item(&bytes[piece.value..piece.end]).map(|(id, ..)| id),
            tag => Some(tag >> 3),
        };
        found.extend(number);
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn contains(unknown: &UnknownFields, number: u32, table: &MessageTable) -> bool {
    numbers(unknown, table).contains(&number)
}

/// Reads all occurrences of an extension; false if there is none. `of` is where the types of
/// `field` are looked up, `table` that of the extended message.
pub(crate) fn read<'b>(
    bytes: &'b [u8],
    field: &FieldTable,
    of: &TableRef,
    table: &MessageTable,
    value: &mut dyn Part<'b>,
) -> Result<bool, DecodeError> {
    let mut cx = Context::new(Limits::default().budget(bytes.len()), None);
    let mut found = false;
    for piece in pieces(bytes) {
        let in_error = |cause, at| crate::decode::in_named(cause, at, table, Some(field.name()));
        let mut pos = piece.value;
        if piece.tag == ITEM && table.message_set {
            if let Some((id, from, to)) = item(&bytes[piece.value..piece.end])
                && id == field.number
            {
                let item = &bytes[..piece.value + to];
                let tag = field.number << 3 | WireType::Len as u32;
                // The length in front of the message is read again.
                let mut at = piece.value + from - write::varint_len((to - from) as u64);
                if let Slot::Present(message) = value.slot() {
                    message.merge_fields(item, piece.value + from, 0, &mut cx)?;
                } else {
                    merge_value(value, field, tag, item, &mut at, &mut cx).map_err(|e| in_error(e, at))?;
                }
                found = true;
            }
            continue;
        }
        if piece.tag >> 3 == field.number
            && merge_piece(piece.tag, &bytes[..piece.end], &mut pos, field, of, value, &mut cx)
                .map_err(|cause| in_error(cause, pos))?
        {
            found = true;
        }
    }
    Ok(found)
}

/// Merges one occurrence; false if its wire type does not fit, or the value is not one of a closed
/// enum.
fn merge_piece<'b>(
    tag: u32,
    buf: &'b [u8],
    pos: &mut usize,
    field: &FieldTable,
    of: &TableRef,
    value: &mut dyn Part<'b>,
    cx: &mut Context<'_>,
) -> Result<bool, Cause> {
    let wire_type = tag & 7;
    let is_run = wire_type == WireType::Len as u32 && field.shape.is_list() && field.kind.is_packable();
    if wire_type != field.kind.wire_type() as u32 && !is_run {
        return Ok(false);
    }
    if let Some(closed) = field.enum_table(of).filter(|e| e.closed && field.kind == Kind::Enum) {
        let mut at = *pos;
        let mut numbers = Vec::new();
        if is_run {
            let run = primitive::take(buf, &mut at)?;
            let mut in_run = 0;
            while in_run < run.len() {
                numbers.push(primitive::varint(run, &mut in_run)? as i32);
            }
        } else {
            numbers.push(primitive::varint(buf, &mut at)? as i32);
        }
        numbers.retain(|&number| closed.has_number(number));
        for &number in &numbers {
            crate::reflect::store(value.slot(), crate::reflect::Value::Enum(number)).ok();
        }
        return Ok(!numbers.is_empty());
    }
    merge_value(value, field, tag, buf, pos, cx)?;
    Ok(true)
}

/// Checks an extension that has just been read past: its value must be one of its type.
pub(crate) fn check(
    registry: &Registry,
    table: &MessageTable,
    tag: u32,
    buf: &[u8],
    start: usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    let mut pos = start;
    primitive::tag(buf, &mut pos)?;
    if tag == ITEM && table.message_set {
        let Some((id, from, to)) = item(&buf[pos..]) else { return Ok(()) };
        let Some(found) = registry.extension(table.full_name(), id) else { return Ok(()) };
        let Some(of) = found.field.message_table(&found.of) else { return Ok(()) };
        cx.budget.enter()?;
        crate::dynamic::DynamicMessage::new(of).merge_fields(&buf[..pos + to], pos + from, 0, cx)?;
        cx.budget.leave();
        return Ok(());
    }
    if !table.is_extension_number(tag >> 3) {
        return Ok(());
    }
    let Some(Found { field, of }) = registry.extension(table.full_name(), tag >> 3) else { return Ok(()) };
    let mut scratch = Storage::of(field, &of);
    merge_piece(tag, buf, &mut pos, field, &of, &mut scratch, cx)?;
    Ok(())
}

/// The value of an extension that is only known by its table.
pub(crate) fn read_dynamic(message: &dyn Reflect, found: &Found<'_>) -> Result<Option<Storage>, DecodeError> {
    let mut storage = Storage::of(found.field, &found.of);
    let bytes = message.unknown_fields().as_bytes();
    let is_set = read(bytes, found.field, &found.of, &message.table(), &mut storage)?;
    Ok(is_set.then_some(storage))
}

/// The value of an extension that is known by its number only.
#[derive(Clone, Debug)]
pub struct ExtensionValue(pub(crate) Storage);

impl ExtensionValue {
    /// Lends the value for reading.
    pub fn slot_ref(&self) -> SlotRef<'_> {
        self.0.slot_ref()
    }
}

/// Puts a value in the place of what was there.
pub(crate) fn store(
    unknown: &mut UnknownFields,
    field: &FieldTable,
    of: &TableRef,
    table: &MessageTable,
    value: SlotRef<'_>,
) {
    remove(unknown, field.number, table);
    let encoded = encode_field(value, field, of);
    if !table.message_set {
        return unknown.extend_from_wire(&encoded);
    }
    // An item holds the message without the tag of the field.
    let tag_len = write::tag_len(field.number);
    let Some(message) = encoded.get(tag_len..).filter(|_| field.shape == Shape::Explicit) else { return };
    let mut item = Vec::with_capacity(message.len() + 10);
    write::varint(u64::from(ITEM), &mut item);
    write::varint(u64::from(TYPE_ID), &mut item);
    write::varint(u64::from(field.number), &mut item);
    write::varint(u64::from(MESSAGE), &mut item);
    item.extend_from_slice(message);
    write::varint(u64::from(1u32 << 3 | WireType::EndGroup as u32), &mut item);
    unknown.extend_from_wire(&item);
}

fn remove(unknown: &mut UnknownFields, number: u32, table: &MessageTable) {
    let bytes = unknown.as_bytes();
    let mut kept = Vec::with_capacity(bytes.len());
    for piece in pieces(bytes) {
        let is_it = match piece.tag {
            ITEM if table.message_set => {
                item(&bytes[piece.value..piece.end]).is_some_and(|(id, ..)| id == number)
            }
            tag => tag >> 3 == number,
        };
        if !is_it {
            kept.extend_from_slice(&bytes[piece.start..piece.end]);
        }
    }
    *unknown = UnknownFields::default();
    unknown.extend_from_wire(&kept);
}
