use serde_json::Value;

use super::*;
use crate::sim::market::{MarketSpec, Tape};

fn market() -> Market {
    let start = "2026-03-31T23:40:30Z".parse().unwrap();
    let spec = MarketSpec::seeded(5, start);
    let Tape::Seeded { symbols, .. } = spec.tape else { unreachable!() };
    Market::new(MarketSpec { tape: Tape::Seeded { symbols, history_days: 2 }, ..spec }).unwrap()
}

fn ask(market: &Market, question: &str) -> Result<Value, ApiError> {
    let (path, query) = question.split_once('?').unwrap_or((question, ""));
    let params: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let path = format!("/api/v3/{path}");
    let body = answer(market, &Question { path: &path, params: &params }, market.now())?;
    Ok(serde_json::from_slice(&body).unwrap())
}

fn cost(question: &str) -> u32 {
    let (path, query) = question.split_once('?').unwrap_or((question, ""));
    let pair = query.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned()));
    weight(&Question { path: &format!("/api/v3/{path}"), params: pair.as_slice() })
}

#[test]
fn weights_are_the_published_ones() {
    for (question, weight) in [
        ("ping", 1),
        ("time", 1),
        ("exchangeInfo", 20),
        ("depth", 5),
        ("depth?limit=100", 5),
        ("depth?limit=101", 25),
        ("depth?limit=1000", 50),
        ("depth?limit=5000", 250),
        ("trades?symbol=X", 25),
        ("historicalTrades?symbol=X", 25),
        ("aggTrades?symbol=X", 4),
        ("klines?symbol=X", 2),
        ("ticker/24hr?symbol=X", 2),
        ("ticker/24hr?symbols=[a,b]", 2),
        ("ticker/24hr", 80),
        ("ticker/price?symbol=X", 2),
        ("ticker/price", 4),
        ("ticker/bookTicker", 4),
    ] {
        assert_eq!(cost(question), weight, "{question}");
    }
}

#[test]
fn bars_come_oldest_first_with_the_open_one_last() {
    let market = market();
    let rows = ask(&market, "klines?interval=1m&limit=3&symbol=BTCUSDT").unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.as_array().unwrap().len() == 12));
    assert!(rows[2][6].as_i64().unwrap() >= market.now().millis(), "the last one is open");
    assert_eq!(rows[1][0].as_i64().unwrap() + 60_000, rows[2][0].as_i64().unwrap());
    let start = rows[0][0].as_i64().unwrap();
    let bounded =
        format!("klines?symbol=BTCUSDT&interval=1m&startTime={start}&endTime={}", start + 60_000);
    assert_eq!(ask(&market, &bounded).unwrap().as_array().unwrap().len(), 2);
    let many = ask(&market, "klines?symbol=BTCUSDT&interval=1m&limit=9999").unwrap();
    assert_eq!(many.as_array().unwrap().len(), 1_000);
    assert!(!ask(&market, "klines?symbol=BTCUSDT&interval=1M").unwrap()[0].is_null());
}

#[test]
fn trades_are_the_newest_or_those_from_an_id() {
    let market = market();
    let newest = ask(&market, "trades?symbol=BTCUSDT&limit=2").unwrap();
    let id = newest[1]["id"].as_i64().unwrap();
    assert_eq!(newest[0]["id"].as_i64().unwrap(), id - 1);
    let from = ask(&market, &format!("aggTrades?symbol=BTCUSDT&fromId={}", id - 4)).unwrap();
    assert_eq!(from.as_array().unwrap().len(), 5);
    assert_eq!(from[4]["a"].as_i64(), Some(id));
}

#[test]
fn one_symbol_is_an_object_and_several_are_a_list() {
    let market = market();
    assert_eq!(ask(&market, "ticker/price?symbol=ETHUSDT").unwrap()["symbol"], "ETHUSDT");
    let two = ask(&market, "ticker/price?symbols=[\"ETHUSDT\",\"BTCUSDT\"]").unwrap();
    assert_eq!((two.as_array().unwrap().len(), &two[1]["symbol"]), (2, &"BTCUSDT".into()));
    assert_eq!(ask(&market, "ticker/24hr").unwrap().as_array().unwrap().len(), 3);
    assert!(ask(&market, "ticker/24hr?symbol=BTCUSDT&type=MINI").unwrap()["bidPrice"].is_null());
    assert!(ask(&market, "ticker/bookTicker?symbol=BTCUSDT").unwrap()["bidPrice"].is_string());
    assert_eq!(ask(&market, "exchangeInfo").unwrap()["symbols"].as_array().unwrap().len(), 3);
    assert_eq!(ask(&market, "avgPrice?symbol=BTCUSDT").unwrap()["mins"], 5);
    let depth = ask(&market, "depth?symbol=BTCUSDT&limit=5").unwrap();
    assert_eq!(depth["bids"].as_array().unwrap().len(), 5);
    assert_eq!(ask(&market, "ping").unwrap(), serde_json::json!({}));
    assert_eq!(ask(&market, "time").unwrap()["serverTime"], market.now().millis());
}

#[test]
fn wrong_questions_get_the_venues_codes() {
    let market = market();
    for (question, status, code) in [
        ("klines?interval=1m", 400, -1102),
        ("klines?symbol=BTCUSDT", 400, -1102),
        ("klines?symbol=NOPE&interval=1m", 400, -1121),
        ("klines?symbol=btcusdt&interval=1m", 400, -1121),
        ("klines?symbol=BTCUSDT&interval=1mo", 400, -1120),
        ("klines?symbol=BTCUSDT&interval=1m&limit=x", 400, -1100),
        ("klines?symbol=BTCUSDT&interval=1m&limit=0", 400, -1130),
        ("klines?symbol=BTCUSDT&interval=1m&startTime=-5", 400, -1100),
        ("ticker/price?symbol=BTCUSDT&symbols=[]", 400, -1128),
        ("ticker/price?symbols=BTCUSDT", 400, -1100),
        ("order", 404, -1000),
    ] {
        let error = ask(&market, question).unwrap_err();
        assert_eq!((error.status, error.code), (status, code), "{question}");
        let body: Value = serde_json::from_str(&error.body()).unwrap();
        assert_eq!(body["code"], code);
    }
}
