//! Strategies, the evidence for them, and the record of what they said.

use std::cmp::Reverse;
use std::sync::PoisonError;

use finstage_model::Card;
use serde_json::{Value, json};

use super::Call;
use super::paging::page;
use crate::answer::Answer;
use crate::app::App;
use crate::problem::Problem;

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let items = app.desk.strategies()?;
    let key = |item: &Value| item["name"].as_str().unwrap_or_default().to_owned();
    Ok(Answer::json(&page(items, &call.query, key)?))
}

pub(super) fn cards(app: &App, call: &Call) -> Result<Answer, Problem> {
    let verdict = call.query.text("verdict");
    let mut cards: Vec<Card> =
        app.records.cards_since(0)?.into_iter().map(|row| row.card).collect();
    cards.retain(|card| verdict.is_none_or(|verdict| card.verdict.as_str() == verdict));
    cards.sort_by_cached_key(|card| {
        (
            Reverse(card.verdict),
            card.strategy.clone(),
            card.scope.clone(),
            card.horizon,
            card.hypothesis(),
        )
    });
    Ok(Answer::json(&page(cards, &call.query, Card::hypothesis)?))
}

/// The chain is followed from its first entry: again only when its end has moved.
pub(super) fn track_record(app: &App, _: &Call) -> Result<Answer, Problem> {
    let head = app.records.track_head()?;
    let mut known = app.track.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((of, value)) = known.as_ref()
        && *of == head
    {
        return Ok(Answer::json(value));
    }
    let check = app.records.check_track()?;
    let fault = check.fault.as_ref().map(|(row, why)| json!({"row": row, "why": why}));
    let value = json!({
        "entries": check.entries,
        "head": check.head,
        "ok": check.fault.is_none(),
        "fault": fault,
        "statistics": app.desk.statistics()?,
    });
    let answer = Answer::json(&value);
    *known = Some((head, value));
    Ok(answer)
}
