//! The books of one rule: what counts, what others use, what the limit is in truth.

use crate::quota::bucket::Bucket;
use crate::quota::effective::Effective;
use crate::quota::fixed::{Fixed, Length, Read, Said};
use crate::quota::others::Others;
use crate::quota::sends::Sends;
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
    sends: Box<Sends>,
    /// How unevenly requests travel: what left so much later has not overtaken.
    spread: u64,
    /// So much of ours may be on either side of a window's end.
    doubt: u64,
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
    slot: u64,
    /// What we had used when it was sent, itself included.
    pub(super) level: u64,
    /// All that had been sent by then, itself included.
    charged: u64,
    /// The number of the span in which it left, its low bits.
    number: u16,
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
            sends: Box::default(),
            spread: cap,
            doubt: 0,
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
    pub(super) fn budget(&self, is_answered: bool) -> u64 {
        let limit = self.effective.limit();
        let reserve = match self.counter {
            Counter::Bucket(_) if self.first_read_at.is_some() => limit.div_ceil(BUCKET_RESERVE),
            _ => 0,
        };
        let taken = self.others.expected(limit) + reserve;
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

    /// What we may use of fixed windows where the server's own figure shows that it still counts
    /// no more than the limit with `amount`, and with what others need until the window is over.
    #[inline(never)]
    fn budget_by_reading(&self, now: u64, amount: u64) -> Option<u64> {
        let is_known = |at: u64| now >= at.saturating_add(self.span);
        let limit = self.effective.limit();
        let are_known = self.first_read_at.is_some_and(is_known) && self.others.are_seen();
        if !are_known || limit < FEW {
            return None;
        }
        let (most, rest) = self.fixed.most(now)?;
        let wanted = most + self.pending + amount + self.others.to_come(rest, limit);
        (wanted <= limit).then(|| limit.saturating_sub(self.others.at_least(limit)))
    }

    /// When `amount` fits, `now` at the earliest; and whether it would be a probe. What has been
    /// `advance`d to `now` is asked.
    pub(super) fn ready_at(&mut self, now: u64, amount: u64, is_answered: bool) -> (u64, bool) {
        let budget = self.budget(is_answered);
        let (fits, is_probe) = match &self.counter {
            Counter::Bucket(bucket) => {
                let limit = self.effective.limit();
                let ours = limit.min(budget);
                let kept = limit - ours;
                (bucket.ready_at(limit, self.pending + kept, amount.min(ours)), false)
            }
            Counter::Window(wheel) => {
                let used = wheel.sum() + self.pending;
                let budget = match used + amount > budget {
                    true => self.budget_by_reading(now, amount).unwrap_or(0).max(budget),
                    false => budget,
                };
                if used == 0 {
                    (now, false)
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

    /// What is spread evenly over a window.
    fn pace_budget(&self) -> u64 {
        let budget = self.budget(true);
        if self.rule.shape == Shape::Bucket || !self.others.are_seen() {
            return budget;
        }
        let limit = self.effective.limit();
        match self.rule.shape {
            Shape::Aligned | Shape::Anchored if limit >= FEW => {
                budget.max(limit.saturating_sub(self.others.at_least(limit)))
            }
            _ => budget,
        }
    }

    /// Admits `amount`.
    pub(super) fn reserve(&mut self, now: u64, held: &Held) {
        let amount = held.amount;
        self.pending += u64::from(amount);
        if held.is_probe {
            self.effective.probe_left();
        }
        let budget = self.pace_budget();
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
        held.number = (now / self.span % (1 << 16)) as u16;
        self.fixed.left(held.number, amount);
    }

    /// It is known when it has arrived at the latest, and what it really cost.
    pub(super) fn settle(&mut self, held: &Held, end: u64, actual: u64) {
        let amount = u64::from(held.amount);
        self.fixed.landed(held.number, amount);
        self.fixed.unread(actual.saturating_sub(amount));
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

    /// The answer does not say what is used.
    pub(super) fn unread(&mut self, held: &Held) {
        self.fixed.unread(u64::from(held.amount));
    }

    /// A server that has taken this request has counted so much of ours, at most.
    pub(super) const fn counted_at_most(&self, held: &Held) -> u64 {
        held.level + (self.charged - held.charged)
    }

    /// The server says what is used, as it was when `held` arrived, which left at `sent_at`.
    pub(super) fn read_used(&mut self, now: u64, sent_at: u64, (held, used): (&Held, u64)) {
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
                self.others.seen(now, used.saturating_sub(at_most));
            }
            Counter::Window(_) => {
                let (amount, charged_then) = (u64::from(held.amount), held.charged);
                let said = Said { now, sent_at, amount, charged: charged_then, used };
                let is_regular = self.rule.shape == Shape::Aligned;
                let Self { span, drift, spread, .. } = *self;
                let length = Length { span, drift, is_regular, spread };
                let read = self.fixed.read(&said, &length, self.rule.limit);
                let ours = match read {
                    Read::Ours(before) => charged.saturating_sub(before),
                    Read::Unknown => at_most,
                    Read::First => return self.others.window_ended(now),
                    Read::Stale => return,
                };
                let amount = used.saturating_sub(ours);
                let amount = if amount > self.doubt { amount } else { 0 };
                self.others.seen(now, amount);
            }
        }
    }

    /// The limit is not what it was: what was sent under the old one makes room more quickly than
    /// the new one is paced.
    pub(super) fn limit_fell(&mut self, now: u64) {
        self.unpaced_until = now.saturating_add(self.span.saturating_mul(2));
    }

    /// How unevenly requests travel, and how long the slowest takes there and back.
    pub(super) fn set_spread(&mut self, spread: u64, slowest: u64) {
        let spread = spread.min(self.cap);
        self.spread = spread;
        let (span, limit) = (self.span, self.effective.limit());
        let in_time = |time: u64| {
            let part = u128::from(limit) * u128::from(time.min(span)) / u128::from(span);
            u64::try_from(part).unwrap_or(limit)
        };
        if matches!(self.rule.shape, Shape::Aligned | Shape::Anchored) {
            self.doubt = in_time(spread);
            self.others.set_unseen(in_time(slowest), spread);
        } else {
            self.others.set_unseen(0, spread);
        }
        if self.rule.shape == Shape::Sliding && limit >= FEW {
            self.others.trust_parts();
        }
        if let Counter::Bucket(bucket) = &mut self.counter {
            bucket.set_spread(spread);
        }
    }
}
