//! How alike two patterns are.

use std::collections::BTreeSet;

use serde::Serialize;

use super::Pattern;

/// The most patterns that are compared with one another: the first ones.
pub const MAX_COMPARED: usize = 1_000;

/// Two patterns that are alike.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Likeness {
    /// Id of the one.
    pub a: String,
    /// Id of the other.
    pub b: String,
    /// How much, up to 1.
    pub likeness: f64,
}

/// How alike two patterns are, from 0 to 1; the same either way round, and 1 for a pattern and itself.
///
/// 0.4 × signals that they have in common, in order (twice the longest common subsequence over the sum
/// of lengths) + 0.2 × words of strategies' names in common + 0.2 × ratio of their mean spans, each an
/// hour longer + 0.2 × instruments in common. In common: shared over all (Jaccard 1901).
#[must_use]
pub fn likeness(a: &Pattern, b: &Pattern) -> f64 {
    let words = |one: &Pattern| -> BTreeSet<String> {
        one.steps.iter().flat_map(|step| step.bare().split('_')).map(str::to_owned).collect()
    };
    let instruments = |one: &Pattern| -> BTreeSet<String> {
        one.symbols.iter().map(ToString::to_string).collect()
    };
    let (short, long) = if a.mean_span_h <= b.mean_span_h {
        (a.mean_span_h, b.mean_span_h)
    } else {
        (b.mean_span_h, a.mean_span_h)
    };
    0.4 * in_order(a, b)
        + 0.2 * shared(&words(a), &words(b))
        + 0.2 * (short + 1.0) / (long + 1.0)
        + 0.2 * shared(&instruments(a), &instruments(b))
}

/// The pairs that are most alike, at least `least`, at most `count`: of the first [`MAX_COMPARED`]
/// patterns.
#[must_use]
pub fn similar(patterns: &[Pattern], (least, count): (f64, usize)) -> Vec<Likeness> {
    let compared = &patterns[..patterns.len().min(MAX_COMPARED)];
    let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
    for (first, a) in compared.iter().enumerate() {
        for (second, b) in compared.iter().enumerate().skip(first + 1) {
            let alike = likeness(a, b);
            if alike >= least {
                pairs.push((alike, first, second));
            }
        }
    }
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let pair = |(likeness, first, second): &(f64, usize, usize)| Likeness {
        a: compared[*first].id.clone(),
        b: compared[*second].id.clone(),
        likeness: *likeness,
    };
    pairs.iter().take(count).map(pair).collect()
}

fn shared(a: &BTreeSet<String>, b: &BTreeSet<String>) -> f64 {
    let all = a.union(b).count();
    if all == 0 { 1.0 } else { a.intersection(b).count() as f64 / all as f64 }
}

fn in_order(a: &Pattern, b: &Pattern) -> f64 {
    let mut row = vec![0usize; b.steps.len() + 1];
    for left in &a.steps {
        let mut diagonal = 0;
        for (place, right) in b.steps.iter().enumerate() {
            let above = row[place + 1];
            row[place + 1] = if left == right { diagonal + 1 } else { above.max(row[place]) };
            diagonal = above;
        }
    }
    2.0 * row[b.steps.len()] as f64 / (a.steps.len() + b.steps.len()).max(1) as f64
}
