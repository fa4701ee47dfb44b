//! Opening.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{Aad, Nonce};

use crate::base64;
use crate::envelope::{Envelope, Origin, TAG_BYTES};
use crate::key::KeyId;
use crate::replay::Memory;
use crate::scratch::Scratch;
use crate::{Keyring, Keys, UnixTime};

/// A message that was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The message.
    pub plain: &'a [u8],
    /// Who sealed it; 0 where it came bare.
    pub sid: u32,
    /// The how many-th it is; 0 where it came bare.
    pub seq: u64,
    /// It came in the bare form: nobody knows whether it came before, or in its place.
    pub bare: bool,
}

impl fmt::Debug for Opened<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plain, sid, seq, bare } = self;
        write!(f, "Opened([{} bytes], sid: {sid}, seq: {seq}, bare: {bare})", plain.len())
    }
}

/// Why an envelope was not opened. More is not said: whoever sends envelopes to see what happens
/// learns nothing from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refused {
    /// It is not one of ours, or not any more.
    Failed,
    /// It came before, or so long ago that this cannot be known.
    Replayed,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed => "decryption failed",
            Self::Replayed => "message came before",
        })
    }
}

impl std::error::Error for Refused {}

/// What an [`Opener`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpenerCounts {
    /// Messages opened.
    pub opened: u64,
    /// Envelopes refused as no message of ours.
    pub failed: u64,
    /// Envelopes refused because they came before.
    pub replayed: u64,
}

/// Opens envelopes with the keys of a ring, each message once.
pub struct Opener {
    unsealer: Unsealer,
    memory: Memory,
    plain: Scratch,
    counts: OpenerCounts,
}

impl Opener {
    /// An opener, which remembers nothing yet.
    #[must_use]
    pub fn new(keys: Keys) -> Self {
        Self {
            unsealer: Unsealer::new(keys),
            memory: Memory::default(),
            plain: Scratch::default(),
            counts: OpenerCounts::default(),
        }
    }

    /// Opens the bare form too, with this key.
    #[must_use]
    pub fn with_bare(mut self, key: KeyId) -> Self {
        self.unsealer.bare = Some(key);
        self
    }

    /// Opens an envelope.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn open(&mut self, envelope: &[u8], now: UnixTime) -> Result<Opened<'_>, Refused> {
        self.plain.clear();
        let found = self.unsealer.unseal(envelope, now, &mut self.plain);
        let origin = self.admit(found, now)?;
        Ok(Opened::new(self.plain.bytes(), origin))
    }

    /// What it did so far.
    #[must_use]
    pub const fn counts(&self) -> OpenerCounts {
        self.counts
    }

    /// One for another thread: same keys, no memory.
    pub(crate) fn unsealer(&self) -> Unsealer {
        let mut unsealer = Unsealer::new(self.unsealer.keys.clone());
        unsealer.bare = self.unsealer.bare;
        unsealer
    }

    /// Judges what was unsealed, in the order in which it came.
    pub(crate) fn admit(
        &mut self,
        found: Result<Option<Origin>, Refused>,
        now: UnixTime,
    ) -> Result<Option<Origin>, Refused> {
        let judged = found.and_then(|origin| {
            let is_new =
                origin.is_none_or(|origin| self.memory.admit(&origin, self.unsealer.ring(), now));
            if is_new { Ok(origin) } else { Err(Refused::Replayed) }
        });
        match judged {
            Ok(_) => self.counts.opened += 1,
            Err(Refused::Failed) => self.counts.failed += 1,
            Err(Refused::Replayed) => self.counts.replayed += 1,
        }
        judged
    }
}

impl<'a> Opened<'a> {
    pub(crate) fn new(plain: &'a [u8], origin: Option<Origin>) -> Self {
        let (sid, seq) = origin.map_or((0, 0), |origin| (origin.sid, origin.seq));
        Self { plain, sid, seq, bare: origin.is_none() }
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener").field("counts", &self.counts).finish_non_exhaustive()
    }
}

/// Decrypts and authenticates. It knows no other message, so that many can work side by side.
pub(crate) struct Unsealer {
    keys: Keys,
    ring: Arc<Keyring>,
    generation: u64,
    bare: Option<KeyId>,
    encrypted: Scratch,
}

impl Unsealer {
    fn new(keys: Keys) -> Self {
        let generation = keys.generation();
        let ring = keys.current();
        Self { keys, ring, generation, bare: None, encrypted: Scratch::default() }
    }

    /// The ring that it used last.
    fn ring(&self) -> &Keyring {
        &self.ring
    }

    /// Adds the message to `plain`, and says which message of whom it is; nothing of the bare form.
    pub(crate) fn unseal(
        &mut self,
        envelope: &[u8],
        now: UnixTime,
        plain: &mut Scratch,
    ) -> Result<Option<Origin>, Refused> {
        self.keys.glance(now);
        let generation = self.keys.generation();
        if generation != self.generation {
            self.ring = self.keys.current();
            self.generation = generation;
        }
        self.read(envelope, now, plain).ok_or(Refused::Failed)
    }

    fn read(&mut self, text: &[u8], now: UnixTime, plain: &mut Scratch) -> Option<Option<Origin>> {
        let envelope = Envelope::parse(text)?;
        self.encrypted.clear();
        let room = self.encrypted.add(base64::decoded_bound(envelope.payload.len()));
        let length = base64::decode(&envelope.payload, room).ok()?;
        let (text, tag) = room[..length].split_at(length.checked_sub(TAG_BYTES)?);

        let name = envelope.origin.map(|origin| origin.key).or(self.bare)?;
        let key = self.ring.key(name).filter(|key| key.may_open(now))?;
        let cipher = &key.material.as_ref()?.cipher;
        let nonce = Nonce::assume_unique_for_key(envelope.nonce);
        let start = plain.len();
        let out = plain.add(text.len());
        let opened = match &envelope.origin {
            Some(origin) => {
                cipher.open_separate_gather(nonce, Aad::from(origin.bound()), text, tag, out)
            }
            None => cipher.open_separate_gather(nonce, Aad::empty(), text, tag, out),
        };
        if opened.is_err() {
            plain.truncate(start);
            return None;
        }
        Some(envelope.origin)
    }
}
