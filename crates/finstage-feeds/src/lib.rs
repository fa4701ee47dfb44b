//! Venues: one file each that translates, one [`Session`] that connects, one [`Poller`] that asks
//! those that push nothing.
//!
//! It deliberately does not know what its events are used for, keeps nothing on disk but recordings that it
//! is told to make, and decides nothing about prices. A venue file never sees a socket or a clock.
//!
//! Three types to read first: [`StreamVenue`] (what a venue file is), [`Session`] (what runs it)
//! and [`Decoded`] (what passes between them).
//!
//! ```
//! use finstage_feeds::{Decoded, StreamVenue, SymbolMap, venues};
//! use finstage_model::{InstrumentId, Payload, Timestamp};
//! use finstage_net::Frame;
//!
//! let binance = venues::find("binance").unwrap();
//! let symbols = SymbolMap::from_iter([("BTCUSDT".to_owned(), InstrumentId(0))]);
//! let mut stream = (binance.stream.unwrap())(&binance.profile.endpoints(), symbols);
//! let frame = Frame::Text(
//!     r#"{"stream":"btcusdt@trade","data":{"e":"trade","s":"BTCUSDT","t":1,"p":"42850.10",
//!     "q":"0.25","T":1672515782136,"m":false}}"#.to_owned(),
//! );
//! let mut decoded = Decoded::default();
//! stream.decode(&frame, Timestamp::from_millis(1672515782140), &mut decoded).unwrap();
//! assert!(matches!(decoded.events[0].payload, Payload::Trade(_)));
//! ```
#![forbid(unsafe_code)]

mod account;
mod calendars;
mod error;
pub mod news;
mod poller;
pub mod prices;
mod public;
pub mod recording;
pub mod registry;
pub mod sealed;
mod session;
mod settling;
pub mod suite;
mod tape;
mod tick;
mod venue;
pub mod venues;

pub use account::{Access, Account, Server};
pub use calendars::{MarketHours, NotCovered, SessionTimes};
pub use error::{DecodeError, DecodeErrorKind};
pub use poller::{Agenda, Answer, KEPT_BARS, LONGEST_BLOCK, Poller, Step};
pub use public::{Params, Public, Read};
pub use session::{
    LinkState, LostTrades, MAX_HELD_BATCHES, MAX_LOST_STRETCHES, MAX_OUTBOX, MAX_PARKED_BARS,
    MAX_REPAIR_PAGES, MAX_RETRY_AFTER, MAX_TRADE_PAGES, MAX_TRADE_PAGES_OF_A_LOSS, Session,
    SessionLimits, SessionOptions, SessionSnapshot, SessionStats, Since, TooManyStreams,
};
pub use settling::{AFTER_DAY, AFTER_INTERVAL, Settling};
pub use tape::{Continuity, MAX_HOLES, MAX_PARKED_TRADES};
pub use tick::{Tick, Ticks};
pub use venue::{
    Ack, Action, ActionKind, Decoded, Description, Endpoints, Numbering, Open, Page, PollVenue,
    Query, StreamVenue, Subscription, SymbolMap, TradeQuery, VenueProfile, hosts,
};
