//! The simulator: a market and the servers that speak for it.

pub mod binance;
mod charts;
pub mod faults;
mod front;
pub mod kis;
pub mod kraken;
pub mod ledger;
pub mod market;
pub mod openai;
pub mod rss;
pub mod rulebook;
pub mod sealed;
pub mod telegram;
pub mod yahoo;
