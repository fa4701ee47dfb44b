//! The binomial distribution, the same to the last bit on every machine.

/// P(X ≥ `hits`) of X hits in `trials` tries that each hit with chance `share`. Exact but for rounding,
/// accurate in relative terms where it is small. `None` unless `hits` ≤ `trials` and `share` lies in
/// [0, 1].
#[must_use]
pub fn upper(trials: u64, hits: u64, share: f64) -> Option<f64> {
    if hits > trials || !(0.0..=1.0).contains(&share) {
        return None;
    }
    if hits == 0 || share >= 1.0 {
        return Some(1.0);
    }
    if share <= 0.0 {
        return Some(0.0);
    }
    let odds = share / (1.0 - share);
    let (count, at) = (trials as f64, hits as f64);
    // The smaller side is summed: it keeps its digits.
    if at > count * share {
        let step = |k: f64| (count - k) / (k + 1.0) * odds;
        let terms = (hits..trials).map(|k| step(k as f64));
        return Some(sum(term(count, at, share), terms).min(1.0));
    }
    let step = |k: f64| k / (count - k + 1.0) / odds;
    let terms = (1..hits).rev().map(|k| step(k as f64));
    Some((1.0 - sum(term(count, at - 1.0, share), terms)).max(0.0))
}

/// The first term and those that follow, each the one before times a factor, until they add nothing.
fn sum(first: f64, factors: impl Iterator<Item = f64>) -> f64 {
    let (mut term, mut total) = (first, first);
    for factor in factors {
        term *= factor;
        if term <= total * f64::EPSILON / 4.0 {
            break;
        }
        total += term;
    }
    total
}

/// P(X = `at`) for a share inside (0, 1).
fn term(count: f64, at: f64, share: f64) -> f64 {
    let ways = libm::lgamma(count + 1.0) - libm::lgamma(at + 1.0) - libm::lgamma(count - at + 1.0);
    libm::exp(ways + at * libm::log(share) + (count - at) * libm::log1p(-share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_a_calculation_by_hand() {
        for (trials, hits, share, expected) in [
            (5, 5, 0.5, 1.0 / 32.0),
            (5, 4, 0.5, 6.0 / 32.0),
            (5, 1, 0.5, 31.0 / 32.0),
            (10, 3, 0.2, 0.322_200_473_6),
            (3, 2, 0.9, 0.972),
        ] {
            let tail = upper(trials, hits, share).unwrap();
            assert!((tail - expected).abs() < 1e-12, "{trials} {hits} {share}: {tail}");
        }
    }

    #[test]
    fn both_sides_make_one() {
        for share in [0.01, 0.3, 0.5, 0.97] {
            for hits in 1..=400 {
                let above = upper(400, hits, share).unwrap();
                let below = upper(400, 400 - hits + 1, 1.0 - share).unwrap();
                assert!((above + below - 1.0).abs() < 1e-11, "{share} {hits}");
            }
        }
    }

    #[test]
    fn edges_and_what_is_no_question() {
        assert_eq!(upper(0, 0, 0.5), Some(1.0));
        assert_eq!(upper(9, 9, 0.0), Some(0.0));
        assert_eq!(upper(9, 9, 1.0), Some(1.0));
        assert_eq!(upper(9, 10, 0.5), None);
        assert_eq!(upper(9, 1, f64::NAN), None);
        assert!(upper(100_000, 50_900, 0.5).unwrap() < 1e-7);
    }
}
