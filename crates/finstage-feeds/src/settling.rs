//! When a bar that a venue shows is over, and when the next one will be.
//!
//! A polled venue shows the bar of the present as it grows, and quotes that may be late. A bar is
//! handed on once, so it is waited for until nothing more can belong to it: its interval or its
//! session is over, the quotes of that moment have arrived, and a little time has passed.

use std::time::Duration;

use finstage_model::{Day, Interval, Span, Symbol, Timestamp};

use crate::MarketHours;
use crate::registry;

/// After its end a bar of less than a day is waited for this long.
pub const AFTER_INTERVAL: Duration = Duration::from_secs(60);
/// After the close of its session a bar of a day is waited for this long: closing auctions are
/// entered late.
pub const AFTER_DAY: Duration = Duration::from_secs(600);
/// Days looked back for the last session and ahead for the next: the longest holidays are shorter.
const MAX_DAYS: i32 = 15;
/// Intervals that are stepped over at most in search of the next one.
const MAX_STEPS: usize = 64;

/// When the bars of one instrument are over.
#[derive(Debug, Clone, Copy)]
pub struct Settling {
    hours: Option<MarketHours>,
    delay: Duration,
}

impl Settling {
    /// As the registry knows the market; around the clock where it does not.
    #[must_use]
    pub fn of(symbol: &Symbol) -> Self {
        let delay = registry::quote_delay_s(symbol).unwrap_or(0);
        Self { hours: registry::hours(symbol), delay: Duration::from_secs(delay.into()) }
    }

    /// The hours that it goes by.
    #[must_use]
    pub const fn hours(&self) -> Option<MarketHours> {
        self.hours
    }

    /// When the bar that opens at `open_time` can be handed on.
    #[must_use]
    pub fn due(&self, interval: Interval, open_time: Timestamp) -> Timestamp {
        let end = interval.close_of(open_time);
        let wait = if interval < Interval::D1 { AFTER_INTERVAL } else { AFTER_DAY };
        let session = self.hours.and_then(|hours| hours.session_of(interval, open_time));
        let end = session.map_or(end, |session| session.close.min(end));
        end.plus(self.delay).plus(wait)
    }

    /// Whether trading in the regular session can have made a bar that opens at `open_time`; true
    /// where the hours are not known.
    #[must_use]
    pub fn is_in_session(&self, interval: Interval, open_time: Timestamp) -> bool {
        let known = self.hours.filter(|hours| *hours != MarketHours::Always);
        let Some(hours) = known.filter(|_| interval < Interval::D1) else { return true };
        match hours.session(hours.day_of(open_time)) {
            Ok(Some(session)) => session.open <= open_time && open_time < session.close,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// The open time of the newest bar that is over at `now`, and when the next one will be.
    #[must_use]
    pub fn around(&self, interval: Interval, now: Timestamp) -> (Option<Timestamp>, Timestamp) {
        let known = self.hours.filter(|hours| *hours != MarketHours::Always);
        let in_sessions = known.filter(|_| interval <= Interval::D1);
        let found = in_sessions.and_then(|hours| self.around_sessions(hours, interval, now));
        found.unwrap_or_else(|| self.around_the_clock(interval, now))
    }

    fn around_sessions(
        &self,
        hours: MarketHours,
        interval: Interval,
        now: Timestamp,
    ) -> Option<(Option<Timestamp>, Timestamp)> {
        let today = hours.day_of(now).days();
        let opens = |day: Day| -> Option<Vec<Timestamp>> {
            let session = hours.session(day).ok()?;
            Some(session.map_or_else(Vec::new, |session| slots(day, session, interval)))
        };
        let mut newest = None;
        for back in 0..=MAX_DAYS {
            let over = opens(Day::from_days(today - back))?;
            newest = over.into_iter().rfind(|open| self.due(interval, *open) <= now);
            if newest.is_some() {
                break;
            }
        }
        for ahead in -1..=MAX_DAYS {
            let coming = opens(Day::from_days(today + ahead))?;
            let mut dues = coming.into_iter().map(|open| self.due(interval, open));
            if let Some(due) = dues.find(|due| *due > now) {
                return Some((newest, due));
            }
        }
        None
    }

    fn around_the_clock(
        &self,
        interval: Interval,
        now: Timestamp,
    ) -> (Option<Timestamp>, Timestamp) {
        let lag = self.delay.saturating_add(AFTER_DAY).saturating_add(interval.nominal() * 2);
        let mut newest = None;
        let mut open = interval.open_of(now.minus(lag));
        for _ in 0..MAX_STEPS {
            let due = self.due(interval, open);
            if due > now {
                return (newest, due);
            }
            newest = Some(open);
            open = interval.close_of(open);
        }
        // Quotes that are later than so many intervals: the newest bars are not looked for one by one.
        (newest, now.plus(interval.nominal()))
    }
}

/// Where the bars of a session open.
fn slots(day: Day, session: Span, interval: Interval) -> Vec<Timestamp> {
    if interval == Interval::D1 {
        return vec![day.start()];
    }
    let next = |open: &Timestamp| Some(interval.close_of(*open));
    std::iter::successors(Some(session.open), next)
        .take_while(|open| *open < session.close)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settling(symbol: &str) -> Settling {
        Settling::of(&symbol.parse().unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_over_after_the_close_of_its_session_and_the_delay_of_its_quotes() {
        let due = |symbol: &str, day: &str| settling(symbol).due(Interval::D1, at(day)).to_string();
        assert_eq!(due("yahoo:AAPL", "2024-03-08"), "2024-03-08T21:10:00Z");
        assert_eq!(due("yahoo:AAPL", "2024-03-11"), "2024-03-11T20:10:00Z", "clocks went forward");
        assert_eq!(due("yahoo:AAPL", "2026-11-27"), "2026-11-27T18:10:00Z", "a half-day");
        assert_eq!(due("yahoo:005930.KS", "2024-03-08"), "2024-03-08T07:00:00Z");
        assert_eq!(due("yahoo:BTC-USD", "2024-03-08"), "2024-03-09T00:10:00Z");
    }

    #[test]
    fn the_last_hour_of_a_session_ends_with_it() {
        let us = settling("yahoo:AAPL");
        let due = us.due(Interval::H1, at("2024-03-11T19:30:00Z"));
        assert_eq!(due, at("2024-03-11T20:01:00Z"));
        assert!(!us.is_in_session(Interval::H1, at("2024-03-11T20:00:00Z")));
    }

    #[test]
    fn nothing_is_due_while_the_market_is_closed() {
        let us = settling("yahoo:AAPL");
        let (newest, next) = us.around(Interval::M5, at("2024-07-03T18:00:00Z"));
        assert_eq!(newest, Some(at("2024-07-03T16:55:00Z")), "the day before the 4th closes at 13");
        assert_eq!(next, at("2024-07-05T13:36:00Z"));
        let (newest, next) = us.around(Interval::D1, at("2024-07-04T15:00:00Z"));
        assert_eq!((newest, next), (Some(at("2024-07-03")), at("2024-07-05T20:10:00Z")));
    }

    #[test]
    fn a_market_of_unknown_hours_is_asked_after_every_interval() {
        let future = settling("yahoo:ES=F");
        let (newest, next) = future.around(Interval::M15, at("2024-03-09T12:14:00Z"));
        assert_eq!(newest, Some(at("2024-03-09T11:45:00Z")), "quotes are ten minutes late");
        assert_eq!(next, at("2024-03-09T12:26:00Z"));
        let (newest, _) = future.around(Interval::W1, at("2024-03-13T00:00:00Z"));
        assert_eq!(newest, Some(at("2024-03-04")));
    }
}
