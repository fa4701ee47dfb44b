//! How a test goes, a line every few seconds, where there is no screen to draw on.

use std::time::Duration;

use finstage_lab::stress::{Listener, Slice, Snapshot, figures};

use super::super::say;
use crate::cli::Global;

/// How often a line is said.
const SAID_EVERY: Duration = Duration::from_secs(5);

/// Says lines to standard error.
pub(super) struct Lines<'a> {
    global: &'a Global,
    next: Duration,
    /// Whole seconds that were told already.
    told: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(global: &'a Global) -> Self {
        Self { global, next: SAID_EVERY, told: 0 }
    }
}

impl Listener for Lines<'_> {
    fn heard(&mut self, now: &Snapshot<'_>) {
        if now.elapsed < self.next {
            return;
        }
        self.next = now.elapsed + SAID_EVERY;
        let from = self.told.min(now.slices.len());
        say(self.global, format_args!("{}", line(now, &now.slices[from..])));
        // The last one is young and has its turn again.
        self.told = now.slices.len().saturating_sub(1);
    }
}

/// `5 s: 500 sent, 498 ok, 2 failed, p50 1.2 ms, p99 8.1 ms, 3 under way`, of the seconds since the last line.
fn line(now: &Snapshot<'_>, slices: &[Slice]) -> String {
    let sum = |count: fn(&Slice) -> u64| figures::count(slices.iter().map(count).sum());
    let mut latency = finstage_lab::stress::Latencies::new();
    slices.iter().for_each(|slice| latency.add(&slice.latency));
    let time = |quantile| figures::maybe_time(latency.quantile_ms(quantile));
    let mut text = format!(
        "{:.0} s: {} sent, {} ok, {} failed, p50 {}, p99 {}, {} under way",
        now.elapsed.as_secs_f64(),
        sum(|slice| slice.sent),
        sum(|slice| slice.ok),
        sum(|slice| slice.failed),
        time(0.5),
        time(0.99),
        figures::count(now.in_flight),
    );
    if slices.iter().any(|slice| slice.shed > 0) {
        text += &format!(", {} shed", sum(|slice| slice.shed));
    }
    text
}
