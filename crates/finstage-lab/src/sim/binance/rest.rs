//! The venue's REST interface as a pure function: a question and a market give a status and a body.

use finstage_model::Timestamp;

use super::wire::{self, DayTicker, Writer};
use crate::sim::market::{BarQuery, Listing, Market, SimTrade};

/// A question: path and decoded parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question<'a> {
    pub(crate) path: &'a str,
    pub(crate) params: &'a [(String, String)],
}

/// An error of the venue: HTTP status, code and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) code: i32,
    pub(crate) msg: String,
}

impl ApiError {
    pub(crate) fn new(status: u16, code: i32, msg: impl Into<String>) -> Self {
        Self { status, code, msg: msg.into() }
    }

    /// The body the venue sends.
    pub(crate) fn body(&self) -> String {
        serde_json::json!({ "code": self.code, "msg": self.msg }).to_string()
    }
}

/// Request weight of a question.
pub(crate) fn weight(question: &Question<'_>) -> u32 {
    let several = |one, few, many, all| match (question.get("symbol"), question.get("symbols")) {
        (Some(_), _) => one,
        (None, Some(list)) => match list.matches(',').count() + 1 {
            ..=20 => few,
            21..=100 => many,
            _ => all,
        },
        (None, None) => all,
    };
    match question.path.strip_prefix("/api/v3/").unwrap_or_default() {
        "exchangeInfo" => 20,
        "depth" => match question.get("limit").and_then(|n| n.parse().ok()).unwrap_or(100_u32) {
            ..=100 => 5,
            101..=500 => 25,
            501..=1_000 => 50,
            _ => 250,
        },
        "trades" | "historicalTrades" => 25,
        "aggTrades" => 4,
        "klines" | "uiKlines" | "avgPrice" => 2,
        "ticker/24hr" => several(2, 2, 40, 80),
        "ticker/price" | "ticker/bookTicker" => several(2, 4, 4, 4),
        _ => 1,
    }
}

/// Answers a question about the market as it is at `now`.
pub(crate) fn answer(
    market: &Market,
    question: &Question<'_>,
    now: Timestamp,
) -> Result<Vec<u8>, ApiError> {
    let mut out = Vec::new();
    let Some(name) = question.path.strip_prefix("/api/v3/") else {
        return Err(no_such_path(question.path));
    };
    match name {
        "ping" => out.extend_from_slice(b"{}"),
        "time" => {
            Writer::new(&mut out, 8).text(r#"{"serverTime":"#).int(now.millis()).text("}");
        }
        "exchangeInfo" => {
            let symbols = question.symbols(market)?;
            let chosen: Vec<&Listing> = match &symbols {
                Symbols::One(i) => listing(market, *i).into_iter().collect(),
                Symbols::Several(several) => {
                    several.iter().filter_map(|i| listing(market, *i)).collect()
                }
            };
            wire::exchange_info(&mut out, &chosen, now);
        }
        "klines" | "uiKlines" => klines(market, question, &mut out)?,
        "depth" => {
            let (symbol, listing) = question.symbol(market)?;
            let levels = question.limit(100, 5_000)?;
            wire::depth(
                &mut out,
                listing,
                update_id(market, symbol),
                &market.depth(symbol, levels),
            );
        }
        "trades" | "historicalTrades" | "aggTrades" => trades(market, question, &mut out)?,
        "avgPrice" => {
            let (symbol, listing) = question.symbol(market)?;
            let stats = market.day_stats(symbol).ok_or_else(nothing_yet)?;
            let newest = BarQuery::newest(symbol, stats.kline.bar.interval, 5);
            let mut rows = market.klines(&newest).into_iter();
            let mut sum = rows.next().unwrap_or(stats.kline);
            rows.for_each(|row| sum.absorb(&row));
            wire::average(&mut out, listing, &sum, now);
        }
        "ticker/24hr" | "ticker/price" | "ticker/bookTicker" => {
            tickers(market, (question, name, now), &mut out)?;
        }
        _ => return Err(no_such_path(question.path)),
    }
    Ok(out)
}

fn klines(market: &Market, question: &Question<'_>, out: &mut Vec<u8>) -> Result<(), ApiError> {
    let (symbol, listing) = question.symbol(market)?;
    let interval = wire::interval_named(question.required("interval")?)
        .ok_or_else(|| ApiError::new(400, -1120, "Invalid interval."))?;
    let query = BarQuery {
        symbol,
        interval,
        from: question.time("startTime")?,
        to: question.time("endTime")?,
        limit: question.limit(500, 1_000)?,
    };
    wire::klines(out, listing, &market.klines(&query));
    Ok(())
}

fn trades(market: &Market, question: &Question<'_>, out: &mut Vec<u8>) -> Result<(), ApiError> {
    let (symbol, listing) = question.symbol(market)?;
    let limit = question.limit(500, 1_000)?;
    let from_id = question.int("fromId")?.map(i64::unsigned_abs);
    let (from, to) = (question.time("startTime")?, question.time("endTime")?);
    let wanted = |trade: &&SimTrade| {
        from_id.is_none_or(|id| id <= trade.id)
            && from.is_none_or(|from| from <= trade.at)
            && to.is_none_or(|to| trade.at <= to)
    };
    let kept = market.recent_trades(symbol).filter(wanted).copied();
    let mut rows: Vec<SimTrade> = kept.collect();
    if from_id.is_some() || from.is_some() {
        rows.truncate(limit);
    } else {
        rows.drain(..rows.len().saturating_sub(limit));
    }
    if question.path.ends_with("aggTrades") {
        wire::agg_trades(out, listing, &rows);
    } else {
        wire::trades(out, listing, &rows);
    }
    Ok(())
}

fn tickers(
    market: &Market,
    (question, name, now): (&Question<'_>, &str, Timestamp),
    out: &mut Vec<u8>,
) -> Result<(), ApiError> {
    let mini = question.get("type") == Some("MINI");
    let one = |symbol: u32, out: &mut Vec<u8>| {
        let (listing, ticker) = listing(market, symbol).zip(day_ticker(market, symbol, now))?;
        match name {
            "ticker/price" => wire::price(out, listing, ticker.day.kline.bar.close),
            "ticker/bookTicker" => wire::best(out, listing, ticker.best),
            _ if mini => wire::day_mini(out, listing, &ticker),
            _ => wire::day(out, listing, &ticker),
        }
        Some(())
    };
    match question.symbols(market)? {
        Symbols::One(symbol) => one(symbol, out).ok_or_else(nothing_yet),
        Symbols::Several(symbols) => {
            out.push(b'[');
            for symbol in symbols {
                let before = out.len();
                if before > 1 {
                    out.push(b',');
                }
                if one(symbol, out).is_none() {
                    out.truncate(before);
                }
            }
            out.push(b']');
            Ok(())
        }
    }
}

/// The figures of a day with the best prices.
pub(super) fn day_ticker(market: &Market, symbol: u32, at: Timestamp) -> Option<DayTicker> {
    let day = market.day_stats(symbol)?;
    let (bids, asks) = market.depth(symbol, 1);
    let best = bids.first().copied().zip(asks.first().copied())?;
    Some(DayTicker { day, best, at })
}

/// Every trade changes the book once.
pub(super) fn update_id(market: &Market, symbol: u32) -> i64 {
    market.recent_trades(symbol).next_back().map_or(0, |trade| trade.id as i64)
}

enum Symbols {
    One(u32),
    Several(Vec<u32>),
}

impl<'a> Question<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn required(&self, name: &str) -> Result<&'a str, ApiError> {
        let given = self.get(name).filter(|value| !value.is_empty());
        given.ok_or_else(|| {
            let text =
                format!("Mandatory parameter '{name}' was not sent, was empty/null, or malformed.");
            ApiError::new(400, -1102, text)
        })
    }

    fn int(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        let value = text.parse().ok().filter(|_| digits);
        let illegal = || {
            let text = format!(
                "Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            );
            ApiError::new(400, -1100, text)
        };
        value.map(Some).ok_or_else(illegal)
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        Ok(self.int(name)?.map(Timestamp::from_millis))
    }

    /// Larger limits than the greatest are clamped, as the venue does.
    fn limit(&self, default: usize, most: usize) -> Result<usize, ApiError> {
        match self.int("limit")? {
            None => Ok(default),
            Some(0) => {
                Err(ApiError::new(400, -1130, "Data sent for parameter 'limit' is not valid."))
            }
            Some(limit) => Ok(usize::try_from(limit).unwrap_or(most).min(most)),
        }
    }

    fn symbol<'m>(&self, market: &'m Market) -> Result<(u32, &'m Listing), ApiError> {
        let name = self.required("symbol")?;
        let symbol = find(market, name)?;
        Ok((symbol, listing(market, symbol).ok_or_else(invalid_symbol)?))
    }

    fn symbols(&self, market: &Market) -> Result<Symbols, ApiError> {
        match (self.get("symbol"), self.get("symbols")) {
            (Some(_), Some(_)) => {
                Err(ApiError::new(400, -1128, "Combination of optional parameters invalid."))
            }
            (Some(name), None) => Ok(Symbols::One(find(market, name)?)),
            (None, Some(list)) => {
                let names: Vec<String> = serde_json::from_str(list).map_err(|_| {
                    let text = "Illegal characters found in parameter 'symbols'; legal range is \
                                '^\\[(\"[A-Z0-9-_.]{1,20}\"(,\"[A-Z0-9-_.]{1,20}\"){0,}){0,1}\\]$'.";
                    ApiError::new(400, -1100, text)
                })?;
                let found = names.iter().map(|name| find(market, name));
                found.collect::<Result<_, _>>().map(Symbols::Several)
            }
            (None, None) => Ok(Symbols::Several((0..market.listings().len() as u32).collect())),
        }
    }
}

fn listing(market: &Market, symbol: u32) -> Option<&Listing> {
    market.listings().nth(symbol as usize)
}

/// Symbols are written as listed: the venue does not know them in lower case.
fn find(market: &Market, name: &str) -> Result<u32, ApiError> {
    let found = market.index_of(name);
    found.filter(|i| listing(market, *i).is_some_and(|l| l.name == name)).ok_or_else(invalid_symbol)
}

fn invalid_symbol() -> ApiError {
    ApiError::new(400, -1121, "Invalid symbol.")
}

fn nothing_yet() -> ApiError {
    ApiError::new(400, -1000, "Nothing was traded yet.")
}

fn no_such_path(path: &str) -> ApiError {
    ApiError::new(404, -1000, format!("Path {path}, Method GET is invalid"))
}

#[cfg(test)]
mod tests;
