//! One supervisor for every streaming venue.
//!
//! A session connects, subscribes, reads, and when the connection ends for whatever reason, does
//! so again, for ever. It owns everything that venue files must not: the socket, the waits, the
//! clock, the order in which things are said. That order is, after each loss:
//!
//! `Gap`, the missed bars, `Repaired`, `Up`, what the stream brought meanwhile.
//!
//! The stream's events are held back while bars are fetched, so that bars are seen in order. If
//! that takes longer than [`SessionLimits::hold`] they go out at once, and bars and `Repaired`
//! follow: an alert on a price must not wait for an archive. Missed trades stay missed; that is
//! what `Gap` says.
//!
//! When the queue of events is full the socket is not read, which the venue feels as a slow
//! reader. When that lasts longer than [`SessionLimits::blocked`], the connection is dropped, and
//! the loss is told by the `Gap` of the next one. Nothing is lost silently.

mod link;
mod options;
pub(crate) mod outlet;
mod repair;
mod series;
mod stats;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Clock, Event, FeedKind, FeedStatus, InstrumentId, Payload, Timestamp};
use finstage_net::{Jitter, SocketOptions};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use crate::venue::{PollVenue, StreamVenue, Subscription, VenueProfile};
use link::{End, Hold};
use outlet::{Outlet, Stuck};
use repair::Repair;
use series::{SeriesBook, Verdict};

pub use link::MAX_HELD_BATCHES;
pub use options::{SessionLimits, SessionOptions, Since};
pub use repair::{MAX_REPAIR_PAGES, MAX_RETRY_AFTER};
pub use series::MAX_PARKED_BARS;
pub use stats::{LinkState, SessionSnapshot, SessionStats};

/// Keeps one connection to one venue alive and everything of it in order.
pub struct Session {
    stream: Box<dyn StreamVenue>,
    profile: &'static VenueProfile,
    subscriptions: Vec<Subscription>,
    limits: SessionLimits,
    socket: SocketOptions,
    clock: Arc<dyn Clock>,
    shutdown: watch::Receiver<bool>,
    stats: Arc<SessionStats>,
    outlet: Outlet,
    book: SeriesBook,
    repair: Option<Repair>,
    jitter: Jitter,
    /// What the stream lost while it was up; told already, to be repaired.
    losses: Vec<(InstrumentId, Timestamp, Timestamp)>,
    /// Up to here everything received was sent on.
    complete_until: Option<Timestamp>,
    /// When this connection last said anything.
    heard: Instant,
    /// When any connection that was up last said anything.
    fed: Instant,
    is_stale: bool,
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
        // Two generators, so that fetching bars does not change when we connect.
        let repair = poll.map(|poll| Repair::new(poll, client, limits.clone(), !seed));
        Ok(Self {
            book: SeriesBook::new(profile, &subscriptions, &since),
            outlet: Outlet::new(options.events, limits.blocked, Arc::clone(&stats)),
            stream,
            profile,
            subscriptions,
            limits,
            socket: options.socket,
            clock: options.clock,
            shutdown: options.shutdown,
            stats,
            repair,
            jitter: Jitter::seeded(seed),
            losses: Vec::new(),
            complete_until: None,
            heard: Instant::now(),
            fed: Instant::now(),
            is_stale: false,
        })
    }

    /// Runs until told to stop, or until nobody reads the events any more.
    pub async fn run(mut self) {
        let (mut shutdown, stats) = (self.shutdown.clone(), Arc::clone(&self.stats));
        self.fed = Instant::now();
        // Every wait of the supervisor ends here at once; a batch is sent whole or not at all.
        tokio::select! {
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
            if let Some(repair) = &mut self.repair {
                repair.interrupt();
            }
            match &end {
                End::NobodyReads => return,
                End::QueueFull => self.outlet.room().await,
                _ => {}
            }
            let was_healthy = began.elapsed() >= self.limits.healthy;
            let wait = if was_healthy && matches!(end, End::Planned(_)) {
                Duration::ZERO
            } else {
                failures = if was_healthy { 0 } else { failures };
                self.limits.backoff.next(failures, &mut self.jitter)
            };
            failures += 1;
            info!(venue = self.profile.name, %end, ?wait, "connecting anew");
            self.stats.set_state(LinkState::BackingOff);
            if self.pause(wait).await.is_err() {
                return;
            }
            SessionStats::add(&self.stats.reconnects, 1);
        }
    }

    /// Waits, and says that the feed is stale when that moment passes meanwhile.
    async fn pause(&mut self, wait: Duration) -> Result<(), Stuck> {
        let until = Instant::now() + wait;
        let stale_at = self.fed + self.stall();
        if !self.is_stale && stale_at <= until {
            sleep_until(stale_at).await;
            match self.say_stale().await {
                Err(Stuck::Closed) => return Err(Stuck::Closed),
                // It could not be said; the gap that follows says more.
                Err(Stuck::Full(_)) | Ok(()) => {}
            }
        }
        sleep_until(until).await;
        Ok(())
    }

    fn stall(&self) -> Duration {
        self.limits.stall.unwrap_or(self.profile.stall)
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
        self.repair_losses().await?;
        self.losses.extend(held);
        Ok(())
    }

    /// Hands what was lost to the repair.
    async fn repair_losses(&mut self) -> Result<(), End> {
        let mut out = Vec::new();
        for (instrument, from, to) in self.losses.drain(..) {
            match &mut self.repair {
                Some(repair) if self.book.has(instrument) => {
                    self.book.on_loss(instrument);
                    repair.add(instrument, from, to);
                }
                _ => self.book.give_up(instrument, &mut out),
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
        match progress {
            Some(repair::Progress::Answer(answer)) => {
                repair.on_answer(answer, &mut self.book, now, &mut out);
            }
            Some(repair::Progress::Due) | None => repair.start(&mut self.book, now, &mut out),
        }
        let repaired = out.iter().filter(|event| is_repaired(event)).count();
        SessionStats::add(&self.stats.repairs, repaired as u64);
        self.send(out).await
    }

    /// Lets go what was held back.
    async fn let_go(&mut self, hold: Hold, is_up: bool) -> Result<(), End> {
        if is_up {
            let now = self.clock.now();
            let up = |s: &Subscription| status(s.instrument, FeedKind::Up, now);
            let up: Vec<Event> = self.subscriptions.iter().map(up).collect();
            self.send(up).await?;
            self.is_stale = false;
            self.stats.set_state(LinkState::Up);
        }
        let mut batches = hold.batches.into_iter();
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
    Event { ts_recv, payload: Payload::Feed(FeedStatus { instrument, kind }) }
}

fn is_repaired(event: &Event) -> bool {
    matches!(event.payload, Payload::Feed(FeedStatus { kind: FeedKind::Repaired { .. }, .. }))
}
