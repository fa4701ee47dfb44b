//! When the simulated markets are open: rules of this file, kept apart from those of the product.

use finstage_model::Day;

/// A market with its zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sim) enum Hours {
    NewYork,
    Seoul,
    /// Around the clock, UTC.
    Always,
}

const HOUR: i64 = 3_600;

impl Hours {
    pub(in crate::sim) const fn zone(self) -> &'static str {
        match self {
            Self::NewYork => "America/New_York",
            Self::Seoul => "Asia/Seoul",
            Self::Always => "UTC",
        }
    }

    /// The abbreviation that is printed beside an offset.
    pub(in crate::sim) fn short(self, day: Day) -> &'static str {
        match self {
            Self::NewYork if is_summer(day) => "EDT",
            Self::NewYork => "EST",
            Self::Seoul => "KST",
            Self::Always => "UTC",
        }
    }

    /// Seconds east of UTC in the middle of a day.
    pub(in crate::sim) fn offset(self, day: Day) -> i64 {
        match self {
            Self::NewYork if is_summer(day) => -4 * HOUR,
            Self::NewYork => -5 * HOUR,
            Self::Seoul => 9 * HOUR,
            Self::Always => 0,
        }
    }

    /// Midnight at the beginning of a day, Unix seconds.
    pub(in crate::sim) fn midnight(self, day: Day) -> i64 {
        day.start().secs() - self.offset(day)
    }

    /// The day of a moment.
    pub(in crate::sim) fn day_of(self, secs: i64) -> Day {
        let utc = Day::from_days(secs.div_euclid(86_400) as i32);
        Day::from_days((secs + self.offset(utc)).div_euclid(86_400) as i32)
    }

    /// Open and close of a day's session, Unix seconds; `None` on weekends and holidays.
    pub(in crate::sim) fn session(self, day: Day) -> Option<(i64, i64)> {
        let midnight = self.midnight(day);
        let minutes = |from: i64, to: i64| Some((midnight + from * 60, midnight + to * 60));
        let is_weekend = day.days_from_monday() >= 5;
        match self {
            Self::Always => minutes(0, 24 * 60),
            _ if is_weekend => None,
            Self::NewYork if is_us_holiday(day) => None,
            Self::NewYork if is_us_half_day(day) => minutes(570, 780),
            Self::NewYork => minutes(570, 960),
            Self::Seoul if is_fixed_korean_holiday(day) => None,
            Self::Seoul => minutes(540, 930),
        }
    }
}

/// Summer time in New York since 2007: from the second Sunday of March to the first of November.
fn is_summer(day: Day) -> bool {
    let (_, month, date) = day.civil();
    // The Sunday on or before this day.
    let sunday = date as i32 - (day.days_from_monday() + 1) % 7;
    match month {
        3 => sunday >= 8,
        4..=10 => true,
        11 => sunday < 1,
        _ => false,
    }
}

/// The nth weekday (Monday is 0) of a month.
fn nth(day: Day, weekday: i32) -> Option<u32> {
    let (_, _, date) = day.civil();
    (day.days_from_monday() == weekday).then(|| date.div_ceil(7))
}

fn is_us_holiday(day: Day) -> bool {
    // A storm and two days of mourning.
    const CLOSED: [(i32, u32, u32); 4] =
        [(2012, 10, 29), (2012, 10, 30), (2018, 12, 5), (2025, 1, 9)];
    let (year, month, date) = day.civil();
    // What falls on a Sunday is kept on Monday, on a Saturday on Friday.
    let kept = |m: u32, d: u32| {
        (month, date) == (m, d)
            || (day.days_from_monday() == 0 && (month, date) == (m, d + 1))
            || (day.days_from_monday() == 4 && (month, date + 1) == (m, d))
    };
    let is_last_monday_of_may = month == 5 && day.days_from_monday() == 0 && date > 24;
    CLOSED.contains(&(year, month, date))
        || kept(1, 1)
        || (month == 1 && nth(day, 0) == Some(3))
        || (month == 2 && nth(day, 0) == Some(3))
        || day.days() == easter(year).days() - 2
        || is_last_monday_of_may
        || (year >= 2022 && kept(6, 19))
        || kept(7, 4)
        || (month == 9 && nth(day, 0) == Some(1))
        || (month == 11 && nth(day, 3) == Some(4))
        || kept(12, 25)
}

fn is_us_half_day(day: Day) -> bool {
    let (_, month, date) = day.civil();
    let is_after_thanksgiving = month == 11 && nth(day.previous(), 3) == Some(4);
    is_after_thanksgiving || (month, date) == (12, 24) || (month, date) == (7, 3)
}

/// Those that do not follow the moon.
fn is_fixed_korean_holiday(day: Day) -> bool {
    let (_, month, date) = day.civil();
    const DAYS: [(u32, u32); 10] =
        [(1, 1), (3, 1), (5, 1), (5, 5), (6, 6), (8, 15), (10, 3), (10, 9), (12, 25), (12, 31)];
    DAYS.contains(&(month, date))
}

/// Easter Sunday, by the anonymous Gregorian computus.
fn easter(year: i32) -> Day {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - b / 4 - g + 15) % 30;
    let m = (a + 11 * h) / 319;
    let r = (2 * (b % 4) + 2 * (c / 4) - c % 4 - h + m + 32) % 7;
    let month = (h - m + r + 90) / 25;
    let day = (h - m + r + month + 19) % 32;
    Day::from_civil(year, month.unsigned_abs(), day.unsigned_abs())
        .expect("the computus gives a date in March or April")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(hours: Hours, day: &str) -> Option<String> {
        let (open, close) = hours.session(day.parse().unwrap())?;
        let clock = |secs: i64| finstage_model::Timestamp::from_secs(secs).to_string();
        Some(format!("{} {}", &clock(open)[11..16], &clock(close)[11..16]))
    }

    #[test]
    fn new_york_keeps_its_holidays_half_days_and_clocks() {
        let us = |day| session(Hours::NewYork, day);
        assert_eq!(us("2024-03-08").unwrap(), "14:30 21:00");
        assert_eq!(us("2024-03-11").unwrap(), "13:30 20:00");
        assert_eq!(us("2024-11-01").unwrap(), "13:30 20:00");
        assert_eq!(us("2024-11-04").unwrap(), "14:30 21:00");
        assert_eq!(us("2026-11-27").unwrap(), "14:30 18:00");
        let closed = ["2024-03-09", "2024-03-29", "2024-07-04", "2024-11-28", "2021-07-05"];
        assert!(closed.into_iter().all(|day| us(day).is_none()));
        assert_eq!(session(Hours::Seoul, "2024-03-08").unwrap(), "00:00 06:30");
    }
}
