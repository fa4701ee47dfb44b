//! A condition that says what a strategy of the catalogue says fires where that fires.

use finstage_engine::{StrategySpec, When};
use finstage_model::{Interval, Price, Qty, Timestamp};

use crate::{Close, said, signals};

/// Pairs of a strategy with defaults and the same rule as an expression.
const PAIRS: [(&str, &str); 7] = [
    ("golden_cross", "cross_above(sma(50), sma(200))"),
    ("dead_cross", "cross_below(sma(50), sma(200))"),
    ("rsi_oversold", "rsi(14) <= 30"),
    // The bands of the catalogue are those of a sample: wider by the root of 20 / 19.
    ("bb_break_upper", "cross_above(close, bbands(20, 2.0519567041703082).upperband)"),
    ("macd_bullish_cross", "cross_above(macd(12, 26, 9).macd, macd(12, 26, 9).macdsignal)"),
    ("donchian_breakout_up", "cross_above(close, prev(highest(high, 20)))"),
    ("keltner_breakout_down", "cross_below(close, kc(20, 10, 2).lowerband)"),
];

#[test]
fn the_same_rule_in_the_users_words_fires_on_the_same_bars() {
    for (name, text) in PAIRS {
        let mut heard = 0;
        for seed in 1..=20 {
            let closes = walk(seed, 1_500);
            let stands_on = |said: &[finstage_model::Signal]| -> Vec<Timestamp> {
                said.iter().map(|signal| signal.open_time).collect()
            };
            let catalogue = stands_on(&signals(name, &[], &closes));
            assert_eq!(stands_on(&said(own(text), &closes)), catalogue, "{name}, walk {seed}");
            heard += catalogue.len();
        }
        assert!(heard > 20, "{name}: {heard} signals compared");
    }
}

#[test]
fn started_as_deep_as_its_memory_a_condition_says_what_it_said_all_along() {
    let closes = walk(5, 3_000);
    for text in [
        "rsi(14) <= 30",
        "within(rsi(7) < 25, 5) and cross_above(close, ema(10))",
        "change(macd.macdhist, 3) > 0 and rising(sma(5), 2)",
        "highest(high, 20) - lowest(low, 20) > 4 * atr(14)",
    ] {
        let memory = {
            let expression = finstage_strategies::expr::Expression::parse(text).unwrap();
            expression.memory()
        };
        let whole = said(own(text), &closes);
        let mut compared = 0;
        for signal in &whole {
            let end = closes.iter().position(|close| close.day == signal.open_time).unwrap() + 1;
            let Some(start) = end.checked_sub(memory) else { continue };
            let anew = said(own(text), &closes[start..end]);
            assert_eq!(anew.last().map(|other| other.id), Some(signal.id), "{text}");
            compared += 1;
        }
        assert!(compared > 5, "{text}: {compared} signals compared");
    }
}

fn own(text: &str) -> StrategySpec {
    StrategySpec {
        name: "mine".to_owned(),
        params: Vec::new(),
        interval: Interval::D1,
        symbols: Vec::new(),
        when: Some(When::long(text)),
    }
}

/// A random walk with wicks and volumes; one seed, one walk.
fn walk(seed: u64, days: usize) -> Vec<Close> {
    let mut state = seed;
    let mut draw = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let price_of = |price: f64| Price::from_f64_rounded(price, 4).unwrap();
    let mut day: Timestamp = "2000-01-01".parse().unwrap();
    let (mut level, mut open) = (100.0, price_of(100.0));
    let mut closes = Vec::with_capacity(days);
    for _ in 0..days {
        level *= 1.0 + 0.02 * (draw() + draw() + draw() - 1.5);
        let (price, wick) = (price_of(level), price_of(draw()));
        let volume = Qty::from_nanos(1_000_000_000 * (1 + (draw() * 100.0) as u128));
        closes.push(Close { day, open, price, wick, volume });
        open = price;
        day = Interval::D1.close_of(day);
    }
    closes
}
