//! The dynamic table (RFC 7541 §2.3.2, §4).

use std::collections::VecDeque;

use crate::header::Class;

/// Entries in the order of their insertion, their text in one buffer.
#[derive(Debug)]
pub(super) struct Table {
    entries: VecDeque<Entry>,
    /// Text of the entries; before it that of entries which are gone, until it is worth moving.
    text: Vec<u8>,
    /// Octets that were cut off the front of `text` ever since.
    cut: u64,
    size: usize,
    max_size: usize,
    /// How often an index has got another meaning.
    changes: u64,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Counted like `cut`.
    start: u64,
    name_len: u32,
    value_len: u32,
    tag: Tag,
}

/// What the user of a table knows of an entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) class: Class,
    /// Of the name, and of the name with the value.
    pub(super) hashes: (u32, u32),
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'t> {
    pub(super) name: &'t [u8],
    pub(super) value: &'t [u8],
    pub(super) tag: Tag,
}

impl Entry {
    fn size(&self) -> usize {
        // RFC 7541 §4.1.
        self.name_len as usize + self.value_len as usize + 32
    }
}

impl Table {
    pub(super) fn new(max_size: usize) -> Self {
        Self { entries: VecDeque::new(), text: Vec::new(), cut: 0, size: 0, max_size, changes: 0 }
    }

    pub(super) fn max_size(&self) -> usize {
        self.max_size
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// As long as this number is the same, so is what the indexes mean.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn capacity(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    /// The entry at an index from 0, the newest.
    pub(super) fn get(&self, index: usize) -> Option<Found<'_>> {
        let place = self.entries.len().checked_sub(index + 1)?;
        let entry = self.entries.get(place)?;
        let start = (entry.start - self.cut) as usize;
        let (name, value) =
            self.text.get(start..)?.get(..entry.size() - 32)?.split_at(entry.name_len as usize);
        Some(Found { name, value, tag: entry.tag })
    }

    /// The indexes of what has this hash, from the newest on: entries with this name and value,
    /// then names.
    pub(super) fn find(
        &self,
        name: &[u8],
        value: &[u8],
        hashes: (u32, u32),
    ) -> (Option<usize>, Option<usize>) {
        let mut named = None;
        for (index, entry) in self.entries.iter().rev().enumerate() {
            if entry.tag.hashes.0 != hashes.0 {
                continue;
            }
            let Some(found) = self.get(index) else { continue };
            if found.name != name {
                continue;
            }
            if entry.tag.hashes.1 == hashes.1 && found.value == value {
                return (Some(index), None);
            }
            named = named.or(Some(index));
        }
        (None, named)
    }

    pub(super) fn set_max_size(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.changes += 1;
        self.evict(0);
        if self.entries.is_empty() {
            (self.entries, self.text) = (VecDeque::new(), Vec::new());
        }
    }

    /// Inserts an entry, or empties the table if it is too large for it (RFC 7541 §4.4).
    pub(super) fn insert(&mut self, name: &[u8], value: &[u8], tag: Tag) {
        let entry = Entry {
            start: self.cut + self.text.len() as u64,
            name_len: name.len() as u32,
            value_len: value.len() as u32,
            tag,
        };
        self.changes += 1;
        self.evict(entry.size());
        if entry.size() > self.max_size {
            return;
        }
        self.text.extend_from_slice(name);
        self.text.extend_from_slice(value);
        self.size += entry.size();
        self.entries.push_back(entry);
    }

    fn evict(&mut self, needed: usize) {
        while self.size + needed > self.max_size {
            let Some(oldest) = self.entries.pop_front() else { return };
            self.size -= oldest.size();
        }
        let dead = match self.entries.front() {
            Some(oldest) => (oldest.start - self.cut) as usize,
            None => self.text.len(),
        };
        // Moving what lives is paid by as many octets that were inserted before.
        if dead > 0 && dead * 2 >= self.text.len() {
            self.text.drain(..dead);
            self.cut += dead as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: Tag = Tag { class: Class::Regular, hashes: (0, 0) };

    #[test]
    fn entries_leave_in_the_order_they_came() {
        let mut table = Table::new(100);
        for round in 0..100u32 {
            let value = round.to_string();
            table.insert(b"name", value.as_bytes(), TAG);
            let newest = table.get(0).expect("just inserted");
            assert_eq!((newest.name, newest.value), (&b"name"[..], value.as_bytes()));
            assert_eq!(table.len(), 2.min(round as usize + 1));
            assert!(table.size() <= 100 && table.text.len() < 50);
        }
        assert!(table.get(2).is_none());
    }

    #[test]
    fn an_entry_larger_than_the_table_empties_it() {
        let mut table = Table::new(64);
        table.insert(b"a", b"b", TAG);
        table.insert(b"name", &[b'x'; 40], TAG);
        assert_eq!((table.len(), table.size()), (0, 0));
    }
}
