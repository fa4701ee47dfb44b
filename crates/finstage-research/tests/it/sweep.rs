//! A sweep is many single runs, and nothing else.

use finstage_engine::Catalog;
use finstage_model::Bar;
use finstage_quant::stats::sharpe::Trials;
use finstage_research::BarSeries;
use finstage_research::backtest::{
    CloseFinal, Exit, Options, Plan, Slippage, Stats, Stops, Trade, run,
};
use finstage_research::sweep::{Axis, Grid, Row, Sweep, Trial, Work};
use proptest::prelude::*;

use crate::{bars, walk};

/// Grids with ties, combinations that make no sense and parameters that the grid leaves alone.
fn sweeps() -> impl Strategy<Value = (&'static str, Vec<String>)> {
    let range = |name: &'static str, least: u32, most: u32| {
        (least..=most, 0u32..4, 1u32..4).prop_map(move |(from, count, step)| {
            format!("{name}={from}..{}:{step}", from + count * step)
        })
    };
    let levels = |name: &'static str| {
        prop::sample::subsequence(vec![10.0, 30.0, 47.5, 50.0, 70.0], 1..4).prop_map(
            move |levels| {
                let levels: Vec<String> = levels.iter().map(f64::to_string).collect();
                format!("{name}={}", levels.join(","))
            },
        )
    };
    let cross = (range("fast", 1, 12), range("slow", 5, 70), any::<bool>(), any::<bool>());
    prop_oneof![
        cross.prop_map(|(fast, slow, is_fixed, is_turned)| {
            let mut axes = vec![fast, slow];
            if is_turned {
                axes.reverse();
            }
            if is_fixed { ("sma_cross(short=0)", axes) } else { ("sma_cross", axes) }
        }),
        (range("fast", 2, 9), Just("short=0,1".to_owned()))
            .prop_map(|(fast, short)| ("sma_cross(slow=11)", vec![short, fast])),
        (range("period", 2, 20), levels("lower"), levels("upper"))
            .prop_map(|(period, lower, upper)| ("rsi_levels", vec![period, lower, upper])),
        (range("entry", 1, 70), range("exit", 1, 70))
            .prop_map(|(entry, exit)| ("donchian", vec![entry, exit])),
    ]
}

/// Walks of whole units, so that averages tie; at most 10 ranges long.
fn walks() -> impl Strategy<Value = Vec<Bar>> {
    let step = (-3i64..=3, 0i64..3, 0i64..3);
    // The last scale is that of prices in won, whose sums do not fit 64 bits.
    let scale = prop::sample::select(vec![1, 100, 7_000_000_000]);
    (prop::collection::vec(step, 1..400), scale).prop_map(|(steps, scale)| {
        let mut close = 60i64;
        let rows: Vec<[i64; 4]> = steps
            .into_iter()
            .map(|(step, above, below)| {
                let open = close;
                close = (close + step).clamp(10, 120);
                [open, open.max(close) + above, open.min(close) - below, close]
                    .map(|price| price * scale)
            })
            .collect();
        bars(&rows)
    })
}

fn terms() -> impl Strategy<Value = Options> {
    (
        prop::sample::select(vec![10.0, 10_000.0, 1e14]),
        prop::sample::select(vec![0.0, 0.001, 0.03]),
        prop::sample::select(vec![0.3, 0.95, 1.0, 10.0]),
        prop::sample::select(vec![CloseFinal::Open, CloseFinal::Close]),
        prop::sample::select(vec![Slippage::None, Slippage::Bps(5.0)]),
        prop::sample::select(vec![None, Some(0.02)]),
    )
        .prop_map(|(cash, commission, size, close_final, slippage, loss)| Options {
            cash,
            commission,
            size,
            close_final,
            slippage,
            stops: Stops { loss, profit: None },
            ..Options::default()
        })
}

fn sweep(rule: &str, axes: &[String]) -> Option<Sweep> {
    let axes: Vec<Axis> = axes.iter().map(|axis| axis.parse().unwrap()).collect();
    match Sweep::new(
        &rule.parse().unwrap(),
        Exit::default(),
        Catalog::default(),
        Grid::new(axes).unwrap(),
    ) {
        Ok(sweep) => Some(sweep),
        Err(error) => {
            assert!(error.to_string().starts_with("no combination of the grid"), "{error}");
            None
        }
    }
}

/// Every number with its bits: equal doubles that print otherwise would differ here.
fn bits(stats: &Stats) -> Vec<u64> {
    let optional = |value: Option<f64>| value.map_or(1, f64::to_bits);
    vec![
        stats.final_equity.to_bits(),
        stats.equity_peak.to_bits(),
        stats.trades as u64,
        stats.wins as u64,
        stats.return_pct.to_bits(),
        stats.max_drawdown_pct.to_bits(),
        optional(stats.mean_bar_return),
        optional(stats.std_bar_return_ddof1),
        optional(stats.sharpe_bar_sqrt252),
        optional(stats.profit_factor),
        stats.exposure_bars as u64,
        stats.commission_paid.to_bits(),
    ]
}

proptest! {
    #[test]
    fn every_combination_is_the_single_run_to_the_last_bit(
        (rule, axes) in sweeps(), bars in walks(), options in terms(),
    ) {
        let Some(sweep) = sweep(rule, &axes) else { return Ok(()) };
        let series = BarSeries::new(&bars).unwrap();
        let trials = sweep.map(&bars, &options, &Work::default(), &|trial| {
            let rest = (trial.trades.to_vec(), trial.equity.to_vec(), trial.refused_orders);
            (trial.place, trial.targets.to_vec(), bits(trial.stats), rest)
        });
        let trials = trials.unwrap();
        prop_assert_eq!(trials.len(), sweep.combinations());
        let mut sensible = 0;
        for place in 0..sweep.grid().combinations() {
            let rule = sweep.rule(place);
            let Ok(plan) = Plan::of_rule(&rule, Exit::default(), Catalog::default(), &bars) else { continue };
            let single = run(&series, &plan.targets, &options).unwrap();
            let (trial_place, targets, stats, rest) = &trials[sensible];
            prop_assert_eq!(*trial_place, place);
            prop_assert_eq!(targets, &plan.targets, "{}", rule);
            prop_assert_eq!(stats, &bits(&single.stats), "{}", rule);
            prop_assert_eq!(rest, &(single.trades, single.equity, single.refused_orders));
            sensible += 1;
        }
        prop_assert_eq!(sensible, trials.len());
        prop_assert_eq!(sweep.skipped(), sweep.grid().combinations() - sensible);
    }
}

#[test]
fn a_row_of_a_long_history_is_the_single_run_too() {
    let bars = crate::walk(7_000);
    let series = BarSeries::new(&bars).unwrap();
    let sweep = sweep("sma_cross", &["fast=3,20", "slow=21,900"].map(str::to_owned)).unwrap();
    for close_final in [CloseFinal::Open, CloseFinal::Close] {
        for stops in [Stops::default(), Stops { loss: Some(0.5), profit: Some(0.5) }] {
            let options = Options { close_final, stops, ..Options::default() };
            let rows = sweep.run(&bars, &options, &Work::default()).unwrap();
            assert_eq!(rows.len(), 4);
            for row in rows {
                let targets = sweep.plan(row.place, &bars).unwrap().targets;
                let one = run(&series, &targets, &options).unwrap().stats;
                assert!(one.trades > 2);
                assert_eq!(row.final_equity.to_bits(), one.final_equity.to_bits());
                assert_eq!(row.return_pct.to_bits(), one.return_pct.to_bits());
                assert_eq!(row.sharpe.map(f64::to_bits), one.sharpe_bar_sqrt252.map(f64::to_bits));
                assert_eq!(row.max_drawdown_pct.to_bits(), one.max_drawdown_pct.to_bits());
                assert_eq!(row.trades, one.trades);
            }
        }
    }
}

#[test]
fn rows_do_not_depend_on_the_number_of_threads() {
    let bars = crate::walk(300);
    let grid = ["fast=1..60", "slow=2..80"].map(str::to_owned);
    let sweep = sweep("sma_cross", &grid).unwrap();
    let rows = |threads| -> Vec<(Row, u64)> {
        let work = Work { threads, ..Work::default() };
        let rows = sweep.run(&bars, &Options::default(), &work).unwrap();
        rows.into_iter().map(|row| (row, row.final_equity.to_bits())).collect()
    };
    let one = rows(1);
    assert_eq!(one.len(), sweep.combinations());
    assert!(one.windows(2).all(|pair| pair[0].0.place < pair[1].0.place));
    assert_eq!(one, rows(2));
    assert_eq!(one, rows(7));
}

#[test]
fn progress_adds_up_to_all_combinations() {
    let done = std::sync::atomic::AtomicUsize::new(0);
    let count = |more| {
        done.fetch_add(more, std::sync::atomic::Ordering::Relaxed);
    };
    let grid = ["fast=1..50", "slow=40..90"].map(str::to_owned);
    let sweep = sweep("sma_cross", &grid).unwrap();
    let work = Work { threads: 2, on_done: &count };
    sweep.run(&crate::walk(100), &Options::default(), &work).unwrap();
    assert_eq!(done.into_inner(), sweep.combinations());
}

#[test]
fn what_cannot_be_swept_is_refused_with_place_and_remedy() {
    let refused = |rule: &str, axes: &[&str]| {
        let axes = axes.iter().map(|axis| axis.parse().unwrap()).collect();
        let grid = Grid::new(axes).unwrap();
        Sweep::new(&rule.parse().unwrap(), Exit::default(), Catalog::default(), grid)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused("sma_cross", &["period=1..9"]),
        "grid \"period\": sma_cross has no such parameter; it has fast, slow, short"
    );
    assert_eq!(
        refused("sma_cross(fast=5)", &["fast=1..9"]),
        "grid \"fast\": sma_cross is given fast = 5 as well; leave one of them out"
    );
    assert_eq!(refused("sma_cross", &["fast=0..9"]), "grid \"fast\": 0 is not between 1 and 5000");
    assert_eq!(
        refused("sma_cross", &["fast=1..9:0.5"]),
        "grid \"fast\": 1.5 is not a whole number; take whole steps"
    );
    assert_eq!(
        refused("sma_cross", &["fast=40..50"]),
        "no combination of the grid can be run: fast must be less than slow"
    );
    assert!(refused("sma_cros", &["fast=1"]).contains("did you mean \"sma_cross\"?"));
    let fine = sweep("sma_cross", &["fast=5".to_owned()]).unwrap();
    let nothing = fine.run(&[], &Options::default(), &Work::default()).unwrap_err();
    assert_eq!(nothing.to_string(), "a sweep needs at least one bar");
    let broke = Options { cash: 0.0, ..Options::default() };
    assert!(fine.run(&crate::walk(3), &broke, &Work::default()).is_err());
}

/// The series of a trial by its definition, bar by bar.
fn series(trades: &[Trade], bars: &[Bar], cost: f64) -> Vec<f64> {
    let step = |pair: &[Bar]| pair[1].open.to_f64() / pair[0].open.to_f64() - 1.0;
    let mut steps: Vec<f64> = bars.windows(2).map(step).collect();
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    steps.iter_mut().for_each(|step| *step -= mean);
    steps.push(0.0);
    let mut series = vec![0.0; bars.len()];
    for trade in trades {
        for bar in trade.entry_bar..trade.exit_bar {
            series[bar] += trade.size.signum() * steps[bar];
        }
        series[trade.entry_bar] -= cost;
        series[(trade.exit_bar.max(trade.entry_bar + 1)) - 1] -= cost;
    }
    series
}

#[test]
fn trials_are_as_alike_as_their_series_whatever_the_threads() {
    let bars = walk(700);
    for (rule, axes) in [
        ("sma_cross", ["fast=2..9", "slow=10..40:3"]),
        ("sma_cross(short=0)", ["fast=2..30:7", "slow=31..40"]),
        ("rsi_levels", ["period=2..9", "lower=10,50"]),
        ("donchian", ["entry=650..660:2", "exit=3..690:60"]),
    ] {
        let axes = axes.map(str::to_owned);
        let sweep = sweep(rule, &axes).unwrap();
        let options = Options { commission: 0.002, ..Options::default() };
        let look = |trial: &Trial<'_>| series(trial.trades, &bars, options.commission);
        let all = sweep.map(&bars, &options, &Work::default(), &look).unwrap();
        let columns: Vec<&[f64]> = all.iter().map(Vec::as_slice).collect();
        let wanted = Trials::of(&columns).unwrap();
        let found = |threads: usize| {
            let work = Work { threads, ..Work::default() };
            sweep.search(&bars, &options, &work).unwrap()
        };
        let one = found(1);
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs().max(1e-3);
        assert!(near(one.trials.mean_correlation, wanted.mean_correlation), "{rule}: {wanted:?}");
        assert!(near(one.trials.variance, wanted.variance), "{rule}: {:?} {wanted:?}", one.trials);
        assert!(near(one.trials.effective, wanted.effective), "{rule}");
        assert_eq!(found(3), one);
        assert_eq!(one.rows, sweep.run(&bars, &options, &Work::default()).unwrap());
    }
}
