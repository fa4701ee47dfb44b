//! Prices of the moment. On the server for practice every symbol of Seoul has the call for shares. In Seoul a share and a fund have calls of their own: which of them a symbol
//! is says the registry (which knows the master files, once imported), else KIS itself where the call
//! for shares has nothing. Abroad the market is looked for once.

use finstage_model::{Price, Symbol, Timestamp};
use finstage_net::{Request, Response};
use serde::Deserialize;

use super::about::{self, Product};
use super::answer::content;
use super::place::{Exchange, Place};
use super::{Kis, Known, error};
use crate::account::Server;
use crate::prices::{PriceAnswer, PriceQuery, Quotation};
use crate::registry;
use crate::{DecodeError, DecodeErrorKind};

/// Steps of a question about Seoul.
const PRICE: u32 = 0;
const WHAT_IS_IT: u32 = 1;
const AGAIN: u32 = 2;

/// `{"output":{"stck_prpr":"71900",…}}`
#[derive(Deserialize)]
struct Priced {
    output: Option<Seoul>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Seoul {
    stck_prpr: String,
}

/// `{"output":{"rsym":"DNASAAPL","base":"226.0000","last":"227.6300",…}}`
#[derive(Deserialize)]
struct PricedAbroad {
    output: Option<Abroad>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Abroad {
    /// The close before.
    base: String,
    /// Empty before the first trade of a day, and where the symbol is not listed.
    last: String,
}

const SEOUL: &str = "/uapi/domestic-stock/v1/quotations";
const FUNDS: &str = "/uapi/etfetn/v1/quotations";

pub(super) fn request(kis: &Kis, query: &PriceQuery) -> Option<Request> {
    let symbol = query.symbols.first()?;
    Some(match Place::of(symbol) {
        Place::Seoul(code) if query.step == WHAT_IS_IT => about::request_seoul(kis, code),
        Place::Seoul(code) => {
            let (folder, tr_id) = match is_fund(kis, symbol) {
                true => (FUNDS, "FHPST02400000"),
                false => (SEOUL, "FHKST01010100"),
            };
            kis.get(&format!("{folder}/inquire-price"), tr_id)
                .query("FID_COND_MRKT_DIV_CODE", "J")
                .query("FID_INPUT_ISCD", code)
        }
        Place::Abroad { name, exchange } => {
            let learned = kis.exchange(symbol, exchange);
            let searched = Exchange::SEARCHED.get(query.step as usize).copied();
            request_abroad(kis, (learned.or(searched)?, name))
        }
    })
}

/// Also how it is found out where a symbol is listed.
pub(super) fn request_abroad(kis: &Kis, (exchange, name): (Exchange, &str)) -> Request {
    kis.get("/uapi/overseas-price/v1/quotations/price", "HHDFS00000300")
        .query("AUTH", "")
        .query("EXCD", exchange.code)
        .query("SYMB", name)
}

pub(super) fn read(
    kis: &Kis,
    query: &PriceQuery,
    response: &Response,
    ts_recv: Timestamp,
) -> Result<PriceAnswer, DecodeError> {
    let Some(symbol) = query.symbols.first() else { return Ok(PriceAnswer::default()) };
    match Place::of(symbol) {
        Place::Seoul(_) if query.step == WHAT_IS_IT => described(kis, symbol, response),
        Place::Seoul(_) => priced(kis, query, response, ts_recv),
        Place::Abroad { exchange, .. } => abroad(kis, (query, exchange), response, ts_recv),
    }
}

fn is_fund(kis: &Kis, symbol: &Symbol) -> bool {
    match kis.knows(symbol) {
        _ if kis.account.server == Server::Mock => false,
        Some(known) => known == Known::Fund,
        None => registry::find(symbol)
            .is_some_and(|row| row.category.coarse() == finstage_model::Category::Etf),
    }
}

fn priced(
    kis: &Kis,
    query: &PriceQuery,
    response: &Response,
    at: Timestamp,
) -> Result<PriceAnswer, DecodeError> {
    let Some(symbol) = query.symbols.first() else { return Ok(PriceAnswer::default()) };
    let told = content::<Priced>("a price", response)
        .map(|priced| priced.output.and_then(|output| price(&output.stck_prpr)));
    let refused = match told {
        Ok(Some(price)) => {
            let quotation = Quotation { price, currency: Some("KRW".to_owned()), at };
            return Ok(PriceAnswer::of(symbol, Ok(quotation)));
        }
        Ok(None) => no_such(symbol),
        Err(why)
            if matches!(why.kind(), DecodeErrorKind::Refused | DecodeErrorKind::NoSuchSymbol) =>
        {
            why
        }
        Err(why) => return Err(why),
    };
    let is_unknown = kis.knows(symbol).is_none() && kis.account.server == Server::Real;
    if query.step == PRICE && is_unknown {
        let next = PriceQuery { symbols: query.symbols.clone(), step: WHAT_IS_IT };
        return Ok(PriceAnswer::after(next));
    }
    Err(refused)
}

/// What the symbol is; the other call then asks for its price.
fn described(kis: &Kis, symbol: &Symbol, response: &Response) -> Result<PriceAnswer, DecodeError> {
    let product = Product::of(response)?.ok_or_else(|| no_such(symbol))?;
    let was_fund = is_fund(kis, symbol);
    let is_fund = product.is_fund();
    kis.learn(symbol, if is_fund { Known::Fund } else { Known::Share });
    if is_fund == was_fund {
        return Err(error(DecodeErrorKind::Refused, format!("{} has no price now", symbol.name())));
    }
    Ok(PriceAnswer::after(PriceQuery { symbols: vec![symbol.clone()], step: AGAIN }))
}

fn abroad(
    kis: &Kis,
    (query, named): (&PriceQuery, Option<Exchange>),
    response: &Response,
    at: Timestamp,
) -> Result<PriceAnswer, DecodeError> {
    let Some(symbol) = query.symbols.first() else { return Ok(PriceAnswer::default()) };
    let learned = kis.exchange(symbol, named);
    let asked = learned.or_else(|| Exchange::SEARCHED.get(query.step as usize).copied());
    let Some(asked) = asked else { return Err(no_such(symbol)) };
    if let Some(price) = find_abroad(response)? {
        if named.is_none() {
            kis.learn(symbol, Known::Listed(asked));
        }
        let quotation = Quotation { price, currency: Some(asked.currency.to_owned()), at };
        return Ok(PriceAnswer::of(symbol, Ok(quotation)));
    }
    let next = query.step + 1;
    if learned.is_some() || next as usize >= Exchange::SEARCHED.len() {
        return Err(no_such(symbol));
    }
    Ok(PriceAnswer::after(PriceQuery { symbols: query.symbols.clone(), step: next }))
}

/// The price on a market abroad: the last one, before the first trade of a day the close before; `None`
/// where the symbol is not listed.
pub(super) fn find_abroad(response: &Response) -> Result<Option<Price>, DecodeError> {
    match content::<PricedAbroad>("a price", response) {
        Ok(priced) => {
            let output = priced.output.unwrap_or_default();
            Ok(price(&output.last).or_else(|| price(&output.base)))
        }
        Err(why)
            if matches!(why.kind(), DecodeErrorKind::Refused | DecodeErrorKind::NoSuchSymbol) =>
        {
            Ok(None)
        }
        Err(why) => Err(why),
    }
}

/// A price that is one: the venue writes 0 or nothing where there is none.
fn price(text: &str) -> Option<Price> {
    text.trim().parse().ok().filter(|price: &Price| price.nanos() > 0)
}

fn no_such(symbol: &Symbol) -> DecodeError {
    let what = format!("the venue knows no {}", symbol.name());
    error(DecodeErrorKind::NoSuchSymbol, what)
}
