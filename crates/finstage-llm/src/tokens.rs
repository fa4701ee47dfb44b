//! How many tokens a question has, and how many it can have at most.

use serde_json::{Map, Value};
use tiktoken_rs::{CoreBPE, cl100k_base_singleton, o200k_base_singleton};

use crate::{EMBEDDINGS, Model, Row, Tokenizer};

/// The most tokens of an answer where neither the question nor the table of prices says it: an assumption.
pub const ASSUMED_COMPLETION: u64 = 4096;

/// What frames a message, and what comes before the answer, as OpenAI counts it.
///
/// Source: OpenAI Cookbook, "How to count tokens with tiktoken", section 6.
const PER_MESSAGE: u64 = 3;
const PER_NAME: u64 = 1;
const BEFORE_ANSWER: u64 = 3;
/// What frames a message at most, whatever the model: the longest frames of open models have ten tokens.
const MOST_PER_MESSAGE: u64 = 16;
/// What a model is told besides at most: the heads that some put in front of all messages.
const MOST_BESIDES: u64 = 64;
/// What a model is told besides at most where there are tools: Claude's text about them has 350 to 530 tokens.
const MOST_TOOLS: u64 = 1024;
/// A picture of 1024 by 1024, by OpenAI's tiles.
const IMAGE: u64 = 765;
/// A picture at most: eight tiles of the model that counts most for each.
const MOST_IMAGE: u64 = 48_200;
/// A text is counted in pieces of so many bytes, so that one word without end cannot take minutes. A cut adds
/// one token at most.
const PIECE_BYTES: usize = 32 << 10;

/// Tokens of a question, before it is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Estimate {
    /// Those of the question, as the model's tokenizer counts: exact for text and OpenAI's models but for a few,
    /// an estimate for others, tools and pictures.
    pub prompt: u64,
    /// Those of the question at most: a tokenizer that works on bytes makes no more tokens than there are bytes.
    pub most_prompt: u64,
    /// Those of the answer at most.
    pub most_completion: u64,
    /// Whether nobody said that, and [`ASSUMED_COMPLETION`] stands for it.
    pub is_assumed: bool,
}

impl Estimate {
    /// Counts the tokens of a question. The first call loads a tokenizer, which takes a fifth of a second.
    #[must_use]
    pub fn count(row: &Row, model: Option<&Model>) -> Self {
        Self::count_of((&row.url, &row.body), model)
    }

    /// The same of a question that is no row.
    pub(crate) fn count_of(question: (&str, &Map<String, Value>), model: Option<&Model>) -> Self {
        let bpe = match model.map(|model| model.tokenizer).unwrap_or_default() {
            Tokenizer::O200k => o200k_base_singleton(),
            Tokenizer::Cl100k => cl100k_base_singleton(),
        };
        Self::with(question, model, Some(bpe))
    }

    /// The bounds alone, without a tokenizer: `prompt` is the most there too.
    #[must_use]
    pub fn bound(row: &Row, model: Option<&Model>) -> Self {
        Self::bound_of((&row.url, &row.body), model)
    }

    /// The same of a question that is no row.
    pub(crate) fn bound_of(question: (&str, &Map<String, Value>), model: Option<&Model>) -> Self {
        Self::with(question, model, None)
    }

    fn with(
        (url, body): (&str, &Map<String, Value>),
        model: Option<&Model>,
        bpe: Option<&CoreBPE>,
    ) -> Self {
        let mut sum = Sum { bpe, prompt: 0, most: 0 };
        match url {
            EMBEDDINGS => sum.input(body.get("input").unwrap_or(&Value::Null)),
            _ if body.contains_key("messages") => sum.chat(body),
            _ => sum.json(&Value::Object(body.clone())),
        }
        let (most_completion, is_assumed) = match url {
            EMBEDDINGS => (0, false),
            _ => most_completion(body, model),
        };
        let Sum { prompt, most, .. } = sum;
        let prompt = if bpe.is_some() { prompt } else { most };
        Self { prompt, most_prompt: most, most_completion, is_assumed }
    }
}

/// The most tokens of all answers to a question, and whether that is assumed.
fn most_completion(body: &Map<String, Value>, model: Option<&Model>) -> (u64, bool) {
    const NAMES: [&str; 3] = ["max_completion_tokens", "max_tokens", "max_output_tokens"];
    let said = NAMES.iter().filter_map(|name| whole(body.get(*name)?)).max();
    let known = model.and_then(|model| model.most_output);
    let answers = body.get("n").and_then(whole).unwrap_or(1);
    // What a model was told to expect, and did not say, is paid for as if it had.
    let predicted = body.get("prediction").map_or(0, |text| text.to_string().len() as u64);
    let most = said.or(known).unwrap_or(ASSUMED_COMPLETION);
    (most.saturating_mul(answers).saturating_add(predicted), said.or(known).is_none())
}

fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().map(|value| value.max(0.0).ceil() as u64))
}

/// Tokens so far.
struct Sum<'a> {
    bpe: Option<&'a CoreBPE>,
    prompt: u64,
    most: u64,
}

impl Sum<'_> {
    fn add(&mut self, usual: u64, most: u64) {
        self.prompt += usual;
        self.most += most;
    }

    fn text(&mut self, text: &str) {
        self.most += text.len() as u64;
        let Some(bpe) = self.bpe else { return };
        let mut rest = text;
        while !rest.is_empty() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
            self.prompt += bpe.count_ordinary(piece) as u64;
            rest = behind;
        }
    }

    fn json(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            value => self.text(&value.to_string()),
        }
    }

    fn chat(&mut self, body: &Map<String, Value>) {
        self.add(BEFORE_ANSWER, MOST_BESIDES);
        for (name, value) in body {
            match (name.as_str(), value) {
                ("messages", Value::Array(messages)) => {
                    messages.iter().for_each(|message| self.message(message));
                }
                ("tools" | "functions", value) => {
                    self.add(PER_MESSAGE, MOST_TOOLS);
                    self.json(value);
                }
                ("messages" | "response_format" | "tool_choice" | "function_call", value) => {
                    self.json(value);
                }
                _ => {}
            }
        }
    }

    fn message(&mut self, message: &Value) {
        self.add(PER_MESSAGE, MOST_PER_MESSAGE);
        let Value::Object(message) = message else { return self.json(message) };
        for (name, value) in message {
            match (name.as_str(), value) {
                ("content", Value::Array(parts)) => parts.iter().for_each(|part| self.part(part)),
                ("name", Value::String(text)) => {
                    self.add(PER_NAME, PER_NAME);
                    self.text(text);
                }
                (_, Value::String(text)) => self.text(text),
                (_, value) => self.json(value),
            }
        }
    }

    fn part(&mut self, part: &Value) {
        match (part["type"].as_str(), part["text"].as_str()) {
            (Some("text"), Some(text)) => self.text(text),
            // Its size in bytes says nothing: it is seen in tiles.
            (Some("image_url"), _) => self.add(IMAGE, MOST_IMAGE),
            _ => self.json(part),
        }
    }

    /// What is turned into vectors: texts, or tokens.
    fn input(&mut self, input: &Value) {
        match input {
            Value::String(text) => {
                // Some put a token at the beginning and the end.
                self.add(0, MOST_PER_MESSAGE);
                self.text(text);
            }
            Value::Array(all) => all.iter().for_each(|one| self.input(one)),
            Value::Number(_) => self.add(1, 1),
            other => self.json(other),
        }
    }
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "bodies are written where they are asked about")]
mod tests {
    use finstage_store::suite::Rng;
    use serde_json::json;

    use super::*;
    use crate::{CHAT, Prices};

    fn row(url: &str, body: Value) -> Row {
        let body = body.as_object().unwrap().clone();
        Row { line: 1, custom_id: "a".into(), url: url.into(), body }
    }

    fn counted(url: &str, body: Value) -> Estimate {
        let row = row(url, body);
        Estimate::count(&row, Prices::built_in().model(row.model()))
    }

    fn asked(content: Value) -> Value {
        json!({"model": "gpt-4o", "messages": [{"role": "user", "content": content}]})
    }

    #[test]
    fn a_question_counts_as_the_provider_counts_it() {
        // The answer that OpenAI's reference shows for this question says 19.
        let hello = json!({"model": "gpt-4.1", "messages": [
            {"role": "developer", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Hello!"}]});
        assert_eq!(counted(CHAT, hello).prompt, 19);
        let parts = json!([{"type": "text", "text": "Hello!"}]);
        let (text, parts) = (counted(CHAT, asked(json!("Hello!"))), counted(CHAT, asked(parts)));
        assert_eq!(text.prompt, parts.prompt);
        assert_eq!(text.prompt, 3 + 1 + 2 + 3);
    }

    #[test]
    fn old_models_count_with_their_old_tokenizer() {
        let body = |model: &str| json!({"model": model, "messages": [{"role": "user", "content": "안녕하세요, 오늘 시장은 어떤가요?"}]});
        let (old, new) = (counted(CHAT, body("gpt-4-0613")), counted(CHAT, body("gpt-4o-mini")));
        assert!(old.prompt > new.prompt, "{old:?} {new:?}");
        assert_eq!(old.most_prompt, new.most_prompt);
    }

    #[test]
    fn no_tokenizer_makes_more_tokens_than_the_bound() {
        const BITS: [&str; 12] = [
            "price",
            " ",
            "\n\n",
            "가격이 올랐다",
            "🦀",
            "0123456789",
            "{\"a\":[1,2]}",
            "\u{0}\u{7f}",
            "ß",
            "股票",
            "<|endoftext|>",
            "        ",
        ];
        let mut rng = Rng::new(3);
        let mut text = || -> String { (0..rng.below(12)).map(|_| BITS[rng.below(12)]).collect() };
        for _ in 0..300 {
            let body = json!({"model": "m", "tools": [{"type": "function", "function": {"name": text()}}],
                "messages": [{"role": "system", "name": text(), "content": text()},
                    {"role": "assistant", "content": null, "tool_calls": [{"id": text()}]},
                    {"role": "user", "content": [{"type": "text", "text": text()},
                        {"type": "image_url", "image_url": {"url": text()}}]}]});
            let row = row(CHAT, body);
            let bounds = Estimate::bound(&row, None);
            for tokenizer in [o200k_base_singleton(), cl100k_base_singleton()] {
                let counted = Estimate::with((&row.url, &row.body), None, Some(tokenizer));
                assert!(counted.prompt <= bounds.most_prompt, "{counted:?}");
                assert_eq!(Estimate { prompt: bounds.prompt, ..counted }, bounds);
            }
        }
    }

    #[test]
    fn pictures_count_within_their_bound_and_not_by_their_bytes() {
        let url = format!("data:image/png;base64,{}", "A".repeat(1 << 20));
        let picture = json!({"type": "image_url", "image_url": {"url": url}});
        let estimate = counted(CHAT, asked(json!([picture, picture, picture])));
        assert!(estimate.prompt > 3 * 85 && estimate.prompt < estimate.most_prompt, "{estimate:?}");
        assert!(estimate.most_prompt < 1 << 18, "{estimate:?}");
    }

    #[test]
    fn the_most_of_an_answer_is_what_is_said_then_what_the_model_can_then_an_assumption() {
        let most = |more: Value| {
            let mut body = asked(json!("x"));
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let estimate = counted(CHAT, body);
            (estimate.most_completion, estimate.is_assumed)
        };
        assert_eq!(most(json!({"max_tokens": 50})), (50, false));
        assert_eq!(most(json!({"max_completion_tokens": 70.0, "n": 3})), (210, false));
        assert_eq!(most(json!({"n": 2})), (2 * 16_384, false));
        assert_eq!(most(json!({"model": "unknown", "n": 2})), (2 * ASSUMED_COMPLETION, true));
        let predicted = json!({"max_tokens": 5, "prediction": "1234"});
        assert_eq!(most(predicted), (5 + 6, false));
    }

    #[test]
    fn vectors_count_their_texts_or_their_tokens_and_answer_nothing() {
        let body = |input: Value| json!({"model": "text-embedding-3-small", "input": input});
        let one = counted(EMBEDDINGS, body(json!("Hello!")));
        assert_eq!((one.prompt, one.most_completion, one.is_assumed), (2, 0, false));
        assert_eq!(counted(EMBEDDINGS, body(json!(["Hello!", "Hello!"]))).prompt, 4);
        let tokens = counted(EMBEDDINGS, body(json!([[1, 2, 3], [4]])));
        assert_eq!((tokens.prompt, tokens.most_prompt), (4, 4));
    }

    #[test]
    fn a_word_without_end_is_counted_in_pieces() {
        let word = "가".repeat(200_000);
        let estimate = counted(CHAT, asked(json!(word)));
        assert!(estimate.prompt > 10_000 && estimate.prompt < estimate.most_prompt);
    }

    #[test]
    fn what_is_no_chat_counts_as_its_text() {
        let body = json!({"model": "m", "prompt": "Hello!"});
        let estimate = counted("/v1/completions", body.clone());
        assert_eq!(estimate.most_prompt, body.to_string().len() as u64);
        assert!(estimate.prompt > 2);
    }
}
