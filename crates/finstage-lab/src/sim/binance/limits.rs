//! What the venue allows one address: request weight, bans, connection attempts.
//!
//! The windows are aligned to the venue's clock. Everybody who asks this simulator is one address:
//! it stands on loopback. Whoever goes on after [`REFUSALS_BEFORE_BAN`] refusals in one minute is
//! banned for two minutes, each further time twice as long, at most three days.

use std::collections::VecDeque;
use std::time::Duration;

use finstage_model::Timestamp;

/// Request weight allowed per minute.
pub const WEIGHT_PER_MINUTE: u32 = 6_000;
/// Refusals within a minute after which an address is banned.
pub const REFUSALS_BEFORE_BAN: u32 = 10;
/// The first ban; each further one is twice as long.
pub const FIRST_BAN: Duration = Duration::from_secs(120);
/// The longest ban.
pub const LONGEST_BAN: Duration = Duration::from_secs(3 * 86_400);
/// Connection attempts allowed in five minutes.
pub const CONNECTS_PER_5_MIN: usize = 300;

/// The counters of one address.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    minute: i64,
    used: u32,
    refusals: u32,
    bans: u32,
    banned_until: Option<Timestamp>,
    connects: VecDeque<Timestamp>,
}

/// Whether a request is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Yes; the weight used in this minute.
    Ok { used: u32 },
    /// Too much weight: 429.
    Limited { used: u32, retry_after_s: u64 },
    /// Banned: 418.
    Banned { until: Timestamp, retry_after_s: u64 },
}

impl Limits {
    /// Takes weight from the present minute.
    pub(crate) fn take(&mut self, weight: u32, now: Timestamp) -> Admission {
        if let Some(banned) = self.banned(now) {
            return banned;
        }
        let minute = now.secs().div_euclid(60);
        if minute != self.minute {
            (self.minute, self.used, self.refusals) = (minute, 0, 0);
        }
        if self.used + weight <= WEIGHT_PER_MINUTE {
            self.used += weight;
            return Admission::Ok { used: self.used };
        }
        self.refusals += 1;
        if self.refusals > REFUSALS_BEFORE_BAN {
            let ban = FIRST_BAN.saturating_mul(2_u32.saturating_pow(self.bans)).min(LONGEST_BAN);
            self.bans += 1;
            self.banned_until = Some(now.plus(ban));
            self.refusals = 0;
            return self.banned(now).expect("a ban longer than nothing was just set");
        }
        let end = Timestamp::from_secs((minute + 1) * 60);
        Admission::Limited { used: self.used, retry_after_s: whole_secs(end.since(now)) }
    }

    /// Counts an attempt to connect; `false` where there were too many.
    pub(crate) fn connect(&mut self, now: Timestamp) -> bool {
        let since = now.minus(Duration::from_secs(300));
        while self.connects.front().is_some_and(|at| *at <= since) {
            self.connects.pop_front();
        }
        if self.banned(now).is_some() || self.connects.len() >= CONNECTS_PER_5_MIN {
            return false;
        }
        self.connects.push_back(now);
        true
    }

    fn banned(&self, now: Timestamp) -> Option<Admission> {
        let until = self.banned_until.filter(|until| *until > now)?;
        Some(Admission::Banned { until, retry_after_s: whole_secs(until.since(now)) })
    }
}

/// Seconds rounded up: who waits them is let in.
pub(crate) fn whole_secs(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_secs(1_700_000_040 + secs) // second 0 of a minute
    }

    #[test]
    fn the_window_is_the_clocks_minute_not_the_last_sixty_seconds() {
        let mut limits = Limits::default();
        assert_eq!(limits.take(5_999, at(58)), Admission::Ok { used: 5_999 });
        assert_eq!(limits.take(2, at(58)), Admission::Limited { used: 5_999, retry_after_s: 2 });
        assert_eq!(limits.take(1, at(59)), Admission::Ok { used: 6_000 });
        assert_eq!(limits.take(20, at(60)), Admission::Ok { used: 20 });
    }

    #[test]
    fn who_goes_on_after_refusals_is_banned_and_longer_each_time() {
        let mut limits = Limits::default();
        let mut refuse_until_banned = |now: Timestamp| {
            limits.take(6_000, now);
            loop {
                match limits.take(1, now) {
                    Admission::Banned { until, retry_after_s } => {
                        assert_eq!(until.since(now).as_secs(), retry_after_s);
                        let waited = limits.take(1, until);
                        assert_eq!(waited, Admission::Ok { used: 1 });
                        return retry_after_s;
                    }
                    Admission::Limited { .. } => {}
                    Admission::Ok { .. } => panic!("the minute was used up"),
                }
            }
        };
        let bans: Vec<u64> = (0..13).map(|i| refuse_until_banned(at(i * 600_000))).collect();
        assert_eq!(bans[..3], [120, 240, 480]);
        assert_eq!(bans[12], LONGEST_BAN.as_secs());
    }

    #[test]
    fn the_three_hundred_and_first_connection_waits() {
        let mut limits = Limits::default();
        assert!((0..CONNECTS_PER_5_MIN).all(|_| limits.connect(at(0))));
        assert!(!limits.connect(at(299)));
        assert!(limits.connect(at(300)));
    }
}
