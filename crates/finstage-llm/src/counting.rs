use std::fmt;
use std::sync::Arc;

use crate::provider::Question;
use crate::{Estimate, Prices};

/// Counts tokens before a question is asked.
pub trait Counting: fmt::Debug + Send + Sync {
    /// How large a question is, and how large its answer may be.
    fn count(&self, question: &Question<'_>) -> Estimate;
}

/// Counts as the model's tokenizer does, as far as the table knows the model.
#[derive(Debug, Clone)]
pub struct TokenCounting(pub Arc<Prices>);

impl Counting for TokenCounting {
    fn count(&self, question: &Question<'_>) -> Estimate {
        let model = self.0.model(question.model());
        Estimate::count_of((question.url, question.body), model)
    }
}

/// Counts bytes: quick, and without tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteCounting;

/// Bytes of English text to a token, about.
const TOKEN_BYTES: u64 = 4;

impl Counting for ByteCounting {
    fn count(&self, question: &Question<'_>) -> Estimate {
        let bound = Estimate::bound_of((question.url, question.body), None);
        Estimate { prompt: bound.most_prompt.div_ceil(TOKEN_BYTES), ..bound }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::CHAT;

    #[test]
    fn bytes_bound_what_a_tokenizer_counts() {
        let body = json!({"model": "gpt-4o", "max_tokens": 7,
            "messages": [{"role": "user", "content": "Profits rose, shares fell. ".repeat(40)}]});
        let question = Question { url: CHAT, body: body.as_object().unwrap() };
        let (bytes, tokens) = (ByteCounting, TokenCounting(Arc::new(Prices::built_in())));
        let (bytes, tokens) = (bytes.count(&question), tokens.count(&question));
        assert_eq!((bytes.most_completion, tokens.most_completion), (7, 7));
        assert_eq!(bytes.most_prompt, tokens.most_prompt);
        assert!(tokens.prompt < tokens.most_prompt && bytes.prompt < bytes.most_prompt);
    }
}
