//! What must hold in every run, whatever the prices, the wants and the terms.

use finstage_model::Bar;
use finstage_research::BarSeries;
use finstage_research::backtest::{
    Backtest, CloseFinal, Options, Slippage, Stops, Target, Trade, run,
};
use proptest::prelude::*;

use crate::bars;
use crate::plain::plain;

/// Prices in cents; the open is near the close before, now and then far away.
fn history() -> impl Strategy<Value = Vec<Bar>> {
    let step = (-300i64..=300, -300i64..=300, 0i64..200, 0i64..200);
    (500i64..20_000, prop::collection::vec(step, 2..80)).prop_map(|(start, steps)| {
        let mut close = start;
        let rows: Vec<[i64; 4]> = steps
            .into_iter()
            .map(|(gap, step, above, below)| {
                let open = (close + gap / 4).max(50);
                close = (open + step).max(50);
                [open, open.max(close) + above, (open.min(close) - below).max(1), close]
            })
            .collect();
        bars(&rows)
    })
}

fn wants(of: impl Strategy<Value = f64>) -> impl Strategy<Value = Vec<Target>> {
    prop::collection::vec((any::<bool>(), of), 0..80).prop_map(|rows| {
        let targets = rows.into_iter().enumerate().filter(|(_, (is_listed, _))| *is_listed);
        targets.map(|(bar, (_, want))| Target { bar, want }).collect()
    })
}

fn whole() -> impl Strategy<Value = Vec<Target>> {
    wants(prop::sample::select(vec![-1.0, 0.0, 1.0]))
}

fn parts() -> impl Strategy<Value = Vec<Target>> {
    wants((-8i8..=8).prop_map(|eighths| f64::from(eighths) / 8.0))
}

fn terms() -> impl Strategy<Value = Options> {
    let slippage = prop_oneof![
        Just(Slippage::None),
        (0.0..100.0).prop_map(Slippage::Bps),
        (0.0..1.0).prop_map(Slippage::BarRange),
    ];
    let level = || prop::option::of(0.005..0.2);
    let stops = prop_oneof![
        Just(Stops::default()),
        (level(), level()).prop_map(|(loss, profit)| Stops { loss, profit }),
    ];
    (
        100.0..100_000.0,
        prop::sample::select(vec![0.0, 0.001, 0.03]),
        prop::sample::select(vec![0.3, 0.95, 0.999, 1.0, 10.0, 500.0]),
        prop::sample::select(vec![CloseFinal::Open, CloseFinal::Close]),
        slippage,
        stops,
    )
        .prop_map(|(cash, commission, size, close_final, slippage, stops)| Options {
            cash,
            commission,
            size,
            lot: 1.0,
            close_final,
            slippage,
            stops,
        })
}

fn play(bars: &[Bar], targets: &[Target], options: &Options) -> Backtest {
    let targets: Vec<Target> = targets.iter().copied().filter(|t| t.bar < bars.len()).collect();
    run(&BarSeries::new(bars).unwrap(), &targets, options).unwrap()
}

fn is_close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1.0)
}

/// Cash and value of what is held after `bar`, told from the trade list alone.
fn equity_told_by_trades(trades: &[Trade], bar: usize, close: f64, options: &Options) -> f64 {
    let mut equity = options.cash;
    for trade in trades.iter().filter(|trade| trade.entry_bar <= bar) {
        equity += if trade.exit_bar <= bar {
            trade.pnl
        } else {
            let entry_fee = trade.size.abs() * trade.entry_price * options.commission;
            trade.size * (close - trade.entry_price) - entry_fee
        };
    }
    equity
}

proptest! {
    #[test]
    fn the_engine_does_what_the_rules_say(
        bars in history(), targets in whole(), options in terms(),
    ) {
        let series = BarSeries::new(&bars).unwrap();
        let targets: Vec<Target> = targets.into_iter().filter(|t| t.bar < bars.len()).collect();
        let done = run(&series, &targets, &options).unwrap();
        let expected = plain(&series, &targets, &options);
        let ours: Vec<_> = done
            .trades
            .iter()
            .map(|t| (t.size, t.entry_bar, t.exit_bar, t.entry_price, t.exit_price))
            .collect();
        prop_assert_eq!(ours, expected.trades);
        for (ours, expected) in done.equity.iter().zip(&expected.equity) {
            prop_assert!(is_close(*ours, *expected), "{} {}", ours, expected);
        }
    }

    #[test]
    fn equity_is_cash_and_what_is_held_at_every_close(
        bars in history(), targets in parts(), options in terms(),
    ) {
        let done = play(&bars, &targets, &options);
        prop_assert_eq!(done.equity.len(), bars.len());
        for (bar, equity) in done.equity.iter().enumerate() {
            let close = bars[bar].close.to_f64();
            let told = equity_told_by_trades(&done.trades, bar, close, &options);
            prop_assert!(is_close(*equity, told), "bar {}: {} {}", bar, equity, told);
        }
        prop_assert_eq!(done.stats.final_equity, *done.equity.last().unwrap());
    }

    #[test]
    fn commissions_and_profits_add_up(bars in history(), targets in parts(), options in terms()) {
        let done = play(&bars, &targets, &options);
        let commissions: f64 = done.trades.iter().map(|trade| trade.commission).sum();
        prop_assert!(is_close(commissions, done.stats.commission_paid));
        let pnl: f64 = done.trades.iter().map(|trade| trade.pnl).sum();
        prop_assert!(is_close(options.cash + pnl, done.stats.final_equity));
        for trade in &done.trades {
            let moved = trade.size.abs() * (trade.entry_price + trade.exit_price);
            prop_assert!(is_close(trade.commission, moved * options.commission));
        }
    }

    #[test]
    fn no_fill_depends_on_a_later_bar(
        bars in history(),
        other in history(),
        targets in parts(),
        options in terms(),
        place in any::<prop::sample::Index>(),
    ) {
        // Both histories agree before `cut` and go on for at least one bar more.
        let cut = 1 + place.index(bars.len().min(other.len()) - 1);
        let mut changed = bars[..cut].to_vec();
        changed.extend(&other[cut..]);
        let (one, two) = (play(&bars, &targets, &options), play(&changed, &targets, &options));
        prop_assert_eq!(&one.equity[..cut], &two.equity[..cut]);
        let filled = |done: &Backtest| -> Vec<Trade> {
            done.trades.iter().copied().filter(|trade| trade.exit_bar < cut).collect()
        };
        prop_assert_eq!(filled(&one), filled(&two));
        let opened = |done: &Backtest| {
            let opened = done.trades.iter().filter(|trade| trade.entry_bar < cut);
            let mut opened: Vec<_> = opened.map(|t| (t.entry_bar, t.entry_price.to_bits())).collect();
            opened.sort_unstable();
            opened.dedup();
            opened
        };
        prop_assert_eq!(opened(&one), opened(&two));
    }

    #[test]
    fn a_mirrored_want_loses_what_the_want_wins(bars in history(), targets in whole()) {
        let terms = Options { commission: 0.0, size: 1.0, cash: 1e6, ..Options::default() };
        let mirrored: Vec<Target> =
            targets.iter().map(|t| Target { want: -t.want, ..*t }).collect();
        let (long, short) = (play(&bars, &targets, &terms), play(&bars, &mirrored, &terms));
        prop_assert_eq!(long.trades.len(), short.trades.len());
        let gain = |done: &Backtest| done.stats.final_equity - terms.cash;
        prop_assert!(is_close(gain(&long) + 1e6, 1e6 - gain(&short)));
    }
}

#[test]
fn a_refused_order_is_not_tried_again_until_the_want_is_stated_again() {
    let rows = [[500; 4], [1_100; 4], [900; 4], [1_050; 4], [990; 4], [1_200; 4]];
    let terms = Options { cash: 100.0, size: 10.0, commission: 0.0, ..Options::default() };
    let play = |bars_listed: &[usize]| {
        let targets = bars_listed.iter().map(|&bar| Target { bar, want: 1.0 });
        play(&bars(&rows), &targets.collect::<Vec<_>>(), &terms)
    };
    let once = play(&[0]);
    assert_eq!((once.refused_orders, once.trades.len()), (1, 0));
    assert!(once.equity.iter().all(|equity| *equity == 100.0));
    let again = play(&[0, 2, 3]);
    assert_eq!((again.refused_orders, again.trades.len()), (2, 1));
    assert_eq!((again.trades[0].entry_bar, again.trades[0].entry_price), (4, 9.9));
}

#[test]
fn a_change_of_size_trades_the_difference_only() {
    let rows = [[1_000; 4], [1_000; 4], [2_000; 4], [2_000; 4], [1_000; 4], [1_000; 4]];
    let wants = [(0, 1.0), (1, 0.5), (3, 1.0)].map(|(bar, want)| Target { bar, want });
    let terms = Options { cash: 1_000.0, size: 0.8, commission: 0.0, ..Options::default() };
    let done = play(&bars(&rows), &wants, &terms);
    let list: Vec<_> = done.trades.iter().map(|t| (t.size, t.entry_bar, t.exit_bar)).collect();
    // 80 at 10; equity 1800 at 20 halves it to 36; equity 1440 at 10 makes it 115.
    assert_eq!(list, [(44.0, 1, 2), (36.0, 1, 5), (79.0, 4, 5)]);
}

#[test]
fn units_come_in_lots() {
    let rows = [[4_000_000; 4], [4_000_000; 4], [5_000_000; 4]];
    let target = [Target { bar: 0, want: 1.0 }];
    let terms = Options { commission: 0.0, ..Options::default() };
    assert_eq!(play(&bars(&rows), &target, &terms).refused_orders, 1);
    let terms = Options { lot: 0.0625, ..terms };
    let done = play(&bars(&rows), &target, &terms);
    assert_eq!((done.trades[0].size, done.stats.final_equity), (0.1875, 11_875.0));
}

#[test]
fn a_stopped_position_stays_closed_until_something_else_is_wanted() {
    let rows = [[100; 4], [100, 100, 80, 90], [100; 4], [100; 4], [100; 4]];
    let stops = Stops { loss: Some(0.1), profit: None };
    let terms = Options { commission: 0.0, size: 10.0, stops, ..Options::default() };
    let repeated: Vec<Target> = (0..5).map(|bar| Target { bar, want: 1.0 }).collect();
    let done = play(&bars(&rows), &repeated, &terms);
    assert_eq!(done.trades.len(), 1);
    assert_eq!((done.trades[0].exit_bar, done.trades[0].exit_price), (1, 0.9));
    let again = [(0, 1.0), (1, 0.0), (2, 1.0)].map(|(bar, want)| Target { bar, want });
    assert_eq!(play(&bars(&rows), &again, &terms).trades[1].entry_bar, 3);
}

#[test]
fn nonsense_is_refused() {
    let series = BarSeries::new(&bars(&[[100; 4]])).unwrap();
    let refused = |targets: &[Target], options: &Options| {
        run(&series, targets, options).unwrap_err().to_string()
    };
    let fine = Options::default();
    let twice = [Target { bar: 0, want: 1.0 }; 2];
    assert!(refused(&twice, &fine).contains("it comes after the one of bar 0"));
    assert!(refused(&[Target { bar: 1, want: 1.0 }], &fine).contains("only 1 bars"));
    assert!(refused(&[], &Options { cash: -1.0, ..fine }).starts_with("cash = -1"));
    let nothing = run(&BarSeries::default(), &[], &fine).unwrap_err();
    assert_eq!(nothing.to_string(), "a backtest needs at least one bar");
}
