//! Unguessable texts.

use std::fmt::Write as _;

use crate::{Error, ErrorKind};

/// 64 hexadecimal digits from the system's generator: 256 bits.
pub(crate) fn unguessable() -> Result<String, Error> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| {
        Error::new(ErrorKind::Failed, format!("the system gives no random numbers: {e}"))
    })?;
    let mut text = String::with_capacity(64);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
    }
    Ok(text)
}
