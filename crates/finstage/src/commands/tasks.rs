//! `finstage tasks`

use finstage_model::{Clock as _, format_duration};
use finstage_net::SystemClock;
use finstage_server::TaskItem;
use finstage_store::ErrorKind;
use finstage_store::records::{NewTask, Records, TaskFilter, TaskId, TaskRow, TaskState};
use serde_json::json;

use super::{data_dir, load_without_channels, print_json, print_line, print_table, say, say_none};
use crate::cli::{Global, TaskList, TaskSubmit, Tasks};
use crate::exit::{Exit, Failure, Result};
use crate::jobs::kinds::{self, Around, KINDS};
use crate::jobs::shown;
use crate::wiring;

pub(super) fn run(global: &Global, args: &Tasks) -> Result<Exit> {
    if matches!(args, Tasks::Types) {
        return types(global);
    }
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let read = || wiring::read_records(&dir);
    let write = || wiring::reopen_records(&dir);
    match args {
        Tasks::List(args) => list(global, &read()?, args),
        Tasks::Show { id } => show(global, &found(read()?.task(*id))?),
        Tasks::Submit(args) => {
            let feeds = loaded.settings.feeds.iter();
            let watched: Vec<_> = feeds.flat_map(|feed| feed.symbols.iter().cloned()).collect();
            let around = Around { watched: &watched, now: SystemClock.now() };
            submit(global, &write()?, (args, &around))
        }
        Tasks::Cancel { ids } => {
            each(global, ids, |records, id| records.task_cancel(id, SystemClock.now()), &write()?)
        }
        Tasks::Retry { ids } => {
            each(global, ids, |records, id| records.task_retry(id, SystemClock.now()), &write()?)
        }
        Tasks::Stats => stats(global, &read()?),
        Tasks::Types => Ok(Exit::Done),
    }
}

/// A task that is not there, or cannot be treated so, is a matter of usage.
fn found<T>(result: Result<T, finstage_store::Error>) -> Result<T> {
    result.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::Refused => Failure::usage(error),
        _ => error.into(),
    })
}

fn list(global: &Global, records: &Records, args: &TaskList) -> Result<Exit> {
    let filter = TaskFilter {
        state: args.state,
        kind: args.kind.clone(),
        before: args.before,
        limit: args.limit.into(),
    };
    let rows = records.tasks(&filter)?;
    if global.json {
        rows.iter().try_for_each(print_one)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        say_none(global, "tasks", args.state.is_some() || args.kind.is_some());
    }
    let cells = |row: &TaskRow| {
        vec![
            row.id.to_string(),
            row.task.kind.clone(),
            row.state.as_str().to_owned(),
            row.task.priority.as_str().to_owned(),
            format!("{}/{}", row.attempts, row.attempts_max),
            format!("{:.0} %", 100.0 * row.progress),
            seconds(row.run_at),
            row.finished_at.map_or_else(|| "-".to_owned(), seconds),
            row.task.key.clone().unwrap_or_else(|| "-".to_owned()),
            told(row),
        ]
    };
    let names = [
        "id",
        "type",
        "state",
        "priority",
        "tries",
        "progress",
        "run_at",
        "finished_at",
        "key",
        "says",
    ];
    print_table(&names, &rows.iter().map(cells).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

/// Whole seconds are enough for people.
fn seconds(at: finstage_model::Timestamp) -> String {
    finstage_model::Timestamp::from_secs(at.secs()).to_string()
}

/// The most characters of what a task says in a table.
const MAX_TOLD: usize = 60;

/// What a task gave, why it failed, or what it is doing.
fn told(row: &TaskRow) -> String {
    let text = match row.state {
        TaskState::Done => row.result.as_deref(),
        TaskState::Running => row.doing.as_deref(),
        _ => row.reason.as_deref(),
    };
    match text.unwrap_or("-") {
        long if long.chars().count() > MAX_TOLD => {
            let head: String = long.chars().take(MAX_TOLD - 1).collect();
            format!("{head}…")
        }
        text => text.to_owned(),
    }
}

fn print_one(row: &TaskRow) -> Result<()> {
    let text = serde_json::to_string(&TaskItem::from(row)).map_err(Failure::usage)?;
    print_line(&text)
}

fn show(global: &Global, row: &TaskRow) -> Result<Exit> {
    let value = serde_json::to_value(TaskItem::from(row)).map_err(Failure::usage)?;
    if global.json {
        print_json(&value)?;
        return Ok(Exit::Done);
    }
    let fields = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    for (name, value) in fields {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        print_line(&format!("{name:<13} {text}"))?;
    }
    Ok(Exit::Done)
}

fn submit(
    global: &Global,
    records: &Records,
    (args, around): (&TaskSubmit, &Around<'_>),
) -> Result<Exit> {
    let kind = kinds::find(&args.kind)?;
    let usual = shown::task(kind, &args.data, around)?;
    let now = around.now;
    let task = NewTask {
        priority: args.priority,
        run_at: args.delay.map(|delay| now.plus(delay)),
        key: args.key.clone(),
        tries: args.tries.unwrap_or(usual.tries),
        ..usual
    };
    let submitted = found(records.task_submit(task, now))?;
    let row = records.task(submitted.id)?;
    let words = if submitted.was_there { "is there already" } else { "submitted" };
    said(global, &row, words)
}

fn each(
    global: &Global,
    ids: &[TaskId],
    treat: impl Fn(&Records, TaskId) -> Result<TaskRow, finstage_store::Error>,
    records: &Records,
) -> Result<Exit> {
    for id in ids {
        let row = found(treat(records, *id))?;
        let words = match row.state {
            TaskState::Running if row.cancel_asked => "is told to end",
            state => state.as_str(),
        };
        said(global, &row, words)?;
    }
    Ok(Exit::Done)
}

/// A task as it now is: JSON, or its number with a word for people.
pub(super) fn said(global: &Global, row: &TaskRow, words: &str) -> Result<Exit> {
    if global.json {
        print_one(row)?;
    } else {
        print_line(&row.id.to_string())?;
        say(global, format_args!("task {} ({}): {words}", row.id, row.task.kind));
    }
    Ok(Exit::Done)
}

fn stats(global: &Global, records: &Records) -> Result<Exit> {
    let (counts, kinds) = (records.task_counts()?, records.task_stats()?);
    if global.json {
        let kinds: Vec<_> = kinds
            .iter()
            .map(|one| {
                json!({
                    "type": one.kind, "done": one.done, "dead": one.dead, "open": one.open,
                    "attempts": one.attempts, "mean_wait_s": one.mean_wait.as_secs_f64(),
                    "mean_run_s": one.mean_run.as_secs_f64(),
                })
            })
            .collect();
        print_json(&json!({
            "waiting": counts.waiting, "ready": counts.ready, "running": counts.running,
            "done": counts.done, "dead": counts.dead, "cancelled": counts.cancelled, "types": kinds,
        }))?;
        return Ok(Exit::Done);
    }
    print_line(&format!(
        "waiting {}  ready {}  running {}  done {}  dead {}  cancelled {}",
        counts.waiting, counts.ready, counts.running, counts.done, counts.dead, counts.cancelled
    ))?;
    let rounded = |mean: std::time::Duration| {
        format_duration(std::time::Duration::from_millis(mean.as_millis() as u64))
    };
    let cells = |one: &finstage_store::records::KindStats| {
        vec![
            one.kind.clone(),
            one.done.to_string(),
            one.dead.to_string(),
            one.open.to_string(),
            one.attempts.to_string(),
            rounded(one.mean_wait),
            rounded(one.mean_run),
        ]
    };
    let names = ["type", "done", "dead", "open", "tries", "mean_wait", "mean_run"];
    print_table(&names, &kinds.iter().map(cells).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn types(global: &Global) -> Result<Exit> {
    if global.json {
        for kind in KINDS {
            let line = json!({"type": kind.name, "describes": kind.describes, "takes": kind.takes});
            print_line(&line.to_string())?;
        }
        return Ok(Exit::Done);
    }
    let cells = |kind: &kinds::Kind| {
        vec![kind.name.to_owned(), kind.describes.to_owned(), kind.takes.to_owned()]
    };
    print_table(&["type", "describes", "takes"], &KINDS.iter().map(cells).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}
