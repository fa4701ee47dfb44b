//! How often noise is promoted, and how often an edge is found.
//!
//! A sample by default; with `FINSTAGE_LONG=1` the whole protocol, which prints its table, with another
//! number so many worlds of each kind.

use finstage_model::{Bar, ClaimKind, Trial};
use finstage_research::evidence::Options;
use finstage_research::worlds::{Edge, Noise, panel, planted, world};

use super::{instrument, plan, verified, verify};

/// Ten years of days.
const BARS: usize = 2_520;

fn options(cost: f64) -> Options {
    let options = Options { cost, threads: 2, ..Options::default() };
    match asked() {
        Some(_) => options,
        // Short blocks take most of the time.
        None => Options { horizons: vec!["1w".parse().unwrap()], ..options },
    }
}

/// Sizes are free of costs: where there is a cost, or nothing is asked about them, they are left out.
fn of_directions(cost: f64) -> Options {
    Options { claims: vec![ClaimKind::Direction], ..options(cost) }
}

/// How many worlds are asked for where the protocol has `full`; `None` for a sample.
pub(super) fn long(full: u64) -> Option<u64> {
    asked().map(|count| if count <= 1 { full } else { count.min(full) })
}

#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG asks for the long tests")]
pub(super) fn asked() -> Option<u64> {
    std::env::var("FINSTAGE_LONG").ok().map(|count| count.parse().unwrap_or(1))
}

/// A bound for `of` worlds, for fewer of them with room for chance.
fn bound(most: u64, of: u64, worlds: u64) -> usize {
    let room = if worlds == of { 0 } else { 2 };
    ((most * worlds).div_ceil(of) + room) as usize
}

/// Worlds in which a direction, and in which a size, is promoted.
fn promoted(worlds: u64, cost: f64, make: &dyn Fn(u64) -> Vec<Vec<Bar>>) -> (usize, usize) {
    let (mut directions, mut sizes) = (0, 0);
    for seed in 0..worlds {
        let series = make(seed);
        let name = |number: usize| format!("{seed}-{number:02}");
        let instruments =
            series.iter().enumerate().map(|(number, bars)| instrument(&name(number), bars));
        let options = if cost > 0.0 { of_directions(cost) } else { options(cost) };
        let evidence = verify(instruments.collect(), options, &[]);
        directions += usize::from(!verified(&evidence, ClaimKind::Direction).is_empty());
        sizes += usize::from(!verified(&evidence, ClaimKind::Size).is_empty());
    }
    (directions, sizes)
}

/// Returns of a fat-tailed world, to draw from.
fn sample() -> Vec<f64> {
    let closes: Vec<f64> = world(Noise::StudentGarch(0.12, 0.87), 9_999, BARS)
        .iter()
        .map(|bar| bar.close.to_f64())
        .collect();
    closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect()
}

/// The kinds of noise of the protocol, with `drawn` for the one that draws its returns.
fn kinds(drawn: &[f64]) -> [(&'static str, Noise<'_>); 4] {
    [
        ("gbm", Noise::Normal),
        ("garch", Noise::Garch(0.08, 0.90)),
        ("drawn", Noise::Drawn(drawn)),
        ("student garch", Noise::StudentGarch(0.12, 0.87)),
    ]
}

/// World `seed` of kind `number`.
fn noise(drawn: &[f64], number: usize, seed: u64) -> Vec<Vec<Bar>> {
    vec![world(kinds(drawn)[number].1, 1_000 * number as u64 + seed, BARS)]
}

#[test]
fn noise_is_not_promoted() {
    let drawn = sample();
    let worlds = long(200).unwrap_or(2);
    let most = bound(20, 200, worlds);
    let mut all = 0;
    for (number, (name, kind)) in kinds(&drawn).into_iter().enumerate() {
        let (free, sizes) = promoted(worlds, 0.0, &|seed| noise(&drawn, number, seed));
        println!("{name}: {free} of {worlds} at cost 0, {sizes} by size");
        assert!(free <= most, "{name}: {free} of {worlds}");
        if matches!(kind, Noise::Normal | Noise::Drawn(_)) {
            assert!(sizes <= most, "{name}: size {sizes} of {worlds}");
        }
        all += free;
    }
    println!("all kinds: {all} of {} at cost 0", 4 * worlds);
    assert!(all <= bound(56, 200, worlds), "{all}");
}

/// Judges kind `number` where each position pays the default cost, and says how often it was promoted.
fn paid(number: usize) -> String {
    let drawn = sample();
    let (name, _) = kinds(&drawn)[number];
    let worlds = long(200).unwrap_or(1);
    let (paid, _) = promoted(worlds, 0.001, &|seed| noise(&drawn, number, seed));
    let said = format!("{name}: {paid} of {worlds} at the default cost");
    assert!(paid <= bound(10, 200, worlds), "{said}");
    said
}

#[test]
fn noise_that_pays_is_not_promoted_gbm() {
    println!("{}", paid(0));
}

#[test]
fn noise_that_pays_is_not_promoted_garch() {
    println!("{}", paid(1));
}

#[test]
fn noise_that_pays_is_not_promoted_drawn() {
    println!("{}", paid(2));
}

#[test]
fn noise_that_pays_is_not_promoted_student_garch() {
    println!("{}", paid(3));
}

#[test]
fn a_correlated_panel_of_noise_is_not_promoted() {
    let worlds = long(200).unwrap_or(1);
    let (most, cost) = (bound(20, 200, worlds), if asked().is_some() { 0.0 } else { 0.001 });
    let (free, _) = promoted(worlds, cost, &|seed| panel(12, 0.3, 50_000 + seed, BARS));
    println!("panel of 12: {free} of {worlds} at cost {cost}");
    assert!(free <= most, "{free} of {worlds}");
}

#[test]
fn a_planted_edge_is_found() {
    let cases: [(usize, f64); 4] = [(50, 0.025), (100, 0.0175), (200, 0.0125), (400, 0.0125)];
    for (events, net) in cases {
        let worlds = long(60).unwrap_or(1);
        let found = (0..worlds).filter(|seed| {
            let edge = Edge { events, drift: net + 0.002 };
            let (bars, _) = planted(edge, 70_000 + 1_000 * events as u64 + seed, BARS);
            let evidence = verify(vec![instrument("planted", &bars)], of_directions(0.001), &[]);
            verified(&evidence, ClaimKind::Direction)
                .iter()
                .any(|strategy| strategy.starts_with("volume_breakout_up("))
        });
        let found = found.count();
        println!("{events} events of {:.2} % net: found in {found} of {worlds}", 100.0 * net);
        // A few worlds may miss by chance what many reach.
        let least = if worlds < 60 { 0.6 } else { 0.8 } * worlds as f64;
        assert!(found as f64 >= least, "{events} events: {found} of {worlds}");
    }
}

#[test]
fn looks_are_paid_for() {
    // A look each quarter of a year from five to ten years of bars, the ledger kept.
    let worlds = long(100).unwrap_or(1);
    let (step, cost) = if asked().is_some() { (63, 0.0) } else { (630, 0.001) };
    let most = bound(10, 100, worlds);
    let mut ever = 0;
    for seed in 0..worlds {
        let bars = world(Noise::Normal, 90_000 + seed, BARS);
        let mut past: Vec<Trial> = Vec::new();
        let mut is_promoted = false;
        for end in (1_260..=BARS).step_by(step) {
            let evidence =
                verify(vec![instrument("grown", &bars[..end])], of_directions(cost), &past);
            is_promoted |= !verified(&evidence, ClaimKind::Direction).is_empty();
            past.extend(evidence.trials);
        }
        ever += usize::from(is_promoted);
    }
    println!("looks: {ever} of {worlds} worlds ever promote at cost {cost}");
    assert!(ever <= most, "{ever}");
}

#[test]
fn the_future_changes_nothing_before_it() {
    let bars = world(Noise::Normal, 11, 1_000);
    let other = world(Noise::Garch(0.08, 0.90), 12, 1_000);
    let mut poisoned = bars.clone();
    for (bar, other) in poisoned.iter_mut().zip(&other).skip(700) {
        *bar = Bar { open_time: bar.open_time, ..*other };
    }
    let heard = |bars: &[Bar]| {
        let specs = finstage::generate::strategies(&[], &[], finstage_model::Interval::D1).unwrap();
        let one = instrument("a", bars);
        finstage_research::study::listen(&specs, finstage_strategies::CATALOG, &one).unwrap()
    };
    let (clean, dirty) = (heard(&bars), heard(&poisoned));
    let until = |events: &[Vec<usize>]| -> Vec<Vec<usize>> {
        events.iter().map(|all| all.iter().copied().filter(|&bar| bar < 700).collect()).collect()
    };
    assert_eq!(until(&clean.events), until(&dirty.events));
    assert_ne!(clean.events, dirty.events);
    assert!(clean.repaints.iter().chain(&dirty.repaints).all(|repaints| !repaints));
}

#[test]
fn cards_do_not_depend_on_order_or_threads() {
    let worlds: Vec<Vec<Bar>> = panel(3, 0.3, 21, 600);
    let cards = |order: [usize; 3], threads: usize| {
        let name = |number: usize| format!("n{number}");
        let instruments = order.map(|number| instrument(&name(number), &worlds[number]));
        let options = Options { threads, ..Options::default() };
        let evidence = verify(instruments.into(), options, &[]).seal("head");
        serde_json::to_string(&evidence).unwrap()
    };
    let one = cards([0, 1, 2], 1);
    assert_eq!(cards([2, 0, 1], 2), one);
    assert_eq!(cards([1, 2, 0], 1), one);
}

#[test]
fn a_repeat_is_the_same_look_and_adds_nothing() {
    let bars = world(Noise::Normal, 31, 600);
    let one = || vec![instrument("a", &bars)];
    let first = verify(one(), options(0.001), &[]);
    let count = plan(one(), options(0.001)).keys().count();
    assert_eq!((first.trials.len(), first.trials_total), (count, count as u64));
    let again = verify(one(), options(0.001), &first.trials);
    assert_eq!((again.trials.len(), again.trials_total), (0, count as u64));
    assert_eq!(again.seal("h").rows, first.clone().seal("h").rows);
    // Other data of the same name is no look any more where the first could have passed, and another
    // instrument is a new hypothesis.
    let grown = world(Noise::Normal, 31, 700);
    let later = verify(vec![instrument("a", &grown)], options(0.001), &first.trials);
    let was_seen = |card: &finstage_model::Card| {
        let same = |trial: &&finstage_model::Trial| {
            (&trial.strategy, trial.horizon, trial.claim)
                == (&card.strategy, Some(card.horizon), Some(card.claim))
        };
        first.trials.iter().find(same).unwrap().n_eff.unwrap() >= 30
    };
    let (seen, new): (Vec<_>, Vec<_>) = later.rows.iter().partition(|card| was_seen(card));
    assert!(seen.len() > 10 && new.len() > 10, "{} {}", seen.len(), new.len());
    assert!(seen.iter().all(|card| card.look == 0 && card.threshold.abs() < 1e-15));
    assert!(new.iter().all(|card| card.look == 1));
    assert_eq!(later.trials_total, 2 * count as u64);
    let other = verify(vec![instrument("b", &grown)], options(0.001), &first.trials);
    let wanted = 0.6 * 0.05;
    assert!(other.rows.iter().all(|card| card.look == 1 && card.threshold == wanted));
    let families: Vec<usize> = [&first, &other]
        .map(|evidence| evidence.rows.iter().map(|card| card.family).max().unwrap())
        .into();
    assert!(families[1] > families[0], "{families:?}");
}

#[test]
fn instruments_that_never_signal_change_no_effect() {
    let bars = world(Noise::Normal, 41, 800);
    let still: Vec<Bar> = bars
        .iter()
        .map(|bar| {
            let first = bars[0];
            Bar { open_time: bar.open_time, ..first }
        })
        .collect();
    let alone = verify(vec![instrument("a", &bars)], options(0.001), &[]);
    let both = verify(vec![instrument("a", &bars), instrument("b", &still)], options(0.001), &[]);
    let theta = |evidence: &finstage_research::evidence::Evidence, like: &finstage_model::Card| {
        let same = |card: &&finstage_model::Card| {
            (&card.strategy, card.horizon, card.claim) == (&like.strategy, like.horizon, like.claim)
        };
        let card = evidence.rows.iter().find(same).unwrap();
        (card.members.last().unwrap().n == 0).then_some(card.theta)
    };
    let silent: Vec<_> =
        alone.rows.iter().filter_map(|card| Some((theta(&both, card)?, card.theta))).collect();
    assert!(silent.len() > 40, "{}", silent.len());
    assert!(silent.iter().all(|(with, without)| with == without));
}
