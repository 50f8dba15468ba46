//! A table that only grows, up to a limit, and is read without a lock.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

/// Lists, each found by a hash.
const LISTS: usize = 256;

/// Values that are never removed, so that what was found once is found for ever.
pub(crate) struct Table<T> {
    lists: Box<[OnceLock<Box<Node<T>>>]>,
    len: AtomicUsize,
    max: usize,
    /// Who adds holds it.
    adding: Mutex<()>,
}

struct Node<T> {
    hash: u64,
    value: T,
    next: OnceLock<Box<Node<T>>>,
}

impl<T> Table<T> {
    pub(crate) fn new(max: usize) -> Self {
        let lists = (0..LISTS).map(|_| OnceLock::new()).collect();
        Self { lists, len: AtomicUsize::new(0), max, adding: Mutex::new(()) }
    }

    fn list(&self, hash: u64) -> &OnceLock<Box<Node<T>>> {
        &self.lists[hash as usize % LISTS]
    }

    /// The value, or the place behind the last one of its list.
    fn find(
        mut place: &OnceLock<Box<Node<T>>>,
        hash: u64,
        is_it: impl Fn(&T) -> bool,
    ) -> Result<&T, &OnceLock<Box<Node<T>>>> {
        while let Some(node) = place.get() {
            if node.hash == hash && is_it(&node.value) {
                return Ok(&node.value);
            }
            place = &node.next;
        }
        Err(place)
    }

    /// The value that is meant, made if it is not there; `None` if there is no room for it. What has found
    /// no room finds none later.
    pub(crate) fn get_or_add(
        &self,
        hash: u64,
        is_it: impl Fn(&T) -> bool,
        make: impl FnOnce() -> T,
    ) -> Option<&T> {
        let place = match Self::find(self.list(hash), hash, &is_it) {
            Ok(value) => return Some(value),
            Err(place) => place,
        };
        if self.len.load(Ordering::Relaxed) >= self.max {
            return None;
        }
        // A poisoned lock is harmless: what it guards is whole between any two steps.
        let _adding = self.adding.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let place = match Self::find(place, hash, &is_it) {
            Ok(value) => return Some(value),
            Err(place) => place,
        };
        if self.len.load(Ordering::Relaxed) >= self.max {
            return None;
        }
        let node = place.get_or_init(|| Box::new(Node { hash, value: make(), next: OnceLock::new() }));
        self.len.fetch_add(1, Ordering::Relaxed);
        Some(&node.value)
    }

    /// All values, list by list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.lists.iter().flat_map(|list| {
            let nodes = std::iter::successors(list.get(), |node| node.next.get());
            nodes.map(|node| &node.value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_again_until_there_is_no_room() {
        let table = Table::new(3);
        let get = |hash: u64, value: u32| table.get_or_add(hash, |held| *held == value, || value).copied();
        // The first two are in one list, and have one hash.
        assert_eq!([get(1, 10), get(1, 11), get(2, 12)], [Some(10), Some(11), Some(12)]);
        assert_eq!([get(3, 13), get(1, 14)], [None, None]);
        assert_eq!([get(1, 10), get(1, 11), get(2, 12)], [Some(10), Some(11), Some(12)]);
        let mut all: Vec<u32> = table.iter().copied().collect();
        all.sort_unstable();
        assert_eq!(all, [10, 11, 12]);
    }

    #[test]
    fn threads_that_add_at_the_same_time_agree() {
        let table = Table::new(50);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for value in 0..100_u64 {
                        if let Some(held) = table.get_or_add(value, |held| *held == value, || value) {
                            assert_eq!(*held, value);
                        }
                    }
                });
            }
        });
        assert_eq!(table.iter().count(), 50);
    }
}
