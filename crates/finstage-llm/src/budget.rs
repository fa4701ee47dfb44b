//! Money that may be spent, which is set aside before it is.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{Error, ErrorKind, Money};

/// A cap on what is spent. Before a question leaves, the most that it can cost is set aside; when its cost is
/// known, the rest is free again. So as long as nothing costs more than its most, the cap is never passed.
///
/// Cheap to clone; every clone is the same budget. Who comes first is served first, so a big question does not
/// wait for ever behind small ones.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use finstage_llm::{Budget, Money};
/// let usd = |text| Money::from_usd(text).unwrap();
/// let budget = Budget::new(usd("1"));
/// let hold = budget.reserve(usd("0.9")).await.unwrap();
/// hold.settle(usd("0.2"));
/// assert_eq!(budget.left(), usd("0.8"));
/// assert!(budget.reserve(usd("0.81")).await.is_err());
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Budget(Arc<Mutex<Books>>);

#[derive(Debug)]
struct Books {
    cap: Money,
    spent: Money,
    held: Money,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    most: Money,
    answer: oneshot::Sender<Result<Granted, Error>>,
}

/// Money for somebody who waits. Where he is gone before he hears of it, it is free again.
#[derive(Debug)]
struct Granted(Option<Hold>);

/// Money that is set aside for a question. Dropped, it counts as spent: the question may have been answered
/// and nobody heard it.
#[must_use = "money that is set aside counts as spent when this is dropped"]
pub struct Hold {
    most: Money,
    budget: Option<Budget>,
}

impl Budget {
    /// So much may be spent.
    #[must_use]
    pub fn new(cap: Money) -> Self {
        let (spent, held) = (Money::ZERO, Money::ZERO);
        Self(Arc::new(Mutex::new(Books { cap, spent, held, waiting: VecDeque::new() })))
    }

    /// Sets `most` aside, the most that a question can cost. Waits while questions under way may leave
    /// enough.
    ///
    /// # Errors
    /// `Budget` where that can never be, however little they cost.
    pub async fn reserve(&self, most: Money) -> Result<Hold, Error> {
        let answer = {
            let mut books = self.books();
            if books.waiting.is_empty() && books.fits(most) {
                books.held = books.held.plus(most);
                return Ok(self.hold(most));
            }
            let (send, answer) = oneshot::channel();
            books.waiting.push_back(Waiting { most, answer: send });
            self.serve(&mut books);
            answer
        };
        let granted = answer.await.expect("whoever waits is answered before its budget goes");
        granted.map(|mut granted| granted.0.take().expect("it is sent with one"))
    }

    /// What may be spent in all.
    #[must_use]
    pub fn cap(&self) -> Money {
        self.books().cap
    }

    /// What was spent.
    #[must_use]
    pub fn spent(&self) -> Money {
        self.books().spent
    }

    /// What is set aside for questions under way.
    #[must_use]
    pub fn held(&self) -> Money {
        self.books().held
    }

    /// What is neither spent nor set aside.
    #[must_use]
    pub fn left(&self) -> Money {
        let books = self.books();
        books.cap.minus(books.spent).minus(books.held)
    }

    /// Serves those who wait, in order, until one does not fit yet.
    fn serve(&self, books: &mut Books) {
        loop {
            // Whoever went away is passed over.
            let Some(first) = books.waiting.front() else { return };
            let (most, is_gone) = (first.most, first.answer.is_closed());
            let can_ever_fit = most <= books.cap.minus(books.spent);
            if !is_gone && can_ever_fit && !books.fits(most) {
                return;
            }
            let waiting = books.waiting.pop_front().expect("just seen");
            if is_gone {
                continue;
            }
            if !can_ever_fit {
                drop(waiting.answer.send(Err(books.refusal(most))));
                continue;
            }
            books.held = books.held.plus(most);
            let granted = Granted(Some(self.hold(most)));
            if let Err(Ok(mut granted)) = waiting.answer.send(Ok(granted))
                && let Some(mut hold) = granted.0.take()
            {
                // The books are open here: it must not go its usual way.
                hold.budget = None;
                books.held = books.held.minus(most);
            }
        }
    }

    fn hold(&self, most: Money) -> Hold {
        Hold { most, budget: Some(self.clone()) }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Nothing that runs while they are open leaves them half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn fits(&self, most: Money) -> bool {
        most <= self.cap.minus(self.spent).minus(self.held)
    }

    fn refusal(&self, most: Money) -> Error {
        let Self { cap, spent, .. } = self;
        let message = format!(
            "the budget of ${cap} is used up: ${spent} is spent and this question can cost ${most}: raise the budget or lower max_tokens"
        );
        Error::new(ErrorKind::Budget, message)
    }
}

impl Hold {
    /// The most that the question can cost.
    #[must_use]
    pub const fn most(&self) -> Money {
        self.most
    }

    /// The question cost `actual`. More than was set aside is charged too; by how much that is too much is
    /// given back.
    pub fn settle(mut self, actual: Money) -> Money {
        self.end(actual);
        actual.minus(self.most)
    }

    /// Nothing was asked.
    pub fn release(mut self) {
        self.end(Money::ZERO);
    }

    fn end(&mut self, cost: Money) {
        let Some(budget) = self.budget.take() else { return };
        let mut books = budget.books();
        books.held = books.held.minus(self.most);
        books.spent = books.spent.plus(cost);
        budget.serve(&mut books);
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hold").field(&self.most).finish()
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end(self.most);
    }
}

impl Drop for Granted {
    fn drop(&mut self) {
        if let Some(hold) = self.0.take() {
            hold.release();
        }
    }
}

#[cfg(test)]
mod tests;
