//! Group fsync: one sync for all appends of an interval, on a thread of its own.
//!
//! An fsync takes as long as a thousand appends. So appends return when the system has the bytes,
//! a thread syncs at most once an interval, and publishes up to where the journal is durable.
//! Whatever must not be said before its cause is safe (an alert on its way out) compares its
//! position with [`Synced::get`].
//!
//! A failed sync is final: the system may have thrown the bytes away, and a later sync that
//! succeeds would say nothing about them. The writer then refuses; a restart reads what is there.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use finstage_model::Position;

use super::Writer;
use crate::files::OpenFile;
use crate::{Error, ErrorKind};

/// What writer, sync thread and onlookers share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something was appended, or the thread shall stop.
    work: Condvar,
    /// Something was synced, or failed to be.
    done: Condvar,
    synced: AtomicI64,
}

#[derive(Debug)]
struct State {
    file: Arc<dyn OpenFile>,
    path: PathBuf,
    /// After the last event written; earlier segments are synced when they are closed.
    end: Position,
    failed: Option<String>,
    stopping: bool,
}

impl Shared {
    pub(super) fn new(file: Arc<dyn OpenFile>, path: PathBuf, end: Position) -> Self {
        Self {
            state: Mutex::new(State { file, path, end, failed: None, stopping: false }),
            work: Condvar::new(),
            done: Condvar::new(),
            synced: AtomicI64::new(end.to_i64()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn synced(&self) -> Position {
        Position::from_i64(self.synced.load(Ordering::Acquire))
    }

    /// An error when an earlier sync failed.
    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.lock().failed {
            None => Ok(()),
            Some(message) => Err(Error::new(ErrorKind::Io, message.clone())),
        }
    }

    /// Events up to `end` were written to the file at hand.
    pub(super) fn wrote(&self, end: Position) {
        let mut state = self.lock();
        let was_clean = state.end == self.synced();
        state.end = end;
        drop(state);
        if was_clean {
            self.work.notify_all();
        }
    }

    /// What follows goes to another file; the one before is synced.
    pub(super) fn switch(&self, file: Arc<dyn OpenFile>, path: PathBuf) {
        let mut state = self.lock();
        state.file = file;
        state.path = path;
    }

    /// Makes durable what is written, and publishes it.
    pub(super) fn sync(&self) -> Result<(), Error> {
        self.check()?;
        let state = self.lock();
        let (file, path, end) = (Arc::clone(&state.file), state.path.clone(), state.end);
        drop(state);
        if end == self.synced() {
            return Ok(());
        }
        let synced = file.sync();
        let mut state = self.lock();
        if let Err(e) = synced {
            let error = Error::io("syncing", &path, e);
            state.failed = Some(format!("{error}; restart to go on from what reached the disk"));
            self.done.notify_all();
            return Err(error);
        }
        // Under the lock, so that nobody who waits can miss it.
        self.synced.fetch_max(end.to_i64(), Ordering::AcqRel);
        self.done.notify_all();
        Ok(())
    }
}

/// Tells up to where a journal is durable. Cheap to clone and to ask, from any thread.
#[derive(Debug, Clone)]
pub struct Synced(pub(super) Arc<Shared>);

impl Synced {
    /// The position after the last durable event.
    #[must_use]
    pub fn get(&self) -> Position {
        self.0.synced()
    }

    /// Waits until everything before `position` is durable; false when that did not happen within
    /// `limit` or cannot happen any more because a sync failed.
    #[must_use]
    pub fn wait(&self, position: Position, limit: Duration) -> bool {
        let state = self.0.lock();
        let waiting = |state: &mut State| self.get() < position && state.failed.is_none();
        let waited = self.0.done.wait_timeout_while(state, limit, waiting);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.get() >= position
    }
}

/// Syncs a journal at most once an interval, while there is something to sync.
///
/// Dropping it syncs what is left and ends the thread.
#[derive(Debug)]
pub struct SyncThread {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl SyncThread {
    /// Starts syncing what `writer` appends: an event is durable about `interval` after its
    /// append.
    ///
    /// # Errors
    /// `Io` when the system gives no thread.
    pub fn start(writer: &Writer, interval: Duration) -> Result<Self, Error> {
        let shared = writer.shared();
        shared.lock().stopping = false;
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("journal-sync".to_owned())
            .spawn(move || sync_until_stopped(&theirs, interval))
            .map_err(|e| Error::new(ErrorKind::Io, "starting the sync thread failed").because(e))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Syncs what is left and ends the thread.
    ///
    /// # Errors
    /// What went wrong with this or an earlier sync.
    pub fn finish(mut self) -> Result<(), Error> {
        self.stop();
        self.shared.sync()
    }

    fn stop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic there has said its line already.
            let _ = thread.join();
        }
    }
}

impl Drop for SyncThread {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.stop();
            if let Err(error) = self.shared.sync() {
                tracing::error!(%error, "the last sync of the journal failed");
            }
        }
    }
}

fn sync_until_stopped(shared: &Shared, interval: Duration) {
    loop {
        let idle = |state: &mut State| !state.stopping && state.end == shared.synced();
        let state = shared.work.wait_while(shared.lock(), idle);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        let waited = shared.work.wait_timeout_while(state, interval, |state| !state.stopping);
        let stopping = waited.unwrap_or_else(PoisonError::into_inner).0.stopping;
        if stopping {
            return;
        }
        if let Err(error) = shared.sync() {
            tracing::error!(%error, "the journal cannot be made durable");
            return;
        }
    }
}
