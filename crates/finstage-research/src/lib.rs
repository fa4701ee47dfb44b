//! Questions asked of stored history: what would have happened to a position that followed a rule,
//! with these parameters or with each of a whole grid?
//!
//! It deliberately reads no file, no clock and no network, and draws no random number: bars come
//! in, numbers and one page of HTML go out, the same in every run. It does not say that a rule is
//! worth money: one run over one history is an illustration, not evidence.
//!
//! Three types to read first: [`backtest::Options`] (the terms of a run), [`backtest::Target`] (what
//! is wanted, and when) and [`backtest::Backtest`] (what came of it). The rules of filling are in
//! [`mod@backtest`].
//!
//! ```
//! use finstage_model::{Bar, InstrumentId, Interval, Price, Qty, Timestamp};
//! use finstage_research::BarSeries;
//! use finstage_research::backtest::{self, Options, Target};
//!
//! let bar = |day: i64, open: i64, close: i64| Bar {
//!     instrument: InstrumentId(0),
//!     interval: Interval::D1,
//!     open_time: Timestamp::from_secs(day * 86_400),
//!     open: Price::from_nanos(open * 1_000_000_000),
//!     high: Price::from_nanos(open.max(close) * 1_000_000_000),
//!     low: Price::from_nanos(open.min(close) * 1_000_000_000),
//!     close: Price::from_nanos(close * 1_000_000_000),
//!     volume: Qty::ZERO,
//!     trades: 0,
//! };
//! let series = BarSeries::new(&[bar(0, 10, 10), bar(1, 10, 12), bar(2, 12, 13)])?;
//! // Decided on the close of bar 0, bought at the open of bar 1, sold at the last close.
//! let options = Options { commission: 0.0, size: 100.0, ..Options::default() };
//! let done = backtest::run(&series, &[Target { bar: 0, want: 1.0 }], &options)?;
//! assert_eq!(done.stats.final_equity, 10_000.0 + 100.0 * (13.0 - 10.0));
//! assert_eq!(done.trades[0].entry_bar, 1);
//! # Ok::<(), finstage_research::Error>(())
//! ```
#![forbid(unsafe_code)]

pub mod backtest;
mod error;
pub mod evidence;
pub mod live;
mod news;
pub mod news_lift;
pub mod patterns;
pub mod proof;
mod series;
pub mod study;
pub mod sweep;
pub mod walk_forward;
pub mod worlds;

pub use error::{Error, ErrorKind};
pub use news::News;
pub use series::BarSeries;
