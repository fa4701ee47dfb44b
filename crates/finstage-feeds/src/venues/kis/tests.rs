use finstage_model::{InstrumentId, Payload};
use finstage_seal::Secret;

use super::*;
use crate::Server;
use crate::prices::Quotation;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn venue(server: Server) -> Kis {
    let secret = |text: &str| Secret::new(text.to_owned());
    let account = Account { app_key: secret("key"), app_secret: secret("secret"), server };
    Kis::new(&PROFILE.endpoints(), &account)
}

fn response(body: &str) -> Response {
    Response { status: 200, headers: Vec::new(), body: body.into() }
}

fn query(name: &str, interval: Interval, (from, to): (&str, &str)) -> Query {
    Query::Bars {
        instrument: InstrumentId(0),
        symbol: format!("kis:{name}").parse().unwrap(),
        interval,
        from: at(from),
        to: at(to),
        limit: PROFILE.bars_per_page,
    }
}

/// The part of a request behind the folder of its kind, and its `tr_id`.
fn asked(request: &Request) -> (String, String) {
    let tr_id = request.headers().iter().find(|(name, _)| name == "tr_id").unwrap();
    let path = request.url().rsplit('/').next().unwrap();
    (path.to_owned(), tr_id.1.clone())
}

fn bars(events: Vec<Event>) -> Vec<String> {
    let line = |event: Event| match event.payload {
        Payload::Bar(b) => {
            format!("{} {} {} {} {} {}", b.open_time, b.open, b.high, b.low, b.close, b.volume)
        }
        other => format!("{other:?}"),
    };
    events.into_iter().map(line).collect()
}

fn rows(rows: &[String]) -> Response {
    response(&format!(
        r#"{{"output1":{{}},"output2":[{}],"rt_cd":"0","msg_cd":"MCA00000","msg1":"정상처리 되었습니다."}}"#,
        rows.join(",")
    ))
}

fn daily(date: &str, open: &str, close: &str, volume: &str) -> String {
    format!(
        r#"{{"stck_bsop_date":"{date}","stck_clpr":"{close}","stck_oprc":"{open}","stck_hgpr":"72000","stck_lwpr":"70000","acml_vol":"{volume}","mod_yn":"N"}}"#
    )
}

#[test]
fn days_come_newest_first_and_empty_rows_and_days_without_a_trade_are_no_bars() {
    let venue = venue(Server::Real);
    let query = query("005930", Interval::D1, ("2026-11-16", "2026-11-21"));
    let (path, tr_id) = asked(&venue.request(&query));
    assert_eq!(tr_id, "FHKST03010100");
    assert!(
        path.contains("FID_INPUT_ISCD=005930&FID_INPUT_DATE_1=20261116&FID_INPUT_DATE_2=20261120"),
        "{path}"
    );
    assert!(path.ends_with("FID_PERIOD_DIV_CODE=D&FID_ORG_ADJ_PRC=1"), "{path}");
    let answer = rows(&[
        daily("20261120", "71000", "71900", "12345"),
        daily("20261119", "0", "71000", "0"),
        daily("20261118", "71200", "71000", "999"),
        daily("20261113", "71200", "71000", "999"),
        "{}".into(),
        "{}".into(),
    ]);
    let mut out = Vec::new();
    let next = venue.read(&query, &answer, at("2026-11-20T06:45:00Z"), &mut out).unwrap();
    assert_eq!(next, None);
    assert_eq!(
        bars(out),
        [
            "2026-11-18T00:00:00Z 71200 72000 70000 71000 999",
            "2026-11-20T00:00:00Z 71000 72000 70000 71900 12345",
        ]
    );
    let mut out = Vec::new();
    // 15:35 in Seoul: the close of 15:30 is waited for ten minutes.
    venue.read(&query, &answer, at("2026-11-20T06:35:00Z"), &mut out).unwrap();
    assert_eq!(out.len(), 1);
}

#[test]
fn pages_of_days_weeks_and_months_go_forward_without_a_hole() {
    let venue = venue(Server::Real);
    for (interval, pages) in [(Interval::D1, 27), (Interval::W1, 6), (Interval::Mo1, 2)] {
        let whole = query("005930", interval, ("2016-11-01", "2026-11-21"));
        let (mut next, mut ends) = (Some(whole), Vec::new());
        while let Some(query) = next {
            let Query::Bars { from, to, .. } = &query;
            assert_eq!(ends.last().copied().unwrap_or(*from), *from, "where the last page ended");
            next = venue.read(&query, &rows(&[]), at("2026-11-21"), &mut Vec::new()).unwrap();
            ends.push(match &next {
                Some(Query::Bars { from, .. }) => *from,
                None => *to,
            });
        }
        assert_eq!((ends.len(), *ends.last().unwrap()), (pages, at("2026-11-21")), "{interval}");
    }
}

fn minute(date: &str, hour: &str, price: &str) -> String {
    format!(
        r#"{{"stck_bsop_date":"{date}","stck_cntg_hour":"{hour}","stck_prpr":"{price}","stck_oprc":"{price}","stck_hgpr":"{price}","stck_lwpr":"{price}","cntg_vol":"7","acml_tr_pbmn":"1"}}"#
    )
}

#[test]
fn minutes_of_a_past_day_are_asked_two_hours_at_a_time_within_the_session() {
    let venue = venue(Server::Real);
    // From the evening before in Seoul.
    let mut query = query("005930", Interval::M1, ("2026-11-18T10:00:00Z", "2026-11-19T12:00:00Z"));
    let mut hours = Vec::new();
    loop {
        let (path, tr_id) = asked(&venue.request(&query));
        assert_eq!(tr_id, "FHKST03010230");
        assert!(path.contains("FID_INPUT_DATE_1=20261119"), "{path}");
        hours.push(path.split("HOUR_1=").nth(1).unwrap()[..6].to_owned());
        let answer = rows(&[minute("20261119", "090000", "71900")]);
        match venue.read(&query, &answer, at("2026-11-20"), &mut Vec::new()).unwrap() {
            Some(next) => query = next,
            None => break,
        }
    }
    // University entrance exams: the session of 19 November 2026 opens and closes an hour later.
    let usual = ["105900", "125900", "145900", "165900"];
    let later = ["115900", "135900", "155900", "175900"];
    assert!(hours == usual || hours == later, "{hours:?}");
}

#[test]
fn a_minute_is_named_by_its_begin_and_rows_of_another_stretch_are_left_out() {
    let venue = venue(Server::Real);
    let query = query("005930", Interval::M1, ("2026-11-20T00:00:00Z", "2026-11-20T00:03:00Z"));
    let answer = rows(&[
        minute("20261120", "090300", "71903"),
        minute("20261120", "090200", "71902"),
        minute("20261120", "090100", "71901"),
        minute("20261120", "090000", "71900"),
        minute("20261119", "152900", "1"),
        "{}".into(),
    ]);
    let mut out = Vec::new();
    let next = venue.read(&query, &answer, at("2026-11-20T00:03:30Z"), &mut out).unwrap();
    assert_eq!(next, None);
    assert_eq!(
        bars(out),
        [
            "2026-11-20T00:00:00Z 71900 71900 71900 71900 7",
            // 09:02 is over since 09:03 and waited for until 09:04.
            "2026-11-20T00:01:00Z 71901 71901 71901 71901 7",
        ]
    );
}

#[test]
fn where_the_call_for_past_days_lacks_today_the_other_one_is_asked() {
    let venue = venue(Server::Real);
    let query = query("005930", Interval::M1, ("2026-11-20T00:00:00Z", "2026-11-20T01:00:00Z"));
    let yesterday = rows(&[minute("20261119", "152900", "1")]);
    let now = at("2026-11-20T01:00:00Z");
    let next = venue.read(&query, &yesterday, now, &mut Vec::new()).unwrap().unwrap();
    let (path, tr_id) = asked(&venue.request(&next));
    assert_eq!(tr_id, "FHKST03010200");
    assert!(path.contains("FID_INPUT_HOUR_1=092900"), "half an hour: {path}");
    let today = rows(&[minute("20261120", "090000", "71900")]);
    let mut out = Vec::new();
    let second = venue.read(&next, &today, now, &mut out).unwrap().unwrap();
    assert_eq!(out.len(), 1);
    assert!(asked(&venue.request(&second)).0.contains("FID_INPUT_HOUR_1=095900"));
}

#[test]
fn the_server_for_practice_has_minutes_of_today_only() {
    let venue = venue(Server::Mock);
    let query = query("005930", Interval::M1, ("2026-11-19T00:00:00Z", "2026-11-20T01:00:00Z"));
    assert_eq!(asked(&venue.request(&query)).1, "FHKST03010200");
    let why = venue.read(&query, &rows(&[]), at("2026-11-20T01:00:00Z"), &mut Vec::new());
    let why = why.unwrap_err().to_string();
    assert_eq!(why, "kis: minutes of 2026-11-19 come from the real server only");
}

fn overseas(last: &str, base: &str) -> Response {
    response(&format!(
        r#"{{"output":{{"rsym":"DNYSIBM","zdiv":"4","base":"{base}","last":"{last}","sign":"2"}},"rt_cd":"0","msg_cd":"MCA00000","msg1":""}}"#
    ))
}

#[test]
fn the_market_of_an_american_share_is_looked_for_once() {
    let venue = venue(Server::Real);
    let query = query("IBM", Interval::D1, ("2026-11-16", "2026-11-21"));
    let now = at("2026-11-21T00:00:00Z");
    let ask = |answer: &Response, query: &Query| {
        let asked = asked(&venue.request(query));
        let mut out = Vec::new();
        let next = venue.read(query, answer, now, &mut out).unwrap();
        (asked, next, bars(out))
    };
    let nothing = overseas("", "");
    let ((path, tr_id), next, _) = ask(&nothing, &query);
    assert_eq!((path.as_str(), tr_id.as_str()), ("price?AUTH=&EXCD=NAS&SYMB=IBM", "HHDFS00000300"));
    let ((path, _), next, _) = ask(&overseas("227.6300", "226.0000"), &next.unwrap());
    assert_eq!(path, "price?AUTH=&EXCD=NYS&SYMB=IBM");
    let row = r#"{"xymd":"20261118","clos":"227.6300","open":"226.1000","high":"228.0000","low":"225.5000","tvol":"4001234"}"#;
    let ((path, tr_id), next, told) = ask(&rows(&[row.to_owned(), "{}".into()]), &next.unwrap());
    assert_eq!(path, "dailyprice?AUTH=&EXCD=NYS&SYMB=IBM&GUBN=0&BYMD=20261120&MODP=0");
    assert_eq!((tr_id.as_str(), next), ("HHDFS76240000", None));
    assert_eq!(told, ["2026-11-18T00:00:00Z 226.1 228 225.5 227.63 4001234"]);
    assert!(asked(&venue.request(&query)).0.starts_with("dailyprice"), "remembered");
}

#[test]
fn a_share_that_no_market_of_new_york_lists_is_no_symbol() {
    let venue = venue(Server::Real);
    let mut query = query("NOSUCH", Interval::D1, ("2026-11-16", "2026-11-21"));
    let now = at("2026-11-21T00:00:00Z");
    for _ in 0..2 {
        query = venue.read(&query, &overseas("", ""), now, &mut Vec::new()).unwrap().unwrap();
    }
    let why = venue.read(&query, &overseas("", ""), now, &mut Vec::new()).unwrap_err();
    assert_eq!(why.kind(), DecodeErrorKind::NoSuchSymbol);
    let minutes = Query::Bars {
        instrument: InstrumentId(0),
        symbol: "kis:AAPL".parse().unwrap(),
        interval: Interval::M1,
        from: at("2026-11-16"),
        to: now,
        limit: 120,
    };
    let why = venue.read(&minutes, &overseas("1", "1"), now, &mut Vec::new()).unwrap_err();
    assert!(why.to_string().contains("ask yahoo"), "{why}");
}

/// Asks for a price as long as there is something to ask, with these answers; gives what was asked and
/// what was told.
fn price(
    venue: &Kis,
    name: &str,
    answers: &[&str],
) -> (Vec<String>, Result<Quotation, DecodeError>) {
    let symbol: Symbol = format!("kis:{name}").parse().unwrap();
    let (mut query, mut requests) = (PriceQuery::new(vec![symbol]), Vec::new());
    for answer in answers {
        let (path, tr_id) = asked(&venue.price_request(&query).unwrap());
        requests.push(format!("{tr_id} {path}"));
        match venue.read_prices(&query, &response(answer), Timestamp::EPOCH) {
            Err(why) => return (requests, Err(why)),
            Ok(mut answer) => match answer.next.pop() {
                Some(next) => query = next,
                None => return (requests, answer.told.pop().unwrap().1),
            },
        }
    }
    panic!("more is asked than there are answers: {requests:?}");
}

const SHARE: &str = r#"{"output":{"stck_prpr":"71900","acml_vol":"1","per":"12.3"},"rt_cd":"0","msg_cd":"MCA00000","msg1":"정상처리 되었습니다."}"#;
const NOTHING: &str = r#"{"output":{"stck_prpr":"0"},"rt_cd":"0","msg_cd":"MCA00000","msg1":""}"#;
const FUND: &str = r#"{"output":{"pdno":"00000A069500","scty_grp_id_cd":"EF","prdt_name":"KODEX 200"},"rt_cd":"0","msg_cd":"KIOK0530","msg1":"조회되었습니다"}"#;
const NO_DATA: &str = r#"{"rt_cd":"7","msg_cd":"KIER2620","msg1":"조회할 자료가 없습니다"}"#;

#[test]
fn a_share_is_one_request_and_a_fund_is_asked_for_as_one_once_it_is_known() {
    let venue = venue(Server::Real);
    let (requests, told) = price(&venue, "005930", &[SHARE]);
    assert_eq!(
        requests,
        ["FHKST01010100 inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=005930"]
    );
    let told = told.unwrap();
    assert_eq!((told.price.to_string().as_str(), told.currency.as_deref()), ("71900", Some("KRW")));
    let fund = "inquire-price?FID_COND_MRKT_DIV_CODE=J&FID_INPUT_ISCD=499999";
    let (requests, told) = price(&venue, "499999", &[NOTHING, FUND, SHARE]);
    assert_eq!(requests[0], format!("FHKST01010100 {fund}"));
    assert_eq!(requests[1], "CTPF1002R search-stock-info?PRDT_TYPE_CD=300&PDNO=499999");
    assert_eq!(requests[2], format!("FHPST02400000 {fund}"));
    assert!(told.is_ok());
    let (requests, _) = price(&venue, "499999", &[SHARE]);
    assert_eq!(requests, [format!("FHPST02400000 {fund}")], "remembered");
    let symbol = "kis:499999".parse().unwrap();
    let request = venue.price_request(&PriceQuery::new(vec![symbol])).unwrap();
    assert!(request.url().contains("/uapi/etfetn/v1/quotations/inquire-price?"), "{request}");
}

#[test]
fn what_an_instrument_is_is_told_by_the_call_of_its_market() {
    let venue = venue(Server::Real);
    let ask = |name: &str, step| {
        let symbol: Symbol = format!("kis:{name}").parse().unwrap();
        venue.description_request(&symbol, step).map(|request| asked(&request))
    };
    let search = |product: &str| {
        let path = format!("search-info?PRDT_TYPE_CD={product}&PDNO=IBM");
        Some((path, "CTPF1604R".to_owned()))
    };
    assert_eq!(ask("005930", 0).unwrap().1, "CTPF1002R");
    assert_eq!((ask("005930", 1), ask("TSE.7203", 0), ask("IBM", 3)), (None, None, None));
    assert_eq!([ask("IBM", 0), ask("IBM", 1), ask("IBM", 2)], ["512", "513", "529"].map(search));
    let read = |name: &str, body: &str| {
        let symbol: Symbol = format!("kis:{name}").parse().unwrap();
        venue.read_description(&symbol, &response(body)).unwrap()
    };
    let samsung = r#"{"output":{"pdno":"00000A005930","scty_grp_id_cd":"ST","std_pdno":"KR7005930003","prdt_name":"삼성전자보통주","prdt_eng_name":"SamsungElectronics"},"rt_cd":"0"}"#;
    let told = read("005930", samsung).unwrap();
    assert_eq!(
        (told.korean.as_deref(), told.name.as_deref()),
        (Some("삼성전자보통주"), Some("SamsungElectronics"))
    );
    assert_eq!(
        (told.isin.as_deref(), told.category),
        (Some("KR7005930003"), Some(crate::registry::ListingCategory::Stock))
    );
    assert_eq!(read("IBM", NO_DATA), None, "the next market may know it");
}

#[test]
fn the_server_for_practice_has_the_call_for_shares_only() {
    let (requests, told) = price(&venue(Server::Mock), "499999", &[NOTHING]);
    assert!(requests[0].starts_with("FHKST01010100"), "{requests:?}");
    assert_eq!(told.unwrap_err().kind(), DecodeErrorKind::NoSuchSymbol);
}

#[test]
fn a_code_that_nobody_knows_is_no_symbol() {
    let venue = venue(Server::Real);
    let (requests, told) = price(&venue, "999999", &[NOTHING, NO_DATA]);
    assert_eq!((requests.len(), told.unwrap_err().kind()), (2, DecodeErrorKind::NoSuchSymbol));
    let (_, told) = price(
        &venue,
        "999999",
        &[r#"{"rt_cd":"1","msg_cd":"EGW00201","msg1":"초당 거래건수를 초과하였습니다."}"#],
    );
    assert_eq!(told.unwrap_err().kind(), DecodeErrorKind::Limited, "no reason to ask what it is");
}

#[test]
fn abroad_a_price_before_the_first_trade_is_the_close_before() {
    let venue = venue(Server::Real);
    let body = |response: Response| String::from_utf8(response.body).unwrap();
    let (nothing, before) = (body(overseas("", "")), body(overseas("", "226.0000")));
    let (requests, told) = price(&venue, "IBM", &[&nothing, &before]);
    assert_eq!(requests.len(), 2);
    let told = told.unwrap();
    assert_eq!((told.price.to_string().as_str(), told.currency.as_deref()), ("226", Some("USD")));
    let (requests, _) = price(&venue, "HKS.00700", &[&before]);
    assert_eq!(requests, ["HHDFS00000300 price?AUTH=&EXCD=HKS&SYMB=00700"]);
    let (requests, told) = price(&venue, "NOSUCH", &[&nothing, &nothing, &nothing]);
    assert_eq!((requests.len(), told.unwrap_err().kind()), (3, DecodeErrorKind::NoSuchSymbol));
}
