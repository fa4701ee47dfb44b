use finstage_model::Direction;

use super::*;

/// A card on which every gate holds.
fn proven() -> Card {
    let golden = include_str!("../../../../finstage-model/src/card/golden.json");
    Card {
        claim: ClaimKind::Direction,
        direction: Direction::Long,
        n: 90,
        n_eff: 60,
        cost: 0.001,
        mean_return: Some(0.02),
        theta: Some(0.015),
        theta_net: Some(0.013),
        net_low: Some(0.004),
        net_high: Some(0.022),
        mde: Some(0.01),
        p_value: Some(0.0002),
        q_value: Some(0.01),
        family: 69,
        parameter_sets: 1,
        dsr: Some(0.5),
        theta_last_third: Some(0.01),
        theta_volatility_matched: Some(0.01),
        missing_share: 0.0,
        reasons: Vec::new(),
        ..serde_json::from_str(golden).unwrap()
    }
}

fn case() -> Case {
    Case { threshold: 0.03, fdr: 0.05, useful: 0.002, repaints: false }
}

fn judged(mut card: Card, case: &Case) -> Card {
    card.reasons = objections(&card, case);
    (card.verdict, card.grade) = verdict(&card, case);
    card.words = words(&card);
    card
}

#[test]
fn what_passes_every_gate_is_verified() {
    let card = judged(proven(), &case());
    assert_eq!(
        (card.verdict, card.grade, card.reasons.as_slice()),
        (CardVerdict::Verified, None, &[][..])
    );
    assert_eq!(
        card.words,
        "Proven on past data: after this signal the price did 1.30 % better than usual after costs (95 \
         %: 0.40 % to 2.20 %), 60 separate occasions; corrected for 69 things tried."
    );
    let falls = judged(Card { direction: Direction::Short, ..proven() }, &case());
    assert!(falls.words.contains("1.30 % worse than usual"), "{}", falls.words);
}

#[test]
fn each_gate_alone_keeps_a_card_from_verified() {
    // a table: one line a gate
    let gates: Vec<(Card, Objection)> = vec![
        (Card { n: 29, ..proven() }, Objection::FewEvents),
        (Card { n_eff: 29, q_value: None, ..proven() }, Objection::FewClusters),
        (Card { q_value: Some(0.051), ..proven() }, Objection::QAbove),
        (Card { q_value: Some(0.031), ..proven() }, Objection::ThresholdOfLook),
        (Card { net_low: Some(0.0), ..proven() }, Objection::IntervalIncludesZero),
        (Card { net_low: None, ..proven() }, Objection::IntervalIncludesZero),
        (Card { mean_return: Some(0.002), ..proven() }, Objection::AbsoluteReturnNegative),
        (Card { theta_last_third: Some(-0.001), ..proven() }, Objection::Faded),
        (Card { theta_last_third: None, ..proven() }, Objection::Faded),
        (
            Card { theta_volatility_matched: Some(0.0), ..proven() },
            Objection::ExplainedByVolatility,
        ),
        (Card { parameter_sets: 2, dsr: Some(0.94), ..proven() }, Objection::SweptDsr),
        (Card { missing_share: 0.06, ..proven() }, Objection::Data),
    ];
    for (card, objection) in gates {
        let card = judged(card, &case());
        assert_eq!(
            (card.verdict, card.reasons.as_slice()),
            (CardVerdict::Unproven, &[objection][..])
        );
        assert!(!card.words.starts_with("Proven"), "{}", card.words);
    }
    let repaints = judged(proven(), &Case { repaints: true, ..case() });
    assert_eq!(repaints.reasons, [Objection::Repaint]);
    let swept = judged(Card { parameter_sets: 2, dsr: Some(0.95), ..proven() }, &case());
    assert_eq!(swept.verdict, CardVerdict::Verified);
}

#[test]
fn sizes_cost_nothing_and_need_no_direction() {
    let size = Card { claim: ClaimKind::Size, cost: 0.0, mean_return: Some(0.0), ..proven() };
    let card = judged(Card { times_usual: Some(1.42), ..size }, &case());
    assert_eq!(card.verdict, CardVerdict::Verified);
    assert!(card.words.contains("×1.4 the usual size, direction unknown"), "{}", card.words);
}

#[test]
fn grades_come_in_the_order_of_the_specification() {
    let not = Card { q_value: Some(0.9), p_value: Some(0.5), net_low: Some(-0.01), ..proven() };
    let graded = |card: Card| {
        let card = judged(card, &case());
        (card.verdict, card.grade.unwrap(), card.words)
    };
    let unproven = CardVerdict::Unproven;
    let (verdict, grade, words) = graded(Card { p_value: Some(0.05), ..not.clone() });
    assert_eq!((verdict, grade), (unproven, Grade::Promising));
    assert_eq!(words, "Better than usual so far, but with 69 ideas tested, luck explains it.");
    let (verdict, grade, words) = graded(Card { net_high: Some(0.001), ..not.clone() });
    assert_eq!((verdict, grade), (unproven, Grade::NoEdgeSeen));
    assert_eq!(words, "If there is an edge, it is smaller than 0.10 %: not worth the cost.");
    let (verdict, grade, words) = graded(Card { mde: Some(0.0061), ..not.clone() });
    assert_eq!((verdict, grade), (unproven, Grade::TooLittleData));
    assert_eq!(words, "Too few occasions: an edge below 0.61 % could not be seen.");
    let (verdict, grade, _) = graded(Card { mde: Some(0.0059), ..not.clone() });
    assert_eq!((verdict, grade), (unproven, Grade::Inconclusive));
    let rejected = CardVerdict::Rejected;
    let (verdict, grade, _) = graded(Card { net_high: Some(-0.0019), ..not.clone() });
    assert_eq!((verdict, grade), (rejected, Grade::CostExceedsEdge));
    let (verdict, grade, _) = graded(Card { net_high: Some(-0.0021), ..not.clone() });
    assert_eq!((verdict, grade), (rejected, Grade::WrongDirection));
    // Too few occasions are never more than that.
    let few = Card { n_eff: 29, q_value: None, net_high: Some(-0.1), mde: None, ..not };
    let (verdict, grade, words) = graded(few);
    assert_eq!((verdict, grade), (unproven, Grade::TooLittleData));
    assert_eq!(words, "Too few occasions (29 of 30): no edge could be seen.");
}
