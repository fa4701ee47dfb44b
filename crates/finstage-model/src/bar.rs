use std::fmt;

use crate::{InstrumentId, Interval, Price, Qty, Timestamp};

/// Open, high, low, close and volume over an interval.
///
/// Half-open: trades with `open_time <= ts_event < close_time` belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// Whose bar.
    pub instrument: InstrumentId,
    /// How long.
    pub interval: Interval,
    /// Its first moment, also its name in files (`timestamp`).
    pub open_time: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Quantity traded.
    pub volume: Qty,
    /// Number of trades; 0 where the source does not say.
    pub trades: u32,
}

// Bars are copied between queues by the million; a growth of this type is a decision.
const _: () = assert!(size_of::<Bar>() == 80);

impl Bar {
    /// The first moment after the bar.
    #[must_use]
    pub fn close_time(&self) -> Timestamp {
        self.interval.close_of(self.open_time)
    }

    /// What is wrong with the bar, if anything: the high must be the highest and the low the
    /// lowest of the four prices.
    #[must_use]
    #[inline]
    pub fn fault(&self) -> Option<BarFault> {
        if self.high < self.low {
            Some(BarFault::HighBelowLow)
        } else if self.high < self.open.max(self.close) {
            Some(BarFault::HighBelowBody)
        } else if self.low > self.open.min(self.close) {
            Some(BarFault::LowAboveBody)
        } else {
            None
        }
    }

    /// Whether both bars say the same, trade count aside (files do not carry it).
    #[must_use]
    pub fn same_prices(&self, other: &Self) -> bool {
        Self { trades: 0, ..*self } == Self { trades: 0, ..*other }
    }

    /// Extends the bar by a later bar or trade of the same instrument.
    pub fn absorb(&mut self, high: Price, low: Price, close: Price, volume: Qty, trades: u32) {
        self.high = self.high.max(high);
        self.low = self.low.min(low);
        self.close = close;
        self.volume = self.volume.saturating_add(volume);
        self.trades = self.trades.saturating_add(trades);
    }
}

/// What can be wrong with the four prices of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BarFault {
    /// The high is below the low.
    HighBelowLow,
    /// The high is below the open or the close.
    HighBelowBody,
    /// The low is above the open or the close.
    LowAboveBody,
}

impl fmt::Display for BarFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HighBelowLow => "high is below low",
            Self::HighBelowBody => "high is below open or close",
            Self::LowAboveBody => "low is above open or close",
        })
    }
}

/// Stored bars of one series, oldest first: they warm indicators and say nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Whose bars.
    pub instrument: InstrumentId,
    /// Of which length.
    pub interval: Interval,
    /// The bars, oldest first, each of this instrument and interval.
    pub bars: Vec<Bar>,
}
