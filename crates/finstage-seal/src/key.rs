//! One key: its name, its state, its bytes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::digest::{SHA256, digest};
use serde::de::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use crate::envelope::{Bound, NONCE_BYTES, TAG_BYTES};
use crate::{Error, ErrorKind, Secret, UnixTime, base64, spelled};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// The longest name of a key.
pub const MAX_KEY_ID: usize = 32;
/// Beyond this a text is not decoded: it is no key.
const MAX_KEY_TEXT: usize = 4096;

/// The name of a key: 1 to 32 characters of `A-Z a-z 0-9 . _ -`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId {
    bytes: [u8; MAX_KEY_ID],
    length: u8,
}

impl KeyId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("made of ASCII only")
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The name that these bytes spell, if they do.
    pub(crate) fn of(text: &[u8]) -> Option<Self> {
        let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        if text.is_empty() || text.len() > MAX_KEY_ID || !text.iter().all(is_plain) {
            return None;
        }
        let mut bytes = [0; MAX_KEY_ID];
        bytes[..text.len()].copy_from_slice(text);
        Some(Self { bytes, length: text.len() as u8 })
    }
}

impl FromStr for KeyId {
    type Err = BadKeyId;

    fn from_str(text: &str) -> Result<Self, BadKeyId> {
        Self::of(text.as_bytes()).ok_or(BadKeyId)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        spelled::read(from, "the name of a key", str::parse)
    }
}

/// A text is no name of a key. It does not say the text: it may be a key in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadKeyId;

impl fmt::Display for BadKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a key id has 1 to {MAX_KEY_ID} characters of A-Z a-z 0-9 . _ -")
    }
}

impl std::error::Error for BadKeyId {}

/// What may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyState {
    /// Readers have it, nobody seals with it yet.
    Pending,
    /// It seals.
    Primary,
    /// It sealed until a rotation, and opens until its end.
    Accept,
    /// It does nothing, and could be brought back by hand.
    Disabled,
    /// Its bytes are gone; the name stays, so that nobody takes it again.
    Destroyed,
}

impl KeyState {
    const ALL: [Self; 5] =
        [Self::Pending, Self::Primary, Self::Accept, Self::Disabled, Self::Destroyed];

    /// The word in a keyring file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Primary => "primary",
            Self::Accept => "accept",
            Self::Disabled => "disabled",
            Self::Destroyed => "destroyed",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<'de> Deserialize<'de> for KeyState {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let parse = |text: &str| {
            let found = Self::ALL.into_iter().find(|state| state.name() == text);
            found.ok_or("a state is pending, primary, accept, disabled or destroyed")
        };
        spelled::read(from, "a state", parse)
    }
}

/// Why a text is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// It is base64 of another number of bytes.
    Length {
        /// So many bytes were found.
        found: usize,
    },
    /// It is not base64.
    Base64 {
        /// The first character that is wrong, counted from 1; one more than there are where the
        /// end is: padding is missing.
        character: usize,
    },
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => write!(
                f,
                "a key has {KEY_BYTES} bytes, this one has {found}: make one with `finstage keys \
                 new`"
            ),
            Self::Base64 { character } => write!(
                f,
                "the key is not base64 of the standard alphabet with padding: see character \
                 {character}"
            ),
        }
    }
}

impl std::error::Error for BadKey {}

/// Reads a key from its text: 44 characters of base64, standard alphabet with padding.
///
/// # Errors
/// [`BadKey`], which says how long it is, or where it is no base64.
pub fn decode_key(text: &str) -> Result<Secret<[u8; KEY_BYTES]>, BadKey> {
    if text.len() > MAX_KEY_TEXT {
        return Err(BadKey::Length { found: text.len() / 4 * 3 });
    }
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_bound(text.len())]);
    let found = base64::decode(text.as_bytes(), &mut bytes)
        .map_err(|at| BadKey::Base64 { character: at + 1 })?;
    let key: &[u8; KEY_BYTES] = bytes[..found].try_into().map_err(|_| BadKey::Length { found })?;
    Ok(Secret::new(*key))
}

/// A key that is in no ring yet.
#[derive(Debug)]
pub struct NewKey {
    pub(crate) id: KeyId,
    pub(crate) key: Secret<[u8; KEY_BYTES]>,
}

impl NewKey {
    /// Fresh bytes from the system's generator, under a name made of random digits.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub fn generate() -> Result<Self, Error> {
        let mut digits = [0; 4];
        fill(&mut digits)?;
        let id = format!("k-{:08x}", u32::from_be_bytes(digits));
        Self::named(id.parse().expect("ten plain characters"))
    }

    /// Fresh bytes from the system's generator under this name.
    ///
    /// # Errors
    /// `Io` when the system has no random numbers.
    pub fn named(id: KeyId) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        fill(&mut *bytes)?;
        Ok(Self::of(id, Secret::new(*bytes)))
    }

    /// A key that came from elsewhere, see [`decode_key`].
    #[must_use]
    pub const fn of(id: KeyId, key: Secret<[u8; KEY_BYTES]>) -> Self {
        Self { id, key }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }
}

/// Random bytes of the system.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    aws_lc_rs::rand::fill(bytes)
        .map_err(|_| Error::new(ErrorKind::Io, "the system gives no random numbers"))
}

/// A key of a ring.
#[derive(Debug, Clone)]
pub struct Key {
    pub(crate) id: KeyId,
    pub(crate) state: KeyState,
    pub(crate) material: Option<Material>,
    pub(crate) created: Option<UnixTime>,
    pub(crate) primary_since: Option<UnixTime>,
    pub(crate) accept_until: Option<UnixTime>,
    pub(crate) sealed: u64,
}

impl Key {
    pub(crate) fn new(new: NewKey, state: KeyState, now: UnixTime) -> Self {
        Self {
            id: new.id,
            state,
            material: Some(Material::new(new.id, Arc::new(new.key))),
            created: Some(now),
            primary_since: (state == KeyState::Primary).then_some(now),
            accept_until: None,
            sealed: 0,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What may be done with it.
    #[must_use]
    pub const fn state(&self) -> KeyState {
        self.state
    }

    /// When it was made.
    #[must_use]
    pub const fn created(&self) -> Option<UnixTime> {
        self.created
    }

    /// When it became primary.
    #[must_use]
    pub const fn primary_since(&self) -> Option<UnixTime> {
        self.primary_since
    }

    /// The first moment at which it does not open any more.
    #[must_use]
    pub const fn accept_until(&self) -> Option<UnixTime> {
        self.accept_until
    }

    /// How many messages it has sealed, as far as the ring was told ([`crate::Keyring::note_sealed`]).
    #[must_use]
    pub const fn sealed(&self) -> u64 {
        self.sealed
    }

    /// Whether its bytes are still there.
    #[must_use]
    pub const fn has_material(&self) -> bool {
        self.material.is_some()
    }

    /// Whether messages sealed with it may be opened.
    #[must_use]
    pub fn may_open(&self, now: UnixTime) -> bool {
        self.has_material()
            && match self.state {
                KeyState::Pending | KeyState::Primary => true,
                KeyState::Accept => self.accept_until.is_none_or(|end| now < end),
                KeyState::Disabled | KeyState::Destroyed => false,
            }
    }

    /// The text of its bytes.
    pub(crate) fn text(&self) -> Option<Zeroizing<String>> {
        let material = self.material.as_ref()?;
        let mut text = Zeroizing::new(vec![0; base64::encoded_len(KEY_BYTES)]);
        base64::encode(material.bytes.expose(), &mut text);
        let text = std::str::from_utf8(&text).expect("base64 is ASCII");
        Some(Zeroizing::new(text.to_owned()))
    }
}

/// The bytes of a key, and what the cipher makes of them once.
#[derive(Clone)]
pub(crate) struct Material {
    pub(crate) bytes: Arc<Secret<[u8; KEY_BYTES]>>,
    /// The same for the same bytes: who came before under them is remembered by it.
    pub(crate) mark: u64,
    /// What its tags cover, but for sender and number.
    pub(crate) bound: Bound,
    /// Setting it up takes twice as long as opening a message. The library wipes it when it is
    /// dropped.
    cipher: Arc<LessSafeKey>,
}

impl Material {
    pub(crate) fn new(id: KeyId, key: Arc<Secret<[u8; KEY_BYTES]>>) -> Self {
        let cipher = UnboundKey::new(&AES_256_GCM, key.expose()).expect("32 bytes are a key");
        let hash = digest(&SHA256, key.expose());
        let mark = hash.as_ref().first_chunk().expect("32 bytes are more than 8");
        Self {
            bytes: key,
            mark: u64::from_le_bytes(*mark),
            bound: Bound::of(id),
            cipher: Arc::new(LessSafeKey::new(cipher)),
        }
    }

    /// Encrypts `plain` into `text`, which is as long, and gives its tag.
    ///
    /// The nonce must not have been used with this key.
    pub(crate) fn seal(&self, message: Message<'_>, text: &mut [u8], tag: &mut [u8; TAG_BYTES]) {
        let nonce = Nonce::assume_unique_for_key(message.nonce);
        let bound = Aad::from(message.bound);
        self.cipher
            .seal_out_of_place_scatter(nonce, bound, message.body, text, &[], tag)
            .expect("lengths are as the cipher wants them");
    }

    /// Decrypts into `plain`, which is as long as the text; false where the tag is not that of the
    /// text, and then `plain` is wiped.
    pub(crate) fn open(
        &self,
        message: Message<'_>,
        tag: &[u8; TAG_BYTES],
        plain: &mut [u8],
    ) -> bool {
        let nonce = Nonce::assume_unique_for_key(message.nonce);
        let bound = Aad::from(message.bound);
        self.cipher.open_separate_gather(nonce, bound, message.body, tag, plain).is_ok()
    }
}

/// What goes into the cipher.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Message<'a> {
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// What the tag covers besides the body.
    pub(crate) bound: &'a [u8],
    /// What is encrypted, or to be.
    pub(crate) body: &'a [u8],
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests;
