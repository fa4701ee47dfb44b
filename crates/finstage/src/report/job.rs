//! The report, sent by a running service: once a day, about the day that ended.
//!
//! Whether it was said is a row of the store, so a restart says nothing twice, and one that was missed
//! is said late, as long as it is not older than a day. Before it is gathered the track record is
//! brought up to date.

use std::time::Duration;

use finstage_model::{Day, Position, Symbol, Timestamp};
use finstage_store::Error;
use finstage_store::history::History;
use finstage_store::records::{Notice, NoticeKind, Records};
use jiff::civil;
use jiff::tz::TimeZone;

use super::{Asked, DailyReport, Due, Language, day_of, gather, telegram};
use crate::track::{self, Reach};

/// A report older than this is not sent.
pub const MAX_AGE: Duration = Duration::from_secs(24 * 3_600);
/// What closes at the end of the day is said, judged and on disk by then.
pub const SETTLING: Duration = Duration::from_secs(120);
/// Remembers the first start with reports: nothing is said about the time before.
const SINCE: &str = "reports_since";

/// What the job works with.
#[derive(Debug, Clone)]
pub struct Job {
    /// What was said.
    pub records: Records,
    /// All bars.
    pub history: History,
    /// The zone of its days.
    pub zone: TimeZone,
    /// The time of the day, in the zone, at which the report is due; `None`: never.
    pub daily: Option<civil::Time>,
    /// Its language.
    pub language: Language,
    /// The instruments that are watched.
    pub watched: Vec<Symbol>,
    /// Who is told.
    pub notifiers: Vec<String>,
}

impl Job {
    /// Says the report that is due at `now` and was not said yet, and of which day it is. `safe` is
    /// how far the journal is on disk.
    ///
    /// # Errors
    /// When records or history cannot be read or written.
    pub fn step(&self, now: Timestamp, safe: Position) -> Result<Option<Day>, Error> {
        let Some(time) = self.daily else { return Ok(None) };
        let today = day_of(now, &self.zone);
        let times = Due { time, zone: &self.zone };
        let day = if times.on(today) <= now { today } else { today.previous() };
        let due = times.on(day);
        let asked = Asked {
            day: day.previous(),
            zone: &self.zone,
            now,
            watched: &self.watched,
            due: Some(times),
        };
        let ripe = due.max(asked.moments().until.plus(SETTLING));
        if now < ripe || now.since(due) > MAX_AGE || due < self.since(now)? {
            return Ok(None);
        }
        if self.records.notice(NoticeKind::Report.id(&asked.day.to_string()))?.is_some() {
            return Ok(None);
        }
        let reach = Reach { position: safe, time: now.minus(track::SETTLING) };
        track::update(&self.records, &self.history, reach)?;
        let report = gather(&self.records, &self.history, &asked)?;
        let said = notice(&report, self.language, due);
        self.records.announce(&said, &self.notifiers)?;
        Ok(Some(asked.day))
    }

    /// When this store first ran with reports.
    fn since(&self, now: Timestamp) -> Result<Timestamp, Error> {
        let known = self.records.meta(SINCE)?.and_then(|text| text.parse().ok());
        if let Some(since) = known {
            return Ok(since);
        }
        self.records.set_meta(SINCE, &now.to_string())?;
        Ok(now)
    }
}

/// The report as a notice that was due at `due`.
#[must_use]
pub fn notice(report: &DailyReport, language: Language, due: Timestamp) -> Notice {
    let kind = NoticeKind::Report;
    Notice {
        id: kind.id(&report.date.to_string()),
        kind,
        said_at: due,
        max_age: MAX_AGE,
        lines: telegram::lines(report, language),
    }
}
