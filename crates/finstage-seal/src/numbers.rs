//! Sequence numbers in stock, so that no message waits for the disk.
//!
//! Reserving a block takes as long as two syncs. So the next block is reserved by a thread of its own
//! while half of the last one is left, and one for the key that comes after a rotation as soon as
//! that key is known.

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::counters::Counters;
use crate::key::KeyId;

/// Blocks in stock: of the key in use and of the next one; the others are of keys that went.
const MAX_STOCK: usize = 4;

type Shared = Arc<Mutex<Box<dyn Counters>>>;

/// Numbers that are reserved and not used.
pub(crate) struct Numbers {
    counters: Shared,
    sid: u32,
    block: u64,
    stock: Vec<(KeyId, Range<u64>)>,
    job: Option<Job>,
}

/// A reservation on its way.
struct Job {
    key: KeyId,
    thread: JoinHandle<io::Result<Range<u64>>>,
}

impl Numbers {
    pub(crate) fn new(counters: Box<dyn Counters>, block: u64) -> Self {
        let sid = counters.sid();
        let counters = Arc::new(Mutex::new(counters));
        Self { counters, sid, block: block.max(1), stock: Vec::new(), job: None }
    }

    /// Of this sender.
    pub(crate) const fn sid(&self) -> u32 {
        self.sid
    }

    /// Numbers at a time.
    pub(crate) const fn block(&self) -> u64 {
        self.block
    }

    /// The next block of a key. Waits for the disk unless it is in stock.
    pub(crate) fn take(&mut self, key: KeyId) -> io::Result<Range<u64>> {
        if let Some(place) = self.stock.iter().position(|(of, _)| *of == key) {
            return Ok(self.stock.remove(place).1);
        }
        match self.job.take_if(|job| job.key == key) {
            Some(job) => job.result(),
            None => reserve(&self.counters, key, self.block),
        }
    }

    /// Sees to it that a block of the key will be in stock, without waiting.
    pub(crate) fn prepare(&mut self, key: KeyId) {
        if let Some(job) = self.job.take_if(|job| job.thread.is_finished()) {
            let key = job.key;
            // Who needs numbers and finds none in stock asks again, and is told why there are none.
            if let Ok(range) = job.result() {
                if self.stock.len() >= MAX_STOCK {
                    self.stock.remove(0);
                }
                self.stock.push((key, range));
            }
        }
        if self.job.is_some() || self.stock.iter().any(|(of, _)| *of == key) {
            return;
        }
        let (counters, block) = (Arc::clone(&self.counters), self.block);
        let builder = thread::Builder::new().name("seal-numbers".to_owned());
        let spawned = builder.spawn(move || reserve(&counters, key, block));
        self.job = spawned.ok().map(|thread| Job { key, thread });
    }
}

impl Job {
    fn result(self) -> io::Result<Range<u64>> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("reserving numbers panicked")))
    }
}

fn reserve(counters: &Shared, key: KeyId, block: u64) -> io::Result<Range<u64>> {
    counters.lock().unwrap_or_else(PoisonError::into_inner).reserve(key, block)
}
