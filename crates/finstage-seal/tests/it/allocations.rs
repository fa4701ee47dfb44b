//! A message allocates nothing once the buffers have their size.

#![expect(unsafe_code, reason = "a global allocator that counts can be written no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use finstage_seal::{Keys, Opener};

use crate::{NOW, ring, sealer};

struct Counting;

thread_local! {
    // Per thread, because the other tests of this binary allocate at the same time.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that all threads hold, and the most so far.
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system allocator unchanged; counting touches atomics and a
// thread-local without a destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same as ours.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: `pointer` came from `System` by `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most bytes that were held while `act` ran, above those held before. Other tests of this
/// process count too: run one process a test, as nextest does, or allow for them.
pub(crate) fn most_held(act: impl FnOnce()) -> usize {
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    act();
    MOST.load(Ordering::Relaxed).saturating_sub(before)
}

#[test]
fn sealing_and_opening_allocate_nothing_in_steady_state() {
    let keys = Keys::new(ring());
    let mut sealer = sealer(&keys, 7);
    let mut opener = Opener::new(keys);
    let mut envelope = Vec::new();
    let mut before = 0;
    for seq in 0..20_000_u64 {
        if seq == 100 {
            before = COUNT.get();
        }
        envelope.clear();
        let plain = [b'x'; 300];
        sealer.seal(&plain[..(seq * 7 % 300) as usize], NOW, &mut envelope).unwrap();
        opener.open(&envelope, NOW).unwrap();
        assert!(opener.open(&envelope, NOW).is_err());
    }
    assert_eq!(COUNT.get() - before, 0);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.get() - before, 1, "the counter counts");
}
