//! Delivers what the outbox holds for one channel.
//!
//! The failure it prevents: an alert that is lost, or told twice as if it were new. Every alert is
//! a row of the outbox; the dispatcher *leases* a row, sends, and records the end. A process that
//! dies in between leaves the row leased; when the lease runs out, the next process leases it
//! again, learns that the message may have arrived, and says so in the message. So delivery is at
//! least once, and a repeat is never a surprise.
//!
//! Three rules decide what happens to an alert that does not arrive:
//!
//! 1. Trouble on the way (network, gateway, "too fast") is retried until the alert is too old.
//! 2. A refusal in the service's own words is retried at most [`MAX_REFUSALS`] times, a final one
//!    never; then the row is a dead letter with the reason.
//! 3. An alert older than [`MAX_AGE`] is recorded as expired and not sent: catching up after an
//!    outage spams nobody. A notice of the service brings an age of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use finstage_model::{Alert, AlertKind, Clock, IdHasher, Position, Timestamp, WatchRule};
use finstage_net::{Backoff, Jitter};
use finstage_store::ErrorKind;
use finstage_store::records::{AddedWatch, DIGEST_UNTIL, Item, Leased, Moments, Records, Sent};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::blocking::blocking;
use crate::courier::{Courier, Later, Progress, Sending};
use crate::explain::{Explain, MAX_EXPLAIN};
use crate::holding::{HOUR, Held, Holding, MAX_DIGEST_AGE};
use crate::notifier::Then;
use crate::stats::Stats;
use crate::template::Repeat;

/// The age at which an alert is no longer sent, unless the configuration says otherwise.
pub const MAX_AGE: Duration = Duration::from_secs(15 * 60);

/// The attempts after which a refusal of the service makes a dead letter.
pub const MAX_REFUSALS: u32 = 10;

/// The waits after trouble that names no wait of its own: 0.5 s doubling to 30 s, full jitter.
pub const BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(500), factor: 2, cap: Duration::from_secs(30) };

/// The longest that one attempt may take, all parts together.
pub const MAX_ATTEMPT: Duration = Duration::from_secs(60);

/// How long a row is ours: longer than an attempt, so that only a dead process loses a lease.
pub const LEASE: Duration = Duration::from_secs(90);

/// How long a message in flight may still take when the service stops.
pub const MAX_DRAIN: Duration = Duration::from_secs(5);

/// The longest pause between two looks at the outbox.
pub const MAX_POLL: Duration = Duration::from_secs(1);

/// The shortest pause, while a row waits for the journal to be synced up to it.
pub const MIN_POLL: Duration = Duration::from_millis(50);

/// How often the end of a delivery is offered to a store that fails.
pub const MAX_ACKS: u32 = 6;

/// The most messages of several parts whose progress is remembered; beyond it the oldest starts
/// again.
pub const MAX_PARTIAL: usize = 64;

/// Tells how far the journal is synced; alerts that follow from later events are not sent yet.
pub type Synced = Arc<dyn Fn() -> Position + Send + Sync>;

/// What a dispatcher needs beside its courier.
#[derive(Clone)]
pub struct DispatcherOptions {
    /// The store that holds the outbox.
    pub records: Records,
    /// The engine's clock: ages of alerts are measured with it.
    pub clock: Arc<dyn Clock>,
    /// How far the journal is synced.
    pub synced: Synced,
    /// Woken by whoever queues an alert. It may be shared: wake with `notify_waiters`.
    pub wake: Arc<Notify>,
    /// The age at which an alert is no longer sent; usually [`MAX_AGE`].
    pub max_age: Duration,
    /// Puts alerts into plain words, where somebody can.
    pub explain: Option<Arc<dyn Explain>>,
    /// What the channel holds back, and when it tells of it.
    pub holding: Holding,
}

impl fmt::Debug for DispatcherOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DispatcherOptions").field("max_age", &self.max_age).finish_non_exhaustive()
    }
}

/// Delivers the outbox rows of one channel, one at a time, in the order the outbox gives them.
#[derive(Debug)]
pub struct Dispatcher {
    courier: Courier,
    options: DispatcherOptions,
    stats: Arc<Stats>,
    /// By outbox row.
    partial: BTreeMap<i64, Progress>,
    jitter: Jitter,
    /// When the last digest was due that is queued, or had nothing to tell.
    digested: Option<Timestamp>,
}

impl Dispatcher {
    /// A dispatcher for the channel of `courier`.
    #[must_use]
    pub fn new(courier: Courier, options: DispatcherOptions) -> Self {
        // Two channels, or two runs, must not come back at the same moments.
        let seed = IdHasher::new().text(courier.name()).number(options.clock.now().nanos());
        let jitter = Jitter::seeded(seed.finish() as u64);
        Self {
            courier,
            options,
            stats: Arc::default(),
            partial: BTreeMap::new(),
            jitter,
            digested: None,
        }
    }

    /// Its counters, to be read while it runs.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Delivers until `shutdown` holds `true` or its sender is gone, then finishes the message in
    /// flight within [`MAX_DRAIN`].
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        let wake = Arc::clone(&self.options.wake);
        while !is_stopped(&shutdown) {
            // Registered before the outbox is read: an alert queued meanwhile wakes us.
            let woken = wake.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let Some(pause) = self.step(&mut shutdown).await else { continue };
            tokio::select! {
                () = stopped(&mut shutdown) => break,
                () = woken => {}
                () = sleep(pause) => {}
            }
        }
    }

    /// Handles one row. `None`: look again at once; else the pause until the next look.
    async fn step(&mut self, shutdown: &mut watch::Receiver<bool>) -> Option<Duration> {
        self.digest().await;
        let wait = self.courier.wait();
        if !wait.is_zero() && self.stats.disabled().is_none() {
            return Some(wait.min(MAX_POLL));
        }
        match self.lease().await {
            Ok(Some(leased)) => {
                self.handle(leased, shutdown).await;
                None
            }
            Ok(None) => Some(self.pause_until_next().await),
            Err(reason) => {
                self.complain("leasing an alert", &reason);
                Some(MAX_POLL)
            }
        }
    }

    async fn lease(&self) -> Result<Option<Leased>, String> {
        let records = self.options.records.clone();
        let (name, now) = (self.courier.name().to_owned(), self.options.clock.now());
        let synced = (self.options.synced)();
        blocking(move || records.outbox_lease(&name, now, LEASE, synced))
            .await
            .map_err(|error| error.to_string())
    }

    /// Until the next row is due; short while a due row waits for the journal to be synced.
    async fn pause_until_next(&self) -> Duration {
        let records = self.options.records.clone();
        let name = self.courier.name().to_owned();
        match blocking(move || records.outbox_next_at(&name)).await {
            Ok(None) => MAX_POLL,
            Ok(Some(at)) => at.since(self.options.clock.now()).clamp(MIN_POLL, MAX_POLL),
            Err(error) => {
                self.complain("reading the outbox", &error.to_string());
                MAX_POLL
            }
        }
    }

    async fn handle(&mut self, leased: Leased, shutdown: &mut watch::Receiver<bool>) {
        let progress = self.partial.remove(&leased.row);
        let age = self.options.clock.now().since(leased.item.said_at());
        let max_age = match &leased.item {
            Item::Alert(_) => self.options.max_age,
            Item::Notice(notice) => {
                notice.max_age.saturating_add(self.options.holding.patience(notice.kind))
            }
        };
        let is_fresh = progress.is_none() && !leased.possible_repeat;
        let held = if is_fresh { self.hold(&leased.item).await } else { None };
        let end = if age > max_age {
            let why = format!(
                "{} s old when its turn came, {} s are allowed",
                age.as_secs(),
                max_age.as_secs()
            );
            End::Expired(match is_fresh {
                true => why,
                false => format!("{why}; an attempt before it may have reached people"),
            })
        } else if let Some(reason) = self.stats.disabled() {
            End::Failed(format!("the channel is disabled: {reason}"))
        } else if let Some(end) = held {
            end
        } else {
            let repeat = if leased.possible_repeat { Repeat::Possible } else { Repeat::No };
            let progress = match progress {
                Some(progress) => progress,
                None => Progress::new(repeat).with_note(self.note(&leased.item, shutdown).await),
            };
            let sending = self.attempt(&leased.item, progress, shutdown).await;
            self.judge(&leased, sending)
        };
        self.report(&leased.item, &end);
        self.record(&leased, end).await;
    }

    /// Whether the channel holds back what nobody has yet. Where the store cannot tell what was delivered,
    /// the message goes: rather one too many than one that is lost.
    async fn hold(&self, item: &Item) -> Option<End> {
        let now = self.options.clock.now();
        let holding = &self.options.holding;
        let alert = match item {
            Item::Notice(notice) => return holding.notice(notice.kind, now).map(End::Wait),
            Item::Alert(alert) => alert,
        };
        match self.is_of_another_chat(alert).await {
            Ok(true) => return Some(End::Held(Held::OtherChat)),
            Ok(false) => {}
            Err(error) => self.complain("looking up a watch", &error.to_string()),
        }
        let delivered = match holding.per_hour {
            None => 0,
            Some(_) => {
                let records = self.options.records.clone();
                let name = self.courier.name().to_owned();
                let counted = blocking(move || records.delivered_since(&name, now.minus(HOUR)));
                match counted.await {
                    Ok(count) => count,
                    Err(error) => {
                        self.complain("counting what was delivered", &error.to_string());
                        return None;
                    }
                }
            }
        };
        let held = holding.alert(alert, now, || Ok::<u64, std::convert::Infallible>(delivered));
        held.ok().flatten().map(End::Held)
    }

    /// Whether the alert is of a watch that was added in the chat of another channel.
    async fn is_of_another_chat(&self, alert: &Alert) -> Result<bool, finstage_store::Error> {
        let (AlertKind::Watch { .. }, Ok(rule)) = (&alert.kind, alert.rule.parse::<WatchRule>())
        else {
            return Ok(false);
        };
        let id = AddedWatch::id_of(&alert.symbol, rule);
        let records = self.options.records.clone();
        let channel = blocking(move || records.watch_channel(&id)).await?;
        Ok(channel.is_some_and(|channel| channel != self.courier.name()))
    }

    /// Queues the digest that is due, once. How far digests came is kept in the store.
    async fn digest(&mut self) {
        let now = self.options.clock.now();
        let Some(due) = self.options.holding.digest_due(now) else { return };
        if self.digested == Some(due) {
            return;
        }
        let (records, holding) = (self.options.records.clone(), self.options.holding.clone());
        let name = self.courier.name().to_owned();
        match blocking(move || announce_digest(&records, &holding, &name, due)).await {
            Ok(()) => self.digested = Some(due),
            Err(error) => self.complain("making a digest", &error.to_string()),
        }
    }

    /// Plain words for an alert, where somebody has them in time.
    async fn note(&self, item: &Item, shutdown: &mut watch::Receiver<bool>) -> Option<String> {
        let (Some(explain), Item::Alert(alert)) = (&self.options.explain, item) else {
            return None;
        };
        tokio::select! {
            biased;
            note = timeout(MAX_EXPLAIN, explain.explain(alert)) => note.ok().flatten(),
            () = stopped(shutdown) => None,
        }
    }

    async fn attempt(
        &mut self,
        item: &Item,
        progress: Progress,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Sending {
        let cut = |reason: &str| {
            let reason = reason.to_owned();
            Sending::Later(Later { wait: None, sent: Sent::Unknown, reason, progress: None })
        };
        let began = tokio::time::Instant::now();
        let sending = tokio::select! {
            biased;
            sending = timeout(MAX_ATTEMPT, self.courier.send(item, progress)) => {
                sending.unwrap_or_else(|_elapsed| cut("the attempt took too long"))
            }
            () = drained(shutdown) => cut("the service stopped before the answer came"),
        };
        self.stats.count_time(began.elapsed());
        sending
    }

    /// What becomes of the row.
    fn judge(&mut self, leased: &Leased, sending: Sending) -> End {
        match sending {
            Sending::Delivered { receipt } => End::Delivered(receipt),
            Sending::Refused(later) if leased.attempts >= MAX_REFUSALS => {
                End::Failed(format!("refused after {} attempts: {}", leased.attempts, later.reason))
            }
            Sending::Later(later) | Sending::Refused(later) => self.retry(leased, later),
            Sending::Rejected { reason, then } => {
                if then == Then::Disable {
                    tracing::error!(
                        notifier = self.courier.name(),
                        reason,
                        "the channel is disabled"
                    );
                    self.stats.disable(&reason);
                }
                End::Failed(reason)
            }
        }
    }

    fn retry(&mut self, leased: &Leased, later: Later) -> End {
        let Later { wait, sent, reason, progress } = later;
        if let Some(progress) = progress.filter(Progress::is_partial) {
            if self.partial.len() >= MAX_PARTIAL {
                self.partial.pop_first();
            }
            self.partial.insert(leased.row, progress);
        }
        let failures_before = leased.attempts.saturating_sub(1);
        let wait = wait.unwrap_or_else(|| BACKOFF.next(failures_before, &mut self.jitter));
        End::Retry { not_before: self.options.clock.now().plus(wait), reason, sent }
    }

    /// Counts the end of an attempt and writes it to the log.
    fn report(&self, item: &Item, end: &End) {
        let (notifier, id) = (self.courier.name(), item.id());
        let what = match item {
            Item::Alert(_) => "alert",
            Item::Notice(_) => "notice",
        };
        match end {
            End::Delivered(receipt) => {
                self.stats.count_delivered();
                tracing::info!(notifier, id, receipt, "{what} delivered");
            }
            End::Retry { reason, .. } => {
                self.stats.count_retried(reason);
                tracing::warn!(notifier, id, reason, "{what} will be tried again");
            }
            End::Failed(reason) => {
                self.stats.count_failed(reason);
                tracing::error!(notifier, id, reason, "{what} given up");
            }
            End::Held(held) => {
                tracing::info!(notifier, id, reason = held.as_str(), "{what} held back");
            }
            End::Wait(until) => {
                tracing::info!(notifier, id, %until, "{what} waits for the end of quiet hours");
            }
            End::Expired(reason) => {
                self.stats.count_expired();
                tracing::warn!(notifier, id, reason, "{what} too old to send");
            }
        }
    }

    /// Writes the end into the outbox. Where the store fails for long, the row keeps its lease
    /// and comes again as a possible repeat.
    async fn record(&self, leased: &Leased, end: End) {
        let (row, fence, end) = (leased.row, leased.fence, Arc::new(end));
        for attempt in 0..MAX_ACKS {
            let records = self.options.records.clone();
            let (end, at) = (Arc::clone(&end), self.options.clock.now());
            let recorded = blocking(move || match &*end {
                End::Delivered(receipt) => records.outbox_delivered(row, fence, at, receipt),
                End::Retry { not_before, reason, sent } => {
                    records.outbox_retry(row, fence, *not_before, reason, *sent)
                }
                End::Held(held) => records.outbox_held(row, fence, at, held.as_str()),
                End::Wait(until) => {
                    records.outbox_retry(row, fence, *until, "quiet_hours", Sent::No)
                }
                End::Failed(reason) => records.outbox_failed(row, fence, at, reason),
                End::Expired(reason) => records.outbox_expired(row, fence, at, reason),
            });
            match recorded.await {
                Ok(()) => return,
                // Somebody else leased it meanwhile: the row is theirs, and so is its end.
                Err(error) if error.kind() == ErrorKind::Stale => {
                    self.complain("recording a delivery", &error.to_string());
                    return;
                }
                Err(error) => self.complain("recording a delivery", &error.to_string()),
            }
            sleep(MIN_POLL * 2u32.pow(attempt)).await;
        }
    }

    fn complain(&self, doing: &str, reason: &str) {
        self.stats.note_error(reason);
        tracing::error!(notifier = self.courier.name(), reason, "{doing} failed");
    }
}

/// How an attempt ends in the outbox.
#[derive(Debug)]
enum End {
    Delivered(String),
    Retry { not_before: Timestamp, reason: String, sent: Sent },
    Failed(String),
    Expired(String),
    Held(Held),
    Wait(Timestamp),
}

/// Queues what a channel held back since its last digest, up to `due`.
fn announce_digest(
    records: &Records,
    holding: &Holding,
    name: &str,
    due: Timestamp,
) -> Result<(), finstage_store::Error> {
    let key = format!("{DIGEST_UNTIL}{name}");
    let told = records.meta(&key)?.and_then(|text| text.parse().ok());
    let after = told.unwrap_or(due.minus(MAX_DIGEST_AGE));
    if after >= due {
        return Ok(());
    }
    let within = Moments { after, until: due };
    if let Some(notice) = holding.digest(name, within, &records.held_within(name, within)?) {
        records.announce(&notice, &[name.to_owned()])?;
    }
    records.set_meta(&key, &due.to_string())
}

fn is_stopped(shutdown: &watch::Receiver<bool>) -> bool {
    *shutdown.borrow() || shutdown.has_changed().is_err()
}

/// Ends when the service is told to stop.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    while !is_stopped(shutdown) && shutdown.changed().await.is_ok() {}
}

/// Ends when a message in flight has had its time after the service was told to stop.
async fn drained(shutdown: &mut watch::Receiver<bool>) {
    stopped(shutdown).await;
    sleep(MAX_DRAIN).await;
}
