//! The two ways of reading say the same.

use std::thread;

use super::*;
use crate::{MemoryCounters, NewKey, Sealer, SealerOptions, Secret};

const NOW: UnixTime = UnixTime::from_secs(1_795_253_400);
const INPUTS: u64 = 10_000_000;
const THREADS: u64 = 2;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((u128::from(self.0) * sides as u128) >> 64) as usize
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }
}

fn key(id: &str, byte: u8) -> NewKey {
    NewKey::of(id.parse().unwrap(), Secret::new([byte; 32]))
}

/// Two keys of which the second is pending.
fn keys() -> Keys {
    let mut ring = Keyring::new(key("k-1", 7), NOW);
    ring.add(key("next", 8), NOW).unwrap();
    Keys::new(ring)
}

/// Envelopes as they should be: short and long messages, small and large numbers, bare ones.
fn corpus(keys: &Keys) -> Vec<Vec<u8>> {
    let mut envelopes = Vec::new();
    for (sid, size) in [(0, 0), (7, 1), (4_294_967_295, 30), (123_456, 60), (99, 120), (5, 61)] {
        let mut counters = Box::new(MemoryCounters::new(sid));
        if sid % 2 == 1 {
            let key = keys.current().primary().unwrap().id();
            crate::Counters::reserve(&mut *counters, key, 4_294_967_000).unwrap();
        }
        let options = SealerOptions { block: 4 };
        let mut sealer = Sealer::new(keys.clone(), counters, options);
        for _ in 0..3 {
            let mut envelope = Vec::new();
            sealer.seal(&vec![b'x'; size], &mut envelope).unwrap();
            envelopes.push(envelope);
        }
    }
    let ring = keys.current();
    let material = ring.primary().unwrap().material.as_ref().unwrap();
    for size in [0, 2, 64] {
        let (mut text, mut tag) = (vec![0; size], [0; TAG_BYTES]);
        let nonce = [size as u8; 12];
        let body = vec![b'y'; size];
        material.seal(Message { nonce, bound: &[], body: &body }, &mut text, &mut tag);
        text.extend_from_slice(&tag);
        let mut payload = vec![0; base64::encoded_len(text.len())];
        base64::encode(&text, &mut payload);
        let payload = String::from_utf8(payload).unwrap();
        let mut nonce_text = [0; 16];
        base64::encode(&nonce, &mut nonce_text);
        let nonce = std::str::from_utf8(&nonce_text).unwrap();
        envelopes.push(format!(r#"{{"nonce":"{nonce}","encrypted_payload":"{payload}"}}"#).into());
        envelopes.push(format!(r#"{{"encrypted_payload":"{payload}","nonce":"{nonce}"}}"#).into());
    }
    envelopes
}

/// Writes a change of `from` to `out`. Many keep the usual shape, many keep the meaning.
fn mutate(dice: &mut Dice, corpus: &[Vec<u8>], out: &mut Vec<u8>) {
    let from = &corpus[dice.roll(corpus.len())];
    out.clear();
    out.extend_from_slice(from);
    for _ in 0..=dice.roll(2) {
        if out.is_empty() {
            return;
        }
        let at = dice.roll(out.len());
        match dice.roll(13) {
            0 => out[at] ^= 1 << dice.roll(8),
            1 => out[at] = dice.pick(b"\"\\,:{}[] \n=+/A0129-.eE\x00\xff"),
            2 => out.insert(at, dice.pick(b"\"\\,:{} \n\t=A0-.e\x7f\xc3")),
            3 => drop(out.remove(at)),
            4 => out.truncate(at),
            5 => spell_otherwise(at, out),
            6 => add_white_space(dice, at, out),
            7 => change_a_digit(dice, at, out),
            8 => {
                // The beginning of one, the end of another.
                let other = &corpus[dice.roll(corpus.len())];
                out.truncate(at);
                out.extend_from_slice(&other[at.min(other.len())..]);
            }
            9 => reorder(dice, out),
            10 => {
                let name = dice.pick(&[&b"next"[..], b"k-2", b"", b"k-1\\u0020", b"k-\\u0031"]);
                replace(out, b"k-1", name);
            }
            11 => double_a_member(dice, out),
            _ => {}
        }
    }
}

fn replace(out: &mut Vec<u8>, from: &[u8], to: &[u8]) {
    if let Some(at) = out.windows(from.len()).position(|part| part == from) {
        out.splice(at..at + from.len(), to.iter().copied());
    }
}

/// An escape that means the same character.
fn spell_otherwise(at: usize, out: &mut Vec<u8>) {
    let byte = out[at];
    if byte.is_ascii_alphanumeric() {
        out.splice(at..=at, format!("\\u{byte:04x}").into_bytes());
    } else if byte == b'/' {
        out.insert(at, b'\\');
    }
}

fn add_white_space(dice: &mut Dice, at: usize, out: &mut Vec<u8>) {
    let is_between = |byte: &u8| matches!(byte, b',' | b':' | b'{' | b'}');
    if let Some(found) = out[at..].iter().position(is_between) {
        out.insert(at + found + dice.roll(2), dice.pick(b" \t\n\r"));
    }
}

fn change_a_digit(dice: &mut Dice, at: usize, out: &mut [u8]) {
    if let Some(found) = out[at..].iter().position(u8::is_ascii_digit) {
        out[at + found] = b'0' + dice.roll(10) as u8;
    }
}

fn members(out: &[u8]) -> Vec<Vec<u8>> {
    let inner = out.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or(out);
    inner.split(|&byte| byte == b',').map(<[u8]>::to_vec).collect()
}

fn reorder(dice: &mut Dice, out: &mut Vec<u8>) {
    let mut parts = members(out);
    let (a, b) = (dice.roll(parts.len()), dice.roll(parts.len()));
    parts.swap(a, b);
    *out = [b"{", &*parts.join(&b','), b"}"].concat();
}

fn double_a_member(dice: &mut Dice, out: &mut Vec<u8>) {
    let mut parts = members(out);
    let again = parts[dice.roll(parts.len())].clone();
    parts.insert(dice.roll(parts.len() + 1), again);
    *out = [b"{", &*parts.join(&b','), b"}"].concat();
}

/// How many inputs had the usual shape, were opened, were opened in another shape.
#[derive(Debug, Default)]
struct Tally {
    usual: u64,
    opened: u64,
    opened_otherwise: u64,
}

fn compare(seed: u64, inputs: u64) -> Tally {
    let keys = keys();
    let corpus = corpus(&keys);
    let mut unsealer = Opener::new(keys).with_bare("k-1".parse().unwrap()).unsealer;
    let (mut fast, mut slow) = (Scratch::default(), Scratch::default());
    let mut dice = Dice(seed);
    let mut input = Vec::new();
    let mut tally = Tally::default();
    for _ in 0..inputs {
        mutate(&mut dice, &corpus, &mut input);
        fast.clear();
        slow.clear();
        let is_usual = Envelope::scan(&input).is_some();
        let whole = unsealer.unseal(&input, NOW, &mut fast);
        // In another shape it is the same call.
        if is_usual {
            let general = unsealer.unseal_any(&input, NOW, &mut slow).ok_or(Refused::Failed);
            let is_same = (whole, fast.bytes()) == (general, slow.bytes());
            assert!(is_same, "{whole:?} is not {general:?}: {}", String::from_utf8_lossy(&input));
        }
        tally.usual += u64::from(is_usual);
        tally.opened += u64::from(whole.is_ok());
        tally.opened_otherwise += u64::from(whole.is_ok() && !is_usual);
    }
    tally
}

#[test]
fn envelopes_of_the_usual_shape_are_read_as_any_json() {
    let share = INPUTS / THREADS;
    let threads = [1, 2].map(|seed| thread::spawn(move || compare(seed * 0x9e37_79b9, share)));
    for tally in threads.map(|thread| thread.join().unwrap()) {
        println!("{tally:?} of {share}");
        // It compares what it should.
        assert!(tally.usual > share / 4 && tally.usual < share * 3 / 4, "{tally:?}");
        assert!(tally.opened > share / 20 && tally.opened_otherwise > share / 50, "{tally:?}");
    }
}

#[test]
fn what_means_the_same_is_opened_and_what_is_ambiguous_is_not() {
    let keys = keys();
    let mut unsealer = Opener::new(keys.clone()).with_bare("k-1".parse().unwrap()).unsealer;
    let mut opens = |text: &str| {
        let mut plain = Scratch::default();
        unsealer.unseal(text.as_bytes(), NOW, &mut plain).is_ok()
    };
    let good = String::from_utf8(corpus(&keys).swap_remove(3)).unwrap();
    assert!(opens(&good), "{good}");
    let spaced = good.replace(',', " , ").replace(':', " :\n");
    for same in [
        spaced,
        format!(" {good}\r\n"),
        good.replace("\"kid\"", "\"\\u006bid\"").replace("k-1", "\\u006b-1"),
        good.replace("{\"v\":1,", "{").replace('}', ",\"v\":1}"),
    ] {
        assert!(opens(&same), "{same}");
    }
    let bare = String::from_utf8(corpus(&keys).pop().unwrap()).unwrap();
    assert!(opens(&bare), "{bare}");
    for other in [
        bare.replace('{', "{\"v\":null,\"kid\":null,\"sid\":null,\"seq\":null,"),
        bare.replace('{', "{\"v\":1,"),
        bare.replace('}', ",\"symbol\":\"A\"}"),
        good.replace("\"v\":1", "\"v\":2"),
        good.replace("\"v\":1", "\"v\":1.0"),
        good.replace("\"v\":1", "\"v\":\"1\""),
        good.replace("\"v\":1", "\"v\":01"),
        good.replace("{\"v\":1,", "{"),
        good.replace("{\"v\":1,", "{\"v\":1,\"v\":1,"),
        good.replace("{\"v\":1,", "{\"v\":1,\"w\":1,"),
        good.replace("{\"v\":1,", "{\"v\":null,"),
        good.replace("\"sid\":7", "\"sid\":4294967303"),
        good.replace("\"sid\":7", "\"sid\":7e0"),
        good.replace("\"sid\":7", "\"sid\":-7"),
        good.replace("\"nonce\":\"AAAA", "\"nonce\":\"AAAB"),
        good.replace("\"}", "=\"}"),
        good.replace("\"}", "\\n\"}"),
        format!("{good}{good}"),
        format!("[{good}]"),
        String::new(),
        "{}".to_owned(),
        "null".to_owned(),
    ] {
        assert!(other != good && other != bare);
        assert!(!opens(&other), "{other}");
    }
}
