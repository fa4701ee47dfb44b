//! Average true range: Wilder's average of how far bars go.
//!
//! J. Welles Wilder, *New Concepts in Technical Trading Systems*, 1978.
//!
//! ```text
//! ATR(n)[n] = mean of TRANGE[1..=n]
//! ATR(n)[i] = (ATR[i-1] * (n-1) + TRANGE[i]) / n                        from i = n+1 on
//! ```
//!
//! 0 while the market stands still from the first; after a last move it shrinks to 0 (see `wilder`). Warm-up n + 1. Memory 10.5 (2n - 1) + 1.

use crate::indicators::trange::{TrueRange, true_range};
use crate::spec::{Param, Spec, stream};
use crate::wilder::Wilder;
use crate::{BarColumns, BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// Wilder's average of the true range.
#[derive(Debug, Clone)]
pub struct Atr {
    range: TrueRange,
    average: Wilder,
}

impl Atr {
    /// An average over `period` ranges.
    ///
    /// # Panics
    /// `invariant:` unless the period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(period: usize) -> Self {
        Self { range: TrueRange::new(), average: Wilder::new(period) }
    }
}

impl Atr {
    /// The close before `place` and the bars from there on, where pairs of bars can be taken.
    fn pairs_from<'a>(&self, bars: &BarColumns<'a>, place: usize) -> Option<(f64, Prices<'a>)> {
        let before = self.range.previous_close()?;
        let rest = [bars.high.get(place..)?, bars.low.get(place..)?, bars.close.get(place..)?];
        self.average.takes_pairs().then_some((before, rest))
    }

    /// Takes pairs of bars until one of them is not usable; how many.
    fn pairs(&mut self, (mut before, bars): (f64, Prices<'_>), out: &mut [f64]) -> usize {
        let [high, low, close] = bars.map(|column| column.as_chunks::<2>().0);
        let mut taken = 0;
        let inputs = high.iter().zip(low).zip(close);
        for (out, ((high, low), close)) in out.as_chunks_mut::<2>().0.iter_mut().zip(inputs) {
            let pair = [0, 1].map(|nth| HighLowClose {
                high: high[nth],
                low: low[nth],
                close: close[nth],
            });
            if !(pair[0].is_usable() & pair[1].is_usable()) {
                break;
            }
            let ranges = [true_range(pair[0], before), true_range(pair[1], pair[0].close)];
            *out = self.average.pair(ranges);
            before = pair[1].close;
            taken += 1;
        }
        self.range.follow(before);
        taken
    }
}

/// High, low and close.
type Prices<'a> = [&'a [f64]; 3];

impl Indicator for Atr {
    type Input = HighLowClose;
    type Output = f64;

    fn warmup(&self) -> usize {
        self.average.warmup() + 1
    }

    fn memory(&self) -> usize {
        self.average.memory() + 1
    }

    fn update(&mut self, bar: HighLowClose) -> Option<f64> {
        if !bar.is_usable() {
            self.average.clear();
        }
        self.average.push(self.range.update(bar)?)
    }
}

/// Column form of [`Atr`]: as many places as there are bars, NaN where there is no answer.
///
/// # Panics
/// As [`Atr::new`].
pub fn atr(bars: &BarColumns<'_>, period: usize, out: &mut Vec<f64>) {
    let len = bars.len();
    let mut indicator = Atr::new(period);
    out.resize(len, f64::NAN);
    let mut place = 0;
    while place < len {
        if let Some((before, rest)) = indicator.pairs_from(bars, place) {
            place += 2 * indicator.pairs((before, rest), &mut out[place..]);
        }
        if place < len {
            out[place] = indicator.update(bars.get(place).range()).unwrap_or(f64::NAN);
            place += 1;
        }
    }
}

pub(super) const SPEC: Spec = Spec {
    name: "ATR",
    describes: "Average true range: Wilder's average of timeperiod true ranges",
    inputs: &[Field::High, Field::Low, Field::Close],
    params: &[Param::whole("timeperiod", 14, (1, MAX_PERIOD as u32))],
    outputs: &["real"],
    undefined: None,
    build: |params| stream(Atr::new(params[0] as usize), BarInput::range, |value| [value]),
    column: |params, bars, out| atr(bars, params[0] as usize, &mut out[0]),
    fused: None,
};

#[cfg(test)]
mod tests {
    use super::*;

    fn said(closes: &[f64]) -> Vec<Option<f64>> {
        let mut range = Atr::new(2);
        closes
            .iter()
            .map(|&close| range.update(HighLowClose { high: close, low: close, close }))
            .collect()
    }

    #[test]
    fn a_mean_first_and_then_each_range_pulls() {
        let expected = [None, None, Some(3.0), Some(4.0), Some(2.0)];
        assert_eq!(said(&[10.0, 12.0, 8.0, 13.0, 13.0]), expected);
    }

    #[test]
    fn a_break_begins_anew_and_a_still_market_has_no_range() {
        assert_eq!(said(&[1.0, 2.0, f64::NAN, 5.0, 5.0, 5.0])[3..], [None, None, Some(0.0)]);
    }
}
