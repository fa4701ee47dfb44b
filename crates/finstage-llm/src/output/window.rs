//! Answers in the order of the questions, though they come in another.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Line;

/// The most rows that are asked or wait for an earlier one, where order is kept.
pub const ORDER_ROWS: usize = 4096;

/// A row's place in the order of the output.
#[derive(Debug)]
pub struct Turn {
    number: u64,
    /// Kept until the line is written, so that the reader waits while too many stand in line.
    _permit: OwnedSemaphorePermit,
}

/// Hands out turns, in the order of the input.
#[derive(Debug)]
pub struct Turns {
    free: Arc<Semaphore>,
    next: u64,
}

impl Turns {
    /// The next turn, as soon as fewer than [`ORDER_ROWS`] are out. A turn goes back to the output with what
    /// became of the row, or empty; one that is dropped holds up all behind it.
    pub async fn next(&mut self) -> Turn {
        let free = Arc::clone(&self.free).acquire_owned().await;
        let permit = free.expect("nobody closes it");
        let number = self.next;
        self.next += 1;
        Turn { number, _permit: permit }
    }
}

/// Lines that wait for the line of an earlier row.
#[derive(Debug)]
pub(super) struct Window {
    next: u64,
    waiting: VecDeque<Option<(Turn, Option<Line>)>>,
    free: Arc<Semaphore>,
}

impl Window {
    pub(super) fn new(rows: usize) -> Self {
        Self { next: 0, waiting: VecDeque::new(), free: Arc::new(Semaphore::new(rows)) }
    }

    pub(super) fn turns(&self) -> Turns {
        Turns { free: Arc::clone(&self.free), next: 0 }
    }

    /// What became of a turn: a line, or none for the output.
    pub(super) fn take(&mut self, turn: Turn, line: Option<Line>) {
        let at = usize::try_from(turn.number - self.next).expect("as many as there are permits");
        while self.waiting.len() <= at {
            self.waiting.push_back(None);
        }
        self.waiting[at] = Some((turn, line));
    }

    /// The next line whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Line> {
        while let Some(Some(_)) = self.waiting.front() {
            self.next += 1;
            let (_, line) = self.waiting.pop_front().flatten().expect("just seen");
            if line.is_some() {
                return line;
            }
        }
        None
    }

    /// All lines, also those whose turn never came.
    pub(super) fn rest(&mut self) -> impl Iterator<Item = Line> {
        self.next += self.waiting.len() as u64;
        self.waiting.drain(..).flatten().filter_map(|(_, line)| line)
    }
}

#[cfg(test)]
mod tests {
    use finstage_store::suite::Rng;

    use super::*;

    #[tokio::test]
    async fn lines_leave_in_the_order_of_turns_and_the_reader_waits_when_too_many_are_out() {
        const ROWS: usize = 8;
        const ALL: u64 = 200;
        for seed in 0..50 {
            let mut rng = Rng::new(seed);
            let mut window = Window::new(ROWS);
            let mut turns = window.turns();
            let (give, mut given) = tokio::sync::mpsc::unbounded_channel();
            let reader = tokio::spawn(async move {
                for _ in 0..ALL {
                    give.send(turns.next().await).unwrap();
                }
            });
            let (mut out, mut written, mut seen) = (Vec::new(), Vec::new(), 0);
            while seen < ALL || !out.is_empty() {
                tokio::task::yield_now().await;
                while let Ok(turn) = given.try_recv() {
                    out.push(turn);
                    seen += 1;
                }
                let under_way = out.len() + window.waiting.iter().flatten().count();
                assert!(under_way <= ROWS && window.waiting.len() <= ROWS, "{under_way}");
                assert!(under_way == ROWS || seen == ALL, "the reader waits for no reason");
                let turn = out.swap_remove(rng.below(out.len()));
                let text = turn.number.to_string();
                let line = (turn.number % 5 != 0).then(|| Line::of_text(&text));
                window.take(turn, line);
                written.extend(std::iter::from_fn(|| window.pop()).map(|line| line.bytes));
            }
            reader.await.unwrap();
            let numbers = (0..ALL).filter(|n| n % 5 != 0);
            let expected: Vec<_> = numbers.map(|n| format!("{n}\n").into_bytes()).collect();
            assert_eq!(written, expected, "seed {seed}");
        }
    }

    #[tokio::test]
    async fn lines_whose_turn_never_comes_are_left_at_the_end() {
        let mut window = Window::new(4);
        let mut turns = window.turns();
        let first = turns.next().await;
        window.take(turns.next().await, Some(Line::of_text("1")));
        window.take(turns.next().await, None);
        window.take(turns.next().await, Some(Line::of_text("3")));
        drop(first);
        assert!(window.pop().is_none());
        let rest: Vec<_> = window.rest().map(|line| line.bytes).collect();
        assert_eq!(rest, [b"1\n", b"3\n"]);
    }
}
