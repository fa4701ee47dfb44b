//! `finstage watch`

use std::collections::BTreeSet;

use finstage_engine::WatchRule;
use finstage_model::{Clock as _, Symbol, format_duration};
use finstage_net::SystemClock;
use finstage_store::records::{AddedWatch, Records, StoreKind};

use super::{data_dir, load_without_channels, print_line, print_table, say, say_none};
use crate::cli::{Global, Watch, WatchAdd};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::watches::{KnownWatch, added, configured};
use crate::wiring;

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
    let configured = configured(&loaded.settings.engine.watches);
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
        rows.push(KnownWatch::added(watch));
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
    let mut rows = configured(&loaded.settings.engine.watches);
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
    let configured = configured(&loaded.settings.engine.watches);
    // All of them are looked up before the first one goes.
    let mut found = BTreeSet::new();
    for id in ids {
        let fits = |row: &&KnownWatch| row.watch.id.starts_with(id.as_str());
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
    let rows: Vec<KnownWatch> =
        known.into_iter().filter(|row| found.contains(&row.watch.id)).collect();
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

fn print(global: &Global, rows: &[KnownWatch]) -> Result<()> {
    if global.json {
        return rows.iter().try_for_each(|row| print_line(&row.value().to_string()));
    }
    let cells = |row: &KnownWatch| {
        let AddedWatch { id, symbol, rule, cooldown_ms, .. } = &row.watch;
        let cooldown = format_duration(std::time::Duration::from_millis(*cooldown_ms));
        vec![id.clone(), symbol.to_string(), rule.to_string(), cooldown, row.origin().to_owned()]
    };
    let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
    if rows.is_empty() {
        return Ok(());
    }
    print_table(&["id", "symbol", "rule", "cooldown", "origin"], &rows)
}
