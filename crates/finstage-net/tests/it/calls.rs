//! What a call to a remote does: when it repeats, when it does not, what it leaves behind.

use std::time::Duration;

use finstage_net::{
    BreakerOptions, BreakerState, BudgetOptions, Class, Client, Concurrency, ErrorKind,
    HedgeOptions, Phase, Remote, RemoteOptions, Request, RetryPolicy, Sign, Spread, Terms,
};
use futures_util::future::join_all;
use tokio::time::{Instant, sleep, timeout};

use crate::scripted::{Act, Scripted, answer, broken, no_connection, status};

const URL: &str = "https://venue.test/price";

/// One second, two, four; no jitter, so that times can be compared.
const PLAIN: RetryPolicy = RetryPolicy { spread: Spread::None, ..RetryPolicy::CONNECTION };

fn options() -> RemoteOptions {
    RemoteOptions {
        retry: RetryPolicy { retries: 3, ..PLAIN },
        breaker: BreakerOptions::NEVER,
        seed: 1,
        ..RemoteOptions::default()
    }
}

fn remote(options: RemoteOptions) -> Remote {
    Remote::with("venue", Terms::PLAIN, options)
}

fn at(transport: &std::sync::Arc<Scripted>, remote: &Remote) -> Client {
    Client::over(transport.clone()).at(remote)
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_repeated_with_the_waits_of_the_policy_and_the_last_answer_stays() {
    let transport = Scripted::new(|_, _| status(503));
    let remote = remote(options());
    let answer = at(&transport, &remote).send(&Request::get(URL)).await.unwrap();
    assert_eq!(answer.status, 503);
    assert_eq!(transport.times(), [0, 1_000, 3_000, 7_000]);
    let seen = remote.snapshot();
    assert_eq!((seen.sent, seen.retries, seen.failed, seen.in_flight), (4, 3, 4, 0));
}

#[tokio::test(start_paused = true)]
async fn a_good_answer_ends_the_call() {
    let transport = Scripted::new(|n, _| if n < 2 { broken() } else { status(200) });
    let remote = remote(options());
    assert_eq!(at(&transport, &remote).send(&Request::get(URL)).await.unwrap().status, 200);
    assert_eq!(transport.times(), [0, 1_000, 3_000]);
}

#[tokio::test(start_paused = true)]
async fn what_a_server_refuses_for_good_is_not_repeated() {
    for code in [200, 400, 401, 403, 404, 418] {
        let transport = Scripted::new(move |_, _| status(code));
        let answer = at(&transport, &remote(options())).send(&Request::get(URL)).await.unwrap();
        assert_eq!((answer.status, transport.sent()), (code, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn what_may_do_its_work_twice_is_repeated_only_where_it_was_certainly_not_sent() {
    async fn sent(request: Request, act: fn() -> Act) -> u64 {
        let transport = Scripted::new(move |_, _| act());
        let _ = at(&transport, &remote(options())).send(&request).await;
        transport.sent()
    }
    assert_eq!(sent(Request::post(URL), broken).await, 1);
    assert_eq!(sent(Request::post(URL), || status(503)).await, 1);
    assert_eq!(sent(Request::post(URL), || status(429)).await, 1);
    assert_eq!(sent(Request::post(URL), no_connection).await, 4);
    assert_eq!(sent(Request::post(URL).idempotent(), broken).await, 4);
    assert_eq!(sent(Request::get(URL), broken).await, 4);
}

#[tokio::test(start_paused = true)]
async fn a_named_wait_is_waited_for_and_others_wait_as_well() {
    let transport = Scripted::new(|n, _| match n {
        0 => answer(429, &[("retry-after", "7")], ""),
        _ => status(200),
    });
    let remote = remote(options());
    let client = at(&transport, &remote);
    let request = Request::get(URL);
    let other = async {
        sleep(Duration::from_secs(1)).await;
        client.send(&request).await.unwrap().status
    };
    let (first, other) = tokio::join!(client.send(&request), other);
    assert_eq!((first.unwrap().status, other), (200, 200));
    // The other one may go when the rest is over; the refused one comes a second later.
    assert_eq!(transport.times(), [0, 7_000, 8_000]);
    assert_eq!(remote.snapshot().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_told_at_once_and_nothing_is_sent() {
    let transport = Scripted::new(|_, _| answer(418, &[("retry-after", "7200")], ""));
    let remote = remote(options());
    let client = at(&transport, &remote);
    assert_eq!(client.send(&Request::get(URL)).await.unwrap().status, 418);
    let error = client.send(&Request::get(URL)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.wait()),
        (ErrorKind::Limited, Some(Duration::from_secs(7_200)))
    );
    assert!(error.to_string().contains("venue wants no requests for 2h"), "{error}");
    assert_eq!((transport.sent(), Instant::now().elapsed()), (1, Duration::ZERO));
    let until = remote.snapshot().blocked_until.unwrap();
    let now = finstage_model::Clock::now(&finstage_net::SystemClock);
    assert!((7_100..=7_200).contains(&until.since(now).as_secs()));
}

#[tokio::test(start_paused = true)]
async fn all_attempts_share_one_deadline() {
    let transport = Scripted::new(|_, _| status(503).after(4_800));
    let remote = remote(RemoteOptions { deadline: Duration::from_secs(10), ..options() });
    let begun = Instant::now();
    let error = at(&transport, &remote).send(&Request::get(URL)).await.unwrap_err();
    assert_eq!(transport.times(), [0, 5_800]);
    assert_eq!((error.kind(), error.phase()), (ErrorKind::Timeout, Some(Phase::Whole)), "{error}");
    assert_eq!(begun.elapsed(), Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_place_of_a_request_is_free_while_it_waits_to_be_repeated() {
    let transport = Scripted::new(|_, request| {
        if request.url().ends_with("bad") { status(503) } else { status(200).after(100) }
    });
    let remote = remote(RemoteOptions { concurrency: Concurrency::Fixed(1), ..options() });
    let client = at(&transport, &remote);
    let bad = Request::get("https://venue.test/bad");
    let calls = (0..5).map(|_| client.send(&bad)).collect::<Vec<_>>();
    let good = async {
        sleep(Duration::from_millis(500)).await;
        let begun = Instant::now();
        client.send(&Request::get(URL)).await.unwrap();
        begun.elapsed()
    };
    // Five throttled calls and one place: who held it while waiting would keep the good one out.
    let (_, took) = tokio::join!(join_all(calls), good);
    assert_eq!(took, Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn who_has_no_place_in_time_was_not_sent() {
    let transport = Scripted::new(|_, _| status(200).after(9_000));
    let remote = remote(RemoteOptions {
        concurrency: Concurrency::Fixed(1),
        deadline: Duration::from_secs(5),
        ..options()
    });
    let client = at(&transport, &remote);
    let (slow, quick) = (Request::get(URL).class(Class::Background), Request::get(URL));
    let (first, second) = tokio::join!(client.send(&slow), client.send(&quick));
    assert_eq!(first.unwrap().status, 200);
    let error = second.unwrap_err();
    assert_eq!((error.phase(), error.maybe_sent()), (Some(Phase::Turn), false));
    assert_eq!(transport.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_leaves_nothing_behind() {
    let transport = Scripted::new(|_, _| status(200).after(1_000));
    let remote = remote(RemoteOptions { concurrency: Concurrency::Fixed(2), ..options() });
    let client = at(&transport, &remote);
    for _ in 0..10 {
        let gone = timeout(Duration::from_millis(10), client.send(&Request::get(URL))).await;
        assert!(gone.is_err());
    }
    assert_eq!(remote.snapshot().in_flight, 0);
    assert_eq!(client.send(&Request::get(URL)).await.unwrap().status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_at_once_and_probes_find_the_server_back() {
    let transport = Scripted::new(|n, _| if n < 5 { status(500) } else { status(200) });
    let options =
        RemoteOptions { retry: RetryPolicy::NEVER, breaker: BreakerOptions::EXCHANGE, ..options() };
    let remote = remote(options);
    let client = at(&transport, &remote);
    let request = Request::get(URL);
    for _ in 0..5 {
        assert_eq!(client.send(&request).await.unwrap().status, 500);
    }
    let error = client.send(&request).await.unwrap_err();
    assert_eq!((error.kind(), error.wait()), (ErrorKind::Resting, Some(Duration::from_secs(60))));
    let seen = remote.snapshot();
    assert_eq!((seen.breaker, seen.opens, transport.sent()), (BreakerState::Open, 1, 5));
    sleep(Duration::from_secs(60)).await;
    assert_eq!(remote.snapshot().breaker, BreakerState::HalfOpen);
    assert_eq!(client.send(&request).await.unwrap().status, 200);
    assert_eq!(remote.snapshot().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn kinds_of_requests_have_breakers_of_their_own_and_refused_requests_open_none() {
    let transport = Scripted::new(|_, request| {
        status(match request.endpoint_name() {
            "orders" => 500,
            "bars" => 404,
            _ => 429,
        })
    });
    let terms = Terms { block: Duration::ZERO, ..Terms::PLAIN };
    let breaker = BreakerOptions { in_a_row: 3, ..BreakerOptions::STANDARD };
    let options = RemoteOptions { retry: RetryPolicy::NEVER, breaker, ..options() };
    let remote = Remote::with("venue", terms, options);
    let client = at(&transport, &remote);
    let mut open = Vec::new();
    for name in ["orders", "bars", "prices"] {
        for _ in 0..50 {
            let end = client.send(&Request::get(URL).endpoint(name)).await;
            if end.is_err_and(|error| error.kind() == ErrorKind::Resting) {
                open.push(name);
            }
        }
    }
    assert_eq!(open, ["orders"; 47]);
}

#[tokio::test(start_paused = true)]
async fn hosts_stand_in_for_each_other_and_the_one_that_answers_is_kept() {
    let transport = Scripted::new(|_, request| {
        if request.url().starts_with("https://a.test") { status(502) } else { status(200) }
    });
    let hosts = vec!["https://a.test".to_owned(), "https://b.test".to_owned()];
    let remote = remote(RemoteOptions { hosts, ..options() });
    let client = at(&transport, &remote);
    let request = Request::get("https://a.test/price").query("s", "X");
    for _ in 0..3 {
        assert_eq!(client.send(&request).await.unwrap().status, 200);
    }
    let (a, b) = ("https://a.test/price?s=X", "https://b.test/price?s=X");
    assert_eq!(transport.urls(), [a, b, b, b]);
    assert_eq!(transport.times(), [0; 4], "the next host is asked at once");
}

#[tokio::test(start_paused = true)]
async fn when_all_hosts_fail_each_is_asked_at_once_and_then_as_the_policy_waits() {
    let transport = Scripted::new(|_, _| no_connection());
    let hosts = vec!["https://a.test".to_owned(), "https://b.test".to_owned()];
    let remote = remote(RemoteOptions { hosts, ..options() });
    let error = at(&transport, &remote).send(&Request::get("https://a.test/x")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let (a, b) = ("https://a.test/x", "https://b.test/x");
    assert_eq!(transport.urls(), [a, b, a, b]);
    assert_eq!(transport.times(), [0, 0, 2_000, 6_000]);
}

/// 2 % of answers take twenty times as long.
fn slow_tail(number: u64) -> Act {
    // Scattered, and the same in both runs.
    let is_slow = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 < u64::from(u32::MAX) / 50;
    status(200).after(if is_slow { 1_000 } else { 50 })
}

async fn latencies(hedge: Option<HedgeOptions>, request: Request) -> (Vec<u128>, u64) {
    let transport = Scripted::new(|n, _| slow_tail(n));
    let remote = remote(RemoteOptions { hedge, ..options() });
    let client = at(&transport, &remote);
    let mut took = Vec::new();
    for _ in 0..5_000 {
        let begun = Instant::now();
        client.send(&request).await.unwrap();
        took.push(begun.elapsed().as_millis());
    }
    took.sort_unstable();
    assert_eq!(remote.snapshot().in_flight, 0);
    (took, transport.sent())
}

#[tokio::test(start_paused = true)]
async fn a_second_request_cuts_the_tail_within_its_share_and_only_for_reads() {
    let (plain, sent_plain) = latencies(None, Request::get(URL)).await;
    let (hedged, sent) = latencies(Some(HedgeOptions::default()), Request::get(URL)).await;
    let p99 = |took: &[u128]| took[took.len() * 99 / 100];
    let extra = sent as f64 / 5_000.0 - 1.0;
    println!(
        "p99 {} ms -> {} ms with {:.2} % more requests",
        p99(&plain),
        p99(&hedged),
        extra * 100.0
    );
    assert_eq!((p99(&plain), sent_plain), (1_000, 5_000));
    assert!(p99(&hedged) <= 400 && extra <= 0.03, "{} {extra}", p99(&hedged));
    let (_, orders) = latencies(Some(HedgeOptions::default()), Request::post(URL)).await;
    assert_eq!(orders, 5_000, "an order is never sent twice");
}

#[tokio::test(start_paused = true)]
async fn a_client_without_a_remote_sends_once() {
    let transport = Scripted::new(|_, _| status(503));
    let client = Client::over(transport.clone());
    assert_eq!(client.send(&Request::get(URL)).await.unwrap().status, 503);
    assert_eq!(transport.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_venue_says_in_its_own_way_what_an_answer_means() {
    // Too many requests as 200 with an error inside, as Kraken says it.
    let terms = Terms {
        judge: |response, now| match response.text().contains("EAPI:Rate limit") {
            true => Sign::Limited { retry_after: None },
            false => Sign::of_status(response, now),
        },
        block: Duration::from_secs(3),
        ..Terms::PLAIN
    };
    let transport = Scripted::new(|n, _| match n {
        0 => answer(200, &[], r#"{"error":["EAPI:Rate limit exceeded"]}"#),
        _ => answer(200, &[], r#"{"result":{}}"#),
    });
    let remote = Remote::with("kraken", terms, options());
    let answer = at(&transport, &remote).send(&Request::get(URL)).await.unwrap();
    assert_eq!(answer.text(), r#"{"result":{}}"#);
    assert_eq!(transport.times(), [0, 4_000], "three seconds are the least, one comes on top");
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_requests_bounds_repetitions_as_well() {
    let transport = Scripted::new(|_, _| status(503));
    let budget = BudgetOptions::Share { share: 0.1, floor: 0.0, capacity: 10.0 };
    let remote = remote(RemoteOptions { budget, ..options() });
    let client = at(&transport, &remote);
    for _ in 0..1_000 {
        client.send(&Request::get(URL)).await.unwrap();
    }
    assert!((1_100..=1_110).contains(&transport.sent()), "{}", transport.sent());
}
