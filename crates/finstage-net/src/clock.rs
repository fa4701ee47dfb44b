//! The only file that reads the machine's clocks.
//!
//! Everything else takes a [`Clock`]: a test then moves time by hand, and the demonstration can
//! run a day in minutes.
#![expect(
    clippy::disallowed_methods,
    reason = "this file wraps the two clocks that all others must not read"
)]

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use finstage_model::{Clock, Timestamp};

use crate::steady::{ClockTurn, Steady};

/// The machine's wall clock. It may jump when somebody sets it.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // Before 1970 only on a machine whose clock was never set; the epoch says so well enough.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.plus(since)
    }
}

/// The machine's wall clock, which is not believed at once when somebody sets it: time goes on at its pace until what
/// venues say ([`SteadyClock::hear`]) or [`LEAP_DOUBT`](crate::LEAP_DOUBT) decides. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct SteadyClock {
    origin: Instant,
    steady: Arc<Mutex<Steady>>,
}

impl SteadyClock {
    /// One that shows now what the machine's does.
    #[must_use]
    pub fn new() -> Self {
        let steady = Steady::new(SystemClock.now(), Duration::ZERO);
        Self { origin: Instant::now(), steady: Arc::new(Mutex::new(steady)) }
    }

    /// Hears that it is about `at`, as the newest trade of a venue says.
    pub fn hear(&self, at: Timestamp) {
        self.steady().hear(at, SystemClock.now(), self.origin.elapsed());
    }

    /// What became of the machine's clock; each turn is told once, and of several the newest.
    #[must_use]
    pub fn turn(&self) -> Option<ClockTurn> {
        self.steady().turn()
    }

    fn steady(&self) -> MutexGuard<'_, Steady> {
        self.steady.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        // Locked first: two readers see both clocks in one order.
        let mut steady = self.steady();
        steady.now(SystemClock.now(), self.origin.elapsed())
    }
}

/// A clock that starts anywhere and runs `factor` times as fast as real time. It never goes back.
#[derive(Debug, Clone, Copy)]
pub struct ScaledClock {
    start: Timestamp,
    factor: f64,
    origin: Instant,
}

impl ScaledClock {
    /// A clock that shows `start` now.
    ///
    /// # Panics
    /// When `factor` is not a positive number.
    #[must_use]
    pub fn new(start: Timestamp, factor: f64) -> Self {
        assert!(
            factor.is_finite() && factor > 0.0,
            "invariant: a clock runs forward, not at {factor}"
        );
        Self { start, factor, origin: Instant::now() }
    }

    /// A clock that was right at `right_at`, a moment of the machine's clock, and runs `factor` times as fast since
    /// then: processes that are given the same two have the same time.
    ///
    /// # Panics
    /// As [`ScaledClock::new`].
    #[must_use]
    pub fn right_at(right_at: Timestamp, factor: f64) -> Self {
        let passed = SystemClock.now().since(right_at);
        Self::new(right_at.plus(scale(passed, factor)), factor)
    }

    /// How long a stretch of this clock takes in real time: what to give to a timer.
    #[must_use]
    pub fn real(&self, simulated: Duration) -> Duration {
        scale(simulated, 1.0 / self.factor)
    }
}

impl Clock for ScaledClock {
    fn now(&self) -> Timestamp {
        self.start.plus(scale(self.origin.elapsed(), self.factor))
    }
}

fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_shows_this_century() {
        assert!(SystemClock.now() > "2020-01-01".parse().unwrap());
    }

    #[test]
    fn a_scaled_clock_starts_where_told_and_runs_forward() {
        let start: Timestamp = "2026-01-05T12:00:00Z".parse().unwrap();
        let clock = ScaledClock::new(start, 60.0);
        let first = clock.now();
        assert!(first >= start);
        assert!(clock.now() >= first);
        assert_eq!(clock.real(Duration::from_secs(60)), Duration::from_secs(1));
        let slow = ScaledClock::new(start, 0.5);
        assert_eq!(slow.real(Duration::from_secs(1)), Duration::from_secs(2));
        assert_eq!(slow.real(Duration::MAX), Duration::MAX);
    }

    #[test]
    fn clocks_that_were_right_at_the_same_moment_show_the_same() {
        let right_at = SystemClock.now().minus(Duration::from_secs(100));
        let (one, other) =
            (ScaledClock::right_at(right_at, 1e3), ScaledClock::right_at(right_at, 1e3));
        assert!(one.now() >= right_at.plus(Duration::from_secs(100_000)));
        assert!(other.now().since(one.now()) < Duration::from_secs(3_600));
    }

    #[test]
    #[should_panic(expected = "invariant")]
    fn a_clock_that_stands_still_is_refused() {
        let _ = ScaledClock::new(Timestamp::EPOCH, 0.0);
    }
}
