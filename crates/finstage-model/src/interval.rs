use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::month_days;
use crate::{Day, Timestamp};

/// The length of a bar. Text form `1m 5m 15m 30m 1h 4h 1d 1w 1mo` (`m` minute, `mo` month).
///
/// A week begins on Monday; a month is a calendar month. Everything is cut in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Interval {
    /// One minute.
    #[serde(rename = "1m")]
    M1,
    /// Five minutes.
    #[serde(rename = "5m")]
    M5,
    /// Fifteen minutes.
    #[serde(rename = "15m")]
    M15,
    /// Thirty minutes.
    #[serde(rename = "30m")]
    M30,
    /// One hour.
    #[serde(rename = "1h")]
    H1,
    /// Four hours.
    #[serde(rename = "4h")]
    H4,
    /// One day.
    #[serde(rename = "1d")]
    D1,
    /// One week.
    #[serde(rename = "1w")]
    W1,
    /// One month.
    #[serde(rename = "1mo")]
    Mo1,
}

impl Interval {
    /// All intervals, shortest first.
    pub const ALL: [Self; 9] = [
        Self::M1,
        Self::M5,
        Self::M15,
        Self::M30,
        Self::H1,
        Self::H4,
        Self::D1,
        Self::W1,
        Self::Mo1,
    ];

    /// The text form.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::M30 => "30m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1d",
            Self::W1 => "1w",
            Self::Mo1 => "1mo",
        }
    }

    /// The nominal length; a month counts 30 days here and its true length in
    /// [`Interval::close_of`].
    #[must_use]
    pub const fn nominal(self) -> Duration {
        Duration::from_secs(match self {
            Self::M1 => 60,
            Self::M5 => 300,
            Self::M15 => 900,
            Self::M30 => 1_800,
            Self::H1 => 3_600,
            Self::H4 => 14_400,
            Self::D1 => 86_400,
            Self::W1 => 604_800,
            Self::Mo1 => 2_592_000,
        })
    }

    /// The open time of the bar that holds the moment `at`, cut in UTC.
    #[must_use]
    pub fn open_of(self, at: Timestamp) -> Timestamp {
        let day = at.day();
        match self {
            Self::Mo1 => {
                let (_, _, day_of_month) = day.civil();
                Day::from_days(day.days() - day_of_month as i32 + 1).start()
            }
            Self::W1 => Day::from_days(day.days() - day.days_from_monday()).start(),
            _ => {
                let length = self.nominal().as_nanos() as i64;
                Timestamp::from_nanos(at.nanos().div_euclid(length) * length)
            }
        }
    }

    /// The close time of the bar that opens at `open`: the bar is half-open, `open` belongs to it
    /// and the close time does not. A month is added by the calendar, at most to its last day.
    #[must_use]
    pub fn close_of(self, open: Timestamp) -> Timestamp {
        if self != Self::Mo1 {
            return open.plus(self.nominal());
        }
        let (year, month, day) = open.day().civil();
        let (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let day = day.min(month_days(year, month));
        let in_day = open.since(open.day().start());
        Day::from_civil(year, month, day).map_or(Timestamp::MAX, |day| day.start().plus(in_day))
    }

    /// Whether bars of this interval can be made from bars of `finer`.
    #[must_use]
    pub fn is_made_of(self, finer: Self) -> bool {
        finer < self && !(finer == Self::W1 && self == Self::Mo1)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownInterval {
    text: String,
    expected: &'static str,
}

impl UnknownInterval {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl fmt::Display for UnknownInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not {}", self.text, self.expected)
    }
}

impl std::error::Error for UnknownInterval {}

impl FromStr for Interval {
    type Err = UnknownInterval;

    fn from_str(text: &str) -> Result<Self, UnknownInterval> {
        Self::ALL.into_iter().find(|i| i.as_str() == text).ok_or_else(|| {
            UnknownInterval::new(text, "an interval: write one of 1m 5m 15m 30m 1h 4h 1d 1w 1mo")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_cut_where_the_calendar_says() {
        let at: Timestamp = "2024-02-29T13:47:12.5Z".parse().unwrap();
        let open = |i: Interval| i.open_of(at).to_string();
        assert_eq!(open(Interval::M15), "2024-02-29T13:45:00Z");
        assert_eq!(open(Interval::H4), "2024-02-29T12:00:00Z");
        assert_eq!(open(Interval::D1), "2024-02-29T00:00:00Z");
        assert_eq!(open(Interval::W1), "2024-02-26T00:00:00Z");
        assert_eq!(open(Interval::Mo1), "2024-02-01T00:00:00Z");
        let close = |open: &str| Interval::Mo1.close_of(open.parse().unwrap()).to_string();
        assert_eq!(close("2024-02-01"), "2024-03-01T00:00:00Z");
        assert_eq!(close("2024-12-01"), "2025-01-01T00:00:00Z");
        assert_eq!(close("2024-01-31"), "2024-02-29T00:00:00Z");
        assert_eq!(Interval::M5.open_of(Timestamp::from_secs(-1)).secs(), -300);
    }

    #[test]
    fn every_interval_reads_its_text() {
        for interval in Interval::ALL {
            assert_eq!(interval.as_str().parse(), Ok(interval));
            assert_eq!(serde_json::to_string(&interval).unwrap(), format!("\"{interval}\""));
        }
        assert!("2m".parse::<Interval>().is_err());
    }
}
