//! How far a series can be trusted.
//!
//! Nothing here is repaired: a finding names a moment and what is odd about it, and people decide.
//! The score is for comparing series: 100 less the share of bars that are missing, stale or without
//! volume, and ten bars for each that is impossible, out of order or a spike; see [`Quality::score`].

use finstage_model::{Bar, Timestamp};

use super::gaps::Gaps;

/// Findings of one kind kept one by one; further ones are counted only.
pub const MAX_FINDINGS_KEPT: usize = 100;
/// A return further than this from the median, in median absolute deviations, is an outlier.
pub const OUTLIER_DEVIATIONS: f64 = 10.0;
/// The share of an outlier that the next bar takes back where it is a spike.
const SPIKE: f64 = 0.8;
/// Equal bars in a row that are said.
const RUN: u64 = 3;
/// How many bars one wrong bar counts as.
const WRONG_WEIGHT: f64 = 10.0;
/// Bars without volume are worth so much less.
const NO_VOLUME_WEIGHT: f64 = 0.25;

/// What is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// Prices that no bar can have: a high below a low.
    Impossible,
    /// A bar that is not later than the one before it.
    Disordered,
    /// A move far outside the usual.
    Outlier,
    /// The same bar several times in a row, as of a feed that stood still.
    Stale,
    /// Bars without volume in a row.
    ZeroVolume,
}

impl FindingKind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Impossible, Self::Disordered, Self::Outlier, Self::Stale, Self::ZeroVolume];

    /// Its name in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Impossible => "impossible",
            Self::Disordered => "disordered",
            Self::Outlier => "outlier",
            Self::Stale => "stale",
            Self::ZeroVolume => "zero_volume",
        }
    }
}

/// One odd place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is odd.
    pub kind: FindingKind,
    /// Open time of the (first) bar.
    pub at: Timestamp,
    /// How many bars in a row.
    pub bars: u64,
    /// In words.
    pub words: String,
}

/// How far a series can be trusted, and why not further.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Quality {
    /// Bars looked at.
    pub bars: u64,
    /// Bars missing between the first and the last.
    pub missing: u64,
    /// Bars with impossible prices.
    pub impossible: u64,
    /// Bars not later than the one before.
    pub disordered: u64,
    /// Moves far outside the usual.
    pub outliers: u64,
    /// Outliers that the next bar takes back by more than four fifths: perhaps wrong.
    pub spikes: u64,
    /// Bars equal to the one before.
    pub stale: u64,
    /// Bars without volume.
    pub zero_volume: u64,
    /// Whether any bar has volume; a source without is not blamed for it.
    pub has_volume: bool,
    /// The share of bars that open exactly where the one before closed, 0 to 1: near 1 in quiet
    /// markets around the clock and in made-up data.
    pub open_is_previous_close: f64,
    /// The odd places, oldest first within their kind.
    pub findings: Vec<Finding>,
}

impl Quality {
    /// 0 to 100. Of each bar missing or stale its share is taken off, of each without volume a
    /// quarter of it, of each that is impossible, out of order or a spike ten times its share.
    #[must_use]
    pub fn score(&self) -> f64 {
        let all = self.bars + self.missing;
        if all == 0 {
            return 0.0;
        }
        let absent = (self.missing + self.stale) as f64;
        let silent = if self.has_volume { self.zero_volume as f64 } else { 0.0 };
        let wrong = (self.impossible + self.disordered + self.spikes) as f64;
        let off = absent + NO_VOLUME_WEIGHT * silent + WRONG_WEIGHT * wrong;
        (100.0 * (1.0 - off / all as f64)).max(0.0)
    }
}

/// Judges a series; `gaps` are its own.
#[must_use]
pub fn quality(bars: &[Bar], gaps: &Gaps) -> Quality {
    let mut quality = Quality {
        bars: bars.len() as u64,
        missing: gaps.missing,
        has_volume: bars.iter().any(|bar| bar.volume.nanos() > 0),
        ..Quality::default()
    };
    let mut list = Findings::default();
    for bar in bars {
        if let Some(fault) = bar.fault() {
            quality.impossible += 1;
            list.add(FindingKind::Impossible, bar.open_time, 1, || fault.to_string());
        }
    }
    for pair in bars.windows(2).filter(|pair| pair[1].open_time <= pair[0].open_time) {
        quality.disordered += 1;
        let words = || format!("it comes after the bar of {}", pair[0].open_time);
        list.add(FindingKind::Disordered, pair[1].open_time, 1, words);
    }
    let joined = bars.windows(2).filter(|pair| pair[1].open == pair[0].close).count();
    if bars.len() > 1 {
        quality.open_is_previous_close = joined as f64 / (bars.len() - 1) as f64;
    }
    outliers(bars, &mut quality, &mut list);
    let is_stale = |place: usize| place > 0 && repeats(&bars[place - 1], &bars[place]);
    quality.stale = runs(bars, is_stale, |at, run| {
        let words = || format!("{run} bars are equal to the one before");
        list.add(FindingKind::Stale, at, run, words);
    });
    let is_silent = |place: usize| bars[place].volume.nanos() == 0;
    quality.zero_volume = runs(bars, is_silent, |at, run| {
        if quality.has_volume {
            list.add(FindingKind::ZeroVolume, at, run, || format!("{run} bars without volume"));
        }
    });
    quality.findings = list.0;
    quality.findings.sort_by_key(|finding| finding.kind);
    quality
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, kind: FindingKind, at: Timestamp, bars: u64, words: impl Fn() -> String) {
        if self.0.iter().filter(|finding| finding.kind == kind).count() < MAX_FINDINGS_KEPT {
            self.0.push(Finding { kind, at, bars, words: words() });
        }
    }
}

/// Whether a bar says nothing new though something was traded.
fn repeats(last: &Bar, bar: &Bar) -> bool {
    let moved = bar.high > bar.low || bar.volume.nanos() > 0;
    moved && bar.same_prices(&Bar { open_time: bar.open_time, ..*last })
}

/// Counts the bars that are so, and says the runs of them that are long enough.
fn runs(bars: &[Bar], is_so: impl Fn(usize) -> bool, mut say: impl FnMut(Timestamp, u64)) -> u64 {
    let (mut all, mut begin) = (0, 0);
    for place in 0..=bars.len() {
        if place < bars.len() && is_so(place) {
            all += 1;
            continue;
        }
        let run = (place - begin) as u64;
        if run >= RUN {
            say(bars[begin].open_time, run);
        }
        begin = place + 1;
    }
    all
}

fn outliers(bars: &[Bar], quality: &mut Quality, list: &mut Findings) {
    let log = |bar: &Bar| bar.close.to_f64().ln();
    let returns: Vec<f64> = bars.windows(2).map(|pair| log(&pair[1]) - log(&pair[0])).collect();
    // Where most bars do not move, those that do tell what is usual.
    let mut moves: Vec<f64> =
        returns.iter().copied().filter(|r| r.is_finite() && r.abs() > 0.0).collect();
    let usual = median(&mut moves);
    let mut deviations: Vec<f64> = moves.iter().map(|r| (r - usual).abs()).collect();
    let limit = OUTLIER_DEVIATIONS * median(&mut deviations);
    if limit <= 0.0 {
        return;
    }
    for (place, &r) in returns.iter().enumerate() {
        if !r.is_finite() || (r - usual).abs() <= limit {
            continue;
        }
        quality.outliers += 1;
        let taken_back = returns.get(place + 1).is_some_and(|next| next / r < -SPIKE);
        quality.spikes += u64::from(taken_back);
        let words = || {
            let percent = 100.0 * r.exp_m1();
            let after = if taken_back { ", taken back by the next bar" } else { "" };
            format!("a move of {percent:+.2} % from close to close{after}")
        };
        list.add(FindingKind::Outlier, bars[place + 1].open_time, 1, words);
    }
}

/// The middle value, the lower of two; 0 of none.
fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = (values.len() - 1) / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use finstage_model::{InstrumentId, Interval, text};

    use super::super::gaps::{Schedule, gaps};
    use super::*;

    fn judged(rows: &str) -> Quality {
        let table = format!("1d file:x open high low close volume\n{rows}");
        let bars = text::read_bars(&table, InstrumentId(0)).unwrap().bars;
        quality(&bars, &gaps(&bars, Interval::D1, Schedule::Always))
    }

    /// Days of January 2024 that rise and fall by one from 100.
    fn calm(days: std::ops::RangeInclusive<u32>) -> String {
        days.map(|day| {
            let close = 100 + day % 2;
            format!("2024-01-{day:02} 100 102 99 {close} {}\n", day + 5)
        })
        .collect()
    }

    fn kinds(quality: &Quality) -> Vec<(FindingKind, u64)> {
        quality.findings.iter().map(|finding| (finding.kind, finding.bars)).collect()
    }

    #[test]
    fn a_clean_series_has_full_marks() {
        let quality = judged(&calm(1..=20));
        assert_eq!(quality.findings, []);
        assert!((quality.score() - 100.0).abs() < 1e-9);
        assert!((quality.open_is_previous_close - 9.0 / 19.0).abs() < 1e-12);
    }

    #[test]
    fn a_spike_is_found_and_weighs_ten_bars() {
        let rows = calm(1..=9) + "2024-01-10 100 900 99 900 5\n" + &calm(11..=20);
        let quality = judged(&rows);
        assert_eq!((quality.outliers, quality.spikes), (2, 1));
        assert!(quality.findings[0].words.ends_with("taken back by the next bar"));
        assert!((quality.score() - 50.0).abs() < 1e-9, "{}", quality.score());
    }

    #[test]
    fn a_feed_that_stood_still_is_found() {
        let still = "2024-01-06 100 102 99 101 7\n2024-01-07 100 102 99 101 7
            2024-01-08 100 102 99 101 7\n2024-01-09 100 102 99 101 7\n";
        let quality = judged(&(calm(1..=5) + still + &calm(10..=20)));
        assert_eq!(kinds(&quality), [(FindingKind::Stale, 3)]);
        assert_eq!(quality.stale, 3);
        assert!((quality.score() - 85.0).abs() < 1e-9);
    }

    #[test]
    fn bars_without_volume_count_a_quarter_unless_the_source_has_none() {
        let silent = "2024-01-06 100 100 100 100 0\n2024-01-07 100 100 100 100 0
            2024-01-08 100 100 100 100 0\n2024-01-09 100 100 100 100 0\n";
        let quality = judged(&(calm(1..=5) + silent + &calm(10..=20)));
        assert_eq!(kinds(&quality), [(FindingKind::ZeroVolume, 4)]);
        assert!((quality.score() - 95.0).abs() < 1e-9);
        let without = judged(silent);
        assert_eq!(
            (without.findings.len(), without.has_volume, without.zero_volume),
            (0, false, 4)
        );
    }

    #[test]
    fn what_no_bar_can_be_is_found() {
        let rows = calm(1..=3) + "2024-01-04 100 98 99 100 5\n" + &calm(5..=20);
        let quality = judged(&rows);
        assert_eq!(kinds(&quality), [(FindingKind::Impossible, 1)]);
        let rows = calm(1..=20) + &calm(20..=20);
        let quality = judged(&rows);
        assert_eq!(quality.disordered, 1);
        assert_eq!(quality.findings[0].kind, FindingKind::Disordered);
        assert!(super::quality(&[], &gaps(&[], Interval::D1, Schedule::Always)).score() < 1.0);
    }
}
