//! The tail: the newest bars, exact, one per series and open time, never overwritten.
//!
//! Older ones are on the Parquet shelf, to which [`crate::history`] moves them.
//!
//! What a strategy saw must stay what is stored, else no signal could be explained later. So the
//! first bar of a place stays; a different one that comes later is a revision, and counted.

use finstage_model::{Bar, InstrumentId, Interval, Position, Price, Qty, Symbol, Timestamp};
use rusqlite::{Connection, Row, params};

use super::db::{Durability, Trouble};
use super::touched::touch;
use super::{Records, SeriesId, parse};
use crate::Error;

/// Bars written in one transaction by an import: about a tenth of a second, so that a service
/// beside it hardly waits.
const IMPORT_CHUNK: usize = 20_000;

/// What became of imported bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ImportCounts {
    /// Bars given.
    pub read: u64,
    /// Bars that are new.
    pub written: u64,
    /// Bars that were there, the same.
    pub duplicates: u64,
    /// Bars that were there and say otherwise: the old ones stay.
    pub revisions: u64,
    /// Bars that are impossible ([`Bar::fault`]) or of another interval.
    pub rejected: u64,
}

/// What became of one bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    New,
    Same,
    Different,
}

const COLUMNS: &str = "instrument, interval, open_time, open, high, low, close, volume, trades";

impl Records {
    /// Adds bars from a file. Doing it again changes nothing; after an interruption, doing it
    /// again adds the rest. The instrument in the bars is not looked at.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn import_bars(
        &self,
        symbol: &Symbol,
        interval: Interval,
        bars: &[Bar],
    ) -> Result<ImportCounts, Error> {
        let instrument = self.instrument_id(symbol)?;
        let mut counts = ImportCounts { read: bars.len() as u64, ..ImportCounts::default() };
        for chunk in bars.chunks(IMPORT_CHUNK) {
            let stored = self.0.write("importing bars into", Durability::Derived, |tx| {
                let mut counts = counts;
                let before = counts.written;
                for bar in chunk {
                    if bar.interval != interval || bar.fault().is_some() {
                        counts.rejected += 1;
                        continue;
                    }
                    let bar = Bar { instrument, ..*bar };
                    match insert(tx, &bar, Position::START)? {
                        Stored::New => counts.written += 1,
                        Stored::Same => counts.duplicates += 1,
                        Stored::Different => counts.revisions += 1,
                    }
                }
                if counts.written > before {
                    touch(tx, SeriesId { instrument, interval })?;
                }
                Ok(counts)
            });
            counts = stored?;
        }
        Ok(counts)
    }

    /// The last `count` bars of a series in the tail that had closed by `until`, oldest first.
    /// [`crate::history::History::last_bars`] has those on the Parquet shelf as well.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn last_bars(
        &self,
        instrument: InstrumentId,
        interval: Interval,
        until: Timestamp,
        count: usize,
    ) -> Result<Vec<Bar>, Error> {
        let series = SeriesId { instrument, interval };
        self.0.read("reading bars from", |tx| tail_last(tx, series, until, count))
    }

    /// The bars of a series in the tail that open from `from` on and before `to`, oldest first.
    /// [`crate::history::History::bars`] has those on the Parquet shelf as well.
    ///
    /// # Errors
    /// As every reading call: `Corrupt`, `Held` or `Io`.
    pub fn bars_between(
        &self,
        instrument: InstrumentId,
        interval: Interval,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Bar>, Error> {
        let series = SeriesId { instrument, interval };
        self.0.read("reading bars from", |tx| tail_between(tx, series, from, to))
    }
}

/// As [`Records::last_bars`].
pub(super) fn tail_last(
    tx: &Connection,
    series: SeriesId,
    until: Timestamp,
    count: usize,
) -> Result<Vec<Bar>, Trouble> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bars_tail
        WHERE instrument = ? AND interval = ? AND open_time < ? ORDER BY open_time DESC"
    );
    let mut query = tx.prepare_cached(&sql)?;
    let SeriesId { instrument, interval } = series;
    let mut rows = query.query(params![instrument.0, interval.as_str(), until.nanos()])?;
    let mut bars = Vec::new();
    while bars.len() < count {
        let Some(row) = rows.next()? else { break };
        let bar = bar(row)?;
        if bar.close_time() <= until {
            bars.push(bar);
        }
    }
    bars.reverse();
    Ok(bars)
}

/// As [`Records::bars_between`].
pub(super) fn tail_between(
    tx: &Connection,
    series: SeriesId,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Bar>, Trouble> {
    let sql = format!(
        "SELECT {COLUMNS} FROM bars_tail WHERE instrument = ? AND interval = ?
        AND open_time >= ? AND open_time < ? ORDER BY open_time"
    );
    let mut query = tx.prepare_cached(&sql)?;
    let SeriesId { instrument, interval } = series;
    let keys = params![instrument.0, interval.as_str(), from.nanos(), to.nanos()];
    let mut rows = query.query(keys)?;
    let mut bars = Vec::new();
    while let Some(row) = rows.next()? {
        bars.push(bar(row)?);
    }
    Ok(bars)
}

/// Adds a bar unless its place is taken.
pub(super) fn insert(tx: &Connection, bar: &Bar, position: Position) -> Result<Stored, Trouble> {
    let sql = "INSERT INTO bars_tail VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let added = tx.prepare_cached(sql)?.execute(params![
        bar.instrument.0,
        bar.interval.as_str(),
        bar.open_time.nanos(),
        bar.open.nanos(),
        bar.high.nanos(),
        bar.low.nanos(),
        bar.close.nanos(),
        bar.volume.to_string(),
        bar.trades,
        position.to_i64(),
    ])?;
    if added == 1 {
        return Ok(Stored::New);
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM bars_tail WHERE instrument = ? AND interval = ? AND open_time = ?"
    );
    let mut query = tx.prepare_cached(&sql)?;
    let mut rows =
        query.query(params![bar.instrument.0, bar.interval.as_str(), bar.open_time.nanos()])?;
    match rows.next()? {
        Some(row) if self::bar(row)?.same_prices(bar) => Ok(Stored::Same),
        _ => Ok(Stored::Different),
    }
}

fn bar(row: &Row<'_>) -> Result<Bar, Trouble> {
    let price = |column| Ok::<_, Trouble>(Price::from_nanos(row.get(column)?));
    Ok(Bar {
        instrument: InstrumentId(row.get("instrument")?),
        interval: parse(row, "interval")?,
        open_time: Timestamp::from_nanos(row.get("open_time")?),
        open: price("open")?,
        high: price("high")?,
        low: price("low")?,
        close: price("close")?,
        volume: parse::<Qty>(row, "volume")?,
        trades: row.get("trades")?,
    })
}
