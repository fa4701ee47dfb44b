//! Tardis: trades and bars of many venues in one form, from a tardis-machine or from files.
//!
//! * An instrument is `tardis:EXCHANGE.SYMBOL`, both as Tardis writes them: `tardis:bitmex.XBTUSD`.
//! * Live: a tardis-machine on this network streams normalized messages at `/ws-stream-normalized`, and
//!   history at `/ws-replay-normalized`. What is asked for stands in the address, so there are no commands. It
//!   connects to the venues itself, and says `disconnect` when it lost one: that is a gap of its
//!   instruments, told with the next message of each.
//! * Replays are named by the address: `ws = "ws://HOST:8001/ws-replay-normalized?from=2026-11-01&to=2026-11-02"`.
//!   One that breaks goes on where it was; one that is over brings nothing more.
//! * Files: normalized messages, rows of CSV behind their header, and records of sealed market
//!   data, whose instruments are `tardis:SYMBOL`.
//! * Numbers are JSON numbers made from doubles, kept digit by digit; only volumes of bars, which are sums, may
//!   have more than nine decimals and are rounded. Times are ISO 8601.
//! * `buy` and `sell` are the taker's side. Ids are texts of each venue's own kind: they say nothing about
//!   what is missing.
//! * A bar (`trade_bar` of a time) is stamped with its end. The first bars after a connection began in front of
//!   it and are left out.
//! * Books, quotes, liquidations and summaries are of no use here: they are unknown messages.

mod csv;
mod message;

use std::collections::HashMap;
use std::fmt::Write as _;
use std::time::Duration;

use finstage_model::{Event, FeedKind, FeedStatus, InstrumentId, Interval, Payload, Timestamp};
use finstage_net::{Frame, Request, Terms};
use serde_json::{Value, json};

use crate::public::{Public, Read};
use crate::venue::{Decoded, Endpoints, Open, StreamVenue, Subscription, SymbolMap, VenueProfile};
use crate::venues::Venue;
use crate::{DecodeError, DecodeErrorKind, Tick};

pub(crate) use csv::{LOCAL_TIMESTAMP, from_micros, is_header};
pub use message::{Subject, subject_of};

pub(super) const VENUE: Venue = Venue {
    profile: &PROFILE,
    stream: Some(|endpoints, symbols| Box::new(Tardis::new(endpoints, symbols))),
    poll: None,
    access: None,
    public: &Public {
        reads: &[Read::of("/replay").endless(), Read::of("/replay-normalized").endless()],
        ..Public::NONE
    },
};

const PROFILE: VenueProfile = VenueProfile {
    name: "tardis",
    // Where a tardis-machine listens that nobody told otherwise.
    rest: "http://127.0.0.1:8000",
    stream: "ws://127.0.0.1:8001",
    docs: &[
        "https://docs.tardis.dev/api/tardis-machine",
        "https://docs.tardis.dev/downloadable-csv-files",
        "https://docs.tardis.dev/api/http",
    ],
    // It ends connections that are idle for a minute; at half of the stall we ping.
    heartbeat: Duration::from_secs(60),
    stall: Duration::from_secs(90),
    // A program of one's own cuts nothing because of its age.
    max_age: Duration::from_secs(365 * 86_400),
    command_spacing: Duration::ZERO,
    frames_per_second: 0,
    max_streams: 1_000,
    bars_per_page: 1,
    bars_without_trades: false,
    terms: TERMS,
    block: Duration::from_secs(60),
    // Those that begin with the epoch, as its bars do: its weeks would begin on a Thursday.
    intervals: &[
        Interval::M1,
        Interval::M5,
        Interval::M15,
        Interval::M30,
        Interval::H1,
        Interval::H4,
        Interval::D1,
    ],
    reach: |_| None,
};

/// A program of one's own has no limits.
const TERMS: Terms = Terms { block: Duration::from_secs(60), ..Terms::PLAIN };

/// Where live messages come from.
const LIVE: &str = "/ws-stream-normalized";
/// Where those of the past do.
const PAST: &str = "/ws-replay-normalized";
/// The silence of a venue after which the machine connects to it anew.
const MACHINE_TIMEOUT_MS: u32 = 10_000;

/// Translates Tardis.
#[derive(Debug)]
pub struct Tardis {
    endpoints: Endpoints,
    symbols: SymbolMap,
    /// What rows are, once a header has said it.
    columns: Option<csv::Columns>,
    /// The name that is looked up; kept for its memory.
    name: String,
    /// When the first frame of the connection came: bars that began before it are parts.
    first: Option<Timestamp>,
    /// When the last one did.
    last: Option<Timestamp>,
    /// Instruments whose venue the machine lost, and since when.
    lost: HashMap<InstrumentId, Timestamp>,
    replay: Option<Replay>,
}

/// A past that is being told.
#[derive(Debug, Default)]
struct Replay {
    from: String,
    to: String,
    /// The newest moment that was told, and how many messages of it.
    told: Option<(Timestamp, u32)>,
    /// As many messages of that moment are told again after a break.
    again: Option<(Timestamp, u32)>,
}

impl Tardis {
    /// A translator that knows `symbols`.
    #[must_use]
    pub fn new(endpoints: &Endpoints, symbols: SymbolMap) -> Self {
        Self {
            endpoints: endpoints.clone(),
            symbols,
            columns: None,
            name: String::new(),
            first: None,
            last: None,
            lost: HashMap::new(),
            replay: Replay::of(&endpoints.stream),
        }
    }

    fn instrument(&mut self, exchange: &str, symbol: &str) -> Result<InstrumentId, DecodeError> {
        self.name.clear();
        write!(self.name, "{exchange}.{symbol}").expect("writing to a string cannot fail");
        self.symbols.get(&self.name).ok_or_else(|| {
            error(DecodeErrorKind::Unknown, format!("symbol {} is not ours", quoted(&self.name)))
        })
    }

    /// Adds what happened to an instrument, behind the gap that it ends.
    fn say(&mut self, instrument: InstrumentId, event: Event, out: &mut Decoded) {
        if let Some(from) = self.lost.remove(&instrument) {
            let to = event.ts_recv;
            for kind in [FeedKind::Gap { from, to }, FeedKind::Up] {
                let payload = Payload::Feed(FeedStatus { instrument, kind });
                out.events.push(Event { payload, ..event.clone() });
            }
        }
        out.events.push(event);
    }

    fn read(
        &mut self,
        text: &str,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        if !text.starts_with('{') {
            return self.row(text, ts_recv, out);
        }
        let message = message::Message::read(text)?;
        if let Some(at) = message.local_timestamp()
            && self.replay.as_mut().is_some_and(|replay| replay.was_told(at))
        {
            out.duplicates += 1;
            return Ok(());
        }
        match message.kind.as_deref() {
            Some("trade") => {
                let (exchange, symbol) = message.names()?;
                let instrument = self.instrument(exchange, symbol)?;
                let payload = Payload::Trade(message.trade(instrument)?);
                self.say(instrument, Event::new(ts_recv, payload), out);
            }
            Some("trade_bar") => {
                let (exchange, symbol) = message.names()?;
                let instrument = self.instrument(exchange, symbol)?;
                let bar = message.bar(instrument)?;
                if self.first.is_none_or(|first| bar.open_time < first) {
                    let what = "trade_bar that began before the stream";
                    return Err(error(DecodeErrorKind::Unknown, what));
                }
                self.say(instrument, Event::new(ts_recv, Payload::Bar(bar)), out);
            }
            Some("disconnect") => self.lose(&message, ts_recv)?,
            Some("error") => {
                let details = message.details.as_deref().unwrap_or("without details");
                let exchange = message.exchange.as_deref().unwrap_or("a venue");
                let what = format!("the machine says of {}: {}", quoted(exchange), quoted(details));
                return Err(error(DecodeErrorKind::Refused, what));
            }
            Some(other) => {
                let what = format!("message of type {}", quoted(other));
                return Err(error(DecodeErrorKind::Unknown, what));
            }
            None => self.tick(text, ts_recv, out)?,
        }
        Ok(())
    }

    /// The machine lost a venue: what comes from there until it is back is missing.
    fn lose(&mut self, message: &message::Message<'_>, now: Timestamp) -> Result<(), DecodeError> {
        let exchange = message
            .exchange
            .as_deref()
            .ok_or_else(|| error(DecodeErrorKind::Malformed, "disconnect without exchange"))?;
        let since = self.last.unwrap_or(now);
        for (name, instrument) in self.symbols.iter() {
            let Some((of, symbol)) = name.split_once('.') else { continue };
            let is_meant = message.symbols.as_ref().is_none_or(|symbols| {
                symbols.is_empty() || symbols.iter().any(|one| one.eq_ignore_ascii_case(symbol))
            });
            if of == exchange && is_meant {
                self.lost.entry(instrument).or_insert(since);
            }
        }
        Ok(())
    }

    fn tick(
        &mut self,
        text: &str,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        let tick = Tick::read(text.as_bytes())
            .map_err(|e| error(DecodeErrorKind::Malformed, format!("no message: {e}")))?;
        let instrument = self.symbols.get(&tick.symbol).ok_or_else(|| {
            error(DecodeErrorKind::Unknown, format!("symbol {} is not ours", quoted(&tick.symbol)))
        })?;
        let payload = Payload::Trade(message::trade_of(&tick, instrument)?);
        self.say(instrument, Event::new(ts_recv, payload), out);
        Ok(())
    }

    fn row(
        &mut self,
        text: &str,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError> {
        if csv::is_header(text) {
            self.columns = Some(csv::Columns::of(text));
            return Ok(());
        }
        let Some(columns) = self.columns else {
            return Err(error(DecodeErrorKind::Malformed, "neither JSON nor a row with a header"));
        };
        let row = columns.read(text)?;
        let instrument = self.instrument(row.exchange, row.symbol)?;
        let payload = Payload::Trade(row.trade(instrument)?);
        self.say(instrument, Event::new(ts_recv, payload), out);
        Ok(())
    }

    /// The address that asks a machine for `subscriptions`.
    fn address(&self, subscriptions: &[Subscription]) -> String {
        let (base, path) = match (&self.replay, self.endpoints.stream.split_once(PAST)) {
            (Some(_), Some((base, _))) => (base, PAST),
            _ => (self.endpoints.stream.trim_end_matches('/'), LIVE),
        };
        let options: Vec<Value> = wishes(subscriptions)
            .into_iter()
            .map(|(exchange, symbols, kinds)| {
                let mut options = json!({
                    "exchange": exchange, "symbols": symbols, "dataTypes": kinds,
                    "withDisconnectMessages": true,
                });
                if let Some(replay) = &self.replay {
                    options["from"] = json!(replay.begin());
                    options["to"] = json!(replay.to);
                } else {
                    options["withErrorMessages"] = json!(true);
                    options["timeoutIntervalMS"] = json!(MACHINE_TIMEOUT_MS);
                }
                options
            })
            .collect();
        let request = Request::get(format!("{base}{path}"));
        request.query("options", Value::from(options)).url().to_owned()
    }
}

/// Per venue and kinds of messages the symbols that are asked for, in an order that does not change.
fn wishes(subscriptions: &[Subscription]) -> Vec<(&str, Vec<&str>, Vec<String>)> {
    let mut wishes: Vec<(&str, Vec<&str>, Vec<String>)> = Vec::new();
    for subscription in subscriptions {
        let Some((exchange, symbol)) = subscription.symbol.name().split_once('.') else {
            continue;
        };
        let trade = subscription.trades.then(|| "trade".to_owned());
        let bar = |interval: &Interval| format!("trade_bar_{}ms", interval.nominal().as_millis());
        let kinds: Vec<String> =
            trade.into_iter().chain(subscription.intervals.iter().map(bar)).collect();
        match wishes.iter_mut().find(|(of, _, same)| *of == exchange && *same == kinds) {
            Some((_, symbols, _)) => symbols.push(symbol),
            None => wishes.push((exchange, vec![symbol], kinds)),
        }
    }
    wishes
}

impl StreamVenue for Tardis {
    fn open(&mut self) -> Open {
        self.open_for(&[])
    }

    fn open_for(&mut self, subscriptions: &[Subscription]) -> Open {
        (self.first, self.columns) = (None, None);
        if let Some(replay) = &mut self.replay {
            replay.again = replay.told;
        }
        Open::Connect(self.address(subscriptions))
    }

    fn subscribe(&self, _: &[Subscription]) -> Vec<Frame> {
        Vec::new()
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
        self.first.get_or_insert(ts_recv);
        let read = self.read(text, ts_recv, out);
        self.last = Some(ts_recv);
        read
    }
}

impl Replay {
    /// What an address asks for; `None` where it asks for what happens now.
    fn of(address: &str) -> Option<Self> {
        let (_, query) = address.split_once(PAST)?;
        let mut replay = Self::default();
        for pair in query.trim_start_matches('?').split('&') {
            match pair.split_once('=') {
                Some(("from", value)) => value.clone_into(&mut replay.from),
                Some(("to", value)) => value.clone_into(&mut replay.to),
                _ => {}
            }
        }
        Some(replay)
    }

    /// From when on the next connection asks.
    fn begin(&self) -> String {
        // Whole milliseconds: what was told of them is left out.
        let since = |(at, _): (Timestamp, u32)| Timestamp::from_millis(at.millis()).to_string();
        self.told.map_or_else(|| self.from.clone(), since)
    }

    /// Counts a message, and says whether an earlier connection told it.
    fn was_told(&mut self, at: Timestamp) -> bool {
        if let Some((until, left)) = &mut self.again {
            if at < *until || (at == *until && *left > 0) {
                *left -= u32::from(at == *until);
                return true;
            }
            self.again = None;
        }
        match &mut self.told {
            Some((newest, count)) if at <= *newest => *count += u32::from(at == *newest),
            told => *told = Some((at, 1)),
        }
        false
    }
}

/// Strange words, cut to a bound and to one line.
fn quoted(text: &str) -> String {
    const MOST: usize = 80;
    text.chars().take(MOST).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn error(kind: DecodeErrorKind, message: impl Into<String>) -> DecodeError {
    DecodeError::new(PROFILE.name, kind, message)
}

#[cfg(test)]
mod tests;
