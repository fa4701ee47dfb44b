//! Quotations of New York. A symbol that an exchange does not list is answered with empty fields.

use finstage_model::Day;
use serde_json::{Value, json};

use super::answer::{Failure, percent, sign, success};
use super::domestic::{grouped, shares};
use super::view::{Span, View};
use super::{clock, listings::Board};
use crate::sim::front::Ask;

/// The most rows of a chart.
const ROWS: usize = 100;
/// Sessions of a year.
const YEAR: usize = 252;
/// Won for a dollar.
const WON: f64 = 1_356.5;

const PRICE: &[&str] =
    &["rsym", "zdiv", "base", "pvol", "last", "sign", "diff", "rate", "tvol", "tamt", "ordy"];
const DETAIL: &[&str] = &[
    "rsym", "pvol", "open", "high", "low", "last", "base", "tomv", "pamt", "uplp", "dnlp", "h52p",
    "h52d", "l52p", "l52d", "perx", "pbrx", "epsx", "bpsx", "shar", "mcap", "curr", "zdiv", "vnit",
    "t_xprc", "t_xdif", "t_xrat", "p_xprc", "p_xdif", "p_xrat", "t_rate", "p_rate", "t_xsgn",
    "p_xsng", "e_ordyn", "e_hogau", "e_icod", "e_parp", "tvol", "tamt", "etyp_nm",
];

/// What is asked for of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Price,
    Detail,
    Daily,
}

/// The answer about a symbol that is not listed there.
pub(super) fn nothing(wanted: Wanted) -> Value {
    let empty = |names: &[&str]| -> Value {
        names
            .iter()
            .map(|name| ((*name).to_owned(), json!("")))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    match wanted {
        Wanted::Price => success([("output", empty(PRICE))]),
        Wanted::Detail => success([("output", empty(DETAIL))]),
        Wanted::Daily => {
            success([("output1", empty(&["rsym", "zdiv", "nrec"])), ("output2", json!([]))])
        }
    }
}

fn dollars(price: f64) -> String {
    format!("{price:.2}")
}

/// A change in percent with its sign.
fn rate(change: f64, before: f64) -> String {
    let text = percent(change, before);
    if text.starts_with('-') { text } else { format!("+{text}") }
}

fn name(view: &View<'_>) -> String {
    let Board::Overseas(exchange) = view.stock.board else { return String::new() };
    format!("D{exchange}{}", view.stock.code)
}

fn today(view: &View<'_>) -> Result<(Span, i64), Failure> {
    let mut days = view.days(true);
    let now = days.next().ok_or_else(Failure::no_data)?;
    Ok((now, days.next().map_or(0, |day| day.volume)))
}

pub(super) fn price(view: &View<'_>) -> Result<Value, Failure> {
    let (day, volume_before) = today(view)?;
    let change = day.change();
    let output = json!({
        "rsym": name(view), "zdiv": "2", "base": dollars(day.before),
        "pvol": volume_before.to_string(), "last": dollars(day.prices[3]), "sign": sign(change),
        "diff": dollars(change), "rate": rate(change, day.before),
        "tvol": day.volume.to_string(), "tamt": format!("{:.0}", day.value), "ordy": "매도불가",
    });
    Ok(success([("output", output)]))
}

pub(super) fn detail(view: &View<'_>) -> Result<Value, Failure> {
    let (day, volume_before) = today(view)?;
    let ([open, high, low, last], change) = (day.prices, day.change());
    let [(year_high, high_on), (year_low, low_on)] = view.extremes(YEAR);
    let count = shares(view.stock.code) * 10.0;
    let output = json!({
        "rsym": name(view), "pvol": volume_before.to_string(), "open": dollars(open),
        "high": dollars(high), "low": dollars(low), "last": dollars(last),
        "base": dollars(day.before), "tomv": format!("{:.0}", last * count),
        "pamt": format!("{:.0}", day.before * volume_before as f64), "uplp": "0", "dnlp": "0",
        "h52p": dollars(year_high), "h52d": clock::day(high_on), "l52p": dollars(year_low),
        "l52d": clock::day(low_on), "perx": "25.00", "pbrx": "8.00",
        "epsx": dollars(last / 25.0), "bpsx": dollars(last / 8.0), "shar": format!("{count:.0}"),
        "mcap": format!("{:.0}", count * 0.001), "curr": "USD", "zdiv": "2", "vnit": "1",
        "t_xprc": format!("{:.0}", last * WON), "t_xdif": format!("{:.0}", change.abs() * WON),
        "t_xrat": rate(change, day.before), "p_xprc": format!("{:.0}", day.before * WON),
        "p_xdif": "0", "p_xrat": "", "t_rate": format!("{WON:.2}"), "p_rate": format!("{WON:.2}"),
        "t_xsgn": sign(change), "p_xsng": "3", "e_ordyn": "매매 가능", "e_hogau": "0.01",
        "e_icod": view.stock.sector, "e_parp": "0.001", "tvol": day.volume.to_string(),
        "tamt": format!("{:.0}", day.value), "etyp_nm": "",
    });
    Ok(success([("output", output)]))
}

/// Days, weeks or months up to a day, newest first.
pub(super) fn daily(view: &View<'_>, ask: &Ask) -> Result<Value, Failure> {
    let period = match ask.param("gubn") {
        "0" => "D",
        "1" => "W",
        "2" => "M",
        "" => return Err(Failure::missing("gubn")),
        _ => return Err(Failure::malformed("gubn")),
    };
    let last = match ask.param("bymd") {
        "" => Day::from_days(i32::MAX / 2),
        text => clock::read_day(text).ok_or_else(|| Failure::malformed("bymd"))?,
    };
    let days = view.days(ask.param("modp") == "1").skip_while(|day| day.day > last);
    let rows = grouped(days, (period, ROWS));
    let row = |span: &Span| {
        let [open, high, low, close] = span.prices;
        let change = span.change();
        json!({
            "xymd": clock::day(span.day), "clos": dollars(close), "sign": sign(change),
            "diff": dollars(change), "rate": rate(change, span.before),
            "open": dollars(open), "high": dollars(high), "low": dollars(low),
            "tvol": span.volume.to_string(), "tamt": format!("{:.0}", span.value),
            "pbid": dollars(close - 0.01), "vbid": "100", "pask": dollars(close + 0.01),
            "vask": "100",
        })
    };
    let head = json!({"rsym": name(view), "zdiv": "2", "nrec": rows.len().to_string()});
    let rows: Value = rows.iter().map(row).collect();
    Ok(success([("output1", head), ("output2", rows)]))
}
