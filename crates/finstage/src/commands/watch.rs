//! `finstage watch`

use finstage_feeds::venues;
use finstage_model::{Clock as _, Symbol, format_duration};
use finstage_net::SystemClock;
use finstage_store::records::{AddedWatch, Records, StoreKind};

use super::{data_dir, load_without_channels, print_line, print_table, say, say_none};
use crate::cli::{Global, Watch, WatchAdd};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::watches::{KnownWatch, Wish, added, configured};
use crate::{watches, wiring};

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
    let settings = &loaded.settings;
    let watched = venues::ALL.iter().filter(|venue| venue.can_be_asked());
    let known: Vec<&str> = watched.map(|venue| venue.profile.name).collect();
    if !known.contains(&symbol.venue()) {
        let (venue, known) = (symbol.venue(), known.join(" "));
        return Err(Failure::usage(format!(
            "{symbol}: \"{venue}\" is no venue: write one of {known}, as in binance:BTCUSDT"
        )));
    }
    let records = open(global, loaded)?;
    let known = (&settings.thresholds, &settings.engine.watches[..]);
    let wish = Wish { symbol, rules, cooldown: *cooldown, channel: None };
    let granted = watches::add(&records, known, wish, SystemClock.now())?;
    for rule in &granted.configured {
        say(global, format_args!("{symbol} {rule} is configured already, and stays as it is"));
    }
    let rows = granted.rows;
    print(global, &rows)?;
    let is_watched = settings.feeds.iter().any(|feed| feed.symbols.contains(symbol));
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
    let known = (&known[..], &loaded.settings.engine.watches[..]);
    let rows = watches::remove(&records, known, ids)?;
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
