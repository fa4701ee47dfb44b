//! Bars as plain numbers: one of them for the streaming forms, columns of them for the others.

use finstage_model::{Bar, Timestamp};

use crate::series::is_usable;

/// One bar in doubles. What a source does not have is NaN, and no indicator that reads it answers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarInput {
    /// Its first moment.
    pub open_time: Timestamp,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Quantity traded.
    pub volume: f64,
}

impl From<&Bar> for BarInput {
    fn from(bar: &Bar) -> Self {
        Self {
            open_time: bar.open_time,
            open: bar.open.to_f64(),
            high: bar.high.to_f64(),
            low: bar.low.to_f64(),
            close: bar.close.to_f64(),
            volume: bar.volume.to_f64(),
        }
    }
}

impl BarInput {
    /// The three prices that tell how far it went.
    #[must_use]
    pub fn range(&self) -> HighLowClose {
        HighLowClose { high: self.high, low: self.low, close: self.close }
    }

    /// Its quantity at its close.
    #[must_use]
    pub fn at_close(&self) -> Traded {
        Traded { price: self.close, volume: self.volume }
    }

    /// Its quantity at its typical price.
    #[must_use]
    pub fn at_typical(&self) -> Traded {
        Traded { price: self.range().typical(), volume: self.volume }
    }
}

/// Highest, lowest and last price of a bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HighLowClose {
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
}

impl HighLowClose {
    /// Where the bar was on the whole: the mean of the three.
    #[must_use]
    pub fn typical(self) -> f64 {
        (self.high + self.low + self.close) / 3.0
    }

    pub(crate) fn is_usable(self) -> bool {
        is_usable(self.high) & is_usable(self.low) & is_usable(self.close)
    }
}

impl From<&Bar> for HighLowClose {
    fn from(bar: &Bar) -> Self {
        Self { high: bar.high.to_f64(), low: bar.low.to_f64(), close: bar.close.to_f64() }
    }
}

/// A price, and how much was traded at it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Traded {
    /// The price.
    pub price: f64,
    /// The quantity; not negative.
    pub volume: f64,
}

impl Traded {
    pub(crate) fn is_usable(self) -> bool {
        is_usable(self.price) & is_usable(self.volume) & (self.volume >= 0.0)
    }
}

/// Bars column by column, oldest first. A column that is missing or shorter than the others counts
/// as NaN where it has no place.
#[derive(Debug, Clone, Copy, Default)]
pub struct BarColumns<'a> {
    /// First moments.
    pub open_time: &'a [Timestamp],
    /// First prices.
    pub open: &'a [f64],
    /// Highest prices.
    pub high: &'a [f64],
    /// Lowest prices.
    pub low: &'a [f64],
    /// Last prices.
    pub close: &'a [f64],
    /// Quantities traded.
    pub volume: &'a [f64],
}

impl<'a> BarColumns<'a> {
    /// Bars of which only the close is known.
    #[must_use]
    pub fn of_closes(close: &'a [f64]) -> Self {
        Self { close, ..Self::default() }
    }

    /// The number of bars.
    #[must_use]
    pub fn len(&self) -> usize {
        let prices = [self.open, self.high, self.low, self.close, self.volume];
        prices.iter().map(|column| column.len()).fold(self.open_time.len(), usize::max)
    }

    /// Whether there is no bar.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of the bars.
    #[must_use]
    pub fn get(&self, place: usize) -> BarInput {
        let number = |column: &[f64]| column.get(place).copied().unwrap_or(f64::NAN);
        BarInput {
            open_time: self.open_time.get(place).copied().unwrap_or(Timestamp::EPOCH),
            open: number(self.open),
            high: number(self.high),
            low: number(self.low),
            close: number(self.close),
            volume: number(self.volume),
        }
    }
}

/// Which numbers of a bar an indicator reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// Its first moment.
    OpenTime,
    /// First price.
    Open,
    /// Highest price.
    High,
    /// Lowest price.
    Low,
    /// Last price.
    Close,
    /// Quantity traded.
    Volume,
}

impl Field {
    /// Its name in files: `open`, `close`, `timestamp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OpenTime => "timestamp",
            Self::Open => "open",
            Self::High => "high",
            Self::Low => "low",
            Self::Close => "close",
            Self::Volume => "volume",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_column_does_not_have_is_not_a_number() {
        let bars = BarColumns { high: &[2.0, 3.0], ..BarColumns::of_closes(&[1.0]) };
        assert_eq!(bars.len(), 2);
        assert_eq!(bars.get(0).close, 1.0);
        let second = bars.get(1);
        assert!(second.close.is_nan() && second.volume.is_nan());
        assert!(!second.range().is_usable());
        assert!(BarColumns::default().is_empty());
    }

    #[test]
    fn a_bar_of_the_model_becomes_numbers() {
        use finstage_model::{InstrumentId, Interval, Price, Qty};
        let price = |text: &str| text.parse::<Price>().unwrap();
        let bar = Bar {
            instrument: InstrumentId(0),
            interval: Interval::D1,
            open_time: "2024-01-02".parse().unwrap(),
            open: price("10"),
            high: price("12.5"),
            low: price("9.5"),
            close: price("11"),
            volume: "7.25".parse::<Qty>().unwrap(),
            trades: 0,
        };
        let input = BarInput::from(&bar);
        assert_eq!((input.open, input.high, input.low), (10.0, 12.5, 9.5));
        assert_eq!(input.at_close(), Traded { price: 11.0, volume: 7.25 });
        assert_eq!(input.at_typical().price, 11.0);
        assert_eq!(HighLowClose::from(&bar), input.range());
        assert_eq!(input.open_time, bar.open_time);
    }

    #[test]
    fn a_negative_quantity_is_not_usable() {
        assert!(Traded { price: -1.0, volume: 0.0 }.is_usable());
        assert!(!Traded { price: 1.0, volume: -1.0 }.is_usable());
        assert!(!Traded { price: 1.0, volume: f64::NAN }.is_usable());
    }
}
