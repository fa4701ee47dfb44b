use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::line::Line;

/// Connections to one host that wait to be used again, and places for all.
#[derive(Debug)]
pub(super) struct Host {
    places: Arc<Semaphore>,
    /// The one used last is at the end, and is taken first: those that are not needed grow old. Never more
    /// than there are places.
    idle: Mutex<Vec<Line>>,
    keeps_for: Duration,
}

impl Host {
    /// One with `most` connections at once, which wait for `keeps_for`.
    pub(super) fn new(most: usize, keeps_for: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), idle: Mutex::default(), keeps_for }
    }

    /// Waits for a place.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.expect("nobody closes the places")
    }

    /// A connection that is open, as far as is known.
    pub(super) fn take(&self) -> Option<Line> {
        let mut idle = self.fresh();
        std::iter::from_fn(|| idle.pop()).find(Line::is_open)
    }

    /// Takes a connection back whose answer was read.
    pub(super) fn put(&self, line: Line) {
        if line.is_open() && !self.keeps_for.is_zero() {
            self.fresh().push(line);
        }
    }

    /// Those that do not wait for too long.
    fn fresh(&self) -> MutexGuard<'_, Vec<Line>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = idle.first()
            && first.idle_for() >= self.keeps_for
        {
            let old = idle.partition_point(|line| line.idle_for() >= self.keeps_for);
            idle.drain(..old);
        }
        idle
    }
}
