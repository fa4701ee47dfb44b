//! The queue of tasks, and the schedules that fill it.

use finstage_store::records::{MAX_DELAY, Priority, TaskFilter, TaskId, TaskRow, TaskState};
use hyper::StatusCode;
use serde_json::{Map, Value};

use super::Call;
use super::paging::{gone, page};
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::problem::Problem;
use crate::tasks::{ScheduleItem, TaskAsked, TaskItem};

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let limit = call.query.limit();
    let before = match call.query.text("cursor") {
        Some(cursor) => Some(cursor.parse::<TaskId>().map_err(|_| gone())?),
        None => None,
    };
    let mut filter = TaskFilter {
        state: call.query.text("state").and_then(TaskState::find),
        kind: call.query.text("type").map(str::to_owned),
        before,
        limit,
    };
    let mut rows = app.records.tasks(&filter)?;
    // One more tells whether there is another page; a page of the store may be full without it.
    if let Some(last) = rows.last().filter(|_| rows.len() == limit) {
        (filter.before, filter.limit) = (Some(last.id), 1);
        rows.extend(app.records.tasks(&filter)?);
    }
    let Page { items, next_cursor } = Page::cut(rows, limit, |row: &TaskRow| row.id.to_string());
    let items: Vec<TaskItem> = items.iter().map(TaskItem::from).collect();
    Ok(Answer::json(&Page { items, next_cursor }))
}

pub(super) fn show(app: &App, call: &Call) -> Result<Answer, Problem> {
    Ok(Answer::json(&TaskItem::from(&app.records.task(id(call)?)?)))
}

pub(super) fn submit(app: &App, call: &Call) -> Result<Answer, Problem> {
    let body: Map<String, Value> = serde_json::from_slice(&call.body)
        .map_err(|why| Problem::bad(format!("the body is no JSON object: {why}")))?;
    let asked = asked(body).map_err(Problem::bad)?;
    let submitted = app.desk.submit_task(&asked)?;
    let mut answer = Answer::json(&TaskItem::from(&app.records.task(submitted)?));
    answer.status = StatusCode::CREATED;
    Ok(answer)
}

/// The error begins with the field at fault.
fn asked(mut body: Map<String, Value>) -> Result<TaskAsked, String> {
    let delay = body.remove("delay_s");
    let mut take = |name: &str| body.remove(name).filter(|value| !value.is_null());
    let text = |name: &str, value: Value| match value {
        Value::String(text) => Ok(text),
        _ => Err(format!("{name}: write text")),
    };
    let most = MAX_DELAY.as_secs();
    let kind =
        take("type").ok_or("type: it is missing: write one, as in {\"type\": \"verify\"}")?;
    let asked = TaskAsked {
        kind: text("type", kind)?,
        data: take("data").map_or_else(|| "{}".to_owned(), |data| data.to_string()),
        priority: match take("priority") {
            None => Priority::Normal,
            Some(word) => word
                .as_str()
                .and_then(Priority::find)
                .ok_or("priority: write critical, high, normal or low")?,
        },
        delay_s: match delay {
            None => 0,
            Some(delay) => delay
                .as_u64()
                .filter(|delay| *delay <= most)
                .and_then(|delay| u32::try_from(delay).ok())
                .ok_or_else(|| format!("delay_s: write whole seconds, 0 to {most}"))?,
        },
        key: take("key").map(|key| text("key", key)).transpose()?,
    };
    match body.keys().next() {
        Some(unknown) => Err(format!(
            "{unknown}: there is no such field: write type, data, priority, delay_s or key"
        )),
        None => Ok(asked),
    }
}

pub(super) fn cancel(app: &App, call: &Call) -> Result<Answer, Problem> {
    let row = app.records.task_cancel(id(call)?, app.clock.now())?;
    Ok(Answer::json(&TaskItem::from(&row)))
}

pub(super) fn schedules(app: &App, call: &Call) -> Result<Answer, Problem> {
    let key = |item: &ScheduleItem| item.name.clone();
    Ok(Answer::json(&page(app.desk.schedules()?, &call.query, key)?))
}

fn id(call: &Call) -> Result<TaskId, Problem> {
    call.id.parse().map_err(|_| Problem::not_found("no such task: an id is a whole number"))
}
