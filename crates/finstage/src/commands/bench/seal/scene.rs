//! What is sealed and opened: ticks, each different, under a key that everybody knows.

use std::io::Write as _;
use std::sync::Arc;

use finstage_seal::{
    KeyId, Keyring, Keys, MemoryCounters, NewKey, Sealer, SealerOptions, UnixTime, decode_key,
};

use super::super::walk::Numbers;
use crate::exit::{Failure, Result};

/// The bytes 0 to 31. It guards nothing: the peer gets it in a file.
pub(super) const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The moment at which everything happens.
pub(super) const NOW: UnixTime = UnixTime::from_secs(1_796_083_200);
/// Ticks of one message, where there are many.
pub(super) const HUNDRED: usize = 100;
/// The number of the sender.
const SENDER: u32 = 7;
const SYMBOLS: [&str; 4] = ["BTCUSDT", "ETHUSDT", "SOLUSDT", "BNBUSDT"];

/// Texts, one a line.
#[derive(Debug, Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Where each ends: its line break stands there.
    ends: Vec<usize>,
}

impl Texts {
    /// As many as there are, each made by `make`, which appends it.
    fn made(count: usize, mut make: impl FnMut(usize, &mut Vec<u8>) -> Result<()>) -> Result<Self> {
        let mut texts = Self::default();
        for number in 0..count {
            make(number, &mut texts.bytes)?;
            texts.ends.push(texts.bytes.len());
            texts.bytes.push(b'\n');
        }
        Ok(texts)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, number: usize) -> &[u8] {
        let start = number.checked_sub(1).map_or(0, |before| self.ends[before] + 1);
        &self.bytes[start..self.ends[number]]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|number| self.get(number))
    }

    /// All of them, with their line breaks.
    pub(super) fn all(&self) -> &[u8] {
        &self.bytes
    }
}

/// Keys, messages and envelopes.
#[derive(Debug)]
pub(super) struct Scene {
    pub(super) keys: Keys,
    pub(super) key: KeyId,
    /// A tick each.
    pub(super) plain: Texts,
    /// Envelopes of version 1.
    pub(super) v1: Texts,
    /// In the bare form of the source document.
    pub(super) bare: Arc<Texts>,
    /// Version 1, a hundred ticks each.
    pub(super) hundreds: Texts,
}

impl Scene {
    /// With so many messages.
    pub(super) fn new(count: usize) -> Result<Self> {
        let keys = keys()?;
        let key = keys.current().keys()[0].id();
        let mut numbers = Numbers::new(11);
        let plain = Texts::made(count, |number, out| tick(&mut numbers, number, out))?;
        let mut sealer = sealer(&keys);
        let seal = |number: usize, out: &mut Vec<u8>| {
            sealer.seal(plain.get(number), out).map_err(Failure::usage)
        };
        let v1 = Texts::made(count, seal)?;
        let seal = |number: usize, out: &mut Vec<u8>| {
            sealer.seal_bare(plain.get(number), out).map_err(Failure::usage)
        };
        let bare = Arc::new(Texts::made(count, seal)?);
        let mut many = Vec::new();
        let seal = |number: usize, out: &mut Vec<u8>| {
            many.clear();
            for place in number * HUNDRED..(number + 1) * HUNDRED {
                many.extend_from_slice(plain.get(place));
                many.push(b'\n');
            }
            many.pop();
            sealer.seal(&many, out).map_err(Failure::usage)
        };
        let hundreds = Texts::made(count / HUNDRED, seal)?;
        Ok(Self { keys, key, plain, v1, bare, hundreds })
    }

    pub(super) fn count(&self) -> usize {
        self.plain.len()
    }

    pub(super) fn ticks_of_hundreds(&self) -> usize {
        self.hundreds.len() * HUNDRED
    }
}

/// A ring of the known key.
pub(super) fn keys() -> Result<Keys> {
    let id = "bench".parse().map_err(Failure::usage)?;
    let key = NewKey::of(id, decode_key(KEY).map_err(Failure::usage)?);
    Ok(Keys::new(Keyring::new(key, NOW)))
}

/// One that seals with it. Its numbers end with it, as its messages do.
pub(super) fn sealer(keys: &Keys) -> Sealer {
    let counters = Box::new(MemoryCounters::new(SENDER));
    Sealer::new(keys.clone(), counters, SealerOptions::default())
}

/// Appends a tick of about 80 bytes.
pub(super) fn tick(numbers: &mut Numbers, number: usize, out: &mut Vec<u8>) -> Result<()> {
    let symbol = SYMBOLS[number % SYMBOLS.len()];
    let (cents, lots) = (4_000_000 + numbers.below(1_000_000), numbers.below(100_000));
    let millis = 1_796_083_200_000 + number as u64;
    write!(
        out,
        "{{\"symbol\":\"{symbol}\",\"price\":{}.{:02},\"volume\":{}.{:04},\"timestamp\":{millis}}}",
        cents / 100,
        cents % 100,
        lots / 10_000,
        lots % 10_000
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use finstage_feeds::Tick;

    use super::*;

    #[test]
    fn messages_are_ticks_of_the_size_of_the_documents_and_all_different() {
        let scene = Scene::new(300).unwrap();
        assert_eq!((scene.count(), scene.hundreds.len()), (300, 3));
        let texts: std::collections::BTreeSet<&[u8]> = scene.plain.iter().collect();
        assert_eq!(texts.len(), 300);
        for text in texts {
            assert!((70..90).contains(&text.len()), "{}", String::from_utf8_lossy(text));
            Tick::read(text).unwrap();
        }
        assert_eq!(scene.bare.all().iter().filter(|&&byte| byte == b'\n').count(), 300);
    }
}
