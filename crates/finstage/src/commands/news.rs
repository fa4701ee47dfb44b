//! `finstage news`

use std::sync::Arc;

use finstage_feeds::news::{FeedHealth, Heard};
use finstage_model::{Bar, Clock, Symbol, Tone};
use finstage_net::SystemClock;
use finstage_research::news_lift::{Figures, LiftOptions, LiftRow, Subject, Told, news_lift};
use finstage_server::NewsItem;
use finstage_store::Records;
use finstage_store::records::{DocumentPage, StoreKind};
use serde::Serialize;

use super::{data_dir, load_without_channels, print_json, print_line, print_table, say, say_none};
use crate::cli::{Global, News, NewsFetch, NewsLift, NewsList};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::news::reader::Reader;
use crate::news::{collector, feeds, keep, once};
use crate::pace::Pace;
use crate::wiring;

/// The most documents of an instrument that are measured, and the most bars.
const MAX_MEASURED: usize = 100_000;

pub(super) fn run(global: &Global, args: &News) -> Result<Exit> {
    let loaded = load_without_channels(global)?;
    wiring::register_own_listings(&data_dir(global, &loaded))?;
    match args {
        News::Fetch(args) => fetch(global, &loaded, args),
        News::List(args) => list(global, &loaded, args),
        News::Lift(args) => lift(global, &loaded, args),
    }
}

/// What came of asking once.
#[derive(Debug, Default, Serialize)]
struct Fetched {
    asked: usize,
    failed: usize,
    new: usize,
    copies: usize,
    known: u32,
    unreadable: u32,
    failures: Vec<Unanswered>,
}

#[derive(Debug, Serialize)]
struct Unanswered {
    feed: String,
    why: String,
}

fn fetch(global: &Global, loaded: &Loaded, args: &NewsFetch) -> Result<Exit> {
    let mut settings = loaded.settings.news.clone();
    let is_web = |url: &&String| url.starts_with("https://") || url.starts_with("http://");
    if let Some(wrong) = args.feeds.iter().find(|url| !is_web(url)) {
        return Err(Failure::usage(format!(
            "{wrong}: no address of a feed: write https://HOST/PATH"
        )));
    }
    if !args.feeds.is_empty() {
        settings.sources.clear();
        settings.feeds.clone_from(&args.feeds);
    }
    let watched = watched(loaded);
    if feeds::of(&settings, &watched).is_empty() {
        let why = "no feed: name addresses, or set sources or feeds in [news]";
        return Err(Failure::usage(why));
    }
    let dir = data_dir(global, loaded);
    let records = match args.dry_run {
        true => None,
        false => {
            std::fs::create_dir_all(&dir)
                .map_err(|e| Failure::new(Exit::Store, format!("making {}: {e}", dir.display())))?;
            Some(wiring::open_records(&dir, StoreKind::Real)?)
        }
    };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let pace = Pace { clock: Arc::clone(&clock), speed: 1.0 };
    let mut collector = collector(&settings, &watched, records.as_ref(), (1, clock.now()))?;
    let client = wiring::client()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let heard = runtime.block_on(once(&mut collector, &client, &pace));
    let mut fetched = sums(&heard, collector.health());
    match records {
        None => heard.iter().flat_map(|heard| &heard.documents).try_for_each(|document| {
            print_line(&serde_json::to_string(document).map_err(|e| Failure::usage(e.to_string()))?)
        })?,
        Some(records) => {
            let llm = &loaded.settings.llm;
            let reader = Reader::new((&settings, llm), (records.clone(), dir.as_path()), &clock)?;
            fetched.new = 0;
            for heard in heard {
                fetched.new += runtime.block_on(keep(heard, &reader, &records, &pace))?.len();
            }
        }
    }
    tell(global, &fetched, args)
}

fn sums<'a>(heard: &[Heard], health: impl Iterator<Item = &'a FeedHealth>) -> Fetched {
    let mut sums = Fetched::default();
    for feed in health {
        sums.asked += 1;
        if !feed.why.is_empty() {
            let (feed, why) = (feed.name.clone(), feed.why.clone());
            sums.failures.push(Unanswered { feed, why });
        }
    }
    sums.failed = sums.failures.len();
    for heard in heard {
        sums.new += heard.documents.len();
        sums.copies += heard.copies.len();
        sums.known += heard.known;
        sums.unreadable += heard.unreadable;
    }
    sums
}

fn tell(global: &Global, fetched: &Fetched, args: &NewsFetch) -> Result<Exit> {
    for failure in &fetched.failures {
        say(global, format_args!("{}: {}", failure.feed, failure.why));
    }
    if global.json && !args.dry_run {
        print_json(fetched)?;
    } else {
        let Fetched { asked, failed, new, copies, known, unreadable, .. } = fetched;
        let feeds = if *asked == 1 { "feed" } else { "feeds" };
        say(
            global,
            format_args!(
                "{asked} {feeds} asked, {failed} failed: {new} new, {copies} copies, {known} known, {unreadable} unreadable"
            ),
        );
    }
    Ok(if fetched.failed == fetched.asked { Exit::Remote } else { Exit::Done })
}

/// What is watched, each once.
fn watched(loaded: &Loaded) -> Vec<Symbol> {
    let mut watched: Vec<Symbol> =
        loaded.settings.feeds.iter().flat_map(|feed| feed.symbols.clone()).collect();
    watched.sort();
    watched.dedup();
    watched
}

fn list(global: &Global, loaded: &Loaded, args: &NewsList) -> Result<Exit> {
    let records = wiring::read_records(&data_dir(global, loaded))?;
    let page = DocumentPage {
        symbol: args.symbol.clone(),
        since: args.since,
        limit: args.limit as usize,
        ..DocumentPage::default()
    };
    let items: Vec<NewsItem> =
        records.document_page(&page)?.into_iter().map(NewsItem::from).collect();
    if global.json {
        let line = |item: &NewsItem| {
            serde_json::to_string(item).map_err(|e| Failure::usage(e.to_string()))
        };
        items.iter().try_for_each(|item| print_line(&line(item)?))?;
        return Ok(Exit::Done);
    }
    if items.is_empty() {
        say_none(global, "news", args.symbol.is_some() || args.since.is_some());
    }
    let cells = |item: &NewsItem| {
        let symbols: Vec<&str> = item.symbols.iter().map(Symbol::as_str).collect();
        vec![
            item.at.to_string(),
            item.tone.map_or("-", Tone::as_str).to_owned(),
            item.impact.map_or_else(|| "-".to_owned(), |impact| format!("{impact:+.2}")),
            item.sources.to_string(),
            symbols.join(","),
            item.translated.clone().unwrap_or_else(|| item.title.clone()),
        ]
    };
    let names = ["at", "tone", "impact", "feeds", "symbols", "title"];
    print_table(&names, &items.iter().map(cells).collect::<Vec<_>>())?;
    Ok(Exit::Done)
}

fn lift(global: &Global, loaded: &Loaded, args: &NewsLift) -> Result<Exit> {
    let dir = data_dir(global, loaded);
    let records = wiring::read_records(&dir)?;
    let history = wiring::history(&dir, &records);
    let now = SystemClock.now();
    let mut symbols = if args.symbols.is_empty() { watched(loaded) } else { args.symbols.clone() };
    symbols.sort();
    symbols.dedup();
    let mut found: Vec<(Symbol, Vec<Bar>, Vec<Told>)> = Vec::new();
    for symbol in symbols {
        let bars = history.last_bars(&symbol, args.interval, now, MAX_MEASURED)?;
        let told = told(&records, &symbol)?;
        if bars.is_empty() || told.is_empty() {
            let (bars, told) = (bars.len(), told.len());
            say(global, format_args!("{symbol}: left out, {bars} bars and {told} documents"));
            continue;
        }
        found.push((symbol, bars, told));
    }
    let subjects: Vec<Subject<'_>> =
        found.iter().map(|(symbol, bars, told)| Subject { symbol, bars, told }).collect();
    let mut rows = Vec::new();
    for &bars in &args.bars {
        let NewsLift { shuffles, seed, .. } = *args;
        let options = LiftOptions { horizon: usize::from(bars), shuffles, seed };
        rows.extend(news_lift(&subjects, options).map_err(Failure::usage)?);
    }
    if global.json {
        print_json(&rows)?;
        return Ok(Exit::Done);
    }
    if rows.is_empty() {
        say(global, format_args!("nothing to measure: no document lies among stored bars"));
    }
    table(&rows)?;
    Ok(Exit::Done)
}

/// The documents about an instrument that were read.
fn told(records: &Records, symbol: &Symbol) -> Result<Vec<Told>> {
    let symbol = Some(symbol.clone());
    let page = DocumentPage { symbol, limit: MAX_MEASURED, ..DocumentPage::default() };
    let insights = records.document_page(&page)?.into_iter().filter_map(|row| row.insight);
    Ok(insights.map(|read| Told { known_at: read.known_at, tone: read.tone() }).collect())
}

fn table(rows: &[LiftRow]) -> Result<()> {
    let percent = |share: f64| format!("{:+.3}%", share * 100.0);
    let cells = |row: &LiftRow, (name, of): (&str, Figures)| {
        let Figures { n, n_eff, mean, lift, low, high, p, .. } = of;
        let interval = match (low, high) {
            (Some(low), Some(high)) => format!("{} .. {}", percent(low), percent(high)),
            _ => "-".to_owned(),
        };
        let p = p.map_or_else(|| "-".to_owned(), |p| format!("{p:.3}"));
        let (tone, bars) = (row.tone.as_str().to_owned(), row.horizon.to_string());
        let counts = [n.to_string(), n_eff.to_string()];
        let [n, n_eff] = counts;
        vec![tone, bars, name.to_owned(), n, n_eff, percent(mean), percent(lift), interval, p]
    };
    let lines: Vec<Vec<String>> = rows
        .iter()
        .flat_map(|row| [("seen", row.seen), ("shuffled", row.control)].map(|of| cells(row, of)))
        .collect();
    print_table(
        &["tone", "bars", "labels", "n", "n_eff", "mean", "lift", "95% interval", "p"],
        &lines,
    )
}
