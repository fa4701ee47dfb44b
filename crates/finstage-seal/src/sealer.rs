//! Sealing.

use std::fmt;
use std::io;
use std::ops::Range;

use crate::Keys;
use crate::counters::Counters;
use crate::envelope::{self, MAX_PLAIN_BYTES, Place, TAG_BYTES};
use crate::key::{Key, KeyId, Material, Message};
use crate::numbers::Numbers;
use crate::scratch::Scratch;

/// After so many numbers it is looked whether more are to be reserved.
const PREPARE_EVERY: u64 = 4096;

/// How a [`Sealer`] works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealerOptions {
    /// How many numbers are reserved at a time: 2²⁰. So many are lost at most when a process ends,
    /// and so seldom does a message wait for the disk.
    pub block: u64,
}

impl Default for SealerOptions {
    fn default() -> Self {
        Self { block: 1 << 20 }
    }
}

/// What a [`Sealer`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SealerCounts {
    /// Messages sealed.
    pub sealed: u64,
    /// The key in use.
    pub key: Option<KeyId>,
    /// How many numbers of that key are used or given to others, for [`crate::Keyring::is_due`].
    pub key_used: u64,
}

/// Why a message was not sealed.
#[derive(Debug)]
pub enum SealError {
    /// No key is primary.
    NoPrimary,
    /// The primary key has sealed all it may.
    Exhausted {
        /// The key.
        key: KeyId,
    },
    /// The message is longer than [`MAX_PLAIN_BYTES`].
    TooLong {
        /// So long.
        bytes: usize,
    },
    /// No numbers could be reserved.
    Counters(io::Error),
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPrimary => {
                f.write_str("no key of the ring is primary: `finstage keys rotate` makes one so")
            }
            Self::Exhausted { key } => {
                write!(f, "key {key} has sealed all it may: `finstage keys rotate`")
            }
            Self::TooLong { bytes } => {
                write!(f, "a message has {bytes} bytes, at most {MAX_PLAIN_BYTES} are sealed")
            }
            Self::Counters(error) => write!(f, "no sequence numbers to seal with: {error}"),
        }
    }
}

impl std::error::Error for SealError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Counters(error) => Some(error),
            _ => None,
        }
    }
}

/// Seals messages with the primary key of a ring, each with a nonce of its own.
pub struct Sealer {
    keys: Keys,
    numbers: Numbers,
    generation: Option<u64>,
    using: Option<Using>,
    sealed: u64,
    encrypted: Scratch,
}

/// What the tag of a message covers besides the message.
#[derive(Clone, Copy)]
enum Covered {
    /// Its place: key, sender and number.
    Place,
    Nothing,
}

/// The key in use.
struct Using {
    key: KeyId,
    material: Material,
    /// Numbers that are ours.
    numbers: Range<u64>,
    /// The key that comes next.
    pending: Option<KeyId>,
    /// The first number that may not be used.
    limit: u64,
}

impl Sealer {
    /// A sealer. Nothing is reserved before the first message, or the first change of the ring.
    #[must_use]
    pub fn new(keys: Keys, counters: Box<dyn Counters>, options: SealerOptions) -> Self {
        let numbers = Numbers::new(counters, options.block);
        keys.reserve_for(numbers.stock());
        Self {
            keys,
            numbers,
            generation: None,
            using: None,
            sealed: 0,
            encrypted: Scratch::default(),
        }
    }

    /// Seals a message and appends its envelope to `out`, without a newline.
    ///
    /// # Errors
    /// [`SealError`]; `out` is as it was.
    pub fn seal(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let (key, place) = self.encrypt(plain, Covered::Place)?;
        envelope::write(key, place, self.encrypted.bytes(), out);
        Ok(())
    }

    /// The same in the bare form, for readers that know no other. Its nonce comes from the same
    /// numbers and is never used again; but the reader has to know the key, and cannot tell whether
    /// the message came before.
    ///
    /// # Errors
    /// As [`Sealer::seal`].
    pub fn seal_bare(&mut self, plain: &[u8], out: &mut Vec<u8>) -> Result<(), SealError> {
        let (_, place) = self.encrypt(plain, Covered::Nothing)?;
        envelope::write_bare(place, self.encrypted.bytes(), out);
        Ok(())
    }

    /// Puts ciphertext and tag of a message where they are written from.
    fn encrypt(&mut self, plain: &[u8], covered: Covered) -> Result<(KeyId, Place), SealError> {
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(SealError::TooLong { bytes: plain.len() });
        }
        self.follow();
        let using = self.using.as_mut().ok_or(SealError::NoPrimary)?;
        let place = Place { sid: self.numbers.sid(), seq: using.next(&self.numbers)? };
        let nonce = place.nonce();
        let bound = using.material.bound.at(&nonce);
        let bound = match covered {
            Covered::Place => bound.as_ref(),
            Covered::Nothing => &[],
        };

        self.encrypted.clear();
        let encrypted = self.encrypted.add(plain.len() + TAG_BYTES);
        let (text, tag) = encrypted.split_last_chunk_mut().expect("the tag has room");
        using.material.seal(Message { nonce, bound, body: plain }, text, tag);
        self.sealed += 1;
        Ok((using.key, place))
    }

    /// What it did so far.
    #[must_use]
    pub fn counts(&self) -> SealerCounts {
        SealerCounts {
            sealed: self.sealed,
            key: self.using.as_ref().map(|using| using.key),
            key_used: self.using.as_ref().map_or(0, |using| using.numbers.start),
        }
    }

    /// Goes on with the primary key of the ring in use.
    fn follow(&mut self) {
        let generation = self.keys.generation();
        if self.generation == Some(generation) {
            return;
        }
        let ring = self.keys.current();
        self.generation = Some(generation);
        let primary = ring.primary().and_then(|key| Some((key.id(), key.material.as_ref()?)));
        self.using = primary.map(|(key, material)| Using {
            key,
            material: material.clone(),
            // Numbers belong to a name: those of the same name go on.
            numbers: match &self.using {
                Some(using) if using.key == key => using.numbers.clone(),
                _ => 0..0,
            },
            pending: ring.pending().map(Key::id),
            limit: ring.rotation().limit,
        });
    }
}

impl Using {
    /// The next number that is ours alone.
    fn next(&mut self, numbers: &Numbers) -> Result<u64, SealError> {
        let left = self.numbers.end - self.numbers.start;
        if left == 0 && self.numbers.start < self.limit {
            self.numbers = numbers.take(self.key).map_err(SealError::Counters)?;
            self.prepare(numbers);
        } else if left.is_multiple_of(PREPARE_EVERY) {
            self.prepare(numbers);
        }
        if self.numbers.start >= self.limit {
            return Err(SealError::Exhausted { key: self.key });
        }
        let seq = self.numbers.start;
        self.numbers.start += 1;
        Ok(seq)
    }

    /// Has numbers reserved for what comes: more of this key, or the next key.
    fn prepare(&self, numbers: &Numbers) {
        let left = self.numbers.end - self.numbers.start;
        if 0 < left && left <= numbers.block() / 2 {
            numbers.ask(self.key);
        } else if let Some(pending) = self.pending {
            numbers.ask(pending);
        }
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("counts", &self.counts()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Keyring, MemoryCounters, NewKey, Opener, Refused, UnixTime};

    #[test]
    fn the_bare_form_goes_on_with_the_numbers_and_is_opened_by_those_who_were_told_the_key() {
        let now = UnixTime::from_secs(1_795_253_400);
        let keys = Keys::new(Keyring::new(NewKey::named("k1".parse().unwrap()).unwrap(), now));
        let counters = Box::new(MemoryCounters::new(7));
        let mut sealer = Sealer::new(keys.clone(), counters, SealerOptions::default());
        let (mut first, mut bare, mut last) = (Vec::new(), Vec::new(), Vec::new());
        sealer.seal(b"first", &mut first).unwrap();
        sealer.seal_bare(b"bare", &mut bare).unwrap();
        sealer.seal(b"last", &mut last).unwrap();

        let mut opener = Opener::new(keys);
        assert_eq!(opener.open(&bare, now), Err(Refused::Failed));
        let mut opener = opener.with_bare("k1".parse().unwrap());
        let opened = opener.open(&bare, now).unwrap();
        assert_eq!((opened.plain, opened.bare), (&b"bare"[..], true));
        assert_eq!(opener.open(&first, now).unwrap().seq, 0);
        assert_eq!(opener.open(&last, now).unwrap().seq, 2, "1 was used by the bare one");
    }
}
