//! Which card is in force after a verification.
//!
//! Promotion is decided at looks, and a verification between two of them promotes nothing. Nor does
//! it take back what was proven: until its expiry a verified card stays, unless evidence now speaks
//! against it or its data cannot be trusted. At the expiry less is asked than for the first proof:
//! the p-value over all rows, and sound data. What live outcomes have muted stays muted until a look.

use finstage_model::{Card, CardVerdict, Objection};

use super::words::words;

/// The p-value at which a verified card is renewed at its expiry.
pub const RENEWAL_P: f64 = 0.05;

/// The card that is to be in force in place of `known`, once `new` says what it says of the same
/// hypothesis; `None` where `known` stays.
#[must_use]
pub fn in_force(known: Option<&Card>, new: &Card) -> Option<Card> {
    let holds = new.look == 0
        && new.verdict == CardVerdict::Unproven
        && !new.reasons.contains(&Objection::Data)
        && !new.reasons.contains(&Objection::Repaint);
    if known.is_some_and(|known| known.reasons.contains(&Objection::Drift)) && holds {
        return None;
    }
    match known.filter(|known| known.verdict == CardVerdict::Verified && holds) {
        None => Some(new.clone()),
        Some(known) if new.issued < known.expires => None,
        Some(known) if new.p_value.is_some_and(|p| p <= RENEWAL_P) => Some(renewed(known, new)),
        Some(_) => Some(new.clone()),
    }
}

fn renewed(known: &Card, new: &Card) -> Card {
    let verdict = CardVerdict::Verified;
    let proven_at = known.watched_since();
    let mut card = Card { verdict, grade: None, reasons: Vec::new(), proven_at, ..new.clone() };
    card.words = words(&card);
    card.id = card.content_id();
    card
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use finstage_model::ClaimKind;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn card(verdict: CardVerdict, look: u32, day: u32) -> Card {
        let golden = include_str!("../../../finstage-model/src/card/golden.json");
        let card: Card = serde_json::from_str(golden).unwrap();
        assert_eq!(card.claim, ClaimKind::Direction);
        let issued = card.issued.plus(DAY * day);
        let reasons = match verdict {
            CardVerdict::Verified => Vec::new(),
            _ => vec![Objection::ThresholdOfLook],
        };
        Card { verdict, look, issued, expires: issued.plus(DAY * 90), reasons, ..card }
    }

    #[test]
    fn between_looks_a_proof_stays_until_it_expires() {
        let proven = card(CardVerdict::Verified, 1, 0);
        let between = |day| card(CardVerdict::Unproven, 0, day);
        assert_eq!(in_force(None, &between(5)), Some(between(5)));
        assert_eq!(in_force(Some(&proven), &between(5)), None);
        assert_eq!(in_force(Some(&between(4)), &between(5)), Some(between(5)));
        let look = card(CardVerdict::Unproven, 2, 5);
        assert_eq!(in_force(Some(&proven), &look), Some(look), "a look decides anew");
        let against = card(CardVerdict::Rejected, 0, 5);
        assert_eq!(in_force(Some(&proven), &against), Some(against));
        for fault in [Objection::Data, Objection::Repaint] {
            let unsound = Card { reasons: vec![fault], ..between(5) };
            assert_eq!(in_force(Some(&proven), &unsound), Some(unsound));
        }
    }

    #[test]
    fn what_was_muted_stays_muted_until_a_look() {
        let unproven = card(CardVerdict::Unproven, 1, 0);
        let muted = Card { reasons: vec![Objection::Drift], ..unproven };
        for day in [5, 90, 200] {
            let between = Card { p_value: Some(1e-6), ..card(CardVerdict::Unproven, 0, day) };
            assert_eq!(in_force(Some(&muted), &between), None, "{day}");
        }
        let look = card(CardVerdict::Verified, 2, 5);
        assert_eq!(in_force(Some(&muted), &look), Some(look));
        let against = card(CardVerdict::Rejected, 0, 5);
        assert_eq!(in_force(Some(&muted), &against), Some(against));
    }

    #[test]
    fn at_its_expiry_a_proof_is_renewed_by_its_p_value() {
        let proven = card(CardVerdict::Verified, 1, 0);
        let later = Card { p_value: Some(0.05), ..card(CardVerdict::Unproven, 0, 90) };
        let renewed = in_force(Some(&proven), &later).unwrap();
        assert_eq!((renewed.verdict, renewed.grade), (CardVerdict::Verified, None));
        assert_eq!((renewed.expires, renewed.reasons.len()), (later.expires, 0));
        assert_eq!(renewed.id, renewed.content_id());
        assert_eq!(renewed.watched_since(), Some(proven.issued), "watched from the first proof on");
        assert!(renewed.words.starts_with("Proven on past data"), "{}", renewed.words);
        let faded = Card { p_value: Some(0.051), ..later };
        assert_eq!(in_force(Some(&proven), &faded), Some(faded));
    }
}
