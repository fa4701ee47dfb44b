//! Moments as keyrings need them: whole seconds.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserialize, Deserializer};

use crate::spelled;

/// A moment: seconds since 1970-01-01T00:00:00 UTC, leap seconds not counted.
///
/// Text form: RFC 3339 in UTC with `Z`. Parsing also takes an offset and decimals, which are cut
/// off.
///
/// ```
/// use finstage_seal::UnixTime;
/// let t: UnixTime = "2026-11-21T18:30:00.9+09:00".parse().unwrap();
/// assert_eq!(t.to_string(), "2026-11-21T09:30:00Z");
/// assert_eq!(t, UnixTime::from_secs(1_795_253_400));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// From seconds since the epoch.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub const fn secs(self) -> i64 {
        self.0
    }

    /// A moment later; the end of the range where that does not fit.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_secs()).unwrap_or(i64::MAX)))
    }

    /// The time from `earlier` until this moment; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ends = jiff::Timestamp::MIN.as_second()..=jiff::Timestamp::MAX.as_second();
        let secs = self.0.clamp(*ends.start(), *ends.end());
        let shown = jiff::Timestamp::from_second(secs).map_err(|_| fmt::Error)?;
        write!(f, "{shown}")
    }
}

impl FromStr for UnixTime {
    type Err = BadTime;

    fn from_str(text: &str) -> Result<Self, BadTime> {
        let moment: jiff::Timestamp = text.parse().map_err(|_| BadTime)?;
        Ok(Self(moment.as_nanosecond().div_euclid(1_000_000_000).try_into().map_err(|_| BadTime)?))
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::read(from, "a time as \"2026-11-21T09:30:00Z\"", str::parse)
    }
}

/// A text is no moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadTime;

impl fmt::Display for BadTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time: write it as \"2026-11-21T09:30:00Z\"")
    }
}

impl std::error::Error for BadTime {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_beyond_the_calendar_are_shown_at_its_end() {
        assert!(UnixTime::from_secs(i64::MAX).to_string().starts_with("9999-12-3"));
        assert!(UnixTime::from_secs(i64::MIN).to_string().starts_with("-009999-01-0"));
        assert_eq!(UnixTime::from_secs(i64::MAX).plus(Duration::MAX).secs(), i64::MAX);
    }

    #[test]
    fn decimals_before_the_epoch_are_cut_downwards() {
        let t: UnixTime = "1969-12-31T23:59:58.5Z".parse().unwrap();
        assert_eq!(t.secs(), -2);
        assert!("yesterday".parse::<UnixTime>().is_err());
    }
}
