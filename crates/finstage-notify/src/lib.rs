//! Alerts and notices to people: one file per channel that renders, one dispatcher that delivers.
//!
//! A [`Notifier`] turns an alert, or a notice of the service itself, into requests or lines and an answer into its meaning: plain
//! functions. A [`Dispatcher`] takes them from the durable outbox and delivers each at least
//! once per id, paced, retried, and marked where it may be a repeat.
//!
//! This crate does not decide what is worth an alert (the engine does), keeps no state of its own
//! on disk (the store does), opens no connection but through the client it is given, and never
//! prints: lines go to a writer of the caller's choice.
//!
//! Three types to read first: [`Notifier`], [`Courier`] (carries one alert) and [`Dispatcher`].
//!
//! ```
//! use finstage_model::{Alert, AlertId, AlertKind, Decision};
//! use finstage_notify::notifiers::Log;
//! use finstage_notify::{Delivery, Notifier, Outgoing, Template};
//!
//! let at = "2026-11-21T09:30:00Z".parse().unwrap();
//! let alert = Alert {
//!     id: AlertId(42),
//!     kind: AlertKind::Watch { base: "100".parse().unwrap() },
//!     symbol: "binance:BTCUSDT".parse().unwrap(),
//!     rule: String::from("rise=3%"),
//!     words: String::from("The price rose 3.2 % above the previous close."),
//!     price: "103.2".parse().unwrap(),
//!     currency: Some(String::from("USDT")),
//!     at,
//!     said_at: at,
//!     data_age_ms: 1_200,
//!     decision: Decision::Send,
//! };
//! let sent = Log::new(Template::default()).render(&alert.into(), &Delivery::FIRST);
//! let [Outgoing::Line(line)] = &sent[..] else { panic!("one line") };
//! assert!(line.starts_with("● price watch rise=3% · binance:BTCUSDT at 103.2 USDT"));
//! assert!(line.ends_with("Not advice."));
//! ```
#![forbid(unsafe_code)]

mod blocking;
mod bot;
mod courier;
mod dispatcher;
mod error;
mod explain;
mod heard;
mod holding;
mod message;
mod notifier;
pub mod notifiers;
mod pacer;
mod stats;
#[cfg(test)]
mod suite;
mod template;

pub use bot::{Bot, BotError, BotErrorKind, BotName, Chat, MAX_NEWS_WAIT};
pub use courier::{Courier, Later, Lines, MAX_MOVES, MAX_SEND, MAX_TURN, Progress, Sending};
pub use dispatcher::{
    BACKOFF, Dispatcher, DispatcherOptions, LEASE, MAX_ACKS, MAX_AGE, MAX_ATTEMPT, MAX_DRAIN,
    MAX_PARTIAL, MAX_POLL, MAX_REFUSALS, MIN_POLL, Synced,
};
pub use error::{Error, ErrorKind};
pub use explain::{Explain, Explained, MAX_EXPLAIN, MAX_NOTE_CHARS, Unfit, checked};
pub use heard::{Heard, MAX_ARG_CHARS, MAX_ARGS, What, heard};
pub use holding::{
    DigestWords, HOUR, Held, Holding, Level, MAX_DIGEST_AGE, MAX_DIGEST_ALERTS, Quiet,
};
pub use message::{Line, Message, Span, Style, clean};
pub use notifier::{Accepted, Delivery, Form, Notifier, Outgoing, Reply, Then};
pub use pacer::{Pace, Pacer};
pub use stats::{MAX_ERROR_CHARS, SEND_SECONDS, SendTimes, Stats};
pub use template::{
    AlertWords, MAX_NAME_CHARS, MAX_WORDS_CHARS, Repeat, Template, fill, korean_reason,
};
