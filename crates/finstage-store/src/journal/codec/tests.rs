use finstage_model::{
    CardId, CardNotice, CardVerdict, Category, ClaimKind, Day, Direction, Document, DocumentId,
    Insight, Objection, Proof,
};
use proptest::prelude::*;

use super::*;

fn bytes_of(events: &[Event]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut previous = Timestamp::EPOCH;
    for event in events {
        encode(event, previous, &mut bytes);
        previous = event.ts_recv;
    }
    bytes
}

fn events_of(bytes: &[u8], count: usize) -> Result<Vec<Event>, Malformed> {
    let mut events = Vec::new();
    decode(bytes, count as u32, &mut events).map(|()| events)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn card(issued: Timestamp) -> CardNotice {
    CardNotice {
        strategy: "rsi_oversold(period=14,level=30)".to_owned(),
        claim: ClaimKind::Direction,
        interval: Interval::D1,
        members: vec!["x:A".parse().unwrap(), "x:B".parse().unwrap()],
        direction: Direction::Short,
        verdict: CardVerdict::Unproven,
        reason: Some(Objection::QAbove),
        proof: Proof {
            card: CardId(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
            horizon: "1w".parse().unwrap(),
            n: 300,
            n_eff: 48,
            hit_rate: Some(0.5),
            hit_low: Some(0.25),
            hit_high: None,
            base_rate: Some(-0.0),
            mean_net: Some(0.125),
            theta_net: None,
            net_low: None,
            net_high: None,
            q_value: Some(1.0),
            family: 105,
            issued,
            expires: issued,
            times_usual: None,
        },
    }
}

/// A card about the size of moves.
fn size(issued: Timestamp) -> CardNotice {
    let one = card(issued);
    let proof = Proof { times_usual: Some(1.5), ..one.proof };
    CardNotice { claim: ClaimKind::Size, proof, ..one }
}

/// One event of every kind, a millisecond apart.
fn one_of_each() -> Vec<Event> {
    let start = Day::from_days(20_778).start();
    let bar = Bar {
        instrument: InstrumentId(300),
        interval: Interval::M1,
        open_time: start,
        open: Price::from_nanos(100_000_000_000),
        high: Price::from_nanos(101_500_000_000),
        low: Price::from_nanos(-1),
        close: Price::from_nanos(100_000_000_000),
        volume: Qty::from_nanos(u128::from(u64::MAX) + 1),
        trades: 7,
    };
    let instrument = Instrument {
        id: InstrumentId(300),
        symbol: "binance:BTCUSDT".parse().unwrap(),
        tick: Some(Price::from_nanos(10_000_000)),
        lot: None,
        currency: Some("USDT".to_owned()),
        category: Category::Crypto,
    };
    let trade = Trade {
        id: TradeId(42),
        instrument: InstrumentId(300),
        ts_event: start,
        price: Price::from_nanos(100_000_000_000),
        qty: Qty::from_nanos(1_000_000_000),
        aggressor: Aggressor::Seller,
    };
    let said = Said {
        id: AlertId(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10),
        symbol: "yahoo:^GSPC".parse().unwrap(),
        rule: "rise=3%".to_owned(),
        said_at: start,
    };
    let gap = FeedKind::Gap { from: start, to: start };
    let past = Past { instrument: InstrumentId(300), interval: Interval::M1, bars: vec![bar, bar] };
    let payloads = [
        Payload::Instrument(Box::new(instrument)),
        Payload::Trade(trade),
        Payload::Bar(bar),
        Payload::Feed(FeedStatus { instrument: InstrumentId(300), kind: gap }),
        Payload::Past(Box::new(past)),
        Payload::Said(Box::new(said)),
        Payload::Tick,
        Payload::Reset(InstrumentId(300)),
        Payload::Card(Box::new(card(start))),
        Payload::Card(Box::new(size(start))),
        Payload::Watch(Box::new(WatchNotice {
            symbol: "yahoo:^GSPC".parse().unwrap(),
            rule: "rise=3%".parse().unwrap(),
            cooldown_ms: 180_000,
            is_on: true,
        })),
        Payload::Mute(Box::new(MuteNotice { what: "rise".to_owned(), until: start })),
        Payload::Document(Box::new(Document {
            id: DocumentId(7),
            feed: "yahoo".to_owned(),
            title: "A".to_owned(),
            summary: String::new(),
            link: "https://x/a".to_owned(),
            source: "W".to_owned(),
            published: Some(start),
            symbols: vec!["x:A".parse().unwrap()],
        })),
        Payload::Insight(Box::new(Insight {
            document: DocumentId(7),
            known_at: start,
            by: "lexicon".to_owned(),
            symbols: vec!["x:A".parse().unwrap()],
            score: 0.5,
            impact: -1.0,
            confidence: 0.25,
        })),
    ];
    let mut received = start;
    payloads
        .into_iter()
        .map(|payload| {
            received = Timestamp::from_nanos(received.nanos() + 1_000_000);
            Event::new(received, payload)
        })
        .collect()
}

#[test]
fn the_bytes_of_version_7_never_change() {
    // Golden: journals on disks have these bytes. Another form is another version. All but
    // the last two are those of version 6. Of these, all are
    // those of version 5; all but the last two are those of version 4, all but the last three those of version 3, all but the
    // last four those of version 2, all but the last five those of version 1.
    let golden = [
        "8089aae0ba96f3e93101ac020f62696e616e63653a425443555344540180dac409000104555344540663727970746f",
        "80897a022aac02ff91f40180a0b787e9058094ebdc0301",
        "80897a03ac0200ff9aee0280a0b787e90580bcc1960b81a0b787e905008080808080808080800207",
        "80897a04ac0202ffa3e803ffa3e803",
        concat!(
            "80897a05ac020002",
            "ac0200fface20480a0b787e90580bcc1960b81a0b787e905008080808080808080800207",
            "ac0200fface20480a0b787e90580bcc1960b81a0b787e905008080808080808080800207",
        ),
        "80897a06100f0e0d0c0b0a0908070605040302010b7961686f6f3a5e4753504307726973653d3325ffb5dc05",
        "80897a07",
        "80897a08ac02",
        concat!(
            "80897a09207273695f6f766572736f6c6428706572696f643d31342c6c6576656c3d333029060203783a4103783a42",
            "01010107715f61626f7665100f0e0d0c0b0a090807060504030201023177ac0230",
            "01000000000000e03f01000000000000d03f00010000000000000080",
            "01000000000000c03f00000001000000000000f03f69ffd0ca08ffd0ca08",
        ),
        concat!(
            "80897a0a0473697a6501000000000000f83f",
            "207273695f6f766572736f6c6428706572696f643d31342c6c6576656c3d333029060203783a4103783a42",
            "01010107715f61626f7665100f0e0d0c0b0a090807060504030201023177ac0230",
            "01000000000000e03f01000000000000d03f00010000000000000080",
            "01000000000000c03f00000001000000000000f03f69ffd9c409ffd9c409",
        ),
        "80897a0b0b7961686f6f3a5e4753504307726973653d3325a0fe0a01",
        "80897a0c0472697365ffebb80b",
        "80897a0d07000000000000000000000000000000057961686f6f0141000b68747470733a2f2f782f61015701fff4b20c0103783a41",
        concat!(
            "80897a0e07000000000000000000000000000000fffdac0d076c657869636f6e0103783a41",
            "000000000000e03f000000000000f0bf000000000000d03f",
        ),
    ];
    let mut previous = Timestamp::EPOCH;
    let lines: Vec<String> = one_of_each()
        .iter()
        .map(|event| {
            let mut bytes = Vec::new();
            encode(event, previous, &mut bytes);
            previous = event.ts_recv;
            hex(&bytes)
        })
        .collect();
    assert_eq!(lines, golden);
}

#[test]
fn what_came_sealed_differs_by_one_bit_of_its_tag() {
    for plain in one_of_each() {
        let sealed = Event { sealed: true, ..plain.clone() };
        let mut bytes = bytes_of(std::slice::from_ref(&plain));
        // The tag follows the time: the bytes that say "there are more", and the last one.
        let tag_at = bytes.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1;
        assert_eq!(
            bytes[tag_at] & 0x80,
            0,
            "version 5 had nothing there, and is read as not sealed"
        );
        bytes[tag_at] |= 0x80;
        assert_eq!(hex(&bytes), hex(&bytes_of(std::slice::from_ref(&sealed))));
        assert_eq!(events_of(&bytes, 1).unwrap(), [sealed]);
    }
}

#[test]
fn events_cut_short_anywhere_are_malformed() {
    let all = one_of_each();
    let bytes = bytes_of(&all);
    assert_eq!(events_of(&bytes, all.len()).unwrap(), all);
    for end in 0..bytes.len() {
        assert!(events_of(&bytes[..end], all.len()).is_err(), "cut at {end}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(events_of(&longer, all.len()), Err(Malformed("bytes after the last event")));
}

#[test]
fn a_count_cannot_make_the_decoder_take_memory() {
    assert!(events_of(&[0; 64], u32::MAX as usize).is_err());
    // A Past that promises 2^63 bars.
    let past = [0, 5, 0, 0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1];
    assert_eq!(events_of(&past, 1), Err(Malformed("more bars promised than bytes can hold")));
}

fn times() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_nanos)
}

fn prices() -> impl Strategy<Value = Price> {
    any::<i64>().prop_map(Price::from_nanos)
}

fn quantities() -> impl Strategy<Value = Qty> {
    prop_oneof![any::<u128>(), any::<u64>().prop_map(u128::from)].prop_map(Qty::from_nanos)
}

fn instruments() -> impl Strategy<Value = InstrumentId> {
    any::<u32>().prop_map(InstrumentId)
}

fn symbols() -> impl Strategy<Value = Symbol> {
    "[a-z0-9_-]{1,8}:[A-Z^=가-힣]{1,12}".prop_map(|text| text.parse().unwrap())
}

fn trades() -> impl Strategy<Value = Trade> {
    let aggressor =
        prop::sample::select(vec![Aggressor::Buyer, Aggressor::Seller, Aggressor::Unknown]);
    (any::<u128>(), instruments(), times(), prices(), quantities(), aggressor).prop_map(
        |(id, instrument, ts_event, price, qty, aggressor)| Trade {
            id: TradeId(id),
            instrument,
            ts_event,
            price,
            qty,
            aggressor,
        },
    )
}

fn bars() -> impl Strategy<Value = Bar> {
    let interval = prop::sample::select(Interval::ALL.to_vec());
    let prices = (prices(), prices(), prices(), prices());
    (instruments(), interval, times(), prices, quantities(), any::<u32>()).prop_map(
        |(instrument, interval, open_time, (open, high, low, close), volume, trades)| Bar {
            instrument,
            interval,
            open_time,
            open,
            high,
            low,
            close,
            volume,
            trades,
        },
    )
}

fn payloads() -> impl Strategy<Value = Payload> {
    let category = prop::sample::select(vec![
        Category::Crypto,
        Category::Index,
        Category::Stock,
        Category::Etf,
        Category::Currency,
        Category::Other,
    ]);
    let steps = (prop::option::of(prices()), prop::option::of(quantities()));
    let instrument = (instruments(), symbols(), steps, prop::option::of("\\PC{0,8}"), category)
        .prop_map(|(id, symbol, (tick, lot), currency, category)| {
            Payload::Instrument(Box::new(Instrument { id, symbol, tick, lot, currency, category }))
        });
    let kind = prop_oneof![
        Just(FeedKind::Up),
        Just(FeedKind::Stale),
        (times(), times()).prop_map(|(from, to)| FeedKind::Gap { from, to }),
        (times(), times()).prop_map(|(from, to)| FeedKind::Repaired { from, to }),
    ];
    let feed = (instruments(), kind)
        .prop_map(|(instrument, kind)| Payload::Feed(FeedStatus { instrument, kind }));
    let interval = prop::sample::select(Interval::ALL.to_vec());
    let past = (instruments(), interval, prop::collection::vec(bars(), 0..5)).prop_map(
        |(instrument, interval, bars)| Payload::Past(Box::new(Past { instrument, interval, bars })),
    );
    let said = (any::<u128>(), symbols(), "\\PC{0,40}", times()).prop_map(
        |(id, symbol, rule, said_at)| {
            Payload::Said(Box::new(Said { id: AlertId(id), symbol, rule, said_at }))
        },
    );
    let members = prop::collection::vec(symbols(), 0..4);
    let figures = prop::collection::vec(prop::option::of(-1e9..1e9), 9);
    let words = (prop::sample::select(CardVerdict::ALL.to_vec()), any::<bool>());
    let card = (times(), times(), members, figures, any::<(u128, u64, u64)>(), words).prop_map(
        |(issued, expires, members, figures, (id, n, family), (verdict, is_long))| {
            let one = card(issued);
            let proof = Proof {
                card: CardId(id),
                n,
                family,
                hit_rate: figures[0],
                hit_low: figures[1],
                hit_high: figures[2],
                base_rate: figures[3],
                mean_net: figures[4],
                theta_net: figures[5],
                net_low: figures[6],
                net_high: figures[7],
                q_value: figures[8],
                expires,
                ..one.proof
            };
            let direction = if is_long { Direction::Long } else { Direction::Short };
            let reason = (!is_long).then_some(Objection::Faded);
            let is_size = figures[0].is_some();
            let proof = Proof { times_usual: figures[1].filter(|_| is_size), ..proof };
            let claim = if is_size { ClaimKind::Size } else { ClaimKind::Direction };
            Payload::Card(Box::new(CardNotice {
                claim,
                members,
                direction,
                verdict,
                reason,
                proof,
                ..one
            }))
        },
    );
    let rules = prop_oneof![
        (1u32..1_000_000).prop_map(|n| format!("rise={}%", f64::from(n) / 1e3)),
        any::<i64>().prop_map(|nanos| format!("below={}", Price::from_nanos(nanos))),
        Just("prev_high".to_owned()),
    ];
    let watch = (symbols(), rules, any::<u64>(), any::<bool>()).prop_map(
        |(symbol, rule, cooldown_ms, is_on)| {
            let rule = rule.parse().unwrap();
            Payload::Watch(Box::new(WatchNotice { symbol, rule, cooldown_ms, is_on }))
        },
    );
    let mute = ("[a-z=%]{0,9}", times())
        .prop_map(|(what, until)| Payload::Mute(Box::new(MuteNotice { what, until })));
    let words = || "[a-z가-힣 ]{0,9}";
    let symbol_lists = || proptest::collection::vec(symbols(), 0..4);
    let document =
        (any::<u128>(), [words(), words()], proptest::option::of(times()), symbol_lists())
            .prop_map(|(id, [title, summary], published, symbols)| {
                let (link, source) = (summary.clone(), title.clone());
                let (id, feed) = (DocumentId(id), "f".to_owned());
                let document =
                    Document { id, feed, title, summary, link, source, published, symbols };
                Payload::Document(Box::new(document))
            });
    let insight = (any::<u128>(), times(), words(), symbol_lists(), [-1.0f64..1.0, -2.0..2.0])
        .prop_map(|(document, known_at, by, symbols, [score, impact])| {
            let (document, confidence) = (DocumentId(document), 0.3);
            let insight = Insight { document, known_at, by, symbols, score, impact, confidence };
            Payload::Insight(Box::new(insight))
        });
    prop_oneof![
        document,
        insight,
        card,
        watch,
        mute,
        instrument,
        trades().prop_map(Payload::Trade),
        bars().prop_map(Payload::Bar),
        feed,
        past,
        said,
        Just(Payload::Tick),
        instruments().prop_map(Payload::Reset),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    (times(), payloads(), any::<bool>()).prop_map(|(ts_recv, payload, sealed)| Event {
        ts_recv,
        payload,
        sealed,
    })
}

proptest! {
    #[test]
    fn every_event_comes_back_exactly(events in prop::collection::vec(any_event(), 0..20)) {
        prop_assert_eq!(events_of(&bytes_of(&events), events.len()).unwrap(), events);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400), count in 0usize..50) {
        let _ = events_of(&bytes, count);
    }

    #[test]
    fn no_damage_panics(
        events in prop::collection::vec(any_event(), 1..10),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut bytes = bytes_of(&events);
        bytes[at.index(events.len())] ^= 1 << bit;
        let _ = events_of(&bytes, events.len());
    }
}
