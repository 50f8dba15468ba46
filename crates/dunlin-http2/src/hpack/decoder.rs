//! Header blocks to header lists (RFC 7541 §3).

use std::sync::Arc;

use super::huffman;
use super::integer::Reader;
use super::seen::{Seen, fold, hash};
use super::static_table::FIELDS;
use super::table::{Table, Tag};
use crate::header::{Class, FieldFlags, HeaderList, MessageKind, class_of};

/// Why a header block can not be decoded. The connection can not go on, as the tables of both sides
/// would differ: COMPRESSION_ERROR (RFC 9113 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The block ends within a field.
    #[error("the header block ends within a field")]
    Truncated,
    /// An integer above 2^32 - 1, or longer than five octets.
    #[error("an integer is larger than 2^32 - 1")]
    IntegerTooLarge,
    /// An index that neither table has (RFC 7541 §2.3.3).
    #[error("the index {0} is in neither table")]
    Index(u32),
    /// Not a Huffman code, or bad padding (RFC 7541 §5.2).
    #[error("a Huffman-coded string has bad padding or spells out its end")]
    Huffman,
    /// A size update behind a field (RFC 7541 §4.2).
    #[error("a table size update stands behind a field")]
    SizeUpdatePlace,
    /// A size update above SETTINGS_HEADER_TABLE_SIZE (RFC 7541 §6.3).
    #[error("a table size update to {size} bytes is above SETTINGS_HEADER_TABLE_SIZE of {limit}")]
    SizeUpdateTooLarge {
        /// What the peer asks for, in bytes.
        size: u32,
        /// What it may ask for.
        limit: usize,
    },
    /// The table was reduced by a setting, and the block does not begin with an update (§4.2).
    #[error("no table size update, although SETTINGS_HEADER_TABLE_SIZE was reduced")]
    SizeUpdateMissing,
    /// The list is so far above its limit that nothing more is decoded. This is no fault of the
    /// compression: ENHANCE_YOUR_CALM.
    #[error("a header list of more than {limit} bytes, four times `max_header_list_size`")]
    ListTooLarge {
        /// In bytes, as RFC 9113 §6.5.2 counts them.
        limit: usize,
    },
}

/// What a header list may cost. Fields beyond the limits are decoded, as the table depends on them,
/// and left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListLimits {
    /// Bytes as RFC 9113 §6.5.2 counts them. Decoding ends at four times as many.
    pub size: usize,
    /// Number of fields.
    pub fields: usize,
}

/// Decodes the header blocks of one direction of a connection.
///
/// A block that changes no table is not decoded again when it comes back (one with literals, once it has come twice),
/// and a list that is dropped before the next one is asked for leaves its memory to it.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    /// The acknowledged SETTINGS_HEADER_TABLE_SIZE.
    allowed_size: usize,
    is_update_due: bool,
    /// The list of the block before, whose memory is used again if nobody has kept it.
    scratch: Option<Arc<HeaderList>>,
    memory: Vec<Remembered>,
    /// Bytes that it costs.
    memory_len: usize,
    next_to_forget: usize,
    /// Blocks with literals that are not remembered yet: most never come back.
    seen: Seen<REMEMBERED>,
}

/// Blocks that are remembered. Clients call few methods at a time, servers send two kinds of block.
const REMEMBERED: usize = 4;
/// Of up to so many octets.
const REMEMBERED_LEN: usize = 64;
/// And with lists of up to so many bytes of memory, which can be larger than what they hold.
const REMEMBERED_CAPACITY: usize = 1024;

/// How a literal begins that is never to be put into a table (RFC 7541 §6.2.3).
const NEVER_INDEXED: u8 = 0x10;

#[derive(Debug)]
struct Remembered {
    block: [u8; REMEMBERED_LEN],
    len: u8,
    changes: u64,
    limits: ListLimits,
    list: Arc<HeaderList>,
}

/// How likely a block is to come back with the same meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Repeats {
    Never,
    IfItDidBefore,
    Always,
}

impl Remembered {
    /// Bytes that it costs.
    fn cost(&self) -> usize {
        self.list.capacity() + size_of::<Self>()
    }
}

impl Decoder {
    /// A decoder whose table may have `table_size` bytes: the SETTINGS_HEADER_TABLE_SIZE that the
    /// peer goes by at the start, 4,096.
    pub fn new(table_size: usize) -> Self {
        Self {
            table: Table::new(table_size),
            allowed_size: table_size,
            is_update_due: false,
            scratch: None,
            memory: Vec::new(),
            memory_len: 0,
            next_to_forget: 0,
            seen: Seen::default(),
        }
    }

    /// The peer has acknowledged this SETTINGS_HEADER_TABLE_SIZE.
    pub fn set_allowed_size(&mut self, size: usize) {
        self.allowed_size = size;
        // RFC 7541 §4.2: the next block must then begin with an update.
        self.is_update_due = size < self.table.max_size();
    }

    /// Bytes that this value holds on the heap.
    pub fn memory(&self) -> usize {
        self.table.capacity() + self.spare()
    }

    /// Those of them that [`shrink`](Self::shrink) gives back.
    pub fn spare(&self) -> usize {
        self.scratch.as_ref().map_or(0, |list| list.capacity()) + self.memory_len
    }

    /// Gives back what is only there to be faster next time.
    pub fn shrink(&mut self) {
        self.memory = Vec::new();
        self.memory_len = 0;
        self.scratch = None;
    }

    /// Decodes a whole block.
    ///
    /// # Errors
    /// All end the connection.
    pub fn decode(&mut self, block: &[u8], limits: ListLimits) -> Result<Arc<HeaderList>, DecodeError> {
        self.decode_as(block, limits, MessageKind::Trailers)
    }

    /// Decodes a block that is thought to be this part of a message.
    pub(crate) fn decode_as(
        &mut self,
        block: &[u8],
        limits: ListLimits,
        kind: MessageKind,
    ) -> Result<Arc<HeaderList>, DecodeError> {
        if !self.is_update_due
            && let Some(found) = self.remembered(block, limits)
        {
            return Ok(found);
        }
        let mut list = self.scratch.take().unwrap_or_default();
        if Arc::get_mut(&mut list).is_none() {
            list = Arc::default();
        }
        let fields = Arc::get_mut(&mut list).expect("nobody else has a new list");
        fields.clear();
        let repeats = self.decode_into(block, limits, fields)?;
        fields.finish(kind);
        let is_small = block.len() <= REMEMBERED_LEN && list.capacity() <= REMEMBERED_CAPACITY;
        let is_worth_it = is_small
            && match repeats {
                Repeats::Never => false,
                Repeats::IfItDidBefore => self.seen.has(fold(hash(self.table.changes(), block))),
                Repeats::Always => true,
            };
        if is_worth_it {
            self.remember(block, limits, &list);
        } else {
            self.scratch = Some(Arc::clone(&list));
        }
        Ok(list)
    }

    fn remembered(&self, block: &[u8], limits: ListLimits) -> Option<Arc<HeaderList>> {
        let is_it = |one: &&Remembered| {
            one.changes == self.table.changes()
                && one.limits == limits
                && one.block.get(..usize::from(one.len)) == Some(block)
        };
        self.memory.iter().find(is_it).map(|found| Arc::clone(&found.list))
    }

    fn remember(&mut self, block: &[u8], limits: ListLimits, list: &Arc<HeaderList>) {
        let mut stored = [0; REMEMBERED_LEN];
        stored[..block.len()].copy_from_slice(block);
        let new = Remembered {
            block: stored,
            len: block.len() as u8,
            changes: self.table.changes(),
            limits,
            list: Arc::clone(list),
        };
        if self.memory.len() < REMEMBERED {
            self.memory_len += new.cost();
            self.memory.push(new);
            return;
        }
        // One that the table has moved on from is of no use anymore.
        let stale = self.memory.iter().position(|one| one.changes != new.changes);
        let place = stale.unwrap_or(self.next_to_forget);
        self.next_to_forget = (place + 1) % REMEMBERED;
        self.memory_len += new.cost();
        let old = std::mem::replace(&mut self.memory[place], new);
        self.memory_len -= old.cost();
        self.scratch = Some(old.list);
    }

    /// Whether the block means the same until the table changes, has nothing that is not to be kept, and nothing but
    /// indexes.
    fn decode_into(
        &mut self,
        block: &[u8],
        limits: ListLimits,
        list: &mut HeaderList,
    ) -> Result<Repeats, DecodeError> {
        let mut reader = Reader::new(block);
        let changes = self.table.changes();
        let mut repeats = Repeats::Always;
        self.size_updates(&mut reader)?;
        while let Some(first) = reader.byte() {
            if first & 0x80 != 0 {
                let index = reader.integer(first, 7)?;
                self.indexed(index, limits, list)?;
            } else if first & 0xe0 == 0x20 {
                return Err(DecodeError::SizeUpdatePlace);
            } else {
                repeats = match repeats {
                    Repeats::Never => Repeats::Never,
                    _ if first & 0xf0 == NEVER_INDEXED => Repeats::Never,
                    _ => Repeats::IfItDidBefore,
                };
                self.literal(first, &mut reader, limits, list)?;
            }
            if list.size() > limits.size.saturating_mul(4) {
                return Err(DecodeError::ListTooLarge { limit: limits.size.saturating_mul(4) });
            }
        }
        Ok(if changes == self.table.changes() { repeats } else { Repeats::Never })
    }

    fn size_updates(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        while let Some(first) = reader.peek()
            && first & 0xe0 == 0x20
        {
            reader.byte();
            let size = reader.integer(first, 5)?;
            if size as usize > self.allowed_size {
                return Err(DecodeError::SizeUpdateTooLarge { size, limit: self.allowed_size });
            }
            self.table.set_max_size(size as usize);
            self.is_update_due = false;
        }
        if self.is_update_due { Err(DecodeError::SizeUpdateMissing) } else { Ok(()) }
    }

    fn indexed(&self, index: u32, limits: ListLimits, list: &mut HeaderList) -> Result<(), DecodeError> {
        let (name, value, flags) = self.field(index)?;
        if is_within(list, name.len() + value.len(), limits) {
            list.push(name, value, flags);
        } else {
            list.skip(name.len() + value.len());
        }
        Ok(())
    }

    /// The field at an index of the address space of both tables (RFC 7541 §2.3.3).
    fn field(&self, index: u32) -> Result<(&[u8], &[u8], FieldFlags), DecodeError> {
        let flags = |class| FieldFlags { class, is_sensitive: false };
        let index = index as usize;
        if (1..=FIELDS.len()).contains(&index) {
            let (name, value) = FIELDS[index - 1];
            return Ok((name.as_bytes(), value.as_bytes(), flags(static_class(index))));
        }
        let dynamic = index.checked_sub(FIELDS.len() + 1).and_then(|index| self.table.get(index));
        let found = dynamic.ok_or(DecodeError::Index(index as u32))?;
        Ok((found.name, found.value, flags(found.tag.class)))
    }

    fn literal(
        &mut self,
        first: u8,
        reader: &mut Reader<'_>,
        limits: ListLimits,
        list: &mut HeaderList,
    ) -> Result<(), DecodeError> {
        let is_inserted = first & 0x40 != 0;
        let is_sensitive = first & 0xf0 == NEVER_INDEXED;
        let name_index = reader.integer(first, if is_inserted { 6 } else { 4 })?;
        // Written to the end of the list, and taken off again if it is too much.
        let start = list.bytes().len();
        if name_index == 0 {
            string(reader, list.bytes_mut())?;
        } else {
            list.bytes_mut().extend_from_slice(self.field(name_index)?.0);
        }
        let name_len = list.bytes().len() - start;
        string(reader, list.bytes_mut())?;
        let (name, value) = list.bytes()[start..].split_at(name_len);
        let len = name.len() + value.len();
        let class = class_of(name, value);
        if is_inserted {
            self.table.insert(name, value, Tag { class, hashes: (0, 0) });
        }
        if is_within(list, len, limits) {
            list.push_written(start, name_len, FieldFlags { class, is_sensitive });
        } else {
            list.bytes_mut().truncate(start);
            list.skip(len);
        }
        Ok(())
    }
}

fn is_within(list: &HeaderList, len: usize, limits: ListLimits) -> bool {
    !list.is_truncated() && list.size() + len + 32 <= limits.size && list.len() < limits.fields
}

/// The class of a field of the static table.
fn static_class(index: usize) -> Class {
    match index {
        1 => Class::Authority,
        2 | 3 => Class::Method,
        4 | 5 => Class::Path,
        6 | 7 => Class::Scheme,
        8..=14 => Class::Status,
        28 => Class::ContentLength,
        38 => Class::Host,
        57 => Class::Malformed(crate::header::Malformed::ConnectionSpecific),
        _ => Class::Regular,
    }
}

/// Appends a string literal (RFC 7541 §5.2). Its length is bounded by the block's.
fn string(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let first = reader.byte().ok_or(DecodeError::Truncated)?;
    let len = reader.integer(first, 7)?;
    let bytes = reader.bytes(len as usize)?;
    if first & 0x80 != 0 {
        huffman::decode(bytes, out)
    } else {
        out.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: ListLimits = ListLimits { size: 16_384, fields: 100 };

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let octet = |pair: &[u8]| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("hexadecimal digits"), 16)
                .expect("two digits")
        };
        digits.chunks(2).map(octet).collect()
    }

    fn fields(list: &HeaderList) -> Vec<(String, String)> {
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        list.iter().map(|field| (field.name.to_owned(), text(field.value))).collect()
    }

    fn pairs(fields: &[(&str, &str)]) -> Vec<(String, String)> {
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn requests_of_the_specification() {
        let common =
            [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "www.example.com")];
        let plain = "82 86 84 41 0f7777772e6578616d706c652e636f6d";
        for first in [plain, "82 86 84 41 8cf1e3c2e5f23a6ba0ab90f4ff"] {
            let mut decoder = Decoder::new(4096);
            let list = decoder.decode(&bytes(first), LIMITS).expect("valid");
            assert_eq!((fields(&list), decoder.table.size()), (pairs(&common), 57));
            let list = decoder.decode(&bytes("82 86 84 be 58 86a8eb10649cbf"), LIMITS).expect("valid");
            let mut wanted = pairs(&common);
            wanted.extend(pairs(&[("cache-control", "no-cache")]));
            assert_eq!((fields(&list), decoder.table.size()), (wanted, 110));
            let third = "82 87 85 bf 40 8825a849e95ba97d7f 8925a849e95bb8e8b4bf";
            let list = decoder.decode(&bytes(third), LIMITS).expect("valid");
            let wanted = pairs(&[
                (":method", "GET"),
                (":scheme", "https"),
                (":path", "/index.html"),
                (":authority", "www.example.com"),
                ("custom-key", "custom-value"),
            ]);
            assert_eq!((fields(&list), decoder.table.size()), (wanted, 164));
        }
    }

    #[test]
    fn responses_of_the_specification_with_evictions() {
        let mut decoder = Decoder::new(256);
        let first = "48826402 5885aec3771a4b 6196d07abe941054d444a8200595040b8166e082a62d1bff
            6e919d29ad171863c78f0b97c8e9ae82ae43d3";
        let rest = [
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("location", "https://www.example.com"),
        ];
        for (block, status) in [(first, "302"), ("4883640eff c1 c0 bf", "307")] {
            let list = decoder.decode(&bytes(block), LIMITS).expect("valid");
            let mut wanted = pairs(&[(":status", status)]);
            wanted.extend(pairs(&rest));
            assert_eq!((fields(&list), decoder.table.size()), (wanted, 222));
        }
    }

    #[test]
    fn blocks_that_must_end_the_connection() {
        for (block, error) in [
            ("80", DecodeError::Index(0)),
            ("be", DecodeError::Index(62)),
            ("82 20", DecodeError::SizeUpdatePlace),
            ("3fe21f", DecodeError::SizeUpdateTooLarge { size: 4097, limit: 4096 }),
            ("40", DecodeError::Truncated),
            ("40 0a 61", DecodeError::Truncated),
            ("00 81 ff 00", DecodeError::Huffman),
            ("ff ff ff ff ff ff", DecodeError::IntegerTooLarge),
        ] {
            assert_eq!(Decoder::new(4096).decode(&bytes(block), LIMITS).err(), Some(error), "{block}");
        }
    }

    #[test]
    fn a_reduced_table_asks_for_an_update_first() {
        let mut decoder = Decoder::new(4096);
        decoder.set_allowed_size(100);
        assert_eq!(decoder.decode(&[0x82], LIMITS).err(), Some(DecodeError::SizeUpdateMissing));
        // Two in a row: the lowest, then the final one.
        assert!(decoder.decode(&[0x20, 0x3f, 0x45, 0x82], LIMITS).is_ok());
        assert_eq!(decoder.table.max_size(), 100);
        assert!(decoder.decode(&[0x82], LIMITS).is_ok());
    }

    #[test]
    fn a_repeated_block_of_indexes_is_the_same_list_until_the_table_changes() {
        let mut decoder = Decoder::new(4096);
        decoder.decode(&bytes("40 01 61 01 62"), LIMITS).expect("valid");
        let first = decoder.decode(&[0x82, 0xbe], LIMITS).expect("valid");
        let again = decoder.decode(&[0x82, 0xbe], LIMITS).expect("valid");
        assert!(Arc::ptr_eq(&first, &again));
        decoder.decode(&bytes("40 01 63 01 64"), LIMITS).expect("valid");
        let moved = decoder.decode(&[0x82, 0xbe], LIMITS).expect("valid");
        assert_eq!(fields(&moved), pairs(&[(":method", "GET"), ("c", "d")]));
        decoder.decode(&[0x20], LIMITS).expect("an emptied table");
        assert_eq!(decoder.decode(&[0x82, 0xbe], LIMITS).err(), Some(DecodeError::Index(62)));
    }

    #[test]
    fn a_repeated_block_with_literals_is_the_same_list_unless_it_inserts_or_is_secret() {
        let repeated = |block: &str| {
            let mut decoder = Decoder::new(4096);
            // The first time might be the last.
            let first = decoder.decode(&bytes(block), LIMITS).expect("valid");
            let second = decoder.decode(&bytes(block), LIMITS).expect("valid");
            let third = decoder.decode(&bytes(block), LIMITS).expect("valid");
            assert_eq!((fields(&first), fields(&second)), (fields(&third), fields(&third)), "{block}");
            assert!(!Arc::ptr_eq(&first, &second));
            Arc::ptr_eq(&second, &third)
        };
        // As nghttp2 sends paths: the name by its index, the value as text.
        assert!(repeated("83 04 02 2f61"));
        assert!(repeated("00 01 61 01 62"));
        assert!(!repeated("83 44 02 2f61"), "inserted");
        assert!(!repeated("83 10 01 61 01 62"), "never to be indexed");
        assert!(!repeated("20 83"), "a size update");
    }

    /// Blocks of all kinds of fields that come again and again, to one decoder that remembers them and one that
    /// does not.
    #[test]
    fn what_is_remembered_is_what_would_be_decoded() {
        let fields = [
            "82",
            "84",
            "be",
            "bf",
            "c0",
            "04 02 2f61",
            "00 01 61 01 62",
            "40 01 61 01 62",
            "44 02 2f62",
            "10 01 61 01 63",
            "00 82 1c64 01 62",
            "0f 2f 01 78",
            "40 0a 63757374 6f6d2d6b6579 00",
        ];
        let mut state = 7u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as usize % below
        };
        let blocks: Vec<Vec<u8>> = (0..12)
            .map(|_| (0..1 + random(5)).flat_map(|_| bytes(fields[random(fields.len())])).collect())
            .collect();
        let (mut decoder, mut forgetful) = (Decoder::new(160), Decoder::new(160));
        let mut shared = 0;
        for round in 0..4000 {
            if round % 97 == 0 {
                // The table shrinks, and grows again.
                let update = bytes("20 3f 81 01");
                decoder.decode(&update, LIMITS).expect("within the setting");
                forgetful.decode(&update, LIMITS).expect("within the setting");
            }
            let block = &blocks[if round % 3 == 0 { random(blocks.len()) } else { round % 5 }];
            shared += usize::from(decoder.remembered(block, LIMITS).is_some());
            forgetful.shrink();
            let (list, fresh) = (decoder.decode(block, LIMITS), forgetful.decode(block, LIMITS));
            assert_eq!(list, fresh, "{block:02x?}");
            assert_eq!(decoder.table.size(), forgetful.table.size());
        }
        assert!(shared > 100, "{shared}");
    }

    #[test]
    fn a_list_over_its_limit_is_cut_and_the_table_is_kept() {
        let mut decoder = Decoder::new(4096);
        let limits = ListLimits { size: 100, fields: 3 };
        let list = decoder.decode(&bytes("40 01 61 01 62 82 82 82 40 01 63 01 64"), limits).expect("valid");
        assert!(list.is_truncated());
        assert_eq!(list.len(), 2);
        let next = decoder.decode(&[0xbe], limits).expect("valid");
        assert_eq!(fields(&next), pairs(&[("c", "d")]));
        let (short, long) = (ListLimits { fields: 1, ..LIMITS }, [0x82, 0x82]);
        for (limits, len) in [(LIMITS, 2), (short, 1), (LIMITS, 2)] {
            assert_eq!(
                decoder.decode(&long, limits).map(|list| list.len()),
                Ok(len),
                "each has its own limits"
            );
        }
        let bomb = [0x82; 100];
        assert_eq!(decoder.decode(&bomb, limits).err(), Some(DecodeError::ListTooLarge { limit: 400 }));
    }
}
