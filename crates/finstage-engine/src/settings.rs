//! What an engine is told when it is made. It is written into the journal with the day, so that a
//! replay needs nothing else.

use std::time::Duration;

use finstage_model::{Direction, Interval, Symbol, WatchRule};
use serde::{Deserialize, Serialize};

/// Everything that shapes what an engine says, besides its events.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSettings {
    /// The strategies, in a fixed order: `StrategyId` is the place in this list.
    pub strategies: Vec<StrategySpec>,
    /// Which series exist and where their bars come from.
    pub series: Vec<SeriesSpec>,
    /// How the streams of each venue behave in time.
    pub feeds: Vec<FeedTiming>,
    /// When alerts are let through.
    pub alerts: AlertRules,
    /// Rules on price alone.
    pub watches: Vec<WatchSpec>,
}

impl EngineSettings {
    /// The longest time that an alert sent keeps others from being sent.
    #[must_use]
    pub fn longest_cooldown(&self) -> Duration {
        let own = self.watches.iter().filter_map(|watch| watch.cooldown_ms);
        Duration::from_millis(own.fold(self.alerts.cooldown_ms, u64::max))
    }
}

/// One strategy on one interval.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StrategySpec {
    /// Its name in the catalogue; where there is a condition, the name that its user gave it.
    pub name: String,
    /// Parameters that differ from the defaults, by name.
    #[serde(default)]
    pub params: Vec<(String, f64)>,
    /// On bars of which length.
    pub interval: Interval,
    /// On which instruments; empty means every instrument that has a series of that interval.
    #[serde(default)]
    pub symbols: Vec<Symbol>,
    /// A condition of the user's own in place of a strategy of the catalogue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
}

/// A condition on bars, as its user wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// The condition: `cross_above(sma(50), sma(200))`.
    pub text: String,
    /// Where the price is expected to go.
    pub direction: Direction,
    /// Whether it fires on every bar on which it is true, not only where it becomes true.
    #[serde(default)]
    pub every_bar: bool,
}

impl When {
    /// A rise is expected where the condition becomes true.
    #[must_use]
    pub fn long(text: &str) -> Self {
        Self { text: text.to_owned(), direction: Direction::Long, every_bar: false }
    }
}

/// One series of bars. Each has exactly one origin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeriesSpec {
    /// Whose bars.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// Where they come from.
    pub origin: Origin,
}

/// Where the bars of a series come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The venue sends them closed.
    Venue,
    /// Built from trades.
    Trades,
    /// Rolled up from the bars of a finer series of the same instrument.
    Rolled(Interval),
}

/// How the streams of a venue behave in time. Milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedTiming {
    /// The venue.
    pub venue: String,
    /// How much older than the newest one a trade may arrive; 0 where a stream is ordered.
    pub lateness_ms: u64,
    /// How long a message usually takes to reach us.
    pub delay_ms: u64,
    /// Silence after which a bar of a quiet instrument is closed all the same.
    pub grace_ms: u64,
}

impl FeedTiming {
    /// An ordered stream, one second of delay, ten seconds of grace.
    #[must_use]
    pub fn ordered(venue: &str) -> Self {
        Self { venue: venue.to_owned(), lateness_ms: 0, delay_ms: 1_000, grace_ms: 10_000 }
    }
}

/// When alerts are let through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRules {
    /// Whether alerts of unproven signals are sent, marked so.
    pub send_unproven: bool,
    /// Least time between two alerts of the same strategy or watch on the same instrument.
    pub cooldown_ms: u64,
    /// Most alerts of one instrument within any 60 minutes.
    pub per_hour: u32,
    /// What else the alert of a strategy must pass.
    #[serde(default, skip_serializing_if = "AlertFilters::are_off")]
    pub filters: AlertFilters,
}

impl Default for AlertRules {
    fn default() -> Self {
        let filters = AlertFilters::default();
        Self { send_unproven: false, cooldown_ms: 3_600_000, per_hour: 20, filters }
    }
}

/// Filters on the alerts of strategies; the default filters nothing. Watches pass them unseen.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertFilters {
    /// Only these strategies alert, by name or canonical text; empty means all.
    pub strategies: Vec<String>,
    /// Separate occasions that the card must know; without a card there are none.
    pub min_occasions: u64,
    /// Least hit rate of the card, from 0 to 1; an unknown one passes.
    pub min_hit_rate: f64,
    /// Least strength without its sign, in the strategy's own unit.
    pub min_strength: f64,
    /// Least volume of the signal's bar over the mean of the last 20, itself among them. With fewer
    /// bars, or where none reports a volume, it is unknown and passes.
    pub min_volume_ratio: f64,
    /// Whether the market must go the signal's way.
    pub market: MarketRule,
}

impl AlertFilters {
    /// Whether nothing is filtered.
    #[must_use]
    pub fn are_off(&self) -> bool {
        *self == Self::default()
    }
}

/// What the market must do for an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketRule {
    /// Nothing.
    #[default]
    Any,
    /// It must not go against the signal: over the last five days the instrument may not have
    /// fallen by more than 5 % for a bullish signal, nor risen by more for a bearish one. An
    /// unknown change passes.
    Agree,
}

/// A rule on the price of one instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WatchSpec {
    /// Whose price.
    pub symbol: Symbol,
    /// The rule.
    pub rule: WatchRule,
    /// Least time between two alerts of this rule; where absent, the cooldown of all alerts.
    #[serde(default)]
    pub cooldown_ms: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_from_json_as_they_were() {
        let settings = EngineSettings {
            strategies: vec![
                StrategySpec {
                    name: "golden_cross".into(),
                    params: vec![("fast".into(), 20.0)],
                    interval: Interval::H1,
                    symbols: vec!["x:A".parse().unwrap()],
                    when: None,
                },
                StrategySpec {
                    name: "mine".into(),
                    params: Vec::new(),
                    interval: Interval::H1,
                    symbols: Vec::new(),
                    when: Some(When { every_bar: true, ..When::long("close > open") }),
                },
            ],
            series: vec![SeriesSpec {
                symbol: "x:A".parse().unwrap(),
                interval: Interval::H1,
                origin: Origin::Rolled(Interval::M1),
            }],
            feeds: vec![FeedTiming::ordered("x")],
            alerts: AlertRules::default(),
            watches: vec![WatchSpec {
                symbol: "x:A".parse().unwrap(),
                rule: WatchRule::NewHigh,
                cooldown_ms: Some(5),
            }],
        };
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<EngineSettings>(&json).unwrap(), settings);
    }
}
