use finstage_model::{CardId, Decision, Interval, SignalId};

use super::*;
use crate::suite::{long, signal, special, watch};

fn seoul() -> Template {
    Template {
        zone: TimeZone::get("Asia/Seoul").unwrap(),
        dashboard: Some("https://finstage.example.com/".into()),
        ..Template::default()
    }
}

/// Compares with an indented text.
fn check(found: &Message, expected: &str) {
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found.plain(), expected.join("\n"));
}

#[test]
fn a_signal_says_everything_that_the_contract_asks_for() {
    check(
        &seoul().message(&signal(), Repeat::No, None),
        "
        ▲ bullish golden_cross(fast=50,slow=200)
        binance:BTCUSDT at 42850.1 USDT, 1h bars
        The average of 50 bars rose above the average of 200 bars: 42810.2 over 42790.8.
        Evidence: not measured yet — this signal is UNPROVEN.
        Data 1.2 s old.
        2026-11-21 18:00:00 Asia/Seoul (2026-11-21 09:00:00 UTC)
        id 6612e67625440d59f48240661d66392b
        https://finstage.example.com/#/signals/00000000000000000000000000000007
        Not advice.
        ",
    );
}

#[test]
fn evidence_is_told_in_figures() {
    let kind = crate::suite::unproven();
    check(
        &Template::default().message(&Alert { kind, ..signal() }, Repeat::No, None),
        "
        ▲ bullish golden_cross(fast=50,slow=200)
        binance:BTCUSDT at 42850.1 USDT, 1d bars
        The average of 50 bars rose above the average of 200 bars: 42810.2 over 42790.8.
        Evidence: fewer than 30 events — this signal is UNPROVEN.
        Separate occasions: 1 (signals: 1). After 1w 64.6 % had gone this way (95 %: 50.4 % to 76.6 %); of any bars 53.5 %.
        Mean after costs -1.00 %; too few occasions to set it against random entry.
        The evidence is 30 d 0 h old.
        Data 1.2 s old.
        2026-11-21 09:00:00 UTC
        id 6612e67625440d59f48240661d66392b
        Not advice.
        ",
    );
}

#[test]
fn a_card_without_occasions_is_told_in_one_line_and_without_what_is_unknown() {
    let AlertKind::Signal { proof: Some(proof), signal: id, direction, interval, ruling, .. } =
        crate::suite::unproven()
    else {
        panic!("a signal with a card")
    };
    let empty = Proof {
        n: 0,
        n_eff: 0,
        hit_rate: None,
        hit_low: None,
        hit_high: None,
        base_rate: None,
        mean_net: None,
        family: 0,
        ..*proof
    };
    let kind = AlertKind::Signal {
        proof: Some(Box::new(empty)),
        signal: id,
        direction,
        interval,
        ruling,
        size: None,
    };
    let plain = Template::default().message(&Alert { kind, ..signal() }, Repeat::No, None).plain();
    assert!(
        plain.contains(
            "UNPROVEN.\nSeparate occasions with 1w behind them: 0 (signals: 0), too few for figures.\nThe evidence is"
        ),
        "{plain}"
    );
}

#[test]
fn evidence_is_as_old_as_when_the_alert_was_said() {
    let (kind, at) = (crate::suite::unproven(), signal().at);
    let said = |said_at| {
        let alert = Alert { kind: kind.clone(), said_at, ..signal() };
        Template::default().message(&alert, Repeat::No, None).plain()
    };
    let hours = |hours: u64| std::time::Duration::from_secs(hours * 3_600);
    // A bar of a day is told of after its session, before the day is over.
    assert!(said(at.minus(hours(3))).contains("The evidence is 29 d 21 h old."));
    assert!(said(at.plus(hours(50))).contains("The evidence is 30 d 0 h old."), "a late alert");
}

#[test]
fn larger_moves_are_told_without_a_direction() {
    let kind = crate::suite::large();
    let message = Template::default().message(&Alert { kind, ..signal() }, Repeat::No, None);
    check(
        &message,
        "
        ◆ larger moves than usual expected (×1.4), direction unknown: golden_cross(fast=50,slow=200)
        binance:BTCUSDT at 42850.1 USDT, 1d bars
        The average of 50 bars rose above the average of 200 bars: 42810.2 over 42790.8.
        Evidence: larger moves are proven on past data — the size is VERIFIED by card \
        0000000000000000000000000000512e. The direction is unknown: with so many ideas tested, luck explains it.
        Separate occasions: 48 (signals: 61). Within 1w the price moved 2.13 % either way, ×1.4 the usual.
        More than usual: +0.63 % (95 %: +0.10 % to +0.90 %); q 0.003 with 105 things tried.
        The evidence is 30 d 0 h old.
        Data 1.2 s old.
        2026-11-21 09:00:00 UTC
        id 6612e67625440d59f48240661d66392b
        Not advice.
        ",
    );
    for word in ["bullish", "bearish", "▲", "▼"] {
        assert!(!message.plain().contains(word), "{word}");
    }
}

#[test]
fn a_watch_states_a_fact_and_no_verdict() {
    check(
        &Template::default().message(&watch(), Repeat::No, None),
        "
        ● price watch drop=3%
        yahoo:^GSPC at 96.8, compared with 100
        The price fell 3.2 % below the previous close.
        A fact about the price: it has no verdict.
        Data 1.2 s old.
        2026-11-21 09:00:00 UTC
        id 00000000000000000000000000000099
        Not advice.
        ",
    );
}

#[test]
fn a_possible_repeat_says_so_first() {
    let message = Template::default().message(&signal(), Repeat::Possible, None);
    assert!(message.plain().starts_with("(may repeat an earlier message with the same id)\n▲"));
}

#[test]
fn foreign_text_stays_text_on_its_own_line() {
    let plain = Template::default().message(&special(), Repeat::No, None).plain();
    assert!(plain.contains("\nfile:S&P<b>500</b> at 96.8 <&>, compared with 100 <&>\n"), "{plain}");
    assert!(plain.contains("\nclose > sma & \"volume\" < 1e6 <a href='x'>{price}</a> &amp;\n"));
}

#[test]
fn every_ruling_has_its_words() {
    let line = |ruling| {
        evidence(
            &AlertWords::ENGLISH,
            &AlertKind::Signal {
                signal: SignalId(1),
                interval: Interval::D1,
                direction: Direction::Short,
                ruling,
                proof: None,
                size: None,
            },
        )
    };
    assert_eq!(
        line(Ruling::Verified { card: CardId(10) }),
        "Evidence: proven on past data — this signal is VERIFIED by card \
         0000000000000000000000000000000a."
    );
    for reason in [Reason::NoEvidence, Reason::StaleFeed, Reason::Gap, Reason::WarmUp] {
        let words = reason.words();
        for (ruling, word) in [
            (Ruling::Unproven { reason }, "UNPROVEN"),
            (Ruling::Rejected { reason }, "REJECTED"),
            (Ruling::Withheld { reason }, "WITHHELD"),
        ] {
            assert_eq!(line(ruling), format!("Evidence: {words} — this signal is {word}."));
        }
    }
}

#[test]
fn ages_are_told_in_the_units_that_matter() {
    for (ms, words) in [
        (0, "Data 0 ms old."),
        (999, "Data 999 ms old."),
        (1_000, "Data 1.0 s old."),
        (59_999, "Data 59.9 s old."),
        (60_000, "Data 1 min old."),
        (3_600_000, "Data 1 h 0 min old."),
        (12_000_000, "Data 3 h 20 min old."),
        (180_000_000, "Data 2 d 2 h old."),
        (-1_500, "Data stamped 1.5 s ahead of our clock."),
    ] {
        assert_eq!(data_age(&AlertWords::ENGLISH, ms), words);
    }
    assert!(data_age(&AlertWords::ENGLISH, i64::MIN).contains("ahead"));
}

#[test]
fn a_zone_without_a_name_shows_its_offset() {
    let zone = TimeZone::fixed(jiff::tz::offset(-5));
    let at = "2026-11-21T02:30:00.9Z".parse().unwrap();
    assert_eq!(
        moment(&AlertWords::ENGLISH, at, &zone),
        "2026-11-20 21:30:00 -05 (2026-11-21 02:30:00 UTC)"
    );
}

#[test]
fn every_moment_can_be_shown() {
    for at in [Timestamp::MIN, Timestamp::EPOCH, Timestamp::MAX] {
        assert!(moment(&AlertWords::ENGLISH, at, &TimeZone::UTC).ends_with(" UTC"), "{at}");
    }
}

#[test]
fn words_without_an_end_are_cut() {
    let alert = Alert {
        words: "word ".repeat(50_000),
        rule: "r".repeat(5_000),
        decision: Decision::Send,
        ..long()
    };
    let chars = Template::default().message(&alert, Repeat::No, None).plain().chars().count();
    assert!(chars < MAX_WORDS_CHARS + 2 * MAX_NAME_CHARS + 400, "{chars}");
}

#[test]
fn patterns_are_filled_once() {
    assert_eq!(fill("{a}-{b}", &[("a", "{b}"), ("b", "x")]), "{b}-x");
    assert_eq!(fill("plain {unknown}.", &[]), "plain .");
}

#[test]
fn quotes_that_are_late_at_their_source_are_said_to_be() {
    let late = Template { quote_delay_s: |_| Some(1_200), ..seoul() };
    let plain = late.message(&signal(), Repeat::No, None).plain();
    assert!(plain.contains("Data 1.2 s old.\nQuotes delayed by 20 min.\n"), "{plain}");
    let prompt = Template { quote_delay_s: |_| Some(0), ..seoul() };
    assert_eq!(
        prompt.message(&signal(), Repeat::No, None),
        seoul().message(&signal(), Repeat::No, None)
    );
}

#[test]
fn a_rule_is_said_in_the_language_of_the_chat_where_it_has_words_there() {
    let rule = |alert: &Alert| alert.rule.starts_with("golden").then(|| "규칙".to_owned());
    let korean = Template { words: &AlertWords::KOREAN, rule, ..seoul() };
    assert_eq!(korean.facts(&signal())[2], "규칙");
    assert_eq!(korean.facts(&watch())[2], watch().words);
}

#[test]
fn a_korean_chat_reads_korean() {
    check(
        &Template { words: &AlertWords::KOREAN, ..seoul() }.message(&signal(), Repeat::No, None),
        "
        ▲ 상승 golden_cross(fast=50,slow=200)
        binance:BTCUSDT 42850.1 USDT, 1h 봉
        The average of 50 bars rose above the average of 200 bars: 42810.2 over 42790.8.
        근거: 아직 측정되지 않음 — 미입증(UNPROVEN).
        데이터 1.2초 전.
        2026-11-21 18:00:00 Asia/Seoul (2026-11-21 09:00:00 UTC)
        id 6612e67625440d59f48240661d66392b
        https://finstage.example.com/#/signals/00000000000000000000000000000007
        투자 조언이 아닙니다.
        ",
    );
}

#[test]
fn a_watch_links_to_the_page_of_its_instrument_and_without_an_address_there_is_no_link() {
    let plain = seoul().message(&watch(), Repeat::No, None).plain();
    assert!(plain.contains("\nhttps://finstage.example.com/#/markets/yahoo:%5EGSPC\n"), "{plain}");
    assert!(!Template::default().message(&watch(), Repeat::No, None).plain().contains("http"));
}
