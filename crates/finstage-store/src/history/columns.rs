//! Bars as columns of doubles: what computing wants.

use finstage_model::{Bar, Timestamp};

use super::double;
use super::factors::Factors;

/// Bars of one series as columns of equal length, oldest first.
///
/// Each number is the double nearest to the exact one. Times are Unix microseconds, UTC.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarColumns {
    /// Open times, in Unix microseconds.
    pub times_us: Vec<i64>,
    /// First prices.
    pub open: Vec<f64>,
    /// Highest prices.
    pub high: Vec<f64>,
    /// Lowest prices.
    pub low: Vec<f64>,
    /// Last prices.
    pub close: Vec<f64>,
    /// Quantities traded.
    pub volume: Vec<f64>,
}

/// Which prices are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adjust {
    /// As they were quoted.
    #[default]
    Raw,
    /// Multiplied by the factors of splits and dividends, volumes divided by those of splits; raw
    /// where the instrument has no factors.
    Adjusted,
}

impl BarColumns {
    /// Bars as columns.
    #[must_use]
    pub fn of(bars: &[Bar]) -> Self {
        let price = |of: fn(&Bar) -> finstage_model::Price| {
            bars.iter().map(|bar| double::of_price(of(bar))).collect()
        };
        Self {
            times_us: bars.iter().map(|bar| micros(bar.open_time)).collect(),
            open: price(|bar| bar.open),
            high: price(|bar| bar.high),
            low: price(|bar| bar.low),
            close: price(|bar| bar.close),
            volume: bars.iter().map(|bar| double::of_qty(bar.volume)).collect(),
        }
    }

    /// How many bars there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.times_us.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times_us.is_empty()
    }

    /// Multiplies prices and divides volumes by factors. A bar's day is the UTC day it opens on.
    pub fn adjust(&mut self, factors: &Factors) {
        let mut scales = factors.scales();
        for row in 0..self.len() {
            let at = Timestamp::from_nanos(self.times_us[row].saturating_mul(1_000));
            let scale = scales.on(at.day());
            for prices in [&mut self.open, &mut self.high, &mut self.low, &mut self.close] {
                prices[row] *= scale.price;
            }
            self.volume[row] /= scale.split;
        }
    }

    /// Room for more bars.
    pub(super) fn reserve(&mut self, more: usize) {
        self.times_us.reserve(more);
        self.doubles_mut().into_iter().for_each(|column| column.reserve(more));
    }

    /// Open, high, low, close, volume.
    pub(super) fn doubles_mut(&mut self) -> [&mut Vec<f64>; 5] {
        [&mut self.open, &mut self.high, &mut self.low, &mut self.close, &mut self.volume]
    }

    /// Keeps the rows below `len` that open from `from` on and before `to`, both microseconds;
    /// rows before `start` are not looked at.
    pub(super) fn trim(&mut self, start: usize, from_us: i64, to_us: i64) {
        let end = start + self.times_us[start..].partition_point(|&at| at < to_us);
        let first = start + self.times_us[start..end].partition_point(|&at| at < from_us);
        self.times_us.truncate(end);
        self.times_us.drain(start..first);
        for column in self.doubles_mut() {
            column.truncate(end);
            column.drain(start..first);
        }
    }

    /// Adds the bars of the tail, which are newer unless late ones were imported. Where both have a
    /// bar, that of the shelf was first.
    pub(super) fn add_tail(&mut self, tail: &[Bar]) {
        let tail = Self::of(tail);
        let newest = self.times_us.last();
        if tail.times_us.first().is_none_or(|first| newest.is_none_or(|newest| newest < first)) {
            self.times_us.extend_from_slice(&tail.times_us);
            for (column, more) in self.doubles_mut().into_iter().zip(tail.doubles()) {
                column.extend_from_slice(more);
            }
            return;
        }
        let shelf = std::mem::take(self);
        self.reserve(shelf.len() + tail.len());
        let (mut old, mut new) = (0, 0);
        while old < shelf.len() || new < tail.len() {
            let (a, b) = (shelf.times_us.get(old), tail.times_us.get(new));
            if a.is_some_and(|a| b.is_none_or(|b| a <= b)) {
                new += usize::from(a == b);
                self.push(&shelf, old);
                old += 1;
            } else {
                self.push(&tail, new);
                new += 1;
            }
        }
    }

    /// Open, high, low, close, volume.
    pub(super) fn doubles(&self) -> [&Vec<f64>; 5] {
        [&self.open, &self.high, &self.low, &self.close, &self.volume]
    }

    fn push(&mut self, other: &Self, row: usize) {
        self.times_us.push(other.times_us[row]);
        for (column, from) in self.doubles_mut().into_iter().zip(other.doubles()) {
            column.push(from[row]);
        }
    }
}

/// Whole microseconds, rounded down.
pub(super) const fn micros(at: Timestamp) -> i64 {
    at.nanos().div_euclid(1_000)
}

/// The first whole microsecond that is not before `at`.
pub(super) const fn micros_from(at: Timestamp) -> i64 {
    let us = micros(at);
    if at.nanos().rem_euclid(1_000) == 0 { us } else { us + 1 }
}
