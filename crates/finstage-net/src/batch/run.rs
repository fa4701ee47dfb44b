//! What carries out a [`Batcher`]'s decisions, on tokio's clock.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::Future;
use std::iter::Peekable;
use std::pin::Pin;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::{BatchReport, Batcher, MAX_ERROR_KINDS, OTHER_ERRORS};

/// Results that wait for an earlier one, for each call that may be out: with a slow item in front, so
/// many later ones are done before submissions wait for it.
const AHEAD_PER_CALL: usize = 16;

/// An error of an item, as statistics count it.
pub trait BatchFailure {
    /// What kind it is, in a word: `timeout`, `limited`.
    fn kind(&self) -> &'static str;
}

/// What comes out of a [`BatchRun`].
#[derive(Debug)]
pub enum BatchStep<R, E> {
    /// The result of the next item, in the order of the items.
    Item {
        /// Which, from 0.
        index: usize,
        /// What became of it.
        result: Result<R, E>,
    },
    /// A batch is over; all of its items came before.
    Batch(BatchReport),
}

/// Begins to call `work` for each of `items`, as `batcher` decides. Nothing happens before the first
/// [`BatchRun::next`].
///
/// ```
/// use finstage_net::batch::{BatchFailure, BatchMode, BatchStep, Batcher, run};
/// struct Odd;
/// impl BatchFailure for Odd {
///     fn kind(&self) -> &'static str {
///         "odd"
///     }
/// }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let mut batcher = Batcher::new(BatchMode::Paced);
/// let halve = |n: u32| async move { if n % 2 == 0 { Ok(n / 2) } else { Err(Odd) } };
/// let mut run = run(vec![4, 5, 6], &mut batcher, halve);
/// let mut halves = Vec::new();
/// while let Some(step) = run.next().await {
///     if let BatchStep::Item { result, .. } = step {
///         halves.push(result.ok());
///     }
/// }
/// assert_eq!(halves, [Some(2), None, Some(3)]);
/// assert_eq!(batcher.summary().failed, 1);
/// # });
/// ```
pub fn run<'a, I, F, Fut, R, E>(
    items: I,
    batcher: &'a mut Batcher,
    work: F,
) -> BatchRun<'a, I::IntoIter, F, Fut, R, E>
where
    I: IntoIterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: BatchFailure,
{
    let now = Instant::now();
    BatchRun {
        items: items.into_iter().peekable(),
        batcher,
        work,
        out: FuturesUnordered::new(),
        waiting: VecDeque::new(),
        submitted: 0,
        given: 0,
        began: now,
        resume_at: now,
        batch: None,
    }
}

/// Calls that are under way. Results come in the order of the items, however the calls end; at most a
/// named number of them is kept for that. Nothing is called twice, and dropping it drops all calls.
pub struct BatchRun<'a, I: Iterator, F, Fut, R, E> {
    items: Peekable<I>,
    batcher: &'a mut Batcher,
    work: F,
    out: FuturesUnordered<Numbered<Fut>>,
    /// Results from `given` on; `None` is a call that is out.
    waiting: VecDeque<Option<Result<R, E>>>,
    submitted: usize,
    given: usize,
    began: Instant,
    /// The next submission is not before.
    resume_at: Instant,
    batch: Option<Open>,
}

/// The batch that is under way.
#[derive(Debug)]
struct Open {
    began: Instant,
    last_submission: Instant,
    size: usize,
    submitted: usize,
    ok: usize,
    failed: usize,
    errors: BTreeMap<&'static str, usize>,
}

impl<I, F, Fut, R, E> BatchRun<'_, I, F, Fut, R, E>
where
    I: Iterator,
    F: FnMut(I::Item) -> Fut,
    Fut: Future<Output = Result<R, E>>,
    E: BatchFailure,
{
    /// What happens next; `None` when everything is done. May be dropped while it waits: the next call
    /// goes on where it was.
    pub async fn next(&mut self) -> Option<BatchStep<R, E>> {
        loop {
            if let Some(Some(_)) = self.waiting.front() {
                let result = self.waiting.pop_front().flatten()?;
                let index = self.given;
                self.given += 1;
                return Some(BatchStep::Item { index, result });
            }
            if let Some(report) = self.close() {
                return Some(BatchStep::Batch(report));
            }
            let may_submit = self.may_submit();
            if !may_submit && self.out.is_empty() {
                return None;
            }
            tokio::select! {
                biased;
                Some((index, result)) = self.out.next() => self.settle(index, result),
                () = sleep_until(self.resume_at), if may_submit => self.submit(),
            }
        }
    }

    /// Whether one more item may be called now or after a wait.
    fn may_submit(&mut self) -> bool {
        let is_full = self.batch.as_ref().is_some_and(|batch| batch.submitted >= batch.size);
        let ahead = self.batcher.concurrency().saturating_mul(AHEAD_PER_CALL);
        !is_full
            && self.out.len() < self.batcher.concurrency()
            && self.waiting.len() < ahead
            && self.items.peek().is_some()
    }

    fn submit(&mut self) {
        let Some(item) = self.items.next() else { return };
        let now = Instant::now();
        let size = self.batcher.size();
        let batch = self.batch.get_or_insert_with(|| Open::at(now, size));
        batch.submitted += 1;
        batch.last_submission = now;
        self.resume_at = now + self.batcher.spacing();
        self.out.push(Numbered { index: self.submitted, call: Box::pin((self.work)(item)) });
        self.waiting.push_back(None);
        self.submitted += 1;
    }

    fn settle(&mut self, index: usize, result: Result<R, E>) {
        if let Some(batch) = &mut self.batch {
            match &result {
                Ok(_) => batch.ok += 1,
                Err(why) => batch.fail(why.kind()),
            }
        }
        if let Some(place) = self.waiting.get_mut(index - self.given) {
            *place = Some(result);
        }
    }

    /// Ends the batch that is under way, if all of it is done and given.
    fn close(&mut self) -> Option<BatchReport> {
        let is_over = self.out.is_empty() && self.waiting.is_empty();
        let is_last = self.items.peek().is_none();
        let batch =
            self.batch.take_if(|batch| is_over && (is_last || batch.submitted >= batch.size))?;
        let now = Instant::now();
        let report = BatchReport {
            index: self.batcher.batches,
            size: batch.submitted,
            submit: batch.last_submission - batch.began,
            took: now - batch.began,
            ok: batch.ok,
            failed: batch.failed,
            errors: batch.errors,
        };
        self.batcher.record(report.clone(), now - self.began);
        self.resume_at = now + self.batcher.delay();
        Some(report)
    }
}

impl Open {
    const fn at(now: Instant, size: usize) -> Self {
        let errors = BTreeMap::new();
        Self { began: now, last_submission: now, size, submitted: 0, ok: 0, failed: 0, errors }
    }

    fn fail(&mut self, kind: &'static str) {
        self.failed += 1;
        count(&mut self.errors, kind);
    }
}

/// Counts an error of a kind; of too many kinds the later ones are one.
pub(super) fn count(errors: &mut BTreeMap<&'static str, usize>, kind: &'static str) {
    let is_new = !errors.contains_key(kind);
    let kind = if is_new && errors.len() >= MAX_ERROR_KINDS { OTHER_ERRORS } else { kind };
    *errors.entry(kind).or_default() += 1;
}

impl<I: Iterator, F, Fut, R, E> fmt::Debug for BatchRun<'_, I, F, Fut, R, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchRun")
            .field("submitted", &self.submitted)
            .field("given", &self.given)
            .field("out", &self.out.len())
            .finish_non_exhaustive()
    }
}

/// A call that says which item it was for.
struct Numbered<Fut> {
    index: usize,
    call: Pin<Box<Fut>>,
}

impl<Fut: Future> Future for Numbered<Fut> {
    type Output = (usize, Fut::Output);

    fn poll(
        mut self: Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        let index = self.index;
        self.call.as_mut().poll(context).map(|output| (index, output))
    }
}
