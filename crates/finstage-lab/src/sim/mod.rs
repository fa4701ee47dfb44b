//! The simulator: a market and the servers that speak for it.

pub mod binance;
pub mod faults;
pub mod ledger;
pub mod market;
pub mod telegram;
pub mod yahoo;
