//! Fetching the bars that a stream lost.
//!
//! The stream goes on while requests are under way, one at a time. A loss is repaired as a whole:
//! only when every missing bar of an instrument was fetched does [`FeedKind::Repaired`] follow
//! them. A request that fails is repeated a few times; then the repair is put off, for as long as
//! the venue asks or [`SessionLimits::repair_pause`], and begins again where it stopped. After
//! [`SessionLimits::repair_attempts`] the gap stays open and the bars that waited for it go out.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Payload, Timestamp};
use finstage_net::{Client, Error, Jitter, Response, retry_after};
use tokio::time::Instant;
use tracing::{info, warn};

use super::SessionLimits;
use super::series::SeriesBook;
use crate::DecodeErrorKind;
use crate::venue::{PollVenue, Query};

/// The most pages fetched in one go; what is left follows after [`SessionLimits::repair_pause`].
pub const MAX_REPAIR_PAGES: usize = 50;

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

pub(super) struct Repair {
    poll: Box<dyn PollVenue>,
    client: Client,
    limits: SessionLimits,
    jitter: Jitter,
    waiting: BTreeMap<InstrumentId, Loss>,
    job: Option<Job>,
    in_flight: Option<InFlight>,
    not_before: Instant,
}

/// A stretch of time whose bars are missing.
#[derive(Debug, Clone, Copy)]
struct Loss {
    from: Timestamp,
    to: Timestamp,
    attempts: u32,
}

/// The repair under way.
struct Job {
    instrument: InstrumentId,
    loss: Loss,
    queries: VecDeque<Query>,
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
            job: None,
            in_flight: None,
            not_before: Instant::now(),
        }
    }

    /// Takes note of a loss. Losses of one instrument become one stretch.
    pub(super) fn add(&mut self, instrument: InstrumentId, from: Timestamp, to: Timestamp) {
        let loss = Loss { from, to, attempts: 0 };
        self.merge(instrument, loss);
    }

    fn merge(&mut self, instrument: InstrumentId, loss: Loss) {
        let known = self.waiting.entry(instrument).or_insert(loss);
        known.from = known.from.min(loss.from);
        known.to = known.to.max(loss.to);
        known.attempts = known.attempts.max(loss.attempts);
    }

    /// Drops the request under way; its repair begins again later.
    pub(super) fn interrupt(&mut self) {
        self.in_flight = None;
        if let Some(job) = self.job.take() {
            self.merge(job.instrument, job.loss);
        }
    }

    /// Whether a repair is under way or may begin at once.
    pub(super) fn is_active(&self) -> bool {
        self.job.is_some() || (!self.waiting.is_empty() && self.not_before <= Instant::now())
    }

    /// Waits for what comes next. May be dropped while waiting without a loss.
    pub(super) async fn progress(&mut self) -> Progress {
        if let Some(request) = &mut self.in_flight {
            let answer = request.await;
            self.in_flight = None;
            return Progress::Answer(answer);
        }
        if self.job.is_none() && !self.waiting.is_empty() {
            tokio::time::sleep_until(self.not_before).await;
            return Progress::Due;
        }
        std::future::pending().await
    }

    /// Begins repairs until one needs a request; those that need none end in `out`.
    pub(super) fn start(&mut self, book: &mut SeriesBook, now: Timestamp, out: &mut Vec<Event>) {
        while self.job.is_none() && self.not_before <= Instant::now() {
            // The least tried first, so that one bad instrument does not keep others waiting.
            let next = self.waiting.iter().min_by_key(|(_, loss)| loss.attempts);
            let Some((&instrument, &loss)) = next else { return };
            self.waiting.remove(&instrument);
            let queries: VecDeque<Query> = book.missing(instrument, now).into();
            let is_whole = queries.is_empty();
            self.job = Some(Job { instrument, loss, queries, pages: 0, failures: 0 });
            if is_whole {
                self.finish(book, now, out);
            } else {
                self.ask(Duration::ZERO);
            }
        }
    }

    /// Reads the end of a request, and asks the next.
    pub(super) fn on_answer(
        &mut self,
        answer: Result<Response, Error>,
        book: &mut SeriesBook,
        now: Timestamp,
        out: &mut Vec<Event>,
    ) {
        let Some(job) = &mut self.job else { return };
        let Some(query) = job.queries.front() else { return };
        let response = match answer {
            Ok(response) => response,
            Err(error) => return self.on_failure(&error.to_string(), None, book, out),
        };
        if matches!(response.status, 408 | 418 | 429 | 500..) {
            let wait = retry_after(&response, now).map(|wait| wait.min(MAX_RETRY_AFTER));
            let what = format!("status {}", response.status);
            return self.on_failure(&what, wait, book, out);
        }
        let mut bars = Vec::new();
        match self.poll.read(query, &response, now, &mut bars) {
            Ok(next_page) => {
                book.on_fetched(&mut bars);
                out.append(&mut bars);
                job.failures = 0;
                job.pages += 1;
                job.queries.pop_front();
                // The rest of a series comes before the next one.
                if let Some(next_page) = next_page {
                    job.queries.push_front(next_page);
                }
                self.go_on(book, now, out);
            }
            Err(error)
                if matches!(
                    error.kind(),
                    DecodeErrorKind::Refused | DecodeErrorKind::NoSuchSymbol
                ) =>
            {
                warn!(%error, instrument = job.instrument.0, "bars cannot be fetched, the gap stays");
                self.give_up(book, out);
                self.start(book, now, out);
            }
            Err(error) => self.on_failure(&error.to_string(), None, book, out),
        }
    }

    fn go_on(&mut self, book: &mut SeriesBook, now: Timestamp, out: &mut Vec<Event>) {
        let Some(job) = &mut self.job else { return };
        if job.queries.is_empty() {
            self.finish(book, now, out);
        } else if job.pages >= MAX_REPAIR_PAGES {
            info!(instrument = job.instrument.0, "many bars are missing, going on after a pause");
            self.not_before = Instant::now() + self.limits.repair_pause;
            self.interrupt();
        } else {
            return self.ask(Duration::ZERO);
        }
        self.start(book, now, out);
    }

    fn finish(&mut self, book: &mut SeriesBook, now: Timestamp, out: &mut Vec<Event>) {
        let Some(Job { instrument, loss: Loss { from, to, .. }, .. }) = self.job.take() else {
            return;
        };
        book.release(instrument, out);
        let kind = FeedKind::Repaired { from, to };
        out.push(Event { ts_recv: now, payload: Payload::Feed(FeedStatus { instrument, kind }) });
    }

    /// A request failed: again soon, or the whole repair later.
    fn on_failure(
        &mut self,
        what: &str,
        asked_wait: Option<Duration>,
        book: &mut SeriesBook,
        out: &mut Vec<Event>,
    ) {
        let Some(job) = &mut self.job else { return };
        job.failures += 1;
        if asked_wait.is_none() && job.failures < self.limits.request_attempts {
            let wait = self.limits.backoff.next(job.failures - 1, &mut self.jitter);
            return self.ask(wait);
        }
        job.loss.attempts += 1;
        let (instrument, attempt) = (job.instrument.0, job.loss.attempts);
        let pause = asked_wait.unwrap_or(self.limits.repair_pause);
        warn!(what, instrument, attempt, ?pause, "fetching missed bars failed");
        self.not_before = Instant::now() + pause;
        if attempt >= self.limits.repair_attempts {
            self.give_up(book, out);
        } else {
            self.interrupt();
        }
    }

    fn give_up(&mut self, book: &mut SeriesBook, out: &mut Vec<Event>) {
        if let Some(job) = self.job.take() {
            book.give_up(job.instrument, out);
        }
    }

    fn ask(&mut self, wait: Duration) {
        let Some(query) = self.job.as_ref().and_then(|job| job.queries.front()) else { return };
        let (client, request) = (self.client.clone(), self.poll.request(query));
        self.in_flight = Some(Box::pin(async move {
            tokio::time::sleep(wait).await;
            client.send(&request).await
        }));
    }
}
