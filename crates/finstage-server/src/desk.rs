//! What only the binary knows: catalogue, registry, markets' hours, feeds. The server asks for it
//! here, and never reads the engine's memory.

use std::fmt;

use finstage_model::{Alert, Symbol, Timestamp};
use finstage_store::records::TaskId;
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::monitor::{HealthCheck, MonitorGauges};
use crate::tasks::{ScheduleItem, TaskAsked};

/// Answers questions about the running service. Calls may block: the server makes them where that
/// holds up nobody, but for [`Desk::rules`], [`Desk::alert_words_ko`] and [`Desk::is_open`], which must be quick.
pub trait Desk: Send + Sync + fmt::Debug {
    /// What kind of store this is: `real` or `demo`.
    fn kind(&self) -> &'static str;

    /// What is watched, in the order of the settings.
    fn watched(&self) -> Vec<Symbol>;

    /// The instruments that `text` finds, or all that are known: those watched first.
    fn instruments(&self, text: Option<&str>, now: Timestamp) -> Vec<InstrumentItem>;

    /// Whether the market of an instrument is open; `None` where its hours are not known.
    fn is_open(&self, symbol: &Symbol, at: Timestamp) -> Option<bool>;

    /// Seconds by which quotes of an instrument are late by design.
    fn quote_delay_s(&self, symbol: &Symbol) -> u32;

    /// A strategy's rule in words.
    fn rules(&self, strategy: &str) -> Rules;

    /// The words of an alert in Korean; `None` where they are the user's own.
    fn alert_words_ko(&self, _alert: &Alert) -> Option<String> {
        None
    }

    /// The catalogue, each entry with where it runs.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn strategies(&self) -> Result<Vec<Value>, Error>;

    /// Statistics of live signals, as `track-record stats --json`.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn statistics(&self) -> Result<Value, Error>;

    /// The daily report.
    ///
    /// # Errors
    /// `Refused` when the day has no report yet; when the store cannot be read.
    fn report(&self, asked: &ReportAsked) -> Result<ReportPage, Error>;

    /// Rules on prices alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn watches(&self) -> Result<Vec<Value>, Error>;

    /// Adds a watch; it as it now stands in the list.
    ///
    /// # Errors
    /// `Refused` when the rule makes no sense or the instrument is not watched.
    fn add_watch(&self, symbol: &Symbol, rule: &str) -> Result<Value, Error>;

    /// Takes out a watch that was added.
    ///
    /// # Errors
    /// `NotFound` where there is none, `Refused` for one of the configuration file.
    fn remove_watch(&self, id: &str) -> Result<(), Error>;

    /// What runs by itself, and when next.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn schedules(&self) -> Result<Vec<ScheduleItem>, Error>;

    /// Takes a task into the queue.
    ///
    /// # Errors
    /// `Refused` when there is no such type, or it cannot be given this.
    fn submit_task(&self, asked: &TaskAsked) -> Result<TaskId, Error>;

    /// Counters of this moment.
    fn gauges(&self) -> Gauges;

    /// Whether the service can do its work, check by check; none where nobody looks.
    fn health(&self) -> Vec<HealthCheck> {
        Vec::new()
    }
}

/// An instrument as lists have it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct InstrumentItem {
    /// `venue:SYMBOL`.
    pub symbol: Symbol,
    /// Its English name; the venue's own where there is no other.
    pub name: String,
    /// Its Korean name.
    pub name_ko: String,
    /// What kind of thing it is.
    pub category: String,
    /// What prices are in, where known.
    pub currency: Option<String>,
    /// Name of the hours of its market, where known.
    pub calendar: Option<String>,
    /// The market's zone, where known.
    pub zone: Option<String>,
    /// Seconds by which its quotes are late by design.
    pub quote_delay_s: u32,
    /// Whether it is watched.
    pub watched: bool,
    /// Whether its market is open, where known.
    pub open: Option<bool>,
    /// When it opens next, where known.
    pub opens_at: Option<Timestamp>,
    /// When it closes, where it is open.
    pub closes_at: Option<Timestamp>,
}

/// A rule in words.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Rules {
    /// In English.
    pub rule: String,
    /// In Korean, where there are words.
    pub rule_ko: Option<String>,
}

/// Which daily report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportAsked {
    /// The day; the last whole one where nothing is said.
    pub date: Option<finstage_model::Day>,
    /// The form.
    pub format: ReportForm,
    /// `en` or `ko`; that of the settings where nothing is said.
    pub language: Option<String>,
}

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReportForm {
    /// Every figure by name.
    #[default]
    Json,
    /// One page.
    Html,
    /// Lines.
    Text,
}

/// A report that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportPage {
    /// Its form.
    pub format: ReportForm,
    /// Its text.
    pub text: String,
}

/// Counters and sizes of one moment.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Gauges {
    /// The connections to venues.
    pub feeds: Vec<FeedGauge>,
    /// The servers that are asked: what they allow, and how they answer.
    pub remotes: Vec<RemoteGauge>,
    /// The channels.
    pub notifiers: Vec<NotifierGauge>,
    /// The stored series of what is watched.
    pub series: Vec<SeriesGauge>,
    /// The journal.
    pub journal: JournalGauge,
    /// Bytes of the records.
    #[serde(skip)]
    pub records_bytes: u64,
    /// What waits for the engine.
    pub queue: QueueGauge,
    /// What feeds of news brought; only the page of metrics shows it.
    #[serde(skip)]
    pub news: NewsGauge,
    /// What the monitor saw; only the page of metrics shows it.
    #[serde(skip)]
    pub monitor: MonitorGauges,
}

/// What feeds of news brought since the start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NewsGauge {
    /// By feed.
    pub sources: Vec<NewsSource>,
    /// How long reading and keeping what was new in an answer took.
    pub times: Times,
}

/// What became of the items of a feed of news.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewsSource {
    /// The feed, by its name in the settings.
    pub source: String,
    /// Documents that nobody had before.
    pub new: u64,
    /// Stories that another feed had first.
    pub copies: u64,
    /// Items that the feed had listed before.
    pub known: u64,
    /// Items that could not be read.
    pub unreadable: u64,
}

/// A connection to a venue.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct FeedGauge {
    /// The venue.
    pub venue: String,
    /// What it brings.
    pub symbols: Vec<Symbol>,
    /// `connecting`, `up`, `stale`, `waiting` or `stopped`.
    pub state: &'static str,
    /// Whether data flows.
    pub connected: bool,
    /// Whether it is connected and silent.
    pub stale: bool,
    /// When the last message came.
    pub last_event_at: Option<Timestamp>,
    /// How long ago that is.
    pub age_ms: Option<i64>,
    /// Messages received.
    pub messages: u64,
    /// Events made of them.
    pub events: u64,
    /// Connections after the first.
    pub reconnects: u64,
    /// Losses.
    pub gaps: u64,
    /// Losses that were filled.
    pub repaired: u64,
    /// Things that came twice.
    pub duplicates: u64,
    /// Messages that were not understood.
    pub undecoded: u64,
    /// Settled bars that the venue says otherwise now; what was handed on stays.
    pub revisions: u64,
    /// Trades that a line lost and that were fetched.
    pub trades_filled: u64,
    /// Trades that a line lost and that could not be fetched.
    pub trades_lost: u64,
    /// Lines that were replaced while they still worked.
    pub overlaps: u64,
    /// Lines that went silent.
    pub stalls: u64,
    /// Where it comes sealed: what became of what came.
    pub sealed: Option<SealedGauge>,
}

/// The sealed frames of a feed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SealedGauge {
    /// `ok`; `refused`: something was refused lately; `fallback`: the first address does not answer.
    pub state: &'static str,
    /// Frames opened.
    pub opened: u64,
    /// Frames that are none of ours, or not any more.
    pub failed: u64,
    /// Frames that came before.
    pub replayed: u64,
    /// Frames that took longer than 5 ms.
    pub slow: u64,
    /// When a frame was refused last.
    pub last_refused_at: Option<Timestamp>,
    /// Whether they come from the fallback.
    pub fallback: bool,
}

/// A server that is asked, under one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RemoteGauge {
    /// Its name: the venue, or the channel.
    pub name: String,
    /// `closed` where requests are let through, `half_open` while it is tried, `open` where none are.
    pub breaker: &'static str,
    /// How often the breaker opened.
    pub opens: u64,
    /// Until when nothing is sent because the server said so.
    pub blocked_until: Option<Timestamp>,
    /// Requests sent, repetitions included.
    pub sent: u64,
    /// Requests sent again.
    pub retries: u64,
    /// Answers that said "too many".
    pub refused: u64,
    /// Requests without a usable answer.
    pub failed: u64,
    /// Requests that are out.
    pub in_flight: u64,
    /// Requests that wait for their turn.
    pub waiting: u64,
    /// The mean wait for a turn.
    pub mean_wait_ms: f64,
    /// The longest wait for a turn so far.
    pub longest_wait_ms: f64,
    /// Its limits.
    pub quotas: Vec<QuotaGauge>,
}

/// One limit of a server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct QuotaGauge {
    /// Its name.
    pub rule: String,
    /// The most in one window, as it is known now.
    pub limit: u64,
    /// The length of the window.
    pub window_s: f64,
    /// What is used, others with the same key included.
    pub used: u64,
    /// Of that, what others used.
    pub by_others: u64,
    /// What is left.
    pub headroom: u64,
    /// The spread of delays that is allowed for.
    pub guard_ms: f64,
}

/// How long things took.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Times {
    /// Upper ends, in seconds, ascending.
    pub ends: &'static [f64],
    /// How many ended within each, and, as one more, how many later.
    pub within: Vec<u64>,
    /// All together.
    pub total: std::time::Duration,
}

/// A channel for alerts.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NotifierGauge {
    /// Its name.
    pub name: String,
    /// Messages that wait, in all channels together.
    pub queued: u64,
    /// Messages that arrived.
    pub delivered: u64,
    /// Messages that were given up.
    pub failed: u64,
    /// Attempts that ended with "later".
    pub retried: u64,
    /// Messages that became too old.
    pub expired: u64,
    /// The latest thing that went wrong.
    pub last_error: Option<String>,
    /// Why it sends nothing any more.
    pub disabled: Option<String>,
    /// How long attempts took.
    #[serde(skip)]
    pub times: Times,
}

/// A stored series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesGauge {
    /// Whose bars.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: finstage_model::Interval,
    /// Close time of the last bar.
    pub last_close: Timestamp,
    /// How many.
    pub bars: u64,
    /// Bars that are missing among its last ones; `None` where the market closes.
    pub gaps: Option<u64>,
}

/// The journal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct JournalGauge {
    /// Everything before it is on disk: day, run and event.
    pub synced: String,
    /// Bytes on disk.
    pub bytes: u64,
}

/// What waits for the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueGauge {
    /// Frames that wait.
    pub depth: usize,
    /// The most that may.
    pub bound: usize,
}
