//! Feeds of venues that are only asked: a poller for what comes, and beside it the history that the
//! strategies need.
//!
//! Nothing here holds up a start: without a network, or while the venue refuses, the service runs and
//! the feed is told to be stale. History goes to the store as any import does, of which the engine
//! hears within seconds.

use std::sync::Arc;
use std::time::Duration;

use finstage_engine::series_depths;
use finstage_feeds::{Poller, SessionLimits, SessionOptions, SessionStats, Since, Subscription};
use finstage_model::{Bar, Event, Interval, Symbol, Timestamp};
use finstage_net::{Backoff, Jitter, SocketOptions};
use finstage_store::history::History;
use finstage_strategies::CATALOG;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::backfill::{Source, Stretch, Trouble};
use crate::config::settings::FeedSettings;
use crate::day::House;
use crate::exit::{Exit, Failure, Result};
use crate::venues::Door;
use crate::wiring;

/// Between two tries for history while the venue cannot be reached.
const BACKOFF: Backoff =
    Backoff { base: Duration::from_secs(5), factor: 2, cap: Duration::from_secs(600) };
/// However the wait is drawn.
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// Bars that are kept in memory before they are stored.
const PIECE_BARS: usize = 50_000;

/// Starts what a feed needs. `goes_on` says that the service was away for a short time only: what it
/// missed then comes as events, else as history.
///
/// # Errors
/// When the venue is not known or the store cannot be read.
pub(crate) fn start(
    house: &House,
    feed: &FeedSettings,
    (door, goes_on): (&Door, bool),
    (events, shutdown): (mpsc::Sender<Vec<Event>>, watch::Receiver<bool>),
) -> Result<(JoinHandle<()>, Arc<SessionStats>)> {
    let no_history = || Failure::usage(format!("{} can neither be heard nor asked", feed.venue));
    let poll = door.poll().ok_or_else(no_history)?;
    let clock = Arc::clone(&house.rim.clock);
    let source = Source::new(door, Arc::clone(&clock));
    let source = source.ok_or_else(no_history)?;
    let subscriptions = wiring::subscriptions(feed, &house.instruments);
    let since = if goes_on { since(house, &subscriptions)? } else { Vec::new() };
    let wants = wants(house, feed, &since)?;
    let stats = Arc::<SessionStats>::default();
    let options = SessionOptions {
        profile: door.venue.profile,
        subscriptions,
        since,
        client: door.client.clone(),
        sealed: None,
        socket: SocketOptions::default(),
        seed: clock.now().nanos().unsigned_abs(),
        clock,
        limits: SessionLimits::default(),
        events,
        shutdown: shutdown.clone(),
        stats: Arc::clone(&stats),
    };
    let poller = Poller::new(poll, options);
    let history = house.history.clone();
    let task = tokio::spawn(async move {
        tokio::join!(poller.run(), fill(source, history, wants, shutdown));
    });
    Ok((task, stats))
}

/// Up to where each series is stored.
fn since(house: &House, subscriptions: &[Subscription]) -> Result<Vec<Since>> {
    let mut since = Vec::new();
    for Subscription { instrument, symbol, intervals, .. } in subscriptions {
        for &interval in intervals {
            if let Some(close_time) = house.stored_until(symbol, interval)? {
                since.push(Since { instrument: *instrument, interval, close_time });
            }
        }
    }
    Ok(since)
}

/// History that the strategies need and the store lacks.
#[derive(Debug)]
pub(crate) struct Want {
    pub(crate) symbol: Symbol,
    pub(crate) interval: Interval,
    /// The first moment wanted.
    pub(crate) from: Timestamp,
    /// The first one not wanted.
    pub(crate) to: Timestamp,
}

fn wants(house: &House, feed: &FeedSettings, since: &[Since]) -> Result<Vec<Want>> {
    let now = house.rim.clock.now();
    let depths = series_depths(&house.settings, CATALOG).map_err(Failure::usage)?;
    let mut wants = Vec::new();
    for (symbol, interval, depth) in depths {
        let is_ours = feed.symbols.contains(&symbol) && feed.venue_intervals.contains(&interval);
        let Some(instrument) = house.instruments.iter().find(|i| i.symbol == symbol) else {
            continue;
        };
        // The poller brings what a short absence missed.
        let is_told = since.iter().any(|s| (s.instrument, s.interval) == (instrument.id, interval));
        if !is_ours || is_told {
            continue;
        }
        let wanted = wiring::history_start(&symbol, interval, depth, now);
        let stored = house.stored_until(&symbol, interval)?;
        let from = stored.map_or(wanted, |until| until.max(wanted));
        wants.push(Want { symbol, interval, from, to: Timestamp::MAX });
    }
    Ok(wants)
}

/// Fetches history until it is all there, or the service stops.
async fn fill(
    source: Source,
    history: History,
    wants: Vec<Want>,
    mut shutdown: watch::Receiver<bool>,
) {
    tokio::select! {
        () = fill_all(&source, &history, &wants) => {}
        _ = shutdown.wait_for(|stop| *stop) => {}
    }
}

async fn fill_all(source: &Source, history: &History, wants: &[Want]) {
    let (mut factored, mut refused) = (Vec::<&Symbol>::new(), Vec::<&Symbol>::new());
    for want in wants {
        let Want { symbol, interval, from, .. } = want;
        if refused.contains(&symbol) {
            continue;
        }
        match fill_series(source, history, want).await {
            Ok(None) => {}
            Ok(Some(why)) => {
                tracing::warn!("{symbol}: no history: {why}");
                refused.push(symbol);
            }
            Err(error) => tracing::warn!("history could not be stored: {error}"),
        }
        if factored.contains(&symbol) || refused.contains(&symbol) || *interval < Interval::D1 {
            continue;
        }
        factored.push(symbol);
        match source.factors(symbol, *from).await {
            Ok(Some(factors)) if history_is_new(history, symbol) => {
                let (history, symbol) = (history.clone(), symbol.clone());
                let store = move || history.import_factors(&symbol, &factors).map(|_| ());
                if let Err(error) = stored(tokio::task::spawn_blocking(store).await) {
                    tracing::warn!("dividends and splits could not be stored: {error}");
                }
            }
            // `finstage backfill` brings them for all that is stored.
            Ok(_) => {}
            Err(trouble) => tracing::warn!("{symbol}: no dividends and splits: {trouble:?}"),
        }
    }
}

/// Whether no factors are stored, which ones of a shorter past would replace.
fn history_is_new(history: &History, symbol: &Symbol) -> bool {
    history.factors(symbol).is_ok_and(|factors| factors.rows().is_empty())
}

/// Waits before another try.
async fn wait(symbol: &Symbol, why: &str, rest: Duration) {
    tracing::warn!("{symbol}: no history yet: {why}; again in {:.0} s", rest.as_secs_f64());
    tokio::time::sleep(rest).await;
}

/// Fetches a series, however long the venue cannot be reached; gives why the venue has none.
///
/// # Errors
/// When the history cannot be written.
pub(crate) async fn fill_series(
    source: &Source,
    history: &History,
    want: &Want,
) -> Result<Option<String>> {
    let Want { symbol, interval, from, to } = want;
    let stretch = Stretch { from: *from, to: *to, bars: 0 };
    let mut next = Some(source.query(symbol, *interval, &stretch));
    let (mut bars, mut attempt) = (Vec::new(), 0);
    while let Some(query) = next {
        next = match source.page(&query, &mut bars).await {
            Ok(following) => {
                attempt = 0;
                following
            }
            Err(Trouble::Refused(why) | Trouble::Denied(why)) => return Ok(Some(why)),
            Err(Trouble::Limited(rest)) => {
                wait(symbol, "too many requests", rest).await;
                Some(query)
            }
            Err(Trouble::Unreachable(why)) => {
                let mut jitter = Jitter::seeded(u64::from(attempt));
                let rest = BACKOFF.next(attempt, &mut jitter).max(LEAST_WAIT);
                attempt = attempt.saturating_add(1);
                wait(symbol, &why, rest).await;
                Some(query)
            }
        };
        if bars.len() >= PIECE_BARS || next.is_none() {
            store(history, want, std::mem::take(&mut bars)).await?;
        }
    }
    Ok(None)
}

async fn store(history: &History, want: &Want, bars: Vec<Bar>) -> Result<()> {
    if bars.is_empty() {
        return Ok(());
    }
    let (history, symbol, interval) = (history.clone(), want.symbol.clone(), want.interval);
    let work = move || {
        let counts = history.import(&symbol, interval, &bars)?;
        tracing::info!("{symbol} {interval}: {} bars of history", counts.written);
        Ok(())
    };
    stored(tokio::task::spawn_blocking(work).await)
}

fn stored(
    done: std::result::Result<
        std::result::Result<(), finstage_store::Error>,
        tokio::task::JoinError,
    >,
) -> Result<()> {
    Ok(done.map_err(|broken| Failure::new(Exit::Store, broken))??)
}
