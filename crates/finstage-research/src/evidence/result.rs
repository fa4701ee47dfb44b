//! What a run of evidence came to.

use std::cmp::Reverse;

use finstage_model::{Card, CardVerdict, ClaimKind, Horizon, Interval, Timestamp, Trial};
use serde::Serialize;

use super::judge::expiry;
use super::{Chosen, Ledger, Options, Spending};

/// The smallest net edge that the best-observed strategy would have shown at a horizon.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SmallestEdge {
    /// Length of the bars.
    pub interval: Interval,
    /// The horizon.
    pub horizon: Horizon,
    /// As a fraction; `None` where nothing had enough occasions.
    pub edge: Option<f64>,
}

/// Cards for all hypotheses, and what is to be said about them together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Evidence {
    /// By verdict, then q, then p, then as listed.
    pub rows: Vec<Card>,
    /// Everything tried, this run included; a search counts its combinations.
    pub trials_total: u64,
    /// The false discovery rate.
    pub fdr: f64,
    /// Cost as a fraction a side.
    pub cost: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// What it comes to, in a sentence or two.
    pub summary: String,
    /// The smallest edges that could have been seen, by horizon.
    pub smallest_edges: Vec<SmallestEdge>,
    /// Where parameters were chosen on earlier data: which, fold by fold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chosen: Vec<Chosen>,
    /// What the ledger lacks.
    #[serde(skip)]
    pub trials: Vec<Trial>,
}

impl Evidence {
    pub(super) fn new(
        mut rows: Vec<Card>,
        trials: Vec<Trial>,
        ledger: &[Trial],
        options: &Options,
    ) -> Self {
        let order = |value: Option<f64>| value.unwrap_or(f64::INFINITY);
        rows.sort_by(|a, b| {
            let by_q = order(a.q_value).total_cmp(&order(b.q_value));
            let by_p = order(a.p_value).total_cmp(&order(b.p_value));
            Reverse(a.verdict).cmp(&Reverse(b.verdict)).then(by_q).then(by_p)
        });
        let tried = |trials: &[Trial]| trials.iter().map(|trial| trial.count).sum::<u64>();
        let smallest_edges = smallest(&rows);
        Self {
            trials_total: tried(ledger) + tried(&trials),
            fdr: options.fdr,
            cost: options.cost,
            seed: options.seed,
            summary: summary(&rows, &smallest_edges),
            smallest_edges,
            chosen: Vec::new(),
            rows,
            trials,
        }
    }

    /// The same, made at `now`: a card whose bars end later (of a day that is not over, from a file) is issued now.
    #[must_use]
    pub fn made_at(mut self, now: Timestamp) -> Self {
        for card in self.rows.iter_mut().filter(|card| card.issued > now) {
            (card.issued, card.expires) = (now, expiry(now));
            card.proven_at = card.proven_at.map(|_| now);
        }
        self
    }

    /// Ties the cards to the ledger whose last row has this hash, and gives them their ids.
    #[must_use]
    pub fn seal(mut self, head: &str) -> Self {
        for card in &mut self.rows {
            head.clone_into(&mut card.ledger_head);
            card.id = card.content_id();
        }
        self
    }
}

impl<'a> Ledger<'a> {
    /// The ledger of a run on files: with no hypothesis in it, the run is a single look. What was
    /// searched or tried by hand spends nothing; it weighs on the p-value instead.
    #[must_use]
    pub fn of_files(trials: &'a [Trial]) -> Self {
        let spending = if trials.iter().all(|trial| trial.claim.is_none()) {
            Spending::Whole
        } else {
            Spending::Plan
        };
        Self { trials, spending }
    }

    /// The ledger of a run on stored bars, which will be looked at again.
    #[must_use]
    pub const fn of_store(trials: &'a [Trial]) -> Self {
        Self { trials, spending: Spending::Plan }
    }
}

fn smallest(rows: &[Card]) -> Vec<SmallestEdge> {
    let mut all: Vec<SmallestEdge> = Vec::new();
    for card in rows.iter().filter(|card| card.claim == ClaimKind::Direction) {
        let edge = card.mde.filter(|_| card.n_eff >= super::LEAST_EVENTS);
        let known = all
            .iter_mut()
            .find(|known| (known.interval, known.horizon) == (card.interval, card.horizon));
        match known {
            None => {
                all.push(SmallestEdge { interval: card.interval, horizon: card.horizon, edge });
            }
            Some(known) => {
                known.edge = match (known.edge, edge) {
                    (Some(one), Some(other)) => Some(one.min(other)),
                    (one, other) => one.or(other),
                }
            }
        }
    }
    all.sort_by_key(|edge| (edge.interval, edge.horizon));
    all
}

fn summary(rows: &[Card], edges: &[SmallestEdge]) -> String {
    let of = |claim: ClaimKind| rows.iter().filter(move |card| card.claim == claim);
    let proven = |claim| of(claim).filter(|card| card.verdict == CardVerdict::Verified).count();
    let (directions, sizes) = (proven(ClaimKind::Direction), proven(ClaimKind::Size));
    let mut edges: Vec<String> = edges
        .iter()
        .map(|edge| match edge.edge {
            Some(size) => format!("{} {:.2} %", edge.horizon, 100.0 * size),
            None => format!("{} none", edge.horizon),
        })
        .collect();
    if edges.is_empty() {
        edges.push("none".to_owned());
    }
    let seen = format!("here is the smallest edge we could have seen: {}", edges.join(", "));
    let tests = |count: usize| if count == 1 { "test" } else { "tests" };
    let size_tests = of(ClaimKind::Size).count();
    let about_sizes = format!(
        "{sizes} of {size_tests} {} about the size of moves {} proven.",
        tests(size_tests),
        if sizes == 1 { "is" } else { "are" }
    );
    match (directions, sizes) {
        (0, 0) => format!("Nothing in {} {} is proven; {seen}.", rows.len(), tests(rows.len())),
        (0, _) => {
            let count = of(ClaimKind::Direction).count();
            let about = tests(count);
            format!("Nothing in {count} {about} of direction is proven; {seen}. {about_sizes}")
        }
        (_, _) => {
            let count = of(ClaimKind::Direction).count();
            let is = if directions == 1 { "is" } else { "are" };
            let mut text =
                format!("{directions} of {count} {} of direction {is} proven.", tests(count));
            if size_tests > 0 {
                text.push(' ');
                text.push_str(&about_sizes);
            }
            text
        }
    }
}
