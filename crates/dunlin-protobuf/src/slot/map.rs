//! Map fields.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Ordering;

use super::{Part, Slot, SlotRef};
use crate::DecodeError;
use crate::decode::Context;
use crate::table::TableRef;

/// Key and value of a map entry that is being read.
pub trait EntrySlots<'a> {
    /// The key.
    fn key(&mut self) -> Slot<'_, 'a>;

    /// The value.
    fn value(&mut self) -> Slot<'_, 'a>;

    /// As [`Fields::has_raw_slots`](crate::Fields::has_raw_slots).
    #[doc(hidden)]
    fn has_raw_slots(&self) -> bool {
        false
    }

    /// As [`Fields::raw_slot`](crate::Fields::raw_slot).
    #[doc(hidden)]
    fn raw_key(&mut self) -> Slot<'_, 'a> {
        self.key()
    }

    /// As [`Fields::raw_slot`](crate::Fields::raw_slot).
    #[doc(hidden)]
    fn raw_value(&mut self) -> Slot<'_, 'a> {
        self.value()
    }

    /// As [`Fields::checks_enums`](crate::Fields::checks_enums).
    #[doc(hidden)]
    fn checks_enums(&self) -> bool {
        true
    }
}

/// What is done with an entry; false drops it.
pub type Fill<'f, 'a> = &'f mut dyn FnMut(&mut dyn EntrySlots<'a>) -> bool;

/// A map field, lent for writing.
pub trait MapSlot<'a> {
    /// Makes an entry with default key and value, lets `fill` write them, and inserts it if that
    /// says so; an entry with the same key is replaced.
    fn insert(&mut self, fill: Fill<'_, 'a>);

    /// Reads an entry that lies at `pos` of `buf` and fills it, and inserts it; false if its value is
    /// not one of a closed enum.
    #[doc(hidden)]
    fn merge_entry(
        &mut self,
        entry: &TableRef,
        buf: &'a [u8],
        pos: usize,
        cx: &mut Context<'_>,
    ) -> Result<bool, DecodeError>;

    /// Removes all entries.
    fn clear(&mut self);

    /// True if it is worth knowing ahead how many entries will come.
    fn reserves(&self) -> bool {
        false
    }

    /// Makes room for this many more, where that is possible.
    fn reserve(&mut self, additional: usize) {
        let _ = additional;
    }

    /// Removes the entry with the key that `fill` writes.
    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool;

    /// The bytes of memory of one entry.
    fn size(&self) -> usize;
}

/// Visits an entry; false stops.
pub type Visit<'f, 's> = &'f mut dyn FnMut(SlotRef<'s>, SlotRef<'s>) -> bool;

/// A map field, lent for reading.
pub trait MapRef {
    /// How many entries there are.
    fn len(&self) -> usize;

    /// True if there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shows every entry; `sorted` asks for the order of keys.
    fn for_each<'s>(&'s self, sorted: bool, visit: Visit<'_, 's>);
}

#[derive(Default)]
struct Entry<K, V> {
    key: K,
    value: V,
}

impl<'a, K: Part<'a> + Default, V: Part<'a> + Default> EntrySlots<'a> for Entry<K, V> {
    #[inline(always)]
    fn key(&mut self) -> Slot<'_, 'a> {
        self.key.slot()
    }

    #[inline(always)]
    fn value(&mut self) -> Slot<'_, 'a> {
        self.value.slot()
    }
}

fn filled<'a, K: Part<'a> + Default, V: Part<'a> + Default>(fill: Fill<'_, 'a>) -> Option<Entry<K, V>> {
    let mut entry = Entry { key: K::default(), value: V::default() };
    fill(&mut entry).then_some(entry)
}

/// `MapSlot::merge_entry` with the map's own way to insert.
macro_rules! merge_entry {
    (|$map:ident, $key:ident, $value:ident| $insert:expr) => {
        fn merge_entry(
            &mut self,
            entry: &TableRef,
            buf: &'a [u8],
            pos: usize,
            cx: &mut Context<'_>,
        ) -> Result<bool, DecodeError> {
            let mut slots: Entry<K, V> = Entry::default();
            let known = crate::decode::merge_entry(&mut slots, entry, buf, pos, cx)?;
            if known {
                let ($map, Entry { key: $key, value: $value }) = (self, slots);
                $insert;
            }
            Ok(known)
        }
    };
}

impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapSlot<'a> for BTreeMap<K, V> {
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        if let Some(entry) = filled::<K, V>(fill) {
            BTreeMap::insert(self, entry.key, entry.value);
        }
    }

    merge_entry!(|map, key, value| BTreeMap::insert(map, key, value));

    fn clear(&mut self) {
        BTreeMap::clear(self);
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        filled::<K, V>(fill).is_some_and(|entry| BTreeMap::remove(self, &entry.key).is_some())
    }

    fn size(&self) -> usize {
        // Nodes of eleven entries are at least half full.
        2 * (size_of::<K>() + size_of::<V>())
    }
}

impl<'a, K: Part<'a> + Default, V: Part<'a> + Default> MapRef for BTreeMap<K, V> {
    fn len(&self) -> usize {
        BTreeMap::len(self)
    }

    fn for_each<'s>(&'s self, _: bool, visit: Visit<'_, 's>) {
        for (key, value) in self {
            if !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}

#[cfg(feature = "std")]
impl<'a, K: Part<'a> + Default + Ord + core::hash::Hash, V: Part<'a> + Default> MapSlot<'a>
    for std::collections::HashMap<K, V>
{
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        if let Some(entry) = filled::<K, V>(fill) {
            std::collections::HashMap::insert(self, entry.key, entry.value);
        }
    }

    merge_entry!(|map, key, value| std::collections::HashMap::insert(map, key, value));

    fn clear(&mut self) {
        std::collections::HashMap::clear(self);
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        filled::<K, V>(fill)
            .is_some_and(|entry| std::collections::HashMap::remove(self, &entry.key).is_some())
    }

    fn size(&self) -> usize {
        2 * (size_of::<K>() + size_of::<V>() + 1)
    }
}

#[cfg(feature = "std")]
impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapRef for std::collections::HashMap<K, V> {
    fn len(&self) -> usize {
        std::collections::HashMap::len(self)
    }

    fn for_each<'s>(&'s self, sorted: bool, visit: Visit<'_, 's>) {
        if !sorted {
            for (key, value) in self {
                if !visit(key.slot_ref(), value.slot_ref()) {
                    return;
                }
            }
            return;
        }
        let entries: Vec<_> = self.iter().collect();
        for index in in_order(entries.len(), &mut |a, b| entries[a].0.cmp(entries[b].0)) {
            let (key, value) = entries[index];
            if !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}

/// The numbers below `len` in the order that `compare` gives; equal ones keep their own. A sort is much code: this one
/// is compiled once, not for each type of a map.
pub(crate) fn in_order(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&a, &b| compare(a, b));
    order
}

/// The map of a view: entries as they arrived. Where a key comes twice, the last entry counts.
#[derive(Clone, Debug, PartialEq)]
pub struct MapView<K, V>(Vec<(K, V)>);

impl<K, V> Default for MapView<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V> MapView<K, V> {
    /// The entries as they arrived.
    pub fn entries(&self) -> &[(K, V)] {
        &self.0
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.0.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// True if there is no entry.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapSlot<'a> for MapView<K, V> {
    fn insert(&mut self, fill: Fill<'_, 'a>) {
        self.0.extend(filled(fill).map(|entry: Entry<K, V>| (entry.key, entry.value)));
    }

    merge_entry!(|map, key, value| map.0.push((key, value)));

    fn reserves(&self) -> bool {
        true
    }

    fn reserve(&mut self, additional: usize) {
        self.0.reserve_exact(additional.max(self.0.len()));
    }

    fn clear(&mut self) {
        self.0.clear();
    }

    fn remove(&mut self, fill: Fill<'_, 'a>) -> bool {
        let Some(entry) = filled::<K, V>(fill) else { return false };
        let len = self.0.len();
        self.0.retain(|(key, _)| *key != entry.key);
        self.0.len() < len
    }

    fn size(&self) -> usize {
        2 * size_of::<(K, V)>()
    }
}

impl<'a, K: Part<'a> + Default + Ord, V: Part<'a> + Default> MapRef for MapView<K, V> {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn for_each<'s>(&'s self, _: bool, visit: Visit<'_, 's>) {
        // The last entry of each key, in the order of keys.
        let entries = &self.0;
        let order = in_order(entries.len(), &mut |a, b| entries[a].0.cmp(&entries[b].0));
        for (i, &index) in order.iter().enumerate() {
            let (key, value) = &entries[index];
            let shadowed = order.get(i + 1).is_some_and(|&next| entries[next].0 == *key);
            if !shadowed && !visit(key.slot_ref(), value.slot_ref()) {
                return;
            }
        }
    }
}
