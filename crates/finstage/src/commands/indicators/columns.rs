//! What was asked for, and its numbers piece by piece.

use std::fmt;

use finstage_engine::nearest;
use finstage_model::{Bar, Call, Timestamp};
use finstage_quant::{ALL, BarInput, Spec, Stream};
use finstage_store::history::BarColumns;

use crate::exit::{Failure, Result};

/// The most columns of one call.
const MAX_COLUMNS: usize = 10_000;

/// An indicator as it was asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// As it was typed.
    pub(super) typed: String,
    pub(super) spec: &'static Spec,
    /// A value for each of its parameters.
    pub(super) params: Vec<f64>,
}

impl Wanted {
    /// Reads `NAME`, `NAME(14)` or `NAME(timeperiod=14)`.
    pub(super) fn parse(typed: &str) -> Result<Self> {
        let typed = typed.trim();
        let call: Call = typed.parse().map_err(Failure::usage)?;
        let spec = Spec::find(&call.name).ok_or_else(|| unknown(&call.name))?;
        let given: Vec<(Option<&str>, f64)> =
            call.args.iter().map(|(name, value)| (name.as_deref(), *value)).collect();
        let params =
            spec.values(&given).map_err(|error| Failure::usage(format!("indicator {error}")))?;
        Ok(Self { typed: typed.to_owned(), spec, params })
    }
}

/// Reads all that was asked for, each once.
pub(super) fn wanted(arguments: &[String]) -> Result<Vec<Wanted>> {
    let mut all: Vec<Wanted> = Vec::new();
    for typed in arguments.iter().flat_map(|argument| list(argument)) {
        let wanted = Wanted::parse(typed)?;
        if all.iter().all(|other| other.typed != wanted.typed) {
            all.push(wanted);
        }
    }
    let columns: usize = all.iter().map(|wanted| wanted.spec.outputs.len()).sum();
    if columns > MAX_COLUMNS {
        return Err(Failure::usage(format!(
            "{columns} columns are more than {MAX_COLUMNS}: ask for them in several calls"
        )));
    }
    Ok(all)
}

/// The parts between commas that stand in no parentheses.
fn list(argument: &str) -> Vec<&str> {
    let mut depth = 0i32;
    argument
        .split(|c| {
            depth += i32::from(c == '(') - i32::from(c == ')');
            c == ',' && depth <= 0
        })
        .collect()
}

fn unknown(name: &str) -> Failure {
    let names = ALL.iter().map(|spec| spec.name);
    let upper = name.to_uppercase();
    Failure::usage(match nearest(&upper, names) {
        Some(near) if near == upper => {
            format!("no indicator \"{name}\": names are in capitals: write {near}")
        }
        Some(near) => format!("no indicator \"{name}\"; did you mean \"{near}\"?"),
        None => format!("no indicator \"{name}\"; \"finstage indicators list\" has all"),
    })
}

/// The numbers of a piece of bars, a column for each output of each indicator.
pub(super) struct Columns {
    streams: Vec<(Box<dyn Stream>, usize)>,
    /// Names, in order: what was typed and the output.
    pub(super) names: Vec<String>,
    /// The same as JSON strings.
    pub(super) keys: Vec<String>,
    /// Open times of the piece.
    pub(super) stamps: Vec<Timestamp>,
    /// NaN where there is no answer.
    pub(super) values: Vec<Vec<f64>>,
    /// Room for the outputs of one indicator.
    answer: Vec<f64>,
}

impl Columns {
    pub(super) fn new(wanted: &[Wanted]) -> Self {
        let names: Vec<String> = wanted
            .iter()
            .flat_map(|wanted| {
                wanted.spec.outputs.iter().map(move |output| format!("{}.{output}", wanted.typed))
            })
            .collect();
        let streams = wanted
            .iter()
            .map(|wanted| ((wanted.spec.build)(&wanted.params), wanted.spec.outputs.len()))
            .collect();
        let values = vec![Vec::new(); names.len()];
        let keys = names.iter().map(|name| serde_json::Value::from(name.as_str()).to_string());
        let keys = keys.collect();
        Self { streams, names, keys, stamps: Vec::new(), values, answer: Vec::new() }
    }

    /// Takes the next bars; their numbers take the place of those before.
    pub(super) fn take(&mut self, bars: &[Bar]) {
        self.stamps.clear();
        self.stamps.extend(bars.iter().map(|bar| bar.open_time));
        let inputs = inputs(bars);
        let mut columns = self.values.iter_mut();
        for (stream, outputs) in &mut self.streams {
            let mut columns: Vec<&mut Vec<f64>> = columns.by_ref().take(*outputs).collect();
            columns.iter_mut().for_each(|column| column.clear());
            for input in &inputs {
                self.answer.clear();
                self.answer.resize(*outputs, f64::NAN);
                stream.update(input, &mut self.answer);
                for (column, &value) in columns.iter_mut().zip(&self.answer) {
                    // What is no finite number is no answer in any of the forms.
                    column.push(if value.is_finite() { value } else { f64::NAN });
                }
            }
        }
    }
}

impl fmt::Debug for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns").field("names", &self.names).finish_non_exhaustive()
    }
}

/// Bars as the doubles nearest to their digits.
fn inputs(bars: &[Bar]) -> Vec<BarInput> {
    let BarColumns { open, high, low, close, volume, .. } = BarColumns::of(bars);
    let input = |(row, bar): (usize, &Bar)| BarInput {
        open_time: bar.open_time,
        open: open[row],
        high: high[row],
        low: low[row],
        close: close[row],
        volume: volume[row],
    };
    bars.iter().enumerate().map(input).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(argument: &str) -> String {
        wanted(&[argument.to_owned()]).unwrap_err().to_string()
    }

    #[test]
    fn commas_in_parentheses_belong_to_one_indicator() {
        let asked = ["SMA(5),MACD(12,26,9)".to_owned(), " RSI".to_owned(), "SMA(5)".to_owned()];
        let typed: Vec<_> = wanted(&asked).unwrap().into_iter().map(|w| w.typed).collect();
        assert_eq!(typed, ["SMA(5)", "MACD(12,26,9)", "RSI"]);
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is_near() {
        let near = "no indicator \"SMAA\"; did you mean \"SMA\"?";
        assert_eq!(refused("SMAA"), near);
        assert_eq!(refused("macd(1)"), "no indicator \"macd\": names are in capitals: write MACD");
        assert!(refused("HULLABALOO").contains("indicators list"));
        assert!(refused("SMA(period=3)").contains("it has timeperiod"));
        assert!(refused("SMA(3").contains("no closing parenthesis"));
        assert!(refused("SMA,").contains("not a name"));
    }
}
