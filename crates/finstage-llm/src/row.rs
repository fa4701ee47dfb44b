use std::fmt;

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// Where chat questions go, as batch files write it.
pub const CHAT: &str = "/v1/chat/completions";
/// Where texts are turned into vectors, as batch files write it.
pub const EMBEDDINGS: &str = "/v1/embeddings";

/// One question: a line of a batch file.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The line of the input where it stands, from 1.
    pub line: u64,
    /// What the user calls it; no other row of the input has the same.
    pub custom_id: String,
    /// The path below the provider's address, as OpenAI writes it: [`CHAT`], [`EMBEDDINGS`].
    pub url: String,
    /// What is asked, in OpenAI's words.
    pub body: Map<String, Value>,
}

impl Row {
    /// The model that is asked; empty where the row names none.
    #[must_use]
    pub fn model(&self) -> &str {
        self.body.get("model").and_then(Value::as_str).unwrap_or_default()
    }

    /// What tells this row from others of the input.
    #[must_use]
    pub fn id(&self) -> RowId {
        RowId::of(&self.custom_id)
    }

    /// What tells this question under this name from every other: the same after a restart, another
    /// one once the body changed.
    #[must_use]
    pub fn key(&self) -> RowKey {
        let mut hasher = Sha256::new();
        hasher.update((self.custom_id.len() as u64).to_le_bytes());
        hasher.update(&self.custom_id);
        hasher.update(self.question());
        RowKey(first_half(&hasher))
    }

    /// What tells this question from every other, whatever it is called. Members of objects have no order.
    #[must_use]
    pub fn question(&self) -> [u8; 32] {
        question_of(&self.url, &self.body)
    }
}

/// What tells a question from every other.
pub(crate) fn question_of(url: &str, body: &Map<String, Value>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update((url.len() as u64).to_le_bytes());
    hasher.update(url);
    // Maps are sorted, so equal bodies have equal texts.
    let body = serde_json::to_vec(body).expect("JSON values can be written");
    hasher.update(&body);
    hasher.finalize().into()
}

/// A row's name, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub [u8; 16]);

impl RowId {
    /// The name as a number.
    #[must_use]
    pub fn of(custom_id: &str) -> Self {
        Self(first_half(&Sha256::new().chain_update(custom_id)))
    }
}

/// A row's name and question, as a number. Results carry it, so that a later run can tell a row that is done
/// from one that was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(pub [u8; 16]);

impl fmt::Display for RowKey {
    /// 32 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

fn first_half(hasher: &Sha256) -> [u8; 16] {
    let whole = hasher.clone().finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(custom_id: &str, body: &str) -> Row {
        let body = serde_json::from_str(body).unwrap();
        Row { line: 1, custom_id: custom_id.to_owned(), url: CHAT.to_owned(), body }
    }

    #[test]
    fn the_order_of_members_does_not_change_a_question() {
        let one = row("a", r#"{"model":"m","messages":[{"role":"user","content":"x"}]}"#);
        let other = row("a", r#"{"messages":[{"content":"x","role":"user"}],"model":"m"}"#);
        assert_eq!(one.key(), other.key());
    }

    #[test]
    fn a_name_or_a_question_that_differs_makes_another_key() {
        let one = row("a", r#"{"model":"m"}"#);
        assert_ne!(one.key(), row("b", r#"{"model":"m"}"#).key());
        assert_ne!(one.key(), row("a", r#"{"model":"n"}"#).key());
        assert_eq!(one.question(), row("b", r#"{"model":"m"}"#).question());
        assert_eq!(one.id(), row("a", "{}").id());
    }
}
