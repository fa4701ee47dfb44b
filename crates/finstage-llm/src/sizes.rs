use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::provider::Question;
use crate::tokens::ASSUMED_COMPLETION;
use crate::{Estimate, Money, Prices, Pricing, Usage};

/// Counts tokens before a question is asked.
pub trait Counting: fmt::Debug + Send + Sync {
    /// The sizes of a question.
    fn count(&self, question: &Question<'_>) -> Estimate;
}

/// Counts as the models do, as far as a table of prices knows them.
#[derive(Debug, Clone)]
pub struct TokenCounting(pub Arc<Prices>);

impl Counting for TokenCounting {
    fn count(&self, question: &Question<'_>) -> Estimate {
        Estimate::count(question, self.0.model(question.model()))
    }
}

impl Pricing for Prices {
    fn worst(&self, model: &str, estimate: &Estimate) -> Option<Money> {
        self.price(model).map(|price| price.worst(*estimate))
    }

    fn cost(&self, model: &str, usage: &Usage) -> Option<Money> {
        self.price(model).map(|price| price.cost(*usage))
    }
}

/// Counts bytes: quick and without tables, and a bound for every tokenizer that works on bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct ByteCounting;

/// Bytes of English text to a token, about.
const TOKEN_BYTES: u64 = 4;

impl Counting for ByteCounting {
    fn count(&self, question: &Question<'_>) -> Estimate {
        let bound = Estimate::bound(question, None);
        Estimate { prompt: bound.most_prompt / TOKEN_BYTES, ..bound }
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
