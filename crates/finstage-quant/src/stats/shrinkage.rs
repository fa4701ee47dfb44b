//! What to expect of one idea, given how its siblings did.

use super::moments::mean;

/// An estimated excess and its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The estimate θ.
    pub theta: f64,
    /// Its standard error.
    pub se: f64,
}

/// The variance of true effects over a library of the same claim and horizon:
/// `τ² = max(0, mean(θ² − se²))`, by the method of moments around 0 (Efron and Morris 1973). Near 0
/// when the library is noise; 0 when it is empty.
#[must_use]
pub fn variance_of_effects(library: &[Measured]) -> f64 {
    let excess = |one: &Measured| one.theta * one.theta - one.se * one.se;
    mean(&library.iter().map(excess).collect::<Vec<_>>()).unwrap_or(0.0).max(0.0)
}

impl Measured {
    /// The expectation shrunk towards 0: `θ·τ²/(τ² + se²)`; 0 when nothing is known.
    #[must_use]
    pub fn shrunk(&self, variance_of_effects: f64) -> f64 {
        let weight = variance_of_effects / (variance_of_effects + self.se * self.se);
        if weight.is_finite() { self.theta * weight } else { 0.0 }
    }
}

/// The hit rate to forecast: the measured one shrunk to the base rate with weight
/// `n_eff/(n_eff + 30)`.
#[must_use]
pub fn forecast(hit_rate: f64, base_rate: f64, effective_events: usize) -> f64 {
    const WORTH_OF_THE_BASE: f64 = 30.0;
    let count = effective_events as f64;
    base_rate + (hit_rate - base_rate) * (count / (count + WORTH_OF_THE_BASE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_of_noise_promises_nothing() {
        let noise = [0.01, -0.01, 0.0].map(|theta| Measured { theta, se: 0.01 });
        assert_eq!(variance_of_effects(&noise), 0.0);
        assert_eq!(noise[0].shrunk(variance_of_effects(&noise)), 0.0);
        assert_eq!(variance_of_effects(&[]), 0.0);
        assert_eq!(Measured { theta: 0.0, se: 0.0 }.shrunk(0.0), 0.0);
    }

    #[test]
    fn a_library_of_effects_keeps_most_of_them() {
        let effects = [0.03, -0.03].map(|theta| Measured { theta, se: 0.01 });
        let variance = variance_of_effects(&effects);
        assert!((variance - 0.0008).abs() < 1e-15);
        assert!((effects[0].shrunk(variance) - 0.03 * 8.0 / 9.0).abs() < 1e-15);
    }

    #[test]
    fn few_events_forecast_the_base_rate() {
        assert_eq!(forecast(0.9, 0.5, 0), 0.5);
        assert_eq!(forecast(0.75, 0.5, 30), 0.625);
    }
}
