use std::fmt;

use crate::Day;

/// Which run of a day: a restart with another configuration opens the next one. Starts at 1.
pub type RunNumber = u16;

/// A place in the journal: day, run of that day, number of the event in that run.
///
/// Positions order as they were written, fit an SQL integer (63 bits) and never repeat.
///
/// ```
/// use finstage_model::{Day, Position};
/// let p = Position::new(Day::from_days(20_778), 1, 42);
/// assert_eq!(p.to_string(), "2026-11-21/1#42");
/// assert_eq!(Position::from_i64(p.to_i64()), p);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(i64);

impl Position {
    const RUN_BITS: u32 = 8;
    const SEQ_BITS: u32 = 35;
    /// The greatest run number of a day.
    pub const MAX_RUN: RunNumber = (1 << Self::RUN_BITS) - 1;
    /// The greatest event number of a run.
    pub const MAX_SEQ: u64 = (1 << Self::SEQ_BITS) - 1;
    /// Before everything.
    pub const START: Self = Self(0);

    /// The place of event `seq` (from 0) of run `run`.
    ///
    /// # Panics
    /// `invariant:` when a part does not fit: a day before 1970, more than 255 runs a day or more
    /// than 3.4e10 events a run.
    #[must_use]
    pub fn new(day: Day, run: RunNumber, seq: u64) -> Self {
        let fits =
            (0..1 << 20).contains(&day.days()) && run <= Self::MAX_RUN && seq <= Self::MAX_SEQ;
        assert!(fits, "invariant: position {day}/{run}#{seq} does not fit");
        let high = i64::from(day.days()) << (Self::RUN_BITS + Self::SEQ_BITS);
        Self(high | i64::from(run) << Self::SEQ_BITS | seq as i64)
    }

    /// The day.
    #[must_use]
    pub fn day(self) -> Day {
        Day::from_days((self.0 >> (Self::RUN_BITS + Self::SEQ_BITS)) as i32)
    }

    /// The run of the day.
    #[must_use]
    pub fn run(self) -> RunNumber {
        (self.0 >> Self::SEQ_BITS) as RunNumber & Self::MAX_RUN
    }

    /// The number of the event in its run.
    #[must_use]
    pub fn seq(self) -> u64 {
        self.0 as u64 & Self::MAX_SEQ
    }

    /// The place `events` later in the same run.
    #[must_use]
    pub fn plus(self, events: u64) -> Self {
        Self::new(self.day(), self.run(), self.seq() + events)
    }

    /// As one ordered integer, for SQL.
    #[must_use]
    pub const fn to_i64(self) -> i64 {
        self.0
    }

    /// From the integer of [`Position::to_i64`].
    #[must_use]
    pub const fn from_i64(value: i64) -> Self {
        Self(value)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.day(), self.run(), self.seq())
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Position({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_order_by_day_then_run_then_event() {
        let p = |day, run, seq| Position::new(Day::from_days(day), run, seq);
        let ordered =
            [p(1, 1, 0), p(1, 1, 9), p(1, 2, 0), p(2, 1, 0), p(2, 255, Position::MAX_SEQ)];
        assert!(ordered.is_sorted());
        let last = ordered[4];
        assert_eq!((last.day().days(), last.run(), last.seq()), (2, 255, Position::MAX_SEQ));
        assert_eq!(p(1, 1, 0).plus(7).seq(), 7);
    }
}
