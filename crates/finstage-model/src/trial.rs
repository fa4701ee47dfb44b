//! Trials: everything that was ever tried on data, so that a lucky one among many is known for it.

use serde::{Deserialize, Serialize};

use crate::{CardVerdict, ClaimKind, Horizon, IdHasher, Interval, Timestamp};

/// How something was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialKind {
    /// One hypothesis, by `verify`.
    Verify,
    /// A grid of parameters, all on the same rows.
    Sweep,
    /// A grid of parameters to be chosen on earlier rows, and what was claimed of the rows after them.
    WalkForward,
    /// One set of parameters, by `backtest`.
    Interactive,
}

impl TrialKind {
    /// The text form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Sweep => "sweep",
            Self::WalkForward => "walk_forward",
            Self::Interactive => "interactive",
        }
    }
}

/// What a search over parameters tells about its best result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The grid with its names in order, values ascending: `fast=5..20:5 slow=50..200:10`.
    pub grid: String,
    /// Mean correlation between the combinations' return series.
    pub mean_correlation: f64,
    /// Variance of their Sharpe ratios (per bar, n − 1 in the denominator).
    pub sharpe_variance: f64,
}

/// One row of the trial ledger, without its place in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// How.
    pub kind: TrialKind,
    /// Hash of what was tried: [`Trial::hypothesis_of`].
    pub hypothesis: String,
    /// The idea without its numbers: name of the strategy.
    pub family_key: String,
    /// Strategy with parameters, canonical; for a search its name and how positions end.
    pub strategy: String,
    /// Name of the group of instruments; for a search its members, joined by commas.
    pub scope: String,
    /// Length of the bars.
    pub interval: Interval,
    /// The horizon; none for a search.
    pub horizon: Option<Horizon>,
    /// The claim; none for a search.
    pub claim: Option<ClaimKind>,
    /// Hash of the bars.
    pub data_hash: String,
    /// Open time of the first bar.
    pub from: Timestamp,
    /// Close time of the last bar: the moment of the trial in the time of its data.
    pub to: Timestamp,
    /// Which finstage.
    pub code_version: String,
    /// How many combinations; 1 for a hypothesis.
    pub count: u64,
    /// What a search tells.
    pub search: Option<Search>,
    /// Effective events.
    pub n_eff: Option<u64>,
    /// The p-value.
    pub p: Option<f64>,
    /// The number of the look; 0 when it was none.
    pub look: u32,
    /// The part of the false discovery rate that this look may spend.
    pub share: f64,
    /// What was said.
    pub verdict: Option<CardVerdict>,
    /// Hash of the figures.
    pub result: String,
}

impl Trial {
    /// The hash that names a hypothesis, whatever the data: strategy (canonical), members (sorted,
    /// joined by commas), interval, horizon and claim. Of what is no hypothesis the grid, or how
    /// positions end, follows the strategy, and its kind stands in place of horizon and claim.
    #[must_use]
    pub fn hypothesis_of(strategy: &str, members: &str, interval: Interval, asked: &str) -> String {
        let hash = IdHasher::new().text(strategy).text(members).text(interval.as_str()).text(asked);
        format!("{:032x}", hash.finish())
    }

    /// What makes it the same trial again: the same hypothesis on the same data.
    #[must_use]
    pub fn key(&self) -> (&str, &str) {
        (&self.hypothesis, &self.data_hash)
    }
}
