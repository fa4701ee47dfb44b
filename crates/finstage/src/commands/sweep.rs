//! `finstage sweep`

use finstage_research::evidence::Tried;
use finstage_research::sweep::{Heatmap, Row, Sweep, Work, heatmap, ranked};
use finstage_store::table::{Column, Values};
use serde_json::{Map, Value, json};

use super::progress::Progress;
use super::search::{Format, Search};
use super::{print_json, print_table, say};
use crate::cli::{Global, Sweep as Args};
use crate::exit::{Exit, Failure, Result};

/// Rows of the table where nobody says how many.
const DEFAULT_TOP: usize = 20;

pub(super) fn run(global: &Global, args: &Args) -> Result<Exit> {
    let format = args.output.as_deref().map(Format::of).transpose()?;
    let search = Search::new(global, &args.search, Tried::sweep)?;
    let Search { sweep, bars, title, options, threads, entry, .. } = &search;
    let draw = |rows: &[Row]| {
        let made_by = format!("finstage {}", crate::VERSION);
        let map = Heatmap { title, bars: bars.len(), sweep, rows, options, made_by: &made_by };
        heatmap(&map).map_err(Failure::usage)
    };
    if args.heatmap.is_some() {
        // A grid that cannot be drawn is told before the work, not after it.
        draw(&[])?;
    }
    search.announce(global);
    let progress = Progress::new(global, "combinations", sweep.combinations());
    let work = Work { threads: *threads, on_done: &|more| progress.add(more) };
    let found = sweep.search(bars, options, &work).map_err(Failure::usage)?;
    progress.finish();
    entry.write(Some(&found.trials), &found.digest())?;
    let rows = found.rows;
    if let (Some(path), Some(format)) = (&args.output, format) {
        format.write(path, &columns(sweep, &rows))?;
        say(global, format_args!("{} rows: {}", rows.len(), path.display()));
    }
    if let Some(path) = &args.heatmap {
        std::fs::write(path, draw(&rows)?)
            .map_err(|e| Failure::new(Exit::Store, format!("writing {}: {e}", path.display())))?;
        say(global, format_args!("heatmap: {}", path.display()));
    }
    let most = args.top.unwrap_or(if global.json { usize::MAX } else { DEFAULT_TOP });
    let mut best = ranked(&rows);
    best.truncate(most);
    show(global, &search, &best)?;
    Ok(Exit::Done)
}

fn show(global: &Global, search: &Search, best: &[&Row]) -> Result<()> {
    let sweep = &search.sweep;
    if global.json {
        let rows: Vec<Value> = best.iter().map(|row| json_of(sweep, row)).collect();
        return print_json(&search.json(json!({"rows": rows})));
    }
    let mut names: Vec<&str> = sweep.grid().axes().iter().map(|axis| axis.name.as_str()).collect();
    names.extend(["final_equity", "return_pct", "sharpe", "max_drawdown_pct", "trades"]);
    let line = |row: &&Row| -> Vec<String> {
        let values = sweep.grid().values(row.place).into_iter().map(|value| value.to_string());
        let sharpe = row.sharpe.map_or_else(|| "-".to_owned(), |sharpe| format!("{sharpe:.4}"));
        let numbers = [
            format!("{:.2}", row.final_equity),
            format!("{:.2}", row.return_pct),
            sharpe,
            format!("{:.2}", row.max_drawdown_pct),
            row.trades.to_string(),
        ];
        values.chain(numbers).collect()
    };
    print_table(&names, &best.iter().map(line).collect::<Vec<_>>())
}

fn json_of(sweep: &Sweep, row: &Row) -> Value {
    let mut object = Map::new();
    for (axis, value) in sweep.grid().axes().iter().zip(sweep.grid().values(row.place)) {
        object.insert(axis.name.clone(), number(value));
    }
    object.insert("final_equity".to_owned(), json!(row.final_equity));
    object.insert("return_pct".to_owned(), json!(row.return_pct));
    object.insert("sharpe".to_owned(), json!(row.sharpe));
    object.insert("max_drawdown_pct".to_owned(), json!(row.max_drawdown_pct));
    object.insert("trades".to_owned(), json!(row.trades));
    Value::Object(object)
}

/// A parameter: a period is 20, not 20.0.
pub(super) fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { json!(value as i64) } else { json!(value) }
}

fn columns(sweep: &Sweep, rows: &[Row]) -> Vec<Column> {
    let grid = sweep.grid();
    let axes = grid.axes().iter().enumerate().map(|(place, axis)| Column {
        name: axis.name.clone(),
        values: Values::Numbers(rows.iter().map(|row| grid.values(row.place)[place]).collect()),
    });
    let numbers = |name: &str, of: fn(&Row) -> f64| Column {
        name: name.to_owned(),
        values: Values::Numbers(rows.iter().map(of).collect()),
    };
    let trades = Values::Counts(rows.iter().map(|row| row.trades as u64).collect());
    axes.chain([
        numbers("final_equity", |row| row.final_equity),
        numbers("return_pct", |row| row.return_pct),
        numbers("sharpe", |row| row.sharpe.unwrap_or(f64::NAN)),
        numbers("max_drawdown_pct", |row| row.max_drawdown_pct),
        Column { name: "trades".to_owned(), values: trades },
    ])
    .collect()
}
