//! Runs against reference results, against a second engine written as the rules read, and against
//! what must hold in every run.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the whole binary is a test")]

mod golden;
mod plain;
mod properties;
mod shared;
mod speed;
mod study;
mod sweep;
mod walk_forward;

use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Timestamp};

/// Minute bars of whole cents: open, high, low, close.
fn bars(prices: &[[i64; 4]]) -> Vec<Bar> {
    let cents = |cents: i64| Price::from_nanos(cents * 10_000_000);
    let bar = |(minute, &[open, high, low, close]): (i64, &[i64; 4])| Bar {
        instrument: InstrumentId(0),
        interval: Interval::M1,
        open_time: Timestamp::from_secs(minute * 60),
        open: cents(open),
        high: cents(high),
        low: cents(low),
        close: cents(close),
        volume: Qty::ZERO,
        trades: 0,
    };
    (0..).zip(prices).map(bar).collect()
}

/// A walk with steps of at most one percent and ranges around it, the same in every run.
fn walk(count: usize) -> Vec<Bar> {
    let mut state = 1u64;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut close = 10_000.0;
    let mut rows = Vec::with_capacity(count);
    for _ in 0..count {
        let open = close * (1.0 + (random() - 0.5) / 500.0);
        close = (open * (1.0 + (random() - 0.5) / 50.0)).max(100.0);
        let high = open.max(close) * (1.0 + random() / 100.0);
        let low = open.min(close) * (1.0 - random() / 100.0);
        rows.push([open as i64, high.ceil() as i64, low as i64, close as i64]);
    }
    bars(&rows)
}
