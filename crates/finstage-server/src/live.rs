//! What is told from the engine's thread as it happens: the newest price of each instrument, bars that
//! closed, and that something was said. Telling never waits; what is told is taken by the hub.
//!
//! Signals and alerts are only announced here. They are read from the records when the journal behind
//! them is on disk, so that nothing is pushed that a power cut could take back.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use finstage_model::{Bar, Event, Interval, Payload, Price, Symbol, Timestamp};
use serde::Serialize;
use tokio::sync::Notify;

use crate::metrics::Histogram;

/// The most instruments whose prices are kept.
pub const MAX_INSTRUMENTS: usize = 20_000;
/// Closed bars that may wait to be pushed; older ones are dropped and counted.
const MAX_WAITING_BARS: usize = 16_384;
/// A price that is known and so much later than the present was dated by a clock that was ahead.
const AHEAD_MAX: Duration = Duration::from_secs(60);
/// Strategies whose analyses are timed apart; the others count as one.
const MAX_STRATEGIES: usize = 100;
/// Upper ends of the histogram of delays, in seconds.
const DELAYS: [f64; 8] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 10.0, 60.0];
/// Kinds of events, as metrics name them.
pub(crate) const EVENT_KINDS: [&str; 13] = [
    "instrument",
    "trade",
    "bar",
    "feed",
    "past",
    "reset",
    "said",
    "card",
    "tick",
    "watch",
    "mute",
    "document",
    "insight",
];

/// When the market of a bar was done with it: of a symbol, a length and where the bar opened.
pub type Closing = fn(&Symbol, Interval, Timestamp) -> Timestamp;

/// The newest of everything, told by the engine's thread and read by everybody.
#[derive(Debug)]
pub struct Live {
    board: Mutex<Board>,
    wake: Notify,
    said: AtomicBool,
    events: [AtomicU64; EVENT_KINDS.len()],
    lost_bars: AtomicU64,
    closing: OnceLock<Closing>,
    delay: Histogram,
    /// By the name of the strategy, at most [`MAX_STRATEGIES`].
    analyses: Mutex<BTreeMap<String, Histogram>>,
}

/// Rows by place; a place never changes.
#[derive(Debug, Default)]
struct Board {
    rows: Vec<Row>,
    places: BTreeMap<Symbol, usize>,
    changed: Vec<usize>,
    bars: VecDeque<(Symbol, Bar)>,
}

/// What is known of an instrument's price.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    symbol: Symbol,
    pub(crate) currency: Option<String>,
    pub(crate) delay_s: u32,
    pub(crate) status: &'static str,
    is_watched: bool,
    is_changed: bool,
    /// The newest price and when it was.
    newest: Option<(Price, Timestamp)>,
    /// The last two daily closes, older first, each with the end of its day: trades after the session are of it too.
    closes: [Option<(Price, Timestamp)>; 2],
}

/// The newest price of an instrument, as `/prices` has it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct PriceItem {
    pub(crate) symbol: Symbol,
    pub(crate) price: Price,
    pub(crate) currency: Option<String>,
    pub(crate) at: Timestamp,
    pub(crate) previous_close: Option<Price>,
    pub(crate) change: Option<Price>,
    pub(crate) change_percent: Option<f64>,
    /// Not known: no venue says it with its trades.
    pub(crate) volume: Option<f64>,
    pub(crate) delay_s: u32,
    pub(crate) age_ms: i64,
    pub(crate) market_status: &'static str,
}

/// What the hub takes at once.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// Rows whose price changed, with their places.
    pub(crate) prices: Vec<(usize, PriceItem)>,
    /// Bars that closed, in their order.
    pub(crate) bars: Vec<(Symbol, Bar)>,
    /// Whether signals or alerts were said.
    pub(crate) is_said: bool,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            board: Mutex::default(),
            wake: Notify::new(),
            said: AtomicBool::new(false),
            events: Default::default(),
            lost_bars: AtomicU64::new(0),
            closing: OnceLock::new(),
            delay: Histogram::new(&DELAYS),
            analyses: Mutex::default(),
        }
    }
}

impl Live {
    /// Says when markets close; before, and where nobody says it, a bar closes when its length is over. What is said
    /// first stays.
    pub fn set_closing(&self, closing: Closing) {
        let _ = self.closing.set(closing);
    }

    fn closed_at(&self, symbol: &Symbol, bar: &Bar) -> Timestamp {
        let over = bar.close_time();
        self.closing.get().map_or(over, |closing| closing(symbol, bar.interval, bar.open_time))
    }

    /// Takes an event that was applied, about `symbol` where it is about an instrument.
    pub fn event(&self, symbol: Option<&Symbol>, event: &Event) {
        let kind = match &event.payload {
            Payload::Instrument(_) => 0,
            Payload::Trade(trade) => {
                let late = (event.ts_recv.nanos() - trade.ts_event.nanos()).max(0);
                self.delay.observe(Duration::from_nanos(late.unsigned_abs()).as_secs_f64());
                if let Some(symbol) = symbol {
                    let price = (trade.price, trade.ts_event);
                    self.told(symbol, price, event.ts_recv.plus(AHEAD_MAX));
                }
                1
            }
            Payload::Bar(_) => 2,
            Payload::Feed(_) => 3,
            Payload::Past(_) => 4,
            Payload::Reset(_) => 5,
            Payload::Said(_) => 6,
            Payload::Card(_) => 7,
            Payload::Tick => 8,
            Payload::Watch(_) => 9,
            Payload::Mute(_) => 10,
            Payload::Document(_) => 11,
            Payload::Insight(_) => 12,
        };
        self.events[kind].fetch_add(1, Ordering::Relaxed);
    }

    /// Takes a price of an instrument.
    pub fn price(&self, symbol: &Symbol, price: Price, at: Timestamp) {
        self.told(symbol, (price, at), Timestamp::MAX);
    }

    /// Takes a price; one that is known and later than `latest` is of a clock that was ahead.
    fn told(&self, symbol: &Symbol, (price, at): (Price, Timestamp), latest: Timestamp) {
        let mut board = self.board();
        if let Some(place) = board.place(symbol) {
            board.forget_after(place, latest);
            board.set(place, price, at);
            drop(board);
            self.wake.notify_one();
        }
    }

    /// Takes a bar that closed.
    pub fn bar(&self, symbol: &Symbol, bar: &Bar) {
        let at = self.closed_at(symbol, bar);
        let mut board = self.board();
        if let Some(place) = board.place(symbol) {
            board.close(place, (bar, at));
        }
        if board.bars.len() >= MAX_WAITING_BARS {
            board.bars.pop_front();
            self.lost_bars.fetch_add(1, Ordering::Relaxed);
        }
        board.bars.push_back((symbol.clone(), *bar));
        drop(board);
        self.wake.notify_one();
    }

    /// Hears that signals or alerts were said: the records will have them.
    pub fn said(&self) {
        self.said.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Puts an instrument on the board before anything is known of its price.
    pub(crate) fn watch(&self, symbol: &Symbol, currency: Option<String>, delay_s: u32) {
        let mut board = self.board();
        if let Some(place) = board.place(symbol) {
            let row = &mut board.rows[place];
            (row.currency, row.delay_s, row.is_watched) = (currency, delay_s, true);
        }
    }

    /// Takes stored bars of an instrument: daily ones for its last closes, others for its price where
    /// nothing newer was told. Nobody is told of them.
    pub(crate) fn remember(&self, symbol: &Symbol, bars: &[Bar]) {
        let mut board = self.board();
        let Some(place) = board.place(symbol) else { return };
        for bar in bars {
            board.rows[place].close((bar, self.closed_at(symbol, bar)));
        }
    }

    /// Sets what is known of markets' hours.
    pub(crate) fn set_status(&self, status: impl Fn(&Symbol) -> &'static str) {
        let mut board = self.board();
        for row in &mut board.rows {
            row.status = status(&row.symbol);
        }
    }

    /// The newest prices of these instruments, or of all watched, as far as there are any.
    pub(crate) fn prices(&self, symbols: &[Symbol], now: Timestamp) -> Vec<PriceItem> {
        let board = self.board();
        match symbols {
            [] => {
                let watched = board.rows.iter().filter(|row| row.is_watched);
                watched.filter_map(|row| row.item(now)).collect()
            }
            symbols => {
                let places = symbols.iter().filter_map(|symbol| board.places.get(symbol));
                places.filter_map(|place| board.rows[*place].item(now)).collect()
            }
        }
    }

    /// Takes what is new.
    pub(crate) fn take(&self, now: Timestamp) -> News {
        let is_said = self.said.swap(false, Ordering::AcqRel);
        let mut board = self.board();
        let bars = board.bars.drain(..).collect();
        let changed = std::mem::take(&mut board.changed);
        let mut prices = Vec::with_capacity(changed.len());
        for place in changed {
            let row = &mut board.rows[place];
            row.is_changed = false;
            prices.extend(row.item(now).map(|item| (place, item)));
        }
        News { prices, bars, is_said }
    }

    /// Waits until there may be something new.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }

    /// Events by kind since the beginning.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.events.iter().map(|count| count.load(Ordering::Relaxed));
        EVENT_KINDS.into_iter().zip(counts)
    }

    pub(crate) fn lost_bars(&self) -> u64 {
        self.lost_bars.load(Ordering::Relaxed)
    }

    /// A strategy has said something, so long after what it is about was received.
    pub fn analysed(&self, strategy: &str, took: Duration) {
        let name = finstage_model::rule_name(strategy);
        let mut analyses = self.analyses.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = analyses.len() >= MAX_STRATEGIES && !analyses.contains_key(name);
        let name = if is_full { "other" } else { name };
        if !analyses.contains_key(name) {
            analyses.insert(name.to_owned(), Histogram::new(&DELAYS));
        }
        if let Some(histogram) = analyses.get(name) {
            histogram.observe(took.as_secs_f64());
        }
    }

    pub(crate) fn analyses(&self, mut each: impl FnMut(&str, &Histogram)) {
        let analyses = self.analyses.lock().unwrap_or_else(PoisonError::into_inner);
        analyses.iter().for_each(|(name, histogram)| each(name, histogram));
    }

    pub(crate) const fn delay(&self) -> &Histogram {
        &self.delay
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Board {
    fn place(&mut self, symbol: &Symbol) -> Option<usize> {
        if let Some(place) = self.places.get(symbol) {
            return Some(*place);
        }
        let place = self.rows.len();
        if place >= MAX_INSTRUMENTS {
            return None;
        }
        self.rows.push(Row {
            symbol: symbol.clone(),
            currency: None,
            delay_s: 0,
            status: "unknown",
            is_watched: false,
            is_changed: false,
            newest: None,
            closes: [None; 2],
        });
        self.places.insert(symbol.clone(), place);
        Some(place)
    }

    fn forget_after(&mut self, place: usize, latest: Timestamp) {
        let newest = &mut self.rows[place].newest;
        *newest = newest.filter(|(_, at)| *at <= latest);
    }

    fn set(&mut self, place: usize, price: Price, at: Timestamp) {
        let row = &mut self.rows[place];
        if row.newest.is_some_and(|(_, newest)| newest > at) {
            return;
        }
        row.newest = Some((price, at));
        if !row.is_changed {
            row.is_changed = true;
            self.changed.push(place);
        }
    }

    fn close(&mut self, place: usize, closed: (&Bar, Timestamp)) {
        if self.rows[place].close(closed) && !self.rows[place].is_changed {
            self.rows[place].is_changed = true;
            self.changed.push(place);
        }
    }
}

impl Row {
    /// Takes a bar that its market closed at `at`; true when its close is the newest price.
    fn close(&mut self, (bar, at): (&Bar, Timestamp)) -> bool {
        let (close, over) = ((bar.close, at), bar.close_time());
        if bar.interval == Interval::D1 && self.closes[1].is_none_or(|(_, last)| last < over) {
            self.closes = [self.closes[1], Some((bar.close, over))];
        }
        // A trade at the very moment is the newer one: it made the close.
        let is_newer = self.newest.is_none_or(|(_, newest)| newest < close.1);
        if is_newer {
            self.newest = Some(close);
        }
        is_newer
    }

    fn item(&self, now: Timestamp) -> Option<PriceItem> {
        let (price, at) = self.newest?;
        // The close of a day is compared with the day before.
        let [older, last] = self.closes;
        let before = if last.is_some_and(|(_, close)| close < at) { last } else { older };
        let previous_close = before.map(|(price, _)| price);
        let change = previous_close
            .and_then(|close| price.nanos().checked_sub(close.nanos()))
            .map(Price::from_nanos);
        let change_percent = previous_close
            .filter(|close| close.nanos() != 0)
            .map(|close| 100.0 * (price.to_f64() / close.to_f64() - 1.0));
        Some(PriceItem {
            symbol: self.symbol.clone(),
            price,
            currency: self.currency.clone(),
            at,
            previous_close,
            change,
            change_percent,
            volume: None,
            delay_s: self.delay_s,
            age_ms: (now.nanos() - at.nanos()) / 1_000_000,
            market_status: self.status,
        })
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{Aggressor, InstrumentId, Qty, Trade, TradeId};

    use super::*;

    fn symbol(name: &str) -> Symbol {
        format!("sim:{name}").parse().unwrap()
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_secs(seconds)
    }

    fn daily(open: i64, close: &str) -> Bar {
        let p = price(close);
        Bar {
            instrument: InstrumentId(0),
            interval: Interval::D1,
            open_time: t(open),
            open: p,
            high: p,
            low: p,
            close: p,
            volume: Qty::from_nanos(0),
            trades: 1,
        }
    }

    #[test]
    fn prices_between_two_looks_come_to_the_newest() {
        let live = Live::default();
        for (i, text) in ["1", "2", "3.5"].iter().enumerate() {
            live.price(&symbol("A"), price(text), t(i as i64));
        }
        live.price(&symbol("A"), price("9"), t(0));
        live.price(&symbol("B"), price("7"), t(5));
        let news = live.take(t(10));
        let told: Vec<_> = news.prices.iter().map(|(_, item)| item.price.to_string()).collect();
        assert_eq!(told, ["3.5", "7"], "the newest of each, and none that is older");
        assert!(live.take(t(10)).prices.is_empty());
        assert_eq!(live.prices(&[symbol("B")], t(10))[0].age_ms, 5_000);
        assert!(live.prices(&[], t(10)).is_empty(), "none is watched");
    }

    #[test]
    fn a_price_is_compared_with_the_last_close_before_its_day() {
        const DAY: i64 = 86_400;
        let live = Live::default();
        live.watch(&symbol("A"), Some("USD".into()), 0);
        live.remember(&symbol("A"), &[daily(0, "100"), daily(DAY, "110")]);
        assert!(live.take(t(2 * DAY)).prices.is_empty(), "nobody is told of what was known");
        let closed = &live.prices(&[], t(2 * DAY))[0];
        assert_eq!((closed.price, closed.previous_close), (price("110"), Some(price("100"))));
        assert!((closed.change_percent.unwrap() - 10.0).abs() < 1e-9);
        live.price(&symbol("A"), price("121"), t(2 * DAY + 60));
        let open = &live.prices(&[], t(2 * DAY + 60))[0];
        assert_eq!((open.previous_close, open.change), (Some(price("110")), Some(price("11"))));
    }

    #[test]
    fn a_close_is_of_when_its_market_closed_and_not_of_the_midnight_after_it() {
        const DAY: i64 = 86_400;
        const CLOSED: i64 = DAY + 21 * 3_600;
        let live = Live::default();
        live.watch(&symbol("A"), None, 0);
        live.set_closing(|_, _, open| open.plus(Duration::from_secs(21 * 3_600)));
        live.remember(&symbol("A"), &[daily(0, "100"), daily(DAY, "110")]);
        let told = |now| {
            let item = live.prices(&[], t(now)).remove(0);
            (item.at, item.age_ms, item.previous_close)
        };
        assert_eq!(told(2 * DAY), (t(CLOSED), 3 * 3_600_000, Some(price("100"))));
        live.price(&symbol("A"), price("111"), t(CLOSED + 5));
        assert_eq!(told(CLOSED + 5), (t(CLOSED + 5), 0, Some(price("100"))), "the same day's");
    }

    #[test]
    fn a_price_that_was_dated_by_a_clock_that_was_ahead_gives_way_to_the_next_trade() {
        const DAY: i64 = 86_400;
        let live = Live::default();
        let trade = |secs: i64, text: &str| {
            let ts_event = t(secs);
            let trade = Trade {
                id: TradeId(0),
                instrument: InstrumentId(0),
                ts_event,
                price: price(text),
                qty: Qty::from_nanos(1),
                aggressor: Aggressor::Unknown,
            };
            live.event(Some(&symbol("A")), &Event::new(ts_event, Payload::Trade(trade)));
            live.prices(&[symbol("A")], ts_event)[0].price
        };
        live.price(&symbol("A"), price("5"), t(DAY));
        assert_eq!(trade(10, "7"), price("7"));
        assert_eq!(trade(9, "8"), price("7"), "an older trade is no newer price");
    }
}
