use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_672_515_900_000);

fn venue() -> Binance {
    let symbols = [("BNBBTC".to_owned(), InstrumentId(3)), ("币USDT".to_owned(), InstrumentId(4))];
    Binance::new(&PROFILE.endpoints(), SymbolMap::from_iter(symbols))
}

fn decode(venue: &mut Binance, text: &str) -> Result<Decoded, DecodeError> {
    let mut decoded = Decoded::default();
    venue.decode(&Frame::Text(text.to_owned()), NOW, &mut decoded).map(|()| decoded)
}

fn trade(id: u64) -> String {
    format!(
        r#"{{"stream":"bnbbtc@trade","data":{{"e":"trade","E":1672515782136,"s":"BNBBTC","t":{id},"p":"0.00100000","q":"100.5","T":1672515782136,"m":true,"M":true}}}}"#
    )
}

fn kline(interval: &str, open_ms: i64, closed: bool) -> String {
    format!(
        r#"{{"e":"kline","E":1672515840001,"s":"BNBBTC","k":{{"t":{open_ms},"T":0,"s":"BNBBTC","i":"{interval}","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0010","v":"1000.12345678","n":100,"x":{closed},"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}}}"#
    )
}

fn query(limit: u32) -> Query {
    Query::Bars {
        instrument: InstrumentId(3),
        symbol: "binance:BNBBTC".parse().unwrap(),
        interval: Interval::M1,
        from: Timestamp::from_millis(1_672_515_600_000),
        to: NOW,
        limit,
    }
}

fn row(open_ms: i64) -> String {
    let close_ms = open_ms + 59_999;
    format!(r#"[{open_ms},"0.0010","0.0025","0.0010","0.0020","7",{close_ms},"1",9,"1","1","0"]"#)
}

fn read(
    query: &Query,
    status: u16,
    body: &str,
) -> Result<(Vec<Event>, Option<Query>), DecodeError> {
    let response = Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
    let mut events = Vec::new();
    venue().read(query, &response, NOW, &mut events).map(|next| (events, next))
}

#[test]
fn a_trade_keeps_its_digits_and_the_seller_took_when_the_buyer_was_maker() {
    let decoded = decode(&mut venue(), &trade(12345)).unwrap();
    let Payload::Trade(trade) = &decoded.events[0].payload else { panic!("{decoded:?}") };
    assert_eq!(trade.id, 12345.into());
    assert_eq!((trade.price.to_string(), trade.qty.to_string()), ("0.001".into(), "100.5".into()));
    assert_eq!(trade.aggressor, Aggressor::Seller);
    assert_eq!(trade.ts_event.millis(), 1_672_515_782_136);
    assert_eq!(decoded.events[0].ts_recv, NOW);
}

#[test]
fn the_payload_alone_and_any_order_of_fields_are_understood() {
    let mut venue = venue();
    let raw =
        r#"{"M":true,"m":false,"T":1,"q":"1","p":"2","t":7,"s":"\u5e01USDT","E":2,"e":"trade"}"#;
    let combined = format!(r#"{{"data":{},"stream":"x@trade"}}"#, raw.replace(":7,", ":8,"));
    for text in [raw, &combined] {
        let decoded = decode(&mut venue, text).unwrap();
        let Payload::Trade(trade) = &decoded.events[0].payload else { panic!("{decoded:?}") };
        assert_eq!((trade.instrument, trade.aggressor), (InstrumentId(4), Aggressor::Buyer));
    }
}

fn trade_query(from: u128) -> TradeQuery {
    TradeQuery { instrument: InstrumentId(3), symbol: "binance:BNBBTC".parse().unwrap(), from }
}

fn read_trades(status: u16, body: &str) -> Result<(Vec<u128>, Page), DecodeError> {
    let response = Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() };
    let mut events = Vec::new();
    let page = venue().read_trades(&trade_query(7), &response, NOW, &mut events)?;
    let id = |event: &Event| match event.payload {
        Payload::Trade(trade) => trade.id.0,
        _ => 0,
    };
    Ok((events.iter().map(id).collect(), page))
}

fn trade_row(id: u64) -> String {
    format!(
        r#"{{"id":{id},"price":"0.00100000","qty":"100.50000000","quoteQty":"0.1005","time":1672515782136,"isBuyerMaker":true,"isBestMatch":true}}"#
    )
}

#[test]
fn missed_trades_are_asked_for_by_id_at_their_price_and_are_those_of_the_stream() {
    let request = venue().trades_request(&trade_query(7)).unwrap();
    assert_eq!(
        request.url(),
        "https://data-api.binance.vision/api/v3/historicalTrades?symbol=BNBBTC&fromId=7&limit=1000"
    );
    assert_eq!((request.costs()[0].amount, request.priority()), (25, Class::Urgent));
    let streamed = decode(&mut venue(), &trade(7)).unwrap().events;
    let response = Response {
        status: 200,
        headers: Vec::new(),
        body: format!("[{}]", trade_row(7)).into_bytes(),
    };
    let mut fetched = Vec::new();
    venue().read_trades(&trade_query(7), &response, NOW, &mut fetched).unwrap();
    assert_eq!(fetched, streamed);
}

#[test]
fn a_full_page_of_trades_is_not_the_last_and_older_ones_were_not_asked_for() {
    let page = |ids: std::ops::Range<u64>| {
        let rows: Vec<String> = ids.map(trade_row).collect();
        read_trades(200, &format!("[{}]", rows.join(","))).unwrap()
    };
    assert_eq!(page(5..9), (vec![7, 8], Page::Last));
    assert_eq!(page(7..1007).1, Page::Full);
    assert_eq!(page(7..7), (vec![], Page::Last));
    let refused = read_trades(400, r#"{"code":-1121,"msg":"Invalid symbol."}"#).unwrap_err();
    assert_eq!(refused.kind(), DecodeErrorKind::NoSuchSymbol);
    assert!(read_trades(502, "<html>").unwrap_err().is_retryable());
    let free = trade_row(7).replace("0.00100000", "0");
    assert_eq!(
        read_trades(200, &format!("[{free}]")).unwrap_err().kind(),
        DecodeErrorKind::Implausible
    );
}

#[test]
fn only_a_closed_kline_is_a_bar() {
    let mut venue = venue();
    assert_eq!(decode(&mut venue, &kline("1m", 1672515780000, false)).unwrap(), Decoded::default());
    let decoded = decode(&mut venue, &kline("1m", 1672515780000, true)).unwrap();
    let Payload::Bar(bar) = &decoded.events[0].payload else { panic!("{decoded:?}") };
    assert_eq!((bar.interval, bar.trades), (Interval::M1, 100));
    assert_eq!(bar.volume.to_string(), "1000.12345678");
    let month = decode(&mut venue, &kline("1M", 1672531200000, true)).unwrap();
    let Payload::Bar(bar) = &month.events[0].payload else { panic!("{month:?}") };
    assert_eq!(bar.interval, Interval::Mo1);
}

#[test]
fn subscriptions_are_batched_and_named_as_the_venue_wants() {
    let subscription = |n: u32| Subscription {
        instrument: InstrumentId(n),
        symbol: format!("binance:S{n}").parse().unwrap(),
        trades: true,
        intervals: vec![Interval::M1, Interval::Mo1],
    };
    let many: Vec<Subscription> = (0..100).map(subscription).collect();
    let frames = venue().subscribe(&many);
    assert_eq!(frames.len(), 2, "300 streams in commands of 200");
    let Frame::Text(first) = &venue().subscribe(&many[..1])[0] else { panic!("not text") };
    assert_eq!(
        first,
        r#"{"id":1,"method":"SUBSCRIBE","params":["s0@trade","s0@kline_1m","s0@kline_1M"]}"#
    );
}

#[test]
fn answers_to_commands_are_matched_by_id_in_both_error_forms() {
    let mut venue = venue();
    let mut ack = |text: &str| decode(&mut venue, text).unwrap().acks.remove(0);
    assert_eq!(ack(r#"{"result":null,"id":2}"#), Ack::Accepted { command: 1 });
    let refused = |command, reason: &str| Ack::Refused { command, reason: reason.to_owned() };
    assert_eq!(
        ack(r#"{"code":2,"msg":"Invalid request: too many parameters","id":1}"#),
        refused(Some(0), "Invalid request: too many parameters (code 2)")
    );
    assert_eq!(
        ack(r#"{"code":3,"msg":"Invalid JSON: expected value at line 1 column 1"}"#),
        refused(None, "Invalid JSON: expected value at line 1 column 1 (code 3)")
    );
    assert_eq!(
        ack(r#"{"error":{"code":1,"msg":"Invalid value type"},"id":3}"#),
        refused(Some(2), "Invalid value type (code 1)")
    );
}

#[test]
fn a_planned_shutdown_asks_for_a_new_connection_in_both_forms() {
    for text in [
        r#"{"e":"serverShutdown","E":1770123456789}"#,
        r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#,
    ] {
        assert!(decode(&mut venue(), text).unwrap().reconnect);
    }
}

#[test]
fn what_is_not_understood_is_named_with_its_place() {
    let mut venue = venue();
    let mut error = |text: &str| decode(&mut venue, text).unwrap_err();
    let cut = error(&trade(1)[..60]);
    assert_eq!(cut.kind(), DecodeErrorKind::Malformed);
    assert!(cut.to_string().contains("line 1 column 60"), "{cut}");
    let unknown = [
        r#"{"e":"avgPrice","s":"BNBBTC","i":"5m","w":"1","T":1}"#.to_owned(),
        r#"{"u":400900217,"s":"BNBBTC","b":"25.3","B":"31","a":"25.4","A":"40"}"#.to_owned(),
        trade(1).replace("BNBBTC", "XXX"),
        kline("3m", 1672515780000, true),
    ];
    for text in unknown {
        assert_eq!(error(&text).kind(), DecodeErrorKind::Unknown, "{text}");
    }
    let price = error(&trade(1).replace("0.00100000", "1,5"));
    assert_eq!(price.to_string(), "binance: trade: field \"p\" is \"1,5\": not a decimal number");
    for text in [
        trade(1).replace("0.00100000", "0.00"),
        kline("1m", 1672515780001, true),
        kline("1m", 1672515780000, true).replace("\"h\":\"0.0025\"", "\"h\":\"0.0001\""),
    ] {
        assert_eq!(error(&text).kind(), DecodeErrorKind::Implausible, "{text}");
    }
    assert!(venue.decode(&Frame::Binary(vec![1]), NOW, &mut Decoded::default()).is_err());
}

#[test]
fn klines_are_asked_for_by_open_time_and_read_oldest_first() {
    let request = venue().request(&query(1000));
    assert_eq!(
        request.url(),
        "https://data-api.binance.vision/api/v3/klines?symbol=BNBBTC&interval=1m&startTime=1672515600000&endTime=1672515899999&limit=1000"
    );
    let body = format!("[{},{}]", row(1672515600000), row(1672515660000));
    let (events, next) = read(&query(1000), 200, &body).unwrap();
    assert_eq!((events.len(), next), (2, None));
    let Payload::Bar(bar) = &events[0].payload else { panic!("{events:?}") };
    assert_eq!((bar.trades, bar.volume.to_string().as_str()), (9, "7"));
}

#[test]
fn a_row_that_is_still_open_is_dropped() {
    // NOW is the open time of the second bar.
    let mut open = query(1000);
    let Query::Bars { to, .. } = &mut open;
    *to = Timestamp::from_millis(1672515960000);
    let body = format!("[{},{}]", row(1672515840000), row(1672515900000));
    let (events, _) = read(&open, 200, &body).unwrap();
    assert_eq!(events.len(), 1);
}

#[test]
fn a_full_page_is_followed_by_the_next_and_never_by_itself() {
    let body = format!("[{},{}]", row(1672515600000), row(1672515660000));
    let (_, next) = read(&query(2), 200, &body).unwrap();
    let Some(Query::Bars { from, .. }) = next else { panic!("a next page is expected") };
    assert_eq!(from.millis(), 1672515720000);
    let last = format!("[{},{}]", row(1672515780000), row(1672515840000));
    assert_eq!(read(&query(2), 200, &last).unwrap().1, None, "the range is covered");
    let stuck = format!("[{},{}]", row(1672515480000), row(1672515540000));
    let (events, next) = read(&query(2), 200, &stuck).unwrap();
    assert_eq!((events.len(), next), (0, None), "rows that were not asked for");
}

#[test]
fn refusals_and_html_say_what_they_are() {
    let refused = read(&query(2), 400, r#"{"code":-1121,"msg":"Invalid symbol."}"#).unwrap_err();
    assert_eq!(
        (refused.kind(), refused.is_retryable(), refused.to_string().as_str()),
        (
            DecodeErrorKind::NoSuchSymbol,
            false,
            "binance: the venue refused: Invalid symbol. (code -1121, status 400)"
        )
    );
    let words =
        "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9]{1,20}$'.";
    for (status, code, msg, kind) in [
        (400, -1100, words, DecodeErrorKind::NoSuchSymbol),
        (400, -1100, "Illegal characters found in parameter 'limit'.", DecodeErrorKind::Refused),
        (400, -1120, "Invalid interval.", DecodeErrorKind::Refused),
        (429, -1003, "Too many requests.", DecodeErrorKind::Refused),
        (503, -1121, "Invalid symbol.", DecodeErrorKind::Refused),
    ] {
        let answer = format!(r#"{{"code":{code},"msg":"{msg}"}}"#);
        assert_eq!(read(&query(2), status, &answer).unwrap_err().kind(), kind, "{answer}");
    }
    for status in [200, 403, 502] {
        let html = read(&query(2), status, "<html><h1>Bad gateway</h1></html>").unwrap_err();
        assert!(html.is_retryable() && html.to_string().contains("the venue answered HTML"));
    }
    let cut = read(&query(2), 200, &format!("[{},[16725", row(1672515600000))).unwrap_err();
    assert_eq!(cut.kind(), DecodeErrorKind::Malformed);
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = decode(&mut venue(), &text);
        let _ = read(&query(2), 200, &text);
    }

    #[test]
    fn no_mutation_of_a_frame_panics(at in 0usize..150, byte in 0u8..128) {
        let mut bytes = trade(1).into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = decode(&mut venue(), &String::from_utf8(bytes).unwrap());
    }
}
