//! The catalogue of strategies, one file each: rules on closed bars that make signals.
//!
//! A strategy states where the price is expected to go and shows the numbers it rests on. It
//! deliberately does not say whether it is right: that is measured elsewhere, for each of them, on
//! the user's own data. Nothing here reads a clock, a file or a network, and nothing can tell
//! history from the present.
//!
//! The first 23 entries express 27 customary signal types:
//!
//! | types | entries |
//! |---|---|
//! | MA20, MA50, MA200 breakout up, down (6) | `ma_breakout_up`, `ma_breakout_down` with `period` 20, 50, 200 |
//! | golden cross, dead cross (2) | `golden_cross`, `dead_cross` |
//! | RSI overbought, oversold, bullish, bearish (4) | `rsi_overbought`, `rsi_oversold`, `rsi_bullish`, `rsi_bearish` |
//! | Bollinger break and touch, upper and lower (4) | `bb_break_upper`, `bb_break_lower`, `bb_touch_upper`, `bb_touch_lower` |
//! | MACD bullish, bearish, zero up, zero down (4) | `macd_bullish_cross`, `macd_bearish_cross`, `macd_zero_cross_up`, `macd_zero_cross_down` |
//! | stochastic overbought, oversold, bullish, bearish cross (4) | `stochastic_overbought`, `stochastic_oversold`, `stochastic_bullish_cross`, `stochastic_bearish_cross` |
//! | volume breakout up, down (2) | `volume_breakout_up`, `volume_breakout_down` |
//! | low volume (1) | `low_volume`; it claims no direction and is declared long so that it can be judged |
//!
//! The others are well-known combinations of these: `docs/guides/strategies.md` has all of them with idea,
//! rule and source. [`expr`] is the language in which users write their own.
//!
//! Three things to read first: [`CATALOG`] (all entries), `golden_cross.rs` (the plainest strategy)
//! and `cross.rs` (the question nearly all of them ask).
//!
//! ```
//! use finstage_engine::Entry;
//! use finstage_strategies::CATALOG;
//!
//! let entry = Entry::find(CATALOG, "golden_cross")?;
//! let params = entry.params(&[("fast".to_owned(), 20.0)])?;
//! assert_eq!(entry.canonical(&params), "golden_cross(fast=20,slow=200)");
//! assert_eq!((entry.words)(&params), "SMA(20) crossed above SMA(200)");
//! assert_eq!((entry.build)(&params).warmup(), 201);
//! # Ok::<(), finstage_engine::StrategyError>(())
//! ```
#![forbid(unsafe_code)]

use finstage_engine::{Catalog, Entry};

mod bollinger_break;
mod cross;
mod cross_on_volume;
mod donchian_breakout;
pub mod expr;
mod golden_cross;
mod ichimoku_cross;
mod keltner_breakout;
mod ma_breakout;
mod macd_adx;
mod macd_cross;
mod mfi_levels;
mod news_confirmed;
mod nr7_breakout;
mod oversold_breakout;
mod rsi2_pullback;
mod rsi_levels;
mod squeeze;
mod stochastic;
mod stochastic_trend;
mod supertrend_flip;
mod trend_agreement;
mod triple_confirmation;
mod volatility_breakout;
mod volume;
mod williams_reversal;

/// Every strategy, each name once.
pub const CATALOG: Catalog = Catalog::new(ENTRIES).with_language(expr::rule);

const ENTRIES: &[Entry] = &[
    ma_breakout::UP,
    ma_breakout::DOWN,
    golden_cross::GOLDEN,
    golden_cross::DEAD,
    rsi_levels::OVERBOUGHT,
    rsi_levels::OVERSOLD,
    rsi_levels::BULLISH,
    rsi_levels::BEARISH,
    bollinger_break::BREAK_UPPER,
    bollinger_break::BREAK_LOWER,
    bollinger_break::TOUCH_UPPER,
    bollinger_break::TOUCH_LOWER,
    macd_cross::BULLISH,
    macd_cross::BEARISH,
    macd_cross::ZERO_UP,
    macd_cross::ZERO_DOWN,
    stochastic::OVERBOUGHT,
    stochastic::OVERSOLD,
    stochastic::BULLISH,
    stochastic::BEARISH,
    volume::UP,
    volume::DOWN,
    volume::LOW,
    triple_confirmation::UP,
    triple_confirmation::DOWN,
    trend_agreement::UP,
    trend_agreement::DOWN,
    squeeze::UP,
    squeeze::DOWN,
    cross_on_volume::GOLDEN,
    cross_on_volume::DEAD,
    oversold_breakout::OVERSOLD,
    oversold_breakout::OVERBOUGHT,
    supertrend_flip::UP,
    supertrend_flip::DOWN,
    donchian_breakout::UP,
    donchian_breakout::DOWN,
    rsi2_pullback::PULLBACK,
    rsi2_pullback::RALLY,
    macd_adx::BULLISH,
    macd_adx::BEARISH,
    ichimoku_cross::BULLISH,
    ichimoku_cross::BEARISH,
    volatility_breakout::UP,
    volatility_breakout::DOWN,
    keltner_breakout::UP,
    keltner_breakout::DOWN,
    stochastic_trend::UP,
    stochastic_trend::DOWN,
    mfi_levels::OVERSOLD,
    mfi_levels::OVERBOUGHT,
    williams_reversal::OVERSOLD,
    williams_reversal::OVERBOUGHT,
    nr7_breakout::UP,
    nr7_breakout::DOWN,
    news_confirmed::UP,
    news_confirmed::DOWN,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use finstage_engine::Params;

    use super::*;

    fn defaults(entry: &Entry) -> Params {
        entry.params(&[]).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn every_entry_builds_with_its_defaults_and_says_so_in_words() {
        for entry in ENTRIES {
            let params = defaults(entry);
            let strategy = (entry.build)(&params);
            assert!(strategy.warmup() >= 2, "{}: a cross needs two bars", entry.name);
            assert!(strategy.memory() >= strategy.warmup(), "{}", entry.name);
            let words = (entry.words)(&params);
            assert!(!words.contains(['{', '}', '<', '>']), "{}: {words}", entry.name);
            let korean = entry.korean_words(&params);
            assert!(!korean.contains(['{', '}', '<', '>']), "{}: {korean}", entry.name);
            let is_korean = |letter| ('가'..='힣').contains(&letter);
            assert!(korean.chars().any(is_korean), "{}: {korean}", entry.name);
            for spec in entry.params {
                let value = params.get(spec.name).to_string();
                assert!(words.contains(&value), "{}: {words} lacks {value}", entry.name);
                assert!(entry.describes.contains(spec.name), "{}: {}", entry.name, spec.name);
                let place = format!("{{{}}}", spec.name);
                assert!(entry.korean.contains(&place), "{}: {place} in Korean", entry.name);
            }
        }
    }

    #[test]
    fn the_guide_has_every_strategy_and_every_parameter() {
        let guide = include_str!("../../../docs/guides/strategies.md");
        for entry in ENTRIES {
            let name = format!("`{}`", entry.name);
            let row = guide.lines().find(|line| line.starts_with('|') && line.contains(&name));
            let row = row.unwrap_or_else(|| panic!("{name} is not in the guide"));
            let is_pair = |other: &&Entry| row.contains(&format!("`{}`", other.name));
            for spec in ENTRIES.iter().filter(is_pair).flat_map(|entry| entry.params) {
                let (param, value) = (format!("`{}`", spec.name), spec.default.to_string());
                assert!(row.contains(&param) && row.contains(&value), "{name}: {param} {value}");
            }
        }
    }

    #[test]
    fn every_name_is_there_once() {
        let names: BTreeSet<&str> = ENTRIES.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), ENTRIES.len());
    }

    #[test]
    fn only_what_asks_for_news_hears_it() {
        let hearing = ENTRIES.iter().filter(|entry| entry.hears_news()).map(|entry| entry.name);
        assert_eq!(hearing.collect::<Vec<_>>(), ["news_confirmed_up", "news_confirmed_down"]);
    }

    #[test]
    fn the_catalogue_expresses_all_27_customary_types() {
        let periods = |entry: &Entry| if entry.name.starts_with("ma_breakout") { 3 } else { 1 };
        assert_eq!(ENTRIES[..23].iter().map(periods).sum::<usize>(), 27);
    }

    #[test]
    fn the_text_agrees_with_the_direction() {
        use finstage_model::Direction;
        for entry in ENTRIES {
            let (expected, other) = match entry.direction {
                Direction::Long => ("a rise is expected", "a fall is expected"),
                Direction::Short => ("a fall is expected", "a rise is expected"),
            };
            assert!(entry.describes.contains(expected), "{}", entry.name);
            assert!(!entry.describes.contains(other), "{}", entry.name);
        }
    }

    #[test]
    fn the_rules_read_as_people_say_them() {
        let words: Vec<String> =
            ENTRIES.iter().map(|entry| (entry.words)(&defaults(entry))).collect();
        assert_eq!(
            words,
            [
                "close crossed above SMA(20)",
                "close crossed below SMA(20)",
                "SMA(50) crossed above SMA(200)",
                "SMA(50) crossed below SMA(200)",
                "RSI(14) rose to 70 or above",
                "RSI(14) fell to 30 or below",
                "RSI(14) rose to 50 or above",
                "RSI(14) fell to 50 or below",
                "close broke above the upper Bollinger band (20, 2)",
                "close broke below the lower Bollinger band (20, 2)",
                "close within 1% of the upper Bollinger band (20, 2)",
                "close within 1% of the lower Bollinger band (20, 2)",
                "MACD(12, 26, 9) crossed above its signal line",
                "MACD(12, 26, 9) crossed below its signal line",
                "MACD(12, 26, 9) crossed above zero",
                "MACD(12, 26, 9) crossed below zero",
                "stochastic %K(14, 3) and %D at 80 or above",
                "stochastic %K(14, 3) and %D at 20 or below",
                "stochastic %K(14, 3) crossed above its %D",
                "stochastic %K(14, 3) crossed below its %D",
                "close rose by more than 1% on 2 times the mean volume of 20 bars",
                "close fell by more than 1% on 2 times the mean volume of 20 bars",
                "volume at most 0.5 times its mean over 20 bars",
                "close above SMA(20), RSI(14) above 50 and volume above its mean of 20 bars",
                "close below SMA(20), RSI(14) below 50 and volume above its mean of 20 bars",
                "close crossed above SMA(20) with the longer interval above its SMA(10)",
                "close crossed below SMA(20) with the longer interval below its SMA(10)",
                "close broke above the upper Bollinger band (20, 2) within 5 bars of a squeeze inside the Keltner channel (20, 1.5)",
                "close broke below the lower Bollinger band (20, 2) within 5 bars of a squeeze inside the Keltner channel (20, 1.5)",
                "SMA(50) crossed above SMA(200) on 1.5 times the mean volume of 20 bars",
                "SMA(50) crossed below SMA(200) on 1.5 times the mean volume of 20 bars",
                "close crossed above SMA(20) within 10 bars of RSI(14) at 30 or below",
                "close crossed below SMA(20) within 10 bars of RSI(14) at 70 or above",
                "Supertrend(10, 3) turned up",
                "Supertrend(10, 3) turned down",
                "close above the highest high of the last 20 bars",
                "close below the lowest low of the last 20 bars",
                "RSI(2) fell to 10 or below with the close above SMA(200)",
                "RSI(2) rose to 90 or above with the close below SMA(200)",
                "MACD(12, 26, 9) crossed above its signal line with ADX(14) at 25 or above",
                "MACD(12, 26, 9) crossed below its signal line with ADX(14) at 25 or above",
                "tenkan(9) crossed above kijun(26) above the cloud (52, 26)",
                "tenkan(9) crossed below kijun(26) below the cloud (52, 26)",
                "close above the open by more than 0.5 times the previous range",
                "close below the open by more than 0.5 times the previous range",
                "close crossed above the upper line of the Keltner channel (20, 10, 2)",
                "close crossed below the lower line of the Keltner channel (20, 10, 2)",
                "stochastic %K(14, 3) crossed above its %D within 30 points of the end, close above SMA(50)",
                "stochastic %K(14, 3) crossed below its %D within 30 points of the end, close below SMA(50)",
                "MFI(14) fell to 20 or below",
                "MFI(14) rose to 80 or above",
                "Williams %R(14) came back above -80",
                "Williams %R(14) came back below -20",
                "close above the high of the narrowest of 7 bars",
                "close below the low of the narrowest of 7 bars",
                "close crossed above SMA(20), the tone of 24 h of news at least 0.1",
                "close crossed below SMA(20), the tone of 24 h of news at most -0.1",
            ]
        );
    }

    #[test]
    fn parameters_that_make_no_sense_are_refused() {
        let refused = |name: &str, given: &[(&str, f64)]| {
            let given: Vec<_> = given.iter().map(|&(name, v)| (name.to_owned(), v)).collect();
            let entry = Entry::find(CATALOG, name).expect("a name of the catalogue");
            entry.params(&given).map(|_| ()).unwrap_err().to_string()
        };
        let why = refused("golden_cross", &[("fast", 200.0)]);
        assert_eq!(why, "golden_cross: fast must be less than slow");
        let why = refused("macd_bearish_cross", &[("slow", 5.0)]);
        assert_eq!(why, "macd_bearish_cross: fast must be less than slow");
        assert!(refused("ma_breakout_up", &[("period", 1.0)]).contains("not between 2"));
        assert!(refused("bb_break_lower", &[("period", 1.0)]).contains("not between 2"));
        let why = refused("stochastic_bullish_cross", &[("average", 1.0)]);
        assert_eq!(why, "stochastic_bullish_cross: average must be at least 2 for a cross");
        assert!(refused("low_volume", &[("period", 1.0)]).contains("not between 2"));
        assert!(refused("rsi_oversold", &[("level", 60.0)]).contains("not between 0 and 50"));
    }
}
