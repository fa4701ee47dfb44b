//! Who goes next: first come, first served within a class, and nobody for ever last.
//!
//! A request never passes an earlier one of its class that waits under a common rule, however small
//! it is: the large one would wait as long as small ones come. It may pass those with which it
//! shares no rule.

use std::collections::VecDeque;

use crate::Class;
use crate::quota::{Amounts, Books, Ticket};

/// So many waiting requests are looked at for one that shares no rule with those before it.
const LOOKED_AT: usize = 32;
const CLASSES: usize = 3;

/// A request that waits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiter {
    /// Grows with each request.
    pub(crate) id: u64,
    pub(crate) amounts: Amounts,
    pub(crate) since: u64,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// This one leaves the queue with its ticket.
    Admitted(Waiter, Box<Ticket>),
    /// Nobody before this moment.
    At(u64),
    /// Nobody waits.
    Nobody,
}

/// Requests that wait, by class.
#[derive(Debug)]
pub(crate) struct Queue {
    lines: [VecDeque<Waiter>; CLASSES],
    /// Who has waited so long goes first, whatever the class.
    patience: u64,
}

impl Queue {
    pub(crate) fn new(patience: u64) -> Self {
        Self { lines: [const { VecDeque::new() }; CLASSES], patience }
    }

    pub(crate) fn len(&self) -> usize {
        self.lines.iter().map(VecDeque::len).sum()
    }

    /// Takes the last place of a class.
    pub(crate) fn push(&mut self, class: Class, waiter: Waiter) {
        self.lines[class as usize].push_back(waiter);
    }

    /// Leaves without having been admitted.
    pub(crate) fn remove(&mut self, id: u64) {
        for line in &mut self.lines {
            if let Ok(place) = line.binary_search_by_key(&id, |waiter| waiter.id) {
                line.remove(place);
                return;
            }
        }
    }

    /// Whoever would be asked first.
    pub(crate) fn first(&self, now: u64) -> Option<u64> {
        let class = self.class_of_next(now, &[0; CLASSES])?;
        self.lines[class].front().map(|waiter| waiter.id)
    }

    /// Admits the next one that the books let through.
    pub(crate) fn next(&mut self, now: u64, books: &mut Books) -> Next {
        let mut places = [0; CLASSES];
        let mut taken = Amounts::default();
        let mut earliest = None::<u64>;
        for _ in 0..LOOKED_AT {
            let Some(class) = self.class_of_next(now, &places) else { break };
            let waiter = self.lines[class][places[class]];
            if !taken.meets(&waiter.amounts) {
                match books.reserve(now, &waiter.amounts) {
                    Ok(ticket) => {
                        self.lines[class].remove(places[class]);
                        return Next::Admitted(waiter, Box::new(ticket));
                    }
                    Err(at) => earliest = Some(earliest.map_or(at, |earliest| earliest.min(at))),
                }
            }
            taken.add(&waiter.amounts);
            places[class] += 1;
        }
        earliest.map_or(Next::Nobody, Next::At)
    }

    /// Whether a request with these amounts would pass somebody who waits under a common rule.
    pub(crate) fn would_pass(&self, class: Class, amounts: &Amounts) -> bool {
        let before = self.lines.iter().take(class as usize + 1).flatten();
        before.take(LOOKED_AT).any(|waiter| waiter.amounts.meets(amounts))
    }

    /// The class whose waiter at its place is next: one that has lost patience, the oldest first,
    /// else the most urgent.
    fn class_of_next(&self, now: u64, places: &[usize; CLASSES]) -> Option<usize> {
        let next = |class: usize| self.lines[class].get(places[class]);
        let waits = (0..CLASSES).filter_map(|class| next(class).map(|waiter| (class, waiter)));
        let is_old = |waiter: &Waiter| now.saturating_sub(waiter.since) >= self.patience;
        let old = waits.clone().filter(|(_, waiter)| is_old(waiter));
        let oldest = old.min_by_key(|(_, waiter)| (waiter.since, waiter.id));
        oldest.or_else(|| waits.clone().next()).map(|(class, _)| class)
    }
}

impl Amounts {
    /// Whether both need something of one rule. Those that need nothing meet nobody.
    fn meets(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).any(|(mine, theirs)| *mine > 0 && *theirs > 0)
    }

    fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(mine, theirs)| *mine |= *theirs);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Rule, Shape};

    const SECOND: u64 = 1_000_000_000;

    fn rule(name: &'static str, limit: u64) -> Rule {
        Rule {
            name,
            shape: Shape::Sliding,
            limit,
            window: Duration::from_secs(1),
            default_cost: 0,
            counts_refused: false,
        }
    }

    /// Two rules of ten; the first request has been answered, so that everything is open.
    fn books() -> Books {
        let mut books = Books::new(&[rule("a", 10), rule("b", 10)], Duration::from_millis(1));
        let mut first = books.reserve(1, &Amounts::default()).unwrap();
        books.sent(1, &mut first);
        books.answered(2, &first, &crate::Settlement::default());
        books
    }

    fn line(queue: &mut Queue, waiters: &[(u64, Class, u32, u32, u64)]) {
        for &(id, class, a, b, since) in waiters {
            let mut amounts = Amounts::default();
            (amounts.0[0], amounts.0[1]) = (a, b);
            queue.push(class, Waiter { id, amounts, since });
        }
    }

    fn admitted(queue: &mut Queue, now: u64, books: &mut Books) -> Vec<u64> {
        let mut ids = Vec::new();
        while let Next::Admitted(waiter, mut ticket) = queue.next(now, books) {
            books.sent(now, &mut ticket);
            ids.push(waiter.id);
        }
        ids
    }

    #[test]
    fn a_small_request_does_not_pass_a_large_one_under_the_same_rule() {
        let (mut books, mut queue) = (books(), Queue::new(10 * SECOND));
        let normal = Class::Normal;
        line(&mut queue, &[(1, normal, 6, 0, 5), (2, normal, 6, 0, 5), (3, normal, 1, 0, 5)]);
        line(&mut queue, &[(4, normal, 0, 3, 5), (5, normal, 1, 1, 5)]);
        assert_eq!(admitted(&mut queue, 5, &mut books), [1, 4], "4 needs the other rule only");
        assert_eq!(queue.len(), 3);
        queue.remove(2);
        // Since one was turned away, sends are spread: six of ten are worth 600 ms.
        assert_eq!(admitted(&mut queue, SECOND * 3 / 5, &mut books), [3, 5]);
    }

    #[test]
    fn urgent_goes_first_and_background_not_last_for_ever() {
        let (mut books, mut queue) = (books(), Queue::new(10 * SECOND));
        let amounts = |id, class, since| (id, class, 10, 0, since);
        line(&mut queue, &[amounts(1, Class::Background, 0), amounts(2, Class::Normal, 0)]);
        line(&mut queue, &[amounts(3, Class::Urgent, 0)]);
        assert_eq!(admitted(&mut queue, 5, &mut books), [3]);
        assert_eq!(admitted(&mut queue, 3 * SECOND, &mut books), [2]);
        line(
            &mut queue,
            &[amounts(4, Class::Urgent, 3 * SECOND), amounts(5, Class::Urgent, SECOND)],
        );
        assert_eq!(queue.first(9 * SECOND), Some(4));
        assert_eq!(admitted(&mut queue, 12 * SECOND, &mut books), [1], "it has waited 12 s");
    }

    #[test]
    fn whoever_comes_new_waits_behind_those_that_wait() {
        let mut queue = Queue::new(SECOND);
        line(&mut queue, &[(1, Class::Normal, 1, 0, 0)]);
        let (mut a, mut b) = (Amounts::default(), Amounts::default());
        (a.0[0], b.0[1]) = (1, 1);
        assert!(queue.would_pass(Class::Normal, &a) && !queue.would_pass(Class::Normal, &b));
        assert!(!queue.would_pass(Class::Urgent, &a));
    }
}
