//! How far a figure of a run can be trusted: its slices drawn again, in blocks, because neighbours are alike.

use super::super::Slice;
use crate::rng::Rng;

/// Draws of a run: enough for a standard deviation to about 3 %.
const DRAWS: usize = 600;
/// Two-sided 99 % of the bell curve: four figures at 1 % each are right together in 96 of 100 runs.
const Z: f64 = 2.575_829_303_548_901;

/// The slices of a run in a form that can be drawn from quickly.
pub(super) struct Sample {
    /// Every duration in ms that occurs, ascending.
    values: Vec<f64>,
    /// By slice: how many took at most each of them.
    cumulative: Vec<Vec<u32>>,
    due: Vec<u64>,
    bad: Vec<u64>,
    ok: Vec<u64>,
    seconds: Vec<f64>,
}

/// What is asked of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// In thousandths.
    Quantile(u32),
    /// What was not answered well, of what was due.
    FailedShare,
    /// Good answers a second.
    Rate,
}

impl Sample {
    pub(super) fn new(slices: &[Slice]) -> Self {
        // A last slice that is cut short would weigh like a whole one.
        let longest = slices.iter().map(|slice| slice.length_s).fold(0.0, f64::max);
        let whole: Vec<&Slice> =
            slices.iter().filter(|s| s.length_s > 0.9 * longest && s.due > 0).collect();
        let steps = |slice: &Slice| {
            let count = slice.latency.count() as f64;
            let steps = slice.latency.cumulative();
            steps.map(|(ms, share)| (ms, (share * count).round() as u32)).collect::<Vec<_>>()
        };
        let each: Vec<Vec<(f64, u32)>> = whole.iter().map(|slice| steps(slice)).collect();
        let mut values: Vec<f64> = each.iter().flatten().map(|(ms, _)| *ms).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let spread = |steps: &Vec<(f64, u32)>| {
            let (mut steps, mut seen) = (steps.iter().peekable(), 0);
            let at_most = |value: &f64| {
                while let Some((_, count)) = steps.next_if(|(ms, _)| ms <= value) {
                    seen = *count;
                }
                seen
            };
            values.iter().map(at_most).collect()
        };
        let cumulative = each.iter().map(spread).collect();
        Self {
            cumulative,
            values,
            due: whole.iter().map(|s| s.due).collect(),
            bad: whole.iter().map(|s| s.failed + s.shed).collect(),
            ok: whole.iter().map(|s| s.ok).collect(),
            seconds: whole.iter().map(|s| s.length_s).collect(),
        }
    }

    /// Whole slices that had arrivals.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    /// Slices of a block: neighbours that are drawn together.
    fn block(&self) -> usize {
        (self.len() as f64).cbrt().round().max(2.0) as usize
    }

    /// The figure of the run as it was; `None` of nothing.
    pub(super) fn figure(&self, figure: Figure) -> Option<f64> {
        self.of(figure, &vec![1; self.len()])
    }

    /// Its standard error on the scale of [`scale`], with what few blocks hide.
    pub(super) fn error(&self, figure: Figure, seed: u64) -> Option<f64> {
        let mut rng = Rng::new(seed);
        let (n, block) = (self.len() as u64, self.block() as u64);
        let (mut sum, mut squares, mut count) = (0.0, 0.0, 0.0);
        let mut weights = vec![0_u32; self.len()];
        for _ in 0..DRAWS {
            weights.fill(0);
            let mut drawn = 0;
            while drawn < n {
                let start = rng.below(n);
                for step in 0..block.min(n - drawn) {
                    weights[((start + step) % n) as usize] += 1;
                }
                drawn += block;
            }
            let Some(value) = self.of(figure, &weights).map(|value| scale(figure, value)) else {
                continue;
            };
            sum += value;
            squares += value * value;
            count += 1.0;
        }
        let blocks = self.blocks();
        let variance = (squares / count - (sum / count).powi(2)).max(0.0);
        (count > 0.5 * DRAWS as f64).then(|| (variance * blocks / (blocks - 1.0)).sqrt())
    }

    fn blocks(&self) -> f64 {
        (self.len() as f64 / self.block() as f64).max(2.0)
    }

    fn of(&self, figure: Figure, weights: &[u32]) -> Option<f64> {
        let sum =
            |of: &[u64]| -> u64 { of.iter().zip(weights).map(|(n, w)| n * u64::from(*w)).sum() };
        match figure {
            Figure::FailedShare => {
                let due = sum(&self.due);
                (due > 0).then(|| sum(&self.bad) as f64 / due as f64)
            }
            Figure::Rate => {
                let seconds: f64 =
                    self.seconds.iter().zip(weights).map(|(s, w)| s * f64::from(*w)).sum();
                (seconds > 0.0).then(|| sum(&self.ok) as f64 / seconds)
            }
            Figure::Quantile(thousandths) => self.quantile(thousandths, weights),
        }
    }

    fn quantile(&self, thousandths: u32, weights: &[u32]) -> Option<f64> {
        let at_most = |place: usize| -> u64 {
            let slices = self.cumulative.iter().zip(weights);
            slices.map(|(counts, w)| u64::from(counts[place]) * u64::from(*w)).sum()
        };
        let all = at_most(self.values.len().checked_sub(1)?);
        let wanted = (all * u64::from(thousandths)).div_ceil(1000).max(1);
        let (mut low, mut high) = (0, self.values.len() - 1);
        while low < high {
            let middle = (low + high) / 2;
            if at_most(middle) >= wanted { high = middle } else { low = middle + 1 }
        }
        (all > 0).then(|| self.values[low])
    }
}

/// Times and rates are compared by ratios, so errors are those of logarithms; shares by differences.
pub(super) fn scale(figure: Figure, value: f64) -> f64 {
    if figure == Figure::FailedShare { value } else { value.max(1e-9).ln() }
}

/// The difference of two runs on the scale, with the ends of its 99 % interval (Student's t by the fewer
/// blocks).
pub(super) fn difference(a: &Sample, b: &Sample, figure: Figure, seed: u64) -> Option<[f64; 3]> {
    let between = scale(figure, b.figure(figure)?) - scale(figure, a.figure(figure)?);
    let (of_a, of_b) = (a.error(figure, seed)?, b.error(figure, seed.wrapping_add(1))?);
    let reach = student(a.blocks().min(b.blocks()) - 1.0) * of_a.hypot(of_b);
    Some([between, between - reach, between + reach])
}

/// Student's t of two-sided 99 % (Cornish and Fisher's series, good to a percent from three degrees on).
fn student(degrees: f64) -> f64 {
    let (z, v) = (Z, degrees.max(1.0));
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + first / v + second / (v * v) + third / (v * v * v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::scene::Scene;

    #[test]
    fn students_t_is_that_of_the_tables() {
        for (degrees, table) in [(5.0, 4.032), (9.0, 3.250), (14.0, 2.977), (30.0, 2.750)] {
            let t = student(degrees);
            assert!((t / table - 1.0).abs() < 0.01, "{degrees}: {t} beside {table}");
        }
    }

    #[test]
    fn figures_of_a_sample_are_those_of_the_whole_histogram() {
        let outcome = Scene { errors: vec![("TimeoutError", 0.1)], ..Scene::new(1) }.play();
        let sample = Sample::new(&outcome.slices);
        let p99 = sample.figure(Figure::Quantile(990)).unwrap();
        assert_eq!(Some(p99), outcome.histogram.quantile_ms(0.99));
        let failed = sample.figure(Figure::FailedShare).unwrap();
        assert!((failed - outcome.failed as f64 / 6000.0).abs() < 1e-12);
        assert!((sample.figure(Figure::Rate).unwrap() - outcome.ok as f64 / 30.0).abs() < 1e-9);
        assert!(Sample::new(&[]).figure(Figure::Quantile(990)).is_none());
    }

    /// What repeating the whole test would say: statistics of 40 seeds, held to a factor of two.
    #[test]
    fn the_error_of_a_percentile_is_what_repetition_shows() {
        let samples: Vec<Sample> =
            (0..40).map(|seed| Sample::new(&Scene::new(seed).play().slices)).collect();
        let of =
            |s: &Sample| scale(Figure::Quantile(990), s.figure(Figure::Quantile(990)).unwrap());
        let mean = samples.iter().map(of).sum::<f64>() / 40.0;
        let real = (samples.iter().map(|s| (of(s) - mean).powi(2)).sum::<f64>() / 39.0).sqrt();
        let guessed = samples
            .iter()
            .take(10)
            .map(|s| s.error(Figure::Quantile(990), 1).unwrap())
            .sum::<f64>()
            / 10.0;
        assert!((0.5..2.0).contains(&(guessed / real)), "{guessed} beside {real}");
    }
}
