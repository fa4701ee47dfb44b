//! Patterns in groups of their like.

use std::collections::BTreeSet;
use std::time::Duration;

use finstage_model::{Direction, Horizon, Interval};
use finstage_quant::cluster::{Clusters, k_means, silhouette};
use serde::Serialize;

use super::judged::figures;
use super::{Figures, Findings, Kind, MAX_COMPARED, MAX_STEPS, Pattern};

/// Fewer patterns are not put into groups.
pub const MIN_CLUSTERED: usize = 10;
/// The most groups that are tried where their number is not given.
const MAX_CHOSEN: usize = 8;
/// The span that counts as 1.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// Words of strategies' names by what they look at; what has none of them looks at something else.
const LOOKS: [(&str, &[&str]); 5] = [
    ("averages", &["ma", "sma", "ema", "golden", "dead", "trend", "ichimoku", "supertrend"]),
    ("oscillators", &["rsi", "rsi2", "oversold", "overbought", "stochastic", "williams"]),
    ("ranges", &["bb", "squeeze", "keltner", "donchian", "volatility", "nr7", "breakout"]),
    ("macd", &["macd"]),
    ("volume", &["volume", "mfi"]),
];

/// What a pattern is by: each from 0 to 1, none of it a return.
pub const FEATURES: [&str; 12] = [
    "sequential",
    "concurrent",
    "leading",
    "length",
    "span",
    "interval",
    "bullish",
    LOOKS[0].0,
    LOOKS[1].0,
    LOOKS[2].0,
    LOOKS[3].0,
    LOOKS[4].0,
];

/// Groups of patterns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Clustering {
    /// How many.
    pub count: usize,
    /// Whether the number was chosen by the best silhouette, not given.
    pub is_chosen: bool,
    /// What the draws began with.
    pub seed: u64,
    /// How well the groups are apart, −1 to 1 (Rousseeuw 1987): below 0.25 hardly.
    pub silhouette: Option<f64>,
    /// Names of the numbers of a center.
    pub features: [&'static str; 12],
    /// The groups, the largest first.
    pub groups: Vec<Grouping>,
}

/// A group of patterns.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Grouping {
    /// From 1.
    pub number: usize,
    /// Its most frequent kind and what its signals look at most.
    pub name: String,
    /// How many patterns.
    pub patterns: usize,
    /// Share of its patterns' signals that expect a rise.
    pub bullish: f64,
    /// Mean features.
    pub center: Vec<f64>,
    /// Mean distance of its patterns from the center.
    pub radius: f64,
    /// Id of the pattern nearest to the center.
    pub nearest: String,
    /// Ids of its patterns.
    pub members: Vec<String>,
    /// What came of the signals that completed its patterns, each once; `None` where few are settled.
    pub figures: Option<Figures>,
}

/// Puts the first [`MAX_COMPARED`] patterns into groups by [`FEATURES`]: as many as asked for, else as
/// many from 2 to 8 as have the best silhouette. `None` with fewer than [`MIN_CLUSTERED`] patterns, or
/// fewer different ones than groups.
#[must_use]
pub fn clusters(
    findings: &Findings,
    (count, seed): (Option<usize>, u64),
    horizon: Horizon,
) -> Option<Clustering> {
    let patterns = &findings.patterns[..findings.patterns.len().min(MAX_COMPARED)];
    if patterns.len() < MIN_CLUSTERED {
        return None;
    }
    let points: Vec<Vec<f64>> = patterns.iter().map(|one| features(one).to_vec()).collect();
    let counts = count.map_or(2..=MAX_CHOSEN.min(patterns.len() / 2), |count| count..=count);
    let tried = counts.filter_map(|count| {
        let found = k_means(&points, count, seed)?;
        let quality = silhouette(&points, &found.group);
        Some((found, quality))
    });
    let worth = |quality: Option<f64>| quality.unwrap_or(f64::NEG_INFINITY);
    // Of equal ones the fewest.
    let (found, quality) =
        tried.reduce(|best, one| if worth(one.1) > worth(best.1) { one } else { best })?;
    let places = 0..found.centers.len();
    let groups =
        places.map(|place| grouping((findings, patterns), (&points, &found), (place, horizon)));
    Some(Clustering {
        count: found.centers.len(),
        is_chosen: count.is_none(),
        seed,
        silhouette: quality,
        features: FEATURES,
        groups: groups.collect(),
    })
}

fn features(pattern: &Pattern) -> [f64; 12] {
    let steps = pattern.steps.len() as f64;
    let share = |fits: &dyn Fn(usize) -> bool| {
        (0..pattern.steps.len()).filter(|place| fits(*place)).count() as f64 / steps
    };
    let flag = |kind| f64::from(u8::from(pattern.kind == kind));
    let longest = libm::log1p(LONGEST.as_secs_f64() / 3_600.0);
    let seconds = |interval: Interval| libm::log(interval.nominal().as_secs_f64());
    let (least, most) = (seconds(Interval::M1), seconds(Interval::Mo1));
    let bars = pattern.steps.iter().map(|step| (seconds(step.interval) - least) / (most - least));
    let looks = |nth: usize| {
        share(&|place| {
            let mut words = pattern.steps[place].bare().split('_');
            words.any(|word| LOOKS[nth].1.contains(&word))
        })
    };
    [
        flag(Kind::Sequential),
        flag(Kind::Concurrent),
        flag(Kind::Leading),
        (steps - 1.0) / (MAX_STEPS - 1) as f64,
        (libm::log1p(pattern.mean_span_h) / longest).min(1.0),
        bars.sum::<f64>() / steps,
        share(&|place| pattern.steps[place].direction == Direction::Long),
        looks(0),
        looks(1),
        looks(2),
        looks(3),
        looks(4),
    ]
}

fn grouping(
    (findings, patterns): (&Findings, &[Pattern]),
    (points, found): (&[Vec<f64>], &Clusters),
    (place, horizon): (usize, Horizon),
) -> Grouping {
    let center = &found.centers[place];
    let distance = |at: &usize| {
        let square: f64 = points[*at].iter().zip(center).map(|(a, b)| (a - b) * (a - b)).sum();
        square.sqrt()
    };
    let own: Vec<usize> = (0..patterns.len()).filter(|at| found.group[*at] == place).collect();
    let nearest = own.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    let lasts: BTreeSet<usize> =
        own.iter().flat_map(|at| patterns[*at].lasts.iter().copied()).collect();
    let signals = lasts.into_iter().map(|last| &findings.signals[last]);
    Grouping {
        number: place + 1,
        name: name(center),
        patterns: own.len(),
        bullish: center[6],
        radius: own.iter().map(distance).sum::<f64>() / own.len().max(1) as f64,
        nearest: nearest.map(|at| patterns[*at].id.clone()).unwrap_or_default(),
        members: own.iter().map(|at| patterns[*at].id.clone()).collect(),
        figures: figures(signals, horizon, &findings.market).map(|(figures, _)| figures),
        center: center.clone(),
    }
}

/// The greatest of the kinds, and of what signals look at.
fn name(center: &[f64]) -> String {
    let greatest = |places: std::ops::Range<usize>| {
        let best = places.rev().max_by(|a, b| center[*a].total_cmp(&center[*b]));
        best.filter(|place| center[*place] > 0.0).map_or("other", |place| FEATURES[place])
    };
    let side = match center[6] {
        share if share >= 0.6 => "bullish",
        share if share <= 0.4 => "bearish",
        _ => "mixed",
    };
    format!("{}, {}, {side}", greatest(0..3), greatest(7..12))
}
