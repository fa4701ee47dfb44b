//! Bollinger bands: the mean of the last n values, and so many standard deviations around it.
//!
//! John Bollinger, *Bollinger on Bollinger Bands*, 2001 (the bands date from the early 1980s). He
//! divides by n; many packages divide by n - 1. Both are here, by name ([`Deviation`]).
//!
//! ```text
//! middle = mean of the last n values
//! upper  = middle + up * deviation          lower = middle - down * deviation
//! ```
//!
//! The deviation is taken in two passes over the n values: n additions a bar (the column form does 8
//! bars side by side), but no cancellation (the one-pass formula loses all digits where prices are
//! high and moves are small), never negative, and exactly 0 while the market stands still. Nothing
//! older leaves a trace. The squares are added up in four sums, which take the values in turn from the
//! oldest on; then the first and the second, the third and the fourth, and both.
//!
//! Warm-up n, memory n.

use crate::bands::{around, sum_of_squares};
use crate::blocks::each;
use crate::rolling::{RollingMean, means};
use crate::series::{checked_period, is_usable};
use crate::spec::{Param, Spec, stream};
use crate::{Field, Indicator, MAX_PERIOD};

/// Mean and bands over the last values.
#[derive(Debug, Clone)]
pub struct Bollinger {
    params: BollingerParams,
    mean: RollingMean,
}

impl Bollinger {
    /// Bands of this kind.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 2 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(params: BollingerParams) -> Self {
        Self { params, mean: RollingMean::new(checked_period(params.period, 2)) }
    }
}

impl Indicator for Bollinger {
    type Input = f64;
    type Output = Bands;

    fn warmup(&self) -> usize {
        self.params.period
    }

    fn update(&mut self, input: f64) -> Option<Bands> {
        if !is_usable(input) {
            self.mean.clear();
            return None;
        }
        let middle = self.mean.push(input)?;
        Some(self.params.bands(middle, sum_of_squares(self.mean.last().oldest_first(), middle)))
    }
}

/// What kind of bands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BollingerParams {
    /// Number of values.
    pub period: usize,
    /// Deviations from the middle to the upper band.
    pub up: f64,
    /// Deviations from the middle to the lower band.
    pub down: f64,
    /// Which deviation.
    pub deviation: Deviation,
}

impl BollingerParams {
    pub(crate) fn bands(&self, middle: f64, squares: f64) -> Bands {
        let deviation = (squares * self.deviation.share(self.period)).sqrt();
        Bands { upper: middle + self.up * deviation, middle, lower: middle - self.down * deviation }
    }
}

/// The two definitions of the standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Deviation {
    /// The mean square is divided by n: Bollinger's own, and TA-Lib's.
    #[default]
    Population,
    /// The sum of squares is divided by n - 1.
    Sample,
}

impl Deviation {
    /// What the sum of squares is multiplied with: 1/n or 1/(n-1), rounded.
    pub(crate) fn share(self, period: usize) -> f64 {
        match self {
            Self::Population => (period as f64).recip(),
            Self::Sample => ((period - 1) as f64).recip(),
        }
    }
}

/// A line with one above and one below it, in the unit of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// The upper band.
    pub upper: f64,
    /// The middle.
    pub middle: f64,
    /// The lower band.
    pub lower: f64,
}

impl Bands {
    pub(super) fn lines(self) -> [f64; 3] {
        [self.upper, self.middle, self.lower]
    }
}

/// Column form of [`Bands`].
#[derive(Debug, Clone, Default)]
pub struct BandColumns {
    /// The upper band.
    pub upper: Vec<f64>,
    /// The mean.
    pub middle: Vec<f64>,
    /// The lower band.
    pub lower: Vec<f64>,
}

/// Column form of [`Bollinger`]: as many places as `input`, NaN where there is no answer.
///
/// # Panics
/// As [`Bollinger::new`].
pub fn bollinger(input: &[f64], params: &BollingerParams, out: &mut BandColumns) {
    bands(input, params, [&mut out.upper, &mut out.middle, &mut out.lower]);
}

fn bands(input: &[f64], params: &BollingerParams, [upper, middle, lower]: [&mut Vec<f64>; 3]) {
    let period = checked_period(params.period, 2);
    upper.resize(input.len(), f64::NAN);
    lower.resize(input.len(), f64::NAN);
    means(input, period, middle, |place, middles| {
        let end = place + middles.len();
        let (upper, lower) = (&mut upper[place..end], &mut lower[place..end]);
        if middles[0].is_nan() {
            upper.fill(f64::NAN);
            lower.fill(f64::NAN);
        } else {
            around(params, (&input[place + 1 - period..end], middles), (upper, lower));
        }
    });
}

fn params_of(values: &[f64]) -> BollingerParams {
    BollingerParams {
        period: values[0] as usize,
        up: values[1],
        down: values[2],
        deviation: Deviation::Population,
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "BBANDS",
    describes: "Bollinger bands: mean of timeperiod closes and population deviations around it",
    params: &[
        Param::whole("timeperiod", 20, (2, MAX_PERIOD as u32)),
        Param::number("nbdevup", 2.0, (0.0, 1_000.0)),
        Param::number("nbdevdn", 2.0, (0.0, 1_000.0)),
        // TA-Lib can take other averages for the middle; 0 is the simple one, and the only one here.
        Param::whole("matype", 0, (0, 0)),
    ],
    inputs: &[Field::Close],
    outputs: &["upperband", "middleband", "lowerband"],
    undefined: None,
    build: |params| stream(Bollinger::new(params_of(params)), |bar| bar.close, Bands::lines),
    column: |params, bars, out| bands(bars.close, &params_of(params), each(out)),
};

#[cfg(test)]
mod tests {
    use super::*;

    fn last(params: BollingerParams, closes: &[f64]) -> Option<Bands> {
        let mut bollinger = Bollinger::new(params);
        closes.iter().map(|&close| bollinger.update(close)).last().flatten()
    }

    #[test]
    fn the_two_deviations_divide_differently() {
        // squares around 5: 9 + 1 + 1 + 9 = 20
        let closes = [99.0, 2.0, 4.0, 6.0, 8.0];
        let population =
            BollingerParams { period: 4, up: 2.0, down: 1.0, deviation: Deviation::Population };
        let five = 5f64.sqrt();
        let expected = Bands { upper: 5.0 + 2.0 * five, middle: 5.0, lower: 5.0 - five };
        assert_eq!(last(population, &closes), Some(expected));
        let sample = BollingerParams { deviation: Deviation::Sample, ..population };
        let wider = (20f64 * 3f64.recip()).sqrt();
        let expected = Bands { upper: 5.0 + 2.0 * wider, middle: 5.0, lower: 5.0 - wider };
        assert_eq!(last(sample, &closes), Some(expected));
    }

    #[test]
    fn a_market_that_stands_still_has_no_width() {
        let params =
            BollingerParams { period: 20, up: 2.0, down: 2.0, deviation: Deviation::Sample };
        let still = Bands { upper: 0.1, middle: 0.1, lower: 0.1 };
        assert_eq!(last(params, &[0.1; 33]), Some(still));
    }

    #[test]
    fn small_moves_at_a_high_price_keep_their_digits() {
        let params =
            BollingerParams { period: 2, up: 1.0, down: 1.0, deviation: Deviation::Population };
        let bands = last(params, &[1e9, 1e9 + 0.25]).unwrap();
        assert_eq!((bands.upper, bands.lower), (1e9 + 0.25, 1e9));
    }
}
