//! Volume weighted average price of the day so far, begun anew with each UTC day.
//!
//! ```text
//! VWAP_SESSION[i] = sum of typical * volume / sum of volume    over the bars of i's day until i
//! ```
//!
//! The day is that of the bar's first moment, in UTC: right for markets that trade around the clock,
//! and for those whose session lies within a UTC day. Otherwise as `VWAP` (see `vwap.rs`).
//!
//! Warm-up 1. Memory: [`FOREVER`](crate::FOREVER), since no number of bars bounds a day; all bars of
//! the day are needed, and none before.

use finstage_model::Day;

use crate::spec::{Spec, drive, stream};
use crate::{BarInput, FOREVER, Field, Indicator, Vwap};

/// The volume weighted average of the day so far.
#[derive(Debug, Clone, Default)]
pub struct SessionVwap {
    day: Option<Day>,
    average: Vwap,
}

impl SessionVwap {
    /// No bar seen yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl Indicator for SessionVwap {
    type Input = BarInput;
    type Output = f64;

    fn warmup(&self) -> usize {
        1
    }

    fn memory(&self) -> usize {
        FOREVER
    }

    /// `None` also until anything was traded on the day.
    fn update(&mut self, bar: BarInput) -> Option<f64> {
        let day = bar.open_time.day();
        if self.day.replace(day) != Some(day) {
            self.average = Vwap::new();
        }
        self.average.update(bar.at_typical())
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "VWAP_SESSION",
    describes: "Volume weighted average of typical prices since the UTC day began",
    inputs: &[Field::OpenTime, Field::High, Field::Low, Field::Close, Field::Volume],
    params: &[],
    outputs: &["real"],
    undefined: Some("nothing was traded yet on that day"),
    build: |_| stream(SessionVwap::new(), |bar| *bar, |value| [value]),
    column: |_, bars, out| {
        drive(SessionVwap::new(), bars, |bar| *bar, |value| [value], out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn midnight_begins_a_new_sum() {
        let mut average = SessionVwap::new();
        let said = [
            ("2024-01-01T22:00:00Z", 10.0, 1.0),
            ("2024-01-01T23:59:59.999Z", 20.0, 1.0),
            ("2024-01-02T00:00:00Z", 50.0, 0.0),
            ("2024-01-02T01:00:00Z", 30.0, 5.0),
            ("2024-01-04T00:00:00Z", 7.0, 5.0),
        ]
        .map(|(open_time, price, volume)| {
            let open_time = open_time.parse().unwrap();
            average.update(BarInput {
                open_time,
                open: price,
                high: price,
                low: price,
                close: price,
                volume,
            })
        });
        assert_eq!(said, [Some(10.0), Some(15.0), None, Some(30.0), Some(7.0)]);
    }
}
