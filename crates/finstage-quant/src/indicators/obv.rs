//! On balance volume: volume counted up on rising closes, down on falling ones.
//!
//! Joseph Granville, *Granville\'s New Key to Stock Market Profits*, 1963.
//!
//! ```text
//! OBV[0] = volume[0]
//! OBV[i] = OBV[i-1] + volume[i] if close rose, - volume[i] if it fell, unchanged if neither
//! ```
//!
//! Only its differences mean anything. A break begins a new count. Warm-up 1. Memory:
//! [`FOREVER`](crate::FOREVER).

use crate::spec::{Spec, drive, stream};
use crate::{BarInput, FOREVER, Field, Indicator, Traded};

/// On balance volume since the first bar.
#[derive(Debug, Clone, Default)]
pub struct Obv {
    previous: Option<f64>,
    balance: f64,
}

impl Obv {
    /// No bar seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for Obv {
    type Input = Traded;
    type Output = f64;

    fn warmup(&self) -> usize {
        1
    }

    fn memory(&self) -> usize {
        FOREVER
    }

    fn update(&mut self, input: Traded) -> Option<f64> {
        if !input.is_usable() {
            *self = Self::new();
            return None;
        }
        let before = self.previous.replace(input.price).unwrap_or(f64::NEG_INFINITY);
        // No branch: which way a close goes is what a processor cannot predict.
        let sign =
            f64::from(u8::from(input.price > before)) - f64::from(u8::from(input.price < before));
        self.balance += sign * input.volume;
        Some(self.balance)
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "OBV",
    describes: "On balance volume: volume added on rising closes, subtracted on falling ones",
    inputs: &[Field::Close, Field::Volume],
    params: &[],
    outputs: &["real"],
    undefined: None,
    build: |_| stream(Obv::new(), BarInput::at_close, |value| [value]),
    column: |_, bars, out| {
        drive(Obv::new(), bars, BarInput::at_close, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volume_goes_with_the_close() {
        let mut balance = Obv::new();
        let said = [(10.0, 5.0), (11.0, 3.0), (11.0, 9.0), (9.0, 4.0), (8.0, 0.0)]
            .map(|(price, volume)| balance.update(Traded { price, volume }));
        assert_eq!(said, [5.0, 8.0, 8.0, 4.0, 4.0].map(Some));
        assert_eq!(balance.update(Traded { price: 9.0, volume: f64::NAN }), None);
        assert_eq!(balance.update(Traded { price: 9.0, volume: 2.0 }), Some(2.0));
    }
}
