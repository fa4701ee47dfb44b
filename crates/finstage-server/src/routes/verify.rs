//! What can be recomputed about a signal, recomputed: its id from its content, the card that it was
//! ruled by, and its place in the chain of the track record.

use std::collections::BTreeMap;

use finstage_model::{AlertKind, Ruling, SignalId};
use finstage_store::records::{Head, SignalRow, TrackEntry, TrackRow};
use serde::Serialize;

use super::Call;
use super::signals::find;
use crate::answer::Answer;
use crate::app::App;
use crate::problem::Problem;

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    /// A machine word for what was found.
    reason: &'static str,
    /// What the detail names, by the names that words in other languages have for it.
    figures: BTreeMap<&'static str, String>,
    detail: String,
}

/// What a check found: its word, the figures, and both in English.
type Found = (&'static str, Vec<(&'static str, String)>, String);

impl Check {
    fn new(name: &'static str, ok: bool, (reason, figures, detail): Found) -> Self {
        Self { name, ok, reason, figures: figures.into_iter().collect(), detail }
    }
}

#[derive(Serialize)]
struct Body {
    ok: bool,
    checks: Vec<Check>,
}

pub(super) fn verify(app: &App, call: &Call) -> Result<Answer, Problem> {
    let row = find(app, &call.id)?;
    let checks = vec![identity(&row), bar(app, &row)?, card(app, &row)?, chain(app, &row)?];
    Ok(Answer::json(&Body { ok: checks.iter().all(|check| check.ok), checks }))
}

fn identity(row: &SignalRow) -> Check {
    let SignalRow { strategy, symbol, interval, open_time, direction, .. } = row;
    let computed = SignalId::of(strategy, symbol, *interval, *open_time, *direction);
    let ok = computed == row.id;
    let words = "strategy, instrument, bar and direction give";
    let found: Found = match ok {
        true => ("id_same", vec![], format!("{words} this id")),
        false => ("id_other", vec![("id", computed.to_string())], format!("{words} {computed}")),
    };
    Check::new("id", ok, found)
}

/// The bar that it was said on is stored and closed at its price.
fn bar(app: &App, row: &SignalRow) -> Result<Check, Problem> {
    let end = row.interval.close_of(row.open_time);
    let bars = app.history.bars(&row.symbol, row.interval, row.open_time..end)?;
    let bar = bars.iter().find(|bar| bar.open_time == row.open_time);
    let ok = bar.is_some_and(|bar| bar.close == row.price && bar.close_time() == row.at);
    let found: Found = match bar.map(|bar| bar.close) {
        None => ("bar_missing", vec![], "the bar that it was said on is not stored".to_owned()),
        Some(close) => {
            let figures = vec![("close", close.to_string()), ("price", row.price.to_string())];
            let words = format!("the stored bar closed at {close}");
            match ok {
                true => ("bar_same", figures, words),
                false => ("bar_other", figures, format!("{words}, not {}", row.price)),
            }
        }
    };
    Ok(Check::new("bar", ok, found))
}

/// The card that verified it was in term when the bar closed.
fn card(app: &App, row: &SignalRow) -> Result<Check, Problem> {
    let name = "card";
    let Some(Ruling::Verified { card }) = row.ruling else {
        let detail = "it is not verified: no card has to prove it".to_owned();
        return Ok(Check::new(name, true, ("card_not_needed", vec![], detail)));
    };
    let proof = match app.records.alert(row.alert_id())?.map(|alert| alert.kind) {
        Some(AlertKind::Signal { proof: Some(proof), .. }) if proof.card == card => proof,
        _ => {
            let detail = "the figures of the card that verified it are not there".to_owned();
            return Ok(Check::new(name, false, ("card_missing", vec![], detail)));
        }
    };
    let is_in_term = proof.issued <= row.at && row.at < proof.expires;
    let is_own = match app.records.card(card)? {
        None => true,
        Some(found) => found.content_id() == card,
    };
    let (from, until) = (proof.issued.to_string(), proof.expires.to_string());
    let (reason, detail) = match (is_in_term, is_own) {
        (true, true) => {
            ("card_held", format!("card {card} knew data until {from} and held until {until}"))
        }
        (false, _) => {
            ("card_out_of_term", format!("card {card} was not in term: from {from} to {until}"))
        }
        (_, false) => {
            ("card_changed", format!("card {card} was changed: its content has another id"))
        }
    };
    let figures = vec![("card", card.to_string()), ("from", from), ("until", until)];
    Ok(Check::new(name, is_in_term && is_own, (reason, figures, detail)))
}

/// Its entry in the track record says the same, and follows the entry before it.
fn chain(app: &App, row: &SignalRow) -> Result<Check, Problem> {
    let name = "track_record";
    let entries = app.records.track_of(row.id)?;
    let found = entries.iter().find_map(|entry| match &entry.entry {
        TrackEntry::Signal(signal) => Some((entry, signal)),
        TrackEntry::Outcome(_) => None,
    });
    let Some((entry, signal)) = found else {
        let detail = "it is not in the track record yet: it joins within an hour".to_owned();
        return Ok(Check::new(name, true, ("entry_pending", vec![], detail)));
    };
    let verdict = row.ruling.map_or("pending", |ruling| ruling.as_str());
    let is_same = signal.price == row.price && signal.at == row.at && signal.verdict == verdict;
    let linked = linked(app, entry)?;
    let ok = linked.is_ok() && is_same;
    let number = entry.number;
    let mut figures = vec![("entry", number.to_string())];
    let (reason, detail) = match (linked, is_same) {
        (Err(why), _) => {
            let detail = format!("entry {number}: {why}");
            figures.push(("why", why));
            ("entry_broken", detail)
        }
        (Ok(()), false) => {
            ("entry_other", format!("entry {number} says something else than the signal"))
        }
        (Ok(()), true) => {
            ("entry_same", format!("entry {number} says the same and follows the one before it"))
        }
    };
    Ok(Check::new(name, ok, (reason, figures, detail)))
}

fn linked(app: &App, entry: &TrackRow) -> Result<Result<(), String>, Problem> {
    let mut head = Head::default();
    if entry.number > 1 {
        let before = app.records.track(entry.number - 2, 1)?;
        let Some(before) = before.first().filter(|row| row.number == entry.number - 1) else {
            return Ok(Err("the entry before it is missing".to_owned()));
        };
        head = Head { entries: before.number, head: before.hash.clone() };
    }
    Ok(head.follow(&entry.text, &entry.hash))
}
