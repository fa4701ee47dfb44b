//! What goes wrong, by seed.

use std::time::Duration;

use finstage_lab::rng::Rng;

/// What goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection breaks before the request has left.
    NoConnection,
    /// It breaks before the answer.
    Reset,
    /// No answer at all, until the client's own time is over.
    Timeout,
    /// The right answer, seconds late.
    Slow,
    /// 500, 502, 503 or 504, with a page.
    Unavailable(u16),
    /// A page for people with status 200.
    Page,
    /// Half an answer.
    Half,
    /// "Too many requests" without a cause, and a rest of so many seconds.
    Groundless(u64),
}

/// Draws for one venue.
#[derive(Debug)]
pub(crate) struct Faults {
    share: f64,
    rng: Rng,
}

impl Faults {
    pub(crate) fn new(share: f64, seed: u64, venue: &str) -> Self {
        Self { share, rng: Rng::named(seed, venue) }
    }

    /// Nothing goes wrong any more.
    pub(crate) fn stop(&mut self) {
        self.share = 0.0;
    }

    pub(crate) const fn share(&self) -> f64 {
        self.share
    }

    pub(crate) fn chance(&mut self, share: f64) -> bool {
        self.rng.unit() < share
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.rng.below(n)
    }

    /// From `least` to `most`, in whole microseconds.
    pub(crate) fn wait(&mut self, least: Duration, most: Duration) -> Duration {
        let spread = most.saturating_sub(least).as_micros() as u64;
        least + Duration::from_micros(self.rng.below(spread + 1))
    }

    /// How long a request, or an answer, is under way.
    pub(crate) fn way(&mut self) -> Duration {
        self.wait(Duration::from_millis(4), Duration::from_millis(45))
    }

    pub(crate) fn draw(&mut self) -> Option<Fault> {
        let share = self.share;
        self.chance(share).then(|| match self.below(8) {
            0 => Fault::NoConnection,
            1 => Fault::Reset,
            2 => Fault::Timeout,
            3 => Fault::Slow,
            4 => Fault::Unavailable([500, 502, 503, 504][self.below(4) as usize]),
            5 => Fault::Page,
            6 => Fault::Half,
            _ => Fault::Groundless(1 + self.below(5)),
        })
    }
}
