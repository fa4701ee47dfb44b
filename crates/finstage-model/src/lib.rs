//! The words of the domain as value types: prices, bars, events, signals, alerts.
//!
//! This crate does no I/O, reads no clock and knows no venue. It depends on serde, and on
//! `serde_json` for one reason: a price is printed in JSON with its exact digits, which only a
//! raw JSON number can carry.
//!
//! Three types to read first: [`Event`] (everything that enters the engine), [`Output`]
//! (everything that leaves it) and [`Price`] (what a quoted number is).
//!
//! ```
//! use finstage_model::{Interval, Price, Timestamp};
//!
//! let price: Price = "42850.10".parse().unwrap();
//! assert_eq!(price.to_string(), "42850.1");
//! let at: Timestamp = "2026-11-21T09:30:15Z".parse().unwrap();
//! assert_eq!(Interval::H1.open_of(at).to_string(), "2026-11-21T09:00:00Z");
//! ```
#![forbid(unsafe_code)]

mod alert;
mod bar;
mod call;
mod card;
mod decimal;
mod document;
mod event;
mod feed;
mod id;
mod instrument;
mod interval;
mod outcome;
mod output;
mod position;
mod price;
mod proof;
mod qty;
mod session;
mod signal;
pub mod text;
mod time;
mod trade;
mod trial;
mod watch;

pub use alert::{Alert, AlertKind, Decision, MuteNotice, Said, WithheldAlert, rule_name};
pub use bar::{Bar, BarFault, Past};
pub use call::{Call, CallError};
pub use card::{Card, CardMember, CardNews, CardVerdict, ClaimKind, Grade, Objection, OutOfSample};
pub use decimal::DecimalError;
pub use document::{Document, Insight, Tone};
pub use event::{Event, Payload};
pub use feed::{FeedKind, FeedStatus};
pub use id::{AlertId, CardId, DocumentId, IdHasher, NoticeId, ParseIdError, SignalId, TradeId};
pub use instrument::{Category, Instrument, InstrumentId, Symbol, SymbolError};
pub use interval::{Interval, UnknownInterval};
pub use outcome::{Horizon, Outcome};
pub use output::Output;
pub use position::{Position, RunNumber};
pub use price::Price;
pub use proof::{CardNotice, Proof};
pub use qty::Qty;
pub use session::{Calendar, CalendarError, Span};
pub use signal::{Direction, Fact, FactName, Facts, Reason, Ruling, Signal, StrategyId, Verdict};
pub use time::{Clock, Day, ManualClock, TimeError, Timestamp, format_duration, parse_duration};
pub use trade::{Aggressor, Trade};
pub use trial::{Search, Trial, TrialKind};
pub use watch::{WatchNotice, WatchRule, WatchRuleError};
