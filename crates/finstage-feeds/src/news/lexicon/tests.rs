use finstage_model::{DocumentId, Tone};

use super::*;

/// Our own sentences with what `vaderSentiment` 3.3.2 from PyPI says of them: text, compound, positive,
/// neutral, negative. `cargo xtask clients` asks it anew.
const GOLDEN: &str = include_str!("golden.tsv");

#[test]
fn scores_equal_the_reference() {
    for line in GOLDEN.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [text, expected @ ..] = cells.as_slice() else { panic!("{line}") };
        let expected: Vec<f64> = expected.iter().map(|cell| cell.parse().unwrap()).collect();
        let Valence { compound, positive, neutral, negative } = Lexicon::plain().valence(text);
        // The reference rounds: the compound to four places, shares to three.
        for (said, (wanted, half)) in [compound, positive, neutral, negative]
            .into_iter()
            .zip(expected.into_iter().zip([0.000_051, 0.000_51, 0.000_51, 0.000_51]))
        {
            assert!((said - wanted).abs() < half, "{text}: {said} instead of {wanted}");
        }
    }
}

#[test]
fn words_of_markets_count_and_urgency_weighs() {
    let lexicon = Lexicon::markets();
    let calm = lexicon.read("Prices surge");
    assert_eq!(calm.impact, calm.valence.compound * 1.2);
    let urgent = lexicon.read("Breaking: prices surge");
    assert!((urgent.impact - urgent.valence.compound * 1.3 * 1.2).abs() < 1e-12);
    assert_eq!(Lexicon::plain().valence("Prices surge").compound, 0.0);
    // It says how soon, and not how good.
    assert_eq!(lexicon.valence("Breaking news").compound, 0.0);
    assert_eq!(lexicon.read("Prices").confidence, 0.3);
}

#[test]
fn korean_headlines_have_a_tone_whatever_ending_a_word_has() {
    let tone = |text| Tone::of_score(Lexicon::markets().valence(text).compound);
    assert_eq!(tone("삼성전자 급등했다"), Tone::Positive);
    assert_eq!(tone("코스피, 폭락에 충격"), Tone::Negative);
    assert_eq!(tone("정기 주주총회 개최"), Tone::Neutral);
}

#[test]
fn an_insight_is_about_what_the_document_names_and_known_when_it_was_read() {
    let document = Document {
        id: DocumentId(1),
        feed: "f".into(),
        title: "Apple plunges".into(),
        summary: String::new(),
        link: String::new(),
        source: String::new(),
        published: None,
        symbols: vec!["yahoo:AAPL".parse().unwrap()],
    };
    let at = Timestamp::from_secs(9);
    let insight = Lexicon::markets().insight(&document, at);
    assert_eq!(
        (insight.tone(), insight.known_at, &insight.symbols),
        (Tone::Negative, at, &document.symbols)
    );
}

#[test]
fn a_headline_that_ends_in_a_word_of_two_letters_scores_as_the_reference_has_it() {
    // Of vaderSentiment 3.3.2; a full stop behind the word would hide it.
    for (title, compound) in
        [("Earnings were OK", 0.4466), ("Company X: results ok", 0.296), ("Profit up, no", 0.1779)]
    {
        for summary in ["", "<>"] {
            let document = Document {
                id: DocumentId(1),
                feed: String::new(),
                title: title.to_owned(),
                summary: summary.to_owned(),
                link: String::new(),
                source: String::new(),
                published: None,
                symbols: Vec::new(),
            };
            let score = Lexicon::plain().insight(&document, Timestamp::EPOCH).score;
            assert!((score - compound).abs() < 5e-5, "{title} {summary}: {score}");
        }
    }
}

#[test]
fn any_text_has_a_score_between_its_bounds() {
    proptest::proptest!(|(text in "[ -~가-힣😀-😏\n]{0,80}")| {
        let Valence { compound, positive, neutral, negative } = Lexicon::markets().valence(&text);
        assert!((-1.0..=1.0).contains(&compound));
        let all = positive + neutral + negative;
        assert!((all - 1.0).abs() < 1e-9 || all == 0.0, "{text:?}");
    });
}
