//! A question to a chat model, looked at as the venue looks at it: what is wrong is named with its parameter.

use serde_json::Value;

use super::catalog::{Kind, Model};
use super::failure::Failure;
use super::schema;
use super::tokens::{PER_ANSWER, PER_IMAGE, PER_MESSAGE, count_tokens};

/// The most messages of a question.
pub const MAX_MESSAGES: usize = 2_048;
/// The most answers that one question may ask for.
pub const MAX_CHOICES: u64 = 128;
/// The most tokens that all answers to one question may have together.
pub const MAX_ANSWER_TOKENS: u32 = 131_072;
/// The most tokens of an answer for which no limit is named.
pub const DEFAULT_MAX_TOKENS: u32 = 256;
const MAX_STOPS: usize = 4;
const ROLES: [&str; 6] = ["developer", "system", "user", "assistant", "tool", "function"];

/// A question that can be answered.
#[derive(Debug)]
pub(super) struct Chat {
    pub(super) model: &'static Model,
    /// What the user said last.
    pub(super) last: String,
    /// The instructions and all that was said, in order.
    pub(super) said: String,
    pub(super) prompt_tokens: u32,
    /// The most tokens of an answer.
    pub(super) max_tokens: u32,
    pub(super) choices: u32,
    pub(super) stop: Vec<String>,
    pub(super) seed: u64,
    pub(super) form: Form,
    pub(super) stream: Option<Stream>,
}

/// What an answer has to look like.
#[derive(Debug)]
pub(super) enum Form {
    Text,
    /// Any JSON object.
    Object,
    /// JSON that fits.
    Schema(Value),
    /// A call of a function: its name and the schema of its arguments.
    Call(String, Value),
}

/// How a stream is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stream {
    pub(super) has_usage: bool,
    pub(super) has_obfuscation: bool,
}

impl Chat {
    /// Reads a question.
    pub(super) fn read(body: &Value) -> Result<Self, Failure> {
        let model = model_of(body)?;
        if matches!(model.kind, Kind::Embedding(_)) {
            return Err(Failure::invalid("model", "This is not a chat model."));
        }
        let mut said = Said::default();
        said.hear(&body["messages"])?;
        let form = form(body, &said.all)?;
        let max_tokens = max_tokens(body, model)?;
        let choices = whole(body, "n", (1, MAX_CHOICES))?.unwrap_or(1) as u32;
        for (name, from, to) in
            [("temperature", 0.0, 2.0), ("top_p", 0.0, 1.0), ("presence_penalty", -2.0, 2.0)]
        {
            number(body, name, (from, to))?;
        }
        let mut prompt_tokens = said.tokens + PER_ANSWER;
        for shaping in ["tools", "response_format"] {
            if !body[shaping].is_null() {
                prompt_tokens += count_tokens(&body[shaping].to_string());
            }
        }
        let asked = u64::from(prompt_tokens) + u64::from(max_tokens.unwrap_or(0));
        if asked > u64::from(model.context) {
            return Err(Failure::too_long(model.context, asked));
        }
        let max_tokens = max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
        check_length(model, (max_tokens, choices))?;
        let seed = match &body["seed"] {
            Value::Null => 0,
            seed => seed.as_i64().ok_or_else(|| wrong_type("seed", "an integer"))? as u64,
        };
        Ok(Self {
            model,
            last: said.last,
            said: said.all,
            prompt_tokens,
            max_tokens,
            choices,
            stop: stops(&body["stop"])?,
            seed,
            form,
            stream: stream(body)?,
        })
    }

    /// What the limits reserve on arrival.
    pub(super) fn reserved(&self) -> u32 {
        self.prompt_tokens.saturating_add(self.max_tokens.saturating_mul(self.choices))
    }
}

/// The model that a question names.
pub(super) fn model_of(body: &Value) -> Result<&'static Model, Failure> {
    match &body["model"] {
        Value::Null => Err(Failure::invalid("", "you must provide a model parameter")),
        Value::String(name) => Model::find(name).ok_or_else(|| Failure::unknown_model(name)),
        _ => Err(wrong_type("model", "a string")),
    }
}

/// What was said to the model.
#[derive(Debug, Default)]
struct Said {
    all: String,
    last: String,
    tokens: u32,
}

impl Said {
    fn hear(&mut self, messages: &Value) -> Result<(), Failure> {
        let messages = match messages {
            Value::Null => return Err(Failure::missing("messages")),
            Value::Array(messages) => messages,
            _ => return Err(wrong_type("messages", "an array of objects")),
        };
        if messages.is_empty() || messages.len() > MAX_MESSAGES {
            let said = format!("Invalid 'messages': from 1 to {MAX_MESSAGES} messages are taken.");
            return Err(Failure::invalid("messages", said));
        }
        for (i, message) in messages.iter().enumerate() {
            let place = |key: &str| format!("messages[{i}].{key}");
            let role = message["role"].as_str().unwrap_or_default();
            if message["role"].is_null() {
                return Err(Failure::missing(&place("role")));
            }
            if !ROLES.contains(&role) {
                let said = format!(
                    "Invalid value: '{role}'. Supported values are: {}.",
                    ROLES.map(|role| format!("'{role}'")).join(", ")
                );
                return Err(Failure::invalid_value(&place("role"), said));
            }
            if role == "tool" && !message["tool_call_id"].is_string() {
                return Err(Failure::missing(&place("tool_call_id")));
            }
            let text = self.text(message, &place("content"))?;
            self.tokens += PER_MESSAGE + count_tokens(&text);
            if role == "user" {
                self.last.clone_from(&text);
            }
            self.all.push_str(&text);
            self.all.push('\n');
        }
        Ok(())
    }

    fn text(&mut self, message: &Value, place: &str) -> Result<String, Failure> {
        let parts = match &message["content"] {
            Value::String(text) => return Ok(text.clone()),
            // What an assistant did may be calls alone.
            Value::Null if message["role"] == "assistant" => return Ok(String::new()),
            Value::Null => return Err(Failure::missing(place)),
            Value::Array(parts) => parts,
            _ => return Err(wrong_type(place, "a string or an array of parts")),
        };
        let mut text = String::new();
        for part in parts {
            match (part["type"].as_str(), &part["text"]) {
                (Some("text"), Value::String(words)) => text.push_str(words),
                (Some("image_url"), _) if part["image_url"]["url"].is_string() => {
                    self.tokens += PER_IMAGE;
                }
                (Some("refusal"), _) => {}
                _ => return Err(Failure::invalid_value(place, "Invalid part of a message.")),
            }
        }
        Ok(text)
    }
}

fn max_tokens(body: &Value, model: &Model) -> Result<Option<u32>, Failure> {
    let bounds = (1, u64::from(u32::MAX));
    let older = whole(body, "max_tokens", bounds)?;
    if older.is_some() && model.kind == Kind::Reasoning {
        return Err(Failure::unsupported("max_tokens", "max_completion_tokens"));
    }
    let newer = whole(body, "max_completion_tokens", bounds)?;
    Ok(newer.or(older).map(|tokens| tokens as u32))
}

fn check_length(model: &Model, (tokens, choices): (u32, u32)) -> Result<(), Failure> {
    let most = model.output.min(MAX_ANSWER_TOKENS / choices.max(1));
    if tokens <= most {
        return Ok(());
    }
    let words = format!(
        "max_tokens is too large: {tokens}. This model supports at most {most} completion tokens for {choices} \
         choices, whereas you provided {tokens}."
    );
    Err(Failure::invalid_value("max_tokens", words))
}

fn stops(stop: &Value) -> Result<Vec<String>, Failure> {
    match stop {
        Value::Null => Ok(Vec::new()),
        Value::String(one) => Ok(vec![one.clone()]),
        Value::Array(all) if all.len() <= MAX_STOPS => {
            let texts = all.iter().map(|one| one.as_str().map(str::to_owned));
            let texts: Option<Vec<String>> = texts.collect();
            texts.ok_or_else(|| wrong_type("stop", "a string or an array of strings"))
        }
        Value::Array(_) => {
            Err(Failure::invalid("stop", format!("At most {MAX_STOPS} sequences are taken.")))
        }
        _ => Err(wrong_type("stop", "a string or an array of strings")),
    }
}

fn form(body: &Value, said: &str) -> Result<Form, Failure> {
    if let Some(form) = call(body)? {
        return Ok(form);
    }
    let format = &body["response_format"];
    match format["type"].as_str() {
        None if format.is_null() => Ok(Form::Text),
        Some("text") => Ok(Form::Text),
        Some("json_object") => {
            if !said.to_lowercase().contains("json") {
                let words = "'messages' must contain the word 'json' in some form, to use \
                             'response_format' of type 'json_object'.";
                return Err(Failure::invalid("messages", words));
            }
            Ok(Form::Object)
        }
        Some("json_schema") => {
            let wanted = &format["json_schema"];
            if !wanted["name"].is_string() {
                return Err(Failure::missing("response_format.json_schema.name"));
            }
            if wanted["strict"] == true {
                schema::check_strict(&wanted["schema"]).map_err(|what| {
                    let name = wanted["name"].as_str().unwrap_or_default();
                    let words = format!("Invalid schema for response_format '{name}': {what}");
                    Failure::invalid("response_format", words)
                })?;
            }
            Ok(Form::Schema(wanted["schema"].clone()))
        }
        _ => Err(Failure::invalid_value(
            "response_format.type",
            "Invalid value. Supported values are: 'text', 'json_object', and 'json_schema'.",
        )),
    }
}

/// The call that a question demands. Where it may choose, the model calls nothing.
fn call(body: &Value) -> Result<Option<Form>, Failure> {
    let tools = match &body["tools"] {
        Value::Null => &[][..],
        Value::Array(tools) => tools.as_slice(),
        _ => return Err(wrong_type("tools", "an array of objects")),
    };
    if let Some(i) = tools.iter().position(|tool| !tool["function"]["name"].is_string()) {
        return Err(Failure::missing(&format!("tools[{i}].function.name")));
    }
    let of = |tool: &Value| {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or_default().to_owned();
        Form::Call(name, function["parameters"].clone())
    };
    match &body["tool_choice"] {
        Value::Null => Ok(None),
        Value::String(word) => match word.as_str() {
            "none" | "auto" => Ok(None),
            "required" if !tools.is_empty() => Ok(tools.first().map(of)),
            _ => Err(Failure::invalid_value("tool_choice", "Invalid value for 'tool_choice'.")),
        },
        choice => {
            let name = &choice["function"]["name"];
            let tool = tools.iter().find(|tool| tool["function"]["name"] == *name);
            match tool {
                Some(tool) => Ok(Some(of(tool))),
                None => Err(Failure::invalid_value(
                    "tool_choice",
                    "Invalid value for 'tool_choice': the function is not one of 'tools'.",
                )),
            }
        }
    }
}

fn stream(body: &Value) -> Result<Option<Stream>, Failure> {
    let options = &body["stream_options"];
    match &body["stream"] {
        Value::Bool(true) => Ok(Some(Stream {
            has_usage: options["include_usage"] == true,
            has_obfuscation: options["include_obfuscation"] != false,
        })),
        Value::Null | Value::Bool(false) if options.is_null() => Ok(None),
        Value::Null | Value::Bool(false) => Err(Failure::invalid(
            "stream_options",
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        )),
        _ => Err(wrong_type("stream", "a boolean")),
    }
}

fn whole(body: &Value, name: &str, (from, to): (u64, u64)) -> Result<Option<u64>, Failure> {
    match &body[name] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(n) if (from..=to).contains(&n) => Ok(Some(n)),
            _ if value.is_number() => {
                let words =
                    format!("Invalid '{name}': expected a whole number from {from} to {to}.");
                Err(Failure::invalid_value(name, words))
            }
            _ => Err(wrong_type(name, "an integer")),
        },
    }
}

fn number(body: &Value, name: &str, (from, to): (f64, f64)) -> Result<(), Failure> {
    match &body[name] {
        Value::Null => Ok(()),
        value => match value.as_f64() {
            Some(n) if (from..=to).contains(&n) => Ok(()),
            Some(_) => {
                let words = format!("Invalid '{name}': expected a number from {from} to {to}.");
                Err(Failure::invalid_value(name, words))
            }
            None => Err(wrong_type(name, "a number")),
        },
    }
}

fn wrong_type(param: &str, wanted: &str) -> Failure {
    let words = format!("Invalid type for '{param}': expected {wanted}.");
    Failure { code: Some("invalid_type"), ..Failure::invalid(param, words) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(change: &Value) -> (u16, Option<&'static str>, String) {
        let mut body =
            json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in change.as_object().unwrap() {
            body[key] = value.clone();
        }
        let failure = Chat::read(&body).unwrap_err();
        (failure.status, failure.code, failure.param.unwrap_or_default())
    }

    #[test]
    fn what_is_wrong_with_a_question_is_named() {
        let told = |status, code, param: &str| (status, code, param.to_owned());
        let cases = [
            (json!({"model": null}), told(400, None, "")),
            (json!({"model": "gpt-9"}), told(404, Some("model_not_found"), "")),
            (json!({"model": "text-embedding-3-small"}), told(400, None, "model")),
            (json!({"messages": null}), told(400, Some("missing_required_parameter"), "messages")),
            (json!({"messages": []}), told(400, None, "messages")),
            (
                json!({"messages": [{"role": "boss", "content": ""}]}),
                told(400, Some("invalid_value"), "messages[0].role"),
            ),
            (
                json!({"messages": [{"role": "tool", "content": ""}]}),
                told(400, Some("missing_required_parameter"), "messages[0].tool_call_id"),
            ),
            (json!({"n": 0}), told(400, Some("invalid_value"), "n")),
            (json!({"n": "2"}), told(400, Some("invalid_type"), "n")),
            (json!({"temperature": 2.5}), told(400, Some("invalid_value"), "temperature")),
            (json!({"max_tokens": 0}), told(400, Some("invalid_value"), "max_tokens")),
            (
                json!({"model": "o4-mini", "max_tokens": 9}),
                told(400, Some("unsupported_parameter"), "max_tokens"),
            ),
            (
                json!({"max_tokens": 128_000}),
                told(400, Some("context_length_exceeded"), "messages"),
            ),
            (json!({"max_tokens": 16_385}), told(400, Some("invalid_value"), "max_tokens")),
            (
                json!({"max_tokens": 2_000, "n": 100}),
                told(400, Some("invalid_value"), "max_tokens"),
            ),
            (json!({"stop": ["a", "b", "c", "d", "e"]}), told(400, None, "stop")),
            (json!({"response_format": {"type": "json_object"}}), told(400, None, "messages")),
            (
                json!({"response_format": {"type": "yaml"}}),
                told(400, Some("invalid_value"), "response_format.type"),
            ),
            (json!({"stream_options": {"include_usage": true}}), told(400, None, "stream_options")),
            (json!({"tool_choice": "required"}), told(400, Some("invalid_value"), "tool_choice")),
        ];
        for (change, expected) in cases {
            assert_eq!(refused(&change), expected, "{change}");
        }
    }

    #[test]
    fn tokens_are_reserved_for_the_prompt_and_all_that_may_be_answered() {
        let body = json!({
            "model": "gpt-4o-mini", "n": 2, "max_tokens": 50,
            "messages": [{"role": "system", "content": "abcd"}, {"role": "user", "content": "abcde"}],
        });
        let chat = Chat::read(&body).unwrap();
        assert_eq!(chat.prompt_tokens, (4 + 1) + (4 + 2) + 3);
        assert_eq!(chat.reserved(), 14 + 2 * 50);
        assert_eq!(chat.last, "abcde");
    }
}
