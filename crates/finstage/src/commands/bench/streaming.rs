//! Streaming forms as the command line and the charts drive them: any indicator, bar by bar.

use std::time::Duration;

use finstage_model::{Call, Interval};
use finstage_quant::{BarInput, Spec};

use super::stopwatch::{ns_each, took};
use super::{Session, walk};
use crate::exit::{Failure, Result};

const INDICATORS: [(&str, &str); 6] = [
    ("sma20", "SMA(20)"),
    ("ema20", "EMA(20)"),
    ("rsi14", "RSI(14)"),
    ("macd", "MACD(12,26,9)"),
    ("bbands20", "BBANDS(20)"),
    ("atr14", "ATR(14)"),
];

pub(super) fn measure(session: &mut Session<'_>) -> Result<()> {
    let bars = walk::bars(Interval::M1, session.bars());
    let inputs: Vec<BarInput> = bars.iter().map(BarInput::from).collect();
    for (name, written) in INDICATORS {
        let call: Call = written.parse().map_err(Failure::usage)?;
        let spec = Spec::find(&call.name).expect("a name of the list");
        let given: Vec<_> = call.args.iter().map(|(_, value)| (None, *value)).collect();
        let params = spec.values(&given).map_err(Failure::usage)?;
        let mut least = Duration::MAX;
        for _ in 0..session.rounds() {
            let mut stream = (spec.build)(&params);
            let mut out = vec![0.0; spec.outputs.len()];
            let (time, _) = took(|| {
                let answers = inputs.iter().filter(|input| stream.update(input, &mut out)).count();
                (answers, out[0])
            });
            least = least.min(time);
        }
        let ns = ns_each(least, inputs.len());
        session.row(format!("streaming.{name}.ns_per_update"), ns, "ns");
    }
    Ok(())
}
