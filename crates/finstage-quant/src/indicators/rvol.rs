//! Relative volume: the volume of a bar in times of the mean of the n bars before it.
//!
//! ```text
//! RVOL(n)[i] = volume[i] / SMA(volume, n)[i-1]
//! ```
//!
//! 1 is usual, 2 a surge; the present bar does not count in the mean (`VOLUME_RATIO` counts it).
//! Where the mean is zero, no volume is usual and the ratio has no value, as in TA-Lib. The mean is
//! exact, so bars of equal volume have the ratio 1 exactly.
//!
//! Warm-up n + 1, memory n + 1.

use crate::rolling::RollingMean;
use crate::series::{checked_period, finite, is_usable};
use crate::spec::{Param, Spec, drive, stream};
use crate::{Field, Indicator, MAX_PERIOD};

/// The volume of a bar in times of the mean of the n bars before it.
#[derive(Debug, Clone)]
pub struct Rvol {
    mean: RollingMean,
    usual: Option<f64>,
}

impl Rvol {
    /// A ratio to the mean of `period` bars.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { mean: RollingMean::new(checked_period(period, 1)), usual: None }
    }
}

impl Indicator for Rvol {
    /// Volumes.
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.mean.period() + 1
    }

    /// `None` also where the mean is zero.
    fn update(&mut self, volume: f64) -> Option<f64> {
        if !is_usable(volume) {
            self.mean.clear();
            self.usual = None;
            return None;
        }
        finite(volume / std::mem::replace(&mut self.usual, self.mean.push(volume))?)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "RVOL",
    describes: "Volume of the bar in times of the mean volume of the timeperiod bars before it",
    inputs: &[Field::Volume],
    params: &[Param::whole("timeperiod", 20, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: Some("the mean volume is zero"),
    build: |params| stream(Rvol::new(params[0] as usize), |bar| bar.volume, |value| [value]),
    column: |params, bars, out| {
        drive(Rvol::new(params[0] as usize), bars, |bar| bar.volume, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_what_is_usual() {
        let mut ratio = Rvol::new(2);
        let said = [1.0, 3.0, 9.0, 0.0, 0.0, 0.0, 5.0].map(|volume| ratio.update(volume));
        assert_eq!(said, [None, None, Some(4.5), Some(0.0), Some(0.0), None, None]);
        assert_eq!(ratio.update(f64::NAN), None);
        assert_eq!(ratio.update(1.0), None);
    }
}
