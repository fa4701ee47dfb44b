//! Answers that are kept for a while: by name, bounded in entries and bytes, computed once however
//! many ask.
//!
//! The order is exactly that of use: what was used longest ago goes first. No lock is held while a
//! value is computed, and a value costs one lock to read.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_model::{Clock, Timestamp};
use lru::LruCache;
use tokio::sync::watch;

use crate::Error;

/// How a [`Cache`] keeps what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheOptions {
    /// How long a value is valid.
    pub ttl: Duration,
    /// How long it is known that there is none.
    pub absent_ttl: Duration,
    /// The most entries.
    pub entries: usize,
    /// The most bytes, as the cache's own measure counts them.
    pub bytes: usize,
}

impl Default for CacheOptions {
    /// 300 s, and 30 s for what is absent; 10,000 entries, 64 MiB.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(300),
            absent_ttl: Duration::from_secs(30),
            entries: 10_000,
            bytes: 64 << 20,
        }
    }
}

/// What a market does at the moment: the less it moves, the longer a value stays valid. The caller
/// knows its hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum MarketPhase {
    /// Trading: the time itself.
    #[default]
    Regular,
    /// Before and after hours: three times as long.
    Extended,
    /// Closed, weekends and holidays: ten times as long.
    Closed,
}

impl MarketPhase {
    /// What the time a value is valid is multiplied by.
    #[must_use]
    pub const fn factor(self) -> u32 {
        match self {
            Self::Regular => 1,
            Self::Extended => 3,
            Self::Closed => 10,
        }
    }
}

/// The figures of a [`Cache`] at one moment. Counters only grow.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CacheSnapshot {
    /// What people call it.
    pub name: &'static str,
    /// Entries now.
    pub entries: usize,
    /// Bytes now.
    pub bytes: usize,
    /// Questions answered from it.
    pub hits: u64,
    /// Of these, answered with "there is none".
    pub absent_hits: u64,
    /// Questions that had to be computed.
    pub misses: u64,
    /// Questions that waited for a computation which ran already.
    pub joined: u64,
    /// Entries that went because others came.
    pub evicted: u64,
    /// Entries that were found too old.
    pub expired: u64,
}

impl CacheSnapshot {
    /// The share of questions that caused no computation; 0 without questions.
    #[must_use]
    pub fn hit_rate(&self) -> f64 {
        let asked = self.hits + self.joined + self.misses;
        (self.hits + self.joined) as f64 / asked.max(1) as f64
    }
}

/// Values by key. Cheap to clone; clones are the same cache.
pub struct Cache<K, V, E = Error>(Arc<Inner<K, V, E>>);

struct Inner<K, V, E> {
    name: &'static str,
    options: CacheOptions,
    clock: Arc<dyn Clock>,
    size: fn(&K, &V) -> usize,
    state: Mutex<State<K, V, E>>,
}

struct State<K, V, E> {
    kept: LruCache<K, Kept<V>>,
    /// What is being computed; the receivers hear how it ended.
    flights: HashMap<K, watch::Receiver<End<V, E>>>,
    counts: CacheSnapshot,
}

/// `None` while it runs.
type End<V, E> = Option<Result<Option<V>, Arc<E>>>;

#[derive(Clone)]
struct Kept<V> {
    value: Option<V>,
    until: Timestamp,
    bytes: usize,
}

enum Found<V, E> {
    Value(Option<V>),
    Running(watch::Receiver<End<V, E>>),
    Ours(watch::Sender<End<V, E>>),
}

impl<K, V, E> Cache<K, V, E>
where
    K: Hash + Eq + Clone,
    V: Clone,
{
    /// An empty cache. `size` says how many bytes an entry counts.
    #[must_use]
    pub fn new(
        name: &'static str,
        options: CacheOptions,
        clock: Arc<dyn Clock>,
        size: fn(&K, &V) -> usize,
    ) -> Self {
        let counts = CacheSnapshot { name, ..CacheSnapshot::default() };
        let state = State { kept: LruCache::unbounded(), flights: HashMap::new(), counts };
        Self(Arc::new(Inner { name, options, clock, size, state: Mutex::new(state) }))
    }

    /// The value of `key`, from the cache or computed; `None` where there is none. Who asks while it is
    /// being computed waits for that. Who computes and gives up leaves it to the next one who waits.
    ///
    /// # Errors
    /// What the computation failed with; all who waited for it hear the same. Failures are not kept.
    pub async fn fetch<F>(
        &self,
        key: K,
        phase: MarketPhase,
        compute: F,
    ) -> Result<Option<V>, Arc<E>>
    where
        F: Future<Output = Result<Option<V>, E>>,
    {
        let sender = loop {
            match self.find(&key) {
                Found::Value(value) => return Ok(value),
                Found::Ours(sender) => break sender,
                Found::Running(mut end) => {
                    // An error says that who computed it gave up: this loop looks again.
                    if let Ok(end) = end.wait_for(Option::is_some).await
                        && let Some(end) = &*end
                    {
                        return end.clone();
                    }
                }
            }
        };
        let flight = Flight { cache: self, key: &key };
        let end = compute.await.map_err(Arc::new);
        if let Ok(value) = &end {
            self.keep(&key, value.clone(), phase);
        }
        drop(flight);
        // Nobody need be waiting.
        let _ = sender.send(Some(end.clone()));
        end
    }

    /// The value of `key` where it is in the cache and valid; `Some(None)`: known to be absent.
    #[must_use]
    pub fn peek(&self, key: &K) -> Option<Option<V>> {
        let now = self.0.clock.now();
        self.state().valid(key, now)
    }

    /// Keeps a value that was come by otherwise; `None`: known to be absent.
    pub fn keep(&self, key: &K, value: Option<V>, phase: MarketPhase) {
        let options = &self.0.options;
        let ttl = if value.is_some() { options.ttl } else { options.absent_ttl };
        let until = self.0.clock.now().plus(ttl.saturating_mul(phase.factor()));
        let bytes = value.as_ref().map_or(0, |value| (self.0.size)(key, value));
        let mut state = self.state();
        state.remove(key);
        if bytes > options.bytes || options.entries == 0 {
            return;
        }
        state.counts.bytes += bytes;
        state.kept.put(key.clone(), Kept { value, until, bytes });
        while state.kept.len() > options.entries || state.counts.bytes > options.bytes {
            let Some((_, gone)) = state.kept.pop_lru() else { break };
            state.counts.bytes -= gone.bytes;
            state.counts.evicted += 1;
        }
    }

    /// Forgets `key`.
    pub fn forget(&self, key: &K) {
        self.state().remove(key);
    }

    /// Forgets everything for which `belongs` holds.
    pub fn forget_all(&self, belongs: impl Fn(&K) -> bool) {
        let mut state = self.state();
        let keys: Vec<K> =
            state.kept.iter().map(|(key, _)| key).filter(|key| belongs(key)).cloned().collect();
        keys.iter().for_each(|key| state.remove(key));
    }

    /// Its figures of this moment.
    #[must_use]
    pub fn snapshot(&self) -> CacheSnapshot {
        let state = self.state();
        CacheSnapshot { entries: state.kept.len(), ..state.counts.clone() }
    }

    fn find(&self, key: &K) -> Found<V, E> {
        let now = self.0.clock.now();
        let mut state = self.state();
        if let Some(value) = state.valid(key, now) {
            state.counts.hits += 1;
            state.counts.absent_hits += u64::from(value.is_none());
            return Found::Value(value);
        }
        if let Some(end) = state.flights.get(key) {
            let end = end.clone();
            state.counts.joined += 1;
            return Found::Running(end);
        }
        state.counts.misses += 1;
        let (sender, receiver) = watch::channel(None);
        state.flights.insert(key.clone(), receiver);
        Found::Ours(sender)
    }
}

impl<K, V, E> Cache<K, V, E> {
    fn state(&self) -> MutexGuard<'_, State<K, V, E>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone, V: Clone, E> State<K, V, E> {
    /// Half-open: at the very moment of its end a value is not valid any more.
    fn valid(&mut self, key: &K, now: Timestamp) -> Option<Option<V>> {
        let kept = self.kept.get(key)?;
        if now < kept.until {
            return Some(kept.value.clone());
        }
        self.remove(key);
        self.counts.expired += 1;
        None
    }

    fn remove(&mut self, key: &K) {
        if let Some(gone) = self.kept.pop(key) {
            self.counts.bytes -= gone.bytes;
        }
    }
}

/// A computation that runs; over when this is dropped.
struct Flight<'a, K: Hash + Eq, V, E> {
    cache: &'a Cache<K, V, E>,
    key: &'a K,
}

impl<K: Hash + Eq, V, E> Drop for Flight<'_, K, V, E> {
    fn drop(&mut self) {
        self.cache.state().flights.remove(self.key);
    }
}

impl<K, V, E> Clone for Cache<K, V, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K, V, E> fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.state().counts;
        f.debug_struct("Cache").field("name", &self.0.name).field("counts", counts).finish()
    }
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
