//! From stamps to open times: which interval, and what a stamp names.

use std::collections::BTreeMap;

use finstage_model::{Bar, InstrumentId, Interval, format_duration};

use super::error::Fault;
use super::stamp::{Stamp, Zone};

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

/// Weeks may be short or long by two days: their first trading day moves with holidays.
const WEEK_DAYS: std::ops::RangeInclusive<u64> = 5..=9;
/// Months by first or last trading day are 27 to 33 days apart.
const MONTH_DAYS: std::ops::RangeInclusive<u64> = 27..=33;

const WEEKDAYS: [&str; 7] =
    ["Mondays", "Tuesdays", "Wednesdays", "Thursdays", "Fridays", "Saturdays", "Sundays"];

/// A row that was read, before its place in time is decided.
#[derive(Debug, Clone, Copy)]
pub(in crate::history) struct RawRow {
    pub(super) line: u64,
    pub(super) stamp: Stamp,
    /// Prices and volume; instrument, interval and open time are set by [`Labeller::bar`].
    pub(super) bar: Bar,
}

impl RawRow {
    /// A row whose prices can be those of a bar.
    pub(in crate::history) fn new(line: u64, stamp: Stamp, bar: Bar) -> Result<Self, Fault> {
        match bar.fault() {
            Some(fault) => Err(Fault::new(fault.to_string(), "mend or remove the row")),
            None => Ok(Self { line, stamp, bar }),
        }
    }

    /// Whether both say the same of the same moment.
    pub(super) fn same_bar(&self, other: &Self) -> bool {
        self.stamp.at == other.stamp.at && self.bar.same_prices(&other.bar)
    }

    /// Refuses a `next` row that is not later; `is_second` when nothing came before the two.
    pub(super) fn precedes(&self, next: &Self, is_second: bool) -> Result<(), Fault> {
        if next.stamp.at == self.stamp.at {
            return Err(Fault::new(
                format!("repeats the stamp of line {} with other values", self.line),
                "keep one of the rows; where clocks were set back, write stamps with their offset",
            ));
        }
        if next.stamp.at < self.stamp.at {
            let remedy =
                if is_second { "sort the rows, oldest first" } else { "sort the rows by stamp" };
            return Err(Fault::new(format!("stamp is before that of line {}", self.line), remedy));
        }
        Ok(())
    }

    fn seconds_until(&self, later: &Self) -> u64 {
        later.stamp.at.since(self.stamp.at).as_secs()
    }
}

/// Makes bars of rows: knows the interval and what the stamps name.
#[derive(Debug)]
pub(super) struct Labeller {
    interval: Interval,
    /// The weekday of most rows, from Monday; matters for weeks only.
    weekday: usize,
    /// The first stamp that is not the open time it became.
    moved: Option<(Stamp, Bar)>,
    /// Every stamp so far is the last day of its month.
    month_ends: bool,
}

impl Labeller {
    /// Takes the interval as given, or as the first rows show.
    pub(super) fn decide(given: Option<Interval>, sample: &[RawRow]) -> Result<Self, Fault> {
        let interval = given.map_or_else(|| infer(sample), Ok)?;
        let mut weekdays = [0u32; 7];
        for row in sample {
            weekdays[row.stamp.day.days_from_monday() as usize] += 1;
        }
        let weekday = (0..7).max_by_key(|&day| weekdays[day]).unwrap_or(0);
        Ok(Self { interval, weekday, moved: None, month_ends: true })
    }

    pub(super) const fn interval(&self) -> Interval {
        self.interval
    }

    /// The bar of a row.
    pub(super) fn bar(&mut self, row: &RawRow, instrument: InstrumentId) -> Bar {
        let day = row.stamp.day;
        let open_time = match self.interval {
            Interval::D1 => day.start(),
            Interval::W1 if self.weekday != 0 => day.start(),
            Interval::W1 | Interval::Mo1 => self.interval.open_of(day.start()),
            _ => row.stamp.at,
        };
        let bar = Bar { instrument, interval: self.interval, open_time, ..row.bar };
        let is_named = if row.stamp.is_date { day.start() } else { row.stamp.at } == open_time;
        if !is_named && self.moved.is_none() && self.interval >= Interval::D1 {
            self.moved = Some((row.stamp, bar));
        }
        self.month_ends &= day.next().civil().2 == 1;
        bar
    }

    /// Why `bar` cannot follow `last`: it begins inside it.
    pub(super) fn overlap(&self, last: &Bar, bar: &Bar) -> Option<Fault> {
        let begins_inside = if self.interval == Interval::W1 {
            bar.open_time.since(last.open_time).as_secs() < WEEK_DAYS.start() * DAY_S
        } else {
            bar.open_time < last.close_time()
        };
        begins_inside.then(|| {
            let what = format!("begins inside the bar before it, which lasts {}", self.interval);
            Fault::new(what, "give the file's true interval with --interval, or mend the row")
        })
    }

    /// What was assumed about stamps.
    pub(super) fn notes(&self, zone: &Zone, notes: &mut Vec<String>) {
        if self.interval < Interval::D1 {
            notes.extend(zone.note());
            return;
        }
        if self.interval == Interval::W1 && self.weekday != 0 {
            notes.push(format!("weeks begin on {} here: kept as stamped", WEEKDAYS[self.weekday]));
        }
        let Some((stamp, bar)) = &self.moved else { return };
        let example = format!("({} became {})", written(stamp), bar.open_time.day());
        notes.push(match self.interval {
            Interval::Mo1 if self.month_ends => {
                format!(
                    "stamps are the last days of months: read as the month they close {example}"
                )
            }
            Interval::Mo1 => format!("months are labelled by their first day {example}"),
            Interval::W1 => format!("weeks are labelled by their first day {example}"),
            _ => format!("days are labelled by their calendar date {example}"),
        });
    }
}

fn written(stamp: &Stamp) -> String {
    if stamp.is_date { stamp.day.to_string() } else { stamp.at.to_string() }
}

const ASK: &str = "say it with --interval, for example --interval 1d";

/// The most frequent distance between rows, if it is an interval and no two rows are closer: the
/// last pair excepted, whose second may be a bar still forming.
fn infer(sample: &[RawRow]) -> Result<Interval, Fault> {
    if sample.len() < 3 {
        let what = format!("{} rows do not tell the interval", sample.len());
        return Err(Fault::new(what, ASK));
    }
    let steps: Vec<u64> =
        sample.windows(2).map(|pair| step(pair[0].seconds_until(&pair[1]))).collect();
    let mut counts: BTreeMap<u64, usize> = BTreeMap::new();
    for &step in &steps {
        *counts.entry(step).or_default() += 1;
    }
    // Of several the shortest: longer distances are holes.
    let (&usual, &count) =
        counts.iter().rev().max_by_key(|(_, count)| **count).expect("three rows have two steps");
    if count == 1 {
        return Err(Fault::new("rows are at changing distances: no interval fits", ASK));
    }
    let Some(interval) = Interval::ALL.into_iter().find(|i| i.nominal().as_secs() == usual) else {
        let what = format!("most rows are {} apart, which is no interval here", spoken(usual));
        return Err(Fault::new(what, "use 1m 5m 15m 30m 1h 4h 1d 1w or 1mo bars"));
    };
    match steps[..steps.len() - 1].iter().min() {
        Some(&closest) if closest < usual => {
            let what = format!("most rows are {interval} apart, some only {}", spoken(closest));
            Err(Fault::new(what, ASK))
        }
        _ => Ok(interval),
    }
}

/// A distance in seconds, with days, weeks and months brought to their nominal length: clocks
/// change by an hour, months differ.
fn step(seconds: u64) -> u64 {
    let days = (seconds + HOUR_S) / DAY_S;
    let within_an_hour = (seconds + HOUR_S) % DAY_S <= 2 * HOUR_S;
    let nominal = match days {
        1 => Interval::D1,
        days if WEEK_DAYS.contains(&days) => Interval::W1,
        days if MONTH_DAYS.contains(&days) => Interval::Mo1,
        _ => return seconds,
    };
    if within_an_hour { nominal.nominal().as_secs() } else { seconds }
}

fn spoken(seconds: u64) -> String {
    format_duration(std::time::Duration::from_secs(seconds))
}
