//! What a limit is in truth: as written down, as the server says, or as its refusals show.

use crate::quota::{Rule, Shape};

/// Part of the limit by which it is raised after it was found to be lower.
const FIRST_STEP: u64 = 8;
/// The same where the server's own figures say at what it refused; doubled with each proof.
const PROVEN_STEP: u64 = 2048;
/// The same once a raise was refused.
const LATER_STEP: u64 = 64;
/// Who uses less than this part of a limit is not refused for it.
const FAR_BELOW: u64 = 4;
/// Periods until the next raise after one was refused; doubles each time.
const HOLD: u64 = 8;
/// The most periods between two raises.
const MAX_HOLD: u64 = 128;

/// The limit that is used.
#[derive(Debug)]
pub(super) struct Effective {
    shape: Shape,
    stated: u64,
    limit: u64,
    /// When it was last found to be lower.
    cut_at: Option<u64>,
    /// Single requests may go beyond it and prove that more is allowed.
    probes: bool,
    is_probing: bool,
    raise_at: u64,
    step: u64,
    /// A raise by less than what was refused would prove nothing.
    least_raise: u64,
    hold: u64,
    /// The limit before the last raise that nothing has proven yet.
    before_raise: Option<u64>,
    /// When it was last refused far below the limit, by the server's own figure.
    far_below_at: Option<u64>,
}

/// A request that was refused.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refused {
    pub(super) now: u64,
    pub(super) span: u64,
    /// What had been used without it.
    pub(super) used: u64,
    /// What it would have added.
    pub(super) amount: u64,
    /// The server said that itself.
    pub(super) is_read: bool,
    /// The server said how long to wait, so the next attempt is welcome.
    pub(super) is_wait_stated: bool,
}

impl Effective {
    pub(super) fn new(rule: &Rule) -> Self {
        let limit = match (rule.shape, rule.limit) {
            // Nobody knows it: no window bounds what is paced.
            (Shape::Paced, 0) => u64::MAX,
            (_, limit) => limit.max(1),
        };
        Self {
            shape: rule.shape,
            stated: limit,
            limit,
            cut_at: None,
            probes: false,
            is_probing: false,
            raise_at: u64::MAX,
            step: FIRST_STEP,
            least_raise: 1,
            hold: HOLD,
            before_raise: None,
            far_below_at: None,
        }
    }

    /// The limit that is used.
    pub(super) const fn limit(&self) -> u64 {
        self.limit
    }

    /// The limit as written down or said.
    pub(super) const fn stated(&self) -> u64 {
        self.stated
    }

    /// Whether what was sent at `sent_at` could know of the last cut.
    pub(super) fn knew(&self, sent_at: u64) -> bool {
        self.cut_at.is_none_or(|at| sent_at >= at)
    }

    /// The server says its limit.
    pub(super) fn state(&mut self, limit: u64) {
        let limit = limit.max(1);
        if limit != self.stated {
            self.stated = limit;
            self.recover();
        }
    }

    /// Raises it when it is time.
    pub(super) fn advance(&mut self, now: u64, span: u64) {
        if now < self.raise_at {
            return;
        }
        self.before_raise = Some(self.limit);
        self.limit =
            (self.limit + (self.stated / self.step).max(self.least_raise)).min(self.stated);
        self.raise_at = now.saturating_add(span);
        if self.limit == self.stated {
            // The last step stays in doubt for a period, as each one before did.
            self.probes = false;
            self.raise_at = u64::MAX;
        }
    }

    /// Whether one request may go beyond the limit, up to `level`.
    pub(super) const fn may_probe(&self, level: u64) -> bool {
        self.probes && !self.is_probing && self.limit < self.stated && level <= self.stated
    }

    pub(super) const fn probe_left(&mut self) {
        self.is_probing = true;
    }

    pub(super) const fn probe_ended(&mut self) {
        self.is_probing = false;
    }

    /// A request was accepted when `level` was used, itself included; `is_read` where the server
    /// said so.
    pub(super) fn accepted(&mut self, level: u64, is_read: bool) {
        if is_read
            && let Some(before) = self.before_raise
            && level > before
        {
            self.prove(before);
        }
        if self.limit == self.stated {
            return;
        }
        // What counts at a server with other windows than the last period is not known so well.
        if is_read || self.shape == Shape::Sliding {
            self.limit = self.limit.max(level.min(self.stated));
            self.probes |= self.shape == Shape::Sliding && self.raise_at_is_near();
        }
        if self.limit == self.stated {
            self.recover();
        }
    }

    /// A request was refused that our books cannot explain. Says whether it was a surprise.
    pub(super) fn refused(&mut self, refused: &Refused) {
        let Refused { now, span, used, amount, is_read, is_wait_stated } = *refused;
        self.least_raise = amount.max(1);
        if is_read && used < self.limit / FAR_BELOW {
            // No limit falls so far without a word: once, it has another cause. The rest is kept anyway.
            let before = self.far_below_at.replace(now);
            if before.is_none_or(|at| now.saturating_sub(at) > span.saturating_mul(2)) {
                return;
            }
        }
        let since = self.cut_at.map(|at| now.saturating_sub(at));
        let is_near = since.is_some_and(|since| since <= span.saturating_mul(2));
        // What a window that slides holds at a first refusal is what the old limit let in; what a
        // window that began anew holds is what the new one does.
        let is_exact = match self.shape {
            Shape::Sliding => is_near,
            _ => is_read,
        };
        if let Some(before) = self.before_raise.take() {
            // A raise was too much: back, and the next one is smaller and later.
            self.limit = before.min(used);
            self.step = LATER_STEP;
            self.hold = (self.hold * 2).min(MAX_HOLD);
            self.raise_at = now.saturating_add(span.saturating_mul(self.hold));
            self.probes = false;
        } else if is_exact {
            // The truth, or a refusal without a cause: tried a period later, with hardly more.
            self.limit = self.limit.min(used);
            self.step = PROVEN_STEP;
            self.raise_at = now.saturating_add(span);
            self.probes = false;
        } else {
            // All that is known is that it is lower. Half is what a changed limit mostly is, and
            // from there the truth is at most a factor of two away.
            self.limit = self.limit.min(used / 2);
            self.raise_at = now.saturating_add(span.saturating_mul(2));
            self.probes = is_wait_stated && self.shape == Shape::Sliding;
        }
        self.limit = self.limit.max(1);
        self.cut_at = Some(now);
        self.is_probing = false;
    }

    /// The last raise was right: what follows a cut at a known level is doubled at once.
    fn prove(&mut self, before: u64) {
        self.before_raise = None;
        if self.limit == self.stated {
            self.recover();
        } else if self.step == PROVEN_STEP {
            let raise = (self.limit - before).saturating_mul(2);
            self.before_raise = Some(self.limit);
            self.limit = self.limit.saturating_add(raise).min(self.stated);
        }
    }

    fn raise_at_is_near(&self) -> bool {
        self.step == FIRST_STEP
    }

    fn recover(&mut self) {
        self.limit = self.stated;
        self.probes = false;
        self.raise_at = u64::MAX;
        self.step = FIRST_STEP;
        self.hold = HOLD;
        self.before_raise = None;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SPAN: u64 = 1000;

    fn effective(shape: Shape) -> Effective {
        Effective::new(&Rule {
            name: "x",
            shape,
            limit: 100,
            window: Duration::from_nanos(SPAN),
            default_cost: 1,
            counts_refused: false,
        })
    }

    const fn refused(now: u64, used: u64, is_read: bool) -> Refused {
        Refused { now, span: SPAN, used, amount: 1, is_read, is_wait_stated: false }
    }

    #[test]
    fn a_refusal_without_a_word_halves_the_limit_and_it_is_raised_step_by_step() {
        let mut effective = effective(Shape::Anchored);
        effective.refused(&refused(10, 90, false));
        assert_eq!(effective.limit(), 45);
        assert!(!effective.knew(9) && effective.knew(10));
        effective.advance(10 + 2 * SPAN - 1, SPAN);
        assert_eq!(effective.limit(), 45);
        effective.advance(10 + 2 * SPAN, SPAN);
        assert_eq!(effective.limit(), 57);
        effective.refused(&refused(3000, 50, false));
        assert_eq!(effective.limit(), 45, "back to what was proven");
        effective.advance(3000 + 15 * SPAN, SPAN);
        assert_eq!(effective.limit(), 45);
        effective.advance(3000 + 16 * SPAN, SPAN);
        assert_eq!(effective.limit(), 46, "smaller and later");
    }

    #[test]
    fn what_a_fixed_window_holds_when_it_refuses_is_the_limit() {
        let mut effective = effective(Shape::Aligned);
        effective.refused(&refused(10, 60, true));
        assert_eq!(effective.limit(), 60);
        effective.state(80);
        assert_eq!((effective.limit(), effective.stated()), (80, 80), "what the server says goes");
    }

    #[test]
    fn a_refusal_without_a_cause_is_forgotten_after_a_period() {
        let mut effective = effective(Shape::Aligned);
        effective.refused(&refused(10, 30, true));
        assert_eq!(effective.limit(), 30);
        effective.advance(10 + SPAN, SPAN);
        assert_eq!(effective.limit(), 31);
        let limits = [31, 32, 34, 38, 46, 62, 94, 100].map(|level| {
            effective.accepted(level, true);
            effective.limit()
        });
        assert_eq!(limits, [33, 37, 45, 61, 93, 100, 100, 100]);
        effective.refused(&refused(5_000, 90, true));
        assert_eq!(effective.limit(), 90, "the first refusal says nothing any more");
    }

    #[test]
    fn a_refusal_far_below_the_limit_counts_only_when_it_comes_again() {
        let mut effective = effective(Shape::Aligned);
        effective.refused(&refused(10, 20, true));
        assert_eq!(effective.limit(), 100);
        effective.refused(&refused(10 + 3 * SPAN, 20, true));
        assert_eq!(effective.limit(), 100, "not within two periods");
        effective.refused(&refused(10 + 4 * SPAN, 20, true));
        assert_eq!(effective.limit(), 20);
    }

    #[test]
    fn a_limit_that_is_lower_in_truth_is_tried_later_and_later() {
        let mut effective = effective(Shape::Aligned);
        effective.refused(&refused(10, 50, true));
        effective.advance(10 + SPAN, SPAN);
        effective.refused(&refused(1_100, 50, true));
        assert_eq!(effective.limit(), 50);
        effective.advance(1_100 + 16 * SPAN - 1, SPAN);
        assert_eq!(effective.limit(), 50);
        effective.advance(1_100 + 16 * SPAN, SPAN);
        assert_eq!(effective.limit(), 51);
    }

    #[test]
    fn a_limit_is_never_raised_above_what_is_stated() {
        let mut effective = effective(Shape::Sliding);
        effective.refused(&refused(10, 98, false));
        effective.accepted(5000, true);
        assert_eq!(effective.limit(), 100);
        for step in 1..200 {
            effective.advance(step * SPAN, SPAN);
            assert!(effective.limit() <= 100);
        }
    }
}
