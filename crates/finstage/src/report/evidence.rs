//! What is proven, and what is about to expire.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finstage_model::{
    Card, CardVerdict, ClaimKind, Horizon, Interval, Objection, Reason, Timestamp,
};
use finstage_research::evidence::{LEAST_EVENTS, SmallestEdge};
use finstage_store::Error;
use finstage_store::records::{Records, SignalRow};

use super::{ClaimCount, Evidence, Expiring, MAX_ROWS};

const SOON: Duration = Duration::from_secs(7 * 86_400);

/// The cards that are in force at `at`.
pub(super) fn in_force(records: &Records, at: Timestamp) -> Result<Vec<Card>, Error> {
    let cards = records.cards_since(0)?.into_iter().map(|row| row.card);
    Ok(cards.filter(|card| card.expires > at).collect())
}

pub(super) fn evidence(cards: &[Card], signals: &[SignalRow], at: Timestamp) -> Evidence {
    let count = |claim| {
        let of = |verdict| {
            cards.iter().filter(|card| (card.claim, card.verdict) == (claim, verdict)).count()
        };
        ClaimCount {
            claim,
            verified: of(CardVerdict::Verified),
            unproven: of(CardVerdict::Unproven),
            rejected: of(CardVerdict::Rejected),
        }
    };
    let mut expiring: Vec<&Card> =
        cards.iter().filter(|card| card.expires <= at.plus(SOON)).collect();
    // Those that prove something first.
    expiring.sort_by(|a, b| {
        let key = |card: &Card| (std::cmp::Reverse(card.verdict), card.expires, card.horizon);
        key(a).cmp(&key(b)).then_with(|| a.strategy.cmp(&b.strategy)).then(a.id.cmp(&b.id))
    });
    let drifted = |card: &&Card| card.reasons.contains(&Objection::Drift);
    let of_cards = cards.iter().filter(drifted).map(|card| card.strategy.clone());
    let silent = |row: &&SignalRow| {
        row.ruling.and_then(|r| r.reason()) == Some(Reason::Card(Objection::Drift))
    };
    let of_signals = signals.iter().filter(silent).map(|row| row.strategy.clone());
    let muted: BTreeSet<String> = of_cards.chain(of_signals).collect();
    let claims = ClaimKind::ALL.map(count).into_iter().filter(|count| count.total() > 0);
    Evidence {
        cards: cards.len(),
        by_claim: claims.collect(),
        smallest_edges: smallest(cards),
        expiring_total: expiring.len(),
        expiring: expiring.into_iter().take(MAX_ROWS).map(soon).collect(),
        muted: muted.into_iter().take(MAX_ROWS).collect(),
    }
}

fn soon(card: &Card) -> Expiring {
    Expiring {
        card: card.id,
        strategy: card.strategy.clone(),
        horizon: card.horizon,
        scope: card.scope.clone(),
        verdict: card.verdict,
        expires: card.expires,
    }
}

/// Of every horizon the smallest edge that the best-observed strategy would have shown.
fn smallest(cards: &[Card]) -> Vec<SmallestEdge> {
    let mut all: BTreeMap<(Interval, Horizon), Option<f64>> = BTreeMap::new();
    for card in cards.iter().filter(|card| card.claim == ClaimKind::Direction) {
        let edge = card.mde.filter(|_| card.n_eff >= LEAST_EVENTS);
        let known = all.entry((card.interval, card.horizon)).or_default();
        *known = match (*known, edge) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
    let edge = |((interval, horizon), edge)| SmallestEdge { interval, horizon, edge };
    all.into_iter().map(edge).collect()
}
