use finstage_seal::Secret;
use serde_json::json;

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
    let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    Response { status, headers, body: body.as_bytes().to_vec() }
}

fn sign(status: u16, headers: &[(&str, &str)], body: &str) -> Sign {
    judge(&answer(status, headers, body), Timestamp::EPOCH)
}

fn failed(status: u16, body: &str) -> (String, Remedy) {
    match OpenAi.read(&answer(status, &[], body)) {
        Outcome::Failed(fault) => (fault.error.code, fault.remedy),
        Outcome::Answered(answer) => panic!("{answer:?}"),
    }
}

#[test]
fn a_question_becomes_one_request_with_the_key_hidden() {
    let key = Secret::new("sk-secret".to_owned());
    let place = Place::new("https://api.example.com", Some(&key)).unwrap();
    let place = place.with_header("openai-organization", "org-1");
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    let question = Question { url: CHAT, body: body.as_object().unwrap() };
    let request = OpenAi.request(&question, &place).unwrap();
    assert_eq!(request.url(), "https://api.example.com/v1/chat/completions");
    let header = |name| request.headers().iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
    assert_eq!(header("authorization"), Some("Bearer sk-secret"));
    assert_eq!(header("openai-organization"), Some("org-1"));
    assert_eq!(header("content-type"), Some("application/json"));
    let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
    assert_eq!(sent, body);
    assert!(!format!("{request:?} {request}").contains("secret"));
    let refused = OpenAi.request(&Question { url: "/v1/responses", ..question }, &place);
    assert_eq!(refused.unwrap_err().code, "unsupported_url");
}

#[test]
fn an_answer_keeps_every_word_and_its_usage_is_counted() {
    let body = r#"{"id":"c1","model":"m-2026","choices":[{"index":0,"finish_reason":"stop",
        "message":{"role":"assistant","content":"up 0.5","refusal":null}}],
        "usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,
        "prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}"#;
    let Outcome::Answered(answer) = OpenAi.read(&answer(200, &[("x-request-id", "req_1")], body))
    else {
        panic!("not read")
    };
    assert_eq!(
        (answer.text(), answer.finish_reason(), answer.model()),
        ("up 0.5", "stop", "m-2026")
    );
    assert_eq!(answer.reply.request_id, "req_1");
    assert_eq!(answer.reply.body["choices"][0]["message"]["refusal"], Value::Null);
    let usage = Usage { prompt: 19, cached: 4, completion: 10, reasoning: 3 };
    assert_eq!(answer.usage, Some(usage));
    assert!(!answer.is_refusal());
}

#[test]
fn usage_may_be_missing_or_have_no_details() {
    let usage_of = |text: &str| match OpenAi.read(&answer(200, &[], text)) {
        Outcome::Answered(answer) => answer.usage,
        Outcome::Failed(fault) => panic!("{fault:?}"),
    };
    assert_eq!(usage_of(r#"{"choices":[]}"#), None);
    assert_eq!(usage_of(r#"{"choices":[],"usage":null}"#), None);
    let embedded = usage_of(r#"{"data":[],"usage":{"prompt_tokens":8,"total_tokens":8}}"#);
    assert_eq!(embedded, Some(Usage { prompt: 8, ..Usage::default() }));
}

#[test]
fn a_refusal_is_seen_in_the_message_and_in_the_reason() {
    let refuses = |text: &str| match OpenAi.read(&answer(200, &[], text)) {
        Outcome::Answered(answer) => answer.is_refusal(),
        Outcome::Failed(fault) => panic!("{fault:?}"),
    };
    assert!(refuses(r#"{"choices":[{"message":{"content":null,"refusal":"I cannot."}}]}"#));
    assert!(refuses(r#"{"choices":[{"finish_reason":"content_filter","message":{}}]}"#));
    assert!(!refuses(r#"{"choices":[{"finish_reason":"stop","message":{"content":"x"}}]}"#));
}

#[test]
fn errors_are_read_in_the_words_of_every_server() {
    let openai = r#"{"error":{"message":"m","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#;
    assert_eq!(failed(400, openai), ("context_length_exceeded".to_owned(), Remedy::Question));
    let litellm = r#"{"error":{"message":"litellm.RateLimitError: x","type":"None","param":null,"code":"429"}}"#;
    assert_eq!(failed(429, litellm), ("http_429".to_owned(), Remedy::Later));
    let budget = r#"{"error":{"message":"ExceededBudget: over","type":null,"code":"400"}}"#;
    assert_eq!(failed(400, budget), ("http_400".to_owned(), Remedy::Access));
    let vllm = r#"{"object":"error","message":"no such","type":"NotFoundError","code":404}"#;
    assert_eq!(failed(404, vllm), ("NotFoundError".to_owned(), Remedy::Model));
    assert_eq!(failed(422, r#"{"detail":[{"loc":["body"]}]}"#).1, Remedy::Question);
    assert_eq!(failed(500, r#"{"error":"text"}"#), ("http_500".to_owned(), Remedy::Later));
    assert_eq!(failed(502, "<html>bad gateway</html>"), ("http_502".to_owned(), Remedy::Later));
    assert_eq!(failed(401, "{}").1, Remedy::Access);
    let not_ours = r#"{"error":{"message":"no access to m","code":"model_not_found"}}"#;
    assert_eq!(failed(403, not_ours).1, Remedy::Model);
    assert_eq!(failed(200, "<html>").0, "unreadable");
    let quota =
        r#"{"error":{"message":"m","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    assert_eq!(failed(429, quota), ("insufficient_quota".to_owned(), Remedy::Access));
    let Outcome::Failed(fault) = OpenAi.read(&answer(500, &[], r#"{"error":"text"}"#)) else {
        panic!("not read")
    };
    assert_eq!(fault.error.message, "text");
}

#[test]
fn what_helps_by_repeating_is_repeated_and_nothing_else() {
    let unavailable =
        |wait: Option<u64>| Sign::Unavailable { retry_after: wait.map(Duration::from_millis) };
    let spent = r#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#;
    let large = r#"{"error":{"code":"rate_limit_exceeded","message":"Request too large for m"}}"#;
    let limited = Sign::Limited { retry_after: Some(Duration::from_millis(1_800)) };
    assert_eq!(sign(200, &[], r#"{"choices":[]}"#), Sign::Fine);
    assert_eq!(sign(200, &[], r#"{"choices":["#), Sign::UnknownOutcome);
    assert_eq!(sign(200, &[], "<html></html>"), Sign::UnknownOutcome);
    assert_eq!(sign(429, &[("retry-after-ms", "1800"), ("retry-after", "2")], "{}"), limited);
    assert_eq!(sign(429, &[], spent), Sign::Unauthorized);
    assert_eq!(sign(429, &[("x-should-retry", "false")], spent), Sign::Unauthorized);
    assert_eq!(sign(429, &[], large), Sign::Fine);
    assert_eq!(sign(401, &[], "{}"), Sign::Unauthorized);
    assert_eq!(sign(400, &[], "{}"), Sign::Fine);
    assert_eq!(sign(400, &[("x-should-retry", "true")], "{}"), unavailable(None));
    assert_eq!(sign(503, &[("retry-after", "1")], "{}"), unavailable(Some(1_000)));
    assert_eq!(sign(500, &[("x-should-retry", "false")], "{}"), Sign::Fine);
    for status in [408, 409, 500, 529] {
        assert_eq!(sign(status, &[], "{}"), unavailable(None), "{status}");
    }
}

#[test]
fn headers_say_what_is_used_of_both_limits() {
    let headers = [
        ("x-ratelimit-limit-requests", "5000"),
        ("x-ratelimit-remaining-requests", "4999"),
        ("x-ratelimit-reset-requests", "12ms"),
        ("x-ratelimit-limit-tokens", "200000"),
        ("x-ratelimit-remaining-tokens", "199488"),
    ];
    let read: Vec<_> = readings(&answer(200, &headers, "{}"))
        .into_iter()
        .map(|reading| (reading.rule, reading.used, reading.limit))
        .collect();
    let requests = (REQUESTS, Some(1), Some(5_000));
    assert_eq!(read, [requests, (TOKENS, Some(512), Some(200_000))]);
}

#[test]
fn an_error_in_the_middle_of_a_stream_is_one() {
    let event = |data: &str| Event { name: String::new(), data: data.to_owned() };
    let step = OpenAi.event(&event(r#"{"choices":[]}"#));
    assert_eq!(step, Ok(Step::Chunk(json!({"choices": []}))));
    assert_eq!(OpenAi.event(&event("[DONE]")), Ok(Step::End));
    let fault = OpenAi.event(&event(r#"{"error":{"message":"sorry","type":"server_error"}}"#));
    let fault = fault.unwrap_err();
    assert_eq!((fault.error.code.as_str(), fault.remedy), ("server_error", Remedy::Later));
}
