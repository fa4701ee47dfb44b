//! Signals that follow one another in one series.

use std::collections::BTreeMap;
use std::ops::Range;

use super::stream::{Stream, same_series};
use super::{Found, Kind, MAX_OCCURRENCES, MAX_STEPS, MIN_OCCURRENCES, Options, Span, too_many};
use crate::Error;

/// Sequences of two to five signals: each on the next bar of the series on which anything was said, at
/// most `gap` after the one before it. Of signals on one bar each makes a sequence of its own.
///
/// One signal longer at a time: what begins a frequent sequence is frequent itself, so nothing is missed
/// by going on with those alone.
pub(super) fn find(stream: &Stream, options: &Options) -> Result<Vec<Found>, Error> {
    let nexts = nexts(stream, options);
    let signals = stream.signals();
    let mut level: BTreeMap<Vec<u32>, Vec<Span>> = BTreeMap::new();
    for place in 0..signals.len() {
        let one = Span { first: place, last: place };
        level.entry(vec![stream.step_of(place)]).or_default().push(one);
    }
    let mut found = Vec::new();
    for _ in 1..MAX_STEPS {
        let mut longer: BTreeMap<Vec<u32>, Vec<Span>> = BTreeMap::new();
        let mut count = 0;
        level.retain(|_, spans| spans.len() >= MIN_OCCURRENCES);
        for (steps, spans) in &level {
            for span in spans {
                for last in nexts[span.last].clone() {
                    if signals[last].at.since(signals[span.first].at) > options.span {
                        continue;
                    }
                    count += 1;
                    if count > MAX_OCCURRENCES {
                        let what = format!("more than {MAX_OCCURRENCES} sequences: fewer");
                        return Err(too_many(&what));
                    }
                    let mut steps = steps.clone();
                    steps.push(stream.step_of(last));
                    longer.entry(steps).or_default().push(Span { first: span.first, last });
                }
            }
        }
        longer.retain(|_, spans| spans.len() >= MIN_OCCURRENCES);
        found.extend(longer.iter().map(|(steps, spans)| Found {
            kind: Kind::Sequential,
            steps: steps.iter().map(|step| stream.step(*step).clone()).collect(),
            spans: spans.clone(),
            lead: None,
        }));
        level = longer;
    }
    Ok(found)
}

/// For each signal the places of those on the next bar with any, if that is near enough.
fn nexts(stream: &Stream, options: &Options) -> Vec<Range<usize>> {
    let signals = stream.signals();
    let mut nexts = vec![0..0; signals.len()];
    let bars = stream.chunks(|a, b| same_series(a, b) && a.at == b.at);
    for (now, next) in bars.iter().zip(bars.iter().skip(1)) {
        let (a, b) = (&signals[now.start], &signals[next.start]);
        if same_series(a, b) && b.at.since(a.at) <= options.gap {
            now.clone().for_each(|place| nexts[place] = next.clone());
        }
    }
    nexts
}
