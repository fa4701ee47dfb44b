//! What a bar costs, in nanoseconds: the column form and the streaming form of some indicators over a
//! million bars of a random walk, the least of many repetitions.
//!
//! `cargo run --release -p finstage-quant --example columns`
#![allow(clippy::print_stdout, reason = "an example prints what it found")]

use std::time::Instant;

use finstage_model::Timestamp;
use finstage_quant::{BarColumns, BarInput, Spec};

const BARS: usize = 1_000_000;
/// Bars that are told one by one: so few that a processor keeps them near, as it does with one.
const TOLD: usize = 10_000;
const REPETITIONS: usize = 15;
const USUAL: [(&str, &[f64]); 6] = [
    ("SMA", &[20.0]),
    ("EMA", &[20.0]),
    ("RSI", &[14.0]),
    ("MACD", &[12.0, 26.0, 9.0]),
    ("BBANDS", &[20.0, 2.0, 2.0]),
    ("ATR", &[14.0]),
];

fn main() {
    let [high, low, close, volume] = walk();
    let open_time = vec![Timestamp::EPOCH; BARS];
    let bars = BarColumns {
        open_time: &open_time,
        open: &close,
        high: &high,
        low: &low,
        close: &close,
        volume: &volume,
    };
    let rows: Vec<BarInput> = (0..TOLD).map(|place| bars.get(place)).collect();
    println!("{:<12} {:>8} {:>10}", "ns per bar", "column", "streaming");
    for (name, values) in USUAL {
        let spec = Spec::find(name).expect("a listed name");
        let given: Vec<_> = values.iter().map(|&value| (None, value)).collect();
        let params = spec.values(&given).expect("values within their bounds");
        let mut out = vec![Vec::new(); spec.outputs.len()];
        let column = least(BARS, || (spec.column)(&params, &bars, &mut out));
        let streaming = least(TOLD, || stream(spec, &params, &rows));
        println!("{:<12} {column:>8.2} {streaming:>10.2}", spec.name);
    }
}

/// The least time of a bar.
#[expect(clippy::disallowed_methods, reason = "measures, and tests nothing")]
fn least(bars: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..REPETITIONS).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    });
    times.fold(f64::INFINITY, f64::min) * 1e9 / bars as f64
}

fn stream(spec: &Spec, params: &[f64], rows: &[BarInput]) {
    let mut stream = (spec.build)(params);
    let mut said = vec![0.0; spec.outputs.len()];
    let mut answers = 0;
    for bar in rows {
        answers += usize::from(stream.update(bar, &mut said));
    }
    std::hint::black_box((answers, said));
}

/// High, low, close and volume of a walk in steps of cents, the same in every run.
fn walk() -> [Vec<f64>; 4] {
    let mut state = 7u64;
    let mut random = |below: u64| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % below) as i64
    };
    let mut columns: [Vec<f64>; 4] = Default::default();
    let mut cents = 10_000i64;
    for _ in 0..BARS {
        cents = (cents + random(51) - 25).max(500);
        let bar = [cents + random(60), cents - random(60), cents, 100 * random(100_000)];
        for (column, cents) in columns.iter_mut().zip(bar) {
            column.push(cents as f64 / 100.0);
        }
    }
    columns
}
