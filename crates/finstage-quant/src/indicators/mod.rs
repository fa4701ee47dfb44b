//! All indicators, one file each.

use crate::Spec;

pub(crate) mod bollinger;
pub(crate) mod ema;
pub(crate) mod macd;
pub(crate) mod rsi;
pub(crate) mod sma;

/// Every indicator over closing prices, by name.
pub const ALL: &[Spec] = &[bollinger::SPEC, ema::SPEC, macd::SPEC, rsi::SPEC, sma::SPEC];
