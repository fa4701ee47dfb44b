//! How much a server takes: levels of load, the last one before it breaks, and the law that fits.

use super::{Kind, Latencies, Outcome, Slice};

/// A level ends where the rate is this much higher than at its begin.
const LEVEL: f64 = 1.15;
/// Fewer levels, or less between the lowest and the highest, are no ramp.
const LEVELS: usize = 4;
const RANGE: f64 = 2.0;
/// Counts that vary more than this times what chance makes of a constant rate.
const DISPERSION: f64 = 4.0;
/// A level is broken where p99 is this many times, and by so many ms, above that of the lowest, or where
/// less than this share is answered well.
const TIMES: f64 = 3.0;
const BY_MS: f64 = 10.0;
const OK: f64 = 0.95;
/// How much of the variation the law must explain to be worth a word.
const FIT: f64 = 0.9;

/// Seconds with about the same load.
#[derive(Debug, Clone)]
pub struct Level {
    /// Arrivals that were due, a second.
    pub offered: f64,
    /// Good answers a second.
    pub achieved: f64,
    /// Good answers of those that were due.
    pub ok_share: f64,
    /// The 99th percentile, in ms; `None` where nothing was answered.
    pub p99_ms: Option<f64>,
    /// Under way, by rate × mean latency.
    pub under_way: f64,
}

/// The highest load that was taken well.
#[derive(Debug, Clone)]
pub struct Knee {
    /// A second.
    pub rate: f64,
    /// The 99th percentile there, in ms.
    pub p99_ms: f64,
    /// The first level that was not taken well; `None` where all were.
    pub broken: Option<Level>,
    /// The law that fits the levels, where one does.
    pub scaling: Option<Scaling>,
}

impl Knee {
    /// Finds it in a test whose load rose; `None` in all others, and where the first level is broken.
    #[must_use]
    pub fn find(outcome: &Outcome) -> Option<Self> {
        let levels = levels(outcome)?;
        let lowest = levels.iter().find_map(|level| level.p99_ms)?;
        let is_broken = |level: &Level| {
            let is_slow =
                level.p99_ms.is_none_or(|p99| p99 > TIMES * lowest && p99 > lowest + BY_MS);
            is_slow || level.ok_share < OK
        };
        // One bad second among good ones is a stall: most of what is above must be broken too.
        let at = (0..levels.len()).find(|&at| {
            let above = &levels[at..];
            is_broken(&levels[at])
                && 2 * above.iter().filter(|level| is_broken(level)).count() > above.len()
        });
        let last_good = match at {
            Some(at) => levels[..at].last()?,
            None => levels.last()?,
        };
        Some(Self {
            rate: last_good.offered,
            p99_ms: last_good.p99_ms.unwrap_or(lowest),
            broken: at.map(|at| levels[at].clone()),
            scaling: Scaling::fit(&levels),
        })
    }
}

/// The levels of a test whose load rose, lowest first; `None` where it did not.
#[must_use]
pub fn levels(outcome: &Outcome) -> Option<Vec<Level>> {
    if outcome.kind != Kind::Http {
        return None;
    }
    let longest = outcome.slices.iter().map(|slice| slice.length_s).fold(0.0, f64::max);
    let offered = |slice: &Slice| slice.due as f64 / slice.length_s;
    let whole: Vec<&Slice> =
        outcome.slices.iter().filter(|s| s.length_s > 0.9 * longest && s.due > 0).collect();
    // What comes after the highest load works off what that left behind.
    let top = (0..whole.len()).max_by(|&a, &b| offered(whole[a]).total_cmp(&offered(whole[b])))?;
    let mut rising = whole[..=top].to_vec();
    let n = rising.len() as f64;
    let mean = rising.iter().map(|s| s.due as f64).sum::<f64>() / n;
    let variance = rising.iter().map(|s| (s.due as f64 - mean).powi(2)).sum::<f64>() / n;
    rising.sort_by(|a, b| offered(a).total_cmp(&offered(b)));
    let range = offered(rising.last()?) / offered(rising.first()?);
    if variance < DISPERSION * mean || range < RANGE {
        return None;
    }
    let mut groups: Vec<Vec<&Slice>> = Vec::new();
    for slice in rising {
        match groups.last_mut() {
            Some(group) if offered(slice) <= LEVEL * offered(group[0]) => group.push(slice),
            _ => groups.push(vec![slice]),
        }
    }
    (groups.len() >= LEVELS).then(|| groups.iter().map(|group| level(group)).collect())
}

fn level(slices: &[&Slice]) -> Level {
    let mut latency = Latencies::new();
    slices.iter().for_each(|slice| latency.add(&slice.latency));
    let seconds: f64 = slices.iter().map(|slice| slice.length_s).sum();
    let [due, ok] = slices.iter().fold([0, 0], |[due, ok], s| [due + s.due, ok + s.ok]);
    let figures = latency.percentiles();
    let achieved = ok as f64 / seconds;
    Level {
        offered: due as f64 / seconds,
        achieved,
        ok_share: ok as f64 / due.max(1) as f64,
        p99_ms: figures.p99_ms,
        under_way: figures.count as f64 / seconds * figures.mean_ms.unwrap_or(0.0) / 1000.0,
    }
}

/// Gunther's universal scalability law: with `n` under way a server answers
/// `λn / (1 + σ(n − 1) + κn(n − 1))` a second. σ is what must wait in line, κ what it costs to agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scaling {
    /// Answers a second of one at a time.
    pub lambda: f64,
    /// What must wait in line, from 0 to 1.
    pub sigma: f64,
    /// What it costs to agree.
    pub kappa: f64,
}

impl Scaling {
    /// The law that fits the levels best; `None` where it explains little or they are too few.
    #[must_use]
    pub fn fit(levels: &[Level]) -> Option<Self> {
        let points: Vec<(f64, f64)> = levels
            .iter()
            .map(|l| (l.under_way, l.achieved))
            .filter(|(n, x)| *n > 0.0 && *x > 0.0)
            .collect();
        if points.len() < LEVELS {
            return None;
        }
        // n / x is linear in 1, n − 1 and n(n − 1). Costs cannot be negative: without κ, without σ, and
        // without both are tried too. Each row is weighted to count relative errors of x.
        let rows: Vec<([f64; 3], f64)> = points
            .iter()
            .map(|&(n, x)| ([1.0, n - 1.0, n * (n - 1.0)].map(|term| term * x / n), 1.0))
            .collect();
        let fits =
            [[true, true, true], [true, true, false], [true, false, true], [true, false, false]];
        let fits = fits.iter().filter_map(|used| least_squares(&rows, *used));
        let best = fits
            .filter(|c| c[0] > 0.0 && c[1] >= 0.0 && c[2] >= 0.0)
            .map(|c| Self { lambda: 1.0 / c[0], sigma: c[1] / c[0], kappa: c[2] / c[0] })
            .min_by(|a, b| a.misfit(&points).total_cmp(&b.misfit(&points)))?;
        let mean = points.iter().map(|(_, x)| x).sum::<f64>() / points.len() as f64;
        let spread: f64 = points.iter().map(|(_, x)| (x - mean).powi(2)).sum();
        (best.misfit(&points) < (1.0 - FIT) * spread).then_some(best)
    }

    /// Answers a second with `n` under way.
    #[must_use]
    pub fn at(&self, n: f64) -> f64 {
        self.lambda * n / (1.0 + self.sigma * (n - 1.0) + self.kappa * n * (n - 1.0))
    }

    /// The most it comes to: with how many under way, and how many a second. `None` where more is always
    /// better, if little.
    #[must_use]
    pub fn peak(&self) -> Option<(f64, f64)> {
        (self.kappa > 0.0 && self.sigma < 1.0).then(|| {
            let n = ((1.0 - self.sigma) / self.kappa).sqrt().max(1.0);
            (n, self.at(n))
        })
    }

    fn misfit(&self, points: &[(f64, f64)]) -> f64 {
        points.iter().map(|&(n, x)| (x - self.at(n)).powi(2)).sum()
    }
}

/// The coefficients with the least squares, zero for columns that are not used. `None` where they cannot
/// be told apart.
fn least_squares(rows: &[([f64; 3], f64)], used: [bool; 3]) -> Option<[f64; 3]> {
    let mut system = [[0.0; 4]; 3];
    for (terms, value) in rows {
        for i in 0..3 {
            (0..3).for_each(|j| system[i][j] += terms[i] * terms[j]);
            system[i][3] += terms[i] * value;
        }
    }
    for i in (0..3).filter(|&i| !used[i]) {
        system[i] = [0.0; 4];
        (0..3).for_each(|j| system[j][i] = 0.0);
        system[i][i] = 1.0;
    }
    // Gauss and Jordan, the largest pivot first.
    for column in 0..3 {
        let pivot = (column..3)
            .max_by(|&a, &b| system[a][column].abs().total_cmp(&system[b][column].abs()))?;
        system.swap(column, pivot);
        let row = system[column];
        if row[column].abs() < 1e-12 {
            return None;
        }
        for other in (0..3).filter(|&other| other != column) {
            let factor = system[other][column] / row[column];
            (0..4).for_each(|j| system[other][j] -= factor * row[j]);
        }
    }
    Some([0, 1, 2].map(|i| system[i][3] / system[i][i]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stress::scene::Scene;

    #[test]
    fn the_knee_is_the_last_load_before_the_capacity() {
        let rates = (1..=20).flat_map(|step| [f64::from(step) * 100.0; 3]).collect();
        let outcome = Scene { rates, capacity: 1_250.0, ..Scene::new(7) }.play();
        let knee = Knee::find(&outcome).unwrap();
        assert!((1_000.0..=1_250.0).contains(&knee.rate), "{knee:?}");
        assert!(knee.broken.unwrap().offered > 1_250.0);
    }

    #[test]
    fn a_constant_load_has_no_knee_by_chance_or_by_clock() {
        for seed in 0..50 {
            let scene = Scene { poisson: true, rates: vec![5.0; 60], ..Scene::new(seed) };
            assert!(Knee::find(&scene.play()).is_none(), "{seed}");
        }
        assert!(Knee::find(&Scene { rates: vec![500.0; 30], ..Scene::new(1) }.play()).is_none());
    }

    #[test]
    fn the_law_that_made_the_points_is_found() {
        let law = Scaling { lambda: 100.0, sigma: 0.05, kappa: 0.0005 };
        let level = |n: f64| Level {
            offered: law.at(n),
            achieved: law.at(n),
            ok_share: 1.0,
            p99_ms: Some(1.0),
            under_way: n,
        };
        let levels: Vec<Level> = [1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 80.0].map(level).into();
        let fit = Scaling::fit(&levels).unwrap();
        assert!((fit.lambda - 100.0).abs() < 0.1 && (fit.sigma - 0.05).abs() < 1e-3, "{fit:?}");
        let (at, peak) = fit.peak().unwrap();
        assert!((at - 43.6).abs() < 0.5 && (peak - law.at(at)).abs() < 0.5, "{at} {peak}");
        assert!(Scaling::fit(&levels[..3]).is_none());
    }
}
