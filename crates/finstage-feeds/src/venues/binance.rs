//! Binance Spot: trades and bars from public streams, and both from REST where the stream lost some.
//!
//! * Streams: `<symbol>@trade` and `<symbol>@kline_<interval>`, symbol in lower case, asked for by
//!   SUBSCRIBE commands on one `/stream` connection. At most 1024 streams a connection and 5
//!   messages a second from us; the venue pings every 20 s and cuts after 24 h.
//! * REST: `GET /api/v3/klines`, at most 1000 rows, the last of which may still be open (weight 2);
//!   `GET /api/v3/historicalTrades?fromId`, at most 1000 rows (weight 25). `aggTrades` would cost 4,
//!   but tells several trades of a stream as one.
//! * Prices and quantities are strings with fixed decimals, kept digit by digit; times are
//!   milliseconds. `m` means that the buyer was the maker, so the seller took.
//! * Trade ids rise by one per symbol: see [`crate::Continuity`].

mod prices;
mod public;

use std::borrow::Cow;
use std::time::Duration;

use finstage_model::{Aggressor, Bar, Event, InstrumentId, Interval, Payload, Timestamp, Trade};
use finstage_net::{
    Class, Frame, Reading, Request, Response, Rule, Shape, Sign, Terms, retry_after,
};
use serde::Deserialize;

use crate::prices::{PriceAnswer, PriceQuery};
use crate::venue::{
    Ack, Decoded, Endpoints, Numbering, Open, Page, PollVenue, Query, StreamVenue, Subscription,
    SymbolMap, TradeQuery, VenueProfile,
};
use crate::venues::Venue;
use crate::{DecodeError, DecodeErrorKind};

pub(super) const VENUE: Venue = Venue {
    profile: &PROFILE,
    stream: Some(|endpoints, symbols| Box::new(Binance::new(endpoints, symbols))),
    poll: Some(|endpoints| Box::new(Binance::new(endpoints, SymbolMap::default()))),
    access: None,
    public: &public::PUBLIC,
};

const PROFILE: VenueProfile = VenueProfile {
    name: "binance",
    // The hosts for public data: no key, and no account that could be banned.
    rest: "https://data-api.binance.vision",
    stream: "wss://data-stream.binance.vision",
    docs: &[
        "https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams",
        "https://developers.binance.com/docs/binance-spot-api-docs/rest-api",
    ],
    heartbeat: Duration::from_secs(20),
    stall: Duration::from_secs(40),
    max_age: Duration::from_secs(23 * 3600 + 50 * 60),
    // Four a second: the fifth is left for pings and pongs.
    command_spacing: Duration::from_millis(250),
    frames_per_second: 5,
    max_streams: 1024,
    bars_per_page: 1000,
    bars_without_trades: true,
    terms: TERMS,
    block: Duration::from_secs(60),
    intervals: &Interval::ALL,
    reach: |_| None,
};

/// Limits of one address; each minute and each five minutes begin with the venue's clock.
const TERMS: Terms = Terms {
    rules: &[
        Rule {
            name: "weight",
            shape: Shape::Aligned,
            limit: 6_000,
            window: Duration::from_secs(60),
            default_cost: 1,
            counts_refused: false,
        },
        Rule {
            name: "requests",
            shape: Shape::Aligned,
            limit: 300_000,
            window: Duration::from_secs(300),
            default_cost: 1,
            counts_refused: true,
        },
        // Attempts to open a stream.
        Rule {
            name: "connects",
            shape: Shape::Sliding,
            limit: 300,
            window: Duration::from_secs(300),
            default_cost: 0,
            counts_refused: true,
        },
    ],
    judge,
    readings,
    block: Duration::from_secs(60),
    ..Terms::PLAIN
};

/// What an answer means: 403 is the firewall in front of the venue, and -1007 leaves open what became
/// of the request.
fn judge(response: &Response, now: Timestamp) -> Sign {
    match response.status {
        403 => Sign::Limited { retry_after: retry_after(response, now) },
        503 if response.text().contains("-1007") => Sign::UnknownOutcome,
        _ => Sign::of_status(response, now),
    }
}

/// What was used in the venue's present minute.
fn readings(response: &Response) -> Vec<Reading> {
    let used = response.header("x-mbx-used-weight-1m").and_then(|used| used.parse().ok());
    used.map(|used| Reading { rule: "weight", used: Some(used), limit: None }).into_iter().collect()
}

/// Streams named by one SUBSCRIBE command: 1024 streams then take six commands.
const STREAMS_PER_COMMAND: usize = 200;

/// What an answer of `klines` costs, whatever its length.
const BARS_WEIGHT: u32 = 2;

/// The most rows of an answer to `historicalTrades`, and what one costs.
const TRADES_PER_PAGE: usize = 1000;
const TRADES_WEIGHT: u32 = 25;

/// How much of a venue's own words is kept in an error.
const MAX_QUOTED_CHARS: usize = 200;

/// Translates Binance Spot.
#[derive(Debug)]
pub struct Binance {
    endpoints: Endpoints,
    symbols: SymbolMap,
}

impl Binance {
    /// A translator that knows `symbols`; asking for history needs none.
    #[must_use]
    pub fn new(endpoints: &Endpoints, symbols: SymbolMap) -> Self {
        Self { endpoints: endpoints.clone(), symbols }
    }

    fn instrument(&self, symbol: &str) -> Result<InstrumentId, DecodeError> {
        self.symbols
            .get(symbol)
            .ok_or_else(|| error(DecodeErrorKind::Unknown, format!("symbol {symbol} is not ours")))
    }

    fn trade(
        &self,
        message: &Message<'_>,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        let (Some(id), Some(price), Some(qty), Some(time), Some(buyer_is_maker)) =
            (message.t, message.p, message.q, message.time, message.m)
        else {
            return Err(error(DecodeErrorKind::Malformed, "trade without one of t, p, q, T, m"));
        };
        let instrument = self.instrument(&message.s)?;
        let of = (instrument, &*message.s);
        let trade = trade(of, (id, time), (price, qty), buyer_is_maker)?;
        out.events.push(Event::new(ts_recv, Payload::Trade(trade)));
        Ok(())
    }

    fn kline(
        &self,
        message: &Message<'_>,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        let Some(kline) = &message.k else {
            return Err(error(DecodeErrorKind::Malformed, "kline without k"));
        };
        let instrument = self.instrument(&message.s)?;
        let interval = Interval::ALL
            .into_iter()
            .find(|&interval| interval_name(interval) == kline.i)
            .ok_or_else(|| {
                error(DecodeErrorKind::Unknown, format!("kline of interval {}", kline.i))
            })?;
        // An open kline repeats every two seconds; only its last form is a bar.
        if kline.x {
            let fields = (kline.o, kline.h, kline.l, kline.c, kline.v);
            let bar = bar(instrument, interval, (kline.t, kline.n), fields)?;
            out.events.push(Event::new(ts_recv, Payload::Bar(bar)));
        }
        Ok(())
    }
}

impl StreamVenue for Binance {
    fn open(&mut self) -> Open {
        Open::Connect(format!("{}/stream", self.endpoints.stream))
    }

    fn subscribe(&self, subscriptions: &[Subscription]) -> Vec<Frame> {
        let mut streams = Vec::new();
        for subscription in subscriptions {
            let symbol = subscription.symbol.name().to_lowercase();
            if subscription.trades {
                streams.push(format!("{symbol}@trade"));
            }
            for &interval in &subscription.intervals {
                streams.push(format!("{symbol}@kline_{}", interval_name(interval)));
            }
        }
        let command = |(index, params): (usize, &[String])| {
            let command =
                serde_json::json!({"method": "SUBSCRIBE", "params": params, "id": index + 1});
            Frame::Text(command.to_string())
        };
        streams.chunks(STREAMS_PER_COMMAND).enumerate().map(command).collect()
    }

    fn decode(
        &mut self,
        frame: &Frame,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        let Frame::Text(text) = frame else {
            return Err(error(DecodeErrorKind::Malformed, "a frame that is not text"));
        };
        let envelope: Envelope<'_> = from_json("frame", text)?;
        if let Some(message) = &envelope.data {
            return self.message(message, ts_recv, out);
        }
        if let Some(refusal) = envelope.error {
            out.acks.push(refusal.ack(envelope.id));
        } else if let (Some(code), Some(msg)) = (envelope.code, envelope.msg) {
            out.acks.push(Refusal { code, msg }.ack(envelope.id));
        } else if let Some(id) = envelope.id {
            let command = command_of(id).ok_or_else(|| {
                error(DecodeErrorKind::Unknown, format!("answer to command {id}"))
            })?;
            out.acks.push(Ack::Accepted { command });
        } else {
            // A `/ws` connection carries the payload alone.
            let message: Message<'_> = from_json("frame", text)?;
            return self.message(&message, ts_recv, out);
        }
        Ok(())
    }

    fn numbering(&self) -> Numbering {
        Numbering::Consecutive
    }
}

impl Binance {
    fn message(
        &self,
        message: &Message<'_>,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        match message.e {
            "trade" => self.trade(message, ts_recv, out),
            "kline" => self.kline(message, ts_recv, out),
            "serverShutdown" => {
                out.reconnect = true;
                Ok(())
            }
            "" => Err(error(DecodeErrorKind::Unknown, "message without an event type")),
            other => Err(error(DecodeErrorKind::Unknown, format!("message of type {other}"))),
        }
    }
}

impl PollVenue for Binance {
    fn prices_at_once(&self) -> usize {
        prices::AT_ONCE
    }

    fn price_request(&self, query: &PriceQuery) -> Option<Request> {
        Some(prices::request(self, query))
    }

    fn read_prices(
        &self,
        query: &PriceQuery,
        response: &Response,
        ts_recv: Timestamp,
    ) -> Result<PriceAnswer, DecodeError> {
        prices::read(query, response, ts_recv)
    }

    fn request(&self, query: &Query) -> Request {
        let Query::Bars { symbol, interval, from, to, limit, .. } = query;
        // Both bounds of the venue are inclusive and in milliseconds.
        Request::get(format!("{}/api/v3/klines", self.endpoints.rest))
            .query("symbol", symbol.name())
            .query("interval", interval_name(*interval))
            .query("startTime", from.millis())
            .query("endTime", to.millis() - 1)
            .query("limit", limit)
            .cost("weight", BARS_WEIGHT)
    }

    fn read(
        &self,
        query: &Query,
        response: &Response,
        ts_recv: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<Option<Query>, DecodeError> {
        let Query::Bars { instrument, interval, from, to, limit, .. } = query;
        let text = said(response)?;
        let rows: Vec<KlineRow<'_>> = from_json("klines", &text)?;
        let mut last = None;
        let before = out.len();
        for row in &rows {
            let bar = row.bar(*instrument, *interval).inspect_err(|_| out.truncate(before))?;
            last = Some(bar.open_time);
            let is_asked_for = (*from..*to).contains(&bar.open_time);
            if is_asked_for && row.6 < ts_recv.millis() {
                out.push(Event::new(ts_recv, Payload::Bar(bar)));
            }
        }
        let next = last.map(|open_time| interval.close_of(open_time));
        let is_full = rows.len() >= *limit as usize;
        // `next > from` or the same page would come again, for ever.
        Ok(next.filter(|next| is_full && next < to && next > from).map(|next| {
            let mut query = query.clone();
            let Query::Bars { from, .. } = &mut query;
            *from = next;
            query
        }))
    }

    fn trades_request(&self, query: &TradeQuery) -> Option<Request> {
        let request = Request::get(format!("{}/api/v3/historicalTrades", self.endpoints.rest))
            .query("symbol", query.symbol.name())
            .query("fromId", query.from)
            .query("limit", TRADES_PER_PAGE)
            .cost("weight", TRADES_WEIGHT)
            .class(Class::Urgent);
        Some(request)
    }

    fn read_trades(
        &self,
        query: &TradeQuery,
        response: &Response,
        ts_recv: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<Page, DecodeError> {
        let text = said(response)?;
        let rows: Vec<TradeRow<'_>> = from_json("historicalTrades", &text)?;
        let before = out.len();
        for row in &rows {
            let of = (query.instrument, query.symbol.name());
            let trade = trade(of, (row.id, row.time), (row.price, row.qty), row.maker)
                .inspect_err(|_| out.truncate(before))?;
            if trade.id.0 >= query.from {
                out.push(Event::new(ts_recv, Payload::Trade(trade)));
            }
        }
        Ok(if rows.len() >= TRADES_PER_PAGE { Page::Full } else { Page::Last })
    }
}

/// The text of an answer that is neither a page nor a refusal.
fn said(response: &Response) -> Result<Cow<'_, str>, DecodeError> {
    let text = response.text();
    let start = text.trim_start();
    if start.starts_with('<') {
        let what = format!("the venue answered HTML (status {})", response.status);
        return Err(error(DecodeErrorKind::Html, what));
    }
    if response.is_success() { Ok(text) } else { Err(refusal(response.status, start)) }
}

/// Everything a frame can be, fields that no one reads left out. Bytes are borrowed: a million
/// frames a second leave no time for copies.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    data: Option<Message<'a>>,
    id: Option<i64>,
    code: Option<i64>,
    msg: Option<String>,
    error: Option<Refusal>,
}

/// A stream's payload, for example
/// `{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,
/// "m":true,"M":true}`. Texts that never need an escape are borrowed as they are.
#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    e: &'a str,
    #[serde(borrow, default)]
    s: Cow<'a, str>,
    t: Option<u64>,
    p: Option<&'a str>,
    q: Option<&'a str>,
    #[serde(rename = "T")]
    time: Option<i64>,
    m: Option<bool>,
    #[serde(borrow)]
    k: Option<Kline<'a>>,
}

/// `{"t":1672515780000,"T":1672515839999,"s":"BNBBTC","i":"1m","o":"0.0010","c":"0.0020",
/// "h":"0.0025","l":"0.0015","v":"1000","n":100,"x":false, …}`
#[derive(Deserialize)]
struct Kline<'a> {
    t: i64,
    i: &'a str,
    o: &'a str,
    h: &'a str,
    l: &'a str,
    c: &'a str,
    v: &'a str,
    n: u64,
    x: bool,
}

/// A row of `/klines`: open time, open, high, low, close, volume, close time, quote volume,
/// trades, taker-buy base, taker-buy quote, unused.
#[derive(Deserialize)]
struct KlineRow<'a>(
    i64,
    #[serde(borrow)] &'a str,
    &'a str,
    &'a str,
    &'a str,
    &'a str,
    i64,
    serde::de::IgnoredAny,
    u64,
    serde::de::IgnoredAny,
    serde::de::IgnoredAny,
    serde::de::IgnoredAny,
);

/// A row of `/historicalTrades`: `{"id":28457,"price":"4.00000100","qty":"12.00000000",
/// "quoteQty":"48.000012","time":1499865549590,"isBuyerMaker":true,"isBestMatch":true}`
#[derive(Deserialize)]
struct TradeRow<'a> {
    id: u64,
    price: &'a str,
    qty: &'a str,
    time: i64,
    #[serde(rename = "isBuyerMaker")]
    maker: bool,
}

impl KlineRow<'_> {
    fn bar(&self, instrument: InstrumentId, interval: Interval) -> Result<Bar, DecodeError> {
        let fields = (self.1, self.2, self.3, self.4, self.5);
        bar(instrument, interval, (self.0, self.8), fields)
    }
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    msg: String,
}

impl Refusal {
    fn ack(&self, id: Option<i64>) -> Ack {
        let reason = format!("{} (code {})", quoted(&self.msg), self.code);
        Ack::Refused { command: id.and_then(command_of), reason }
    }
}

/// Commands count from 0 here and from 1 on the wire, where 0 may mean "none".
fn command_of(id: i64) -> Option<usize> {
    usize::try_from(id).ok()?.checked_sub(1)
}

/// The venue's name of an interval: `m` minute, `M` month.
const fn interval_name(interval: Interval) -> &'static str {
    match interval {
        Interval::Mo1 => "1M",
        other => other.as_str(),
    }
}

/// A trade from its id and time in milliseconds, and from price and quantity.
fn trade(
    (instrument, symbol): (InstrumentId, &str),
    (id, time_ms): (u64, i64),
    (price, qty): (&str, &str),
    buyer_is_maker: bool,
) -> Result<Trade, DecodeError> {
    let trade = Trade {
        id: id.into(),
        instrument,
        ts_event: Timestamp::from_millis(time_ms),
        price: decimal("trade", "p", price)?,
        qty: decimal("trade", "q", qty)?,
        aggressor: if buyer_is_maker { Aggressor::Seller } else { Aggressor::Buyer },
    };
    if trade.price.nanos() <= 0 {
        let what = format!("trade {id} of {symbol} has the price {price}");
        return Err(error(DecodeErrorKind::Implausible, what));
    }
    Ok(trade)
}

/// A bar from its open time in milliseconds and number of trades, and from open, high, low, close
/// and volume.
fn bar(
    instrument: InstrumentId,
    interval: Interval,
    (open_ms, trades): (i64, u64),
    (open, high, low, close, volume): (&str, &str, &str, &str, &str),
) -> Result<Bar, DecodeError> {
    let bar = Bar {
        instrument,
        interval,
        open_time: Timestamp::from_millis(open_ms),
        open: decimal("kline", "o", open)?,
        high: decimal("kline", "h", high)?,
        low: decimal("kline", "l", low)?,
        close: decimal("kline", "c", close)?,
        volume: decimal("kline", "v", volume)?,
        trades: u32::try_from(trades).unwrap_or(u32::MAX),
    };
    let fault = if interval.open_of(bar.open_time) != bar.open_time {
        format!("does not open where a bar of {interval} does")
    } else if let Some(fault) = bar.fault() {
        fault.to_string()
    } else {
        return Ok(bar);
    };
    let what = format!("kline {interval} of {}: {fault}", bar.open_time);
    Err(error(DecodeErrorKind::Implausible, what))
}

fn decimal<T: std::str::FromStr<Err: std::fmt::Display>>(
    message: &str,
    field: &str,
    text: &str,
) -> Result<T, DecodeError> {
    text.parse().map_err(|e| {
        let what = format!("{message}: field \"{field}\" is \"{}\": {e}", quoted(text));
        error(DecodeErrorKind::Malformed, what)
    })
}

fn from_json<'a, T: Deserialize<'a>>(what: &str, text: &'a str) -> Result<T, DecodeError> {
    serde_json::from_str(text)
        .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding {what}: {e}")))
}

/// An error answer, `{"code":-1121,"msg":"Invalid symbol."}`.
fn refusal(status: u16, text: &str) -> DecodeError {
    let (kind, reason) = match serde_json::from_str::<Refusal>(text) {
        Ok(Refusal { code, msg }) => {
            // No such symbol; or characters that no symbol has.
            let is_symbol = code == -1121 || (code == -1100 && msg.contains("'symbol'"));
            let kind = match status {
                400 if is_symbol => DecodeErrorKind::NoSuchSymbol,
                _ => DecodeErrorKind::Refused,
            };
            (kind, format!("{} (code {code}, status {status})", quoted(&msg)))
        }
        Err(_) => (DecodeErrorKind::Refused, format!("status {status} with an unknown body")),
    };
    error(kind, format!("the venue refused: {reason}"))
}

/// A venue's words, cut to a bound and to one line.
fn quoted(text: &str) -> String {
    text.chars().take(MAX_QUOTED_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn error(kind: DecodeErrorKind, message: impl Into<String>) -> DecodeError {
    DecodeError::new(PROFILE.name, kind, message)
}

#[cfg(test)]
mod tests;
