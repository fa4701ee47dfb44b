//! How unevenly requests travel, learned from round trips.
//!
//! Two requests that leave a period apart need not arrive a period apart: the first may be late
//! and the second quick. A request whose answer came after `rtt` has arrived at the latest when
//! the quickest answer could still come back, so it counts at the server for at most
//! `rtt - (quickest round trip)` longer than its moment of sending says. That bound is the guard,
//! for each request its own; a rare slow one costs nothing but its own share.

/// Below this many round trips the quickest is not known: nothing is subtracted.
const ENOUGH: u64 = 16;
/// How far below the quickest round trip seen the true one may lie, in units of spread / √count.
/// For delays that are uniform both ways, 4 is missed once in e^32 times.
const DOUBT: u64 = 4;
/// What is older than two ages is forgotten: routes change.
const AGE: u64 = 600_000_000_000;
/// An age has at least so many round trips.
const AGE_COUNT: u64 = 4096;

/// Round trips of one server, in nanoseconds.
#[derive(Debug, Default)]
pub(super) struct Delay {
    present: Age,
    last: Age,
    floor: u64,
    spread: u64,
}

#[derive(Debug, Clone, Copy)]
struct Age {
    since: u64,
    least: u64,
    most: u64,
    count: u64,
}

impl Default for Age {
    fn default() -> Self {
        Self { since: 0, least: u64::MAX, most: 0, count: 0 }
    }
}

impl Delay {
    /// Takes a round trip.
    pub(super) fn learn(&mut self, now: u64, rtt: u64) {
        if self.present.count >= AGE_COUNT && now.saturating_sub(self.present.since) >= AGE {
            self.last = std::mem::take(&mut self.present);
        }
        let age = &mut self.present;
        if age.count == 0 {
            age.since = now;
        }
        age.least = age.least.min(rtt);
        age.most = age.most.max(rtt);
        age.count += 1;
        let count = age.count + self.last.count;
        let least = self.present.least.min(self.last.least);
        self.spread = self.present.most.max(self.last.most) - least;
        self.floor = match count {
            0..ENOUGH => 0,
            _ => least.saturating_sub(DOUBT.saturating_mul(self.spread) / count.isqrt()),
        };
        self.spread = self.spread.max(self.present.most.max(self.last.most) - self.floor);
    }

    /// Forgets what is known: a request arrived where it could not have.
    pub(super) fn doubt(&mut self) {
        *self = Self::default();
    }

    /// How much longer than it seems a request with this round trip may count.
    pub(super) const fn excess(&self, rtt: u64) -> u64 {
        rtt.saturating_sub(self.floor)
    }

    /// The longest round trip that is remembered.
    pub(super) fn slowest(&self) -> u64 {
        self.present.most.max(self.last.most)
    }

    /// The most that any may count longer; `None` before it is learned.
    pub(super) fn spread(&self) -> Option<u64> {
        (self.present.count + self.last.count >= ENOUGH).then_some(self.spread)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_subtracted_before_it_is_learned() {
        let mut delay = Delay::default();
        assert_eq!((delay.excess(50), delay.spread()), (50, None));
        (0..15).for_each(|_| delay.learn(1, 40));
        assert_eq!(delay.excess(50), 50);
        delay.learn(1, 40);
        assert_eq!((delay.excess(50), delay.excess(30)), (10, 0));
        delay.doubt();
        assert_eq!(delay.excess(50), 50);
    }

    #[test]
    fn a_wide_spread_is_believed_late() {
        let mut delay = Delay::default();
        (0..50).for_each(|n| delay.learn(1, 100 + n));
        assert_eq!(
            delay.excess(120),
            20 + 4 * 49 / 7,
            "four times the spread over the root of fifty"
        );
        (0..10_000).for_each(|n| delay.learn(1, 100 + n % 50));
        assert_eq!(delay.excess(120), 21);
        assert_eq!(delay.spread(), Some(50));
    }

    #[test]
    fn an_old_quickest_round_trip_is_forgotten_after_two_ages() {
        let mut delay = Delay::default();
        delay.learn(0, 10);
        for age in 1..4u64 {
            (0..5000).for_each(|_| delay.learn(age * AGE, 100));
        }
        assert_eq!(delay.excess(100), 0);
    }
}
