//! What was typed: every key optional, unknown keys refused, nothing judged yet.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A whole `finstage.toml` as it stands.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    /// `[store]`
    #[serde(default)]
    pub(crate) store: RawStore,
    /// `[journal]`
    #[serde(default)]
    pub(crate) journal: RawJournal,
    /// `[retention]`
    #[serde(default)]
    pub(crate) retention: super::retention::RawRetention,
    /// `[alerts]`
    #[serde(default)]
    pub(crate) alerts: RawAlerts,
    /// `[server]`
    #[serde(default)]
    pub(crate) server: super::server::RawServer,
    /// `[display]`
    #[serde(default)]
    pub(crate) display: RawDisplay,
    /// `[report]`
    #[serde(default)]
    pub(crate) report: RawReport,
    /// `[log]`
    #[serde(default)]
    pub(crate) log: RawLog,
    /// `[watch]`
    #[serde(default)]
    pub(crate) watch: RawWatching,
    /// `[venues.NAME]`
    #[serde(default)]
    pub(crate) venues: BTreeMap<String, RawVenue>,
    /// `[[feeds]]`
    #[serde(default)]
    pub(crate) feeds: Vec<RawFeed>,
    /// `[[strategies]]`
    #[serde(default)]
    pub(crate) strategies: Vec<RawStrategy>,
    /// `[[watches]]`
    #[serde(default)]
    pub(crate) watches: Vec<RawWatch>,
    /// `[[notify]]`
    #[serde(default)]
    pub(crate) notify: Vec<RawNotify>,
    /// `[llm]`
    #[serde(default)]
    pub(crate) llm: super::llm::RawLlm,
    /// `[jobs.NAME]`
    #[serde(default)]
    pub(crate) jobs: BTreeMap<String, super::jobs::RawJob>,
    /// `[monitor]`
    #[serde(default)]
    pub(crate) monitor: super::monitor::RawMonitor,
    /// `[stats]`
    #[serde(default)]
    pub(crate) stats: super::monitor::RawStats,
    /// `[news]`
    #[serde(default)]
    pub(crate) news: super::news::RawNews,
    /// `[gateway]`
    #[serde(default)]
    pub(crate) gateway: super::llm::RawGateway,
}

/// `[store]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStore {
    pub(crate) path: Option<String>,
    pub(crate) fsync: Option<String>,
    pub(crate) slow_query: Option<String>,
}

/// `[journal]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawJournal {
    pub(crate) keep: Option<String>,
}

/// `[alerts]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAlerts {
    pub(crate) send: Option<String>,
    pub(crate) cooldown: Option<String>,
    pub(crate) per_hour: Option<u32>,
    pub(crate) max_age: Option<String>,
    pub(crate) quiet: Option<String>,
    pub(crate) digest: Option<String>,
    #[serde(default)]
    pub(crate) strategies: Vec<String>,
    pub(crate) min_occasions: Option<u64>,
    pub(crate) min_hit_rate: Option<f64>,
    pub(crate) min_strength: Option<f64>,
    pub(crate) min_volume_ratio: Option<f64>,
    pub(crate) market: Option<String>,
}

/// `[display]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDisplay {
    pub(crate) timezone: Option<String>,
    pub(crate) language: Option<String>,
}

/// `[log]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawLog {
    pub(crate) file: Option<String>,
    pub(crate) format: Option<String>,
    pub(crate) level: Option<String>,
    pub(crate) rotate_bytes: Option<u64>,
    pub(crate) errors: Option<String>,
    pub(crate) keep: Option<u32>,
}

/// `[watch]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWatching {
    #[serde(default)]
    pub(crate) categories: BTreeMap<String, RawThresholds>,
    #[serde(default)]
    pub(crate) symbols: BTreeMap<String, RawThresholds>,
}

/// `[watch.categories.NAME]` and `[watch.symbols.SYMBOL]`: percent, all positive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawThresholds {
    pub(crate) rise: Option<f64>,
    pub(crate) drop: Option<f64>,
    pub(crate) from_high: Option<f64>,
}

/// `[report]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReport {
    pub(crate) daily: Option<String>,
    pub(crate) hourly: Option<bool>,
    pub(crate) language: Option<String>,
}

/// `[venues.NAME]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawVenue {
    pub(crate) rest: Option<String>,
    pub(crate) ws: Option<String>,
    pub(crate) app_key: Option<String>,
    pub(crate) app_secret: Option<String>,
    pub(crate) mock: Option<bool>,
    pub(crate) per_second: Option<u32>,
    pub(crate) sealed: Option<super::sealed::RawSealed>,
}

/// `[[feeds]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawFeed {
    pub(crate) venue: String,
    pub(crate) symbols: Vec<String>,
    pub(crate) intervals: Option<Vec<String>>,
    pub(crate) bars: Option<String>,
}

/// `[[strategies]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStrategy {
    pub(crate) name: String,
    pub(crate) interval: String,
    #[serde(default)]
    pub(crate) params: BTreeMap<String, f64>,
    #[serde(default)]
    pub(crate) symbols: Vec<String>,
    pub(crate) when: Option<String>,
    pub(crate) direction: Option<String>,
    pub(crate) every_bar: Option<bool>,
}

/// `[[watches]]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawWatch {
    pub(crate) symbol: String,
    pub(crate) rule: String,
    pub(crate) cooldown: Option<String>,
}

/// `[[notify]]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawNotify {
    pub(crate) kind: String,
    pub(crate) name: Option<String>,
    pub(crate) chat: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) secret: Option<String>,
    pub(crate) commands: Option<bool>,
    pub(crate) send: Option<String>,
    pub(crate) per_hour: Option<u32>,
    pub(crate) quiet: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) timezone: Option<String>,
}
