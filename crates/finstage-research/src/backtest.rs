//! One position in one instrument, run over stored bars under rules that leave nothing open.
//!
//! 1. **Decision.** A [`Target`] is decided on the close of its bar: +1 wants to be long, 0 to hold
//!    nothing, −1 to be short. On other bars the last want stands.
//! 2. **Fill.** A decision on bar i is filled at the open of bar i+1, all of it. A change of side
//!    closes the old position first and opens the new one at the same open. A decision on the last
//!    bar is not filled.
//! 3. **Size.** With [`Options::size`] below 1: floor(cash × size / (price × (1 + commission)))
//!    units, else exactly that many. An order of no units, or dearer than the free cash, is refused;
//!    it is not tried again until a target states a want again, be it the same. Shorts use the same
//!    count; borrowing is free and there is no margin call.
//! 4. **Commission** × units × price is taken from the cash at every fill.
//! 5. **Equity** of bar i is cash + units × close, after that bar's fills.
//! 6. **End.** An open position is closed on the last bar at the price that
//!    [`Options::close_final`] names, with commission; the equity of that bar is then the cash.
//!
//! Beyond these, all of it off unless asked for:
//!
//! * **Fractions.** A want between −1 and 1 scales the size. A change of size on the same side
//!   buys or sells the difference only; the size is then taken of the equity at that open, and the
//!   oldest units are sold first. Each purchase is a [`Trade`] of its own.
//! * **Lots.** Units come in multiples of [`Options::lot`], 1 unless told otherwise.
//! * **[`Slippage`]** moves the price of every market order against it.
//! * **[`Stops`]** close a position inside a bar; it then stays closed until the want changes.
//!
//! No fill on a bar depends on a later bar.

mod arguments;
mod fills;
mod fused;
mod ledger;
mod makers;
mod options;
mod report;
mod run;
mod signals;
mod stats;
mod targets;

pub(crate) use arguments::named;
pub(crate) use fused::{Column, Fused};
pub use report::Escaped;
pub(crate) use report::{Chart, Line, Mark, STYLE, amount, percent};
pub(crate) use run::{Account, Keep, run_in};
pub(crate) use targets::Wants;

pub use ledger::Trade;
pub use makers::{MAKERS, Maker};
pub use options::{CloseFinal, Options, Slippage, Stops};
pub use report::{MAX_LISTED, MAX_MARKED, Subject, report};
pub use run::{Backtest, run};
pub use signals::{Exit, OnExit, PAIRS, SignalRule};
pub use stats::Stats;
pub use targets::{Plan, Target, parse_targets};
