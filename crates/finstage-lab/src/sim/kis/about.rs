//! What is known of a symbol beside its price, and which days are open.

use finstage_model::Day;
use serde_json::{Value, json};

use super::answer::{Failure, joined, success, whole};
use super::clock;
use super::domestic::shares;
use super::listings::{Board, Stock, domestic, overseas};
use crate::sim::charts::Hours;
use crate::sim::front::Ask;

/// Days of a calendar that are told at once.
const CALENDAR_DAYS: i32 = 24;

/// The international number: two letters, nine places, a check digit (ISO 6166).
pub(super) fn isin(stock: &Stock) -> String {
    let body = match stock.board {
        Board::Overseas(_) => format!("US{:0>9}", stock.code),
        _ => format!("KR7{}00", stock.code),
    };
    // Letters are two digits, 10 to 35; then every second digit from the right is doubled.
    let digits: String =
        body.chars().filter_map(|c| c.to_digit(36)).map(|n| n.to_string()).collect();
    let digits = digits.bytes().rev().map(|b| u32::from(b - b'0')).enumerate();
    let sum: u32 = digits
        .map(|(place, digit)| if place % 2 == 0 { digit * 2 } else { digit })
        .map(|n| n / 10 + n % 10)
        .sum();
    format!("{body}{}", (10 - sum % 10) % 10)
}

/// The kind of product of an exchange: 300 is a share of Seoul.
fn product(board: Board) -> &'static str {
    match board {
        Board::Overseas("NAS") => "512",
        Board::Overseas("NYS") => "513",
        Board::Overseas(_) => "529",
        _ => "300",
    }
}

fn find(ask: &Ask) -> Result<Stock, Failure> {
    let (code, kind) = (ask.param("pdno"), ask.param("prdt_type_cd"));
    if code.is_empty() {
        return Err(Failure::missing("pdno"));
    }
    let found = match kind {
        "" => return Err(Failure::missing("prdt_type_cd")),
        "300" => domestic(code),
        "512" => overseas("NAS", code),
        "513" => overseas("NYS", code),
        "529" => overseas("AMS", code),
        _ => None,
    };
    found.ok_or_else(Failure::no_data)
}

/// The long number of a product.
fn number(stock: &Stock) -> String {
    match stock.board {
        Board::Overseas(_) => stock.code.to_owned(),
        _ => format!("00000A{}", stock.code),
    }
}

/// `search-info`: names and numbers.
pub(super) fn product_info(ask: &Ask) -> Result<Value, Failure> {
    let stock = find(ask)?;
    let output = json!({
        "pdno": number(&stock), "prdt_type_cd": product(stock.board), "prdt_name": stock.name,
        "prdt_name120": stock.name, "prdt_abrv_name": stock.name, "prdt_eng_name": stock.english,
        "prdt_eng_name120": stock.english, "prdt_eng_abrv_name": stock.english,
        "std_pdno": isin(&stock), "shtn_pdno": stock.code, "prdt_sale_stat_cd": "",
        "prdt_risk_grad_cd": "", "prdt_clsf_cd": "101010", "prdt_clsf_name": stock.sector,
        "sale_strt_dt": "", "sale_end_dt": "", "wrap_asst_type_cd": "06", "ivst_prdt_type_cd": "",
        "ivst_prdt_type_cd_name": "", "frst_erlm_dt": "",
    });
    Ok(success([("output", output)]))
}

/// `search-stock-info`: a share of Seoul.
pub(super) fn stock_info(ask: &Ask) -> Result<Value, Failure> {
    let stock = find(ask)?;
    let is_fund = stock.board == Board::Etf;
    let (market, exchange) = match stock.board {
        Board::Kosdaq => ("KSQ", "03"),
        Board::Kospi | Board::Etf => ("STK", "02"),
        Board::Overseas(_) => return Err(Failure::no_data()),
    };
    let count = shares(stock.code);
    let listed = "20000104";
    let on = |is_so: bool| if is_so { listed } else { "" };
    let output = json!({
        "pdno": number(&stock), "prdt_type_cd": "300", "mket_id_cd": market,
        "scty_grp_id_cd": if is_fund { "EF" } else { "ST" }, "excg_dvsn_cd": exchange,
        "setl_mmdd": "1231", "lstg_stqt": whole(count), "lstg_cptl_amt": "0",
        "cpta": whole(count * 100.0), "papr": "100", "issu_pric": "0", "kospi200_item_yn": "N",
        "scts_mket_lstg_dt": on(market == "STK"), "scts_mket_lstg_abol_dt": "",
        "kosdaq_mket_lstg_dt": on(market == "KSQ"), "kosdaq_mket_lstg_abol_dt": "",
        "frbd_mket_lstg_dt": "", "frbd_mket_lstg_abol_dt": "", "reits_kind_cd": "",
        "etf_dvsn_cd": if is_fund { "1" } else { "" }, "oilf_fund_yn": "N",
        "idx_bztp_lcls_cd": "", "idx_bztp_mcls_cd": "", "idx_bztp_scls_cd": "",
        "stck_kind_cd": if is_fund { "" } else { "101" }, "mfnd_opng_dt": "", "mfnd_end_dt": "",
        "dpsi_erlm_cncl_dt": "", "etf_cu_qty": "0",
    });
    let more = json!({
        "prdt_name": stock.name,
        "prdt_name120": stock.name, "prdt_abrv_name": stock.name, "std_pdno": isin(&stock),
        "prdt_eng_name": stock.english, "prdt_eng_name120": stock.english,
        "prdt_eng_abrv_name": stock.english, "dpsi_aptm_erlm_yn": "Y", "etf_txtn_type_cd": "00",
        "etf_type_cd": "", "lstg_abol_dt": "", "nwst_odst_dvsn_cd": "", "sbst_pric": "0",
        "thco_sbst_pric": "0", "tr_stop_yn": "N", "admn_item_yn": "N", "thdt_clpr": "0",
        "bfdy_clpr": "0", "clpr_chng_dt": "", "std_idst_clsf_cd": "",
        "std_idst_clsf_cd_name": stock.sector, "idx_bztp_lcls_cd_name": stock.sector,
        "idx_bztp_mcls_cd_name": stock.sector, "idx_bztp_scls_cd_name": stock.sector,
        "ocr_no": "", "crfd_item_yn": "N", "elec_scty_yn": "Y", "nxt_tr_stop_yn": "N",
    });
    Ok(success([("output", joined(output, more))]))
}

/// `chk-holiday`: days from one on.
pub(super) fn calendar(ask: &Ask) -> Result<Value, Failure> {
    let text = ask.param("bass_dt");
    if text.is_empty() {
        return Err(Failure::missing("bass_dt"));
    }
    let first = clock::read_day(text).ok_or_else(|| Failure::malformed("bass_dt"))?;
    let day = |ahead: i32| {
        let day = Day::from_days(first.days() + ahead);
        let yes = |is_so: bool| if is_so { "Y" } else { "N" };
        let is_open = Hours::Seoul.session(day).is_some();
        // Sunday is the first day of a week here.
        let weekday = (day.days_from_monday() + 1) % 7 + 1;
        json!({
            "bass_dt": clock::day(day), "wday_dvsn_cd": format!("{weekday:02}"),
            "bzdy_yn": yes(is_open), "tr_day_yn": yes(is_open), "opnd_yn": yes(is_open),
            "sttl_day_yn": yes(is_open),
        })
    };
    Ok(success([("output", (0..CALENDAR_DAYS).map(day).collect())]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_check_digits() {
        // The published numbers of two companies.
        assert_eq!(isin(&domestic("005930").unwrap()), "KR7005930003");
        assert_eq!(isin(&domestic("000660").unwrap()), "KR7000660001");
    }
}
