//! Wire bytes into any message, over slots.
//!
//! [`merge`] is compiled into every generated type with the type's own [`Fields::slot`] inlined,
//! so that a field costs one jump; a [`DynamicMessage`](crate::dynamic::DynamicMessage) runs the
//! same function over its storage.

mod error;
mod other;
pub(crate) mod primitive;
pub(crate) mod raw_text;
mod required;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::{Bytes, BytesMut};

pub(crate) use error::{Cause, Fault, in_named};
pub use error::{DecodeError, DecodeErrorKind};
pub(crate) use other::{merge_entry, merge_value};
pub(crate) use primitive::delimited;
use primitive::{apart, next_is, string, take, varint};
pub(crate) use required::missing;

use crate::dynamic::DynamicPool;
use crate::limits::{Budget, LimitError};
use crate::message::Fields;
use crate::registry::Registry;
use crate::slot::Slot;
use crate::table::{Kind, MessageTable, TableRef, WireEntry};
use crate::{Limits, SharedString};

/// What one decoding carries along.
#[derive(Debug)]
pub struct Context<'c> {
    pub(crate) budget: Budget,
    /// The whole input, if it is a shared buffer.
    source: Option<&'c Bytes>,
    pub(crate) registry: Option<&'c Registry>,
    /// The length of the input, less what lies in buffers of shared strings.
    left: usize,
    /// Room for more shared strings.
    buffer: BytesMut,
    /// A message was made that has required fields.
    requires: bool,
    /// The pool of the outermost message, if that is dynamic: those in it are mostly of the same.
    pool: Option<&'c Arc<DynamicPool>>,
}

/// A `bytes` field shares the input only if it is at least this long, and half of it: a small
/// value that is kept must not pin a large buffer.
const SHARED_LEN: usize = 4096;

impl<'c> Context<'c> {
    pub(crate) fn new(budget: Budget, registry: Option<&'c Registry>) -> Self {
        Self { budget, source: None, registry, left: 0, buffer: BytesMut::new(), requires: false, pool: None }
    }

    /// The pool that a table is of, without counting who holds it, which takes longer than reading a small field.
    pub(crate) fn pool_of(&self, table: &MessageTable) -> Option<&'c Arc<DynamicPool>> {
        self.pool.filter(|pool| pool.has(table))
    }

    fn bytes(&self, value: &[u8], start: usize) -> Bytes {
        match self.source {
            Some(source) if value.len() >= SHARED_LEN && value.len() * 2 >= source.len() => {
                source.slice(start..start + value.len())
            }
            _ => Bytes::copy_from_slice(value),
        }
    }

    /// A text that does not fit into its value.
    #[inline(never)]
    fn long_text(&mut self, text: &str) -> Result<SharedString, LimitError> {
        if self.buffer.capacity() < text.len() {
            let room = text.len().max(self.left.min(SHARED_LEN));
            self.budget.memory(room)?;
            self.buffer = BytesMut::with_capacity(room);
        }
        self.left = self.left.saturating_sub(text.len());
        Ok(SharedString::part(text, &mut self.buffer))
    }
}

/// Reads into a message, which may only be taken for an empty one if it `is_new`.
#[inline]
pub(crate) fn decode_into<'a, M: Fields<'a> + ?Sized>(
    message: &mut M,
    bytes: &'a [u8],
    source: Option<&Bytes>,
    limits: &Limits,
    registry: Option<&Registry>,
    partial: bool,
    is_new: bool,
) -> Result<(), DecodeError> {
    if bytes.len() > limits.size {
        return Err(error::too_large(bytes.len(), limits));
    }
    let table = message.table();
    let mut cx = Context {
        budget: limits.budget(bytes.len()),
        source,
        registry,
        left: bytes.len(),
        buffer: BytesMut::new(),
        requires: !is_new,
        pool: match &table {
            TableRef::Pool(pool, _) => Some(pool),
            TableRef::Static(_) => None,
        },
    };
    message.merge_fields(bytes, 0, 0, &mut cx)?;
    if !partial && cx.requires && table.has_required {
        required::check(message.as_reflect())?;
    }
    Ok(())
}

/// Merges fields from `buf`, starting at `pos`, until its end or the end of `group` (0: none).
#[inline]
pub fn merge<'a, M: Fields<'a>>(
    message: &mut M,
    table: &MessageTable,
    buf: &'a [u8],
    mut pos: usize,
    group: u32,
    cx: &mut Context<'_>,
) -> Result<usize, DecodeError> {
    let wire = &*table.wire;
    cx.requires |= table.requires;
    // Fields mostly come in the order of their numbers, each once or in a row.
    let mut next = 0;
    while pos < buf.len() {
        let start = pos;
        let tag = match primitive::unchecked_tag(buf, &mut pos) {
            Ok(tag) => tag,
            Err(fault) => return Err(error::in_tag(fault, start, table)),
        };
        let index = if wire.get(next).is_some_and(|entry| entry.tag == tag) {
            next
        } else {
            match table.index_of(tag >> 3) {
                Some(index) if wire[index].tag == tag => index,
                found => {
                    primitive::check_tag(tag).map_err(|fault| error::in_tag(fault, start, table))?;
                    match other::merge_other(message, table, found, tag, buf, start, pos, group, cx)? {
                        other::Next::Field(after) => pos = after,
                        other::Next::EndOfGroup(after) => return Ok(after),
                    }
                    continue;
                }
            }
        };
        let entry = wire[index];
        next = index + 1;
        if is_special(entry, message) {
            pos = other::merge_special(message, table, index, tag, buf, start, pos, cx)?;
            continue;
        }
        let merged = merge_slot(message.slot(index), entry.kind, tag, buf, &mut pos, cx);
        if let Err(cause) = merged {
            let merged = if message.has_raw_slots() {
                raw_text::merge_field(message, table, index, cause, &buf[..pos], start, cx)
            } else {
                Err(cause)
            };
            if let Err(cause) = merged {
                other::not_stored(message, table, index, cause, pos)?;
            }
        }
    }
    if group != 0 {
        return Err(error::in_tag(Fault::Truncated, pos, table));
    }
    Ok(pos)
}

/// As [`merge`], for a message of many fields: compiled once in each crate, not wherever it is used there.
#[inline(never)]
pub fn merge_many<'a, M: Fields<'a>>(
    message: &mut M,
    table: &MessageTable,
    buf: &'a [u8],
    pos: usize,
    group: u32,
    cx: &mut Context<'_>,
) -> Result<usize, DecodeError> {
    merge(message, table, buf, pos, group, cx)
}

/// Whether a field needs more than its slot.
#[inline(always)]
fn is_special<'a>(entry: WireEntry, message: &(impl Fields<'a> + ?Sized)) -> bool {
    entry.special || entry.kind == Kind::Enum && !message.checks_enums()
}

/// Reads the value of a tag that is the expected one of its field.
#[inline(always)]
pub(crate) fn merge_slot<'a>(
    slot: Slot<'_, 'a>,
    kind: Kind,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    match slot {
        Slot::Bool(value) => *value = varint(buf, pos)? != 0,
        Slot::I32(value) => *value = i32::read(kind, buf, pos)?,
        Slot::I64(value) => *value = i64::read(kind, buf, pos)?,
        Slot::U32(value) => *value = u32::read(kind, buf, pos)?,
        Slot::U64(value) => *value = u64::read(kind, buf, pos)?,
        Slot::F32(value) => *value = f32::read(kind, buf, pos)?,
        Slot::F64(value) => *value = f64::read(kind, buf, pos)?,
        Slot::String(value) => apart(pos, |pos| set_string(value, buf, pos, cx))?,
        Slot::Shared(value) => *value = shared_string(buf, pos, cx)?,
        Slot::Str(value) => *value = string(buf, pos)?,
        Slot::Bytes(value) => *value = apart(pos, |pos| read_bytes(buf, pos, cx))?,
        Slot::ByteVec(value) => *value = apart(pos, |pos| read_byte_vec(buf, pos, cx))?,
        Slot::Slice(value) => *value = take(buf, pos)?,

        Slot::OptBool(value) => *value = Some(varint(buf, pos)? != 0),
        Slot::OptI32(value) => *value = Some(i32::read(kind, buf, pos)?),
        Slot::OptI64(value) => *value = Some(i64::read(kind, buf, pos)?),
        Slot::OptU32(value) => *value = Some(u32::read(kind, buf, pos)?),
        Slot::OptU64(value) => *value = Some(u64::read(kind, buf, pos)?),
        Slot::OptF32(value) => *value = Some(f32::read(kind, buf, pos)?),
        Slot::OptF64(value) => *value = Some(f64::read(kind, buf, pos)?),
        Slot::OptString(value) => apart(pos, |pos| set_string(value.get_or_insert_default(), buf, pos, cx))?,
        Slot::OptShared(value) => *value = Some(shared_string(buf, pos, cx)?),
        Slot::OptStr(value) => *value = Some(string(buf, pos)?),
        Slot::OptBytes(value) => *value = Some(apart(pos, |pos| read_bytes(buf, pos, cx))?),
        Slot::OptByteVec(value) => *value = Some(apart(pos, |pos| read_byte_vec(buf, pos, cx))?),
        Slot::OptSlice(value) => *value = Some(take(buf, pos)?),

        Slot::Bools(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::I32s(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::I64s(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::U32s(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::U64s(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::F32s(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::F64s(values) => apart(pos, |pos| read_list(values, kind, tag, buf, pos, cx))?,
        Slot::Strings(values) => apart(pos, |pos| read_strings(values, tag, buf, pos, cx))?,
        Slot::SharedList(values) => apart(pos, |pos| read_shared_strings(values, tag, buf, pos, cx))?,
        Slot::Strs(values) => {
            apart(pos, |pos| read_run(values, tag, buf, pos, cx, |buf, pos, _| string(buf, pos)))?
        }
        Slot::BytesList(values) => apart(pos, |pos| read_run(values, tag, buf, pos, cx, read_bytes))?,
        Slot::ByteVecs(values) => apart(pos, |pos| read_run(values, tag, buf, pos, cx, read_byte_vec))?,
        Slot::Slices(values) => {
            apart(pos, |pos| read_run(values, tag, buf, pos, cx, |buf, pos, _| take(buf, pos)))?
        }

        Slot::Enum(value) => {
            let number = varint(buf, pos)? as i32;
            if !value.set(number) {
                return Err(Cause::UnknownNumber(number as isize));
            }
        }
        Slot::Enums(values) => apart(pos, |pos| other::read_enums(values, tag, buf, pos, cx))?,
        Slot::Present(message) => apart(pos, |pos| read_message(message, tag, buf, pos, cx))?,
        Slot::Message(place) => {
            cx.budget.memory(place.size())?;
            apart(pos, |pos| read_message(place.get_or_insert(), tag, buf, pos, cx))?;
        }
        Slot::Messages(list) => apart(pos, |pos| read_messages(list, tag, buf, pos, cx))?,
        Slot::Map(_) => unreachable!("a map is a special field"),
    }
    Ok(())
}

/// A number or boolean that is read by the kind of its field.
pub(crate) trait Scalar: Copy + Default {
    fn read(kind: Kind, buf: &[u8], pos: &mut usize) -> Result<Self, Fault>;
    /// Appends the `count` values of a packed run.
    fn read_packed(kind: Kind, run: &[u8], count: usize, values: &mut Vec<Self>) -> Result<(), Fault>;
}

macro_rules! scalar {
    ($($type:ident: $varint:expr, $zigzag:ident $zigzag_read:expr, $fixed:ident;)*) => {$(
        impl Scalar for $type {
            #[inline(always)]
            fn read(kind: Kind, buf: &[u8], pos: &mut usize) -> Result<Self, Fault> {
                match kind {
                    Kind::$zigzag => varint(buf, pos).map($zigzag_read),
                    Kind::$fixed => primitive::fixed(buf, pos).map(<$type>::from_le_bytes),
                    _ => varint(buf, pos).map($varint),
                }
            }

            #[inline]
            fn read_packed(
                kind: Kind,
                run: &[u8],
                count: usize,
                values: &mut Vec<Self>,
            ) -> Result<(), Fault> {
                match kind {
                    Kind::$zigzag => primitive::packed_varints(run, count, values, $zigzag_read),
                    Kind::$fixed => primitive::packed_fixed(run, values, <$type>::from_le_bytes),
                    _ => primitive::packed_varints(run, count, values, $varint),
                }
            }
        }
    )*};
}

scalar! {
    i32: |raw| raw as i32, Sint32 |raw| ((raw as u32 >> 1) as i32) ^ -((raw & 1) as i32), Sfixed32;
    i64: |raw| raw as i64, Sint64 |raw| ((raw >> 1) as i64) ^ -((raw & 1) as i64), Sfixed64;
    u32: |raw| raw as u32, Sint32 |raw| raw as u32, Fixed32;
    u64: |raw| raw, Sint64 |raw| raw, Fixed64;
}

impl Scalar for bool {
    #[inline(always)]
    fn read(_: Kind, buf: &[u8], pos: &mut usize) -> Result<Self, Fault> {
        varint(buf, pos).map(|raw| raw != 0)
    }

    #[inline]
    fn read_packed(_: Kind, run: &[u8], count: usize, values: &mut Vec<Self>) -> Result<(), Fault> {
        primitive::packed_varints(run, count, values, |raw| raw != 0)
    }
}

impl Scalar for f32 {
    #[inline(always)]
    fn read(_: Kind, buf: &[u8], pos: &mut usize) -> Result<Self, Fault> {
        primitive::fixed(buf, pos).map(Self::from_le_bytes)
    }

    #[inline]
    fn read_packed(_: Kind, run: &[u8], _: usize, values: &mut Vec<Self>) -> Result<(), Fault> {
        primitive::packed_fixed(run, values, Self::from_le_bytes)
    }
}

impl Scalar for f64 {
    #[inline(always)]
    fn read(_: Kind, buf: &[u8], pos: &mut usize) -> Result<Self, Fault> {
        primitive::fixed(buf, pos).map(Self::from_le_bytes)
    }

    #[inline]
    fn read_packed(_: Kind, run: &[u8], _: usize, values: &mut Vec<Self>) -> Result<(), Fault> {
        primitive::packed_fixed(run, values, Self::from_le_bytes)
    }
}

#[inline]
fn set_string(value: &mut String, buf: &[u8], pos: &mut usize, cx: &mut Context<'_>) -> Result<(), Cause> {
    let text = string(buf, pos)?;
    cx.budget.memory(text.len())?;
    if value.capacity() == 0 {
        *value = text.to_owned();
    } else {
        value.clear();
        value.push_str(text);
    }
    Ok(())
}

#[inline(always)]
fn shared_string(buf: &[u8], pos: &mut usize, cx: &mut Context<'_>) -> Result<SharedString, Cause> {
    let text = string(buf, pos)?;
    match SharedString::short(text, &buf[*pos - text.len()..]) {
        Some(short) => Ok(short),
        None => Ok(cx.long_text(text)?),
    }
}

#[inline]
fn read_bytes(buf: &[u8], pos: &mut usize, cx: &mut Context<'_>) -> Result<Bytes, Cause> {
    let value = take(buf, pos)?;
    cx.budget.memory(value.len())?;
    Ok(cx.bytes(value, *pos - value.len()))
}

#[inline]
fn read_byte_vec(buf: &[u8], pos: &mut usize, cx: &mut Context<'_>) -> Result<Vec<u8>, Cause> {
    let value = take(buf, pos)?;
    cx.budget.memory(value.len())?;
    Ok(value.to_vec())
}

// One generic body per type of element, shared by all messages.
#[inline(never)]
fn read_list<T: Scalar>(
    values: &mut Vec<T>,
    kind: Kind,
    tag: u32,
    buf: &[u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    if tag & 7 == 2 {
        let run = take(buf, pos)?;
        let count = match kind.wire_type() {
            crate::wire::WireType::I32 => run.len() / 4,
            crate::wire::WireType::I64 => run.len() / 8,
            _ => primitive::count_varints(run),
        };
        cx.budget.elements(count)?;
        cx.budget.memory(count.saturating_mul(size_of::<T>()))?;
        return Ok(T::read_packed(kind, run, count, values)?);
    }
    loop {
        cx.budget.elements(1)?;
        cx.budget.memory(size_of::<T>())?;
        values.push(T::read(kind, buf, pos)?);
        match next_is(buf, *pos, tag) {
            Some(after) => *pos = after,
            None => return Ok(()),
        }
    }
}

/// Room for the length-delimited fields of `tag` that follow each other, the first of which is at
/// `pos` behind its tag.
#[inline]
fn run_length(tag: u32, buf: &[u8], mut pos: usize) -> usize {
    let mut count = 0;
    while take(buf, &mut pos).is_ok() {
        count += 1;
        match next_is(buf, pos, tag) {
            Some(after) => pos = after,
            None => break,
        }
    }
    count
}

#[inline]
fn reserve_run<T>(
    values: &mut Vec<T>,
    tag: u32,
    buf: &[u8],
    pos: usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    if values.len() == values.capacity() {
        // Doubling where runs are short keeps growth linear.
        let more = run_length(tag, buf, pos).max(values.len());
        cx.budget.memory(more.saturating_mul(size_of::<T>()))?;
        values.reserve_exact(more);
    }
    Ok(())
}

#[inline(never)]
fn read_strings(
    values: &mut Vec<String>,
    tag: u32,
    buf: &[u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    read_run(values, tag, buf, pos, cx, |buf, pos, cx| {
        let text = string(buf, pos)?;
        cx.budget.memory(text.len())?;
        Ok::<_, Cause>(text.to_owned())
    })
}

#[inline(never)]
fn read_shared_strings(
    values: &mut Vec<SharedString>,
    tag: u32,
    buf: &[u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    read_run(values, tag, buf, pos, cx, shared_string)
}

#[inline]
fn read_run<'a, T, E>(
    values: &mut Vec<T>,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
    read: impl Fn(&'a [u8], &mut usize, &mut Context<'_>) -> Result<T, E>,
) -> Result<(), Cause>
where
    Cause: From<E>,
{
    reserve_run(values, tag, buf, *pos, cx)?;
    apart(pos, |pos| {
        loop {
            cx.budget.elements(1)?;
            values.push(read(buf, pos, cx)?);
            match next_is(buf, *pos, tag) {
                Some(after) => *pos = after,
                None => return Ok(()),
            }
        }
    })
}

#[inline(never)]
fn read_message<'a>(
    message: &mut dyn Fields<'a>,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    merge_message(message, tag, buf, pos, cx)
}

#[inline(always)]
fn merge_message<'a>(
    message: &mut dyn Fields<'a>,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    cx.budget.enter()?;
    if tag & 7 == 3 {
        *pos = message.merge_fields(buf, *pos, tag >> 3, cx)?;
    } else {
        let end = primitive::end(buf, pos)?;
        *pos = message.merge_fields(&buf[..end], *pos, 0, cx)?;
    }
    cx.budget.leave();
    Ok(())
}

#[inline(never)]
fn read_messages<'a>(
    list: &mut dyn crate::slot::MessageList<'a>,
    tag: u32,
    buf: &'a [u8],
    pos: &mut usize,
    cx: &mut Context<'_>,
) -> Result<(), Cause> {
    let mut spare = list.spare();
    if spare == 0 {
        // As for other lists; how many groups there are is not known before they are read.
        let count = if tag & 7 == 2 { run_length(tag, buf, *pos) } else { 0 };
        spare = count.max(list.len()).max(1);
        cx.budget.memory(spare.saturating_mul(list.size()))?;
        list.reserve(spare);
    }
    loop {
        cx.budget.elements(1)?;
        merge_message(list.push(), tag, buf, pos, cx)?;
        spare -= 1;
        match next_is(buf, *pos, tag) {
            Some(after) if spare > 0 => *pos = after,
            _ => return Ok(()),
        }
    }
}
