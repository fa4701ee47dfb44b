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

use std::borrow::Cow;

use serde::Deserialize;

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
const VERSION: u8 = 1;

/// Which message of whom an envelope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) key: KeyId,
    pub(crate) sid: u32,
    pub(crate) seq: u64,
}

impl Origin {
    /// The nonce of the message.
    pub(crate) fn nonce(&self) -> [u8; NONCE_BYTES] {
        let mut nonce = [0; NONCE_BYTES];
        nonce[..4].copy_from_slice(&self.sid.to_be_bytes());
        nonce[4..].copy_from_slice(&self.seq.to_be_bytes());
        nonce
    }

    /// What the tag covers besides the message.
    pub(crate) fn bound(&self) -> Bound {
        let name = self.key.as_bytes();
        let mut bytes = [0; MAX_BOUND_BYTES];
        bytes[0] = VERSION;
        bytes[1] = name.len() as u8;
        bytes[2..2 + name.len()].copy_from_slice(name);
        let end = 2 + name.len();
        bytes[end..end + NONCE_BYTES].copy_from_slice(&self.nonce());
        Bound { bytes, length: end + NONCE_BYTES }
    }
}

/// Additional data.
#[derive(Debug)]
pub(crate) struct Bound {
    bytes: [u8; MAX_BOUND_BYTES],
    length: usize,
}

impl AsRef<[u8]> for Bound {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// An envelope that was read and not opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope<'a> {
    /// None in the bare form.
    pub(crate) origin: Option<Origin>,
    pub(crate) nonce: [u8; NONCE_BYTES],
    /// Still base64.
    pub(crate) payload: Cow<'a, [u8]>,
}

/// The members as JSON has them. Names that are doubled or unknown are refused by serde.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members<'a> {
    v: Option<u8>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    sid: Option<u32>,
    seq: Option<u64>,
    #[serde(borrow)]
    nonce: Cow<'a, str>,
    #[serde(borrow)]
    encrypted_payload: Cow<'a, str>,
}

impl<'a> Envelope<'a> {
    /// Reads any JSON that is an envelope.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        if text.len() > MAX_ENVELOPE_BYTES {
            return None;
        }
        let members: Members<'a> = serde_json::from_slice(text).ok()?;
        let mut nonce = [0; NONCE_BYTES];
        let is_long_enough = members.nonce.len() == NONCE_TEXT;
        if !is_long_enough
            || base64::decode(members.nonce.as_bytes(), &mut nonce) != Ok(NONCE_BYTES)
        {
            return None;
        }
        let origin = match (members.v, members.kid, members.sid, members.seq) {
            (None, None, None, None) => None,
            (Some(VERSION), Some(kid), Some(sid), Some(seq)) => {
                Some(Origin { key: KeyId::of(kid.as_bytes())?, sid, seq })
            }
            _ => return None,
        };
        if origin.is_some_and(|origin| origin.nonce() != nonce) {
            return None;
        }
        let payload = match members.encrypted_payload {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        };
        Some(Self { origin, nonce, payload })
    }
}

/// Writes an envelope: `encrypted` is ciphertext and tag.
pub(crate) fn write(origin: &Origin, encrypted: &[u8], out: &mut Vec<u8>) {
    out.reserve(192 + base64::encoded_len(encrypted.len()));
    out.extend_from_slice(b"{\"v\":1,\"kid\":\"");
    out.extend_from_slice(origin.key.as_bytes());
    out.extend_from_slice(b"\",\"sid\":");
    write_number(u64::from(origin.sid), out);
    out.extend_from_slice(b",\"seq\":");
    write_number(origin.seq, out);
    out.extend_from_slice(b",\"nonce\":\"");
    write_base64(&origin.nonce(), out);
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
