//! Base64 (RFC 4648, section 4), strict: the standard alphabet, padding as it must be, no bits left
//! over. So each sequence of bytes has one spelling, and a message cannot come again in another.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::GeneralPurposeConfig;
use base64::{DecodeError, DecodeSliceError};

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
type Engine = base64::engine::Simd;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Engine = base64::engine::GeneralPurpose;

static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    return Engine::standard(GeneralPurposeConfig::new());
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return Engine::new(&base64::alphabet::STANDARD, GeneralPurposeConfig::new());
});

/// How many characters `bytes` bytes take.
pub(crate) const fn encoded_len(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// The most bytes that `characters` characters hold.
pub(crate) const fn decoded_bound(characters: usize) -> usize {
    characters.div_ceil(4) * 3
}

/// Writes `bytes` to `out`, which is exactly as long as [`encoded_len`] says.
pub(crate) fn encode(bytes: &[u8], out: &mut [u8]) {
    let written = ENGINE.encode_slice(bytes, out).expect("the buffer has the length that it takes");
    debug_assert_eq!(written, out.len());
}

/// The text of 12 bytes, of which only these bits of `number` count: the lowest 96. Each message has
/// one, and choosing an engine for so few takes longer than the work. The first character is the
/// lowest byte.
pub(crate) fn encode_12(number: u128) -> u128 {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = 0;
    for character in 0..16 {
        let symbol = ALPHABET[(number >> (90 - 6 * character)) as usize & 63];
        text |= u128::from(symbol) << (8 * character);
    }
    text
}

/// Reads `text` into `out`, which holds [`decoded_bound`], and says how many bytes there are; or
/// the first character, counted from 0, that is wrong.
pub(crate) fn decode(text: &[u8], out: &mut [u8]) -> Result<usize, usize> {
    ENGINE.decode_slice(text, out).map_err(|error| match error {
        DecodeSliceError::DecodeError(DecodeError::InvalidByte(at, _)) => at,
        DecodeSliceError::DecodeError(DecodeError::InvalidLastSymbol { offset, .. }) => offset,
        _ => text.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<Vec<u8>, usize> {
        let mut out = vec![0; decoded_bound(text.len())];
        let found = decode(text.as_bytes(), &mut out)?;
        out.truncate(found);
        Ok(out)
    }

    #[test]
    fn examples_of_rfc_4648_hold() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = vec![0; encoded_len(plain.len())];
            encode(plain.as_bytes(), &mut out);
            assert_eq!(out, text.as_bytes());
            assert_eq!(bytes(text).unwrap(), plain.as_bytes());
        }
    }

    #[test]
    fn twelve_bytes_are_written_as_by_the_library() {
        for n in 0..=255_u8 {
            let number = 0x0123_4567_89ab_cdef_0f1e_2d3c * u128::from(n);
            let mut text = [0; 16];
            encode(&number.to_be_bytes()[4..], &mut text);
            assert_eq!(encode_12(number).to_le_bytes(), text);
        }
    }

    #[test]
    fn other_spellings_of_the_same_bytes_are_refused() {
        for wrong in
            ["Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Zg==\n", " Zg==", "Z_-v", "Zm9v====", "="]
        {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        assert_eq!(bytes("Zm9!YmFy"), Err(3));
        assert_eq!(bytes("Zm9vYmF"), Err(7));
    }

    #[test]
    fn every_byte_outside_the_alphabet_is_found_wherever_it_stands() {
        let good = "QUJD".repeat(40);
        for at in [0, 1, 31, 32, 63, 64, 100, 159] {
            for byte in 0..=255_u8 {
                let mut text = good.clone().into_bytes();
                text[at] = byte;
                let mut out = vec![0; decoded_bound(text.len())];
                let is_symbol = byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
                assert_eq!(decode(&text, &mut out).is_ok(), is_symbol, "{byte} at {at}");
            }
        }
    }
}
