use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    CardId, IdHasher, InstrumentId, Interval, Objection, Price, SignalId, Symbol, Timestamp,
};

/// Which configured strategy, as a dense number: the place in the engine settings of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StrategyId(pub u16);

/// The way a strategy expects the price to go. A statement about prices, not advice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Up; people read "bullish".
    Long,
    /// Down; people read "bearish".
    Short,
}

impl Direction {
    /// The JSON and CSV form: `long` or `short`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Short => "short",
        }
    }

    /// +1 or −1.
    #[must_use]
    pub const fn sign(self) -> f64 {
        match self {
            Self::Long => 1.0,
            Self::Short => -1.0,
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A named number that a signal rests on: `("rsi", 71.3)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fact {
    /// What it is.
    pub name: FactName,
    /// Its value on the bar of the signal.
    pub value: f64,
}

/// The name of a fact. It is kept in place: names of a user's own making cost no allocation either.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct FactName {
    length: u8,
    bytes: [u8; Self::MAX],
}

impl FactName {
    /// The longest name, in bytes.
    pub const MAX: usize = 31;

    /// The name, cut where it is longer than [`FactName::MAX`].
    #[must_use]
    pub fn new(name: &str) -> Self {
        let mut end = name.len().min(Self::MAX);
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        let mut bytes = [0; Self::MAX];
        bytes[..end].copy_from_slice(&name.as_bytes()[..end]);
        Self { length: end as u8, bytes }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = &self.bytes[..usize::from(self.length)];
        std::str::from_utf8(text).expect("invariant: it is cut between characters")
    }
}

impl PartialEq<str> for FactName {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for FactName {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Debug for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for FactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for FactName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// The numbers that a signal rests on, at most [`Facts::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Facts {
    facts: [Option<Fact>; Self::MAX],
}

impl Facts {
    /// How many facts a signal can carry.
    pub const MAX: usize = 4;

    /// Facts from pairs of name and value; those beyond [`Facts::MAX`] are dropped.
    #[must_use]
    pub fn new(pairs: &[(&str, f64)]) -> Self {
        Self::from_iter(
            pairs.iter().map(|&(name, value)| Fact { name: FactName::new(name), value }),
        )
    }

    /// The facts in the order given.
    pub fn iter(&self) -> impl Iterator<Item = Fact> + '_ {
        self.facts.iter().flatten().copied()
    }
}

impl FromIterator<Fact> for Facts {
    /// Those beyond [`Facts::MAX`] are dropped.
    fn from_iter<I: IntoIterator<Item = Fact>>(named: I) -> Self {
        let mut facts = [None; Self::MAX];
        for (slot, fact) in facts.iter_mut().zip(named) {
            *slot = Some(fact);
        }
        Self { facts }
    }
}

/// A strategy's statement on one closed bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Signal {
    /// Its identity; the same in every run over the same bars.
    pub id: SignalId,
    /// About what.
    pub instrument: InstrumentId,
    /// On bars of which length.
    pub interval: Interval,
    /// Which strategy said it.
    pub strategy: StrategyId,
    /// Where it expects the price to go.
    pub direction: Direction,
    /// Open time of the bar it was said on.
    pub open_time: Timestamp,
    /// When it could be known: the close time of that bar.
    pub at: Timestamp,
    /// The close of that bar.
    pub price: Price,
    /// How far the condition was exceeded, in the strategy's own unit; documented there.
    pub strength: f64,
    /// The numbers it rests on.
    pub facts: Facts,
}

impl SignalId {
    /// The id of the signal that `strategy` (canonical text with parameters) gives on the bar of
    /// `symbol` and `interval` that opens at `open_time`.
    #[must_use]
    pub fn of(
        strategy: &str,
        symbol: &Symbol,
        interval: Interval,
        open_time: Timestamp,
        direction: Direction,
    ) -> Self {
        let hash = IdHasher::new()
            .text(strategy)
            .text(symbol.as_str())
            .text(interval.as_str())
            .number(open_time.nanos())
            .text(direction.as_str());
        Self(hash.finish())
    }
}

/// Why a ruling is what it is. Text and JSON form in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// No evidence card exists for this strategy, scope and horizon: it was not measured yet.
    NoEvidence,
    /// The stream of the instrument is silent or down.
    StaleFeed,
    /// Messages were lost inside the bars that the signal rests on.
    Gap,
    /// Too few bars are known.
    WarmUp,
    /// What stands between the strategy's evidence card and `verified`; said by its own word.
    #[serde(untagged)]
    Card(Objection),
}

impl Reason {
    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoEvidence => "no_evidence",
            Self::StaleFeed => "stale_feed",
            Self::Gap => "gap",
            Self::WarmUp => "warm_up",
            Self::Card(objection) => objection.as_str(),
        }
    }

    /// A half sentence for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::NoEvidence => "not measured yet",
            Self::StaleFeed => "the data feed is silent",
            Self::Gap => "data is missing in the bars it rests on",
            Self::WarmUp => "too few bars are known",
            Self::Card(objection) => objection.words(),
        }
    }
}

/// The verifier's ruling on a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Ruling {
    /// The evidence card in force proves the strategy at this scope and horizon.
    Verified {
        /// That card.
        card: CardId,
    },
    /// Nothing proves it, nothing refutes it.
    Unproven {
        /// Why.
        reason: Reason,
    },
    /// Evidence speaks against it.
    Rejected {
        /// Why.
        reason: Reason,
    },
    /// The data under it cannot be trusted at this moment.
    Withheld {
        /// Why.
        reason: Reason,
    },
}

impl Ruling {
    /// The word of the contract: `verified`, `unproven`, `rejected` or `withheld`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified { .. } => "verified",
            Self::Unproven { .. } => "unproven",
            Self::Rejected { .. } => "rejected",
            Self::Withheld { .. } => "withheld",
        }
    }

    /// Why, unless verified.
    #[must_use]
    pub const fn reason(self) -> Option<Reason> {
        match self {
            Self::Verified { .. } => None,
            Self::Unproven { reason } | Self::Rejected { reason } | Self::Withheld { reason } => {
                Some(reason)
            }
        }
    }
}

/// A ruling with the signal it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// The signal.
    pub signal: SignalId,
    /// The ruling.
    pub ruling: Ruling,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_statement_has_the_same_id_everywhere() {
        let symbol: Symbol = "binance:BTCUSDT".parse().unwrap();
        let open = "2009-06-23".parse().unwrap();
        let id = SignalId::of(
            "golden_cross(fast=50,slow=200)",
            &symbol,
            Interval::D1,
            open,
            Direction::Long,
        );
        // Golden: a change here orphans every stored signal.
        assert_eq!(id.to_string(), "d18527be72b3246bf37de12ca903034c");
        let other = SignalId::of(
            "golden_cross(fast=50,slow=200)",
            &symbol,
            Interval::D1,
            open,
            Direction::Short,
        );
        assert_ne!(id, other);
    }

    #[test]
    fn a_name_is_kept_as_it_is_or_cut_between_characters() {
        assert_eq!(FactName::new("macd(12,26,9).macdsignal").as_str(), "macd(12,26,9).macdsignal");
        assert_eq!(FactName::new(""), "");
        let long = "é".repeat(20);
        assert_eq!(FactName::new(&long).as_str(), "é".repeat(15));
        assert_eq!(serde_json::to_string(&FactName::new("rsi")).unwrap(), "\"rsi\"");
    }

    #[test]
    fn a_ruling_is_one_flat_json_object() {
        let json = serde_json::to_string(&Ruling::Withheld { reason: Reason::Gap }).unwrap();
        assert_eq!(json, r#"{"verdict":"withheld","reason":"gap"}"#);
        let ruling = Ruling::Unproven { reason: Reason::Card(Objection::QAbove) };
        let json = serde_json::to_string(&ruling).unwrap();
        assert_eq!(json, r#"{"verdict":"unproven","reason":"q_above"}"#);
        assert_eq!(serde_json::from_str::<Ruling>(&json).unwrap(), ruling);
    }
}
