//! Whether a verified edge is still there: Page's cumulative sum over live occasions.
//!
//! ```text
//! y = (mean over the events of an occasion of d·r − base − 2c) / s        s: deviation of one occasion
//! S ← max(0, S + δ/2 − y)                                                 δ = θnet / s
//! ```
//!
//! Base, c, s and θnet are those of the card. An alarm is S > H, with H from Siegmund's formula for 500
//! occasions to a false one ([`cusum`](finstage_quant::stats::cusum)).

use finstage_model::{Card, CardVerdict, ClaimKind, Objection, Timestamp};
use finstage_quant::stats::cusum::Cusum;
use finstage_quant::stats::occasions::{Holding, occasion_means};
use serde::Serialize;

use super::{Followed, Settled};

/// How a verified card has fared since it was proven.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Drift {
    /// Signals at or after this moment count.
    pub since: Timestamp,
    /// Settled events.
    pub events: usize,
    /// Separate occasions that are complete, up to the alarm where there is one.
    pub occasions: usize,
    /// Mean net excess of an occasion, as a fraction; `None` without one.
    pub mean: Option<f64>,
    /// What the card expects: its θnet.
    pub expected: f64,
    /// δ: the expectation in deviations of one occasion.
    pub delta: f64,
    /// S.
    pub sum: f64,
    /// H: above it the edge is taken for gone.
    pub limit: f64,
    /// The last occasions, since S was 0: those that speak against the card.
    pub run: usize,
    /// Their mean net excess, as a fraction; `None` without one.
    pub run_mean: Option<f64>,
    /// The exit of the occasion at which the alarm was raised.
    pub muted_at: Option<Timestamp>,
}

/// Compares live signals with the card that verified them; those that it is not about are passed
/// over, and so must signals be that were withheld for their data. `None` unless the card is verified,
/// claims a direction and has the figures.
#[must_use]
pub fn drift(card: &Card, followed: &[Followed]) -> Option<Drift> {
    let since = card.watched_since().filter(|_| card.claim == ClaimKind::Direction)?;
    let (expected, base) = (card.theta_net?, card.base_return?);
    let deviation = card.occasion_deviation.filter(|deviation| *deviation > 0.0)?;
    let delta = expected / deviation;
    let mut watch = Cusum::new(delta)?;
    let own: Vec<&Followed> =
        followed.iter().filter(|one| one.at >= since && is_about(card, one)).collect();
    let net = |one: &&Followed| {
        let settled = one.settled?;
        Some((settled.holding, one.gain()? - base - 2.0 * card.cost))
    };
    let outcomes: Vec<(Holding, f64)> = own.iter().filter_map(net).collect();
    let complete = complete(&own);
    let mut drift = Drift {
        since,
        events: outcomes.len(),
        occasions: 0,
        mean: None,
        expected,
        delta,
        sum: 0.0,
        limit: watch.threshold(),
        run: 0,
        run_mean: None,
        muted_at: None,
    };
    let means = occasion_means(&outcomes);
    for (excess, exit) in means.iter().zip(complete) {
        drift.occasions += 1;
        let is_gone = watch.update(excess / deviation);
        drift.sum = watch.sum();
        drift.run = if drift.sum > 0.0 { drift.run + 1 } else { 0 };
        if is_gone {
            drift.muted_at = Some(exit);
            break;
        }
    }
    let seen = &means[..drift.occasions];
    drift.mean = mean(seen);
    drift.run_mean = mean(&seen[seen.len() - drift.run..]);
    Some(drift)
}

/// The card in the place of one that drifted: the same figures, proving nothing any more until the
/// next look.
#[must_use]
pub fn mute(card: &Card, drift: &Drift) -> Card {
    let occasions = match drift.run {
        1 => "the last occasion looks".to_owned(),
        n => format!("the last {n} occasions look"),
    };
    let percent = |value: f64| format!("{:+.2} %", 100.0 * value);
    let mean = drift.run_mean.map_or_else(|| "nothing".to_owned(), percent);
    let expected = percent(drift.expected);
    let mut muted = Card {
        verdict: CardVerdict::Unproven,
        grade: None,
        reasons: vec![Objection::Drift],
        words: format!(
            "Muted: {occasions} like chance. After costs they averaged {mean} against any bar; \
             {expected} was expected."
        ),
        proven_at: None,
        news: None,
        ..card.clone()
    };
    muted.id = muted.content_id();
    muted
}

fn is_about(card: &Card, one: &Followed) -> bool {
    (one.interval, one.direction, one.horizon) == (card.interval, card.direction, card.horizon)
        && one.strategy == card.strategy
        && card.members.iter().any(|member| member.symbol == one.symbol)
}

/// The exits of the occasions at the beginning to which no event can be added any more, in order.
///
/// An event that is not settled may belong to an occasion, whose mean would change with it; what was
/// muted on half of an occasion could not be taken back. It is waited for as long as it can come: one
/// that should have been settled long ago has a hole in its data.
fn complete(own: &[&Followed]) -> Vec<Timestamp> {
    let mut settled: Vec<Settled> = own.iter().filter_map(|one| one.settled).collect();
    settled.sort_by_key(|one| one.holding);
    let newest = settled.iter().map(|one| one.holding.exit).max();
    let open: Vec<Timestamp> =
        own.iter().filter(|one| one.settled.is_none()).map(|one| one.at).collect();
    let mut exits = Vec::new();
    let mut until = None;
    for Holding { entry, exit } in settled.iter().map(|one| one.holding) {
        if until.is_some_and(|until| entry < until) {
            continue;
        }
        until = Some(exit);
        let held = exit.since(entry);
        let can_come = |at: &Timestamp| *at < exit && newest <= Some(at.plus(held).plus(held));
        if open.iter().any(can_come) {
            break;
        }
        exits.push(exit);
    }
    exits
}

fn mean(values: &[f64]) -> Option<f64> {
    finstage_quant::stats::moments::mean(values)
}

#[cfg(test)]
mod tests;
