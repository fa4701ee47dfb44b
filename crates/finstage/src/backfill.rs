//! History from venues: what of a series is missing, and how it is asked for.
//!
//! What is stored is not asked for again, and what came is stored piece by piece, so that a run that
//! broke off goes on where it stopped. Bars that the venue has not settled are left for later.

mod fill;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use finstage_feeds::venues::Venue;
use finstage_feeds::{
    Action, ActionKind, DecodeError, DecodeErrorKind, PollVenue, Query, Settling,
};
use finstage_model::{Bar, Clock, InstrumentId, Interval, Payload, Symbol, Timestamp};
use finstage_net::{Class, Client, ErrorKind, Response, Sign, retry_after};
use finstage_store::Error;
use finstage_store::history::{FactorRow, Factors, History, Hole, MAX_FACTORS, gaps};

pub use self::fill::{Filled, Filler, Span};
use crate::expected::Expected;
use crate::venues::Door;

/// Stretches that lie no farther apart than so many bars are asked for as one: a request for a few
/// bars costs as much as one for many.
const NEAR_BARS: u32 = 200;

/// A venue that can be asked for history.
pub struct Source {
    /// Which.
    pub venue: &'static Venue,
    poll: Box<dyn PollVenue>,
    client: Client,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("venue", &self.venue.profile.name).finish_non_exhaustive()
    }
}

/// Why a venue did not answer what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It has no such symbol, or says no for good.
    Refused(String),
    /// It wants to be left alone for so long.
    Limited(Duration),
    /// It cannot be reached, or something in front of it answered.
    Unreachable(String),
    /// It does not accept who we are.
    Denied(String),
}

impl Source {
    /// One that asks through a door; `None` where the venue gives no history.
    #[must_use]
    pub fn new(door: &Door, clock: Arc<dyn Clock>) -> Option<Self> {
        Some(Self { venue: door.venue, poll: door.poll()?, client: door.client.clone(), clock })
    }

    /// The question for bars of a series in a stretch of time.
    #[must_use]
    pub fn query(&self, symbol: &Symbol, interval: Interval, stretch: &Stretch) -> Query {
        // Splits change prices of the past: whoever tells them must be asked up to now.
        let now = self.clock.now();
        let tells_splits = self.poll.actions_request(symbol, now).is_some();
        Query::Bars {
            instrument: InstrumentId(u32::MAX),
            symbol: symbol.clone(),
            interval,
            from: stretch.from,
            to: if tells_splits { now } else { stretch.to },
            limit: self.venue.profile.bars_per_page,
        }
    }

    /// Asks for one page of bars, adds those to `bars`, and gives the question for the next page.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn page(&self, query: &Query, bars: &mut Vec<Bar>) -> Result<Option<Query>, Trouble> {
        let response = self.answer(self.poll.request(query).class(Class::Background)).await?;
        let (now, mut events) = (self.clock.now(), Vec::new());
        let next = self.poll.read(query, &response, now, &mut events);
        let next = next.map_err(|why| self.trouble(&why, &response))?;
        bars.extend(events.into_iter().filter_map(|event| match event.payload {
            Payload::Bar(bar) => Some(bar),
            _ => None,
        }));
        Ok(next)
    }

    /// The factors of dividends and splits since a moment; `None` where the venue tells none.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn factors(
        &self,
        symbol: &Symbol,
        from: Timestamp,
    ) -> Result<Option<Factors>, Trouble> {
        let Some(request) = self.poll.actions_request(symbol, from) else { return Ok(None) };
        let response = self.answer(request.class(Class::Background)).await?;
        let actions = self.poll.read_actions(&response);
        let actions = actions.map_err(|why| self.trouble(&why, &response))?;
        Ok(Some(factors(&actions)))
    }

    async fn answer(&self, request: finstage_net::Request) -> Result<Response, Trouble> {
        let answer = self.client.send(&request).await;
        let response = answer.map_err(|why| match why.kind() {
            ErrorKind::Denied => Trouble::Denied(why.to_string()),
            ErrorKind::Limited => Trouble::Limited(why.wait().unwrap_or(self.venue.profile.block)),
            _ => Trouble::Unreachable(why.to_string()),
        })?;
        match (self.venue.profile.terms.judge)(&response, self.clock.now()) {
            Sign::Limited { .. } | Sign::Crowded { .. } | Sign::Banned { .. } => {
                Err(Trouble::Limited(self.wait(&response)))
            }
            Sign::Unavailable { .. } | Sign::UnknownOutcome => {
                Err(Trouble::Unreachable(format!("{request}: status {}", response.status)))
            }
            Sign::Fine | Sign::TokenExpired | Sign::Unauthorized => Ok(response),
        }
    }

    fn trouble(&self, why: &DecodeError, response: &Response) -> Trouble {
        match why.kind() {
            DecodeErrorKind::Limited => Trouble::Limited(self.wait(response)),
            DecodeErrorKind::Unauthorized => Trouble::Denied(why.to_string()),
            _ if why.is_retryable() => Trouble::Unreachable(why.to_string()),
            _ => Trouble::Refused(why.to_string()),
        }
    }

    fn wait(&self, response: &Response) -> Duration {
        let asked = retry_after(response, self.clock.now());
        asked.unwrap_or(self.venue.profile.block)
    }
}

/// The factors that follow from what happened, oldest first.
#[must_use]
pub fn factors(actions: &[Action]) -> Factors {
    let (mut price, mut split) = (1.0, 1.0);
    let mut rows: Vec<FactorRow> = Vec::new();
    // Each day's factors hold everything that came later.
    for action in actions.iter().rev() {
        match action.kind {
            ActionKind::Dividend { share } => price *= 1.0 - share,
            ActionKind::Split { ratio } => split /= ratio,
        }
        let row = FactorRow { day: action.before, price, split, reference_price: 0.0 };
        match rows.last_mut() {
            Some(last) if last.day == row.day => *last = row,
            _ => rows.push(row),
        }
    }
    rows.truncate(MAX_FACTORS);
    rows.reverse();
    Factors::of_rows(rows)
}

/// A stretch of time whose bars are to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The first open time wanted.
    pub from: Timestamp,
    /// The first one not wanted.
    pub to: Timestamp,
    /// How many bars are expected in it.
    pub bars: u64,
}

/// What of a series is stored, and what is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What to ask for, oldest first.
    pub stretches: Vec<Stretch>,
    /// Holes between bars that are stored.
    pub holes: Vec<Hole>,
}

/// Looks for what is missing in `from..to`, as far as it can have settled by `now`.
///
/// # Errors
/// When the history cannot be read.
pub fn missing(
    history: &History,
    (symbol, interval): (&Symbol, Interval),
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
) -> Result<Missing, Error> {
    let bars = history.bars(symbol, interval, from..to)?;
    let (newest, _) = Settling::of(symbol).around(interval, now);
    let to = newest.map_or(to, |newest| interval.close_of(newest).min(to));
    let expected = Expected::between(symbol, from, to.max(from));
    let stretch = |from: Timestamp, to: Timestamp| {
        let bars = if from < to { expected.count(interval, from, to) } else { 0 };
        Stretch { from, to, bars }
    };
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        let whole = stretch(from, to);
        let stretches = if whole.bars > 0 { vec![whole] } else { Vec::new() };
        return Ok(Missing { stretches, holes: Vec::new() });
    };
    let holes = gaps(&bars, interval, expected.schedule()).holes;
    let mut all = vec![stretch(from, first.open_time)];
    all.extend(holes.iter().map(|hole| Stretch { from: hole.from, to: hole.to, bars: hole.bars }));
    all.push(stretch(last.close_time(), to));
    all.retain(|stretch| stretch.bars > 0);
    Ok(Missing { stretches: together(all, interval), holes })
}

/// Stretches that lie near each other become one.
fn together(stretches: Vec<Stretch>, interval: Interval) -> Vec<Stretch> {
    let near = interval.nominal().saturating_mul(NEAR_BARS);
    let mut merged: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        match merged.last_mut() {
            Some(last) if stretch.from.since(last.to) <= near => {
                last.to = stretch.to;
                last.bars += stretch.bars;
            }
            _ => merged.push(stretch),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_of_a_day_hold_everything_that_came_later() {
        let at = |day: &str, kind| Action { before: day.parse().unwrap(), kind };
        let factors = factors(&[
            at("2024-02-08", ActionKind::Dividend { share: 0.01 }),
            at("2024-06-04", ActionKind::Split { ratio: 4.0 }),
            at("2024-06-04", ActionKind::Dividend { share: 0.5 }),
        ]);
        let on = |day: &str| {
            let scale = factors.on(day.parse().unwrap());
            (scale.price, scale.split)
        };
        assert_eq!(on("2024-02-08"), (0.99 * 0.5 * 0.25, 0.25));
        assert_eq!(on("2024-02-09"), (0.5 * 0.25, 0.25));
        assert_eq!(on("2024-06-05"), (1.0, 1.0));
        assert_eq!(factors.rows().len(), 2);
    }

    #[test]
    fn stretches_near_each_other_are_one_request() {
        let hour = |n: i64| Timestamp::from_secs(n * 3_600);
        let stretch = |from, to| Stretch { from: hour(from), to: hour(to), bars: 1 };
        let merged =
            together(vec![stretch(0, 1), stretch(100, 101), stretch(500, 501)], Interval::H1);
        assert_eq!(merged.len(), 2);
        assert_eq!((merged[0].to, merged[0].bars), (hour(101), 2));
    }
}
