//! Chunks become the answer that would have come at once.

use serde_json::{Map, Value, json};

/// The most text that is gathered, in bytes.
pub const MAX_STREAM_BYTES: usize = 16 << 20;
/// The most choices of an answer, and tool calls of a choice.
pub const MAX_PARTS: usize = 128;

/// What has come of an answer.
#[derive(Debug, Default)]
pub struct Gathered {
    head: Map<String, Value>,
    choices: Vec<Choice>,
    usage: Map<String, Value>,
    bytes: usize,
    /// An answer that came at once, and whether its text was told.
    whole: Option<(Value, bool)>,
}

#[derive(Debug, Default)]
struct Choice {
    content: Option<String>,
    refusal: Option<String>,
    calls: Vec<Call>,
    finish_reason: Value,
}

#[derive(Debug, Default)]
struct Call {
    id: String,
    name: String,
    arguments: String,
}

impl Gathered {
    /// An answer that came at once.
    pub(super) fn of_whole(body: Value) -> Self {
        Self { whole: Some((body, false)), ..Self::default() }
    }

    pub(super) const fn is_whole(&self) -> bool {
        self.whole.is_some()
    }

    /// The text of an answer that came at once, the first time.
    pub(super) fn take_untold(&mut self) -> Option<String> {
        let (body, is_told) = self.whole.as_mut().filter(|(_, is_told)| !is_told)?;
        *is_told = true;
        let text = body.pointer("/choices/0/message/content").and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(str::to_owned)
    }

    /// Adds a chunk, and gives the text that it adds to the first choice. `None` when there is too much.
    pub fn add(&mut self, chunk: &Value) -> Option<String> {
        for name in ["id", "created", "model", "system_fingerprint", "service_tier"] {
            if let Some(value) = chunk.get(name).filter(|value| !value.is_null()) {
                self.head.insert(name.to_owned(), value.clone());
            }
        }
        if let Some(usage) = chunk.get("usage").and_then(Value::as_object) {
            let told = usage.iter().filter(|(_, value)| !value.is_null());
            self.usage.extend(told.map(|(name, value)| (name.clone(), value.clone())));
        }
        let mut told = String::new();
        for part in chunk.get("choices").and_then(Value::as_array).into_iter().flatten() {
            let at = part["index"].as_u64().unwrap_or_default() as usize;
            if at >= MAX_PARTS {
                return None;
            }
            if self.choices.len() <= at {
                self.choices.resize_with(at + 1, Choice::default);
            }
            let (text, bytes) = self.choices[at].add(part)?;
            self.bytes += bytes;
            if at == 0 {
                told.push_str(text);
            }
        }
        (self.bytes <= MAX_STREAM_BYTES).then_some(told)
    }

    /// The answer, in the form of one that was not streamed.
    #[must_use]
    pub fn into_body(self) -> Value {
        if let Some((body, _)) = self.whole {
            return body;
        }
        let mut body = self.head;
        body.insert("object".to_owned(), json!("chat.completion"));
        let choices = self.choices.into_iter().enumerate();
        let choices: Vec<Value> = choices.map(|(index, choice)| choice.into_value(index)).collect();
        body.insert("choices".to_owned(), Value::Array(choices));
        if !self.usage.is_empty() {
            let number = |name: &str| self.usage.get(name).and_then(Value::as_u64);
            let both = number("prompt_tokens").zip(number("completion_tokens"));
            let mut usage = self.usage.clone();
            if let Some((prompt, completion)) = both {
                // Told in parts, the sum of one part would be wrong.
                usage.insert("total_tokens".to_owned(), json!(prompt + completion));
            }
            body.insert("usage".to_owned(), Value::Object(usage));
        }
        Value::Object(body)
    }
}

impl Choice {
    /// Adds a piece; gives its text and how many bytes came.
    fn add<'a>(&mut self, part: &'a Value) -> Option<(&'a str, usize)> {
        if !part["finish_reason"].is_null() {
            self.finish_reason = part["finish_reason"].clone();
        }
        let delta = &part["delta"];
        let text = delta["content"].as_str();
        let refusal = delta["refusal"].as_str();
        if let Some(text) = text {
            self.content.get_or_insert_default().push_str(text);
        }
        if let Some(refusal) = refusal {
            self.refusal.get_or_insert_default().push_str(refusal);
        }
        let mut bytes = text.map_or(0, str::len) + refusal.map_or(0, str::len);
        for call in delta["tool_calls"].as_array().into_iter().flatten() {
            let at = call["index"].as_u64().unwrap_or_default() as usize;
            if at >= MAX_PARTS {
                return None;
            }
            if self.calls.len() <= at {
                self.calls.resize_with(at + 1, Call::default);
            }
            let own = &mut self.calls[at];
            let pieces = [
                (&mut own.id, &call["id"]),
                (&mut own.name, &call["function"]["name"]),
                (&mut own.arguments, &call["function"]["arguments"]),
            ];
            for (whole, piece) in pieces {
                let piece = piece.as_str().unwrap_or_default();
                whole.push_str(piece);
                bytes += piece.len();
            }
        }
        Some((text.unwrap_or_default(), bytes))
    }

    fn into_value(self, index: usize) -> Value {
        let calls: Vec<Value> = self.calls.into_iter().map(Call::into_value).collect();
        let mut message = json!({
            "role": "assistant", "content": self.content.filter(|text| !text.is_empty() || calls.is_empty()),
            "refusal": self.refusal,
        });
        if !calls.is_empty() {
            message["tool_calls"] = Value::Array(calls);
        }
        json!({"index": index, "message": message, "finish_reason": self.finish_reason})
    }
}

impl Call {
    fn into_value(self) -> Value {
        let function = json!({"name": self.name, "arguments": self.arguments});
        json!({"id": self.id, "type": "function", "function": function})
    }
}
