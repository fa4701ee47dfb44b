//! The numbers about a run, by plain formulas that can be checked with a pocket calculator.

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
    pub(super) fn new(
        closes: &[f64],
        equity: &[f64],
        trades: &[Trade],
        commission_paid: f64,
    ) -> Self {
        let (start, end) = (equity[0], equity[equity.len() - 1]);
        let wins = trades.iter().filter(|trade| trade.pnl > 0.0).count();
        let gains: f64 = trades.iter().map(|trade| trade.pnl.max(0.0)).sum();
        let losses: f64 = trades.iter().map(|trade| (-trade.pnl).max(0.0)).sum();
        let (equity_peak, worst) = drawdown(equity);
        let (mean, deviation) = moments(equity);
        let (first, last) = (closes[0], closes[closes.len() - 1]);
        Self {
            final_equity: end,
            equity_peak,
            trades: trades.len(),
            wins,
            win_rate_pct: defined(100.0 * wins as f64 / trades.len() as f64),
            return_pct: 100.0 * (end / start - 1.0),
            max_drawdown_pct: 100.0 * (worst - 1.0),
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

/// The greatest equity, and the least ratio of equity to the greatest before it.
fn drawdown(equity: &[f64]) -> (f64, f64) {
    let (mut peak, mut worst) = (equity[0], 1.0);
    for &value in equity {
        peak = value.max(peak);
        // Divides only where the ratio is a new low, which is rare. The peak is positive: it is
        // at least the cash at the start.
        if value < worst * peak {
            worst = value / peak;
        }
    }
    (peak, worst)
}

/// Mean and sample standard deviation of the returns from bar to bar. Two passes: returns are tiny
/// and alike, and a difference of sums of squares would lose their digits.
fn moments(equity: &[f64]) -> (Option<f64>, Option<f64>) {
    let count = (equity.len() - 1) as f64;
    let mean = sum_over_returns(equity, |change| change) / count;
    let squares = sum_over_returns(equity, |change| (change - mean) * (change - mean));
    (defined(mean), defined((squares / (count - 1.0)).sqrt()))
}

/// A sum over returns, four at a time, because additions in a chain wait for each other.
fn sum_over_returns(equity: &[f64], term: impl Fn(f64) -> f64) -> f64 {
    const LANES: usize = 4;
    let (before, after) = (&equity[..equity.len() - 1], &equity[1..]);
    let mut sums = [0.0; LANES];
    let (before, before_rest) = before.as_chunks::<LANES>();
    let (after, after_rest) = after.as_chunks::<LANES>();
    for (before, after) in before.iter().zip(after) {
        for lane in 0..LANES {
            sums[lane] += term(after[lane] / before[lane] - 1.0);
        }
    }
    let rest = before_rest.iter().zip(after_rest);
    sums.iter().sum::<f64>() + rest.map(|(before, after)| term(after / before - 1.0)).sum::<f64>()
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn moments_are_those_of_the_definition() {
        let equity: Vec<f64> = (0..23).map(|i| 100.0 + f64::from(i * i % 7)).collect();
        let returns: Vec<f64> = equity.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let mean = returns.iter().sum::<f64>() / 22.0;
        let variance = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 21.0;
        let stats = stats(&equity);
        assert!((stats.mean_bar_return.unwrap() - mean).abs() < 1e-15);
        assert!((stats.std_bar_return_ddof1.unwrap() - variance.sqrt()).abs() < 1e-15);
    }
}
