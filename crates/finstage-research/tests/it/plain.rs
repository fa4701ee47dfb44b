//! The rules once more, as they read: one bar after the other, no shortcut. The engine must agree
//! to the last bit of the trade list whatever it is asked.

use finstage_research::BarSeries;
use finstage_research::backtest::{CloseFinal, Options, Slippage, Target};

/// What the engine must have done: trades (signed units, bars, prices) and equity.
pub(crate) struct Plain {
    pub(crate) trades: Vec<(f64, usize, usize, f64, f64)>,
    pub(crate) equity: Vec<f64>,
}

/// Whole targets (−1, 0, 1) only.
pub(crate) fn plain(series: &BarSeries, targets: &[Target], options: &Options) -> Plain {
    let (mut cash, mut want) = (options.cash, 0.0);
    let (mut is_ordered, mut is_refused) = (false, false);
    let mut held: Option<(f64, usize, f64)> = None;
    let mut done = Plain { trades: Vec::new(), equity: Vec::new() };
    let last = series.len() - 1;
    let fee = |units: f64, price: f64| units.abs() * price * options.commission;
    let slipped = |bar: usize, seen: f64, sign: f64| match options.slippage {
        Slippage::None => seen,
        Slippage::Bps(bps) => seen * (1.0 + sign * bps / 10_000.0),
        Slippage::BarRange(part) => {
            (seen + sign * part * (series.high()[bar - 1] - series.low()[bar - 1])).max(0.0)
        }
    };
    for bar in 0..series.len() {
        let (open, close) = (series.open()[bar], series.close()[bar]);
        // 1. A position on another side than ordered is closed at the open.
        if let Some((units, from, entry)) = held
            && is_ordered
            && units.signum() != want
        {
            let price = slipped(bar, open, -units.signum());
            cash += units * price - fee(units, price);
            done.trades.push((units, from, bar, entry, price));
            held = None;
        }
        // 2. An ordered position that is not there is opened at the open, if the cash allows it.
        if is_ordered {
            is_refused = false;
        }
        if held.is_none() && is_ordered && want != 0.0 {
            let price = slipped(bar, open, want);
            let gross = price * (1.0 + options.commission);
            let units = if options.size < 1.0 {
                (cash * options.size / gross).floor()
            } else {
                options.size
            };
            if price > 0.0 && units > 0.0 && units * price * (1.0 + options.commission) <= cash {
                cash -= want * units * price + fee(units, price);
                held = Some((want * units, bar, price));
            } else {
                is_refused = true;
            }
        }
        is_ordered = false;
        // 3. Stops, the loss before the profit.
        let is_over = bar == last && options.close_final == CloseFinal::Open;
        if let Some((units, from, entry)) = held
            && !is_over
        {
            let sign = units.signum();
            let (high, low) = (series.high()[bar], series.low()[bar]);
            let mut exit = None;
            if let Some(profit) = options.stops.profit {
                let level = entry * (1.0 + sign * profit);
                if sign > 0.0 && high >= level {
                    exit = Some(level.max(open));
                } else if sign < 0.0 && low <= level {
                    exit = Some(level.min(open));
                }
            }
            if let Some(loss) = options.stops.loss {
                let level = entry * (1.0 - sign * loss);
                if sign > 0.0 && low <= level {
                    exit = Some(slipped(bar, level.min(open), -1.0));
                } else if sign < 0.0 && high >= level {
                    exit = Some(slipped(bar, level.max(open), 1.0));
                }
            }
            if let Some(price) = exit {
                cash += units * price - fee(units, price);
                done.trades.push((units, from, bar, entry, price));
                held = None;
            }
        }
        // 4. What is left at the end is closed.
        if let Some((units, from, entry)) = held
            && bar == last
        {
            let seen = if options.close_final == CloseFinal::Open { open } else { close };
            let price = slipped(bar, seen, -units.signum());
            cash += units * price - fee(units, price);
            done.trades.push((units, from, bar, entry, price));
            held = None;
        }
        done.equity.push(cash + held.map_or(0.0, |(units, ..)| units * close));
        // 5. The decision on the close.
        if let Some(target) = targets.iter().find(|target| target.bar == bar)
            && (target.want != want || is_refused)
        {
            (want, is_ordered) = (target.want, true);
        }
    }
    done
}
