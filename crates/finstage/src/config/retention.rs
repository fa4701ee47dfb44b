//! `[store]`, `[journal]` and `[retention]`: how things are kept, and how long.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::raw::Raw;
use super::settings::Resolver;
use crate::exit::Result;

/// `[retention]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawRetention {
    pub(crate) said: Option<String>,
    pub(crate) notices: Option<String>,
    pub(crate) archive: Option<String>,
}

/// `[retention]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionSettings {
    /// Signals and alerts.
    pub said: Duration,
    /// Reports and other notices.
    pub notices: Duration,
    /// Where they go then, with days of the journal.
    pub archive: Option<PathBuf>,
}

impl Resolver<'_> {
    /// Time between syncs, from how long on a statement is slow, and how long the journal is kept.
    pub(super) fn store(&self, raw: &Raw) -> Result<[Duration; 3]> {
        let read = |key, typed: &Option<String>, seconds| {
            self.duration(key, typed.as_deref(), Duration::from_secs_f64(seconds))
        };
        Ok([
            read("store.fsync", &raw.store.fsync, 0.1)?,
            read("store.slow_query", &raw.store.slow_query, 1.0)?,
            read("journal.keep", &raw.journal.keep, 7.0 * 86_400.0)?,
        ])
    }

    pub(super) fn retention(&self, raw: &RawRetention) -> Result<RetentionSettings> {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Ok(RetentionSettings {
            said: self.duration("retention.said", raw.said.as_deref(), days(365))?,
            notices: self.duration("retention.notices", raw.notices.as_deref(), days(90))?,
            archive: raw.archive.as_ref().filter(|dir| !dir.is_empty()).map(PathBuf::from),
        })
    }
}
