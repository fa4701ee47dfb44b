//! Rulings follow from the evidence in force, and alerts carry it.

use finstage_engine::{AlertRules, EngineSettings};
use finstage_model::{
    Alert, AlertKind, CardId, CardNotice, CardVerdict, ClaimKind, Direction, Interval, Objection,
    Output, Payload, Proof, Symbol, Timestamp,
};

use crate::stage::{Stage, at, line, series, strategy, symbol};

const CHATTER: &str = "chatter(warmup=1)";
/// Closes a bar at 12:01; the strategy says long and short.
const BAR: &str = "12:00:30 trade 10\n 12:01:00 trade 10";

/// A card for long signals of `strategy` on one-minute bars of `x:A` and `x:B`.
pub(crate) fn notice(
    strategy: &str,
    verdict: CardVerdict,
    (issued, expires): (Timestamp, Timestamp),
) -> CardNotice {
    CardNotice {
        strategy: strategy.to_owned(),
        claim: ClaimKind::Direction,
        interval: Interval::M1,
        members: vec![symbol(), "x:B".parse().unwrap()],
        direction: Direction::Long,
        verdict,
        reason: match verdict {
            CardVerdict::Verified => None,
            CardVerdict::Unproven => Some(Objection::QAbove),
            CardVerdict::Rejected => Some(Objection::CostExceedsEdge),
        },
        proof: Proof {
            card: CardId(10),
            horizon: "1h".parse().unwrap(),
            n: 60,
            n_eff: 48,
            hit_rate: Some(0.625),
            hit_low: Some(0.48),
            hit_high: Some(0.75),
            base_rate: Some(0.51),
            mean_net: Some(0.006),
            theta_net: Some(0.005),
            net_low: Some(0.001),
            net_high: Some(0.009),
            q_value: Some(0.003),
            family: 105,
            issued,
            expires,
            times_usual: None,
        },
    }
}

fn card(verdict: CardVerdict) -> CardNotice {
    notice(CHATTER, verdict, (at("09:00"), at("13:00")))
}

fn settings() -> EngineSettings {
    let mut settings = series("1m trades");
    settings.strategies = vec![strategy("chatter", None, Interval::M1)];
    settings
}

/// What is said of the long signal, and all outputs.
fn told(settings: &EngineSettings, cards: &[CardNotice]) -> (String, Alert, Stage) {
    let mut stage = Stage::new(settings);
    for card in cards {
        stage.apply(at("12:00"), Payload::Card(Box::new(card.clone())));
    }
    stage.play(BAR);
    let verdict = stage.outputs.iter().map(line).find(|line| line.starts_with("verdict")).unwrap();
    let verdict = verdict.trim_end().to_owned();
    let alert = stage.outputs.iter().find_map(|output| match output {
        Output::Alert(alert) => Some((**alert).clone()),
        _ => None,
    });
    (verdict, alert.unwrap(), stage)
}

fn verdict(cards: &[CardNotice]) -> String {
    told(&settings(), cards).0
}

fn proof(alert: &Alert) -> Option<&Proof> {
    match &alert.kind {
        AlertKind::Signal { proof, .. } => proof.as_deref(),
        AlertKind::Watch { .. } => None,
    }
}

#[test]
fn a_verified_card_verifies_and_its_figures_go_with_the_alert() {
    let verified = card(CardVerdict::Verified);
    let (verdict, alert, stage) = told(&settings(), std::slice::from_ref(&verified));
    assert_eq!(verdict, "verdict verified");
    assert_eq!(alert.decision, finstage_model::Decision::Send, "verified ones are sent by default");
    assert_eq!(proof(&alert), Some(&verified.proof));
    let said: Vec<String> = stage.outputs.iter().map(line).collect();
    assert!(said.contains(&"verdict unproven no_evidence".to_owned()), "short: {said:?}");
}

#[test]
fn without_proof_it_says_why() {
    assert_eq!(verdict(&[]), "verdict unproven no_evidence");
    assert_eq!(verdict(&[card(CardVerdict::Unproven)]), "verdict unproven q_above");
    assert_eq!(verdict(&[card(CardVerdict::Rejected)]), "verdict rejected cost_exceeds_edge");
    let unproven = card(CardVerdict::Unproven);
    let (_, alert, _) = told(&settings(), std::slice::from_ref(&unproven));
    assert_eq!(proof(&alert), Some(&unproven.proof), "the figures are told all the same");
    assert_ne!(alert.decision, finstage_model::Decision::Send);
    let all = AlertRules { send_unproven: true, ..AlertRules::default() };
    let (_, alert, _) = told(&EngineSettings { alerts: all, ..settings() }, &[unproven]);
    assert_eq!(alert.decision, finstage_model::Decision::Send);
}

#[test]
fn a_card_proves_nothing_from_its_expiry_on() {
    let until = |expires| notice(CHATTER, CardVerdict::Verified, (at("09:00"), at(expires)));
    assert_eq!(verdict(&[until("12:01")]), "verdict unproven expired", "at its moment");
    assert_eq!(verdict(&[until("12:01:01")]), "verdict verified");
    let mut muted = notice(CHATTER, CardVerdict::Unproven, (at("09:00"), at("12:00")));
    assert_eq!(verdict(std::slice::from_ref(&muted)), "verdict unproven expired");
    muted.reason = Some(Objection::Drift);
    assert_eq!(verdict(&[muted]), "verdict unproven drift", "muted until a look");
}

#[test]
fn a_card_says_nothing_of_what_it_knew() {
    let issued = |at| notice(CHATTER, CardVerdict::Verified, (at, crate::stage::at("13:00")));
    assert_eq!(verdict(&[issued(at("12:01:01"))]), "verdict unproven no_evidence");
    assert_eq!(verdict(&[issued(at("12:01"))]), "verdict verified", "the next bar is unknown");
}

#[test]
fn cards_about_something_else_do_not_count() {
    let verified = card(CardVerdict::Verified);
    let others: Vec<Symbol> = vec!["x:B".parse().unwrap(), "x:C".parse().unwrap()];
    let symbol = CardNotice { members: others, ..verified.clone() };
    let interval = CardNotice { interval: Interval::M5, ..verified.clone() };
    let rule = CardNotice { strategy: "chatter(warmup=2)".to_owned(), ..verified.clone() };
    let direction = CardNotice { direction: Direction::Short, ..verified };
    for other in [symbol, interval.clone(), rule.clone(), direction] {
        assert_eq!(
            verdict(std::slice::from_ref(&other)),
            "verdict unproven no_evidence",
            "{other:?}"
        );
    }
    let (.., stage) = told(&settings(), &[interval, rule]);
    assert_eq!(stage.engine.counters().unused_cards, 2);
}

#[test]
fn the_best_card_rules_whatever_their_order() {
    let with = |verdict, horizon: &str, id, issued: &str| {
        let mut card = notice(CHATTER, verdict, (at(issued), at("13:00")));
        card.proof.horizon = horizon.parse().unwrap();
        card.proof.card = CardId(id);
        card
    };
    let rejected = with(CardVerdict::Rejected, "1h", 1, "11:00");
    let unproven = with(CardVerdict::Unproven, "4h", 2, "10:00");
    let older = with(CardVerdict::Verified, "1d", 3, "09:00");
    let longer = with(CardVerdict::Verified, "1w", 4, "10:00");
    let best = with(CardVerdict::Verified, "1mo", 5, "10:30");
    let mut expired = with(CardVerdict::Verified, "1h", 6, "11:30");
    expired.members = vec![symbol()];
    expired.proof.expires = at("12:00");
    let all = [&expired, &rejected, &unproven, &older, &longer, &best];
    for turn in 0..all.len() {
        for count in 1..=all.len() {
            let told_cards: Vec<CardNotice> =
                (0..count).map(|n| all[(turn + n) % all.len()].clone()).collect();
            let ids: Vec<u128> = told_cards.iter().map(|card| card.proof.card.0).collect();
            let winner = [5, 4, 3, 2, 1, 6].into_iter().find(|id| ids.contains(id)).unwrap();
            let (_, alert, _) = told(&settings(), &told_cards);
            assert_eq!(proof(&alert).unwrap().card, CardId(winner), "{ids:?}");
        }
    }
    let again = with(CardVerdict::Unproven, "1mo", 7, "11:00");
    let (_, alert, _) = told(&settings(), &[best, again]);
    assert_eq!(proof(&alert).unwrap().card, CardId(7), "the newer of a hypothesis replaces it");
}

#[test]
fn data_that_cannot_be_trusted_withholds_whatever_the_card() {
    let mut stage = Stage::new(&settings());
    stage.apply(at("12:00"), Payload::Card(Box::new(card(CardVerdict::Verified))));
    let said = stage.play("12:00:10 stale\n 12:00:30 trade 10\n 12:01:12 tick");
    assert!(said.contains(&"verdict withheld stale_feed".to_owned()), "{said:?}");
}

/// A verified card about the size of moves.
fn size() -> CardNotice {
    let mut card = CardNotice { claim: ClaimKind::Size, ..card(CardVerdict::Verified) };
    card.proof.card = CardId(77);
    card.proof.times_usual = Some(1.4);
    card
}

fn sizes(alert: &Alert) -> Option<&Proof> {
    match &alert.kind {
        AlertKind::Signal { size, .. } => size.as_deref(),
        AlertKind::Watch { .. } => None,
    }
}

#[test]
fn verified_larger_moves_alert_and_prove_no_direction() {
    for (direction, word) in [
        (None, "verdict unproven no_evidence"),
        (Some(CardVerdict::Unproven), "verdict unproven q_above"),
        (Some(CardVerdict::Rejected), "verdict rejected cost_exceeds_edge"),
    ] {
        let cards: Vec<CardNotice> = direction.map(card).into_iter().chain([size()]).collect();
        let (verdict, alert, _) = told(&settings(), &cards);
        assert_eq!(verdict, word, "the ruling on the direction stays");
        assert_eq!(sizes(&alert), Some(&size().proof));
        assert_eq!(proof(&alert).is_some(), direction.is_some());
        assert_eq!(alert.decision, finstage_model::Decision::Send, "{direction:?}");
    }
    let (verdict, alert, _) = told(&settings(), &[size(), card(CardVerdict::Verified)]);
    assert_eq!((verdict.as_str(), sizes(&alert)), ("verdict verified", None));
}

#[test]
fn larger_moves_that_are_not_verified_in_term_alert_nobody() {
    let unproven = CardNotice { verdict: CardVerdict::Unproven, ..size() };
    let mut expired = size();
    expired.proof.expires = at("12:01");
    let mut of_later = size();
    of_later.proof.issued = at("12:01:01");
    let short = CardNotice { direction: Direction::Short, ..size() };
    for other in [unproven, expired, of_later, short] {
        let (_, alert, _) = told(&settings(), std::slice::from_ref(&other));
        assert_eq!(sizes(&alert), None, "{other:?}");
        assert_ne!(alert.decision, finstage_model::Decision::Send);
    }
    let mut stage = Stage::new(&settings());
    stage.apply(at("12:00"), Payload::Card(Box::new(size())));
    let said = stage.play("12:00:10 stale\n 12:00:30 trade 10\n 12:01:12 tick");
    assert!(said.contains(&"alert data: a bar closed".to_owned()), "{said:?}");
}
