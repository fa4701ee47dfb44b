//! What of an evidence card travels: to the engine, which rules by it, and with an alert, which
//! must be readable without asking anybody.

use serde::{Deserialize, Serialize};

use crate::{
    Card, CardId, CardVerdict, ClaimKind, Direction, Horizon, Interval, Objection, Symbol,
    Timestamp,
};

/// The figures of a card that people are told. Returns and edges are fractions over the horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The card.
    pub card: CardId,
    /// How long after the entry.
    pub horizon: Horizon,
    /// Events.
    pub n: u64,
    /// Events that do not overlap.
    pub n_eff: u64,
    /// Share of events that went as claimed.
    pub hit_rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub hit_low: Option<f64>,
    /// Upper end.
    pub hit_high: Option<f64>,
    /// The same share of any bar.
    pub base_rate: Option<f64>,
    /// Mean return in the declared direction, after costs.
    pub mean_net: Option<f64>,
    /// Excess over random entry, after costs.
    pub theta_net: Option<f64>,
    /// Lower end of its 95 % interval.
    pub net_low: Option<f64>,
    /// Upper end.
    pub net_high: Option<f64>,
    /// q, corrected for everything tried.
    pub q_value: Option<f64>,
    /// How many hypotheses that was.
    pub family: u64,
    /// The end of the data that the card knows.
    pub issued: Timestamp,
    /// From then on it proves nothing.
    pub expires: Timestamp,
    /// For a claim about the size of moves: their mean size over the usual one. Means and edges are
    /// then about |r − b|, free of costs, and a hit is a move above the mean size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times_usual: Option<f64>,
}

/// A card as the engine needs it: the evidence for one claim about a strategy at one horizon.
#[derive(Debug, Clone, PartialEq)]
pub struct CardNotice {
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// What is claimed.
    pub claim: ClaimKind,
    /// Length of the bars.
    pub interval: Interval,
    /// The instruments it is about, sorted.
    pub members: Vec<Symbol>,
    /// The declared direction.
    pub direction: Direction,
    /// What it amounts to.
    pub verdict: CardVerdict,
    /// The first thing that speaks against it; `None` when verified.
    pub reason: Option<Objection>,
    /// Its figures.
    pub proof: Proof,
}

impl Proof {
    /// The figures of `card`.
    #[must_use]
    pub fn of(card: &Card) -> Self {
        Self {
            card: card.id,
            horizon: card.horizon,
            n: card.n as u64,
            n_eff: card.n_eff as u64,
            hit_rate: card.hit_rate,
            hit_low: card.hit_low,
            hit_high: card.hit_high,
            base_rate: card.base_rate,
            mean_net: card.mean_return.map(|mean| mean - 2.0 * card.cost),
            theta_net: card.theta_net,
            net_low: card.net_low,
            net_high: card.net_high,
            q_value: card.q_value,
            family: card.family as u64,
            issued: card.issued,
            expires: card.expires,
            times_usual: card.times_usual,
        }
    }
}

impl CardNotice {
    /// What the engine needs of `card`.
    #[must_use]
    pub fn of(card: &Card) -> Self {
        let mut members: Vec<Symbol> = card.members.iter().map(|m| m.symbol.clone()).collect();
        members.sort();
        Self {
            strategy: card.strategy.clone(),
            claim: card.claim,
            interval: card.interval,
            members,
            direction: card.direction,
            verdict: card.verdict,
            reason: card.reasons.first().copied(),
            proof: Proof::of(card),
        }
    }

    /// Whether both are about the same hypothesis, so that the newer one counts.
    #[must_use]
    pub fn is_about_the_same(&self, other: &Self) -> bool {
        let key = |one: &Self| (one.claim, one.interval, one.direction, one.proof.horizon);
        key(self) == key(other) && self.strategy == other.strategy && self.members == other.members
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_what_its_card_says() {
        let card: Card = serde_json::from_str(include_str!("card/golden.json")).unwrap();
        let notice = CardNotice::of(&card);
        assert_eq!((notice.verdict, notice.reason), (card.verdict, card.reasons.first().copied()));
        let proof = &notice.proof;
        assert_eq!((proof.card, proof.n_eff, proof.horizon), (card.id, 32, card.horizon));
        assert_eq!(proof.mean_net, Some(card.mean_return.unwrap() - 2.0 * card.cost));
        let json = serde_json::to_string(proof).unwrap();
        assert_eq!(serde_json::from_str::<Proof>(&json).unwrap(), *proof);
        assert!(!json.contains("times_usual"), "a direction has no size: {json}");
        let size = Card { claim: ClaimKind::Size, times_usual: Some(1.4), ..card };
        let other = CardNotice::of(&size);
        assert_eq!((other.claim, other.proof.times_usual), (ClaimKind::Size, Some(1.4)));
        assert!(!other.is_about_the_same(&notice), "a size proves no direction");
    }

    #[test]
    fn the_newer_card_of_a_hypothesis_is_about_the_same() {
        let card: Card = serde_json::from_str(include_str!("card/golden.json")).unwrap();
        let one = CardNotice::of(&card);
        let newer = Card { id: CardId(7), verdict: CardVerdict::Verified, ..card.clone() };
        assert!(one.is_about_the_same(&CardNotice::of(&newer)));
        let longer = Card { horizon: "1mo".parse().unwrap(), ..card };
        assert!(!one.is_about_the_same(&CardNotice::of(&longer)));
    }
}
