//! Signals and what became of them.

use std::collections::BTreeSet;

use finstage_model::{Horizon, SignalId, Timestamp};
use finstage_store::records::{OutcomePage, SignalPage, SignalRow, TrackEntry};
use serde::Serialize;

use super::Call;
use super::paging::{gone, moment};
use crate::answer::{Answer, Page};
use crate::app::App;
use crate::problem::Problem;
use crate::rows::{AlertItem, BarItem, SignalItem, alert_items, signal_items};

/// Bars of a chart, half of them before the signal and half behind it.
const CHART_BARS: usize = 120;

/// A settled outcome in a list.
#[derive(Serialize)]
struct OutcomeItem {
    number: u64,
    signal: SignalId,
    symbol: finstage_model::Symbol,
    interval: finstage_model::Interval,
    strategy: String,
    direction: finstage_model::Direction,
    at: Timestamp,
    verdict: String,
    horizon: Horizon,
    entry_at: Timestamp,
    entry: finstage_model::Price,
    exit_at: Timestamp,
    exit: finstage_model::Price,
    r#return: f64,
    mfe: f64,
    mae: f64,
    hit: bool,
}

/// An outcome of one signal, whether it is known or not.
#[derive(Serialize)]
struct OutcomeOf {
    horizon: Horizon,
    due: Timestamp,
    known: bool,
    r#return: Option<f64>,
    hit: Option<bool>,
}

#[derive(Serialize)]
struct Chart {
    interval: finstage_model::Interval,
    bars: Vec<BarItem>,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    signal: SignalItem,
    outcomes: Vec<OutcomeOf>,
    chart: Chart,
    alerts: Vec<AlertItem>,
    data_age_ms: Option<i64>,
}

pub(super) fn list(app: &App, call: &Call) -> Result<Answer, Problem> {
    let limit = call.query.limit();
    let rows = app.records.signal_page(&SignalPage {
        symbol: call.query.parsed("symbol"),
        strategy: call.query.text("strategy").map(str::to_owned),
        verdict: call.query.text("verdict").map(str::to_owned),
        after: moment(&call.query)?,
        limit: limit + 1,
    })?;
    let page = Page::cut(rows, limit, |row| format!("{}.{}", row.at.nanos(), row.id));
    let items = signal_items(&app.records, app.desk.as_ref(), page.items)?;
    Ok(Answer::json(&Page { items, next_cursor: page.next_cursor }))
}

pub(super) fn show(app: &App, call: &Call) -> Result<Answer, Problem> {
    let row = find(app, &call.id)?;
    let alerts = app.records.alert_rows_with(&BTreeSet::from([row.alert_id()]))?;
    let data_age_ms = alerts.first().map(|row| row.alert.data_age_ms);
    let outcomes = outcomes_of(app, &row)?;
    let bars = chart(app, &row)?;
    let alerts = alert_items(&app.records, app.desk.as_ref(), alerts)?;
    let interval = row.interval;
    let mut items = signal_items(&app.records, app.desk.as_ref(), vec![row])?;
    let signal = items.pop().ok_or_else(|| Problem::not_found("no such signal"))?;
    let chart = Chart { interval, bars };
    Ok(Answer::json(&Shown { signal, outcomes, chart, alerts, data_age_ms }))
}

/// The signal whose id begins so.
pub(super) fn find(app: &App, id: &str) -> Result<SignalRow, Problem> {
    if id.len() > 32 || !id.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(Problem::not_found("no such signal: an id is 32 hexadecimal digits"));
    }
    Ok(app.records.signal(id)?)
}

/// Every horizon that is known, and those to come that bars of this length can tell.
fn outcomes_of(app: &App, row: &SignalRow) -> Result<Vec<OutcomeOf>, Problem> {
    let entries = app.records.track_of(row.id)?;
    let known = |horizon: Horizon| {
        entries.iter().find_map(|entry| match &entry.entry {
            TrackEntry::Outcome(outcome) if outcome.horizon == horizon => Some(outcome),
            _ => None,
        })
    };
    let possible =
        Horizon::ALL.into_iter().filter(|horizon| horizon.bars(row.interval, true).is_some());
    Ok(possible
        .map(|horizon| {
            let outcome = known(horizon);
            OutcomeOf {
                horizon,
                due: row.at.plus(horizon.interval().nominal()),
                known: outcome.is_some(),
                r#return: outcome.map(|outcome| outcome.ret),
                hit: outcome.map(|outcome| outcome.hit),
            }
        })
        .collect())
}

fn chart(app: &App, row: &SignalRow) -> Result<Vec<BarItem>, Problem> {
    let half = CHART_BARS / 2;
    let before = app.history.last_bars(&row.symbol, row.interval, row.at, half)?;
    // Markets close: twice the time and a few days hold enough bars, or all there are.
    let span = row.interval.nominal().saturating_mul(2 * half as u32);
    let until = row.at.plus(span).plus(std::time::Duration::from_secs(5 * 86_400));
    let mut bars = before;
    let from = bars.last().map_or(row.open_time, |bar| bar.close_time());
    let behind = app.history.bars(&row.symbol, row.interval, from..until)?;
    bars.extend(behind.into_iter().take(half));
    Ok(bars.iter().map(BarItem::from).collect())
}

pub(super) fn outcomes(app: &App, call: &Call) -> Result<Answer, Problem> {
    let limit = call.query.limit();
    let signal = match call.query.text("signal") {
        None => None,
        Some(id) => Some(find(app, id)?.id),
    };
    let after = match call.query.text("cursor").map(str::parse::<u64>) {
        None => None,
        Some(Ok(number)) => Some(number),
        Some(Err(_)) => return Err(gone()),
    };
    let symbol = call.query.parsed("symbol");
    let rows =
        app.records.outcome_page(&OutcomePage { symbol, signal, after, limit: limit + 1 })?;
    let page = Page::cut(rows, limit, |known| known.number.to_string());
    let item = |known: finstage_store::records::Known| {
        let (outcome, signal) = (known.outcome, known.signal);
        OutcomeItem {
            number: known.number,
            signal: outcome.id,
            symbol: signal.symbol,
            interval: signal.interval,
            strategy: signal.strategy,
            direction: signal.direction,
            at: signal.at,
            verdict: signal.verdict,
            horizon: outcome.horizon,
            entry_at: outcome.entry_at,
            entry: outcome.entry,
            exit_at: outcome.exit_at,
            exit: outcome.exit,
            r#return: outcome.ret,
            mfe: outcome.mfe,
            mae: outcome.mae,
            hit: outcome.hit,
        }
    };
    let items: Vec<OutcomeItem> = page.items.into_iter().map(item).collect();
    Ok(Answer::json(&Page { items, next_cursor: page.next_cursor }))
}
