use std::fmt;

use serde_json::Value;

use crate::provider::Question;

/// How large a question is and its answer may be, in tokens, before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sizes {
    /// The question, as counted or estimated.
    pub prompt: u64,
    /// The most that the question can be, whatever counts it.
    pub most_prompt: u64,
    /// The most that the answer may be.
    pub most_completion: u64,
}

/// Counts tokens before a question is asked.
pub trait Counting: fmt::Debug + Send + Sync {
    /// The sizes of a question.
    fn count(&self, question: &Question<'_>) -> Sizes;
}

/// The most tokens of an answer to a question that names none.
pub(crate) const ASSUMED_COMPLETION: u64 = 4_096;

/// Counts bytes: quick and without tables, and a bound for every tokenizer that works on bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteCounting;

/// Bytes of English text to a token, about.
const TOKEN_BYTES: u64 = 4;
/// Tokens that stand around a message, and around all of them.
const AROUND: u64 = 16;

impl Counting for ByteCounting {
    fn count(&self, question: &Question<'_>) -> Sizes {
        let number = |name: &str| question.body.get(name).and_then(Value::as_u64);
        let most = number("max_completion_tokens").or_else(|| number("max_tokens"));
        let completion = match question.body.contains_key("messages") {
            true => most.unwrap_or(ASSUMED_COMPLETION) * number("n").unwrap_or(1).max(1),
            false => 0,
        };
        let bytes: u64 = question.body.values().map(text_bytes).sum();
        Sizes {
            prompt: bytes / TOKEN_BYTES + AROUND / 2,
            most_prompt: bytes + AROUND,
            most_completion: completion,
        }
    }
}

/// Bytes of all text in a value, and [`AROUND`] for each object.
fn text_bytes(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(all) => all.iter().map(text_bytes).sum(),
        Value::Object(members) => {
            let named = members.iter().map(|(name, value)| name.len() as u64 + text_bytes(value));
            AROUND + named.sum::<u64>()
        }
        _ => TOKEN_BYTES,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{CHAT, EMBEDDINGS};

    #[test]
    fn the_most_of_an_answer_is_what_the_question_allows() {
        let count = |url, body: Value| {
            ByteCounting.count(&Question { url, body: body.as_object().unwrap() })
        };
        let messages = json!([{"role": "user", "content": "x".repeat(400)}]);
        let sizes = count(CHAT, json!({"messages": messages, "max_tokens": 7, "n": 3}));
        assert_eq!(sizes.most_completion, 21);
        assert!((100..200).contains(&sizes.prompt) && sizes.most_prompt >= 400, "{sizes:?}");
        let unnamed = count(CHAT, json!({"messages": messages}));
        assert_eq!(unnamed.most_completion, ASSUMED_COMPLETION);
        assert_eq!(count(EMBEDDINGS, json!({"input": "abc"})).most_completion, 0);
    }
}
