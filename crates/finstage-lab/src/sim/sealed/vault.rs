//! What the connections of a relay seal with, and the rotation of its keys.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_seal::{
    Counters, Error, Key, KeyringFile, Keys, NewKey, SealError, Sealer, SealerCounts,
    SealerOptions, UnixTime,
};
use tracing::{info, warn};

/// How long a key is pending at least: readers of the same file look at it every second.
const ANNOUNCED_FOR: Duration = Duration::from_secs(10);

/// One sealer for all connections: its numbers rise whoever sends.
pub(super) struct Vault {
    inner: Mutex<Inner>,
    warden: Option<Arc<Warden>>,
}

struct Inner {
    sealer: Sealer,
    /// The second in which rotation was thought of last.
    checked: Option<UnixTime>,
    sealed: u64,
}

impl Vault {
    pub(super) fn new(keys: Keys, counters: Box<dyn Counters>, file: Option<KeyringFile>) -> Self {
        let sealer = Sealer::new(keys.clone(), counters, SealerOptions::default());
        let inner = Mutex::new(Inner { sealer, checked: None, sealed: 0 });
        let warden = file.map(|file| {
            let (rotations, is_busy) = (AtomicU64::new(0), AtomicBool::new(false));
            Arc::new(Warden { keys, file, rotations, is_busy })
        });
        Self { inner, warden }
    }

    pub(super) fn rotations(&self) -> u64 {
        self.warden.as_ref().map_or(0, |warden| warden.rotations.load(Ordering::Relaxed))
    }

    /// Appends the envelope of a message, and says the how many-th it is.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(super) fn seal(
        &self,
        plain: &[u8],
        now: Timestamp,
        out: &mut Vec<u8>,
    ) -> Result<u64, SealError> {
        let now = UnixTime::from_secs(now.secs());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.checked != Some(now) {
            inner.checked = Some(now);
            if let Some(warden) = &self.warden {
                warden.see_to_it(now, inner.sealer.counts());
            }
        }
        inner.sealer.seal(plain, out)?;
        inner.sealed += 1;
        Ok(inner.sealed)
    }
}

/// Who rotates the keys, beside the messages.
struct Warden {
    keys: Keys,
    file: KeyringFile,
    rotations: AtomicU64,
    /// One change of the file at a time.
    is_busy: AtomicBool,
}

impl Warden {
    /// Announces the next key, and makes it primary when the present one has had its time; on a thread of
    /// its own, since that waits for the disk.
    fn see_to_it(self: &Arc<Self>, now: UnixTime, used: SealerCounts) {
        if !self.has_work(now, used) || self.is_busy.swap(true, Ordering::Acquire) {
            return;
        }
        let warden = Arc::clone(self);
        tokio::task::spawn_blocking(move || {
            // What cannot be rotated now seals on, up to the hard limit of its key.
            if let Err(error) = warden.work(now, used) {
                warn!(%error, "the keyring was not rotated");
            }
            warden.is_busy.store(false, Ordering::Release);
        });
    }

    fn has_work(&self, now: UnixTime, used: SealerCounts) -> bool {
        let ring = self.keys.current();
        let announced =
            ring.pending().map(|key| key.created().is_none_or(|at| now.since(at) >= ANNOUNCED_FOR));
        announced.is_none_or(|is_known| is_known && ring.is_due(now, used.key_used))
    }

    fn work(&self, now: UnixTime, used: SealerCounts) -> Result<(), Error> {
        let fresh = NewKey::generate()?;
        // By another process it may have been done meanwhile: the file decides.
        let rotated = self.file.update(|ring| {
            if let Some(primary) = ring.primary().map(Key::id)
                && used.key == Some(primary)
            {
                ring.note_sealed(primary, used.key_used)?;
            }
            match ring.pending() {
                None => ring.add(fresh, now).map(|()| None),
                Some(_) if ring.is_due(now, 0) => ring.rotate(now, fresh).map(Some),
                Some(_) => Ok(None),
            }
        })?;
        self.keys.look();
        if let Some(rotated) = rotated {
            self.rotations.fetch_add(1, Ordering::Relaxed);
            info!(primary = %rotated.primary, "sealing goes on with the next key");
        }
        self.keys.trouble().map_or(Ok(()), Err)
    }
}
