//! Bars as columns of doubles: the border between quoted numbers and computed ones.
//!
//! A loop over a year of minutes reads one or two columns, not eighty bytes a bar. Exact bars
//! enter here; nothing comes back.

use finstage_model::{Bar, Price};

use crate::{Error, ErrorKind};

/// The prices of one series of bars, column by column; all columns have the same length.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BarSeries {
    open: Vec<f64>,
    high: Vec<f64>,
    low: Vec<f64>,
    close: Vec<f64>,
}

impl BarSeries {
    /// The columns of bars of one instrument and interval, oldest first.
    ///
    /// # Errors
    /// When a bar is of another series than the first, does not open after the one before it, or
    /// has a high or low that cannot be.
    pub fn new(bars: &[Bar]) -> Result<Self, Error> {
        check_bars(bars)?;
        Ok(Self {
            open: column(bars, |bar| bar.open),
            high: column(bars, |bar| bar.high),
            low: column(bars, |bar| bar.low),
            close: column(bars, |bar| bar.close),
        })
    }

    /// The number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        self.close.len()
    }

    /// Whether there is no bar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.close.is_empty()
    }

    /// First prices.
    #[must_use]
    pub fn open(&self) -> &[f64] {
        &self.open
    }

    /// Highest prices.
    #[must_use]
    pub fn high(&self) -> &[f64] {
        &self.high
    }

    /// Lowest prices.
    #[must_use]
    pub fn low(&self) -> &[f64] {
        &self.low
    }

    /// Last prices.
    #[must_use]
    pub fn close(&self) -> &[f64] {
        &self.close
    }
}

fn column(bars: &[Bar], price: impl Fn(&Bar) -> Price) -> Vec<f64> {
    bars.iter().map(|bar| price(bar).to_f64()).collect()
}

/// Refuses what is not one series, oldest first.
pub(crate) fn check_bars(bars: &[Bar]) -> Result<(), Error> {
    let refuse = |bar: &Bar, why: &str| {
        Err(Error::new(ErrorKind::Bars, format!("bar of {}: {why}", bar.open_time)))
    };
    let mut before: Option<&Bar> = None;
    for bar in bars {
        if let Some(fault) = bar.fault() {
            return refuse(bar, &fault.to_string());
        }
        if let Some(before) = before.replace(bar) {
            if (bar.instrument, bar.interval) != (before.instrument, before.interval) {
                return refuse(bar, "it is of another series than the bar before it");
            }
            if bar.open_time <= before.open_time {
                return refuse(bar, "it does not open after the bar before it");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use finstage_model::{InstrumentId, Interval, Price, Qty, Timestamp};

    use super::*;

    fn bar(day: i64) -> Bar {
        let price = Price::from_nanos(1_500_000_000);
        Bar {
            instrument: InstrumentId(0),
            interval: Interval::D1,
            open_time: Timestamp::from_secs(day * 86_400),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            trades: 0,
        }
    }

    fn refused(bars: &[Bar]) -> String {
        let error = BarSeries::new(bars).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Bars);
        error.to_string()
    }

    #[test]
    fn columns_hold_what_the_bars_say() {
        let series = BarSeries::new(&[bar(1), bar(3)]).unwrap();
        assert_eq!((series.len(), series.close()), (2, &[1.5, 1.5][..]));
        assert!(BarSeries::new(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_one_series_is_refused() {
        assert_eq!(
            refused(&[bar(1), bar(1)]),
            "bar of 1970-01-02T00:00:00Z: it does not open after the bar before it"
        );
        let other = Bar { interval: Interval::H1, ..bar(2) };
        assert!(refused(&[bar(1), other]).contains("another series"));
        let low = Bar { high: Price::from_nanos(1), ..bar(1) };
        assert!(refused(&[low]).contains("high is below low"));
    }
}
