//! A probe over sockets against every simulated venue that has limits; the clock is moved by hand.

use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::binance::{self, BinanceSim, SimOptions};
use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::kis::{CALLS_PER_SECOND, KisOptions, KisSim};
use finstage_lab::sim::kraken::{self, KrakenOptions, KrakenSim};
use finstage_lab::sim::ledger::Ledger;
use finstage_lab::sim::market::{Market, MarketSpec, SymbolSpec, Tape};
use finstage_lab::sim::yahoo::{self, YahooOptions, YahooSim};
use finstage_lab::stress::Stop;
use finstage_lab::stress::probe::{Date, Driver, Found, Options, Shape, Waits};
use finstage_model::{Clock as _, ManualClock, Timestamp};
use finstage_net::{Client, ClientOptions, Request};
use tokio::net::TcpListener;

/// Waits by moving the clock there.
struct ByHand(Arc<ManualClock>);

impl Waits for ByHand {
    fn wait(&self, until: Timestamp) -> Duration {
        self.0.set(until.max(self.0.now()));
        Duration::ZERO
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-11-21T09:30:12.345Z".parse().unwrap()))
}

fn market(clock: &ManualClock) -> Market {
    let symbol = |name: &str, price: &str| SymbolSpec {
        trades_per_second_milli: 10,
        ..SymbolSpec::new(name, price.parse().unwrap())
    };
    let symbols = vec![symbol("BTCUSDT", "61250"), symbol("ETHUSDT", "2840")];
    let tape = Tape::Seeded { symbols, history_days: 0 };
    Market::new(MarketSpec { tape, ..MarketSpec::seeded(3, clock.now()) }).unwrap()
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn probe(clock: &Arc<ManualClock>, request: Request, options: Options) -> Found {
    let client = Client::new(ClientOptions::default()).unwrap();
    let (stop, waits) = (Stop::new(), ByHand(Arc::clone(clock)));
    let driver = Driver {
        client: &client,
        request: &request,
        clock: clock.as_ref(),
        date: Date::Ignored,
        stop: &stop,
    };
    let moved = Arc::clone(clock);
    let mut step = |_: &_| moved.advance(Duration::from_micros(100));
    let first = client.send(&request).await.unwrap();
    assert!(first.status < 400, "{} {}", first.status, first.text());
    driver.run(options, &waits, &mut step).await.unwrap()
}

fn said(found: &Found) -> (Option<Shape>, Option<u64>, f64) {
    assert!(found.refusals <= 3, "{found:?}");
    (found.shape, found.limit, (found.window_s.unwrap_or(0.0) * 10.0).round() / 10.0)
}

#[tokio::test]
async fn the_weight_of_binance_is_counted_by_the_minute_of_its_clock() {
    let clock = clock();
    let options = SimOptions {
        market: market(&clock),
        clock: clock.clone(),
        faults: Scenario::default(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: listener().await,
    };
    let sim = BinanceSim::start(options).unwrap();
    // 25 of weight each: what one weighs is read from the header.
    let request = Request::get(format!("{}/api/v3/trades?symbol=BTCUSDT&limit=1", sim.rest_url()));
    let found = probe(&clock, request, Options::default()).await;
    let limit = u64::from(binance::WEIGHT_PER_MINUTE);
    assert_eq!(said(&found), (Some(Shape::Aligned), Some(limit), 60.0), "{found:?}");
}

#[tokio::test]
async fn kraken_is_a_bucket_that_refuses_with_status_200() {
    let clock = clock();
    let options = KrakenOptions {
        market: market(&clock),
        clock: clock.clone(),
        faults: Scenario::default(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: listener().await,
    };
    let sim = KrakenSim::start(options).unwrap();
    let request = Request::get(format!("{}/0/public/Time", sim.rest_url()));
    let found = probe(&clock, request, Options::default()).await;
    let drain = f64::from(kraken::BURST) * kraken::PACE.as_secs_f64();
    assert_eq!((found.shape, found.limit), (Some(Shape::Bucket), Some(u64::from(kraken::BURST))));
    assert!((found.window_s.unwrap() / drain - 1.0).abs() < 0.05, "{found:?}");
    assert!(found.refusals <= 3, "{found:?}");
}

#[tokio::test]
async fn yahoo_slides_and_shuts_out_whoever_asks_once_more() {
    let clock = clock();
    let options = YahooOptions {
        seed: 1,
        clock: clock.clone(),
        faults: Scenario::default(),
        ledger: Arc::new(Ledger::in_memory()),
        listeners: [listener().await, listener().await],
    };
    let sim = YahooSim::start(options).unwrap();
    let [first, _] = sim.urls();
    let request = Request::get(format!("{first}/v8/finance/chart/AAPL?interval=1d&range=1d"));
    let found = probe(&clock, request, Options::default()).await;
    let limit = u64::from(yahoo::BURST);
    assert_eq!(said(&found), (Some(Shape::Sliding), Some(limit), 60.0), "{found:?}");
    assert_eq!(found.shut_out_s, Some(60.0));
}

#[tokio::test]
async fn kis_counts_the_second_of_its_clock_and_refuses_with_status_500() {
    let clock = clock();
    let options = KisOptions {
        seed: 1,
        clock: clock.clone(),
        faults: Scenario::default(),
        ledger: Arc::new(Ledger::in_memory()),
        listener: listener().await,
        keys: Vec::new(),
        calls_per_second: CALLS_PER_SECOND,
    };
    let sim = KisSim::start(options).unwrap();
    let (key, secret) = ("K".repeat(36), "s".repeat(180));
    let body =
        serde_json::json!({"grant_type": "client_credentials", "appkey": key, "appsecret": secret});
    let token = crate::http::post(
        &sim.rest_url(),
        "/oauth2/tokenP",
        ("application/json", &body.to_string()),
    )
    .await;
    let token = token.json()["access_token"].as_str().unwrap_or_default().to_owned();
    let path = "/uapi/domestic-stock/v1/quotations/inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=005930";
    let request = Request::get(format!("{}{path}", sim.rest_url()))
        .header("authorization", format!("Bearer {token}"))
        .header("appkey", key)
        .header("appsecret", secret)
        .header("tr_id", "FHKST01010100")
        .header("custtype", "P");
    let found = probe(&clock, request, Options::default()).await;
    let limit = u64::from(CALLS_PER_SECOND);
    assert_eq!(said(&found), (Some(Shape::Aligned), Some(limit), 1.0), "{found:?}");
}

#[tokio::test]
async fn openai_is_a_bucket_of_a_minute_whose_headers_say_the_limit() {
    use finstage_lab::sim::openai::{Limits, Manners};
    let manners = Manners {
        limits: Limits { rpm: Some(120), tpm: None, ..Limits::default() },
        ..Manners::default()
    };
    let wish = crate::openai::Wish { manners, ..Default::default() };
    let server = crate::openai::Server::start(wish).await;
    let body = serde_json::json!({"model": "gpt-4o-mini", "max_tokens": 1,
        "messages": [{"role": "user", "content": "hello"}]});
    let request = Request::post(format!("{}/chat/completions", server.sim.rest_url()))
        .header("authorization", format!("Bearer {}", crate::openai::KEY))
        .json(body.to_string());
    let found = probe(&server.clock, request, Options::default()).await;
    assert_eq!((found.shape, found.limit), (Some(Shape::Bucket), Some(120)), "{found:?}");
    assert!((found.window_s.unwrap() / 60.0 - 1.0).abs() < 0.05, "{found:?}");
    assert!(found.refusals <= 3);
}
