//! Columns as rows of text.

use std::io::{self, Write};

use finstage_model::Interval;
use finstage_store::history::write_stamp;

use super::columns::Columns;

/// Numbers outside are written with an exponent: the shorter form there.
const PLAIN: std::ops::Range<f64> = 1e-5..1e17;

/// The first line of a CSV file.
pub(super) fn csv_header(names: &[String], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(b"timestamp")?;
    for name in names {
        // Parameters are parted by commas: such names stand in quotes.
        let quote = if name.contains([',', '\n', '\r']) { "\"" } else { "" };
        write!(out, ",{quote}{name}{quote}")?;
    }
    out.write_all(b"\n")
}

/// A line for each bar of the piece.
pub(super) fn csv(columns: &Columns, interval: Interval, out: &mut dyn Write) -> io::Result<()> {
    for (row, &at) in columns.stamps.iter().enumerate() {
        write_stamp(interval, at, out)?;
        for column in &columns.values {
            out.write_all(b",")?;
            if !column[row].is_nan() {
                number(column[row], out)?;
            }
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// A JSON document for each bar of the piece.
pub(super) fn json(columns: &Columns, interval: Interval, out: &mut dyn Write) -> io::Result<()> {
    for (row, &at) in columns.stamps.iter().enumerate() {
        out.write_all(b"{\"timestamp\":\"")?;
        write_stamp(interval, at, out)?;
        out.write_all(b"\"")?;
        for (key, column) in columns.keys.iter().zip(&columns.values) {
            write!(out, ",{key}:")?;
            match column[row].is_nan() {
                true => out.write_all(b"null")?,
                false => number(column[row], out)?,
            }
        }
        out.write_all(b"}\n")?;
    }
    Ok(())
}

/// The fewest digits that mean this double.
fn number(value: f64, out: &mut dyn Write) -> io::Result<()> {
    if value == 0.0 || PLAIN.contains(&value.abs()) {
        write!(out, "{value}")
    } else {
        write!(out, "{value:e}")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(value: f64) -> String {
        let mut text = Vec::new();
        number(value, &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn numbers_are_short() {
        let cases = [(0.1, "0.1"), (3.0, "3"), (-2.5e-7, "-2.5e-7"), (1e300, "1e300"), (0.0, "0")];
        for (value, text) in cases {
            assert_eq!(written(value), text);
        }
    }

    proptest! {
        #[test]
        fn numbers_read_back_to_the_last_bit_also_as_json(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            let text = written(value);
            prop_assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits);
            prop_assert_eq!(serde_json::from_str::<f64>(&text).unwrap(), value);
            prop_assert!(text.len() <= 25, "{}", text);
        }
    }
}
