//! What is tried besides hypotheses: searches over parameters, and single runs. Each is a row of the
//! ledger, on data that are named as [`super::Plan`] names them, so that a later hypothesis finds it.

use finstage_model::{Bar, IdHasher, Interval, Search, Symbol, Timestamp, Trial, TrialKind};
use finstage_quant::stats::sharpe::Trials;

use crate::News;
use crate::backtest::Plan as Targets;
use crate::news::span;
use crate::study::{Instrument, fingerprint};
use crate::sweep::Sweep;

/// Data on which something is tried, as the ledger names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ground {
    /// Symbols of the instruments, joined by commas.
    pub members: String,
    /// Length of the bars.
    pub interval: Interval,
    /// Hash of the bars, and of the news that is heard on them.
    pub data_hash: String,
    /// Open time of the first bar.
    pub from: Timestamp,
    /// Close time of the last bar.
    pub to: Timestamp,
}

impl Ground {
    /// Of the instruments of a group, in the order of symbols. `interval` is that of the first.
    pub(super) fn of(members: &[&Instrument]) -> Self {
        let names: Vec<&str> = members.iter().map(|one| one.symbol().as_str()).collect();
        let spans = || members.iter().map(|one| one.span);
        Self {
            members: names.join(","),
            interval: members.first().map_or(Interval::D1, |one| one.interval()),
            data_hash: joined(members.iter().map(|one| one.data_hash)),
            from: first(spans()),
            to: last(spans()),
        }
    }

    /// The same for what hears the news of these instruments: other news is other data, none is none.
    pub(super) fn hearing(self, members: &[&Instrument]) -> Self {
        let data_hash = joined(members.iter().map(|one| one.hearing_hash()));
        Self { data_hash, ..self }
    }

    /// Of bars as they are: the ground of a group of this one instrument without adjustments.
    #[must_use]
    pub fn of_series(symbol: &Symbol, bars: &[Bar]) -> Self {
        Self {
            members: symbol.to_string(),
            interval: bars.first().map_or(Interval::D1, |bar| bar.interval),
            data_hash: joined(std::iter::once(fingerprint(symbol, bars))),
            from: first(span(bars).into_iter()),
            to: last(span(bars).into_iter()),
        }
    }

    /// Of bars as they are with what is heard on them: the ground of an instrument with this news.
    #[must_use]
    pub fn of_heard_series(symbol: &Symbol, bars: &[Bar], news: &News) -> Self {
        let own = Self::of_series(symbol, bars);
        let hash = news.with_fingerprint((own.from, own.to), fingerprint(symbol, bars));
        Self { data_hash: joined(std::iter::once(hash)), ..own }
    }
}

fn joined(hashes: impl Iterator<Item = u128>) -> String {
    let all = hashes.fold(IdHasher::new(), |all, hash| all.bytes(&hash.to_le_bytes()));
    format!("{:032x}", all.finish())
}

fn first(spans: impl Iterator<Item = (Timestamp, Timestamp)>) -> Timestamp {
    spans.map(|(first, _)| first).min().unwrap_or(Timestamp::EPOCH)
}

fn last(spans: impl Iterator<Item = (Timestamp, Timestamp)>) -> Timestamp {
    spans.map(|(_, last)| last).max().unwrap_or(Timestamp::EPOCH)
}

/// Something that is tried, before anything is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    kind: TrialKind,
    family: String,
    strategy: String,
    /// What makes it another trial than one of the same strategy.
    how: String,
    grid: Option<String>,
    count: u64,
}

impl Tried {
    /// Every combination of a grid, by `sweep`.
    #[must_use]
    pub fn sweep(sweep: &Sweep) -> Self {
        Self::search(TrialKind::Sweep, sweep)
    }

    /// Every combination of a grid, to choose from on the past.
    #[must_use]
    pub fn walk_forward(sweep: &Sweep) -> Self {
        Self::search(TrialKind::WalkForward, sweep)
    }

    /// Every combination of a grid, to choose from by what followed the signals: positions that end at
    /// a horizon.
    pub(super) fn chosen(sweep: &Sweep) -> Self {
        let strategy = sweep.family().to_owned();
        Self { strategy, ..Self::walk_forward(sweep) }
    }

    fn search(kind: TrialKind, sweep: &Sweep) -> Self {
        let grid = sweep.grid_text();
        Self {
            kind,
            family: sweep.family().to_owned(),
            strategy: sweep.idea(),
            how: grid.clone(),
            grid: Some(grid),
            count: sweep.combinations() as u64,
        }
    }

    /// One set of parameters, by `backtest`. `None` for a list of targets: it has no idea that could
    /// be judged.
    #[must_use]
    pub fn backtest(plan: &Targets) -> Option<Self> {
        (!plan.family.is_empty()).then(|| Self {
            kind: TrialKind::Interactive,
            family: plan.family.clone(),
            strategy: plan.entry.clone(),
            how: plan.canonical.clone(),
            grid: None,
            count: 1,
        })
    }

    /// How many combinations.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Its row of the ledger, once it was tried on these data. `trials` is what a search found about
    /// its combinations, `digest` the hash of the result.
    #[must_use]
    pub fn row(&self, ground: &Ground, trials: Option<&Trials>, made_by: Made<'_>) -> Trial {
        let search = |grid: &String| Search {
            grid: grid.clone(),
            mean_correlation: trials.map_or(0.0, |trials| trials.mean_correlation),
            sharpe_variance: trials.map_or(0.0, |trials| trials.variance),
        };
        Trial {
            kind: self.kind,
            hypothesis: self.hypothesis(ground),
            family_key: self.family.clone(),
            strategy: self.strategy.clone(),
            scope: ground.members.clone(),
            interval: ground.interval,
            horizon: None,
            claim: None,
            data_hash: ground.data_hash.clone(),
            from: ground.from,
            to: ground.to,
            code_version: made_by.code_version.to_owned(),
            count: self.count,
            search: self.grid.as_ref().map(search),
            n_eff: None,
            p: None,
            look: 0,
            share: 0.0,
            verdict: None,
            result: made_by.digest.to_owned(),
        }
    }

    /// The hash that names it on the members of this ground: [`Trial::hypothesis_of`].
    #[must_use]
    pub fn hypothesis(&self, ground: &Ground) -> String {
        let what = format!("{} {}", self.strategy, self.how);
        Trial::hypothesis_of(&what, &ground.members, ground.interval, self.kind.as_str())
    }
}

/// What a row says of its making.
#[derive(Debug, Clone, Copy)]
pub struct Made<'a> {
    /// Which finstage.
    pub code_version: &'a str,
    /// Hash of the result.
    pub digest: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::Exit;
    use crate::study::Adjustment;
    use crate::sweep::Grid;
    use crate::worlds::{Noise, world};

    fn sweep(rule: &str, axes: &[&str]) -> Sweep {
        let axes = axes.iter().map(|axis| axis.parse().unwrap()).collect();
        let catalog = finstage_engine::Catalog::default();
        let (rule, grid) = (rule.parse().unwrap(), Grid::new(axes).unwrap());
        Sweep::new(&rule, Exit::default(), catalog, grid).unwrap()
    }

    #[test]
    fn a_series_has_the_ground_of_its_instrument() {
        let (symbol, bars) = ("file:a".parse::<Symbol>().unwrap(), world(Noise::Normal, 1, 300));
        let one = Instrument::new(symbol.clone(), &bars, &|_| Adjustment::NONE).unwrap();
        let ground = Ground::of_series(&symbol, &bars);
        assert_eq!(Ground::of(&[&one]), ground);
        // What is heard is part of the ground of what hears.
        assert_eq!(ground.clone().hearing(&[&one]), ground);
        let news = News::new(vec![crate::news::insight(1, bars[9].open_time, 0.5)]);
        let heard = Ground::of_heard_series(&symbol, &bars, &news);
        let one = one.with_news(news);
        assert_eq!(Ground::of(&[&one]), ground);
        assert_eq!(ground.clone().hearing(&[&one]), heard);
        assert_ne!(heard.data_hash, ground.data_hash);
        assert_eq!((ground.from, ground.members), (bars[0].open_time, "file:a".to_owned()));
    }

    #[test]
    fn the_same_combinations_are_the_same_trial_however_they_are_typed() {
        let ground = Ground::of_series(&"file:a".parse().unwrap(), &world(Noise::Normal, 1, 300));
        let key = |rule: &str, axes: &[&str]| Tried::sweep(&sweep(rule, axes)).hypothesis(&ground);
        let one = key("sma_cross", &["fast=2..4", "slow=10,5"]);
        assert_eq!(key("sma_cross(short=1)", &["slow=5,10", "fast=4,3,2"]), one);
        assert_ne!(key("sma_cross(short=0)", &["fast=2..4", "slow=10,5"]), one);
        assert_ne!(key("sma_cross", &["fast=2..5", "slow=10,5"]), one);
        let other = sweep("sma_cross", &["fast=2..4", "slow=10,5"]);
        assert_ne!(Tried::walk_forward(&other).hypothesis(&ground), one);
        assert_eq!(
            (other.grid_text().as_str(), Tried::sweep(&other).count()),
            ("fast=2..4 slow=5,10", 6)
        );
    }
}
