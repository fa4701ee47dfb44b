//! Who is told at once that a running task was called off by somebody in this process.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::records::Records;

type Ring = Arc<dyn Fn() + Send + Sync>;

/// A bell that is rung after the fact is on disk. What other processes call off rings none.
#[derive(Default)]
pub(in crate::records) struct Bell(Mutex<Option<Ring>>);

impl Bell {
    pub(super) fn ring(&self) {
        // Rung outside of the lock: whoever hears it may hang another.
        let ring = self.hung().clone();
        if let Some(ring) = ring {
            ring();
        }
    }

    fn hung(&self) -> MutexGuard<'_, Option<Ring>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bell").field(&self.hung().is_some()).finish()
    }
}

impl Records {
    /// Calls `ring` whenever a running task was called off through these records; it replaces who was called
    /// before. [`Records::tasks_called_off`] says which.
    pub fn on_call_off(&self, ring: impl Fn() + Send + Sync + 'static) {
        *self.0.bell.hung() = Some(Arc::new(ring));
    }
}
