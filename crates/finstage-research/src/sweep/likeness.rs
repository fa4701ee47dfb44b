//! How alike the trials of a search are, without a series for any of them.
//!
//! The series of a trial is that of evidence: while a position is held, d·(step − mean step), less a
//! cost on the step that begins with its entry and on the one that ends in its exit; 0 when nothing is
//! held. Steps go from open to open, where orders are filled. Between two trades such a series is the
//! step of the market times a constant, so sums over it follow from sums over the market: a trial costs
//! a few additions a trade, not a pass over the bars.
//!
//! The mean correlation needs the variance of the sum of the standardised series only: with K of them
//! it is `(Var(Σz) − K) / (K·(K − 1))`. What is added up over trials are whole numbers, so that the
//! order in which threads add them changes no bit.

use std::sync::{Mutex, PoisonError};

use finstage_model::Bar;
use finstage_quant::stats::sharpe::{Trials, effective_trials};

use crate::backtest::Trade;

/// What a weight of 1 is as a whole number.
const UNIT: f64 = (1u64 << 40) as f64;
/// The greatest weight: the deviation of a series is at least one over this.
const MAX_WEIGHT: f64 = 1e12;
/// A variance below this part of the mean square is what rounding left.
const ROUNDING: f64 = 1e-14;

/// Gathers trials over the same bars.
pub(crate) struct Likeness {
    /// Step less mean step from each bar on; 0 on the last.
    excess: Vec<f64>,
    /// Sums of it, and of its squares, before each bar; one more than bars.
    sums: Vec<f64>,
    squares: Vec<f64>,
    /// Of one side, as a fraction.
    cost: f64,
    /// One for each thread that worked so far.
    pool: Mutex<Vec<Weights>>,
}

/// Sums over trials of 1/deviation, in [`UNIT`]s.
struct Weights {
    /// By bar, times the side held: what it changes there.
    sides: Vec<i128>,
    /// By bar, times the costs paid.
    turns: Vec<i128>,
}

impl Likeness {
    /// Of trials over these bars at this cost a side.
    pub(crate) fn new(bars: &[Bar], cost: f64) -> Self {
        let step = |pair: &[Bar]| {
            let step = pair[1].open.to_f64() / pair[0].open.to_f64() - 1.0;
            if step.is_finite() { step } else { 0.0 }
        };
        let mut excess: Vec<f64> = bars.windows(2).map(step).collect();
        let mean = excess.iter().sum::<f64>() / excess.len().max(1) as f64;
        excess.iter_mut().for_each(|step| *step -= mean);
        excess.push(0.0);
        let running = |of: fn(f64) -> f64| {
            let mut sum = 0.0;
            let sums = excess.iter().map(|&value| {
                sum += of(value);
                sum
            });
            std::iter::once(0.0).chain(sums).collect()
        };
        let (sums, squares) = (running(|value| value), running(|value| value * value));
        Self { excess, sums, squares, cost, pool: Mutex::default() }
    }

    /// Adds a trial; its Sharpe ratio, or `None` where its series has no spread.
    pub(crate) fn add(&self, trades: &[Trade]) -> Option<f64> {
        let (mut sum, mut squares) = (0.0, 0.0);
        for trade in trades {
            let (entry, exit, side) = placed(trade);
            let (one, paid) = (side * self.excess[entry], self.cost);
            sum += side * (self.sums[exit] - self.sums[entry]) - 2.0 * paid;
            squares += self.squares[exit] - self.squares[entry];
            squares += if exit > entry + 1 {
                let other = side * self.excess[exit - 1];
                2.0 * paid * (paid - one - other)
            } else {
                let held = if exit > entry { one } else { 0.0 };
                4.0 * paid * (paid - held)
            };
        }
        let bars = self.excess.len() as f64;
        let mean = sum / bars;
        let off = squares - bars * mean * mean;
        let deviation = (off / (bars - 1.0)).sqrt();
        let weight = 1.0 / deviation;
        if !(off > ROUNDING * squares && weight <= MAX_WEIGHT) {
            return None;
        }
        self.weigh(trades, (weight * UNIT).round() as i128);
        Some(mean / deviation)
    }

    fn weigh(&self, trades: &[Trade], weight: i128) {
        let pool = || self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        let known = pool().pop();
        let none = || vec![0; self.sums.len()];
        let mut all = known.unwrap_or_else(|| Weights { sides: none(), turns: none() });
        for trade in trades {
            let (entry, exit, side) = placed(trade);
            let signed = if side < 0.0 { -weight } else { weight };
            all.sides[entry] += signed;
            all.sides[exit] -= signed;
            all.turns[entry] += weight;
            all.turns[exit.saturating_sub(1).max(entry)] += weight;
        }
        pool().push(all);
    }

    /// What the trials are together, given what [`Likeness::add`] said of each, in an order that does
    /// not depend on threads.
    pub(crate) fn trials(self, ratios: &[Option<f64>]) -> Trials {
        let bars = self.excess.len();
        let pool = self.pool.into_inner().unwrap_or_else(PoisonError::into_inner);
        let used = ratios.iter().flatten().count() as f64;
        let means: f64 = ratios.iter().flatten().sum();
        let (mut side, mut squares) = (0i128, 0.0);
        for bar in 0..bars {
            side += pool.iter().map(|all| all.sides[bar]).sum::<i128>();
            let turns = pool.iter().map(|all| all.turns[bar]).sum::<i128>();
            let [side, turns] = [side, turns].map(|weight| weight as f64 / UNIT);
            // Σz of this bar; its mean over bars is 0.
            let sum = self.excess[bar] * side - self.cost * turns - means;
            squares += sum * sum;
        }
        let together = squares / (bars as f64 - 1.0);
        let pairs = used * (used - 1.0);
        let mean_correlation = if used > 1.0 { (together - used) / pairs } else { 0.0 };
        let effective = effective_trials(mean_correlation, ratios.len()).unwrap_or(1.0);
        Trials { mean_correlation, effective, variance: variance(ratios) }
    }
}

/// Bars of entry and exit, and +1 for a long position, −1 for a short one.
fn placed(trade: &Trade) -> (usize, usize, f64) {
    (trade.entry_bar, trade.exit_bar, trade.size.signum())
}

/// Of the ratios, with n − 1 in the denominator; 0 stands for one that has none.
fn variance(ratios: &[Option<f64>]) -> f64 {
    let count = ratios.len() as f64;
    let ratios = || ratios.iter().map(|ratio| ratio.unwrap_or(0.0));
    let center = ratios().sum::<f64>() / count;
    let squares: f64 = ratios().map(|ratio| (ratio - center) * (ratio - center)).sum();
    if count > 1.0 { squares / (count - 1.0) } else { 0.0 }
}
