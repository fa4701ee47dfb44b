//! `finstage signals`

mod proof;

use std::cmp::Reverse;

use finstage_engine::When;
use finstage_model::{AlertKind, Position, Symbol};
use finstage_store::records::{Evidence, Records, SignalRow};
use serde_json::{Map, Value, json};

use super::import::{read_bars, symbol_of};
use super::{data_dir, load_without_channels, print_json, print_line, print_table, say};
use crate::cli::{Global, Side, SignalGenerate, SignalList, Signals};
use crate::exit::{Exit, Failure, Result};
use crate::generate::{Generated, signals, strategies};
use crate::wiring;

/// Most rows that one list prints.
const LIMIT_MAX: usize = 100_000;

pub(super) fn run(global: &Global, args: &Signals) -> Result<Exit> {
    if let Signals::Generate(args) = args {
        return generate(global, args).map(|()| Exit::Done);
    }
    let loaded = load_without_channels(global)?;
    let dir = data_dir(global, &loaded);
    let records = wiring::read_records(&dir)?;
    match args {
        Signals::List(list) => self::list(global, &records, list)?,
        Signals::Show { id, proof } => {
            let row = records.signal(id).map_err(Failure::usage)?;
            if let Some(path) = proof {
                let evidence = evidence(&records, &row)?;
                let stored = (&records, &wiring::history(&dir, &records));
                proof::write(path, (&row, evidence.as_ref()), stored)?;
                say(global, format_args!("proof: {}", path.display()));
            }
            show(global, &records, &row)?;
        }
        Signals::Generate(_) => {}
    }
    Ok(Exit::Done)
}

fn list(global: &Global, records: &Records, args: &SignalList) -> Result<()> {
    let mut rows = Vec::new();
    for filter in super::filters(&args.symbol, LIMIT_MAX) {
        rows.extend(records.signals(&filter)?);
    }
    if let Some(strategy) = &args.strategy {
        // `golden_cross(…)` of the catalogue, `mine: …` or `mine short: …` of the user's own.
        let end = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let name =
            |row: &SignalRow| row.strategy.split(end).next().is_some_and(|name| name == strategy);
        rows.retain(|row| row.strategy == *strategy || name(row));
    }
    rows.sort_by_key(|row| Reverse((row.at, row.id)));
    rows.truncate(args.limit);
    if global.json {
        let evidence = records.evidence_of_signals(&rows)?;
        let card = |row: &SignalRow| evidence.get(&row.alert_id());
        return rows.iter().try_for_each(|row| print_line(&object(row, card(row)).to_string()));
    }
    if rows.is_empty() {
        super::say_none(global, "signals", !args.symbol.is_empty() || args.strategy.is_some());
    }
    table(&rows)
}

fn table(rows: &[SignalRow]) -> Result<()> {
    let cells = |row: &SignalRow| {
        let (verdict, reasons) = verdict(row);
        vec![
            row.at.to_string(),
            row.symbol.to_string(),
            row.interval.to_string(),
            row.direction.to_string(),
            row.price.to_string(),
            verdict,
            reasons.join(" "),
            row.strategy.clone(),
            row.id.to_string()[..12].to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    print_table(
        &["at", "symbol", "interval", "direction", "price", "verdict", "reasons", "strategy", "id"],
        &rows,
    )
}

fn generate(global: &Global, args: &SignalGenerate) -> Result<()> {
    let file = read_bars(global, &args.input, &args.bars)?;
    let symbol = symbol_of(&args.input, &args.bars)?;
    let specs = strategies(&args.strategy, &whens(&args.when, args.direction), file.interval)?;
    let said = signals(&file.bars, &wiring::describe(&symbol), specs)?;
    let rows: Vec<SignalRow> = said.into_iter().map(|said| row(&symbol, said)).collect();
    if global.json {
        return rows.iter().try_for_each(|row| print_line(&object(row, None).to_string()));
    }
    table(&rows)
}

/// The conditions of the command line.
pub(super) fn whens(texts: &[String], side: Option<Side>) -> Vec<When> {
    let direction = side.unwrap_or_default().into();
    texts.iter().map(|text| When { direction, ..When::long(text) }).collect()
}

/// A generated signal in the form of a stored one. It follows from no journal.
fn row(symbol: &Symbol, said: Generated) -> SignalRow {
    let signal = said.signal;
    SignalRow {
        id: signal.id,
        position: Position::START,
        symbol: symbol.clone(),
        interval: signal.interval,
        strategy: said.strategy,
        direction: signal.direction,
        open_time: signal.open_time,
        at: signal.at,
        price: signal.price,
        strength: signal.strength,
        facts: signal.facts.iter().map(|fact| (fact.name.to_string(), fact.value)).collect(),
        ruling: Some(said.ruling),
    }
}

fn show(global: &Global, records: &Records, row: &SignalRow) -> Result<()> {
    let card = evidence(records, row)?;
    let size = size_card(records, row)?;
    if global.json {
        let mut shown = object(row, card.as_ref());
        if let Some(size) = size {
            shown["size_card"] = json!(size);
        }
        return print_json(&shown);
    }
    let (verdict, reasons) = verdict(row);
    let facts: Vec<String> =
        row.facts.iter().map(|(name, value)| format!("{name} {value}")).collect();
    for (name, value) in [
        ("id", row.id.to_string()),
        ("symbol", row.symbol.to_string()),
        ("strategy", row.strategy.clone()),
        ("interval", row.interval.to_string()),
        ("direction", row.direction.to_string()),
        ("bar", row.open_time.to_string()),
        ("at", row.at.to_string()),
        ("price", row.price.to_string()),
        ("strength", row.strength.to_string()),
        ("facts", facts.join(", ")),
        ("verdict", verdict),
        ("reasons", reasons.join(" ")),
        ("journal", row.position.to_string()),
    ] {
        print_line(&format!("{name:<10} {value}"))?;
    }
    for (of, card) in [("card", card), ("size", size)] {
        for (name, value) in json!(card).as_object().into_iter().flatten() {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            print_line(&format!("{of}.{name:<24} {value}"))?;
        }
    }
    Ok(())
}

/// What the ruling rests on.
fn evidence(records: &Records, row: &SignalRow) -> Result<Option<Evidence>> {
    Ok(records.evidence_of_signals(std::slice::from_ref(row))?.remove(&row.alert_id()))
}

/// The card that verified larger moves, where the alert was about these: the whole row of `verify` as
/// long as it is in force, else the figures that went with the alert.
fn size_card(records: &Records, row: &SignalRow) -> Result<Option<Evidence>> {
    let alert = records.alert(row.alert_id())?;
    let Some(AlertKind::Signal { size: Some(proof), .. }) = alert.map(|alert| alert.kind) else {
        return Ok(None);
    };
    let card = records.card(proof.card)?;
    Ok(Some(Evidence { proof: *proof, card }))
}

fn verdict(row: &SignalRow) -> (String, Vec<&'static str>) {
    let verdict = row.ruling.map_or("pending", |ruling| ruling.as_str());
    let reasons = row.ruling.and_then(|ruling| ruling.reason()).map(|reason| reason.as_str());
    (verdict.to_owned(), reasons.into_iter().collect())
}

/// The signal in the contract's words, with the card that the ruling rests on.
fn object(row: &SignalRow, card: Option<&Evidence>) -> Value {
    let (verdict, reasons) = verdict(row);
    let facts: Map<String, Value> =
        row.facts.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "id": row.id,
        "symbol": row.symbol,
        "interval": row.interval,
        "strategy": row.strategy,
        "direction": row.direction,
        "at": row.at,
        "timestamp": row.open_time,
        "price": row.price,
        "strength": row.strength,
        "facts": facts,
        "verdict": verdict,
        "reasons": reasons,
        "card": card,
    })
}
