//! The prices behind the charts: seeded, minute by minute, the same on every machine.
//!
//! Each day is drawn from its own seed and begins where the one before ended, so a minute of any day
//! can be told without telling all of them; days are made once, from the first to the last.

use finstage_model::Day;

use super::hours::Hours;
use crate::rng::{Rng, mix};

/// The first day of every chart but those around the clock.
const FIRST: Day = match Day::from_civil(2010, 1, 4) {
    Some(day) => day,
    None => panic!("a constant is no date"),
};
/// The first day of charts around the clock.
const FIRST_ALWAYS: Day = match Day::from_civil(2018, 1, 1) {
    Some(day) => day,
    None => panic!("a constant is no date"),
};
/// One minute in so many has no trade, and so no bar.
const QUIET: u64 = 400;

/// A symbol that has a chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listing {
    pub(super) symbol: &'static str,
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) exchange: (&'static str, &'static str),
    pub(super) currency: &'static str,
    pub(super) hours: Hours,
    /// Decimals of its prices.
    pub(super) decimals: u32,
    /// The price at the beginning, on the scale of today.
    start: f64,
    /// The usual move of a day.
    sigma: f64,
    /// Shares a minute; 0 where nothing is traded.
    volume: f64,
    /// What is paid every quarter, as a share of the price.
    dividend: f64,
    /// Days on which one share became several.
    splits: &'static [(i32, u32, u32, f64)],
}

const STOCK: Listing = Listing {
    symbol: "",
    name: "",
    kind: "EQUITY",
    exchange: ("NMS", "NasdaqGS"),
    currency: "USD",
    hours: Hours::NewYork,
    decimals: 2,
    start: 40.0,
    sigma: 0.017,
    volume: 150_000.0,
    dividend: 0.0,
    splits: &[],
};
const INDEX: Listing =
    Listing { kind: "INDEX", exchange: ("SNP", "SNP"), sigma: 0.01, volume: 6_000_000.0, ..STOCK };
const SEOUL: Listing = Listing {
    exchange: ("KSC", "KSE"),
    currency: "KRW",
    hours: Hours::Seoul,
    decimals: 0,
    volume: 40_000.0,
    ..STOCK
};

/// Every symbol that has a chart. A table: one line a symbol.
pub(super) const LISTINGS: &[Listing] = &[
    Listing {
        symbol: "AAPL",
        name: "Apple Inc.",
        start: 12.0,
        dividend: 0.0015,
        splits: &[(2014, 6, 9, 7.0), (2020, 8, 31, 4.0)],
        ..STOCK
    },
    Listing {
        symbol: "MSFT",
        name: "Microsoft Corporation",
        start: 28.0,
        dividend: 0.002,
        ..STOCK
    },
    Listing {
        symbol: "NVDA",
        name: "NVIDIA Corporation",
        start: 9.0,
        splits: &[(2024, 6, 10, 10.0)],
        ..STOCK
    },
    Listing { symbol: "TSLA", name: "Tesla, Inc.", start: 20.0, sigma: 0.03, ..STOCK },
    Listing { symbol: "GOOGL", name: "Alphabet Inc.", start: 31.0, ..STOCK },
    Listing { symbol: "AMZN", name: "Amazon.com, Inc.", start: 33.0, ..STOCK },
    Listing { symbol: "META", name: "Meta Platforms, Inc.", start: 70.0, ..STOCK },
    Listing {
        symbol: "SPY",
        name: "SPDR S&P 500 ETF Trust",
        kind: "ETF",
        exchange: ("PCX", "NYSEArca"),
        start: 110.0,
        sigma: 0.01,
        dividend: 0.004,
        ..STOCK
    },
    Listing {
        symbol: "QQQ",
        name: "Invesco QQQ Trust",
        kind: "ETF",
        start: 60.0,
        sigma: 0.012,
        ..STOCK
    },
    Listing { symbol: "^GSPC", name: "S&P 500", start: 1_500.0, ..INDEX },
    Listing {
        symbol: "^IXIC",
        name: "NASDAQ Composite",
        exchange: ("NIM", "Nasdaq GIDS"),
        start: 2_800.0,
        ..INDEX
    },
    Listing {
        symbol: "^DJI",
        name: "Dow Jones Industrial Average",
        exchange: ("DJI", "DJI"),
        start: 11_000.0,
        ..INDEX
    },
    Listing {
        symbol: "^VIX",
        name: "CBOE Volatility Index",
        exchange: ("WCB", "Cboe Indices"),
        start: 20.0,
        sigma: 0.04,
        volume: 0.0,
        ..INDEX
    },
    Listing {
        symbol: "005930.KS",
        name: "Samsung Electronics Co., Ltd.",
        start: 30_000.0,
        dividend: 0.005,
        ..SEOUL
    },
    Listing { symbol: "000660.KS", name: "SK hynix Inc.", start: 45_000.0, ..SEOUL },
    Listing {
        symbol: "035720.KQ",
        name: "Kakao Corp.",
        exchange: ("KOE", "KOSDAQ"),
        start: 25_000.0,
        ..SEOUL
    },
    Listing {
        symbol: "^KS11",
        name: "KOSPI Composite Index",
        kind: "INDEX",
        decimals: 2,
        start: 1_800.0,
        sigma: 0.01,
        ..SEOUL
    },
    Listing {
        symbol: "BTC-USD",
        name: "Bitcoin USD",
        kind: "CRYPTOCURRENCY",
        exchange: ("CCC", "CCC"),
        hours: Hours::Always,
        start: 14_000.0,
        sigma: 0.035,
        volume: 20_000_000.0,
        ..STOCK
    },
];

/// A minute or more of prices.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Piece {
    /// When it begins, Unix seconds.
    pub(super) at: i64,
    pub(super) prices: [f64; 4],
    pub(super) volume: f64,
}

impl Piece {
    /// Adds a later one.
    pub(super) fn absorb(&mut self, later: &Self) {
        let [_, high, low, close] = &mut self.prices;
        *high = high.max(later.prices[1]);
        *low = low.min(later.prices[2]);
        *close = later.prices[3];
        self.volume += later.volume;
    }
}

/// A day with a session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Session {
    pub(super) day: Day,
    pub(super) open: i64,
    pub(super) close: i64,
    /// The whole day, as it will be at its end.
    pub(super) whole: Piece,
    /// Paid to those who held a share before this day.
    pub(super) dividend: f64,
    /// So many shares for one, on this day.
    pub(super) split: f64,
}

/// All days of a symbol.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) listing: Listing,
    seed: u64,
    pub(super) sessions: Vec<Session>,
    first_unmade: Day,
}

impl Series {
    pub(super) fn new(listing: Listing, seed: u64) -> Self {
        let first = if listing.hours == Hours::Always { FIRST_ALWAYS } else { FIRST };
        Self { listing, seed, sessions: Vec::new(), first_unmade: first }
    }

    /// Makes the days up to the one that holds a moment.
    pub(super) fn reach(&mut self, now: i64) {
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
    pub(super) fn minutes(&self, place: usize) -> Vec<Piece> {
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
    pub(super) fn is_quiet(&self, at: i64, one_in: u64) -> bool {
        let draw = mix(self.seed ^ 0x5e1f, at.unsigned_abs(), self.listing.symbol.len() as u64);
        draw.is_multiple_of(one_in.clamp(1, QUIET))
    }

    /// The chance of a quiet row where no fault makes it another.
    pub(super) const USUALLY_QUIET: u64 = QUIET;
}
