use std::sync::Arc;

use finstage_net::Client;
use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;
use crate::providers::{Anthropic, OpenAi, Said, Scripted};
use crate::testing::{Act, Server, endpoint, settled};
use crate::{CHAT, EndpointOptions, Place, Provider, Usage};

fn asked(text: &str) -> Map<String, Value> {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": text}]});
    body.as_object().unwrap().clone()
}

fn stream_of(chunks: &[Value]) -> String {
    chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect()
}

fn server(stream: String) -> Arc<Server> {
    Server::new(move |_, body| {
        assert_eq!(body["stream"], json!(true));
        let headers = vec![("content-type", "text/event-stream".to_owned())];
        (std::time::Duration::ZERO, Act::Answer(200, headers, stream.clone()))
    })
}

async fn told(server: &Arc<Server>) -> Result<(Vec<String>, crate::Answer), Fault> {
    let body = asked("hi");
    let endpoint = endpoint(server, settled());
    let mut streaming = endpoint.ask_streaming(&Question { url: CHAT, body: &body }).await?;
    let mut all = Vec::new();
    while let Some(text) = streaming.next().await? {
        all.push(text);
    }
    Ok((all, streaming.finish().await?))
}

fn delta(delta: &Value, reason: Option<&str>) -> Value {
    json!({"id": "c1", "model": "m-1", "object": "chat.completion.chunk", "usage": null,
           "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_told_in_pieces_and_is_whole_at_the_end() {
    let chunks = [
        delta(&json!({"role": "assistant", "content": ""}), None),
        delta(&json!({"content": "시"}), None),
        delta(&json!({"content": "장"}), None),
        delta(&json!({}), Some("stop")),
        json!({"id": "c1", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}),
    ];
    let stream = format!(": hello\n\n{}data: [DONE]\n\n", stream_of(&chunks));
    let (pieces, answer) = told(&server(stream)).await.unwrap();
    assert_eq!(pieces, ["시", "장"]);
    assert_eq!((answer.text(), answer.finish_reason(), answer.model()), ("시장", "stop", "m-1"));
    assert_eq!(answer.usage, Some(Usage { prompt: 9, completion: 2, ..Usage::default() }));
    assert_eq!(answer.reply.body["object"], "chat.completion");
}

#[tokio::test(start_paused = true)]
async fn pieces_of_tool_calls_are_joined() {
    let call = |piece: Value| delta(&json!({"tool_calls": [piece]}), None);
    let chunks = [
        call(
            json!({"index": 0, "id": "call_1", "type": "function", "function": {"name": "price", "arguments": ""}}),
        ),
        call(json!({"index": 0, "function": {"arguments": "{\"of\":"}})),
        call(json!({"index": 1, "id": "call_2", "function": {"name": "news", "arguments": "{}"}})),
        call(json!({"index": 0, "function": {"arguments": "\"BTC\"}"}})),
        delta(&json!({}), Some("tool_calls")),
    ];
    let stream = format!("{}data: [DONE]\n\n", stream_of(&chunks));
    let (pieces, answer) = told(&server(stream)).await.unwrap();
    assert!(pieces.is_empty());
    let message = &answer.reply.body["choices"][0]["message"];
    assert_eq!(message["content"], Value::Null);
    assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{\"of\":\"BTC\"}");
    assert_eq!(message["tool_calls"][1]["id"], "call_2");
    assert_eq!(answer.usage, None);
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_its_end_is_none() {
    let stream = stream_of(&[delta(&json!({"content": "half"}), None)]);
    assert_eq!(told(&server(stream)).await.unwrap_err().error.code, "truncated");
    let error = json!({"error": {"message": "sorry", "type": "server_error", "code": null}});
    let stream = stream_of(&[delta(&json!({"content": "half"}), None), error]);
    let fault = told(&server(stream)).await.unwrap_err();
    assert_eq!(
        (fault.error.code.as_str(), fault.error.message.as_str()),
        ("server_error", "sorry")
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_stream_is_understood_too() {
    let server = Server::new(|_, _| {
        let body = json!({"choices": [{"message": {"content": "all"}, "finish_reason": "stop"}],
                          "usage": {"prompt_tokens": 1, "completion_tokens": 1}});
        let headers = vec![("content-type", "application/json".to_owned())];
        (std::time::Duration::ZERO, Act::Answer(200, headers, body.to_string()))
    });
    let (pieces, answer) = told(&server).await.unwrap();
    assert_eq!((pieces, answer.text()), (vec!["all".to_owned()], "all"));
    let refused = Server::new(|_, _| {
        let headers = vec![("content-type", "application/json".to_owned())];
        let body = json!({"error": {"message": "no", "code": "invalid_value"}}).to_string();
        (std::time::Duration::ZERO, Act::Answer(400, headers, body))
    });
    assert_eq!(told(&refused).await.unwrap_err().error.code, "invalid_value");
}

#[tokio::test(start_paused = true)]
async fn the_scripted_provider_streams_what_it_says() {
    let provider: Arc<dyn Provider> = Arc::new(Scripted::default());
    let place = Place::new("scripted://here", None).unwrap();
    let client = Client::over(provider.transport().unwrap());
    let endpoint = Endpoint::new(provider, place, &client, EndpointOptions::default());
    let body = asked("Sentiment of: profits surge, shares rally");
    let question = Question { url: CHAT, body: &body };
    let streaming = endpoint.ask_streaming(&question).await.unwrap();
    let answer = streaming.finish().await.unwrap();
    assert_eq!(answer.text(), "positive 1.00");
    assert!(answer.usage.is_some_and(|usage| usage.prompt > 0));
    let refuses = Scripted::new(|_| Said::Refusal("no".to_owned()));
    let place = Place::new("scripted://here", None).unwrap();
    let endpoint = Endpoint::new(Arc::new(refuses), place, &client, EndpointOptions::default());
    let answer = endpoint.ask_streaming(&question).await.unwrap().finish().await.unwrap();
    assert!(answer.is_refusal());
}

/// What is gathered from a stream that is cut at these places.
fn gather(provider: &dyn Provider, pieces: &[&[u8]]) -> (String, Value, bool) {
    let mut parser = SseParser::default();
    let mut events = Vec::new();
    pieces.iter().for_each(|piece| parser.push(piece, &mut events).unwrap());
    events.extend(parser.finish());
    let (mut gathered, mut text, mut is_ended) = (Gathered::default(), String::new(), false);
    for event in events {
        match provider.event(&event).unwrap() {
            Step::Chunk(chunk) => text.push_str(&gathered.add(&chunk).unwrap()),
            Step::End => is_ended = true,
            Step::Nothing => {}
        }
    }
    (text, gathered.into_body(), is_ended)
}

fn anthropic_stream() -> String {
    let events = [
        (
            "message_start",
            json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-1",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 4, "output_tokens": 1}}}),
        ),
        ("ping", json!({"type": "ping"})),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "값이 "}}),
        ),
        (
            "content_block_delta",
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "→ up"}}),
        ),
        (
            "message_delta",
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}),
        ),
        ("message_stop", json!({"type": "message_stop"})),
    ];
    events.iter().map(|(name, data)| format!("event: {name}\r\ndata: {data}\r\n\r\n")).collect()
}

#[test]
fn a_stream_of_anthropic_is_gathered_in_openais_words() {
    let (text, body, is_ended) = gather(&Anthropic, &[anthropic_stream().as_bytes()]);
    assert_eq!((text.as_str(), is_ended), ("값이 → up", true));
    let usage = Usage { prompt: 14, cached: 4, completion: 7, reasoning: 0 };
    assert_eq!(crate::providers::usage(&body), Some(usage));
    assert_eq!(body["usage"]["total_tokens"], 21);
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn wherever_a_stream_is_cut_the_same_is_gathered(cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let chunks = [delta(&json!({"content": "가격 → "}), None), delta(&json!({"content": "é"}), Some("stop"))];
        let openai = format!("{}: ping\r\n\r\ndata: [DONE]\n\n", stream_of(&chunks));
        let streams: [(&dyn Provider, String); 2] = [(&OpenAi, openai), (&Anthropic, anthropic_stream())];
        for (provider, stream) in streams {
            let bytes = stream.as_bytes();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            places.extend([0, bytes.len()]);
            places.sort_unstable();
            let pieces: Vec<&[u8]> = places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let whole = gather(provider, &[bytes]);
            prop_assert!(whole.2);
            prop_assert_eq!(gather(provider, &pieces), whole);
        }
    }
}
