//! Live truth: what became of signals after they were said, compared with what was said.
//!
//! [`drift()`] asks whether a verified card still holds and [`mute`] takes it back where it does not;
//! [`calibration()`] asks whether hit rates meant what they said; [`statistics()`] sums up. All take
//! settled outcomes and give numbers: the same outcomes in any order give the same numbers, so a late
//! job says what an early one would have said.

mod calibration;
mod drift;
mod statistics;

use finstage_model::{Direction, Horizon, Interval, SignalId, Symbol, Timestamp};
use finstage_quant::stats::occasions::Holding;

pub use calibration::{BINS, Calibration, Reliability, Said, calibration, shrunk};
pub use drift::{Drift, drift, mute};
pub use statistics::{FEW, Group, Statistics, base_rate, statistics};

/// A live signal at one horizon: said, and perhaps settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// The signal.
    pub signal: SignalId,
    /// Strategy with parameters, canonical.
    pub strategy: String,
    /// About what.
    pub symbol: Symbol,
    /// On bars of which length.
    pub interval: Interval,
    /// Where it expected the price to go.
    pub direction: Direction,
    /// When it could be known.
    pub at: Timestamp,
    /// How long after it.
    pub horizon: Horizon,
    /// What became of it, once that is known.
    pub settled: Option<Settled>,
}

/// A position that was entered on a signal and left at the horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settled {
    /// When it was held.
    pub holding: Holding,
    /// Exit over entry minus 1: the plain return of the price, before costs.
    pub ret: f64,
}

impl Followed {
    /// The return in the declared direction, before costs; `None` until it is settled.
    #[must_use]
    pub fn gain(&self) -> Option<f64> {
        self.settled.map(|settled| self.direction.sign() * settled.ret)
    }
}
