//! Running one function over many items on a few threads.

use std::sync::Mutex;

/// Threads have this much stack: parsing recurses with the nesting of messages, which is bounded,
/// but not small.
const STACK: usize = 8 << 20;
/// Fewer items than this are not worth a second thread.
const MIN_ITEMS: usize = 8;

/// How many threads to use by default.
pub(crate) fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Calls `each` for every item, on up to `threads` threads; items are taken in order.
pub(crate) fn for_each<T: Send>(
    threads: usize,
    items: impl Iterator<Item = T> + Send,
    each: impl Fn(T) + Sync,
) {
    let (least, _) = items.size_hint();
    if threads <= 1 || least < MIN_ITEMS {
        items.for_each(each);
        return;
    }
    let items = Mutex::new(items);
    let work = || {
        loop {
            let next = items.lock().map_or(None, |mut items| items.next());
            let Some(item) = next else { return };
            each(item);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            // Without a second thread the first does all the work.
            let _ = std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work);
        }
        work();
    });
}
