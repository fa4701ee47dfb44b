//! A limit that is halved without a word.

use std::time::Duration;

use finstage_net::{Rule, Shape};

use super::world::{MS, Ours, RULE, Scene, play};

#[test]
fn explore_change() {
    for shape in [Shape::Aligned, Shape::Anchored, Shape::Sliding, Shape::Bucket] {
        for has_readings in [false, true] {
            for states_wait in [false, true] {
                for counts_refused in [false, true] {
                    let (mut after, mut again, mut most) = (0.0, 0, 0);
                    let mut least: f64 = 9.0;
                    for seed in 0..40 {
                        let rule = Rule { name: RULE, shape, limit: 6000, window: Duration::from_secs(60), default_cost: 1, counts_refused };
                        let scene = Scene {
                            rule, weights: (1, 40), delay: (5 * MS, 80 * MS), skew: seed * 777 * MS, slow_ppm: 20, other: None,
                            has_readings, windows: 12, learned: 3, change: Some((3000, 240_000 * MS + seed * 1234 * MS)), states_wait, seed,
                        };
                        let out = play(&scene, &mut Ours::new(&rule));
                        after += out.after_change / 40.0;
                        least = least.min(out.after_change);
                        again += out.refused_again;
                        most = most.max(out.refused_again);
                    }
                    println!("{shape:?} readings {has_readings} wait {states_wait} counted {counts_refused}: after {after:.3} least {least:.3} again {again} most {most}");
                }
            }
        }
    }
}
