//! Kraken Spot: bars and prices by request.
//!
//! * `GET /0/public/OHLC` tells the newest 720 bars of a length and nothing older; the last row is still
//!   open. `GET /0/public/Ticker` tells the last price.
//! * Refusals come with status 200, as texts in `error`: `E` and a category, or `W` for a warning, which
//!   is none.
//! * The result stands under the venue's own name of the pair: who asks for `XBTUSD` gets `XXBTZUSD`.
//! * Prices and volumes are texts, kept digit by digit.

use std::collections::BTreeMap;
use std::time::Duration;

use finstage_model::{Bar, Event, InstrumentId, Interval, Payload, Price, Symbol, Timestamp};
use finstage_net::{Request, Response, Rule, Shape, Sign, Terms, retry_after};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;

use crate::hosts;
use crate::prices::{PriceAnswer, PriceQuery, Quotation};
use crate::public::{Public, Read};
use crate::settling::Settling;
use crate::venue::{Endpoints, PollVenue, Query, VenueProfile};
use crate::venues::Venue;
use crate::{DecodeError, DecodeErrorKind};

pub(super) const VENUE: Venue = Venue {
    profile: &PROFILE,
    stream: None,
    poll: Some(|endpoints| Box::new(Kraken::new(endpoints))),
    access: None,
    public: &Public {
        reads: &[
            Read::of("/0/public/Time"),
            Read::of("/0/public/SystemStatus"),
            Read::of("/0/public/Assets"),
            Read::of("/0/public/AssetPairs"),
            Read::of("/0/public/Ticker"),
            Read::of("/0/public/OHLC"),
            Read::of("/0/public/Depth"),
            Read::of("/0/public/Trades"),
            Read::of("/0/public/Spread"),
        ],
        ..Public::NONE
    },
};

const PROFILE: VenueProfile = VenueProfile {
    name: "kraken",
    rest: "https://api.kraken.com",
    stream: "wss://ws.kraken.com/v2",
    docs: &[
        "https://docs.kraken.com/api/docs/rest-api/get-ohlc-data",
        "https://docs.kraken.com/api/docs/guides/spot-rest-ratelimits",
    ],
    heartbeat: Duration::from_secs(60),
    stall: Duration::from_secs(30 * 60),
    max_age: Duration::MAX,
    command_spacing: Duration::ZERO,
    frames_per_second: 0,
    max_streams: 10_000,
    bars_per_page: MAX_ROWS,
    bars_without_trades: true,
    terms: TERMS,
    block: Duration::from_secs(15),
    intervals: &[
        Interval::M1,
        Interval::M5,
        Interval::M15,
        Interval::M30,
        Interval::H1,
        Interval::H4,
        // Its weeks begin on Thursday: ours are made of days.
        Interval::D1,
    ],
    reach,
};

/// Rows of an answer; older ones cannot be had.
const MAX_ROWS: u32 = 720;

/// A counter of an address that decays by one a second: a bucket that gives a token back each second.
const TERMS: Terms = Terms {
    rules: &[Rule {
        name: "calls",
        shape: Shape::Bucket,
        limit: 15,
        window: Duration::from_secs(15),
        default_cost: 1,
        counts_refused: true,
    }],
    judge,
    block: Duration::from_secs(15),
    ..Terms::PLAIN
};

/// The newest rows only; the one that is still open counts as one of them.
fn reach(interval: Interval) -> Option<Duration> {
    Some(interval.nominal() * (MAX_ROWS - 1))
}

/// Symbols of one question for prices.
const PRICES_AT_ONCE: usize = 20;

/// How much of the venue's own words is kept in an error.
const MAX_QUOTED_CHARS: usize = 200;

fn judge(response: &Response, now: Timestamp) -> Sign {
    let Ok(envelope) = serde_json::from_slice::<Envelope<IgnoredAny>>(&response.body) else {
        return match (response.is_success(), Sign::of_status(response, now)) {
            // A page for people, or half an answer.
            (true, _) | (_, Sign::Fine) => Sign::Unavailable { retry_after: None },
            (false, sign) => sign,
        };
    };
    match envelope.refusal() {
        None => Sign::of_status(response, now),
        Some(said) if is_limit(said) => Sign::Limited {
            retry_after: throttled(said, now).or_else(|| retry_after(response, now)),
        },
        Some(said) if is_down(said) => Sign::Unavailable { retry_after: None },
        Some(_) => Sign::Fine,
    }
}

fn is_limit(said: &str) -> bool {
    ["EAPI:Rate limit", "EGeneral:Too many requests", "EService: Throttled", "EService:Throttled"]
        .iter()
        .any(|start| said.starts_with(start))
}

fn is_down(said: &str) -> bool {
    said.starts_with("EService") || said.starts_with("EGeneral:Internal error")
}

/// `EService: Throttled: [1688669448]` names the second from which on one may ask again.
fn throttled(said: &str, now: Timestamp) -> Option<Duration> {
    let digits = |c: char| c.is_ascii_digit();
    let start = said.find(digits)?;
    let stamp = said[start..].split(|c: char| !digits(c)).next()?;
    Some(Timestamp::from_secs(stamp.parse().ok()?).since(now))
}

/// What every answer has.
#[derive(Deserialize)]
struct Envelope<T> {
    error: Vec<String>,
    result: Option<T>,
}

impl<T> Envelope<T> {
    /// The first error that is none of the warnings.
    fn refusal(&self) -> Option<&str> {
        self.error.iter().map(String::as_str).find(|said| !said.starts_with('W'))
    }
}

/// time, open, high, low, close, vwap, volume, count
type Row = (i64, String, String, String, String, IgnoredAny, String, u64);

/// `{"c":["30303.20000","0.00067643"],…}`
#[derive(Deserialize)]
struct Ticker {
    /// The last trade: price and quantity.
    c: (String, String),
}

/// Translates Kraken Spot.
#[derive(Debug)]
pub struct Kraken {
    host: String,
}

impl Kraken {
    /// A translator.
    #[must_use]
    pub fn new(endpoints: &Endpoints) -> Self {
        Self { host: hosts(&endpoints.rest).next().unwrap_or_default().to_owned() }
    }
}

impl PollVenue for Kraken {
    fn request(&self, query: &Query) -> Request {
        let Query::Bars { symbol, interval, from, .. } = query;
        let minutes = interval.nominal().as_secs() / 60;
        // Rows that opened after a moment: the one that opens at `from` is wanted as well.
        Request::get(format!("{}/0/public/OHLC", self.host))
            .query("pair", symbol.name())
            .query("interval", minutes)
            .query("since", from.secs() - 1)
    }

    fn read(
        &self,
        query: &Query,
        response: &Response,
        ts_recv: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<Option<Query>, DecodeError> {
        let Query::Bars { instrument, symbol, interval, from, to, .. } = query;
        let result: BTreeMap<String, Value> = content("bars", response)?;
        let rows = result.into_iter().find(|(name, _)| name != "last").map(|(_, rows)| rows);
        let rows: Vec<Row> = serde_json::from_value(rows.unwrap_or_default())
            .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding bars: {e}")))?;
        let settling = Settling::of(symbol);
        let mut bars: Vec<Bar> = Vec::with_capacity(rows.len());
        for row in &rows {
            let bar = bar(*instrument, *interval, row)?;
            let is_wanted = (*from..*to).contains(&bar.open_time)
                && settling.due(*interval, bar.open_time) <= ts_recv;
            if is_wanted && bars.last().is_none_or(|last| last.open_time < bar.open_time) {
                bars.push(bar);
            }
        }
        out.extend(bars.into_iter().map(|bar| Event::new(ts_recv, Payload::Bar(bar))));
        Ok(None)
    }

    fn prices_at_once(&self) -> usize {
        PRICES_AT_ONCE
    }

    fn price_request(&self, query: &PriceQuery) -> Option<Request> {
        let names: Vec<&str> = query.symbols.iter().map(Symbol::name).collect();
        let request = Request::get(format!("{}/0/public/Ticker", self.host));
        Some(request.query("pair", names.join(",")))
    }

    fn read_prices(
        &self,
        query: &PriceQuery,
        response: &Response,
        ts_recv: Timestamp,
    ) -> Result<PriceAnswer, DecodeError> {
        let alone = |symbol: &Symbol| PriceQuery::new(vec![symbol.clone()]);
        let many = query.symbols.len() > 1;
        let result: BTreeMap<String, Ticker> = match content("prices", response) {
            // One pair that is not known makes the venue refuse all of them.
            Err(why)
                if many
                    && matches!(
                        why.kind(),
                        DecodeErrorKind::NoSuchSymbol | DecodeErrorKind::Refused
                    ) =>
            {
                return Ok(PriceAnswer { told: Vec::new(), next: halves(query) });
            }
            result => result?,
        };
        let mut answer = PriceAnswer::default();
        for symbol in &query.symbols {
            let own = result.iter().filter(|(name, _)| is_name_of(name, symbol.name()));
            let own: Vec<&Ticker> = own.map(|(_, ticker)| ticker).collect();
            match own[..] {
                [ticker] => answer.told.push((symbol.clone(), quotation(symbol, ticker, ts_recv))),
                // Who asks for one pair gets one, whatever it is called.
                _ if !many => {
                    let first = result.values().next().ok_or_else(|| {
                        error(
                            DecodeErrorKind::NoSuchSymbol,
                            format!("no price of {}", symbol.name()),
                        )
                    });
                    let told = first.and_then(|ticker| quotation(symbol, ticker, ts_recv));
                    answer.told.push((symbol.clone(), told));
                }
                _ => answer.next.push(alone(symbol)),
            }
        }
        Ok(answer)
    }
}

fn halves(query: &PriceQuery) -> Vec<PriceQuery> {
    let (first, second) = query.symbols.split_at(query.symbols.len() / 2);
    [first, second].map(|half| PriceQuery::new(half.to_vec())).into()
}

/// Whether the venue's own name is that of a pair: `XXBTZUSD` is `XBTUSD`, most are written alike.
fn is_name_of(own: &str, asked: &str) -> bool {
    let short = own.strip_prefix(['X', 'Z']).filter(|_| own.len() == 8);
    let short = short.map(|rest| match rest.split_at_checked(3) {
        Some((base, quote)) => format!("{base}{}", quote.strip_prefix(['X', 'Z']).unwrap_or(quote)),
        None => rest.to_owned(),
    });
    own == asked || short.is_some_and(|short| short == asked)
}

fn quotation(symbol: &Symbol, ticker: &Ticker, at: Timestamp) -> Result<Quotation, DecodeError> {
    let price: Price = decimal("price", &ticker.c.0)?;
    if price.nanos() <= 0 {
        // A pair without trades.
        let what = format!("{} has the price {price}", symbol.name());
        return Err(error(DecodeErrorKind::Implausible, what));
    }
    const QUOTES: [&str; 11] =
        ["USDT", "USDC", "USD", "EUR", "GBP", "JPY", "CAD", "AUD", "CHF", "XBT", "ETH"];
    let currency = QUOTES.into_iter().find(|quote| symbol.name().ends_with(quote));
    Ok(Quotation { price, currency: currency.map(str::to_owned), at })
}

fn bar(instrument: InstrumentId, interval: Interval, row: &Row) -> Result<Bar, DecodeError> {
    let (at, open, high, low, close, _, volume, trades) = row;
    let bar = Bar {
        instrument,
        interval,
        open_time: Timestamp::from_secs(*at),
        open: decimal("open", open)?,
        high: decimal("high", high)?,
        low: decimal("low", low)?,
        close: decimal("close", close)?,
        volume: decimal("volume", volume)?,
        trades: u32::try_from(*trades).unwrap_or(u32::MAX),
    };
    let fault = if interval.open_of(bar.open_time) == bar.open_time {
        bar.fault().map(|fault| fault.to_string())
    } else {
        Some(format!("does not open where a bar of {interval} does"))
    };
    match fault {
        None => Ok(bar),
        Some(fault) => {
            let what = format!("bar {interval} of {}: {fault}", bar.open_time);
            Err(error(DecodeErrorKind::Implausible, what))
        }
    }
}

fn decimal<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, DecodeError> {
    text.parse().map_err(|e| {
        let what = format!("field \"{field}\" is \"{}\": {e}", quoted(text));
        error(DecodeErrorKind::Malformed, what)
    })
}

/// The result of an answer; an error is what the venue said instead.
fn content<T: DeserializeOwned>(what: &str, response: &Response) -> Result<T, DecodeError> {
    let status = response.status;
    if response.is_page() || response.body.trim_ascii().is_empty() {
        let what = format!("the venue answered a page instead of data (status {status})");
        return Err(error(DecodeErrorKind::Html, what));
    }
    let envelope: Envelope<Value> = serde_json::from_slice(&response.body)
        .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding {what}: {e}")))?;
    if let Some(said) = envelope.refusal() {
        let kind = match said {
            said if is_limit(said) => DecodeErrorKind::Limited,
            said if is_down(said) => DecodeErrorKind::Html,
            said if said.contains("Unknown asset pair") => DecodeErrorKind::NoSuchSymbol,
            _ => DecodeErrorKind::Refused,
        };
        return Err(error(kind, format!("the venue refused: {} (status {status})", quoted(said))));
    }
    serde_json::from_value(envelope.result.unwrap_or_default())
        .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding {what}: {e}")))
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
