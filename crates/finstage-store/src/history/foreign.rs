//! Bars from Parquet files that others wrote: pandas, polars, DuckDB, or we.
//!
//! Columns are found by name, in any order and case. Rows pass the same way as those of text files,
//! so that stamps, labels, doubles and bad rows mean the same in both; where a text file's message
//! names a line, that of a Parquet file names the row, from 1.
//!
//! **Stamps** with a zone are moments, and bars of a day and longer are labelled by the date in that
//! zone; UTC says nothing about the place, so there `tz` decides. Stamps without a zone are read in
//! `tz`, else in UTC. Dates, text and Unix numbers are read as in text files.

use std::fs::File;
use std::io::{self, Read, Seek as _};

use arrow_array::cast::AsArray as _;
use arrow_array::types as t;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, RecordBatch};
use arrow_schema::{DataType, Schema, TimeUnit};
use finstage_model::{Bar, Day, InstrumentId, Interval, Price, Qty, Timestamp};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use super::csv::{
    BarFileError, BarFileErrorKind, Fault, Layout, Numbers, RawRow, ReadOptions, Reading,
    STAMP_NAMES, Stamp, Zone, count, quoted,
};

/// What a Parquet file begins and ends with.
const MAGIC: [u8; 4] = *b"PAR1";
/// How pandas names an index that has no name.
const UNNAMED_INDEX: &str = "__index_level_0__";
/// Rows decoded at a time.
pub(super) const BATCH_ROWS: usize = 8_192;
/// The most columns of a file; a wide table is no table of bars.
const MAX_COLUMNS: usize = 1_000;

/// Whether a file is Parquet; it stands at its beginning after.
pub(super) fn is_parquet(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    Read::by_ref(file).take(MAGIC.len() as u64).read_to_end(&mut head)?;
    file.rewind()?;
    Ok(head == MAGIC)
}

/// The rows of a Parquet file, a batch at a time.
pub(super) struct Batches {
    name: String,
    reader: ParquetRecordBatchReader,
    names: Names,
    /// Rows read.
    line: u64,
}

impl Batches {
    /// Finds the columns of a file; errors call it `name`.
    pub(super) fn open(
        name: &str,
        file: File,
        options: &ReadOptions,
    ) -> Result<(Self, Reading), BarFileError> {
        let not_bars = |fault| BarFileError::at(BarFileErrorKind::NotBars, name, None, fault);
        let bad_zone = |fault| BarFileError::at(BarFileErrorKind::Zone, name, None, fault);
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)
            .map_err(|error| unreadable(name, &error))?;
        let places = Places::find(builder.schema()).map_err(not_bars)?;
        let mask = ProjectionMask::roots(builder.parquet_schema(), places.roots());
        let zone = places.zone(builder.schema(), options).map_err(bad_zone)?;
        let reading = Reading::new(name, options, zone, places.layout.notes());
        let names = places.names(builder.schema());
        let reader = builder
            .with_projection(mask)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|error| unreadable(name, &error))?;
        Ok((Self { name: name.to_owned(), reader, names, line: 0 }, reading))
    }

    /// Hands the next batch to `reading`; false at the end of the file.
    pub(super) fn read(&mut self, reading: &mut Reading) -> Result<bool, BarFileError> {
        let Some(batch) = self.reader.next() else { return Ok(false) };
        let batch = batch.map_err(|error| unreadable(&self.name, &error))?;
        let columns = Columns::of(&batch, &self.names).map_err(|fault| {
            BarFileError::at(BarFileErrorKind::NotBars, &self.name, None, fault)
        })?;
        for row in 0..batch.num_rows() {
            self.line += 1;
            let read = columns.row(row, self.line, &mut reading.zone, &mut reading.numbers);
            reading.take(self.line, read)?;
        }
        Ok(true)
    }
}

fn unreadable(name: &str, error: &dyn std::fmt::Display) -> BarFileError {
    let what = format!("not a readable Parquet file: {}", one_line(&error.to_string()));
    let fault = Fault::new(what, "write it again, uncompressed or with snappy or zstd");
    BarFileError::at(BarFileErrorKind::NotBars, name, None, fault)
}

/// Where the file keeps what a bar is made of.
struct Places {
    layout: Layout,
}

/// The names of the columns that are read.
struct Names {
    stamp: String,
    prices: [String; 4],
    volume: Option<String>,
    trades: Option<String>,
}

impl Places {
    fn find(schema: &Schema) -> Result<Self, Fault> {
        const REMEDY: &str = "name its columns timestamp, open, high, low, close, volume";
        if schema.fields().len() > MAX_COLUMNS {
            return Err(Fault::new(format!("more than {MAX_COLUMNS} columns"), REMEDY));
        }
        let mut names: Vec<String> =
            schema.fields().iter().map(|field| field.name().to_lowercase()).collect();
        if !names.iter().any(|name| STAMP_NAMES.contains(&name.as_str()))
            && let Some(index) = names.iter_mut().find(|name| *name == UNNAMED_INDEX)
        {
            STAMP_NAMES[0].clone_into(index);
        }
        let layout =
            Layout::of_names(&names).map_err(|fault| Fault { what: fault.what, remedy: REMEDY })?;
        Ok(Self { layout })
    }

    fn roots(&self) -> Vec<usize> {
        let Layout { stamp, open, high, low, close, volume, trades, .. } = self.layout;
        [stamp, open, high, low, close].into_iter().chain(volume).chain(trades).collect()
    }

    fn names(&self, schema: &Schema) -> Names {
        let name = |place: usize| schema.field(place).name().clone();
        let Layout { stamp, open, high, low, close, volume, trades, .. } = self.layout;
        Names {
            stamp: name(stamp),
            prices: [open, high, low, close].map(name),
            volume: volume.map(name),
            trades: trades.map(name),
        }
    }

    /// The zone that dates are told in: the file's own, else that of the options.
    fn zone(&self, schema: &Schema, options: &ReadOptions) -> Result<Zone, Fault> {
        const SAY_NOTHING: [&str; 4] = ["UTC", "Etc/UTC", "Z", "+00:00"];
        match schema.field(self.layout.stamp).data_type() {
            DataType::Timestamp(_, Some(zone)) if !SAY_NOTHING.contains(&zone.as_ref()) => {
                Zone::find(Some(zone))
            }
            _ => Zone::find(options.tz.as_deref()),
        }
    }
}

/// The columns of a batch.
struct Columns<'a> {
    stamp: &'a ArrayRef,
    prices: [(&'static str, &'a ArrayRef); 4],
    volume: Option<&'a ArrayRef>,
    trades: Option<&'a ArrayRef>,
}

/// A number of a binary column.
enum Cell<'a> {
    Nothing,
    Double(f64),
    /// Digits and how many of them stand behind the point.
    Decimal(i128, i8),
    Text(&'a str),
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch, names: &Names) -> Result<Self, Fault> {
        let find = |name: &String| {
            batch.column_by_name(name).ok_or_else(|| {
                Fault::new(format!("column {} cannot be read", quoted(name)), "write it again")
            })
        };
        let [open, high, low, close] = &names.prices;
        let columns = Self {
            stamp: find(&names.stamp)?,
            prices: [
                ("open", find(open)?),
                ("high", find(high)?),
                ("low", find(low)?),
                ("close", find(close)?),
            ],
            volume: names.volume.as_ref().map(find).transpose()?,
            trades: names.trades.as_ref().map(find).transpose()?,
        };
        let prices = columns.prices.iter().map(|(_, array)| *array);
        for array in prices.chain(columns.volume).chain(columns.trades) {
            // Before any row: a column of maps is wrong in all of them.
            if !array.is_empty() {
                cell(array, 0)?;
            }
        }
        Ok(columns)
    }

    fn row(
        &self,
        row: usize,
        line: u64,
        zone: &mut Zone,
        numbers: &mut Numbers,
    ) -> Result<RawRow, Fault> {
        let stamp = stamp(self.stamp, row, zone)?;
        let mut prices = [Price::from_nanos(0); 4];
        for ((column, array), price) in self.prices.iter().zip(&mut prices) {
            *price = self::price(column, &cell(array, row)?, numbers)?;
        }
        let [open, high, low, close] = prices;
        let volume = self.volume.map_or(Ok(Cell::Nothing), |array| cell(array, row))?;
        let trades = self.trades.map_or(Ok(Cell::Nothing), |array| cell(array, row))?;
        let bar = Bar {
            instrument: InstrumentId(0),
            interval: Interval::M1,
            open_time: stamp.at,
            open,
            high,
            low,
            close,
            volume: self::volume(&volume, numbers)?,
            trades: self::trades(&trades)?,
        };
        RawRow::new(line, stamp, bar)
    }
}

fn stamp(array: &ArrayRef, row: usize, zone: &mut Zone) -> Result<Stamp, Fault> {
    if array.is_null(row) {
        return Err(Fault::new("stamp is empty", "remove the row"));
    }
    match array.data_type() {
        DataType::Timestamp(unit, of) => {
            let (value, nanos_per_unit) = match unit {
                TimeUnit::Second => (value::<t::TimestampSecondType>(array, row), 1_000_000_000),
                TimeUnit::Millisecond => {
                    (value::<t::TimestampMillisecondType>(array, row), 1_000_000)
                }
                TimeUnit::Microsecond => (value::<t::TimestampMicrosecondType>(array, row), 1_000),
                TimeUnit::Nanosecond => (value::<t::TimestampNanosecondType>(array, row), 1),
            };
            let at = Timestamp::from_nanos(value.saturating_mul(nanos_per_unit));
            if of.is_some() { zone.moment(at) } else { zone.clock(at) }
        }
        DataType::Date32 => zone.date(Day::from_days(value::<t::Date32Type>(array, row))),
        DataType::Date64 => {
            zone.date(Timestamp::from_millis(value::<t::Date64Type>(array, row)).day())
        }
        _ => match cell(array, row)? {
            Cell::Decimal(number, 0) => zone.read(number.to_string().as_bytes()),
            Cell::Double(number) => zone.read(number.to_string().as_bytes()),
            Cell::Text(text) => zone.read(text.as_bytes()),
            _ => Err(wrong_type(array, "stamps are timestamps, dates, text or Unix numbers")),
        },
    }
}

fn price(column: &str, cell: &Cell<'_>, numbers: &mut Numbers) -> Result<Price, Fault> {
    match cell {
        Cell::Nothing => numbers.price(column, b""),
        Cell::Double(value) => numbers.price_of_double(column, *value),
        Cell::Decimal(digits, scale) => numbers.price(column, decimal(*digits, *scale).as_bytes()),
        Cell::Text(text) => numbers.price(column, text.as_bytes()),
    }
}

fn volume(cell: &Cell<'_>, numbers: &mut Numbers) -> Result<Qty, Fault> {
    match cell {
        Cell::Nothing => numbers.volume(None),
        Cell::Double(value) => numbers.volume_of_double(*value),
        Cell::Decimal(digits, scale) => numbers.volume(Some(decimal(*digits, *scale).as_bytes())),
        Cell::Text(text) => numbers.volume(Some(text.as_bytes())),
    }
}

fn trades(cell: &Cell<'_>) -> Result<u32, Fault> {
    match cell {
        Cell::Nothing => Ok(0),
        Cell::Double(value) if value.is_nan() => Ok(0),
        Cell::Double(value) => count("trades", value.to_string().as_bytes()),
        Cell::Decimal(digits, scale) => count("trades", decimal(*digits, *scale).as_bytes()),
        Cell::Text(text) => count("trades", text.as_bytes()),
    }
}

fn cell(array: &ArrayRef, row: usize) -> Result<Cell<'_>, Fault> {
    if array.is_null(row) {
        return Ok(Cell::Nothing);
    }
    let whole = |value: i128| Cell::Decimal(value, 0);
    Ok(match array.data_type() {
        DataType::Float64 => Cell::Double(value::<t::Float64Type>(array, row)),
        // The shortest digits of the narrow number, not the binary neighbour's.
        DataType::Float32 => {
            let narrow = value::<t::Float32Type>(array, row);
            Cell::Double(narrow.to_string().parse().unwrap_or(f64::NAN))
        }
        &DataType::Decimal128(_, scale) => {
            Cell::Decimal(value::<t::Decimal128Type>(array, row), scale)
        }
        &DataType::Decimal64(_, scale) => {
            Cell::Decimal(value::<t::Decimal64Type>(array, row).into(), scale)
        }
        &DataType::Decimal32(_, scale) => {
            Cell::Decimal(value::<t::Decimal32Type>(array, row).into(), scale)
        }
        DataType::Int64 => whole(value::<t::Int64Type>(array, row).into()),
        DataType::Int32 => whole(value::<t::Int32Type>(array, row).into()),
        DataType::Int16 => whole(value::<t::Int16Type>(array, row).into()),
        DataType::UInt64 => whole(value::<t::UInt64Type>(array, row).into()),
        DataType::UInt32 => whole(value::<t::UInt32Type>(array, row).into()),
        DataType::UInt16 => whole(value::<t::UInt16Type>(array, row).into()),
        DataType::Utf8 => Cell::Text(array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Cell::Text(array.as_string::<i64>().value(row)),
        DataType::Utf8View => Cell::Text(array.as_string_view().value(row)),
        _ => return Err(wrong_type(array, "write numbers as doubles, decimals or integers")),
    })
}

fn value<T: ArrowPrimitiveType>(array: &ArrayRef, row: usize) -> T::Native {
    array.as_primitive::<T>().value(row)
}

fn wrong_type(array: &ArrayRef, remedy: &'static str) -> Fault {
    Fault::new(format!("a column has the type {}", array.data_type()), remedy)
}

/// The text of a decimal, which the numbers of text files are read from.
fn decimal(digits: i128, scale: i8) -> String {
    match scale {
        0 => digits.to_string(),
        _ => format!("{digits}e{}", -i32::from(scale)),
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
