//! Waiting for what passes: a disk that is full, records that another program holds.
//!
//! Only a service waits. Its engine's thread stands still meanwhile, the queue before it fills, sockets are read no
//! more, and what was missed is fetched afterwards; readiness says why. Everything else ends with the error.

use std::time::Duration;

use finstage_store::{Error, ErrorKind};
use tokio::sync::watch;

/// How long one waits between two tries.
const PAUSE: Duration = Duration::from_millis(250);
/// So often it is said again, in tries: about a minute.
const SAID_EVERY: u32 = 240;

/// Whether one waits, and until when at most.
#[derive(Debug, Clone, Default)]
pub struct Patience(Option<watch::Receiver<bool>>);

impl Patience {
    /// Waits until `stop` turns true.
    #[must_use]
    pub const fn until(stop: watch::Receiver<bool>) -> Self {
        Self(Some(stop))
    }

    /// Tries until it is done, or fails with something that does not pass, or the service stops. `doing` is a
    /// verb with its object.
    ///
    /// # Errors
    /// Those of `attempt`: it leaves what it was given as it was.
    pub fn outlast<T>(
        &self,
        doing: &str,
        mut attempt: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut tries = 0_u32;
        loop {
            let error = match attempt() {
                Ok(done) => {
                    if tries > 0 {
                        tracing::warn!("{doing} goes on after {tries} tries");
                    }
                    return Ok(done);
                }
                Err(error) => error,
            };
            if !matches!(error.kind(), ErrorKind::Full | ErrorKind::Held) || !self.pause() {
                return Err(error);
            }
            if tries.is_multiple_of(SAID_EVERY) {
                tracing::error!("{doing} waits until that passes: {error}");
            }
            tries = tries.saturating_add(1);
        }
    }

    /// Waits a little; whether to go on.
    fn pause(&self) -> bool {
        let goes_on = || self.0.as_ref().is_some_and(|stop| !*stop.borrow());
        if goes_on() {
            std::thread::park_timeout(PAUSE);
        }
        goes_on()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use finstage_store::Records;

    use super::*;

    fn refused() -> Error {
        let large = finstage_store::records::NewTask::new("", "{}");
        let records = Records::open_in_memory().unwrap();
        records.task_submit(large, finstage_model::Timestamp::EPOCH).unwrap_err()
    }

    /// An error that passes: another connection holds the records.
    fn held(folder: &std::path::Path) -> Error {
        let lock = finstage_store::FolderLock::acquire(folder).unwrap();
        let error = finstage_store::FolderLock::acquire(folder).unwrap_err();
        drop(lock);
        error
    }

    #[test]
    fn what_passes_is_outlasted_until_the_service_stops() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(held(folder.path()).kind(), ErrorKind::Held);
        let (stop, stopped) = watch::channel(false);
        let (patience, tries) = (Patience::until(stopped), Cell::new(0));
        let attempt = || {
            tries.set(tries.get() + 1);
            if tries.get() < 3 { Err(held(folder.path())) } else { Ok(tries.get()) }
        };
        // Nobody waits here: the thread that is woken does not.
        std::thread::current().unpark();
        assert_eq!(patience.outlast("trying", attempt).unwrap(), 3);
        assert_eq!(
            patience.outlast("trying", || Err::<(), _>(refused())).unwrap_err().kind(),
            ErrorKind::Refused
        );
        stop.send(true).unwrap();
        tries.set(0);
        assert!(patience.outlast("trying", attempt).is_err(), "it stops");
        tries.set(0);
        assert!(Patience::default().outlast("trying", attempt).is_err(), "it does not wait");
    }
}
