//! A market that is written down beforehand, so that a process that stopped can be told the rest.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use finstage::config;
use finstage::config::settings::Settings;
use finstage::day::RENEWAL_DELAY;
use finstage_model::{
    Aggressor, Bar, Card, Event, FeedKind, FeedStatus, InstrumentId, Interval, Payload, Price, Qty,
    Symbol, Timestamp, Trade, TradeId,
};
use finstage_store::suite::Rng;

/// The evening of a Thursday; two midnights follow.
const START: &str = "2026-03-05T18:00:00Z";
/// What is lived through, in bars of a quarter of an hour.
const SLOTS: u32 = 128;
/// What is in the store before: more than any of the strategies remembers.
const PAST_SLOTS: u32 = 130;
const SLOT: Duration = Duration::from_secs(900);
const MINUTE: Duration = Duration::from_secs(60);
/// A trade or a bar reaches us so much later.
const DELAY: Duration = Duration::from_millis(200);

/// As the settings say.
pub(crate) const COOLDOWN: Duration = Duration::from_secs(3 * 3_600);
pub(crate) const PER_HOUR: usize = 3;

/// One instrument whose bars come from the venue and one whose bars are made of trades. The
/// strategies have short periods, so that bars of a day and a half are more than they remember.
const SETTINGS: &str = r#"
    [alerts]
    send = "unproven"
    cooldown = "3h"
    per_hour = 3
    max_age = "30d"

    [[feeds]]
    venue = "binance"
    symbols = ["AAAUSDT"]
    intervals = ["1m", "15m"]

    [[feeds]]
    venue = "binance"
    symbols = ["BBBUSDT"]
    intervals = ["15m"]
    bars = "trades"

    [[strategies]]
    name = "rsi_overbought"
    interval = "15m"
    params = { period = 6, level = 60 }

    [[strategies]]
    name = "rsi_oversold"
    interval = "15m"
    params = { period = 6, level = 40 }

    [[strategies]]
    name = "macd_bullish_cross"
    interval = "15m"
    params = { fast = 4, slow = 8, signal = 2 }

    [[strategies]]
    name = "macd_bearish_cross"
    interval = "15m"
    params = { fast = 4, slow = 8, signal = 2 }

    [[strategies]]
    name = "rsi_bullish"
    symbols = ["binance:AAAUSDT"]
    interval = "1m"
    params = { period = 3 }

    [[strategies]]
    name = "macd_zero_cross_up"
    interval = "1h"
    params = { fast = 2, slow = 4, signal = 2 }

    [[strategies]]
    name = "ma_breakout_up"
    interval = "15m"
    params = { period = 10 }

    [[strategies]]
    name = "bb_break_lower"
    interval = "15m"
    params = { period = 10 }

    [[watches]]
    symbol = "binance:AAAUSDT"
    rule = "rise=1%"

    [[watches]]
    symbol = "binance:AAAUSDT"
    rule = "new_high"

    [[watches]]
    symbol = "binance:BBBUSDT"
    rule = "drop=1%"

    [[watches]]
    symbol = "binance:BBBUSDT"
    rule = "prev_low"
"#;

/// What happens around midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Night {
    /// Trades and ticks go on.
    Busy,
    /// Nothing is traded from 23:57 to 00:03, and the venue's bar of midnight comes after that.
    Quiet,
}

/// A market from its past to its end, by seed.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) settings: Settings,
    /// Bars that are stored before the start, by series.
    pub(crate) past: Vec<(Symbol, Vec<Bar>)>,
    /// In the order received, each at a moment of its own.
    pub(crate) events: Vec<Event>,
    /// Places of the ticks that end a day.
    pub(crate) renewals: Vec<usize>,
    /// What another process imports meanwhile.
    pub(crate) imports: Vec<Import>,
    /// Cards that another process keeps just before an event comes.
    pub(crate) cards: Vec<(usize, Card)>,
}

/// Bars that another process imports just before an event comes.
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) place: usize,
    pub(crate) symbol: Symbol,
    pub(crate) bars: Vec<Bar>,
}

impl Script {
    pub(crate) fn new(seed: u64, night: Night) -> Arc<Self> {
        let settings = config::parse("the script's configuration", SETTINGS, &[]).unwrap();
        let mut writer = Writer {
            rng: Rng::new(seed ^ 0x5eed),
            night,
            walks: [Walk::new(100), Walk::new(40)],
            past: Default::default(),
            events: Vec::new(),
            last_trade: 0,
        };
        let start: Timestamp = START.parse().unwrap();
        for slot in 0..PAST_SLOTS {
            writer.past_slot(start.minus(SLOT * (PAST_SLOTS - slot)));
            writer.past_minute(start.minus(MINUTE * (PAST_SLOTS - slot)));
        }
        for slot in 0..SLOTS {
            writer.slot(start.plus(SLOT * slot));
        }
        let events = writer.in_order();
        let [aaa, bbb] = [0, 1].map(|feed: usize| settings.feeds[feed].symbols[0].clone());
        let past = [aaa.clone(), bbb, aaa].into_iter().zip(writer.past).collect();
        let renewals = renewals(&events);
        assert_eq!(renewals.len(), 2, "two midnights");
        Arc::new(Self { settings, past, events, renewals, imports: Vec::new(), cards: Vec::new() })
    }

    /// The script with holes in what is stored before its start; other processes fill them while
    /// it is played, at places that `place` chooses from the whole script, and import bars that
    /// nobody needs.
    pub(crate) fn with_holes(seed: u64) -> Arc<Self> {
        let script = Self::new(seed, Night::Busy);
        let Ok(mut script) = Arc::try_unwrap(script) else { unreachable!("nobody else has it") };
        let (first, second) = (script.renewals[0], script.renewals[1]);
        let mut fill = |place: usize, series: usize, hole: Range<usize>| {
            let (symbol, bars) = &mut script.past[series];
            let (symbol, bars) = (symbol.clone(), bars.drain(hole).collect());
            script.imports.push(Import { place, symbol, bars });
        };
        // From the end of the past to its start, so that places in it stay what they are.
        fill(first / 2, 0, 110..122);
        fill(first - 3, 1, 105..120);
        fill((first + second) / 2, 0, 85..95);
        fill((first + second) / 2, 1, 80..90);
        fill(second + 9, 2, 100..120);
        let (symbol, bars) = &script.past[0];
        let moved = |by: u32, interval| {
            let moved = bars.iter().map(|bar| Bar {
                open_time: bar.open_time.minus(24 * 3_600 * by * Duration::from_secs(1)),
                interval,
                ..*bar
            });
            moved.collect::<Vec<_>>()
        };
        for bars in [moved(400, Interval::M15), moved(0, Interval::M5)] {
            script.imports.push(Import { place: first / 3, symbol: symbol.clone(), bars });
        }
        Arc::new(script)
    }

    /// The script with those of its events alone.
    pub(crate) fn only(&self, places: &[usize]) -> Arc<Self> {
        let events: Vec<Event> = places.iter().map(|&place| self.events[place].clone()).collect();
        let renewals = renewals(&events);
        Arc::new(Self {
            settings: self.settings.clone(),
            past: self.past.clone(),
            events,
            renewals,
            imports: Vec::new(),
            cards: Vec::new(),
        })
    }

    /// Whether the journal's event is one of the script's, and where.
    pub(crate) fn place_of(&self, event: &Event) -> Option<usize> {
        let place = self.events.binary_search_by_key(&event.ts_recv, |known| known.ts_recv).ok()?;
        (self.events[place] == *event).then_some(place)
    }
}

fn renewals(events: &[Event]) -> Vec<usize> {
    let day = |event: &Event| event.ts_recv.minus(RENEWAL_DELAY).day();
    let mut today = day(&events[0]);
    let ends = |(place, event): (usize, &Event)| {
        let ends = event.payload == Payload::Tick && day(event) > today;
        today = if ends { day(event) } else { today };
        ends.then_some(place)
    };
    events.iter().enumerate().filter_map(ends).collect()
}

struct Writer {
    rng: Rng,
    night: Night,
    walks: [Walk; 2],
    /// Quarters of an hour of both, and minutes of the first.
    past: [Vec<Bar>; 3],
    events: Vec<Event>,
    last_trade: u128,
}

impl Writer {
    fn past_slot(&mut self, open_time: Timestamp) {
        for (place, walk) in self.walks.iter_mut().enumerate() {
            let prices: Vec<Price> = (0..4).map(|_| walk.step(&mut self.rng)).collect();
            self.past[place].push(bar((place, Interval::M15), open_time, &prices));
        }
    }

    fn past_minute(&mut self, open_time: Timestamp) {
        let prices: Vec<Price> = (0..2).map(|_| self.walks[0].step(&mut self.rng)).collect();
        self.past[2].push(bar((0, Interval::M1), open_time, &prices));
    }

    /// What is received in a quarter of an hour, and the bar of it.
    fn slot(&mut self, open_time: Timestamp) {
        let secs = |rng: &mut Rng, from, span| Duration::from_secs(from + rng.below(span) as u64);
        for quarter in [15, 450] {
            self.say(open_time.plus(Duration::from_secs(quarter)), Payload::Tick);
        }
        for place in 0..self.walks.len() {
            let mut prices = Vec::new();
            for part in 0..2 {
                let at = open_time.plus(secs(&mut self.rng, 20 + 440 * part, 430));
                prices.push(self.trade(place, at));
            }
            if place == 0 {
                let payload = Payload::Bar(bar((place, Interval::M15), open_time, &prices));
                self.say(open_time.plus(SLOT).plus(DELAY), payload);
            }
        }
        match self.rng.below(24) {
            0 => self.loss(open_time.plus(Duration::from_secs(400))),
            // A trade that comes too late to change its bar.
            1 => self.late_trade(open_time),
            _ => {}
        }
        if open_time == open_time.day().start() {
            self.midnight(open_time);
        }
    }

    /// More trades and ticks around the border of the day, and bars of minutes.
    fn midnight(&mut self, at: Timestamp) {
        for n in 0..24 {
            let tick = at.minus(Duration::from_secs(25)).plus(Duration::from_secs(5 * n));
            self.say(tick, Payload::Tick);
            self.trade((n % 2) as usize, tick.plus(Duration::from_millis(1_700)));
        }
        for n in 0..40 {
            let open_time = at.minus(20 * MINUTE).plus(n * MINUTE);
            let prices = [0, 1].map(|_| self.walks[0].step(&mut self.rng));
            let payload = Payload::Bar(bar((0, Interval::M1), open_time, &prices));
            self.say(open_time.plus(MINUTE).plus(DELAY), payload);
        }
    }

    fn trade(&mut self, place: usize, at: Timestamp) -> Price {
        let price = self.walks[place].step(&mut self.rng);
        self.last_trade += 1;
        let trade = Trade {
            id: TradeId(self.last_trade),
            instrument: InstrumentId(place as u32),
            ts_event: at,
            price,
            qty: Qty::from_nanos(1_000_000 * (1 + self.rng.below(900) as u128)),
            aggressor: if self.rng.below(2) == 0 { Aggressor::Buyer } else { Aggressor::Seller },
        };
        self.say(at.plus(DELAY), Payload::Trade(trade));
        price
    }

    fn late_trade(&mut self, open_time: Timestamp) {
        let before = self.events.len();
        self.trade(1, open_time.minus(Duration::from_secs(5)));
        self.events[before].ts_recv = open_time.plus(Duration::from_secs(300));
    }

    fn loss(&mut self, at: Timestamp) {
        let (from, to) = (at.minus(Duration::from_secs(30)), at);
        let kinds = [FeedKind::Gap { from, to }, FeedKind::Repaired { from, to }];
        for kind in kinds {
            let instrument = InstrumentId(self.rng.below(2) as u32);
            self.say(at, Payload::Feed(FeedStatus { instrument, kind }));
        }
    }

    fn say(&mut self, ts_recv: Timestamp, payload: Payload) {
        self.events.push(Event::new(ts_recv, payload));
    }

    /// The events by time, each at a moment of its own.
    fn in_order(&mut self) -> Vec<Event> {
        let mut events = std::mem::take(&mut self.events);
        if self.night == Night::Quiet {
            sleep_over_midnight(&mut events);
        }
        events.sort_by_key(|event| event.ts_recv);
        let mut last = Timestamp::MIN;
        for event in &mut events {
            event.ts_recv = event.ts_recv.max(Timestamp::from_nanos(last.nanos() + 1));
            last = event.ts_recv;
        }
        events
    }
}

/// Takes out what is received from 23:57 to 00:03 but for a tick that closes the day's bars; the
/// venue's bar comes afterwards.
fn sleep_over_midnight(events: &mut Vec<Event>) {
    let hush = Duration::from_secs(180);
    let mut midnights = Vec::new();
    events.retain_mut(|event| {
        let midnight = event.ts_recv.plus(hush).day().start();
        if midnight <= event.ts_recv.minus(hush) {
            return true;
        }
        if !midnights.contains(&midnight) {
            midnights.push(midnight);
        }
        event.ts_recv = midnight.plus(hush).plus(Duration::from_secs(1));
        matches!(event.payload, Payload::Bar(_))
    });
    for midnight in midnights {
        for after in [Duration::from_secs(15), hush] {
            events.push(Event::new(midnight.plus(after), Payload::Tick));
        }
    }
}

fn bar((place, interval): (usize, Interval), open_time: Timestamp, prices: &[Price]) -> Bar {
    Bar {
        instrument: InstrumentId(place as u32),
        interval,
        open_time,
        open: prices[0],
        high: prices.iter().copied().max().unwrap(),
        low: prices.iter().copied().min().unwrap(),
        close: prices[prices.len() - 1],
        volume: Qty::from_nanos(7_000_000_000),
        trades: prices.len() as u32,
    }
}

/// A price that drifts now up, now down, so that every strategy finds something to say.
struct Walk {
    cents: i64,
    drift: i64,
}

impl Walk {
    fn new(units: i64) -> Self {
        Self { cents: units * 100, drift: 1 }
    }

    fn step(&mut self, rng: &mut Rng) -> Price {
        if rng.below(14) == 0 {
            self.drift = -self.drift;
        }
        let size = self.cents / 600;
        let noise = rng.below(4 * size as usize + 1) as i64 - 2 * size;
        self.cents = (self.cents + self.drift * size / 2 + noise).max(500);
        Price::from_nanos(self.cents * 10_000_000)
    }
}
