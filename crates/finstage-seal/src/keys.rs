//! The ring in use, shared by everybody who seals or opens.
//!
//! A message never waits because the ring changes: those who seal and open look at a number and take
//! the ring that is there. Whoever puts another one there has done everything else before: the file is
//! read, the ciphers are set up, and numbers for the new key are on disk. For a file that is a thread
//! ([`Keys::watch`]).

use std::convert::Infallible;
use std::fmt;
use std::mem;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use crate::file::Stamp;
use crate::key::Key;
use crate::numbers::Stock;
use crate::{Error, Keyring, KeyringFile, UnixTime};

/// How often a thread looks at a keyring file, unless told otherwise.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A clock that was set back by more than this does not stop us from looking.
const SET_BACK_S: i64 = 60;

/// The ring in use. Clones share it: who has one sees a replaced ring with the next message.
#[derive(Clone)]
pub struct Keys(Arc<Shared>);

struct Shared {
    generation: AtomicU64,
    /// Held for an exchange of pointers.
    ring: RwLock<Arc<Keyring>>,
    /// Of those who seal with the ring.
    stocks: Mutex<Vec<Weak<Stock>>>,
    source: Option<Source>,
}

/// The file that the ring is from.
struct Source {
    file: KeyringFile,
    /// Of the content that was taken or refused last. Held while somebody looks.
    seen: Mutex<Option<Stamp>>,
    sought: Second,
    trouble: Trouble,
    /// Nothing is ever sent: the thread that looks ends when this is dropped.
    _watch: Option<mpsc::Sender<Infallible>>,
}

impl Keys {
    /// A ring that is in no file.
    #[must_use]
    pub fn new(ring: Keyring) -> Self {
        Self::of(ring, None)
    }

    /// The ring of a file. Nobody looks whether it has changed but [`Keys::look`].
    ///
    /// # Errors
    /// Those of [`KeyringFile::load`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::of_file(path, None)
    }

    /// The ring of a file, at which a thread looks every so often, as [`Keys::look`] does and
    /// usually every [`LOOK_EVERY`]. It ends when the last clone is dropped. What it cannot use is
    /// told by [`Keys::trouble`].
    ///
    /// # Errors
    /// Those of [`KeyringFile::load`]; `Io` when there is no thread to be had.
    pub fn watch(path: &Path, every: Duration) -> Result<Self, Error> {
        let (watch, is_over) = mpsc::channel();
        let keys = Self::of_file(path, Some(watch))?;
        let shared = Arc::downgrade(&keys.0);
        thread::Builder::new()
            .name("keyring".to_owned())
            .spawn(move || attend(&shared, every, &is_over))
            .map_err(|error| Error::io("starting to watch", path, error))?;
        Ok(keys)
    }

    fn of_file(path: &Path, watch: Option<mpsc::Sender<Infallible>>) -> Result<Self, Error> {
        let file = KeyringFile::new(path);
        let (ring, stamp) = file.load_stamped()?;
        let source = Source {
            file,
            seen: Mutex::new(Some(stamp)),
            sought: Second::default(),
            trouble: Trouble::default(),
            _watch: watch,
        };
        Ok(Self::of(ring, Some(source)))
    }

    fn of(ring: Keyring, source: Option<Source>) -> Self {
        Self(Arc::new(Shared {
            generation: AtomicU64::new(0),
            ring: RwLock::new(Arc::new(ring)),
            stocks: Mutex::default(),
            source,
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

    /// Puts another ring in use. Those who seal get numbers for its primary key before, and for its
    /// pending one afterwards, so this waits for the disk and their messages do not. Where no numbers
    /// can be had the ring is in use all the same: sealing says why.
    pub fn replace(&self, ring: Keyring) {
        let stocks = self.stocks();
        let before = self.current().primary().map(Key::id);
        let (primary, pending) = (ring.primary().map(Key::id), ring.pending().map(Key::id));
        let prepare = |key| stocks.iter().for_each(|stock| stock.prepare(key));
        if primary != before {
            primary.into_iter().for_each(prepare);
        }
        let ring = Arc::new(ring);
        let old = {
            let mut current = self.0.ring.write().unwrap_or_else(PoisonError::into_inner);
            mem::replace(&mut *current, ring)
        };
        self.0.generation.fetch_add(1, Ordering::Release);
        // Its keys are wiped when nobody holds the lock.
        drop(old);
        pending.into_iter().for_each(prepare);
    }

    /// Why the file as it is now cannot be used, as [`KeyringFile::load`] says it: once for each
    /// content of the file, and nothing once it is good again. Costs next to nothing to ask.
    #[must_use]
    pub fn trouble(&self) -> Option<Error> {
        self.0.source.as_ref()?.trouble.take()
    }

    /// The same for a reader that meets a key that is not in the ring, at most once a second: its
    /// message cannot be opened without. Usually a key is in the ring before it is used.
    pub(crate) fn seek(&self, now: UnixTime) {
        if self.0.source.as_ref().is_some_and(|source| source.sought.begins(now)) {
            self.look();
        }
    }

    /// From now on rings are replaced only when there are numbers for this sealer.
    pub(crate) fn reserve_for(&self, stock: &Arc<Stock>) {
        let mut stocks = lock(&self.0.stocks);
        stocks.retain(|stock| stock.strong_count() > 0);
        stocks.push(Arc::downgrade(stock));
    }

    fn stocks(&self) -> Vec<Arc<Stock>> {
        lock(&self.0.stocks).iter().filter_map(Weak::upgrade).collect()
    }

    /// Reads the file again when it has changed, and says whether there is a new ring, which is in use
    /// then. The ring in use stays where the file is of no use; [`Keys::trouble`] says why. Not for the
    /// path of messages: it waits for the disk.
    pub fn look(&self) -> bool {
        let Some(source) = &self.0.source else { return false };
        let mut seen = lock(&source.seen);
        let stamp = source.file.stamp().ok();
        if stamp == *seen {
            return false;
        }
        match source.file.load_stamped() {
            Ok((ring, stamp)) => {
                *seen = Some(stamp);
                source.trouble.set(None);
                self.replace(ring);
                true
            }
            Err(error) => {
                *seen = stamp;
                source.trouble.set(Some(error));
                false
            }
        }
    }
}

/// Looks at the file every so often, for as long as somebody holds the keys.
fn attend(shared: &Weak<Shared>, every: Duration, is_over: &Receiver<Infallible>) {
    while is_over.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
        let Some(shared) = shared.upgrade() else { return };
        Keys(shared).look();
    }
}

/// Why a file was refused, until somebody asks.
#[derive(Default)]
struct Trouble {
    is_there: AtomicBool,
    why: Mutex<Option<Error>>,
}

impl Trouble {
    fn set(&self, error: Option<Error>) {
        let mut why = lock(&self.why);
        self.is_there.store(error.is_some(), Ordering::Release);
        *why = error;
    }

    fn take(&self) -> Option<Error> {
        if !self.is_there.load(Ordering::Acquire) {
            return None;
        }
        let mut why = lock(&self.why);
        self.is_there.store(false, Ordering::Release);
        why.take()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewKey;

    #[test]
    fn the_thread_that_looks_ends_with_the_last_who_holds_the_keys_and_not_at_its_next_look() {
        let dir = tempfile::tempdir().unwrap();
        let file = KeyringFile::new(&dir.path().join("keys.toml"));
        let ring = Keyring::new(NewKey::generate().unwrap(), UnixTime::from_secs(1_795_253_400));
        file.create(&ring).unwrap();
        let (watch, is_over) = mpsc::channel();
        let keys = Keys::of_file(file.path(), Some(watch)).unwrap();
        let shared = Arc::downgrade(&keys.0);
        let an_hour = Duration::from_hours(1);
        let thread = thread::spawn(move || attend(&shared, an_hour, &is_over));
        let other = keys.clone();
        drop(keys);
        assert!(!other.look(), "one is left");
        drop(other);
        thread.join().unwrap();
    }
}
