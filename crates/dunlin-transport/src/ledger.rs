//! What the connections of a server hold together, and who has to give when it is too much.
//!
//! Each connection enters what it [holds](dunlin_http2::Connection::held), and hears how short memory
//! is. Windows shrink before anything is refused, and what is refused comes before what ends:
//!
//! | of `max_memory` is held | all connections | those above their fair share |
//! |---|---|---|
//! | up to 3/4 | | |
//! | above 3/4 | windows grow no more | and go back to their first size |
//! | above 7/8 | | new streams are refused |
//! | above all of it | | end, with ENHANCE_YOUR_CALM |
//!
//! A fair share is `max_memory` divided by the connections there are, and at least 16 KiB. So an
//! honest connection is served whatever others hold, and where the sum is above the limit there always
//! is one that is above its share. What TLS and the kernel hold for a connection is not counted.

#[cfg(dunlin_loom)]
use loom::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};
#[cfg(not(dunlin_loom))]
use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use dunlin_http2::Pressure;

/// The memory that the connections of a server may hold together. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

/// Each value stands for itself, so none has to be seen in the order of another.
#[derive(Debug)]
struct Shared {
    max_memory: usize,
    held: AtomicUsize,
    most: AtomicUsize,
    connections: AtomicUsize,
    ended: AtomicU64,
}

/// Smaller changes are not entered, so that connections do not meet at the counter in each turn.
const STEP: usize = 4 << 10;
/// Who holds less than this is no burden: it is more than an idle connection has.
const SMALL: usize = 16 << 10;

/// What a ledger says of its connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LedgerCounts {
    /// Bytes that they hold now; up to 4 KiB more or less for each of them.
    pub held: usize,
    /// The most that it has been.
    pub most: usize,
    /// How many there are.
    pub connections: usize,
    /// Connections that had to end since the ledger was made.
    pub ended: u64,
}

impl Ledger {
    /// A ledger of `max_memory` bytes.
    pub fn new(max_memory: usize) -> Self {
        let shared = Shared {
            max_memory,
            held: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            ended: AtomicU64::new(0),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The limit, in bytes.
    pub fn max_memory(&self) -> usize {
        self.shared.max_memory
    }

    /// What is held, and what had to be done.
    pub fn counts(&self) -> LedgerCounts {
        LedgerCounts {
            held: self.shared.held.load(Relaxed),
            most: self.shared.most.load(Relaxed),
            connections: self.shared.connections.load(Relaxed),
            ended: self.shared.ended.load(Relaxed),
        }
    }

    /// The account of one more connection, which ends with it.
    pub fn open(&self) -> Account {
        self.shared.connections.fetch_add(1, Relaxed);
        Account { shared: Arc::clone(&self.shared), entered: 0 }
    }
}

impl Default for Ledger {
    /// 1 GiB.
    fn default() -> Self {
        Self::new(1 << 30)
    }
}

/// One connection in a [`Ledger`].
#[derive(Debug)]
#[must_use = "a connection counts for as long as its account lives"]
pub struct Account {
    shared: Arc<Shared>,
    entered: usize,
}

/// The memory is used up, and the connection has more than its share: it has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{held} bytes are above the fair share of {share} bytes while `max_memory` ({max_memory} bytes) is used up"
)]
pub struct Exceeded {
    /// What the connection holds, in bytes.
    pub held: usize,
    /// What it may hold while memory is short, in bytes.
    pub share: usize,
    /// The limit of all connections together, in bytes.
    pub max_memory: usize,
}

impl Account {
    /// Enters what the connection holds now, and says how short memory is for it. To be called once in
    /// a turn, and each second by a connection that sleeps and [is large](Self::is_large).
    ///
    /// # Errors
    /// The connection has to end.
    #[inline]
    pub fn enter(&mut self, held: usize) -> Result<Pressure, Exceeded> {
        if held.abs_diff(self.entered) >= STEP {
            self.change(held);
        }
        let all = self.shared.held.load(Relaxed);
        if all <= self.shared.max_memory / 4 * 3 {
            return Ok(Pressure::None);
        }
        self.pressure(held, all)
    }

    fn pressure(&self, held: usize, all: usize) -> Result<Pressure, Exceeded> {
        let max_memory = self.shared.max_memory;
        let share = (max_memory / self.shared.connections.load(Relaxed).max(1)).max(SMALL);
        if held <= share {
            return Ok(Pressure::KeepWindows);
        }
        if all > max_memory {
            return Err(Exceeded { held, share, max_memory });
        }
        let is_nearly_full = all > max_memory / 8 * 7;
        Ok(if is_nearly_full { Pressure::RefuseStreams } else { Pressure::ShrinkWindows })
    }

    fn change(&mut self, held: usize) {
        if let Some(more) = held.checked_sub(self.entered) {
            let all = self.shared.held.fetch_add(more, Relaxed) + more;
            // Nearly always it has been more before.
            if all > self.shared.most.load(Relaxed) {
                self.shared.most.fetch_max(all, Relaxed);
            }
        } else {
            self.shared.held.fetch_sub(self.entered - held, Relaxed);
        }
        self.entered = held;
    }

    /// Whether the connection holds so much that others may need it.
    pub fn is_large(&self) -> bool {
        self.entered > SMALL
    }

    /// The connection ends for want of memory.
    pub(crate) fn count_end(&self) {
        self.shared.ended.fetch_add(1, Relaxed);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(self.entered, Relaxed);
        self.shared.connections.fetch_sub(1, Relaxed);
    }
}

#[cfg(all(test, not(dunlin_loom)))]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn what_accounts_hold_is_summed_in_steps() {
        let ledger = Ledger::new(MIB);
        let (mut one, mut other) = (ledger.open(), ledger.open());
        assert_eq!(one.enter(100_000), Ok(Pressure::None));
        assert_eq!(other.enter(50_000), Ok(Pressure::None));
        assert_eq!(one.enter(100_000 + STEP - 1), Ok(Pressure::None));
        let counts = LedgerCounts { held: 150_000, most: 150_000, connections: 2, ended: 0 };
        assert_eq!(ledger.counts(), counts);
        assert_eq!(other.enter(10_000), Ok(Pressure::None));
        assert_eq!(ledger.counts(), LedgerCounts { held: 110_000, ..counts });
        drop(one);
        assert_eq!(ledger.counts(), LedgerCounts { held: 10_000, connections: 1, ..counts });
        drop(other);
        assert_eq!(ledger.counts(), LedgerCounts { held: 0, connections: 0, ..counts });
    }

    #[test]
    fn pressure_rises_with_what_is_held_and_spares_those_below_their_share() {
        let share = 8 * MIB;
        for (all, above, below) in [
            (48 * MIB, Ok(Pressure::None), Pressure::None), // exactly 3/4 of 64 MiB
            (48 * MIB + 1, Ok(Pressure::ShrinkWindows), Pressure::KeepWindows),
            (56 * MIB, Ok(Pressure::ShrinkWindows), Pressure::KeepWindows), // exactly 7/8
            (56 * MIB + 1, Ok(Pressure::RefuseStreams), Pressure::KeepWindows),
            (64 * MIB, Ok(Pressure::RefuseStreams), Pressure::KeepWindows), // exactly all
            (
                64 * MIB + STEP,
                Err(Exceeded { held: share + 1, share, max_memory: 64 * MIB }),
                Pressure::KeepWindows,
            ),
        ] {
            let ledger = Ledger::new(64 * MIB);
            let mut accounts: Vec<_> = (0..8).map(|_| ledger.open()).collect();
            let _ = accounts[0].enter(share + 1);
            let _ = accounts[1].enter(share);
            let _ = accounts[2].enter(all - 2 * share - 1);
            assert_eq!(ledger.counts().held, all);
            assert_eq!(accounts[0].enter(share + 1), above, "{all}");
            assert_eq!(accounts[1].enter(share), Ok(below), "{all}");
        }
    }

    #[test]
    fn where_the_limit_is_exceeded_someone_is_above_the_share() {
        let ledger = Ledger::new(64 * MIB);
        let mut accounts: Vec<_> = (0..100).map(|_| ledger.open()).collect();
        let sizes = (0..100).map(|index| index * 15_000);
        let verdicts: Vec<_> =
            accounts.iter_mut().zip(sizes.clone()).map(|(one, size)| one.enter(size)).collect();
        assert!(verdicts.iter().any(Result::is_err), "{}", ledger.counts().held);
        for ((account, size), verdict) in accounts.iter().zip(sizes).zip(verdicts) {
            assert_eq!(account.is_large(), size > SMALL);
            assert!(verdict.is_ok() || size > ledger.max_memory() / 100);
        }
    }

    #[test]
    fn small_connections_are_left_alone_however_many_they_are() {
        let ledger = Ledger::new(MIB);
        let mut accounts: Vec<_> = (0..1000).map(|_| ledger.open()).collect();
        for account in &mut accounts {
            assert!(account.enter(SMALL).is_ok());
        }
        assert_eq!(accounts[0].enter(SMALL), Ok(Pressure::KeepWindows));
    }
}
