//! What of a configuration is about a recording, and which bars its strategies read there.

use finstage_engine::{EngineSettings, FeedTiming, Origin, SeriesSpec, StrategySpec};
use finstage_feeds::recording::Asked;
use finstage_model::{Interval, Symbol};

/// The settings for what a recording holds, and in words what of the configuration cannot be
/// played.
///
/// * An instrument whose configured bars are in the recording keeps its series. Any other has the
///   venue's bars that are recorded; where there are none, bars made of trades, of the configured
///   lengths, else of a minute.
/// * Strategies on longer bars get them rolled up, as in a configuration.
/// * Strategies and watches of other instruments are left out.
#[must_use]
pub fn settings_for(
    configured: &EngineSettings,
    venue: &str,
    asked: &[Asked],
) -> (EngineSettings, Vec<String>) {
    let mut notes = Vec::new();
    let is_played = |symbol: &Symbol| asked.iter().any(|asked| asked.symbol == *symbol);
    let mut strategies: Vec<StrategySpec> = Vec::new();
    for spec in &configured.strategies {
        let symbols: Vec<Symbol> =
            spec.symbols.iter().filter(|symbol| is_played(symbol)).cloned().collect();
        if spec.symbols.is_empty() || !symbols.is_empty() {
            strategies.push(StrategySpec { symbols, ..spec.clone() });
        }
    }
    let mut series: Vec<SeriesSpec> = Vec::new();
    for asked in asked {
        let mut own = base(configured, asked);
        for spec in &strategies {
            if spec.symbols.is_empty() || spec.symbols.contains(&asked.symbol) {
                roll_up(&mut own, &asked.symbol, spec.interval);
            }
        }
        series.extend(own);
    }
    strategies.retain(|spec| {
        let serves = |one: &SeriesSpec| {
            one.interval == spec.interval
                && (spec.symbols.is_empty() || spec.symbols.contains(&one.symbol))
        };
        let has_bars = series.iter().any(serves);
        if !has_bars {
            let (name, interval) = (&spec.name, spec.interval);
            notes.push(format!("{name} is left out: nothing here makes bars of {interval}"));
        }
        has_bars
    });
    let timing = configured.feeds.iter().find(|timing| timing.venue == venue);
    let settings = EngineSettings {
        strategies,
        series,
        feeds: vec![timing.cloned().unwrap_or_else(|| FeedTiming::ordered(venue))],
        alerts: configured.alerts.clone(),
        watches: configured.watches.iter().filter(|w| is_played(&w.symbol)).cloned().collect(),
    };
    (settings, notes)
}

/// The series of an instrument that are made of what is recorded.
fn base(configured: &EngineSettings, asked: &Asked) -> Vec<SeriesSpec> {
    let own: Vec<&SeriesSpec> =
        configured.series.iter().filter(|one| one.symbol == asked.symbol).collect();
    let is_there = |one: &&SeriesSpec| match one.origin {
        Origin::Venue => asked.intervals.contains(&one.interval),
        Origin::Trades => asked.trades,
        Origin::Rolled(_) => true,
    };
    if !own.is_empty() && own.iter().all(is_there) {
        return own.into_iter().cloned().collect();
    }
    let (origin, intervals) = if asked.intervals.is_empty() {
        let roots = own.iter().filter(|one| !matches!(one.origin, Origin::Rolled(_)));
        let mut roots: Vec<Interval> = roots.map(|one| one.interval).collect();
        if roots.is_empty() {
            roots.push(Interval::M1);
        }
        (Origin::Trades, roots)
    } else {
        (Origin::Venue, asked.intervals.clone())
    };
    let series = |interval| SeriesSpec { symbol: asked.symbol.clone(), interval, origin };
    intervals.into_iter().map(series).collect()
}

/// Adds bars of a length that are made of shorter ones, where there are any.
fn roll_up(own: &mut Vec<SeriesSpec>, symbol: &Symbol, interval: Interval) {
    if own.iter().any(|one| one.interval == interval) {
        return;
    }
    let finer = own.iter().map(|one| one.interval).filter(|finer| interval.is_made_of(*finer));
    if let Some(finer) = finer.max() {
        let origin = Origin::Rolled(finer);
        own.push(SeriesSpec { symbol: symbol.clone(), interval, origin });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIGURATION: &str = r#"
        [[feeds]]
        venue = "binance"
        symbols = ["BTCUSDT", "ETHUSDT"]
        intervals = ["1m", "1h"]

        [[strategies]]
        name = "rsi_overbought"
        interval = "5m"

        [[strategies]]
        name = "golden_cross"
        interval = "1h"
        symbols = ["binance:ETHUSDT"]

        [[watches]]
        symbol = "binance:ETHUSDT"
        rule = "new_high"
    "#;

    fn plan(symbol: &str, trades: bool, intervals: &[Interval]) -> (Vec<String>, Vec<String>) {
        let settings = crate::config::parse("f", CONFIGURATION, &[]).unwrap();
        let asked =
            [Asked { symbol: symbol.parse().unwrap(), trades, intervals: intervals.to_vec() }];
        let (settings, notes) = settings_for(&settings.engine, asked[0].symbol.venue(), &asked);
        finstage_engine::Engine::new(&settings, finstage_strategies::CATALOG).unwrap();
        let series = settings.series.iter().map(|one| format!("{} {:?}", one.interval, one.origin));
        let mut told: Vec<String> = series.collect();
        told.extend(settings.strategies.iter().map(|spec| spec.name.clone()));
        told.extend(settings.watches.iter().map(|watch| watch.rule.to_string()));
        (told, notes)
    }

    #[test]
    fn what_was_configured_stays_where_its_bars_are_recorded() {
        let both = [Interval::M1, Interval::H1, Interval::D1];
        let expected = ["1m Venue", "1h Venue", "5m Rolled(M1)", "rsi_overbought"];
        assert_eq!(plan("binance:BTCUSDT", true, &both).0, expected);
        let told = plan("binance:ETHUSDT", true, &both).0;
        assert_eq!(told[4..], ["golden_cross", "new_high"], "{told:?}");
    }

    #[test]
    fn bars_are_made_of_trades_where_none_are_recorded() {
        let expected = ["1m Trades", "1h Trades", "5m Rolled(M1)", "rsi_overbought"];
        assert_eq!(plan("binance:BTCUSDT", true, &[]).0, expected);
        let expected = ["1m Trades", "5m Rolled(M1)", "rsi_overbought"];
        assert_eq!(plan("tardis:bitmex.XBTUSD", true, &[]).0, expected);
    }

    #[test]
    fn a_strategy_without_bars_is_left_out_with_a_word() {
        let (told, notes) = plan("binance:ETHUSDT", false, &[Interval::H1]);
        assert_eq!(told, ["1h Venue", "golden_cross", "new_high"]);
        assert_eq!(notes, ["rsi_overbought is left out: nothing here makes bars of 5m"]);
    }
}
