//! Header lists to header blocks (RFC 7541 §6).

use super::seen::{Seen, fold, hash};
use super::table::{Table, Tag};
use super::{huffman, integer, static_table};
use crate::header::{Class, Field, HeaderBlock};

/// Encodes the header blocks of one direction of a connection.
///
/// What repeats is put into the table, what changes from message to message is not: a field is
/// inserted when it is seen a second time, or at once if its name says that it will come again.
#[derive(Debug)]
pub struct Encoder {
    table: Table,
    /// The most that we use, however much the peer offers.
    own_limit: usize,
    /// Sizes to announce in the next block: the lowest since the last one, and the present one.
    pending: Option<(usize, usize)>,
    never_indexed: Vec<Box<str>>,
    /// Hashes of fields that were sent as literals lately.
    seen: Seen<SEEN>,
    cached: Vec<CachedBlock>,
    /// Bytes that they cost.
    cached_len: usize,
    next_to_forget: usize,
}

const SEEN: usize = 16;
const CACHED: usize = 8;

/// Names whose values are the same over most messages of a connection.
const EAGER: [&str; 10] = [
    ":path",
    ":authority",
    ":method",
    ":scheme",
    ":status",
    "content-type",
    "te",
    "user-agent",
    "accept-encoding",
    "server",
];

#[derive(Debug)]
struct CachedBlock {
    block: HeaderBlock,
    changes: u64,
    bytes: Vec<u8>,
}

impl Encoder {
    /// An encoder for a peer that has not said yet how large its table is (4,096 bytes then), which
    /// uses `own_limit` bytes at most. Fields with a name of `never_indexed` are sent as if they were
    /// sensitive.
    pub fn new(own_limit: usize, never_indexed: impl IntoIterator<Item = impl Into<Box<str>>>) -> Self {
        let size = own_limit.min(4096);
        Self {
            table: Table::new(size),
            own_limit,
            pending: (size < 4096).then_some((size, size)),
            never_indexed: never_indexed.into_iter().map(Into::into).collect(),
            seen: Seen::default(),
            cached: Vec::new(),
            cached_len: 0,
            next_to_forget: 0,
        }
    }

    /// The peer's SETTINGS_HEADER_TABLE_SIZE.
    pub fn set_peer_limit(&mut self, size: u32) {
        let size = self.own_limit.min(size as usize);
        if size == self.table.max_size() && self.pending.is_none() {
            return;
        }
        let lowest = self.pending.map_or(size, |(lowest, _)| lowest.min(size));
        self.pending = Some((lowest, size));
        self.table.set_max_size(size);
        self.cached.clear();
        self.cached_len = 0;
    }

    /// Bytes that this value holds on the heap.
    pub fn memory(&self) -> usize {
        self.table.capacity() + self.spare()
    }

    /// Those of them that [`shrink`](Self::shrink) gives back.
    pub fn spare(&self) -> usize {
        self.cached_len
    }

    /// Gives back what is only there to be faster next time.
    pub fn shrink(&mut self) {
        self.cached = Vec::new();
        self.cached_len = 0;
    }

    /// Appends one header block with these fields.
    pub fn encode<'f>(&mut self, fields: impl IntoIterator<Item = Field<'f>>, out: &mut Vec<u8>) {
        self.size_updates(out);
        for field in fields {
            self.field(&field, false, out);
        }
    }

    /// Appends one header block with the fields of `block` and then `more`.
    pub fn encode_block<'f>(
        &mut self,
        block: &HeaderBlock,
        more: impl IntoIterator<Item = Field<'f>>,
        out: &mut Vec<u8>,
    ) {
        self.size_updates(out);
        let changes = self.table.changes();
        let is_it = |one: &&CachedBlock| one.changes == changes && one.block.is_same(block);
        if let Some(cached) = self.cached.iter().find(is_it) {
            out.extend_from_slice(&cached.bytes);
        } else {
            let start = out.len();
            for field in block.fields() {
                self.field(&field, true, out);
            }
            // A block that filled the table will be shorter next time.
            if self.table.changes() == changes {
                self.remember(block, &out[start..]);
            }
        }
        for field in more {
            self.field(&field, false, out);
        }
    }

    fn remember(&mut self, block: &HeaderBlock, bytes: &[u8]) {
        let new = CachedBlock { block: block.clone(), changes: self.table.changes(), bytes: bytes.to_vec() };
        if let Some(old) = self.cached.iter_mut().find(|one| one.block.is_same(block)) {
            *old = new;
        } else if self.cached.len() < CACHED {
            self.cached.push(new);
        } else {
            self.cached[self.next_to_forget] = new;
            self.next_to_forget = (self.next_to_forget + 1) % CACHED;
        }
        self.cached_len = self.cached.iter().map(|one| size_of::<CachedBlock>() + one.bytes.capacity()).sum();
    }

    fn size_updates(&mut self, out: &mut Vec<u8>) {
        let Some((lowest, size)) = self.pending.take() else { return };
        // RFC 7541 §4.2: at most two updates tell the decoder what was evicted.
        if lowest < size {
            integer::write(out, 0x20, 5, lowest);
        }
        integer::write(out, 0x20, 5, size);
    }

    fn field(&mut self, field: &Field<'_>, is_repeated: bool, out: &mut Vec<u8>) {
        let (name, value) = (field.name.as_bytes(), field.value);
        let static_name = static_table::name_index(name);
        if field.is_sensitive || self.never_indexed.iter().any(|other| **other == *field.name) {
            literal(out, 0x10, 4, static_name, name, value);
            return;
        }
        if let Some(index) = static_table::field_index(static_name, value) {
            integer::write(out, 0x80, 7, index);
            return;
        }
        let hashes = hashes(name, value);
        let (field_index, name_index) = self.table.find(name, value, hashes);
        if let Some(index) = field_index {
            integer::write(out, 0x80, 7, DYNAMIC + index);
            return;
        }
        let name_index = match (static_name, name_index) {
            (0, Some(index)) => DYNAMIC + index,
            (index, _) => index,
        };
        // A field that takes most of the table would push out all others.
        let is_small = (name.len() + value.len() + 32) * 4 <= self.table.max_size() * 3;
        if is_small && (is_repeated || EAGER.contains(&field.name) || self.seen.has(hashes.1)) {
            literal(out, 0x40, 6, name_index, name, value);
            self.table.insert(name, value, Tag { class: Class::Regular, hashes });
        } else {
            literal(out, 0x00, 4, name_index, name, value);
        }
    }
}

/// The first index of the dynamic table.
const DYNAMIC: usize = static_table::FIELDS.len() + 1;

fn literal(out: &mut Vec<u8>, first: u8, bits: u32, name_index: usize, name: &[u8], value: &[u8]) {
    integer::write(out, first, bits, name_index);
    if name_index == 0 {
        string(out, name);
    }
    string(out, value);
}

fn string(out: &mut Vec<u8>, text: &[u8]) {
    let len = huffman::encoded_len(text);
    if len < text.len() {
        integer::write(out, 0x80, 7, len);
        huffman::encode(text, out);
    } else {
        integer::write(out, 0, 7, text.len());
        out.extend_from_slice(text);
    }
}

/// Hashes of the name and of the whole field. They only save comparisons: equal hashes are compared.
fn hashes(name: &[u8], value: &[u8]) -> (u32, u32) {
    let name = hash(0, name);
    (fold(name), fold(hash(name, value)))
}

#[cfg(test)]
mod tests {
    use super::super::{Decoder, ListLimits};
    use super::*;

    const LIMITS: ListLimits = ListLimits { size: 65_536, fields: 1000 };

    fn encoded(encoder: &mut Encoder, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.encode(fields.iter().map(|(name, value)| Field::new(name, *value)), &mut out);
        out
    }

    fn none() -> [&'static str; 0] {
        []
    }

    #[test]
    fn requests_of_the_specification() {
        let mut encoder = Encoder::new(4096, none());
        let fields =
            [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        let block = encoded(&mut encoder, &fields);
        assert_eq!(block[..5], [0x82, 0x86, 0x84, 0x41, 0x8c]);
        assert_eq!(encoded(&mut encoder, &fields), [0x82, 0x86, 0x84, 0xbe]);
    }

    #[test]
    fn what_changes_stays_out_of_the_table() {
        let mut encoder = Encoder::new(4096, none());
        for id in 0..50 {
            encoded(&mut encoder, &[("x-request-id", &format!("id-{id}"))]);
        }
        assert_eq!(encoder.table.len(), 0);
        encoded(&mut encoder, &[("x-tenant", "acme")]);
        encoded(&mut encoder, &[("x-tenant", "acme")]);
        assert_eq!(encoded(&mut encoder, &[("x-tenant", "acme")]), [0xbe]);
    }

    #[test]
    fn secrets_are_never_indexed() {
        let mut encoder = Encoder::new(4096, ["authorization"]);
        for field in [Field::new("authorization", "Bearer x"), Field::new("x-key", "secret").sensitive()] {
            for _ in 0..3 {
                let mut out = Vec::new();
                encoder.encode([field], &mut out);
                assert_eq!(out[0] & 0xf0, 0x10);
            }
        }
        assert_eq!(encoder.table.len(), 0);
    }

    #[test]
    fn prepared_blocks_stay_right_while_the_table_changes() {
        let mut encoder = Encoder::new(256, none());
        let mut decoder = Decoder::new(4096);
        let block = HeaderBlock::builder()
            .field(Field::new(":status", "200"))
            .field(Field::new("content-type", "text/plain"))
            .field(Field::new("x-server", "one"))
            .build()
            .expect("valid fields");
        let mut random = 1u64;
        for round in 0..500 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let value = (random >> 60).to_string();
            let more = Field::new("x-more", value.as_str());
            let mut out = Vec::new();
            if round % 7 == 0 {
                encoder.set_peer_limit([4096, 100, 0, 200][(random >> 40) as usize % 4]);
            }
            encoder.encode_block(&block, (round % 3 == 0).then_some(more), &mut out);
            let list = decoder.decode(&out, LIMITS).expect("a valid block");
            let mut wanted: Vec<_> = block.fields().map(|field| (field.name, field.value)).collect();
            if round % 3 == 0 {
                wanted.push((more.name, more.value));
            }
            assert_eq!(
                list.iter().map(|field| (field.name, field.value)).collect::<Vec<_>>(),
                wanted,
                "{round}"
            );
        }
        let mut out = Vec::new();
        encoder.set_peer_limit(4096);
        encoder.encode_block(&block, None, &mut out);
        out.clear();
        encoder.encode_block(&block, None, &mut out);
        assert_eq!(out.len(), 3);
    }
}
