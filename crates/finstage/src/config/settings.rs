//! What the configuration means: validated, typed, complete.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use finstage_engine::{
    AlertFilters, AlertRules, Engine, EngineSettings, MarketRule, Origin, Rule, SeriesSpec,
    StrategySpec, When,
};
use finstage_feeds::venues::{self, Venue};
use finstage_model::{Direction, Interval, Symbol, parse_duration};
use finstage_strategies::CATALOG;
use jiff::civil::Time;

pub use super::channels::NotifySettings;
pub use super::jobs::JobSettings;
pub use super::llm::{GatewayClient, GatewaySettings, LlmSettings};
use super::manners::House;
pub use super::manners::Manners;
pub use super::monitor::MonitorSettings;
pub use super::news::NewsSettings;
use super::place::Place;
use super::raw::{Raw, RawAlerts, RawFeed, RawLog, RawReport, RawStrategy};
pub use super::retention::RetentionSettings;
pub use super::sealed::SealedSettings;
pub use super::server::ServerSettings;
pub use super::venues::{AccountSettings, Key};
use super::venues::{addresses, example_of, timing, usual_name};
pub use super::watching::{Thresholds, WatchThresholds};
use crate::exit::{Failure, Result};
use crate::report::Language;

/// The greatest strength that can be asked for.
const MAX_STRENGTH: f64 = 1e9;
/// No bar has more times the mean volume of the 20 bars that it is one of.
const MAX_VOLUME_RATIO: f64 = 20.0;

/// Everything a command may ask of the configuration.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `store.path`, where given.
    pub data_dir: Option<PathBuf>,
    /// Longest time until a written event is safe from a power cut.
    pub fsync: Duration,
    /// From how long on a statement of the records is said to be slow.
    pub slow_query: Duration,
    /// Limits of the service that are watched, and statistics as files.
    pub monitor: MonitorSettings,
    /// How long whole days of the journal are kept.
    pub keep: Duration,
    /// How long what was said is kept.
    pub retention: RetentionSettings,
    /// An older alert is recorded as expired.
    pub max_age: Duration,
    /// IANA zone of times in messages.
    pub timezone: String,
    /// The daily report.
    pub report: ReportSettings,
    /// The server beside the service.
    pub server: ServerSettings,
    /// Where the log of a service goes.
    pub log: LogSettings,
    /// From which change on watches speak that name none.
    pub thresholds: WatchThresholds,
    /// Addresses of venues, REST and stream, where they differ from the venues' own.
    pub addresses: BTreeMap<String, (Option<String>, Option<String>)>,
    /// Keys of accounts at venues.
    pub accounts: BTreeMap<String, AccountSettings>,
    /// Streams of venues that come sealed.
    pub sealed: BTreeMap<String, SealedSettings>,
    /// What is watched.
    pub feeds: Vec<FeedSettings>,
    /// Where alerts go; to the log where none is named.
    pub notify: Vec<NotifySettings>,
    /// How each of them behaves, and how one that stands nowhere does.
    pub manners: (Vec<Manners>, Manners),
    /// When jobs run, where not as usual.
    pub jobs: BTreeMap<String, JobSettings>,
    /// Which language models are asked, and how.
    pub llm: LlmSettings,
    /// Which news is collected, and who reads it.
    pub news: NewsSettings,
    /// One local address for other programs.
    pub gateway: GatewaySettings,
    /// What the engine is told.
    pub engine: EngineSettings,
    /// Things that work and should be changed all the same.
    pub warnings: Vec<String>,
}

/// `[report]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportSettings {
    /// The time of the day, in the zone of `[display]`, at which it is sent; `None`: never.
    pub daily: Option<Time>,
    /// Whether the status is sent every hour.
    pub is_hourly: bool,
    /// Its language.
    pub language: Language,
}

/// One `[[feeds]]` with the addresses of its venue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSettings {
    /// The venue's name.
    pub venue: String,
    /// What is watched there.
    pub symbols: Vec<Symbol>,
    /// Bar lengths taken from the venue.
    pub venue_intervals: Vec<Interval>,
    /// REST address, where it differs from the venue's own.
    pub rest: Option<String>,
    /// WebSocket address, where it differs from the venue's own.
    pub ws: Option<String>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// The file; standard error where it is `None`.
    pub file: Option<PathBuf>,
    /// Whether lines are JSON.
    pub is_json: bool,
    /// The least level that is written, where no flag says another.
    pub level: &'static str,
    /// The size at which a file is put aside.
    pub rotate_bytes: u64,
    /// How many that were put aside are kept.
    pub keep: u32,
    /// A file that takes errors and warnings as well, put aside in the same way.
    pub errors: Option<PathBuf>,
}

/// The levels of the log.
const LEVELS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];
/// The smallest file that is put aside, and the most of them.
const MIN_ROTATE_BYTES: u64 = 64 << 10;
const MAX_KEPT: u32 = 1_000;

impl Settings {
    /// Judges what was typed; `place` finds it again for errors.
    ///
    /// # Errors
    /// [`Failure::usage`] naming the key and what to write instead.
    pub(super) fn resolve(raw: &Raw, place: Place<'_>) -> Result<Self> {
        Resolver { place, warnings: Vec::new() }.settings(raw)
    }
}

pub(super) struct Resolver<'a> {
    pub(super) place: Place<'a>,
    warnings: Vec<String>,
}

impl Resolver<'_> {
    pub(super) fn refuse<T>(&self, key: &str, why: impl std::fmt::Display) -> Result<T> {
        Err(Failure::usage(format!("{}: {key}: {why}", self.place.of(key))))
    }

    pub(super) fn warn(&mut self, key: &str, what: &str) {
        self.warnings.push(format!("{}: {key}: {what}", self.place.of(key)));
    }

    pub(super) fn duration(
        &self,
        key: &str,
        typed: Option<&str>,
        default: Duration,
    ) -> Result<Duration> {
        match typed.map(parse_duration) {
            None => Ok(default),
            Some(Ok(duration)) => Ok(duration),
            Some(Err(why)) => self.refuse(key, why),
        }
    }

    fn settings(mut self, raw: &Raw) -> Result<Settings> {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let timezone = self.timezone(raw)?;
        let mut feeds = Vec::new();
        let mut series = Vec::new();
        for (i, feed) in raw.feeds.iter().enumerate() {
            let (settings, own) = self.feed(&format!("feeds[{i}]"), feed, raw)?;
            series.extend(self.listed_once(i, own, &series)?);
            feeds.push(settings);
        }
        let mut strategies = Vec::new();
        for (i, strategy) in raw.strategies.iter().enumerate() {
            strategies.push(self.strategy(&format!("strategies[{i}]"), strategy, &mut series)?);
        }
        let thresholds = self.thresholds(&raw.watch)?;
        let watches = raw
            .watches
            .iter()
            .enumerate()
            .map(|(i, w)| {
                self.watch(&format!("watches[{i}]"), w, (&series, &thresholds, &raw.alerts))
            })
            .collect::<Result<_>>()?;
        let alerts = self.alerts(&raw.alerts, &strategies)?;
        let mut venues: Vec<&str> = feeds.iter().map(|feed| feed.venue.as_str()).collect();
        venues.sort_unstable();
        venues.dedup();
        let timing = venues.iter().map(|venue| timing(venue, &feeds)).collect();
        let notify = raw
            .notify
            .iter()
            .enumerate()
            .map(|(i, n)| self.notify(&format!("notify[{i}]"), n, raw))
            .collect::<Result<Vec<_>>>()?;
        self.distinct(&notify)?;
        let engine = EngineSettings { strategies, series, feeds: timing, alerts, watches };
        if let Err(why) = Engine::new(&engine, CATALOG) {
            return self.refuse("strategies", why);
        }
        let [fsync, slow_query, keep] = self.store(raw)?;
        let report = self.report(&raw.report, raw.display.language.as_deref())?;
        let house = House { raw, timezone: &timezone, language: report.language };
        let manners = self.manners(house)?;
        Ok(Settings {
            data_dir: raw.store.path.as_ref().map(PathBuf::from),
            fsync,
            slow_query,
            keep,
            monitor: self.monitor(&raw.monitor, &raw.stats)?,
            retention: self.retention(&raw.retention)?,
            max_age: self.duration("alerts.max_age", raw.alerts.max_age.as_deref(), minutes(15))?,
            timezone,
            server: ServerSettings::resolve(&raw.server, self.place)?,
            report,
            log: self.log(&raw.log)?,
            thresholds,
            addresses: addresses(raw),
            accounts: self.accounts(raw)?,
            sealed: self.sealed(raw)?,
            jobs: self.jobs(&raw.jobs)?,
            llm: self.llm(&raw.llm)?,
            news: self.news(&raw.news)?,
            gateway: self.gateway(&raw.gateway)?,
            feeds,
            notify,
            manners,
            engine,
            warnings: self.warnings,
        })
    }

    fn timezone(&self, raw: &Raw) -> Result<String> {
        let timezone = raw.display.timezone.clone().unwrap_or_else(|| "UTC".into());
        match jiff::tz::TimeZone::get(&timezone) {
            Ok(_) => Ok(timezone),
            Err(_) => self.refuse(
                "display.timezone",
                format!("\"{timezone}\" is not a time zone: write an IANA name such as Asia/Seoul"),
            ),
        }
    }

    fn log(&self, raw: &RawLog) -> Result<LogSettings> {
        let typed = raw.level.as_deref().unwrap_or("warn");
        let Some(level) = LEVELS.into_iter().find(|level| *level == typed) else {
            let why = format!("\"{typed}\": write one of {}", LEVELS.join(" "));
            return self.refuse("log.level", why);
        };
        let is_json = match raw.format.as_deref().unwrap_or("pretty") {
            "pretty" => false,
            "json" => true,
            other => {
                let why = format!("\"{other}\": write \"pretty\" or \"json\"");
                return self.refuse("log.format", why);
            }
        };
        let rotate_bytes = raw.rotate_bytes.unwrap_or(100_000_000);
        if rotate_bytes < MIN_ROTATE_BYTES {
            let why = format!("{rotate_bytes}: write {MIN_ROTATE_BYTES} or more");
            return self.refuse("log.rotate_bytes", why);
        }
        let keep = raw.keep.unwrap_or(10);
        if keep > MAX_KEPT {
            return self.refuse("log.keep", format!("{keep}: write {MAX_KEPT} at most"));
        }
        let file = raw.file.as_ref().filter(|file| !file.is_empty()).map(PathBuf::from);
        let errors = raw.errors.as_ref().filter(|file| !file.is_empty()).map(PathBuf::from);
        Ok(LogSettings { file, is_json, level, rotate_bytes, keep, errors })
    }

    fn report(&self, raw: &RawReport, language: Option<&str>) -> Result<ReportSettings> {
        let daily = match raw.daily.as_deref().unwrap_or("08:00") {
            "off" => None,
            typed => match Time::strptime("%H:%M", typed) {
                Ok(time) => Some(time),
                Err(_) => {
                    return self.refuse(
                        "report.daily",
                        format!(
                            "\"{typed}\" is not a time of the day: write \"08:00\", or \"off\""
                        ),
                    );
                }
            },
        };
        let (key, typed) = match raw.language.as_deref() {
            Some(typed) => ("report.language", Some(typed)),
            None => ("display.language", language),
        };
        let language = match typed.map(|typed| (typed, typed.parse())) {
            None => Language::default(),
            Some((_, Ok(language))) => language,
            Some((typed, Err(why))) => {
                return self.refuse(key, format!("\"{typed}\": {why}"));
            }
        };
        Ok(ReportSettings { daily, is_hourly: raw.hourly == Some(true), language })
    }

    fn alerts(&self, raw: &RawAlerts, strategies: &[StrategySpec]) -> Result<AlertRules> {
        let hour = Duration::from_secs(3600);
        let cooldown = self.duration("alerts.cooldown", raw.cooldown.as_deref(), hour)?;
        Ok(AlertRules {
            send_unproven: self.send(raw.send.as_deref())?,
            cooldown_ms: cooldown.as_millis() as u64,
            per_hour: raw.per_hour.unwrap_or(20),
            filters: self.filters(raw, strategies)?,
        })
    }

    fn filters(&self, raw: &RawAlerts, strategies: &[StrategySpec]) -> Result<AlertFilters> {
        for text in &raw.strategies {
            let is_known = |spec: &StrategySpec| {
                let canonical = Rule::of(spec, CATALOG).map(|rule| rule.canonical);
                spec.name == *text || canonical.is_ok_and(|canonical| canonical == *text)
            };
            if !strategies.iter().any(is_known) {
                let why = format!("\"{text}\" is no strategy here: write a name of [[strategies]]");
                return self.refuse("alerts.strategies", why);
            }
        }
        let market = match raw.market.as_deref() {
            None | Some("any") => MarketRule::Any,
            Some("agree") => MarketRule::Agree,
            Some(other) => {
                let why = format!("\"{other}\": write \"any\" or \"agree\"");
                return self.refuse("alerts.market", why);
            }
        };
        Ok(AlertFilters {
            strategies: raw.strategies.clone(),
            min_occasions: raw.min_occasions.unwrap_or(0),
            min_hit_rate: self.least("alerts.min_hit_rate", raw.min_hit_rate, 1.0)?,
            min_strength: self.least("alerts.min_strength", raw.min_strength, MAX_STRENGTH)?,
            min_volume_ratio: self.least(
                "alerts.min_volume_ratio",
                raw.min_volume_ratio,
                MAX_VOLUME_RATIO,
            )?,
            market,
        })
    }

    /// A least value from 0, which asks for nothing, to `most`.
    fn least(&self, key: &str, typed: Option<f64>, most: f64) -> Result<f64> {
        match typed.unwrap_or(0.0) {
            value if (0.0..=most).contains(&value) => Ok(value),
            value => self.refuse(key, format!("{value}: write a number from 0 to {most}")),
        }
    }

    pub(super) fn venues(&mut self, raw: &Raw) -> Result<()> {
        for (name, venue) in &raw.venues {
            let key = format!("venues.{name}");
            // Commands without channels read none of them.
            let is_telegram = name == "telegram"
                && (raw.notify.is_empty() || raw.notify.iter().any(|n| n.kind == "telegram"));
            // A venue is asked for prices and history without a feed as well.
            if !is_telegram && venues::find(name).is_none() {
                self.warn(&key, "is not used by any [[feeds]]");
            }
            self.address(&format!("{key}.rest"), venue.rest.as_deref(), ["http", "https"])?;
            self.address(&format!("{key}.ws"), venue.ws.as_deref(), ["ws", "wss"])?;
        }
        Ok(())
    }

    fn send(&self, typed: Option<&str>) -> Result<bool> {
        match typed {
            None | Some("verified") => Ok(false),
            Some("unproven") => Ok(true),
            Some(other) => self
                .refuse("alerts.send", format!("\"{other}\": write \"verified\" or \"unproven\"")),
        }
    }

    fn feed(&self, key: &str, raw: &RawFeed, all: &Raw) -> Result<(FeedSettings, Vec<SeriesSpec>)> {
        let Some(venue) = venues::find(&raw.venue) else {
            return self.refuse(
                &format!("{key}.venue"),
                format!("\"{}\" is not a venue: write {}", raw.venue, crate::venues::names()),
            );
        };
        if raw.symbols.is_empty() {
            let example = example_of(&raw.venue);
            return self.refuse(
                &format!("{key}.symbols"),
                format!("the list is empty: name at least one, [\"{example}\"]"),
            );
        }
        let symbols = raw
            .symbols
            .iter()
            .map(|name| self.listed(&format!("{key}.symbols"), &raw.venue, name))
            .collect::<Result<Vec<_>>>()?;
        let intervals = self.venue_intervals(key, raw, venue)?;
        let origin = match raw.bars.as_deref() {
            None | Some("venue") => Origin::Venue,
            Some("trades") if venue.stream.is_none() => {
                let why = format!("{} tells no trades: write \"venue\"", raw.venue);
                return self.refuse(&format!("{key}.bars"), why);
            }
            Some("trades") => Origin::Trades,
            Some(other) => {
                return self.refuse(
                    &format!("{key}.bars"),
                    format!("\"{other}\": write \"venue\" or \"trades\""),
                );
            }
        };
        let series = symbols.iter().flat_map(|symbol| {
            intervals.iter().map(|interval| SeriesSpec {
                symbol: symbol.clone(),
                interval: *interval,
                origin,
            })
        });
        let series: Vec<SeriesSpec> = series.collect();
        let addresses = all.venues.get(&raw.venue).cloned().unwrap_or_default();
        let venue_intervals = if origin == Origin::Venue { intervals } else { Vec::new() };
        let settings = FeedSettings {
            venue: raw.venue.clone(),
            symbols,
            venue_intervals,
            rest: addresses.rest,
            ws: addresses.ws,
        };
        Ok((settings, series))
    }

    /// The lengths of bars that a feed takes from its venue, shortest first.
    fn venue_intervals(&self, key: &str, raw: &RawFeed, venue: &Venue) -> Result<Vec<Interval>> {
        let usual = if venue.stream.is_some() { &["1m", "1h", "1d"][..] } else { &["1d"] };
        let typed = raw
            .intervals
            .clone()
            .unwrap_or_else(|| usual.iter().map(|text| (*text).to_owned()).collect());
        let mut intervals = typed
            .iter()
            .map(|text| self.interval(&format!("{key}.intervals"), text))
            .collect::<Result<Vec<_>>>()?;
        intervals.sort_unstable();
        intervals.dedup();
        if let Some(missing) = intervals.iter().find(|i| !venue.profile.intervals.contains(i)) {
            let why = format!(
                "{} has no bars of {missing}: name a shorter length, strategies on {missing} roll them up",
                raw.venue
            );
            return self.refuse(&format!("{key}.intervals"), why);
        }
        Ok(intervals)
    }

    /// Checks a strategy against the catalogue, or its condition, and adds the series that it needs
    /// and that can be rolled up from one that exists.
    fn strategy(
        &mut self,
        key: &str,
        raw: &RawStrategy,
        series: &mut Vec<SeriesSpec>,
    ) -> Result<StrategySpec> {
        let interval = self.interval(&format!("{key}.interval"), &raw.interval)?;
        let params: Vec<(String, f64)> = raw.params.clone().into_iter().collect();
        let when = self.when(key, raw)?;
        let symbols = raw
            .symbols
            .iter()
            .map(|text| self.symbol(&format!("{key}.symbols"), text))
            .collect::<Result<Vec<_>>>()?;
        let spec = StrategySpec { name: raw.name.clone(), params, interval, symbols, when };
        let rule = match Rule::of(&spec, CATALOG) {
            Ok(rule) => rule,
            Err(why) if spec.when.is_some() => return self.refuse(&format!("{key}.when"), why),
            Err(why) => return self.refuse(key, why),
        };
        if let Some(typed) =
            raw.direction.as_deref().filter(|typed| *typed != rule.direction.as_str())
        {
            let (name, own) = (&rule.name, rule.direction);
            let why =
                format!("\"{typed}\": {name} is {own}; only a condition has another direction");
            return self.refuse(&format!("{key}.direction"), why);
        }
        let mut wanted = spec.symbols.clone();
        if wanted.is_empty() {
            wanted = series.iter().map(|s| s.symbol.clone()).collect();
            wanted.sort_unstable();
            wanted.dedup();
        }
        for symbol in wanted {
            let of_symbol = || series.iter().filter(|s| s.symbol == symbol);
            if of_symbol().any(|s| s.interval == interval) {
                continue;
            }
            let finer =
                of_symbol().map(|s| s.interval).filter(|finer| interval.is_made_of(*finer)).max();
            match finer {
                Some(finer) => series.push(SeriesSpec { symbol, interval, origin: Origin::Rolled(finer) }),
                None if of_symbol().next().is_none() => return self.refuse(&format!("{key}.symbols"), format!("{symbol} is in no [[feeds]]: add it there")),
                None => return self.refuse(&format!("{key}.interval"), format!("{symbol} has no bars of {interval} or finer: add \"{interval}\" to its feed's intervals")),
            }
        }
        let longer = (rule.build)().longer(interval).filter(|longer| longer.is_made_of(interval));
        if let Some(longer) = longer
            && series.iter().all(|s| s.interval != longer)
        {
            let message = format!(
                "reads {longer} bars too, which are rolled up from now on; \"{longer}\" in its feed's intervals brings their history"
            );
            self.warn(key, &message);
        }
        Ok(spec)
    }

    /// The condition of a strategy, if it has one.
    fn when(&self, key: &str, raw: &RawStrategy) -> Result<Option<When>> {
        let Some(text) = raw.when.clone().filter(|text| !text.trim().is_empty()) else {
            return match raw.every_bar {
                Some(true) => self.refuse(
                    &format!("{key}.every_bar"),
                    "belongs to a condition: write when = \"rsi(14) < 30\" beside it",
                ),
                _ => Ok(None),
            };
        };
        let direction = match raw.direction.as_deref() {
            None | Some("long") => Direction::Long,
            Some("short") => Direction::Short,
            Some(other) => {
                return self.refuse(
                    &format!("{key}.direction"),
                    format!("\"{other}\": write \"long\" or \"short\""),
                );
            }
        };
        Ok(Some(When { text, direction, every_bar: raw.every_bar.unwrap_or(false) }))
    }

    /// A name as the venue lists it, with the venue's name before it.
    fn listed(&self, key: &str, venue: &str, name: &str) -> Result<Symbol> {
        let usual = usual_name(venue, name);
        match format!("{venue}:{name}").parse() {
            Ok(symbol) if usual == name => Ok(symbol),
            _ if usual.is_empty() || usual.contains(char::is_whitespace) => {
                let example = example_of(venue);
                self.refuse(
                    key,
                    format!("\"{name}\" is not a name at {venue}: write \"{example}\""),
                )
            }
            _ => self
                .refuse(key, format!("\"{name}\" is not how {venue} writes it: write \"{usual}\"")),
        }
    }

    /// Checks an address; an empty one is as good as none.
    pub(super) fn address(&self, key: &str, typed: Option<&str>, schemes: [&str; 2]) -> Result<()> {
        let typed = typed.unwrap_or_default();
        let host = typed.split_once("://").filter(|(scheme, _)| schemes.contains(scheme));
        if typed.is_empty() || host.is_some_and(|(_, host)| !host.is_empty()) {
            return Ok(());
        }
        let [plain, safe] = schemes;
        self.refuse(
            key,
            format!("\"{typed}\" is not an address: write {safe}://HOST, or {plain}://HOST"),
        )
    }

    pub(super) fn symbol(&self, key: &str, text: &str) -> Result<Symbol> {
        text.parse().or_else(|why| self.refuse(key, why))
    }

    fn interval(&self, key: &str, text: &str) -> Result<Interval> {
        text.parse().or_else(|why| self.refuse(key, why))
    }
}
