//! When bars of an instrument are expected: by the calendar of its market where one is known, else as
//! the data shows.

use std::time::Duration;

use finstage_feeds::{MarketHours, registry};
use finstage_model::{Calendar, Interval, Symbol, Timestamp};
use finstage_store::history::Schedule;

/// When bars of an instrument are expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Around the clock.
    Always,
    /// In these sessions.
    Sessions(Calendar),
    /// As the data shows: no calendar covers it.
    Unknown,
}

impl Expected {
    /// Between two moments.
    #[must_use]
    pub fn between(symbol: &Symbol, from: Timestamp, to: Timestamp) -> Self {
        match registry::hours(symbol) {
            None => Self::Unknown,
            Some(MarketHours::Always) => Self::Always,
            Some(hours) => {
                // Days are of the market's zone, and the last bar is waited for until its end.
                let first = hours.day_of(from).previous();
                let last = hours.day_of(to).next();
                hours.calendar(first, last).map_or(Self::Unknown, Self::Sessions)
            }
        }
    }

    /// The same for the search of holes.
    #[must_use]
    pub const fn schedule(&self) -> Schedule<'_> {
        match self {
            Self::Always => Schedule::Always,
            Self::Sessions(calendar) => Schedule::Sessions(calendar),
            Self::Unknown => Schedule::Inferred,
        }
    }

    /// How many bars open between two moments, the second one not included. Where no calendar is known,
    /// from Monday to Friday around the clock.
    #[must_use]
    pub fn count(&self, interval: Interval, from: Timestamp, to: Timestamp) -> u64 {
        let mut count = 0;
        let mut open = interval.open_of(from);
        if open < from {
            open = interval.close_of(open);
        }
        let instant = Duration::from_nanos(1);
        while open < to {
            let close = interval.close_of(open);
            let is_expected = match self {
                _ if interval >= Interval::W1 => true,
                Self::Always => true,
                Self::Sessions(calendar) => match calendar.after(open, instant) {
                    Some(traded) if traded > close => {
                        // The night is not walked through bar by bar.
                        let next = interval.open_of(traded);
                        open = if next > open { next } else { close };
                        continue;
                    }
                    traded => traded.is_some(),
                },
                Self::Unknown => open.day().days_from_monday() < 5,
            };
            count += u64::from(is_expected);
            open = close;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_expected_in_the_sessions_of_the_calendar() {
        let at = |text: &str| -> Timestamp { text.parse().unwrap() };
        let count = |symbol: &str, interval, from: &str, to: &str| {
            let (from, to) = (at(from), at(to));
            Expected::between(&symbol.parse().unwrap(), from, to).count(interval, from, to)
        };
        // The 3rd of July 2024 ended at 13:00, the 4th was closed.
        let us = "yahoo:AAPL";
        assert_eq!(count(us, Interval::D1, "2024-07-01", "2024-07-08"), 4);
        assert_eq!(count(us, Interval::M30, "2024-07-01", "2024-07-08"), 3 * 13 + 7);
        assert_eq!(count(us, Interval::W1, "2024-07-01", "2024-07-15"), 2);
        assert_eq!(count("binance:BTCUSDT", Interval::H1, "2024-07-01", "2024-07-02"), 24);
        assert_eq!(count("yahoo:ES=F", Interval::D1, "2024-07-01", "2024-07-08"), 5);
        assert_eq!(count(us, Interval::D1, "1990-01-01", "1990-01-08"), 5, "before the calendar");
    }
}
