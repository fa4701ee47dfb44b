//! Dates of feeds.

use finstage_model::{Day, Timestamp};

/// When something was printed, as far as the feed says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The moment; in UTC where no zone was named.
    pub at: Timestamp,
    /// Whether a zone was named.
    pub has_zone: bool,
}

/// Names of zones that are met, in minutes east of UTC. What is ambiguous around the world means here
/// what publishers of markets mean by it.
const ZONES: [(&str, i64); 18] = [
    ("GMT", 0),
    ("UT", 0),
    ("UTC", 0),
    ("Z", 0),
    ("EST", -300),
    ("EDT", -240),
    ("CST", -360),
    ("CDT", -300),
    ("MST", -420),
    ("MDT", -360),
    ("PST", -480),
    ("PDT", -420),
    ("BST", 60),
    ("CET", 60),
    ("CEST", 120),
    ("JST", 540),
    ("KST", 540),
    ("HKT", 480),
];
const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Reads RFC 822 with years of two or four digits and named zones, RFC 3339, and `2025-09-26 10:17:15`.
#[must_use]
pub fn moment(text: &str) -> Option<Moment> {
    let text = text.trim();
    if text.as_bytes().first()?.is_ascii_digit() && text.as_bytes().get(4) == Some(&b'-') {
        return iso(text);
    }
    rfc822(text)
}

fn iso(text: &str) -> Option<Moment> {
    let text = text.replacen(' ', "T", 1).replace(' ', "");
    if let Ok(at) = text.parse() {
        // A day alone names no zone either.
        return Some(Moment { at, has_zone: text.contains('T') });
    }
    let at = format!("{text}Z").parse().ok()?;
    Some(Moment { at, has_zone: false })
}

/// `Tue, 22 Sep 2026 08:10:00 +0000`; the name of the day, seconds and zone may be missing.
fn rfc822(text: &str) -> Option<Moment> {
    let text = text.split_once(',').map_or(text, |(_, rest)| rest);
    let words: Vec<&str> = text.split([' ', '-']).filter(|word| !word.is_empty()).collect();
    // The zone may be `-0500`, of which the minus was a separator.
    let is_west = text.rsplit_once(' ').is_some_and(|(_, zone)| zone.starts_with('-'));
    let [day, month, year, rest @ ..] = words.as_slice() else { return None };
    let month = month.get(..3)?.to_ascii_lowercase();
    let month = MONTHS.iter().position(|name| *name == month)? as u32 + 1;
    let year: i32 = match (year.len(), year.parse().ok()?) {
        (2, year) if year < 70 => 2_000 + year,
        (2, year) => 1_900 + year,
        (_, year) => year,
    };
    let date = Day::from_civil(year, month, day.parse().ok()?)?;
    let (time, zone) = match rest {
        [] => ("00:00:00", None),
        [time] => (*time, None),
        [time, zone, ..] => (*time, Some(*zone)),
    };
    let time = if time.len() <= 5 { format!("{time:0>5}:00") } else { format!("{time:0>8}") };
    let offset = zone.and_then(|zone| offset(zone, is_west));
    let local: Timestamp = format!("{date}T{time}Z").parse().ok()?;
    let at = local.nanos().checked_sub(offset.unwrap_or(0).checked_mul(60_000_000_000)?)?;
    Some(Moment { at: Timestamp::from_nanos(at), has_zone: offset.is_some() })
}

/// Minutes east of UTC.
fn offset(zone: &str, is_west: bool) -> Option<i64> {
    if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| name.eq_ignore_ascii_case(zone)) {
        return Some(*minutes);
    }
    let digits = zone.trim_start_matches('+').replace(':', "");
    if digits.len() != 4 {
        return None;
    }
    let number: i64 = digits.parse().ok()?;
    let minutes = number / 100 * 60 + number % 100;
    Some(if is_west { -minutes } else { minutes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_in_all_their_forms() {
        for (text, at, has_zone) in [
            ("Tue, 22 Sep 2026 08:10:00 +0000", "2026-09-22T08:10:00Z", true),
            ("Tue, 22 Sep 2026 08:10:00 +0900", "2026-09-21T23:10:00Z", true),
            ("22 Sep 26 08:10 EST", "2026-09-22T13:10:00Z", true),
            ("Tue, 22 September 2026 8:10:05 -0330", "2026-09-22T11:40:05Z", true),
            ("Tue, 22 Sep 2026 08:10:00", "2026-09-22T08:10:00Z", false),
            ("2026-09-22T08:01:13Z", "2026-09-22T08:01:13Z", true),
            ("2026-09-22T17:01:13+09:00", "2026-09-22T08:01:13Z", true),
            ("2025-09-26 10:17:15", "2025-09-26T10:17:15Z", false),
            ("2025-09-26 10:17:15 +0100", "2025-09-26T09:17:15Z", true),
        ] {
            let told = moment(text).map(|m| (m.at.to_string(), m.has_zone));
            assert_eq!(told, Some((at.to_owned(), has_zone)), "{text}");
        }
        for text in
            ["", "soon", "32 Sep 2026", "Tue, 22 Foo 2026 08:10:00 GMT", "2026-", "é, é é é é"]
        {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
