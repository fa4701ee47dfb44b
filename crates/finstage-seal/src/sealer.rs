//! Sealing.

use std::fmt;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::aead::{Aad, LessSafeKey, Nonce};

use crate::counters::Counters;
use crate::envelope::{self, MAX_PLAIN_BYTES, Origin, TAG_BYTES};
use crate::key::KeyId;
use crate::scratch::Scratch;
use crate::{Keys, UnixTime};

/// How a [`Sealer`] works.
#[derive(Debug, Clone)]
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
    counters: Box<dyn Counters>,
    options: SealerOptions,
    generation: Option<u64>,
    using: Option<Using>,
    sealed: u64,
    encrypted: Scratch,
}

/// The key in use.
struct Using {
    key: KeyId,
    cipher: Arc<LessSafeKey>,
    /// Numbers that are ours.
    numbers: Range<u64>,
    /// The first number that may not be used.
    limit: u64,
}

impl Sealer {
    /// A sealer. Nothing is reserved before the first message.
    #[must_use]
    pub fn new(keys: Keys, counters: Box<dyn Counters>, options: SealerOptions) -> Self {
        Self {
            keys,
            counters,
            options,
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
    pub fn seal(
        &mut self,
        plain: &[u8],
        now: UnixTime,
        out: &mut Vec<u8>,
    ) -> Result<(), SealError> {
        if plain.len() > MAX_PLAIN_BYTES {
            return Err(SealError::TooLong { bytes: plain.len() });
        }
        self.keys.glance(now);
        self.follow();
        let sid = self.counters.sid();
        let using = self.using.as_mut().ok_or(SealError::NoPrimary)?;
        let seq = using.next(&mut *self.counters, self.options.block)?;
        let origin = Origin { key: using.key, sid, seq };

        self.encrypted.clear();
        let encrypted = self.encrypted.add(plain.len() + TAG_BYTES);
        let (text, tag) = encrypted.split_at_mut(plain.len());
        let nonce = Nonce::assume_unique_for_key(origin.nonce());
        using
            .cipher
            .seal_out_of_place_scatter(nonce, Aad::from(origin.bound()), plain, text, &[], tag)
            .expect("lengths are as the cipher wants them");
        envelope::write(&origin, self.encrypted.bytes(), out);
        self.sealed += 1;
        Ok(())
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
            cipher: Arc::clone(&material.cipher),
            // Numbers belong to a name: those of the same name go on.
            numbers: match &self.using {
                Some(using) if using.key == key => using.numbers.clone(),
                _ => 0..0,
            },
            limit: ring.rotation().limit,
        });
    }
}

impl Using {
    /// The next number that is ours alone.
    fn next(&mut self, counters: &mut dyn Counters, block: u64) -> Result<u64, SealError> {
        if self.numbers.is_empty() && self.numbers.start < self.limit {
            self.numbers = counters.reserve(self.key, block.max(1)).map_err(SealError::Counters)?;
        }
        if self.numbers.start >= self.limit {
            return Err(SealError::Exhausted { key: self.key });
        }
        let seq = self.numbers.start;
        self.numbers.start += 1;
        Ok(seq)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("counts", &self.counts()).finish_non_exhaustive()
    }
}
