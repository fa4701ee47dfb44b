//! The ledger of trials, for every command that tries something on data.

use finstage_model::{Clock as _, Trial};
use finstage_net::SystemClock;
use finstage_quant::stats::sharpe::Trials;
use finstage_research::evidence::{Ground, Made, Tried};
use finstage_store::records::{Records, StoreKind};

use super::{data_dir, load_without_channels, say};
use crate::cli::Global;
use crate::exit::Result;
use crate::{evidence, wiring};

/// The ledger, open for one entry: something that is no hypothesis, tried on one series.
pub(super) struct Entry {
    records: Records,
    tried: Tried,
    ground: Ground,
    /// How much was tried before.
    before: u64,
    is_known: bool,
}

impl Entry {
    /// Opens the ledger of the records, before anything is tried.
    pub(super) fn open(records: Records, tried: Tried, ground: Ground) -> Result<Self> {
        let trials = evidence::trials(&records, SystemClock.now())?;
        let hypothesis = tried.hypothesis(&ground);
        let is_known =
            trials.iter().any(|trial| trial.key() == (&hypothesis, ground.data_hash.as_str()));
        let before = total(&trials);
        Ok(Self { records, tried, ground, before, is_known })
    }

    /// Says how much more is tried with it: `adds 80 combinations to 138 tried: WHAT`.
    pub(super) fn announce(&self, global: &Global, (one, many): (&str, &str), what: &str) {
        let (count, before) = (self.tried.count(), self.before);
        let (name, counts) = if count == 1 { (one, "counts") } else { (many, "count") };
        let does = match self.is_known {
            false => format!("adds {count} {name} to {before} tried"),
            true => format!("repeats {count} {name} that {counts} once, {before} tried"),
        };
        say(global, format_args!("{does}: {what}"));
    }

    /// Writes it down; before anything of the result is shown.
    pub(super) fn write(&self, trials: Option<&Trials>, digest: &str) -> Result<()> {
        let made = Made { code_version: crate::VERSION, digest };
        let row = self.tried.row(&self.ground, trials, made);
        self.records.add_trials(&[row], SystemClock.now())?;
        Ok(())
    }
}

/// The records of the data folder, which hold the ledger.
pub(super) fn records(global: &Global) -> Result<Records> {
    let loaded = load_without_channels(global)?;
    wiring::open_records(&data_dir(global, &loaded), StoreKind::Real)
}

/// How much was tried: a search counts its combinations.
pub(super) fn total(trials: &[Trial]) -> u64 {
    trials.iter().map(|trial| trial.count).sum()
}
