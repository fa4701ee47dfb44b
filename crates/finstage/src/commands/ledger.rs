//! The ledger of trials, for every command that tries something on data.

use std::time::Duration;

use finstage_model::{Bar, Clock as _, Symbol, Timestamp, Trial};
use finstage_net::SystemClock;
use finstage_quant::stats::sharpe::Trials;
use finstage_research::evidence::{Ground, Made, Tried};
use finstage_store::records::{Records, StoreKind, TrialRow};

use super::{data_dir, load_without_channels, say};
use crate::cli::Global;
use crate::exit::{Exit, Failure, Result};
use crate::wiring;

/// How long a trial weighs on new ones.
const EPOCH: Duration = Duration::from_secs(5 * 365 * 86_400 + 86_400);

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
    /// Opens the ledger of the data folder, before anything is tried.
    pub(super) fn open(
        global: &Global,
        tried: Tried,
        (symbol, bars): (&Symbol, &[Bar]),
    ) -> Result<Self> {
        let loaded = load_without_channels(global)?;
        let records = wiring::open_records(&data_dir(global, &loaded), StoreKind::Real)?;
        let trials = present(&records)?;
        let ground = Ground::of_series(symbol, bars);
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

/// How much was tried: a search counts its combinations.
pub(super) fn total(trials: &[Trial]) -> u64 {
    trials.iter().map(|trial| trial.count).sum()
}

/// The trials of the present epoch, from a ledger that is whole.
pub(super) fn present(records: &Records) -> Result<Vec<Trial>> {
    if let Some((row, why)) = records.check_trials()?.fault {
        let message = format!(
            "the ledger of trials is not whole: row {row}: {why}: put a backup in its place, or name another --data-dir"
        );
        return Err(Failure::new(Exit::Store, message));
    }
    let rows = records.trials()?;
    let begin = rows.first().map(|first| epoch_begin(first.recorded_at, SystemClock.now()));
    let is_present = |row: &TrialRow| begin.is_some_and(|begin| row.recorded_at >= begin);
    Ok(rows.into_iter().filter(is_present).map(|row| row.trial).collect())
}

/// When the epoch that holds `now` began; the first begins with the first trial.
fn epoch_begin(first: Timestamp, now: Timestamp) -> Timestamp {
    let epochs = now.since(first).as_secs() / EPOCH.as_secs();
    first.plus(EPOCH.saturating_mul(u32::try_from(epochs).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_lasts_five_years_from_the_first_trial() {
        let day = |day: i64| Timestamp::from_secs(day * 86_400);
        assert_eq!(epoch_begin(day(100), day(100)), day(100));
        assert_eq!(epoch_begin(day(100), day(100 + 1825)), day(100));
        assert_eq!(epoch_begin(day(100), day(100 + 1826)), day(1926));
        assert_eq!(epoch_begin(day(100), day(100 + 4000)), day(100 + 2 * 1826));
    }
}
