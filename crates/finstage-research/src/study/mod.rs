//! From bars and strategies to what the statistics of evidence want.
//!
//! 1. **Prices.** Adjusted for splits and dividends where factors exist; strategies see the adjusted
//!    bars.
//! 2. **Events** are signals as the engine says them: on closed bars, at most one a bar and direction.
//!    A cooldown is about delivery and does not make a signal unsaid.
//! 3. **Returns.** A signal on bar t enters at the open of t+1 and leaves at the open of t+1+h, as
//!    [`finstage_engine::settle`] does.
//! 4. **Eligible bars** have w ≤ t ≤ N−2−h, w the warm-up, and no gap between t and t+1+h.
//! 5. **Opens that are none.** Where in a year more than half of the daily bars of a market with
//!    sessions open at the close before, opens are not tradable prices: entry and exit move to the
//!    closes of the same bars. Bars within a day and markets around the clock have no night between
//!    them, so there an open may well repeat the close before.
//! 6. **News**, where it is given: each insight is heard when it was known, and a strategy that hears
//!    news has no eligible bar before the first.

mod gates;
mod instrument;
mod pace;
mod signals;

pub(crate) use instrument::fingerprint;
pub use instrument::{Adjustment, Instrument};
pub use pace::Pace;
pub use signals::{Heard, Rule, listen, rules};
