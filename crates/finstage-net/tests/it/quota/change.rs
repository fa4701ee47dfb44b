//! A limit that is halved without a word.

use std::time::Duration;

use finstage_net::{Rule, Shape};

use super::world::{MS, Ours, RULE, Scene, play};

const SEEDS: u64 = 40;

/// What came of a halved limit, over all seeds: the mean share of the new limit that is used a window
/// later, and the refusals of what was sent after the first one was known, in eight windows.
fn halved(rule: Rule, has_readings: bool, states_wait: bool) -> (f64, f64) {
    let (mut used, mut refused) = (0.0, 0);
    for seed in 0..SEEDS {
        let scene = Scene {
            rule,
            weights: (1, 40),
            delay: (5 * MS, 80 * MS),
            skew: seed * 777 * MS,
            slow_ppm: 20,
            other: None,
            has_readings,
            windows: 12,
            learned: 3,
            change: Some((rule.limit / 2, 240_000 * MS + seed * 1234 * MS)),
            states_wait,
            seed,
        };
        let outcome = play(&scene, &mut Ours::new(&rule));
        used += outcome.after_change;
        refused += outcome.refused_again;
    }
    (used / SEEDS as f64, refused as f64 / SEEDS as f64)
}

/// A bucket is not asked: it accepts nothing for a window, until what it holds fits the new limit.
#[test]
fn a_limit_halved_without_notice_is_used_in_full_within_a_window() {
    for shape in [Shape::Aligned, Shape::Anchored, Shape::Sliding] {
        for has_readings in [false, true] {
            for states_wait in [false, true] {
                for counts_refused in [false, true] {
                    let window = Duration::from_secs(60);
                    let (limit, default_cost) = (6000, 1);
                    let name = RULE;
                    let rule = Rule { name, shape, limit, window, default_cost, counts_refused };
                    let (used, refused) = halved(rule, has_readings, states_wait);
                    let scene = format!(
                        "{shape:?}, readings {has_readings}, wait {states_wait}, counted \
                         {counts_refused}: used {used:.3}, refused again {refused:.2}"
                    );
                    println!("{scene}");
                    assert!(used >= 0.95, "{scene}");
                    // The careful raises afterwards are among them; where the server's figures tell,
                    // the first comes after one window.
                    assert!(refused <= 6.0, "{scene}");
                }
            }
        }
    }
}
