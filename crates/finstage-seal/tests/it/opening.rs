//! What is opened, and what is refused.

use finstage_seal::{
    Keyring, Keys, MemoryCounters, NewKey, Opener, Refused, Sealer, SealerOptions, Secret, UnixTime,
};

const NOW: UnixTime = UnixTime::from_secs(1_795_253_400);

fn keys() -> Keys {
    let key = NewKey::of("k1".parse().unwrap(), Secret::new([7; 32]));
    Keys::new(Keyring::new(key, NOW))
}

#[test]
fn a_sealed_message_is_opened_once() {
    let keys = keys();
    let counters = Box::new(MemoryCounters::new(7));
    let mut sealer = Sealer::new(keys.clone(), counters, SealerOptions::default());
    let mut opener = Opener::new(keys);
    let mut envelope = Vec::new();
    for seq in 0..3 {
        envelope.clear();
        sealer.seal(b"hello", NOW, &mut envelope).unwrap();
        let opened = opener.open(&envelope, NOW).unwrap();
        assert_eq!(
            (opened.plain, opened.sid, opened.seq, opened.bare),
            (&b"hello"[..], 7, seq, false)
        );
        assert_eq!(opener.open(&envelope, NOW).unwrap_err(), Refused::Replayed);
    }
}
