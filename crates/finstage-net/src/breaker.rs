//! A server that fails is left alone for a while, and is then asked carefully.
//!
//! Pure: time and chance are arguments. Only failures of the server count. That it refuses a wrong
//! request shows that it is well; that it says "too many" belongs to the limiter.

use std::collections::VecDeque;
use std::time::Duration;

use crate::BreakerState;

/// When a breaker opens and how it closes again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerOptions {
    /// What people call it.
    pub name: &'static str,
    /// Opens after so many failures in a row; 0: not for that.
    pub in_a_row: u32,
    /// Opens at this share of failures; above 1: not for that.
    pub share: f64,
    /// The fewest outcomes that make a share.
    pub minimum: u32,
    /// The most outcomes looked at.
    pub outcomes: u32,
    /// How old they may be.
    pub period: Duration,
    /// How long it stays open the first time.
    pub open: Duration,
    /// The longest it stays open; each time without success in between doubles it.
    pub longest: Duration,
    /// The share of that time that is added at random at most, so that many do not come back together.
    pub spread: f64,
    /// How many probes may be out at once in each step, all of which must succeed before the next.
    pub probes: &'static [u32],
}

impl BreakerOptions {
    /// What a [`crate::Remote`] does unless told otherwise: half of at least 20 outcomes of the last
    /// 10 s; open from 250 ms to 1 s; 1, 2, then 4 probes.
    pub const STANDARD: Self = Self {
        name: "standard",
        in_a_row: 0,
        share: 0.5,
        minimum: 20,
        outcomes: 100,
        period: Duration::from_secs(10),
        open: Duration::from_millis(250),
        longest: Duration::from_secs(1),
        spread: 0.2,
        probes: &[1, 2, 4],
    };

    /// Five failures in a row, 60 s, one probe (S2-15).
    pub const EXCHANGE: Self = Self {
        name: "exchange",
        in_a_row: 5,
        share: f64::INFINITY,
        open: Duration::from_secs(60),
        longest: Duration::from_secs(60),
        spread: 0.0,
        probes: &[1],
        ..Self::STANDARD
    };

    /// Ten failures in a row, 60 s, three successes one after the other (S4 §3.3).
    pub const BROKER: Self =
        Self { name: "broker", in_a_row: 10, probes: &[1, 1, 1], ..Self::EXCHANGE };

    /// The same after five failures, as that project's guide has it (S4 §3.3).
    pub const BROKER_GUIDE: Self = Self { name: "broker-guide", in_a_row: 5, ..Self::BROKER };

    /// Never opens.
    pub const NEVER: Self =
        Self { name: "never", in_a_row: 0, share: f64::INFINITY, ..Self::STANDARD };

    /// All of them.
    pub const PRESETS: [Self; 5] =
        [Self::STANDARD, Self::EXCHANGE, Self::BROKER, Self::BROKER_GUIDE, Self::NEVER];
}

impl Default for BreakerOptions {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// How an attempt ended, as a breaker sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Good,
    Bad,
    /// Nothing is learned: not sent, cancelled, or refused for a limit.
    Unknown,
}

/// The right to make one attempt. It must come back to [`Breaker::settle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) struct Ticket(u64);

#[derive(Debug)]
enum Mode {
    Closed,
    Open { until: Duration },
    HalfOpen { step: usize, out: u32, good: u32 },
}

/// The state towards one server, or one kind of requests to it.
#[derive(Debug)]
pub(crate) struct Breaker {
    options: BreakerOptions,
    mode: Mode,
    /// Counts changes of the mode: outcomes of attempts from before do not count.
    era: u64,
    outcomes: VecDeque<(Duration, bool)>,
    bad: u32,
    bad_in_a_row: u32,
    /// How often it opened without closing in between.
    reopened: u32,
    opens: u64,
}

impl Breaker {
    pub(crate) fn new(options: BreakerOptions) -> Self {
        Self {
            options,
            mode: Mode::Closed,
            era: 0,
            outcomes: VecDeque::new(),
            bad: 0,
            bad_in_a_row: 0,
            reopened: 0,
            opens: 0,
        }
    }

    pub(crate) const fn opens(&self) -> u64 {
        self.opens
    }

    pub(crate) fn state(&self, now: Duration) -> BreakerState {
        match self.mode {
            Mode::Closed => BreakerState::Closed,
            Mode::Open { until } if now < until => BreakerState::Open,
            Mode::Open { .. } | Mode::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// Whether an attempt would be let through, without taking a probe's place.
    pub(crate) fn look(&self, now: Duration) -> Result<(), Duration> {
        match self.mode {
            Mode::Open { until } if now < until => Err(until - now),
            Mode::HalfOpen { step, out, good } if out + good >= self.options.probes[step] => {
                Err(Duration::ZERO)
            }
            _ => Ok(()),
        }
    }

    /// Lets an attempt through, or says how long to wait: nothing where probes are out.
    pub(crate) fn pass(&mut self, now: Duration) -> Result<Ticket, Duration> {
        if matches!(self.mode, Mode::Open { until } if now >= until) {
            self.enter(if self.options.probes.is_empty() {
                Mode::Closed
            } else {
                Mode::HalfOpen { step: 0, out: 0, good: 0 }
            });
        }
        self.look(now)?;
        if let Mode::HalfOpen { out, .. } = &mut self.mode {
            *out += 1;
        }
        Ok(Ticket(self.era))
    }

    /// Takes an attempt's outcome. `draw` is a random number from 0 to 1, used where it opens.
    pub(crate) fn settle(&mut self, now: Duration, ticket: Ticket, end: (Outcome, f64)) {
        if ticket.0 != self.era {
            return;
        }
        let (outcome, draw) = end;
        match (&mut self.mode, outcome) {
            (Mode::HalfOpen { .. }, Outcome::Bad) => self.open(now, draw),
            (Mode::HalfOpen { out, .. }, Outcome::Unknown) => *out = out.saturating_sub(1),
            (Mode::HalfOpen { step, out, good }, Outcome::Good) => {
                *out = out.saturating_sub(1);
                *good += 1;
                if *good < self.options.probes[*step] {
                    return;
                }
                *step += 1;
                *good = 0;
                if *step == self.options.probes.len() {
                    self.reopened = 0;
                    self.enter(Mode::Closed);
                }
            }
            (Mode::Closed, Outcome::Good | Outcome::Bad) => {
                self.count(now, outcome == Outcome::Bad);
                if self.is_too_much() {
                    self.open(now, draw);
                }
            }
            (Mode::Closed, Outcome::Unknown) | (Mode::Open { .. }, _) => {}
        }
    }

    /// What was settled as good broke later. While it probes, the probes tell.
    pub(crate) fn broke(&mut self, now: Duration, draw: f64) {
        if matches!(self.mode, Mode::Closed) {
            self.count(now, true);
            if self.is_too_much() {
                self.open(now, draw);
            }
        }
    }

    fn count(&mut self, now: Duration, is_bad: bool) {
        self.bad_in_a_row = if is_bad { self.bad_in_a_row + 1 } else { 0 };
        self.outcomes.push_back((now, is_bad));
        self.bad += u32::from(is_bad);
        let most = self.options.outcomes as usize;
        while self.outcomes.front().is_some_and(|(at, _)| {
            self.outcomes.len() > most || now.saturating_sub(*at) > self.options.period
        }) {
            let gone = self.outcomes.pop_front().expect("the loop's condition saw it");
            self.bad -= u32::from(gone.1);
        }
    }

    fn is_too_much(&self) -> bool {
        let seen = self.outcomes.len() as u32;
        let share = f64::from(self.bad) / f64::from(seen.max(1));
        (self.options.in_a_row > 0 && self.bad_in_a_row >= self.options.in_a_row)
            || (seen >= self.options.minimum && share >= self.options.share)
    }

    fn open(&mut self, now: Duration, draw: f64) {
        let factor = 2_u32.saturating_pow(self.reopened);
        let length = self.options.open.saturating_mul(factor).min(self.options.longest);
        self.reopened += 1;
        self.opens += 1;
        let until = now + length.mul_f64(1.0 + self.options.spread * draw);
        self.enter(Mode::Open { until });
    }

    fn enter(&mut self, mode: Mode) {
        self.mode = mode;
        self.era += 1;
        self.outcomes.clear();
        self.bad = 0;
        self.bad_in_a_row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn make(breaker: &mut Breaker, now: Duration, outcome: Outcome) {
        let ticket = breaker.pass(now).expect("let through");
        breaker.settle(now, ticket, (outcome, 0.0));
    }

    fn opened(options: BreakerOptions) -> Breaker {
        let mut breaker = Breaker::new(options);
        while breaker.state(at(0)) == BreakerState::Closed {
            make(&mut breaker, at(0), Outcome::Bad);
        }
        breaker
    }

    #[test]
    fn presets_open_after_as_many_failures_in_a_row_as_they_say_and_a_success_resets() {
        for (options, failures) in [
            (BreakerOptions::EXCHANGE, 5),
            (BreakerOptions::BROKER, 10),
            (BreakerOptions::BROKER_GUIDE, 5),
        ] {
            let mut breaker = Breaker::new(options);
            for _ in 1..failures {
                make(&mut breaker, at(0), Outcome::Bad);
            }
            make(&mut breaker, at(0), Outcome::Good);
            for _ in 0..failures {
                assert_eq!(breaker.state(at(0)), BreakerState::Closed, "{}", options.name);
                make(&mut breaker, at(0), Outcome::Bad);
            }
            assert_eq!(breaker.state(at(0)), BreakerState::Open);
            assert_eq!(breaker.pass(at(1_000)), Err(Duration::from_secs(59)));
            assert_eq!(breaker.state(at(60_000)), BreakerState::HalfOpen);
        }
    }

    #[test]
    fn a_share_counts_only_with_enough_outcomes_and_only_recent_ones() {
        let mut breaker = Breaker::new(BreakerOptions::STANDARD);
        for _ in 0..19 {
            make(&mut breaker, at(0), Outcome::Bad);
        }
        // All of these are forgotten ten seconds later.
        for step in 0..100 {
            make(&mut breaker, at(10_001 + step), Outcome::Good);
        }
        for step in 0..49 {
            make(&mut breaker, at(10_200 + step), Outcome::Bad);
        }
        assert_eq!(breaker.state(at(10_300)), BreakerState::Closed, "49 of the last 100");
        make(&mut breaker, at(10_300), Outcome::Bad);
        assert_eq!(breaker.state(at(10_300)), BreakerState::Open, "50 of the last 100");
    }

    #[test]
    fn probes_come_in_steps_of_one_two_and_four() {
        let mut breaker = opened(BreakerOptions::STANDARD);
        let now = at(300);
        for most in [1, 2, 4] {
            let tickets: Vec<Ticket> = (0..most).map(|_| breaker.pass(now).unwrap()).collect();
            assert_eq!(breaker.pass(now), Err(Duration::ZERO), "{most} are out");
            for ticket in tickets {
                breaker.settle(now, ticket, (Outcome::Good, 0.0));
            }
        }
        assert_eq!(breaker.state(now), BreakerState::Closed);
        assert!((0..100).all(|_| breaker.pass(now).is_ok()));
    }

    #[test]
    fn one_failed_probe_opens_for_twice_as_long_up_to_the_longest() {
        let mut breaker = opened(BreakerOptions::STANDARD);
        let mut now = at(0);
        let mut lengths = Vec::new();
        for _ in 0..4 {
            let wait = breaker.look(now).unwrap_err();
            lengths.push(wait.as_millis());
            now += wait;
            make(&mut breaker, now, Outcome::Bad);
        }
        assert_eq!(lengths, [250, 500, 1_000, 1_000]);
        assert_eq!(breaker.opens(), 5);
    }

    #[test]
    fn opening_is_spread_by_chance() {
        let mut breaker = Breaker::new(BreakerOptions::STANDARD);
        for _ in 0..20 {
            let ticket = breaker.pass(at(0)).unwrap();
            breaker.settle(at(0), ticket, (Outcome::Bad, 0.5));
        }
        assert_eq!(breaker.look(at(0)), Err(at(275)));
    }

    #[test]
    fn a_probe_that_was_not_sent_gives_its_place_back() {
        let mut breaker = opened(BreakerOptions::EXCHANGE);
        let now = at(60_000);
        let ticket = breaker.pass(now).unwrap();
        assert!(breaker.pass(now).is_err());
        breaker.settle(now, ticket, (Outcome::Unknown, 0.0));
        make(&mut breaker, now, Outcome::Good);
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }

    #[test]
    fn what_began_before_it_opened_does_not_count_afterwards() {
        let mut breaker = Breaker::new(BreakerOptions::EXCHANGE);
        let late = breaker.pass(at(0)).unwrap();
        for _ in 0..5 {
            make(&mut breaker, at(0), Outcome::Bad);
        }
        let probe = breaker.pass(at(60_000)).unwrap();
        breaker.settle(at(60_000), late, (Outcome::Bad, 0.0));
        assert_eq!(breaker.state(at(60_000)), BreakerState::HalfOpen);
        breaker.settle(at(60_000), probe, (Outcome::Good, 0.0));
        assert_eq!(breaker.state(at(60_000)), BreakerState::Closed);
    }

    #[test]
    fn what_says_nothing_about_the_server_never_opens_it() {
        let mut breaker = Breaker::new(BreakerOptions::EXCHANGE);
        for _ in 0..1_000 {
            make(&mut breaker, at(0), Outcome::Unknown);
        }
        assert_eq!(breaker.state(at(0)), BreakerState::Closed);
        assert!((0..1_000).all(|_| Breaker::new(BreakerOptions::NEVER).pass(at(0)).is_ok()));
    }
}
