//! Signing a message so that its receiver knows who sent it and that nobody changed it.

use std::fmt::Write as _;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use crate::Secret;

/// HMAC-SHA-256 (RFC 2104) of the parts, one after the other, in lower-case hexadecimal.
#[must_use]
pub fn hmac_sha256(key: &Secret<String>, parts: &[&[u8]]) -> String {
    let key = Key::new(HMAC_SHA256, key.expose().as_bytes());
    let tag = sign(&key, &parts.concat());
    tag.as_ref().iter().fold(String::with_capacity(64), |mut hex, byte| {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let signed = |key: &str, parts: &[&[u8]]| hmac_sha256(&Secret::new(key.to_owned()), parts);
        assert_eq!(
            signed("Jefe", &[b"what do ya want ", b"for nothing?"]),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            signed(&"\u{0b}".repeat(20), &[b"Hi There"]),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        );
    }
}
