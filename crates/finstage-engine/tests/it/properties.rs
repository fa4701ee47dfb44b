//! What holds for any events.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_engine::{EngineSettings, WatchSpec};
use finstage_model::{
    Aggressor, AlertId, Bar, CardVerdict, Event, FeedKind, FeedStatus, InstrumentId, Interval,
    Output, Past, Payload, Price, Qty, Said, Timestamp, Trade, TradeId,
};
use proptest::prelude::*;

use crate::stage::{A, Stage, announce, series, strategy, symbol, trade};

/// Bars of the trades, grouped by time and nothing else.
fn naive(trades: &[Trade], interval: Interval) -> Vec<Bar> {
    let mut groups: BTreeMap<Timestamp, Vec<&Trade>> = BTreeMap::new();
    for trade in trades {
        groups.entry(interval.open_of(trade.ts_event)).or_default().push(trade);
    }
    let bars = groups.into_iter().map(|(open_time, mut group)| {
        group.sort_by_key(|trade| trade.ts_event);
        let prices = || group.iter().map(|trade| trade.price);
        Bar {
            instrument: A,
            interval,
            open_time,
            open: prices().next().unwrap(),
            high: prices().max().unwrap(),
            low: prices().min().unwrap(),
            close: prices().next_back().unwrap(),
            volume: Qty::from_nanos(group.iter().map(|trade| trade.qty.nanos()).sum()),
            trades: group.len() as u32,
        }
    });
    bars.collect()
}

proptest! {
    /// Trades arrive at most three seconds out of order, and ticks wherever they like.
    #[test]
    fn bars_are_the_trades_grouped_by_time_whatever_the_ticks(
        steps in prop::collection::vec((0u64..200_000, 0u64..3_000, 1i64..50), 1..300),
        ticks in prop::collection::vec(any::<bool>(), 300),
    ) {
        let mut settings = series("1m trades, 5m trades, 1h rolled 5m");
        settings.feeds[0].lateness_ms = 3_000;
        let mut stage = Stage::new(&settings);
        let mut trades = Vec::new();
        let mut ts_recv: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        for (&(step, late, price), tick) in steps.iter().zip(ticks) {
            ts_recv = ts_recv.plus(Duration::from_millis(step));
            if tick {
                stage.apply(ts_recv, Payload::Tick);
            }
            let ts_event = ts_recv.minus(Duration::from_millis(late));
            let trade = trade(ts_event, &price.to_string());
            trades.push(trade);
            stage.apply(ts_recv, Payload::Trade(trade));
        }
        stage.apply("2026-01-07".parse().unwrap(), Payload::Tick);
        prop_assert_eq!(stage.engine.counters().late_trades, 0);
        for interval in [Interval::M1, Interval::M5, Interval::H1] {
            let said: Vec<Bar> = stage.outputs.iter().filter_map(|output| match output {
                Output::Bar(bar) if bar.interval == interval => Some(*bar),
                _ => None,
            }).collect();
            prop_assert_eq!(said, naive(&trades, interval));
        }
    }

    #[test]
    fn no_event_makes_the_engine_panic(events in prop::collection::vec(garbage(), 1..200)) {
        let mut stage = Stage::new(&everything());
        let mut passed = Duration::ZERO;
        for (step, ts_recv, payload) in events {
            passed += Duration::from_millis(step);
            stage.apply(moved(ts_recv, passed), moved_payload(payload, passed));
        }
        let mut bytes = Vec::new();
        stage.outputs.iter().for_each(|output| output.canonical(&mut bytes));
        let mut opens: BTreeMap<Interval, Timestamp> = BTreeMap::new();
        for output in &stage.outputs {
            if let Output::Bar(bar) = output {
                let before = opens.insert(bar.interval, bar.open_time);
                prop_assert!(before.is_none_or(|before| before < bar.open_time));
                prop_assert_eq!(bar.fault(), None);
            }
        }
    }
}

fn everything() -> EngineSettings {
    let mut settings =
        series("1m trades, 5m rolled 1m, 1h venue, 1d rolled 1h, 1w venue, 1mo trades");
    settings.strategies = vec![
        strategy("chatter", None, Interval::M1),
        strategy("cross", Some(("n", 2.0)), Interval::M5),
        strategy("reader", None, Interval::H1),
        strategy("chatter", None, Interval::D1),
    ];
    settings.alerts.send_unproven = true;
    settings.alerts.cooldown_ms = u64::MAX;
    settings.feeds[0].lateness_ms = 90_000;
    let rules = "rise=1% drop=1% new_high drop_from_high=1% prev_high prev_low above=1 below=-1";
    settings.watches = rules
        .split(' ')
        .map(|rule| WatchSpec {
            symbol: symbol(),
            rule: rule.parse().unwrap(),
            cooldown_ms: Some(0),
        })
        .collect();
    settings
}

/// Where generated moments lie; they move on with the events before them.
const BASE: Timestamp = Timestamp::from_secs(1_767_600_000);

/// Moments near each other, and moments that cannot be.
fn moment() -> impl Strategy<Value = Timestamp> {
    prop_oneof![8 => near(), 2 => odd()]
}

fn near() -> impl Strategy<Value = Timestamp> {
    (0i64..100_000).prop_map(|ms| BASE.minus(Duration::from_millis(ms as u64)))
}

fn odd() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        any::<i64>().prop_map(Timestamp::from_nanos),
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        Just(Timestamp::EPOCH),
    ]
}

fn moved(at: Timestamp, by: Duration) -> Timestamp {
    if BASE.since(at) <= Duration::from_secs(100) && at <= BASE { at.plus(by) } else { at }
}

fn moved_bar(bar: Bar, by: Duration) -> Bar {
    let open_time = moved(bar.open_time, by);
    let is_near = open_time != bar.open_time;
    Bar { open_time: if is_near { bar.interval.open_of(open_time) } else { open_time }, ..bar }
}

fn moved_payload(payload: Payload, by: Duration) -> Payload {
    match payload {
        Payload::Trade(trade) => {
            Payload::Trade(Trade { ts_event: moved(trade.ts_event, by), ..trade })
        }
        Payload::Bar(bar) => Payload::Bar(moved_bar(bar, by)),
        Payload::Past(mut past) => {
            past.bars.iter_mut().for_each(|bar| *bar = moved_bar(*bar, by));
            Payload::Past(past)
        }
        other => other,
    }
}

fn id() -> impl Strategy<Value = InstrumentId> {
    prop_oneof![8 => Just(A), 1 => any::<u32>().prop_map(InstrumentId), 1 => Just(InstrumentId(1))]
}

fn price() -> impl Strategy<Value = Price> {
    prop_oneof![
        4 => (-5i64..200).prop_map(|units| Price::from_nanos(units * 1_000_000_000)),
        1 => any::<i64>().prop_map(Price::from_nanos),
        1 => prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0)].prop_map(Price::from_nanos),
    ]
}

fn quantity() -> impl Strategy<Value = Qty> {
    prop_oneof![4 => (0u128..9).prop_map(Qty::from_nanos), 1 => any::<u128>().prop_map(Qty::from_nanos)]
}

prop_compose! {
    fn any_trade()(instrument in id(), ts_event in moment(), price in price(), qty in quantity()) -> Trade {
        Trade { id: TradeId(0), instrument, ts_event, price, qty, aggressor: Aggressor::Seller }
    }
}

prop_compose! {
    fn any_bar()(
        (instrument, open_time) in (id(), moment()),
        place in 0..Interval::ALL.len(),
        prices in prop::array::uniform4(price()),
        tidy in prop::bool::weighted(0.8),
        volume in quantity(),
    ) -> Bar {
        let interval = Interval::ALL[place];
        let [open, mut high, mut low, close] = prices;
        if tidy {
            high = open.max(close).max(high);
            low = open.min(close).min(low);
        }
        Bar { instrument, interval, open_time, open, high, low, close, volume, trades: u32::MAX }
    }
}

fn payload() -> impl Strategy<Value = Payload> {
    let feed = (moment(), moment(), 0..4u8).prop_map(|(from, to, kind)| match kind {
        0 => FeedKind::Up,
        1 => FeedKind::Stale,
        2 => FeedKind::Gap { from, to },
        _ => FeedKind::Repaired { from, to },
    });
    let past = (id(), 0..Interval::ALL.len(), prop::collection::vec(any_bar(), 0..8)).prop_map(
        |(instrument, place, mut bars)| {
            let interval = Interval::ALL[place];
            for bar in bars.iter_mut().skip(1) {
                (bar.instrument, bar.interval) = (instrument, interval);
            }
            Payload::Past(Box::new(Past { instrument, interval, bars }))
        },
    );
    let said = (any::<u128>(), moment()).prop_map(|(id, said_at)| {
        let (symbol, rule) = (symbol(), "rise=1%".to_owned());
        Payload::Said(Box::new(Said { id: AlertId(id), symbol, rule, said_at }))
    });
    let card =
        (moment(), moment(), 0..3usize, any::<bool>()).prop_map(|(issued, expires, n, own)| {
            let verdict = CardVerdict::ALL[n];
            let strategy = if own { "chatter(warmup=1)" } else { "nobody" };
            Payload::Card(Box::new(crate::cards::notice(strategy, verdict, (issued, expires))))
        });
    prop_oneof![
        10 => any_trade().prop_map(Payload::Trade),
        4 => any_bar().prop_map(Payload::Bar),
        1 => (id(), feed).prop_map(|(instrument, kind)| Payload::Feed(FeedStatus { instrument, kind })),
        1 => past,
        1 => said,
        1 => card,
        1 => id().prop_map(|id| announce(id, format!("x:I{}", id.0 % 7).parse().unwrap())),
        1 => id().prop_map(Payload::Reset),
        3 => Just(Payload::Tick),
    ]
}

fn garbage() -> impl Strategy<Value = (u64, Timestamp, Payload)> {
    let received = prop_oneof![300 => Just(BASE), 10 => near(), 1 => odd()];
    (0u64..200_000, received, payload())
}

#[test]
fn the_end_of_time_is_an_ordinary_moment() {
    let mut stage = Stage::new(&everything());
    for ts in [Timestamp::MAX, Timestamp::MIN, Timestamp::EPOCH] {
        for price in [i64::MIN, i64::MAX] {
            let price = Price::from_nanos(price);
            let trade = Trade { price, ts_event: ts, ..trade(ts, "1") };
            stage.apply(ts, Payload::Trade(trade));
            stage.apply(ts, Payload::Tick);
        }
    }
    let event = Event::new(Timestamp::MAX, Payload::Tick);
    stage.engine.apply(&event, &mut stage.outputs);
    assert_eq!(stage.engine.counters().implausible, 4);
}
