//! Money flow index: the share of rising bars in all money that changed hands, 0 to 100.
//!
//! Gene Quong and Avrum Soudack, *Volume-Weighted RSI: Money Flow*, Technical Analysis of Stocks &
//! Commodities, 1989.
//!
//! ```text
//! flow    = typical * volume                       typical = (high + low + close) / 3
//! MFI(n)  = 100 * up / (up + down)                 sums of the last n flows
//! up, down: of bars whose typical price rose, fell; bars that did neither do not count
//! ```
//!
//! Typical prices that are equal on paper may differ in their last digits as sums of doubles; they
//! count as equal, and so they do in TA-Lib.
//!
//! 0 where no money flowed, as in TA-Lib (which says so already below 1.0 of the currency; that
//! threshold is not kept, as prices of 1e-8 exist). Sums are exact. Warm-up n + 1, memory n + 1.

use crate::rolling::RollingMean;
use crate::series::checked_period;
use crate::spec::{Param, Spec, drive, stream};
use crate::{BarInput, Field, Indicator, MAX_PERIOD, Traded};

/// By how much of itself the mean of three quoted prices can be off: each quote by half of the last
/// digit, as each of two additions and the division; on both sides.
const NOISE: f64 = 4.0 * f64::EPSILON;

/// The money flow index.
#[derive(Debug, Clone)]
pub struct Mfi {
    previous: Option<f64>,
    up: RollingMean,
    down: RollingMean,
}

impl Mfi {
    /// An index over `period` flows.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        let period = checked_period(period, 1);
        Self { previous: None, up: RollingMean::new(period), down: RollingMean::new(period) }
    }
}

impl Indicator for Mfi {
    /// Volumes at typical prices.
    type Input = Traded;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.up.period() + 1
    }

    fn update(&mut self, input: Traded) -> Option<f64> {
        if !input.is_usable() {
            self.previous = None;
            self.up.clear();
            self.down.clear();
            return None;
        }
        let before = self.previous.replace(input.price)?;
        let flow = input.price * input.volume;
        let change = input.price - before;
        let noise = NOISE * input.price.abs().max(before.abs());
        let up = self.up.push(if change > noise { flow } else { 0.0 });
        let down = self.down.push(if change < -noise { flow } else { 0.0 });
        let (up, down) = (up?, down?);
        let all = up + down;
        Some(if all > 0.0 { 100.0 * (up / all) } else { 0.0 })
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "MFI",
    describes: "Money flow index: the share of rising bars in the money traded, 0 to 100",
    inputs: &[Field::High, Field::Low, Field::Close, Field::Volume],
    params: &[Param::whole("timeperiod", 14, (2, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Mfi::new(params[0] as usize), BarInput::at_typical, |value| [value]),
    column: |params, bars, out| {
        drive(Mfi::new(params[0] as usize), bars, BarInput::at_typical, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn said(traded: &[(f64, f64)]) -> Vec<Option<f64>> {
        let mut index = Mfi::new(2);
        traded.iter().map(|&(price, volume)| index.update(Traded { price, volume })).collect()
    }

    #[test]
    fn the_share_of_money_that_went_up() {
        let out = said(&[(10.0, 9.0), (20.0, 3.0), (10.0, 2.0), (10.0, 7.0)]);
        assert_eq!(out, [None, None, Some(75.0), Some(0.0)]);
    }

    #[test]
    fn what_is_equal_on_paper_did_not_move() {
        use crate::HighLowClose;
        let first = HighLowClose { high: 0.3, low: 0.1, close: 0.2 }.typical();
        let second = HighLowClose { high: 0.4, low: 0.1, close: 0.1 }.typical();
        assert_ne!(first, second);
        assert_eq!(said(&[(first, 1.0), (second, 1.0), (0.5, 1.0)])[2], Some(100.0));
        assert_eq!(said(&[(second, 1.0), (first, 1.0), (0.1, 1.0)])[2], Some(0.0));
    }

    #[test]
    fn without_flow_there_is_no_share() {
        assert_eq!(said(&[(10.0, 5.0); 5])[2..], [Some(0.0); 3]);
        assert_eq!(said(&[(10.0, 0.0), (11.0, 0.0), (9.0, 0.0)])[2], Some(0.0));
    }
}
