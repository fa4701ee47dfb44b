//! What a venue file is made of: plain functions between frames and events.
//!
//! A venue translates, it does not connect. It is given a frame and the moment of its receipt and
//! says what it means; it is given a query and says what to ask. Sockets, waits and retries exist
//! once, in [`crate::Session`], so a venue is tested with strings.

use std::collections::HashMap;
use std::time::Duration;

use finstage_model::{Day, Event, InstrumentId, Interval, Symbol, Timestamp};
use finstage_net::{Frame, Request, Response, Terms};

use crate::DecodeError;
use crate::prices::{PriceAnswer, PriceQuery};
use crate::registry::ListingCategory;

/// A venue that pushes frames over a WebSocket.
pub trait StreamVenue: Send {
    /// What to do for a new connection. What the venue remembers of single frames is forgotten
    /// here; what it knows of instruments (the last trade ids) is kept.
    fn open(&mut self) -> Open;

    /// The same for a venue whose address says what is asked for; it has no commands then.
    fn open_for(&mut self, _subscriptions: &[Subscription]) -> Open {
        self.open()
    }

    /// The commands that ask for `subscriptions`, in the order in which they are sent. The venue
    /// acknowledges each with one [`Ack`].
    fn subscribe(&self, subscriptions: &[Subscription]) -> Vec<Frame>;

    /// What a frame means. Never called for pings, pongs and goodbyes.
    ///
    /// # Errors
    /// When the frame is not understood. Nothing of it is in `out` then, and the stream goes on.
    fn decode(
        &mut self,
        frame: &Frame,
        ts_recv: Timestamp,
        out: &mut Decoded,
    ) -> Result<(), DecodeError>;

    /// What the ids of its trades say. Where they are consecutive, a session fetches those that are
    /// missing, and may listen to two connections at a time: then frames of both are decoded here,
    /// in the order in which they come.
    fn numbering(&self) -> Numbering {
        Numbering::None
    }
}

/// What the ids of trades say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Numbering {
    /// Nothing: a trade that is missing or comes twice cannot be told by them.
    None,
    /// They rise by one from each trade of a symbol to its next.
    Consecutive,
}

/// A venue that answers requests; also how missed bars are fetched.
pub trait PollVenue: Send + Sync {
    /// The request that asks `query`.
    fn request(&self, query: &Query) -> Request;

    /// Puts what the answer to `query` says into `out`, oldest first, and returns the query for
    /// the next page, if there is one.
    ///
    /// # Errors
    /// When the venue refused or the answer is not understood.
    fn read(
        &self,
        query: &Query,
        response: &Response,
        ts_recv: Timestamp,
        out: &mut Vec<Event>,
    ) -> Result<Option<Query>, DecodeError>;

    /// The request for the trades of a symbol by their ids; `None` where the venue has none such.
    fn trades_request(&self, _query: &TradeQuery) -> Option<Request> {
        None
    }

    /// Puts the trades of the answer to [`PollVenue::trades_request`] into `out`, oldest first, and
    /// says whether there may be more behind them.
    ///
    /// # Errors
    /// As [`PollVenue::read`].
    fn read_trades(
        &self,
        _query: &TradeQuery,
        _response: &Response,
        _ts_recv: Timestamp,
        _out: &mut Vec<Event>,
    ) -> Result<Page, DecodeError> {
        Ok(Page::Last)
    }

    /// The request for the dividends and splits of a symbol since a moment; `None` where the venue
    /// tells none.
    fn actions_request(&self, _symbol: &Symbol, _from: Timestamp) -> Option<Request> {
        None
    }

    /// What the answer to [`PollVenue::actions_request`] says, oldest first.
    ///
    /// # Errors
    /// As [`PollVenue::read`].
    fn read_actions(&self, _response: &Response) -> Result<Vec<Action>, DecodeError> {
        Ok(Vec::new())
    }

    /// The request that asks what an instrument is, of this step from 0 on; `None` where the venue does
    /// not tell, or not more.
    fn description_request(&self, _symbol: &Symbol, _step: u32) -> Option<Request> {
        None
    }

    /// What the answer to [`PollVenue::description_request`] says; `None` where it says nothing of the
    /// symbol, and the next step may.
    ///
    /// # Errors
    /// As [`PollVenue::read`].
    fn read_description(
        &self,
        _symbol: &Symbol,
        _response: &Response,
    ) -> Result<Option<Description>, DecodeError> {
        Ok(None)
    }

    /// How many symbols one question for prices may name.
    fn prices_at_once(&self) -> usize {
        1
    }

    /// The request that asks what instruments cost now; `None` where the venue does not tell.
    fn price_request(&self, _query: &PriceQuery) -> Option<Request> {
        None
    }

    /// What the answer to [`PollVenue::price_request`] says: each symbol of `query` is told or asked
    /// for again.
    ///
    /// # Errors
    /// When the venue refused or the answer is not understood; then none of the symbols has a price.
    fn read_prices(
        &self,
        _query: &PriceQuery,
        _response: &Response,
        _ts_recv: Timestamp,
    ) -> Result<PriceAnswer, DecodeError> {
        Ok(PriceAnswer::default())
    }
}

/// What a venue says of an instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The English name.
    pub name: Option<String>,
    /// The Korean name.
    pub korean: Option<String>,
    /// The international number, ISO 6166.
    pub isin: Option<String>,
    /// What kind of thing it is.
    pub category: Option<ListingCategory>,
    /// What its price is in.
    pub currency: String,
}

/// A question for trades, from an id on, oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TradeQuery {
    /// The id of the instrument that the trades carry.
    pub instrument: InstrumentId,
    /// The instrument's name.
    pub symbol: Symbol,
    /// The first trade wanted.
    pub from: u128,
}

/// Whether an answer is the last of a series of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// As full as it can be: more may follow.
    Full,
    /// There is no more.
    Last,
}

/// A dividend or a split: prices from before it compare with later ones only when adjusted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Action {
    /// The last trading day before it.
    pub before: Day,
    /// What happened.
    pub kind: ActionKind,
}

/// The kinds of [`Action`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ActionKind {
    /// Money paid out for each share.
    Dividend {
        /// The share of the price of the day before that it is, between 0 and 1.
        share: f64,
    },
    /// One share became several.
    Split {
        /// So many new ones for each old one; below 1 where shares were merged.
        ratio: f64,
    },
}

/// How a connection begins.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Open {
    /// Connect to this address.
    Connect(String),
}

/// One wish for data of one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The id that events carry.
    pub instrument: InstrumentId,
    /// The instrument's name.
    pub symbol: Symbol,
    /// Whether its trades are wanted.
    pub trades: bool,
    /// Of which lengths the venue's own bars are wanted.
    pub intervals: Vec<Interval>,
}

impl Subscription {
    /// How many of the venue's streams it needs.
    #[must_use]
    pub fn streams(&self) -> usize {
        usize::from(self.trades) + self.intervals.len()
    }
}

/// What one frame said. Reused from frame to frame: [`Decoded::clear`] keeps the memory.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Decoded {
    /// What happened, in the venue's order.
    pub events: Vec<Event>,
    /// What must be sent back.
    pub replies: Vec<Frame>,
    /// Answers to commands.
    pub acks: Vec<Ack>,
    /// Messages dropped because they were seen before.
    pub duplicates: u64,
    /// Whether the venue asks to connect anew.
    pub reconnect: bool,
}

impl Decoded {
    /// Empties it.
    pub fn clear(&mut self) {
        self.events.clear();
        self.replies.clear();
        self.acks.clear();
        self.duplicates = 0;
        self.reconnect = false;
    }
}

/// A venue's answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ack {
    /// Done.
    Accepted {
        /// Which of the frames of [`StreamVenue::subscribe`], from 0.
        command: usize,
    },
    /// Not done.
    Refused {
        /// Which of the frames, where the venue says.
        command: Option<usize>,
        /// In the venue's words.
        reason: String,
    },
}

/// A question to a [`PollVenue`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Query {
    /// The closed bars with `from <= open_time < to`, oldest first.
    Bars {
        /// The id that the bars carry.
        instrument: InstrumentId,
        /// The instrument's name.
        symbol: Symbol,
        /// How long the bars are.
        interval: Interval,
        /// The first open time wanted.
        from: Timestamp,
        /// The first open time not wanted.
        to: Timestamp,
        /// The most bars of one page.
        limit: u32,
    },
}

/// What is constant about a venue.
#[derive(Debug, Clone, Copy)]
pub struct VenueProfile {
    /// The name before the colon of its symbols.
    pub name: &'static str,
    /// Where requests go when nothing else is configured.
    pub rest: &'static str,
    /// Where streams come from when nothing else is configured.
    pub stream: &'static str,
    /// Pages of the venue's documentation that its file was written from.
    pub docs: &'static [&'static str],
    /// The venue's longest silence on a healthy connection.
    pub heartbeat: Duration,
    /// The silence after which a connection counts as dead. After half of it we ping.
    pub stall: Duration,
    /// The age at which we replace a connection, before the venue cuts it.
    pub max_age: Duration,
    /// The shortest time between two of our commands.
    pub command_spacing: Duration,
    /// The most frames that we may send on one connection in any second, pongs included; 0 where
    /// the venue names none.
    pub frames_per_second: u32,
    /// The most streams of one connection.
    pub max_streams: usize,
    /// The most bars of one answer.
    pub bars_per_page: u32,
    /// Whether the venue closes a bar for every interval, even one without trades: then a missing
    /// bar is a loss.
    pub bars_without_trades: bool,
    /// What it allows, and how it says no.
    pub terms: Terms,
    /// How long to ask nothing after it said "too many requests" and no more.
    pub block: Duration,
    /// The lengths of bars that it gives.
    pub intervals: &'static [Interval],
    /// How far back it gives bars of a length; `None`: as far as there are any.
    pub reach: fn(Interval) -> Option<Duration>,
}

impl VenueProfile {
    /// The venue's own addresses.
    #[must_use]
    pub fn endpoints(&self) -> Endpoints {
        Endpoints { rest: self.rest.to_owned(), stream: self.stream.to_owned() }
    }
}

/// The hosts of an address, parted by commas: the later ones stand in for the first.
pub fn hosts(rest: &str) -> impl Iterator<Item = &str> {
    rest.split(',').map(|host| host.trim().trim_end_matches('/')).filter(|host| !host.is_empty())
}

/// Addresses of a venue, without a path: the venue's own, or a simulator's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// For requests: `https://…`. Where a venue has hosts that stand in for each other, they are
    /// parted by commas: see [`hosts`].
    pub rest: String,
    /// For streams: `wss://…`.
    pub stream: String,
}

/// From a venue's own names to our ids.
#[derive(Debug, Clone, Default)]
pub struct SymbolMap(HashMap<Box<str>, InstrumentId>);

impl SymbolMap {
    /// The names of all `subscriptions`.
    #[must_use]
    pub fn of(subscriptions: &[Subscription]) -> Self {
        subscriptions.iter().map(|s| (s.symbol.name().to_owned(), s.instrument)).collect()
    }

    /// The id of a venue's name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<InstrumentId> {
        self.0.get(name).copied()
    }

    /// All names with their ids, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, InstrumentId)> {
        self.0.iter().map(|(name, id)| (&**name, *id))
    }
}

impl FromIterator<(String, InstrumentId)> for SymbolMap {
    fn from_iter<I: IntoIterator<Item = (String, InstrumentId)>>(names: I) -> Self {
        Self(names.into_iter().map(|(name, id)| (name.into_boxed_str(), id)).collect())
    }
}
