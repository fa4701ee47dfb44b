//! Verdicts over many seeds: chance makes none, a real change makes one.

use super::*;
use crate::stress::Language;
use crate::stress::scene::Scene;

/// Verdicts of `seeds` pairs of runs: how many are better or worse.
fn moved(seeds: u64, pair: impl Fn(u64) -> (Scene, Scene)) -> [usize; 2] {
    let verdicts: Vec<Verdict> = (0..seeds)
        .map(|seed| {
            let (a, b) = pair(seed);
            compare(&a.play(), &b.play(), seed).verdict
        })
        .collect();
    [Verdict::Better, Verdict::Worse]
        .map(|v| verdicts.iter().filter(|verdict| **verdict == v).count())
}

#[test]
fn two_runs_of_one_server_are_called_different_in_at_most_one_of_twenty() {
    let calm = moved(60, |seed| (Scene::new(2 * seed), Scene::new(2 * seed + 1)));
    assert!(calm.iter().sum::<usize>() <= 3, "{calm:?}");
    let rough = |seed| Scene {
        poisson: true,
        freeze: Some((7.0, 0.15, 0.1 * (seed % 40) as f64)),
        errors: vec![("TimeoutError", 0.01)],
        ..Scene::new(seed)
    };
    let rough = moved(60, |seed| (rough(2 * seed), rough(2 * seed + 1)));
    assert!(rough.iter().sum::<usize>() <= 3, "{rough:?}");
}

#[test]
fn a_server_that_became_a_fifth_slower_is_worse_and_the_other_way_round_better() {
    let slower = |seed| Scene { median_ms: 6.0, ..Scene::new(seed) };
    let [better, worse] = moved(20, |seed| (Scene::new(seed), slower(seed + 100)));
    assert_eq!((better, worse), (0, 20));
    let [better, worse] = moved(20, |seed| (slower(seed), Scene::new(seed + 100)));
    assert_eq!((better, worse), (20, 0));
}

#[test]
fn failures_and_lost_rate_are_worse_too() {
    let failing = Scene { errors: vec![("TimeoutError", 0.03)], ..Scene::new(2) }.play();
    let comparison = compare(&Scene::new(1).play(), &failing, 1);
    let verdict =
        |name: &str| comparison.figures.iter().find(|f| f.figure == name).unwrap().verdict;
    assert_eq!((comparison.verdict, verdict("failed_share")), (Verdict::Worse, Verdict::Worse));
    let half = Scene { rates: vec![100.0; 30], ..Scene::new(2) }.play();
    let comparison = compare(&Scene::new(1).play(), &half, 1);
    let rate = comparison.figures.iter().find(|f| f.figure == "ok_per_s").unwrap();
    assert_eq!(
        (rate.verdict, rate.change.map(|c| (c * 100.0).round())),
        (Verdict::Worse, Some(50.0))
    );
}

#[test]
fn different_loads_are_said_and_their_rates_not_compared() {
    let (mut a, mut b) =
        (Scene::new(1).play(), Scene { rates: vec![100.0; 30], ..Scene::new(2) }.play());
    a.settings.insert("rate".into(), 200.into());
    b.settings.insert("rate".into(), 100.into());
    let comparison = compare(&a, &b, 1);
    assert_eq!(comparison.remarks, [Remark::LoadsDiffer]);
    assert!(comparison.figures.iter().all(|figure| figure.figure != "ok_per_s"));
    let rate = &comparison.settings[0];
    assert_eq!((rate.name.as_str(), &rate.a), ("rate", &Some(200.into())));
    let text = text(&comparison, ["a.json", "b.json"], Language::English);
    assert!(text.contains("setting rate: A 200, B 100") && text.contains("loads differ"), "{text}");
}

#[test]
fn short_and_empty_runs_are_unclear_and_the_same_run_is_the_same() {
    let short = Scene { rates: vec![200.0; 5], ..Scene::new(1) }.play();
    let comparison = compare(&short, &short, 1);
    assert_eq!(
        (comparison.verdict, &comparison.remarks[..]),
        (Verdict::Unclear, &[Remark::TooShort][..])
    );
    let empty = Outcome::new(crate::stress::Kind::Http, "nowhere");
    let comparison = compare(&empty, &empty, 1);
    assert_eq!(comparison.verdict, Verdict::Unclear);
    for language in [Language::English, Language::Korean] {
        assert!(!text(&comparison, ["a", "b"], language).contains("NaN"));
    }
    let one = Scene { rates: vec![500.0; 60], ..Scene::new(1) }.play();
    assert_eq!(compare(&one, &one, 1).verdict, Verdict::Same);
    assert_eq!(compare(&one, &one, 1), compare(&one, &one, 1));
}
