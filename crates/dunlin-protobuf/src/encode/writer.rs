use alloc::vec::Vec;

use super::{Value, Walk};
use crate::raw::Output;
use crate::wire::WireType;
use crate::wire::write::{tag_len, varint_len};
use crate::{SharedString, UnknownFields};

/// How many lengths are kept without memory from the heap.
const INLINE: usize = 32;

/// The first pass: how long everything becomes.
#[derive(Debug)]
pub struct Measure {
    total: usize,
    /// The lengths of nested messages and packed runs, in the order in which they are written.
    inline: [u32; INLINE],
    spilled: Vec<u32>,
    count: usize,
    pub(crate) deterministic: bool,
}

impl Default for Measure {
    #[inline]
    fn default() -> Self {
        Self { total: 0, inline: [0; INLINE], spilled: Vec::new(), count: 0, deterministic: false }
    }
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

    /// Reserves the place of a length that is known later.
    #[inline]
    fn open(&mut self) -> usize {
        let at = self.count;
        self.count += 1;
        if at >= INLINE {
            self.spilled.push(0);
        }
        at
    }

    #[inline]
    fn close(&mut self, at: usize, len: usize) {
        // A message of more than 4 GiB cannot be encoded; its length is not wrong here alone.
        let len = len.min(u32::MAX as usize) as u32;
        match self.inline.get_mut(at) {
            Some(place) => *place = len,
            None => self.spilled[at - INLINE] = len,
        }
    }

    /// Measures something with its length in front.
    #[inline]
    pub(crate) fn nested(&mut self, measure: impl FnOnce(&mut Self)) {
        let at = self.open();
        let before = self.total;
        self.total = 0;
        measure(self);
        let len = self.total;
        self.close(at, len);
        self.total = before + varint_len(len as u64) + len;
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

    #[inline(always)]
    fn is_sorted(&self) -> bool {
        self.deterministic
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

/// The second pass: writes forward into a buffer of the measured length.
#[derive(Debug)]
pub struct Writer<'w, 'o> {
    out: Output<'o>,
    measure: &'w Measure,
    next: usize,
}

impl<'w, 'o> Writer<'w, 'o> {
    pub(crate) fn new(out: Output<'o>, measure: &'w Measure) -> Self {
        Self { out, measure, next: 0 }
    }

    pub(crate) fn finish(self) -> Output<'o> {
        self.out
    }

    /// The next of the measured lengths.
    #[inline]
    pub(crate) fn take_len(&mut self) -> u32 {
        let at = self.next;
        self.next += 1;
        match self.measure.inline.get(at) {
            Some(&len) => len,
            None => self.measure.spilled[at - INLINE],
        }
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.byte(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.byte(value as u8);
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

    /// Tag and length of a length-delimited field.
    #[inline(always)]
    pub(crate) fn len_field(&mut self, number: u32, len: u32) {
        let tag = number << 3 | WireType::Len as u32;
        if tag < 0x80 && len < 0x80 {
            return self.out.two(tag as u8, len as u8);
        }
        self.varint(u64::from(tag));
        self.varint(u64::from(len));
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
        match bytes.len() {
            0..=32 => self.out.two_and_short(tag, bytes.len() as u8, bytes),
            _ => self.long_field(tag.into(), bytes),
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

impl Walk for Writer<'_, '_> {
    #[inline(always)]
    fn member<K>(&mut self, number: u32, value: &impl Value<K>) {
        value.write_field(number, self);
    }

    #[inline]
    fn packed<K>(&mut self, number: u32, values: &[impl Value<K>]) {
        if !values.is_empty() {
            self.tag(number, WireType::Len);
            let len = self.take_len();
            self.varint(u64::from(len));
            for value in values {
                value.write(number, self);
            }
        }
    }

    #[inline(always)]
    fn is_sorted(&self) -> bool {
        self.measure.deterministic
    }

    #[inline(always)]
    fn entry(&mut self, number: u32, walk: impl FnOnce(&mut Self)) {
        let len = self.take_len();
        self.len_field(number, len);
        walk(self);
    }

    #[inline(always)]
    fn unknown(&mut self, fields: &UnknownFields) {
        self.slice(fields.as_bytes());
    }
}
