//! Seoul, by table: half of the holidays follow the moon, elections and decrees.
//!
//! Opens that were late by minutes for a fault of the machines are left out.

use finstage_model::Day;
use jiff::civil::{Time, time};

use super::date;

/// The years of [`CLOSED`].
pub(super) const COVERS: (Day, Day) = (date(2010, 1, 1), date(2027, 12, 31));

/// Until here the session ended at 15:00.
const FIRST_LONG_DAY: Day = date(2016, 8, 1);

const FRIDAY: i32 = 4;

/// Weekdays without a session, by year, as month × 100 + day: the public holidays with their substitutes,
/// elections, decreed days off, Labour Day, and the last weekday of each year. Announced years may still
/// gain a decreed day off.
// a table: one row a year, as the exchange announces it
const CLOSED: [&[u32]; 18] = [
    &[101, 215, 301, 505, 521, 602, 921, 922, 923, 1231],
    &[202, 203, 204, 301, 505, 510, 606, 815, 912, 913, 1003, 1230],
    &[123, 124, 301, 411, 501, 528, 606, 815, 1001, 1003, 1219, 1225, 1231],
    &[101, 211, 301, 501, 517, 606, 815, 918, 919, 920, 1003, 1009, 1225, 1231],
    &[101, 130, 131, 501, 505, 506, 604, 606, 815, 908, 909, 910, 1003, 1009, 1225, 1231],
    &[101, 218, 219, 220, 501, 505, 525, 814, 928, 929, 1009, 1225, 1231],
    &[101, 208, 209, 210, 301, 413, 505, 506, 606, 815, 914, 915, 916, 1003, 1230],
    &[127, 130, 301, 501, 503, 505, 509, 606, 815, 1002, 1003, 1004, 1005, 1006, 1009, 1225, 1229],
    &[101, 215, 216, 301, 501, 507, 522, 606, 613, 815, 924, 925, 926, 1003, 1009, 1225, 1231],
    &[101, 204, 205, 206, 301, 501, 506, 606, 815, 912, 913, 1003, 1009, 1225, 1231],
    &[101, 124, 127, 415, 430, 501, 505, 817, 930, 1001, 1002, 1009, 1225, 1231],
    &[101, 211, 212, 301, 505, 519, 816, 920, 921, 922, 1004, 1011, 1231],
    &[131, 201, 202, 301, 309, 505, 601, 606, 815, 909, 912, 1003, 1010, 1230],
    &[123, 124, 301, 501, 505, 529, 606, 815, 928, 929, 1002, 1003, 1009, 1225, 1229],
    &[
        101, 209, 212, 301, 410, 501, 506, 515, 606, 815, 916, 917, 918, 1001, 1003, 1009, 1225,
        1231,
    ],
    &[
        101, 127, 128, 129, 130, 303, 501, 505, 506, 603, 606, 815, 1003, 1006, 1007, 1008, 1009,
        1225, 1231,
    ],
    &[101, 216, 217, 218, 302, 501, 505, 525, 603, 717, 817, 924, 925, 1005, 1009, 1225, 1231],
    &[101, 208, 209, 301, 503, 505, 513, 719, 816, 914, 915, 916, 1004, 1011, 1227, 1231],
];

/// Days of the national entrance examination (수능), by year: all of the session is an hour later, so that
/// pupils are not late.
const EXAMINATIONS: [u32; 18] = [
    1118, 1110, 1108, 1107, 1113, 1112, 1117, 1123, 1115, 1114, 1203, 1118, 1117, 1116, 1114, 1113,
    1119, 1118,
];

/// An earthquake put the examination off on the evening before; the market kept the hours that it had announced.
const PUT_OFF: Day = date(2017, 11, 16);

/// Open and close in Seoul; `None` where the market is closed all day.
pub(super) fn hours(day: Day) -> Option<(Time, Time)> {
    if !is_open(day) {
        return None;
    }
    let (year, month, date) = day.civil();
    let close = if day < FIRST_LONG_DAY { time(15, 0, 0, 0) } else { time(15, 30, 0, 0) };
    let (late_open, hour) = (time(10, 0, 0, 0), jiff::SignedDuration::from_hours(1));
    let examined = row(year).is_some_and(|row| EXAMINATIONS[row] == month * 100 + date);
    if examined || day == PUT_OFF {
        return Some((late_open, close.saturating_add(hour)));
    }
    // A year begins with a ceremony.
    let begins = month == 1 && (1..date).all(|earlier| !is_open(super::date(year, 1, earlier)));
    Some((if begins { late_open } else { time(9, 0, 0, 0) }, close))
}

fn is_open(day: Day) -> bool {
    let (year, month, date) = day.civil();
    let closed = row(year).map_or(&[][..], |row| CLOSED[row]);
    day.days_from_monday() <= FRIDAY && !closed.contains(&(month * 100 + date))
}

fn row(year: i32) -> Option<usize> {
    usize::try_from(year - COVERS.0.civil().0).ok().filter(|row| *row < CLOSED.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_closed_day_is_a_weekday_of_its_year_in_order() {
        for (year, days) in (2010..).zip(CLOSED) {
            assert!(days.is_sorted_by(|a, b| a < b), "{year}");
            for day in days {
                let weekday = date(year, day / 100, day % 100).days_from_monday();
                assert!(weekday <= FRIDAY, "{year} {day}");
            }
        }
        assert_eq!(COVERS.1.civil().0, 2010 + CLOSED.len() as i32 - 1);
    }

    #[test]
    fn fixed_holidays_and_the_last_weekday_of_the_year_are_closed_every_year() {
        for year in 2010..=2027 {
            for (month, day) in [(1, 1), (3, 1), (5, 1), (5, 5), (6, 6), (8, 15), (10, 3), (12, 25)]
            {
                assert_eq!(hours(date(year, month, day)), None, "{year}-{month}-{day}");
            }
            let mut last = date(year, 12, 31);
            while last.days_from_monday() > FRIDAY {
                last = last.previous();
            }
            assert_eq!(hours(last), None, "{last}");
        }
    }

    #[test]
    fn days_that_people_remember_are_as_they_were() {
        for closed in [
            date(2017, 10, 2), // decreed: ten days of Chuseok
            date(2020, 8, 17), // decreed
            date(2021, 8, 16), // substitute for Liberation Day
            date(2024, 4, 10), // parliament elected
            date(2024, 10, 1), // Armed Forces Day, decreed
            date(2025, 6, 3),  // president elected
            date(2026, 7, 17), // Constitution Day is a holiday again
            date(2027, 2, 9),  // substitute for Seollal on a Sunday
        ] {
            assert_eq!(hours(closed), None, "{closed}");
        }
        let t = |hour, minute| time(hour, minute, 0, 0);
        for (day, open, close) in [
            (date(2016, 7, 29), t(9, 0), t(15, 0)),
            (date(2016, 8, 1), t(9, 0), t(15, 30)),
            (date(2017, 7, 17), t(9, 0), t(15, 30)), // Constitution Day was none
            (date(2017, 11, 16), t(10, 0), t(16, 30)), // put off, with the hours kept
            (date(2017, 11, 17), t(9, 0), t(15, 30)),
            (date(2017, 11, 23), t(10, 0), t(16, 30)),
            (date(2014, 11, 13), t(10, 0), t(16, 0)),
            (date(2023, 1, 2), t(10, 0), t(15, 30)),
            (date(2023, 1, 3), t(9, 0), t(15, 30)),
            (date(2023, 12, 28), t(9, 0), t(15, 30)), // the last session of 2023
        ] {
            assert_eq!(hours(day), Some((open, close)), "{day}");
        }
    }
}
