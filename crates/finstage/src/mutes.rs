//! Muting, wherever it is asked for: from the command line or in a chat.

use std::time::Duration;

use finstage_engine::{Rule, StrategySpec, WatchRule};
use finstage_model::{MuteNotice, Symbol, Timestamp, parse_duration, rule_name};
use finstage_store::records::Records;
use finstage_strategies::CATALOG;

use crate::exit::{Failure, Result};

/// The longest that something can be muted.
const MAX_SPAN: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Words that a watch's rule can begin with.
const WATCHES: [&str; 8] =
    ["rise", "drop", "new_high", "drop_from_high", "prev_high", "prev_low", "above", "below"];

/// How long something is muted, from its text.
///
/// # Errors
/// When it is no length of time, or longer than 30 days.
pub fn span(text: &str) -> std::result::Result<Duration, String> {
    match parse_duration(text) {
        Ok(Duration::ZERO) => {
            Err("that is no time: write 30m or 2h; --off lets it speak again".into())
        }
        Ok(span) if span <= MAX_SPAN => Ok(span),
        Ok(_) => Err("30d is the longest".into()),
        Err(why) => Err(why.to_string()),
    }
}

/// Mutes a symbol, a strategy of `strategies` or a rule of a watch for `span` from `now`.
///
/// # Errors
/// Exit 2 when no alert can be about `what`, 6 when the records cannot be written.
pub fn mute(
    records: &Records,
    strategies: &[StrategySpec],
    (what, span): (&str, Duration),
    now: Timestamp,
) -> Result<MuteNotice> {
    check(strategies, what)?;
    let mute = MuteNotice { what: what.to_owned(), until: now.plus(span) };
    records.mute(&mute, now)?;
    Ok(mute)
}

/// Lets something speak again.
///
/// # Errors
/// Exit 2 when it is not muted, 6 when the records cannot be written.
pub fn unmute(records: &Records, what: &str) -> Result<()> {
    if records.unmute(what)? {
        return Ok(());
    }
    Err(Failure::usage(format!("{what} is not muted: `finstage alerts mute --list` shows what is")))
}

/// Refuses what no alert is about: a slip of the pen would mute nothing, in silence.
fn check(strategies: &[StrategySpec], what: &str) -> Result<()> {
    let is_watch = WATCHES.contains(&what) || what.parse::<WatchRule>().is_ok();
    if what.parse::<Symbol>().is_ok() || is_watch {
        return Ok(());
    }
    let mut names = Vec::new();
    for spec in strategies {
        if let Ok(rule) = Rule::of(spec, CATALOG) {
            names.extend([rule_name(&rule.canonical).to_owned(), rule.canonical]);
        }
    }
    if names.iter().any(|name| name == what) {
        return Ok(());
    }
    let near = finstage_engine::nearest(what, names.into_iter());
    let near = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
    Err(Failure::usage(format!(
        "\"{what}\" is neither a symbol (venue:SYMBOL), nor a strategy of [[strategies]], nor a rule of a watch{near}"
    )))
}

#[cfg(test)]
mod tests {
    use finstage_engine::When;
    use finstage_model::{Direction, Interval};

    use super::*;

    #[test]
    fn a_strategy_of_ones_own_is_muted_by_its_name_whatever_it_asks_for() {
        let when = When {
            text: "close < sma(20)".to_owned(),
            direction: Direction::Short,
            every_bar: true,
        };
        let spec = StrategySpec {
            name: "dip".to_owned(),
            params: Vec::new(),
            interval: Interval::M1,
            symbols: Vec::new(),
            when: Some(when),
        };
        assert!(check(std::slice::from_ref(&spec), "dip").is_ok());
        let error = check(&[spec], "dipp").unwrap_err().to_string();
        assert!(error.contains("did you mean dip?"), "{error}");
    }

    #[test]
    fn something_is_muted_for_more_than_no_time_and_up_to_thirty_days() {
        assert_eq!(span("2h"), Ok(Duration::from_secs(7_200)));
        assert!(span("0s").unwrap_err().contains("--off") && span("31d").is_err());
    }
}
