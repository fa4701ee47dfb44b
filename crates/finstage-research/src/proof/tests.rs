use finstage_model::{InstrumentId, text};

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
        card: None,
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
