//! How indicators are listed: by name, with named parameters and outputs, as TA-Lib names them.
//!
//! A command line, a chart or an expression knows an indicator by text only. [`Spec`] is the bridge
//! from text to the typed forms; code that knows what it wants uses the types.

use std::fmt;

use crate::{BarColumns, BarInput, Field, Indicator};

/// One line of the list of indicators, with its two forms: streaming and column.
///
/// The column form is one line where speed is no matter (it drives the streaming form). Both agree
/// bit for bit; the suite sees to it. Many parameter sets over the same bars are columns one after the
/// other ([`Spec::batch`]): a column keeps a processor busy by itself.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Its name, as in TA-Lib where that has it: `RSI`.
    pub name: &'static str,
    /// One line for people.
    pub describes: &'static str,
    /// The numbers of a bar that it reads.
    pub inputs: &'static [Field],
    /// Its parameters, in TA-Lib's order.
    pub params: &'static [Param],
    /// Names of its outputs, in TA-Lib's order.
    pub outputs: &'static [&'static str],
    /// In words, where it has no value although it is warm; `None` where it always has one.
    pub undefined: Option<&'static str>,
    /// Builds the streaming form from checked parameters ([`Spec::values`]).
    pub build: fn(&[f64]) -> Box<dyn Stream>,
    /// The column form: checked parameters, bars, one column for each output (as many are there).
    pub column: fn(&[f64], &BarColumns<'_>, &mut [Vec<f64>]),
}

impl Spec {
    /// The indicator of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        crate::ALL.iter().find(|spec| spec.name == name)
    }

    /// The column form for many checked parameter sets over the same bars: `out[set][output]`.
    pub fn batch(&self, sets: &[Vec<f64>], bars: &BarColumns<'_>, out: &mut Vec<Vec<Vec<f64>>>) {
        out.resize_with(sets.len(), Vec::new);
        for columns in out.iter_mut() {
            columns.resize_with(self.outputs.len(), Vec::new);
        }
        for (params, columns) in sets.iter().zip(out) {
            (self.column)(params, bars, columns);
        }
    }

    /// The value of every parameter, in order: what was given, by name or by place, and defaults
    /// for the rest.
    ///
    /// # Errors
    /// Names an unknown, repeated or surplus parameter, or a value that is out of bounds or not
    /// whole.
    pub fn values(&self, given: &[(Option<&str>, f64)]) -> Result<Vec<f64>, SpecError> {
        let refuse = |why: String| Err(SpecError(format!("{}: {why}", self.name)));
        let mut values: Vec<Option<f64>> = vec![None; self.params.len()];
        for (place, &(name, value)) in given.iter().enumerate() {
            let known = match name {
                Some(name) => self.params.iter().position(|param| param.name == name),
                None => Some(place),
            };
            let Some((param, slot)) =
                known.and_then(|place| Some((self.params.get(place)?, values.get_mut(place)?)))
            else {
                let known: Vec<&str> = self.params.iter().map(|param| param.name).collect();
                let known = known.join(", ");
                return refuse(match name {
                    Some(name) => format!("no parameter \"{name}\"; it has {known}"),
                    None => format!("too many values; it has {known}"),
                });
            };
            let Param { name, min, max, whole, .. } = *param;
            if slot.replace(value).is_some() {
                return refuse(format!("{name} is given twice"));
            }
            if !(min..=max).contains(&value) {
                return refuse(format!("{name} = {value} is not between {min} and {max}"));
            }
            if whole && value.fract() != 0.0 {
                return refuse(format!("{name} = {value} is not a whole number"));
            }
        }
        let filled =
            values.iter().zip(self.params).map(|(value, param)| value.unwrap_or(param.default));
        Ok(filled.collect())
    }
}

/// One parameter of an indicator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Param {
    /// Its name, as in TA-Lib.
    pub name: &'static str,
    /// Its value where nothing is said.
    pub default: f64,
    /// The least value allowed.
    pub min: f64,
    /// The greatest value allowed.
    pub max: f64,
    /// Whether only whole numbers make sense.
    pub whole: bool,
}

impl Param {
    pub(crate) const fn whole(name: &'static str, default: u32, (min, max): (u32, u32)) -> Self {
        Self { name, default: default as f64, min: min as f64, max: max as f64, whole: true }
    }

    pub(crate) const fn number(name: &'static str, default: f64, (min, max): (f64, f64)) -> Self {
        Self { name, default, min, max, whole: false }
    }
}

/// Why parameters of an indicator make no sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecError(String);

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SpecError {}

/// The streaming form of any listed indicator.
pub trait Stream: fmt::Debug + Send {
    /// As [`Indicator::warmup`].
    fn warmup(&self) -> usize;

    /// As [`Indicator::memory`].
    fn memory(&self) -> usize;

    /// Takes the next bar and writes one number for each output; false, and nothing is written,
    /// when there is no answer.
    fn update(&mut self, bar: &BarInput, out: &mut [f64]) -> bool;
}

/// The streaming form of an indicator over closes with one output.
pub(crate) fn scalar<I>(indicator: I) -> Box<dyn Stream>
where
    I: Indicator<Input = f64, Output = f64> + fmt::Debug + Send + 'static,
{
    stream(indicator, |bar| bar.close, |value| [value])
}

/// The streaming form of any indicator: what it reads of a bar, and its outputs one by one.
pub(crate) fn stream<I, const N: usize>(
    indicator: I,
    pick: fn(&BarInput) -> I::Input,
    split: fn(I::Output) -> [f64; N],
) -> Box<dyn Stream>
where
    I: Indicator + fmt::Debug + Send + 'static,
{
    Box::new(Adapter { indicator, pick, split })
}

/// The column form of any indicator, driven through its streaming form.
pub(crate) fn drive<I: Indicator, const N: usize>(
    mut indicator: I,
    bars: &BarColumns<'_>,
    pick: impl Fn(&BarInput) -> I::Input,
    split: impl Fn(I::Output) -> [f64; N],
    out: &mut [Vec<f64>],
) {
    let len = bars.len();
    let out: &mut [Vec<f64>; N] = out.try_into().expect("as many columns as outputs");
    for column in out.iter_mut() {
        column.clear();
        column.reserve(len);
    }
    for place in 0..len {
        let answer = indicator.update(pick(&bars.get(place)));
        let values = answer.map_or([f64::NAN; N], &split);
        for (column, value) in out.iter_mut().zip(values) {
            column.push(value);
        }
    }
}

struct Adapter<I: Indicator, const N: usize> {
    indicator: I,
    pick: fn(&BarInput) -> I::Input,
    split: fn(I::Output) -> [f64; N],
}

impl<I: Indicator + fmt::Debug, const N: usize> fmt::Debug for Adapter<I, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.indicator.fmt(f)
    }
}

impl<I, const N: usize> Stream for Adapter<I, N>
where
    I: Indicator + fmt::Debug + Send,
{
    fn warmup(&self) -> usize {
        self.indicator.warmup()
    }

    fn memory(&self) -> usize {
        self.indicator.memory()
    }

    fn update(&mut self, bar: &BarInput, out: &mut [f64]) -> bool {
        let Some(value) = self.indicator.update((self.pick)(bar)) else { return false };
        out.copy_from_slice(&(self.split)(value));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(name: &str, given: &[(Option<&str>, f64)]) -> Result<Vec<f64>, String> {
        Spec::find(name).unwrap().values(given).map_err(|error| error.to_string())
    }

    #[test]
    fn parameters_come_by_name_by_place_or_by_default() {
        assert_eq!(values("MACD", &[]), Ok(vec![12.0, 26.0, 9.0]));
        assert_eq!(values("MACD", &[(None, 5.0), (None, 35.0)]), Ok(vec![5.0, 35.0, 9.0]));
        assert_eq!(values("MACD", &[(Some("signalperiod"), 5.0)]), Ok(vec![12.0, 26.0, 5.0]));
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let refused = |name, given: &[(Option<&str>, f64)]| values(name, given).unwrap_err();
        assert_eq!(
            refused("RSI", &[(Some("period"), 14.0)]),
            "RSI: no parameter \"period\"; it has timeperiod"
        );
        assert_eq!(
            refused("SMA", &[(None, 5.0), (None, 6.0)]),
            "SMA: too many values; it has timeperiod"
        );
        assert_eq!(
            refused("SMA", &[(None, 5.0), (Some("timeperiod"), 6.0)]),
            "SMA: timeperiod is given twice"
        );
        assert_eq!(
            refused("RSI", &[(None, 1.0)]),
            "RSI: timeperiod = 1 is not between 2 and 100000"
        );
        assert_eq!(refused("SMA", &[(None, 2.5)]), "SMA: timeperiod = 2.5 is not a whole number");
        assert!(refused("SMA", &[(None, f64::NAN)]).contains("is not between"));
    }

    #[test]
    fn the_list_is_in_order_and_its_defaults_are_allowed() {
        assert!(crate::ALL.is_sorted_by_key(|spec| spec.name));
        for spec in crate::ALL {
            let defaults: Vec<_> =
                spec.params.iter().map(|param| (Some(param.name), param.default)).collect();
            assert_eq!(spec.values(&defaults), spec.values(&[]), "{}", spec.name);
        }
    }
}
