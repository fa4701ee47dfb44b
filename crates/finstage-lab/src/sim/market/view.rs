//! What can be asked of a market: bars, recent trades, a day's figures, a book.

use std::time::Duration;

use finstage_model::{Bar, Interval, Price, Qty, Timestamp};

use super::{Kline, Listing, Market, SimTrade};
use crate::rng::mix;

/// Which bars of a series.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BarQuery {
    /// Index of the symbol.
    pub symbol: u32,
    /// Length of the bars.
    pub interval: Interval,
    /// The first open time wanted. With it the oldest bars are given, without it the newest.
    pub from: Option<Timestamp>,
    /// The last open time wanted.
    pub to: Option<Timestamp>,
    /// The most bars wanted.
    pub limit: usize,
}

impl BarQuery {
    /// The newest bars of a series.
    #[must_use]
    pub fn newest(symbol: u32, interval: Interval, limit: usize) -> Self {
        Self { symbol, interval, from: None, to: None, limit }
    }
}

/// The figures of the last 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayStats {
    /// The span as one bar.
    pub kline: Kline,
    /// The price before the span, its own first price where nothing is known.
    pub before: Price,
    /// The newest trade, if it was seen.
    pub last: Option<SimTrade>,
}

impl Market {
    /// Closed bars as of the market's present, oldest first.
    #[must_use]
    pub fn bars(&self, query: &BarQuery) -> Vec<Bar> {
        let present = |kline: &&Kline| kline.bar.close_time() <= self.now;
        self.klines(query).iter().filter(present).map(|kline| kline.bar).collect()
    }

    /// Closed bars and the open one, oldest first, with all that venues print.
    #[must_use]
    pub fn klines(&self, query: &BarQuery) -> Vec<Kline> {
        let BarQuery { interval, from, to, limit, .. } = *query;
        let Some(desk) = self.desks.get(query.symbol as usize) else { return Vec::new() };
        let Some(closed) = desk.book.closed(interval) else { return Vec::new() };
        let wanted = |kline: &Kline| {
            let open_time = kline.bar.open_time;
            from.is_none_or(|from| from <= open_time) && to.is_none_or(|to| open_time <= to)
        };
        let open = desk.book.open(interval).filter(wanted);
        let first = from.map_or(0, |from| closed.partition_point(|k| k.bar.open_time < from));
        let end = to.map_or(closed.len(), |to| closed.partition_point(|k| k.bar.open_time <= to));
        let end = end.max(first);
        if from.is_some() {
            let kept = closed.range(first..end).copied();
            return kept.chain(open).take(limit).collect();
        }
        let room = limit.saturating_sub(usize::from(open.is_some()));
        let first = end.saturating_sub(room);
        closed.range(first..end).copied().chain(open).take(limit).collect()
    }

    /// The last price, `None` before anything was traded.
    #[must_use]
    pub fn last_price(&self, symbol: u32) -> Option<Price> {
        self.desks.get(symbol as usize)?.book.last_close()
    }

    /// The newest trades, oldest first.
    pub fn recent_trades(&self, symbol: u32) -> impl DoubleEndedIterator<Item = &SimTrade> {
        self.desks.get(symbol as usize).into_iter().flat_map(|desk| &desk.recent)
    }

    /// The figures of the last 24 hours, of the newest bar where that is longer or older.
    #[must_use]
    pub fn day_stats(&self, symbol: u32) -> Option<DayStats> {
        let desk = self.desks.get(symbol as usize)?;
        let base = desk.book.base();
        let since = self.now.minus(Duration::from_secs(86_400));
        let closed = desk.book.closed(base)?;
        let first = closed.partition_point(|kline| kline.bar.open_time < since);
        let open = desk.book.open(base);
        let mut span = closed.range(first..).copied().chain(open);
        let newest = || closed.back().copied();
        let mut kline = span.next().or_else(newest)?;
        for later in span {
            kline.absorb(&later);
        }
        let before = first.checked_sub(1).and_then(|i| closed.get(i));
        Some(DayStats {
            kline,
            before: before.map_or(kline.bar.open, |kline| kline.bar.close),
            last: desk.recent.back().copied(),
        })
    }

    /// A book around the last price: bids from high to low, asks from low to high. Quantities
    /// depend on seed and price only, so that a level keeps its size while it is not traded.
    #[must_use]
    pub fn depth(&self, symbol: u32, levels: usize) -> (Vec<Level>, Vec<Level>) {
        let Some((desk, last)) = self.desks.get(symbol as usize).zip(self.last_price(symbol))
        else {
            return (Vec::new(), Vec::new());
        };
        let tick = desk.listing.tick.nanos();
        let level = |steps: i64| {
            let price = last.nanos().saturating_add(steps.saturating_mul(tick));
            (price > 0).then(|| self.level(&desk.listing, price))
        };
        let bids = (1..=levels as i64).map_while(|i| level(-i)).collect();
        let asks = (1..=levels as i64).map_while(level).collect();
        (bids, asks)
    }

    fn level(&self, listing: &Listing, price: i64) -> Level {
        let lots = 1 + mix(self.seed, price.unsigned_abs(), 1) % 50_000;
        (Price::from_nanos(price), Qty::from_nanos(listing.lot.nanos() * u128::from(lots)))
    }
}

/// A price and what waits there.
pub type Level = (Price, Qty);
