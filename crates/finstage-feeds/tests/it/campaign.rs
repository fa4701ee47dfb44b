//! Whatever happens to connections, every trade that the venue printed arrives once, and every
//! loss is told where it was. The reference is the venue's own list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::{
    Session, SessionLimits, SessionOptions, SessionSnapshot, SessionStats, Subscription, SymbolMap,
    VenueProfile, venues,
};
use finstage_model::{Event, FeedKind, InstrumentId, Payload, Timestamp};
use finstage_net::{Client, SocketOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::inside::{Fate, Inside, Manners};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "RAREUSDT"];

/// A session against a venue within this process.
struct Run {
    venue: Inside,
    stats: Arc<SessionStats>,
    events: mpsc::Receiver<Vec<Event>>,
    stop: watch::Sender<bool>,
    session: JoinHandle<()>,
    log: Log,
}

/// What the session said of each instrument.
#[derive(Default)]
struct Log {
    trades: BTreeMap<InstrumentId, Vec<(u64, i64)>>,
    gaps: BTreeMap<InstrumentId, Vec<(Timestamp, Timestamp)>>,
    /// Gaps that are not repaired yet.
    open: BTreeMap<InstrumentId, Vec<(Timestamp, Timestamp)>>,
    ups: u64,
    stales: u64,
}

impl Log {
    fn take(&mut self, batch: Vec<Event>) {
        for event in batch {
            match event.payload {
                Payload::Trade(trade) => {
                    let seen = (trade.id.0 as u64, trade.ts_event.millis());
                    self.trades.entry(trade.instrument).or_default().push(seen);
                }
                Payload::Feed(status) => {
                    let open = self.open.entry(status.instrument).or_default();
                    match status.kind {
                        FeedKind::Gap { from, to } => {
                            open.push((from, to));
                            self.gaps.entry(status.instrument).or_default().push((from, to));
                        }
                        FeedKind::Repaired { from, to } => {
                            let before = open.len();
                            open.retain(|gap| gap.0 < from || to < gap.1);
                            assert!(
                                open.len() < before,
                                "a repair of nothing that was told: {from} to {to}, of {open:?}, told {:?}",
                                self.gaps
                            );
                        }
                        FeedKind::Up => self.ups += 1,
                        FeedKind::Stale => self.stales += 1,
                        other => panic!("{other:?}"),
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Whether every gap is repaired, but for those before the first trade: there is nothing to
    /// count from.
    fn is_repaired(&self) -> bool {
        self.open.iter().all(|(instrument, gaps)| {
            let first = self.trades.get(instrument).and_then(|trades| trades.first());
            gaps.iter().all(|gap| first.is_none_or(|(_, at_ms)| gap.1.millis() <= *at_ms))
        })
    }
}

impl Run {
    fn start(venue: Inside, seed: u64, limits: SessionLimits) -> Self {
        Self::with(venue, (seed, limits), venues::find("binance").unwrap().profile)
    }

    fn with(
        venue: Inside,
        (seed, limits): (u64, SessionLimits),
        profile: &'static VenueProfile,
    ) -> Self {
        let binance = venues::find("binance").unwrap();
        let subscription = |(symbol, id): (&&str, u32)| Subscription {
            instrument: InstrumentId(id),
            symbol: format!("binance:{symbol}").parse().unwrap(),
            trades: true,
            intervals: Vec::new(),
        };
        let subscriptions: Vec<Subscription> = SYMBOLS.iter().zip(0..).map(subscription).collect();
        let endpoints = binance.profile.endpoints();
        let stats = Arc::new(SessionStats::default());
        let (event_in, events) = mpsc::channel(1_024);
        let (stop, shutdown) = watch::channel(false);
        let options = SessionOptions {
            profile,
            since: Vec::new(),
            client: Client::over(Arc::new(venue.clone())),
            socket: SocketOptions::default(),
            clock: Arc::new(venue.clock),
            seed,
            limits,
            events: event_in,
            shutdown,
            stats: Arc::clone(&stats),
            subscriptions: subscriptions.clone(),
        };
        let stream = (binance.stream.unwrap())(&endpoints, SymbolMap::of(&subscriptions));
        let poll = (binance.poll.unwrap())(&endpoints);
        let session = Session::new(stream, Some(poll), options).unwrap();
        let session = tokio::spawn(session.run());
        tokio::spawn(venue.clone().trade());
        Self { venue, stats, events, stop, session, log: Log::default() }
    }

    fn seen(&self) -> SessionSnapshot {
        self.stats.snapshot()
    }

    /// Listens until something holds, for no longer than a day of the test's time.
    async fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let ends = Instant::now() + Duration::from_secs(86_400 * 30);
        while !holds(self) {
            assert!(Instant::now() < ends, "{what} never came: {:?}", self.seen());
            tokio::select! {
                batch = self.events.recv() => self.log.take(batch.expect("the session has ended")),
                () = sleep(Duration::from_millis(500)) => {}
            }
        }
    }

    /// The venue behaves from here on; what is missing arrives, and all is compared.
    async fn settle(mut self) -> (SessionSnapshot, Log) {
        {
            let mut state = self.venue.state();
            state.manners = Manners::GOOD;
            state.script = vec![Fate::Stay; 64];
        }
        let ended = |run: &Self| run.seen().gaps_open == 0 && run.log.is_repaired();
        self.until("the end of all repairs", ended).await;
        // Until a connection made since then is up, the last ones may still be cut.
        let quiet = Instant::now() + Duration::from_secs(600);
        self.until("quiet", |run| Instant::now() > quiet && ended(run)).await;
        let ends: Vec<u64> =
            SYMBOLS.iter().map(|s| self.venue.state().tapes[s].last().unwrap().id).collect();
        self.until("the newest trades", |run| {
            let ids = run.log.trades.iter().map(|(id, seen)| (id, seen.iter().map(|t| t.0).max()));
            ids.into_iter().all(|(id, max)| max >= Some(ends[id.index()]))
        })
        .await;
        self.stop.send_replace(true);
        self.session.await.unwrap();
        while let Some(batch) = self.events.recv().await {
            self.log.take(batch);
        }
        check(&self.venue, &self.log);
        (self.stats.snapshot(), self.log)
    }
}

/// Everything once, every loss told, no loss told without a reason.
fn check(venue: &Inside, log: &Log) {
    let state = venue.state();
    for (symbol, id) in SYMBOLS.iter().zip(0..) {
        let instrument = InstrumentId(id);
        let tape = &state.tapes[symbol];
        let mut told = log.trades.get(&instrument).cloned().unwrap_or_default();
        let Some(&(first, _)) = told.iter().min() else { continue };
        let last = told.iter().max().unwrap().0;
        told.sort_unstable();
        let kept = tape.iter().filter(|t| (first..=last).contains(&t.id));
        let printed: Vec<(u64, i64)> = kept.map(|t| (t.id, t.at_ms)).collect();
        assert!(told == printed, "{symbol}: {} told, {} printed", told.len(), printed.len());
        let gaps = log.gaps.get(&instrument).cloned().unwrap_or_default();
        for trade in tape.iter().filter(|t| !t.was_sent && (first..=last).contains(&t.id)) {
            let at = trade.at_ms;
            let is_told =
                gaps.iter().any(|(from, to)| from.millis() <= at && at <= to.millis() + 1);
            assert!(is_told, "{symbol} {} at {at} was never sent, and no gap says so", trade.id);
        }
    }
}

async fn campaign(seed: u64, cuts: u64) -> (u64, SessionSnapshot) {
    let venue = Inside::new(seed, Manners::BAD);
    let mut run = Run::start(venue.clone(), seed, SessionLimits::default());
    run.until("the last cut", |run| run.venue.state().cuts >= cuts).await;
    let (seen, log) = run.settle().await;
    assert_eq!((seen.trades_lost, seen.gaps_open, seen.trades_missing), (0, 0, 0), "seed {seed}");
    assert!(log.gaps.values().map(|gaps| gaps.len() as u64).sum::<u64>() == seen.gaps);
    let state = venue.state();
    assert!(state.most_frames_a_second <= 5, "{}", state.most_frames_a_second);
    (state.cuts, seen)
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG=1 asks for the thorough form")]
#[expect(clippy::print_stdout, reason = "a long test says what it did")]
async fn no_trade_is_lost_or_doubled_by_ten_thousand_disconnects() {
    let runs = if std::env::var_os("FINSTAGE_LONG").is_some() { 40 } else { 2 };
    let (mut cuts, mut filled, mut late, mut gaps, mut overlaps) = (0, 0, 0, 0, 0);
    for seed in 1..=runs {
        let (cut, seen) = campaign(seed, 250).await;
        cuts += cut;
        filled += seen.trades_filled;
        late += seen.trades_late;
        gaps += seen.gaps;
        overlaps += seen.overlaps;
    }
    println!(
        "{cuts} cuts: {gaps} gaps, {filled} trades filled, {late} of them late, {overlaps} overlaps"
    );
    assert!(filled > 1_000 && late > 0 && overlaps > 0);
}
