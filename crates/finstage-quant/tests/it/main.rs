//! Every listed indicator against the suite, and against reference values of TA-Lib.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "the whole binary is a test")]

mod reference;

use finstage_quant::{ALL, suite};
use proptest::prelude::*;

/// One stretch of input: a walk of prices, one price repeated, breaks, or numbers at the edges.
fn stretch() -> impl Strategy<Value = Vec<f64>> {
    let price = || (1i64..10_000_000).prop_map(|cents| cents as f64 / 100.0);
    let bad = prop::sample::select(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e151, -1e308]);
    let edge = prop::sample::select(vec![
        0.0,
        -0.0,
        f64::from_bits(1),
        -f64::MIN_POSITIVE,
        1e-200,
        1e150,
        -1e150,
    ]);
    prop_oneof![
        4 => prop::collection::vec(price(), 1..60),
        2 => (price(), 1usize..60).prop_map(|(price, length)| vec![price; length]),
        1 => prop::collection::vec(bad, 1..3),
        1 => prop::collection::vec(edge, 1..20),
        1 => prop::collection::vec(-1e-300..1e-300f64, 1..20),
    ]
}

fn input() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(stretch(), 0..8).prop_map(|stretches| stretches.concat())
}

/// A walk with steps of at most one percent, the same in every run.
fn walk(length: usize) -> Vec<f64> {
    let mut state = 1u64;
    let mut price = 100.0;
    let steps = std::iter::repeat_with(|| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        price *= 1.0 + ((state >> 33) as f64 / (1u64 << 31) as f64 - 0.5) / 50.0;
        price
    });
    steps.take(length).collect()
}

proptest! {
    #[test]
    fn every_indicator_passes_the_suite(input in input(), short in 2u32..12) {
        for spec in ALL {
            suite::check(spec, &spec.values(&[]).unwrap(), &input);
            let mut params = spec.values(&[]).unwrap();
            params[0] = f64::from(short);
            suite::check(spec, &params, &input);
        }
    }
}

#[test]
fn every_indicator_passes_the_suite_at_every_short_length() {
    let input = walk(80);
    for spec in ALL {
        for length in 0..input.len() {
            suite::check(spec, &spec.values(&[]).unwrap(), &input[..length]);
        }
    }
}

#[test]
fn every_indicator_forgets_what_is_older_than_its_memory() {
    let input = walk(5_000);
    for spec in ALL {
        suite::check_memory(spec, &spec.values(&[]).unwrap(), &input);
    }
}

#[test]
fn an_average_over_days_of_minutes_does_not_drift() {
    let input = walk(100_000);
    let mut column = Vec::new();
    finstage_quant::sma(&input, 200, &mut column);
    let mut fresh = Vec::new();
    finstage_quant::sma(&input[input.len() - 200..], 200, &mut fresh);
    assert_eq!(column.last(), fresh.last());
}
