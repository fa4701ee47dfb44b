//! Prices and volumes of cells, exact where nine decimals suffice.

use finstage_model::{DecimalError, Price, Qty};

use super::error::{Fault, quoted};
use crate::history::double;

/// Reads numbers and remembers what had to be assumed about them.
#[derive(Debug, Default)]
pub(in crate::history) struct Numbers {
    rounded: u64,
    without_volume: u64,
}

impl Numbers {
    /// A price above zero.
    pub(in crate::history) fn price(&mut self, column: &str, cell: &[u8]) -> Result<Price, Fault> {
        let text = text(column, cell)?;
        if is_nothing(text) {
            return Err(Fault::new(format!("{column} is empty"), NO_PRICE));
        }
        let price = match plain(text) {
            Some(nanos) => Price::from_nanos(nanos),
            None => match text.parse() {
                Err(DecimalError::TooPrecise) => {
                    self.rounded += 1;
                    let value = text.parse().map_err(|_| no_number(column, text))?;
                    Price::from_f64_rounded(value, 9)
                        .ok_or_else(|| bad(column, text, DecimalError::OutOfRange))?
                }
                other => other.map_err(|error| bad(column, text, error))?,
            },
        };
        positive(column, price, &text)
    }

    /// A price from a binary column; not a number counts as missing.
    pub(in crate::history) fn price_of_double(
        &mut self,
        column: &str,
        value: f64,
    ) -> Result<Price, Fault> {
        if value.is_nan() {
            return Err(Fault::new(format!("{column} is empty"), NO_PRICE));
        }
        let read = double::to_price(value)
            .ok_or_else(|| bad(column, &value.to_string(), DecimalError::OutOfRange))?;
        self.rounded += u64::from(read.rounded);
        positive(column, read.value, &value)
    }

    /// A volume from a binary column; not a number counts as zero.
    pub(in crate::history) fn volume_of_double(&mut self, value: f64) -> Result<Qty, Fault> {
        if value.is_nan() {
            return self.volume(None);
        }
        let read = double::to_qty(value).ok_or_else(|| {
            let error = if value < 0.0 { DecimalError::Negative } else { DecimalError::OutOfRange };
            bad("volume", &value.to_string(), error)
        })?;
        self.rounded += u64::from(read.rounded);
        Ok(read.value)
    }

    /// A volume; nothing counts as zero.
    pub(in crate::history) fn volume(&mut self, cell: Option<&[u8]>) -> Result<Qty, Fault> {
        const COLUMN: &str = "volume";
        let text = text(COLUMN, cell.unwrap_or_default())?;
        if is_nothing(text) {
            self.without_volume += 1;
            return Ok(Qty::ZERO);
        }
        if let Some(nanos) = plain(text) {
            return Ok(Qty::from_nanos(u128::from(nanos.unsigned_abs())));
        }
        match text.parse() {
            Err(DecimalError::TooPrecise) => {
                self.rounded += 1;
                let value: f64 = text.parse().map_err(|_| no_number(COLUMN, text))?;
                format!("{value:.9}").parse().map_err(|error| bad(COLUMN, text, error))
            }
            other => other.map_err(|error| bad(COLUMN, text, error)),
        }
    }

    pub(in crate::history) fn notes(&self, notes: &mut Vec<String>) {
        if self.rounded > 0 {
            notes.push(format!(
                "{} numbers with more than nine decimals were rounded to nine",
                self.rounded
            ));
        }
        if self.without_volume > 0 {
            notes.push(format!("{} rows have no volume: taken as 0", self.without_volume));
        }
    }
}

fn positive(column: &str, price: Price, read: &impl ToString) -> Result<Price, Fault> {
    if price.nanos() <= 0 {
        let what = format!("{column} {} is not above zero", quoted(&read.to_string()));
        return Err(Fault::new(what, "prices of bars are positive: mend or remove the row"));
    }
    Ok(price)
}

const NO_PRICE: &str = "remove the row (a holiday?), or drop such rows with --lenient";
const ENGLISH_NUMBERS: &str = "write 1234.5: a point for decimals, no separators of thousands";

/// A cell as trimmed text.
pub(in crate::history) fn text<'a>(column: &str, cell: &'a [u8]) -> Result<&'a str, Fault> {
    std::str::from_utf8(cell.trim_ascii())
        .map_err(|_| Fault::new(format!("{column} is not UTF-8"), "save the file as UTF-8"))
}

/// A cell of a header, whatever its bytes.
pub(in crate::history) fn lossy(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell.trim_ascii()).into_owned()
}

/// A whole number; nothing counts as zero, and what does not fit as the greatest.
pub(in crate::history) fn count(column: &str, cell: &[u8]) -> Result<u32, Fault> {
    let text = text(column, cell)?;
    if is_nothing(text) {
        return Ok(0);
    }
    let count: u64 = text.parse().map_err(|_| no_number(column, text))?;
    Ok(u32::try_from(count).unwrap_or(u32::MAX))
}

fn is_nothing(text: &str) -> bool {
    text.is_empty()
        || ["nan", "null", "none", "n/a", "na", "-"].iter().any(|no| text.eq_ignore_ascii_case(no))
}

/// Nano units of `digits[.digits]`: the short way for nearly every cell of nearly every file.
/// `None` sends the text the exact way, which also says what is wrong with it.
fn plain(text: &str) -> Option<i64> {
    const DECIMALS: usize = 9;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || whole.len() > DECIMALS || fraction.len() > DECIMALS {
        return None;
    }
    let digits = |text: &str| {
        text.bytes().try_fold(0i64, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
        })
    };
    let scale = 10i64.pow((DECIMALS - fraction.len()) as u32);
    Some(digits(whole)? * 1_000_000_000 + digits(fraction)? * scale)
}

fn no_number(column: &str, text: &str) -> Fault {
    bad(column, text, DecimalError::NotANumber)
}

fn bad(column: &str, text: &str, error: DecimalError) -> Fault {
    let remedy = match error {
        DecimalError::NotANumber if text.contains(',') => ENGLISH_NUMBERS,
        DecimalError::Negative => "volumes are amounts: mend or remove the row",
        _ => "mend or remove the row, or drop such rows with --lenient",
    };
    Fault::new(format!("{column} {}: {error}", quoted(text)), remedy)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_short_way_agrees_with_the_exact_one(text in "[0-9]{0,11}\\.?[0-9]{0,11}") {
            if let Some(nanos) = plain(&text) {
                prop_assert_eq!(text.parse::<Price>(), Ok(Price::from_nanos(nanos)));
            }
        }
    }
}
