//! What happened within a span of time: what a report of a day asks for.

use finstage_model::{Interval, Timestamp};
use rusqlite::params;

use super::alerts::{self, AlertRow};
use super::db::Trouble;
use super::signals::{self, SignalRow};
use super::track::{self, TrackOutcome, TrackSignal};
use super::{Records, TrackEntry};
use crate::Error;

/// The most signals, alerts or outcomes of a span that are read.
pub const MAX_WITHIN: usize = 1_000_000;

/// Moments after `after`, up to and including `until`: what closes at the end of a day belongs to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moments {
    /// Not itself.
    pub after: Timestamp,
    /// Itself too.
    pub until: Timestamp,
}

/// How many alerts of a span came to the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertCount {
    /// Their status, as text.
    pub status: String,
    /// Why, for those withheld.
    pub reason: Option<String>,
    /// How many.
    pub count: u64,
}

/// An outcome with the signal that it is of.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its place in the track record.
    pub number: u64,
    /// The outcome.
    pub outcome: TrackOutcome,
    /// The signal.
    pub signal: TrackSignal,
}

impl Moments {
    /// Whether it holds `at`.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.after < at && at <= self.until
    }
}

impl Records {
    /// The signals of bars that closed within `moments`, oldest first, at most [`MAX_WITHIN`].
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn signals_within(&self, moments: Moments) -> Result<Vec<SignalRow>, Error> {
        self.0.read("listing signals in", |tx| {
            let sql = "SELECT * FROM signals WHERE at > ? AND at <= ? ORDER BY at, id LIMIT ?";
            signals::rows(tx, sql, bounds(moments))
        })
    }

    /// The alerts about `moments`, withheld ones too, oldest first, at most [`MAX_WITHIN`].
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alerts_within(&self, moments: Moments) -> Result<Vec<AlertRow>, Error> {
        self.0.read("listing alerts in", |tx| {
            let sql = "SELECT * FROM alerts WHERE at > ? AND at <= ? ORDER BY at, id LIMIT ?";
            alerts::rows(tx, sql, bounds(moments))
        })
    }

    /// How many alerts about `moments` came to what.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alert_counts(&self, moments: Moments) -> Result<Vec<AlertCount>, Error> {
        self.0.read("counting alerts in", |tx| {
            let sql = "SELECT status, CASE status WHEN 'withheld' THEN reason END why, count(*)
                FROM alerts WHERE at > ? AND at <= ? GROUP BY status, why ORDER BY status, why";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![moments.after.nanos(), moments.until.nanos()])?;
            let mut counts = Vec::new();
            while let Some(row) = rows.next()? {
                let count = row.get::<_, i64>(2)?.unsigned_abs();
                counts.push(AlertCount { status: row.get(0)?, reason: row.get(1)?, count });
            }
            Ok(counts)
        })
    }

    /// The outcomes in the track record whose last bar closed within `moments`, in their order there.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn outcomes_within(&self, moments: Moments) -> Result<Vec<Known>, Error> {
        self.0.read("reading the track record in", |tx| {
            let sql = "SELECT o.number, o.body, o.hash, s.body FROM track o
                    JOIN track s ON s.signal = o.signal AND s.horizon = ''
                WHERE o.horizon <> '' AND json_extract(o.body, '$.exit_at') > ?1
                    AND json_extract(o.body, '$.exit_at') <= ?2
                    AND json_extract(s.body, '$.interval') = ?3
                ORDER BY o.number LIMIT ?4";
            let mut known = Vec::new();
            for interval in Interval::ALL {
                // Months differ in length: what is too early is left out below.
                let first = moments.after.minus(interval.nominal().saturating_mul(2));
                let (first, last) = (first.to_string(), moments.until.to_string());
                let room = (MAX_WITHIN - known.len()) as i64;
                let mut query = tx.prepare_cached(sql)?;
                let mut rows = query.query(params![first, last, interval.as_str(), room])?;
                while let Some(row) = rows.next()? {
                    let found = track::row(row)?;
                    let TrackEntry::Outcome(outcome) = found.entry else { continue };
                    if moments.contains(interval.close_of(outcome.exit_at)) {
                        let body: String = row.get(3)?;
                        let signal = match serde_json::from_str(&body) {
                            Ok(TrackEntry::Signal(signal)) => signal,
                            _ => return Err(bad(found.number)),
                        };
                        known.push(Known { number: found.number, outcome, signal });
                    }
                }
            }
            known.sort_by_key(|one| one.number);
            Ok(known)
        })
    }
}

fn bad(number: u64) -> Trouble {
    Trouble::BadRow(format!("the signal of row {number} of the track cannot be read"))
}

const fn bounds(moments: Moments) -> (i64, i64, i64) {
    (moments.after.nanos(), moments.until.nanos(), MAX_WITHIN as i64)
}
