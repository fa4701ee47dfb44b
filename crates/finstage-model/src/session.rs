use std::fmt;
use std::time::Duration;

use crate::Timestamp;

/// One stretch of open time, half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// First open moment.
    pub open: Timestamp,
    /// First moment after.
    pub close: Timestamp,
}

/// When a market is open, as data: a table of UTC spans, or always.
///
/// The engine knows no time zones; a table made today cannot be changed by tomorrow's zone
/// database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar(Option<Vec<Span>>);

/// A span that ends before it opens, or overlaps the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarError(Span);

impl fmt::Display for CalendarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "calendar span {} to {} is empty or overlaps the one before",
            self.0.open, self.0.close
        )
    }
}

impl std::error::Error for CalendarError {}

impl Calendar {
    /// Open around the clock.
    #[must_use]
    pub const fn always() -> Self {
        Self(None)
    }

    /// Open in `spans`, which must ascend and not overlap.
    ///
    /// # Errors
    /// Names the first span that does not fit.
    pub fn sessions(spans: Vec<Span>) -> Result<Self, CalendarError> {
        let mut last = Timestamp::MIN;
        for span in &spans {
            if span.open < last || span.close <= span.open {
                return Err(CalendarError(*span));
            }
            last = span.close;
        }
        Ok(Self(Some(spans)))
    }

    /// Whether the market is open at `at`.
    #[must_use]
    pub fn is_open(&self, at: Timestamp) -> bool {
        let Some(spans) = &self.0 else { return true };
        let next = spans.partition_point(|span| span.close <= at);
        spans.get(next).is_some_and(|span| span.open <= at)
    }

    /// The moment at which `open_time` of trading time has passed since `from`; `None` where the
    /// table ends before.
    #[must_use]
    pub fn after(&self, from: Timestamp, open_time: Duration) -> Option<Timestamp> {
        let Some(spans) = &self.0 else {
            return Some(from.plus(open_time));
        };
        let mut left = open_time;
        for span in &spans[spans.partition_point(|span| span.close <= from)..] {
            let start = span.open.max(from);
            let length = span.close.since(start);
            if left <= length {
                return Some(start.plus(left));
            }
            left -= length;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn trading_time_skips_the_night() {
        let day = |d: &str| Span {
            open: t(&format!("{d}T14:30:00Z")),
            close: t(&format!("{d}T21:00:00Z")),
        };
        let calendar = Calendar::sessions(vec![day("2024-01-02"), day("2024-01-03")]).unwrap();
        let hours = |h: u64| Duration::from_secs(h * 3600);
        assert_eq!(
            calendar.after(t("2024-01-02T20:00:00Z"), hours(2)),
            Some(t("2024-01-03T15:30:00Z"))
        );
        assert_eq!(
            calendar.after(t("2024-01-02T08:00:00Z"), hours(1)),
            Some(t("2024-01-02T15:30:00Z"))
        );
        assert_eq!(calendar.after(t("2024-01-03T20:00:00Z"), hours(2)), None);
        assert!(calendar.is_open(t("2024-01-02T14:30:00Z")));
        assert!(!calendar.is_open(t("2024-01-02T21:00:00Z")));
        assert_eq!(Calendar::always().after(t("2024-01-02"), hours(24)), Some(t("2024-01-03")));
    }

    #[test]
    fn overlapping_spans_are_refused() {
        let span = |a: &str, b: &str| Span { open: t(a), close: t(b) };
        assert!(Calendar::sessions(vec![span("2024-01-02", "2024-01-01")]).is_err());
        assert!(
            Calendar::sessions(vec![
                span("2024-01-01", "2024-01-03"),
                span("2024-01-02", "2024-01-04")
            ])
            .is_err()
        );
    }
}
