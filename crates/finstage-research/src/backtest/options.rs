//! The terms of a run, and what of them makes no sense.

use serde::Serialize;

use crate::{Error, ErrorKind};

/// The terms under which a position is held.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Options {
    /// Money at the start.
    pub cash: f64,
    /// Fraction of the value taken at every fill: 0.001 is 0.1 % at entry and again at exit.
    pub commission: f64,
    /// Below 1 the fraction of the cash put into a position; from 1 on a number of units.
    pub size: f64,
    /// The smallest quantity; units are multiples of it.
    pub lot: f64,
    /// At which price of the last bar an open position is closed.
    pub close_final: CloseFinal,
    /// How far market orders miss the open.
    pub slippage: Slippage,
    /// What closes a position inside a bar.
    pub stops: Stops,
}

impl Default for Options {
    /// 10,000 of cash, 0.1 % a side, 95 % of the cash in whole units, closed at the last close.
    fn default() -> Self {
        Self {
            cash: 10_000.0,
            commission: 0.001,
            size: 0.95,
            lot: 1.0,
            close_final: CloseFinal::Close,
            slippage: Slippage::None,
            stops: Stops::default(),
        }
    }
}

impl Options {
    /// Refuses terms that make no sense; [`super::run`] asks by itself.
    ///
    /// # Errors
    /// Names the option, its value and its bounds.
    pub fn check(&self) -> Result<(), Error> {
        let refuse = |name: &str, value: f64, bounds: &str| {
            Err(Error::new(ErrorKind::Options, format!("{name} = {value} is not {bounds}")))
        };
        let is_positive = |value: f64| value > 0.0 && value.is_finite();
        if !is_positive(self.cash) {
            return refuse("cash", self.cash, "more than 0");
        }
        if !(0.0..1.0).contains(&self.commission) {
            return refuse("commission", self.commission, "from 0 to less than 1");
        }
        if !is_positive(self.size) {
            return refuse("size", self.size, "more than 0");
        }
        if !is_positive(self.lot) {
            return refuse("lot", self.lot, "more than 0");
        }
        if self.size >= 1.0 && !is_multiple(self.size, self.lot) {
            return refuse("size", self.size, &format!("a multiple of the lot {}", self.lot));
        }
        match self.slippage {
            Slippage::Bps(bps) if !(0.0..10_000.0).contains(&bps) => {
                return refuse("slippage", bps, "from 0 to less than 10000 bps");
            }
            Slippage::BarRange(part) if !(0.0..=1.0).contains(&part) => {
                return refuse("slippage", part, "a fraction of the range, 0 to 1");
            }
            _ => {}
        }
        for (name, value) in [("stop loss", self.stops.loss), ("take profit", self.stops.profit)] {
            if let Some(value) = value
                && !is_positive(value)
            {
                return refuse(name, value, "more than 0");
            }
        }
        match self.stops.loss {
            Some(loss) if loss >= 1.0 => refuse("stop loss", loss, "less than 1"),
            _ => Ok(()),
        }
    }
}

fn is_multiple(size: f64, lot: f64) -> bool {
    let steps = size / lot;
    (steps - steps.round()).abs() <= 1e-9 * steps
}

/// At which price of the last bar a position that is still open is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseFinal {
    /// Its close.
    #[default]
    Close,
    /// Its open, which leaves out the last bar.
    Open,
}

/// How far the price of a market order lies from the price that was seen, always to its
/// disadvantage.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Slippage {
    /// Not at all.
    #[default]
    None,
    /// By this many hundredths of a percent.
    Bps(f64),
    /// By this fraction of the range (high − low) of the bar before the fill: wide bars are
    /// expensive, and the order could know it.
    BarRange(f64),
}

/// What closes a position inside a bar, as fractions of its average entry price.
///
/// Looked for on every bar after its fills at the open, the bar of the entry included. A bar does
/// not tell in which order its prices came, so the worse is assumed: when both could have been
/// reached, the stop loss was. A bar that opens beyond a level fills at its open. The stop loss is a
/// market order and slips; the take profit is a limit order and does not.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Stops {
    /// Closes when the price has gone this fraction against the position: 0.05 is 5 %.
    pub loss: Option<f64>,
    /// Closes when the price has gone this fraction in favour of the position.
    pub profit: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_that_make_no_sense_are_named() {
        let refused = |options: Options| options.check().unwrap_err().to_string();
        let fine = Options::default();
        assert!(fine.check().is_ok());
        assert_eq!(refused(Options { cash: 0.0, ..fine }), "cash = 0 is not more than 0");
        assert!(refused(Options { commission: 1.0, ..fine }).starts_with("commission = 1"));
        assert!(refused(Options { size: f64::NAN, ..fine }).starts_with("size = NaN"));
        assert!(refused(Options { size: 1.5, ..fine }).contains("multiple of the lot 1"));
        assert!(Options { size: 2.3, lot: 0.1, ..fine }.check().is_ok());
        let slippage = Slippage::Bps(-1.0);
        assert!(refused(Options { slippage, ..fine }).starts_with("slippage = -1"));
        let stops = Stops { loss: Some(1.0), profit: None };
        assert!(refused(Options { stops, ..fine }).starts_with("stop loss = 1"));
        let stops = Stops { loss: None, profit: Some(0.0) };
        assert!(refused(Options { stops, ..fine }).starts_with("take profit = 0"));
    }
}
