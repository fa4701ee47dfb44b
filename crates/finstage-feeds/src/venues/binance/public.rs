//! What of the venue other programs may ask, and its weights.
//! Source: the REST pages "General information" and "Market data endpoints".

use finstage_net::Cost;

use crate::public::{Params, Public, Read};

pub(super) const PUBLIC: Public = Public {
    reads: &[
        Read::of("/api/v3/ping"),
        Read::of("/api/v3/time"),
        Read::of("/api/v3/exchangeInfo").costs(|_| weight(20)).lasting(),
        Read::of("/api/v3/depth").costs(depth),
        Read::of("/api/v3/trades").costs(|_| weight(25)),
        Read::of("/api/v3/historicalTrades").costs(|_| weight(25)),
        Read::of("/api/v3/aggTrades").costs(|_| weight(4)),
        Read::of("/api/v3/klines").costs(|_| weight(2)),
        Read::of("/api/v3/uiKlines").costs(|_| weight(2)),
        Read::of("/api/v3/avgPrice").costs(|_| weight(2)),
        Read::of("/api/v3/ticker/24hr").costs(day),
        Read::of("/api/v3/ticker/price").costs(price),
        Read::of("/api/v3/ticker/bookTicker").costs(price),
        Read::of("/api/v3/ticker/tradingDay").costs(each),
        Read::of("/api/v3/ticker").costs(each),
    ],
    headers: &[],
    kind: "",
    passed: &[],
};

fn weight(amount: u32) -> Option<Cost> {
    Some(Cost { rule: "weight", amount })
}

/// By the number of levels. What is no number costs the most: who reads it otherwise must not be banned.
fn depth(params: &Params) -> Option<Cost> {
    weight(match params.get("limit").map_or(Ok(100), str::parse::<u32>) {
        Ok(..=100) => 5,
        Ok(..=500) => 25,
        Ok(..=1_000) => 50,
        _ => 250,
    })
}

/// How many symbols are named; `None`: all are meant.
fn named(params: &Params) -> Option<u32> {
    match (params.get("symbol"), params.get("symbols")) {
        (_, Some(list)) => u32::try_from(list.matches(',').count() + 1).ok(),
        (Some(_), None) => Some(1),
        (None, None) => None,
    }
}

fn day(params: &Params) -> Option<Cost> {
    weight(match named(params) {
        Some(..=20) => 2,
        Some(..=100) => 40,
        _ => 80,
    })
}

fn price(params: &Params) -> Option<Cost> {
    weight(if params.get("symbol").is_some() { 2 } else { 4 })
}

fn each(params: &Params) -> Option<Cost> {
    const MOST: u32 = 200;
    weight(named(params).map_or(MOST, |symbols| symbols.saturating_mul(4).min(MOST)))
}
