//! What connections share, the queue of operations and the ledger, under a model checker, which tries all ways that threads can interleave:
//! `RUSTFLAGS="--cfg dunlin_loom" cargo test --release -p dunlin-transport --test loom`
#![cfg(dunlin_loom)]

use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use dunlin_transport::Ledger;
use dunlin_transport::operations::Operations;
use loom::sync::{Condvar, Mutex};
use loom::thread;

/// All ways that threads can interleave with up to three switches that they did not ask for; without a
/// bound this takes hours.
fn model(run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(run);
}

/// What wakes the driver.
#[derive(Default)]
struct Bell {
    has_rung: Mutex<bool>,
    rings: Condvar,
}

impl Bell {
    fn wait(&self) {
        let mut has_rung = self.has_rung.lock().expect("nothing panics under the lock");
        while !*has_rung {
            has_rung = self.rings.wait(has_rung).expect("nothing panics under the lock");
        }
        *has_rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.has_rung.lock().expect("nothing panics under the lock") = true;
        self.rings.notify_one();
    }
}

/// A driver that sleeps whenever there is nothing, until it has seen so many operations.
fn drive(operations: &Operations<u32>, wanted: usize) -> Vec<u32> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let cx = Context::from_waker(&waker);
    let (mut seen, mut batch) = (Vec::new(), Vec::new());
    while seen.len() < wanted {
        operations.take_or_park(&cx, &mut batch);
        if batch.is_empty() {
            bell.wait();
            operations.take(&mut batch);
        }
        seen.append(&mut batch);
    }
    seen
}

#[test]
fn no_operation_is_lost_and_none_wakes_nobody() {
    model(|| {
        let (handle, operations) = Operations::new();
        let threads: Vec<_> = [10, 20]
            .into_iter()
            .map(|first| {
                let handle = handle.clone();
                thread::spawn(move || {
                    handle.submit(first).expect("the driver is there");
                    handle.submit(first + 1).expect("the driver is there");
                })
            })
            .collect();
        let seen = drive(&operations, 4);
        for first in [10, 20] {
            let of_one: Vec<u32> = seen.iter().copied().filter(|number| number / 10 == first / 10).collect();
            assert_eq!(of_one, [first, first + 1]);
        }
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
    });
}

#[test]
fn an_operation_is_taken_or_given_back_when_the_connection_ends() {
    model(|| {
        let (handle, operations) = Operations::new();
        let thread = thread::spawn(move || handle.submit(1).is_ok());
        let waker = Waker::noop();
        let mut batch = Vec::new();
        operations.take_or_park(&Context::from_waker(waker), &mut batch);
        drop(operations);
        let was_taken = thread.join().expect("it does not panic");
        assert!(was_taken || batch.is_empty());
    });
}

#[test]
fn a_ledger_ends_with_nothing_and_has_seen_the_most() {
    model(|| {
        let ledger = Ledger::new(1 << 20);
        let threads: Vec<_> = [50_000, 70_000]
            .into_iter()
            .map(|held| {
                let mut account = ledger.open();
                thread::spawn(move || {
                    account.enter(held).expect("far below the limit");
                    account.enter(held / 2).expect("far below the limit");
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("it does not panic"));
        let counts = ledger.counts();
        assert_eq!((counts.held, counts.connections), (0, 0));
        assert!((70_000..=120_000).contains(&counts.most), "{counts:?}");
    });
}
