//! Factors of splits and dividends, kept beside the raw bars.
//!
//! A factor file changes with every corporate action, and with it every adjusted price of the past;
//! raw prices never change. So factors are stored on their own and multiplied in when adjusted
//! columns are read. The file has the columns `date,price_factor,split_factor[,reference_price]`,
//! ascending. The factors of a day are those of the first row whose date is on or after it; after
//! the last row nothing is adjusted.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use finstage_model::Day;

use super::csv::{BarFileError, BarFileErrorKind, Fault, Rows, lossy_cell, quoted};

/// The most rows of a factor file: four corporate actions a month for a century.
pub const MAX_FACTORS: usize = 5_000;

/// Factors up to and including one day.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FactorRow {
    /// The last day they apply to.
    pub day: Day,
    /// For dividends: what a raw price is multiplied by.
    pub price: f64,
    /// For splits: what a raw price is multiplied by, and a volume divided by.
    pub split: f64,
    /// The raw price that the action referred to; 0 where the file has none.
    pub reference_price: f64,
}

/// All factors of an instrument.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Factors(Vec<FactorRow>);

/// What to multiply prices by, and to divide volumes by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// For prices: both factors.
    pub price: f64,
    /// For volumes: that of splits.
    pub split: f64,
}

impl Factors {
    /// Factors by day; rows must ascend, one a day, at most [`MAX_FACTORS`].
    #[must_use]
    pub const fn of_rows(rows: Vec<FactorRow>) -> Self {
        Self(rows)
    }

    /// The rows, by day.
    #[must_use]
    pub fn rows(&self) -> &[FactorRow] {
        &self.0
    }

    /// What applies on a day.
    #[must_use]
    pub fn on(&self, day: Day) -> Scale {
        let place = self.0.partition_point(|row| row.day < day);
        self.0.get(place).map_or(Scale { price: 1.0, split: 1.0 }, |row| Scale {
            price: row.price * row.split,
            split: row.split,
        })
    }

    /// For many days that mostly ascend.
    pub(super) const fn scales(&self) -> Scales<'_> {
        Scales { factors: self, known: None }
    }
}

/// Remembers the scale of the last day asked for.
#[derive(Debug)]
pub(super) struct Scales<'a> {
    factors: &'a Factors,
    known: Option<(Day, Scale)>,
}

impl Scales<'_> {
    pub(super) fn on(&mut self, day: Day) -> Scale {
        match self.known {
            Some((known, scale)) if known == day => scale,
            _ => {
                let scale = self.factors.on(day);
                self.known = Some((day, scale));
                scale
            }
        }
    }
}

/// Reads the factor file at `path`.
///
/// # Errors
/// Says file, line, what is wrong, and what to do.
pub fn read_factor_file(path: &Path) -> Result<Factors, BarFileError> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| BarFileError::io(&name, error))?;
    read_factors(&name, file)
}

/// Reads factors from any source of bytes; errors call it `name`.
///
/// # Errors
/// As [`read_factor_file`].
///
/// # Examples
/// ```
/// use finstage_store::history::read_factors;
///
/// let text = "date,price_factor,split_factor\n2020-08-28,0.99,0.25\n2050-12-31,1,1\n";
/// let factors = read_factors("x.csv", text.as_bytes()).unwrap();
/// let scale = factors.on("2020-08-28".parse().unwrap());
/// assert_eq!((scale.price, scale.split), (0.99 * 0.25, 0.25));
/// assert_eq!(factors.on("2020-08-31".parse().unwrap()).price, 1.0);
/// ```
pub fn read_factors(name: &str, input: impl Read) -> Result<Factors, BarFileError> {
    const REMEDY: &str = "begin with the line date,price_factor,split_factor,reference_price";
    let not_factors = |line, what: String| {
        BarFileError::at(BarFileErrorKind::NotBars, name, line, Fault::new(what, REMEDY))
    };
    let mut rows = Rows::open(name, input)?;
    let mut record = ::csv::ByteRecord::new();
    let Some(line) = rows.next(&mut record)? else {
        return Err(not_factors(None, "the file is empty".to_owned()));
    };
    let header: Vec<String> = record.iter().map(|cell| lossy_cell(cell).to_lowercase()).collect();
    let place = |column: &str| header.iter().position(|name| name == column);
    let needed = |column: &str| {
        place(column).ok_or_else(|| not_factors(Some(line), format!("no column \"{column}\"")))
    };
    let columns = Columns {
        day: needed("date")?,
        price: needed("price_factor")?,
        split: needed("split_factor")?,
        reference_price: place("reference_price"),
    };
    let mut factors: Vec<FactorRow> = Vec::new();
    while let Some(line) = rows.next(&mut record)? {
        let bad = |fault| BarFileError::at(BarFileErrorKind::BadRow, name, Some(line), fault);
        let row = columns.row(&record).map_err(bad)?;
        if factors.last().is_some_and(|last| last.day >= row.day) {
            let what = format!("{} is not after the date before it", row.day);
            return Err(bad(Fault::new(what, "sort the rows by date, one for each")));
        }
        if factors.len() == MAX_FACTORS {
            return Err(not_factors(Some(line), format!("more than {MAX_FACTORS} rows")));
        }
        factors.push(row);
    }
    if factors.is_empty() {
        return Err(not_factors(None, "no rows below the header".to_owned()));
    }
    Ok(Factors(factors))
}

#[derive(Debug)]
struct Columns {
    day: usize,
    price: usize,
    split: usize,
    reference_price: Option<usize>,
}

impl Columns {
    fn row(&self, record: &::csv::ByteRecord) -> Result<FactorRow, Fault> {
        let cell = |column: usize| lossy_cell(record.get(column).unwrap_or_default());
        let date = cell(self.day);
        let day = date.parse().map_err(|_| {
            Fault::new(format!("date {} cannot be read", quoted(&date)), "write YYYY-MM-DD")
        })?;
        let reference = self.reference_price.map(cell).filter(|text| !text.is_empty());
        Ok(FactorRow {
            day,
            price: factor("price_factor", &cell(self.price))?,
            split: factor("split_factor", &cell(self.split))?,
            reference_price: reference
                .map_or(Ok(0.0), |text| number("reference_price", &text, 0.0))?,
        })
    }
}

/// A number above zero.
fn factor(column: &str, text: &str) -> Result<f64, Fault> {
    number(column, text, f64::MIN_POSITIVE)
}

fn number(column: &str, text: &str, least: f64) -> Result<f64, Fault> {
    let fault = || {
        let what = format!("{column} {} is not a number above zero", quoted(text));
        Fault::new(what, "write it as 0.25")
    };
    text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= least).ok_or_else(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        read_factors("f.csv", text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn bad_factor_files_are_refused_by_line() {
        let header = "date,price_factor,split_factor,reference_price\n";
        assert_eq!(
            error(&format!("{header}2020-01-02,1,1,5\n2020-01-03,0,1,5\n")),
            "f.csv:3: price_factor \"0\" is not a number above zero: write it as 0.25"
        );
        assert_eq!(
            error(&format!("{header}2020-01-02,1,1,5\n2020-01-02,1,1,5\n")),
            "f.csv:3: 2020-01-02 is not after the date before it: sort the rows by date, one for each"
        );
        assert!(
            error(&format!("{header}2.1.2020,1,1,5\n")).starts_with("f.csv:2: date \"2.1.2020\"")
        );
        assert!(
            error(&format!("{header}2020-01-02,1,inf,5\n")).starts_with("f.csv:2: split_factor")
        );
        assert!(error("day,price_factor\n").starts_with("f.csv:1: no column \"date\""));
        assert!(error(header).starts_with("f.csv: no rows"));
        assert!(error("").starts_with("f.csv"));
    }

    #[test]
    fn the_factors_of_a_day_are_those_of_the_first_row_on_or_after_it() {
        let text = "Date,Price_Factor,Split_Factor\n2020-01-10,0.5,0.25\n2020-01-20,0.8,1\n";
        let factors = read_factors("f.csv", text.as_bytes()).unwrap();
        let on = |day: &str| factors.on(day.parse().unwrap());
        assert_eq!(on("1990-01-01"), Scale { price: 0.125, split: 0.25 });
        assert_eq!(on("2020-01-10"), Scale { price: 0.125, split: 0.25 });
        assert_eq!(on("2020-01-11"), Scale { price: 0.8, split: 1.0 });
        assert_eq!(on("2020-01-21"), Scale { price: 1.0, split: 1.0 });
    }
}
