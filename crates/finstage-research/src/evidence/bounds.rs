//! Tests that what bounds memory changes no figure.

use finstage_engine::{Catalog, StrategySpec};
use finstage_model::{Interval, Timestamp};

use super::hearing::{DEAF, GLAD, prophecy};
use super::{Evidence, Groups, Ledger, Options, Plan};
use crate::News;
use crate::news::insight;
use crate::study::{Adjustment, Instrument};
use crate::worlds::{Noise, world};

fn specs() -> Vec<StrategySpec> {
    let spec = |name: &str| StrategySpec {
        name: name.to_owned(),
        params: Vec::new(),
        interval: Interval::D1,
        symbols: Vec::new(),
        when: None,
    };
    vec![spec("glad"), spec("deaf")]
}

fn catalog() -> Catalog {
    Catalog::new(&[GLAD, DEAF])
}

/// Series of several lengths, of which some have news.
fn series() -> Vec<Instrument> {
    let one = |(number, bars): (u64, usize)| {
        let symbol = format!("x:{number}").parse().unwrap();
        let bars = world(Noise::Normal, 5 + number, bars);
        let one = Instrument::new(symbol, &bars, &|_| Adjustment::NONE).unwrap();
        let told = (0..).zip(prophecy(0).into_iter().skip(40)).take(number as usize * 60);
        let told = told.map(|(n, (at, impact))| insight(n, at, impact)).collect();
        one.with_news(News::new(told))
    };
    (0u64..5).zip([300, 300, 280, 260, 300]).map(one).collect()
}

fn judged(plan: Plan) -> Evidence {
    let evidence = plan.measure().unwrap().judge(&Ledger::of_store(&[])).seal("");
    assert!(evidence.rows.iter().any(|card| card.q_value.is_some()), "something is judged");
    evidence
}

#[test]
fn series_whose_bars_were_let_go_have_the_same_cards() {
    for groups in [Groups::Pooled, Groups::Each] {
        let plan = |instruments| {
            Plan::new(instruments, &groups, (specs(), catalog()), Options::default()).unwrap()
        };
        let let_go: Vec<Instrument> =
            series().into_iter().map(|one| one.heard_by(&specs(), catalog()).unwrap()).collect();
        assert!(let_go.iter().all(|one| one.bars().is_empty()));
        assert_eq!(judged(plan(let_go)), judged(plan(series())), "{groups:?}");
    }
}

#[test]
fn a_bound_of_memory_changes_no_card() {
    for (groups, threads) in [(Groups::Pooled, 1), (Groups::Each, 2)] {
        let options = Options { threads, ..Options::default() };
        let plan = |numbers_at_once| Plan {
            numbers_at_once,
            ..Plan::new(series(), &groups, (specs(), catalog()), options.clone()).unwrap()
        };
        let all_at_once = judged(plan(usize::MAX));
        for numbers in [1, 1_000, 5_000] {
            assert_eq!(judged(plan(numbers)), all_at_once, "{groups:?} {numbers}");
        }
    }
}

#[test]
fn bars_that_were_let_go_cannot_be_heard_by_others() {
    let [glad, deaf] = &specs()[..] else { panic!("two") };
    let one = series().remove(1).heard_by(std::slice::from_ref(deaf), catalog()).unwrap();
    let of = |one: Instrument, spec: &StrategySpec| {
        let rules = (vec![spec.clone()], catalog());
        Plan::new(vec![one], &Groups::Pooled, rules, Options::default()).unwrap().measure()
    };
    assert!(of(one.clone(), deaf).is_ok());
    let why = of(one.clone(), glad).unwrap_err().to_string();
    assert!(why.contains("x:1: other strategies heard its bars: read them again"), "{why}");
    let other = one.with_news(News::new(vec![insight(1, Timestamp::EPOCH, 0.5)]));
    assert!(of(other, deaf).is_err(), "it was heard before there was news");
}
