//! Quantiles of a sample.

/// The quantile of a sample in ascending order, linear between neighbours: type 7 of Hyndman and
/// Fan (1996), the default of R and numpy. `None` for an empty sample, a `share` outside [0, 1], and
/// where a neighbour is infinite.
#[must_use]
pub fn quantile(ascending: &[f64], share: f64) -> Option<f64> {
    if ascending.is_empty() || !(0.0..=1.0).contains(&share) {
        return None;
    }
    let place = (ascending.len() - 1) as f64 * share;
    let below = place.floor();
    let low = ascending[below as usize];
    let high = *ascending.get(below as usize + 1).unwrap_or(&low);
    let between = low + (high - low) * (place - below);
    between.is_finite().then_some(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_linear_between_neighbours() {
        let sample = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(quantile(&sample, 0.0), Some(1.0));
        assert_eq!(quantile(&sample, 0.5), Some(3.0));
        assert_eq!(quantile(&sample, 0.75), Some(5.0));
        assert_eq!(quantile(&sample, 1.0), Some(8.0));
    }

    #[test]
    fn what_has_no_quantile_says_so() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0], 1.5), None);
        assert_eq!(quantile(&[1.0], f64::NAN), None);
        assert_eq!(quantile(&[1.0, f64::INFINITY], 0.5), None);
        assert_eq!(quantile(&[1.0, f64::INFINITY], 1.0), None);
        assert_eq!(quantile(&[3.0], 0.7), Some(3.0));
    }
}
