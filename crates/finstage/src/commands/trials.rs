//! `finstage trials`

use finstage_store::records::TrialRow;
use serde_json::{Value, json};

use super::{data_dir, load_without_channels, print_json, print_line, print_table, say_none};
use crate::cli::{Global, Trials};
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Trials) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let records = wiring::read_records(&data_dir(global, &loaded))?;
    match args {
        Trials::Check => check(global, &records.check_trials()?),
        Trials::List { limit } => {
            let mut rows = records.trials()?;
            rows.reverse();
            rows.truncate(*limit as usize);
            list(global, &rows).map(|()| Exit::Done)
        }
    }
}

fn check(global: &Global, check: &finstage_store::records::ChainCheck) -> Result<Exit> {
    let (entries, head) = (check.entries, &check.head);
    if global.json {
        let fault = check.fault.as_ref().map(|(row, why)| json!({"row": row, "why": why}));
        let ok = check.fault.is_none();
        print_json(&json!({"entries": entries, "head": head, "ok": ok, "fault": fault}))?;
    } else if check.fault.is_none() {
        print_line(&format!("ok: {entries} trials, head {head}"))?;
    }
    match &check.fault {
        None => Ok(Exit::Done),
        Some((row, why)) => {
            let message = format!("the ledger of trials is not whole: row {row}: {why}");
            Err(Failure::new(Exit::CheckFailed, message))
        }
    }
}

fn list(global: &Global, rows: &[TrialRow]) -> Result<()> {
    if global.json {
        return rows.iter().try_for_each(|row| print_line(&object(row)?.to_string()));
    }
    if rows.is_empty() {
        say_none(global, "trials", false);
    }
    let cells = |row: &TrialRow| {
        let trial = &row.trial;
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        vec![
            row.number.to_string(),
            trial.kind.as_str().to_owned(),
            trial.strategy.clone(),
            text(trial.search.as_ref().map(|search| search.grid.clone())),
            trial.scope.clone(),
            trial.interval.to_string(),
            text(trial.horizon.map(|horizon| horizon.to_string())),
            text(trial.claim.map(|claim| claim.to_string())),
            trial.count.to_string(),
            text(trial.p.map(|p| format!("{p:.4}"))),
            text(trial.verdict.map(|verdict| verdict.to_string())),
            trial.to.to_string(),
            row.recorded_at.to_string(),
            row.hash.chars().take(12).collect(),
        ]
    };
    let names = [
        "number",
        "kind",
        "strategy",
        "grid",
        "scope",
        "interval",
        "horizon",
        "claim",
        "count",
        "p",
        "verdict",
        "data_to",
        "recorded_at",
        "hash",
    ];
    print_table(&names, &rows.iter().map(cells).collect::<Vec<_>>())
}

fn object(row: &TrialRow) -> Result<Value> {
    let mut value = serde_json::to_value(&row.trial).map_err(Failure::usage)?;
    value["number"] = json!(row.number);
    value["previous"] = json!(row.previous);
    value["hash"] = json!(row.hash);
    value["recorded_at"] = json!(row.recorded_at.to_string());
    Ok(value)
}
