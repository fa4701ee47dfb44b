//! The binary's library: the only place that knows everything.
//!
//! It holds no rules of markets, signals or messages; those live in the crates below. Three things
//! to read first: [`wiring`] (what is built from which setting), [`day`] (one engine a day, and
//! what happens after a crash) and [`live`] (source and sink of a running service).
//!
//! ```
//! use finstage::config;
//! let settings = config::parse("example", "[alerts]\nsend = \"unproven\"\n", &[]).unwrap();
//! assert!(settings.engine.alerts.send_unproven);
//! ```
#![forbid(unsafe_code)]

pub mod backfill;
pub mod channels;
pub mod chat;
pub mod check;
pub mod cli;
pub mod commands;
pub mod config;
pub mod day;
pub mod drift;
pub mod evidence;
pub mod exit;
pub mod expected;
mod explain;
pub mod folder;
pub mod gateway;
pub mod generate;
pub mod jobs;
pub mod live;
mod llm;
pub mod logging;
pub mod monitor;
pub mod mutes;
pub mod news;
pub mod pace;
pub mod patience;
pub mod patterns;
mod polled;
pub mod recorded;
mod rendezvous;
pub mod report;
mod rewarm;
pub mod sealed;
pub mod sealing;
pub mod service;
pub mod serving;
pub mod track;
pub mod unsynced;
pub mod upkeep;
pub mod venues;
pub mod virtual_time;
pub mod watches;
pub mod wiring;

/// The version that speaks; a run of the journal names it.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
