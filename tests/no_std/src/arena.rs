//! The allocator: hands out the memory of one array from its start and takes nothing back.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

const SIZE: usize = 1 << 20;

struct Arena {
    memory: UnsafeCell<[u8; SIZE]>,
    used: AtomicUsize,
}

#[global_allocator]
static ARENA: Arena = Arena { memory: UnsafeCell::new([0; SIZE]), used: AtomicUsize::new(0) };

// SAFETY: the memory is only reached through blocks, and `used` hands out each once.
unsafe impl Sync for Arena {}

// SAFETY: blocks are inside the array, aligned, and apart from each other.
unsafe impl GlobalAlloc for Arena {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let start = self.memory.get().cast::<u8>();
        let take = |used: usize| {
            let at = (start.addr() + used).next_multiple_of(layout.align()) - start.addr();
            Some((at, at.checked_add(layout.size()).filter(|&end| end <= SIZE)?))
        };
        let order = Ordering::Relaxed;
        match self.used.fetch_update(order, order, |used| take(used).map(|(_, end)| end)) {
            Ok(used) => take(used).map_or(ptr::null_mut(), |(at, _)| start.wrapping_add(at)),
            Err(_) => ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
