//! What somebody in between may try. All of it is refused, and nothing is learned from how.

use finstage_seal::{Keys, Opener, Refused};

use crate::{NOW, id, key, ring, sealed, sealer};

/// An envelope in its parts.
#[derive(Clone)]
struct Parts {
    kid: String,
    sid: u32,
    seq: u64,
    nonce: Vec<u8>,
    payload: Vec<u8>,
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - chunk.len()));
        for symbol in 0..4 {
            let index = (bits >> (18 - 6 * symbol)) as usize & 63;
            text.push(if symbol <= chunk.len() { ALPHABET[index] as char } else { '=' });
        }
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let text = text.trim_end_matches('=');
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0_u32, 0);
    for c in text.bytes() {
        bits = bits << 6 | ALPHABET.iter().position(|&a| a == c).unwrap() as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

impl Parts {
    fn of(envelope: &[u8]) -> Self {
        let text = std::str::from_utf8(envelope).unwrap();
        let value = |name: &str| {
            let rest = text.split_once(&format!("\"{name}\":")).unwrap().1;
            rest.split([',', '}']).next().unwrap().trim_matches('"').to_owned()
        };
        let parts = Self {
            kid: value("kid"),
            sid: value("sid").parse().unwrap(),
            seq: value("seq").parse().unwrap(),
            nonce: decode(&value("nonce")),
            payload: decode(&value("encrypted_payload")),
        };
        assert_eq!(parts.text().as_bytes(), envelope, "it is put together as it was");
        parts
    }

    fn text(&self) -> String {
        let Self { kid, sid, seq, nonce, payload } = self;
        let (nonce, payload) = (encode(nonce), encode(payload));
        format!(
            r#"{{"v":1,"kid":"{kid}","sid":{sid},"seq":{seq},"nonce":"{nonce}","encrypted_payload":"{payload}"}}"#
        )
    }

    fn bare(&self) -> String {
        let (nonce, payload) = (encode(&self.nonce), encode(&self.payload));
        format!(r#"{{"nonce":"{nonce}","encrypted_payload":"{payload}"}}"#)
    }

    /// With the nonce that belongs to sender and number.
    fn at(&self, sid: u32, seq: u64) -> Self {
        let nonce = [&sid.to_be_bytes()[..], &seq.to_be_bytes()].concat();
        Self { sid, seq, nonce, ..self.clone() }
    }
}

/// A reader that must refuse, and a message that it must still take afterwards.
struct Scene {
    keys: Keys,
    opener: Opener,
    good: Vec<u8>,
    parts: Parts,
}

fn scene() -> Scene {
    let mut ring = ring();
    ring.add(key("k2", 8), NOW).unwrap();
    let keys = Keys::new(ring);
    let mut sealer = sealer(&keys, 0x0102_0304);
    for _ in 0..5 {
        sealed(&mut sealer, b"before");
    }
    let good = sealed(&mut sealer, br#"{"symbol":"BTCUSDT","price":97000.5}"#);
    // It reads the bare form too: that must open no further door.
    let opener = Opener::new(keys.clone()).with_bare(id("k1"));
    let parts = Parts::of(&good);
    Scene { keys, opener, good, parts }
}

impl Scene {
    fn refuses(&mut self, text: &str, what: &str) {
        let found = self.opener.open(text.as_bytes(), NOW);
        assert_eq!(found.err(), Some(Refused::Failed), "{what}: {text}");
    }

    /// The message itself is opened all the same.
    fn ends_well(mut self) {
        let good = self.good.clone();
        assert_eq!(self.opener.open(&good, NOW).unwrap().seq, 5);
    }
}

#[test]
fn every_flipped_bit_of_every_member_is_refused() {
    let mut scene = scene();
    let parts = scene.parts.clone();
    for bit in 0..32 {
        let sid = parts.sid ^ 1 << bit;
        scene.refuses(&Parts { sid, ..parts.clone() }.text(), "sid alone");
        scene.refuses(&parts.at(sid, parts.seq).text(), "sid with its nonce");
    }
    for bit in 0..64 {
        let seq = parts.seq ^ 1 << bit;
        scene.refuses(&Parts { seq, ..parts.clone() }.text(), "seq alone");
        scene.refuses(&parts.at(parts.sid, seq).text(), "seq with its nonce");
    }
    let flipped = |bytes: &[u8], bit: usize| {
        let mut bytes = bytes.to_vec();
        bytes[bit / 8] ^= 1 << (bit % 8);
        bytes
    };
    for bit in 0..8 * parts.nonce.len() {
        let nonce = flipped(&parts.nonce, bit);
        scene.refuses(&Parts { nonce, ..parts.clone() }.text(), "nonce");
    }
    for bit in 0..8 * parts.payload.len() {
        let payload = flipped(&parts.payload, bit);
        scene.refuses(&Parts { payload, ..parts.clone() }.text(), "payload");
    }
    for bit in 0..8 * parts.kid.len() {
        let kid = String::from_utf8_lossy(&flipped(parts.kid.as_bytes(), bit)).into_owned();
        scene.refuses(&Parts { kid, ..parts.clone() }.text(), "kid");
    }
    scene.ends_well();
}

#[test]
fn every_flipped_bit_of_the_text_is_refused() {
    let mut scene = scene();
    for bit in 0..8 * scene.good.len() {
        let mut text = scene.good.clone();
        text[bit / 8] ^= 1 << (bit % 8);
        let found = scene.opener.open(&text, NOW);
        assert_eq!(found.err(), Some(Refused::Failed), "bit {bit}");
    }
    scene.ends_well();
}

#[test]
fn what_is_cut_or_added_is_refused() {
    let mut scene = scene();
    let good = String::from_utf8(scene.good.clone()).unwrap();
    for at in 0..good.len() {
        scene.refuses(&good[..at], "beginning");
        scene.refuses(&good[at + 1..], "end");
    }
    let parts = scene.parts.clone();
    for length in 0..parts.payload.len() {
        let payload = parts.payload[..length].to_vec();
        scene.refuses(&Parts { payload, ..parts.clone() }.text(), "payload cut at the end");
        let payload = parts.payload[length + 1..].to_vec();
        scene.refuses(&Parts { payload, ..parts.clone() }.text(), "payload cut at the beginning");
    }
    for nonce in [&parts.nonce[..11], &[&parts.nonce[..], &[0]].concat(), &[]] {
        scene.refuses(&Parts { nonce: nonce.to_vec(), ..parts.clone() }.text(), "nonce");
    }
    for more in ["x", "}", "{}", "\u{0}", "]"] {
        scene.refuses(&format!("{good}{more}"), "more");
    }
    scene.ends_well();
}

#[test]
fn a_message_under_another_keys_name_is_refused() {
    let mut scene = scene();
    let parts = scene.parts.clone();
    for kid in ["k2", "k3", "K1", "k1 ", "", "k1.", "k"] {
        scene.refuses(&Parts { kid: kid.to_owned(), ..parts.clone() }.text(), "kid");
    }
    // The same bytes under another name are another key: the name is bound.
    let twin = Keys::new(finstage_seal::Keyring::new(key("twin", 7), NOW));
    let text = Parts { kid: "twin".to_owned(), ..parts }.text();
    assert!(Opener::new(twin).open(text.as_bytes(), NOW).is_err());
    scene.ends_well();
}

#[test]
fn a_message_in_anothers_place_is_refused() {
    let mut scene = scene();
    let parts = scene.parts.clone();
    for seq in [0, 4, 6, 7, 1 << 40, u64::MAX] {
        scene.refuses(&parts.at(parts.sid, seq).text(), "another number");
    }
    for sid in [0, 1, u32::MAX] {
        scene.refuses(&parts.at(sid, parts.seq).text(), "another sender");
    }
    scene.ends_well();
}

#[test]
fn the_forms_cannot_be_mistaken_for_each_other() {
    let mut scene = scene();
    scene.refuses(&scene.parts.bare(), "version 1 without its head");
    // A bare message, made by Python's `cryptography`, whose nonce could be a sender's.
    let parts = Parts { payload: decode("XF4/nNwAWYEbK9e8GtwdsvdMzN8="), ..scene.parts.clone() };
    assert_eq!(scene.opener.open(parts.bare().as_bytes(), NOW).unwrap().plain, b"bare");
    scene.refuses(&parts.text(), "bare with a head");
    scene.ends_well();
}

#[test]
fn a_forged_number_does_not_push_the_window_on() {
    let Scene { keys, .. } = scene();
    let mut sender = sealer(&keys, 9);
    let mut opener = Opener::new(keys);
    let first = sealed(&mut sender, b"first");
    let second = sealed(&mut sender, b"second");
    opener.open(&first, NOW).unwrap();
    let forged = Parts::of(&second).at(9, 1 << 50).text();
    assert_eq!(opener.open(forged.as_bytes(), NOW).err(), Some(Refused::Failed));
    opener.open(&second, NOW).unwrap();
}

#[test]
fn all_refusals_look_alike() {
    let mut scene = scene();
    let parts = scene.parts.clone();
    let unknown = Parts { kid: "nobody".to_owned(), ..parts.clone() }.text();
    let mut payload = parts.payload.clone();
    payload[0] ^= 1;
    let tampered = Parts { payload, ..parts.clone() }.text();
    let short = Parts { payload: vec![1; 15], ..parts }.text();
    let shown: Vec<String> = ["", "not JSON", &unknown, &tampered, &short]
        .iter()
        .map(|text| scene.opener.open(text.as_bytes(), NOW).unwrap_err())
        .map(|refused| format!("{refused} {refused:?}"))
        .collect();
    assert_eq!(shown, vec!["decryption failed Failed"; 5]);
    scene.ends_well();
}

#[test]
fn an_envelope_larger_than_any_of_ours_is_refused_unread() {
    let mut scene = scene();
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&scene.good),
        " ".repeat(finstage_seal::MAX_ENVELOPE_BYTES)
    );
    scene.refuses(&text, "white space without end");
    scene.ends_well();
}
