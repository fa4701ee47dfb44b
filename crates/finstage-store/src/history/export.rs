//! Bars for other programs.

use std::io::{self, Write};

use finstage_model::{Bar, Day, Interval, Timestamp};

use super::columns::BarColumns;
use super::parquet;
use crate::{Error, ErrorKind};

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
/// `Corrupt` when a stamp is no whole microsecond.
pub fn write_parquet(bars: &[Bar], out: &mut dyn Write) -> Result<(), Error> {
    let file = parquet::encode(bars).map_err(|fault| {
        Error::new(ErrorKind::Corrupt, format!("bars cannot be written as Parquet: {fault}"))
    })?;
    out.write_all(&file).map_err(|e| Error::new(ErrorKind::Io, "writing Parquet failed").because(e))
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
