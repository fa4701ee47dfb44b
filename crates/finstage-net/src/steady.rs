//! What time it is when the machine's clock leaps.
//!
//! A clock that somebody sets, by hand or by a broken time server, is not believed at once: all that happens would be
//! dated by it, bars would close that have not ended, and nothing could be said again until the right time has come
//! there. Time goes on at its pace instead, until a witness (the stamp of a trade, say) speaks for one of the two.

use std::time::Duration;

use finstage_model::Timestamp;

/// A leap that is not farther is followed at once: time servers step a clock so far, and bars wait longer.
pub const LEAP_MIN: Duration = Duration::from_secs(5);
/// A clock that leapt and that nobody spoke for or against is believed after this.
pub const LEAP_DOUBT: Duration = Duration::from_secs(600);
/// A witness speaks for a time that is not farther from its own.
pub const WITNESS_NEAR: Duration = Duration::from_secs(30);

/// What became of the machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockTurn {
    /// It was set: so many nanoseconds ahead of the time that goes on here, or behind it.
    Leapt(i64),
    /// It shows the time again that went on here.
    Right,
    /// A witness spoke for it, or nobody spoke: this is the time from now on.
    Believed,
    /// It did not leap, and is so many nanoseconds behind what a witness says, which cannot come from the future.
    Behind(i64),
}

/// Time that goes on at its pace; `passed` is what a clock shows that nobody sets.
#[derive(Debug)]
pub(crate) struct Steady {
    base: (Timestamp, Duration),
    /// When the clock that leapt is believed.
    doubted: Option<Duration>,
    /// The newest turn that nobody heard of.
    turn: Option<ClockTurn>,
    /// Whether it was said that the clock is behind.
    is_behind: bool,
}

impl Steady {
    pub(crate) const fn new(wall: Timestamp, passed: Duration) -> Self {
        Self { base: (wall, passed), doubted: None, turn: None, is_behind: false }
    }

    /// The time, while the machine's clock shows `wall`.
    pub(crate) fn now(&mut self, wall: Timestamp, passed: Duration) -> Timestamp {
        let shown = self.shown(passed);
        match self.doubted {
            _ if apart(wall, shown) <= LEAP_MIN => {
                if self.doubted.is_some() {
                    self.turn = Some(ClockTurn::Right);
                }
                self.follow(wall, passed)
            }
            Some(until) if passed >= until => self.believe(wall, passed),
            Some(_) => shown,
            None => {
                self.doubted = Some(passed + LEAP_DOUBT);
                self.turn = Some(ClockTurn::Leapt(wall.nanos().saturating_sub(shown.nanos())));
                shown
            }
        }
    }

    /// Hears that it is about `at`, while the machine's clock shows `wall`.
    pub(crate) fn hear(&mut self, at: Timestamp, wall: Timestamp, passed: Duration) {
        if self.doubted.is_none() {
            return self.hear_undoubted(at, wall, passed);
        }
        let shown = self.shown(passed);
        let near = (apart(wall, shown) / 2).min(WITNESS_NEAR);
        if apart(at, wall) < near {
            self.believe(wall, passed);
        } else if apart(at, shown) < near {
            self.doubted = Some(passed + LEAP_DOUBT);
        }
    }

    /// An old stamp may be a late message; one from the future means that this clock is behind, unless it leapt a
    /// moment ago.
    fn hear_undoubted(&mut self, at: Timestamp, wall: Timestamp, passed: Duration) {
        if apart(wall, self.shown(passed)) > LEAP_MIN {
            return;
        }
        let ahead = at.since(wall);
        if ahead > LEAP_MIN && !self.is_behind {
            self.is_behind = true;
            self.turn = Some(ClockTurn::Behind(at.nanos().saturating_sub(wall.nanos())));
        } else if ahead < LEAP_MIN / 2 {
            self.is_behind = false;
        }
    }

    /// What became of the machine's clock, once.
    pub(crate) fn turn(&mut self) -> Option<ClockTurn> {
        self.turn.take()
    }

    #[cfg(test)]
    pub(crate) const fn is_doubted(&self) -> bool {
        self.doubted.is_some()
    }

    fn shown(&self, passed: Duration) -> Timestamp {
        let (base, at) = self.base;
        base.plus(passed.saturating_sub(at))
    }

    fn believe(&mut self, wall: Timestamp, passed: Duration) -> Timestamp {
        self.turn = Some(ClockTurn::Believed);
        self.follow(wall, passed)
    }

    fn follow(&mut self, wall: Timestamp, passed: Duration) -> Timestamp {
        self.base = (wall, passed);
        self.doubted = None;
        wall
    }
}

fn apart(one: Timestamp, other: Timestamp) -> Duration {
    one.since(other).max(other.since(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const START: Timestamp = Timestamp::from_secs(1_700_000_000);

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_clock_that_is_set_a_day_ahead_and_right_again_changes_nothing() {
        let mut steady = Steady::new(START, secs(0));
        assert_eq!(steady.now(START.plus(secs(1)), secs(1)), START.plus(secs(1)));
        for second in 2..5_000 {
            let right = START.plus(secs(second));
            assert_eq!(steady.now(right.plus(DAY), secs(second)), right);
            // Trades of a venue go on, delayed as they are.
            steady.hear(right.minus(secs(2)), right.plus(DAY), secs(second));
        }
        assert_eq!(steady.turn(), Some(ClockTurn::Leapt(86_400_000_000_000)));
        let right = START.plus(secs(5_000));
        assert_eq!(steady.now(right, secs(5_000)), right);
        assert_eq!((steady.turn(), steady.turn()), (Some(ClockTurn::Right), None));
    }

    #[test]
    fn a_leap_that_a_trade_confirms_is_believed_at_once() {
        // A machine that slept: real time passed, and the clock that nobody sets stood still.
        for leap in [secs(60), DAY] {
            let mut steady = Steady::new(START, secs(0));
            let awake = START.plus(leap);
            assert_eq!(steady.now(awake, secs(1)), START.plus(secs(1)));
            steady.hear(START.plus(secs(1)), awake, secs(1));
            assert!(steady.is_doubted(), "what was still in the socket is no witness for it");
            steady.hear(awake.minus(secs(1)), awake, secs(1));
            assert_eq!(steady.turn(), Some(ClockTurn::Believed));
            assert_eq!(steady.now(awake.plus(secs(1)), secs(2)), awake.plus(secs(1)));
        }
    }

    #[test]
    fn a_leap_that_nobody_speaks_of_is_believed_after_a_while_in_either_direction() {
        for (wall, by) in [(START.plus(DAY), 86_400), (START.minus(DAY), -86_400)] {
            let mut steady = Steady::new(START, secs(0));
            assert_eq!(steady.now(wall, secs(0)), START);
            assert_eq!(steady.turn(), Some(ClockTurn::Leapt(by * 1_000_000_000)));
            assert_eq!(steady.now(wall.plus(secs(599)), secs(599)), START.plus(secs(599)));
            assert_eq!(steady.now(wall.plus(LEAP_DOUBT), LEAP_DOUBT), wall.plus(LEAP_DOUBT));
            assert_eq!(steady.turn(), Some(ClockTurn::Believed));
        }
    }

    #[test]
    fn a_clock_that_is_behind_from_the_start_is_said_once() {
        let mut steady = Steady::new(START, secs(0));
        for second in 0..100 {
            let wall = START.plus(secs(second));
            assert_eq!(steady.now(wall, secs(second)), wall, "there is no other time to go by");
            steady.hear(wall.plus(DAY), wall, secs(second));
            let expected = (second == 0).then_some(ClockTurn::Behind(86_400_000_000_000));
            assert_eq!(steady.turn(), expected, "second {second}");
        }
        let late = START.plus(secs(100));
        steady.hear(late.minus(secs(20)), late, secs(100));
        steady.hear(late.plus(LEAP_MIN), late, secs(100));
        assert_eq!(
            steady.turn(),
            None,
            "what is late, or as little ahead as venues are, says nothing"
        );
    }

    #[test]
    fn small_steps_are_followed() {
        let mut steady = Steady::new(START, secs(0));
        assert_eq!(steady.now(START.plus(LEAP_MIN), secs(0)), START.plus(LEAP_MIN));
        assert_eq!(steady.now(START, secs(0)), START);
        assert_eq!(steady.turn(), None);
    }
}
