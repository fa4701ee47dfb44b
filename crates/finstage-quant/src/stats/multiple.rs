//! What p-values are worth when there are many of them.

/// Benjamini and Hochberg (1995) adjusted p-values (q-values), in the order of `p`: the smallest false
/// discovery rate at which each would be found, for independent or positively dependent tests.
/// A p that is not a number counts as 1.
#[must_use]
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    step_up(p, 1.0)
}

/// Benjamini and Yekutieli (2001) adjusted p-values, in the order of `p`: as
/// [`benjamini_hochberg`], for any dependence, by a further factor 1 + 1/2 + … + 1/m.
#[must_use]
pub fn benjamini_yekutieli(p: &[f64]) -> Vec<f64> {
    step_up(p, (1..=p.len()).map(|rank| 1.0 / rank as f64).sum())
}

/// Holm (1979) adjusted p-values, in the order of `p`: the smallest chance of any false discovery at
/// which each would be found. A p that is not a number counts as 1.
#[must_use]
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut adjusted = vec![0.0; p.len()];
    let mut most = 0.0f64;
    for (rank, place) in ascending(p).into_iter().enumerate() {
        most = most.max(((p.len() - rank) as f64 * usable(p[place])).min(1.0));
        adjusted[place] = most;
    }
    adjusted
}

/// The chance that the best of `trials` independent tries reaches `p`: `1 − (1 − p)^K` (Šidák 1967),
/// K may be an effective number. `None` unless p lies in [0, 1] and K is at least 1.
#[must_use]
pub fn best_of(p: f64, trials: f64) -> Option<f64> {
    if !(0.0..=1.0).contains(&p) || trials.is_nan() || trials < 1.0 {
        return None;
    }
    // Keeps the digits of a small p.
    Some(-libm::expm1(trials * libm::log1p(-p)))
}

fn step_up(p: &[f64], factor: f64) -> Vec<f64> {
    let count = p.len() as f64;
    let mut adjusted = vec![0.0; p.len()];
    let mut least = 1.0f64;
    for (rank, place) in ascending(p).into_iter().enumerate().rev() {
        least = least.min(usable(p[place]) * count * factor / (rank + 1) as f64);
        adjusted[place] = least;
    }
    adjusted
}

/// Places in the order of their p.
fn ascending(p: &[f64]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..p.len()).collect();
    places.sort_by(|&left, &right| usable(p[left]).total_cmp(&usable(p[right])));
    places
}

fn usable(p: f64) -> f64 {
    if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_test_is_not_adjusted() {
        for adjust in [benjamini_hochberg, benjamini_yekutieli, holm] {
            assert_eq!(adjust(&[0.03]), [0.03]);
            assert!(adjust(&[]).is_empty());
            assert_eq!(adjust(&[f64::NAN]), [1.0]);
        }
    }

    #[test]
    fn adjusted_values_keep_the_order_of_the_tests() {
        assert_eq!(benjamini_hochberg(&[0.9, 0.01, 0.04]), [0.9, 0.03, 0.06]);
        assert_eq!(holm(&[0.5, 0.01, 0.04]), [0.5, 0.03, 0.08]);
        assert_eq!(holm(&[0.3, 0.25]), [0.5, 0.5]);
    }

    #[test]
    fn the_best_of_many_is_less_surprising() {
        assert_eq!(best_of(0.05, 1.0).map(|p| (p * 1e12).round()), Some(5e10));
        assert!((best_of(0.5, 2.0).unwrap() - 0.75).abs() < 1e-15);
        assert!((best_of(1e-18, 10.0).unwrap() / 1e-17 - 1.0).abs() < 1e-14);
        assert_eq!(best_of(1.0, 3.0), Some(1.0));
        assert_eq!(best_of(f64::NAN, 3.0), None);
        assert_eq!(best_of(0.1, 0.5), None);
    }
}
