//! The bars of one symbol: open and closed, all intervals, each exactly what its trades say.
//!
//! Trades touch the shortest interval only. When its bar closes, it is absorbed by the next longer
//! one, which may close in turn: `1m → 5m → 15m → 30m → 1h → 4h → 1d → 1w, 1mo`. An open bar is
//! therefore the sum of the open bars below it, added up when somebody looks.

use std::collections::VecDeque;

use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Timestamp};

/// Closed bars kept per symbol and interval.
pub const KEPT_BARS: usize = 3_000;

/// A bar with what venues print beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kline {
    /// The bar.
    pub bar: Bar,
    /// Turnover in the quote currency, in units of 1e-18.
    pub quote: u128,
    /// The part of the volume whose buyer took.
    pub taker_base: Qty,
    /// The part of the turnover whose buyer took, in units of 1e-18.
    pub taker_quote: u128,
    /// Id of the first trade, −1 where there was none.
    pub first_id: i64,
    /// Id of the last trade, −1 where there was none.
    pub last_id: i64,
}

/// One execution on the simulated venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimTrade {
    /// Index of the symbol in the market.
    pub symbol: u32,
    /// Ascending by one per symbol.
    pub id: u64,
    /// When, in whole milliseconds.
    pub at: Timestamp,
    /// At which price.
    pub price: Price,
    /// How much, never zero.
    pub qty: Qty,
    /// Whether the buyer's order was waiting in the book, so that the seller took.
    pub buyer_is_maker: bool,
}

impl SimTrade {
    /// Turnover in units of 1e-18.
    #[must_use]
    pub fn quote(&self) -> u128 {
        let price = u128::from(self.price.nanos().unsigned_abs());
        price.saturating_mul(self.qty.nanos())
    }
}

impl Kline {
    /// A bar at one price in which nothing was traded.
    pub(crate) fn flat(series: (InstrumentId, Interval), open_time: Timestamp, at: Price) -> Self {
        let bar = Bar {
            instrument: series.0,
            interval: series.1,
            open_time,
            open: at,
            high: at,
            low: at,
            close: at,
            volume: Qty::ZERO,
            trades: 0,
        };
        Self { bar, quote: 0, taker_base: Qty::ZERO, taker_quote: 0, first_id: -1, last_id: -1 }
    }

    fn absorb_trade(&mut self, trade: &SimTrade) {
        self.bar.absorb(trade.price, trade.price, trade.price, trade.qty, 1);
        let quote = trade.quote();
        self.quote = self.quote.saturating_add(quote);
        if !trade.buyer_is_maker {
            self.taker_base = self.taker_base.saturating_add(trade.qty);
            self.taker_quote = self.taker_quote.saturating_add(quote);
        }
        if self.first_id < 0 {
            self.first_id = trade.id as i64;
        }
        self.last_id = trade.id as i64;
    }

    /// Extends the bar by a later one.
    pub(crate) fn absorb(&mut self, later: &Self) {
        let bar = &later.bar;
        self.bar.absorb(bar.high, bar.low, bar.close, bar.volume, bar.trades);
        self.quote = self.quote.saturating_add(later.quote);
        self.taker_base = self.taker_base.saturating_add(later.taker_base);
        self.taker_quote = self.taker_quote.saturating_add(later.taker_quote);
        if self.first_id < 0 {
            self.first_id = later.first_id;
        }
        self.last_id = self.last_id.max(later.last_id);
    }
}

/// All bars of one symbol.
#[derive(Debug, Clone)]
pub(crate) struct BarBook {
    instrument: InstrumentId,
    levels: Vec<Level>,
}

#[derive(Debug, Clone)]
struct Level {
    interval: Interval,
    /// The level whose closed bars this one is made of; itself for the shortest.
    made_of: usize,
    open: Option<Kline>,
    closes_at: Timestamp,
    closed: VecDeque<Kline>,
}

impl BarBook {
    /// Every interval, made from minutes.
    pub(crate) fn all(instrument: InstrumentId) -> Self {
        let made_of = |i: usize| match Interval::ALL[i] {
            Interval::Mo1 => i - 2, // months are made of days: a week may belong to two
            _ => i.saturating_sub(1),
        };
        let levels = Interval::ALL.iter().enumerate();
        Self { instrument, levels: levels.map(|(i, n)| Level::new(*n, made_of(i))).collect() }
    }

    /// One interval, as a file has it.
    pub(crate) fn only(instrument: InstrumentId, interval: Interval) -> Self {
        Self { instrument, levels: vec![Level::new(interval, 0)] }
    }

    /// The shortest interval.
    pub(crate) fn base(&self) -> Interval {
        self.levels[0].interval
    }

    /// The intervals, shortest first.
    pub(crate) fn intervals(&self) -> impl Iterator<Item = Interval> {
        self.levels.iter().map(|level| level.interval)
    }

    /// Adds a trade to the shortest open bar, which began at `open_time`.
    pub(crate) fn on_trade(&mut self, trade: &SimTrade, open_time: Timestamp) {
        let series = (self.instrument, self.base());
        let open = &mut self.levels[0].open;
        let kline = open.get_or_insert_with(|| Kline::flat(series, open_time, trade.price));
        kline.absorb_trade(trade);
    }

    /// Closes the shortest open bar. `exact` replaces its prices and volume where a file has the
    /// last word; without trades it is a flat bar at the last close.
    pub(crate) fn finish(&mut self, open_time: Timestamp, exact: Option<&Bar>) -> Option<Kline> {
        let series = (self.instrument, self.base());
        let last = self.last_close();
        let level = &mut self.levels[0];
        let mut kline = match (level.open.take(), exact, last) {
            (Some(kline), _, _) => kline,
            (None, Some(bar), _) => Kline::flat(series, open_time, bar.open),
            (None, None, Some(price)) => Kline::flat(series, open_time, price),
            (None, None, None) => return None,
        };
        if let Some(bar) = exact {
            kline.bar = Bar { instrument: series.0, trades: kline.bar.trades, ..*bar };
        }
        Some(kline)
    }

    /// Files a closed bar of the shortest interval and everything that closes with it at `at`;
    /// hands out what closed, shortest interval first.
    pub(crate) fn close(&mut self, kline: Kline, at: Timestamp, mut out: impl FnMut(Kline)) {
        let mut closed_now = [None; Interval::ALL.len()];
        closed_now[0] = Some(kline);
        self.levels[0].keep(kline);
        out(kline);
        for i in 1..self.levels.len() {
            let Some(part) = closed_now[self.levels[i].made_of] else { continue };
            let level = &mut self.levels[i];
            level.absorb(&part);
            if level.closes_at <= at
                && let Some(kline) = level.open.take()
            {
                level.keep(kline);
                closed_now[i] = Some(kline);
                out(kline);
            }
        }
    }

    /// The open bar of an interval, if anything happened in it.
    pub(crate) fn open(&self, interval: Interval) -> Option<Kline> {
        let i = self.levels.iter().position(|level| level.interval == interval)?;
        self.open_level(i)
    }

    fn open_level(&self, i: usize) -> Option<Kline> {
        let level = &self.levels[i];
        if i == 0 {
            return level.open;
        }
        match (level.open, self.open_level(level.made_of)) {
            (Some(mut kline), Some(later)) => {
                kline.absorb(&later);
                Some(kline)
            }
            (None, Some(later)) => Some(level.widen(&later)),
            (open, None) => open,
        }
    }

    /// The kept closed bars of an interval, oldest first.
    pub(crate) fn closed(&self, interval: Interval) -> Option<&VecDeque<Kline>> {
        self.levels.iter().find(|level| level.interval == interval).map(|level| &level.closed)
    }

    /// The last price of the shortest interval.
    pub(crate) fn last_close(&self) -> Option<Price> {
        let level = &self.levels[0];
        level.open.or(level.closed.back().copied()).map(|kline| kline.bar.close)
    }
}

impl Level {
    fn new(interval: Interval, made_of: usize) -> Self {
        let closes_at = Timestamp::MIN;
        Self { interval, made_of, open: None, closes_at, closed: VecDeque::new() }
    }

    /// The first part of a bar of this level.
    fn widen(&self, part: &Kline) -> Kline {
        let open_time = self.interval.open_of(part.bar.open_time);
        Kline { bar: Bar { interval: self.interval, open_time, ..part.bar }, ..*part }
    }

    fn absorb(&mut self, part: &Kline) {
        if let Some(kline) = &mut self.open {
            kline.absorb(part);
        } else {
            let kline = self.widen(part);
            self.closes_at = kline.bar.close_time();
            self.open = Some(kline);
        }
    }

    fn keep(&mut self, kline: Kline) {
        if self.closed.len() == KEPT_BARS {
            self.closed.pop_front();
        }
        self.closed.push_back(kline);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade(id: u64, at: &str, price: &str) -> SimTrade {
        SimTrade {
            symbol: 0,
            id,
            at: at.parse().unwrap(),
            price: price.parse().unwrap(),
            qty: "2".parse().unwrap(),
            buyer_is_maker: id.is_multiple_of(2),
        }
    }

    #[test]
    fn an_open_day_is_the_sum_of_what_closed_and_what_is_open() {
        let mut book = BarBook::all(InstrumentId(0));
        let mut closed = Vec::new();
        for (id, at, price) in [
            (1, "2026-01-31T23:58:10Z", "10"),
            (2, "2026-01-31T23:58:50Z", "14"),
            (3, "2026-01-31T23:59:05Z", "9"),
        ] {
            let trade = trade(id, at, price);
            let open_time = Interval::M1.open_of(trade.at);
            if book.open(Interval::M1).is_some_and(|open| open.bar.open_time < open_time) {
                let minute = book.finish(Interval::M1.open_of(trade.at), None).unwrap();
                book.close(minute, open_time, |kline| closed.push(kline));
            }
            book.on_trade(&trade, open_time);
        }
        let day = book.open(Interval::D1).unwrap();
        assert_eq!((day.bar.open, day.bar.high), ("10".parse().unwrap(), "14".parse().unwrap()));
        assert_eq!((day.bar.low, day.bar.close), ("9".parse().unwrap(), "9".parse().unwrap()));
        assert_eq!((day.first_id, day.last_id, day.bar.trades), (1, 3, 3));
        assert_eq!(day.taker_base.to_string(), "4");
        assert_eq!(closed.len(), 1);

        let midnight = "2026-02-01T00:00:00Z".parse().unwrap();
        let minute = book.finish("2026-01-31T23:59:00Z".parse().unwrap(), None).unwrap();
        book.close(minute, midnight, |kline| closed.push(kline));
        let names: Vec<&str> = closed[1..].iter().map(|k| k.bar.interval.as_str()).collect();
        assert_eq!(names, ["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1mo"]);
        assert_eq!(book.open(Interval::D1), None);
        assert_eq!(book.open(Interval::W1).unwrap().bar.trades, 3);
    }

    #[test]
    fn a_minute_without_trades_is_flat_at_the_last_close() {
        let mut book = BarBook::all(InstrumentId(0));
        assert_eq!(book.finish(Timestamp::EPOCH, None), None);
        book.on_trade(&trade(1, "1970-01-01T00:00:10Z", "10"), Timestamp::EPOCH);
        let first = book.finish(Timestamp::EPOCH, None).unwrap();
        book.close(first, Timestamp::from_secs(60), |_| {});
        let flat = book.finish(Timestamp::from_secs(60), None).unwrap();
        assert_eq!((flat.bar.open, flat.bar.trades, flat.first_id), (first.bar.close, 0, -1));
    }
}
