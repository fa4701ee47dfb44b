//! The books of one scope: every rule of a server, what was sent under it, and what follows.
//!
//! A state machine without a clock, a lock, a queue or randomness. `now` is a count of nanoseconds
//! that never goes back; whoever calls brings it. The same calls in the same order give the same
//! books, which is how several processes share them ([`crate::Limiter`]).

use std::time::Duration;

use crate::QuotaSnapshot;
use crate::quota::account::{Account, Heard, Held, ReadUsed, Told};
use crate::quota::delay::Delay;
use crate::quota::{Cost, MAX_RULES, Reading, Refusal, Rule, Settlement, nanos};

/// A rest after "too many requests" without a word about how long; doubles with each.
const FIRST_REST: u64 = 1_000_000_000;
/// The longest rest of that kind.
const MAX_REST: u64 = 60_000_000_000;
/// A rest after "shut out" without a word about how long.
const BAN_REST: u64 = 120_000_000_000;

/// The share of a limit that nobody knows, where somebody has refused, in millionths.
const UNKNOWN_BLAME: u128 = 990_000;

/// What a request costs under each rule, in the order of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Amounts(pub(crate) [u32; MAX_RULES]);

/// What was admitted: kept by whoever sends, told to the books what became of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ticket {
    held: [Held; MAX_RULES],
    /// Zero until it is sent.
    sent_at: u64,
}

/// The limits of one server under one key, and what is known about them.
#[derive(Debug)]
pub struct Books {
    accounts: Vec<Account>,
    delay: Delay,
    now: u64,
    rest_until: u64,
    rests: u32,
    /// The first request, until an answer or a while shows that the way is open.
    first_sent_at: Option<u64>,
    is_answered: bool,
    clamped: u64,
}

impl Ticket {
    /// What was admitted under each rule.
    pub(crate) fn amounts(&self) -> Amounts {
        Amounts(self.held.map(|held| held.amount))
    }
}

impl Books {
    /// Books in which nothing was sent yet. A request is taken to arrive at most `guard_cap` later
    /// than the quickest, and never more than a quarter of a rule's window.
    ///
    /// # Panics
    /// With more than [`MAX_RULES`] rules.
    #[must_use]
    pub fn new(rules: &[Rule], guard_cap: Duration) -> Self {
        assert!(rules.len() <= MAX_RULES, "invariant: a server has at most {MAX_RULES} rules");
        let account = |rule: &Rule| Account::new(*rule, nanos(guard_cap));
        Self {
            accounts: rules.iter().map(account).collect(),
            delay: Delay::default(),
            now: 0,
            rest_until: 0,
            rests: 0,
            first_sent_at: None,
            is_answered: false,
            clamped: 0,
        }
    }

    /// What `costs` are under each rule, defaults filled in. More than a limit is the limit: such a
    /// request waits until nothing else counts, and the server decides.
    pub fn amounts(&mut self, costs: &[Cost]) -> Amounts {
        let mut amounts = Amounts::default();
        for (account, amount) in self.accounts.iter().zip(&mut amounts.0) {
            let said = costs.iter().filter(|cost| cost.rule == account.rule.name);
            *amount = said
                .map(|cost| cost.amount)
                .reduce(u32::saturating_add)
                .unwrap_or(account.rule.default_cost);
            let most = u32::try_from(account.effective.stated()).unwrap_or(u32::MAX);
            if *amount > most {
                *amount = most;
                self.clamped += 1;
            }
        }
        amounts
    }

    /// Admits a request under all rules or under none.
    ///
    /// # Errors
    /// The earliest moment at which it may be admitted, later than `now`. Asked again then it is,
    /// unless something else was admitted or learned in between.
    pub fn reserve(&mut self, now: u64, amounts: &Amounts) -> Result<Ticket, u64> {
        self.advance(now);
        let now = self.now;
        let mut earliest = self.rest_until.max(now);
        let is_open = self.is_open(now);
        let mut probes = 0u8;
        for (index, (account, amount)) in self.accounts.iter_mut().zip(amounts.0).enumerate() {
            if amount == 0 {
                continue;
            }
            account.advance(now);
            let (ready_at, is_probe) = account.ready_at(now, u64::from(amount), is_open);
            earliest = earliest.max(ready_at);
            probes |= u8::from(is_probe) << index;
        }
        if earliest > now {
            return Err(earliest);
        }
        let mut ticket = Ticket::default();
        for (index, (account, amount)) in self.accounts.iter_mut().zip(amounts.0).enumerate() {
            if amount > 0 {
                // In its place: a ticket is several lines of cache.
                let held = &mut ticket.held[index];
                (held.amount, held.is_probe) = (amount, probes & (1 << index) != 0);
                account.reserve(now, held);
            }
        }
        Ok(ticket)
    }

    /// Takes a request that was admitted elsewhere under the same limits.
    pub fn impose(&mut self, now: u64, amounts: &Amounts) -> Ticket {
        self.advance(now);
        let mut ticket = Ticket::default();
        for (index, (account, amount)) in self.accounts.iter_mut().zip(amounts.0).enumerate() {
            if amount > 0 {
                account.advance(self.now);
                ticket.held[index].amount = amount;
                account.reserve(self.now, &mut ticket.held[index]);
            }
        }
        ticket
    }

    /// It leaves now.
    pub fn sent(&mut self, now: u64, ticket: &mut Ticket) {
        self.advance(now);
        ticket.sent_at = self.now;
        self.first_sent_at.get_or_insert(self.now);
        for (account, held) in self.accounts.iter_mut().zip(&mut ticket.held) {
            if held.amount > 0 {
                account.advance(self.now);
                account.sent(self.now, held);
            }
        }
    }

    /// It is not sent after all.
    pub fn give_back(&mut self, ticket: &Ticket) {
        for (account, held) in self.accounts.iter_mut().zip(&ticket.held) {
            if held.amount > 0 {
                account.give_back(held);
            }
        }
    }

    /// It was sent, and no answer will come: the server may have counted it.
    pub fn lost(&mut self, ticket: &Ticket) {
        // It stays charged for as long as it can count.
        for (account, held) in self.accounts.iter_mut().zip(&ticket.held) {
            if held.amount > 0 {
                account.lost(held);
            }
        }
    }

    /// Its answer came now.
    pub fn answered(&mut self, now: u64, ticket: &Ticket, answer: &Settlement<'_>) {
        self.advance(now);
        let now = self.now;
        self.is_answered = true;
        let rtt = now.saturating_sub(ticket.sent_at);
        let excess = self.delay.excess(rtt);
        self.delay.learn(now, rtt);
        let blamed = answer.refused.and_then(|_| self.blame(ticket, answer.readings));
        for index in 0..self.accounts.len() {
            let account = &mut self.accounts[index];
            let held = &ticket.held[index];
            account.advance(now);
            let said = |reading: &&Reading| reading.rule == account.rule.name;
            let reading = answer.readings.iter().find(said).copied();
            let used = reading.and_then(|reading| reading.used);
            if let Some(limit) = reading.and_then(|reading| reading.limit) {
                account.state(limit);
            }
            let amount = u64::from(held.amount);
            let actual = match answer.refused {
                Some(_) if !account.rule.counts_refused => 0,
                _ => actual(answer.actual, account.rule.name).map_or(amount, u64::from),
            };
            if account.is_paced() {
                let refused = answer.refused.map(|_| blamed == Some(index));
                account.hear(now, held, &Heard { sent_at: ticket.sent_at, refused, used, actual });
            } else if let Some(used) = used {
                let is_counted = answer.refused.is_none() || account.rule.counts_refused;
                let counted = if is_counted { u64::from(held.amount) } else { 0 };
                let arrived_by = ticket.sent_at + excess.min(account.cap);
                let read = ReadUsed { sent_at: ticket.sent_at, arrived_by, counted, used };
                account.read_used(now, held, &read);
            }
            if held.amount == 0 {
                continue;
            }
            match answer.refused {
                _ if account.is_paced() => {}
                None => account.effective.accepted(used.unwrap_or(held.level), used.is_some()),
                Some(refusal) if blamed == Some(index) => {
                    let is_wait_stated = refusal.retry_after.is_some();
                    let told = Told { now, sent_at: ticket.sent_at, used, is_wait_stated };
                    if account.refused(held, &told) {
                        self.delay.doubt();
                    }
                }
                Some(_) => {}
            }
            let end = ticket.sent_at + account.span + account.drift + excess.min(account.cap);
            // What is charged beyond the estimate, the server charges at the end of its work.
            let end = if actual > amount { end.max(now + account.span) } else { end };
            account.settle(held, end, actual);
        }
        // A pace that has fallen is rest enough, unless the server asks for one.
        let is_paced = blamed.is_some_and(|index| self.accounts[index].is_paced());
        if !is_paced || answer.refused.is_none_or(|refusal| refusal != Refusal::default()) {
            self.rest(now, ticket.sent_at, answer);
        }
        let slowest = self.delay.slowest();
        if let Some(spread) = self.delay.spread() {
            self.accounts.iter_mut().for_each(|account| account.set_spread(spread, slowest));
        }
    }

    /// Nothing at all is admitted before `until`.
    pub fn block(&mut self, until: u64) {
        self.rest_until = self.rest_until.max(until);
    }

    /// Until when nothing is admitted.
    #[must_use]
    pub const fn blocked_until(&self) -> u64 {
        self.rest_until
    }

    /// How many requests said that they cost more than a limit.
    #[must_use]
    pub const fn clamped(&self) -> u64 {
        self.clamped
    }

    /// The figures of each rule.
    pub fn snapshot(&mut self, now: u64) -> Vec<QuotaSnapshot> {
        self.advance(now);
        let (now, spread) = (self.now, self.delay.spread());
        let figures = |account: &mut Account| {
            account.advance(now);
            let by_others = account.others.used();
            QuotaSnapshot {
                rule: account.rule.name,
                limit: account.known_limit(),
                window: account.rule.window,
                used: account.used() + by_others,
                by_others,
                guard: Duration::from_nanos(spread.unwrap_or(account.cap).min(account.cap)),
            }
        };
        self.accounts.iter_mut().map(figures).collect()
    }

    const fn advance(&mut self, now: u64) {
        if now > self.now {
            self.now = now;
        }
    }

    /// Whether an answer has come, or would have.
    fn is_open(&self, now: u64) -> bool {
        let span = self.accounts.iter().map(|account| account.span).min().unwrap_or(0);
        self.is_answered || self.first_sent_at.is_some_and(|at| now - at >= span / 4)
    }

    /// The rule that refused: the one that says so, else the one that was used most.
    fn blame(&self, ticket: &Ticket, readings: &[Reading]) -> Option<usize> {
        let share = |&(_, account, held): &(usize, &Account, &Held)| {
            let said = readings.iter().find(|reading| reading.rule == account.rule.name);
            let used = said.and_then(|reading| reading.used).unwrap_or(0).max(held.level);
            if account.effective.limit() == u64::MAX {
                // Of a limit that nobody knows anything is likely, but for one that is used up.
                return UNKNOWN_BLAME;
            }
            u128::from(used) * 1_000_000 / u128::from(account.effective.limit())
        };
        let touched = self.accounts.iter().zip(&ticket.held).enumerate();
        let touched = touched.map(|(index, (account, held))| (index, account, held));
        touched.filter(|(_, _, held)| held.amount > 0).max_by_key(share).map(|(index, ..)| index)
    }

    fn rest(&mut self, now: u64, sent_at: u64, answer: &Settlement<'_>) {
        let Some(refusal) = answer.refused else {
            self.rests = 0;
            return;
        };
        let wait = match (refusal.retry_after, refusal.banned) {
            (Some(wait), _) => nanos(wait),
            (None, true) => BAN_REST,
            // Sent before the rest began: it says nothing new.
            (None, false) if sent_at < self.rest_until => return,
            (None, false) => {
                self.rests += 1;
                (FIRST_REST << (self.rests - 1).min(6)).min(MAX_REST)
            }
        };
        self.block(now.saturating_add(wait));
    }
}

fn actual(costs: &[Cost], rule: &str) -> Option<u32> {
    let said = costs.iter().filter(|cost| cost.rule == rule).map(|cost| cost.amount);
    said.reduce(u32::saturating_add)
}
