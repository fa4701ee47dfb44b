//! Parameters chosen on the past and tried on what came after: what a search is worth.
//!
//! ```text
//! |------------- train -------------|..|-- test 1 --|
//! |------------------- train --------------------|..|-- test 2 --|
//! ```
//! The first train part is [`Folds::train_share`] of the bars, at least [`Folds::min_train`]; what
//! remains is cut into [`Folds::count`] equal test folds, and every later train part reaches from
//! the first bar to its fold (*anchored*). On each train part every combination is run and the one
//! with the greatest score is chosen. Between train part and fold 2 × [`Folds::horizon`] bars are
//! left out: as many as a decision may need to show what it was worth (purge), and as many again
//! (embargo).
//!
//! The test folds are one run: on the bar before a fold the want of the newly chosen combination
//! takes over, at the costs of an order if it is another. Nothing is known there that was not known
//! then.

use finstage_model::{Bar, IdHasher};
use finstage_quant::stats::sharpe::Trials;

use crate::backtest::{Backtest, Options, Stats, Target, Trade, run as run_once};
use crate::sweep::{Likeness, Sweep, Trial, Work};
use crate::{BarSeries, Error, ErrorKind};

/// The fewest bars of a test fold: fewer tell nothing.
pub const MIN_FOLD: usize = 20;
/// The most test folds.
pub const MAX_FOLDS: usize = 1_000;

/// How bars are cut into parts to choose on and folds to test on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Folds {
    /// The first train part, as a share of all bars.
    pub train_share: f64,
    /// The fewest bars of the first train part.
    pub min_train: usize,
    /// The number of test folds.
    pub count: usize,
    /// Bars that a decision may need to show what it was worth.
    pub horizon: usize,
}

impl Default for Folds {
    /// 40 % of the bars and at least two years of days, six folds, one bar.
    fn default() -> Self {
        Self { train_share: 0.4, min_train: 504, count: 6, horizon: 1 }
    }
}

/// How good a combination is on a train part: the greatest is chosen, of equals the first in the
/// grid. `None` is never chosen.
pub type Score<'a> = &'a (dyn Fn(&Trial<'_>) -> Option<f64> + Sync);

/// One test fold and how its parameters were chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold {
    /// Bars of the train part; it begins with the first bar.
    pub train_bars: usize,
    /// The first bar of the fold.
    pub from: usize,
    /// The bar after its last one.
    pub until: usize,
    /// What was chosen; nothing when no combination had a score, and then nothing is held.
    pub choice: Option<Choice>,
    /// The fold's part of the joined run: equity from the close before the fold on, and the trades
    /// that began in it.
    pub out_of_sample: Stats,
}

/// A combination that was chosen.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Its place in the grid.
    pub place: usize,
    /// Its score on the train part.
    pub score: f64,
    /// The numbers about it on the train part.
    pub in_sample: Stats,
}

/// What came of a walk forward.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkForward {
    /// The folds, in order.
    pub folds: Vec<Fold>,
    /// The bar of the first value of the joined equity: the one before the first fold.
    pub first_bar: usize,
    /// How alike the combinations are, and how their Sharpe ratios differ, on the last train part:
    /// it holds all the others.
    pub trials: Trials,
    /// All folds as one run. Bars of its trades are counted from [`WalkForward::first_bar`].
    pub joined: Backtest,
}

/// The t statistic of the bar returns: mean / standard deviation × √count.
#[must_use]
pub fn t_of_returns(trial: &Trial<'_>) -> Option<f64> {
    let stats = trial.stats;
    let ratio = stats.mean_bar_return? / stats.std_bar_return_ddof1?;
    let t = ratio * ((trial.equity.len() - 1) as f64).sqrt();
    t.is_finite().then_some(t)
}

/// Walks forward: chooses by `score`, mostly [`t_of_returns`]. [`Work::on_done`] hears of every
/// combination once for each fold.
///
/// # Errors
/// When there are too few bars for these folds, and as [`Sweep::run`].
pub fn walk_forward(
    sweep: &Sweep,
    (bars, options): (&[Bar], &Options),
    folds: &Folds,
    (work, score): (&Work<'_>, Score<'_>),
) -> Result<WalkForward, Error> {
    let starts = folds.starts(bars.len())?;
    let first_bar = starts[0] - 1;
    let (mut chosen, mut targets) = (Vec::new(), Vec::new());
    let mut trials = None;
    for pair in starts.windows(2) {
        let (from, until) = (pair[0], pair[1]);
        let train = &bars[..from - 2 * folds.horizon];
        let (choice, alike) = choose(sweep, (train, options), (work, score))?;
        trials = Some(alike);
        let wanted = match &choice {
            Some(choice) => sweep.plan(choice.place, &bars[..until])?.targets,
            None => Vec::new(),
        };
        // The last bar of a fold decides for the next one; after the last fold nothing does.
        take_over(&wanted, (from - 1, until - 1), first_bar, &mut targets);
        chosen.push((train.len(), choice));
    }
    let series = BarSeries::new(&bars[first_bar..])?;
    let joined = run_once(&series, &targets, options)?;
    let closes = series.close();
    let fold = |((train_bars, choice), pair): ((usize, Option<Choice>), &[usize])| {
        let (from, until) = (pair[0] - first_bar, pair[1] - first_bar);
        let (closes, equity) = (&closes[from - 1..until], &joined.equity[from - 1..until]);
        let is_of_fold = |trade: &&Trade| (from..until).contains(&trade.entry_bar);
        let trades: Vec<Trade> = joined.trades.iter().filter(is_of_fold).copied().collect();
        let paid = trades.iter().map(|trade| trade.commission).sum();
        let out_of_sample = Stats::new(closes, equity, &trades, paid);
        Fold { train_bars, from: pair[0], until: pair[1], choice, out_of_sample }
    };
    let folds = chosen.into_iter().zip(starts.windows(2)).map(fold).collect();
    let trials = trials.expect("invariant: there is at least one fold");
    Ok(WalkForward { folds, first_bar, trials, joined })
}

impl WalkForward {
    /// Hash of the joined equity and of what was chosen.
    #[must_use]
    pub fn digest(&self) -> String {
        let chosen = |hash: IdHasher, fold: &Fold| {
            let place = fold.choice.as_ref().map_or(u64::MAX, |choice| choice.place as u64);
            hash.bytes(&place.to_le_bytes())
        };
        let hash = self.folds.iter().fold(IdHasher::new(), chosen);
        let value = |hash: IdHasher, value: &f64| hash.bytes(&value.to_bits().to_le_bytes());
        format!("{:032x}", self.joined.equity.iter().fold(hash, value).finish())
    }
}

impl Folds {
    /// The first bar of each fold, and the end.
    pub(crate) fn starts(&self, bars: usize) -> Result<Vec<usize>, Error> {
        let refuse = |name: &str, value: f64, bounds: &str| {
            Err(Error::new(ErrorKind::Options, format!("{name} = {value} is not {bounds}")))
        };
        let Self { train_share, min_train, count, horizon } = *self;
        if !(0.0..1.0).contains(&train_share) {
            return refuse("train share", train_share, "from 0 to less than 1");
        }
        if !(1..=MAX_FOLDS).contains(&count) {
            return refuse("folds", count as f64, &format!("1 to {MAX_FOLDS}"));
        }
        let train = ((bars as f64 * train_share).ceil() as usize).max(min_train).max(2);
        if horizon >= train / 2 {
            let bounds = format!("less than half of the first train part of {train} bars");
            return refuse("horizon", horizon as f64, &bounds);
        }
        let rest = bars.saturating_sub(train);
        if rest < count * MIN_FOLD {
            let why = format!(
                "{bars} bars are too few to walk forward: the first train part takes {train}, and \
                 {count} folds of {MIN_FOLD} need {}; take a longer history or fewer folds",
                count * MIN_FOLD
            );
            return Err(Error::new(ErrorKind::Bars, why));
        }
        Ok((0..=count).map(|fold| train + fold * rest / count).collect())
    }
}

/// The combination with the greatest score, and what all of them are together.
fn choose(
    sweep: &Sweep,
    (train, options): (&[Bar], &Options),
    (work, score): (&Work<'_>, Score<'_>),
) -> Result<(Option<Choice>, Trials), Error> {
    let likeness = Likeness::new(train, options.commission);
    let scored = sweep.map(train, options, work, &|trial| {
        ((trial.place, score(trial)), likeness.add(trial.trades))
    })?;
    let (scored, ratios): (Vec<_>, Vec<_>) = scored.into_iter().unzip();
    let trials = likeness.trials(&ratios);
    let mut best: Option<(usize, f64)> = None;
    for (place, score) in scored {
        if let Some(score) = score
            && !score.is_nan()
            && best.is_none_or(|(_, greatest)| score > greatest)
        {
            best = Some((place, score));
        }
    }
    let Some((place, score)) = best else { return Ok((None, trials)) };
    let targets = sweep.plan(place, train)?.targets;
    let in_sample = run_once(&BarSeries::new(train)?, &targets, options)?.stats;
    Ok((Some(Choice { place, score, in_sample }), trials))
}

/// Adds what is wanted from bar `from` until before bar `until`: first what is in force.
fn take_over(
    wanted: &[Target],
    (from, until): (usize, usize),
    first_bar: usize,
    into: &mut Vec<Target>,
) {
    let known = wanted.partition_point(|target| target.bar <= from);
    let in_force = wanted[..known].last().map_or(0.0, |target| target.want);
    let later = wanted[known..].iter().take_while(|target| target.bar < until);
    let all = std::iter::once(Target { bar: from, want: in_force }).chain(later.copied());
    into.extend(all.map(|target| Target { bar: target.bar - first_bar, ..target }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folds_are_equal_and_follow_the_first_train_part() {
        let folds = Folds::default();
        assert_eq!(folds.starts(2_000).unwrap(), [800, 1000, 1200, 1400, 1600, 1800, 2000]);
        assert_eq!(folds.starts(1_000).unwrap()[..2], [504, 586]);
        let error = folds.starts(623).unwrap_err().to_string();
        assert!(error.contains("the first train part takes 504, and 6 folds of 20 need 120"));
        let refused = |folds: Folds| folds.starts(2_000).unwrap_err().to_string();
        assert!(refused(Folds { count: 0, ..folds }).starts_with("folds = 0"));
        assert!(refused(Folds { horizon: 400, ..folds }).starts_with("horizon = 400"));
        assert!(refused(Folds { train_share: 1.0, ..folds }).starts_with("train share = 1"));
    }

    #[test]
    fn the_want_in_force_is_taken_over_and_the_last_bar_is_left_to_the_next_fold() {
        let wanted = [(3, 1.0), (8, 0.0), (12, -1.0), (14, 1.0)];
        let wanted = wanted.map(|(bar, want)| Target { bar, want });
        let taken = |from, until| {
            let mut into = Vec::new();
            take_over(&wanted, (from, until), 2, &mut into);
            into.iter().map(|target| (target.bar, target.want)).collect::<Vec<_>>()
        };
        assert_eq!(taken(2, 3), [(0, 0.0)]);
        assert_eq!(taken(5, 12), [(3, 1.0), (6, 0.0)]);
        assert_eq!(taken(8, 13), [(6, 0.0), (10, -1.0)]);
        assert_eq!(taken(13, 15), [(11, -1.0), (12, 1.0)]);
    }
}
