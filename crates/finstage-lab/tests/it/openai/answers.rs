use serde_json::{Value, json};

use super::{KEY, Server, Wish, changed, exchange, question, start};

#[tokio::test]
async fn a_plain_answer_has_what_clients_read() {
    let server = Server::start(Wish::default()).await;
    let reply = server.chat(&question("Sentiment of: profits surge to a record")).await;
    assert_eq!(reply.status, 200);
    let told = reply.json();
    assert_eq!(told["object"], "chat.completion");
    assert_eq!(told["model"], "gpt-4o-mini-2024-07-18");
    assert_eq!(told["created"], start().secs());
    assert!(told["id"].as_str().unwrap().starts_with("chatcmpl-"));
    let choice = &told["choices"][0];
    assert_eq!(choice["message"]["role"], "assistant");
    assert_eq!(choice["message"]["content"], "positive 0.75");
    assert_eq!((&choice["finish_reason"], &choice["index"]), (&json!("stop"), &json!(0)));
    // 39 letters are 10 tokens, a message 4, an answer 3; "positive 0.75" has 13 letters.
    assert_eq!(told["usage"]["prompt_tokens"], 17);
    assert_eq!(told["usage"]["completion_tokens"], 4);
    assert_eq!(told["usage"]["total_tokens"], 21);
    assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
    assert_eq!(reply.header("openai-processing-ms"), Some("0"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn one_seed_is_one_answer_and_ids_go_on() {
    let (a, b) = (Server::start(Wish::default()).await, Server::start(Wish::default()).await);
    let other = Server::start(Wish { seed: 9, ..Wish::default() }).await;
    let ask = question("What does the market do?");
    let first = a.chat(&ask).await.json();
    assert_eq!(first, b.chat(&ask).await.json());
    let second = a.chat(&ask).await.json();
    assert_ne!(first["id"], second["id"]);
    assert_eq!(first["choices"], second["choices"]);
    let elsewhere = other.chat(&ask).await.json();
    assert!(first["id"] != elsewhere["id"] && first["choices"] != elsewhere["choices"]);
    let seeded = a.chat(&changed(ask, &json!({"seed": 5}))).await.json();
    assert_ne!(first["choices"], seeded["choices"]);
}

#[tokio::test]
async fn structured_answers_are_json_that_fits() {
    let server = Server::start(Wish::default()).await;
    let schema = json!({
        "type": "object", "required": ["side", "why"], "additionalProperties": false,
        "properties": {"side": {"type": "string", "enum": ["buy", "sell"]}, "why": {"type": "string"}},
    });
    let wanted = json!({"name": "signal", "strict": true, "schema": schema});
    let format = json!({"response_format": {"type": "json_schema", "json_schema": wanted}});
    let told = server.chat(&changed(question("A signal?"), &format)).await.json();
    let text = told["choices"][0]["message"]["content"].as_str().unwrap();
    let made: Value = serde_json::from_str(text).unwrap();
    assert!(["buy", "sell"].contains(&made["side"].as_str().unwrap()) && made["why"].is_string());
    assert_eq!(made.as_object().unwrap().len(), 2);
    let format = json!({"response_format": {"type": "json_object"}});
    let told = server.chat(&changed(question("sentiment as JSON: a crash"), &format)).await.json();
    let text = told["choices"][0]["message"]["content"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap()["sentiment"], "negative");
    let mut lax = format.clone();
    lax["response_format"] = json!({
        "type": "json_schema",
        "json_schema": {"name": "x", "strict": true, "schema": {"properties": {"a": {}}}},
    });
    let refused = server.chat(&changed(question("?"), &lax)).await;
    assert_eq!(refused.error(), (400, json!("invalid_request_error"), Value::Null));
}

#[tokio::test]
async fn paths_are_known_with_and_without_v1_and_others_are_an_error() {
    let server = Server::start(Wish::default()).await;
    let models = server.get("/v1/models").await.json();
    assert_eq!(models, server.get("/models").await.json());
    assert_eq!(
        (&models["object"], &models["data"][0]["object"]),
        (&json!("list"), &json!("model"))
    );
    let one = server.get("/v1/models/gpt-4o-mini").await.json();
    assert_eq!(one, models["data"][0]);
    assert_eq!(server.post("/chat/completions", &question("hi")).await.status, 200);
    let not_found = |code: &str| (404, json!("invalid_request_error"), json!(code));
    assert_eq!(server.get("/v1/models/gpt-9").await.error(), not_found("model_not_found"));
    for path in ["/v1/nothing", "/", "/v1", "/v1/files/a/b/c", "/v1/v1/models"] {
        assert_eq!(server.get(path).await.error(), not_found("unknown_url"), "{path}");
    }
    let wrong = server.get("/v1/chat/completions").await;
    assert_eq!(wrong.error().0, 405);
}

#[tokio::test]
async fn embeddings_are_the_same_numbers_in_both_formats() {
    let server = Server::start(Wish::default()).await;
    let ask = |format: &str| {
        json!({
            "model": "text-embedding-3-small", "input": ["up", "down"], "dimensions": 16,
            "encoding_format": format,
        })
    };
    let told = server.post("/v1/embeddings", &ask("float")).await.json();
    let coded = server.post("/v1/embeddings", &ask("base64")).await.json();
    assert_eq!(told["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    for i in 0..2 {
        let numbers = told["data"][i]["embedding"].as_array().unwrap();
        let bytes: Vec<u8> =
            numbers.iter().flat_map(|x| (x.as_f64().unwrap() as f32).to_le_bytes()).collect();
        let text = coded["data"][i]["embedding"].as_str().unwrap();
        assert_eq!(decode(text), bytes);
        assert_eq!(numbers.len(), 16);
    }
    let many = json!({"model": "text-embedding-3-small", "input": vec!["x"; 2_049]});
    assert_eq!(server.post("/v1/embeddings", &many).await.status, 400);
}

/// Base64 by bits, the other way round than the server has it.
fn decode(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => letter - b'A',
        b'a'..=b'z' => letter - b'a' + 26,
        b'0'..=b'9' => letter - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let letters = text.trim_end_matches('=').bytes();
    let bits: Vec<u8> =
        letters.flat_map(|letter| (0..6).rev().map(move |i| value(letter) >> i & 1)).collect();
    let whole = bits.chunks_exact(8);
    whole.map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | bit)).collect()
}

#[tokio::test]
async fn keys_are_checked_and_a_refusal_shows_their_ends_only() {
    let server = Server::start(Wish::default()).await;
    let ask = async |server: &Server, header: &str| {
        let head = format!("GET /v1/usage HTTP/1.1\r\n{header}");
        exchange(&server.sim.rest_url(), (&head, ""), b"").await
    };
    let of = |key: &str| format!("Authorization: Bearer {key}\r\n");
    assert_eq!(ask(&server, "").await.error().0, 401);
    let wrong = ask(&server, &of("pk-0123456789abcdefyz")).await;
    let known = (401, json!("invalid_request_error"), json!("invalid_api_key"));
    assert_eq!(wrong.error(), known);
    let words = wrong.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(words.contains("pk-01**************yz"), "{words}");
    let usage = ask(&server, &of(KEY)).await.json();
    assert_eq!((&usage["object"], &usage["requests"]), (&json!("usage"), &json!(0)));
    let listed = Server::start(Wish { keys: vec!["mine".to_owned()], ..Wish::default() }).await;
    assert_eq!(ask(&listed, &of(KEY)).await.status, 401);
    assert_eq!(ask(&listed, &of("mine")).await.status, 200);
    let ended = Server::broken("kind = \"openai_401\"").await;
    assert_eq!(ask(&ended, &of(KEY)).await.error(), known);
}

#[tokio::test]
async fn usage_adds_up_what_answers_said() {
    let server = Server::start(Wish::default()).await;
    let mut total = 0;
    for text in ["one", "sentiment of two", "three"] {
        total +=
            server.chat(&question(text)).await.json()["usage"]["total_tokens"].as_u64().unwrap();
    }
    let usage = server.get("/v1/usage").await.json();
    assert_eq!((&usage["requests"], &usage["total_tokens"]), (&json!(3), &json!(total)));
    let (prompt, completion) = (&usage["prompt_tokens"], &usage["completion_tokens"]);
    let usd = prompt.as_f64().unwrap() * 0.15e-6 + completion.as_f64().unwrap() * 0.6e-6;
    assert!((usage["total_usage_usd"].as_f64().unwrap() - usd).abs() < 1e-12);
}

#[tokio::test]
async fn a_failing_server_says_every_error_of_the_table() {
    let table = [
        (403, json!("request_forbidden"), json!("unsupported_country_region_territory")),
        (408, json!("timeout"), Value::Null),
        (409, json!("conflict_error"), Value::Null),
        (422, json!("invalid_request_error"), Value::Null),
        (500, json!("server_error"), Value::Null),
        (503, json!("server_error"), Value::Null),
    ];
    for (status, kind, code) in table {
        let server = Server::broken(&format!("kind = \"openai_5xx\"\nstatus = {status}")).await;
        let reply = server.chat(&question("hi")).await;
        assert_eq!(reply.error(), (status, kind, code));
        assert_eq!(server.get("/v1/models").await.status, 200, "only answers fail");
    }
    let server = Server::broken("kind = \"openai_5xx\"\nstatus = 503").await;
    let words = server.chat(&question("hi")).await.json()["error"]["message"].clone();
    assert_eq!(words, "The engine is currently overloaded, please try again later");
    for (fault, expected) in [
        ("kind = \"openai_429\"", ("requests", "rate_limit_exceeded")),
        ("kind = \"openai_429\"\nlimit = \"tokens\"", ("tokens", "rate_limit_exceeded")),
        ("kind = \"openai_429\"\nlimit = \"concurrency\"", ("concurrency", "rate_limit_exceeded")),
        ("kind = \"openai_quota\"", ("insufficient_quota", "insufficient_quota")),
    ] {
        let server = Server::broken(fault).await;
        let told = server.chat(&question("hi")).await.error();
        assert_eq!(told, (429, json!(expected.0), json!(expected.1)));
    }
}

#[tokio::test]
async fn pages_broken_json_and_wrong_questions_are_what_they_are_called() {
    let server = Server::broken("kind = \"openai_html\"").await;
    let page = server.chat(&question("hi")).await;
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html; charset=utf-8")));
    let server = Server::broken("kind = \"openai_malformed\"").await;
    let cut = server.chat(&question("hi")).await;
    assert_eq!(cut.status, 200);
    assert!(serde_json::from_str::<Value>(&cut.text()).is_err() && cut.text().starts_with('{'));
    let server = Server::start(Wish::default()).await;
    for body in ["", "{", "[]", "null", "\u{0}"] {
        let reply = server.send("POST /v1/chat/completions", ("application/json", body)).await;
        assert_eq!(reply.error(), (400, json!("invalid_request_error"), Value::Null), "{body}");
    }
    let large = format!("{{\"model\":\"{}\"}}", "x".repeat(9 << 20));
    let reply = server.send("POST /v1/chat/completions", ("application/json", &large)).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn a_scenario_changes_usage_and_answers() {
    let ask = question("Sentiment of: profits surge to a record");
    let told = async |fault: &str| Server::broken(fault).await.chat(&ask).await.json();
    assert!(told("kind = \"openai_no_usage\"").await.get("usage").is_none());
    let usage = told("kind = \"openai_wrong_usage\"").await["usage"].clone();
    let number = |name: &str| usage[name].as_u64().unwrap();
    assert_ne!(number("prompt_tokens") + number("completion_tokens"), number("total_tokens"));
    let refusal = told("kind = \"openai_refusal\"").await["choices"][0]["message"].clone();
    assert!(refusal["content"].is_null() && refusal["refusal"].is_string());
    let short = told("kind = \"openai_length\"").await;
    let choice = &short["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("length"), &json!("posi"))
    );
    let some = Server::broken("kind = \"openai_5xx\"\none_in = 4").await;
    let mut failed = 0;
    for _ in 0..60 {
        failed += usize::from(some.chat(&ask).await.status == 500);
    }
    assert!((5..30).contains(&failed), "one in four of 60: {failed}");
}
