//! Venues against their golden frames, and the session against a scripted venue on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails here")]

mod calendars;
mod campaign;
mod golden;
mod inside;
mod kis;
mod recording;
mod recovery;
mod samples;
mod scene;
mod sealed;
mod sealing;
mod session;
mod speed;
mod tardis;
