//! Moments as files write them: dates, RFC 3339 with or without a zone, Unix numbers.

use finstage_model::{Day, Timestamp};
use jiff::fmt::temporal::{Pieces, PiecesOffset};
use jiff::tz::TimeZone;

use super::error::{Fault, quoted};
use super::number;

/// Bars before the nineteenth century or beyond the twenty-first are a misread unit.
const EARLIEST: Timestamp = new_year(1800);
const LATEST: Timestamp = new_year(2101);
/// Where Unix numbers of the first row betray that they are something else.
const UNIX_EARLIEST: Timestamp = new_year(1970);
const UNIX_PLAUSIBLE: Timestamp = new_year(1971);

/// A moment, and the day it was written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::history) struct Stamp {
    pub(in crate::history) at: Timestamp,
    /// The calendar date in the file's own terms.
    pub(in crate::history) day: Day,
    /// Nothing but a date was written.
    pub(in crate::history) is_date: bool,
}

/// The zone of stamps that carry none.
#[derive(Debug)]
pub(in crate::history) struct Zone {
    named: Option<(String, TimeZone)>,
    /// Stamps with a time of day that were read in this zone.
    assumed: u64,
    seen_any: bool,
}

impl Zone {
    /// The zone of an IANA name; `None` is UTC.
    pub(in crate::history) fn find(name: Option<&str>) -> Result<Self, Fault> {
        let named = name
            .map(|name| match TimeZone::get(name) {
                Ok(zone) => Ok((name.to_owned(), zone)),
                Err(_) => Err(Fault::new(
                    format!("unknown time zone {}", quoted(name)),
                    "use a name like America/New_York or Asia/Seoul",
                )),
            })
            .transpose()?;
        Ok(Self { named, assumed: 0, seen_any: false })
    }

    /// What was assumed, for intervals where it matters.
    pub(in crate::history) fn note(&self) -> Option<String> {
        (self.assumed > 0).then(|| match &self.named {
            Some((name, _)) => format!("stamps carry no zone: read as local time of {name}"),
            None => "stamps carry no zone: read as UTC (another with --tz)".to_owned(),
        })
    }

    /// Reads one cell.
    pub(in crate::history) fn read(&mut self, cell: &[u8]) -> Result<Stamp, Fault> {
        let text = number::text("stamp", cell)?;
        let stamp = match unix_digits(text) {
            Some(digits) => {
                let at = unix(digits).ok_or_else(|| unreadable(text))?;
                if !self.seen_any && (UNIX_EARLIEST..UNIX_PLAUSIBLE).contains(&at) {
                    return Err(not_unix(text));
                }
                self.absolute(at)
            }
            None => self.written(text)?,
        };
        if !(EARLIEST..LATEST).contains(&stamp.at) {
            let what = format!("stamp {} is not in the years 1800 to 2100", quoted(text));
            return Err(Fault::new(what, UNITS));
        }
        self.seen_any = true;
        Ok(stamp)
    }

    /// A moment of a binary column, which is absolute.
    pub(in crate::history) fn moment(&mut self, at: Timestamp) -> Result<Stamp, Fault> {
        self.plausible(self.absolute(at))
    }

    /// A local time of a binary column: what its clock showed, as if that were UTC.
    pub(in crate::history) fn clock(&mut self, shown: Timestamp) -> Result<Stamp, Fault> {
        self.assumed += 1;
        let at = match &self.named {
            None => Some(shown),
            Some(_) => jiff::Timestamp::from_nanosecond(i128::from(shown.nanos()))
                .ok()
                .and_then(|shown| self.local(TimeZone::UTC.to_datetime(shown))),
        };
        let at = at.ok_or_else(|| unreadable(&shown.to_string()))?;
        self.plausible(Stamp { at, day: shown.day(), is_date: false })
    }

    /// A date of a binary column.
    pub(in crate::history) fn date(&mut self, day: Day) -> Result<Stamp, Fault> {
        let stamp = self.written(&day.to_string())?;
        self.plausible(stamp)
    }

    fn plausible(&self, stamp: Stamp) -> Result<Stamp, Fault> {
        if (EARLIEST..LATEST).contains(&stamp.at) {
            return Ok(stamp);
        }
        let what = format!("stamp {} is not in the years 1800 to 2100", stamp.at);
        Err(Fault::new(what, UNITS))
    }

    fn written(&mut self, text: &str) -> Result<Stamp, Fault> {
        // The two commonest forms first; the general parser takes several times as long.
        if let Ok(day) = text.parse::<Day>() {
            let at = match &self.named {
                None => Some(day.start()),
                Some(_) => date_of(day).and_then(|date| self.local(date.at(0, 0, 0, 0))),
            };
            return Ok(Stamp { at: at.ok_or_else(|| unreadable(text))?, day, is_date: true });
        }
        if text.ends_with('Z')
            && let Ok(at) = text.parse()
        {
            return Ok(self.absolute(at));
        }
        self.general(text).ok_or_else(|| unreadable(text))
    }

    /// Any other form that jiff knows: no zone, or an offset behind the time.
    fn general(&mut self, text: &str) -> Option<Stamp> {
        let pieces = Pieces::parse(text).ok()?;
        if pieces.time_zone_annotation().is_some() {
            return None;
        }
        let local = pieces.date().to_datetime(pieces.time()?);
        let day = day_of(pieces.date())?;
        let offset = match pieces.offset() {
            None => {
                self.assumed += 1;
                return Some(Stamp { at: self.local(local)?, day, is_date: false });
            }
            Some(PiecesOffset::Numeric(offset)) => offset.offset(),
            Some(_) => jiff::tz::Offset::UTC,
        };
        let at = from_jiff(offset.to_timestamp(local).ok()?)?;
        // A zero offset says nothing about the place; any other is the place's own date.
        let is_utc = offset == jiff::tz::Offset::UTC;
        Some(if is_utc { self.absolute(at) } else { Stamp { at, day, is_date: false } })
    }

    /// A local time under the compatible rule (see the module above).
    fn local(&self, local: jiff::civil::DateTime) -> Option<Timestamp> {
        let utc = &TimeZone::UTC;
        let zone = self.named.as_ref().map_or(utc, |(_, zone)| zone);
        from_jiff(zone.to_timestamp(local).ok()?)
    }

    /// A moment that needs no zone, with its date in ours.
    fn absolute(&self, at: Timestamp) -> Stamp {
        let day = self.named.as_ref().and_then(|(_, zone)| {
            let at = jiff::Timestamp::from_nanosecond(i128::from(at.nanos())).ok()?;
            day_of(zone.to_datetime(at).date())
        });
        Stamp { at, day: day.unwrap_or(at.day()), is_date: false }
    }
}

const UNITS: &str = "check the unit: dates, or Unix seconds, milli-, micro- or nanoseconds";

const fn new_year(year: i32) -> Timestamp {
    match Day::from_civil(year, 1, 1) {
        Some(day) => day.start(),
        None => panic!("invariant: the year is one that days can express"),
    }
}

/// The digits of a whole number; also of one that a spreadsheet gave the decimals `.0`.
fn unix_digits(text: &str) -> Option<&str> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.strip_prefix('-').unwrap_or(whole);
    let is_whole = !digits.is_empty()
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && fraction.bytes().all(|byte| byte == b'0');
    is_whole.then_some(whole)
}

/// The unit follows from the size: each is a thousand times the next, and from 1973 to 2100 they
/// cannot meet.
fn unix(digits: &str) -> Option<Timestamp> {
    let number: i64 = digits.parse().ok()?;
    let nanos_per_unit = match number.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    Some(Timestamp::from_nanos(number.saturating_mul(nanos_per_unit)))
}

fn not_unix(text: &str) -> Fault {
    let what = format!("stamp {} would be in the year 1970", quoted(text));
    let digits = text.as_bytes();
    let looks_like_a_date =
        digits.len() == 8 && (digits.starts_with(b"19") || digits.starts_with(b"20"));
    Fault::new(what, if looks_like_a_date { "write dates as YYYY-MM-DD" } else { UNITS })
}

fn unreadable(text: &str) -> Fault {
    let remedy = "write 2024-01-02, 2024-01-02T15:30:00Z, or Unix seconds";
    Fault::new(format!("stamp {} cannot be read", quoted(text)), remedy)
}

fn day_of(date: jiff::civil::Date) -> Option<Day> {
    let month = u32::try_from(date.month()).ok()?;
    Day::from_civil(date.year().into(), month, u32::try_from(date.day()).ok()?)
}

fn date_of(day: Day) -> Option<jiff::civil::Date> {
    let (year, month, day) = day.civil();
    jiff::civil::Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?).ok()
}

fn from_jiff(at: jiff::Timestamp) -> Option<Timestamp> {
    i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_nanos)
}
