use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::kraken::{BURST, KrakenOptions, KrakenSim, MAX_ROWS};
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{BarQuery, Market, MarketSpec, SymbolSpec, Tape};
use finstage_model::{Interval, ManualClock, Timestamp};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::http::{Reply, get, post};

struct Venue {
    sim: KrakenSim,
    clock: Arc<ManualClock>,
    ledger: Arc<Ledger>,
    market: Market,
}

fn start() -> Timestamp {
    "2026-11-21T09:30:15Z".parse().unwrap()
}

async fn venue(faults: &str) -> Venue {
    let symbols = [("BTCUSDT", "61250"), ("SOLUSDT", "148.2")]
        .map(|(name, price)| SymbolSpec::new(name, price.parse().unwrap()))
        .to_vec();
    let tape = Tape::Seeded { symbols, history_days: 40 };
    let market = Market::new(MarketSpec { tape, ..MarketSpec::seeded(3, start()) }).unwrap();
    let clock = Arc::new(ManualClock::new(start()));
    let ledger = Arc::new(Ledger::in_memory());
    let options = KrakenOptions {
        market: market.clone(),
        clock: clock.clone(),
        faults: Scenario::parse(&format!("name = \"test\"\n{faults}")).unwrap(),
        ledger: Arc::clone(&ledger),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    Venue { sim: KrakenSim::start(options).unwrap(), clock, ledger, market }
}

impl Venue {
    async fn ask(&self, question: &str) -> Reply {
        let reply = get(&self.sim.rest_url(), &format!("/0/public/{question}")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply
    }

    async fn result(&self, question: &str) -> Value {
        let answer = self.ask(question).await.json();
        assert_eq!(answer["error"], json!([]), "{question}");
        answer["result"].clone()
    }

    async fn error(&self, question: &str) -> String {
        let answer = self.ask(question).await.json();
        assert!(answer.get("result").is_none(), "{answer}");
        answer["error"][0].as_str().unwrap().to_owned()
    }
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn charts_are_the_bars_of_the_market_with_the_open_one_at_their_end() {
    let mut venue = venue("").await;
    venue.clock.advance(Duration::from_secs(600));
    let told = venue.result("OHLC?pair=XBTUSD&interval=1").await;
    let rows = told["XXBTZUSD"].as_array().unwrap();
    let now = start().plus(Duration::from_secs(600));
    venue.market.advance(now, &mut |_| {});
    let klines = venue.market.klines(&BarQuery::newest(0, Interval::M1, MAX_ROWS));
    assert_eq!((rows.len(), klines.len()), (MAX_ROWS, MAX_ROWS));
    for (row, kline) in rows.iter().zip(&klines) {
        let bar = &kline.bar;
        assert_eq!(row[0], bar.open_time.secs());
        let prices = [bar.open, bar.high, bar.low, bar.close].map(|price| price.to_f64());
        assert_eq!([1, 2, 3, 4].map(|place| number(&row[place])), prices);
        assert_eq!(row[7], bar.trades);
        let mean = number(&row[5]);
        let is_between = prices[2] - 0.01 <= mean && mean <= prices[1];
        assert!(is_between || bar.trades == 0, "{row}");
    }
    assert_eq!(told["last"], rows[MAX_ROWS - 2][0], "the last one that is over");
    let since = format!("OHLC?pair=XBT/USD&interval=1&since={}", told["last"]);
    let open = venue.result(&since).await;
    assert_eq!((&open["XXBTZUSD"], &open["last"]), (&json!([rows[MAX_ROWS - 1]]), &told["last"]));
    let old = venue.result("OHLC?pair=XBTUSD&interval=1&since=0").await;
    assert_eq!(old["XXBTZUSD"], told["XXBTZUSD"], "no more, whatever is asked for");
    venue.sim.stop().await;
}

#[tokio::test]
async fn weeks_are_the_sum_of_their_days_and_begin_on_thursday() {
    let venue = venue("").await;
    let days = venue.result("OHLC?pair=SOLUSD&interval=1440").await;
    let weeks = venue.result("OHLC?pair=SOLUSD&interval=10080").await;
    let week = &weeks["SOLUSD"].as_array().unwrap()[2];
    let from = week[0].as_i64().unwrap();
    assert_eq!(Timestamp::from_secs(from).day().days_from_monday(), 3);
    let days = days["SOLUSD"].as_array().unwrap().iter();
    let of_week: Vec<&Value> =
        days.filter(|day| (from..from + 7 * 86_400).contains(&day[0].as_i64().unwrap())).collect();
    assert_eq!(of_week.len(), 7);
    assert_eq!((&week[1], &week[4]), (&of_week[0][1], &of_week[6][4]));
    let count: i64 = of_week.iter().map(|day| day[7].as_i64().unwrap()).sum();
    assert_eq!(week[7], count);
}

#[tokio::test]
async fn trades_are_told_on_from_where_the_last_answer_ended() {
    let venue = venue("").await;
    venue.clock.advance(Duration::from_secs(300));
    let first = venue.result("Trades?pair=XBTUSD&count=5").await;
    let rows = first["XXBTZUSD"].as_array().unwrap();
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| row[3] == "b" || row[3] == "s"));
    let last = first["last"].as_str().unwrap().to_owned();
    let ids = |answer: &Value| -> Vec<u64> {
        let rows = answer["XXBTZUSD"].as_array().unwrap().iter();
        rows.map(|row| row[6].as_u64().unwrap()).collect()
    };
    let newest = *ids(&first).last().unwrap();
    let none = venue.result(&format!("Trades?pair=XBTUSD&since={last}")).await;
    assert_eq!((&none["XXBTZUSD"], none["last"].as_str()), (&json!([]), Some(last.as_str())));
    venue.clock.advance(Duration::from_secs(60));
    let next = venue.result(&format!("Trades?pair=XBTUSD&since={last}")).await;
    let next = ids(&next);
    assert!(!next.is_empty());
    assert_eq!(next, (newest + 1..=newest + next.len() as u64).collect::<Vec<u64>>());
}

#[tokio::test]
async fn ticker_book_and_spread_agree() {
    let venue = venue("").await;
    venue.clock.advance(Duration::from_secs(120));
    let all = venue.result("Ticker").await;
    assert_eq!(all.as_object().unwrap().len(), 2);
    let ticker = &all["XXBTZUSD"];
    let book = venue.result("Depth?pair=XBTUSD&count=3").await;
    let book = &book["XXBTZUSD"];
    assert_eq!(book["asks"].as_array().unwrap().len(), 3);
    assert_eq!((&ticker["a"][0], &ticker["b"][0]), (&book["asks"][0][0], &book["bids"][0][0]));
    assert!(number(&ticker["b"][0]) < number(&ticker["a"][0]));
    let spread = venue.result("Spread?pair=XBTUSD").await;
    let newest = spread["XXBTZUSD"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&newest[1], &newest[2]), (&ticker["b"][0], &ticker["a"][0]));
    assert_eq!(newest[0], spread["last"]);
    let pairs = venue.result("AssetPairs?pair=BTC/USD").await;
    assert_eq!(pairs["XXBTZUSD"]["wsname"], "XBT/USD");
    assert_eq!(
        (&pairs["XXBTZUSD"]["base"], &pairs["XXBTZUSD"]["quote"]),
        (&json!("XXBT"), &json!("ZUSD"))
    );
    let fees = venue.result("AssetPairs?info=fees").await;
    assert_eq!(fees["SOLUSD"].as_object().unwrap().len(), 3);
    let assets = venue.result("Assets").await;
    let names: Vec<&String> = assets.as_object().unwrap().keys().collect();
    assert_eq!(names, ["SOL", "XXBT", "ZUSD"]);
    let now = venue.result("Time").await;
    assert_eq!(now["unixtime"], start().secs() + 120);
}

#[tokio::test]
async fn questions_in_a_body_are_read_and_wrong_ones_are_refused_with_status_200() {
    let venue = venue("").await;
    let media = "application/x-www-form-urlencoded";
    let body = (media, "pair=XBTUSD&count=2");
    let posted = post(&venue.sim.rest_url(), "/0/public/Depth", body).await.json();
    assert_eq!(posted["result"]["XXBTZUSD"]["bids"].as_array().unwrap().len(), 2);
    assert_eq!(venue.error("Ticker?pair=NOPEUSD").await, "EQuery:Unknown asset pair");
    assert_eq!(venue.error("OHLC").await, "EGeneral:Invalid arguments");
    assert_eq!(venue.error("OHLC?pair=XBTUSD&interval=2").await, "EGeneral:Invalid arguments");
    assert_eq!(venue.error("Depth?pair=XBTUSD&count=501").await, "EGeneral:Invalid arguments");
    assert_eq!(venue.error("Balance").await, "EGeneral:Unknown method");
    let counts = venue.ledger.counts();
    assert_eq!((counts.ok, counts.refused, counts.errors), (1, 0, 5));
}

#[tokio::test]
async fn a_burst_is_let_in_and_then_one_call_a_second_by_pair_for_charts() {
    let venue = venue("").await;
    for _ in 0..BURST {
        venue.result("Time").await;
        venue.result("OHLC?pair=XBTUSD").await;
    }
    assert_eq!(venue.error("Time").await, "EAPI:Rate limit exceeded");
    assert_eq!(venue.error("OHLC?pair=XBTUSD").await, "EAPI:Rate limit exceeded");
    venue.result("OHLC?pair=SOLUSD").await;
    venue.result("Trades?pair=XBTUSD").await;
    venue.clock.advance(Duration::from_millis(999));
    assert_eq!(venue.error("Time").await, "EAPI:Rate limit exceeded");
    venue.clock.advance(Duration::from_millis(1));
    venue.result("Time").await;
    assert_eq!(venue.error("Time").await, "EAPI:Rate limit exceeded");
    assert_eq!(venue.ledger.counts().refused, 4);
}

#[tokio::test]
async fn scripted_failures_are_told_in_the_words_of_the_venue() {
    let kinds = ["throttled", "busy", "maintenance", "html", "empty", "limit", "too_many"];
    let faults: String = (kinds.iter().enumerate())
        .map(|(i, kind)| {
            format!("[[faults]]\nkind = \"kraken_{kind}\"\nat = \"{}m\"\nfor = \"1m\"\n", i + 1)
        })
        .collect();
    let fails =
        "[[faults]]\nkind = \"kraken_fail\"\nsymbol = \"SOLUSD\"\nat = \"0s\"\nfor = \"1h\"\n";
    let venue = venue(&format!("{faults}{fails}")).await;
    let minute = Duration::from_secs(60);
    venue.result("Ticker?pair=XBTUSD").await;
    assert_eq!(venue.error("Ticker?pair=SOLUSD").await, "EGeneral:Internal error");
    venue.clock.advance(minute);
    let until = start().secs() + 120;
    assert_eq!(venue.error("Time").await, format!("EService: Throttled: {until}"));
    venue.clock.advance(minute);
    assert_eq!(venue.error("Time").await, "EService:Busy");
    venue.clock.advance(minute);
    assert_eq!(venue.result("SystemStatus").await["status"], "maintenance");
    assert_eq!(venue.error("Ticker?pair=XBTUSD").await, "EService:Unavailable");
    venue.clock.advance(minute);
    let page = get(&venue.sim.rest_url(), "/0/public/Time").await;
    assert_eq!((page.status, page.header("content-type")), (520, Some("text/html")));
    venue.clock.advance(minute);
    assert_eq!(venue.ask("Time").await.body, "");
    venue.clock.advance(minute);
    assert_eq!(venue.error("Time").await, "EAPI:Rate limit exceeded");
    venue.clock.advance(minute);
    assert_eq!(venue.error("Time").await, "EGeneral:Too many requests");
    venue.clock.advance(minute);
    assert_eq!(venue.result("SystemStatus").await["status"], "online");
}
