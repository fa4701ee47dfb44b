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
//! The deviation is taken in two passes over the n values, oldest first: n additions a bar, but no
//! cancellation (the one-pass formula loses all digits where prices are high and moves are small),
//! never negative, and exactly 0 while the market stands still. Nothing older leaves a trace.
//!
//! Warm-up n, memory n.

use crate::exact_sum::ExactSum;
use crate::series::{LastValues, blank, checked_period, is_usable, runs};
use crate::spec::{Param, Spec, triple};
use crate::{Indicator, MAX_PERIOD, sma};

/// Mean and bands over the last values.
#[derive(Debug, Clone)]
pub struct Bollinger {
    params: BollingerParams,
    last: LastValues,
    sum: ExactSum,
}

impl Bollinger {
    /// Bands of this kind.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 2 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(params: BollingerParams) -> Self {
        let last = LastValues::new(checked_period(params.period, 2));
        Self { params, last, sum: ExactSum::new() }
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
            self.last.clear();
            self.sum = ExactSum::new();
            return None;
        }
        if let Some(left) = self.last.push(input) {
            self.sum.subtract(left);
        }
        self.sum.add(input);
        self.last.is_full().then(|| {
            let middle = self.sum.mean(self.params.period as u32);
            self.params.bands(middle, self.last.oldest_first())
        })
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
    fn bands(&self, middle: f64, values: impl Iterator<Item = f64>) -> Bands {
        let mut squares = 0.0;
        for value in values {
            let distance = value - middle;
            squares += distance * distance;
        }
        let deviation = (squares / self.deviation.divisor(self.period)).sqrt();
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
    fn divisor(self, period: usize) -> f64 {
        match self {
            Self::Population => period as f64,
            Self::Sample => (period - 1) as f64,
        }
    }
}

/// What [`Bollinger`] says about a bar, in the unit of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bands {
    /// The upper band.
    pub upper: f64,
    /// The mean.
    pub middle: f64,
    /// The lower band.
    pub lower: f64,
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
    let period = checked_period(params.period, 2);
    sma(input, period, &mut out.middle);
    blank(&mut out.upper, input.len());
    blank(&mut out.lower, input.len());
    for range in runs(input) {
        for (at, values) in (range.start + period - 1..).zip(input[range].windows(period)) {
            let bands = params.bands(out.middle[at], values.iter().copied());
            (out.upper[at], out.lower[at]) = (bands.upper, bands.lower);
        }
    }
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
    outputs: &["upperband", "middleband", "lowerband"],
    build: |params| {
        triple(Bollinger::new(params_of(params)), |bands| [bands.upper, bands.middle, bands.lower])
    },
    column: |params, input, out| {
        let mut columns = BandColumns::default();
        bollinger(input, &params_of(params), &mut columns);
        *out = vec![columns.upper, columns.middle, columns.lower];
    },
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
        let wider = (20f64 / 3.0).sqrt();
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
