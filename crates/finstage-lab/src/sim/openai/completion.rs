//! Answers of a chat model as they are written down: one object, or the events of a stream, as text.

use serde_json::{Map, Value, json};

use super::chat::{Chat, Stream};
use super::script::{Answers, Choice, Said};
use super::tokens::pieces;
use crate::rng::mix;

/// What all pieces of an answer have in common.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: i64,
    pub(super) fingerprint: String,
}

/// What is said about tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Usage {
    #[default]
    True,
    /// Nothing.
    Missing,
    /// Numbers that are not so, and do not add up.
    Wrong,
}

impl Usage {
    pub(super) fn shown(self, answers: &Answers) -> Option<Value> {
        let (prompt, completion) = (answers.prompt_tokens, answers.completion_tokens);
        match self {
            Self::Missing => None,
            Self::Wrong => Some(json!({
                "prompt_tokens": u64::from(prompt) * 10, "completion_tokens": 0, "total_tokens": 1,
            })),
            Self::True => Some(json!({
                "prompt_tokens": prompt, "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {
                    "reasoning_tokens": answers.reasoning_tokens, "audio_tokens": 0,
                    "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0,
                },
            })),
        }
    }
}

/// An answer as one object.
pub(super) fn whole(chat: &Chat, (head, answers): (&Head, &Answers), usage: Usage) -> String {
    let choices = answers.choices.iter().enumerate().map(|(i, choice)| {
        json!({
            "index": i, "message": message(choice), "logprobs": null,
            "finish_reason": choice.finish,
        })
    });
    let mut whole = json!({
        "id": head.id, "object": "chat.completion", "created": head.created,
        "model": chat.model.snapshot, "choices": choices.collect::<Value>(),
        "service_tier": "default", "system_fingerprint": head.fingerprint,
    });
    if let Some(usage) = usage.shown(answers) {
        whole["usage"] = usage;
    }
    whole.to_string()
}

fn message(choice: &Choice) -> Value {
    let (content, refusal) = match &choice.said {
        Said::Text(text) => (json!(text), Value::Null),
        Said::Refusal(text) => (Value::Null, json!(text)),
        Said::Call { .. } => (Value::Null, Value::Null),
    };
    let mut message = json!({
        "role": "assistant", "content": content, "refusal": refusal, "annotations": [],
    });
    if let Said::Call { id, name, arguments } = &choice.said {
        message["tool_calls"] = json!([{
            "id": id, "type": "function", "function": {"name": name, "arguments": arguments},
        }]);
    }
    message
}

/// An answer as the events of a stream, without the `[DONE]` at its end.
pub(super) fn events(
    chat: &Chat,
    (head, answers): (&Head, &Answers),
    (stream, usage): (Stream, Usage),
) -> Vec<String> {
    let writer = Writer { chat, head, stream };
    let mut events = Vec::new();
    for (i, choice) in answers.choices.iter().enumerate() {
        writer.choice((i, choice), &mut events);
    }
    if let Some(shown) = usage.shown(answers).filter(|_| stream.has_usage) {
        let mut last = writer.event(&json!([]));
        last["usage"] = shown;
        events.push(last.to_string());
    }
    events
}

struct Writer<'a> {
    chat: &'a Chat,
    head: &'a Head,
    stream: Stream,
}

impl Writer<'_> {
    fn event(&self, choices: &Value) -> Value {
        let Head { id, created, fingerprint } = self.head;
        let mut event = json!({
            "id": id, "object": "chat.completion.chunk", "created": created,
            "model": self.chat.model.snapshot, "service_tier": "default",
            "system_fingerprint": fingerprint, "choices": choices,
        });
        if self.stream.has_usage {
            event["usage"] = Value::Null;
        }
        event
    }

    fn choice(&self, (index, choice): (usize, &Choice), events: &mut Vec<String>) {
        let mut say = |delta: Value, finish: Option<&str>| {
            let mut event = self.event(&json!([{
                "index": index, "delta": delta, "logprobs": null, "finish_reason": finish,
            }]));
            if self.stream.has_obfuscation {
                // So that sizes say nothing about the text: the venue does it too.
                let letters = 1 + mix(events.len() as u64, index as u64, 3) as usize % 12;
                event["obfuscation"] = json!("x".repeat(letters));
            }
            events.push(event.to_string());
        };
        match &choice.said {
            Said::Text(text) => {
                say(json!({"role": "assistant", "content": "", "refusal": null}), None);
                pieces(text).for_each(|piece| say(json!({"content": piece}), None));
            }
            Said::Refusal(text) => {
                say(json!({"role": "assistant", "content": null, "refusal": ""}), None);
                pieces(text).for_each(|piece| say(json!({"refusal": piece}), None));
            }
            Said::Call { id, name, arguments } => {
                let call = |own: Value| {
                    let mut call = Map::from_iter([("index".to_owned(), json!(0))]);
                    call.extend(own.as_object().cloned().unwrap_or_default());
                    json!([call])
                };
                let first = json!({
                    "id": id, "type": "function", "function": {"name": name, "arguments": ""},
                });
                let opening = json!({
                    "role": "assistant", "content": null, "tool_calls": call(first),
                });
                say(opening, None);
                for piece in pieces(arguments) {
                    let more = call(json!({"function": {"arguments": piece}}));
                    say(json!({"tool_calls": more}), None);
                }
            }
        }
        say(json!({}), Some(choice.finish));
    }
}
