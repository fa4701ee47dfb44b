//! A strategy's rule as people read it.

use finstage_engine::Entry;
use finstage_model::{Alert, AlertKind, Call, Price, WatchRule};
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

/// The rule of an alert in Korean, with the figures that its words have; `None` where the words are the user's own.
#[must_use]
pub fn korean_rule(alert: &Alert) -> Option<String> {
    let AlertKind::Watch { base } = alert.kind else {
        let figures = alert.words.strip_prefix(&rule_words(&alert.rule, Language::En))?;
        let words = rule_words(&alert.rule, Language::Ko);
        return (words != alert.rule).then(|| format!("{words}{figures}"));
    };
    let moved = alert.words.split_once('%').map_or("", |(moved, _)| moved);
    Some(korean_watch(alert.rule.parse().ok()?, (base, alert.price), moved))
}

fn korean_watch(rule: WatchRule, (base, price): (Price, Price), moved: &str) -> String {
    match rule {
        WatchRule::Rise(_) => format!("전일 종가 {base}보다 {moved}% 상승"),
        WatchRule::Drop(_) => format!("전일 종가 {base}보다 {moved}% 하락"),
        WatchRule::NewHigh => format!("신고가: {price}, 이전 최고가 {base}"),
        WatchRule::DropFromHigh(_) => format!("최고가 {base}보다 {moved}% 낮음"),
        WatchRule::PrevHigh => format!("전일 고가 {base} 위"),
        WatchRule::PrevLow => format!("전일 저가 {base} 아래"),
        WatchRule::Above(_) => format!("{base} 위로 돌파"),
        WatchRule::Below(_) => format!("{base} 아래로 하락"),
    }
}

#[cfg(test)]
mod tests {
    use finstage_model::{
        AlertId, Decision, Direction, Interval, Reason, Ruling, SignalId, Timestamp,
    };

    use super::*;

    fn alert(kind: AlertKind, (rule, words): (&str, &str)) -> Alert {
        Alert {
            id: AlertId(1),
            kind,
            symbol: "binance:BTCUSDT".parse().unwrap(),
            rule: rule.to_owned(),
            words: words.to_owned(),
            price: "103.2".parse().unwrap(),
            currency: None,
            at: Timestamp::EPOCH,
            said_at: Timestamp::EPOCH,
            data_age_ms: 0,
            decision: Decision::Send,
        }
    }

    #[test]
    fn the_rule_of_an_alert_is_said_in_korean_with_the_figures_of_its_words() {
        let watch = |rule, words| {
            korean_rule(&alert(AlertKind::Watch { base: "100".parse().unwrap() }, (rule, words)))
        };
        let rise = watch("rise=3%", "3.2% above the previous day's close 100");
        assert_eq!(rise.as_deref(), Some("전일 종가 100보다 3.2% 상승"));
        let high = watch("prev_high", "above the previous day's high 100");
        assert_eq!(high.as_deref(), Some("전일 고가 100 위"));
        let signal = AlertKind::Signal {
            signal: SignalId(1),
            interval: Interval::H1,
            direction: Direction::Long,
            ruling: Ruling::Unproven { reason: Reason::NoEvidence },
            proof: None,
            size: None,
        };
        let signal = |rule, words| korean_rule(&alert(signal.clone(), (rule, words)));
        let cross = "golden_cross(fast=50,slow=200)";
        let english = "SMA(50) crossed above SMA(200) (fast 101.5, slow 101.2)";
        let korean = "SMA(50)이 SMA(200)을 위로 돌파 (골든크로스) (fast 101.5, slow 101.2)";
        assert_eq!(signal(cross, english).as_deref(), Some(korean));
        let own = "dip: rsi(14) < 30";
        assert_eq!(signal(own, "rsi(14) < 30"), None, "the user's words stay");
        assert_eq!(signal(cross, "words of another version"), None);
    }

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
