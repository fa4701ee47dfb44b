//! Where a series lies on the disk, and how it is cut into files.
//!
//! The folders are Hive partitions, `interval=1m/venue=binance/symbol=BTCUSDT`, which pandas,
//! polars and DuckDB turn into columns by themselves. In the symbol every byte but ASCII letters,
//! digits, `-`, `_` and inner dots is written as `%` and two hex digits: `^GSPC` is `%5EGSPC`,
//! `a/b` is `a%2Fb`; those readers decode it. Bars shorter than a day have a file a month
//! (`2026-11.parquet`), longer ones a single file (`all.parquet`). A file is never changed: what
//! replaces it has the next free number (`2026-11.g2.parquet`).

use std::fmt::{self, Write as _};
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use finstage_model::{Day, Interval, Symbol, Timestamp};

const SUFFIX: &str = ".parquet";
const UNFINISHED: &str = ".tmp";

/// The part of a series that lies in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Period {
    /// A UTC month.
    Month { year: i32, month: u32 },
    /// Everything.
    All,
}

/// A name in a folder of the shelf.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName {
    pub(super) period: Period,
    pub(super) generation: u32,
    /// It was being written.
    pub(super) unfinished: bool,
}

impl Period {
    /// The period of a bar that opens at `open_time`.
    pub(super) fn of(interval: Interval, open_time: Timestamp) -> Self {
        if interval >= Interval::D1 {
            return Self::All;
        }
        let (year, month, _) = open_time.day().civil();
        Self::Month { year, month }
    }

    /// Its open times; half-open.
    pub(super) fn range(self) -> Range<Timestamp> {
        let Self::Month { year, month } = self else { return Timestamp::MIN..Timestamp::MAX };
        let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let start = |year, month| Day::from_civil(year, month, 1).map(Day::start);
        start(year, month).unwrap_or(Timestamp::MIN)
            ..start(next_year, next).unwrap_or(Timestamp::MAX)
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month { year, month } => write!(f, "{year:04}-{month:02}"),
            Self::All => f.write_str("all"),
        }
    }
}

impl FromStr for Period {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "all" {
            return Ok(Self::All);
        }
        let (year, month) = text.split_once('-').ok_or(())?;
        let period =
            Self::Month { year: year.parse().map_err(drop)?, month: month.parse().map_err(drop)? };
        let is_ours = matches!(period, Self::Month { month: 1..=12, .. });
        if is_ours && period.to_string() == text { Ok(period) } else { Err(()) }
    }
}

impl FileName {
    pub(super) const fn new(period: Period, generation: u32) -> Self {
        Self { period, generation, unfinished: false }
    }

    pub(super) const fn while_written(self) -> Self {
        Self { unfinished: true, ..self }
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.period.fmt(f)?;
        if self.generation > 1 {
            write!(f, ".g{}", self.generation)?;
        }
        f.write_str(SUFFIX)?;
        if self.unfinished { f.write_str(UNFINISHED) } else { Ok(()) }
    }
}

impl FromStr for FileName {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (whole, unfinished) =
            text.strip_suffix(UNFINISHED).map_or((text, false), |whole| (whole, true));
        let stem = whole.strip_suffix(SUFFIX).ok_or(())?;
        let (period, generation) = stem.split_once(".g").unwrap_or((stem, "1"));
        let generation = generation.parse().map_err(drop)?;
        let name = Self { period: period.parse()?, generation, unfinished };
        if name.to_string() == text { Ok(name) } else { Err(()) }
    }
}

/// The folder of a series, below the root of the shelf.
pub(super) fn folder(symbol: &Symbol, interval: Interval) -> PathBuf {
    let mut path = PathBuf::from(format!("interval={interval}"));
    path.push(format!("venue={}", symbol.venue()));
    path.push(format!("symbol={}", path_safe(symbol.name())));
    path
}

fn path_safe(name: &str) -> String {
    let mut safe = String::with_capacity(name.len());
    for (place, byte) in name.bytes().enumerate() {
        let inner_dot = byte == b'.' && place > 0 && place + 1 < name.len();
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' || inner_dot {
            safe.push(char::from(byte));
        } else {
            write!(safe, "%{byte:02X}").expect("writing to a string does not fail");
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn path(symbol: &str, interval: Interval) -> String {
        folder(&symbol.parse().unwrap(), interval).display().to_string().replace('\\', "/")
    }

    #[test]
    fn folders_are_hive_partitions_that_any_disk_can_hold() {
        assert_eq!(
            path("binance:BTCUSDT", Interval::M1),
            "interval=1m/venue=binance/symbol=BTCUSDT"
        );
        assert_eq!(path("yahoo:^GSPC", Interval::D1), "interval=1d/venue=yahoo/symbol=%5EGSPC");
        assert_eq!(path("file:a/b", Interval::H1), "interval=1h/venue=file/symbol=a%2Fb");
        assert_eq!(path("file:..", Interval::H1), "interval=1h/venue=file/symbol=%2E%2E");
        assert_eq!(path("file:BRK.B", Interval::H1), "interval=1h/venue=file/symbol=BRK.B");
        assert_eq!(path("kis:삼", Interval::Mo1), "interval=1mo/venue=kis/symbol=%EC%82%BC");
    }

    #[test]
    fn file_names_tell_period_and_generation() {
        let at: Timestamp = "2026-12-31T23:59:00Z".parse().unwrap();
        let month = Period::of(Interval::M1, at);
        assert_eq!(FileName::new(month, 1).to_string(), "2026-12.parquet");
        assert_eq!(FileName::new(month, 3).while_written().to_string(), "2026-12.g3.parquet.tmp");
        assert_eq!(FileName::new(Period::of(Interval::D1, at), 1).to_string(), "all.parquet");
        for other in ["2026-13.parquet", "2026-12.g1.parquet", "2026-12.g02.parquet", "x.parquet"] {
            assert!(other.parse::<FileName>().is_err(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn a_moment_lies_in_its_period(nanos in any::<i64>().prop_filter("", |n| *n != i64::MAX)) {
            let at = Timestamp::from_nanos(nanos);
            for interval in [Interval::M1, Interval::D1] {
                let period = Period::of(interval, at);
                prop_assert!(period.range().contains(&at));
                let name = FileName::new(period, 7);
                prop_assert_eq!(name.to_string().parse(), Ok(name));
            }
        }

        #[test]
        fn two_symbols_never_share_a_folder(a in "[^\\s\\x00-\\x1f]{1,6}", b in "[^\\s\\x00-\\x1f]{1,6}") {
            prop_assert_eq!(path_safe(&a) == path_safe(&b), a == b);
        }
    }
}
