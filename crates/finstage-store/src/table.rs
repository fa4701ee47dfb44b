//! Tables of numbers for other programs: text, or Parquet as pandas, polars and DuckDB open it.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray, UInt64Array};
use finstage_model::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use crate::{Error, ErrorKind};

/// A column and its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values, one a row.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; NaN is written as missing.
    Numbers(Vec<f64>),
    /// Counts.
    Counts(Vec<u64>),
    /// Moments.
    Moments(Vec<Timestamp>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Counts(values) => values.len(),
            Self::Moments(values) => values.len(),
        }
    }

    fn write(&self, row: usize, out: &mut dyn Write) -> std::io::Result<()> {
        match self {
            Self::Numbers(values) if values[row].is_nan() => Ok(()),
            Self::Numbers(values) => write!(out, "{}", values[row]),
            Self::Counts(values) => write!(out, "{}", values[row]),
            Self::Moments(values) => write!(out, "{}", values[row]),
        }
    }

    fn to_array(&self) -> ArrayRef {
        match self {
            Self::Numbers(values) => {
                let known = |value: &f64| (!value.is_nan()).then_some(*value);
                Arc::new(values.iter().map(known).collect::<Float64Array>())
            }
            Self::Counts(values) => Arc::new(UInt64Array::from_iter_values(values.iter().copied())),
            Self::Moments(values) => {
                let micros = values.iter().map(|at| at.nanos().div_euclid(1_000));
                let stamps = TimestampMicrosecondArray::from_iter_values(micros);
                Arc::new(stamps.with_timezone("UTC"))
            }
        }
    }
}

/// Writes columns as text: a header, then a line a row; each number with the fewest digits that
/// mean its double, nothing where it is missing.
///
/// # Errors
/// Whatever `out` says.
///
/// # Panics
/// `invariant:` when columns differ in length.
pub fn write_csv(columns: &[Column], out: &mut dyn Write) -> std::io::Result<()> {
    let rows = rows(columns);
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    writeln!(out, "{}", names.join(","))?;
    for row in 0..rows {
        for (place, column) in columns.iter().enumerate() {
            if place > 0 {
                out.write_all(b",")?;
            }
            column.values.write(row, out)?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// Writes columns as one Parquet file, compressed; moments are microseconds of UTC.
///
/// # Errors
/// `Io` when `out` cannot be written, `Corrupt` when two columns have the same name.
///
/// # Panics
/// `invariant:` when columns differ in length.
pub fn write_parquet(columns: &[Column], out: &mut (dyn Write + Send)) -> Result<(), Error> {
    rows(columns);
    let arrays =
        columns.iter().map(|column| (column.name.as_str(), column.values.to_array(), true));
    let batch = RecordBatch::try_from_iter_with_nullable(arrays).map_err(|error| {
        Error::new(ErrorKind::Corrupt, format!("the table cannot be written as Parquet: {error}"))
    })?;
    write_batch(&batch, out)
        .map_err(|error| Error::new(ErrorKind::Io, format!("writing Parquet failed: {error}")))
}

fn write_batch(batch: &RecordBatch, out: &mut (dyn Write + Send)) -> Result<(), ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .build();
    let mut writer = ArrowWriter::try_new(out, batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.close()?;
    Ok(())
}

fn rows(columns: &[Column]) -> usize {
    let rows = columns.first().map_or(0, |column| column.values.len());
    let is_even = columns.iter().all(|column| column.values.len() == rows);
    assert!(is_even, "invariant: the columns of a table have the same length");
    rows
}

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::{Float64Type, UInt64Type};
    use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

    use super::*;

    fn table() -> Vec<Column> {
        let column = |name: &str, values| Column { name: name.to_owned(), values };
        vec![
            column("at", Values::Moments(vec![Timestamp::from_secs(0), Timestamp::from_secs(90)])),
            column("ratio", Values::Numbers(vec![0.1, f64::NAN])),
            column("count", Values::Counts(vec![7, 0])),
        ]
    }

    #[test]
    fn text_has_the_fewest_digits_and_nothing_for_what_is_missing() {
        let mut out = Vec::new();
        write_csv(&table(), &mut out).unwrap();
        let expected = "at,ratio,count\n1970-01-01T00:00:00Z,0.1,7\n1970-01-01T00:01:30Z,,0\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn parquet_gives_back_every_value() {
        let mut out = Vec::new();
        write_parquet(&table(), &mut out).unwrap();
        let reader = ParquetRecordBatchReader::try_new(bytes::Bytes::from(out), 10).unwrap();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        let [batch] = &batches[..] else { panic!("{} batches", batches.len()) };
        let ratios = batch.column(1).as_primitive::<Float64Type>();
        assert_eq!((ratios.value(0), ratios.is_null(1)), (0.1, true));
        assert_eq!(batch.column(2).as_primitive::<UInt64Type>().values()[..], [7, 0]);
        assert_eq!(batch.schema().field(0).name(), "at");
    }
}
