//! Sealing and opening as others use them: rings on disk, senders, readers, and those who meddle.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its scene fails here")]

mod allocations;
mod canary;
mod keyring;
mod meddling;
mod opening;
mod pipeline;
mod rotation;
mod senders;

use finstage_seal::{
    Counters, KeyId, Keyring, Keys, MemoryCounters, NewKey, Sealer, SealerOptions, Secret, UnixTime,
};

/// 2026-11-21T09:30:00Z.
const NOW: UnixTime = UnixTime::from_secs(1_795_253_400);

fn id(name: &str) -> KeyId {
    name.parse().unwrap()
}

fn key(name: &str, byte: u8) -> NewKey {
    NewKey::of(id(name), Secret::new([byte; 32]))
}

/// A ring whose primary key is `k1`.
fn ring() -> Keyring {
    Keyring::new(key("k1", 7), NOW)
}

fn sealer(keys: &Keys, sid: u32) -> Sealer {
    sealer_on(keys, Box::new(MemoryCounters::new(sid)))
}

fn sealer_on(keys: &Keys, counters: Box<dyn Counters>) -> Sealer {
    Sealer::new(keys.clone(), counters, SealerOptions::default())
}

fn sealed(sealer: &mut Sealer, plain: &[u8]) -> Vec<u8> {
    let mut envelope = Vec::new();
    sealer.seal(plain, &mut envelope).unwrap();
    envelope
}

fn later(hours: u64) -> UnixTime {
    NOW.plus(std::time::Duration::from_hours(hours))
}
