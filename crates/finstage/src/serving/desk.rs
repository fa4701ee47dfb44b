//! What the server may ask of the service.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use finstage_engine::{EngineSettings, Rule, StrategySpec};
use finstage_feeds::registry::{self, Listing};
use finstage_feeds::sealed::SealedSnapshot;
use finstage_feeds::{LinkState, MarketHours};
use finstage_model::{Alert, Clock, Event, Interval, Symbol, Timestamp};
use finstage_server::{
    Desk, Error, ErrorKind, FeedGauge, Gauges, HealthCheck, InstrumentItem, JournalGauge,
    NotifierGauge, QueueGauge, RemoteGauge, ReportAsked, ReportForm, ReportPage, Rules,
    ScheduleItem, SealedGauge, SeriesGauge, TaskAsked, Times,
};
use finstage_store::history::History;
use finstage_store::records::{NewTask, Records, StoreKind, TaskId};
use finstage_strategies::CATALOG;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::sync::mpsc::WeakSender;

use super::{Service, remotes};
use crate::commands::strategies::object;
use crate::commands::track_record::stats;
use crate::config::settings::{FeedSettings, ReportSettings, WatchThresholds};
use crate::exit::{Exit, Failure, Result};
use crate::gateway::Gateway;
use crate::jobs::{self, Job};
use crate::live::Safe;
use crate::monitor::Monitor;
use crate::report::{Asked, Due, Language, day_of, gather, html, korean_rule, rule_words, text};
use crate::service;
use crate::watches::{self, KnownWatch, Wish};

/// How long what is slow to count stays as it was counted.
const COUNTED_FOR: Duration = Duration::from_secs(30);
/// A frame that was refused no longer ago makes a sealed feed suspicious.
const REFUSED_LATELY: Duration = Duration::from_secs(600);
/// Bars of each series that are looked through for holes.
const LOOKED_AT: usize = 1_000;
/// The most files and folders of the journal that are counted.
const MAX_FILES: usize = 100_000;

/// The service as the server may ask it.
#[derive(Debug)]
pub struct ServiceDesk {
    records: Records,
    history: History,
    clock: Arc<dyn Clock>,
    safe: Safe,
    engine: EngineSettings,
    feeds: Vec<FeedSettings>,
    report: ReportSettings,
    thresholds: WatchThresholds,
    zone: TimeZone,
    kind: &'static str,
    watched: Vec<Symbol>,
    jobs: Vec<Job>,
    journal_dir: PathBuf,
    running: Arc<OnceLock<Running>>,
    monitor: Option<Arc<Monitor>>,
    counted: Mutex<Option<(Timestamp, Counted)>>,
}

/// What runs once a service has started its feeds.
#[derive(Debug)]
pub struct Running {
    /// Sessions and channels.
    pub gauges: service::Gauges,
    /// What each session brings, in the same order.
    pub feeds: Vec<FeedSettings>,
    /// What waits for the engine.
    pub queue: WeakSender<Vec<Event>>,
    /// The gateway beside it.
    pub gateway: Option<Arc<Gateway>>,
}

/// What is slow to count.
#[derive(Debug, Clone, Default)]
struct Counted {
    series: Vec<SeriesGauge>,
    journal_bytes: u64,
    records_bytes: u64,
}

impl ServiceDesk {
    pub(super) fn new(service: &Service<'_>, running: Arc<OnceLock<Running>>) -> Result<Self> {
        let settings = service.settings;
        let world = service.records.kind()?.unwrap_or(StoreKind::Real);
        let mut watched: Vec<Symbol> = Vec::new();
        for symbol in settings.feeds.iter().flat_map(|feed| &feed.symbols) {
            if !watched.contains(symbol) {
                watched.push(symbol.clone());
            }
        }
        Ok(Self {
            records: service.records.clone(),
            history: service.history.clone(),
            clock: Arc::clone(service.clock),
            safe: service.safe.clone(),
            engine: settings.engine.clone(),
            feeds: settings.feeds.clone(),
            report: settings.report,
            thresholds: settings.thresholds.clone(),
            zone: TimeZone::get(&settings.timezone).map_err(Failure::usage)?,
            kind: world.as_str(),
            watched,
            jobs: jobs::table::jobs(settings, world),
            journal_dir: service.journal.root().to_owned(),
            running,
            monitor: service.monitor.cloned(),
            counted: Mutex::default(),
        })
    }

    fn counted(&self) -> Counted {
        let now = self.clock.now();
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, counted)) = counted.as_ref()
            && now.since(*at) < COUNTED_FOR
        {
            return counted.clone();
        }
        let found = Counted {
            series: self.series().unwrap_or_default(),
            journal_bytes: size_of(&self.journal_dir),
            records_bytes: self.records_bytes(),
        };
        *counted = Some((now, found.clone()));
        found
    }

    fn records_bytes(&self) -> u64 {
        let beside = |name: &str| fs::metadata(self.journal_dir.with_file_name(name));
        let files =
            ["records.db", "records.db-wal"].into_iter().filter_map(|name| beside(name).ok());
        files.map(|file| file.len()).sum()
    }

    fn series(&self) -> Result<Vec<SeriesGauge>> {
        let mut gauges = Vec::new();
        for one in self.history.series()? {
            if !self.watched.contains(&one.symbol) {
                continue;
            }
            let is_whole = registry::hours(&one.symbol) == Some(MarketHours::Always);
            let gaps = if is_whole { Some(self.holes(&one.symbol, one.interval)?) } else { None };
            gauges.push(SeriesGauge {
                last_close: registry::closed_at(&one.symbol, one.interval, one.last),
                bars: one.shelf_bars + one.tail_bars,
                symbol: one.symbol,
                interval: one.interval,
                gaps,
            });
        }
        Ok(gauges)
    }

    /// Bars that are missing among the last ones of a market that never closes.
    fn holes(&self, symbol: &Symbol, interval: Interval) -> Result<u64> {
        let bars = self.history.last_bars(symbol, interval, Timestamp::MAX, LOOKED_AT)?;
        let mut missing = 0;
        for two in bars.windows(2) {
            let mut next = two[0].close_time();
            while next < two[1].open_time && missing < LOOKED_AT as u64 {
                missing += 1;
                next = interval.close_of(next);
            }
        }
        Ok(missing)
    }

    fn feed_gauges(&self) -> Vec<FeedGauge> {
        let Some(running) = self.running.get() else {
            // History is being fetched: nothing is connected yet.
            let waiting = |feed: &FeedSettings| FeedGauge {
                venue: feed.venue.clone(),
                symbols: feed.symbols.clone(),
                state: "waiting",
                ..FeedGauge::default()
            };
            return self.feeds.iter().map(waiting).collect();
        };
        let now = self.clock.now();
        let gauge = |(feed, stats): (&FeedSettings, &Arc<finstage_feeds::SessionStats>)| {
            let seen = stats.snapshot();
            FeedGauge {
                venue: feed.venue.clone(),
                symbols: feed.symbols.clone(),
                state: match seen.state {
                    LinkState::Up => "up",
                    LinkState::Stale => "stale",
                    LinkState::Connecting => "connecting",
                    LinkState::Stopped => "stopped",
                    _ => "waiting",
                },
                connected: matches!(seen.state, LinkState::Up | LinkState::Stale),
                stale: seen.state == LinkState::Stale,
                last_event_at: seen.last_frame_at,
                age_ms: seen.last_frame_at.map(|at| (now.nanos() - at.nanos()) / 1_000_000),
                messages: seen.frames,
                events: seen.events,
                reconnects: seen.reconnects,
                gaps: seen.gaps,
                repaired: seen.repairs,
                duplicates: seen.duplicates,
                undecoded: seen.decode_errors,
                revisions: seen.revisions,
                trades_filled: seen.trades_filled,
                trades_lost: seen.trades_lost,
                overlaps: seen.overlaps,
                stalls: seen.stalls,
                sealed: seen.sealed.map(|sealed| sealed_gauge(&sealed, now)),
            }
        };
        running.feeds.iter().zip(&running.gauges.sessions).map(gauge).collect()
    }

    fn remote_gauges(&self) -> Vec<RemoteGauge> {
        let Some(running) = self.running.get() else { return Vec::new() };
        let shown = &running.gauges.remotes;
        let of_gateway = running.gateway.iter().flat_map(|gateway| gateway.remotes(shown));
        shown.iter().cloned().chain(of_gateway).map(|remote| remotes::gauge(&remote)).collect()
    }

    fn notifier_gauges(&self) -> Vec<NotifierGauge> {
        let Some(running) = self.running.get() else { return Vec::new() };
        let queued = self.records.outbox_counts().map_or(0, |counts| counts.ready + counts.sending);
        let gauge = |(name, stats): &(String, Arc<finstage_notify::Stats>)| NotifierGauge {
            name: name.clone(),
            queued,
            delivered: stats.delivered(),
            failed: stats.failed(),
            retried: stats.retried(),
            expired: stats.expired(),
            last_error: stats.last_error(),
            disabled: stats.disabled(),
            times: times(stats),
        };
        running.gauges.notifiers.iter().map(gauge).collect()
    }

    /// Where a rule runs: on the symbols it names, else on all that have bars of that length.
    fn places(&self, spec: &StrategySpec) -> Vec<Symbol> {
        if !spec.symbols.is_empty() {
            return spec.symbols.clone();
        }
        let series = self.engine.series.iter().filter(|series| series.interval == spec.interval);
        let symbols: BTreeSet<&Symbol> = series.map(|series| &series.symbol).collect();
        symbols.into_iter().cloned().collect()
    }
}

fn times(stats: &finstage_notify::Stats) -> Times {
    let finstage_notify::SendTimes { within, total } = stats.times();
    Times { ends: &finstage_notify::SEND_SECONDS, within: within.to_vec(), total }
}

fn sealed_gauge(seen: &SealedSnapshot, now: Timestamp) -> SealedGauge {
    let is_lately = |at: Timestamp| now.since(at) < REFUSED_LATELY;
    SealedGauge {
        state: match seen {
            SealedSnapshot { refused_at: Some(at), .. } if is_lately(*at) => "refused",
            SealedSnapshot { is_on_fallback: true, .. } => "fallback",
            _ => "ok",
        },
        opened: seen.opened,
        failed: seen.failed,
        replayed: seen.replayed,
        slow: seen.slow,
        last_refused_at: seen.refused_at,
        fallback: seen.is_on_fallback,
    }
}

impl ServiceDesk {
    /// When jobs run, and how far each came.
    fn scheduled(&self) -> Result<Vec<ScheduleItem>> {
        Ok(jobs::shown::schedules(&self.jobs, &self.records, self.clock.now())?)
    }

    fn submit(&self, asked: &TaskAsked) -> Result<TaskId> {
        let kind = jobs::kinds::find(&asked.kind)?;
        let now = self.clock.now();
        let around = jobs::kinds::Around { watched: &self.watched, now };
        let task = NewTask {
            priority: asked.priority,
            key: asked.key.clone(),
            run_at: Some(now.plus(Duration::from_secs(asked.delay_s.into()))),
            ..jobs::shown::task(kind, &asked.data, &around)?
        };
        Ok(self.records.task_submit(task, now)?.id)
    }
}

impl Desk for ServiceDesk {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn watched(&self) -> Vec<Symbol> {
        self.watched.clone()
    }

    fn instruments(&self, wanted: Option<&str>, now: Timestamp) -> Vec<InstrumentItem> {
        let needle = wanted.map(str::to_lowercase);
        let fits = |symbol: &Symbol| {
            needle.as_ref().is_none_or(|needle| symbol.as_str().to_lowercase().contains(needle))
        };
        let found: Vec<&Listing> = match wanted {
            None => registry::everything().collect(),
            Some(wanted) => registry::search(wanted),
        };
        let is_found = |symbol: &Symbol| found.iter().any(|listing| listing.symbol == *symbol);
        let own = self.watched.iter().filter(|symbol| fits(symbol) || is_found(symbol));
        let mut items: Vec<InstrumentItem> = own.map(|symbol| item(symbol, true, now)).collect();
        let others = found.iter().filter(|listing| !self.watched.contains(&listing.symbol));
        items.extend(others.map(|listing| item(&listing.symbol, false, now)));
        items
    }

    fn is_open(&self, symbol: &Symbol, at: Timestamp) -> Option<bool> {
        registry::hours(symbol)?.around(at).ok().map(|times| times.current.is_some())
    }

    fn quote_delay_s(&self, symbol: &Symbol) -> u32 {
        registry::quote_delay_s(symbol).unwrap_or(0)
    }

    fn rules(&self, strategy: &str) -> Rules {
        Rules {
            rule: rule_words(strategy, Language::En),
            rule_ko: Some(rule_words(strategy, Language::Ko)),
        }
    }

    fn alert_words_ko(&self, alert: &Alert) -> Option<String> {
        korean_rule(alert)
    }

    fn strategies(&self) -> std::result::Result<Vec<Value>, Error> {
        let mut cards: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for row in self.records.cards_since(0)? {
            let name = finstage_model::rule_name(&row.card.strategy).to_owned();
            cards.entry(name).or_default().push(json!(row.card));
        }
        let mut running: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let mut own = Vec::new();
        for spec in &self.engine.strategies {
            let Ok(rule) = Rule::of(spec, CATALOG) else { continue };
            let place = json!({
                "strategy": rule.canonical,
                "interval": spec.interval,
                "symbols": self.places(spec),
            });
            running.entry(spec.name.clone()).or_default().push(place);
            if spec.when.is_some() && !own.iter().any(|item: &Value| item["name"] == *spec.name) {
                own.push(json!({
                    "name": spec.name,
                    "params": {},
                    "direction": rule.direction,
                    "describes": "a condition of your own",
                    "describes_ko": "직접 작성한 조건",
                    "rule": rule.words,
                }));
            }
        }
        let mut items: Vec<Value> = CATALOG
            .iter()
            .map(|entry| {
                let mut item = object(entry);
                let params = entry.params(&[]);
                let words = params.map(|params| (entry.words)(&params)).unwrap_or_default();
                item["rule"] = json!(words);
                // As in English: with the names of the parameters, whose values are each run's own.
                item["describes_ko"] = json!(entry.korean.replace(['{', '}'], ""));
                item
            })
            .collect();
        items.append(&mut own);
        for item in &mut items {
            let name = item["name"].as_str().unwrap_or_default().to_owned();
            item["running"] = json!(running.get(&name).cloned().unwrap_or_default());
            item["cards"] = json!(cards.remove(&name).unwrap_or_default());
        }
        Ok(items)
    }

    fn statistics(&self) -> std::result::Result<Value, Error> {
        stats::document(&self.records, &self.history).map_err(|failure| told(&failure))
    }

    fn report(&self, asked: &ReportAsked) -> std::result::Result<ReportPage, Error> {
        let now = self.clock.now();
        let today = day_of(now, &self.zone);
        let day = asked.date.unwrap_or_else(|| today.previous());
        if day > today {
            let words = format!("{day} has no report: today is {today}");
            return Err(Error::new(ErrorKind::Refused, words));
        }
        let due = self.report.daily.map(|time| Due { time, zone: &self.zone });
        let question = Asked { day, zone: &self.zone, now, watched: &self.watched, due };
        let report = gather(&self.records, &self.history, &question)?;
        let language = asked.language.as_deref().and_then(|text| text.parse().ok());
        let language: Language = language.unwrap_or(self.report.language);
        let shown = match asked.format {
            ReportForm::Json => serde_json::to_string(&report)
                .map_err(|e| Error::new(ErrorKind::Failed, format!("writing JSON: {e}")))?,
            ReportForm::Html => html(&report, language),
            ReportForm::Text => text(&report, language),
        };
        Ok(ReportPage { format: asked.format, text: shown })
    }

    fn watches(&self) -> std::result::Result<Vec<Value>, Error> {
        let mut known = watches::configured(&self.engine.watches);
        known.extend(watches::added(&self.records)?);
        Ok(known.iter().map(KnownWatch::value).collect())
    }

    fn add_watch(&self, symbol: &Symbol, rule: &str) -> std::result::Result<Value, Error> {
        let refused = |why: String| Error::new(ErrorKind::Refused, why);
        if !self.watched.contains(symbol) {
            let why = format!("{symbol} is not watched: name it in [[feeds]], then restart");
            return Err(refused(why));
        }
        let rules = [rule.to_owned()];
        let wish = Wish { symbol, rules: &rules, cooldown: None, channel: None };
        let known = (&self.thresholds, &self.engine.watches[..]);
        let granted =
            watches::add(&self.records, known, wish, self.clock.now()).map_err(|why| {
                let kind = match why.exit {
                    Exit::Usage => ErrorKind::Refused,
                    _ => ErrorKind::Failed,
                };
                Error::new(kind, why.to_string())
            })?;
        if let Some(added) = granted.rows.first() {
            return Ok(added.value());
        }
        let configured = watches::configured(&self.engine.watches);
        let is_it = |known: &&KnownWatch| {
            known.watch.symbol == *symbol && granted.configured.contains(&known.watch.rule)
        };
        let found = configured.iter().find(is_it).map(KnownWatch::value);
        found.ok_or_else(|| Error::new(ErrorKind::Failed, "the watch was not added"))
    }

    fn remove_watch(&self, id: &str) -> std::result::Result<(), Error> {
        if self.records.watch_remove(id)? {
            return Ok(());
        }
        let configured = watches::configured(&self.engine.watches);
        Err(match configured.iter().any(|known| known.watch.id == id) {
            true => Error::new(
                ErrorKind::Refused,
                "this watch stands in the configuration: take it out there, then restart",
            ),
            false => Error::new(ErrorKind::NotFound, "no watch has this id"),
        })
    }

    fn schedules(&self) -> Result<Vec<ScheduleItem>, Error> {
        self.scheduled().map_err(|why| Error::new(ErrorKind::Failed, why.to_string()))
    }

    fn submit_task(&self, asked: &TaskAsked) -> Result<TaskId, Error> {
        self.submit(asked).map_err(|why| {
            let kind = match why.exit {
                Exit::Usage => ErrorKind::Refused,
                _ => ErrorKind::Failed,
            };
            Error::new(kind, why.to_string())
        })
    }

    fn health(&self) -> Vec<HealthCheck> {
        self.monitor.as_ref().map(|monitor| monitor.health()).unwrap_or_default()
    }

    fn gauges(&self) -> Gauges {
        let counted = self.counted();
        let queue = self.running.get().and_then(|running| running.queue.upgrade());
        Gauges {
            feeds: self.feed_gauges(),
            remotes: self.remote_gauges(),
            notifiers: self.notifier_gauges(),
            news: self.running.get().map(|running| running.gauges.news.gauge()).unwrap_or_default(),
            series: counted.series,
            journal: JournalGauge {
                synced: self.safe.position().to_string(),
                bytes: counted.journal_bytes,
            },
            records_bytes: counted.records_bytes,
            monitor: self.monitor.as_ref().map(|monitor| monitor.gauges()).unwrap_or_default(),
            queue: queue.map_or_else(QueueGauge::default, |queue| QueueGauge {
                depth: queue.max_capacity() - queue.capacity(),
                bound: queue.max_capacity(),
            }),
        }
    }
}

/// The code of a language.
pub(crate) const fn language_code(language: Language) -> &'static str {
    match language {
        Language::En => "en",
        Language::Ko => "ko",
    }
}

fn item(symbol: &Symbol, watched: bool, now: Timestamp) -> InstrumentItem {
    let listing = registry::find(symbol);
    let described = crate::wiring::describe(symbol);
    let hours = registry::hours(symbol);
    let times = hours.filter(|hours| *hours != MarketHours::Always);
    let times = times.and_then(|hours| hours.around(now).ok());
    let category = match listing {
        Some(listing) => listing.category.name().to_owned(),
        None => json!(described.category).as_str().unwrap_or("other").to_owned(),
    };
    InstrumentItem {
        symbol: symbol.clone(),
        name: listing.map_or(symbol.name(), |listing| listing.name).to_owned(),
        name_ko: listing.map_or(symbol.name(), |listing| listing.korean).to_owned(),
        category,
        currency: listing
            .and_then(|listing| listing.currency)
            .map(str::to_owned)
            .or(described.currency),
        calendar: hours.map(|hours| hours.name().to_owned()),
        zone: hours.map(|hours| hours.zone().to_owned()),
        quote_delay_s: registry::quote_delay_s(symbol).unwrap_or(0),
        watched,
        open: match hours {
            Some(MarketHours::Always) => Some(true),
            _ => times.map(|times| times.current.is_some()),
        },
        opens_at: times.and_then(|times| times.next).map(|span| span.open),
        closes_at: times.and_then(|times| times.current).map(|span| span.close),
    }
}

fn told(failure: &Failure) -> Error {
    Error::new(ErrorKind::Failed, failure.to_string())
}

/// Bytes of the files in a folder and its folders.
fn size_of(dir: &Path) -> u64 {
    let (mut bytes, mut left) = (0, MAX_FILES);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            left -= 1;
            if left == 0 {
                return bytes;
            }
            let Ok(about) = entry.metadata() else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                bytes += about.len();
            }
        }
    }
    bytes
}
