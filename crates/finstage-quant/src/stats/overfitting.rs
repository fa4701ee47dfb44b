//! How often the best of many trials in one half of the past is below the median in the other.

use super::moments::mean;

/// At most so many blocks: 184,756 halves.
pub const MOST_BLOCKS: usize = 20;

/// Probability of backtest overfitting by combinatorially symmetric cross-validation (Bailey, Borwein,
/// López de Prado and Zhu 2017), with the Sharpe ratio as measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Overfitting {
    /// Share of halves whose best trial ranks at or below the median in the other half.
    pub probability: f64,
    /// Share of halves whose best trial loses in the other half.
    pub loss: f64,
    /// What a unit of Sharpe ratio in the chosen half was worth in the other: the slope of a straight
    /// line by least squares; `None` when the best ratios are all the same.
    pub slope: Option<f64>,
    /// Rows that were used: as many as fill the blocks.
    pub rows: usize,
    /// One for each way to choose half of the blocks, in lexicographic order.
    pub halves: Vec<Half>,
}

/// The best trial of one choice of blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Half {
    /// Its place among the trials; the first of equals.
    pub best: usize,
    /// Its Sharpe ratio in the chosen blocks.
    pub inside: f64,
    /// Its Sharpe ratio in the others.
    pub outside: f64,
    /// ln(ω/(1−ω)) with ω = rank/(N+1) of it among all trials in the others; equals share a rank.
    pub logit: f64,
}

impl Overfitting {
    /// Of the trials' return series, cut to `blocks` equal blocks of rows. Series are as long as the
    /// shortest; a series without spread in a half has Sharpe ratio 0 there.
    ///
    /// `None` with fewer than two trials, an odd number of blocks, more than [`MOST_BLOCKS`], fewer
    /// than two rows a half, or a value that is not finite.
    #[must_use]
    pub fn of(trials: &[&[f64]], blocks: usize) -> Option<Self> {
        let length = trials.iter().map(|trial| trial.len()).min()?;
        let mut cut = Cut::new(length, blocks)?;
        trials.iter().for_each(|trial| cut.add(trial));
        cut.overfitting()
    }
}

/// Trials cut to blocks, one after the other: only sums stay of each, so that there may be more of them
/// than fit the memory.
#[derive(Debug, Clone)]
pub struct Cut {
    block_rows: usize,
    /// By block, then by trial.
    blocks: Vec<Vec<Sum>>,
}

impl Cut {
    /// For series of `length` rows, in `blocks` equal blocks. `None` as [`Overfitting::of`] says.
    #[must_use]
    pub fn new(length: usize, blocks: usize) -> Option<Self> {
        let is_even = blocks.is_multiple_of(2) && (2..=MOST_BLOCKS).contains(&blocks);
        let block_rows = length.checked_div(blocks)?;
        (is_even && block_rows * blocks >= 4)
            .then(|| Self { block_rows, blocks: vec![Vec::new(); blocks] })
    }

    /// Adds a trial. One that is shorter than the others is as if it went on with nothing.
    pub fn add(&mut self, trial: &[f64]) {
        let rows = self.block_rows;
        let chunks = trial.chunks(rows).chain(std::iter::repeat(&[][..]));
        for (block, values) in self.blocks.iter_mut().zip(chunks) {
            block.push(Sum {
                values: values.iter().sum(),
                squares: values.iter().map(|value| value * value).sum(),
            });
        }
    }

    /// What became of the best trials. `None` with fewer than two trials, or a value that is not
    /// finite.
    #[must_use]
    pub fn overfitting(self) -> Option<Overfitting> {
        let (block_rows, blocks) = (self.block_rows, self.blocks.len());
        let is_sound = |sum: &Sum| sum.values.is_finite() && sum.squares.is_finite();
        if self.blocks[0].len() < 2 || !self.blocks.iter().flatten().all(is_sound) {
            return None;
        }
        let (half_rows, sums) = (block_rows * blocks / 2, BlockSums { blocks: self.blocks });
        let mut chosen: Vec<usize> = (0..blocks / 2).collect();
        let (mut inside, mut outside) = (Vec::new(), Vec::new());
        let mut halves = Vec::new();
        loop {
            sums.ratios(half_rows, |block| chosen.contains(&block), &mut inside);
            sums.ratios(half_rows, |block| !chosen.contains(&block), &mut outside);
            halves.push(Half::of(&inside, &outside));
            if !advance(&mut chosen, blocks) {
                break;
            }
        }
        let share = |is_so: fn(&Half) -> bool| {
            halves.iter().filter(|half| is_so(half)).count() as f64 / halves.len() as f64
        };
        Some(Overfitting {
            probability: share(|half| half.logit <= 0.0),
            loss: share(|half| half.outside < 0.0),
            slope: slope(&halves),
            rows: block_rows * blocks,
            halves,
        })
    }
}

impl Half {
    fn of(inside: &[f64], outside: &[f64]) -> Self {
        let mut best = 0;
        for (trial, &ratio) in inside.iter().enumerate() {
            if ratio > inside[best] {
                best = trial;
            }
        }
        let mine = outside[best];
        let below = outside.iter().filter(|&&ratio| ratio < mine).count() as f64;
        let equal = outside.iter().filter(|&&ratio| ratio == mine).count() as f64;
        let share = (below + (equal + 1.0) / 2.0) / (outside.len() as f64 + 1.0);
        Self { best, inside: inside[best], outside: mine, logit: libm::log(share / (1.0 - share)) }
    }
}

/// Sums of one trial over one block.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    values: f64,
    squares: f64,
}

/// Sums of all trials, block by block.
struct BlockSums {
    blocks: Vec<Vec<Sum>>,
}

impl BlockSums {
    /// The Sharpe ratio of each trial over the blocks that `counts` picks, `rows` rows together.
    fn ratios(&self, rows: usize, counts: impl Fn(usize) -> bool, ratios: &mut Vec<f64>) {
        /// A variance below this part of the mean square is what rounding left.
        const ROUNDING: f64 = 1e-14;
        let mut totals = vec![Sum::default(); self.blocks[0].len()];
        let picked = self.blocks.iter().enumerate().filter(|(block, _)| counts(*block));
        for (_, block) in picked {
            for (total, sum) in totals.iter_mut().zip(block) {
                total.values += sum.values;
                total.squares += sum.squares;
            }
        }
        let count = rows as f64;
        ratios.clear();
        ratios.extend(totals.iter().map(|total| {
            let mean = total.values / count;
            let off = total.squares - count * mean * mean;
            if off > ROUNDING * total.squares { mean / (off / (count - 1.0)).sqrt() } else { 0.0 }
        }));
    }
}

/// The next choice in lexicographic order; whether there is one.
fn advance(chosen: &mut [usize], blocks: usize) -> bool {
    let size = chosen.len();
    let Some(place) = (0..size).rev().find(|&place| chosen[place] < blocks - size + place) else {
        return false;
    };
    chosen[place] += 1;
    for later in place + 1..size {
        chosen[later] = chosen[later - 1] + 1;
    }
    true
}

fn slope(halves: &[Half]) -> Option<f64> {
    let inside: Vec<f64> = halves.iter().map(|half| half.inside).collect();
    let outside: Vec<f64> = halves.iter().map(|half| half.outside).collect();
    let (x, y) = (mean(&inside)?, mean(&outside)?);
    let (mut together, mut alone) = (0.0, 0.0);
    for half in halves {
        together += (half.inside - x) * (half.outside - y);
        alone += (half.inside - x) * (half.inside - x);
    }
    let slope = together / alone;
    slope.is_finite().then_some(slope)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(length: usize, step: f64) -> Vec<f64> {
        (0..length).map(|t| (t as f64 * step).sin()).collect()
    }

    #[test]
    fn a_trial_that_is_always_best_is_not_overfitted() {
        let noise = wave(64, 1.3);
        let good: Vec<f64> = noise.iter().map(|value| value + 2.0).collect();
        let said = Overfitting::of(&[&noise, &good], 4).unwrap();
        assert_eq!((said.probability, said.loss, said.halves.len()), (0.0, 0.0, 6));
        assert!(said.halves.iter().all(|half| half.best == 1));
    }

    #[test]
    fn a_trial_that_was_lucky_once_is_overfitted() {
        // Each trial wins in one block and loses in the others.
        let trial = |lucky: usize| -> Vec<f64> {
            let win = |t: usize| if t / 16 == lucky { 3.0 } else { -1.0 };
            wave(64, 1.3).iter().enumerate().map(|(t, value)| value + win(t)).collect()
        };
        let trials: Vec<_> = (0..4).map(trial).collect();
        let columns: Vec<&[f64]> = trials.iter().map(Vec::as_slice).collect();
        let said = Overfitting::of(&columns, 4).unwrap();
        assert_eq!((said.probability, said.loss), (1.0, 1.0));
    }

    #[test]
    fn idle_trials_are_ties() {
        let said = Overfitting::of(&[&[0.0; 64], &[0.0; 64]], 8).unwrap();
        assert!(said.halves.iter().all(|half| half.logit == 0.0 && half.best == 0));
        assert_eq!((said.probability, said.slope), (1.0, None));
    }

    #[test]
    fn what_cannot_be_cut_says_so() {
        let noise = wave(64, 1.3);
        assert_eq!(Overfitting::of(&[&noise], 4), None);
        for blocks in [0, 1, 3, 22, 64 * 2] {
            assert_eq!(Overfitting::of(&[&noise, &noise], blocks), None, "{blocks}");
        }
        assert_eq!(Overfitting::of(&[&noise, &[f64::NAN; 64]], 4), None);
        assert_eq!(Overfitting::of(&[&noise, &[1.0]], 4), None);
        assert_eq!(Overfitting::of(&[], 4), None);
        assert!(Cut::new(64, 0).is_none() && Cut::new(3, 2).is_none());
    }

    #[test]
    fn choices_come_in_lexicographic_order() {
        let mut chosen = vec![0, 1];
        let mut seen = vec![chosen.clone()];
        while advance(&mut chosen, 4) {
            seen.push(chosen.clone());
        }
        assert_eq!(seen, [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]);
    }
}
