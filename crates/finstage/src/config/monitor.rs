//! `[monitor]` and `[stats]`: limits that are watched, and statistics as files.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::settings::Resolver;
use crate::exit::Result;
use crate::monitor::FIGURES_EVERY;
use crate::monitor::files::{Aside, Form, StatsFiles};

/// `[monitor]` as it stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawMonitor {
    pub(crate) cpu: Option<f64>,
    pub(crate) memory: Option<f64>,
    pub(crate) disk: Option<f64>,
    pub(crate) errors: Option<f64>,
    pub(crate) response: Option<String>,
    pub(crate) cache_hits: Option<f64>,
    pub(crate) cooldown: Option<String>,
    pub(crate) notify: Option<bool>,
}

/// `[stats]` as it stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStats {
    pub(crate) path: Option<String>,
    pub(crate) every: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) gzip: Option<bool>,
    pub(crate) rotate_bytes: Option<u64>,
    pub(crate) keep: Option<u32>,
}

/// `[monitor]` and `[stats]`
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorSettings {
    /// Percent of all processors; 0: not watched. So are the next four.
    pub cpu: f64,
    /// Percent of the memory that the process may have.
    pub memory: f64,
    /// Percent of the disk.
    pub disk: f64,
    /// Percent of answers that fail.
    pub errors: f64,
    /// Percent of answers from the cache, at least.
    pub cache_hits: f64,
    /// Mean time of an answer; zero: not watched.
    pub response: Duration,
    /// The least time between two messages about one limit.
    pub cooldown: Duration,
    /// Whether channels are told; the log is in any case.
    pub notify: bool,
    /// Where statistics go and how often.
    pub stats: Option<(StatsFiles, Duration)>,
}

/// The smallest file that is put aside, and the most of them.
const MIN_ROTATE_BYTES: u64 = 4_096;
const MAX_KEPT: u32 = 1_000;

impl Resolver<'_> {
    pub(super) fn monitor(&self, raw: &RawMonitor, stats: &RawStats) -> Result<MonitorSettings> {
        let second = Duration::from_secs(1);
        Ok(MonitorSettings {
            cpu: self.percent("monitor.cpu", raw.cpu, 80.0)?,
            memory: self.percent("monitor.memory", raw.memory, 80.0)?,
            disk: self.percent("monitor.disk", raw.disk, 85.0)?,
            errors: self.percent("monitor.errors", raw.errors, 5.0)?,
            cache_hits: self.percent("monitor.cache_hits", raw.cache_hits, 0.0)?,
            response: self.duration("monitor.response", raw.response.as_deref(), second)?,
            cooldown: self.duration("monitor.cooldown", raw.cooldown.as_deref(), 1_800 * second)?,
            notify: raw.notify.unwrap_or(true),
            stats: self.stats(stats)?,
        })
    }

    fn percent(&self, key: &str, typed: Option<f64>, default: f64) -> Result<f64> {
        match typed {
            Some(typed) if !(0.0..=100.0).contains(&typed) => {
                self.refuse(key, format!("{typed}: write 0 (off) to 100"))
            }
            typed => Ok(typed.unwrap_or(default)),
        }
    }

    fn stats(&self, raw: &RawStats) -> Result<Option<(StatsFiles, Duration)>> {
        let word = raw.format.as_deref().unwrap_or("jsonl");
        let Some((_, form)) = Form::WORDS.iter().find(|(known, _)| *known == word) else {
            return self.refuse("stats.format", format!("\"{word}\": write jsonl, csv or json"));
        };
        let rotate_bytes = raw.rotate_bytes.unwrap_or(10_000_000);
        if rotate_bytes < MIN_ROTATE_BYTES {
            let why = format!("{rotate_bytes}: write {MIN_ROTATE_BYTES} or more");
            return self.refuse("stats.rotate_bytes", why);
        }
        let keep = raw.keep.unwrap_or(10);
        if keep > MAX_KEPT {
            return self.refuse("stats.keep", format!("{keep}: write {MAX_KEPT} at most"));
        }
        let every = self.duration("stats.every", raw.every.as_deref(), Duration::from_secs(300))?;
        if every < FIGURES_EVERY {
            let why =
                format!("write {}s or more: figures are taken that often", FIGURES_EVERY.as_secs());
            return self.refuse("stats.every", why);
        }
        let dir = raw.path.as_ref().filter(|path| !path.is_empty()).map(PathBuf::from);
        let aside = if raw.gzip.unwrap_or(true) { Aside::Packed } else { Aside::Plain };
        Ok(dir.map(|dir| (StatsFiles { dir, form: *form, rotate_bytes, keep, aside }, every)))
    }
}
