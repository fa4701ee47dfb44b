use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Interval, SignalId, UnknownInterval};

/// How long after a signal its outcome is judged, in trading time: `1h 4h 1d 1w 1mo`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Horizon(Interval);

impl Horizon {
    /// All horizons, shortest first.
    pub const ALL: [Self; 5] = [
        Self(Interval::H1),
        Self(Interval::H4),
        Self(Interval::D1),
        Self(Interval::W1),
        Self(Interval::Mo1),
    ];

    /// The interval of the same name.
    #[must_use]
    pub const fn interval(self) -> Interval {
        self.0
    }

    /// The number of bars of `interval` that make the horizon: on daily bars `1d` is 1, `1w` 5 and
    /// `1mo` 21, or 7 and 30 where the market never closes. `None` when the horizon is shorter
    /// than one bar.
    #[must_use]
    pub fn bars(self, interval: Interval, round_the_clock: bool) -> Option<usize> {
        let days = match (self.0, round_the_clock) {
            (Interval::W1, true) => 7,
            (Interval::W1, false) => 5,
            (Interval::Mo1, true) => 30,
            (Interval::Mo1, false) => 21,
            _ => 1,
        };
        match interval {
            Interval::D1 => (self.0 >= Interval::D1).then_some(days),
            Interval::W1 | Interval::Mo1 => match (self.0, interval) {
                (Interval::Mo1, Interval::W1) => Some(4),
                (a, b) => (a == b).then_some(1),
            },
            _ => {
                let unit = if self.0 >= Interval::D1 { Interval::D1 } else { self.0 };
                let bars = unit.nominal().as_secs() / interval.nominal().as_secs();
                (bars > 0).then_some(bars as usize * days)
            }
        }
    }
}

impl fmt::Display for Horizon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for Horizon {
    type Error = UnknownInterval;

    fn try_from(text: String) -> Result<Self, UnknownInterval> {
        text.parse()
    }
}

impl From<Horizon> for String {
    fn from(horizon: Horizon) -> Self {
        horizon.to_string()
    }
}

impl FromStr for Horizon {
    type Err = UnknownInterval;

    fn from_str(text: &str) -> Result<Self, UnknownInterval> {
        let interval: Interval = text.parse()?;
        match Self::ALL.into_iter().find(|h| h.0 == interval) {
            Some(horizon) => Ok(horizon),
            None => Err(UnknownInterval::new(text, "a horizon: write one of 1h 4h 1d 1w 1mo")),
        }
    }
}

/// What happened after a signal at one horizon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The signal.
    pub signal: SignalId,
    /// The horizon.
    pub horizon: Horizon,
    /// Exit over entry minus 1: the plain return of the price, positive when it rose.
    pub ret: f64,
    /// Maximum favourable excursion: the greatest move for the signal's direction, ≥ 0.
    pub mfe: f64,
    /// Maximum adverse excursion: the greatest move against it, ≥ 0.
    pub mae: f64,
    /// Whether the return had the signal's direction.
    pub hit: bool,
}
