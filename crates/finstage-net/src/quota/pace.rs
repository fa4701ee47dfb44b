//! A pace for servers of which nobody knows how much they take at once, or how much at all.
//!
//! A stated limit is spread evenly: no more at once than what comes in a second, since some buckets hold
//! no more; what the server's own figures show beyond that is used. Where nothing is stated, sends begin
//! slowly and grow by themselves until something is refused, so that what is refused is few. From then on
//! the server's rate is what it let through between two refusals, since at both it had nothing left.
//!
//! Sources: the generic cell rate algorithm (ITU-T I.371); the slow start of TCP (Jacobson 1988), by time
//! instead of round trips, because a refusal comes back sooner than an answer; the rate as what was
//! delivered in a time (BBR, Cardwell et al. 2016).

const SECOND: u64 = 1_000_000_000;
const MS: u64 = 1_000_000;
/// A server's clock may run slow by one part in so many.
const DRIFT: f64 = 8192.0;
/// The most of a second that is kept free for requests that travel unevenly.
const MOST_SLACK: u64 = SECOND / 8;
/// The same where one request at a time fits, as a share of it.
const LEAST_MARGIN: f64 = 0.02;
/// What sums of fractions may be wrong by.
const ROUNDING: f64 = 1e-6;

/// So many leave a millisecond apart; from then on their number grows by itself.
const FIRST: u64 = 8;
/// It grows to e times itself in this share of the quickest answer's time, within these bounds; the upper
/// one until there is an answer.
const GROWTH: (u64, u64) = (1, 2);
const QUICKEST_GROWTH: u64 = 10 * MS;
const SLOWEST_GROWTH: u64 = 360 * MS;
/// A clock that wakes late may catch up on so much.
const CATCH_UP: u64 = MS;
/// So many leave freely in the end.
const RAMP_END: u64 = 1 << 16;

/// How much was let through between two refusals tells the rate well, fairly, or hardly.
const MANY: f64 = 32.0;
const SOME: f64 = 8.0;
/// Below what was seen to pass.
const BELOW: f64 = 0.99;
/// A rate that was refused falls at least to the first part of it, and never below the second.
const FALL: (f64, f64) = (0.98, 0.5);
/// Where nothing passes at all, one request in this time looks whether that has changed.
const LOOK: u64 = 2 * SECOND;
/// A refusal that comes while there should be more by so much shows how little the server takes at once.
const LESS: f64 = 1.1;
/// A rate that was raised to so many times the mean since the last refusal tells more than that.
const MUCH_MORE: f64 = 1.25;
/// Of what it took at once, so much is sent at once from then on.
const ROOM: f64 = 0.75;
/// Raises that begin with this part, by how well the rate is known; each doubles the next.
const WELL_KNOWN_STEP: f64 = 0.01;
const FAIRLY_KNOWN_STEP: f64 = 0.02;
const HARDLY_KNOWN_STEP: f64 = 0.125;
const UNKNOWN_STEP: f64 = 1.0;
/// From this step on few sends are enough for the next raise.
const COARSE_STEP: f64 = 0.5;
/// Sends and time between two raises: small ones, and coarse ones.
const FINE_RAISE: (u32, u64) = (32, SECOND);
const COARSE_RAISE: (u32, u64) = (3, SECOND / 8);
/// Or so long with as many sends as for coarse ones.
const LONGEST_RAISE: u64 = 10 * SECOND;
/// A well-known rate is kept for so many times that; twice as often after each raise that was refused, up
/// to the second.
const HOLD: (u32, u32) = (4, 64);
/// Of what the rate allows, so much has to be used for a raise to mean anything.
const IN_USE: f64 = 0.5;

/// The pace of one rule. Rates are amounts in a nanosecond.
#[derive(Debug)]
pub(super) struct Pace {
    span: u64,
    /// What the limit comes to, where there is one.
    stated: Option<f64>,
    /// What refusals have shown.
    found: Option<Found>,
    /// What may leave now, beyond what was reserved.
    level: f64,
    at: u64,
    /// The most that it takes at once, where that was found to be less than what comes in a second.
    room: f64,
    /// What the server says is left beside all that may not have arrived.
    shown: f64,
    /// Reserved, without an answer yet.
    out: f64,
    /// All that was not let through, and what is not known of.
    missed: f64,
    begun_at: Option<u64>,
    /// How often the rate was found to be less: what was admitted before was charged to another.
    era: u16,
    ramp: Ramp,
    spread: u64,
}

/// A rate that refusals have shown.
#[derive(Debug, Clone, Copy)]
struct Found {
    rate: f64,
    /// When the request left at which the server had nothing left, and what had been sent by then,
    /// itself included, and missed.
    empty_at: u64,
    charged: u64,
    missed: f64,
    /// When that was known: what left before says nothing new.
    known_at: u64,
    /// Before the last raise; the rate itself where there was none.
    before: f64,
    /// When the first one left after that.
    first_at: Option<u64>,
    /// The next raise, as a part; sends until then and their amount, since when.
    step: f64,
    hold: u32,
    holds: u32,
    sends: u32,
    amount: f64,
    since: u64,
}

/// Sends that begin slowly.
#[derive(Debug, Clone, Copy, Default)]
struct Ramp {
    count: u64,
    next_at: u64,
    quickest: Option<u64>,
}

/// A request as the pace has to know it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) at: u64,
    pub(super) amount: u64,
    /// All that had been sent by then, itself included; and by now.
    pub(super) charged: u64,
    pub(super) total: u64,
}

impl Pace {
    /// Of a limit in `span`; 0: nobody knows one.
    pub(super) fn new(limit: u64, span: u64) -> Self {
        let mut pace = Self {
            span,
            stated: None,
            found: None,
            level: 0.0,
            at: 0,
            room: f64::INFINITY,
            shown: 0.0,
            out: 0.0,
            missed: 0.0,
            begun_at: None,
            era: 0,
            ramp: Ramp::default(),
            spread: MOST_SLACK,
        };
        if limit > 0 {
            let rate = pace.rate_of(limit);
            pace.stated = Some(rate);
            pace.level = pace.burst(rate);
        }
        pace
    }

    /// The limit in its window, as it is known now; 0 where none is.
    pub(super) fn limit(&self) -> u64 {
        self.rate().map_or(0, |rate| (rate * self.span as f64 * (1.0 + 1.0 / DRIFT)).round() as u64)
    }

    /// Time has come to `now`.
    pub(super) fn advance(&mut self, now: u64) {
        // What came before the first look is not known to have come together.
        let passed = if self.at == 0 { 0 } else { now.saturating_sub(self.at) };
        self.at = self.at.max(now);
        let Some(rate) = self.rate() else { return };
        // What a window holds is the most that ever comes together.
        let most = self.stated.unwrap_or(rate) * self.span as f64;
        self.level = (self.level + rate * passed as f64).min(most.max(self.level));
        let Some(found) = &mut self.found else { return };
        let raised = found.raise(self.at, self.ramp.quickest.unwrap_or(0));
        self.room *= raised.min(1.0 + FAIRLY_KNOWN_STEP);
        if self.stated.is_some_and(|stated| found.rate >= stated) {
            self.found = None;
        }
    }

    /// When `amount` fits, of what has been advanced to `now`.
    pub(super) fn ready_at(&self, now: u64, amount: u64) -> u64 {
        let Some(rate) = self.rate() else { return self.ramp.next_at.max(now) };
        let amount = amount as f64;
        if self.found.is_none() && self.shown >= amount {
            return now;
        }
        let lack = amount + self.margin(rate, amount) - self.usable(rate, amount);
        let fits = match lack > ROUNDING {
            true => now.saturating_add(((lack / rate).ceil() as u64).max(1)),
            false => now,
        };
        // However much may leave at once: it is spread enough for a refusal to stop it.
        fits.max(self.ramp.next_at)
    }

    /// `amount` is admitted; gives the era.
    pub(super) fn reserve(&mut self, now: u64, amount: u64) -> u16 {
        self.begun_at.get_or_insert(now);
        let amount = amount as f64;
        self.out += amount;
        if let Some(rate) = self.rate() {
            let left = self.usable(rate, amount) - amount;
            // What goes by the server's own figures leaves no debt: they are asked again.
            self.level = if self.shown >= amount { left.max(0.0) } else { left };
        }
        self.shown = (self.shown - amount).max(0.0);
        let longest = self.rate().map(|rate| (amount / rate) as u64);
        self.ramp.left(now, longest.unwrap_or(u64::MAX));
        if let Some(found) = &mut self.found {
            found.first_at.get_or_insert(now);
            found.sends += 1;
            found.amount += amount;
        }
        self.era
    }

    /// It is not sent after all. It was admitted in `era`.
    pub(super) fn give_back(&mut self, amount: u64, era: u16) {
        self.out = (self.out - amount as f64).max(0.0);
        if self.rate().is_some() && self.era == era {
            self.level += amount as f64;
        }
    }

    /// No answer came, or one that says nothing of limits: it may have been counted or not.
    pub(super) fn lost(&mut self, amount: u64) {
        self.out = (self.out - amount as f64).max(0.0);
        self.missed += amount as f64;
    }

    /// It was let through, and cost `more` than was thought.
    pub(super) fn passed(&mut self, now: u64, sent: &Sent, more: u64) {
        self.out = (self.out - sent.amount as f64).max(0.0);
        self.level -= more as f64;
        self.ramp.answered(now, now.saturating_sub(sent.at));
    }

    /// It was refused for another rule: this one did not count it.
    pub(super) fn refused_elsewhere(&mut self, amount: u64) {
        self.lost(amount);
        if self.rate().is_some() {
            self.level += amount as f64;
        }
    }

    /// It was refused: at that moment the server had nothing left.
    pub(super) fn refused(&mut self, now: u64, sent: &Sent) {
        self.lost(sent.amount);
        self.shown = 0.0;
        let found = match self.found {
            Some(found) if sent.at <= found.known_at => {
                // One of the same rush: the server had nothing left then either. Answers overtake each
                // other, so it may have left before the one that is known.
                let marked = match sent.charged > found.charged {
                    true => Found { empty_at: sent.at, charged: sent.charged, ..found },
                    false => found,
                };
                self.found = Some(Found { missed: self.missed, ..marked });
                return;
            }
            Some(found) => self.found_again(&found, sent),
            None => self.found_first(sent),
        };
        self.found = Some(Found {
            empty_at: sent.at,
            charged: sent.charged,
            missed: self.missed,
            known_at: now,
            before: found.rate,
            first_at: None,
            sends: 0,
            amount: 0.0,
            since: now,
            ..found
        });
        // What was sent evenly arrives unevenly: something has to come together for that first.
        self.era = self.era.wrapping_add(1);
        let slack = self.spread.min(MOST_SLACK) as f64;
        self.level = self.level.min(0.0) - found.rate * slack;
        self.ramp.restart(now);
    }

    /// The server says that `left` is left, without what may not have arrived when `sent` had.
    pub(super) fn read_left(&mut self, now: u64, sent: &Sent, left: u64) {
        let later = sent.total.saturating_sub(sent.charged) as f64;
        let left = left as f64;
        // Less what may have overtaken it: such a request was counted later, and answered before.
        let slack = self.rate().map_or(0.0, |rate| rate * self.spread.min(MOST_SLACK) as f64);
        self.shown = (left - later - self.out - slack).max(0.0);
        if let Some(rate) = self.rate() {
            // One more: figures are rounded down.
            let come = rate * now.saturating_sub(sent.at) as f64 + 1.0;
            self.level = self.level.min((left + come - later).max(-self.burst(rate)));
        }
    }

    /// The server says its limit.
    pub(super) fn state(&mut self, limit: u64, total: u64) {
        let rate = self.rate_of(limit.max(1));
        if self.stated == Some(rate) {
            return;
        }
        let burst = self.burst(rate);
        self.level = match (self.stated, self.found) {
            (None, None) => {
                // As if it had been known from the beginning.
                let passed = self.at.saturating_sub(self.begun_at.unwrap_or(self.at));
                (burst + rate * passed as f64 - total as f64).min(burst)
            }
            _ => self.level.min(burst),
        };
        self.era = self.era.wrapping_add(1);
        (self.stated, self.found, self.room) = (Some(rate), None, f64::INFINITY);
    }

    /// How unevenly requests travel, as it is known now.
    pub(super) const fn set_spread(&mut self, spread: u64) {
        self.spread = spread;
    }

    fn rate(&self) -> Option<f64> {
        match (self.stated, self.found) {
            (Some(stated), Some(found)) => Some(stated.min(found.rate)),
            (stated, found) => found.map(|found| found.rate).or(stated),
        }
    }

    fn rate_of(&self, limit: u64) -> f64 {
        limit as f64 / self.span as f64 * (1.0 - 1.0 / DRIFT)
    }

    /// What may leave at once: what comes in a second, without what comes while requests overtake each
    /// other; at least one.
    fn burst(&self, rate: f64) -> f64 {
        (rate * (SECOND - self.spread.min(MOST_SLACK)) as f64).min(self.room).max(1.0)
    }

    /// What is kept free beside a single request for the same reason.
    fn margin(&self, rate: f64, amount: f64) -> f64 {
        match self.burst(rate) < 2.0 {
            true => (rate * self.spread as f64).min(LEAST_MARGIN * amount),
            false => 0.0,
        }
    }

    /// What of the level a request of `amount` may use.
    fn usable(&self, rate: f64, amount: f64) -> f64 {
        self.level.min(self.burst(rate).max(amount) + self.margin(rate, amount))
    }

    /// The first refusal: what passed until then was what a full bucket holds, taken for a second's worth,
    /// and what came meanwhile.
    fn found_first(&mut self, sent: &Sent) -> Found {
        let begun = self.begun_at.unwrap_or(sent.at);
        let passed = (sent.charged as f64 - self.missed).max(0.0);
        if let Some(stated) = self.stated
            && self.finds_room(stated, (passed, sent))
        {
            return Found { rate: stated * FALL.0, step: FAIRLY_KNOWN_STEP, ..Found::NONE };
        }
        let amount = (sent.amount as f64).max(1.0);
        let rate = passed.max(amount) / (SECOND + sent.at.saturating_sub(begun)) as f64;
        let rate = match self.stated {
            Some(stated) => rate.clamp(stated * FALL.1, stated * FALL.0),
            None => rate * BELOW,
        };
        let step = match passed / amount {
            SOME.. => FAIRLY_KNOWN_STEP,
            1.0.. => HARDLY_KNOWN_STEP,
            _ => UNKNOWN_STEP,
        };
        Found { rate, step, ..Found::NONE }
    }

    /// Another one: what passed since the last is what came meanwhile.
    fn found_again(&mut self, last: &Found, sent: &Sent) -> Found {
        let amount = (sent.amount as f64).max(1.0);
        let missed = self.missed - last.missed;
        let passed = (sent.charged.saturating_sub(last.charged) as f64 - missed).max(0.0);
        if self.finds_room(last.rate, (passed, sent)) {
            return Found { rate: last.rate * FALL.0, step: FAIRLY_KNOWN_STEP, ..Found::NONE };
        }
        let rate = passed / self.time_since(last, sent.at);
        if last.before < last.rate && rate * MUCH_MORE < last.before {
            // While the rate was raised the server had more to give than it was asked for: what passed
            // before the last raise is nearer to the truth than the mean.
            return Found { rate: last.before * FALL.0, step: FAIRLY_KNOWN_STEP, ..Found::NONE };
        }
        let (most, half) = (last.rate * FALL.0, last.rate * FALL.1);
        let requests = passed / amount;
        let (rate, step) = match requests {
            MANY.. => ((rate * BELOW).min(most), WELL_KNOWN_STEP),
            SOME.. => ((rate * BELOW).min(most), FAIRLY_KNOWN_STEP),
            // Of few, one more or less matters: half of one is the middle.
            1.0.. => ((rate * (1.0 + 0.5 / requests)).min(most), HARDLY_KNOWN_STEP),
            // No slower than it takes to look whether that has changed.
            _ => ((amount / LOOK as f64).min(last.rate), UNKNOWN_STEP),
        };
        let holds = if requests >= MANY { (last.holds * 2).clamp(HOLD.0, HOLD.1) } else { 0 };
        Found { rate: rate.max(half), step, hold: holds, holds, ..Found::NONE }
    }

    /// In which time came what passed until `until`: while it rested, no more than it holds.
    fn time_since(&self, last: &Found, until: u64) -> f64 {
        let rested = last.first_at.map_or(0, |first| first.saturating_sub(last.known_at)) as f64;
        let filled = self.burst(last.rate) / last.rate;
        let time = until.saturating_sub(last.empty_at) as f64;
        (time - (rested - filled).max(0.0)).max(1.0)
    }

    /// Whether a refusal shows that the server takes less at once, and not that its rate is lower: there
    /// should have been more of what had come together.
    fn finds_room(&mut self, rate: f64, (passed, sent): (f64, &Sent)) -> bool {
        let burst = self.burst(rate);
        let is_less = self.level >= (burst / 2.0).max(sent.amount as f64) && passed * LESS < burst;
        if is_less {
            self.room = (passed * ROOM).max(1.0);
        }
        is_less
    }
}

impl Found {
    const NONE: Self = Self {
        rate: 0.0,
        empty_at: 0,
        charged: 0,
        missed: 0.0,
        known_at: 0,
        before: 0.0,
        first_at: None,
        step: 0.0,
        hold: 0,
        holds: 0,
        sends: 0,
        amount: 0.0,
        since: 0,
    };

    /// Raises the rate where it was used for a while and nothing was refused; gives by how much.
    fn raise(&mut self, now: u64, quickest: u64) -> f64 {
        let (sends, time) = if self.step >= COARSE_STEP { COARSE_RAISE } else { FINE_RAISE };
        // What the last raise led to has to be heard first.
        let time = time.max((quickest * 2).min(SECOND));
        let times = self.hold.max(1);
        let passed = now.saturating_sub(self.since);
        let is_enough = self.sends >= sends * times && passed >= time * u64::from(times);
        // A slow rate that is wrong would stay so for long.
        let is_long = self.sends >= COARSE_RAISE.0 && passed >= LONGEST_RAISE * u64::from(times);
        if !is_enough && !is_long {
            return 1.0;
        }
        let mut factor = 1.0;
        if self.amount >= self.rate * passed as f64 * IN_USE {
            factor += self.step;
            self.before = self.rate;
            self.rate *= factor;
            self.step = (self.step * 2.0).min(UNKNOWN_STEP);
            self.hold = 0;
        }
        (self.sends, self.amount, self.since) = (0, 0.0, now);
        factor
    }
}

impl Ramp {
    /// One leaves. Never slower than one in `longest`.
    fn left(&mut self, now: u64, longest: u64) {
        self.count += 1;
        let gap = self.gap().min(longest);
        self.next_at = self.next_at.max(now.saturating_sub(CATCH_UP)).saturating_add(gap);
    }

    fn gap(&self) -> u64 {
        match self.count {
            ..FIRST => MS,
            RAMP_END.. => 0,
            count => self.time() / count,
        }
    }

    /// In which time their number grows to e times itself.
    fn time(&self) -> u64 {
        let time = |quickest: u64| quickest / GROWTH.1 * GROWTH.0;
        self.quickest.map_or(SLOWEST_GROWTH, time).clamp(QUICKEST_GROWTH, SLOWEST_GROWTH)
    }

    fn answered(&mut self, now: u64, rtt: u64) {
        if self.quickest.is_none_or(|quickest| rtt < quickest) {
            self.quickest = Some(rtt);
            self.next_at = self.next_at.min(now.saturating_add(self.gap()));
        }
    }

    fn restart(&mut self, now: u64) {
        (self.count, self.next_at) = (0, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60 * SECOND;

    /// Sends one after the other as soon as they may, until `until`; gives when each left.
    fn drive(pace: &mut Pace, (from, until): (u64, u64), amount: u64) -> Vec<u64> {
        let (mut now, mut left) = (from, Vec::new());
        while now < until {
            pace.advance(now);
            match pace.ready_at(now, amount) {
                at if at <= now => {
                    pace.reserve(now, amount);
                    left.push(now);
                }
                at => now = at,
            }
        }
        left
    }

    #[test]
    fn a_known_limit_leaves_a_seconds_worth_at_once_and_then_its_rate() {
        let mut pace = Pace::new(600, MINUTE);
        let left = drive(&mut pace, (SECOND, 31 * SECOND), 1);
        let in_first = left.iter().filter(|at| **at < SECOND + SECOND / 20).count();
        assert_eq!((in_first, left.len()), (8, 308), "an eighth is kept for uneven ways");
        let most = left.windows(12).map(|twelve| twelve[11] - twelve[0]).min();
        assert!(most >= Some(SECOND / 10), "never more than eleven in a tenth of a second");
    }

    #[test]
    fn what_rests_for_long_gathers_no_more_than_a_seconds_worth() {
        let mut pace = Pace::new(600, MINUTE);
        drive(&mut pace, (SECOND, 5 * SECOND), 1);
        let left = drive(&mut pace, (500 * SECOND, 500 * SECOND + SECOND / 20), 1);
        assert_eq!(left.len(), 8);
    }

    #[test]
    fn a_refusal_in_a_burst_shows_what_is_taken_at_once_and_leaves_the_rate() {
        let mut pace = Pace::new(60_000, MINUTE);
        let left = drive(&mut pace, (SECOND, SECOND + 12 * MS), 1);
        let charged = left.len() as u64;
        assert!(charged < 20, "they begin slowly: {charged}");
        let sent = Sent { at: *left.last().unwrap(), amount: 1, charged, total: charged };
        pace.refused(SECOND + 14 * MS, &sent);
        assert!((0.97..0.99).contains(&(pace.limit() as f64 / 60_000.0)), "{}", pace.limit());
        assert!(pace.burst(pace.rate().unwrap()) < 15.0);
    }

    #[test]
    fn what_was_admitted_before_a_refusal_is_given_back_to_nobody() {
        let mut pace = Pace::new(0, MINUTE);
        pace.advance(SECOND);
        let era = pace.reserve(SECOND, 1);
        let sent = Sent { at: SECOND, amount: 1, charged: 11, total: 11 };
        pace.refused(SECOND + MS, &sent);
        let level = pace.level;
        pace.give_back(1, era);
        assert_eq!(pace.level, level);
        let era = pace.reserve(2 * SECOND, 1);
        pace.give_back(1, era);
        assert!(pace.level >= level);
    }
}
