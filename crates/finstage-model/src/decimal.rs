//! Exact decimal text to nano units and back; shared by [`crate::Price`] and [`crate::Qty`].

use std::fmt;

/// Units per one: prices and quantities are counted in 1e-9.
pub(crate) const NANO: u128 = 1_000_000_000;
const DECIMALS: usize = 9;

/// Why a text is not a decimal that fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecimalError {
    /// Not of the form `[-]digits[.digits][e[+-]digits]`: also `NaN`, `inf` and the empty text.
    NotANumber,
    /// More than nine decimals that are not zero.
    TooPrecise,
    /// Outside the range of the type.
    OutOfRange,
    /// A minus sign where only amounts make sense.
    Negative,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotANumber => "not a decimal number",
            Self::TooPrecise => "more than nine decimals",
            Self::OutOfRange => "out of range",
            Self::Negative => "negative",
        })
    }
}

impl std::error::Error for DecimalError {}

/// Sign and magnitude in nano units of a decimal text. An exponent is accepted because spreadsheets
/// and Python write one (`1e-05`); it changes no digit.
pub(crate) fn parse(text: &str) -> Result<(bool, u128), DecimalError> {
    let (negative, rest) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.parse::<i32>().map_err(|_| DecimalError::NotANumber)?),
        None => (rest, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return Err(DecimalError::NotANumber);
    }
    // Digit i (from the left) of the mantissa has the weight 10^(whole.len() - 1 - i + exponent).
    let mut units: u128 = 0;
    let digits = whole.bytes().chain(fraction.bytes());
    let mut weight = whole.len() as i64 - 1 + i64::from(exponent) + DECIMALS as i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return Err(DecimalError::NotANumber);
        }
        if digit != b'0' {
            if weight < 0 {
                return Err(DecimalError::TooPrecise);
            }
            let scale = u32::try_from(weight)
                .ok()
                .and_then(|w| 10u128.checked_pow(w))
                .ok_or(DecimalError::OutOfRange)?;
            units = u128::from(digit - b'0')
                .checked_mul(scale)
                .and_then(|v| units.checked_add(v))
                .ok_or(DecimalError::OutOfRange)?;
        }
        weight -= 1;
    }
    Ok((negative, units))
}

/// Writes nano units with no trailing zeros: `42850.1`, `-0.5`, `100`.
pub(crate) fn write(f: &mut fmt::Formatter<'_>, negative: bool, units: u128) -> fmt::Result {
    let (whole, fraction) = (units / NANO, units % NANO);
    let sign = if negative && units != 0 { "-" } else { "" };
    if fraction == 0 {
        return f.pad_integral(true, "", &format!("{sign}{whole}"));
    }
    let digits = format!("{fraction:09}");
    f.pad_integral(true, "", &format!("{sign}{whole}.{}", digits.trim_end_matches('0')))
}

/// A value as a JSON number with exactly the digits of `text`.
pub(crate) fn serialize<S: serde::Serializer>(text: String, to: S) -> Result<S::Ok, S::Error> {
    let raw = serde_json::value::RawValue::from_string(text).map_err(serde::ser::Error::custom)?;
    serde::Serialize::serialize(&raw, to)
}

/// The decimal text behind a JSON number or a JSON string.
pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let raw: Box<serde_json::value::RawValue> = serde::Deserialize::deserialize(from)?;
    Ok(raw.get().trim_matches('"').to_owned())
}
