//! A question's body: what has to be known of it, and what has to be added.

use bytes::Bytes;
use finstage_llm::Usage;
use finstage_net::Request;
use finstage_server::Asked;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Headers of a program that belong to its question and go on.
const PASSED: [&str; 4] = ["content-type", "accept", "openai-beta", "x-client-request-id"];

/// A request with those headers of the program's that belong to its question.
pub(super) fn dressed(request: Request, asked: &Asked) -> Request {
    PASSED.iter().fold(request, |request, name| match asked.header(name) {
        Some(value) => request.header(*name, value),
        None => request,
    })
}

/// The body with the wish for usage at the end of the stream, as it was written but for that.
pub(super) fn with_usage(written: &Bytes, body: &Map<String, Value>) -> Vec<u8> {
    let start = written.iter().position(|byte| *byte == b'{').map_or(0, |at| at + 1);
    if !body.contains_key("stream_options") {
        let (before, after) = written.split_at(start);
        // A streamed question has members: what follows is one.
        return [before, br#""stream_options":{"include_usage":true},"#, after].concat();
    }
    let mut body = body.clone();
    match body.get_mut("stream_options") {
        Some(Value::Object(options)) => {
            options.insert("include_usage".to_owned(), Value::Bool(true));
        }
        other => {
            if let Some(other) = other {
                *other = json!({"include_usage": true});
            }
        }
    }
    serde_json::to_vec(&body).expect("JSON values can be written")
}

/// Whether the program itself asked for usage at the end of the stream.
pub(super) fn wants_usage(body: &Map<String, Value>) -> bool {
    let wish = body.get("stream_options").and_then(|options| options.get("include_usage"));
    wish.and_then(Value::as_bool).unwrap_or_default()
}

/// Whether two askers may be given the same answer.
pub(super) fn is_settled(body: &Map<String, Value>) -> bool {
    let is_stored = body.get("store").and_then(Value::as_bool).unwrap_or_default();
    let is_cold = match body.get("temperature") {
        None | Some(Value::Null) => true,
        Some(temperature) => temperature.as_f64() == Some(0.0),
    };
    is_cold && !is_stored
}

/// What an answer used, whichever interface wrote it.
#[derive(Deserialize)]
struct Answer {
    usage: Option<Written>,
    /// Where events of `responses` have it.
    response: Option<Inner>,
}

#[derive(Deserialize)]
struct Inner {
    usage: Option<Written>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(alias = "input_tokens")]
    prompt_tokens: Option<u64>,
    #[serde(alias = "output_tokens")]
    completion_tokens: Option<u64>,
    #[serde(alias = "input_tokens_details")]
    prompt_tokens_details: Option<Details>,
    #[serde(alias = "output_tokens_details")]
    completion_tokens_details: Option<Details>,
}

#[derive(Deserialize, Default)]
struct Details {
    cached_tokens: Option<u64>,
    reasoning_tokens: Option<u64>,
}

/// What an answer, or an event of one, says that was used.
pub(super) fn usage(answer: &[u8]) -> Option<Usage> {
    let answer: Answer = serde_json::from_slice(answer).ok()?;
    let written = answer.usage.or_else(|| answer.response?.usage)?;
    let details = |details: Option<Details>| details.unwrap_or_default();
    Some(Usage {
        prompt: written.prompt_tokens?,
        cached: details(written.prompt_tokens_details).cached_tokens.unwrap_or_default(),
        completion: written.completion_tokens.unwrap_or_default(),
        reasoning: details(written.completion_tokens_details).reasoning_tokens.unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Map<String, Value> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_body_is_sent_as_it_was_written_but_for_the_wish_for_usage() {
        let written = r#" { "model" : "m", "seed":12345678901234567890123, "stream":true }"#;
        let sent = with_usage(&Bytes::from(written), &read(written));
        let expected = r#" {"stream_options":{"include_usage":true}, "model" : "m", "seed":12345678901234567890123, "stream":true }"#;
        assert_eq!(String::from_utf8(sent).unwrap(), expected);
        for own in [r#"{"include_usage":false,"x":1}"#, "null"] {
            let written = format!(r#"{{"stream":true,"stream_options":{own}}}"#);
            let sent = with_usage(&Bytes::from(written.clone()), &read(&written));
            let sent = read(&String::from_utf8(sent).unwrap());
            assert!(wants_usage(&sent) && !wants_usage(&read(&written)), "{sent:?}");
            assert_eq!(sent["stream_options"].get("x").is_some(), own.contains('x'));
        }
    }

    #[test]
    fn usage_is_read_in_the_words_of_each_interface() {
        let chat = br#"{"id":"a","usage":{"prompt_tokens":19,"completion_tokens":10,"prompt_tokens_details":{"cached_tokens":4}}}"#;
        let expected = Usage { prompt: 19, cached: 4, completion: 10, reasoning: 0 };
        assert_eq!(usage(chat), Some(expected));
        let event = br#"{"type":"response.completed","response":{"usage":{"input_tokens":19,"output_tokens":10,"input_tokens_details":{"cached_tokens":4},"output_tokens_details":{"reasoning_tokens":0}}}}"#;
        assert_eq!(usage(event), Some(expected));
        assert_eq!(usage(br#"{"usage":null}"#), None);
        assert_eq!(usage(b"<html>"), None);
    }

    #[test]
    fn only_settled_answers_are_shared() {
        assert!(is_settled(&read("{}")) && is_settled(&read(r#"{"temperature":0}"#)));
        assert!(!is_settled(&read(r#"{"temperature":0.1}"#)));
        assert!(!is_settled(&read(r#"{"store":true}"#)));
    }
}
