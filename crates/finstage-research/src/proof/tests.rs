use finstage_model::{Card, InstrumentId, Objection, text};

use super::*;

fn with<T>(look: impl FnOnce(Proof<'_>) -> T) -> T {
    let table = text::read_bars(
        "1d x:A   open high low close volume
         2026-01-05  10 11  9 10 1
         2026-01-06  10 13  9 12 1
         2026-01-07  12 12 12 12 1",
        InstrumentId(0),
    )
    .unwrap();
    let symbol = "x:A".parse().unwrap();
    let outcome = Outcome {
        signal: SignalId(7),
        horizon: "1d".parse().unwrap(),
        ret: 0.2,
        mfe: 0.3,
        mae: 0.1,
        hit: true,
    };
    let became = Became {
        outcome,
        entry: (table.bars[1].open_time, table.bars[1].open),
        exit: (table.bars[2].open_time, table.bars[2].open),
        number: 12,
    };
    look(Proof {
        id: SignalId(7),
        symbol: &symbol,
        interval: Interval::D1,
        direction: Direction::Long,
        open_time: table.bars[0].open_time,
        at: table.bars[0].close_time(),
        price: table.bars[0].close,
        strength: 0.25,
        strategy: "dip: close < 11",
        words: "dip: <b>close</b> < 11",
        facts: &[("close".to_owned(), 10.0)],
        verdict: "unproven",
        why: Some("not measured yet"),
        evidence: None,
        bars: &table.bars,
        outcomes: &[became],
        place: Some(Place { number: 4, text: "{\"a\":1}", hash: "ab12", head: (12, "cd34") }),
        made_by: "finstage 0",
    })
}

#[test]
fn the_page_says_what_was_said_and_what_became_of_it() {
    let html = with(|proof| page(&proof));
    for part in [
        "x:A: up expected",
        "dip: &lt;b&gt;close&lt;/b&gt; &lt; 11",
        "not measured yet",
        "Evidence card: none",
        "+20.00 %",
        "+30.00 %",
        "−10.00 %",
        "entry 4 of the track record",
        "{&quot;a&quot;:1}",
        "<pre>ab12</pre>",
        "<code>cd34</code> after 12 entries",
        "<path class=\"line won\" d=\"M",
    ] {
        assert!(html.contains(part), "{part} is not in\n{html}");
    }
}

/// The page of a signal that was ruled by the golden card with these changes.
fn judged(verdict: &'static str, change: impl FnOnce(&mut Card)) -> String {
    let golden = include_str!("../../../finstage-model/src/card/golden.json");
    let mut card: Card = serde_json::from_str(golden).unwrap();
    change(&mut card);
    let figures = finstage_model::Proof::of(&card);
    let evidence = Some(Evidence { figures: &figures, card: Some(&card) });
    let at = card.issued.plus(std::time::Duration::from_secs(3 * 86_400));
    with(|proof| page(&Proof { verdict, why: None, evidence, at, ..proof }))
}

#[test]
fn the_page_shows_the_evidence_in_words_and_figures() {
    let html = judged("verified", |card| {
        (card.hit_rate, card.hit_low, card.hit_high) = (Some(0.741), Some(0.667), Some(0.804));
        (card.base_rate, card.n, card.n_eff) = (Some(0.495), 202, 158);
        (card.theta_net, card.net_low, card.net_high) = (Some(0.0038), Some(0.0026), Some(0.005));
        (card.p_value, card.q_value, card.family) = (Some(0.000_005), Some(0.000_48), 168);
        (card.look, card.threshold, card.cost) = (1, 0.03, 0.001);
        card.reasons = Vec::new();
    });
    for part in [
        "202 signals like this one, on 158 separate occasions",
        "after <b>74.1 %</b> of them. Of any bars it had after 49.5 %",
        "74.1 %, 95 %: 66.7 % to 80.4 %",
        "<b>+0.38 %</b> a time after costs of 0.20 % for a round trip",
        "The whole 95 % interval lies above zero",
        "a chance of <b>less than 0.01 %</b> (p)",
        "168 such questions were asked in all",
        "<b>0.05 %</b> of what looks as good as this is luck (q)",
        "q may be 3 % at most",
        "the evidence was <b>3 days</b> old",
        "Nothing stands against it",
        "data hash",
        "<div class=\"span verified\">",
    ] {
        assert!(html.contains(part), "{part} is not in\n{html}");
    }
    assert!(!html.contains("Evidence card: none") && !html.contains("NaN"));
}

#[test]
fn what_stands_against_a_verdict_is_listed() {
    let html = judged("rejected", |card| {
        card.reasons = vec![Objection::CostExceedsEdge, Objection::QAbove];
        (card.theta_net, card.net_low, card.net_high) = (Some(-0.01), Some(-0.02), Some(-0.001));
    });
    for part in ["<li>costs exceed the edge</li>", "lies below zero", "span rejected"] {
        assert!(html.contains(part), "{part} is not in\n{html}");
    }
    let few = judged("unproven", |card| {
        (card.hit_low, card.net_low, card.q_value) = (None, None, None);
        card.reasons = vec![Objection::FewEvents];
    });
    for part in ["too few to say how often", "too little to say", "cannot be told"] {
        assert!(few.contains(part), "{part} is not in\n{few}");
    }
}

#[test]
fn figures_stay_when_a_newer_card_took_the_place_of_theirs() {
    let golden = include_str!("../../../finstage-model/src/card/golden.json");
    let card: Card = serde_json::from_str(golden).unwrap();
    let figures = finstage_model::Proof::of(&card);
    let evidence = Some(Evidence { figures: &figures, card: None });
    let html = with(|proof| page(&Proof { evidence, ..proof }));
    assert!(html.contains("A newer one is in force since"), "{html}");
    assert!(html.contains(&card.id.to_string()));
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let html = with(|proof| page(&proof));
    for word in ["http:", "https:", "src=", "<script", "@import", "url("] {
        assert!(!html.contains(word), "{word}");
    }
}

#[test]
fn what_is_not_known_is_said() {
    let html = with(|proof| page(&Proof { bars: &[], outcomes: &[], place: None, ..proof }));
    for part in ["are not stored", "No horizon has passed", "Not in the track record yet"] {
        assert!(html.contains(part), "{part} is not in\n{html}");
    }
    assert!(!html.contains("NaN"));
}

#[test]
fn a_number_has_no_zeros_at_its_end() {
    for (value, text) in [(0.25, "0.25"), (10.0, "10"), (0.0, "0"), (-1e-9, "0"), (-1.5, "−1.5")]
    {
        assert_eq!(number(value), text);
    }
}
