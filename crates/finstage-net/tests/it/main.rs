//! The client against servers on loopback that behave, and that do not.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails here")]

mod http;
mod websocket;
