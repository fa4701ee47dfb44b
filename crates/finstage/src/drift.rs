//! Verified cards, watched by what became of the signals since: one that no longer holds is muted.
//!
//! A muted card is a newer one of its hypothesis, so a running engine hears of it as of any other,
//! and a verification keeps it until the next look. People are told once, by a notice that is named
//! after the muted card.

use std::time::Duration;

use finstage_model::{Card, CardVerdict, ClaimKind, Objection, Timestamp};
use finstage_quant::stats::occasions::Holding;
use finstage_research::live::{Drift, Followed, Settled, drift, mute};
use finstage_store::Error;
use finstage_store::records::{
    FollowedSignal, Notice, NoticeKind, NoticeStyle, NoticeText, Records, TrackOutcome,
};

/// A notice that nobody could be told for so long is old news.
const NOTICE_MAX_AGE: Duration = Duration::from_secs(7 * 86_400);

/// What people are told about a muted card, line by line.
#[must_use]
pub fn message(muted: &Card) -> [String; 4] {
    let Card { strategy, scope, interval, horizon, direction, words, .. } = muted;
    [
        format!("Muted: {strategy}"),
        format!("{direction} on {scope}, {interval} bars, after {horizon}"),
        words.clone(),
        "Its signals are not sent. It returns only through the next look of `finstage verify`."
            .to_owned(),
    ]
}

/// Tells people of the cards that are muted, each once, whoever muted them; how many are new.
///
/// # Errors
/// When the records cannot be read or written.
pub fn announce(records: &Records, notifiers: &[String], now: Timestamp) -> Result<u64, Error> {
    let mut queued = 0;
    for card in muted(records)? {
        let [title, rest @ ..] = message(&card);
        let line = |style, text| vec![NoticeText::new(style, text)];
        let mut lines = vec![line(NoticeStyle::Bold, title)];
        lines.extend(rest.into_iter().map(|text| line(NoticeStyle::Plain, text)));
        let kind = NoticeKind::Muted;
        let id = kind.id(&card.id.to_string());
        let notice = Notice { id, kind, said_at: now, max_age: NOTICE_MAX_AGE, lines };
        queued += records.announce(&notice, notifiers)?;
    }
    Ok(queued)
}

/// The muted cards in force.
///
/// # Errors
/// When the records cannot be read.
pub fn muted(records: &Records) -> Result<Vec<Card>, Error> {
    let cards = records.cards_since(0)?.into_iter().map(|row| row.card);
    Ok(cards.filter(|card| card.reasons.contains(&Objection::Drift)).collect())
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

/// Mutes the verified cards whose live outcomes look like chance; gives those.
///
/// # Errors
/// When the records cannot be read or written.
pub fn mute_drifted(records: &Records) -> Result<Vec<Card>, Error> {
    let mut muted = Vec::new();
    for (card, drift) in watched(records)? {
        if drift.muted_at.is_none() {
            continue;
        }
        let now = mute(&card, &drift);
        // A verification may have put another card there in the meantime: that one decides.
        if records.replace_card(card.id, &now)? {
            muted.push(now);
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
pub(crate) fn is_sound(one: &FollowedSignal) -> bool {
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
        _ if card.reasons.contains(&Objection::Drift) => "muted",
        _ if card.verdict == CardVerdict::Verified => "holds",
        _ => "unproven",
    }
}
