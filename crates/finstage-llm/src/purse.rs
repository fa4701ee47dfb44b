//! What a run asks of those who keep money, answers and accounts. Each is a small trait, so that asking needs
//! neither a table of prices nor a store.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use crate::{Attempt, Error, Money, Reply, Sizes, Usage};

/// Knows what tokens cost.
pub trait Pricing: fmt::Debug + Send + Sync {
    /// The most that a question of this size can cost; `None` where the model has no known price.
    fn worst(&self, model: &str, sizes: &Sizes) -> Option<Money>;

    /// What was used costs; `None` where the model has no known price.
    fn cost(&self, model: &str, usage: &Usage) -> Option<Money>;
}

/// What [`Purse::reserve`] gives.
pub type Reserving<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn Hold>, Error>> + Send + 'a>>;

/// A budget: money is put aside before a request leaves.
pub trait Purse: fmt::Debug + Send + Sync {
    /// Puts money aside; waits while what others put aside may come back.
    ///
    /// Fails with [`crate::ErrorKind::Budget`] when there will never be so much.
    fn reserve(&self, worst: Money) -> Reserving<'_>;
}

/// Money that was put aside. One that is dropped was spent.
pub trait Hold: fmt::Debug + Send {
    /// So much was spent of it; the rest is free again.
    fn settle(self: Box<Self>, actual: Money);

    /// Nothing was sent: all of it is free again.
    fn release(self: Box<Self>);
}

/// Answers of earlier runs.
pub trait Answers: fmt::Debug + Send + Sync {
    /// The answer to this question, where it is there and not too old.
    fn get(&self, question: &[u8; 32]) -> Option<Reply>;

    /// Keeps an answer.
    fn put(&self, question: &[u8; 32], reply: &Reply);
}

/// Hears of every question that was put to a model, as it ends.
pub trait Accounts: fmt::Debug + Send + Sync {
    /// One was put.
    fn attempt(&self, attempt: &Attempt);
}
