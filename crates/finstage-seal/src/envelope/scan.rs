//! Envelopes as [`write`](super::write) writes them, byte for byte, and bare ones without white space.
//!
//! JSON costs more than the cipher. So what has the usual shape is read by going along it; everything
//! else is left to [`Envelope::parse`], which must say the same of what is read here. That is tested.

use super::{Envelope, Form, MAX_ENVELOPE_BYTES, NONCE_TEXT, Place, read_nonce};
use crate::base64;
use crate::key::MAX_KEY_ID;

const NONCE: &[u8] = b"\"nonce\":\"";
const PAYLOAD: &[u8] = b"\"encrypted_payload\":\"";
/// Digits of 2⁶⁴ − 1.
const MAX_DIGITS: usize = 20;

impl<'a> Envelope<'a> {
    /// Reads the usual shape. Key and payload may be anything without a quote, or with one: a name
    /// that is a key's has none, and who finds that the payload is not base64 asks
    /// [`Members`](super::Members), since JSON has other spellings of the same text.
    pub(crate) fn scan(text: &'a [u8]) -> Option<Self> {
        if text.len() > MAX_ENVELOPE_BYTES {
            return None;
        }
        match text.strip_prefix(b"{\"v\":1,\"kid\":\"") {
            Some(rest) => version_1(rest),
            None => bare(text.strip_prefix(b"{")?),
        }
    }
}

fn version_1(text: &[u8]) -> Option<Envelope<'_>> {
    let beginning = &text[..text.len().min(MAX_KEY_ID + 1)];
    let (key, rest) = text.split_at(beginning.iter().position(|&byte| byte == b'"')?);
    let (sid, rest) = number(rest.strip_prefix(b"\",\"sid\":")?)?;
    let (seq, rest) = number(rest.strip_prefix(b",\"seq\":")?)?;
    let place = Place { sid: u32::try_from(sid).ok()?, seq };
    let (nonce, rest) = rest.strip_prefix(b",")?.strip_prefix(NONCE)?.split_first_chunk()?;
    // There is one way to write it.
    if u128::from_le_bytes(*nonce) != base64::encode_12(place.number()) {
        return None;
    }
    let payload = rest.strip_prefix(b"\",")?.strip_prefix(PAYLOAD)?.strip_suffix(b"\"}")?;
    Some(Envelope { form: Form::Version1 { key, place }, payload })
}

fn bare(text: &[u8]) -> Option<Envelope<'_>> {
    let (nonce, payload) = match text.strip_prefix(NONCE) {
        Some(rest) => {
            let (nonce, rest) = rest.split_at_checked(NONCE_TEXT)?;
            (nonce, rest.strip_prefix(b"\",")?.strip_prefix(PAYLOAD)?.strip_suffix(b"\"}")?)
        }
        None => {
            let rest = text.strip_prefix(PAYLOAD)?.strip_suffix(b"\"}")?;
            let (rest, nonce) = rest.split_at_checked(rest.len().checked_sub(NONCE_TEXT)?)?;
            (nonce, rest.strip_suffix(NONCE)?.strip_suffix(b"\",")?)
        }
    };
    Some(Envelope { form: Form::Bare { nonce: read_nonce(nonce)? }, payload })
}

/// A whole number as JSON writes it, and what comes after it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let mut number: u64 = 0;
    let mut length = 0;
    while let Some(&digit @ b'0'..=b'9') = text.get(length) {
        // The last digit that fits may be too much.
        number = number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        length += 1;
        if length > MAX_DIGITS {
            return None;
        }
    }
    let is_whole = length == 1 || (length > 1 && text[0] != b'0');
    is_whole.then(|| (number, &text[length..]))
}
