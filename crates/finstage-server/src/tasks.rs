//! Tasks and schedules as lists have them.

use finstage_model::Timestamp;
use finstage_store::records::{Priority, TaskRow};
use serde::Serialize;
use serde_json::Value;

/// A task in a list. Also what `finstage tasks` prints.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskItem {
    id: i64,
    r#type: String,
    state: &'static str,
    priority: &'static str,
    created_at: Timestamp,
    run_at: Timestamp,
    attempts: u32,
    attempts_max: u32,
    progress: f64,
    doing: Option<String>,
    cancel_asked: bool,
    worker: Option<String>,
    leased_at: Option<Timestamp>,
    lease_until: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    timeout_s: f64,
    key: Option<String>,
    lane: Option<String>,
    data: Value,
    result: Option<Value>,
    error: Option<String>,
}

/// JSON as it was given; text where it is none.
fn value(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

impl From<&TaskRow> for TaskItem {
    fn from(row: &TaskRow) -> Self {
        Self {
            id: row.id.to_i64(),
            r#type: row.task.kind.clone(),
            state: row.state.as_str(),
            priority: row.task.priority.as_str(),
            created_at: row.created_at,
            run_at: row.run_at,
            attempts: row.attempts,
            attempts_max: row.attempts_max,
            progress: row.progress,
            doing: row.doing.clone(),
            cancel_asked: row.cancel_asked,
            worker: row.worker.clone(),
            leased_at: row.leased_at,
            lease_until: row.lease_until,
            finished_at: row.finished_at,
            timeout_s: row.task.timeout.as_secs_f64(),
            key: row.task.key.clone(),
            lane: row.task.lane.clone(),
            data: value(&row.task.payload),
            result: row.result.as_deref().map(value),
            error: row.reason.clone(),
        }
    }
}

/// A schedule in a list. Also what `finstage schedule` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ScheduleItem {
    /// The job.
    pub name: String,
    /// What it does.
    pub describes: String,
    /// When, in a few words.
    pub when: String,
    /// The zone of times of the day: an IANA name.
    pub zone: String,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// `skip`, `once` or `all`.
    pub catch_up: &'static str,
    /// Each run is up to so many seconds later.
    pub jitter_s: u64,
    /// When it last ran to its end, or the occurrence up to which all were run or passed over, if that is later.
    pub last_at: Option<Timestamp>,
    /// The next occurrences.
    pub next: Vec<Timestamp>,
}

/// What is to be done, as a request says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskAsked {
    /// The type.
    pub kind: String,
    /// What it is given: JSON.
    pub data: String,
    /// How urgent it is.
    pub priority: Priority,
    /// How many seconds later.
    pub delay_s: u32,
    /// Who submits the same key again gets the task that is there.
    pub key: Option<String>,
}
