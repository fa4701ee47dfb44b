//! `finstage strategies`

use finstage_engine::Entry;
use finstage_strategies::CATALOG;
use serde_json::{Map, Value, json};

use super::{print_json, print_line, print_table};
use crate::cli::{Global, Strategies};
use crate::exit::{Exit, Failure, Result};

pub(super) fn run(global: &Global, args: &Strategies) -> Result<Exit> {
    match args {
        Strategies::List if global.json => {
            CATALOG.iter().try_for_each(|entry| print_line(&object(entry).to_string()))?;
        }
        Strategies::List => {
            let row = |entry: &Entry| {
                let direction = entry.direction.to_string();
                vec![entry.name.to_owned(), direction, defaults(entry), entry.describes.to_owned()]
            };
            let rows: Vec<Vec<String>> = CATALOG.iter().map(row).collect();
            print_table(&["name", "direction", "params", "describes"], &rows)?;
        }
        Strategies::Show { name } => show(global, name)?,
    }
    Ok(Exit::Done)
}

fn show(global: &Global, name: &str) -> Result<()> {
    let entry = Entry::find(CATALOG, name).map_err(Failure::usage)?;
    if global.json {
        return print_json(&object(entry));
    }
    let params = entry.params(&[]).map_err(Failure::usage)?;
    let strategy = (entry.build)(&params);
    print_line(&format!("{}: {}", entry.name, entry.describes))?;
    print_line(&format!("direction  {}", entry.direction))?;
    print_line(&format!("says       {}", (entry.words)(&params)))?;
    print_line(&format!("in Korean  {}", entry.korean_words(&params)))?;
    print_line(&format!(
        "warm-up    {} bars, memory {} bars (with defaults)",
        strategy.warmup(),
        strategy.memory()
    ))?;
    for param in entry.params {
        print_line(&format!(
            "param      {} = {} ({} to {}): {}",
            param.name, param.default, param.min, param.max, param.describes
        ))?;
    }
    Ok(())
}

fn defaults(entry: &Entry) -> String {
    let pairs: Vec<String> =
        entry.params.iter().map(|p| format!("{}={}", p.name, p.default)).collect();
    pairs.join(" ")
}

/// The entry in the contract's words.
pub(crate) fn object(entry: &Entry) -> Value {
    let params: Map<String, Value> = entry
        .params
        .iter()
        .map(|p| {
            let about = json!({"default": p.default, "min": p.min, "max": p.max, "whole": p.whole, "describes": p.describes});
            (p.name.to_owned(), about)
        })
        .collect();
    json!({"name": entry.name, "params": params, "direction": entry.direction, "describes": entry.describes})
}
