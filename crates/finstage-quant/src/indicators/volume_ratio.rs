//! Volume ratio: the volume of a bar in times of the mean of the last n bars, the present one included.
//!
//! ```text
//! VOLUME_RATIO(n)[i] = volume[i] / SMA(volume, n)[i]
//! ```
//!
//! 1 is usual, 2 a surge; the present bar counts in the mean, as in most alert services (`RVOL` leaves it out).
//! Where the mean is zero, no volume is usual and the ratio has no value. The mean is
//! exact, so bars of equal volume have the ratio 1 exactly.
//!
//! Warm-up n, memory n.

use crate::rolling::RollingMean;
use crate::series::{checked_period, finite, is_usable};
use crate::spec::{Param, Spec, drive, stream};
use crate::{Field, Indicator, MAX_PERIOD};

/// The volume of a bar in times of the mean of the last n bars, the present one included.
#[derive(Debug, Clone)]
pub struct VolumeRatio {
    mean: RollingMean,
}

impl VolumeRatio {
    /// A ratio to the mean of `period` bars.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { mean: RollingMean::new(checked_period(period, 1)) }
    }
}

impl Indicator for VolumeRatio {
    /// Volumes.
    type Input = f64;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.mean.period()
    }

    /// `None` also where the mean is zero.
    fn update(&mut self, volume: f64) -> Option<f64> {
        if !is_usable(volume) {
            self.mean.clear();
            return None;
        }
        finite(volume / self.mean.push(volume)?)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "VOLUME_RATIO",
    describes: "Volume of the bar in times of the mean volume of timeperiod bars, itself included",
    inputs: &[Field::Volume],
    params: &[Param::whole("timeperiod", 20, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: Some("the mean volume is zero"),
    build: |params| stream(VolumeRatio::new(params[0] as usize), |bar| bar.volume, |value| [value]),
    column: |params, bars, out| {
        drive(VolumeRatio::new(params[0] as usize), bars, |bar| bar.volume, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_what_is_usual() {
        let mut ratio = VolumeRatio::new(2);
        let said = [1.0, 3.0, 9.0, 0.0, 0.0, 0.0, 5.0].map(|volume| ratio.update(volume));
        assert_eq!(said, [None, Some(1.5), Some(1.5), Some(0.0), None, None, Some(2.0)]);
        assert_eq!(ratio.update(f64::NAN), None);
        assert_eq!(ratio.update(1.0), None);
    }
}
