//! How long the venue takes to answer: by its seed and the number of the request.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use finstage_model::{format_duration, parse_duration};

use crate::rng::{Rng, mix};

/// The longest answer, whatever a distribution draws.
pub const MAX_LATENCY: Duration = Duration::from_secs(600);

/// A distribution of times.
///
/// Written as `20ms`, `10ms..50ms` (uniform) or `20ms~0.5` (lognormal: the median and the standard
/// deviation of the logarithm).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Latency {
    /// Always the same.
    Fixed(Duration),
    /// Each time between two with the same chance.
    Uniform {
        /// The shortest.
        from: Duration,
        /// The longest.
        to: Duration,
    },
    /// Most near the median, few far above it.
    LogNormal {
        /// Half are shorter.
        median: Duration,
        /// The standard deviation of the natural logarithm, 0 to 2.
        sigma: f64,
    },
}

impl Default for Latency {
    fn default() -> Self {
        Self::Fixed(Duration::ZERO)
    }
}

impl Latency {
    /// The time of a request, by seed and number alone.
    #[must_use]
    pub fn draw(&self, seed: u64, number: u64) -> Duration {
        let mut rng = Rng::new(mix(seed, number, 0x1a7e));
        let drawn = match *self {
            Self::Fixed(time) => time,
            Self::Uniform { from, to } => from + to.saturating_sub(from).mul_f64(rng.unit()),
            Self::LogNormal { median, sigma } => {
                let factor = exp(sigma.clamp(0.0, MAX_SIGMA) * rng.bell());
                median.min(MAX_LATENCY).mul_f64(factor)
            }
        };
        drawn.min(MAX_LATENCY)
    }
}

const MAX_SIGMA: f64 = 2.0;

/// The exponential function by squaring `1 + x / 2^20`: within 3 parts in 100,000 here, and the same on every
/// machine, which mathematical libraries do not promise.
fn exp(x: f64) -> f64 {
    (0..20).fold(1.0 + x / 1_048_576.0, |power, _| power * power)
}

impl FromStr for Latency {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = |text: &str| {
            let time = parse_duration(text.trim()).map_err(|error| error.to_string())?;
            if time > MAX_LATENCY {
                return Err(format!("{text}: at most {}", format_duration(MAX_LATENCY)));
            }
            Ok(time)
        };
        if let Some((from, to)) = text.split_once("..") {
            let (from, to) = (time(from)?, time(to)?);
            if from > to {
                return Err(format!("{text}: write the shorter time first"));
            }
            return Ok(Self::Uniform { from, to });
        }
        if let Some((median, sigma)) = text.split_once('~') {
            let spread: Option<f64> = sigma.trim().parse().ok();
            return match spread.filter(|sigma| (0.0..=MAX_SIGMA).contains(sigma)) {
                Some(sigma) => Ok(Self::LogNormal { median: time(median)?, sigma }),
                None => Err(format!("{sigma}: write a spread from 0 to {MAX_SIGMA} after ~")),
            };
        }
        Ok(Self::Fixed(time(text)?))
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(time) => write!(f, "{}", format_duration(*time)),
            Self::Uniform { from, to } => {
                write!(f, "{}..{}", format_duration(*from), format_duration(*to))
            }
            Self::LogNormal { median, sigma } => write!(f, "{}~{sigma}", format_duration(*median)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(latency: &str) -> Vec<f64> {
        let latency: Latency = latency.parse().unwrap();
        let mut all: Vec<f64> =
            (0..4_001).map(|n| latency.draw(5, n).as_secs_f64() * 1e3).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    #[test]
    fn distributions_have_the_middle_and_the_ends_that_their_names_say() {
        assert!(drawn("20ms").iter().all(|ms| *ms == 20.0));
        let uniform = drawn("10ms..50ms");
        assert!(uniform[0] >= 10.0 && uniform[4_000] <= 50.0);
        assert!((uniform[2_000] - 30.0).abs() < 1.5, "{}", uniform[2_000]);
        let normal = drawn("20ms~0.5");
        assert!((normal[2_000] - 20.0).abs() < 1.0, "{}", normal[2_000]);
        // One standard deviation above the median is e^0.5 = 1.65 of it.
        assert!((normal[3_365] / 20.0 - 1.65).abs() < 0.1, "{}", normal[3_365]);
        let twice = "20ms~0.5".parse::<Latency>().unwrap();
        assert_eq!(twice.draw(5, 9), twice.draw(5, 9));
        assert_ne!(twice.draw(5, 9), twice.draw(6, 9));
        assert!((exp(1.5) - 4.481_689).abs() < 2e-4 && (exp(-3.0) - 0.049_787).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_distribution_is_said_with_words() {
        let refused = |text: &str| text.parse::<Latency>().unwrap_err();
        assert!(refused("50ms..10ms").contains("shorter time first"));
        assert!(refused("20ms~9").contains("spread from 0 to 2"));
        assert!(refused("2h").contains("at most"));
        for text in ["20ms", "10ms..50ms", "20ms~0.5"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
    }
}
