//! How long to wait before trying again.
//!
//! A thousand clients that lost the same server at the same moment must not come back at the same
//! moment. So the wait is drawn uniformly between nothing and a ceiling that doubles with each
//! failure ("full jitter"), and a server that names its own wait is believed.

use std::time::Duration;

use finstage_model::{Day, Timestamp};

use crate::Response;

/// Exponential waits with full jitter.
///
/// ```
/// use std::time::Duration;
/// use finstage_net::{Backoff, Jitter};
///
/// let backoff = Backoff {
///     base: Duration::from_millis(500),
///     factor: 2,
///     cap: Duration::from_secs(30),
/// };
/// let mut jitter = Jitter::seeded(7);
/// assert!(backoff.next(0, &mut jitter) <= Duration::from_millis(500));
/// assert!(backoff.next(3, &mut jitter) <= Duration::from_secs(4));
/// assert!(backoff.next(99, &mut jitter) <= Duration::from_secs(30));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The longest first wait.
    pub base: Duration,
    /// What the ceiling is multiplied by after each failure.
    pub factor: u32,
    /// The longest wait ever.
    pub cap: Duration,
}

impl Default for Backoff {
    /// 500 ms, doubling, at most 30 s.
    fn default() -> Self {
        Self { base: Duration::from_millis(500), factor: 2, cap: Duration::from_secs(30) }
    }
}

impl Backoff {
    /// The longest possible wait after `attempt` failures before this one.
    #[must_use]
    pub fn ceiling(&self, attempt: u32) -> Duration {
        let factor = self.factor.saturating_pow(attempt);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The wait after `attempt` failures before this one: uniform between zero and the ceiling.
    #[must_use]
    pub fn next(&self, attempt: u32, jitter: &mut Jitter) -> Duration {
        self.ceiling(attempt).mul_f64(jitter.fraction())
    }
}

/// A small seeded generator for waits: the same seed waits the same way again.
///
/// Source: SplitMix64 (Steele, Lea, Flood 2014). Not for secrets.
#[derive(Debug, Clone)]
pub struct Jitter(u64);

impl Jitter {
    /// A generator that begins at `seed`.
    #[must_use]
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// A number from 0 up to but not including 1.
    pub fn fraction(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // 53 bits: as many as a double holds, so that 1.0 cannot come out.
        (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// The wait that a server asks for in `Retry-After`, as seconds or as an HTTP date; `None` where
/// it asks for none or the text is neither.
#[must_use]
pub fn retry_after(response: &Response, now: Timestamp) -> Option<Duration> {
    let text = response.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    http_date(text).map(|at| at.since(now))
}

/// Reads `Wed, 21 Oct 2015 07:28:00 GMT` (RFC 9110, IMF-fixdate); the older two forms are not
/// sent by anyone we speak to.
#[must_use]
pub fn http_date(text: &str) -> Option<Timestamp> {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words.as_slice() else { return None };
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = MONTHS.iter().position(|name| name == month)? as u32 + 1;
    let date = Day::from_civil(year.parse().ok()?, month, day.parse().ok()?)?;
    format!("{date}T{time}Z").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(value: &str) -> Option<Duration> {
        let headers = vec![("retry-after".to_owned(), value.to_owned())];
        let now = "2015-10-21T07:27:00Z".parse().unwrap();
        retry_after(&Response { status: 429, headers, body: Vec::new() }, now)
    }

    #[test]
    fn a_server_names_its_wait_in_seconds_or_as_a_date() {
        assert_eq!(asked("120"), Some(Duration::from_secs(120)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:20:00 GMT"), Some(Duration::ZERO));
        for nonsense in ["", "soon", "-1", "1.5", "Wed, 32 Oct 2015 07:28:00 GMT", "21 Oct 2015"] {
            assert_eq!(asked(nonsense), None, "{nonsense:?}");
        }
    }

    #[test]
    fn waits_grow_to_the_cap_and_spread_over_the_whole_range() {
        let backoff = Backoff::default();
        assert_eq!(backoff.ceiling(0), Duration::from_millis(500));
        assert_eq!(backoff.ceiling(2), Duration::from_secs(2));
        assert_eq!(backoff.ceiling(u32::MAX), Duration::from_secs(30));
        let mut jitter = Jitter::seeded(1);
        let waits: Vec<Duration> = (0..1000).map(|_| backoff.next(10, &mut jitter)).collect();
        let mean = waits.iter().sum::<Duration>() / 1000;
        assert!((14..=16).contains(&mean.as_secs()), "{mean:?}");
        assert!(waits.iter().any(|w| w.as_secs() < 1) && waits.iter().any(|w| w.as_secs() >= 29));
    }

    #[test]
    fn the_same_seed_waits_the_same_way() {
        let draw = |seed| {
            let mut jitter = Jitter::seeded(seed);
            [jitter.fraction(), jitter.fraction()]
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
        // First output of SplitMix64 with seed 0 is 0xe220a8397b1dcdaf.
        assert!((draw(0)[0] - 0xe220_a839_7b1d_cdaf_u64 as f64 / 2f64.powi(64)).abs() < 1e-12);
    }
}
