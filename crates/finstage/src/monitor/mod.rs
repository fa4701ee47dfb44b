//! How the service is: readiness, limits, memory, availability, and statistics as files.
//!
//! One task looks every [`LOOK`] of real time, also where the service's clock is a simulated one, and keeps
//! what it saw; the server shows that and asks nobody. What is decided is pure: [`thresholds`], [`health`],
//! [`memory`].

pub mod files;
pub mod health;
pub mod limits;
mod machine;
pub mod memory;
mod seen;
pub mod thresholds;
mod words;

pub(crate) use self::words::check_name;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use finstage_model::Timestamp;
use finstage_server::{HealthCheck, HttpTotals, MonitorGauges};
use finstage_store::records::Records;
use jiff::tz::TimeZone;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use self::health::{Seen, judge};
use self::limits::{Limit, limits};
use self::machine::Processor;
pub(crate) use self::machine::memory_allowed;
use self::thresholds::{Turn, Watcher};
use self::words::Reader;
use crate::channels::Gone;
use crate::config::settings::{FeedSettings, MonitorSettings, Settings};
use crate::live::Safe;
use crate::pace::Pace;
use crate::report::Language;
use crate::service::Gauges;
use crate::wiring;

/// Where the rules stand whose end is owed, in the table `meta`: their names.
const OPEN: &str = "limits_passed";
/// How often one looks.
pub const LOOK: Duration = Duration::from_secs(10);
/// How often while the service is not ready.
const LOOK_SOON: Duration = Duration::from_secs(1);
/// How often figures and limits are taken.
pub(crate) const FIGURES_EVERY: Duration = Duration::from_secs(30);

/// What a monitor looks at.
#[derive(Debug)]
pub struct Sources {
    /// What was said.
    pub records: Records,
    /// How far the journal is on disk.
    pub safe: Safe,
    /// The service's clock.
    pub pace: Pace,
    /// The data folder.
    pub dir: PathBuf,
    /// Who is told.
    pub notifiers: Vec<String>,
    /// Channels that something was kept for, and that are in the configuration no more.
    pub gone: Vec<Gone>,
}

/// What there is to look at once a service has started.
#[derive(Debug)]
pub struct Started {
    /// Sessions and channels.
    pub gauges: Gauges,
    /// What each session brings, in the same order.
    pub feeds: Vec<FeedSettings>,
    /// Scheduler and workers.
    pub scheduling: Vec<AbortHandle>,
}

/// Looks after a service. Cheap to ask at any time.
pub struct Monitor {
    sources: Sources,
    settings: MonitorSettings,
    /// Who is told, by what they read.
    told: Vec<(Reader, Vec<String>)>,
    limits: Vec<Limit>,
    started: OnceLock<Started>,
    meter: OnceLock<Box<dyn Fn() -> HttpTotals + Send + Sync>>,
    state: Mutex<State>,
}

/// What was seen so far.
struct State {
    watcher: Watcher,
    processor: Processor,
    memory: memory::History,
    http: HttpTotals,
    synced: (finstage_model::Position, Option<Timestamp>),
    written: (Option<Timestamp>, Option<String>),
    checks: Vec<HealthCheck>,
    /// What they were judged by.
    seen: Seen,
    gauges: MonitorGauges,
    filed_at: Option<Timestamp>,
    /// When figures were last taken, since the first look.
    figured: Option<Duration>,
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").field("sources", &self.sources).finish_non_exhaustive()
    }
}

impl Monitor {
    /// One that has seen nothing yet.
    #[must_use]
    pub fn new(settings: &Settings, sources: Sources) -> Self {
        let limits = limits(&settings.monitor);
        let now = sources.pace.wall().now();
        let mut watcher = Watcher::new(limits.iter().map(|limit| limit.rule), now);
        // What was said before a restart and is over since is said to be over.
        if let Ok(Some(open)) = sources.records.meta(OPEN) {
            watcher.reopen(&open.split(' ').collect::<Vec<_>>());
        }
        let state = State {
            watcher,
            processor: Processor::default(),
            memory: memory::History::default(),
            http: HttpTotals::default(),
            synced: (finstage_model::Position::START, None),
            written: (None, None),
            checks: judge(&Seen::nothing(now), Language::En),
            seen: Seen::nothing(now),
            gauges: MonitorGauges::default(),
            filed_at: None,
            figured: None,
        };
        let told = readers(settings, &sources.notifiers);
        Self {
            sources,
            settings: settings.monitor.clone(),
            told,
            limits,
            started: OnceLock::new(),
            meter: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// From now on the server's answers are counted.
    pub fn follow(&self, meter: impl Fn() -> HttpTotals + Send + Sync + 'static) {
        let _ = self.meter.set(Box::new(meter));
    }

    /// From now on feeds, channels and jobs are looked at.
    pub fn begin(&self, started: Started) {
        let _ = self.started.set(started);
    }

    /// The checks in both languages, by what the last look saw, and by whether the records take writes now: a look
    /// waits for its own write, whoever asks does not.
    #[must_use]
    pub fn health(&self) -> Vec<HealthCheck> {
        let seen = Seen { blocked: self.sources.records.blocked(), ..self.state().seen.clone() };
        let korean = judge(&seen, Language::Ko).into_iter().map(|check| Some(check.detail));
        let both = |(check, detail_ko): (HealthCheck, _)| HealthCheck { detail_ko, ..check };
        judge(&seen, Language::En).into_iter().zip(korean).map(both).collect()
    }

    fn is_ready(&self) -> bool {
        self.health().iter().all(|check| check.ok || !check.required)
    }

    /// The figures of the last look.
    #[must_use]
    pub fn gauges(&self) -> MonitorGauges {
        let checks = self.health();
        MonitorGauges { checks, ..self.state().gauges.clone() }
    }

    /// Looks until `quit` turns true.
    pub async fn run(self: Arc<Self>, mut quit: watch::Receiver<bool>) {
        let (began, wall) = (Instant::now(), self.sources.pace.wall());
        loop {
            let (this, now, passed) = (Arc::clone(&self), wall.now(), began.elapsed());
            let look = move || this.look(now, passed);
            if tokio::task::spawn_blocking(look).await.is_err() {
                tracing::error!("the monitor broke off: this is a bug; readiness stays as it was");
                return;
            }
            let wait = if self.is_ready() { LOOK } else { LOOK_SOON };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = quit.wait_for(|quit| *quit) => return,
            }
        }
    }

    /// One look at `now`; `passed` is the time since the first.
    fn look(&self, now: Timestamp, passed: Duration) {
        self.note_synced(now);
        self.note_written(now);
        let seen = self.seen(now);
        let checks = judge(&seen, Language::En);
        for check in &checks {
            let before =
                self.state().checks.iter().find(|old| old.name == check.name).map(|old| old.ok);
            if before == Some(true) && !check.ok {
                let what = if check.required { "not ready" } else { "ready, but" };
                tracing::warn!("{what}: {}: {}", check.name, check.detail);
            }
        }
        let is_due = {
            let mut state = self.state();
            (state.checks, state.seen) = (checks, seen);
            let is_due = state.figured.is_none_or(|at| passed.saturating_sub(at) >= FIGURES_EVERY);
            if is_due {
                state.figured = Some(passed);
            }
            is_due
        };
        if is_due {
            let gauges = self.figures(now, passed);
            let turns = self.turns(now, &gauges);
            self.tell(now, &turns);
            self.file(now, &gauges);
            self.state().gauges = gauges;
        }
    }

    fn turns(&self, now: Timestamp, gauges: &MonitorGauges) -> Vec<Turn> {
        let value = |name: &str| {
            let limit = self.limits.iter().find(|limit| limit.rule.name == name)?;
            let figure = gauges.figures.iter().find(|(family, _)| *family == limit.family)?;
            Some(figure.1 * limit.scale)
        };
        self.state().watcher.look(now, value)
    }

    fn tell(&self, now: Timestamp, turns: &[Turn]) {
        let log = Reader { language: Language::En, zone: TimeZone::UTC };
        for turn in turns {
            let Some(limit) = self.limits.iter().find(|limit| limit.rule.name == turn.rule) else {
                continue;
            };
            let (title, text) = words::words(turn, &limit.rule, &log);
            tracing::warn!("{title}: {text}");
            if !self.settings.notify {
                continue;
            }
            // Messages are dated by the service's clock, which decides when they are too old.
            let said_at = self.sources.pace.clock.now();
            for (reader, names) in &self.told {
                let notice = words::notice(turn, &limit.rule, (reader, said_at));
                if let Err(error) = self.sources.records.announce(&notice, names) {
                    tracing::warn!("a limit was passed at {now}, and nobody was told: {error}");
                }
            }
        }
        if turns.is_empty() {
            return;
        }
        let open = self.state().watcher.open().collect::<Vec<_>>().join(" ");
        if let Err(error) = self.sources.records.set_meta(OPEN, &open) {
            tracing::warn!("a restart will not know which limits are passed: {error}");
        }
    }

    fn file(&self, now: Timestamp, gauges: &MonitorGauges) {
        let Some((files, every)) = &self.settings.stats else { return };
        {
            let mut state = self.state();
            if state.filed_at.is_some_and(|at| now.since(at) < *every) {
                return;
            }
            state.filed_at = Some(now);
        }
        if let Err(error) = files.add(&seen::flat(now, gauges)) {
            tracing::warn!("statistics in {}: {error}", files.dir.display());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The channels of each language and zone.
fn readers(settings: &Settings, channels: &[String]) -> Vec<(Reader, Vec<String>)> {
    let mut all: Vec<(Reader, Vec<String>)> = Vec::new();
    for name in channels {
        let manners = wiring::manners(settings, name);
        let reader = Reader { language: manners.language, zone: manners.zone().clone() };
        match all.iter_mut().find(|(known, _)| *known == reader) {
            Some((_, names)) => names.push(name.clone()),
            None => all.push((reader, vec![name.clone()])),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use finstage_model::{Clock, ManualClock, Position};
    use finstage_net::SystemClock;
    use finstage_store::records::{Item, NoticeKind};

    use super::*;

    fn monitor(text: &str, records: &Records, (dir, start): (&Path, Timestamp)) -> Monitor {
        let settings = crate::config::parse("test", text, &[]).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(start));
        let channels = settings.notify.iter().map(|one| one.name().to_owned());
        let sources = Sources {
            records: records.clone(),
            safe: Safe::default(),
            pace: Pace { clock, speed: 1.0 },
            dir: dir.to_owned(),
            notifiers: channels.chain(["log".to_owned()]).collect(),
            gone: Vec::new(),
        };
        Monitor::new(&settings, sources)
    }

    #[test]
    fn each_chat_is_told_in_its_language_and_zone_and_of_the_end_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let chat = "[[notify]]\nkind = \"telegram\"\nchat = \"42\"\ntoken = \"1:token\"\n\
            language = \"ko\"\ntimezone = \"Asia/Seoul\"\n";
        let records = Records::open_in_memory().unwrap();
        let start: Timestamp = "2026-11-30T10:54:13.098524951Z".parse().unwrap();
        let end = Position::from_i64(i64::MAX);
        let told = |channel: &str| {
            let leased =
                records.outbox_lease(channel, start, Duration::from_secs(60), end).unwrap();
            let leased = leased.unwrap();
            records.outbox_delivered(leased.row, leased.fence, start, "1").unwrap();
            let Item::Notice(notice) = leased.item else { panic!("an alert") };
            [0, 1].map(|line: usize| notice.lines[line][0].text.clone())
        };
        let look = |monitor: &Monitor, minutes: std::ops::Range<u64>| {
            for passed in minutes.map(|minute| Duration::from_secs(60 * minute)) {
                monitor.look(start.plus(passed), passed);
            }
        };
        let limit = |disk: &str| format!("[monitor]\ndisk = {disk}\n{chat}");
        let first = monitor(&limit("0.000001"), &records, (folder.path(), start));
        look(&first, 0..11);
        let [title, text] = told("log");
        assert_eq!(title, "Critical: disk");
        assert!(text.ends_with("since 2026-11-30 10:54 UTC"), "{text}");
        let [title, text] = told("telegram-42");
        assert_eq!(title, "심각: 디스크");
        assert!(text.ends_with(", 2026-11-30 19:54 KST부터"), "{text}");
        let second = monitor(&limit("99.99"), &records, (folder.path(), start));
        look(&second, 20..31);
        assert_eq!(told("log")[0], "Over: disk");
        assert_eq!(told("telegram-42")[0], "해소: 디스크");
        let third = monitor(&limit("99.99"), &records, (folder.path(), start));
        look(&third, 40..61);
        assert!(
            records.outbox_lease("log", start, Duration::from_secs(60), end).unwrap().is_none()
        );
    }

    #[test]
    fn a_limit_that_is_passed_is_told_to_a_channel_once_and_noted_in_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let stats = folder.path().join("stats");
        let text = format!(
            "[monitor]\ndisk = 0.000001\n[stats]\npath = \"{}\"\nevery = \"30s\"\n",
            stats.display()
        );
        let start = SystemClock.now();
        let records = Records::open_in_memory().unwrap();
        let monitor = monitor(&text, &records, (folder.path(), start));
        let end = Position::from_i64(i64::MAX);
        let lease = || records.outbox_lease("log", start, Duration::from_secs(60), end).unwrap();
        for minute in 0..10 {
            let passed = Duration::from_secs(60 * minute);
            monitor.look(start.plus(passed), passed);
        }
        assert!(lease().is_none(), "it has not lasted ten minutes");
        for minute in 10..15 {
            let passed = Duration::from_secs(60 * minute);
            monitor.look(start.plus(passed), passed);
        }
        let leased = lease().unwrap();
        let Item::Notice(notice) = &leased.item else { panic!("{leased:?}") };
        assert_eq!(notice.kind, NoticeKind::Critical, "no quiet hours hold it back");
        assert!(notice.lines[0][0].text.ends_with("disk"), "{notice:?}");
        assert!(lease().is_none(), "it is said once");
        assert!(monitor.gauges().thresholds.contains(&("disk", 2)));
        let text = std::fs::read_to_string(stats.join("stats.jsonl")).unwrap();
        assert_eq!(text.lines().count(), 15);
        let health = monitor.health();
        assert!(health.iter().any(|check| !check.ok), "nothing was started");
        let is_korean = |check: &HealthCheck| {
            let korean = check.detail_ko.as_deref().unwrap_or_default();
            korean.chars().any(|c| ('가'..='힣').contains(&c))
        };
        assert!(health.iter().all(is_korean), "{health:?}");
        let days = records.uptime_since(start.day()).unwrap();
        assert!(!days.is_empty() && days.iter().all(|day| day.ready == 0 && day.alive > 0));
    }
}
