//! How much may be repeated in all, however many calls fail: without a bound, those who repeat
//! keep a server down that they want back.
//!
//! Sources: the retry quota of the AWS clients of 2026 (500 tokens, 14 a repetition); Finagle's
//! budget (a share of the requests and a floor); Bronson et al., "Metastable Failures in
//! Distributed Systems", HotOS 2021.

use std::time::Duration;

/// How repetitions are bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum BudgetOptions {
    /// A purse of tokens: repetitions take, successes give.
    Purse {
        /// The most in it; it begins full.
        capacity: u32,
        /// Taken by a repetition after a failure.
        failed: u32,
        /// Taken by a repetition after "too many requests".
        limited: u32,
    },
    /// A share of the requests, and a few a second in any case.
    Share {
        /// Repetitions for each request.
        share: f64,
        /// Repetitions a second that are always allowed.
        floor: f64,
        /// The most that can be saved up.
        capacity: f64,
    },
}

impl BudgetOptions {
    /// 500 tokens, 14 a repetition, 5 after "too many requests".
    pub const PURSE: Self = Self::Purse { capacity: 500, failed: 14, limited: 5 };
    /// One repetition for five requests, and ten a second.
    pub const FIFTH: Self = Self::Share { share: 0.2, floor: 10.0, capacity: 100.0 };
}

impl Default for BudgetOptions {
    fn default() -> Self {
        Self::PURSE
    }
}

/// What a repetition follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Failure,
    TooMany,
}

/// The state of a budget. No clock: the time since some origin is given.
#[derive(Debug)]
pub(crate) struct Budget {
    options: BudgetOptions,
    level: f64,
    at: Duration,
}

impl Budget {
    pub(crate) fn new(options: BudgetOptions) -> Self {
        let level = match options {
            BudgetOptions::Purse { capacity, .. } => f64::from(capacity),
            BudgetOptions::Share { capacity, .. } => capacity,
        };
        Self { options, level, at: Duration::ZERO }
    }

    /// A call begins.
    pub(crate) fn called(&mut self) {
        if let BudgetOptions::Share { share, capacity, .. } = self.options {
            self.level = (self.level + share).min(capacity);
        }
    }

    /// A call succeeded, at its first attempt or after `repeated`.
    pub(crate) fn succeeded(&mut self, repeated: Option<After>) {
        if let BudgetOptions::Purse { capacity, .. } = self.options {
            let given = repeated.map_or(1.0, |after| self.price(after));
            self.level = (self.level + given).min(f64::from(capacity));
        }
    }

    /// Takes what a repetition costs; false where there is not enough.
    pub(crate) fn take(&mut self, now: Duration, after: After) -> bool {
        if let BudgetOptions::Share { floor, capacity, .. } = self.options {
            let passed = now.saturating_sub(self.at).as_secs_f64();
            self.at = self.at.max(now);
            self.level = (self.level + floor * passed).min(capacity);
        }
        let price = self.price(after);
        if self.level < price {
            return false;
        }
        self.level -= price;
        true
    }

    fn price(&self, after: After) -> f64 {
        match (self.options, after) {
            (BudgetOptions::Purse { failed, .. }, After::Failure) => f64::from(failed),
            (BudgetOptions::Purse { limited, .. }, After::TooMany) => f64::from(limited),
            (BudgetOptions::Share { .. }, _) => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[test]
    fn a_purse_pays_35_failures_and_is_filled_by_success_only() {
        let mut budget = Budget::new(BudgetOptions::PURSE);
        let paid = (0..1_000).filter(|_| budget.take(Duration::from_secs(9), After::Failure));
        assert_eq!(paid.count(), 35);
        (0..3).for_each(|_| budget.succeeded(None));
        assert!(!budget.take(NOW, After::Failure), "ten were left and three came");
        budget.succeeded(None);
        assert!(budget.take(NOW, After::Failure));
        budget.succeeded(Some(After::Failure));
        assert!(budget.take(NOW, After::Failure), "what helped is given back");
    }

    #[test]
    fn a_purse_never_holds_more_than_its_capacity() {
        let mut budget = Budget::new(BudgetOptions::PURSE);
        (0..10_000).for_each(|_| budget.succeeded(None));
        assert_eq!((0..1_000).filter(|_| budget.take(NOW, After::TooMany)).count(), 100);
    }

    #[test]
    fn a_share_allows_one_for_five_and_ten_a_second() {
        let share = BudgetOptions::Share { share: 0.2, floor: 10.0, capacity: 100.0 };
        let mut budget = Budget::new(share);
        while budget.take(NOW, After::Failure) {}
        (0..50).for_each(|_| budget.called());
        let repeated = (0..50).filter(|_| budget.take(NOW, After::Failure)).count();
        assert!((9..=10).contains(&repeated), "{repeated}");
        let later = Duration::from_secs(2);
        let floor = (0..50).filter(|_| budget.take(later, After::Failure)).count();
        assert!((20..=21).contains(&floor), "{floor}");
    }
}
