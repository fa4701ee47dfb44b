use serde_json::{Value, json};

use super::{Reply, Server, Wish, changed, question};

const STREAM: &str = r#"{"stream": true, "stream_options": {"include_usage": true}}"#;

fn streamed(question: Value) -> Value {
    changed(question, &serde_json::from_str(STREAM).unwrap())
}

/// The data of the events, by the rules of server-sent events; comments are left out.
fn events(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let text = reply.text().replace("\r\n", "\n");
    let event = |event: &str| {
        let data: Vec<&str> =
            event.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        (!data.is_empty()).then(|| data.join("\n"))
    };
    text.split("\n\n").filter_map(event).collect()
}

/// The pieces of a stream put together as the plain answer, but for what a stream does not tell.
fn assembled(events: &[String]) -> Value {
    assert_eq!(events.last().unwrap(), "[DONE]");
    let mut choices: Vec<Value> = Vec::new();
    let mut usage = Value::Null;
    for event in &events[..events.len() - 1] {
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["object"], "chat.completion.chunk");
        if event["choices"].as_array().unwrap().is_empty() {
            usage = event["usage"].clone();
            continue;
        }
        assert!(event["usage"].is_null());
        let piece = &event["choices"][0];
        let index = piece["index"].as_u64().unwrap() as usize;
        if choices.len() <= index {
            choices.push(json!({"content": "", "refusal": "", "arguments": "", "name": ""}));
        }
        let whole = &mut choices[index];
        let delta = &piece["delta"];
        let call = &delta["tool_calls"][0]["function"];
        for (key, more) in [
            ("content", &delta["content"]),
            ("refusal", &delta["refusal"]),
            ("arguments", &call["arguments"]),
            ("name", &call["name"]),
        ] {
            let text = format!("{}{}", whole[key].as_str().unwrap(), more.as_str().unwrap_or(""));
            whole[key] = json!(text);
        }
        whole["finish"] = piece["finish_reason"].clone();
    }
    json!({"choices": choices, "usage": usage})
}

/// The plain answer in the same form.
fn plain(told: &Value) -> Value {
    let one = |choice: &Value| {
        let message = &choice["message"];
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        let call = &message["tool_calls"][0]["function"];
        json!({
            "content": text(&message["content"]), "refusal": text(&message["refusal"]),
            "arguments": text(&call["arguments"]), "name": text(&call["name"]),
            "finish": choice["finish_reason"],
        })
    };
    let choices: Vec<Value> = told["choices"].as_array().unwrap().iter().map(one).collect();
    json!({"choices": choices, "usage": told["usage"]})
}

#[tokio::test]
async fn the_pieces_of_a_stream_put_together_are_the_plain_answer() {
    let server = Server::start(Wish::default()).await;
    let tools = json!({
        "tools": [{"type": "function", "function": {"name": "get_price", "parameters": {
            "type": "object", "properties": {"symbol": {"type": "string"}}, "required": ["symbol"],
        }}}],
        "tool_choice": "required",
    });
    let (mut comments, mut split, mut crlf) = (0, 0, 0);
    for i in 0..60 {
        let ask = match i % 4 {
            0 => question(&format!("Number {i}: what happens?")),
            1 => changed(question(&format!("{i}?")), &json!({"n": 2, "max_tokens": 9})),
            2 => changed(
                question("비트코인이 올랐다 → 거래량 상승"),
                &json!({"model": "echo", "seed": i}),
            ),
            _ => changed(question(&format!("call {i}")), &tools),
        };
        let reply = server.chat(&streamed(ask.clone())).await;
        let told = server.chat(&ask).await.json();
        assert_eq!(assembled(&events(&reply)), plain(&told), "{ask}");
        comments += usize::from(reply.text().contains(": keep-alive"));
        crlf += usize::from(reply.text().contains("\r\n\r\n"));
        split += reply.chunks.iter().filter(|chunk| std::str::from_utf8(chunk).is_err()).count();
    }
    assert!(comments > 5 && crlf > 1 && split > 20, "{comments} {crlf} {split}");
}

#[tokio::test]
async fn usage_and_padding_are_sent_as_the_question_wants_it() {
    let server = Server::start(Wish::default()).await;
    let plain = server.chat(&changed(question("hi"), &json!({"stream": true}))).await;
    assert!(!plain.text().contains("\"usage\"") && plain.text().contains("\"obfuscation\""));
    let options = json!({"stream": true, "stream_options": {"include_obfuscation": false}});
    let bare = server.chat(&changed(question("hi"), &options)).await;
    assert!(!bare.text().contains("\"obfuscation\""));
}

#[tokio::test]
async fn a_stream_breaks_as_the_scenario_says() {
    let ask = streamed(question("What happens?"));
    let told = async |fault: &str| events(&Server::broken(fault).await.chat(&ask).await);
    let whole = events(&Server::start(Wish::default()).await.chat(&ask).await);
    let cut = told("kind = \"openai_cut\"").await;
    assert_eq!(cut.len(), (whole.len() - 1).div_ceil(2));
    assert!(cut.iter().all(|event| event != "[DONE]"));
    let failed = told("kind = \"openai_error_in_stream\"").await;
    let last: Value = serde_json::from_str(failed.last().unwrap()).unwrap();
    assert_eq!(last["error"]["type"], "server_error");
    let malformed = told("kind = \"openai_malformed\"").await;
    let is_json = |event: &&String| serde_json::from_str::<Value>(event).is_ok();
    assert_eq!(malformed.len() - malformed.iter().filter(is_json).count(), 2, "and [DONE]");
    let silent = told("kind = \"openai_no_usage\"").await;
    assert_eq!(silent.len(), whole.len() - 1);
    let refused = assembled(&told("kind = \"openai_refusal\"").await);
    assert_eq!(refused["choices"][0]["content"], "");
    assert!(refused["choices"][0]["refusal"].as_str().unwrap().starts_with("I'm sorry"));
}
