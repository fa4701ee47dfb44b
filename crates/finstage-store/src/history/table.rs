//! Numbers of bars for other programs: a Parquet file with a stamp and any columns of doubles,
//! written as it goes.

use std::fmt;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use finstage_model::Timestamp;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::columns::micros;
use super::parquet::ROW_GROUP;
use crate::{Error, ErrorKind};

/// Cells of a row group at most, unless that would be less than [`LEAST_ROWS`] rows: what is in
/// memory before it is written.
const GROUP_CELLS: usize = 1 << 22;
/// Rows of a row group at least.
const LEAST_ROWS: usize = 1_024;

/// A Parquet file that is being written: `timestamp` (microseconds, UTC), then doubles in which NaN
/// becomes null. Memory is one row group, however long the file becomes.
pub struct TableWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
}

impl<W: Write + Send> TableWriter<W> {
    /// Begins a file with the columns named, after that of the stamps.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn new(out: W, names: &[String]) -> Result<Self, Error> {
        let stamp = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let mut fields = vec![Field::new("timestamp", stamp, false)];
        fields.extend(names.iter().map(|name| Field::new(name, DataType::Float64, true)));
        let schema = Arc::new(Schema::new(fields));
        let rows = (GROUP_CELLS / (names.len() + 1)).clamp(LEAST_ROWS, ROW_GROUP);
        let zstd = ZstdLevel::try_new(1).map_err(|error| failed(&error))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(zstd))
            // Computed numbers hardly repeat.
            .set_dictionary_enabled(false)
            .set_max_row_group_row_count(Some(rows))
            .build();
        let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties))
            .map_err(|error| failed(&error))?;
        Ok(Self { writer, schema })
    }

    /// Adds rows: their stamps, and a column of the same length for each name.
    ///
    /// # Errors
    /// Whatever `out` says; also when a column has another length.
    pub fn write(&mut self, stamps: &[Timestamp], columns: &[Vec<f64>]) -> Result<(), Error> {
        let stamps: Vec<i64> = stamps.iter().map(|&at| micros(at)).collect();
        let stamps = TimestampMicrosecondArray::from(stamps).with_timezone("UTC");
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(stamps)];
        for column in columns {
            let cells = column.iter().map(|&value| (!value.is_nan()).then_some(value));
            arrays.push(Arc::new(cells.collect::<Float64Array>()));
        }
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays)
            .map_err(|error| failed(&ParquetError::General(error.to_string())))?;
        self.writer.write(&batch).map_err(|error| failed(&error))
    }

    /// Ends the file and gives `out` back.
    ///
    /// # Errors
    /// Whatever `out` says.
    pub fn finish(self) -> Result<W, Error> {
        self.writer.into_inner().map_err(|error| failed(&error))
    }
}

impl<W: Write + Send> fmt::Debug for TableWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWriter").field("schema", &self.schema).finish_non_exhaustive()
    }
}

fn failed(error: &ParquetError) -> Error {
    Error::new(ErrorKind::Io, format!("writing Parquet failed: {error}"))
}

#[cfg(test)]
mod tests {
    use arrow_array::Array as _;
    use arrow_array::cast::AsArray as _;
    use arrow_array::types::Float64Type;
    use bytes::Bytes;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn a_table_is_written_in_row_groups_and_nan_is_null() {
        const ROWS: usize = 10_000;
        let names: Vec<String> = (0..1_000).map(|nth| format!("c{nth}")).collect();
        let mut table = TableWriter::new(Vec::new(), &names).unwrap();
        for start in [0, ROWS / 2] {
            let stamps: Vec<_> =
                (start..start + ROWS / 2).map(|row| Timestamp::from_secs(row as i64)).collect();
            let column: Vec<f64> = (start..start + ROWS / 2)
                .map(|row| if row < 3 { f64::NAN } else { row as f64 / 8.0 })
                .collect();
            table.write(&stamps, &vec![column; names.len()]).unwrap();
        }
        let file = Bytes::from(table.finish().unwrap());
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        let rows = GROUP_CELLS / (names.len() + 1);
        assert_eq!(builder.metadata().num_row_groups(), ROWS.div_ceil(rows));
        let mut read: Vec<Option<f64>> = Vec::new();
        for batch in builder.build().unwrap() {
            let batch = batch.unwrap();
            read.extend(batch.column(1_000).as_primitive::<Float64Type>().iter());
            assert_eq!(batch.column(0).null_count(), 0);
        }
        let expected: Vec<_> = (0..ROWS).map(|row| (row > 2).then_some(row as f64 / 8.0)).collect();
        assert_eq!(read, expected);
    }
}
