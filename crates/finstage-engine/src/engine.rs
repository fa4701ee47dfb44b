//! Events in, outputs out. The engine is a pure function of its settings and its events: it reads
//! no clock, does no I/O, cannot fail, and says the same in every run.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::{
    Event, Insight, Instrument, InstrumentId, Output, Payload, Price, Symbol, Timestamp,
    WatchNotice,
};

use crate::alerts::AlertDesk;
use crate::desk::Desk;
use crate::market::Market;
use crate::plan::{Plan, Planned};
use crate::shared::Shared;
use crate::timeline::Timeline;
use crate::verify::Verifier;
use crate::{Catalog, EngineSettings, StrategyError};

/// The greatest number of instruments; a dense id beyond it is refused.
pub const MAX_INSTRUMENTS: usize = 1 << 20;

/// The core of the house: [`Engine::apply`] takes one event and appends what follows from it.
#[derive(Debug)]
pub struct Engine {
    /// By dense id.
    desks: Vec<Option<Box<Desk>>>,
    by_symbol: BTreeMap<Symbol, InstrumentId>,
    shared: Shared,
}

/// What went in and came out, and what could not be used. Nothing is dropped without being
/// counted here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Events applied.
    pub events: u64,
    /// Trades of known instruments.
    pub trades: u64,
    /// Bars accepted or built.
    pub bars: u64,
    /// Signals said.
    pub signals: u64,
    /// Trades whose bar had closed.
    pub late_trades: u64,
    /// Finer bars whose coarse bar had closed.
    pub late_parts: u64,
    /// Venue bars that were known, with the same prices.
    pub duplicate_bars: u64,
    /// Venue bars that were known, with other prices; not applied.
    pub revisions: u64,
    /// Venue bars older than the last, and not among those kept.
    pub out_of_order_bars: u64,
    /// Venue bars of series that the venue does not make here.
    pub unwanted_bars: u64,
    /// Trades and bars that cannot be: far in the future, or with a high below the low.
    pub implausible: u64,
    /// Events of instruments that were not announced.
    pub unknown_instruments: u64,
    /// Announcements refused: an id beyond [`MAX_INSTRUMENTS`], or id and symbol paired otherwise
    /// before.
    pub refused_instruments: u64,
    /// Cards of strategies that are not run here, or beyond [`MAX_CARDS`](crate::MAX_CARDS).
    pub unused_cards: u64,
    /// Watches on instruments that were not announced, or beyond [`MAX_WATCHES`](crate::MAX_WATCHES).
    pub unused_watches: u64,
}

impl Engine {
    /// An engine that knows nothing of the market yet.
    ///
    /// # Errors
    /// When a strategy is unknown, listed twice or has parameters that make no sense, when there
    /// are too many, or when a series cannot be made as its origin says.
    pub fn new(settings: &EngineSettings, catalog: Catalog) -> Result<Self, StrategyError> {
        let plan = Plan::new(settings, catalog)?;
        let alerts = AlertDesk::new(settings.alerts.clone(), settings.longest_cooldown());
        let shared = Shared {
            plan,
            timeline: Timeline::new(),
            market: Market::default(),
            verifier: Verifier::default(),
            alerts,
            counters: Counters::default(),
            firings: Vec::new(),
        };
        Ok(Self { desks: Vec::new(), by_symbol: BTreeMap::new(), shared })
    }

    /// Applies one event and appends what the engine says to it.
    pub fn apply(&mut self, event: &Event, out: &mut Vec<Output>) {
        let shared = &mut self.shared;
        shared.counters.events += 1;
        shared.timeline.advance(event.ts_recv);
        let id = match &event.payload {
            Payload::Tick => return self.on_tick(out),
            Payload::Instrument(instrument) => return self.on_instrument(instrument),
            Payload::Said(said) => return shared.alerts.on_said(said, shared.timeline.now()),
            Payload::Card(card) => return shared.on_card(card),
            Payload::Watch(watch) => return self.on_watch(watch),
            Payload::Mute(mute) => return shared.alerts.on_mute(mute, shared.timeline.now()),
            Payload::Document(_) => return,
            Payload::Insight(insight) => return self.on_insight(insight),
            Payload::Trade(trade) => trade.instrument,
            Payload::Bar(bar) => bar.instrument,
            Payload::Feed(status) => status.instrument,
            Payload::Past(past) => past.instrument,
            Payload::Reset(instrument) => *instrument,
        };
        let Some(Some(desk)) = self.desks.get_mut(id.index()) else {
            shared.counters.unknown_instruments += 1;
            return;
        };
        match &event.payload {
            Payload::Trade(trade) => {
                shared.counters.trades += 1;
                if shared.timeline.is_plausible(trade.ts_event) {
                    desk.on_trade(trade, shared, out);
                } else {
                    shared.counters.implausible += 1;
                }
            }
            Payload::Bar(bar) => desk.on_bar(bar, shared, out),
            Payload::Feed(status) => desk.on_feed(status.kind, shared),
            Payload::Past(past) => desk.on_past(past, shared),
            Payload::Reset(_) => desk.on_reset(shared),
            Payload::Instrument(_)
            | Payload::Said(_)
            | Payload::Card(_)
            | Payload::Watch(_)
            | Payload::Mute(_)
            | Payload::Document(_)
            | Payload::Insight(_)
            | Payload::Tick => {}
        }
    }

    /// What went in and came out so far.
    #[must_use]
    pub const fn counters(&self) -> Counters {
        self.shared.counters
    }

    /// The strategies; a [`finstage_model::StrategyId`] is a place in this list.
    #[must_use]
    pub fn strategies(&self) -> &[Planned] {
        &self.shared.plan.strategies
    }

    /// Engine time: the greatest moment of receipt so far.
    #[must_use]
    pub const fn now(&self) -> Timestamp {
        self.shared.timeline.now()
    }

    /// The newest price of an instrument, from trades or closed bars, and its moment.
    #[must_use]
    pub fn last_price(&self, instrument: InstrumentId) -> Option<(Price, Timestamp)> {
        self.shared.market.last(instrument)
    }

    fn on_tick(&mut self, out: &mut Vec<Output>) {
        for desk in self.desks.iter_mut().flatten() {
            desk.on_time(&mut self.shared, out);
        }
    }

    fn on_watch(&mut self, watch: &WatchNotice) {
        let id = self.by_symbol.get(&watch.symbol).copied();
        let desk = id.and_then(|id| self.desks.get_mut(id.index())?.as_mut());
        if !desk.is_some_and(|desk| desk.on_watch(watch)) {
            self.shared.counters.unused_watches += 1;
            return;
        }
        self.shared.alerts.remember_for(Duration::from_millis(watch.cooldown_ms));
    }

    fn on_insight(&mut self, insight: &Insight) {
        for symbol in &insight.symbols {
            if let Some(&id) = self.by_symbol.get(symbol) {
                self.shared.market.hear(id, insight);
            }
        }
    }

    fn on_instrument(&mut self, instrument: &Instrument) {
        let (id, symbol) = (instrument.id, &instrument.symbol);
        let place = id.index();
        let known = self.desks.get(place).and_then(Option::as_ref);
        let is_paired = known.is_some_and(|desk| desk.instrument.symbol == *symbol);
        let is_new = known.is_none() && !self.by_symbol.contains_key(symbol);
        if is_paired {
            return;
        }
        if !is_new || place >= MAX_INSTRUMENTS {
            self.shared.counters.refused_instruments += 1;
            return;
        }
        if self.desks.len() <= place {
            self.desks.resize_with(place + 1, || None);
        }
        let desk = Desk::new(instrument.clone(), &self.shared.plan);
        let depth = self.shared.plan.depth(symbol);
        self.shared.market.open(id, desk.intervals(), depth);
        self.by_symbol.insert(symbol.clone(), id);
        self.desks[place] = Some(Box::new(desk));
    }
}
