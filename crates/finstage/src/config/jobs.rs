//! `[jobs.NAME]`: when a job runs, instead of when it usually does.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::parse_duration;
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::settings::Resolver;
use crate::exit::Result;
use crate::jobs::table::NAMES;
use crate::jobs::timing::{CatchUp, MIN_EVERY, Repeat, cron};

/// `[jobs.NAME]` as it stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawJob {
    pub(crate) enabled: Option<bool>,
    pub(crate) every: Option<String>,
    pub(crate) cron: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) jitter: Option<String>,
    pub(crate) catch_up: Option<String>,
}

/// What is set of a job; the rest is as usual.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Whether it runs by itself.
    pub is_enabled: bool,
    /// When.
    pub repeat: Option<Repeat>,
    /// In which zone.
    pub zone: Option<TimeZone>,
    /// How far occurrences are spread.
    pub jitter: Option<Duration>,
    /// What becomes of those that were missed.
    pub catch_up: Option<CatchUp>,
}

/// The longest time between two occurrences, and the widest spread.
const MAX_EVERY: Duration = Duration::from_secs(366 * 86_400);

impl Resolver<'_> {
    pub(super) fn jobs(
        &self,
        raw: &BTreeMap<String, RawJob>,
    ) -> Result<BTreeMap<String, JobSettings>> {
        raw.iter().map(|(name, job)| Ok((name.clone(), self.job(name, job)?))).collect()
    }

    fn job(&self, name: &str, raw: &RawJob) -> Result<JobSettings> {
        let key = |key: &str| format!("jobs.{name}.{key}");
        if !NAMES.contains(&name) {
            let why = format!("there is no such job: write one of {}", NAMES.join(" "));
            return self.refuse(&format!("jobs.{name}"), why);
        }
        let has_time = raw.every.is_some() || raw.cron.is_some() || raw.zone.is_some();
        if name == "report" && has_time {
            let why = "the report goes by report.daily and display.timezone: set these";
            return self.refuse(&format!("jobs.{name}"), why);
        }
        let repeat = match (&raw.every, &raw.cron) {
            (None, None) => None,
            (Some(every), None) => match parse_duration(every) {
                Ok(every) if (MIN_EVERY..=MAX_EVERY).contains(&every) => Some(Repeat::Every(every)),
                Ok(_) => return self.refuse(&key("every"), "write 1s to 366d"),
                Err(why) => return self.refuse(&key("every"), why),
            },
            (_, Some(pattern)) => match cron(pattern) {
                Ok(repeat) => Some(repeat),
                Err(why) => return self.refuse(&key("cron"), why),
            },
        };
        let zone = match raw.zone.as_deref().map(|zone| (zone, TimeZone::get(zone))) {
            None => None,
            Some((_, Ok(zone))) => Some(zone),
            Some((typed, Err(_))) => {
                let why = format!(
                    "\"{typed}\" is not a time zone: write an IANA name such as Asia/Seoul"
                );
                return self.refuse(&key("zone"), why);
            }
        };
        let jitter = match raw.jitter.as_deref().map(parse_duration) {
            None => None,
            Some(Ok(jitter)) if jitter <= MAX_EVERY => Some(jitter),
            Some(Ok(_)) => return self.refuse(&key("jitter"), "write 366d at most"),
            Some(Err(why)) => return self.refuse(&key("jitter"), why),
        };
        let catch_up = match raw.catch_up.as_deref() {
            None => None,
            Some(typed) => match CatchUp::WORDS.iter().find(|(word, _)| *word == typed) {
                Some((_, policy)) => Some(*policy),
                None => {
                    let why = format!("\"{typed}\": write \"skip\", \"once\" or \"all\"");
                    return self.refuse(&key("catch_up"), why);
                }
            },
        };
        Ok(JobSettings { is_enabled: raw.enabled.unwrap_or(true), repeat, zone, jitter, catch_up })
    }
}
