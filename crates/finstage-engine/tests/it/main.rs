//! The engine from outside: small strategies, events as text, and what is said to them.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its own fixture stops there")]

mod allocations;
mod cards;
mod catalogue;
mod drive;
mod filters;
mod parity;
mod properties;
mod rewarm;
mod series;
mod signals;
mod stage;
mod strategies;
mod watches;
