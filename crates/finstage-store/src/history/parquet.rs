//! Bars as Parquet, and back.
//!
//! One file is one run of bars, ascending: `timestamp` (open time, microseconds, UTC), `open`,
//! `high`, `low`, `close`, `volume`, `trades`. zstd level 1 with dictionaries, deltas for stamps,
//! row groups of 131,072 rows: measured as the smallest and nearly the fastest of what every reader
//! understands.
//!
//! **Exactness.** Prices are doubles, because that is what people compute with, but only if each of
//! the file comes back as the same decimal; if one does not, the four price columns are decimals
//! with nine digits behind the point. Volumes alike on their own; the few that do not fit 38 digits
//! make the column one of text.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Float64Type, TimestampMicrosecondType, UInt32Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, Float64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray, UInt32Array,
};
use arrow_schema::{ArrowError, DataType};
use bytes::Bytes;
use finstage_model::{Bar, Price, Qty, Timestamp};
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::arrow::{ArrowWriter, ProjectionMask};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::columns::{BarColumns, micros};
use super::double;
use crate::records::SeriesId;

/// Rows of a row group: a reader of one column skips the rest of the file in such steps.
pub const ROW_GROUP: usize = 131_072;
/// The zone in the type of the stamps.
const UTC: &str = "UTC";
const STAMP: &str = "timestamp";
const PRICES: [&str; 4] = ["open", "high", "low", "close"];
const VOLUME: &str = "volume";
const TRADES: &str = "trades";
/// Digits behind the point.
const SCALE: i8 = 9;
/// Digits of an `i64`.
const PRICE_DIGITS: u8 = 19;
/// The most digits that readers agree on.
const VOLUME_DIGITS: u8 = 38;
const VOLUME_END: u128 = 10u128.pow(VOLUME_DIGITS as u32);

/// Why bars cannot become Parquet, or Parquet bars.
#[derive(Debug)]
pub(super) enum Fault {
    Parquet(ParquetError),
    Arrow(ArrowError),
    /// A stamp that is no whole microsecond.
    Finer(Timestamp),
    /// It is not of the form written here.
    Foreign(String),
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parquet(error) => error.fmt(f),
            Self::Arrow(error) => error.fmt(f),
            Self::Finer(at) => write!(f, "stamp {at} is no whole microsecond"),
            Self::Foreign(what) => f.write_str(what),
        }
    }
}

impl From<ParquetError> for Fault {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error)
    }
}

impl From<ArrowError> for Fault {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// A file of bars that ascend.
pub(super) fn encode(bars: &[Bar]) -> Result<Vec<u8>, Fault> {
    encode_batch(&batch(bars)?)
}

/// A file of one batch, whose first column is the stamps.
pub(super) fn encode_batch(batch: &RecordBatch) -> Result<Vec<u8>, Fault> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_column_dictionary_enabled(ColumnPath::from(STAMP), false)
        .set_column_encoding(ColumnPath::from(STAMP), Encoding::DELTA_BINARY_PACKED)
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: 0,
            descending: false,
            nulls_first: false,
        }]))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    Ok(writer.into_inner()?)
}

/// The bars of a file that [`encode`] made.
pub(super) fn decode(file: Vec<u8>, series: SeriesId) -> Result<Vec<Bar>, Fault> {
    let (reader, rows) = open(file, |_| true)?;
    let mut bars = Vec::with_capacity(rows);
    for batch in reader {
        decode_batch(&batch?, series, &mut bars)?;
    }
    Ok(bars)
}

/// Adds the columns of a file that [`encode`] made.
pub(super) fn decode_columns(file: Vec<u8>, into: &mut BarColumns) -> Result<(), Fault> {
    let (reader, rows) = open(file, |name| name != TRADES)?;
    into.reserve(rows);
    for batch in reader {
        let batch = batch?;
        into.times_us.extend_from_slice(stamps(&batch)?.values());
        let names = PRICES.into_iter().chain([VOLUME]);
        for (name, column) in names.zip(into.doubles_mut()) {
            let array = column_of(&batch, name)?;
            match array.data_type() {
                DataType::Float64 => {
                    column.extend_from_slice(array.as_primitive::<Float64Type>().values());
                }
                // Prices fit a quantity's double but for their sign.
                DataType::Decimal128(_, SCALE) => {
                    let values = array.as_primitive::<Decimal128Type>().values();
                    column.extend(values.iter().map(|&nanos| {
                        let magnitude = double::of_qty(Qty::from_nanos(nanos.unsigned_abs()));
                        if nanos < 0 { -magnitude } else { magnitude }
                    }));
                }
                DataType::Utf8 => {
                    let volumes = Numbers::of(&batch, name)?;
                    for row in 0..batch.num_rows() {
                        column.push(double::of_qty(volumes.qty(row).ok_or_else(|| bad(name))?));
                    }
                }
                _ => return Err(bad(name)),
            }
        }
    }
    Ok(())
}

/// A reader of the columns wanted, and how many rows it will give.
fn open(
    file: Vec<u8>,
    wanted: impl Fn(&str) -> bool,
) -> Result<(ParquetRecordBatchReader, usize), Fault> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file))?;
    let rows = usize::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
    let fields = builder.schema().fields().iter().enumerate();
    let roots = fields.filter(|(_, field)| wanted(field.name())).map(|(place, _)| place);
    let mask = ProjectionMask::roots(builder.parquet_schema(), roots.collect::<Vec<_>>());
    Ok((builder.with_projection(mask).with_batch_size(ROW_GROUP).build()?, rows))
}

/// Columns of doubles as one batch.
pub(super) fn batch_of_columns(columns: &BarColumns) -> Result<RecordBatch, Fault> {
    let stamps = TimestampMicrosecondArray::from(columns.times_us.clone()).with_timezone(UTC);
    let mut named: Vec<(&str, ArrayRef)> = vec![(STAMP, Arc::new(stamps))];
    for (name, column) in PRICES.into_iter().chain([VOLUME]).zip(columns.doubles()) {
        named.push((name, Arc::new(Float64Array::from(column.clone()))));
    }
    let with_nullable = named.into_iter().map(|(name, column)| (name, column, false));
    Ok(RecordBatch::try_from_iter_with_nullable(with_nullable)?)
}

/// Bars as one batch of columns.
pub(super) fn batch(bars: &[Bar]) -> Result<RecordBatch, Fault> {
    if let Some(bar) = bars.iter().find(|bar| bar.open_time.nanos().rem_euclid(1_000) != 0) {
        return Err(Fault::Finer(bar.open_time));
    }
    let stamps: Vec<i64> = bars.iter().map(|bar| micros(bar.open_time)).collect();
    let stamps = TimestampMicrosecondArray::from(stamps).with_timezone(UTC);
    let mut columns: Vec<(&str, ArrayRef)> = vec![(STAMP, Arc::new(stamps))];
    columns.extend(PRICES.into_iter().zip(price_columns(bars)?));
    columns.push((VOLUME, volume_column(bars)?));
    columns.push((TRADES, Arc::new(UInt32Array::from_iter_values(bars.iter().map(|b| b.trades)))));
    let with_nullable = columns.into_iter().map(|(name, column)| (name, column, false));
    Ok(RecordBatch::try_from_iter_with_nullable(with_nullable)?)
}

fn price_columns(bars: &[Bar]) -> Result<Vec<ArrayRef>, Fault> {
    let prices: [fn(&Bar) -> Price; 4] =
        [|bar| bar.open, |bar| bar.high, |bar| bar.low, |bar| bar.close];
    let as_doubles = |of: fn(&Bar) -> Price| {
        let mut doubles = Vec::with_capacity(bars.len());
        for bar in bars {
            let double = double::of_price(of(bar));
            if double::to_price(double).is_none_or(|back| back.value != of(bar)) {
                return None;
            }
            doubles.push(double);
        }
        Some(Arc::new(Float64Array::from(doubles)) as ArrayRef)
    };
    if let Some(doubles) = prices.into_iter().map(as_doubles).collect() {
        return Ok(doubles);
    }
    let as_decimals = |of: fn(&Bar) -> Price| {
        let decimals: Vec<i128> = bars.iter().map(|bar| i128::from(of(bar).nanos())).collect();
        decimal_column(decimals, PRICE_DIGITS)
    };
    prices.into_iter().map(as_decimals).collect()
}

fn volume_column(bars: &[Bar]) -> Result<ArrayRef, Fault> {
    let mut doubles = Vec::with_capacity(bars.len());
    for bar in bars {
        let double = double::of_qty(bar.volume);
        if double::to_qty(double).is_none_or(|back| back.value != bar.volume) {
            break;
        }
        doubles.push(double);
    }
    if doubles.len() == bars.len() {
        return Ok(Arc::new(Float64Array::from(doubles)));
    }
    let decimal = |bar: &Bar| {
        let fits = bar.volume.nanos() < VOLUME_END;
        fits.then(|| i128::try_from(bar.volume.nanos()).ok()).flatten()
    };
    if let Some(decimals) = bars.iter().map(decimal).collect() {
        return decimal_column(decimals, VOLUME_DIGITS);
    }
    let text = bars.iter().map(|bar| bar.volume.to_string());
    Ok(Arc::new(StringArray::from_iter_values(text)))
}

fn decimal_column(decimals: Vec<i128>, digits: u8) -> Result<ArrayRef, Fault> {
    Ok(Arc::new(Decimal128Array::from(decimals).with_precision_and_scale(digits, SCALE)?))
}

fn decode_batch(batch: &RecordBatch, series: SeriesId, bars: &mut Vec<Bar>) -> Result<(), Fault> {
    let stamps = stamps(batch)?;
    let [open, high, low, close] = PRICES.map(|name| Numbers::of(batch, name));
    let (open, high, low, close) = (open?, high?, low?, close?);
    let volumes = Numbers::of(batch, VOLUME)?;
    let trades = column_of(batch, TRADES)?;
    let trades = trades.as_primitive_opt::<UInt32Type>().ok_or_else(|| bad(TRADES))?;
    let SeriesId { instrument, interval } = series;
    for row in 0..batch.num_rows() {
        let price = |numbers: &Numbers<'_>, place: usize| {
            numbers.price(row).ok_or_else(|| bad(PRICES[place]))
        };
        bars.push(Bar {
            instrument,
            interval,
            open_time: Timestamp::from_nanos(stamps.value(row).saturating_mul(1_000)),
            open: price(&open, 0)?,
            high: price(&high, 1)?,
            low: price(&low, 2)?,
            close: price(&close, 3)?,
            volume: volumes.qty(row).ok_or_else(|| bad(VOLUME))?,
            trades: trades.value(row),
        });
    }
    Ok(())
}

/// A column of numbers in one of the forms that [`encode`] writes.
enum Numbers<'a> {
    Doubles(&'a [f64]),
    Decimals(&'a [i128]),
    Text(&'a StringArray),
}

impl<'a> Numbers<'a> {
    fn of(batch: &'a RecordBatch, name: &str) -> Result<Self, Fault> {
        let array = column_of(batch, name)?;
        match array.data_type() {
            DataType::Float64 => Ok(Self::Doubles(array.as_primitive::<Float64Type>().values())),
            DataType::Decimal128(_, SCALE) => {
                Ok(Self::Decimals(array.as_primitive::<Decimal128Type>().values()))
            }
            DataType::Utf8 => Ok(Self::Text(array.as_string())),
            _ => Err(bad(name)),
        }
    }

    fn price(&self, row: usize) -> Option<Price> {
        match self {
            Self::Doubles(values) => double::to_price(values[row]).map(|read| read.value),
            Self::Decimals(values) => i64::try_from(values[row]).ok().map(Price::from_nanos),
            Self::Text(values) => values.value(row).parse().ok(),
        }
    }

    fn qty(&self, row: usize) -> Option<Qty> {
        match self {
            Self::Doubles(values) => double::to_qty(values[row]).map(|read| read.value),
            Self::Decimals(values) => u128::try_from(values[row]).ok().map(Qty::from_nanos),
            Self::Text(values) => values.value(row).parse().ok(),
        }
    }
}

fn stamps(batch: &RecordBatch) -> Result<&TimestampMicrosecondArray, Fault> {
    let array = column_of(batch, STAMP)?;
    array.as_primitive_opt::<TimestampMicrosecondType>().ok_or_else(|| bad(STAMP))
}

/// A column without holes.
fn column_of<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, Fault> {
    batch.column_by_name(name).filter(|array| array.null_count() == 0).ok_or_else(|| bad(name))
}

fn bad(name: &str) -> Fault {
    Fault::Foreign(format!("column {name} is missing or not as finstage writes it"))
}

#[cfg(test)]
mod tests;
