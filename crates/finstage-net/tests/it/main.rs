//! The client against servers on loopback that behave, and that do not; and against a scripted
//! transport in virtual time, where policies are looked at.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails here")]

mod attempts;
mod calls;
mod failover;
mod http;
mod outage;
mod pace;
mod phases;
mod quota;
mod scripted;
mod streams;
mod token;
mod websocket;
