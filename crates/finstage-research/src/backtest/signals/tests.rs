use finstage_engine::{Context, Firing, ParamSpec, Strategy};
use finstage_model::{Direction, Facts, InstrumentId, Price, Qty, Timestamp};

use super::*;

/// Fires when the close is exactly `at`.
#[derive(Debug)]
struct At(Direction, f64);

impl Strategy for At {
    fn warmup(&self) -> usize {
        1
    }

    fn on_bar(&mut self, bar: &Bar, _: &Context<'_>, out: &mut Vec<Firing>) {
        if bar.close.to_f64() == self.1 {
            out.push(Firing { direction: self.0, strength: 0.0, facts: Facts::default() });
        }
    }
}

const UP: Entry = Entry {
    name: "golden_cross",
    direction: Direction::Long,
    describes: "",
    korean: "",
    params: &[
        ParamSpec::number("at", 1.0, (0.0, 9.0), ""),
        ParamSpec::number("both", 1.0, (0.0, 9.0), ""),
    ],
    check: |_| Ok(()),
    words: |params| format!("close is {}", params.get("at")),
    build: |params| Box::new(At(Direction::Long, params.get("at"))),
};

const DOWN: Entry = Entry {
    name: "dead_cross",
    direction: Direction::Short,
    params: &[
        ParamSpec::number("at", 2.0, (0.0, 9.0), ""),
        ParamSpec::number("both", 1.0, (0.0, 9.0), ""),
    ],
    build: |params| Box::new(At(Direction::Short, params.get("at"))),
    ..UP
};

const ALONE: Entry = Entry { name: "alone", ..UP };

const CATALOG: Catalog = Catalog::new(&[UP, DOWN, ALONE]);

/// One close for each digit.
fn bars(closes: &str) -> Vec<Bar> {
    let bar = |(minute, digit): (i64, char)| {
        let price = Price::from_nanos(i64::from(digit.to_digit(10).unwrap()) * 1_000_000_000);
        Bar {
            instrument: InstrumentId(3),
            interval: Interval::M1,
            open_time: Timestamp::from_secs(minute * 60),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            trades: 0,
        }
    };
    (0..).zip(closes.chars()).map(bar).collect()
}

fn plan(rule: &str, exit: Exit, closes: &str) -> Result<Plan, String> {
    let rule: Call = rule.parse().unwrap();
    Plan::of_rule(&rule, exit, CATALOG, &bars(closes)).map_err(|error| error.to_string())
}

fn wants(rule: &str, exit: Exit, closes: &str) -> String {
    let plan = plan(rule, exit, closes).unwrap();
    let wants: Vec<_> = plan.targets.iter().map(|t| format!("{}:{}", t.bar, t.want)).collect();
    wants.join(" ")
}

fn hold(bars: usize) -> Exit {
    Exit { hold: Some(bars), ..Exit::default() }
}

#[test]
fn the_counterpart_ends_what_a_strategy_began() {
    assert_eq!(wants("golden_cross", Exit::default(), "020110201"), "3:1 6:0 8:1");
    assert_eq!(wants("dead_cross", Exit::default(), "020110201"), "1:-1 3:0 6:-1 8:0");
    let reverse = Exit { then: OnExit::Reverse, ..Exit::default() };
    assert_eq!(wants("golden_cross", reverse, "020110201"), "1:-1 3:1 6:-1 8:1");
}

#[test]
fn a_hold_counts_from_the_decision_and_is_not_prolonged() {
    assert_eq!(wants("golden_cross", hold(3), "0110000"), "1:1 4:0");
    // The signal on the bar on which it is due begins a new one.
    assert_eq!(wants("golden_cross", hold(3), "01001000"), "1:1 7:0");
    assert_eq!(wants("alone", hold(1), "01010"), "1:1 2:0 3:1 4:0");
}

#[test]
fn an_exit_and_a_hold_end_it_whichever_comes_first() {
    let both = Exit { strategy: Some("dead_cross(at=3)".parse().unwrap()), ..hold(4) };
    assert_eq!(wants("golden_cross", both.clone(), "01030100000"), "1:1 3:0 5:1 9:0");
    let plan = plan("golden_cross", both, "0").unwrap();
    assert_eq!(plan.canonical, "golden_cross(at=1,both=1) exit dead_cross(at=3,both=1) hold 4");
    assert_eq!(
        plan.words,
        "long on the signal \"close is 1\", flat on the signal \"close is 3\", flat after 4 bars"
    );
}

#[test]
fn the_counterpart_takes_over_what_both_declare_alike() {
    let plan = plan("golden_cross(at=5,both=7)", Exit::default(), "0").unwrap();
    assert_eq!(plan.canonical, "golden_cross(at=5,both=7) exit dead_cross(at=2,both=7)");
}

#[test]
fn an_end_has_to_be_named_and_to_make_sense() {
    let refused = |rule, exit| plan(rule, exit, "0").unwrap_err();
    assert_eq!(
        refused("alone", Exit::default()),
        "alone: say when it ends: an exit strategy, or a number of bars to hold"
    );
    let same = Exit { strategy: Some("alone".parse().unwrap()), ..Exit::default() };
    assert_eq!(
        refused("golden_cross", same),
        "golden_cross: alone cannot end it: it is long as well"
    );
    assert_eq!(refused("alone", hold(0)), "alone: hold = 0 is not 1 to 100000 bars");
    assert_eq!(refused("sma_cross", hold(1)), "sma_cross: it has an exit of its own");
    assert_eq!(
        refused("golden_cros", Exit::default()),
        "golden_cros: no rule of that name; did you mean \"golden_cross\"?"
    );
    assert_eq!(refused("zzzzzzzzzzzz", Exit::default()), "no strategy \"zzzzzzzzzzzz\"");
    assert!(refused("golden_cross(x=1)", Exit::default()).contains("no parameter \"x\""));
}

#[test]
fn what_a_strategy_wants_does_not_depend_on_what_comes_later() {
    let closes = "0201102012012001";
    let all = plan("golden_cross", Exit::default(), closes).unwrap().targets;
    for end in 0..closes.len() {
        let part = plan("golden_cross", Exit::default(), &closes[..end]).unwrap().targets;
        let expected: Vec<_> = all.iter().copied().filter(|target| target.bar < end).collect();
        assert_eq!(part, expected);
    }
}

/// Fires on every bar at whose close there is good news.
#[derive(Debug)]
struct Glad;

impl Strategy for Glad {
    fn warmup(&self) -> usize {
        1
    }

    fn hears_news(&self) -> bool {
        true
    }

    fn on_bar(&mut self, _: &Bar, ctx: &Context<'_>, out: &mut Vec<Firing>) {
        if ctx.news(std::time::Duration::from_secs(30)) > 0.0 {
            let facts = Facts::default();
            out.push(Firing { direction: Direction::Long, strength: 0.0, facts });
        }
    }
}

#[test]
fn news_is_heard_when_it_was_known_and_by_no_bar_that_closed_before() {
    const GLAD: Entry = Entry { name: "glad", build: |_| Box::new(Glad), ..UP };
    let exit = Exit { hold: Some(1), ..Exit::default() };
    let rule = SignalRule { entry: "glad".parse().unwrap(), exit };
    let first = |millis: i64| {
        let insight = crate::news::insight(1, Timestamp::from_millis(millis), 1.0);
        let plan = rule
            .plan_with_news(Catalog::new(&[GLAD]), &bars("11111"), &News::new(vec![insight]))
            .unwrap();
        plan.targets.first().map(|target| target.bar)
    };
    // The bars close at 60, 120, 180 … seconds; after half a minute it is forgotten.
    assert_eq!(first(120_000), Some(1));
    assert_eq!(first(120_001), None, "known a moment after the close, forgotten at the next");
    assert_eq!(first(150_001), Some(2));
    assert_eq!(rule.plan(Catalog::new(&[GLAD]), &bars("11111")).unwrap().targets, []);
}
