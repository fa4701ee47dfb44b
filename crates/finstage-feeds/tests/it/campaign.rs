//! Whatever happens to connections, every trade that the venue printed arrives once, and every
//! loss is told where it was. The reference is the venue's own list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use finstage_feeds::{
    Session, SessionLimits, SessionOptions, SessionSnapshot, SessionStats, Subscription, SymbolMap,
    VenueProfile, venues,
};
use finstage_model::{Event, FeedKind, InstrumentId, Interval, Payload, Timestamp};
use finstage_net::{Backoff, Client, SocketOptions};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::inside::{Fate, Inside, Manners, Printed};

const SYMBOLS: [&str; 3] = ["BTCUSDT", "ETHUSDT", "RAREUSDT"];

/// What a test may want different.
struct Plan {
    seed: u64,
    manners: Manners,
    limits: SessionLimits,
    profile: &'static VenueProfile,
    /// In front of the symbols.
    venue: &'static str,
    intervals: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            seed: 1,
            manners: Manners::GOOD,
            limits: SessionLimits::default(),
            profile: venues::find("binance").unwrap().profile,
            venue: "binance",
            intervals: 0,
        }
    }
}

/// A session against a venue within this process.
struct Run {
    venue: Inside,
    stats: Arc<SessionStats>,
    events: mpsc::Receiver<Vec<Event>>,
    stop: watch::Sender<bool>,
    session: JoinHandle<()>,
    log: Log,
}

/// What was told of one instrument, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Trade(u64, i64),
    Gap(Timestamp, Timestamp),
    Repaired(Timestamp, Timestamp),
    Up(Timestamp),
    Stale(Timestamp),
}

#[derive(Default)]
struct Log {
    told: BTreeMap<InstrumentId, Vec<Told>>,
    /// Gaps that are not repaired yet.
    open: BTreeMap<InstrumentId, Vec<(Timestamp, Timestamp)>>,
    newest: BTreeMap<InstrumentId, u64>,
    first_at_ms: BTreeMap<InstrumentId, i64>,
}

impl Log {
    fn take(&mut self, batch: Vec<Event>) {
        for event in batch {
            let (instrument, told) = match event.payload {
                Payload::Trade(trade) => {
                    let (id, at_ms) = (trade.id.0 as u64, trade.ts_event.millis());
                    let newest = self.newest.entry(trade.instrument).or_default();
                    *newest = id.max(*newest);
                    self.first_at_ms.entry(trade.instrument).or_insert(at_ms);
                    (trade.instrument, Told::Trade(id, at_ms))
                }
                Payload::Feed(status) => {
                    let told = match status.kind {
                        FeedKind::Gap { from, to } => Told::Gap(from, to),
                        FeedKind::Repaired { from, to } => Told::Repaired(from, to),
                        FeedKind::Up => Told::Up(event.ts_recv),
                        FeedKind::Stale => Told::Stale(event.ts_recv),
                        other => panic!("{other:?}"),
                    };
                    (status.instrument, told)
                }
                other => panic!("{other:?}"),
            };
            let open = self.open.entry(instrument).or_default();
            match told {
                Told::Gap(from, to) => open.push((from, to)),
                Told::Repaired(from, to) => {
                    let before = open.len();
                    open.retain(|gap| gap.0 < from || to < gap.1);
                    assert!(open.len() < before, "a repair of nothing: {from} to {to}, {open:?}");
                }
                _ => {}
            }
            self.told.entry(instrument).or_default().push(told);
        }
    }

    fn count(&self, what: impl Fn(&Told) -> bool) -> usize {
        self.told.values().flatten().filter(|told| what(told)).count()
    }

    fn gaps(&self) -> usize {
        self.count(|told| matches!(told, Told::Gap(..)))
    }

    fn stales(&self) -> usize {
        self.count(|told| matches!(told, Told::Stale(_)))
    }

    fn ups(&self) -> usize {
        self.count(|told| matches!(told, Told::Up(_)))
    }

    /// Whether every gap is repaired, but for those before the first trade: there is nothing to
    /// count from.
    fn is_repaired(&self) -> bool {
        self.open.iter().all(|(instrument, gaps)| {
            let first = self.first_at_ms.get(instrument);
            gaps.iter().all(|gap| first.is_none_or(|at_ms| gap.1.millis() <= *at_ms))
        })
    }
}

impl Run {
    fn start(plan: Plan) -> Self {
        let binance = venues::find("binance").unwrap();
        let subscription = |(symbol, id): (&&str, u32)| Subscription {
            instrument: InstrumentId(id),
            symbol: format!("{}:{symbol}", plan.venue).parse().unwrap(),
            trades: true,
            intervals: vec![Interval::M1; plan.intervals],
        };
        let subscriptions: Vec<Subscription> = SYMBOLS.iter().zip(0..).map(subscription).collect();
        let venue = Inside::new(plan.seed, plan.manners);
        let endpoints = binance.profile.endpoints();
        let stats = Arc::new(SessionStats::default());
        let (event_in, events) = mpsc::channel(1_024);
        let (stop, shutdown) = watch::channel(false);
        let stream = (binance.stream.unwrap())(&endpoints, SymbolMap::of(&subscriptions));
        let poll = (binance.poll.unwrap())(&endpoints);
        let options = SessionOptions {
            profile: plan.profile,
            since: Vec::new(),
            client: Client::over(Arc::new(venue.clone())),
            sealed: None,
            socket: SocketOptions::default(),
            clock: Arc::new(venue.clock),
            seed: plan.seed,
            limits: plan.limits,
            events: event_in,
            shutdown,
            stats: Arc::clone(&stats),
            subscriptions,
        };
        let session = Session::new(stream, Some(poll), options).unwrap();
        let session = tokio::spawn(session.run());
        tokio::spawn(venue.clone().trade());
        Self { venue, stats, events, stop, session, log: Log::default() }
    }

    fn seen(&self) -> SessionSnapshot {
        self.stats.snapshot()
    }

    fn cuts(&self) -> usize {
        self.venue.state().cuts.len()
    }

    /// Listens until something holds, for no longer than a month of the test's time.
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

    async fn during(&mut self, span: Duration) {
        let ends = sleep(span);
        tokio::pin!(ends);
        loop {
            tokio::select! {
                batch = self.events.recv() => self.log.take(batch.expect("the session has ended")),
                () = &mut ends => return,
            }
        }
    }

    /// The venue behaves from here on; what is missing arrives, and all is compared.
    async fn settle(mut self) -> Settled {
        {
            let mut state = self.venue.state();
            state.manners = Manners { unarchived: state.manners.unarchived, ..Manners::GOOD };
            state.script = vec![(Fate::Stay, Duration::ZERO); 64].into();
        }
        let ended = |run: &Self| {
            let seen = run.seen();
            seen.gaps_open == 0 && (seen.trades_lost > 0 || run.log.is_repaired())
        };
        self.until("the end of all repairs", ended).await;
        // Connections from before the venue behaved may still be cut.
        let quiet = Instant::now() + Duration::from_secs(600);
        self.until("quiet", |run| Instant::now() > quiet && ended(run)).await;
        let ends = SYMBOLS.map(|s| self.venue.state().tapes[s].last().unwrap().id);
        self.until("the newest trades", |run| {
            ends.iter().zip(0..).all(|(end, id)| run.log.newest.get(&InstrumentId(id)) >= Some(end))
        })
        .await;
        self.stop.send_replace(true);
        self.session.await.unwrap();
        while let Some(batch) = self.events.recv().await {
            self.log.take(batch);
        }
        let seen = self.stats.snapshot();
        let unsent = check(&self.venue, &self.log, &self.stats);
        assert_eq!((seen.gaps_open, seen.trades_missing), (0, 0));
        assert_eq!(self.log.gaps() as u64, seen.gaps);
        assert!(self.venue.state().most_frames_a_second <= 5);
        let commands: BTreeSet<String> = self.venue.state().commands.iter().cloned().collect();
        assert_eq!(commands.len(), 1, "every connection asks for every stream: {commands:?}");
        Settled { venue: self.venue, log: self.log, seen, unsent }
    }
}

/// A session that has ended, everything compared.
struct Settled {
    venue: Inside,
    log: Log,
    seen: SessionSnapshot,
    /// Trades that no connection was given.
    unsent: u64,
}

/// Every trade once but for those that nobody could give, which are told by their ids; every loss
/// told before what fills it, repaired after it, and none told without a reason.
fn check(venue: &Inside, log: &Log, stats: &SessionStats) -> u64 {
    let state = venue.state();
    let mut unsent_of_all = 0;
    for (symbol, id) in SYMBOLS.iter().zip(0..) {
        let told = &log.told[&InstrumentId(id)];
        let mut trades: Vec<(u64, i64)> = Vec::new();
        trades.extend(told.iter().filter_map(|told| match told {
            Told::Trade(id, at) => Some((*id, *at)),
            _ => None,
        }));
        trades.sort_unstable();
        let (Some(&(first, _)), Some(&(last, _))) = (trades.first(), trades.last()) else {
            continue;
        };
        let printed = state.tapes[symbol].iter().filter(|t| (first..=last).contains(&t.id));
        let is_lost = |t: &Printed| !t.was_sent && !t.is_archived;
        let (lost, kept): (Vec<&Printed>, Vec<&Printed>) = printed.partition(|t| is_lost(t));
        let kept_ids: Vec<(u64, i64)> = kept.iter().map(|t| (t.id, t.at_ms)).collect();
        assert!(trades == kept_ids, "{symbol}: {} told, {} printed", trades.len(), kept.len());
        let told_lost = stats.lost_trades().into_iter().filter(|l| l.instrument.0 == id);
        let mut told_lost: Vec<u64> = told_lost.flat_map(|l| l.ids).map(|id| id as u64).collect();
        told_lost.sort_unstable();
        assert_eq!(told_lost, lost.iter().map(|t| t.id).collect::<Vec<_>>(), "{symbol}");
        let unsent: BTreeMap<u64, i64> =
            kept.iter().filter(|t| !t.was_sent).map(|t| (t.id, t.at_ms)).collect();
        unsent_of_all += unsent.len() as u64;
        check_order(told, &unsent);
        for gap in told.iter().filter(|told| matches!(told, Told::Gap(..))) {
            let Told::Gap(from, to) = *gap else { continue };
            let (from, to) = (from.millis(), to.millis());
            let is_jump =
                state.jumps.iter().any(|(of, at)| of == symbol && from <= *at && *at <= to);
            let is_outage =
                state.outages.iter().any(|&(since, until)| since <= to && from <= until);
            assert!(is_jump || is_outage, "{symbol}: nothing was lost from {from} to {to}");
        }
        for at in lost.iter().map(|t| t.at_ms) {
            let is_said_whole = told.iter().any(|told| {
                matches!(told, Told::Repaired(from, to) if from.millis() < at && at < to.millis())
            });
            assert!(!is_said_whole, "{symbol}: a lost trade at {at} is said to be repaired");
        }
    }
    unsent_of_all
}

/// Trades that the stream never brought come in between a gap and its repair: the last word before
/// them that speaks of their moment is a gap.
fn check_order(told: &[Told], unsent: &BTreeMap<u64, i64>) {
    let mut said: Vec<(bool, i64, i64)> = Vec::new();
    let mut seen = 0;
    for told in told {
        match *told {
            Told::Gap(from, to) => said.push((true, from.millis(), to.millis() + 1)),
            Told::Repaired(from, to) => said.push((false, from.millis() + 1, to.millis() - 1)),
            Told::Trade(id, at) if unsent.contains_key(&id) => {
                seen += 1;
                let about = said.iter().rev().find(|(_, from, to)| *from <= at && at <= *to);
                let is_open = about.is_some_and(|(is_gap, ..)| *is_gap);
                assert!(is_open, "{id} at {at} was never sent, and no open gap says so: {about:?}");
            }
            Told::Trade(..) | Told::Up(_) | Told::Stale(_) => {}
        }
    }
    assert_eq!(seen, unsent.len());
}

async fn campaign(seed: u64, cuts: usize) -> Settled {
    let mut run = Run::start(Plan { seed, manners: Manners::BAD, ..Plan::default() });
    run.until("the last cut", |run| run.cuts() >= cuts).await;
    let settled = run.settle().await;
    assert_eq!(settled.seen.trades_lost, 0, "seed {seed}");
    // What was swapped with the next may be fetched before it comes.
    let most = settled.unsent + settled.venue.state().jumps.len() as u64;
    let filled = settled.seen.trades_filled;
    assert!((settled.unsent..=most).contains(&filled), "seed {seed}: {filled} {}", settled.unsent);
    settled
}

#[tokio::test(start_paused = true)]
#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG=1 asks for the thorough form")]
async fn no_trade_is_lost_or_doubled_by_ten_thousand_disconnects() {
    let runs = if std::env::var_os("FINSTAGE_LONG").is_some() { 40 } else { 2 };
    let (mut cuts, mut printed, mut unsent, mut filled, mut late) = (0, 0, 0, 0, 0);
    let (mut gaps, mut overlaps, mut stalls, mut twice) = (0, 0, 0, 0);
    for seed in 1..=runs {
        let Settled { venue, seen, unsent: never_sent, .. } = campaign(seed, 250).await;
        cuts += venue.state().cuts.len();
        printed += venue.state().tapes.values().map(Vec::len).sum::<usize>();
        unsent += never_sent;
        filled += seen.trades_filled;
        late += seen.trades_late;
        gaps += seen.gaps;
        overlaps += seen.overlaps;
        stalls += seen.stalls;
        twice += seen.duplicates;
    }
    println!(
        "{cuts} cuts, {printed} trades printed, {unsent} never sent: {gaps} gaps, {filled} filled, \
         {late} late, {twice} heard twice, {overlaps} overlaps, {stalls} stalls; 0 lost, 0 doubled"
    );
    assert!(filled > 1_000 && late > 0 && overlaps > 0 && stalls > 0);
}

#[tokio::test(start_paused = true)]
async fn what_neither_stream_nor_archive_has_is_told_by_exactly_its_ids() {
    let manners = Manners { unarchived: 0.002, distorted: 0.0, ..Manners::BAD };
    let mut run = Run::start(Plan { manners, ..Plan::default() });
    run.until("the last cut", |run| run.cuts() >= 100).await;
    let settled = run.settle().await;
    assert!((10..256).contains(&settled.seen.trades_lost), "{:?}", settled.seen);
}

/// The waits from each cut to the next attempt to connect.
fn waits(venue: &Inside) -> Vec<Duration> {
    let state = venue.state();
    let after = |cut: &Instant| state.attempts.iter().find(|at| *at >= cut);
    state.cuts.iter().filter_map(|cut| Some(*after(cut)? - *cut)).collect()
}

#[tokio::test(start_paused = true)]
async fn twenty_cuts_in_a_row_wait_longer_and_longer_until_a_connection_is_healthy() {
    let mut run = Run::start(Plan::default());
    let short = (Fate::Close(1006), Duration::from_millis(300));
    let healthy = (Fate::Close(1006), Duration::from_secs(70));
    run.venue.state().script = [vec![short; 20], vec![healthy; 20]].concat().into();
    run.until("the last cut", |run| run.cuts() >= 40).await;
    let settled = run.settle().await;
    let (waits, backoff) = (waits(&settled.venue), Backoff::default());
    for (failures, wait) in waits[..20].iter().enumerate() {
        assert!(*wait <= backoff.ceiling(failures as u32), "{failures}: {waits:?}");
    }
    assert!(waits[5..20].iter().max() > Some(&Duration::from_secs(10)), "{waits:?}");
    // The first that lasts follows twenty that did not; from its end on the waits are short.
    assert!(waits[20..40].iter().all(|wait| *wait <= backoff.base), "{waits:?}");
    let different: BTreeSet<&Duration> = waits.iter().collect();
    assert!(different.len() > 30, "full jitter: {waits:?}");
    assert_eq!((settled.seen.reconnects, settled.seen.trades_lost), (40, 0));
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_replaced_before_its_day_is_over_and_nothing_is_missed() {
    let manners = Manners { pace: Duration::from_secs(5), ..Manners::GOOD };
    let mut run = Run::start(Plan { manners, ..Plan::default() });
    // The venue cuts after a day; on the second day it asks to connect anew at noon.
    let (day, noon) = (Duration::from_secs(86_400), Duration::from_secs(43_200));
    let lives = [(Fate::Close(1006), day), (Fate::Shutdown, noon), (Fate::Close(1006), day)];
    run.venue.state().script = lives.into_iter().chain([(Fate::Close(1006), day); 4]).collect();
    run.during(3 * day).await;
    let Settled { venue, log, seen, unsent } = run.settle().await;
    assert_eq!((log.gaps(), log.stales(), log.ups()), (0, 0, SYMBOLS.len()));
    assert_eq!((seen.overlaps, seen.reconnects, seen.trades_filled, unsent), (3, 0, 0, 0));
    assert!(seen.duplicates > 0, "two connections spoke");
    let state = venue.state();
    assert_eq!(state.cuts.len(), 0, "the session was always first");
    assert_eq!(state.outages.len(), 2, "before the first connection, and after the end");
}

#[tokio::test(start_paused = true)]
async fn while_the_next_connection_does_not_come_up_a_jump_is_told_at_once() {
    static SHORT: OnceLock<VenueProfile> = OnceLock::new();
    let profile = SHORT.get_or_init(|| VenueProfile {
        max_age: Duration::from_secs(60),
        ..*venues::find("binance").unwrap().profile
    });
    let mut run = Run::start(Plan { profile, ..Plan::default() });
    let broken = (Fate::Close(1006), Duration::from_millis(10));
    run.venue.state().script = [(Fate::Stay, Duration::ZERO), broken].into();
    // The next connection breaks at once, and from then on none can be opened.
    run.until("a failed one", |run| run.cuts() == 1).await;
    run.venue.state().manners.refused = 1.0;
    run.during(Duration::from_secs(5)).await;
    run.venue.state().manners.distorted = 0.2;
    run.until("a jump", |run| !run.venue.state().jumps.is_empty()).await;
    run.venue.state().manners.distorted = 0.0;
    run.during(Duration::from_secs(2)).await;
    assert!(run.log.gaps() > 0);
    let Settled { log, .. } = run.settle().await;
    assert_eq!(log.ups(), SYMBOLS.len(), "the first connection was never lost");
}

#[tokio::test(start_paused = true)]
async fn a_busy_stream_that_forgets_its_subscription_is_noticed_in_seconds() {
    let mut run = Run::start(Plan::default());
    run.venue.state().script = [(Fate::Forget, Duration::from_secs(90))].into();
    run.until("the stall", |run| run.log.stales() > 0).await;
    let noticed = run.venue.state().cuts[0].elapsed();
    assert!(noticed <= Duration::from_secs(6), "pings were answered all the time: {noticed:?}");
    let settled = run.settle().await;
    let told = &settled.log.told[&InstrumentId(0)];
    let states = told.iter().filter(|told| !matches!(told, Told::Trade(..)));
    let states: Vec<&Told> = states.collect();
    assert!(
        matches!(
            states[..],
            [Told::Up(_), Told::Stale(_), Told::Gap(..), Told::Repaired(..), Told::Up(_)]
        ),
        "{states:?}"
    );
    assert_eq!((settled.seen.stalls, settled.seen.reconnects), (1, 1));
}

/// Stalls and reconnects after a silence of an hour on a Sunday.
async fn silent_hour(venue: &'static str) -> (u64, u64) {
    let mut run = Run::start(Plan { venue, ..Plan::default() });
    run.venue.state().script = vec![(Fate::Stay, Duration::ZERO); 64].into();
    run.during(Duration::from_secs(60)).await;
    run.venue.state().is_resting = true;
    run.during(Duration::from_secs(3_600)).await;
    run.venue.state().is_resting = false;
    let settled = run.settle().await;
    (settled.seen.stalls, settled.seen.reconnects)
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_stall_while_the_market_is_open_and_normal_while_it_is_closed() {
    assert_eq!(silent_hour("yahoo").await, (0, 0), "New York is closed on a Sunday");
    let (stalls, reconnects) = silent_hour("binance").await;
    assert!((1..=12).contains(&stalls), "tried anew, and not for ever: {stalls}");
    assert_eq!(stalls, reconnects);
}

#[tokio::test(start_paused = true)]
async fn commands_and_pongs_together_stay_below_what_the_venue_allows() {
    static HASTY: OnceLock<VenueProfile> = OnceLock::new();
    let profile = HASTY.get_or_init(|| VenueProfile {
        command_spacing: Duration::ZERO,
        ..*venues::find("binance").unwrap().profile
    });
    let manners = Manners { pings_every: Duration::from_secs(1), ..Manners::GOOD };
    let mut run = Run::start(Plan { manners, profile, intervals: 340, ..Plan::default() });
    run.until("the stream", |run| run.log.ups() > 0).await;
    let state = run.venue.state();
    assert_eq!(state.commands.len(), 6);
    assert!((4..=5).contains(&state.most_frames_a_second), "{}", state.most_frames_a_second);
}
