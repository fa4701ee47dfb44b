//! `finstage news`

use std::sync::Arc;

use finstage_feeds::news::{FeedHealth, Heard};
use finstage_model::{Bar, Clock, Symbol, Tone};
use finstage_net::SystemClock;
use finstage_research::news_lift::{Figures, LiftOptions, LiftRow, Subject, Told, news_lift};
use finstage_server::NewsItem;
use finstage_store::records::{DocumentPage, StoreKind};
use finstage_store::{Records, make_private_dir};
use serde::Serialize;

use super::config::count;
use super::{data_dir, load_without_channels, print_json, print_line, print_table, say, say_none};
use crate::cli::{Global, News, NewsFetch, NewsLift, NewsList};
use crate::config::Loaded;
use crate::exit::{Exit, Failure, Result};
use crate::news::reader::Reader;
use crate::news::{collector, feeds, keep, once, places, read};
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
    retold: usize,
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
            make_private_dir(&dir)
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
                let fresh = runtime.block_on(read(heard, &reader, &pace));
                runtime.block_on(keep(&fresh, &records))?;
                fetched.new += fresh.rows.len();
            }
            // Behind all that they brought, which they do not bring again.
            records.set_feed_places(&places(&collector, 0..fetched.asked))?;
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
        sums.retold += heard.retold.len();
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
        say(global, format_args!("{}", sentence(fetched)));
    }
    Ok(if fetched.failed == fetched.asked { Exit::Remote } else { Exit::Done })
}

/// `1 feed asked, none failed: 2 new (1 a story told before), 1 copy, 20 known, none unreadable`.
fn sentence(fetched: &Fetched) -> String {
    let Fetched { asked, failed, new, copies, retold, known, unreadable, .. } = *fetched;
    let none = |count: usize| if count == 0 { "none".to_owned() } else { count.to_string() };
    let told = match retold {
        0 => String::new(),
        1 => " (1 tells a story once more)".to_owned(),
        n => format!(" ({n} tell a story once more)"),
    };
    let feeds = count(asked, "feed", "feeds");
    let (failed, new, unreadable) = (none(failed), none(new), none(unreadable as usize));
    let copies = count(copies, "copy", "copies");
    format!(
        "{feeds} asked, {failed} failed: {new} new{told}, {copies}, {known} known, {unreadable} unreadable"
    )
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

/// The stories about an instrument that were read.
fn told(records: &Records, symbol: &Symbol) -> Result<Vec<Told>> {
    let insights = records.insights_about(symbol, MAX_MEASURED)?.into_iter();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_fetched_is_said_as_people_count() {
        let one = Fetched { asked: 1, new: 2, retold: 1, copies: 1, ..Fetched::default() };
        assert_eq!(
            sentence(&one),
            "1 feed asked, none failed: 2 new (1 tells a story once more), 1 copy, 0 known, none unreadable"
        );
        let two = Fetched { asked: 2, failed: 1, copies: 3, known: 9, unreadable: 1, ..one };
        let two = Fetched { new: 0, retold: 0, ..two };
        assert_eq!(
            sentence(&two),
            "2 feeds asked, 1 failed: none new, 3 copies, 9 known, 1 unreadable"
        );
    }
}
