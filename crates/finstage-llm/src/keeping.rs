//! What a run asks of those who keep answers and accounts: small traits, so that asking needs no store.

use std::fmt;

use crate::{Attempt, Reply};

/// Answers of earlier runs.
pub trait Answers: fmt::Debug + Send + Sync {
    /// The answer to this question ([`crate::Row::question`]), where it is there and not too old.
    fn get(&self, question: &[u8; 32]) -> Option<Reply>;

    /// Keeps an answer.
    fn put(&self, question: &[u8; 32], reply: &Reply);
}

/// Hears of every question that was put to a model, as it ends.
pub trait Accounts: fmt::Debug + Send + Sync {
    /// One was put.
    fn attempt(&self, attempt: &Attempt);
}
