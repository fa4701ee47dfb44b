use finstage_model::IdHasher;

use super::*;

fn asked(names: &[&str], intervals: &[Interval]) -> Vec<Subscription> {
    let ask = |(id, name): (u32, &&str)| Subscription {
        instrument: InstrumentId(id),
        symbol: format!("tardis:{name}").parse().unwrap(),
        trades: true,
        intervals: intervals.to_vec(),
    };
    (0..).zip(names).map(ask).collect()
}

fn venue(stream: &str, names: &[&str]) -> Tardis {
    let endpoints = Endpoints { rest: String::new(), stream: stream.to_owned() };
    Tardis::new(&endpoints, SymbolMap::of(&asked(names, &[])))
}

fn address(venue: &mut Tardis, subscriptions: &[Subscription]) -> (String, Value) {
    let Open::Connect(url) = venue.open_for(subscriptions);
    let (path, options) = url.split_once("?options=").unwrap();
    let mut bytes = Vec::new();
    let mut rest = options.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let digits = [rest.next().unwrap(), rest.next().unwrap()];
                u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            plain => plain,
        });
    }
    (path.to_owned(), serde_json::from_slice(&bytes).unwrap())
}

fn trade(exchange: &str, symbol: &str, millis: u32) -> Frame {
    Frame::Text(format!(
        r#"{{"type":"trade","symbol":"{symbol}","exchange":"{exchange}","id":"1","price":7996,"amount":50,"side":"sell","timestamp":"2026-03-01T00:00:00Z","localTimestamp":"2026-03-01T00:00:00.{millis:03}Z"}}"#
    ))
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(secs)
}

#[test]
fn the_address_says_what_is_asked_for_one_wish_for_each_venue() {
    let mut venue = venue("ws://here:8001/", &["bitmex.XBTUSD"]);
    let subscriptions =
        asked(&["bitmex.XBTUSD", "deribit.BTC-PERPETUAL", "bitmex.ETHUSD"], &[Interval::M1]);
    let (path, options) = address(&mut venue, &subscriptions);
    assert_eq!(path, "ws://here:8001/ws-stream-normalized");
    let expected = json!([
        {"exchange": "bitmex", "symbols": ["XBTUSD", "ETHUSD"], "dataTypes": ["trade", "trade_bar_60000ms"],
         "withDisconnectMessages": true, "withErrorMessages": true, "timeoutIntervalMS": 10000},
        {"exchange": "deribit", "symbols": ["BTC-PERPETUAL"], "dataTypes": ["trade", "trade_bar_60000ms"],
         "withDisconnectMessages": true, "withErrorMessages": true, "timeoutIntervalMS": 10000},
    ]);
    assert_eq!(options, expected);
    assert!(venue.subscribe(&subscriptions).is_empty());
}

#[test]
fn a_replay_that_breaks_goes_on_where_it_was_and_tells_nothing_twice() {
    let stream = "ws://here:8001/ws-replay-normalized?from=2026-03-01&to=2026-03-02";
    let mut venue = venue(stream, &["bitmex.XBTUSD"]);
    let subscriptions = asked(&["bitmex.XBTUSD"], &[]);
    let (path, options) = address(&mut venue, &subscriptions);
    assert_eq!(path, "ws://here:8001/ws-replay-normalized");
    assert_eq!(
        (&options[0]["from"], &options[0]["to"]),
        (&json!("2026-03-01"), &json!("2026-03-02"))
    );
    assert_eq!(options[0]["timeoutIntervalMS"], Value::Null);
    let mut out = Decoded::default();
    let mut tell = |venue: &mut Tardis, millis: &[u32]| {
        out.clear();
        for &millis in millis {
            venue.decode(&trade("bitmex", "XBTUSD", millis), at(9), &mut out).unwrap();
        }
        (out.events.len(), out.duplicates)
    };
    assert_eq!(tell(&mut venue, &[1, 5, 5]), (3, 0));
    let (_, options) = address(&mut venue, &subscriptions);
    assert_eq!(options[0]["from"], "2026-03-01T00:00:00.005Z");
    // The machine may begin earlier, and does with the same moment: there was a third of it.
    assert_eq!(tell(&mut venue, &[1, 5, 5, 5, 7]), (2, 3));
    address(&mut venue, &subscriptions);
    assert_eq!(tell(&mut venue, &[7, 7]), (1, 1));
    // It broke before it told anything, and again.
    address(&mut venue, &subscriptions);
    address(&mut venue, &subscriptions);
    assert_eq!(tell(&mut venue, &[7, 7, 8]), (1, 2));
}

#[test]
fn a_lost_venue_is_a_gap_of_its_instruments_told_with_the_next_message_of_each() {
    let mut venue = venue("ws://here", &["bitmex.XBTUSD", "bitmex.ETHUSD", "deribit.XBTUSD"]);
    let mut out = Decoded::default();
    venue.open();
    venue.decode(&trade("bitmex", "XBTUSD", 0), at(10), &mut out).unwrap();
    let lost =
        r#"{"type":"disconnect","exchange":"bitmex","localTimestamp":"2026-03-01T00:00:00Z"}"#;
    for second in [12, 13] {
        venue.decode(&Frame::Text(lost.to_owned()), at(second), &mut out).unwrap();
    }
    out.clear();
    venue.decode(&trade("deribit", "XBTUSD", 0), at(14), &mut out).unwrap();
    venue.decode(&trade("bitmex", "ETHUSD", 0), at(15), &mut out).unwrap();
    venue.decode(&trade("bitmex", "ETHUSD", 0), at(16), &mut out).unwrap();
    let told: Vec<(u32, String)> = out
        .events
        .iter()
        .map(|event| match &event.payload {
            Payload::Feed(FeedStatus { instrument, kind: FeedKind::Gap { from, to } }) => {
                (instrument.0, format!("gap {}-{}", from.secs(), to.secs()))
            }
            Payload::Feed(FeedStatus { instrument, kind }) => (instrument.0, format!("{kind:?}")),
            Payload::Trade(trade) => (trade.instrument.0, "trade".to_owned()),
            other => unreachable!("{other:?}"),
        })
        .collect();
    let told: Vec<(u32, &str)> = told.iter().map(|(id, word)| (*id, word.as_str())).collect();
    let expected = [(2, "trade"), (1, "gap 10-15"), (1, "Up"), (1, "trade"), (1, "trade")];
    assert_eq!(told, expected);
}

#[test]
fn ids_are_kept_as_they_are_or_as_a_hash() {
    let id = |id: &str| {
        let row = format!("bitmex,XBTUSD,1,1,{id},buy,1,1");
        csv::Columns::Trades.read(&row).unwrap().trade(InstrumentId(0)).unwrap().id.0
    };
    assert_eq!(id(""), 0);
    assert_eq!(id("298130"), 298_130);
    assert_eq!(id("0a1b2c3d-0000-0000-0000-00000000000f"), 0x0a1b_2c3d << 96 | 0xf);
    let hash = IdHasher::new().text("298130-1").finish();
    assert_eq!(id("298130-1"), hash);
    assert_ne!(id("99999999999999999999999999999999999999999999"), 0);
}
