use alloc::vec::Vec;

use super::slots::walk_slot;
use super::{Value, Walk, measured};
use crate::raw::{Output, Written};
use crate::slot::SlotRef;
use crate::table::{FieldTable, TableRef};
use crate::wire::WireType;
use crate::wire::write::{tag_len, varint_len, varint_to};
use crate::{SharedString, UnknownFields};

/// How long everything becomes.
#[derive(Debug, Default)]
pub struct Measure {
    total: usize,
}

impl Measure {
    /// The number of bytes.
    pub fn total(&self) -> usize {
        self.total
    }

    #[inline(always)]
    pub(crate) fn add(&mut self, len: usize) {
        self.total += len;
    }

    /// Measures something with its length in front.
    #[inline]
    pub(crate) fn nested(&mut self, measure: impl FnOnce(&mut Self)) {
        let before = self.total;
        measure(self);
        self.total += varint_len((self.total - before) as u64);
    }
}

impl Walk for Measure {
    #[inline(always)]
    fn member<K>(&mut self, number: u32, value: &impl Value<K>) {
        self.add(tag_len(number));
        value.measure(number, self);
    }

    #[inline]
    fn packed<K>(&mut self, number: u32, values: &[impl Value<K>]) {
        if !values.is_empty() {
            self.add(tag_len(number));
            self.nested(|out| values.iter().for_each(|value| value.measure(number, out)));
        }
    }

    #[inline(never)]
    fn slot(&mut self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef) {
        walk_slot(value, field, of, self);
    }

    #[inline(always)]
    fn is_sorted(&self) -> bool {
        false
    }

    #[inline(always)]
    fn entry(&mut self, number: u32, walk: impl FnOnce(&mut Self)) {
        self.add(tag_len(number));
        self.nested(walk);
    }

    #[inline(always)]
    fn unknown(&mut self, fields: &UnknownFields) {
        self.add(fields.as_bytes().len());
    }
}

/// What is moved at once when its length takes another number of bytes than was left for it. What is longer waits
/// until all is written, so that nothing is moved for each message around it.
const MOVED_AT_ONCE: usize = 2048;

/// Writes forward in one pass. The length of a nested message is written when its end is known, to the one or two
/// bytes that were left for it: as many as the last one of a field of this number took.
#[derive(Debug)]
pub struct Writer<'o> {
    out: Output<'o>,
    deterministic: bool,
    /// A bit for the numbers of fields, which share them: whether the last length took two bytes.
    long: u64,
    /// What does not fit where it belongs.
    late: Vec<Late>,
    /// The bytes by which all of `late` is longer than what was left for it.
    late_len: usize,
}

/// A length that does not fit.
#[derive(Debug)]
struct Late {
    /// Where it belongs, and the bytes that were left for it.
    at: usize,
    left: usize,
    len: usize,
}

/// A nested message that is being written.
struct Open {
    /// Its first byte.
    start: usize,
    /// Whether two bytes were left for its length.
    is_long: bool,
    late_len: usize,
}

impl<'o> Writer<'o> {
    pub(crate) fn new(out: Output<'o>, deterministic: bool) -> Self {
        Self { out, deterministic, long: 0, late: Vec::new(), late_len: 0 }
    }

    #[inline]
    pub(crate) fn finish(mut self) -> Written {
        if !self.late.is_empty() {
            self.insert();
        }
        self.out.finish()
    }

    /// Moves everything behind the lengths that did not fit to its place, from the back, each byte once.
    #[cold]
    fn insert(&mut self) {
        let mut late = core::mem::take(&mut self.late);
        late.sort_unstable_by_key(|late| late.at);
        let mut from = self.out.len();
        (0..self.late_len).for_each(|_| self.out.byte(0));
        let mut to = self.out.len();
        let bytes = self.out.written();
        for late in late.iter().rev() {
            let start = late.at + late.left;
            bytes.copy_within(start..from, to - (from - start));
            to -= from - start + varint_len(late.len as u64);
            varint_to(&mut bytes[to..], late.len as u64);
            from = late.at;
        }
    }

    /// The bit for fields of a number.
    #[inline(always)]
    fn bit(number: u32) -> u64 {
        1 << (number & 63)
    }

    /// Writes a length-delimited field.
    #[inline(always)]
    pub(crate) fn nested(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        let tag = number << 3 | WireType::Len as u32;
        if tag < 0x80 && self.long & Self::bit(number) == 0 {
            self.out.two(tag as u8, 0);
            self.body(number, false, write);
        } else {
            self.out.varint(u64::from(tag));
            self.sized(number, write);
        }
    }

    /// Writes something with its length in front.
    #[inline]
    pub(crate) fn sized(&mut self, number: u32, write: impl FnOnce(&mut Self)) {
        let is_long = self.long & Self::bit(number) != 0;
        if is_long {
            self.out.two(0, 0);
        } else {
            self.out.byte(0);
        }
        self.body(number, is_long, write);
    }

    #[inline(always)]
    fn body(&mut self, number: u32, is_long: bool, write: impl FnOnce(&mut Self)) {
        let open = Open { start: self.out.len(), is_long, late_len: self.late_len };
        write(self);
        let len = self.out.len() - open.start;
        if len < 0x80 && !is_long {
            self.out.written()[open.start - 1] = len as u8;
        } else {
            self.close(number, &open);
        }
    }

    #[inline(never)]
    fn close(&mut self, number: u32, open: &Open) {
        let len = self.out.len() - open.start + (self.late_len - open.late_len);
        match (len, open.is_long) {
            (0x80..0x4000, true) => {
                let place = &mut self.out.written()[open.start - 2..open.start];
                place.copy_from_slice(&[len as u8 | 0x80, (len >> 7) as u8]);
            }
            (0..0x80, true) => {
                self.long &= !Self::bit(number);
                let end = self.out.len();
                let bytes = self.out.written();
                bytes[open.start - 2] = len as u8;
                bytes.copy_within(open.start..end, open.start - 1);
                self.out.shorten(1);
            }
            (0x80..MOVED_AT_ONCE, false) => {
                self.long |= Self::bit(number);
                let end = self.out.len();
                self.out.byte(0);
                let bytes = self.out.written();
                bytes.copy_within(open.start..end, open.start + 1);
                bytes[open.start - 1] = len as u8 | 0x80;
                bytes[open.start] = (len >> 7) as u8;
            }
            _ => {
                self.long |= Self::bit(number);
                let left = 1 + usize::from(open.is_long);
                self.late.push(Late { at: open.start - left, left, len });
                self.late_len += varint_len(len as u64) - left;
            }
        }
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self, value: u64) {
        self.out.varint(value);
    }

    /// Values without tags, which take `len` bytes together.
    #[inline(always)]
    pub(crate) fn varints<T>(&mut self, values: &[T], len: usize, raw: impl Fn(&T) -> u64) {
        if len == values.len() {
            self.out.arrays(values, |value| [raw(value) as u8]);
        } else {
            self.out.varints(values, raw);
        }
    }

    /// Values without tags.
    #[inline(always)]
    pub(crate) fn arrays<T, const N: usize>(&mut self, values: &[T], raw: impl Fn(&T) -> [u8; N]) {
        self.out.arrays(values, raw);
    }

    /// Tag and value of a varint field.
    #[inline(always)]
    pub(crate) fn varint_field(&mut self, number: u32, value: u64) {
        let tag = number << 3;
        if tag < 0x80 && value < 0x80 {
            return self.out.two(tag as u8, value as u8);
        }
        self.varint(u64::from(tag));
        self.varint(value);
    }

    /// Tag and value of a field of fixed width.
    #[inline(always)]
    pub(crate) fn array_field<const N: usize>(&mut self, number: u32, wire_type: WireType, value: [u8; N]) {
        let tag = number << 3 | wire_type as u32;
        if tag < 0x80 {
            return self.out.one_and_array(tag as u8, value);
        }
        self.varint(u64::from(tag));
        self.slice(&value);
    }

    /// A whole length-delimited field.
    #[inline(always)]
    pub(crate) fn slice_field(&mut self, number: u32, bytes: &[u8]) {
        let tag = number << 3 | WireType::Len as u32;
        if tag < 0x80 { self.short_field(tag as u8, bytes) } else { self.long_field(tag, bytes) }
    }

    /// A whole field of a shared string.
    #[inline(always)]
    pub(crate) fn shared_field(&mut self, number: u32, text: &SharedString) {
        let tag = number << 3 | WireType::Len as u32;
        let is_written = tag < 0x80
            && text
                .as_short()
                .is_some_and(|(chunk, len)| self.out.two_and_part_of(tag as u8, len as u8, chunk, len));
        if !is_written {
            self.long_field(tag, text.as_bytes());
        }
    }

    #[inline(never)]
    fn short_field(&mut self, tag: u8, bytes: &[u8]) {
        if !self.out.two_and_short(tag, bytes.len() as u8, bytes) {
            self.long_field(tag.into(), bytes);
        }
    }

    #[inline(never)]
    fn long_field(&mut self, tag: u32, bytes: &[u8]) {
        self.varint(u64::from(tag));
        self.varint(bytes.len() as u64);
        self.slice(bytes);
    }

    #[inline(always)]
    pub(crate) fn tag(&mut self, number: u32, wire_type: WireType) {
        self.varint(u64::from(number << 3 | wire_type as u32));
    }

    #[inline(always)]
    pub(crate) fn slice(&mut self, bytes: &[u8]) {
        self.out.slice(bytes);
    }
}

impl Walk for Writer<'_> {
    #[inline(always)]
    fn member<K>(&mut self, number: u32, value: &impl Value<K>) {
        value.write_field(number, self);
    }

    #[inline]
    fn packed<K>(&mut self, number: u32, values: &[impl Value<K>]) {
        if !values.is_empty() {
            let len = measured(|out| values.iter().for_each(|value| value.measure(number, out)));
            self.tag(number, WireType::Len);
            self.varint(len as u64);
            self.out.ensure(len);
            Value::write_run(values, len, self);
        }
    }

    #[inline(never)]
    fn slot(&mut self, value: SlotRef<'_>, field: &FieldTable, of: &TableRef) {
        walk_slot(value, field, of, self);
    }

    #[inline(always)]
    fn is_sorted(&self) -> bool {
        self.deterministic
    }

    #[inline(always)]
    fn entry(&mut self, number: u32, walk: impl FnOnce(&mut Self)) {
        self.nested(number, walk);
    }

    #[inline(always)]
    fn unknown(&mut self, fields: &UnknownFields) {
        self.slice(fields.as_bytes());
    }
}
