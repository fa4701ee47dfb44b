//! Verdicts as people read them.

use finstage_model::{Card, CardVerdict, ClaimKind, Direction, Grade, Objection, OutOfSample};

use super::LEAST_EVENTS;

/// What evidence cannot say, for every page that shows it.
pub const LIMITS: &[&str] = &[
    "Only past data was looked at; what held may end.",
    "The list of instruments is today's: those that failed are missing, which flatters what buys.",
    "Conventional parameters were chosen by others, with hindsight.",
    "Published effects lost 26 % out of sample and 58 % after publication (McLean and Pontiff 2016).",
    "Costs are one fraction a side; taxes, borrowing and the effect of large orders are not in it.",
];

/// A fraction as percent with two digits after the point, without a sign for nothing.
fn percent(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) => {
            let text = format!("{:.2} %", 100.0 * value);
            if text.starts_with("-0.00") { text.replacen('-', "", 1) } else { text }
        }
    }
}

/// What the card says, in a few sentences.
pub(super) fn words(card: &Card) -> String {
    let mut words = verdict(card);
    if card.oos_kind == OutOfSample::WalkForward {
        words.push_str(" Parameters were chosen on earlier data only.");
    }
    if card.news.as_ref().is_some_and(|news| news.documents == 0) {
        words.push_str(" 0 documents about it are stored: the news filter never spoke.");
    }
    words
}

fn verdict(card: &Card) -> String {
    match (card.verdict, card.claim) {
        (CardVerdict::Verified, ClaimKind::Direction) => proven(card),
        (CardVerdict::Verified, ClaimKind::Size) => {
            let (times, low, high) = (times(card), percent(card.net_low), percent(card.net_high));
            format!(
                "Proven on past data: moves after this signal were {times} the usual size, direction \
                 unknown (95 %: {low} to {high} larger), {} separate occasions; corrected for {} \
                 things tried.",
                card.n_eff, card.family
            )
        }
        (_, claim) => match card.grade {
            Some(Grade::Promising) => promising(card),
            Some(Grade::NoEdgeSeen) => {
                let high = percent(card.net_high);
                match claim {
                    ClaimKind::Direction => format!(
                        "If there is an edge, it is smaller than {high}: not worth the cost."
                    ),
                    ClaimKind::Size => {
                        format!("If moves are larger, then by less than {high}: not worth knowing.")
                    }
                }
            }
            Some(Grade::TooLittleData) => match card.mde {
                Some(mde) => format!(
                    "Too few occasions: an edge below {} could not be seen.",
                    percent(Some(mde))
                ),
                None => {
                    format!(
                        "Too few occasions ({} of {LEAST_EVENTS}): no edge could be seen.",
                        card.n_eff
                    )
                }
            },
            Some(Grade::CostExceedsEdge) => "Trading it loses money after costs.".to_owned(),
            Some(Grade::WrongDirection) => match claim {
                ClaimKind::Direction => {
                    "Price moved the other way more often than chance.".to_owned()
                }
                ClaimKind::Size => "Moves after this signal were smaller than usual.".to_owned(),
            },
            Some(Grade::Inconclusive) | None => "No sign of an edge; none ruled out.".to_owned(),
        },
    }
}

fn proven(card: &Card) -> String {
    let better = match card.direction {
        Direction::Long => "better",
        Direction::Short => "worse",
    };
    format!(
        "Proven on past data: after this signal the price did {} {better} than usual after costs (95 \
         %: {} to {}), {} separate occasions; corrected for {} things tried.",
        percent(card.theta_net),
        percent(card.net_low),
        percent(card.net_high),
        card.n_eff,
        card.family
    )
}

fn promising(card: &Card) -> String {
    let start = match card.claim {
        ClaimKind::Direction => "Better than usual so far",
        ClaimKind::Size => "Larger moves than usual so far",
    };
    let family = card.family;
    if card.reasons.contains(&Objection::QAbove) {
        return format!("{start}, but with {family} ideas tested, luck explains it.");
    }
    let gate = card.reasons.first().map_or("a gate does not hold", |reason| reason.words());
    format!("{start}, but {gate}.")
}

fn times(card: &Card) -> String {
    card.times_usual.map_or_else(|| "–".to_owned(), |times| format!("×{times:.1}"))
}
