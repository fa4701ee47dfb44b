//! Tasks end: done, dead, called off, tried again, forgotten.

use std::time::Duration;

use finstage_model::Timestamp;
use rusqlite::{Transaction, params};

use super::lease::held;
use super::row::find;
use super::{MAX_BACKOFF, MAX_RESULT_BYTES, TaskId, TaskLease, TaskRow, TaskState, cut, refused};
use crate::Error;
use crate::records::Records;
use crate::records::db::Trouble;

/// The most tasks that one commit forgets.
const PRUNE_MAX: i64 = 1_000;

/// Whether a failed task is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// As long as tries are left.
    IfLeft,
    /// It would only fail again.
    Never,
}

/// What became of a task that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// It is tried again then.
    Again(Timestamp),
    /// It is not tried again.
    Dead,
    /// It had been called off.
    Cancelled,
}

/// For how long tasks are kept after their end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskKeep {
    /// Those that are done or cancelled.
    pub done: Duration,
    /// The dead.
    pub dead: Duration,
}

impl Default for TaskKeep {
    fn default() -> Self {
        Self { done: Duration::from_secs(24 * 3_600), dead: Duration::from_secs(7 * 24 * 3_600) }
    }
}

/// How many tasks were forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Done or cancelled.
    pub done: u64,
    /// Dead.
    pub dead: u64,
}

impl Records {
    /// The task gave `result`. One that was called off meanwhile is done all the same.
    ///
    /// # Errors
    /// `Stale` when the lease is over, `Refused` when the result is too large; as every writing call.
    pub fn task_complete(
        &self,
        lease: TaskLease,
        now: Timestamp,
        result: String,
    ) -> Result<(), Error> {
        self.0.write_together("noting the end of a task in", move |tx| {
            complete(tx, lease, now, &result)
        })
    }

    /// Tasks gave results; what became of each, in their order.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`; then none is done.
    pub fn task_complete_many(
        &self,
        ended: Vec<(TaskLease, String)>,
        now: Timestamp,
    ) -> Result<Vec<Result<(), Error>>, Error> {
        self.0.write_together("noting the end of tasks in", move |tx| {
            let one =
                |(lease, result): &(TaskLease, String)| match complete(tx, *lease, now, result) {
                    Ok(()) => Ok(Ok(())),
                    Err(Trouble::Ours(refusal)) => Ok(Err(refusal)),
                    Err(trouble) => Err(trouble),
                };
            ended.iter().map(one).collect()
        })
    }

    /// The task failed for `reason`.
    ///
    /// # Errors
    /// `Stale` when the lease is over; as every writing call.
    pub fn task_fail(
        &self,
        lease: TaskLease,
        now: Timestamp,
        reason: &str,
        again: Again,
    ) -> Result<Failed, Error> {
        let reason = cut(reason).to_owned();
        self.0.write_together("noting the failure of a task in", move |tx| {
            let row = held(tx, lease, now)?;
            let failed = match again {
                _ if row.cancel_asked => Failed::Cancelled,
                Again::IfLeft if row.attempts < row.attempts_max => {
                    Failed::Again(now.plus(backoff(&row)))
                }
                Again::IfLeft | Again::Never => Failed::Dead,
            };
            let (state, run_at) = match failed {
                Failed::Again(at) => (TaskState::Waiting, at),
                Failed::Dead => (TaskState::Dead, row.run_at),
                Failed::Cancelled => (TaskState::Cancelled, row.run_at),
            };
            let ended = state.has_ended().then_some(now.nanos());
            let sql = "UPDATE tasks SET state = ?3, run_at = ?4, reason = ?5, finished_at = ?6,
                    lease_until = NULL
                WHERE id = ?1 AND fence = ?2 AND state = 'running'";
            tx.prepare_cached(sql)?.execute(params![
                lease.id.0,
                lease.fence,
                state.as_str(),
                run_at.nanos(),
                reason,
                ended
            ])?;
            Ok(failed)
        })
    }

    /// Calls a task off: at once where it does not run, else its worker is told, by the bell of
    /// [`Records::on_call_off`] where it hangs on these records, and when it next extends its lease. Gives the
    /// task as it is then.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Refused` when it has ended; as every writing call.
    pub fn task_cancel(&self, id: TaskId, now: Timestamp) -> Result<TaskRow, Error> {
        let row = self.0.write_together("cancelling a task in", move |tx| {
            let row = find(tx, id)?;
            match row.state {
                TaskState::Waiting | TaskState::Ready => {
                    let sql = "UPDATE tasks SET state = 'cancelled', finished_at = ?2
                        WHERE id = ?1 AND state IN ('waiting', 'ready')";
                    tx.prepare_cached(sql)?.execute(params![id.0, now.nanos()])?;
                }
                TaskState::Running => {
                    let sql =
                        "UPDATE tasks SET cancel_asked = 1 WHERE id = ? AND state = 'running'";
                    tx.prepare_cached(sql)?.execute([id.0])?;
                }
                TaskState::Cancelled => return Ok(row),
                TaskState::Done | TaskState::Dead => {
                    let state = row.state.as_str();
                    return Err(refused(format!("task {id} is {state}: it has ended already")));
                }
            }
            find(tx, id)
        })?;
        if row.state == TaskState::Running {
            self.0.bell.ring();
        }
        Ok(row)
    }

    /// Lets a dead or cancelled task be tried as often again as it might at first, under its number, and
    /// one that waits run now. Gives the task as it is then.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Refused` when it runs or is done; as every writing call.
    pub fn task_retry(&self, id: TaskId, now: Timestamp) -> Result<TaskRow, Error> {
        self.0.write_together("retrying a task in", move |tx| {
            let row = find(tx, id)?;
            let attempts_max = match row.state {
                TaskState::Ready => return Ok(row),
                TaskState::Waiting => row.attempts_max,
                TaskState::Dead | TaskState::Cancelled => {
                    row.attempts.saturating_add(row.task.tries)
                }
                TaskState::Running => {
                    return Err(refused(format!("task {id} runs: cancel it first, or wait")));
                }
                TaskState::Done => {
                    return Err(refused(format!("task {id} is done: submit another")));
                }
            };
            let sql = "UPDATE tasks SET state = 'ready', run_at = ?2, attempts_max = ?3,
                    cancel_asked = 0, finished_at = NULL
                WHERE id = ?1 AND state IN ('waiting', 'dead', 'cancelled')";
            tx.prepare_cached(sql)?.execute(params![id.0, now.nanos(), attempts_max])?;
            find(tx, id)
        })
    }

    /// Forgets tasks that ended long enough ago, a thousand at a time.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`; what was forgotten stays so.
    pub fn task_prune(&self, now: Timestamp, keep: TaskKeep) -> Result<Pruned, Error> {
        let many = |states: [TaskState; 2], keep: Duration| -> Result<u64, Error> {
            let mut forgotten = 0;
            loop {
                let before = now.minus(keep);
                let some = self
                    .0
                    .write_together("forgetting tasks in", move |tx| prune(tx, states, before))?;
                forgotten += some;
                if some < PRUNE_MAX.unsigned_abs() {
                    return Ok(forgotten);
                }
            }
        };
        Ok(Pruned {
            done: many([TaskState::Done, TaskState::Cancelled], keep.done)?,
            dead: many([TaskState::Dead, TaskState::Dead], keep.dead)?,
        })
    }
}

fn complete(
    tx: &Transaction<'_>,
    lease: TaskLease,
    now: Timestamp,
    result: &str,
) -> Result<(), Trouble> {
    if result.len() > MAX_RESULT_BYTES {
        return Err(refused(format!(
            "the result of task {} has {} bytes: at most {MAX_RESULT_BYTES} are kept",
            lease.id,
            result.len()
        )));
    }
    held(tx, lease, now)?;
    let sql = "UPDATE tasks SET state = 'done', result = ?3, finished_at = ?4, progress = 1,
            lease_until = NULL, reason = NULL
        WHERE id = ?1 AND fence = ?2 AND state = 'running'";
    tx.prepare_cached(sql)?.execute(params![lease.id.0, lease.fence, result, now.nanos()])?;
    Ok(())
}

/// The wait after the failure of a task: twice as long each time, from the first failure since it was
/// submitted or retried by hand.
fn backoff(row: &TaskRow) -> Duration {
    let begun = row.attempts_max.saturating_sub(row.task.tries);
    let doubled = row.attempts.saturating_sub(begun).saturating_sub(1).min(31);
    row.task.backoff.saturating_mul(1 << doubled).min(MAX_BACKOFF)
}

fn prune(tx: &Transaction<'_>, states: [TaskState; 2], before: Timestamp) -> Result<u64, Trouble> {
    let sql = "SELECT id FROM tasks WHERE state IN (?, ?) AND finished_at <= ? LIMIT ?";
    let values = params![states[0].as_str(), states[1].as_str(), before.nanos(), PRUNE_MAX];
    let ids: Vec<i64> = tx
        .prepare_cached(sql)?
        .query_map(values, |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut forget = tx.prepare_cached("DELETE FROM tasks WHERE id = ?")?;
    for id in &ids {
        forget.execute([id])?;
    }
    Ok(ids.len() as u64)
}
