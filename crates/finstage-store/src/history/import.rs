//! Bars from files, into the store.
//!
//! A few go to the tail, as live bars do. Many go straight to the shelf: a million rows of SQL and
//! back again to Parquet is work for nothing. Either way the rule of the house holds: the first bar
//! of a place stays; the same again is a duplicate, another one a revision, and neither is written.

use finstage_model::{Bar, Interval, Symbol, Timestamp};

use super::NO_TAIL;
use super::factors::Factors;
use super::generation::Change;
use super::period::Period;
use super::shelf::{History, Series};
use crate::Error;
use crate::records::{ImportCounts, PeriodRow, SeriesId, TailPart};

/// From so many bars on, an import writes Parquet.
pub const BULK_BARS: usize = 20_000;

impl History {
    /// Adds bars of a series, in any order. Doing it again changes nothing; after an interruption,
    /// doing it again adds the rest. The instrument in the bars is not looked at. Bars of another
    /// interval, impossible ones and those whose stamps are finer than microseconds are rejected.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`; `Stale` when other writers were
    /// faster [`super::WRITE_ATTEMPTS`] times.
    pub fn import(
        &self,
        symbol: &Symbol,
        interval: Interval,
        bars: &[Bar],
    ) -> Result<ImportCounts, Error> {
        let instrument = self.records.instrument_id(symbol)?;
        let id = SeriesId { instrument, interval };
        let series = Series { id, dir: self.series_dir(symbol, interval) };
        let (sorted, counts) = in_order(id, bars);
        if sorted.len() >= BULK_BARS {
            self.contended(|| self.import_to_shelf(&series, &sorted, counts))
        } else {
            self.contended(|| self.import_to_tail(symbol, &series, &sorted, counts))
        }
    }

    /// Puts factors in place of an instrument's former ones. Gives whether they differed.
    ///
    /// # Errors
    /// As every writing call: `Full`, `Held`, `Corrupt` or `Io`.
    pub fn import_factors(&self, symbol: &Symbol, factors: &Factors) -> Result<bool, Error> {
        let instrument = self.records.instrument_id(symbol)?;
        self.records.put_factors(instrument, factors.rows())
    }

    fn import_to_shelf(
        &self,
        series: &Series,
        bars: &[Bar],
        mut counts: ImportCounts,
    ) -> Result<ImportCounts, Error> {
        let (first, last) = match (bars.first(), bars.last()) {
            (Some(first), Some(last)) => (first.open_time, last.open_time),
            _ => return Ok(counts),
        };
        let interval = series.id.interval;
        let from = Period::of(interval, first).range().start;
        let to = Period::of(interval, last).range().end;
        let (periods, tail) = self.records.shelf(series.id, TailPart::Between(from, to))?;
        let mut changes = Vec::new();
        for bars in bars.chunk_by(|a, b| same_period(interval, a, b)) {
            let period = Period::of(interval, bars[0].open_time);
            let stored = file_of(&periods, period);
            let mut merged = match &stored {
                Some(file) => self.read_file(series, file)?,
                None => Vec::new(),
            };
            let range = period.range();
            let start = tail.partition_point(|bar| bar.open_time < range.start);
            let end = tail.partition_point(|bar| bar.open_time < range.end);
            let tail = &tail[start..end];
            let new = News::of(bars, &[&merged, tail]);
            counts.duplicates += new.duplicates;
            counts.revisions += new.revisions;
            counts.written += new.bars.len() as u64;
            if new.bars.is_empty() {
                continue;
            }
            add(&mut merged, new.bars);
            changes.push(Change {
                period,
                base: stored,
                bars: Some(merged),
                tail_range: range,
                tail: tail.to_vec(),
                moves_tail: false,
            });
        }
        self.put(series, changes)?;
        Ok(counts)
    }

    fn import_to_tail(
        &self,
        symbol: &Symbol,
        series: &Series,
        bars: &[Bar],
        mut counts: ImportCounts,
    ) -> Result<ImportCounts, Error> {
        let interval = series.id.interval;
        let (periods, _) = self.records.shelf(series.id, NO_TAIL)?;
        let mut fresh = Vec::new();
        for bars in bars.chunk_by(|a, b| same_period(interval, a, b)) {
            let Some(file) = file_of(&periods, Period::of(interval, bars[0].open_time)) else {
                fresh.extend_from_slice(bars);
                continue;
            };
            let new = News::of(bars, &[&self.read_file(series, &file)?]);
            counts.duplicates += new.duplicates;
            counts.revisions += new.revisions;
            fresh.extend(new.bars);
        }
        let stored = self.records.import_bars(symbol, interval, &fresh)?;
        counts.written += stored.written;
        counts.duplicates += stored.duplicates;
        counts.revisions += stored.revisions;
        Ok(counts)
    }
}

/// Bars of which none is stored yet, and what became of the others.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) bars: Vec<Bar>,
    pub(super) duplicates: u64,
    pub(super) revisions: u64,
}

impl News {
    /// What in `bars` is not in any of `stored`; all ascend.
    pub(super) fn of(bars: &[Bar], stored: &[&[Bar]]) -> Self {
        let mut news = Self::default();
        let mut places = vec![0; stored.len()];
        for bar in bars {
            let mut known = None;
            for (stored, place) in stored.iter().zip(&mut places) {
                while stored.get(*place).is_some_and(|old| old.open_time < bar.open_time) {
                    *place += 1;
                }
                let old = stored.get(*place).filter(|old| old.open_time == bar.open_time);
                known = known.or(old);
            }
            match known {
                None => news.bars.push(*bar),
                Some(old) if old.same_prices(bar) => news.duplicates += 1,
                Some(_) => news.revisions += 1,
            }
        }
        news
    }
}

/// Adds bars of places that are free; both ascend.
pub(super) fn add(bars: &mut Vec<Bar>, more: Vec<Bar>) {
    let is_sorted = bars
        .last()
        .is_none_or(|last| more.first().is_none_or(|first| last.open_time < first.open_time));
    bars.extend(more);
    if !is_sorted {
        bars.sort_by_key(|bar| bar.open_time);
    }
}

/// The bars that can be stored, ascending, one per open time: the first one given.
fn in_order(id: SeriesId, bars: &[Bar]) -> (Vec<Bar>, ImportCounts) {
    let mut counts = ImportCounts { read: bars.len() as u64, ..ImportCounts::default() };
    let fits = |bar: &&Bar| {
        bar.interval == id.interval && bar.fault().is_none() && has_whole_micros(bar.open_time)
    };
    let mut sorted: Vec<Bar> =
        bars.iter().filter(fits).map(|bar| Bar { instrument: id.instrument, ..*bar }).collect();
    counts.rejected = (bars.len() - sorted.len()) as u64;
    sorted.sort_by_key(|bar| bar.open_time);
    sorted.dedup_by(|later, first| {
        let repeats = later.open_time == first.open_time;
        if repeats && later.same_prices(first) {
            counts.duplicates += 1;
        } else if repeats {
            counts.revisions += 1;
        }
        repeats
    });
    (sorted, counts)
}

pub(super) const fn has_whole_micros(at: Timestamp) -> bool {
    at.nanos().rem_euclid(1_000) == 0
}

pub(super) fn same_period(interval: Interval, a: &Bar, b: &Bar) -> bool {
    Period::of(interval, a.open_time) == Period::of(interval, b.open_time)
}

pub(super) fn file_of(periods: &[PeriodRow], period: Period) -> Option<crate::records::FileRow> {
    periods.iter().find(|row| row.period == period).and_then(|row| row.file)
}
