//! Opening.

use std::fmt;
use std::sync::Arc;

use crate::base64;
use crate::envelope::{Envelope, Form, Members, TAG_BYTES};
use crate::key::{KeyId, Message};
use crate::replay::{Memory, Origin};
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
            let keys = &self.unsealer.keys;
            let is_new = origin.is_none_or(|origin| self.memory.admit(origin, keys, now));
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
        let (sid, seq) = origin.map_or((0, 0), |origin| (origin.place.sid, origin.place.seq));
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

    /// Adds the message to `plain`, and says which message of whom it is; nothing of the bare form.
    pub(crate) fn unseal(
        &mut self,
        envelope: &[u8],
        now: UnixTime,
        plain: &mut Scratch,
    ) -> Result<Option<Origin>, Refused> {
        self.follow();
        // What is not in the usual shape, or not opened as such, is read as any JSON.
        let scanned = Envelope::scan(envelope).map(|read| self.decrypt(&read, now, plain));
        let opened = match scanned {
            Some(Some(origin)) => Some(origin),
            _ => self.unseal_any(envelope, now, plain),
        };
        opened.ok_or(Refused::Failed)
    }

    /// Goes on with the ring in use.
    fn follow(&mut self) {
        let generation = self.keys.generation();
        if generation != self.generation {
            self.ring = self.keys.current();
            self.generation = generation;
        }
    }

    /// The slow way, which says the same.
    fn unseal_any(
        &mut self,
        text: &[u8],
        now: UnixTime,
        plain: &mut Scratch,
    ) -> Option<Option<Origin>> {
        let members = Members::parse(text)?;
        let envelope = members.envelope()?;
        if let Form::Version1 { key, .. } = envelope.form
            && self.ring.named(key).is_none()
        {
            // A rotation that we have not heard of.
            self.keys.seek(now);
            self.follow();
        }
        self.decrypt(&envelope, now, plain)
    }

    fn decrypt(
        &mut self,
        envelope: &Envelope<'_>,
        now: UnixTime,
        plain: &mut Scratch,
    ) -> Option<Option<Origin>> {
        let payload = envelope.payload;
        self.encrypted.clear();
        let room = self.encrypted.add(base64::decoded_bound(payload.len()));
        let length = base64::decode(payload, room).ok()?;
        let (text, tag) = room[..length].split_last_chunk::<TAG_BYTES>()?;

        let (key, nonce) = match envelope.form {
            Form::Version1 { key, place } => (self.ring.named(key)?, place.nonce()),
            Form::Bare { nonce } => (self.ring.key(self.bare?)?, nonce),
        };
        let material = key.material.as_ref().filter(|_| key.may_open(now))?;
        let bound = material.bound.at(&nonce);
        let bound = match envelope.form {
            Form::Version1 { .. } => bound.as_ref(),
            Form::Bare { .. } => &[],
        };
        let start = plain.len();
        let out = plain.add(text.len());
        if !material.open(Message { nonce, bound, body: text }, tag, out) {
            plain.truncate(start);
            return None;
        }
        Some(match envelope.form {
            Form::Version1 { place, .. } => Some(Origin { mark: material.mark, place }),
            Form::Bare { .. } => None,
        })
    }
}

#[cfg(test)]
mod tests;
