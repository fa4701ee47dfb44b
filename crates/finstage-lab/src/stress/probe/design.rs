//! Which pattern of requests to try next.
//!
//! Windows are taken from the longest down, and each pattern is such that everything shorter lets all of
//! it in: it is refused only where the length, or the shape, is the one it asks about. Admissions cost
//! nothing, so the refusal that comes in the end is the answer.

use super::model::{Exactness, Group, Hypothesis};
use super::report::Shape;

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
}

/// The next pattern; `None` where none tells apart what is left.
pub(super) fn choose(now: &Situation<'_>) -> Option<Vec<Group>> {
    let windows = || now.hypotheses.iter().filter(|h| h.shape != Shape::Bucket);
    let longest = windows().map(|h| h.window).fold(0.0, f64::max);
    let is_left = |shape| windows().any(|h| h.shape == shape && h.window == longest);
    let others = now.hypotheses.iter().any(|h| h.shape == Shape::Bucket || h.window < longest);
    // With two refusals left the length is asked first, and then the shape; with one, all in turn.
    let limit = now.limit;
    let pattern = if now.left > 1 && others {
        again_too_soon(longest, limit)
    } else if is_left(Shape::Sliding) && limit > 1 {
        in_two_parts(longest, limit)
    } else if is_left(Shape::Anchored) && (others || is_left(Shape::Aligned)) {
        across_the_clock(longest, limit)
    } else if others && longest > 0.0 {
        again_too_soon(longest, limit)
    } else {
        return None;
    };
    Some(lay_out(&pattern, now))
}

/// So many are left out where all are used up, so that a bucket that was faster in the first burst does
/// not refuse there.
pub(super) const fn spare(limit: u32) -> u32 {
    limit / 40
}

type Pattern = Vec<(f64, u32)>;

/// Used up, nearly, at the begin of a window, and as much again shortly before its end: refused where windows
/// are that long, and where a bucket has not filled yet; then not at the first.
fn again_too_soon(window: f64, limit: u32) -> Pattern {
    vec![(0.0, limit - spare(limit)), (0.9 * window, limit)]
}

/// Used up in two parts. When the first has slid out and the second has not, one more than the first is
/// refused where requests slide out one by one.
fn in_two_parts(window: f64, limit: u32) -> Pattern {
    let (half, spare) = (limit / 2, spare(limit));
    let rest = limit - half - spare;
    vec![(0.25 * window, half), (0.5 * window, rest), (1.36 * window, half + spare + 1)]
}

/// Used up within a window of the clock; one more after its end is refused where the window began with
/// the first request.
fn across_the_clock(window: f64, limit: u32) -> Pattern {
    let spare = spare(limit);
    vec![(0.13 * window, limit - spare), (1.06 * window, spare + 1)]
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
