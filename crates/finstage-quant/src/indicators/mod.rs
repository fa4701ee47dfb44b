//! All indicators, one file each.

use crate::Spec;

pub(crate) mod adx;
pub(crate) mod adxr;
pub(crate) mod atr;
pub(crate) mod bollinger;
pub(crate) mod cci;
pub(crate) mod dema;
pub(crate) mod donchian;
pub(crate) mod dx;
pub(crate) mod ema;
pub(crate) mod ichimoku;
pub(crate) mod kc;
pub(crate) mod macd;
pub(crate) mod mfi;
pub(crate) mod minus_di;
pub(crate) mod mom;
pub(crate) mod natr;
pub(crate) mod obv;
pub(crate) mod plus_di;
pub(crate) mod roc;
pub(crate) mod rocp;
pub(crate) mod rocr;
pub(crate) mod rsi;
pub(crate) mod rsi_cutler;
pub(crate) mod rvol;
pub(crate) mod sma;
pub(crate) mod stoch;
pub(crate) mod stochf;
pub(crate) mod supertrend;
pub(crate) mod tema;
pub(crate) mod trange;
pub(crate) mod volume_ratio;
pub(crate) mod vwap;
pub(crate) mod vwap_session;
pub(crate) mod willr;
pub(crate) mod wma;

/// Every indicator, by name.
pub const ALL: &[Spec] = &[
    adx::SPEC,
    adxr::SPEC,
    atr::SPEC,
    bollinger::SPEC,
    cci::SPEC,
    dema::SPEC,
    donchian::SPEC,
    dx::SPEC,
    ema::SPEC,
    ichimoku::SPEC,
    kc::SPEC,
    macd::SPEC,
    mfi::SPEC,
    minus_di::SPEC,
    mom::SPEC,
    natr::SPEC,
    obv::SPEC,
    plus_di::SPEC,
    roc::SPEC,
    rocp::SPEC,
    rocr::SPEC,
    rsi::SPEC,
    rsi_cutler::SPEC,
    rvol::SPEC,
    sma::SPEC,
    stoch::SPEC,
    stochf::SPEC,
    supertrend::SPEC,
    tema::SPEC,
    trange::SPEC,
    volume_ratio::SPEC,
    vwap::SPEC,
    vwap_session::SPEC,
    willr::SPEC,
    wma::SPEC,
];
