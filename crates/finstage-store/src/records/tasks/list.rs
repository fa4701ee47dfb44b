//! What is in the queue.

use std::time::Duration;

use finstage_model::Timestamp;
use rusqlite::params;

use super::row::{find, state, task_row};
use super::{TaskId, TaskLease, TaskRow, TaskState};
use crate::Error;
use crate::records::Records;

/// The most tasks of one page.
pub const MAX_TASK_PAGE: usize = 500;
/// The most types that are told apart in statistics.
pub const MAX_KINDS: usize = 200;

/// Which tasks are wanted: the newest, at most `limit`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskFilter {
    /// Only in this state.
    pub state: Option<TaskState>,
    /// Only of this type.
    pub kind: Option<String>,
    /// Only older ones than this.
    pub before: Option<TaskId>,
    /// At most so many, and [`MAX_TASK_PAGE`].
    pub limit: usize,
}

/// How many tasks are in which state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TaskCounts {
    /// Their time has not come.
    pub waiting: u64,
    /// As soon as a worker is free.
    pub ready: u64,
    /// Leased.
    pub running: u64,
    /// Gave a result.
    pub done: u64,
    /// Failed as often as they may.
    pub dead: u64,
    /// Called off.
    pub cancelled: u64,
}

/// What is kept of the tasks of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindStats {
    /// The type.
    pub kind: String,
    /// How many gave a result.
    pub done: u64,
    /// How many are dead.
    pub dead: u64,
    /// How many have not ended.
    pub open: u64,
    /// Tries of all of them.
    pub attempts: u64,
    /// How long those that are done waited for their last try, on average.
    pub mean_wait: Duration,
    /// How long that took, on average.
    pub mean_run: Duration,
}

impl Records {
    /// All that is known of a task.
    ///
    /// # Errors
    /// `NotFound` when there is none; as every reading call: `Corrupt`, `Held` or `Io`.
    pub fn task(&self, id: TaskId) -> Result<TaskRow, Error> {
        self.0.read("reading a task in", |tx| find(tx, id))
    }

    /// The newest tasks that are wanted.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskRow>, Error> {
        self.0.read("listing tasks in", |tx| {
            let sql = "SELECT * FROM tasks WHERE id < ?1 AND (?2 IS NULL OR state = ?2)
                AND (?3 IS NULL OR kind = ?3) ORDER BY id DESC LIMIT ?4";
            let mut query = tx.prepare_cached(sql)?;
            let before = filter.before.map_or(i64::MAX, TaskId::to_i64);
            let limit = filter.limit.min(MAX_TASK_PAGE) as i64;
            let state = filter.state.map(TaskState::as_str);
            let mut rows = query.query(params![before, state, filter.kind, limit])?;
            let mut tasks = Vec::new();
            while let Some(row) = rows.next()? {
                tasks.push(task_row(row)?);
            }
            Ok(tasks)
        })
    }

    /// How many tasks are in which state.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn task_counts(&self) -> Result<TaskCounts, Error> {
        self.0.read("counting tasks in", |tx| {
            let mut query =
                tx.prepare_cached("SELECT state, count(*) FROM tasks GROUP BY state")?;
            let mut rows = query.query(())?;
            let mut counts = TaskCounts::default();
            while let Some(row) = rows.next()? {
                let place = match state(&row.get::<_, String>(0)?)? {
                    TaskState::Waiting => &mut counts.waiting,
                    TaskState::Ready => &mut counts.ready,
                    TaskState::Running => &mut counts.running,
                    TaskState::Done => &mut counts.done,
                    TaskState::Dead => &mut counts.dead,
                    TaskState::Cancelled => &mut counts.cancelled,
                };
                *place = row.get::<_, i64>(1)?.unsigned_abs();
            }
            Ok(counts)
        })
    }

    /// What is kept of tasks, by type.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn task_stats(&self) -> Result<Vec<KindStats>, Error> {
        self.0.read("counting tasks in", |tx| {
            let sql = "SELECT kind, sum(CASE state WHEN 'done' THEN 1 ELSE 0 END), sum(CASE state WHEN 'dead' THEN 1 ELSE 0 END),
                    sum(CASE WHEN state IN ('waiting', 'ready', 'running') THEN 1 ELSE 0 END), sum(attempts),
                    avg(CASE state WHEN 'done' THEN leased_at - run_at END),
                    avg(CASE state WHEN 'done' THEN finished_at - leased_at END)
                FROM tasks GROUP BY kind ORDER BY kind LIMIT ?";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query([MAX_KINDS as i64])?;
            let mut stats = Vec::new();
            while let Some(row) = rows.next()? {
                let count = |at: usize| row.get::<_, i64>(at).map(i64::unsigned_abs);
                let mean = |at: usize| -> rusqlite::Result<Duration> {
                    let nanos = row.get::<_, Option<f64>>(at)?.unwrap_or(0.0);
                    Ok(Duration::from_nanos(nanos.max(0.0) as u64))
                };
                stats.push(KindStats {
                    kind: row.get(0)?,
                    done: count(1)?,
                    dead: count(2)?,
                    open: count(3)?,
                    attempts: count(4)?,
                    mean_wait: mean(5)?,
                    mean_run: mean(6)?,
                });
            }
            Ok(stats)
        })
    }

    /// The leases whose tasks were called off while they run.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn tasks_called_off(&self) -> Result<Vec<TaskLease>, Error> {
        self.0.read("looking for tasks that were called off in", |tx| {
            let sql = "SELECT id, fence FROM tasks WHERE state = 'running' AND cancel_asked = 1";
            let mut query = tx.prepare_cached(sql)?;
            let lease = |row: &rusqlite::Row<'_>| {
                Ok(TaskLease { id: TaskId(row.get(0)?), fence: row.get(1)? })
            };
            Ok(query.query_map((), lease)?.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The task of a lane that another one of it has to let go first at `now`: the one that runs, else the first one
    /// that is ready, or that was tried and is tried again. What waits for its time and was never tried holds up
    /// nothing: somebody may have put it off for weeks.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn task_lane_before(&self, lane: &str, now: Timestamp) -> Result<Option<TaskRow>, Error> {
        self.0.read("looking for what holds up tasks in", |tx| {
            let sql = "SELECT * FROM tasks
                WHERE state IN ('waiting', 'ready', 'running') AND lane = ?1
                    AND (state <> 'waiting' OR attempts > 0 OR run_at <= ?2)
                ORDER BY state = 'running' DESC, priority, id LIMIT 1";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![lane, now.nanos()])?;
            rows.next()?.map(task_row).transpose()
        })
    }

    /// The earliest moment at which there may be something to lease; `None` when there is nothing. A
    /// moment in the past means now.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn task_next_at(&self) -> Result<Option<Timestamp>, Error> {
        self.0.read("looking for tasks in", |tx| {
            let at = |sql: &str| tx.prepare_cached(sql)?.query_row((), |row| row.get(0));
            let moments: [Option<i64>; 3] = [
                at("SELECT min(run_at) FROM tasks WHERE state = 'ready'")?,
                at("SELECT min(run_at) FROM tasks WHERE state = 'waiting'")?,
                at("SELECT min(lease_until) FROM tasks WHERE state = 'running'")?,
            ];
            Ok(moments.into_iter().flatten().min().map(Timestamp::from_nanos))
        })
    }
}
