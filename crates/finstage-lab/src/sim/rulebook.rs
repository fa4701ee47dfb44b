//! What a server allows: limits as its own bookkeeping sees them, brute force and without a client.
//!
//! Each rule keeps, for each one it counts, a plain list of `(when, how much, refused or not)` and looks
//! at the whole list each time. That is slow and easily seen to be right, which is what a referee is for:
//! a client's clever counters are measured against this page, and none of them may be used in it.
//!
//! The same book stands behind the simulated servers and behind a test or a campaign that has no socket
//! and no time of its own: [`Rulebook::admit`] is told who asks, when, and what it costs.
//!
//! ```
//! use std::time::Duration;
//! use finstage_lab::sim::rulebook::{Caller, Rule, Rulebook, Shape, Verdict};
//! use finstage_model::Timestamp;
//!
//! let second = Shape::Aligned(Duration::from_secs(1));
//! let mut book = Rulebook::new(vec![Rule::new("calls", 2, second)]);
//! let (me, now) = (Caller::of_key("a"), Timestamp::from_millis(1_700));
//! assert_eq!(book.admit(now, &me, &[("calls", 1)]), Verdict::Admitted);
//! assert_eq!(book.admit(now, &me, &[("calls", 1)]), Verdict::Admitted);
//! // The second of the clock ends in 300 ms.
//! let Verdict::Refused(refusal) = book.admit(now, &me, &[("calls", 1)]) else { panic!() };
//! assert_eq!((refusal.status, refusal.wait), (429, Duration::from_millis(300)));
//! assert_eq!(book.admit(now.plus(refusal.wait), &me, &[("calls", 1)]), Verdict::Admitted);
//! ```

mod book;

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::Timestamp;

use self::book::Book;

/// The most callers a rule keeps a list for; those who may do everything again are forgotten first.
pub const MAX_CALLERS: usize = 10_000;
/// The most entries of one list; a flood beyond it is added to the newest entry.
pub const MAX_ENTRIES: usize = 200_000;

/// How a limit is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Periods that begin on the clock: the second, the minute. What was used is nothing again at each.
    Aligned(Duration),
    /// A period that begins with the first cost after the last one ended.
    Anchored(Duration),
    /// Each cost counts for this long.
    Sliding(Duration),
    /// A counter that falls by one in this time: a bucket of tokens, seen from below.
    Decaying(Duration),
}

/// Whose costs are added up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scope {
    /// Those of a key, wherever it is used.
    #[default]
    Key,
    /// Those of an address.
    Address,
    /// Those of one connection.
    Connection,
    /// Those of an address that are about one thing, as a pair.
    AddressAndTopic,
}

/// What a refused request costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Refused {
    /// Nothing.
    #[default]
    Free,
    /// As much as one that was let in, so that who hammers is never let in again.
    Counted,
}

/// A ban for those who go on after refusals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ban {
    /// So many refusals in one period are let pass; the next one bans.
    pub after: u32,
    /// How long the first ban lasts; each further one is twice as long.
    pub first: Duration,
    /// The longest one.
    pub longest: Duration,
    /// The HTTP status while it lasts.
    pub status: u16,
}

/// One limit of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// What it counts; costs are given by this name.
    pub name: &'static str,
    /// How much is let in.
    pub limit: u32,
    /// How it is counted.
    pub shape: Shape,
    /// Whose costs.
    pub scope: Scope,
    /// What refused requests cost.
    pub refused: Refused,
    /// The HTTP status of a refusal.
    pub status: u16,
    /// What happens to those who go on.
    pub ban: Option<Ban>,
}

impl Rule {
    /// A rule by key, refused requests free, status 429, without a ban.
    #[must_use]
    pub const fn new(name: &'static str, limit: u32, shape: Shape) -> Self {
        let (scope, refused) = (Scope::Key, Refused::Free);
        Self { name, limit, shape, scope, refused, status: 429, ban: None }
    }
}

/// Who asks. Names are compared, never printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Caller<'a> {
    /// The key that came with the request.
    pub key: &'a str,
    /// Where it came from.
    pub address: &'a str,
    /// Which connection it came on.
    pub connection: u64,
    /// What it is about.
    pub topic: &'a str,
}

impl<'a> Caller<'a> {
    /// Somebody known by a key only.
    #[must_use]
    pub fn of_key(key: &'a str) -> Self {
        Self { key, ..Self::default() }
    }

    /// Somebody known by an address only.
    #[must_use]
    pub fn of_address(address: &'a str) -> Self {
        Self { address, ..Self::default() }
    }

    fn name(&self, scope: Scope) -> String {
        match scope {
            Scope::Key => self.key.to_owned(),
            Scope::Address => self.address.to_owned(),
            Scope::Connection => self.connection.to_string(),
            Scope::AddressAndTopic => format!("{} {}", self.address, self.topic),
        }
    }
}

/// Whether a request is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Yes, and its costs are entered.
    Admitted,
    /// No.
    Refused(Refusal),
}

impl Verdict {
    /// Whether it is let in.
    #[must_use]
    pub fn is_admitted(&self) -> bool {
        *self == Self::Admitted
    }
}

/// Why a request is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// The name of the rule that refused; with several, of the first of them.
    pub rule: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// After this time the same request would be let in, if nothing else came.
    pub wait: Duration,
    /// When the ban ends, if there is one.
    pub banned_until: Option<Timestamp>,
}

impl Refusal {
    /// The wait in seconds rounded up, as `Retry-After` says it: who waits them is let in.
    #[must_use]
    pub fn retry_after_s(&self) -> u64 {
        whole_secs(self.wait)
    }
}

/// Seconds rounded up, at least one.
pub(crate) fn whole_secs(wait: Duration) -> u64 {
    (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// The limits of a server with what was used of them.
#[derive(Debug, Clone, Default)]
pub struct Rulebook {
    rules: Vec<Rule>,
    /// By the place of the rule and the one it counts.
    books: BTreeMap<(usize, String), Book>,
    /// Limits are multiplied by this, in thousandths.
    factor: u32,
    tally: Tally,
}

/// What a rulebook was asked so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Let in.
    pub admitted: u64,
    /// Refused by a limit.
    pub refused: u64,
    /// Refused by a ban.
    pub banned: u64,
}

impl Rulebook {
    /// A book with nothing used.
    #[must_use]
    pub fn new(rules: Vec<Rule>) -> Self {
        Self { rules, books: BTreeMap::new(), factor: 1_000, tally: Tally::default() }
    }

    /// Multiplies every limit by so many thousandths from now on; no limit falls below one.
    pub fn set_factor(&mut self, thousandths: u32) {
        self.factor = thousandths;
    }

    /// Whether a request is let in. It is when every rule that a cost is given for lets it in; then, and
    /// only then, all costs are entered, but for the rules that count refused requests as well. A cost of 0
    /// asks for nothing but a ban.
    pub fn admit(&mut self, now: Timestamp, who: &Caller<'_>, costs: &[(&str, u32)]) -> Verdict {
        let touched: Vec<(usize, Rule, u32)> = (self.rules.iter().enumerate())
            .filter_map(|(place, rule)| {
                let (_, cost) = costs.iter().find(|(name, _)| *name == rule.name)?;
                Some((place, *rule, *cost))
            })
            .collect();
        let mut first = None;
        for (place, rule, cost) in &touched {
            let limit = self.limit(rule);
            let book = self.book(*place, who, now);
            first = first.or_else(|| book.refuses(rule, (limit, *cost), now));
        }
        match first {
            None => self.tally.admitted += 1,
            Some(Refusal { banned_until: Some(_), .. }) => self.tally.banned += 1,
            Some(_) => self.tally.refused += 1,
        }
        let banned = first.filter(|refusal| refusal.banned_until.is_some());
        let mut said = first;
        for (place, rule, cost) in &touched {
            let refuses = first.is_some_and(|refusal| refusal.rule == rule.name);
            let book = self.book(*place, who, now);
            if first.is_none() {
                book.enter(now, *cost);
            } else if banned.is_none() {
                // A ban is a closed door: what knocks at it is not even counted.
                book.refuse(rule, (*cost, refuses), now);
                said = book.ban(rule, now).or(said);
            }
        }
        said.map_or(Verdict::Admitted, Verdict::Refused)
    }

    /// How much of a rule is used now by one who asks; 0 for a rule that does not exist.
    pub fn used(&mut self, now: Timestamp, who: &Caller<'_>, rule: &str) -> u32 {
        let Some(place) = self.rules.iter().position(|own| own.name == rule) else { return 0 };
        let shape = self.rules[place].shape;
        self.book(place, who, now).used(shape, now)
    }

    /// What it was asked so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn limit(&self, rule: &Rule) -> u32 {
        let scaled = u64::from(rule.limit) * u64::from(self.factor) / 1_000;
        u32::try_from(scaled).unwrap_or(u32::MAX).max(1)
    }

    fn book(&mut self, place: usize, who: &Caller<'_>, now: Timestamp) -> &mut Book {
        let rule = self.rules[place];
        let key = (place, who.name(rule.scope));
        if self.books.len() >= MAX_CALLERS && !self.books.contains_key(&key) {
            let rules = &self.rules;
            self.books.retain(|(place, _), book| !book.is_idle(rules[*place].shape, now));
            if self.books.len() >= MAX_CALLERS {
                self.books.pop_first();
            }
        }
        let book = self.books.entry(key).or_default();
        book.forget(rule.shape, now);
        book
    }
}

#[cfg(test)]
mod tests;
