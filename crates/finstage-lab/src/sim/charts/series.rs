//! The prices behind the charts: seeded, minute by minute, the same on every machine.
//!
//! Each day is drawn from its own seed and begins where the one before ended, so a minute of any day
//! can be told without telling all of them; days are made once, from the first to the last.

use finstage_model::Day;

use super::hours::Hours;
use crate::rng::{Rng, mix};

/// One minute in so many has no trade, and so no bar.
const QUIET: u64 = 400;

/// A symbol that has a chart.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Listing {
    pub(in crate::sim) symbol: &'static str,
    pub(in crate::sim) name: &'static str,
    pub(in crate::sim) kind: &'static str,
    pub(in crate::sim) exchange: (&'static str, &'static str),
    pub(in crate::sim) currency: &'static str,
    pub(in crate::sim) hours: Hours,
    /// Decimals of its prices.
    pub(in crate::sim) decimals: u32,
    /// The first day of its chart: year, month, day.
    pub(in crate::sim) first: (i32, u32, u32),
    /// The price at the beginning, on the scale of today.
    pub(in crate::sim) start: f64,
    /// The usual move of a day.
    pub(in crate::sim) sigma: f64,
    /// Shares a minute; 0 where nothing is traded.
    pub(in crate::sim) volume: f64,
    /// What is paid every quarter, as a share of the price.
    pub(in crate::sim) dividend: f64,
    /// Days on which one share became several.
    pub(in crate::sim) splits: &'static [(i32, u32, u32, f64)],
}

/// A minute or more of prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::sim) struct Piece {
    /// When it begins, Unix seconds.
    pub(in crate::sim) at: i64,
    pub(in crate::sim) prices: [f64; 4],
    pub(in crate::sim) volume: f64,
}

impl Piece {
    /// Adds a later one.
    pub(in crate::sim) fn absorb(&mut self, later: &Self) {
        let [_, high, low, close] = &mut self.prices;
        *high = high.max(later.prices[1]);
        *low = low.min(later.prices[2]);
        *close = later.prices[3];
        self.volume += later.volume;
    }
}

/// A day with a session.
#[derive(Debug, Clone, Copy)]
pub(in crate::sim) struct Session {
    pub(in crate::sim) day: Day,
    pub(in crate::sim) open: i64,
    pub(in crate::sim) close: i64,
    /// The whole day, as it will be at its end.
    pub(in crate::sim) whole: Piece,
    /// Paid to those who held a share before this day.
    pub(in crate::sim) dividend: f64,
    /// So many shares for one, on this day.
    pub(in crate::sim) split: f64,
}

/// All days of a symbol.
#[derive(Debug)]
pub(in crate::sim) struct Series {
    pub(in crate::sim) listing: Listing,
    seed: u64,
    pub(in crate::sim) sessions: Vec<Session>,
    first_unmade: Day,
}

impl Series {
    pub(in crate::sim) fn new(listing: Listing, seed: u64) -> Self {
        let (year, month, day) = listing.first;
        let first = Day::from_civil(year, month, day).expect("the tables of listings have dates");
        Self { listing, seed, sessions: Vec::new(), first_unmade: first }
    }

    /// Makes the days up to the one that holds a moment.
    pub(in crate::sim) fn reach(&mut self, now: i64) {
        let last = self.listing.hours.day_of(now);
        while self.first_unmade <= last {
            let day = self.first_unmade;
            self.first_unmade = day.next();
            let Some((open, close)) = self.listing.hours.session(day) else { continue };
            let before = self.sessions.last().map_or(self.listing.start, |s| s.whole.prices[3]);
            let mut session = Session {
                day,
                open,
                close,
                whole: Piece { at: open, prices: [before; 4], volume: 0.0 },
                dividend: self.dividend(day, before),
                split: self.split(day),
            };
            let minutes = self.minutes_from(&session, before);
            let Some((first, rest)) = minutes.split_first() else { continue };
            session.whole = *first;
            rest.iter().for_each(|minute| session.whole.absorb(minute));
            self.sessions.push(session);
        }
    }

    /// The minutes of a day, whole.
    pub(in crate::sim) fn minutes(&self, place: usize) -> Vec<Piece> {
        let before = match place.checked_sub(1) {
            Some(before) => self.sessions[before].whole.prices[3],
            None => self.listing.start,
        };
        self.minutes_from(&self.sessions[place], before)
    }

    fn minutes_from(&self, session: &Session, before: f64) -> Vec<Piece> {
        let Listing { symbol, sigma, volume, .. } = self.listing;
        let count = ((session.close - session.open) / 60).max(1);
        let seed = mix(self.seed, session.day.days().unsigned_abs().into(), 0x9a40);
        let mut rng = Rng::named(seed, symbol);
        // A night moves half as much as a day, and a minute so that the minutes make a day.
        let mut price = before * (1.0 + 0.5 * sigma * rng.bell());
        let step = sigma / (count as f64).sqrt();
        let drift = 0.000_25 / count as f64;
        let busy = rng.range(0.6, 1.6);
        let minute = |minute: i64| {
            let open = price;
            price *= 1.0 + drift + step * rng.bell();
            let (up, down) = (1.0 + step * rng.unit() / 2.0, 1.0 - step * rng.unit() / 2.0);
            let prices = [open, open.max(price) * up, open.min(price) * down, price];
            Piece {
                at: session.open + minute * 60,
                prices: prices.map(|price| self.rounded(price)),
                volume: (volume * busy * rng.range(0.3, 1.7)).floor(),
            }
        };
        (0..count).map(minute).collect()
    }

    fn rounded(&self, price: f64) -> f64 {
        let scale = f64::from(10u32.pow(self.listing.decimals));
        (price * scale).round().max(1.0) / scale
    }

    /// Paid on the first session of a quarter's second month.
    fn dividend(&self, day: Day, price: f64) -> f64 {
        let (_, month, date) = day.civil();
        let is_new = self.sessions.last().is_none_or(|last| last.day.civil().1 != month);
        let is_due = self.listing.dividend > 0.0 && month % 3 == 2 && date < 10 && is_new;
        if is_due { (price * self.listing.dividend * 10_000.0).round() / 10_000.0 } else { 0.0 }
    }

    fn split(&self, day: Day) -> f64 {
        let (year, month, date) = day.civil();
        let own = self.listing.splits.iter();
        own.filter(|(y, m, d, _)| (*y, *m, *d) == (year, month, date)).map(|s| s.3).product()
    }

    /// Whether the minute that begins at a moment had no trade.
    pub(in crate::sim) fn is_quiet(&self, at: i64, one_in: u64) -> bool {
        let draw = mix(self.seed ^ 0x5e1f, at.unsigned_abs(), self.listing.symbol.len() as u64);
        draw.is_multiple_of(one_in.clamp(1, QUIET))
    }

    /// The chance of a quiet row where no fault makes it another.
    pub(in crate::sim) const USUALLY_QUIET: u64 = QUIET;
}
