//! A chart as it comes, and the bars in it.

use std::collections::BTreeMap;

use finstage_model::{Bar, Day, InstrumentId, Interval, Price, Qty, Timestamp};
use jiff::tz::TimeZone;
use serde::Deserialize;

use super::{error, interval_name};
use crate::{DecodeError, DecodeErrorKind};

/// An answer; an error may stand under any of several names.
#[derive(Deserialize)]
pub(super) struct Envelope {
    chart: Option<Body>,
    finance: Option<Body>,
    spark: Option<Body>,
    #[serde(rename = "quoteResponse")]
    quotes: Option<Body>,
    #[serde(rename = "quoteSummary")]
    summary: Option<Body>,
}

impl Envelope {
    pub(super) fn body(self) -> Option<Body> {
        let errors = [self.finance, self.spark, self.quotes, self.summary];
        self.chart.or_else(|| errors.into_iter().flatten().find(|body| body.error.is_some()))
    }
}

#[derive(Deserialize)]
pub(super) struct Body {
    #[serde(default)]
    pub(super) result: Option<Vec<Chart>>,
    pub(super) error: Option<Refusal>,
}

#[derive(Deserialize)]
pub(super) struct Refusal {
    pub(super) code: Option<String>,
    description: Option<String>,
}

impl Refusal {
    pub(super) fn words(&self) -> &str {
        self.description.as_deref().unwrap_or("without a reason")
    }
}

/// The rows of one symbol, column by column.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(super) struct Chart {
    meta: Meta,
    #[serde(rename = "timestamp")]
    stamps: Vec<i64>,
    events: Events,
    indicators: Indicators,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    gmtoffset: i64,
    exchange_timezone_name: Option<String>,
    regular_market_time: Option<i64>,
    regular_market_price: Option<f64>,
    currency: Option<String>,
    price_hint: Option<u32>,
    data_granularity: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
struct Events {
    dividends: BTreeMap<String, Payment>,
    capital_gains: BTreeMap<String, Payment>,
    splits: BTreeMap<String, Split>,
}

#[derive(Deserialize)]
pub(super) struct Payment {
    pub(super) amount: f64,
    pub(super) date: i64,
}

#[derive(Deserialize)]
struct Split {
    date: i64,
    numerator: f64,
    denominator: f64,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Indicators {
    quote: Vec<Columns>,
    adjclose: Vec<Adjusted>,
}

type Column = Vec<Option<f64>>;

#[derive(Deserialize, Default)]
#[serde(default)]
struct Columns {
    open: Column,
    high: Column,
    low: Column,
    close: Column,
    volume: Column,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Adjusted {
    adjclose: Column,
}

/// A row without a hole in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) stamp: i64,
    /// The date in the market's zone.
    pub(super) day: Day,
    prices: [f64; 4],
    volume: f64,
    adjusted: Option<f64>,
}

impl Row {
    pub(super) const fn close(&self) -> f64 {
        self.prices[3]
    }

    /// One price, nothing traded: what the venue shows of the moment.
    fn is_a_moment(&self) -> bool {
        self.volume == 0.0 && self.prices.iter().all(|price| *price == self.prices[0])
    }
}

impl Chart {
    /// The price of the moment and when it was that.
    pub(super) fn last_price(&self) -> Option<(Price, Option<Timestamp>)> {
        let value = self.meta.regular_market_price.filter(|value| *value > 0.0)?;
        let price = Price::from_f64_rounded(value, self.decimals(value))?;
        Some((price, self.meta.regular_market_time.map(Timestamp::from_secs)))
    }

    /// What prices are in.
    pub(super) fn currency(&self) -> Option<String> {
        self.meta.currency.clone()
    }

    /// How many decimals of a price are no noise.
    fn decimals(&self, value: f64) -> u32 {
        // Below one, the hint of today's price is too coarse.
        let decimals = self.meta.price_hint.unwrap_or(2).clamp(2, 9);
        if value < 1.0 { decimals.max(4) } else { decimals }
    }

    /// The bars that can be bars, oldest first, whether they are over or not.
    pub(super) fn bars(
        &self,
        instrument: InstrumentId,
        interval: Interval,
    ) -> Result<Vec<Bar>, DecodeError> {
        self.check_granularity(interval)?;
        let rows = self.rows(interval);
        let scales = self.scales(&rows);
        let mut bars: Vec<Bar> = Vec::with_capacity(rows.len());
        for (row, scale) in rows.iter().zip(scales) {
            let open_time = match interval {
                Interval::D1 => row.day.start(),
                Interval::W1 | Interval::Mo1 => interval.open_of(row.day.start()),
                _ => Timestamp::from_secs(row.stamp),
            };
            let Some(bar) = self.bar(row, scale) else { continue };
            let bar = Bar { instrument, interval, open_time, ..bar };
            let is_later = bars.last().is_none_or(|last| last.open_time < open_time);
            // Hundredfold prices and lows of zero occur; one bad row is no reason to lose the others.
            if bar.fault().is_none() && bar.low.nanos() > 0 && is_later {
                bars.push(bar);
            }
        }
        Ok(bars)
    }

    /// Long ranges are coarsened silently, and half hours sometimes are hours.
    fn check_granularity(&self, interval: Interval) -> Result<(), DecodeError> {
        let asked = interval_name(interval);
        match self.meta.data_granularity.as_deref() {
            None => Ok(()),
            Some(given) if given == asked || (given, asked) == ("1h", "60m") => Ok(()),
            Some(given) => {
                let what = format!("bars of {given} came although {asked} was asked for");
                Err(error(DecodeErrorKind::Unknown, what))
            }
        }
    }

    /// Rows that are whole and on the grid.
    pub(super) fn rows(&self, interval: Interval) -> Vec<Row> {
        let zone = self.zone();
        let Some(quote) = self.indicators.quote.first() else { return Vec::new() };
        let adjusted = self.indicators.adjclose.first();
        let cell = |column: &Column, place: usize| {
            column.get(place).copied().flatten().filter(|value| value.is_finite())
        };
        let row = |(place, &stamp): (usize, &i64)| {
            let columns = [&quote.open, &quote.high, &quote.low, &quote.close];
            let mut prices = [0.0; 4];
            for (price, column) in prices.iter_mut().zip(columns) {
                *price = cell(column, place)?;
            }
            Some(Row {
                stamp,
                day: day_of(stamp, &zone),
                prices,
                // Indices and currencies have none.
                volume: cell(&quote.volume, place).unwrap_or(0.0).max(0.0),
                adjusted: adjusted.and_then(|column| cell(&column.adjclose, place)),
            })
        };
        let mut rows: Vec<Row> = self.stamps.iter().enumerate().filter_map(row).collect();
        if let [.., before, last] = &rows[..] {
            let length = interval.nominal().as_secs() as i64;
            let is_close = match interval {
                Interval::D1 => last.day <= before.day,
                Interval::W1 | Interval::Mo1 => {
                    let open = |row: &Row| interval.open_of(row.day.start());
                    open(last) <= open(before)
                }
                _ => last.stamp - before.stamp < length,
            };
            if is_close {
                rows.pop();
            }
        }
        let now = self.meta.regular_market_time;
        rows.pop_if(|last| last.is_a_moment() && now == Some(last.stamp));
        if interval < Interval::D1 {
            keep_the_grid(&mut rows, interval);
        }
        rows
    }

    /// What prices of each row are multiplied by to be those that were traded.
    fn scales(&self, rows: &[Row]) -> Vec<f64> {
        let mut scales = vec![1.0; rows.len()];
        for (at, ratio) in self.splits() {
            let place = rows.partition_point(|row| row.day < at);
            if !is_as_traded(rows, place, ratio) {
                scales[..place].iter_mut().for_each(|scale| *scale *= ratio);
            }
        }
        scales
    }

    fn bar(&self, row: &Row, scale: f64) -> Option<Bar> {
        let price = |value: f64| {
            let value = value * scale;
            Price::from_f64_rounded(value, self.decimals(value))
        };
        let [open, high, low, close] = row.prices.map(price);
        Some(Bar {
            instrument: InstrumentId(u32::MAX),
            interval: Interval::D1,
            open_time: Timestamp::EPOCH,
            open: open?,
            high: high?,
            low: low?,
            close: close?,
            volume: format!("{:.0}", row.volume / scale).parse().unwrap_or(Qty::ZERO),
            trades: 0,
        })
    }

    /// Days of splits and their ratios, oldest first.
    pub(super) fn splits(&self) -> Vec<(Day, f64)> {
        let zone = self.zone();
        let known = self.events.splits.values();
        let ratio = |split: &Split| {
            let ratio = split.numerator / split.denominator;
            let is_sound = ratio.is_finite() && ratio > 0.0 && ratio != 1.0;
            is_sound.then(|| (day_of(split.date, &zone), ratio))
        };
        let mut splits: Vec<(Day, f64)> = known.filter_map(ratio).collect();
        splits.sort_by_key(|(day, _)| *day);
        splits
    }

    /// Days of dividends and their amounts, oldest first.
    pub(super) fn payments(&self) -> Vec<(Day, f64)> {
        let zone = self.zone();
        let Events { dividends, capital_gains, .. } = &self.events;
        let all = dividends.values().chain(capital_gains.values());
        let sound = all.filter(|payment| payment.amount.is_finite() && payment.amount > 0.0);
        let mut payments: Vec<(Day, f64)> =
            sound.map(|payment| (day_of(payment.date, &zone), payment.amount)).collect();
        payments.sort_by_key(|(day, _)| *day);
        payments
    }

    /// The zone by its name: the offset beside it is today's, and wrong across a change of clocks.
    fn zone(&self) -> TimeZone {
        let named = self.meta.exchange_timezone_name.as_deref();
        let named = named.and_then(|name| TimeZone::get(name).ok());
        named.unwrap_or_else(|| {
            let offset = i32::try_from(self.meta.gmtoffset).unwrap_or(0);
            TimeZone::fixed(jiff::tz::Offset::from_seconds(offset).unwrap_or(jiff::tz::Offset::UTC))
        })
    }
}

/// Drops rows between the places where bars open: hours may begin at half past, so each day's first
/// row says where its grid lies.
fn keep_the_grid(rows: &mut Vec<Row>, interval: Interval) {
    let length = interval.nominal().as_secs() as i64;
    let mut anchor: Option<(Day, i64)> = None;
    rows.retain(|row| {
        // Sessions open at whole or half hours.
        let is_plausible = row.stamp.rem_euclid(length.min(1_800)) == 0;
        match anchor {
            Some((day, first)) if day == row.day => {
                is_plausible && (row.stamp - first).rem_euclid(length) == 0
            }
            _ if is_plausible => {
                anchor = Some((row.day, row.stamp));
                true
            }
            _ => false,
        }
    });
}

/// Whether closes before a split are those that were traded: the adjusted ones make up for it then.
/// `place` is the first row after it.
fn is_as_traded(rows: &[Row], place: usize, ratio: f64) -> bool {
    let share = |row: &Row| Some(row.adjusted? / row.close()).filter(|share| *share > 0.0);
    let before = rows[..place].iter().rev().find_map(share);
    let after = rows[place..].iter().find_map(share);
    let (Some(before), Some(after)) = (before, after) else { return false };
    let jump = before / after;
    let distance = |expected: f64| (jump / expected).max(expected / jump);
    distance(1.0 / ratio) < distance(1.0)
}

/// The date of a moment on a market's clock.
fn day_of(secs: i64, zone: &TimeZone) -> Day {
    let day = Timestamp::from_secs(secs).day();
    let Ok(instant) = jiff::Timestamp::from_second(secs) else { return day };
    let date = zone.to_datetime(instant).date();
    let (month, of_month) = (date.month().unsigned_abs(), date.day().unsigned_abs());
    Day::from_civil(date.year().into(), month.into(), of_month.into()).unwrap_or(day)
}
