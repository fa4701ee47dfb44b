//! Every listed indicator against the suite, and against reference values of TA-Lib; the statistics
//! of evidence against reference values and their own laws.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the whole binary is a test")]

mod evidence;
mod reference;
mod speed;
mod statistics;

use finstage_model::Timestamp;
use finstage_quant::{ALL, BarInput, Spec, suite};
use proptest::prelude::*;

/// One stretch of bars as (close, distance of the high, of the low, volume): a walk of prices, one
/// price repeated, breaks, or numbers at the edges.
fn stretch() -> impl Strategy<Value = Vec<(f64, f64, f64, f64)>> {
    let cents = |most: i64| (0..most).prop_map(|cents| cents as f64 / 100.0);
    let price = move || (1i64..10_000_000).prop_map(|cents| cents as f64 / 100.0);
    let volume = move || prop_oneof![3 => cents(1_000_000), 1 => Just(0.0)];
    let bad = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e151, -1e308]);
    let edge = || {
        prop::sample::select(vec![
            0.0,
            -0.0,
            f64::from_bits(1),
            -f64::MIN_POSITIVE,
            1e-200,
            1e150,
            -1e150,
        ])
    };
    prop_oneof![
        4 => prop::collection::vec((price(), cents(200), cents(200), volume()), 1..60),
        2 => (price(), volume(), 1usize..60)
            .prop_map(|(price, volume, length)| vec![(price, 0.0, 0.0, volume); length]),
        1 => prop::collection::vec((price(), cents(200), cents(200), bad), 1..3).prop_map(|bars| {
            // The bad number takes another place in each bar.
            let places = bars.iter().enumerate().map(|(place, &(close, up, down, bad))| match place {
                0 => (bad, up, down, 1.0),
                1 => (close, bad, down, 1.0),
                _ => (close, up, down, bad),
            });
            places.collect()
        }),
        1 => prop::collection::vec((price(), cents(200), cents(200)), 1..3)
            .prop_map(|bars| bars.iter().map(|&(a, b, c)| (a, b, c, f64::NAN)).collect()),
        1 => prop::collection::vec((edge(), Just(0.0), Just(0.0), edge()), 1..20).prop_map(|bars| {
            bars.iter().map(|&(close, up, down, volume)| (close, up, down, volume.abs())).collect()
        }),
        1 => prop::collection::vec((-1e-300..1e-300f64, 0.0..1e-300, 0.0..1e-300, 0.0..1e-300), 1..20),
    ]
}

fn bars() -> impl Strategy<Value = Vec<BarInput>> {
    (prop::collection::vec(stretch(), 0..8), 1i64..40).prop_map(|(stretches, hours)| {
        let bars = stretches.concat().into_iter().enumerate();
        bars.map(|(place, bar)| bar_of(place as i64 * hours, bar)).collect()
    })
}

fn bar_of(hours: i64, (close, up, down, volume): (f64, f64, f64, f64)) -> BarInput {
    let open_time = Timestamp::from_secs(hours * 3600);
    BarInput { open_time, open: close, high: close + up, low: close - down, close, volume }
}

/// A walk with steps of at most one percent, the same in every run.
fn walk(length: usize) -> Vec<BarInput> {
    let mut state = 1u64;
    let mut price = 100.0;
    let mut random = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as f64 / (1u64 << 31) as f64
    };
    let mut bar = |place: usize| {
        price *= 1.0 + (random() - 0.5) / 50.0;
        bar_of(place as i64, (price, random(), random(), (random() * 1e5).floor()))
    };
    (0..length).map(&mut bar).collect()
}

/// The defaults with a short first period.
fn short(spec: &Spec, period: u32) -> Vec<f64> {
    let mut params = spec.values(&[]).unwrap();
    if let Some(first) = params.first_mut() {
        *first = f64::from(period);
    }
    params
}

proptest! {
    #[test]
    fn every_indicator_passes_the_suite(bars in bars(), period in 2u32..12) {
        for spec in ALL {
            let (defaults, short) = (short(spec, 14), short(spec, period));
            suite::check(spec, &defaults, &bars);
            suite::check(spec, &short, &bars);
            suite::check_batch(spec, &[short, defaults], &bars);
        }
    }
}

#[test]
fn every_indicator_passes_the_suite_at_every_short_length() {
    let bars = walk(120);
    for spec in ALL {
        for length in 0..bars.len() {
            suite::check(spec, &spec.values(&[]).unwrap(), &bars[..length]);
        }
    }
}

#[test]
fn every_indicator_passes_the_suite_where_a_market_stands_still_or_falls_for_long() {
    let still = vec![bar_of(0, (50.25, 0.0, 0.0, 10.0)); 4_000];
    let falls = |step: i64| bar_of(step, (20_000.0 - step as f64, 0.0, 0.0, 10.0));
    let bars = [walk(301), still, walk(302), (0..12_000).map(falls).collect(), walk(303)].concat();
    for spec in ALL {
        for period in [2, 14] {
            suite::check(spec, &short(spec, period), &bars);
        }
    }
}

#[test]
fn a_batch_says_what_its_columns_say() {
    let mut bars = walk(900);
    bars[555].close = f64::NAN;
    for spec in ALL {
        for count in [0, 1, 3, 13, 40] {
            let sets: Vec<_> = (0..count).map(|nth| short(spec, 2 + nth * nth % 97)).collect();
            suite::check_batch(spec, &sets, &bars);
        }
    }
}

#[test]
fn every_indicator_forgets_what_is_older_than_its_memory() {
    let bars = walk(5_000);
    for spec in ALL {
        suite::check_memory(spec, &spec.values(&[]).unwrap(), &bars);
    }
}

#[test]
fn an_average_over_days_of_minutes_does_not_drift() {
    let input: Vec<f64> = walk(100_000).iter().map(|bar| bar.close).collect();
    let mut column = Vec::new();
    finstage_quant::sma(&input, 200, &mut column);
    let mut fresh = Vec::new();
    finstage_quant::sma(&input[input.len() - 200..], 200, &mut fresh);
    assert_eq!(column.last(), fresh.last());
}
