//! The venue's own words: stream payloads and REST answers as bytes.
//!
//! Written from the venue's published documentation (`rest-api.md`, `web-socket-streams.md` of
//! `binance/binance-spot-api-docs`), field by field in its order. Names and assets come from
//! listings, whose characters need no escaping in JSON. Times are Unix milliseconds; a bar's close
//! time is its last millisecond.

use finstage_model::{Interval, Price, Qty, Timestamp};

use super::number::{push_int, push_nanos, push_quote};
use crate::sim::market::{DayStats, Kline, Level, Listing, SimTrade};

/// The venue's name of an interval. Only the month differs from ours.
#[must_use]
pub fn interval_name(interval: Interval) -> &'static str {
    match interval {
        Interval::Mo1 => "1M",
        other => other.as_str(),
    }
}

/// The interval of a venue's name, `None` for those this simulator does not make (`1s 3m 2h 6h 8h
/// 12h 3d`) and for those that do not exist.
#[must_use]
pub fn interval_named(name: &str) -> Option<Interval> {
    Interval::ALL.into_iter().find(|interval| interval_name(*interval) == name)
}

/// Appends JSON from literal pieces and numbers.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    decimals: u32,
}

impl<'a> Writer<'a> {
    pub(super) fn new(out: &'a mut Vec<u8>, decimals: u32) -> Self {
        Self { out, decimals }
    }

    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.out.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn int(&mut self, value: i64) -> &mut Self {
        push_int(self.out, value);
        self
    }

    fn ms(&mut self, at: Timestamp) -> &mut Self {
        self.int(at.millis())
    }

    fn price(&mut self, price: Price) -> &mut Self {
        push_nanos(self.out, u128::from(price.nanos().unsigned_abs()), self.decimals);
        self
    }

    fn qty(&mut self, qty: Qty) -> &mut Self {
        push_nanos(self.out, qty.nanos(), self.decimals);
        self
    }

    fn turnover(&mut self, atto: u128) -> &mut Self {
        push_quote(self.out, atto);
        self
    }

    fn flag(&mut self, value: bool) -> &mut Self {
        self.text(if value { "true" } else { "false" })
    }

    /// Items between commas.
    fn list<T>(&mut self, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Self, T)) {
        for (i, item) in items.into_iter().enumerate() {
            if i > 0 {
                self.text(",");
            }
            each(self, item);
        }
    }
}

/// `<symbol>@trade`.
pub fn trade(out: &mut Vec<u8>, listing: &Listing, trade: &SimTrade, sent: Timestamp) {
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"e":"trade","E":"#).ms(sent).text(r#","s":""#).text(&listing.name);
    w.text(r#"","t":"#).int(trade.id as i64).text(r#","p":""#).price(trade.price);
    w.text(r#"","q":""#).qty(trade.qty).text(r#"","T":"#).ms(trade.at);
    w.text(r#","m":"#).flag(trade.buyer_is_maker).text(r#","M":true}"#);
}

/// `<symbol>@aggTrade`: every trade is an aggregate of its own.
pub fn agg_trade(out: &mut Vec<u8>, listing: &Listing, trade: &SimTrade, sent: Timestamp) {
    let id = trade.id as i64;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"e":"aggTrade","E":"#).ms(sent).text(r#","s":""#).text(&listing.name);
    w.text(r#"","a":"#).int(id).text(r#","p":""#).price(trade.price);
    w.text(r#"","q":""#).qty(trade.qty).text(r#"","f":"#).int(id).text(r#","l":"#).int(id);
    w.text(r#","T":"#).ms(trade.at).text(r#","m":"#).flag(trade.buyer_is_maker);
    w.text(r#","M":true}"#);
}

/// Whether an update of a bar is its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Final {
    /// The bar is closed; said once.
    Yes,
    /// The bar goes on.
    No,
}

/// `<symbol>@kline_<interval>`.
pub fn kline(
    out: &mut Vec<u8>,
    listing: &Listing,
    (kline, last): (&Kline, Final),
    sent: Timestamp,
) {
    let bar = &kline.bar;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"e":"kline","E":"#).ms(sent).text(r#","s":""#).text(&listing.name);
    w.text(r#"","k":{"t":"#).ms(bar.open_time).text(r#","T":"#).int(last_ms(kline));
    w.text(r#","s":""#).text(&listing.name).text(r#"","i":""#).text(interval_name(bar.interval));
    w.text(r#"","f":"#).int(kline.first_id).text(r#","L":"#).int(kline.last_id);
    w.text(r#","o":""#).price(bar.open).text(r#"","c":""#).price(bar.close);
    w.text(r#"","h":""#).price(bar.high).text(r#"","l":""#).price(bar.low);
    w.text(r#"","v":""#).qty(bar.volume).text(r#"","n":"#).int(i64::from(bar.trades));
    w.text(r#","x":"#).flag(last == Final::Yes).text(r#","q":""#).turnover(kline.quote);
    w.text(r#"","V":""#).qty(kline.taker_base).text(r#"","Q":""#).turnover(kline.taker_quote);
    w.text(r#"","B":"0"}}"#);
}

/// `<symbol>@bookTicker`: no event name and no time, as the venue has it.
pub fn book_ticker(out: &mut Vec<u8>, listing: &Listing, update: i64, best: (Level, Level)) {
    let (bid, ask) = best;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"u":"#).int(update).text(r#","s":""#).text(&listing.name);
    w.text(r#"","b":""#).price(bid.0).text(r#"","B":""#).qty(bid.1);
    w.text(r#"","a":""#).price(ask.0).text(r#"","A":""#).qty(ask.1).text(r#""}"#);
}

/// `<symbol>@miniTicker`.
pub fn mini_ticker(out: &mut Vec<u8>, listing: &Listing, day: &DayStats, sent: Timestamp) {
    let bar = &day.kline.bar;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"e":"24hrMiniTicker","E":"#).ms(sent).text(r#","s":""#).text(&listing.name);
    w.text(r#"","c":""#).price(bar.close).text(r#"","o":""#).price(bar.open);
    w.text(r#"","h":""#).price(bar.high).text(r#"","l":""#).price(bar.low);
    w.text(r#"","v":""#).qty(bar.volume).text(r#"","q":""#).turnover(day.kline.quote);
    w.text(r#""}"#);
}

/// `<symbol>@depth<levels>`, and the answer of `/depth`.
pub fn depth(out: &mut Vec<u8>, listing: &Listing, update: i64, sides: &(Vec<Level>, Vec<Level>)) {
    let mut w = Writer::new(out, listing.decimals);
    let level = |w: &mut Writer<'_>, level: &Level| {
        w.text(r#"[""#).price(level.0).text(r#"",""#).qty(level.1).text(r#""]"#);
    };
    w.text(r#"{"lastUpdateId":"#).int(update).text(r#","bids":["#).list(&sides.0, level);
    w.text(r#"],"asks":["#).list(&sides.1, level);
    w.text("]}");
}

/// The twelve columns of `/klines`, oldest first.
pub fn klines(out: &mut Vec<u8>, listing: &Listing, rows: &[Kline]) {
    let mut w = Writer::new(out, listing.decimals);
    w.text("[").list(rows, |w, kline| {
        let bar = &kline.bar;
        w.text("[").ms(bar.open_time).text(r#",""#).price(bar.open).text(r#"",""#);
        w.price(bar.high).text(r#"",""#).price(bar.low).text(r#"",""#).price(bar.close);
        w.text(r#"",""#).qty(bar.volume).text(r#"","#).int(last_ms(kline)).text(r#",""#);
        w.turnover(kline.quote).text(r#"","#).int(i64::from(bar.trades)).text(r#",""#);
        w.qty(kline.taker_base).text(r#"",""#).turnover(kline.taker_quote).text(r#"","0"]"#);
    });
    w.text("]");
}

/// `/trades` and `/historicalTrades`.
pub fn trades(out: &mut Vec<u8>, listing: &Listing, rows: &[SimTrade]) {
    let mut w = Writer::new(out, listing.decimals);
    w.text("[").list(rows, |w, trade| {
        w.text(r#"{"id":"#).int(trade.id as i64).text(r#","price":""#).price(trade.price);
        w.text(r#"","qty":""#).qty(trade.qty).text(r#"","quoteQty":""#).turnover(trade.quote());
        w.text(r#"","time":"#).ms(trade.at).text(r#","isBuyerMaker":"#);
        w.flag(trade.buyer_is_maker).text(r#","isBestMatch":true}"#);
    });
    w.text("]");
}

/// `/aggTrades`.
pub fn agg_trades(out: &mut Vec<u8>, listing: &Listing, rows: &[SimTrade]) {
    let mut w = Writer::new(out, listing.decimals);
    w.text("[").list(rows, |w, trade| {
        let id = trade.id as i64;
        w.text(r#"{"a":"#).int(id).text(r#","p":""#).price(trade.price);
        w.text(r#"","q":""#).qty(trade.qty).text(r#"","f":"#).int(id).text(r#","l":"#).int(id);
        w.text(r#","T":"#).ms(trade.at).text(r#","m":"#).flag(trade.buyer_is_maker);
        w.text(r#","M":true}"#);
    });
    w.text("]");
}

/// `/ticker/price`, one symbol.
pub fn price(out: &mut Vec<u8>, listing: &Listing, last: Price) {
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"symbol":""#).text(&listing.name).text(r#"","price":""#).price(last);
    w.text(r#""}"#);
}

/// `/ticker/bookTicker`, one symbol.
pub fn best(out: &mut Vec<u8>, listing: &Listing, (bid, ask): (Level, Level)) {
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"symbol":""#).text(&listing.name).text(r#"","bidPrice":""#).price(bid.0);
    w.text(r#"","bidQty":""#).qty(bid.1).text(r#"","askPrice":""#).price(ask.0);
    w.text(r#"","askQty":""#).qty(ask.1).text(r#""}"#);
}

/// `/avgPrice`: the volume-weighted price of the newest minutes.
pub fn average(out: &mut Vec<u8>, listing: &Listing, kline: &Kline, sent: Timestamp) {
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"mins":5,"price":""#).price(mean_price(kline));
    w.text(r#"","closeTime":"#).ms(sent).text("}");
}

/// The figures of a day with the best bid and ask, for the stream `<symbol>@ticker` and for
/// `/ticker/24hr`.
#[derive(Debug, Clone, Copy)]
pub struct DayTicker {
    /// The figures.
    pub day: DayStats,
    /// Best bid and best ask.
    pub best: (Level, Level),
    /// When it is said.
    pub at: Timestamp,
}

/// `<symbol>@ticker`.
pub fn ticker(out: &mut Vec<u8>, listing: &Listing, ticker: &DayTicker) {
    let DayTicker { day, best: (bid, ask), at } = ticker;
    let bar = &day.kline.bar;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"e":"24hrTicker","E":"#).ms(*at).text(r#","s":""#).text(&listing.name);
    w.text(r#"","p":""#);
    change(&mut w, day);
    w.text(r#"","P":""#).text(&change_percent(day)).text(r#"","w":""#);
    w.price(mean_price(&day.kline)).text(r#"","x":""#).price(day.before);
    w.text(r#"","c":""#).price(bar.close).text(r#"","Q":""#).qty(last_qty(day));
    w.text(r#"","b":""#).price(bid.0).text(r#"","B":""#).qty(bid.1);
    w.text(r#"","a":""#).price(ask.0).text(r#"","A":""#).qty(ask.1);
    w.text(r#"","o":""#).price(bar.open).text(r#"","h":""#).price(bar.high);
    w.text(r#"","l":""#).price(bar.low).text(r#"","v":""#).qty(bar.volume);
    w.text(r#"","q":""#).turnover(day.kline.quote).text(r#"","O":"#).int(at.millis() - DAY_MS);
    w.text(r#","C":"#).ms(*at).text(r#","F":"#).int(day.kline.first_id);
    w.text(r#","L":"#).int(day.kline.last_id).text(r#","n":"#).int(i64::from(bar.trades)).text("}");
}

/// `/ticker/24hr`, one symbol, `type=FULL`.
pub fn day(out: &mut Vec<u8>, listing: &Listing, ticker: &DayTicker) {
    let DayTicker { day, best: (bid, ask), at } = ticker;
    let bar = &day.kline.bar;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"symbol":""#).text(&listing.name).text(r#"","priceChange":""#);
    change(&mut w, day);
    w.text(r#"","priceChangePercent":""#).text(&change_percent(day));
    w.text(r#"","weightedAvgPrice":""#).price(mean_price(&day.kline));
    w.text(r#"","prevClosePrice":""#).price(day.before);
    w.text(r#"","lastPrice":""#).price(bar.close).text(r#"","lastQty":""#).qty(last_qty(day));
    w.text(r#"","bidPrice":""#).price(bid.0).text(r#"","bidQty":""#).qty(bid.1);
    w.text(r#"","askPrice":""#).price(ask.0).text(r#"","askQty":""#).qty(ask.1);
    w.text(r#"","openPrice":""#).price(bar.open).text(r#"","highPrice":""#).price(bar.high);
    w.text(r#"","lowPrice":""#).price(bar.low).text(r#"","volume":""#).qty(bar.volume);
    w.text(r#"","quoteVolume":""#).turnover(day.kline.quote);
    w.text(r#"","openTime":"#).int(at.millis() - DAY_MS).text(r#","closeTime":"#).ms(*at);
    w.text(r#","firstId":"#).int(day.kline.first_id).text(r#","lastId":"#).int(day.kline.last_id);
    w.text(r#","count":"#).int(i64::from(bar.trades)).text("}");
}

/// `/ticker/24hr`, one symbol, `type=MINI`.
pub fn day_mini(out: &mut Vec<u8>, listing: &Listing, ticker: &DayTicker) {
    let DayTicker { day, at, .. } = ticker;
    let bar = &day.kline.bar;
    let mut w = Writer::new(out, listing.decimals);
    w.text(r#"{"symbol":""#).text(&listing.name).text(r#"","openPrice":""#).price(bar.open);
    w.text(r#"","highPrice":""#).price(bar.high).text(r#"","lowPrice":""#).price(bar.low);
    w.text(r#"","lastPrice":""#).price(bar.close).text(r#"","volume":""#).qty(bar.volume);
    w.text(r#"","quoteVolume":""#).turnover(day.kline.quote);
    w.text(r#"","openTime":"#).int(at.millis() - DAY_MS).text(r#","closeTime":"#).ms(*at);
    w.text(r#","firstId":"#).int(day.kline.first_id).text(r#","lastId":"#).int(day.kline.last_id);
    w.text(r#","count":"#).int(i64::from(bar.trades)).text("}");
}

/// `/exchangeInfo` for the given listings.
pub fn exchange_info(out: &mut Vec<u8>, listings: &[&Listing], sent: Timestamp) {
    let mut w = Writer::new(out, 8);
    w.text(r#"{"timezone":"UTC","serverTime":"#).ms(sent).text(r#","rateLimits":["#);
    w.text(r#"{"rateLimitType":"REQUEST_WEIGHT","interval":"MINUTE","intervalNum":1,"limit":"#);
    w.int(i64::from(super::limits::WEIGHT_PER_MINUTE)).text("},");
    w.text(r#"{"rateLimitType":"ORDERS","interval":"SECOND","intervalNum":10,"limit":100},"#);
    w.text(r#"{"rateLimitType":"RAW_REQUESTS","interval":"MINUTE","intervalNum":5,"limit":"#);
    w.int(i64::from(super::limits::REQUESTS_PER_5_MIN)).text("}");
    w.text(r#"],"exchangeFilters":[],"symbols":["#).list(listings, |w, listing| {
        w.decimals = listing.decimals;
        symbol_info(w, listing);
    });
    w.text("]}");
}

fn symbol_info(w: &mut Writer<'_>, listing: &Listing) {
    const MOST: Price = Price::from_nanos(1_000_000_000_000_000_000);
    const MOST_QTY: Qty = Qty::from_nanos(9_000_000_000_000_000_000);
    w.text(r#"{"symbol":""#).text(&listing.name).text(r#"","status":"TRADING","baseAsset":""#);
    w.text(&listing.base).text(r#"","baseAssetPrecision":8,"quoteAsset":""#).text(&listing.quote);
    w.text(r#"","quotePrecision":8,"quoteAssetPrecision":8,"baseCommissionPrecision":8,"#);
    w.text(r#""quoteCommissionPrecision":8,"orderTypes":["LIMIT","LIMIT_MAKER","MARKET"],"#);
    w.text(r#""icebergAllowed":true,"ocoAllowed":true,"otoAllowed":true,"#);
    w.text(r#""quoteOrderQtyMarketAllowed":true,"allowTrailingStop":false,"#);
    w.text(r#""cancelReplaceAllowed":false,"amendAllowed":false,"isSpotTradingAllowed":true,"#);
    w.text(r#""isMarginTradingAllowed":false,"filters":[{"filterType":"PRICE_FILTER","#);
    w.text(r#""minPrice":""#).price(listing.tick).text(r#"","maxPrice":""#).price(MOST);
    w.text(r#"","tickSize":""#).price(listing.tick).text(r#""},{"filterType":"LOT_SIZE","#);
    w.text(r#""minQty":""#).qty(listing.lot).text(r#"","maxQty":""#).qty(MOST_QTY);
    w.text(r#"","stepSize":""#).qty(listing.lot).text(r#""},{"filterType":"NOTIONAL","#);
    w.text(r#""minNotional":"5.00000000","applyMinToMarket":true,"#);
    w.text(r#""maxNotional":"9000000.00000000","applyMaxToMarket":false,"avgPriceMins":5}],"#);
    w.text(r#""permissions":[],"permissionSets":[["SPOT"]],"#);
    w.text(r#""defaultSelfTradePreventionMode":"NONE","#);
    w.text(r#""allowedSelfTradePreventionModes":["NONE"]}"#);
}

const DAY_MS: i64 = 86_400_000;

fn last_ms(kline: &Kline) -> i64 {
    kline.bar.close_time().millis() - 1
}

fn last_qty(day: &DayStats) -> Qty {
    day.last.map_or(Qty::ZERO, |trade| trade.qty)
}

fn change(w: &mut Writer<'_>, day: &DayStats) {
    let bar = &day.kline.bar;
    if bar.close < bar.open {
        w.text("-");
    }
    w.price(Price::from_nanos(bar.close.nanos().abs_diff(bar.open.nanos()) as i64));
}

/// The change of a day in percent, three decimals, cut.
fn change_percent(day: &DayStats) -> String {
    let bar = &day.kline.bar;
    let (open, close) = (i128::from(bar.open.nanos()), i128::from(bar.close.nanos()));
    let thousandths = (close - open) * 100_000 / open;
    let sign = if thousandths < 0 { "-" } else { "" };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1_000, size % 1_000)
}

/// Turnover by volume; the last price where nothing was traded.
fn mean_price(kline: &Kline) -> Price {
    let mean = kline.quote.checked_div(kline.bar.volume.nanos());
    mean.and_then(|nanos| i64::try_from(nanos).ok()).map_or(kline.bar.close, Price::from_nanos)
}

#[cfg(test)]
mod tests;
