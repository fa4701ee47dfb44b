use finstage_model::{SignalId, Timestamp};

use super::*;
use crate::live::Settled;

/// A daily signal that is entered on `day`, held for `days`.
fn followed(direction: Direction, (day, days): (i64, i64), ret: f64) -> Followed {
    let at = |day: i64| Timestamp::from_secs(day * 86_400);
    let holding = Holding { entry: at(day), exit: at(day + days) };
    Followed {
        signal: SignalId(day as u128),
        strategy: "x(p=1)".to_owned(),
        symbol: "x:A".parse().unwrap(),
        interval: Interval::D1,
        direction,
        at: at(day),
        horizon: "1w".parse().unwrap(),
        settled: Some(Settled { holding, ret }),
    }
}

/// A made-up sequence with overlaps.
fn many(direction: Direction) -> Vec<Followed> {
    let one = |nth: i64| {
        let ret = ((nth * 37 % 101) as f64 - 48.0) / 1_000.0;
        followed(direction, (3 * nth, 5), ret)
    };
    (0..60).map(one).collect()
}

#[test]
fn figures_equal_an_independent_calculation() {
    for direction in [Direction::Long, Direction::Short] {
        let all = many(direction);
        let [found] = &statistics(&all)[..] else { panic!("one group") };
        let sign = if direction == Direction::Long { 1.0 } else { -1.0 };
        let returns: Vec<f64> = all.iter().map(|one| sign * one.settled.unwrap().ret).collect();
        let n = returns.len() as f64;
        let mean = returns.iter().sum::<f64>() / n;
        let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let wins = returns.iter().filter(|r| **r > 0.0).count() as f64;
        let gains: f64 = returns.iter().map(|r| r.max(0.0)).sum();
        let losses: f64 = returns.iter().map(|r| (-r).max(0.0)).sum();
        // Held five days and entered every three, two signals in a row are one occasion.
        let (occasions, z) = (30.0, 1.959_963_984_540_054f64);
        let p = wins / n;
        let center = (p + z * z / (2.0 * occasions)) / (1.0 + z * z / occasions);
        let half = z / (1.0 + z * z / occasions)
            * (p * (1.0 - p) / occasions + z * z / (4.0 * occasions * occasions)).sqrt();
        let (mut account, mut peak, mut worst) = (1.0, 1.0f64, 0.0f64);
        for pair in returns.chunks(2) {
            account *= 1.0 + (pair[0] + pair[1]) / 2.0;
            peak = peak.max(account);
            worst = worst.max((peak - account) / peak);
        }
        let near = |found: f64, wanted: f64| {
            assert!((found - wanted).abs() < 1e-12, "{direction}: {found} is not {wanted}");
        };
        assert_eq!((found.n, found.occasions, found.is_few), (60, 30, false));
        near(found.win_rate, p);
        near(found.win_low.unwrap(), center - half);
        near(found.win_high.unwrap(), center + half);
        near(found.mean, mean);
        near(found.volatility.unwrap(), variance.sqrt());
        near(found.sharpe.unwrap(), mean / variance.sqrt());
        near(found.profit_factor.unwrap(), gains / losses);
        near(found.max_drawdown, worst);
        assert!(worst > 0.02, "the sequence falls: {worst}");
    }
}

#[test]
fn a_bearish_signal_wins_when_the_price_falls() {
    let all = [followed(Direction::Short, (0, 1), -0.02), followed(Direction::Long, (0, 1), -0.02)];
    let found = statistics(&all);
    assert_eq!(found.iter().map(|one| one.win_rate).collect::<Vec<_>>(), [0.0, 1.0]);
    assert_eq!(found[0].group.direction, Direction::Long);
    assert!(found.iter().all(|one| one.is_few && one.volatility.is_none()));
    assert_eq!(found[1].profit_factor, None, "nothing was lost");
}

#[test]
fn a_drawdown_is_a_fall_from_a_peak_and_not_the_worst_return() {
    assert!((drawdown(&[0.5, -0.1, -0.1, 0.3, -0.05]) - 0.19).abs() < 1e-12);
    assert_eq!(drawdown(&[0.1, 0.2]), 0.0);
    assert_eq!(drawdown(&[-1.5, 3.0]), 1.0, "nothing is left");
    assert_eq!(drawdown(&[]), 0.0);
}

#[test]
fn the_order_of_outcomes_changes_nothing_and_open_ones_do_not_count() {
    let mut all = many(Direction::Long);
    let found = statistics(&all);
    all.reverse();
    all.push(Followed { settled: None, ..all[0].clone() });
    assert_eq!(statistics(&all), found);
    assert!(statistics(&[]).is_empty());
}

#[test]
fn the_base_rate_is_that_of_every_position_in_the_time() {
    let bars = crate::worlds::world(crate::worlds::Noise::Normal, 11, 300);
    let up = (0..295).filter(|&t| bars[t + 5].open > bars[t].open).count() as f64 / 295.0;
    let down = (0..295).filter(|&t| bars[t + 5].open < bars[t].open).count() as f64 / 295.0;
    assert_eq!(base_rate(&bars, 5, Direction::Long), Some(up));
    assert_eq!(base_rate(&bars, 5, Direction::Short), Some(down));
    assert_eq!(base_rate(&bars[..5], 5, Direction::Long), None);
    assert_eq!(base_rate(&bars, 0, Direction::Long), None);
}
