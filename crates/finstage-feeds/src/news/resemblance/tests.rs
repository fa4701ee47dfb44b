use super::*;

const PAIRS: &str = include_str!("pairs.tsv");

fn document(id: u128, title: &str, summary: &str) -> Document {
    Document {
        id: DocumentId(id),
        feed: "f".to_owned(),
        title: title.to_owned(),
        summary: summary.to_owned(),
        link: String::new(),
        source: String::new(),
        published: None,
        symbols: vec!["yahoo:AAPL".parse().unwrap()],
    }
}

fn at(hour: i64) -> Timestamp {
    Timestamp::from_secs(1_800_000_000 + hour * 3_600)
}

/// Whether each pair is the same story, and whether it is taken for one.
fn judged() -> Vec<(bool, bool, &'static str)> {
    let pair = |line: &'static str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let (one, two) = match cells[1..] {
            [one, two] => (document(1, one, ""), document(2, two, "")),
            [one, text, two, other] => (document(1, one, text), document(2, two, other)),
            _ => panic!("{line}"),
        };
        let mut stories = Stories::default();
        assert_eq!(stories.see(&one, at(0)), None);
        (cells[0] == "=", stories.see(&two, at(5)).is_some(), line)
    };
    PAIRS.lines().filter(|line| !line.starts_with('#')).map(pair).collect()
}

#[test]
fn of_forty_pairs_17_of_20_are_found_and_one_is_taken_wrongly() {
    let judged = judged();
    let count =
        |is: bool, said: bool| judged.iter().filter(move |one| (one.0, one.1) == (is, said));
    let missed: Vec<&str> = count(true, false).map(|one| one.2).collect();
    assert_eq!((judged.len(), count(true, true).count()), (40, 17), "missed {missed:#?}");
    let wrong: Vec<&str> = count(false, true).map(|one| one.2).collect();
    let opposite =
        "!\tApple supplier opens plant in Vietnam\tApple supplier shuts plant in Vietnam";
    assert_eq!(wrong, [opposite], "one word turns the sense, and has no tone");
}

#[test]
fn a_story_is_the_first_that_told_it_within_two_days_and_of_one_instrument() {
    let mut stories = Stories::default();
    let titles = ["Apple to buy Quillon for $4 bln", "Apple agrees to buy Quillon for $4 bln"];
    assert_eq!(stories.see(&document(1, titles[0], ""), at(0)), None);
    assert_eq!(stories.see(&document(2, titles[1], ""), at(1)), Some(DocumentId(1)));
    assert_eq!(stories.see(&document(3, titles[1], ""), at(47)), Some(DocumentId(1)));
    let other =
        Document { symbols: vec!["yahoo:MSFT".parse().unwrap()], ..document(4, titles[0], "") };
    assert_eq!(stories.see(&other, at(47)), None);
    assert_eq!(stories.see(&document(5, titles[0], ""), at(96)), None);
    // What a process recalls it compares with.
    let mut next = Stories::default();
    next.recall(&document(2, titles[1], ""), at(1), DocumentId(1));
    assert_eq!(next.see(&document(3, titles[0], ""), at(2)), Some(DocumentId(1)));
}

#[test]
fn of_an_instrument_no_more_are_remembered_than_an_engine_hears() {
    let mut stories = Stories::default();
    for number in 0..1_000 {
        stories.see(&document(number, &format!("Apple note {number} of many"), ""), at(0));
    }
    assert_eq!(stories.by_symbol.len(), 1);
    assert!(stories.by_symbol.values().all(|all| all.len() == MAX_COMPARED));
}
