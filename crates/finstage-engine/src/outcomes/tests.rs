use finstage_model::{InstrumentId, Span, text};

use super::*;

/// Daily bars; the signal stands on the bar of 2026-01-05.
const DAYS: &str = "1d x:A   open high low close volume
    2026-01-02  10 10 10 10 1
    2026-01-05  10 10 10 10 1
    2026-01-06  20 22 15 21 1
    2026-01-07  21 30 21 25 1
    2026-01-08  25 99  1 25 1
    2026-01-09  26 26 26 26 1
    2026-01-12  24 24 24 24 1
    2026-01-13  19 19 19 19 1
    2026-01-14  18 18 18 18 1";

fn ask(table: &str, direction: Direction, horizon: &str, calendar: &Calendar) -> Settlement {
    let bars = text::read_bars(table, InstrumentId(0)).unwrap().bars;
    let question = Question {
        signal: SignalId(7),
        direction,
        open_time: "2026-01-05".parse().unwrap(),
        horizon: horizon.parse().unwrap(),
    };
    settle(&question, &bars, calendar)
}

fn outcome(settlement: Settlement) -> Outcome {
    match settlement {
        Settlement::Settled(outcome) => outcome,
        other => panic!("{other:?}"),
    }
}

#[test]
fn entry_is_the_next_open_and_exit_the_open_after_the_horizon() {
    let always = Calendar::always();
    let one_day = outcome(ask(DAYS, Direction::Long, "1d", &always));
    assert!((one_day.ret - (21.0 / 20.0 - 1.0)).abs() < 1e-12);
    assert!((one_day.mfe - 0.1).abs() < 1e-12, "the high of the one bar held");
    assert!((one_day.mae - 0.25).abs() < 1e-12, "the low of the one bar held");
    assert!(one_day.hit);
    assert_eq!((one_day.signal, one_day.horizon.to_string()), (SignalId(7), "1d".into()));
}

#[test]
fn a_short_signal_sees_the_excursions_the_other_way_round() {
    let short = outcome(ask(DAYS, Direction::Short, "1d", &Calendar::always()));
    assert!((short.mfe - 0.25).abs() < 1e-12 && (short.mae - 0.1).abs() < 1e-12);
    assert!(short.ret > 0.0 && !short.hit);
}

#[test]
fn a_week_has_five_days_where_the_market_closes_and_seven_where_it_never_does() {
    let span = Span { open: "2026-01-05".parse().unwrap(), close: "2026-01-06".parse().unwrap() };
    let sessions = Calendar::sessions(vec![span]).unwrap();
    let week = outcome(ask(DAYS, Direction::Long, "1w", &sessions));
    assert!((week.ret - (19.0 / 20.0 - 1.0)).abs() < 1e-12);
    assert!((week.mae - 0.95).abs() < 1e-12);
    assert!(!week.hit);
    assert_eq!(ask(DAYS, Direction::Long, "1w", &Calendar::always()), Settlement::NotYet);
}

#[test]
fn what_cannot_be_settled_says_why() {
    let always = Calendar::always();
    assert_eq!(ask(DAYS, Direction::Long, "4h", &always), Settlement::TooShort);
    assert_eq!(ask(DAYS, Direction::Long, "1mo", &always), Settlement::NotYet);
    let without = DAYS.replace("2026-01-05", "2026-01-04");
    assert_eq!(ask(&without, Direction::Long, "1d", &always), Settlement::Missing);
    let free = DAYS.replace("20 22 15 21", "0 22 0 21");
    assert_eq!(ask(&free, Direction::Long, "1d", &always), Settlement::Missing);
    assert_eq!(ask("1d x:A", Direction::Long, "1d", &always), Settlement::Missing);
}

#[test]
fn a_price_that_did_not_move_is_no_hit_for_anyone() {
    let flat = DAYS.replace("21 30 21 25", "20 30 20 25");
    for direction in [Direction::Long, Direction::Short] {
        assert!(!outcome(ask(&flat, direction, "1d", &Calendar::always())).hit);
    }
}
