//! `finstage watch`

use std::collections::BTreeSet;

use finstage_engine::WatchRule;
use finstage_model::{Clock as _, Symbol, Timestamp, format_duration};
use finstage_net::SystemClock;
use finstage_store::records::{AddedWatch, Records, StoreKind};
use serde_json::{Value, json};

use super::{data_dir, load_without_channels, print_line, print_table, say, say_none};
use crate::cli::{Global, Watch, WatchAdd};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// A watch with where it comes from.
struct Row {
    watch: AddedWatch,
    is_configured: bool,
}

pub(super) fn run(global: &Global, args: &Watch) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    wiring::register_own_listings(&data_dir(global, &loaded))?;
    match args {
        Watch::Add(args) => add(global, &loaded, args)?,
        Watch::List { symbol } => list(global, &loaded, symbol)?,
        Watch::Remove { ids } => remove(global, &loaded, ids)?,
    }
    Ok(Exit::Done)
}

fn add(global: &Global, loaded: &Loaded, args: &WatchAdd) -> Result<()> {
    let WatchAdd { symbol, rules, cooldown } = args;
    let thresholds = &loaded.settings.thresholds;
    let wanted: Vec<WatchRule> = if rules.is_empty() {
        thresholds.usual(symbol)
    } else {
        let read = |text: &String| thresholds.rule(symbol, text).map_err(Failure::usage);
        rules.iter().map(read).collect::<Result<_>>()?
    };
    let configured = configured(loaded);
    let records = open(global, loaded)?;
    let now = SystemClock.now();
    let mut rows = Vec::new();
    for rule in wanted {
        let own = cooldown.map(|cooldown| cooldown.as_millis() as u64);
        let watch = AddedWatch::new(symbol.clone(), rule, own, now);
        if configured.iter().any(|known| known.watch.id == watch.id) {
            say(global, format_args!("{symbol} {rule} is configured already, and stays as it is"));
            continue;
        }
        records.watch_add(&watch)?;
        rows.push(Row { watch, is_configured: false });
    }
    print(global, &rows)?;
    let is_watched = loaded.settings.feeds.iter().any(|feed| feed.symbols.contains(symbol));
    if !is_watched {
        say(
            global,
            format_args!(
                "{symbol} is in no [[feeds]]: nothing sees its price until it is added there"
            ),
        );
    } else if !rows.is_empty() {
        say(global, format_args!("a running service hears of it within seconds"));
    }
    Ok(())
}

fn list(global: &Global, loaded: &Loaded, symbols: &[Symbol]) -> Result<()> {
    let mut rows = configured(loaded);
    let dir = data_dir(global, loaded);
    if dir.join("records.db").exists() {
        rows.extend(added(&wiring::read_records(&dir)?)?);
    }
    rows.retain(|row| symbols.is_empty() || symbols.contains(&row.watch.symbol));
    if rows.is_empty() {
        say_none(global, "watches", !symbols.is_empty());
        return Ok(());
    }
    print(global, &rows)
}

fn remove(global: &Global, loaded: &Loaded, ids: &[String]) -> Result<()> {
    let records = open(global, loaded)?;
    let known = added(&records)?;
    let configured = configured(loaded);
    // All of them are looked up before the first one goes.
    let mut found = BTreeSet::new();
    for id in ids {
        let fits = |row: &&Row| row.watch.id.starts_with(id.as_str());
        match known.iter().filter(fits).collect::<Vec<_>>()[..] {
            [one] => drop(found.insert(one.watch.id.clone())),
            [] if configured.iter().any(|row| fits(&row)) => {
                return Err(Failure::usage(format!(
                    "{id} stands in the configuration: take it out of [[watches]] there"
                )));
            }
            [] => {
                return Err(Failure::usage(format!(
                    "no watch {id}: `finstage watch list` shows all"
                )));
            }
            _ => {
                return Err(Failure::usage(format!("{id} fits several watches: write more of it")));
            }
        }
    }
    let rows: Vec<Row> = known.into_iter().filter(|row| found.contains(&row.watch.id)).collect();
    for row in &rows {
        records.watch_remove(&row.watch.id)?;
    }
    say(global, format_args!("taken out; a running service hears of it within seconds:"));
    print(global, &rows)
}

/// The records to write to; beside a running service too.
fn open(global: &Global, loaded: &Loaded) -> Result<Records> {
    let dir = data_dir(global, loaded);
    std::fs::create_dir_all(&dir).map_err(|e| Failure::from_writing(&dir, &e))?;
    wiring::open_records(&dir, StoreKind::Real)
}

fn added(records: &Records) -> Result<Vec<Row>> {
    let mut all = records.watches_added()?;
    all.sort_by_cached_key(|watch| (watch.symbol.clone(), watch.rule.to_string()));
    Ok(all.into_iter().map(|watch| Row { watch, is_configured: false }).collect())
}

fn configured(loaded: &Loaded) -> Vec<Row> {
    let watches = loaded.settings.engine.watches.iter();
    watches
        .map(|spec| {
            let (symbol, rule) = (spec.symbol.clone(), spec.rule);
            let watch = AddedWatch::new(symbol, rule, spec.cooldown_ms, Timestamp::EPOCH);
            Row { watch, is_configured: true }
        })
        .collect()
}

fn print(global: &Global, rows: &[Row]) -> Result<()> {
    if global.json {
        return rows.iter().try_for_each(|row| print_line(&object(row).to_string()));
    }
    let cells = |row: &Row| {
        let AddedWatch { id, symbol, rule, cooldown_ms, .. } = &row.watch;
        let cooldown = format_duration(std::time::Duration::from_millis(*cooldown_ms));
        vec![id.clone(), symbol.to_string(), rule.to_string(), cooldown, origin(row).to_owned()]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    if rows.is_empty() {
        return Ok(());
    }
    print_table(&["id", "symbol", "rule", "cooldown", "origin"], &rows)
}

const fn origin(row: &Row) -> &'static str {
    if row.is_configured { "config" } else { "added" }
}

fn object(row: &Row) -> Value {
    let AddedWatch { id, symbol, rule, cooldown_ms, added_at } = &row.watch;
    json!({
        "id": id,
        "symbol": symbol,
        "rule": rule,
        "kind": rule.kind(),
        "threshold": rule.threshold(),
        "repeat_s": cooldown_ms / 1_000,
        "created_at": (!row.is_configured).then_some(added_at),
        "origin": origin(row),
    })
}
