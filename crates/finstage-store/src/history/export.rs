//! Bars for other programs.

use std::io::{self, Write};

use arrow_array::RecordBatch;
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::ArrowError;
use finstage_model::{Bar, Day, Interval, Timestamp};

use super::columns::BarColumns;
use super::parquet;

/// The first line of our own text files.
const HEADER: &str = "timestamp,open,high,low,close,volume";

/// Writes bars as text with their exact digits: days for bars of a day and longer, else RFC 3339.
/// [`super::read_bars`] reads the same bars from it.
///
/// # Errors
/// Whatever `out` says.
pub fn write_csv(bars: &[Bar], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for bar in bars {
        let Bar { open, high, low, close, volume, .. } = bar;
        write_stamp(bar.interval, bar.open_time, out)?;
        writeln!(out, ",{open},{high},{low},{close},{volume}")?;
    }
    Ok(())
}

/// Writes columns as text, each number with the fewest digits that mean its double: what adjusted
/// prices have no exact form for.
///
/// # Errors
/// Whatever `out` says.
pub fn write_columns_csv(
    columns: &BarColumns,
    interval: Interval,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{HEADER}")?;
    for (row, &at) in columns.times_us.iter().enumerate() {
        write_stamp(interval, Timestamp::from_nanos(at.saturating_mul(1_000)), out)?;
        let BarColumns { open, high, low, close, volume, .. } = columns;
        let (open, high, low, close) = (open[row], high[row], low[row], close[row]);
        writeln!(out, ",{open},{high},{low},{close},{}", volume[row])?;
    }
    Ok(())
}

/// Bars of one series, ascending, as one Parquet file of the form that the shelf has.
///
/// # Errors
/// `InvalidData` when a stamp is no whole microsecond; whatever `out` says.
pub fn write_parquet(bars: &[Bar], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(&parquet::encode(bars).map_err(|fault| refused(&fault))?)
}

/// Which of the two Arrow IPC forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrowForm {
    /// With an index at the end, for files: what pandas calls Feather.
    File,
    /// For pipes.
    Stream,
}

/// Columns of doubles as one Parquet file: `timestamp`, prices and `volume`.
///
/// # Errors
/// Whatever `out` says.
pub fn write_columns_parquet(columns: &BarColumns, out: &mut dyn Write) -> io::Result<()> {
    let file = parquet::batch_of_columns(columns).and_then(|batch| parquet::encode_batch(&batch));
    out.write_all(&file.map_err(|fault| refused(&fault))?)
}

/// Bars of one series as Arrow IPC, in the types that [`write_parquet`] gives them.
///
/// # Errors
/// As [`write_parquet`].
pub fn write_arrow(bars: &[Bar], form: ArrowForm, out: &mut dyn Write) -> io::Result<()> {
    write_batch(&parquet::batch(bars).map_err(|fault| refused(&fault))?, form, out)
}

/// Columns of doubles as Arrow IPC: `timestamp`, prices and `volume`.
///
/// # Errors
/// Whatever `out` says.
pub fn write_columns_arrow(
    columns: &BarColumns,
    form: ArrowForm,
    out: &mut dyn Write,
) -> io::Result<()> {
    write_batch(&parquet::batch_of_columns(columns).map_err(|fault| refused(&fault))?, form, out)
}

/// In steps, so that a reader need not take everything at once.
fn write_batch(batch: &RecordBatch, form: ArrowForm, out: &mut dyn Write) -> io::Result<()> {
    let rows = batch.num_rows();
    let parts = (0..rows).step_by(parquet::ROW_GROUP);
    let parts = parts.map(|row| batch.slice(row, parquet::ROW_GROUP.min(rows - row)));
    let schema = batch.schema();
    match form {
        ArrowForm::File => {
            let mut writer = FileWriter::try_new(out, &schema).map_err(failed)?;
            for part in parts {
                writer.write(&part).map_err(failed)?;
            }
            writer.finish().map_err(failed)
        }
        ArrowForm::Stream => {
            let mut writer = StreamWriter::try_new(out, &schema).map_err(failed)?;
            for part in parts {
                writer.write(&part).map_err(failed)?;
            }
            writer.finish().map_err(failed)
        }
    }
}

/// What the system said, where it was the system.
fn failed(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::other(other),
    }
}

fn refused(fault: &parquet::Fault) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, fault.to_string())
}

/// Writes the open time of a bar as our text files have it: a date for bars of a day and longer that
/// open at midnight UTC, else RFC 3339 with `Z`.
///
/// # Errors
/// Whatever `out` says.
pub fn write_stamp(interval: Interval, at: Timestamp, out: &mut dyn Write) -> io::Result<()> {
    let day: Day = at.day();
    if interval >= Interval::D1 && at == day.start() {
        write!(out, "{day}")
    } else {
        write!(out, "{at}")
    }
}
