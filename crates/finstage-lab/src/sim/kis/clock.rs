//! Days and times as the venue writes them: in Seoul, nine hours ahead, all year.

use finstage_model::{Day, Timestamp};

/// Seconds that Seoul is ahead.
const AHEAD_S: i64 = 9 * 3_600;

/// `20261121`
pub(super) fn day(day: Day) -> String {
    let (year, month, date) = day.civil();
    format!("{year:04}{month:02}{date:02}")
}

/// Reads `20261121`.
pub(super) fn read_day(text: &str) -> Option<Day> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u32>().ok();
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let year = i32::try_from(number(0..4)?).ok()?;
    Day::from_civil(year, number(4..6)?, number(6..8)?)
}

/// `093015`, of Unix seconds, `ahead` seconds east.
pub(super) fn time(secs: i64, ahead: i64) -> String {
    let of_day = (secs + ahead).rem_euclid(86_400);
    format!("{:02}{:02}{:02}", of_day / 3_600, of_day / 60 % 60, of_day % 60)
}

/// `093015` in Seoul.
pub(super) fn time_in_seoul(secs: i64) -> String {
    time(secs, AHEAD_S)
}

/// The day in Seoul.
pub(super) fn day_in_seoul(secs: i64) -> Day {
    Day::from_days((secs + AHEAD_S).div_euclid(86_400) as i32)
}

/// Seconds of the day of `093015`.
pub(super) fn read_time(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    if text.len() != 6 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes, secs) = (number(0..2)?, number(2..4)?, number(4..6)?);
    (hours < 24 && minutes < 60 && secs < 60).then_some(hours * 3_600 + minutes * 60 + secs)
}

/// `2026-11-21 08:30:00` in Seoul.
pub(super) fn stamp(at: Timestamp) -> String {
    let (year, month, date) = day_in_seoul(at.secs()).civil();
    let time = time_in_seoul(at.secs());
    format!("{year:04}-{month:02}-{date:02} {}:{}:{}", &time[..2], &time[2..4], &time[4..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seoul_is_nine_hours_ahead_and_what_is_no_date_is_not_read() {
        let at: Timestamp = "2026-11-20T23:30:05Z".parse().unwrap();
        assert_eq!(stamp(at), "2026-11-21 08:30:05");
        assert_eq!(day(day_in_seoul(at.secs())), "20261121");
        assert_eq!(read_day("20261121").map(day).as_deref(), Some("20261121"));
        assert_eq!(read_time("093015"), Some(34_215));
        assert!(
            ["2026112", "20261341", "2026-1-1", ""].iter().all(|text| read_day(text).is_none())
        );
        assert!(["9301", "250000", "+93015"].iter().all(|text| read_time(text).is_none()));
    }
}
