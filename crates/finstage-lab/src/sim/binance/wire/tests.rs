use finstage_model::{Bar, InstrumentId};
use serde_json::{Value, json};

use super::*;

fn listing() -> Listing {
    Listing {
        name: "BNBBTC".to_owned(),
        stream: "bnbbtc".to_owned(),
        base: "BNB".to_owned(),
        quote: "BTC".to_owned(),
        tick: "0.0001".parse().unwrap(),
        lot: "0.01".parse().unwrap(),
        decimals: 8,
    }
}

fn sample_trade() -> SimTrade {
    SimTrade {
        symbol: 0,
        id: 12_345,
        at: Timestamp::from_millis(1_672_515_782_136),
        price: "0.001".parse().unwrap(),
        qty: "100".parse().unwrap(),
        buyer_is_maker: true,
    }
}

fn sample_kline() -> Kline {
    Kline {
        bar: Bar {
            instrument: InstrumentId(0),
            interval: Interval::M1,
            open_time: Timestamp::from_millis(1_672_515_780_000),
            open: "0.0010".parse().unwrap(),
            high: "0.0025".parse().unwrap(),
            low: "0.0015".parse().unwrap(),
            close: "0.0020".parse().unwrap(),
            volume: "1000".parse().unwrap(),
            trades: 100,
        },
        quote: 1_000_000_000_000_000_000,
        taker_base: "500".parse().unwrap(),
        taker_quote: 500_000_000_000_000_000,
        first_id: 100,
        last_id: 200,
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn json(write: impl FnOnce(&mut Vec<u8>)) -> Value {
    serde_json::from_str(&text(write)).unwrap()
}

const SENT: Timestamp = Timestamp::from_millis(1_672_515_782_140);

#[test]
fn a_trade_is_printed_as_the_documentation_shows_it() {
    assert_eq!(
        text(|out| trade(out, &listing(), &sample_trade(), SENT)),
        r#"{"e":"trade","E":1672515782140,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.00000000","T":1672515782136,"m":true,"M":true}"#
    );
    assert_eq!(
        text(|out| agg_trade(out, &listing(), &sample_trade(), SENT)),
        r#"{"e":"aggTrade","E":1672515782140,"s":"BNBBTC","a":12345,"p":"0.00100000","q":"100.00000000","f":12345,"l":12345,"T":1672515782136,"m":true,"M":true}"#
    );
}

#[test]
fn a_bar_is_printed_as_the_documentation_shows_it() {
    assert_eq!(
        text(|out| kline(out, &listing(), (&sample_kline(), Final::No), SENT)),
        r#"{"e":"kline","E":1672515782140,"s":"BNBBTC","k":{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","f":100,"L":200,"o":"0.00100000","c":"0.00200000","h":"0.00250000","l":"0.00150000","v":"1000.00000000","n":100,"x":false,"q":"1.00000000","V":"500.00000000","Q":"0.50000000","B":"0"}}"#
    );
    assert_eq!(
        text(|out| klines(out, &listing(), &[sample_kline()])),
        r#"[[1672515780000,"0.00100000","0.00250000","0.00150000","0.00200000","1000.00000000",1672515839999,"1.00000000",100,"500.00000000","0.50000000","0"]]"#
    );
    let last = json(|out| kline(out, &listing(), (&sample_kline(), Final::Yes), SENT));
    assert_eq!(last["k"]["x"], json!(true));
    assert_eq!(text(|out| klines(out, &listing(), &[])), "[]");
}

#[test]
fn a_month_is_a_capital_m_and_nothing_else_is_renamed() {
    for interval in Interval::ALL {
        assert_eq!(interval_named(interval_name(interval)), Some(interval));
    }
    assert_eq!(interval_named("1M"), Some(Interval::Mo1));
    for unknown in ["1mo", "1H", "1s", "3m", "2h", ""] {
        assert_eq!(interval_named(unknown), None, "{unknown}");
    }
}

#[test]
fn books_tickers_and_lists_have_the_documented_fields() {
    let level = |p: &str, q: &str| (p.parse().unwrap(), q.parse().unwrap());
    let best_pair = (level("0.0024", "10"), level("0.0026", "100"));
    assert_eq!(
        text(|out| book_ticker(out, &listing(), 7, best_pair)),
        r#"{"u":7,"s":"BNBBTC","b":"0.00240000","B":"10.00000000","a":"0.00260000","A":"100.00000000"}"#
    );
    assert_eq!(
        text(|out| depth(out, &listing(), 160, &(vec![best_pair.0], vec![best_pair.1]))),
        r#"{"lastUpdateId":160,"bids":[["0.00240000","10.00000000"]],"asks":[["0.00260000","100.00000000"]]}"#
    );
    assert_eq!(
        text(|out| trades(out, &listing(), &[sample_trade()])),
        r#"[{"id":12345,"price":"0.00100000","qty":"100.00000000","quoteQty":"0.10000000","time":1672515782136,"isBuyerMaker":true,"isBestMatch":true}]"#
    );
    let figures = DayStats {
        kline: sample_kline(),
        before: "0.0009".parse().unwrap(),
        last: Some(sample_trade()),
    };
    let sample = DayTicker { day: figures, best: best_pair, at: SENT };
    let full = json(|out| day(out, &listing(), &sample));
    assert_eq!(full["priceChange"], "0.00100000");
    assert_eq!(full["priceChangePercent"], "100.000");
    assert_eq!(full["weightedAvgPrice"], "0.00100000");
    assert_eq!(full["closeTime"].as_i64().unwrap() - full["openTime"].as_i64().unwrap(), DAY_MS);
    assert_eq!(full.as_object().unwrap().len(), 21);
    assert_eq!(json(|out| day_mini(out, &listing(), &sample)).as_object().unwrap().len(), 12);
    let stream = json(|out| ticker(out, &listing(), &sample));
    assert_eq!((stream["x"].as_str(), stream["n"].as_i64()), (Some("0.00090000"), Some(100)));
    assert_eq!(json(|out| mini_ticker(out, &listing(), &figures, SENT))["q"], "1.00000000");
    assert_eq!(json(|out| average(out, &listing(), &sample_kline(), SENT))["mins"], 5);
    assert_eq!(json(|out| best(out, &listing(), best_pair))["askQty"], "100.00000000");
}

#[test]
fn the_listing_carries_limits_and_filters() {
    let listing = listing();
    let info = json(|out| exchange_info(out, &[&listing, &listing], SENT));
    assert_eq!(info["rateLimits"][0]["limit"], 6_000);
    let symbol = &info["symbols"][1];
    assert_eq!(
        (symbol["baseAsset"].as_str(), symbol["status"].as_str()),
        (Some("BNB"), Some("TRADING"))
    );
    assert_eq!(symbol["filters"][0]["tickSize"], "0.00010000");
    assert_eq!(symbol["filters"][1]["stepSize"], "0.01000000");
}
