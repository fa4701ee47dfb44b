//! How long one attempt of a call may take, and what counts as one.

use std::time::Duration;

use finstage_net::{
    AdaptiveOptions, BreakerOptions, BudgetOptions, Client, Concurrency, Cost, ErrorKind, Phase,
    Remote, RemoteOptions, Request, RetryPolicy, Rule, Shape, Sign, Spread, Terms,
};

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use crate::scripted::{Scripted, answer, broken, status};

const URL: &str = "https://models.test/v1/chat/completions";

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn options(retry: RetryPolicy) -> RemoteOptions {
    let retry = RetryPolicy { spread: Spread::None, ..retry };
    RemoteOptions { retry, breaker: BreakerOptions::NEVER, seed: 1, ..RemoteOptions::default() }
}

fn post() -> Request {
    Request::post(URL).idempotent()
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_longer_than_it_may_is_repeated_within_the_call() {
    let transport = Scripted::new(|n, _| status(200).after(if n == 0 { 5_000 } else { 300 }));
    let remote = Remote::with("models", Terms::PLAIN, options(RetryPolicy::STANDARD));
    let client = Client::over(transport.clone()).at(&remote);
    let request = post().within(millis(400));
    assert_eq!(request.longest(), Some(millis(400)));
    assert_eq!(client.send(&request).await.unwrap().status, 200);
    assert_eq!(transport.times(), [0, 900], "400 ms of the attempt and 500 ms of the policy");
    assert_eq!(client.send(&post()).await.unwrap().status, 200, "without a word it may take long");
    assert_eq!(remote.snapshot().failed, 1);
}

#[tokio::test(start_paused = true)]
async fn the_shorter_of_attempt_and_call_ends_it_and_the_message_says_which() {
    let transport = Scripted::new(|_, _| status(200).after(5_000));
    for (most, whose) in [(400, "this attempt"), (2_000, "the whole call")] {
        let options = RemoteOptions { deadline: millis(1_000), ..options(RetryPolicy::NEVER) };
        let remote = Remote::with("models", Terms::PLAIN, options);
        let client = Client::over(transport.clone()).at(&remote);
        let error = client.send(&post().within(millis(most))).await.unwrap_err();
        assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Whole)));
        assert!(error.maybe_sent() && error.to_string().contains(whose), "{error}");
    }
    let error = Client::over(transport).send(&post().within(millis(400))).await.unwrap_err();
    assert_eq!(error.phase(), Some(Phase::Whole), "without a remote as well: {error}");
}

#[tokio::test(start_paused = true)]
async fn free_refusals_use_up_neither_attempts_nor_the_budget_and_failures_keep_their_count() {
    // Twelve refusals, then failures without end.
    let transport = Scripted::new(|n, _| match n {
        0..12 => status(429),
        _ => status(503),
    });
    let terms = Terms { block: Duration::ZERO, ..Terms::PLAIN };
    let budget = BudgetOptions::Purse { capacity: 100, failed: 14, limited: 100 };
    let options = RemoteOptions {
        budget,
        deadline: Duration::from_secs(900),
        ..options(RetryPolicy::BATCH_ROWS)
    };
    let remote = Remote::with("models", terms, options);
    let last = Client::over(transport.clone()).at(&remote).send(&post()).await.unwrap();
    assert_eq!((last.status, transport.sent()), (503, 12 + 6), "the last answer stays");
    let times = transport.times();
    let waits: Vec<u128> = times[12..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [500, 1_000, 2_000, 4_000, 8_000]);
    assert_eq!(remote.snapshot().refused, 12);
}

#[tokio::test(start_paused = true)]
async fn free_refusals_end_with_the_deadline_of_the_call() {
    let transport = Scripted::new(|_, _| answer(429, &[("retry-after", "7")], ""));
    let deadline = Duration::from_secs(60);
    let options = RemoteOptions { deadline, ..options(RetryPolicy::BATCH_ROWS) };
    let remote = Remote::with("models", Terms::PLAIN, options);
    let last = Client::over(transport.clone()).at(&remote).send(&post()).await.unwrap();
    assert_eq!(last.status, 429);
    let times = transport.times();
    assert_eq!(times[..3], [0, 7_500, 15_000], "seven seconds and half a second each time");
    assert_eq!(times.len(), 8, "the next one would be at the deadline");
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_rows_outlasts_a_server_that_refuses_nine_of_ten() {
    let transport = Scripted::new(|n, _| match n % 10 {
        9 if n % 100 == 99 => broken(),
        9 => status(200),
        _ => answer(429, &[("retry-after", "0")], ""),
    });
    let options = RemoteOptions {
        concurrency: Concurrency::Fixed(100),
        deadline: Duration::from_secs(900),
        ..options(RetryPolicy::BATCH_ROWS)
    };
    let remote = Remote::with("models", Terms::PLAIN, options);
    let client = Client::over(transport.clone()).at(&remote);
    let request = post();
    let ends = join_all((0..200).map(|_| client.send(&request))).await;
    assert!(ends.iter().all(|end| end.as_ref().is_ok_and(|answer| answer.status == 200)));
    assert!(transport.sent() >= 2_000, "{}", transport.sent());
}

#[tokio::test(start_paused = true)]
async fn limits_that_are_known_at_run_time_take_the_place_of_the_terms() {
    let rule = |name, limit| Rule {
        name,
        shape: Shape::Sliding,
        limit,
        window: Duration::from_secs(60),
        default_cost: 1,
        counts_refused: false,
    };
    let fewer: usize = "2".parse().unwrap();
    let rules = Some(vec![rule("requests", fewer as u64), rule("tokens", 1_000)]);
    let deadline = Duration::from_secs(90);
    let options = RemoteOptions { rules, deadline, ..options(RetryPolicy::NEVER) };
    let remote = Remote::with("models", Terms::PLAIN, options);
    let transport = Scripted::new(|_, _| status(200));
    let client = Client::over(transport.clone()).at(&remote);
    for _ in 0..3 {
        client.send(&post().cost("tokens", 10)).await.unwrap();
    }
    let times = transport.times();
    assert!(times[1] < 1_000 && times[2] >= 60_000, "{times:?}");
    let quotas: Vec<&str> = remote.snapshot().quotas.iter().map(|quota| quota.rule).collect();
    assert_eq!(quotas, ["requests", "tokens"]);
}

/// "Too fast" is 429, "too many at once" is 529.
const CROWDED: Terms = Terms {
    judge: |response, now| match response.status {
        529 => Sign::Crowded { retry_after: None },
        _ => Sign::of_status(response, now),
    },
    block: Duration::ZERO,
    ..Terms::PLAIN
};

#[tokio::test(start_paused = true)]
async fn too_many_at_once_is_repeated_later_and_later_and_nobody_else_waits() {
    let transport = Scripted::new(|n, request| match request.endpoint_name() {
        "big" if n < 9 => status(529),
        _ => status(200),
    });
    let options =
        RemoteOptions { deadline: Duration::from_secs(900), ..options(RetryPolicy::BATCH_ROWS) };
    let remote = Remote::with("models", CROWDED, options);
    let client = Client::over(transport.clone()).at(&remote);
    let big = post().endpoint("big");
    let small = async {
        for _ in 0..3 {
            sleep(millis(100)).await;
            let begun = Instant::now();
            assert_eq!(client.send(&post()).await.unwrap().status, 200);
            assert_eq!(begun.elapsed(), Duration::ZERO, "no rest holds for it");
        }
        assert_eq!(remote.snapshot().blocked_until, None);
    };
    let (end, ()) = tokio::join!(client.send(&big), small);
    assert_eq!(end.unwrap().status, 200);
    let times = transport.times();
    // Six times crowded, three of the others in between.
    assert_eq!(times[4..], [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    let seen = remote.snapshot();
    assert_eq!((seen.refused, seen.failed), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn too_many_at_once_lowers_a_learned_number_and_too_fast_a_pace() {
    for (code, lower) in [(529, true), (429, false)] {
        let transport = Scripted::new(move |n, _| status(if n < 40 { 200 } else { code }));
        let adaptive = AdaptiveOptions { start: 20, samples: 1_000, ..Default::default() };
        let options = RemoteOptions {
            concurrency: Concurrency::Adaptive(adaptive),
            rules: Some(vec![paced(0)]),
            ..options(RetryPolicy::NEVER)
        };
        let remote = Remote::with("models", CROWDED, options);
        let client = Client::over(transport.clone()).at(&remote);
        for _ in 0..40 {
            client.send(&post()).await.unwrap();
        }
        let before = remote.snapshot();
        assert_eq!(before.quotas[0].limit, 0, "nobody knows one");
        client.send(&post()).await.unwrap();
        let after = remote.snapshot();
        assert_eq!(after.concurrency < before.concurrency, lower, "{code}");
        assert_eq!(after.quotas[0].limit > 0, !lower, "{code}");
    }
}

const fn paced(limit: u64) -> Rule {
    Rule {
        name: "tokens",
        shape: Shape::Paced,
        limit,
        window: Duration::from_secs(60),
        default_cost: 1,
        counts_refused: false,
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_answer_cost_beyond_the_estimate_is_charged_and_nothing_is_given_back() {
    // A hundred tokens a second.
    let terms = Terms {
        actual: |response| {
            let said = response.text().parse().ok();
            said.map(|amount| Cost { rule: "tokens", amount }).into_iter().collect()
        },
        ..Terms::PLAIN
    };
    let mut seconds = Vec::new();
    for cost in ["10", "2000", "1"] {
        let transport = Scripted::new(move |_, _| answer(200, &[], cost));
        let options =
            RemoteOptions { rules: Some(vec![paced(6_000)]), ..options(RetryPolicy::NEVER) };
        let remote = Remote::with("models", terms, options);
        let client = Client::over(transport.clone()).at(&remote);
        client.send(&post().cost("tokens", 10)).await.unwrap();
        let used = remote.snapshot().quotas[0].used;
        client.send(&post().cost("tokens", 10)).await.unwrap();
        seconds.push((used, transport.times()[1] / 1_000));
    }
    // Of 87 at once ten were there: 2,000 are missing, less the 77 that were left.
    assert_eq!(seconds, [(10, 0), (2_000, 19), (10, 0)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_away_may_be_repeated() {
    let transport = Scripted::new(|n, _| if n == 0 { broken() } else { status(204) });
    let remote = Remote::with("models", Terms::PLAIN, options(RetryPolicy::STANDARD));
    let request = Request::delete("https://models.test/v1/files/a");
    assert_eq!(request.to_string(), "DELETE https://models.test/v1/files/a");
    assert_eq!(Client::over(transport).at(&remote).send(&request).await.unwrap().status, 204);
}
