//! One attempt's place, permit and ticket, from the moment it may leave to its end.

use std::time::Duration;

use futures_util::FutureExt;

use super::Remote;
use crate::breaker::{Outcome, Ticket};
use crate::concurrency::{Load, Slot};
use crate::hedge::Hedge;
use crate::{Error, ErrorKind, Permit, Refusal, Request, Response, Settlement, Sign};

/// The longest rest that is believed: the longest ban that a venue documents.
const MAX_REST: Duration = Duration::from_secs(3 * 86_400);

/// The right to make one attempt: a place, a permit, and the breaker's word. Whatever becomes of it,
/// all three are given back.
#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(super) remote: &'a Remote,
    pub(super) lane: usize,
    pub(super) out: Option<Out>,
    pub(super) hedge_after: Option<Duration>,
    /// When the call's first request left.
    pub(super) first_sent: Option<Duration>,
    pub(super) sent_at: Duration,
    /// Taken from it where the answer holds it longer.
    pub(super) slot: Option<Slot<'a>>,
}

#[derive(Debug)]
pub(super) struct Out {
    /// None for a second request beside a first one, whose outcome alone counts.
    pub(super) ticket: Option<Ticket>,
    pub(super) permit: Permit,
    pub(super) is_sent: bool,
}

impl<'a> Turn<'a> {
    /// The request leaves.
    pub(crate) fn sent(&mut self) {
        self.sent_at = self.remote.now();
        if let Some(out) = &mut self.out {
            out.permit.sent();
            out.is_sent = true;
            let mut state = self.remote.state();
            state.sent += 1;
            state.in_flight += 1;
        }
    }

    /// After which time a second request follows.
    pub(crate) const fn hedge_after(&self) -> Option<Duration> {
        self.hedge_after
    }

    /// The right to a second request, where the limits have room for it now and it is within its
    /// share.
    pub(crate) async fn second(&self, request: &Request) -> Option<Turn<'a>> {
        let limiter = &self.remote.0.limiter;
        let permit = limiter.try_acquire(request.costs(), request.priority()).ok()?;
        let slot = self.remote.0.slots.take().now_or_never()?;
        {
            let mut state = self.remote.state();
            if !state.lanes[self.lane].hedge.as_mut().is_some_and(Hedge::take) {
                return None;
            }
            state.hedges += 1;
        }
        let out = Out { ticket: None, permit, is_sent: false };
        Some(Turn {
            remote: self.remote,
            lane: self.lane,
            out: Some(out),
            hedge_after: None,
            first_sent: Some(self.sent_at),
            sent_at: self.remote.now(),
            slot: Some(slot),
        })
    }

    /// Takes what came of it, and says what it means.
    pub(crate) fn settle(mut self, end: &Result<Response, Error>) -> Sign {
        self.judge(end, |_| false)
    }

    /// The same for an answer whose head is there; where that is good and a body follows it, also its
    /// place until that is over.
    pub(crate) fn settle_head(
        mut self,
        end: &Result<Response, Error>,
        has_body: bool,
    ) -> (Sign, Option<Outstanding>) {
        let sign = self.judge(end, |sign| has_body && sign == Sign::Fine);
        if !has_body || sign != Sign::Fine {
            return (sign, None);
        }
        if let Some(slot) = self.slot.take() {
            slot.keep();
        }
        (sign, Some(Outstanding { remote: self.remote.clone(), lane: self.lane }))
    }

    fn judge(&mut self, end: &Result<Response, Error>, stays_out: impl Fn(Sign) -> bool) -> Sign {
        let remote = self.remote;
        let terms = &remote.0.terms;
        let now = remote.now();
        let sign = match end {
            Ok(response) => (terms.judge)(response, remote.0.options.clock.now()),
            Err(_) => Sign::UnknownOutcome,
        };
        let Some(out) = self.out.take() else { return sign };
        let refused = refusal(sign);
        if let Some(refusal) = refused {
            let rest = refusal.retry_after.unwrap_or(terms.block);
            remote.0.limiter.block(rest.min(MAX_REST));
        }
        let is_crowded = matches!(sign, Sign::Crowded { .. });
        if is_crowded {
            // It says nothing of how fast one may ask; the server may have counted it.
            drop(out.permit);
        } else {
            let readings = end.as_ref().map(terms.readings).unwrap_or_default();
            let actual = end.as_ref().map(terms.actual).unwrap_or_default();
            out.permit.answered(&Settlement { readings: &readings, refused, actual: &actual });
        }
        let outcome = outcome(&end.as_ref(), sign);
        let latency = now.saturating_sub(self.sent_at);
        let load = match (outcome, refused) {
            _ if is_crowded => Load::TooMuch,
            // The pace answers that one.
            (_, Some(_)) if remote.0.is_paced => Load::Unknown,
            (Outcome::Bad, _) | (_, Some(_)) => Load::TooMuch,
            (Outcome::Good, None) => Load::Answered(latency),
            (Outcome::Unknown, None) => Load::Unknown,
        };
        remote.0.slots.learn(now, load);
        let state = &mut *remote.state();
        state.in_flight -= u64::from(!stays_out(sign));
        let is_refused = refused.is_some() || is_crowded;
        state.refused += u64::from(is_refused);
        state.failed += u64::from(outcome == Outcome::Bad);
        if outcome != Outcome::Unknown || is_refused {
            state.recent.push(outcome == Outcome::Good);
        }
        let lane = &mut state.lanes[self.lane];
        if let Some(ticket) = out.ticket {
            lane.breaker.settle(now, ticket, (outcome, state.jitter.fraction()));
        }
        if let (Some(hedge), Outcome::Good) = (&mut lane.hedge, outcome) {
            // Where the second request won, the first one took longer than until now: without it the
            // slow ones would be missing from the percentile.
            hedge.answered(now.saturating_sub(self.first_sent.unwrap_or(self.sent_at)));
        }
        sign
    }
}

/// An answer whose body is still coming: out, and in its place.
#[derive(Debug)]
pub(crate) struct Outstanding {
    remote: Remote,
    lane: usize,
}

impl Outstanding {
    /// It broke in the middle: a failure of the server, whatever its head said.
    pub(crate) fn broke(&self, error: &Error) {
        if outcome(&Err(error), Sign::UnknownOutcome) == Outcome::Bad {
            let now = self.remote.now();
            let state = &mut *self.remote.state();
            state.failed += 1;
            state.recent.push(false);
            state.lanes[self.lane].breaker.broke(now, state.jitter.fraction());
        }
    }
}

impl Drop for Outstanding {
    fn drop(&mut self) {
        self.remote.state().in_flight -= 1;
        self.remote.0.slots.give_back();
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let Some(out) = self.out.take() else { return };
        let now = self.remote.now();
        let state = &mut *self.remote.state();
        state.in_flight -= u64::from(out.is_sent);
        if let Some(ticket) = out.ticket {
            state.lanes[self.lane].breaker.settle(now, ticket, (Outcome::Unknown, 0.0));
        }
    }
}

fn refusal(sign: Sign) -> Option<Refusal> {
    match sign {
        Sign::Limited { retry_after } => Some(Refusal { retry_after, banned: false }),
        Sign::Banned { retry_after } => Some(Refusal { retry_after, banned: true }),
        _ => None,
    }
}

/// What an attempt says about the health of the server.
fn outcome(end: &Result<&Response, &Error>, sign: Sign) -> Outcome {
    match (end, sign) {
        (Ok(_), Sign::Fine | Sign::TokenExpired | Sign::Unauthorized) => Outcome::Good,
        (Ok(_), Sign::Limited { .. } | Sign::Crowded { .. } | Sign::Banned { .. }) => {
            Outcome::Unknown
        }
        (Ok(_), Sign::Unavailable { .. } | Sign::UnknownOutcome) => Outcome::Bad,
        (Err(error), _) => match error.kind() {
            ErrorKind::Timeout | ErrorKind::Unavailable | ErrorKind::Protocol => Outcome::Bad,
            _ => Outcome::Unknown,
        },
    }
}
