//! Notices when an edge is gone: Page's one-sided cumulative sum.

/// Mean number of occasions to a false alarm that thresholds are made for.
pub const IN_CONTROL_RUN: f64 = 500.0;

/// What Siegmund's formula adds to the threshold for the overshoot of a discrete walk.
const OVERSHOOT: f64 = 1.166;

/// Page's (1954) cumulative sum of what is missing from an expected edge:
/// `S ← max(0, S + δ/2 − y)`, alarm when S > H. Everything is in units of the standard deviation of
/// one occasion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cusum {
    allowance: f64,
    threshold: f64,
    sum: f64,
}

impl Cusum {
    /// For an expected edge `delta` > 0, with the threshold of [`threshold`] for
    /// [`IN_CONTROL_RUN`]. `None` for another delta.
    #[must_use]
    pub fn new(delta: f64) -> Option<Self> {
        let threshold = threshold(delta, IN_CONTROL_RUN)?;
        Some(Self { allowance: delta / 2.0, threshold, sum: 0.0 })
    }

    /// Takes the outcome of the next occasion; whether the edge is to be taken for gone. An outcome
    /// that is not a number changes nothing.
    pub fn update(&mut self, outcome: f64) -> bool {
        if outcome.is_finite() {
            self.sum = (self.sum + self.allowance - outcome).max(0.0);
        }
        self.sum > self.threshold
    }

    /// What has piled up, at least 0.
    #[must_use]
    pub const fn sum(&self) -> f64 {
        self.sum
    }

    /// H.
    #[must_use]
    pub const fn threshold(&self) -> f64 {
        self.threshold
    }
}

/// The threshold H with which an edge that is still there raises a false alarm after `run` occasions
/// on average, from Siegmund's (1985) formula: with Δ = δ/2 and b = H + 1.166,
/// `(e^{2Δb} − 2Δb − 1)/(2Δ²) = run`. `None` unless δ > 0 and H is positive and finite.
#[must_use]
pub fn threshold(delta: f64, run: f64) -> Option<f64> {
    const MOST_STEPS: u32 = 200;
    let drift = delta / 2.0;
    let wanted = run * 2.0 * drift * drift;
    if !(delta > 0.0 && wanted > 0.0 && wanted.is_finite()) {
        return None;
    }
    // Solves e^u − u − 1 = wanted: convex, so Newton's steps from the right stay there. As the
    // left side is at least u²/2 and e^u/4 − 1, either bound lies to the right.
    let mut u = (2.0 * wanted).sqrt().min(libm::log(4.0 * wanted + 4.0));
    for _ in 0..MOST_STEPS {
        let growth = libm::expm1(u);
        let next = u - (growth - u - wanted) / growth;
        let settled = (next - u).abs() <= 1e-15 * u;
        u = next;
        if settled {
            break;
        }
    }
    let height = u / (2.0 * drift) - OVERSHOOT;
    (height > 0.0 && height.is_finite()).then_some(height)
}

/// Mean number of occasions to the alarm once the edge has fallen to 0, from Siegmund's (1985) formula
/// with the drift reversed: `(e^{−2Δb} + 2Δb − 1)/(2Δ²)`. `None` unless δ > 0 and `threshold` ≥ 0.
#[must_use]
pub fn run_after_decay(delta: f64, threshold: f64) -> Option<f64> {
    let u = delta * (threshold + OVERSHOOT);
    let run = (libm::expm1(-u) + u) / (delta * delta / 2.0);
    (delta > 0.0 && threshold >= 0.0 && run.is_finite()).then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_threshold_solves_its_equation() {
        for delta in [0.01, 0.1, 0.5, 1.0, 2.0] {
            let height = threshold(delta, 500.0).unwrap();
            let u = delta * (height + OVERSHOOT);
            let run = (u.exp() - u - 1.0) / (delta * delta / 2.0);
            assert!((run / 500.0 - 1.0).abs() < 1e-9, "{delta}: {run}");
        }
        for delta in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(threshold(delta, 500.0), None);
            assert_eq!(Cusum::new(delta), None);
        }
    }

    #[test]
    fn an_edge_that_holds_is_not_muted_and_one_that_left_is() {
        let mut watch = Cusum::new(0.3).unwrap();
        assert!((0..1000).all(|_| !watch.update(0.3)));
        assert_eq!(watch.sum(), 0.0);
        assert!(!watch.update(f64::NAN));
        let mutes = (1..).find(|_| watch.update(-0.3)).unwrap();
        assert_eq!(mutes, (watch.threshold() / 0.45).ceil() as usize);
    }
}
