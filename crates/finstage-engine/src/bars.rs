//! Bars from trades. A bar closes once: what comes later is counted and never reopens it.

use finstage_model::{Bar, InstrumentId, Interval, Timestamp, Trade};

/// Builds the bars of one series from its trades.
///
/// Several bars may be open at a time, because a stream may deliver trades out of order by as much
/// as its lateness; [`crate::MAX_LATENESS`] bounds how many.
#[derive(Debug)]
pub(crate) struct BarBuilder {
    instrument: InstrumentId,
    interval: Interval,
    /// Oldest first.
    forming: Vec<Forming>,
}

/// A bar that still takes trades.
#[derive(Debug)]
struct Forming {
    bar: Bar,
    close_time: Timestamp,
    first: Timestamp,
    last: Timestamp,
}

/// What became of a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// It belongs to a bar that was open already.
    Added,
    /// It opened a bar that closes at this moment.
    Opened(Timestamp),
    /// Its bar has closed.
    Late,
}

impl BarBuilder {
    pub(crate) const fn new(instrument: InstrumentId, interval: Interval) -> Self {
        Self { instrument, interval, forming: Vec::new() }
    }

    /// Adds a trade. Bars that close at or before `closed`, or opened before `floor`, are over,
    /// whether they had trades or not.
    pub(crate) fn on_trade(&mut self, trade: &Trade, closed: Timestamp, floor: Timestamp) -> Fit {
        let at = trade.ts_event;
        if let Some(newest) = self.forming.last_mut()
            && newest.holds(at)
        {
            newest.add(trade);
            return Fit::Added;
        }
        let open_time = self.interval.open_of(at);
        let close_time = self.interval.close_of(open_time);
        if close_time <= closed || open_time < floor {
            return Fit::Late;
        }
        let place = self.forming.partition_point(|f| f.bar.open_time < open_time);
        match self.forming.get_mut(place) {
            Some(forming) if forming.holds(at) => {
                forming.add(trade);
                Fit::Added
            }
            _ => {
                let bar = self.bar_of(trade, open_time);
                self.forming.insert(place, Forming { bar, close_time, first: at, last: at });
                Fit::Opened(close_time)
            }
        }
    }

    /// When the oldest open bar closes.
    pub(crate) fn next_close(&self) -> Option<Timestamp> {
        self.forming.first().map(|forming| forming.close_time)
    }

    /// Takes the oldest open bar out.
    pub(crate) fn take(&mut self) -> Option<Bar> {
        (!self.forming.is_empty()).then(|| self.forming.remove(0).bar)
    }

    /// Forgets open bars that began before `floor`: they are known from elsewhere.
    pub(crate) fn forget_before(&mut self, floor: Timestamp) {
        self.forming.retain(|forming| forming.bar.open_time >= floor);
    }

    fn bar_of(&self, trade: &Trade, open_time: Timestamp) -> Bar {
        let price = trade.price;
        Bar {
            instrument: self.instrument,
            interval: self.interval,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: trade.qty,
            trades: 1,
        }
    }
}

impl Forming {
    fn holds(&self, at: Timestamp) -> bool {
        self.bar.open_time <= at && at < self.close_time
    }

    /// Among trades of the same moment the order of arrival counts.
    fn add(&mut self, trade: &Trade) {
        let (price, at) = (trade.price, trade.ts_event);
        let close = if at >= self.last { price } else { self.bar.close };
        if at < self.first {
            self.bar.open = price;
        }
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.bar.absorb(price, price, close, trade.qty, 1);
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{Aggressor, Price, Qty, TradeId};

    use super::*;

    fn trade(secs: i64, price: &str) -> Trade {
        Trade {
            id: TradeId(0),
            instrument: InstrumentId(0),
            ts_event: Timestamp::from_secs(secs),
            price: price.parse().unwrap(),
            qty: "2".parse().unwrap(),
            aggressor: Aggressor::Unknown,
        }
    }

    #[test]
    fn trades_out_of_order_make_the_bar_of_their_times() {
        let mut builder = BarBuilder::new(InstrumentId(0), Interval::M1);
        let mut add =
            |secs, price| builder.on_trade(&trade(secs, price), Timestamp::MIN, Timestamp::MIN);
        assert_eq!(add(130, "7"), Fit::Opened(Timestamp::from_secs(180)));
        assert_eq!(add(70, "10"), Fit::Opened(Timestamp::from_secs(120)));
        assert_eq!(add(119, "12"), Fit::Added);
        assert_eq!(add(60, "11"), Fit::Added);
        assert_eq!(add(80, "9"), Fit::Added);
        let bar = builder.take().unwrap();
        assert_eq!(bar.open_time, Timestamp::from_secs(60));
        let prices = [bar.open, bar.high, bar.low, bar.close].map(|p: Price| p.to_string());
        assert_eq!(prices, ["11", "12", "9", "12"]);
        assert_eq!((bar.volume, bar.trades), ("8".parse::<Qty>().unwrap(), 4));
        assert_eq!(builder.next_close(), Some(Timestamp::from_secs(180)));
    }

    #[test]
    fn a_trade_of_a_closed_bar_is_late_even_if_the_bar_had_no_trades() {
        let mut builder = BarBuilder::new(InstrumentId(0), Interval::M1);
        let closed = Timestamp::from_secs(120);
        assert_eq!(builder.on_trade(&trade(119, "1"), closed, Timestamp::MIN), Fit::Late);
        assert_eq!(builder.on_trade(&trade(119, "1"), Timestamp::MIN, closed), Fit::Late);
        assert_ne!(builder.on_trade(&trade(120, "1"), closed, closed), Fit::Late);
    }
}
