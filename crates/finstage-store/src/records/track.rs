//! The track record: what was said, and what became of it, in a chain that cannot be mended later.
//!
//! A signal joins when it has its verdict and the journal behind it is on disk, so that nothing can
//! take it back; in the order of what it follows from. Its outcomes join when they are settled, after
//! it. An entry joins once: the same again adds nothing.

use finstage_model::{
    CardId, Direction, Horizon, Interval, Outcome, Position, Price, Reason, Ruling, SignalId,
    Symbol, Timestamp,
};
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::Records;
use super::chain::{Appended, ChainCheck, Head, Ledger};
use super::db::Trouble;
use super::signals::{self, SignalRow};
use crate::Error;

/// The greatest number of entries that are checked and exported.
pub const MAX_TRACK: u64 = 100_000_000;
/// Signals that one transaction adds.
const GROUP_SIGNALS: usize = 1_000;

const LEDGER: Ledger = Ledger { table: "track", head_file: "track.head", max_rows: MAX_TRACK };

/// An entry of the track record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TrackEntry {
    /// Something was said.
    Signal(TrackSignal),
    /// That came of it.
    Outcome(TrackOutcome),
}

/// A signal and its verdict, as they were when they were said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackSignal {
    /// Its identity.
    pub id: SignalId,
    /// About what.
    pub symbol: Symbol,
    /// On bars of which length.
    pub interval: Interval,
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// Open time of the bar it was said on.
    pub timestamp: Timestamp,
    /// Close time of that bar.
    pub at: Timestamp,
    /// Close of that bar.
    #[serde(with = "exact")]
    pub price: Price,
    /// `verified`, `unproven`, `rejected` or `withheld`.
    pub verdict: String,
    /// Why, unless verified.
    pub reason: Option<Reason>,
    /// The card that verified it.
    pub card: Option<CardId>,
}

/// What became of a signal at one horizon, with the prices that it follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrackOutcome {
    /// The signal.
    pub id: SignalId,
    /// How long after it.
    pub horizon: Horizon,
    /// Open time of the bar of the entry.
    pub entry_at: Timestamp,
    /// Open of that bar.
    #[serde(with = "exact")]
    pub entry: Price,
    /// Open time of the bar of the exit.
    pub exit_at: Timestamp,
    /// Open of that bar.
    #[serde(with = "exact")]
    pub exit: Price,
    /// Highest price in between.
    #[serde(with = "exact")]
    pub high: Price,
    /// Lowest price in between.
    #[serde(with = "exact")]
    pub low: Price,
    /// As [`Outcome::ret`].
    pub ret: f64,
    /// As [`Outcome::mfe`].
    pub mfe: f64,
    /// As [`Outcome::mae`].
    pub mae: f64,
    /// As [`Outcome::hit`].
    pub hit: bool,
}

/// An entry with its place in the chain.
#[derive(Debug, Clone, PartialEq)]
pub struct TrackRow {
    /// From 1, without gaps.
    pub number: u64,
    /// The text that the hash is of.
    pub text: String,
    /// Hash of this entry.
    pub hash: String,
    /// The entry.
    pub entry: TrackEntry,
}

/// A signal that has outcomes to come.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSignal {
    /// Its place in the chain.
    pub number: u64,
    /// The signal.
    pub signal: TrackSignal,
    /// The horizons that are settled.
    pub settled: Vec<Horizon>,
}

impl TrackOutcome {
    /// What the entry says happened.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        let Self { id, horizon, ret, mfe, mae, hit, .. } = *self;
        Outcome { signal: id, horizon, ret, mfe, mae, hit }
    }
}

impl Records {
    /// Adds signals that have their verdict and follow from events before `until`, which must be on
    /// disk. Those that are there add nothing.
    ///
    /// # Errors
    /// `Corrupt` when entries are missing at the end, so that no later one hides it; as every writing
    /// call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn track_signals(&self, until: Position) -> Result<Appended, Error> {
        let mut added = 0;
        loop {
            let step = LEDGER.add(&self.0, |tx, last| add_signals(tx, last, until))?;
            added += step.added;
            if step.added < GROUP_SIGNALS as u64 {
                return Ok(Appended { added, ..step });
            }
        }
    }

    /// Adds outcomes in the order given, and notes which signals have no more to come. An outcome of
    /// a signal and horizon that is there adds nothing.
    ///
    /// # Errors
    /// As [`Records::track_signals`]; `Corrupt` when an outcome's signal is not in the track record.
    pub fn track_outcomes(
        &self,
        outcomes: &[TrackOutcome],
        done: &[SignalId],
    ) -> Result<Appended, Error> {
        LEDGER.add(&self.0, |tx, last| {
            let mut added = 0;
            for outcome in outcomes {
                added += u64::from(add_outcome(tx, last, outcome)?);
            }
            let sql = "UPDATE track SET is_open = 0 WHERE signal = ? AND horizon = ''";
            for id in done {
                tx.prepare_cached(sql)?.execute([id.to_string()])?;
            }
            Ok(added)
        })
    }

    /// Signals that have outcomes to come, from the entry after `number` on, at most `limit`.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn track_open(&self, number: u64, limit: usize) -> Result<Vec<OpenSignal>, Error> {
        self.0.read("reading the track record in", |tx| {
            let sql = "SELECT number, body, hash, (SELECT group_concat(o.horizon) FROM track o
                    WHERE o.signal = track.signal AND o.horizon <> '')
                FROM track WHERE is_open = 1 AND number > ? ORDER BY number LIMIT ?";
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(params![number as i64, limit as i64])?;
            let mut open = Vec::new();
            while let Some(row) = rows.next()? {
                let TrackRow { number, entry, .. } = self::row(row)?;
                let TrackEntry::Signal(signal) = entry else {
                    return Err(Trouble::BadRow(format!("row {number} of the track is no signal")));
                };
                let settled: Option<String> = row.get(3)?;
                let settled = settled.unwrap_or_default();
                let mut settled: Vec<Horizon> =
                    settled.split(',').filter_map(|word| word.parse().ok()).collect();
                settled.sort_unstable();
                open.push(OpenSignal { number, signal, settled });
            }
            Ok(open)
        })
    }

    /// How many signals have outcomes to come.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn track_open_count(&self) -> Result<u64, Error> {
        self.0.read("counting open signals in", |tx| {
            let sql = "SELECT count(*) FROM track WHERE is_open = 1";
            let count: i64 = tx.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
            Ok(count.unsigned_abs())
        })
    }

    /// Entries in their order, from the one after `number` on, at most `limit`.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn track(&self, number: u64, limit: usize) -> Result<Vec<TrackRow>, Error> {
        let sql = "SELECT number, body, hash FROM track WHERE number > ? ORDER BY number LIMIT ?";
        self.track_rows(sql, params![number as i64, limit as i64])
    }

    /// A signal and its outcomes in the track record, in their order; none when it is not there.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn track_of(&self, signal: SignalId) -> Result<Vec<TrackRow>, Error> {
        let sql = "SELECT number, body, hash FROM track WHERE signal = ? ORDER BY number";
        self.track_rows(sql, params![signal.to_string()])
    }

    /// The end of the chain as it stands; it is not followed.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn track_head(&self) -> Result<Head, Error> {
        self.0.read("reading the track record in", |tx| LEDGER.last_row(tx))
    }

    /// Follows the chain from its first entry and compares its end with the second place.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`. A broken chain is no error but the result.
    pub fn check_track(&self) -> Result<ChainCheck, Error> {
        LEDGER.check(&self.0)
    }

    fn track_rows(&self, sql: &str, values: impl rusqlite::Params) -> Result<Vec<TrackRow>, Error> {
        self.0.read("reading the track record in", |tx| {
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(values)?;
            let mut entries = Vec::new();
            while let Some(row) = rows.next()? {
                entries.push(self::row(row)?);
            }
            Ok(entries)
        })
    }
}

fn add_signals(tx: &Connection, last: &mut Head, until: Position) -> Result<u64, Trouble> {
    let sql = "SELECT * FROM signals WHERE verdict IS NOT NULL AND position <= ?
            AND NOT EXISTS (SELECT 1 FROM track WHERE signal = signals.id AND horizon = '')
        ORDER BY position, at, id LIMIT ?";
    let group = signals::rows(tx, sql, params![until.to_i64(), GROUP_SIGNALS as i64])?;
    for row in &group {
        let Some(ruling) = row.ruling else { continue };
        let entry = TrackEntry::Signal(said(row, ruling));
        insert(tx, last, (row.id, None), &entry)?;
    }
    Ok(group.len() as u64)
}

fn said(row: &SignalRow, ruling: Ruling) -> TrackSignal {
    TrackSignal {
        id: row.id,
        symbol: row.symbol.clone(),
        interval: row.interval,
        strategy: row.strategy.clone(),
        direction: row.direction,
        timestamp: row.open_time,
        at: row.at,
        price: row.price,
        verdict: ruling.as_str().to_owned(),
        reason: ruling.reason(),
        card: match ruling {
            Ruling::Verified { card } => Some(card),
            _ => None,
        },
    }
}

fn add_outcome(tx: &Connection, last: &mut Head, outcome: &TrackOutcome) -> Result<bool, Trouble> {
    let (id, horizon) = (outcome.id, outcome.horizon);
    let mut query = tx.prepare_cached("SELECT 1 FROM track WHERE signal = ? AND horizon = ?")?;
    if !query.exists(params![id.to_string(), ""])? {
        return Err(Trouble::BadRow(format!("signal {id} is not in the track record")));
    }
    if query.exists(params![id.to_string(), horizon.to_string()])? {
        return Ok(false);
    }
    insert(tx, last, (id, Some(horizon)), &TrackEntry::Outcome(outcome.clone()))?;
    Ok(true)
}

fn insert(
    tx: &Connection,
    last: &mut Head,
    (id, horizon): (SignalId, Option<Horizon>),
    entry: &TrackEntry,
) -> Result<(), Trouble> {
    let row = last.seal(entry)?;
    let values = params![
        row.number as i64,
        id.to_string(),
        horizon.map(|horizon| horizon.to_string()).unwrap_or_default(),
        horizon.is_none(),
        row.text,
        row.hash,
    ];
    tx.prepare_cached("INSERT INTO track VALUES (?, ?, ?, ?, ?, ?)")?.execute(values)?;
    Ok(())
}

pub(super) fn row(row: &Row<'_>) -> Result<TrackRow, Trouble> {
    let number = row.get::<_, i64>(0)?.unsigned_abs();
    let text: String = row.get(1)?;
    let entry = serde_json::from_str(&text)
        .map_err(|e| Trouble::BadRow(format!("row {number} of the track: {e}")))?;
    Ok(TrackRow { number, text, hash: row.get(2)?, entry })
}

/// Prices as text: a JSON number that went through a double could lose digits.
mod exact {
    use finstage_model::Price;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(price: &Price, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(price)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Price, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
