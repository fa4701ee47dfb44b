//! The jobs of a service: each with when it runs by default, and what the settings say instead.

use std::time::Duration;

use finstage_store::records::StoreKind;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::kinds;
use super::scheduler::{AtStart, Job};
use super::timing::{CatchUp, Repeat, Timing};
use crate::config::settings::Settings;
use crate::report::job::SETTLING;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A job before anybody has set anything.
struct Usual {
    name: &'static str,
    repeat: Repeat,
    /// Whether times of the day are those of `[display] timezone`, else UTC.
    is_local: bool,
    jitter: Duration,
    at_start: AtStart,
    /// Whether a demo has it: its market has no past to fetch, and its evidence is its own.
    in_demo: bool,
}

/// Names of all jobs.
pub const NAMES: [&str; 8] =
    ["outcomes", "report", "hourly", "compact", "retention", "backfill", "verify", "replay_check"];

fn usual() -> [Usual; 8] {
    let every = |name, every, jitter| Usual {
        name,
        repeat: Repeat::Every(every),
        is_local: false,
        jitter,
        at_start: AtStart::Each,
        in_demo: true,
    };
    let nightly = |name, hour, minute, jitter| Usual {
        name,
        repeat: Repeat::Daily(Time::constant(hour, minute, 0, 0)),
        is_local: true,
        jitter,
        at_start: AtStart::No,
        in_demo: false,
    };
    let first = AtStart::First { lane: "backfill" };
    [
        every("outcomes", HOUR, MINUTE),
        Usual {
            is_local: true,
            in_demo: true,
            at_start: AtStart::Each,
            ..nightly("report", 8, 0, Duration::ZERO)
        },
        Usual { at_start: AtStart::No, ..every("hourly", HOUR, Duration::ZERO) },
        every("compact", 24 * HOUR, 10 * MINUTE),
        every("retention", HOUR, 5 * MINUTE),
        Usual { at_start: first, ..nightly("backfill", 1, 10, 10 * MINUTE) },
        // Judged is what was fetched.
        Usual { at_start: first, ..nightly("verify", 2, 30, 10 * MINUTE) },
        // Days of the journal are UTC days; the next one begins a minute after midnight.
        Usual { is_local: false, ..nightly("replay_check", 0, 20, 5 * MINUTE) },
    ]
}

/// The jobs of a service with these settings, those that are switched off as well.
#[must_use]
pub fn jobs(settings: &Settings, world: StoreKind) -> Vec<Job> {
    let zone = TimeZone::get(&settings.timezone).unwrap_or(TimeZone::UTC);
    let job = |usual: Usual| {
        let own = settings.jobs.get(usual.name);
        let mut timing = Timing::new(usual.repeat);
        timing.jitter = usual.jitter;
        if usual.is_local {
            timing.zone = zone.clone();
        }
        let mut is_enabled = world == StoreKind::Real || usual.in_demo;
        if usual.name == "report" {
            is_enabled &= settings.report.daily.is_some();
            timing.repeat = Repeat::Daily(settings.report.daily.unwrap_or_default());
            timing.after = SETTLING;
        }
        if usual.name == "hourly" {
            is_enabled &= settings.report.is_hourly;
            timing.after = SETTLING;
            // A status of the past is no status.
            timing.catch_up = CatchUp::Skip;
        }
        if let Some(own) = own {
            timing.repeat = own.repeat.clone().unwrap_or(timing.repeat);
            // A time of the day that somebody set is one of their day, whatever was usual.
            if matches!(own.repeat, Some(Repeat::Cron(_))) {
                timing.zone = zone.clone();
            }
            timing.zone = own.zone.clone().unwrap_or(timing.zone);
            timing.jitter = own.jitter.unwrap_or(timing.jitter);
            timing.catch_up = own.catch_up.unwrap_or(timing.catch_up);
            is_enabled &= own.is_enabled;
        }
        let kind = kinds::find(usual.name).expect("a test holds names and types together");
        Job {
            name: usual.name,
            describes: kind.describes,
            timing,
            is_enabled,
            at_start: usual.at_start,
            task: kind.task("{}").expect("every type can be given nothing"),
        }
    };
    usual().into_iter().map(job).collect()
}
