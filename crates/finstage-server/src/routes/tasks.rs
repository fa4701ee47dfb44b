//! The queue of tasks, and the schedules that fill it.

use finstage_store::records::{Priority, TaskFilter, TaskId, TaskRow, TaskState};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::Call;
use super::paging::{gone, page};
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::problem::Problem;
use crate::tasks::{ScheduleItem, TaskAsked, TaskItem};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    r#type: String,
    data: Option<Value>,
    priority: Option<String>,
    #[serde(default)]
    delay_s: u32,
    key: Option<String>,
}

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
    let new: New = serde_json::from_slice(&call.body)
        .map_err(|_| Problem::bad("write {\"type\": \"verify\", \"data\": {}}"))?;
    let priority = match new.priority.as_deref() {
        None => Priority::Normal,
        Some(word) => Priority::find(word)
            .ok_or_else(|| Problem::bad("priority is one of: critical high normal low"))?,
    };
    let asked = TaskAsked {
        kind: new.r#type,
        data: new.data.map_or_else(|| "{}".to_owned(), |data| data.to_string()),
        priority,
        delay_s: new.delay_s,
        key: new.key,
    };
    let submitted = app.desk.submit_task(&asked)?;
    let mut answer = Answer::json(&TaskItem::from(&app.records.task(submitted)?));
    answer.status = StatusCode::CREATED;
    Ok(answer)
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
