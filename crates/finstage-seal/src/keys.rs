//! The ring in use, shared by everybody who seals or opens.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::file::Stamp;
use crate::{Error, Keyring, KeyringFile, UnixTime};

/// A clock that was set back by more than this does not stop us from looking.
const SET_BACK_S: i64 = 60;

/// The ring in use. Clones share it: who has one sees a replaced ring with the next message.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    generation: AtomicU64,
    ring: RwLock<Arc<Keyring>>,
    watched: Option<Watched>,
}

/// The file that the ring is from.
struct Watched {
    file: KeyringFile,
    looked: Second,
    sought: Second,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Of the content that was taken or refused last.
    stamp: Option<Stamp>,
    /// Why it was refused, until somebody asks.
    trouble: Option<Error>,
}

impl Keys {
    /// A ring that is in no file.
    #[must_use]
    pub fn new(ring: Keyring) -> Self {
        Self::of(ring, None)
    }

    /// The ring of a file, which is looked at again while messages pass.
    ///
    /// # Errors
    /// Those of [`KeyringFile::load`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let file = KeyringFile::new(path);
        let (ring, stamp) = file.load_stamped()?;
        let seen = Mutex::new(Seen { stamp: Some(stamp), trouble: None });
        Ok(Self::of(
            ring,
            Some(Watched { file, looked: Second::default(), sought: Second::default(), seen }),
        ))
    }

    fn of(ring: Keyring, watched: Option<Watched>) -> Self {
        Self(Arc::new(Shared {
            generation: AtomicU64::new(0),
            ring: RwLock::new(Arc::new(ring)),
            watched,
        }))
    }

    /// The ring as it is now.
    #[must_use]
    pub fn current(&self) -> Arc<Keyring> {
        Arc::clone(&self.0.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A number that grows when the ring is replaced. Ask it before [`Keys::current`], so that a
    /// change in between is seen the next time.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation.load(Ordering::Acquire)
    }

    /// Puts another ring in use.
    pub fn replace(&self, ring: Keyring) {
        *self.0.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        self.0.generation.fetch_add(1, Ordering::Release);
    }

    /// Reads the file again when it has changed, and says whether there is a new ring.
    ///
    /// # Errors
    /// Those of [`KeyringFile::load`], once for each content of the file; the ring in use stays.
    pub fn refresh(&self, now: UnixTime) -> Result<bool, Error> {
        let Some(watched) = &self.0.watched else { return Ok(false) };
        // Whoever seals or opens need not look in this second.
        let _ = watched.looked.begins(now);
        let is_new = self.look(watched);
        let mut seen = watched.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.trouble.take().map_or(Ok(is_new), Err)
    }

    /// The same, at most once a second, by those who seal and open. An error is kept for
    /// [`Keys::refresh`].
    pub(crate) fn glance(&self, now: UnixTime) {
        if let Some(watched) = &self.0.watched
            && watched.looked.begins(now)
        {
            self.look(watched);
        }
    }

    /// The same for a key that is not in the ring: once more a second.
    pub(crate) fn seek(&self, now: UnixTime) {
        if let Some(watched) = &self.0.watched
            && watched.sought.begins(now)
        {
            self.look(watched);
        }
    }

    fn look(&self, watched: &Watched) -> bool {
        let mut seen = watched.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = watched.file.stamp().ok();
        if stamp == seen.stamp {
            return false;
        }
        match watched.file.load_stamped() {
            Ok((ring, stamp)) => {
                *seen = Seen { stamp: Some(stamp), trouble: None };
                self.replace(ring);
                true
            }
            Err(error) => {
                *seen = Seen { stamp, trouble: Some(error) };
                false
            }
        }
    }
}

/// A second in which something was done.
struct Second(AtomicI64);

impl Default for Second {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Second {
    /// Whether another second has begun; it has for the first that asks.
    fn begins(&self, now: UnixTime) -> bool {
        let (now, order) = (now.secs(), Ordering::Relaxed);
        let last = self.0.load(order);
        let is_another = now > last || now < last.saturating_sub(SET_BACK_S);
        is_another && self.0.compare_exchange(last, now, order, order).is_ok()
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("generation", &self.generation()).finish_non_exhaustive()
    }
}
