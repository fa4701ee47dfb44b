//! Under which terms and rules the numbers arose, and of which bars.

use finstage_model::{Bar, IdHasher};

use super::numbers::{Escaped, amount, price};
use super::{Backtest, Page, Subject};
use crate::backtest::{CloseFinal, Slippage};

impl Page {
    pub(super) fn terms(&mut self, subject: &Subject<'_>, done: &Backtest) {
        let options = subject.options;
        let size = if options.size < 1.0 {
            format!(
                "{} % of the free cash, in lots of {}",
                price(100.0 * options.size),
                options.lot
            )
        } else {
            format!("{} units", price(options.size))
        };
        let slippage = match options.slippage {
            Slippage::None => "none".to_owned(),
            Slippage::Bps(bps) => format!("{bps} bps of the price, against every market order"),
            Slippage::BarRange(part) => {
                format!("{part} of the range of the bar before, against every market order")
            }
        };
        let level = |level: Option<f64>| match level {
            None => "none".to_owned(),
            Some(level) => format!("{} % from the average entry price", price(100.0 * level)),
        };
        let last = match options.close_final {
            CloseFinal::Close => "at the close of the last bar",
            CloseFinal::Open => "at the open of the last bar",
        };
        let rows = [
            ("Rule", subject.plan.canonical.clone()),
            ("Cash at the start", amount(options.cash, 2)),
            ("Size", size),
            (
                "Commission",
                format!(
                    "{} % of the value, at entry and at exit",
                    price(100.0 * options.commission)
                ),
            ),
            ("Slippage", slippage),
            ("Stop loss", level(options.stops.loss)),
            ("Take profit", level(options.stops.profit)),
            ("Open positions end", last.to_owned()),
            ("Orders refused for lack of cash", done.refused_orders.to_string()),
            ("Bars", amount(subject.bars.len() as f64, 0)),
            ("Hash of the bars", format!("{:032x}", fingerprint(subject.bars))),
        ];
        self.put(format_args!("<section><h2>Terms</h2>\n<table class=\"terms\"><tbody>\n"));
        for (name, value) in rows {
            self.put(format_args!("<tr><th>{name}</th><td>{}</td></tr>\n", Escaped(&value)));
        }
        self.put(format_args!("</tbody></table>\n<ol class=\"quiet\">\n"));
        for rule in RULES {
            self.put(format_args!("<li>{rule}</li>\n"));
        }
        self.put(format_args!("</ol></section>\n"));
    }
}

/// The rules of filling, for people.
const RULES: &[&str] = &[
    "What is wanted is decided on the close of a bar and filled at the open of the next, all of \
     it. A decision on the last bar is not filled.",
    "A change of side closes the old position first and opens the new one at the same open.",
    "Units are whole lots. An order of no units, or dearer than the free cash, is refused and \
     not tried again until a position is wanted anew.",
    "Commission is taken from the cash at every fill. Borrowing for shorts is free, and there is no \
     margin call: both flatter a rule that goes short.",
    "Equity is cash plus the value of what is held, at every close. The Sharpe ratio multiplies by \
     √252 whatever the bar length, so it is an annual figure for daily bars only.",
    "Stops are looked for inside every bar after its open. When both could have been reached the \
     stop loss was; a bar that opens beyond a level fills at its open. A position that was stopped \
     stays closed until something else is wanted.",
];

/// A hash of what the bars say: times, prices and volumes, so that two pages can be told to be
/// about the same history.
fn fingerprint(bars: &[Bar]) -> u128 {
    let hash = bars.iter().fold(IdHasher::new(), |hash, bar| {
        let hash = hash.bytes(&bar.open_time.nanos().to_le_bytes());
        let prices = [bar.open, bar.high, bar.low, bar.close];
        let hash = prices.iter().fold(hash, |hash, p| hash.bytes(&p.nanos().to_le_bytes()));
        hash.bytes(&bar.volume.nanos().to_le_bytes())
    });
    hash.finish()
}
