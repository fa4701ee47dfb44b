//! Many rows at a time. Each ends exactly once: with an answer, with an error, or given back.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Asker, Attempt, Done, End, Halt, Row, RowError, Summary, Why};

/// The most rows in hand, whatever is asked for.
pub const MAX_IN_HAND: usize = 10_000;

/// How a run is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Rows in hand at once: those that wait, are out, or wait to be written.
    pub concurrency: usize,
    /// Says when nothing more is to be sent: what is out comes back, the rest is given back. A sender that
    /// goes away says nothing.
    pub cancel: watch::Receiver<bool>,
}

impl Default for RunOptions {
    /// 64 rows, never cancelled.
    fn default() -> Self {
        Self { concurrency: 64, cancel: watch::channel(false).1 }
    }
}

/// How a row leaves a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Left {
    /// It has an end.
    Done(Done),
    /// It has none, because the run was stopped: a later one asks it. Nothing is to be written.
    NotDone(Row),
}

impl Left {
    pub(crate) fn of(row: Row, end: Option<End>, attempts: Vec<Attempt>) -> Self {
        let Some(end) = end else { return Self::NotDone(row) };
        let is_cached = attempts.is_empty() && matches!(end, End::Answered(_));
        Self::Done(Done { row, end, attempts, is_cached })
    }
}

/// Asks rows until there are no more, and gives them in the order in which they end.
///
/// Every row that was taken leaves through `left`, and those that still wait in `rows` when the run is stopped
/// do too. Where nobody takes them any more the run is cancelled. To drop the future ends everything at once:
/// what is out may have been answered and paid.
pub async fn run(
    asker: Arc<Asker>,
    rows: mpsc::Receiver<Row>,
    left: mpsc::Sender<Left>,
    options: RunOptions,
) -> Summary {
    let before = asker.endpoint().snapshot();
    let begun = Instant::now();
    let mut running = Running {
        asker: Arc::clone(&asker),
        halt: Halt::default(),
        rows,
        left,
        in_hand: JoinSet::new(),
        most: options.concurrency.clamp(1, MAX_IN_HAND),
        summary: Summary::default(),
    };
    running.turn(options.cancel).await;
    let mut summary = running.finish().await;
    summary.add_lanes(&before, &asker.endpoint().snapshot());
    summary.elapsed_s = begun.elapsed().as_secs_f64();
    summary
}

struct Running {
    asker: Arc<Asker>,
    halt: Halt,
    rows: mpsc::Receiver<Row>,
    left: mpsc::Sender<Left>,
    in_hand: JoinSet<(Left, Vec<Attempt>)>,
    most: usize,
    summary: Summary,
}

impl Running {
    /// Takes rows and gives them on until there are no more, or all is stopped.
    async fn turn(&mut self, mut cancel: watch::Receiver<bool>) {
        let mut has_more = true;
        let mut may_cancel = true;
        while has_more || !self.in_hand.is_empty() {
            if self.halt.is_stopped() {
                return;
            }
            tokio::select! {
                biased;
                cancelled = cancel.wait_for(|cancelled| *cancelled), if may_cancel => {
                    if cancelled.is_ok() {
                        self.halt.stop(Why::Cancelled, "cancelled");
                    }
                    may_cancel = false;
                }
                Some(ended) = self.in_hand.join_next() => self.give(ended).await,
                row = self.rows.recv(), if has_more && self.in_hand.len() < self.most => match row {
                    Some(row) => self.take(row),
                    None => has_more = false,
                },
            }
        }
    }

    /// What is in hand comes back, and what was not taken is given back.
    async fn finish(mut self) -> Summary {
        while let Some(ended) = self.in_hand.join_next().await {
            self.give(ended).await;
        }
        if self.halt.is_stopped() {
            self.rows.close();
            while let Some(row) = self.rows.recv().await {
                self.leave(Left::NotDone(row)).await;
            }
        }
        self.summary.stopped = self.halt.reason();
        self.summary
    }

    fn take(&mut self, row: Row) {
        let (asker, halt) = (Arc::clone(&self.asker), self.halt.clone());
        self.in_hand.spawn(async move {
            // A row that panics is a row that failed: the others go on.
            let asked = AssertUnwindSafe(asker.row(&row, &halt)).catch_unwind().await;
            match asked {
                Ok((None, attempts)) => (Left::NotDone(row), attempts),
                Ok((end, attempts)) => (Left::of(row, end, attempts), Vec::new()),
                Err(_) => (Left::Done(panicked(row)), Vec::new()),
            }
        });
    }

    async fn give(&mut self, ended: Result<(Left, Vec<Attempt>), tokio::task::JoinError>) {
        // Nothing in a task can panic outside of what is caught, and only the end of the runtime cancels.
        let Ok((left, attempts)) = ended else { return };
        self.summary.count_attempts(&attempts);
        self.leave(left).await;
    }

    async fn leave(&mut self, left: Left) {
        let Ok(place) = self.left.reserve().await else {
            if let Left::Done(done) = &left {
                self.summary.count_attempts(&done.attempts);
            }
            self.summary.not_done += 1;
            self.halt.stop(Why::Cancelled, "nobody takes the results any more");
            return;
        };
        match &left {
            Left::Done(done) => self.summary.count(done),
            Left::NotDone(_) => self.summary.not_done += 1,
        }
        place.send(left);
    }
}

fn panicked(row: Row) -> Done {
    let message = "asking this row panicked: please report it with the row".to_owned();
    let error = RowError { code: "panic".to_owned(), message, reply: None };
    Done { row, end: End::Failed(error), attempts: Vec::new(), is_cached: false }
}

#[cfg(test)]
#[path = "pipeline/tests.rs"]
mod tests;
