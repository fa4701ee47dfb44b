//! What the venue allows one address: request weight, bans, connection attempts; and one connection:
//! messages.
//!
//! Periods of requests are those of the venue's clock. Everybody who asks this simulator is one address:
//! it stands on loopback. Whoever goes on after [`REFUSALS_BEFORE_BAN`] refusals in one minute is
//! banned for two minutes, each further time twice as long, at most three days. The counting is the
//! [rulebook](crate::sim::rulebook)'s; here it is said what is counted.

use std::time::Duration;

use finstage_model::Timestamp;

use crate::sim::rulebook::{Ban, Caller, Refusal, Rule, Rulebook, Scope, Shape, Verdict};

/// Request weight allowed per minute.
pub const WEIGHT_PER_MINUTE: u32 = 6_000;
/// Requests allowed in five minutes, whatever they weigh.
pub const REQUESTS_PER_5_MIN: u32 = 300_000;
/// Refusals within a minute after which an address is banned.
pub const REFUSALS_BEFORE_BAN: u32 = 10;
/// The first ban; each further one is twice as long.
pub const FIRST_BAN: Duration = Duration::from_secs(120);
/// The longest ban.
pub const LONGEST_BAN: Duration = Duration::from_secs(3 * 86_400);
/// Connection attempts allowed in five minutes.
pub const CONNECTS_PER_5_MIN: u32 = 300;
/// Messages a client may send per second; pings and pongs count.
pub const INCOMING_PER_SECOND: u32 = 5;

const MINUTES_5: Duration = Duration::from_secs(300);

/// The venue's limits: `weight`, `requests` and `connects` of an address, `messages` of a connection.
/// Refused ones are not counted.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let ban =
        Ban { after: REFUSALS_BEFORE_BAN, first: FIRST_BAN, longest: LONGEST_BAN, status: 418 };
    let by_address =
        |name, limit, shape| Rule { scope: Scope::Address, ..Rule::new(name, limit, shape) };
    let minute = Shape::Aligned(Duration::from_secs(60));
    vec![
        Rule { ban: Some(ban), ..by_address("weight", WEIGHT_PER_MINUTE, minute) },
        by_address("requests", REQUESTS_PER_5_MIN, Shape::Aligned(MINUTES_5)),
        by_address("connects", CONNECTS_PER_5_MIN, Shape::Sliding(MINUTES_5)),
        messages(),
    ]
}

fn messages() -> Rule {
    let second = Shape::Sliding(Duration::from_secs(1));
    Rule { scope: Scope::Connection, ..Rule::new("messages", INCOMING_PER_SECOND, second) }
}

/// What one connection may send.
pub(crate) fn of_connection() -> Rulebook {
    Rulebook::new(vec![messages()])
}

/// The counters of the one address.
#[derive(Debug)]
pub(crate) struct Limits(Rulebook);

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

impl Default for Limits {
    fn default() -> Self {
        Self(Rulebook::new(rules()))
    }
}

impl Limits {
    /// Multiplies every limit by so many thousandths from now on.
    pub(crate) fn set_factor(&mut self, thousandths: u32) {
        self.0.set_factor(thousandths);
    }

    /// Takes weight from the present minute.
    pub(crate) fn take(&mut self, weight: u32, now: Timestamp) -> Admission {
        let who = Caller::default();
        let verdict = self.0.admit(now, &who, &[("weight", weight), ("requests", 1)]);
        let used = self.0.used(now, &who, "weight");
        match verdict {
            Verdict::Admitted => Admission::Ok { used },
            Verdict::Refused(refusal @ Refusal { banned_until: Some(until), .. }) => {
                Admission::Banned { until, retry_after_s: refusal.retry_after_s() }
            }
            Verdict::Refused(refusal) => {
                Admission::Limited { used, retry_after_s: refusal.retry_after_s() }
            }
        }
    }

    /// Counts an attempt to connect; `false` where there were too many, or while a ban goes on.
    pub(crate) fn connect(&mut self, now: Timestamp) -> bool {
        let costs = [("weight", 0), ("connects", 1)];
        self.0.admit(now, &Caller::default(), &costs).is_admitted()
    }
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
