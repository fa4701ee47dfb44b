//! Events as bytes, version 7.
//!
//! The journal is written once and read for years, so its bytes are this file and nothing else:
//! no derive decides them, and a golden test holds them fixed. The form is compact (a trade takes
//! about 25 bytes) and exact: every value of every payload comes back bit for bit.
//!
//! ```text
//! event   := ts_recv (zigzag varint, difference to the event before, the first to 0)
//!            tag (1 byte, its highest bit: came sealed) fields
//! number  := LEB128 varint, seven bits a byte, least first; signed ones zigzag
//! text    := length, UTF-8      option := 0 | 1 value      id := 16 bytes, little endian
//! float   := 8 bytes, little endian
//! tags    := 1 Instrument  2 Trade  3 Bar  4 Feed  5 Past  6 Said  7 Tick  8 Reset  9 Card
//!            10 Card about the size of moves  11 Watch  12 Mute  13 Document  14 Insight
//! ```
//! Version 1 is the same without `Reset`, version 2 without `Card`, version 3 without cards about the size
//! of moves, version 4 without `Watch` and `Mute`, version 5 without the bit of what came sealed, version 6
//! without `Document` and `Insight`; all are read as before.
//! Times inside an event are differences to its `ts_recv`; high, low and close of a bar are
//! differences to its open. Differences wrap, so nothing is out of range.
//!
//! Decoding trusts nothing: any bytes give events or [`Malformed`], never a panic, and memory
//! grows only with what was really read.

mod card;
mod document;

use std::fmt;

use finstage_model::{
    Aggressor, AlertId, Bar, Event, FeedKind, FeedStatus, Instrument, InstrumentId, Interval,
    MuteNotice, Past, Payload, Price, Qty, Said, Symbol, Timestamp, Trade, TradeId, WatchNotice,
};

/// The smallest event: one byte of time, one of tag. Bounds what a count may promise.
const MIN_EVENT_BYTES: usize = 2;
/// The smallest bar inside a `Past`: nine one-byte fields.
const MIN_BAR_BYTES: usize = 9;

/// The bit of the tag of an event that came sealed.
const SEALED: u8 = 0x80;

/// For how many events room is made before the first is read.
const RESERVED_EVENTS: usize = 4_096;

/// Bytes that are no events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Appends the bytes of `event`, whose predecessor in the record was received at `previous`.
///
/// # Panics
/// `invariant:` when the model has a kind of feed status that this file does not know.
pub(crate) fn encode(event: &Event, previous: Timestamp, out: &mut Vec<u8>) {
    put_difference(out, event.ts_recv, previous);
    let (received, tag_at) = (event.ts_recv, out.len());
    match &event.payload {
        Payload::Instrument(instrument) => {
            out.push(1);
            put_instrument(out, instrument);
        }
        Payload::Trade(trade) => {
            out.push(2);
            put_trade(out, trade, received);
        }
        Payload::Bar(bar) => {
            out.push(3);
            put_bar(out, bar, received);
        }
        Payload::Feed(status) => {
            out.push(4);
            put_feed(out, *status, received);
        }
        Payload::Past(past) => {
            out.push(5);
            put_u64(out, u64::from(past.instrument.0));
            out.push(interval_code(past.interval));
            put_u64(out, past.bars.len() as u64);
            for bar in &past.bars {
                put_bar(out, bar, received);
            }
        }
        Payload::Said(said) => {
            out.push(6);
            put_said(out, said, received);
        }
        Payload::Tick => out.push(7),
        Payload::Reset(instrument) => {
            out.push(8);
            put_u64(out, u64::from(instrument.0));
        }
        Payload::Card(card) => {
            if card::is_plain(card) {
                out.push(9);
                card::put(out, card, received);
            } else {
                out.push(10);
                card::put_size(out, card, received);
            }
        }
        Payload::Watch(watch) => {
            out.push(11);
            put_watch(out, watch);
        }
        Payload::Mute(mute) => {
            out.push(12);
            put_text(out, &mute.what);
            put_difference(out, mute.until, received);
        }
        Payload::Document(document) => {
            out.push(13);
            document::put(out, document, received);
        }
        Payload::Insight(insight) => {
            out.push(14);
            document::put_insight(out, insight, received);
        }
    }
    if event.sealed {
        out[tag_at] |= SEALED;
    }
}

/// Reads `count` events and appends them to `events`; all of `bytes` must be used.
pub(crate) fn decode(bytes: &[u8], count: u32, events: &mut Vec<Event>) -> Result<(), Malformed> {
    let mut from = Cursor { rest: bytes };
    let promised = count as usize;
    if promised > bytes.len() / MIN_EVENT_BYTES {
        return Err(Malformed("more events promised than bytes can hold"));
    }
    events.reserve(promised.min(RESERVED_EVENTS));
    let mut previous = Timestamp::EPOCH;
    for _ in 0..count {
        let received = from.difference(previous)?;
        let tag = from.byte()?;
        let payload = take_payload(tag & !SEALED, &mut from, received)?;
        events.push(Event { ts_recv: received, payload, sealed: tag & SEALED != 0 });
        previous = received;
    }
    if from.rest.is_empty() { Ok(()) } else { Err(Malformed("bytes after the last event")) }
}

fn take_payload(tag: u8, from: &mut Cursor<'_>, received: Timestamp) -> Result<Payload, Malformed> {
    Ok(match tag {
        1 => Payload::Instrument(Box::new(take_instrument(from)?)),
        2 => Payload::Trade(take_trade(from, received)?),
        3 => Payload::Bar(take_bar(from, received)?),
        4 => Payload::Feed(take_feed(from, received)?),
        5 => Payload::Past(Box::new(take_past(from, received)?)),
        6 => Payload::Said(Box::new(Said {
            id: AlertId(from.id()?),
            symbol: from.symbol()?,
            rule: from.text()?.to_owned(),
            said_at: from.difference(received)?,
        })),
        7 => Payload::Tick,
        8 => Payload::Reset(from.instrument()?),
        9 => Payload::Card(Box::new(card::take(from, received)?)),
        10 => Payload::Card(Box::new(card::take_size(from, received)?)),
        11 => Payload::Watch(Box::new(take_watch(from)?)),
        12 => Payload::Mute(Box::new(MuteNotice {
            what: from.text()?.to_owned(),
            until: from.difference(received)?,
        })),
        13 => Payload::Document(Box::new(document::take(from, received)?)),
        14 => Payload::Insight(Box::new(document::take_insight(from, received)?)),
        _ => return Err(Malformed("unknown kind of event")),
    })
}

fn put_instrument(out: &mut Vec<u8>, instrument: &Instrument) {
    put_u64(out, u64::from(instrument.id.0));
    put_text(out, instrument.symbol.as_str());
    put_option(out, instrument.tick, |out, tick| put_i64(out, tick.nanos()));
    put_option(out, instrument.lot, |out, lot| put_u128(out, lot.nanos()));
    put_option(out, instrument.currency.as_deref(), put_text);
    // The category by its word: a new one needs no new version.
    let word = serde_json::to_value(instrument.category).unwrap_or_default();
    put_text(out, word.as_str().expect("a category is one word in JSON"));
}

fn take_instrument(from: &mut Cursor<'_>) -> Result<Instrument, Malformed> {
    Ok(Instrument {
        id: from.instrument()?,
        symbol: from.symbol()?,
        tick: from.option(|from| Ok(Price::from_nanos(from.i64()?)))?,
        lot: from.option(|from| Ok(Qty::from_nanos(from.u128()?)))?,
        currency: from.option(|from| Ok(from.text()?.to_owned()))?,
        category: serde_json::from_value(from.text()?.into())
            .map_err(|_| Malformed("unknown category"))?,
    })
}

fn put_trade(out: &mut Vec<u8>, trade: &Trade, received: Timestamp) {
    put_u128(out, trade.id.0);
    put_u64(out, u64::from(trade.instrument.0));
    put_difference(out, trade.ts_event, received);
    put_i64(out, trade.price.nanos());
    put_u128(out, trade.qty.nanos());
    out.push(match trade.aggressor {
        Aggressor::Buyer => 0,
        Aggressor::Seller => 1,
        Aggressor::Unknown => 2,
    });
}

fn take_trade(from: &mut Cursor<'_>, received: Timestamp) -> Result<Trade, Malformed> {
    Ok(Trade {
        id: TradeId(from.u128()?),
        instrument: from.instrument()?,
        ts_event: from.difference(received)?,
        price: Price::from_nanos(from.i64()?),
        qty: Qty::from_nanos(from.u128()?),
        aggressor: match from.byte()? {
            0 => Aggressor::Buyer,
            1 => Aggressor::Seller,
            2 => Aggressor::Unknown,
            _ => return Err(Malformed("unknown aggressor")),
        },
    })
}

fn put_bar(out: &mut Vec<u8>, bar: &Bar, received: Timestamp) {
    put_u64(out, u64::from(bar.instrument.0));
    out.push(interval_code(bar.interval));
    put_difference(out, bar.open_time, received);
    put_i64(out, bar.open.nanos());
    for price in [bar.high, bar.low, bar.close] {
        put_i64(out, price.nanos().wrapping_sub(bar.open.nanos()));
    }
    put_u128(out, bar.volume.nanos());
    put_u64(out, u64::from(bar.trades));
}

fn take_bar(from: &mut Cursor<'_>, received: Timestamp) -> Result<Bar, Malformed> {
    let instrument = from.instrument()?;
    let interval = from.interval()?;
    let open_time = from.difference(received)?;
    let open = from.i64()?;
    let mut price = || Ok(Price::from_nanos(open.wrapping_add(from.i64()?)));
    let (high, low, close) = (price()?, price()?, price()?);
    Ok(Bar {
        instrument,
        interval,
        open_time,
        open: Price::from_nanos(open),
        high,
        low,
        close,
        volume: Qty::from_nanos(from.u128()?),
        trades: from.u32()?,
    })
}

fn take_past(from: &mut Cursor<'_>, received: Timestamp) -> Result<Past, Malformed> {
    let instrument = from.instrument()?;
    let interval = from.interval()?;
    let count = from.u64()?;
    if count > (from.rest.len() / MIN_BAR_BYTES) as u64 {
        return Err(Malformed("more bars promised than bytes can hold"));
    }
    let bars = (0..count).map(|_| take_bar(from, received)).collect::<Result<_, _>>()?;
    Ok(Past { instrument, interval, bars })
}

fn put_feed(out: &mut Vec<u8>, status: FeedStatus, received: Timestamp) {
    put_u64(out, u64::from(status.instrument.0));
    let (code, span) = match status.kind {
        FeedKind::Up => (0, None),
        FeedKind::Stale => (1, None),
        FeedKind::Gap { from, to } => (2, Some((from, to))),
        FeedKind::Repaired { from, to } => (3, Some((from, to))),
        other => unreachable!("invariant: the journal has no form for the feed status {other:?}"),
    };
    out.push(code);
    if let Some((from, to)) = span {
        put_difference(out, from, received);
        put_difference(out, to, received);
    }
}

fn take_feed(from: &mut Cursor<'_>, received: Timestamp) -> Result<FeedStatus, Malformed> {
    let instrument = from.instrument()?;
    let kind = match from.byte()? {
        0 => FeedKind::Up,
        1 => FeedKind::Stale,
        2 => FeedKind::Gap { from: from.difference(received)?, to: from.difference(received)? },
        3 => {
            FeedKind::Repaired { from: from.difference(received)?, to: from.difference(received)? }
        }
        _ => return Err(Malformed("unknown feed status")),
    };
    Ok(FeedStatus { instrument, kind })
}

fn put_said(out: &mut Vec<u8>, said: &Said, received: Timestamp) {
    out.extend(said.id.0.to_le_bytes());
    put_text(out, said.symbol.as_str());
    put_text(out, &said.rule);
    put_difference(out, said.said_at, received);
}

fn put_watch(out: &mut Vec<u8>, watch: &WatchNotice) {
    put_text(out, watch.symbol.as_str());
    put_text(out, &watch.rule.to_string());
    put_u64(out, watch.cooldown_ms);
    out.push(u8::from(watch.is_on));
}

/// The rule stands as people write it: a new one needs no new version.
fn take_watch(from: &mut Cursor<'_>) -> Result<WatchNotice, Malformed> {
    Ok(WatchNotice {
        symbol: from.symbol()?,
        rule: from.text()?.parse().map_err(|_| Malformed("not a watch rule"))?,
        cooldown_ms: from.u64()?,
        is_on: match from.byte()? {
            0 => false,
            1 => true,
            _ => return Err(Malformed("neither on nor off")),
        },
    })
}

const fn interval_code(interval: Interval) -> u8 {
    match interval {
        Interval::M1 => 0,
        Interval::M5 => 1,
        Interval::M15 => 2,
        Interval::M30 => 3,
        Interval::H1 => 4,
        Interval::H4 => 5,
        Interval::D1 => 6,
        Interval::W1 => 7,
        Interval::Mo1 => 8,
    }
}

fn put_difference(out: &mut Vec<u8>, at: Timestamp, base: Timestamp) {
    put_i64(out, at.nanos().wrapping_sub(base.nanos()));
}

fn put_option<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_u64(out, text.len() as u64);
    out.extend(text.as_bytes());
}

fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_u64(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_u64(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_u128(out: &mut Vec<u8>, mut value: u128) {
    // Nearly all fit 64 bits, where shifting is cheap.
    while value > u128::from(u64::MAX) {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    put_u64(out, value as u64);
}

/// Reads from the front of the bytes.
struct Cursor<'a> {
    rest: &'a [u8],
}

const TOO_SHORT: Malformed = Malformed("ends inside an event");

impl<'a> Cursor<'a> {
    fn byte(&mut self) -> Result<u8, Malformed> {
        let (&first, rest) = self.rest.split_first().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(first)
    }

    fn u128(&mut self) -> Result<u128, Malformed> {
        let mut value = 0;
        for shift in (0..u128::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u128::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("number too large"))
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Malformed("number too large"))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        u32::try_from(self.u64()?).map_err(|_| Malformed("number too large"))
    }

    fn i64(&mut self) -> Result<i64, Malformed> {
        let value = self.u64()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn difference(&mut self, base: Timestamp) -> Result<Timestamp, Malformed> {
        Ok(Timestamp::from_nanos(base.nanos().wrapping_add(self.i64()?)))
    }

    fn id(&mut self) -> Result<u128, Malformed> {
        let (id, rest) = self.rest.split_first_chunk().ok_or(TOO_SHORT)?;
        self.rest = rest;
        Ok(u128::from_le_bytes(*id))
    }

    fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = usize::try_from(self.u64()?).map_err(|_| TOO_SHORT)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(TOO_SHORT)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| Malformed("text is not utf-8"))
    }

    fn symbol(&mut self) -> Result<Symbol, Malformed> {
        self.text()?.parse().map_err(|_| Malformed("not a symbol"))
    }

    fn instrument(&mut self) -> Result<InstrumentId, Malformed> {
        Ok(InstrumentId(self.u32()?))
    }

    fn interval(&mut self) -> Result<Interval, Malformed> {
        let code = self.byte()?;
        Interval::ALL
            .into_iter()
            .find(|&interval| interval_code(interval) == code)
            .ok_or(Malformed("unknown interval"))
    }

    fn option<T>(
        &mut self,
        take: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.byte()? {
            0 => Ok(None),
            1 => take(self).map(Some),
            _ => Err(Malformed("neither there nor absent")),
        }
    }
}

#[cfg(test)]
mod tests;
