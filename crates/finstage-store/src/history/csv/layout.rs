//! Which column means what, told by the header, or by its absence for Binance's files.

use std::io::Read;

use ::csv::ByteRecord;
use finstage_model::{Bar, InstrumentId, Interval};

use super::error::{BarFileError, Fault, quoted};
use super::input::Rows;
use super::label::RawRow;
use super::number::{self, Numbers};
use super::stamp::Zone;

pub(in crate::history) const STAMP_NAMES: [&str; 6] =
    ["timestamp", "date", "datetime", "time", "open_time", "open time"];
const TRADES_NAMES: [&str; 3] = ["count", "trades", "number of trades"];

/// Cells of a row of Binance's files, which came without a header for years.
const BINANCE_WIDTH: usize = 12;

/// Where a file keeps what a bar is made of.
#[derive(Debug)]
pub(in crate::history) struct Layout {
    pub(in crate::history) stamp: usize,
    pub(in crate::history) open: usize,
    pub(in crate::history) high: usize,
    pub(in crate::history) low: usize,
    pub(in crate::history) close: usize,
    pub(in crate::history) volume: Option<usize>,
    pub(in crate::history) trades: Option<usize>,
    width: usize,
    has_adjusted_close: bool,
    /// The first line, where it is a bar already.
    pub(in crate::history) first_row: Option<(u64, ByteRecord)>,
}

impl Layout {
    /// Reads the header, of one line or of yfinance's three.
    pub(in crate::history) fn detect(rows: &mut Rows<impl Read>) -> Result<Self, BarFileError> {
        let mut header = ByteRecord::new();
        let Some(line) = rows.next(&mut header)? else {
            let fault = Fault::new("the file is empty", "write a header and one row per bar");
            return Err(rows.not_bars(None, fault));
        };
        if begins_with_digit(&header) {
            if header.len() == BINANCE_WIDTH {
                return Ok(Self::binance(line, header));
            }
            return Err(rows.not_bars(Some(line), Fault::new("no header", HEADER)));
        }
        let mut names: Vec<String> =
            header.iter().map(|cell| number::lossy(cell).to_lowercase()).collect();
        if names[0] == "price" {
            names[0] = yfinance_stamp_name(rows)?;
        }
        Self::of_names(&names).map_err(|fault| rows.not_bars(Some(line), fault))
    }

    fn binance(line: u64, first: ByteRecord) -> Self {
        Self {
            stamp: 0,
            open: 1,
            high: 2,
            low: 3,
            close: 4,
            volume: Some(5),
            trades: Some(8),
            width: BINANCE_WIDTH,
            has_adjusted_close: false,
            first_row: Some((line, first)),
        }
    }

    /// Finds the columns by name, any of which may be in any place.
    pub(in crate::history) fn of_names(names: &[String]) -> Result<Self, Fault> {
        // The index of a table has no name where nobody gave it one.
        let is_stamp = |name: &str| STAMP_NAMES.contains(&name);
        let stamp = match only(names, is_stamp)? {
            None if names[0].is_empty() => Some(0),
            found => found,
        };
        let needed = |name: &str| {
            only(names, |candidate| candidate == name)?.ok_or_else(|| missing(name, names))
        };
        Ok(Self {
            stamp: stamp.ok_or_else(|| missing("timestamp", names))?,
            open: needed("open")?,
            high: needed("high")?,
            low: needed("low")?,
            close: needed("close")?,
            volume: only(names, |name| name == "volume")?,
            trades: names.iter().position(|name| TRADES_NAMES.contains(&name.as_str())),
            width: names.len(),
            has_adjusted_close: names.iter().any(|name| name == "adj close"),
            first_row: None,
        })
    }

    /// What the header alone tells people.
    pub(in crate::history) fn notes(&self) -> Vec<String> {
        let adjusted = "the column \"Adj Close\" was not used: prices are those of open to close";
        self.has_adjusted_close.then(|| adjusted.to_owned()).into_iter().collect()
    }

    /// Reads one row.
    pub(in crate::history) fn row(
        &self,
        line: u64,
        record: &ByteRecord,
        zone: &mut Zone,
        numbers: &mut Numbers,
    ) -> Result<RawRow, Fault> {
        self.check_width(record)?;
        let cell = |column: usize| record.get(column).unwrap_or_default();
        let stamp = zone.read(cell(self.stamp))?;
        let bar = Bar {
            instrument: InstrumentId(0),
            interval: Interval::M1,
            open_time: stamp.at,
            open: numbers.price("open", cell(self.open))?,
            high: numbers.price("high", cell(self.high))?,
            low: numbers.price("low", cell(self.low))?,
            close: numbers.price("close", cell(self.close))?,
            volume: numbers.volume(self.volume.map(cell))?,
            trades: self.trades.map_or(Ok(0), |column| number::count("trades", cell(column)))?,
        };
        RawRow::new(line, stamp, bar)
    }

    fn check_width(&self, record: &ByteRecord) -> Result<(), Fault> {
        let cells = record.len();
        let message = || format!("{cells} columns where the header has {}", self.width);
        if cells < self.width {
            return Err(Fault::new(message(), "complete or remove the row"));
        }
        if record.iter().skip(self.width).any(|cell| !cell.trim_ascii().is_empty()) {
            return Err(Fault::new(
                message(),
                "write 1234.5: a point for decimals, no separators of thousands",
            ));
        }
        Ok(())
    }
}

const HEADER: &str = "begin with the line timestamp,open,high,low,close,volume";

/// The two further header lines of newer yfinance files: `Ticker,…` and `Date,…`.
fn yfinance_stamp_name(rows: &mut Rows<impl Read>) -> Result<String, BarFileError> {
    let mut record = ByteRecord::new();
    let line = rows.next(&mut record)?;
    let mut tickers: Vec<_> = record.iter().skip(1).filter(|cell| !cell.is_empty()).collect();
    tickers.sort_unstable();
    tickers.dedup();
    if tickers.len() > 1 {
        let what = format!("the file holds {} instruments", tickers.len());
        return Err(rows.not_bars(line, Fault::new(what, "write one file for each")));
    }
    let line = rows.next(&mut record)?;
    let name = record.get(0).map(number::lossy).unwrap_or_default().to_lowercase();
    if line.is_none() || !STAMP_NAMES.contains(&name.as_str()) {
        let what = "the third header line names no stamp column";
        return Err(rows.not_bars(line, Fault::new(what, HEADER)));
    }
    Ok(name)
}

fn begins_with_digit(record: &ByteRecord) -> bool {
    let first = record.get(0).unwrap_or_default().trim_ascii();
    first.first().is_some_and(|&byte| byte.is_ascii_digit() || byte == b'-')
}

/// The place of the one name that fits.
fn only(names: &[String], fits: impl Fn(&str) -> bool) -> Result<Option<usize>, Fault> {
    let mut found = names.iter().enumerate().filter(|(_, name)| fits(name));
    let first = found.next();
    if let (Some((_, first)), Some((_, second))) = (first, found.next()) {
        let what = format!("columns {} and {} compete", quoted(first), quoted(second));
        return Err(Fault::new(what, "keep one of them"));
    }
    Ok(first.map(|(place, _)| place))
}

fn missing(name: &str, names: &[String]) -> Fault {
    Fault::new(format!("no column \"{name}\" in the header {}", quoted(&names.join(","))), HEADER)
}
