//! A strategy that reads longer bars, where the venue sends both.

use finstage_engine::{Engine, EngineSettings, Origin, SeriesSpec, StrategySpec};
use finstage_model::{
    Bar, Category, Event, Instrument, InstrumentId, Interval, Output, Payload, Price, Qty, Symbol,
    Timestamp,
};
use finstage_strategies::CATALOG;

/// Closes of twelve hours; the cross above the mean of two is on the eleventh.
const CLOSES: [i64; 12] = [10, 10, 10, 10, 12, 12, 12, 12, 11, 10, 13, 14];

/// The hours on which it fires, when each bar of four hours comes after so many hours of delay;
/// `None` where it never comes.
fn fires(delay: Option<usize>) -> Vec<usize> {
    let symbol: Symbol = "fixture:A".parse().unwrap();
    let series = |interval| SeriesSpec { symbol: symbol.clone(), interval, origin: Origin::Venue };
    let params = vec![("period".to_owned(), 2.0), ("longer".to_owned(), 2.0)];
    let settings = EngineSettings {
        strategies: vec![StrategySpec {
            name: "trend_agreement_up".to_owned(),
            params,
            interval: Interval::H1,
            symbols: Vec::new(),
            when: None,
        }],
        series: vec![series(Interval::H1), series(Interval::H4)],
        ..EngineSettings::default()
    };
    let mut engine = Engine::new(&settings, CATALOG).unwrap();
    let start: Timestamp = "2026-01-05".parse().unwrap();
    let (id, category) = (InstrumentId(0), Category::Other);
    let instrument = Instrument { id, symbol, tick: None, lot: None, currency: None, category };
    let mut outputs = Vec::new();
    let mut apply = |ts_recv, payload| engine.apply(&Event::new(ts_recv, payload), &mut outputs);
    apply(start, Payload::Instrument(Box::new(instrument)));
    let bar = |interval: Interval, nth: usize, close: i64| {
        let price = Price::from_nanos(close * 1_000_000_000);
        let open_time = start.plus(interval.nominal() * nth as u32);
        let (open, high, low, close) = (price, price, price, price);
        let (instrument, volume, trades) = (id, Qty::ZERO, 0);
        Bar { instrument, interval, open_time, open, high, low, close, volume, trades }
    };
    for (hour, &close) in CLOSES.iter().enumerate() {
        let own = bar(Interval::H1, hour, close);
        apply(own.close_time(), Payload::Bar(own));
        let over = delay.and_then(|delay| (hour + 1).checked_sub(delay));
        if let Some(over) = over.filter(|over| *over > 0 && over % 4 == 0) {
            let longer = bar(Interval::H4, over / 4 - 1, CLOSES[over - 1]);
            apply(own.close_time(), Payload::Bar(longer));
        }
    }
    let hour = |at: Timestamp| {
        CLOSES.iter().enumerate().map(|(n, _)| n).find(|n| bar(Interval::H1, *n, 1).open_time == at)
    };
    let said = outputs.iter().filter_map(|output| match output {
        Output::Signal(signal) => hour(signal.open_time),
        _ => None,
    });
    said.collect()
}

#[test]
fn a_longer_bar_that_is_late_or_missing_is_not_replaced_by_an_older_one() {
    assert_eq!(fires(Some(0)), [10]);
    assert_eq!(fires(Some(2)), [10], "it came two hours late, and in time");
    assert_eq!(fires(Some(3)), [] as [usize; 0], "it was not there yet");
    assert_eq!(fires(None), [] as [usize; 0]);
}
