//! A thread that writes batches, so that the engine does not wait for SQL.
//!
//! A transaction costs about as much as a hundred rows. The thread takes what has gathered while
//! it wrote the last group and commits it as one: under load groups grow, at rest a batch is
//! written at once. The queue is bounded: a database that cannot keep up slows the engine down
//! instead of filling the memory.
//!
//! When writing fails, nothing is dropped. The thread keeps its group and waits; the next call
//! from outside brings the error, and makes the thread try again. So a full disk stops the house
//! in good order, and space lets it go on.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use super::{Applied, Batch, Records};
use crate::{Error, ErrorKind};

/// The most batches that one transaction writes.
pub const GROUP_BATCHES: usize = 256;

/// Applies batches on a thread of its own, in the order they were submitted.
///
/// Dropping it writes what is queued and ends the thread.
#[derive(Debug)]
pub struct RecordsWriter {
    shared: Arc<Shared>,
    bound: usize,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// For the thread: there is something to do.
    work: Condvar,
    /// For the callers: something was done, or failed.
    done: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Batch>,
    /// The thread is writing a group that is not in the queue.
    writing: bool,
    error: Option<Error>,
    applied: Applied,
    /// Whether the thread may write: not between a failure and the next call.
    halted: bool,
    stopping: bool,
    ended: bool,
}

impl RecordsWriter {
    /// Starts a writer with room for `bound` batches, at least one.
    ///
    /// # Errors
    /// `Io` when the system gives no thread.
    pub fn start(records: Records, bound: usize) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            done: Condvar::new(),
        });
        let theirs = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("records".to_owned())
            .spawn(move || write_until_stopped(&theirs, &records))
            .map_err(|e| {
                Error::new(ErrorKind::Io, "starting the records thread failed").because(e)
            })?;
        Ok(Self { shared, bound: bound.max(1), thread: Some(thread) })
    }

    /// Queues what is in `batch` and leaves it empty. Waits while the queue is full.
    ///
    /// # Errors
    /// What went wrong with an earlier batch. Then `batch` is left as it is, nothing that was
    /// queued is lost, and the writer tries again: submit it again after doing something about
    /// the error.
    pub fn submit(&self, batch: &mut Batch) -> Result<(), Error> {
        let full = |state: &mut State| state.queue.len() >= self.bound;
        let mut state = self.wait_while(full)?;
        let empty = Batch::new(batch.position, batch.run_digest);
        state.queue.push_back(std::mem::replace(batch, empty));
        self.shared.work.notify_one();
        Ok(())
    }

    /// Waits until everything queued is in the records.
    ///
    /// # Errors
    /// What went wrong with a batch; nothing is lost, and the writer tries again.
    pub fn drain(&self) -> Result<(), Error> {
        self.wait_while(|state| state.writing || !state.queue.is_empty()).map(drop)
    }

    /// How many batches wait.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.shared.lock().queue.len()
    }

    /// What was added since the start.
    #[must_use]
    pub fn applied(&self) -> Applied {
        self.shared.lock().applied
    }

    /// Waits while `busy`, or until there is an error to hand out.
    fn wait_while(
        &self,
        mut busy: impl FnMut(&mut State) -> bool,
    ) -> Result<MutexGuard<'_, State>, Error> {
        let waiting = |state: &mut State| busy(state) && state.error.is_none() && !state.ended;
        let state = self.shared.done.wait_while(self.shared.lock(), waiting);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = state.error.take() {
            state.halted = false;
            self.shared.work.notify_one();
            return Err(error);
        }
        if state.ended {
            return Err(Error::new(ErrorKind::Io, "the records thread has ended: restart"));
        }
        Ok(state)
    }
}

impl Drop for RecordsWriter {
    fn drop(&mut self) {
        self.shared.lock().stopping = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has said its line already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells those who wait that the thread is gone, also when it panicked.
struct Farewell<'a>(&'a Shared);

impl Drop for Farewell<'_> {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.done.notify_all();
    }
}

fn write_until_stopped(shared: &Shared, records: &Records) {
    let _farewell = Farewell(shared);
    loop {
        let idle = |state: &mut State| !state.stopping && (state.halted || state.queue.is_empty());
        let state = shared.work.wait_while(shared.lock(), idle);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.queue.is_empty() {
            return;
        }
        let taken = state.queue.len().min(GROUP_BATCHES);
        let group: Vec<Batch> = state.queue.drain(..taken).collect();
        state.writing = true;
        drop(state);
        shared.done.notify_all();

        let applied = records.apply_all(&group);

        let mut state = shared.lock();
        state.writing = false;
        match applied {
            Ok(applied) => state.applied.add(applied),
            Err(error) if state.stopping => {
                // The journal has it all; the next start derives it again.
                tracing::error!(%error, batches = taken, "the last records were not written");
                return;
            }
            Err(error) => {
                group.into_iter().rev().for_each(|batch| state.queue.push_front(batch));
                state.halted = true;
                state.error = Some(error);
            }
        }
        drop(state);
        shared.done.notify_all();
    }
}

#[cfg(test)]
mod tests;
