//! A message allocates nothing once the buffers have their size, and memory that is given back holds
//! neither messages nor keys.

#![expect(unsafe_code, reason = "a global allocator that counts can be written no other way")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use finstage_seal::{Keyring, KeyringFile, Keys, NewKey, Opener, Secret, decode_key, pipeline};

use crate::{NOW, id, ring, sealed, sealer};

struct Counting;

thread_local! {
    // Per thread, because the other tests of this binary allocate at the same time.
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that all threads hold, and the most so far.
static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// Whether memory is searched when it is given back, what for, and how often that was found. No other
/// test uses these bytes.
static IS_SEARCHED: AtomicBool = AtomicBool::new(false);
const TRACE: [u8; 16] = *b"\xf1trace-of-secret";
/// The beginning of the key's text.
const TEXT_TRACE: [u8; 16] = *b"8XRyYWNlLW9mLXNl";
static TRACES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system allocator unchanged; counting touches atomics and a
// thread-local without a destructor and allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        MOST.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promise is the same as ours.
        // Zeroed, so that all of it may be read when it is given back.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        if IS_SEARCHED.load(Ordering::Relaxed) {
            // SAFETY: the block is allocated until the call below, and was zeroed to begin with.
            let block = unsafe { std::slice::from_raw_parts(pointer, layout.size()) };
            let is_trace = |part: &&[u8]| *part == TRACE || *part == TEXT_TRACE;
            let found = block.windows(TRACE.len()).filter(is_trace).count();
            TRACES.fetch_add(found, Ordering::Relaxed);
        }
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
        sealer.seal(&plain[..(seq * 7 % 300) as usize], &mut envelope).unwrap();
        opener.open(&envelope, NOW).unwrap();
        assert!(opener.open(&envelope, NOW).is_err());
    }
    assert_eq!(COUNT.get() - before, 0);
    drop(std::hint::black_box(Box::new(1)));
    assert_eq!(COUNT.get() - before, 1, "the counter counts");
}

/// A message of this length with the trace at both ends.
fn secret_message(length: usize) -> Secret<Vec<u8>> {
    let mut message = vec![b'.'; length.max(2 * TRACE.len())];
    message[..TRACE.len()].copy_from_slice(&TRACE);
    let end = message.len() - TRACE.len();
    message[end..].copy_from_slice(&TRACE);
    Secret::new(message)
}

/// A key that is the trace twice.
fn secret_key() -> NewKey {
    let text = "8XRyYWNlLW9mLXNlY3JldPF0cmFjZS1vZi1zZWNyZXQ=";
    NewKey::of(id("k1"), decode_key(text).unwrap())
}

#[test]
fn memory_that_is_given_back_holds_neither_messages_nor_keys() {
    IS_SEARCHED.store(true, Ordering::Relaxed);
    let traces = || TRACES.load(Ordering::Relaxed);
    let before = traces();
    {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyringFile::new(&dir.path().join("keys.toml"));
        file.create(&Keyring::new(secret_key(), NOW)).unwrap();
        file.update(|ring| {
            ring.add(NewKey::generate()?, NOW)?;
            ring.rotate(NOW, NewKey::generate()?)?;
            ring.destroy(id("k1"))
        })
        .unwrap();
        let keys = Keys::new(Keyring::new(secret_key(), NOW));
        let mut sealer = sealer(&keys, 1);
        let mut lines = Vec::new();
        // Longer and longer, so that buffers move.
        for length in (0..5000).step_by(97) {
            lines.extend_from_slice(&sealed(&mut sealer, secret_message(length).expose()));
            lines.push(b'\n');
        }
        let mut opener = Opener::new(keys.clone());
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            assert!(opener.open(line, NOW).unwrap().plain.starts_with(&TRACE));
        }
        let options = pipeline::Options { threads: 2, batch: 5, clock: &|| NOW };
        let mut opened = 0;
        pipeline::open_lines(&mut Opener::new(keys), &mut &*lines, &options, &mut |item| {
            assert!(item.result.unwrap().plain.ends_with(&TRACE));
            opened += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(opened, 52);
    }
    assert_eq!(traces() - before, 0);
    drop(std::hint::black_box([TRACE, TEXT_TRACE].concat()));
    assert_eq!(traces() - before, 2, "it finds what is there");
    IS_SEARCHED.store(false, Ordering::Relaxed);
}
