//! The dispatcher between a real outbox and a scripted Telegram on loopback.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chat_service;
mod delivery;
mod held;
mod house;
mod kill;
mod trouble;
