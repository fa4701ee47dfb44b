//! What can be recomputed about a signal, recomputed: its id from its content, the card that it was
//! ruled by, and its place in the chain of the track record.

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
    detail: String,
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
    let detail = match ok {
        true => "strategy, instrument, bar and direction give this id".to_owned(),
        false => format!("strategy, instrument, bar and direction give {computed}"),
    };
    Check { name: "id", ok, detail }
}

/// The bar that it was said on is stored and closed at its price.
fn bar(app: &App, row: &SignalRow) -> Result<Check, Problem> {
    let end = row.interval.close_of(row.open_time);
    let bars = app.history.bars(&row.symbol, row.interval, row.open_time..end)?;
    let (ok, detail) = match bars.iter().find(|bar| bar.open_time == row.open_time) {
        None => (false, "the bar that it was said on is not stored".to_owned()),
        Some(bar) if bar.close == row.price && bar.close_time() == row.at => {
            (true, format!("the stored bar closed at {}", bar.close))
        }
        Some(bar) => (false, format!("the stored bar closed at {}, not {}", bar.close, row.price)),
    };
    Ok(Check { name: "bar", ok, detail })
}

/// The card that verified it was in term when the bar closed.
fn card(app: &App, row: &SignalRow) -> Result<Check, Problem> {
    let name = "card";
    let Some(Ruling::Verified { card }) = row.ruling else {
        let detail = "it is not verified: no card has to prove it".to_owned();
        return Ok(Check { name, ok: true, detail });
    };
    let proof = match app.records.alert(row.alert_id())?.map(|alert| alert.kind) {
        Some(AlertKind::Signal { proof: Some(proof), .. }) if proof.card == card => proof,
        _ => {
            let detail = "the figures of the card that verified it are not there".to_owned();
            return Ok(Check { name, ok: false, detail });
        }
    };
    let is_in_term = proof.issued <= row.at && row.at < proof.expires;
    let is_own = match app.records.card(card)? {
        None => true,
        Some(found) => found.content_id() == card,
    };
    let detail = match (is_in_term, is_own) {
        (true, true) => {
            format!("card {card} knew data until {} and held until {}", proof.issued, proof.expires)
        }
        (false, _) => {
            format!("card {card} was not in term: from {} to {}", proof.issued, proof.expires)
        }
        (_, false) => format!("card {card} was changed: its content has another id"),
    };
    Ok(Check { name, ok: is_in_term && is_own, detail })
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
        return Ok(Check { name, ok: true, detail });
    };
    let verdict = row.ruling.map_or("pending", |ruling| ruling.as_str());
    let is_same = signal.price == row.price && signal.at == row.at && signal.verdict == verdict;
    let linked = linked(app, entry)?;
    let detail = match (&linked, is_same) {
        (Err(why), _) => format!("entry {}: {why}", entry.number),
        (Ok(()), false) => format!("entry {} says something else than the signal", entry.number),
        (Ok(()), true) => {
            format!("entry {} says the same and follows the one before it", entry.number)
        }
    };
    Ok(Check { name, ok: linked.is_ok() && is_same, detail })
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
