//! How many separate occasions a list of events amounts to.

use finstage_model::Timestamp;

/// A position that an event would have opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holding {
    /// When it is entered.
    pub entry: Timestamp,
    /// When it is left, not before the entry.
    pub exit: Timestamp,
}

/// Effective events of a whole scope: in the order of entry, one counts and all that enter before its
/// exit do not, and so on. The order of `holdings` does not matter.
#[must_use]
pub fn occasions(holdings: &[Holding]) -> usize {
    groups(holdings).count()
}

/// The mean outcome of each occasion: of the event that counts and of those that enter before its
/// exit, in the order of entry. Outcomes of the same entry and exit are averaged in their order.
#[must_use]
pub fn occasion_means(outcomes: &[(Holding, f64)]) -> Vec<f64> {
    let mut ordered = outcomes.to_vec();
    ordered.sort_by(|left, right| left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)));
    let holdings: Vec<Holding> = ordered.iter().map(|(holding, _)| *holding).collect();
    let mut rest = ordered.as_slice();
    let mut means = Vec::new();
    for count in groups(&holdings) {
        let (group, later) = rest.split_at(count);
        means.push(group.iter().map(|(_, outcome)| outcome).sum::<f64>() / count as f64);
        rest = later;
    }
    means
}

/// How many events each occasion holds.
fn groups(holdings: &[Holding]) -> impl Iterator<Item = usize> {
    let mut ordered = holdings.to_vec();
    ordered.sort_unstable();
    let mut next = 0;
    std::iter::from_fn(move || {
        let exit = ordered.get(next)?.exit;
        let inside = ordered[next + 1..].iter().take_while(|later| later.entry < exit).count();
        next += 1 + inside;
        Some(1 + inside)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(entry: i64, exit: i64) -> Holding {
        Holding { entry: Timestamp::from_secs(entry), exit: Timestamp::from_secs(exit) }
    }

    #[test]
    fn events_that_overlap_are_one_occasion() {
        assert_eq!(occasions(&[]), 0);
        assert_eq!(occasions(&[holding(7, 9), holding(1, 4), holding(2, 5), holding(4, 7)]), 3);
        // What was skipped does not hold up what comes after.
        assert_eq!(occasions(&[holding(1, 4), holding(2, 50), holding(5, 6)]), 2);
        // Same date, several instruments.
        assert_eq!(occasions(&[holding(1, 4), holding(1, 4), holding(1, 4)]), 1);
    }

    #[test]
    fn an_occasion_is_worth_its_mean() {
        let outcomes = [(holding(5, 6), 4.0), (holding(2, 5), 3.0), (holding(1, 4), 1.0)];
        assert_eq!(occasion_means(&outcomes), [2.0, 4.0]);
        assert!(occasion_means(&[]).is_empty());
    }
}
