//! One-line text forms that a person can write: bar tables for fixtures.
//!
//! ```text
//! 1m binance:BTCUSDT   open high low close volume
//! 2026-01-05T12:00   10 12  9 11  5
//! 12:01              11 11 10 10  2
//! ```
//! The first line names interval and symbol; each further line is one bar. A stamp is a day, a
//! minute of a day, or a time on the day of the line before.

use std::fmt;

use crate::{Bar, InstrumentId, Interval, Symbol, Timestamp};

/// A table of bars read from text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarTable {
    /// Whose bars.
    pub symbol: Symbol,
    /// Of which length.
    pub interval: Interval,
    /// The bars, in the order of the text.
    pub bars: Vec<Bar>,
}

/// A line that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// The line, from 1.
    pub line: usize,
    message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

impl std::error::Error for TextError {}

/// Reads a table of bars; blank lines and what follows a `#` are skipped. Every bar gets
/// `instrument` as its id.
///
/// # Errors
/// Names the first line that is not as described in the module.
pub fn read_bars(text: &str, instrument: InstrumentId) -> Result<BarTable, TextError> {
    let mut lines = text
        .lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.split('#').next().unwrap_or("").trim()))
        .filter(|(_, line)| !line.is_empty());
    let (line, header) =
        lines.next().ok_or_else(|| error(1, "no header: write 1m venue:SYMBOL"))?;
    let mut words = header.split_whitespace();
    let interval: Interval = parse(line, words.next())?;
    let symbol: Symbol = parse(line, words.next())?;
    let mut bars: Vec<Bar> = Vec::new();
    for (line, row) in lines {
        let mut words = row.split_whitespace();
        let day = bars.last().map(|bar| bar.open_time.day());
        let stamp = words.next().unwrap_or("");
        let full = match (day, stamp.len()) {
            (Some(day), 5) => format!("{day}T{stamp}:00Z"),
            (_, 16) => format!("{stamp}:00Z"),
            _ => stamp.to_owned(),
        };
        let open_time: Timestamp = parse(line, Some(&full))?;
        bars.push(Bar {
            instrument,
            interval,
            open_time,
            open: parse(line, words.next())?,
            high: parse(line, words.next())?,
            low: parse(line, words.next())?,
            close: parse(line, words.next())?,
            volume: parse(line, words.next())?,
            trades: 0,
        });
        if words.next().is_some() {
            return Err(error(line, "more than a stamp and five numbers"));
        }
    }
    Ok(BarTable { symbol, interval, bars })
}

/// Writes a table that [`read_bars`] reads.
#[must_use]
pub fn write_bars(table: &BarTable) -> String {
    let mut text = format!("{} {}   open high low close volume\n", table.interval, table.symbol);
    for bar in &table.bars {
        let Bar { open_time, open, high, low, close, volume, .. } = bar;
        text.push_str(&format!("{open_time} {open} {high} {low} {close} {volume}\n"));
    }
    text
}

fn parse<T: std::str::FromStr<Err: fmt::Display>>(
    line: usize,
    word: Option<&str>,
) -> Result<T, TextError> {
    let word = word.ok_or_else(|| error(line, "too few columns"))?;
    word.parse().map_err(|e: T::Err| error(line, &format!("{word}: {e}")))
}

fn error(line: usize, message: &str) -> TextError {
    TextError { line, message: message.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "
        1m binance:BTCUSDT   open high low close volume
        2026-01-05T23:59   10 12  9 11  5     # the last of the day
        2026-01-06T00:00   11 11 10 10  2
        00:01              10 10.5 10 10  0
    ";

    #[test]
    fn a_table_reads_as_written() {
        let table = read_bars(TABLE, InstrumentId(3)).unwrap();
        assert_eq!(table.bars.len(), 3);
        assert_eq!(table.bars[2].open_time.to_string(), "2026-01-06T00:01:00Z");
        assert_eq!(table.bars[2].high.to_string(), "10.5");
        assert_eq!(read_bars(&write_bars(&table), InstrumentId(3)).unwrap(), table);
    }

    #[test]
    fn a_bad_line_is_named() {
        let broken = TABLE.replace("11 10 10  2", "11 NaN 10  2");
        let error = read_bars(&broken, InstrumentId(0)).unwrap_err();
        assert_eq!(error.to_string(), "line 4: NaN: not a decimal number");
    }
}
