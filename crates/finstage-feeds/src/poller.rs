//! One supervisor for venues that are only asked.
//!
//! An [`Agenda`] knows which bar of which series is to come next and when it will be over; it has no
//! clock, no socket and no wait, so that a test can move its time by hand. A [`Poller`] asks what the
//! agenda says when it says so, and sends on what comes of it.
//!
//! * Each series is asked once when its next bar is over: while the market is open, and once after the
//!   close. A bar that is not there yet is asked for a few times more.
//! * A bar is handed on once. When the venue tells one of the last [`KEPT_BARS`] with other numbers,
//!   that is counted as a revision and said in the log; nothing that was handed on changes.
//! * A request that fails is repeated after a growing wait, for ever. What was missed comes between
//!   `Gap` and `Repaired`, as with [`crate::Session`]. When nothing was heard for longer than the
//!   venue's silence, its feeds are `Stale` until it answers.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{
    Bar, Clock, Event, FeedKind, FeedStatus, InstrumentId, Interval, Payload, Symbol, Timestamp,
};
use finstage_net::{Backoff, Client, ErrorKind, Jitter, Response, retry_after};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::session::outlet::{Outlet, Stuck};
use crate::settling::Settling;
use crate::venue::{PollVenue, Query, VenueProfile};
use crate::{DecodeErrorKind, LinkState, SessionOptions, SessionStats};

/// Bars of a series that are compared with what the venue tells of them later.
pub const KEPT_BARS: usize = 8;
/// The longest time in which nothing is asked, however often the venue says "too many requests".
pub const LONGEST_BLOCK: Duration = Duration::from_secs(4 * 3_600);
/// How often a bar that should be there is asked for again before the next one is waited for.
const RETRIES: u32 = 5;
/// Before a bar that was not there is asked for again; doubled each time.
const RETRY_AFTER: Duration = Duration::from_secs(120);
/// Requests of one moment are spread over this.
const SPREAD: Duration = Duration::from_secs(10);
/// After a request that failed.
const BACKOFF: Backoff =
    Backoff { base: Duration::from_secs(10), factor: 2, cap: Duration::from_secs(600) };
/// The shortest wait after a request that failed.
const LEAST_WAIT: Duration = Duration::from_secs(5);
/// The clock is looked at this often at least: it may run faster than real time, or jump.
const NAP: Duration = Duration::from_secs(1);
/// Without a past, bars of this many intervals are looked at to know where the series stands.
const LOOK_BACK: u32 = 8;

/// What is to be asked, and when.
#[derive(Debug)]
pub struct Agenda {
    profile: &'static VenueProfile,
    series: Vec<Series>,
    stats: Arc<SessionStats>,
    jitter: Jitter,
    /// Nothing is asked before.
    blocked_until: Timestamp,
    blocks: u32,
    /// Since when no request was answered; `None` when the last one was.
    failing_since: Option<Timestamp>,
    up: BTreeSet<InstrumentId>,
    is_stale: bool,
}

#[derive(Debug)]
struct Series {
    instrument: InstrumentId,
    symbol: Symbol,
    interval: Interval,
    settling: Settling,
    /// Where the next bar may open; `None` until the first answer of a series without a past.
    next_open: Option<Timestamp>,
    kept: VecDeque<Bar>,
    due: Timestamp,
    failures: u32,
    retries: u32,
    /// Whether bars were missed: at the start, and after requests that failed.
    is_behind: bool,
    /// The venue has no such symbol.
    is_gone: bool,
}

/// What to do now.
#[derive(Debug)]
pub enum Step {
    /// Ask this, and give the answer to [`Agenda::on_answer`].
    Ask(usize, Query),
    /// Nothing for so long.
    Wait(Duration),
}

/// What became of a request.
#[derive(Debug)]
pub enum Answer {
    /// These bars, all of them over.
    Bars(Vec<Bar>),
    /// The venue wants fewer requests; it may say for how long.
    Limited(Option<Duration>),
    /// The venue has no such symbol.
    NoSuchSymbol(String),
    /// Anything else, in words.
    Failed(String),
}

impl Agenda {
    /// The series of `options`, all due at once.
    #[must_use]
    pub fn new(options: &SessionOptions) -> Self {
        let now = options.clock.now();
        let mut series = Vec::new();
        for subscription in &options.subscriptions {
            for &interval in &subscription.intervals {
                let key = (subscription.instrument, interval);
                let since = options.since.iter().find(|s| (s.instrument, s.interval) == key);
                series.push(Series {
                    instrument: subscription.instrument,
                    symbol: subscription.symbol.clone(),
                    interval,
                    settling: Settling::of(&subscription.symbol),
                    next_open: since.map(|since| since.close_time),
                    kept: VecDeque::with_capacity(KEPT_BARS),
                    due: now,
                    failures: 0,
                    retries: 0,
                    is_behind: since.is_some(),
                    is_gone: false,
                });
            }
        }
        Self {
            profile: options.profile,
            series,
            stats: Arc::clone(&options.stats),
            jitter: Jitter::seeded(options.seed),
            blocked_until: Timestamp::MIN,
            blocks: 0,
            failing_since: None,
            up: BTreeSet::new(),
            is_stale: false,
        }
    }

    /// What to do at `now`. What there is to say before goes to `out`.
    pub fn next(&mut self, now: Timestamp, out: &mut Vec<Event>) -> Step {
        if let Some(since) = self.failing_since
            && !self.is_stale
            && now.since(since) >= self.profile.stall
        {
            self.is_stale = true;
            self.stats.set_state(LinkState::Stale);
            let all: BTreeSet<InstrumentId> = self.series.iter().map(|s| s.instrument).collect();
            out.extend(all.into_iter().map(|id| status(id, FeedKind::Stale, now)));
            self.up.clear();
            warn!(venue = self.profile.name, %since, "no request was answered, the feed is stale");
        }
        let living = self.series.iter().enumerate().filter(|(_, series)| !series.is_gone);
        let Some((place, series)) = living.min_by_key(|(_, series)| series.due) else {
            return Step::Wait(LONGEST_BLOCK);
        };
        let due = series.due.max(self.blocked_until);
        if now < due {
            return Step::Wait(due.since(now));
        }
        Step::Ask(place, series.query(self.profile, now))
    }

    /// Takes the answer to what [`Agenda::next`] asked; what follows from it goes to `out`.
    pub fn on_answer(
        &mut self,
        place: usize,
        answer: Answer,
        now: Timestamp,
        out: &mut Vec<Event>,
    ) {
        let name = self.profile.name;
        let Some(series) = self.series.get_mut(place) else { return };
        let (symbol, interval) = (series.symbol.clone(), series.interval);
        match answer {
            Answer::Bars(bars) => return self.on_bars(place, &bars, now, out),
            Answer::NoSuchSymbol(why) => {
                warn!("{symbol} is not watched: {why}; correct it in [[feeds]]");
                let instrument = series.instrument;
                self.up.remove(&instrument);
                let own = self.series.iter_mut().filter(|series| series.instrument == instrument);
                own.for_each(|series| series.is_gone = true);
                out.push(status(instrument, FeedKind::Stale, now));
                // The venue answered.
                self.failing_since = None;
                return;
            }
            Answer::Limited(asked) => {
                let own = self.profile.block.saturating_mul(2u32.saturating_pow(self.blocks));
                let wait = asked.unwrap_or_default().max(own).min(LONGEST_BLOCK);
                self.blocks = self.blocks.saturating_add(1);
                let spread = wait.mul_f64(self.jitter.fraction() / 10.0);
                self.blocked_until = now.plus(wait).plus(spread);
                let until = self.blocked_until;
                warn!(venue = name, %until, "too many requests: nothing is asked until then");
                series.is_behind = true;
            }
            Answer::Failed(why) => {
                SessionStats::add(&self.stats.decode_errors, 1);
                let wait = BACKOFF.next(series.failures, &mut self.jitter).max(LEAST_WAIT);
                series.failures = series.failures.saturating_add(1);
                series.due = now.plus(wait);
                series.is_behind = true;
                warn!("{symbol} {interval}: no bars: {why}; again in {:.0} s", wait.as_secs_f64());
            }
        }
        self.failing_since.get_or_insert(now);
        if !self.is_stale {
            self.stats.set_state(LinkState::BackingOff);
        }
    }

    fn on_bars(&mut self, place: usize, bars: &[Bar], now: Timestamp, out: &mut Vec<Event>) {
        let Some(series) = self.series.get_mut(place) else { return };
        let instrument = series.instrument;
        let revisions = series.revisions(bars);
        SessionStats::add(&self.stats.revisions, revisions);
        let (new, missed_since) = series.take(bars, now);
        let spread = SPREAD.mul_f64(self.jitter.fraction());
        series.plan(now, spread);
        self.blocks = 0;
        self.failing_since = None;
        self.is_stale = false;
        self.stats.set_state(LinkState::Up);
        let gap = missed_since.filter(|_| !new.is_empty()).map(|from| (from, now.max(from)));
        if let Some((from, to)) = gap {
            SessionStats::add(&self.stats.gaps, 1);
            out.push(status(instrument, FeedKind::Gap { from, to }, now));
        }
        out.extend(new.into_iter().map(|bar| Event::new(now, Payload::Bar(bar))));
        if let Some((from, to)) = gap {
            SessionStats::add(&self.stats.repairs, 1);
            out.push(status(instrument, FeedKind::Repaired { from, to }, now));
        }
        if self.up.insert(instrument) {
            out.push(status(instrument, FeedKind::Up, now));
        }
    }
}

impl Series {
    /// Asks for the bars from the oldest that is compared on.
    fn query(&self, profile: &VenueProfile, now: Timestamp) -> Query {
        let nominal = self.interval.nominal();
        let known = self.kept.front().map(|bar| bar.open_time).or(self.next_open);
        let days = Duration::from_secs(4 * 86_400);
        let from = known.unwrap_or_else(|| now.minus((nominal * LOOK_BACK).max(days)));
        let reach = (profile.reach)(self.interval).unwrap_or(Duration::MAX);
        Query::Bars {
            instrument: self.instrument,
            symbol: self.symbol.clone(),
            interval: self.interval,
            from: self.interval.open_of(from).max(now.minus(reach)),
            to: now,
            limit: profile.bars_per_page,
        }
    }

    /// Counts bars that were handed on and are told otherwise now; the newest form is remembered, so
    /// that a revision counts once.
    fn revisions(&mut self, bars: &[Bar]) -> u64 {
        let mut count = 0;
        for known in &mut self.kept {
            let Ok(place) = bars.binary_search_by_key(&known.open_time, |bar| bar.open_time) else {
                continue;
            };
            let told = bars[place];
            if !known.same_prices(&told) {
                let (symbol, interval, at) = (&self.symbol, self.interval, told.open_time);
                let (close, was) = (told.close, known.close);
                warn!(
                    "{symbol} {interval} {at}: revised by the venue (close {close}, was {was}); what was handed on stays"
                );
                *known = told;
                count += 1;
            }
        }
        count
    }

    /// The bars that were not handed on yet, and since when some were missed. The first answer of a
    /// series without a past says where it stands: what is in it is over and known from history.
    fn take(&mut self, bars: &[Bar], now: Timestamp) -> (Vec<Bar>, Option<Timestamp>) {
        let begins = self.next_open.is_none();
        let next_open = self.next_open.unwrap_or(Timestamp::MIN);
        let new: Vec<Bar> = bars.iter().filter(|bar| bar.open_time >= next_open).copied().collect();
        for bar in &new {
            if self.kept.len() == KEPT_BARS {
                self.kept.pop_front();
            }
            self.kept.push_back(*bar);
        }
        let end = new.last().map(Bar::close_time);
        self.next_open = end.or(self.next_open).or_else(|| Some(self.interval.open_of(now)));
        self.failures = 0;
        let was_behind = std::mem::take(&mut self.is_behind);
        match begins {
            true => (Vec::new(), None),
            false => (new, was_behind.then_some(next_open)),
        }
    }

    /// When to ask again.
    fn plan(&mut self, now: Timestamp, spread: Duration) {
        let (newest, next) = self.settling.around(self.interval, now);
        let is_late = newest.zip(self.next_open).is_some_and(|(newest, open)| newest >= open);
        let wait = RETRY_AFTER.saturating_mul(2u32.saturating_pow(self.retries));
        let again = now.plus(wait);
        if is_late && self.retries < RETRIES && again < next {
            self.retries += 1;
            self.due = again.plus(spread);
        } else {
            self.retries = 0;
            self.due = next.plus(spread);
        }
    }
}

/// Asks one venue for ever and keeps everything of it in order.
pub struct Poller {
    poll: Box<dyn PollVenue>,
    agenda: Agenda,
    client: Client,
    clock: Arc<dyn Clock>,
    shutdown: watch::Receiver<bool>,
    stats: Arc<SessionStats>,
    outlet: Outlet,
}

impl Poller {
    /// A poller that is not running yet. Of `options`, the socket and its limits are not used.
    #[must_use]
    pub fn new(poll: Box<dyn PollVenue>, options: SessionOptions) -> Self {
        let agenda = Agenda::new(&options);
        let outlet =
            Outlet::new(options.events, options.limits.blocked, Arc::clone(&options.stats));
        let SessionOptions { client, clock, shutdown, stats, .. } = options;
        Self { poll, agenda, client, clock, shutdown, stats, outlet }
    }

    /// Runs until told to stop, or until nobody reads the events any more.
    pub async fn run(mut self) {
        let (mut shutdown, stats) = (self.shutdown.clone(), Arc::clone(&self.stats));
        tokio::select! {
            biased;
            () = self.supervise() => {}
            _ = shutdown.wait_for(|stop| *stop) => {}
        }
        stats.set_state(LinkState::Stopped);
    }

    async fn supervise(&mut self) {
        loop {
            let mut events = Vec::new();
            let step = self.agenda.next(self.clock.now(), &mut events);
            if self.send(events).await.is_err() {
                return;
            }
            match step {
                Step::Wait(wait) => sleep(wait.min(NAP)).await,
                Step::Ask(place, query) => {
                    let answer = self.ask(query).await;
                    let mut events = Vec::new();
                    self.agenda.on_answer(place, answer, self.clock.now(), &mut events);
                    if self.send(events).await.is_err() {
                        return;
                    }
                }
            }
        }
    }

    /// Asks page by page.
    async fn ask(&mut self, query: Query) -> Answer {
        let mut bars = Vec::new();
        let mut next = Some(query);
        while let Some(query) = next {
            let response = match self.client.send(&self.poll.request(&query)).await {
                Ok(response) => response,
                Err(why) if why.kind() == ErrorKind::Limited => return Answer::Limited(why.wait()),
                Err(why) => return Answer::Failed(why.to_string()),
            };
            let now = self.clock.now();
            self.stats.frame_at(now);
            next = match read(self.poll.as_ref(), &query, &response, now, &mut bars) {
                Ok(next) => next,
                Err(answer) => return answer,
            };
        }
        Answer::Bars(bars)
    }

    /// Sends events on, waiting for room: what is asked for can wait as well.
    async fn send(&self, mut events: Vec<Event>) -> Result<(), ()> {
        loop {
            match self.outlet.send(events).await {
                Ok(()) => return Ok(()),
                Err(Stuck::Closed) => return Err(()),
                Err(Stuck::Full(unsent)) => {
                    info!("the event queue is full, nothing is asked meanwhile");
                    events = unsent;
                    self.outlet.room().await;
                }
            }
        }
    }
}

impl fmt::Debug for Poller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Poller").field("agenda", &self.agenda).finish_non_exhaustive()
    }
}

/// Reads one page of bars; an error is what to tell the agenda.
fn read(
    poll: &dyn PollVenue,
    query: &Query,
    response: &Response,
    now: Timestamp,
    bars: &mut Vec<Bar>,
) -> Result<Option<Query>, Answer> {
    let mut events = Vec::new();
    let next = poll.read(query, response, now, &mut events).map_err(|why| match why.kind() {
        DecodeErrorKind::Limited => Answer::Limited(retry_after(response, now)),
        DecodeErrorKind::NoSuchSymbol => Answer::NoSuchSymbol(why.to_string()),
        _ => Answer::Failed(why.to_string()),
    })?;
    bars.extend(events.into_iter().filter_map(|event| match event.payload {
        Payload::Bar(bar) => Some(bar),
        _ => None,
    }));
    Ok(next)
}

fn status(instrument: InstrumentId, kind: FeedKind, ts_recv: Timestamp) -> Event {
    Event::new(ts_recv, Payload::Feed(FeedStatus { instrument, kind }))
}

#[cfg(test)]
mod tests;
