//! The file of a batch: what is wrong with it, line by line, and what its lines will be answered.

use std::collections::HashMap;

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::catalog::Model;
use super::super::failure::Failure;
use super::super::files::MAX_TOTAL_BYTES;
use super::super::options::Dialect;
use super::super::script::id;
use super::MAX_LINES;
use crate::rng::mix;

/// The most errors that are listed.
const MAX_ERRORS: usize = 100;
/// What a line about a request that was not executed takes, beside its name.
const EXPIRED_BYTES: usize = 256;

/// A line that will have been worked off.
#[derive(Debug)]
pub(in super::super) struct Worked {
    pub(super) is_failed: bool,
    /// The line of the output, or of the error file.
    pub(super) text: String,
    pub(super) tokens: (u32, u32),
    pub(super) nano_usd: u64,
    id: String,
    custom_id: String,
}

impl Worked {
    /// The line where its turn did not come in time.
    pub(super) fn expired(&self) -> String {
        let message = "This request could not be executed before the completion window expired.";
        json!({
            "id": self.id, "custom_id": self.custom_id, "response": null,
            "error": {"code": "batch_expired", "message": message},
        })
        .to_string()
    }
}

/// A file that was looked at.
#[derive(Debug, Default)]
pub(in super::super) struct Prepared {
    /// Lines in their order; none where there are errors.
    pub(super) work: Vec<Worked>,
    /// As the venue lists them.
    pub(super) errors: Vec<Value>,
    pub(super) total: usize,
    /// The most that the files of its answers take.
    pub(super) bytes: usize,
    pub(super) seed: u64,
}

/// What a line is answered: a body, its tokens and what it costs.
pub(in super::super) type Answered = Result<(String, (u32, u32), u64), Failure>;

/// Looks at a file and answers its lines by `answer`, which is given a line's place and body. Lines are read
/// twice, so that never more than one of them is there as a tree.
pub(in super::super) fn prepare(
    (bytes, endpoint): (&Bytes, &str),
    seed: u64,
    answer: impl Fn(usize, &Value) -> Answered,
) -> Prepared {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    let mut prepared = check(lines.clone(), endpoint);
    prepared.seed = seed;
    if !prepared.errors.is_empty() {
        return prepared;
    }
    for (i, (_, line)) in lines.enumerate() {
        let Ok(mut line) = serde_json::from_slice::<Value>(line) else { continue };
        let name = line["custom_id"].as_str().unwrap_or_default().to_owned();
        let worked = work((i, name, &line["body"].take()), seed, &answer);
        prepared.bytes += worked.text.len().max(EXPIRED_BYTES + worked.custom_id.len()) + 1;
        prepared.work.push(worked);
        if prepared.bytes > MAX_TOTAL_BYTES {
            let words = format!("The answers would have more than {MAX_TOTAL_BYTES} bytes.");
            prepared.errors.push(error("output_too_large", &words, (None, Some(i + 1))));
            (prepared.work, prepared.bytes) = (Vec::new(), 0);
            break;
        }
    }
    prepared
}

/// What is wrong with the lines, and how many there are.
fn check<'a>(lines: impl Iterator<Item = (usize, &'a [u8])>, endpoint: &str) -> Prepared {
    let mut reader = Reader { endpoint, seen: HashMap::new(), model: None };
    let mut prepared = Prepared::default();
    for (i, line) in lines {
        if prepared.total >= MAX_LINES {
            let words = format!("The file has more than {MAX_LINES} lines.");
            prepared.errors.push(error("too_many_requests", &words, (None, None)));
            break;
        }
        prepared.total += 1;
        if let Err(wrong) = reader.read(i + 1, line) {
            prepared.errors.push(wrong);
        }
        if prepared.errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if prepared.total == 0 {
        prepared.errors.push(error("empty_file", "The input file has no lines.", (None, None)));
    }
    prepared
}

fn work(
    (i, custom_id, body): (usize, String, &Value),
    seed: u64,
    answer: &impl Fn(usize, &Value) -> Answered,
) -> Worked {
    let draw = mix(seed, i as u64, 0x11e);
    let id = id("batch_req_", 24, draw);
    let line = |status: u16, body: &str| {
        format!(
            "{{\"id\":\"{id}\",\"custom_id\":{},\"response\":{{\"status_code\":{status},\
             \"request_id\":\"req_{draw:032x}\",\"body\":{body}}},\"error\":null}}",
            json!(custom_id)
        )
    };
    let (is_failed, text, tokens, nano_usd) = match answer(i, body) {
        Ok((body, tokens, nano_usd)) => (false, line(200, &body), tokens, nano_usd),
        Err(failure) => {
            let body = failure.body(Dialect::OpenAi).to_string();
            (true, line(failure.status, &body), (0, 0), 0)
        }
    };
    Worked { is_failed, text, tokens, nano_usd, id, custom_id }
}

/// Reads lines and remembers what must not differ, and what must.
struct Reader<'a> {
    endpoint: &'a str,
    seen: HashMap<String, usize>,
    model: Option<String>,
}

impl Reader<'_> {
    fn read(&mut self, number: usize, line: &[u8]) -> Result<(), Value> {
        let at = |param| (param, Some(number));
        let line: Value = match serde_json::from_slice(line) {
            Ok(line @ Value::Object(_)) => line,
            _ => {
                let words = "This line is not parseable as valid JSON.";
                return Err(error("invalid_json_line", words, at(None)));
            }
        };
        let Some(name) = line["custom_id"].as_str().map(str::to_owned) else {
            let words = "Missing required parameter: 'custom_id'.";
            return Err(error("missing_required_parameter", words, at(Some("custom_id"))));
        };
        if let Some(first) = self.seen.insert(name.clone(), number) {
            let words = format!("The custom_id '{name}' was already used in line {first}.");
            return Err(error("duplicate_custom_id", &words, at(Some("custom_id"))));
        }
        if line["method"] != "POST" {
            let words = "Invalid method: only 'POST' is supported.";
            return Err(error("invalid_method", words, at(Some("method"))));
        }
        if line["url"] != self.endpoint {
            let words =
                format!("The url {} is not the batch's endpoint '{}'.", line["url"], self.endpoint);
            return Err(error("invalid_url", &words, at(Some("url"))));
        }
        let Some(model) = line["body"]["model"].as_str() else {
            let words = "Missing required parameter: 'body.model'.";
            return Err(error("missing_required_parameter", words, at(Some("body.model"))));
        };
        if Model::find(model).is_none() {
            let words = format!("The model `{model}` does not exist.");
            return Err(error("model_not_found", &words, at(Some("body.model"))));
        }
        let first = self.model.get_or_insert_with(|| model.to_owned());
        if first != model {
            let words = format!("A batch has one model: '{first}' before, '{model}' here.");
            return Err(error("mismatched_model", &words, at(Some("body.model"))));
        }
        Ok(())
    }
}

fn error(code: &str, message: &str, (param, line): (Option<&str>, Option<usize>)) -> Value {
    json!({"code": code, "message": message, "param": param, "line": line})
}
