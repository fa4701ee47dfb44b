use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::testing::{
    Act, Server, done, draw, endpoint, error, names, rows, run_all, run_at, says, settled,
};
use crate::{AskOptions, Budget, EndpointOptions, Money, Prices, Sharing};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn refusal(wait_ms: u64) -> Act {
    let Act::Answer(status, _, body) = error(429, "rate_limit_exceeded") else { unreachable!() };
    Act::Answer(status, vec![("retry-after-ms", wait_ms.to_string())], body)
}

fn texts(left: &[Left]) -> BTreeSet<String> {
    let ends = done(left).into_iter().map(|done| match &done.end {
        End::Answered(reply) => reply.body["choices"][0]["message"]["content"].to_string(),
        End::Failed(error) => error.code.clone(),
    });
    ends.collect()
}

#[tokio::test(start_paused = true)]
async fn a_thousand_rows_of_two_seconds_at_a_hundred_take_twenty_seconds() {
    let server = Server::new(|_, _| (ms(2_000), says("yes")));
    let (left, summary) = run_at(&server, rows(1_000, "m"), AskOptions::default()).await;
    assert_eq!((summary.done, summary.failed, summary.not_done), (1_000, 0, 0));
    assert_eq!(names(&left).len(), 1_000);
    assert_eq!(server.most_out(), 100);
    // The pace feels its way for a second, since nobody said what the limit is.
    assert!((20.0..21.2).contains(&summary.elapsed_s), "{}", summary.elapsed_s);
    let model = &summary.models["m"];
    assert_eq!((model.attempts, model.usage.prompt), (1_000, 10_000));
    assert!((2_000.0..2_126.0).contains(&model.p95_ms), "{model:?}");
}

#[expect(clippy::disallowed_methods, reason = "FINSTAGE_LONG asks for the long form")]
fn is_long() -> bool {
    std::env::var_os("FINSTAGE_LONG").is_some()
}

#[tokio::test(start_paused = true)]
async fn every_row_ends_once_whatever_goes_wrong() {
    for seed in 0..if is_long() { 60 } else { 2 } {
        let server = Server::new(move |number, _| {
            let act = match draw(seed, number) % 48 {
                0 | 1 => refusal(300),
                2 => error(429, "rate_limit_exceeded"),
                3 => error(500, "server_error"),
                4 => error(503, "overloaded"),
                5 => Act::Hang,
                6 => Act::Reset,
                7 => Act::Answer(200, Vec::new(), "{\"choices\":[".to_owned()),
                8 => Act::Answer(200, Vec::new(), "<html>busy</html>".to_owned()),
                9 => Act::Answer(200, Vec::new(), "{\"choices\":[]}".to_owned()),
                10 => Act::Answer(200, Vec::new(), "{\"choices\":,}".to_owned()),
                11 => error(400, "invalid_value"),
                _ => says("yes"),
            };
            (ms(20 + draw(seed, number) % 100), act)
        });
        let all = rows(600, "m");
        let (left, summary) = run_at(&server, all.clone(), AskOptions::default()).await;
        let left_names = names(&left);
        assert_eq!(left_names.len(), 600, "seed {seed}: each row leaves once");
        assert_eq!(left_names.iter().collect::<BTreeSet<_>>().len(), 600, "seed {seed}");
        assert_eq!(summary.done + summary.failed, 600, "seed {seed}: {summary:?}");
        assert_eq!(summary.stopped, None);
        let failed: BTreeSet<String> = done(&left)
            .into_iter()
            .filter_map(|done| match &done.end {
                End::Failed(error) => Some(error.code.clone()),
                End::Answered(_) => None,
            })
            .collect();
        // What no repetition mends, and nothing else.
        let expected = ["invalid_value", "unreadable"].map(str::to_owned);
        assert_eq!(failed, expected.into_iter().collect(), "seed {seed}");
        assert!(summary.refused_429 > 0 && summary.retries > summary.refused_429);
    }
}

#[tokio::test(start_paused = true)]
async fn rows_survive_an_outage_of_a_minute() {
    let begun = Instant::now();
    let server = Server::new(move |number, _| match begun.elapsed().as_secs() {
        5..65 if number % 2 == 0 => (ms(1), Act::Refused),
        5..65 => (ms(10), error(503, "overloaded")),
        _ => (ms(1_000), says("yes")),
    });
    let (_, summary) = run_at(&server, rows(2_000, "m"), AskOptions::default()).await;
    assert_eq!((summary.done, summary.failed), (2_000, 0), "{summary:?}");
    assert!((80.0..95.0).contains(&summary.elapsed_s), "{}", summary.elapsed_s);
    assert!(summary.retries < 3_000, "it is not hammered while it is down: {summary:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_refused_stops_the_run_and_what_was_answered_stays() {
    for (status, code) in [(401, "invalid_api_key"), (403, "denied"), (429, "insufficient_quota")] {
        let server = Server::new(move |number, _| match number {
            0..150 => (ms(100), says("yes")),
            _ => (ms(100), error(status, code)),
        });
        let (left, summary) = run_at(&server, rows(1_000, "m"), AskOptions::default()).await;
        assert_eq!((summary.done, summary.failed), (150, 0), "{code}: {summary:?}");
        assert_eq!(names(&left).len() as u64, summary.done + summary.not_done);
        let stopped = summary.stopped.unwrap();
        assert_eq!(stopped.why, Why::Denied);
        assert!(stopped.message.contains(code), "{stopped:?}");
        // Those that were out with the first that was refused, and none after.
        assert!((151..=250).contains(&server.sent()), "{code}: {}", server.sent());
    }
}

#[tokio::test(start_paused = true)]
async fn where_nothing_answers_the_run_ends_soon() {
    let server = Server::new(|_, _| (ms(1), Act::Refused));
    let (left, summary) = run_at(&server, rows(500, "m"), AskOptions::default()).await;
    assert_eq!((summary.done, summary.failed), (0, 0));
    assert_eq!(summary.not_done as usize, names(&left).len());
    assert_eq!(summary.stopped.unwrap().why, Why::Unreachable);
    assert!(summary.elapsed_s < 20.0, "{}", summary.elapsed_s);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_cancelled_lets_come_back_what_is_out() {
    let server = Server::new(|_, _| (ms(2_000), says("yes")));
    let asker = Arc::new(Asker::new(endpoint(&server, settled()), AskOptions::default()).unwrap());
    let (cancel, cancelled) = watch::channel(false);
    let options = RunOptions { concurrency: 50, cancel: cancelled };
    let later = async {
        tokio::time::sleep(ms(3_000)).await;
        cancel.send_replace(true);
    };
    let (_, (left, summary)) = tokio::join!(later, run_all(&asker, rows(1_000, "m"), options));
    assert_eq!((summary.done, summary.failed), (100, 0));
    assert!((4.0..5.0).contains(&summary.elapsed_s), "{}", summary.elapsed_s);
    assert_eq!(server.sent(), 100, "nothing is sent any more");
    assert_eq!(summary.stopped.unwrap().why, Why::Cancelled);
    assert_eq!(summary.not_done as usize + 100, names(&left).len());
}

#[tokio::test(start_paused = true)]
async fn rows_that_wait_to_be_repeated_are_given_back_when_all_is_stopped() {
    let server = Server::new(|_, _| (ms(10), refusal(600_000)));
    let asker = Arc::new(Asker::new(endpoint(&server, settled()), AskOptions::default()).unwrap());
    let (cancel, cancelled) = watch::channel(false);
    let options = RunOptions { concurrency: 5, cancel: cancelled };
    let later = async {
        tokio::time::sleep(ms(30_000)).await;
        cancel.send_replace(true);
    };
    let (_, (left, summary)) = tokio::join!(later, run_all(&asker, rows(20, "m"), options));
    assert_eq!((summary.done, summary.failed), (0, 0));
    assert_eq!(summary.elapsed_s, 30.0, "it does not wait for what was asked");
    assert!(left.iter().all(|left| matches!(left, Left::NotDone(_))));
}

#[tokio::test(start_paused = true)]
async fn where_nobody_takes_results_the_run_is_cancelled() {
    let server = Server::new(|_, _| (ms(100), says("yes")));
    let asker = Arc::new(Asker::new(endpoint(&server, settled()), AskOptions::default()).unwrap());
    let (to_run, taken) = mpsc::channel(1_000);
    for row in rows(500, "m") {
        to_run.send(row).await.unwrap();
    }
    let (given, mut leaving) = mpsc::channel(4);
    let take_some = async move {
        for _ in 0..70 {
            leaving.recv().await.unwrap();
        }
    };
    let (summary, ()) = tokio::join!(run(asker, taken, given, RunOptions::default()), take_some);
    assert_eq!(summary.stopped.unwrap().why, Why::Cancelled);
    assert!(to_run.is_closed() && server.sent() < 300, "{}", server.sent());
    assert_eq!(summary.done + summary.not_done, 500);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_panics_fails_and_the_others_go_on() {
    let server = Server::new(|_, body| {
        let asked = body["messages"][0]["content"].as_str().unwrap();
        assert!(asked != "question 3", "as it must");
        (ms(10), says("yes"))
    });
    let (left, summary) = run_at(&server, rows(10, "m"), AskOptions::default()).await;
    assert_eq!((summary.done, summary.failed), (9, 1));
    assert_eq!(texts(&left), ["\"yes\"", "panic"].map(str::to_owned).into());
}

#[tokio::test(start_paused = true)]
async fn the_same_question_is_sent_once_unless_chance_is_asked_for() {
    let same = |temperature: Value| {
        let mut all = rows(100, "m");
        for row in &mut all {
            row.body.insert("messages".to_owned(), json!([{"role": "user", "content": "same"}]));
            row.body.insert("temperature".to_owned(), temperature.clone());
        }
        all
    };
    for (temperature, sharing, sent) in [
        (json!(0), Sharing::Settled, 1),
        (Value::Null, Sharing::Settled, 1),
        (json!(0.7), Sharing::Settled, 100),
        (json!(0.7), Sharing::Always, 1),
        (json!(0), Sharing::Never, 100),
    ] {
        let server = Server::new(|_, _| (ms(500), says("yes")));
        let options = AskOptions { sharing, ..AskOptions::default() };
        let (left, summary) = run_at(&server, same(temperature.clone()), options).await;
        assert_eq!((summary.done, server.sent()), (100, sent), "{temperature} {sharing:?}");
        assert_eq!(summary.cached, 100 - sent);
        let cached = done(&left).iter().filter(|done| done.is_cached).count() as u64;
        assert_eq!(cached, summary.cached);
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_failed_for_one_row_is_asked_for_the_others() {
    let server = Server::new(|number, _| match number {
        0 => (ms(100), error(400, "bad_luck")),
        _ => (ms(100), says("yes")),
    });
    let mut all = rows(10, "m");
    all.iter_mut().for_each(|row| {
        row.body.insert("messages".to_owned(), json!([{"role": "user", "content": "same"}]));
    });
    let (_, summary) = run_at(&server, all, AskOptions::default()).await;
    assert_eq!((summary.done, summary.failed), (9, 1));
}

/// A budget of so many tokens, at a price of one millionth of a millionth of a dollar each.
fn capped(cap: u64) -> (Budget, AskOptions) {
    let table = "[[models]]\nname = 'm'\ninput = 0.000001\noutput = 0.000001";
    let budget = Budget::new(Money::from_pico(cap));
    let options = AskOptions {
        prices: Some(Arc::new(Prices::parse(table, "test").unwrap())),
        budget: Some(budget.clone()),
        ..AskOptions::default()
    };
    (budget, options)
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_never_passed_and_ends_the_run_when_it_is_spent() {
    let server = Server::new(|number, _| match number % 7 {
        0 => (ms(100), error(503, "overloaded")),
        _ => (ms(100), says("yes")),
    });
    let (budget, options) = capped(1_000);
    let (left, summary) = run_at(&server, rows(1_000, "m"), options).await;
    assert_eq!(summary.stopped.unwrap().why, Why::Budget);
    // Answers cost 15 each; the most of a question is over a hundred.
    assert!((50..=66).contains(&summary.done), "{}", summary.done);
    assert_eq!(summary.cost.pico(), summary.done * 15);
    assert_eq!((budget.spent(), budget.held()), (summary.cost, Money::ZERO), "all else came back");
    assert_eq!((summary.failed, names(&left).len() as u64), (0, summary.done + summary.not_done));
}

#[tokio::test(start_paused = true)]
async fn what_was_lost_on_the_way_is_spent_and_what_was_refused_is_not() {
    let server = Server::new(|number, _| match number {
        0..6 => (ms(10), Act::Reset),
        6 => (ms(10), error(400, "invalid_value")),
        _ => (ms(10), says("yes")),
    });
    let endpoint = endpoint(&server, settled());
    let (budget, options) = capped(10_000);
    let asker = Arc::new(Asker::new(endpoint, options).unwrap());
    let one = || RunOptions { concurrency: 1, ..RunOptions::default() };
    // A first row, so that the server is known to be there.
    let (_, lost) = run_all(&asker, rows(1, "m"), one()).await;
    assert_eq!(lost.stopped.unwrap().why, Why::Unreachable);
    assert_eq!(budget.left().pico(), 10_000);
    let (left, refused) = run_all(&asker, rows(1, "m"), one()).await;
    assert_eq!((refused.failed, refused.cost), (1, Money::ZERO));
    assert_eq!(done(&left)[0].attempts.len(), 1);
    assert_eq!(budget.left().pico(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_one_that_was_lost_is_charged_as_its_most() {
    let server = Server::new(|number, _| match number {
        1 => (ms(10), Act::Reset),
        _ => (ms(10), says("yes")),
    });
    let asker = |options| Arc::new(Asker::new(endpoint(&server, settled()), options).unwrap());
    let (budget, options) = capped(10_000);
    let one = RunOptions { concurrency: 1, ..RunOptions::default() };
    let (_, summary) = run_all(&asker(options), rows(2, "m"), one).await;
    assert_eq!((summary.done, server.sent()), (2, 3));
    assert_eq!(summary.cost.pico(), 30, "two answers");
    // The lost one may have been answered too.
    assert!(budget.spent().pico() > 100 && budget.held() == Money::ZERO, "{budget:?}");
}

#[tokio::test(start_paused = true)]
async fn a_model_without_a_price_is_not_asked_within_a_budget() {
    let server = Server::new(|_, _| (ms(10), says("yes")));
    let (_, options) = capped(1_000);
    let (left, summary) = run_at(&server, rows(3, "free"), options).await;
    assert_eq!((summary.failed, server.sent()), (3, 0));
    assert_eq!(texts(&left), ["unknown_price".to_owned()].into());
    let wrong = AskOptions { prices: None, ..capped(1).1 };
    assert!(Asker::new(endpoint(&server, EndpointOptions::default()), wrong).is_err());
}

/// A server that lets so many requests through a second, and as many at once; refusals say how long to wait, every
/// answer says how much is left where `tells`.
fn limited(per_second: f64, tells: bool) -> Arc<Server> {
    let state = Mutex::new((per_second, Instant::now()));
    Server::new(move |_, _| {
        let mut state = state.lock().unwrap();
        let passed = state.1.elapsed().as_secs_f64();
        *state = ((state.0 + passed * per_second).min(per_second), Instant::now());
        let is_let_in = state.0 >= 1.0;
        state.0 -= f64::from(u8::from(is_let_in));
        let limit = (per_second * 60.0).to_string();
        let told = [
            ("x-ratelimit-limit-requests", limit),
            ("x-ratelimit-remaining-requests", state.0.floor().to_string()),
            ("retry-after-ms", ((1.0 - state.0) / per_second * 1e3).ceil().to_string()),
        ];
        let Act::Answer(status, mut headers, body) =
            (if is_let_in { says("yes") } else { error(429, "rate_limit_exceeded") })
        else {
            unreachable!()
        };
        headers.extend(told.into_iter().take(if tells { 3 } else { 0 }));
        (ms(200), Act::Answer(status, headers, body))
    })
}

async fn run_limited(server: &Arc<Server>, count: u64, rpm: Option<u32>) -> Summary {
    let concurrency = finstage_net::Concurrency::Fixed(100);
    let options = EndpointOptions { rpm, concurrency, ..settled() };
    let asker = Asker::new(endpoint(server, options), AskOptions::default()).unwrap();
    let run = RunOptions { concurrency: 100, ..RunOptions::default() };
    run_all(&Arc::new(asker), rows(count, "m"), run).await.1
}

#[tokio::test(start_paused = true)]
async fn at_a_known_limit_nothing_is_refused_and_no_time_is_lost() {
    let summary = run_limited(&limited(10.0, true), 300, Some(600)).await;
    assert_eq!((summary.done, summary.refused_429), (300, 0));
    assert!(summary.elapsed_s < 29.0 * 1.05 + 0.2, "{}", summary.elapsed_s);
    let summary = run_limited(&limited(200.0, false), 2_000, Some(12_000)).await;
    assert_eq!((summary.done, summary.refused_429), (2_000, 0));
    assert!(summary.elapsed_s < 9.0 * 1.05 + 0.2, "{}", summary.elapsed_s);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_nobody_knows_is_found() {
    for (per_second, count, ideal, tells) in
        [(10.0, 300, 29.0, true), (10.0, 300, 29.0, false), (200.0, 2_000, 9.0, false)]
    {
        let summary = run_limited(&limited(per_second, tells), count, None).await;
        assert_eq!((summary.done, summary.failed), (count, 0));
        let (time, refused) = (summary.elapsed_s / ideal, summary.refused_429);
        assert!(time < 1.25, "{per_second}/s: {time} of ideal, {refused} refused");
    }
}
