use std::collections::HashMap;
use std::sync::Mutex;

use super::*;
use crate::routing::{Confidence, Weak};
use crate::testing::{Act, Server, done, error, rows, run_at, says};
use crate::{Left, Reply};

const SOON: Duration = Duration::from_millis(10);

fn schema() -> Structure {
    let schema = json!({"type": "object", "required": ["side"], "additionalProperties": false,
        "properties": {"side": {"enum": ["buy", "sell"]}, "sure": {"type": "number"}}});
    Structure::Given(Arc::new(Schema::new(&schema).unwrap()))
}

fn route(models: &[&str]) -> Routing {
    let models = models.iter().map(|name| (*name).to_owned()).collect();
    Routing { models, ..Routing::default() }
}

/// The end of one row, and the models and words of its attempts.
async fn end_of(
    server: &Arc<Server>,
    options: AskOptions,
) -> (Result<String, String>, Vec<(String, Option<&'static str>)>) {
    let (left, _) = run_at(server, rows(1, "own"), options).await;
    let Left::Done(done) = &left[0] else { panic!("given back") };
    let end = match &done.end {
        End::Answered(reply) => {
            let message = &reply.body["choices"][0]["message"];
            Ok(message["content"].as_str().unwrap_or("refused").to_owned())
        }
        End::Failed(error) => Err(error.code.clone()),
    };
    let attempts = done.attempts.iter().map(|attempt| (attempt.model.clone(), attempt.passed_on));
    (end, attempts.collect())
}

fn steps(steps: &[(&str, Option<&'static str>)]) -> Vec<(String, Option<&'static str>)> {
    steps.iter().map(|(model, why)| ((*model).to_owned(), *why)).collect()
}

fn refuses() -> Act {
    let body = json!({"choices": [{"finish_reason": "stop", "message": {"content": null, "refusal": "no"}}]});
    Act::Answer(200, Vec::new(), body.to_string())
}

fn cut(text: &str) -> Act {
    let body = json!({"choices": [{"finish_reason": "length", "message": {"content": text}}]});
    Act::Answer(200, Vec::new(), body.to_string())
}

#[tokio::test(start_paused = true)]
async fn a_model_is_told_what_is_wrong_and_asked_again() {
    let server = Server::new(|number, _| match number {
        0 => (SOON, says("buy!")),
        1 => (SOON, says("{\"side\":\"hold\"}")),
        _ => (SOON, says("{\"side\":\"buy\"}")),
    });
    let options = AskOptions { structure: schema(), ..AskOptions::default() };
    let (end, attempts) = end_of(&server, options).await;
    assert_eq!(end, Ok("{\"side\":\"buy\"}".to_owned()));
    let again = Some("schema");
    assert_eq!(attempts, steps(&[("own", again), ("own", again), ("own", None)]));
    let asked = &server.asked()[2]["messages"];
    assert_eq!(asked.as_array().unwrap().len(), 5, "both answers and both complaints");
    assert_eq!(asked[1], json!({"role": "assistant", "content": "buy!"}));
    assert!(asked[4]["content"].as_str().unwrap().contains("/side is \"hold\", not one of"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_fits_fails_with_its_text() {
    let server = Server::new(|_, _| (SOON, says("buy!")));
    let options = AskOptions { structure: schema(), reasks: 1, ..AskOptions::default() };
    let (left, summary) = run_at(&server, rows(1, "own"), options).await;
    assert_eq!((summary.failed, summary.attempts, server.sent()), (1, 2, 2));
    let End::Failed(error) = &done(&left)[0].end else { panic!("answered") };
    assert_eq!(error.code, "schema");
    let text = &error.reply.as_ref().unwrap().body["choices"][0]["message"]["content"];
    assert_eq!(text, "buy!");
}

#[tokio::test(start_paused = true)]
async fn a_rows_own_form_is_checked_and_a_form_that_cannot_be_is_refused() {
    let server = Server::new(|number, _| match number {
        0 => (SOON, says("[1]")),
        _ => (SOON, says("{\"a\":1}")),
    });
    let mut all = rows(2, "own");
    let object = json!({"type": "json_object"});
    all[0].body.insert("response_format".to_owned(), object);
    let unknown = json!({"type": "json_schema", "json_schema": {"schema": {"pattern": "a"}}});
    all[1].body.insert("response_format".to_owned(), unknown);
    let (left, summary) = run_at(&server, all, AskOptions::default()).await;
    assert_eq!((summary.done, summary.failed, server.sent()), (1, 1, 2));
    let failed = done(&left).into_iter().find_map(|done| match &done.end {
        End::Failed(error) => Some(error.code.clone()),
        End::Answered(_) => None,
    });
    assert_eq!(failed.as_deref(), Some("invalid_schema"));
}

#[tokio::test(start_paused = true)]
async fn a_weak_answer_is_passed_on_from_cheap_to_strong() {
    let server = Server::new(|_, body| {
        let act = match body["model"].as_str().unwrap() {
            "refuses" => refuses(),
            "babbles" => says("well"),
            "unsure" => says("{\"side\":\"buy\",\"sure\":0.4}"),
            "short" => cut("{\"side\":"),
            _ => says("{\"side\":\"sell\",\"sure\":0.9}"),
        };
        (SOON, act)
    });
    let confidence = Some(Confidence { pointer: "/sure".to_owned(), least: 0.5 });
    let weak = Weak { confidence, ..Weak::default() };
    let options = |models: &[&str]| AskOptions {
        routing: Routing { weak: weak.clone(), ..route(models) },
        structure: schema(),
        reasks: 0,
        ..AskOptions::default()
    };
    let models = ["refuses", "babbles", "short", "unsure", "strong", "never"];
    let (end, attempts) = end_of(&server, options(&models)).await;
    assert_eq!(end, Ok("{\"side\":\"sell\",\"sure\":0.9}".to_owned()));
    let expected = [
        ("refuses", Some("refusal")),
        ("babbles", Some("schema")),
        ("short", Some("length")),
        ("unsure", Some("confidence")),
        ("strong", None),
    ];
    assert_eq!(attempts, steps(&expected));
    // The last one's word is the end, whatever it is worth.
    let unsure = end_of(&server, options(&["unsure"])).await.0;
    assert_eq!(unsure, Ok("{\"side\":\"buy\",\"sure\":0.4}".to_owned()));
    assert_eq!(end_of(&server, options(&["refuses"])).await.0, Err("refusal".to_owned()));
    let free = AskOptions { routing: route(&["refuses"]), ..AskOptions::default() };
    assert_eq!(end_of(&server, free).await.0, Ok("refused".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn where_a_model_cannot_be_asked_another_stands_in_once() {
    let server = Server::new(|_, body| {
        let act = match body["model"].as_str().unwrap() {
            "gone" => error(404, "model_not_found"),
            "ill" => error(500, "server_error"),
            _ => says("yes"),
        };
        (SOON, act)
    });
    let options = |model: &str, fallback: &str| AskOptions {
        routing: Routing { fallback: Some(fallback.to_owned()), ..route(&[model, "strong"]) },
        ..AskOptions::default()
    };
    let (end, attempts) = end_of(&server, options("gone", "spare")).await;
    assert_eq!(end, Ok("yes".to_owned()));
    assert_eq!(attempts, steps(&[("gone", Some("error")), ("spare", None)]));
    let (end, attempts) = end_of(&server, options("ill", "gone")).await;
    assert_eq!(end, Err("model_not_found".to_owned()));
    assert_eq!(attempts, steps(&[("ill", Some("error")), ("gone", None)]));
    assert_eq!(end_of(&server, options("gone", "gone")).await.0, Err("model_not_found".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn vectors_are_not_held_against_what_texts_are() {
    let server = Server::new(|_, _| {
        let body = json!({"data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 3}});
        (SOON, Act::Answer(200, Vec::new(), body.to_string()))
    });
    let mut all = rows(1, "own");
    crate::EMBEDDINGS.clone_into(&mut all[0].url);
    let confidence = Some(Confidence { pointer: "/sure".to_owned(), least: 0.5 });
    let weak = Weak { confidence, ..Weak::default() };
    let routing = Routing { weak, ..route(&["own", "strong"]) };
    let options = AskOptions { routing, structure: schema(), ..AskOptions::default() };
    let (_, summary) = run_at(&server, all, options).await;
    assert_eq!((summary.done, server.sent()), (1, 1));
}

#[derive(Debug, Default)]
struct Memory(Mutex<HashMap<[u8; 32], Reply>>);

impl Answers for Memory {
    fn get(&self, question: &[u8; 32]) -> Option<Reply> {
        self.0.lock().unwrap().get(question).cloned()
    }

    fn put(&self, question: &[u8; 32], reply: &Reply) {
        self.0.lock().unwrap().insert(*question, reply.clone());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_before_is_not_asked_again() {
    let server = Server::new(|_, _| (SOON, says("yes")));
    let memory = Arc::new(Memory::default());
    let options = || AskOptions { answers: Some(memory.clone()), ..AskOptions::default() };
    let (_, first) = run_at(&server, rows(20, "own"), options()).await;
    let (left, second) = run_at(&server, rows(25, "own"), options()).await;
    assert_eq!((first.done, first.cached, second.done, second.cached), (20, 0, 25, 20));
    assert_eq!((server.sent(), second.attempts), (25, 5));
    assert!(done(&left).iter().filter(|done| done.is_cached).all(|done| done.attempts.is_empty()));
    let mut warm = rows(1, "own");
    warm[0].body.insert("temperature".to_owned(), json!(1));
    run_at(&server, warm, options()).await;
    assert_eq!((server.sent(), memory.0.lock().unwrap().len()), (26, 25));
}

#[tokio::test(start_paused = true)]
async fn a_row_that_wants_its_answer_in_pieces_gets_it_whole() {
    let server = Server::new(|_, body| {
        assert!(!body.contains_key("stream") && !body.contains_key("stream_options"));
        (SOON, says("yes"))
    });
    let mut all = rows(1, "own");
    all[0].body.insert("stream".to_owned(), json!(true));
    all[0].body.insert("stream_options".to_owned(), json!({"include_usage": true}));
    let (_, summary) = run_at(&server, all, AskOptions::default()).await;
    assert_eq!(summary.done, 1);
}
