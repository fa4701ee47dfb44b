//! What the connections of a relay seal with, and the rotation of its keys.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_seal::{
    Counters, KeyringFile, Keys, NewKey, SealError, Sealer, SealerOptions, UnixTime,
};
use tracing::{info, warn};

/// How long a key is pending at least: readers of the same file look at it every second.
const ANNOUNCED_FOR: Duration = Duration::from_secs(10);

/// One sealer for all connections: its numbers rise whoever sends.
pub(super) struct Vault {
    inner: Mutex<Inner>,
}

struct Inner {
    sealer: Sealer,
    keys: Keys,
    file: Option<KeyringFile>,
    /// The second in which rotation was thought of last.
    checked: Option<UnixTime>,
    sealed: u64,
    rotations: u64,
}

impl Vault {
    pub(super) fn new(keys: Keys, counters: Box<dyn Counters>, file: Option<KeyringFile>) -> Self {
        let sealer = Sealer::new(keys.clone(), counters, SealerOptions::default());
        let inner = Inner { sealer, keys, file, checked: None, sealed: 0, rotations: 0 };
        Self { inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn rotations(&self) -> u64 {
        self.inner().rotations
    }

    /// Appends the envelope of a message, and says the how many-th it is.
    pub(super) fn seal(
        &self,
        plain: &[u8],
        now: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<u64, SealError> {
        let now = UnixTime::from_secs(now.secs());
        let mut inner = self.inner();
        if inner.checked != Some(now) {
            inner.checked = Some(now);
            // What cannot be rotated now seals on, up to the hard limit of its key.
            if let Err(error) = inner.rotate_when_due(now) {
                warn!(%error, "the keyring was not rotated");
            }
        }
        inner.sealer.seal(plain, out)?;
        inner.sealed += 1;
        Ok(inner.sealed)
    }
}

impl Inner {
    /// Announces the next key, and makes it primary when the present one has had its time.
    fn rotate_when_due(&mut self, now: UnixTime) -> Result<(), finstage_seal::Error> {
        let Some(file) = &self.file else { return Ok(()) };
        let used = self.sealer.counts().key_used;
        let ring = self.keys.current();
        let announced =
            ring.pending().map(|key| key.created().is_none_or(|at| now.since(at) >= ANNOUNCED_FOR));
        let is_due = ring.is_due(now, used);
        if announced.is_some() && !(is_due && announced == Some(true)) {
            return Ok(());
        }
        let fresh = NewKey::generate()?;
        // By another process it may have been done meanwhile: the file decides.
        let rotated = file.update(|ring| {
            if let Some(primary) = ring.primary().map(finstage_seal::Key::id)
                && self.sealer.counts().key == Some(primary)
            {
                ring.note_sealed(primary, used)?;
            }
            match ring.pending() {
                None => ring.add(fresh, now).map(|()| None),
                Some(_) if ring.is_due(now, 0) => ring.rotate(now, fresh).map(Some),
                Some(_) => Ok(None),
            }
        })?;
        self.keys.look();
        if let Some(rotated) = rotated {
            self.rotations += 1;
            info!(primary = %rotated.primary, "sealing goes on with the next key");
        }
        Ok(())
    }
}
