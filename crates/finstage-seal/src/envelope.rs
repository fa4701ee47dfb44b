//! The envelope: what is written, what is read, and what the seal covers besides the message.
//!
//! Version 1, one JSON object, these six members:
//!
//! ```json
//! {"v":1,"kid":"k1","sid":7,"seq":0,"nonce":"AAAABwAAAAAAAAAA","encrypted_payload":"…"}
//! ```
//!
//! | member | is |
//! |---|---|
//! | `v` | the number 1 |
//! | `kid` | the name of the key, 1 to 32 characters of `A-Z a-z 0-9 . _ -` |
//! | `sid` | the sender, a whole number below 2³² |
//! | `seq` | the number of the message, a whole number below 2⁶⁴ |
//! | `nonce` | 12 bytes in base64: `sid` in 4, `seq` in 8, the highest byte first; anything else is refused |
//! | `encrypted_payload` | AES-256-GCM's ciphertext, then its tag of 16 bytes, in base64 |
//!
//! The additional data that the tag covers are these bytes, one after the other:
//!
//! | bytes | hold |
//! |---|---|
//! | 1 | the version: `01` |
//! | 1 | the length of the key's name |
//! | 1 to 32 | the key's name |
//! | 4 | `sid`, the highest byte first |
//! | 8 | `seq`, the highest byte first |
//!
//! The bare form has `nonce` and `encrypted_payload` only, and no additional data.
//!
//! Any JSON that says the same is read: members in any order, white space, escapes. Members that are
//! missing, doubled or unknown, numbers with a point or an exponent, and base64 in any other spelling
//! are refused.

mod scan;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};

use crate::base64;
use crate::key::{KeyId, MAX_KEY_ID};

/// Bytes of a nonce.
pub(crate) const NONCE_BYTES: usize = 12;
/// Bytes of a tag.
pub(crate) const TAG_BYTES: usize = 16;
/// Characters of a nonce.
const NONCE_TEXT: usize = base64::encoded_len(NONCE_BYTES);
/// The longest message that is sealed: 8 MiB.
pub const MAX_PLAIN_BYTES: usize = 8 << 20;
/// The longest envelope that is read: room for the longest message in base64, and for JSON about it.
pub const MAX_ENVELOPE_BYTES: usize = base64::encoded_len(MAX_PLAIN_BYTES + TAG_BYTES) + 4096;
/// The longest additional data.
const MAX_BOUND_BYTES: usize = 2 + MAX_KEY_ID + 12;
/// The most that an envelope has besides its payload.
const MAX_FRAME_BYTES: usize = 192;
const VERSION: u8 = 1;

/// Who sealed a message, and the how many-th it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) sid: u32,
    pub(crate) seq: u64,
}

impl Place {
    const fn number(self) -> u128 {
        (self.sid as u128) << 64 | self.seq as u128
    }

    /// The nonce of the message.
    pub(crate) fn nonce(self) -> [u8; NONCE_BYTES] {
        let bytes = self.number().to_be_bytes();
        *bytes.last_chunk().expect("16 are more than 12")
    }
}

/// Additional data: what the tag covers besides the message.
#[derive(Clone)]
pub(crate) struct Bound {
    bytes: [u8; MAX_BOUND_BYTES],
    length: usize,
}

impl Bound {
    /// Of all messages under a key: complete but for their places.
    pub(crate) fn of(key: KeyId) -> Self {
        let name = key.as_bytes();
        let mut bytes = [0; MAX_BOUND_BYTES];
        bytes[0] = VERSION;
        bytes[1] = name.len() as u8;
        bytes[2..2 + name.len()].copy_from_slice(name);
        Self { bytes, length: 2 + name.len() + NONCE_BYTES }
    }

    /// Of one message. Sender and number stand in it as they do in the nonce.
    pub(crate) fn at(&self, nonce: &[u8; NONCE_BYTES]) -> Self {
        let mut bound = self.clone();
        bound.bytes[self.length - NONCE_BYTES..self.length].copy_from_slice(nonce);
        bound
    }
}

impl AsRef<[u8]> for Bound {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// An envelope that was read and not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    pub(crate) form: Form<'a>,
    /// Still base64, or anything else.
    pub(crate) payload: &'a [u8],
}

/// How a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form<'a> {
    Version1 {
        /// The name of the key, or anything else.
        key: &'a [u8],
        place: Place,
    },
    Bare {
        nonce: [u8; NONCE_BYTES],
    },
}

/// The members of any JSON object that may be an envelope. serde refuses names that are doubled or
/// unknown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Members<'a> {
    #[serde(default, deserialize_with = "present")]
    v: Option<u8>,
    #[serde(borrow, default, deserialize_with = "present")]
    kid: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    sid: Option<u32>,
    #[serde(default, deserialize_with = "present")]
    seq: Option<u64>,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    #[serde(borrow)]
    encrypted_payload: Cow<'a, str>,
}

/// A text, borrowed where JSON has it as it is.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A member that is there: `null` is no way of leaving it out.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

impl<'a> Members<'a> {
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        if text.len() > MAX_ENVELOPE_BYTES {
            return None;
        }
        serde_json::from_slice(text).ok()
    }

    pub(crate) fn envelope(&self) -> Option<Envelope<'_>> {
        let nonce = read_nonce(self.nonce.as_bytes())?;
        let form = match (self.v, &self.kid, self.sid, self.seq) {
            (None, None, None, None) => Form::Bare { nonce },
            (Some(VERSION), Some(kid), Some(sid), Some(seq)) => {
                let place = Place { sid, seq };
                if place.nonce() != nonce {
                    return None;
                }
                Form::Version1 { key: kid.0.as_bytes(), place }
            }
            _ => return None,
        };
        Some(Envelope { form, payload: self.encrypted_payload.as_bytes() })
    }
}

fn read_nonce(text: &[u8]) -> Option<[u8; NONCE_BYTES]> {
    let mut nonce = [0; NONCE_BYTES];
    let is_whole = text.len() == NONCE_TEXT && base64::decode(text, &mut nonce) == Ok(NONCE_BYTES);
    is_whole.then_some(nonce)
}

/// Writes an envelope: `encrypted` is ciphertext and tag.
pub(crate) fn write(key: KeyId, place: Place, encrypted: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_FRAME_BYTES + base64::encoded_len(encrypted.len()));
    out.extend_from_slice(b"{\"v\":1,\"kid\":\"");
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\",\"sid\":");
    write_number(u64::from(place.sid), out);
    out.extend_from_slice(b",\"seq\":");
    write_number(place.seq, out);
    out.extend_from_slice(b",\"nonce\":\"");
    out.extend_from_slice(&base64::encode_12(place.number()).to_le_bytes());
    out.extend_from_slice(b"\",\"encrypted_payload\":\"");
    write_base64(encrypted, out);
    out.extend_from_slice(b"\"}");
}

/// Writes an envelope in the bare form.
pub(crate) fn write_bare(place: Place, encrypted: &[u8], out: &mut Vec<u8>) {
    out.reserve(MAX_FRAME_BYTES + base64::encoded_len(encrypted.len()));
    out.extend_from_slice(b"{\"nonce\":\"");
    out.extend_from_slice(&base64::encode_12(place.number()).to_le_bytes());
    out.extend_from_slice(b"\",\"encrypted_payload\":\"");
    write_base64(encrypted, out);
    out.extend_from_slice(b"\"}");
}

fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + base64::encoded_len(bytes.len()), 0);
    base64::encode(bytes, &mut out[start..]);
}

fn write_number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}
