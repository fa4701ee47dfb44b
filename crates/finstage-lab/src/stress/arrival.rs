//! When requests are due: decided by a plan and a seed before the first one leaves, so that no server
//! can slow the plan down.

use std::time::Duration;

use crate::rng::Rng;
use crate::{Error, ErrorKind};

/// The highest rate that is planned, in requests a second.
pub const MAX_RATE: f64 = 10_000_000.0;
/// The longest plan.
pub const MAX_LENGTH: Duration = Duration::from_secs(7 * 24 * 3600);
/// The most bursts.
pub const MAX_CYCLES: u32 = 10_000;
/// The most requests in a burst.
pub const MAX_BURST: u32 = 1_000_000;

/// How requests arrive.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At rates of our choice, whatever the server does.
    Open {
        /// One after the other.
        stages: Vec<Stage>,
        /// How even.
        spacing: Spacing,
    },
    /// Many at once, then a pause, again and again.
    Bursts {
        /// Requests in a burst.
        size: u32,
        /// Bursts.
        cycles: u32,
        /// From one burst's begin to the next one's: between these two, at random.
        pause: (Duration, Duration),
    },
    /// Each connection asks again when it was answered, for so long.
    Closed {
        /// How long.
        length: Duration,
    },
}

/// A stretch of time at one rate, or from one rate to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// Requests a second at its begin.
    pub from: f64,
    /// Requests a second at its end.
    pub to: f64,
    /// How long.
    pub length: Duration,
}

/// How even arrivals of an open schedule are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Spacing {
    /// As even as can be.
    #[default]
    Constant,
    /// As of many who do not know of each other: a Poisson process.
    Poisson,
}

impl Stage {
    /// One rate for so long.
    #[must_use]
    pub const fn at(rate: f64, length: Duration) -> Self {
        Self { from: rate, to: rate, length }
    }

    /// Arrivals that are expected in it.
    #[must_use]
    pub fn expected(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.length.as_secs_f64()
    }

    /// When the arrivals that are expected come to `count`: the inverse of `from·t + (to − from)/length·t²/2`.
    fn at_count(&self, count: f64) -> Duration {
        let length = self.length.as_secs_f64();
        let slope = (self.to - self.from) / length;
        let root = (self.from * self.from + 2.0 * slope * count).max(0.0).sqrt();
        let seconds = if count > 0.0 { 2.0 * count / (self.from + root) } else { 0.0 };
        Duration::from_secs_f64(seconds.clamp(0.0, length))
    }
}

impl Schedule {
    /// One rate for so long, evenly.
    #[must_use]
    pub fn constant(rate: f64, length: Duration) -> Self {
        Self::Open { stages: vec![Stage::at(rate, length)], spacing: Spacing::Constant }
    }

    /// How long arrivals are planned; of bursts at most.
    #[must_use]
    pub fn length(&self) -> Duration {
        match self {
            Self::Open { stages, .. } => stages.iter().map(|stage| stage.length).sum(),
            Self::Bursts { cycles, pause, .. } => pause.1 * cycles.saturating_sub(1),
            Self::Closed { length } => *length,
        }
    }

    /// The highest rate that is planned, in requests a second; `None` where answers decide.
    #[must_use]
    pub fn highest_rate(&self) -> Option<f64> {
        match self {
            Self::Open { stages, .. } => {
                Some(stages.iter().fold(0.0, |most, stage| stage.from.max(stage.to).max(most)))
            }
            Self::Bursts { .. } | Self::Closed { .. } => None,
        }
    }

    /// Looks whether it can be run.
    ///
    /// # Errors
    /// [`ErrorKind::Plan`] with what is out of range.
    pub fn check(&self) -> Result<(), Error> {
        let wrong = |words: String| Err(Error::new(ErrorKind::Plan, words));
        if self.length() > MAX_LENGTH {
            return wrong(format!(
                "the plan takes longer than {} days",
                MAX_LENGTH.as_secs() / 86_400
            ));
        }
        match self {
            Self::Open { stages, .. } => {
                for (i, stage) in stages.iter().enumerate() {
                    let known = |rate: f64| (0.0..=MAX_RATE).contains(&rate);
                    if !(known(stage.from) && known(stage.to)) || stage.length.is_zero() {
                        return wrong(format!(
                            "stage {}: from {} to {} a second in {:?}: rates are 0 to {MAX_RATE}, lengths above 0",
                            i + 1,
                            stage.from,
                            stage.to,
                            stage.length
                        ));
                    }
                }
                Ok(())
            }
            Self::Bursts { size, cycles, pause } => {
                if !(1..=MAX_BURST).contains(size) || !(1..=MAX_CYCLES).contains(cycles) {
                    return wrong(format!(
                        "{cycles} bursts of {size}: at most {MAX_CYCLES} of {MAX_BURST}, and one of one at least"
                    ));
                }
                if pause.0 > pause.1 {
                    return wrong(format!(
                        "pause {:?} to {:?}: the first must be the shorter",
                        pause.0, pause.1
                    ));
                }
                Ok(())
            }
            Self::Closed { .. } => Ok(()),
        }
    }

    /// When each request is due. Of a closed schedule nothing: answers decide.
    #[must_use]
    pub fn arrivals(&self, seed: u64) -> Arrivals {
        let rng = Rng::named(seed, "arrivals");
        let mut arrivals =
            Arrivals { schedule: self.clone(), rng, group: 0, count: 0.0, begin: Duration::ZERO };
        if matches!(self, Self::Open { spacing: Spacing::Poisson, .. }) {
            arrivals.count = arrivals.exponential();
        }
        arrivals
    }
}

/// A request that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrival {
    /// Since the start.
    pub due: Duration,
    /// The number of its stage or burst, from 0.
    pub group: u32,
}

/// Arrivals one after the other; an iterator.
#[derive(Debug, Clone)]
pub struct Arrivals {
    schedule: Schedule,
    rng: Rng,
    /// Which stage or burst.
    group: u32,
    /// How many of it came, or are to come before the next.
    count: f64,
    /// When it began.
    begin: Duration,
}

impl Arrivals {
    /// A gap of a Poisson process of rate 1.
    fn exponential(&mut self) -> f64 {
        -libm::log(1.0 - self.rng.unit())
    }

    fn next_open(&mut self) -> Option<Arrival> {
        let Schedule::Open { stages, spacing } = &self.schedule else { return None };
        let spacing = *spacing;
        loop {
            let stage = *stages.get(self.group as usize)?;
            let expected = stage.expected();
            // What is missing of a whole one after many additions is rounding.
            if self.count < expected - 1e-6 {
                let due = self.begin + stage.at_count(self.count);
                let group = self.group;
                self.count += match spacing {
                    Spacing::Constant => 1.0,
                    Spacing::Poisson => self.exponential(),
                };
                return Some(Arrival { due, group });
            }
            self.count = (self.count - expected).max(0.0);
            self.begin += stage.length;
            self.group += 1;
        }
    }

    fn next_burst(
        &mut self,
        size: u32,
        cycles: u32,
        pause: (Duration, Duration),
    ) -> Option<Arrival> {
        if self.count >= f64::from(size) {
            self.count = 0.0;
            self.group += 1;
            let (least, most) = (pause.0.as_secs_f64(), pause.1.as_secs_f64());
            self.begin += Duration::from_secs_f64(self.rng.range(least, most));
        }
        if self.group >= cycles {
            return None;
        }
        self.count += 1.0;
        Some(Arrival { due: self.begin, group: self.group })
    }
}

impl Iterator for Arrivals {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        match self.schedule {
            Schedule::Open { .. } => self.next_open(),
            Schedule::Bursts { size, cycles, pause } => self.next_burst(size, cycles, pause),
            Schedule::Closed { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn all(schedule: &Schedule) -> Vec<Arrival> {
        schedule.check().unwrap();
        schedule.arrivals(7).collect()
    }

    #[test]
    fn a_constant_rate_is_even_and_exact() {
        let all = all(&Schedule::constant(2_000.0, 7 * SECOND));
        assert_eq!(all.len(), 14_000);
        assert_eq!(all[0].due, Duration::ZERO);
        let late = all[13_999].due.as_secs_f64();
        assert!((late - 6.9995).abs() < 1e-6, "{late}");
        assert!(all.windows(2).all(|pair| pair[0].due <= pair[1].due));
    }

    #[test]
    fn stages_rise_as_drawn_and_join_without_a_gap() {
        let ramp = Stage { from: 0.0, to: 100.0, length: 10 * SECOND };
        let stages = vec![ramp, Stage::at(100.0, SECOND), Stage { from: 100.0, to: 0.0, ..ramp }];
        let all = all(&Schedule::Open { stages, spacing: Spacing::Constant });
        assert_eq!(all.len(), 500 + 100 + 500);
        // Half of the time is a quarter of the arrivals.
        let early = all.iter().filter(|arrival| arrival.due < 5 * SECOND).count();
        assert!((124..=126).contains(&early), "{early}");
        assert_eq!(all.iter().filter(|arrival| arrival.group == 1).count(), 100);
        assert!(all.windows(2).all(|pair| pair[0].due <= pair[1].due));
        assert!(all.last().unwrap().due <= 21 * SECOND);
    }

    #[test]
    fn poisson_arrivals_have_the_rate_and_the_spread_of_a_poisson_process() {
        let stages = vec![Stage::at(1_000.0, 200 * SECOND)];
        let all = all(&Schedule::Open { stages, spacing: Spacing::Poisson });
        let n = all.len() as f64;
        assert!((n - 200_000.0).abs() < 4.0 * 200_000_f64.sqrt(), "{n}");
        let gaps: Vec<f64> = all
            .windows(2)
            .map(|pair| (pair[1].due - pair[0].due).as_secs_f64() * 1_000.0)
            .collect();
        let variance = gaps.iter().map(|gap| (gap - 1.0).powi(2)).sum::<f64>() / n;
        assert!((variance - 1.0).abs() < 0.03, "{variance}");
    }

    #[test]
    fn bursts_come_at_once_with_pauses_in_between() {
        let pause = (5 * SECOND, 15 * SECOND);
        let all = all(&Schedule::Bursts { size: 200, cycles: 5, pause });
        assert_eq!(all.len(), 1_000);
        let begins: Vec<Duration> = all.chunks(200).map(|burst| burst[0].due).collect();
        assert!(
            all.chunks(200).all(|burst| burst.iter().all(|arrival| arrival.due == burst[0].due))
        );
        for pair in begins.windows(2) {
            assert!((pause.0..pause.1).contains(&(pair[1] - pair[0])), "{begins:?}");
        }
    }

    #[test]
    fn nothing_is_planned_of_nothing_and_nonsense_is_refused() {
        assert!(all(&Schedule::Open { stages: vec![], spacing: Spacing::Constant }).is_empty());
        assert!(all(&Schedule::constant(0.0, SECOND)).is_empty());
        assert!(all(&Schedule::Closed { length: SECOND }).is_empty());
        assert!(Schedule::constant(f64::NAN, SECOND).check().is_err());
        assert!(Schedule::constant(1.0, MAX_LENGTH * 2).check().is_err());
        let pause = (SECOND, Duration::ZERO);
        assert!(Schedule::Bursts { size: 1, cycles: 1, pause }.check().is_err());
    }
}
