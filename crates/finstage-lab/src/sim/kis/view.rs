//! A symbol at a moment: what was traded so far, day by day, minute by minute, trade by trade.
//!
//! Trades are made of the minute they lie in: the first is its open, the last its close, two others its
//! high and its low, and their quantities add up to its volume. So price, minutes, days and the trades of
//! a session tell the same story, to whoever asks when.

use finstage_model::Day;

use super::listings::{Board, Stock};
use crate::rng::mix;
use crate::sim::charts::{Piece, Series};

/// Trades of a minute that has at least so many shares.
pub(super) const TRADES_A_MINUTE: usize = 8;

/// A symbol and the present.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) stock: Stock,
    pub(super) series: &'a Series,
    /// Unix seconds.
    pub(super) now: i64,
}

/// One trade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Trade {
    pub(super) at: i64,
    pub(super) price: f64,
    pub(super) quantity: i64,
    /// Whether the buyer took.
    pub(super) is_buy: bool,
}

/// A span of a chart as it is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) day: Day,
    pub(super) at: i64,
    /// Open, high, low, close.
    pub(super) prices: [f64; 4],
    pub(super) volume: i64,
    /// Price × quantity, at the middle of each minute.
    pub(super) value: f64,
    /// The close before.
    pub(super) before: f64,
    /// So many shares became of one on its first day.
    pub(super) split: f64,
}

impl Span {
    pub(super) fn change(&self) -> f64 {
        self.prices[3] - self.before
    }

    pub(super) fn absorb(&mut self, later: &Self) {
        let [_, high, low, close] = &mut self.prices;
        *high = high.max(later.prices[1]);
        *low = low.min(later.prices[2]);
        *close = later.prices[3];
        self.volume += later.volume;
        self.value += later.value;
        self.split *= later.split;
    }
}

impl View<'_> {
    /// The smallest step of a price at a price.
    pub(super) fn step(&self, price: f64) -> f64 {
        const STEPS: [(f64, f64); 6] = [
            (2_000.0, 1.0),
            (5_000.0, 5.0),
            (20_000.0, 10.0),
            (50_000.0, 50.0),
            (200_000.0, 100.0),
            (500_000.0, 500.0),
        ];
        match self.stock.board {
            Board::Overseas(_) => 0.01,
            Board::Etf => {
                if price < 2_000.0 {
                    1.0
                } else {
                    5.0
                }
            }
            _ => STEPS.iter().find(|(below, _)| price < *below).map_or(1_000.0, |(_, step)| *step),
        }
    }

    /// A price on the grid of its market.
    pub(super) fn on_grid(&self, price: f64) -> f64 {
        let step = self.step(price);
        if step < 1.0 { price } else { (price / step).round().max(1.0) * step }
    }

    /// What prices of a day are multiplied by: a chart is made on the scale of its end, so splits that
    /// are still to come are undone always, and those that came after the day where prices are raw.
    fn scale(&self, day: Day, is_adjusted: bool) -> f64 {
        let today = self.series.listing.hours.day_of(self.now);
        let splits = self.series.listing.splits.iter().filter_map(|(year, month, date, ratio)| {
            Some((Day::from_civil(*year, *month, *date)?, ratio))
        });
        let undone = splits.filter(|(on, _)| *on > today || (!is_adjusted && *on > day));
        undone.map(|(_, ratio)| ratio).product()
    }

    /// Pieces of one session as one span.
    fn sum(&self, pieces: &[Piece], (day, before, is_adjusted): (Day, f64, bool)) -> Option<Span> {
        let (first, later) = pieces.split_first()?;
        let mut whole = *first;
        later.iter().for_each(|piece| whole.absorb(piece));
        let scale = self.scale(day, is_adjusted);
        let middle = |piece: &Piece| piece.prices.iter().sum::<f64>() / 4.0 * piece.volume;
        Some(Span {
            day,
            at: whole.at,
            prices: whole.prices.map(|price| self.on_grid(price * scale)),
            volume: (whole.volume / scale).floor() as i64,
            value: pieces.iter().map(middle).sum::<f64>().floor(),
            before: self.on_grid(before * scale),
            split: 1.0,
        })
    }

    /// How many sessions have begun.
    fn begun(&self) -> usize {
        self.series.sessions.partition_point(|session| session.open <= self.now)
    }

    /// Sessions that have begun, newest first; the running one as far as it went. One that nothing was
    /// traded in yet is left out.
    pub(super) fn days(&self, is_adjusted: bool) -> impl Iterator<Item = Span> + '_ {
        (0..self.begun()).rev().filter_map(move |place| self.day_at(place, is_adjusted))
    }

    fn day_at(&self, place: usize, is_adjusted: bool) -> Option<Span> {
        let session = &self.series.sessions[place];
        let span = self.sum(&self.pieces(place), (session.day, self.before(place), is_adjusted))?;
        Some(Span { split: session.split, ..span })
    }

    /// The close before a session, its own open where there is none.
    fn before(&self, place: usize) -> f64 {
        let before =
            place.checked_sub(1).map(|before| self.series.sessions[before].whole.prices[3]);
        before.unwrap_or(self.series.sessions[place].whole.prices[0])
    }

    /// The highest and the lowest price of the last sessions before the present one, with their days, on
    /// the scale of today.
    pub(super) fn extremes(&self, sessions: usize) -> [(f64, Day); 2] {
        let over = self.begun();
        let of = &self.series.sessions[over.saturating_sub(sessions)..over];
        let scale = |day: Day| self.scale(day, true);
        let mut found = [(0.0, Day::from_days(0)), (f64::MAX, Day::from_days(0))];
        for session in of.iter().filter(|session| session.close <= self.now) {
            let [_, high, low, _] =
                session.whole.prices.map(|price| self.on_grid(price * scale(session.day)));
            if high > found[0].0 {
                found[0] = (high, session.day);
            }
            if low < found[1].0 {
                found[1] = (low, session.day);
            }
        }
        found
    }

    /// Minutes of the day of a session, oldest first, as far as they went.
    pub(super) fn minutes(&self, day: Day) -> Vec<Span> {
        let place = self.series.sessions.iter().rposition(|session| session.day == day);
        let Some(place) = place.filter(|place| *place < self.begun()) else { return Vec::new() };
        let (before, pieces) = (self.before(place), self.pieces(place));
        let one = |piece: &Piece| self.sum(std::slice::from_ref(piece), (day, before, false));
        pieces.iter().filter_map(one).collect()
    }

    /// The days that have a session which has begun, newest first.
    pub(super) fn session_days(&self) -> impl Iterator<Item = Day> + '_ {
        self.series.sessions[..self.begun()].iter().rev().map(|session| session.day)
    }

    /// The minutes of a session so far; the running one is made of its trades.
    fn pieces(&self, place: usize) -> Vec<Piece> {
        let mut told = Vec::new();
        for minute in self.series.minutes(place) {
            if minute.at > self.now {
                break;
            }
            if minute.at + 60 <= self.now {
                told.push(minute);
                continue;
            }
            let mut sum: Option<Piece> = None;
            for trade in self.raw_trades(&minute).filter(|trade| trade.at <= self.now) {
                let (prices, volume) = ([trade.price; 4], trade.quantity as f64);
                let piece = Piece { at: minute.at, prices, volume };
                match &mut sum {
                    None => sum = Some(piece),
                    Some(sum) => sum.absorb(&piece),
                }
            }
            told.extend(sum);
        }
        told
    }

    /// The newest trades of the session that began last, newest first.
    pub(super) fn trades(&self, most: usize) -> Vec<Trade> {
        let Some(place) = self.begun().checked_sub(1) else { return Vec::new() };
        let scale = self.scale(self.series.sessions[place].day, false);
        let minutes = self.series.minutes(place);
        let begun = minutes.iter().filter(|minute| minute.at <= self.now).rev();
        let mut newest = Vec::with_capacity(most);
        for minute in begun {
            let mut of_minute: Vec<Trade> = self.raw_trades(minute).collect();
            of_minute.retain(|trade| trade.at <= self.now);
            for trade in of_minute.iter_mut().rev() {
                trade.price = self.on_grid(trade.price * scale);
                newest.push(*trade);
            }
            if newest.len() >= most {
                break;
            }
        }
        newest.truncate(most);
        newest
    }

    fn raw_trades(&self, minute: &Piece) -> impl Iterator<Item = Trade> + use<> {
        const N: usize = TRADES_A_MINUTE;
        let name = self.stock.code.bytes().fold(0_u64, |sum, byte| sum * 131 + u64::from(byte));
        let at = minute.at;
        let draw = move |part: u64| mix(name, at.unsigned_abs(), part);
        let [open, high, low, close] = minute.prices;
        // Never the first and never the last one, and not the same.
        let first = 1 + (draw(90) % 3) as usize;
        let second = 4 + (draw(91) % 3) as usize;
        let (high_at, low_at) = if draw(92) & 1 == 0 { (first, second) } else { (second, first) };
        let (whole, rest) = (minute.volume as i64 / N as i64, minute.volume as i64 % N as i64);
        let count = if whole > 0 { N } else { 0 };
        (0..count).map(move |i| {
            let share = (draw(i as u64) & 0xffff) as f64 / 65_535.0;
            let price = match i {
                0 => open,
                _ if i == N - 1 => close,
                _ if i == high_at => high,
                _ if i == low_at => low,
                _ => low + (high - low) * share,
            };
            let second = (i * 60 / N) as i64 + (draw(20 + i as u64) % 7) as i64;
            let quantity = whole + if i == N - 1 { rest } else { 0 };
            Trade { at: at + second, price, quantity, is_buy: draw(40 + i as u64) & 1 == 0 }
        })
    }
}
