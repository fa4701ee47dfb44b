//! Signals that come before those of another series.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::{Direction, Interval, Symbol, Timestamp};
use finstage_quant::stats::binomial;
use finstage_quant::stats::multiple::benjamini_hochberg;
use serde::Serialize;

use super::stream::Stream;
use super::{
    FDR, Found, Kind, MAX_OCCURRENCES, MIN_OCCURRENCES, Market, Options, Span, Step, too_many,
};
use crate::Error;

/// The most series and strategies that are compared with one another.
const MAX_VOICES: usize = 2_000;

/// How much more often than chance the first signal came before the second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Lead {
    /// Signals of the second, at least a gap apart.
    pub n: u64,
    /// Share of them that the first came before, within the gap.
    pub share: f64,
    /// Share of all bars of the second's series that it came before.
    pub chance: f64,
    /// Share of them that it came after: two that only come in the same weather have as much.
    pub after: f64,
    /// The greater of two chances, by the binomial distribution: of so great a share where each has
    /// `chance`, and of so many more before than after where both are as likely.
    pub p_value: f64,
    /// Corrected for all pairs that were asked (Benjamini and Hochberg 1995).
    pub q_value: f64,
}

/// Symbol, length of bars, strategy and direction.
type Key<'a> = (&'a Symbol, Interval, &'a str, Direction);

/// A strategy on one series.
struct Voice<'a> {
    series: (&'a Symbol, Interval),
    step: Step,
    /// Its signals, oldest first.
    places: Vec<usize>,
    times: Vec<Timestamp>,
    /// Those at least a gap apart.
    apart: Vec<Timestamp>,
}

/// What two voices come to.
struct Pair {
    of: (usize, usize),
    lead: Lead,
}

/// Pairs of signals of two series, another instrument or another length of bars, of which the first
/// came before the second more often than chance; and how many pairs were asked.
pub(super) fn find(
    stream: &Stream,
    market: &Market,
    options: &Options,
) -> Result<(Vec<Found>, usize), Error> {
    let voices = voices(stream, options.gap);
    if voices.len() > MAX_VOICES {
        let what = format!("{} strategies on series: at most {MAX_VOICES}", voices.len());
        return Err(too_many(&what));
    }
    let (mut pairs, mut p) = (Vec::new(), Vec::new());
    let begin = stream.signals().iter().map(|one| one.at).min().unwrap_or(Timestamp::EPOCH);
    let end = stream.signals().iter().map(|one| one.at).max().unwrap_or(Timestamp::EPOCH);
    for (first, leader) in voices.iter().enumerate() {
        let mut chances: BTreeMap<(&Symbol, Interval), Option<f64>> = BTreeMap::new();
        for (second, led) in voices.iter().enumerate() {
            if leader.series == led.series || led.apart.len() < MIN_OCCURRENCES {
                continue;
            }
            let chance = chances.entry(led.series).or_insert_with(|| {
                let closes = market.closes.get(&(led.series.0.clone(), led.series.1))?;
                covered(&leader.times, within(closes, begin, end), options.gap)
            });
            let Some(chance) = *chance else { continue };
            let lead = ask(leader, led, (chance, options.gap));
            p.push(lead.p_value);
            // Whatever its q-value, it is none of the pairs that are kept.
            if lead.p_value <= FDR {
                pairs.push((p.len() - 1, Pair { of: (first, second), lead }));
            }
        }
    }
    let q = benjamini_hochberg(&p);
    let mut found = Vec::new();
    let mut count = 0;
    for (place, Pair { of: (first, second), lead }) in pairs {
        let spans = spans(&voices[first], &voices[second], options.gap);
        if q[place] > FDR || spans.len() < MIN_OCCURRENCES {
            continue;
        }
        count += spans.len();
        if count > MAX_OCCURRENCES {
            return Err(too_many(&format!("more than {MAX_OCCURRENCES} led signals: fewer")));
        }
        found.push(Found {
            kind: Kind::Leading,
            steps: vec![voices[first].step.clone(), voices[second].step.clone()],
            spans,
            lead: Some(Lead { q_value: q[place], ..lead }),
        });
    }
    Ok((found, p.len()))
}

/// Strategies on series that spoke often enough to be compared.
fn voices(stream: &Stream, gap: Duration) -> Vec<Voice<'_>> {
    let mut places: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    for (place, one) in stream.signals().iter().enumerate() {
        let key = (&one.symbol, one.interval, one.strategy.as_str(), one.direction);
        places.entry(key).or_default().push(place);
    }
    places.retain(|_, places| places.len() >= MIN_OCCURRENCES);
    places.into_iter().map(|(key, places)| Voice::new(stream, (key, places), gap)).collect()
}

impl<'a> Voice<'a> {
    fn new(stream: &Stream, (key, places): (Key<'a>, Vec<usize>), gap: Duration) -> Self {
        let at = |place: &usize| stream.signals()[*place].at;
        let times: Vec<Timestamp> = places.iter().map(at).collect();
        let mut apart: Vec<Timestamp> = Vec::new();
        for at in &times {
            if apart.last().is_none_or(|last| at.since(*last) >= gap) {
                apart.push(*at);
            }
        }
        let (symbol, interval, strategy, direction) = key;
        let strategy = strategy.to_owned();
        let step = Step { strategy, interval, direction, symbol: Some(symbol.clone()) };
        Self { series: (symbol, interval), step, places, times, apart }
    }
}

/// The part of ascending moments from one to another.
fn within(all: &[Timestamp], begin: Timestamp, end: Timestamp) -> &[Timestamp] {
    let from = all.partition_point(|at| *at < begin);
    let to = all.partition_point(|at| *at <= end);
    &all[from.min(to)..to]
}

/// Share of `closes` with a signal before them, within `gap`; `None` without closes.
fn covered(times: &[Timestamp], closes: &[Timestamp], gap: Duration) -> Option<f64> {
    let (mut count, mut next) = (0, 0);
    for at in times {
        let from = next.max(closes.partition_point(|close| close <= at));
        next = from.max(closes.partition_point(|close| *close <= at.plus(gap)));
        count += next - from;
    }
    (!closes.is_empty()).then(|| count as f64 / closes.len() as f64)
}

fn ask(leader: &Voice<'_>, led: &Voice<'_>, (chance, gap): (f64, Duration)) -> Lead {
    let (mut before, mut after, mut only_before, mut only_after) = (0u64, 0u64, 0u64, 0u64);
    for at in &led.apart {
        let earlier = leader.times.partition_point(|time| time < at);
        let later = leader.times.partition_point(|time| time <= at);
        let is_before = earlier > 0 && at.since(leader.times[earlier - 1]) <= gap;
        let is_after = leader.times.get(later).is_some_and(|time| time.since(*at) <= gap);
        before += u64::from(is_before);
        after += u64::from(is_after);
        only_before += u64::from(is_before && !is_after);
        only_after += u64::from(is_after && !is_before);
    }
    let n = led.apart.len() as u64;
    let more = binomial::upper(n, before, chance).unwrap_or(1.0);
    let one_way = binomial::upper(only_before + only_after, only_before, 0.5).unwrap_or(1.0);
    let share = |count: u64| count as f64 / n.max(1) as f64;
    Lead {
        n,
        share: share(before),
        chance,
        after: share(after),
        p_value: more.max(one_way),
        q_value: 1.0,
    }
}

/// Every signal of the second that the first came before, with the nearest one.
fn spans(leader: &Voice<'_>, led: &Voice<'_>, gap: Duration) -> Vec<Span> {
    let span = |(at, last): (&Timestamp, &usize)| {
        let earlier = leader.times.partition_point(|time| time < at).checked_sub(1)?;
        let is_near = at.since(leader.times[earlier]) <= gap;
        is_near.then(|| Span { first: leader.places[earlier], last: *last })
    };
    led.times.iter().zip(&led.places).filter_map(span).collect()
}
