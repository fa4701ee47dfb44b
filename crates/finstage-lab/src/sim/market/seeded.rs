//! A symbol whose past and trades come from a seed.

use std::time::Duration;

use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Timestamp};

use super::book::{Kline, SimTrade};
use super::edge::{Edge, Planter, Push};
use super::walk::Walk;
use crate::rng::Rng;

/// The properties of a symbol on a seeded market.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SymbolSpec {
    /// The venue's name for it, for example `BTCUSDT`.
    pub name: String,
    /// The price around which its history lies.
    pub price: Price,
    /// Smallest step of a price.
    pub tick: Price,
    /// Smallest step of a quantity.
    pub lot: Qty,
    /// Mean number of trades per second, in thousandths.
    pub trades_per_second_milli: u32,
    /// Standard deviation of a day's return, in hundredths of a percent.
    pub volatility_bps: u32,
}

impl SymbolSpec {
    /// A symbol at a price with ordinary properties: a tick and lot that fit the price, four
    /// trades a second, a daily move of about 3 %.
    #[must_use]
    pub fn new(name: &str, price: Price) -> Self {
        let fit = |share: i64| {
            let mut step = 10;
            while step * 10 <= (price.nanos() / share).max(10) {
                step *= 10;
            }
            step
        };
        // Up to ten million, a lot is worth at most a tenth of a unit of the quote currency.
        let unit_price = (price.nanos() / 1_000_000_000).max(1);
        let lot = 10_i64.pow(7_u32.saturating_sub(unit_price.ilog10()).max(1));
        Self {
            name: name.to_owned(),
            price,
            tick: Price::from_nanos(fit(500_000)),
            lot: Qty::from_nanos(u128::from(lot.unsigned_abs())),
            trades_per_second_milli: 4_000,
            volatility_bps: 300,
        }
    }
}

/// Mean turnover of a trade in the quote currency.
const MEAN_TURNOVER: f64 = 900.0;
const MINUTES_PER_DAY: f64 = 1_440.0;
const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The state of a seeded symbol.
#[derive(Debug, Clone)]
pub(crate) struct Seeded {
    walk: Walk,
    planter: Option<Planter>,
    series: (InstrumentId, Interval),
    tick: i64,
    lot: u64,
    per_minute: f64,
    mean_lots: f64,
    /// End of the minute the walk is in, in microseconds.
    minute_end: i64,
    /// The moment of the next trade, in microseconds.
    next: i64,
    next_id: u64,
}

impl Seeded {
    pub(super) fn new(
        (seed, edge): (u64, Option<Edge>),
        spec: &SymbolSpec,
        instrument: InstrumentId,
    ) -> Self {
        let rng = Rng::named(seed, &spec.name);
        let tick = spec.tick.nanos();
        let sigma = f64::from(spec.volatility_bps) / 10_000.0 / MINUTES_PER_DAY.sqrt();
        let lot = spec.lot.nanos() as u64;
        let lot_price = spec.price.to_f64() * spec.lot.to_f64();
        Self {
            walk: Walk::new(rng, spec.price.nanos() as f64 / tick as f64, sigma),
            planter: edge.map(|edge| Planter::new(edge, seed, &spec.name)),
            series: (instrument, Interval::M1),
            tick,
            lot,
            per_minute: f64::from(spec.trades_per_second_milli) * 0.06,
            mean_lots: (MEAN_TURNOVER / lot_price).max(1.0),
            minute_end: 0,
            next: 0,
            next_id: 1,
        }
    }

    /// The minute of the past that opens at `open_time`; minutes are asked for in order.
    pub(crate) fn past_minute(&mut self, open_time: Timestamp) -> Kline {
        let push = self.push(open_time);
        let minute = self.walk.minute(push);
        let price = |ticks: f64| Price::from_nanos(ticks as i64 * self.tick);
        let mut kline = Kline::flat(self.series, open_time, price(minute.open));
        let rng = &mut self.walk.rng;
        let (busy, size, taken) = (rng.range(0.7, 1.3), rng.range(0.8, 1.2), rng.range(0.35, 0.65));
        let dither = rng.unit();
        let trades = (self.per_minute * self.walk.activity() * busy + dither) as u64;
        if trades == 0 {
            let close = price(minute.close);
            return Kline {
                bar: Bar { open: close, high: close, low: close, close, ..kline.bar },
                ..kline
            };
        }
        let lots = (trades as f64 * self.mean_lots * size) as u64;
        let volume = u128::from(lots.max(trades)) * u128::from(self.lot);
        let middle = price((minute.open + minute.high + minute.low + minute.close) * 0.25);
        kline.bar = Bar {
            high: price(minute.high),
            low: price(minute.low),
            close: price(minute.close),
            volume: Qty::from_nanos(volume),
            trades: trades as u32,
            ..kline.bar
        };
        let taker_lots = u128::from((lots as f64 * taken) as u64);
        let middle = u128::from(middle.nanos().unsigned_abs());
        kline.taker_base = Qty::from_nanos(taker_lots * u128::from(self.lot));
        kline.quote = middle.saturating_mul(volume);
        kline.taker_quote = middle.saturating_mul(kline.taker_base.nanos());
        kline.first_id = self.next_id as i64;
        self.next_id += trades;
        kline.last_id = self.next_id as i64 - 1;
        kline
    }

    /// The past ends at `from`, on a minute: trades follow.
    pub(crate) fn begin_trading(&mut self, from: Timestamp) {
        self.next = from.nanos().div_euclid(1_000);
        self.minute_end = self.next + MICROS_PER_MINUTE;
        let push = self.push(from);
        self.walk.begin_minute(push);
        self.next += self.gap();
    }

    /// When the next trade happens, in whole milliseconds.
    pub(crate) fn next_at(&self) -> Timestamp {
        Timestamp::from_millis(self.next.div_euclid(1_000))
    }

    /// The next trade.
    pub(crate) fn take(&mut self) -> SimTrade {
        let at = self.next_at();
        while self.next >= self.minute_end {
            let push = self.push(Timestamp::from_millis(self.minute_end.div_euclid(1_000)));
            self.minute_end += MICROS_PER_MINUTE;
            self.walk.begin_minute(push);
        }
        let gap = self.gap();
        let mid = self.walk.step(gap as f64 / MICROS_PER_MINUTE as f64);
        self.next += gap;
        let bits = self.walk.rng.next_u64();
        let buyer_is_maker = bits & 1 == 0;
        let ticks = if buyer_is_maker { mid.floor() } else { mid.ceil() };
        // The product of three uniforms has mean 1/8: many small trades, a few large ones.
        let part = |shift: u32| (bits >> shift & 0xf_ffff) as f64 * (1.0 / 1_048_576.0);
        let lots = 1 + (self.mean_lots * 8.0 * part(4) * part(24) * part(44)) as u64;
        let id = self.next_id;
        self.next_id += 1;
        SimTrade {
            symbol: self.series.0.0,
            id,
            at,
            price: Price::from_nanos(ticks as i64 * self.tick),
            qty: Qty::from_nanos(u128::from(lots) * u128::from(self.lot)),
            buyer_is_maker,
        }
    }

    /// What is planted in the minute that begins at `open_time`.
    fn push(&mut self, open_time: Timestamp) -> Push {
        self.planter.as_mut().map_or(Push::NONE, |planter| planter.minute(open_time))
    }

    /// Microseconds until the trade after the next: the product of two uniforms, mean 1/4, so that
    /// trades come in flurries.
    fn gap(&mut self) -> i64 {
        let mean = MICROS_PER_MINUTE as f64 / (self.per_minute * self.walk.activity());
        let bits = self.walk.rng.next_u64();
        let part = |bits: u64| bits as f64 * (1.0 / 4_294_967_296.0);
        (mean * 4.0 * part(bits >> 32) * part(bits & 0xffff_ffff)) as i64
    }
}

/// How long a seeded market trades before the moment at which it is said to start, so that the
/// recent trades and the open bars are there from the first question on.
pub(crate) const LEAD: Duration = Duration::from_secs(60);
