//! Verified cards, watched by what became of the signals since: one that no longer holds is muted.
//!
//! A muted card is a newer one of its hypothesis, so a running engine hears of it as of any other,
//! and a verification keeps it until the next look.

use finstage_model::{Card, CardVerdict, ClaimKind, Timestamp};
use finstage_quant::stats::occasions::Holding;
use finstage_research::live::{Drift, Followed, Settled, drift, mute};
use finstage_store::Error;
use finstage_store::records::{FollowedSignal, Records, TrackOutcome};

/// A card that was muted just now.
#[derive(Debug, Clone, PartialEq)]
pub struct Muted {
    /// It, as it is in force now.
    pub card: Card,
    /// What spoke against it.
    pub drift: Drift,
}

impl Muted {
    /// What people are told, in one line.
    #[must_use]
    pub fn message(&self) -> String {
        let Self { card, drift } = self;
        let Card { strategy, scope, interval, horizon, direction, words, .. } = card;
        let percent = |value: f64| format!("{:+.2} %", 100.0 * value);
        let mean = drift.run_mean.map_or_else(|| "nothing".to_owned(), percent);
        format!(
            "{words} {strategy} on {scope} ({direction}, {interval} bars, after {horizon}) averaged {mean} \
             against any bar after costs, and {} was expected. It returns only through the next look.",
            percent(drift.expected)
        )
    }
}

/// The verified direction cards in force, each with how it has fared.
///
/// # Errors
/// When the records cannot be read.
pub fn watched(records: &Records) -> Result<Vec<(Card, Drift)>, Error> {
    let mut watched = Vec::new();
    for row in records.cards_since(0)? {
        let card = row.card;
        let Some(since) = card.watched_since().filter(|_| card.claim == ClaimKind::Direction)
        else {
            continue;
        };
        let followed = records.followed(Some(&card.strategy), since)?;
        let followed: Vec<Followed> = followed
            .iter()
            .filter(|one| is_sound(one))
            .map(|one| at_horizon(one, card.horizon))
            .collect();
        if let Some(drift) = drift(&card, &followed) {
            watched.push((card, drift));
        }
    }
    Ok(watched)
}

/// Mutes the verified cards whose live outcomes look like chance.
///
/// # Errors
/// When the records cannot be read or written.
pub fn mute_drifted(records: &Records) -> Result<Vec<Muted>, Error> {
    let mut muted = Vec::new();
    for (card, drift) in watched(records)? {
        if drift.muted_at.is_none() {
            continue;
        }
        let now = mute(&card, &drift);
        // A verification may have put another card there in the meantime: that one decides.
        if records.replace_card(card.id, &now)? {
            muted.push(Muted { card: now, drift });
        }
    }
    Ok(muted)
}

/// All signals with a settled outcome, once for each of their horizons.
///
/// # Errors
/// When the records cannot be read.
pub fn settled(records: &Records) -> Result<Vec<Followed>, Error> {
    let all = records.followed(None, Timestamp::MIN)?;
    let each = |one: &FollowedSignal| -> Vec<Followed> {
        one.outcomes.iter().map(|outcome| at_horizon(one, outcome.horizon)).collect()
    };
    Ok(all.iter().filter(|one| is_sound(one)).flat_map(each).collect())
}

/// Whether its data could be trusted.
fn is_sound(one: &FollowedSignal) -> bool {
    one.signal.verdict != "withheld"
}

fn at_horizon(one: &FollowedSignal, horizon: finstage_model::Horizon) -> Followed {
    let signal = &one.signal;
    let settled = |outcome: &TrackOutcome| Settled {
        holding: Holding { entry: outcome.entry_at, exit: outcome.exit_at },
        ret: outcome.ret,
    };
    Followed {
        signal: signal.id,
        strategy: signal.strategy.clone(),
        symbol: signal.symbol.clone(),
        interval: signal.interval,
        direction: signal.direction,
        at: signal.at,
        horizon,
        settled: one.outcomes.iter().find(|outcome| outcome.horizon == horizon).map(settled),
    }
}

/// What state a card is in, in a word.
#[must_use]
pub fn state(card: &Card, drift: Option<&Drift>) -> &'static str {
    match drift {
        Some(drift) if drift.muted_at.is_some() => "drifted",
        _ if card.reasons.contains(&finstage_model::Objection::Drift) => "muted",
        _ if card.verdict == CardVerdict::Verified => "holds",
        _ => "unproven",
    }
}
