//! `finstage backfill`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use finstage_feeds as feeds;
use finstage_model::{Clock, Interval, Symbol};
use finstage_net::SystemClock;
use finstage_store::history::History;
use finstage_store::records::{Records, StoreKind};
use serde_json::{Value, json};

use super::progress::Progress;
use super::serve::stop_on_signal;
use super::{data_dir, load_without_channels, print_json, print_table, say};
use crate::backfill::{Filled, Filler, Span};
use crate::cli::{Backfill, Global};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::venues::{self, Means};
use crate::wiring;

pub(super) fn run(global: &Global, args: &Backfill) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let series = series(&loaded, args)?;
    let dir = data_dir(global, &loaded);
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    let history = wiring::history(&dir, &records);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let filler = filler((&loaded, &dir), &series, history)?;
        let job = Job { global, args, records, filler };
        let mut stop = stop_on_signal();
        let mut done = Vec::new();
        tokio::select! {
            ended = job.all(&series, &mut done) => ended?,
            _ = stop.wait_for(|stop| *stop) => {
                say(global, format_args!("interrupted: what came is stored, the same command goes on"));
                return Ok(Exit::Interrupted);
            }
        }
        print(global, &done)?;
        let failed = done.iter().any(|one| one.refused.is_some());
        Ok(if failed { Exit::CheckFailed } else { Exit::Done })
    })
}

/// What is asked for: each instrument with each length of bars.
fn series(loaded: &Loaded, args: &Backfill) -> Result<Vec<(Symbol, Interval)>> {
    let watched_feeds = &loaded.settings.feeds;
    let watched = || watched_feeds.iter().flat_map(|feed| feed.symbols.iter().cloned()).collect();
    let symbols: Vec<Symbol> =
        if args.symbols.is_empty() { watched() } else { args.symbols.clone() };
    if symbols.is_empty() {
        return Err(Failure::usage(
            "nothing to fetch: name instruments with --symbols venue:SYMBOL, or add a [[feeds]]",
        ));
    }
    let mut series = Vec::new();
    for symbol in symbols {
        let found = feeds::venues::find(symbol.venue()).filter(|venue| venue.can_be_asked());
        let venue = found.ok_or_else(|| {
            let names = venues::names_of(feeds::venues::Venue::can_be_asked);
            Failure::usage(format!("{symbol}: no history comes from there: write {names}:SYMBOL"))
        })?;
        let feed = watched_feeds.iter().find(|feed| feed.symbols.contains(&symbol));
        let own = feed.map(|feed| feed.venue_intervals.clone()).filter(|own| !own.is_empty());
        let intervals = match args.interval.as_slice() {
            [] => own.unwrap_or_else(|| vec![Interval::D1]),
            given => given.to_vec(),
        };
        for interval in intervals {
            if !venue.profile.intervals.contains(&interval) {
                let name = venue.profile.name;
                return Err(Failure::usage(format!(
                    "--interval {interval}: {name} has no such bars: ask for a shorter length"
                )));
            }
            if !series.contains(&(symbol.clone(), interval)) {
                series.push((symbol.clone(), interval));
            }
        }
    }
    Ok(series)
}

/// One that asks the venues of these series.
fn filler(
    (loaded, dir): (&Loaded, &Path),
    series: &[(Symbol, Interval)],
    history: History,
) -> Result<Filler> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let client = wiring::client()?;
    let means = Means { settings: &loaded.settings, client: &client, dir, clock: &clock };
    let symbols: Vec<Symbol> = series.iter().map(|(symbol, _)| symbol.clone()).collect();
    let doors = venues::doors_of(&symbols, means)?;
    Ok(Filler::new(history, &doors, clock))
}

struct Job<'a> {
    global: &'a Global,
    args: &'a Backfill,
    records: Records,
    filler: Filler,
}

impl Job<'_> {
    async fn all(&self, series: &[(Symbol, Interval)], done: &mut Vec<Filled>) -> Result<()> {
        let progress = Progress::new(self.global, "series", series.len());
        let span = Span { from: self.args.from, to: self.args.to };
        let mut factors: BTreeMap<&Symbol, usize> = BTreeMap::new();
        for (symbol, interval) in series {
            self.records.put_instrument(&wiring::describe(symbol))?;
            let mut one = self.filler.series(symbol, *interval, span).await?;
            if let Some(oldest) = one.oldest {
                say(
                    self.global,
                    format_args!("{symbol} {interval}: the venue has no bars before {oldest}"),
                );
            }
            if one.refused.is_none() && !factors.contains_key(symbol) {
                match self.filler.factors(symbol).await? {
                    Ok(Some(rows)) => drop(factors.insert(symbol, rows)),
                    Ok(None) => {}
                    Err(why) => one.refused = Some(why),
                }
            }
            one.factors = factors.get(symbol).copied();
            if let Some(why) = &one.refused {
                say(self.global, format_args!("{symbol} {interval}: {why}"));
            }
            done.push(one);
            progress.add(1);
        }
        progress.finish();
        Ok(())
    }
}

fn print(global: &Global, done: &[Filled]) -> Result<()> {
    let sum = |field: fn(&Filled) -> u64| done.iter().map(field).sum::<u64>();
    let (requested, written) = (sum(|one| one.requested), sum(|one| one.written));
    let (found, filled) = (sum(|one| one.gaps_found), sum(|one| one.gaps_filled));
    if global.json {
        let object = |one: &Filled| -> Value {
            json!({
                "symbol": one.symbol, "interval": one.interval, "requested": one.requested,
                "written": one.written, "gaps_found": one.gaps_found,
                "gaps_filled": one.gaps_filled, "factors": one.factors, "error": one.refused,
            })
        };
        return print_json(&json!({
            "requested": requested, "written": written, "gaps_found": found,
            "gaps_filled": filled, "series": done.iter().map(object).collect::<Vec<_>>(),
        }));
    }
    let row = |one: &Filled| {
        vec![
            one.symbol.to_string(),
            one.interval.to_string(),
            one.requested.to_string(),
            one.written.to_string(),
            one.gaps_found.to_string(),
            one.gaps_filled.to_string(),
            one.factors.map_or_else(|| "-".to_owned(), |rows| rows.to_string()),
        ]
    };
    let mut rows: Vec<Vec<String>> = done.iter().map(row).collect();
    let all = [requested, written, found, filled].map(|number| number.to_string());
    let mut total = vec!["all".to_owned(), "-".to_owned()];
    total.extend(all);
    total.push("-".to_owned());
    rows.push(total);
    let names =
        ["symbol", "interval", "requested", "written", "gaps_found", "gaps_filled", "factors"];
    print_table(&names, &rows)
}
