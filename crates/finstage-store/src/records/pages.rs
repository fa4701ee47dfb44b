//! Lists page by page, and what was said since a place: what a server asks for.
//!
//! A page goes on behind the last row of the one before, by its key, so rows that are added
//! meanwhile neither repeat nor hide one. What was said has numbers of its own: rows are inserted in
//! the order of their journal positions, no number is given twice, and a rewind takes away only what is
//! not on disk yet. So a reader that stays at or below the synced position never sees a number again,
//! whatever retention or a vacuum does to the rows.

use std::collections::BTreeSet;

use finstage_model::{AlertId, Position, SignalId, Symbol, Timestamp};
use rusqlite::{Connection, Row, ToSql, params};

use super::alerts::{self, AlertRow};
use super::db::Trouble;
use super::signals::{self, SignalRow};
use super::track;
use super::{Known, Records, TrackEntry, json_list};
use crate::Error;

/// Which signals a page is of; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignalPage {
    /// Only this instrument's.
    pub symbol: Option<Symbol>,
    /// Only this strategy's: its name, or its canonical text with parameters.
    pub strategy: Option<String>,
    /// Only with this verdict; `pending` for those without one.
    pub verdict: Option<String>,
    /// Only those behind this one in the list.
    pub after: Option<(Timestamp, SignalId)>,
    /// At most so many.
    pub limit: usize,
}

/// Which alerts a page is of; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertPage {
    /// Only this instrument's.
    pub symbol: Option<Symbol>,
    /// Only with this status.
    pub status: Option<String>,
    /// Only those behind this one in the list.
    pub after: Option<(Timestamp, AlertId)>,
    /// At most so many.
    pub limit: usize,
}

/// Which outcomes a page is of; what is `None` does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutcomePage {
    /// Only this instrument's.
    pub symbol: Option<Symbol>,
    /// Only this signal's.
    pub signal: Option<SignalId>,
    /// Only those behind this entry of the track record.
    pub after: Option<u64>,
    /// At most so many.
    pub limit: usize,
}

/// How far what was said has been read: the numbers of the last signal and the last alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SaidPlace {
    /// Of the last signal; 0 before the first.
    pub signal: i64,
    /// Of the last alert; 0 before the first.
    pub alert: i64,
}

impl Records {
    /// A page of signals, newest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn signal_page(&self, page: &SignalPage) -> Result<Vec<SignalRow>, Error> {
        let (mut sql, mut values) = (Conditions::default(), Vec::<Box<dyn ToSql>>::new());
        if let Some(symbol) = &page.symbol {
            sql.add("symbol = ?");
            values.push(Box::new(symbol.as_str().to_owned()));
        }
        if let Some(strategy) = &page.strategy {
            // `golden_cross(…)` of the catalogue, `mine: …` or `mine short: …` of the user's own.
            sql.add(
                "(strategy = ? OR (substr(strategy, 1, length(?)) = ?
                    AND substr(strategy, length(?) + 1, 1) IN ('(', ':', ' ')))",
            );
            values.extend((0..4).map(|_| Box::new(strategy.clone()) as Box<dyn ToSql>));
        }
        match page.verdict.as_deref() {
            Some("pending") => sql.add("verdict IS NULL"),
            Some(verdict) => {
                sql.add("verdict = ?");
                values.push(Box::new(verdict.to_owned()));
            }
            None => {}
        }
        if let Some((at, id)) = page.after {
            sql.add("(at, id) < (?, ?)");
            values.push(Box::new(at.nanos()));
            values.push(Box::new(id.to_string()));
        }
        values.push(Box::new(bound(page.limit)));
        let sql = format!("SELECT * FROM signals {} ORDER BY at DESC, id DESC LIMIT ?", sql.0);
        self.0.read("listing signals in", |tx| {
            signals::rows(tx, &sql, rusqlite::params_from_iter(values))
        })
    }

    /// A page of alerts, newest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alert_page(&self, page: &AlertPage) -> Result<Vec<AlertRow>, Error> {
        let (mut sql, mut values) = (Conditions::default(), Vec::<Box<dyn ToSql>>::new());
        if let Some(symbol) = &page.symbol {
            sql.add("symbol = ?");
            values.push(Box::new(symbol.as_str().to_owned()));
        }
        if let Some(status) = &page.status {
            sql.add("status = ?");
            values.push(Box::new(status.clone()));
        }
        if let Some((at, id)) = page.after {
            sql.add("(said_at, id) < (?, ?)");
            values.push(Box::new(at.nanos()));
            values.push(Box::new(id.to_string()));
        }
        values.push(Box::new(bound(page.limit)));
        let sql = format!("SELECT * FROM alerts {} ORDER BY said_at DESC, id DESC LIMIT ?", sql.0);
        self.0.read("listing alerts in", |tx| {
            alerts::rows(tx, &sql, rusqlite::params_from_iter(values))
        })
    }

    /// Those of the alerts with these ids that there are, with what became of them, newest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alert_rows_with(&self, ids: &BTreeSet<AlertId>) -> Result<Vec<AlertRow>, Error> {
        self.0.read("looking up alerts in", |tx| {
            let sql = "SELECT * FROM alerts WHERE id IN (SELECT value FROM json_each(?))
                ORDER BY said_at DESC, id DESC";
            alerts::rows(tx, sql, params![json_list(ids)])
        })
    }

    /// A page of settled outcomes, newest first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn outcome_page(&self, page: &OutcomePage) -> Result<Vec<Known>, Error> {
        let (mut sql, mut values) = (Conditions::default(), Vec::<Box<dyn ToSql>>::new());
        sql.add("o.horizon <> ''");
        if let Some(signal) = page.signal {
            sql.add("o.signal = ?");
            values.push(Box::new(signal.to_string()));
        }
        if let Some(symbol) = &page.symbol {
            sql.add("json_extract(s.body, '$.symbol') = ?");
            values.push(Box::new(symbol.as_str().to_owned()));
        }
        if let Some(number) = page.after {
            sql.add("o.number < ?");
            values.push(Box::new(i64::try_from(number).unwrap_or(i64::MAX)));
        }
        values.push(Box::new(bound(page.limit)));
        let sql = format!(
            "SELECT o.number, o.body, o.hash, s.body FROM track o
                JOIN track s ON s.signal = o.signal AND s.horizon = ''
            {} ORDER BY o.number DESC LIMIT ?",
            sql.0
        );
        self.0.read("reading the track record in", |tx| {
            let mut query = tx.prepare_cached(&sql)?;
            let mut rows = query.query(rusqlite::params_from_iter(values))?;
            let mut known = Vec::new();
            while let Some(row) = rows.next()? {
                known.extend(outcome(row)?);
            }
            Ok(known)
        })
    }

    /// The end of what was said up to the journal position `until`.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn said_end(&self, until: Position) -> Result<SaidPlace, Error> {
        self.0.read("looking for the newest signal in", |tx| {
            Ok(SaidPlace {
                signal: end_of(tx, "signals", until)?,
                alert: end_of(tx, "alerts", until)?,
            })
        })
    }

    /// Signals behind the number `after` that follow from events before `until`, oldest first, each
    /// with its number.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn signals_behind(
        &self,
        after: i64,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(i64, SignalRow)>, Error> {
        self.0.read("listing signals in", |tx| {
            let values = params![after, until.to_i64(), bound(limit)];
            let sql =
                "SELECT * FROM signals WHERE number > ? AND position <= ? ORDER BY number LIMIT ?";
            let rows = signals::rows(tx, sql, values)?;
            Ok(numbers(tx, "signals", values)?.into_iter().zip(rows).collect())
        })
    }

    /// Alerts behind the number `after` that follow from events before `until`, oldest first, each
    /// with its number.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn alerts_behind(
        &self,
        after: i64,
        until: Position,
        limit: usize,
    ) -> Result<Vec<(i64, AlertRow)>, Error> {
        self.0.read("listing alerts in", |tx| {
            let values = params![after, until.to_i64(), bound(limit)];
            let sql =
                "SELECT * FROM alerts WHERE number > ? AND position <= ? ORDER BY number LIMIT ?";
            let rows = alerts::rows(tx, sql, values)?;
            Ok(numbers(tx, "alerts", values)?.into_iter().zip(rows).collect())
        })
    }
}

/// `WHERE a AND b`, part by part.
#[derive(Default)]
struct Conditions(String);

impl Conditions {
    fn add(&mut self, condition: &str) {
        self.0.push_str(if self.0.is_empty() { "WHERE " } else { " AND " });
        self.0.push_str(condition);
    }
}

fn bound(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

fn end_of(tx: &Connection, table: &str, until: Position) -> Result<i64, Trouble> {
    // From the end: what is not on disk yet is little.
    let sql =
        format!("SELECT number FROM {table} WHERE position <= ? ORDER BY number DESC LIMIT 1");
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows = query.query([until.to_i64()])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?.unwrap_or(0))
}

fn numbers(tx: &Connection, table: &str, values: &[&dyn ToSql]) -> Result<Vec<i64>, Trouble> {
    let sql = format!(
        "SELECT number FROM {table} WHERE number > ? AND position <= ? ORDER BY number LIMIT ?"
    );
    let mut query = tx.prepare_cached(&sql)?;
    let numbers: rusqlite::Result<Vec<i64>> = query.query_map(values, |row| row.get(0))?.collect();
    Ok(numbers?)
}

fn outcome(row: &Row<'_>) -> Result<Option<Known>, Trouble> {
    let found = track::row(row)?;
    let TrackEntry::Outcome(outcome) = found.entry else { return Ok(None) };
    let body: String = row.get(3)?;
    match serde_json::from_str(&body) {
        Ok(TrackEntry::Signal(signal)) => Ok(Some(Known { number: found.number, outcome, signal })),
        _ => {
            let number = found.number;
            Err(Trouble::BadRow(format!("the signal of row {number} of the track cannot be read")))
        }
    }
}

#[cfg(test)]
mod tests;
