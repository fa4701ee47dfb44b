use std::time::Duration;

use finstage_net::{Rule, Shape};

use super::world::{Dice, Governor, MS, Ours, Outcome, RULE, Scene, play};

const SHAPES: [Shape; 4] = [Shape::Aligned, Shape::Anchored, Shape::Sliding, Shape::Bucket];

#[test]
fn explore() {
    let kinds: [(u64, u64, (u64, u64)); 5] = [
        (6000, 60_000, (1, 40)),
        (10, 1000, (1, 1)),
        (1200, 60_000, (1, 10)),
        (600, 5000, (1, 2)),
        (61_000, 300_000, (10, 400)),
    ];
    let delays = [(1, 10), (5, 80), (40, 45), (20, 200)];
    let t0 = std::time::Instant::now();
    let mut sends = 0;
    for (limit, window, weights) in kinds {
        for shape in SHAPES {
            for delay in delays {
                for (other, has_readings) in [(false, false), (false, true), (true, true)] {
                    let mut worst: Outcome =
                        Outcome { early: 9.0, used: 9.0, ..Outcome::default() };
                    let j = (delay.1 - delay.0) as f64;
                    let ceiling = if shape == Shape::Bucket && false {
                        1.0
                    } else {
                        window as f64 / (window as f64 + j)
                    };
                    let o = if other { 0.3 } else { 0.0 };
                    let mut gov = 0;
                    let mut mean = 0.0;
                    for seed in 0..10 {
                        let mut dice = Dice::new(seed * 77);
                        let rule = Rule {
                            name: RULE,
                            shape,
                            limit,
                            window: Duration::from_millis(window),
                            default_cost: 1,
                            counts_refused: seed % 2 == 0,
                        };
                        let scene = Scene {
                            rule,
                            weights,
                            delay: (delay.0 * MS, delay.1 * MS),
                            skew: dice.between(0, window * MS),
                            slow_ppm: dice.between(0, 50),
                            other: other
                                .then_some(((limit as f64 * 0.3) as u64, weights.1.div_ceil(2))),
                            has_readings,
                            windows: if limit == 10 { 60 } else { 8 },
                            learned: 3,
                            change: None,
                            states_wait: false,
                            seed,
                        };
                        let out = play(&scene, &mut Ours::new(&rule));
                        sends += out.sends;
                        gov += play(&scene, &mut Governor::new(&rule)).refused;
                        worst.early = worst.early.min(out.early / ceiling / (1.0 - o));
                        worst.used = worst.used.min(out.used / ceiling / (1.0 - o));
                        mean += out.used / ceiling / (1.0 - o) / 10.0;
                        worst.refused += out.refused;
                        worst.refused_early += out.refused_early;
                        worst.others += out.others;
                        worst.others_early += out.others_early;
                    }
                    let bad =
                        if worst.refused + worst.refused_early + worst.others + worst.others_early
                            > 0
                        {
                            "REFUSED"
                        } else if worst.early < 0.8 {
                            "early"
                        } else if worst.used < 0.99 {
                            "low"
                        } else {
                            ""
                        };
                    println!(
                        "{limit:6} {shape:9?} {delay:3?} other={other:5} read={has_readings:5} early {:.4} used {:.4} mean {:.4} refused {} {} others {} {} gov {gov} {bad}",
                        worst.early,
                        worst.used,
                        mean,
                        worst.refused_early,
                        worst.refused,
                        worst.others_early,
                        worst.others
                    );
                }
            }
        }
    }
    println!("{sends} sends {:?}", t0.elapsed());
}

#[test]
fn debug_bucket() {
    let rule = Rule {
        name: RULE,
        shape: Shape::Bucket,
        limit: 6000,
        window: Duration::from_millis(60_000),
        default_cost: 1,
        counts_refused: false,
    };
    for seed in 0..20 {
        let mut dice = Dice::new(seed * 77);
        let scene = Scene {
            rule,
            weights: (1, 40),
            delay: (40 * MS, 45 * MS),
            skew: dice.between(0, 60_000 * MS),
            slow_ppm: dice.between(0, 50),
            other: Some((1800, 20)),
            has_readings: true,
            windows: 8,
            learned: 3,
            change: None,
            states_wait: false,
            seed,
        };
        let mut ours = Ours::new(&rule);
        println!("seed {seed} {:?}", play(&scene, &mut ours));
    }
}
