//! Sequence numbers in stock, so that no message waits for the disk.
//!
//! Reserving a block takes as long as two syncs. So the next block is reserved by a thread of its own
//! while half of the last one is left, and one for the key that comes after a rotation as soon as
//! that key is known. Whoever puts another ring in use reserves for its keys first
//! ([`Keys::replace`](crate::Keys::replace)).

use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::counters::Counters;
use crate::key::KeyId;

/// Blocks in stock: of the key in use and of the next one; the others are of keys that went.
const MAX_STOCK: usize = 4;

/// The numbers of a sealer. Its thread ends with it.
pub(crate) struct Numbers {
    stock: Arc<Stock>,
    sid: u32,
}

/// Numbers that are reserved and not used: what a sealer shares with those who reserve for it.
pub(crate) struct Stock {
    /// Held as long as the disk takes.
    counters: Mutex<Box<dyn Counters>>,
    /// Held for a look, never while the disk is waited for.
    shelf: Mutex<Shelf>,
    asked: Condvar,
    block: u64,
}

#[derive(Default)]
struct Shelf {
    blocks: Vec<(KeyId, Range<u64>)>,
    /// The key of the block that the thread is to reserve, until it is done: one at a time.
    wanted: Option<KeyId>,
    is_closed: bool,
}

impl Numbers {
    pub(crate) fn new(counters: Box<dyn Counters>, block: u64) -> Self {
        let sid = counters.sid();
        let stock = Arc::new(Stock {
            counters: Mutex::new(counters),
            shelf: Mutex::default(),
            asked: Condvar::new(),
            block: block.max(1),
        });
        let served = Arc::clone(&stock);
        // A system without a thread to spare has messages wait for the disk now and then.
        let _ =
            thread::Builder::new().name("seal-numbers".to_owned()).spawn(move || served.serve());
        Self { stock, sid }
    }

    /// Of this sender.
    pub(crate) const fn sid(&self) -> u32 {
        self.sid
    }

    /// Numbers at a time.
    pub(crate) fn block(&self) -> u64 {
        self.stock.block
    }

    pub(crate) const fn stock(&self) -> &Arc<Stock> {
        &self.stock
    }

    /// The next block of a key. Waits for the disk unless it is in stock.
    pub(crate) fn take(&self, key: KeyId) -> io::Result<Range<u64>> {
        if let Some(block) = self.stock.shelf().take(key) {
            return Ok(block);
        }
        let mut counters = lock(&self.stock.counters);
        // Who had the counters may have reserved what we need.
        let block = self.stock.shelf().take(key);
        block.map_or_else(|| counters.reserve(key, self.stock.block), Ok)
    }

    /// Sees to it that a block of the key will be in stock, without waiting.
    pub(crate) fn ask(&self, key: KeyId) {
        let mut shelf = self.stock.shelf();
        if shelf.wanted.is_none() && !shelf.has(key) {
            shelf.wanted = Some(key);
            drop(shelf);
            self.stock.asked.notify_one();
        }
    }
}

impl Drop for Numbers {
    fn drop(&mut self) {
        self.stock.shelf().is_closed = true;
        self.stock.asked.notify_one();
    }
}

impl Stock {
    /// Puts a block of the key in stock where there is none, and waits for the disk. Where none can be
    /// reserved there is none: the message that needs it tries again, and is told why.
    pub(crate) fn prepare(&self, key: KeyId) {
        let mut counters = lock(&self.counters);
        if self.shelf().has(key) {
            return;
        }
        if let Ok(block) = counters.reserve(key, self.block) {
            self.shelf().put(key, block);
        }
    }

    /// Reserves what is asked for, until the sealer is gone.
    fn serve(&self) {
        let mut shelf = self.shelf();
        while !shelf.is_closed {
            let Some(key) = shelf.wanted else {
                shelf = self.asked.wait(shelf).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(shelf);
            self.prepare(key);
            shelf = self.shelf();
            shelf.wanted = None;
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        lock(&self.shelf)
    }
}

impl Shelf {
    fn has(&self, key: KeyId) -> bool {
        self.blocks.iter().any(|(of, _)| *of == key)
    }

    fn take(&mut self, key: KeyId) -> Option<Range<u64>> {
        let place = self.blocks.iter().position(|(of, _)| *of == key)?;
        Some(self.blocks.remove(place).1)
    }

    fn put(&mut self, key: KeyId, block: Range<u64>) {
        if self.blocks.len() >= MAX_STOCK {
            self.blocks.remove(0);
        }
        self.blocks.push((key, block));
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryCounters;

    #[test]
    fn the_thread_that_reserves_ends_with_its_sealer() {
        let numbers = Numbers::new(Box::new(MemoryCounters::new(1)), 10);
        let key = "k1".parse().unwrap();
        numbers.ask(key);
        while !numbers.stock.shelf().has(key) {
            thread::yield_now();
        }
        assert_eq!(numbers.take(key).unwrap(), 0..10);
        let stock = Arc::downgrade(&numbers.stock);
        drop(numbers);
        while stock.strong_count() > 0 {
            thread::yield_now();
        }
    }

    #[test]
    fn the_stock_is_bounded_and_gives_up_what_was_reserved_first() {
        let numbers = Numbers::new(Box::new(MemoryCounters::new(1)), 10);
        let key = |n: usize| format!("k{n}").parse().unwrap();
        for n in 0..=MAX_STOCK {
            numbers.stock.prepare(key(n));
            numbers.stock.prepare(key(n));
        }
        assert_eq!(numbers.take(key(MAX_STOCK)).unwrap(), 0..10, "asked for twice, reserved once");
        assert_eq!(numbers.take(key(0)).unwrap(), 10..20, "those before are lost, and never used");
    }
}
