//! What the data could have shown.

use super::normal;

/// z of a chance of 80 %, rounded as the specification of the evidence rounds it.
const Z_OF_POWER: f64 = 0.8416;

/// The smallest edge that would have been found with a chance of 80 %:
/// `MDE = se·(z(1 − α/m) + 0.8416)`, with `tests` = m hypotheses sharing the error rate `alpha`.
/// In units of the standard error `se`. `None` unless se > 0, 0 < α < 1 and m > 0.
#[must_use]
pub fn detectable_edge(se: f64, alpha: f64, tests: usize) -> Option<f64> {
    let share = alpha / tests as f64;
    let edge = se * (-normal::quantile(share)? + Z_OF_POWER);
    (se > 0.0 && alpha < 1.0 && edge.is_finite()).then_some(edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_tests_hide_smaller_edges() {
        let one = detectable_edge(0.01, 0.05, 1).unwrap();
        assert!((one - 0.01 * (1.644_853_626_951_472_2 + 0.8416)).abs() < 1e-16);
        assert!(detectable_edge(0.01, 0.05, 105).unwrap() > one);
        assert_eq!(detectable_edge(0.01, 0.05, 0), None);
        assert_eq!(detectable_edge(0.0, 0.05, 1), None);
        assert_eq!(detectable_edge(f64::NAN, 0.05, 1), None);
    }
}
