use std::collections::BTreeSet;

use finstage_model::ManualClock;

use super::*;

/// A Friday, half an hour after New York opened.
const OPEN: &str = "2024-03-08T15:00:30Z";

fn shared(now: &str, scenario: &str) -> Shared {
    let clock = Arc::new(ManualClock::new(now.parse().unwrap()));
    let scenario = Scenario::parse(&format!("name = \"t\"\n{scenario}")).unwrap();
    Shared {
        seed: 1,
        faults: Faults::new(scenario, clock.now()),
        clock,
        ledger: Arc::new(Ledger::in_memory()),
        charts: Mutex::default(),
        book: Mutex::new(Rulebook::new(rules())),
        stop: watch::Sender::new(false),
    }
}

fn ask(shared: &Shared, symbol: &str, query: &str) -> (u16, Value) {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let params = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let reply = shared.chart(symbol, &params, shared.clock.now());
    (reply.status, serde_json::from_str(&reply.body).unwrap())
}

fn stamps(chart: &Value) -> Vec<i64> {
    let stamps = chart["chart"]["result"][0]["timestamp"].as_array().unwrap();
    stamps.iter().map(|stamp| stamp.as_i64().unwrap()).collect()
}

#[test]
fn one_seed_is_one_market_and_days_are_made_of_their_minutes() {
    let (_, first) = ask(&shared(OPEN, ""), "AAPL", "range=1y&interval=1d");
    let (_, again) = ask(&shared(OPEN, ""), "AAPL", "range=1y&interval=1d");
    assert_eq!(first, again);
    let shared = shared("2024-03-08T22:00:00Z", "");
    let (_, day) = ask(&shared, "AAPL", "range=1d&interval=1d");
    let (_, minutes) = ask(&shared, "AAPL", "range=1d&interval=1m");
    let column = |chart: &Value, name: &str| -> Vec<f64> {
        let cells = &chart["chart"]["result"][0]["indicators"]["quote"][0][name];
        cells.as_array().unwrap().iter().filter_map(Value::as_f64).collect()
    };
    let of_day = |name: &str| column(&day, name)[0];
    assert_eq!(stamps(&minutes).len(), 390);
    // Quiet minutes are null: what they held is in the day all the same.
    assert!(column(&minutes, "high").into_iter().fold(0.0, f64::max) <= of_day("high"));
    assert_eq!(column(&minutes, "open")[0], of_day("open"));
    assert_eq!(*column(&minutes, "close").last().unwrap(), of_day("close"));
}

#[test]
fn the_last_row_grows_and_the_price_of_the_moment_stands_behind_it() {
    let (_, chart) = ask(&shared(OPEN, ""), "AAPL", "range=1d&interval=5m");
    let stamps = stamps(&chart);
    let now: Timestamp = OPEN.parse().unwrap();
    assert_eq!(stamps.len(), 7, "half an hour of five minutes, and the moment");
    assert_eq!(*stamps.last().unwrap(), now.secs());
    let volumes = &chart["chart"]["result"][0]["indicators"]["quote"][0]["volume"];
    assert_eq!(volumes[6], 0);
    let (_, days) = ask(&shared(OPEN, ""), "AAPL", "range=5d&interval=1d");
    assert_eq!(*self::stamps(&days).last().unwrap(), now.secs(), "today is not over");
}

#[test]
fn refusals_are_those_of_the_venue() {
    let shared = shared(OPEN, "");
    let code = |answer: (u16, Value)| {
        let code = answer.1["chart"]["error"]["code"].as_str().unwrap_or_default().to_owned();
        (answer.0, code)
    };
    let unknown = ask(&shared, "NOSUCH", "range=1d");
    assert_eq!(code(unknown), (404, "Not Found".to_owned()));
    let old = ask(&shared, "AAPL", "period1=1600000000&period2=1600086400&interval=5m");
    assert_eq!(code(old), (422, "Unprocessable Entity".to_owned()));
    // A Saturday.
    let empty = ask(&shared, "AAPL", "period1=1704499200&period2=1704560000&interval=1d");
    assert_eq!(code(empty), (400, "Bad Request".to_owned()));
}

#[test]
fn faults_change_what_is_told() {
    let struck = |kind: &str, query: &str| {
        let fault = format!("[[faults]]\nkind = \"{kind}\"\nat = \"0s\"\nfor = \"1h\"\n");
        ask(&shared(OPEN, &fault), "AAPL", query)
    };
    let result = |answer: &(u16, Value)| answer.1["chart"]["result"][0].clone();
    let plain = ask(&shared(OPEN, ""), "AAPL", "range=5d&interval=5m");
    let none = result(&struck("yahoo_no_data", "range=1d&interval=5m"));
    assert!(none.get("timestamp").is_none());
    assert_eq!(none["indicators"]["quote"], json!([{}]));
    let coarse = result(&struck("yahoo_coarse", "range=1d&interval=30m"));
    assert_eq!(coarse["meta"]["dataGranularity"], "1h");
    let revised = result(&struck("yahoo_revise", "range=5d&interval=5m"));
    let closes = |result: &Value| result["indicators"]["quote"][0]["close"].clone();
    let (old, new) = (closes(&result(&plain)), closes(&revised));
    let (old, new) = (old.as_array().unwrap(), new.as_array().unwrap());
    let differ: BTreeSet<usize> = (0..old.len()).filter(|i| old[*i] != new[*i]).collect();
    assert!(differ.iter().all(|place| *place + 2 == old.len() || *place + 3 == old.len()));
    assert!(!differ.is_empty());
    assert_eq!(
        struck("yahoo_401", "range=1d").1["finance"]["error"]["description"],
        "Invalid Crumb"
    );
    assert_eq!(struck("yahoo_404", "range=1d").0, 404);
}

#[test]
fn splits_and_dividends_are_told_and_adjusted_closes_know_the_dividends() {
    let shared = shared(OPEN, "");
    let (_, chart) = ask(&shared, "AAPL", "range=10y&interval=1d&events=div%2Csplits");
    let result = &chart["chart"]["result"][0];
    assert_eq!(result["events"]["splits"].as_object().unwrap().len(), 2);
    assert!(result["events"]["dividends"].as_object().unwrap().len() > 30);
    let (adjusted, plain) =
        (&result["indicators"]["adjclose"][0]["adjclose"], &result["indicators"]["quote"][0]);
    let share = adjusted[0].as_f64().unwrap() / plain["close"][0].as_f64().unwrap();
    assert!((0.9..0.97).contains(&share), "{share}");
}

#[test]
fn too_many_requests_are_blocked_for_a_while() {
    let shared = shared(OPEN, "");
    let now = shared.clock.now();
    assert!((0..BURST).all(|_| !shared.is_too_much(now)));
    assert!(shared.is_too_much(now));
    assert!(shared.is_too_much(now.plus(BLOCK / 2)));
    assert!(!shared.is_too_much(now.plus(BLOCK)));
}
