//! How long one attempt of a call may take, and what counts as one.

use std::time::Duration;

use finstage_net::{
    BreakerOptions, BudgetOptions, Client, Concurrency, ErrorKind, Phase, Remote, RemoteOptions,
    Request, RetryPolicy, Rule, Shape, Spread, Terms,
};

use futures_util::future::join_all;

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
