//! Which Parquet files are history: the manifest, and the tail seen together with it.
//!
//! Files and rows cannot change in one step, so the manifest decides. A writer claims a number,
//! writes the file of that number, and publishes it in one transaction, which also takes the moved
//! bars out of the tail. The transaction does nothing and says `Stale` when the file it replaces,
//! or the tail it has seen, is no longer what it was: then the writer reads again and repeats. So
//! several processes may write without a lock, and a reader always sees one whole state.

use std::ops::Range;

use finstage_model::{Bar, Day, InstrumentId, Interval, Symbol, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::bars::{tail_between, tail_last};
use super::db::{Durability, Trouble};
use super::touched::touch;
use super::{Records, parse};
use crate::history::{FactorRow, Period};
use crate::{Error, ErrorKind};

/// The name of a series in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SeriesId {
    pub(crate) instrument: InstrumentId,
    pub(crate) interval: Interval,
}

/// What is known of a period of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeriodRow {
    pub(crate) period: Period,
    /// The last number handed out.
    pub(crate) claimed: u32,
    /// The file that counts.
    pub(crate) file: Option<FileRow>,
}

/// A file that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileRow {
    pub(crate) period: Period,
    pub(crate) generation: u32,
    pub(crate) content: Content,
}

/// What is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bars: u64,
    /// Open time of the first bar.
    pub(crate) first: Timestamp,
    /// Open time of the last bar.
    pub(crate) last: Timestamp,
    pub(crate) bytes: u64,
    /// CRC32C.
    pub(crate) checksum: u32,
}

/// Which bars of the tail are wanted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TailPart {
    /// Those that open from the first moment on and before the second.
    Between(Timestamp, Timestamp),
    /// The last so many that had closed by then.
    Last(Timestamp, usize),
}

/// A change of one period.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) period: Period,
    /// The generation that was read, which must still count.
    pub(crate) base: Option<u32>,
    /// The new file; without one the old stays.
    pub(crate) file: Option<(u32, Content)>,
    /// The part of the tail that was read.
    pub(crate) tail_range: Range<Timestamp>,
    /// What was read there, which must still be there.
    pub(crate) tail: Vec<Bar>,
    /// Whether the bars of `tail` leave the tail.
    pub(crate) moves_tail: bool,
}

impl Records {
    /// The periods of a series and a part of its tail, oldest first, both from one moment.
    pub(crate) fn shelf(
        &self,
        series: SeriesId,
        part: TailPart,
    ) -> Result<(Vec<PeriodRow>, Vec<Bar>), Error> {
        self.0.read("reading bars from", |tx| {
            let tail = match part {
                TailPart::Between(from, to) => tail_between(tx, series, from, to)?,
                TailPart::Last(until, count) => tail_last(tx, series, until, count)?,
            };
            Ok((periods(tx, series)?, tail))
        })
    }

    /// All series that have bars, on the shelf or in the tail, by symbol and interval.
    pub(crate) fn series(&self) -> Result<Vec<(Symbol, SeriesId)>, Error> {
        self.0.read("listing series in", |tx| {
            let sql = "SELECT symbol, instrument, interval FROM
                (SELECT instrument, interval FROM bars_tail UNION
                 SELECT instrument, interval FROM history_files)
                JOIN instruments ON instruments.id = instrument";
            let mut all = Vec::new();
            let mut query = tx.prepare_cached(sql)?;
            let mut rows = query.query(())?;
            while let Some(row) = rows.next()? {
                let instrument = InstrumentId(row.get("instrument")?);
                let series = SeriesId { instrument, interval: parse(row, "interval")? };
                all.push((parse::<Symbol>(row, "symbol")?, series));
            }
            all.sort();
            Ok(all)
        })
    }

    /// How many bars of a series the tail has, and the first and last open time.
    pub(crate) fn tail_extent(
        &self,
        series: SeriesId,
    ) -> Result<(u64, Option<Range<Timestamp>>), Error> {
        self.0.read("counting bars in", |tx| {
            let sql = "SELECT count(*), min(open_time), max(open_time) FROM bars_tail
                WHERE instrument = ? AND interval = ?";
            let key = params![series.instrument.0, series.interval.as_str()];
            Ok(tx.prepare_cached(sql)?.query_row(key, |row| {
                let bars: i64 = row.get(0)?;
                let (first, last): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
                let extent = first
                    .zip(last)
                    .map(|(first, last)| Timestamp::from_nanos(first)..Timestamp::from_nanos(last));
                Ok((bars.unsigned_abs(), extent))
            })?)
        })
    }

    /// Hands out a number for a new file of each period. Claimed numbers survive a power cut: no
    /// two files ever have one name.
    pub(crate) fn claim(&self, series: SeriesId, periods: &[Period]) -> Result<Vec<u32>, Error> {
        self.0.write("claiming history files in", Durability::Kept, |tx| {
            let sql = "INSERT INTO history_files (instrument, interval, period, claimed)
                VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET claimed = claimed + 1
                RETURNING claimed";
            let mut claim = tx.prepare_cached(sql)?;
            let number = |period: &Period| {
                let key =
                    params![series.instrument.0, series.interval.as_str(), period.to_string()];
                claim.query_row(key, |row| row.get(0))
            };
            Ok(periods.iter().map(number).collect::<rusqlite::Result<Vec<u32>>>()?)
        })
    }

    /// Makes new files count, all or none; `Stale` when something has moved on.
    pub(crate) fn publish(
        &self,
        series: SeriesId,
        publications: &[Publication],
    ) -> Result<(), Error> {
        self.0.write("publishing history files in", Durability::Kept, |tx| {
            publications.iter().try_for_each(|publication| publish(tx, series, publication))?;
            // A file that takes nothing out of the tail holds bars that were not there before.
            if publications.iter().any(|new| new.file.is_some() && !new.moves_tail) {
                touch(tx, series)?;
            }
            Ok(())
        })
    }

    /// Takes back numbers that were claimed, except those that count meanwhile. Gives what was
    /// taken back: those files are nobody's.
    pub(crate) fn abandon(
        &self,
        series: SeriesId,
        numbers: &[(Period, u32)],
    ) -> Result<Vec<(Period, u32)>, Error> {
        self.0.write("tidying history files in", Durability::Kept, |tx| {
            let sql = "UPDATE history_files SET abandoned = max(abandoned, ?4)
                WHERE instrument = ?1 AND interval = ?2 AND period = ?3
                AND ?4 <= claimed AND generation IS NOT ?4";
            let mut abandon = tx.prepare_cached(sql)?;
            let mut abandoned = Vec::new();
            for &(period, number) in numbers {
                let (instrument, interval) = (series.instrument.0, series.interval.as_str());
                let key = params![instrument, interval, period.to_string(), number];
                if abandon.execute(key)? == 1 {
                    abandoned.push((period, number));
                }
            }
            Ok(abandoned)
        })
    }

    /// The factors of an instrument, by day.
    pub(crate) fn factors(&self, instrument: InstrumentId) -> Result<Vec<FactorRow>, Error> {
        self.0.read("reading factors from", |tx| factors(tx, instrument))
    }

    /// Puts factors in place of those before; says whether they differed.
    pub(crate) fn put_factors(
        &self,
        instrument: InstrumentId,
        rows: &[FactorRow],
    ) -> Result<bool, Error> {
        self.0.write("storing factors in", Durability::Kept, |tx| {
            if factors(tx, instrument)? == rows {
                return Ok(false);
            }
            tx.execute("DELETE FROM history_factors WHERE instrument = ?", [instrument.0])?;
            let mut insert =
                tx.prepare_cached("INSERT INTO history_factors VALUES (?, ?, ?, ?, ?)")?;
            for row in rows {
                insert.execute(params![
                    instrument.0,
                    row.day.days(),
                    row.price,
                    row.split,
                    row.reference_price
                ])?;
            }
            Ok(true)
        })
    }
}

fn publish(tx: &Connection, series: SeriesId, new: &Publication) -> Result<(), Trouble> {
    let (instrument, interval) = (series.instrument.0, series.interval.as_str());
    let period = new.period.to_string();
    let sql = "SELECT generation, abandoned FROM history_files
        WHERE instrument = ? AND interval = ? AND period = ?";
    let row: Option<(Option<u32>, u32)> = tx
        .prepare_cached(sql)?
        .query_row(params![instrument, interval, period], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (generation, abandoned) = row.unwrap_or_default();
    let Range { start, end } = new.tail_range;
    if generation != new.base
        || new.file.is_some_and(|(number, _)| number <= abandoned)
        || tail_between(tx, series, start, end)? != new.tail
    {
        let message = format!("history of {period} was changed by another process meanwhile");
        return Err(Error::new(ErrorKind::Stale, message).into());
    }
    if let Some((number, content)) = new.file {
        let sql = "UPDATE history_files
            SET generation = ?4, bars = ?5, first = ?6, last = ?7, bytes = ?8, checksum = ?9
            WHERE instrument = ?1 AND interval = ?2 AND period = ?3";
        tx.prepare_cached(sql)?.execute(params![
            instrument,
            interval,
            period,
            number,
            content.bars as i64,
            content.first.nanos(),
            content.last.nanos(),
            content.bytes as i64,
            content.checksum,
        ])?;
    }
    if new.moves_tail {
        let sql = "DELETE FROM bars_tail WHERE instrument = ? AND interval = ?
            AND open_time >= ? AND open_time < ?";
        let range = params![instrument, interval, start.nanos(), end.nanos()];
        tx.prepare_cached(sql)?.execute(range)?;
    }
    Ok(())
}

fn periods(tx: &Connection, series: SeriesId) -> Result<Vec<PeriodRow>, Trouble> {
    let sql = "SELECT * FROM history_files WHERE instrument = ? AND interval = ? ORDER BY period";
    let mut query = tx.prepare_cached(sql)?;
    let mut rows = query.query(params![series.instrument.0, series.interval.as_str()])?;
    let mut periods = Vec::new();
    while let Some(row) = rows.next()? {
        periods.push(period_row(row)?);
    }
    Ok(periods)
}

fn period_row(row: &Row<'_>) -> Result<PeriodRow, Trouble> {
    let period = parse(row, "period")?;
    let generation: Option<u32> = row.get("generation")?;
    let file = match generation {
        None => None,
        Some(generation) => Some(FileRow {
            period,
            generation,
            content: Content {
                bars: row.get::<_, i64>("bars")?.unsigned_abs(),
                first: Timestamp::from_nanos(row.get("first")?),
                last: Timestamp::from_nanos(row.get("last")?),
                bytes: row.get::<_, i64>("bytes")?.unsigned_abs(),
                checksum: row.get("checksum")?,
            },
        }),
    };
    Ok(PeriodRow { period, claimed: row.get("claimed")?, file })
}

fn factors(tx: &Connection, instrument: InstrumentId) -> Result<Vec<FactorRow>, Trouble> {
    let sql = "SELECT day, price_factor, split_factor, reference_price FROM history_factors
        WHERE instrument = ? ORDER BY day";
    let mut query = tx.prepare_cached(sql)?;
    let rows = query.query_map([instrument.0], |row| {
        Ok(FactorRow {
            day: Day::from_days(row.get(0)?),
            price: row.get(1)?,
            split: row.get(2)?,
            reference_price: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
