//! Fetching the trades and bars that a stream lost.
//!
//! The stream goes on while requests are under way, one at a time. A loss has up to two parts:
//! numbered trades, from the oldest that is missing on, and bars. Trades come first, because they
//! are older than what waits for them. A request that fails is repeated a few times; then its part
//! is put off, for as long as the venue asks or [`SessionLimits::repair_pause`], and begins again
//! where it stopped; the other part goes on meanwhile. After [`SessionLimits::repair_attempts`] it
//! is given up: what waited goes out, trades count as lost, by their ids.
//!
//! [`FeedKind::Repaired`] is said when the last part is whole: bars where bars are wanted. Trades
//! that come whole after the bars say it again; trades that were lost do not take it back from the
//! bars, and without bars are never said to be repaired.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Payload, Timestamp};
use finstage_net::{Class, Client, Error, Jitter, Response, retry_after};
use tokio::time::Instant;
use tracing::{info, warn};

use super::SessionLimits;
use super::series::SeriesBook;
use super::tapes::{Stretch, TapeBook};
use crate::venue::{Page, PollVenue, Query, TradeQuery};
use crate::{DecodeError, DecodeErrorKind};

/// The most pages of bars fetched in one go; what is left follows after
/// [`SessionLimits::repair_pause`].
pub const MAX_REPAIR_PAGES: usize = 50;

/// The most pages of trades fetched in one go, as for bars.
pub const MAX_TRADE_PAGES: usize = 200;

/// The most pages of trades fetched for one loss. What is beyond them is history, and lost to the
/// stream.
pub const MAX_TRADE_PAGES_OF_A_LOSS: usize = 1_000;

/// The stretches of one loss of which it is remembered that they were told.
const MAX_TOLD: usize = 64;

/// The longest wait that a venue can ask for: the longest ban it hands out.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3 * 86_400);

type InFlight = Pin<Box<dyn Future<Output = Result<Response, Error>> + Send>>;

/// What [`Repair::progress`] has come to.
pub(super) enum Progress {
    /// The next repair may begin.
    Due,
    /// A request has ended.
    Answer(Result<Response, Error>),
}

/// What is known of the order of everything, and where events go.
pub(super) struct Books<'a> {
    pub(super) series: &'a mut SeriesBook,
    pub(super) tapes: &'a mut TapeBook,
    pub(super) now: Timestamp,
    pub(super) out: &'a mut Vec<Event>,
}

/// The parts of a loss, in the order in which they are fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Trades,
    Bars,
}

pub(super) struct Repair {
    poll: Box<dyn PollVenue>,
    client: Client,
    limits: SessionLimits,
    jitter: Jitter,
    waiting: BTreeMap<(Part, InstrumentId), Loss>,
    /// Instruments whose bars were given up: nothing that comes later makes them whole.
    short: BTreeMap<InstrumentId, Timestamp>,
    job: Option<Job>,
    in_flight: Option<InFlight>,
    /// When requests for trades, and for bars, may go out.
    not_before: [Instant; 2],
}

/// A stretch of time of which something is missing.
#[derive(Debug, Clone)]
struct Loss {
    from: Timestamp,
    to: Timestamp,
    /// The parts of it that were told, at most [`MAX_TOLD`].
    told: Vec<(Timestamp, Timestamp)>,
    attempts: u32,
    pages: usize,
    /// Until when the stream may say by itself that nothing was missed.
    probe_at: Instant,
    /// Whether a part of it cannot be had.
    is_short: bool,
}

impl Loss {
    /// What must be told besides what was, since trades of these moments were lost.
    fn tell(&mut self, mut lost: Vec<Timestamp>) -> Option<(Timestamp, Timestamp)> {
        lost.retain(|at| !self.told.iter().any(|(from, to)| from <= at && at <= to));
        let untold = (*lost.iter().min()?, *lost.iter().max()?);
        (self.from, self.to) = (self.from.min(untold.0), self.to.max(untold.1));
        self.note(untold);
        Some(untold)
    }

    fn note(&mut self, told: (Timestamp, Timestamp)) {
        // One that is forgotten is told again if anything was lost in it.
        if self.told.len() == MAX_TOLD {
            self.told.remove(0);
        }
        self.told.push(told);
    }
}

/// The repair under way.
struct Job {
    part: Part,
    instrument: InstrumentId,
    loss: Loss,
    bars: VecDeque<Query>,
    trades: Option<TradeQuery>,
    pages: usize,
    failures: u32,
}

impl Repair {
    pub(super) fn new(
        poll: Box<dyn PollVenue>,
        client: Client,
        limits: SessionLimits,
        seed: u64,
    ) -> Self {
        Self {
            poll,
            client,
            limits,
            jitter: Jitter::seeded(seed),
            waiting: BTreeMap::new(),
            short: BTreeMap::new(),
            job: None,
            in_flight: None,
            not_before: [Instant::now(); 2],
        }
    }

    /// Takes note of a loss. Losses of one instrument become one stretch.
    pub(super) fn add(&mut self, (instrument, from, to): Stretch, books: &mut Books<'_>) {
        let probe_at = Instant::now() + self.limits.probe;
        let told = vec![(from, to)];
        let loss = Loss { from, to, told, attempts: 0, pages: 0, probe_at, is_short: false };
        if books.tapes.has(instrument) {
            let query = books.tapes.query(instrument);
            if query.is_none_or(|query| self.poll.trades_request(&query).is_some()) {
                self.merge((Part::Trades, instrument), loss.clone());
            } else {
                books.tapes.give_up(instrument, books.out);
            }
        }
        if books.series.has(instrument) {
            books.series.on_loss(instrument);
            self.merge((Part::Bars, instrument), loss);
        }
    }

    fn merge(&mut self, key: (Part, InstrumentId), loss: Loss) {
        let Some(known) = self.waiting.get_mut(&key) else {
            self.waiting.insert(key, loss);
            return;
        };
        known.from = known.from.min(loss.from);
        known.to = known.to.max(loss.to);
        known.attempts = known.attempts.max(loss.attempts);
        known.pages = known.pages.max(loss.pages);
        known.probe_at = known.probe_at.max(loss.probe_at);
        known.is_short |= loss.is_short;
        loss.told.into_iter().for_each(|told| known.note(told));
    }

    /// Drops the request under way; its repair begins again later.
    pub(super) fn interrupt(&mut self) {
        self.in_flight = None;
        if let Some(job) = self.job.take() {
            self.merge((job.part, job.instrument), job.loss);
        }
    }

    /// Whether a repair is under way or may begin at once.
    pub(super) fn is_active(&self) -> bool {
        let now = Instant::now();
        let may_begin = |&(part, _): &(Part, InstrumentId)| self.not_before[part as usize] <= now;
        self.job.is_some() || self.waiting.keys().any(may_begin)
    }

    /// How many instruments miss something that may still be had.
    pub(super) fn open(&self) -> u64 {
        let waiting = self.waiting.keys().map(|&(_, instrument)| instrument);
        let under_way = self.job.iter().map(|job| job.instrument);
        waiting.chain(under_way).collect::<BTreeSet<_>>().len() as u64
    }

    /// Waits for what comes next. May be dropped while waiting without a loss.
    pub(super) async fn progress(&mut self) -> Progress {
        if let Some(request) = &mut self.in_flight {
            let answer = request.await;
            self.in_flight = None;
            return Progress::Answer(answer);
        }
        let begins = |(&key, loss): (&(Part, InstrumentId), &Loss)| self.begins_at(key, loss);
        match self.waiting.iter().map(begins).min() {
            Some(at) if self.job.is_none() => {
                tokio::time::sleep_until(at).await;
                Progress::Due
            }
            _ => std::future::pending().await,
        }
    }

    /// Whether something waits that may begin when the stream has said a little more.
    pub(super) fn is_waiting(&self) -> bool {
        self.job.is_none() && !self.waiting.is_empty()
    }

    /// The trades of an instrument, where its bars come after them.
    fn trades_before(&self, key: (Part, InstrumentId), loss: &Loss) -> Option<&Loss> {
        let is_bars = key.0 == Part::Bars && self.not_before[0] <= Instant::now();
        let trades = self.waiting.get(&(Part::Trades, key.1)).filter(|_| is_bars);
        trades.filter(|trades| trades.attempts <= loss.attempts)
    }

    /// When a part begins, whatever the stream says.
    fn begins_at(&self, key: (Part, InstrumentId), loss: &Loss) -> Instant {
        let after_probe = match key.0 {
            Part::Trades => Some(loss.probe_at),
            Part::Bars => self.trades_before(key, loss).map(|trades| trades.probe_at),
        };
        let not_before = self.not_before[key.0 as usize];
        after_probe.map_or(not_before, |at| at.max(not_before))
    }

    /// Begins repairs until one needs a request; those that need none end in `out`.
    pub(super) fn start(&mut self, books: &mut Books<'_>) {
        while self.job.is_none() {
            let now = Instant::now();
            // What the next trade of the stream would say for nothing is not asked yet; its bars
            // wait for it.
            let waits = |&(part, id): &(Part, InstrumentId), loss: &Loss| {
                part == Part::Trades && now < loss.probe_at && books.tapes.is_open(id)
            };
            let may_begin = |&(&key, loss): &(&(Part, InstrumentId), &Loss)| {
                let comes_after = self.trades_before(key, loss).is_some();
                self.not_before[key.0 as usize] <= now && !waits(&key, loss) && !comes_after
            };
            // The least tried first, so that one bad instrument does not keep others waiting.
            let next = self.waiting.iter().filter(may_begin);
            let next = next.min_by_key(|(key, loss)| (loss.attempts, key.0));
            let Some(&(part, instrument)) = next.map(|(key, _)| key) else { return };
            let Some(loss) = self.waiting.remove(&(part, instrument)) else { return };
            let mut job = Job {
                part,
                instrument,
                loss,
                bars: VecDeque::new(),
                trades: None,
                pages: 0,
                failures: 0,
            };
            match part {
                Part::Trades => job.trades = books.tapes.query(instrument),
                Part::Bars => job.bars = books.series.missing(instrument, books.now).into(),
            }
            let is_whole = job.trades.is_none() && job.bars.is_empty();
            self.job = Some(job);
            if is_whole {
                self.finish(books);
            } else {
                self.ask(Duration::ZERO);
            }
        }
    }

    /// Reads the end of a request, and asks the next.
    pub(super) fn on_answer(&mut self, answer: Result<Response, Error>, books: &mut Books<'_>) {
        let Some(part) = self.job.as_ref().map(|job| job.part) else { return };
        let response = match answer {
            Ok(response) => response,
            Err(error) => return self.on_failure(&error.to_string(), error.wait(), books),
        };
        if matches!(response.status, 408 | 418 | 429 | 500..) {
            let wait = retry_after(&response, books.now);
            let what = format!("status {}", response.status);
            return self.on_failure(&what, wait, books);
        }
        let read = match part {
            Part::Trades => self.read_trades(&response, books),
            Part::Bars => self.read_bars(&response, books),
        };
        match read {
            Ok(true) => self.go_on(books),
            Ok(false) => self.on_failure("it does not have them yet", None, books),
            Err(error)
                if matches!(
                    error.kind(),
                    DecodeErrorKind::Refused | DecodeErrorKind::NoSuchSymbol
                ) =>
            {
                warn!(%error, ?part, "what was missed cannot be fetched, the gap stays");
                self.give_up(books);
                self.start(books);
            }
            Err(error) => self.on_failure(&error.to_string(), None, books),
        }
    }

    fn read_bars(
        &mut self,
        response: &Response,
        books: &mut Books<'_>,
    ) -> Result<bool, DecodeError> {
        let Some(job) = &mut self.job else { return Ok(true) };
        let Some(query) = job.bars.front() else { return Ok(true) };
        let mut bars = Vec::new();
        let next_page = self.poll.read(query, response, books.now, &mut bars)?;
        books.series.on_fetched(&mut bars);
        books.out.append(&mut bars);
        job.bars.pop_front();
        // The rest of a series comes before the next one.
        if let Some(next_page) = next_page {
            job.bars.push_front(next_page);
        }
        Ok(true)
    }

    /// Whether the archive had what was asked for, or all that it can have by now.
    fn read_trades(
        &mut self,
        response: &Response,
        books: &mut Books<'_>,
    ) -> Result<bool, DecodeError> {
        let Some(job) = &mut self.job else { return Ok(true) };
        let Some(query) = &job.trades else { return Ok(true) };
        let mut trades = Vec::new();
        let page = self.poll.read_trades(query, response, books.now, &mut trades)?;
        let (lost, at) = (books.tapes.lost(), books.out.len());
        let missing = books.tapes.on_fetched(job.instrument, trades, books.out);
        let has_some = missing.is_some();
        if let Some((from, to)) = job.loss.tell(missing.unwrap_or_default()) {
            // Trades were lost outside of what was told: told now, in front of them.
            let gap = said(job.instrument, FeedKind::Gap { from, to }, books.now);
            books.out.insert(at, gap);
        }
        job.loss.is_short |= books.tapes.lost() > lost;
        if page == Page::Last {
            books.tapes.close(job.instrument);
        }
        job.trades = books.tapes.query(job.instrument);
        // What the stream has jumped over exists, even if the archive does not show it yet.
        Ok(job.trades.is_none() || (has_some && page == Page::Full))
    }

    fn go_on(&mut self, books: &mut Books<'_>) {
        let Some(job) = &mut self.job else { return };
        job.failures = 0;
        job.pages += 1;
        job.loss.pages += 1;
        let most = if job.part == Part::Trades { MAX_TRADE_PAGES } else { MAX_REPAIR_PAGES };
        if job.trades.is_none() && job.bars.is_empty() {
            self.finish(books);
        } else if job.part == Part::Trades && job.loss.pages >= MAX_TRADE_PAGES_OF_A_LOSS {
            self.give_up(books);
        } else if job.pages >= most {
            info!(instrument = job.instrument.0, "much is missing, going on after a pause");
            self.not_before[job.part as usize] = Instant::now() + self.limits.repair_pause;
            self.interrupt();
        } else {
            return self.ask(Duration::ZERO);
        }
        self.start(books);
    }

    fn finish(&mut self, books: &mut Books<'_>) {
        let Some(Job { part, instrument, loss, .. }) = self.job.take() else { return };
        let Loss { from, to, is_short, .. } = loss;
        let is_whole = match part {
            Part::Bars => {
                books.series.release(instrument, books.out);
                true
            }
            Part::Trades => {
                let bars_follow = self.waiting.contains_key(&(Part::Bars, instrument));
                let bars_are_short = self.short.get(&instrument).is_some_and(|until| from < *until);
                !is_short && !bars_follow && !bars_are_short
            }
        };
        if is_whole {
            books.out.push(said(instrument, FeedKind::Repaired { from, to }, books.now));
        }
    }

    /// A request failed: again soon, or the whole part later.
    fn on_failure(&mut self, what: &str, asked: Option<Duration>, books: &mut Books<'_>) {
        let Some(job) = &mut self.job else { return };
        job.failures += 1;
        if asked.is_none() && job.failures < self.limits.request_attempts {
            let wait = self.limits.backoff.next(job.failures - 1, &mut self.jitter);
            return self.ask(wait);
        }
        job.loss.attempts += 1;
        let (part, instrument, attempt) = (job.part, job.instrument.0, job.loss.attempts);
        let pause = asked.map_or(self.limits.repair_pause, |wait| wait.min(MAX_RETRY_AFTER));
        warn!(what, ?part, instrument, attempt, ?pause, "fetching what was missed failed");
        let until = Instant::now() + pause;
        self.not_before[part as usize] = until;
        if asked.is_some() {
            // Who asks for a rest means all requests.
            self.not_before = self.not_before.map(|at| at.max(until));
        }
        if attempt >= self.limits.repair_attempts {
            self.give_up(books);
        } else {
            self.interrupt();
        }
        self.start(books);
    }

    fn give_up(&mut self, books: &mut Books<'_>) {
        let Some(Job { part, instrument, loss, .. }) = self.job.take() else { return };
        match part {
            Part::Trades => books.tapes.give_up(instrument, books.out),
            Part::Bars => {
                let until = self.short.entry(instrument).or_insert(loss.to);
                *until = loss.to.max(*until);
                books.series.give_up(instrument, books.out);
            }
        }
    }

    fn ask(&mut self, wait: Duration) {
        let Some(job) = &self.job else { return };
        let trades = job.trades.as_ref().and_then(|query| self.poll.trades_request(query));
        let bars = || job.bars.front().map(|query| self.poll.request(query));
        let Some(request) = trades.or_else(bars) else { return };
        let (client, request) = (self.client.clone(), request.class(Class::Urgent));
        self.in_flight = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            client.send(&request).await
        }));
    }
}

fn said(instrument: InstrumentId, kind: FeedKind, ts_recv: Timestamp) -> Event {
    Event::new(ts_recv, Payload::Feed(FeedStatus { instrument, kind }))
}
