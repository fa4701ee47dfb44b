//! Bars from files people already have.
//!
//! History files come from many hands, so this module is strict about numbers, open about formats,
//! and says in words what it assumed. It stands alone: its error is [`BarFileError`], which names
//! file, line and remedy, because the reader of that message has the file open in an editor.
//!
//! Read are files with our header `timestamp,open,high,low,close,volume` and files as yfinance,
//! TradingView and Binance write them; see [`read_bar_file`] for what becomes of stamps.

mod csv;

pub use csv::{
    BarFile, BarFileError, BarFileErrorKind, MAX_ROW_BYTES, MAX_ROWS, ReadOptions, read_bar_file,
    read_bars,
};
