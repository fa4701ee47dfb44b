use std::path::Path;
use std::time::Duration;

use finstage_lab::rng::Rng;
use finstage_lab::sim::openai::{Dialect, Hints, Latency, Limits, Manners};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{KEY, Reply, Server, Wish, changed, question};

async fn limited(limits: Limits) -> Server {
    let manners = Manners { limits, ..Manners::default() };
    Server::start(Wish { manners, ..Wish::default() }).await
}

/// A question of exactly so many reserved tokens: 8 of the message and the answer's beginning, the rest
/// for the answer.
fn costs(tokens: u64) -> Value {
    changed(question("four"), &json!({"max_tokens": tokens - 8}))
}

#[tokio::test]
async fn limits_let_in_exactly_what_a_count_by_hand_lets_in() {
    let burst = Duration::from_secs(5);
    let limits = Limits { rpm: Some(60), tpm: Some(1_200), burst, ..Limits::default() };
    let server = limited(limits).await;
    // Who was let in: when, and how many tokens. Both buckets are emptied once a second, by 1 and by 20.
    let mut entered: Vec<(u64, u64)> = Vec::new();
    let level = |entered: &[(u64, u64)], now: u64, cost: &dyn Fn(u64) -> u64, per_second: u64| {
        let (mut level, mut at) = (0, 0);
        for (when, tokens) in entered {
            level = u64::saturating_sub(level, (when - at) * per_second) + cost(*tokens);
            at = *when;
        }
        u64::saturating_sub(level, (now - at) * per_second)
    };
    let (mut rng, mut now, mut refused) = (Rng::new(3), 0, [0, 0]);
    for i in 0..120 {
        // First many small ones, then few large ones.
        let is_small = i < 60;
        let pause = rng.below(if is_small { 2 } else { 3 });
        now += pause;
        server.clock.advance(Duration::from_secs(pause));
        let tokens = if is_small { 9 + rng.below(10) } else { 20 + rng.below(80) };
        let requests_fit = level(&entered, now, &|_| 1, 1) < 5;
        let tokens_fit = level(&entered, now, &|tokens| tokens, 20) + tokens <= 1_200;
        let reply = server.chat(&costs(tokens)).await;
        if requests_fit && tokens_fit {
            assert_eq!(reply.status, 200);
            entered.push((now, tokens));
        } else {
            let kind = if requests_fit { "tokens" } else { "requests" };
            assert_eq!(reply.error(), (429, json!(kind), json!("rate_limit_exceeded")));
            refused[usize::from(requests_fit)] += 1;
        }
        let left = 1_200 - level(&entered, now, &|tokens| tokens, 20);
        assert_eq!(reply.header("x-ratelimit-remaining-tokens"), Some(left.to_string().as_str()));
    }
    assert!(refused[0] > 5 && refused[1] > 5, "both limits were met: {refused:?}");
}

#[tokio::test]
async fn a_refusal_says_when_to_come_and_who_comes_then_is_let_in() {
    let limits = Limits { rpm: Some(30), burst: Duration::ZERO, ..Limits::default() };
    for (hints, waits, hint) in [
        (Hints::Milliseconds, 1_600, (Some("2"), Some("1600"))),
        (Hints::Seconds, 2_000, (Some("2"), None)),
        (Hints::None, 1_600, (None, None)),
    ] {
        let manners = Manners { limits, hints, ..Manners::default() };
        let server = Server::start(Wish { manners, ..Wish::default() }).await;
        let first = server.chat(&question("hi")).await;
        assert_eq!(
            first.header("x-ratelimit-limit-requests").is_some(),
            hints == Hints::Milliseconds
        );
        server.clock.advance(Duration::from_millis(400));
        let refused = server.chat(&question("hi")).await;
        assert_eq!(refused.status, 429);
        assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), hint);
        let words = refused.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(words.contains("Please try again in 1.6s."), "{words}");
        if hints == Hints::Milliseconds {
            assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
            assert_eq!(refused.header("x-ratelimit-reset-requests"), Some("1.6s"));
        }
        server.clock.advance(Duration::from_millis(waits));
        assert_eq!(server.chat(&question("hi")).await.status, 200);
    }
}

#[tokio::test]
async fn a_gateway_says_the_same_in_its_own_words() {
    let limits = Limits { rpm: Some(60), burst: Duration::ZERO, ..Limits::default() };
    let manners = Manners { limits, dialect: Dialect::Gateway, ..Manners::default() };
    let server = Server::start(Wish { manners, ..Wish::default() }).await;
    let answer = server.chat(&question("hi")).await;
    let usage = answer.json()["usage"].clone();
    let of = |name: &str| usage[name].as_f64().unwrap();
    let usd = of("prompt_tokens") * 0.15e-6 + of("completion_tokens") * 0.6e-6;
    let cost: f64 = answer.header("x-litellm-response-cost").unwrap().parse().unwrap();
    assert!((cost - usd).abs() < 1e-9);
    assert!(answer.header("x-request-id").is_none());
    assert!(answer.header("llm_provider-x-request-id").is_some());
    let refused = server.chat(&question("hi")).await;
    assert_eq!(refused.error(), (429, Value::Null, json!("429")));
    let words = refused.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(
        words.starts_with("litellm.RateLimitError: RateLimitError: OpenAIException - Rate limit")
    );
    assert_eq!(refused.header("llm_provider-retry-after"), refused.header("retry-after"));
}

#[tokio::test]
async fn keys_and_models_have_limits_of_their_own() {
    let limits = Limits { rpm: Some(60), burst: Duration::ZERO, ..Limits::default() };
    let server = limited(limits).await;
    assert_eq!(server.chat(&question("hi")).await.status, 200);
    assert_eq!(server.chat(&question("hi")).await.status, 429);
    let other = changed(question("hi"), &json!({"model": "gpt-4o"}));
    assert_eq!(server.chat(&other).await.status, 200);
    // The dated name is the same model.
    let dated = changed(question("hi"), &json!({"model": "gpt-4o-mini-2024-07-18"}));
    assert_eq!(server.chat(&dated).await.status, 429);
    let head = "POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer sk-other\r\n";
    let body = question("hi").to_string();
    let base = server.sim.rest_url();
    let reply = super::exchange(&base, (head, "application/json"), body.as_bytes()).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn who_has_spent_the_cap_has_no_quota_and_others_have() {
    // Two answers of a million nano-dollars are beyond one and a half.
    let limits = Limits { cap_nano_usd: Some(1_500_000), ..Limits::none() };
    let server = limited(limits).await;
    let long = "word ".repeat(5_330);
    let ask = changed(question(&long), &json!({"max_tokens": 1}));
    assert_eq!(server.chat(&ask).await.status, 200);
    assert_eq!(server.chat(&ask).await.status, 200);
    let refused = server.chat(&ask).await;
    assert_eq!(refused.error(), (429, json!("insufficient_quota"), json!("insufficient_quota")));
    assert_eq!(refused.header("retry-after"), None);
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let usage = server.get("/v1/usage").await.json();
    assert_eq!(usage["hard_limit_usd"], 0.001_5);
    assert!(usage["total_usage_usd"].as_f64().unwrap() >= 0.001_5);
}

/// Asks until an answer is as wanted; others have their turn in between.
async fn until(what: &str, ask: impl AsyncFn() -> bool) {
    for _ in 0..10_000 {
        if ask().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{what}: never");
}

#[tokio::test]
async fn a_place_among_those_that_run_is_given_back_when_the_client_leaves() {
    let limits = Limits { concurrency: Some(1), ..Limits::default() };
    let faults = "[[faults]]\nkind = \"openai_hang\"\nat = \"0s\"\nfor = \"10s\"";
    for stream in [false, true] {
        let manners = Manners { limits, ..Manners::default() };
        let server = Server::start(Wish { manners, faults, ..Wish::default() }).await;
        let mut hanging = TcpStream::connect(server.address()).await.unwrap();
        let body = changed(question("hi"), &json!({"stream": stream})).to_string();
        let head = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        hanging.write_all(head.as_bytes()).await.unwrap();
        let requests = async || server.get("/v1/usage").await.json()["requests"] == 1;
        until("the first is let in", requests).await;
        if stream {
            let mut begun = [0; 512];
            assert!(hanging.read(&mut begun).await.unwrap() > 0, "its first half came");
        }
        let refused = server.chat(&question("hi")).await;
        assert_eq!(refused.error().1, "concurrency");
        assert_eq!(refused.header("retry-after"), None, "nobody knows when");
        server.clock.advance(Duration::from_secs(10));
        drop(hanging);
        until("its place is free", async || server.chat(&question("hi")).await.status == 200).await;
    }
}

#[tokio::test(start_paused = true)]
async fn answers_take_their_time_by_the_clock_of_the_venue() {
    let latency = Latency::Fixed(Duration::from_millis(400));
    let token_time = Duration::from_millis(50);
    let manners = Manners { latency, token_time, ..Manners::default() };
    let server = Server::start(Wish { manners, ..Wish::default() }).await;
    let began = tokio::time::Instant::now();
    let reply = server.chat(&question("sentiment of a gain")).await;
    assert_eq!(reply.header("openai-processing-ms"), Some("400"));
    let took = began.elapsed().as_millis();
    assert!((400..430).contains(&took), "{took}");
    // The beginning, "positive 0.50" in four pieces, the end and [DONE].
    let began = tokio::time::Instant::now();
    let ask = changed(question("sentiment of a gain"), &json!({"stream": true}));
    let reply = server.chat(&ask).await;
    assert!(reply.text().trim_end().ends_with("[DONE]"));
    let took = began.elapsed().as_millis();
    assert!((750..800).contains(&took), "{took}");
}

#[tokio::test]
async fn the_ledger_has_a_line_for_each_request_and_no_key() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join("openai-ledger.ndjson");
    let _ = std::fs::remove_file(&file);
    let limits = Limits { rpm: Some(60), burst: Duration::ZERO, ..Limits::default() };
    let manners = Manners { limits, ..Manners::default() };
    let server = Server::start(Wish { manners, ledger: Some(&file), ..Wish::default() }).await;
    let replies: [Reply; 4] = [
        server.chat(&costs(100)).await,
        server.chat(&costs(100)).await,
        server.get("/v1/models").await,
        server.get("/nothing?key=sk-secret").await,
    ];
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told = lines
        .iter()
        .map(|line| (line["path"].as_str(), line["weight"].as_u64(), line["outcome"].as_str()));
    let expected = [
        ("/v1/chat/completions", 100, "ok"),
        ("/v1/chat/completions", 100, "refused"),
        ("/v1/models", 0, "ok"),
        ("/v1/nothing", 0, "error"),
    ];
    let expected = expected.map(|(path, weight, how)| (Some(path), Some(weight), Some(how)));
    assert_eq!(told.collect::<Vec<_>>(), expected);
    for (line, reply) in lines.iter().zip(&replies) {
        assert_eq!((&line["venue"], &line["status"]), (&json!("openai"), &json!(reply.status)));
        assert_eq!(line["who"].as_str().unwrap().len(), 8);
    }
    assert!(!text.contains("sk-"), "{text}");
}
