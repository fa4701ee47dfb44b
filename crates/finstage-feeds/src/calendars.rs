//! When markets are open: regular sessions of stock markets by rule or by table, as UTC spans.
//!
//! A calendar says what it covers. Outside of that it refuses, because a guessed holiday shifts every
//! horizon that is counted over it.

mod korea;
mod us;

use std::fmt;

use finstage_model::{Calendar, Day, Horizon, Interval, Span, Timestamp};
use jiff::civil;
use jiff::tz::TimeZone;

/// Days that are looked at for the next session. The longest that one of the markets was closed since
/// 1998 are the ten days of Chuseok 2017.
const MAX_CLOSED_DAYS: usize = 30;

/// The regular session of a kind of market.
///
/// ```
/// use finstage_feeds::MarketHours;
/// let hours = MarketHours::find("us").unwrap();
/// let session = hours.session("2024-07-03".parse().unwrap()).unwrap().unwrap();
/// assert_eq!(session.open.to_string(), "2024-07-03T13:30:00Z");
/// assert_eq!(session.close.to_string(), "2024-07-03T17:00:00Z"); // the day before the 4th of July
/// assert!(hours.session("1997-12-31".parse().unwrap()).is_err()); // not covered
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum MarketHours {
    /// Shares and funds in New York: 09:30 to 16:00, on half-days to 13:00; since 1998.
    ///
    /// Sources: NYSE rule 7.2 (holidays and their observance) and the calendars of holidays and early
    /// closings on nyse.com and nasdaqtrader.com, from which special closures come.
    Us,
    /// Shares and funds in Seoul: 09:00 to 15:30, until July 2016 to 15:00; since 2010.
    ///
    /// Sources: the closing days on open.krx.co.kr, which follow the presidential decree on holidays of
    /// government offices (관공서의 공휴일에 관한 규정) and the law of 2021 that took its place.
    Korea,
    /// Around the clock. A session is a UTC day.
    Always,
}

/// What a calendar says about a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// The session that is on at the moment.
    pub current: Option<Span>,
    /// The first session that opens later; `None` where the calendar ends before.
    pub next: Option<Span>,
}

/// A day outside of what a calendar covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotCovered {
    hours: MarketHours,
    day: Day,
}

impl fmt::Display for NotCovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, (first, last)) = (self.hours.name(), self.hours.covers());
        write!(
            f,
            "calendar \"{name}\" does not cover {}: it holds {first} to {last}; a newer finstage may know more",
            self.day
        )
    }
}

impl std::error::Error for NotCovered {}

impl MarketHours {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Us, Self::Korea, Self::Always];

    /// Its name in files and results: `us`, `kr` or `always`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Korea => "kr",
            Self::Always => "always",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hours| hours.name() == name)
    }

    /// The IANA name of the zone that its days and times are in.
    #[must_use]
    pub const fn zone(self) -> &'static str {
        match self {
            Self::Us => "America/New_York",
            Self::Korea => "Asia/Seoul",
            Self::Always => "UTC",
        }
    }

    /// First and last day that it knows, both included.
    #[must_use]
    pub const fn covers(self) -> (Day, Day) {
        match self {
            Self::Us => us::COVERS,
            Self::Korea => korea::COVERS,
            Self::Always => (Timestamp::MIN.day().next(), Timestamp::MAX.day().previous()),
        }
    }

    /// The session of a day of the market's own zone; `None` where it is closed all day.
    ///
    /// # Errors
    /// The calendar does not cover the day.
    pub fn session(self, day: Day) -> Result<Option<Span>, NotCovered> {
        let (first, last) = self.covers();
        if day < first || day > last {
            return Err(NotCovered { hours: self, day });
        }
        let local = match self {
            Self::Us => us::hours(day),
            Self::Korea => korea::hours(day),
            Self::Always => return Ok(Some(Span { open: day.start(), close: day.end() })),
        };
        let zone = self.time_zone();
        Ok(local.map(|(open, close)| Span {
            open: moment(day, open, &zone),
            close: moment(day, close, &zone),
        }))
    }

    /// The session that a bar of a day or less is of, where sessions end. A day is named in UTC and means the
    /// market's own.
    #[must_use]
    pub fn session_of(self, interval: Interval, open_time: Timestamp) -> Option<Span> {
        match interval {
            _ if self == Self::Always => None,
            Interval::D1 => self.session(open_time.day()).ok().flatten(),
            Interval::W1 | Interval::Mo1 => None,
            _ => {
                let session = self.session(self.day_of(open_time)).ok().flatten()?;
                (session.open <= open_time && open_time < session.close).then_some(session)
            }
        }
    }

    /// All sessions of days of the market's own zone, `from` and `to` included.
    ///
    /// # Errors
    /// Names the first day that the calendar does not cover.
    pub fn calendar(self, from: Day, to: Day) -> Result<Calendar, NotCovered> {
        let mut spans = Vec::new();
        let mut day = from;
        while day <= to && self != Self::Always {
            spans.extend(self.session(day)?);
            day = day.next();
        }
        Ok(match self {
            Self::Always => Calendar::always(),
            _ => Calendar::sessions(spans).expect("a session ends on the day on which it opens"),
        })
    }

    /// The session that is on at a moment, and the next one.
    ///
    /// # Errors
    /// The calendar does not cover the moment's day in the market's zone.
    pub fn around(self, at: Timestamp) -> Result<SessionTimes, NotCovered> {
        let today = self.day_of(at);
        let session = self.session(today)?;
        let current = session.filter(|span| span.open <= at && at < span.close);
        let later = std::iter::successors(Some(today), |day| Some(day.next()));
        let sessions = later.take(MAX_CLOSED_DAYS).map_while(|day| self.session(day).ok());
        let next = sessions.flatten().find(|span| span.open > at);
        Ok(SessionTimes { current, next })
    }

    /// How many bars of a length a usual session has; the last one may be shorter.
    #[must_use]
    pub const fn bars_a_day(self, interval: Interval) -> usize {
        const REGULAR_S: u64 = 390 * 60;
        const DAY_S: u64 = 86_400;
        let open_s = if matches!(self, Self::Always) { DAY_S } else { REGULAR_S };
        match interval {
            Interval::D1 | Interval::W1 | Interval::Mo1 => 1,
            _ => open_s.div_ceil(interval.nominal().as_secs()) as usize,
        }
    }

    /// The bars of open time that a horizon is; `None` when it is shorter than one bar. From a day on
    /// it is days of [`MarketHours::bars_a_day`].
    ///
    /// ```
    /// use finstage_feeds::MarketHours;
    /// use finstage_model::Interval;
    /// let week = "1w".parse().unwrap();
    /// assert_eq!(MarketHours::Us.bars_of(week, Interval::M15), Some(5 * 26));
    /// assert_eq!(MarketHours::Always.bars_of(week, Interval::M15), Some(7 * 96));
    /// ```
    #[must_use]
    pub fn bars_of(self, horizon: Horizon, interval: Interval) -> Option<usize> {
        let always = self == Self::Always;
        let nominal = horizon.bars(interval, always)?;
        if always || interval >= Interval::D1 || horizon.interval() < Interval::D1 {
            return Some(nominal);
        }
        let one_day = Interval::D1.nominal().as_secs() / interval.nominal().as_secs();
        Some(nominal / one_day as usize * self.bars_a_day(interval))
    }

    /// The day of the market's zone that holds a moment.
    #[must_use]
    pub fn day_of(self, at: Timestamp) -> Day {
        let Ok(instant) = jiff::Timestamp::from_second(at.secs()) else {
            return at.day(); // cannot happen: jiff's range is the wider one
        };
        let date = self.time_zone().to_datetime(instant).date();
        let (month, day) = (date.month().unsigned_abs(), date.day().unsigned_abs());
        Day::from_civil(date.year().into(), month.into(), day.into()).unwrap_or(at.day())
    }

    fn time_zone(self) -> TimeZone {
        TimeZone::get(self.zone()).expect("the zones of the markets are bundled")
    }
}

impl fmt::Display for MarketHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A day of the constants of calendars.
const fn date(year: i32, month: u32, day: u32) -> Day {
    match Day::from_civil(year, month, day) {
        Some(day) => day,
        None => panic!("a constant of a calendar is no date"),
    }
}

/// A local time of a day as a moment. Sessions lie in the day, where no zone of theirs jumps.
fn moment(day: Day, time: civil::Time, zone: &TimeZone) -> Timestamp {
    let (year, month, date) = day.civil();
    let date = civil::Date::new(year as i16, month as i8, date as i8)
        .expect("the days of a calendar are dates");
    let at = zone.to_ambiguous_timestamp(date.to_datetime(time)).compatible();
    Timestamp::from_secs(at.expect("the years of a calendar are within jiff's").as_second())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_has_the_session_that_is_on_and_the_next_one() {
        let friday = MarketHours::Us.around(at("2024-03-08T20:59:59Z")).unwrap();
        assert_eq!(friday.current.unwrap().close, at("2024-03-08T21:00:00Z"));
        assert_eq!(friday.next.unwrap().open, at("2024-03-11T13:30:00Z"), "clocks went forward");
        let closed = MarketHours::Us.around(at("2024-03-08T21:00:00Z")).unwrap();
        assert_eq!((closed.current, closed.next), (None, friday.next));
        let before = MarketHours::Us.around(at("2024-03-11T13:29:59Z")).unwrap();
        assert_eq!((before.current, before.next), (None, friday.next));
        // 23:00 UTC on Sunday is Monday in Seoul, an hour before the open.
        let seoul = MarketHours::Korea.around(at("2024-03-10T23:00:00Z")).unwrap();
        assert_eq!(seoul.next.unwrap().open, at("2024-03-11T00:00:00Z"));
        let crypto = MarketHours::Always.around(at("2024-03-10T23:00:00Z")).unwrap();
        assert!(crypto.current.is_some());
    }

    #[test]
    fn the_longest_holidays_are_shorter_than_the_look_ahead() {
        for hours in [MarketHours::Us, MarketHours::Korea] {
            let (mut day, last) = hours.covers();
            let mut closed = 0;
            while day <= last {
                closed = if hours.session(day).unwrap().is_some() { 0 } else { closed + 1 };
                assert!(closed < MAX_CLOSED_DAYS / 2, "{hours} {day}");
                day = day.next();
            }
        }
    }

    #[test]
    fn what_is_not_covered_is_refused_and_never_guessed() {
        let before = MarketHours::Korea.session(date(2009, 12, 31)).unwrap_err();
        assert_eq!(
            before.to_string(),
            "calendar \"kr\" does not cover 2009-12-31: it holds 2010-01-01 to 2027-12-31; a newer finstage may know more"
        );
        assert!(MarketHours::Us.calendar(date(1997, 12, 31), date(1998, 1, 5)).is_err());
        // On the last evening that is covered there is no next session.
        let end = MarketHours::Korea.around(at("2027-12-31T12:00:00Z")).unwrap();
        assert_eq!((end.current, end.next), (None, None));
        assert!(MarketHours::Korea.around(at("2027-12-31T15:00:00Z")).is_err(), "2028 in Seoul");
    }

    #[test]
    fn a_calendar_counts_open_time_over_holidays() {
        let calendar = MarketHours::Us.calendar(date(2024, 7, 1), date(2024, 7, 31)).unwrap();
        let hours = |h: u64| std::time::Duration::from_secs(h * 3600);
        // 3 July has 3.5 hours, the 4th none.
        assert_eq!(
            calendar.after(at("2024-07-03T13:30:00Z"), hours(4)),
            Some(at("2024-07-05T14:00:00Z"))
        );
        let always = MarketHours::Always.calendar(date(2024, 7, 1), date(2024, 7, 2)).unwrap();
        assert_eq!(always, Calendar::always());
    }
}
