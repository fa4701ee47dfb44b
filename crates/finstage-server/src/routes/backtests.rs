//! Backtests on stored bars: what is asked for becomes a task.

use finstage_store::records::Priority;
use hyper::StatusCode;
use serde_json::{Map, Value};

use super::Call;
use crate::answer::Answer;
use crate::app::App;
use crate::backtests::BacktestAsked;
use crate::problem::Problem;
use crate::tasks::{TaskAsked, TaskItem};

/// The type of its tasks.
const KIND: &str = "backtest";

pub(super) fn submit(app: &App, call: &Call) -> Result<Answer, Problem> {
    let mut body: Map<String, Value> = serde_json::from_slice(&call.body)
        .map_err(|why| Problem::bad(format!("the body is not a JSON object: {why}")))?;
    let key = match body.remove("key") {
        None => None,
        Some(Value::String(key)) => Some(key),
        Some(_) => return Err(Problem::bad("key: write text")),
    };
    let priority = match body.remove("priority") {
        None => Priority::Normal,
        Some(word) => word
            .as_str()
            .and_then(Priority::find)
            .ok_or_else(|| Problem::bad("priority: write critical, high, normal or low"))?,
    };
    let data = Value::Object(body);
    let text = data.to_string();
    BacktestAsked::try_from(data).map_err(Problem::bad)?;
    let asked = TaskAsked { kind: KIND.to_owned(), data: text, priority, delay_s: 0, key };
    let submitted = app.desk.submit_task(&asked)?;
    let task = TaskItem::from(&app.records.task(submitted)?);
    let mut answer = Answer::json(&task).with("location", format!("/api/v1/tasks/{submitted}"));
    answer.status = StatusCode::ACCEPTED;
    Ok(answer)
}
