//! `finstage backfill`

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds as feeds;
use finstage_model::{Bar, Clock, Interval, Symbol, Timestamp};
use finstage_net::SystemClock;
use finstage_store::history::History;
use finstage_store::records::{Records, StoreKind};
use serde_json::{Value, json};

use super::progress::Progress;
use super::serve::stop_on_signal;
use super::{data_dir, load_without_channels, print_json, print_table, say};
use crate::backfill::{Missing, Source, Stretch, Trouble, missing};
use crate::cli::{Backfill, Global};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::venues::{self, Door, Means};
use crate::wiring;

/// Bars that are kept in memory before they are stored: an interruption loses no more.
const PIECE_BARS: usize = 50_000;
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn run(global: &Global, args: &Backfill) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    let series = series(&loaded, args)?;
    let dir = data_dir(global, &loaded);
    let records = wiring::open_records(&dir, StoreKind::Real)?;
    let history = wiring::history(&dir, &records);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let sources = sources((&loaded, &dir), &series, &clock)?;
        let job = Job { global, args, records, history, clock, sources };
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

/// One source a venue: all its series share one pace.
fn sources(
    (loaded, dir): (&Loaded, &Path),
    series: &[(Symbol, Interval)],
    clock: &Arc<dyn Clock>,
) -> Result<BTreeMap<&'static str, Source>> {
    let client = wiring::client()?;
    let means = Means { settings: &loaded.settings, client: &client, dir, clock };
    let symbols: Vec<Symbol> = series.iter().map(|(symbol, _)| symbol.clone()).collect();
    let doors = venues::doors_of(&symbols, means)?;
    let source = |(name, door): (&&'static str, &Door)| {
        Source::new(door, Arc::clone(clock)).map(|source| (*name, source))
    };
    Ok(doors.iter().filter_map(source).collect())
}

/// What became of one series.
#[derive(Debug, Clone)]
struct Done {
    symbol: Symbol,
    interval: Interval,
    requested: u64,
    written: u64,
    gaps_found: u64,
    gaps_filled: u64,
    factors: Option<usize>,
    refused: Option<String>,
}

struct Job<'a> {
    global: &'a Global,
    args: &'a Backfill,
    records: Records,
    history: History,
    clock: Arc<dyn Clock>,
    sources: BTreeMap<&'static str, Source>,
}

impl Job<'_> {
    async fn all(&self, series: &[(Symbol, Interval)], done: &mut Vec<Done>) -> Result<()> {
        let progress = Progress::new(self.global, "series", series.len());
        let mut factors: BTreeMap<&Symbol, usize> = BTreeMap::new();
        for (symbol, interval) in series {
            self.records.put_instrument(&wiring::describe(symbol))?;
            let mut one = self.one(symbol, *interval).await?;
            if one.refused.is_none() && !factors.contains_key(symbol) {
                match self.factors(symbol).await? {
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

    async fn one(&self, symbol: &Symbol, interval: Interval) -> Result<Done> {
        let now = self.clock.now();
        let (from, to) = self.range(symbol, interval, now);
        let series = (symbol, interval);
        let Missing { stretches, holes } = missing(&self.history, series, (from, to), now)?;
        let mut done = Done {
            symbol: symbol.clone(),
            interval,
            requested: stretches.iter().map(|stretch| stretch.bars).sum(),
            written: 0,
            gaps_found: holes.len() as u64,
            gaps_filled: 0,
            factors: None,
            refused: None,
        };
        for stretch in &stretches {
            let (written, refused) = self.stretch(series, stretch).await?;
            done.written += written;
            done.refused = refused.or(done.refused);
        }
        if done.written > 0 {
            self.history.compact_series(symbol, interval, now)?;
        }
        if !holes.is_empty() {
            let left = missing(&self.history, series, (from, to), now)?.holes;
            let is_open = |hole: &&finstage_store::history::Hole| {
                left.iter().any(|open| open.from < hole.to && hole.from < open.to)
            };
            let still = holes.iter().filter(is_open).count();
            done.gaps_filled = (holes.len() - still) as u64;
        }
        Ok(done)
    }

    /// What is asked for, as far back as the venue has bars.
    fn range(&self, symbol: &Symbol, interval: Interval, now: Timestamp) -> (Timestamp, Timestamp) {
        let usual = match interval {
            Interval::D1 | Interval::W1 | Interval::Mo1 => DAY * 3_653,
            Interval::H1 | Interval::H4 => DAY * 730,
            _ => DAY * 60,
        };
        let reach =
            feeds::venues::find(symbol.venue()).and_then(|venue| (venue.profile.reach)(interval));
        let oldest = reach.map_or(Timestamp::EPOCH, |reach| now.minus(reach));
        let from = self.args.from.unwrap_or_else(|| now.minus(usual));
        if from < oldest && self.args.from.is_some() {
            say(
                self.global,
                format_args!("{symbol} {interval}: the venue has no bars before {oldest}"),
            );
        }
        (interval.open_of(from.max(oldest)), self.args.to.unwrap_or(now).min(now))
    }

    /// Asks for a stretch page by page. Gives the bars that were new, and why the venue refused.
    async fn stretch(
        &self,
        (symbol, interval): (&Symbol, Interval),
        stretch: &Stretch,
    ) -> Result<(u64, Option<String>)> {
        let Some(source) = self.sources.get(symbol.venue()) else { return Ok((0, None)) };
        let (mut bars, mut written) = (Vec::new(), 0);
        let mut next = Some(source.query(symbol, interval, stretch));
        while let Some(query) = next {
            next = match source.page(&query, &mut bars).await {
                Ok(next) => next,
                Err(Trouble::Refused(why)) => return Ok((written, Some(why))),
                Err(trouble) => return Err(failure(symbol, &trouble)),
            };
            if bars.len() >= PIECE_BARS || next.is_none() {
                bars.retain(|bar: &Bar| bar.open_time < stretch.to);
                written += self.history.import(symbol, interval, &bars)?.written;
                bars.clear();
            }
        }
        Ok((written, None))
    }

    /// Dividends and splits since the first stored day: an older past keeps none without them.
    async fn factors(&self, symbol: &Symbol) -> Result<std::result::Result<Option<usize>, String>> {
        let Some(source) = self.sources.get(symbol.venue()) else { return Ok(Ok(None)) };
        let stored = self.history.series()?;
        let own = stored.iter().filter(|series| series.symbol == *symbol);
        let Some(first) = own.map(|series| series.first).min() else { return Ok(Ok(None)) };
        match source.factors(symbol, first).await {
            Ok(None) => Ok(Ok(None)),
            Ok(Some(factors)) => {
                self.history.import_factors(symbol, &factors)?;
                Ok(Ok(Some(factors.rows().len())))
            }
            Err(Trouble::Refused(why)) => Ok(Err(why)),
            Err(trouble) => Err(failure(symbol, &trouble)),
        }
    }
}

/// Why it ends here: the client has repeated what may be repeated.
fn failure(symbol: &Symbol, trouble: &Trouble) -> Failure {
    let kept = "what came is stored, the same command goes on";
    match trouble {
        Trouble::Limited(wait) => {
            let (venue, minutes) = (symbol.venue(), wait.as_secs().div_ceil(60));
            let message =
                format!("{venue} wants no more requests for {minutes} min: {kept} after that");
            Failure::new(Exit::Remote, message)
        }
        Trouble::Denied(why) => Failure::new(Exit::Auth, format!("{symbol}: {why}")),
        Trouble::Refused(why) | Trouble::Unreachable(why) => {
            Failure::new(Exit::Remote, format!("{symbol}: {why}: {kept}"))
        }
    }
}

fn print(global: &Global, done: &[Done]) -> Result<()> {
    let sum = |field: fn(&Done) -> u64| done.iter().map(field).sum::<u64>();
    let (requested, written) = (sum(|one| one.requested), sum(|one| one.written));
    let (found, filled) = (sum(|one| one.gaps_found), sum(|one| one.gaps_filled));
    if global.json {
        let object = |one: &Done| -> Value {
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
    let row = |one: &Done| {
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
