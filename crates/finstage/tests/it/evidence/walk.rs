//! Parameters chosen on earlier data only: nothing of a fold is known when they are chosen, and what is
//! proven of the folds needs no correction for the search.

use finstage_model::{Bar, CardVerdict, ClaimKind, OutOfSample, Price, TrialKind};
use finstage_research::backtest::Exit;
use finstage_research::evidence::{Evidence, Groups, Ledger, Options, Plan};
use finstage_research::study::Instrument;
use finstage_research::sweep::{Grid, Sweep};
use finstage_research::worlds::{Edge, Noise, planted, world};
use finstage_strategies::CATALOG;
use serde_json::Value;

use super::command::csv;
use super::instrument;
use crate::cli::shell::Shell;

/// The first fold of 2,000 bars begins here: 40 % of them are before it.
const FIRST: usize = 800;
/// A week of trading.
const HORIZON: usize = 5;

fn sweep(rule: &str, axes: &[&str]) -> Sweep {
    let grid = Grid::new(axes.iter().map(|axis| axis.parse().unwrap()).collect()).unwrap();
    let exit = Exit { hold: Some(1), ..Exit::default() };
    Sweep::new(&rule.parse().unwrap(), exit, CATALOG, grid).unwrap()
}

fn walked(instruments: Vec<Instrument>, threads: usize) -> Evidence {
    let horizons = vec!["1w".parse().unwrap()];
    let options = Options { horizons, threads, ..Options::default() };
    let sweep = sweep("rsi_oversold", &["period=3..6", "level=20..40:10"]);
    let plan = Plan::walk_forward(instruments, &Groups::Pooled, &sweep, options).unwrap();
    plan.measure().unwrap().judge(&Ledger::of_files(&[])).seal("head")
}

fn alone(bars: &[Bar]) -> Evidence {
    walked(vec![instrument("a", bars)], 1)
}

/// The bars from a place on are those of a market that multiplies every few days.
fn poisoned(bars: &[Bar], from: usize) -> Vec<Bar> {
    let wild = |(place, bar): (usize, &Bar)| {
        let times = if place % 3 == 0 { 7 } else { 2 };
        let price = |price: Price| Price::from_nanos(price.nanos() * times);
        let (open, high, low, close) =
            (price(bar.open), price(bar.high), price(bar.low), price(bar.close));
        if place < from { *bar } else { Bar { open, high, low, close, ..*bar } }
    };
    bars.iter().enumerate().map(wild).collect()
}

#[test]
fn what_is_chosen_for_a_fold_knows_nothing_of_it_nor_of_trades_that_reach_near_it() {
    let bars = world(Noise::Normal, 21, 2_000);
    let clean = alone(&bars);
    let chosen = |evidence: &Evidence| evidence.chosen.clone();
    assert_eq!(clean.chosen.len(), 2, "a direction and a size");
    for one in &clean.chosen {
        assert_eq!(one.folds.len(), 6);
        for (number, fold) in one.folds.iter().enumerate() {
            let from = FIRST + 200 * number;
            assert_eq!(fold.from, bars[from].open_time);
            assert_eq!(fold.until, bars[from + 199].open_time);
            assert!(fold.strategy.is_some() && fold.occasions >= 10, "{fold:?}");
        }
    }
    // The last exit that may be seen lies a horizon before the fold.
    let last = FIRST - HORIZON;
    let unseen = chosen(&alone(&poisoned(&bars, last + 1)));
    let seen = chosen(&alone(&poisoned(&bars, last)));
    for (claim, one) in clean.chosen.iter().enumerate() {
        let key = |folds: &[finstage_research::evidence::Choice]| {
            (folds[0].strategy.clone(), folds[0].t, folds[0].occasions)
        };
        assert_eq!(key(&unseen[claim].folds), key(&one.folds));
        assert_ne!(unseen[claim].folds[1].t, one.folds[1].t, "the poison works");
        assert_ne!(seen[claim].folds[0].t, one.folds[0].t, "this bar may be seen");
    }
}

#[test]
fn only_the_folds_count() {
    let bars = world(Noise::Normal, 22, 2_000);
    let evidence = alone(&bars);
    let direction = |card: &&finstage_model::Card| card.claim == ClaimKind::Direction;
    let card = evidence.rows.iter().find(direction).unwrap();
    assert_eq!(card.strategy, "rsi_oversold walk-forward level=20..40:10 period=3..6");
    assert_eq!((card.oos_kind, card.parameter_sets), (OutOfSample::WalkForward, 12));
    assert!(card.k_eff > 1.0 && card.k_eff < 12.0, "{}", card.k_eff);
    assert!(card.pbo.is_some_and(|pbo| (0.0..=1.0).contains(&pbo)), "{:?}", card.pbo);
    assert_eq!(card.dsr, card.psr, "there is nothing to deflate");
    assert_eq!(card.from, Some(bars[FIRST].open_time));
    assert_eq!(card.to, Some(bars[2_000 - 2 - HORIZON].open_time));
    let of = &evidence.chosen.iter().find(|one| one.claim == ClaimKind::Direction).unwrap().folds;
    // Events of the last bars have no exit yet.
    let said: usize = of.iter().map(|fold| fold.events).sum();
    assert_eq!(card.n, said);
    assert!(card.words.ends_with("Parameters were chosen on earlier data only."), "{}", card.words);
    let size = evidence.rows.iter().find(|card| card.claim == ClaimKind::Size).unwrap();
    assert_eq!(size.pbo, None);

    let rows: Vec<_> = evidence.trials.iter().map(|row| (row.kind, row.claim, row.count)).collect();
    let kind = TrialKind::WalkForward;
    let [direction, size] = ClaimKind::ALL.map(|claim| (kind, Some(claim), 1));
    assert_eq!(rows, [(kind, None, 12), direction, size]);
    assert_eq!(evidence.trials_total, 14);
}

#[test]
fn choices_do_not_depend_on_order_or_threads() {
    let series = [world(Noise::Normal, 23, 1_500), world(Noise::Garch(0.08, 0.9), 24, 1_500)];
    let text = |order: [usize; 2], threads: usize| {
        let name = |place: usize| ["a", "b"][place];
        let instruments = order.map(|place| instrument(name(place), &series[place]));
        serde_json::to_string(&walked(instruments.into(), threads)).unwrap()
    };
    let one = text([0, 1], 1);
    assert_eq!(text([1, 0], 2), one);
    assert!(one.contains("\"oos_kind\":\"walk_forward\""), "{one}");
}

#[test]
fn an_edge_is_proven_on_the_folds_although_it_was_searched_for() {
    let shell = Shell::new();
    let edge = Edge { events: 160, drift: 0.03 };
    shell.write("edge.csv", csv(&planted(edge, 4, 2_520).0));
    let grid = "--grid ratio=1.5..3:0.5 change=0.5,1,3";
    let sweep = format!("sweep --input edge.csv --strategy volume_breakout_up --hold 5 {grid} -q");
    shell.run(&sweep).ok();
    let verify = "verify --input edge.csv --strategies volume_breakout_up --horizons 1w --json";
    let run = shell.run(&format!("{verify} {grid} --report page.html")).ok();
    assert!(run.err.contains("adds 14 trials to 12\n"), "{run}");
    let said = run.json();
    let card = &said["rows"][0];
    assert_eq!(card["verdict"], "verified", "{card}");
    assert_eq!((&card["claim"], &card["oos_kind"]), (&"direction".into(), &"walk_forward".into()));
    let of = |name: &str| card[name].as_f64().unwrap();
    assert!((of("p_value") - of("p_boot").max(of("p_t"))).abs() < 1e-15, "{card}");
    assert!(of("pbo") < 0.5, "{card}");
    assert_eq!(said["chosen"].as_array().map(Vec::len), Some(2));
    let page = String::from_utf8(shell.read("page.html")).unwrap();
    assert!(page.contains("What was chosen") && page.contains("volume_breakout_up("), "{page}");
    assert!(page.contains("chosen on earlier data only"), "{page}");

    // The same again is the same look; the search of `walk-forward` is the one that was made.
    let again = shell.run(&format!("{verify} {grid} --threads 1")).ok();
    assert!(again.err.contains("adds 0 trials to 26, repeats 14 that count once\n"), "{again}");
    assert_eq!(again.json()["rows"], said["rows"]);
    // Whoever fixes parameters that were chosen here pays for the search.
    let rule = said["chosen"][0]["folds"][5]["strategy"].as_str().unwrap();
    let fixed = shell.run(&verify.replace("volume_breakout_up", rule)).ok().json();
    let sets = |said: &Value| said["rows"][0]["parameter_sets"].clone();
    assert_eq!(sets(&fixed), 12, "the grid was tried three times, and counts once");
    assert_eq!(said["rows"][0]["verdict"], CardVerdict::Verified.as_str());
}

#[test]
fn what_cannot_be_chosen_from_is_refused() {
    let shell = Shell::new();
    shell.write("short.csv", csv(&world(Noise::Normal, 1, 600)));
    for (words, why) in [
        ("--strategies rsi_oversold,golden_cross --grid period=2..9", "--strategies names 2"),
        ("--strategies sma_cross --grid fast=2..9", "take golden_cross or dead_cross"),
        ("--strategies rsi_oversold --grid fast=2..9", "no such parameter"),
        ("--strategies rsi_oversold --grid period=2..900 level=1..50", "at most 5000"),
        ("--strategies rsi_oversold --grid period=2..9", "take a longer history"),
        ("--grid period=2..9", "--strategies"),
    ] {
        let said = shell.run(&format!("verify --input short.csv {words}")).refused(2);
        assert!(said.contains(why), "{words}: {said}");
    }
    let ledger = shell.run("trials list --json").ok();
    assert_eq!(ledger.out, "", "nothing was tried");
}
