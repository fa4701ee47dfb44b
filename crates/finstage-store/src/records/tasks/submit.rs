//! Tasks enter the queue.

use std::time::Duration;

use finstage_model::{Timestamp, format_duration};
use rusqlite::{OptionalExtension, Transaction, params};

use super::{
    MAX_DELAY, MAX_NAME_BYTES, MAX_PAYLOAD_BYTES, MAX_TRIES, Mark, NewTask, TaskId, TaskState,
    marks, millis, refused,
};
use crate::Error;
use crate::records::Records;
use crate::records::db::Trouble;

/// The task that a submission led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Submitted {
    /// Its number.
    pub id: TaskId,
    /// Whether it was there already, under the same key.
    pub was_there: bool,
}

impl Records {
    /// Takes a task into the queue; it is on disk when this returns.
    ///
    /// # Errors
    /// `Refused` when it breaks a bound; as every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn task_submit(&self, task: NewTask, now: Timestamp) -> Result<Submitted, Error> {
        self.0.write_together("submitting a task to", move |tx| {
            check(&task)?;
            check_delay(&task, now)?;
            check_key(tx, &task)?;
            submit(tx, &task, now)
        })
    }

    /// Takes tasks into the queue, all or none of them, in their order.
    ///
    /// # Errors
    /// As [`Records::task_submit`].
    pub fn task_submit_many(
        &self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, Error> {
        self.0.write_together("submitting tasks to", move |tx| {
            tasks.iter().try_for_each(check)?;
            for task in &tasks {
                check_delay(task, now)?;
                check_key(tx, task)?;
            }
            tasks.iter().map(|task| submit(tx, task, now)).collect()
        })
    }

    /// Takes the tasks of a schedule into the queue, and notes that it has come as far as `mark`, in one
    /// step: whatever happens to the process, no occurrence is lost or doubled.
    ///
    /// # Errors
    /// As [`Records::task_submit`].
    pub fn task_submit_due(
        &self,
        mark: Mark,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Submitted>, Error> {
        self.0.write_together("submitting due tasks to", move |tx| {
            tasks.iter().try_for_each(check)?;
            marks::set(tx, &mark)?;
            tasks.iter().map(|task| submit(tx, task, now)).collect()
        })
    }
}

/// Whether a task keeps the bounds.
fn check(task: &NewTask) -> Result<(), Trouble> {
    let kind = &task.kind;
    if kind.is_empty() || kind.len() > MAX_NAME_BYTES {
        return Err(refused(format!(
            "the type of a task has {} bytes: 1 to {MAX_NAME_BYTES} can be kept",
            kind.len()
        )));
    }
    if task.payload.len() > MAX_PAYLOAD_BYTES {
        return Err(refused(format!(
            "task \"{kind}\" is given {} bytes: at most {MAX_PAYLOAD_BYTES} are kept; put more into a file and name it",
            task.payload.len()
        )));
    }
    if task.tries == 0 || task.tries > MAX_TRIES {
        return Err(refused(format!(
            "task \"{kind}\" asks for {} tries: 1 to {MAX_TRIES} are possible",
            task.tries
        )));
    }
    for (what, name) in [("key", &task.key), ("lane", &task.lane)] {
        if name.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NAME_BYTES) {
            return Err(refused(format!(
                "the {what} of task \"{kind}\" must have 1 to {MAX_NAME_BYTES} bytes"
            )));
        }
    }
    Ok(())
}

/// Whether a task is put off for no longer than it can be. Not of schedules: theirs follows from settings.
fn check_delay(task: &NewTask, now: Timestamp) -> Result<(), Trouble> {
    let delay = task.run_at.map_or(Duration::ZERO, |run_at| run_at.since(now));
    match delay > MAX_DELAY {
        true => Err(refused(format!(
            "task \"{}\" is to wait {}: at most {} are possible",
            task.kind,
            format_duration(delay),
            format_duration(MAX_DELAY)
        ))),
        false => Ok(()),
    }
}

/// Whether the key of a task is none of another type's. Not of schedules: nobody can stop them by taking their keys.
fn check_key(tx: &Transaction<'_>, task: &NewTask) -> Result<(), Trouble> {
    let Some(key) = &task.key else { return Ok(()) };
    let mut query = tx.prepare_cached("SELECT id, kind FROM tasks WHERE idem = ?")?;
    let found: Option<(i64, String)> =
        query.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match found {
        Some((id, kind)) if kind != task.kind => Err(refused(format!(
            "key \"{key}\" is that of task {id} of type \"{kind}\": write another one"
        ))),
        _ => Ok(()),
    }
}

fn submit(tx: &Transaction<'_>, task: &NewTask, now: Timestamp) -> Result<Submitted, Trouble> {
    if let Some(key) = &task.key {
        let mut query = tx.prepare_cached("SELECT id FROM tasks WHERE idem = ?")?;
        if let Some(id) = query.query_row([key], |row| row.get(0)).optional()? {
            return Ok(Submitted { id: TaskId(id), was_there: true });
        }
    }
    let run_at = task.run_at.unwrap_or(now);
    let state = if run_at > now { TaskState::Waiting } else { TaskState::Ready };
    let sql = "INSERT INTO tasks (kind, idem, lane, state, priority, run_at, created_at, payload,
            tries, backoff_ms, timeout_ms, attempts, attempts_max, fence, cancel_asked, progress)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, 0, 0, 0)";
    tx.prepare_cached(sql)?.execute(params![
        task.kind,
        task.key,
        task.lane,
        state.as_str(),
        task.priority as i64,
        run_at.nanos(),
        now.nanos(),
        task.payload,
        task.tries,
        millis(task.backoff),
        millis(task.timeout),
        task.tries,
    ])?;
    Ok(Submitted { id: TaskId(tx.last_insert_rowid()), was_there: false })
}
