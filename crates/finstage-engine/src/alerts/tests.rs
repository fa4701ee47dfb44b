use finstage_model::{CardId, Reason};

use super::*;

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs)
}

fn desk(per_hour: u32) -> AlertDesk {
    let rules = AlertRules { cooldown_ms: 600_000, per_hour, ..AlertRules::default() };
    AlertDesk::new(rules, Duration::from_secs(600))
}

fn ask(desk: &mut AlertDesk, (id, rule, symbol): (u128, &str, &str), now: Timestamp) -> Decision {
    let symbol: Symbol = symbol.parse().unwrap();
    let cooldown = desk.cooldown();
    let request =
        Request { id: AlertId(id), rule: RuleKey::of(rule, &symbol), symbol: &symbol, cooldown };
    desk.admit(&request, now)
}

const COOLDOWN: Decision = Decision::Withhold(WithheldAlert::Cooldown);
const BUDGET: Decision = Decision::Withhold(WithheldAlert::HourlyBudget);

#[test]
fn the_cooldown_holds_for_one_rule_on_one_instrument() {
    let mut desk = desk(20);
    assert_eq!(ask(&mut desk, (1, "r", "x:A"), at(0)), Decision::Send);
    assert_eq!(ask(&mut desk, (2, "r", "x:A"), at(599)), COOLDOWN);
    assert_eq!(ask(&mut desk, (3, "r", "x:B"), at(599)), Decision::Send);
    assert_eq!(ask(&mut desk, (4, "s", "x:A"), at(599)), Decision::Send);
    assert_eq!(ask(&mut desk, (5, "r", "x:A"), at(600)), Decision::Send);
}

#[test]
fn no_60_minutes_hold_more_alerts_of_an_instrument_than_the_budget() {
    let mut desk = desk(2);
    assert_eq!(ask(&mut desk, (1, "a", "x:A"), at(0)), Decision::Send);
    assert_eq!(ask(&mut desk, (2, "b", "x:A"), at(1800)), Decision::Send);
    assert_eq!(ask(&mut desk, (3, "c", "x:A"), at(3599)), BUDGET);
    assert_eq!(ask(&mut desk, (4, "c", "x:B"), at(3599)), Decision::Send);
    assert_eq!(ask(&mut desk, (5, "c", "x:A"), at(3600)), Decision::Send);
    assert_eq!(ask(&mut desk, (6, "d", "x:A"), at(3601)), BUDGET);
}

#[test]
fn what_was_sent_is_let_through_again_and_counted_once() {
    let mut desk = desk(2);
    assert_eq!(ask(&mut desk, (1, "a", "x:A"), at(0)), Decision::Send);
    assert_eq!(ask(&mut desk, (1, "a", "x:A"), at(1)), Decision::Send);
    assert_eq!(ask(&mut desk, (2, "b", "x:A"), at(2)), Decision::Send);
}

#[test]
fn what_was_said_before_this_engine_counts_here() {
    let mut desk = desk(1);
    let said = |id, secs| Said {
        id: AlertId(id),
        symbol: "x:A".parse().unwrap(),
        rule: "r".into(),
        said_at: at(secs),
    };
    desk.on_said(&said(7, 0), at(100));
    desk.on_said(&said(8, -90_000), at(100));
    assert_eq!(ask(&mut desk, (9, "r", "x:A"), at(100)), COOLDOWN);
    assert_eq!(ask(&mut desk, (9, "other", "x:A"), at(100)), BUDGET);
    assert_eq!(ask(&mut desk, (7, "r", "x:A"), at(100)), Decision::Send);
    assert!(!desk.knows(AlertId(8)), "too old to matter");
}

#[test]
fn what_is_too_old_is_forgotten() {
    let mut desk = desk(1_000);
    for hour in 0..200 {
        for n in 0..10u32 {
            let rule = format!("r{n}");
            let id = u128::from(hour as u32 * 10 + n);
            assert_eq!(ask(&mut desk, (id, &rule, "x:A"), at(3_600 * hour)), Decision::Send);
        }
        assert!(desk.sent.len() <= 10 * 26, "{}", desk.sent.len());
        assert!(desk.hours.values().map(VecDeque::len).sum::<usize>() <= 20);
    }
}

#[test]
fn only_verified_signals_are_worth_an_alert_unless_the_user_asks_for_more() {
    let reason = Reason::NoEvidence;
    let mut desk = desk(1);
    let verified = Ruling::Verified { card: CardId(1) };
    assert_eq!(desk.objection(verified, None), None);
    assert_eq!(desk.objection(Ruling::Unproven { reason }, None), Some(WithheldAlert::NotVerified));
    assert_eq!(desk.objection(Ruling::Withheld { reason }, None), Some(WithheldAlert::Data));
    desk.rules.send_unproven = true;
    assert_eq!(desk.objection(Ruling::Unproven { reason }, None), None);
    assert_eq!(desk.objection(Ruling::Rejected { reason }, None), Some(WithheldAlert::NotVerified));
    assert_eq!(desk.objection(Ruling::Withheld { reason }, None), Some(WithheldAlert::Data));
}

#[test]
fn numbers_are_readable() {
    for (value, text) in [
        (0.0, "0"),
        (101.2, "101.2"),
        (42_850.123_4, "42850.1"),
        (1_234_567.8, "1234570"),
        (1_000_000.0, "1000000"),
        (0.000_012_345_678, "0.0000123457"),
        (-2.5, "-2.5"),
        (999_999.96, "1000000"),
        (0.1 + 0.2, "0.3"),
        (1e20, "1.00000e20"),
        (f64::NAN, "unknown"),
        (f64::NEG_INFINITY, "unknown"),
    ] {
        assert_eq!(readable(value), text, "{value}");
    }
    let facts = Facts::new(&[("fast", 101.2), ("slow", 101.1)]);
    assert_eq!(with_facts("A above B", &facts), "A above B (fast 101.2, slow 101.1)");
    assert_eq!(with_facts("A above B", &Facts::default()), "A above B");
}
