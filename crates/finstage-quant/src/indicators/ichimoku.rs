//! Ichimoku Kinko Hyo: two middles of recent ranges, and the cloud that stands over the present bar.
//!
//! Goichi Hosoda (pen name Ichimoku Sanjin), published 1969; periods 9, 26 and 52 and a displacement
//! of 26 are his.
//!
//! ```text
//! middle(n) = (highest high of n bars + lowest low of n bars) / 2      the present bar included
//! tenkan    = middle(tenkan_period)          kijun    = middle(kijun_period)
//! senkou_a  = (tenkan + kijun) / 2, as it was displacement bars ago
//! senkou_b  = middle(senkou_period), as it was displacement bars ago
//! ```
//!
//! Charts draw the two spans `displacement` bars ahead of the bar they were computed on; what stands
//! over a bar on the chart is what is said here, so nothing looks ahead. The lagging line of the
//! charts (chikou: the close, drawn back) would look ahead on the bar it is drawn over, and is left out.
//!
//! Warm-up: the greatest period + displacement; memory the same.

use crate::rolling::RollingRange;
use crate::series::{LastValues, checked_period};
use crate::spec::{Param, Spec, drive, stream};
use crate::{BarInput, Field, HighLowClose, Indicator, MAX_PERIOD};

/// The four lines that can be known on a bar.
#[derive(Debug, Clone)]
pub struct Ichimoku {
    tenkan: RollingRange,
    kijun: RollingRange,
    senkou: RollingRange,
    span_a: LastValues,
    span_b: LastValues,
    warmup: usize,
}

/// The numbers of bars in an [`Ichimoku`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IchimokuParams {
    /// Bars of the turning line.
    pub tenkan: usize,
    /// Bars of the base line.
    pub kijun: usize,
    /// Bars of the slow edge of the cloud.
    pub senkou: usize,
    /// Bars by which the cloud is late.
    pub displacement: usize,
}

impl Ichimoku {
    /// Lines of these periods.
    ///
    /// # Panics
    /// `invariant:` unless each period is between 1 and [`MAX_PERIOD`].
    #[must_use]
    pub fn new(params: IchimokuParams) -> Self {
        let IchimokuParams { tenkan, kijun, senkou, displacement } = params;
        let range = |period| RollingRange::new(checked_period(period, 1));
        let late = || LastValues::new(checked_period(displacement, 1));
        Self {
            tenkan: range(tenkan),
            kijun: range(kijun),
            senkou: range(senkou),
            span_a: late(),
            span_b: late(),
            warmup: tenkan.max(kijun).max(senkou) + displacement,
        }
    }

    fn clear(&mut self) {
        self.tenkan.clear();
        self.kijun.clear();
        self.senkou.clear();
        self.span_a.clear();
        self.span_b.clear();
    }
}

impl Indicator for Ichimoku {
    /// The close is not read.
    type Input = HighLowClose;
    type Output = IchimokuValue;

    fn warmup(&self) -> usize {
        self.warmup
    }

    fn update(&mut self, bar: HighLowClose) -> Option<IchimokuValue> {
        if !(HighLowClose { close: bar.high, ..bar }.is_usable()) {
            self.clear();
            return None;
        }
        let middle = |of: &mut RollingRange| {
            of.push(bar.high, bar.low).map(|(high, low)| (high + low) / 2.0)
        };
        let lines = (middle(&mut self.tenkan), middle(&mut self.kijun), middle(&mut self.senkou));
        let (Some(tenkan), Some(kijun), Some(slow)) = lines else { return None };
        let span_a = self.span_a.push((tenkan + kijun) / 2.0);
        let span_b = self.span_b.push(slow);
        Some(IchimokuValue { tenkan, kijun, span_a: span_a?, span_b: span_b? })
    }
}

/// What [`Ichimoku`] says about a bar, in the unit of the input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IchimokuValue {
    /// The turning line.
    pub tenkan: f64,
    /// The base line.
    pub kijun: f64,
    /// The edge of the cloud over this bar that is made of both lines.
    pub span_a: f64,
    /// The edge of the cloud over this bar that is made of the longest range.
    pub span_b: f64,
}

impl IchimokuValue {
    fn lines(self) -> [f64; 4] {
        [self.tenkan, self.kijun, self.span_a, self.span_b]
    }
}

fn of(params: &[f64]) -> Ichimoku {
    Ichimoku::new(IchimokuParams {
        tenkan: params[0] as usize,
        kijun: params[1] as usize,
        senkou: params[2] as usize,
        displacement: params[3] as usize,
    })
}

pub(super) const SPEC: Spec = Spec {
    name: "ICHIMOKU",
    describes: "Ichimoku: middles of two recent ranges, and the cloud over the present bar, without look-ahead",
    inputs: &[Field::High, Field::Low],
    params: &[
        Param::whole("tenkan_period", 9, (1, MAX_PERIOD as u32)),
        Param::whole("kijun_period", 26, (1, MAX_PERIOD as u32)),
        Param::whole("senkou_period", 52, (1, MAX_PERIOD as u32)),
        Param::whole("displacement", 26, (1, MAX_PERIOD as u32)),
    ],
    outputs: &["tenkan", "kijun", "senkou_a", "senkou_b"],
    undefined: None,
    build: |params| stream(of(params), BarInput::range, IchimokuValue::lines),
    column: |params, bars, out| {
        drive(of(params), bars, BarInput::range, IchimokuValue::lines, out);
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cloud_over_a_bar_is_what_was_known_before_it() {
        let params = IchimokuParams { tenkan: 1, kijun: 2, senkou: 3, displacement: 2 };
        let mut lines = Ichimoku::new(params);
        let said: Vec<_> = [10.0, 12.0, 14.0, 20.0, 30.0, f64::NAN, 30.0]
            .map(|price| lines.update(HighLowClose { high: price, low: price, close: f64::NAN }))
            .into();
        // Of the third bar: tenkan 14, kijun 13, and of 10 to 14 the middle 12.
        let value = IchimokuValue { tenkan: 30.0, kijun: 25.0, span_a: 13.5, span_b: 12.0 };
        assert_eq!(said, [None, None, None, None, Some(value), None, None]);
    }
}
