//! Indicators over stored bars.

use std::collections::BTreeMap;

use finstage_model::{Bar, Call as Asked, Timestamp};
use finstage_quant::{BarInput, Spec, Stream};
use finstage_store::history::BarColumns;
use serde::Serialize;

use super::Call;
use super::bars::series_of;
use crate::answer::Answer;
use crate::app::App;
use crate::problem::Problem;

/// The most indicators of one request.
const MAX_SPECS: usize = 20;
/// The most bars before the first that is answered: a recursive average forgets slowly.
const MAX_MEMORY: usize = 5_000;

#[derive(Serialize)]
struct Body<'a> {
    symbol: &'a str,
    interval: &'a str,
    timestamps: Vec<Timestamp>,
    columns: BTreeMap<String, Vec<Option<f64>>>,
}

pub(super) fn compute(app: &App, call: &Call) -> Result<Answer, Problem> {
    let (symbol, interval) = series_of(&call.query)?;
    let limit = call.query.limit();
    let mut wanted = Vec::new();
    for typed in call.query.texts("spec") {
        if wanted.len() >= MAX_SPECS {
            return Err(Problem::bad(format!("more than {MAX_SPECS} indicators: ask twice")));
        }
        wanted.push((typed.to_owned(), find(typed)?));
    }
    let memory = wanted.iter().map(|(_, (_, stream))| stream.memory()).max().unwrap_or(0);
    let count = limit + memory.min(MAX_MEMORY);
    let bars = app.history.last_bars(&symbol, interval, Timestamp::MAX, count)?;
    let inputs = inputs(&bars);
    let start = bars.len().saturating_sub(limit);
    let mut columns = BTreeMap::new();
    for (typed, (spec, mut stream)) in wanted {
        let mut own = vec![Vec::with_capacity(bars.len() - start); spec.outputs.len()];
        let mut answer = vec![f64::NAN; spec.outputs.len()];
        for (place, input) in inputs.iter().enumerate() {
            answer.fill(f64::NAN);
            stream.update(input, &mut answer);
            if place >= start {
                for (column, value) in own.iter_mut().zip(&answer) {
                    column.push(value.is_finite().then_some(*value));
                }
            }
        }
        for (output, column) in spec.outputs.iter().zip(own) {
            columns.insert(format!("{typed}.{output}"), column);
        }
    }
    Ok(Answer::json(&Body {
        symbol: symbol.as_str(),
        interval: interval.as_str(),
        timestamps: bars[start..].iter().map(|bar| bar.open_time).collect(),
        columns,
    }))
}

fn find(typed: &str) -> Result<(&'static Spec, Box<dyn Stream>), Problem> {
    let asked: Asked = typed.trim().parse().map_err(|e| Problem::bad(format!("{e}")))?;
    let Some(spec) = Spec::find(&asked.name) else {
        let names: Vec<&str> = finstage_quant::ALL.iter().map(|spec| spec.name).collect();
        return Err(Problem::bad(format!("no such indicator: write one of {}", names.join(" "))));
    };
    let given: Vec<(Option<&str>, f64)> =
        asked.args.iter().map(|(name, value)| (name.as_deref(), *value)).collect();
    let values = spec.values(&given).map_err(|e| Problem::bad(format!("indicator {e}")))?;
    Ok((spec, (spec.build)(&values)))
}

/// Bars as the doubles nearest to their digits.
fn inputs(bars: &[Bar]) -> Vec<BarInput> {
    let columns = BarColumns::of(bars);
    let input = |(row, bar): (usize, &Bar)| BarInput {
        open_time: bar.open_time,
        open: columns.open[row],
        high: columns.high[row],
        low: columns.low[row],
        close: columns.close[row],
        volume: columns.volume[row],
    };
    bars.iter().enumerate().map(input).collect()
}
