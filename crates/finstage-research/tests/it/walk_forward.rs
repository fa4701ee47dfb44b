//! What was chosen, from what, and what it was worth.

use finstage_engine::Catalog;
use finstage_model::Bar;
use finstage_research::BarSeries;
use finstage_research::backtest::{Exit, Options, run};
use finstage_research::sweep::{Grid, Sweep, Work};
use finstage_research::walk_forward::{Folds, WalkForward, t_of_returns, walk_forward};

use crate::walk;

const FOLDS: Folds = Folds { train_share: 0.4, min_train: 100, count: 4, horizon: 5 };
const BARS: usize = 600;

fn sweep() -> Sweep {
    let axes = ["fast=2..8:2", "slow=5..30:5"].map(|axis| axis.parse().unwrap());
    let grid = Grid::new(axes.to_vec()).unwrap();
    Sweep::new(&"sma_cross".parse().unwrap(), Exit::default(), Catalog::default(), grid).unwrap()
}

fn walked(bars: &[Bar], threads: usize) -> WalkForward {
    let work = Work { threads, ..Work::default() };
    let options = Options::default();
    walk_forward(&sweep(), (bars, &options), &FOLDS, (&work, &t_of_returns)).unwrap()
}

/// Bars from `from` on replaced by others.
fn changed(bars: &[Bar], from: usize) -> Vec<Bar> {
    let other = walk(2 * BARS).split_off(BARS);
    let replaced = bars[from..].iter().zip(&other[from..]);
    let replaced = replaced.map(|(bar, other)| Bar { open_time: bar.open_time, ..*other });
    bars[..from].iter().copied().chain(replaced).collect()
}

#[test]
fn the_greatest_t_of_the_train_part_is_chosen() {
    let (bars, sweep) = (walk(BARS), sweep());
    let walked = walked(&bars, 1);
    assert_eq!(walked.folds.len(), 4);
    for fold in &walked.folds {
        assert_eq!(fold.train_bars, fold.from - 2 * FOLDS.horizon);
        let train = &bars[..fold.train_bars];
        let series = BarSeries::new(train).unwrap();
        let mut best: Option<(usize, f64)> = None;
        for place in 0..sweep.grid().combinations() {
            let Ok(plan) = sweep.plan(place, train) else { continue };
            let stats = run(&series, &plan.targets, &Options::default()).unwrap().stats;
            let ratio = stats.mean_bar_return.unwrap() / stats.std_bar_return_ddof1.unwrap();
            let t = ratio * ((train.len() - 1) as f64).sqrt();
            if t.is_finite() && best.is_none_or(|(_, greatest)| t > greatest) {
                best = Some((place, t));
            }
        }
        let choice = fold.choice.as_ref().unwrap();
        assert_eq!((choice.place, choice.score), best.unwrap());
        assert!(choice.in_sample.trades > 0);
    }
}

#[test]
fn nothing_is_known_before_its_time() {
    let bars = walk(BARS);
    let one = walked(&bars, 1);
    for (number, fold) in one.folds.iter().enumerate() {
        // Bars left out between train part and fold do not move the choice, later ones even less.
        let other = walked(&changed(&bars, fold.train_bars), 1);
        assert_eq!(other.folds[number].choice, fold.choice);
        // The joined equity does not know what comes after it.
        let cut = fold.until - one.first_bar;
        let other = walked(&changed(&bars, fold.until), 1);
        assert_eq!(other.joined.equity[..cut], one.joined.equity[..cut]);
        for (other, one) in other.folds.iter().zip(&one.folds[..=number]) {
            assert_eq!(other.choice, one.choice);
        }
    }
}

#[test]
fn the_folds_are_one_run() {
    let one = walked(&walk(BARS), 1);
    assert_eq!(one.first_bar, one.folds[0].from - 1);
    assert_eq!(one.joined.equity.len(), BARS - one.first_bar);
    let growth: f64 =
        one.folds.iter().map(|fold| 1.0 + fold.out_of_sample.return_pct / 100.0).product();
    let joined = 1.0 + one.joined.stats.return_pct / 100.0;
    assert!((growth - joined).abs() < 1e-12, "{growth} {joined}");
    let trades: usize = one.folds.iter().map(|fold| fold.out_of_sample.trades).sum();
    assert_eq!(trades, one.joined.trades.len());
    assert!(trades > 0);
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let bars = walk(BARS);
    assert_eq!(walked(&bars, 1), walked(&bars, 3));
}

#[test]
fn without_a_score_nothing_is_held() {
    let (bars, options) = (walk(BARS), Options::default());
    let none = walk_forward(&sweep(), (&bars, &options), &FOLDS, (&Work::default(), &|_| None));
    let none = none.unwrap();
    assert!(none.folds.iter().all(|fold| fold.choice.is_none()));
    assert!(none.joined.trades.is_empty());
}
