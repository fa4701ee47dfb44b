//! Rules on prices alone.

use finstage_model::Symbol;
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::Call;
use super::paging::page;
use crate::answer::Answer;
use crate::app::App;
use crate::problem::Problem;

/// The longest rule.
const MAX_RULE_CHARS: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct New {
    symbol: Symbol,
    rule: String,
}

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let key = |item: &Value| item["id"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(&page(app.desk.watches()?, &call.query, key)?))
}

pub(super) fn add(app: &App, call: &Call) -> Result<Answer, Problem> {
    let new: New = serde_json::from_slice(&call.body).map_err(|_| {
        Problem::bad("write {\"symbol\": \"binance:BTCUSDT\", \"rule\": \"rise=3%\"}")
    })?;
    if new.rule.chars().count() > MAX_RULE_CHARS {
        return Err(Problem::bad(format!("a rule has at most {MAX_RULE_CHARS} characters")));
    }
    let mut answer = Answer::json(&app.desk.add_watch(&new.symbol, &new.rule)?);
    answer.status = StatusCode::CREATED;
    Ok(answer)
}

pub(super) fn remove(app: &App, call: &Call) -> Result<Answer, Problem> {
    app.desk.remove_watch(&call.id)?;
    let mut answer = Answer::of("application/json", "");
    answer.status = StatusCode::NO_CONTENT;
    Ok(answer)
}
