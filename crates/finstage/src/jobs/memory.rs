//! Which task is called off when the process grows while tasks run.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use finstage_server::memory_bytes;

use crate::monitor::memory_allowed;

/// A task is called off when the process grew by so much while it ran; by half of what the process may have, where that
/// is less.
pub const MEMORY_MAX: u64 = 1 << 30;

/// Holds the growth of the process against a bound. Memory is the process's, and of tasks that run together each may be
/// the one: one is called off, and for the others one counts from there on.
pub struct MemoryGuard {
    resident: Box<dyn Fn() -> Option<u64> + Send + Sync>,
    most: u64,
    called_off: AtomicU64,
}

impl fmt::Debug for MemoryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryGuard").field("most", &self.most).finish_non_exhaustive()
    }
}

/// A task that runs under a guard.
#[derive(Debug)]
pub(super) struct Guarded {
    before: u64,
    called_off: u64,
}

impl MemoryGuard {
    /// A guard of this process.
    #[must_use]
    pub fn of_process() -> Self {
        let half = memory_allowed().map_or(MEMORY_MAX, |allowed| allowed / 2);
        Self::new(MEMORY_MAX.min(half), memory_bytes)
    }

    /// One that allows growth by `most` bytes of what `resident` tells.
    pub fn new(most: u64, resident: impl Fn() -> Option<u64> + Send + Sync + 'static) -> Self {
        Self { resident: Box::new(resident), most, called_off: AtomicU64::new(0) }
    }

    pub(super) fn begin(&self) -> Guarded {
        let before = (self.resident)().unwrap_or(u64::MAX);
        Guarded { before, called_off: self.called_off.load(Ordering::Relaxed) }
    }

    /// Why the task is to be called off now, if it is.
    pub(super) fn look(&self, task: &mut Guarded) -> Option<String> {
        let resident = (self.resident)()?;
        let called_off = self.called_off.load(Ordering::Relaxed);
        if called_off != task.called_off {
            *task = Guarded { before: resident, called_off };
        }
        task.before = task.before.min(resident);
        let grown = resident - task.before;
        let (is, next) = (Ordering::Relaxed, called_off + 1);
        if grown <= self.most || self.called_off.compare_exchange(called_off, next, is, is).is_err()
        {
            return None;
        }
        let (grown, most) = (grown >> 20, self.most >> 20);
        Some(format!(
            "the process grew by {grown} MiB while it ran: at most {most} are allowed; give it fewer symbols or shorter histories at once"
        ))
    }
}
