use proptest::prelude::*;

use super::*;

/// What programs write, and what they might.
const RECORDS: [&str; 14] = [
    r#"{"symbol":"BTCUSDT","price":42850.10,"volume":0.25,"timestamp":1796083200123}"#,
    r#"{"symbol": "ETHUSDT", "price": 3001.5, "volume": 12, "timestamp": 1796083200124}"#,
    r#"{"symbol":"A","price":0,"volume":0,"timestamp":0}"#,
    r#"{"symbol":"X","price":9223372036.854775807,"volume":9999999999.999999999,"timestamp":9223372036854}"#,
    r#"{"symbol":"X","price":9223372036.854775808,"volume":1,"timestamp":9223372036855}"#,
    r#"{"timestamp":1796083200123,"volume":"0.25","price":"42850.10","symbol":"BTCUSDT"}"#,
    r#"{"symbol":"BTCUSDT","price":4.285e4,"volume":25E-2,"timestamp":1796083200123,"side":"buy"}"#,
    r#"{"symbol":"B\u0054C\"\\","price":1,"volume":1,"timestamp":1}"#,
    r#"{"symbol":"삼성전자","price":71400,"volume":10,"timestamp":1796083200123}"#,
    r#"{"symbol":"A","symbol":"B","price":1,"volume":1,"timestamp":1}"#,
    r#"{"symbol":"A","price":01.5,"volume":-0,"timestamp":-0}"#,
    r#"{"symbol":"A","price":-1.5,"volume":0.1000000000,"timestamp":-1}"#,
    r#"["A",1,2,3]"#,
    r#"{"symbol":"A","price":1.0000000001,"volume":99999999999,"timestamp":1e3}"#,
];

/// Bytes that make a difference to a reader of JSON.
const BYTES: &[u8] = b"\"\\{}[]:, \t\n\r.-+eE0123456789abcnulptvs\x00\x7f\xc3\xed";

/// Numbers that look random: Knuth's linear congruence of MMIX, upper half.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((self.0 >> 32) * end as u64) >> 32) as usize
    }
}

/// Changes a record in a few places.
fn mutate(numbers: &mut Numbers, text: &mut Vec<u8>) {
    text.clear();
    text.extend_from_slice(RECORDS[numbers.below(RECORDS.len())].as_bytes());
    for _ in 0..numbers.below(4) {
        let place = numbers.below(text.len() + 1);
        let byte = BYTES[numbers.below(BYTES.len())];
        match numbers.below(6) {
            0 | 1 if place < text.len() => text[place] = byte,
            2 if place < text.len() => {
                text.remove(place);
            }
            3 => text.insert(place, byte),
            4 => text.truncate(place.max(text.len() * 3 / 4)),
            _ => {
                let end = text.len().min(place + numbers.below(24));
                let piece = text[place..end].to_vec();
                text.splice(place..place, piece);
            }
        }
    }
}

/// Whether the scanner took the whole text, after both readers have been compared.
fn agree(text: &[u8]) -> bool {
    let general = Tick::read_general(text);
    assert_eq!(Tick::read(text), general, "{}", String::from_utf8_lossy(text));
    let scanned = scan(text).filter(|(_, behind)| behind.is_empty());
    if let Some((tick, _)) = &scanned {
        assert_eq!(Ok(tick), general.as_ref(), "{}", String::from_utf8_lossy(text));
    }
    scanned.is_some()
}

#[test]
fn the_scanner_and_the_general_parser_agree_on_mutated_records() {
    #[expect(clippy::disallowed_methods, reason = "the long form is asked for from outside")]
    let long = std::env::var_os("FINSTAGE_LONG").is_some_and(|value| value == "1");
    let many = if long { 10_000_000 } else { 200_000 };
    let (mut numbers, mut text) = (Numbers(7), Vec::new());
    let (mut scanned, mut read) = (0, 0);
    for _ in 0..many {
        mutate(&mut numbers, &mut text);
        scanned += usize::from(agree(&text));
        read += usize::from(Tick::read_general(&text).is_ok());
    }
    // It means something only where all three kinds are many: scanned, parsed, refused.
    assert!(
        scanned > many / 20 && read > scanned + many / 20 && read < many * 3 / 4,
        "{scanned} {read}"
    );
}

proptest! {
    #[test]
    fn a_record_that_is_written_is_read_by_both(
        symbol in "[A-Z0-9./^-]{1,12}|\\PC{1,12}",
        price in any::<i64>().prop_filter("has a magnitude", |nanos| *nanos != i64::MIN),
        volume in any::<u128>(),
        millis in -9_223_372_036_854i64..=9_223_372_036_854,
    ) {
        let tick = Tick {
            symbol: Cow::Owned(symbol),
            price: Price::from_nanos(price),
            volume: Qty::from_nanos(volume),
            timestamp: Timestamp::from_millis(millis),
        };
        let text = serde_json::to_vec(&tick).unwrap();
        agree(&text);
        prop_assert_eq!(Tick::read(&text), Ok(tick));
    }

    #[test]
    fn no_text_panics(text in prop::collection::vec(any::<u8>(), 0..80)) {
        agree(&text);
        let _ = Ticks::new(&text).count();
    }
}

#[test]
fn the_usual_shapes_are_read_by_the_scanner() {
    for record in &RECORDS[..4] {
        assert!(scan(record.as_bytes()).is_some(), "{record}");
    }
    for record in &RECORDS[4..] {
        assert!(scan(record.as_bytes()).is_none(), "{record}");
    }
    let tick = Tick::read(RECORDS[1].as_bytes()).unwrap();
    assert_eq!(tick.price.to_string(), "3001.5");
    assert_eq!(tick.volume.to_string(), "12");
    assert!(matches!(tick.symbol, Cow::Borrowed("ETHUSDT")));
}

#[test]
fn what_is_no_record_is_refused_in_words() {
    let refused = |text: &str| Tick::read(text.as_bytes()).unwrap_err().to_string();
    assert_eq!(
        refused(r#"["A",1,2,3]"#),
        "tick: no JSON object with symbol, price, volume and timestamp"
    );
    assert_eq!(
        refused(r#"{"symbol":"","price":1,"volume":1,"timestamp":1}"#),
        "tick: the symbol is empty"
    );
    assert_eq!(refused(RECORDS[4]), "tick: timestamp: out of range");
    assert_eq!(
        refused(r#"{"symbol":"A","price":1,"volume":-1,"timestamp":1}"#),
        "tick: volume: negative"
    );
    assert!(refused(RECORDS[9]).contains("duplicate field `symbol`"));
    assert!(
        refused(r#"{"symbol":"A","price":1,"timestamp":1}"#).contains("missing field `volume`")
    );
}

#[test]
fn lines_are_read_one_by_one_whatever_stands_between_them() {
    let text = format!("{}\n\n  {}\r\nno\n{}", RECORDS[0], RECORDS[5], RECORDS[1]);
    let symbols: Vec<Option<String>> =
        Ticks::new(text.as_bytes()).map(|tick| tick.ok().map(|t| t.symbol.into_owned())).collect();
    let some = |symbol: &str| Some(symbol.to_owned());
    assert_eq!(symbols, [some("BTCUSDT"), some("BTCUSDT"), None, some("ETHUSDT")]);
    let whole = Ticks::new(text.as_bytes()).flatten();
    assert!(whole.map(|tick| tick.timestamp.millis()).eq([
        1_796_083_200_123,
        1_796_083_200_123,
        1_796_083_200_124
    ]));
    let joined = format!("{}{}\n", RECORDS[0], RECORDS[0]);
    assert!(Ticks::new(joined.as_bytes()).all(|tick| tick.is_err()), "two on a line are none");
}
