//! When patterns were complete, and what came by hour, weekday and the like.

use std::collections::{BTreeMap, BTreeSet};

use finstage_model::{Horizon, Timestamp};
use serde::Serialize;

use super::judged::figures;
use super::{Figures, Findings, PastSignal};

const WEEKDAYS: [&str; 7] =
    ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Signals of one part of the day, the week or the year.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// `hour`, `weekday`, `part_of_week`, `quarter` (all in UTC) or `interval`.
    pub by: &'static str,
    /// Which.
    pub part: String,
    /// What came of them.
    #[serde(flatten)]
    pub figures: Figures,
}

/// Figures of the signals that completed a pattern, each once, by when that was. Parts with fewer than
/// [`MIN_OCCURRENCES`](super::MIN_OCCURRENCES) are left out. They are for looking, not for choosing: no
/// p-value is given.
#[must_use]
pub fn temporal(findings: &Findings, horizon: Horizon) -> Vec<Part> {
    let lasts: BTreeSet<usize> =
        findings.patterns.iter().flat_map(|one| one.lasts.iter().copied()).collect();
    let mut parts: BTreeMap<(usize, usize, String), Vec<&PastSignal>> = BTreeMap::new();
    for place in lasts {
        let signal = &findings.signals[place];
        for (by, (order, part)) in parts_of(signal).into_iter().enumerate() {
            parts.entry((by, order, part)).or_default().push(signal);
        }
    }
    let part = |((by, _, part), signals): ((usize, usize, String), Vec<&PastSignal>)| {
        let (figures, _) = figures(signals.into_iter(), horizon, &findings.market)?;
        Some(Part { by: NAMES[by], part, figures })
    };
    parts.into_iter().filter_map(part).collect()
}

const NAMES: [&str; 5] = ["hour", "weekday", "part_of_week", "quarter", "interval"];

/// In which part of each it lies: its place among them, and its name.
pub(super) fn parts_of(signal: &PastSignal) -> [(usize, String); 5] {
    let at: Timestamp = signal.at;
    let hour = at.secs().rem_euclid(86_400) / 3_600;
    let weekday = at.day().days_from_monday() as usize;
    let (_, month, _) = at.day().civil();
    let quarter = (month - 1) / 3 + 1;
    let is_weekend = weekday >= 5;
    [
        (hour as usize, format!("{hour:02}")),
        (weekday, WEEKDAYS[weekday].to_owned()),
        (usize::from(is_weekend), if is_weekend { "weekend" } else { "working_days" }.to_owned()),
        (quarter as usize, format!("q{quarter}")),
        (signal.interval as usize, signal.interval.to_string()),
    ]
}
