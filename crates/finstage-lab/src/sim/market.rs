//! The market behind the simulated venue: seeded or played from a file, in virtual time.
//!
//! Nothing here waits or looks at a clock. [`Market::advance`] says until when it shall happen, and
//! what happens does not depend on how often or in which steps it is asked: every trade, every
//! closed bar and every update of an open bar has its own moment, decided by the seed alone.
//!
//! * **Seeded**: each symbol has a past of minutes (see the walk's own notes), of which the last
//!   [`KEPT_BARS`] per interval are kept, then trades. Ids ascend by one per symbol over past and
//!   present; the open bars continue from the past into the trades.
//!   An [`Edge`] may be planted in it, so that evidence has something true to find.
//! * **Bars**: a file's bars are played as trades and printed with exactly their values; those that
//!   ended by the start are the past. Only the file's own interval exists.
//!
//! At one moment bars close first (a trade on the boundary belongs to the next bar), then trades
//! happen, then open bars are updated; ties go by symbol. Open bars are updated as venues do, on a
//! fixed beat and only when something was traded.

mod book;
mod edge;
mod seeded;
mod spec;
mod tape;
mod view;
mod walk;

use std::cmp::Reverse;
use std::collections::binary_heap::{BinaryHeap, PeekMut};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use finstage_model::text::BarTable;
use finstage_model::{InstrumentId, Interval, Timestamp};

use self::book::BarBook;
use self::seeded::{LEAD, Seeded};
use self::spec::{check_name, check_symbol, listing};
use self::tape::Player;
use crate::error::{Error, ErrorKind};

pub use self::book::{KEPT_BARS, Kline, SimTrade};
pub use self::edge::Edge;
pub use self::seeded::SymbolSpec;
pub use self::spec::{HISTORY_DAYS, Listing, MAX_HISTORY_DAYS, MAX_SYMBOLS, MarketSpec, Tape};
pub use self::view::{BarQuery, DayStats, Level};

/// Trades kept per symbol for the question what was traded recently.
pub const RECENT_TRADES: usize = 1_000;
/// Something that happened on the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketEvent {
    /// An execution.
    Trade(SimTrade),
    /// A bar was updated or closed.
    Kline {
        /// Index of the symbol.
        symbol: u32,
        /// When it was printed; the end of the bar where it is closed.
        at: Timestamp,
        /// The bar.
        kline: Kline,
        /// Whether this is its last update.
        closed: bool,
    },
}

impl MarketEvent {
    /// When it happened.
    #[must_use]
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Trade(trade) => trade.at,
            Self::Kline { at, .. } => *at,
        }
    }

    /// Index of the symbol.
    #[must_use]
    pub fn symbol(&self) -> u32 {
        match self {
            Self::Trade(trade) => trade.symbol,
            Self::Kline { symbol, .. } => *symbol,
        }
    }
}

/// A market in virtual time.
#[derive(Debug, Clone)]
pub struct Market {
    seed: u64,
    now: Timestamp,
    beat_ns: i64,
    desks: Vec<Desk>,
    by_name: HashMap<String, u32>,
    queue: BinaryHeap<Reverse<(Timestamp, Act, u32)>>,
    /// What happened at the present moment and was not handed out yet.
    pending: VecDeque<MarketEvent>,
}

impl Market {
    /// Makes the past and stands at the start.
    ///
    /// # Errors
    /// Names the symbol or bar that no venue could list.
    pub fn new(spec: MarketSpec) -> Result<Self, Error> {
        let MarketSpec { seed, start, tape, kline_every, edge } = spec;
        let desks = match tape {
            Tape::Seeded { symbols, history_days } => {
                seeded_desks((seed, edge), start, (&symbols, history_days))?
            }
            Tape::Bars(tables) => played_desks(start, tables)?,
        };
        let mut by_name = HashMap::new();
        for (i, desk) in desks.iter().enumerate() {
            if by_name.insert(desk.listing.stream.clone(), i as u32).is_some() {
                let text = format!("symbol {}: listed twice", desk.listing.name);
                return Err(Error::new(ErrorKind::Market, text));
            }
        }
        if desks.is_empty() || desks.len() > MAX_SYMBOLS {
            let text = format!("{} symbols: a market lists 1 to {MAX_SYMBOLS}", desks.len());
            return Err(Error::new(ErrorKind::Market, text));
        }
        let beat_ns = kline_every.max(Duration::from_millis(1)).as_nanos() as i64;
        let due = |(i, desk): (usize, &Desk)| desk.due(i as u32).map(Reverse);
        let queue = desks.iter().enumerate().filter_map(due).collect();
        let pending = VecDeque::new();
        let now = start;
        let mut market = Self { seed, now, beat_ns, desks, by_name, queue, pending };
        // Bars that end at the start are the past, trades at the start are not.
        while market.happen((start, Act::Close)).is_some() {}
        Ok(market)
    }

    /// What is listed, in the order of the symbol indexes.
    pub fn listings(&self) -> impl ExactSizeIterator<Item = &Listing> {
        self.desks.iter().map(|desk| &desk.listing)
    }

    /// The index of a symbol by its name in any case.
    #[must_use]
    pub fn index_of(&self, name: &str) -> Option<u32> {
        self.by_name.get(&name.to_ascii_lowercase()).copied()
    }

    /// The moment until which the market has happened.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// When something happens next; `None` at the end of a tape.
    #[must_use]
    pub fn next_time(&self) -> Option<Timestamp> {
        let waiting = self.pending.front().map(MarketEvent::at);
        waiting.or_else(|| self.queue.peek().map(|Reverse((at, _, _))| *at))
    }

    /// Lets everything up to and including `until` happen.
    pub fn advance(&mut self, until: Timestamp, out: &mut dyn FnMut(MarketEvent)) {
        while let Some(event) = self.next(until) {
            out(event);
        }
    }

    /// Lets the next thing happen, unless that is after `until`.
    pub fn next(&mut self, until: Timestamp) -> Option<MarketEvent> {
        self.happen((until, Act::Push))
    }

    fn happen(&mut self, until: (Timestamp, Act)) -> Option<MarketEvent> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            let due = self.queue.peek_mut().filter(|due| (due.0.0, due.0.1) <= until);
            let Some(mut due) = due else {
                self.now = self.now.max(until.0);
                return None;
            };
            let Reverse((at, act, symbol)) = *due;
            let desk = &mut self.desks[symbol as usize];
            self.now = self.now.max(at);
            let trade = match act {
                Act::Close => {
                    desk.close(at, &mut self.pending);
                    None
                }
                Act::Trade => desk.trade(at, self.beat_ns),
                Act::Push => {
                    desk.push(at, &mut self.pending);
                    None
                }
            };
            match desk.due(symbol) {
                Some(next) => *due = Reverse(next),
                None => {
                    PeekMut::pop(due);
                }
            }
            if trade.is_some() {
                return trade.map(MarketEvent::Trade);
            }
        }
    }
}

/// What a symbol does next; at one moment in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Act {
    Close,
    Trade,
    Push,
}

#[derive(Debug, Clone)]
struct Desk {
    listing: Listing,
    source: Source,
    book: BarBook,
    recent: VecDeque<SimTrade>,
    /// The open time and the end of the shortest open bar.
    bar: (Timestamp, Timestamp),
    push_at: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum Source {
    Seeded(Box<Seeded>),
    Bars(Player),
}

impl Desk {
    fn due(&self, symbol: u32) -> Option<(Timestamp, Act, u32)> {
        let trade = match &self.source {
            Source::Seeded(seeded) => Some(seeded.next_at()),
            Source::Bars(player) => player.next_at(),
        };
        let trade = trade.map(|at| (at, Act::Trade));
        let push = self.push_at.map(|at| (at, Act::Push));
        let close = match &self.source {
            Source::Bars(player) if player.bar().is_none() => None,
            _ => Some((self.bar.1, Act::Close)),
        };
        let (at, act) = [close, trade, push].into_iter().flatten().min()?;
        Some((at, act, symbol))
    }

    fn trade(&mut self, at: Timestamp, beat_ns: i64) -> Option<SimTrade> {
        let trade = match &mut self.source {
            Source::Seeded(seeded) => seeded.take(),
            Source::Bars(player) => player.take()?,
        };
        self.book.on_trade(&trade, self.bar.0);
        if self.recent.len() == RECENT_TRADES {
            self.recent.pop_front();
        }
        self.recent.push_back(trade);
        if self.push_at.is_none() {
            let beats = at.nanos().div_euclid(beat_ns) + 1;
            self.push_at = Some(Timestamp::from_nanos(beats * beat_ns));
        }
        Some(trade)
    }

    fn close(&mut self, at: Timestamp, out: &mut VecDeque<MarketEvent>) {
        let exact = match &self.source {
            Source::Seeded(_) => None,
            Source::Bars(player) => player.bar(),
        };
        if let Some(kline) = self.book.finish(self.bar.0, exact) {
            self.book.close(kline, at, |kline| {
                let symbol = kline.bar.instrument.0;
                out.push_back(MarketEvent::Kline { symbol, at, kline, closed: true });
            });
        }
        match &mut self.source {
            Source::Seeded(_) => self.bar = (at, Interval::M1.close_of(at)),
            Source::Bars(player) => {
                player.turn();
                // The file has no open bars above its own interval: nothing is left to update.
                self.push_at = None;
                self.bar = played_bar(player);
            }
        }
    }

    fn push(&mut self, at: Timestamp, out: &mut VecDeque<MarketEvent>) {
        self.push_at = None;
        for interval in self.book.intervals() {
            if let Some(kline) = self.book.open(interval) {
                let symbol = kline.bar.instrument.0;
                out.push_back(MarketEvent::Kline { symbol, at, kline, closed: false });
            }
        }
    }
}

fn played_bar(player: &Player) -> (Timestamp, Timestamp) {
    let bounds = player.bar().map(|bar| bar.open_time).zip(player.ends_at());
    bounds.unwrap_or((Timestamp::MAX, Timestamp::MAX))
}

fn seeded_desks(
    (seed, edge): (u64, Option<Edge>),
    start: Timestamp,
    (symbols, history_days): (&[SymbolSpec], u32),
) -> Result<Vec<Desk>, Error> {
    edge.as_ref().map(Edge::check).transpose()?;
    let trading_from = Interval::M1.open_of(start).minus(LEAD);
    let past = Duration::from_secs(u64::from(history_days.min(MAX_HISTORY_DAYS)) * 86_400);
    let history_from = match history_days {
        0 => trading_from,
        _ => trading_from.minus(past).day().start(),
    };
    let mut desks = Vec::with_capacity(symbols.len());
    for (i, spec) in symbols.iter().enumerate() {
        check_symbol(spec)?;
        let instrument = InstrumentId(i as u32);
        let mut seeded = Box::new(Seeded::new((seed, edge), spec, instrument));
        let mut book = BarBook::all(instrument);
        let mut open = history_from;
        while open < trading_from {
            let close = Interval::M1.close_of(open);
            book.close(seeded.past_minute(open), close, |_| {});
            open = close;
        }
        seeded.begin_trading(trading_from);
        let fine = spec.tick.nanos() % 10 != 0 || !spec.lot.nanos().is_multiple_of(10);
        desks.push(Desk {
            listing: listing(&spec.name, (spec.tick, spec.lot), if fine { 9 } else { 8 }),
            source: Source::Seeded(seeded),
            book,
            recent: VecDeque::with_capacity(RECENT_TRADES),
            bar: (trading_from, Interval::M1.close_of(trading_from)),
            push_at: None,
        });
    }
    Ok(desks)
}

fn played_desks(start: Timestamp, tables: Vec<BarTable>) -> Result<Vec<Desk>, Error> {
    let mut desks = Vec::with_capacity(tables.len());
    for (i, table) in tables.into_iter().enumerate() {
        check_name(table.symbol.name())?;
        tape::check(&table)?;
        let instrument = InstrumentId(i as u32);
        let grid = tape::grid(&table.bars);
        let mut book = BarBook::only(instrument, table.interval);
        let past = table.bars.partition_point(|bar| bar.close_time() <= start);
        for bar in &table.bars[..past] {
            if let Some(kline) = book.finish(bar.open_time, Some(bar)) {
                book.close(kline, bar.close_time(), |_| {});
            }
        }
        let player = Player::new(table.bars, past, instrument);
        desks.push(Desk {
            listing: listing(table.symbol.name(), (grid.tick, grid.lot), grid.decimals),
            bar: played_bar(&player),
            source: Source::Bars(player),
            book,
            recent: VecDeque::with_capacity(RECENT_TRADES),
            push_at: None,
        });
    }
    Ok(desks)
}

#[cfg(test)]
mod tests;
