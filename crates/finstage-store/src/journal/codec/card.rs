//! An evidence card as bytes.
//!
//! ```text
//! size  := claim times_usual (option of a float) card
//! card  := strategy interval members (count, texts) direction verdict reason (option of a text) proof
//! proof := card (id) horizon (text) n n_eff hit_rate hit_low hit_high base_rate mean_net theta_net
//!          net_low net_high q_value (options of floats) family issued expires
//! ```
//! Words stand as text, so that a new one needs no new version. A card about a direction is a `card`, as
//! in version 3; any other is a `size`.

use finstage_model::{
    CardId, CardNotice, CardVerdict, ClaimKind, Direction, Objection, Proof, Timestamp,
};

use super::{
    Cursor, Malformed, TOO_SHORT, interval_code, put_difference, put_option, put_text, put_u64,
};

/// The smallest symbol: its length, a letter, a colon, a letter.
const MIN_SYMBOL_BYTES: usize = 4;

/// Whether the card fits the form that version 3 had.
pub(super) fn is_plain(card: &CardNotice) -> bool {
    card.claim == ClaimKind::Direction && card.proof.times_usual.is_none()
}

pub(super) fn put_size(out: &mut Vec<u8>, card: &CardNotice, received: Timestamp) {
    put_text(out, card.claim.as_str());
    put_option(out, card.proof.times_usual, put_float);
    put(out, card, received);
}

pub(super) fn take_size(
    from: &mut Cursor<'_>,
    received: Timestamp,
) -> Result<CardNotice, Malformed> {
    let claim = from.text()?.parse().map_err(|_| Malformed("unknown claim"))?;
    let times_usual = from.option(float)?;
    let card = take(from, received)?;
    Ok(CardNotice { claim, proof: Proof { times_usual, ..card.proof }, ..card })
}

pub(super) fn put(out: &mut Vec<u8>, card: &CardNotice, received: Timestamp) {
    put_text(out, &card.strategy);
    out.push(interval_code(card.interval));
    put_u64(out, card.members.len() as u64);
    for member in &card.members {
        put_text(out, member.as_str());
    }
    out.push(match card.direction {
        Direction::Long => 0,
        Direction::Short => 1,
    });
    out.push(match card.verdict {
        CardVerdict::Rejected => 0,
        CardVerdict::Unproven => 1,
        CardVerdict::Verified => 2,
    });
    put_option(out, card.reason.map(Objection::as_str), put_text);
    let proof = &card.proof;
    out.extend(proof.card.0.to_le_bytes());
    put_text(out, &proof.horizon.to_string());
    put_u64(out, proof.n);
    put_u64(out, proof.n_eff);
    let figures = [
        proof.hit_rate,
        proof.hit_low,
        proof.hit_high,
        proof.base_rate,
        proof.mean_net,
        proof.theta_net,
        proof.net_low,
        proof.net_high,
        proof.q_value,
    ];
    for figure in figures {
        put_option(out, figure, put_float);
    }
    put_u64(out, proof.family);
    put_difference(out, proof.issued, received);
    put_difference(out, proof.expires, received);
}

pub(super) fn take(from: &mut Cursor<'_>, received: Timestamp) -> Result<CardNotice, Malformed> {
    let strategy = from.text()?.to_owned();
    let interval = from.interval()?;
    let count = from.u64()?;
    if count > (from.rest.len() / MIN_SYMBOL_BYTES) as u64 {
        return Err(Malformed("more members promised than bytes can hold"));
    }
    let members = (0..count).map(|_| from.symbol()).collect::<Result<_, _>>()?;
    let direction = match from.byte()? {
        0 => Direction::Long,
        1 => Direction::Short,
        _ => return Err(Malformed("unknown direction")),
    };
    let verdict = match from.byte()? {
        0 => CardVerdict::Rejected,
        1 => CardVerdict::Unproven,
        2 => CardVerdict::Verified,
        _ => return Err(Malformed("unknown verdict")),
    };
    let reason = from.option(|from| {
        let word = serde_json::from_value(from.text()?.into());
        word.map_err(|_| Malformed("unknown objection"))
    })?;
    Ok(CardNotice {
        strategy,
        claim: ClaimKind::Direction,
        interval,
        members,
        direction,
        verdict,
        reason,
        proof: take_proof(from, received)?,
    })
}

/// The fields stand in the order of the bytes.
fn take_proof(from: &mut Cursor<'_>, received: Timestamp) -> Result<Proof, Malformed> {
    Ok(Proof {
        card: CardId(from.id()?),
        horizon: from.text()?.parse().map_err(|_| Malformed("not a horizon"))?,
        n: from.u64()?,
        n_eff: from.u64()?,
        hit_rate: from.option(float)?,
        hit_low: from.option(float)?,
        hit_high: from.option(float)?,
        base_rate: from.option(float)?,
        mean_net: from.option(float)?,
        theta_net: from.option(float)?,
        net_low: from.option(float)?,
        net_high: from.option(float)?,
        q_value: from.option(float)?,
        family: from.u64()?,
        issued: from.difference(received)?,
        expires: from.difference(received)?,
        times_usual: None,
    })
}

fn put_float(out: &mut Vec<u8>, value: f64) {
    out.extend(value.to_le_bytes());
}

fn float(from: &mut Cursor<'_>) -> Result<f64, Malformed> {
    let (bytes, rest) = from.rest.split_first_chunk().ok_or(TOO_SHORT)?;
    from.rest = rest;
    Ok(f64::from_le_bytes(*bytes))
}
