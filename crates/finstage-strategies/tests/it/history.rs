//! Twenty years of a stock index: what the catalogue says about them, and what plain arithmetic on
//! whole numbers says.

use std::path::PathBuf;

use finstage_model::{Price, Signal, Timestamp};

use crate::{Close, signals};

#[test]
fn golden_crosses_of_the_index_are_those_of_whole_number_sums() {
    let Some(closes) = gspc() else { return };
    let nanos: Vec<i128> = closes.iter().map(|close| i128::from(close.price.nanos())).collect();
    // 50-bar mean less 200-bar mean, times 200.
    let gap = |end: usize| 4 * sum(&nanos, end, 50) - sum(&nanos, end, 200);
    let expected = days(&closes, 200, |end| gap(end - 1) <= 0 && gap(end) > 0);
    let found = said(&signals("golden_cross", &[], &closes));
    println!("golden crosses: {}", found.join(" "));
    assert!(found.contains(&"2009-06-23".to_owned()));
    assert_eq!(found, expected);

    let expected = days(&closes, 200, |end| gap(end - 1) >= 0 && gap(end) < 0);
    assert_eq!(said(&signals("dead_cross", &[], &closes)), expected);
}

#[test]
fn breakouts_of_the_index_are_those_of_whole_number_sums() {
    let Some(closes) = gspc() else { return };
    let nanos: Vec<i128> = closes.iter().map(|close| i128::from(close.price.nanos())).collect();
    let gap = |end: usize| 200 * nanos[end - 1] - sum(&nanos, end, 200);
    let expected = days(&closes, 200, |end| gap(end - 1) <= 0 && gap(end) > 0);
    assert!(expected.len() > 10);
    assert_eq!(said(&signals("ma_breakout_up", &[("period", 200.0)], &closes)), expected);
}

#[test]
fn oversold_days_of_the_index_are_those_of_wilders_own_steps() {
    let Some(closes) = gspc() else { return };
    let prices: Vec<f64> = closes.iter().map(|close| close.price.to_f64()).collect();
    let rsi: Vec<f64> = (15..=prices.len()).map(|end| wilder(&prices[..end], 14)).collect();
    let expected = days(&closes, 15, |end| rsi[end - 16] > 30.0 && rsi[end - 15] <= 30.0);
    assert!(expected.len() > 10);
    assert_eq!(said(&signals("rsi_oversold", &[], &closes)), expected);
}

/// Wilder's index of the last price, worked out from the first price on.
fn wilder(prices: &[f64], period: usize) -> f64 {
    let moves: Vec<f64> = prices.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (first, rest) = moves.split_at(period);
    let n = period as f64;
    let mean = |side: f64| first.iter().map(|step| (step * side).max(0.0)).sum::<f64>() / n;
    let smooth = |side: f64| {
        rest.iter().fold(mean(side), |mean, step| (mean * (n - 1.0) + (step * side).max(0.0)) / n)
    };
    100.0 - 100.0 / (1.0 + smooth(1.0) / smooth(-1.0))
}

/// Sum of the last `period` of the first `end` values.
fn sum(values: &[i128], end: usize, period: usize) -> i128 {
    values[end - period..end].iter().sum()
}

/// The days after the first `known`, told by how many bars end with them, on which a rule is true.
fn days(closes: &[Close], known: usize, rule: impl Fn(usize) -> bool) -> Vec<String> {
    let ends = (known + 1..=closes.len()).filter(|&end| rule(end));
    ends.map(|end| closes[end - 1].day.day().to_string()).collect()
}

fn said(signals: &[Signal]) -> Vec<String> {
    signals.iter().map(|signal| signal.open_time.day().to_string()).collect()
}

/// Daily closes of the index from the folder named by `FINSTAGE_SHARED`, else from `../shared`
/// beside the workspace; `None`, with a printed reason, when there is none and none was asked for.
fn gspc() -> Option<Vec<Close>> {
    #[expect(clippy::disallowed_methods, reason = "names the folder of reference data, tests only")]
    let named = std::env::var("FINSTAGE_SHARED").ok();
    let asked_for = named.is_some();
    let folder = named.map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    if !asked_for && !folder.is_dir() {
        println!("skipped: no reference data at {} (set FINSTAGE_SHARED)", folder.display());
        return None;
    }
    let path = folder.join("data/gspc_d_1999_2018.csv");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("reading reference data {}: {error}", path.display()));
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("timestamp,open,high,low,close,volume"), "{}", path.display());
    let closes: Vec<Close> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let day: Timestamp = cells[0].parse().unwrap();
            let price: Price = cells[4].parse().unwrap();
            {
                let (open, wick) = (price, Price::from_nanos(0));
                Close { day, open, price, wick, volume: cells[5].parse().unwrap() }
            }
        })
        .collect();
    assert!(closes.len() > 5_000, "{} has {} rows", path.display(), closes.len());
    Some(closes)
}
