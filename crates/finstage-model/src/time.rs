use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400_000_000_000;

/// A moment: nanoseconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
///
/// * Range: 1677-09-21 to 2262-04-11.
/// * Text form: RFC 3339 in UTC with `Z` and only as many decimals as needed. Parsing also takes an
///   offset (`+09:00`), a space for `T`, and a bare `YYYY-MM-DD` (midnight UTC).
/// * `plus` and `minus` stop at the ends of the range instead of overflowing.
///
/// ```
/// use finstage_model::Timestamp;
/// let t: Timestamp = "2026-11-21T18:30:00.25+09:00".parse().unwrap();
/// assert_eq!(t.to_string(), "2026-11-21T09:30:00.25Z");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// Before every moment.
    pub const MIN: Self = Self(i64::MIN);
    /// After every moment.
    pub const MAX: Self = Self(i64::MAX);

    /// From nanoseconds since the epoch.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// From milliseconds since the epoch, the ends of the range where they do not fit.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// From seconds since the epoch, the ends of the range where they do not fit.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole milliseconds since the epoch, rounded down.
    #[must_use]
    pub const fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// The UTC day it falls on.
    #[must_use]
    pub const fn day(self) -> Day {
        Day(self.0.div_euclid(DAY_NS) as i32)
    }

    /// A moment later.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(nanos_of(by)))
    }

    /// A moment earlier.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(nanos_of(by)))
    }

    /// The time from `earlier` until this moment; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

fn nanos_of(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A UTC calendar day. Text form `YYYY-MM-DD`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// From days since 1970-01-01.
    #[must_use]
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The first moment.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp((self.0 as i64).saturating_mul(DAY_NS))
    }

    /// The first moment of the next day.
    #[must_use]
    pub const fn end(self) -> Timestamp {
        self.next().start()
    }

    /// The day after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The day before.
    #[must_use]
    pub const fn previous(self) -> Self {
        Self(self.0 - 1)
    }

    /// Year, month (1 to 12) and day of the month of the proleptic Gregorian calendar.
    ///
    /// Source: Howard Hinnant, "chrono-compatible low-level date algorithms", `civil_from_days`.
    #[must_use]
    pub const fn civil(self) -> (i32, u32, u32) {
        let z = self.0 as i64 + 719_468;
        let era = z.div_euclid(146_097);
        let doe = z.rem_euclid(146_097);
        let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
        let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        let mp = (5 * doy + 2) / 153;
        let day = doy - (153 * mp + 2) / 5 + 1;
        let month = if mp < 10 { mp + 3 } else { mp - 9 };
        let year = yoe + era * 400 + (month <= 2) as i64;
        (year as i32, month as u32, day as u32)
    }

    /// The day of a civil date; `None` where the calendar has no such day or the date is outside
    /// the years 1678 to 2261.
    ///
    /// Source: as [`Day::civil`], `days_from_civil`.
    #[must_use]
    pub const fn from_civil(year: i32, month: u32, day: u32) -> Option<Self> {
        if year < 1678
            || year > 2261
            || month < 1
            || month > 12
            || day < 1
            || day > month_days(year, month)
        {
            return None;
        }
        let y = year as i64 - (month <= 2) as i64;
        let era = y.div_euclid(400);
        let yoe = y.rem_euclid(400);
        let mp = (month as i64 + 9) % 12;
        let doy = (153 * mp + 2) / 5 + day as i64 - 1;
        let doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
        Some(Self((era * 146_097 + doe - 719_468) as i32))
    }

    /// Days since the last Monday: 0 on a Monday, 6 on a Sunday.
    #[must_use]
    pub const fn days_from_monday(self) -> i32 {
        (self.0 + 3).rem_euclid(7)
    }
}

/// The length of a month.
pub(crate) const fn month_days(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Why a text is not a moment, a day or a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeError {
    text: String,
    expected: &'static str,
}

impl TimeError {
    fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl fmt::Display for TimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not {}", self.text, self.expected)
    }
}

impl std::error::Error for TimeError {}

impl FromStr for Day {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse_day(text.as_bytes()).ok_or_else(|| TimeError::new(text, "a day: write YYYY-MM-DD"))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        f.pad(&format!("{year:04}-{month:02}-{day:02}"))
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({self})")
    }
}

fn number(bytes: &[u8]) -> Option<u32> {
    let digits = !bytes.is_empty() && bytes.len() <= 9 && bytes.iter().all(u8::is_ascii_digit);
    digits.then(|| bytes.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
}

fn parse_day(text: &[u8]) -> Option<Day> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    Day::from_civil(number(&text[..4])? as i32, number(&text[5..7])?, number(&text[8..])?)
}

fn parse_moment(text: &[u8]) -> Option<Timestamp> {
    let day = parse_day(text.get(..10)?)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some(day.start());
    }
    if rest.len() < 9
        || !matches!(rest[0], b'T' | b't' | b' ')
        || rest[3] != b':'
        || rest[6] != b':'
    {
        return None;
    }
    let (hour, minute, second) = (number(&rest[1..3])?, number(&rest[4..6])?, number(&rest[7..9])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (nanos, zone) = parse_fraction(&rest[9..])?;
    let local =
        day.start().0 + i64::from(hour * 3600 + minute * 60 + second) * 1_000_000_000 + nanos;
    local.checked_sub(parse_offset(zone)? * 1_000_000_000).map(Timestamp)
}

fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', digits)) = text.split_first() else {
        return Some((0, text));
    };
    let count = digits.iter().take_while(|b| b.is_ascii_digit()).count();
    let value = number(digits.get(..count.min(9))?)?;
    Some((i64::from(value) * 10i64.pow(9 - count.min(9) as u32), &digits[count..]))
}

/// Seconds east of UTC.
fn parse_offset(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] | [sign @ (b'+' | b'-'), h1, h2, m1, m2] => {
            let (hours, minutes) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
            let seconds = i64::from(hours * 3600 + minutes * 60);
            (hours < 24 && minutes < 60).then_some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse_moment(text.as_bytes()).ok_or_else(|| {
            TimeError::new(text, "a moment: write RFC 3339 (2026-11-21T09:30:00Z) or YYYY-MM-DD")
        })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let in_day = self.0.rem_euclid(DAY_NS);
        let (seconds, nanos) = (in_day / 1_000_000_000, in_day % 1_000_000_000);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        let mut text = format!("{}T{hour:02}:{minute:02}:{second:02}", self.day());
        if nanos != 0 {
            let digits = format!("{nanos:09}");
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        text.push('Z');
        f.pad(&text)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({self})")
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Reads a duration with its unit: `250ms`, `10s`, `5m`, `24h`, `7d`.
///
/// # Errors
/// When the number is missing, not whole, or the unit is none of `ms s m h d`.
pub fn parse_duration(text: &str) -> Result<Duration, TimeError> {
    let split = text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len());
    let unit_ms: u64 = match &text[split..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => 0,
    };
    let millis = text[..split].parse::<u64>().ok().and_then(|n| n.checked_mul(unit_ms));
    match millis {
        Some(millis) if unit_ms > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(TimeError::new(
            text,
            "a duration: write a whole number and a unit, 250ms 10s 5m 24h 7d",
        )),
    }
}

/// Writes a duration as [`parse_duration`] reads it, in the largest unit that divides it.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    for (unit, name) in units {
        if millis >= unit && millis.is_multiple_of(unit) {
            return format!("{}{name}", millis / unit);
        }
    }
    format!("{millis}ms")
}

/// Tells the time. The only way any part of finstage learns what time it is.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// A clock moved by hand, for tests and virtual time.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `start`.
    #[must_use]
    pub const fn new(start: Timestamp) -> Self {
        Self(AtomicI64::new(start.0))
    }

    /// Puts the clock at `to`; it may also go back, as wall clocks do.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }

    /// Moves the clock on.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(nanos_of(by), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_moments() {
        let t: Timestamp = "2009-06-23".parse().unwrap();
        assert_eq!(t.secs(), 1_245_715_200);
        assert_eq!(t.to_string(), "2009-06-23T00:00:00Z");
        assert_eq!(
            "2000-02-29 12:00:00-05:00".parse::<Timestamp>().unwrap().to_string(),
            "2000-02-29T17:00:00Z"
        );
        assert_eq!("1969-12-31T23:59:59.5Z".parse::<Timestamp>().unwrap().nanos(), -500_000_000);
        assert_eq!("2026-11-21".parse::<Day>().unwrap().days_from_monday(), 5);
    }

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for bad in [
            "2023-02-29",
            "2023-13-01",
            "2023-00-10",
            "2023-1-1",
            "20230101",
            "2023-01-01T24:00:00Z",
            "2023-01-01T10:00",
            "2023-01-01T10:00:00",
            "2023-01-01T10:00:00+25:00",
            "",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn durations_carry_their_unit() {
        assert_eq!(parse_duration("250ms").unwrap(), Duration::from_millis(250));
        assert_eq!(parse_duration("7d").unwrap(), Duration::from_secs(604_800));
        for bad in ["10", "s", "1.5s", "10 s", "10x", "-1s", "99999999999999999999s"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
        assert_eq!(format_duration(Duration::from_secs(5400)), "90m");
        assert_eq!(format_duration(Duration::from_millis(1500)), "1500ms");
    }

    proptest! {
        #[test]
        fn moments_round_trip(nanos in any::<i64>().prop_filter("in the years that print with four digits", |n| n.abs() < 9_200_000_000_000_000_000)) {
            let t = Timestamp::from_nanos(nanos);
            prop_assert_eq!(t.to_string().parse::<Timestamp>().unwrap(), t);
        }

        #[test]
        fn civil_dates_round_trip(days in -100_000i32..100_000) {
            let (y, m, d) = Day(days).civil();
            prop_assert_eq!(Day::from_civil(y, m, d), Some(Day(days)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = text.parse::<Timestamp>();
            let _ = parse_duration(&text);
        }
    }
}
