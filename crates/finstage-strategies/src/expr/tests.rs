use finstage_engine::harness::{check_when, signals_when};
use finstage_quant::ALL;
use proptest::prelude::*;

use super::*;
use crate::CATALOG;

#[track_caller]
fn fires(text: &str, fixture: &str) {
    check_when(CATALOG, &When::long(text), fixture);
}

#[track_caller]
fn canonical(text: &str) -> String {
    Expression::parse(text).unwrap_or_else(|why| panic!("{why}")).canonical()
}

#[track_caller]
fn refused(text: &str) -> String {
    Expression::parse(text).expect_err("a text that is refused").to_string()
}

fn first_line(text: &str) -> String {
    refused(text).lines().next().unwrap_or_default().to_owned()
}

#[test]
fn a_condition_fires_where_it_becomes_true() {
    fires("close > 10", "close: 9 11 12 9 10 11\nfires: . L . . . L");
    let short = When { direction: Direction::Short, ..When::long("close < 10") };
    check_when(CATALOG, &short, "close: 11 9 8 11 9\nfires: . S . . S");
}

#[test]
fn true_from_the_first_it_did_not_become_so() {
    fires("close > 10", "close: 11 12 9 11\nfires: . . . L");
    fires("sma(3) > 10", "close: 11 11 11 11 2 2 40\nfires: . . . . . . L");
}

#[test]
fn with_every_bar_it_fires_wherever_it_is_true() {
    let when = When { every_bar: true, ..When::long("close > 10") };
    check_when(CATALOG, &when, "close: 11 12 9 11\nfires: L L . L");
    let cross = When { every_bar: true, ..When::long("cross_above(close, 10)") };
    check_when(CATALOG, &cross, "close: 11 9 11 12\nfires: . . L .");
}

#[test]
fn a_cross_is_one_bar_long_and_a_tie_belongs_to_before() {
    fires("cross_above(close, 10)", "close: 9 10 11 12 10 11\nfires: . . L . . L");
    fires("cross_below(close, 10)", "close: 11 10 9 8 10 9\nfires: . . L . . L");
    fires("cross_above(sma(2), sma(3))", "close: 10 10 10 12 14 14\nfires: . . . L . .");
}

#[test]
fn every_sign_and_word_does_what_it_says() {
    let bar = "
        open:  10 10
        high:  10 14
        low:   10  8
        close: 10 12
        volume: 1  3
        ";
    for (text, holds) in [
        ("close - open == 2", true),
        ("close != 12", false),
        ("high - low >= 6 and volume < 3", false),
        ("high - low >= 6 or volume < 3", true),
        ("high - low > 5 and not volume < 3", true),
        ("close + 2 * 3 == 18", true),
        ("(close + 2) * 3 == 42", true),
        ("close - 2 - 3 == 7", true),
        ("close / 4 / 3 == 1", true),
        ("-close == 0 - 12", true),
        ("- -close < -close", false),
        ("abs(open - close) == 2", true),
        ("min(close, 11) == 11 and max(close, 13) == 13", true),
        ("prev(close) == 10", true),
        ("change(close, 1) == 2", true),
        ("highest(high, 2) == 14 and lowest(low, 2) == 8", true),
        ("rising(close)", true),
        ("falling(close)", false),
        ("within(close == 10, 2) and within(close == 12, 1)", true),
        ("within(close == 10, 1)", false),
    ] {
        let when = When { every_bar: true, ..When::long(text) };
        let said = signals_when(CATALOG, &when, bar);
        let on_last = said.iter().any(|signal| signal.price.to_f64() == 12.0);
        assert_eq!(on_last, holds, "{text}");
    }
}

#[test]
fn functions_over_bars_count_the_present_one() {
    fires("close == highest(close, 3)", "close: 9 9 5 6 5 4 7\nfires: . . . . . . L");
    fires("rising(close, 2)", "close: 9 10 9 10 11 12\nfires: . . . . L .");
    fires("falling(close, 2)", "close: 9 8 9 8 8 7 6\nfires: . . . . . . L");
    fires("within(close > 10, 2)", "close: 9 9 11 9 9 11\nfires: . . L . . L");
    fires("prev(close, 2) < close", "close: 9 9 9 8 10 9\nfires: . . . . L .");
    fires("change(close, 2) > 0", "close: 9 9 9 8 10 9\nfires: . . . . L .");
    fires("lowest(low, 2) < 5", "close: 9 9 4 9 9 4\nfires: . . L . . L");
}

#[test]
fn what_is_not_known_silences_the_whole_bar() {
    // The mean of four is not known before the fourth bar, whatever stands beside it.
    fires("close > 10 or sma(4) > 10", "close: 9 11 9 9 9 11\nfires: . . . . . L");
    // Nothing has a ratio to no volume; after that bar it is not known what was before.
    fires("close / volume > 4", "close: 9 9 9 9\nvolume: 9 0 1 1\nfires: . . . .");
    fires(
        "highest(close / volume, 2) > 4",
        "close: 9 9 9 9 9 9\nvolume: 9 9 0 9 9 1\nfires: . . . . . L",
    );
}

#[test]
fn a_signal_shows_what_was_compared() {
    let when = When::long("cross_above(sma(2), sma(3)) and volume > 0");
    let [signal] = signals_when(CATALOG, &when, "close: 10 10 10 13\nvolume: 1 1 1 5")[..] else {
        panic!("one signal");
    };
    // "volume" holds from the first bar, so the cross decides.
    let facts = [("sma(2)", 11.5), ("sma(3)", 11.0), ("volume", 5.0)];
    assert_eq!(signal.facts, Facts::new(&facts));
    assert_eq!(signal.strength, 0.5 / 11.0 * 100.0);
}

#[test]
fn a_long_operand_has_a_letter_that_the_words_explain() {
    let when = When::long("(high + low + close + open) / 4.5 > close and close > 1");
    let rule = rule("mine", &when).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(
        rule.words,
        "mine: (high + low + close + open) / 4.5 > close and close > 1; a = (high + low + close + open) / 4.5"
    );
}

#[test]
fn the_canonical_form_is_one_for_all_ways_of_writing_it() {
    for (typed, written) in [
        ("RSI<30", "rsi(14) < 30"),
        ("((rsi(timeperiod=14))) < 30.0", "rsi(14) < 30"),
        ("macd.macd > Macd(12, 26).macdsignal", "macd(12,26,9).macd > macd(12,26,9).macdsignal"),
        ("not (close > 1 and open > 1)", "not (close > 1 and open > 1)"),
        ("(close > 1 or open > 1) and low > 1", "(close > 1 or open > 1) and low > 1"),
        ("(close > 1 and open > 1) or low > 1", "close > 1 and open > 1 or low > 1"),
        ("close - (open - low) > -(high) * -2", "close - (open - low) > -high * -2"),
        ("close / (open * low) > 1e-3", "close / (open * low) > 0.001"),
        ("-(close + 1) < 2", "-(close + 1) < 2"),
        ("rising(close)\n AND\tfalling(low, 3)", "rising(close, 1) and falling(low, 3)"),
        (
            "cross_above ( close , supertrend.supertrend )",
            "cross_above(close, supertrend(10,3).supertrend)",
        ),
    ] {
        assert_eq!(canonical(typed), written);
        assert_eq!(canonical(written), written, "it is read as it is written");
    }
}

#[test]
fn a_rule_is_named_by_all_that_it_claims() {
    let when = |every_bar, direction| When { every_bar, direction, ..When::long("RSI < 30") };
    let canonical = |when: &When| rule("dip", when).map(|rule| rule.canonical);
    assert_eq!(canonical(&when(false, Direction::Long)).unwrap(), "dip: rsi(14) < 30");
    assert_eq!(canonical(&when(false, Direction::Short)).unwrap(), "dip short: rsi(14) < 30");
    assert_eq!(
        canonical(&when(true, Direction::Short)).unwrap(),
        "dip short every bar: rsi(14) < 30"
    );
}

#[test]
fn the_family_has_no_numbers() {
    let family =
        |text: &str| Expression::parse(text).unwrap_or_else(|why| panic!("{why}")).family();
    let expected = "cross_above(sma(_), sma(_)) and volume_ratio(_) > _";
    assert_eq!(family("cross_above(sma(50), sma(200)) and volume_ratio(20) > 1.5"), expected);
    assert_eq!(family("cross_above(sma(5), sma) and volume_ratio > -2"), expected);
    assert_eq!(family("within(close < prev(low, 3), 9)"), "within(close < prev(low, _), _)");
}

#[test]
fn equal_parts_are_computed_once() {
    let ops =
        |text: &str| Expression::parse(text).unwrap_or_else(|why| panic!("{why}")).program.ops;
    // The indicator, its two outputs, the comparison.
    assert_eq!(ops("macd.macd > macd(12,26,9).macdsignal").len(), 4);
    assert_eq!(ops("rsi(14) > 50 or rsi(14) > 50").len(), 5);
    assert_eq!(ops("rsi(14) > 50 or rsi(14) > 51").len(), 7);
}

#[test]
fn warm_up_and_memory_follow_from_the_parts() {
    let depth = |text: &str| {
        let expression = Expression::parse(text).unwrap_or_else(|why| panic!("{why}"));
        (expression.warmup(false), expression.warmup(true), expression.memory())
    };
    assert_eq!(depth("close > open"), (2, 1, 2));
    assert_eq!(depth("cross_above(sma(50), sma(200))"), (201, 201, 202));
    assert_eq!(depth("prev(sma(10), 5) > close"), (16, 15, 16));
    assert_eq!(depth("highest(high, 20) > 1"), (21, 20, 22));
    let (warmup, _, memory) = depth("rsi(14) < 30");
    assert!(warmup == 16 && memory > 280, "{warmup} {memory}");
    assert_eq!(depth("obv() > 0").2, FOREVER_BARS + 1);
}

#[test]
fn every_indicator_has_its_name_and_every_output_its_own() {
    for spec in ALL {
        let name = spec.name.to_ascii_lowercase();
        for output in spec.outputs {
            let text = format!("{name}().{output} > 0");
            assert!(Expression::parse(&text).is_ok(), "{text}");
        }
    }
}

#[test]
fn an_error_shows_the_place_and_the_remedy() {
    assert_eq!(
        refused("cross_above(smaa(50), sma(200))"),
        "line 1, column 13: nothing is called \"smaa\"; did you mean \"sma\"?\n  | cross_above(smaa(50), sma(200))\n  |             ^^^^"
    );
    assert_eq!(
        refused("close > 1 and\n  rsi(period=14) < 30"),
        "line 2, column 3: RSI: no parameter \"period\"; it has timeperiod\n  |   rsi(period=14) < 30\n  |   ^^^^^^^^^^^^^^"
    );
    for (text, line) in [
        ("", "line 1, column 1: expected a number, a name or \"(\", found the end"),
        (
            "close",
            "line 1, column 1: expected a condition, found a number; compare it with something: x > 0",
        ),
        (
            "close > open > low",
            "line 1, column 14: comparisons have two sides: join two of them with \"and\"",
        ),
        ("close = open", "line 1, column 7: to compare, write =="),
        ("(close > 1", "line 1, column 11: expected \")\", found the end"),
        ("sma(20 > 1", "line 1, column 11: expected \",\" or \")\", found the end"),
        (
            "close > 1 open",
            "line 1, column 11: expected \"and\", \"or\", a sign or the end, found \"open\"",
        ),
        ("(close > 1) + 1 > 2", "line 1, column 1: expected a number, found a condition"),
        (
            "macd > 0",
            "line 1, column 1: macd has several outputs: choose one of .macd, .macdsignal, .macdhist",
        ),
        (
            "macd.signal > 0",
            "line 1, column 6: macd has no output .signal; it has .macd, .macdsignal, .macdhist",
        ),
        (
            "sma(rsi(14)) > 0",
            "line 1, column 5: parameters of sma are plain numbers; it reads the bar itself",
        ),
        ("sma(0) > 0", "line 1, column 1: SMA: timeperiod = 0 is not between 1 and 100000"),
        (
            "close(3) > 0",
            "line 1, column 1: close is a number of the bar and takes nothing: write close",
        ),
        (
            "highest(close) > 0",
            "line 1, column 1: highest takes other arguments: write highest(x, bars)",
        ),
        ("abs(x=close) > 0", "line 1, column 5: arguments have no names here: write abs(x)"),
        ("abs(close).real > 0", "line 1, column 12: abs has no outputs"),
        ("prev(close, 1.5) > 0", "line 1, column 13: expected a number of bars, 1 to 10000"),
        (
            "within(close, 2)",
            "line 1, column 8: expected a condition, found a number; compare it with something: x > 0",
        ),
        ("not", "line 1, column 4: expected a number, a name or \"(\", found the end"),
        ("close > and", "line 1, column 9: expected a number, a name or \"(\", found \"and\""),
        (
            "zzzzzzzzz > 1",
            "line 1, column 1: nothing is called \"zzzzzzzzz\"; there are open high low close volume, functions, and indicators such as rsi(14)",
        ),
    ] {
        assert_eq!(first_line(text), line, "{text}");
    }
}

#[test]
fn everything_is_bounded() {
    let long = format!("close > {}", " ".repeat(MAX_TEXT));
    assert!(first_line(&long).contains("more than 2000"));
    let deep = format!("{}close{} > 1", "(".repeat(40), ")".repeat(40));
    assert!(first_line(&deep).contains("nested at most 32 deep"));
    assert!(first_line(&format!("{}close > 1", "not ".repeat(40))).contains("nested at most"));
    assert!(first_line(&format!("{}close > 1", "-".repeat(40))).contains("nested at most"));
    let wide = format!("{}close > 1", "1+".repeat(150));
    assert!(first_line(&wide).contains("at most 200 parts"));
    assert!(first_line("sma(6000) > sma(5000)").contains("more than 10000 bars"));
    assert!(first_line("sma(100000) > 1").contains("more than 10000 bars"));
    assert!(Expression::parse("sma(6000) > sma(4000)").is_ok());
}

#[test]
fn a_rule_of_the_settings_is_refused_with_its_name() {
    use finstage_engine::{Rule, StrategySpec};
    use finstage_model::Interval;
    let why = |name: &str, params: &[(&str, f64)], text: &str| {
        let params = params.iter().map(|&(name, value)| (name.to_owned(), value)).collect();
        let when = Some(When::long(text));
        let (name, interval) = (name.to_owned(), Interval::D1);
        let spec = StrategySpec { name, params, interval, symbols: Vec::new(), when };
        Rule::of(&spec, CATALOG).expect_err("a rule that is refused").to_string()
    };
    assert!(why("mine", &[], "clos > 1").starts_with("mine: line 1, column 1: nothing is called"));
    assert!(why("golden_cross", &[], "close > 1").contains("give yours another one"));
    assert!(why("my cross", &[], "close > 1").contains("letters, digits and _"));
    assert!(why("mine", &[("fast", 1.0)], "close > 1").contains("write the numbers into it"));
}

/// Texts of the words of the language, in any order.
fn wordy() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "close",
        "sma",
        "macd",
        ".macd",
        "(",
        ")",
        "(",
        ")",
        ",",
        "and",
        "or",
        "not",
        "<",
        ">=",
        "==",
        "+",
        "-",
        "*",
        "/",
        "14",
        "2.5",
        "prev",
        "within",
        "cross_above",
        "timeperiod",
        "=",
        "rsi(2)",
        "1e9",
        "\n",
        "€",
        "volume_ratio(3)",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        if let Err(error) = Expression::parse(&text) {
            prop_assert!(error.line >= 1 && error.column >= 1 && !error.to_string().is_empty());
        }
    }

    #[test]
    fn no_order_of_words_panics_and_what_is_read_is_read_again_as_written(text in wordy()) {
        if let Ok(expression) = Expression::parse(&text) {
            let again = Expression::parse(&expression.canonical()).unwrap();
            prop_assert_eq!(again.canonical(), expression.canonical());
            prop_assert_eq!(again, expression);
        }
    }
}
