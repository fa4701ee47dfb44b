//! One supervisor for every streaming venue.
//!
//! A session connects, subscribes, reads, and when the connection ends for whatever reason, does
//! so again, for ever. It owns everything that venue files must not: the socket, the waits, the
//! clock, the order in which things are said. That order is, after each loss:
//!
//! `Gap`, the missed trades, the missed bars, `Repaired`, `Up`, what the stream brought meanwhile.
//!
//! The stream's events are held back while trades and bars are fetched, so that they are seen in
//! order. If that takes longer than [`SessionLimits::hold`] they go out at once, and what was missed
//! follows, late and counted: an alert on a price must not wait for an archive. A loss within a
//! connection, seen by a jump in the numbers of trades, holds back the trades of its instrument only.
//! Trades that cannot be had are told by their ids ([`SessionStats::lost_trades`]); where trades
//! are not numbered, missed ones stay missed, and that is what `Gap` says.
//!
//! A stream that comes sealed is opened in front of the session ([`crate::sealed`]), which only marks its
//! events, and looks whether its first address is there again while it comes from the fallback.
//!
//! A connection that must end, because of its age or because the venue says so, is replaced while
//! it still speaks ([`SessionLimits::overlap`]): that is no loss.
//!
//! A line that is silent for as long as the venue's profile says is dead. A stream that is silent for
//! several times what is usual for it, while its line answers pings and its market is open, is
//! stalled: `Stale` is said at once, and the connection is made anew.
//!
//! When the queue of events is full the socket is not read, which the venue feels as a slow
//! reader. When that lasts longer than [`SessionLimits::blocked`], the connection is dropped, and
//! the loss is told by the `Gap` of the next one. Nothing is lost silently.

mod allowance;
mod cadence;
mod link;
mod options;
pub(crate) mod outlet;
mod repair;
pub(crate) mod series;
mod spare;
mod stats;
mod tapes;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Clock, Event, FeedKind, FeedStatus, InstrumentId, Payload, Timestamp};
use finstage_net::{Client, Jitter, SocketOptions};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{error, info, warn};

use crate::sealed::SealedFeed;
use crate::venue::{Decoded, PollVenue, StreamVenue, Subscription, VenueProfile};
use crate::{MarketHours, registry};
use cadence::Cadence;
use link::{End, Hold};
use outlet::{Outlet, Stuck};
use repair::{Books, Repair};
use series::{SeriesBook, Verdict};
use spare::Spare;
use tapes::{Stretch, TapeBook};

pub use link::{MAX_HELD_BATCHES, MAX_OUTBOX};
pub use options::{SessionLimits, SessionOptions, Since};
pub use repair::{MAX_REPAIR_PAGES, MAX_RETRY_AFTER, MAX_TRADE_PAGES, MAX_TRADE_PAGES_OF_A_LOSS};
pub use series::MAX_PARKED_BARS;
pub use stats::{LinkState, LostTrades, MAX_LOST_STRETCHES, SessionSnapshot, SessionStats};

/// Keeps one connection to one venue alive and everything of it in order.
pub struct Session {
    stream: Box<dyn StreamVenue>,
    profile: &'static VenueProfile,
    subscriptions: Vec<Subscription>,
    limits: SessionLimits,
    client: Client,
    socket: SocketOptions,
    clock: Arc<dyn Clock>,
    shutdown: watch::Receiver<bool>,
    stats: Arc<SessionStats>,
    outlet: Outlet,
    book: SeriesBook,
    tapes: TapeBook,
    repair: Option<Repair>,
    jitter: Jitter,
    /// What the stream lost while it was up; told already, to be repaired.
    losses: Vec<Stretch>,
    /// The same, of connections that are gone: repaired with what was missed since.
    older_losses: Vec<Stretch>,
    /// Up to here everything received was sent on.
    complete_until: Option<Timestamp>,
    /// The next connection, where one is made ready beside the present one.
    spare: Option<Spare>,
    spare_failures: u32,
    /// Whether the next connection is only a look at the first address of a sealed stream.
    is_visit: bool,
    sealed: Option<SealedFeed>,
    cadence: Cadence,
    /// When a connection that was up last said anything.
    fed: Instant,
    /// When one last said more than that it is there.
    spoke: Instant,
    /// The same by the clock.
    spoke_at: Option<Timestamp>,
    /// Whether the silence since then is not to be learned: the market was closed.
    is_resting: bool,
    is_stale: bool,
    /// Of the frame at hand; kept for its memory.
    decoded: Decoded,
}

/// More streams than one connection may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyStreams {
    venue: &'static str,
    wanted: usize,
    most: usize,
}

impl fmt::Display for TooManyStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { venue, wanted, most } = self;
        write!(f, "{venue}: {wanted} streams are asked for, one connection carries {most}")
    }
}

impl std::error::Error for TooManyStreams {}

impl Session {
    /// A session that is not running yet. Without `poll`, missed bars are not fetched.
    ///
    /// # Errors
    /// When the subscriptions need more streams than a connection of the venue carries.
    pub fn new(
        stream: Box<dyn StreamVenue>,
        poll: Option<Box<dyn PollVenue>>,
        options: SessionOptions,
    ) -> Result<Self, TooManyStreams> {
        let SessionOptions { profile, subscriptions, since, limits, stats, seed, .. } = options;
        let wanted = subscriptions.iter().map(Subscription::streams).sum();
        if wanted > profile.max_streams {
            return Err(TooManyStreams { venue: profile.name, wanted, most: profile.max_streams });
        }
        let client = options.client;
        if let Some(sealed) = &options.sealed {
            stats.set_sealed(sealed.stats());
        }
        let numbering = stream.numbering();
        // Two generators, so that fetching bars does not change when we connect.
        let repair = poll.map(|poll| Repair::new(poll, client.clone(), limits.clone(), !seed));
        Ok(Self {
            book: SeriesBook::new(profile, &subscriptions, &since),
            tapes: TapeBook::new(numbering, &subscriptions, Arc::clone(&stats)),
            outlet: Outlet::new(options.events, limits.blocked, Arc::clone(&stats)),
            stream,
            profile,
            subscriptions,
            limits,
            client,
            socket: options.socket,
            clock: options.clock,
            shutdown: options.shutdown,
            stats,
            repair,
            jitter: Jitter::seeded(seed),
            losses: Vec::new(),
            older_losses: Vec::new(),
            complete_until: None,
            spare: None,
            spare_failures: 0,
            is_visit: false,
            sealed: options.sealed,
            cadence: Cadence::new(),
            fed: Instant::now(),
            spoke: Instant::now(),
            spoke_at: None,
            is_resting: false,
            is_stale: false,
            decoded: Decoded::default(),
        })
    }

    /// Runs until told to stop, or until nobody reads the events any more.
    pub async fn run(mut self) {
        let (mut shutdown, stats) = (self.shutdown.clone(), Arc::clone(&self.stats));
        self.fed = Instant::now();
        // Every wait of the supervisor ends here at once; a batch is sent whole or not at all.
        tokio::select! {
            biased;
            () = self.supervise() => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
        stats.set_state(LinkState::Stopped);
    }

    async fn supervise(&mut self) {
        let mut failures = 0;
        loop {
            let began = Instant::now();
            let Err(end) = self.connection().await;
            match &end {
                End::NobodyReads => return,
                End::QueueFull => {
                    self.spare = None;
                    self.outlet.room().await;
                }
                _ => {}
            }
            let was_healthy = began.elapsed() >= self.limits.healthy;
            let is_coming = matches!(self.spare, Some(Spare::Dialing(_) | Spare::Open(_)));
            let wait = if is_coming || (was_healthy && matches!(end, End::Planned(_))) {
                Duration::ZERO
            } else {
                self.spare = None;
                failures = if was_healthy { 0 } else { failures };
                self.limits.backoff.next(failures, &mut self.jitter)
            };
            failures += 1;
            if self.limits.attempts.is_some_and(|most| failures > most) {
                error!(venue = self.profile.name, %end, failures, "giving up");
                // Nobody is there to hear it, or no room: the session ends all the same.
                let _ = self.say_stale().await;
                return;
            }
            info!(venue = self.profile.name, %end, ?wait, "connecting anew");
            self.stats.set_state(LinkState::BackingOff);
            if self.idle(Box::pin(tokio::time::sleep(wait))).await.is_err() {
                return;
            }
            SessionStats::add(&self.stats.reconnects, 1);
        }
    }

    /// Waits without a connection. Says that the feed is stale when that moment passes meanwhile,
    /// and lets go what has waited long enough for older trades.
    async fn idle<T>(
        &mut self,
        mut until: Pin<Box<dyn Future<Output = T> + Send>>,
    ) -> Result<T, End> {
        loop {
            let now = Instant::now();
            let stale_at = self.fed + self.line_stall();
            if !self.is_stale
                && stale_at <= now
                && matches!(self.say_stale().await, Err(Stuck::Closed))
            {
                return Err(End::NobodyReads);
            }
            let mut out = Vec::new();
            self.tapes.let_go_due(self.limits.hold, &mut out);
            // What finds no room is missing again; the gap to come says so.
            if matches!(self.send(out).await, Err(End::NobodyReads)) {
                return Err(End::NobodyReads);
            }
            let stale_at = (!self.is_stale).then_some(stale_at);
            let parked_ends = self.tapes.parked_since().map(|since| since + self.limits.hold);
            let due = stale_at.into_iter().chain(parked_ends).min();
            tokio::select! {
                biased;
                done = until.as_mut() => return Ok(done),
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
            }
        }
    }

    /// Whether any instrument is traded now, as far as is known.
    fn is_market_open(&self) -> bool {
        let now = self.clock.now();
        self.subscriptions.iter().any(|subscription| {
            let known = registry::hours(&subscription.symbol);
            let Some(hours) = known.filter(|hours| *hours != MarketHours::Always) else {
                return true;
            };
            let session = hours.session(hours.day_of(now));
            session.map_or(true, |s| s.is_some_and(|s| s.open <= now && now < s.close))
        })
    }

    async fn say_stale(&mut self) -> Result<(), Stuck> {
        self.is_stale = true;
        self.stats.set_state(LinkState::Stale);
        let now = self.clock.now();
        let stale = |s: &Subscription| status(s.instrument, FeedKind::Stale, now);
        self.outlet.send(self.subscriptions.iter().map(stale).collect()).await
    }

    /// The connection is up: says what was missed since the last one, and begins to fetch it.
    async fn on_up(&mut self) -> Result<(), End> {
        let now = self.clock.now();
        // Losses among the events held back have their turn when those are out: a gap is always
        // told before its repair.
        let held = std::mem::take(&mut self.losses);
        let mut gaps = Vec::new();
        for subscription in &self.subscriptions {
            let instrument = subscription.instrument;
            let known = self.complete_until;
            let Some(from) = known.or_else(|| self.book.complete_until(instrument, now)) else {
                continue;
            };
            let to = now.max(from);
            gaps.push(status(instrument, FeedKind::Gap { from, to }, now));
            self.losses.push((instrument, from, to));
        }
        SessionStats::add(&self.stats.gaps, gaps.len() as u64);
        self.send(gaps).await?;
        self.complete_until = Some(now);
        self.losses.append(&mut self.older_losses);
        self.repair_losses().await?;
        self.losses.extend(held);
        Ok(())
    }

    /// Tells what was lost while two connections spoke, and neither brought.
    async fn tell_unshared(&mut self) -> Result<(), End> {
        let losses = self.tapes.end_overlap();
        let now = self.clock.now();
        let gap =
            |&(instrument, from, to): &Stretch| status(instrument, FeedKind::Gap { from, to }, now);
        let gaps: Vec<Event> = losses.iter().map(gap).collect();
        SessionStats::add(&self.stats.gaps, gaps.len() as u64);
        self.losses.extend(losses);
        self.send(gaps).await
    }

    /// Hands what was lost to the repair.
    async fn repair_losses(&mut self) -> Result<(), End> {
        let mut out = Vec::new();
        let now = self.clock.now();
        for loss in std::mem::take(&mut self.losses) {
            let (series, tapes) = (&mut self.book, &mut self.tapes);
            let mut books = Books { series, tapes, now, out: &mut out };
            match &mut self.repair {
                Some(repair) => repair.add(loss, &mut books),
                None => {
                    books.series.give_up(loss.0, books.out);
                    books.tapes.give_up(loss.0, books.out);
                }
            }
        }
        self.send(out).await?;
        self.drive(None).await
    }

    /// Moves the repair on, with the answer to its request or without, and sends what it says.
    async fn drive(&mut self, progress: Option<repair::Progress>) -> Result<(), End> {
        let Some(repair) = &mut self.repair else { return Ok(()) };
        let now = self.clock.now();
        let mut out = Vec::new();
        let (series, tapes) = (&mut self.book, &mut self.tapes);
        let mut books = Books { series, tapes, now, out: &mut out };
        match progress {
            Some(repair::Progress::Answer(answer)) => repair.on_answer(answer, &mut books),
            Some(repair::Progress::Due) | None => repair.start(&mut books),
        }
        SessionStats::set(&self.stats.gaps_open, repair.open());
        SessionStats::set(&self.stats.trades_missing, self.tapes.known_missing());
        let repaired = out.iter().filter(|event| is_repaired(event)).count();
        SessionStats::add(&self.stats.repairs, repaired as u64);
        SessionStats::add(
            &self.stats.gaps,
            out.iter().filter(|event| is_gap(event)).count() as u64,
        );
        self.send(out).await
    }

    /// Says that the stream is up, and lets go what was held back.
    async fn let_go(&mut self, hold: Hold) -> Result<(), End> {
        let now = self.clock.now();
        let up = |s: &Subscription| status(s.instrument, FeedKind::Up, now);
        let up: Vec<Event> = self.subscriptions.iter().map(up).collect();
        self.send(up).await?;
        self.is_stale = false;
        self.stats.set_state(LinkState::Up);
        self.send_all(hold.batches).await?;
        let mut out = Vec::new();
        self.tapes.end_hold(&mut out);
        self.send(out).await
    }

    /// Sends batches on; when one finds no room, the others are taken back too.
    async fn send_all(&mut self, batches: Vec<Vec<Event>>) -> Result<(), End> {
        let mut batches = batches.into_iter();
        while let Some(batch) = batches.next() {
            if let Err(end) = self.send(batch).await {
                batches.for_each(|batch| self.undo(&batch));
                return Err(end);
            }
        }
        Ok(())
    }

    /// Sends events on; those that find no room are taken back, so that their loss is repaired.
    async fn send(&mut self, events: Vec<Event>) -> Result<(), End> {
        match self.outlet.send(events).await {
            Ok(()) => Ok(()),
            Err(Stuck::Closed) => Err(End::NobodyReads),
            Err(Stuck::Full(events)) => {
                warn!(
                    venue = self.profile.name,
                    "the event queue is full, dropping the connection"
                );
                self.undo(&events);
                Err(End::QueueFull)
            }
        }
    }

    fn undo(&mut self, events: &[Event]) {
        for event in events {
            match &event.payload {
                Payload::Bar(bar) => self.book.undo(bar),
                Payload::Trade(trade) => self.tapes.undo(trade),
                Payload::Feed(FeedStatus {
                    instrument,
                    kind: FeedKind::Repaired { from, to } | FeedKind::Gap { from, to },
                }) => self.losses.push((*instrument, *from, *to)),
                _ => {}
            }
        }
    }

    /// Takes the events of a frame apart: bars that were sent before or come too early are left
    /// out, losses are remembered.
    fn sift(&mut self, events: &mut Vec<Event>) -> Vec<Event> {
        let mut batch = Vec::with_capacity(events.len());
        for event in events.drain(..) {
            match &event.payload {
                Payload::Feed(FeedStatus { instrument, kind: FeedKind::Gap { from, to } }) => {
                    self.losses.push((*instrument, *from, *to));
                    SessionStats::add(&self.stats.gaps, 1);
                }
                Payload::Bar(bar) => match self.book.on_live(bar, &event) {
                    Verdict::Pass => {}
                    Verdict::Parked => continue,
                    Verdict::Duplicate => {
                        SessionStats::add(&self.stats.duplicates, 1);
                        continue;
                    }
                    Verdict::Hole(from) => {
                        let kind = FeedKind::Gap { from, to: bar.open_time };
                        batch.push(status(bar.instrument, kind, event.ts_recv));
                        self.losses.push((bar.instrument, from, bar.open_time));
                        SessionStats::add(&self.stats.gaps, 1);
                        if self.repair.is_none() {
                            self.book.give_up(bar.instrument, &mut batch);
                        }
                        continue;
                    }
                },
                Payload::Trade(trade) => {
                    let (trade, at, ts_recv) = (*trade, batch.len(), event.ts_recv);
                    if let Some(loss) = self.tapes.on_live(trade, event, &mut batch) {
                        let (instrument, from, to) = loss;
                        let gap = FeedKind::Gap { from, to };
                        batch.insert(at, status(instrument, gap, ts_recv));
                        self.losses.push(loss);
                        SessionStats::add(&self.stats.gaps, 1);
                        if self.repair.is_none() {
                            self.tapes.give_up(instrument, &mut batch);
                        }
                    }
                    continue;
                }
                _ => {}
            }
            batch.push(event);
        }
        batch
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("venue", &self.profile.name)
            .field("subscriptions", &self.subscriptions.len())
            .finish_non_exhaustive()
    }
}

fn status(instrument: InstrumentId, kind: FeedKind, ts_recv: Timestamp) -> Event {
    Event::new(ts_recv, Payload::Feed(FeedStatus { instrument, kind }))
}

fn is_gap(event: &Event) -> bool {
    matches!(event.payload, Payload::Feed(FeedStatus { kind: FeedKind::Gap { .. }, .. }))
}

fn is_repaired(event: &Event) -> bool {
    matches!(event.payload, Payload::Feed(FeedStatus { kind: FeedKind::Repaired { .. }, .. }))
}
