use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use finstage_model::ManualClock;
use finstage_net::batch::{BatchMode, Batcher};
use finstage_net::{Carried, Socket, SocketOptions, Transport};
use tokio::time::sleep;

use super::*;
use crate::venues;

/// A venue on the other side of no network: it answers after a while, by the part of the address
/// behind the host.
#[derive(Debug, Default)]
struct Told {
    /// By the end of the address: how long it takes in milliseconds, status and body.
    answers: BTreeMap<&'static str, (u64, u16, String)>,
    asked: Mutex<Vec<String>>,
    finished: AtomicUsize,
    /// What answers the rest.
    otherwise: Option<Answer>,
}

/// Status and body for an address.
type Answer = fn(&str) -> (u16, String);

impl Transport for Told {
    fn send<'a>(&'a self, request: &'a Request) -> Carried<'a, Response> {
        Box::pin(async move {
            let url = request.url().to_owned();
            self.asked.lock().unwrap().push(url.clone());
            let known = self.answers.iter().find(|(end, _)| url.ends_with(**end));
            let (status, body) = match (known, self.otherwise) {
                (Some((_, (wait, status, body))), _) => {
                    sleep(Duration::from_millis(*wait)).await;
                    (*status, body.clone())
                }
                (None, Some(answer)) => answer(&url),
                (None, None) => (404, String::new()),
            };
            self.finished.fetch_add(1, Ordering::Relaxed);
            Ok(Response { status, headers: Vec::new(), body: body.into_bytes() })
        })
    }

    fn connect<'a>(&'a self, _: &'a str, _: &'a SocketOptions) -> Carried<'a, Socket> {
        Box::pin(async { Err(Error::new(ErrorKind::Unavailable, "nobody listens")) })
    }
}

fn bulk(told: &Arc<Told>) -> BulkPrices {
    let desk = |name: &str| {
        let venue = venues::find(name).unwrap();
        let poll = (venue.poll.unwrap())(&venue.profile.endpoints());
        let client = Client::over(Arc::<Told>::clone(told));
        let now = "2026-11-29T03:00:00Z".parse().unwrap();
        PriceDesk::new(venue.profile, poll, client, Arc::new(ManualClock::new(now)))
    };
    ["binance", "yahoo"].into_iter().map(desk).collect()
}

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn yahoo(price: &str) -> String {
    format!(
        r#"{{"chart":{{"result":[{{"meta":{{"currency":"USD","regularMarketPrice":{price},"regularMarketTime":1700000000,"priceHint":2}}}}],"error":null}}}}"#
    )
}

/// Rows as `symbol price currency` or `symbol error kind`, and the sizes of batches.
async fn ask(told: &Arc<Told>, names: &[&str], mode: BatchMode) -> (Vec<String>, Vec<usize>) {
    let (mut rows, mut sizes) = (Vec::new(), Vec::new());
    let line = |symbol: &Symbol, result: &Result<Quotation, PriceError>| match result {
        Ok(quotation) => {
            let currency = quotation.currency.as_deref().unwrap_or("-");
            format!("{symbol} {} {currency} {}", quotation.price, quotation.at)
        }
        Err(why) => format!("{symbol} error {}", why.kind().name()),
    };
    let mut batcher = Batcher::new(mode);
    let tell = |told: PriceTold<'_>| match told {
        PriceTold::Row { symbol, result } => rows.push(line(symbol, result)),
        PriceTold::Batch(report) => sizes.push(report.size),
    };
    bulk(told).ask(&symbols(names), &mut batcher, tell).await;
    (rows, sizes)
}

fn count(told: &Told) -> usize {
    told.asked.lock().unwrap().len()
}

#[tokio::test(start_paused = true)]
async fn a_symbol_that_is_repeated_is_asked_for_once_and_told_each_time_in_order() {
    let told = Arc::new(Told {
        answers: BTreeMap::from([
            ("AAPL?range=1d&interval=1d", (900, 200, yahoo("229.87000274658203"))),
            ("MSFT?range=1d&interval=1d", (10, 200, yahoo("417.14"))),
            ("?symbol=BTCUSDT", (5, 200, r#"{"symbol":"BTCUSDT","price":"42850.10"}"#.into())),
        ]),
        ..Told::default()
    });
    let names = ["yahoo:AAPL", "yahoo:MSFT", "yahoo:AAPL", "binance:BTCUSDT", "yahoo:MSFT"];
    let (rows, sizes) = ask(&told, &names, BatchMode::Paced).await;
    let (apple, microsoft) = (
        "yahoo:AAPL 229.87 USD 2023-11-14T22:13:20Z",
        "yahoo:MSFT 417.14 USD 2023-11-14T22:13:20Z",
    );
    let bitcoin = "binance:BTCUSDT 42850.1 USDT 2026-11-29T03:00:00Z";
    assert_eq!(rows, [apple, microsoft, apple, bitcoin, microsoft]);
    assert_eq!((count(&told), sizes), (3, vec![3]));
}

#[tokio::test(start_paused = true)]
async fn one_unknown_symbol_of_a_shared_request_hurts_no_other() {
    let answer = |url: &str| {
        if url.contains("NOSUCH") {
            return (400, r#"{"code":-1121,"msg":"Invalid symbol."}"#.to_owned());
        }
        let names = url.split_once('=').unwrap().1;
        let names = names.replace("%5B", "").replace("%5D", "").replace("%22", "");
        let row = |name: &str| format!(r#"{{"symbol":"{name}","price":"1.5"}}"#);
        match url.contains("symbols=") {
            false => (200, row(&names)),
            true => {
                let rows: Vec<String> = names.split("%2C").map(row).collect();
                (200, format!("[{}]", rows.join(",")))
            }
        }
    };
    let told = Arc::new(Told { otherwise: Some(answer), ..Told::default() });
    let mut names: Vec<String> = (0..64).map(|n| format!("binance:S{n}USDT")).collect();
    names[20] = "binance:NOSUCH".into();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (rows, _) = ask(&told, &names, BatchMode::Paced).await;
    assert_eq!(rows[20], "binance:NOSUCH error no_such_symbol");
    let good = rows.iter().filter(|row| row.contains(" 1.5 USDT")).count();
    assert_eq!((rows.len(), good), (64, 63));
    assert_eq!(count(&told), 13, "one for all, then two for each of six halvings");
    let batched = BatchMode::Fixed { size: 30, delay: Duration::from_secs(1) };
    let (rows, sizes) = ask(&told, &names, batched).await;
    assert_eq!((rows.len(), sizes), (64, vec![30, 30, 4]));
    assert_eq!(count(&told), 13 + 64, "in batches each symbol is a request");
}

#[tokio::test(start_paused = true)]
async fn the_first_good_answer_wins_and_the_slow_request_is_cancelled() {
    let told = Arc::new(Told {
        answers: BTreeMap::from([
            ("AAPL?range=1d&interval=1d", (60_000, 200, yahoo("229.87"))),
            ("?symbol=BTCUSDT", (50, 200, r#"{"symbol":"BTCUSDT","price":"42850.10"}"#.into())),
            ("?symbol=FAST", (1, 400, r#"{"code":-1121,"msg":"Invalid symbol."}"#.into())),
        ]),
        ..Told::default()
    });
    let bulk = bulk(&told);
    let began = tokio::time::Instant::now();
    let names = symbols(&["yahoo:AAPL", "binance:FAST", "binance:BTCUSDT"]);
    let (symbol, quotation) = bulk.first(&names).await.unwrap();
    assert_eq!(
        (symbol.as_str(), quotation.price.to_string().as_str()),
        ("binance:BTCUSDT", "42850.1")
    );
    assert_eq!(began.elapsed(), Duration::from_millis(50), "an error that is faster does not win");
    sleep(Duration::from_secs(120)).await;
    assert_eq!((count(&told), told.finished.load(Ordering::Relaxed)), (3, 2), "one was cancelled");
}

#[tokio::test(start_paused = true)]
async fn when_all_sources_fail_one_error_names_each() {
    let told = Arc::new(Told {
        otherwise: Some(|url| match url.contains("yahoo") {
            true => (429, "Too Many Requests".into()),
            false => (400, r#"{"code":-1121,"msg":"Invalid symbol."}"#.into()),
        }),
        ..Told::default()
    });
    let names = symbols(&["yahoo:AAPL", "binance:X", "nowhere:Y"]);
    let why = bulk(&told).first(&names).await.unwrap_err();
    let words = why.to_string();
    for part in [
        "no source answered",
        "yahoo:AAPL: yahoo: too many requests",
        "binance:X: binance: the venue refused: Invalid symbol",
        "nowhere:Y: no prices come",
    ] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert_eq!(why.kind(), PriceErrorKind::Unreachable, "their reasons differ");
    let why = bulk(&told).first(&symbols(&["yahoo:AAPL", "yahoo:MSFT"])).await.unwrap_err();
    assert_eq!(why.kind(), PriceErrorKind::Limited);
}

/// A venue whose answers lead to the same question, for ever.
struct Circle;

impl PollVenue for Circle {
    fn request(&self, _: &crate::Query) -> Request {
        Request::get("https://h/")
    }

    fn read(
        &self,
        _: &crate::Query,
        _: &Response,
        _: Timestamp,
        _: &mut Vec<finstage_model::Event>,
    ) -> Result<Option<crate::Query>, DecodeError> {
        Ok(None)
    }

    fn price_request(&self, _: &PriceQuery) -> Option<Request> {
        Some(Request::get("https://h/"))
    }

    fn read_prices(
        &self,
        query: &PriceQuery,
        _: &Response,
        _: Timestamp,
    ) -> Result<PriceAnswer, DecodeError> {
        Ok(PriceAnswer::after(query.clone()))
    }
}

#[tokio::test]
async fn a_venue_that_goes_round_in_circles_is_left() {
    let told = Arc::new(Told::default());
    let profile = venues::find("yahoo").unwrap().profile;
    let client = Client::over(Arc::<Told>::clone(&told));
    let clock = Arc::new(ManualClock::new(Timestamp::EPOCH));
    let desk = PriceDesk::new(profile, Box::new(Circle), client, clock);
    let answers = desk.ask(&symbols(&["yahoo:A"])).await;
    assert_eq!(answers[0].as_ref().unwrap_err().kind(), PriceErrorKind::Unreadable);
    assert_eq!(count(&told), MAX_QUESTIONS);
}
