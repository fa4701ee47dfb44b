//! Signals in the order in which patterns are looked for.

use std::collections::BTreeMap;
use std::ops::Range;

use finstage_model::{Direction, Interval};

use super::{PastSignal, Step};

/// Signals by instrument, length of bars and time; each with the number of what it says.
#[derive(Debug)]
pub(super) struct Stream {
    signals: Vec<PastSignal>,
    /// What each signal says, whatever it is about: a number below that of `steps`.
    step_of: Vec<u32>,
    steps: Vec<Step>,
}

impl Stream {
    pub(super) fn new(mut signals: Vec<PastSignal>) -> Self {
        signals.sort_by(|a, b| {
            let key = |one: &PastSignal| (one.interval, one.at, one.direction, one.signal);
            (&a.symbol, a.interval, a.at)
                .cmp(&(&b.symbol, b.interval, b.at))
                .then_with(|| a.strategy.cmp(&b.strategy))
                .then_with(|| key(a).cmp(&key(b)))
        });
        signals.dedup_by(|a, b| a.signal == b.signal);
        let mut numbers: BTreeMap<(Interval, &str, Direction), u32> = BTreeMap::new();
        for one in &signals {
            numbers.insert((one.interval, one.strategy.as_str(), one.direction), 0);
        }
        let mut steps = Vec::with_capacity(numbers.len());
        for (number, ((interval, strategy, direction), place)) in (0..).zip(&mut numbers) {
            *place = number;
            steps.push(Step {
                strategy: (*strategy).to_owned(),
                interval: *interval,
                direction: *direction,
                symbol: None,
            });
        }
        let number = |one: &PastSignal| {
            let key = (one.interval, one.strategy.as_str(), one.direction);
            numbers.get(&key).copied().unwrap_or_default()
        };
        let step_of = signals.iter().map(number).collect();
        Self { signals, step_of, steps }
    }

    pub(super) fn signals(&self) -> &[PastSignal] {
        &self.signals
    }

    pub(super) fn into_signals(self) -> Vec<PastSignal> {
        self.signals
    }

    /// What the signal at a place says.
    pub(super) fn step_of(&self, place: usize) -> u32 {
        self.step_of[place]
    }

    pub(super) fn step(&self, number: u32) -> &Step {
        &self.steps[number as usize]
    }

    /// Places of signals that belong together: of one series, or of one instrument.
    pub(super) fn chunks(
        &self,
        together: impl Fn(&PastSignal, &PastSignal) -> bool,
    ) -> Vec<Range<usize>> {
        let mut begin = 0;
        let place = |chunk: &[PastSignal]| {
            let range = begin..begin + chunk.len();
            begin = range.end;
            range
        };
        self.signals.chunk_by(together).map(place).collect()
    }
}

/// Whether two signals are of one series.
pub(super) fn same_series(a: &PastSignal, b: &PastSignal) -> bool {
    a.interval == b.interval && a.symbol == b.symbol
}
