//! Which of two addresses is connected to next.
//!
//! It has no clock and connects nowhere, so that every sequence of failures can be tried.

use std::time::Duration;

use finstage_net::RetryPolicy;
use tokio::time::Instant;

/// How long the first address is tried before the fallback, and how soon it is looked at again.
///
/// How long to wait between attempts is no part of it: the session waits, and only there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// What people call it.
    pub name: &'static str,
    /// So many attempts in a row must fail.
    pub attempts: u32,
    /// While the fallback is in use, the first address is looked at after each such time.
    pub look_every: Duration,
}

impl Patience {
    /// Three attempts, a look each 30 s (S0-31).
    pub const STREAM_FALLBACK: Self = Self {
        name: RetryPolicy::STREAM_FALLBACK.name,
        attempts: RetryPolicy::STREAM_FALLBACK.retries,
        look_every: Duration::from_secs(30),
    };

    /// Five attempts (S0-15, S0-16), a look each 5 s (S0-17).
    pub const CONNECTION: Self = Self {
        name: RetryPolicy::CONNECTION.name,
        attempts: RetryPolicy::CONNECTION.retries,
        look_every: Duration::from_secs(5),
    };

    /// All of them, the usual one first.
    pub const PRESETS: [Self; 2] = [Self::STREAM_FALLBACK, Self::CONNECTION];

    /// The preset of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::PRESETS.into_iter().find(|preset| preset.name == name)
    }
}

impl Default for Patience {
    fn default() -> Self {
        Self::STREAM_FALLBACK
    }
}

/// One of the two addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    First,
    Fallback,
}

#[derive(Debug)]
pub(super) struct Choice {
    patience: Patience,
    has_fallback: bool,
    /// Attempts at the first address that failed since it answered.
    failures: u32,
    /// The first address is given up until then.
    look_at: Option<Instant>,
    /// Whether the fallback did not answer the last time.
    is_fallback_down: bool,
}

impl Choice {
    pub(super) const fn new(patience: Patience, has_fallback: bool) -> Self {
        Self { patience, has_fallback, failures: 0, look_at: None, is_fallback_down: false }
    }

    /// Where the next attempt goes. With both down they take turns.
    pub(super) fn next(&self, now: Instant) -> Place {
        match self.look_at() {
            Some(look_at) if now < look_at && !self.is_fallback_down => Place::Fallback,
            _ => Place::First,
        }
    }

    /// An attempt brought no stream.
    pub(super) fn failed(&mut self, place: Place, now: Instant) {
        self.is_fallback_down = place == Place::Fallback;
        if place == Place::First {
            self.failures = self.failures.saturating_add(1);
            if self.failures >= self.patience.attempts {
                self.look_at = Some(now + self.patience.look_every);
            }
        }
    }

    /// An attempt brought a stream.
    pub(super) fn answered(&mut self, place: Place) {
        self.is_fallback_down = false;
        if place == Place::First {
            (self.failures, self.look_at) = (0, None);
        }
    }

    /// The first address answered, and yet the stream stays where it is.
    pub(super) fn stays_away(&mut self, now: Instant) {
        self.failures = self.failures.max(self.patience.attempts);
        self.look_at = Some(now + self.patience.look_every);
    }

    /// When the first address is to be looked at again, while it is given up.
    pub(super) fn look_at(&self) -> Option<Instant> {
        self.look_at.filter(|_| self.has_fallback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_are_those_of_the_source_rows() {
        let seen = Patience::PRESETS.map(|p| (p.name, p.attempts, p.look_every.as_secs()));
        assert_eq!(seen, [("stream-fallback", 3, 30), ("connection", 5, 5)]);
        assert_eq!(Patience::named("connection"), Some(Patience::CONNECTION));
        assert_eq!(Patience::named("never"), None);
    }

    #[test]
    fn three_failures_in_a_row_lead_to_the_fallback_and_a_look_leads_back() {
        let start = Instant::now();
        let at = |secs| start + Duration::from_secs(secs);
        let mut choice = Choice::new(Patience::STREAM_FALLBACK, true);
        choice.failed(Place::First, start);
        choice.failed(Place::First, start);
        choice.answered(Place::First);
        for second in 1..=3 {
            assert_eq!(choice.next(at(second)), Place::First, "only failures in a row count");
            assert_eq!(choice.look_at(), None);
            choice.failed(Place::First, at(second));
        }
        assert_eq!(choice.next(at(4)), Place::Fallback);
        choice.answered(Place::Fallback);
        assert_eq!((choice.look_at(), choice.next(at(32))), (Some(at(33)), Place::Fallback));
        // The look fails, the next one does not.
        assert_eq!(choice.next(at(33)), Place::First);
        choice.failed(Place::First, at(33));
        assert_eq!((choice.look_at(), choice.next(at(34))), (Some(at(63)), Place::Fallback));
        choice.answered(Place::First);
        assert_eq!((choice.look_at(), choice.next(at(64))), (None, Place::First));
        // It answered, and the stream did not come.
        choice.stays_away(at(70));
        assert_eq!((choice.look_at(), choice.next(at(71))), (Some(at(100)), Place::Fallback));
    }

    #[test]
    fn with_both_down_they_take_turns_and_without_a_fallback_there_is_one_place() {
        let start = Instant::now();
        let mut choice = Choice::new(Patience { attempts: 1, ..Patience::CONNECTION }, true);
        let tried: Vec<Place> = (0..5)
            .map(|_| {
                let place = choice.next(start);
                choice.failed(place, start);
                place
            })
            .collect();
        use Place::{Fallback, First};
        assert_eq!(tried, [First, Fallback, First, Fallback, First]);
        let mut alone = Choice::new(Patience::CONNECTION, false);
        for _ in 0..20 {
            assert_eq!((alone.next(start), alone.look_at()), (Place::First, None));
            alone.failed(Place::First, start);
        }
    }
}
