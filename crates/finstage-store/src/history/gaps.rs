//! Which bars are missing.
//!
//! What is missing depends on when a market trades. A calendar says it; without one the data says
//! it itself: a place in the week that most weeks fill is expected in the others. So nights and
//! weekends are no holes, and holidays are.

use finstage_model::{Bar, Calendar, Interval, Timestamp};

/// Holes kept one by one; further ones are counted only.
pub const MAX_HOLES_KEPT: usize = 10_000;

const WEEK: usize = 7;
const DAY_S: u64 = 86_400;
/// From so many weeks on, the pattern is what half of them have; in fewer, what lies between the
/// first and the last bar of a weekday.
const WEEKS_TO_COUNT: u32 = 4;

/// When bars are expected.
#[derive(Debug, Clone, Copy)]
pub enum Schedule<'a> {
    /// Whenever most weeks of the data have them.
    Inferred,
    /// Around the clock, every day.
    Always,
    /// Around the clock from Monday to Friday, UTC.
    Weekdays,
    /// While the market is open.
    Sessions(&'a Calendar),
}

/// Bars missing between two that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hole {
    /// Open time of the first missing bar.
    pub from: Timestamp,
    /// Close time of the last missing bar.
    pub to: Timestamp,
    /// How many are missing.
    pub bars: u64,
}

/// What is missing in a series between its first and its last bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gaps {
    /// Bars that are there.
    pub present: u64,
    /// Bars that are not.
    pub missing: u64,
    /// Stretches of missing bars.
    pub hole_count: u64,
    /// The first of them, oldest first.
    pub holes: Vec<Hole>,
    /// What was expected, in words for people.
    pub expectation: String,
}

impl Gaps {
    /// The share of expected bars that is there, 0 to 1; 1 where nothing is expected.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        let all = self.present + self.missing;
        if all == 0 { 1.0 } else { self.present as f64 / all as f64 }
    }
}

/// Finds the holes of a series; bars ascend.
#[must_use]
pub fn gaps(bars: &[Bar], interval: Interval, schedule: Schedule<'_>) -> Gaps {
    let (pattern, expectation) = match schedule {
        _ if interval >= Interval::W1 => {
            let words = if interval == Interval::W1 { "every week" } else { "every month" };
            (Pattern::of_days(interval, WEEK), words.to_owned())
        }
        Schedule::Inferred => {
            let pattern = Pattern::of(bars, interval);
            let words = pattern.words();
            (pattern, words)
        }
        Schedule::Always => (Pattern::of_days(interval, WEEK), "around the clock".to_owned()),
        Schedule::Weekdays => (Pattern::of_days(interval, 5), "Monday to Friday".to_owned()),
        Schedule::Sessions(_) => (Pattern::of_days(interval, WEEK), "the calendar".to_owned()),
    };
    let expects = |at: Timestamp| match schedule {
        Schedule::Sessions(calendar) => is_session(calendar, interval, at),
        _ => pattern.expects(at),
    };
    let present = bars.len() as u64;
    let mut gaps = Gaps { present, missing: 0, hole_count: 0, holes: Vec::new(), expectation };
    for pair in bars.windows(2) {
        let (last, next) = (&pair[0], &pair[1]);
        let hole = if interval >= Interval::W1 {
            long_hole(interval, last.open_time, next.open_time)
        } else {
            hole(interval, last.open_time, next.open_time, &expects)
        };
        let Some(hole) = hole else { continue };
        gaps.missing += hole.bars;
        gaps.hole_count += 1;
        if gaps.holes.len() < MAX_HOLES_KEPT {
            gaps.holes.push(hole);
        }
    }
    gaps
}

fn hole(
    interval: Interval,
    last: Timestamp,
    next: Timestamp,
    expects: &dyn Fn(Timestamp) -> bool,
) -> Option<Hole> {
    let mut found: Option<Hole> = None;
    let mut at = interval.close_of(last);
    while at < next {
        let close = interval.close_of(at);
        if expects(at) {
            let hole = found.get_or_insert(Hole { from: at, to: close, bars: 0 });
            hole.to = close;
            hole.bars += 1;
        }
        at = close;
    }
    found
}

/// Weeks and months by their number: their stamps may be days off for holidays.
fn long_hole(interval: Interval, last: Timestamp, next: Timestamp) -> Option<Hole> {
    let days = next.day().days() - last.day().days();
    let steps = if interval == Interval::W1 {
        (days + 3) / 7
    } else {
        let months = |at: Timestamp| {
            let (year, month, _) = at.day().civil();
            year * 12 + month as i32
        };
        months(next) - months(last)
    };
    let bars = u64::try_from(steps - 1).ok().filter(|bars| *bars > 0)?;
    Some(Hole { from: interval.close_of(last), to: next, bars })
}

/// Whether a bar that opens at `at` holds trading time.
fn is_session(calendar: &Calendar, interval: Interval, at: Timestamp) -> bool {
    let instant = std::time::Duration::from_nanos(1);
    calendar.after(at, instant).is_some_and(|traded| traded <= interval.close_of(at))
}

/// The places of a week that a series fills: weekday by weekday, each cut by the interval.
#[derive(Debug)]
struct Pattern {
    slot_s: u64,
    /// From Monday.
    days: Vec<Vec<bool>>,
    /// Whether the data reaches over a weekday; what it does not, nobody asks about.
    occurs: [bool; WEEK],
}

impl Pattern {
    /// Around the clock on the first `days` of the week.
    fn of_days(interval: Interval, days: usize) -> Self {
        let slot_s = interval.nominal().as_secs().min(DAY_S);
        let slots = (DAY_S / slot_s) as usize;
        let days = (0..WEEK).map(|day| vec![day < days; slots]).collect();
        Self { slot_s, days, occurs: [true; WEEK] }
    }

    /// As the data has it.
    fn of(bars: &[Bar], interval: Interval) -> Self {
        let mut pattern = Self::of_days(interval, 0);
        let (Some(first), Some(last)) = (bars.first(), bars.last()) else { return pattern };
        let mut counts: Vec<Vec<u32>> =
            pattern.days.iter().map(|slots| vec![0; slots.len()]).collect();
        for bar in bars {
            let (day, slot) = pattern.place(bar.open_time);
            counts[day][slot] += 1;
        }
        let span = (last.open_time.day().days() - first.open_time.day().days() + 1).unsigned_abs();
        let first_day = first.open_time.day().days_from_monday() as usize;
        for (day, counts) in counts.iter().enumerate() {
            let offset = ((day + WEEK - first_day) % WEEK) as u32;
            let occurrences = (span + WEEK as u32 - 1).saturating_sub(offset) / WEEK as u32;
            pattern.occurs[day] = occurrences > 0;
            let seen = |count: &u32| *count > 0;
            let begin = counts.iter().position(seen).unwrap_or(counts.len());
            let end = counts.iter().rposition(seen).map_or(0, |last| last + 1);
            for (slot, usual) in pattern.days[day].iter_mut().enumerate() {
                *usual = if occurrences >= WEEKS_TO_COUNT {
                    2 * counts[slot] >= occurrences
                } else {
                    (begin..end).contains(&slot)
                };
            }
        }
        pattern
    }

    fn expects(&self, at: Timestamp) -> bool {
        let (day, slot) = self.place(at);
        self.days[day][slot]
    }

    /// Weekday and slot of a moment.
    fn place(&self, at: Timestamp) -> (usize, usize) {
        let day = at.day();
        let in_day = at.since(day.start()).as_secs();
        (day.days_from_monday() as usize, (in_day / self.slot_s) as usize)
    }

    fn words(&self) -> String {
        let any = |day: usize| self.days[day].iter().any(|usual| *usual);
        let whole = |day: usize| !self.occurs[day] || self.days[day].iter().all(|usual| *usual);
        let empty = |day: usize| !self.occurs[day] || !any(day);
        let inferred = if (0..WEEK).all(empty) {
            "nothing, for bars are too sparse for a pattern"
        } else if (0..WEEK).all(whole) {
            "around the clock"
        } else if (0..5).all(whole) && (5..WEEK).all(empty) {
            "Monday to Friday, holidays too"
        } else if self.slot_s == DAY_S {
            "the weekdays that most weeks have, holidays too"
        } else {
            "the weekdays and times of day that most weeks have, holidays too; where clocks change \
             in summer, an hour of some days may be taken for a hole"
        };
        format!("{inferred} (no calendar: inferred from the data)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use finstage_model::{Day, InstrumentId, Price, Qty, Span};

    use super::*;

    fn bar(interval: Interval, open_time: Timestamp) -> Bar {
        let price = Price::from_nanos(1);
        Bar {
            instrument: InstrumentId(0),
            interval,
            open_time,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Qty::ZERO,
            trades: 0,
        }
    }

    fn t(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Bars of the days from 2024-01-01, a Monday, at the given minutes of each day.
    fn minutes(days: i32, of_day: impl Fn(i32) -> std::ops::Range<u64>) -> Vec<Bar> {
        let start = t("2024-01-01").day().days();
        (0..days)
            .flat_map(|day| {
                let open = Day::from_days(start + day).start();
                of_day(day).map(move |minute| open.plus(Duration::from_secs(60 * minute)))
            })
            .map(|at| bar(Interval::M1, at))
            .collect()
    }

    #[test]
    fn around_the_clock_every_minute_counts() {
        let mut bars = minutes(3, |_| 0..1440);
        bars.drain(100..110);
        bars.remove(2000);
        let found = gaps(&bars, Interval::M1, Schedule::Inferred);
        assert_eq!((found.missing, found.hole_count), (11, 2));
        let from = t("2024-01-01T01:40:00Z");
        assert_eq!(found.holes[0], Hole { from, to: t("2024-01-01T01:50:00Z"), bars: 10 });
        assert!(found.expectation.starts_with("around the clock"), "{}", found.expectation);
        assert_eq!(gaps(&bars, Interval::M1, Schedule::Always).holes, found.holes);
        assert!((found.coverage() - 4309.0 / 4320.0).abs() < 1e-12);
    }

    #[test]
    fn nights_and_weekends_are_no_holes_and_a_missing_session_is() {
        let session = |day: i32| if day % 7 < 5 { 870..1260 } else { 0..0 };
        let whole = minutes(56, session);
        let found = gaps(&whole, Interval::M1, Schedule::Inferred);
        assert_eq!(found.missing, 0);
        let holiday = minutes(56, |day| if day == 22 { 0..0 } else { session(day) });
        let found = gaps(&holiday, Interval::M1, Schedule::Inferred);
        assert_eq!((found.missing, found.hole_count), (390, 1));
        assert_eq!(found.holes[0].from, t("2024-01-23T14:30:00Z"));
        let spans = (0..56)
            .filter(|day| day % 7 < 5 && *day != 22)
            .map(|day| {
                let start = t("2024-01-01").plus(Duration::from_secs(86_400 * day));
                let at = |minute: u64| start.plus(Duration::from_secs(60 * minute));
                Span { open: at(870), close: at(1260) }
            })
            .collect();
        let calendar = Calendar::sessions(spans).unwrap();
        let known = gaps(&holiday, Interval::M1, Schedule::Sessions(&calendar));
        assert_eq!(known.missing, 0, "the calendar knows the holiday");
    }

    #[test]
    fn days_follow_the_week_of_the_data() {
        let start = t("2024-01-01").day().days();
        let daily = |keep: &dyn Fn(i32) -> bool| -> Vec<Bar> {
            let days = (0..70).filter(|day| keep(*day));
            days.map(|day| bar(Interval::D1, Day::from_days(start + day).start())).collect()
        };
        let stocks = daily(&|day| day % 7 < 5 && day != 15);
        let found = gaps(&stocks, Interval::D1, Schedule::Inferred);
        assert_eq!((found.missing, found.holes[0].from), (1, t("2024-01-16")));
        assert!(found.expectation.starts_with("Monday to Friday"), "{}", found.expectation);
        assert_eq!(gaps(&stocks, Interval::D1, Schedule::Weekdays).missing, 1);
        assert_eq!(gaps(&stocks, Interval::D1, Schedule::Always).missing, 19);
        let coins = daily(&|day| day != 15 && day != 16);
        assert_eq!(gaps(&coins, Interval::D1, Schedule::Inferred).missing, 2);
    }

    #[test]
    fn weeks_and_months_are_counted_not_measured() {
        let weeks = ["2024-01-01", "2024-01-08", "2024-01-16", "2024-01-29"];
        let bars: Vec<Bar> = weeks.map(|day| bar(Interval::W1, t(day))).into();
        let found = gaps(&bars, Interval::W1, Schedule::Inferred);
        assert_eq!((found.missing, found.hole_count), (1, 1));
        let months = ["2023-11-01", "2023-12-01", "2024-03-01"];
        let bars: Vec<Bar> = months.map(|day| bar(Interval::Mo1, t(day))).into();
        assert_eq!(gaps(&bars, Interval::Mo1, Schedule::Inferred).missing, 2);
        assert_eq!(gaps(&[], Interval::Mo1, Schedule::Inferred).missing, 0);
    }
}
