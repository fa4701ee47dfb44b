//! Hours and days at which a feed does not want to be asked: `skipHours` and `skipDays` of RSS 2.0.

use std::time::Duration;

use finstage_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::xml::elements;

const HOUR: Duration = Duration::from_secs(3_600);
const DAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
/// After so many hours every hour and every day was there.
const MAX_HOURS: usize = 8 * 24;

/// Hours of a day, 0 to 23, and days of a week, in UTC, as sets of bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quiet {
    hours: u32,
    days: u8,
}

impl Quiet {
    /// What the head of a feed says. An hour of 24 is the first one; what cannot be read is none.
    pub(super) fn of(head: &str) -> Self {
        let mut quiet = Self::default();
        for element in elements(head, &["skipHours", "skipDays"]) {
            for hour in elements(element.content, &["hour"]) {
                if let Ok(hour @ 0..=24) = hour.content.trim().parse::<u32>() {
                    quiet.hours |= 1 << (hour % 24);
                }
            }
            for day in elements(element.content, &["day"]) {
                let named = day.content.trim().to_lowercase();
                if let Some(day) = DAYS.iter().position(|day| *day == named) {
                    quiet.days |= 1 << day;
                }
            }
        }
        quiet
    }

    /// The first moment from `due` on that is not quiet; `due` itself where there is none at all.
    #[must_use]
    pub(super) fn after(self, due: Timestamp) -> Timestamp {
        let mut at = due;
        for _ in 0..MAX_HOURS {
            if !self.holds(at) {
                return at;
            }
            let hour = HOUR.as_nanos() as i64;
            at = Timestamp::from_nanos(at.nanos().div_euclid(hour) * hour).plus(HOUR);
        }
        due
    }

    fn holds(self, at: Timestamp) -> bool {
        let day = at.day();
        let hour = at.since(day.start()).as_secs() / HOUR.as_secs();
        self.hours >> hour & 1 == 1 || self.days >> day.days_from_monday() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(head: &str, due: &str) -> String {
        Quiet::of(head).after(due.parse().unwrap()).to_string()
    }

    #[test]
    fn a_feed_is_left_alone_until_its_quiet_hours_and_days_are_over() {
        let nights = "<skipHours><hour>22</hour><hour> 23 </hour><hour>24</hour></skipHours>";
        // 2026-11-20 is a Friday.
        assert_eq!(after(nights, "2026-11-20T21:59:59Z"), "2026-11-20T21:59:59Z");
        assert_eq!(after(nights, "2026-11-20T22:10:00Z"), "2026-11-21T01:00:00Z");
        let weekends = "<skipDays><day>Saturday</day><day>sunday</day></skipDays>";
        assert_eq!(after(weekends, "2026-11-20T23:59:00Z"), "2026-11-20T23:59:00Z");
        assert_eq!(after(weekends, "2026-11-21T09:30:00Z"), "2026-11-23T00:00:00Z");
        let both = format!("{nights}{weekends}");
        assert_eq!(after(&both, "2026-11-20T22:30:00Z"), "2026-11-23T01:00:00Z");
        assert_eq!(after("<ttl>5</ttl>", "2026-11-21T00:30:00Z"), "2026-11-21T00:30:00Z");
    }

    #[test]
    fn what_no_feed_can_mean_is_not_obeyed() {
        let all: String = (0..24).map(|hour| format!("<hour>{hour}</hour>")).collect();
        let never = format!("<skipHours>{all}</skipHours>");
        assert_eq!(after(&never, "2026-11-20T22:30:00Z"), "2026-11-20T22:30:00Z");
        let odd = "<skipHours><hour>25</hour><hour>-1</hour><hour>x</hour></skipHours><skipDays><day>Fri</day></skipDays>";
        assert_eq!(Quiet::of(odd), Quiet::default());
    }
}
