//! Volume weighted average price since the first bar: what the average unit was traded at.
//!
//! ```text
//! VWAP[i] = sum of typical * volume / sum of volume        over all bars 0..=i
//! typical = (high + low + close) / 3
//! ```
//!
//! Kept as a running mean, so that the average of equal prices is that price. As long as nothing was
//! traded there is no such price and no answer (TA-Lib says 0, which reads as a price); later bars
//! without volume change nothing. A break begins a new sum. For the usual daily line see
//! `VWAP_SESSION`.
//!
//! Warm-up 1. Memory: [`FOREVER`](crate::FOREVER); it depends on where the series begins.

use crate::spec::{Spec, drive, stream};
use crate::{BarInput, FOREVER, Field, Indicator, Traded};

/// The volume weighted average since the first bar.
#[derive(Debug, Clone, Default)]
pub struct Vwap {
    price: f64,
    volume: f64,
}

impl Vwap {
    /// Nothing traded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for Vwap {
    type Input = Traded;
    type Output = f64;

    fn warmup(&self) -> usize {
        1
    }

    fn memory(&self) -> usize {
        FOREVER
    }

    /// `None` also until anything was traded.
    fn update(&mut self, input: Traded) -> Option<f64> {
        if !input.is_usable() {
            *self = Self::new();
            return None;
        }
        if input.volume > 0.0 {
            self.volume += input.volume;
            self.price += (input.price - self.price) * (input.volume / self.volume);
        }
        (self.volume > 0.0).then_some(self.price)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "VWAP",
    describes: "Volume weighted average of typical prices since the first bar",
    inputs: &[Field::High, Field::Low, Field::Close, Field::Volume],
    params: &[],
    outputs: &["real"],
    undefined: Some("nothing was traded yet"),
    build: |_| stream(Vwap::new(), BarInput::at_typical, |value| [value]),
    column: |_, bars, out| {
        drive(Vwap::new(), bars, BarInput::at_typical, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    fn said(traded: &[(f64, f64)]) -> Vec<Option<f64>> {
        let mut average = Vwap::new();
        traded.iter().map(|&(price, volume)| average.update(Traded { price, volume })).collect()
    }

    #[test]
    fn each_price_counts_by_its_volume() {
        let out = said(&[(10.0, 1.0), (14.0, 3.0), (99.0, 0.0)]);
        assert_eq!(out, [Some(10.0), Some(13.0), Some(13.0)]);
        assert_eq!(said(&[(0.1, 0.3), (0.1, 1e9), (0.1, 7.7)]), [Some(0.1); 3]);
    }

    #[test]
    fn what_was_not_traded_has_no_price() {
        assert_eq!(said(&[(10.0, 0.0), (11.0, 2.0)]), [None, Some(11.0)]);
    }

    #[test]
    fn a_break_begins_a_new_sum() {
        let out = said(&[(10.0, 1.0), (f64::NAN, 1.0), (20.0, 1.0), (5.0, -1.0)]);
        assert_eq!(out, [Some(10.0), None, Some(20.0), None]);
    }
}
