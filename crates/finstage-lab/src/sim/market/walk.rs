//! How a seeded price moves, a minute at a time or a trade at a time.
//!
//! The same process makes the minutes of the past and the trades of the present, so that a series
//! does not change its character where the past ends:
//!
//! * **Volatility clusters.** The variance of a minute is `0.04 + 0.10 r² + 0.86 h` of the minute
//!   before (GARCH(1,1), in units of the long-run variance).
//! * **Regimes** of forty minutes to five days: up, down, or a range around a price. A trend of `n`
//!   minutes is worth about one to two standard deviations of `n` minutes: visible, not certain.
//! * **Jumps**, one in 2,400 minutes, of three to nine standard deviations of a minute.
//! * **What is planted** in a minute, where an edge is (see [`super::Edge`]).
//! * **A weak pull home** over months, so that a long history stays near the price it was given.
//!
//! Prices are doubles in units of the tick, moved by multiplication, addition and square roots
//! only (see [`crate::rng`]).

use super::edge::Push;
use crate::rng::Rng;

/// The state of one symbol's price.
#[derive(Debug, Clone)]
pub(crate) struct Walk {
    pub(crate) rng: Rng,
    /// Between bid and ask, in ticks.
    mid: f64,
    home: f64,
    minute_open: f64,
    /// Standard deviation of a quiet-normal minute's return.
    sigma: f64,
    /// Variance of this minute in units of `sigma²`.
    heat: f64,
    jump: f64,
    shaken: bool,
    push: Push,
    regime: Regime,
    minutes_left: u32,
}

/// The four prices of a minute in ticks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Minute {
    pub(crate) open: f64,
    pub(crate) high: f64,
    pub(crate) low: f64,
    pub(crate) close: f64,
}

#[derive(Debug, Clone, Copy)]
enum Regime {
    /// Return per minute.
    Trend(f64),
    /// Around a price, with the share of the distance that is undone per minute.
    Range { around: f64, pull: f64 },
}

/// Share of the distance from home that is undone per minute: half of it in about six weeks.
const HOME_PULL: f64 = 1.0 / (60.0 * 1_440.0);
/// The price stays between a twentieth and twenty times what it was given, and above ten ticks.
const FAR: f64 = 20.0;
const LEAST_TICKS: f64 = 10.0;
const JUMP_ONE_IN: u64 = 2_400;
/// A minute in the past is made of this many moves after its first one.
const MOVES_PER_MINUTE: u32 = 5;

impl Walk {
    /// A walk that starts at `mid` ticks with a standard deviation of `sigma` per minute.
    pub(crate) fn new(rng: Rng, mid: f64, sigma: f64) -> Self {
        Self {
            rng,
            mid,
            home: mid,
            minute_open: mid,
            sigma,
            heat: 1.0,
            jump: 0.0,
            shaken: false,
            push: Push::NONE,
            regime: Regime::Trend(0.0),
            minutes_left: 0,
        }
    }

    /// Enters the next minute, in which this is planted.
    pub(super) fn begin_minute(&mut self, push: Push) {
        let moved = (self.mid / self.minute_open - 1.0 - self.push.drift) / self.sigma;
        self.push = push;
        self.heat = (0.04 + 0.10 * moved * moved + 0.86 * self.heat).clamp(0.25, 9.0);
        self.minute_open = self.mid;
        if self.minutes_left == 0 {
            self.turn();
        }
        self.minutes_left -= 1;
        self.shaken = self.rng.below(JUMP_ONE_IN) == 0;
        if self.shaken {
            let size = self.rng.range(3.0, 9.0) * self.sigma;
            self.jump = if self.rng.below(2) == 0 { size } else { -size };
        }
    }

    /// Moves the price over a part of a minute and tells where it is, in ticks.
    pub(crate) fn step(&mut self, part: f64) -> f64 {
        let pull = match self.regime {
            Regime::Trend(drift) => drift,
            Regime::Range { around, pull } => (around / self.mid - 1.0) * pull,
        };
        let drift = pull + (self.home / self.mid - 1.0) * HOME_PULL + self.push.drift;
        let noise = self.sigma * (self.heat * part).sqrt() * self.rng.bell();
        let moved = self.mid * (1.0 + drift * part + noise + self.jump);
        self.jump = 0.0;
        self.mid = moved.clamp((self.home / FAR).max(LEAST_TICKS), self.home * FAR);
        self.mid
    }

    /// A whole minute at once.
    pub(super) fn minute(&mut self, push: Push) -> Minute {
        self.begin_minute(push);
        let first = 1.0 / 12.0;
        let open = self.step(first).round();
        let (mut high, mut low, mut close) = (open, open, open);
        for _ in 0..MOVES_PER_MINUTE {
            close = self.step((1.0 - first) / f64::from(MOVES_PER_MINUTE)).round();
            high = high.max(close);
            low = low.min(close);
        }
        Minute { open, high, low, close }
    }

    /// How busy this minute is; 1 on average, several times more after a jump or where it is planted.
    pub(crate) fn activity(&self) -> f64 {
        let shaken = if self.shaken { 4.0 } else { 1.0 };
        self.heat.sqrt() * shaken * self.push.volume
    }

    /// Chooses the next regime.
    fn turn(&mut self) {
        let (from, to) = [(40, 240), (240, 1_440), (1_440, 7_200)][self.rng.below(3) as usize];
        let minutes = from + self.rng.below(to - from);
        self.minutes_left = minutes as u32;
        let strength = self.rng.range(0.6, 2.0) * self.sigma / (minutes as f64).sqrt();
        self.regime = match self.rng.below(4) {
            0 => Regime::Trend(strength),
            1 => Regime::Trend(-strength),
            _ => Regime::Range { around: self.mid, pull: 4.0 / minutes as f64 },
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn returns_have_the_volatility_asked_for_and_fatter_tails_than_a_bell() {
        let sigma = 0.000_8;
        let mut walk = Walk::new(Rng::new(11), 4_000_000.0, sigma);
        let (mut last, mut square, mut fourth) = (4_000_000.0, 0.0, 0.0);
        let n = 200_000;
        for _ in 0..n {
            let close = walk.minute(Push::NONE).close;
            let r = (close / last - 1.0) / sigma;
            last = close;
            square += r * r / f64::from(n);
            fourth += r * r * r * r / f64::from(n);
        }
        let kurtosis = fourth / (square * square);
        assert!((0.7..1.6).contains(&square), "variance {square}");
        assert!((3.5..30.0).contains(&kurtosis), "kurtosis {kurtosis}");
        assert!((4_000_000.0 / FAR..4_000_000.0 * FAR).contains(&last));
    }

    #[test]
    fn a_minute_is_a_possible_bar() {
        let mut walk = Walk::new(Rng::new(5), 100.0, 0.01);
        for _ in 0..10_000 {
            let m = walk.minute(Push::NONE);
            assert!(m.low <= m.open.min(m.close) && m.high >= m.open.max(m.close), "{m:?}");
            assert!(m.low >= LEAST_TICKS - 1.0);
        }
    }
}
