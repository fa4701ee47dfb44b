//! Whether the service can do its work: what was seen, judged check by check. Pure.

use std::time::Duration;

use finstage_model::Timestamp;
use finstage_notify::fill;
use finstage_server::HealthCheck;

use super::words::{HealthWords, health_words};
use crate::channels::Gone;
use crate::report::Language;

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
    /// Why the records take no writes at this moment, where a write gave up.
    pub blocked: Option<String>,
    /// When the journal last moved on disk; `None` before the first events.
    pub synced: Option<Timestamp>,
    /// The feeds.
    pub feeds: Vec<FeedSeen>,
    /// Channels that gave up for good, with why.
    pub silent_channels: Vec<(String, String)>,
    /// How many channels there are.
    pub channels: usize,
    /// Channels that were there at an earlier start, with what that leaves undone.
    pub gone: Vec<Gone>,
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
            blocked: None,
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

/// All checks, those that readiness needs and those that only say something, in the words of `language`.
#[must_use]
pub fn judge(seen: &Seen, language: Language) -> Vec<HealthCheck> {
    let words = health_words(language);
    if !seen.is_started {
        return vec![check("started", false, words.fetching.to_owned())];
    }
    vec![
        store(seen, words),
        journal(seen, words),
        feeds(seen, words),
        channels(seen, (words, language)),
        disk(seen, words),
        scheduler(seen, words),
    ]
}

fn check(name: &'static str, ok: bool, detail: String) -> HealthCheck {
    HealthCheck { name, ok, required: true, detail }
}

fn is_fresh(seen: &Seen, at: Option<Timestamp>) -> bool {
    at.is_some_and(|at| seen.now.since(at) <= FRESH)
}

fn store(seen: &Seen, words: &HealthWords) -> HealthCheck {
    let (at, why) = &seen.written;
    let ok = is_fresh(seen, *at) && seen.blocked.is_none();
    let detail = match (ok, seen.blocked.as_ref().or(why.as_ref())) {
        (true, _) => words.takes_writes.to_owned(),
        (false, Some(why)) => why.clone(),
        (false, None) => words.no_write.to_owned(),
    };
    check("store", ok, detail)
}

fn journal(seen: &Seen, words: &HealthWords) -> HealthCheck {
    let ok = is_fresh(seen, seen.synced);
    let detail = match (ok, seen.synced) {
        (true, _) => words.moves.to_owned(),
        (false, Some(at)) => fill(words.stands, &[("at", &at.to_string())]),
        (false, None) => words.nothing_written.to_owned(),
    };
    check("journal", ok, detail)
}

/// Ready is whoever hears from one venue, or whose markets are all closed.
fn feeds(seen: &Seen, words: &HealthWords) -> HealthCheck {
    let is_heard = |feed: &&FeedSeen| {
        let is_late = feed.age.is_none_or(|age| age > SILENT_MAX);
        feed.is_up && (!feed.is_open || feed.is_polled || !is_late)
    };
    let heard = seen.feeds.iter().filter(is_heard).count();
    let silent: Vec<&str> =
        seen.feeds.iter().filter(|feed| !is_heard(feed)).map(|feed| feed.venue.as_str()).collect();
    let is_closed = seen.feeds.iter().all(|feed| !feed.is_open);
    let counts = [("heard", &*heard.to_string()), ("all", &*seen.feeds.len().to_string())];
    let mut detail = fill(words.connected, &counts);
    if !silent.is_empty() {
        detail.push_str(&fill(words.nothing_from, &[("venues", &silent.join(" "))]));
    }
    if is_closed {
        detail.push_str(words.closed);
    }
    check("feeds", heard > 0 || is_closed && !seen.feeds.is_empty(), detail)
}

/// A channel that gave up makes the service no less ready: the others go on.
fn channels(seen: &Seen, (words, language): (&HealthWords, Language)) -> HealthCheck {
    let silent = &seen.silent_channels;
    let (count, all) = (silent.len().to_string(), seen.channels.to_string());
    let mut detail = match silent.first() {
        None => fill(words.deliver, &[("all", &all)]),
        Some((name, why)) => {
            let values = [("count", &*count), ("all", &all), ("name", name), ("why", why)];
            fill(words.gave_up, &values)
        }
    };
    for gone in &seen.gone {
        detail.push_str("; ");
        detail.push_str(&gone.text(language));
    }
    HealthCheck { required: false, ..check("notifiers", silent.is_empty(), detail) }
}

fn disk(seen: &Seen, words: &HealthWords) -> HealthCheck {
    let ok = seen.free.is_none_or(|free| free >= DISK_MIN_BYTES);
    let gib = |free: u64| format!("{:.1}", free as f64 / f64::from(1 << 30));
    let detail = match seen.free {
        Some(free) => fill(words.free, &[("gib", &gib(free))]),
        None => words.not_known.to_owned(),
    };
    check("disk", ok, detail)
}

fn scheduler(seen: &Seen, words: &HealthWords) -> HealthCheck {
    let detail = match (seen.is_scheduling, seen.dead_tasks) {
        (false, _) => words.stopped.to_owned(),
        (true, 0) => words.runs.to_owned(),
        (true, 1) => words.failed_one.to_owned(),
        (true, dead) => fill(words.failed, &[("dead", &dead.to_string())]),
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
        judge(&seen, Language::En)
            .into_iter()
            .filter(|check| !check.ok)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn each_dependency_that_stops_is_named_within_the_stated_time() {
        assert_eq!(failing(|_| {}), [""; 0]);
        let later =
            |seen: &mut Seen| seen.now = seen.now.plus(SAID_WITHIN + Duration::from_secs(1));
        assert_eq!(failing(later), ["store", "journal"]);
        let in_time = |seen: &mut Seen| seen.now = seen.now.plus(SAID_WITHIN);
        assert_eq!(failing(in_time), [""; 0]);
        // A write that gave up is not waited for until the last good one is old.
        assert_eq!(failing(|seen| seen.blocked = Some("held".to_owned())), ["store"]);
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
    fn tasks_that_failed_for_good_are_counted_in_words() {
        let said = |dead_tasks| {
            scheduler(&Seen { dead_tasks, ..well() }, health_words(Language::En)).detail
        };
        assert_eq!(said(1), "runs; 1 task failed for good");
        assert_eq!(said(2), "runs; 2 tasks failed for good");
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
        seen.gone.push(Gone { name: "telegram-43".into(), messages: 0, watches: 0 });
        let checks = judge(&seen, Language::En);
        assert!(checks.iter().all(|check| check.ok || !check.required));
        let words = "1 of 2 gave up: chat: 401; telegram-43 is in no [[notify]] any more";
        assert_eq!(checks[3].detail, words);
    }

    #[test]
    fn a_korean_chat_is_told_in_korean_and_judged_alike() {
        let mut seen = well();
        let odd = |seen: &mut Seen| {
            seen.synced = None;
            seen.written.0 = None;
            seen.feeds[0].is_up = false;
            seen.feeds[0].is_open = false;
            seen.silent_channels.push(("chat".into(), "401".into()));
            seen.gone.push(Gone { name: "telegram-43".into(), messages: 2, watches: 1 });
            seen.free = None;
            seen.dead_tasks = 3;
        };
        for change in [|_: &mut Seen| {}, odd, |seen: &mut Seen| seen.is_started = false] {
            change(&mut seen);
            let (english, korean) = (judge(&seen, Language::En), judge(&seen, Language::Ko));
            for (english, korean) in english.iter().zip(&korean) {
                assert_eq!((english.name, english.ok), (korean.name, korean.ok));
                let is_hangul = |c: char| ('가'..='힣').contains(&c);
                assert!(korean.detail.contains(is_hangul), "{}: {}", korean.name, korean.detail);
                assert!(!korean.detail.contains('{') && !english.detail.contains(is_hangul));
                assert_ne!(super::super::check_name(korean.name, Language::Ko), korean.name);
            }
        }
    }
}
