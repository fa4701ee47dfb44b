use finstage_model::InstrumentId;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn venue() -> Yahoo {
    Yahoo::new(&PROFILE.endpoints())
}

fn query(symbol: &str, interval: Interval, (from, to): (&str, &str)) -> Query {
    Query::Bars {
        instrument: InstrumentId(0),
        symbol: symbol.parse().unwrap(),
        interval,
        from: at(from),
        to: at(to),
        limit: 1_000,
    }
}

fn response(status: u16, body: &str) -> Response {
    Response { status, headers: Vec::new(), body: body.into() }
}

/// Bars of an answer as `open_time open high low close volume`.
fn read(query: &Query, body: &str, now: &str) -> Result<Vec<String>, DecodeErrorKind> {
    let mut events = Vec::new();
    venue().read(query, &response(200, body), at(now), &mut events).map_err(|e| e.kind())?;
    let line = |event: Event| match event.payload {
        Payload::Bar(b) => {
            format!("{} {} {} {} {} {}", b.open_time, b.open, b.high, b.low, b.close, b.volume)
        }
        other => format!("{other:?}"),
    };
    Ok(events.into_iter().map(line).collect())
}

/// A chart with the rows `stamp open high low close volume`, `-` for null.
fn chart(meta: &str, rows: &[&str], rest: &str) -> String {
    let cells: Vec<Vec<&str>> = rows.iter().map(|row| row.split(' ').collect()).collect();
    let column = |place: usize| {
        let cell = |row: &Vec<&str>| row[place].replace('-', "null");
        cells.iter().map(cell).collect::<Vec<_>>().join(",")
    };
    let stamps: Vec<String> = cells.iter().map(|row| at(row[0]).secs().to_string()).collect();
    format!(
        r#"{{"chart":{{"result":[{{"meta":{{{meta}}},"timestamp":[{}],"indicators":{{"quote":[{{"open":[{}],"high":[{}],"low":[{}],"close":[{}],"volume":[{}]}}]{rest}}}}}],"error":null}}}}"#,
        stamps.join(","),
        column(1),
        column(2),
        column(3),
        column(4),
        column(5),
    )
}

const NEW_YORK: &str =
    r#""exchangeTimezoneName":"America/New_York","gmtoffset":-14400,"priceHint":2"#;

#[test]
fn a_request_names_the_symbol_encoded_and_ourselves_as_a_browser_would() {
    let request =
        venue().request(&query("yahoo:^GSPC", Interval::D1, ("2024-03-08", "2024-03-12")));
    assert_eq!(
        request.url(),
        "https://query2.finance.yahoo.com/v8/finance/chart/%5EGSPC?period1=1709769600&period2=1710288000&interval=1d&includePrePost=false&events=div%2Csplits%2CcapitalGains"
    );
    let agent = request.headers().iter().find(|(name, _)| name == "user-agent").unwrap();
    assert!(agent.1.starts_with("Mozilla/5.0 (compatible; finstage/"));
    let euro =
        venue().request(&query("yahoo:EURUSD=X", Interval::H1, ("2024-03-08", "2024-03-12")));
    assert!(euro.url().contains("/EURUSD%3DX?") && euro.url().contains("interval=60m"));
}

#[test]
fn days_are_named_by_the_date_of_their_session_across_a_change_of_clocks() {
    let meta = format!("{NEW_YORK},\"dataGranularity\":\"1d\"");
    let body = chart(
        &meta,
        &[
            "2024-03-07T14:30:00Z 169.1499969482422 170.73 168.49 169 71765100",
            "2024-03-08T14:30:00Z 169 173.7 168.94 170.72999572753906 76114600",
            "2024-03-11T13:30:00Z 172.94 174.38 172.05 172.75 60139500",
        ],
        "",
    );
    let all = query("yahoo:AAPL", Interval::D1, ("2024-03-01", "2024-04-01"));
    let bars = read(&all, &body, "2024-03-11T20:10:00Z").unwrap();
    assert_eq!(
        bars,
        [
            "2024-03-07T00:00:00Z 169.15 170.73 168.49 169 71765100",
            "2024-03-08T00:00:00Z 169 173.7 168.94 170.73 76114600",
            "2024-03-11T00:00:00Z 172.94 174.38 172.05 172.75 60139500",
        ]
    );
    // Before its close and the time to settle, the last one is none.
    assert_eq!(read(&all, &body, "2024-03-11T20:09:59Z").unwrap().len(), 2);
    // Seoul's day begins on the same date as ours, UTC.
    let meta = r#""exchangeTimezoneName":"Asia/Seoul","priceHint":2,"dataGranularity":"1d""#;
    let body = chart(meta, &["2024-03-11T00:00:00Z 72900 73000 72200 72400 9740504"], "");
    let seoul = query("yahoo:005930.KS", Interval::D1, ("2024-03-01", "2024-04-01"));
    let bars = read(&seoul, &body, "2024-03-11T07:00:00Z").unwrap();
    assert_eq!(bars, ["2024-03-11T00:00:00Z 72900 73000 72200 72400 9740504"]);
}

#[test]
fn a_half_day_ends_at_one_and_what_is_stamped_after_it_is_no_bar() {
    let meta = format!("{NEW_YORK},\"dataGranularity\":\"1h\"");
    let body = chart(
        &meta,
        &[
            "2024-07-03T13:30:00Z 1 1 1 1 5",
            "2024-07-03T14:30:00Z 2 2 2 2 5",
            "2024-07-03T15:30:00Z 3 3 3 3 5",
            "2024-07-03T16:30:00Z 4 4 4 4 5",
            "2024-07-03T17:00:00Z 4 4 4 4 0",
        ],
        "",
    );
    let query = query("yahoo:AAPL", Interval::H1, ("2024-07-03", "2024-07-04"));
    let bars = read(&query, &body, "2024-07-03T17:01:00Z").unwrap();
    assert_eq!(bars.len(), 4, "{bars:?}");
    assert!(bars[3].starts_with("2024-07-03T16:30:00Z 4"), "over when the session is");
}

#[test]
fn rows_with_holes_and_the_price_of_the_moment_are_no_bars() {
    let meta = format!("{NEW_YORK},\"regularMarketTime\":1709910427,\"dataGranularity\":\"5m\"");
    let body = chart(
        &meta,
        &[
            "2024-03-08T14:30:00Z 10 11 9 10 5",
            "2024-03-08T14:35:00Z 10 11 - 10 5",
            "2024-03-08T14:40:00Z 10 11 9 10 -",
            "2024-03-08T14:45:00Z 10 9 11 10 5",
            "2024-03-08T14:50:00Z 10 11 0 10 5",
            "2024-03-08T15:05:00Z 10 11 9 10 5",
            "2024-03-08T15:07:07Z 10 10 10 10 0",
        ],
        "",
    );
    let query = query("yahoo:AAPL", Interval::M5, ("2024-03-08", "2024-03-09"));
    let bars = read(&query, &body, "2024-03-09T00:00:00Z").unwrap();
    let opens: Vec<&str> = bars.iter().map(|bar| &bar[11..16]).collect();
    assert_eq!(opens, ["14:30", "14:40", "15:05"], "the volume may be missing, a price may not");
}

#[test]
fn an_answer_without_data_is_empty_and_coarser_bars_are_refused() {
    let query = query("yahoo:AAPL", Interval::M30, ("2024-03-08", "2024-03-09"));
    let none = r#"{"chart":{"result":[{"meta":{"dataGranularity":"30m"},"indicators":{"quote":[{}]}}],"error":null}}"#;
    assert_eq!(read(&query, none, "2024-03-10").unwrap(), [""; 0]);
    let coarse = r#"{"chart":{"result":[{"meta":{"dataGranularity":"1h"},"timestamp":[1709908200],"indicators":{"quote":[{}]}}],"error":null}}"#;
    assert_eq!(read(&query, coarse, "2024-03-10"), Err(DecodeErrorKind::Unknown));
}

#[test]
fn every_error_of_the_venue_has_its_meaning() {
    use DecodeErrorKind as K;
    let error = |code: &str, words: &str| {
        format!(
            r#"{{"chart":{{"result":null,"error":{{"code":"{code}","description":"{words}"}}}}}}"#
        )
    };
    let unauthorized = error("Unauthorized", "Invalid Crumb").replace("chart", "finance");
    let cases: &[(u16, &str, Option<K>)] = &[
        (404, &error("Not Found", "No data found, symbol may be delisted"), Some(K::NoSuchSymbol)),
        (400, &error("Bad Request", "Data doesn't exist for startDate = 1, endDate = 2"), None),
        (422, &error("Unprocessable Entity", "5m data not available"), Some(K::Refused)),
        (401, &unauthorized, Some(K::Refused)),
        (429, "Too Many Requests", Some(K::Limited)),
        (429, "<html>blocked</html>", Some(K::Limited)),
        (200, "Edge: Too Many Requests", Some(K::Limited)),
        (200, "<!DOCTYPE html><title>Yahoo</title>", Some(K::Html)),
        (502, "<html>Will be right back...</html>", Some(K::Html)),
        (999, "", Some(K::Html)),
        (200, "{\"chart\":{\"res", Some(K::Malformed)),
        (200, "{}", Some(K::Malformed)),
    ];
    let query = query("yahoo:AAPL", Interval::D1, ("2024-03-08", "2024-03-09"));
    for (status, body, meaning) in cases {
        let mut events = Vec::new();
        let read = venue().read(&query, &response(*status, body), at("2024-03-10"), &mut events);
        assert_eq!(read.err().map(|e| e.kind()), *meaning, "{status} {body}");
        assert!(events.is_empty());
    }
}

#[test]
fn minutes_are_asked_for_a_week_at_a_time() {
    let month = query("yahoo:AAPL", Interval::M1, ("2024-03-01", "2024-03-20"));
    let none = r#"{"chart":{"result":[{"meta":{}}],"error":null}}"#;
    let mut next = Some(month);
    let mut asked = Vec::new();
    while let Some(query) = next {
        asked.push(venue().request(&query).url().split('&').take(2).collect::<Vec<_>>().join("&"));
        let answer = response(200, none);
        next = venue().read(&query, &answer, at("2024-03-20"), &mut Vec::new()).unwrap();
    }
    assert_eq!(asked.len(), 3);
    assert!(asked[2].ends_with(&format!("period2={}", at("2024-03-20").secs())), "{}", asked[2]);
}

/// Four for one on the third day, a dividend of 1 on the fourth.
fn with_actions(closes: [f64; 4], adjusted: [f64; 4]) -> String {
    let day = |day: u32| at(&format!("2024-06-{day:02}T13:30:00Z")).secs();
    let meta = format!("{NEW_YORK},\"dataGranularity\":\"1d\"");
    let row = |(place, close): (usize, &f64)| {
        format!("2024-06-{:02}T13:30:00Z {close} {close} {close} {close} 400", place + 3)
    };
    let rows: Vec<String> = closes.iter().enumerate().map(row).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let adjusted: Vec<String> = adjusted.iter().map(f64::to_string).collect();
    let body =
        chart(&meta, &rows, &format!(",\"adjclose\":[{{\"adjclose\":[{}]}}]", adjusted.join(",")));
    let events = format!(
        r#""events":{{"dividends":{{"{0}":{{"amount":1,"date":{0}}}}},"splits":{{"{1}":{{"date":{1},"numerator":4,"denominator":1,"splitRatio":"4:1"}}}}}},"indicators""#,
        day(6),
        day(5)
    );
    body.replacen("\"indicators\"", &events, 1)
}

#[test]
fn prices_from_before_a_split_are_those_that_were_traded_however_the_venue_tells_them() {
    let query = query("yahoo:AAPL", Interval::D1, ("2024-06-01", "2024-07-01"));
    let expected = [
        "2024-06-03T00:00:00Z 396 396 396 396",
        "2024-06-04T00:00:00Z 400 400 400 400",
        "2024-06-05T00:00:00Z 100 100 100 100",
        "2024-06-06T00:00:00Z 99 99 99 99",
    ];
    // Divided already, as the venue does; and as they were traded.
    let divided = with_actions([99.0, 100.0, 100.0, 99.0], [98.01, 99.0, 99.0, 99.0]);
    let traded = with_actions([396.0, 400.0, 100.0, 99.0], [98.01, 99.0, 99.0, 99.0]);
    for (body, volume) in [(divided, "100"), (traded, "400")] {
        let bars = read(&query, &body, "2024-06-10").unwrap();
        let prices: Vec<&str> = bars.iter().map(|bar| bar.rsplit_once(' ').unwrap().0).collect();
        assert_eq!(prices, expected);
        assert!(bars[0].ends_with(&format!(" {volume}")), "{}", bars[0]);
    }
}

#[test]
fn dividends_and_splits_are_told_with_the_day_before_them() {
    use crate::venue::ActionKind;
    let body = with_actions([99.0, 100.0, 100.0, 99.0], [98.01, 99.0, 99.0, 99.0]);
    let actions = venue().read_actions(&response(200, &body)).unwrap();
    let day = |text: &str| text.parse().unwrap();
    assert_eq!(
        actions,
        [
            Action { before: day("2024-06-04"), kind: ActionKind::Split { ratio: 4.0 } },
            Action { before: day("2024-06-05"), kind: ActionKind::Dividend { share: 0.01 } },
        ]
    );
}
