//! Frames of RFC 6455 on the wire, seen from the client: heads that are read where they lie, frames
//! that are written masked.

/// The largest message that is taken; a server that sends more is told so and left.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1_024 * 1_024;
/// The most that a frame of control carries.
const MAX_CONTROL_BYTES: usize = 125;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    const fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// The head of a frame, and where its payload lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) is_last: bool,
    pub(crate) opcode: Opcode,
    /// Bytes of the head.
    pub(crate) start: usize,
    /// Head and payload.
    pub(crate) end: usize,
}

/// What lies at the front of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Looked {
    /// A whole frame.
    Whole(Head),
    /// The beginning of one; so many bytes are needed, at least.
    Needs(usize),
}

/// Why a connection cannot go on: a close code of RFC 6455.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) u16);

impl Broken {
    pub(crate) const PROTOCOL: Self = Self(1002);
    pub(crate) const NOT_TEXT: Self = Self(1007);
    pub(crate) const TOO_LARGE: Self = Self(1009);
}

/// Looks at the frame in front of `bytes`. No extension was asked for, so reserved bits are an error,
/// and so is a server that masks.
#[inline]
pub(crate) fn look(bytes: &[u8]) -> Result<Looked, Broken> {
    let [first, second, ..] = *bytes else { return Ok(Looked::Needs(2)) };
    let (start, length) = match second {
        0..=125 => (2, usize::from(second)),
        126 => match bytes.get(2..4) {
            Some(&[a, b]) => (4, usize::from(u16::from_be_bytes([a, b]))),
            _ => return Ok(Looked::Needs(4)),
        },
        127 => match bytes.get(2..10).and_then(|eight| eight.first_chunk::<8>()) {
            Some(eight) => (10, usize::try_from(u64::from_be_bytes(*eight)).unwrap_or(usize::MAX)),
            None => return Ok(Looked::Needs(10)),
        },
        _ => return Err(Broken::PROTOCOL),
    };
    if first & 0x70 != 0 {
        return Err(Broken::PROTOCOL);
    }
    let opcode = Opcode::of(first & 0x0f).ok_or(Broken::PROTOCOL)?;
    let is_last = first & 0x80 != 0;
    if opcode.is_control() && (!is_last || length > MAX_CONTROL_BYTES) {
        return Err(Broken::PROTOCOL);
    }
    if length > MAX_MESSAGE_BYTES {
        return Err(Broken::TOO_LARGE);
    }
    let end = start + length;
    if bytes.len() < end {
        return Ok(Looked::Needs(end));
    }
    Ok(Looked::Whole(Head { is_last, opcode, start, end }))
}

/// Appends a whole frame, masked as a client must.
pub(crate) fn write(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8], mask: [u8; 4]) {
    out.push(0x80 | opcode.bits());
    match payload.len() {
        length @ 0..=125 => out.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            out.push(0x80 | 126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&mask);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// Appends a close frame with a code and no reason.
pub(crate) fn write_close(out: &mut Vec<u8>, code: u16, mask: [u8; 4]) {
    write(out, Opcode::Close, &code.to_be_bytes(), mask);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_of_all_three_lengths_are_read_and_partial_ones_say_what_they_need() {
        for length in [0_usize, 5, 125, 126, 65_535, 65_536, 100_000] {
            let mut bytes = Vec::new();
            write(&mut bytes, Opcode::Text, &vec![b'x'; length], [0; 4]);
            // As a server sends it: without the mask.
            let at = match length {
                0..=125 => 2,
                126..=65_535 => 4,
                _ => 10,
            };
            bytes[1] &= 0x7f;
            bytes.drain(at..at + 4);
            let whole = Head { is_last: true, opcode: Opcode::Text, start: at, end: at + length };
            assert_eq!(look(&bytes), Ok(Looked::Whole(whole)));
            if length > 0 {
                let part = &bytes[..bytes.len() - 1];
                assert_eq!(look(part), Ok(Looked::Needs(bytes.len())));
            }
            assert!(matches!(look(&bytes[..1]), Ok(Looked::Needs(2))));
        }
    }

    #[test]
    fn what_no_server_may_send_ends_the_connection_with_its_code() {
        let code = |bytes: &[u8]| look(bytes).unwrap_err().0;
        assert_eq!(code(&[0x81, 0x80, 0, 0, 0, 0]), 1002, "masked");
        assert_eq!(code(&[0xc1, 0]), 1002, "a bit of an extension nobody asked for");
        assert_eq!(code(&[0x83, 0]), 1002, "an opcode that does not exist");
        assert_eq!(code(&[0x09, 0]), 1002, "a ping in pieces");
        assert_eq!(code(&[0x89, 126, 0, 126]), 1002, "a ping that is too long");
        assert_eq!(code(&[0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]), 1009);
    }

    #[test]
    fn a_client_masks() {
        let mut out = Vec::new();
        write(&mut out, Opcode::Text, b"Hello", [0x37, 0xfa, 0x21, 0x3d]);
        // RFC 6455, 5.7.
        let expected = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
        assert_eq!(out, expected);
        let mut out = Vec::new();
        write_close(&mut out, 1000, [0; 4]);
        assert_eq!(out, [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
    }
}
