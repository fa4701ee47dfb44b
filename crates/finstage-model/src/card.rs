//! Evidence cards: what past data says about a strategy, in figures and in words.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{CardId, Direction, Horizon, IdHasher, Interval, Symbol, Timestamp, Trial};

/// What is claimed about the bars after a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimKind {
    /// The price moves the declared way, more than it usually does.
    Direction,
    /// The price moves farther than usual, no matter which way.
    Size,
}

impl ClaimKind {
    /// All claims.
    pub const ALL: [Self; 2] = [Self::Direction, Self::Size];

    /// The text form: `direction` or `size`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Direction => "direction",
            Self::Size => "size",
        }
    }
}

impl fmt::Display for ClaimKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for ClaimKind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|claim| claim.as_str() == text).ok_or("write direction or size")
    }
}

/// What a card says, from the worst to the best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardVerdict {
    /// Evidence speaks against it.
    Rejected,
    /// Nothing proves it, nothing refutes it.
    Unproven,
    /// Proven on past data.
    Verified,
}

impl CardVerdict {
    /// All verdicts, from the worst to the best.
    pub const ALL: [Self; 3] = [Self::Rejected, Self::Unproven, Self::Verified];

    /// The text form: `verified`, `unproven` or `rejected`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Unproven => "unproven",
            Self::Verified => "verified",
        }
    }
}

impl fmt::Display for CardVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for CardVerdict {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|verdict| verdict.as_str() == text);
        found.ok_or("write verified, unproven or rejected")
    }
}

/// How a strategy that is not verified falls short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// Better than usual so far; luck explains it.
    Promising,
    /// An edge worth the cost is ruled out.
    NoEdgeSeen,
    /// Too few occasions to see an edge.
    TooLittleData,
    /// No sign of an edge; none ruled out.
    Inconclusive,
    /// Trading it loses money after costs.
    CostExceedsEdge,
    /// The price moved the other way more often than chance.
    WrongDirection,
}

impl Grade {
    /// The text form, in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promising => "promising",
            Self::NoEdgeSeen => "no_edge_seen",
            Self::TooLittleData => "too_little_data",
            Self::Inconclusive => "inconclusive",
            Self::CostExceedsEdge => "cost_exceeds_edge",
            Self::WrongDirection => "wrong_direction",
        }
    }
}

/// What stands between a hypothesis and `verified`. Text and JSON form in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objection {
    /// Fewer than 30 events.
    FewEvents,
    /// Fewer than 30 separate occasions.
    FewClusters,
    /// Among so many tests, luck explains it.
    QAbove,
    /// This is no look at which it could be promoted, or the look allows less.
    ThresholdOfLook,
    /// The interval of the net edge reaches 0.
    IntervalIncludesZero,
    /// The price did not move the claimed way by itself, after costs.
    AbsoluteReturnNegative,
    /// Nothing is left of it in the last third.
    Faded,
    /// Nothing is left of it against bars of the same volatility.
    ExplainedByVolatility,
    /// It comes from a search whose best result is not better than luck's.
    SweptDsr,
    /// The data under it has holes.
    Data,
    /// Signals change when later bars are known.
    Repaint,
    /// Costs eat the edge.
    CostExceedsEdge,
    /// The price moved the other way.
    WrongDirection,
    /// The card is older than 90 days.
    Expired,
    /// Live outcomes no longer look like the card.
    Drift,
}

impl Objection {
    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FewEvents => "few_events",
            Self::FewClusters => "few_clusters",
            Self::QAbove => "q_above",
            Self::ThresholdOfLook => "threshold_of_look",
            Self::IntervalIncludesZero => "interval_includes_zero",
            Self::AbsoluteReturnNegative => "absolute_return_negative",
            Self::Faded => "faded",
            Self::ExplainedByVolatility => "explained_by_volatility",
            Self::SweptDsr => "swept_dsr",
            Self::Data => "data",
            Self::Repaint => "repaint",
            Self::CostExceedsEdge => "cost_exceeds_edge",
            Self::WrongDirection => "wrong_direction",
            Self::Expired => "expired",
            Self::Drift => "drift",
        }
    }

    /// A half sentence for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::FewEvents => "fewer than 30 events",
            Self::FewClusters => "fewer than 30 separate occasions",
            Self::QAbove => "with so many ideas tested, luck explains it",
            Self::ThresholdOfLook => {
                "it would pass, but this is no look at which it may be promoted"
            }
            Self::IntervalIncludesZero => "the net edge may be nothing",
            Self::AbsoluteReturnNegative => {
                "the price did not move that way by itself, after costs"
            }
            Self::Faded => "nothing is left of it in the last third of the time",
            Self::ExplainedByVolatility => "volatility explains it",
            Self::SweptDsr => "it is the best of a search, and luck makes as good a best",
            Self::Data => "the data under it has holes",
            Self::Repaint => "signals change when later bars are known",
            Self::CostExceedsEdge => "costs exceed the edge",
            Self::WrongDirection => "the price moved the other way",
            Self::Expired => "the evidence is older than 90 days",
            Self::Drift => "live outcomes no longer look like the evidence",
        }
    }
}

/// Which rows count as out of sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutOfSample {
    /// All: the parameters are conventional. Others chose them with hindsight.
    Fixed,
    /// The test folds of a search.
    WalkForward,
    /// Events after a card was issued.
    Live,
}

/// An instrument of a scope and what it contributed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMember {
    /// The instrument.
    pub symbol: Symbol,
    /// Its events.
    pub n: usize,
}

/// The news that a strategy had to hear on the bars of a card; no bar before the first document counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardNews {
    /// Documents about its instruments, counted for each of them.
    pub documents: usize,
    /// When the first was known; `None` where there is none.
    pub from: Option<Timestamp>,
    /// When the last was known.
    pub to: Option<Timestamp>,
}

impl CardNews {
    /// The same for people.
    #[must_use]
    pub fn words(&self) -> String {
        match (self.from, self.to) {
            (Some(from), Some(to)) => {
                let documents = if self.documents == 1 { "document" } else { "documents" };
                format!("{} {documents}, known from {} to {}", self.documents, from.day(), to.day())
            }
            _ => "0 documents: the news filter never spoke".to_owned(),
        }
    }
}

/// The evidence for one hypothesis: strategy with parameters × scope × horizon × claim.
///
/// Returns, edges and intervals are fractions (0.01 is 1 %) over the horizon; what has no value is
/// `None`. For [`ClaimKind::Size`] they are about |r − b| and free of costs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Hash of everything below.
    pub id: CardId,
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// Name of the group of instruments.
    pub scope: String,
    /// Length of its bars.
    pub interval: Interval,
    /// How long after the entry.
    pub horizon: Horizon,
    /// What is claimed.
    pub claim: ClaimKind,
    /// The declared direction.
    pub direction: Direction,
    /// The instruments with their events.
    pub members: Vec<CardMember>,
    /// First moment with an eligible bar; `None` without one.
    pub from: Option<Timestamp>,
    /// Last moment with an eligible bar.
    pub to: Option<Timestamp>,
    /// Events.
    pub n: usize,
    /// Events that do not overlap, over the whole scope.
    pub n_eff: usize,
    /// Bars before the first eligible one.
    pub warmup_bars: usize,
    /// The horizon in bars.
    pub horizon_bars: usize,
    /// Mean block of the bootstrap, in dates.
    pub mean_block: f64,
    /// Block length by Politis and White (2004, 2009); a diagnostic.
    pub automatic_block: Option<f64>,
    /// Cost as a fraction a side.
    pub cost: f64,
    /// Bootstrap draws made.
    pub draws: u64,
    /// Their seed.
    pub seed: u64,
    /// Mean of d·r over events, before cost.
    pub mean_return: Option<f64>,
    /// Mean of d·r over eligible bars.
    pub base_return: Option<f64>,
    /// Excess over random entry, before cost.
    pub theta: Option<f64>,
    /// Excess after cost.
    pub theta_net: Option<f64>,
    /// Lower end of its 95 % interval.
    pub net_low: Option<f64>,
    /// Upper end.
    pub net_high: Option<f64>,
    /// Standard error.
    pub se: Option<f64>,
    /// Smallest edge that would have been found with a chance of 80 %; `None` with fewer than 30 occasions, which
    /// verify none.
    pub mde: Option<f64>,
    /// The excess before cost to expect, given how the library did.
    pub shrunken: Option<f64>,
    /// Share of events that went as claimed.
    pub hit_rate: Option<f64>,
    /// Lower end of its 95 % interval.
    pub hit_low: Option<f64>,
    /// Upper end.
    pub hit_high: Option<f64>,
    /// The same share of eligible bars.
    pub base_rate: Option<f64>,
    /// Mean size of the move over the usual one; for `size`.
    pub times_usual: Option<f64>,
    /// p by the bootstrap.
    pub p_boot: Option<f64>,
    /// p by Student's distribution.
    pub p_t: Option<f64>,
    /// The larger of both, for the best of all parameters tried where there was a search.
    pub p_value: Option<f64>,
    /// Benjamini–Hochberg over the family. `None` outside it (n_eff < 30).
    pub q_value: Option<f64>,
    /// Benjamini–Yekutieli, for any dependence.
    pub q_by: Option<f64>,
    /// Hypotheses in the family.
    pub family: usize,
    /// The number of this look; 0 when it is none.
    pub look: u32,
    /// What q may be at this look.
    pub threshold: f64,
    /// Which rows count.
    pub oos_kind: OutOfSample,
    /// Parameter sets of this idea that a search has tried on these data; at least 1.
    pub parameter_sets: u64,
    /// How many independent ones they are worth.
    pub k_eff: f64,
    /// Probabilistic Sharpe ratio against 0.
    pub psr: Option<f64>,
    /// Deflated Sharpe ratio.
    pub dsr: Option<f64>,
    /// Probability of backtest overfitting, where a search computed it.
    pub pbo: Option<f64>,
    /// θ over the last third of dates.
    pub theta_last_third: Option<f64>,
    /// θ against bars of the same volatility.
    pub theta_volatility_matched: Option<f64>,
    /// Standard deviation of one occasion, the unit in which drift is watched.
    pub occasion_deviation: Option<f64>,
    /// Share of bars left out because data is missing in their window.
    pub missing_share: f64,
    /// Years in which opens repeat the close before and closes were used instead.
    pub years_at_close: Vec<i32>,
    /// What it amounts to.
    pub verdict: CardVerdict,
    /// How it falls short; `None` when verified.
    pub grade: Option<Grade>,
    /// Every gate that does not hold.
    pub reasons: Vec<Objection>,
    /// The same for people.
    pub words: String,
    /// Hash of the bars.
    pub data_hash: String,
    /// Which finstage made it.
    pub code_version: String,
    /// Hash of the last row of the trial ledger when it was made.
    pub ledger_head: String,
    /// When the market was done with the last bar, which is the end of its session where there are any: from then
    /// on what it says could be known. Never after it was made.
    pub issued: Timestamp,
    /// 90 days later.
    pub expires: Timestamp,
    /// When the hypothesis was verified first, which a renewal hands on: its live outcomes count from
    /// then on. `None` and not in the JSON unless verified, and on cards that are older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Timestamp>,
    /// What a strategy that hears news had to hear. `None` and not in the JSON for all others, and on cards
    /// that are older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<CardNews>,
}

impl Card {
    /// The hash that names its hypothesis, the same as that of its [`Trial`].
    #[must_use]
    pub fn hypothesis(&self) -> String {
        let members: Vec<&str> = self.members.iter().map(|one| one.symbol.as_str()).collect();
        let asked = format!("{} {}", self.horizon, self.claim);
        Trial::hypothesis_of(&self.strategy, &members.join(","), self.interval, &asked)
    }

    /// Since when live outcomes are compared with it; `None` unless verified.
    #[must_use]
    pub fn watched_since(&self) -> Option<Timestamp> {
        let is_verified = self.verdict == CardVerdict::Verified;
        is_verified.then(|| self.proven_at.unwrap_or(self.issued))
    }

    /// The id that follows from the content: a hash of its JSON form without the id.
    #[must_use]
    pub fn content_id(&self) -> CardId {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(map) = value.as_object_mut() {
            map.remove("id");
        }
        CardId(IdHasher::new().text(&value.to_string()).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names and forms are relied on by scripts and stored cards: a change here is one for the
    /// changelog.
    const GOLDEN: &str = include_str!("card/golden.json");

    #[test]
    fn a_card_has_the_golden_names_and_reads_what_it_writes() {
        let card: Card = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(serde_json::to_string_pretty(&card).unwrap() + "\n", GOLDEN);
    }

    #[test]
    fn the_id_follows_from_everything_else() {
        let card: Card = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!(card.content_id(), card.id);
        let other = Card { id: CardId(0), ..card.clone() };
        assert_eq!(other.content_id(), card.id);
        let changed = Card { n: card.n + 1, ..card.clone() };
        assert_ne!(changed.content_id(), card.id);
    }

    #[test]
    fn a_verified_card_is_watched_from_its_first_proof_on() {
        let card: Card = serde_json::from_str(GOLDEN).unwrap();
        assert_eq!((card.proven_at, card.watched_since()), (None, None));
        let verified = Card { verdict: CardVerdict::Verified, ..card };
        assert_eq!(verified.watched_since(), Some(verified.issued), "a card without the field");
        let renewed = Card { proven_at: Some(Timestamp::EPOCH), ..verified };
        assert_eq!(renewed.watched_since(), Some(Timestamp::EPOCH));
        let json = serde_json::to_string(&renewed).unwrap();
        assert_eq!(serde_json::from_str::<Card>(&json).unwrap(), renewed);
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for claim in ClaimKind::ALL {
            assert_eq!(claim.to_string().parse(), Ok(claim));
        }
        for verdict in CardVerdict::ALL {
            assert_eq!(verdict.to_string().parse(), Ok(verdict));
        }
        assert!(CardVerdict::Verified > CardVerdict::Unproven);
        let json = serde_json::to_string(&Objection::IntervalIncludesZero).unwrap();
        assert_eq!(json, format!("\"{}\"", Objection::IntervalIncludesZero.as_str()));
    }
}
