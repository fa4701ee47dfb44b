//! Two runs side by side, with a verdict that chance does not make.
//!
//! The seconds of each run are drawn again many times, in blocks; what percentiles vary by is how far
//! their ratio can be trusted. A difference counts when it is real (its 99 % interval leaves out "none")
//! and large enough to matter ([`MATTERS`]).

mod bootstrap;
mod text;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::bootstrap::{Figure, Sample, difference};
use super::Outcome;

pub use self::text::text;

/// A time or a rate must differ by this factor to count.
pub const MATTERS: f64 = 1.05;
/// An interval of ratios inside this factor is "the same".
pub const SAME: f64 = 1.10;
/// A share of failures must differ by this to count, and by less than five times this to be "the same".
const SHARE_MATTERS: f64 = 0.001;
/// Fewer whole seconds of a run have no spread to speak of.
pub const MIN_SLICES: usize = 8;
/// Loads that differ by more are different tests.
const LOAD: f64 = 1.05;

/// What became of a figure, or of the whole, from the first run to the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The second is better.
    Better,
    /// There is no difference that matters.
    Same,
    /// The second is worse.
    Worse,
    /// The runs are too short or vary too much to tell.
    Unclear,
}

/// Two runs side by side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Of the whole: worse where any figure is worse.
    pub verdict: Verdict,
    /// Figure by figure.
    pub figures: Vec<Compared>,
    /// Percentiles without a verdict, side by side: name, first, second, in ms.
    pub percentiles: Vec<(String, Option<f64>, Option<f64>)>,
    /// Settings that differ.
    pub settings: Vec<Difference>,
    /// What to bear in mind.
    pub remarks: Vec<Remark>,
}

/// A figure of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// `p50_ms`, `p99_ms`, `failed_share` or `ok_per_s`.
    pub figure: String,
    /// Of the first run.
    pub a: Option<f64>,
    /// Of the second.
    pub b: Option<f64>,
    /// Second ÷ first; of shares second − first.
    pub change: Option<f64>,
    /// The lower end of its 99 % interval.
    pub low: Option<f64>,
    /// The upper end.
    pub high: Option<f64>,
    /// What that means.
    pub verdict: Verdict,
}

/// A setting of two runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// In the first run; `None` where it was not set.
    pub a: Option<Value>,
    /// In the second.
    pub b: Option<Value>,
}

/// What to bear in mind with a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remark {
    /// A run is too short.
    TooShort,
    /// The loads differ, so that rates are not compared and times are of different tests.
    LoadsDiffer,
    /// In a run this machine was the limit.
    GeneratorBound,
}

/// Compares two runs; the same seed gives the same answer.
#[must_use]
pub fn compare(a: &Outcome, b: &Outcome, seed: u64) -> Comparison {
    let (of_a, of_b) = (Sample::new(&a.slices), Sample::new(&b.slices));
    let is_short = of_a.len().min(of_b.len()) < MIN_SLICES;
    let loads = [a, b].map(|run| {
        let [due, seconds] =
            run.slices.iter().fold([0.0; 2], |[d, s], x| [d + x.due as f64, s + x.length_s]);
        due / f64::max(seconds, f64::MIN_POSITIVE)
    });
    let apart = loads[0].max(loads[1]) / loads[0].min(loads[1]).max(f64::MIN_POSITIVE);
    // Without a rate the answers make the load, and their rate is what is measured.
    let has_rate = [a, b]
        .iter()
        .any(|run| run.settings.contains_key("rate") || run.settings.contains_key("scenario"));
    let loads_differ = has_rate && apart > LOAD;
    let names = [
        ("p50_ms", Figure::Quantile(500)),
        ("p99_ms", Figure::Quantile(990)),
        ("failed_share", Figure::FailedShare),
        ("ok_per_s", Figure::Rate),
    ];
    let wanted = names.iter().filter(|(_, figure)| !(loads_differ && *figure == Figure::Rate));
    let figures: Vec<Compared> = wanted
        .enumerate()
        .map(|(place, (name, figure))| {
            let between = difference(&of_a, &of_b, *figure, seed.wrapping_add(2 * place as u64));
            compared(
                name,
                *figure,
                [of_a.figure(*figure), of_b.figure(*figure)],
                between.filter(|_| !is_short),
            )
        })
        .collect();
    let is_bound =
        [a, b].iter().any(|run| run.generator.bound_slices as usize * 10 > run.slices.len());
    let remarks = [
        (is_short, Remark::TooShort),
        (loads_differ, Remark::LoadsDiffer),
        (is_bound, Remark::GeneratorBound),
    ];
    Comparison {
        verdict: overall(&figures),
        figures,
        percentiles: percentiles(a, b),
        settings: settings(a, b),
        remarks: remarks
            .into_iter()
            .filter_map(|(holds, remark)| holds.then_some(remark))
            .collect(),
    }
}

fn compared(
    name: &str,
    figure: Figure,
    [a, b]: [Option<f64>; 2],
    between: Option<[f64; 3]>,
) -> Compared {
    let is_share = figure == Figure::FailedShare;
    let shown = between.map(|ends| if is_share { ends } else { ends.map(f64::exp) });
    let [matters, same] = match is_share {
        true => [SHARE_MATTERS, 5.0 * SHARE_MATTERS],
        false => [MATTERS.ln(), SAME.ln()],
    };
    // Of rates more is better, of all others less.
    let sign = if figure == Figure::Rate { -1.0 } else { 1.0 };
    let verdict = match between.map(|[at, low, high]| [at * sign, low.min(high), low.max(high)]) {
        None => Verdict::Unclear,
        Some([at, low, high]) if low * high > 0.0 && at >= matters => Verdict::Worse,
        Some([at, low, high]) if low * high > 0.0 && at <= -matters => Verdict::Better,
        Some([_, low, high]) if low.abs().max(high.abs()) <= same => Verdict::Same,
        Some(_) => Verdict::Unclear,
    };
    Compared {
        figure: name.to_owned(),
        a,
        b,
        change: shown.map(|s| s[0]),
        low: shown.map(|s| s[1]),
        high: shown.map(|s| s[2]),
        verdict,
    }
}

/// Worse where anything is worse; better where something is better and nothing worse; the same where all is.
fn overall(figures: &[Compared]) -> Verdict {
    let has = |verdict| figures.iter().any(|figure| figure.verdict == verdict);
    match () {
        () if has(Verdict::Worse) => Verdict::Worse,
        () if has(Verdict::Better) => Verdict::Better,
        () if has(Verdict::Unclear) || figures.is_empty() => Verdict::Unclear,
        () => Verdict::Same,
    }
}

fn percentiles(a: &Outcome, b: &Outcome) -> Vec<(String, Option<f64>, Option<f64>)> {
    let (x, y) = (&a.latency, &b.latency);
    let rows = [
        ("p50_ms", x.p50_ms, y.p50_ms),
        ("p90_ms", x.p90_ms, y.p90_ms),
        ("p95_ms", x.p95_ms, y.p95_ms),
        ("p99_ms", x.p99_ms, y.p99_ms),
        ("p999_ms", x.p999_ms, y.p999_ms),
        ("max_ms", x.max_ms, y.max_ms),
        ("mean_ms", x.mean_ms, y.mean_ms),
    ];
    rows.map(|(name, x, y)| (name.to_owned(), x, y)).to_vec()
}

fn settings(a: &Outcome, b: &Outcome) -> Vec<Difference> {
    let target = |run: &Outcome| Some(Value::from(run.target.as_str()));
    let mut names: Vec<&String> = a.settings.keys().chain(b.settings.keys()).collect();
    names.sort();
    names.dedup();
    let differences = names.into_iter().map(|name| Difference {
        name: name.clone(),
        a: a.settings.get(name).cloned(),
        b: b.settings.get(name).cloned(),
    });
    let target = Difference { name: "target".into(), a: target(a), b: target(b) };
    [target]
        .into_iter()
        .chain(differences)
        .filter(|difference| difference.a != difference.b)
        .collect()
}

#[cfg(test)]
mod tests;
