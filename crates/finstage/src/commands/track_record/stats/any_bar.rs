//! What any bar came to, beside what signals did.
//!
//! The time is that of the whole record, from the first entry to the last exit of any signal: a signal that
//! fires alone has a time of its own that holds nothing but itself.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::{Direction, Horizon, Interval, Symbol, Timestamp};
use finstage_research::live::{FEW, Followed, Group, Statistics, base_rate};
use finstage_store::history::History;
use finstage_store::records::Records;

use crate::exit::Result;
use crate::track;

/// The time that is looked at is at most so many lengths of a bar, the newest: five weeks of minutes.
const BARS_MAX: u32 = 50_000;

/// The signals of a series that belong to each group.
type Events = BTreeMap<usize, usize>;

/// Fills in the base rates of groups. Each series is read once; where signals of a group are about several
/// instruments, the rates of these weigh as much as they have signals.
///
/// # Errors
/// Exit 6 when records or history cannot be read.
pub(super) fn fill(
    groups: &mut [Statistics],
    settled: &[Followed],
    (records, history): (&Records, &History),
) -> Result<()> {
    let Some((from, to)) = time(settled) else { return Ok(()) };
    let mut sums = vec![(0.0, 0.0); groups.len()];
    for ((symbol, interval), events) in series(groups, settled) {
        let hours = track::hours(records, symbol)?;
        let longest = interval.nominal().saturating_mul(BARS_MAX);
        // Ranges end before their end.
        let range = from.max(to.minus(longest))..to.plus(Duration::from_nanos(1));
        let bars = history.bars(symbol, interval, range)?;
        let mut known: BTreeMap<(Horizon, Direction), Option<f64>> = BTreeMap::new();
        for (place, count) in events {
            let Group { horizon, direction, .. } = groups[place].group;
            let Some(length) = track::length(hours, horizon, interval) else { continue };
            let rate = known.entry((horizon, direction));
            // So few are no measure of what is usual; of a lone signal with its own time it is all there is.
            let of = bars.len().saturating_sub(length);
            let rate = *rate.or_insert_with(|| base_rate(&bars, length, direction));
            if let Some(rate) = rate.filter(|_| of >= FEW) {
                let (sum, weight) = &mut sums[place];
                (*sum, *weight) = (*sum + rate * count as f64, *weight + count as f64);
                groups[place].base_bars += of;
            }
        }
    }
    for (group, (sum, weight)) in groups.iter_mut().zip(sums) {
        group.base_rate = (weight > 0.0).then(|| sum / weight);
    }
    Ok(())
}

/// From the first entry to the last exit.
fn time(settled: &[Followed]) -> Option<(Timestamp, Timestamp)> {
    let held = || settled.iter().filter_map(|one| Some(one.settled?.holding));
    Some((held().map(|one| one.entry).min()?, held().map(|one| one.exit).max()?))
}

/// By series, how many signals of each group are about it.
fn series<'a>(
    groups: &[Statistics],
    settled: &'a [Followed],
) -> BTreeMap<(&'a Symbol, Interval), Events> {
    let places: BTreeMap<&Group, usize> =
        groups.iter().enumerate().map(|(place, one)| (&one.group, place)).collect();
    let mut all: BTreeMap<(&Symbol, Interval), Events> = BTreeMap::new();
    for one in settled.iter().filter(|one| one.settled.is_some()) {
        if let Some(place) = places.get(&Group::of(one)) {
            *all.entry((&one.symbol, one.interval)).or_default().entry(*place).or_default() += 1;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use finstage_model::{Bar, InstrumentId, Price, Qty, SignalId};
    use finstage_quant::stats::occasions::Holding;
    use finstage_research::live::{Settled, statistics};

    use super::*;
    use crate::wiring;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_secs(day * 86_400)
    }

    /// Daily bars of a market that rises three days of four.
    fn bars(days: i64) -> Vec<Bar> {
        let bar = |day: i64| {
            let price = Price::from_nanos((100 + day / 4 * 2 + day % 4) * 1_000_000_000);
            Bar {
                instrument: InstrumentId(0),
                interval: Interval::D1,
                open_time: at(day),
                open: price,
                high: price,
                low: price,
                close: price,
                volume: Qty::ZERO,
                trades: 0,
            }
        };
        (0..days).map(bar).collect()
    }

    fn followed(strategy: &str, direction: Direction, day: i64) -> Followed {
        Followed {
            signal: SignalId(day as u128),
            strategy: strategy.to_owned(),
            symbol: "binance:BTCUSDT".parse().unwrap(),
            interval: Interval::D1,
            direction,
            at: at(day),
            horizon: "1d".parse().unwrap(),
            settled: Some(Settled {
                holding: Holding { entry: at(day), exit: at(day + 1) },
                ret: 0.01,
            }),
        }
    }

    /// The statistics of these signals on so many stored days.
    fn found(settled: &[Followed], days: i64) -> Vec<Statistics> {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open_in_memory().unwrap();
        let history = wiring::history(folder.path(), &records);
        history.import(&settled[0].symbol, Interval::D1, &bars(days)).unwrap();
        let mut groups = statistics(settled);
        fill(&mut groups, settled, (&records, &history)).unwrap();
        groups
    }

    #[test]
    fn a_signal_that_fires_alone_is_compared_with_every_bar_of_the_record() {
        let lone = followed("a()", Direction::Long, 41);
        let often = (0..30).map(|nth| followed("b()", Direction::Short, 2 * nth));
        let all: Vec<Followed> = often.chain([lone]).collect();
        let [of_lone, of_often] = &found(&all, 400)[..] else { panic!("two groups") };
        assert_eq!((of_lone.n, of_lone.base_bars), (1, 59), "from day 0 to day 59");
        // Of each four steps the last goes down.
        let up = (0..59).filter(|day| day % 4 != 3).count() as f64 / 59.0;
        assert_eq!(of_lone.base_rate, Some(up));
        assert!((of_often.base_rate.unwrap() - (1.0 - up)).abs() < 1e-12);
    }

    #[test]
    fn what_nothing_is_known_beside_has_no_base_rate() {
        let lone = [followed("a()", Direction::Long, 41)];
        let [group] = &found(&lone, 400)[..] else { panic!("one group") };
        assert_eq!((group.base_rate, group.base_bars), (None, 0), "it is all there is");
        // Stored bars that cover little of the time say little.
        let both = [followed("a()", Direction::Long, 1), followed("a()", Direction::Long, 300)];
        assert_eq!(found(&both, 20)[0].base_rate, None);
    }
}
