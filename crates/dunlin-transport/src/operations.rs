//! How others reach a connection: they queue operations, and whoever drives it takes them.
//!
//! This is all that threads share of a connection, small enough for a model checker; see
//! `tests/loom.rs`.

use std::task::{Context, Waker};

#[cfg(not(dunlin_loom))]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(dunlin_loom))]
use std::sync::{Arc, Mutex, MutexGuard};

#[cfg(dunlin_loom)]
use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(dunlin_loom)]
use loom::sync::{Arc, Mutex, MutexGuard};

/// Queues operations for a connection. Cheap to clone.
#[derive(Debug)]
pub struct Handle<O> {
    shared: Arc<Shared<O>>,
}

impl<O> Clone for Handle<O> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

/// The connection has ended, and takes no operations anymore.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection is closed")]
pub struct Closed<O>(pub O);

#[derive(Debug)]
struct Shared<O> {
    state: Mutex<State<O>>,
    /// The driver waits to be woken. Set under the lock; that it is awake again is said without.
    is_parked: AtomicBool,
    /// There may be something in the queue. Changed under the lock, and looked at without.
    is_any: AtomicBool,
}

#[derive(Debug)]
struct State<O> {
    queue: Vec<O>,
    waker: Option<Waker>,
    is_closed: bool,
}

impl<O> Shared<O> {
    /// A poisoned lock is harmless: nothing that can panic runs under it.
    fn lock(&self) -> MutexGuard<'_, State<O>> {
        match self.state.lock() {
            Ok(guard) => guard,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// Whether there was anything; it lies in `batch` then.
    fn swap(&self, state: &mut State<O>, batch: &mut Vec<O>) -> bool {
        debug_assert!(batch.is_empty(), "operations of the batch before were not handled");
        self.is_any.store(false, Ordering::Relaxed);
        if state.queue.is_empty() {
            // The larger buffer stays with the driver, which knows when it is not needed.
            return false;
        }
        std::mem::swap(&mut state.queue, batch);
        true
    }
}

impl<O> Handle<O> {
    /// Queues an operation, and wakes the connection if it sleeps. Operations of one thread keep
    /// their order.
    ///
    /// # Errors
    /// Gives the operation back if the connection has ended. One that was taken before is seen by
    /// the connection, or dropped with it.
    pub fn submit(&self, operation: O) -> Result<(), Closed<O>> {
        let waker = {
            let mut state = self.shared.lock();
            if state.is_closed {
                return Err(Closed(operation));
            }
            state.queue.push(operation);
            self.shared.is_any.store(true, Ordering::Relaxed);
            // Only the first operation after the driver has gone to sleep wakes it.
            let is_parked = self.shared.is_parked.load(Ordering::Relaxed);
            if is_parked {
                self.shared.is_parked.store(false, Ordering::Relaxed);
            }
            if is_parked { state.waker.clone() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Whether the connection has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.lock().is_closed
    }
}

/// The driver's side of the handles.
#[derive(Debug)]
pub struct Operations<O> {
    shared: Arc<Shared<O>>,
}

impl<O> Operations<O> {
    /// The two sides.
    pub fn new() -> (Handle<O>, Self) {
        let state = State { queue: Vec::new(), waker: None, is_closed: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            is_parked: AtomicBool::new(false),
            is_any: AtomicBool::new(false),
        });
        (Handle { shared: Arc::clone(&shared) }, Self { shared })
    }

    /// Takes no more operations from now on, and gives those that wait.
    pub fn close(&self) -> Vec<O> {
        let mut state = self.shared.lock();
        state.is_closed = true;
        std::mem::take(&mut state.queue)
    }

    /// Swaps what is queued into `batch`, which has to be empty. The driver is awake: operations wake nobody
    /// until it has [parked](Self::take_or_park), which also finds what this has just missed. Without the lock
    /// where nothing is queued.
    pub fn take(&self, batch: &mut Vec<O>) {
        self.shared.is_parked.store(false, Ordering::Relaxed);
        if self.shared.is_any.load(Ordering::Relaxed) {
            self.shared.swap(&mut self.shared.lock(), batch);
        }
    }

    /// Swaps what is queued into `batch`, which has to be empty. If there is nothing, the next
    /// operation wakes the task of `cx`.
    pub fn take_or_park(&self, cx: &Context<'_>, batch: &mut Vec<O>) {
        let mut state = self.shared.lock();
        if self.shared.swap(&mut state, batch) {
            self.shared.is_parked.store(false, Ordering::Relaxed);
            return;
        }
        if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            state.waker = Some(cx.waker().clone());
        }
        self.shared.is_parked.store(true, Ordering::Relaxed);
    }
}

impl<O> Drop for Operations<O> {
    fn drop(&mut self) {
        let queue = {
            let mut state = self.shared.lock();
            state.is_closed = true;
            state.waker = None;
            std::mem::take(&mut state.queue)
        };
        // Outside of the lock, as operations may hold handles.
        drop(queue);
    }
}

#[cfg(all(test, not(dunlin_loom)))]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_sleeping_driver_is_woken_once_for_a_batch() {
        let count = std::sync::Arc::new(Count::default());
        let waker = Waker::from(std::sync::Arc::clone(&count));
        let cx = Context::from_waker(&waker);
        let (handle, operations) = Operations::new();
        let mut batch = Vec::new();
        operations.take_or_park(&cx, &mut batch);
        (0..3).for_each(|number| handle.submit(number).expect("open"));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        operations.take_or_park(&cx, &mut batch);
        assert_eq!(batch, [0, 1, 2]);
        handle.submit(3).expect("open");
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "the driver is awake");
        batch.clear();
        operations.take(&mut batch);
        assert_eq!(batch, [3]);
        batch.clear();
        operations.take_or_park(&cx, &mut batch);
        operations.take(&mut batch);
        handle.submit(5).expect("open");
        assert_eq!(count.0.load(Ordering::Relaxed), 1, "something else has woken the driver");
        drop(operations);
        assert_eq!(handle.submit(4), Err(Closed(4)));
    }
}
