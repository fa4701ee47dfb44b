use std::sync::Arc;
use std::time::Duration;

use finstage_lab::sim::faults::Scenario;
use finstage_lab::sim::kis::{CALLS_PER_SECOND, KisOptions, KisSim, MAX_REGISTRATIONS};
use finstage_lab::sim::ledger::Ledger;
use finstage_model::{ManualClock, Timestamp};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::http::{Reply, get_with, post};

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

const QUOTATIONS: &str = "/uapi/domestic-stock/v1/quotations/";

struct Venue {
    sim: KisSim,
    clock: Arc<ManualClock>,
    ledger: Arc<Ledger>,
}

/// A Friday, half past ten in Seoul.
fn start() -> Timestamp {
    "2026-11-20T01:30:20Z".parse().unwrap()
}

async fn venue_with(faults: &str, calls_per_second: u32) -> Venue {
    let clock = Arc::new(ManualClock::new(start()));
    let ledger = Arc::new(Ledger::in_memory());
    let options = KisOptions {
        seed: 7,
        clock: clock.clone(),
        faults: Scenario::parse(&format!("name = \"test\"\n{faults}")).unwrap(),
        ledger: Arc::clone(&ledger),
        listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        keys: Vec::new(),
        calls_per_second,
    };
    Venue { sim: KisSim::start(options).unwrap(), clock, ledger }
}

async fn venue(faults: &str) -> Venue {
    venue_with(faults, CALLS_PER_SECOND).await
}

fn pair() -> (String, String) {
    ("k".repeat(36), "s".repeat(180))
}

impl Venue {
    async fn say(&self, path: &str, body: &Value) -> Reply {
        post(&self.sim.rest_url(), path, ("application/json", &body.to_string())).await
    }

    async fn token_answer(&self) -> Reply {
        let (appkey, appsecret) = pair();
        let grant = "client_credentials";
        let body = json!({"grant_type": grant, "appkey": appkey, "appsecret": appsecret});
        self.say("/oauth2/tokenP", &body).await
    }

    async fn token(&self) -> String {
        self.token_answer().await.json()["access_token"].as_str().unwrap().to_owned()
    }

    async fn call(&self, token: &str, (path, tr): (&str, &str)) -> Reply {
        let (appkey, appsecret) = pair();
        let headers = format!(
            "Authorization: Bearer {token}\r\nAppKey: {appkey}\r\nappsecret: {appsecret}\r\n\
             tr_id: {tr}\r\ncusttype: P\r\n"
        );
        get_with(&self.sim.rest_url(), path, &headers).await
    }

    async fn price(&self, token: &str, code: &str) -> Reply {
        let path =
            format!("{QUOTATIONS}inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD={code}");
        self.call(token, (&path, "FHKST01010100")).await
    }
}

/// Status and code of a failed call, or the code of one that worked.
fn said(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    let code = body.get("msg_cd").or_else(|| body.get("error_code")).unwrap();
    (reply.status, code.as_str().unwrap().to_owned())
}

fn of(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

fn number(value: &Value) -> f64 {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_token_opens_prices_and_is_not_issued_twice_in_a_minute() {
    let venue = venue("").await;
    let first = venue.token_answer().await;
    assert_eq!((first.status, &first.json()["expires_in"]), (200, &json!(86_400)));
    assert_eq!(first.json()["access_token_token_expired"], "2026-11-21 10:30:20");
    assert_eq!(said(&venue.token_answer().await), of(403, "EGW00133"));
    let token = first.json()["access_token"].as_str().unwrap().to_owned();

    let reply = venue.price(&token, "005930").await;
    assert_eq!(said(&reply), of(200, "MCA00000"));
    assert_eq!(reply.header("tr_id"), Some("FHKST01010100"));
    assert_eq!(reply.header("gt_uid").map(str::len), Some(32));
    let output = &reply.json()["output"];
    let [last, high, low, base] =
        ["stck_prpr", "stck_hgpr", "stck_lwpr", "stck_sdpr"].map(|name| number(&output[name]));
    assert!(low <= last && last <= high && low > 0.0, "{output}");
    assert_eq!(number(&output["prdy_vrss"]), last - base);
    assert!(output.as_object().unwrap().len() >= 78, "{output}");

    // Slashes at the front and the case of names do not matter.
    let path = format!("/{QUOTATIONS}inquire-price?fid_cond_mrkt_div_code=J&fid_input_iscd=005930");
    let again = venue.call(&token, (&path, "FHKST01010100")).await;
    assert_eq!(again.json()["output"], *output);
    let strange = venue.call("someone's", (&path, "FHKST01010100")).await;
    assert_eq!(said(&strange), of(500, "EGW00121"));
    assert_eq!(said(&venue.price(&token, "999999").await), of(200, "OPSQ0013"));
    venue.sim.stop().await;
}

#[tokio::test]
async fn the_twenty_first_call_of_a_second_is_refused_and_the_next_second_is_a_new_one() {
    let venue = venue("").await;
    let token = venue.token().await;
    for _ in 0..CALLS_PER_SECOND {
        assert_eq!(venue.price(&token, "005930").await.status, 200);
    }
    assert_eq!(said(&venue.price(&token, "005930").await), of(500, "EGW00201"));
    venue.clock.advance(Duration::from_millis(999));
    assert_eq!(said(&venue.price(&token, "005930").await), of(500, "EGW00201"));
    venue.clock.advance(Duration::from_millis(1));
    assert_eq!(venue.price(&token, "005930").await.status, 200);
    let counts = venue.ledger.counts();
    assert_eq!((counts.ok, counts.refused, counts.errors), (22, 2, 0));
}

#[tokio::test]
async fn limits_that_a_scenario_halves_are_not_announced() {
    let halved =
        "[[faults]]\nkind = \"limit_factor\"\nat = \"1s\"\nfor = \"1h\"\nvenue = \"kis\"\n";
    let venue = venue_with(halved, 4).await;
    let token = venue.token().await;
    let mut admitted = Vec::new();
    for _ in 0..2 {
        let mut count = 0;
        for _ in 0..6 {
            count += u32::from(venue.price(&token, "000660").await.status == 200);
        }
        admitted.push(count);
        venue.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(admitted, [4, 2]);
}

#[tokio::test]
async fn a_token_is_over_after_a_day_and_when_a_scenario_says_so() {
    let venue = venue("[[faults]]\nkind = \"kis_expire\"\nat = \"1h\"\n").await;
    let first = venue.token().await;
    venue.clock.advance(Duration::from_secs(3_599));
    assert_eq!(venue.price(&first, "005930").await.status, 200);
    venue.clock.advance(Duration::from_secs(1));
    assert_eq!(said(&venue.price(&first, "005930").await), of(500, "EGW00123"));
    venue.clock.advance(Duration::from_secs(1));
    let second = venue.token().await;
    assert_ne!(first, second);
    assert_eq!(venue.price(&second, "005930").await.status, 200);
    venue.clock.advance(Duration::from_secs(86_400));
    assert_eq!(said(&venue.price(&second, "005930").await), of(500, "EGW00123"));
}

#[tokio::test]
async fn charts_are_told_newest_first_and_price_days_and_minutes_tell_one_story() {
    let venue = venue("").await;
    let token = venue.token().await;
    let chart = |period: &str, from: &str| {
        format!(
            "{QUOTATIONS}inquire-daily-itemchartprice?FID_COND_MRKT_DIV_CODE=J\
             &FID_INPUT_ISCD=005930&FID_INPUT_DATE_1={from}&FID_INPUT_DATE_2=20261120\
             &FID_PERIOD_DIV_CODE={period}&FID_ORG_ADJ_PRC=0"
        )
    };
    let days = venue.call(&token, (&chart("D", "20200101"), "FHKST03010100")).await;
    assert_eq!(days.header("tr_cont"), Some("D"));
    let days = days.json();
    let rows = days["output2"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["stck_bsop_date"]), (100, &json!("20261120")));
    let dates: Vec<&str> = rows.iter().map(|row| row["stck_bsop_date"].as_str().unwrap()).collect();
    assert!(dates.is_sorted_by(|newer, older| newer > older), "{dates:?}");
    let price = venue.price(&token, "005930").await.json();
    assert_eq!(rows[0]["stck_clpr"], price["output"]["stck_prpr"]);
    assert_eq!(rows[0]["acml_vol"], price["output"]["acml_vol"]);
    assert_eq!(rows[1]["stck_clpr"], price["output"]["stck_sdpr"]);

    let weeks = venue.call(&token, (&chart("W", "20261101"), "FHKST03010100")).await.json();
    let week = &weeks["output2"][0];
    let of_week: Vec<&Value> =
        rows.iter().filter(|row| row["stck_bsop_date"].as_str() >= Some("20261116")).collect();
    assert_eq!(week["stck_bsop_date"], "20261116");
    assert_eq!(week["stck_clpr"], rows[0]["stck_clpr"]);
    let volume: f64 = of_week.iter().map(|row| number(&row["acml_vol"])).sum();
    assert_eq!(number(&week["acml_vol"]), volume);

    let minutes = format!(
        "{QUOTATIONS}inquire-time-itemchartprice?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=005930\
         &FID_INPUT_HOUR_1=103000&FID_PW_DATA_INCU_YN=N&FID_ETC_CLS_CODE="
    );
    let minutes = venue.call(&token, (&minutes, "FHKST03010200")).await.json();
    let rows = minutes["output2"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[0]["stck_cntg_hour"]), (30, &json!("103000")));
    assert_eq!(rows[0]["stck_prpr"], price["output"]["stck_prpr"]);

    let past = format!(
        "{QUOTATIONS}inquire-time-dailychartprice?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=005930\
         &FID_INPUT_DATE_1=20261119&FID_INPUT_HOUR_1=153000"
    );
    let past = venue.call(&token, (&past, "FHKST03010230")).await.json();
    assert_eq!(past["output2"].as_array().unwrap().len(), 120);
    assert_eq!(past["output2"][0]["stck_prpr"], days["output2"][1]["stck_clpr"]);
}

#[tokio::test]
async fn a_chart_of_a_time_without_sessions_is_empty_and_holes_are_empty_objects() {
    let venue = venue("[[faults]]\nkind = \"kis_holes\"\nat = \"1s\"\nfor = \"1h\"\n").await;
    let token = venue.token().await;
    let chart = |from: &str, to: &str| {
        format!(
            "{QUOTATIONS}inquire-daily-itemchartprice?FID_COND_MRKT_DIV_CODE=J\
             &FID_INPUT_ISCD=000660&FID_INPUT_DATE_1={from}&FID_INPUT_DATE_2={to}\
             &FID_PERIOD_DIV_CODE=D&FID_ORG_ADJ_PRC=1"
        )
    };
    let tr = "FHKST03010100";
    let weekend = venue.call(&token, (&chart("20261114", "20261115"), tr)).await.json();
    assert_eq!((&weekend["rt_cd"], &weekend["output2"]), (&json!("0"), &json!([])));
    venue.clock.advance(Duration::from_secs(1));
    let week = venue.call(&token, (&chart("20261109", "20261113"), tr)).await.json();
    let rows = week["output2"].as_array().unwrap();
    assert_eq!((rows.len(), &rows[3..]), (5, &[json!({}), json!({})][..]));
    let malformed = venue.call(&token, (&chart("2026-11-14", "20261115"), tr)).await;
    assert_eq!(said(&malformed), of(200, "OPSQ2002"));
}

#[tokio::test]
async fn new_york_is_told_by_exchange_and_what_it_does_not_list_is_empty() {
    let venue = venue("").await;
    let token = venue.token().await;
    let ask = |exchange: &str| {
        format!("/uapi/overseas-price/v1/quotations/price?AUTH=&EXCD={exchange}&SYMB=AAPL")
    };
    let here = venue.call(&token, (&ask("NAS"), "HHDFS00000300")).await.json();
    assert_eq!(here["output"]["rsym"], "DNASAAPL");
    assert!(number(&here["output"]["last"]) > 1.0);
    let elsewhere = venue.call(&token, (&ask("NYS"), "HHDFS00000300")).await.json();
    assert_eq!((&elsewhere["rt_cd"], &elsewhere["output"]["last"]), (&json!("0"), &json!("")));
    let days = "/uapi/overseas-price/v1/quotations/dailyprice?AUTH=&EXCD=NAS&SYMB=AAPL&GUBN=0\
                &BYMD=20261113&MODP=1";
    let days = venue.call(&token, (days, "HHDFS76240000")).await.json();
    assert_eq!(days["output2"].as_array().unwrap().len(), 100);
    assert_eq!(days["output2"][0]["xymd"], "20261113");
}

#[tokio::test]
async fn scripted_failures_strike_whom_they_name() {
    let always = "at = \"0s\"\nfor = \"1h\"\n";
    let venue = venue(&format!(
        "[[faults]]\nkind = \"kis_fail\"\nsymbol = \"000660\"\n{always}\
         [[faults]]\nkind = \"kis_html\"\nat = \"2h\"\nfor = \"1h\"\n\
         [[faults]]\nkind = \"kis_empty\"\nat = \"4h\"\nfor = \"1h\"\n\
         [[faults]]\nkind = \"kis_igw\"\nat = \"5h\"\nfor = \"1h\"\n"
    ))
    .await;
    let token = venue.token().await;
    assert_eq!(said(&venue.price(&token, "000660").await), of(200, "OPSQ0013"));
    assert_eq!(venue.price(&token, "005930").await.json()["rt_cd"], "0");
    venue.clock.advance(Duration::from_secs(7_200));
    let page = venue.price(&token, "005930").await;
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html")));
    venue.clock.advance(Duration::from_secs(7_200));
    let empty = venue.price(&token, "005930").await;
    assert_eq!((empty.status, empty.body.as_str()), (500, ""));
    venue.clock.advance(Duration::from_secs(3_600));
    assert_eq!(said(&venue.price(&token, "005930").await), of(500, "IGW00007"));
}

#[tokio::test]
async fn a_share_of_calls_fails_and_always_the_same_ones() {
    let faults =
        "seed = 3\n[[faults]]\nkind = \"kis_error\"\nat = \"0s\"\nfor = \"1h\"\none_in = 4\n";
    let mut runs = Vec::new();
    for _ in 0..2 {
        let venue = venue_with(faults, 1_000).await;
        let token = venue.token().await;
        let mut failed = Vec::new();
        for i in 0..80 {
            if venue.price(&token, "005930").await.status == 500 {
                failed.push(i);
            }
        }
        runs.push(failed);
    }
    assert_eq!(runs[0], runs[1]);
    assert!((8..=34).contains(&runs[0].len()), "{:?}", runs[0]);
}

impl Venue {
    async fn approval(&self) -> String {
        let (appkey, secretkey) = pair();
        let grant = "client_credentials";
        let body = json!({"grant_type": grant, "appkey": appkey, "secretkey": secretkey});
        let answer = self.say("/oauth2/Approval", &body).await.json();
        answer["approval_key"].as_str().unwrap().to_owned()
    }

    async fn connect(&self) -> Client {
        connect_async(format!("{}/tryitout", self.sim.ws_url())).await.unwrap().0
    }
}

async fn next(client: &mut Client) -> String {
    loop {
        if let Message::Text(text) = client.next().await.unwrap().unwrap() {
            return text.to_string();
        }
    }
}

/// Sends a registration or its end, and reads the code of what is said to it.
async fn register(client: &mut Client, key: &str, (kind, tr, code): (&str, &str, &str)) -> String {
    let header =
        json!({"approval_key": key, "custtype": "P", "tr_type": kind, "content-type": "utf-8"});
    let body = json!({"input": {"tr_id": tr, "tr_key": code}});
    let text = json!({"header": header, "body": body}).to_string();
    client.send(Message::Text(text.into())).await.unwrap();
    loop {
        let answer: Value = serde_json::from_str(&next(client).await).unwrap_or_default();
        if let Some(code) = answer["body"]["msg_cd"].as_str() {
            return code.to_owned();
        }
    }
}

#[tokio::test]
async fn a_session_acknowledges_counts_and_belongs_to_one_key() {
    let venue = venue("").await;
    let key = venue.approval().await;
    let mut client = venue.connect().await;
    let one = ("1", "H0STCNT0", "005930");
    assert_eq!(register(&mut client, "nobody's", one).await, "OPSP0011");
    assert_eq!(register(&mut client, &key, one).await, "OPSP0000");
    assert_eq!(register(&mut client, &key, one).await, "OPSP0002");
    assert_eq!(register(&mut client, &key, ("1", "H0STCNT0", "nothing")).await, "OPSP9999");
    let mut second = venue.connect().await;
    assert_eq!(register(&mut second, &key, one).await, "OPSP8996");
    assert_eq!(register(&mut client, &key, ("2", "H0STCNT0", "005930")).await, "OPSP0001");
    assert_eq!(register(&mut client, &key, ("2", "H0STCNT0", "005930")).await, "OPSP0003");

    let master = finstage_lab::sim::kis::codes();
    let mut answers = Vec::new();
    for code in master.iter().take(MAX_REGISTRATIONS + 1) {
        answers.push(register(&mut client, &key, ("1", "H0STASP0", code)).await);
    }
    let (last, granted) = answers.split_last().unwrap();
    assert!(granted.iter().all(|code| code == "OPSP0000"), "{granted:?}");
    assert_eq!(last, "OPSP0008");

    client.close(None).await.unwrap();
    while let Some(Ok(_)) = client.next().await {}
    let mut third = venue.connect().await;
    // The key is free as soon as the venue has seen the end.
    while register(&mut third, &key, one).await == "OPSP8996" {
        third = venue.connect().await;
    }
}

#[tokio::test(start_paused = true)]
async fn trades_that_happen_are_told_with_a_volume_that_adds_up() {
    let venue = venue("").await;
    let key = venue.approval().await;
    let mut client = venue.connect().await;
    assert_eq!(register(&mut client, &key, ("1", "H0STCNT0", "005930")).await, "OPSP0000");
    venue.clock.advance(Duration::from_secs(60));
    let frame = loop {
        let text = next(&mut client).await;
        if text.starts_with('0') {
            break text;
        }
    };
    let parts: Vec<&str> = frame.split('|').collect();
    let (count, fields): (usize, Vec<&str>) =
        (parts[2].parse().unwrap(), parts[3].split('^').collect());
    assert_eq!((parts[1], fields.len()), ("H0STCNT0", count * 46));
    assert!(count > 1, "{frame}");
    let mut before = None;
    for record in fields.chunks(46) {
        let [quantity, sum] = [12, 13].map(|place| record[place].parse::<i64>().unwrap());
        assert!(before.is_none_or(|before| before + quantity == sum), "{frame}");
        before = Some(sum);
    }
    let token = venue.token().await;
    let price = venue.price(&token, "005930").await.json();
    assert_eq!(price["output"]["acml_vol"], before.unwrap().to_string());
}
