//! What `[[watches]]` and `[watch]` mean: rules on the price alone, and from which change on they
//! speak where the rule does not say.

use std::collections::BTreeMap;

use finstage_engine::{SeriesSpec, WatchRule, WatchSpec};
use finstage_feeds::registry::{self, ListingCategory};
use finstage_model::{Price, Symbol};

use super::raw::{RawAlerts, RawThresholds, RawWatch, RawWatching};
use super::settings::Resolver;
use crate::exit::Result;

/// Percent that no price falls by.
const MAX_FALL: f64 = 100.0;

/// From which change on `rise`, `drop` and `drop_from_high` speak where they name none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WatchThresholds {
    symbols: BTreeMap<Symbol, RawThresholds>,
    categories: BTreeMap<String, RawThresholds>,
}

/// Percentages for one instrument; all are positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Above the previous close.
    pub rise: f64,
    /// Below the previous close.
    pub drop: f64,
    /// Below the highest price of all.
    pub from_high: f64,
}

/// What is set where nothing is configured: an index moves less than a share, a future is watched
/// for what is rare.
const fn shipped(category: Option<ListingCategory>) -> Thresholds {
    let (rise, drop, from_high) = match category {
        Some(ListingCategory::Index) => (1.0, 1.0, 2.0),
        Some(ListingCategory::Future | ListingCategory::Commodity) => (5.0, 5.0, 10.0),
        _ => (3.0, 3.0, 5.0),
    };
    Thresholds { rise, drop, from_high }
}

impl WatchThresholds {
    /// Those of an instrument: its own, else its category's, else the shipped ones.
    #[must_use]
    pub fn of(&self, symbol: &Symbol) -> Thresholds {
        let category = registry::find(symbol).map(|row| row.category);
        let usual = shipped(category);
        let own = self.symbols.get(symbol);
        let general = category.and_then(|category| self.categories.get(category.name()));
        let pick = |of: fn(&RawThresholds) -> Option<f64>, usual| {
            own.and_then(of).or_else(|| general.and_then(of)).unwrap_or(usual)
        };
        Thresholds {
            rise: pick(|raw| raw.rise, usual.rise),
            drop: pick(|raw| raw.drop, usual.drop),
            from_high: pick(|raw| raw.from_high, usual.from_high),
        }
    }

    /// A rule as people write it; `rise`, `drop` and `drop_from_high` without a percentage get that
    /// of the instrument.
    ///
    /// # Errors
    /// When the text is no rule, with what to write.
    pub fn rule(&self, symbol: &Symbol, text: &str) -> std::result::Result<WatchRule, String> {
        let thresholds = self.of(symbol);
        match text {
            "rise" => Ok(WatchRule::Rise(thresholds.rise)),
            "drop" => Ok(WatchRule::Drop(thresholds.drop)),
            "drop_from_high" => Ok(WatchRule::DropFromHigh(thresholds.from_high)),
            _ => {
                let rule =
                    text.parse().map_err(|why: finstage_engine::WatchRuleError| why.to_string())?;
                sensible(rule).map(|()| rule)
            }
        }
    }

    /// What is watched where nobody names a rule: changes and records with the instrument's
    /// thresholds.
    #[must_use]
    pub fn usual(&self, symbol: &Symbol) -> Vec<WatchRule> {
        let Thresholds { rise, drop, from_high } = self.of(symbol);
        vec![
            WatchRule::Rise(rise),
            WatchRule::Drop(drop),
            WatchRule::NewHigh,
            WatchRule::DropFromHigh(from_high),
            WatchRule::PrevHigh,
            WatchRule::PrevLow,
        ]
    }
}

/// Refuses a rule that would never speak. Stored ones stay readable, so this is asked where one is typed.
fn sensible(rule: WatchRule) -> std::result::Result<(), String> {
    match rule {
        WatchRule::Drop(percent) | WatchRule::DropFromHigh(percent) if percent >= MAX_FALL => {
            Err(format!("\"{rule}\": no price falls so far: write less than {MAX_FALL}%"))
        }
        WatchRule::Above(price) | WatchRule::Below(price) if price <= Price::from_nanos(0) => {
            Err(format!("\"{rule}\": write a price above 0"))
        }
        _ => Ok(()),
    }
}

impl Resolver<'_> {
    pub(super) fn thresholds(&self, raw: &RawWatching) -> Result<WatchThresholds> {
        let mut symbols = BTreeMap::new();
        for (name, typed) in &raw.symbols {
            let key = format!("watch.symbols.{name}");
            symbols.insert(self.symbol(&key, name)?, self.checked(&key, typed)?);
        }
        let mut categories = BTreeMap::new();
        for (name, typed) in &raw.categories {
            let key = format!("watch.categories.{name}");
            if ListingCategory::find(name).is_none() {
                let known: Vec<&str> = ListingCategory::ALL.map(ListingCategory::name).to_vec();
                let why = format!("\"{name}\" is no category: write one of {}", known.join(" "));
                return self.refuse(&key, why);
            }
            categories.insert(name.clone(), self.checked(&key, typed)?);
        }
        Ok(WatchThresholds { symbols, categories })
    }

    fn checked(&self, key: &str, typed: &RawThresholds) -> Result<RawThresholds> {
        let all = [("rise", typed.rise), ("drop", typed.drop), ("from_high", typed.from_high)];
        for (name, value) in all {
            if value.is_some_and(|value| !(value > 0.0 && value <= WatchRule::MAX_PERCENT)) {
                let why = "write percent above 0 without a sign, 3 for a change of 3 %";
                return self.refuse(&format!("{key}.{name}"), why);
            }
            if name != "rise" && value.is_some_and(|value| value >= MAX_FALL) {
                let why = format!("no price falls so far: write less than {MAX_FALL}");
                return self.refuse(&format!("{key}.{name}"), why);
            }
        }
        Ok(*typed)
    }

    pub(super) fn watch(
        &self,
        key: &str,
        raw: &RawWatch,
        (series, thresholds, alerts): (&[SeriesSpec], &WatchThresholds, &RawAlerts),
    ) -> Result<WatchSpec> {
        let symbol = self.symbol(&format!("{key}.symbol"), &raw.symbol)?;
        if !series.iter().any(|s| s.symbol == symbol) {
            return self.refuse(
                &format!("{key}.symbol"),
                format!("{symbol} is in no [[feeds]]: add it there"),
            );
        }
        let rule = match thresholds.rule(&symbol, &raw.rule) {
            Ok(rule) => rule,
            Err(why) => return self.refuse(&format!("{key}.rule"), why),
        };
        let key = format!("{key}.cooldown");
        let usual = rule.usual_cooldown();
        let cooldown = match (&raw.cooldown, &alerts.cooldown) {
            (Some(own), _) => self.duration(&key, Some(own), usual)?,
            (None, of_all) => self.duration("alerts.cooldown", of_all.as_deref(), usual)?,
        };
        Ok(WatchSpec { symbol, rule, cooldown_ms: Some(cooldown.as_millis() as u64) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_go_by_symbol_then_category_then_what_is_shipped() {
        let text = "[watch.categories]\nindex = { rise = 1.5 }\n\
                    [watch.symbols]\n\"yahoo:^GSPC\" = { drop = 0.5 }\n";
        let thresholds = crate::config::parse("f", text, &[]).unwrap().thresholds;
        let of = |symbol: &str| thresholds.of(&symbol.parse().unwrap());
        assert_eq!(of("yahoo:^GSPC"), Thresholds { rise: 1.5, drop: 0.5, from_high: 2.0 });
        assert_eq!(of("yahoo:^IXIC"), Thresholds { rise: 1.5, drop: 1.0, from_high: 2.0 });
        assert_eq!(of("yahoo:AAPL"), Thresholds { rise: 3.0, drop: 3.0, from_high: 5.0 });
        assert_eq!(of("yahoo:ES=F"), Thresholds { rise: 5.0, drop: 5.0, from_high: 10.0 });
        let rule = |text| thresholds.rule(&"yahoo:^GSPC".parse().unwrap(), text);
        assert_eq!(rule("drop").unwrap().to_string(), "drop=0.5%");
        assert_eq!(rule("rise=7%").unwrap().to_string(), "rise=7%");
        assert!(rule("fall").unwrap_err().contains("is not a watch rule"));
        for never in ["drop=150%", "drop_from_high=100%", "above=-5", "below=0"] {
            let why = rule(never).unwrap_err();
            assert!(why.starts_with(&format!("\"{never}\": ")), "{why}");
        }
        assert!(rule("drop=99.9%").is_ok() && rule("rise=150%").is_ok());
    }

    #[test]
    fn a_watch_rests_as_it_says_else_as_all_alerts_else_as_is_usual() {
        let rests = |alerts: &str, own: &str| {
            let text = format!(
                "{alerts}[[feeds]]\nvenue = \"binance\"\nsymbols = [\"A\"]\n\
                 [[watches]]\nsymbol = \"binance:A\"\nrule = \"new_high\"\n{own}"
            );
            let settings = crate::config::parse("f", &text, &[]).unwrap();
            settings.engine.watches[0].cooldown_ms.map(|ms| ms / 60_000)
        };
        assert_eq!(rests("", ""), Some(360));
        assert_eq!(rests("[alerts]\ncooldown = \"2h\"\n", ""), Some(120), "that of all alerts");
        assert_eq!(rests("[alerts]\ncooldown = \"2h\"\n", "cooldown = \"1m\"\n"), Some(1));
    }

    #[test]
    fn a_threshold_that_makes_no_sense_is_refused() {
        let refused = |text: &str| crate::config::parse("f", text, &[]).unwrap_err().to_string();
        assert_eq!(
            refused("[watch.categories]\nindex = { drop = -1 }\n"),
            "f:2: watch.categories.index.drop: write percent above 0 without a sign, 3 for a change of 3 %"
        );
        assert!(refused("[watch.categories]\nindices = { drop = 1 }\n").contains("is no category"));
    }
}
