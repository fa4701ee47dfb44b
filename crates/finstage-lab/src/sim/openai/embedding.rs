//! Vectors of texts: the same text gives the same vector, and its length is one.

use serde_json::{Value, json};

use super::catalog::{Kind, Model};
use super::chat::model_of;
use super::failure::Failure;
use super::tokens::count_tokens;
use crate::rng::Rng;

/// The most texts of a question.
pub const MAX_INPUTS: usize = 2_048;
/// The most numbers of an answer: of the largest vectors, 1,365.
pub const MAX_NUMBERS: usize = 4 * 1_024 * 1_024;

/// A question that can be answered.
#[derive(Debug)]
pub(super) struct Embed {
    pub(super) model: &'static Model,
    pub(super) tokens: u32,
    inputs: Vec<String>,
    dimensions: u32,
    is_base64: bool,
}

impl Embed {
    /// Reads a question.
    pub(super) fn read(body: &Value) -> Result<Self, Failure> {
        let model = model_of(body)?;
        let Kind::Embedding(most) = model.kind else {
            return Err(Failure::invalid("model", "This model makes no embeddings."));
        };
        let inputs = inputs(&body["input"])?;
        let mut tokens = 0_u32;
        for input in &inputs {
            let own = count_tokens(input);
            if own > model.context {
                return Err(Failure::too_long(model.context, u64::from(own)));
            }
            tokens = tokens.saturating_add(own);
        }
        let dimensions = match &body["dimensions"] {
            Value::Null => most,
            value => match value.as_u64() {
                Some(n) if (1..=u64::from(most)).contains(&n) => n as u32,
                _ => {
                    let words = format!("Invalid 'dimensions': write a number from 1 to {most}.");
                    return Err(Failure::invalid_value("dimensions", words));
                }
            },
        };
        if inputs.len() * dimensions as usize > MAX_NUMBERS {
            let words = format!("The answer would have more than {MAX_NUMBERS} numbers.");
            return Err(Failure::invalid("input", words));
        }
        let is_base64 = match &body["encoding_format"] {
            Value::Null => false,
            format if format == "float" => false,
            format if format == "base64" => true,
            _ => {
                let words = "Invalid 'encoding_format': write 'float' or 'base64'.";
                return Err(Failure::invalid_value("encoding_format", words));
            }
        };
        Ok(Self { model, tokens, inputs, dimensions, is_base64 })
    }

    /// Answers it, as text: a tree of all numbers would be many times as large.
    pub(super) fn answer(&self, seed: u64) -> String {
        let mut text = String::from("{\"object\":\"list\",\"data\":[");
        for (index, input) in self.inputs.iter().enumerate() {
            let vector = self.vector(input, seed);
            if index > 0 {
                text.push(',');
            }
            text.push_str("{\"object\":\"embedding\",\"embedding\":");
            if self.is_base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                text.push_str(&format!("\"{}\"", base64(&bytes)));
            } else {
                let numbers: Vec<String> = vector.iter().map(f32::to_string).collect();
                text.push_str(&format!("[{}]", numbers.join(",")));
            }
            text.push_str(&format!(",\"index\":{index}}}"));
        }
        let usage = json!({"prompt_tokens": self.tokens, "total_tokens": self.tokens});
        text.push_str(&format!("],\"model\":\"{}\",\"usage\":{usage}}}", self.model.snapshot));
        text
    }

    fn vector(&self, input: &str, seed: u64) -> Vec<f32> {
        let mut rng = Rng::named(seed ^ u64::from(self.dimensions), input);
        let drawn: Vec<f64> = (0..self.dimensions).map(|_| rng.bell()).collect();
        let length = drawn.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE);
        drawn.iter().map(|x| (x / length) as f32).collect()
    }
}

fn inputs(input: &Value) -> Result<Vec<String>, Failure> {
    let wrong =
        || Failure::invalid("input", "'$.input' is invalid: write texts or lists of tokens.");
    let all = match input {
        Value::Null => return Err(Failure::missing("input")),
        Value::Array(all) if all.iter().all(Value::is_u64) => std::slice::from_ref(input),
        Value::Array(all) => all.as_slice(),
        one => std::slice::from_ref(one),
    };
    if all.is_empty() || all.len() > MAX_INPUTS {
        return Err(Failure::invalid("input", format!("From 1 to {MAX_INPUTS} inputs are taken.")));
    }
    let text = |one: &Value| match one {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        // Numbers of tokens stand for a text that only their tokenizer knows.
        Value::Array(tokens) if !tokens.is_empty() => Ok(one.to_string()),
        _ => Err(wrong()),
    };
    all.iter().map(text).collect()
}

/// Base64 of RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_the_standard() {
        // The test vectors of RFC 4648, section 10.
        let coded = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|s| base64(s.as_bytes()));
        let told = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        assert_eq!(coded, told);
    }

    #[test]
    fn a_text_has_one_vector_of_length_one() {
        let body =
            json!({"model": "text-embedding-3-small", "input": ["a", "b", "a"], "dimensions": 256});
        let told = Embed::read(&body).unwrap().answer(1);
        let told: Value = serde_json::from_str(&told).unwrap();
        let vector = |i: usize| -> Vec<f64> {
            let all = told["data"][i]["embedding"].as_array().unwrap();
            all.iter().map(|x| x.as_f64().unwrap()).collect()
        };
        assert_eq!(vector(0).len(), 256);
        assert_eq!(vector(0), vector(2));
        assert_ne!(vector(0), vector(1));
        let length: f64 = vector(0).iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }
}
