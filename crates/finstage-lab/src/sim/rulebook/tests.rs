use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_040_000 + ms) // second 0 of a minute
}

/// Asks at each moment for one; `.` let in, the wait in ms where it is refused.
fn told(rule: Rule, moments: &[i64]) -> String {
    let mut book = Rulebook::new(vec![rule]);
    let one = |ms: &i64| match book.admit(at(*ms), &Caller::default(), &[("calls", 1)]) {
        Verdict::Admitted => ".".to_owned(),
        Verdict::Refused(refusal) => refusal.wait.as_millis().to_string(),
    };
    moments.iter().map(one).collect::<Vec<String>>().join(" ")
}

#[test]
fn an_aligned_period_begins_on_the_clock_whoever_asks_when() {
    let rule = Rule::new("calls", 2, Shape::Aligned(SECOND));
    // Twice the limit passes around a boundary, as at real servers.
    assert_eq!(told(rule, &[900, 999, 999, 1_000, 1_000, 1_001]), ". . 1 . . 999");
}

#[test]
fn an_anchored_period_begins_with_its_first_cost() {
    let rule = Rule::new("calls", 2, Shape::Anchored(SECOND));
    assert_eq!(told(rule, &[900, 999, 1_000, 1_899, 1_900, 2_899, 2_900]), ". . 900 1 . . .");
    assert_eq!(told(rule, &[0, 5_500, 5_600, 5_700, 6_499, 6_500]), ". . . 800 1 .");
}

#[test]
fn a_sliding_period_lets_in_when_the_oldest_cost_is_a_period_old() {
    let rule = Rule::new("calls", 2, Shape::Sliding(SECOND));
    assert_eq!(told(rule, &[0, 600, 601, 999, 1_000, 1_001, 1_599, 1_600]), ". . 399 1 . 599 1 .");
}

#[test]
fn a_decaying_counter_lets_a_burst_in_and_then_its_rate() {
    let rule = Rule::new("calls", 3, Shape::Decaying(SECOND));
    assert_eq!(told(rule, &[0, 0, 0, 0, 999, 1_000, 1_000, 5_000]), ". . . 1000 1 . 1000 .");
    // It does not fall below nothing: rest is not saved.
    assert_eq!(told(rule, &[60_000, 60_000, 60_000, 60_000]), ". . . 1000");
}

#[test]
fn refused_requests_cost_where_the_rule_says_so() {
    let free = Rule::new("calls", 1, Shape::Sliding(SECOND));
    let counted = Rule { refused: Refused::Counted, ..free };
    assert_eq!(told(free, &[0, 500, 1_000, 1_500]), ". 500 . 500");
    // Who asks twice a second is never let in again; who rests for a second is.
    assert_eq!(told(counted, &[0, 500, 1_000, 1_500, 2_500]), ". 500 500 500 .");
}

#[test]
fn a_request_is_let_in_by_all_rules_or_costs_nothing() {
    let second = Shape::Aligned(SECOND);
    let mut book =
        Rulebook::new(vec![Rule::new("weight", 10, second), Rule::new("orders", 1, second)]);
    let who = Caller::default();
    assert!(book.admit(at(0), &who, &[("weight", 4), ("orders", 1)]).is_admitted());
    let Verdict::Refused(refusal) = book.admit(at(0), &who, &[("weight", 4), ("orders", 1)]) else {
        panic!("one order a second")
    };
    assert_eq!(refusal.rule, "orders");
    assert_eq!(book.used(at(0), &who, "weight"), 4, "the refused one was not entered");
    assert!(book.admit(at(0), &who, &[("weight", 6)]).is_admitted());
    assert!(!book.admit(at(0), &who, &[("weight", 1)]).is_admitted());
    assert!(book.admit(at(0), &who, &[("weight", 0)]).is_admitted(), "nothing fits always");
    assert_eq!(book.tally(), Tally { admitted: 3, refused: 2, banned: 0 });
}

#[test]
fn each_key_address_connection_and_topic_is_counted_by_itself() {
    let one = |scope| {
        Rulebook::new(vec![Rule { scope, ..Rule::new("calls", 1, Shape::Aligned(SECOND)) }])
    };
    let me = Caller { key: "a", address: "x", connection: 1, topic: "t" };
    let others = [
        (Scope::Key, Caller { key: "b", ..me }),
        (Scope::Address, Caller { address: "y", ..me }),
        (Scope::Connection, Caller { connection: 2, ..me }),
        (Scope::AddressAndTopic, Caller { topic: "u", ..me }),
    ];
    for (scope, other) in others {
        let mut book = one(scope);
        assert!(book.admit(at(0), &me, &[("calls", 1)]).is_admitted());
        assert!(book.admit(at(0), &other, &[("calls", 1)]).is_admitted(), "{scope:?}");
        assert!(!book.admit(at(0), &me, &[("calls", 1)]).is_admitted());
    }
    let mut book = one(Scope::Address);
    assert!(book.admit(at(0), &me, &[("calls", 1)]).is_admitted());
    assert!(!book.admit(at(0), &Caller { key: "b", ..me }, &[("calls", 1)]).is_admitted());
}

#[test]
fn a_cost_of_nothing_is_refused_by_a_ban_only() {
    let first = Duration::from_secs(120);
    let ban = Ban { after: 0, first, longest: first, status: 418 };
    let shape = Shape::Aligned(Duration::from_secs(60));
    let mut book = Rulebook::new(vec![Rule { ban: Some(ban), ..Rule::new("weight", 10, shape) }]);
    let (me, now) = (Caller::of_key("a"), Timestamp::from_secs(1_700_000_040));
    assert!(book.admit(now, &me, &[("weight", 10)]).is_admitted());
    book.set_factor(500);
    assert!(book.admit(now, &me, &[("weight", 0)]).is_admitted());
    assert!(!book.admit(now, &me, &[("weight", 1)]).is_admitted());
    assert!(!book.admit(now, &me, &[("weight", 0)]).is_admitted());
    assert!(book.admit(now.plus(first), &me, &[("weight", 0)]).is_admitted());
}

#[test]
fn bans_grow_and_what_knocks_at_a_closed_door_is_not_counted() {
    let (first, longest) = (Duration::from_secs(60), Duration::from_secs(150));
    let ban = Ban { after: 2, first, longest, status: 418 };
    let rule =
        Rule { ban: Some(ban), ..Rule::new("calls", 1, Shape::Aligned(Duration::from_secs(60))) };
    let (mut book, who) = (Rulebook::new(vec![rule]), Caller::default());
    let mut ask = |ms| match book.admit(at(ms), &who, &[("calls", 1)]) {
        Verdict::Admitted => (200, 0),
        Verdict::Refused(refusal) => (refusal.status, refusal.retry_after_s()),
    };
    assert_eq!([0, 1_000, 1_500].map(&mut ask), [(200, 0), (429, 59), (429, 59)]);
    assert_eq!([2_000, 61_000, 61_999].map(&mut ask), [(418, 60), (418, 1), (418, 1)]);
    assert_eq!([62_000, 63_000, 64_000].map(&mut ask), [(200, 0), (429, 57), (429, 56)]);
    assert_eq!(ask(65_000), (418, 120), "twice as long");
    assert_eq!([185_000, 185_000, 185_000, 185_000].map(&mut ask)[3], (418, 150), "the longest");
    assert_eq!(book.tally().banned, 2, "and two bans more were pronounced as refusals");
}

#[test]
fn a_limit_that_is_halved_counts_from_the_next_request() {
    let mut book = Rulebook::new(vec![Rule::new("calls", 4, Shape::Aligned(SECOND))]);
    let ask = |book: &mut Rulebook, n| {
        (0..n)
            .filter(|_| book.admit(at(0), &Caller::default(), &[("calls", 1)]).is_admitted())
            .count()
    };
    assert_eq!(ask(&mut book, 1), 1);
    book.set_factor(500);
    assert_eq!(ask(&mut book, 5), 1);
    book.set_factor(1_000);
    assert_eq!(ask(&mut book, 5), 2);
    book.set_factor(0);
    assert!(!book.admit(at(0), &Caller::default(), &[("calls", 1)]).is_admitted());
    assert!(
        book.admit(at(1_000), &Caller::default(), &[("calls", 1)]).is_admitted(),
        "one is left"
    );
}

#[test]
fn callers_who_are_idle_make_room() {
    let mut book = Rulebook::new(vec![Rule::new("calls", 1, Shape::Aligned(SECOND))]);
    for i in 0..MAX_CALLERS + 5 {
        let key = i.to_string();
        let now = at(if i < 10 { 0 } else { 1_000 });
        assert!(book.admit(now, &Caller::of_key(&key), &[("calls", 1)]).is_admitted());
    }
    assert!(book.books.len() <= MAX_CALLERS);
    assert!(!book.admit(at(1_500), &Caller::of_key("500"), &[("calls", 1)]).is_admitted());
}

proptest! {
    /// Whatever is asked and however, what was let in satisfies the sentence that the rule is.
    #[test]
    fn what_is_let_in_obeys_the_rule(
        asked in prop::collection::vec((0_i64..400, 1_u32..4), 1..120),
        limit in 3_u32..9,
        kind in 0_usize..3,
    ) {
        let shape = [Shape::Aligned(SECOND), Shape::Sliding(SECOND), Shape::Decaying(SECOND)][kind];
        let mut book = Rulebook::new(vec![Rule::new("calls", limit, shape)]);
        let (mut now, mut passed) = (0, Vec::new());
        for (pause, cost) in asked {
            now += pause;
            match book.admit(at(now), &Caller::default(), &[("calls", cost)]) {
                Verdict::Admitted => passed.push((now, u64::from(cost))),
                Verdict::Refused(refusal) => {
                    // The wait is no longer than needed, and long enough.
                    let ready = at(now).plus(refusal.wait);
                    let early = ready.minus(Duration::from_nanos(1));
                    let ask = |when| book.clone().admit(when, &Caller::default(), &[("calls", cost)]);
                    prop_assert!(ask(ready).is_admitted() && !ask(early).is_admitted());
                }
            }
        }
        for (i, (from, _)) in passed.iter().enumerate() {
            let sum = |span: &dyn Fn(i64) -> bool| -> u64 {
                passed[i..].iter().filter(|(when, _)| span(*when)).map(|(_, cost)| cost).sum()
            };
            match kind {
                0 => prop_assert!(sum(&|when| when / 1_000 == from / 1_000) <= u64::from(limit)),
                1 => prop_assert!(sum(&|when| when - from < 1_000) <= u64::from(limit)),
                _ => for (until, _) in &passed[i..] {
                    // Over any span: a full counter and what fell out of it meanwhile.
                    let sum = sum(&|when| when <= *until) * 1_000;
                    prop_assert!(sum <= u64::from(limit) * 1_000 + (until - from).unsigned_abs());
                },
            }
        }
    }
}

#[test]
fn a_counter_that_is_carried_on_says_what_its_whole_list_would() {
    let (room, one_ms) = (500_u64, 20_u64);
    let rule = Rule::new("calls", room as u32, Shape::Decaying(Duration::from_millis(one_ms)));
    let mut book = Rulebook::new(vec![rule]);
    let mut rng = crate::rng::Rng::new(8);
    let (mut now_ms, mut used_ms, mut refused) = (0, 0_u64, 0);
    for _ in 0..5_000 {
        let (pause, cost) = (rng.below(60), 1 + rng.below(3));
        now_ms += pause;
        used_ms = used_ms.saturating_sub(pause);
        let fits = used_ms + cost * one_ms <= room * one_ms;
        let now = at(now_ms as i64);
        let verdict = book.admit(now, &Caller::default(), &[("calls", cost as u32)]);
        assert_eq!(verdict.is_admitted(), fits);
        refused += usize::from(!fits);
        used_ms += if fits { cost * one_ms } else { 0 };
        let used = book.used(now, &Caller::default(), "calls");
        assert_eq!(u64::from(used), used_ms.div_ceil(one_ms));
    }
    assert!(refused > 500, "{refused}");
}
