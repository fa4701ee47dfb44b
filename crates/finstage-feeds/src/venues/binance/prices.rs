//! `GET /api/v3/ticker/price`: one symbol for 2 units of weight, a list of them for 4.
//!
//! One symbol that the venue does not know makes it refuse the whole list. The list is then asked for
//! in halves, until the one that is wrong stands alone: the others have their prices.

use finstage_model::{Symbol, Timestamp};
use finstage_net::{Request, Response};
use serde::Deserialize;

use super::{Binance, decimal, error, from_json, refusal};
use crate::prices::{PriceAnswer, PriceQuery, Quotation};
use crate::{DecodeError, DecodeErrorKind};

/// Symbols of one request: the address stays well below the 8 KB that servers take.
pub(super) const AT_ONCE: usize = 100;

const WEIGHT_OF_ONE: u32 = 2;
const WEIGHT_OF_MANY: u32 = 4;

/// What symbols are counted in, longest first where one ends another.
const QUOTES: [&str; 14] = [
    "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "JPY",
    "USD", "KRW",
];

/// `{"symbol":"BTCUSDT","price":"42850.10000000"}`
#[derive(Deserialize)]
struct Row<'a> {
    symbol: &'a str,
    price: &'a str,
}

pub(super) fn request(binance: &Binance, query: &PriceQuery) -> Request {
    let request = Request::get(format!("{}/api/v3/ticker/price", binance.endpoints.rest));
    match query.symbols.as_slice() {
        [one] => request.query("symbol", one.name()).cost("weight", WEIGHT_OF_ONE),
        many => {
            let names: Vec<&str> = many.iter().map(Symbol::name).collect();
            let list = serde_json::to_string(&names).expect("texts are JSON");
            request.query("symbols", list).cost("weight", WEIGHT_OF_MANY)
        }
    }
}

pub(super) fn read(
    query: &PriceQuery,
    response: &Response,
    ts_recv: Timestamp,
) -> Result<PriceAnswer, DecodeError> {
    let text = response.text();
    if response.is_page() {
        let what = format!("the venue answered HTML (status {})", response.status);
        return Err(error(DecodeErrorKind::Html, what));
    }
    if !response.is_success() {
        return refused(query, refusal(response.status, &text));
    }
    let rows: Vec<Row<'_>> = match query.symbols.as_slice() {
        [_] => vec![from_json("a price", &text)?],
        _ => from_json("prices", &text)?,
    };
    let tell = |symbol: &Symbol| {
        let row = rows.iter().find(|row| row.symbol == symbol.name());
        let row = row.ok_or_else(|| {
            error(DecodeErrorKind::Unknown, format!("no price of {} came", symbol.name()))
        });
        (symbol.clone(), row.and_then(|row| quotation(symbol, row.price, ts_recv)))
    };
    Ok(PriceAnswer { told: query.symbols.iter().map(tell).collect(), next: Vec::new() })
}

/// One of many is wrong: which one is asked in halves.
fn refused(query: &PriceQuery, why: DecodeError) -> Result<PriceAnswer, DecodeError> {
    let is_about_symbols =
        matches!(why.kind(), DecodeErrorKind::NoSuchSymbol | DecodeErrorKind::Refused);
    if query.symbols.len() < 2 || !is_about_symbols {
        return Err(why);
    }
    let (first, second) = query.symbols.split_at(query.symbols.len() / 2);
    let next = [first, second].map(|half| PriceQuery::new(half.to_vec())).into();
    Ok(PriceAnswer { told: Vec::new(), next })
}

fn quotation(symbol: &Symbol, price: &str, at: Timestamp) -> Result<Quotation, DecodeError> {
    let price: finstage_model::Price = decimal("price", "price", price)?;
    if price.nanos() <= 0 {
        let what = format!("{} has the price {price}", symbol.name());
        return Err(error(DecodeErrorKind::Implausible, what));
    }
    let currency = QUOTES.into_iter().find(|quote| symbol.name().ends_with(quote));
    Ok(Quotation { price, currency: currency.map(str::to_owned), at })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SymbolMap;
    use crate::venue::PollVenue as _;

    fn query(names: &[&str]) -> PriceQuery {
        let symbol = |name: &&str| format!("binance:{name}").parse().unwrap();
        PriceQuery::new(names.iter().map(symbol).collect())
    }

    fn read(names: &[&str], status: u16, body: &str) -> Result<PriceAnswer, DecodeErrorKind> {
        let response = Response { status, headers: Vec::new(), body: body.into() };
        super::read(&query(names), &response, Timestamp::EPOCH).map_err(|why| why.kind())
    }

    #[test]
    fn one_symbol_and_many_are_asked_as_the_venue_wants_it() {
        let venue = Binance::new(&super::super::PROFILE.endpoints(), SymbolMap::default());
        let one = venue.price_request(&query(&["BTCUSDT"])).unwrap();
        assert!(one.url().ends_with("/api/v3/ticker/price?symbol=BTCUSDT"), "{one}");
        let two = venue.price_request(&query(&["BTCUSDT", "ETHUSDT"])).unwrap();
        assert!(two.url().ends_with("?symbols=%5B%22BTCUSDT%22%2C%22ETHUSDT%22%5D"), "{two}");
        assert_eq!((one.costs()[0].amount, two.costs()[0].amount), (2, 4));
    }

    #[test]
    fn prices_keep_their_digits_and_belong_to_their_symbol() {
        let body =
            r#"[{"symbol":"ETHBTC","price":"0.04210000"},{"symbol":"BTCUSDT","price":"42850.10"}]"#;
        let answer = read(&["BTCUSDT", "ETHBTC", "BNBUSDT"], 200, body).unwrap();
        let told = |place: usize| match &answer.told[place] {
            (symbol, Ok(told)) => {
                format!("{symbol} {} {}", told.price, told.currency.as_deref().unwrap_or("-"))
            }
            (symbol, Err(why)) => format!("{symbol} {why}"),
        };
        assert_eq!(told(0), "binance:BTCUSDT 42850.1 USDT");
        assert_eq!(told(1), "binance:ETHBTC 0.0421 BTC");
        assert_eq!(told(2), "binance:BNBUSDT binance: no price of BNBUSDT came");
    }

    #[test]
    fn a_wrong_symbol_is_looked_for_in_halves_and_alone_it_is_an_error() {
        let invalid = r#"{"code":-1121,"msg":"Invalid symbol."}"#;
        let answer = read(&["A", "B", "C"], 400, invalid).unwrap();
        assert!(answer.told.is_empty());
        assert_eq!(answer.next, [query(&["A"]), query(&["B", "C"])]);
        assert_eq!(read(&["A"], 400, invalid), Err(DecodeErrorKind::NoSuchSymbol));
    }

    #[test]
    fn a_price_of_nothing_and_garbage_are_errors() {
        let zero = read(&["BTCUSDT"], 200, r#"{"symbol":"BTCUSDT","price":"0.000"}"#).unwrap();
        assert_eq!(zero.told[0].1.as_ref().unwrap_err().kind(), DecodeErrorKind::Implausible);
        assert_eq!(read(&["BTCUSDT"], 200, "{}"), Err(DecodeErrorKind::Malformed));
        assert_eq!(read(&["BTCUSDT"], 200, "<html>"), Err(DecodeErrorKind::Html));
    }
}
