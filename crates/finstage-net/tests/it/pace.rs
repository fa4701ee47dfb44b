//! What a paced rule makes of servers whose limit, or whose burst, nobody knows: how long a run takes
//! against the shortest possible, and how many requests are refused.

mod models;

use std::sync::Arc;
use std::time::Duration;

use finstage_net::{
    BreakerOptions, Class, Client, Concurrency, Remote, RemoteOptions, Request, RetryPolicy, Rule,
    Shape,
};
use futures_util::future::join_all;
use tokio::time::Instant;

use models::{Counts, Hints, Scene, Server, TERMS};

/// What came of a run.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    seconds: f64,
    refused: u64,
    disobeyed: u64,
    /// Of the requests.
    refused_share: f64,
}

const fn rule(name: &'static str, limit: u64) -> Rule {
    Rule {
        name,
        shape: Shape::Paced,
        limit,
        window: Duration::from_secs(60),
        default_cost: 1,
        counts_refused: false,
    }
}

/// Asks `requests` times, a hundred at once, until all are answered.
async fn run(scene: Scene, rules: &[Rule], requests: &[Request]) -> Outcome {
    let server = Arc::new(Server::new(scene));
    let options = RemoteOptions {
        retry: RetryPolicy::BATCH_ROWS,
        breaker: BreakerOptions::NEVER,
        concurrency: Concurrency::Fixed(100),
        background_deadline: Duration::from_secs(36_000),
        rules: Some(rules.to_vec()),
        seed: scene.seed,
        ..RemoteOptions::default()
    };
    let remote = Remote::with("models", TERMS, options);
    let client = Client::over(server.clone()).at(&remote);
    let begun = Instant::now();
    for end in join_all(requests.iter().map(|request| client.send(request))).await {
        assert_eq!(end.unwrap().status, 200);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let seen = remote.snapshot();
    let refused = server.refused();
    assert_eq!(seen.sent, requests.len() as u64 + refused);
    let refused_share = refused as f64 / requests.len() as f64;
    Outcome { seconds, refused, disobeyed: server.disobeyed(), refused_share }
}

fn rows(count: usize) -> Vec<Request> {
    let request = Request::post("https://models.test/v1/chat/completions");
    vec![request.idempotent().class(Class::Background); count]
}

const SLOW: Scene = Scene { rate: 10.0, counts: Counts::Bucket { burst: 10.0 }, ..Scene::USUAL };
const QUICK: Scene = Scene { rate: 200.0, counts: Counts::Bucket { burst: 200.0 }, ..Scene::USUAL };

const HINTS: [Hints; 3] = [Hints::None, Hints::Milliseconds, Hints::Seconds];
/// With one way that differs by as much as is usual on the internet.
const UNEVEN: (u64, u64) = (5, 80);

const fn minutes(over_seconds: u64) -> Counts {
    Counts::Fixed { over: Duration::from_secs(over_seconds) }
}

#[tokio::test(start_paused = true)]
async fn a_known_limit_is_kept_without_a_refusal_however_the_server_counts() {
    for counts in [
        Counts::Bucket { burst: 10.0 },
        Counts::Bucket { burst: 600.0 },
        minutes(0),
        minutes(41),
        Counts::Sliding,
    ] {
        for (way, count, ideal) in
            [((1, 1), 300, 29.0), (UNEVEN, 300, 29.0), (UNEVEN, 1_300, 129.0)]
        {
            let scene = Scene { counts, way, ..SLOW };
            let outcome = run(scene, &[rule("requests", 600)], &rows(count)).await;
            println!("{counts:?} {way:?} {count}: {outcome:?}");
            assert_eq!(outcome.refused, 0, "{counts:?} {way:?} {count}");
            assert!(outcome.seconds <= 1.03 * ideal, "{counts:?} {way:?} {count}: {outcome:?}");
        }
    }
    let outcome = run(QUICK, &[rule("requests", 12_000)], &rows(2_000)).await;
    println!("200 a second: {outcome:?}");
    assert_eq!(outcome.refused, 0);
    assert!(outcome.seconds <= 1.03 * 9.0, "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn what_costs_more_than_a_second_brings_waits_until_it_has_come_together() {
    // A thousand tokens a second; five thousand each.
    let requests: Vec<Request> =
        rows(20).into_iter().map(|request| request.cost("tokens", 5_000)).collect();
    let rules = [rule("requests", 600), rule("tokens", 60_000)];
    for (headers, counts) in
        [(false, Counts::Sliding), (false, minutes(0)), (true, Counts::Sliding), (true, minutes(0))]
    {
        let scene = Scene { tokens: Some(1_000.0), headers, counts, ..SLOW };
        let outcome = run(scene, &rules, &requests).await;
        println!("headers {headers}, {counts:?}: {outcome:?}");
        assert_eq!(outcome.refused, 0, "{counts:?}");
        // The first waits for its five seconds. With headers a minute's worth follows at once, and the
        // rest when that minute is over.
        let (least, most) = if headers { (63.0, 66.0) } else { (97.0, 101.0) };
        assert!((least..most).contains(&outcome.seconds), "{counts:?}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_in_headers_is_learned_from_the_first_answer_and_what_is_left_is_used() {
    for hints in HINTS {
        for (scene, count, ideal) in [(SLOW, 300, 29.0), (QUICK, 2_000, 9.0)] {
            let scene = Scene { hints, headers: true, ..scene };
            let outcome = run(scene, &[rule("requests", 0)], &rows(count)).await;
            println!("{hints:?} {count}: {outcome:?}");
            assert_eq!(outcome.refused, 0);
            assert!(outcome.seconds <= 1.03 * ideal, "{hints:?} {count}: {outcome:?}");
        }
    }
    for (counts, count, most) in [
        (Counts::Bucket { burst: 600.0 }, 300, 1.0),
        (Counts::Bucket { burst: 600.0 }, 1_800, 1.03 * 120.0),
        (Counts::Sliding, 1_200, 1.03 * 60.0),
    ] {
        let scene = Scene { counts, headers: true, ..SLOW };
        let outcome = run(scene, &[rule("requests", 0)], &rows(count)).await;
        println!("{counts:?} {count}: {outcome:?}");
        assert_eq!(outcome.refused, 0);
        assert!(outcome.seconds <= most, "{counts:?} {count}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_which_nobody_says_anything_is_found_with_few_refusals() {
    let work = Duration::from_secs(2);
    let fifty = Scene { work, rate: 50.0, counts: Counts::Bucket { burst: 50.0 }, ..QUICK };
    for (what, scene, count, ideal) in [
        ("10 a second", SLOW, 300, 29.0),
        ("200 a second", QUICK, 2_000, 9.0),
        ("10 a second, answers of 2 s", Scene { work, ..SLOW }, 300, 31.0),
        ("50 a second, answers of 2 s", fifty, 2_000, 41.0),
    ] {
        for hints in HINTS {
            let outcome = run(Scene { hints, ..scene }, &[rule("requests", 0)], &rows(count)).await;
            println!("{what}, {hints:?}: {outcome:?}");
            assert!(outcome.seconds <= 1.05 * ideal, "{what}, {hints:?}: {outcome:?}");
            assert!(outcome.refused_share < 0.02, "{what}, {hints:?}: {outcome:?}");
            assert_eq!(outcome.disobeyed, 0, "{what}, {hints:?}: who asks for rest gets it");
        }
    }
}

/// Here the guess that a bucket holds a second's worth is wrong, in both directions and in kind. With
/// uneven ways a refusal comes as late as an answer, so that many are out before one is known.
#[tokio::test(start_paused = true)]
async fn a_server_that_is_nothing_like_the_guess_is_used_well_all_the_same() {
    let minute = Counts::Bucket { burst: 600.0 };
    let strict = Scene { counts: Counts::Bucket { burst: 20.0 }, ..QUICK };
    for (what, scene, count, ideal, (most, refused)) in [
        ("a minute's worth at once", Scene { counts: minute, ..SLOW }, 1_800, 120.0, (1.03, 0.04)),
        ("a tenth of a second's worth", strict, 4_000, 19.9, (2.0, 0.01)),
        ("fixed minutes", Scene { counts: minutes(17), ..SLOW }, 1_800, 103.0, (1.2, 0.07)),
        ("sliding minutes", Scene { counts: Counts::Sliding, ..SLOW }, 1_800, 120.0, (1.2, 0.07)),
        ("uneven ways", Scene { way: UNEVEN, ..QUICK }, 2_000, 9.0, (1.1, 0.05)),
    ] {
        for hints in HINTS {
            let outcome = run(Scene { hints, ..scene }, &[rule("requests", 0)], &rows(count)).await;
            println!("{what}, {hints:?}: {outcome:?}");
            assert!(outcome.seconds <= most * ideal, "{what}, {hints:?}: {outcome:?}");
            assert!(outcome.refused_share < refused, "{what}, {hints:?}: {outcome:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_limited_the_pace_does_not_slow() {
    let scene = Scene { counts: Counts::Nothing, ..Scene::USUAL };
    let outcome = run(scene, &[rule("requests", 0)], &rows(2_000)).await;
    println!("{outcome:?}");
    // A hundred at once, 20 ms each: 0.4 s.
    assert!(outcome.seconds <= 0.45, "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_halved_is_followed() {
    let scene = Scene { change: Some((Duration::from_secs(5), 0.5)), ..QUICK };
    for (limit, headers) in [(12_000, false), (0, false), (12_000, true), (0, true)] {
        for hints in HINTS {
            let scene = Scene { hints, headers, ..scene };
            let outcome = run(scene, &[rule("requests", limit)], &rows(2_000)).await;
            println!("limit {limit}, headers {headers}, {hints:?}: {outcome:?}");
            // 1,200 in 5 s and 800 at half the rate.
            assert!(outcome.seconds <= 1.05 * 13.0, "{limit} {headers} {hints:?}: {outcome:?}");
            assert!(outcome.refused_share < 0.02, "{limit} {headers} {hints:?}: {outcome:?}");
            assert!(!headers || outcome.refused == 0, "the headers said so");
        }
    }
}
