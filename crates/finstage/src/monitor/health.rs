//! Whether the service can do its work: what was seen, judged check by check. Pure.

use std::time::Duration;

use finstage_model::Timestamp;
use finstage_server::HealthCheck;

/// What stops working is said within this time: two looks, and what a check allows.
pub const SAID_WITHIN: Duration = Duration::from_secs(30);
/// A write that succeeded or a sync is fresh for so long: three looks.
const FRESH: Duration = Duration::from_secs(30);
/// A feed of an open market may be silent for so long.
const SILENT_MAX: Duration = Duration::from_secs(120);
/// With less free space the store cannot be trusted to go on.
const DISK_MIN_BYTES: u64 = 256 << 20;

/// A feed, as far as health goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSeen {
    /// Its venue.
    pub venue: String,
    /// Whether its line stands.
    pub is_up: bool,
    /// Since its last message.
    pub age: Option<Duration>,
    /// Whether a market of its instruments is open; one of unknown hours counts as open.
    pub is_open: bool,
    /// Whether it is asked, so that its age says nothing between two bars.
    pub is_polled: bool,
}

/// Everything that is looked at.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The time.
    pub now: Timestamp,
    /// When the records last took a write, and why they did not since.
    pub written: (Option<Timestamp>, Option<String>),
    /// When the journal last moved on disk; `None` before the first events.
    pub synced: Option<Timestamp>,
    /// The feeds.
    pub feeds: Vec<FeedSeen>,
    /// Channels that gave up for good, with why.
    pub silent_channels: Vec<(String, String)>,
    /// How many channels there are.
    pub channels: usize,
    /// Channels that were there at an earlier start, with what that leaves undone.
    pub gone: Vec<String>,
    /// Free bytes on the disk of the data folder, where the system says it.
    pub free: Option<u64>,
    /// Whether scheduler and workers run.
    pub is_scheduling: bool,
    /// Tasks that failed for good.
    pub dead_tasks: u64,
    /// Whether everything has been started.
    pub is_started: bool,
}

impl Seen {
    /// Nothing has been started yet.
    #[must_use]
    pub const fn nothing(now: Timestamp) -> Self {
        Self {
            now,
            written: (None, None),
            synced: None,
            feeds: Vec::new(),
            silent_channels: Vec::new(),
            channels: 0,
            gone: Vec::new(),
            free: None,
            is_scheduling: false,
            dead_tasks: 0,
            is_started: false,
        }
    }
}

/// All checks, those that readiness needs and those that only say something.
#[must_use]
pub fn judge(seen: &Seen) -> Vec<HealthCheck> {
    if !seen.is_started {
        let detail = "history is being fetched".to_owned();
        return vec![check("started", false, detail)];
    }
    vec![store(seen), journal(seen), feeds(seen), channels(seen), disk(seen), scheduler(seen)]
}

fn check(name: &'static str, ok: bool, detail: String) -> HealthCheck {
    HealthCheck { name, ok, required: true, detail }
}

fn is_fresh(seen: &Seen, at: Option<Timestamp>) -> bool {
    at.is_some_and(|at| seen.now.since(at) <= FRESH)
}

fn store(seen: &Seen) -> HealthCheck {
    let (at, why) = &seen.written;
    let ok = is_fresh(seen, *at);
    let detail = match (ok, why) {
        (true, _) => "takes writes".to_owned(),
        (false, Some(why)) => why.clone(),
        (false, None) => "took no write lately".to_owned(),
    };
    check("store", ok, detail)
}

fn journal(seen: &Seen) -> HealthCheck {
    let ok = is_fresh(seen, seen.synced);
    let detail = match (ok, seen.synced) {
        (true, _) => "moves on disk".to_owned(),
        (false, Some(at)) => format!("did not move on disk since {at}"),
        (false, None) => "nothing was written yet".to_owned(),
    };
    check("journal", ok, detail)
}

/// Ready is whoever hears from one venue, or whose markets are all closed.
fn feeds(seen: &Seen) -> HealthCheck {
    let is_heard = |feed: &&FeedSeen| {
        let is_late = feed.age.is_none_or(|age| age > SILENT_MAX);
        feed.is_up && (!feed.is_open || feed.is_polled || !is_late)
    };
    let heard = seen.feeds.iter().filter(is_heard).count();
    let silent: Vec<&str> =
        seen.feeds.iter().filter(|feed| !is_heard(feed)).map(|feed| feed.venue.as_str()).collect();
    let is_closed = seen.feeds.iter().all(|feed| !feed.is_open);
    let mut detail = format!("{heard} of {} connected", seen.feeds.len());
    if !silent.is_empty() {
        detail.push_str(&format!("; nothing from {}", silent.join(" ")));
    }
    if is_closed {
        detail.push_str("; the markets are closed");
    }
    check("feeds", heard > 0 || is_closed && !seen.feeds.is_empty(), detail)
}

/// A channel that gave up makes the service no less ready: the others go on.
fn channels(seen: &Seen) -> HealthCheck {
    let silent = &seen.silent_channels;
    let mut detail = match silent.first() {
        None => format!("{} of {0} deliver", seen.channels),
        Some((name, why)) => {
            format!("{} of {} gave up: {name}: {why}", silent.len(), seen.channels)
        }
    };
    for gone in &seen.gone {
        detail.push_str(&format!("; {gone}"));
    }
    HealthCheck { required: false, ..check("notifiers", silent.is_empty(), detail) }
}

fn disk(seen: &Seen) -> HealthCheck {
    let ok = seen.free.is_none_or(|free| free >= DISK_MIN_BYTES);
    let detail = match seen.free {
        Some(free) => format!("{:.1} GiB free", free as f64 / f64::from(1 << 30)),
        None => "not known here".to_owned(),
    };
    check("disk", ok, detail)
}

fn scheduler(seen: &Seen) -> HealthCheck {
    let detail = match (seen.is_scheduling, seen.dead_tasks) {
        (false, _) => "stopped".to_owned(),
        (true, 0) => "runs".to_owned(),
        (true, dead) => format!("runs; {dead} tasks failed for good"),
    };
    check("scheduler", seen.is_scheduling, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Seen {
        let now = Timestamp::from_secs(10_000);
        let age = Some(Duration::from_secs(1));
        let feed =
            FeedSeen { venue: "binance".into(), is_up: true, age, is_open: true, is_polled: false };
        Seen {
            now,
            written: (Some(now), None),
            synced: Some(now),
            feeds: vec![feed],
            channels: 2,
            free: Some(9 << 30),
            is_scheduling: true,
            is_started: true,
            ..Seen::nothing(now)
        }
    }

    fn failing(change: impl FnOnce(&mut Seen)) -> Vec<&'static str> {
        let mut seen = well();
        change(&mut seen);
        judge(&seen).into_iter().filter(|check| !check.ok).map(|check| check.name).collect()
    }

    #[test]
    fn each_dependency_that_stops_is_named_within_the_stated_time() {
        assert_eq!(failing(|_| {}), [""; 0]);
        let later =
            |seen: &mut Seen| seen.now = seen.now.plus(SAID_WITHIN + Duration::from_secs(1));
        assert_eq!(failing(later), ["store", "journal"]);
        let in_time = |seen: &mut Seen| seen.now = seen.now.plus(SAID_WITHIN);
        assert_eq!(failing(in_time), [""; 0]);
        assert_eq!(failing(|seen| seen.feeds[0].is_up = false), ["feeds"]);
        assert_eq!(failing(|seen| seen.feeds[0].age = Some(Duration::from_secs(121))), ["feeds"]);
        assert_eq!(
            failing(|seen| seen.silent_channels.push(("chat".into(), "401".into()))),
            ["notifiers"]
        );
        assert_eq!(failing(|seen| seen.free = Some(DISK_MIN_BYTES - 1)), ["disk"]);
        assert_eq!(failing(|seen| seen.is_scheduling = false), ["scheduler"]);
        assert_eq!(failing(|seen| seen.is_started = false), ["started"]);
    }

    #[test]
    fn a_closed_market_may_be_silent_and_a_polled_venue_between_its_bars() {
        let silent = |seen: &mut Seen| seen.feeds[0].age = None;
        assert_eq!(
            failing(|seen| {
                silent(seen);
                seen.feeds[0].is_open = false;
            }),
            [""; 0]
        );
        assert_eq!(
            failing(|seen| {
                silent(seen);
                seen.feeds[0].is_polled = true;
            }),
            [""; 0]
        );
        assert_eq!(
            failing(|seen| {
                seen.feeds[0].is_up = false;
                seen.feeds[0].is_open = false;
            }),
            [""; 0]
        );
    }

    #[test]
    fn a_channel_that_gave_up_leaves_the_service_ready() {
        let mut seen = well();
        seen.silent_channels.push(("chat".into(), "401".into()));
        seen.gone.push("telegram-43 is in no [[notify]] any more".into());
        let checks = judge(&seen);
        assert!(checks.iter().all(|check| check.ok || !check.required));
        let words = "1 of 2 gave up: chat: 401; telegram-43 is in no [[notify]] any more";
        assert_eq!(checks[3].detail, words);
    }
}
