//! Signals about one instrument that come at once.

use std::collections::{BTreeMap, VecDeque};

use super::stream::Stream;
use super::{Found, Kind, MAX_OCCURRENCES, MIN_OCCURRENCES, PastSignal, Span, too_many};
use crate::Error;

/// The most signals within one bar that are compared: the newest.
const MAX_AT_ONCE: usize = 12;

/// Pairs and threes of different signals about one instrument, each two of them less apart than the
/// shorter of their bars is long. The newest is the last; of those on one moment the one on longer bars.
pub(super) fn find(stream: &Stream) -> Result<Vec<Found>, Error> {
    let mut pairs: BTreeMap<Vec<u32>, Vec<Span>> = BTreeMap::new();
    let mut threes: BTreeMap<Vec<u32>, Vec<Span>> = BTreeMap::new();
    let mut count = 0;
    for group in stream.chunks(|a, b| a.symbol == b.symbol) {
        let mut places: Vec<usize> = group.collect();
        places.sort_by_key(|place| (stream.signals()[*place].at, *place));
        let mut recent: VecDeque<usize> = VecDeque::new();
        for last in places {
            let near: Vec<usize> =
                recent.iter().copied().filter(|one| at_once(stream, *one, last)).collect();
            for (nth, other) in near.iter().enumerate() {
                let span = Span { first: *other, last };
                pairs.entry(key(stream, &[*other, last])).or_default().push(span);
                for third in &near[nth + 1..] {
                    if at_once(stream, *other, *third) {
                        let key = key(stream, &[*other, *third, last]);
                        threes.entry(key).or_default().push(span);
                        count += 1;
                    }
                }
                count += 1;
            }
            if count > MAX_OCCURRENCES {
                let what = format!("more than {MAX_OCCURRENCES} signals at once: fewer");
                return Err(too_many(&what));
            }
            recent.push_back(last);
            if recent.len() > MAX_AT_ONCE {
                recent.pop_front();
            }
        }
    }
    let all = pairs.into_iter().chain(threes);
    let frequent = all.filter(|(_, spans)| spans.len() >= MIN_OCCURRENCES);
    Ok(frequent
        .map(|(steps, spans)| Found {
            kind: Kind::Concurrent,
            steps: steps.iter().map(|step| stream.step(*step).clone()).collect(),
            spans,
            lead: None,
        })
        .collect())
}

/// What these signals say, in the order of numbers.
fn key(stream: &Stream, places: &[usize]) -> Vec<u32> {
    let mut key: Vec<u32> = places.iter().map(|place| stream.step_of(*place)).collect();
    key.sort_unstable();
    key
}

/// Whether two signals say different things within the shorter of their bars.
fn at_once(stream: &Stream, one: usize, other: usize) -> bool {
    let (a, b): (&PastSignal, &PastSignal) = (&stream.signals()[one], &stream.signals()[other]);
    let bar = a.interval.nominal().min(b.interval.nominal());
    let apart = if a.at <= b.at { b.at.since(a.at) } else { a.at.since(b.at) };
    apart < bar && stream.step_of(one) != stream.step_of(other)
}
