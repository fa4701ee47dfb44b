use std::time::Duration;

use finstage_model::{CardMember, Direction, Interval, SignalId};
use finstage_quant::stats::random::SplitMix64;

use super::*;

const DAY: Duration = Duration::from_secs(86_400);
/// Days that a position is held.
const HELD: u32 = 5;

/// A verified card that expects `delta` deviations of an occasion.
fn card(delta: f64) -> Card {
    let golden = include_str!("../../../../finstage-model/src/card/golden.json");
    let card: Card = serde_json::from_str(golden).unwrap();
    let deviation = card.occasion_deviation.unwrap();
    let issued = card.issued;
    Card {
        verdict: CardVerdict::Verified,
        proven_at: Some(issued),
        theta_net: Some(delta * deviation),
        reasons: Vec::new(),
        ..card
    }
}

fn day(card: &Card, day: u32) -> Timestamp {
    card.issued.plus(DAY * day)
}

/// The signal of a day whose net excess is `y` deviations.
fn followed(card: &Card, at: u32, y: f64) -> Followed {
    let net = y * card.occasion_deviation.unwrap();
    let ret = card.direction.sign() * (net + card.base_return.unwrap() + 2.0 * card.cost);
    let holding = Holding { entry: day(card, at), exit: day(card, at + HELD) };
    Followed {
        signal: SignalId(u128::from(at)),
        strategy: card.strategy.clone(),
        symbol: card.members[0].symbol.clone(),
        interval: card.interval,
        direction: card.direction,
        at: day(card, at),
        horizon: card.horizon,
        settled: Some(Settled { holding, ret }),
    }
}

/// Separate occasions with these net excesses.
fn apart(card: &Card, values: impl IntoIterator<Item = f64>) -> Vec<Followed> {
    (0u32..).zip(values).map(|(nth, y)| followed(card, nth * HELD, y)).collect()
}

struct Normal(SplitMix64);

impl Iterator for Normal {
    type Item = f64;

    fn next(&mut self) -> Option<f64> {
        let radius = (-2.0 * (1.0 - self.0.uniform()).ln()).sqrt();
        Some(radius * (std::f64::consts::TAU * self.0.uniform()).cos())
    }
}

/// After how many occasions each of 400 runs with a mean of `edge` is muted, at most `most`.
fn runs(delta: f64, edge: f64, most: usize) -> Vec<Option<usize>> {
    let card = card(delta);
    let run = |seed: u64| {
        let normal = Normal(SplitMix64::of_draw(seed, (delta * 1e6) as u64)).take(most);
        let drift = drift(&card, &apart(&card, normal.map(|z| edge + z))).unwrap();
        drift.muted_at.map(|_| drift.occasions)
    };
    (0..400).map(run).collect()
}

#[test]
fn an_edge_that_left_is_muted_in_time_and_one_that_stayed_is_not() {
    // The 90 % quantiles of the specification, and the shares of runs that it asks for.
    for (delta, quantile) in [(0.1, 325), (0.2, 161), (0.3, 89), (0.5, 50)] {
        let share = |runs: &[Option<usize>], within: usize| {
            let inside = runs.iter().flatten().filter(|count| **count <= within).count();
            inside as f64 / runs.len() as f64
        };
        let gone = share(&runs(delta, 0.0, quantile), quantile);
        let stayed = share(&runs(delta, delta, 100), 100);
        let reversed = share(&runs(delta, -delta, quantile), quantile);
        println!(
            "δ {delta}: gone {gone:.3} within {quantile}; left on {stayed:.3} within 100; reversed {reversed:.3}"
        );
        assert!(gone >= 0.85, "{delta}: {gone}");
        assert!(delta > 0.3 || stayed <= 0.20, "{delta}: {stayed}");
        assert!(reversed >= gone, "{delta}: {reversed}");
    }
}

#[test]
fn the_sum_is_what_the_formula_says() {
    let card = card(0.5);
    let values = [1.0, -0.5, 0.0, 2.0, -1.0, -1.0];
    let found = drift(&card, &apart(&card, values)).unwrap();
    // S: 0, 0.75, 1, 0, 1.25, 2.5
    assert!((found.sum - 2.5).abs() < 1e-9, "{found:?}");
    assert_eq!((found.events, found.occasions, found.run), (6, 6, 2));
    let deviation = card.occasion_deviation.unwrap();
    assert!((found.mean.unwrap() / deviation - 0.5 / 6.0).abs() < 1e-9);
    assert!((found.run_mean.unwrap() / deviation + 1.0).abs() < 1e-9);
    assert!((found.limit - 7.27).abs() < 0.01 && (found.delta - 0.5).abs() < 1e-12);
    assert_eq!((found.muted_at, found.since), (None, card.issued));
    let mut turned = apart(&card, values);
    turned.reverse();
    assert_eq!(drift(&card, &turned).unwrap(), found, "the order changes nothing");
    let short = Card { direction: Direction::Short, ..card };
    assert!((drift(&short, &apart(&short, values)).unwrap().sum - 2.5).abs() < 1e-9);
}

#[test]
fn events_of_one_occasion_count_once() {
    let card = card(0.5);
    let mut all = apart(&card, [0.0, 0.0]);
    all.push(followed(&card, 1, -2.0));
    all.push(followed(&card, 4, -1.0));
    let found = drift(&card, &all).unwrap();
    assert_eq!((found.events, found.occasions), (4, 2));
    // The first occasion is worth −1: S = 1.25, then 1.5.
    assert!((found.sum - 1.5).abs() < 1e-9, "{found:?}");
}

#[test]
fn only_what_the_card_is_about_counts() {
    let card = card(0.5);
    let own = followed(&card, 0, -3.0);
    let others = [
        Followed { strategy: "other".to_owned(), ..own.clone() },
        Followed { symbol: "x:OTHER".parse().unwrap(), ..own.clone() },
        Followed { interval: Interval::H1, ..own.clone() },
        Followed { direction: Direction::Short, ..own.clone() },
        Followed { horizon: "1mo".parse().unwrap(), ..own.clone() },
        Followed { at: card.issued.minus(DAY), ..own.clone() },
    ];
    let none = drift(&card, &others).unwrap();
    assert_eq!((none.events, none.occasions, none.mean, none.sum), (0, 0, None, 0.0));
    let renewed = Card { issued: day(&card, 90), ..card.clone() };
    assert_eq!(drift(&renewed, std::slice::from_ref(&own)).unwrap().events, 1, "from the proof on");
    let two = CardMember { symbol: "x:B".parse().unwrap(), n: 3 };
    let wider = Card { members: vec![card.members[0].clone(), two], ..card.clone() };
    let b = Followed { symbol: "x:B".parse().unwrap(), ..own };
    assert_eq!(drift(&wider, &[b]).unwrap().events, 1);
    for other in [
        Card { verdict: CardVerdict::Unproven, ..card.clone() },
        Card { claim: ClaimKind::Size, ..card.clone() },
        Card { theta_net: Some(-0.1), ..card.clone() },
        Card { occasion_deviation: None, ..card },
    ] {
        assert_eq!(drift(&other, &[]), None);
    }
}

#[test]
fn an_occasion_is_waited_for_until_it_is_complete() {
    let card = card(0.5);
    let mut all = apart(&card, [-1.0, -1.0, -1.0]);
    let open = |at| Followed { settled: None, ..followed(&card, at, 0.0) };
    // It enters before the third occasion ends, and its own exit is not known.
    all.push(open(12));
    assert_eq!(drift(&card, &all).unwrap().occasions, 2);
    all[3] = followed(&card, 12, -1.0);
    assert_eq!(drift(&card, &all).unwrap().occasions, 3);
    // One whose exit should long be known has a hole in its data.
    all[3] = open(1);
    assert_eq!(drift(&card, &all).unwrap().occasions, 3);
    all.pop();
    all.push(open(15));
    assert_eq!(drift(&card, &all).unwrap().occasions, 3, "the next occasion is another");
}

#[test]
fn a_muted_card_is_the_same_and_proves_nothing() {
    let card = card(0.5);
    let drift = drift(&card, &apart(&card, [0.6].into_iter().chain([-1.0; 9]))).unwrap();
    // 1.25 more each time: above 7.27 with the sixth.
    assert_eq!((drift.occasions, drift.run), (7, 6));
    assert_eq!(drift.muted_at, Some(day(&card, 7 * HELD - HELD + HELD)));
    let muted = mute(&card, &drift);
    assert_eq!((muted.verdict, muted.grade), (CardVerdict::Unproven, None));
    assert_eq!(muted.reasons, [Objection::Drift]);
    assert_eq!(
        muted.words,
        "Muted: the last 6 occasions look like chance. After costs they averaged -2.74 % against any \
         bar; +1.37 % was expected."
    );
    assert_eq!(muted.id, muted.content_id());
    assert_ne!(muted.id, card.id);
    assert_eq!(muted.hypothesis(), card.hypothesis());
    assert_eq!((muted.watched_since(), muted.theta_net), (None, card.theta_net));
}
