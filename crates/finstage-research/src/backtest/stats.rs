//! The numbers about a run, by plain formulas that can be checked with a pocket calculator.

use std::array::from_fn;

use finstage_quant::wide::{Block, wide};
use serde::Serialize;

use super::Trade;

/// The numbers about a run. What is undefined (a rate of no trades, a ratio to no loss) is `None`,
/// in JSON `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Stats {
    /// Equity of the last bar.
    pub final_equity: f64,
    /// Greatest equity of any bar.
    pub equity_peak: f64,
    /// Number of trades.
    pub trades: usize,
    /// Trades that brought more than both commissions.
    pub wins: usize,
    /// 100 × wins / trades; undefined without trades.
    pub win_rate_pct: Option<f64>,
    /// 100 × (final equity / cash at the start − 1).
    pub return_pct: f64,
    /// 100 × (least equity / greatest equity before it − 1): zero or negative.
    pub max_drawdown_pct: f64,
    /// Mean of equity\[i\] / equity\[i−1\] − 1; undefined for one bar, or when equity was zero.
    pub mean_bar_return: Option<f64>,
    /// Sample standard deviation of the same (divided by count − 1); undefined for two bars.
    pub std_bar_return_ddof1: Option<f64>,
    /// Mean / standard deviation × √252, whatever the bar length: a plain formula, an annual
    /// figure for daily bars only. Undefined when equity never moved.
    pub sharpe_bar_sqrt252: Option<f64>,
    /// Sum of gains / sum of losses over trades; undefined without a losing trade.
    pub profit_factor: Option<f64>,
    /// Sum over trades of exit bar − entry bar + 1: bars of a flip, and of several trades held at
    /// once, count for each.
    pub exposure_bars: usize,
    /// Sum of all commissions.
    pub commission_paid: f64,
    /// 100 × (last close / first close − 1): what holding the thing itself brought, free of costs.
    /// Undefined unless the first close is positive.
    pub buy_hold_return_pct: Option<f64>,
}

impl Stats {
    /// Of a part of a run: the equity on its bars, and what was traded and paid for it.
    pub(crate) fn new(
        closes: &[f64],
        equity: &[f64],
        trades: &[Trade],
        commission_paid: f64,
    ) -> Self {
        let mut path = Path::new(equity[0]);
        let joined = path.join_settled(equity);
        path.finish(&equity[joined..]);
        Self::of_path(&path, closes, trades, commission_paid)
    }

    pub(super) fn of_path(
        path: &Path,
        closes: &[f64],
        trades: &[Trade],
        commission_paid: f64,
    ) -> Self {
        let Path { start, end, .. } = *path;
        let wins = trades.iter().filter(|trade| trade.pnl > 0.0).count();
        let gains: f64 = trades.iter().map(|trade| trade.pnl.max(0.0)).sum();
        let losses: f64 = trades.iter().map(|trade| (-trade.pnl).max(0.0)).sum();
        // Of no return there is no mean.
        let mean = (path.returns > 0.0).then_some(path.mean).and_then(defined);
        let deviation = defined((path.squares / (path.returns - 1.0)).sqrt());
        let (first, last) = (closes[0], closes[closes.len() - 1]);
        Self {
            final_equity: end,
            equity_peak: path.peak,
            trades: trades.len(),
            wins,
            win_rate_pct: defined(100.0 * wins as f64 / trades.len() as f64),
            return_pct: 100.0 * (end / start - 1.0),
            max_drawdown_pct: 100.0 * (path.worst - 1.0),
            mean_bar_return: mean,
            std_bar_return_ddof1: deviation,
            sharpe_bar_sqrt252: mean
                .zip(deviation)
                .and_then(|(mean, deviation)| defined(mean / deviation * 252f64.sqrt())),
            profit_factor: defined(gains / losses),
            exposure_bars: trades.iter().map(|trade| trade.exit_bar - trade.entry_bar + 1).sum(),
            commission_paid,
            buy_hold_return_pct: (first > 0.0).then(|| 100.0 * (last / first - 1.0)),
        }
    }
}

fn defined(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// What a pass over the equity tells: its ends, its peak, its worst fall and the moments of its
/// returns.
///
/// It goes block by block, so that every bar is divided once and read while it is in the cache. A
/// sweep and a single run both come through here: their numbers are the same to the last bit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Path {
    start: f64,
    end: f64,
    peak: f64,
    /// The least ratio of equity to the greatest before it.
    worst: f64,
    returns: f64,
    mean: f64,
    /// Sum of squared differences from the mean.
    squares: f64,
}

impl Path {
    /// A path that begins with this equity.
    pub(super) fn new(start: f64) -> Self {
        let (returns, mean, squares) = (0.0, 0.0, 0.0);
        Self { start, end: start, peak: start, worst: 1.0, returns, mean, squares }
    }

    /// Joins the blocks of `equity` that more than one bar follows; returns where the next begins.
    /// The first value is the one that the path ends with so far, the last may still change.
    pub(super) fn join_settled(&mut self, equity: &[f64]) -> usize {
        let mut from = 0;
        while equity.len() > from + BLOCK + 1 {
            self.join(&equity[from..=from + BLOCK]);
            from += BLOCK;
        }
        from
    }

    /// Joins what is left, at most a block.
    pub(super) fn finish(&mut self, rest: &[f64]) {
        if rest.len() > 1 {
            self.join(rest);
        }
    }

    fn join(&mut self, block: &[f64]) {
        wide(Join { path: self, block });
    }

    /// Looks for a new peak and a new worst fall.
    #[inline(always)]
    fn fall(&mut self, block: &[f64]) {
        let (groups, rest) = block.as_chunks::<GROUP>();
        for group in groups {
            let (least, greatest) = extremes(group);
            let peak = if greatest > self.peak { greatest } else { self.peak };
            // Not even against the greatest peak is it a new low; most groups end here. Either
            // bound can be the greater, since an equity may be negative; not: no number passes.
            let (before, after) = (self.worst * self.peak, self.worst * peak);
            let bound = if before > after { before } else { after };
            if least >= bound {
                self.peak = peak;
            } else {
                self.fall_one_by_one(group);
            }
        }
        self.fall_one_by_one(rest);
    }

    fn fall_one_by_one(&mut self, values: &[f64]) {
        for &value in values {
            self.peak = value.max(self.peak);
            // The peak is positive: it is at least the cash at the start.
            if value < self.worst * self.peak {
                self.worst = value / self.peak;
            }
        }
    }

    /// Adds the returns within `block`: their mean first, then the squares of the differences from
    /// it, because returns are tiny and alike and a difference of sums of squares would lose their
    /// digits. Blocks are joined as by Chan, Golub and LeVeque (1983).
    #[inline(always)]
    fn join_returns(&mut self, block: &[f64]) {
        let mut returns = [0.0; BLOCK];
        let count = block.len() - 1;
        let pairs = block[..count].iter().zip(&block[1..]);
        for (change, (before, after)) in returns.iter_mut().zip(pairs) {
            *change = after / before - 1.0;
        }
        let returns = &returns[..count];
        let size = count as f64;
        let mean = sum(returns, |change| change) / size;
        let squares = sum(returns, |change| (change - mean) * (change - mean));
        let (difference, all) = (mean - self.mean, self.returns + size);
        self.squares += squares + difference * difference * (self.returns * size / all);
        self.mean += difference * (size / all);
        self.returns = all;
    }
}

/// A block of equity that a path goes on with; its first value is the last of what is joined.
struct Join<'a> {
    path: &'a mut Path,
    block: &'a [f64],
}

impl Block for Join<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { path, block } = self;
        path.end = block[block.len() - 1];
        path.fall(&block[1..]);
        path.join_returns(block);
    }
}

/// Returns joined at once: few enough to stay in the nearest cache.
pub(super) const BLOCK: usize = 256;
/// Bars looked at together for a new worst fall.
const GROUP: usize = 16;
/// Sums kept side by side, because additions in a chain wait for each other.
const LANES: usize = 8;

/// The least and the greatest value, by halves: so the compiler compares two or more at a time.
#[inline(always)]
fn extremes(group: &[f64; GROUP]) -> (f64, f64) {
    #[inline(always)]
    fn halves<const N: usize>(low: &[f64], high: &[f64]) -> ([f64; N], [f64; N]) {
        let less = |a: f64, b: f64| if a < b { a } else { b };
        let more = |a: f64, b: f64| if a > b { a } else { b };
        (from_fn(|i| less(low[i], low[i + N])), from_fn(|i| more(high[i], high[i + N])))
    }
    let (low, high) = halves::<8>(group, group);
    let (low, high) = halves::<4>(&low, &high);
    let (low, high) = halves::<2>(&low, &high);
    let ([low], [high]) = halves::<1>(&low, &high);
    (low, high)
}

#[inline(always)]
fn sum(values: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let (groups, rest) = values.as_chunks::<LANES>();
    for group in groups {
        for lane in 0..LANES {
            sums[lane] += term(group[lane]);
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|&value| term(value)).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stats(equity: &[f64]) -> Stats {
        Stats::new(&[10.0, 15.0], equity, &[], 0.0)
    }

    #[test]
    fn without_trades_and_movement_most_ratios_are_undefined() {
        let stats = stats(&[100.0, 100.0, 100.0]);
        assert_eq!((stats.return_pct, stats.max_drawdown_pct), (0.0, 0.0));
        assert_eq!((stats.win_rate_pct, stats.profit_factor), (None, None));
        assert_eq!((stats.mean_bar_return, stats.std_bar_return_ddof1), (Some(0.0), Some(0.0)));
        assert_eq!(stats.sharpe_bar_sqrt252, None);
        assert_eq!(stats.buy_hold_return_pct, Some(50.0));
    }

    #[test]
    fn one_bar_has_no_returns_and_two_have_no_deviation() {
        assert_eq!(stats(&[100.0]).mean_bar_return, None);
        let two = stats(&[100.0, 125.0]);
        assert_eq!((two.mean_bar_return, two.std_bar_return_ddof1), (Some(0.25), None));
    }

    #[test]
    fn the_drawdown_is_from_the_greatest_equity_before() {
        let stats = stats(&[100.0, 150.0, 120.0, 200.0, 150.0, 170.0]);
        assert_eq!((stats.equity_peak, stats.max_drawdown_pct), (200.0, -25.0));
    }

    proptest! {
        #[test]
        fn numbers_are_those_of_the_definition_however_many_blocks(
            steps in prop::collection::vec(-300i32..=300, 2..2_000), start in 1_000i32..100_000,
        ) {
            let mut value = f64::from(start);
            let equity: Vec<f64> = std::iter::once(value)
                .chain(steps.iter().map(|step| {
                    value = (value + f64::from(*step)).max(-500.0);
                    value
                }))
                .filter(|value| *value != 0.0)
                .collect();
            prop_assume!(equity.len() > 2);
            let stats = stats(&equity);
            let (mut peak, mut worst) = (equity[0], 0.0);
            for &value in &equity {
                peak = f64::max(value, peak);
                worst = f64::min(100.0 * (value / peak - 1.0), worst);
            }
            prop_assert_eq!(stats.equity_peak, peak);
            prop_assert!((stats.max_drawdown_pct - worst).abs() <= 1e-12 * worst.abs());
            let returns: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
            let count = returns.len() as f64;
            let mean = returns.iter().sum::<f64>() / count;
            let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (count - 1.0);
            let (deviation, scale) = (variance.sqrt(), 1e-12 * variance.sqrt());
            prop_assert!((stats.mean_bar_return.unwrap() - mean).abs() <= scale);
            prop_assert!((stats.std_bar_return_ddof1.unwrap() - deviation).abs() <= scale);
        }
    }
}
