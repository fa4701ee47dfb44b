//! New York, by rule. NYSE and Nasdaq close on the same days since before 1998.
//!
//! Halts within a session and minutes of silence are left out.

use finstage_model::Day;
use jiff::civil::{Time, time};

use super::date;

/// From the first year in which Martin Luther King Day is a holiday to the end of what the rules of today
/// are trusted for.
pub(super) const COVERS: (Day, Day) = (date(1998, 1, 1), date(2035, 12, 31));

/// Days of national mourning, disaster and attack.
const SPECIAL_CLOSURES: [Day; 10] = [
    date(2001, 9, 11),
    date(2001, 9, 12),
    date(2001, 9, 13),
    date(2001, 9, 14),
    date(2004, 6, 11),
    date(2007, 1, 2),
    date(2012, 10, 29),
    date(2012, 10, 30),
    date(2018, 12, 5),
    date(2025, 1, 9),
];

/// Early closings outside of the rules.
const SPECIAL_HALF_DAYS: [Day; 2] = [date(1999, 12, 31), date(2003, 12, 26)];

/// A year after the attack the market opened at noon.
const LATE_OPEN: Day = date(2002, 9, 11);

const MONDAY: i32 = 0;
const WEDNESDAY: i32 = 2;
const THURSDAY: i32 = 3;
const FRIDAY: i32 = 4;

/// Open and close in New York; `None` where the market is closed all day.
pub(super) fn hours(day: Day) -> Option<(Time, Time)> {
    if day.days_from_monday() > FRIDAY || is_holiday(day) || SPECIAL_CLOSURES.contains(&day) {
        return None;
    }
    let open = if day == LATE_OPEN { time(12, 0, 0, 0) } else { time(9, 30, 0, 0) };
    let close = if is_half_day(day) { time(13, 0, 0, 0) } else { time(16, 0, 0, 0) };
    Some((open, close))
}

fn is_holiday(day: Day) -> bool {
    let (year, month, _) = day.civil();
    match month {
        // On a Saturday, New Year's Day is not made up for: the year's books close on that Friday.
        1 => is_date_or_monday_after(day, (1, 1)) || is_nth(day, MONDAY, 3),
        2 => is_nth(day, MONDAY, 3),
        3 | 4 => day.days() == easter(year).days() - 2,
        5 => day.days_from_monday() == MONDAY && day.civil().2 > 24,
        6 => year >= 2022 && is_observed(day, (6, 19)),
        7 => is_observed(day, (7, 4)),
        9 => is_nth(day, MONDAY, 1),
        11 => is_nth(day, THURSDAY, 4),
        12 => is_observed(day, (12, 25)),
        _ => false,
    }
}

/// Whether the market closes at 13:00.
fn is_half_day(day: Day) -> bool {
    let (year, month, date) = day.civil();
    let weekday = day.days_from_monday();
    match (month, date) {
        // Until 2012 a Thursday's holiday shortened the Friday after it instead.
        (7, 3) => weekday != WEDNESDAY || year >= 2013,
        (7, 5) => weekday == FRIDAY && year < 2013,
        (11, _) => is_nth(day.previous(), THURSDAY, 4),
        (12, 24) => true,
        (12, _) => SPECIAL_HALF_DAYS.contains(&day),
        _ => false,
    }
}

/// Whether a fixed date is observed on a weekday: on itself, from Saturday on the Friday before, from
/// Sunday on the Monday after.
fn is_observed(day: Day, fixed: (u32, u32)) -> bool {
    is_date_or_monday_after(day, fixed)
        || day.days_from_monday() == FRIDAY && is_date(day.next(), fixed)
}

fn is_date_or_monday_after(day: Day, fixed: (u32, u32)) -> bool {
    is_date(day, fixed) || day.days_from_monday() == MONDAY && is_date(day.previous(), fixed)
}

fn is_date(day: Day, (month, date): (u32, u32)) -> bool {
    let (_, this_month, this_date) = day.civil();
    (this_month, this_date) == (month, date)
}

/// Whether it is the nth such weekday of its month.
fn is_nth(day: Day, weekday: i32, nth: u32) -> bool {
    day.days_from_monday() == weekday && day.civil().2.div_ceil(7) == nth
}

/// Easter Sunday.
///
/// Source: the anonymous Gregorian algorithm, as in J. Meeus, "Astronomical Algorithms", chapter 8.
fn easter(year: i32) -> Day {
    let (golden, century, in_century) = (year % 19, year / 100, year % 100);
    let skipped = (century + 8) / 25;
    let epact =
        (19 * golden + century - century / 4 - (century - skipped + 1) / 3 + 15).rem_euclid(30);
    let weekday =
        (32 + 2 * (century % 4) + 2 * (in_century / 4) - epact - in_century % 4).rem_euclid(7);
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let days = epact + weekday - 7 * late + 114;
    date(year, (days / 31) as u32, (days % 31 + 1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed_weekdays(year: i32) -> Vec<String> {
        let days = (date(year, 1, 1).days()..=date(year, 12, 31).days()).map(Day::from_days);
        let closed = days.filter(|day| day.days_from_monday() < 5 && hours(*day).is_none());
        closed.map(|day| day.to_string()[5..].to_owned()).collect()
    }

    fn half_days(year: i32) -> Vec<String> {
        let days = (date(year, 1, 1).days()..=date(year, 12, 31).days()).map(Day::from_days);
        let early = days.filter(|day| hours(*day).is_some_and(|h| h.1 == time(13, 0, 0, 0)));
        early.map(|day| day.to_string()[5..].to_owned()).collect()
    }

    #[test]
    fn holidays_are_those_that_the_exchange_has_announced() {
        let announced = [
            (2021, "01-01 01-18 02-15 04-02 05-31 07-05 09-06 11-25 12-24"),
            (2022, "01-17 02-21 04-15 05-30 06-20 07-04 09-05 11-24 12-26"),
            (2025, "01-01 01-09 01-20 02-17 04-18 05-26 06-19 07-04 09-01 11-27 12-25"),
            (2026, "01-01 01-19 02-16 04-03 05-25 06-19 07-03 09-07 11-26 12-25"),
            (2027, "01-01 01-18 02-15 03-26 05-31 06-18 07-05 09-06 11-25 12-24"),
        ];
        for (year, days) in announced {
            assert_eq!(closed_weekdays(year).join(" "), days, "{year}");
        }
    }

    #[test]
    fn half_days_are_those_that_the_exchange_has_announced() {
        let announced = [
            (1999, "11-26 12-31"),
            (2002, "07-05 11-29 12-24"),
            (2003, "07-03 11-28 12-24 12-26"),
            (2013, "07-03 11-29 12-24"),
            (2021, "11-26"),
            (2024, "07-03 11-29 12-24"),
            (2025, "07-03 11-28 12-24"),
            (2026, "11-27 12-24"),
        ];
        for (year, days) in announced {
            assert_eq!(half_days(year).join(" "), days, "{year}");
        }
    }

    #[test]
    fn easter_is_the_sunday_of_the_almanacs() {
        for (year, month, day) in [
            (1998, 4, 12),
            (2000, 4, 23),
            (2008, 3, 23),
            (2011, 4, 24),
            (2024, 3, 31),
            (2035, 3, 25),
        ] {
            assert_eq!(easter(year), date(year, month, day));
        }
    }
}
