//! What KIS says of an instrument: names, international number, kind. Seoul has a call of its own
//! (`CTPF1002R`); abroad the general one (`CTPF1604R`) is asked market by market.

use finstage_model::Symbol;
use finstage_net::{Request, Response};
use serde::Deserialize;

use super::Kis;
use super::answer::content;
use super::place::Place;
use crate::registry::ListingCategory;
use crate::venue::Description;
use crate::{DecodeError, DecodeErrorKind};

const FOLDER: &str = "/uapi/domestic-stock/v1/quotations";
/// Seoul, then Nasdaq, NYSE and NYSE American, as products are numbered.
const SEOUL: &str = "300";
const NEW_YORK: [&str; 3] = ["512", "513", "529"];

#[derive(Deserialize)]
struct Described {
    output: Option<Product>,
}

/// The fields of both calls that are read.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Product {
    prdt_name: String,
    prdt_eng_name: String,
    std_pdno: String,
    /// `ST` a share, `EF` a fund, `EN` a note; of Seoul only.
    scty_grp_id_cd: String,
}

impl Product {
    /// Reads an answer; `None` where the venue knows nothing.
    pub(super) fn of(response: &Response) -> Result<Option<Self>, DecodeError> {
        let product = match content::<Described>("a description", response) {
            Ok(described) => described.output.unwrap_or_default(),
            Err(why) if why.kind() == DecodeErrorKind::NoSuchSymbol => return Ok(None),
            Err(why) => return Err(why),
        };
        let is_there = !product.prdt_name.trim().is_empty() || !product.group().is_empty();
        Ok(is_there.then_some(product))
    }

    fn group(&self) -> &str {
        self.scty_grp_id_cd.trim()
    }

    pub(super) fn is_fund(&self) -> bool {
        matches!(self.group(), "EF" | "EN" | "FE" | "MF")
    }
}

pub(super) fn request_seoul(kis: &Kis, code: &str) -> Request {
    kis.get(&format!("{FOLDER}/search-stock-info"), "CTPF1002R")
        .query("PRDT_TYPE_CD", SEOUL)
        .query("PDNO", code)
}

/// The question of a step; `None` where there is none left.
pub(super) fn request(kis: &Kis, symbol: &Symbol, step: u32) -> Option<Request> {
    match Place::of(symbol) {
        Place::Seoul(code) => (step == 0).then(|| request_seoul(kis, code)),
        // Other markets abroad have other numbers, which nobody here has seen.
        Place::Abroad { name, exchange } => {
            let is_of_new_york = exchange.is_none_or(|exchange| exchange.currency == "USD");
            let product = NEW_YORK.get(step as usize).filter(|_| is_of_new_york)?;
            let request = kis.get(&format!("{FOLDER}/search-info"), "CTPF1604R");
            Some(request.query("PRDT_TYPE_CD", product).query("PDNO", name))
        }
    }
}

/// What an answer says; `None` where the next step may know more.
pub(super) fn read(
    symbol: &Symbol,
    response: &Response,
) -> Result<Option<Description>, DecodeError> {
    let Some(product) = Product::of(response)? else { return Ok(None) };
    let (is_of_seoul, currency) = match Place::of(symbol) {
        Place::Seoul(_) => (true, "KRW"),
        Place::Abroad { .. } => (false, "USD"),
    };
    let text = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let kind = if product.is_fund() { ListingCategory::Etf } else { ListingCategory::Stock };
    Ok(Some(Description {
        name: text(&product.prdt_eng_name),
        korean: text(&product.prdt_name),
        isin: text(&product.std_pdno),
        category: is_of_seoul.then_some(kind),
        currency: currency.to_owned(),
    }))
}
