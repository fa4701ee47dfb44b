//! `finstage alerts`

mod mute;
mod test;

use std::cmp::Reverse;

use finstage_store::records::{AlertRow, Evidence, Records};
use serde_json::{Value, json};

use super::{data_dir, load_without_channels, print_line, print_table};
use crate::cli::{AlertList, Alerts, Global};
use crate::exit::{Exit, Result};
use crate::wiring;

/// Most rows that one list looks through.
const LIMIT_MAX: usize = 100_000;

pub(super) fn run(global: &Global, args: &Alerts) -> Result<Exit> {
    match args {
        Alerts::List(args) => {
            let loaded = load_without_channels(global)?;
            let records = wiring::read_records(&data_dir(global, &loaded))?;
            list(global, &records, args)?;
            Ok(Exit::Done)
        }
        Alerts::Test(args) => test::run(global, args),
        Alerts::Mute(args) => mute::run(global, args),
    }
}

fn list(global: &Global, records: &Records, args: &AlertList) -> Result<()> {
    let mut rows = Vec::new();
    for filter in super::filters(&args.symbol, LIMIT_MAX) {
        rows.extend(records.alerts(&filter)?);
    }
    if let Some(status) = &args.status {
        rows.retain(|row| row.status.as_str() == status);
    }
    rows.sort_by_key(|row| Reverse((row.alert.said_at, row.alert.id)));
    rows.truncate(args.limit);
    if global.json {
        let evidence = records.evidence_of_alerts(rows.iter().map(|row| &row.alert))?;
        let card = |row: &AlertRow| evidence.get(&row.alert.id);
        return rows.iter().try_for_each(|row| print_line(&object(row, card(row)).to_string()));
    }
    if rows.is_empty() {
        super::say_none(global, "alerts", !args.symbol.is_empty() || args.status.is_some());
    }
    let cells = |row: &AlertRow| {
        let alert = &row.alert;
        vec![
            alert.at.to_string(),
            alert.symbol.to_string(),
            row.kind().to_owned(),
            row.status.to_string(),
            row.reasons().join(" "),
            alert.words.clone(),
            alert.id.to_string()[..12].to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    print_table(&["at", "symbol", "kind", "status", "reasons", "rule", "id"], &rows)
}

/// The alert in the contract's words, with the card that the ruling rests on.
fn object(row: &AlertRow, card: Option<&Evidence>) -> Value {
    let alert = &row.alert;
    json!({
        "id": alert.id,
        "symbol": alert.symbol,
        "kind": row.kind(),
        "status": row.status.as_str(),
        "reasons": row.reasons(),
        "at": alert.at,
        "said_at": alert.said_at,
        "rule": alert.rule,
        "words": alert.words,
        "price": alert.price,
        "alert": alert.kind,
        "card": card,
    })
}
