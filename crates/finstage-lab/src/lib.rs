//! The proving ground: exchanges, a messenger and a model server on loopback, seeded, with faults.
//!
//! [`sim`] speaks the venues' own wire formats, so that the whole product can be run, shown and
//! tested without the internet: frames and answers are what a venue would send, limits and errors
//! are what it would say, and a scenario breaks things on purpose. One seed is one market, on every
//! machine and in every build: frames can be compared byte for byte.
//!
//! **It is written from the venues' published documentation, not from our clients.** It shares no
//! encoder and no decoder with them: if the simulator were made of the client's own code, a field
//! both misread would look like agreement.
//!
//! What it deliberately does not do: match orders, sign requests, or look like more than the public
//! market data of venues, the sending half of one messenger and the questions that are put to models. It reads no clock of its own;
//! whoever starts it says what time it is.
//!
//! Three types to read first: [`sim::market::Market`] (what happens, in virtual time),
//! [`sim::binance::BinanceSim`] (the venue that speaks for it) and [`sim::faults::Scenario`] (what
//! goes wrong).
//!
//! ```
//! use finstage_lab::sim::binance::{FeedStream, VirtualFeed};
//! use finstage_lab::sim::market::{Market, MarketSpec, SymbolSpec, Tape};
//! use finstage_model::Interval;
//!
//! let symbols = vec![SymbolSpec::new("BTCUSDT", "61250".parse().unwrap())];
//! let start = "2026-11-21T00:00:00Z".parse().unwrap();
//! let tape = Tape::Seeded { symbols, history_days: 2 };
//! let market = Market::new(MarketSpec { tape, ..MarketSpec::seeded(7, start) })?;
//!
//! let wanted =
//!     FeedStream { symbol: "BTCUSDT".into(), trades: true, intervals: vec![Interval::M1] };
//! let mut feed = VirtualFeed::new(market, &[wanted])?;
//! let mut frame = String::new();
//! let sent = feed.next(&mut frame).unwrap();
//! assert!(sent >= start && frame.starts_with(r#"{"stream":"btcusdt@"#));
//! # Ok::<(), finstage_lab::Error>(())
//! ```
#![forbid(unsafe_code)]

mod error;
pub mod rng;
pub mod sim;
pub mod stress;

pub use error::{Error, ErrorKind};
