//! Whether and when a request is sent again: one type, and every rule that was ever asked for as a
//! constant of it.

use std::time::Duration;

use crate::Jitter;

/// When a request that failed is sent again.
///
/// ```
/// use std::time::Duration;
/// use finstage_net::{RetryPolicy, Spread};
///
/// let policy = RetryPolicy { spread: Spread::None, ..RetryPolicy::CONNECTION };
/// let seconds: Vec<u64> = policy.delays().map(|wait| wait.as_secs()).collect();
/// assert_eq!(seconds, [1, 2, 4, 8, 16]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// What people call it.
    pub name: &'static str,
    /// How often it is sent again at most.
    pub retries: u32,
    /// Whether repetitions after "too many" are among them.
    pub refusals: Refusals,
    /// The wait before the first repetition, before it is spread.
    pub base: Duration,
    /// How it grows.
    pub growth: Growth,
    /// The longest wait, before what [`Spread::Added`] puts on top.
    pub cap: Duration,
    /// How it is drawn.
    pub spread: Spread,
    /// Where the server names a wait, what becomes of it.
    pub asked: Asked,
    /// The longest wait that a server may ask for within one call. One that asks for more gets it, but
    /// the caller hears of it at once.
    pub longest_asked: Duration,
    /// Waits grow while most attempts fail: below this share of successes among the last
    /// hundred, by one plus what is missing to it. 0: never.
    pub stretch_below: f64,
}

/// What "too many requests" takes from a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refusals {
    /// A repetition, like any failure.
    #[default]
    Counted,
    /// Nothing, neither of its repetitions nor of the remote's budget: it is sent again until its
    /// deadline, after what the server asks for and a draw up to `base`, which grows only where it was too
    /// many at once. How much is sent meanwhile is the limiter's work.
    Free,
}

/// How waits grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// By this factor each time; 1 is always the same.
    Times(u32),
    /// By the first wait each time: once, twice, three times it.
    Linear,
}

/// How a wait is drawn, so that those who failed together do not come back together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Spread {
    /// Uniform between nothing and the wait.
    Full,
    /// Uniform within this share above and below the wait.
    Around(f64),
    /// The wait and up to this share of it more.
    Added(f64),
    /// The wait itself.
    None,
}

/// What becomes of a wait that the server names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It is the least: the drawn wait is added.
    Floor,
    /// It takes the place of `base`, and grows as that would, up to `cap`.
    AsBase,
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

impl RetryPolicy {
    /// What a [`crate::Remote`] does unless told otherwise: full jitter from 500 ms up to 30 s, at
    /// most three repetitions.
    pub const STANDARD: Self = Self {
        name: "standard",
        retries: 3,
        refusals: Refusals::Counted,
        base: millis(500),
        growth: Growth::Times(2),
        cap: seconds(30),
        spread: Spread::Full,
        asked: Asked::Floor,
        longest_asked: seconds(60),
        stretch_below: 0.0,
    };

    /// Sends once.
    pub const NEVER: Self = Self { name: "never", retries: 0, ..Self::STANDARD };

    /// For servers where a second matters: from 50 ms, twice, as the AWS clients of 2026.
    pub const QUICK: Self =
        Self { name: "quick", retries: 2, base: millis(50), cap: seconds(20), ..Self::STANDARD };

    /// Opening a connection: 1, 2, 4, 8, 16 s (S0-15).
    pub const CONNECTION: Self = Self {
        name: "connection",
        retries: 5,
        base: seconds(1),
        cap: seconds(60),
        spread: Spread::Around(0.2),
        ..Self::STANDARD
    };

    /// A stream's request with a stand-in: three times, from 2 s to at most 30 s (S0-31).
    pub const STREAM_FALLBACK: Self =
        Self { name: "stream-fallback", retries: 3, base: seconds(2), ..Self::CONNECTION.to_30() };

    /// Opening that stream again after a drop: each 10 s (S0-31).
    pub const STREAM_RECONNECT: Self = Self {
        name: "stream-reconnect",
        retries: 3,
        base: seconds(10),
        growth: Growth::Times(1),
        ..Self::CONNECTION
    };

    /// A chat request told to wait without a word how long: 5 s each time (S1-03, bounded).
    pub const CHAT_THROTTLED: Self = Self {
        name: "chat-throttled",
        retries: 3,
        base: seconds(5),
        growth: Growth::Times(1),
        ..Self::CONNECTION
    };

    /// A row of a batch told to wait: 5 s or what the server names, once, twice, three times it
    /// (S1-07).
    pub const ROWS_THROTTLED: Self = Self {
        name: "rows-throttled",
        retries: 3,
        base: seconds(5),
        growth: Growth::Linear,
        asked: Asked::AsBase,
        ..Self::CONNECTION
    };

    /// A row of a batch that failed: 1, 2 s; three attempts (S1-07).
    pub const ROWS: Self = Self { name: "rows", retries: 2, ..Self::CONNECTION };

    /// A row of a big batch: failures five times, full jitter from 500 ms up to 30 s; "too many" until
    /// the call's deadline, with waits of up to an hour.
    pub const BATCH_ROWS: Self = Self {
        name: "batch-rows",
        retries: 5,
        refusals: Refusals::Free,
        longest_asked: seconds(3_600),
        ..Self::STANDARD
    };

    /// Requests or tokens of a minute exceeded: 1 s or what the server names, doubled each time, at
    /// most 60 s (S1-13).
    pub const MINUTE_EXCEEDED: Self =
        Self { name: "minute-exceeded", retries: 5, asked: Asked::AsBase, ..Self::CONNECTION };

    /// A market request that timed out: 1, 2 s; three attempts (S2-12).
    pub const MARKET: Self = Self { name: "market", retries: 2, ..Self::CONNECTION };

    /// A WebSocket that closed with 1006: 1, 2, 4 … at most 30 s, ten times (S2-17).
    pub const SOCKET: Self = Self { name: "socket", retries: 10, ..Self::CONNECTION.to_30() };

    /// A poll of market data: 2, 4, 8 s (S3-15).
    pub const POLL: Self = Self { name: "poll", retries: 3, base: seconds(2), ..Self::CONNECTION };

    /// A Korean broker over its limit: 1, 2, 4, 8, 16 s, at most 32 s, up to a tenth on top, longer
    /// while less than a fifth succeeds (S4 §3.3).
    pub const BROKER: Self = Self {
        name: "broker",
        retries: 5,
        base: seconds(1),
        cap: seconds(32),
        spread: Spread::Added(0.1),
        stretch_below: 0.2,
        ..Self::STANDARD
    };

    /// The same with the cap of that project's guide: 60 s (S4 §3.3).
    pub const BROKER_GUIDE: Self = Self { name: "broker-guide", cap: seconds(60), ..Self::BROKER };

    /// A broker's token: three attempts (S4 §3.3).
    pub const BROKER_TOKEN: Self = Self { name: "broker-token", retries: 2, ..Self::BROKER };

    /// A broker that cannot be reached: three times, at most 10 s (S4 §3.3).
    pub const BROKER_NETWORK: Self =
        Self { name: "broker-network", retries: 3, cap: seconds(10), ..Self::BROKER };

    /// All of them.
    pub const PRESETS: [Self; 18] = [
        Self::STANDARD,
        Self::NEVER,
        Self::QUICK,
        Self::CONNECTION,
        Self::STREAM_FALLBACK,
        Self::STREAM_RECONNECT,
        Self::CHAT_THROTTLED,
        Self::ROWS_THROTTLED,
        Self::ROWS,
        Self::BATCH_ROWS,
        Self::MINUTE_EXCEEDED,
        Self::MARKET,
        Self::SOCKET,
        Self::POLL,
        Self::BROKER,
        Self::BROKER_GUIDE,
        Self::BROKER_TOKEN,
        Self::BROKER_NETWORK,
    ];

    /// The preset of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::PRESETS.into_iter().find(|preset| preset.name == name)
    }

    const fn to_30(self) -> Self {
        Self { cap: seconds(30), ..self }
    }

    /// The wait after `failed` attempts before this one, before it is spread.
    #[must_use]
    pub fn ceiling(&self, failed: u32) -> Duration {
        self.grown(self.base, failed)
    }

    /// The waits before each repetition, before they are spread.
    pub fn delays(&self) -> impl Iterator<Item = Duration> + use<> {
        let policy = *self;
        (0..policy.retries).map(move |failed| policy.ceiling(failed))
    }

    /// The wait before the next attempt, or `None` when this was the last or the server asks for
    /// more than a call waits.
    #[must_use]
    pub fn next(&self, failure: Failure, jitter: &mut Jitter) -> Option<Duration> {
        if failure.is_refusal && self.refusals == Refusals::Free {
            let asked = failure.asked.unwrap_or_default();
            let drawn = self.spread.draw(self.ceiling(failure.before), jitter);
            return (asked <= self.longest_asked).then(|| asked.saturating_add(drawn));
        }
        if failure.before >= self.retries {
            return None;
        }
        let stretch = 1.0 + (self.stretch_below - failure.success_share).max(0.0);
        match failure.asked {
            Some(asked) if asked > self.longest_asked => None,
            Some(asked) if self.asked == Asked::Floor => {
                let drawn = self.spread.draw(self.ceiling(failure.before), jitter);
                Some(asked.saturating_add(drawn))
            }
            Some(asked) => {
                let grown = self.grown(asked, failure.before).max(asked);
                // Never before the server's own word, so nothing is taken off.
                Some(self.spread.draw(grown, jitter).max(asked))
            }
            None => {
                let wait = self.ceiling(failure.before).mul_f64(stretch);
                Some(self.spread.draw(wait, jitter))
            }
        }
    }

    fn grown(&self, base: Duration, failed: u32) -> Duration {
        let factor = match self.growth {
            Growth::Times(factor) => factor.saturating_pow(failed),
            Growth::Linear => failed.saturating_add(1),
        };
        base.saturating_mul(factor).min(self.cap)
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// What a [`RetryPolicy`] has to know of a failure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Failure {
    /// Attempts of this call that failed before this one. Where refusals are free: for a failure those that
    /// failed, for "too many at once" those that were told so, for "too fast" none, since the limiter slows.
    pub before: u32,
    /// The server said "too many requests".
    pub is_refusal: bool,
    /// The wait that the server names.
    pub asked: Option<Duration>,
    /// The share of successes among the last hundred attempts; 1 where nothing was tried.
    pub success_share: f64,
}

impl Failure {
    /// The first failure of a call, without a word of the server.
    pub const FIRST: Self = Self { before: 0, is_refusal: false, asked: None, success_share: 1.0 };
}

impl Spread {
    fn draw(self, wait: Duration, jitter: &mut Jitter) -> Duration {
        match self {
            Self::Full => wait.mul_f64(jitter.fraction()),
            Self::Around(share) => {
                let factor = 1.0 + share.clamp(0.0, 1.0) * (2.0 * jitter.fraction() - 1.0);
                wait.mul_f64(factor)
            }
            Self::Added(share) => wait.mul_f64(1.0 + share.max(0.0) * jitter.fraction()),
            Self::None => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The presets' waits in milliseconds, from the documents that ask for them.
    const WAITS: [(&str, &[u64]); 18] = [
        ("standard", &[500, 1_000, 2_000]),
        ("never", &[]),
        ("quick", &[50, 100]),
        ("connection", &[1_000, 2_000, 4_000, 8_000, 16_000]),
        ("stream-fallback", &[2_000, 4_000, 8_000]),
        ("stream-reconnect", &[10_000, 10_000, 10_000]),
        ("chat-throttled", &[5_000, 5_000, 5_000]),
        ("rows-throttled", &[5_000, 10_000, 15_000]),
        ("rows", &[1_000, 2_000]),
        ("batch-rows", &[500, 1_000, 2_000, 4_000, 8_000]),
        ("minute-exceeded", &[1_000, 2_000, 4_000, 8_000, 16_000]),
        ("market", &[1_000, 2_000]),
        ("socket", &[1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000, 30_000]),
        ("poll", &[2_000, 4_000, 8_000]),
        ("broker", &[1_000, 2_000, 4_000, 8_000, 16_000]),
        ("broker-guide", &[1_000, 2_000, 4_000, 8_000, 16_000]),
        ("broker-token", &[1_000, 2_000]),
        ("broker-network", &[1_000, 2_000, 4_000]),
    ];

    fn waits(policy: RetryPolicy, asked: Option<Duration>) -> Vec<u64> {
        let policy = RetryPolicy { spread: Spread::None, ..policy };
        let mut jitter = Jitter::seeded(1);
        (0..)
            .map_while(|before| {
                policy.next(Failure { before, asked, ..Failure::FIRST }, &mut jitter)
            })
            .map(|wait| wait.as_millis() as u64)
            .collect()
    }

    #[test]
    fn each_preset_waits_as_its_document_says() {
        for ((name, expected), preset) in WAITS.into_iter().zip(RetryPolicy::PRESETS) {
            assert_eq!(name, preset.name);
            assert_eq!(waits(preset, None), expected, "{name}");
            assert_eq!(RetryPolicy::named(name), Some(preset));
        }
        assert_eq!(RetryPolicy::named("broker-guide").unwrap().ceiling(9), seconds(60));
        assert_eq!(RetryPolicy::named("broker").unwrap().ceiling(9), seconds(32));
        assert_eq!(RetryPolicy::named("connection").unwrap().ceiling(9), seconds(60));
    }

    #[test]
    fn a_wait_that_the_server_names_is_the_least_and_jitter_comes_on_top() {
        let mut jitter = Jitter::seeded(2);
        let failure = Failure { asked: Some(seconds(7)), ..Failure::FIRST };
        let drawn: Vec<Duration> =
            (0..500).map(|_| RetryPolicy::STANDARD.next(failure, &mut jitter).unwrap()).collect();
        assert!(drawn.iter().all(|wait| (seconds(7)..millis(7_500)).contains(wait)), "{drawn:?}");
        assert!(drawn.iter().any(|wait| *wait > millis(7_250)));
        for preset in RetryPolicy::PRESETS.into_iter().filter(|preset| preset.retries > 0) {
            for _ in 0..100 {
                assert!(preset.next(failure, &mut jitter).unwrap() >= seconds(7), "{preset:?}");
            }
        }
    }

    #[test]
    fn a_wait_that_the_server_names_grows_where_the_document_says_so() {
        assert_eq!(waits(RetryPolicy::ROWS_THROTTLED, Some(seconds(3))), [3_000, 6_000, 9_000]);
        let doubled = waits(RetryPolicy::MINUTE_EXCEEDED, Some(seconds(10)));
        assert_eq!(doubled, [10_000, 20_000, 40_000, 60_000, 60_000]);
    }

    #[test]
    fn who_asks_for_more_than_a_call_waits_ends_the_call() {
        let asked = |asked| Failure { asked: Some(asked), ..Failure::FIRST };
        let mut jitter = Jitter::seeded(3);
        assert!(RetryPolicy::STANDARD.next(asked(seconds(60)), &mut jitter).is_some());
        assert_eq!(RetryPolicy::STANDARD.next(asked(seconds(61)), &mut jitter), None);
    }

    #[test]
    fn a_free_refusal_is_repeated_however_often_within_what_may_be_asked() {
        let policy = RetryPolicy { spread: Spread::None, ..RetryPolicy::BATCH_ROWS };
        let refused = |asked| Failure { is_refusal: true, asked, ..Failure::FIRST };
        let mut jitter = Jitter::seeded(6);
        let mut wait = |failure| policy.next(failure, &mut jitter);
        assert_eq!(wait(refused(None)), Some(millis(500)));
        assert_eq!(wait(Failure { before: 99, ..refused(None) }), Some(seconds(30)));
        assert_eq!(wait(refused(Some(seconds(90)))), Some(millis(90_500)));
        assert_eq!(wait(refused(Some(seconds(3_601)))), None);
        assert_eq!(wait(Failure { before: 5, ..Failure::FIRST }), None, "failures are counted");
    }

    #[test]
    fn waits_spread_as_far_as_they_say() {
        let mut jitter = Jitter::seeded(4);
        let mut range = |spread: Spread| {
            let drawn: Vec<f64> =
                (0..2_000).map(|_| spread.draw(seconds(10), &mut jitter).as_secs_f64()).collect();
            let low = drawn.iter().copied().fold(f64::INFINITY, f64::min);
            let high = drawn.iter().copied().fold(0.0, f64::max);
            (low.round() as i64, high.round() as i64)
        };
        assert_eq!(range(Spread::Full), (0, 10));
        assert_eq!(range(Spread::Around(0.2)), (8, 12));
        assert_eq!(range(Spread::Added(0.1)), (10, 11));
        assert_eq!(range(Spread::None), (10, 10));
    }

    #[test]
    fn waits_stretch_while_hardly_anything_succeeds() {
        let policy = RetryPolicy { spread: Spread::None, ..RetryPolicy::BROKER };
        let mut jitter = Jitter::seeded(5);
        let mut wait = |success_share| {
            policy.next(Failure { success_share, ..Failure::FIRST }, &mut jitter).unwrap()
        };
        assert_eq!(wait(0.0), millis(1_200));
        assert_eq!(wait(0.1), millis(1_100));
        assert_eq!(wait(0.2), millis(1_000));
    }
}
