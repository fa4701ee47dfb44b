//! Bars for good: a Parquet shelf that other programs read without us, and the live tail in front
//! of it.
//!
//! ```text
//! history/interval=1m/venue=binance/symbol=BTCUSDT/2026-11.parquet     a closed month
//!                                                  2026-12.g2.parquet  days of this one, merged once
//! records.db: bars_tail                                                what is newer
//!             history_files                                            which files count
//! ```
//! [`History`] reads both as one, imports bars, and moves closed months and days from the tail to the shelf.
//! The rule everywhere: the first bar of a place stays; what comes later and says otherwise is
//! counted as a revision. Raw bars are never adjusted: factors of splits and dividends lie beside
//! them and are multiplied in on reading.
//!
//! **Bars from files people already have** come in through [`read_bar_file`] (text or Parquet). It
//! is strict about numbers, open about formats, and says in words what it assumed. Its error is
//! [`BarFileError`], which names file, line and remedy, because the reader of that message has the
//! file open in an editor. Text files are those with our header
//! `timestamp,open,high,low,close,volume` and those that yfinance, TradingView and Binance write.

mod adopt;
mod check;
mod columns;
mod compact;
mod csv;
mod double;
mod export;
mod factors;
mod foreign;
mod gaps;
mod generation;
mod import;
mod parquet;
mod period;
mod quality;
mod shelf;
mod stream;
mod table;
#[cfg(test)]
mod tests;

pub use self::parquet::ROW_GROUP;
pub use adopt::Adopted;
pub use check::ShelfCheck;
pub use columns::{Adjust, BarColumns};
pub use compact::{Compacted, DAYS_MIN_BARS, SETTLED_AFTER};
pub use csv::{
    BarFile, BarFileError, BarFileErrorKind, MAX_ROW_BYTES, MAX_ROWS, ReadOptions, read_bar_file,
    read_bars,
};
pub use export::{
    ArrowForm, write_arrow, write_columns_arrow, write_columns_csv, write_columns_parquet,
    write_csv, write_parquet, write_stamp,
};
pub use factors::{FactorRow, Factors, MAX_FACTORS, Scale, read_factor_file, read_factors};
pub use gaps::{Gaps, Hole, MAX_HOLES_KEPT, Schedule, gaps};
pub use generation::{Swept, WRITE_ATTEMPTS};
pub use import::BULK_BARS;
pub use quality::{Finding, FindingKind, MAX_FINDINGS_KEPT, OUTLIER_DEVIATIONS, Quality, quality};
pub use shelf::{History, MAX_FILE_BYTES, READ_ATTEMPTS, SeriesSummary};
pub use stream::{BarStream, MAX_PIECE_BARS};
pub use table::TableWriter;

pub(crate) use period::Period;

use crate::records::TailPart;
use finstage_model::Timestamp;

/// For those who ask for the manifest only.
const NO_TAIL: TailPart = TailPart::Last(Timestamp::MIN, 0);
