//! A strategy's rule as people read it.

use finstage_engine::Entry;
use finstage_model::Call;
use finstage_strategies::CATALOG;

use super::Language;

/// A rule of the catalogue in words. A condition of one's own is its words, and so is the rule of a
/// catalogue that has it no more.
#[must_use]
pub fn rule_words(strategy: &str, language: Language) -> String {
    let entry = || {
        let call: Call = strategy.parse().ok()?;
        let entry = Entry::find(CATALOG, &call.name).ok()?;
        let named = |(name, value): &(Option<String>, f64)| Some((name.clone()?, *value));
        let given: Option<Vec<(String, f64)>> = call.args.iter().map(named).collect();
        let params = entry.params(&given?).ok()?;
        Some(match language {
            Language::En => (entry.words)(&params),
            Language::Ko => entry.korean_words(&params),
        })
    };
    entry().unwrap_or_else(|| strategy.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_said_in_words_where_the_catalogue_has_them() {
        let cross = "golden_cross(fast=50,slow=200)";
        assert_eq!(rule_words(cross, Language::En), "SMA(50) crossed above SMA(200)");
        let korean = "SMA(50)이 SMA(200)을 위로 돌파 (골든크로스)";
        assert_eq!(rule_words(cross, Language::Ko), korean);
        for own in ["dip: rsi(14) < 30", "gone(n=3)", "golden_cross(fast=0,slow=200)"] {
            assert_eq!(rule_words(own, Language::Ko), own);
        }
    }
}
