//! The server as clients see it, on a port of this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails here")]

mod annex;
mod hostile;
mod rest;
mod scene;
mod stream;
