//! The books of one rule: what counts, what others use, what the limit is in truth.

use crate::quota::bucket::Bucket;
use crate::quota::effective::{Effective, Refused};
use crate::quota::fixed::{Fixed, Known, Length, Said, Wanted};
use crate::quota::others::Others;
use crate::quota::pace::{Pace, Sent};
use crate::quota::rhythm::Rhythm;
use crate::quota::sends::Sends;
use crate::quota::sliding::Sliding;
use crate::quota::wheel::Wheel;
use crate::quota::{Rule, Shape, nanos};

/// What a new scope may use before its first answer, as a share of the limit: whoever used the
/// key before us, an earlier run of ours included, is seen in the first reading only.
const UNANSWERED_SHARE: u64 = 8;
/// Others may take nearly all; this share stays ours, so that nobody waits for ever.
const LEAST_SHARE: u64 = 16;
/// What of a bucket stays free for others where readings show them, as a share of it: they are seen
/// only when they are quicker than it drains. It costs no throughput.
const BUCKET_RESERVE: u64 = 64;
/// Of so small a limit one request is more than what readings can tell apart.
const FEW: u64 = 128;
/// A server's clock may run slow by one part in so many, 122 millionths: well beyond what is usual.
const DRIFT: u64 = 8192;
/// So many windows others are looked for once they were seen without any doubt.
const PROVEN: u64 = 64;
/// So many windows others are taken to vary once they did.
const VARY: u64 = 8;
/// What may leave at once while sends are spread, as a share of the period.
const PACE_BURST: u64 = 8;

/// One rule with all that is known about it. Nanoseconds throughout.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) rule: Rule,
    pub(super) span: u64,
    /// The most that a request is taken to be late.
    pub(super) cap: u64,
    /// How much longer a window of the server may be, whose clock runs slow.
    pub(super) drift: u64,
    counter: Counter,
    /// Beside the window, where sends are paced.
    pace: Option<Box<Pace>>,
    /// Admitted, not sent yet.
    pending: u64,
    /// All that was ever sent.
    charged: u64,
    pub(super) effective: Effective,
    pub(super) others: Others,
    /// Until when sends are spread over the period instead of leaving as they fit.
    spread_until: u64,
    /// Until when they are not, whatever else.
    unpaced_until: u64,
    /// When the next one is due at an even pace.
    pace_at: u64,
    /// When the first reading came: others are known a window later.
    first_read_at: Option<u64>,
    fixed: Fixed,
    rhythm: Rhythm,
    sliding: Sliding,
    /// Until when what others use of a window that slides is not taken to stay as it is.
    vary_until: u64,
    /// Until when there are others in windows that begin anew: they were seen without any doubt.
    proven_until: u64,
    sends: Box<Sends>,
    /// How unevenly requests travel: what left so much later has not overtaken.
    spread: u64,
    /// How long the slowest takes there and back.
    slowest: u64,
}

#[derive(Debug)]
enum Counter {
    Window(Wheel),
    Bucket(Bucket),
}

/// What a request holds of an account.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    pub(super) amount: u32,
    /// It went above what is proven, to see whether more is allowed.
    pub(super) is_probe: bool,
    /// Of the pace.
    era: u16,
    slot: u64,
    /// What we had used when it was sent, itself included.
    pub(super) level: u64,
    /// All that had been sent by then, itself included.
    charged: u64,
}

/// What is known of a refusal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) now: u64,
    pub(super) sent_at: u64,
    pub(super) used: Option<u64>,
    /// The server said how long to wait.
    pub(super) is_wait_stated: bool,
}

/// What an answer says to a rule that is paced.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    pub(super) sent_at: u64,
    /// Whether the request was refused, and for this rule.
    pub(super) refused: Option<bool>,
    pub(super) used: Option<u64>,
    /// What it cost in the end.
    pub(super) actual: u64,
}

/// What a server said was used when a request arrived.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadUsed {
    /// When it left, and when it had arrived at the latest.
    pub(super) sent_at: u64,
    pub(super) arrived_by: u64,
    /// What the server counted of it.
    pub(super) counted: u64,
    pub(super) used: u64,
}

impl Account {
    pub(super) fn new(rule: Rule, cap: u64) -> Self {
        let span = nanos(rule.window).max(1);
        let cap = cap.min(span / 4);
        let drift = span / DRIFT;
        let counter = match rule.shape {
            Shape::Bucket => Counter::Bucket(Bucket::new(span + drift, cap)),
            _ => Counter::Window(Wheel::new(span, span.saturating_add(cap + drift))),
        };
        Self {
            span,
            cap,
            drift,
            counter,
            pace: (rule.shape == Shape::Paced).then(|| Box::new(Pace::new(rule.limit, span))),
            pending: 0,
            charged: 0,
            effective: Effective::new(&rule),
            // A reserve in a bucket costs no throughput, and others are seen in it now and then only.
            others: Others::new(match rule.shape {
                Shape::Bucket => span.saturating_mul(4),
                _ => span,
            }),
            spread_until: 0,
            unpaced_until: 0,
            pace_at: 0,
            first_read_at: None,
            fixed: Fixed::default(),
            rhythm: Rhythm::new(span),
            sliding: Sliding::default(),
            vary_until: 0,
            proven_until: 0,
            sends: Box::default(),
            spread: cap,
            slowest: cap,
            rule,
        }
    }

    /// Time has come to `now`.
    pub(super) fn advance(&mut self, now: u64) {
        self.effective.advance(now, self.span);
        match &mut self.counter {
            Counter::Window(wheel) => wheel.advance(now),
            Counter::Bucket(bucket) => bucket.advance(now, self.effective.limit()),
        }
        if let Some(pace) = &mut self.pace {
            pace.advance(now);
        }
        if self.is_fixed() {
            self.fixed.advance(now, self.charged, &self.length());
        }
    }

    const fn is_fixed(&self) -> bool {
        matches!(self.rule.shape, Shape::Aligned | Shape::Anchored)
    }

    const fn length(&self) -> Length {
        Length {
            span: self.span,
            drift: self.drift,
            is_regular: matches!(self.rule.shape, Shape::Aligned),
            spread: self.spread,
            slowest: self.slowest,
        }
    }

    /// What we have used, requests included that are about to leave.
    pub(super) fn used(&self) -> u64 {
        self.pending
            + match &self.counter {
                Counter::Window(wheel) => wheel.sum(),
                Counter::Bucket(bucket) => bucket.used(),
            }
    }

    /// What we may use.
    fn budget(&self, now: u64, is_answered: bool) -> u64 {
        let limit = self.effective.limit();
        let reserve = match self.counter {
            Counter::Bucket(_) if self.first_read_at.is_some() => limit.div_ceil(BUCKET_RESERVE),
            _ => 0,
        };
        let sent = match self.rule.shape {
            Shape::Sliding if now < self.vary_until => {
                self.sliding.most(now + self.spread, &self.rhythm)
            }
            Shape::Sliding | Shape::Bucket => 0,
            _ if self.rhythm.is_known() && now < self.proven_until => {
                self.rhythm.most_in(self.span)
            }
            _ => 0,
        };
        let taken = self.others.expected(limit).max(sent) + reserve;
        let free = limit.saturating_sub(taken).max(limit / LEAST_SHARE);
        if is_answered { free.max(1) } else { (limit / UNANSWERED_SHARE).max(1) }
    }

    /// While others are not known yet: when we may have used `level`, they and we together no more
    /// than half the limit at once and the rest evenly over the first window. Who uses up to half
    /// evenly is met nowhere by that.
    fn unknown_others_until(&self, now: u64, level: u64) -> Option<u64> {
        let since = self.first_read_at.filter(|at| now < at.saturating_add(self.span))?;
        let limit = self.effective.limit();
        let beyond = (level + self.others.used()).saturating_sub(limit / 2).min(limit);
        let part = u128::from(self.span) * u128::from(beyond) / u128::from(limit.div_ceil(2));
        let until = since.saturating_add(u64::try_from(part).unwrap_or(u64::MAX).min(self.span));
        (until > now).then_some(until)
    }

    /// When `amount` fits in windows that begin anew, as far as the server's own figures show what it
    /// counts and what others send.
    fn ready_by_readings(&self, now: u64, amount: u64) -> Option<u64> {
        let is_known = |at: u64| now >= at.saturating_add(self.span);
        let are_there = self.rhythm.is_known() && now < self.proven_until;
        if !self.first_read_at.is_some_and(is_known) || !are_there {
            return None;
        }
        let (limit, amount) = (self.effective.limit(), self.pending + amount);
        let wanted = Wanted { now, amount, limit, charged: self.charged };
        self.fixed.ready_at(&wanted, &self.length(), &self.rhythm)
    }

    /// When `amount` fits, `now` at the earliest; and whether it would be a probe. What has been
    /// `advance`d to `now` is asked.
    pub(super) fn ready_at(&mut self, now: u64, amount: u64, is_answered: bool) -> (u64, bool) {
        if let Some(pace) = &self.pace {
            return (pace.ready_at(now, amount).max(self.room_at(now, amount)), false);
        }
        let budget = self.budget(now, is_answered);
        let (fits, is_probe) = match &self.counter {
            Counter::Bucket(bucket) => {
                let limit = self.effective.limit();
                let ours = limit.min(budget);
                let kept = limit - ours;
                (bucket.ready_at(limit, self.pending + kept, amount.min(ours)), false)
            }
            Counter::Window(wheel) => {
                let used = wheel.sum() + self.pending;
                if used == 0 {
                    (now, false)
                } else if let Some(at) = self.ready_by_readings(now, amount) {
                    return (at.max(now), false);
                } else if used + amount <= budget {
                    (self.unknown_others_until(now, used + amount).unwrap_or(now), false)
                } else if self.effective.may_probe(used + amount) && is_answered {
                    (now, true)
                } else {
                    // Who is turned away is served no earlier by a burst, and a burst would be
                    // refused as one when the limit has changed.
                    self.spread_until = now.saturating_add(self.span.saturating_mul(2));
                    let need = (used + amount - budget).min(used);
                    // What is about to leave is asked again when it has left.
                    (wheel.freed_at(need).unwrap_or(now.saturating_add(self.span)), false)
                }
            }
        };
        let fits = fits.max(now);
        let spreads =
            now >= self.unpaced_until && (now < self.spread_until || self.others.are_seen());
        if !spreads || matches!(self.counter, Counter::Bucket(_)) || is_probe {
            return (fits, is_probe);
        }
        (fits.max(self.pace_at.saturating_sub(self.span / PACE_BURST)), false)
    }

    /// When `amount` fits into a window that slides, whatever else.
    fn room_at(&self, now: u64, amount: u64) -> u64 {
        let Counter::Window(wheel) = &self.counter else { return now };
        let (used, limit) = (wheel.sum() + self.pending, self.effective.limit());
        let beyond = (used + amount).saturating_sub(limit).min(used);
        if beyond == 0 {
            return now;
        }
        // What is about to leave is asked again when it has left.
        wheel.freed_at(beyond).unwrap_or(now.saturating_add(self.span)).max(now)
    }

    /// What is spread evenly over a window.
    fn pace_budget(&self, now: u64) -> u64 {
        let budget = self.budget(now, true);
        if self.rule.shape == Shape::Bucket || !self.others.are_seen() {
            return budget;
        }
        match self.is_fixed() {
            true => self.effective.limit(),
            false => budget,
        }
    }

    /// Admits `amount`.
    pub(super) fn reserve(&mut self, now: u64, held: &mut Held) {
        let amount = held.amount;
        self.pending += u64::from(amount);
        if let Some(pace) = &mut self.pace {
            held.era = pace.reserve(now, u64::from(amount));
            return;
        }
        if held.is_probe {
            self.effective.probe_left();
        }
        let budget = self.pace_budget(now);
        // Dividing by 128 bits takes as long as the rest of a decision, and is hardly ever needed.
        let cost = match u64::from(amount).checked_mul(self.span) {
            Some(product) => product / budget,
            None => {
                let product = u128::from(amount) * u128::from(self.span);
                u64::try_from(product / u128::from(budget)).unwrap_or(u64::MAX)
            }
        };
        self.pace_at = self.pace_at.max(now).saturating_add(cost.min(self.span));
    }

    /// What was admitted is not sent.
    pub(super) fn give_back(&mut self, held: &Held) {
        self.pending = self.pending.saturating_sub(u64::from(held.amount));
        if held.is_probe {
            self.effective.probe_ended();
        }
        if let Some(pace) = &mut self.pace {
            pace.give_back(u64::from(held.amount), held.era);
        }
    }

    /// It was sent, and nothing is known of what became of it. A probe proves nothing then.
    pub(super) fn lost(&mut self, held: &Held) {
        if held.is_probe {
            self.effective.probe_ended();
        }
        if let Some(pace) = &mut self.pace {
            pace.lost(u64::from(held.amount));
        }
    }

    /// Whether sends are paced; then answers are heard by [`Self::hear`] alone.
    pub(super) const fn is_paced(&self) -> bool {
        self.pace.is_some()
    }

    /// The limit as it is known now; 0 where none is.
    pub(super) fn known_limit(&self) -> u64 {
        self.pace.as_ref().map_or(self.effective.limit(), |pace| pace.limit())
    }

    /// The server says its limit.
    pub(super) fn state(&mut self, limit: u64) {
        self.effective.state(limit);
        if let Some(pace) = &mut self.pace {
            pace.state(limit, self.charged);
        }
    }

    /// Where sends are paced: what an answer tells of them.
    pub(super) fn hear(&mut self, now: u64, held: &Held, heard: &Heard) {
        let limit = self.effective.limit();
        let Some(pace) = &mut self.pace else { return };
        let amount = u64::from(held.amount);
        let Held { charged, .. } = *held;
        let sent = Sent { at: heard.sent_at, amount, charged, total: self.charged };
        match heard.refused {
            // Without an amount it says nothing of passing; readings may be of others' answers.
            None if amount > 0 => pace.passed(now, &sent, heard.actual.saturating_sub(amount)),
            None => {}
            Some(true) => return pace.refused(now, &sent),
            Some(false) => return pace.refused_elsewhere(amount),
        }
        if let Some(used) = heard.used.filter(|_| amount > 0) {
            pace.read_left(now, &sent, limit.saturating_sub(used));
        }
    }

    /// What was admitted leaves.
    pub(super) fn sent(&mut self, now: u64, held: &mut Held) {
        let amount = u64::from(held.amount);
        self.pending = self.pending.saturating_sub(amount);
        self.charged += amount;
        match &mut self.counter {
            Counter::Window(wheel) => {
                held.slot = wheel.add(now + self.span + self.cap + self.drift, amount);
            }
            Counter::Bucket(bucket) => bucket.charge(amount),
        }
        held.level = self.used();
        held.charged = self.charged;
        self.sends.add(now, self.charged);
        if self.is_fixed() {
            let length = self.length();
            self.fixed.left(now, (amount, self.charged), &length);
        }
    }

    /// It is known when it has arrived at the latest, and what it really cost.
    pub(super) fn settle(&mut self, held: &Held, end: u64, actual: u64) {
        let amount = u64::from(held.amount);
        // What is refused is not counted, but what cost less than it was charged for is.
        let actual = if self.is_paced() && actual > 0 { actual.max(amount) } else { actual };
        self.fixed.cost_more(actual.saturating_sub(amount));
        match &mut self.counter {
            Counter::Window(wheel) => {
                wheel.remove(held.slot, amount);
                wheel.add(end, actual);
            }
            Counter::Bucket(bucket) if actual < amount => bucket.refund(amount - actual),
            Counter::Bucket(bucket) => bucket.charge(actual - amount),
        }
        if held.is_probe {
            self.effective.probe_ended();
        }
    }

    /// A server that has taken this request has counted so much of ours, at most.
    const fn counted_at_most(&self, held: &Held) -> u64 {
        held.level + (self.charged - held.charged)
    }

    /// The server says what is used, as it was when `held` arrived, of which it counted `counted`.
    pub(super) fn read_used(&mut self, now: u64, held: &Held, read: &ReadUsed) {
        let ReadUsed { sent_at, arrived_by, counted, used } = *read;
        self.first_read_at.get_or_insert(now);
        // What left later by more than the spread arrived later.
        let latest = sent_at.saturating_add(self.spread);
        let charged = match self.rule.limit < FEW {
            true => self.charged,
            false => self.sends.at_most(latest, self.charged).max(held.charged),
        };
        let at_most = held.level + (charged - held.charged);
        match &mut self.counter {
            Counter::Bucket(bucket) => {
                self.others.seen(now, used.saturating_sub(at_most));
                bucket.raise(used + (self.charged - held.charged));
            }
            Counter::Window(_) if self.rule.shape == Shape::Sliding => {
                let amount = used.saturating_sub(at_most);
                self.others.seen(now, amount);
                if self.others.vary(self.effective.limit()) {
                    self.vary_until = now.saturating_add(self.span.saturating_mul(VARY));
                }
                self.sliding.read(sent_at, self.span + self.drift, amount, &mut self.rhythm);
            }
            Counter::Window(_) => {
                let said = Said {
                    sent_at,
                    arrived_by,
                    amount: u64::from(held.amount),
                    counted,
                    charged: held.charged,
                    total: self.charged,
                    used,
                };
                let length = self.length();
                let known = Known { sends: &self.sends, others: &self.rhythm };
                let ours = self.fixed.read(&said, &length, &known);
                self.fixed.settle(now, &length, &mut self.rhythm);
                let amount = used.saturating_sub(ours.unwrap_or(at_most).max(at_most));
                if amount > 0 {
                    // All of ours cannot be so much; what is told from the order in which it arrived can
                    // be wrong.
                    self.proven_until = now.saturating_add(self.span.saturating_mul(PROVEN));
                }
                self.others.seen(now, amount);
            }
        }
    }

    /// A request was refused for this rule. Says whether the books cannot explain it.
    pub(super) fn refused(&mut self, held: &Held, told: &Told) -> bool {
        let amount = u64::from(held.amount);
        let unknown = held.level.saturating_sub(amount);
        let before = if self.rule.counts_refused { amount } else { 0 };
        let refused = Refused {
            now: told.now,
            span: self.span,
            used: told.used.map_or(unknown, |used| used.saturating_sub(before)),
            amount,
            is_read: told.used.is_some(),
            is_wait_stated: told.is_wait_stated,
        };
        // By others only: what we used ourselves, the books knew when they admitted it.
        let is_explained = told.used.is_some()
            && refused.used + amount > self.effective.limit()
            && refused.used + amount > self.counted_at_most(held);
        let is_surprise = self.effective.knew(told.sent_at) && !is_explained;
        if is_surprise {
            self.effective.refused(&refused);
        }
        self.limit_fell(told.now);
        is_surprise
    }

    /// The limit is not what it was: what was sent under the old one makes room more quickly than
    /// the new one is paced.
    fn limit_fell(&mut self, now: u64) {
        self.unpaced_until = now.saturating_add(self.span.saturating_mul(2));
    }

    /// How unevenly requests travel, and how long the slowest takes there and back.
    pub(super) fn set_spread(&mut self, spread: u64, slowest: u64) {
        let spread = spread.min(self.cap);
        (self.spread, self.slowest) = (spread, slowest);
        let limit = self.effective.limit();
        if let Some(pace) = &mut self.pace {
            pace.set_spread(spread);
        }
        self.others.set_spread(spread);
        if self.rule.shape == Shape::Sliding && limit >= FEW {
            self.others.trust_parts();
        }
        if let Counter::Bucket(bucket) = &mut self.counter {
            bucket.set_spread(spread);
        }
    }
}
