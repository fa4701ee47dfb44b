//! Many calls, one commit: callers on several threads that want to be on disk share the wait for it.
//!
//! A commit that reaches the disk costs milliseconds, and the work in it microseconds. Whoever comes
//! first writes for all that gathered while the commit before was under way; the others wait for its end.
//! Each call returns only when what it did is on disk, as if it had a transaction of its own. A call that
//! refuses must do so before it changes anything: the others' work goes on.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Transaction;

use super::db::{Db, Durability, Trouble};
use crate::{Error, ErrorKind};

/// The most calls that share a commit. As many wait as there are threads that call.
pub const GROUP_CALLS: usize = 1_024;

/// Calls that wait for a commit.
#[derive(Default)]
pub(super) struct Group {
    state: Mutex<State>,
    /// A commit has ended.
    done: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Box<dyn Member>>,
    is_led: bool,
}

/// One call in a group, whatever it gives.
trait Member: Send {
    /// Does its work; an error ends the whole group.
    fn work(&mut self, tx: &Transaction<'_>) -> Result<(), Trouble>;
    /// Tells the caller how it went.
    fn settle(&mut self, committed: Result<(), &Error>);
}

type Slot<T> = Arc<Mutex<Option<Result<T, Error>>>>;

struct Call<T, W> {
    work: Option<W>,
    gave: Option<Result<T, Error>>,
    slot: Slot<T>,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").finish_non_exhaustive()
    }
}

impl<T, W> Member for Call<T, W>
where
    T: Send,
    W: FnOnce(&Transaction<'_>) -> Result<T, Trouble> + Send,
{
    fn work(&mut self, tx: &Transaction<'_>) -> Result<(), Trouble> {
        let Some(work) = self.work.take() else { return Ok(()) };
        match work(tx) {
            Ok(given) => self.gave = Some(Ok(given)),
            Err(Trouble::Ours(refusal)) => self.gave = Some(Err(refusal)),
            Err(trouble) => return Err(trouble),
        }
        Ok(())
    }

    fn settle(&mut self, committed: Result<(), &Error>) {
        let given = match (committed, self.gave.take()) {
            (Ok(()), Some(given)) => given,
            (Err(error), _) => Err(error.again()),
            (Ok(()), None) => Err(broke_off()),
        };
        *lock(&self.slot) = Some(given);
    }
}

impl<T, W> Drop for Call<T, W> {
    /// Nobody waits for a call that broke off with its group.
    fn drop(&mut self) {
        lock(&self.slot).get_or_insert_with(|| Err(broke_off()));
    }
}

impl Db {
    /// Writes, all or nothing, on disk when it returns; shares the commit with calls from other threads.
    pub(super) fn write_together<T: Send + 'static>(
        &self,
        doing: &str,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Error> {
        let slot: Slot<T> = Arc::default();
        let call = Call { work: Some(work), gave: None, slot: Arc::clone(&slot) };
        let mut state = lock(&self.group.state);
        state.waiting.push_back(Box::new(call));
        loop {
            if let Some(given) = lock(&slot).take() {
                return given;
            }
            if state.is_led {
                let woken = self.group.done.wait(state);
                state = woken.unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            state.is_led = true;
            let taken = state.waiting.len().min(GROUP_CALLS);
            let calls: Vec<Box<dyn Member>> = state.waiting.drain(..taken).collect();
            drop(state);
            let lead = Lead(&self.group);
            self.commit(doing, calls);
            drop(lead);
            state = lock(&self.group.state);
        }
    }

    fn commit(&self, doing: &str, mut calls: Vec<Box<dyn Member>>) {
        let committed = self.write(doing, Durability::Kept, |tx| {
            calls.iter_mut().try_for_each(|call| call.work(tx))
        });
        calls.iter_mut().for_each(|call| call.settle(committed.as_ref().copied()));
    }
}

/// Whoever leads; a panic ends that as well.
struct Lead<'a>(&'a Group);

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        lock(&self.0.state).is_led = false;
        self.0.done.notify_all();
    }
}

fn broke_off() -> Error {
    Error::new(ErrorKind::Io, "writing to the records broke off: try again")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
