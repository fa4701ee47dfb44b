//! Normalized messages, and how their words become trades and bars.

use std::borrow::Cow;

use finstage_model::{
    Aggressor, Bar, DecimalError, IdHasher, InstrumentId, Interval, Price, Qty, Timestamp, Trade,
    TradeId,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{csv, error, quoted};
use crate::{DecodeError, DecodeErrorKind, Tick};

/// What errors call a bar.
const BAR: &str = "trade_bar";

/// The fields of every message that is of use; others are passed over.
#[derive(Deserialize)]
pub(super) struct Message<'a> {
    #[serde(rename = "type", borrow)]
    pub(super) kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    pub(super) exchange: Option<Cow<'a, str>>,
    #[serde(borrow)]
    symbol: Option<Cow<'a, str>>,
    /// Of a disconnect.
    #[serde(borrow)]
    pub(super) symbols: Option<Vec<Cow<'a, str>>>,
    /// Of an error.
    #[serde(borrow)]
    pub(super) details: Option<Cow<'a, str>>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(rename = "localTimestamp", borrow)]
    local: Option<Cow<'a, str>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    side: Option<Cow<'a, str>>,
    #[serde(borrow)]
    price: Option<&'a RawValue>,
    #[serde(borrow)]
    amount: Option<&'a RawValue>,
    /// Of a bar: `time`, `tick` or `volume`.
    #[serde(rename = "kind", borrow)]
    measure: Option<Cow<'a, str>>,
    #[serde(borrow)]
    interval: Option<&'a RawValue>,
    #[serde(borrow)]
    open: Option<&'a RawValue>,
    #[serde(borrow)]
    high: Option<&'a RawValue>,
    #[serde(borrow)]
    low: Option<&'a RawValue>,
    #[serde(borrow)]
    close: Option<&'a RawValue>,
    #[serde(borrow)]
    volume: Option<&'a RawValue>,
    trades: Option<u32>,
}

impl<'a> Message<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, DecodeError> {
        serde_json::from_str(text)
            .map_err(|e| error(DecodeErrorKind::Malformed, format!("decoding a message: {e}")))
    }

    /// When the machine received it.
    pub(super) fn local_timestamp(&self) -> Option<Timestamp> {
        self.local.as_ref()?.parse().ok()
    }

    pub(super) fn names(&self) -> Result<(&str, &str), DecodeError> {
        match (&self.exchange, &self.symbol) {
            (Some(exchange), Some(symbol)) => Ok((exchange, symbol)),
            _ => Err(error(DecodeErrorKind::Malformed, "message without exchange or symbol")),
        }
    }

    pub(super) fn trade(&self, instrument: InstrumentId) -> Result<Trade, DecodeError> {
        let words = Words {
            id: self.id.as_deref().unwrap_or_default(),
            side: self.side.as_deref().unwrap_or_default(),
            price: given("trade", "price", self.price)?,
            amount: given("trade", "amount", self.amount)?,
        };
        words.trade(instrument, self.stamp("trade")?)
    }

    /// A bar, stamped with its end.
    pub(super) fn bar(&self, instrument: InstrumentId) -> Result<Bar, DecodeError> {
        let interval = self.length()?;
        let price = |name, raw| decimal(BAR, name, given(BAR, name, raw)?);
        let bar = Bar {
            instrument,
            interval,
            open_time: self.stamp(BAR)?.minus(interval.nominal()),
            open: price("open", self.open)?,
            high: price("high", self.high)?,
            low: price("low", self.low)?,
            close: price("close", self.close)?,
            volume: sum(BAR, "volume", given(BAR, "volume", self.volume)?)?,
            trades: self.trades.unwrap_or(0),
        };
        let fault = if interval.open_of(bar.open_time) != bar.open_time {
            format!("does not end where a bar of {interval} does")
        } else if let Some(fault) = bar.fault() {
            fault.to_string()
        } else {
            return Ok(bar);
        };
        let what = format!("trade_bar {interval} of {}: {fault}", bar.open_time);
        Err(error(DecodeErrorKind::Implausible, what))
    }

    /// The length of a bar.
    fn length(&self) -> Result<Interval, DecodeError> {
        let length = given(BAR, "interval", self.interval)?;
        let is_of_time = self.measure.as_deref().is_none_or(|measure| measure == "time");
        let fits = |interval: &Interval| interval.nominal().as_millis().to_string() == length;
        let interval = Interval::ALL.into_iter().take_while(|one| *one <= Interval::D1).find(fits);
        interval.filter(|_| is_of_time).ok_or_else(|| {
            let measure = self.measure.as_deref().unwrap_or("time");
            let what = format!("trade_bar of {} {}", quoted(length), quoted(measure));
            error(DecodeErrorKind::Unknown, what)
        })
    }

    fn stamp(&self, what: &str) -> Result<Timestamp, DecodeError> {
        let text = given(what, "timestamp", self.timestamp)?;
        text.parse().map_err(|e| error(DecodeErrorKind::Malformed, format!("{what}: {e}")))
    }
}

/// What a message, a row behind its header or a record tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The instrument, as this venue names it.
    pub name: String,
    /// The length of the bar that it is; `None` for a trade.
    pub interval: Option<Interval>,
}

/// What a frame tells of, without asking who wants it; `None` where it tells no trade and no bar.
///
/// ```
/// use finstage_feeds::venues::tardis::subject_of;
/// let trade = r#"{"type":"trade","symbol":"XBTUSD","exchange":"bitmex"}"#;
/// assert_eq!(subject_of(trade).unwrap().name, "bitmex.XBTUSD");
/// assert_eq!(subject_of("bitmex,XBTUSD,1,2,,sell,1,2").unwrap().name, "bitmex.XBTUSD");
/// assert_eq!(subject_of(r#"{"symbol":"BTC","price":1,"volume":1,"timestamp":1}"#).unwrap().name, "BTC");
/// assert_eq!(subject_of(r#"{"type":"book_change","symbol":"XBTUSD","exchange":"bitmex"}"#), None);
/// ```
#[must_use]
pub fn subject_of(text: &str) -> Option<Subject> {
    if csv::is_header(text) {
        return None;
    }
    if !text.starts_with('{') {
        let row = csv::Columns::Trades.read(text).ok()?;
        return Some(Subject { name: format!("{}.{}", row.exchange, row.symbol), interval: None });
    }
    let message: Message<'_> = serde_json::from_str(text).ok()?;
    let interval = match message.kind.as_deref() {
        None => return Some(Subject { name: message.symbol?.into_owned(), interval: None }),
        Some("trade") => None,
        Some("trade_bar") => Some(message.length().ok()?),
        Some(_) => return None,
    };
    let (exchange, symbol) = message.names().ok()?;
    Some(Subject { name: format!("{exchange}.{symbol}"), interval })
}

/// What a trade is made of, in the words of Tardis.
pub(super) struct Words<'a> {
    pub(super) id: &'a str,
    pub(super) side: &'a str,
    pub(super) price: &'a str,
    pub(super) amount: &'a str,
}

impl Words<'_> {
    pub(super) fn trade(
        &self,
        instrument: InstrumentId,
        ts_event: Timestamp,
    ) -> Result<Trade, DecodeError> {
        let aggressor = match self.side {
            "buy" => Aggressor::Buyer,
            "sell" => Aggressor::Seller,
            _ => Aggressor::Unknown,
        };
        let price = decimal("trade", "price", self.price)?;
        let qty = decimal("trade", "amount", self.amount)?;
        plausible(Trade { id: id_of(self.id), instrument, ts_event, price, qty, aggressor })
    }
}

/// A record of sealed market data is a trade whose side and id nobody knows.
pub(super) fn trade_of(tick: &Tick<'_>, instrument: InstrumentId) -> Result<Trade, DecodeError> {
    plausible(Trade {
        id: TradeId(0),
        instrument,
        ts_event: tick.timestamp,
        price: tick.price,
        qty: tick.volume,
        aggressor: Aggressor::Unknown,
    })
}

fn plausible(trade: Trade) -> Result<Trade, DecodeError> {
    if trade.price.nanos() > 0 {
        return Ok(trade);
    }
    let what = format!("trade of {} has the price {}", trade.ts_event, trade.price);
    Err(error(DecodeErrorKind::Implausible, what))
}

/// Numbers and UUIDs as they are, other texts as a hash; 0 where there is none.
fn id_of(text: &str) -> TradeId {
    if text.is_empty() {
        return TradeId(0);
    }
    let is_number = text.len() <= 38 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && let Ok(number) = text.parse() {
        return TradeId(number);
    }
    let dashes = [8, 13, 18, 23];
    let is_digit = |(place, byte): (usize, u8)| match dashes.contains(&place) {
        true => byte == b'-',
        false => byte.is_ascii_hexdigit(),
    };
    if text.len() == 36 && text.bytes().enumerate().all(is_digit) {
        let digits: String = text.split('-').collect();
        if let Ok(number) = u128::from_str_radix(&digits, 16) {
            return TradeId(number);
        }
    }
    TradeId(IdHasher::new().text(text).finish())
}

/// The text of a JSON value, without the quotes of a string.
fn given<'a>(what: &str, name: &str, raw: Option<&'a RawValue>) -> Result<&'a str, DecodeError> {
    let Some(raw) = raw else {
        return Err(error(DecodeErrorKind::Malformed, format!("{what} without {name}")));
    };
    let text = raw.get();
    Ok(text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text))
}

fn decimal<T: std::str::FromStr<Err = DecimalError>>(
    what: &str,
    name: &str,
    text: &str,
) -> Result<T, DecodeError> {
    text.parse().map_err(|e| refused(what, (name, text), e))
}

/// A sum of doubles, rounded where it shows that it is one.
fn sum(what: &str, name: &str, text: &str) -> Result<Qty, DecodeError> {
    match text.parse() {
        Err(DecimalError::TooPrecise) => {
            // Within the range in which every ninth decimal of a double could be right.
            let rounded = text.parse().ok().and_then(|value| Price::from_f64_rounded(value, 9));
            let nanos = rounded.and_then(|rounded| u128::try_from(rounded.nanos()).ok());
            nanos
                .map(Qty::from_nanos)
                .ok_or_else(|| refused(what, (name, text), DecimalError::OutOfRange))
        }
        other => other.map_err(|e| refused(what, (name, text), e)),
    }
}

fn refused(what: &str, (name, text): (&str, &str), why: DecimalError) -> DecodeError {
    let words = format!("{what}: field \"{name}\" is \"{}\": {why}", quoted(text));
    error(DecodeErrorKind::Malformed, words)
}
