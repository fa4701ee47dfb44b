use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn venue() -> Kraken {
    Kraken::new(&PROFILE.endpoints())
}

fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.into() }
}

fn query(from: &str, to: &str) -> Query {
    Query::Bars {
        instrument: InstrumentId(0),
        symbol: "kraken:XBTUSD".parse().unwrap(),
        interval: Interval::M1,
        from: at(from),
        to: at(to),
        limit: 720,
    }
}

fn prices(names: &[&str]) -> PriceQuery {
    let symbol = |name: &&str| format!("kraken:{name}").parse().unwrap();
    PriceQuery::new(names.iter().map(symbol).collect())
}

const MINUTES: &str = r#"{"error":[],"result":{"XXBTZUSD":[
    [1700000040,"36500.0","36510.5","36499.9","36505.1","36504.0","1.25000000",12],
    [1700000100,"36505.1","36505.1","36501.0","36502.0","36503.0","0.50000000",4],
    [1700000160,"36502.0","36502.0","36502.0","36502.0","0.0","0.00000000",0]],"last":1700000100}}"#;

#[test]
fn bars_stand_under_the_venues_own_name_and_the_open_one_is_left_out() {
    let query = query("2023-11-14T22:14:00Z", "2023-11-14T23:00:00Z");
    let request = venue().request(&query);
    assert!(
        request.url().ends_with("/0/public/OHLC?pair=XBTUSD&interval=1&since=1700000039"),
        "{request}"
    );
    let read = |now: &str| {
        let mut events = Vec::new();
        let next = venue().read(&query, &response(200, MINUTES), at(now), &mut events).unwrap();
        assert_eq!(next, None, "older rows cannot be had, newer ones there are none");
        let line = |event: Event| match event.payload {
            Payload::Bar(b) => format!(
                "{} {} {} {} {} {} {}",
                b.open_time, b.open, b.high, b.low, b.close, b.volume, b.trades
            ),
            other => format!("{other:?}"),
        };
        events.into_iter().map(line).collect::<Vec<_>>()
    };
    let first = "2023-11-14T22:14:00Z 36500 36510.5 36499.9 36505.1 1.25 12";
    let second = "2023-11-14T22:15:00Z 36505.1 36505.1 36501 36502 0.5 4";
    assert_eq!(read("2023-11-14T22:17:00Z"), [first, second]);
    assert_eq!(read("2023-11-14T22:16:30Z"), [first], "a bar is waited for a minute");
}

#[test]
fn an_error_in_an_answer_with_status_200_is_an_error() {
    let kind = |body: &str| {
        let mut events = Vec::new();
        let query = query("2023-11-14T22:14:00Z", "2023-11-14T23:00:00Z");
        venue()
            .read(&query, &response(200, body), Timestamp::EPOCH, &mut events)
            .unwrap_err()
            .kind()
    };
    for (said, expected) in [
        ("EAPI:Rate limit exceeded", DecodeErrorKind::Limited),
        ("EGeneral:Too many requests", DecodeErrorKind::Limited),
        ("EQuery:Unknown asset pair", DecodeErrorKind::NoSuchSymbol),
        ("EGeneral:Invalid arguments", DecodeErrorKind::Refused),
        ("EService:Unavailable", DecodeErrorKind::Html),
    ] {
        assert_eq!(kind(&format!(r#"{{"error":["{said}"]}}"#)), expected, "{said}");
    }
    assert_eq!(kind("<html>"), DecodeErrorKind::Html);
    assert_eq!(kind("{\"error\":[],\"result\":{\"X\":[[1,2]]}}"), DecodeErrorKind::Malformed);
}

#[test]
fn signs_tell_a_limit_from_an_outage_and_from_a_refusal() {
    let now = Timestamp::from_secs(1_700_000_000);
    let sign = |status, body: &str| judge(&response(status, body), now);
    let said = |said: &str| sign(200, &format!(r#"{{"error":["{said}"]}}"#));
    assert_eq!(said("EAPI:Rate limit exceeded"), Sign::Limited { retry_after: None });
    let ten = Some(Duration::from_secs(10));
    assert_eq!(said("EService: Throttled: [1700000010]"), Sign::Limited { retry_after: ten });
    assert_eq!(said("EService:Busy"), Sign::Unavailable { retry_after: None });
    assert_eq!(said("EQuery:Unknown asset pair"), Sign::Fine);
    assert_eq!(said("WGeneral:Danger"), Sign::Fine, "a warning is no error");
    assert_eq!(sign(200, "<html>"), Sign::Unavailable { retry_after: None });
    assert_eq!(sign(520, "<html>"), Sign::Unavailable { retry_after: None });
    assert_eq!(sign(429, "slow down"), Sign::Limited { retry_after: None });
}

#[test]
fn prices_belong_to_the_pair_that_was_asked_for_whatever_it_is_called() {
    let ticker = |name: &str, last: &str| format!(r#""{name}":{{"c":["{last}","0.1"],"t":[1,2]}}"#);
    let body = format!(
        r#"{{"error":[],"result":{{{},{},{}}}}}"#,
        ticker("XXBTZUSD", "36502.10000"),
        ticker("XETHXXBT", "0.054000"),
        ticker("SOLUSD", "58.25")
    );
    let query = prices(&["XBTUSD", "ETHXBT", "SOLUSD", "ZECUSD"]);
    let answer = venue().read_prices(&query, &response(200, &body), Timestamp::EPOCH).unwrap();
    let told = |(symbol, result): &(Symbol, Result<Quotation, DecodeError>)| {
        let quotation = result.as_ref().unwrap();
        format!("{symbol} {} {}", quotation.price, quotation.currency.as_deref().unwrap_or("-"))
    };
    let told: Vec<String> = answer.told.iter().map(told).collect();
    assert_eq!(
        told,
        ["kraken:XBTUSD 36502.1 USD", "kraken:ETHXBT 0.054 XBT", "kraken:SOLUSD 58.25 USD"]
    );
    assert_eq!(answer.next, [prices(&["ZECUSD"])], "asked alone: its own name is not known");
    let alone = format!(r#"{{"error":[],"result":{{{}}}}}"#, ticker("XZECZUSD", "24.1"));
    let answer =
        venue().read_prices(&prices(&["BTCUSD"]), &response(200, &alone), Timestamp::EPOCH);
    assert_eq!(answer.unwrap().told[0].1.as_ref().unwrap().price.to_string(), "24.1");
    let unknown = response(200, r#"{"error":["EQuery:Unknown asset pair"]}"#);
    let answer = venue().read_prices(&query, &unknown, Timestamp::EPOCH).unwrap();
    assert_eq!(answer.next, [prices(&["XBTUSD", "ETHXBT"]), prices(&["SOLUSD", "ZECUSD"])]);
}
