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
    sent: u64,
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
    Outcome { seconds, refused: server.refused(), sent: remote.snapshot().sent }
}

fn rows(count: usize) -> Vec<Request> {
    let request = Request::post("https://models.test/v1/chat/completions");
    vec![request.idempotent().class(Class::Background); count]
}

const SLOW: Scene = Scene { rate: 10.0, counts: Counts::Bucket { burst: 10.0 }, ..Scene::USUAL };
const QUICK: Scene = Scene { rate: 200.0, counts: Counts::Bucket { burst: 200.0 }, ..Scene::USUAL };

#[tokio::test(start_paused = true)]
async fn explore() {
    let work = Duration::from_millis(2_000);
    let minute = Counts::Bucket { burst: 600.0 };
    for (name, scene, count, ideal, limit) in [
        ("slow", SLOW, 300, 29.0, 600),
        ("quick", QUICK, 2_000, 9.0, 12_000),
        ("slow, d = l", Scene { way: (10, 10), work: Duration::ZERO, ..SLOW }, 300, 29.0, 600),
        (
            "quick, d = l",
            Scene { way: (10, 10), work: Duration::ZERO, ..QUICK },
            2_000,
            9.0,
            12_000,
        ),
        ("slow, long", Scene { work, ..SLOW }, 300, 31.0, 600),
        (
            "quick, 50 a second, long",
            Scene { work, rate: 50.0, counts: Counts::Bucket { burst: 50.0 }, ..QUICK },
            2_000,
            41.0,
            3_000,
        ),
        ("quick, jitter", Scene { way: (5, 80), ..QUICK }, 2_000, 9.0, 12_000),
        ("slow, jitter", Scene { way: (5, 80), ..SLOW }, 300, 29.0, 600),
        ("slow, minute bucket", Scene { counts: minute, ..SLOW }, 1_800, 120.0, 600),
        (
            "slow, fixed minutes",
            Scene { counts: Counts::Fixed { over: Duration::from_secs(17) }, ..SLOW },
            1_800,
            180.0 - 17.,
            600,
        ),
        ("slow, sliding minutes", Scene { counts: Counts::Sliding, ..SLOW }, 1_800, 120.0, 600),
        (
            "quick, small burst",
            Scene { counts: Counts::Bucket { burst: 20.0 }, ..QUICK },
            4_000,
            19.9,
            12_000,
        ),
        (
            "quick halved",
            Scene { change: Some((Duration::from_secs(5), 0.5)), ..QUICK },
            2_000,
            13.,
            12_000,
        ),
    ] {
        for hints in [Hints::None, Hints::Milliseconds, Hints::Seconds] {
            for (what, headers, limit) in
                [("known", false, limit), ("headers", true, 0), ("nothing", false, 0)]
            {
                let scene = Scene { hints, headers, ..scene };
                let out = run(scene, &[rule("requests", limit)], &rows(count)).await;
                println!(
                    "{hints:?} {name} {what}: {out:?} {:.3} {:.2} %",
                    out.seconds / ideal,
                    out.refused as f64 / count as f64 * 100.
                );
            }
        }
    }
    let none = Scene { counts: Counts::Nothing, ..Scene::USUAL };
    let out = run(none, &[rule("requests", 0)], &rows(2_000)).await;
    println!("no limit: {out:?}");
}
