//! Tasks are taken, kept and given back.

use std::collections::BTreeSet;
use std::time::Duration;

use finstage_model::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Transaction, params, params_from_iter};

use super::row::{find, task_row};
use super::{NewTask, TaskId, TaskRow, TaskState, cut};
use crate::records::Records;
use crate::records::db::Trouble;
use crate::{Error, ErrorKind};

/// The most tasks whose lease ran out that one call puts back.
const REAP_MAX: i64 = 1_000;

/// The right to answer for a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TaskLease {
    /// Of which task.
    pub id: TaskId,
    /// Which lease of it.
    pub fence: i64,
}

/// A task that this worker must end, or give back.
#[derive(Debug, Clone, PartialEq)]
pub struct LeasedTask {
    /// To be named in each answer.
    pub lease: TaskLease,
    /// What is to be done.
    pub task: NewTask,
    /// Which try this is, from one.
    pub attempt: u32,
    /// How many there are.
    pub attempts_max: u32,
    /// Until when nobody else takes it.
    pub until: Timestamp,
}

/// What a worker takes nothing of, because its threads are still at it whatever the queue says; as many as
/// it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Busy {
    /// These tasks.
    pub ids: BTreeSet<TaskId>,
    /// Tasks of these lanes.
    pub lanes: BTreeSet<String>,
}

/// How far a task has come.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// 0 to 1; other numbers are brought there.
    pub part: f64,
    /// What is being done.
    pub doing: String,
}

/// What a worker learns when it extends a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewed {
    /// Go on.
    GoOn,
    /// Somebody called it off: end it.
    Cancel,
}

impl Records {
    /// Gives `worker` what is to be run at `now`, at most `most` tasks, for the time of `lease`. Tasks
    /// whose lease ran out are put back first.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn task_lease(
        &self,
        worker: &str,
        now: Timestamp,
        lease: Duration,
        most: usize,
    ) -> Result<Vec<LeasedTask>, Error> {
        self.task_lease_beside(worker, now, lease, (most, Busy::default()))
    }

    /// As [`Records::task_lease`], but nothing of what is busy.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn task_lease_beside(
        &self,
        worker: &str,
        now: Timestamp,
        lease: Duration,
        (most, busy): (usize, Busy),
    ) -> Result<Vec<LeasedTask>, Error> {
        let worker = cut(worker).to_owned();
        self.0.write_together("leasing tasks from", move |tx| {
            reap(tx, now)?;
            promote(tx, now)?;
            let until = now.plus(lease);
            let mut lanes = BTreeSet::new();
            let mut leased = Vec::new();
            for (row, fence) in candidates(tx, most, &busy)? {
                if row.task.lane.as_ref().is_some_and(|lane| !lanes.insert(lane.clone())) {
                    continue;
                }
                let sql = "UPDATE tasks SET state = 'running', fence = fence + 1,
                        attempts = attempts + 1, worker = ?3, leased_at = ?4, lease_until = ?5,
                        cancel_asked = 0, progress = 0, doing = NULL
                    WHERE id = ?1 AND fence = ?2 AND state = 'ready'";
                let values = params![row.id.0, fence, worker, now.nanos(), until.nanos()];
                if tx.prepare_cached(sql)?.execute(values)? == 1 {
                    leased.push(LeasedTask {
                        lease: TaskLease { id: row.id, fence: fence + 1 },
                        task: row.task,
                        attempt: row.attempts + 1,
                        attempts_max: row.attempts_max,
                        until,
                    });
                }
            }
            Ok(leased)
        })
    }

    /// Extends a lease to `until`, and tells how far the task has come.
    ///
    /// # Errors
    /// `Stale` when the lease is over; as every writing call.
    pub fn task_renew(
        &self,
        lease: TaskLease,
        now: Timestamp,
        until: Timestamp,
        progress: Option<Progress>,
    ) -> Result<Renewed, Error> {
        self.0.write_together("extending the lease of a task in", move |tx| {
            let held = held(tx, lease, now)?;
            let (part, doing) = match &progress {
                Some(told) => (told.part, Some(cut(&told.doing))),
                None => (held.progress, held.doing.as_deref()),
            };
            let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { held.progress };
            let sql = "UPDATE tasks SET lease_until = ?3, progress = ?4, doing = ?5
                WHERE id = ?1 AND fence = ?2 AND state = 'running'";
            let values = params![lease.id.0, lease.fence, until.nanos(), part, doing];
            tx.prepare_cached(sql)?.execute(values)?;
            Ok(if held.cancel_asked { Renewed::Cancel } else { Renewed::GoOn })
        })
    }

    /// Gives a task back as if it had not been taken: for a worker that must stop.
    ///
    /// # Errors
    /// `Stale` when the lease is over; as every writing call.
    pub fn task_release(&self, lease: TaskLease, now: Timestamp) -> Result<(), Error> {
        self.0.write_together("giving back a task to", move |tx| {
            let held = held(tx, lease, now)?;
            let state = if held.cancel_asked { TaskState::Cancelled } else { TaskState::Ready };
            let ended = state.has_ended().then_some(now.nanos());
            let sql = "UPDATE tasks SET state = ?3, attempts = attempts - 1, lease_until = NULL,
                    progress = 0, doing = NULL, finished_at = ?4
                WHERE id = ?1 AND fence = ?2 AND state = 'running'";
            let values = params![lease.id.0, lease.fence, state.as_str(), ended];
            tx.prepare_cached(sql)?.execute(values)?;
            Ok(())
        })
    }

    /// Ends every lease; tells how many there were. For whoever holds the data folder, before anything is
    /// run: the workers who leased are dead.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn task_reclaim(&self, now: Timestamp) -> Result<u64, Error> {
        self.0.write_together("reclaiming tasks in", move |tx| {
            let sql = "UPDATE tasks SET lease_until = ? WHERE state = 'running'";
            let ended = tx.execute(sql, [now.nanos()])? as u64;
            reap(tx, now)?;
            Ok(ended)
        })
    }
}

/// The task, if the lease on it still stands.
pub(super) fn held(
    tx: &Transaction<'_>,
    lease: TaskLease,
    now: Timestamp,
) -> Result<TaskRow, Trouble> {
    let sql = "SELECT 1 FROM tasks
        WHERE id = ? AND fence = ? AND state = 'running' AND lease_until > ?";
    let values = params![lease.id.0, lease.fence, now.nanos()];
    let stands = tx.prepare_cached(sql)?.query_row(values, |_| Ok(())).optional()?;
    match stands {
        Some(()) => find(tx, lease.id),
        None => {
            let message = format!("task {} is not leased to this worker any more", lease.id);
            Err(Trouble::Ours(Error::new(ErrorKind::Stale, message)))
        }
    }
}

/// Puts back what nobody answered for in time.
fn reap(tx: &Transaction<'_>, now: Timestamp) -> Result<(), Trouble> {
    let sql = "SELECT * FROM tasks WHERE state = 'running' AND lease_until <= ? LIMIT ?";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(params![now.nanos(), REAP_MAX])?;
    let mut over = Vec::new();
    while let Some(row) = rows.next()? {
        over.push((task_row(row)?, row.get::<_, i64>("fence")?));
    }
    for (row, fence) in over {
        let state = match () {
            () if row.cancel_asked => TaskState::Cancelled,
            () if row.attempts >= row.attempts_max => TaskState::Dead,
            () => TaskState::Ready,
        };
        let reason = format!("its worker vanished in try {}", row.attempts);
        let ended = state.has_ended().then_some(now.nanos());
        let sql = "UPDATE tasks SET state = ?3, lease_until = NULL, reason = ?4, finished_at = ?5
            WHERE id = ?1 AND fence = ?2 AND state = 'running'";
        let values = params![row.id.0, fence, state.as_str(), reason, ended];
        tx.prepare_cached(sql)?.execute(values)?;
    }
    Ok(())
}

/// What waited long enough is ready.
fn promote(tx: &Transaction<'_>, now: Timestamp) -> Result<(), Trouble> {
    let sql = "UPDATE tasks SET state = 'ready' WHERE state = 'waiting' AND run_at <= ?";
    tx.prepare_cached(sql)?.execute([now.nanos()])?;
    Ok(())
}

/// What can be leased, in its order, with its fence. Of a lane in which one runs there is nothing.
fn candidates(
    tx: &Transaction<'_>,
    most: usize,
    busy: &Busy,
) -> Result<Vec<(TaskRow, i64)>, Trouble> {
    let beside = |of: &str, many: usize| match many {
        0 => String::new(),
        many => format!(" AND {of} NOT IN ({})", vec!["?"; many].join(", ")),
    };
    let sql = format!(
        "SELECT * FROM tasks WHERE state = 'ready'{} AND (lane IS NULL OR lane NOT IN
            (SELECT busy.lane FROM tasks busy WHERE busy.state = 'running' AND busy.lane IS NOT NULL){})
        ORDER BY priority, id LIMIT ?",
        beside("id", busy.ids.len()),
        beside("lane", busy.lanes.len())
    );
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let ids = busy.ids.iter().map(|id| Value::from(id.0));
    let lanes = busy.lanes.iter().map(|lane| Value::from(lane.clone()));
    let values = ids.chain(lanes).chain([Value::from(most)]);
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows = query.query(params_from_iter(values))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push((task_row(row)?, row.get("fence")?));
    }
    Ok(found)
}
