use serde::{Deserialize, Serialize};

/// Tokens that an answer used, as the provider counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// The question's, those from the provider's cache included.
    pub prompt: u64,
    /// Of the question's, those that the provider had in its cache.
    pub cached: u64,
    /// The answer's, those of thinking included.
    pub completion: u64,
    /// Of the answer's, those of thinking.
    pub reasoning: u64,
}

impl Usage {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            prompt: self.prompt.saturating_add(other.prompt),
            cached: self.cached.saturating_add(other.cached),
            completion: self.completion.saturating_add(other.completion),
            reasoning: self.reasoning.saturating_add(other.reasoning),
        }
    }
}
