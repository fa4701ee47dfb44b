//! Anthropic's Messages API, asked and answered in OpenAI's words.
//!
//! Covered: chat questions of texts and images with `system`/`developer` messages, `max_tokens` or
//! `max_completion_tokens` ([`DEFAULT_MAX_TOKENS`] where neither is given, because the API wants one), `temperature`,
//! `top_p`, `stop`, `user`, `stream`; answers of text with reasons to stop, refusals, and usage with what came from
//! the cache; errors, waits and limits in headers; streamed answers. A `response_format` becomes a sentence of the
//! system's text, and is held against the schema here. `seed`, `store`, `metadata`, `service_tier` and
//! `stream_options` have no counterpart and are left out; tools, several choices, embeddings and whatever else the
//! question has are refused with words.

use std::sync::Arc;

use finstage_net::{Reading, Request, Response, Terms};
use serde_json::{Map, Value, json};

use super::Kind;
use super::openai::{BLOCK, fault, judge, mid_stream, unreadable};
use crate::hints::{REQUESTS, TOKENS, reading};
use crate::provider::{Answer, Fault, Outcome, Place, Question, Step};
use crate::sse::Event;
use crate::{CHAT, Provider, Reply, RowError, Usage};

pub(super) const KIND: Kind = Kind {
    name: "anthropic",
    describes: "Anthropic's Messages API, asked in OpenAI's words.",
    base: "https://api.anthropic.com/v1",
    key_prefix: "sk-ant-",
    build: || Arc::new(Anthropic),
};

/// The most tokens of an answer to a question that names none.
pub const DEFAULT_MAX_TOKENS: u64 = 4_096;
/// The version of the API that this is written for.
const VERSION: &str = "2023-06-01";
/// Members of a question that have no counterpart and change no answer.
const LEFT_OUT: [&str; 5] = ["seed", "store", "metadata", "service_tier", "stream_options"];

/// Speaks Anthropic's API.
#[derive(Debug, Clone, Copy, Default)]
pub struct Anthropic;

impl Provider for Anthropic {
    fn name(&self) -> &'static str {
        KIND.name
    }

    fn request(&self, question: &Question<'_>, place: &Place) -> Result<Request, RowError> {
        if question.url != CHAT {
            return Err(unsupported(format!(
                "url '{}': anthropic answers {CHAT} alone",
                question.url
            )));
        }
        let body = Value::Object(translated(question.body)?);
        let body = serde_json::to_vec(&body).expect("JSON values can be written");
        let mut request = place.dressed(Request::post(place.url("/v1/messages")).json(body));
        if let Some(key) = place.key() {
            request = request.header("x-api-key", key.expose()).hide(key);
        }
        Ok(request.header("anthropic-version", VERSION))
    }

    fn read(&self, response: &Response) -> Outcome {
        let (status, request_id) = (response.status, response.header("request-id"));
        let request_id = request_id.unwrap_or_default().to_owned();
        if !response.is_success() {
            return Outcome::Failed(fault(response, request_id));
        }
        let body = serde_json::from_slice::<Value>(&response.body).ok();
        match body.filter(|body| body["type"] == "message") {
            Some(message) => {
                let usage = usage(&message["usage"]);
                let body = completion(&message, usage);
                Outcome::Answered(Answer { reply: Reply { status, request_id, body }, usage })
            }
            None => {
                let body = Value::String(response.text().chars().take(500).collect());
                let reply = Some(Reply { status, request_id, body });
                Outcome::Failed(unreadable("the answer", reply))
            }
        }
    }

    fn terms(&self) -> Terms {
        Terms { judge, readings, block: BLOCK, ..Terms::PLAIN }
    }

    fn event(&self, event: &Event) -> Result<Step, Fault> {
        let Ok(data) = serde_json::from_str::<Value>(&event.data) else {
            return Err(unreadable("a streamed answer", None));
        };
        let chunk = match data["type"].as_str().unwrap_or_default() {
            "message_start" => {
                let message = &data["message"];
                let mut head = chunk(&json!({"role": "assistant", "content": ""}), None);
                head["id"] = message["id"].clone();
                head["model"] = message["model"].clone();
                head["usage"] = usage(&message["usage"]).map_or(Value::Null, openai_usage);
                head
            }
            "content_block_delta" if data["delta"]["type"] == "text_delta" => {
                chunk(&json!({"content": data["delta"]["text"]}), None)
            }
            "message_delta" => {
                let reason = data["delta"]["stop_reason"].as_str().map(finish_reason);
                let mut tail = chunk(&json!({}), reason);
                if let Some(tokens) = data["usage"]["output_tokens"].as_u64() {
                    tail["usage"] = json!({"completion_tokens": tokens});
                }
                tail
            }
            "message_stop" => return Ok(Step::End),
            "error" => return Err(mid_stream(data)),
            _ => return Ok(Step::Nothing),
        };
        Ok(Step::Chunk(chunk))
    }
}

fn unsupported(message: String) -> RowError {
    RowError { code: "unsupported".to_owned(), message, reply: None }
}

/// The question in Anthropic's words.
fn translated(body: &Map<String, Value>) -> Result<Map<String, Value>, RowError> {
    let mut asked = Map::new();
    let mut most = Value::from(DEFAULT_MAX_TOKENS);
    let mut system = Vec::new();
    for (name, value) in body.iter().filter(|(_, value)| !value.is_null()) {
        match name.as_str() {
            "model" | "temperature" | "top_p" | "stream" => {
                asked.insert(name.clone(), value.clone());
            }
            "max_tokens" | "max_completion_tokens" => most = value.clone(),
            "messages" => {
                asked.insert(name.clone(), messages(value, &mut system)?);
            }
            "stop" => {
                let all = if value.is_array() { value.clone() } else { json!([value]) };
                asked.insert("stop_sequences".to_owned(), all);
            }
            "user" => {
                asked.insert("metadata".to_owned(), json!({"user_id": value}));
            }
            "response_format" => system.extend(wanted_form(value)),
            "n" if value.as_u64() == Some(1) => {}
            name if LEFT_OUT.contains(&name) => {}
            name => {
                let words = format!("'{name}' is not translated for anthropic: leave it out");
                return Err(unsupported(words));
            }
        }
    }
    asked.insert("max_tokens".to_owned(), most);
    if !system.is_empty() {
        asked.insert("system".to_owned(), Value::String(system.join("\n\n")));
    }
    Ok(asked)
}

/// The messages without those of the system, whose text goes to `system`.
fn messages(all: &Value, system: &mut Vec<String>) -> Result<Value, RowError> {
    let all = all.as_array().ok_or_else(|| unsupported("'messages' is no list".to_owned()))?;
    let mut kept = Vec::with_capacity(all.len());
    for message in all {
        match message["role"].as_str().unwrap_or_default() {
            "system" | "developer" => system.push(text_of(&message["content"])),
            role @ ("user" | "assistant") => {
                kept.push(json!({"role": role, "content": content(&message["content"])?}));
            }
            role => {
                let words = format!("a message of '{role}' is not translated for anthropic");
                return Err(unsupported(words));
            }
        }
    }
    Ok(Value::Array(kept))
}

/// A text, or the texts of parts.
fn text_of(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten();
    let texts: Vec<&str> = parts.filter_map(|part| part["text"].as_str()).collect();
    content.as_str().map_or_else(|| texts.join("\n"), str::to_owned)
}

fn content(content: &Value) -> Result<Value, RowError> {
    let Some(parts) = content.as_array() else { return Ok(content.clone()) };
    let translated = parts.iter().map(|part| match part["type"].as_str().unwrap_or_default() {
        "text" => Ok(json!({"type": "text", "text": part["text"]})),
        "image_url" => {
            let url = part["image_url"]["url"].as_str().unwrap_or_default();
            let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
            let source = inline.map_or_else(
                || json!({"type": "url", "url": url}),
                |(media, data)| json!({"type": "base64", "media_type": media, "data": data}),
            );
            Ok(json!({"type": "image", "source": source}))
        }
        kind => {
            Err(unsupported(format!("a part of type '{kind}' is not translated for anthropic")))
        }
    });
    translated.collect::<Result<Vec<_>, _>>().map(Value::Array)
}

/// The sentence that asks for what `response_format` wants.
fn wanted_form(format: &Value) -> Option<String> {
    match format["type"].as_str()? {
        "json_object" => Some("Answer with one JSON object and nothing else.".to_owned()),
        "json_schema" => Some(format!(
            "Answer with one JSON value that fits this JSON schema, and nothing else: {}",
            format["json_schema"]["schema"]
        )),
        _ => None,
    }
}

/// An answer in OpenAI's words.
fn completion(message: &Value, usage: Option<Usage>) -> Value {
    let blocks = message["content"].as_array().into_iter().flatten();
    let texts = blocks.filter(|block| block["type"] == "text");
    let text: String = texts.filter_map(|block| block["text"].as_str()).collect();
    let reason = message["stop_reason"].as_str().map(finish_reason);
    let said = json!({"role": "assistant", "content": text, "refusal": null});
    json!({
        "id": message["id"], "object": "chat.completion", "created": 0, "model": message["model"],
        "choices": [{"index": 0, "message": said, "finish_reason": reason}],
        "usage": usage.map(openai_usage),
    })
}

fn chunk(delta: &Value, finish_reason: Option<&str>) -> Value {
    let choice = json!({"index": 0, "delta": delta, "finish_reason": finish_reason});
    json!({"object": "chat.completion.chunk", "choices": [choice]})
}

fn finish_reason(stop_reason: &str) -> &'static str {
    match stop_reason {
        "max_tokens" | "model_context_window_exceeded" => "length",
        "tool_use" => "tool_calls",
        "refusal" => "content_filter",
        _ => "stop",
    }
}

/// What was used: what was read from the cache and written to it are parts of the question here.
fn usage(usage: &Value) -> Option<Usage> {
    let number = |name: &str| usage[name].as_u64();
    let cached = number("cache_read_input_tokens").unwrap_or_default();
    let written = number("cache_creation_input_tokens").unwrap_or_default();
    Some(Usage {
        prompt: number("input_tokens")? + cached + written,
        cached,
        completion: number("output_tokens").unwrap_or_default(),
        reasoning: 0,
    })
}

fn openai_usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    })
}

fn readings(response: &Response) -> Vec<Reading> {
    let of = |rule, limit, left| reading(response, rule, (limit, left));
    let requests = of(
        REQUESTS,
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
    );
    let tokens =
        of(TOKENS, "anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining");
    requests.into_iter().chain(tokens).collect()
}

#[cfg(test)]
mod tests {
    use finstage_seal::Secret;

    use super::*;
    use crate::provider::Remedy;

    fn place() -> Place {
        let key = Secret::new("sk-ant-1".to_owned());
        Place::new("https://api.anthropic.com", Some(&key)).unwrap()
    }

    fn asked(body: &Value) -> Result<Value, RowError> {
        let question = Question { url: CHAT, body: body.as_object().unwrap() };
        let request = Anthropic.request(&question, &place())?;
        assert_eq!(request.url(), "https://api.anthropic.com/v1/messages");
        Ok(serde_json::from_slice(request.body_bytes()).unwrap())
    }

    fn answer(status: u16, body: &Value) -> Outcome {
        let headers = vec![("request-id".to_owned(), "req_9".to_owned())];
        Anthropic.read(&Response { status, headers, body: body.to_string().into_bytes() })
    }

    #[test]
    fn a_question_is_asked_in_the_words_of_the_api() {
        let body = json!({
            "model": "claude", "max_completion_tokens": 50, "temperature": 0, "stop": "END", "seed": 1,
            "user": "u1",
            "messages": [
                {"role": "system", "content": "Be terse."},
                {"role": "developer", "content": [{"type": "text", "text": "In English."}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
                {"role": "assistant", "content": "A chart."}],
            "response_format": {"type": "json_object"},
        });
        let image = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
        let expected = json!({
            "model": "claude", "max_tokens": 50, "temperature": 0, "stop_sequences": ["END"],
            "metadata": {"user_id": "u1"},
            "system": "Be terse.\n\nIn English.\n\nAnswer with one JSON object and nothing else.",
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What?"}, {"type": "image", "source": image}]},
                {"role": "assistant", "content": "A chart."}],
        });
        assert_eq!(asked(&body).unwrap(), expected);
    }

    #[test]
    fn the_key_goes_into_its_own_header_and_is_not_printed() {
        let body = json!({"model": "claude", "messages": []});
        let question = Question { url: CHAT, body: body.as_object().unwrap() };
        let request = Anthropic.request(&question, &place()).unwrap();
        let headers = request.headers();
        assert!(headers.contains(&("x-api-key".to_owned(), "sk-ant-1".to_owned())));
        assert!(headers.contains(&("anthropic-version".to_owned(), VERSION.to_owned())));
        assert!(!format!("{request:?}").contains("sk-ant-1"));
        let sent: Value = serde_json::from_slice(request.body_bytes()).unwrap();
        assert_eq!(sent["max_tokens"], DEFAULT_MAX_TOKENS);
    }

    #[test]
    fn what_has_no_translation_is_refused_with_words() {
        for (member, word) in [
            (json!({"tools": []}), "tools"),
            (json!({"n": 2}), "'n'"),
            (json!({"messages": [{"role": "tool", "content": "x"}]}), "'tool'"),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}),
                "input_audio",
            ),
        ] {
            let error = asked(&member).unwrap_err();
            assert!(error.message.contains(word), "{error:?}");
        }
        let body = Map::new();
        let question = Question { url: crate::EMBEDDINGS, body: &body };
        assert_eq!(Anthropic.request(&question, &place()).unwrap_err().code, "unsupported");
    }

    #[test]
    fn an_answer_comes_back_in_openais_words() {
        let message = json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-1",
            "content": [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": "up "},
                        {"type": "text", "text": "0.5"}],
            "stop_reason": "max_tokens",
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 5,
                      "cache_creation_input_tokens": 2, "output_tokens": 3},
        });
        let Outcome::Answered(answer) = answer(200, &message) else { panic!("not read") };
        assert_eq!((answer.text(), answer.finish_reason()), ("up 0.5", "length"));
        assert_eq!(answer.reply.request_id, "req_9");
        assert_eq!(answer.reply.body["usage"]["total_tokens"], 20);
        let usage = Usage { prompt: 17, cached: 5, completion: 3, reasoning: 0 };
        assert_eq!(answer.usage, Some(usage));
        assert_eq!(super::super::openai::usage(&answer.reply.body), Some(usage));
    }

    #[test]
    fn errors_say_what_helps() {
        let failed = |status, kind: &str, message: &str| {
            let body = json!({"type": "error", "error": {"type": kind, "message": message}});
            match answer(status, &body) {
                Outcome::Failed(fault) => (fault.error.code, fault.remedy),
                Outcome::Answered(answer) => panic!("{answer:?}"),
            }
        };
        let overloaded = failed(529, "overloaded_error", "Overloaded");
        assert_eq!(overloaded, ("overloaded_error".to_owned(), Remedy::Later));
        assert_eq!(failed(429, "rate_limit_error", "").1, Remedy::Later);
        assert_eq!(failed(401, "authentication_error", "").1, Remedy::Access);
        assert_eq!(failed(404, "not_found_error", "model: x").1, Remedy::Model);
        assert_eq!(failed(400, "invalid_request_error", "max_tokens").1, Remedy::Question);
        let poor = failed(400, "invalid_request_error", "Your credit balance is too low to access");
        assert_eq!(poor.1, Remedy::Access);
    }

    #[test]
    fn streamed_events_become_chunks() {
        let step =
            |data: Value| Anthropic.event(&Event { name: String::new(), data: data.to_string() });
        assert_eq!(step(json!({"type": "ping"})), Ok(Step::Nothing));
        let delta = json!({"type": "content_block_delta", "index": 0,
                           "delta": {"type": "text_delta", "text": "up"}});
        let Ok(Step::Chunk(chunk)) = step(delta) else { panic!("no chunk") };
        assert_eq!(chunk["choices"][0]["delta"]["content"], "up");
        assert_eq!(step(json!({"type": "message_stop"})), Ok(Step::End));
        let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "m"}});
        assert_eq!(step(error).unwrap_err().error.code, "overloaded_error");
    }
}
