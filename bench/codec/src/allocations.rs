//! Counts allocations. Times are measured with the counter switched off.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use crate::case::Case;
use crate::measure::{columns, rows};
use crate::{PEERS, UPB};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static SWITCHED_ON: AtomicBool = AtomicBool::new(false);
static CALLS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

/// Prints per operation how often each peer asks for memory, and for how many bytes.
pub fn print(cases: Vec<Case>) {
    println!("calls of alloc and realloc, bytes asked for");
    println!("{:26}{}", "", columns(&PEERS, 20));
    for mut row in rows(cases) {
        print!("{:26}", row.name);
        for peer in PEERS {
            let cell = match row.cases.iter_mut().find(|case| case.peer == peer) {
                Some(_) if peer == UPB => "in C".to_owned(),
                Some(case) => {
                    let (calls, bytes) = count(case);
                    format!("{calls}, {bytes}")
                }
                None => "-".to_owned(),
            };
            print!("{cell:>20}");
        }
        println!();
    }
}

/// How often one operation asks for memory, and for how many bytes.
pub fn count(case: &mut Case) -> (u64, u64) {
    // The first time fills what is reused: buffers and lazily made statics.
    (case.run)(1);
    CALLS.store(0, Relaxed);
    BYTES.store(0, Relaxed);
    SWITCHED_ON.store(true, Relaxed);
    (case.run)(1);
    SWITCHED_ON.store(false, Relaxed);
    (CALLS.load(Relaxed), BYTES.load(Relaxed))
}

fn record(bytes: usize) {
    if SWITCHED_ON.load(Relaxed) {
        CALLS.fetch_add(1, Relaxed);
        BYTES.fetch_add(bytes as u64, Relaxed);
    }
}

struct Counting;

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        record(layout.size());
        // SAFETY: the caller's promise is the one that is asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        record(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        record(new_size);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, new_size) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}
