//! The desk of one instrument: its series, its strategies, its watches and the health of its
//! stream. Events of the instrument come here; closed bars leave in one fixed order, by close time
//! and then finer interval first.

use finstage_model::{
    Bar, FeedKind, Instrument, InstrumentId, Interval, Output, Past, Timestamp, Trade, WatchNotice,
};

use crate::bars::{BarBuilder, Fit};
use crate::plan::{Lineage, Maker, Plan};
use crate::rollup::Rollup;
use crate::shared::{Shared, Statement};
use crate::strategy::{Context, Strategy};
use crate::timeline::{Pace, is_datable};
use crate::verify::FeedHealth;
use crate::watch::{Scene, Sighting, Watches};

/// Everything about one instrument that is not shared.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) instrument: Instrument,
    pace: Pace,
    health: FeedHealth,
    /// Finest first.
    series: Vec<Series>,
    watches: Option<Box<Watches>>,
    has_trades: bool,
    /// The earliest close of an open bar made of trades, and of one made of venue bars: until
    /// these moments an event has nothing to close.
    next_of_trades: Timestamp,
    next_of_bars: Timestamp,
}

/// One series of bars with the strategies that listen to it.
#[derive(Debug)]
struct Series {
    interval: Interval,
    source: BarSource,
    /// The place of the series at the start of the line.
    root: usize,
    /// Where the series is known to end; nothing older is accepted.
    floor: Timestamp,
    last_open: Timestamp,
    /// Bars that open by then had been said before a reset.
    said: Timestamp,
    /// Of a root made by the venue: up to where its bars have arrived.
    arrived: Timestamp,
    seats: Vec<Seat>,
}

/// Where the bars of a series come from, with what is open at the moment.
#[derive(Debug)]
enum BarSource {
    Venue,
    Trades(BarBuilder),
    Parts { of: usize, rollup: Rollup },
}

/// An instance of a strategy.
#[derive(Debug)]
struct Seat {
    /// Its place in the plan.
    plan: usize,
    strategy: Box<dyn Strategy>,
    warmup: usize,
    seen: usize,
}

impl Desk {
    pub(crate) fn new(instrument: Instrument, plan: &Plan) -> Self {
        let symbol = &instrument.symbol;
        let series = plan.lineage(symbol).into_iter().map(|line| {
            let seats = plan.strategies_of(symbol).filter(|p| p.interval == line.interval);
            let seats = seats.map(|planned| Seat {
                plan: usize::from(planned.id.0),
                strategy: planned.build(),
                warmup: planned.warmup,
                seen: 0,
            });
            Series::new(instrument.id, line, seats.collect())
        });
        Self {
            pace: Pace::new(&plan.timing(symbol)),
            health: FeedHealth::default(),
            series: series.collect(),
            watches: Watches::new(&instrument, plan.watches_of(symbol)),
            has_trades: false,
            next_of_trades: Timestamp::MAX,
            next_of_bars: Timestamp::MAX,
            instrument,
        }
    }

    pub(crate) fn intervals(&self) -> impl Iterator<Item = Interval> + '_ {
        self.series.iter().map(|series| series.interval)
    }

    pub(crate) fn on_feed(&mut self, kind: FeedKind, shared: &Shared) {
        let known = shared.market.last(self.instrument.id).map(|(_, at)| at);
        self.health.on_feed(kind, known, shared.timeline.now());
    }

    /// Takes a watch on or off; whether there was room for it.
    pub(crate) fn on_watch(&mut self, notice: &WatchNotice) -> bool {
        let Self { watches, instrument, .. } = self;
        if notice.is_on {
            return watches.get_or_insert_default().add(notice, instrument);
        }
        if let Some(known) = watches {
            known.remove(notice.rule);
        }
        true
    }

    /// Takes a trade: closes what is over, then adds it to its bar.
    pub(crate) fn on_trade(&mut self, trade: &Trade, shared: &mut Shared, out: &mut Vec<Output>) {
        self.has_trades = true;
        let in_order = self.pace.on_trade(trade.ts_event);
        self.on_time(shared, out);
        let watermark = self.pace.watermark(shared.timeline.now());
        let mut next = self.next_of_trades;
        for series in &mut self.series {
            if let BarSource::Trades(builder) = &mut series.source {
                match builder.on_trade(trade, watermark, series.floor) {
                    Fit::Added => {}
                    Fit::Opened(close_time) => next = next.min(close_time),
                    Fit::Late => shared.counters.late_trades += 1,
                }
            }
        }
        self.next_of_trades = next;
        // What came out of order is part of its bar and no longer the price.
        if in_order {
            shared.market.note(trade.instrument, trade.price, trade.ts_event);
            if self.watches.is_some() {
                let (price, at) = (trade.price, trade.ts_event);
                self.look(Sighting { price, at, within: at }, shared, out);
            }
        }
    }

    /// Closes what is over because time passed.
    pub(crate) fn on_time(&mut self, shared: &mut Shared, out: &mut Vec<Output>) {
        let now = shared.timeline.now();
        if self.pace.watermark(now) >= self.next_of_trades
            || self.pace.silent_until(now) >= self.next_of_bars
        {
            self.close_due(now, None, shared, out);
            self.find_next();
        }
    }

    /// Takes a bar that the venue closed.
    pub(crate) fn on_bar(&mut self, bar: &Bar, shared: &mut Shared, out: &mut Vec<Output>) {
        let now = shared.timeline.now();
        let place = self.series.iter().position(|series| series.interval == bar.interval);
        let Some(at) = place.filter(|&at| matches!(self.series[at].source, BarSource::Venue))
        else {
            shared.counters.unwanted_bars += 1;
            return;
        };
        if bar.fault().is_some() || !shared.timeline.is_plausible(bar.open_time) {
            shared.counters.implausible += 1;
            return;
        }
        if bar.open_time <= self.series[at].last_open.max(self.series[at].said) {
            match shared.market.find(bar.instrument, bar.interval, bar.open_time) {
                Some(known) if known.same_prices(bar) => shared.counters.duplicate_bars += 1,
                Some(_) => shared.counters.revisions += 1,
                None => shared.counters.out_of_order_bars += 1,
            }
            return;
        }
        let close_time = bar.close_time();
        self.series[at].arrived = bar.open_time;
        self.close_due(now, Some((close_time, bar.interval)), shared, out);
        self.say(at, bar, shared, out);
        self.series[at].arrived = close_time;
        self.close_due(now, None, shared, out);
        self.find_next();
    }

    /// Takes stored bars of one series: they warm strategies and watches, rebuild the open bars of
    /// coarser series, and say nothing.
    pub(crate) fn on_past(&mut self, past: &Past, shared: &mut Shared) {
        let place = self.series.iter().position(|series| series.interval == past.interval);
        for bar in &past.bars {
            let is_own = bar.instrument == past.instrument && bar.interval == past.interval;
            if !is_own || bar.fault().is_some() || !is_datable(bar.open_time) {
                shared.counters.implausible += 1;
                continue;
            }
            if let Some(watches) = &mut self.watches {
                watches.on_past(bar);
            }
            if let Some(at) = place
                && bar.open_time > self.series[at].last_open
            {
                self.keep(at, bar, shared);
                // One that was closed by a clock that was ahead is not younger than what comes.
                let known_at = bar.close_time().min(shared.timeline.now());
                shared.market.note(bar.instrument, bar.close, known_at);
                self.series[at].warm(bar, shared);
            }
        }
        if let Some(at) = place {
            self.series[at].forget_known();
        }
        self.find_next();
    }

    /// Forgets the series and what strategies made of them: the whole past follows, better than
    /// it was. What no past can tell again stays: bars that trades have begun, the prices that
    /// watches saw, the health of the stream, and where each series had ended, so that nothing is
    /// said twice.
    pub(crate) fn on_reset(&mut self, shared: &mut Shared) {
        shared.market.forget_bars(self.instrument.id);
        for series in &mut self.series {
            series.reset(&shared.plan);
        }
        self.find_next();
    }

    /// Says every open bar that is complete, in order, at most those before `limit`.
    fn close_due(
        &mut self,
        now: Timestamp,
        limit: Option<(Timestamp, Interval)>,
        shared: &mut Shared,
        out: &mut Vec<Output>,
    ) {
        let silent = self.pace.silent_until(now);
        let watermark = self.pace.watermark(now);
        loop {
            let due = self.series.iter().enumerate().filter_map(|(at, series)| {
                let close_time = series.next_close()?;
                let root = &self.series[series.root];
                let complete = match root.source {
                    BarSource::Trades(_) => watermark,
                    _ => silent.max(root.arrived),
                };
                let key = (close_time, series.interval);
                let is_due = close_time <= complete && limit.is_none_or(|limit| key < limit);
                is_due.then_some((key, at))
            });
            let Some((_, at)) = due.min() else { return };
            let Some(bar) = self.series[at].take() else { return };
            self.say(at, &bar, shared, out);
        }
    }

    /// Says a closed bar and everything that follows from it.
    fn say(&mut self, at: usize, bar: &Bar, shared: &mut Shared, out: &mut Vec<Output>) {
        out.push(Output::Bar(*bar));
        shared.counters.bars += 1;
        self.keep(at, bar, shared);
        shared.market.note(bar.instrument, bar.close, bar.close_time());
        self.ask_strategies(at, bar, shared, out);
        if self.watches.is_some() {
            self.watch_bar(at, bar, shared, out);
        }
    }

    /// Puts a closed bar where readers find it and adds it to the coarser bars made of it.
    fn keep(&mut self, at: usize, bar: &Bar, shared: &mut Shared) {
        let close_time = bar.close_time();
        shared.market.push(bar);
        let series = &mut self.series[at];
        series.floor = series.floor.max(close_time);
        series.last_open = bar.open_time;
        for coarser in &mut self.series {
            if let BarSource::Parts { of, rollup } = &mut coarser.source
                && *of == at
                && !rollup.absorb(bar, coarser.floor)
            {
                shared.counters.late_parts += 1;
            }
        }
    }

    fn ask_strategies(&mut self, at: usize, bar: &Bar, shared: &mut Shared, out: &mut Vec<Output>) {
        let series = &self.series[at];
        let is_of_trades = matches!(self.series[series.root].source, BarSource::Trades(_));
        let lost = if is_of_trades { &self.health.trades } else { &self.health.bars };
        let is_stale = self.health.is_stale;
        for seat in &mut self.series[at].seats {
            seat.hear(bar, shared);
            if seat.seen < seat.warmup {
                continue;
            }
            for firing in shared.take_firings() {
                let statement = Statement {
                    plan: seat.plan,
                    instrument: &self.instrument,
                    bar,
                    firing,
                    warmup: seat.warmup,
                    is_stale,
                    lost,
                };
                shared.speak(&statement, out);
            }
        }
    }

    /// Shows a closed bar to the watches: its close where no trades come, and its day.
    fn watch_bar(&mut self, at: usize, bar: &Bar, shared: &mut Shared, out: &mut Vec<Output>) {
        let is_price = at == 0 && !self.has_trades;
        if is_price {
            let close_time = bar.close_time();
            let within = match bar.interval {
                // A daily bar need not end on the day it stands for.
                interval if interval >= Interval::D1 => bar.open_time,
                _ => Timestamp::from_nanos(close_time.nanos() - 1),
            };
            self.look(Sighting { price: bar.close, at: close_time, within }, shared, out);
        }
        if let Some(watches) = &mut self.watches
            && (is_price || bar.interval == Interval::D1)
        {
            watches.note_bar(bar);
        }
    }

    fn look(&mut self, seen: Sighting, shared: &mut Shared, out: &mut Vec<Output>) {
        let Some(watches) = &mut self.watches else { return };
        let scene = Scene {
            instrument: &self.instrument,
            now: shared.timeline.now(),
            data_age_ms: shared.data_age_ms(self.instrument.id),
        };
        watches.on_price(seen, scene, &mut shared.alerts, out);
    }

    fn find_next(&mut self) {
        (self.next_of_trades, self.next_of_bars) = (Timestamp::MAX, Timestamp::MAX);
        for series in &self.series {
            let Some(close_time) = series.next_close() else { continue };
            let next = match self.series[series.root].source {
                BarSource::Trades(_) => &mut self.next_of_trades,
                _ => &mut self.next_of_bars,
            };
            *next = close_time.min(*next);
        }
    }
}

impl Series {
    fn new(instrument: InstrumentId, line: Lineage, seats: Vec<Seat>) -> Self {
        let Lineage { interval, maker, root } = line;
        let source = match maker {
            Maker::Venue => BarSource::Venue,
            Maker::Trades => BarSource::Trades(BarBuilder::new(instrument, interval)),
            Maker::Parts { of } => BarSource::Parts { of, rollup: Rollup::new(interval) },
        };
        let never = Timestamp::MIN;
        Self {
            interval,
            source,
            root,
            floor: never,
            last_open: never,
            said: never,
            arrived: never,
            seats,
        }
    }

    fn next_close(&self) -> Option<Timestamp> {
        match &self.source {
            BarSource::Venue => None,
            BarSource::Trades(builder) => builder.next_close(),
            BarSource::Parts { rollup, .. } => rollup.next_close(),
        }
    }

    fn take(&mut self) -> Option<Bar> {
        match &mut self.source {
            BarSource::Venue => None,
            BarSource::Trades(builder) => builder.take(),
            BarSource::Parts { rollup, .. } => rollup.take(),
        }
    }

    /// Shows the strategies a stored bar; what they say is not heard.
    fn warm(&mut self, bar: &Bar, shared: &mut Shared) {
        for seat in &mut self.seats {
            seat.hear(bar, shared);
        }
    }

    fn reset(&mut self, plan: &Plan) {
        self.said = self.said.max(self.last_open);
        self.last_open = Timestamp::MIN;
        if let BarSource::Parts { rollup, .. } = &mut self.source {
            rollup.take();
        }
        for seat in &mut self.seats {
            let planned = &plan.strategies[seat.plan];
            seat.strategy = planned.build();
            seat.seen = 0;
        }
    }

    fn forget_known(&mut self) {
        match &mut self.source {
            BarSource::Venue => {}
            BarSource::Trades(builder) => builder.forget_before(self.floor),
            BarSource::Parts { rollup, .. } => rollup.forget_before(self.floor),
        }
    }
}

impl Seat {
    fn hear(&mut self, bar: &Bar, shared: &mut Shared) {
        shared.firings.clear();
        let hears_news = self.strategy.hears_news();
        let context = Context { market: &shared.market, bar, hears_news };
        self.strategy.on_bar(bar, &context, &mut shared.firings);
        self.seen = self.seen.saturating_add(1);
    }
}
