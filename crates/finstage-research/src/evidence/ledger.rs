//! What the past of the ledger means for a new look.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use finstage_model::{ClaimKind, Symbol, Timestamp, Trial, TrialKind};
use finstage_quant::stats::sharpe::effective_trials;

use super::LEAST_EVENTS;
use crate::backtest::Maker;

/// The part of the false discovery rate that the first look may spend.
const FIRST_SHARE: f64 = 0.6;
/// The part of each yearly look after it; with five of them the parts sum to 1.
const YEARLY_SHARE: f64 = 0.08;
/// Looks in an epoch.
const MOST_LOOKS: u32 = 6;
/// Time of the data between two looks.
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// How looks spend the false discovery rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// The first look spends all of it, and there is no other: files and an empty ledger.
    Whole,
    /// 0.6 of it at the first look, 0.08 at each of five yearly ones.
    Plan,
}

/// The trials of the present epoch.
#[derive(Debug, Clone, Copy)]
pub struct Ledger<'a> {
    /// Oldest first.
    pub trials: &'a [Trial],
    /// How new hypotheses spend.
    pub spending: Spending,
}

/// Which look this is, and what it may spend.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Look {
    /// 0 when it is none.
    pub(super) number: u32,
    pub(super) share: f64,
}

/// What searches over the parameters of an idea did on the same data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Searched {
    pub(super) sets: u64,
    pub(super) k_eff: f64,
    pub(super) variance: f64,
}

impl Searched {
    pub(super) const NONE: Self = Self { sets: 1, k_eff: 1.0, variance: 0.0 };
}

/// The ledger by hypothesis.
pub(super) struct Index<'a> {
    by_hypothesis: BTreeMap<&'a str, Vec<&'a Trial>>,
    searches: Vec<&'a Trial>,
    spending: Spending,
}

impl<'a> Index<'a> {
    pub(super) fn new(ledger: &Ledger<'a>) -> Self {
        let mut by_hypothesis: BTreeMap<&str, Vec<&Trial>> = BTreeMap::new();
        let mut searches = Vec::new();
        for trial in ledger.trials {
            match trial.kind {
                // What was claimed of parameters chosen on earlier rows is a hypothesis as any other.
                TrialKind::Verify | TrialKind::WalkForward if trial.claim.is_some() => {
                    by_hypothesis.entry(&trial.hypothesis).or_default().push(trial);
                }
                // A search that chose on a part of the rows has seen its parameters do well there:
                // whoever fixes them now has chosen them with that in mind.
                _ => searches.push(trial),
            }
        }
        Self { by_hypothesis, searches, spending: ledger.spending }
    }

    /// The look at a hypothesis on data up to `to`. The same hypothesis on the same data is the same
    /// look again. One with too few events for any verdict spends nothing: how many there are says nothing
    /// of what they returned.
    pub(super) fn look(&self, hypothesis: &str, data_hash: &str, to: Timestamp) -> Look {
        let past = self.by_hypothesis.get(hypothesis).map_or(&[][..], Vec::as_slice);
        if let Some(same) = past.iter().find(|trial| trial.data_hash == data_hash) {
            return Look { number: same.look, share: same.share };
        }
        let past: Vec<&&Trial> = past.iter().filter(|trial| could_pass(trial)).collect();
        if past.is_empty() {
            let share = match self.spending {
                Spending::Whole => 1.0,
                Spending::Plan => FIRST_SHARE,
            };
            return Look { number: 1, share };
        }
        let none = Look { number: 0, share: 0.0 };
        let looks = || past.iter().filter(|trial| trial.look > 0);
        let is_spent = looks().any(|trial| trial.share >= 1.0);
        let Some(last) = looks().max_by_key(|trial| trial.look) else { return none };
        let is_due = to >= last.to.plus(YEAR) && last.look < MOST_LOOKS;
        if is_spent || !is_due { none } else { Look { number: last.look + 1, share: YEARLY_SHARE } }
    }

    /// The newest p-values of the family of a claim, without the hypotheses that `is_present`.
    pub(super) fn family(&self, claim: ClaimKind, is_present: impl Fn(&str) -> bool) -> Vec<f64> {
        let mut family = Vec::new();
        for (hypothesis, past) in &self.by_hypothesis {
            let counts = |trial: &&&Trial| trial.claim == Some(claim) && could_pass(trial);
            if let Some(newest) = past.iter().rev().find(counts)
                && !is_present(hypothesis)
            {
                family.push(newest.p.unwrap_or(1.0));
            }
        }
        family
    }

    /// What was tried of an idea, given by its family key and the canonical form of the parameters
    /// that are judged, on data that overlap these. A grid that was searched twice, or on data that
    /// have grown, is the same sets of parameters: it counts once.
    pub(super) fn searched(
        &self,
        (family_key, canonical): (&str, &str),
        symbols: &[&Symbol],
        (from, to): (Timestamp, Timestamp),
    ) -> Searched {
        let overlaps = |trial: &&&Trial| {
            let same =
                symbols.iter().any(|symbol| trial.scope.split(',').any(|s| s == symbol.as_str()));
            is_about(trial, family_key) && same && trial.from < to && from < trial.to
        };
        let mut grids: BTreeMap<(&str, &str), Searched> = BTreeMap::new();
        let mut by_hand: BTreeSet<&str> = BTreeSet::new();
        for trial in self.searches.iter().filter(overlaps) {
            let Some(search) = &trial.search else {
                by_hand.insert(&trial.strategy);
                continue;
            };
            let sets = trial.count.max(1);
            let count = usize::try_from(sets).unwrap_or(usize::MAX);
            let k_eff = effective_trials(search.mean_correlation, count).unwrap_or(sets as f64);
            let grid = grids.entry((&trial.family_key, &search.grid)).or_insert(Searched::NONE);
            grid.sets = grid.sets.max(sets);
            grid.k_eff = grid.k_eff.max(k_eff);
            grid.variance = grid.variance.max(search.sharpe_variance);
        }
        // What is judged was tried by hand, too, and is not one more.
        by_hand.remove(canonical);
        let others = by_hand.len() as u64;
        let mut all = match grids.is_empty() {
            true => Searched::NONE,
            false => Searched { sets: 0, k_eff: 0.0, variance: 0.0 },
        };
        for grid in grids.values() {
            all.sets += grid.sets;
            all.k_eff += grid.k_eff;
            all.variance = all.variance.max(grid.variance);
        }
        Searched { sets: all.sets + others, k_eff: all.k_eff + others as f64, ..all }
    }
}

/// Whether there were events enough for a verdict.
fn could_pass(trial: &Trial) -> bool {
    trial.n_eff.is_some_and(|n_eff| n_eff >= LEAST_EVENTS as u64)
}

/// Whether a trial is one of the idea with this key: by its name, or by a rule for positions that turns
/// where the idea speaks.
fn is_about(trial: &Trial, family_key: &str) -> bool {
    let says = |maker: &Maker| maker.signals.contains(&family_key);
    trial.family_key == family_key || Maker::find(&trial.family_key).is_some_and(says)
}

#[cfg(test)]
mod tests {
    use finstage_model::{Interval, Search};

    use super::*;

    fn trial(hypothesis: &str, day: i64, look: Look, p: f64) -> Trial {
        Trial {
            kind: TrialKind::Verify,
            hypothesis: hypothesis.to_owned(),
            family_key: "x".to_owned(),
            strategy: "x()".to_owned(),
            scope: "x:A".to_owned(),
            interval: Interval::D1,
            horizon: None,
            claim: Some(ClaimKind::Direction),
            data_hash: format!("data of {day}"),
            from: Timestamp::EPOCH,
            to: Timestamp::from_secs(day * 86_400),
            code_version: String::new(),
            count: 1,
            search: None,
            n_eff: Some(40),
            p: Some(p),
            look: look.number,
            share: look.share,
            verdict: None,
            result: String::new(),
        }
    }

    fn looks(days: &[i64], spending: Spending) -> Vec<(u32, f64)> {
        let mut trials: Vec<Trial> = Vec::new();
        let mut said = Vec::new();
        for &day in days {
            let index = Index::new(&Ledger { trials: &trials, spending });
            let next = trial("h", day, Look { number: 0, share: 0.0 }, 0.5);
            let look = index.look("h", &next.data_hash, next.to);
            said.push((look.number, look.share));
            if trials.iter().all(|known| known.data_hash != next.data_hash) {
                trials.push(Trial { look: look.number, share: look.share, ..next });
            }
        }
        said
    }

    #[test]
    fn a_plan_spends_the_rate_once_over_five_years() {
        let said = looks(&[1000, 1000, 1100, 1364, 1365, 1400, 1365], Spending::Plan);
        let wanted = [(1, 0.6), (1, 0.6), (0, 0.0), (0, 0.0), (2, 0.08), (0, 0.0), (2, 0.08)];
        assert_eq!(said, wanted);
        let years: Vec<i64> = (0..9).map(|year| 1000 + 365 * year).collect();
        let spent: f64 = looks(&years, Spending::Plan).iter().map(|look| look.1).sum();
        assert!((spent - 1.0).abs() < 1e-12, "{spent}");
    }

    #[test]
    fn a_look_at_too_few_events_spends_nothing() {
        let early = Look { number: 1, share: 0.6 };
        let few = Trial { n_eff: Some(29), ..trial("h", 1000, early, 0.5) };
        let trials = [few, trial("g", 1000, early, 0.5)];
        let index = Index::new(&Ledger { trials: &trials, spending: Spending::Plan });
        let look = |hypothesis, data: &str| {
            index.look(hypothesis, data, Timestamp::from_secs(1001 * 86_400)).number
        };
        assert_eq!((look("h", "data of 1001"), look("h", "data of 1000")), (1, 1));
        assert_eq!(look("g", "data of 1001"), 0, "that one was seen");
    }

    #[test]
    fn a_single_look_leaves_nothing_for_later() {
        let said = looks(&[1000, 1000, 1365, 3000], Spending::Whole);
        assert_eq!(said, [(1, 1.0), (1, 1.0), (0, 0.0), (0, 0.0)]);
    }

    #[test]
    fn a_family_counts_each_hypothesis_once_with_its_newest_p() {
        let look = Look { number: 1, share: 0.6 };
        let mut trials = vec![trial("a", 1, look, 0.1), trial("b", 1, look, 0.2)];
        trials.push(trial("a", 2, look, 0.3));
        trials.push(Trial { n_eff: Some(29), ..trial("c", 2, look, 0.4) });
        let index = Index::new(&Ledger { trials: &trials, spending: Spending::Plan });
        assert_eq!(index.family(ClaimKind::Direction, |_| false), [0.3, 0.2]);
        assert_eq!(index.family(ClaimKind::Direction, |hypothesis| hypothesis == "a"), [0.2]);
        assert!(index.family(ClaimKind::Size, |_| false).is_empty());
    }

    #[test]
    fn searches_count_where_data_overlap() {
        let none = Look { number: 0, share: 0.0 };
        let search = Search { grid: "p=1..9".into(), mean_correlation: 0.5, sharpe_variance: 0.01 };
        let sweep = Trial {
            kind: TrialKind::Sweep,
            claim: None,
            count: 9,
            search: Some(search),
            ..trial("s", 100, none, 0.5)
        };
        // The same grid again, on data that have grown and to choose from on the past.
        let grown = trial("s", 140, none, 0.5);
        let again = Trial { data_hash: grown.data_hash, to: grown.to, ..sweep.clone() };
        let walk = Trial { kind: TrialKind::WalkForward, claim: None, ..sweep.clone() };
        let trials = [sweep.clone(), again, walk.clone()];
        let day = |day: i64| Timestamp::from_secs(day * 86_400);
        let (own, other): (Symbol, Symbol) = ("x:A".parse().unwrap(), "x:B".parse().unwrap());
        let said = |trials: &[Trial], key, symbols: &[&Symbol], from: i64| {
            let index = Index::new(&Ledger { trials, spending: Spending::Plan });
            index.searched((key, "x(p=3)"), symbols, (day(from), day(150)))
        };
        let wanted = Searched { sets: 9, k_eff: 5.0, variance: 0.01 };
        assert_eq!(said(&trials, "x", &[&other, &own], 50), wanted);
        assert_eq!(said(&trials[2..], "x", &[&own], 50), wanted, "a walk forward has chosen, too");
        assert_eq!(said(&trials, "x", &[&other], 50), Searched::NONE);
        assert_eq!(said(&trials, "x", &[&own], 140), Searched::NONE);
        assert_eq!(said(&trials, "y", &[&own], 50), Searched::NONE);
        let other = Search { grid: "p=1..9 q=2".into(), ..walk.search.unwrap() };
        let both = [sweep.clone(), Trial { search: Some(other), ..sweep.clone() }];
        assert_eq!(said(&both, "x", &[&own], 50), Searched { sets: 18, k_eff: 10.0, ..wanted });
        let cross = Trial { family_key: "sma_cross".into(), ..sweep };
        assert_eq!(said(&[cross], "golden_cross", &[&own], 50), wanted, "the same events");
    }

    #[test]
    fn parameters_tried_by_hand_count_as_sets_and_those_that_are_judged_once() {
        let none = Look { number: 0, share: 0.0 };
        let tried = |strategy: &str| Trial {
            kind: TrialKind::Interactive,
            claim: None,
            strategy: strategy.to_owned(),
            ..trial(strategy, 100, none, 0.5)
        };
        let symbol: Symbol = "x:A".parse().unwrap();
        let sets = |trials: &[Trial]| {
            let index = Index::new(&Ledger { trials, spending: Spending::Plan });
            let span = (Timestamp::EPOCH, Timestamp::from_secs(86_400));
            let said = index.searched(("x", "x(p=3)"), &[&symbol], span);
            assert!((said.k_eff - said.sets as f64).abs() < 1e-12);
            said.sets
        };
        assert_eq!(sets(&[tried("x(p=3)"), tried("x(p=3)")]), 1);
        assert_eq!(sets(&[tried("x(p=3)"), tried("x(p=4)"), tried("x(p=4)")]), 2);
        assert_eq!(sets(&[tried("x(p=4)"), tried("x(p=5)")]), 3);
    }

    #[test]
    fn a_claim_of_a_walk_forward_is_a_hypothesis_of_the_family() {
        let look = Look { number: 1, share: 0.6 };
        let trials = [Trial { kind: TrialKind::WalkForward, ..trial("w", 1, look, 0.1) }];
        let index = Index::new(&Ledger { trials: &trials, spending: Spending::Plan });
        assert_eq!(index.family(ClaimKind::Direction, |_| false), [0.1]);
        assert_eq!(index.look("w", "other", trials[0].to).number, 0);
        let symbol: Symbol = "x:A".parse().unwrap();
        let span = (Timestamp::EPOCH, Timestamp::from_secs(43_200));
        assert_eq!(index.searched(("x", "x()"), &[&symbol], span), Searched::NONE);
    }
}
