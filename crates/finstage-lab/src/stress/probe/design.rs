//! Which pattern of requests tells most of what is still possible: the design of experiments.
//!
//! Every pattern is played through all hypotheses, and what its outcomes would leave is compared. An
//! outcome without a refusal costs only time; one with a refusal must leave little, and the last one
//! nothing.

use super::model::{Asked, Exactness, Grain, Group, Hypothesis, range};
use super::report::Shape;
use crate::rng::Rng;

/// Patterns that are drawn beside the regular ones.
const DRAWN: usize = 60;
/// Groups of a drawn pattern at most, without the last.
const MAX_MARKS: u64 = 6;
/// What going on is worth, of what is left, after no refusal; and a refusal itself.
const GOING_ON: f64 = 0.45;
const REFUSAL: f64 = 0.6;
/// What it is worth to be left in doubt for good.
const DOUBT: f64 = 8.0;
/// What a minute is worth.
const MINUTE: f64 = 0.06;

/// What is known when a pattern is chosen.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    pub(super) hypotheses: &'a [Hypothesis],
    /// Requests that are let in from rest.
    pub(super) limit: u32,
    /// The time from one request to the next, in seconds.
    pub(super) gap: f64,
    pub(super) exact: Exactness,
    /// Refusals that may still be had.
    pub(super) left: u32,
    /// Requests that may still be sent.
    pub(super) requests: u64,
}

/// The best pattern, and how many requests at its front all hypotheses let in; `None` where none
/// helps.
pub(super) fn choose(now: &Situation<'_>, rng: &mut Rng) -> Option<(Vec<Group>, u32)> {
    let classes = classes(now.hypotheses);
    let whole = classes.iter().max().map_or(0.0, |most| f64::from(*most));
    let none = GOING_ON * (1.0 + whole).log2();
    let mut best: Option<(f64, Vec<Group>, u32)> = None;
    for pattern in patterns(now, rng) {
        let groups = lay_out(&pattern, now);
        let total: u64 = groups.iter().map(|group| u64::from(group.count)).sum();
        if total > now.requests {
            continue;
        }
        let asked = Asked { history: &[], groups: &groups };
        let ranges: Vec<(u32, u32)> =
            now.hypotheses.iter().map(|h| range(h, asked, (now.exact, Grain::Coarse))).collect();
        let seconds = groups.last().map_or(0.0, |last| last.at + last.length);
        let loss = loss((now, &classes), &ranges, total as u32);
        if loss > none - 0.02 {
            continue;
        }
        let price = loss + MINUTE * seconds / 60.0;
        if best.as_ref().is_none_or(|(least, ..)| price < *least) {
            let safe = ranges.iter().map(|(low, _)| *low).min().unwrap_or(0);
            best = Some((price, groups, safe));
        }
    }
    best.map(|(_, groups, safe)| (groups, safe))
}

/// A number for each hypothesis, the same for those that say the same.
fn classes(hypotheses: &[Hypothesis]) -> Vec<u8> {
    let mut firsts: Vec<&Hypothesis> = Vec::new();
    let mut number = |h| {
        let place = firsts.iter().position(|first: &&Hypothesis| first.is_like(h));
        place.unwrap_or_else(|| {
            firsts.push(h);
            firsts.len() - 1
        }) as u8
    };
    hypotheses.iter().map(&mut number).collect()
}

/// What is left to find out after a pattern, on average.
fn loss((now, classes): (&Situation<'_>, &[u8]), ranges: &[(u32, u32)], total: u32) -> f64 {
    let all: f64 = now.hypotheses.iter().map(|h| h.weight).sum();
    let mut sum = 0.0;
    for (i, own) in now.hypotheses.iter().enumerate() {
        let (low, high) = ranges[i];
        let ends = [low, high];
        let outcomes = if low == high { &ends[..1] } else { &ends[..] };
        for outcome in outcomes {
            let (mut others, mut same, mut seen) = (0.0, 0.0, 0_u64);
            for (j, other) in now.hypotheses.iter().enumerate() {
                if !(ranges[j].0..=ranges[j].1).contains(outcome) {
                    continue;
                }
                if classes[j] == classes[i] {
                    same += other.weight;
                } else {
                    others += other.weight;
                    seen |= 1 << (classes[j] & 63);
                }
            }
            let left = f64::from(1 + seen.count_ones()).log2();
            let one = match (*outcome < total, now.left) {
                (false, _) => GOING_ON * left,
                (true, 0..=1) => REFUSAL + left + DOUBT * others / (others + same).max(1e-9),
                (true, _) => REFUSAL + left,
            };
            sum += own.weight / all * one / outcomes.len() as f64;
        }
    }
    sum
}

type Pattern = Vec<(f64, u32)>;

/// Patterns that may help: some for each length of window that is possible, and some that are drawn.
fn patterns(now: &Situation<'_>, rng: &mut Rng) -> Vec<Pattern> {
    let limit = now.limit;
    let mut windows: Vec<f64> = Vec::new();
    for h in now.hypotheses.iter().filter(|h| h.shape != Shape::Bucket) {
        if !windows.contains(&h.window) {
            windows.push(h.window);
        }
    }
    let mut all = Vec::new();
    for w in &windows {
        // Used up at the front of a window; then one more, or all of them, a while later.
        for share in [0.55, 0.8, 0.93] {
            all.push(vec![(0.0, limit), (share * w, 1)]);
            all.push(vec![(0.0, limit), (share * w, limit + 1)]);
        }
        all.push(vec![(0.0, limit), (1.08 * w, limit + 1)]);
        // In two parts, and looked at when the first has slid out and the second has not.
        if limit > 1 {
            let half = limit / 2;
            all.push(vec![(0.25 * w, half), (0.5 * w, limit - half), (1.33 * w, half + 1)]);
        }
        // Across the end of a window of the clock.
        all.push(vec![(0.5 * w, limit), (1.1 * w, 1)]);
        all.push(vec![(0.5 * w, limit), (1.1 * w, limit + 1)]);
    }
    let drains = now.hypotheses.iter().filter(|h| h.shape == Shape::Bucket).map(|h| h.window);
    let lengths: Vec<f64> = windows.iter().copied().chain(drains.step_by(12).take(8)).collect();
    if lengths.is_empty() {
        return all;
    }
    for _ in 0..DRAWN {
        let length = lengths[rng.below(lengths.len() as u64) as usize];
        all.push(staircase((length * rng.range(0.6, 2.2), limit), rng));
    }
    all
}

/// Marks at moments that lie closer together towards the end; then as many as can be.
fn staircase((length, limit): (f64, u32), rng: &mut Rng) -> Pattern {
    let marks = 1 + rng.below(MAX_MARKS.min(u64::from(limit)));
    let most = u64::from(limit).max(marks);
    let spent = marks + rng.below(most - marks + 1);
    let mut pattern: Pattern = (0..marks)
        .map(|i| {
            let back = 50_f64.powf(-rng.unit());
            let count = spent * (i + 1) / marks - spent * i / marks;
            (length * (1.0 - back), count as u32)
        })
        .collect();
    pattern.sort_by(|a, b| a.0.total_cmp(&b.0));
    pattern.push((length, limit + 1));
    pattern
}

/// Gives groups the time that they take, in their order, behind the error of the clock.
fn lay_out(pattern: &Pattern, now: &Situation<'_>) -> Vec<Group> {
    let guard = guard(now.exact);
    let mut free = 0.0_f64;
    let mut groups = Vec::with_capacity(pattern.len());
    for (at, count) in pattern.iter().filter(|(_, count)| *count > 0) {
        let at = (at + guard).max(free);
        let length = f64::from(*count) * now.gap;
        groups.push(Group { at, count: *count, length });
        free = at + length * 1.1 + now.exact.delay;
    }
    groups
}

/// How far behind the grid of the server's clock a pattern begins.
pub(super) fn guard(exact: Exactness) -> f64 {
    exact.clock + exact.delay + 0.001
}
