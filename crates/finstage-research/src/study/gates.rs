//! Whether prices can be traded at, and whether bars are missing.

use std::collections::BTreeMap;

use finstage_model::{Bar, Interval};

use super::Pace;

const HOUR_S: u64 = 3_600;
const DAY_S: u64 = 24 * HOUR_S;

/// Whether bars are missing between two neighbours: more time has passed than nights, weekends and
/// holidays explain. Daily bars of a market with sessions may lie 11 days apart (the longest holidays
/// of large markets), its shorter bars 5 days; around the clock six bars in a row may be missing of
/// those shorter than a day, and none of the others.
pub(super) fn is_gap(before: &Bar, after: &Bar, pace: &Pace) -> bool {
    let apart = after.open_time.since(before.open_time).as_secs();
    let nominal = pace.interval.nominal().as_secs();
    let most = match (pace.interval, pace.round_the_clock) {
        (Interval::D1, false) => 11 * DAY_S,
        (Interval::W1, _) => 14 * DAY_S,
        (Interval::Mo1, _) => 62 * DAY_S,
        (Interval::D1, true) => DAY_S,
        (_, false) => 5 * DAY_S,
        (_, true) => 7 * nominal,
    };
    apart > most
}

/// The years in which opens are not prices of their own: more than half of the bars open exactly at
/// the close before. Only where a night lies between bars.
pub(super) fn years_at_close(bars: &[Bar], pace: &Pace) -> Vec<i32> {
    if pace.interval < Interval::D1 || pace.round_the_clock {
        return Vec::new();
    }
    let mut years: BTreeMap<i32, (usize, usize)> = BTreeMap::new();
    for pair in bars.windows(2) {
        let (all, repeated) = years.entry(year(&pair[1])).or_default();
        *all += 1;
        *repeated += usize::from(pair[1].open == pair[0].close);
    }
    years.into_iter().filter(|(_, (all, repeated))| 2 * repeated > *all).map(|(y, _)| y).collect()
}

pub(super) fn year(bar: &Bar) -> i32 {
    bar.open_time.day().civil().0
}
