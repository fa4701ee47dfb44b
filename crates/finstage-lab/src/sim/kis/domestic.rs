//! Quotations of Seoul: price, last trades, book, charts.

use finstage_model::Day;
use serde_json::{Value, json};

use super::answer::{Failure, joined, percent, sign, success, whole};
use super::clock;
use super::listings::Board;
use super::view::{Span, Trade, View};
use crate::rng::mix;
use crate::sim::front::Ask;

/// The most rows of a daily chart.
const DAILY_ROWS: usize = 100;
/// The most minutes of today.
const MINUTES_TODAY: usize = 30;
/// The most minutes of a past day.
const MINUTES_PAST: usize = 120;
/// The oldest day whose minutes are told, in days back.
const MINUTES_BACK: i32 = 366;
/// Trades that are told.
const TRADES: usize = 30;
/// Levels of a book.
const LEVELS: i32 = 10;
/// Sessions of a year.
const YEAR: usize = 250;

/// Today so far; the last session where none has begun.
fn today(view: &View<'_>) -> Result<Span, Failure> {
    view.days(true).next().ok_or_else(Failure::no_data)
}

/// Shares of a company: invented, and the same always.
pub(super) fn shares(code: &str) -> f64 {
    let draw = code.bytes().fold(7, |sum, byte| mix(sum, byte.into(), 1));
    (10_000_000 + draw % 400_000_000) as f64
}

pub(super) fn price(view: &View<'_>) -> Result<Value, Failure> {
    let day = today(view)?;
    let [open, high, low, last] = day.prices;
    let change = day.change();
    let yesterday = view.days(true).nth(1);
    let before_volume = yesterday.map_or(1, |before| before.volume).max(1);
    let [(year_high, high_on), (year_low, low_on)] = view.extremes(YEAR);
    let (high_on, low_on) = (clock::day(high_on), clock::day(low_on));
    let count = shares(view.stock.code);
    let (earned, book) = ((last / 12.0).round(), (last * 0.8).round());
    let [top, bottom] = limits(view, day.before);
    let pivot = (high + low + last) / 3.0;
    let is_fund = view.stock.board == Board::Etf;
    let rate_to = |extreme: f64| percent(last - extreme, extreme);
    let average = if day.volume > 0 { day.value / day.volume as f64 } else { last };
    let output = json!({
        "iscd_stat_cls_code": "55", "marg_rate": "20.00",
        "rprs_mrkt_kor_name": market_name(view.stock.board), "new_hgpr_lwpr_cls_code": "",
        "bstp_kor_isnm": view.stock.sector, "temp_stop_yn": "N", "oprc_rang_cont_yn": "N",
        "clpr_rang_cont_yn": "N", "crdt_able_yn": "Y", "grmn_rate_cls_code": "40",
        "elw_pblc_yn": "N", "stck_prpr": whole(last), "prdy_vrss": whole(change),
        "prdy_vrss_sign": sign(change), "prdy_ctrt": percent(change, day.before),
        "acml_tr_pbmn": whole(day.value), "acml_vol": day.volume.to_string(),
        "prdy_vrss_vol_rate": percent(day.volume as f64, before_volume as f64),
        "stck_oprc": whole(open), "stck_hgpr": whole(high), "stck_lwpr": whole(low),
        "stck_mxpr": whole(top), "stck_llam": whole(bottom), "stck_sdpr": whole(day.before),
        "wghn_avrg_stck_prc": format!("{average:.2}"), "hts_frgn_ehrt": "31.20",
        "frgn_ntby_qty": "0", "pgtr_ntby_qty": "0",
    });
    let worth = json!({
        "pvt_scnd_dmrs_prc": whole(pivot + (high - low)),
        "pvt_frst_dmrs_prc": whole(2.0 * pivot - low), "pvt_pont_val": whole(pivot),
        "pvt_frst_dmsp_prc": whole(2.0 * pivot - high),
        "pvt_scnd_dmsp_prc": whole(pivot - (high - low)), "dmrs_val": whole(2.0 * pivot - low),
        "dmsp_val": whole(2.0 * pivot - high), "cpfn": whole(count * 100.0 / 1e8),
        "rstc_wdth_prc": whole(top - day.before), "stck_fcam": "100",
        "stck_sspr": whole(day.before * 0.8), "aspr_unit": whole(view.step(last)),
        "hts_deal_qty_unit_val": "1", "lstn_stcn": whole(count),
        "hts_avls": whole(last * count / 1e8), "per": if is_fund { "0.00" } else { "12.00" },
        "pbr": if is_fund { "0.00" } else { "1.25" }, "stac_month": "12",
        "vol_tnrt": percent(day.volume as f64, count), "eps": format!("{earned:.2}"),
        "bps": format!("{book:.2}"), "d250_hgpr": whole(year_high), "d250_hgpr_date": high_on,
        "d250_hgpr_vrss_prpr_rate": rate_to(year_high), "d250_lwpr": whole(year_low),
        "d250_lwpr_date": low_on, "d250_lwpr_vrss_prpr_rate": rate_to(year_low),
    });
    let more = json!({
        "stck_dryy_hgpr": whole(year_high), "dryy_hgpr_vrss_prpr_rate": rate_to(year_high),
        "dryy_hgpr_date": high_on, "stck_dryy_lwpr": whole(year_low),
        "dryy_lwpr_vrss_prpr_rate": rate_to(year_low), "dryy_lwpr_date": low_on,
        "w52_hgpr": whole(year_high), "w52_hgpr_vrss_prpr_ctrt": rate_to(year_high),
        "w52_hgpr_date": high_on, "w52_lwpr": whole(year_low),
        "w52_lwpr_vrss_prpr_ctrt": rate_to(year_low), "w52_lwpr_date": low_on,
        "whol_loan_rmnd_rate": "0.10", "ssts_yn": "Y", "stck_shrn_iscd": view.stock.code,
        "fcam_cnnm": "원", "cpfn_cnnm": "원", "apprch_rate": "0.00", "frgn_hldn_qty": "0",
        "vi_cls_code": "N", "ovtm_vi_cls_code": "N", "last_ssts_cntg_qty": "0",
        "invt_caful_yn": "N", "mrkt_warn_cls_code": "00", "short_over_yn": "N", "sltr_yn": "N",
        "mang_issu_cls_code": "N",
    });
    Ok(success([("output", joined(joined(output, worth), more))]))
}

/// The highest and the lowest price of a day: 30 % from the close before.
fn limits(view: &View<'_>, before: f64) -> [f64; 2] {
    let on_grid = |price: f64| {
        let step = view.step(price);
        (price / step).floor() * step
    };
    [on_grid(before * 1.3), on_grid(before * 0.7) + view.step(before * 0.7)]
}

pub(super) fn market_name(board: Board) -> &'static str {
    match board {
        Board::Kospi => "KOSPI",
        Board::Kosdaq => "KOSDAQ",
        Board::Etf => "ETF",
        Board::Overseas(exchange) => exchange,
    }
}

/// The price of a fund, with what it holds.
pub(super) fn fund_price(view: &View<'_>) -> Result<Value, Failure> {
    if view.stock.board != Board::Etf {
        return Err(Failure::unknown_symbol());
    }
    let day = today(view)?;
    let [open, high, low, last] = day.prices;
    let (change, count) = (day.change(), shares(view.stock.code));
    let [top, bottom] = limits(view, day.before);
    let yesterday = view.days(true).nth(1);
    // What it holds is worth a little more than it costs.
    let (nav, nav_before) = (last * 1.0004, day.before * 1.0004);
    let output = json!({
        "stck_prpr": whole(last), "prdy_vrss_sign": sign(change), "prdy_vrss": whole(change),
        "prdy_ctrt": percent(change, day.before), "acml_vol": day.volume.to_string(),
        "prdy_vol": yesterday.map_or(0, |day| day.volume).to_string(), "stck_mxpr": whole(top),
        "stck_llam": whole(bottom), "stck_prdy_clpr": whole(day.before), "stck_oprc": whole(open),
        "prdy_clpr_vrss_oprc_rate": percent(open - day.before, day.before),
        "stck_hgpr": whole(high), "prdy_clpr_vrss_hgpr_rate": percent(high - day.before, day.before),
        "stck_lwpr": whole(low), "prdy_clpr_vrss_lwpr_rate": percent(low - day.before, day.before),
        "prdy_last_nav": format!("{nav_before:.2}"), "nav": format!("{nav:.2}"),
        "nav_prdy_vrss": format!("{:.2}", nav - nav_before), "nav_prdy_vrss_sign": sign(change),
        "nav_prdy_ctrt": percent(nav - nav_before, nav_before), "trc_errt": "0.20",
        "stck_sdpr": whole(day.before), "stck_sspr": whole(day.before * 0.8),
        "etf_crcl_stcn": whole(count), "etf_ntas_ttam": whole(nav * count / 1e8),
        "etf_frcr_ntas_ttam": "0", "frgn_limt_rate": "0.00", "frgn_oder_able_qty": "0",
        "etf_cu_unit_scrt_cnt": "50000", "etf_cnfg_issu_cnt": "200", "etf_dvdn_cycl": "3",
        "crcd": "KRW", "etf_target_nmix_bstp_code": "2001", "etf_div_name": view.stock.sector,
        "etf_rprs_bstp_kor_isnm": view.stock.name, "etf_vltn_trtr": "0",
        "dprt": percent(last - nav, nav), "acml_tr_pbmn": whole(day.value), "lp_hldn_rate": "0.00",
    });
    Ok(success([("output", output)]))
}

/// The last trades, newest first. Their number is 30, fewer only on the first minutes of a session.
pub(super) fn last_trades(view: &View<'_>) -> Result<Value, Failure> {
    let before = today(view)?.before;
    let row = |trade: &Trade| {
        let change = trade.price - before;
        json!({
            "stck_cntg_hour": clock::time_in_seoul(trade.at), "stck_prpr": whole(trade.price),
            "prdy_vrss": whole(change), "prdy_vrss_sign": sign(change),
            "cntg_vol": trade.quantity.to_string(), "tday_rltv": "100.00",
            "prdy_ctrt": percent(change, before),
        })
    };
    let rows: Value = view.trades(TRADES).iter().map(row).collect();
    Ok(success([("output", rows)]))
}

/// Prices and quantities of a book, from the best on.
pub(super) fn levels(view: &View<'_>) -> Result<Vec<[i64; 4]>, Failure> {
    let last = today(view)?.prices[3];
    let size =
        |price: f64| (mix(price as u64, view.stock.code.len() as u64, 3) % 9_000 + 50) as i64;
    let (mut ask, mut bid) = (last, last);
    let mut level = |_| {
        ask += view.step(ask);
        let told = [ask as i64, bid as i64, size(ask), size(bid)];
        bid -= view.step(bid - 1.0);
        told
    };
    Ok((0..LEVELS).map(&mut level).collect())
}

pub(super) fn book(view: &View<'_>) -> Result<Value, Failure> {
    let day = today(view)?;
    let levels = levels(view)?;
    let (mut output, mut totals) = (serde_json::Map::new(), [0, 0]);
    output.insert("aspr_acpt_hour".into(), json!(clock::time_in_seoul(view.now)));
    for (i, [ask, bid, asked, wanted]) in levels.iter().enumerate() {
        let n = i + 1;
        for (name, value) in
            [("askp", ask), ("bidp", bid), ("askp_rsqn", asked), ("bidp_rsqn", wanted)]
        {
            output.insert(format!("{name}{n}"), json!(value.to_string()));
        }
        output.insert(format!("askp_rsqn_icdc{n}"), json!("0"));
        output.insert(format!("bidp_rsqn_icdc{n}"), json!("0"));
        totals = [totals[0] + asked, totals[1] + wanted];
    }
    for (name, value) in [
        ("total_askp_rsqn", totals[0]),
        ("total_bidp_rsqn", totals[1]),
        ("total_askp_rsqn_icdc", 0),
        ("total_bidp_rsqn_icdc", 0),
        ("ovtm_total_askp_icdc", 0),
        ("ovtm_total_bidp_icdc", 0),
        ("ovtm_total_askp_rsqn", 0),
        ("ovtm_total_bidp_rsqn", 0),
        ("ntby_aspr_rsqn", totals[1] - totals[0]),
    ] {
        output.insert(name.to_owned(), json!(value.to_string()));
    }
    output.insert("new_mkop_cls_code".into(), json!("20"));
    let [open, high, low, last] = day.prices.map(whole);
    let expected = json!({
        "antc_mkop_cls_code": "030", "stck_prpr": last, "stck_oprc": open, "stck_hgpr": high,
        "stck_lwpr": low, "stck_sdpr": whole(day.before), "antc_cnpr": "0",
        "antc_cntg_vrss_sign": "3", "antc_cntg_vrss": "0", "antc_cntg_prdy_ctrt": "0.00",
        "antc_vol": "0", "stck_shrn_iscd": view.stock.code, "vi_cls_code": "N",
    });
    Ok(success([("output1", Value::Object(output)), ("output2", expected)]))
}

/// What a parameter must have.
fn given<'a>(ask: &'a Ask, name: &str) -> Result<&'a str, Failure> {
    let value = ask.param(name);
    if value.is_empty() { Err(Failure::missing(name)) } else { Ok(value) }
}

fn date(ask: &Ask, name: &str) -> Result<Day, Failure> {
    clock::read_day(given(ask, name)?).ok_or_else(|| Failure::malformed(name))
}

/// Days, weeks, months or years, newest first.
pub(super) fn chart(view: &View<'_>, ask: &Ask, has_holes: bool) -> Result<Value, Failure> {
    let (from, to) = (date(ask, "fid_input_date_1")?, date(ask, "fid_input_date_2")?);
    let period = given(ask, "fid_period_div_code")?;
    if !["D", "W", "M", "Y"].contains(&period) {
        return Err(Failure::malformed("fid_period_div_code"));
    }
    let is_adjusted = match given(ask, "fid_org_adj_prc")? {
        "0" => true,
        "1" => false,
        _ => return Err(Failure::malformed("fid_org_adj_prc")),
    };
    let days = view.days(is_adjusted).skip_while(|day| day.day > to);
    let days = days.take_while(|day| day.day >= from);
    let rows = grouped(days, (period, DAILY_ROWS));
    let mut told: Vec<Value> = rows.iter().map(daily_row).collect();
    if has_holes {
        let holes = told.len().min(2);
        told.truncate(told.len() - holes);
        told.extend(std::iter::repeat_n(json!({}), holes));
    }
    let now = today(view)?;
    let yesterday = view.days(true).nth(1).unwrap_or(now);
    let [open, high, low, last] = now.prices.map(whole);
    let [open_before, high_before, low_before, _] = yesterday.prices.map(whole);
    let [top, bottom] = limits(view, now.before);
    let count = shares(view.stock.code);
    let output1 = json!({
        "prdy_vrss": whole(now.change()), "prdy_vrss_sign": sign(now.change()),
        "prdy_ctrt": percent(now.change(), now.before), "stck_prdy_clpr": whole(now.before),
        "acml_vol": now.volume.to_string(), "acml_tr_pbmn": whole(now.value),
        "hts_kor_isnm": view.stock.name, "stck_prpr": last, "stck_shrn_iscd": view.stock.code,
        "prdy_vol": yesterday.volume.to_string(), "stck_mxpr": whole(top),
        "stck_llam": whole(bottom), "stck_oprc": open, "stck_hgpr": high, "stck_lwpr": low,
        "stck_prdy_oprc": open_before, "stck_prdy_hgpr": high_before,
        "stck_prdy_lwpr": low_before, "askp": whole(now.prices[3] + view.step(now.prices[3])),
        "bidp": last, "prdy_vrss_vol": (now.volume - yesterday.volume).to_string(),
        "vol_tnrt": percent(now.volume as f64, count), "stck_fcam": "100",
        "lstn_stcn": whole(count), "cpfn": whole(count * 100.0),
        "hts_avls": whole(now.prices[3] * count / 1e8), "per": "12.00",
        "eps": whole(now.prices[3] / 12.0), "pbr": "1.25", "itewhol_loan_rmnd_ratem": "0.10",
    });
    Ok(success([("output1", output1), ("output2", Value::Array(told))]))
}

/// Spans of days, newest first, joined by weeks, months or years; a span is named after its first session.
pub(super) fn grouped(
    days: impl Iterator<Item = Span>,
    (period, most): (&str, usize),
) -> Vec<Span> {
    let group = |day: Day| {
        let (year, month, _) = day.civil();
        match period {
            "W" => day.days() - day.days_from_monday(),
            "M" => year * 12 + month as i32,
            "Y" => year,
            _ => day.days(),
        }
    };
    let mut rows: Vec<Span> = Vec::new();
    for day in days {
        let count = rows.len();
        match rows.last_mut().filter(|sum| group(sum.day) == group(day.day)) {
            Some(sum) => {
                let mut joined = day;
                joined.absorb(sum);
                *sum = joined;
            }
            None if count == most => break,
            None => rows.push(day),
        }
    }
    rows
}

fn daily_row(span: &Span) -> Value {
    let [open, high, low, close] = span.prices.map(whole);
    let share = if span.split > 1.0 { 1.0 / span.split } else { 0.0 };
    json!({
        "stck_bsop_date": clock::day(span.day), "stck_clpr": close, "stck_oprc": open,
        "stck_hgpr": high, "stck_lwpr": low, "acml_vol": span.volume.to_string(),
        "acml_tr_pbmn": whole(span.value), "flng_cls_code": "00",
        "prtt_rate": format!("{share:.2}"), "mod_yn": "N", "prdy_vrss_sign": sign(span.change()),
        "prdy_vrss": whole(span.change()), "revl_issu_reas": "",
    })
}

/// Minutes of today up to an hour, newest first; of earlier sessions too where they are asked for.
pub(super) fn minutes_today(view: &View<'_>, ask: &Ask) -> Result<Value, Failure> {
    let until = given(ask, "fid_input_hour_1")?;
    let until = clock::read_time(until).ok_or_else(|| Failure::malformed("fid_input_hour_1"))?;
    let with_past = ask.param("fid_pw_data_incu_yn").eq_ignore_ascii_case("Y");
    let hours = view.series.listing.hours;
    let mut days = view.session_days();
    let newest = days.next().ok_or_else(Failure::no_data)?;
    let midnight = hours.midnight(newest);
    let close = hours.session(newest).map_or(0, |(_, close)| close);
    let mut rows = view.minutes(newest);
    // Minutes that are still to come are told as well, with the last price: the caller must know the time.
    if let Some(last) = rows.last().copied() {
        let end = (midnight + until).min(close - 60);
        let still = (1..).map(|i| last.at + i * 60).take_while(|at| *at <= end);
        let flat = |at| Span { at, prices: [last.prices[3]; 4], volume: 0, value: 0.0, ..last };
        rows.extend(still.map(flat).collect::<Vec<Span>>());
    }
    rows.retain(|row| row.at <= midnight + until);
    if with_past && rows.len() < MINUTES_TODAY {
        let before = days.next().map(|day| view.minutes(day)).unwrap_or_default();
        rows.splice(0..0, before);
    }
    let rows: Vec<Value> = minute_rows(&rows).into_iter().rev().take(MINUTES_TODAY).collect();
    Ok(success([("output1", minute_head(view)?), ("output2", Value::Array(rows))]))
}

/// Minutes of a day of the last year, newest first.
pub(super) fn minutes_past(view: &View<'_>, ask: &Ask) -> Result<Value, Failure> {
    let day = date(ask, "fid_input_date_1")?;
    let until = given(ask, "fid_input_hour_1")?;
    let until = clock::read_time(until).ok_or_else(|| Failure::malformed("fid_input_hour_1"))?;
    let today = view.series.listing.hours.day_of(view.now);
    let last = view.series.listing.hours.midnight(day) + until;
    let mut rows =
        if today.days() - day.days() > MINUTES_BACK { Vec::new() } else { view.minutes(day) };
    rows.retain(|row| row.at <= last);
    let rows: Vec<Value> = minute_rows(&rows).into_iter().rev().take(MINUTES_PAST).collect();
    Ok(success([("output1", minute_head(view)?), ("output2", Value::Array(rows))]))
}

fn minute_head(view: &View<'_>) -> Result<Value, Failure> {
    let now = today(view)?;
    Ok(json!({
        "prdy_vrss": whole(now.change()), "prdy_vrss_sign": sign(now.change()),
        "prdy_ctrt": percent(now.change(), now.before), "stck_prdy_clpr": whole(now.before),
        "acml_vol": now.volume.to_string(), "acml_tr_pbmn": whole(now.value),
        "hts_kor_isnm": view.stock.name, "stck_prpr": whole(now.prices[3]),
    }))
}

/// Rows oldest first; their value is that of the day until then.
fn minute_rows(spans: &[Span]) -> Vec<Value> {
    let (mut value, mut day) = (0.0, None);
    let row = |span: &Span| {
        if day.replace(span.day) != Some(span.day) {
            value = 0.0;
        }
        value += span.value;
        let [open, high, low, close] = span.prices.map(whole);
        json!({
            "stck_bsop_date": clock::day(span.day),
            "stck_cntg_hour": clock::time_in_seoul(span.at), "stck_prpr": close,
            "stck_oprc": open, "stck_hgpr": high, "stck_lwpr": low,
            "cntg_vol": span.volume.to_string(), "acml_tr_pbmn": whole(value),
        })
    };
    spans.iter().map(row).collect()
}
