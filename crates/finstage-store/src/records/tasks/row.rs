//! A task as a row of SQL.

use std::time::Duration;

use finstage_model::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row};

use super::{NewTask, Priority, TaskId, TaskRow, TaskState, missing};
use crate::records::db::Trouble;

/// The task `id` as it is now.
pub(super) fn find(tx: &Connection, id: TaskId) -> Result<TaskRow, Trouble> {
    let mut query = tx.prepare_cached("SELECT * FROM tasks WHERE id = ?")?;
    let found = query.query_row([id.0], |row| Ok(task_row(row))).optional()?;
    found.unwrap_or_else(|| Err(missing(id)))
}

pub(super) fn task_row(row: &Row<'_>) -> Result<TaskRow, Trouble> {
    let moment = |column: &'static str| -> Result<Option<Timestamp>, Trouble> {
        Ok(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_nanos))
    };
    let duration = |column: &'static str| -> Result<Duration, Trouble> {
        Ok(Duration::from_millis(row.get::<_, i64>(column)?.unsigned_abs()))
    };
    let run_at = Timestamp::from_nanos(row.get("run_at")?);
    Ok(TaskRow {
        id: TaskId(row.get("id")?),
        task: NewTask {
            kind: row.get("kind")?,
            payload: row.get("payload")?,
            priority: priority(row.get("priority")?)?,
            run_at: Some(run_at),
            tries: row.get("tries")?,
            backoff: duration("backoff_ms")?,
            timeout: duration("timeout_ms")?,
            key: row.get("idem")?,
            lane: row.get("lane")?,
        },
        state: state(&row.get::<_, String>("state")?)?,
        created_at: Timestamp::from_nanos(row.get("created_at")?),
        run_at,
        attempts: row.get("attempts")?,
        attempts_max: row.get("attempts_max")?,
        worker: row.get("worker")?,
        leased_at: moment("leased_at")?,
        lease_until: moment("lease_until")?,
        cancel_asked: row.get("cancel_asked")?,
        progress: row.get("progress")?,
        doing: row.get("doing")?,
        finished_at: moment("finished_at")?,
        result: row.get("result")?,
        reason: row.get("reason")?,
    })
}

pub(super) fn state(word: &str) -> Result<TaskState, Trouble> {
    TaskState::find(word).ok_or_else(|| Trouble::BadRow(format!("task state \"{word}\"")))
}

pub(super) fn priority(number: i64) -> Result<Priority, Trouble> {
    let found = usize::try_from(number).ok().and_then(|at| Priority::ALL.get(at).copied());
    found.ok_or_else(|| Trouble::BadRow(format!("task priority {number}")))
}
