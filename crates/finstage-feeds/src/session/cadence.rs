//! How long a stream is usually silent.
//!
//! A venue's own longest silence says when a line is dead. A stream can be stalled on a line that
//! answers pings: some venues forget a subscription. What is too long for a stream is its own: one
//! that speaks twenty times a second is stalled when another has hardly begun to be silent. So the silences between messages are counted in classes that grow by half of the
//! one before, and what all but one in a thousand stayed below, times [`PATIENCE`], is too long.
//! Older silences weigh less: the counts are halved every [`MEMORY`] messages.

use std::time::Duration;

/// So many times the longest usual silence is a stall.
const PATIENCE: u32 = 6;
/// No silence shorter than this is a stall.
const FLOOR: Duration = Duration::from_secs(5);
/// Before so many messages nothing is known, and [`UNKNOWN`] is too long.
const LEARNED: u64 = 256;
/// See [`LEARNED`].
const UNKNOWN: Duration = Duration::from_secs(300);
/// Messages after which older ones weigh half.
const MEMORY: u64 = 8_192;
/// The first class holds silences up to this, in milliseconds.
const FIRST_MS: f64 = 1.0;
/// From a class to the next.
const GROWTH: f64 = 1.5;
/// Enough for an hour.
const CLASSES: usize = 40;
/// Each stall in a row doubles the patience, up to so many times: what looks like one may be a
/// market at rest. It still ends, since what is not looked at may be a stall: with the floor after
/// 21 minutes.
const MAX_DOUBLINGS: u32 = 8;
/// When the stream has spoken so many times without a stall's silence, it is as lively as ever, and
/// so is the next stall.
const LIVELY: u32 = 16;

/// The silences of one connection's stream.
#[derive(Debug, Clone)]
pub(super) struct Cadence {
    classes: [u32; CLASSES],
    count: u64,
    doublings: u32,
    /// Messages since the last stall.
    spoken: u32,
}

impl Cadence {
    pub(super) const fn new() -> Self {
        Self { classes: [0; CLASSES], count: 0, doublings: 0, spoken: 0 }
    }

    /// Takes note of the silence before a message.
    pub(super) fn heard_after(&mut self, silence: Duration) {
        self.spoken = self.spoken.saturating_add(1);
        if self.spoken >= LIVELY {
            self.doublings = 0;
        }
        if self.count >= MEMORY {
            self.classes.iter_mut().for_each(|class| *class /= 2);
            self.count = self.classes.iter().map(|&class| u64::from(class)).sum();
        }
        let ms = silence.as_secs_f64() * 1_000.0;
        let class = (ms / FIRST_MS).max(1.0).log(GROWTH).ceil() as usize;
        self.classes[class.min(CLASSES - 1)] += 1;
        self.count += 1;
    }

    /// A silence was taken for a stall.
    pub(super) fn stalled(&mut self) {
        self.doublings = (self.doublings + 1).min(MAX_DOUBLINGS);
        self.spoken = 0;
    }

    /// The silence that is a stall.
    pub(super) fn stall(&self) -> Duration {
        let stall = if self.count < LEARNED { UNKNOWN } else { self.learned() };
        stall.saturating_mul(1 << self.doublings)
    }

    fn learned(&self) -> Duration {
        let (mut above, mut class) = (self.count / 1_000, CLASSES - 1);
        while class > 0 && u64::from(self.classes[class]) <= above {
            above -= u64::from(self.classes[class]);
            class -= 1;
        }
        let usual = Duration::from_secs_f64(FIRST_MS * GROWTH.powi(class as i32) / 1_000.0);
        usual.saturating_mul(PATIENCE).max(FLOOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(silences: impl IntoIterator<Item = u64>) -> Cadence {
        let mut cadence = Cadence::new();
        silences.into_iter().for_each(|ms| cadence.heard_after(Duration::from_millis(ms)));
        cadence
    }

    #[test]
    fn a_busy_stream_is_stalled_at_the_floor_and_a_calm_one_after_several_of_its_silences() {
        assert_eq!(after(vec![50; 1_000]).stall(), FLOOR);
        let calm = after((0..2_000).map(|i| 500 + i % 2_000)).stall();
        assert!((12..=25).contains(&calm.as_secs()), "six times 2.5 s and its class: {calm:?}");
    }

    #[test]
    fn before_it_is_learned_minutes_are_a_stall_and_where_silence_is_usual_longer_ones() {
        assert_eq!(after(vec![50; 200]).stall(), UNKNOWN);
        let calm = after(vec![60_000; 1_000]).stall();
        assert!(
            (360..=540).contains(&calm.as_secs()),
            "six times a minute and its class: {calm:?}"
        );
    }

    #[test]
    fn one_long_silence_in_a_thousand_changes_nothing_and_many_are_learned() {
        let mut cadence = after(vec![50; 2_000]);
        cadence.heard_after(Duration::from_secs(30));
        assert_eq!(cadence.stall(), FLOOR);
        (0..100).for_each(|_| cadence.heard_after(Duration::from_secs(4)));
        assert!(cadence.stall() > Duration::from_secs(20));
    }

    #[test]
    fn a_market_at_rest_is_cut_less_and_less_and_a_lively_one_at_once() {
        let mut cadence = after(vec![50; 1_000]);
        let stalls: Vec<u64> = std::iter::repeat_with(|| {
            let stall = cadence.stall();
            cadence.stalled();
            stall.as_secs()
        })
        .take(10)
        .collect();
        assert_eq!(stalls, [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_280]);
        (0..LIVELY).for_each(|_| cadence.heard_after(Duration::from_millis(50)));
        assert_eq!(cadence.stall(), FLOOR, "as the stream speaks again");
    }
}
