//! Numbers in, numbers out: indicators over bars, in streaming and column form and for many
//! parameter sets at once ([`Spec::batch`]), and the statistics of evidence ([`stats`]).
//!
//! It deliberately knows no instrument, no interval and no signal: what a number means is the
//! business of the floors above. Nothing here depends on where a series is cut: an average over n
//! values is the same double whatever came before them.
//!
//! Three types to read first: [`Indicator`] (what every streaming form can do), [`Sma`] (the
//! simplest one) and [`Spec`] (how all of them are listed in [`ALL`]).
//!
//! ```
//! use finstage_quant::{Indicator, Sma};
//!
//! let mut average = Sma::new(3);
//! let said: Vec<Option<f64>> = [1.0, 2.0, 6.0, 4.0].map(|close| average.update(close)).into();
//! assert_eq!(said, [None, None, Some(3.0), Some(4.0)]);
//!
//! let mut column = Vec::new();
//! finstage_quant::sma(&[1.0, 2.0, 6.0, 4.0], 3, &mut column);
//! assert!(column[1].is_nan() && column[3] == 4.0);
//! ```
#![deny(unsafe_code)]

mod average;
mod bands;
mod bar;
mod blocks;
pub mod cluster;
mod directional;
mod exact_sum;
mod indicators;
mod roll;
mod rolling;
mod series;
mod spec;
mod split_sum;
pub mod stats;
pub mod suite;
pub mod wide;
mod wilder;

pub use average::AverageKind;
pub use bar::{BarColumns, BarInput, Field, HighLowClose, Traded};
pub use indicators::ALL;
pub use indicators::adx::Adx;
pub use indicators::adxr::Adxr;
pub use indicators::atr::{Atr, atr};
pub use indicators::bollinger::{
    BandColumns, Bands, Bollinger, BollingerParams, Deviation, bollinger,
};
pub use indicators::cci::Cci;
pub use indicators::dema::Dema;
pub use indicators::donchian::Donchian;
pub use indicators::dx::Dx;
pub use indicators::ema::{Ema, ema, ema_memory};
pub use indicators::ichimoku::{Ichimoku, IchimokuParams, IchimokuValue};
pub use indicators::kc::Keltner;
pub use indicators::macd::{Macd, MacdColumns, MacdParams, MacdValue, macd};
pub use indicators::mfi::Mfi;
pub use indicators::minus_di::MinusDi;
pub use indicators::mom::Momentum;
pub use indicators::natr::Natr;
pub use indicators::obv::Obv;
pub use indicators::plus_di::PlusDi;
pub use indicators::roc::Roc;
pub use indicators::rocp::Rocp;
pub use indicators::rocr::Rocr;
pub use indicators::rsi::{Rsi, rsi};
pub use indicators::rsi_cutler::CutlerRsi;
pub use indicators::rvol::Rvol;
pub use indicators::sma::{Sma, sma};
pub use indicators::stoch::{Stoch, StochParams};
pub use indicators::stochf::{StochFast, StochValue};
pub use indicators::supertrend::{Supertrend, SupertrendValue};
pub use indicators::tema::Tema;
pub use indicators::trange::TrueRange;
pub use indicators::volume_ratio::VolumeRatio;
pub use indicators::vwap::Vwap;
pub use indicators::vwap_session::SessionVwap;
pub use indicators::willr::WilliamsR;
pub use indicators::wma::Wma;
pub use series::{FOREVER, INPUT_LIMIT, MAX_PERIOD};
pub use spec::{Param, Spec, SpecError, Stream};

/// A function of a series, told one input at a time.
///
/// # Breaks
///
/// An input that is not a number within ±[`INPUT_LIMIT`] is a *break*: the indicator forgets
/// everything, answers `None`, and needs [`Indicator::warmup`] usable inputs before it answers
/// again. For an average over n values that is the moment at which the bad one leaves. Every
/// answer is therefore a finite number, and no input panics.
pub trait Indicator {
    /// What it is told.
    type Input: Copy;
    /// What it answers.
    type Output: Copy;

    /// The number of usable inputs with which the first answer comes: `None` before, `Some` from
    /// then on (but where its definition has no value, a division by nothing; see
    /// [`Spec::undefined`]).
    fn warmup(&self) -> usize;

    /// The number of inputs after which older ones move the answer by less than 1e-9 of what they
    /// moved when they were new. Equals the warm-up where the answer is made of a fixed number of
    /// inputs; a recursive average needs more, and a running total needs all: [`FOREVER`].
    fn memory(&self) -> usize {
        self.warmup()
    }

    /// Takes the next input; the answer, unless it is too early. Allocates nothing.
    fn update(&mut self, input: Self::Input) -> Option<Self::Output>;
}
