//! Rules on price alone, as people write them and as they reach a running engine.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Price, Symbol};

/// The rules that a watch can have. Text form as on the command line: `rise=3%`, `new_high`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum WatchRule {
    /// The price is this many percent above the previous day's close.
    Rise(f64),
    /// The price is this many percent below the previous day's close.
    Drop(f64),
    /// The price is above every daily high known.
    NewHigh,
    /// The price is this many percent below the highest daily high known.
    DropFromHigh(f64),
    /// The price is above the previous day's high.
    PrevHigh,
    /// The price is below the previous day's low.
    PrevLow,
    /// The price goes above this one.
    Above(Price),
    /// The price goes below this one.
    Below(Price),
}

impl WatchRule {
    /// The greatest percentage that a rule can have.
    pub const MAX_PERCENT: f64 = 1_000_000.0;

    /// The word before the `=`.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Rise(_) => "rise",
            Self::Drop(_) => "drop",
            Self::NewHigh => "new_high",
            Self::DropFromHigh(_) => "drop_from_high",
            Self::PrevHigh => "prev_high",
            Self::PrevLow => "prev_low",
            Self::Above(_) => "above",
            Self::Below(_) => "below",
        }
    }

    /// The percentage or the price that it compares with; `None` where it has none.
    #[must_use]
    pub fn threshold(self) -> Option<f64> {
        match self {
            Self::Rise(percent) | Self::Drop(percent) | Self::DropFromHigh(percent) => {
                Some(percent)
            }
            Self::Above(price) | Self::Below(price) => Some(price.to_f64()),
            Self::NewHigh | Self::PrevHigh | Self::PrevLow => None,
        }
    }

    /// The least time between two alerts of the rule where its user names none: six hours for
    /// what compares with the highest price of all, which a rising market sets again and again,
    /// and three minutes for everything else.
    #[must_use]
    pub const fn usual_cooldown(self) -> Duration {
        match self {
            Self::NewHigh | Self::DropFromHigh(_) => Duration::from_secs(360 * 60),
            _ => Duration::from_secs(3 * 60),
        }
    }
}

/// A watch that was added to a running service, or taken out again.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchNotice {
    /// Whose price.
    pub symbol: Symbol,
    /// The rule.
    pub rule: WatchRule,
    /// Least time between two alerts, in milliseconds.
    pub cooldown_ms: u64,
    /// Whether it is there from now on.
    pub is_on: bool,
}

/// A text that is no watch rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchRuleError(String);

impl fmt::Display for WatchRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "\"{}\" is not a watch rule: write rise=3% drop=3% above=PRICE below=PRICE new_high \
             drop_from_high=5% prev_high or prev_low",
            self.0
        )
    }
}

impl std::error::Error for WatchRuleError {}

impl FromStr for WatchRule {
    type Err = WatchRuleError;

    fn from_str(text: &str) -> Result<Self, WatchRuleError> {
        let rule = match text.split_once('=') {
            None => match text {
                "new_high" => Some(Self::NewHigh),
                "prev_high" => Some(Self::PrevHigh),
                "prev_low" => Some(Self::PrevLow),
                _ => None,
            },
            Some(("rise", percent)) => read_percent(percent).map(Self::Rise),
            Some(("drop", percent)) => read_percent(percent).map(Self::Drop),
            Some(("drop_from_high", percent)) => read_percent(percent).map(Self::DropFromHigh),
            Some(("above", price)) => price.parse().ok().map(Self::Above),
            Some(("below", price)) => price.parse().ok().map(Self::Below),
            Some(_) => None,
        };
        rule.ok_or_else(|| WatchRuleError(text.to_owned()))
    }
}

impl TryFrom<String> for WatchRule {
    type Error = WatchRuleError;

    fn try_from(text: String) -> Result<Self, WatchRuleError> {
        text.parse()
    }
}

impl From<WatchRule> for String {
    fn from(rule: WatchRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for WatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rise(percent) => write!(f, "rise={percent}%"),
            Self::Drop(percent) => write!(f, "drop={percent}%"),
            Self::NewHigh => f.write_str("new_high"),
            Self::DropFromHigh(percent) => write!(f, "drop_from_high={percent}%"),
            Self::PrevHigh => f.write_str("prev_high"),
            Self::PrevLow => f.write_str("prev_low"),
            Self::Above(price) => write!(f, "above={price}"),
            Self::Below(price) => write!(f, "below={price}"),
        }
    }
}

/// A positive percentage with its sign: a bare `3` could mean 3 or 300 percent.
fn read_percent(text: &str) -> Option<f64> {
    let percent: f64 = text.strip_suffix('%')?.parse().ok()?;
    (percent > 0.0 && percent <= WatchRule::MAX_PERCENT).then_some(percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_rule_prints_as_it_is_typed() {
        for text in [
            "rise=3%",
            "drop=0.5%",
            "above=42850.1",
            "below=-3",
            "new_high",
            "drop_from_high=5%",
            "prev_high",
            "prev_low",
        ] {
            let rule: WatchRule = text.parse().unwrap();
            assert_eq!(rule.to_string(), text);
            let json = serde_json::to_string(&rule).unwrap();
            assert_eq!(serde_json::from_str::<WatchRule>(&json).unwrap(), rule);
        }
        assert_eq!("rise=3.0%".parse::<WatchRule>().unwrap().to_string(), "rise=3%");
    }

    #[test]
    fn what_is_no_watch_rule_is_refused() {
        for text in [
            "",
            "rise",
            "rise=3",
            "rise=%",
            "rise=-3%",
            "rise=0%",
            "rise=NaN%",
            "rise=inf%",
            "rise=2000000%",
            "above=",
            "above=3%",
            "new_high=1",
            "fall=3%",
        ] {
            assert!(text.parse::<WatchRule>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn records_rest_for_hours_and_the_rest_for_minutes() {
        let minutes = |text: &str| {
            let rule: WatchRule = text.parse().unwrap();
            (rule.kind(), rule.threshold(), rule.usual_cooldown().as_secs() / 60)
        };
        assert_eq!(minutes("rise=3%"), ("rise", Some(3.0), 3));
        assert_eq!(minutes("below=1.5"), ("below", Some(1.5), 3));
        assert_eq!(minutes("new_high"), ("new_high", None, 360));
        assert_eq!(minutes("drop_from_high=5%"), ("drop_from_high", Some(5.0), 360));
    }
}
