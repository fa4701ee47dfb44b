//! Verdicts: which strategies earn belief, corrected for everything that was tried.
//!
//! [`Plan`] lists the hypotheses before anything is computed, so that a person can be told what is
//! about to be tried; [`Plan::measure`] computes; [`Measured::judge`] compares with the ledger of
//! trials and says a verdict for each; [`Evidence::seal`] ties the cards to the ledger that they are
//! written into. All of it is a function of its inputs: bars in, cards out, equal to the last bit for
//! any number of threads and any order of instruments.

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod hearing;
mod judge;
mod ledger;
mod measure;
mod page;
mod parallel;
mod plan;
mod renewal;
mod result;
mod tried;
mod walk;
mod words;

use finstage_model::{ClaimKind, Horizon};
pub use finstage_quant::stats::bootstrap::SEED;

pub use ledger::{Ledger, Spending};
pub use measure::Measured;
pub use page::page;
pub use plan::{Groups, Plan};
pub use renewal::{RENEWAL_P, in_force};
pub use result::{Evidence, SmallestEdge};
pub use tried::{Ground, Made, Tried};
pub use walk::{Choice, Chosen};
pub use words::LIMITS;

/// Fewer events, or fewer separate occasions, prove nothing.
pub const LEAST_EVENTS: usize = 30;
/// A card is worth nothing after so many days.
pub const CARD_DAYS: u32 = 90;
/// The edge that is worth knowing where nothing is charged, as a fraction; else it is a round trip.
pub const USEFUL_EDGE: f64 = 0.002;
/// For the size of moves: the part of the usual size that is worth knowing.
pub const USEFUL_SIZE: f64 = 0.1;
/// More left-out bars than this share, and the data is not fit for a verdict.
pub const MOST_MISSING: f64 = 0.05;
/// What the deflated Sharpe ratio must reach after a search.
pub const LEAST_DSR: f64 = 0.95;

/// The most combinations to choose from.
pub const MAX_SETS: usize = 5_000;
/// Parameters are not chosen by fewer separate occasions: a t of a few says nothing.
pub const LEAST_CHOICE: usize = 10;

/// How evidence is gathered.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Horizons. One that is shorter than a bar has no row.
    pub horizons: Vec<Horizon>,
    /// Claims.
    pub claims: Vec<ClaimKind>,
    /// Cost as a fraction a side.
    pub cost: f64,
    /// The false discovery rate to spend.
    pub fdr: f64,
    /// Seed of the draws.
    pub seed: u64,
    /// Threads; the result does not depend on them.
    pub threads: usize,
    /// What cards say about the program that made them.
    pub code_version: String,
}

impl Default for Options {
    fn default() -> Self {
        let horizons = ["1d", "1w", "1mo"].map(|text| text.parse());
        Self {
            horizons: horizons.into_iter().flatten().collect(),
            claims: ClaimKind::ALL.to_vec(),
            cost: 0.001,
            fdr: 0.05,
            seed: SEED,
            threads: 1,
            code_version: String::new(),
        }
    }
}
