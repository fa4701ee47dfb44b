//! The price of the moment, from the head of a chart: `/v8/finance/chart/{symbol}?range=1d`.

use finstage_model::{Symbol, Timestamp};
use finstage_net::{Request, Response};

use super::{USER_AGENT, Yahoo, answer, encoded, error};
use crate::prices::{PriceAnswer, PriceQuery, Quotation};
use crate::{DecodeError, DecodeErrorKind};

pub(super) fn request(yahoo: &Yahoo, query: &PriceQuery) -> Option<Request> {
    let symbol = query.symbols.first()?;
    let url = format!("{}/v8/finance/chart/{}", yahoo.host, encoded(symbol.name()));
    let request = Request::get(url).header("user-agent", USER_AGENT).header("accept", "*/*");
    Some(request.query("range", "1d").query("interval", "1d"))
}

pub(super) fn read(
    query: &PriceQuery,
    response: &Response,
    ts_recv: Timestamp,
) -> Result<PriceAnswer, DecodeError> {
    let Some(symbol) = query.symbols.first() else { return Ok(PriceAnswer::default()) };
    let text = response.text();
    let quotation = quotation(symbol, response.status, &text, ts_recv)?;
    Ok(PriceAnswer::of(symbol, Ok(quotation)))
}

fn quotation(
    symbol: &Symbol,
    status: u16,
    text: &str,
    ts_recv: Timestamp,
) -> Result<Quotation, DecodeError> {
    let nothing =
        || error(DecodeErrorKind::NoSuchSymbol, format!("no price of {} came", symbol.name()));
    let chart = answer(status, text)?.ok_or_else(nothing)?;
    let (price, at) = chart.last_price().ok_or_else(nothing)?;
    Ok(Quotation { price, currency: chart.currency(), at: at.unwrap_or(ts_recv) })
}
