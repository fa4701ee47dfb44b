//! The catalogue of strategies, one file each: rules on closed bars that make signals.
//!
//! A strategy states where the price is expected to go and shows the numbers it rests on. It
//! deliberately does not say whether it is right: that is measured elsewhere, for each of them, on
//! the user's own data. Nothing here reads a clock, a file or a network, and nothing can tell
//! history from the present.
//!
//! The 23 entries express 27 customary signal types:
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

use finstage_engine::Entry;

mod bollinger_break;
mod cross;
mod golden_cross;
mod ma_breakout;
mod macd_cross;
mod rsi_levels;
mod stochastic;
mod volume;

/// Every strategy, each name once.
pub const CATALOG: &[Entry] = &[
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
        for entry in CATALOG {
            let params = defaults(entry);
            let strategy = (entry.build)(&params);
            assert!(strategy.warmup() >= 2, "{}: a cross needs two bars", entry.name);
            assert!(strategy.memory() >= strategy.warmup(), "{}", entry.name);
            let words = (entry.words)(&params);
            assert!(!words.contains(['{', '}', '<', '>']), "{}: {words}", entry.name);
            for spec in entry.params {
                let value = params.get(spec.name).to_string();
                assert!(words.contains(&value), "{}: {words} lacks {value}", entry.name);
                assert!(entry.describes.contains(spec.name), "{}: {}", entry.name, spec.name);
            }
        }
    }

    #[test]
    fn every_name_is_there_once() {
        let names: BTreeSet<&str> = CATALOG.iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), CATALOG.len());
    }

    #[test]
    fn the_catalogue_expresses_all_27_customary_types() {
        let periods = |entry: &Entry| if entry.name.starts_with("ma_breakout") { 3 } else { 1 };
        assert_eq!(CATALOG.iter().map(periods).sum::<usize>(), 27);
    }

    #[test]
    fn the_text_agrees_with_the_direction() {
        use finstage_model::Direction;
        for entry in CATALOG {
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
            CATALOG.iter().map(|entry| (entry.words)(&defaults(entry))).collect();
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
