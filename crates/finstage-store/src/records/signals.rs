//! Signals with their verdicts. What was said stays said: neither is ever overwritten.

use finstage_model::{
    AlertId, CardId, Direction, FactName, Interval, Position, Price, Reason, Ruling, SignalId,
    Symbol, Timestamp, Verdict,
};
use rusqlite::{Connection, Row, params};

use super::batch::NewSignal;
use super::db::Trouble;
use super::{Filter, Records, parse};
use crate::{Error, ErrorKind};

/// A signal as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct SignalRow {
    /// Its identity.
    pub id: SignalId,
    /// After the last event that it follows from.
    pub position: Position,
    /// About what.
    pub symbol: Symbol,
    /// On bars of which length.
    pub interval: Interval,
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// Open time of the bar it was said on.
    pub open_time: Timestamp,
    /// Close time of that bar.
    pub at: Timestamp,
    /// Close of that bar.
    pub price: Price,
    /// How far the condition was exceeded.
    pub strength: f64,
    /// The numbers it rests on, by name.
    pub facts: Vec<(String, f64)>,
    /// What the verifier said, if it did yet.
    pub ruling: Option<Ruling>,
}

impl SignalRow {
    /// The alert that it makes, whether that is sent or not.
    #[must_use]
    pub fn alert_id(&self) -> AlertId {
        AlertId::of_signal(&self.strategy, self.id)
    }
}

/// A prefix that fits more than this many signals is not listed further.
const AMBIGUOUS: i64 = 2;

impl Records {
    /// The newest signals first.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn signals(&self, filter: &Filter) -> Result<Vec<SignalRow>, Error> {
        self.0.read("listing signals in", |tx| {
            let (symbol, limit) = (filter.symbol.as_ref().map(Symbol::as_str), filter.sql_limit());
            match symbol {
                Some(symbol) => {
                    let sql = "SELECT * FROM signals WHERE symbol = ?
                        ORDER BY at DESC, id DESC LIMIT ?";
                    rows(tx, sql, params![symbol, limit])
                }
                None => {
                    let sql = "SELECT * FROM signals ORDER BY at DESC, id DESC LIMIT ?";
                    rows(tx, sql, params![limit])
                }
            }
        })
    }

    /// The signal whose id begins with `prefix`.
    ///
    /// # Errors
    /// `NotFound` when none or more than one does; as every reading call: `Corrupt`, `Held`, `Io`.
    pub fn signal(&self, prefix: &str) -> Result<SignalRow, Error> {
        let prefix = prefix.to_ascii_lowercase();
        let mut found = self.0.read("looking up a signal in", |tx| {
            // "g" follows the last hexadecimal digit.
            let sql = "SELECT * FROM signals WHERE id >= ?1 AND id < ?1 || 'g' LIMIT ?2";
            rows(tx, sql, params![prefix, AMBIGUOUS])
        })?;
        let trouble = match (found.pop(), found.pop()) {
            (Some(signal), None) => return Ok(signal),
            (None, _) => format!("no signal has an id that begins with \"{prefix}\""),
            _ => format!("more than one signal id begins with \"{prefix}\": write more of it"),
        };
        Err(Error::new(ErrorKind::NotFound, trouble))
    }
}

/// Adds a signal; false when it is there already.
pub(super) fn insert(
    tx: &Connection,
    new: &NewSignal,
    position: Position,
) -> Result<bool, Trouble> {
    let signal = &new.signal;
    let facts: Vec<(FactName, f64)> =
        signal.facts.iter().map(|fact| (fact.name, fact.value)).collect();
    let facts = serde_json::to_string(&facts).expect("names and numbers are always JSON");
    let sql = "INSERT INTO signals (id, position, symbol, interval, strategy, direction, open_time,
            at, price, strength, facts)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let added = tx.prepare_cached(sql)?.execute(params![
        signal.id.to_string(),
        position.to_i64(),
        new.symbol.as_str(),
        signal.interval.as_str(),
        new.strategy,
        signal.direction.as_str(),
        signal.open_time.nanos(),
        signal.at.nanos(),
        signal.price.nanos(),
        signal.strength,
        facts,
    ])?;
    Ok(added == 1)
}

/// Rules on a signal that has no ruling yet; false when there is none such.
pub(super) fn rule(tx: &Connection, verdict: &Verdict) -> Result<bool, Trouble> {
    let card = match verdict.ruling {
        Ruling::Verified { card } => Some(card.to_string()),
        _ => None,
    };
    let sql = "UPDATE signals SET verdict = ?2, reason = ?3, card = ?4
        WHERE id = ?1 AND verdict IS NULL";
    let ruled = tx.prepare_cached(sql)?.execute(params![
        verdict.signal.to_string(),
        verdict.ruling.as_str(),
        verdict.ruling.reason().map(Reason::as_str),
        card,
    ])?;
    Ok(ruled == 1)
}

pub(super) fn rows(
    tx: &Connection,
    sql: &str,
    values: impl rusqlite::Params,
) -> Result<Vec<SignalRow>, Trouble> {
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(values)?;
    let mut signals = Vec::new();
    while let Some(row) = rows.next()? {
        signals.push(signal(row)?);
    }
    Ok(signals)
}

fn signal(row: &Row<'_>) -> Result<SignalRow, Trouble> {
    let direction: String = row.get("direction")?;
    let direction = match direction.as_str() {
        "long" => Direction::Long,
        "short" => Direction::Short,
        _ => return Err(Trouble::BadRow(format!("direction \"{direction}\" of a signal"))),
    };
    let facts: String = row.get("facts")?;
    let facts: Vec<(String, Option<f64>)> = serde_json::from_str(&facts)
        .map_err(|e| Trouble::BadRow(format!("facts of a signal: {e}")))?;
    Ok(SignalRow {
        id: parse(row, "id")?,
        position: Position::from_i64(row.get("position")?),
        symbol: parse(row, "symbol")?,
        interval: parse(row, "interval")?,
        strategy: row.get("strategy")?,
        direction,
        open_time: Timestamp::from_nanos(row.get("open_time")?),
        at: Timestamp::from_nanos(row.get("at")?),
        price: Price::from_nanos(row.get("price")?),
        strength: row.get::<_, Option<f64>>("strength")?.unwrap_or(f64::NAN),
        facts: facts.into_iter().map(|(name, x)| (name, x.unwrap_or(f64::NAN))).collect(),
        ruling: ruling(row)?,
    })
}

fn ruling(row: &Row<'_>) -> Result<Option<Ruling>, Trouble> {
    let Some(word) = row.get::<_, Option<String>>("verdict")? else {
        return Ok(None);
    };
    if word == "verified" {
        return Ok(Some(Ruling::Verified { card: parse::<CardId>(row, "card")? }));
    }
    let reason: String = row.get("reason")?;
    let bad = || Trouble::BadRow(format!("verdict \"{word}\", reason \"{reason}\" of a signal"));
    let reason = serde_json::from_value(reason.as_str().into()).map_err(|_| bad())?;
    match word.as_str() {
        "unproven" => Ok(Some(Ruling::Unproven { reason })),
        "rejected" => Ok(Some(Ruling::Rejected { reason })),
        "withheld" => Ok(Some(Ruling::Withheld { reason })),
        _ => Err(bad()),
    }
}
