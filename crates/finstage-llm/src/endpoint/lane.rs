//! What all questions to one model share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use finstage_net::{
    BreakerOptions, BreakerState, BudgetOptions, Client, Remote, RemoteOptions, RemoteSnapshot,
    Rule, Shape, Terms,
};

use super::EndpointOptions;
use crate::hints::{REQUESTS, TOKENS};
use crate::latency::Latencies;
use crate::{Estimate, Usage};

/// Answers after which the usual time is known.
const USUAL_AFTER: u64 = 20;
/// An attempt may take so many times what one in twenty passes.
const USUAL_TIMES: u32 = 4;
/// The longest that an attempt may take, whatever is usual.
pub(super) const MAX_ATTEMPT: Duration = Duration::from_secs(1_800);
/// Estimates of the past weigh half as much after so many tokens.
const RATIO_TOKENS: f64 = 200_000.0;
/// How far real tokens are believed to be from estimated ones.
const RATIO_BOUNDS: (f64, f64) = (0.2, 5.0);
/// Tokens that must have been counted before the ratio is believed.
const RATIO_AFTER: f64 = 500.0;

/// Repetitions are bounded by the rows in hand, each of which has its own bound: one for each request, ten a second
/// in any case.
const REPETITIONS: BudgetOptions =
    BudgetOptions::Share { share: 1.0, floor: 10.0, capacity: 1_000.0 };

/// Limits, client and figures of one model.
#[derive(Debug)]
pub(crate) struct Lane {
    model: String,
    remote: Remote,
    pub(super) client: Client,
    attempt: Duration,
    learned: Mutex<Learned>,
}

#[derive(Debug, Default)]
struct Learned {
    latencies: Latencies,
    estimated: f64,
    real: f64,
}

/// The figures of a model at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneSnapshot {
    /// The model; empty for those beyond [`super::MAX_MODELS`].
    pub model: String,
    /// Limits, waits, repetitions, refusals.
    pub remote: RemoteSnapshot,
    /// Half of the answers took no longer.
    pub p50: Duration,
    /// Of twenty answers nineteen took no longer.
    pub p95: Duration,
    /// Real tokens of questions for each estimated one, as far as is known.
    pub ratio: f64,
}

impl Lane {
    pub(super) fn new(
        model: &str,
        client: &Client,
        (terms, options): (Terms, &EndpointOptions),
    ) -> Self {
        let remote_options = RemoteOptions {
            retry: options.retry,
            budget: REPETITIONS,
            breaker: BreakerOptions::STANDARD,
            concurrency: options.concurrency,
            rules: Some(rules(options)),
            deadline: options.deadline,
            background_deadline: options.deadline,
            clock: Arc::clone(&options.clock),
            seed: options.seed,
            ..RemoteOptions::default()
        };
        let remote = Remote::with(model, terms, remote_options);
        Self {
            model: model.to_owned(),
            client: client.at(&remote),
            remote,
            attempt: options.attempt,
            learned: Mutex::default(),
        }
    }

    /// Whether the server fails for all.
    pub(super) fn is_down(&self) -> bool {
        self.remote.snapshot().breaker != BreakerState::Closed
    }

    /// A good answer took this long.
    pub(super) fn took(&self, time: Duration) {
        self.learned().latencies.add(time);
    }

    /// The longest that an attempt may take: what is set, or several times what is usual.
    pub(crate) fn attempt_limit(&self) -> Duration {
        let learned = self.learned();
        if learned.latencies.seen() < USUAL_AFTER {
            return self.attempt;
        }
        let usual = learned.latencies.quantile(0.95).saturating_mul(USUAL_TIMES);
        self.attempt.max(usual.min(MAX_ATTEMPT))
    }

    /// Tokens that a question is taken to cost: its own, corrected by what earlier ones turned out to be,
    /// and the most of its answer.
    pub(crate) fn estimate(&self, sizes: &Estimate) -> u64 {
        let prompt = (sizes.prompt as f64 * self.learned().ratio()).ceil() as u64;
        prompt.saturating_add(sizes.most_completion)
    }

    /// A question turned out to be this large.
    pub(crate) fn counted(&self, sizes: &Estimate, usage: &Usage) {
        let mut learned = self.learned();
        if learned.estimated > RATIO_TOKENS {
            learned.estimated /= 2.0;
            learned.real /= 2.0;
        }
        learned.estimated += sizes.prompt as f64;
        learned.real += usage.prompt as f64;
    }

    pub(super) fn snapshot(&self) -> LaneSnapshot {
        let remote = self.remote.snapshot();
        let learned = self.learned();
        LaneSnapshot {
            model: self.model.clone(),
            remote,
            p50: learned.latencies.quantile(0.5),
            p95: learned.latencies.quantile(0.95),
            ratio: learned.ratio(),
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The limits of a model, by the minute; what nobody knows is learned. Nothing is taken to come at once beyond what
/// comes in a second, since some servers count so, unless their figures show more.
fn rules(options: &EndpointOptions) -> Vec<Rule> {
    let rule = |name, limit: Option<u32>, default_cost| Rule {
        name,
        shape: Shape::Paced,
        limit: limit.unwrap_or_default().into(),
        window: Duration::from_secs(60),
        default_cost,
        counts_refused: false,
    };
    vec![rule(REQUESTS, options.rpm, 1), rule(TOKENS, options.tpm, 0)]
}

impl Learned {
    fn ratio(&self) -> f64 {
        if self.estimated < RATIO_AFTER {
            return 1.0;
        }
        (self.real / self.estimated).clamp(RATIO_BOUNDS.0, RATIO_BOUNDS.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::Scripted;
    use crate::{Place, Provider};

    fn lane() -> Lane {
        let provider = Scripted::default();
        let client = Client::over(provider.transport().unwrap());
        let _ = Place::new("scripted://here", None);
        Lane::new("m", &client, (provider.terms(), &EndpointOptions::default()))
    }

    #[tokio::test]
    async fn an_attempt_may_take_four_times_what_is_usual() {
        let lane = lane();
        assert_eq!(lane.attempt_limit(), Duration::from_secs(120));
        (0..19).for_each(|_| lane.took(Duration::from_secs(60)));
        assert_eq!(lane.attempt_limit(), Duration::from_secs(120));
        lane.took(Duration::from_secs(60));
        let limit = lane.attempt_limit().as_secs();
        assert!((240..256).contains(&limit), "{limit}");
        (0..100).for_each(|_| lane.took(Duration::from_secs(20_000)));
        assert_eq!(lane.attempt_limit(), MAX_ATTEMPT);
    }

    #[tokio::test]
    async fn estimates_follow_what_questions_turn_out_to_be() {
        let lane = lane();
        let sizes =
            Estimate { prompt: 100, most_prompt: 400, most_completion: 50, is_assumed: false };
        assert_eq!(lane.estimate(&sizes), 150);
        (0..50).for_each(|_| lane.counted(&sizes, &Usage { prompt: 130, ..Usage::default() }));
        assert_eq!(lane.estimate(&sizes), 180);
        (0..9_000).for_each(|_| lane.counted(&sizes, &Usage { prompt: 80, ..Usage::default() }));
        assert!((130..=131).contains(&lane.estimate(&sizes)), "{}", lane.estimate(&sizes));
        (0..9_000).for_each(|_| lane.counted(&sizes, &Usage::default()));
        assert_eq!(lane.estimate(&sizes), 70, "never less than a fifth");
    }
}
