//! What is opened, and when.

use finstage_seal::{KeyState, Keys, Opener, OpenerCounts, REPLAY_WIDTH, Refused};

use crate::{NOW, id, key, later, ring, sealed, sealer};

#[test]
fn a_sealed_message_is_opened_once() {
    let keys = Keys::new(ring());
    let mut sealer = sealer(&keys, 7);
    let mut opener = Opener::new(keys);
    for seq in 0..3 {
        let envelope = sealed(&mut sealer, b"hello");
        let opened = opener.open(&envelope, NOW).unwrap();
        let shown = (opened.plain, opened.sid, opened.seq, opened.bare);
        assert_eq!(shown, (&b"hello"[..], 7, seq, false));
        assert_eq!(opener.open(&envelope, NOW).unwrap_err(), Refused::Replayed);
    }
    assert_eq!(opener.counts(), OpenerCounts { opened: 3, failed: 0, replayed: 3 });
}

#[test]
fn an_envelope_is_written_as_the_page_says() {
    let mut sealer = sealer(&Keys::new(ring()), 7);
    let first = String::from_utf8(sealed(&mut sealer, b"")).unwrap();
    // The payloads are those of Python's `cryptography` for the same key and additional data.
    let expected = r#"{"v":1,"kid":"k1","sid":7,"seq":0,"nonce":"AAAABwAAAAAAAAAA","encrypted_payload":"yiBUbWdgEMkuthNDc9/UHw=="}"#;
    assert_eq!(first, expected);
    let second = String::from_utf8(sealed(&mut sealer, b"hello")).unwrap();
    let expected = r#"{"v":1,"kid":"k1","sid":7,"seq":1,"nonce":"AAAABwAAAAAAAAAB","encrypted_payload":"xo96414dYqvlyabRud0eacJaa61i"}"#;
    assert_eq!(second, expected);
}

#[test]
fn a_bare_envelope_of_python_is_opened_with_the_key_that_is_named() {
    let envelope = br#"{"encrypted_payload": "Y6OaCXBrtiVViMW+oxk8tsMQlqxoEB5Sc+xZmr/vWivrQ2bA4aBdiJmA4Yx8xoUD2BB+Db24geUFLtn8gvo7/np5N4iqYyigGEhqUvUTm04ykWOody4bE2Bq", "nonce": "AAECAwQFBgcICQoL"}"#;
    let keys = Keys::new(ring());
    let mut opener = Opener::new(keys.clone()).with_bare(id("k1"));
    for _ in 0..2 {
        let opened = opener.open(envelope, NOW).unwrap();
        assert_eq!(
            opened.plain,
            br#"{"symbol": "AAPL", "price": 187.5, "volume": 100, "timestamp": 1764400000}"#
        );
        assert_eq!((opened.sid, opened.seq, opened.bare), (0, 0, true), "and it may come again");
    }
    assert!(Opener::new(keys.clone()).open(envelope, NOW).is_err(), "nobody allowed it");
    assert!(Opener::new(keys).with_bare(id("k2")).open(envelope, NOW).is_err());
}

#[test]
fn messages_of_any_length_come_back() {
    let keys = Keys::new(ring());
    let mut sealer = sealer(&keys, 1);
    let mut opener = Opener::new(keys);
    for size in (0..200).chain([1000, 4096, 65_536, 1 << 20]) {
        let plain: Vec<u8> = (0..size).map(|i| (i * 31 % 251) as u8).collect();
        let envelope = sealed(&mut sealer, &plain);
        assert_eq!(opener.open(&envelope, NOW).unwrap().plain, plain, "{size} bytes");
    }
}

#[test]
fn within_the_width_messages_may_come_in_any_order_and_older_ones_may_not() {
    let keys = Keys::new(ring());
    let mut sealer = sealer(&keys, 1);
    let mut opener = Opener::new(keys);
    let count = REPLAY_WIDTH as usize + 1;
    let envelopes: Vec<_> = (0..count).map(|_| sealed(&mut sealer, b"x")).collect();
    opener.open(&envelopes[count - 1], NOW).unwrap();
    for envelope in envelopes[1..count - 1].iter().rev() {
        opener.open(envelope, NOW).unwrap();
    }
    assert_eq!(opener.open(&envelopes[0], NOW).unwrap_err(), Refused::Replayed, "too old to know");
    for envelope in &envelopes {
        assert_eq!(opener.open(envelope, NOW).unwrap_err(), Refused::Replayed);
    }
    let counts = OpenerCounts { opened: REPLAY_WIDTH, failed: 0, replayed: count as u64 + 1 };
    assert_eq!(opener.counts(), counts);
}

#[test]
fn senders_do_not_stand_in_each_others_way() {
    let keys = Keys::new(ring());
    let mut senders = [1, 2, 3].map(|sid| sealer(&keys, sid));
    let mut opener = Opener::new(keys);
    for _ in 0..100 {
        for sender in &mut senders {
            let envelope = sealed(sender, b"x");
            opener.open(&envelope, NOW).unwrap();
            opener.open(&envelope, NOW).unwrap_err();
        }
    }
}

#[test]
fn old_messages_are_readable_in_grace_and_not_after() {
    let mut ring = ring();
    let keys = Keys::new(ring.clone());
    let mut sender = sealer(&keys, 1);
    let old: Vec<_> = (0..3).map(|_| sealed(&mut sender, b"old")).collect();
    let mut opener = Opener::new(keys.clone());

    ring.rotate(later(1), key("k2", 8)).unwrap();
    keys.replace(ring.clone());
    let end = ring.key(id("k1")).unwrap().accept_until().unwrap();
    assert_eq!(end, later(25), "24 h after the rotation");
    let before = finstage_seal::UnixTime::from_secs(end.secs() - 1);
    assert_eq!(opener.open(&old[0], before).unwrap().plain, b"old");
    assert_eq!(opener.open(&old[1], end).unwrap_err(), Refused::Failed);
    assert_eq!(opener.open(&old[1], later(1000)).unwrap_err(), Refused::Failed);
    // Time is an argument: it was not used up.
    assert_eq!(opener.open(&old[1], before).unwrap().plain, b"old");
}

#[test]
fn keys_out_of_use_open_nothing() {
    let mut ring = ring();
    let keys = Keys::new(ring.clone());
    let mut sender = sealer(&keys, 1);
    let old: Vec<_> = (0..3).map(|_| sealed(&mut sender, b"old")).collect();
    ring.rotate(NOW, key("k2", 8)).unwrap();
    keys.replace(ring.clone());
    let mut opener = Opener::new(keys.clone());
    opener.open(&old[0], NOW).unwrap();
    ring.disable(id("k1")).unwrap();
    assert_eq!(ring.key(id("k1")).unwrap().state(), KeyState::Disabled);
    keys.replace(ring.clone());
    assert_eq!(opener.open(&old[1], NOW).unwrap_err(), Refused::Failed);
    ring.destroy(id("k1")).unwrap();
    assert!(!ring.key(id("k1")).unwrap().has_material());
    keys.replace(ring);
    assert_eq!(opener.open(&old[2], NOW).unwrap_err(), Refused::Failed);
}

#[test]
fn what_came_before_a_ring_was_read_again_is_still_remembered() {
    let ring = ring();
    let keys = Keys::new(ring.clone());
    let mut sender = sealer(&keys, 1);
    let envelope = sealed(&mut sender, b"x");
    let mut opener = Opener::new(keys.clone());
    opener.open(&envelope, NOW).unwrap();
    let text = ring.to_text();
    keys.replace(finstage_seal::Keyring::parse(text.expose()).unwrap());
    assert_eq!(opener.open(&envelope, NOW).unwrap_err(), Refused::Replayed);
}
