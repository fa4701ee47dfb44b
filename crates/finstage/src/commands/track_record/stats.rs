//! `finstage track-record stats`

mod any_bar;

use std::collections::BTreeMap;

use finstage_model::{AlertKind, Card, Horizon, Interval, SignalId};
use finstage_research::live::{
    Calibration, Drift, Followed, Group, Said, Statistics, calibration, statistics,
};
use finstage_store::history::History;
use finstage_store::records::{Filter, Records};
use serde_json::{Value, json};

use crate::cli::Global;
use crate::commands::{print_json, print_line, print_table, say};
use crate::drift;
use crate::exit::Result;
use crate::report::provenance;

/// The newest alerts whose forecasts are read.
const ALERTS_MAX: usize = 200_000;

/// Why a group has no base rate.
const NO_BASE: &str = "too few bars to know any";

/// What live signals came to.
struct Found {
    groups: Vec<Statistics>,
    watched: Vec<(Card, Drift)>,
    muted: Vec<Card>,
    calibration: Calibration,
}

fn find(records: &Records, history: &History) -> Result<Found> {
    let settled = drift::settled(records)?;
    let mut groups = statistics(&settled);
    any_bar::fill(&mut groups, &settled, (records, history))?;
    let calibration = calibration(&forecasts(records, &settled)?);
    Ok(Found {
        groups,
        watched: drift::watched(records)?,
        muted: drift::muted(records)?,
        calibration,
    })
}

/// What live signals came to, as one document.
pub(crate) fn document(records: &Records, history: &History) -> Result<Value> {
    let found = find(records, history)?;
    let watched = found.watched.iter().map(|(card, drift)| card_object(card, Some(drift)));
    let cards: Vec<Value> =
        watched.chain(found.muted.iter().map(|card| card_object(card, None))).collect();
    Ok(json!({
        "provenance": provenance(records)?,
        "statistics": found.groups,
        "cards": cards,
        "calibration": found.calibration,
    }))
}

/// Shows what live signals came to.
pub(super) fn show(global: &Global, records: &Records, history: &History) -> Result<()> {
    if global.json {
        return print_json(&document(records, history)?);
    }
    let Found { groups, watched, muted, calibration } = find(records, history)?;
    if groups.is_empty() {
        say(global, format_args!("no signal has an outcome yet"));
    }
    print_statistics(&groups)?;
    print_cards(&watched, &muted)?;
    print_calibration(&calibration)
}

/// What was said with each signal about its hit, where that is known, and what came.
fn forecasts(records: &Records, settled: &[Followed]) -> Result<Vec<Said>> {
    let mut hits: BTreeMap<(SignalId, Horizon), bool> = BTreeMap::new();
    for one in settled {
        hits.extend(one.gain().map(|gain| ((one.signal, one.horizon), gain > 0.0)));
    }
    let mut said = Vec::new();
    for row in records.alerts(&Filter::newest(ALERTS_MAX))? {
        let AlertKind::Signal { signal, proof: Some(proof), .. } = row.alert.kind else { continue };
        let hit = hits.get(&(signal, proof.horizon)).copied();
        if let (Some(hit), Some(hit_rate), Some(base_rate)) = (hit, proof.hit_rate, proof.base_rate)
        {
            said.push(Said { hit_rate, base_rate, n_eff: proof.n_eff, hit });
        }
    }
    Ok(said)
}

fn card_object(card: &Card, drift: Option<&Drift>) -> Value {
    json!({
        "card": card.id,
        "strategy": card.strategy,
        "scope": card.scope,
        "interval": card.interval,
        "direction": card.direction,
        "horizon": card.horizon,
        "state": drift::state(card, drift),
        "expires": card.expires,
        "words": card.words,
        "drift": drift,
    })
}

fn print_statistics(groups: &[Statistics]) -> Result<()> {
    let names = [
        "strategy",
        "bars",
        "direction",
        "after",
        "n",
        "occasions",
        "won",
        "95 %",
        "any bar",
        "mean",
        "volatility",
        "sharpe",
        "profit factor",
        "drawdown",
        "note",
    ];
    let cells = |one: &Statistics| {
        let Group { strategy, interval, direction, horizon } = &one.group;
        vec![
            strategy.clone(),
            interval.to_string(),
            direction.to_string(),
            horizon.to_string(),
            one.n.to_string(),
            one.occasions.to_string(),
            percent(Some(one.win_rate), 1),
            format!("{} to {}", percent(one.win_low, 1), percent(one.win_high, 1)),
            percent(one.base_rate, 1),
            percent(Some(one.mean), 2),
            percent(one.volatility, 2),
            number(one.sharpe, 2),
            number(one.profit_factor, 2),
            percent(Some(one.max_drawdown), 1),
            match (one.is_few, one.base_rate) {
                (true, Some(_)) => "too few to say".to_owned(),
                (true, None) => format!("too few to say; {NO_BASE}"),
                (false, Some(_)) => String::new(),
                (false, None) => NO_BASE.to_owned(),
            },
        ]
    };
    print_table(&names, &groups.iter().map(cells).collect::<Vec<_>>())
}

fn print_cards(watched: &[(Card, Drift)], muted: &[Card]) -> Result<()> {
    if watched.is_empty() && muted.is_empty() {
        return print_line("\nno verified card is in force: there is no drift to watch");
    }
    let named = |card: &Card, drift: Option<&Drift>| {
        vec![
            card.strategy.clone(),
            card.scope.clone(),
            Interval::as_str(card.interval).to_owned(),
            card.horizon.to_string(),
            drift::state(card, drift).to_owned(),
        ]
    };
    let with = |(card, drift): &(Card, Drift)| {
        let mut cells = named(card, Some(drift));
        cells.extend([
            drift.since.to_string(),
            drift.occasions.to_string(),
            percent(drift.mean, 2),
            percent(Some(drift.expected), 2),
            number(Some(drift.sum), 2),
            number(Some(drift.limit), 2),
        ]);
        cells
    };
    let without = |card: &Card| {
        let mut cells = named(card, None);
        cells.resize(11, "-".to_owned());
        cells
    };
    let rows: Vec<Vec<String>> =
        watched.iter().map(with).chain(muted.iter().map(without)).collect();
    print_line("")?;
    print_table(
        &[
            "card",
            "scope",
            "bars",
            "after",
            "state",
            "since",
            "occasions",
            "mean",
            "expected",
            "sum",
            "limit",
        ],
        &rows,
    )?;
    muted.iter().try_for_each(|card| print_line(&format!("{}: {}", card.strategy, card.words)))
}

fn print_calibration(calibration: &Calibration) -> Result<()> {
    let Calibration { n, brier: Some(own), brier_base: Some(base), reliability } = calibration
    else {
        return print_line(
            "\nno signal with a card has an outcome yet: hit rates cannot be checked",
        );
    };
    print_line(&format!(
        "\n{n} forecasts of hits: Brier score {own:.4}, the base rate alone {base:.4} (lower is better)"
    ))?;
    let rows: Vec<Vec<String>> = reliability
        .iter()
        .map(|bin| {
            let (low, high) = (percent(Some(bin.low), 1), percent(Some(bin.high), 1));
            let (said, came) = (percent(Some(bin.said), 1), percent(Some(bin.came), 1));
            vec![bin.n.to_string(), said, came, format!("{low} to {high}")]
        })
        .collect();
    print_table(&["n", "said", "came", "95 %"], &rows)
}

/// A share in percent with so many digits; `-` where there is none.
pub(crate) fn percent(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{:.digits$}%", 100.0 * value))
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
