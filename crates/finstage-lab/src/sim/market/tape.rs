//! A symbol that plays the bars of a file.
//!
//! Each bar becomes up to four trades: the open at its open time, the nearer of low and high after a
//! third, the other after two thirds, the close a millisecond before the end. An extreme that
//! equals the open or the close needs no trade of its own. The quantities add up to the volume of
//! the file exactly. At its end the bar itself is printed with exactly the values of the file.
//!
//! A venue prints no trade of nothing: a bar without volume is printed at its end, and no trades.
//! A bar whose successor opens before it ends (files with local days have such) ends there.

use finstage_model::text::BarTable;
use finstage_model::{Bar, InstrumentId, Price, Qty, Timestamp};

use super::book::SimTrade;
use crate::error::{Error, ErrorKind};

/// The state of a played symbol.
#[derive(Debug, Clone)]
pub(crate) struct Player {
    bars: Vec<Bar>,
    at: usize,
    instrument: InstrumentId,
    lot: u128,
    finest: u128,
    /// What is left of the bar being played, last trade first.
    plan: Vec<(Timestamp, Price, Qty)>,
    last: Option<Price>,
    next_id: u64,
}

/// The steps a table's numbers are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) tick: Price,
    pub(crate) lot: Qty,
    /// Decimals a venue would print: 8, or 9 where the file has them.
    pub(crate) decimals: u32,
}

/// The coarsest decimal steps that hold every number of the table.
pub(crate) fn grid(bars: &[Bar]) -> Grid {
    let (mut tick, mut lot) = (1_000_000_000_u128, 1_000_000_000_u128);
    for bar in bars {
        for price in [bar.open, bar.high, bar.low, bar.close] {
            tick = fitting(tick, u128::from(price.nanos().unsigned_abs()));
        }
        lot = fitting(lot, bar.volume.nanos());
    }
    let decimals = if tick.min(lot) < 10 { 9 } else { 8 };
    Grid { tick: Price::from_nanos(tick as i64), lot: Qty::from_nanos(lot), decimals }
}

/// The largest power of ten up to `step` that divides `value`.
fn fitting(mut step: u128, value: u128) -> u128 {
    while !value.is_multiple_of(step) {
        step /= 10;
    }
    step
}

/// Refuses a table that no venue could print.
pub(crate) fn check(table: &BarTable) -> Result<(), Error> {
    let refuse = |bar: &Bar, what: &str| {
        let text = format!("bars of {}: {what} at {}", table.symbol, bar.open_time);
        Err(Error::new(ErrorKind::Market, text))
    };
    for bar in &table.bars {
        if let Some(fault) = bar.fault() {
            return refuse(bar, &fault.to_string());
        }
        if bar.low.nanos() <= 0 {
            return refuse(bar, "a price that is not above zero");
        }
        if bar.open_time.nanos() % 1_000_000 != 0 {
            return refuse(bar, "a stamp that is not in whole milliseconds");
        }
    }
    for pair in table.bars.windows(2) {
        if pair[1].open_time <= pair[0].open_time {
            return refuse(&pair[1], "a bar that does not come after the one before");
        }
    }
    Ok(())
}

impl Player {
    /// A player of bars that passed [`check`], beginning with number `from`.
    pub(crate) fn new(bars: Vec<Bar>, from: usize, instrument: InstrumentId) -> Self {
        let Grid { lot, decimals, .. } = grid(&bars);
        let finest = if decimals == 9 { 1 } else { 10 };
        let lot = lot.nanos();
        let mut player = Self {
            bars,
            at: from,
            instrument,
            lot,
            finest,
            plan: Vec::with_capacity(4),
            last: None,
            next_id: 1,
        };
        player.lay_out();
        player
    }

    /// The bar being played, `None` at the end of the tape.
    pub(crate) fn bar(&self) -> Option<&Bar> {
        self.bars.get(self.at)
    }

    /// When the bar being played ends.
    pub(crate) fn ends_at(&self) -> Option<Timestamp> {
        let close = self.bar()?.close_time();
        Some(self.bars.get(self.at + 1).map_or(close, |next| close.min(next.open_time)))
    }

    /// When the next trade of this bar happens.
    pub(crate) fn next_at(&self) -> Option<Timestamp> {
        self.plan.last().map(|(at, _, _)| *at)
    }

    /// The next trade of this bar.
    pub(crate) fn take(&mut self) -> Option<SimTrade> {
        let (at, price, qty) = self.plan.pop()?;
        let buyer_is_maker = self.last.is_some_and(|last| price < last);
        self.last = Some(price);
        let id = self.next_id;
        self.next_id += 1;
        Some(SimTrade { symbol: self.instrument.0, id, at, price, qty, buyer_is_maker })
    }

    /// Goes on to the next bar.
    pub(crate) fn turn(&mut self) {
        self.at += 1;
        self.lay_out();
    }

    fn lay_out(&mut self) {
        self.plan.clear();
        let (Some(bar), Some(end)) = (self.bar().copied(), self.ends_at()) else { return };
        let to_low = bar.open.nanos() - bar.low.nanos();
        let to_high = bar.high.nanos() - bar.open.nanos();
        let extremes = if to_low <= to_high { [bar.low, bar.high] } else { [bar.high, bar.low] };
        let open_ms = bar.open_time.millis();
        let third = (end.millis() - open_ms) / 3;
        let stamps = [open_ms + third, open_ms + 2 * third];
        let mut points = vec![(open_ms, bar.open)];
        for (at, price) in stamps.into_iter().zip(extremes) {
            if price != bar.open && price != bar.close {
                points.push((at, price));
            }
        }
        points.push((end.millis() - 1, bar.close));

        let count = points.len() as u128;
        let volume = bar.volume.nanos();
        let step = if volume / self.lot >= count { self.lot } else { self.finest };
        let share = volume / step / count * step;
        if share == 0 {
            return;
        }
        let rest = volume - share * count;
        self.plan.extend(points.into_iter().rev().enumerate().map(|(i, (at, price))| {
            let qty = share + if i == 0 { rest } else { 0 };
            (Timestamp::from_millis(at), price, Qty::from_nanos(qty))
        }));
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::text::read_bars;

    use super::*;

    fn play(text: &str) -> Vec<String> {
        let table = read_bars(text, InstrumentId(0)).unwrap();
        check(&table).unwrap();
        let mut player = Player::new(table.bars, 0, InstrumentId(0));
        let mut lines = Vec::new();
        while player.bar().is_some() {
            while let Some(t) = player.take() {
                lines.push(format!("{} {} {}", t.at, t.price, t.qty));
            }
            lines.push("close".to_owned());
            player.turn();
        }
        lines
    }

    #[test]
    fn a_bar_is_walked_from_its_open_by_the_nearer_extreme_to_its_close() {
        let lines = play(
            "1m file:X open high low close volume
             2026-01-05T12:00 10 12 9 11 10
             12:01 11 11 10 10 0
             12:02 10 10 10 10 3",
        );
        assert_eq!(
            lines,
            [
                "2026-01-05T12:00:00Z 10 2",
                "2026-01-05T12:00:20Z 9 2",
                "2026-01-05T12:00:40Z 12 2",
                "2026-01-05T12:00:59.999Z 11 4",
                "close",
                "close",
                "2026-01-05T12:02:00Z 10 1",
                "2026-01-05T12:02:59.999Z 10 2",
                "close",
            ]
        );
    }

    #[test]
    fn a_volume_too_small_for_whole_lots_is_split_finer() {
        let lines = play("1h file:X open high low close volume\n2026-01-05T12:00 10 12 9 11 2");
        assert_eq!(lines[0], "2026-01-05T12:00:00Z 10 0.5");
        assert_eq!(lines.len(), 5);
    }

    #[test]
    fn the_grid_is_as_coarse_as_the_numbers_allow() {
        let bars = |text: &str| read_bars(text, InstrumentId(0)).unwrap().bars;
        let coarse = grid(&bars("1d file:X\n2026-01-05 10.25 12 9 11 300"));
        assert_eq!((coarse.tick.to_string(), coarse.lot.to_string()), ("0.01".into(), "1".into()));
        assert_eq!(coarse.decimals, 8);
        assert_eq!(grid(&bars("1d file:X\n2026-01-05 10 12 9 11.000000001 1")).decimals, 9);
    }

    #[test]
    fn a_table_no_venue_could_print_is_refused_by_name() {
        let refused = |rows: &str| {
            let table = read_bars(&format!("1d file:X\n{rows}"), InstrumentId(0)).unwrap();
            check(&table).unwrap_err().to_string()
        };
        assert!(refused("2026-01-05 10 12 11 11 1").contains("file:X: low is above"));
        assert!(refused("2026-01-05 0 12 0 11 1").contains("not above zero"));
        assert!(refused("2026-01-05 1 1 1 1 1\n2026-01-05 1 1 1 1 1").contains("after the one"));
    }
}
