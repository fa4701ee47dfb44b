use serde::{Deserialize, Serialize};

use crate::{
    AlertId, CardId, Direction, IdHasher, Interval, Price, Proof, Reason, Ruling, SignalId, Symbol,
    Timestamp,
};

/// What an alert is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AlertKind {
    /// A strategy's signal, with its ruling.
    Signal {
        /// The signal.
        signal: SignalId,
        /// On bars of which length.
        interval: Interval,
        /// Where it expects the price to go.
        direction: Direction,
        /// What the verifier said.
        #[serde(flatten)]
        ruling: Ruling,
        /// The figures of the card that the ruling rests on, where there is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        proof: Option<Box<Proof>>,
        /// The figures of a card in term that verifies larger moves than usual, where the direction
        /// is not verified: then this is what the alert says, and no direction.
        #[serde(skip_serializing_if = "Option::is_none")]
        size: Option<Box<Proof>>,
    },
    /// A rule on price alone came true. A fact: it has no verdict.
    Watch {
        /// The price that the rule compares with: the previous close, the previous high, the record.
        base: Price,
    },
}

/// Why an alert was not handed to the notifiers. Text and JSON form in snake case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum WithheldAlert {
    /// The same strategy and instrument alerted less than the cooldown ago.
    Cooldown,
    /// The hourly budget of the instrument is used up.
    HourlyBudget,
    /// The configuration sends verified alerts only.
    NotVerified,
    /// The verifier withheld the signal: its data cannot be trusted.
    Data,
    /// The configuration names strategies that may alert, and this is none of them.
    StrategyOff,
    /// The card knows fewer separate occasions than the configuration asks for.
    FewOccasions,
    /// The hit rate of the card is lower than the configuration asks for.
    LowHitRate,
    /// The signal is weaker than the configuration asks for.
    Weak,
    /// The bar had less volume, compared with those before it, than the configuration asks for.
    Thin,
    /// The price went the other way over the last five days.
    AgainstMarket,
    /// The user has muted the rule or the instrument for a while.
    Muted,
}

impl WithheldAlert {
    /// The machine word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cooldown => "cooldown",
            Self::HourlyBudget => "hourly_budget",
            Self::NotVerified => "not_verified",
            Self::Data => "data",
            Self::StrategyOff => "strategy_off",
            Self::FewOccasions => "few_occasions",
            Self::LowHitRate => "low_hit_rate",
            Self::Weak => "weak",
            Self::Thin => "thin",
            Self::AgainstMarket => "against_market",
            Self::Muted => "muted",
        }
    }
}

/// Whether an alert leaves the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It goes to the notifiers.
    Send,
    /// It is recorded and not sent.
    Withhold(WithheldAlert),
}

/// A message to people, complete in itself: a notifier needs nothing else to render it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "AlertForm")]
pub struct Alert {
    /// Its identity; a repeat carries the same.
    pub id: AlertId,
    /// What it is about.
    #[serde(flatten)]
    pub kind: AlertKind,
    /// Which instrument.
    pub symbol: Symbol,
    /// Strategy with parameters, or the watch's rule: `golden_cross(fast=50,slow=200)`, `rise=3%`.
    pub rule: String,
    /// The rule in words, with the numbers of this case.
    pub words: String,
    /// The price at that moment.
    pub price: Price,
    /// What the price is in, where known.
    pub currency: Option<String>,
    /// When it happened: close time of the bar, or the time of the trade.
    pub at: Timestamp,
    /// When the engine said it (engine time).
    pub said_at: Timestamp,
    /// Age of the newest data of the instrument when it was said, in milliseconds.
    pub data_age_ms: i64,
    /// Whether it is sent.
    pub decision: Decision,
}

impl AlertId {
    /// The id of the alert that `rule` makes of a signal.
    #[must_use]
    pub fn of_signal(rule: &str, signal: SignalId) -> Self {
        Self(IdHasher::new().text(rule).text(&signal.to_string()).finish())
    }

    /// The id of the alert that a watch's `rule` makes of the bar of `symbol` that opens at
    /// `open_time`.
    #[must_use]
    pub fn of_watch(rule: &str, symbol: &Symbol, open_time: Timestamp) -> Self {
        Self(IdHasher::new().text(rule).text(symbol.as_str()).number(open_time.nanos()).finish())
    }
}

/// An alert of the last 24 hours, as the next day's engine must know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its identity.
    pub id: AlertId,
    /// Which instrument.
    pub symbol: Symbol,
    /// The strategy or watch that made it.
    pub rule: String,
    /// When it was said (engine time).
    pub said_at: Timestamp,
}

/// The user wants no alerts of a rule, or about an instrument, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MuteNotice {
    /// A symbol; or a rule by its whole text or the word it begins with: `golden_cross`, `rise`.
    pub what: String,
    /// Until when; a moment that is past ends it.
    pub until: Timestamp,
}

impl MuteNotice {
    /// Whether `what` means an alert of `rule` about `symbol`.
    #[must_use]
    pub fn means(what: &str, symbol: &Symbol, rule: &str) -> bool {
        what == symbol.as_str() || what == rule || what == rule_name(rule)
    }
}

/// The name at the beginning of the text of a strategy or of a watch's rule: `golden_cross` of
/// `golden_cross(fast=50,slow=200)`, `dip` of `dip short every bar: close < 3`, `rise` of `rise=3%`.
#[must_use]
pub fn rule_name(rule: &str) -> &str {
    rule.split(['(', ':', '=', ' ']).next().unwrap_or_default()
}

/// The JSON of an alert as it lies there. Serde reads a flattened enum through a buffer in which a
/// number has lost its exact digits, and [`Price`] refuses that; so the parts are read flat.
#[derive(Deserialize)]
struct AlertForm {
    id: AlertId,
    kind: String,
    signal: Option<SignalId>,
    interval: Option<Interval>,
    direction: Option<Direction>,
    verdict: Option<String>,
    card: Option<CardId>,
    reason: Option<Reason>,
    proof: Option<Box<Proof>>,
    size: Option<Box<Proof>>,
    base: Option<Price>,
    symbol: Symbol,
    rule: String,
    words: String,
    price: Price,
    currency: Option<String>,
    at: Timestamp,
    said_at: Timestamp,
    data_age_ms: i64,
    decision: Decision,
}

impl AlertForm {
    fn kind(&self) -> Option<AlertKind> {
        match self.kind.as_str() {
            "watch" => Some(AlertKind::Watch { base: self.base? }),
            "signal" => Some(AlertKind::Signal {
                signal: self.signal?,
                interval: self.interval?,
                direction: self.direction?,
                ruling: self.ruling()?,
                proof: self.proof.clone(),
                size: self.size.clone(),
            }),
            _ => None,
        }
    }

    fn ruling(&self) -> Option<Ruling> {
        match self.verdict.as_deref()? {
            "verified" => Some(Ruling::Verified { card: self.card? }),
            "unproven" => Some(Ruling::Unproven { reason: self.reason? }),
            "rejected" => Some(Ruling::Rejected { reason: self.reason? }),
            "withheld" => Some(Ruling::Withheld { reason: self.reason? }),
            _ => None,
        }
    }
}

impl TryFrom<AlertForm> for Alert {
    type Error = &'static str;

    fn try_from(form: AlertForm) -> Result<Self, Self::Error> {
        let kind = form.kind().ok_or("not an alert: its kind lacks a part")?;
        Ok(Self {
            id: form.id,
            kind,
            symbol: form.symbol,
            rule: form.rule,
            words: form.words,
            price: form.price,
            currency: form.currency,
            at: form.at,
            said_at: form.said_at,
            data_age_ms: form.data_age_ms,
            decision: form.decision,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Card, Objection};

    #[test]
    fn a_rule_is_called_by_the_name_it_begins_with() {
        for (rule, name) in [
            ("golden_cross(fast=50,slow=200)", "golden_cross"),
            ("dip: cross_below(rsi(14), 45) and close > sma(20)", "dip"),
            ("dip short: close < sma(20)", "dip"),
            ("dip short every bar: close < sma(20)", "dip"),
            ("rise=3%", "rise"),
            ("new_high", "new_high"),
            ("", ""),
        ] {
            assert_eq!(rule_name(rule), name, "{rule}");
        }
    }

    #[test]
    fn an_alert_reads_what_it_wrote_with_every_digit() {
        let card: Card = serde_json::from_str(include_str!("card/golden.json")).unwrap();
        let exact: Price = "9223372036.854775807".parse().unwrap();
        let signal = |ruling| AlertKind::Signal {
            signal: SignalId(3),
            interval: Interval::H1,
            direction: Direction::Short,
            ruling,
            proof: None,
            size: None,
        };
        let proven = AlertKind::Signal {
            signal: SignalId(4),
            interval: Interval::D1,
            direction: Direction::Long,
            ruling: Ruling::Unproven { reason: Reason::Card(Objection::QAbove) },
            proof: Some(Box::new(Proof::of(&card))),
            size: None,
        };
        let large = AlertKind::Signal {
            signal: SignalId(5),
            interval: Interval::D1,
            direction: Direction::Short,
            ruling: Ruling::Rejected { reason: Reason::Card(Objection::CostExceedsEdge) },
            proof: None,
            size: Some(Box::new(Proof { times_usual: Some(1.4), ..Proof::of(&card) })),
        };
        let reason = Reason::NoEvidence;
        for kind in [
            AlertKind::Watch { base: exact },
            proven,
            large,
            signal(Ruling::Verified { card: CardId(9) }),
            signal(Ruling::Unproven { reason }),
            signal(Ruling::Rejected { reason }),
            signal(Ruling::Withheld { reason }),
        ] {
            let alert = Alert {
                id: AlertId(1),
                kind,
                symbol: "binance:BTCUSDT".parse().unwrap(),
                rule: "rise=3%".to_owned(),
                words: "rose 3 %".to_owned(),
                price: exact,
                currency: None,
                at: Timestamp::EPOCH,
                said_at: Timestamp::from_secs(1),
                data_age_ms: -5,
                decision: Decision::Withhold(WithheldAlert::Cooldown),
            };
            let json = serde_json::to_string(&alert).unwrap();
            assert_eq!(serde_json::from_str::<Alert>(&json).unwrap(), alert, "{json}");
            assert!(serde_json::from_str::<Alert>(&json.replace("\"kind\"", "\"k\"")).is_err());
        }
    }
}
