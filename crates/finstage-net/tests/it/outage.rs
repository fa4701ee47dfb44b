//! A whole server is gone for a while: how much is sent in vain, and how soon all is well again.

use std::sync::Arc;
use std::time::Duration;

use finstage_net::{
    BreakerOptions, Client, Concurrency, Remote, RemoteOptions, Request, RetryPolicy, Terms,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::scripted::{Scripted, broken, status};

const CALLS_A_SECOND: u64 = 200;
const UP_UNTIL: u64 = 10;
const DOWN_UNTIL: u64 = 70;
const END: u64 = 90;

struct Seen {
    calls_in_outage: u64,
    sent_in_outage: u64,
    /// From the server's return to the first second in which 95 of 100 calls are answered.
    recovery: Duration,
}

/// Calls come at a steady rate, whatever becomes of those before.
async fn outage(breaker: BreakerOptions, retry: RetryPolicy) -> Seen {
    let begun = Instant::now();
    let transport = Scripted::new(move |_, _| {
        let now = begun.elapsed().as_secs();
        if (UP_UNTIL..DOWN_UNTIL).contains(&now) {
            broken().after(20)
        } else {
            status(200).after(20)
        }
    });
    let remote = Remote::with(
        "venue",
        Terms::PLAIN,
        RemoteOptions {
            breaker,
            retry,
            concurrency: Concurrency::Fixed(1_000),
            seed: 7,
            ..RemoteOptions::default()
        },
    );
    let client = Arc::new(Client::over(transport.clone()).at(&remote));
    let mut calls = JoinSet::new();
    for number in 0..END * CALLS_A_SECOND {
        sleep(Duration::from_millis(1_000 / CALLS_A_SECOND)).await;
        let client = Arc::clone(&client);
        calls.spawn(async move {
            let good = client.send(&Request::get("https://venue.test/")).await;
            (number, good.is_ok_and(|answer| answer.is_success()), begun.elapsed())
        });
    }
    let mut good = vec![false; (END * CALLS_A_SECOND) as usize];
    while let Some(call) = calls.join_next().await {
        let (number, is_good, at) = call.unwrap();
        // A call that came before the end of the outage and was repeated into the time after it is
        // good too, but must not make the recovery look faster than it was.
        let came = Duration::from_millis((number + 1) * 1_000 / CALLS_A_SECOND);
        good[number as usize] = is_good && at - came < Duration::from_secs(1);
    }
    let first = (DOWN_UNTIL * CALLS_A_SECOND) as usize;
    // A whole second of calls, the first of which came at this moment.
    let recovered = good[first..]
        .windows(CALLS_A_SECOND as usize)
        .position(|second| second.iter().filter(|good| **good).count() * 100 >= 95 * second.len())
        .expect("it recovers");
    let outage = u128::from(UP_UNTIL) * 1_000..u128::from(DOWN_UNTIL) * 1_000;
    Seen {
        calls_in_outage: (DOWN_UNTIL - UP_UNTIL) * CALLS_A_SECOND,
        sent_in_outage: transport.times().iter().filter(|at| outage.contains(at)).count() as u64,
        recovery: Duration::from_millis(recovered as u64 * 1_000 / CALLS_A_SECOND),
    }
}

#[expect(clippy::print_stdout, reason = "the figures are what the test is run for")]
fn show(name: &str, seen: &Seen) -> f64 {
    let factor = seen.sent_in_outage as f64 / seen.calls_in_outage as f64;
    println!(
        "{name}: {} calls, {} sent, factor {factor:.4}; recovered after {:?}",
        seen.calls_in_outage, seen.sent_in_outage, seen.recovery
    );
    factor
}

#[tokio::test(start_paused = true)]
async fn without_a_breaker_the_budget_alone_keeps_repetitions_below_a_tenth() {
    let seen = outage(BreakerOptions::NEVER, RetryPolicy::STANDARD).await;
    let factor = show("budget alone", &seen);
    assert!((1.0..=1.10).contains(&factor), "{factor}");
    assert!(seen.recovery <= Duration::from_secs(2), "{:?}", seen.recovery);
}

#[tokio::test(start_paused = true)]
async fn with_the_breaker_hardly_anything_is_sent_in_vain_and_recovery_takes_two_seconds() {
    let seen = outage(BreakerOptions::STANDARD, RetryPolicy::STANDARD).await;
    let factor = show("with the breaker", &seen);
    assert!(factor <= 0.05, "{factor}");
    assert!(seen.recovery <= Duration::from_secs(2), "{:?}", seen.recovery);
}

#[tokio::test(start_paused = true)]
async fn many_repetitions_are_bounded_as_well() {
    let greedy = RetryPolicy { retries: 10, ..RetryPolicy::QUICK };
    let factor = show("ten repetitions", &outage(BreakerOptions::NEVER, greedy).await);
    assert!((1.0..=1.10).contains(&factor), "{factor}");
}
